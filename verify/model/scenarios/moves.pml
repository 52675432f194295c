/* One record has one tenant after the other. A user registers, deletes and frees them, and the handler
   registers its own timer, while another moves them by handles of any age, without the lock where it can. */
/* reaches: moved_without_lock moved_while_running move_again put_off_moved not_moved record_reused waited refused stale */

#define RECORDS 1
#define WORKERS 1
#define WAITS 1
#define LAST_GEN 2
#define LANES 1
#define MOVERS 1
#include "../model.pml"

byte newest; /* the handle of the newest tenant */

inline handler(w, t) {
	if
	:: atomic { choose(); register(t, ignored) }
	:: skip
	fi
}
#include "../worker.pml"

proctype user() {
	byte t;
	mtype err;
end_:	do
	:: alloc(0, t); newest = t
	:: t != 0 -> atomic { choose(); register(t, ignored) }
	:: t != 0 -> delSync(0, t, NO_WORKER, false, false, err)
	:: t != 0 -> atomic { free(t, ignored) }
	od
}

proctype moves0() {
	byte t;
	mover(0, newest)
}

init {
	atomic {
		run worker(0);
		run user();
		run moves0()
	}
}

ltl ends { []<> (wait[0].timer == 0) }
