package stdtime

import (
	"time"

	"github.com/seed76848005/timerwheel"
)

// A Clock has the functions of package time as methods, for one wheel. It is a
// small comparable value, which can be copied and used by any goroutine. Make one
// with [On]; the zero Clock is not usable.
type Clock struct {
	w       *timerwheel.Wheel
	bubbled bool // made in a bubble of testing/synctest
}

// On returns the Clock of the wheel w. In a bubble of testing/synctest, make both
// the wheel and its Clock in that bubble. On panics if w is nil.
func On(w *timerwheel.Wheel) Clock {
	if w == nil {
		panic("stdtime: On with a nil wheel")
	}
	now := time.Now()
	return Clock{w: w, bubbled: now == now.Round(0)} // in a bubble, and only there, Now has no monotonic reading
}

// AfterFunc calls f in a goroutine of the wheel when d has passed. With the Timer
// that it returns, [Timer.Stop] prevents the call, and [Timer.Reset] arranges
// another call, even if f has been called already. The Timer's C is nil.
//
// Unless it is stopped, f is called even if the program has no reference to the
// Timer any more. f may block; the package's documentation says what the wheel does
// then. AfterFunc panics if f is nil.
func (c Clock) AfterFunc(d time.Duration, f func()) *Timer { return newFuncTimer(c.w, d, f) }

// NewTimer returns a Timer that sends the wheel's time on its channel when d has
// passed. It need not be stopped to be garbage collected: it is collected when the
// program has no reference to it or to its channel any more.
func (c Clock) NewTimer(d time.Duration) *Timer { return newChanTimer(c, d) }

// After returns a channel on which the wheel's time is sent when d has passed.
// It is NewTimer(d).C.
func (c Clock) After(d time.Duration) <-chan time.Time { return c.NewTimer(d).C }

// NewTicker returns a Ticker that sends the wheel's time on its channel each time
// d has passed. A tick is dropped if an earlier one has not been received yet. A d
// shorter than the wheel's tick is served once a tick. The Ticker need not be
// stopped to be garbage collected.
//
// NewTicker panics if d is not positive.
func (c Clock) NewTicker(d time.Duration) *Ticker {
	if d <= 0 {
		panic("stdtime: non-positive interval for NewTicker")
	}
	return newTicker(c, d)
}

// Tick returns the channel of a new Ticker, or nil if d is not positive.
func (c Clock) Tick(d time.Duration) <-chan time.Time {
	if d <= 0 {
		return nil
	}
	return c.NewTicker(d).C
}

// Sleep waits until d has passed. If d is not positive it returns at once.
//
// On a wheel that is closed already, Sleep is time.Sleep. A Sleep in progress when
// the wheel is closed never returns: nothing wakes it. On a Manual wheel it waits
// for an Advance, which another goroutine must call.
func (c Clock) Sleep(d time.Duration) {
	if d <= 0 {
		return
	}
	done := make(chan struct{})
	t := c.w.Alloc(func(timerwheel.Timer) { close(done) })
	err := t.Register(d)
	_ = t.Free() // a pending timer fires all the same
	if err != nil {
		time.Sleep(d)
		return
	}
	<-done
}

// Now returns the wheel's time. It is what is sent on channels.
func (c Clock) Now() time.Time { return c.w.Now() }

// Since returns the time elapsed since t, by the wheel's time.
func (c Clock) Since(t time.Time) time.Duration { return c.w.Now().Sub(t) }

// Until returns the duration until t, by the wheel's time.
func (c Clock) Until(t time.Time) time.Duration { return t.Sub(c.w.Now()) }
