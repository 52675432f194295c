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

// collectUntil runs the garbage collector until ok returns true, and reports whether it did. That
// may take several collections: the first one finds what is unreachable, and the cleanups are
// called some time after it. collectUntil does not wait for time to pass, so a test in a bubble
// can use it.
func collectUntil(ok func() bool) bool {
	for range 1000 {
		if ok() {
			return true
		}
		runtime.GC()
	}
	return false
}

// A Timer or Ticker from which the program can no longer receive is collected, stopped or not,
// and its timer is deleted.
func TestUnreachableTimersAreCollected(t *testing.T) {
	for name, discard := range map[string]func(c stdtime.Clock){
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
				discard(c)
			}
			require.True(t, collectUntil(func() bool { return w.Stats().Live == 0 }), "%+v", w.Stats())
		})
	}
}

// A Timer or Ticker works as long as the program has a reference to it, or only to its channel.
// An AfterFunc works without any reference.
func TestReachableTimersAreNotCollected(t *testing.T) {
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
			sleepAndWait(d / 10)
		}
		sleepAndWait(d)
		for k := range n {
			requireValue(t, channels[2*k], "After")
			requireValue(t, channels[2*k+1], "NewTimer's channel")
			requireValue(t, ticks[2*k], "Tick")
			requireValue(t, ticks[2*k+1], "NewTicker's channel")
			requireValue(t, timers[k].C, "NewTimer")
			require.False(t, timers[k].Reset(d))
			requireValue(t, tickers[k].C, "NewTicker")
			requireValue(t, waiting, "a channel to which only its receiver has a reference")
		}
		require.EqualValues(t, n, called.Load())
		runtime.GC()
		sleepAndWait(2 * d)
		for k := range n {
			requireValue(t, ticks[2*k], "Tick, again")
			requireValue(t, ticks[2*k+1], "NewTicker's channel, again")
			requireValue(t, timers[k].C, "NewTimer, again")
			tickers[k].Stop()
		}
	})
}

// An assignment to the field C does not affect the Timer or Ticker: it continues to use its
// channel, to which the program may have kept a reference.
func TestAssigningCDoesNotReplaceTheChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := openClock(t, timerwheel.Options{})
		tm, tk := c.NewTimer(time.Hour), c.NewTicker(time.Hour)
		sent, ticks := tm.C, tk.C
		tm.C, tk.C = nil, nil
		sleepAndWait(time.Hour + time.Minute)
		require.True(t, tm.Stop())
		tk.Stop()
		requireNoValue(t, sent, "taken back")
		requireNoValue(t, ticks, "taken back")
		require.False(t, tm.Reset(time.Second))
		tk.Reset(time.Second)
		sleepAndWait(time.Minute)
		requireValue(t, sent, "armed again")
		requireValue(t, ticks, "armed again")
	})
}

// A Timer or Ticker that the program can reach is not garbage, even if the program has no
// reference to its channel.
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

// In a bubble, too, an unreachable Timer or Ticker is collected, at its deadline at the latest.
// The collector, which runs outside the bubble, does not break anything in it.
func TestCollectionInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, w := openClock(t, timerwheel.Options{})
		for range rounds(100) {
			c.NewTimer(time.Hour)
			c.NewTicker(time.Hour)
			for range 3 {
				runtime.GC()
			}
		}
		require.True(t, collectUntil(func() bool {
			sleepAndWait(time.Hour)
			return w.Stats().Live == 0
		}), "%+v", w.Stats())
	})
}

// Collection leaves a wheel idle: no goroutine, no wake-up, and no reference that keeps the
// wheel itself alive.
func TestAnUnreachableWheelIsCollected(t *testing.T) {
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
	require.True(t, collectUntil(func() bool {
		select {
		case <-gone:
			return true
		default:
			return false
		}
	}))
}
