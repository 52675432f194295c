/* group.pml is group.go: the deletion of a group's timers in one call. */

/* groupDelSync is Group.DelSync, and with shut Group.ShutdownSync. Its other parameters
   are those of delSync. */
inline groupDelSync(x, me, context, shut, err) {
	section {
		/* = group.go: (*Group).delSync "g.deleting++" "g.down = g.down || down" "found := g.deleteAll()" */
		unused(x) -> begins(x, ALL);
		wait[x].group = true;
		wait[x].finding = true;
		group.deleting++;
		group.isDown = group.isDown || shut && MUTANT != group_left_open;
		err = ok;
		deleteMember(0, err);
		unlock()
	}
#if RECORDS > 2
	section { deleteMember(1, err); unlock() }
#endif
	section {
		deleteMember(RECORDS - 1, err);
		groupShutDown = groupShutDown || shut;
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
		/* = group.go: (*Group).enlist "for k := sh.running.Len(); k > 0; {" */
		do
		:: look(x, 0, err)
#if WORKERS > 1
		:: look(x, 1, err)
#endif
#if WORKERS > 2
		:: look(x, 2, err)
#endif
		:: wait[x].seen == ALL_WORKERS -> break
		od;
		skip; /* spin wants no loop right before a section */
		section {
			/* = group.go: (*Group).delSync "g.deleting--" */
			group.deleting = (MUTANT == group_open_early || MUTANT == group_stays_shut -> group.deleting : group.deleting - 1);
			wait[x].finding = false;
			wait[x].seen = 0;
			unlock();
			/* = group.go: (*Group).delSync "if len(x.edges) > 0 {" */
			if
			:: wait[x].found && wait[x].edges -> wait[x].found = false
			:: wait[x].found && !wait[x].edges -> wait[x].found = false; reached(ended_while_finding)
			:: !wait[x].found && err == ErrDeadlock -> gaveUp(x)
			:: else -> err = ok; returned(x)
			fi
		}
		/* = group.go: (*Group).delSync "err = sh.await(ctx, x)" "err = x.deadlock(sh.w)" */
		if
		:: err == enlisted -> await(x, ALL, context, err); reached(group_waited)
		:: err == ErrDeadlock && wait[x].timer != 0 -> awaitOthers(x, context)
		:: else -> skip
		fi
	:: else -> skip
	fi
}

/* groupShutdown is Group.Shutdown: it does not wait. */
inline groupShutdown() {
	section {
		/* = group.go: (*Group).Shutdown "g.down = true" "g.deleting++ // until no member is pending any more" "found := g.deleteAll()" */
		group.isDown = group.isDown || MUTANT != group_left_open;
		group.deleting++;
		deleteMember(0, ignored);
		unlock()
	}
#if RECORDS > 2
	section { deleteMember(1, ignored); unlock() }
#endif
	section {
		deleteMember(RECORDS - 1, ignored);
		/* = group.go: (*Group).Shutdown "g.deleting--" "sh.unlock()" */
		group.deleting--;
		groupShutDown = true;
		unlock()
	}
}

/* deleteMember removes the firing in record i, if that is a member. If the member runs,
   err is again. */
inline deleteMember(i, err) {
	/* = group.go: (*Group).deleteAll "found.Running = found.Running || s.Flags&running != 0" "found.Pending = g.sh.disarm(i, s) || found.Pending" "g.sh.release(i, s)" */
	if
	:: record[i].live && member(i) -> err = (record[i].running -> again : err); disarm(i); release(i)
	:: else -> skip
	fi
}

/* What a look finds; the rest is for mutants. */
#define isFound(x, w) (runsMember(w) && (MUTANT != group_waits_for_one || !wait[x].found) || \
	runs(w) && MUTANT == others_waited_for || MUTANT == found_before)

/* look is one step of the enlisting: it looks at worker w. If that runs a member, it
   makes x wait for the run, unless the run waits for x in turn: then err is ErrDeadlock,
   whatever the other looks find. Between two looks other processes may make any steps:
   what was found ends, and its worker may run a timer that is no member, before or after
   the look at that worker.

   The code looks at several runs before it lets go of the lock, and keeps the lock after
   the last look. That is the order in which no process makes a step in between. It looks
   in the order of the row of running slots, which changes when a run ends; here each
   worker is looked at once, in any order. The code may never look at a run that comes
   into the row: that is no member's, so a look at it does nothing. It may look twice at
   a run that moves: the second look does nothing, because of seen. Without seen the
   deletion would wait twice for one end, which the sets of this model cannot show;
   TestARunThatMovesIsWaitedForOnce does. */
inline look(x, w, err) {
	section {
		/* = group.go: (*Group).enlist "sh.lock()" */
		!(wait[x].seen >> w & 1) ->
		group.deleting = (MUTANT == group_open_early && wait[x].seen == 0 -> group.deleting - 1 : group.deleting);
		/* = group.go: (*Group).enlist "case sh.groupOf(r.i, s) != g || seen[r.wk]:" "case sh.enlist(x, r.wk):" "seen[r.wk] = true" */
		/* = running.go: (*shard).scanRuns "seen += look(sh.running.At(uint32(k)))" */
		wait[x].seen = wait[x].seen | 1 << w;
		if
		:: isFound(x, w) ->
			enlist(x, 1 << w, ignored);
			/* = group.go: (*Group).enlist "deadlock = true" */
			err = (ignored == ErrDeadlock || MUTANT == circle_forgotten -> ignored : err);
			/* = group.go: (*Group).enlist "s.Flags |= deleting" */
			if
			:: ignored == enlisted -> wait[x].found = true; record[wk[w].slot].deleting = MUTANT != found_unmarked
			:: else -> skip
			fi
		:: !isFound(x, w) && runs(w) -> reached(saw_another)
		:: else -> skip
		fi;
		/* = group.go: (*Group).enlist "sh.unlock()" */
		unlock()
	}
}

/* awaitOthers waits for the runs that do not wait for x. err stays ErrDeadlock. */
inline awaitOthers(x, context) {
	if
	:: section { !wait[x].open -> detach(x); gaveUp(x); reached(group_waited_for_others) }
	:: context && wait[x].open -> section { abandon(x, ignored); unlock(); gaveUp(x); reached(group_left_others) }
	fi
}

/* In a mutant only: a worker that runs no member before the first look is not looked at.
   One that runs a member is assumed to run it still. */
inline foundBefore(x) {
	for (k : 0 .. WORKERS - 1) {
		wait[x].seen = (MUTANT == found_before && !runsMember(k) -> wait[x].seen | 1 << k : wait[x].seen)
	}
}
