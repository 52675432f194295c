package timerwheel

import (
	"maps"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel/internal/gostack"
	"github.com/seed76848005/timerwheel/internal/levels"
	"github.com/stretchr/testify/require"
)

// Promise 6.8, where a Lock does not return: a worker that abandons the lock of a timer leaves the
// next timer of that record alone, for whose lock another worker waits.
func TestAnAbandonedLockLeavesTheNextTenantAlone(t *testing.T) {
	guarded(t, func(t *testing.T) {
		g := newTestWheel(t, Options{}).NewGroup()
		bad := &stagedLock{gate: make(chan struct{}), exits: true}
		tm := g.AllocLocked(bad, func(Timer) { t.Error("has run without its lock") })
		require.NoError(t, tm.Register(time.Millisecond))
		require.NoError(t, tm.Free())
		time.Sleep(5 * time.Millisecond)
		require.EqualValues(t, 1, bad.calls.Load())
		require.True(t, tm.Stop())

		runs := 0
		good := &stagedLock{gate: make(chan struct{})}
		tenant := g.AllocLocked(good, func(Timer) { runs++ })
		require.Equal(t, uint32(tm.id), uint32(tenant.id), "the tenant has another record: the test tests nothing")
		require.NoError(t, tenant.Register(time.Millisecond))
		time.Sleep(5 * time.Millisecond)
		require.EqualValues(t, 1, good.calls.Load())

		close(bad.gate)
		time.Sleep(5 * time.Millisecond)
		require.EqualValues(t, 1, good.calls.Load(), "two workers wait for one timer's lock")
		close(good.gate)
		synctest.Wait()
		require.Equal(t, 1, runs)
		require.Zero(t, g.sh.w.userCalls.Load(), "a call that has ended the goroutine looks blocked for ever")
	})
}

// A worker that has nothing left to do ends at once. If it yielded first, it would stand in
// the queue for a processor, and count as one of those that make progress.
func TestAWorkerWithoutWorkEndsWithoutYielding(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for range 20 { // in some of them the handler is interrupted, and the worker is not there yet
		w := newTestWheel(t, Options{})   // another: on the last one a worker may yield for the next timer
		w.AfterFunc(time.Hour, func() {}) // so that it looks at the shard once more
		seen := make(chan gostack.Dump, 1)
		w.AfterFunc(0, func() {
			go func() { seen <- new(gostack.Dumper).Dump() }() // when the processor is free
			for begin := time.Now(); time.Since(begin) < 2*timeSlice; {
			}
		})
		require.NotContains(t, string(receive(t, seen)), "giveWay")
	}
}

// A worker that yields, while it moves a million timers down a level, say, sets the alarm first: it may
// take long until it gets a processor again, and other timers do not wait for that.
func TestAYieldingWorkerSetsTheAlarm(t *testing.T) {
	guarded(t, func(t *testing.T) { // the time stands still, so that the alarm does not ring
		w := newTestWheel(t, Options{})
		sh := w.AfterFunc(time.Hour, func() {}).shard()
		w.mu.Lock()
		w.clearAlarm() // as the goroutine does that the alarm has called
		w.mu.Unlock()
		release := hold(t, &sh.mu)
		now := (&worker{w: w}).giveWay(sh)
		at := w.alarm.at.Load()
		release()
		require.LessOrEqual(t, at, now+w.hireDelay)
	})
}

// Promise 13.7: in a storm of quick handlers the program's own goroutines get the only processor more
// often than after each time slice of the runtime (10 ms). The turns are counted against work, as other
// programs take time, too: 100,000 handlers leave less than 15 turns without the yield, at least 25 with it.
func TestWorkersGiveWay(t *testing.T) {
	if checkInvariants {
		t.Skip("to check every critical section takes a time slice")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const attempts, enough = 10, 20
	n := 25_000 // suffices where a handler takes longer: under the race detector
	for range attempts {
		w := newTestWheel(t, Options{MaxWorkers: 1})
		for range n {
			w.AfterFunc(100*time.Millisecond, func() {})
		}
		turns, last := 0, uint64(0)
		for deadline := time.Now().Add(patience); last < uint64(n) && time.Now().Before(deadline); runtime.Gosched() {
			fired := w.Stats().Fired
			if fired > last {
				turns++
			}
			last = fired
		}
		require.EqualValues(t, n, last, "not all have fired")
		if turns >= enough {
			return
		}
		t.Logf("%d turns in %d handlers", turns, n)
		n = min(2*n, 100_000)
	}
	t.Error("the worker does not yield")
}

// Promise 11.7: two timers of one shard that are due again and again, on two processors, do not keep
// a timer of another shard from running, because a worker leaves a shard after a while.
func TestABusyShardStarvesNoOther(t *testing.T) {
	guarded(t, func(t *testing.T) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
		w := newTestWheel(t, Options{MaxWorkers: 2})
		var stop atomic.Bool
		defer stop.Store(true)
		busy := &Group{sh: w.shards[0]}
		for range 3 {
			_ = busy.Alloc(func(tm Timer) {
				time.Sleep(5 * time.Microsecond)
				if !stop.Load() {
					_ = tm.Register(0)
				}
			}).Register(0)
		}
		time.Sleep(5 * time.Millisecond)
		start := time.Now()
		fired := make(chan time.Duration, 1)
		(&Group{sh: w.shards[1]}).AfterFunc(5*time.Millisecond, func() { fired <- time.Since(start) })
		require.LessOrEqual(t, <-fired, 7*time.Millisecond)
	})
}

// Promise 3.15: no shard waits for another to become empty, not even while the time stands still, as
// in a bubble.
func TestNoShardWaitsForAnotherToBecomeEmpty(t *testing.T) {
	guarded(t, func(t *testing.T) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
		w := newTestWheel(t, Options{MaxWorkers: 1, Tick: time.Second})
		gate := make(chan struct{})
		for _, sh := range w.shards { // the worker begins with either
			(&Group{sh: sh}).AfterFunc(0, func() { <-gate })
		}
		synctest.Wait()
		runs := make([]int, len(w.shards))
		for no, sh := range w.shards {
			tm := (&Group{sh: sh}).Alloc(func(tm Timer) {
				if runs[no]++; runs[1-no] == 0 && runs[no] < 10*maxVisit {
					_ = tm.Register(0)
				}
			})
			require.NoError(t, tm.Register(0))
		}
		close(gate)
		synctest.Wait()
		require.Equal(t, 1, min(runs[0], runs[1]))
		require.LessOrEqual(t, max(runs[0], runs[1]), maxVisit)
	})
}

// Promise 3.15: a worker leaves a shard in which it only moves timers down a level, too, after a batch
// of them, and comes back.
func TestAWorkerDoesNotStayForACascade(t *testing.T) {
	w := newTestWheel(t, Options{MaxWorkers: 1})
	require.True(t, w.hire()) // by the worker below: no other comes
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.workers--
	}()
	g := w.NewGroup()
	for range 10 * batch {
		g.AfterFunc(5*time.Hour, func() {})
	}
	w.base = w.base.Add(-4*time.Hour - 45*time.Minute) // the bucket of these timers has begun, and the alarm does not ring
	w.hireDelay = 1
	wk := &worker{w: w, yieldAfter: never}
	require.True(t, wk.drain(g.sh), "the rest was forgotten")
	g.sh.lock()
	require.True(t, g.sh.levels.Cascading(), "the other shards have waited for all of it")
	g.sh.unlock()
	for wk.drain(g.sh) {
	}
	require.False(t, g.sh.levels.Cascading())
	require.Zero(t, wk.fired)
}

// Promise 3.19: a bucket of very many timers is moved down ahead of its time, a batch with each visit, so
// that the first of them need not wait for the others. Timers in it that were put off, that are idle, or
// that were stopped, fire at their deadlines or not at all.
func TestABigBucketIsMovedDownAheadOfItsTime(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := newTestWheel(t, Options{Tick: time.Millisecond})
		g := w.NewGroup()
		began, fired := time.Now(), make(map[time.Duration]int)
		note := func(Timer) { fired[time.Since(began)]++ }
		want := make(map[time.Duration]int)
		for k := range 4 * worthAhead {
			d := (levels.Lowest + time.Duration(k%100)) * time.Millisecond
			tm := g.Alloc(note)
			switch k % 4 {
			case 0: // its deadline is that of its record
				require.NoError(t, tm.Register(d))
				want[d]++
			case 1: // moved without the lock, into another bucket or not
				require.NoError(t, tm.Register(d))
				require.NoError(t, tm.Register(d+time.Second))
				require.NoError(t, tm.Register(d+time.Duration(k%3)*3*time.Second))
				want[d+time.Duration(k%3)*3*time.Second]++
			case 2:
				require.NoError(t, tm.RegisterIdle(d))
				want[d]++
			case 3: // parked
				require.NoError(t, tm.Register(d))
				tm.Del()
				require.NoError(t, tm.Register(d))
				tm.Del()
			}
		}
		series := g.Every(time.Millisecond, func(Timer) {})
		time.Sleep((levels.Lowest - 1) * time.Millisecond)
		synctest.Wait()
		left := make(map[int64]int) // on level 1, by the tick at which their bucket begins
		g.sh.lock()
		maps.Insert(left, g.sh.levels.Buckets(1, 0))
		g.sh.unlock()
		require.Less(t, left[levels.Lowest], worthAhead)
		series.Shutdown()
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, want, fired)
	})
}

// Promise 3.3: a timer that was due again while it ran is put back at the end of the run. The
// other workers may have looked at its shard before that, and found nothing; and the worker that
// ends the run may go on to another shard. So the end of the run sets the alarm; as for a series
// whose missed instants it skips.
func TestTheEndOfARunSetsTheAlarmForWhatItPutsBack(t *testing.T) {
	guarded(t, func(t *testing.T) {
		for name, arm := range map[string]func(w *Wheel) Timer{
			"due again": func(w *Wheel) Timer { tm := w.Alloc(func(Timer) {}); _ = tm.Register(0); return tm },
			"a series":  func(w *Wheel) Timer { return w.Every(time.Millisecond, func(Timer) {}) },
		} {
			w := newTestWheel(t, Options{MaxWorkers: 1})
			require.True(t, w.hire()) // by the worker below: no other comes
			tm := arm(w)
			time.Sleep(time.Millisecond)
			wk, sh := &worker{w: w}, tm.shard()
			sh.lock()
			i, s, now, ok := wk.next(sh, w.elapsed())
			require.True(t, ok, name)
			wk.begin(sh, i, s, now)
			sh.unlock()
			if name == "due again" {
				require.NoError(t, tm.Register(0))
			}
			time.Sleep(10 * time.Millisecond)
			sh.lock()
			_, _, _, ok = (&worker{w: w}).next(sh, w.elapsed())
			sh.unlock()
			require.False(t, ok, "%s: it is held back", name)
			w.mu.Lock()
			w.workers--
			w.clearAlarm() // another worker has looked at all shards, and left
			w.mu.Unlock()
			sh.lock()
			wk.finish(sh, w.elapsed())
			sh.unlock()
			require.LessOrEqual(t, w.alarm.at.Load(), w.elapsed()+2*int64(w.tick), name)
		}
	})
}
