package stdtime

import (
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/internal/own"
	"github.com/stretchr/testify/require"
)

// The wheel may have taken a firing, to fire it or to hand it over, and calls its owner only
// after a Reset, when the timer of the new arming is not pending any more either: Close has taken
// it, and has not handed it over yet. Then the call is early, and must not fire; and package
// time gets the new time, not what was left of the old one.
func TestACallForAnEarlierArmingIsNotEarly(t *testing.T) {
	for name, arm := range map[string]func(c Clock, fire func()) (o own.Owner, onWheel timerwheel.Timer, reset func(time.Duration)){
		"NewTimer": func(c Clock, fire func()) (own.Owner, timerwheel.Timer, func(time.Duration)) {
			tm := c.NewTimer(time.Second)
			go func() { <-tm.C; fire() }()
			s := tm.impl.(*chanTimer).sender
			return s, s.t, func(d time.Duration) { tm.Reset(d) }
		},
		"AfterFunc": func(c Clock, fire func()) (own.Owner, timerwheel.Timer, func(time.Duration)) {
			tm := c.AfterFunc(time.Second, fire)
			f := tm.impl.(*funcTimer)
			return f, f.next, func(d time.Duration) { tm.Reset(d) }
		},
		"NewTicker": func(c Clock, fire func()) (own.Owner, timerwheel.Timer, func(time.Duration)) {
			tk := c.NewTicker(time.Second)
			go func() { <-tk.C; fire(); tk.Stop() }()
			return tk.sender, tk.sender.t, tk.Reset
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			w, err := timerwheel.New(timerwheel.Options{})
			require.NoError(t, err)
			defer w.Close()
			var fired atomic.Int64
			start := time.Now()
			owner, onWheel, reset := arm(On(w), func() { fired.Store(int64(time.Since(start))) })
			time.Sleep(time.Second / 2)
			reset(time.Hour)
			if f, ok := owner.(*funcTimer); ok {
				onWheel = f.next // each arming is a timer of its own
			}
			require.True(t, onWheel.Stop(), name)
			owner.Fire()
			synctest.Wait()
			require.Zero(t, fired.Load(), "%s: the firing of the first arming", name)
			owner.HandOver(0, true)
			time.Sleep(time.Hour - 1)
			synctest.Wait()
			require.Zero(t, fired.Load(), "%s: the hand-over of the first arming", name)
			time.Sleep(time.Minute)
			require.Equal(t, time.Second/2+time.Hour, time.Duration(fired.Load()), name)
		})
	}
}

// The wheel may have taken the firing when Stop is called: Stop reports that it prevented the
// firing, and so the call that comes after that must do nothing, whether the wheel fires or hands
// over.
func TestACallForAnArmingThatWasStoppedDoesNothing(t *testing.T) {
	for name, arm := range map[string]func(c Clock, f func()) (o own.Owner, stop func() bool, got <-chan time.Time){
		"NewTimer": func(c Clock, _ func()) (own.Owner, func() bool, <-chan time.Time) {
			tm := c.NewTimer(time.Second)
			return tm.impl.(*chanTimer).sender, tm.Stop, tm.C
		},
		"AfterFunc": func(c Clock, f func()) (own.Owner, func() bool, <-chan time.Time) {
			tm := c.AfterFunc(time.Second, f)
			return tm.impl.(*funcTimer), tm.Stop, nil
		},
		"NewTicker": func(c Clock, _ func()) (own.Owner, func() bool, <-chan time.Time) {
			tk := c.NewTicker(time.Second)
			return tk.sender, func() bool { tk.Stop(); return true }, tk.C
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			w, err := timerwheel.New(timerwheel.Options{})
			require.NoError(t, err)
			defer w.Close()
			var called atomic.Bool
			owner, stop, got := arm(On(w), func() { called.Store(true) })
			require.True(t, stop(), name)
			time.Sleep(time.Minute) // what was stopped would be due
			for _, late := range []func(){owner.Fire, func() { owner.HandOver(0, true) }} {
				late()
				time.Sleep(time.Minute)
				synctest.Wait()
				require.False(t, called.Load(), name)
				require.Empty(t, got, name)
			}
		})
	}
}

// A time that would overflow is the latest of all, and one in the past is now: the difference of
// two times does not overflow either.
func TestLater(t *testing.T) {
	for _, d := range []time.Duration{math.MinInt64, -1, 0} {
		require.Equal(t, time.Hour, later(time.Hour, d))
	}
	require.Equal(t, time.Hour+1, later(time.Hour, 1))
	require.Equal(t, time.Duration(math.MaxInt64), later(time.Hour, math.MaxInt64))
	require.Equal(t, time.Duration(math.MaxInt64), later(math.MaxInt64, 1))
}
