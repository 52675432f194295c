/* A group of one timer is deleted, by a user and by the handler of a timer that is no
   member. That handler is not waited for, even if a worker goes from the member to the
   other timer while the deletion looks for runs. */
/* reaches: group_waited refused saw_another ended_while_finding */

#define RECORDS 2
#define WORKERS 2
#define WAITS 2
#define member(i) ((i) == 0)
#include "../model.pml"

byte timer[2];

inline handler(w, t) {
	if
	:: t == timer[1] -> groupDelSync(1, w, false, false, err); section { must(see_no_circle_here, err == ok) }
	:: register(t, ignored)
	:: skip
	fi
}
#include "../worker.pml"

proctype deleter() {
	mtype err;
end_:	do
	:: groupDelSync(0, NO_WORKER, false, false, err)
	od
}

proctype registerer() {
end_:	do
	:: register(timer[0], ignored)
	:: register(timer[1], ignored)
	od
}

init {
	atomic {
		alloc(0, timer[0]);
		alloc(1, timer[1]);
		run worker(0);
		run worker(1);
		run deleter();
		run registerer()
	}
}

ltl ends { []<> (wait[0].timer == 0) && []<> (wait[1].timer == 0) }
