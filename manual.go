package timerwheel

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel/internal/gostack"
	"github.com/seed76848005/timerwheel/internal/hook"
	"github.com/seed76848005/timerwheel/internal/levels"
)

// Advance sets the time of a Manual wheel to now, and runs in the calling goroutine, in the
// order of their ticks, the handlers of all timers that are due by then. It returns their
// number. Handlers see a wheel whose Now is now. If now is earlier than the wheel's time,
// Advance does nothing; if it is the same, it runs what is due.
//
// A timer fires at the first Advance to the end of the tick in which its deadline lies, or
// later: never early, less than a tick late. What is registered while Advance runs, by
// handlers or others, is left to the next Advance, even if it is due at once: an Advance
// always ends. However far it goes, its cost depends on the timers that it fires or moves to
// a lower level, not on the number of ticks.
//
// The handlers of one tick begin in the order in which their timers were registered for it; a
// timer that is moved takes its place as one that is registered then. A move or a deletion may
// change the place of one other timer. The same calls give the same run: also the order of the
// functions of several DelAsyncs that waited for one handler depends on nothing else.
//
// Calls by several goroutines take turns. Called by a function that the wheel calls, a handler
// for instance, Advance returns ErrDeadlock; on a closed wheel ErrClosed, on one that is not
// Manual ErrNotManual. If a handler closes the wheel, Advance drops the rest and returns what
// it has fired.
//
// A handler's panic passes through Advance, if there is no Options.OnPanic, and a
// runtime.Goexit in it ends the calling goroutine. Both leave the wheel as it would be after
// the handler's return; what was due and had not begun fires at the next Advance. Do not call
// Advance while holding the lock of a lock-bound timer.
func (w *Wheel) Advance(now time.Time) (fired int, err error) {
	if err := w.lockAdvance(); err != nil {
		return 0, err
	}
	defer w.unlockAdvance()
	return w.advance(now, gostack.ID)
}

// maxAtOnce is how many firings for one instant, all of them registered during an
// AdvanceThrough, make it suspect that there is no end of them.
const maxAtOnce = 100_000

// AdvanceThrough advances a Manual wheel to now in steps: to the tick of each next firing, one
// after the other. So every handler sees a wheel whose Now is its tick, and what it registers
// for a time up to now fires in the same call. What is due before the first step sees the Now
// of that time. It returns the number of handlers that it has run. If now is earlier than the
// wheel's time, AdvanceThrough does nothing.
//
// If handlers arm timers for "at once" without end, the wheel's time would never reach now.
// After 100,000 firings that were registered, during the call, for the instant at which they
// were due, AdvanceThrough stops and returns ErrEndless, if more of them are due: Now stays at
// that instant, and the rest stays pending.
//
// Everything else is as with [Wheel.Advance]: the order, the errors, a handler that closes the
// wheel or panics. Other calls of Advance and AdvanceThrough wait until it has ended. Its cost
// is that of an Advance for each tick in which something fires or is moved to a lower level.
func (w *Wheel) AdvanceThrough(now time.Time) (fired int, err error) {
	if err := w.lockAdvance(); err != nil {
		return 0, err
	}
	defer w.unlockAdvance()
	if w.isClosed() {
		return 0, ErrClosed
	}
	goid := sync.OnceValue(gostack.ID)
	for at, again := w.Now(), -1; !at.After(now); {
		n, err := w.advance(at, goid)
		if err != nil {
			return fired, nil // the wheel has been closed since
		}
		fired += n
		next := w.nextStep(now)
		switch {
		case next.After(at):
			at, again = next, -1
		case !w.hasDue():
			return fired, nil
		case again < 0:
			again = 0 // what was due here before is none of them
		default:
			if again += n; again >= maxAtOnce {
				return fired, ErrEndless
			}
		}
	}
	return fired, nil
}

// nextStep returns the time of the next firing, if that is not after now; otherwise now.
func (w *Wheel) nextStep(now time.Time) time.Time {
	if next, ok := w.Next(); ok && next.Before(now) {
		return next
	}
	return now
}

// lockAdvance waits for the turn to advance the wheel.
func (w *Wheel) lockAdvance() error {
	if !w.made().manual {
		return ErrNotManual
	}
	w.checkBubble()
	if w.calledByMember() {
		return ErrDeadlock
	}
	w.turn.take()
	return nil
}

func (w *Wheel) unlockAdvance() { w.turn.pass() }

// A turn is a lock for which a bubble can wait durably, which it cannot for a mutex. If no goroutine
// waits for it, it costs half of what a channel with one place does (BenchmarkAdvance).
type turn struct {
	wanted atomic.Int32 // the goroutines that have it or wait for it
	passed chan struct{}
}

func newTurn() turn { return turn{passed: make(chan struct{}, 1)} }

func (t *turn) take() {
	hook.Until("the turn to Advance", func() bool { return t.wanted.Load() == 0 })
	if t.wanted.Add(1) > 1 {
		<-t.passed
	}
}

func (t *turn) pass() {
	if t.wanted.Add(-1) > 0 {
		t.passed <- struct{}{}
	}
}

// advance is Advance, for the goroutine whose turn it is. goid returns its number. Most Advances of an
// event loop find nothing due: they take the shard's lock once, and do not look at the goroutine's
// stack (BenchmarkAdvance).
func (w *Wheel) advance(now time.Time, goid func() uint64) (fired int, err error) {
	sh := w.shards[0]
	due, err := sh.setTime(now)
	if !due {
		return 0, err
	}
	defer sh.endAdvance()
	wk := &worker{w: w, goid: goid(), yieldAfter: never}
	if !w.join(wk) {
		return 0, ErrClosed
	}
	defer w.leave(wk)
	for wk.serveUnserved() || wk.drain(sh) {
	}
	return wk.fired, nil
}

// isClosed reports whether the wheel is closed.
func (w *Wheel) isClosed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closed
}

// hasDue reports whether a Manual wheel must be looked at now.
func (w *Wheel) hasDue() bool {
	sh := w.shards[0]
	sh.lock()
	defer sh.end()
	return sh.hasDue()
}

func (sh *shard) hasDue() bool {
	return sh.nextWake() <= sh.w.elapsed() || sh.w.lines.unserved.Load() > 0
}

// setTime sets the time of a Manual wheel, unless that would set it back, and reports whether anything
// is due then: if so, an Advance has begun.
func (sh *shard) setTime(now time.Time) (due bool, err error) {
	sh.lock()
	defer sh.end()
	if sh.closed {
		return false, ErrClosed
	}
	if !now.Before(sh.w.advanced) {
		at, _ := sh.w.since(now)
		sh.w.beforeAdvance = sh.w.elapsed()
		sh.w.advances.Store((sh.w.advances.Load() + 1) & advanceMax) // first: a Touch that sees the new time sees this, too
		sh.w.manualNow.Store(min(at, never-1))
		sh.w.advanced = now
		due = sh.hasDue()
	}
	if sh.advancing = due; !due {
		sh.levels.CatchUp(sh.w.elapsed())
		sh.hostAsked()
	} else if sh.w.onNext != nil {
		sh.w.alarm.at.Store(math.MinInt64)
	}
	return due, nil
}

// endAdvance ends an Advance: the timers that it has deferred go to their buckets, in their
// order. Until the last of them has gone, what is registered goes behind them.
func (sh *shard) endAdvance() {
	sh.lock()
	for sh.levels.CatchUp(sh.w.elapsed()); !sh.levels.Empty(levels.Deferred); {
		sh.levels.Rebucket(levels.Deferred)
		sh.unlock()
		sh.lock()
	}
	sh.advancing = false
	sh.hostAsked()
	sh.unlock()
}
