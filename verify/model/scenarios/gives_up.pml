/* A DelSyncContext whose context may end at any time, also while the run ends; and a
   DelSync beside it. */
/* reaches: waited abandoned ended_before_abandon refused */

#define RECORDS 1
#define WORKERS 2
#define WAITS 2
#include "../model.pml"

inline handler(w, t) {
	if
	:: register(t, ignored)
	:: skip
	fi
}
#include "../worker.pml"

proctype impatient(byte t) {
	mtype err;
end_:	do
	:: delSync(0, t, NO_WORKER, true, false, err);
		if
		:: err == ErrContext -> register(t, ignored)
		:: else -> skip
		fi
	od
}

proctype deleter(byte t) {
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
		run impatient(t);
		run deleter(t)
	}
}

ltl ends { []<> (wait[0].timer == 0) && []<> (wait[1].timer == 0) }
