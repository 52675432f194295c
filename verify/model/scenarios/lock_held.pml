/* A user calls DelSync while holding the lock that the handler is bound to. It never
   waits for a handler that waits for the lock. */
/* reaches: removed_held left_line line_was_empty */

#define RECORDS 1
#define WORKERS 2
#define WAITS 1
#define lockBound(i) true
#include "../model.pml"

inline handler(w, t) {
	skip
}
#include "../worker.pml"

init {
	byte t;
	mtype err;
	atomic {
		alloc(0, t);
		run worker(0);
		run worker(1)
	}
	register(t, err);
	section { userLock == 0 -> userLock = USER }
	delSync(0, t, NO_WORKER, false, false, err);
	userLock = 0;
	register(t, err);
	section { userLock == 0 -> userLock = USER }
	delSync(0, t, NO_WORKER, false, false, err);
	userLock = 0
}

ltl ends { [] (wait[0].timer != 0 -> <> (wait[0].timer == 0)) }
