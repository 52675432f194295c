/* Close, while workers wait for the lock of two timers, have it, or are about to come. */
/* reaches: first_dropped left_line line_was_empty close_waits dropped */

#define RECORDS 2
#define WORKERS 2
#define WAITS 1
#define lockBound(i) true
#define LOCK_MISBEHAVES true
#include "../model.pml"

inline handler(w, t) {
	assert(userLock == w + 1)
}
#include "../worker.pml"

proctype closer() {
	byte i;
	mtype err;
	close(NO_WORKER, i, err)
}

proctype holder(byte t) {
end_:	do
	:: section { userLock == 0 -> userLock = USER };
		seesNoHandler(t);
		userLock = 0
	od
}

init {
	byte t;
	atomic {
		afterFunc(0, t);
		afterFunc(1, t);
		run worker(0);
		run worker(1);
		run closer();
		run holder(t)
	}
}

ltl ends { <> closed }
