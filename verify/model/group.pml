/* group.pml is group.go: the deletion of all timers in one call. */

/* groupDelSync is Group.DelSync; its parameters are those of delSync. */
inline groupDelSync(x, me, context, err) {
	section {
		/* = group.go: (*Group).delSync "g.deleting++" "found := g.deleteAll()" */
		fresh(x) -> begins(x, ALL);
		wait[x].group = true;
		group.deleting++;
		err = ok;
		deleteMember(0, err);
		unlock()
	}
	section {
		deleteMember(SLOTS - 1, err);
		/* = group.go: (*Group).delSync "if !found.Running {" "g.deleting--" */
		if
		:: err == ok -> wait[x].group = false; group.deleting--; unlock(); returned(x)
		:: else -> unlock()
		fi
	}
	if
	:: err == again ->
		section {
			/* = group.go: (*Group).delSync "x := sh.w.newWait()" "x.group = g" */
			newWait(x, me);
			/* = group.go: (*Group).delSync "deadlock := g.enlist(x)" "g.deleting--" */
			groupRuns();
			enlist(x, theRuns, err);
			markRuns(x);
			group.deleting--;
			wait[x].group = wait[x].group && wait[x].on;
			unlock();
			/* = group.go: (*Group).delSync "if len(x.on) > 0 {" */
			if
			:: wait[x].on -> skip
			:: !wait[x].on && err == ErrDeadlock -> gaveUp(x)
			:: else -> err = ok; returned(x)
			fi
		}
		/* = group.go: (*Group).delSync "err = sh.await(ctx, x)" "err = x.deadlock()" */
		if
		:: err == enlisted -> await(x, ALL, context, err); reached(group_waited)
		:: err == ErrDeadlock && wait[x].timer != 0 -> section { !wait[x].untold -> leave(x); gaveUp(x); reached(group_waited_for_others) }
		:: else -> skip
		fi
	:: else -> skip
	fi
}

/* deleteMember removes the firing in slot i. If that runs, err is again. */
inline deleteMember(i, err) {
	/* = group.go: (*Group).deleteAll "found.Running = found.Running || s.flags&running != 0" "found.Pending = sh.disarm(i, s) || found.Pending" "sh.release(i, s)" */
	if
	:: slot[i].live -> err = (slot[i].running -> again : err); disarm(i); release(i)
	:: else -> skip
	fi
}

/* groupRuns collects in theRuns the workers that run a member. */
inline groupRuns() {
	theRuns = 0;
	for (k : 0 .. WORKERS - 1) {
		/* = group.go: (*Group).enlist "case sh.groupOf(r.i, s) != g || seen[r.wk]:" "case sh.enlist(x, r.wk):" */
		theRuns = (wk[k].slotNo != SLOTS && (theRuns == 0 || MUTANT != group_waits_for_one) -> theRuns | 1 << k : theRuns)
	}
}

/* markRuns marks the runs that x waits for. The code does so one by one, as it finds
   them. */
inline markRuns(x) {
	/* = group.go: (*Group).enlist "s.flags |= deleting" */
	for (k : 0 .. WORKERS - 1) {
		if
		:: wait[x].on >> k & 1 -> slot[wk[k].slotNo].deleting = true
		:: else -> skip
		fi
	}
}
