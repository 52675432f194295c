package timerwheel

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel/internal/slab"
	"github.com/stretchr/testify/require"
)

// alarmIsOff reports whether no wake-up is set.
func (w *Wheel) alarmIsOff() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.alarm.at.Load() == never && w.alarm.rings == 0
}

// Promise 9.13: a deletion that waits, and is overtaken by the end of the run and by Close, leaves no wake-up.
func TestNoWakeUpIsLeftByAWaitThatWasOvertaken(t *testing.T) {
	for range forcedRounds(500) {
		w := newTestWheel(t, Options{OnStall: func(Stall) {}, StallAfter: time.Hour})
		var release atomic.Bool
		started, deleted := make(chan struct{}), make(chan struct{})
		tm := w.AfterFunc(0, func() {
			close(started)
			for !release.Load() && !t.Failed() {
				runtime.Gosched()
			}
		})
		receive(t, started)
		go func() {
			defer close(deleted)
			_, _ = tm.DelSync()
		}()
		for running := w.Running(); len(running) > 0 && running[0].Waiters == 0; running = w.Running() {
			runtime.Gosched()
		}
		release.Store(true)
		require.NoError(t, w.Close())
		receive(t, deleted)
		require.True(t, w.alarmIsOff(), "the wheel is closed, and the alarm is set")
	}
}

// forcedRounds is how often a test looks for a race by force.
func forcedRounds(n int) int {
	if testing.Short() || checkInvariants {
		return n / 8
	}
	return n
}

// overtaken has a rearm of the wheel overtaken by f, after it has looked at the first of two shards.
func overtaken(t *testing.T, w *Wheel, f func()) {
	t.Helper()
	w.occupied.Store(0b11)
	release, over := hold(t, &w.shards[1].mu), make(chan struct{})
	go func() {
		defer close(over)
		w.rearm(0)
	}()
	blockedIn(t, 1, "nextWake")
	f()
	release()
	receive(t, over)
}

// Promise 3.3: the alarm is set for a timer that is registered on a shard at which a rearm has looked
// already, though the rearm knows of a later one only.
func TestNoWakeUpIsLostToARearmThatWasOvertaken(t *testing.T) {
	for _, other := range []time.Duration{0, 2 * time.Hour} {
		w := twoShards(t)
		if other > 0 {
			(&Group{sh: w.shards[1]}).AfterFunc(other, func() {})
		}
		overtaken(t, w, func() { (&Group{sh: w.shards[0]}).AfterFunc(time.Hour, func() {}) })
		require.LessOrEqual(t, w.alarm.at.Load(), w.elapsed()+int64(time.Hour), "the alarm does not ring for the timer")
	}
}

// Promise 3.3: a wake-up looks only at shards that may have something, and a Register on any other makes
// it one of these. The Register need not set the alarm, as it rings for the other shard anyway.
func TestAShardThatWasPassedOverIsLookedAtAgain(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := twoShards(t)
		var late atomic.Int64
		start := time.Now()
		(&Group{sh: w.shards[0]}).AfterFunc(time.Second, func() {})
		require.EqualValues(t, 0b01, w.occupied.Load())
		(&Group{sh: w.shards[1]}).AfterFunc(2*time.Second, func() { late.Store(int64(time.Since(start))) })
		require.EqualValues(t, 0b11, w.occupied.Load())
		time.Sleep(3 * time.Second)
		require.EqualValues(t, 2*time.Second, late.Load())
		require.Zero(t, w.occupied.Load(), "nothing pends")
	})
}

// Promise 9.13: a shard that a deletion has emptied is passed over after the next wake-up.
func TestAShardThatWasEmptiedIsPassedOver(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := twoShards(t)
		tm := (&Group{sh: w.shards[0]}).AfterFunc(time.Second, func() {})
		(&Group{sh: w.shards[1]}).AfterFunc(time.Hour, func() {})
		require.True(t, tm.Stop())
		require.EqualValues(t, 0b11, w.occupied.Load(), "a deletion leaves it to the wake-up")
		time.Sleep(2 * time.Second)
		require.EqualValues(t, 0b10, w.occupied.Load())
	})
}

// Promise 3.3: a shard in which a handler runs, or is watched, is looked at though nothing pends there.
func TestAShardInWhichAHandlerRunsIsLookedAt(t *testing.T) {
	guarded(t, func(t *testing.T) {
		stalled := make(chan Stall, 1)
		w := newTestWheel(t, Options{StallAfter: time.Second, OnStall: func(s Stall) { stalled <- s }})
		gate, open := newGate(t)
		w.AfterFunc(0, func() { <-gate })
		time.Sleep(500 * time.Millisecond)
		w.rearm(0)
		require.NotZero(t, w.occupied.Load())
		time.Sleep(time.Second)
		receive(t, stalled)
		open()
		synctest.Wait()
		w.rearm(0)
		require.Zero(t, w.occupied.Load())
	})
}

// Promise 3.3: of two that need the alarm at the same moment the earlier gets it.
func TestTheEarlierOfTwoAlarmsAtOnceIsSet(t *testing.T) {
	w := twoShards(t)
	var wg sync.WaitGroup
	release := hold(t, &w.mu)
	for k, d := range []time.Duration{time.Hour, 2 * time.Hour} {
		wg.Go(func() { (&Group{sh: w.shards[k]}).AfterFunc(d, func() {}) })
		blockedIn(t, k+1, "wakeEarlier")
	}
	release()
	within(t, wg.Wait)
	require.LessOrEqual(t, w.alarm.at.Load(), w.elapsed()+int64(time.Hour))
}

// Promise 11.10: between the runs that a group's deletion finds all so far may end, and the alarm be
// stopped. The next run sets it again: otherwise no goroutine would look when the deletion has stalled.
func TestEachEdgeOfAWaitIsWatched(t *testing.T) {
	guarded(t, func(t *testing.T) { // the time stands still: the alarm does not ring
		w := newTestWheel(t, Options{OnStall: func(Stall) {}})
		sh, x := w.shards[0], new(wait)
		clearAlarm := func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.clearAlarm()
		}
		release := hold(t, &sh.mu)
		for range 3 {
			clearAlarm()
			wk := &worker{w: w}
			run(sh, wk)
			wk.watched.since = never // its run has been reported
			sh.rewatch(wk)
			require.True(t, sh.enlist(x, wk))
			require.LessOrEqual(t, w.alarm.at.Load(), x.since+int64(w.stallAfter))
		}
		sh.running, sh.watches = slab.Pages[runningSlot]{}, nil
		sh.counters.syncWaits = 0
		release()
		clearAlarm()
	})
}

// Promise 3.3: the goroutine that the alarm has called clears it before it does anything else. While it
// waits, for a shard's lock or a processor, the alarm is set for what is registered: it calls another.
func TestTheAlarmsGoroutineClearsItFirst(t *testing.T) {
	w := twoShards(t)
	w.occupied.Store(0b11)
	w.nextShard.Store(1) // the worker begins with the shard that is locked
	release := hold(t, &w.shards[1].mu)
	(&Group{sh: w.shards[0]}).AfterFunc(time.Millisecond, func() {})
	blockedIn(t, 1, "drain")
	(&Group{sh: w.shards[0]}).AfterFunc(time.Hour, func() {})
	at := w.alarm.at.Load()
	release()
	require.Greater(t, at, w.elapsed(), "the alarm has rung, and is not set again")
	require.Less(t, at, int64(never), "the alarm is not set")
}
