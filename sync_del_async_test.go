package timerwheel_test

import (
	"fmt"
	"maps"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
)

// Promise 4, table: DelAsync of a running timer. Promise 12: one that waits counts in SyncWaits and
// in Waiters.
func TestDelAsyncOfARunningTimer(t *testing.T) {
	for _, here := range []bool{false, true} {
		for _, again := range delAgains {
			bubble(t, fmt.Sprintf("here=%t/%s", here, again.name), timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				tm, p := newRun(t, w)
				again.register(t, tm)

				var done, early atomic.Int32
				del := func() (timerwheel.Found, error) {
					return tm.DelAsync(func() {
						done.Add(1)
						if p.ended.Load() == 0 || tm.Running() {
							early.Add(1)
						}
					}), nil
				}
				want := again.found
				want.Running = true
				deletingHere(p, here, del).requires(t, want, nil)
				require.False(t, tm.Pending())
				require.Equal(t, 1, w.Running()[0].Waiters)
				require.EqualValues(t, 1, w.Stats().SyncWaits)
				requireRefused(t, w, tm, timerwheel.ErrDeleting)
				elapse(time.Minute)
				require.Zero(t, done.Load(), "done before the handler has returned")

				p.end()
				settle()
				require.EqualValues(t, 1, done.Load())
				require.Zero(t, early.Load())
				require.NoError(t, tm.Register(time.Minute), "the refusal outlived the run")
				p.let()
				elapse(2 * time.Hour)
				require.EqualValues(t, 2, p.begun.Load())
				require.EqualValues(t, 1, done.Load(), "done runs once")
			})
		}
	}
}

// Promise 4: "done runs on a goroutine of the wheel, also for a timer that is idle or stale, never
// in the caller", once each.
func TestDelAsyncOfATimerThatDoesNotRun(t *testing.T) {
	states := maps.Clone(goneTimers)
	states["pending"] = func(_ *testing.T, w *timerwheel.Wheel, _ *timerwheel.Group) timerwheel.Timer {
		return w.AfterFunc(time.Hour, func() {})
	}
	for name, reach := range states {
		bubble(t, name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			tm := reach(t, w, w.NewGroup())
			var done, inCaller atomic.Int32
			caller := goroutineName()
			found := tm.DelAsync(func() {
				done.Add(1)
				if goroutineName() == caller {
					inCaller.Add(1)
				}
			})
			require.Equal(t, timerwheel.Found{Pending: name == "pending"}, found)
			elapse(30 * time.Minute)
			require.EqualValues(t, 1, done.Load())
			require.Zero(t, inCaller.Load())
			require.Zero(t, w.Stats().SyncWaits)
		})
	}
}

// Promise 4: done runs "never in the caller and never under a lock": neither the wheel's, so that
// it may call everything, nor the caller's own, nor the lock that the timer is bound to.
func TestDelAsyncDoneRunsUnderNoLock(t *testing.T) {
	everything := func(w *timerwheel.Wheel, tm timerwheel.Timer) {
		_, _, _ = w.Stats(), w.Running(), w.Now()
		_, _ = w.Next()
		_, _, _, _ = tm.Pending(), tm.Running(), tm.Valid(), tm.String()
		_ = tm.Register(time.Hour)
		tm.Del()
		_, _ = tm.DelSync()
		_ = tm.Retain()
		_ = tm.Free()
		_ = w.Alloc(delIgnore).Free()
		_, _ = w.NewGroup().DelSync()
		w.AfterFunc(time.Hour, func() {}).Stop()
	}
	for _, running := range []bool{false, true} {
		bubble(t, fmt.Sprintf("running=%t", running), timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			p, mine, bound := newPuppet(t), newLockProbe(t), newLockProbe(t)
			tm := w.AllocLocked(bound, p.handle)
			if running {
				startRun(t, tm)
			}
			var done atomic.Int32
			del := func() (timerwheel.Found, error) {
				mine.take()
				defer mine.drop()
				return tm.DelAsync(func() {
					mine.take()
					defer mine.drop()
					bound.take()
					defer bound.drop()
					everything(w, tm)
					done.Add(1)
				}), nil
			}
			// If it runs, in its own handler, whose worker holds the lock.
			deletingHere(p, running, del).requires(t, timerwheel.Found{Running: running}, nil)
			p.let()
			settle()
			require.EqualValues(t, 1, done.Load())
		})
	}
}

// Promise 4: "A nil done panics", promise 12: "before any effect".
func TestDelAsyncOfNilPanicsBeforeAnyEffect(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		tm, _ := newRun(t, w)
		require.NoError(t, tm.Register(time.Hour))
		before := w.Stats()
		require.Panics(t, func() { tm.DelAsync(nil) })
		require.Equal(t, before, w.Stats())
		require.True(t, tm.Pending())
		require.Zero(t, w.Running()[0].Waiters)
		require.NoError(t, tm.Register(time.Minute), "the DelAsync that panicked refuses Registers")

		stale := w.Alloc(delIgnore)
		require.NoError(t, stale.Free())
		require.Panics(t, func() { stale.DelAsync(nil) })
		require.Panics(t, func() { timerwheel.Timer{}.DelAsync(nil) })
	})
}

// Promise 9: "every goroutine of the wheel is joined": a DelAsync that Close overtakes must not start
// a goroutine of the wheel for its done after Close has looked.
func TestNoDoneOfTheWheelsIsSentAfterClose(t *testing.T) {
	deadline := time.Now().Add(raceTime())
	for round := 0; round < raceRounds(2000) && time.Now().Before(deadline); round++ {
		w, err := timerwheel.New(timerwheel.Options{})
		require.NoError(t, err)
		idle := w.Alloc(func(timerwheel.Timer) {})
		done := make(chan struct{})
		deleted := inBackground(func() { idle.DelAsync(func() { close(done) }) })
		require.NoError(t, w.Close())
		for over := false; !over; runtime.Gosched() {
			over = isClosed(deleted)
			require.Zero(t, w.Stats().Workers, "a goroutine of the wheel after Close")
		}
		receive(t, done)
	}
}
