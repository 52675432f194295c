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
// tick and at most a millisecond. That worker looks at the others (wanted). It works if
// fewer than GOMAXPROCS are at work, or if some worker may be blocked: a run has lasted
// longer than quickRun, or a worker waits for a timer's lock. Then it also hires the next
// worker at once, as long as something is due, because the next handlers may block as
// well. It works, too, if no handler has begun for a time slice: then the others get no
// processor. Otherwise it leaves, and the alarm asks again. There are never more than
// MaxWorkers.
//
// So handlers that block delay nothing for longer than a tick, and a storm of quick
// handlers is not fought over by more workers than there are processors.

const (
	// maxHireDelay bounds Wheel.hireDelay.
	maxHireDelay = time.Millisecond

	// quickRun is how long a handler may run before it counts as blocking. It is longer
	// than a wait for a shard's lock takes, which is a part of a run.
	quickRun = 50 * time.Microsecond

	// starvedAfter is how long due timers may go without a handler starting before we
	// assume that workers lack processor time. It is the runtime's time slice. A
	// goroutine that yields, or is preempted, stands at the end of a queue of all such
	// goroutines, from which a busy processor takes one in sixty-one times only: in a
	// program with hundreds of them it may stand there for seconds.
	starvedAfter = 10 * time.Millisecond
)

// progress is the number of handlers begun when wanted last asked.
type progress struct {
	fired uint64
	since int64 // when wanted first saw that number, ns since the wheel's base
}

// wanted reports whether one more worker is wanted beside those that are at work, and
// decides whether it hires others. If it is not wanted, the alarm asks again at
// wk.notBefore.
func (w *Wheel) wanted(wk *worker, workers int) bool {
	now := w.elapsed()
	blocked, fired := w.userCalls.Load() > 0, uint64(0)
	for _, sh := range w.shards {
		sh.lock()
		blocked = blocked || sh.blocked(now)
		fired += sh.counters.fired
		sh.unlock()
	}
	starved := w.withoutProgress(fired, now) >= int64(starvedAfter)
	wk.hiring = blocked && workers > 0
	if workers == 0 || blocked || starved || workers < runtime.GOMAXPROCS(0) {
		return true
	}
	wk.notBefore = now + w.hireDelay
	return false
}

// withoutProgress records the number of handlers begun, and returns for how long it has
// been the same.
func (w *Wheel) withoutProgress(fired uint64, now int64) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if fired != w.progress.fired {
		w.progress = progress{fired, now}
	}
	return now - w.progress.since
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

// userCall calls a function of the user's that is no handler, in which a worker may block
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
