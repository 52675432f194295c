/* A handler closes the wheel. */
/* reaches: waited dropped refused_closed */

#define RECORDS 2
#define WORKERS 2
#define WAITS 1
#include "../model.pml"

byte timer[2];

inline handler(w, t) {
	if
	:: t == timer[0] && !wheelClosed -> close(w, i, err); assert(err == ErrDeadlock)
	:: register(t, ignored)
	fi
}
#include "../worker.pml"

proctype user() {
	mtype err;
end_:	do
	:: delSync(0, timer[0], NO_WORKER, false, false, err)
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
		run user()
	}
}

ltl ends { []<> (wait[0].timer == 0) }
