/* A periodic timer without owners, and two workers: it is pending while it runs. A
   deletion ends the series, and the timer with it. */
/* reaches: waited held_back put_back removed_held deadlocked run_keeps_timer record_reused */

#define RECORDS 1
#define WORKERS 2
#define WAITS 2
#define periodic(i) true
#include "../model.pml"

byte shared;

inline handler(w, t) {
	if
	:: delSync(1, t, w, false, false, err); assert(err == ErrDeadlock)
	:: register(t, ignored)
	:: skip
	fi
}
#include "../worker.pml"

proctype owner() {
	byte t;
end_:	do
	:: afterFunc(0, t); shared = t
	od
}

proctype deleter() {
	byte t;
	mtype err;
end_:	do
	:: shared != 0 -> t = shared
	:: t != 0 -> delSync(0, t, NO_WORKER, false, false, err)
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

ltl ends { []<> (wait[0].timer == 0) && []<> (wait[1].timer == 0) }
