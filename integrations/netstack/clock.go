// Package netstack puts the clock and the timers of gVisor's network stack
// (gvisor.dev/gvisor/pkg/tcpip) on a wheel: retransmissions, keepalives, TIME_WAIT,
// neighbour discovery, reassembly, and all others.
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
// The function of a [tcpip.Timer] refers to its endpoint, and the endpoint to the timer.
// The stack drops such a ring without a call, and the garbage collector has to find it. A
// timer from [timerwheel.Wheel.Alloc] would prevent that: the wheel's storage keeps the
// function until the timer is freed, and a cleanup that waited for the ring to become
// garbage would wait for ever, because the function in the storage holds the ring.
//
// So the timers are those of package stdtime. An unarmed one has no storage in the wheel.
// It keeps its function itself, and each arming is a [timerwheel.Wheel.AfterFunc], which
// has no owner: the wheel recycles it, and drops the function, after it has fired or was
// stopped. The wheel keeps a timer alive only while it is pending or its function runs, just
// as the runtime keeps a pending time.AfterFunc. There is nothing to free, and no
// finalizer or cleanup that does so.
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

// A Clock is a [tcpip.Clock] on a wheel. Its methods, and those of its timers, are safe
// for use by several goroutines at once.
type Clock struct {
	timers stdtime.Clock
	start  time.Time // the wheel's Now at the monotonic reading 0
	now    func() time.Time
}

// NewClock returns a clock on w whose monotonic reading begins at 0. Any number of clocks
// and other users can share a wheel. Destroy the stacks that use the clock before you
// close the wheel: on a closed wheel nothing fires.
func NewClock(w *timerwheel.Wheel) *Clock {
	c := &Clock{timers: stdtime.On(w), start: w.Now(), now: time.Now}
	// The zero Time is in the past of every wheel, so this call advances none.
	if _, err := w.Advance(time.Time{}); !errors.Is(err, timerwheel.ErrNotManual) {
		c.now = w.Now
	}
	return c
}

// Now returns the time of day: that of the system, which may be set, or Now of a Manual
// wheel.
func (c *Clock) Now() time.Time { return c.now() }

// NowMonotonic returns the time since NewClock, by the clock that the timers use, so a
// timer's function never sees a reading before its deadline.
func (c *Clock) NowMonotonic() tcpip.MonotonicTime {
	return tcpip.MonotonicTime{}.Add(c.timers.Since(c.start))
}

// AfterFunc calls f after d, in a goroutine of the wheel or in Advance of a Manual wheel,
// never in the caller. d <= 0 means now. A d beyond the clock's range means never. It
// panics if f is nil.
//
// As with the standard clock, a Timer that is Reset while f runs, and expires before f
// returns, calls f a second time at once, beside the first call. In Advance that cannot
// happen.
func (c *Clock) AfterFunc(d time.Duration, f func()) tcpip.Timer {
	return timer{c.timers.AfterFunc(d, f)}
}

// A timer is a timer of package stdtime in netstack's shape.
type timer struct{ *stdtime.Timer }

// Reset implements [tcpip.Timer]. It also moves a pending timer.
func (t timer) Reset(d time.Duration) { t.Timer.Reset(d) }
