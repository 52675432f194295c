/* sync_del.pml is sync_del.go: deletion that waits. */

/* delete removes the firing of a timer, in the caller's critical section. */
inline delete(t, down) {
	foundRunning = false;
	/* = sync_del.go: (*shard).delete "i, s = sh.lookup(t)" "return i, nil, found" */
	if
	:: !lookup(t) -> reached(deleted_stale)
	:: else ->
		touch(t);
		/* = sync_del.go: (*shard).delete "found.Running = s.flags&running != 0" "found.Pending = sh.disarm(i, s)" */
		foundRunning = slot[indexOf(t)].running;
		disarm(indexOf(t));
		/* = sync_del.go: (*shard).delete "s.flags |= mark" "if sh.release(i, s) {" */
		slot[indexOf(t)].shutdown = slot[indexOf(t)].shutdown || down && (!foundRunning || MUTANT != shutdown_left_out);
		shutDown = (down -> t : shutDown);
		release(indexOf(t))
	fi
}

/* delSync is DelSync; DelSyncContext, whose context may end at any time; and
   Shutdown, which is DelSync with down. me is the worker in whose handler it is
   called, or NOBODY. Calls at the same time differ in x. */
inline delSync(x, t, me, context, down, err) {
	section {
		fresh(x) -> begins(x, t);
		/* = sync_del.go: Timer.delSync "if _, s := sh.lookup(t); s == nil || s.flags&running == 0 {" */
		if
		:: lookup(t) && slot[indexOf(t)].running -> touch(t); unlock(); err = again
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
			:: MUTANT == looked_up_once -> touch(t); foundRunning = slot[indexOf(t)].running
			fi;
			if
			:: foundRunning && MUTANT != wait_left_out ->
				/* = sync_del.go: Timer.delSync "deadlock = !sh.enlist(x, sh.runOf(i))" */
				runOf(indexOf(t));
				enlist(x, 1 << theRun, err);
				if
				/* = sync_del.go: Timer.delSync "s.flags |= deleting" "return found, sh.await(ctx, x)" */
				:: err == enlisted && MUTANT != unmarked && MUTANT != marked_late -> slot[indexOf(t)].deleting = true
				/* = sync_del.go: Timer.delSync "return found, x.deadlock()" */
				:: else -> skip
				fi
			/* = sync_del.go: Timer.delSync "case !found.Running:" */
			:: else -> err = ok; reached(ended_meanwhile)
			fi;
			unlock();
			if
			:: err == enlisted -> skip
			:: err == ErrDeadlock -> gaveUp(x); reached(deadlocked)
			:: else -> returned(x)
			fi
		}
		if
		:: MUTANT == edge_added_late && err == enlisted && me != NOBODY -> wk[me].waiting = x + 1
		:: MUTANT == marked_late && err == enlisted ->
			section { slot[indexOf(t)].deleting = lookup(t) && slot[indexOf(t)].running; unlock() }
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
	wait[x].from = me
}

/* runOf finds the worker that runs slot i. */
inline runOf(i) {
	/* = sync_del.go: (*shard).runOf "for sh.running.at(k).i != i {" */
	theRun = 0;
	do
	:: theRun < WORKERS && wk[theRun].slotNo != i -> theRun++
	:: else -> break
	od;
	must(have_a_worker_for_what_runs, theRun < WORKERS)
}

/* enlist makes x wait for the runs of a set of workers, but for those that wait for x
   in turn: if there are any, err is ErrDeadlock. */
inline enlist(x, set, err) {
	err = enlisted;
	for (r : 0 .. WORKERS - 1) {
		if
		:: set >> r & 1 ->
			leadsTo(r);
			if
			/* = sync_del.go: (*shard).enlist "if x.from != nil && r.leadsTo(x.from, nil) {" "return false" */
			:: wait[x].from != NOBODY && reach >> wait[x].from & 1 && MUTANT != circle_unchecked -> err = ErrDeadlock; isCircle(x, r)
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
	/* = sync_del.go: (*shard).addEdge "x.on = append(x.on, edge{e, e.queue(x).push(x)})" */
	wait[x].on = wait[x].on | 1 << r;
	wait[x].untold = wait[x].untold | 1 << r;
	wk[r].waits = wk[r].waits | 1 << x;
	wk[r].promised = true;
	/* = sync_del.go: (*shard).addEdge "x.from.waiting = x" */
	if
	:: wait[x].from != NOBODY -> isWaiting(x); wk[wait[x].from].waiting = (MUTANT == edge_added_late -> 0 : x + 1)
	:: else -> skip
	fi;
	/* = sync_del.go: (*shard).addEdge "if e.groups++; e.groups == 1 {" "x.group.deleting++" */
	if
	:: wait[x].group -> wk[r].groups++; group.deleting = (wk[r].groups == 1 -> group.deleting + 1 : group.deleting)
	:: else -> skip
	fi
}

/* What is only the order in which the waits for a run are told and reported, and what
   finds them there. */
/* - sync_del.go: (*ending).queue */
/* - sync_del.go: (*queue).push */
/* - sync_del.go: (*queue).remove */
/* - sync_del.go: (*ending).unreported */

/* leadsTo collects in reach the workers whose ends the handler of worker r waits
   for, by any chain, and itself. */
inline leadsTo(r) {
	/* = sync_del.go: (*worker).leadsTo "if wk == target {" */
	reach = 1 << r;
	/* = sync_del.go: (*worker).leadsTo "if wk.waiting == nil || seen[wk] {" "return slices.ContainsFunc(wk.waiting.on, func(e edge) bool { return !e.come && e.wk.leadsTo(target, seen) })" */
	for (n : 1 .. (MUTANT == short_circles_only -> 1 : WORKERS)) {
		next = reach;
		for (k : 0 .. WORKERS - 1) {
			if
			:: reach >> k & 1 && wk[k].waiting -> next = next | wait[wk[k].waiting - 1].on
			:: else -> skip
			fi
		}
		reach = next
	}
}

/* await waits until the runs that x waits for have ended, or its context ends. The
   code waits for one after the other; to be through is to have waited for all. */
inline await(x, t, context, err) {
	if
	/* = sync_del.go: (*shard).await "for _, e := range x.on {" "x.leave(sh.w)" "return nil" */
	/* = crew.go: await "case <-done:" */
	:: section {
		!wait[x].untold && MUTANT != waits_for_flag && MUTANT != waits_for_number ->
		leave(x); returned(x); err = ok; reached(waited)
	}
	:: section { MUTANT == waits_for_flag && !slot[indexOf(t)].running -> leave(x); touch(t); returned(x); err = ok }
	:: section { MUTANT == waits_for_number && !isRunning(indexOf(t)) -> leave(x); returned(x); err = ok }
	/* = sync_del.go: (*shard).await "if err := await(ctx, e.over); err != nil {" */
	/* = crew.go: await "case <-ctx.Done():" "if ready(done) {" "return ctx.Err()" */
	:: context && wait[x].untold ->
		section {
			/* = sync_del.go: (*shard).await "if sh.abandon(x) {" "return err" "return nil // they ended meanwhile" */
			abandon(x, err);
			unlock();
			if
			:: err == ok -> returned(x)
			:: else -> gaveUp(x)
			fi
		}
	fi
}

/* leave ends the part that a deletion has in circles. */
inline leave(x) {
	/* = sync_del.go: (*wait).leave "x.from.waiting = nil" */
	if
	:: wait[x].from != NOBODY -> wk[wait[x].from].waiting = 0; stopsWaiting(wait[x].from)
	:: else -> skip
	fi
}

/* abandon gives up a wait, unless there is nothing to wait for any more. */
inline abandon(x, err) {
	/* = sync_del.go: (*shard).abandon "x.leave(sh.w)" */
	if
	:: MUTANT == edge_outlives_wait -> stopsWaiting(wait[x].from)
	:: else -> leave(x)
	fi;
	/* = sync_del.go: (*shard).abandon "waited = true" */
	err = (wait[x].on -> ErrContext : ok);
	for (k : 0 .. WORKERS - 1) {
		if
		/* = sync_del.go: (*shard).abandon "if !e.come {" "sh.forget(x, e)" */
		:: wait[x].on >> k & 1 -> forget(x, k)
		:: else -> skip
		fi
	}
	if
	:: err == ErrContext -> reached(abandoned)
	:: else -> reached(ended_before_abandon)
	fi;
	wait[x].on = (MUTANT == edge_outlives_wait -> wait[x].on : 0)
}

/* forget takes x from those that wait for the run of worker r. */
inline forget(x, r) {
	/* = sync_del.go: (*shard).forget "e.queue(x).remove(e.at)" */
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
			/* = sync_del.go: (*worker).endWaits "e.come = true" */
			wait[k].on = wait[k].on & ~(1 << w);
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

/* closeOver wakes the deletions that waited for the run of worker w. Those that only
   have to be told remain. */
inline closeOver(w) {
	for (k : 0 .. WAITS - 1) {
		if
		:: wk[w].ended >> k & 1 && !wait[k].async ->
			/* = worker.go: (*worker).settle "defer close(e.over)" */
			wait[k].untold = wait[k].untold & ~(1 << w);
			wk[w].ended = wk[w].ended & ~(1 << k)
		:: else -> skip
		fi
	}
}

/* tell tells DelAsync x, if worker w has ended its wait, that it is over. */
inline tell(w, x) {
	section {
		wk[w].ended >> x & 1 && wait[x].async ->
		wk[w].ended = wk[w].ended & ~(1 << x);
		wait[x].untold = 0;
		/* = sync_del.go: (*wait).tell "w.send(func(*worker) { x.done() })" */
		send(x)
	}
}

/* delAsync is DelAsync. me is as in delSync; the code does not look at it. */
inline delAsync(x, t, me, err) {
	section {
		fresh(x) -> begins(x, t);
		wait[x].async = true;
		/* = sync_del.go: Timer.delAsync "i, s, found := sh.delete(t, 0)" "if !found.Running {" */
		delete(t, false);
		if
		:: foundRunning ->
			/* = sync_del.go: Timer.delAsync "x := &wait{done: done}" "sh.enlist(x, sh.runOf(i))" "s.flags |= deleting" */
			wait[x].from = (MUTANT == async_is_edge -> me : NOBODY);
			runOf(indexOf(t));
			enlist(x, 1 << theRun, err);
			slot[indexOf(t)].deleting = true;
			reached(async_waits)
		:: else -> err = ok
		fi;
		unlock()
	}
	if
	/* = sync_del.go: Timer.delAsync "t.w.callDone(done)" */
	:: section { err == ok -> callDone(x) }
	:: else -> err = ok
	fi
}

/* callDone calls the done of x, which has nothing to wait for. */
inline callDone(x) {
	if
	/* = sync_del.go: (*Wheel).callDone "case !w.sendUnlessClosed(func(*worker) { done() }):" */
	/* = crew.go: (*Wheel).sendUnlessClosed "open := !w.closed" "w.coming++" */
	:: !wheelClosed || MUTANT == sent_after_close -> send(x); reached(async_at_once)
	/* = sync_del.go: (*Wheel).callDone "go done()" */
	:: else -> done(x); reached(async_on_closed)
	fi
}

/* done is the function that a DelAsync was given. */
inline done(x) {
	returned(x);
	wait[x].async = false
}
