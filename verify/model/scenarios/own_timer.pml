/* A handler does anything with its own timer: it registers, deletes and frees it, in any
   order. A deletion from outside waits for it. The record has a next tenant when the
   timer is gone. */
/* reaches: waited deadlocked refused run_keeps_timer freed_too_often record_reused */

#define RECORDS 1
#define WORKERS 2
#define WAITS 2
#include "../model.pml"

byte shared;

inline handler(w, t) {
	do
	:: register(t, ignored)
	:: free(t, err)
	:: delSync(1, t, w, false, false, err); assert(err == ErrDeadlock)
	:: break
	od
}
#include "../worker.pml"

proctype owner() {
	byte t;
	mtype err;
end_:	do
	:: alloc(0, t); shared = t; register(t, ignored)
	od
}

proctype deleter() {
	mtype err;
end_:	do
	:: shared != 0 -> delSync(0, shared, NO_WORKER, false, false, err)
	od
}

init {
	atomic {
		run worker(0);
		run worker(1);
		run owner();
		run deleter()
	}
}

ltl ends { []<> (wait[1].timer == 0) }
