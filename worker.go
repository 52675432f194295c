package timerwheel

import (
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/seed76848005/timerwheel/internal/gostack"
	"github.com/seed76848005/timerwheel/internal/hook"
	"github.com/seed76848005/timerwheel/internal/levels"
)

// This file runs handlers.
//
// # Leader and followers
//
// When the alarm rings, the goroutine in which the runtime calls it is a worker. It takes
// a timer off the wheel and sets the alarm anew, which calls its successor, and only then
// runs the handler. It runs what is due, shard after shard, until nothing is, and sets the
// alarm to what remains when it leaves. hiring.go says when a successor works beside it.
// Now and then, while something is due, a worker yields its processor to the program's own
// goroutines (giveWay).

// A worker is what the wheel knows of a member: a goroutine that runs functions for it. Only
// a hired one counts towards MaxWorkers.
type worker struct {
	w    *Wheel
	goid uint64

	// Of the run in flight. The lock of the shard in whose row the running slot stands
	// guards it.
	slotIndex int     // of the running slot, in shard.running
	ending    *ending // completion shared by the deletions that wait for the run; nil if none
	code      uintptr // of the handler, with Debug
	watched   watched // with OnStall: watch.go; also while it waits for a timer's lock

	waiting *wait // the deletion in which this goroutine waits; Wheel.mu guards it

	// The rest is the goroutine's own.
	hired       bool        // it counts towards MaxWorkers
	rearms      bool        // it sets the alarm when it leaves
	notBefore   int64       // when it leaves while timers are due: when to call the next worker
	leaveAfter  int64       // when it goes on to the next shard
	yieldAfter  int64       // when it next yields its processor; never: the host's goroutine does not
	scanPending bool        // it has not looked at all shards yet
	hiring      bool        // it hires the next worker while some worker may be blocked
	hireBudget  int         // the workers that it hires whether a handler blocks now or not
	calling     *shard      // in which it runs a timer whose handler has been called, and has not returned; else nil
	inUser      bool        // another function of the user's has been called, and has not returned, or its panic or Goexit goes on
	line        *line       // that it serves; nil if none
	lockWatcher *shard      // with OnStall, that watches its wait for the line's lock; nil if none does
	linedUp     int         // timers that it has put into lines that other workers serve
	locked      sync.Locker // held for the handler; nil if none is, or if the handler has released it
	ended       *ending     // of the run that has ended: its waiters are to be woken
	fired       int         // handlers begun
}

// onAlarm is what the alarm calls.
func (w *Wheel) onAlarm() {
	resetLabels()
	wk := &worker{w: w, goid: gostack.ID(), rearms: true, scanPending: true}
	w.mu.Lock()
	w.alarm.rings--
	w.clearAlarm()
	w.members[wk.goid] = wk
	workers := w.workers
	if workers == 0 {
		w.progress = progress{}
	}
	w.mu.Unlock()
	defer w.leave(wk)

	if w.lookForStalls != nil {
		w.lookForStalls()
	}
	w.fireOwn(wk)
	if w.wanted(wk, workers) && w.hire() {
		wk.work()
	} else {
		w.watchBubble()
	}
}

// work makes wk, for which hire has made room, a worker: it runs what is due, shard after
// shard, until nothing is, or until it is surplus (crowded).
func (wk *worker) work() {
	w := wk.w
	wk.hired = true
	wk.yieldAfter = w.elapsed() + int64(timeSlice) // it has just been given a processor
	no := w.nextShard.Add(1)                       // so that not all begin with the same shard
	for quiet := uint64(0); wk.notBefore == 0; {   // the shards in which nothing was due
		served := wk.serveUnserved()
		left := w.occupied.Load() &^ quiet
		if left == 0 && !served {
			return
		}
		if left != 0 {
			no = w.nextIn(left, no+1)
			quiet |= 1 << no
			served = wk.drain(w.shards[no]) || served
		}
		if served {
			quiet = 0
		}
	}
}

// assist is work for a worker that was hired by another, which leaves it the rest of its
// budget.
func (wk *worker) assist(budget int) {
	wk.rearms, wk.scanPending, wk.hiring, wk.hireBudget = true, true, true, budget
	wk.work()
}

// maxVisit is the most handlers that a worker runs before it looks at the other shards. Mostly
// it leaves before that, after hireDelay. But the clock of a bubble stands still while
// goroutines work.
const maxVisit = 4096

// drain runs the due timers of one shard, one after the other: the end of one run and the
// start of the next are one critical section. Those that are bound to a lock go into its line.
// After a while it leaves the shard, even if it only moves timers down a level, as other shards
// may have due timers, too. It reports whether it found any, or leaves some that are due.
func (wk *worker) drain(sh *shard) (busy bool) {
	defer wk.rescue()
	sh.lock()
	now := wk.w.elapsed() // now, as the wait for the lock is not part of the first run
	if now >= wk.yieldAfter && sh.nextWake() <= now {
		now = wk.giveWay(sh)
	}
	wk.leaveAfter = now + wk.w.hireDelay
	for last := wk.fired + maxVisit; now < wk.leaveAfter && wk.fired < last || wk.w.manual; {
		i, s, then, ok := wk.next(sh, now)
		if !ok {
			break
		}
		busy = true
		if b := sh.bindingOf(i, s); b != nil {
			now = wk.lineUp(sh, i, s, b, then)
			continue
		}
		if now = then; !sh.claim(i, s, now) {
			continue
		}
		now = wk.run(sh, i, s, now)
		if wk.ended != nil {
			sh.unlock()
			wk.notify()
			sh.lock()
			now = wk.w.elapsed()
		}
		if wk.fired%batch == 0 && sh.crowded(now) {
			wk.notBefore = now + wk.w.hireDelay
			break
		}
	}
	if now < wk.leaveAfter {
		wk.moveAhead(sh, now)
	}
	if sh.sweeps && now < wk.leaveAfter {
		wk.sweep(sh)
		now = wk.w.elapsed()
	}
	busy = busy || sh.nextWake() <= now
	sh.unlock()
	return busy
}

// run runs a due timer, from the critical section that takes it off the wheel to the one that
// ends its run. It returns what time it is then. Holds the shard's lock, and lets go of it in
// between.
func (wk *worker) run(sh *shard, i uint32, s *record, now int64) (then int64) {
	f, arg, t := wk.begin(sh, i, s, now)
	wk.unlockAndRearm(sh, wk.slot(sh).since)
	wk.calling = sh
	call(f, arg, t)
	wk.calling = nil
	wk.dropLabels()

	now = wk.w.elapsed()
	then = wk.relock(sh, now)
	wk.finish(sh, now)
	return then
}

// relock locks the shard after a handler has returned at now, and returns what time it is
// then: the wait for the lock is part neither of this run nor of the next. Otherwise handlers
// would look slow, and more workers would be hired, which wait for the same lock.
func (wk *worker) relock(sh *shard, now int64) int64 {
	if sh.mu.TryLock() {
		return now
	}
	wk.w.returned.Add(1)
	sh.lock()
	wk.w.returned.Add(-1)
	return wk.w.elapsed()
}

// call calls a handler. panickedInLibrary looks for it on the stack.
//
//go:noinline
func call(f, arg any, t Timer) {
	hook.At("a handler's begin")
	switch f := f.(type) {
	case func():
		f()
	case func(Timer):
		f(t)
	case func(any):
		f(arg)
	case func(Timer, any):
		f(t, arg)
	}
	hook.At("a handler's end")
}

// dropLabels drops what a handler has done to the labels of the worker's goroutine.
func (wk *worker) dropLabels() {
	if !wk.w.manual {
		resetLabels()
	}
}

// next finds a due timer that does not run. It gives up when the worker is to leave the shard.
// Holds the shard's lock, but may let go of it in between, so it returns what time it is then.
func (wk *worker) next(sh *shard, now int64) (i uint32, s *record, then int64, ok bool) {
	for {
		i, ok, more := sh.pop(now)
		if !ok {
			if !more {
				return 0, nil, now, false
			}
			if now = wk.giveWay(sh); now >= wk.leaveAfter && !wk.w.manual { // after a batch
				return 0, nil, now, false
			}
			continue
		}
		s := sh.records.At(i)
		if s.Flags&running == 0 {
			return i, s, now, true
		}
		sh.holdBack(i, s)
	}
}

// timeSlice is how long a worker keeps a processor in a storm, if it can. Yielding wakes
// another thread, which finds nothing to do more often than not: that is a tenth of the
// cost of a firing ("CPU a firing" of bench/).
const timeSlice = 100 * time.Microsecond

// giveWay lets go of a shard in which there is something to do, so that others can lock
// it; and now and then yields the processor to the program's own goroutines. Without that
// they would wait for the end of a time slice of the runtime, ten milliseconds, or several,
// while workers move a million timers down a level. As it may take long until the worker
// gets a processor again, the alarm is set before. It returns what time it is then.
func (wk *worker) giveWay(sh *shard) (now int64) {
	w := wk.w
	if now = w.elapsed(); now < wk.yieldAfter {
		sh.unlock()
		sh.lock()
		return w.elapsed()
	}
	w.wakeBy(now + w.hireDelay)
	sh.unlock()
	runtime.Gosched()
	wk.yieldAfter = w.elapsed() + int64(timeSlice)
	sh.lock()
	return w.elapsed()
}

// worthAhead is how many timers a bucket holds, at least, that is emptied ahead of its time. To empty it at once
// takes some tenths of a millisecond.
const worthAhead = 16 * batch

// moveAhead moves a batch of the timers that become due next to the lowest level. Each visit to the shard moves
// one more batch, so the bucket is empty, or nearly, when its time comes ("lateness" of bench/). Timers whose
// words are open go to the list Due. None of them is due: moveAhead looks at each, which moves it to its bucket.
func (wk *worker) moveAhead(sh *shard, now int64) {
	sh.levels.MoveAhead(worthAhead, batch)
	for !sh.levels.Empty(levels.Due) {
		if i := sh.levels.Last(levels.Due); sh.isUp(i, sh.records.At(i), now) {
			return // the worker leaves while timers are due
		}
	}
}

// holdBack sets a due timer aside that must not begin now: because its last run is not over,
// and the worker that ends that puts it back; or because it stands in a line, and the worker
// that serves that takes it from there.
func (sh *shard) holdBack(i uint32, s *record) {
	sh.levels.Remove(i, s)
	sh.checkWitness(i)
	sh.levels.Push(levels.Held, i, s)
}

// isHeld reports whether holdBack has set a timer aside. The shard must not be closed.
func (sh *shard) isHeld(s *record) bool {
	return s.Flags&(pending|levels.InBucket) == pending && sh.levels.ListOf(s) == levels.Held
}

// begin takes a timer off the wheel and publishes it in the running slot.
func (wk *worker) begin(sh *shard, i uint32, s *record, now int64) (f, arg any, t Timer) {
	sh.unlink(i, s)
	s.Flags |= running
	sh.counters.fired++

	// now may have been read before the lock was taken: a timer that was due when it was
	// registered may be younger.
	since := max(now, s.When)
	sh.counters.late(since - s.When)
	wk.publish(sh, i, since)
	wk.fired++

	f, arg, t = sh.function(i, s), sh.argOf(i, s), sh.timer(i, s)
	if b, ok := f.(*body); ok {
		f, arg = b.f, b.arg
		if b.period > 0 {
			sh.scheduleNext(i, s, b.period, now)
		}
	}
	if sh.w.debug {
		wk.code = sh.handlerOf(i, s)
	}
	return f, arg, t
}

// unlockAndRearm lets go of the shard before wk runs code that may block, and makes sure
// that another worker comes for what remains. Of this shard wk knows what that is, and
// sets the alarm for it while it holds the lock. It looks at the other shards once, if the
// alarm has called it or another worker has hired it: the first has cleared the alarm and must
// set it, the second must find out whether to hire another.
func (wk *worker) unlockAndRearm(sh *shard, now int64) {
	w := wk.w
	next, successor := sh.nextWake(), now+w.hireDelay
	w.wakeBy(max(next, successor))
	w.watch(now)
	sh.unlock()
	if next <= now {
		w.watchBubble()
	}
	wk.scan(now)
}

// scan looks at all shards, once, and sets the alarm, before wk calls a function that may block.
// Holds no lock.
func (wk *worker) scan(now int64) {
	w := wk.w
	if w.manual || !wk.scanPending {
		return
	}
	wk.scanPending = false
	if w.rearm(now+w.hireDelay) > now {
		return
	}
	w.watchBubble()
	if wk.mayHireNext(now) && w.hire() {
		budget := wk.hireBudget
		w.spawn(func(assistant *worker) { assistant.assist(budget) })
	}
}

// finish ends a run: it clears the running slot, ends the refusal and the waits, and
// decides what becomes of the timer. It is one critical section.
func (wk *worker) finish(sh *shard, now int64) {
	run := wk.slot(sh)
	i := run.i
	sh.counters.took(now - run.since)
	wk.unpublish(sh)

	s := sh.records.At(i)
	s.Flags &^= running | deleting
	if wk.ending != nil {
		wk.endWaits()
	}
	wake := int64(never)
	switch {
	case s.Flags&pending == 0 || sh.closed:
		sh.release(i, s)
	case s.Flags&onGrid != 0 && s.When <= sh.levels.BeginOfTick(now):
		wake = sh.skipMissed(i, s, now)
	case sh.isHeld(s):
		sh.levels.Remove(i, s)
		wake = sh.insert(i, s, now)
	}
	if wake < never { // this worker may leave the shard, and the others have looked at it before
		wk.w.wakeBy(max(wake, now+wk.w.hireDelay))
	}
}

// notify does what must follow the end of a run without the shard's lock: it releases the
// timer's lock, wakes the deletions that waited, and calls the dones of those that did not
// wait, in their order. The calls are deferred, and so written in reverse: a done that panics,
// on a Manual wheel, prevents no other.
func (wk *worker) notify() {
	if e := wk.ended; e != nil {
		wk.ended = nil
		for at := e.asyncs.Back(); at != nil; at = at.Prev() { // the last one that is deferred comes first
			defer at.Value.(*wait).callDone(wk)
		}
		defer close(e.over)
	}
	if l := wk.locked; l != nil {
		wk.locked = nil
		wk.userCall(l.Unlock)
	}
}

// A HandlerPanic describes a handler's panic. It is passed to Options.OnPanic.
type HandlerPanic struct {
	Timer        Timer  // perhaps stale by now
	Value        any    // what recover returned
	Stack        []byte // of the worker, from the panic outwards
	AllocatedAt  string // file:line, with Options.Debug
	RegisteredAt string // likewise, of the last Register
}

// rescue is deferred around handlers. It does nothing if the handler has returned, except that a
// panic of the library's own ends the program: no lock can be relied on. A handler's panic
// is left alone unless there is an OnPanic: recovering it would lose the trace. What
// remains, that panic or a Goexit, goes on after the run has been ended properly.
//
// A worker that serves a line leaves it to another: a Goexit goes on, and OnPanic may block.
func (wk *worker) rescue() {
	sh := wk.calling
	if sh == nil {
		if !wk.inUser || panickedInLibrary() {
			if v := recover(); v != nil {
				crash(v)
			}
		}
		return
	}
	if panickedInLibrary() { // in a verb that the handler has called
		crash(recover())
	}
	wk.calling, wk.inUser = nil, true
	wk.dropLabels()
	var p *HandlerPanic
	if wk.w.onPanic != nil {
		if v := recover(); v != nil {
			p = &HandlerPanic{Value: v, Stack: debug.Stack()}
		}
	}
	var from origin
	now := wk.w.elapsed()
	func() {
		defer crashOnPanic()
		sh.lock()
		if p != nil {
			i := wk.slot(sh).i
			s := sh.records.At(i)
			p.Timer, from = sh.timer(i, s), sh.origin(i, s)
		}
		wk.finish(sh, now)
		sh.unlock()
	}()
	wk.notify()
	wk.abandonLine()
	if p != nil {
		wk.inUser = false
		p.AllocatedAt, p.RegisteredAt = from.allocated.String(), from.registered.String()
		wk.userCall(func() { wk.w.onPanic(*p) })
	}
}
