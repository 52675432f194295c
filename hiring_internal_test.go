package timerwheel

import (
	"math"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Promise 2.4: one more worker is not wanted where as many as there are processors make progress; it
// is wanted, and hires others, where a handler has run for longer than quickRun.
func TestQuickHandlersWantNoMoreWorkersThanProcessors(t *testing.T) {
	guarded(t, func(t *testing.T) { // the time stands still
		w := newTestWheel(t, Options{})
		w.alarm.at.Store(math.MinInt64) // the alarm calls no worker
		g := w.NewGroup()
		procs := runtime.GOMAXPROCS(0)
		var runs []*worker
		begin := func() { runs = append(runs, begins(g.Alloc(func(Timer) {}))) }
		for k := range procs + 1 {
			wk := &worker{w: w}
			require.Equal(t, k < procs, w.wanted(wk, k))
			require.Equal(t, k < procs, wk.notBefore == 0)
			require.False(t, wk.hiring)
			require.Equal(t, k >= procs, g.sh.crowded(w.elapsed()))
			begin()
		}
		ends(g.sh, runs...)
		require.False(t, w.wanted(&worker{w: w}, procs), "they are between two runs")
		runs = nil
		begin()
		time.Sleep(quickRun - time.Nanosecond)
		wk := &worker{w: w}
		require.False(t, w.wanted(wk, procs+1) || wk.hiring)
		time.Sleep(time.Nanosecond)
		require.True(t, w.wanted(wk, procs+1) && wk.hiring, "a handler is not quick")
		ends(g.sh, runs...)
	})
}

// Where runs take long, but none is in flight at the moment of the look, the workers are doubled.
func TestSlowHandlersDoubleTheWorkers(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := newTestWheel(t, Options{})
		w.alarm.at.Store(math.MinInt64) // the alarm calls no worker
		g := w.NewGroup()
		procs := runtime.GOMAXPROCS(0)
		for _, c := range []struct {
			runs []time.Duration
			slow bool
		}{
			{nil, false},
			{[]time.Duration{quickRun, quickRun, quickRun - 1}, false},
			{[]time.Duration{quickRun, quickRun - 1, quickRun + 1}, true},
			{[]time.Duration{time.Second}, true},
			{make([]time.Duration, 5), false},
		} {
			for _, d := range c.runs {
				run := begins(g.Alloc(func(Timer) {}))
				time.Sleep(d)
				ends(g.sh, run)
			}
			for _, workers := range []int{procs, 5 * procs} { // what the first look has seen is not news for the second
				wk, slow := &worker{w: w}, c.slow && workers == procs
				require.Equal(t, slow, w.wanted(wk, workers), "%v", c.runs)
				require.Equal(t, slow, wk.hireBudget == workers, "%v", c.runs)
				require.False(t, wk.hiring)
			}
		}
		run := begins(g.Alloc(func(Timer) {}))
		require.False(t, w.wanted(&worker{w: w}, procs))
		time.Sleep(starvedAfter / 2)
		ends(g.sh, run)
		require.False(t, w.wanted(&worker{w: w}, procs), "no run has begun since the last look")
	})
}

// Promise 2.4: thousands of goroutines may keep as many workers as there are processors, preempted or
// yielding, from running for seconds. As none of them begins a handler another one does, after a while.
func TestStarvedWorkersAreReplaced(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := newTestWheel(t, Options{})
		procs := runtime.GOMAXPROCS(0)
		for range procs {
			require.True(t, w.hire())
		}
		var late []time.Duration
		for d := range 3 {
			due := time.Now().Add(time.Duration(d) * 2 * starvedAfter)
			w.AfterFunc(time.Until(due), func() { late = append(late, time.Since(due)) })
		}
		time.Sleep(time.Second)
		synctest.Wait()
		require.Len(t, late, 3)
		for _, late := range late {
			require.GreaterOrEqual(t, late, starvedAfter, "one of those workers might have begun it")
			require.LessOrEqual(t, late, starvedAfter+2*w.tick)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		require.Equal(t, procs, w.workers, "the other one stays")
		w.workers = 0
	})
}

// Promise 13.7: a worker that was called because handlers block hires the next one only while a
// worker may be blocked, not merely because timers are due.
func TestANewWorkerHiresOnEvidenceOnly(t *testing.T) {
	for _, c := range []struct {
		name     string
		evidence func(wk *worker, g *Group) (end func())
		hires    int
	}{
		{"none", func(*worker, *Group) func() { return func() {} }, 0},
		{"runs were slow", func(wk *worker, _ *Group) func() { wk.hireBudget = 1; return func() {} }, 1},
		{"a handler is not quick", func(wk *worker, g *Group) func() {
			slow := begins(g.Alloc(func(Timer) {}))
			time.Sleep(quickRun)
			return func() { ends(g.sh, slow) }
		}, 1},
		{"a lock is waited for", func(wk *worker, _ *Group) func() {
			wk.w.userCalls.Add(1)
			return func() { wk.w.userCalls.Add(-1) }
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := newTestWheel(t, Options{MaxWorkers: 1}) // so the hired worker cannot hire another
				w.alarm.at.Store(math.MinInt64)              // the alarm calls no worker
				g, stop := w.NewGroup(), make(chan struct{})
				wk := &worker{w: w, scanPending: true, hiring: true}
				end := c.evidence(wk, g)
				for range 2 {
					g.AfterFunc(0, func() { <-stop })
				}
				g.sh.lock()
				_, ok, _ := g.sh.pop(w.elapsed())
				require.True(t, ok)
				wk.unlockAndRearm(g.sh, w.elapsed())
				w.mu.Lock()
				workers := w.workers
				w.mu.Unlock()
				end()
				close(stop)
				require.Equal(t, c.hires, workers)
			})
		})
	}
}
