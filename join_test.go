package timerwheel

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// This file tests what happens between two critical sections, by staging who
// comes next.

// Contract 4: DelSync returns when the timer is "not pending" and its handler
// "not running" at one instant. The worker that begins the timer comes between
// any two critical sections of the deletion, if it has two, and the deletion
// between those of the worker: both are made to wait for the shard's lock, so
// long that it goes from hand to hand in their order.
func TestNoHandlerBeginsInTheMidstOfADeletion(t *testing.T) {
	type deletion func(g *Group, tm Timer) (Found, error)
	for name, del := range map[string]deletion{
		"DelSync":  func(_ *Group, tm Timer) (Found, error) { return tm.DelSync() },
		"Shutdown": func(_ *Group, tm Timer) (Found, error) { return tm.Shutdown() },
		"DelAsync": func(_ *Group, tm Timer) (found Found, err error) {
			done := make(chan struct{})
			found, err = tm.DelAsync(func() { close(done) })
			<-done
			return found, err
		},
		"Group.DelSync":  func(g *Group, _ Timer) (Found, error) { return g.DelSync() },
		"Group.Shutdown": func(g *Group, _ Timer) (Found, error) { return g.Shutdown() },
	} {
		for _, deletionFirst := range []bool{true, false} {
			t.Run(map[bool]string{true: name + " before the worker", false: name + " after the worker"}[deletionFirst], func(t *testing.T) {
				w, err := New(Options{})
				require.NoError(t, err)
				defer func() { require.NoError(t, w.Close()) }()
				const long = 2 * time.Millisecond // for a mutex: after one it is fair
				for range 10 {
					var inFlight, runs, late atomic.Int32
					var deleted atomic.Bool
					g := w.NewGroup()
					tm := g.Alloc(func(Timer) {
						if deleted.Load() {
							late.Add(1)
						}
						runs.Add(1)
						inFlight.Add(1)
						time.Sleep(time.Millisecond)
						inFlight.Add(-1)
					})
					over := make(chan Found)
					deletes := func() {
						found, err := del(g, tm)
						deleted.Store(true)
						if n := inFlight.Load(); err != nil || n != 0 {
							t.Errorf("%v, %v: the deletion has returned, and %d handlers are in flight", found, err, n)
						}
						over <- found
					}
					require.NoError(t, tm.Register(long))
					g.sh.lock()
					if deletionFirst {
						go deletes()
					}
					time.Sleep(2 * long) // the worker comes
					if !deletionFirst {
						go deletes()
						time.Sleep(long)
					}
					// Who is woken and finds the lock taken again asks for fairness.
					g.sh.unlock()
					g.sh.lock()
					time.Sleep(long / 10)
					g.sh.unlock()
					found := <-over
					time.Sleep(long)
					require.Zero(t, late.Load(), "a handler has begun after its deletion: %+v", found)
					require.Equal(t, runs.Load() == 0, found.Pending, "removed or fired, and not both")
				}
			})
		}
	}
}

// Contract 9: "every goroutine of the wheel is joined", also the one that the
// alarm has just called, and that has not done anything yet.
func TestCloseJoinsTheGoroutineThatTheAlarmHasJustCalled(t *testing.T) {
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			w, err := New(Options{})
			require.NoError(t, err)
			closed := make(chan bool)
			closer := func() {
				time.Sleep(time.Millisecond) // until the alarm rings
				err := w.Close()
				w.mu.Lock()
				defer w.mu.Unlock()
				closed <- err == nil && len(w.crew) == 0 && w.coming == 0 && w.alarm.rings == 0
			}
			go closer()
			w.AfterFunc(time.Millisecond, func() {})
			go closer()
			first, second := <-closed, <-closed
			require.True(t, first && second, "Close has returned, and a goroutine is still to come")
		})
	}
}
