package main

// The mutants, by what they break: first the ground rules of sync_del.go, then
// the promises of the files around it.
//
// Most are noticed by a test that stages the very case. Those that are explored
// go wrong only if somebody comes between two neighbouring critical sections:
// they need every schedule to be tried.
var mutants = []mutant{
	// Rule 1: identity.
	{
		Name: "a handle of any generation reaches the slot",
		Rule: "sync_del 1",
		Edits: []edit{{"handle.go",
			`s.gen == uint32(t.id>>32) {`,
			`true {`}},
		Red: tests("TestStaleHandleNeverReachesTheNextTenant"),
	},
	{
		Name: "DelSync looks in one critical section, and deletes in the next",
		Rule: "sync_del 1",
		Edits: []edit{{"sync_del.go", `
		_, _, found := sh.delete(t, mark)
		sh.unlockDeleted(found)`, `
		sh.unlock()
		sh.lock()
		_, _, found := sh.delete(t, mark)
		sh.unlockDeleted(found)`}},
		Red: tests("TestNoHandlerBeginsInTheMidstOfADeletion"),
	},
	{
		Name: "DelSync's second look goes by the number of the slot, not by the generation",
		Rule: "sync_del 1",
		Edits: []edit{{"sync_del.go", `
	x := t.w.newWait()
	sh.lock()
`, `
	x := t.w.newWait()
	sh.lock()
	if i := uint32(t.id) >> shardBits; sh.slots.chunks.rows[i>>chunkBits] != nil && *sh.body(i) != nil {
		t = sh.timer(i, sh.slots.at(i))
	}
`}},
		Red: explored("free and reuse during DelSync"),
	},
	{
		Name: "a worker that has waited for a timer's lock does not look again",
		Rule: "sync_del 1",
		Edits: []edit{{"worker.go",
			`if _, s = sh.lookup(t); s != nil {`,
			`if s != nil {`}},
		Red: tests("TestLockedTimerRecycledWhileItsWorkerWaits"),
	},

	// Rule 2: publish at once.
	{
		Name: "a slot is published after the unlock",
		Rule: "sync_del 2",
		Edits: []edit{
			{"worker.go", `
	s.flags |= running
`, `
`},
			{"worker.go", `
	wk.place = sh.running.n
	sh.running.push(runningSlot{wk: wk, since: since, waiting: never, i: i})
`, `
`},
			{"worker.go", `
		wk.appoint(sh, wk.slot(sh).since)
`, `
		sh.unlock()
		sh.lock()
		s.flags |= running
		wk.place = sh.running.n
		sh.running.push(runningSlot{wk: wk, since: then, waiting: never, i: i})
		wk.appoint(sh, then)
`}},
		Red: explored("DelSync of a due timer"),
	},
	{
		Name: "a slot is published after the successor has been appointed",
		Rule: "sync_del 2",
		Edits: []edit{
			{"worker.go", `
	s.flags |= running
`, `
`},
			{"worker.go", `
	wk.place = sh.running.n
	sh.running.push(runningSlot{wk: wk, since: since, waiting: never, i: i})
`, `
`},
			{"worker.go", `
		wk.appoint(sh, wk.slot(sh).since)
`, `
		wk.appoint(sh, then)
		sh.lock()
		s.flags |= running
		wk.place = sh.running.n
		sh.running.push(runningSlot{wk: wk, since: then, waiting: never, i: i})
		sh.unlock()
`}},
		Red: explored("DelSync of a due timer"),
	},

	// Rule 3: the run holds a reference.
	{
		Name: "the run holds no reference",
		Rule: "sync_del 3",
		Edits: []edit{{"handle.go",
			`s.flags&(pending|running) != 0`,
			`s.flags&pending != 0`}},
		Red: tests("TestOwnHandleIsValidInItsHandler"),
	},
	{
		Name: "the end of a run does not let go of a timer without owners",
		Rule: "sync_del 3",
		Edits: []edit{{"worker.go", `
	case s.flags&pending == 0 || sh.closed:
		sh.release(i, s)
`, `
	case s.flags&pending == 0 || sh.closed:
`}},
		Red: tests("TestAfterFuncRecyclesItself"),
	},

	// Rule 4: one run at a time.
	{
		Name: "overlap is allowed: a timer that falls due while it runs is not held",
		Rule: "sync_del 4",
		Edits: []edit{{"worker.go",
			`if s.flags&(running|locking) != 0 {`,
			`if s.flags&locking != 0 {`}},
		Red: tests("TestDueAgainWhileRunningRunsOnceMoreAfterIt"),
	},
	{
		Name: "a timer whose lock a worker waits for is not held",
		Rule: "sync_del 4",
		Edits: []edit{{"worker.go",
			`if s.flags&(running|locking) != 0 {`,
			`if s.flags&running != 0 {`}},
		Red: tests("TestLockedTimerHasOneWorkerWaitingAtMost"),
	},
	{
		Name: "the end of a run does not put the held timer back",
		Rule: "sync_del 4",
		Edits: []edit{{"worker.go",
			`case sh.held(s):`,
			`case false:`}},
		Red: tests("TestDueAgainWhileRunningRunsOnceMoreAfterIt"),
	},
	{
		Name: "a timer that was moved while a worker waited for its lock runs nevertheless",
		Rule: "sync_del 4",
		Edits: []edit{{"worker.go",
			`if sh.held(s) {
			wk.locked`,
			`if s.flags&pending != 0 {
			wk.locked`}},
		Red: tests("TestLockedTimerMovedWhileItsWorkerWaitsRunsAtItsNewTime"),
	},
	{
		Name: "a worker whose Lock does not return keeps its timer held",
		Rule: "sync_del 4",
		Edits: []edit{{"worker.go",
			`if wk.acquiring != (Timer{}) {`,
			`if false {`}},
		Red: tests("TestALockThatDoesNotReturnLeavesItsTimerPending"),
	},

	// Rule 5: mark before wait.
	{
		Name: "Register is allowed during DelSync",
		Rule: "sync_del 5",
		Edits: []edit{{"sync_del.go", `
		if !deadlock {
			s.flags |= deleting
		}
`, `
		_ = s
`}},
		Red: tests("TestRegisterIsRefusedWhileADeletionWaits"),
	},
	{
		Name: "Register is allowed during DelAsync",
		Rule: "sync_del 5",
		Edits: []edit{{"sync_del.go", `
	s.flags |= deleting
	sh.unlockDeleted`, `
	_ = s
	sh.unlockDeleted`}},
		Red: tests("TestRegisterIsRefusedWhileADeletionWaits"),
	},
	{
		Name: "the mark is set one critical section after the wait has begun",
		Rule: "sync_del 5",
		Edits: []edit{{"sync_del.go", `
		if !deadlock {
			s.flags |= deleting
		}
	}
	sh.unlockDeleted(found)
`, `
	}
	sh.unlockDeleted(found)
	sh.lock()
	if _, s = sh.lookup(t); s != nil && !deadlock && s.flags&running != 0 {
		s.flags |= deleting
	}
	sh.unlock()
`}},
		Red: explored("a handler that exits"),
	},
	{
		Name: "a deletion that must not wait marks the run nevertheless",
		Rule: "sync_del 5",
		Edits: []edit{{"sync_del.go", `
		if !deadlock {
			s.flags |= deleting
		}
`, `
		s.flags |= deleting
`}},
		Red: tests("TestADeletionWithErrDeadlockLeavesNoRefusal"),
	},
	{
		Name: "the firing that a handler has re-added is not removed",
		Rule: "sync_del 5",
		Edits: []edit{{"sync_del.go",
			`found.Pending = sh.disarm(i, s)`,
			`found.Pending = !found.Running && sh.disarm(i, s)`}},
		Red: tests("TestTimerShutdownWhileTheHandlerHasReAdded"),
	},

	// Rule 6: wait for the run, not for the timer.
	{
		Name: "the wait is left out",
		Rule: "sync_del 6",
		Edits: []edit{{"sync_del.go",
			`return found, sh.await(ctx, x)`,
			`return found, nil`}},
		Red: tests("TestDelSyncWaitsForTheHandler"),
	},
	{
		Name: "the wait is for the slot, not for the generation, and so for the next tenant",
		Rule: "sync_del 6",
		Edits: []edit{
			{"sync_del.go", `
	"slices"
`, `
	"slices"
	"time"
`},
			{"sync_del.go", `
	return found, sh.await(ctx, x)
`, `
	for busy := true; busy && ctx.Err() == nil; time.Sleep(time.Microsecond) {
		sh.lock()
		busy = sh.slots.chunks.rows[i>>chunkBits] != nil && sh.slots.at(i).flags&running != 0
		sh.unlock()
	}
	return found, ctx.Err()
`}},
		Red: tests("TestDelSyncNeitherWaitsForNorTouchesTheNextTenant"),
	},
	{
		Name: "the waiter takes the mark away, from whatever is in the slot by then",
		Rule: "sync_del 6",
		Edits: []edit{{"sync_del.go", `
	return found, sh.await(ctx, x)
`, `
	err := sh.await(ctx, x)
	sh.lock()
	sh.slots.at(i).flags &^= deleting
	sh.unlock()
	return found, err
`}},
		Red: tests("TestDelSyncNeitherWaitsForNorTouchesTheNextTenant", "TestDelSyncContextGivesUpWhenItsContextEnds"),
	},

	// Rule 7: the end is one critical section.
	{
		Name: "the refusal outlives its run",
		Rule: "sync_del 7",
		Edits: []edit{{"worker.go",
			`s.flags &^= running | deleting`,
			`s.flags &^= running`}},
		Red: tests("TestRegisterHoldsOnceTheRunHasEnded"),
	},
	{
		Name: "the refusal bit is cleared early: when the deletion gives up",
		Rule: "sync_del 7",
		Edits: []edit{{"sync_del.go", `
	e.queue(x).remove(e.at)
`, `
	e.queue(x).remove(e.at)
	sh.slots.at(e.wk.slot(sh).i).flags &^= deleting
`}},
		Red: tests("TestDelSyncContextGivesUpWhenItsContextEnds"),
	},
	{
		Name: "the refusal bit is cleared early: one critical section before the run ends",
		Rule: "sync_del 7",
		Edits: []edit{{"worker.go", `
		locked := wk.relock(sh, now)
		wk.finish(sh, now)
		now = locked
		if`, `
		sh.lock()
		sh.slots.at(wk.slot(sh).i).flags &^= deleting
		sh.unlock()
		locked := wk.relock(sh, now)
		wk.finish(sh, now)
		now = locked
		if`}},
		Red: explored("a handler that exits"),
	},
	{
		Name: "a waiter is woken before the slot is cleared",
		Rule: "sync_del 7",
		Edits: []edit{{"worker.go", `
		locked := wk.relock(sh, now)
		wk.finish(sh, now)
		now = locked
		if`, `
		sh.lock()
		if wk.ending != nil {
			wk.endWaits()
			close(wk.ended.over)
			wk.ended = nil
		}
		sh.unlock()
		locked := wk.relock(sh, now)
		wk.finish(sh, now)
		now = locked
		if`}},
		Red: explored("two deleters"),
	},
	{
		Name: "the waits are ended one critical section before the slot is cleared",
		Rule: "sync_del 7",
		Edits: []edit{{"worker.go", `
		locked := wk.relock(sh, now)
		wk.finish(sh, now)
		now = locked
		if`, `
		sh.lock()
		if wk.ending != nil {
			wk.endWaits()
		}
		sh.unlock()
		locked := wk.relock(sh, now)
		wk.finish(sh, now)
		now = locked
		if`}},
		Red: explored("a deletion that gives up"),
	},
	{
		Name: "a timer's lock is released before the slot is cleared",
		Rule: "sync_del 7",
		Edits: []edit{{"worker.go", `
		locked := wk.relock(sh, now)
		wk.finish(sh, now)
		now = locked
		if`, `
		if l := wk.locked; l != nil {
			wk.locked = nil
			l.Unlock()
		}
		locked := wk.relock(sh, now)
		wk.finish(sh, now)
		now = locked
		if`}},
		Red: tests("TestLockedRunIsOverBeforeItsLockIsReleased"),
	},
	{
		Name: "Goexit is not handled",
		Rule: "sync_del 7",
		Edits: []edit{{"worker.go", `
	var from origin
	now := wk.w.elapsed()
`, `
	if p == nil {
		return
	}
	var from origin
	now := wk.w.elapsed()
`}},
		Red: tests("TestGoexitClearsTheSlotReleasesTheWaitersAndReplacesTheWorker"),
	},
	{
		Name: "OnPanic is called before the run has ended",
		Rule: "sync_del 7",
		Edits: []edit{{"worker.go", `
	wk.finish(sh, now)
	sh.unlock()
	wk.settle()
	if p != nil {
		p.AllocatedAt, p.RegisteredAt = from.allocated.String(), from.registered.String()
		wk.outside(func() { wk.w.onPanic(*p) })
	}
`, `
	sh.unlock()
	if p != nil {
		p.AllocatedAt, p.RegisteredAt = from.allocated.String(), from.registered.String()
		wk.outside(func() { wk.w.onPanic(*p) })
	}
	sh.lock()
	wk.finish(sh, now)
	sh.unlock()
	wk.settle()
`}},
		Red: tests("TestWaitersAreReleasedBeforeOnPanic"),
	},
	{
		Name: "the first of several runs to end ends the wait for all of them",
		Rule: "sync_del 7",
		Edits: []edit{{"sync_del.go", `
			return nil // they ended meanwhile
		}
	}
`, `
			return nil // they ended meanwhile
		}
		break
	}
`}},
		Red: tests("TestGroupDeletionWaitsForAllHandlers"),
	},

	// Rule 8: no wait in a circle.
	{
		Name: "a handler waits for itself",
		Rule: "sync_del 8",
		Edits: []edit{{"sync_del.go",
			`r.leadsTo(x.from, nil) {`,
			`r != x.from && r.leadsTo(x.from, nil) {`}},
		Red: tests("TestDelSyncInItsOwnHandlerIsErrDeadlock"),
	},
	{
		Name: "a circle of more than two is not seen",
		Rule: "sync_del 8",
		Edits: []edit{{"sync_del.go",
			`e.wk.leadsTo(target, seen) })`,
			`e.wk == target })`}},
		Red: tests("TestTheCallThatWouldCloseACircleIsErrDeadlock"),
	},
	{
		Name: "a circle is looked for through the first run of each wait only",
		Rule: "sync_del 8",
		Edits: []edit{{"sync_del.go",
			`slices.ContainsFunc(wk.waiting.on, func`,
			`slices.ContainsFunc(wk.waiting.on[:min(1, len(wk.waiting.on))], func`}},
		Red: tests("TestGroupDeletionIsALinkOfACircle"),
	},
	{
		Name: "an edge is added one critical section after the look for a circle",
		Rule: "sync_del 8",
		Edits: []edit{
			{"sync_del.go", `
	x := t.w.newWait()
	sh.lock()
	i, s, found := sh.delete(t, mark)
	deadlock := false
	if found.Running {
		deadlock = !sh.enlist(x, sh.runOf(i))
`, `
	x := t.w.newWait()
	sh.lock()
	circle := false
	if i, s := sh.lookup(t); s != nil && s.flags&running != 0 && x.from != nil {
		t.w.mu.Lock()
		circle = sh.runOf(i).leadsTo(x.from, nil)
		t.w.mu.Unlock()
	}
	sh.unlock()
	sh.lock()
	i, s, found := sh.delete(t, mark)
	deadlock := false
	if found.Running {
		deadlock = circle || !sh.enlist(x, sh.runOf(i))
`},
			{"sync_del.go",
				`if x.from != nil && r.leadsTo(x.from, nil) {`,
				`if false {`}},
		Red: explored("mutual DelSync"),
	},
	{
		Name: "a wait that was given up leaves its edge behind",
		Rule: "sync_del 8",
		Edits: []edit{{"sync_del.go", `
	defer sh.unlock()
	x.leave(sh.w)
`, `
	defer sh.unlock()
`}},
		Red: tests("TestAWaitThatIsOverIsNoLinkOfACircle"),
	},
	{
		Name: "who gives a wait up takes the wheel's lock before the shard's",
		Rule: "sync_del, locks",
		Edits: []edit{{"sync_del.go", `
	sh.lock()
	defer sh.unlock()
	x.leave(sh.w)
`, `
	sh.w.mu.Lock()
	sh.lock()
	sh.w.mu.Unlock()
	defer sh.unlock()
	x.leave(sh.w)
`}},
		Red: explored("a deletion that gives up"),
	},
	{
		Name: "who gives a wait up does not look whether it has ended meanwhile",
		Rule: "sync_del 8",
		Edits: []edit{{"sync_del.go",
			`if !e.come {`,
			`if true {`}},
		Red: tests("TestAnEndedRunWinsOverALaterContext"),
	},
	{
		Name: "the end of a run does not say that it has come",
		Rule: "sync_del 8",
		Edits: []edit{{"sync_del.go", `
	e.come = true
`, `
`}},
		Red: tests("TestAnEdgeGoesWithItsRun"),
	},
	{
		Name: "a worker's next run has the ending of its last",
		Rule: "sync_del 6",
		Edits: []edit{{"sync_del.go",
			`wk.ending, wk.ended = nil, e`,
			`wk.ended = e`}},
		Red: tests("TestEachRunHasAnEndingOfItsOwn"),
	},
	{
		Name: "a group's deletion that gives up lets go of the refusal though another waits",
		Rule: "sync_del 5",
		Edits: []edit{{"sync_del.go",
			`if e.groups--; e.groups == 0 {`,
			`if e.groups--; true {`}},
		Red: tests("TestAGroupDeletionThatGivesUpLeavesTheRefusalToTheOthers"),
	},
	{
		Name: "the first run of a group to end ends the refusal",
		Rule: "sync_del 5",
		Edits: []edit{{"sync_del.go",
			`e.group.deleting--`,
			`e.group.deleting = 0`}},
		Red: tests("TestGroupMembersAreRefusedWhileADeletionWaits"),
	},

	// Rule 9: a deletion never waits for what has not begun.
	{
		Name: "a timer in the due list cannot be deleted",
		Rule: "sync_del 9",
		Edits: []edit{{"shard.go", `
	if s.flags&pending == 0 {
		return false
	}
`, `
	if s.flags&pending == 0 || sh.levels.list(s) == listDue && !sh.closed {
		return false
	}
`}},
		Red: tests("TestAManualWheelAgainstAnObviousModel"),
	},
	{
		Name: "a held timer cannot be deleted",
		Rule: "sync_del 9",
		Edits: []edit{{"shard.go", `
	if s.flags&pending == 0 {
		return false
	}
`, `
	if s.flags&pending == 0 || sh.levels.list(s) == listHeld && !sh.closed {
		return false
	}
`}},
		Red: tests("TestDelOfARunningTimerDoesNotWait"),
	},
	{
		Name: "a deletion waits for a timer whose worker waits for its lock",
		Rule: "sync_del 9",
		Edits: []edit{{"sync_del.go",
			`found.Running = s.flags&running != 0`,
			`found.Running = s.flags&(running|locking) != 0`}},
		Red: tests("TestLockedDeletionWhileHoldingTheLockIsSynchronous"),
	},

	{
		Name: "a wait that is given up takes the mark away",
		Rule: "sync_del 5",
		Edits: []edit{{"sync_del.go", `
	e.queue(x).remove(e.at)
`, `
	e.queue(x).remove(e.at)
	sh.slots.at(e.wk.slot(sh).i).flags &^= deleting
`}},
		Red: explored("a deletion that gives up"),
	},
	{
		Name: "a group's deletion lets go of the refusal before it waits",
		Rule: "sync_del 5",
		Edits: []edit{{"group.go", `
	if !found.Running {
		g.deleting--
		sh.unlockDeleted(found)
		return found, nil
	}
	sh.unlockDeleted(found)
`, `
	g.deleting--
	sh.unlockDeleted(found)
	if !found.Running {
		return found, nil
	}
`}, {"group.go", `
	sh.lock()
	deadlock := g.enlist(x)
`, `
	sh.lock()
	g.deleting++
	deadlock := g.enlist(x)
`}},
		Red: explored("a group"),
	},

	// handle.go: slots, generations, references.
	{
		Name: "the generation is not moved on",
		Rule: "handle.go",
		Edits: []edit{{"handle.go", `
		s.gen++
`, `
`}},
		Red: tests("TestStaleHandleNeverReachesTheNextTenant"),
	},
	{
		Name: "the last generation is followed by the first, the slot not retired",
		Rule: "handle.go",
		Edits: []edit{{"handle.go",
			`if s.gen < lastGen {`,
			`if true {`}},
		Red: tests("TestExhaustedRecordIsRetired"),
	},
	{
		Name: "a chunk leaves no floor when it is given back",
		Rule: "handle.go",
		Edits: []edit{{"handle.go",
			`floor = max(floor, c.items[k].gen)`,
			`_, _ = k, floor`}},
		Red: tests("TestGenerationsDoNotRestart"),
	},
	{
		Name: "owners hold no reference",
		Rule: "handle.go",
		Edits: []edit{{"handle.go",
			`if s.owners > 0 || s.flags`,
			`if s.flags`}},
		Red: tests("TestTimerLivesUntilItsLastOwnerFrees"),
	},
	{
		Name: "the wheel holds no reference to what is pending",
		Rule: "handle.go",
		Edits: []edit{{"handle.go",
			`s.flags&(pending|running) != 0`,
			`s.flags&running != 0`}},
		Red: tests("TestRetainedSeriesOutlivesItsDeletion"),
	},
	{
		Name: "the closure is kept after the last reference",
		Rule: "handle.go",
		Edits: []edit{{"handle.go", `
	*sh.body(i) = nil
`, `
`}},
		Red: tests("TestClosureIsCollectableWhenTheLastReferenceGoes"),
	},

	// worker.go: who runs handlers.
	{
		Name: "no successor is appointed before a handler runs",
		Rule: "worker.go",
		Edits: []edit{{"worker.go", `
		wk.appoint(sh, wk.slot(sh).since)
`, `
		sh.unlock()
`}},
		Red: tests("TestHandlersThatBlockDelayNoOtherTimer"),
	},
	{
		Name: "there is one worker more than MaxWorkers",
		Rule: "worker.go",
		Edits: []edit{{"worker.go",
			`w.workers < w.maxWorkers`,
			`w.workers <= w.maxWorkers`}},
		Red: tests("TestMaxWorkersIsTheMostHandlersRunningAtOnce"),
	},
	{
		Name: "workers that get no processor are taken for workers that get on with it",
		Rule: "worker.go",
		Edits: []edit{{"worker.go",
			`idle < int64(starved)`,
			`idle < never`}},
		Red: tests("TestStarvedWorkersAreReplaced"),
	},
	{
		Name: "a worker with nothing left to do gives way before it goes",
		Rule: "worker.go",
		Edits: []edit{{"worker.go",
			`if now >= wk.mine && sh.soonest() <= now {`,
			`if now >= wk.mine {`}},
		Red: tests("TestAWorkerDoesNotGiveWayToGo"),
	},
	{
		Name: "a worker that finds its timer deleted keeps the timer's lock",
		Rule: "worker.go",
		Edits: []edit{{"worker.go", `
	sh.unlock()
	l.Unlock()
	sh.lock()
	return nil
`, `
	return nil
`}},
		Red: tests("TestLockedTimerDeletedWhileItsWorkerWaitsDoesNotRun"),
	},

	// alarm.go: no wake-up is lost, and none is left over.
	{
		Name: "a wheel on which nothing pends any more keeps its wake-up",
		Rule: "alarm.go",
		Edits: []edit{{"alarm.go",
			`if w.manual || w.busy() {`,
			`if true {`}},
		Red: explored("no wake-up is left over"),
	},
	{
		Name: "who stops the alarm does not look at the shards again",
		Rule: "alarm.go",
		Edits: []edit{{"alarm.go",
			`if len(w.crew)+w.coming > 0 || w.busy() {`,
			`if len(w.crew)+w.coming > 0 {`}},
		Red: explored("no wake-up is lost to a deletion"),
	},
	{
		Name: "who stops the alarm does not tell those who are about to set it",
		Rule: "alarm.go",
		Edits: []edit{{"alarm.go", `
	w.mu.Lock()
	w.clearAlarm()
	if len(w.crew)`, `
	w.mu.Lock()
	if len(w.crew)`}},
		Red: tests("TestNoWakeUpIsLeftByARearmThatWasOvertaken"),
	},
	{
		Name: "who registers sets the alarm after the shard's section",
		Rule: "alarm.go",
		Edits: []edit{{"shard.go", `
	sh.w.wakeBy(sh.place(i, s, now))
`, `
	wake := sh.place(i, s, now)
	sh.unlock()
	sh.w.wakeBy(wake)
	sh.lock()
`}},
		Red: explored("no wake-up is left over by another"),
	},
	{
		Name: "a worker that goes rearms the alarm before its place is free",
		Rule: "worker.go",
		Edits: []edit{{"crew.go", `
	if wk.hired {
		w.mu.Lock()
		w.workers--
		w.mu.Unlock()
	}
	if wk.rearms {
		w.rearm(wk.notBefore)
	}
`, `
	if wk.rearms {
		w.rearm(wk.notBefore)
	}
	if wk.hired {
		w.mu.Lock()
		w.workers--
		w.mu.Unlock()
	}
`}},
		Red: explored("all workers are at work"),
	},
	{
		Name: "a rearm looks at the shards before it clears the alarm, and loses a wake-up",
		Rule: "alarm.go",
		Edits: []edit{{"alarm.go", `
	w.mu.Lock()
	epoch := w.clearAlarm()
	w.mu.Unlock()

	next, stall := w.soonest()
`, `
	next, stall := w.soonest()

	w.mu.Lock()
	epoch := w.clearAlarm()
	w.mu.Unlock()
`}},
		Red: explored("no wake-up is lost"),
	},
	{
		Name: "Close does not join the callback that is still to come",
		Rule: "alarm.go",
		Edits: []edit{{"crew.go",
			` && w.alarm.rings == 0`,
			``}},
		Red: tests("TestCloseJoinsTheGoroutineThatTheAlarmHasJustCalled"),
	},
	{
		Name: "a wheel whose last timer was deleted is woken nevertheless",
		Rule: "alarm.go",
		Edits: []edit{{"sync_del.go", `
	if drained {
		sh.w.quiesce()
	}
`, `
	_ = drained
`}},
		Red: tests("TestADrainedWheelHasNoGoroutineAndNoWakeUp"),
	},

	// wheel.go, levels.go, stats.go: the end, the time, the counters.
	{
		Name: "Close does not wait",
		Rule: "wheel.go",
		Edits: []edit{{"wheel.go",
			`err := w.join(ctx)`,
			`var err error`}},
		Red: tests("TestCloseWaitsForEveryHandlerInFlight"),
	},
	{
		Name: "a timer whose lock was waited for runs while Close drops the others",
		Rule: "wheel.go",
		Edits: []edit{{"worker.go",
			`return s.flags&(pending|slotted) == pending && !sh.closed && sh.levels.list(s) == listHeld`,
			`return s.flags&(pending|slotted) == pending && (sh.closed || sh.levels.list(s) == listHeld)`}},
		Red: tests("TestCloseDropsWhatIsPutBackMeanwhile"),
	},
	{
		Name: "the end of a run puts a periodic timer back while Close drops the others",
		Rule: "wheel.go",
		Edits: []edit{{"worker.go",
			`case s.flags&pending == 0 || sh.closed:`,
			`case s.flags&pending == 0:`}},
		Red: tests("TestCloseDropsWhatIsPutBackMeanwhile"),
	},
	{
		Name:  "a timer that was registered anew for later fires at its old deadline",
		Rule:  "levels.go",
		Edits: []edit{{"levels.go", `if s.when > now && s.flags&prompt == 0 {`, `if s.when > now && s.when < 0 {`}},
		Red:   tests("TestLevelsRipenInPieces"),
	},
	{
		Name: "a handler is early by one tick at a level boundary",
		Rule: "levels.go",
		Edits: []edit{
			{"levels.go", `l.insertAt(i, l.timers.at(i), ticks[k])`, `l.insertAt(i, l.timers.at(i), ticks[k]-1)`},
			{"levels.go", `if s.when > now && s.flags&prompt == 0 {`, `if s.when > now+l.tick && s.flags&prompt == 0 {`},
		},
		Red: tests("TestFiresNeverEarlyAndAtMostTwoTicksLate", "TestLevelsFireAtTheirTick"),
	},
	{
		Name: "of 64 ticks of the lowest level the first says for all when to look",
		Rule: "levels.go",
		Edits: []edit{{"levels.go",
			`digit<<digitBits | int64(bits.TrailingZeros64(l.ticks[digit]))`,
			`digit << digitBits`}},
		Red: tests("TestLevelsLookAtWhatIsNearAtItsTick"),
	},
	{
		Name: "Running lists what has begun since it was called",
		Rule: "stats.go",
		Edits: []edit{{"stats.go",
			`if r.since <= began {`,
			`if began >= 0 {`}},
		Red: tests("TestRunningListsWhatHadBegun"),
	},
	{
		Name: "a counter is missed on one path: a series that arms itself is not registered",
		Rule: "stats.go",
		Edits: []edit{{"every.go", `
	sh.link(s)
`, `
	sh.link(s)
	sh.counters.registered--
`}},
		Red: tests("TestEveryIsOneTimer"),
	},

	// group.go: many timers, one deletion.
	{
		Name: "members can be registered while their group is being deleted",
		Rule: "group.go",
		Edits: []edit{{"group.go",
			`return g != nil && g.deleting > 0`,
			`return false`}},
		Red: tests("TestGroupMembersAreRefusedWhileADeletionWaits"),
	},
	{
		Name: "a group's deletion waits for every handler of its shard",
		Rule: "group.go",
		Edits: []edit{{"group.go",
			`case sh.groupOf(r.i, s) != g || seen[r.wk]:`,
			`case seen[r.wk]:`}},
		Red: tests("TestGroupDeletionWaitsForAllHandlers"),
	},
	{
		Name: "a group's deletion that waits for nobody leaves its members refused",
		Rule: "group.go",
		Edits: []edit{{"group.go", `
	deadlock := g.enlist(x)
	g.deleting--
`, `
	deadlock := g.enlist(x)
`}},
		Red: tests("TestGroupsOnAManualWheel"),
	},

	// every.go: series.
	{
		Name: "an instant is skipped that has passed, and is not due yet",
		Rule: "every.go",
		Edits: []edit{{"every.go",
			`max(s.when, sh.levels.beginOfTick(now))`,
			`now`}},
		Red: tests("TestEveryTickIsOneFiring"),
	},
	{
		Name: "instants that a handler has missed are made up for",
		Rule: "every.go",
		Edits: []edit{{"worker.go",
			`case s.flags&onGrid != 0 && s.when <= sh.levels.beginOfTick(now):`,
			`case false:`}},
		Red: tests("TestEverySkipsWhatItsHandlerMissed"),
	},
}
