package stdtime_test

import (
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/stdtime"
	"github.com/stretchr/testify/require"
)

// collected runs the collector until ok holds, which may take a few rounds: first what is
// unreachable, then its cleanups, which are called some time later. It waits for no time to
// pass, so it can be used in a bubble.
func collected(ok func() bool) bool {
	for range 1000 {
		if ok() {
			return true
		}
		runtime.GC()
	}
	return false
}

// What nobody can receive from any more is collected, stopped or not, and its timer deleted.
func TestWhatNobodyKnowsIsCollected(t *testing.T) {
	for name, forget := range map[string]func(c stdtime.Clock){
		"After":                         func(c stdtime.Clock) { c.After(time.Hour) },
		"Tick":                          func(c stdtime.Clock) { c.Tick(time.Hour) },
		"NewTimer":                      func(c stdtime.Clock) { c.NewTimer(time.Hour) },
		"NewTicker":                     func(c stdtime.Clock) { c.NewTicker(time.Hour) },
		"NewTimer, stopped":             func(c stdtime.Clock) { c.NewTimer(time.Hour).Stop() },
		"NewTimer, stopped and reset":   func(c stdtime.Clock) { tm := c.NewTimer(time.Hour); tm.Stop(); tm.Reset(time.Hour) },
		"NewTicker, stopped":            func(c stdtime.Clock) { c.NewTicker(time.Hour).Stop() },
		"NewTicker, reset":              func(c stdtime.Clock) { c.NewTicker(time.Hour).Reset(2 * time.Hour) },
		"NewTimer, fired":               func(c stdtime.Clock) { c.NewTimer(0) },
		"NewTicker that ticks":          func(c stdtime.Clock) { c.NewTicker(time.Microsecond) },
		"AfterFunc, stopped":            func(c stdtime.Clock) { c.AfterFunc(time.Hour, func() {}).Stop() },
		"AfterFunc, called":             func(c stdtime.Clock) { c.AfterFunc(0, func() {}) },
		"AfterFunc, stopped and called": func(c stdtime.Clock) { tm := c.AfterFunc(time.Hour, func() {}); tm.Stop(); tm.Reset(0) },
	} {
		t.Run(name, func(t *testing.T) {
			c, w := openClock(t, timerwheel.Options{})
			const n = 1000
			for range n {
				forget(c)
			}
			require.True(t, collected(func() bool { return w.Stats().Live == 0 }), "%+v", w.Stats())
		})
	}
}

// What a program still knows works, whatever part of it it knows: the Timer, or only the
// channel, or, of an AfterFunc, nothing.
func TestWhatSomebodyKnowsIsNotCollected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := openClock(t, timerwheel.Options{})
		const n, d = 100, time.Hour
		var channels, ticks []<-chan time.Time
		var timers []*stdtime.Timer
		var tickers []*stdtime.Ticker
		var called atomic.Int32
		for range n {
			channels = append(channels, c.After(d), c.NewTimer(d).C)
			ticks = append(ticks, c.Tick(d), c.NewTicker(d).C)
			timers = append(timers, c.NewTimer(d))
			tickers = append(tickers, c.NewTicker(d))
			c.AfterFunc(d, func() { called.Add(1) })
		}
		waiting := make(chan time.Time, n)
		for range n {
			go func() { waiting <- <-c.After(d) }()
		}
		synctest.Wait()
		for range 5 {
			runtime.GC()
			rest(d / 10)
		}
		rest(d)
		for k := range n {
			requireValue(t, channels[2*k], "After")
			requireValue(t, channels[2*k+1], "NewTimer's channel")
			requireValue(t, ticks[2*k], "Tick")
			requireValue(t, ticks[2*k+1], "NewTicker's channel")
			requireValue(t, timers[k].C, "NewTimer")
			require.False(t, timers[k].Reset(d))
			requireValue(t, tickers[k].C, "NewTicker")
			requireValue(t, waiting, "a channel that only its receiver knows")
		}
		require.EqualValues(t, n, called.Load())
		runtime.GC()
		rest(2 * d)
		for k := range n {
			requireValue(t, ticks[2*k], "Tick, again")
			requireValue(t, ticks[2*k+1], "NewTicker's channel, again")
			requireValue(t, timers[k].C, "NewTimer, again")
			tickers[k].Stop()
		}
	})
}

// What a program does to the field C is its own affair: the Timer or Ticker goes on with
// its channel, which the program may have kept.
func TestTheFieldIsNotTheChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := openClock(t, timerwheel.Options{})
		tm, tk := c.NewTimer(time.Hour), c.NewTicker(time.Hour)
		sent, ticks := tm.C, tk.C
		tm.C, tk.C = nil, nil
		rest(time.Hour + time.Minute)
		require.True(t, tm.Stop())
		tk.Stop()
		requireSilent(t, sent, "taken back")
		requireSilent(t, ticks, "taken back")
		require.False(t, tm.Reset(time.Second))
		tk.Reset(time.Second)
		rest(time.Minute)
		requireValue(t, sent, "armed again")
		requireValue(t, ticks, "armed again")
	})
}

// A Timer or Ticker that is known is not garbage, even if the program has lost the channel.
func TestATimerKeepsItsChannel(t *testing.T) {
	c, w := openClock(t, timerwheel.Options{})
	tm, tk := c.NewTimer(time.Hour), c.NewTicker(time.Hour)
	tm.C, tk.C = nil, nil
	for range 100 {
		runtime.GC()
	}
	require.Equal(t, 2, w.Stats().Pending)
	require.True(t, tm.Reset(0))
	require.Eventually(t, func() bool { return w.Stats().Pending == 1 }, time.Minute, time.Millisecond)
	require.True(t, tm.Stop(), "sent, and not received")
	tk.Stop()
	require.Zero(t, w.Stats().Pending)
}

// In a bubble, too, what nobody knows is collected, at its deadline at the latest; and the
// collector, which runs outside of it, does no harm there.
func TestCollectionInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, w := openClock(t, timerwheel.Options{})
		for range 100 {
			c.NewTimer(time.Hour)
			c.NewTicker(time.Hour)
			for range 3 {
				runtime.GC()
			}
		}
		require.True(t, collected(func() bool {
			rest(time.Hour)
			return w.Stats().Live == 0
		}), "%+v", w.Stats())
	})
}

// Collecting leaves a wheel at rest: no goroutine, no wake-up, and nothing that keeps the
// wheel itself.
func TestAForgottenClockIsCollected(t *testing.T) {
	gone := make(chan struct{})
	func() {
		w, err := timerwheel.New(timerwheel.Options{})
		require.NoError(t, err)
		c := stdtime.On(w)
		for range 10 {
			c.NewTimer(time.Hour)
			c.NewTicker(time.Hour)
			c.AfterFunc(time.Hour, func() {}).Stop()
		}
		runtime.AddCleanup(w, func(c chan struct{}) { close(c) }, gone)
	}()
	require.True(t, collected(func() bool {
		select {
		case <-gone:
			return true
		default:
			return false
		}
	}))
}
