/* One actor stops a timer, and one starts it again, without the lock where they can, while it fires; a
   third deletes it and waits, or shuts it down. */
/* reaches: started_in_place start_taken_back lane_empty parked_with_lock unparked drained_by_stop waited refused refused_shutdown */

#define RECORDS 1
#define WORKERS 1
#define WAITS 1
#define LANES 1
#include "../model.pml"

byte newest;

inline handler(w, t) {
	skip
}
#include "../worker.pml"

proctype user(byte t) {
	mtype err;
end_:	do
	:: choose(); delSync(0, t, NO_WORKER, false, false, err)
	:: delSync(0, t, NO_WORKER, false, true, err)
	od
}

proctype stops() {
	byte t;
	bool did, last;
	stopper(newest)
}

proctype starts() {
	byte t;
	bool last;
	mtype err;
	starter(newest)
}

init {
	byte t;
	atomic {
		alloc(0, t);
		newest = t;
		run worker(0);
		run user(t);
		run stops();
		run starts()
	}
}

ltl ends { []<> (wait[0].timer == 0) }
