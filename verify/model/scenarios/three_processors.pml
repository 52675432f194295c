/* The race of the three processors: while one waits in DelSync for the handler on
   another, a third registers the timer again, and so does the handler. */
/* reaches: waited refused held_back put_back removed_held ended_between_looks */

#define RECORDS 1
#define WORKERS 2
#define WAITS 1
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

ltl ends { []<> (wait[0].timer == 0) }
