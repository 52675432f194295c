// Package reference is a wheel as docs/promises.md describes it: obviously right, and slow. It is
// test support. FuzzAPI of the root package and verify/machine make a real wheel and a reference
// do the same, and compare them.
//
//	reference.go  the wheel, its timers and groups: registering, references, questions
//	deletions.go  deletions, and which deletion waits for which handler
//	runs.go       handlers that begin and end, time, Advance, Close
//	idle.go       idle timeouts
//	order.go      the order of the timers of a tick
//
// A reference has no lock, no goroutine and no clock. Its user calls a verb for each call of the
// API, and an event (Begin, End, Pass, Rest) for each thing that the real wheel does by itself. The
// reference says what a call returns, and whether an event is allowed. All times are durations
// since the wheel was made.
package reference

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/seed76848005/timerwheel"
)

// Never is the deadline of a timer that is beyond the clock's range, and the limit of a wait
// without a context.
const Never = time.Duration(math.MaxInt64)

// NoLock is the lock of a timer that is not lock-bound.
const NoLock = -1

// A Wheel is the reference of one wheel. The fields are there to be read, except for Held and
// Recycled.
type Wheel struct {
	Manual  bool
	Now     time.Duration
	Closed  bool
	Timers  []*Timer // all that were ever made, by their ID; the first is the zero Timer's
	Groups  []*Group
	Dones   []int // how often the done of each DelAsync has been called
	Panics  []int // the timers for which OnPanic was called
	Stalls  []int // the timers for which OnStall was called; 0 for a deletion
	Counted timerwheel.Stats

	Held     map[int]bool // locks that are held, but not by a handler
	Recycled func(*Timer) // called for each timer that is recycled, in their order; may be nil

	tick       time.Duration
	maxWorkers int
	onPanic    bool
	stallAfter time.Duration // Never without OnStall
	debug      bool
	living     []*Timer // in the order of their creation
	waits      []*wait
	joins      []*wait // Close and CloseContext, which wait for all workers
	parked     int     // workers that wait for a lock
	ended      bool    // a Close or CloseContext has returned nil
	advance    *advance
	order      order

	lateInDoubt bool // a handler has begun whose deadline was in doubt
}

// A Timer lives until no owner, no firing (pending) and no handler in flight (Run) holds it.
type Timer struct {
	ID      int
	Owners  int
	Pending bool
	Run     *Run
	Gone    bool // recycled
	Group   *Group
	Lock    int
	Period  time.Duration

	Deadline time.Duration
	Due      time.Duration // when it may begin: at the end of the tick of its deadline
	Idle     bool          // pending as an idle timeout
	Unseen   bool          // it was touched, and its deadline has not been asked for since: idle.go

	none     bool          // never made: its handle is the zero Timer
	shutdown bool          // refuses every Register
	dueBy    time.Duration // when it must begin, if nothing prevents it
	onGrid   bool          // its deadline is an instant of its period
	deferred bool          // registered during an Advance: left to the next
	ready    time.Duration // since when nothing has prevented it from beginning; Never: something does
	place    int           // among all registrations
	idleFor  time.Duration // of an idle timeout: how long it must not be touched
	mayBeDue bool          // of an idle timeout that was touched: the wheel may still count it as due
}

// A Group is a group of timers.
type Group struct {
	deleting int
	down     bool
}

// A Run is a handler in flight.
type Run struct {
	Timer *Timer
	Since time.Duration

	stalled  bool  // OnStall has been called for it
	refuses  bool  // a deletion has marked it: no Register until it ends
	released bool  // the handler has released the lock of its timer
	waits    *wait // the deletion in which the handler itself waits
}

// An Answer is what a call returns. Until it is ready, the call must not return.
type Answer struct {
	Ready   bool
	Outcome Outcome
}

// Returns is the answer of a call that returns at once.
func Returns(o Outcome) *Answer { return &Answer{true, o} }

// An Outcome is everything that a call can return.
type Outcome struct {
	Found timerwheel.Found
	Was   bool // Stop, Reset
	Fired int  // Advance
	Err   error
}

// Is reports whether a call has returned what it must.
func (o Outcome) Is(want Outcome) bool {
	return o.Found == want.Found && o.Was == want.Was && o.Fired == want.Fired &&
		errors.Is(o.Err, want.Err) && (want.Err != nil || o.Err == nil)
}

func (o Outcome) String() string {
	return fmt.Sprintf("{pending %t, running %t, was %t, fired %d, %v}", o.Found.Pending, o.Found.Running, o.Was, o.Fired, o.Err)
}

// New makes the reference of a wheel with these options. Of OnPanic and OnStall it matters only
// whether they are set.
func New(o timerwheel.Options) *Wheel {
	w := &Wheel{
		Manual: o.Manual, Held: map[int]bool{},
		tick: o.Tick, maxWorkers: o.MaxWorkers, onPanic: o.OnPanic != nil, stallAfter: Never, debug: o.Debug,
	}
	if o.OnStall != nil {
		w.stallAfter = o.StallAfter
	}
	if w.Manual {
		w.maxWorkers = 1 // the caller of Advance
	}
	w.Counted.MaxWorkers = cmp.Or(o.MaxWorkers, 256)
	w.Timers = []*Timer{{Gone: true, none: true, Lock: NoLock}}
	return w
}

// ---- Making timers ----

// NewGroup makes a group.
func (w *Wheel) NewGroup() *Group {
	g := new(Group)
	w.Groups = append(w.Groups, g)
	return g
}

// Alloc is Alloc and, with a lock, AllocLocked. A group of nil is the wheel.
func (w *Wheel) Alloc(g *Group, lock int) *Timer {
	t := w.newTimer(g, lock, 0)
	t.Owners = 1
	w.living = append(w.living, t)
	return t
}

// Start is AfterFunc and, with a period, Every. If the wheel or the group refuses, the timer
// is not made, and its handle is the zero Timer.
func (w *Wheel) Start(g *Group, d, period time.Duration) *Timer {
	t := w.newTimer(g, NoLock, period)
	if w.refusal(t) != nil {
		w.Counted.Refused++
		t.none = true
		w.recycle(t)
		return t
	}
	w.living = append(w.living, t)
	w.arm(t, w.after(d))
	return t
}

func (w *Wheel) newTimer(g *Group, lock int, period time.Duration) *Timer {
	t := &Timer{ID: len(w.Timers), Group: g, Lock: lock, Period: period, ready: Never}
	w.Timers = append(w.Timers, t)
	return t
}

// ---- Registering ----

func (w *Wheel) refusal(t *Timer) error {
	switch {
	case t.Gone:
		return timerwheel.ErrStale
	case t.shutdown || t.Group != nil && t.Group.down:
		return timerwheel.ErrShutdown
	case t.Run != nil && t.Run.refuses || t.Group != nil && t.Group.deleting > 0:
		return timerwheel.ErrDeleting
	case w.Closed:
		return timerwheel.ErrClosed
	}
	return nil
}

// Register is Register and Reset. It also returns whether the timer was pending.
func (w *Wheel) Register(t *Timer, d time.Duration) (was bool, err error) {
	return w.register(t, w.after(d), false)
}

// Reduce is Reduce.
func (w *Wheel) Reduce(t *Timer, d time.Duration) error {
	_, err := w.register(t, w.after(d), true)
	return err
}

// Move is Move.
func (w *Wheel) Move(t *Timer, d time.Duration) bool {
	if !t.Pending || w.refusal(t) != nil {
		return false
	}
	w.arm(t, w.after(d))
	return true
}

// RegisterAt is RegisterAt, for an instant since the wheel was made. A wheel that is not Manual
// does not read the clock if it is to wake up at this moment, or is late. It may then take an
// instant that is now for one to come: the timer is due at the end of its tick.
func (w *Wheel) RegisterAt(t *Timer, at time.Duration) error {
	waking := !w.Manual && (w.stallAfter != Never || // it may be to look for stalls at this moment
		slices.ContainsFunc(w.living, func(other *Timer) bool { return other.Pending && (other.Due <= w.Now || other.Idle) }))
	stays := t.Pending && t.Deadline <= w.Now // in its bucket, an idle timeout too
	_, err := w.register(t, max(at, w.Now), false)
	if err == nil && at == w.Now && waking && stays {
		t.dueBy = w.endOfTick(w.Now)
	}
	return err
}

func (w *Wheel) register(t *Timer, when time.Duration, reduce bool) (was bool, err error) {
	if err := w.refusal(t); err != nil {
		if !t.none { // the zero Timer has no wheel that could count
			w.Counted.Refused++
		}
		if err == timerwheel.ErrStale {
			w.misused(t)
		}
		return false, err
	}
	was = t.Pending
	if !reduce || !was || when < t.Deadline {
		w.arm(t, when)
	}
	return was, nil
}

// after is the deadline d from now.
func (w *Wheel) after(d time.Duration) time.Duration {
	if d > Never-w.Now {
		return Never
	}
	return w.Now + max(d, 0)
}

func (w *Wheel) arm(t *Timer, when time.Duration) {
	w.takePlace(t)
	if !t.Pending {
		t.Pending = true
		w.Counted.Registered++
	}
	t.endIdle()
	t.Deadline, t.Due, t.onGrid, t.ready = when, w.endOfTick(when), false, Never
	if when <= w.Now {
		t.Due = when // at once: it does not wait for a tick to end
	}
	t.dueBy = t.Due
	t.deferred = w.advance != nil && when <= w.Now
}

// endOfTick is the first end of a tick that is not before when; Never if the clock does not
// reach it.
func (w *Wheel) endOfTick(when time.Duration) time.Duration {
	ticks := when / w.tick
	if when%w.tick != 0 {
		ticks++
	}
	if ticks > Never/w.tick {
		return Never
	}
	return ticks * w.tick
}

// disarm removes a firing, and reports whether there was one.
func (w *Wheel) disarm(t *Timer) bool {
	if !t.Pending {
		return false
	}
	t.Pending = false
	t.endIdle()
	w.order.removed++
	w.Counted.Removed++
	return true
}

// release recycles a timer that nothing holds.
func (w *Wheel) release(t *Timer) {
	if t.Owners == 0 && !t.Pending && t.Run == nil && !t.Gone {
		w.living = slices.DeleteFunc(w.living, func(other *Timer) bool { return other == t })
		w.recycle(t)
	}
}

func (w *Wheel) recycle(t *Timer) {
	t.Gone = true
	if w.Recycled != nil {
		w.Recycled(t)
	}
}

// ---- References ----

// misused counts a misuse, except for one of the zero Timer, which has no wheel.
func (w *Wheel) misused(t *Timer) {
	if !t.none {
		w.Counted.Misuses++
	}
}

// Retain is Retain.
func (w *Wheel) Retain(t *Timer) error {
	if t.Gone {
		w.misused(t)
		return timerwheel.ErrStale
	}
	t.Owners++
	return nil
}

// Free is Free.
func (w *Wheel) Free(t *Timer) error {
	switch {
	case t.Gone:
		w.misused(t)
		return timerwheel.ErrStale
	case t.Owners == 0:
		w.misused(t)
		return timerwheel.ErrFreed
	}
	t.Owners--
	w.release(t)
	return nil
}

// ---- Questions ----

// Living returns the timers that have not been recycled, in the order of their creation. The
// slice is valid until the next call.
func (w *Wheel) Living() []*Timer { return w.living }

// Members returns the timers of a group that have not been recycled.
func (w *Wheel) Members(g *Group) (members []*Timer) {
	for _, t := range w.living {
		if t.Group == g {
			members = append(members, t)
		}
	}
	return members
}

// Stats returns what Stats must say, except for Bytes.
func (w *Wheel) Stats() timerwheel.Stats {
	s := w.Counted
	s.Live = len(w.living)
	for _, t := range w.living {
		if t.Pending {
			s.Pending++
		}
		if t.Pending && t.Due <= w.Now {
			s.Due++
		}
		if t.Run != nil {
			s.Running++
		}
	}
	if !w.Manual {
		s.Workers = w.Busy()
	}
	return s
}

// Soonest returns the time that Next must not exceed; ok is false when nothing is pending.
func (w *Wheel) Soonest() (at time.Duration, ok bool) {
	at = Never
	for _, t := range w.living {
		if t.Pending {
			at, ok = min(at, max(t.dueBy, w.Now)), true
		}
	}
	return at, ok
}

// NextEvent returns when the reference expects something to happen, never before now. It does
// not know what handlers do by themselves.
func (w *Wheel) NextEvent() time.Duration {
	next := Never
	for _, t := range w.living {
		switch {
		case !t.Pending:
		case t.dueBy > w.Now:
			next = min(next, t.dueBy)
		case t.ready != Never:
			next = min(next, t.ready+w.tick)
		}
	}
	for _, x := range slices.Concat(w.waits, w.joins) {
		next = min(next, x.until)
	}
	return min(next, w.nextStall())
}
