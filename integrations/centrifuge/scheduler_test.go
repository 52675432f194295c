package centrifugewheel_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/centrifugal/centrifuge"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed76848005/timerwheel"
	centrifugewheel "github.com/seed76848005/timerwheel/integrations/centrifuge"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newWheel(t testing.TB, o timerwheel.Options) *timerwheel.Wheel {
	w, err := timerwheel.New(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	return w
}

// A callback is called once, at its time and not before. The caller of ScheduleTimer never
// calls it, not even if it is due at once.
func TestCallback(t *testing.T) {
	for _, d := range []time.Duration{-time.Second, 0, time.Millisecond, time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			w := newWheel(t, timerwheel.Options{})
			var mu sync.Mutex // held as the client holds its lock; the callback wants it
			var calls []time.Duration

			mu.Lock()
			start := time.Now()
			centrifugewheel.On(w).ScheduleTimer(d, func() {
				mu.Lock()
				defer mu.Unlock()
				calls = append(calls, time.Since(start))
			})
			mu.Unlock()

			time.Sleep(2 * time.Hour)
			synctest.Wait()
			require.Len(t, calls, 1)
			require.GreaterOrEqual(t, calls[0], d)
			require.LessOrEqual(t, calls[0], max(d, 0)+2*time.Millisecond)
		})
	}
}

// A callback that is cancelled before its time is not called, not even if it is cancelled
// at the last moment.
func TestCancel(t *testing.T) {
	for _, after := range []time.Duration{0, time.Second - 1} {
		synctest.Test(t, func(t *testing.T) {
			w := newWheel(t, timerwheel.Options{})
			c := centrifugewheel.On(w).ScheduleTimer(time.Second, func() { t.Error("was called") })
			time.Sleep(after)
			c.Cancel()
			c.Cancel()
			time.Sleep(time.Hour)
			require.Equal(t, uint64(1), w.Stats().Removed)
		})
	}
}

// A callback that is due and waits for a worker can still be cancelled.
func TestCancelInLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWheel(t, timerwheel.Options{MaxWorkers: 1})
		s := centrifugewheel.On(w)
		release := make(chan struct{})
		s.ScheduleTimer(0, func() { <-release })
		time.Sleep(time.Second)
		c := s.ScheduleTimer(0, func() { t.Error("was called") })
		time.Sleep(time.Second)
		c.Cancel()
		close(release)
		time.Sleep(time.Second)
	})
}

// A client cancels under the lock that its callback wants: Cancel must not wait
// for the callback.
func TestCancelUnderTheCallbacksLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWheel(t, timerwheel.Options{})
		var mu sync.Mutex
		began, called := make(chan struct{}), false
		mu.Lock()
		c := centrifugewheel.On(w).ScheduleTimer(0, func() {
			close(began)
			mu.Lock()
			defer mu.Unlock()
			called = true
		})
		<-began
		c.Cancel()
		require.False(t, called)
		mu.Unlock()
		synctest.Wait()
		require.True(t, called, "the callback was in flight, so it ends")
	})
}

// A callback cancels its own call and schedules the next, and a client cancels calls that
// have ended. Neither may cancel a timer that reuses the record of another.
func TestCancelOfEndedCallHasNoEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWheel(t, timerwheel.Options{})
		s := centrifugewheel.On(w)
		const rounds = 1000
		var calls int
		var ended []centrifuge.TimerCanceler
		var current centrifuge.TimerCanceler
		var mu sync.Mutex
		var tick func()
		tick = func() {
			mu.Lock()
			defer mu.Unlock()
			calls++
			ended = append(ended, current)
			if calls == rounds {
				return
			}
			current = s.ScheduleTimer(time.Second, tick)
			for _, c := range ended[max(0, len(ended)-10):] {
				c.Cancel()
			}
		}
		mu.Lock()
		current = s.ScheduleTimer(time.Second, tick)
		mu.Unlock()
		time.Sleep(2 * rounds * time.Second)
		mu.Lock()
		defer mu.Unlock()
		require.Equal(t, rounds, calls)
		require.Zero(t, w.Stats().Removed)
		require.Zero(t, w.Stats().Live, "timers of a scheduler have no owner")
	})
}

// Cancels race firings on real goroutines. Each call is either made or cancelled, never
// both and never neither, and Stats agrees.
func TestCancelRacesFiring(t *testing.T) {
	w := newWheel(t, timerwheel.Options{Tick: 10 * time.Microsecond})
	s := centrifugewheel.On(w)
	const goroutines, each = 8, 2000
	var called atomic.Uint64
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for k := range each {
				c := s.ScheduleTimer(time.Duration(k%40)*time.Microsecond, func() { called.Add(1) })
				for range k % 7 {
					runtime.Gosched()
				}
				c.Cancel()
			}
		})
	}
	all.Wait()
	require.NoError(t, w.Close())
	stats := w.Stats()
	require.Equal(t, uint64(goroutines*each), stats.Registered)
	require.Equal(t, stats.Fired, called.Load())
	require.Equal(t, stats.Registered, stats.Fired+stats.Removed)
	require.Zero(t, stats.Live)
	require.NotZero(t, stats.Removed)
}

// A closed wheel calls no callback, and cancels have no effect.
func TestClosedWheel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWheel(t, timerwheel.Options{})
		s := centrifugewheel.On(w)
		before := s.ScheduleTimer(time.Second, func() { t.Error("was called") })
		require.NoError(t, w.Close())
		after := s.ScheduleTimer(0, func() { t.Error("was called") })
		before.Cancel()
		after.Cancel()
		time.Sleep(time.Hour)
	})
}
