/* One record has one tenant after the other, until its generations are used up, while a
   user deletes and registers with handles of any age. Some tenants have an owner, which
   frees once too often; some have none. */
/* reaches: waited record_reused record_retired deleted_stale stale freed_too_often run_keeps_timer */

#define RECORDS 1
#define WORKERS 2
#define WAITS 1
#include "../model.pml"

byte shared; /* the handle of the newest tenant */

inline handler(w, t) {
	skip
}
#include "../worker.pml"

proctype owner() {
	byte t;
	mtype err;
end_:	do
	:: alloc(0, t); shared = t;
		register(t, ignored);
		free(t, ignored);
		free(t, err);
		assert(err == ErrFreed || err == ErrStale)
	:: afterFunc(0, t); shared = t
	od
}

proctype deleter() {
	byte t;
	mtype err;
end_:	do
	:: shared != 0 -> t = shared
	:: t != 0 -> delSync(0, t, NO_WORKER, false, false, err)
	:: t != 0 -> register(t, ignored)
	od
}

init {
	atomic {
		run worker(0);
		run worker(1);
		run owner();
		run deleter()
	}
}

ltl ends { []<> (wait[0].timer == 0) }
