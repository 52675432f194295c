/* The handler of one timer calls DelAsync of another, whose handler calls DelSync of the
   first. A DelAsync waits for nothing, so this is not a circle. */
/* reaches: waited async_waits */

#define RECORDS 2
#define WORKERS 2
#define WAITS 2
#include "../model.pml"

byte timer[2];

inline handler(w, t) {
	if
	:: t == timer[0] && unused(0) -> delAsync(0, timer[1], w, err)
	:: t == timer[0] && !unused(0)
	:: t == timer[1] -> delSync(1, timer[0], w, false, false, err); section { must(be_no_circle, err == ok) }
	fi
}
#include "../worker.pml"

proctype goroutine() {
end_:	do
	:: spawned(0)
	:: calledAlone(0)
	od
}

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
		run goroutine();
		run registerer()
	}
}

ltl ends { []<> (wait[0].timer == 0) && []<> (wait[1].timer == 0) }
