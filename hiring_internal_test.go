package timerwheel

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
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

// Promise 13.7: a handler that computes for 40 µs does not count as blocking, in flight or over; one
// that takes 50 µs does.
func TestAHandlerThatComputesForAMomentDoesNotBlock(t *testing.T) {
	for _, c := range []struct {
		runs   time.Duration
		blocks bool
	}{
		{40 * time.Microsecond, false},
		{50 * time.Microsecond, true},
	} {
		t.Run(c.runs.String(), func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := newTestWheel(t, Options{})
				w.alarm.at.Store(math.MinInt64) // the alarm calls no worker
				g := w.NewGroup()
				procs := runtime.GOMAXPROCS(0)
				var runs []*worker
				for range procs {
					runs = append(runs, begins(g.Alloc(func(Timer) {})))
				}
				time.Sleep(c.runs)
				require.Equal(t, c.blocks, w.look(w.elapsed()).blocked)
				require.Equal(t, !c.blocks, g.sh.crowded(w.elapsed()))
				wk := &worker{w: w}
				require.Equal(t, c.blocks, w.wanted(wk, procs))
				require.Equal(t, c.blocks, wk.hiring)

				ends(g.sh, runs...)
				w.wanted(&worker{w: w}, procs) // it has seen what has ended so far
				run := begins(g.Alloc(func(Timer) {}))
				time.Sleep(c.runs)
				ends(g.sh, run)
				wk = &worker{w: w}
				require.Equal(t, c.blocks, w.wanted(wk, procs))
				require.Equal(t, c.blocks, wk.hireBudget > 0)
			})
		})
	}
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
		LeaveUnwatched(w)
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

// Promise 2.4: many may look at once while no handler begins, and one of them is hired.
func TestOneWorkerAtATimeReplacesTheStarved(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := newTestWheel(t, Options{})
		procs := runtime.GOMAXPROCS(0)
		require.False(t, w.wanted(&worker{w: w}, procs))
		for range 3 {
			time.Sleep(starvedAfter - time.Nanosecond)
			require.False(t, w.wanted(&worker{w: w}, procs))
			time.Sleep(time.Nanosecond)
			require.True(t, w.wanted(&worker{w: w}, procs))
			require.False(t, w.wanted(&worker{w: w}, procs))
		}
	})
}

// Promise 11.27: blocked handlers and slow runs are no reason to hire while enough workers are ready.
func TestMoreWorkersDoNotHelpWhereEnoughAreReady(t *testing.T) {
	guarded(t, func(t *testing.T) {
		procs := runtime.GOMAXPROCS(0)
		w := newTestWheel(t, Options{MaxWorkers: 100 * procs})
		w.alarm.at.Store(math.MinInt64) // the alarm calls no worker
		g := w.NewGroup()
		var runs []*worker
		for range 8 * procs {
			runs = append(runs, begins(g.Alloc(func(Timer) {})))
		}
		w.userCalls.Store(int32(8 * procs))
		for range 8*procs + 8*procs + readyPerProcessor*procs - 1 {
			require.True(t, w.hire())
		}
		w.wanted(&worker{w: w}, w.atWork()) // it has seen what has begun so far
		for _, enough := range []bool{false, true} {
			slow := begins(g.Alloc(func(Timer) {}))
			time.Sleep(quickRun)
			ends(g.sh, slow)
			wk := &worker{w: w}
			require.Equal(t, !enough, w.wanted(wk, w.atWork()))
			require.Equal(t, !enough, wk.hiring)
			require.Equal(t, !enough, wk.hireBudget > 0)
			require.Equal(t, enough, wk.notBefore > 0)

			wk = &worker{w: w, hiring: true, hireBudget: 1}
			require.Equal(t, !enough, wk.mayHireNext(w.elapsed()))
			require.Equal(t, enough, wk.hireBudget == 1)
			require.Equal(t, !enough, wk.mayHireNext(w.elapsed()))
			require.True(t, w.hire())
		}
		ends(g.sh, runs...)
		w.userCalls.Store(0)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.workers = 0
	})
}

// Promise 11.27: a worker whose handler has returned is ready, though its run is not over.
func TestAWorkerThatWaitsForItsShardIsReady(t *testing.T) {
	w := newTestWheel(t, Options{})
	g := w.NewGroup()
	begun, gate := make(chan struct{}), make(chan struct{})
	g.AfterFunc(0, func() {
		close(begun)
		<-gate
	})
	receive(t, begun)
	require.Zero(t, w.returned.Load())
	g.sh.lock()
	close(gate)
	blockedIn(t, 1, "relock")
	ready := w.returned.Load()
	g.sh.unlock()
	require.EqualValues(t, 1, ready)
	w.Close()
	require.Zero(t, w.returned.Load())
}

// Promise 13.7: where the runs were slow, the workers that are granted are hired one by the other, and no more.
func TestAHiredWorkerHiresTheRest(t *testing.T) {
	guarded(t, func(t *testing.T) { // the time stands still, so that no handler counts as blocking
		const granted = 3
		w := newTestWheel(t, Options{})
		w.alarm.at.Store(math.MinInt64) // the alarm calls no worker
		LeaveUnwatched(w)
		g := w.NewGroup()
		gate, open := newGate(t)
		for range 2 * granted {
			g.AfterFunc(0, func() { <-gate })
		}
		g.sh.lock()
		_, ok, _ := g.sh.pop(w.elapsed())
		require.True(t, ok)
		wk := &worker{w: w, scanPending: true, hireBudget: granted}
		wk.unlockAndRearm(g.sh, w.elapsed())
		synctest.Wait()
		require.Equal(t, granted, w.Stats().Running)
		open()
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
				LeaveUnwatched(w)
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

// Promise 11.27. Real goroutines: only they compete for processors. Where other programs take these
// away, with a shard locked, there may be many workers for a moment: so it is half of the runs that counts.
// Where they take them for most of the time, no handler begins for a time slice again and again, and each
// time one more worker comes (starvedAfter): there the test says nothing. Nor does it where GOMAXPROCS is more
// than there are processors, because there the wheel's own threads take them away from each other.
func TestHandlersThatComputeBringFewWorkers(t *testing.T) {
	procs := runtime.GOMAXPROCS(0)
	if procs > runtime.NumCPU() {
		t.Skipf("GOMAXPROCS is %d, and there are %d processors", procs, runtime.NumCPU())
	}
	for _, c := range []struct {
		lasts time.Duration
		runs  int32 // for each processor
	}{
		{50 * time.Microsecond, 2000},
		{200 * time.Microsecond, 1000},
		{time.Millisecond, 300},
		{5 * time.Millisecond, 100},
	} {
		t.Run(c.lasts.String(), func(t *testing.T) {
			w := newTestWheel(t, Options{MaxWorkers: 100 * procs})
			var begun, amongMany atomic.Int32
			var timers sync.WaitGroup
			start := time.Now()
			for range 110 * procs {
				timers.Add(1)
				require.NoError(t, w.Alloc(func(tm Timer) {
					if w.atWork() > 32*procs {
						amongMany.Add(1)
					}
					for began := time.Now(); time.Since(began) < c.lasts; {
						runtime.KeepAlive(tm)
					}
					if begun.Add(1) < c.runs*int32(procs) {
						assert.NoError(t, tm.Register(0))
					} else {
						timers.Done()
					}
				}).Register(0))
			}
			within(t, timers.Wait)
			computed := time.Duration(begun.Load()) * c.lasts / time.Duration(procs)
			if took := time.Since(start); took > 3*computed {
				t.Skipf("%v for what takes %v: others have the processors", took, computed)
			}
			require.Less(t, amongMany.Load(), begun.Load()/2)
		})
	}
}
