/* sync_del.pml is sync_del.go: deletion, and the waits of deletions. */

/* In mutants only. */
#define marks(foundRunning) (MUTANT != shutdown_unmarked && (!foundRunning || MUTANT != running_unmarked))

/* delete removes the firing of a timer, in the caller's critical section, and shuts the
   timer down if down is true. */
inline delete(t, down) {
	foundRunning = false;
	/* = sync_del.go: (*shard).delete "i, s = sh.lookup(t)" "return i, nil, found" */
	if
	:: !lookup(t) -> reached(deleted_stale)
	:: else ->
		mayUse(t);
		/* = sync_del.go: (*shard).delete "found.Running = s.Flags&running != 0" "found.Pending = sh.disarm(i, s)" */
		foundRunning = record[indexOf(t)].running;
		if
#if LANES > 0
		/* = sync_del.go: (*shard).delete "if mark == 0 && sh.mayPark(i, s) {" "sh.park(i, s)" */
		:: !down && mayPark(indexOf(t)) -> park(indexOf(t))
#endif
		:: else ->
			disarm(indexOf(t));
			/* = sync_del.go: (*shard).delete "s.Flags |= mark | reused" "if sh.release(i, s) {" */
			record[indexOf(t)].shutdown = record[indexOf(t)].shutdown || down && marks(foundRunning);
			shutDown = (down -> t : shutDown);
			release(indexOf(t))
		fi
	fi
}

/* del is Del, and with down Shutdown: they do not wait. */
inline del(t, down) {
	section {
		/* = timer.go: Timer.Del "func (t Timer) Del() Found { return t.del(0) }" */
		/* = timer.go: Timer.Shutdown "func (t Timer) Shutdown() Found { return t.del(shutdown) }" */
		/* = sync_del.go: Timer.del "_, _, found := sh.delete(t, mark)" "sh.unlock()" */
		delete(t, down);
		unlock()
	}
}

/* delSync is DelSync, and with down ShutdownSync. With context it is DelSyncContext,
   whose context may end at any time. me is the worker in whose handler it is called, or
   NO_WORKER. Calls in flight at the same time have different x. */
inline delSync(x, t, me, context, down, err) {
	section {
		unused(x) -> begins(x, t);
		/* = sync_del.go: Timer.delSync "if _, s := sh.lookup(t); s == nil || s.Flags&running == 0 {" */
		if
		:: lookup(t) && record[indexOf(t)].running -> mayUse(t); unlock(); err = again
		/* = sync_del.go: Timer.delSync "_, _, found := sh.delete(t, mark)" */
		:: else -> delete(t, down); unlock(); returned(x); err = ok
		fi
	}
	if
	:: err == again ->
		section {
			newWait(x, me);
			if
			/* = sync_del.go: Timer.delSync "i, s, found := sh.delete(t, mark)" "if found.Running {" */
			:: MUTANT != looked_up_once -> delete(t, down)
			:: MUTANT == looked_up_once -> mayUse(t); foundRunning = record[indexOf(t)].running
			fi;
			if
			:: foundRunning && MUTANT != wait_left_out ->
				/* = sync_del.go: Timer.delSync "deadlock = !sh.enlist(x, sh.findRun(i))" */
				findRun(indexOf(t));
				enlist(x, 1 << theRun, err);
				if
				/* = sync_del.go: Timer.delSync "s.Flags |= deleting" "return found, sh.await(ctx, x)" */
				:: err == enlisted && MUTANT != unmarked && MUTANT != marked_late -> record[indexOf(t)].deleting = true
				/* = sync_del.go: Timer.delSync "return found, x.deadlock(t.wheel())" */
				:: else -> skip
				fi
			/* = sync_del.go: Timer.delSync "case !found.Running:" */
			:: else -> err = ok; reached(ended_between_looks)
			fi;
			unlock();
			if
			:: err == enlisted -> skip
			:: err == ErrDeadlock -> gaveUp(x); reached(deadlocked)
			:: else -> returned(x)
			fi
		}
		if
		:: MUTANT == edge_added_late && err == enlisted && me != NO_WORKER -> wk[me].waiting = x + 1
		:: MUTANT == marked_late && err == enlisted ->
			section { record[indexOf(t)].deleting = lookup(t) && record[indexOf(t)].running; unlock() }
		:: else -> skip
		fi
		if
		:: err == enlisted -> await(x, t, context, err)
		:: else -> skip
		fi
	:: else -> skip
	fi
}

inline newWait(x, me) {
	/* = sync_del.go: (*Wheel).newWait "from, id := w.member()" */
	/* = members.go: (*Wheel).member "return w.members[id], id" */
	wait[x].from = me
}

/* enlist makes x wait for the runs of a set of workers, except those that wait for x in
   turn: if there are any, err is ErrDeadlock. */
inline enlist(x, set, err) {
	err = enlisted;
	for (r : 0 .. WORKERS - 1) {
		if
		:: set >> r & 1 ->
			reaches(r);
			if
			/* = sync_del.go: (*shard).enlist "if x.from != nil && r.reaches(x.from, nil) {" "return false" */
			:: wait[x].from != NO_WORKER && reach >> wait[x].from & 1 && MUTANT != circle_unchecked -> err = ErrDeadlock; isCircle(x, r)
			/* = sync_del.go: (*shard).enlist "sh.addEdge(x, r)" */
			:: else -> addEdge(x, r)
			fi
		:: else -> skip
		fi
	}
}

/* addEdge adds the edge from x to the run of worker r. */
inline addEdge(x, r) {
	mayWaitFor(x, r);
	/* = sync_del.go: (*shard).addEdge "x.edges = append(x.edges, edge{e, e.queue(x).push(x)})" */
	wait[x].edges = wait[x].edges | 1 << r;
	wait[x].open = wait[x].open | 1 << r;
	wk[r].waits = wk[r].waits | 1 << x;
	wk[r].waitedFor = true;
	/* = sync_del.go: (*shard).addEdge "x.from.waiting = x" */
	if
	:: wait[x].from != NO_WORKER -> startsWaiting(x); wk[wait[x].from].waiting = (MUTANT == edge_added_late -> 0 : x + 1)
	:: else -> skip
	fi;
	/* = sync_del.go: (*shard).addEdge "if e.groups++; e.groups == 1 {" "x.group.deleting++" */
	if
	:: wait[x].group -> wk[r].groups++; group.deleting = (wk[r].groups == 1 -> group.deleting + 1 : group.deleting)
	:: else -> skip
	fi
}

/* Left out: the order in which the waits for a run are notified and reported. */
/* - sync_del.go: (*ending).queue (*queue).push (*queue).remove (*ending).unreported (*ending).waiters */

/* reaches collects in reach the workers whose ends the handler of worker r waits for, by
   any chain, and r itself. */
inline reaches(r) {
	/* = sync_del.go: (*worker).reaches "if wk == target {" */
	reach = 1 << r;
	/* = sync_del.go: (*worker).reaches "if wk.waiting == nil || seen[wk] {" "return slices.ContainsFunc(wk.waiting.edges, func(e edge) bool { return !e.done && e.wk.reaches(target, seen) })" */
	for (n : 1 .. (MUTANT == short_circles_only -> 1 : WORKERS)) {
		next = reach;
		for (k : 0 .. WORKERS - 1) {
			if
			:: reach >> k & 1 && wk[k].waiting -> next = next | wait[wk[k].waiting - 1].edges
			:: else -> skip
			fi
		}
		reach = next
	}
}

/* await waits until the runs that x waits for have ended, or its context ends. The code
   waits for one run after the other. That ends when all of them have ended. */
inline await(x, t, context, err) {
	if
	/* = sync_del.go: (*shard).await "for _, e := range x.edges {" "x.detach(sh.w)" "return nil" */
	/* = members.go: await "case <-done:" */
	:: section {
		!wait[x].open && MUTANT != waits_for_flag && MUTANT != waits_for_number ->
		detach(x); returned(x); err = ok; reached(waited)
	}
	:: section { MUTANT == waits_for_flag && !record[indexOf(t)].running -> detach(x); mayUse(t); returned(x); err = ok }
	:: section { MUTANT == waits_for_number && !isRunning(indexOf(t)) -> detach(x); returned(x); err = ok }
	/* = sync_del.go: (*shard).await "if err := await(ctx, e.over); err != nil {" */
	/* = members.go: await "case <-ctx.Done():" "if isClosed(done) {" "return ctx.Err()" */
	/* = members.go: isClosed "case <-done:" */
	:: context && wait[x].open ->
		section {
			/* = sync_del.go: (*shard).await "if sh.abandon(x) {" "return err" "return nil // they have ended by now" */
			abandon(x, err);
			unlock();
			if
			:: err == ok -> returned(x)
			:: else -> gaveUp(x)
			fi
		}
	fi
}

/* detach records that the handler in which a deletion was called waits no more. */
inline detach(x) {
	/* = sync_del.go: (*wait).detach "x.from.waiting = nil" */
	if
	:: wait[x].from != NO_WORKER -> wk[wait[x].from].waiting = 0; stopsWaiting(wait[x].from)
	:: else -> skip
	fi
}

/* abandon gives up a wait; err is ok if there is nothing to wait for any more. */
inline abandon(x, err) {
	/* = sync_del.go: (*shard).abandon "x.detach(sh.w)" */
	if
	:: MUTANT == edge_outlives_wait -> stopsWaiting(wait[x].from)
	:: else -> detach(x)
	fi;
	/* = sync_del.go: (*shard).abandon "waited = true" */
	err = (wait[x].edges -> ErrContext : ok);
	for (k : 0 .. WORKERS - 1) {
		if
		/* = sync_del.go: (*shard).abandon "if !e.done {" "sh.forget(x, e)" */
		:: wait[x].edges >> k & 1 -> forget(x, k)
		:: else -> skip
		fi
	}
	if
	:: err == ErrContext -> reached(abandoned)
	:: else -> reached(ended_before_abandon)
	fi;
	wait[x].edges = (MUTANT == edge_outlives_wait -> wait[x].edges : 0)
}

/* forget takes x from the queue of the run of worker r. */
inline forget(x, r) {
	/* = sync_del.go: (*shard).forget "e.queue(x).remove(e.elem)" */
	wk[r].waits = (MUTANT == edge_outlives_wait -> wk[r].waits : wk[r].waits & ~(1 << x));
	/* = sync_del.go: (*shard).forget "if e.groups--; e.groups == 0 {" "x.group.deleting--" */
	if
	:: wait[x].group -> wk[r].groups--; group.deleting = (wk[r].groups == 0 || MUTANT == last_to_give_up -> group.deleting - 1 : group.deleting)
	:: else -> skip
	fi
}

/* endWaits ends the waits for the run of worker w. */
inline endWaits(w) {
	for (k : 0 .. WAITS - 1) {
		if
		:: wk[w].waits >> k & 1 ->
			/* = sync_del.go: (*worker).endWaits "e.done = true" */
			wait[k].edges = wait[k].edges & ~(1 << w);
			hasEnded(k, w)
		:: else -> skip
		fi
	}
	/* = sync_del.go: (*worker).endWaits "if e.groups > 0 {" "e.group.deleting--" */
	group.deleting = (wk[w].groups -> group.deleting - 1 : group.deleting);
	wk[w].groups = 0;
	/* = sync_del.go: (*worker).endWaits "wk.ending, wk.ended = nil, e" */
	wk[w].ended = wk[w].ended | wk[w].waits;
	wk[w].waits = 0
}

/* closeOver wakes the deletions that waited for the run of worker w. Its DelAsyncs
   remain in ended. */
inline closeOver(w) {
	for (k : 0 .. WAITS - 1) {
		if
		:: wk[w].ended >> k & 1 && !wait[k].async ->
			/* = worker.go: (*worker).notify "defer close(e.over)" */
			wait[k].open = wait[k].open & ~(1 << w);
			wk[w].ended = wk[w].ended & ~(1 << k)
		:: else -> skip
		fi
	}
}

/* callWaitingDone calls the done of DelAsync x, if worker w has ended its wait. */
inline callWaitingDone(w, x) {
	section {
		wk[w].ended >> x & 1 && wait[x].async ->
		wk[w].ended = wk[w].ended & ~(1 << x);
		wait[x].open = 0;
		/* = sync_del.go: (*wait).callDone "wk.w.spawn(func(wk *worker) { wk.callUser(x.done) })" */
		spawn(x)
	}
}

/* delAsync is DelAsync. me is as in delSync; the code does not look at it. */
inline delAsync(x, t, me, err) {
	section {
		unused(x) -> begins(x, t);
		wait[x].async = true;
		/* = sync_del.go: Timer.delAsync "i, s, found := sh.delete(t, 0)" "if !found.Running {" */
		delete(t, false);
		if
		:: foundRunning ->
			/* = sync_del.go: Timer.delAsync "x := &wait{done: done, at: here()}" "sh.enlist(x, sh.findRun(i))" "s.Flags |= deleting" */
			wait[x].from = (MUTANT == async_is_edge -> me : NO_WORKER);
			findRun(indexOf(t));
			enlist(x, 1 << theRun, err);
			record[indexOf(t)].deleting = true;
			reached(async_waits)
		:: else -> err = ok
		fi;
		unlock()
	}
	if
	/* = sync_del.go: Timer.delAsync "t.wheel().callDone(done)" */
	:: section { err == ok -> callDone(x) }
	:: else -> err = ok
	fi
}

/* callDone calls the done of x, which has nothing to wait for. */
inline callDone(x) {
	if
	/* = done.go: (*Wheel).callDone "counted := w.addDone()" "case counted:" */
	/* = done.go: (*Wheel).addDone "if !w.closed {" "w.dones++" */
	:: !wheelClosed || MUTANT == spawned_after_close -> calls = calls | 1 << x; dones++; reached(async_at_once)
	/* = done.go: (*Wheel).callDone "goUnlabelled(done)" */
	:: else -> done(x); reached(async_on_closed)
	fi
}

/* done is the function that the caller gave to DelAsync. */
inline done(x) {
	returned(x);
	wait[x].async = false
}
