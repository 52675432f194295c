/* All workers wait in handlers for own firings of their wheel. */
/* reaches: own_fired own_awaited */

#define RECORDS 2
#define WORKERS 2
#define WAITS 1
#define OWNS 2
#include "../model.pml"

bool waits[2];

inline handler(w, t) {
	waits[indexOf(t)] = true;
	armOwn(indexOf(t));
	awaitOwn(indexOf(t));
	waits[indexOf(t)] = false
}
#include "../worker.pml"

init {
	byte t;
	atomic {
		afterFunc(0, t);
		afterFunc(1, t);
		run worker(0);
		run worker(1);
		run caller(0);
		run caller(1)
	}
}

ltl ends { []<> !waits[0] && []<> !waits[1] }
