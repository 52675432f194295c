/* Shutdown and ShutdownSync, from outside or in the timer's own handler. Whatever they
   return, no Register succeeds after them, and no run begins. */
/* reaches: waited deadlocked refused_shutdown removed */

#define RECORDS 1
#define WORKERS 2
#define WAITS 2
#include "../model.pml"

inline handler(w, t) {
	if
	:: register(t, err)
	:: delSync(1, t, w, false, true, err); register(t, err); assert(err == ErrShutdown)
	:: del(t, true); register(t, err); assert(err == ErrShutdown)
	fi
}
#include "../worker.pml"

proctype owner(byte t) {
	mtype err;
	register(t, ignored);
	if
	:: delSync(0, t, NO_WORKER, false, true, err)
	:: del(t, true)
	fi;
	register(t, err);
	assert(err == ErrShutdown)
}

proctype registerer(byte t) {
	mtype err;
end_:	do
	:: register(t, ignored)
	od
}

init {
	byte t;
	atomic {
		alloc(0, t);
		run worker(0);
		run worker(1);
		run owner(t);
		run registerer(t)
	}
}

ltl ends { <>[] (wait[0].timer == 0) && []<> (wait[1].timer == 0) }
