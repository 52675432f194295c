/* A lock-bound timer. The holder of its lock never sees its handler in flight. A Del
   while holding it lasts until the next Register, and a DelSync while holding it waits
   for nothing. Another process deletes and registers without the lock. */
/* reaches: waited first_left line_was_empty removed_held held_back put_back */

#define RECORDS 1
#define WORKERS 2
#define WAITS 2
#define lockBound(i) true
#include "../model.pml"

inline handler(w, t) {
	assert(userLock == w + 1)
}
#include "../worker.pml"

proctype holder(byte t) {
	mtype err;
end_:	do
	:: section { userLock == 0 -> userLock = USER };
		seesNoHandler(t);
		if
		:: del(t, false)
		:: delSync(0, t, NO_WORKER, false, false, err)
		:: register(t, ignored)
		fi;
		seesNoHandler(t);
		userLock = 0
	od
}

proctype other(byte t) {
	mtype err;
end_:	do
	:: delSync(1, t, NO_WORKER, false, false, err)
	:: register(t, ignored)
	od
}

init {
	byte t;
	atomic {
		alloc(0, t);
		run worker(0);
		run worker(1);
		run holder(t);
		run other(t)
	}
}

ltl ends { []<> (userLock == 0) && []<> (wait[0].timer == 0) && []<> (wait[1].timer == 0) }
