package machine

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/internal/reference"
)

// A world is the real wheel, what a program has made with it, and the log of what happened.
// Handlers write to it, so it has a lock.
type world struct {
	wheel *timerwheel.Wheel
	start time.Time
	locks [locks]*lock
	stir  chan struct{} // holds a token while the log holds an event

	mu       sync.Mutex
	timers   []timerwheel.Timer
	groups   []*timerwheel.Group
	log      []event
	dones    []int
	panics   []int         // the timers that OnPanic was called for
	stalls   []int         // the timers that OnStall was called for; 0: a deletion
	instants time.Duration // how many instants have been handed out
}

const locks = 2

// An event is one step of a handler or of the program. It is written to the log before the
// step is done.
type event struct {
	at     time.Duration
	kind   string // "begin", "end", "call"
	timer  int    // whose handler; 0: the program itself
	handle timerwheel.Timer
	how    string // it ends
	call   *made
}

// made is a call that was made.
type made struct {
	call
	returned bool
	outcome  reference.Outcome
	answer   *reference.Answer
}

func newWorld(o timerwheel.Options) *world {
	w := &world{start: time.Now(), stir: make(chan struct{}, 1)}
	w.timers = make([]timerwheel.Timer, 1)
	for k := range w.locks {
		w.locks[k] = newLock()
	}
	if o.OnPanic != nil {
		o.OnPanic = w.onPanic
	}
	if o.OnStall != nil {
		o.OnStall = w.onStall
	}
	wheel, err := timerwheel.New(o)
	if err != nil {
		panic(err)
	}
	w.wheel = wheel
	return w
}

// note writes an event to the log, and wakes the machine. A wheel that calls handlers without
// end at one instant would never come to rest: a sleep makes the time pass then.
func (w *world) note(e event) {
	w.mu.Lock()
	e.at = w.now()
	w.log = append(w.log, e)
	endless := len(w.log) > 1000
	w.mu.Unlock()
	select {
	case w.stir <- struct{}{}:
	default:
	}
	if endless {
		time.Sleep(grain)
	}
}

// now is the wheel's time. If the wheel is not Manual, this is the bubble's time, too.
func (w *world) now() time.Duration { return w.wheel.Now().Sub(w.start) }

// takeLog returns the events since its last call.
func (w *world) takeLog() (log []event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	log, w.log = w.log, nil
	return log
}

// call makes a call, in the handler of a timer or, if that is 0, for the
// program.
func (w *world) call(c call, from int) {
	w.mu.Lock()
	if makes[c.verb] {
		c.timer = len(w.timers)
		w.timers = append(w.timers, timerwheel.Timer{})
	} else {
		c.timer = (c.timer + len(w.timers)) % len(w.timers)
	}
	w.mu.Unlock()
	if limits[c.verb] && c.d > 0 {
		c.d = w.untilOwnInstant(c.d)
	}
	m := &made{call: c, outcome: reference.Outcome{Err: reference.ErrUnwound}}
	w.note(event{kind: "call", timer: from, call: m})
	defer w.returned(m)
	m.outcome = verbs[c.verb].do(w, c)
}

// returned notes that a call has returned, or was unwound.
func (w *world) returned(m *made) {
	if p := recover(); p != nil {
		m.outcome.Err = fmt.Errorf("%w by %v", reference.ErrUnwound, p)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	m.returned = true
}

// A maker makes timers: a wheel or a group.
type maker interface {
	Alloc(f func(timerwheel.Timer)) timerwheel.Timer
	AllocLocked(l sync.Locker, f func(timerwheel.Timer)) timerwheel.Timer
	AfterFunc(d time.Duration, f func()) timerwheel.Timer
	AfterFuncArg(d time.Duration, f func(any), arg any) timerwheel.Timer
	Every(period time.Duration, f func(timerwheel.Timer)) timerwheel.Timer
}

func (w *world) maker(c call) maker {
	if c.group >= 0 {
		return w.group(c.group)
	}
	return w.wheel
}

// keep keeps a new timer.
func (w *world) keep(c call, t timerwheel.Timer) reference.Outcome {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timers[c.timer] = t
	return reference.Outcome{}
}

func (w *world) timer(id int) timerwheel.Timer {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.timers[id]
}

func (w *world) newGroup() {
	g := w.wheel.NewGroup()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.groups = append(w.groups, g)
}

func (w *world) group(id int) *timerwheel.Group {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.groups[id]
}

// newDone makes the function of a DelAsync.
func (w *world) newDone() func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	k := len(w.dones)
	w.dones = append(w.dones, 0)
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.dones[k]++
	}
}

func (w *world) onPanic(p timerwheel.HandlerPanic) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.panics = append(w.panics, int(p.Value.(panicValue)))
}

func (w *world) onStall(s timerwheel.Stall) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch s.Kind {
	case timerwheel.StalledDeletion:
		w.stalls = append(w.stalls, 0)
	case timerwheel.StalledHandler: // of the other kinds the reference knows nothing
		w.stalls = append(w.stalls, slices.Index(w.timers, s.Timer))
	}
}

// calledBack returns how often each done was called, and the timers that OnPanic and OnStall
// were called for.
func (w *world) calledBack() (dones, panics, stalls []int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.dones), slices.Sorted(slices.Values(w.panics)), slices.Sorted(slices.Values(w.stalls))
}

// untilOwnInstant is about d: the time until an instant that no other event has.
func (w *world) untilOwnInstant(d time.Duration) time.Duration {
	w.mu.Lock()
	w.instants++
	own := w.instants
	w.mu.Unlock()
	now := time.Since(w.start)
	return (now + d).Truncate(grain) + own - now
}

// All durations of a program are multiples of grain. The nanoseconds above such a multiple make an
// instant a handler's own.
const grain = 10 * time.Microsecond

// stallAfter is no multiple of the grain, nor are a few of it: nothing else happens at such
// instants, nor where a call is made at one, and stalls in turn.
const stallAfter = 200*grain + grain/7

// A lock is a lock whose Lock waits durably, as a bubble needs it. It counts the goroutines
// that wait.
type lock struct {
	held    chan struct{}
	mu      sync.Mutex
	waiting int
}

func newLock() *lock { return &lock{held: make(chan struct{}, 1)} }

func (l *lock) Lock() {
	l.count(1)
	l.held <- struct{}{}
	l.count(-1)
}

func (l *lock) Unlock() { <-l.held }

func (l *lock) count(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting += n
}

func (l *lock) parked() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting
}

// parked returns how many workers wait for a lock.
func (w *world) parked() (n int) {
	for _, l := range w.locks {
		n += l.parked()
	}
	return n
}
