/* Close, while an idle timeout is armed and touched. */
/* reaches: dropped put_off refused_closed close_waits */

#define RECORDS 1
#define WORKERS 1
#define WAITS 1
#define TOUCHERS 2
#include "../model.pml"

byte newest;

inline handler(w, t) {
	registerIdle(t, ignored)
}
#include "../worker.pml"

proctype closer() {
	byte i;
	mtype err;
	close(NO_WORKER, i, err)
}

proctype user(byte t) {
end_:	do
	:: registerIdle(t, ignored)
	od
}

proctype touches0() {
	toucher(0, newest)
}

proctype touches1() {
	toucher(1, newest)
}

init {
	byte t;
	atomic {
		alloc(0, t);
		newest = t;
		run worker(0);
		run closer();
		run user(t);
		run touches0();
		run touches1()
	}
}

ltl ends { <> closed }
