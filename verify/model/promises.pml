/* promises.pml is what is promised: what must be, at which step. A handler is in flight
   from the moment at which its timer is taken off the wheel to run. */

#define must(what, p) if :: p :: else -> c_code { printf("broken: " #what "\n"); }; assert(false) fi

/* After a deletion has returned nil, there was an instant during the call at which
   the timer neither was pending nor ran: neither by its flags, if it still is, nor
   in fact. */
#define isIdle(i)  (!slot[i].pending && !slot[i].running)
#define isQuiet(t) (t != ALL && !inFlight(t) && (!lives(t) || isIdle(indexOf(t))))

/* And after a group's deletion, all its members at once. */
#define isBusy(i)   (member(i) && !isIdle(i))
#define isFlying(w) (wk[w].flight && member(indexOf(wk[w].flight)))
#define allQuiet    (!anySlot(isBusy) && !anyWorker(isFlying))

/* A wait is made anew for every call, and collected when nobody knows it. Here it is
   used again then. */
#define fresh(x) (wait[x].timer == 0 && !isTold(x))

inline begins(x, t) {
	wait[x].timer = t;
	wait[x].untold = 0;
	wait[x].quiet = (t == 0) /* the zero Timer is never anything else */
}

inline returned(x) {
	must(see_it_idle_before_DelSync_returns, wait[x].quiet);
	gaveUp(x)
}

inline gaveUp(x) {
	wait[x].timer = 0;
	wait[x].from = 0;
	wait[x].group = false;
	wait[x].finding = false;
	wait[x].untold = 0;
	wait[x].quiet = false
}

/* ErrDeadlock is for circles only: run r, which x was to wait for, does lead back. */
inline isCircle(x, r) {
	reach = 1 << r;
	for (n : 1 .. WORKERS) {
		for (k : 0 .. WORKERS - 1) {
			reach = (reach >> k & 1 -> reach | wk[k].really : reach)
		}
	}
	must(be_a_circle, wait[x].from != NOBODY && reach >> wait[x].from & 1)
}

inline isWaiting(x)    { wk[wait[x].from].really = wait[x].on }
inline hasEnded(x, w)  { if :: wait[x].from != NOBODY -> wk[wait[x].from].really = wk[wait[x].from].really & ~(1 << w) :: else -> skip fi }
inline stopsWaiting(w) { if :: w != NOBODY -> wk[w].really = 0 :: else -> skip fi }

/* A group's deletion waits for no run but its members'. */
inline mayWaitFor(x, r) {
	must(wait_for_members_only, !wait[x].group || runsMember(r))
}

/* No handler begins that runs already. */
inline mayBegin(w, t) {
	must(run_once_at_a_time, !inFlight(t));
	wk[w].flight = t
}

/* After Close has returned nil nothing pends, and no goroutine is the wheel's. */
inline hasReturned() {
	hasClosed = true;
	must(have_nothing_left_after_Close, !anySlot(isPending) && crew == 0 && coming == 0 && rings == 0)
}

inline mayComeIn() { must(have_no_goroutine_after_Close, !hasClosed) }

/* A group's deletion has it refuse until it has found all runs and none is left that it
   waits for. That is for the promises; the code counts. */
#define holdsGroup(x) (wait[x].finding || wait[x].group && wait[x].on)

/* No Register succeeds while somebody waits for the run of that timer, nor after a
   Shutdown. */
inline mayRegister(t) {
	for (k : 0 .. WORKERS - 1) {
		must(refuse_while_a_deletion_waits, !(wk[k].flight == t && wk[k].promised))
	}
	must(refuse_while_a_group_deletion_waits, !member(indexOf(t)) || !anyWait(holdsGroup));
	must(refuse_after_Shutdown, shutDown != t)
}

/* And none is refused for longer than that. */
inline mayRefuse(t, err) {
	if
	:: err == ErrDeleting -> must(not_refuse_for_longer_than_the_run, lives(t) && isRunning(indexOf(t)) || member(indexOf(t)) && anyWait(holdsGroup))
	:: err == ErrStale -> must(reach_a_timer_that_lives, !lives(t))
	:: else -> skip
	fi
}

/* Who holds the lock of a lock-bound timer sees no handler. */
inline seesNoHandler(t) {
	section { must(be_over_for_who_holds_the_lock, !slot[indexOf(t)].running && !inFlight(t)) }
}

/* check is what every section must leave, as the code itself verifies it with the
   build tag invariants. */
inline check() {
	n = 0;
	for (k : 0 .. SLOTS - 1) {
		n = n + slot[k].pending;
		/* = checked_on.go: (*shard).checkTimer "case s.owners == 0 && !inList && !inRun:" */
		must(recycle_in_time, !slot[k].live || slot[k].owners > 0 || slot[k].pending || slot[k].running);
		/* = checked_on.go: (*shard).check "if s.flags != 0 {" */
		must(leave_free_slots_blank, slot[k].live || !slot[k].pending && !slot[k].running && !slot[k].locking && !slot[k].deleting && !slot[k].shutdown);
		/* = checked_on.go: (*shard).checkTimer "case s.flags&deleting != 0 && !inRun:" */
		must(end_the_refusal_with_the_run, !slot[k].deleting || slot[k].running);
		/* = checked_on.go: (*shard).checkTimer "case inList && (s.flags&shutdown != 0 || g.shutDown() && !g.beingDeleted()):" */
		must(never_pend_after_Shutdown, !slot[k].pending || !slot[k].shutdown);
		must(pend_in_a_list, slot[k].pending == (slot[k].list != 0));
		/* = checked_on.go: (*shard).checkTimer "case inList && sh.levels.list(s) == listHeld && s.flags&(running|locking) == 0:" */
		must(look_after_what_is_held, slot[k].list != held || slot[k].running || slot[k].locking)
	}
	/* = checked_on.go: (*shard).check "if c := sh.counters; c.registered != c.fired+c.removed+uint64(c.pending) {" */
	must(balance, ledger == n);
	for (k : 0 .. WORKERS - 1) {
		/* = checked_on.go: (*shard).checkRuns "if r.wk.place != k || s.flags&running == 0 {" */
		must(run_what_is_in_a_running_slot, wk[k].slotNo == SLOTS || slot[wk[k].slotNo].running);
		for (n : 0 .. WAITS - 1) {
			must(have_each_wait_on_both_ends, (wk[k].waits >> n & 1) == (wait[n].on >> k & 1))
		}
	}
}

/* observe looks whether this is the instant for the calls in flight. */
inline observe() {
	for (k : 0 .. WAITS - 1) {
		wait[k].quiet = wait[k].quiet || wait[k].timer && isQuiet(wait[k].timer) || wait[k].timer == ALL && allQuiet
	}
}
