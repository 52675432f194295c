/* Close, while handlers wait for own firings of the wheel, or are about to. */
/* reaches: own_fired own_awaited own_handed_over own_on_closed close_waits dropped */

#define RECORDS 2
#define WORKERS 2
#define WAITS 1
#define OWNS 2
#include "../model.pml"

inline handler(w, t) {
	armOwn(indexOf(t));
	awaitOwn(indexOf(t))
}
#include "../worker.pml"

proctype closer() {
	byte i;
	mtype err;
	close(NO_WORKER, i, err)
}

init {
	byte t;
	atomic {
		afterFunc(0, t);
		afterFunc(1, t);
		run worker(0);
		run worker(1);
		run caller(0);
		run packageTime();
		run closer()
	}
}

ltl ends { <> closed }
