/* Shutdown, from outside or in the timer's own handler: whatever it returned, no
   Register succeeds after it. */
/* reaches: waited deadlocked refused_shutdown */

#define SLOTS 1
#define WORKERS 2
#define WAITS 2
#include "../model.pml"

inline handler(w, t) {
	if
	:: register(t, err)
	:: delSync(1, t, w, false, true, err); register(t, err); assert(err == ErrShutdown)
	fi
}
#include "../worker.pml"

proctype owner(byte t) {
	mtype err;
	register(t, ignored);
	delSync(0, t, NOBODY, false, true, err);
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
