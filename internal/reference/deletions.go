package reference

import (
	"context"
	"slices"
	"time"

	"github.com/seed76848005/timerwheel"
)

// This file is the deletions, and their waits. A wait has a limit: the time at which the
// context of its call ends, Never, or Ended.

// Ended is the limit of a context that ended before the call.
const Ended = time.Duration(-1)

// A wait is a deletion that waits for runs.
type wait struct {
	on      []*Run
	from    *Run // the handler that made the call, if one did
	since   time.Duration
	until   time.Duration
	stalled bool   // OnStall has been called for it
	group   *Group // of a group's deletion
	done    int    // of a DelAsync; otherwise -1
	answer  *Answer
}

// Delete is Del, Stop, and the part of every other deletion that does not wait.
func (w *Wheel) Delete(t *Timer) (found timerwheel.Found) {
	if t.Gone {
		return found
	}
	found.Running = t.Run != nil
	found.Pending = w.disarm(t)
	w.release(t)
	return found
}

// Shutdown is Shutdown.
func (w *Wheel) Shutdown(t *Timer) timerwheel.Found {
	t.shutdown = true
	return w.Delete(t)
}

// DelSync is DelSync and DelSyncContext, called in the handler from, if it was.
func (w *Wheel) DelSync(t *Timer, limit time.Duration, from *Run) *Answer {
	found := w.Delete(t)
	if !found.Running {
		return Returns(Outcome{Found: found})
	}
	return w.await(&wait{from: from, until: limit, done: -1}, found, t.Run)
}

// ShutdownSync is ShutdownSync and ShutdownSyncContext.
func (w *Wheel) ShutdownSync(t *Timer, limit time.Duration, from *Run) *Answer {
	t.shutdown = true
	return w.DelSync(t, limit, from)
}

// DelAsync is DelAsync. Its done gets the next place in Dones.
func (w *Wheel) DelAsync(t *Timer) timerwheel.Found {
	done := len(w.Dones)
	w.Dones = append(w.Dones, 0)
	found := w.Delete(t)
	if found.Running {
		w.await(&wait{until: Never, done: done}, found, t.Run)
	} else {
		w.Dones[done]++
	}
	return found
}

// DeleteGroup is Group.Del.
func (w *Wheel) DeleteGroup(g *Group) timerwheel.Found {
	found, _ := w.deleteMembers(g)
	return found
}

// ShutdownGroup is Group.Shutdown.
func (w *Wheel) ShutdownGroup(g *Group) timerwheel.Found {
	g.down = true
	return w.DeleteGroup(g)
}

// DelSyncGroup is Group.DelSync and Group.DelSyncContext.
func (w *Wheel) DelSyncGroup(g *Group, limit time.Duration, from *Run) *Answer {
	found, runs := w.deleteMembers(g)
	if !found.Running {
		return Returns(Outcome{Found: found})
	}
	return w.await(&wait{from: from, until: limit, group: g, done: -1}, found, runs...)
}

// ShutdownSyncGroup is Group.ShutdownSync and Group.ShutdownSyncContext.
func (w *Wheel) ShutdownSyncGroup(g *Group, limit time.Duration, from *Run) *Answer {
	g.down = true
	return w.DelSyncGroup(g, limit, from)
}

// deleteMembers deletes each timer of a group, and returns the handlers that are in flight.
func (w *Wheel) deleteMembers(g *Group) (found timerwheel.Found, runs []*Run) {
	for _, t := range w.Members(g) {
		f := w.Delete(t)
		found.Pending = found.Pending || f.Pending
		found.Running = found.Running || f.Running
		if f.Running {
			runs = append(runs, t.Run)
		}
	}
	return found, runs
}

// await begins a wait for runs, except for those that wait for its caller.
func (w *Wheel) await(x *wait, found timerwheel.Found, runs ...*Run) *Answer {
	x.since, x.answer = w.Now, &Answer{Outcome: Outcome{Found: found}}
	for _, r := range runs {
		if x.from != nil && r.reaches(x.from) {
			x.answer.Outcome.Err = timerwheel.ErrDeadlock
		} else {
			r.refuses = true
			x.on = append(x.on, r)
		}
	}
	if len(x.on) == 0 {
		x.answer.Ready = true
		return x.answer
	}
	w.Counted.SyncWaits++
	w.waits = append(w.waits, x)
	if x.from != nil {
		x.from.waits = x
	}
	if x.group != nil {
		x.group.deleting++
	}
	w.giveUp()
	return x.answer
}

// reaches reports whether r is the other run, or waits for it through any chain.
func (r *Run) reaches(other *Run) bool {
	return r == other || r.waits != nil && slices.ContainsFunc(r.waits.on, func(on *Run) bool { return on.reaches(other) })
}

// giveUp ends the waits whose contexts have ended.
func (w *Wheel) giveUp() {
	for _, x := range slices.Clone(w.waits) {
		if x.until > w.Now {
			continue
		}
		if x.answer.Outcome.Err == nil {
			x.answer.Outcome.Err = contextError(x.until)
		}
		w.endWait(x)
	}
}

// contextError is the error of a context that ended at that time.
func contextError(until time.Duration) error {
	if until == Ended {
		return context.Canceled
	}
	return context.DeadlineExceeded
}

func (w *Wheel) endWait(x *wait) {
	w.waits = slices.DeleteFunc(w.waits, func(other *wait) bool { return x == other })
	x.answer.Ready = true
	if x.from != nil {
		x.from.waits = nil
	}
	if x.group != nil {
		x.group.deleting--
	}
	if x.done >= 0 {
		w.Dones[x.done]++
	}
}

// Waiters returns how many deletions wait for a run.
func (w *Wheel) Waiters(r *Run) (n int) {
	for _, x := range w.waits {
		if slices.Contains(x.on, r) {
			n++
		}
	}
	return n
}
