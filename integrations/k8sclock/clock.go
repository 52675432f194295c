// Package k8sclock implements the clocks of k8s.io/utils/clock on a timing wheel, for
// programs that take such a clock, as client-go's workqueue does.
//
//	workqueue.TypedQueueConfig[string]{Clock: k8sclock.New(w)} // the default is clock.RealClock{}
//
// With a Manual wheel it is a fake clock: timers fire only in
// [timerwheel.Wheel.Advance].
//
// It is package stdtime in the shape of k8s.io/utils/clock. Timers and tickers behave as
// those of package time do since Go 1.23; stdtime documents the differences.
package k8sclock

import (
	"time"

	"k8s.io/utils/clock"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/stdtime"
)

// A Clock implements all interfaces of k8s.io/utils/clock on a wheel. It is a small
// comparable value, which may be copied and used by any goroutine. Make one with [New].
//
// Its Now, Since, After, Sleep and Tick are those of stdtime.Clock.
type Clock struct{ stdtime.Clock }

var (
	_ clock.PassiveClock                  = Clock{}
	_ clock.Clock                         = Clock{}
	_ clock.WithTicker                    = Clock{}
	_ clock.WithDelayedExecution          = Clock{}
	_ clock.WithTickerAndDelayedExecution = Clock{}
	_ clock.Timer                         = timer{}
	_ clock.Ticker                        = ticker{}
)

// New returns the Clock of a wheel. It panics if w is nil.
func New(w *timerwheel.Wheel) Clock { return Clock{stdtime.On(w)} }

// AfterFunc calls f in a goroutine of the wheel after d: see
// [stdtime.Clock.AfterFunc]. The Timer's C returns nil, as with clock.RealClock.
func (c Clock) AfterFunc(d time.Duration, f func()) clock.Timer {
	return timer{c.Clock.AfterFunc(d, f)}
}

// NewTimer returns a Timer that sends the wheel's time on its channel after d: see
// [stdtime.Clock.NewTimer].
func (c Clock) NewTimer(d time.Duration) clock.Timer { return timer{c.Clock.NewTimer(d)} }

// NewTicker returns a Ticker that sends the wheel's time on its channel once every d: see
// [stdtime.Clock.NewTicker].
func (c Clock) NewTicker(d time.Duration) clock.Ticker { return ticker{c.Clock.NewTicker(d)} }

type timer struct{ *stdtime.Timer }

func (t timer) C() <-chan time.Time { return t.Timer.C }

type ticker struct{ *stdtime.Ticker }

func (t ticker) C() <-chan time.Time { return t.Ticker.C }
