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

	waiting *wait // the deletion in which this goroutine waits; Wheel.mu guards it

	// The rest is the goroutine's own.
	hired       bool        // it counts towards MaxWorkers
	rearms      bool        // it sets the alarm when it leaves
	notBefore   int64       // when it leaves while timers are due: when to call the next worker
	yieldAfter  int64       // when it next yields its processor; never: the host's goroutine does not
	scanPending bool        // it has not looked at all shards yet
	hiring      bool        // it hires the next worker while some worker may be blocked
	hireBudget  int         // the workers that it hires whether a handler blocks now or not
	calling     bool        // a handler has been called, and has not returned
	acquiring   Timer       // for whose lock it waits
	locked      sync.Locker // held for the handler
	ended       *ending     // of the run that has ended: its waiters are to be woken
	fired       int         // handlers begun
}

// onAlarm is what the alarm calls.
func (w *Wheel) onAlarm() {
	wk := &worker{w: w, goid: gostack.ID(), rearms: true, scanPending: true}
	w.mu.Lock()
	w.alarm.rings--
	w.clearAlarm()
	w.members[wk.goid] = wk
	workers := w.workers
	w.mu.Unlock()
	defer w.leave(wk)

	if w.lookForStalls != nil {
		w.lookForStalls()
	}
	if w.wanted(wk, workers) && w.hire() {
		wk.work()
	}
}

// work makes wk, for which hire has made room, a worker: it runs what is due, shard after
// shard, until nothing is, or until it is surplus (crowded).
func (wk *worker) work() {
	w := wk.w
	wk.hired = true
	wk.yieldAfter = w.elapsed() + int64(timeSlice) // it has just been given a processor
	next := int(w.nextShard.Add(1))                // so that not all begin with the same shard
	for quiet := 0; quiet < len(w.shards) && wk.notBefore == 0; next++ {
		if wk.drain(w.shards[next&(len(w.shards)-1)]) {
			quiet = 0
		} else {
			quiet++
		}
	}
}

// assist is work for a worker that was hired by another, which leaves it the rest of its
// budget.
func (wk *worker) assist(budget int) {
	wk.rearms, wk.scanPending, wk.hiring, wk.hireBudget = true, true, true, budget
	wk.work()
}

// drain runs the due timers of one shard, one after the other: the end of one run and the
// start of the next are one critical section. After a while it leaves the shard, as other
// shards may have due timers, too. It reports whether it ran any.
func (wk *worker) drain(sh *shard) (ran bool) {
	defer wk.rescue(sh)
	sh.lock()
	now := wk.w.elapsed() // now, as the wait for the lock is not part of the first run
	if now >= wk.yieldAfter && sh.nextWake() <= now {
		now = wk.giveWay(sh)
	}
	leave := now + wk.w.hireDelay
	for now < leave || wk.w.manual {
		i, s, then, ok := wk.next(sh, now)
		if !ok {
			break
		}
		f, arg, t := wk.begin(sh, i, s, then)
		ran = true
		wk.unlockAndRearm(sh, wk.slot(sh).since)
		wk.calling = true
		call(f, arg, t)
		wk.calling = false

		now = wk.w.elapsed()
		locked := wk.relock(sh, now)
		wk.finish(sh, now)
		now = locked
		if wk.locked != nil || wk.ended != nil {
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
	sh.unlock()
	return ran
}

// relock locks the shard after a handler has returned at now, and returns what time it is
// then: the wait for the lock is part neither of this run nor of the next. Otherwise handlers
// would look slow, and more workers would be hired, which wait for the same lock.
func (wk *worker) relock(sh *shard, now int64) int64 {
	if sh.mu.TryLock() {
		return now
	}
	sh.lock()
	return wk.w.elapsed()
}

// call calls a handler.
func call(f, arg any, t Timer) {
	hook.At("a handler's begin")
	switch f := f.(type) {
	case func():
		f()
	case func(Timer):
		f(t)
	case func(any):
		f(arg)
	}
	hook.At("a handler's end")
}

// next finds a due timer that can begin now, with its lock taken if it is lock-bound.
// Holds the shard's lock, but may let go of it in between, so it returns what time it is
// then.
func (wk *worker) next(sh *shard, now int64) (i uint32, s *record, then int64, ok bool) {
	for {
		i, ok, more := sh.pop(now)
		if !ok {
			if !more {
				return 0, nil, now, false
			}
			now = wk.giveWay(sh) // after a batch
			continue
		}
		s := sh.records.At(i)
		if s.Flags&(running|locking) != 0 {
			sh.holdBack(i, s)
			continue
		}
		if b := sh.bodyOf(i, s); b != nil && b.lock != nil {
			s = wk.acquire(sh, i, s, b.lock, now)
			now = wk.w.elapsed()
			if s == nil {
				continue
			}
		}
		return i, s, now, true
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

// holdBack sets a due timer aside that must not begin now, because its last run or a wait
// for its lock is not over. The worker that ends that puts it back.
func (sh *shard) holdBack(i uint32, s *record) {
	sh.levels.Remove(i, s)
	sh.levels.Push(levels.Held, i, s)
}

// isHeld reports whether holdBack has set a timer aside.
func (sh *shard) isHeld(s *record) bool {
	return s.Flags&(pending|levels.InBucket) == pending && !sh.closed && sh.levels.ListOf(s) == levels.Held
}

// acquire takes a timer's lock, without the shard's. The timer is pending all the while,
// and anything may happen to it: the worker keeps no more than its handle. acquire returns
// nil if the timer does not run now: because it was deleted, moved or recycled.
func (wk *worker) acquire(sh *shard, i uint32, s *record, l sync.Locker, now int64) *record {
	t := sh.timer(i, s)
	s.Flags |= locking
	sh.holdBack(i, s)
	wk.unlockAndRearm(sh, now)
	wk.acquiring = t
	wk.userCall(l.Lock)
	wk.acquiring = Timer{}

	sh.lock()
	if _, s = sh.lookup(t); s != nil {
		s.Flags &^= locking
		if sh.isHeld(s) {
			wk.locked = l
			return s
		}
	}
	sh.unlock()
	l.Unlock()
	sh.lock()
	return nil
}

// abandonLock ends the wait for a lock whose Lock did not return: the timer is due as
// before, and the next in line.
func (wk *worker) abandonLock(sh *shard) {
	t := wk.acquiring
	wk.acquiring = Timer{}
	sh.lock()
	if i, s := sh.lookup(t); s != nil {
		s.Flags &^= locking
		if sh.isHeld(s) {
			sh.levels.Remove(i, s)
			sh.levels.Push(levels.Due, i, s)
		}
	}
	sh.unlock()
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

	f, t = *sh.body(i), sh.timer(i, s)
	if b := sh.bodyOf(i, s); b != nil {
		f, arg = b.f, b.arg
		if b.origin != nil {
			wk.code = b.origin.handler
		}
		if b.period > 0 {
			sh.scheduleNext(i, s, b.period, now)
		}
	} else if s.Flags&hasArg != 0 {
		arg = *sh.argOf(i)
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

	if w.manual || !wk.scanPending {
		return
	}
	wk.scanPending = false
	if next = w.rearm(successor); next <= now && wk.mayHireNext(now) && w.hire() {
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
			defer at.Value.(*wait).callDone(wk.w)
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

// rescue is deferred around handlers. It does nothing if the handler has returned. A panic
// is left alone unless there is an OnPanic: recovering it would lose the trace. What
// remains, that panic or a Goexit, goes on after the run has been ended properly.
func (wk *worker) rescue(sh *shard) {
	if wk.acquiring != (Timer{}) {
		wk.abandonLock(sh)
	}
	if !wk.calling {
		return
	}
	wk.calling = false
	var p *HandlerPanic
	if wk.w.onPanic != nil {
		if v := recover(); v != nil {
			p = &HandlerPanic{Value: v, Stack: debug.Stack()}
		}
	}
	var from origin
	now := wk.w.elapsed()
	sh.lock()
	if p != nil {
		i := wk.slot(sh).i
		s := sh.records.At(i)
		p.Timer, from = sh.timer(i, s), sh.origin(i, s)
	}
	wk.finish(sh, now)
	sh.unlock()
	wk.notify()
	if p != nil {
		p.AllocatedAt, p.RegisteredAt = from.allocated.String(), from.registered.String()
		wk.userCall(func() { wk.w.onPanic(*p) })
	}
}
