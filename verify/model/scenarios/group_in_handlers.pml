/* The handlers of a group's two members delete the group, or the other member. Each
   deletion of the group waits for the other handler, unless that waits for it. The
   context of one of them may end during the wait. */
/* reaches: group_waited_for_others group_left_others waited deadlocked */

#define RECORDS 2
#define WORKERS 2
#define WAITS 2
#include "../model.pml"

byte timer[2];

inline handler(w, t) {
	if
	:: groupDelSync(indexOf(t), w, indexOf(t) == 1, false, err); section { must(see_the_circle_of_its_own_run, err == ErrDeadlock) }
	:: delSync(indexOf(t), timer[1 - indexOf(t)], w, false, false, err)
	fi
}
#include "../worker.pml"

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
		run registerer()
	}
}

ltl ends { []<> (wait[0].timer == 0) && []<> (wait[1].timer == 0) }
