/* One record has one tenant after the other. A user makes and frees them, while others stop and start
   them by handles of any age. */
/* reaches: started_in_place start_taken_back parked_with_lock unparked record_reused record_retired */

#define RECORDS 1
#define WORKERS 1
#define WAITS 1
#define LAST_GEN 2
#define LANES 1
#include "../model.pml"

byte newest; /* the handle of the newest tenant */

inline handler(w, t) {
	skip
}
#include "../worker.pml"

proctype user() {
	byte t;
end_:	do
	:: alloc(0, t); newest = t
	:: t != 0 -> atomic { choose(); register(t, ignored) }
	:: t != 0 -> free(t, ignored)
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
	atomic {
		run worker(0);
		run user();
		run stops();
		run starts()
	}
}

ltl ends { []<> (wait[0].timer == 0) }
