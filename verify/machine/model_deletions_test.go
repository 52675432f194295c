package machine

import (
	"context"
	"slices"
	"time"

	"github.com/seed76848005/timerwheel"
)

// This file is the model's deletions, and their waits.

func (m *model) delete(t *timer) (found timerwheel.Found) {
	if t.gone {
		return found
	}
	found.Running = t.run != nil
	found.Pending = m.disarm(t)
	m.release(t)
	return found
}

// delSync is DelSync and its sisters, called in the handler from, if it was.
func (m *model) delSync(t *timer, limit time.Duration, from *run) *answer {
	found := m.delete(t)
	if !found.Running {
		return returns(outcome{found: found})
	}
	return m.await(&wait{from: from, until: limit, done: -1}, found, t.run)
}

// delGroup is that for all members of a group.
func (m *model) delGroup(g *group, limit time.Duration, from *run) *answer {
	var found timerwheel.Found
	var runs []*run
	for _, t := range m.members(g) {
		f := m.delete(t)
		found.Pending = found.Pending || f.Pending
		found.Running = found.Running || f.Running
		if f.Running {
			runs = append(runs, t.run)
		}
	}
	if !found.Running {
		return returns(outcome{found: found})
	}
	return m.await(&wait{from: from, until: limit, group: g, done: -1}, found, runs...)
}

func (m *model) members(g *group) (members []*timer) {
	for _, t := range m.timers {
		if t.group == g && !t.gone {
			members = append(members, t)
		}
	}
	return members
}

// await begins a wait for runs, except for those that wait for its caller.
func (m *model) await(x *wait, found timerwheel.Found, runs ...*run) *answer {
	x.since, x.answer = m.now, &answer{outcome: outcome{found: found}}
	for _, r := range runs {
		if x.from != nil && r.leadsTo(x.from) {
			x.answer.outcome.err = timerwheel.ErrDeadlock
		} else {
			r.refuses = true
			x.on = append(x.on, r)
		}
	}
	if len(x.on) == 0 {
		x.answer.ready = true
		return x.answer
	}
	m.stats.SyncWaits++
	m.waits = append(m.waits, x)
	if x.from != nil {
		x.from.waits = x
	}
	if x.group != nil {
		x.group.deleting++
	}
	m.giveUp()
	return x.answer
}

// leadsTo reports whether r is the other run, or waits for it by any chain.
func (r *run) leadsTo(other *run) bool {
	return r == other || r.waits != nil && slices.ContainsFunc(r.waits.on, func(on *run) bool { return on.leadsTo(other) })
}

// giveUp ends the waits whose contexts have ended. A limit that is not positive
// is that of a context that was dead already.
func (m *model) giveUp() {
	for _, x := range slices.Clone(m.waits) {
		if x.until > m.now {
			continue
		}
		if x.answer.outcome.err == nil {
			x.answer.outcome.err = ended(x.until)
		}
		m.over(x)
	}
}

// dead is the limit of a context that is cancelled before the call.
const dead = time.Duration(-1)

func ended(until time.Duration) error {
	if until == dead {
		return context.Canceled
	}
	return context.DeadlineExceeded
}

// over ends a wait.
func (m *model) over(x *wait) {
	m.waits = slices.DeleteFunc(m.waits, func(y *wait) bool { return x == y })
	x.answer.ready = true
	if x.from != nil {
		x.from.waits = nil
	}
	if x.group != nil {
		x.group.deleting--
	}
	if x.done >= 0 {
		m.dones[x.done]++
	}
}

// delAsync is DelAsync; done is the number of its function.
func (m *model) delAsync(t *timer, done int) *answer {
	found := m.delete(t)
	if found.Running {
		m.await(&wait{until: never, done: done}, found, t.run)
	} else {
		m.dones[done]++
	}
	return returns(outcome{found: found})
}
