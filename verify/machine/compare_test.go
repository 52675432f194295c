package machine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
)

// This file shows the model what the wheel does and, while nothing moves,
// compares all that can be asked of the wheel with what the model says.

// rest waits until nothing moves, shows the model what has happened, and
// compares.
func (x *machine) rest() {
	synctest.Wait()
	select {
	case <-x.real.stir:
	default:
	}
	for _, e := range x.real.takeLog() {
		x.model.pass(e.at)
		x.show(e)
	}
	late := x.model.rest(x.real.now(), x.real.parked())
	x.compareCalls()
	if late != nil {
		x.failf("a handler does not begin", "timer %d has not begun", late.id)
	}
	x.compareTimers()
	x.compareWheel()
}

// failf ends a program that fails. The details go into the log: rapid goes on
// shrinking only while it is told the same again, and which of two handlers
// comes first, for instance, is left to chance.
func (x *machine) failf(what, format string, args ...any) {
	x.t.Logf("%v: %s: %s", x.model.now, what, fmt.Sprintf(format, args...))
	panic(failure("not as the model says: " + what))
}

// show shows the model an event.
func (x *machine) show(e event) {
	t := x.model.timers[e.timer]
	switch e.kind {
	case "call":
		x.showCall(e, t)
	case "begin":
		x.t.Logf("%v: timer %d begins", e.at, e.timer)
		if wrong := x.model.mayBegin(t); wrong != "" {
			x.failf("a handler begins", "timer %d begins, but %s", t.id, wrong)
		}
		if own := x.real.timer(t.id); e.handle != own {
			x.failf("a handler begins", "timer %d is given another handle", t.id)
		}
		x.seen["begins"]++
		if e.at > t.due {
			x.seen["handlers begun late"]++
		}
		x.model.begin(t)
	case "end":
		x.t.Logf("%v: timer %d ends: %s", e.at, e.timer, e.how)
		if t.run == nil {
			x.failf("a handler ends", "timer %d ends, but does not run", t.id)
		}
		x.seen[e.how+"s"]++
		x.model.end(t, e.how)
	}
}

func (x *machine) showCall(e event, from *timer) {
	x.seen["calls"]++
	if from.id == 0 {
		x.t.Logf("%v: %v", e.at, e.call.call)
	} else {
		x.seen["calls by handlers"]++
		x.t.Logf("%v: timer %d's handler: %v", e.at, from.id, e.call.call)
	}
	e.call.answer = verbs[e.call.verb].expect(x.model, e.call.call, from.run)
	if err := e.call.answer.outcome.err; err == timerwheel.ErrDeadlock && deletes[e.call.verb] && e.call.timer != from.id {
		x.seen["circles"]++
	}
	x.made = append(x.made, e.call)
}

// compareCalls compares what the calls have returned, and which have not.
func (x *machine) compareCalls() {
	x.made = slices.DeleteFunc(x.made, func(c *made) bool {
		switch {
		case c.returned && !c.answer.ready:
			x.failf("a call", "%v has returned %v, too early", c.call, c.outcome)
		case !c.returned && c.answer.ready:
			x.failf("a call", "%v has not returned %v", c.call, c.answer.outcome)
		case c.returned && !c.outcome.same(c.answer.outcome):
			x.failf("a call", "%v has returned %v, not %v", c.call, c.outcome, c.answer.outcome)
		case c.returned:
			x.seen[nameOf(c.outcome.err)]++
		}
		return c.returned
	})
}

// compareTimers asks every handle that there ever was.
func (x *machine) compareTimers() {
	for _, t := range x.model.timers {
		handle := x.real.timer(t.id)
		when, ok := handle.When()
		switch {
		case handle.Valid() == t.gone:
			x.failf("a timer", "timer %d: Valid is %t", t.id, !t.gone)
		case handle.Pending() != t.pending || ok != t.pending:
			x.failf("a timer", "timer %d: Pending is %t, and When %t", t.id, handle.Pending(), ok)
		case handle.Running() != (t.run != nil):
			x.failf("a timer", "timer %d: Running is %t", t.id, handle.Running())
		case ok && !x.isAt(when, t.deadline):
			x.failf("a timer", "timer %d: When is %v, not %v", t.id, when.Sub(x.real.start), t.deadline)
		}
	}
	for k, g := range x.model.groups {
		if got, want := x.real.group(k).Len(), len(x.model.members(g)); got != want {
			x.failf("a group", "group %d has %d members, not %d", k, got, want)
		}
	}
}

// isAt reports whether a time is that of the model. Never is centuries away.
func (x *machine) isAt(real time.Time, at time.Duration) bool {
	if at == never {
		return real.Sub(x.real.start) > 100*365*24*time.Hour
	}
	return real.Sub(x.real.start) == at
}

// compareWheel asks the wheel.
func (x *machine) compareWheel() {
	got, want := x.real.wheel.Stats(), x.model.statsNow()
	got.Bytes = 0
	if got != want {
		x.failf("Stats", "Stats are\n%+v, not\n%+v", got, want)
	}
	x.compareRuns()
	x.compareNext()
	x.compareCalledBack()
}

// compareCalledBack compares what the wheel has called beside handlers.
func (x *machine) compareCalledBack() {
	dones, panics, stalls := x.real.calledBack()
	slices.Sort(x.model.panics)
	slices.Sort(x.model.stalls)
	if !slices.Equal(dones, x.model.dones) {
		x.failf("DelAsync", "the dones have been called %v times, not %v", dones, x.model.dones)
	}
	if !slices.Equal(panics, x.model.panics) {
		x.failf("OnPanic", "OnPanic has been given %q, not %q", panics, x.model.panics)
	}
	if !slices.Equal(stalls, x.model.stalls) {
		x.failf("OnStall", "OnStall has been told of %q, not %q", stalls, x.model.stalls)
	}
}

// compareRuns compares the handlers in flight.
func (x *machine) compareRuns() {
	got := x.real.wheel.Running()
	for _, r := range x.model.runs() {
		own := x.real.timer(r.timer.id)
		k := slices.IndexFunc(got, func(g timerwheel.RunningHandler) bool { return g.Timer == own })
		switch {
		case k < 0:
			x.failf("Running", "timer %d runs, and is not in Running", r.timer.id)
		case !x.isAt(got[k].Since, r.since) || got[k].Waiters != x.model.waiters(r):
			x.failf("Running", "timer %d runs since %v with %d waiters, not %v with %d",
				r.timer.id, got[k].Since.Sub(x.real.start), got[k].Waiters, r.since, x.model.waiters(r))
		}
	}
	if len(got) != len(x.model.runs()) {
		x.failf("Running", "Running has %d entries, not %d", len(got), len(x.model.runs()))
	}
}

// compareNext compares Next, which may be early but not late.
func (x *machine) compareNext() {
	soonest := never
	for _, t := range x.model.pending() {
		soonest = min(soonest, max(t.dueBy, x.model.now))
	}
	next, ok := x.real.wheel.Next()
	switch {
	case ok != (len(x.model.pending()) > 0):
		x.failf("Next", "Next is %t, and %d timers are pending", ok, len(x.model.pending()))
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
	"Canceled":         context.Canceled,
	"DeadlineExceeded": context.DeadlineExceeded,
	"unwound":          errUnwound,
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
