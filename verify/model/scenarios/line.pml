/* Two timers of one lock, which the user takes now and then; with it the user deletes one,
   and registers the other. Handlers end by a panic or a Goexit, also in the middle of the
   line. */
/* reaches: stands_behind left_line line_abandoned adopted goexit panicked */

#define RECORDS 2
#define WORKERS 2
#define WAITS 1
#define lockBound(i) true
#define MISBEHAVES true
#include "../model.pml"

inline handler(w, t) {
	assert(userLock == w + 1)
}
#include "../worker.pml"

proctype holder(byte a; byte b) {
end_:	do
	:: section { userLock == 0 -> userLock = USER };
		seesNoHandler(a);
		seesNoHandler(b);
		if
		:: del(a, false)
		:: register(b, ignored)
		fi;
		userLock = 0
	:: register(a, ignored)
	od
}

init {
	byte a, b;
	atomic {
		alloc(0, a);
		alloc(1, b);
		run worker(0);
		run worker(1);
		run holder(a, b)
	}
}

ltl ends { []<> (userLock == 0) && [] (unserved -> <> !unserved) }
