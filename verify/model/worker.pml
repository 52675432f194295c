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
#if LANES > 0
		/* = word.go: (*shard).isUp "sh.look(i, s)" "if s.Flags&pending == 0 {" */
		/* = word.go: (*shard).look "sh.shut(i, s)" */
		:: i < RECORDS && kindOf(i) && MUTANT != begins_unlooked && MUTANT != put_off_open && (MUTANT != begin_leaves_open || record[i].running) ->
#if MOVERS > 0
			readBefore(MUTANT == closed_unswapped, i);
#endif
			section { shutWord(i); putOff(i) }
#endif
#if MOVERS > 0
		:: i < RECORDS && kindOf(i) && MUTANT == put_off_open -> section { insert(i); i = RECORDS }; break
		:: i < RECORDS && kindOf(i) && MUTANT == begin_leaves_open && !record[i].running ->
			section { leaveOpen(i); putOff(i) }
			if
			:: inLine(i) -> break
			:: !inLine(i)
			fi
#endif
		/* = worker.go: (*worker).next "if s.Flags&running == 0 {" "sh.holdBack(i, s)" */
		:: i < RECORDS && record[i].running && MUTANT != overlap ->
			section { holdBack(i); reached(held_back) }
		:: else -> break
		fi
	}
	od
}

/* holdBack sets a due timer aside. The worker that ends the run puts it back; the one that
   serves the line takes it from there. */
inline holdBack(i) {
	/* = worker.go: (*shard).holdBack "sh.levels.Remove(i, s)" "sh.levels.Push(levels.Held, i, s)" */
	record[i].list = held
}

/* = worker.go: (*shard).isHeld "return s.Flags&(pending|levels.InBucket) == pending && sh.levels.ListOf(s) == levels.Held" */
#define isHeld(i) (record[i].pending && record[i].list == held)

/* begin takes the timer in record i off the wheel and publishes it. */
inline begin(w, i, t) {
	/* = worker.go: (*worker).begin "f, arg, t = sh.function(i, s), sh.argOf(i, s), sh.timer(i, s)" */
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
	/* = every.go: (*shard).scheduleNext "sh.link(s)" "sh.insert(i, s, now) // the worker sets the alarm for all of the shard when it lets go of it" */
	if
	:: periodic(i) -> link(i); insert(i)
	:: else -> skip
	fi
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
	:: section { wk[w].locked -> wk[w].locked = false; wk[w].released = false; unlockUser(w, MUTANT == lock_kept) }
	:: section { !wk[w].locked -> wk[w].released = false }
	fi;
	section { closeOver(w) }
	skip; /* spin wants no loop right after a section */
	/* = worker.go: (*worker).notify "defer at.Value.(*wait).callDone(wk)" */
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
	/* = worker.go: (*worker).rescue "if sh == nil {" "wk.finish(sh, now)" */
	section { finish(w, i); unlock() }
	/* = worker.go: (*worker).rescue "wk.notify()" */
	notify(w);
	skip; /* spin wants no section right after a loop */
	/* = worker.go: (*worker).rescue "wk.abandonLine()" */
	section { abandonLine(w) }
}

proctype worker(byte w) {
	byte i; /* the record that it has chosen */
	byte t; /* the timer that it runs, or that was the first of its line */
	mtype err;

end_asleep:
	setAlarm(w);
	if
	:: onAlarm(w)
	:: !wk[w].called -> goto end_asleep /* the alarm was stopped */
	fi;
	/* = worker.go: (*Wheel).onAlarm "if w.wanted(wk, workers) && w.hire() {" */
	/* = hiring.go: (*Wheel).hire "if !w.mayHire() {" */
	/* = worker.go: (*worker).work "served := wk.serveUnserved()" "served = wk.drain(w.shards[no]) || served" */
	if
	:: wheelClosed -> goto leaves
	:: else -> skip
	fi;
	serveUnserved(w);
	if
	:: wk[w].serves -> goto acquire
	:: else -> skip
	fi;

drain: /* the end of one run and the begin of the next are one critical section */
	if
	:: finishIsSplit && runs(w) -> splitFinish(w, i)
	:: atomic {
		!finishIsSplit || !runs(w) ->
		if
		/* = worker.go: (*worker).run "wk.finish(sh, now)" */
		:: runs(w) -> section { finish(w, i); t = 0 }
		:: else -> skip
		fi;
		if
		/* = worker.go: (*worker).drain "if wk.ended != nil {" */
		/* = lines.go: (*worker).serveFirst "sh.unlock()" */
		:: wk[w].locked || wk[w].released || wk[w].ended -> section { unlock() }
		:: else ->
			/* = worker.go: (*worker).drain "i, s, then, ok := wk.next(sh, now)" */
			nextDue(i);
			if
			:: i == RECORDS -> section { i = 0; unlock() }; goto leaves
			/* = worker.go: (*worker).drain "if b := sh.bindingOf(i, s); b != nil {" "now = wk.lineUp(sh, i, s, b, then)" */
			:: i < RECORDS && lockBound(i) && MUTANT != runs_before_lock ->
				section { standInLine(w, i); i = 0; unlock() };
				goto lined_up
			/* = worker.go: (*worker).drain "if now = then; !sh.claim(i, s, now) {" "continue" */
			:: i < RECORDS && !lockBound(i) && record[i].idle && MUTANT != begins_unclaimed ->
				claim(i, up);
				if
				:: section { up -> up = false; begin(w, i, t); i = 0; unlock() }; goto call
				:: section { !up -> i = 0; unlock() }; goto drain
				fi
			/* = worker.go: (*worker).drain "now = wk.run(sh, i, s, now)" */
			/* = worker.go: (*worker).run "f, arg, t := wk.begin(sh, i, s, now)" "wk.unlockAndRearm(sh, wk.slot(sh).since)" */
			/* = worker.go: (*worker).unlockAndRearm "sh.unlock()" */
			:: else ->
				section { begin(w, i, t); i = 0; unlock() };
				goto call
			fi
		fi
	}
	fi;
notifies:
	/* = worker.go: (*worker).drain "wk.notify()" */
	/* = lines.go: (*worker).serveFirst "wk.notify()" */
	notify(w);
	if
	:: wk[w].serves -> skip
	:: else -> goto drain
	fi;
	goOn(w);

lined_up:
	/* = lines.go: (*worker).lineUp "if wk.standInLine(sh, i, s, b, now) {" "wk.unlockAndRearm(sh, now)" "wk.serve()" */
	/* = lines.go: (*worker).serve "for wk.line != nil {" */
	if
	:: wk[w].serves -> goto acquire
	:: else -> goto drain
	fi;

acquire:
	if
	/* = lines.go: (*worker).serveFirst "wk.userCall(l.Lock)" "wk.locked = l" */
	:: section { userLock == 0 -> userLock = w + 1; wk[w].locked = true; atLock-- }
	/* = lines.go: (*worker).serve "defer wk.abandonLine() // where it does not return" */
	:: section { LOCK_MISBEHAVES -> atLock--; abandonLine(w) }; goto leaves
	fi;

	firstInLine(t);
	atomic {
		take(w, t);
		if
		:: claims ->
			claims = false;
			i = indexOf(t);
			claim(i, up);
			if
			:: section { up -> up = false; begin(w, i, t); i = 0; unlock() }
			:: section { !up -> i = 0; unlock() }
			fi
		:: !claims
		fi
	}
	if
	/* = lines.go: (*worker).serveFirst "wk.run(sh, i, s, wk.w.elapsed())" */
	:: runs(w) -> goto call
	:: else -> t = 0; goto notifies
	fi;

call:
	beginLate(w, t);
	/* = worker.go: (*worker).run "call(f, arg, t)" */
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
