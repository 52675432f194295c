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
	return w.alarm.at.Load() == never && w.alarm.rings == 0 && w.alarm.target.Load() == nil
}

// Promise 9.13: a Register that is overtaken by the deletion of its firing leaves no wake-up
// behind, as it sets the alarm before it lets go of the shard.
func TestNoWakeUpIsLeftByARegisterThatWasOvertaken(t *testing.T) {
	w := newTestWheel(t, Options{})
	tm := w.Alloc(func(Timer) {})
	for range forcedRounds(5000) {
		deleted := make(chan struct{})
		go func() {
			defer close(deleted)
			for !tm.Stop() && !t.Failed() {
				runtime.Gosched()
			}
		}()
		require.NoError(t, tm.Register(time.Hour))
		receive(t, deleted)
		require.True(t, w.alarmIsOff(), "nothing pends, and the alarm is set")
	}
}

// Promise 9.13: nor does a deletion that waits, and is overtaken by the end of the run and by Close.
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

// Promise 9.13: a rearm that has seen a timer that was deleted since does not set the alarm for it.
func TestNoWakeUpIsLeftByARearmThatWasOvertaken(t *testing.T) {
	w := twoShards(t)
	tm := (&Group{sh: w.shards[0]}).AfterFunc(time.Hour, func() {})
	overtaken(t, w, func() { require.True(t, tm.Stop()) })
	require.True(t, w.alarmIsOff(), "nothing pends, and the alarm is set")
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

// Promise 3.3: a deletion that drains the wheel is overtaken by a Register, which finds the alarm set
// for the firing that the deletion has removed, early enough. The deletion then does not stop it.
func TestNoWakeUpIsLostToADeletionThatWasOvertaken(t *testing.T) {
	w := newTestWheel(t, Options{})
	tm := w.AfterFunc(time.Hour, func() {})
	require.LessOrEqual(t, w.alarm.at.Load(), w.elapsed()+int64(time.Hour))
	release, stopped := hold(t, &w.mu), make(chan bool, 1)
	go func() { stopped <- tm.Stop() }()
	blockedIn(t, 1, "quiesce")
	within(t, func() { w.AfterFunc(2*time.Hour, func() {}) }) // without Wheel.mu, as the alarm rings before that
	release()
	require.True(t, receive(t, stopped))
	require.LessOrEqual(t, w.alarm.at.Load(), w.elapsed()+int64(2*time.Hour), "the alarm does not ring for the timer")
}

// Promise 9.13: nor does a deletion that finds its timer, or a member, running, and waits for that or
// does not.
func TestNoWakeUpIsLeftByADeletionDuringARun(t *testing.T) {
	for name, del := range map[string]func(g *Group, tm Timer){
		"Del":           func(_ *Group, tm Timer) { tm.Del() },
		"Stop":          func(_ *Group, tm Timer) { tm.Stop() },
		"Shutdown":      func(_ *Group, tm Timer) { tm.Shutdown() },
		"DelAsync":      func(_ *Group, tm Timer) { tm.DelAsync(func() {}) },
		"DelSync":       func(_ *Group, tm Timer) { _, _ = tm.DelSync() },
		"Group.Del":     func(g *Group, _ Timer) { g.Del() },
		"Group.DelSync": func(g *Group, _ Timer) { _, _ = g.DelSync() },
	} {
		t.Run(name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := newTestWheel(t, Options{})
				g := w.NewGroup()
				gate, open := newGate(t)
				tm := g.Alloc(func(Timer) { <-gate })
				require.NoError(t, tm.Register(0))
				time.Sleep(10 * time.Millisecond)
				require.NoError(t, tm.Register(time.Hour))
				require.False(t, w.alarmIsOff())
				go del(g, tm)
				synctest.Wait()
				require.True(t, tm.Running() && !tm.Pending())
				require.True(t, w.alarmIsOff(), "nothing pends, and the alarm is set")
				open()
			})
		})
	}
}

// Promise 3.3: the goroutine that the alarm has called clears it before it does anything else. While it
// waits, for a shard's lock or a processor, the alarm is set for what is registered: it calls another.
func TestTheAlarmsGoroutineClearsItFirst(t *testing.T) {
	w := twoShards(t)
	release := hold(t, &w.shards[1].mu)
	(&Group{sh: w.shards[0]}).AfterFunc(time.Millisecond, func() {})
	blockedIn(t, 1, "wanted")
	(&Group{sh: w.shards[0]}).AfterFunc(time.Hour, func() {})
	at := w.alarm.at.Load()
	release()
	require.Greater(t, at, w.elapsed(), "the alarm has rung, and is not set again")
	require.Less(t, at, int64(never), "the alarm is not set")
}
