package main

// The mutants, by what they break: first the ground rules of sync_del.go, then the
// promises of the files around it.
//
// Most are killed by a test that stages the very case. Those that are explored go wrong
// only if another goroutine comes between two neighbouring critical sections: to find
// them every schedule must be tried.
var mutants = []mutant{
	// Rule 1: identity.
	{
		Name: "a handle of any generation reaches the record",
		Rule: "sync_del 1",
		Edits: []edit{{"handle.go",
			`s.Gen == uint32(t.id>>32) {`,
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
		Name: "DelSync's second look goes by the number of the record, not by the generation",
		Rule: "sync_del 1",
		Edits: []edit{{"sync_del.go", `
	x := t.w.newWait()
	sh.lock()
`, `
	x := t.w.newWait()
	sh.lock()
	if i := uint32(t.id) >> shardBits; sh.records.Chunk(i/chunkLen) != nil && *sh.body(i) != nil {
		t = sh.timer(i, sh.records.At(i))
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
		Name: "a running slot is published after the unlock",
		Rule: "sync_del 2",
		Edits: []edit{
			{"worker.go", `
	s.Flags |= running
`, `
`},
			{"worker.go", `
	wk.publish(sh, i, since)
`, `
`},
			{"worker.go", `
		wk.unlockAndRearm(sh, wk.slot(sh).since)
`, `
		sh.unlock()
		sh.lock()
		s.Flags |= running
		wk.publish(sh, i, then)
		wk.unlockAndRearm(sh, then)
`}},
		Red: explored("DelSync of a due timer"),
	},
	{
		Name: "a running slot is published after the alarm is set for the next worker",
		Rule: "sync_del 2",
		Edits: []edit{
			{"worker.go", `
	s.Flags |= running
`, `
`},
			{"worker.go", `
	wk.publish(sh, i, since)
`, `
`},
			{"worker.go", `
		wk.unlockAndRearm(sh, wk.slot(sh).since)
`, `
		wk.unlockAndRearm(sh, then)
		sh.lock()
		s.Flags |= running
		wk.publish(sh, i, then)
		sh.unlock()
`}},
		Red: explored("DelSync of a due timer"),
	},

	// Rule 3: the run holds a reference.
	{
		Name: "the run holds no reference",
		Rule: "sync_del 3",
		Edits: []edit{{"handle.go",
			`s.Flags&(pending|running) != 0`,
			`s.Flags&pending != 0`}},
		Red: tests("TestOwnHandleIsValidInItsHandler"),
	},
	{
		Name: "the end of a run does not recycle a timer without owners",
		Rule: "sync_del 3",
		Edits: []edit{{"worker.go", `
	case s.Flags&pending == 0 || sh.closed:
		sh.release(i, s)
`, `
	case s.Flags&pending == 0 || sh.closed:
`}},
		Red: tests("TestAfterFuncRecyclesItself"),
	},

	// Rule 4: one run at a time.
	{
		Name: "a timer that falls due while it runs is not held back",
		Rule: "sync_del 4",
		Edits: []edit{{"worker.go",
			`if s.Flags&(running|locking) != 0 {`,
			`if s.Flags&locking != 0 {`}},
		Red: tests("TestDueAgainWhileRunningRunsOnceMoreAfterIt"),
	},
	{
		Name: "a timer for whose lock a worker waits is not held back",
		Rule: "sync_del 4",
		Edits: []edit{{"worker.go",
			`if s.Flags&(running|locking) != 0 {`,
			`if s.Flags&running != 0 {`}},
		Red: tests("TestLockedTimerHasOneWorkerWaitingAtMost"),
	},
	{
		Name: "the end of a run does not put back a timer that was held back",
		Rule: "sync_del 4",
		Edits: []edit{{"worker.go",
			`case sh.isHeld(s):`,
			`case false:`}},
		Red: tests("TestDueAgainWhileRunningRunsOnceMoreAfterIt"),
	},
	{
		Name: "a timer that was moved while a worker waited for its lock runs at once",
		Rule: "sync_del 4",
		Edits: []edit{{"worker.go",
			`if sh.isHeld(s) {
			wk.locked`,
			`if s.Flags&pending != 0 {
			wk.locked`}},
		Red: tests("TestLockedTimerMovedWhileItsWorkerWaitsRunsAtItsNewTime"),
	},
	{
		Name: "a worker whose Lock does not return leaves its timer held back",
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
			s.Flags |= deleting
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
	s.Flags |= deleting
	sh.unlockDeleted`, `
	_ = s
	sh.unlockDeleted`}},
		Red: tests("TestRegisterIsRefusedWhileADeletionWaits"),
	},
	{
		Name: "the mark is set one critical section after the wait begins",
		Rule: "sync_del 5",
		Edits: []edit{{"sync_del.go", `
		if !deadlock {
			s.Flags |= deleting
		}
	}
	sh.unlockDeleted(found)
`, `
	}
	sh.unlockDeleted(found)
	sh.lock()
	if _, s = sh.lookup(t); s != nil && !deadlock && s.Flags&running != 0 {
		s.Flags |= deleting
	}
	sh.unlock()
`}},
		Red: explored("a handler that exits"),
	},
	{
		Name: "a deletion that must not wait marks the run",
		Rule: "sync_del 5",
		Edits: []edit{{"sync_del.go", `
		if !deadlock {
			s.Flags |= deleting
		}
`, `
		s.Flags |= deleting
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
	{
		Name: "a wait that is given up removes the mark",
		Rule: "sync_del 5",
		Edits: []edit{{"sync_del.go", `
	e.queue(x).remove(e.elem)
`, `
	e.queue(x).remove(e.elem)
	sh.records.At(e.wk.slot(sh).i).Flags &^= deleting
`}},
		Red: explored("a deletion that gives up"),
	},
	{
		Name: "a group's deletion ends the refusal before it waits, and begins it again",
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
	{
		Name: "a group's deletion that gives up ends the refusal though another one waits",
		Rule: "sync_del 5",
		Edits: []edit{{"sync_del.go",
			`if e.groups--; e.groups == 0 {`,
			`if e.groups--; true {`}},
		Red: tests("TestAGroupDeletionThatGivesUpLeavesTheRefusalToTheOthers"),
	},
	{
		Name: "the end of the first of a group's runs ends the refusal",
		Rule: "sync_del 5",
		Edits: []edit{{"sync_del.go",
			`e.group.deleting--`,
			`e.group.deleting = 0`}},
		Red: tests("TestGroupMembersAreRefusedWhileADeletionWaits"),
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
		Name: "the wait is for the record, whatever its generation, and so for the next tenant",
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
		busy = sh.records.Chunk(i/chunkLen) != nil && sh.records.At(i).Flags&running != 0
		sh.unlock()
	}
	return found, ctx.Err()
`}},
		Red: tests("TestDelSyncNeitherWaitsForNorTouchesTheNextTenant"),
	},
	{
		Name: "the waiter removes the mark, even from the next tenant of the record",
		Rule: "sync_del 6",
		Edits: []edit{{"sync_del.go", `
	return found, sh.await(ctx, x)
`, `
	err := sh.await(ctx, x)
	sh.lock()
	sh.records.At(i).Flags &^= deleting
	sh.unlock()
	return found, err
`}},
		Red: tests("TestDelSyncNeitherWaitsForNorTouchesTheNextTenant", "TestDelSyncContextGivesUpWhenItsContextEnds"),
	},
	{
		Name: "a worker's next run has the ending of the one before",
		Rule: "sync_del 6",
		Edits: []edit{{"sync_del.go",
			`wk.ending, wk.ended = nil, e`,
			`wk.ended = e`}},
		Red: tests("TestEachRunHasAnEndingOfItsOwn"),
	},

	// Rule 7: the end is one critical section.
	{
		Name: "the refusal outlives its run",
		Rule: "sync_del 7",
		Edits: []edit{{"worker.go",
			`s.Flags &^= running | deleting`,
			`s.Flags &^= running`}},
		Red: tests("TestRegisterHoldsOnceTheRunHasEnded"),
	},
	{
		Name: "the refusal bit is cleared early: when the deletion gives up",
		Rule: "sync_del 7",
		Edits: []edit{{"sync_del.go", `
	e.queue(x).remove(e.elem)
`, `
	e.queue(x).remove(e.elem)
	sh.records.At(e.wk.slot(sh).i).Flags &^= deleting
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
		sh.records.At(wk.slot(sh).i).Flags &^= deleting
		sh.unlock()
		locked := wk.relock(sh, now)
		wk.finish(sh, now)
		now = locked
		if`}},
		Red: explored("a handler that exits"),
	},
	{
		Name: "a waiter is woken before the running slot is cleared",
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
		Name: "the waits are ended one critical section before the running slot is cleared",
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
		Name: "a timer's lock is released before the running slot is cleared",
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
		Name: "OnPanic is called before the run ends",
		Rule: "sync_del 7",
		Edits: []edit{{"worker.go", `
	wk.finish(sh, now)
	sh.unlock()
	wk.notify()
	if p != nil {
		p.AllocatedAt, p.RegisteredAt = from.allocated.String(), from.registered.String()
		wk.userCall(func() { wk.w.onPanic(*p) })
	}
`, `
	sh.unlock()
	if p != nil {
		p.AllocatedAt, p.RegisteredAt = from.allocated.String(), from.registered.String()
		wk.userCall(func() { wk.w.onPanic(*p) })
	}
	sh.lock()
	wk.finish(sh, now)
	sh.unlock()
	wk.notify()
`}},
		Red: tests("TestWaitersAreReleasedBeforeOnPanic"),
	},
	{
		Name: "the end of the first of several runs ends the wait for all of them",
		Rule: "sync_del 7",
		Edits: []edit{{"sync_del.go", `
			return nil // they have ended by now
		}
	}
`, `
			return nil // they have ended by now
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
			`r.reaches(x.from, nil) {`,
			`r != x.from && r.reaches(x.from, nil) {`}},
		Red: tests("TestDelSyncInItsOwnHandlerIsErrDeadlock"),
	},
	{
		Name: "a circle of more than two is not seen",
		Rule: "sync_del 8",
		Edits: []edit{{"sync_del.go",
			`e.wk.reaches(target, seen) })`,
			`e.wk == target })`}},
		Red: tests("TestTheCallThatWouldCloseACircleIsErrDeadlock"),
	},
	{
		Name: "the search for a circle follows the first run of each wait only",
		Rule: "sync_del 8",
		Edits: []edit{{"sync_del.go",
			`slices.ContainsFunc(wk.waiting.edges, func`,
			`slices.ContainsFunc(wk.waiting.edges[:min(1, len(wk.waiting.edges))], func`}},
		Red: tests("TestGroupDeletionIsALinkOfACircle"),
	},
	{
		Name: "an edge is added one critical section after the search for a circle",
		Rule: "sync_del 8",
		Edits: []edit{
			{"sync_del.go", `
	x := t.w.newWait()
	sh.lock()
	i, s, found := sh.delete(t, mark)
	deadlock := false
	if found.Running {
		deadlock = !sh.enlist(x, sh.findRun(i))
`, `
	x := t.w.newWait()
	sh.lock()
	circle := false
	if i, s := sh.lookup(t); s != nil && s.Flags&running != 0 && x.from != nil {
		t.w.mu.Lock()
		circle = sh.findRun(i).reaches(x.from, nil)
		t.w.mu.Unlock()
	}
	sh.unlock()
	sh.lock()
	i, s, found := sh.delete(t, mark)
	deadlock := false
	if found.Running {
		deadlock = circle || !sh.enlist(x, sh.findRun(i))
`},
			{"sync_del.go",
				`if x.from != nil && r.reaches(x.from, nil) {`,
				`if false {`}},
		Red: explored("mutual DelSync"),
	},
	{
		Name: "a wait that is given up leaves its edge behind",
		Rule: "sync_del 8",
		Edits: []edit{{"sync_del.go", `
	defer sh.unlock()
	x.detach(sh.w)
`, `
	defer sh.unlock()
`}},
		Red: tests("TestAWaitThatIsOverIsNoLinkOfACircle"),
	},
	{
		Name: "a deletion that gives up takes the wheel's lock before the shard's",
		Rule: "sync_del, locks",
		Edits: []edit{{"sync_del.go", `
	sh.lock()
	defer sh.unlock()
	x.detach(sh.w)
`, `
	sh.w.mu.Lock()
	sh.lock()
	sh.w.mu.Unlock()
	defer sh.unlock()
	x.detach(sh.w)
`}},
		Red: explored("a deletion that gives up"),
	},
	{
		Name: "a deletion that gives up does not check whether its runs have ended",
		Rule: "sync_del 8",
		Edits: []edit{{"sync_del.go",
			`if !e.done {`,
			`if true {`}},
		Red: tests("TestAnEndedRunWinsOverALaterContext"),
	},
	{
		Name: "the end of a run is not recorded",
		Rule: "sync_del 8",
		Edits: []edit{{"sync_del.go", `
	e.done = true
`, `
`}},
		Red: tests("TestAnEdgeGoesWithItsRun"),
	},

	// Rule 9: a deletion never waits for what has not begun.
	{
		Name: "a timer in the due list cannot be deleted",
		Rule: "sync_del 9",
		Edits: []edit{{"shard.go", `
	if s.Flags&pending == 0 {
		return false
	}
`, `
	if s.Flags&pending == 0 || sh.levels.ListOf(s) == levels.Due && !sh.closed {
		return false
	}
`}},
		Red: tests("TestAManualWheelAgainstAnObviousModel"),
	},
	{
		Name: "a timer that is held back cannot be deleted",
		Rule: "sync_del 9",
		Edits: []edit{{"shard.go", `
	if s.Flags&pending == 0 {
		return false
	}
`, `
	if s.Flags&pending == 0 || sh.levels.ListOf(s) == levels.Held && !sh.closed {
		return false
	}
`}},
		Red: tests("TestDelOfARunningTimerDoesNotWait"),
	},
	{
		Name: "a deletion waits for a timer whose worker waits for its lock",
		Rule: "sync_del 9",
		Edits: []edit{{"sync_del.go",
			`found.Running = s.Flags&running != 0`,
			`found.Running = s.Flags&(running|locking) != 0`}},
		Red: tests("TestLockedDeletionWhileHoldingTheLockIsSynchronous"),
	},
	// handle.go: records, generations, references.
	{
		Name: "the generation is not moved on",
		Rule: "handle.go",
		Edits: []edit{{"handle.go", `
		s.Gen++
`, `
`}},
		Red: tests("TestStaleHandleNeverReachesTheNextTenant"),
	},
	{
		Name: "the last generation is followed by the first, and the record is not retired",
		Rule: "handle.go",
		Edits: []edit{{"handle.go",
			`if s.Gen < lastGen {`,
			`if true {`}},
		Red: tests("TestExhaustedRecordIsRetired"),
	},
	{
		Name: "a chunk leaves no floor when it is given back",
		Rule: "handle.go",
		Edits: []edit{{"handle.go",
			`floor = max(floor, c.Items[k].Gen)`,
			`_, _ = k, floor`}},
		Red: tests("TestGenerationsDoNotRestart"),
	},
	{
		Name: "owners hold no reference",
		Rule: "handle.go",
		Edits: []edit{{"handle.go",
			`if s.Owners > 0 || s.Flags`,
			`if s.Flags`}},
		Red: tests("TestTimerLivesUntilItsLastOwnerFrees"),
	},
	{
		Name: "the wheel holds no reference to what is pending",
		Rule: "handle.go",
		Edits: []edit{{"handle.go",
			`s.Flags&(pending|running) != 0`,
			`s.Flags&running != 0`}},
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

	// worker.go, hiring.go: workers.
	{
		Name: "the alarm is not set for the next worker before a handler runs",
		Rule: "worker.go",
		Edits: []edit{{"worker.go", `
		wk.unlockAndRearm(sh, wk.slot(sh).since)
`, `
		sh.unlock()
`}},
		Red: tests("TestHandlersThatBlockDelayNoOtherTimer"),
	},
	{
		Name: "a surplus worker stays on a crowded shard",
		Rule: "hiring.go",
		Edits: []edit{{"hiring.go",
			`return quick >= procs`,
			`return false`}},
		Red: tests("TestQuickHandlersWantNoMoreWorkersThanProcessors"),
	},
	{
		Name: "there is one worker more than MaxWorkers",
		Rule: "hiring.go",
		Edits: []edit{{"hiring.go",
			`w.workers < w.maxWorkers`,
			`w.workers <= w.maxWorkers`}},
		Red: tests("TestMaxWorkersIsTheMostHandlersRunningAtOnce"),
	},
	{
		Name: "workers that get no processor are not replaced",
		Rule: "hiring.go",
		Edits: []edit{{"hiring.go",
			`>= int64(starvedAfter)`,
			`>= never`}},
		Red: tests("TestStarvedWorkersAreReplaced"),
	},
	{
		Name: "a handler counts as blocking from its first instant",
		Rule: "hiring.go",
		Edits: []edit{{"hiring.go",
			`if now-sh.running.At(uint32(k)).since >= int64(quickRun) {`,
			`if sh.running.At(uint32(k)).since <= now {`}},
		Red: tests("TestQuickHandlersWantNoMoreWorkersThanProcessors"),
	},
	{
		Name: "no handler counts as blocking, however long it runs",
		Rule: "hiring.go",
		Edits: []edit{{"hiring.go",
			`if now-sh.running.At(uint32(k)).since >= int64(quickRun) {`,
			`if sh.running.At(uint32(k)).since > now {`}},
		Red: tests("TestQuickHandlersWantNoMoreWorkersThanProcessors"),
	},
	{
		Name: "a worker that waits for a timer's lock does not count as blocked",
		Rule: "hiring.go",
		Edits: []edit{{"hiring.go",
			`blocked, p := w.userCalls.Load() > 0, progress{since: now}`,
			`blocked, p := false, progress{since: now}`}},
		Red: tests("TestWorkersBlockedOutsideHandlersDelayNoOtherTimer"),
	},
	{
		Name: "runs that end before they are looked at are never slow",
		Rule: "hiring.go",
		Edits: []edit{{"hiring.go",
			`p.ran-last.ran >= begun*int64(quickRun)`,
			`p.ran-last.ran >= never`}},
		Red: tests("TestSlowHandlersDoubleTheWorkers"),
	},
	{
		Name: "a worker hires the next one without evidence that one is needed",
		Rule: "hiring.go",
		Edits: []edit{{"hiring.go",
			`return wk.hiring && wk.w.blocked(now)`,
			`return wk.hiring`}},
		Red: tests("TestANewWorkerHiresOnEvidenceOnly"),
	},
	{
		Name: "runs that are slow on average get one worker more, not twice as many",
		Rule: "hiring.go",
		Edits: []edit{{"hiring.go", `
		wk.hireBudget = workers
`, `
`}},
		Red: tests("TestSlowHandlersDoubleTheWorkers"),
	},
	{
		Name: "a worker hires no other",
		Rule: "hiring.go",
		Edits: []edit{{"worker.go",
			`wk.mayHireNext(now) && w.hire()`,
			`false && w.hire()`}},
		Red: tests("TestANewWorkerHiresOnEvidenceOnly"),
	},
	{
		Name: "a worker never yields to the program's goroutines",
		Rule: "worker.go",
		Edits: []edit{{"worker.go", `
	runtime.Gosched()
`, `
	_ = runtime.Gosched
`}},
		Red: tests("TestWorkersGiveWay"),
	},
	{
		Name: "a worker stays with a shard as long as something is due there",
		Rule: "worker.go",
		Edits: []edit{{"worker.go",
			`for now < leave || wk.w.manual {`,
			`for leave > 0 {`}},
		Red: tests("TestABusyShardStarvesNoOther"),
	},
	{
		Name: "a worker with nothing left to do yields before it leaves",
		Rule: "worker.go",
		Edits: []edit{{"worker.go",
			`if now >= wk.yieldAfter && sh.nextWake() <= now {`,
			`if now >= wk.yieldAfter {`}},
		Red: tests("TestAWorkerWithoutWorkEndsWithoutYielding"),
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
		Red: tests("TestLockedDeletionWhileHoldingTheLockIsSynchronous"),
	},

	// alarm.go: no wake-up is lost, and none is left over.
	{
		Name: "the end of a run puts its timer back, and sets no alarm",
		Rule: "alarm.go",
		Edits: []edit{{"worker.go",
			`if wake < never {`,
			`if false {`}},
		Red: tests("TestTheEndOfARunSetsTheAlarmForWhatItPutsBack"),
	},
	{
		Name: "a wheel on which nothing is pending any more keeps its wake-up",
		Rule: "alarm.go",
		Edits: []edit{{"alarm.go",
			`if w.manual || w.busy() {`,
			`if true {`}},
		Red: explored("no wake-up is left over"),
	},
	{
		Name: "a deletion that stops the alarm does not look at the shards again",
		Rule: "alarm.go",
		Edits: []edit{{"alarm.go",
			`if len(w.members)+w.starting > 0 || w.busy() {`,
			`if len(w.members)+w.starting > 0 {`}},
		Red: explored("no wake-up is lost to a deletion"),
	},
	{
		Name: "a deletion that stops the alarm does not overtake a rearm in progress",
		Rule: "alarm.go",
		Edits: []edit{{"alarm.go", `
	w.mu.Lock()
	w.clearAlarm()
	if len(w.members)`, `
	w.mu.Lock()
	if len(w.members)`}},
		Red: tests("TestNoWakeUpIsLeftByARearmThatWasOvertaken"),
	},
	{
		Name: "Register sets the alarm after the shard's critical section",
		Rule: "alarm.go",
		Edits: []edit{{"shard.go", `
	sh.w.wakeBy(sh.insert(i, s, now))
`, `
	wake := sh.insert(i, s, now)
	sh.unlock()
	sh.w.wakeBy(wake)
	sh.lock()
`}},
		Red: explored("no wake-up is left over by another"),
	},
	{
		Name: "a worker that leaves rearms the alarm before another may be hired",
		Rule: "members.go",
		Edits: []edit{{"members.go", `
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

	next, stall := w.nextWake()
`, `
	next, stall := w.nextWake()

	w.mu.Lock()
	epoch := w.clearAlarm()
	w.mu.Unlock()
`}},
		Red: explored("no wake-up is lost"),
	},
	{
		Name: "Close does not wait for a call of the alarm that has not come yet",
		Rule: "members.go",
		Edits: []edit{{"members.go",
			` && w.alarm.rings == 0`,
			``}},
		Red: tests("TestCloseJoinsTheGoroutineThatTheAlarmHasJustCalled"),
	},
	{
		Name: "a DelAsync on a closed wheel starts a goroutine of the wheel",
		Rule: "members.go",
		Edits: []edit{{"members.go",
			`open := !w.closed`,
			`open := true`}},
		Red: explored("Close against DelAsync"),
	},
	{
		Name: "a wheel whose last timer was deleted is woken",
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

	// wheel.go, internal/levels, running.go, counters: the end, the time, what is counted.
	{
		Name: "Close does not wait",
		Rule: "wheel.go",
		Edits: []edit{{"wheel.go",
			`err := w.awaitMembers(ctx)`,
			`var err error`}},
		Red: tests("TestCloseWaitsForEveryHandlerInFlight"),
	},
	{
		Name: "a timer whose lock was waited for runs while Close drops the others",
		Rule: "wheel.go",
		Edits: []edit{{"worker.go",
			`return s.Flags&(pending|levels.InBucket) == pending && !sh.closed && sh.levels.ListOf(s) == levels.Held`,
			`return s.Flags&(pending|levels.InBucket) == pending && (sh.closed || sh.levels.ListOf(s) == levels.Held)`}},
		Red: tests("TestCloseDropsWhatIsPutBackMeanwhile"),
	},
	{
		Name: "the end of a run puts a periodic timer back while Close drops the others",
		Rule: "wheel.go",
		Edits: []edit{{"worker.go",
			`case s.Flags&pending == 0 || sh.closed:`,
			`case s.Flags&pending == 0:`}},
		Red: tests("TestCloseDropsWhatIsPutBackMeanwhile"),
	},
	{
		Name: "a timer that was registered for later fires at its old deadline",
		Rule: "levels",
		Edits: []edit{{"internal/levels/expire.go",
			`if r.When > now && r.Flags&Prompt == 0 {`,
			`if r.When > now && r.When < 0 {`}},
		Red: in("internal/levels", "TestLevelsExpireABucketInPieces"),
	},
	{
		Name:  "a handler is early by one tick at a level boundary",
		Rule:  "levels",
		Edits: earlyAtBoundaries,
		Red:   tests("TestFiresNeverEarlyAndAtMostTwoTicksLate"),
	},
	{
		Name:  "a timer leaves the levels one tick early at a level boundary",
		Rule:  "levels",
		Edits: earlyAtBoundaries,
		Red:   in("internal/levels", "TestLevelsFireAtTheirTick"),
	},
	{
		Name: "of 64 ticks of the lowest level all are looked at when the first begins",
		Rule: "levels",
		Edits: []edit{{"internal/levels/levels.go",
			`digit<<DigitBits | int64(bits.TrailingZeros64(l.occupiedTicks[digit]))`,
			`digit << DigitBits`}},
		Red: in("internal/levels", "TestLevelsLookAtWhatIsNearAtItsTick"),
	},
	{
		Name: "Running lists what has begun since it was called",
		Rule: "running.go",
		Edits: []edit{{"running.go",
			`if r.since <= began {`,
			`if began >= 0 {`}},
		Red: tests("TestRunningListsWhatHadBegun"),
	},
	{
		Name: "a series that arms itself is not counted as registered",
		Rule: "stats.go",
		Edits: []edit{{"every.go", `
	sh.link(s)
`, `
	sh.link(s)
	sh.counters.registered--
`}},
		Red: tests("TestEveryIsOneTimer"),
	},

	// timer.go: the verbs.
	{
		Name: "Shutdown does not mark the timer",
		Rule: "timer.go",
		Edits: []edit{{"timer.go",
			`func (t Timer) Shutdown() Found { return t.del(shutdown) }`,
			`func (t Timer) Shutdown() Found { return t.del(0) }`}},
		Red: explored("Shutdown"),
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
		Name: "Group.Shutdown leaves the group open",
		Rule: "group.go",
		Edits: []edit{{"group.go", `
	g.down = true
`, `
`}},
		Red: explored("a group is shut down"),
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
		Name: "a group's deletion leaves the group closed to Registers",
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
			`max(s.When, sh.levels.BeginOfTick(now))`,
			`now`}},
		Red: tests("TestEveryTickIsOneFiring"),
	},
	{
		Name: "instants that were missed while the handler ran are made up for",
		Rule: "every.go",
		Edits: []edit{{"worker.go",
			`case s.Flags&onGrid != 0 && s.When <= sh.levels.BeginOfTick(now):`,
			`case false:`}},
		Red: tests("TestEverySkipsWhatItsHandlerMissed"),
	},
}

// earlyAtBoundaries makes timers that cascade due one tick before their deadline.
var earlyAtBoundaries = []edit{
	{"internal/levels/expire.go",
		`l.insertAt(i, l.records.At(i), ticks[k])`,
		`l.insertAt(i, l.records.At(i), ticks[k]-1)`},
	{"internal/levels/expire.go",
		`if r.When > now && r.Flags&Prompt == 0 {`,
		`if r.When > now+l.tick && r.Flags&Prompt == 0 {`},
}
