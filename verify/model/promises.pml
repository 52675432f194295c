/* promises.pml is what the code promises, each promise checked at the step at which it
   must hold. A handler is in flight from the step that takes its timer off the wheel to
   the step that ends its run. */

#define must(what, p) if :: p :: else -> c_code { printf("broken: " #what "\n"); }; assert(false) fi

/* After a deletion that waits has returned nil, there was an instant during the call at
   which the timer was neither pending nor running. That is checked by the record's
   flags, if the timer still lives, and by the ghost flight. */
#define isIdle(i)  (!pends(i) && !record[i].running)
#define isQuiet(t) (t != ALL && !inFlight(t) && (!lives(t) || isIdle(indexOf(t))))

/* After a group's deletion that held for all its members at once. */
#define isBusy(i)   (member(i) && !isIdle(i))
#define isFlying(w) (wk[w].flight && member(indexOf(wk[w].flight)))
#define allQuiet    (!anyRecord(isBusy) && !anyWorker(isFlying))

/* The code makes a wait for every call, and the garbage collector frees it when nothing
   refers to it. Then the model uses it again. */
#define unused(x) (wait[x].timer == 0 && !toNotify(x))

inline begins(x, t) {
	wait[x].timer = t;
	wait[x].open = 0;
	wait[x].quiet = (t == 0) /* the zero Timer is always idle */
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
	wait[x].open = 0;
	wait[x].quiet = false
}

/* ErrDeadlock is for circles only: run r, which x was to wait for, does lead back to the
   caller. */
inline isCircle(x, r) {
	reach = 1 << r;
	for (n : 1 .. WORKERS) {
		for (k : 0 .. WORKERS - 1) {
			reach = (reach >> k & 1 -> reach | wk[k].waitsFor : reach)
		}
	}
	must(be_a_circle, wait[x].from != NO_WORKER && reach >> wait[x].from & 1)
}

inline startsWaiting(x) { wk[wait[x].from].waitsFor = wait[x].edges }
inline hasEnded(x, w)   { if :: wait[x].from != NO_WORKER -> wk[wait[x].from].waitsFor = wk[wait[x].from].waitsFor & ~(1 << w) :: else -> skip fi }
inline stopsWaiting(w)  { if :: w != NO_WORKER -> wk[w].waitsFor = 0 :: else -> skip fi }

/* A group's deletion waits for no run except its members'. */
inline mayWaitFor(x, r) {
	must(wait_for_members_only, !wait[x].group || runsMember(r))
}

/* No handler begins while it runs already, nor after its timer, or its group, was shut
   down: after a Shutdown that found neither a firing nor a run, no run is to come. */
inline mayBegin(w, t) {
	must(run_once_at_a_time, !inFlight(t));
	must(begin_no_run_that_was_stopped, pends(indexOf(t)));
	must(begin_no_run_that_was_touched, !record[indexOf(t)].fresh);
#if MOVERS > 0
	must(begin_no_run_before_its_deadline, record[indexOf(t)].promised <= record[indexOf(t)].place);
#endif
	must(begin_no_run_after_Shutdown, shutDown != t && !(groupShutDown && member(indexOf(t))));
	wk[w].flight = t
}

/* After Close has returned nil nothing is pending, and the wheel has no goroutine. */
inline hasReturned() {
	closed = true;
	must(have_nothing_left_after_Close, !anyRecord(isPending) && !anyOwn(isOwnPending) && members == 0 && starting == 0 && dones == 0 && rings == 0)
}

inline mayJoin() { must(have_no_goroutine_after_Close, !closed) }

/* A group's deletion makes the group refuse until it has found all runs and none is left
   that it waits for. The promises say this with ghosts and edges; the code counts. */
#define holdsGroup(x) (wait[x].finding || wait[x].group && wait[x].edges)

/* No Register succeeds while a deletion waits for the run of that timer, nor after a
   Shutdown. */
inline mayRegister(t) {
	for (k : 0 .. WORKERS - 1) {
		must(refuse_while_a_deletion_waits, !(wk[k].flight == t && wk[k].waitedFor))
	}
	must(refuse_while_a_group_deletion_waits, !member(indexOf(t)) || !anyWait(holdsGroup));
	must(refuse_after_Shutdown, shutDown != t && !(groupShutDown && member(indexOf(t))))
}

/* And none is refused for longer than that. */
inline mayRefuse(t, err) {
	if
	:: err == ErrDeleting -> must(not_refuse_for_longer_than_the_run, lives(t) && isRunning(indexOf(t)) || member(indexOf(t)) && anyWait(holdsGroup))
	:: err == ErrStale -> must(reach_a_timer_that_lives, !lives(t))
	:: else -> skip
	fi
}

/* A Touch is true while its timer, and no other, is pending as an idle timeout, and false otherwise. */
inline mayTouch(x, is) {
	must(reach_own_idle_timeout_only, !is || lives(touch[x].timer) && record[indexOf(touch[x].timer)].idle);
	must(be_true_while_an_idle_timeout_pends, is || !lives(touch[x].timer) || !record[indexOf(touch[x].timer)].idle);
	record[indexOf(touch[x].timer)].fresh = record[indexOf(touch[x].timer)].fresh || is
}

#if LANES > 0
/* A stop without the lock takes effect while its timer, and no other, is pending and does not run; a start
   while it is not pending, and does not run. */
inline mayStop(t)  { must(stop_what_pends_and_does_not_run, lives(t) && pends(indexOf(t)) && !record[indexOf(t)].running && !inFlight(t)) }
inline mayStart(t) { must(start_what_was_stopped, lives(t) && !pends(indexOf(t)) && !record[indexOf(t)].running && !inFlight(t)) }
#endif

#if MOVERS > 0
/* A move without the lock takes effect while its timer, and no other, is pending, and while a Register would
   not be refused. */
inline mayMove(t) {
	must(move_what_pends, lives(t) && pends(indexOf(t)) && !closed);
	mayRegister(t)
}
#endif

/* What is touched before a look reads its clock has been taken into account. */
inline readClock(i) {
	record[i].fresh = false;
	record[i].lookedSince = true
}

/* A RegisterIdle that has read its clock before a look did must not go by its own. */
inline forgetsLook(i) { record[i].fresh = record[i].fresh || MUTANT == rearm_by_old_clock }

/* An own firing happens once for each arming, no matter who fires it. */
inline mayFire(x) { must(fire_an_own_firing_once, !own[x].fired) }

/* At most one worker waits for a lock. */
inline comesToLock() {
	atLock++;
	must(have_one_worker_wait_for_a_lock, atLock == 1)
}

/* A worker releases no lock but the one that it has taken. */
inline unlockUser(w, kept) {
	must(release_no_lock_of_another_s, userLock == w + 1);
	userLock = (kept -> userLock : 0)
}

/* Who holds the lock of all timers sees no handlers but those that have released it. */
#define runsLocked(w) (wk[w].flight && !wk[w].released)
inline seesNoLockedHandler() {
	section { must(be_over_or_have_released_the_lock, !anyWorker(runsLocked)) }
}

/* The holder of the lock of a lock-bound timer sees no handler. */
inline seesNoHandler(t) {
	section { must(be_over_for_the_holder_of_the_lock, !record[indexOf(t)].running && !inFlight(t)) }
}

/* check is what every section must leave, as the code itself verifies it with the build
   tag invariants. */
inline check() {
	n = 0;
	for (k : 0 .. RECORDS - 1) {
		n = n + isElsewhere(k);
#if LANES > 0
		/* = invariants_on.go: (*shard).isInLane "if s.Owners == 0 || s.Flags&running != 0 {" */
		must(have_an_open_word_of_its_own_while_it_stands_in_a_bucket_and_has_an_owner, !kindOf(k) || record[k].pending && record[k].kindGen == record[k].gen && (kindOf(k) == movableWord || record[k].owners > 0 && !record[k].running) || someWordIsLeftOpen);
#endif
#if MOVERS > 0
		must(stand_where_it_is_looked_at_in_time, !record[k].pending || record[k].place <= deadlineOf(k));
		must(know_the_deadline_that_was_promised, !pends(k) || deadlineOf(k) == record[k].promised);
#endif
		/* = invariants_on.go: (*shard).checkTimer "case s.Owners == 0 && !inList && !inRun:" */
		must(recycle_in_time, !record[k].live || record[k].owners > 0 || record[k].pending || record[k].running);
		/* = invariants_on.go: (*shard).checkRecords "if s.Flags != 0 {" */
		must(leave_free_records_blank, record[k].live || !record[k].pending && !record[k].running && !record[k].locking && !record[k].deleting && !record[k].shutdown);
		/* = invariants_on.go: (*shard).checkTimer "case s.Flags&deleting != 0 && !inRun:" */
		must(end_the_refusal_with_the_run, !record[k].deleting || record[k].running);
		/* = invariants_on.go: (*shard).checkTimer "case inList && (s.Flags&shutdown != 0 || g.shutDown() && !g.beingDeleted()):" */
		must(never_pend_after_Shutdown, !record[k].pending || !record[k].shutdown && !(member(k) && group.isDown && group.deleting == 0));
		/* = invariants_on.go: (*shard).checkTimer "case s.Flags&levels.Open == 0 && word != closedWord, s.Flags&levels.Open != 0 && (!inList || word>>genShift != uint64(s.Gen)):" */
		must(have_an_open_word_for_an_idle_timeout_only, record[k].idle && record[k].pending && record[k].word == record[k].gen || !record[k].idle && record[k].word == closedWord && !record[k].marked && !record[k].fresh);
		must(pend_in_a_list, record[k].pending == (record[k].list != 0));
		/* = invariants_on.go: (*shard).checkTimer "case !sh.closed && inList && sh.levelsOf(s).ListOf(s) == levels.Held && s.Flags&(running|locking) == 0:" */
		must(put_back_what_is_held, record[k].list != held || record[k].running || record[k].locking);
		/* = invariants_on.go: (*shard).checkPlace "case s.Flags&(pending|running) != pending || !sh.closed && !sh.isHeld(s):" */
		must(keep_in_a_line_only_what_pends, !record[k].locking || record[k].pending && !record[k].running && (record[k].list == held || shardClosed));
		must(have_a_line_for_what_stands_in_it, !record[k].locking || server || unserved)
	}
	/* = invariants_on.go: (*Wheel).checkLines "case (ln.wk == nil) != (ln.elem != nil):" "case ln.wk == nil && ln.empty():" */
	must(have_one_worker_for_a_line, !server || !unserved);
	must(have_a_timer_in_a_line_without_a_worker, !unserved || anyRecord(standsInLine));
#if LANES > 0
	/* = invariants_on.go: (*shard).checkRecords "if n := sh.pending(); sh.anchor().Wheel == nil && n > 0 {" */
	must(keep_the_wheel_while_something_pends, anchored || !anyRecord(pends));
	must(know_when_nothing_pends, !anchored || inCall || anyRecord(pends));
	/* = invariants_on.go: (*shard).check "if sh.ballast && sh.counters.linked == sh.counters.inLanes {" */
	must(have_ballast_beside_others_only, !ballast || anyRecord(isElsewhere));
#endif
	for (k : 0 .. OWNS - 1) {
		n = n + own[k].pending
	}
	/* = invariants_on.go: (*shard).checkCounters "if c.registered != c.fired+c.removed+c.entered+uint64(c.linked-c.inLanes) {" */
	must(balance, ledger == n);
	for (k : 0 .. WORKERS - 1) {
		/* = invariants_on.go: (*shard).checkRuns "if r.wk.slotIndex != k || s.Flags&running == 0 {" */
		must(run_what_is_in_a_running_slot, wk[k].slot == RECORDS || record[wk[k].slot].running);
		for (n : 0 .. WAITS - 1) {
			must(have_each_wait_on_both_ends, (wk[k].waits >> n & 1) == (wait[n].edges >> k & 1))
		}
	}
}

/* observe checks whether this is an instant at which a deleted timer is idle, for each
   call in flight. */
inline observe() {
	for (k : 0 .. WAITS - 1) {
		wait[k].quiet = wait[k].quiet || wait[k].timer && isQuiet(wait[k].timer) || wait[k].timer == ALL && allQuiet
	}
}
