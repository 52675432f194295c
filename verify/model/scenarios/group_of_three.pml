/* Three workers and three timers, which their handlers register again. Two timers are a
   group's: its deletion finds the runs of both in any order, among those of the third. */
/* reaches: group_waited refused saw_another ended_while_finding */

#define RECORDS 3
#define WORKERS 3
#define WAITS 1
#define member(i) ((i) != 1)
#include "../model.pml"

inline handler(w, t) { register(t, ignored) }
#include "../worker.pml"

proctype deleter(byte a; byte b; byte c) {
	mtype err;
end_:	do
	:: register(a, ignored);
		register(b, ignored);
		register(c, ignored);
		groupDelSync(0, NO_WORKER, false, false, err)
	od
}

init {
	byte a, b, c;
	atomic {
		alloc(0, a);
		alloc(1, c);
		alloc(2, b);
		run worker(0);
		run worker(1);
		run worker(2);
		run deleter(a, b, c)
	}
}

ltl ends { []<> (wait[0].timer == 0) }
