package stdtime

import (
	"sync"
	"time"
	"weak"

	"github.com/seed76848005/timerwheel"
)

// A Timer is a time.Timer on a wheel. Make one with [Clock.NewTimer] or
// [Clock.AfterFunc]. Its methods may be called by several goroutines at once.
type Timer struct {
	C    <-chan time.Time // on which the time is sent; nil in a Timer from AfterFunc
	impl timerImpl
}

// A timerImpl implements a Timer: it is a *funcTimer or a *chanTimer. The Timer is a
// part of it, so that both are one allocation.
type timerImpl interface {
	stop() bool
	reset(d time.Duration) bool
}

// Stop prevents the Timer from firing. It reports whether it did: false means that
// the Timer had fired or been stopped before.
//
// A Timer from NewTimer has fired when its value has been received. Until then Stop
// returns true, unless the Timer was stopped before, and takes back a value that
// was sent: a receive that begins after Stop has returned blocks.
//
// A Timer from AfterFunc has fired when f has begun. Stop does not wait for f.
//
// Stop panics if the Timer was not made by NewTimer or AfterFunc.
func (t *Timer) Stop() bool {
	if t.impl == nil {
		panic("stdtime: Stop called on uninitialized Timer")
	}
	return t.impl.stop()
}

// Reset makes the Timer fire when d has passed, instead of when it would have fired
// before. It reports whether that earlier firing was still to come, as Stop does.
//
// With a Timer from NewTimer, a receive that begins after Reset has returned gets
// no value that was sent before.
//
// With a Timer from AfterFunc, f is called again even if it has been called before
// or still runs. Reset does not wait for f, so two calls of f may overlap.
//
// Reset panics if the Timer was not made by NewTimer or AfterFunc.
func (t *Timer) Reset(d time.Duration) bool {
	if t.impl == nil {
		panic("stdtime: Reset called on uninitialized Timer")
	}
	return t.impl.reset(d)
}

// A funcTimer is a Timer from AfterFunc. Each arming is a timer of its own on the
// wheel, without an owner: it fires whether or not the program still has a reference
// to the funcTimer, is recycled after that, and does not wait for a call of f that
// still runs.
type funcTimer struct {
	Timer
	w *timerwheel.Wheel
	f func()

	mu   sync.Mutex
	next timerwheel.Timer // the firing to come, or the last one
}

func newFuncTimer(w *timerwheel.Wheel, d time.Duration, f func()) *Timer {
	if f == nil {
		panic("stdtime: AfterFunc with a nil function")
	}
	t := &funcTimer{w: w, f: f}
	t.impl = t
	t.reset(d)
	return &t.Timer
}

func (t *funcTimer) stop() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.next.Stop()
}

// reset arms the new firing before it deletes the old one, so that the wheel is not idle
// in between: that would cost two changes of its alarm. The reset takes effect when the
// old firing is deleted: if that is too late, f is called for both firings.
func (t *funcTimer) reset(d time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.next
	t.next = t.w.AfterFunc(d, t.f)
	return old.Stop()
}

// A chanTimer is a Timer from NewTimer. It is the part that the program holds.
type chanTimer struct {
	Timer
	c      chan time.Time // keeps the channel alive, whatever the program does to Timer.C
	sender *sender
}

// A sender is the part of a chanTimer that the wheel holds. It has only a weak reference
// to the channel.
//
// Its timer is bound to its lock. The rules in this package's documentation need nothing
// else: for a goroutine that holds mu, either the firing is still to come, and a deletion
// deletes it or a Register moves it, or the value has been sent, and can be taken back.
type sender struct {
	mu sync.Mutex
	t  timerwheel.Timer
	w  *timerwheel.Wheel
	to weak.Pointer[channel]
}

func newChanTimer(clock Clock, d time.Duration) *Timer {
	c := make(chan time.Time, 1)
	s := &sender{w: clock.w, to: weakRef(c)}
	s.t = clock.w.AllocLocked(&s.mu, s.send)
	clock.onUnreachable(c, s)
	_ = s.t.Register(d) // refused on a closed wheel: nothing fires there

	t := &chanTimer{c: c, sender: s}
	t.C, t.impl = c, t
	return &t.Timer
}

// send is the timer's handler. It runs with mu locked.
func (s *sender) send(timerwheel.Timer) { trySend(strongRef(s.to), s.w.Now()) }

func (t *chanTimer) stop() bool {
	t.sender.mu.Lock()
	defer t.sender.mu.Unlock()
	unsent := t.sender.t.Stop()
	return takeBack(t.c) || unsent
}

func (t *chanTimer) reset(d time.Duration) bool {
	t.sender.mu.Lock()
	defer t.sender.mu.Unlock()
	unsent := t.sender.t.Reset(d)
	return takeBack(t.c) || unsent
}

func (s *sender) deleteTimer() {
	s.t.Stop()
	s.releaseTimer()
}

// releaseTimer leaves the timer to the wheel, which recycles it when it has fired.
func (s *sender) releaseTimer() { _ = s.t.Free() }
