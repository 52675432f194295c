/* Close, while a deletion may wait, and while handlers and users register. */
/* reaches: waited close_waits dropped refused_closed */

#define RECORDS 1
#define WORKERS 2
#define WAITS 1
#include "../model.pml"

inline handler(w, t) {
	if
	:: register(t, ignored)
	:: skip
	fi
}
#include "../worker.pml"

proctype deleter(byte t) {
	mtype err;
end_:	do
	:: delSync(0, t, NO_WORKER, false, false, err)
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
		run deleter(t);
		run closer()
	}
}

ltl ends { <> closed && []<> (wait[0].timer == 0) }
