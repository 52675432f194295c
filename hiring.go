package timerwheel

import (
	"runtime"
	"time"
)

// This file decides when one more worker is needed.
//
// # The rule
//
// While something is due the alarm calls one more worker each hireDelay, which is half a
// tick and at most a millisecond. That worker looks at the others (wanted):
//
//   - if fewer than GOMAXPROCS are at work, it works;
//   - if some worker may be blocked, because a run has lasted longer than quickRun or a worker
//     is in another function of the user's (a timer's lock, OnPanic), it works, and hires the
//     next worker at once, as long as that is so and something is due: the next handlers may
//     block as well;
//   - if the runs that have ended since the last look took longer than quickRun for each
//     handler begun in that time, it works, and hires as many workers as were at work: a
//     handler that blocks for less than hireDelay is rarely caught blocking, but the average
//     shows it;
//   - if no handler has begun for starvedAfter, a time slice of the runtime, it works: the
//     others get no processor;
//   - otherwise it leaves, and the alarm asks again.
//
// There are never more than MaxWorkers. So handlers that block delay nothing for longer than
// a tick. A storm of quick handlers brings no more workers than there are processors, except
// for workers hired on a wrong suspicion (a run that was only preempted, say): such a surplus
// worker stops working where as many others as there are processors make progress (crowded),
// and the alarm asks again.

const (
	// maxHireDelay bounds Wheel.hireDelay.
	maxHireDelay = time.Millisecond

	// quickRun is how long a handler may run before it counts as blocking. It is longer
	// than a wait for a shard's lock takes: until its worker has the lock, a run that has
	// returned still looks in flight.
	quickRun = 50 * time.Microsecond

	// starvedAfter is how long due timers may go without a handler starting before we
	// assume that workers lack processor time. It is the runtime's time slice. A
	// goroutine that yields, or is preempted, stands at the end of a queue of all such
	// goroutines, from which a busy processor takes one in sixty-one times only: in a
	// program with hundreds of them it may stand there for seconds.
	starvedAfter = 10 * time.Millisecond
)

// A progress is what the handlers had done when wanted last looked.
type progress struct {
	fired uint64 // handlers begun
	ran   int64  // time spent in runs that have ended, ns
	since int64  // when wanted first saw so many begun, ns since the wheel's base
}

// wanted reports whether one more worker is wanted beside those that are at work, and
// decides how many others it hires. If it is not wanted, the alarm asks again at
// wk.notBefore.
func (w *Wheel) wanted(wk *worker, workers int) bool {
	now := w.elapsed()
	blocked, p := w.userCalls.Load() > 0, progress{since: now}
	for _, sh := range w.shards {
		sh.lock()
		blocked = blocked || sh.blocked(now)
		p.fired += sh.counters.fired
		p.ran = after(p.ran, time.Duration(sh.counters.sumRun))
		sh.unlock()
	}
	slow, starved := w.progressed(p)
	wk.hiring = blocked && workers > 0
	if slow {
		wk.hireBudget = workers
	}
	if workers == 0 || blocked || slow || starved || workers < runtime.GOMAXPROCS(0) {
		return true
	}
	wk.notBefore = now + w.hireDelay
	return false
}

// progressed records what the handlers have done. It reports whether the runs since the last
// look were slow, on average, and whether no handler has begun for too long.
func (w *Wheel) progressed(p progress) (slow, starved bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	last := w.progress
	if p.fired == last.fired {
		p.since = last.since
	}
	w.progress = p
	begun := int64(p.fired - last.fired)
	return begun > 0 && p.ran-last.ran >= begun*int64(quickRun), w.elapsed()-p.since >= int64(starvedAfter)
}

// mayHireNext reports whether a worker hires the next one: while a worker may be blocked, or
// as many as wanted has granted it.
func (wk *worker) mayHireNext(now int64) bool {
	if wk.hireBudget > 0 {
		wk.hireBudget--
		return true
	}
	return wk.hiring && wk.w.blocked(now)
}

// blocked reports whether some worker may be blocked.
func (w *Wheel) blocked(now int64) bool {
	if w.userCalls.Load() > 0 {
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

// blocked reports whether some handler of the shard may be blocked.
func (sh *shard) blocked(now int64) bool {
	for k := range sh.running.Len() {
		if now-sh.running.At(uint32(k)).since >= int64(quickRun) {
			return true
		}
	}
	return false
}

// crowded reports whether enough workers make progress with this shard's timers without the
// one that asks: more of them only wait for the shard's lock. A storm takes two to three times
// as long without it (BenchmarkHiring, quick). Their runs are mostly among the last that have
// begun, so it does not look at all runs.
func (sh *shard) crowded(now int64) bool {
	procs := runtime.GOMAXPROCS(0)
	quick := 0
	for k := sh.running.Len(); k > max(0, sh.running.Len()-procs-scanLen) && quick < procs; {
		if k--; now-sh.running.At(uint32(k)).since < int64(quickRun) {
			quick++
		}
	}
	return quick >= procs
}

// userCall calls a function of the user's that is not a handler, in which a worker may block
// as in a handler.
func (wk *worker) userCall(f func()) {
	wk.w.userCalls.Add(1)
	defer wk.w.userCalls.Add(-1)
	f()
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
