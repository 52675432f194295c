package timerwheel

import (
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
// a lower level, not on the number of ticks. The same calls give the same run: the order of the handlers of one tick, and of the
// functions of several DelAsyncs that waited for one handler, depends on nothing else.
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
	if !w.manual {
		return 0, ErrNotManual
	}
	if w.calledByMember() {
		return 0, ErrDeadlock
	}
	hook.Until("the turn to Advance", func() bool { return len(w.advanceLock) == 0 })
	w.advanceLock <- struct{}{}
	defer func() { <-w.advanceLock }()

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
	wk := &worker{w: w, goid: gostack.ID(), yieldAfter: never}
	if !w.join(wk) {
		return 0, ErrClosed
	}
	defer w.leave(wk)
	for wk.drain(sh) {
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
	defer sh.unlock()
	return sh.nextWake() <= sh.w.elapsed()
}

// setTime begins an Advance, unless it would set the time back.
func (sh *shard) setTime(now time.Time) bool {
	sh.lock()
	defer sh.unlock()
	if now.Before(sh.w.advanced) {
		return false
	}
	sh.w.manualNow.Store(min(sh.w.since(now), never-1))
	sh.w.advanced = now
	sh.advancing = true
	return true
}

// endAdvance ends an Advance: the timers that it has deferred go to their buckets.
func (sh *shard) endAdvance() {
	sh.lock()
	sh.advancing = false
	for n := 1; !sh.levels.Empty(levels.Deferred); n++ {
		i := sh.levels.Last(levels.Deferred)
		s := sh.records.At(i)
		sh.levels.Remove(i, s)
		sh.insert(i, s, sh.w.elapsed())
		if n%batch == 0 {
			sh.unlock()
			sh.lock()
		}
	}
	sh.unlock()
}
