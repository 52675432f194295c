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
	C <-chan time.Time // on which the firing is sent; nil of a Timer from AfterFunc
	k kind
}

// A kind is what a Timer does: a *call or a *message, of which the Timer is a
// part, so that they are one allocation.
type kind interface {
	stop() bool
	reset(d time.Duration) bool
}

// Stop keeps the Timer from firing. It reports whether it did: false means that
// the Timer had fired or been stopped before.
//
// Of a Timer from NewTimer the firing is over when it has been received. So as
// long as nobody has, Stop of a Timer that was not stopped is true, and takes
// back what has been sent: a receive that begins after Stop has returned blocks.
//
// Of a Timer from AfterFunc the firing is over when f has begun. Stop does not
// wait for f.
//
// Stop panics if the Timer was not made by NewTimer or AfterFunc.
func (t *Timer) Stop() bool {
	if t.k == nil {
		panic("stdtime: Stop called on uninitialized Timer")
	}
	return t.k.stop()
}

// Reset makes the Timer fire when d has passed, and not when it would have. It
// reports whether that firing was still to come, as Stop does.
//
// Of a Timer from NewTimer, a receive that begins after Reset has returned gets
// nothing that was sent before.
//
// Of a Timer from AfterFunc, f is called again even if it has been called, or
// still runs: Reset does not wait for it, so two calls of f may overlap.
//
// Reset panics if the Timer was not made by NewTimer or AfterFunc.
func (t *Timer) Reset(d time.Duration) bool {
	if t.k == nil {
		panic("stdtime: Reset called on uninitialized Timer")
	}
	return t.k.reset(d)
}

// A call is a Timer from AfterFunc. Each firing is a timer of its own on the
// wheel, which nobody owns: it fires whether or not the call is still known to
// anybody, is gone after that, and does not wait for a call of f that still
// runs.
type call struct {
	Timer
	w *timerwheel.Wheel
	f func()

	mu   sync.Mutex
	next timerwheel.Timer // the firing to come, or the last one
}

func newCall(w *timerwheel.Wheel, d time.Duration, f func()) *Timer {
	if f == nil {
		panic("stdtime: AfterFunc with a nil function")
	}
	k := &call{w: w, f: f}
	k.k = k
	k.reset(d)
	return &k.Timer
}

func (k *call) stop() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.next.Stop()
}

// reset arms the new firing first, so that the wheel is not at rest in between,
// which would cost it two changes of its alarm. The instant of the reset is the
// deletion of the old one: if that comes too late, f is called for both.
func (k *call) reset(d time.Duration) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	last := k.next
	k.next = k.w.AfterFunc(d, k.f)
	return last.Stop()
}

// A message is a Timer from NewTimer: what its users hold.
type message struct {
	Timer
	c chan time.Time // keeps it alive whatever becomes of Timer.C
	s *sender
}

// A sender is the part of a message that the wheel holds. It knows the channel
// only weakly.
//
// Its timer is bound to its lock, which is all that the rules in this package's
// documentation take: to whoever holds mu the firing is to come, and a deletion
// or a Register disposes of it, or the value has been sent, and can be taken
// back.
type sender struct {
	mu sync.Mutex
	t  timerwheel.Timer
	w  *timerwheel.Wheel
	to weak.Pointer[channel]
}

func newMessage(clock Clock, d time.Duration) *Timer {
	c := make(chan time.Time, 1)
	s := &sender{w: clock.w, to: weakly(c)}
	s.t = clock.w.AllocLocked(&s.mu, s.send)
	clock.whenLost(c, s)
	_ = s.t.Register(d) // refused on a closed wheel: nothing fires there

	k := &message{c: c, s: s}
	k.C, k.k = c, k
	return &k.Timer
}

// send is the timer's handler; it holds mu.
func (s *sender) send(timerwheel.Timer) { offer(strongly(s.to), s.w.Now()) }

func (k *message) stop() bool {
	k.s.mu.Lock()
	defer k.s.mu.Unlock()
	unsent := k.s.t.Stop()
	return takeBack(k.c) || unsent
}

func (k *message) reset(d time.Duration) bool {
	k.s.mu.Lock()
	defer k.s.mu.Unlock()
	unsent := k.s.t.Reset(d)
	return takeBack(k.c) || unsent
}

func (s *sender) abandon() {
	s.t.Stop()
	s.release()
}

// release leaves the timer to the wheel, which recycles it when it has fired.
func (s *sender) release() { _ = s.t.Free() }
