package timerwheel

import (
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel/internal/gostack"
	"github.com/stretchr/testify/require"
)

// Rule 1, where a Lock does not return: who renounces its timer leaves the
// slot's next tenant alone, whose lock another worker waits for.
func TestARenouncedTimersTenantIsLeftAlone(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := newTestWheel(t, Options{})
		defer w.Close()
		g := w.NewGroup()
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
		require.Equal(t, uint32(tm.id), uint32(tenant.id), "the tenant lives elsewhere: the test tests nothing")
		require.NoError(t, tenant.Register(time.Millisecond))
		time.Sleep(5 * time.Millisecond)
		require.EqualValues(t, 1, good.calls.Load())

		close(bad.gate)
		time.Sleep(5 * time.Millisecond)
		require.EqualValues(t, 1, good.calls.Load(), "two workers wait for one timer's lock")
		close(good.gate)
		synctest.Wait()
		require.Equal(t, 1, runs)
	})
}

// A worker that has nothing left to do goes at once. If it gave way first, it would stand in
// a line for that, and count as one of those who are getting on with it.
func TestAWorkerDoesNotGiveWayToGo(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	w := newTestWheel(t, Options{})
	for range 20 { // in some of them the handler is interrupted, and the worker is not there yet
		seen := make(chan map[uint64]string)
		w.AfterFunc(0, func() {
			go func() { seen <- gostack.All() }() // when the processor is free
			for begin := time.Now(); time.Since(begin) < 2*timeSlice; {
			}
		})
		for _, stack := range <-seen {
			require.NotContains(t, stack, "giveWay")
		}
	}
}

// A worker may give way before it has appointed a successor: while it moves a million timers
// down a level, for one. It may be long until its turn comes again, and other timers
// do not wait for that.
func TestWhoGivesWaySeesToASuccessor(t *testing.T) {
	w := newTestWheel(t, Options{})
	sh := w.AfterFunc(time.Hour, func() {}).shard()
	w.mu.Lock()
	w.clearAlarm() // as who is called by it does
	w.mu.Unlock()
	sh.lock()
	now := (&worker{w: w}).giveWay(sh)
	at := w.alarm.at.Load()
	sh.unlock()
	require.LessOrEqual(t, at, now+w.hireDelay)
}

// In a storm of quick handlers the program's own goroutines get their turns, on
// one processor, too: not after each time slice of the worker only, which is ten
// milliseconds.
func TestWorkersGiveWay(t *testing.T) {
	if checkInvariants {
		t.Skip("to check every critical section takes a time slice")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const n, slice, attempts = 300_000, 10 * time.Millisecond, 10
	for range attempts { // other programs take slices, too
		w := newTestWheel(t, Options{MaxWorkers: 1})
		for range n {
			w.AfterFunc(100*time.Millisecond, func() {})
		}
		turns, began := 0, time.Time{}
		for fired := uint64(0); fired < n; runtime.Gosched() {
			now := w.Stats().Fired
			if began.IsZero() && now > 0 {
				began = time.Now()
			}
			if now > fired {
				turns++
			}
			fired = now
		}
		took := time.Since(began)
		require.NoError(t, w.Close())
		if turns > 4*int(took/slice+1) {
			return
		}
		t.Logf("%d turns in %v", turns, took)
	}
	t.Error("the worker does not give way")
}

// Two timers of one shard that are due again and again, on two processors, do
// not keep a timer of another shard from running: workers leave a shard after a
// while.
func TestABusyShardStarvesNoOther(t *testing.T) {
	guarded(t, func(t *testing.T) {
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
