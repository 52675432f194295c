// Package clock implements the Clock of github.com/jonboulle/clockwork on a timing
// wheel, for programs that take such a Clock.
//
//	program := New(clock.On(w)) // where it was clockwork.NewRealClock()
//
// With a Manual wheel it is a fake clock: timers fire only in
// [timerwheel.Wheel.Advance].
//
// It is package stdtime in clockwork's shape. Timers and tickers behave as those of
// package time do since Go 1.23; stdtime documents the differences.
package clock

import (
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/stdtime"
)

// A Clock is a clockwork.Clock on a wheel. It is a small comparable value, which may
// be copied and used by any goroutine. Make one with [On].
//
// Its After, Sleep, Now, Since and Until are those of stdtime.Clock.
type Clock struct{ stdtime.Clock }

var _ clockwork.Clock = Clock{}

// On returns the Clock of a wheel. It panics if w is nil.
func On(w *timerwheel.Wheel) Clock { return Clock{stdtime.On(w)} }

// AfterFunc calls f in a goroutine of the wheel after d: see
// [stdtime.Clock.AfterFunc]. The Timer's Chan is nil.
func (c Clock) AfterFunc(d time.Duration, f func()) clockwork.Timer {
	return timer{c.Clock.AfterFunc(d, f)}
}

// NewTimer returns a Timer that sends the wheel's time on its Chan after d: see
// [stdtime.Clock.NewTimer].
func (c Clock) NewTimer(d time.Duration) clockwork.Timer { return timer{c.Clock.NewTimer(d)} }

// NewTicker returns a Ticker that sends the wheel's time on its Chan once every d: see
// [stdtime.Clock.NewTicker].
func (c Clock) NewTicker(d time.Duration) clockwork.Ticker { return ticker{c.Clock.NewTicker(d)} }

type timer struct{ *stdtime.Timer }

func (t timer) Chan() <-chan time.Time { return t.C }

type ticker struct{ *stdtime.Ticker }

func (t ticker) Chan() <-chan time.Time { return t.C }
