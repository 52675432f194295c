/* The handler of a timer may release its lock. The holder of the lock then finds it running: Del does
   not wait for it, and DelSync waits for the rest. */
/* reaches: waited refused */

#define RECORDS 1
#define WORKERS 2
#define WAITS 1
#define lockBound(i) true
#include "../model.pml"

inline handler(w, t) {
	assert(userLock == w + 1);
	if
	:: skip
	:: releaseLock(w, t, err); assert(err == ok); register(t, ignored)
	fi
}
#include "../worker.pml"

proctype holder(byte t) {
	mtype err;
end_:	do
	:: section { userLock == 0 -> userLock = USER };
		seesNoLockedHandler();
		if
		:: del(t, false); seesNoLockedHandler()
		:: delSync(0, t, NO_WORKER, false, false, err)
		:: register(t, ignored)
		fi;
		assert(userLock == USER);
		userLock = 0
	od
}

init {
	byte t;
	atomic {
		alloc(0, t);
		run worker(0);
		run worker(1);
		run holder(t)
	}
}

ltl ends { []<> (userLock == 0) && []<> (wait[0].timer == 0) }
