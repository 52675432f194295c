/* While a worker waits for a timer's lock, the timer is deleted and freed, and its record
   has the next tenant, bound to the same lock. A Lock may not return. */
/* reaches: waited first_recycled left_line line_abandoned adopted unserved_emptied record_reused */

#define RECORDS 1
#define WORKERS 2
#define WAITS 1
#define lockBound(i) true
#define LOCK_MISBEHAVES true
#include "../model.pml"

inline handler(w, t) {
	assert(userLock == w + 1)
}
#include "../worker.pml"

proctype owner() {
	byte t;
	mtype err;
end_:	do
	:: alloc(0, t);
		register(t, ignored);
		section { userLock == 0 -> userLock = USER };
		del(t, false);
		free(t, err);
		assert(err == ok && !lookup(t)); /* without a wait */
		userLock = 0
	:: alloc(0, t);
		register(t, ignored);
		delSync(0, t, NO_WORKER, false, false, err);
		free(t, err);
		assert(err == ok && !lookup(t))
	od
}

init {
	atomic {
		run worker(0);
		run worker(1);
		run owner()
	}
}

ltl ends { []<> (userLock == 0) && []<> (wait[0].timer == 0) }
