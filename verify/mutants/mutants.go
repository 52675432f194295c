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
		sh.unlock()`, `
		sh.unlock()
		sh.lock()
		_, _, found := sh.delete(t, mark)
		sh.unlock()`}},
		Red: explored("DelSync of a due timer"),
	},
	{
		Name: "DelSync's second look goes by the number of the record, not by the generation",
		Rule: "sync_del 1",
		Edits: []edit{{"sync_del.go", `
	x := t.wheel().newWait()
	sh.lock()
`, `
	x := t.wheel().newWait()
	sh.lock()
	if i := uint32(t.id) >> shardBits; sh.records.Chunk(i/chunkLen) != nil && sh.function(i, sh.records.At(i)) != nil {
		t = sh.timer(i, sh.records.At(i))
	}
`}},
		Red: explored("free and reuse during DelSync"),
	},
	{
		Name: "a worker that waits for a timer's lock chooses the timer before, and does not look again",
		Rule: "sync_del 1",
		Edits: []edit{{"lines.go", `
	wk.userCall(l.Lock)
	wk.unwatchLock()
	wk.locked = l
	if sh, i, s := wk.takeFirst(); s != nil {
`, `
	sh, i, s := wk.takeFirst()
	if s != nil {
		sh.unlock()
	}
	wk.userCall(l.Lock)
	wk.unwatchLock()
	wk.locked = l
	if s != nil {
		sh.lock()
`}},
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
	wk.publish(sh, i, now)
	wk.unlockAndRearm(sh, now)
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
	wk.unlockAndRearm(sh, now)
	sh.lock()
	s.Flags |= running
	wk.publish(sh, i, now)
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
			`if s.Flags&running == 0 {`,
			`if true {`}},
		Red: tests("TestDueAgainWhileRunningRunsOnceMoreAfterIt"),
	},
	{
		Name: "the end of a run does not put back a timer that was held back",
		Rule: "sync_del 4",
		Edits: []edit{{"worker.go",
			`case sh.isHeld(s):`,
			`case false:`}},
		Red: tests("TestDueAgainWhileRunningRunsOnceMoreAfterIt"),
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
	sh.unlock()`, `
	_ = s
	sh.unlock()`}},
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
	sh.unlock()
`, `
	}
	sh.unlock()
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
		sh.unlock()
		return found, nil
	}
	sh.unlock()
`, `
	g.deleting--
	sh.unlock()
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
	then = wk.relock(sh, now)
`, `
	sh.lock()
	sh.records.At(wk.slot(sh).i).Flags &^= deleting
	sh.unlock()
	then = wk.relock(sh, now)
`}},
		Red: explored("a handler that exits"),
	},
	{
		Name: "a waiter is woken before the running slot is cleared",
		Rule: "sync_del 7",
		Edits: []edit{{"worker.go", `
	then = wk.relock(sh, now)
`, `
	sh.lock()
	if wk.ending != nil {
		wk.endWaits()
		close(wk.ended.over)
		wk.ended = nil
	}
	sh.unlock()
	then = wk.relock(sh, now)
`}},
		Red: explored("two deleters"),
	},
	{
		Name: "the waits are ended one critical section before the running slot is cleared",
		Rule: "sync_del 7",
		Edits: []edit{{"worker.go", `
	then = wk.relock(sh, now)
`, `
	sh.lock()
	if wk.ending != nil {
		wk.endWaits()
	}
	sh.unlock()
	then = wk.relock(sh, now)
`}},
		Red: explored("a deletion that gives up"),
	},
	{
		Name: "a timer's lock is released before the running slot is cleared",
		Rule: "sync_del 7",
		Edits: []edit{{"worker.go", `
	then = wk.relock(sh, now)
`, `
	if l := wk.locked; l != nil {
		wk.locked = nil
		l.Unlock()
	}
	then = wk.relock(sh, now)
`}},
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
	}()
`, `
		sh.unlock()
		if p != nil {
			wk.userCall(func() { wk.w.onPanic(*p) })
		}
		sh.lock()
		wk.finish(sh, now)
		sh.unlock()
	}()
`}, {"worker.go", `
		wk.inUser = false
		p.AllocatedAt, p.RegisteredAt = from.allocated.String(), from.registered.String()
		wk.userCall(func() { wk.w.onPanic(*p) })
`, `
		wk.inUser = false
		p.AllocatedAt, p.RegisteredAt = from.allocated.String(), from.registered.String()
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
	x := t.wheel().newWait()
	sh.lock()
	i, s, found := sh.delete(t, mark)
	deadlock := false
	if found.Running {
		deadlock = !sh.enlist(x, sh.findRun(i))
`, `
	x := t.wheel().newWait()
	sh.lock()
	circle := false
	if i, s := sh.lookup(t); s != nil && s.Flags&running != 0 && x.from != nil {
		t.wheel().mu.Lock()
		circle = sh.findRun(i).reaches(x.from, nil)
		t.wheel().mu.Unlock()
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
	defer sh.end()
	x.detach(sh.w)
`, `
	defer sh.end()
`}},
		Red: tests("TestAWaitThatIsOverIsNoLinkOfACircle"),
	},
	{
		Name: "a deletion that gives up takes the wheel's lock before the shard's",
		Rule: "sync_del, locks",
		Edits: []edit{{"sync_del.go", `
	sh.lock()
	defer sh.end()
	x.detach(sh.w)
`, `
	sh.w.mu.Lock()
	sh.lock()
	sh.w.mu.Unlock()
	defer sh.end()
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

	// Rule 10: one line a lock.
	{
		Name: "a worker waits for the lock of a timer that it finds due, though another does",
		Rule: "sync_del 10",
		Edits: []edit{{"lines.go", `
	if ln.wk != nil {
		return false
	}
`, `
`}},
		Red: tests("TestTimersOfOneHeldLockHoldUpOneWorker"),
	},
	{
		Name: "a timer that is moved does not leave its line",
		Rule: "sync_del 10",
		Edits: []edit{{"shard.go", `
		sh.leaveLine(i, s)
		sh.levelsOf(s).Remove(i, s)
`, `
		sh.levelsOf(s).Remove(i, s)
`}},
		Red: tests("TestLockedTimerMovedWhileItsWorkerWaitsRunsAtItsNewTime"),
	},
	{
		Name: "a timer that is deleted does not leave its line",
		Rule: "sync_del 10",
		Edits: []edit{{"shard.go", `
	sh.leaveLine(i, s)
	if !sh.closed {
`, `
	if !sh.closed {
`}},
		Red: tests("TestALineHoldsNoMoreThanItsTimers"),
	},
	{
		Name: "a worker runs the timer that was the first of its line, though another is by now",
		Rule: "sync_del 10",
		Edits: []edit{{"lines.go",
			`if wk.line.ends.next != p {`,
			`if p.line == nil {`}},
		Red: tests("TestTheFirstOfALineMayLeaveAtTheLastMoment"),
	},
	{
		Name: "a worker sees that its line is empty, and removes it one critical section later",
		Rule: "sync_del 10",
		Edits: []edit{{"lines.go", `
	if ln.empty() {
		w.lines.remove(ln)
`, `
	if ln.empty() {
		w.mu.Unlock()
		w.mu.Lock()
		w.lines.remove(ln)
`}},
		Red: explored("two timers of one lock"),
	},
	{
		Name: "a worker whose Lock does not return keeps its line",
		Rule: "sync_del 10",
		Edits: []edit{{"lines.go", `
	defer wk.abandonLine() // where it does not return
`, `
`}},
		Red: tests("TestALockThatDoesNotReturnLeavesItsTimerPending"),
	},
	{
		Name: "a worker keeps its line while it calls OnPanic",
		Rule: "sync_del 10",
		Edits: []edit{{"worker.go", `
	wk.abandonLine()
	if p != nil {
`, `
	if p != nil {
`}},
		Red: tests("TestALineSurvivesWhatDoesNotReturn"),
	},
	{
		Name: "a worker that leaves its line to others calls none",
		Rule: "sync_del 10",
		Edits: []edit{{"lines.go",
			`if w.mayHire() {`,
			`if false {`}},
		Red: tests("TestALineWithoutAWorkerIsDue"),
	},
	{
		Name: "a rearm does not look at lines that no worker serves",
		Rule: "sync_del 10",
		Edits: []edit{{"alarm.go",
			`if w.lines.unserved.Load() > 0 {`,
			`if false {`}},
		Red: tests("TestALineWithoutAWorkerIsDue"),
	},
	{
		Name: "an Advance does not look at them",
		Rule: "sync_del 10",
		Edits: []edit{{"manual.go",
			`wk.serveUnserved() || wk.drain(sh)`,
			`wk.drain(sh)`}},
		Red: tests("TestALockThatDoesNotReturnLeavesItsTimerPending"),
	},
	{
		Name: "an Advance to what is only a line that no worker serves finds nothing due",
		Rule: "sync_del 10",
		Edits: []edit{{"manual.go",
			`return sh.nextWake() <= sh.w.elapsed() || sh.w.lines.unserved.Load() > 0`,
			`return sh.nextWake() <= sh.w.elapsed()`}},
		Red: tests("TestALockThatDoesNotReturnLeavesItsTimerPending"),
	},
	{
		Name: "a line from which all timers were deleted waits for a worker",
		Rule: "sync_del 10",
		Edits: []edit{{"lines.go",
			`if ln.wk == nil && ln.empty() {`,
			`if false {`}},
		Red: tests("TestALineWithoutAWorkerIsDue"),
	},
	{
		Name: "a worker whose handler has released the lock keeps its line until the handler has returned",
		Rule: "sync_del 10",
		Edits: []edit{{"lines.go", `
	wk.abandonLine()
	wk.callNested(l.Unlock)
`, `
	wk.callNested(l.Unlock)
`}},
		Red: tests("TestAfterReleaseLockTheLineGoesOn"),
	},
	{
		Name: "ReleaseLock leaves the line after Unlock, which may panic",
		Rule: "sync_del 10",
		Edits: []edit{{"lines.go", `
	wk.abandonLine()
	wk.callNested(l.Unlock)
`, `
	wk.callNested(l.Unlock)
	wk.abandonLine()
`}},
		Red: tests("TestReleaseLockWhoseUnlockDoesNotReturn"),
	},

	// saturated.go: lines that wait for a worker.
	{
		Name: "a look does not see lines that wait for a worker",
		Rule: "saturated.go",
		Edits: []edit{{"stall.go",
			`if r != nil && (first == nil || r.since < first.since) {`,
			`if r != nil && first != nil && r.since < first.since {`}},
		Red: tests("TestAfterReleaseLockTheLineMaySaturateTheWheel"),
	},
	{
		Name: "no look is planned for a line that is left while all workers are busy",
		Rule: "saturated.go",
		Edits: []edit{{"lines.go", `
		w.watchSaturation(ln.since)
`, `
`}, {"watch.go", `
		due = min(due, left)
`, `
		_ = left
`}},
		Red: tests("TestAfterReleaseLockTheLineMaySaturateTheWheel"),
	},
	{
		Name: "timers in a line that waits for a worker are not counted as due",
		Rule: "saturated.go",
		Edits: []edit{{"saturated.go", `
		timers += ln.n
`, `
`}},
		Red: tests("TestAfterReleaseLockTheLineMaySaturateTheWheel"),
	},
	{
		Name: "Saturated is not over when the last line that waits for a worker is served",
		Rule: "saturated.go",
		Edits: []edit{{"lines.go",
			`if w.lines.waiting.Len() == 0 && !w.closed {`,
			`if false {`}},
		Red: tests("TestAfterReleaseLockTheLineMaySaturateTheWheel"),
	},

	// lines.go: ReleaseLock.
	{
		Name: "a lock that the handler has released is released again after it",
		Rule: "sync_del 7",
		Edits: []edit{{"lines.go", `
	l := wk.locked
	wk.locked = nil
`, `
	l := wk.locked
`}},
		Red: tests("TestReleaseLockReleasesTheLockOnce"),
	},
	{
		Name: "a lock whose Unlock has panicked in ReleaseLock is released again",
		Rule: "sync_del 7",
		Edits: []edit{{"lines.go", `
	wk.locked = nil
	wk.abandonLine()
	wk.callNested(l.Unlock)
`, `
	wk.abandonLine()
	wk.callNested(l.Unlock)
	wk.locked = nil
`}},
		Red: tests("TestReleaseLockWhoseUnlockDoesNotReturn"),
	},
	{
		Name: "ReleaseLock does not release the lock, and the wheel does not either",
		Rule: "lines.go",
		Edits: []edit{{"lines.go", `
	wk.callNested(l.Unlock)
`, `
	_ = l
`}},
		Red: tests("TestReleaseLockReleasesTheLockOnce"),
	},
	{
		Name: "ReleaseLock takes any timer of the shard for the one whose handler calls",
		Rule: "lines.go",
		Edits: []edit{{"lines.go",
			`if holds && s != nil && wk.slot(sh).i == i {`,
			`if holds && s != nil {`}},
		Red: tests("TestReleaseLockOfAnotherTimerIsRefused"),
	},
	{
		Name: "ReleaseLock takes a stale handle for the timer that has its record",
		Rule: "lines.go",
		Edits: []edit{{"lines.go",
			`if holds && s != nil && wk.slot(sh).i == i {`,
			`if holds && wk.slot(sh).i == i {`}},
		Red: tests("TestReleaseLockOfAnotherTimerIsRefused"),
	},
	{
		Name: "ReleaseLock looks at a slot of another shard",
		Rule: "lines.go",
		Edits: []edit{{"lines.go",
			`wk.locked != nil && wk.calling == sh && `,
			`wk.locked != nil && sh.running.Len() > wk.slotIndex && `}},
		Red: tests("TestReleaseLockOfATimerOfAnotherShardIsRefused"),
	},
	{
		Name: "OnMisuse on a Manual wheel may release the lock of the handler that it is called in",
		Rule: "lines.go",
		Edits: []edit{{"lines.go",
			`if wk.inUser || !w.manual {`,
			`if !w.manual {`}},
		Red: tests("TestReleaseLockOnAManualWheel"),
	},
	{
		Name: "so may a done",
		Rule: "lines.go",
		Edits: []edit{{"lines.go",
			`return dones > 0 && w.inDone()`,
			`return dones < 0`}},
		Red: tests("TestReleaseLockOnAManualWheel"),
	},
	{
		Name: "so may a done on a closed wheel",
		Rule: "lines.go",
		Edits: []edit{{"done.go", `
	case w.manual:
		w.runAsMember(done)
`, `
	case w.manual:
		done()
`}},
		Red: tests("TestReleaseLockOnAManualWheel"),
	},
	{
		Name: "a handler that has recovered a panic of OnMisuse counts as OnMisuse",
		Rule: "lines.go",
		Edits: []edit{{"members.go", `
	defer func(was bool) { wk.inUser = was }(wk.inUser)
`, `
`}},
		Red: tests("TestReleaseLockOnAManualWheel"),
	},

	// Rule 11: a word for calls that take no lock.
	{
		Name: "a Touch reaches a timer of any generation",
		Rule: "sync_del 11",
		Edits: []edit{
			{"idle.go", `if word&^(touched|advanceMax) != idle {`, `if word&idleKind == 0 {`},
			{"idle.go", `if x.CompareAndSwap(word, mark) {`, `if x.CompareAndSwap(word, word|touched) {`},
		},
		Red: explored("Touch against the next tenant"),
	},
	{
		Name: "a Touch stores its mark without a compare-and-swap",
		Rule: "sync_del 11",
		Edits: []edit{
			{"idle.go", `
		if x.CompareAndSwap(word, mark) {
			return true
		}`, `
		x.Store(mark)
		return true`},
		},
		Red: explored("Touch against Register"),
	},
	{
		Name: "a run begins without a compare-and-swap",
		Rule: "sync_del 11",
		Edits: []edit{
			{"word.go", `
		if s.Flags&levels.Open != 0 && sh.openedWord(i).CompareAndSwap(idleWord(s.Gen), closedWord) {
			s.Flags &^= levels.Open
		}`, `
		sh.shut(i, s)`},
		},
		Red: explored("Touch against the begin"),
	},
	{
		Name: "a worker begins the run of what it has only looked at",
		Rule: "sync_del 11",
		Edits: []edit{{"worker.go", `
		if now = then; !sh.claim(i, s, now) {
			continue
		}`, `
		if now = then; !sh.isUp(i, s, now) {
			continue
		}
		hook.At("between a look and the begin")`}},
		Red: explored("Touch against the begin"),
	},
	{
		Name: "a worker that has a timer's lock does not look at the timer again",
		Rule: "sync_del 11",
		Edits: []edit{{"lines.go",
			`wk.take(sh, i, s) && sh.claim(i, s, wk.w.elapsed()) {`,
			`wk.take(sh, i, s) {`}},
		Red: tests("TestAnIdleTimerInLineIsPutOff"),
	},
	{
		Name: "a worker that has a timer's lock looks at the timer once, and strands it if it is touched then",
		Rule: "sync_del 11",
		Edits: []edit{
			{"word.go", `
			s.Flags &^= levels.Open
		}
	}
	return true
`, `
			s.Flags &^= levels.Open
		} else if s.Flags&levels.Open != 0 {
			return false
		}
	}
	return true
`},
		},
		Red: explored("Touch in line for a lock"),
	},
	{
		Name: "a deletion leaves the word open",
		Rule: "sync_del 11",
		Edits: []edit{
			{"shard.go", `
	sh.shut(i, s)
	if s.Flags&pending == 0 {`, `
	if s.Flags&pending == 0 {`},
		},
		Red: tests("TestTouchIsFalseWithoutAnIdleTimeout"),
	},
	{
		Name: "Register leaves the word open",
		Rule: "sync_del 11",
		Edits: []edit{
			{"shard.go", `
	sh.closeWord(i, s)
	return sh.armClosed(`, `
	s.Flags &^= levels.Open
	return sh.armClosed(`},
		},
		Red: tests("TestTouchIsFalseWithoutAnIdleTimeout"),
	},
	{
		Name: "Register leaves an idle timer one",
		Rule: "sync_del 11",
		Edits: []edit{
			{"shard.go", `
	sh.closeWord(i, s)
	return sh.armClosed(`, `
	return sh.armClosed(`},
		},
		Red: tests("TestAnIdleTimerStaysOneUntilItIsMoved", "TestTheLastOfManyMovesCounts"),
	},
	{
		Name: "RegisterIdle closes the word, and opens it again",
		Rule: "sync_del 11",
		Edits: []edit{
			{"idle.go", `
	s.Flags |= levels.Open
	sh.move(`, `
	s.Flags |= levels.Open
	word.Store(closedWord)
	hook.At("between two stores")
	sh.move(`},
		},
		Red: explored("Touch against RegisterIdle"),
	},
	{
		Name: "RegisterIdle removes the mark of a Touch that comes between its clock and its lock",
		Rule: "sync_del 11",
		Edits: []edit{
			{"idle.go", `
	if word.Load() == closedWord {
		word.Store(idleWord(s.Gen))
	}`, `
	word.Store(idleWord(s.Gen))`},
		},
		Red: explored("Touch against RegisterIdle"),
	},
	{
		Name: "RegisterIdle forgets a Touch that a look has seen since it has read its clock",
		Rule: "sync_del 11",
		Edits: []edit{
			{"idle.go", `from = max(now, s.When-*period)`, `from = now`},
		},
		Red: explored("Touch against RegisterIdle"),
	},
	{
		Name: "a look closes the word, and opens it again",
		Rule: "sync_del 11",
		Edits: []edit{
			{"word.go", `word := x.Swap(idleWord(s.Gen))`, `word := x.Swap(closedWord)
	hook.At("between two stores")
	x.Store(idleWord(s.Gen))`},
		},
		Red: explored("Touch against a look"),
	},
	{
		Name: "a look reads the clock first, and removes the mark then",
		Rule: "sync_del 11",
		Edits: []edit{
			{"word.go", `word := x.Swap(idleWord(s.Gen))`, `word, last := x.Load(), sh.touchedBy(x.Load())
	hook.At("between the clock and the mark")
	x.Store(idleWord(s.Gen))`},
			{"word.go", `s.When = max(s.When, after(sh.touchedBy(word), time.Duration(period)))`, `s.When = max(s.When, after(last, time.Duration(period)))`},
		},
		Red: explored("Touch against a look"),
	},
	{
		Name: "a look leaves the mark",
		Rule: "sync_del 11",
		Edits: []edit{
			{"word.go", `word := x.Swap(idleWord(s.Gen))`, `word := x.Load()`},
		},
		Red: tests("TestTouchIsFalseWithoutAnIdleTimeout"),
	},
	{
		Name: "words that were given back are used again",
		Rule: "sync_del 11",
		Edits: []edit{
			{"word.go", `c := &wordChunk{lanes: sh.lanes}`, `c := givenBack
	if givenBack = nil; c == nil {
		c = &wordChunk{lanes: sh.lanes}
	}`},
			{"word.go", `sh.wordBytes -= c.bytes()`, `sh.wordBytes -= c.bytes()
		givenBack = c`},
			{"word.go", `
// openedWord returns`, `
var givenBack *wordChunk

// openedWord returns`},
		},
		Red: tests("TestAChunkOfWordsIsNotReused"),
	},

	// lines.go: the order of a line, and which locks are one.
	{
		Name: "the last that comes into a line is the first",
		Rule: "lines.go",
		Edits: []edit{{"lines.go",
			`p.line, p.prev, p.next = ln, ln.ends.prev, &ln.ends`,
			`p.line, p.prev, p.next = ln, &ln.ends, ln.ends.next`}},
		Red: tests("TestALineRunsInItsOrder"),
	},
	{
		Name: "a lock that cannot be compared is found out when its timer is due",
		Rule: "lines.go",
		Edits: []edit{{"lines.go",
			`if !v.Comparable() {`,
			`if false {`}},
		Red: tests("TestAllocLockedRefusesALockThatCannotBeCompared"),
	},
	{
		Name: "a lock may be unequal to itself, and its lines stay for ever",
		Rule: "lines.go",
		Edits: []edit{{"lines.go",
			`if !v.Equal(v) {`,
			`if false {`}},
		Red: tests("TestAllocLockedRefusesALockThatCannotBeCompared"),
	},
	{
		Name: "a worker keeps a shard while all that is due there goes into lines",
		Rule: "lines.go",
		Edits: []edit{{"lines.go",
			`if wk.linedUp++; wk.linedUp%batch == 0 {`,
			`if wk.linedUp++; false {`}},
		Red: tests("TestAWorkerLetsGoOfAShardFullOfLineTimers"),
	},
	{
		Name: "the worker of a line stays with it as long as timers come",
		Rule: "lines.go",
		Edits: []edit{{"lines.go",
			`now >= leave && !w.manual`,
			`false && leave > 0`}},
		Red: tests("TestALongLineDelaysNoOther", "TestAWorkerLeavesItsLineAfterAWhile"),
	},
	{
		Name: "the worker of a line never yields to the program's goroutines",
		Rule: "lines.go",
		Edits: []edit{{"lines.go",
			`if now >= wk.yieldAfter {`,
			`if false {`}},
		Red: tests("TestTheWorkerOfALineGivesWay"),
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
	sh.dropFunction(i, s)
`, `
`}},
		Red: tests("TestClosureIsCollectableWhenTheLastReferenceGoes"),
	},

	{
		Name: "storage that two goroutines make at once is added twice",
		Rule: "handle.go",
		Edits: []edit{{"handle.go",
			`if sh.records.Free() == 0 && sh.hasRoom() {`,
			`if sh.hasRoom() {`}},
		Red: tests("TestStorageThatIsMadeTwiceIsAddedOnce"),
	},
	{
		Name: "storage is added though the last number was used up while it was made",
		Rule: "handle.go",
		Edits: []edit{{"handle.go",
			`if sh.records.Free() == 0 && sh.hasRoom() {`,
			`if sh.records.Free() == 0 {`}},
		Red: tests("TestNoStorageIsAddedBeyondTheLastNumber"),
	},
	{
		Name: "a shard that has given back chunks has no room for others",
		Rule: "handle.go",
		Edits: []edit{{"handle.go",
			`sh.records.Free() > 0 || sh.records.Holes() > 0 || sh.records`,
			`sh.records.Free() > 0 || sh.records`}},
		Red: tests("TestNoStorageIsAddedBeyondTheLastNumber"),
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
		Name: "a handler that computes for a moment counts as blocking",
		Rule: "hiring.go",
		Edits: []edit{{"hiring.go",
			`quickRun = 50 * time.Microsecond`,
			`quickRun = 10 * time.Microsecond`}},
		Red: tests("TestAHandlerThatComputesForAMomentDoesNotBlock"),
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
			`l := look{progress: progress{since: now, known: true}, blocked: w.userCalls.Load() > 0}`,
			`l := look{progress: progress{since: now, known: true}}`}},
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
			`return l.blocked`,
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
		Name: "no goroutine watches a bubble from where a handler begins",
		Rule: "hiring.go",
		Edits: []edit{{"worker.go", `
	if next <= now {
		w.watchBubble()
	}
	wk.scan(now)`, `
	wk.scan(now)`}, {"worker.go", `
		return
	}
	w.watchBubble()
`, `
		return
	}
`}},
		Red: tests("TestWhatBlocksAtOnceHoldsUpNothingInABubble"),
	},
	{
		Name: "no goroutine watches a bubble whose workers block, when something becomes due",
		Rule: "hiring.go",
		Edits: []edit{{"worker.go", `
	} else {
		w.watchBubble()
	}`, `
	}`}},
		Red: tests("TestWhatBlocksAtOnceHoldsUpNothingInABubble"),
	},
	{
		Name: "the watcher of a bubble takes a handler that computes for one that blocks",
		Rule: "hiring.go",
		Edits: []edit{{"hiring.go",
			`if others[id] != nil && !gostack.Waits(stack) {`,
			`if others[id] == nil && stack == nil {`}},
		Red: tests("TestHandlersThatComputeInABubbleRunOneByOne"),
	},
	{
		Name: "ready workers are never enough",
		Rule: "hiring.go",
		Edits: []edit{{"hiring.go",
			`return l.workers-l.inUser >= readyPerProcessor*runtime.GOMAXPROCS(0)`,
			`return false`}},
		Red: tests("TestMoreWorkersDoNotHelpWhereEnoughAreReady"),
	},
	{
		Name: "a worker in a handler counts as ready",
		Rule: "hiring.go",
		Edits: []edit{{"hiring.go", `
		l.inUser += sh.running.Len()
`, `
`}},
		Red: tests("TestMoreWorkersDoNotHelpWhereEnoughAreReady"),
	},
	{
		Name: "a worker in another function of the user's counts as ready",
		Rule: "hiring.go",
		Edits: []edit{{"hiring.go",
			`l.inUser = int(w.userCalls.Load() - w.returned.Load())`,
			`l.inUser = int(-w.returned.Load())`}},
		Red: tests("TestMoreWorkersDoNotHelpWhereEnoughAreReady"),
	},
	{
		Name: "a worker whose handler has returned is not ready while it waits for the shard",
		Rule: "hiring.go",
		Edits: []edit{{"worker.go", `
	wk.w.returned.Add(1)
`, `
	wk.w.returned.Add(0)
`}, {"worker.go", `
	wk.w.returned.Add(-1)
`, `
`}},
		Red: tests("TestAWorkerThatWaitsForItsShardIsReady"),
	},
	{
		Name: "a worker hires the next one though enough are ready",
		Rule: "hiring.go",
		Edits: []edit{{"hiring.go", `
	if l.enoughReady() {
		return false
	}
`, `
`}},
		Red: tests("TestMoreWorkersDoNotHelpWhereEnoughAreReady"),
	},
	{
		Name: "all that look while no handler begins are hired",
		Rule: "hiring.go",
		Edits: []edit{{"hiring.go", `
		p.since = now
`, `
`}},
		Red: tests("TestOneWorkerAtATimeReplacesTheStarved"),
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
		Name: "a worker leaves a shard after many handlers only",
		Rule: "worker.go",
		Edits: []edit{{"worker.go",
			`for last := wk.fired + maxVisit; now < wk.leaveAfter && wk.fired < last || wk.w.manual; {`,
			`for last := wk.fired + maxVisit; wk.fired < last || wk.w.manual; {`}},
		Red: tests("TestABusyShardStarvesNoOther"),
	},
	{
		Name: "a worker leaves a shard by the clock only",
		Rule: "worker.go",
		Edits: []edit{{"worker.go",
			`now < wk.leaveAfter && wk.fired < last || wk.w.manual; {`,
			`now < wk.leaveAfter && last > 0 || wk.w.manual; {`}},
		Red: tests("TestNoShardWaitsForAnotherToBecomeEmpty"),
	},
	{
		Name: "a worker stays with a shard until a cascade is over",
		Rule: "worker.go",
		Edits: []edit{{"worker.go",
			`if now = wk.giveWay(sh); now >= wk.leaveAfter && !wk.w.manual { // after a batch`,
			`if now = wk.giveWay(sh); now < 0 {`}},
		Red: tests("TestAWorkerDoesNotStayForACascade"),
	},
	{
		Name: "a worker that leaves a cascade takes the shard for quiet",
		Rule: "worker.go",
		Edits: []edit{{"worker.go", `
	busy = busy || sh.nextWake() <= now
`, `
`}},
		Red: tests("TestAWorkerDoesNotStayForACascade"),
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
		Rule: "lines.go",
		Edits: []edit{{"lines.go", `
		sh.unlock()
	}
	wk.notify()
`, `
		sh.unlock()
		wk.notify()
	}
`}},
		Red: tests("TestLockedDeletionWhileHoldingTheLockIsSynchronous"),
	},
	{
		Name:  "a hired worker does not pass on what is left of the budget of hires",
		Rule:  "hiring.go",
		Edits: []edit{{"worker.go", `wk.hiring, wk.hireBudget = true, true, true, budget`, `wk.hiring, wk.hireBudget = true, true, true, budget-budget`}},
		Red:   tests("TestAHiredWorkerHiresTheRest"),
	},
	{
		Name: "the budget of hires is never spent",
		Rule: "hiring.go",
		Edits: []edit{{"hiring.go", `
		wk.hireBudget--
`, `
`}},
		Red: tests("TestAHiredWorkerHiresTheRest"),
	},
	{
		Name: "a call of the user's that ends its goroutine counts as blocked for ever",
		Rule: "hiring.go",
		Edits: []edit{{"hiring.go", `
	defer wk.w.userCalls.Add(-1)
	wk.callUser(f)
`, `
	wk.callUser(f)
	wk.w.userCalls.Add(-1)
`}},
		Red: tests("TestAnAbandonedLockLeavesTheNextTenantAlone"),
	},
	{
		Name:  "a worker in the Unlock of a timer's lock does not count as blocked",
		Rule:  "hiring.go",
		Edits: []edit{{"worker.go", `wk.userCall(l.Unlock)`, `l.Unlock()`}},
		Red:   tests("TestWorkersBlockedOutsideHandlersDelayNoOtherTimer"),
	},
	{
		Name: "the wait for the shard before a run is part of it",
		Rule: "worker.go",
		Edits: []edit{{"worker.go", `
	then = wk.relock(sh, now)
	wk.finish(sh, now)
	return then
`, `
	wk.relock(sh, now)
	wk.finish(sh, now)
	return now
`}},
		Red: tests("TestARunDoesNotBeginBeforeItsWorkerIsFree"),
	},
	{
		Name: "the Unlock of one timer is part of the next one's run",
		Rule: "lines.go",
		Edits: []edit{{"lines.go", `
		sh.lock()
		return wk.w.elapsed()
`, `
		sh.lock()
		return now
`}},
		Red: tests("TestARunDoesNotBeginBeforeItsWorkerIsFree"),
	},
	{
		Name:  "a run begins before its deadline",
		Rule:  "worker.go",
		Edits: []edit{{"worker.go", `since := max(now, s.When)`, `since := now`}},
		Red:   tests("TestARunDoesNotBeginBeforeItsDeadline"),
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
		Name: "Register sets the alarm after the shard's critical section",
		Rule: "alarm.go",
		Edits: []edit{{"shard.go", `
	sh.w.wakeBy(wake)
`, `
	sh.unlock()
	sh.w.wakeBy(wake)
	sh.lock()
`}},
		Red: explored("Touch against RegisterIdle"),
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

	next, anyway, began, due := w.nextWake()
`, `
	next, anyway, began, due := w.nextWake()

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
		Name: "a misuse on a closed wheel starts a goroutine of the wheel",
		Rule: "members.go",
		Edits: []edit{{"members.go",
			`open := !w.closed`,
			`open := true`}},
		Red: tests("TestOnMisuseMayCallAnything"),
	},
	{
		Name: "a DelAsync on a closed wheel starts a goroutine of the wheel",
		Rule: "done.go",
		Edits: []edit{{"done.go", `
	if !w.closed {
		w.dones++
	}
	return !w.closed
`, `
	w.dones++
	return true
`}},
		Red: explored("Close against DelAsync"),
	},

	{
		Name: "the goroutine that the alarm has called does not clear it first",
		Rule: "alarm.go",
		Edits: []edit{{"worker.go", `
	w.alarm.rings--
	w.clearAlarm()
`, `
	w.alarm.rings--
`}},
		Red: tests("TestTheAlarmsGoroutineClearsItFirst"),
	},
	{
		Name: "a timer that is registered after a quiet time is placed as seen from before it",
		Rule: "shard.go",
		Edits: []edit{{"shard.go", `
	l.CatchUp(now)
`, `
`}},
		Red: tests("TestATimerAfterAQuietTimeHasOneWakeUp"),
	},

	{
		Name: "what is due at once waits for the runtime's timer",
		Rule: "alarm.go",
		Edits: []edit{{"alarm.go",
			`if at > now {`,
			`if true {`}},
		Red: tests("TestWhatIsDueAtOnceDoesNotWaitForABubblesClock"),
	},

	// bubble.go, broken.go: calls from the wrong bubble, panics of the library's own.
	{
		Name: "a time that was read outside arms a timer in a bubble",
		Rule: "bubble.go",
		Edits: []edit{{"timer.go",
			`if now = t.wheel().elapsed(); t.wheel().isForeign(now) {`,
			`if now = t.wheel().elapsed(); false {`}},
		Red: tests("TestAWheelRefusesABubbleThatItWasNotMadeIn"),
	},
	{
		Name: "two bubbles are not told apart",
		Rule: "bubble.go",
		Edits: []edit{{"bubble.go",
			`return bubbleOf(time.Now()) == w.bubble`,
			`return (bubbleOf(time.Now()) == 0) == (w.bubble == 0)`}},
		Red: tests("TestAWheelOfABubbleRefusesOthers"),
	},
	{
		Name: "a worker that takes over a line waits for its lock before it has set the alarm",
		Rule: "sync_del 10",
		Edits: []edit{{"lines.go", `
	wk.scan(now)
	wk.serve()
`, `
	wk.serve()
`}},
		Red: tests("TestAWorkerThatTakesOverALineSetsTheAlarm"),
	},
	{
		Name: "a panic of a helper's function that is the handler is the library's",
		Rule: "broken.go",
		Edits: []edit{{"broken.go",
			`case panicked && (f.Function == gostack.Path+".call" || f.Function == gostack.Path+".(*worker).callUser"):`,
			`case false:`}},
		Red: tests("TestAPanicInAHelpersFunctionIsTheUsers"),
	},
	{
		Name: "a panic of OnNext is the library's, once guard has let it pass",
		Rule: "broken.go",
		Edits: []edit{{"broken.go",
			`case panicked && f.Function == gostack.Path+".guard": // it lets a panic of the user's pass`,
			`case false:`}},
		Red: tests("TestADeferredCloseBesideAPanicOfTheUsers"),
	},
	{
		Name: "a HandOver that panics keeps the others from theirs",
		Rule: "own.go",
		Edits: []edit{{"own.go",
			`if n < len(orphans) {`,
			`if false {`}},
		Red: tests("TestAPanicInAHandOverKeepsNoOtherFromIt"),
	},
	{
		Name: "a deletion from a bubble sets the alarm of a saturated wheel by the bubble's clock",
		Rule: "saturated.go",
		Edits: []edit{{"saturated.go",
			`if now := w.elapsed(); !w.isForeign(now) {`,
			`if now := w.elapsed(); true {`}},
		Red: tests("TestADeletionInABubbleOfASaturatedWheelsTimer"),
	},
	{
		Name: "a caller recovers a panic of the library's own",
		Rule: "broken.go",
		Edits: []edit{{"broken.go", `
		if panickedInLibrary() {
			crash(v)
		}
		panic(v)
`, `
		panic(v)
`}},
		Red: tests("TestABrokenInvariantEndsTheProgram"),
	},
	{
		Name: "a worker that leaves waits for the lock that a panic has left held",
		Rule: "broken.go",
		Edits: []edit{{"worker.go",
			`if !wk.inUser || panickedInLibrary() {`,
			`if false {`}, {"members.go",
			`if !wk.inUser || panickedInLibrary() {`,
			`if false {`}},
		Red: tests("TestABrokenInvariantEndsTheProgram"),
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
		Edits: []edit{{"lines.go",
			`return !sh.closed`,
			`return true`}},
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
			`if r := l.records.At(i); r.When > now && r.Flags&(Prompt|Open) == 0 {`,
			`if r := l.records.At(i); r.When > now && r.When < 0 {`}},
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
		Name: "the timers that become due together are taken newest first",
		Rule: "levels",
		Edits: []edit{{"internal/levels/expire.go", `
	l.pushReversed(Due, due[:dues])
`, `
	for _, i := range due[:dues] {
		l.Push(Due, i, l.records.At(i))
	}
`}},
		Red: in("internal/levels", "TestLevelsAgainstSimpleLists"),
	},
	{
		Name: "a timer passes those in a bucket that is half emptied",
		Rule: "levels",
		Edits: []edit{{"internal/levels/levels.go",
			`if level < uint(l.cascading) {`,
			`if level > NumLevels {`}},
		Red: in("internal/levels", "TestLevelsAgainstSimpleLists"),
	},
	{
		Name: "a timer that registers itself for at once comes first",
		Rule: "levels",
		Edits: []edit{{"shard.go", `
	l.CatchUp(now)
`, `
	l.CatchUp(now)
	if l == &sh.levels && s.When <= now {
		l.Push(levels.Due, i, s)
		return 0
	}
`}},
		Red: tests("TestWhatIsDueAgainAndAgainComesBehindWhatWasDueBefore"),
	},
	{
		Name: "an Advance that ends stops to defer before the last that it deferred has gone",
		Rule: "manual.go",
		Edits: []edit{{"manual.go", `
	for sh.levels.CatchUp(`, `
	sh.advancing = false
	for sh.levels.CatchUp(`}},
		Red: tests("TestWhatIsRegisteredInTheMidstOfAnAdvanceKeepsTheOrder"),
	},
	{
		Name: "an instant that is not due before the end of the tick is deferred",
		Rule: "manual.go",
		Edits: []edit{{"shard.go",
			`if sh.advancing && sh.levels.DueAt(s, sh.w.elapsed()/sh.levels.Tick()) {`,
			`if sh.advancing && s.When <= sh.w.elapsed() {`}},
		Red: tests("TestASeriesKeepsItsPlaceInATick"),
	},
	{
		Name: "a timer of a Manual wheel that is moved to a later time stays where it is",
		Rule: "manual.go",
		Edits: []edit{{"shard.go",
			`if when > now && s.CanStay(when) && !sh.w.manual {`,
			`if when > now && s.CanStay(when) {`}},
		Red: tests("TestAMovedTimerTakesItsPlaceAtTheEndOfItsTick"),
	},
	{
		Name: "of 64 ticks of the lowest level all are looked at when the first begins",
		Rule: "levels",
		Edits: []edit{{"internal/levels/levels.go",
			`return part<<LowBits | word<<DigitBits | tick, 0`,
			`return part<<LowBits | word<<DigitBits | tick>>DigitBits, 0`}},
		Red: in("internal/levels", "TestLevelsLookAtWhatIsNearAtItsTick"),
	},
	{
		Name: "what was moved down ahead of its time comes before what is left in its bucket",
		Rule: "levels",
		Edits: []edit{{"internal/levels/levels.go",
			`if l.occupiedBuckets[1]>>(part%Digits)&1 != 0 {`,
			`if l.occupiedBuckets[1]>>(part%Digits)&1 != 0 && part < 0 {`}},
		Red: in("internal/levels", "TestLevelsAgainstSimpleLists"),
	},
	{
		Name: "what begins at the last tick that was asked for is not reached",
		Rule: "levels",
		Edits: []edit{{"internal/levels/list.go", `
			if start > limit {
				break
`, `
			if start >= limit {
				break
`}},
		Red: in("internal/levels", "TestReachedIsWhatBeginsByThen"),
	},
	{
		Name: "Stats looks into words that begin later",
		Rule: "levels",
		Edits: []edit{{"internal/levels/list.go", `
			if start > limit {
				break
`, `
			if start < 0 {
				break
`}},
		Red: tests("TestStatsAllocatesLittle"),
	},
	{
		Name: "Stats looks into empty words",
		Rule: "levels",
		Edits: []edit{{"internal/levels/list.go",
			`if l.occupiedTicks[start>>DigitBits%LowWords] != 0 && !yield(0, word) {`,
			`if !yield(0, word) {`}},
		Red: tests("TestStatsAllocatesLittle"),
	},
	{
		Name: "level 0 counts as empty when one of its halves is",
		Rule: "levels",
		Edits: []edit{{"internal/levels/levels.go", `
	if l.occupiedWords == [2]uint64{} {
`, `
	if l.occupiedWords[list/Lowest] == 0 {
`}},
		Red: in("internal/levels", "TestMoveAheadEmptiesTheNextBucket"),
	},
	{
		Name: "a timer that was put off is moved to the lowest level too early",
		Rule: "levels",
		Edits: []edit{{"internal/levels/levels.go",
			`if tick>>LowBits == l.cur>>LowBits+1 && tick>>above(1) == l.cur>>above(1) {`,
			`if tick>>LowBits > l.cur>>LowBits && tick>>above(1) == l.cur>>above(1) {`}},
		Red: in("internal/levels", "TestMoveAheadEmptiesTheNextBucket"),
	},
	{
		Name: "an idle timer is put on the lowest level before a bucket of a higher one",
		Rule: "levels",
		Edits: []edit{{"internal/levels/levels.go",
			`if tick>>LowBits == l.cur>>LowBits+1 && tick>>above(1) == l.cur>>above(1) {`,
			`if tick>>LowBits == l.cur>>LowBits+1 {`}},
		Red: in("internal/levels", "TestAnIdleTimerStaysBehindABucketOfAHigherLevel"),
	},
	{
		Name: "an idle timer waits on level 1 for a tick that follows those of the lowest level",
		Rule: "levels",
		Edits: []edit{{"internal/levels/levels.go",
			`level, start := l.findAhead(tick)`,
			`level, start := l.find(tick)`}},
		Red: in("internal/levels", "TestMoveAheadSendsOpenTimersToDue"),
	},
	{
		Name: "each bucket is moved ahead of its time, however small",
		Rule: "levels",
		Edits: []edit{{"internal/levels/expire.go", `
	if l.Count(list) < least {
		return
	}
`, `
`}},
		Red: in("internal/levels", "TestMoveAheadEmptiesTheNextBucket"),
	},
	{
		Name: "a bucket is moved ahead of its time all at once",
		Rule: "levels",
		Edits: []edit{{"internal/levels/expire.go",
			`l.tails[Due] == 0; budget -= blockLen {`,
			`l.tails[Due] == 0; {`}},
		Red: in("internal/levels", "TestMoveAheadEmptiesTheNextBucket"),
	},
	{
		Name: "a bucket is moved ahead of its time while timers stand in the list Due",
		Rule: "levels",
		Edits: []edit{{"internal/levels/expire.go",
			`budget >= blockLen && l.tails[list] != 0 && l.tails[Due] == 0;`,
			`budget >= blockLen && l.tails[list] != 0;`}},
		Red: in("internal/levels", "TestMoveAheadSendsOpenTimersToDue"),
	},
	{
		Name: "Inspect passes over what was moved ahead of its time",
		Rule: "inspect.go",
		Edits: []edit{{"inspect.go",
			`for word := range uint(levels.LowWords) {`,
			`for word := range uint(levels.Digits) {`}},
		Red: tests("TestInspectShowsWhatIsAheadOfItsTimeWhereItWas"),
	},
	{
		Name: "no bucket is moved ahead of its time",
		Rule: "levels",
		Edits: []edit{{"worker.go", `
		wk.moveAhead(sh, now)
`, `
`}},
		Red: tests("TestABigBucketIsMovedDownAheadOfItsTime"),
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

	{
		Name: "a group's deletion ends the refusal before it has looked for all runs",
		Rule: "group.go",
		Edits: []edit{{"group.go", `
	deadlock := g.enlist(x)
	g.deleting--
`, `
	g.deleting--
	deadlock := g.enlist(x)
`}},
		Red: tests("TestNoMemberIsRegisteredWhileADeletionLooksForRuns"),
	},

	{
		Name: "the groups that one processor makes share its shard",
		Rule: "group.go",
		Edits: []edit{{"placement.go",
			`return w.shards[w.nextGroup.Add(1)&uint32(len(w.shards)-1)]`,
			`return w.shards[w.local().shard.Load()]`}},
		Red: tests("TestGroupsDrawShardsInTurns"),
	},

	// membership.go: which timers are members of which group.
	{
		Name: "a member is refused only what any timer is refused",
		Rule: "membership.go",
		Edits: []edit{{"shard.go",
			`(shutdown|deleting|isMember)`,
			`(shutdown|deleting)`}},
		Red: tests("TestGroupMembersAreRefusedWhileADeletionWaits"),
	},
	{
		Name: "a member that is recycled keeps its membership",
		Rule: "membership.go",
		Edits: []edit{{"membership.go", `
	*m = membership{}
`, `
`}},
		Red: tests("TestStorageOfGroupsGoesBack"),
	},
	{
		Name: "a group's walk goes on at a member that has gone",
		Rule: "membership.go",
		Edits: []edit{{"membership.go",
			`if *at == linkTo(i) {`,
			`if false {`}},
		Red: tests("TestAWalkComesOnceToEachMember"),
	},
	{
		Name: "what is beside a chunk is not given back with it",
		Rule: "annex.go",
		Edits: []edit{{"handle.go", `
	sh.annexes.Set(n, nil)
`, `
`}},
		Red: tests("TestStorageOfGroupsGoesBack"),
	},
	{
		Name: "memberships of a peak are garbage",
		Rule: "annex.go",
		Edits: []edit{{"annex.go", `
	giveBack(x.memberships, spareMemberships)
`, `
`}},
		Red: tests("TestBurstsLeaveNoGarbage"),
	},
	{
		Name: "a shard holds groups that have no members",
		Rule: "membership.go",
		Edits: []edit{{"membership.go", `
	*t.numbers.At(n) = nil
`, `
`}},
		Red: tests("TestStorageOfGroupsGoesBack"),
	},
	{
		Name: "a shard holds the numbers of all groups that it has ever had",
		Rule: "membership.go",
		Edits: []edit{{"membership.go",
			`if t.numbers.Release(n) && t.numbers.Spare(n) {`,
			`if t.numbers.Release(n) && false {`}},
		Red: tests("TestStorageOfGroupsGoesBack"),
	},
	{
		Name: "Stats.Bytes counts what beside a chunk was given back",
		Rule: "annex.go",
		Edits: []edit{{"handle.go", `
	sh.annexBytes -= x.bytes()
`, `
`}},
		Red: tests("TestStorageOfGroupsGoesBack"),
	},
	{
		Name: "Stats.Bytes leaves out what is made beside a chunk later",
		Rule: "annex.go",
		Edits: []edit{{"annex.go", `
		sh.annexBytes += size(*items)
`, `
`}},
		Red: tests("TestStorageOfGroupsGoesBack"),
	},
	{
		Name: "the argument is kept after the last reference",
		Rule: "annex.go",
		Edits: []edit{{"annex.go", `
		x.argFuncs[k], x.args.items[k] = nil, nil
`, `
		x.argFuncs[k] = nil
`}},
		Red: tests("TestClosureIsCollectableWhenTheLastReferenceGoes"),
	},

	// own.go: the library's own firings need no worker.
	{
		Name: "the goroutine that the alarm calls fires no own firing",
		Rule: "own.go",
		Edits: []edit{{"worker.go", `
	w.fireOwn(wk)
`, `
`}},
		Red: tests("TestOwnFiringsNeedNoWorker"),
	},
	{
		Name: "an own firing sets the alarm only if a worker may be hired",
		Rule: "own.go",
		Edits: []edit{{"shard.go",
			`sh.w.wakeAnyway(wake)`,
			`sh.w.wakeBy(wake)`}},
		Red: tests("TestOwnFiringsNeedNoWorker"),
	},
	{
		Name: "a rearm does not look at own firings",
		Rule: "own.go",
		Edits: []edit{{"alarm.go", `
		anyway = min(anyway, max(sh.nextOwn(), w.ownBusy.Load()))
`, `
`}},
		Red: tests("TestOwnFiringsNeedNoWorker"),
	},
	{
		Name: "a rearm looks at own firings before it clears the alarm",
		Rule: "own.go",
		Edits: []edit{{"alarm.go", `
	w.mu.Lock()
	epoch := w.clearAlarm()
	w.mu.Unlock()

	next, anyway, began, due := w.nextWake()
`, `
	next, anyway, began, due := w.nextWake()

	w.mu.Lock()
	epoch := w.clearAlarm()
	w.mu.Unlock()
`}},
		Red: explored("no wake-up is lost for own firings"),
	},
	{
		Name: "Close hands no own firing over",
		Rule: "own.go",
		Edits: []edit{{"wheel.go", `
	w.handOver(w.closeShards())
`, `
	w.closeShards()
`}},
		Red: tests("TestOwnFiringsAreCounted"),
	},
	{
		Name: "the goroutine that fired own firings is never done with them",
		Rule: "own.go",
		Edits: []edit{{"own.go",
			`w.ownBusy.Store(0)`,
			``}},
		Red: tests("TestOwnFiringsThatAreDueAtOnceFireAtOnce"),
	},
	{
		Name: "the goroutine that fires own firings does not say that it makes progress",
		Rule: "own.go",
		Edits: []edit{{"own.go",
			`w.ownBusy.Store(busy)`,
			``}},
		Red: tests("TestOneGoroutineFiresOwnFirings"),
	},
	{
		Name: "no other goroutine fires the own firings behind one that blocks",
		Rule: "own.go",
		Edits: []edit{{"own.go", `
		w.rearm(busy)
`, `
`}},
		Red: tests("TestABlockedOwnFiringDelaysTheOthersByHalfATick"),
	},
	{
		Name: "own firings of one shard are fired until there are none",
		Rule: "own.go",
		Edits: []edit{{"own.go",
			`for range batch {`,
			`for {`}},
		Red: tests("TestOwnFiringsOfOneShardDoNotKeepAnotherWaiting"),
	},
	{
		Name: "own firings count as handlers that begin",
		Rule: "own.go",
		Edits: []edit{{"hiring.go",
			`sh.counters.fired - sh.counters.ownFired`,
			`sh.counters.fired`}},
		Red: tests("TestOwnFiringsDoNotHideThatWorkersStarve"),
	},
	{
		Name: "the firing of an earlier arming of a channel's timer sends",
		Rule: "own.go",
		Edits: []edit{{"stdtime/timer.go", `
	if s.armed && !s.after.active() && s.clock.elapsed() >= s.due {
`, `
	if s.armed && !s.after.active() {
`}},
		Red: in("stdtime", "TestACallForAnEarlierArmingIsNotEarly"),
	},
	{
		Name: "the firing of an arming that was stopped sends",
		Rule: "own.go",
		Edits: []edit{{"stdtime/timer.go", `
	if s.armed && !s.after.active() && s.clock.elapsed() >= s.due {
`, `
	if !s.after.active() && s.clock.elapsed() >= s.due {
`}},
		Red: in("stdtime", "TestACallForAnArmingThatWasStoppedDoesNothing"),
	},
	{
		Name: "Done does not wait for the end in progress",
		Rule: "own.go",
		Edits: []edit{{"timerctx/timeout.go", `
	if c.ended.Load() != nil {
		<-done
	}
`, `
`}},
		Red: in("timerctx", "TestDoneIsClosedDuringTheEnd"),
	},

	// watch.go, stall.go, reporter.go: what has stalled is reported once, with stacks that are its own,
	// and in time; what is over is not.
	{
		Name: "what is found after a freeze is reported at once",
		Rule: "watch.go",
		Edits: []edit{{"watch.go",
			`return min(now-int64(after), s.first)`,
			`return now - int64(after)`}},
		Red: tests("TestAfterAFreezeWhatLooksStalledIsLookedAtOnceMore"),
	},
	{
		Name: "a look that comes late reports what the last look has seen",
		Rule: "watch.go",
		Edits: []edit{{"watch.go",
			`late := now-s.planned > quarter && !s.late`,
			`late := false`}},
		Red: tests("TestAFreezeBetweenTheLooks"),
	},
	{
		Name: "a look that is planned anew forgets what began after the last one",
		Rule: "watch.go",
		Edits: []edit{{"watch.go",
			`if began <= s.last {`,
			`if false {`}},
		Red: tests("TestWhatBeganAfterALookIsReportedInTime"),
	},
	{
		Name: "looks that are always late never report",
		Rule: "watch.go",
		Edits: []edit{{"watch.go",
			`late := now-s.planned > quarter && !s.late`,
			`late := now-s.planned > quarter`}},
		Red: tests("TestLooksThatAreAlwaysLateReport"),
	},
	{
		Name: "a shard loses the order in which its workers must be looked at",
		Rule: "watch.go",
		Edits: []edit{{"watch.go",
			`heap.Fix(&sh.watches, wk.watched.place)`,
			`_ = heap.Fix`}},
		Red: tests("TestALookFindsWhatHasLastedInItsOrder"),
	},
	{
		Name: "a Register does not set the alarm for timers that wait for a worker in vain",
		Rule: "watch.go",
		Edits: []edit{{"alarm.go", `
		w.watchSaturation(at)
`, `
`}},
		Red: tests("TestOnStallReportsASaturatedWheelOnce"),
	},
	{
		Name: "a rearm does not set the alarm for timers that wait for a worker in vain",
		Rule: "watch.go",
		Edits: []edit{{"watch.go",
			`case !s.saturated && !w.closed && w.workers >= w.maxWorkers:`,
			`case false:`}},
		Red: tests("TestOnStallReportsASaturatedWheelOnce"),
	},
	{
		Name: "a deletion does not end Saturated",
		Rule: "watch.go",
		Edits: []edit{{"shard.go", `
		sh.checkWitness(i)
	}
	s.Flags &^= pending |`, `
	}
	s.Flags &^= pending |`}},
		Red: tests("TestSaturatedIsOverWhenNoTimerIsInLine"),
	},
	{
		Name: "a move does not end Saturated",
		Rule: "watch.go",
		Edits: []edit{{"shard.go", `
		sh.checkWitness(i)
	} else {`, `
	} else {`}},
		Red: tests("TestSaturatedIsOverWhenNoTimerIsInLine"),
	},
	{
		Name: "a worker that takes a timer to its lock does not end Saturated",
		Rule: "watch.go",
		Edits: []edit{{"worker.go", `
	sh.checkWitness(i)
`, `
`}},
		Red: tests("TestSaturatedIsOverWhenTheLastInLineWaitsForItsLock"),
	},
	{
		Name: "Saturated is reported again and again",
		Rule: "stall.go",
		Edits: []edit{{"stall.go",
			`if !saturated || reported {`,
			`if !saturated {`}},
		Red: tests("TestSaturatedIsOverWhenNoTimerIsInLine"),
	},
	{
		Name: "a wait for a lock that is over is reported",
		Rule: "stall.go",
		Edits: []edit{{"lines.go", `
	wk.unwatchLock()
	wk.locked = l
`, `
	wk.locked = l
`}},
		Red: tests("TestOnStallDoesNotReportAShortWaitForALock"),
	},
	{
		Name: "a wait for a lock is watched by a timer that has left the line",
		Rule: "watch.go",
		Edits: []edit{{"watch.go",
			`if s == nil || s.Flags&locking == 0 {`,
			`if s == nil {`}},
		Red: tests("TestAWaitForALockIsWatched"),
	},
	{
		Name: "a wait for a lock is not watched if the first timer of the line has just left",
		Rule: "watch.go",
		Edits: []edit{{"watch.go",
			`if t.shard().watchWaiter(wk, t, since) {`,
			`if t.shard().watchWaiter(wk, t, since); true {`}},
		Red: tests("TestAWaitForALockIsWatched"),
	},
	{
		Name: "a worker waits unwatched for the lock of an empty line",
		Rule: "watch.go",
		Edits: []edit{{"lines.go",
			`if !wk.watchLock() {`,
			`if wk.watchLock(); false {`}},
		Red: tests("TestAWorkerDoesNotWaitUnwatchedForAnEmptyLine"),
	},
	{
		Name: "the stacks are taken for each stall",
		Rule: "reporter.go",
		Edits: []edit{{"reporter.go",
			`early := now < s.nextDump`,
			`early := false`}},
		Red: tests("TestOneDumpServesAllThatHasStalled"),
	},
	{
		Name: "the stacks are taken of a program with many goroutines",
		Rule: "reporter.go",
		Edits: []edit{{"reporter.go",
			`w.stallStacks >= 0 && runtime.NumGoroutine() <= w.stallStacks`,
			`w.stallStacks >= 0`}},
		Red: tests("TestAStallOfAProgramWithManyGoroutinesHasNoStacks"),
	},
	{
		Name: "a run that is over has the stack of what its goroutine runs next",
		Rule: "reporter.go",
		Edits: []edit{{"reporter.go",
			`if r.flight.over {`,
			`if false {`}},
		Red: tests("TestAStallThatIsOverHasNoStacks"),
	},
	{
		Name: "a deletion that gave up has the stack of what its goroutine does next",
		Rule: "reporter.go",
		Edits: []edit{{"reporter.go",
			`if x == nil || x.gaveUp {`,
			`if x == nil {`}},
		Red: tests("TestAStalledWaitThatGaveUpHasNoStack"),
	},
	{
		Name: "Close waits until the stacks may be taken again",
		Rule: "reporter.go",
		Edits: []edit{{"watch.go",
			`if w.closed && w.workers == 0 {`,
			`if false {`}},
		Red: tests("TestCloseDoesNotWaitForTheNextDump"),
	},

	// due.go: what is due and has not begun.
	{
		Name: "a timer that was pushed back counts as due, where few are",
		Rule: "due.go",
		Edits: []edit{{"due.go",
			`if sh.dueAt(i, sh.records.At(i), tick) {`,
			`if i == i {`}},
		Red: tests("TestDueIsExactWhenAllWorkersAreBlocked"),
	},
	{
		Name: "a timer that is pending counts as due, where many are",
		Rule: "due.go",
		Edits: []edit{{"due.go",
			` && sh.dueAt(i, s, tick) {`,
			` && tick >= 0 {`}},
		Red: tests("TestDueIsExactWhenAllWorkersAreBlocked"),
	},
	{
		Name: "what is held back does not count as due",
		Rule: "due.go",
		Edits: []edit{{"due.go",
			`n += l.Count(levels.Held)`,
			`n += 0`}},
		Red: tests("TestDueCountsWhatIsHeldBack"),
	},

	// idle.go, internal/levels: when the wheel looks at idle timers, and what that costs.
	{
		Name: "storage of idle timers is not given back",
		Rule: "idle.go",
		Edits: []edit{{"handle.go", `
	sh.dropWords(n)
`, `
`}},
		Red: tests("TestIdleTimersAllocateNothing"),
	},
	{
		Name: "Touch takes the lock",
		Rule: "idle.go",
		Edits: []edit{
			{"idle.go", `
	hook.At("before the load of a Touch")
`, `
	t.shard().lock()
	defer t.shard().unlock()
`},
		},
		Red: tests("TestTouchTakesNoLock"),
	},
	{
		Name: "a look is made when the deadline has come",
		Rule: "idle.go",
		Edits: []edit{
			{"word.go", `sh.levels.LookTick(s, after(now, time.Duration(period/looksAPeriod)))`, `sh.levels.LookTick(s, max(s.When, after(now, time.Duration(period/looksAPeriod))))`},
		},
		Red: tests("TestTouchPutsTheHandlerOff"),
	},
	{
		Name: "a look is made each fourth of a period",
		Rule: "idle.go",
		Edits: []edit{{"idle.go",
			`	looksAPeriod = 8
`, `	looksAPeriod = 4
`}},
		Red: tests("TestTouchPutsTheHandlerOff"),
	},
	{
		Name: "a look is made each 64th of a period",
		Rule: "idle.go",
		Edits: []edit{{"idle.go",
			`	looksAPeriod = 8
`, `	looksAPeriod = 64
`}},
		Red: tests("TestALookCostsAnEighthOfAPeriod"),
	},
	{
		Name: "an idle timer is put where its deadline belongs",
		Rule: "idle.go",
		Edits: []edit{
			{"shard.go", `
	if s.Flags&levels.Open != 0 {
		return sh.nanos(sh.insertOpen(i, s, now))
	}
`, `
`},
		},
		Red: tests("TestTouchPutsTheHandlerOff"),
	},
	{
		Name: "an idle timer is not looked at when it is due before the next look",
		Rule: "levels",
		Edits: []edit{{"internal/levels/levels.go",
			`return min(l.tickOf(r), max(l.cur+1, at/l.tick))`,
			`return max(l.cur+1, at/l.tick)`}},
		Red: in("internal/levels", "TestALookLeavesTheBucketThatIsBeingEmptied"),
	},
	{
		Name: "an idle timer is looked at in the same tick again",
		Rule: "levels",
		Edits: []edit{{"internal/levels/levels.go",
			`return min(l.tickOf(r), max(l.cur+1, at/l.tick))`,
			`return min(l.tickOf(r), at/l.tick)`}},
		Red: in("internal/levels", "TestALookLeavesTheBucketThatIsBeingEmptied"),
	},
	{
		Name: "an idle timer goes to the end of the bucket that is being emptied, from which it has come",
		Rule: "levels",
		Edits: []edit{{"internal/levels/levels.go", `
	level, start := l.findAhead(tick)
	l.insertAt(i, r, level, bucketList(level, start))
	return start
`, `
	level, start := l.findAhead(tick)
	at := max(level, uint(l.cascading))
	l.insertAt(i, r, at, bucketList(at, start))
	return start
`}},
		Red: in("internal/levels", "TestALookLeavesTheBucketThatIsBeingEmptied"),
	},
	{
		Name: "an idle timer whose bucket is emptied goes to its deadline's, with no look",
		Rule: "levels",
		Edits: []edit{{"internal/levels/expire.go",
			`if r := l.records.At(i); r.When > now && r.Flags&(Prompt|Open) == 0 {`,
			`if r := l.records.At(i); r.When > now && r.Flags&Prompt == 0 {`}},
		Red: in("internal/levels", "TestLevelsSendIdleTimersToDue"),
	},
	{
		Name: "an idle timer whose bucket is emptied on a higher level goes to its deadline's, with no look",
		Rule: "levels",
		Edits: []edit{{"internal/levels/expire.go",
			`if r.Flags&(Open|InBucket) == Open|InBucket {`,
			`if r.When < 0 {`}},
		Red: in("internal/levels", "TestLevelsSendIdleTimersToDue"),
	},
	{
		Name: "an idle timer that an Advance has deferred goes to the list Due at its end",
		Rule: "levels",
		Edits: []edit{{"internal/levels/expire.go",
			`if r.Flags&(Open|InBucket) == Open|InBucket {`,
			`if r.Flags&Open != 0 {`}},
		Red: tests("TestIdleTimersGoByTheTimeOfAManualWheel"),
	},
	{
		Name: "the current tick moves on while timers stand in the list Due",
		Rule: "levels",
		Edits: []edit{{"internal/levels/levels.go", `
	if l.tails[Due] != 0 {
		return
	}
`, `
`}},
		Red: tests("TestIdleTimersGoByTheTimeOfAManualWheel"),
	},
	{
		Name: "a worker takes what it should only look at",
		Rule: "idle.go",
		Edits: []edit{{"shard.go",
			`if sh.isUp(i, sh.records.At(i), now) {`,
			`if true {`}},
		Red: tests("TestALookTakesNoLock"),
	},
	{
		Name: "an idle timeout of nothing is put off",
		Rule: "idle.go",
		Edits: []edit{
			{"word.go", `if word&touched == 0 || period == 0 {`, `if word&touched == 0 {`},
		},
		Red: tests("TestAnIdleTimeoutOfNothingIsNotPutOff"),
	},
	{
		Name: "When does not look",
		Rule: "idle.go",
		Edits: []edit{{"timer.go",
			`at, ok := sh.pendingDeadline(i, s)`,
			`at, ok := s.When, sh.isPending(i, s)`}},
		Red: tests("TestTouchPutsTheHandlerOff"),
	},
	{
		Name: "Reduce does not look",
		Rule: "idle.go",
		Edits: []edit{{"shard.go",
			`if deadline, ok := sh.pendingDeadline(i, s); ok && deadline <= when {`,
			`if sh.isPending(i, s) && s.When <= when {`}},
		Red: tests("TestAnIdleTimerStaysOneUntilItIsMoved"),
	},
	{
		Name: "Timers does not look",
		Rule: "idle.go",
		Edits: []edit{{"pending.go",
			`some = append(some, pendingTimer{sh.timer(i, s), when})`,
			`some = append(some, pendingTimer{sh.timer(i, s), s.When})`}, {"pending.go",
			`if when, ok := sh.pendingDeadline(i, s); ok &&`,
			`if ok := sh.isPending(i, s); ok &&`}},
		Red: tests("TestTimersYieldsTheDeadlinesThatTouchesHaveMade"),
	},
	{
		Name: "a Touch before an Advance counts from its end",
		Rule: "idle.go",
		Edits: []edit{{"idle.go",
			`if w.manual && word&advanceMax != w.advances.Load() {`,
			`if w.manual && word < 0 {`}},
		Red: tests("TestIdleTimersGoByTheTimeOfAManualWheel"),
	},
	{
		Name: "a Touch during an Advance counts from before it",
		Rule: "idle.go",
		Edits: []edit{{"idle.go",
			`if w.manual && word&advanceMax != w.advances.Load() {`,
			`if w.manual {`}},
		Red: tests("TestIdleTimersGoByTheTimeOfAManualWheel"),
	},
	{
		Name: "a mark that is older than a RegisterIdle makes the deadline earlier",
		Rule: "idle.go",
		Edits: []edit{
			{"word.go", `s.When = max(s.When, after(sh.touchedBy(word), time.Duration(period)))`, `s.When = after(sh.touchedBy(word), time.Duration(period))`},
		},
		Red: tests("TestIdleTimersGoByTheTimeOfAManualWheel"),
	},
	{
		Name: "a Touch of what is touched already leaves the number of the Advance",
		Rule: "idle.go",
		Edits: []edit{{"idle.go",
			`if word == mark {`,
			`if word == mark || word&touched != 0 {`}},
		Red: tests("TestIdleTimersGoByTheTimeOfAManualWheel"),
	},
	{
		Name: "the number of the Advances runs into the mark",
		Rule: "idle.go",
		Edits: []edit{{"manual.go",
			`sh.w.advances.Store((sh.w.advances.Load() + 1) & advanceMax)`,
			`sh.w.advances.Store(sh.w.advances.Load() + 1)`}},
		Red: tests("TestTheNumberOfAnAdvanceWrapsAround"),
	},
	{
		Name: "a look counts as due",
		Rule: "due.go",
		Edits: []edit{
			{"due.go",
				`n += l.Count(levels.Held)`,
				`n += l.Count(levels.Held) + l.Count(levels.Due)`},
			{"due.go",
				`for _, blocks := range []iter.Seq[[]uint32]{l.All(levels.Due), `,
				`for _, blocks := range []iter.Seq[[]uint32]{`}},
		Red: tests("TestALookIsNotInLine"),
	},
	{
		Name: "what is only to be looked at is the first in line",
		Rule: "saturated.go",
		Edits: []edit{{"saturated.go", `
	if !sh.levels.DueNow(first) {
`, `
	if false {
`}},
		Red: tests("TestTheFirstInLineMayStandBehindALook"),
	},
	{
		Name: "a timer that is only to be looked at is the witness",
		Rule: "saturated.go",
		Edits: []edit{{"saturated.go",
			`if r := sh.records.At(block[0]); r.Flags&levels.Open == 0 && sh.levels.DueNow(r) {`,
			`if true {`}},
		Red: tests("TestALookIsNotInLine"),
	},
	{
		Name: "a timer that is put off does not end Saturated",
		Rule: "saturated.go",
		Edits: []edit{
			{"word.go", `
	sh.checkWitness(i)
`, `
`},
		},
		Red: tests("TestSaturatedIsOverWhenTheLastInLineIsPutOff"),
	},
	{
		Name: "there is no witness if others than the first are only to be looked at",
		Rule: "saturated.go",
		Edits: []edit{{"saturated.go", `
	sh.witness = i + 1
	depth`, `
	depth`}},
		Red: tests("TestALookIsNotInLine"),
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
		Name: "the end of a run skips an instant that has passed, and is not due yet",
		Rule: "every.go",
		Edits: []edit{{"every.go",
			`nextInstant(s.When, sh.bodyOf(i, s).period, sh.levels.BeginOfTick(now))`,
			`nextInstant(s.When, sh.bodyOf(i, s).period, now)`}},
		Red: tests("TestEverySkipsWhatItsHandlerMissed"),
	},
	{
		Name: "a later deadline that a Register has set counts as an instant of the period, and is skipped",
		Rule: "every.go",
		Edits: []edit{{"shard.go",
			`s.When, s.Flags = when, s.Flags&^(levels.Prompt|onGrid)`,
			`s.When, s.Flags = when, s.Flags&^levels.Prompt`}},
		Red: tests("TestRegisterInItsHandlerGivesASeriesANewOrigin"),
	},
	{
		Name: "instants that were missed while the handler ran are made up for",
		Rule: "every.go",
		Edits: []edit{{"worker.go",
			`case s.Flags&onGrid != 0 && s.When <= sh.levels.BeginOfTick(now):`,
			`case false:`}},
		Red: tests("TestEverySkipsWhatItsHandlerMissed"),
	},

	{
		Name: "records of a peak are garbage",
		Rule: "handle.go",
		Edits: []edit{{"handle.go", `
		spareRecords.Give(c)
`, `
`}},
		Red: tests("TestBurstsLeaveNoGarbage"),
	},
	{
		Name: "blocks of lists of a peak are garbage",
		Rule: "levels.go",
		Edits: []edit{{"internal/levels/list.go",
			`spareBlocks.Give(l.blocks.Drop(t, true))`,
			`l.blocks.Drop(t, true)`}},
		Red: tests("TestBurstsLeaveNoGarbage"),
	},
	{
		Name: "a chunk with a retired record is used again",
		Rule: "handle.go",
		Edits: []edit{{"handle.go", `
	if c.Lost() == 0 {
		spareRecords.Give(c)
	}
`, `
	spareRecords.Give(c)
`}},
		Red: tests("TestAChunkWithARetiredRecordIsNotReplaced"),
	},

	// done.go: dones that need not wait.
	{
		Name: "a Close in a done waits for itself",
		Rule: "done.go",
		Edits: []edit{{"members.go",
			`return dones && w.inDone()`,
			`return dones && false`}},
		Red: tests("TestACloseInADoneKnowsTheDonesWheel"),
	},
	{
		Name: "a done is taken for one of every wheel",
		Rule: "done.go",
		Edits: []edit{{"done.go",
			`if number == w.number {`,
			`if true {`}},
		Red: tests("TestACloseInADoneKnowsTheDonesWheel"),
	},
	{
		Name: "a done is found as the innermost only",
		Rule: "done.go",
		Edits: []edit{{"done.go", `
			number = 0
`, `
			return false
`}},
		Red: tests("TestACloseInNestedDonesKnowsTheirWheels"),
	},
	{
		Name:  "Close does not wait for a done that need not wait",
		Rule:  "done.go",
		Edits: []edit{{"members.go", ` && w.dones == 0`, ``}},
		Red:   tests("TestACloseInADoneKnowsTheDonesWheel"),
	},

	// What a user's program meets beside the verbs.
	{
		Name:  "a method of the zero Wheel goes on",
		Rule:  "wheel.go",
		Edits: []edit{{"stats.go", `w.made().addStats`, `w.addStats`}},
		Red:   tests("TestTheZeroWheelAndGroupSayWhatToCall"),
	},
	{
		Name: "the labels of a handler are the next one's",
		Rule: "profile.go",
		Edits: []edit{{"worker.go", `
	wk.calling = nil
	wk.dropLabels()
`, `
	wk.calling = nil
`}},
		Red: tests("TestLabelsOfAHandlerDoNotReachTheNext"),
	},
	{
		Name: "the labels of a handler that panics are OnPanic's",
		Rule: "profile.go",
		Edits: []edit{{"worker.go", `
	wk.calling, wk.inUser = nil, true
	wk.dropLabels()
`, `
	wk.calling, wk.inUser = nil, true
`}},
		Red: tests("TestLabelsOfAHandlerDoNotReachTheNext"),
	},
	{
		Name: "a worker has the labels of the goroutine that it was made in",
		Rule: "profile.go",
		Edits: []edit{{"worker.go", `
	resetLabels()
	wk := &worker`, `
	wk := &worker`}},
		Red: tests("TestLabelsOfAHandlerDoNotReachTheNext"),
	},
	{
		Name: "a done has the labels of the deletion's caller",
		Rule: "profile.go",
		Edits: []edit{{"done.go", `
			resetLabels()
			runDone(w, done)
`, `
			runDone(w, done)
`}},
		Red: tests("TestLabelsOfAHandlerDoNotReachTheNext"),
	},
	{
		Name: "reflection finds the way from a Timer to its wheel",
		Rule: "timer.go",
		Edits: []edit{
			{"timer.go", `	w  unsafe.Pointer //`, `	w  *Wheel //`},
			{"timer.go", `(*Wheel)(t.w)`, `(*Wheel)(unsafe.Pointer(t.w))`},
			{"handle.go", `Timer{unsafe.Pointer(sh.w), `, `Timer{(*Wheel)(unsafe.Pointer(sh.w)), `},
		},
		Red: tests("TestATimerShowsAsItsNumbers"),
	},
	{
		Name: "Inspect reads Now before it looks at the runs",
		Rule: "inspect.go",
		Edits: []edit{{"inspect.go", `	in.Runs = w.runs()
`, `	in.Now = w.Now()
	in.Runs = w.runs()
`}, {"inspect.go", `	in.Now = w.Now() // last`, `	// last`}},
		Red: tests("TestInspectReadsNowLast"),
	},

	// clock.go: the wall clock may be set.
	{
		Name: "a deadline is compared with the wall clock as it was when the wheel was made",
		Rule: "clock.go",
		Edits: []edit{{"clock.go",
			`if !w.settable || hasMonotonic(t) {`,
			`if true {`}},
		Red: tests("TestADeadlineGoesByTheClockAsItIsAtTheCall"),
	},
	{
		Name: "a deadline with a monotonic reading is compared with the wall clock",
		Rule: "clock.go",
		Edits: []edit{{"clock.go",
			`if !w.settable || hasMonotonic(t) {`,
			`if !w.settable {`}},
		Red: tests("TestRegisterAtReadsNoClock"),
	},
	{
		Name: "what the wheel says is of the wall clock as it was when the wheel was made",
		Rule: "clock.go",
		Edits: []edit{{"clock.go", `
	if !w.settable {
		return w.base`, `
	if true {
		return w.base`}},
		Red: tests("TestWhatTheWheelSaysFollowsTheClock"),
	},
	{
		Name: "a Manual wheel reads the wall clock",
		Rule: "clock.go",
		Edits: []edit{{"wheel.go",
			`w.settable = !w.manual && hasMonotonic(w.base)`,
			`w.settable = hasMonotonic(w.base)`}},
		Red: tests("TestAManualWheelReadsNoClock"),
	},

	// on_next.go: the host that sleeps.
	{
		Name: "Next notes what the host knows after the shard's critical section",
		Rule: "on_next.go",
		Edits: []edit{{"wheel.go", `
		sh.hostAsked()
		sh.unlock()
	}
	if !ok {`, `
		sh.unlock()
		runtime.Gosched()
		if w.onNext != nil {
			w.alarm.at.Store(next)
		}
	}
	if !ok {`}, {"wheel.go", `
	"context"
`, `
	"context"
	"runtime"
`}},
		Red: tests("TestAHostNeverSleepsPastTheNextFiring"),
	},
	{
		Name: "what is registered during an Advance is told",
		Rule: "on_next.go",
		Edits: []edit{{"manual.go",
			`if sh.w.onNext != nil {`,
			`if false {`}},
		Red: tests("TestAManualWheelAgainstAnObviousModel"),
	},
	{
		Name: "a question of a handler's counts",
		Rule: "on_next.go",
		Edits: []edit{{"on_next.go",
			`if sh.w.onNext != nil && !sh.advancing {`,
			`if sh.w.onNext != nil {`}},
		Red: tests("TestOnNextIsSilentDuringAnAdvance"),
	},
	{
		Name: "the end of an Advance does not count as a question",
		Rule: "on_next.go",
		Edits: []edit{{"manual.go", `
	sh.hostAsked()
	sh.unlock()
`, `
	sh.unlock()
`}},
		Red: tests("TestAnAdvanceCountsAsAQuestion"),
	},
	{
		Name: "the host is told again before it has asked",
		Rule: "on_next.go",
		Edits: []edit{{"on_next.go", `
		sh.w.untold = false
		sh.w.alarm.at.Store(math.MinInt64)
`, `
		sh.w.untold = false
		sh.w.alarm.at.Store(math.MinInt64)
		sh.hostAsked()
`}},
		Red: tests("TestOnNextTellsWhatMakesNextEarlier"),
	},
	{
		Name: "RegisterAt does not tell the host",
		Rule: "on_next.go",
		Edits: []edit{{"timer.go", `
	sh.unlockArmed(i, s)
	return nil
`, `
	sh.w.untold = false
	sh.unlock()
	return nil
`}},
		Red: tests("TestASleepingHostFiresInTime"),
	},
	{
		Name: "the host is told while stdtime holds a lock",
		Rule: "on_next.go",
		Edits: []edit{{"on_next.go",
			`if x := sh.firingOf(i, s); x != nil {`,
			`if x := sh.firingOf(i, s); x != nil && false {`}},
		Red: in("stdtime", "TestTheHostIsToldUnderNoLock"),
	},

	// The verbs that stand beside Register.
	{
		Name: "Move arms what is not pending",
		Rule: "timer.go",
		Edits: []edit{{"timer.go",
			`if s == nil || sh.refusal(i, s) != nil || !sh.closePending(i, s) {`,
			`if s == nil || sh.refusal(i, s) != nil {`}},
		Red: tests("TestMoveMovesOnlyWhatIsPending"),
	},
	{
		Name: "slack ends a tick too late",
		Rule: "levels.go",
		Edits: []edit{{"internal/levels/levels.go",
			`before, last := (from-1)/l.tick, to/l.tick`,
			`before, last := (from-1)/l.tick, to/l.tick+1`}},
		Red: tests("TestRegisterWithinTakesATimeWithinItsSlack"),
	},
	{
		Name: "Timers yields what packages stdtime and timerctx have pending",
		Rule: "pending.go",
		Edits: []edit{{"pending.go",
			`ok && sh.firingOf(i, s) == nil {`,
			`ok {`}},
		Red: tests("TestTimersDoesNotYieldOwnFirings"),
	},
	{
		Name: "an Advance asks who calls it, though nothing is due",
		Rule: "manual.go",
		Edits: []edit{{"manual.go", `
	due, err := sh.setTime(now)
`, `
	goid()
	due, err := sh.setTime(now)
`}},
		Red: tests("TestAnAdvanceWithNothingDueDoesNotAskWhoCalls"),
	},
	{
		Name: "two may have the turn to Advance",
		Rule: "manual.go",
		Edits: []edit{{"manual.go",
			`if t.wanted.Add(1) > 1 {`,
			`if t.wanted.Add(1) > 2 {`}},
		Red: tests("TestConcurrentAdvancesAreSerialised"),
	},
	{
		Name: "the turn to Advance is not passed to the goroutine that waits for it",
		Rule: "manual.go",
		Edits: []edit{{"manual.go",
			`if t.wanted.Add(-1) > 0 {`,
			`if t.wanted.Add(-1) > 1 {`}},
		Red: tests("TestConcurrentAdvancesAreSerialised"),
	},
	{
		Name: "an Advance of a closed wheel sets its time",
		Rule: "manual.go",
		Edits: []edit{{"manual.go", `
	if sh.closed {
		return false, ErrClosed
	}
`, `
`}},
		Red: tests("TestAdvanceOfAWheelThatCannot"),
	},
	{
		Name: "AdvanceThrough asks who calls it before it knows whether something is due",
		Rule: "manual.go",
		Edits: []edit{{"manual.go",
			`goid := sync.OnceValue(gostack.ID)`,
			`goid := sync.OnceValue(gostack.ID); goid()`}},
		Red: tests("TestAnAdvanceWithNothingDueDoesNotAskWhoCalls"),
	},
	{
		Name: "AdvanceThrough goes to its end in one step",
		Rule: "manual.go",
		Edits: []edit{{"manual.go",
			`at, again = next, -1`,
			`at, again = now, -1`}},
		Red: tests("TestAdvanceThroughGoesFromFiringToFiring"),
	},
	{
		Name: "Group.Free frees members without an owner",
		Rule: "group.go",
		Edits: []edit{{"group.go", `
		if s.Owners > 0 {
			sh.free(i, s)
		}`, `
		sh.free(i, s)`}},
		Red: tests("TestGroupFreeDropsOneReferenceOfEachOwner"),
	},
}

// earlyAtBoundaries makes timers that cascade due one tick before their deadline.
var earlyAtBoundaries = []edit{
	{"internal/levels/expire.go",
		`level, start := find(ticks[k])`,
		`level, start := find(ticks[k] - 1)`},
	{"internal/levels/expire.go",
		`if r := l.records.At(i); r.When > now && r.Flags&(Prompt|Open) == 0 {`,
		`if r := l.records.At(i); r.When > now+l.tick && r.Flags&(Prompt|Open) == 0 {`},
}
