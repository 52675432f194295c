package timerwheel

import (
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// This file says who runs handlers.
//
// # Leader and followers
//
// When the alarm rings, the goroutine in which the runtime calls it is a
// worker: it takes a timer off the wheel, sets the alarm anew, which appoints
// its successor, and only then runs the handler. As long as due timers remain,
// the successor comes within patience, which is half a tick and at most a
// millisecond, and looks (wanted):
//
//   - nothing is due any more: it goes;
//   - GOMAXPROCS workers are getting on with it, one quick handler after the
//     other, or are about to: it goes, and its successor looks again;
//   - that has been so for a while, and yet no handler has begun: they are kept
//     from the processors, by the program's own goroutines or by their great
//     number. It works;
//   - a handler is not quick, so it may be blocking, or a worker waits for a
//     timer's lock, which is as bad: it works, and as long as that is so as many
//     more are hired as there are due timers, for the next ones may block as well;
//   - otherwise it works, alone.
//
// So handlers that block hold up nothing for longer than a tick, and a
// storm of quick handlers is not fought over by more workers than there are
// processors: of those that were hired for a false alarm, the surplus goes
// (crowded). Never are there more than MaxWorkers. And now and then, while
// something is due, they let the program's own goroutines have their turns
// (giveWay).
//
// A worker that finds nothing due goes, and rearms the alarm on its way out.
//
// # The running slot
//
// A worker publishes the timer that it runs in its running slot, in the
// critical section that takes the timer off the wheel, and clears it in one
// that ends everything that belongs to the run: the refusal of Registers, the
// waits of deletions, the last reference to a timer without owners. What a
// deletion may do with the slot, sync_del.go says.

// A runningSlot says what a worker runs. Those of a shard lie in a row, so that who
// looks through ten thousand of them is through in microseconds.
type runningSlot struct {
	wk       *worker
	since    int64  // since when it runs, ns since the wheel's base
	waiting  int64  // since when the deletion waits that is the next to be reported as stalled; never, if there is none
	i        uint32 // the timer that runs
	reported bool   // as stalled
}

// A worker is a goroutine that runs functions for the wheel: a member of the
// crew.
type worker struct {
	w    *Wheel
	goid uint64

	// Of the run in flight. The lock of the shard in whose row the running slot
	// stands guards it.
	slotIndex      int         // of the running slot, in shard.running
	ending         *ending     // what those see that wait for the run's end; nil: nobody does
	code           uintptr     // of the handler, with Debug
	waitingForLock atomic.Bool // it may wait for a lock of ours: before its handler has been called, or after it has returned

	waiting *wait // the deletion in which this goroutine waits; Wheel.mu guards it

	// The rest is the goroutine's own.
	hired       bool        // it counts as one of MaxWorkers
	rearms      bool        // it sees to the alarm when it goes
	notBefore   int64       // when it goes while timers are due: when to call the next worker
	yieldAfter  int64       // until when it need not give way; never: the host's goroutine does not
	scanPending bool        // it has not looked at all the shards yet
	hiring      bool        // it has come because handlers block: it hires the next
	hireBudget  int         // that many, whether somebody blocks now or not
	overhead    int64       // what of a run was spent before its handler was called, ns
	calling     bool        // a handler has been called, and has not returned
	acquiring   Timer       // for whose lock it waits
	locked      sync.Locker // what it holds for the handler
	ended       *ending     // of the run that has ended: who waited for it is to be told
	fired       int         // handlers begun
}

// onAlarm is what the alarm calls.
func (w *Wheel) onAlarm() {
	wk := &worker{w: w, goid: goid(), rearms: true, scanPending: true}
	w.mu.Lock()
	w.alarm.rings--
	w.clearAlarm()
	w.members[wk.goid] = wk
	workers := w.workers
	w.mu.Unlock()
	defer w.leave(wk)

	if w.onStall != nil {
		w.reportStalls()
	}
	if w.wanted(wk, workers) && w.hire() {
		w.work(wk)
	}
}

// A progress is what the handlers had come to when somebody last asked.
type progress struct {
	slow  int64  // time spent in those that were not quick, ns
	fired uint64 // how many had begun
	since int64  // when somebody first saw as many, ns since the wheel's base
}

// wanted reports whether one more worker is wanted beside those that are at
// work, and if so, whether it shall hire others; if not, when to ask again.
func (w *Wheel) wanted(wk *worker, workers int) bool {
	now := w.elapsed()
	blocked, p := w.outside.Load() > 0, progress{since: now}
	for _, sh := range w.shards {
		sh.lock()
		blocked = blocked || sh.blocked(now)
		p.slow += sh.slow
		p.fired += sh.counters.fired
		sh.unlock()
	}
	lately, idle := w.progressed(p)
	if workers == 0 {
		return true
	}
	// Those that are not blocked may be between two runs that were not quick either:
	// that allows some hires for each processor's time that such runs have taken, as
	// they may have been interrupted only.
	if lately >= w.hireDelay/2 {
		wk.hireBudget = hiresEach * int(1+lately/w.hireDelay)
	}
	wk.hiring = blocked || wk.hireBudget > 0
	if !wk.hiring && workers >= runtime.GOMAXPROCS(0) && idle < int64(starvedAfter) {
		wk.notBefore = now + w.hireDelay
		return false
	}
	return true
}

// progressed notes what the handlers have come to. It returns the time that was spent
// since somebody last asked in those that were not quick, and for how long none has begun.
func (w *Wheel) progressed(p progress) (slow, idle int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	last := w.progress
	w.progress = p
	if p.fired == last.fired {
		w.progress.since = last.since
	}
	return p.slow - last.slow, p.since - w.progress.since
}

// starved is for how long no handler may have begun, though something is due, without
// workers being suspected of not getting a processor: it is the runtime's time slice. One
// that gives way, or is interrupted, stands at the end of a line of all such
// goroutines, from which a busy processor takes one in sixty-one times only: in a
// program with hundreds of them it may stand there for seconds.
const starvedAfter = 10 * time.Millisecond

// quick is how long a handler may have run without being suspected of blocking.
// It is so short because workers too many do harm only where handlers are much
// quicker still: they get into each other's way at the shards' locks.
const quickRun = 10 * time.Microsecond

// hiresEach is how many workers are hired for one that has been in runs that were
// not quick, and is in none now.
const hiresEach = 16

// quick reports whether a run has not lasted for long, or does not any more.
func (r *runningSlot) isQuick(now int64) bool {
	return now-r.since < int64(quickRun) || r.wk.waitingForLock.Load()
}

// blocked reports whether some handler may be blocking.
func (sh *shard) blocked(now int64) bool {
	for k := range sh.running.n {
		if !sh.running.at(uint32(k)).isQuick(now) {
			return true
		}
	}
	return false
}

// outside calls a function of the user's that is no handler, and in which a worker
// may block as in one.
func (wk *worker) outside(f func()) {
	wk.w.outside.Add(1)
	defer wk.w.outside.Add(-1)
	f()
}

// blocked reports whether some worker may be blocking.
func (w *Wheel) blocked(now int64) bool {
	if w.outside.Load() > 0 {
		return true
	}
	for _, sh := range w.shards {
		sh.lock()
		blocked := sh.blocked(now)
		sh.unlock()
		if blocked {
			return true
		}
	}
	return false
}

// crowded reports whether enough workers are getting on with this shard's
// timers without the one that asks. Their runs are mostly among the last that have
// begun, so it does not look at all of them.
func (sh *shard) crowded(now int64) bool {
	procs := runtime.GOMAXPROCS(0)
	quick := 0
	for k := sh.running.n; k > max(0, sh.running.n-procs-scanLen) && quick < procs; {
		if k--; sh.running.at(uint32(k)).isQuick(now) {
			quick++
		}
	}
	return quick >= procs
}

// hire makes room for one more worker, unless there are enough.
func (w *Wheel) hire() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.mayHire() {
		return false
	}
	w.workers++
	return true
}

// mayHire reports whether there may be one more worker. Holds mu.
func (w *Wheel) mayHire() bool { return !w.closed && w.workers < w.maxWorkers }

// work makes wk, for which hire has made room, a worker: it runs what is due,
// shard after shard, until nothing is.
func (w *Wheel) work(wk *worker) {
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

// drain runs the due timers of one shard, one after the other: the end of one
// run and the beginning of the next are one critical section. After a while it
// leaves the shard, as others may have due timers, too. It reports whether it
// ran any.
func (wk *worker) drain(sh *shard) (ran bool) {
	defer wk.rescue(sh)
	sh.lock()
	now := wk.w.elapsed() // now, as the wait for the lock is no part of the first run
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

// relock locks the shard after a handler has returned, and returns what time it is
// then. To wait for the lock is not a part of this run, nor of the next: that would
// look as if their handlers were slow, and bring more workers to the lock.
func (wk *worker) relock(sh *shard, now int64) int64 {
	if sh.mu.TryLock() {
		return now
	}
	wk.waitingForLock.Store(true)
	sh.lock()
	wk.waitingForLock.Store(false)
	return wk.w.elapsed()
}

func call(f, arg any, t Timer) {
	at("a handler's begin")
	switch f := f.(type) {
	case func():
		f()
	case func(Timer):
		f(t)
	case func(any):
		f(arg)
	}
	at("a handler's end")
}

// next finds a due timer that can begin now, with its lock taken if it is
// lock-bound. Holds the shard's lock, but may let go of it in between, so it
// returns what time it is then.
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
		s := sh.records.at(i)
		if s.flags&(running|locking) != 0 {
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

// turn is how long a worker keeps a processor in a storm, if it can help it. To give way
// wakes another thread, which finds nothing to do, more often than not: that is a tenth
// of the cost of a firing ("CPU a firing" of bench/).
const timeSlice = 100 * time.Microsecond

// giveWay lets go of a shard in which there is something to do, so that others get their
// turns with it; and now and then lets the program's own goroutines have theirs with the
// processor. Without that they would wait for the end of a time slice, ten milliseconds,
// or several, while workers move a million timers down a level. As it may be long until
// the processor comes back, the alarm is set before. It returns what time it is then.
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

// hold sets a due timer aside that must not begin now, because its last run or
// a wait for its lock is not over. Who ends that looks for it.
func (sh *shard) holdBack(i uint32, s *record) {
	sh.levels.remove(i, s)
	sh.levels.push(listHeld, i, s)
}

// held reports whether a timer is one that hold has set aside.
func (sh *shard) isHeld(s *record) bool {
	return s.flags&(pending|inBucket) == pending && !sh.closed && sh.levels.list(s) == listHeld
}

// acquire takes a timer's lock, without the shard's. The timer is pending
// meanwhile, and anything may happen to it: the worker keeps no more than its
// handle. It returns nil if the timer does not run now: because it was deleted,
// moved or recycled.
func (wk *worker) acquire(sh *shard, i uint32, s *record, l sync.Locker, now int64) *record {
	t := sh.timer(i, s)
	s.flags |= locking
	sh.holdBack(i, s)
	wk.unlockAndRearm(sh, now)
	wk.acquiring = t
	wk.outside(l.Lock)
	wk.acquiring = Timer{}

	sh.lock()
	if _, s = sh.lookup(t); s != nil {
		s.flags &^= locking
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

// begin takes a timer off the wheel and publishes it in the running slot.
func (wk *worker) begin(sh *shard, i uint32, s *record, now int64) (f, arg any, t Timer) {
	sh.unlink(i, s)
	s.flags |= running
	sh.counters.fired++

	// now may have been read before the lock was taken: a timer that was due when it was
	// registered may be younger.
	since := max(now, s.when)
	sh.counters.late(since - s.when)
	wk.slotIndex = sh.running.n
	sh.running.push(runningSlot{wk: wk, since: since, waiting: never, i: i})
	wk.fired++

	f, t = *sh.body(i), sh.timer(i, s)
	if b := sh.bodyOf(i, s); b != nil {
		f, arg = b.f, b.arg
		if b.origin != nil {
			f, wk.code = instrumented(f, arg, t), b.origin.handler
		}
		if b.period > 0 {
			sh.scheduleNext(i, s, b.period, now)
		}
	} else if s.flags&hasArg != 0 {
		arg = *sh.argOf(i)
	}
	return f, arg, t
}

// slot returns the running slot, which must be in use.
func (wk *worker) slot(sh *shard) *runningSlot { return sh.running.at(uint32(wk.slotIndex)) }

// glance is for how many runs and waits, roughly, one critical section does something.
const scanLen = 16

// glance looks at some of the shard's runs, from the kth downwards, and returns where
// to go on; look says how much it has looked at. When a run ends, the last one takes
// its place: one that moves is thus seen twice, perhaps, but not missed.
func (sh *shard) scanRuns(k int, look func(*runningSlot) int) (next int) {
	k = min(k, sh.running.n)
	for seen := 0; k > 0 && seen < scanLen; {
		k--
		seen += look(sh.running.at(uint32(k)))
	}
	return k
}

// appoint lets go of the shard, before wk runs code that may block, and sees to
// it that somebody comes for what remains. Of this shard wk knows what that is,
// and says so while it holds the lock: wakeBy. What is due elsewhere it has to
// look up, once, if the alarm has called it or another worker has hired it: the
// alarm knows nothing then, or wk has to know whether to hire the next.
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
	wk.waitingForLock.Store(true)
	if next = w.rearm(successor); next <= now && wk.hiring && (wk.hireBudget > 0 || w.blocked(now)) && w.hire() {
		hires := wk.hireBudget - 1
		w.spawn(func(assistant *worker) { assistant.assist(hires) })
	}
	wk.waitingForLock.Store(false)
	wk.overhead = w.elapsed() - now
}

// assist is what a worker does that was hired by another.
func (wk *worker) assist(hires int) {
	wk.rearms, wk.scanPending, wk.hiring, wk.hireBudget = true, true, true, hires
	wk.w.work(wk)
}

// finish ends a run: it clears the running slot, ends the refusal and the
// waits, and sees to what becomes of the timer. It is one critical section.
func (wk *worker) finish(sh *shard, now int64) {
	run := wk.slot(sh)
	i, took := run.i, now-run.since
	if last := sh.running.at(uint32(sh.running.n - 1)); last != run {
		*run = *last
		last.wk.slotIndex = wk.slotIndex
	}
	sh.running.pop()

	sh.counters.took(took)
	if slow := took - wk.overhead; slow >= int64(quickRun) {
		sh.slow += slow
	}
	wk.overhead = 0
	s := sh.records.at(i)
	s.flags &^= running | deleting
	if wk.ending != nil {
		wk.endWaits()
	}
	switch {
	case s.flags&pending == 0 || sh.closed:
		sh.release(i, s)
	case s.flags&onGrid != 0 && s.when <= sh.levels.beginOfTick(now):
		sh.skipMissed(i, s, now)
	case sh.isHeld(s):
		sh.levels.remove(i, s)
		sh.place(i, s, now)
	}
}

// settle does what must follow the end of a run without the shard's lock: it
// releases the timer's lock, wakes the deletions that waited, and tells those that
// did not, in their order. A done that panics, on a Manual wheel, keeps that from no
// other.
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
		wk.outside(l.Unlock)
	}
}

// A HandlerPanic is a panic of a handler, as Options.OnPanic gets it.
type HandlerPanic struct {
	Timer        Timer  // perhaps stale by now
	Value        any    // what recover returned
	Stack        []byte // of the worker, from the panic outwards
	AllocatedAt  string // file:line, with Options.Debug
	RegisteredAt string // likewise, of the last Register
}

// rescue is deferred around handlers. It does nothing if the handler has
// returned. A panic is left alone unless there is an OnPanic: recovering it
// would lose the trace. What remains, that panic or a Goexit, goes on after
// the run has been ended properly.
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
		s := sh.records.at(i)
		p.Timer, from = sh.timer(i, s), sh.origin(i, s)
	}
	wk.finish(sh, now)
	sh.unlock()
	wk.notify()
	if p != nil {
		p.AllocatedAt, p.RegisteredAt = from.allocated.String(), from.registered.String()
		wk.outside(func() { wk.w.onPanic(*p) })
	}
}

// renounce ends the wait for a lock whose Lock did not return: the timer is due
// as before, and the next in line.
func (wk *worker) abandonLock(sh *shard) {
	t := wk.acquiring
	wk.acquiring = Timer{}
	sh.lock()
	if i, s := sh.lookup(t); s != nil {
		s.flags &^= locking
		if sh.isHeld(s) {
			sh.levels.remove(i, s)
			sh.levels.push(listDue, i, s)
		}
	}
	sh.unlock()
}
