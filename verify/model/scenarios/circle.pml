/* Two handlers delete each other's timer, and somebody registers both again. When they
   meet, one gets ErrDeadlock, and only one: the other waits, or there were no circle. */
/* reaches: waited deadlocked ended_meanwhile */

#define SLOTS 2
#define WORKERS 2
#define WAITS 2
#include "../model.pml"

byte timer[2];

inline handler(w, t) {
	delSync(indexOf(t), timer[1 - indexOf(t)], w, false, false, err)
}
#include "../worker.pml"

proctype registerer() {
	mtype err;
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
