/* Two timers are moved, each once, and the wheel may be closed. If it is not, they run in the end, as nobody
   deletes them. One may be moved while it is due, and waits for the handler of the other. */
/* reaches: moved_without_lock moved_while_due put_off_moved dropped refused_closed close_waits */

#define RECORDS 2
#define WORKERS 1
#define WAITS 1
#define LANES 1
#define MOVERS 2
#define TIME_PASSES true
#include "../model.pml"

bool ran[RECORDS];

inline handler(w, t) {
	ran[indexOf(t)] = true
}
#include "../worker.pml"

proctype closer() {
	byte i;
	mtype err;
	if
	:: close(NO_WORKER, i, err)
	:: skip
	fi
}

proctype moves0(byte t) {
	moveOnce(0, t)
}

proctype moves1(byte t) {
	moveOnce(1, t)
}

init {
	byte t;
	atomic {
		alloc(0, t);
		arms(t);
		run moves0(t);
		alloc(1, t);
		arms(t);
		run moves1(t);
		run worker(0);
		run closer()
	}
}

ltl ends { <> (closed || ran[0] && ran[1]) }
