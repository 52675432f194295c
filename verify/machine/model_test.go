package machine

import (
	"errors"
	"math"
	"slices"
	"time"

	"github.com/seed76848005/timerwheel"
)

// This file is the model: what the contract says, in the plainest way. It knows
// no lock, no goroutine and no clock; it is told what time it is, and which
// handlers have begun and ended. All times are since the wheel was made.

type model struct {
	tick       time.Duration
	maxWorkers int
	manual     bool
	onPanic    bool
	onStall    bool
	debug      bool
	now        time.Duration
	advance    *advance // of a Manual wheel, under way
	timers     []*timer // all that ever were; the first is the zero Timer's
	groups     []*group
	waits      []*wait
	dones      []int    // how often the done of each DelAsync has been called
	panics     []string // the values that OnPanic has been given
	stalls     []string // what OnStall has been told of
	closed     bool
	joins      []*wait     // Close and Shutdown of the wheel, which wait for all workers
	parked     int         // workers that wait for a lock
	ended      bool        // a Close or Shutdown has returned nil
	heldByMain [locks]bool // the locks that the program itself holds
	stats      timerwheel.Stats
}

// A timer lives while an owner, the wheel (pending) or a worker (run) holds it.
type timer struct {
	id       int
	owners   int
	pending  bool
	run      *run
	gone     bool // recycled
	none     bool // never made: its handle is the zero Timer
	shutdown bool
	group    *group
	lock     int // of a lock-bound timer; else -1
	period   time.Duration

	deadline time.Duration
	due      time.Duration // when it may begin: at the end of the tick of its deadline
	dueBy    time.Duration // when it must, if nothing is in its way
	onGrid   bool          // its deadline is an instant of its period
	deferred bool          // registered during an Advance: left to the next
	ready    time.Duration // since when nothing has kept it from beginning; never: something does
}

type group struct {
	deleting int
	down     bool
}

// A run is a handler in flight.
type run struct {
	timer   *timer
	since   time.Duration
	stalled bool  // OnStall has been told
	refuses bool  // a deletion has marked it: no Register until it ends
	waits   *wait // the deletion in which the handler waits itself
}

// A wait is a deletion that waits for runs.
type wait struct {
	on      []*run
	from    *run // in whose handler
	since   time.Duration
	until   time.Duration // when its context ends
	stalled bool          // OnStall has been told
	group   *group        // of a group's deletion
	done    int           // of a DelAsync; else -1
	answer  *answer
}

// An advance is an Advance of a Manual wheel.
type advance struct {
	fired  int
	tick   time.Duration // up to which it has come
	answer *answer
}

// An answer is what the model expects of a call; until it is ready, that it
// has not returned.
type answer struct {
	ready   bool
	outcome outcome
}

// An outcome is all that a call may return.
type outcome struct {
	found timerwheel.Found
	was   bool // Stop, Reset
	fired int  // Advance
	err   error
}

// errUnwound is the outcome of a call that did not return: because a panic or a
// Goexit went through it.
var errUnwound = errors.New("unwound")

const never = time.Duration(math.MaxInt64)

func returns(o outcome) *answer { return &answer{true, o} }

func newModel(o timerwheel.Options) *model {
	m := &model{tick: o.Tick, debug: o.Debug, maxWorkers: o.MaxWorkers, manual: o.Manual, onPanic: o.OnPanic != nil, onStall: o.OnStall != nil}
	if m.manual {
		m.maxWorkers = 1 // who calls Advance
	}
	m.timers = []*timer{{gone: true, none: true}}
	return m
}

// ---- Registering ----

func (m *model) refusal(t *timer) error {
	switch {
	case t.gone:
		return timerwheel.ErrStale
	case t.shutdown || t.group != nil && t.group.down:
		return timerwheel.ErrShutdown
	case t.run != nil && t.run.refuses || t.group != nil && t.group.deleting > 0:
		return timerwheel.ErrDeleting
	case m.closed:
		return timerwheel.ErrClosed
	}
	return nil
}

// register is Register, and with reduce Reduce.
func (m *model) register(t *timer, d time.Duration, reduce bool) (was bool, err error) {
	if err := m.refusal(t); err != nil {
		if !t.none { // the zero Timer has no wheel that could count
			m.stats.Refused++
		}
		if err == timerwheel.ErrStale {
			m.misused(t)
		}
		return false, err
	}
	was = t.pending
	if when := m.after(d); !reduce || !was || when < t.deadline {
		m.arm(t, when)
	}
	return was, nil
}

// registerAt is RegisterAt, for d from now. It reads no clock if the wheel is to
// wake up at this moment, or is late; it may then take now for a time to come,
// as good as any other: for the end of its tick.
func (m *model) registerAt(t *timer, d time.Duration) error {
	waking := slices.ContainsFunc(m.pending(), func(other *timer) bool { return other.due <= m.now })
	stays := t.pending && t.deadline <= m.now
	_, err := m.register(t, d, false)
	if err == nil && d == 0 && waking && stays {
		t.dueBy = m.endOfTick(m.now)
	}
	return err
}

func (m *model) after(d time.Duration) time.Duration {
	if d > never-m.now {
		return never
	}
	return m.now + max(d, 0)
}

func (m *model) arm(t *timer, when time.Duration) {
	if !t.pending {
		t.pending = true
		m.stats.Registered++
	}
	t.deadline, t.due, t.onGrid, t.ready = when, m.endOfTick(when), false, never
	if when <= m.now {
		t.due = when // at once: it need not wait for a tick to end
	}
	t.dueBy = t.due
	t.deferred = m.advance != nil && when <= m.now
}

func (m *model) endOfTick(when time.Duration) time.Duration {
	if when > never-m.tick {
		return never
	}
	return (when + m.tick - 1) / m.tick * m.tick
}

// disarm removes a firing, and reports whether there was one.
func (m *model) disarm(t *timer) bool {
	if !t.pending {
		return false
	}
	t.pending = false
	m.stats.Removed++
	return true
}

// release recycles a timer that nobody holds.
func (m *model) release(t *timer) {
	if t.owners == 0 && !t.pending && t.run == nil {
		t.gone = true
	}
}

// newTimer makes a timer that nobody holds yet.
func (m *model) newTimer(c call) *timer {
	t := &timer{id: len(m.timers), lock: c.lock, period: c.period, ready: never}
	if c.group >= 0 {
		t.group = m.groups[c.group]
	}
	m.timers = append(m.timers, t)
	return t
}

// start makes a new timer pending. On a wheel, or in a group, that takes no
// Register it is not made.
func (m *model) start(t *timer, d time.Duration) {
	if m.refusal(t) != nil {
		m.stats.Refused++
		t.gone, t.none = true, true
		return
	}
	m.arm(t, m.after(d))
}

// ---- References ----

// misused counts a misuse; but none of the zero Timer, which has no wheel.
func (m *model) misused(t *timer) {
	if !t.none {
		m.stats.Misuses++
	}
}

func (m *model) retain(t *timer) error {
	if t.gone {
		m.misused(t)
		return timerwheel.ErrStale
	}
	t.owners++
	return nil
}

func (m *model) free(t *timer) error {
	switch {
	case t.gone:
		m.misused(t)
		return timerwheel.ErrStale
	case t.owners == 0:
		m.misused(t)
		return timerwheel.ErrFreed
	}
	t.owners--
	m.release(t)
	return nil
}

// ---- What can be asked ----

func (m *model) pending() (pending []*timer) {
	for _, t := range m.timers {
		if t.pending {
			pending = append(pending, t)
		}
	}
	return pending
}

// statsNow returns Stats as they are to be, but for Bytes.
func (m *model) statsNow() timerwheel.Stats {
	s := m.stats
	s.Pending, s.Running = len(m.pending()), len(m.runs())
	if !m.manual {
		s.Workers = m.busy()
	}
	for _, t := range m.timers {
		if !t.gone {
			s.Live++
		}
	}
	return s
}

// nextEvent returns when the model expects something to happen, never before
// now; what handlers do of their own accord it does not know.
func (m *model) nextEvent() time.Duration {
	next := never
	for _, t := range m.pending() {
		switch {
		case t.dueBy > m.now:
			next = min(next, t.dueBy)
		case t.ready != never:
			next = min(next, t.ready+m.tick)
		}
	}
	for _, x := range slices.Concat(m.waits, m.joins) {
		next = min(next, x.until)
	}
	if m.onStall {
		next = min(next, m.nextStall())
	}
	return next
}

// nextStall returns when OnStall will have to be told of something.
func (m *model) nextStall() time.Duration {
	next := never
	for _, r := range m.runs() {
		if !r.stalled {
			next = min(next, r.since+stallAfter)
		}
	}
	for _, x := range m.waits {
		if !x.stalled {
			next = min(next, x.since+stallAfter)
		}
	}
	return next
}

// overdue returns a timer that should have begun by now, as nothing moves any
// more. As long as handlers block, a due timer has a tick, from when nothing but
// that was in its way.
func (m *model) overdue() *timer {
	busy := m.busy()
	for _, t := range m.pending() {
		able := t.dueBy <= m.now && t.run == nil && busy < m.maxWorkers && (t.lock < 0 || !m.lockTaken(t.lock))
		if m.manual && (m.advance == nil || t.deferred) {
			able = false
		}
		switch {
		case !able:
			t.ready = never
		case t.ready == never:
			t.ready = m.now
		}
		if able && (busy == 0 || m.now >= t.ready+m.tick) {
			return t
		}
	}
	return nil
}
