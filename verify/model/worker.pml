/* worker.pml is worker.go: who runs handlers, and how a run begins and ends.

   A scenario says before it includes this file what a handler does: handler(w, t)
   is what worker w does when it runs timer t; err is there for its results. */

/* nextDue chooses a timer that is due and can begin now; SLOTS, if there is none. */
inline nextDue(i) {
	do
	:: atomic {
		/* = worker.go: (*worker).next "i, ok, more := sh.pop(now)" */
		pop(i);
		if
		:: i == SLOTS -> break
		/* = worker.go: (*worker).next "if s.flags&(running|locking) != 0 {" "sh.hold(i, s)" */
		:: i < SLOTS && (slot[i].running && MUTANT != overlap || slot[i].locking && MUTANT != two_wait_for_lock) ->
			section { hold(i); reached(deferred) }
		:: else -> break
		fi
	}
	od
}

/* hold sets a due timer aside. Who ends what it waits for looks for it. */
/* = worker.go: (*shard).held "return s.flags&(pending|slotted) == pending && !sh.closed && sh.levels.list(s) == listHeld" */
inline hold(i) {
	/* = worker.go: (*shard).hold "sh.levels.remove(i, s)" "sh.levels.push(listHeld, i, s)" */
	slot[i].list = held
}

/* begin takes the timer in slot i off the wheel and publishes it. */
inline begin(w, i, t) {
	/* = worker.go: (*worker).begin "f, t = *sh.body(i), sh.timer(i, s)" */
	t = handle(i);
	mayBegin(w, t);
	/* = worker.go: (*worker).begin "sh.unlink(i, s)" "sh.counters.fired++" */
	unlink(i);
	ledger--;
	/* = worker.go: (*worker).begin "s.flags |= running" "sh.running.push(runningSlot{wk: wk, since: since, waiting: never, i: i})" */
	if
	:: MUTANT == published_late -> skip
	:: else -> publish(w, i)
	fi;
	/* = worker.go: (*worker).begin "sh.repeat(i, s, b.period, now)" */
	/* = every.go: (*shard).repeat "sh.link(s)" "sh.place(i, s, now)" */
	if
	:: periodic(i) -> link(i); place(i)
	:: else -> skip
	fi
}

inline publish(w, i) {
	slot[i].running = true;
	wk[w].slotNo = i
}

/* beginAcquire lets go of a timer that is due, to take its lock. It stays pending. */
inline beginAcquire(w, i, t) {
	/* = worker.go: (*worker).acquire "t := sh.timer(i, s)" "s.flags |= locking" "sh.hold(i, s)" "wk.appoint(sh, now)" "wk.acquiring = t" */
	must(have_one_worker_wait_for_a_lock, !slot[i].locking);
	t = handle(i);
	slot[i].locking = true;
	hold(i)
}

/* endAcquire begins the run for which worker w holds the lock now, if it is to be. */
inline endAcquire(w, t) {
	section {
		/* = worker.go: (*worker).acquire "if _, s = sh.lookup(t); s != nil {" */
		if
		:: !lookup(t) && MUTANT != lock_taken_for_slot -> reached(recycled_while_locking)
		:: else ->
			touch(t);
			/* = worker.go: (*worker).acquire "s.flags &^= locking" "if sh.held(s) {" */
			slot[indexOf(t)].locking = false;
			if
			:: slot[indexOf(t)].pending && slot[indexOf(t)].list == held || MUTANT == lock_not_looked_up ->
				/* = worker.go: (*worker).acquire "wk.locked = l" "return s" */
				wk[w].locked = true;
				begin(w, indexOf(t), t)
			:: else -> reached(deleted_while_locking)
			fi
		fi;
		unlock()
	}
}

/* renounce ends the wait for a lock whose Lock did not return. */
inline renounce(w, t) {
	section {
		/* = worker.go: (*worker).renounce "if i, s := sh.lookup(t); s != nil {" "s.flags &^= locking" */
		if
		:: !lookup(t) -> skip
		:: else ->
			touch(t);
			slot[indexOf(t)].locking = false;
			/* = worker.go: (*worker).renounce "if sh.held(s) {" "sh.levels.push(listDue, i, s)" */
			if
			:: slot[indexOf(t)].pending && slot[indexOf(t)].list == held -> slot[indexOf(t)].list = due; reached(renounced)
			:: else -> skip
			fi
		fi;
		unlock()
	}
}

/* finish ends a run. i is to spare. */
inline finish(w, i) {
	touch(wk[w].flight); /* its handle is valid, whoever has freed it */
	clearSlot(w, i);
	endRun(w, i)
}

inline clearSlot(w, i) {
	/* = worker.go: (*worker).finish "i, took := run.i, now-run.since" "if last := sh.running.at(uint32(sh.running.n - 1)); last != run {" "sh.running.pop()" "s.flags &^= running | deleting" */
	i = wk[w].slotNo;
	wk[w].slotNo = SLOTS;
	wk[w].flight = 0;
	wk[w].promised = false;
	slot[i].running = false;
	slot[i].deleting = (MUTANT == mark_outlives_run -> slot[i].deleting : false)
}

inline endRun(w, i) {
	/* = worker.go: (*worker).finish "if wk.ending != nil {" "wk.endWaits()" */
	endWaits(w);
	/* = worker.go: (*worker).finish "case s.flags&pending == 0 || sh.closed:" "sh.release(i, s)" */
	if
	:: !slot[i].pending && MUTANT != run_keeps_reference -> release(i)
	/* = worker.go: (*worker).finish "case sh.held(s):" "sh.place(i, s, now)" */
	:: slot[i].pending && slot[i].list == held && MUTANT != held_forgotten -> place(i); reached(put_back)
	:: else -> skip
	fi;
	i = 0
}

/* settle does what must follow the end of a run, outside of all sections. */
inline settle(w) {
	/* = worker.go: (*worker).settle "if l := wk.locked; l != nil {" "wk.locked = nil" "wk.outside(l.Unlock)" */
	if
	:: section { wk[w].locked -> wk[w].locked = false; userLock = (MUTANT == lock_kept -> userLock : 0) }
	:: !wk[w].locked
	fi;
	section { closeOver(w) }
	skip; /* spin wants no loop right after a section */
	/* = worker.go: (*worker).settle "defer at.Value.(*wait).tell(wk.w)" */
	do
	:: tell(w, 0)
#if WAITS > 1
	:: tell(w, 1)
#endif
#if WAITS > 2
	:: tell(w, 2)
#endif
	:: !wk[w].ended -> break
	od
}

/* rescue ends the run of a handler that has not returned. */
inline rescue(w, i) {
	/* = worker.go: (*worker).rescue "if !wk.calling {" "wk.finish(sh, now)" */
	section { finish(w, i); unlock() }
	/* = worker.go: (*worker).rescue "wk.settle()" */
	settle(w)
}

proctype worker(byte w) {
	byte i; /* the slot that it has chosen */
	byte t; /* the timer that it runs, or for whose lock it waits */
	mtype err;

end_asleep:
	setAlarm(w);
	if
	:: onAlarm(w)
	:: !wk[w].rung -> goto end_asleep /* somebody has stopped the alarm */
	fi;
	/* = worker.go: (*Wheel).onAlarm "if w.wanted(wk, workers) && w.hire() {" */
	/* = worker.go: (*Wheel).hire "if !w.mayHire() {" */
	/* = worker.go: (*Wheel).work "if wk.drain(w.shards[next&(len(w.shards)-1)]) {" */
	if
	:: wheelClosed -> goto goes
	:: else -> skip
	fi;

drain: /* the end of one run and the beginning of the next are one critical section */
	if
	:: sabotaged && runs(w) -> sabotage(w, i)
	:: atomic {
		!sabotaged || !runs(w) ->
		if
		/* = worker.go: (*worker).drain "wk.finish(sh, now)" */
		:: runs(w) -> section { finish(w, i); t = 0 }
		:: else -> skip
		fi;
		if
		/* = worker.go: (*worker).drain "if wk.locked != nil || wk.ended != nil {" */
		:: wk[w].locked || wk[w].ended -> section { unlock() }
		:: else ->
			/* = worker.go: (*worker).drain "i, s, then, ok := wk.next(sh, now)" */
			nextDue(i);
			if
			:: i == SLOTS -> section { i = 0; unlock() }; goto goes
			/* = worker.go: (*worker).next "if b := sh.bodyOf(i, s); b != nil && b.lock != nil {" */
			:: i < SLOTS && lockBound(i) && MUTANT != runs_before_lock ->
				section { beginAcquire(w, i, t); i = 0; unlock() };
				goto acquire
			/* = worker.go: (*worker).drain "f, arg, t := wk.begin(sh, i, s, then)" "wk.appoint(sh, wk.slot(sh).since)" */
			/* = worker.go: (*worker).appoint "sh.unlock()" */
			:: else ->
				section { begin(w, i, t); i = 0; unlock() };
				goto call
			fi
		fi
	}
	fi;
	/* = worker.go: (*worker).drain "wk.settle()" */
	settle(w);
	goto drain;

acquire:
	if
	/* = worker.go: (*worker).acquire "wk.outside(l.Lock)" */
	:: section { userLock == 0 -> userLock = w + 1 }
	/* = worker.go: (*worker).rescue "if wk.acquiring != (Timer{}) {" */
	:: LOCK_MISBEHAVES -> renounce(w, t); t = 0; goto goes
	fi;
	endAcquire(w, t);
	if
	:: runs(w) -> goto call
	/* = worker.go: (*worker).acquire "l.Unlock()" */
	:: else -> section { userLock = 0; t = 0 }; goto drain
	fi;

call:
	beginLate(w, t);
	/* = worker.go: (*worker).drain "call(f, arg, t)" */
	/* = worker.go: call "f(t)" */
	handler(w, t);
	if
	:: goto drain
	:: MISBEHAVES && MUTANT != goexit_unhandled -> rescue(w, i); t = 0
	:: MISBEHAVES && MUTANT == goexit_unhandled -> goOut(); goto dead
	fi;
	/* = worker.go: (*worker).rescue "wk.outside(func() { wk.w.onPanic(*p) })" */
	if
	:: reached(panicked) -> goto drain
	:: reached(goexit) -> goto goes
	fi;

goes:
	goOut();
	goto end_asleep;

dead:
	skip
}
