/* Handlers of a lock-bound timer end by a panic or a Goexit. */
/* reaches: waited goexit panicked refused put_back */

#define RECORDS 1
#define WORKERS 2
#define WAITS 2
#define lockBound(i) true
#define MISBEHAVES true
#include "../model.pml"

inline handler(w, t) {
	if
	:: register(t, ignored)
	:: skip
	fi
}
#include "../worker.pml"

proctype deleter(byte t) {
	mtype err;
end_:	do
	:: delSync(0, t, NO_WORKER, false, false, err)
	od
}

proctype holder(byte t) {
	mtype err;
end_:	do
	:: section { userLock == 0 -> userLock = USER };
		seesNoHandler(t);
		register(t, ignored);
		userLock = 0
	od
}

init {
	byte t;
	atomic {
		alloc(0, t);
		run worker(0);
		run worker(1);
		run deleter(t);
		run holder(t)
	}
}

ltl ends { []<> (userLock == 0) && []<> (wait[0].timer == 0) }
