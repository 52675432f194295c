/* Two deletions of a group wait for one member's run, and one of them may give up. The
   other members are refused as long as one of the deletions waits. */
/* reaches: group_waited refused abandoned ended_before_abandon */

#define RECORDS 2
#define WORKERS 1
#define WAITS 2
#include "../model.pml"

inline handler(w, t) { skip }
#include "../worker.pml"

proctype deleter() {
	mtype err;
end_:	do
	:: groupDelSync(0, NO_WORKER, false, false, err)
	od
}

proctype gives_up() {
	mtype err;
end_:	do
	:: groupDelSync(1, NO_WORKER, true, false, err)
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
		run deleter();
		run gives_up();
		run registerer(a, b)
	}
}

ltl ends { []<> (wait[0].timer == 0) && []<> (wait[1].timer == 0) }
