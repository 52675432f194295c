/* DelAsync of one timer, from outside and in its own handler. Each done is called once,
   when the timer does not run. */
/* reaches: async_waits async_at_once refused */

#define RECORDS 1
#define WORKERS 2
#define WAITS 2
#include "../model.pml"

inline handler(w, t) {
	if
	:: delAsync(0, t, w, err)
	:: register(t, ignored)
	:: skip
	fi
}
#include "../worker.pml"

proctype goroutine(byte x) {
end_:	do
	:: spawned(x)
	:: calledAlone(x)
	od
}

proctype outside(byte t) {
	mtype err;
end_:	do
	:: delAsync(1, t, NO_WORKER, err)
	:: register(t, ignored)
	od
}

init {
	byte t;
	atomic {
		alloc(0, t);
		run worker(0);
		run worker(1);
		run goroutine(0);
		run goroutine(1);
		run outside(t)
	}
}

ltl ends { []<> (wait[0].timer == 0) && []<> (wait[1].timer == 0) }
