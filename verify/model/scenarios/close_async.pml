/* Close, while a DelAsync may wait. Its done is called before Close returns. */
/* reaches: async_waits async_at_once async_on_closed close_waits */

#define RECORDS 1
#define WORKERS 2
#define WAITS 1
#include "../model.pml"

inline handler(w, t) {
	register(t, ignored)
}
#include "../worker.pml"

proctype goroutine() {
end_:	do
	:: spawned(0)
	:: calledAlone(0)
	od
}

proctype deleter(byte t) {
	mtype err;
end_:	do
	:: delAsync(0, t, NO_WORKER, err)
	:: register(t, ignored)
	od
}

proctype closer() {
	byte i;
	mtype err;
	close(NO_WORKER, i, err)
}

init {
	byte t;
	atomic {
		alloc(0, t);
		run worker(0);
		run worker(1);
		run goroutine();
		run deleter(t);
		run closer()
	}
}

ltl ends { <> closed && []<> (wait[0].timer == 0) }
