package stdtime

import (
	"time"

	"github.com/seed76848005/timerwheel"
)

// A Clock is package time's face of one wheel: its methods are that package's
// functions. It is a small comparable value, to be copied and used by any
// goroutine. Make one with [On]; the zero Clock is of no use.
type Clock struct {
	w       *timerwheel.Wheel
	bubbled bool // made in a bubble of testing/synctest
}

// On returns the Clock of a wheel. In a bubble of testing/synctest call it in
// the bubble, where the wheel was made, too. It panics if w is nil.
func On(w *timerwheel.Wheel) Clock {
	if w == nil {
		panic("stdtime: On with a nil wheel")
	}
	now := time.Now()
	return Clock{w: w, bubbled: now == now.Round(0)} // only a bubble's time has no monotonic reading
}

// AfterFunc calls f in a goroutine of the wheel when d has passed. The Timer that
// it returns can stop the call, and [Timer.Reset] can have f called again, also
// after it was. Its C is nil.
//
// What is registered and not stopped is called, also if nobody refers to the
// Timer any more. f may block; see the package's documentation for what the
// wheel does then. AfterFunc panics if f is nil.
func (c Clock) AfterFunc(d time.Duration, f func()) *Timer { return newCall(c.w, d, f) }

// NewTimer returns a Timer that sends the wheel's time on its channel when d has
// passed. It need not be stopped to be collected: it is gone when nobody refers
// to it or its channel any more.
func (c Clock) NewTimer(d time.Duration) *Timer { return newMessage(c, d) }

// After returns a channel on which the wheel's time is sent when d has passed.
// It is NewTimer(d).C.
func (c Clock) After(d time.Duration) <-chan time.Time { return c.NewTimer(d).C }

// NewTicker returns a Ticker that sends the wheel's time on its channel each
// time that d has passed. A tick that finds the last one not yet received is
// dropped. A d shorter than the wheel's tick is served once a tick. The Ticker
// need not be stopped to be collected.
//
// NewTicker panics if d is not positive.
func (c Clock) NewTicker(d time.Duration) *Ticker {
	if d <= 0 {
		panic("stdtime: non-positive interval for NewTicker")
	}
	return newTicker(c, d)
}

// Tick returns the channel of a new Ticker; nil, if d is not positive.
func (c Clock) Tick(d time.Duration) <-chan time.Time {
	if d <= 0 {
		return nil
	}
	return c.NewTicker(d).C
}

// Sleep waits until d has passed; if d is not positive, not at all.
//
// Where the wheel is closed already it is time.Sleep. A Sleep in progress when
// the wheel is closed does not return: nothing tells it. On a Manual wheel it
// waits for an Advance, which must be another goroutine's.
func (c Clock) Sleep(d time.Duration) {
	if d <= 0 {
		return
	}
	over := make(chan struct{})
	t := c.w.Alloc(func(timerwheel.Timer) { close(over) })
	err := t.Register(d)
	_ = t.Free() // it fires nevertheless
	if err != nil {
		time.Sleep(d)
		return
	}
	<-over
}

// Now returns the wheel's time, which is what the channels carry.
func (c Clock) Now() time.Time { return c.w.Now() }

// Since returns what has passed since t by the wheel's time.
func (c Clock) Since(t time.Time) time.Duration { return c.w.Now().Sub(t) }

// Until returns what has to pass until t by the wheel's time.
func (c Clock) Until(t time.Time) time.Duration { return t.Sub(c.w.Now()) }
