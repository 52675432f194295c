package timerwheel_test

import (
	"context"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/stdtime"
	"github.com/stretchr/testify/require"
)

// contextFor makes a context that ends after d.
func contextFor(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}

// saturate has as many puppets run as the wheel has workers.
func saturate(t *testing.T, w *timerwheel.Wheel) (p *puppet) {
	p = newPuppet(t)
	for range w.Stats().MaxWorkers {
		startRun(t, w.Alloc(p.handle))
	}
	return p
}

// Promises 2.64 and 11.21: one report for all that wait, which says since when the first waits, and how
// many do.
func TestOnStallReportsASaturatedWheelOnce(t *testing.T) {
	for name, workers := range map[string]int{"1": 1, "3": 3, "the default": 0} {
		var log stallLog
		bubble(t, name, timerwheel.Options{MaxWorkers: workers, OnStall: log.onStall, Debug: true}, func(t *testing.T, w *timerwheel.Wheel) {
			p := saturate(t, w)
			elapse(10 * time.Second)
			log.requires(t, w.Stats().MaxWorkers, 0) // no timer is in line
			elapse(500 * time.Microsecond)           // in the midst of a tick
			const n = 5000
			since := time.Now().Add(3 * time.Millisecond)
			first := armed(w.Alloc(namedHandler), 3*time.Millisecond)
			for k := range n - 1 {
				armed(w.Alloc(delIgnore), time.Duration(4+k%5000)*time.Millisecond/10+4*time.Millisecond)
			}
			armed(w.Alloc(delIgnore), 10*time.Second) // not due by then
			stdtime.On(w).AfterFunc(time.Hour, func() {})
			elapse(time.Second + 2*time.Millisecond)
			log.requires(t, 0, 0)
			elapse(2 * time.Millisecond) // to the tick
			s := log.takes(t, timerwheel.Saturated, 1)[0]
			require.Equal(t, first, s.Timer)
			require.True(t, s.Since.Equal(since), "its deadline")
			require.GreaterOrEqual(t, s.For, time.Second)
			require.LessOrEqual(t, s.For, time.Second+time.Millisecond)
			require.Equal(t, n, s.Due)
			require.Contains(t, s.Handler, "timerwheel_test.namedHandler")
			require.Contains(t, s.AllocatedAt, "saturated_test.go:")
			require.Empty(t, s.HandlerStack)
			require.Equal(t, n, w.Stats().Due)
			elapse(time.Hour)
			log.requires(t, 0, 0) // once until it is over
			p.let()
			elapse(time.Hour)
			log.takes(t, timerwheel.Saturated, 0)
			require.Zero(t, w.Stats().Due)
		})
	}
}

// Promise 11.21: it is over when no due timer waits for a worker, however that comes, and then there
// may be another. It is not over while one of several waits.
func TestSaturatedIsOverWhenNoTimerIsInLine(t *testing.T) {
	for name, ends := range map[string]func(*testing.T, *puppet, timerwheel.Timer){
		"deleted": func(t *testing.T, _ *puppet, tm timerwheel.Timer) { require.True(t, tm.Stop()) },
		"moved":   func(t *testing.T, _ *puppet, tm timerwheel.Timer) { require.NoError(t, tm.Register(24*time.Hour)) },
		"begun":   func(t *testing.T, p *puppet, _ timerwheel.Timer) { p.end() },
	} {
		var log stallLog
		bubble(t, name, timerwheel.Options{MaxWorkers: 1, OnStall: log.onStall}, func(t *testing.T, w *timerwheel.Wheel) {
			p := saturate(t, w)
			var inLine []timerwheel.Timer
			for range 200 {
				inLine = append(inLine, armed(w.Alloc(p.handle), 0))
			}
			elapse(10 * time.Second)
			log.takes(t, timerwheel.Saturated, 1)
			for k, tm := range inLine {
				elapse(2 * time.Second)
				require.Empty(t, log.takes(t, timerwheel.Saturated, 0), "%d are in line", len(inLine)-k)
				ends(t, p, tm)
			}
			armed(w.Alloc(p.handle), time.Millisecond)
			elapse(10 * time.Second)
			log.takes(t, timerwheel.Saturated, 1)
			elapse(time.Hour)
			log.takes(t, timerwheel.Saturated, 0)
		})
	}
}

// Promise 11.21: a timer that a worker has taken, and that waits for its lock, is in line no more.
func TestSaturatedIsOverWhenTheLastInLineWaitsForItsLock(t *testing.T) {
	var log stallLog
	bubble(t, "", timerwheel.Options{MaxWorkers: 1, OnStall: log.onStall}, func(t *testing.T, w *timerwheel.Wheel) {
		p := saturate(t, w)
		l := newLockProbe(t)
		l.take()
		armed(w.AllocLocked(l, delIgnore), 0)
		elapse(10 * time.Second)
		log.takes(t, timerwheel.Saturated, 1)
		p.end()
		settle()
		w.AfterFunc(0, func() {}) // before any look for another reason
		elapse(10 * time.Second)
		log.takes(t, timerwheel.Saturated, 1)
		l.drop()
	})
}

// Promise 11.21: while some worker is free, or no timer is due, or what is due waits for something
// else, the wheel is not saturated.
func TestAWheelThatIsNotSaturated(t *testing.T) {
	for name, c := range map[string]struct {
		workers int
		do      func(t *testing.T, w *timerwheel.Wheel)
	}{
		"one worker is free": {3, func(t *testing.T, w *timerwheel.Wheel) {
			newRun(t, w)
			newRun(t, w)
			w.Every(10*time.Millisecond, func(timerwheel.Timer) { time.Sleep(time.Millisecond) })
		}},
		"due again while it runs": {1, func(t *testing.T, w *timerwheel.Wheel) {
			tm, _ := newRun(t, w)
			armed(tm, time.Second)
		}},
		"none is due": {1, func(t *testing.T, w *timerwheel.Wheel) {
			newRun(t, w)
			w.AfterFunc(1000*time.Hour, func() {})
		}},
		"the library's own firings": {1, func(t *testing.T, w *timerwheel.Wheel) {
			newRun(t, w)
			ticker := stdtime.On(w).NewTicker(time.Second)
			t.Cleanup(ticker.Stop)
		}},
		"the timers are moved before": {1, func(t *testing.T, w *timerwheel.Wheel) {
			newRun(t, w)
			tm := w.Alloc(delIgnore)
			for range 100 {
				armed(tm, 500*time.Millisecond)
				elapse(1400 * time.Millisecond)
			}
			tm.Stop()
		}},
	} {
		var log stallLog
		bubble(t, name, timerwheel.Options{MaxWorkers: c.workers, OnStall: log.onStall}, func(t *testing.T, w *timerwheel.Wheel) {
			c.do(t, w)
			elapse(5 * time.Minute)
			log.takes(t, timerwheel.Saturated, 0)
		})
	}
}

// Promise 11.21: also when the workers wait for users' locks.
func TestOnStallReportsAWheelWhoseWorkersWaitForLocks(t *testing.T) {
	var log stallLog
	bubble(t, "", timerwheel.Options{MaxWorkers: 2, OnStall: log.onStall}, func(t *testing.T, w *timerwheel.Wheel) {
		for range 2 {
			l := newLockProbe(t)
			l.take()
			armed(w.AllocLocked(l, delIgnore), 0)
		}
		settle()
		other := w.AfterFunc(0, func() {})
		elapse(2 * time.Second)
		log.takes(t, timerwheel.StalledLock, 2)
		s := log.takes(t, timerwheel.Saturated, 1)[0]
		require.Equal(t, other, s.Timer)
		require.Equal(t, 1, s.Due)
		require.Equal(t, 3, w.Stats().Due, "those that wait for their locks, too")
		log.requires(t, 0, 0)
	})
}
