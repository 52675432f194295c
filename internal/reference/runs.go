package reference

import (
	"errors"
	"slices"
	"time"

	"github.com/seed76848005/timerwheel"
)

// This file is what happens to the wheel: handlers begin and end, time passes, the wheel is
// closed, a Manual one advanced.

// The ends of a handler.
const (
	Return = "return"
	Panic  = "panic"
	Goexit = "Goexit"
)

// ErrUnwound is the outcome of a call that did not return, because a panic or a Goexit went
// through it.
var ErrUnwound = errors.New("unwound")

// An advance is the Advance of a Manual wheel that is under way.
type advance struct {
	fired  int
	tick   time.Duration // of the handler that began last
	answer *Answer
}

// MayBegin says what is wrong with a handler that begins now, if anything is.
func (w *Wheel) MayBegin(t *Timer) (wrong string) {
	switch {
	case t.Gone:
		return "it has been recycled"
	case !t.Pending:
		return "it is not pending"
	case t.Run != nil:
		return "it runs already"
	case w.Now < t.Due:
		return "it is early: due " + t.Due.String()
	case w.Manual && w.advance == nil:
		return "there is no Advance"
	case w.Manual && max(t.Due, t.dueBy)/w.tick < w.advance.tick:
		return "one of a later tick has begun before it"
	case w.Manual && !t.Idle && !w.order.allows(t.place, t.Due/w.tick): // the wheel's looks move an idle timer
		return "others were registered for its tick before it"
	case t.deferred:
		return "it was registered during this Advance"
	case t.Lock != NoLock && w.LockTaken(t.Lock):
		return "its lock is taken"
	case len(w.Runs()) >= w.maxWorkers:
		return "all workers are busy"
	}
	return ""
}

// Begin begins a run.
func (w *Wheel) Begin(t *Timer) {
	t.Pending = false
	t.Run = &Run{Timer: t, Since: w.Now}
	w.Counted.Fired++
	if w.Manual {
		w.advance.fired++
		w.advance.tick = max(w.advance.tick, t.Due/w.tick)
		if !t.Idle {
			w.order.begin(t.place, t.Due/w.tick)
		}
	}
	w.lateInDoubt = w.lateInDoubt || t.Unseen
	w.countLate(w.Now - t.Deadline)
	t.endIdle()
	if t.Period > 0 {
		w.takePlace(t)
		t.Pending = true
		w.Counted.Registered++
		w.moveToGrid(t)
	}
}

// countLate counts a handler that begins by how late it is.
func (w *Wheel) countLate(by time.Duration) {
	w.Counted.MaxLate = max(w.Counted.MaxLate, by)
	if w.Counted.SumLate += by; w.Counted.SumLate < 0 {
		w.Counted.SumLate = Never
	}
	w.Counted.Lateness[bucket(by)]++
}

// bucket is where a histogram counts a duration.
func bucket(d time.Duration) (k int) {
	for end := time.Microsecond; d >= end && k < len(timerwheel.Stats{}.Lateness)-1; end *= 2 {
		k++
	}
	return k
}

// moveToGrid moves a periodic timer to the first instant of its period of which the tick has
// not ended.
func (w *Wheel) moveToGrid(t *Timer) {
	ended := max(w.Now-w.Now%w.tick, t.Deadline)
	periods := (ended-t.Deadline)/t.Period + 1
	if periods > (Never-t.Deadline)/t.Period {
		t.Deadline = Never
	} else {
		t.Deadline += periods * t.Period
	}
	t.Due, t.onGrid, t.deferred, t.ready = w.endOfTick(t.Deadline), true, false, Never
	t.dueBy = t.Due
}

// End ends a run. A Goexit, and a panic without OnPanic, end the Advance.
func (w *Wheel) End(t *Timer, how string) {
	r := t.Run
	t.Run = nil
	took := w.Now - r.Since
	w.Counted.MaxRun = max(w.Counted.MaxRun, took)
	w.Counted.SumRun += took
	w.Counted.RunTime[bucket(took)]++
	for _, x := range slices.Clone(w.waits) {
		if x.on = slices.DeleteFunc(x.on, func(on *Run) bool { return on == r }); len(x.on) == 0 {
			w.endWait(x)
		}
	}
	if t.Pending && t.onGrid && t.Due <= w.Now {
		w.moveToGrid(t)
	}
	w.release(t)
	switch {
	case how == Panic && w.onPanic:
		w.Panics = append(w.Panics, t.ID)
	case w.Manual && how != Return:
		w.Unwind()
	}
}

// Runs returns the handlers in flight.
func (w *Wheel) Runs() (runs []*Run) {
	for _, t := range w.living {
		if t.Run != nil {
			runs = append(runs, t.Run)
		}
	}
	return runs
}

// LockTaken reports whether a handler, or the user of the reference, holds a lock.
func (w *Wheel) LockTaken(l int) bool {
	return w.Held[l] || slices.ContainsFunc(w.Runs(), func(r *Run) bool { return r.Timer.Lock == l && !r.released })
}

// ReleaseLock is ReleaseLock. From is the run whose handler makes the call, if one does.
func (w *Wheel) ReleaseLock(t *Timer, from *Run) error {
	if from == nil || t.Run != from || t.Lock == NoLock || from.released {
		return timerwheel.ErrNotLocked
	}
	from.released = true
	return nil
}

// Busy returns the number of workers.
func (w *Wheel) Busy() int { return len(w.Runs()) + w.parked }

// ---- The end ----

// Close is Close and CloseContext: it drops everything that is pending, for good, and waits for
// all workers. From is any run if a function that the wheel calls makes the call.
func (w *Wheel) Close(limit time.Duration, from *Run) *Answer {
	w.Closed = true
	for _, t := range slices.Clone(w.living) {
		w.disarm(t)
		w.release(t)
	}
	if from != nil {
		return Returns(Outcome{Err: timerwheel.ErrDeadlock})
	}
	x := &wait{until: limit, answer: new(Answer)}
	w.joins = append(w.joins, x)
	w.join()
	return x.answer
}

// join ends the waits for all workers: because no worker is left, or because their contexts
// have ended.
func (w *Wheel) join() {
	w.joins = slices.DeleteFunc(w.joins, func(x *wait) bool {
		x.answer.Ready = w.Busy() == 0 || x.until <= w.Now
		switch {
		case x.answer.Ready && w.Busy() > 0:
			x.answer.Outcome.Err = contextError(x.until)
		case x.answer.Ready:
			w.countLeaks()
		}
		return x.answer.Ready
	})
}

// countLeaks counts, once, the timers that have an owner when a closed wheel is at its end.
func (w *Wheel) countLeaks() {
	if w.debug && !w.ended {
		for _, t := range w.living {
			if t.Owners > 0 {
				w.misused(t)
			}
		}
	}
	w.ended = true
}

// ---- Time ----

// Pass lets time pass, up to an event.
func (w *Wheel) Pass(now time.Duration) {
	w.Now = now
	w.giveUp()
	w.stall()
}

// stall reports what has lasted for too long.
func (w *Wheel) stall() {
	for _, r := range w.Runs() {
		if !r.stalled && w.Now-r.Since >= w.stallAfter {
			r.stalled = true
			w.Stalls = append(w.Stalls, r.Timer.ID)
		}
	}
	for _, x := range w.waits {
		if !x.stalled && w.Now-x.since >= w.stallAfter {
			x.stalled = true
			w.Stalls = append(w.Stalls, 0)
		}
	}
}

// nextStall returns when OnStall must be called next.
func (w *Wheel) nextStall() time.Duration {
	next := Never
	if w.stallAfter == Never {
		return next
	}
	for _, r := range w.Runs() {
		if !r.stalled {
			next = min(next, r.Since+w.stallAfter)
		}
	}
	for _, x := range w.waits {
		if !x.stalled {
			next = min(next, x.since+w.stallAfter)
		}
	}
	return next
}

// Rest is called when nothing moves any more, while so many workers wait for a lock. It ends
// the Advance whose handlers have all ended, and returns a timer that should have begun by now.
func (w *Wheel) Rest(now time.Duration, parked int) (late *Timer) {
	w.Pass(now)
	w.parked = parked
	w.join()
	late = w.overdue()
	if w.advance != nil && w.Busy() == 0 {
		w.endAdvance(Outcome{Fired: w.advance.fired})
	}
	return late
}

// overdue returns a timer that should have begun by now, as nothing moves any more. While
// handlers block, a due timer has a tick from the moment at which only that prevented it.
func (w *Wheel) overdue() *Timer {
	busy := w.Busy()
	for _, t := range w.living {
		if !t.Pending {
			continue
		}
		able := t.dueBy <= w.Now && t.Run == nil && busy < w.maxWorkers && (t.Lock == NoLock || !w.LockTaken(t.Lock))
		if w.Manual && (w.advance == nil || t.deferred) {
			able = false
		}
		switch {
		case !able:
			t.ready = Never
		case t.ready == Never:
			t.ready = w.Now
		}
		if able && (busy == 0 || w.Now >= t.ready+w.tick) {
			return t
		}
	}
	return nil
}

// ---- Manual wheels ----

// Advance is Advance, to d from now. From is any run if a function that the wheel calls makes
// the call.
func (w *Wheel) Advance(d time.Duration, from *Run) *Answer {
	switch {
	case !w.Manual:
		return Returns(Outcome{Err: timerwheel.ErrNotManual})
	case from != nil:
		return Returns(Outcome{Err: timerwheel.ErrDeadlock})
	case w.Closed:
		return Returns(Outcome{Err: timerwheel.ErrClosed})
	case d < 0:
		return Returns(Outcome{})
	}
	w.Now += d
	w.advance = &advance{answer: new(Answer)}
	return w.advance.answer
}

// Advancing reports whether an Advance is under way.
func (w *Wheel) Advancing() bool { return w.advance != nil }

// Unwind ends the Advance that is under way, because a panic or a Goexit went through it.
func (w *Wheel) Unwind() {
	w.unwound()
	w.endAdvance(Outcome{Err: ErrUnwound})
}

// endAdvance ends the Advance that is under way. What was registered during it is left to the
// next one.
func (w *Wheel) endAdvance(o Outcome) {
	w.advance.answer.Ready, w.advance.answer.Outcome = true, o
	w.advance = nil
	for _, t := range w.living {
		t.deferred = false
	}
}
