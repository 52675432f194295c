package timerwheel

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func newTestWheel(t *testing.T, o Options) *Wheel {
	w, err := New(o)
	require.NoError(t, err)
	return w
}

// alarmIsOff reports whether no wake-up is set.
func (w *Wheel) alarmIsOff() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.alarm.at.Load() == never && w.alarm.rings == 0 && w.alarm.target.Load() == nil
}

// A Register that is overtaken by the deletion of its firing leaves no wake-up
// behind: it sets the alarm before it lets go of the shard.
func TestNoWakeUpIsLeftByARegisterThatWasOvertaken(t *testing.T) {
	w := newTestWheel(t, Options{})
	defer w.Close()
	tm := w.Alloc(func(Timer) {})
	for end := time.Now().Add(500 * time.Millisecond); time.Now().Before(end); {
		var deleter sync.WaitGroup
		deleter.Go(func() {
			for !tm.Stop() {
			}
		})
		require.NoError(t, tm.Register(time.Hour))
		deleter.Wait()
		require.True(t, w.alarmIsOff(), "nothing pends, and the alarm is set")
	}
}

// Nor does a deletion that waits, and is overtaken by the end of the run and by
// Close.
func TestNoWakeUpIsLeftByAWaitThatWasOvertaken(t *testing.T) {
	for end := time.Now().Add(500 * time.Millisecond); time.Now().Before(end); {
		w := newTestWheel(t, Options{OnStall: func(Stall) {}, StallAfter: time.Hour})
		var release atomic.Bool
		started := make(chan struct{})
		tm := w.AfterFunc(0, func() {
			close(started)
			for !release.Load() {
				runtime.Gosched()
			}
		})
		<-started
		var deleter sync.WaitGroup
		deleter.Go(func() { _, _ = tm.DelSync() })
		for w.Running()[0].Waiters == 0 {
			runtime.Gosched()
		}
		release.Store(true)
		require.NoError(t, w.Close())
		deleter.Wait()
		require.True(t, w.alarmIsOff(), "the wheel is closed, and the alarm is set")
	}
}

// Two timers of one shard that are due again and again, on two processors, do
// not keep a timer of another shard from running: workers leave a shard after a
// while.
func TestABusyShardStarvesNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
		w := newTestWheel(t, Options{MaxWorkers: 2})
		defer w.Close()
		var stop atomic.Bool
		defer stop.Store(true)
		busy := &Group{sh: w.shards[0]}
		for range 3 {
			_ = busy.Alloc(func(tm Timer) {
				time.Sleep(time.Microsecond)
				if !stop.Load() {
					_ = tm.Register(0)
				}
			}).Register(0)
		}
		time.Sleep(20 * time.Millisecond)
		start := time.Now()
		fired := make(chan time.Duration, 1)
		(&Group{sh: w.shards[1]}).AfterFunc(5*time.Millisecond, func() { fired <- time.Since(start) })
		require.LessOrEqual(t, <-fired, 7*time.Millisecond)
	})
}

// A StallAfter that means never is not mistaken for long ago.
func TestStallAfterNever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWheel(t, Options{OnStall: func(Stall) { t.Error("stalled") }, StallAfter: math.MaxInt64})
		stop := make(chan struct{})
		w.AfterFunc(time.Millisecond, func() { <-stop })
		time.Sleep(10 * time.Millisecond)
		fired := make(chan struct{})
		w.AfterFunc(time.Millisecond, func() { close(fired) })
		<-fired // or the bubble is deadlocked
		close(stop)
		require.NoError(t, w.Close())
	})
}

// A handler that begins shortly before another has stalled does not put off the
// report of that.
func TestAStallIsReportedInTimeWhateverElseBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reports := make(chan Stall, 2)
		w := newTestWheel(t, Options{OnStall: func(s Stall) { reports <- s }, StallAfter: time.Hour})
		stop := make(chan struct{})
		w.AfterFunc(0, func() { <-stop })
		w.AfterFunc(59*time.Minute, func() { <-stop })
		require.Equal(t, time.Hour, (<-reports).For)
		require.Equal(t, time.Hour, (<-reports).For)
		close(stop)
		require.NoError(t, w.Close())
	})
}

// No deadline is before the wheel was made, though RegisterAt may have had no
// reason to read the clock: how late the timer is, and the next instants of a
// series, are what a clock can say.
func TestNoDeadlineIsBeforeTheWheel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWheel(t, Options{})
		time.Sleep(time.Hour)
		runs := 0
		series := w.Every(20*time.Minute, func(Timer) { runs++ })
		w.alarm.at.Store(math.MinInt64) // as if the wheel were late for an earlier wake-up
		require.NoError(t, series.RegisterAt(time.Time{}))
		w.alarm.at.Store(never)
		w.AfterFunc(0, func() {})
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, 1, runs)
		when, ok := series.When()
		require.True(t, ok)
		require.Equal(t, w.base.Add(80*time.Minute), when, "the first instant after now of those from its beginning")
		s := w.Stats()
		require.Equal(t, time.Hour, s.MaxLate)
		require.Equal(t, time.Hour, s.SumLate)
		require.NoError(t, w.Close())
	})
}

// The lateness of several shards saturates as that of one does.
func TestSumLateOfAllShardsSaturates(t *testing.T) {
	w := twoShards(t)
	for _, sh := range w.shards {
		sh.lock()
		sh.counters.sumLate = never - 1
		sh.unlock()
	}
	require.EqualValues(t, int64(never), w.Stats().SumLate)
}
