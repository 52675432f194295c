/* A group's deletion gives up. Members that run are refused until their runs end; the
   others are not refused any more. */
/* reaches: group_waited refused abandoned ended_before_abandon */

#define RECORDS 2
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

proctype deleter() {
	mtype err;
end_:	do
	:: groupDelSync(0, NO_WORKER, true, false, err)
	od
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
		alloc(1, b);
		run worker(0);
		run worker(1);
		run deleter();
		run registerer(a, b)
	}
}

ltl ends { []<> (wait[0].timer == 0) }
