/* group.pml is group.go: the deletion of a group's timers in one call. */

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
#if SLOTS > 2
	section { deleteMember(1, err); unlock() }
#endif
	section {
		deleteMember(SLOTS - 1, err);
		/* = group.go: (*Group).delSync "if !found.Running {" "g.deleting--" */
		if
		:: err == ok -> group.deleting--; unlock(); returned(x)
		/* = group.go: (*Group).delSync "x := sh.w.newWait()" "x.group = g" */
		:: else -> newWait(x, me); foundBefore(x); unlock(); err = enlisted
		fi
	}
	if
	:: err == enlisted ->
		/* = group.go: (*Group).delSync "deadlock := g.enlist(x)" */
		/* = group.go: (*Group).enlist "for k := sh.running.n; k > 0; {" */
		do
		:: look(x, 0, err)
#if WORKERS > 1
		:: look(x, 1, err)
#endif
#if WORKERS > 2
		:: look(x, 2, err)
#endif
		:: wait[x].seen == EVERYBODY -> break
		od;
		skip; /* spin wants no loop right before a section */
		section {
			/* = group.go: (*Group).delSync "g.deleting--" */
			group.deleting = (MUTANT == group_open_early || MUTANT == group_stays_shut -> group.deleting : group.deleting - 1);
			wait[x].finding = false;
			wait[x].seen = 0;
			unlock();
			/* = group.go: (*Group).delSync "if len(x.on) > 0 {" */
			if
			:: wait[x].edges && wait[x].on -> wait[x].edges = false
			:: wait[x].edges && !wait[x].on -> wait[x].edges = false; reached(ended_while_finding)
			:: !wait[x].edges && err == ErrDeadlock -> gaveUp(x)
			:: else -> err = ok; returned(x)
			fi
		}
		/* = group.go: (*Group).delSync "err = sh.await(ctx, x)" "err = x.deadlock()" */
		if
		:: err == enlisted -> await(x, ALL, context, err); reached(group_waited)
		:: err == ErrDeadlock && wait[x].timer != 0 -> awaitOthers(x, context)
		:: else -> skip
		fi
	:: else -> skip
	fi
}

/* deleteMember removes the firing in slot i, if that is a member. If it runs, err is again. */
inline deleteMember(i, err) {
	/* = group.go: (*Group).deleteAll "found.Running = found.Running || s.flags&running != 0" "found.Pending = sh.disarm(i, s) || found.Pending" "sh.release(i, s)" */
	if
	:: slot[i].live && member(i) -> err = (slot[i].running -> again : err); disarm(i); release(i)
	:: else -> skip
	fi
}

/* What a look finds; the rest is for mutants. */
#define isFound(x, w) (runsMember(w) && (MUTANT != group_waits_for_one || !wait[x].edges) || \
	runs(w) && MUTANT == others_waited_for || MUTANT == found_before)

/* look is one look of the enlisting, at worker w: it makes x wait for its run, if that
   is a member's, unless it waits for x in turn: then err is ErrDeadlock, whatever the
   other looks find. Between two looks anything may happen: what was found ends, and its
   worker may run a timer that is no member, before or after the worker is looked at.

   The code looks at several runs before it lets go of the lock, and ends with the last
   look: that is as if nothing happened in between. It looks in the order of the row of
   running slots, which changes when a run ends; here each worker is looked at once, in
   any order. What comes into the row, the code may never look at: that is no member's
   run, so a look at it does nothing. What moves, it may look at twice: the second look
   does nothing, on account of seen. Without that the deletion would wait twice for one
   end, which the sets of this model cannot show; TestARunThatMovesIsWaitedForOnce does. */
inline look(x, w, err) {
	section {
		/* = group.go: (*Group).enlist "sh.lock()" */
		!(wait[x].seen >> w & 1) ->
		group.deleting = (MUTANT == group_open_early && wait[x].seen == 0 -> group.deleting - 1 : group.deleting);
		/* = group.go: (*Group).enlist "case sh.groupOf(r.i, s) != g || seen[r.wk]:" "case sh.enlist(x, r.wk):" "seen[r.wk] = true" */
		/* = worker.go: (*shard).glance "seen += look(sh.running.at(uint32(k)))" */
		wait[x].seen = wait[x].seen | 1 << w;
		if
		:: isFound(x, w) ->
			enlist(x, 1 << w, ignored);
			/* = group.go: (*Group).enlist "deadlock = true" */
			err = (ignored == ErrDeadlock || MUTANT == circle_forgotten -> ignored : err);
			/* = group.go: (*Group).enlist "s.flags |= deleting" */
			if
			:: ignored == enlisted -> wait[x].edges = true; slot[wk[w].slotNo].deleting = MUTANT != found_unmarked
			:: else -> skip
			fi
		:: !isFound(x, w) && runs(w) -> reached(saw_another)
		:: else -> skip
		fi;
		/* = group.go: (*Group).enlist "sh.unlock()" */
		unlock()
	}
}

/* awaitOthers waits for the runs that do not wait for x. ErrDeadlock is what it was. */
inline awaitOthers(x, context) {
	if
	:: section { !wait[x].untold -> leave(x); gaveUp(x); reached(group_waited_for_others) }
	:: context && wait[x].untold -> section { abandon(x, ignored); unlock(); gaveUp(x); reached(group_left_others) }
	fi
}

/* In a mutant only: who runs no member before the first look is not looked at, and who
   does is taken to do so still. */
inline foundBefore(x) {
	for (k : 0 .. WORKERS - 1) {
		wait[x].seen = (MUTANT == found_before && !runsMember(k) -> wait[x].seen | 1 << k : wait[x].seen)
	}
}
