package timerwheel_test

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/seed76848005/timerwheel"
)

// This file is a Manual wheel as the contract describes it, for one goroutine: a slice of
// timers with exact deadlines, and what each call says. It is obviously right, and slow. It
// knows nothing of the wheel; fuzz_test.go makes both do the same, and compares.

type model struct {
	tick    time.Duration
	now     time.Time
	elapsed time.Duration // now since manualStart, as far as a Duration reaches
	closed  bool

	timers []*modelTimer // those that live
	stale  []*modelTimer // some of those that lived
	stats  timerwheel.Stats

	leaksCounted bool

	advancing bool
	fired     int   // in this Advance
	tickNow   int64 // the tick of the timer that began last in this Advance
}

type modelTimer struct {
	handle timerwheel.Timer
	lock   *walkLock
	group  *modelGroup
	period time.Duration // of a periodic timer

	owners   int
	pending  bool
	running  bool
	shutdown bool
	deleting bool // no Register until its handler has returned
	recycled bool

	deadline time.Duration // since manualStart; never
	atOnce   bool          // due when it was registered
	fresh    bool          // registered during the Advance in progress: not for this one
}

type modelGroup struct {
	group *timerwheel.Group
	down  bool
}

// never is the deadline of what is too far away for the clock.
const never = time.Duration(math.MaxInt64)

// ---- Time ----

// setTime is the beginning of an Advance; it reports whether it is none.
func (m *model) setTime(now time.Time) (noop bool) {
	if now.Before(m.now) {
		return true
	}
	m.now, m.elapsed = now, min(now.Sub(manualStart), never-1)
	m.advancing, m.fired, m.tickNow = true, 0, math.MinInt64
	return false
}

// in is the deadline a duration from now.
func (m *model) in(d time.Duration) time.Duration {
	if d = max(d, 0); d > never-m.elapsed {
		return never
	}
	return m.elapsed + d
}

// tickOf is the tick at which a timer is due: the first that does not begin before its deadline.
func (m *model) tickOf(x *modelTimer) int64 {
	tick := int64(x.deadline / m.tick)
	if x.deadline%m.tick != 0 && !x.atOnce {
		tick++
	}
	return tick
}

func (m *model) due(x *modelTimer) bool {
	return x.pending && !x.fresh && m.tickOf(x) <= int64(m.elapsed/m.tick)
}

// latestNext is the time that Next may not exceed; ok is false when nothing pends.
func (m *model) latestNext() (at time.Time, ok bool) {
	first := int64(math.MaxInt64)
	for _, x := range m.timers {
		if x.pending {
			first, ok = min(first, m.tickOf(x)), true
		}
	}
	d := never
	if first < int64(never/m.tick) {
		d = time.Duration(first) * m.tick
	}
	if at = manualStart.Add(d); at.Before(m.now) {
		at = m.now
	}
	return at, ok
}

// ---- Registering ----

func (m *model) refusal(x *modelTimer) error {
	switch {
	case x.recycled:
		return timerwheel.ErrStale
	case x.shutdown || x.group.isDown():
		return timerwheel.ErrShutdown
	case x.deleting:
		return timerwheel.ErrDeleting
	case m.closed:
		return timerwheel.ErrClosed
	}
	return nil
}

func (g *modelGroup) isDown() bool { return g != nil && g.down }

func (m *model) register(x *modelTimer, deadline time.Duration) error {
	if err := m.refusal(x); err != nil {
		if x.handle != (timerwheel.Timer{}) { // which is of no wheel, and so in no wheel's count
			m.stats.Refused++
		}
		if x.recycled {
			m.misused(x)
		}
		return err
	}
	m.arm(x, max(deadline, m.elapsed))
	x.atOnce = deadline <= m.elapsed
	x.fresh = m.advancing
	return nil
}

func (m *model) reduce(x *modelTimer, deadline time.Duration) error {
	if m.refusal(x) == nil && x.pending && deadline >= x.deadline {
		return nil
	}
	return m.register(x, deadline)
}

func (m *model) arm(x *modelTimer, deadline time.Duration) {
	if !x.pending {
		x.pending = true
		m.stats.Registered++
		m.stats.Pending++
	}
	x.deadline = deadline
}

// add is Alloc.
func (m *model) add(x *modelTimer) {
	x.owners = 1
	m.timers = append(m.timers, x)
	m.stats.Live++
}

// start is AfterFunc and Every; it reports whether they make a timer.
func (m *model) start(x *modelTimer, d time.Duration) bool {
	if m.closed || x.group.isDown() {
		m.stats.Refused++
		x.recycled = true
		m.remember(x)
		return false
	}
	m.add(x)
	x.owners = 0
	return m.register(x, m.in(d)) == nil
}

// ---- Running ----

// mustNotBegin says why a timer's handler must not begin now, if that is so.
func (m *model) mustNotBegin(x *modelTimer) error {
	switch {
	case !m.advancing:
		return fmt.Errorf("outside Advance")
	case m.closed:
		return fmt.Errorf("on a closed wheel")
	case m.stats.Running > 0:
		return fmt.Errorf("while another runs")
	case !x.pending:
		return fmt.Errorf("although it is not pending")
	case x.fresh:
		return fmt.Errorf("although it was registered in this Advance")
	case !m.due(x):
		return fmt.Errorf("early: due at %v, now %v", x.deadline, m.elapsed)
	case m.tickOf(x) < m.tickNow:
		return fmt.Errorf("out of order: its tick is %d, another's was %d", m.tickOf(x), m.tickNow)
	}
	return nil
}

func (m *model) begin(x *modelTimer) {
	m.tickNow = m.tickOf(x)
	m.fired++
	m.stats.Fired++
	m.stats.Running++
	m.stats.Pending--
	m.late(m.elapsed - x.deadline)
	x.pending, x.running, x.atOnce = false, true, false
	if x.period > 0 {
		m.arm(x, m.following(x))
	}
}

// late counts a firing by its lateness.
func (m *model) late(by time.Duration) {
	m.stats.MaxLate = max(m.stats.MaxLate, by)
	if m.stats.SumLate += by; m.stats.SumLate < 0 {
		m.stats.SumLate = never
	}
	k, end := 0, time.Microsecond
	for ; by >= end && k < len(m.stats.Lateness)-1; k++ {
		end *= 2
	}
	m.stats.Lateness[k]++
}

// following is the first instant of a period of which the tick has not ended.
func (m *model) following(x *modelTimer) time.Duration {
	ended := max(m.elapsed-m.elapsed%m.tick, x.deadline)
	periods := (ended-x.deadline)/x.period + 1
	if periods > (never-x.deadline)/x.period {
		return never
	}
	return x.deadline + periods*x.period
}

func (m *model) end(x *modelTimer) {
	m.stats.Running--
	m.stats.RunTime[0]++ // the wheel's time stands still meanwhile
	x.running, x.deleting = false, false
	m.settle(x)
}

// endAdvance returns a timer that should have fired, if Advance has returned as it should.
func (m *model) endAdvance(returned bool) (missed *modelTimer) {
	m.advancing = false
	for _, x := range m.timers {
		if returned && m.due(x) {
			missed = x
		}
		x.fresh = false
	}
	return missed
}

// ---- Deleting ----

// delete is any deletion of one timer. With one goroutine, who finds a timer running is in
// its handler.
func (m *model) delete(x *modelTimer) timerwheel.Found {
	found := timerwheel.Found{Pending: x.pending, Running: x.running}
	m.drop(x)
	return found
}

// drop removes a timer's firing.
func (m *model) drop(x *modelTimer) {
	if x.pending {
		x.pending = false
		m.stats.Removed++
		m.stats.Pending--
	}
	m.settle(x)
}

// members are those of a group; all timers, if there is no group.
func (m *model) members(g *modelGroup) []*modelTimer {
	return slices.DeleteFunc(slices.Clone(m.timers), func(x *modelTimer) bool { return g != nil && x.group != g })
}

func (m *model) deleteGroup(g *modelGroup) (found timerwheel.Found) {
	for _, x := range m.members(g) {
		one := m.delete(x)
		found.Pending = found.Pending || one.Pending
		found.Running = found.Running || one.Running
	}
	return found
}

func (m *model) close() {
	m.closed = true
	for _, x := range m.members(nil) {
		m.drop(x)
	}
}

// ---- References ----

// misused counts a misuse; but none of the zero Timer, which is of no wheel.
func (m *model) misused(x *modelTimer) {
	if x.handle != (timerwheel.Timer{}) {
		m.stats.Misuses++
	}
}

// countLeaks counts, at the end of the wheel, the timers that have an owner.
func (m *model) countLeaks() {
	if m.leaksCounted {
		return
	}
	m.leaksCounted = true
	for _, x := range m.timers {
		if x.owners > 0 {
			m.misused(x)
		}
	}
}

func (m *model) retain(x *modelTimer) error {
	if x.recycled {
		m.misused(x)
		return timerwheel.ErrStale
	}
	x.owners++
	return nil
}

func (m *model) free(x *modelTimer) error {
	switch {
	case x.recycled:
		m.misused(x)
		return timerwheel.ErrStale
	case x.owners == 0:
		m.misused(x)
		return timerwheel.ErrFreed
	}
	x.owners--
	m.settle(x)
	return nil
}

// settle recycles a timer that nobody holds any more.
func (m *model) settle(x *modelTimer) {
	if x.recycled || x.owners > 0 || x.pending || x.running {
		return
	}
	x.recycled = true
	m.timers = slices.DeleteFunc(m.timers, func(y *modelTimer) bool { return x == y })
	m.stats.Live--
	m.remember(x)
}

// remember keeps a few handles that are stale: the latest.
func (m *model) remember(x *modelTimer) {
	m.stale = append(m.stale, x)
	if len(m.stale) > 8 {
		m.stale = m.stale[1:]
	}
}
