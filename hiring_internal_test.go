package timerwheel

import (
	"math"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel/internal/slab"
	"github.com/stretchr/testify/require"
)

// One more worker is not wanted where as many as there are processors make progress; it is
// wanted, and hires others, where a handler has run for longer than quickRun.
func TestQuickHandlersWantNoMoreWorkersThanProcessors(t *testing.T) {
	if checkInvariants {
		t.Skip("these workers run nothing")
	}
	guarded(t, func(t *testing.T) { // the time stands still
		w := newTestWheel(t, Options{})
		sh := w.shards[0]
		procs := runtime.GOMAXPROCS(0)
		for k := range procs + 1 {
			wk := &worker{w: w}
			require.Equal(t, k < procs, w.wanted(wk, k))
			require.Equal(t, k < procs, wk.notBefore == 0)
			require.False(t, wk.hiring)
			run(sh, new(worker))
		}
		running := sh.running
		sh.running = slab.Pages[runningSlot]{}
		require.False(t, w.wanted(&worker{w: w}, procs), "they are between two runs")
		sh.running = running
		time.Sleep(quickRun - 1)
		wk := &worker{w: w}
		require.False(t, w.wanted(wk, procs+1) || wk.hiring)
		time.Sleep(1)
		require.True(t, w.wanted(wk, procs+1) && wk.hiring, "a handler is not quick")
	})
}

// Where runs take long, but none is in the midst of it at the moment of the look, the workers
// are doubled.
func TestSlowHandlersDoubleTheWorkers(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := newTestWheel(t, Options{})
		procs := runtime.GOMAXPROCS(0)
		c := &w.shards[0].counters
		for _, run := range []struct {
			begun uint64
			took  time.Duration
			slow  bool
		}{{0, 0, false}, {10, 10*quickRun - 1, false}, {10, 10 * quickRun, true}, {1, time.Second, true}, {0, time.Second, false}, {5, 0, false}} {
			c.fired += run.begun
			c.sumRun += int64(run.took)
			for _, workers := range []int{procs, 5 * procs} {
				wk := &worker{w: w}
				require.Equal(t, run.slow && workers == procs, w.wanted(wk, workers), "%+v", run)
				require.Equal(t, run.slow && workers == procs, wk.hireBudget == workers, "%+v", run)
				require.False(t, wk.hiring)
			}
		}
		*c = counters{}
	})
}

// Workers that have been interrupted, or have given way, may be kept from the processors for
// seconds by goroutines without number. They are as many as there are processors, but as
// none of them begins a handler another one does, after a while.
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

// A worker that was called because handlers block hires the next one only while a worker may
// be blocked, not merely because timers are due.
func TestWhoIsHiredHiresTheNextOnEvidenceOnly(t *testing.T) {
	for _, c := range []struct {
		name     string
		evidence func(w *Wheel, wk *worker)
		hires    int
	}{
		{"none", func(*Wheel, *worker) {}, 0},
		{"runs were slow", func(_ *Wheel, wk *worker) { wk.hireBudget = 1 }, 1},
		{"a handler is not quick", func(w *Wheel, _ *worker) { run(w.shards[0], new(worker)); time.Sleep(quickRun) }, 1},
		{"a lock is waited for", func(w *Wheel, _ *worker) { w.userCalls.Add(1) }, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := newTestWheel(t, Options{MaxWorkers: 2})
				end := make(chan struct{})
				w.alarm.at.Store(math.MinInt64) // nobody comes
				g := w.NewGroup()
				for range 2 {
					g.AfterFunc(0, func() { <-end })
				}
				wk := &worker{w: w, scanPending: true, hiring: true}
				c.evidence(w, wk)
				g.sh.lock()
				_, ok, _ := g.sh.pop(w.elapsed())
				require.True(t, ok)
				wk.unlockAndRearm(g.sh, w.elapsed())
				w.mu.Lock()
				workers := w.workers
				w.mu.Unlock()
				require.Equal(t, c.hires, workers)
				w.userCalls.Store(0)
				w.shards[0].running = slab.Pages[runningSlot]{}
				close(end)
				require.NoError(t, w.Close())
			})
		})
	}
}
