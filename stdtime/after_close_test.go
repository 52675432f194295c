package stdtime_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/stdtime"
	"github.com/stretchr/testify/require"
)

// Promise 11.18: sends, ticks and the ends of Sleeps happen in time though MaxWorkers handlers wait
// for them.
func TestHandlersMayWaitForTheirOwnWheel(t *testing.T) {
	const d = 10 * time.Millisecond
	waits := map[string]func(c stdtime.Clock){
		"Sleep":    func(c stdtime.Clock) { c.Sleep(d) },
		"After":    func(c stdtime.Clock) { <-c.After(d) },
		"NewTimer": func(c stdtime.Clock) { tm := c.NewTimer(time.Hour); tm.Reset(d); <-tm.C },
		"Ticker":   func(c stdtime.Clock) { tk := c.NewTicker(d / 2); <-tk.C; <-tk.C; tk.Stop() },
	}
	for name, wait := range waits {
		for _, workers := range []int{1, 3, 256} {
			synctest.Test(t, func(t *testing.T) {
				c, _ := openClock(t, timerwheel.Options{MaxWorkers: workers})
				var all sync.WaitGroup
				var late atomic.Int64
				for range workers {
					all.Add(1)
					c.AfterFunc(time.Second, func() {
						defer all.Done()
						began := time.Now()
						wait(c)
						late.Store(max(late.Load(), int64(time.Since(began)-d)))
					})
				}
				all.Wait()
				require.LessOrEqual(t, time.Duration(late.Load()), 4*time.Millisecond, "%s with %d workers", name, workers)
			})
		}
	}
}

// Promises 9.16 and 11.18: a handler that waits for a timeout of its own wheel ends, and Close with
// it.
func TestCloseEndsThoughHandlersWaitForTheWheel(t *testing.T) {
	for name, wait := range map[string]func(c stdtime.Clock){
		"Sleep":  func(c stdtime.Clock) { c.Sleep(time.Minute) },
		"After":  func(c stdtime.Clock) { <-c.After(time.Minute) },
		"Ticker": func(c stdtime.Clock) { <-c.NewTicker(time.Minute).C },
		"AfterFunc": func(c stdtime.Clock) {
			done := make(chan struct{})
			c.AfterFunc(time.Minute, func() { close(done) })
			<-done
		},
		"later, by Sleep": func(c stdtime.Clock) { time.Sleep(time.Second); c.Sleep(time.Minute - time.Second) },
		"later, by After": func(c stdtime.Clock) { time.Sleep(time.Second); <-c.After(time.Minute - time.Second) },
	} {
		synctest.Test(t, func(t *testing.T) {
			c, w := openClock(t, timerwheel.Options{})
			ended := false
			w.AfterFunc(0, func() { wait(c); ended = true })
			synctest.Wait()
			began := time.Now()
			require.NoError(t, w.Close(), name)
			require.True(t, ended, name)
			require.InDelta(t, time.Minute, time.Since(began), float64(2*time.Millisecond), name)
		})
	}
}

// Promise 9.16: what timers, tickers and sleepers of the wheel had pending goes on with package
// time, at its time; and so does what is made of them on a closed wheel.
func TestWhatIsPendingAtCloseGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, w := openClock(t, timerwheel.Options{})
		var called atomic.Int32
		call := func() { called.Add(1) }
		sent, unsent, stopped := c.NewTimer(time.Second), c.NewTimer(time.Hour), c.NewTimer(time.Hour)
		fn, stoppedFn := c.AfterFunc(time.Hour, call), c.AfterFunc(time.Hour, call)
		ticker, stoppedTicker := c.NewTicker(time.Hour), c.NewTicker(time.Hour)
		slept := make(chan time.Duration, 1)
		start := time.Now()
		go func() { c.Sleep(time.Hour); slept <- time.Since(start) }()
		sleepAndWait(time.Minute)
		require.NoError(t, w.Close())
		s := w.Stats()
		require.Zero(t, s.Pending)
		require.Equal(t, s.Registered, s.Fired+s.Removed)

		requireValue(t, sent.C, "sent before")
		require.True(t, stopped.Stop(), "it goes on, and so it can be stopped")
		require.False(t, stopped.Stop())
		require.True(t, stoppedFn.Stop())
		stoppedTicker.Stop()

		sleepAndWait(time.Hour - time.Minute - 1)
		requireNoValue(t, unsent.C, "not early")
		require.Zero(t, called.Load())
		sleepAndWait(1 + 2*time.Millisecond)
		requireValue(t, unsent.C, "at its time")
		requireValue(t, ticker.C, "at its time")
		require.EqualValues(t, 1, called.Load())
		require.InDelta(t, time.Hour, <-slept, float64(2*time.Millisecond))
		sleepAndWait(time.Hour)
		requireValue(t, ticker.C, "and on")
		ticker.Stop()
		sleepAndWait(24 * time.Hour)
		for _, ch := range []<-chan time.Time{sent.C, unsent.C, stopped.C, ticker.C, stoppedTicker.C} {
			requireNoValue(t, ch, "stopped, or over")
		}
		require.EqualValues(t, 1, called.Load())
		require.False(t, fn.Stop(), "it was called")
	})
}

// The same: what is made on a closed wheel, or reset there.
func TestOnAClosedWheelPackageTimeKeepsTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, w := openClock(t, timerwheel.Options{})
		var called atomic.Int32
		call := func() { called.Add(1) }
		old, oldFn, oldTicker := c.NewTimer(time.Hour), c.AfterFunc(time.Hour, call), c.NewTicker(time.Hour)
		require.NoError(t, w.Close())
		made, madeFn, madeTicker := c.NewTimer(time.Second), c.AfterFunc(time.Second, call), c.NewTicker(time.Second)
		require.True(t, old.Reset(time.Second))
		require.True(t, oldFn.Reset(time.Second))
		oldTicker.Reset(time.Second)
		after := c.After(time.Second)
		sleepAndWait(time.Second)
		for _, ch := range []<-chan time.Time{old.C, oldTicker.C, made.C, madeTicker.C, after} {
			requireValue(t, ch, "after a second")
		}
		require.EqualValues(t, 2, called.Load())
		require.False(t, made.Reset(time.Minute))
		require.False(t, madeFn.Reset(time.Minute))
		require.True(t, made.Reset(time.Second))
		sleepAndWait(time.Second)
		requireValue(t, made.C, "again")
		requireValue(t, madeTicker.C, "again")
		madeTicker.Stop()
		oldTicker.Stop()
		require.True(t, madeFn.Stop())

		start := time.Now()
		c.Sleep(time.Hour)
		require.Equal(t, time.Hour, time.Since(start))
	})
}

// Promise 9.16: a closed Manual wheel has no time: a Sleep there returns at once, channels stay
// silent, and an AfterFunc is never called and its Stop is true.
func TestAClosedManualWheelHasNoTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, w := openClock(t, timerwheel.Options{Manual: true})
		var called atomic.Int32
		call := func() { called.Add(1) }
		tm, ticker, fn := c.NewTimer(time.Second), c.NewTicker(time.Second), c.AfterFunc(time.Second, call)
		slept := make(chan struct{})
		go func() { c.Sleep(time.Hour); close(slept) }()
		synctest.Wait()
		require.NoError(t, w.Close())
		<-slept
		start := time.Now()
		c.Sleep(time.Hour)
		require.Zero(t, time.Since(start))
		late, lateFn := c.After(time.Second), c.AfterFunc(time.Second, call)
		sleepAndWait(time.Hour)
		for _, ch := range []<-chan time.Time{tm.C, ticker.C, late} {
			requireNoValue(t, ch, "there is no time")
		}
		require.Zero(t, called.Load())
		require.True(t, fn.Stop())
		require.True(t, lateFn.Stop())
	})
}

// What is armed on a closed wheel does not ask the wheel what it is each time: that would take
// microseconds and several allocations.
func TestArmingOnAClosedWheelAsksItNothing(t *testing.T) {
	c, w := openClock(t, timerwheel.Options{Manual: true})
	tm, fn, tk := c.NewTimer(time.Hour), c.AfterFunc(time.Hour, func() {}), c.NewTicker(time.Hour)
	require.NoError(t, w.Close())
	require.LessOrEqual(t, testing.AllocsPerRun(10, func() {
		tm.Reset(time.Hour)
		fn.Reset(time.Hour)
		tk.Reset(time.Hour)
	}), 3.0, "one function for package time each")
}

// Each arming of a function ends in one call, or in a Stop or Reset that reports true, also
// when the wheel is closed in the midst of it.
func TestEachArmingEndsOnceThoughTheWheelIsClosed(t *testing.T) {
	for range rounds(200) {
		w, err := timerwheel.New(timerwheel.Options{})
		require.NoError(t, err)
		c := stdtime.On(w)
		var calls, armings, prevented atomic.Int64
		var users sync.WaitGroup
		for range 4 {
			users.Go(func() {
				for range 10 {
					armings.Add(1)
					tm := c.AfterFunc(time.Millisecond, func() { calls.Add(1) })
					for k := range 20 {
						if armings.Add(1); tm.Reset(time.Duration(k%3) * time.Millisecond) {
							prevented.Add(1)
						}
					}
					if tm.Stop() {
						prevented.Add(1)
					}
				}
			})
		}
		users.Go(func() { time.Sleep(time.Millisecond); _ = w.Close() })
		users.Wait()
		require.Eventually(t, func() bool { return calls.Load()+prevented.Load() == armings.Load() }, time.Minute, time.Millisecond)
	}
}

// The same with a channel: each arming ends in one receive, or in a Stop or Reset that reports
// true.
func TestEachArmingOfAChannelEndsOnceThoughTheWheelIsClosed(t *testing.T) {
	for range rounds(100) {
		w, err := timerwheel.New(timerwheel.Options{})
		require.NoError(t, err)
		c := stdtime.On(w)
		var users sync.WaitGroup
		for range 4 {
			users.Go(func() {
				tm := c.NewTimer(0)
				armings, ends := 1, 0
				for k := range 30 {
					if k%3 == 0 {
						select {
						case <-tm.C:
							ends++
						case <-time.After(time.Duration(k) * 50 * time.Microsecond):
						}
					}
					armings++
					if tm.Reset(time.Duration(k%3) * time.Millisecond / 2) {
						ends++
					}
				}
				<-tm.C // not lost
				ends++
				if tm.Stop() || armings != ends {
					t.Errorf("%d armings, %d ends", armings, ends)
				}
				select {
				case <-tm.C:
					t.Error("a value after Stop")
				case <-time.After(2 * time.Millisecond):
				}
			})
		}
		time.Sleep(rand.N(4 * time.Millisecond))
		_ = w.Close()
		users.Wait()
	}
}

// A Ticker whose wheel is closed at any moment between two ticks keeps its grid: no tick is lost,
// and none comes twice.
func TestTicksKeepTheirGridThoughTheWheelIsClosed(t *testing.T) {
	const period, ticks = 10 * time.Millisecond, 6
	synctest.Test(t, func(t *testing.T) {
		for at := range time.Duration(4 * period / time.Millisecond) {
			c, w := openClock(t, timerwheel.Options{})
			start := time.Now()
			ticker := c.NewTicker(period)
			time.AfterFunc(at*time.Millisecond, func() { _ = w.Close() })
			for n := range time.Duration(ticks) {
				<-ticker.C
				late := time.Since(start) - (n+1)*period
				require.GreaterOrEqual(t, late, time.Duration(0))
				require.LessOrEqual(t, late, 2*time.Millisecond)
			}
			ticker.Stop()
			sleepAndWait(3 * period)
			requireNoValue(t, ticker.C, "stopped")
		}
	})
}
