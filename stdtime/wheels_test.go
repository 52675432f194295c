package stdtime_test

import (
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
)

// These tests depend on the kind and state of the wheel. They have no counterpart with package
// time.

var midnight = time.Date(2000, 5, 21, 0, 0, 0, 0, time.UTC)

// On a Manual wheel everything happens in Advance, and every time is the wheel's.
func TestOnAManualWheel(t *testing.T) {
	c, w := openClock(t, timerwheel.Options{Manual: true, Start: midnight, Tick: tick})
	advance := func(to time.Duration) {
		t.Helper()
		_, err := w.Advance(midnight.Add(to))
		require.NoError(t, err)
	}
	require.Equal(t, midnight, c.Now())
	tm, tk, calls := c.NewTimer(time.Hour), c.NewTicker(time.Hour), 0
	fn := c.AfterFunc(time.Hour, func() { calls++ })

	advance(time.Hour - tick)
	requireNoValue(t, tm.C, "early")
	requireNoValue(t, tk.C, "early")
	require.Zero(t, calls)
	require.Equal(t, time.Hour-tick, c.Since(midnight))
	require.Equal(t, tick, c.Until(midnight.Add(time.Hour)))

	advance(time.Hour + tick)
	require.Equal(t, midnight.Add(time.Hour+tick), requireValue(t, tm.C, "the time that it was advanced to"))
	require.Equal(t, midnight.Add(time.Hour+tick), requireValue(t, tk.C, "the time that it was advanced to"))
	require.Equal(t, 1, calls)

	advance(10*time.Hour + tick)
	require.Equal(t, midnight.Add(10*time.Hour+tick), requireValue(t, tk.C, "one tick for all that were skipped"))
	requireNoValue(t, tk.C, "one tick for all that were skipped")
	require.False(t, tm.Reset(time.Hour))
	require.False(t, fn.Reset(time.Hour))
	advance(12 * time.Hour)
	require.True(t, tm.Stop(), "sent, and taken back")
	tk.Stop()
	requireNoValue(t, tm.C, "stopped")
	requireNoValue(t, tk.C, "stopped")
	require.Equal(t, 2, calls)
	advance(1000 * time.Hour)
	requireNoValue(t, tk.C, "stopped")
}

// A Sleep on a Manual wheel ends with an Advance, unless there is nothing to wait for.
func TestSleepOnAManualWheel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, w := openClock(t, timerwheel.Options{Manual: true, Start: midnight})
		c.Sleep(0)
		c.Sleep(-1)
		awake := make(chan time.Time, 1)
		go func() {
			c.Sleep(time.Hour)
			awake <- c.Now()
		}()
		sleepAndWait(24 * time.Hour)
		require.Empty(t, awake)
		_, err := w.Advance(midnight.Add(time.Hour - time.Second))
		require.NoError(t, err)
		synctest.Wait()
		require.Empty(t, awake)
		_, err = w.Advance(midnight.Add(2 * time.Hour))
		require.NoError(t, err)
		require.Equal(t, midnight.Add(2*time.Hour), <-awake)
	})
}

// The time of a wheel that is not Manual is that of time.Now.
func TestNowSinceAndUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := openClock(t, timerwheel.Options{})
		start := c.Now()
		require.Equal(t, time.Now(), start)
		sleepAndWait(time.Hour)
		require.Equal(t, time.Hour, c.Since(start))
		require.Equal(t, time.Minute, c.Until(start.Add(time.Hour+time.Minute)))
	})
}

// A function runs on a worker of the wheel: Close waits for it, OnPanic gets its panic, and
// MaxWorkers bounds how many run.
func TestAFunctionRunsOnAWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		panics := make(chan any, 1)
		c, w := openClock(t, timerwheel.Options{MaxWorkers: 2, OnPanic: func(p timerwheel.HandlerPanic) { panics <- p.Value }})
		c.AfterFunc(0, func() { panic("in a function") })
		require.Equal(t, "in a function", <-panics)
		c.AfterFunc(0, runtime.Goexit)

		var running, ended atomic.Int32
		for range 3 {
			c.AfterFunc(time.Second, func() {
				running.Add(1)
				time.Sleep(time.Hour)
				ended.Add(1)
			})
		}
		sleepAndWait(time.Minute)
		require.EqualValues(t, 2, running.Load())
		require.NoError(t, w.Close())
		require.EqualValues(t, 2, ended.Load())
		sleepAndWait(2 * time.Hour)
		require.EqualValues(t, 3, ended.Load(), "the third had not begun: it goes on with package time")
	})
}
