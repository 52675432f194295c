package timerwheel

import (
	"math"
	"sync"
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
		case !w.shards[0].hasDue():
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
	hook.Until("the turn to Advance", func() bool { return len(w.advanceLock) == 0 })
	w.advanceLock <- struct{}{}
	return nil
}

func (w *Wheel) unlockAdvance() { <-w.advanceLock }

// advance is Advance, for the goroutine whose turn it is. goid returns its number.
func (w *Wheel) advance(now time.Time, goid func() uint64) (fired int, err error) {
	if w.isClosed() {
		return 0, ErrClosed
	}
	sh := w.shards[0]
	if !sh.setTime(now) {
		return 0, nil
	}
	defer sh.endAdvance()
	if !sh.hasDue() {
		return 0, nil
	}
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

// hasDue reports whether the shard must be looked at now. Most Advances of an event loop find
// nothing due: they cost five locks of mutexes that are free, and a channel, but no look at the
// goroutine's stack (BenchmarkAdvance).
func (sh *shard) hasDue() bool {
	sh.lock()
	defer sh.end()
	return sh.nextWake() <= sh.w.elapsed() || sh.w.lines.unserved.Load() > 0
}

// setTime begins an Advance, unless it would set the time back.
func (sh *shard) setTime(now time.Time) bool {
	sh.lock()
	defer sh.end()
	if now.Before(sh.w.advanced) {
		sh.hostAsked()
		return false
	}
	if sh.w.onNext != nil {
		sh.w.alarm.at.Store(math.MinInt64)
	}
	at, _ := sh.w.since(now)
	sh.w.beforeAdvance = sh.w.elapsed()
	sh.w.advances.Store((sh.w.advances.Load() + 1) & advanceMax) // first: a Touch that sees the new time sees this, too
	sh.w.manualNow.Store(min(at, never-1))
	sh.w.advanced = now
	sh.advancing = true
	return true
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
