/* One actor moves a timer, one stops it, and one starts it again, without the lock where they can. */
/* reaches: moved_without_lock moved_while_running move_again put_off_moved not_moved started_in_place start_taken_back parked_with_lock unparked */

#define RECORDS 1
#define WORKERS 1
#define WAITS 1
#define LANES 1
#define MOVERS 1
#include "../model.pml"

byte newest;

inline handler(w, t) {
	skip
}
#include "../worker.pml"

proctype stops() {
	byte t;
	bool did, last;
	stopper(newest)
}

proctype starts() {
	byte t;
	bool last;
	mtype err;
	starter(newest)
}

proctype moves0() {
	byte t;
	mover(0, newest)
}

init {
	byte t;
	atomic {
		alloc(0, t);
		newest = t;
		run worker(0);
		run stops();
		run starts();
		run moves0()
	}
}

ltl ends { []<> (wait[0].timer == 0) }
