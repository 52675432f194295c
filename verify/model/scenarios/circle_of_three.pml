/* Three handlers, each of which deletes the next one's timer. */
/* reaches: waited deadlocked */

#define RECORDS 3
#define WORKERS 3
#define WAITS 3
#include "../model.pml"

byte timer[3];

inline handler(w, t) {
	delSync(indexOf(t), timer[(indexOf(t) + 1) % 3], w, false, false, err)
}
#include "../worker.pml"

init {
	mtype err;
	atomic {
		alloc(0, timer[0]);
		alloc(1, timer[1]);
		alloc(2, timer[2]);
		register(timer[0], ignored);
		register(timer[1], ignored);
		register(timer[2], ignored);
		run worker(0);
		run worker(1);
		run worker(2)
	}
}

ltl ends { [] ((wait[0].timer != 0 -> <> (wait[0].timer == 0)) && (wait[1].timer != 0 -> <> (wait[1].timer == 0)) && (wait[2].timer != 0 -> <> (wait[2].timer == 0))) }
