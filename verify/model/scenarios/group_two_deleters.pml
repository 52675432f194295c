/* Two deletions of a group wait for one member's run, and one of them may give up: the
   other members are refused as long as somebody waits. */
/* reaches: group_waited refused abandoned ended_before_abandon */

#define SLOTS 2
#define WORKERS 1
#define WAITS 2
#include "../model.pml"

inline handler(w, t) { skip }
#include "../worker.pml"

proctype deleter() {
	mtype err;
end_:	do
	:: groupDelSync(0, NOBODY, false, err)
	od
}

proctype gives_up() {
	mtype err;
end_:	do
	:: groupDelSync(1, NOBODY, true, err)
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
