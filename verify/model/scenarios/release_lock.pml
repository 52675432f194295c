/* The handlers of two timers of one lock may release it, and may take it again. That of the first
   then waits until the second is not in line any more: the line goes on beside it. Handlers end by a
   panic or a Goexit. The user takes the lock twice at most, so that no process waits for it in vain, and finds no
   handlers but those that have released it. */
/* reaches: stands_behind line_abandoned adopted goexit panicked not_locked runs_beside */

#define RECORDS 2
#define WORKERS 2
#define WAITS 1
#define lockBound(i) true
#define MISBEHAVES true
#include "../model.pml"

byte timer[2];

inline handler(w, t) {
	assert(userLock == w + 1);
	section {
		if
		:: wk[1 - w].flight -> must(run_beside_what_has_released_the_lock, wk[1 - w].released); reached(runs_beside)
		:: else -> skip
		fi
	}
	if
	:: skip
	:: releaseLock(w, timer[1 - indexOf(t)], err); assert(err == ErrNotLocked);
		releaseLock(w, t, err); assert(err == ok);
		if
		:: indexOf(t) == 0 -> !standsInLine(1)
		:: else -> skip
		fi;
		if
		:: section { userLock == 0 -> userLock = w + 1 };
			releaseLock(w, t, err); assert(err == ErrNotLocked);
			userLock = 0
		:: skip
		fi
	fi
}
#include "../worker.pml"

proctype holder() {
	byte rounds;
	mtype err;
	register(timer[0], ignored);
	register(timer[1], ignored);
	do
	:: rounds < 2 ->
		section { userLock == 0 -> userLock = USER };
		seesNoLockedHandler();
		register(timer[0], ignored);
		assert(userLock == USER);
		userLock = 0;
		rounds++
	:: break
	od
}

init {
	atomic {
		alloc(0, timer[0]);
		alloc(1, timer[1]);
		run worker(0);
		run worker(1);
		run holder()
	}
}

ltl ends { []<> (userLock == 0) && [] (standsInLine(1) -> <> !standsInLine(1)) }
