/* Two deletions of one timer, which its handler and one of the deleters register
   again. */
/* reaches: waited refused ended_between_looks */

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

proctype deleter(byte t) {
	mtype err;
end_:	do
	:: delSync(0, t, NO_WORKER, false, false, err)
	od
}

proctype registerer(byte t) {
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
		run deleter(t);
		run registerer(t)
	}
}

ltl ends { []<> (wait[0].timer == 0) && []<> (wait[1].timer == 0) }
