/* lines.pml is lines.go: the line of the lock of lock-bound timers. */

/* standInLine puts the timer in record i into the line. Worker w serves it, if no other does. */
inline standInLine(w, i) {
	/* = lines.go: (*worker).standInLine "s.Flags |= locking" "sh.holdBack(i, s)" "ln.push(b.place)" */
	record[i].locking = true;
	holdBack(i);
	if
	/* = lines.go: (*worker).standInLine "if ln.wk != nil {" */
	:: server && MUTANT != two_wait_for_lock -> reached(stands_behind)
	/* = lines.go: (*worker).standInLine "ln = w.lines.add(b.lock)" "wk.adopt(ln, now)" */
	:: else -> adopt(w)
	fi
}

inline adopt(w) {
	/* = lines.go: (*worker).adopt "wk.line = ln" "ln.wk, ln.since = wk, now" "wk.w.served(ln)" */
	/* = lines.go: (*Wheel).served "w.lines.waiting.Remove(ln.elem)" "w.lines.unserved.Add(-1)" */
	wk[w].serves = true;
	server = w + 1;
	if
	:: unserved -> unserved = false; reached(adopted)
	:: else -> skip
	fi;
	comesToLock()
}

/* leaveLine takes the timer in record i out of the line, if it stands there. */
inline leaveLine(i) {
	/* = lines.go: (*shard).leaveLine "if s.Flags&locking != 0 {" */
	if
	:: record[i].locking && MUTANT != stays_in_line ->
		/* = lines.go: (*shard).leaveLineSlow "s.Flags &^= locking" "p.leave()" */
		record[i].locking = false;
		reached(left_line);
		/* = lines.go: (*shard).leaveLineSlow "if ln.wk == nil && ln.empty() { // no worker needs to come for it any more" "w.served(ln)" "w.lines.remove(ln)" */
		if
		:: unserved && !anyRecord(standsInLine) && MUTANT != empty_line_unserved -> unserved = false; reached(unserved_emptied)
		:: else -> skip
		fi
	:: else -> skip
	fi
}

/* serveUnserved makes worker w serve the line, if no worker does. */
inline serveUnserved(w) {
	section {
		/* = lines.go: (*worker).serveUnserved "if w.lines.unserved.Load() == 0 {" "wk.adopt(first.Value.(*line), now)" "wk.serve()" */
		if
		:: unserved -> adopt(w)
		:: else -> skip
		fi
	}
}

/* firstInLine chooses the timer that is the first of the line; 0, if none stands there. */
inline firstInLine(t) {
	section {
		/* = lines.go: (*worker).first "return wk.line.ends.next.timer" */
		if
		:: standsInLine(0) -> t = handle(0)
#if RECORDS > 1
		:: standsInLine(1) -> t = handle(1)
#endif
#if RECORDS > 2
		:: standsInLine(2) -> t = handle(2)
#endif
		:: !anyRecord(standsInLine) -> t = 0
		fi
	}
}

/* take begins the run of the timer that was the first, unless it has left the line since. If claims,
   the worker must claim it first, in the same critical section. */
inline take(w, t) {
	section {
		claims = false;
		/* = lines.go: (*worker).takeFirst "if t == (Timer{}) {" "if i, s = sh.lookup(t); s != nil && wk.take(sh, i, s) && sh.claim(i, s, wk.w.elapsed()) {" */
		if
		:: t == 0 -> reached(line_was_empty)
		:: t != 0 && !lookup(t) && MUTANT != lock_taken_for_record -> reached(first_recycled)
		:: else ->
			mayUse(t);
			if
			/* = lines.go: (*worker).take "if wk.line.ends.next != p {" */
			:: !standsInLine(indexOf(t)) && MUTANT != lock_not_looked_up -> reached(first_left)
			:: else ->
				/* = lines.go: (*worker).take "p.leave()" "s.Flags &^= locking" "return !sh.closed" */
				record[indexOf(t)].locking = false;
				if
				:: !shardClosed && (!record[indexOf(t)].idle || MUTANT == line_not_claimed) -> begin(w, indexOf(t), t)
				:: !shardClosed && record[indexOf(t)].idle && MUTANT != line_not_claimed -> claims = true
				:: else -> reached(first_dropped)
				fi
			fi
		fi;
		if
		:: claims -> skip
		:: else -> unlock()
		fi
	}
}

/* goOn decides whether worker w goes on with its line. */
inline goOn(w) {
	/* = lines.go: (*worker).goOn "if wk.line.empty() || now >= leave && !w.manual {" "wk.leaveToOthers()" */
	/* = lines.go: (*worker).leaveToOthers "wk.line = nil" "if ln.empty() {" "w.lines.remove(ln)" */
	/* = lines.go: (*lines).remove "ln.lock, ln.wk = nil, nil" */
	if
	:: section { anyRecord(standsInLine) -> comesToLock() }
	:: section { anyRecord(standsInLine) -> abandonLine(w) }
	:: section { !anyRecord(standsInLine) && MUTANT != line_removed_late -> wk[w].serves = false; server = 0 }
	:: section { !anyRecord(standsInLine) && MUTANT == line_removed_late -> wk[w].serves = false }; section { server = 0 }
	fi
}

/* releaseLock is ReleaseLock, called in a handler that worker w runs. Of Unlock, the model has that
   it returns. */
inline releaseLock(w, t, err) {
	section {
		/* = lines.go: Timer.releaseLock "wk, _ := t.wheel().member()" "if err := t.mayRelease(wk); err != nil {" */
		/* = lines.go: Timer.mayRelease "i, s := sh.lookup(t)" "if holds && s != nil && wk.slot(sh).i == i {" */
		if
		:: wk[w].locked && (lookup(t) && wk[w].slot == indexOf(t) || MUTANT == any_lock_released) -> err = ok
		:: else -> err = ErrNotLocked
		fi;
		unlock()
	}
	if
	:: err == ok ->
		section {
			/* = lines.go: Timer.releaseLock "wk.locked = nil" "wk.abandonLine()" */
			wk[w].locked = MUTANT == released_twice;
			if
			:: MUTANT == line_kept -> skip
			:: else -> abandonLine(w)
			fi
		}
		section {
			/* = lines.go: Timer.releaseLock "wk.callNested(l.Unlock)" */
			wk[w].released = true;
			unlockUser(w, false)
		}
	:: else -> reached(not_locked)
	fi
}

/* abandonLine leaves the line of worker w to another, if it serves it and a timer stands there. */
inline abandonLine(w) {
	/* = lines.go: (*worker).abandonLine "if wk.line == nil {" "wk.leaveToOthers()" */
	if
	:: wk[w].serves ->
		wk[w].serves = false;
		server = 0;
		/* = lines.go: (*worker).leaveToOthers "ln.wk, ln.since = nil, w.elapsed()" "w.lines.unserved.Add(1)" */
		if
		:: (anyRecord(standsInLine) || MUTANT == empty_line_unserved) && MUTANT != line_left -> unserved = true; reached(line_abandoned)
		:: else -> skip
		fi
	:: else -> skip
	fi
}

/* Left out: what is of the user, of time, or a step of those above. */
/* - lines.go: newBoundBody checkLock (*shard).bindingOf (*line).empty (*line).push (*place).leave (*lines).add (*Wheel).unlockLines (*worker).inOther */
