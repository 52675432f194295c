package timerwheel

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel/internal/slab"
	"github.com/stretchr/testify/require"
)

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

// No wake-up is lost: a timer that is registered on a shard at which rearm has
// looked already is seen, though that knows of a later one only.
func TestNoWakeUpIsLostToARearmThatWasOvertaken(t *testing.T) {
	for _, other := range []time.Duration{0, 2 * time.Hour} {
		w := twoShards(t)
		if other > 0 {
			(&Group{sh: w.shards[1]}).AfterFunc(other, func() {})
		}
		w.shards[1].lock()
		var wg sync.WaitGroup
		wg.Go(func() { w.rearm(0) })
		blockedIn(t, 1, "nextWake")
		(&Group{sh: w.shards[0]}).AfterFunc(time.Hour, func() {})
		w.shards[1].unlock()
		wg.Wait()
		require.LessOrEqual(t, w.alarm.at.Load(), w.elapsed()+int64(time.Hour), "the alarm does not ring for the timer")
	}
}

// And none is left over: a rearm that has seen a timer that was deleted since
// does not set the alarm for it after all.
func TestNoWakeUpIsLeftByARearmThatWasOvertaken(t *testing.T) {
	w := twoShards(t)
	tm := (&Group{sh: w.shards[0]}).AfterFunc(time.Hour, func() {})
	w.shards[1].lock()
	var wg sync.WaitGroup
	wg.Go(func() { w.rearm(0) })
	blockedIn(t, 1, "nextWake")
	require.True(t, tm.Stop())
	w.shards[1].unlock()
	wg.Wait()
	require.True(t, w.alarmIsOff(), "nothing pends, and the alarm is set")
}

// Of two that need the alarm at the same moment the earlier gets it.
func TestTheEarlierOfTwoAlarmsAtOnceIsSet(t *testing.T) {
	w := twoShards(t)
	var wg sync.WaitGroup
	w.mu.Lock()
	for k, d := range []time.Duration{time.Hour, 2 * time.Hour} {
		wg.Go(func() { (&Group{sh: w.shards[k]}).AfterFunc(d, func() {}) })
		blockedIn(t, k+1, "wakeEarlier")
	}
	w.mu.Unlock()
	wg.Wait()
	require.LessOrEqual(t, w.alarm.at.Load(), w.elapsed()+int64(time.Hour))
}

// Contract 11: a group's deletion lets go of the lock between the runs that it finds. If
// those so far have ended then, and the alarm has been stopped, the next one sets it again:
// else nobody would look when the deletion has stalled.
func TestEachEdgeOfAWaitIsWatched(t *testing.T) {
	w := newTestWheel(t, Options{OnStall: func(Stall) {}})
	sh, x := w.shards[0], new(wait)
	for range 3 {
		w.mu.Lock()
		w.clearAlarm()
		w.mu.Unlock()
		wk := &worker{w: w}
		run(sh, wk)
		sh.running.At(uint32(wk.slotIndex)).reported = true
		require.True(t, sh.enlist(x, wk))
		require.LessOrEqual(t, w.alarm.at.Load(), x.since+int64(w.stallAfter))
	}
	sh.running = slab.Pages[runningSlot]{}
}
