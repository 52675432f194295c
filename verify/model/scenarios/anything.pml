/* Two users, and the handler, do anything, in any order, with handles of any age. One
   record, two tenants. */
/* reaches: waited abandoned ended_before_abandon refused deleted_stale stale freed_too_often run_keeps_timer record_reused record_retired */

#define RECORDS 1
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

#define another(t) (record[0].live && t != handle(0))

proctype user(byte x) {
	byte t;
	mtype err;
end_:	do
	:: alloc(0, t)
	:: afterFunc(0, t)
	:: section { another(t) -> t = handle(0) }
	:: register(t, ignored)
	:: del(t, false)
	:: retain(t, ignored)
	:: free(t, ignored)
	:: delSync(x, t, NO_WORKER, x == 1, false, err)
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
