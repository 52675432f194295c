/* group.pml is group.go: the deletion of all timers in one call. */

/* groupDelSync is Group.DelSync; its parameters are those of delSync. */
inline groupDelSync(x, me, context, err) {
	section {
		/* = group.go: (*Group).delSync "g.deleting++" "found := g.deleteAll()" */
		fresh(x) -> begins(x, ALL);
		wait[x].group = true;
		wait[x].finding = true;
		group.deleting++;
		err = ok;
		deleteMember(0, err);
		unlock()
	}
	section {
		deleteMember(SLOTS - 1, err);
		/* = group.go: (*Group).delSync "if !found.Running {" "g.deleting--" */
		if
		:: err == ok -> group.deleting--; unlock(); returned(x)
		:: else -> unlock()
		fi
	}
	if
	:: err == again ->
		section {
			/* = group.go: (*Group).delSync "x := sh.w.newWait()" "x.group = g" "deadlock := g.enlist(x)" */
			newWait(x, me);
			err = enlisted;
			enlistMember(x, 0, err);
			group.deleting = (MUTANT == group_open_early -> group.deleting - 1 : group.deleting);
			/* = group.go: (*Group).enlist "sh.unlock()" */
			unlock()
		}
		section {
			if
			:: WORKERS > 1 -> enlistMember(x, WORKERS - 1, err)
			:: else -> skip
			fi;
			/* = group.go: (*Group).delSync "g.deleting--" */
			group.deleting = (MUTANT == group_open_early -> group.deleting : group.deleting - 1);
			wait[x].finding = false;
			unlock();
			/* = group.go: (*Group).delSync "if len(x.on) > 0 {" */
			if
			:: wait[x].edges -> wait[x].edges = false
			:: !wait[x].edges && err == ErrDeadlock -> gaveUp(x)
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

/* enlistMember makes x wait for the run of worker w, if that is a member's, unless it
   waits for x in turn: then err is ErrDeadlock. The code looks at some runs in one section,
   and lets go of the lock before the next: what it has found may have ended when it has
   found all. In which order it finds them, and that one that moves is seen twice, is not
   modelled. */
inline enlistMember(x, w, err) {
	/* = group.go: (*Group).enlist "case sh.groupOf(r.i, s) != g || seen[r.wk]:" "case sh.enlist(x, r.wk):" "deadlock = true" */
	if
	:: runs(w) && (MUTANT != group_waits_for_one || !wait[x].edges) ->
		enlist(x, 1 << w, ignored);
		err = (ignored == ErrDeadlock -> ErrDeadlock : err);
		/* = group.go: (*Group).enlist "s.flags |= deleting" */
		if
		:: ignored == enlisted -> wait[x].edges = true; slot[wk[w].slotNo].deleting = MUTANT != found_unmarked
		:: else -> skip
		fi
	:: else -> skip
	fi
}
