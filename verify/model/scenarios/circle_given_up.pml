/* Two handlers delete each other's timer, but one of them bounds its wait. After it has
   given up there is no circle. */
/* reaches: waited deadlocked abandoned ended_before_abandon */

#define RECORDS 2
#define WORKERS 2
#define WAITS 2
#include "../model.pml"

byte timer[2];

inline handler(w, t) {
	delSync(indexOf(t), timer[1 - indexOf(t)], w, indexOf(t) == 0, false, err)
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
