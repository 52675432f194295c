package reference

import (
	"time"

	"github.com/seed76848005/timerwheel"
)

// This file is idle timeouts. The wheel looks at one now and then, and only a look sees that it was
// touched; When is a look, too. So from a Touch until somebody asks When, the deadline is in doubt:
// Deadline is the earliest that it may be, and dueBy is when the timer must have begun.

// RegisterIdle is RegisterIdle. A Touch that no look has seen may still be seen after it.
func (w *Wheel) RegisterIdle(t *Timer, d time.Duration) error {
	unseen := t.Idle && t.Unseen
	if _, err := w.register(t, w.after(d), false); err != nil {
		return err
	}
	t.Idle, t.idleFor = true, max(d, 0)
	if unseen {
		w.doubt(t)
	}
	return nil
}

// Touch is Touch.
func (w *Wheel) Touch(t *Timer) bool {
	if t.Gone || !t.Pending || !t.Idle {
		return false
	}
	if t.idleFor > 0 {
		t.mayBeDue = t.mayBeDue || t.Due <= w.Now
		t.Deadline = w.after(t.idleFor)
		t.Due, t.ready, t.deferred = w.endOfTick(t.Deadline), Never, false
		w.doubt(t)
	}
	return true
}

// doubt is called when the timer was touched, and the wheel has not seen that.
func (w *Wheel) doubt(t *Timer) {
	if t.idleFor == 0 {
		return
	}
	t.Unseen, t.mayBeDue = true, true
	w.setLatest(t, t.Deadline)
}

// setLatest sets when a timer that was touched must have begun, if that was seen as late as it may be,
// and the deadline would be that if it was seen at once.
func (w *Wheel) setLatest(t *Timer, deadline time.Duration) {
	late := max(t.idleFor/8, w.tick) + 2*w.tick
	t.dueBy = Never
	if deadline < Never-late {
		t.dueBy = w.endOfTick(deadline + late)
	}
}

// unwound is called when a panic or a Goexit ends an Advance before all that it passes has been looked
// at. What was touched before may count from now.
func (w *Wheel) unwound() {
	for _, t := range w.living {
		if t.Unseen {
			w.setLatest(t, w.after(t.idleFor))
		}
	}
}

// Saw is called with what When has said of a timer, and reports whether it may say that. It ends the
// doubt.
func (w *Wheel) Saw(t *Timer, when time.Duration) bool {
	if !t.Unseen {
		return when == t.Deadline
	}
	if when < t.Deadline || when > t.dueBy {
		return false
	}
	t.Unseen = false
	t.Deadline, t.Due = when, w.endOfTick(when)
	t.dueBy = t.Due
	return true
}

// MayBeInLine reports whether a timer that was touched may stand in the line of its lock: the worker that
// serves that takes the lock, and looks at the timer then.
func (t *Timer) MayBeInLine() bool { return t.mayBeDue }

// endIdle is called when a timer is armed, begins or is deleted: it is no idle timeout any more.
func (t *Timer) endIdle() { t.Idle, t.Unseen, t.mayBeDue = false, false, false }

// StatsLike returns what Stats must say, except for Bytes. What is in doubt is as the wheel has said
// it, if that may be.
func (w *Wheel) StatsLike(got timerwheel.Stats) timerwheel.Stats {
	if w.lateInDoubt {
		c := &w.Counted
		c.MaxLate, c.SumLate, c.Lateness = got.MaxLate, got.SumLate, got.Lateness
		w.lateInDoubt = false
	}
	want := w.Stats()
	least, most := 0, 0
	for _, t := range w.living {
		switch {
		case !t.Pending:
		case t.mayBeDue, t.Due <= w.Now && w.Now < t.dueBy: // see RegisterAt
			most++
		case t.Due <= w.Now:
			least, most = least+1, most+1
		}
	}
	if least <= got.Due && got.Due <= most {
		want.Due = got.Due
	}
	return want
}
