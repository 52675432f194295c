package machine

import (
	"fmt"
	"slices"
	"time"

	"github.com/seed76848005/timerwheel"
)

// This file is what happens to the model: handlers begin and end, time passes,
// the wheel is closed, a Manual one advanced.

// mayBegin says what is wrong with a handler that begins now, if anything is.
func (m *model) mayBegin(t *timer) (wrong string) {
	switch {
	case t.gone:
		return "it has been recycled"
	case !t.pending:
		return "it is not pending"
	case t.run != nil:
		return "it runs already"
	case m.now < t.due:
		return "it is early: due " + t.due.String()
	case m.manual && m.advance == nil:
		return "there is no Advance"
	case m.manual && m.tickOf(t) < m.advance.tick:
		return "one of a later tick has begun before it"
	case t.deferred:
		return "it was registered during this Advance"
	case t.lock >= 0 && m.lockTaken(t.lock):
		return "its lock is taken"
	case len(m.runs()) >= m.maxWorkers:
		return "all workers are at work"
	}
	return ""
}

func (m *model) begin(t *timer) {
	t.pending = false
	t.run = &run{timer: t, since: m.now}
	m.stats.Fired++
	if m.manual {
		m.advance.fired++
		m.advance.tick = m.tickOf(t)
	}
	m.late(m.now - t.deadline)
	if t.period > 0 {
		t.pending = true
		m.stats.Registered++
		m.onGrid(t)
	}
}

// late counts a handler that begins by how late it is.
func (m *model) late(by time.Duration) {
	m.stats.MaxLate = max(m.stats.MaxLate, by)
	m.stats.SumLate += by
	m.stats.Lateness[bucket(by)]++
}

// bucket is where a histogram counts a time.
func bucket(d time.Duration) (k int) {
	for end := time.Microsecond; d >= end && k < len(timerwheel.Stats{}.Lateness)-1; end *= 2 {
		k++
	}
	return k
}

// onGrid moves a periodic timer to the first instant of its period of which the tick has
// not ended.
func (m *model) onGrid(t *timer) {
	ended := max(m.now-m.now%m.tick, t.deadline)
	t.deadline += ((ended-t.deadline)/t.period + 1) * t.period
	t.due, t.onGrid, t.deferred, t.ready = m.endOfTick(t.deadline), true, false, never
	t.dueBy = t.due
}

// end ends a run. A panic that nobody is told of, and a Goexit, end the Advance.
func (m *model) end(t *timer, how string) {
	r := t.run
	t.run = nil
	took := m.now - r.since
	m.stats.MaxRun = max(m.stats.MaxRun, took)
	m.stats.SumRun += took
	m.stats.RunTime[bucket(took)]++
	for _, x := range slices.Clone(m.waits) {
		if x.on = slices.DeleteFunc(x.on, func(on *run) bool { return on == r }); len(x.on) == 0 {
			m.over(x)
		}
	}
	if t.pending && t.onGrid && t.due <= m.now {
		m.onGrid(t)
	}
	m.release(t)
	switch {
	case how == "panic" && m.onPanic:
		m.panics = append(m.panics, panicValue(t.id))
	case m.manual && how != "return":
		m.endAdvance(outcome{err: errUnwound})
	}
}

func (m *model) runs() (runs []*run) {
	for _, t := range m.timers {
		if t.run != nil {
			runs = append(runs, t.run)
		}
	}
	return runs
}

func (m *model) waiters(r *run) (n int) {
	for _, x := range m.waits {
		if slices.Contains(x.on, r) {
			n++
		}
	}
	return n
}

func (m *model) lockTaken(l int) bool {
	return m.heldByMain[l] || slices.ContainsFunc(m.runs(), func(r *run) bool { return r.timer.lock == l })
}

// close drops all that is pending, for good, and waits for all workers.
func (m *model) close(limit time.Duration, from *run) *answer {
	m.closed = true
	for _, t := range m.timers {
		m.disarm(t)
		m.release(t)
	}
	if from != nil {
		return returns(outcome{err: timerwheel.ErrDeadlock})
	}
	x := &wait{until: limit, answer: new(answer)}
	m.joins = append(m.joins, x)
	m.join()
	return x.answer
}

// join ends the waits for all workers: because none is left, or because their
// contexts have ended.
func (m *model) join() {
	m.joins = slices.DeleteFunc(m.joins, func(x *wait) bool {
		x.answer.ready = m.busy() == 0 || x.until <= m.now
		switch {
		case x.answer.ready && m.busy() > 0:
			x.answer.outcome.err = ended(x.until)
		case x.answer.ready:
			m.countLeaks()
		}
		return x.answer.ready
	})
}

// countLeaks is for the end of a closed wheel: what has an owner then was forgotten.
func (m *model) countLeaks() {
	if m.debug && !m.ended {
		for _, t := range m.timers {
			if t.owners > 0 {
				m.misused(t)
			}
		}
	}
	m.ended = true
}

// busy is the number of workers.
func (m *model) busy() int { return len(m.runs()) + m.parked }

// pass lets time pass, up to an event.
func (m *model) pass(now time.Duration) {
	m.now = now
	m.giveUp()
	m.stall()
}

// stall reports what has lasted for too long.
func (m *model) stall() {
	if !m.onStall {
		return
	}
	for _, r := range m.runs() {
		if !r.stalled && m.now >= r.since+stallAfter {
			r.stalled = true
			m.stalls = append(m.stalls, stalledRun(r.timer.id))
		}
	}
	for _, x := range m.waits {
		if !x.stalled && m.now >= x.since+stallAfter {
			x.stalled = true
			m.stalls = append(m.stalls, stalledWait)
		}
	}
}

// stallAfter is no multiple of the grain: nothing else happens at such instants.
const stallAfter = 200*grain + grain/2

func stalledRun(timer int) string { return fmt.Sprintf("timer %d runs", timer) }

const stalledWait = "a deletion waits"

// rest is for when nothing moves any more. It returns a timer that should have
// begun by now.
func (m *model) rest(now time.Duration, parked int) *timer {
	m.pass(now)
	m.parked = parked
	m.join()
	t := m.overdue()
	if m.advance != nil && m.busy() == 0 {
		m.endAdvance(outcome{fired: m.advance.fired})
	}
	return t
}

// ---- Manual wheels ----

// advanceTo is Advance, to d from now.
func (m *model) advanceTo(d time.Duration, from *run) *answer {
	switch {
	case !m.manual:
		return returns(outcome{err: timerwheel.ErrNotManual})
	case from != nil:
		return returns(outcome{err: timerwheel.ErrDeadlock})
	case m.closed:
		return returns(outcome{err: timerwheel.ErrClosed})
	case d < 0:
		return returns(outcome{})
	}
	m.now += d
	m.advance = &advance{answer: new(answer)}
	return m.advance.answer
}

func (m *model) tickOf(t *timer) time.Duration { return t.due / m.tick }

// endAdvance ends the Advance that is under way: what was registered meanwhile
// takes its place.
func (m *model) endAdvance(o outcome) {
	m.advance.answer.ready, m.advance.answer.outcome = true, o
	m.advance = nil
	for _, t := range m.timers {
		t.deferred = false
	}
}
