package stdtime_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/stdtime"
	"github.com/stretchr/testify/require"
)

// Ticks come at start + k*d, for any k. After a Reset, start is the time of the Reset.
func TestTicksKeepTheirGrid(t *testing.T) {
	onBothInBubbles(t, func(t *testing.T, c timeAPI) {
		const d = 100*time.Millisecond + 1
		start := time.Now()
		tk, ch := c.NewTicker(d)
		for k := range 1000 {
			at := <-ch
			c.requireAt(t, start.Add(time.Duration(k+1)*d), at)
			c.requireAt(t, start.Add(time.Duration(k+1)*d), time.Now())
		}
		time.Sleep(d / 3)
		start = time.Now()
		tk.Reset(3 * d)
		for k := range 10 {
			c.requireAt(t, start.Add(time.Duration(k+1)*3*d), <-ch)
		}
		start = time.Now()
		tk.Reset(d / 2)
		for k := range 10 {
			c.requireAt(t, start.Add(time.Duration(k+1)*(d/2)), <-ch)
		}
		tk.Stop()
		sleepAndWait(time.Hour)
		requireNoValue(t, ch, "stopped")
	})
}

// A slow receiver gets the first of the ticks that it missed, with the time of that tick, not
// the last. Then it gets the next tick on the grid.
func TestASlowReceiverDropsTicks(t *testing.T) {
	onBothInBubbles(t, func(t *testing.T, c timeAPI) {
		for _, ticks := range []func(time.Duration) <-chan time.Time{
			func(d time.Duration) <-chan time.Time { _, ch := c.NewTicker(d); return ch },
			c.Tick,
		} {
			start := time.Now()
			ch := ticks(time.Second)
			sleepAndWait(10*time.Second + time.Second/2)
			c.requireAt(t, start.Add(time.Second), requireValue(t, ch, "ten ticks"))
			requireNoValue(t, ch, "the others are dropped")
			c.requireAt(t, start.Add(11*time.Second), <-ch)
		}
	})
}

// Stop and Reset work in each state of a ticker: nothing stale is ever received.
func TestTickerStopAndReset(t *testing.T) {
	const d = time.Second
	for name, reach := range map[string]func(tk ticker, ch <-chan time.Time){
		"new":                 func(ticker, <-chan time.Time) {},
		"ticked":              func(ticker, <-chan time.Time) { sleepAndWait(d + d/2) },
		"ticked and received": func(_ ticker, ch <-chan time.Time) { <-ch },
		"many ticks":          func(ticker, <-chan time.Time) { sleepAndWait(10*d + d/2) },
		"stopped":             func(tk ticker, _ <-chan time.Time) { tk.Stop() },
		"stopped twice":       func(tk ticker, _ <-chan time.Time) { tk.Stop(); tk.Stop() },
		"ticked and stopped":  func(tk ticker, _ <-chan time.Time) { sleepAndWait(d + d/2); tk.Stop() },
		"reset":               func(tk ticker, _ <-chan time.Time) { tk.Reset(2 * d) },
	} {
		t.Run(name, func(t *testing.T) {
			onBothInBubbles(t, func(t *testing.T, c timeAPI) {
				tk, ch := c.NewTicker(d)
				reach(tk, ch)
				tk.Stop()
				requireNoValue(t, ch, "stopped")
				sleepAndWait(time.Hour)
				requireNoValue(t, ch, "stopped long ago")

				tk, ch = c.NewTicker(d)
				reach(tk, ch)
				start := time.Now()
				tk.Reset(3 * d)
				requireNoValue(t, ch, "armed anew: nothing stale")
				sleepAndWait(3*d - tick)
				requireNoValue(t, ch, "early")
				for k := range 3 {
					c.requireAt(t, start.Add(time.Duration(k+1)*3*d), <-ch)
				}
				tk.Stop()
			})
		})
	}
}

// The channel stays open: a goroutine that waits on it continues to wait.
func TestStopDoesNotCloseTheChannel(t *testing.T) {
	onBothInBubbles(t, func(t *testing.T, c timeAPI) {
		tk, ch := c.NewTicker(time.Second)
		got := make(chan bool, 1)
		go func() { _, ok := <-ch; got <- ok }()
		synctest.Wait()
		tk.Stop()
		sleepAndWait(time.Minute)
		require.Empty(t, got)
		tk.Reset(time.Second)
		require.True(t, <-got, "a tick, after all")
		tk.Stop()
	})
}

// Misuse panics, or does not, as with package time.
func TestMisuseOfATicker(t *testing.T) {
	c, _ := openClock(t, timerwheel.Options{})
	for _, d := range []time.Duration{0, -1, math.MinInt64} {
		require.PanicsWithValue(t, "non-positive interval for NewTicker", func() { time.NewTicker(d) })
		require.PanicsWithValue(t, "stdtime: non-positive interval for NewTicker", func() { c.NewTicker(d) })
		require.PanicsWithValue(t, "non-positive interval for Ticker.Reset", func() { time.NewTicker(1).Reset(d) })
		require.PanicsWithValue(t, "stdtime: non-positive interval for Ticker.Reset", func() { c.NewTicker(1).Reset(d) })
		require.Nil(t, time.Tick(d))
		require.Nil(t, c.Tick(d))
	}
	require.PanicsWithValue(t, "time: Reset called on uninitialized Ticker", func() { new(time.Ticker).Reset(1) })
	require.PanicsWithValue(t, "stdtime: Reset called on uninitialized Ticker", func() { new(stdtime.Ticker).Reset(1) })

	ch := make(chan time.Time)
	require.NotPanics(t, (&time.Ticker{C: ch}).Stop)
	require.NotPanics(t, (&stdtime.Ticker{C: ch}).Stop)
}

// A period of one tick is served at each tick, though each firing comes a moment after the tick has
// ended: an instant is not missed before that.
func TestAPeriodOfOneTickIsServedAtEachTick(t *testing.T) {
	for _, phase := range []time.Duration{0, 1, tick / 2, tick - 1} {
		c, w := openClock(t, timerwheel.Options{Manual: true, Start: midnight, Tick: tick})
		advance := func(elapsed time.Duration) {
			_, err := w.Advance(midnight.Add(elapsed))
			require.NoError(t, err)
		}
		advance(phase)
		tk := c.NewTicker(tick)
		first := phase + tick
		for k := range 100 {
			at := (first + tick - 1).Truncate(tick) + time.Duration(k)*tick + tick/3
			advance(at)
			require.Equal(t, midnight.Add(at), requireValue(t, tk.C, "each tick"))
		}
		advance(first + 1000*tick)
		requireValue(t, tk.C, "one for all that were missed")
		advance(first + 1000*tick)
		requireNoValue(t, tk.C, "two in one tick")
	}
}

// However short the period is, a ticker fires at most once a tick, in real time, too, in which
// the next instant has passed before the timer is armed for it. So it does when the wheel is
// closed.
func TestAShortPeriodDoesNotSpin(t *testing.T) {
	c, w := openClock(t, timerwheel.Options{Tick: tick})
	start, tk := time.Now(), c.NewTicker(1)
	for range 20 {
		await(t, tk.C, "a tick")
	}
	fired, ticks := w.Stats().Fired, time.Since(start)/tick
	require.LessOrEqual(t, fired, uint64(ticks)+2)
	require.NoError(t, w.Close())
	start = time.Now()
	for range 20 {
		await(t, tk.C, "a tick of package time")
	}
	require.GreaterOrEqual(t, time.Since(start), 17*tick, "one may have been sent before, and one was due")
	tk.Stop()
}

// A period shorter than the tick is served once a tick, and a period beyond the clock's range
// never. Neither disturbs other timers.
func TestExtremePeriods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, w := openClock(t, timerwheel.Options{Tick: tick})
		never, fast := c.NewTicker(math.MaxInt64), c.NewTicker(1)
		start := time.Now()
		for range 100 {
			<-fast.C
		}
		took := time.Since(start)
		require.GreaterOrEqual(t, took, 99*tick)
		require.LessOrEqual(t, took, 101*tick)
		fast.Stop()
		sleepAndWait(1000 * time.Hour)
		requireNoValue(t, never.C, "never")
		never.Stop()
		require.Zero(t, w.Stats().Pending)
	})
}
