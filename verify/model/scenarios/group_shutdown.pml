/* Group.Shutdown and Group.ShutdownSync, of a timer and a series, while a user and the
   handlers register them. After them no Register of a member succeeds, and no run of a
   member begins. */
/* reaches: group_waited refused_shutdown ended_while_finding run_keeps_timer */

#define RECORDS 2
#define WORKERS 2
#define WAITS 1
#define periodic(i) ((i) == 1)
#include "../model.pml"

inline handler(w, t) {
	if
	:: register(t, ignored)
	:: skip
	fi
}
#include "../worker.pml"

proctype owner(byte a; byte b) {
	mtype err;
	if
	:: groupDelSync(0, NO_WORKER, false, true, err)
	:: groupDelSync(0, NO_WORKER, true, true, err)
	:: groupShutdown()
	fi;
	register(a, err);
	assert(err == ErrShutdown);
	register(b, err);
	assert(err == ErrShutdown || err == ErrStale)
}

proctype registerer(byte a; byte b) {
end_:	do
	:: register(a, ignored)
	:: register(b, ignored)
	od
}

init {
	byte a, b;
	atomic {
		alloc(0, a);
		afterFunc(1, b);
		run worker(0);
		run worker(1);
		run owner(a, b);
		run registerer(a, b)
	}
}

ltl ends { <>[] (wait[0].timer == 0) }
