// Package netstack lets gVisor's network stack (gvisor.dev/gvisor/pkg/tcpip)
// take its time and its timers from a wheel: retransmissions, keepalives,
// TIME_WAIT, neighbour discovery, reassembly, and what else a stack times.
//
//	wheel, err := timerwheel.New(timerwheel.Options{})
//	s := stack.New(stack.Options{Clock: netstack.NewClock(wheel), ...})
//	...
//	s.Destroy()
//	wheel.Close()
//
// On a Manual wheel whole stacks run in simulated time.
//
// # What the wheel keeps alive
//
// The function of a [tcpip.Timer] knows its endpoint, and the endpoint knows the
// timer; the stack drops such a ring without a word, and the garbage collector
// has to find it. A timer from [timerwheel.Wheel.Alloc] would not let it: the
// wheel's storage keeps the function until the timer is freed, and a clean-up
// that waited for the ring to become garbage would wait for ever, because the
// function in the storage is what holds the ring.
//
// So the timers are package stdtime's: an unarmed one has no storage in the wheel
// at all. It keeps its function itself, and each arming is a
// [timerwheel.Wheel.AfterFunc], which nobody owns: it is recycled, and the
// function dropped, when it has fired or was stopped. Only a pending timer, or one
// whose function runs, is known to the wheel, and kept alive by it, just as the
// runtime keeps a pending time.AfterFunc. There is nothing to free, and no
// finalizer or clean-up that does so.
package netstack

import (
	"errors"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/stdtime"
	"gvisor.dev/gvisor/pkg/tcpip"
)

var (
	_ tcpip.Clock = (*Clock)(nil)
	_ tcpip.Timer = timer{}
)

// A Clock is a [tcpip.Clock] on a wheel. Its methods, and those of its timers,
// may be called by several goroutines at once.
type Clock struct {
	timers stdtime.Clock
	start  time.Time // the wheel's Now at the monotonic reading 0
	now    func() time.Time
}

// NewClock returns a clock on w; its monotonic reading begins at 0. Any number
// of clocks and other users can share a wheel. Destroy the stacks that use the
// clock before the wheel is closed: on a closed wheel nothing fires.
func NewClock(w *timerwheel.Wheel) *Clock {
	c := &Clock{timers: stdtime.On(w), start: w.Now(), now: time.Now}
	// The zero Time is in every wheel's past, so this advances nothing.
	if _, err := w.Advance(time.Time{}); !errors.Is(err, timerwheel.ErrNotManual) {
		c.now = w.Now
	}
	return c
}

// Now returns the time of day: the system's, which may be set, or a Manual
// wheel's Now.
func (c *Clock) Now() time.Time { return c.now() }

// NowMonotonic returns the time since NewClock, by the clock that the timers go
// by: a timer's function never sees a reading that is before its deadline.
func (c *Clock) NowMonotonic() tcpip.MonotonicTime {
	return tcpip.MonotonicTime{}.Add(c.timers.Since(c.start))
}

// AfterFunc calls f when d has passed, in a goroutine of the wheel, or in a
// Manual wheel's Advance; never in the caller. d <= 0 means now, too large a d
// never. It panics if f is nil.
//
// As with the standard clock, a Timer that is Reset while f runs, and expires
// meanwhile, calls f a second time before the first has returned; in Advance
// there is no meanwhile.
func (c *Clock) AfterFunc(d time.Duration, f func()) tcpip.Timer {
	return timer{c.timers.AfterFunc(d, f)}
}

// A timer is one of package stdtime's, in netstack's shape.
type timer struct{ *stdtime.Timer }

// Reset implements [tcpip.Timer]; a pending timer may be Reset, too.
func (t timer) Reset(d time.Duration) { t.Timer.Reset(d) }
