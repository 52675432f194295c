/* One record has one tenant after the other. A user arms them as idle timeouts, and as ordinary timers,
   and deletes and frees them, with handles of any age, while another touches them. The handler may arm
   its own timer. */
/* reaches: put_off touched_after_look touch_again rearmed looked_since_clock record_reused waited */

#define RECORDS 1
#define WORKERS 1
#define WAITS 1
#define LAST_GEN 2
#define TOUCHERS 2
#include "../model.pml"

byte newest; /* the handle of the newest tenant */

inline handler(w, t) {
	if
	:: registerIdle(t, ignored)
	:: skip
	fi
}
#include "../worker.pml"

proctype user() {
	byte t;
	mtype err;
end_:	do
	:: alloc(0, t); newest = t
	:: t != 0 -> registerIdle(t, ignored)
	:: t != 0 -> register(t, ignored)
	:: t != 0 -> delSync(0, t, NO_WORKER, false, false, err)
	:: t != 0 -> free(t, ignored)
	od
}

proctype touches0() {
	toucher(0, newest)
}

proctype touches1() {
	toucher(1, newest)
}

init {
	atomic {
		run worker(0);
		run user();
		run touches0();
		run touches1()
	}
}

ltl ends { []<> (wait[0].timer == 0) }
