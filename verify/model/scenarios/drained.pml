/* Two timers of two lanes are stopped and started, each by an actor, and a third is registered and deleted
   with the lock: whenever no call is in flight, the shard is known as drained, or something pends. */
/* reaches: started_in_place lane_empty drained_by_stop ballast_set ballast_dropped */

#define RECORDS 3
#define WORKERS 1
#define WAITS 1
#define LANES 2
#include "../model.pml"

byte one, other;

inline handler(w, t) {
	skip
}
#include "../worker.pml"

proctype user(byte t) {
end_:	do
	:: atomic { choose(); register(t, ignored) }
	:: atomic { choose(); del(t, false) }
	od
}

proctype uses(byte t) {
	bool did, last;
	mtype err;
end_:	do
	:: stop(t, did, last);
		if
		:: atomic { !did -> choose(); del(t, false) }
		:: did -> did = false
		fi
	:: start(t, err, last);
		if
		:: atomic { err == again -> choose(); register(t, err) }
		:: err == ok
		fi;
		err = 0
	od
}

init {
	byte t;
	atomic {
		alloc(0, t); one = t;
		alloc(1, t); other = t;
		alloc(2, t);
		run worker(0);
		run user(t);
		run uses(one);
		run uses(other)
	}
}

ltl ends { []<> (wait[0].timer == 0) }
