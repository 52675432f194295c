/* members.pml is members.go, and what Close needs of alarm.go and wheel.go: the
   goroutines of the wheel, and the wait for them. */

/* = members.go: (*Wheel).deserted "return len(w.members) == 0 && w.starting == 0 && w.dones == 0 && w.alarm.rings == 0" */
#define deserted (members == 0 && (starting == 0 || MUTANT == starting_uncounted) && (dones == 0 || MUTANT == dones_uncounted) && (rings == 0 || MUTANT == rings_uncounted))

/* setAlarm calls worker w when something is due: a timer, or a line that no worker serves. */
inline setAlarm(w) {
	/* = alarm.go: (*Wheel).nextWake "if w.lines.unserved.Load() > 0 {" */
	/* = lines.go: (*worker).leaveToOthers "if w.mayHire() {" "w.setAlarm(ln.since)" */
	/* = alarm.go: (*Wheel).wakeEarlier "if w.mayHire() {" */
	/* = hiring.go: (*Wheel).mayHire "func (w *Wheel) mayHire() bool { return !w.closed && w.workers < w.maxWorkers }" */
	/* = alarm.go: (*Wheel).setAlarm "w.alarm.rings++ // one more callback to wait for, as none was replaced" */
	section { !wheelClosed && (somethingIsDue || unserved && MUTANT != unserved_not_due) -> wk[w].called = true; rings++ }
}

/* stopAlarm stops any of the calls that have not come yet. */
inline stopAlarm() {
	/* = alarm.go: (*Wheel).stopAlarm "if w.alarm.timer.Stop() {" "w.alarm.rings--" */
	atomic {
		for (i : 0 .. WORKERS - 1) {
			if
			:: wk[i].called -> wk[i].called = false; rings--
			:: skip
			fi
		}
		for (i : 0 .. CALLERS - 1) {
			if
			:: called[i] -> called[i] = false; rings--
			:: skip
			fi
		}
		i = 0;
		/* = alarm.go: (*Wheel).rearm "w.noteDeserted()" */
		section { noteDeserted() }
	}
}

inline onAlarm(w) {
	section {
		/* = worker.go: (*Wheel).onAlarm "w.alarm.rings--" "w.members[wk.goid] = wk" */
		wk[w].called -> wk[w].called = false;
		rings--;
		members++;
		mayJoin()
	}
}

/* spawn starts a goroutine that calls the done of x. */
inline spawn(x) {
	/* = members.go: (*Wheel).spawn "w.starting++" */
	starting = starting | 1 << x
}

/* spawned is what that goroutine does, once it was started for x. */
inline spawned(x) {
	section {
		starting >> x & 1 ->
		/* = members.go: (*Wheel).startMember "w.starting--" "w.members[wk.goid] = wk" */
		starting = starting & ~(1 << x);
		members++
	}
	/* = members.go: (*Wheel).startMember "f(wk)" */
	section { done(x) }
	leave()
}

/* calledAlone is what the goroutine of a done that need not wait does, once it was started for x. */
inline calledAlone(x) {
	/* = done.go: runDone "spell(w.number, done)" */
	section { calls >> x & 1 -> calls = calls & ~(1 << x); done(x) }
	section {
		/* = done.go: (*Wheel).doneEnded "w.dones--" "w.noteDeserted()" */
		dones--;
		noteDeserted()
	}
}

inline leave() {
	section {
		/* = members.go: (*Wheel).leave "delete(w.members, wk.goid)" "w.noteDeserted()" */
		members--;
		noteDeserted()
	}
}

inline noteDeserted() {
	if
	/* = members.go: (*Wheel).noteDeserted "if w.gone != nil && w.deserted() {" "close(w.gone)" */
	:: gone == awaited && deserted -> gone = over
	:: else -> skip
	fi
}

inline handOverOne(x) {
	section {
		/* = own.go: (*Wheel).handOver "o.firing.Owner.HandOver(time.Duration(max(0, o.when-w.elapsed())), !w.manual)" */
		own[x].orphan ->
		own[x].orphan = false;
		own[x].handed = (MUTANT != not_handed_over);
		reached(own_handed_over)
	}
}

/* handOver gives what Close took off the wheel to package time. */
inline handOver() {
	do
	:: handOverOne(0)
#if OWNS > 1
	:: handOverOne(1)
#endif
	:: !anyOwn(isOrphan) -> break
	od
}

/* close is Wheel.Close. me is the worker in whose handler it is called, or NO_WORKER; i
   is scratch. A wheel is closed once. */
inline close(me, i, err) {
	/* = wheel.go: (*Wheel).closeShards "w.closed = true" "orphans = append(orphans, sh.close()...)" */
	wheelClosed = true;
	closeShard(i);
	/* = wheel.go: (*Wheel).closeShards "w.rearm(0)" */
	stopAlarm();
	/* = wheel.go: (*Wheel).CloseContext "w.handOver(w.closeShards())" */
	handOver();
	if
	/* = wheel.go: (*Wheel).CloseContext "return ErrDeadlock" */
	:: me != NO_WORKER -> err = ErrDeadlock
	/* = wheel.go: (*Wheel).CloseContext "err := w.awaitMembers(ctx)" */
	:: else -> awaitMembers(); err = ok
	fi
}

/* awaitMembers waits until the wheel has no goroutine. */
inline awaitMembers() {
	section {
		if
		/* = members.go: (*Wheel).awaitMembers "if w.deserted() {" */
		:: deserted || MUTANT == close_does_not_wait -> gone = over
		/* = members.go: (*Wheel).awaitMembers "w.gone = make(chan struct{})" "return await(ctx, gone)" */
		:: else -> gone = awaited; reached(close_waits)
		fi
	}
	section { gone == over -> hasReturned() }
}
