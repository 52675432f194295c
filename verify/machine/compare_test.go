package machine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/internal/reference"
)

// This file shows the reference what the wheel does and, while nothing moves, compares the answers
// of the wheel to all questions with those of the reference.

// rest waits until nothing moves, shows the reference what has happened, and compares.
func (x *machine) rest() {
	synctest.Wait()
	select {
	case <-x.real.stir:
	default:
	}
	for _, e := range x.real.takeLog() {
		x.model.Pass(e.at)
		x.show(e)
	}
	late := x.model.Rest(x.real.now(), x.real.parked())
	x.compareCalls()
	if late != nil {
		x.failf("a handler does not begin", "timer %d has not begun", late.ID)
	}
	x.compareTimers()
	x.compareWheel()
}

// failf ends a program that fails. The details go into the log: rapid shrinks only while the
// failure stays the same, and which of two handlers is first, for instance, is left to chance.
func (x *machine) failf(what, format string, args ...any) {
	x.t.Logf("%v: %s: %s", x.model.Now, what, fmt.Sprintf(format, args...))
	panic(failure("not as the reference says: " + what))
}

// show shows the reference an event.
func (x *machine) show(e event) {
	t := x.model.Timers[e.timer]
	switch e.kind {
	case "call":
		x.showCall(e, t)
	case "begin":
		x.t.Logf("%v: timer %d begins", e.at, e.timer)
		if wrong := x.model.MayBegin(t); wrong != "" {
			x.failf("a handler begins", "timer %d begins, but %s", t.ID, wrong)
		}
		if own := x.real.timer(t.ID); e.handle != own {
			x.failf("a handler begins", "timer %d is given another handle", t.ID)
		}
		x.seen["begins"]++
		if e.at > t.Due {
			x.seen["handlers begun late"]++
		}
		x.model.Begin(t)
	case "end":
		x.t.Logf("%v: timer %d ends: %s", e.at, e.timer, e.how)
		if t.Run == nil {
			x.failf("a handler ends", "timer %d ends, but does not run", t.ID)
		}
		x.seen[e.how+"s"]++
		x.model.End(t, e.how)
	}
}

func (x *machine) showCall(e event, from *reference.Timer) {
	x.seen["calls"]++
	if from.ID == 0 {
		x.t.Logf("%v: %v", e.at, e.call.call)
	} else {
		x.seen["calls by handlers"]++
		x.t.Logf("%v: timer %d's handler: %v", e.at, from.ID, e.call.call)
	}
	e.call.answer = verbs[e.call.verb].expect(x.model, e.call.call, from.Run)
	if err := e.call.answer.Outcome.Err; err == timerwheel.ErrDeadlock && waiting[e.call.verb] && e.call.timer != from.ID {
		x.seen["circles"]++
	}
	if e.call.verb == "ReleaseLock" && e.call.answer.Outcome.Err == nil {
		x.seen["locks released"]++
	}
	x.made = append(x.made, e.call)
}

// compareCalls compares which calls have returned, and their outcomes.
func (x *machine) compareCalls() {
	x.made = slices.DeleteFunc(x.made, func(c *made) bool {
		switch {
		case c.returned && !c.answer.Ready:
			x.failf("a call", "%v has returned %v, too early", c.call, c.outcome)
		case !c.returned && c.answer.Ready:
			x.failf("a call", "%v has not returned %v", c.call, c.answer.Outcome)
		case c.returned && !c.outcome.Is(c.answer.Outcome):
			x.failf("a call", "%v has returned %v, not %v", c.call, c.outcome, c.answer.Outcome)
		case c.returned:
			x.seen[nameOf(c.outcome.Err)]++
		}
		return c.returned
	})
}

// compareTimers asks every handle that was ever made.
func (x *machine) compareTimers() {
	for _, t := range x.model.Timers {
		handle := x.real.timer(t.ID)
		when, ok := handle.When()
		switch {
		case handle.Valid() == t.Gone:
			x.failf("a timer", "timer %d: Valid is %t", t.ID, !t.Gone)
		case handle.Pending() != t.Pending || ok != t.Pending:
			x.failf("a timer", "timer %d: Pending is %t, and When %t", t.ID, handle.Pending(), ok)
		case handle.Running() != (t.Run != nil):
			x.failf("a timer", "timer %d: Running is %t", t.ID, handle.Running())
		case ok && t.Unseen && x.model.Saw(t, when.Sub(x.real.start)):
		case ok && !x.isAt(when, t.Deadline):
			x.failf("a timer", "timer %d: When is %v, not %v", t.ID, when.Sub(x.real.start), t.Deadline)
		}
	}
	for k, g := range x.model.Groups {
		if got, want := x.real.group(k).Len(), len(x.model.Members(g)); got != want {
			x.failf("a group", "group %d has %d members, not %d", k, got, want)
		}
	}
}

// isAt reports whether a time is that of the reference. Never is centuries away.
func (x *machine) isAt(real time.Time, at time.Duration) bool {
	if at == reference.Never {
		return real.Sub(x.real.start) > 100*365*24*time.Hour
	}
	return real.Sub(x.real.start) == at
}

// compareWheel compares what the wheel says about itself.
func (x *machine) compareWheel() {
	got := x.real.wheel.Stats()
	got.Bytes = 0
	if want := x.model.StatsLike(got); got != want {
		x.failf("Stats", "Stats are\n%+v, not\n%+v", got, want)
	}
	x.compareRuns()
	x.compareNext()
	x.compareCalledBack()
}

// compareCalledBack compares the functions other than handlers that the wheel has called.
func (x *machine) compareCalledBack() {
	dones, panics, stalls := x.real.calledBack()
	slices.Sort(x.model.Panics)
	slices.Sort(x.model.Stalls)
	if !slices.Equal(dones, x.model.Dones) {
		x.failf("DelAsync", "the dones have been called %v times, not %v", dones, x.model.Dones)
	}
	if !slices.Equal(panics, x.model.Panics) {
		x.failf("OnPanic", "OnPanic was called for the timers %v, not %v", panics, x.model.Panics)
	}
	if !slices.Equal(stalls, x.model.Stalls) {
		x.failf("OnStall", "OnStall was called for the timers %v, not %v", stalls, x.model.Stalls)
	}
}

// compareRuns compares the handlers in flight.
func (x *machine) compareRuns() {
	got := x.real.wheel.Running()
	for _, r := range x.model.Runs() {
		own := x.real.timer(r.Timer.ID)
		k := slices.IndexFunc(got, func(g timerwheel.RunningHandler) bool { return g.Timer == own })
		switch {
		case k < 0:
			x.failf("Running", "timer %d runs, and is not in Running", r.Timer.ID)
		case !x.isAt(got[k].Since, r.Since) || got[k].Waiters != x.model.Waiters(r):
			x.failf("Running", "timer %d runs since %v with %d waiters, not %v with %d",
				r.Timer.ID, got[k].Since.Sub(x.real.start), got[k].Waiters, r.Since, x.model.Waiters(r))
		}
	}
	if len(got) != len(x.model.Runs()) {
		x.failf("Running", "Running has %d entries, not %d", len(got), len(x.model.Runs()))
	}
}

// compareNext compares Next, which may be early but not late.
func (x *machine) compareNext() {
	soonest, pending := x.model.Soonest()
	next, ok := x.real.wheel.Next()
	switch {
	case ok != pending:
		x.failf("Next", "Next is %t, and that a timer is pending is %t", ok, pending)
	case ok && (next.Before(x.real.wheel.Now()) || next.Sub(x.real.start) > soonest):
		x.failf("Next", "Next is %v; the next timer is due at %v", next.Sub(x.real.start), soonest)
	}
}

var names = map[string]error{
	"ErrStale":         timerwheel.ErrStale,
	"ErrFreed":         timerwheel.ErrFreed,
	"ErrDeleting":      timerwheel.ErrDeleting,
	"ErrShutdown":      timerwheel.ErrShutdown,
	"ErrClosed":        timerwheel.ErrClosed,
	"ErrDeadlock":      timerwheel.ErrDeadlock,
	"ErrNotManual":     timerwheel.ErrNotManual,
	"ErrNotLocked":     timerwheel.ErrNotLocked,
	"Canceled":         context.Canceled,
	"DeadlineExceeded": context.DeadlineExceeded,
	"unwound":          reference.ErrUnwound,
}

// nameOf names an error.
func nameOf(err error) string {
	for name, e := range names {
		if errors.Is(err, e) {
			return name
		}
	}
	return "no error"
}
