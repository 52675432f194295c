/* worker.pml is worker.go: what workers do, and how a run begins and ends.

   Before it includes this file, a scenario defines what a handler does: handler(w, t) is
   what worker w does when it runs timer t. err is a variable for its results. */

/* nextDue chooses a timer that is due and can begin now; RECORDS, if there is none. */
inline nextDue(i) {
	do
	:: atomic {
		/* = worker.go: (*worker).next "i, ok, more := sh.pop(now)" */
		pop(i);
		if
		:: i == RECORDS -> break
		/* = worker.go: (*worker).next "if s.Flags&(running|locking) != 0 {" "sh.holdBack(i, s)" */
		:: i < RECORDS && (record[i].running && MUTANT != overlap || record[i].locking && MUTANT != two_wait_for_lock) ->
			section { holdBack(i); reached(held_back) }
		:: else -> break
		fi
	}
	od
}

/* holdBack sets a due timer aside. The worker that ends the run, or the wait for the
   lock, puts it back. */
inline holdBack(i) {
	/* = worker.go: (*shard).holdBack "sh.levels.Remove(i, s)" "sh.levels.Push(levels.Held, i, s)" */
	record[i].list = held
}

/* = worker.go: (*shard).isHeld "return s.Flags&(pending|levels.InBucket) == pending && !sh.closed && sh.levels.ListOf(s) == levels.Held" */
#define isHeld(i) (record[i].pending && record[i].list == held)

/* begin takes the timer in record i off the wheel and publishes it. */
inline begin(w, i, t) {
	/* = worker.go: (*worker).begin "f, t = *sh.body(i), sh.timer(i, s)" */
	t = handle(i);
	mayBegin(w, t);
	/* = worker.go: (*worker).begin "sh.unlink(i, s)" "sh.counters.fired++" */
	unlink(i);
	ledger--;
	/* = worker.go: (*worker).begin "s.Flags |= running" "wk.publish(sh, i, since)" */
	if
	:: MUTANT == published_late -> skip
	:: else -> publish(w, i)
	fi;
	/* = worker.go: (*worker).begin "sh.scheduleNext(i, s, b.period, now)" */
	/* = every.go: (*shard).scheduleNext "sh.link(s)" "sh.insert(i, s, now)" */
	if
	:: periodic(i) -> link(i); insert(i)
	:: else -> skip
	fi
}

/* beginAcquire lets go of a due timer, in order to take its lock. The timer stays
   pending. */
inline beginAcquire(w, i, t) {
	/* = worker.go: (*worker).acquire "t := sh.timer(i, s)" "s.Flags |= locking" "sh.holdBack(i, s)" "wk.unlockAndRearm(sh, now)" "wk.acquiring = t" */
	must(have_one_worker_wait_for_a_lock, !record[i].locking);
	t = handle(i);
	record[i].locking = true;
	holdBack(i)
}

/* endAcquire begins the run for which worker w holds the lock now, unless the timer was
   deleted or moved during the wait. */
inline endAcquire(w, t) {
	section {
		/* = worker.go: (*worker).acquire "if _, s = sh.lookup(t); s != nil {" */
		if
		:: !lookup(t) && MUTANT != lock_taken_for_record -> reached(recycled_while_locking)
		:: else ->
			mayUse(t);
			/* = worker.go: (*worker).acquire "s.Flags &^= locking" "if sh.isHeld(s) {" */
			record[indexOf(t)].locking = false;
			if
			:: isHeld(indexOf(t)) || MUTANT == lock_not_looked_up ->
				/* = worker.go: (*worker).acquire "wk.locked = l" "return s" */
				wk[w].locked = true;
				begin(w, indexOf(t), t)
			:: else -> reached(deleted_while_locking)
			fi
		fi;
		unlock()
	}
}

/* abandonLock ends the wait for a lock whose Lock did not return. */
inline abandonLock(w, t) {
	section {
		/* = worker.go: (*worker).abandonLock "if i, s := sh.lookup(t); s != nil {" "s.Flags &^= locking" */
		if
		:: !lookup(t) -> skip
		:: else ->
			mayUse(t);
			record[indexOf(t)].locking = false;
			/* = worker.go: (*worker).abandonLock "if sh.isHeld(s) {" "sh.levels.Push(levels.Due, i, s)" */
			if
			:: isHeld(indexOf(t)) -> record[indexOf(t)].list = due; reached(lock_abandoned)
			:: else -> skip
			fi
		fi;
		unlock()
	}
}

/* finish ends a run. i is scratch. */
inline finish(w, i) {
	mayUse(wk[w].flight); /* its handle is valid, no matter which process freed it */
	clearSlot(w, i);
	endRun(w, i)
}

inline clearSlot(w, i) {
	/* = worker.go: (*worker).finish "i := run.i" "wk.unpublish(sh)" "s.Flags &^= running | deleting" */
	i = wk[w].slot;
	unpublish(w);
	record[i].running = false;
	record[i].deleting = (MUTANT == mark_outlives_run -> record[i].deleting : false)
}

inline endRun(w, i) {
	/* = worker.go: (*worker).finish "if wk.ending != nil {" "wk.endWaits()" */
	endWaits(w);
	/* = worker.go: (*worker).finish "case s.Flags&pending == 0 || sh.closed:" "sh.release(i, s)" */
	if
	:: !record[i].pending && MUTANT != run_keeps_reference -> release(i)
	/* = worker.go: (*worker).finish "wake = sh.skipMissed(i, s, now)" "case sh.isHeld(s):" "wake = sh.insert(i, s, now)" */
	/* = every.go: (*shard).skipMissed "sh.levels.Remove(i, s)" "return sh.insert(i, s, now)" */
	:: isHeld(i) && MUTANT != held_forgotten -> insert(i); reached(put_back)
	:: else -> skip
	fi;
	i = 0
}

/* notify does what must follow the end of a run, outside of all sections. */
inline notify(w) {
	/* = worker.go: (*worker).notify "if l := wk.locked; l != nil {" "wk.locked = nil" "wk.userCall(l.Unlock)" */
	if
	:: section { wk[w].locked -> wk[w].locked = false; userLock = (MUTANT == lock_kept -> userLock : 0) }
	:: !wk[w].locked
	fi;
	section { closeOver(w) }
	skip; /* spin wants no loop right after a section */
	/* = worker.go: (*worker).notify "defer at.Value.(*wait).callDone(wk.w)" */
	do
	:: callWaitingDone(w, 0)
#if WAITS > 1
	:: callWaitingDone(w, 1)
#endif
#if WAITS > 2
	:: callWaitingDone(w, 2)
#endif
	:: !wk[w].ended -> break
	od
}

/* rescue ends the run of a handler that has not returned. */
inline rescue(w, i) {
	/* = worker.go: (*worker).rescue "if !wk.calling {" "wk.finish(sh, now)" */
	section { finish(w, i); unlock() }
	/* = worker.go: (*worker).rescue "wk.notify()" */
	notify(w)
}

proctype worker(byte w) {
	byte i; /* the record that it has chosen */
	byte t; /* the timer that it runs, or for whose lock it waits */
	mtype err;

end_asleep:
	setAlarm(w);
	if
	:: onAlarm(w)
	:: !wk[w].called -> goto end_asleep /* the alarm was stopped */
	fi;
	/* = worker.go: (*Wheel).onAlarm "if w.wanted(wk, workers) && w.hire() {" */
	/* = hiring.go: (*Wheel).hire "if !w.mayHire() {" */
	/* = worker.go: (*worker).work "if wk.drain(w.shards[next&(len(w.shards)-1)]) {" */
	if
	:: wheelClosed -> goto leaves
	:: else -> skip
	fi;

drain: /* the end of one run and the begin of the next are one critical section */
	if
	:: finishIsSplit && runs(w) -> splitFinish(w, i)
	:: atomic {
		!finishIsSplit || !runs(w) ->
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
			:: i == RECORDS -> section { i = 0; unlock() }; goto leaves
			/* = worker.go: (*worker).next "if b := sh.bodyOf(i, s); b != nil && b.lock != nil {" */
			:: i < RECORDS && lockBound(i) && MUTANT != runs_before_lock ->
				section { beginAcquire(w, i, t); i = 0; unlock() };
				goto acquire
			/* = worker.go: (*worker).drain "f, arg, t := wk.begin(sh, i, s, then)" "wk.unlockAndRearm(sh, wk.slot(sh).since)" */
			/* = worker.go: (*worker).unlockAndRearm "sh.unlock()" */
			:: else ->
				section { begin(w, i, t); i = 0; unlock() };
				goto call
			fi
		fi
	}
	fi;
	/* = worker.go: (*worker).drain "wk.notify()" */
	notify(w);
	goto drain;

acquire:
	if
	/* = worker.go: (*worker).acquire "wk.userCall(l.Lock)" */
	:: section { userLock == 0 -> userLock = w + 1 }
	/* = worker.go: (*worker).rescue "if wk.acquiring != (Timer{}) {" "wk.abandonLock(sh)" */
	:: LOCK_MISBEHAVES -> abandonLock(w, t); t = 0; goto leaves
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
	:: MISBEHAVES && MUTANT == goexit_unhandled -> leave(); goto dead
	fi;
	/* = worker.go: (*worker).rescue "wk.userCall(func() { wk.w.onPanic(*p) })" */
	if
	:: reached(panicked) -> goto drain
	:: reached(goexit) -> goto leaves
	fi;

leaves:
	leave();
	goto end_asleep;

dead:
	skip
}
