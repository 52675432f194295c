/* One worker. The handler of one timer deletes another, which is due, in line behind it.
   The deletion never waits for that. */
/* reaches: removed_in_line */

#define RECORDS 2
#define WORKERS 1
#define WAITS 1
#include "../model.pml"

byte first, second;

inline handler(w, t) {
	if
	:: t == first -> delSync(0, second, w, false, false, err); section { must(wait_for_nothing_here, err == ok) }
	:: t == second -> skip
	fi
}
#include "../worker.pml"

proctype registerer() {
	mtype err;
end_:	do
	:: register(first, ignored)
	:: register(second, ignored)
	od
}

init {
	atomic {
		alloc(0, first);
		alloc(1, second);
		run worker(0);
		run registerer()
	}
}

ltl ends { []<> (wait[0].timer == 0) }
