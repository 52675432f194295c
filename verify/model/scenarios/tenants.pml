/* One slot has one tenant after the other, until its generations are used up, while
   somebody deletes and registers with handles of any age. Some tenants have an owner,
   who frees once too often; some have none. */
/* reaches: waited slot_reused slot_retired deleted_stale stale freed_too_often run_keeps_timer */

#define SLOTS 1
#define WORKERS 2
#define WAITS 1
#include "../model.pml"

byte shared; /* the handle of the tenant that came last */

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
	:: t != 0 -> delSync(0, t, NOBODY, false, false, err)
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
