package timerwheel

import (
	"maps"
	"runtime"
	"time"

	"github.com/seed76848005/timerwheel/internal/gostack"
	"github.com/seed76848005/timerwheel/internal/hook"
)

// This file decides when one more worker is needed.
//
// # The rule
//
// While something is due the alarm calls one more worker each hireDelay, which is half a
// tick and at most a millisecond. That worker looks at the others (wanted):
//
//   - if fewer than GOMAXPROCS are at work, it works;
//   - if no handler has begun for starvedAfter, a time slice of the runtime, it works: the
//     others get no processor. The next one works when that time has passed again;
//   - if readyPerProcessor workers for each processor are ready, it leaves. Ready is a worker
//     that is at work, but in no function of the user's: it waits for a processor, or for the
//     lock of a shard, and then begins what is due. One more would only stand in line behind it;
//   - if some worker may be blocked, because a run has lasted longer than quickRun or a worker
//     is in another function of the user's (a timer's lock, OnPanic), it works, and hires the
//     next worker at once, as long as that is so, few are ready and something is due: the next
//     handlers may block as well;
//   - if the runs that have ended since the last look took longer than quickRun for each
//     handler begun in that time, it works, and hires as many workers as were at work: a
//     handler that blocks for less than hireDelay is rarely caught blocking, but the average
//     shows it;
//   - otherwise it leaves.
//
// Where it leaves, the alarm asks again. There are never more than MaxWorkers.
//
// In a bubble of testing/synctest the clock stands still while any goroutine of it can run, or waits
// for a mutex. So there a goroutine watches as well, while something is due (watchBubble): it
// hires a worker when each other goroutine of the wheel waits, as a dump of the goroutines shows.
// So in a bubble two handlers run at once only where one of them waits.
//
// So handlers that block delay nothing for longer than a tick: they leave their processors to
// the ready workers, which then are in handlers themselves. Handlers that compute look blocked,
// too, but keep their processors: the workers that they bring become ready and stay so. There are
// a few for each processor, not MaxWorkers. Where the program's own goroutines keep the
// processors busy, the scheduler's delay comes on top: with each turn of its queue, at least
// readyPerProcessor handlers for each processor begin.
//
// A storm of quick handlers brings no more workers than there are processors, except for
// workers hired on a wrong suspicion (a run that was only preempted, say): such a surplus
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

	// readyPerProcessor is how many ready workers for each processor are enough. If there are
	// fewer, handlers that block get too small a share of a busy processor; if there are more,
	// a handler that computes and is preempted waits for longer (docs/decisions.md has the
	// figures).
	readyPerProcessor = 4

	// stillYields is how many times the watcher of a bubble yields before it takes a dump of the
	// goroutines, to see whether the handlers in flight are blocked. In a storm of quick
	// handlers it hardly ever takes one.
	stillYields = 100
)

// A progress is what the handlers had done when wanted last looked.
type progress struct {
	fired uint64 // handlers begun
	ran   int64  // time spent in runs that have ended, ns
	since int64  // when wanted first saw so many begun, or hired for starvedAfter, ns since the wheel's base
	known bool   // it has looked since there was no worker
}

// wanted reports whether one more worker is wanted beside those that are at work, and
// decides how many others it hires. If it is not wanted, the alarm asks again at
// wk.notBefore.
func (w *Wheel) wanted(wk *worker, workers int) bool {
	if workers == 0 {
		return true
	}
	now := w.elapsed()
	l := w.look(now)
	slow, starved := w.progressed(l.progress)
	if l.enoughReady() {
		l.blocked, slow = false, false
	}
	wk.hiring = l.blocked
	if slow {
		wk.hireBudget = workers
	}
	if l.blocked || slow || starved || workers < runtime.GOMAXPROCS(0) {
		return true
	}
	wk.notBefore = now + w.hireDelay
	return false
}

// A look is what the workers do at one time, more or less: it looks at one shard after another.
type look struct {
	progress
	workers int  // that are at work
	inUser  int  // of these, in a function of the user's
	blocked bool // some of them may be blocked
}

// look looks at what the workers do.
func (w *Wheel) look(now int64) look {
	l := look{progress: progress{since: now, known: true}, blocked: w.userCalls.Load() > 0}
	l.inUser = int(w.userCalls.Load() - w.returned.Load())
	for _, sh := range w.shards {
		sh.lock()
		l.inUser += sh.running.Len()
		l.blocked = l.blocked || sh.blocked(now)
		l.fired += sh.counters.fired - sh.counters.ownFired
		l.ran = after(l.ran, time.Duration(sh.counters.sumRun))
		sh.unlock()
	}
	l.workers = w.atWork() // at the end, as others may have been hired since the first shard
	return l
}

// enoughReady reports whether so many of the workers are ready that one more would not help.
func (l look) enoughReady() bool {
	return l.workers-l.inUser >= readyPerProcessor*runtime.GOMAXPROCS(0)
}

// progressed records what the handlers have done. It reports whether the runs since the last
// look were slow, on average, and whether no handler has begun for too long. Of many that look
// at once, one hears of each.
func (w *Wheel) progressed(p progress) (slow, starved bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	last := w.progress
	if !last.known {
		last = p
	}
	if p.fired == last.fired {
		p.since = last.since
	}
	now := w.elapsed()
	if starved = now-p.since >= int64(starvedAfter); starved {
		p.since = now
	}
	w.progress = p
	begun := int64(p.fired - last.fired)
	return begun > 0 && p.ran-last.ran >= begun*int64(quickRun), starved
}

// mayHireNext reports whether a worker hires the next one: while a worker may be blocked, or
// as many as wanted has granted it, unless enough are ready.
func (wk *worker) mayHireNext(now int64) bool {
	if !wk.hiring && wk.hireBudget == 0 {
		return false
	}
	l := wk.w.look(now)
	if l.enoughReady() {
		return false
	}
	if wk.hireBudget > 0 {
		wk.hireBudget--
		return true
	}
	return l.blocked
}

// watchBubble makes sure, in a bubble, that what is due does not wait for the clock: no run looks
// blocked there, and the alarm does not ring, while some goroutine of the bubble waits for a
// mutex. One goroutine watches instead, while something is due.
func (w *Wheel) watchBubble() {
	if w.bubble == 0 || w.manual || hook.Decides() || !w.bubbleWatched.CompareAndSwap(false, true) {
		return
	}
	w.spawn(w.hireWhenStill)
}

// hireWhenStill hires a worker whenever something is due and the handlers in flight are blocked.
func (w *Wheel) hireWhenStill(watcher *worker) {
	var dumper gostack.Dumper
	for watching := true; watching; watching = w.somethingIsDue() && w.bubbleWatched.CompareAndSwap(false, true) {
		for w.somethingIsDue() {
			if w.standsStill() && w.othersWait(watcher, &dumper) && w.hire() {
				w.spawn(func(wk *worker) { wk.assist(0) })
			}
		}
		w.bubbleWatched.Store(false)
	}
}

// somethingIsDue reports whether some worker that may be hired would find a handler to run.
func (w *Wheel) somethingIsDue() bool {
	w.mu.Lock()
	mayHire := w.mayHire()
	w.mu.Unlock()
	if !mayHire {
		return false // a worker that leaves looks again
	}
	next, _, _, _ := w.nextWake()
	return next <= w.elapsed()
}

// standsStill reports whether no handler begins or ends while the caller yields.
func (w *Wheel) standsStill() bool {
	before := w.look(0)
	for range stillYields {
		runtime.Gosched()
	}
	now := w.look(0)
	return now.fired == before.fired && now.inUser == before.inUser
}

// othersWait reports whether each goroutine of the wheel but the watcher waits for something.
func (w *Wheel) othersWait(watcher *worker, d *gostack.Dumper) bool {
	w.mu.Lock()
	others, starting := maps.Clone(w.members), w.starting
	w.mu.Unlock()
	delete(others, watcher.goid)
	if starting > 0 {
		return false
	}
	for id, stack := range d.Dump().All() {
		if others[id] != nil && !gostack.Waits(stack) {
			return false
		}
	}
	return true
}

// atWork returns the number of workers.
func (w *Wheel) atWork() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.workers
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
	wk.callUser(f)
}

// callUser calls a function of the user's. If it panics, or calls Goexit, inUser remains.
// panickedInLibrary looks for it on the stack.
//
//go:noinline
func (wk *worker) callUser(f func()) {
	was := wk.inUser
	wk.inUser = true
	f()
	wk.inUser = was
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
