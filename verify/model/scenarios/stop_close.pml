/* Timers are stopped and started without the lock while the wheel is closed. */
/* reaches: started_in_place dropped unparked */

#define RECORDS 2
#define WORKERS 1
#define WAITS 1
#define LANES 1
#include "../model.pml"

inline handler(w, t) {
	skip
}
#include "../worker.pml"

proctype closer() {
	byte i;
	mtype err;
	close(NO_WORKER, i, err)
}

proctype uses(byte t) {
	bool did, last;
	mtype err;
end_:	do
	:: stop(t, did, last);
		if
		:: atomic { !did -> choose(); del(t, false) }
		:: did -> did = false
		fi
	:: start(t, err, last);
		if
		:: atomic { err == again -> choose(); register(t, err) }
		:: err == ok
		fi;
		err = 0
	od
}

init {
	byte t;
	atomic {
		alloc(0, t);
		run uses(t);
		alloc(1, t);
		run uses(t);
		run worker(0);
		run closer()
	}
}

ltl ends { <> closed }
