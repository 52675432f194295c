/* An idle timeout that is bound to a lock is touched while it stands in line, by the holder of the lock
   and by another. */
/* reaches: put_off touched_after_look first_left removed_held */

#define RECORDS 1
#define WORKERS 2
#define WAITS 1
#define lockBound(i) true
#define TOUCHERS 1
#include "../model.pml"

byte newest;

inline handler(w, t) {
	assert(userLock == w + 1)
}
#include "../worker.pml"

proctype holder(byte t) {
	mtype err;
end_:	do
	:: section { userLock == 0 -> userLock = USER };
		seesNoHandler(t);
		if
		:: del(t, false)
		:: registerIdle(t, ignored)
		:: skip
		fi;
		seesNoHandler(t);
		userLock = 0
	:: registerIdle(t, ignored)
	od
}

proctype touches0() {
	toucher(0, newest)
}

init {
	byte t;
	atomic {
		alloc(0, t);
		newest = t;
		run worker(0);
		run worker(1);
		run holder(t);
		run touches0()
	}
}

ltl ends { []<> (userLock != USER) }
