/* Two users do anything, in any order, with handles of any age, and so does the
   handler. One slot, two tenants. */
/* reaches: waited abandoned ended_before_abandon refused deleted_stale stale freed_too_often run_keeps_timer slot_reused slot_retired */

#define SLOTS 1
#define WORKERS 2
#define WAITS 2
#define LAST_GEN 2
#include "../model.pml"

inline handler(w, t) {
	if
	:: register(t, ignored)
	:: free(t, ignored)
	:: skip
	fi
}
#include "../worker.pml"

#define another(t) (slot[0].live && t != handle(0))

proctype user(byte x) {
	byte t;
	mtype err;
end_:	do
	:: alloc(0, t)
	:: afterFunc(0, t)
	:: section { another(t) -> t = handle(0) }
	:: register(t, ignored)
	:: del(t)
	:: retain(t, ignored)
	:: free(t, ignored)
	:: delSync(x, t, NOBODY, x == 1, false, err)
	od
}

init {
	atomic {
		run worker(0);
		run worker(1);
		run user(0);
		run user(1)
	}
}

ltl ends { []<> (wait[0].timer == 0) && []<> (wait[1].timer == 0) }
