package stdtime

import (
	"math"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/internal/own"
)

// A Clock has the functions of package time as methods, for one wheel. It is a
// small comparable value, which can be copied and used by any goroutine. Make one
// with [On]; the zero Clock is not usable.
type Clock struct {
	w       *timerwheel.Wheel
	start   time.Time     // the wheel's; inside this package a time is a duration since then
	tick    time.Duration // the wheel's
	manual  bool          // the wheel is Manual: when it is closed, its time stands still
	bubbled bool          // made in a bubble of testing/synctest
}

// On returns the Clock of the wheel w. It asks the wheel for its options
// ([timerwheel.Wheel.Inspect]), so make one Clock, not one for each timer. In a bubble of
// testing/synctest, make both the wheel and its Clock in that bubble. On panics if w is nil.
func On(w *timerwheel.Wheel) Clock {
	if w == nil {
		panic("stdtime: On with a nil wheel")
	}
	now, in := time.Now(), w.Inspect()
	return Clock{
		w:       w,
		start:   own.Base(w),
		tick:    in.Options.Tick,
		manual:  in.Options.Manual,
		bubbled: now == now.Round(0), // in a bubble, and only there, Now has no monotonic reading
	}
}

// elapsed returns the wheel's time, by the wheel's own arithmetic: the wheel fires nothing
// before the elapsed time at which it is due.
func (c *Clock) elapsed() time.Duration { return c.Since(c.start) }

// when returns the time at which that much has elapsed.
func (c *Clock) when(elapsed time.Duration) time.Time { return c.start.Add(elapsed) }

// later returns the time that lies d after t: t, if d is negative, and the latest time of all,
// if it is before that.
func later(t, d time.Duration) time.Duration {
	if d > math.MaxInt64-t {
		return math.MaxInt64
	}
	return t + max(d, 0)
}

// AfterFunc calls f in a goroutine of the wheel when d has passed. With the Timer
// that it returns, [Timer.Stop] prevents the call, and [Timer.Reset] arranges
// another call, even if f has been called already. The Timer's C is nil.
//
// Unless it is stopped, f is called even if the program has no reference to the
// Timer any more. f may block; the package's documentation says what the wheel does
// then. AfterFunc panics if f is nil.
func (c Clock) AfterFunc(d time.Duration, f func()) *Timer { return newFuncTimer(c, d, f) }

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
// It needs none of the wheel's workers, so a handler may Sleep. When the wheel is closed, a
// Sleep in progress goes on with package time, and a later one is time.Sleep. On a Manual
// wheel it waits for an Advance, which another goroutine must call; the time of a closed
// Manual wheel stands still, and there Sleep returns at once.
func (c Clock) Sleep(d time.Duration) {
	if d <= 0 {
		return
	}
	s := &sleeper{done: make(chan struct{})}
	s.Owner = s
	if c.w.AfterFuncArg(d, own.Fire, &s.Firing) == (timerwheel.Timer{}) {
		s.HandOver(d, !c.manual)
	}
	s.Armed(c.w)
	<-s.done
}

// A sleeper is a Sleep in progress.
type sleeper struct {
	own.Firing
	done chan struct{}
}

// Fire ends the Sleep.
func (s *sleeper) Fire() { close(s.done) }

// HandOver makes package time end the Sleep.
func (s *sleeper) HandOver(left time.Duration, hasTime bool) {
	if !hasTime {
		left = 0
	}
	time.AfterFunc(left, s.Fire)
}

// Now returns the wheel's time ([timerwheel.Wheel.Now]). It is what is sent on channels.
func (c Clock) Now() time.Time { return c.w.Now() }

// Since returns the time elapsed since t, by the wheel's time.
func (c Clock) Since(t time.Time) time.Duration { return c.w.Now().Sub(t) }

// Until returns the duration until t, by the wheel's time.
func (c Clock) Until(t time.Time) time.Duration { return t.Sub(c.w.Now()) }
