package timerwheel_test

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// Contract 9: "pending timers are dropped with the wheel's references (owners still Free
// theirs)". One timer for each way to be pending.
func TestCloseDropsPendingTimersAndTheWheelsReferences(t *testing.T) {
	for _, e := range enders {
		t.Run(e.name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{})
				never := func(timerwheel.Timer) { t.Error("a dropped timer fired") }
				l, g := newDurableLock(), w.NewGroup()
				l.Lock()
				owned := map[string]timerwheel.Timer{
					"near":                       w.Alloc(never),
					"far":                        w.Alloc(never),
					"for never":                  w.Alloc(never),
					"moved":                      w.Alloc(never),
					"retained":                   w.Alloc(never),
					"of a group":                 g.Alloc(never),
					"due, but its lock is taken": w.AllocLocked(l, never),
				}
				for name, d := range map[string]time.Duration{"near": time.Second, "far": 24 * 365 * time.Hour, "for never": math.MaxInt64, "moved": time.Second,
					"retained": time.Minute, "of a group": time.Minute, "due, but its lock is taken": 0} {
					require.NoError(t, owned[name].Register(d))
				}
				require.NoError(t, owned["moved"].Register(time.Hour))
				require.NoError(t, owned["retained"].Retain())

				unowned := map[string]timerwheel.Timer{
					"AfterFunc":      w.AfterFunc(time.Second, func() { never(timerwheel.Timer{}) }),
					"Every":          w.Every(time.Second, never),
					"freed, pending": w.Alloc(never),
					"group's":        g.AfterFunc(time.Second, func() { never(timerwheel.Timer{}) }),
				}
				require.NoError(t, unowned["freed, pending"].Register(time.Minute))
				require.NoError(t, unowned["freed, pending"].Free())

				// One worker waits for l, which stays taken for a while; another is in a
				// handler that has armed its own timer again.
				release := openedAtTheEnd(t)
				busy := w.Alloc(func(tm timerwheel.Timer) {
					assert.NoError(t, tm.Register(0))
					<-release
				})
				require.NoError(t, busy.Register(0))
				time.Sleep(10 * time.Millisecond)
				owned["running, and due again"] = busy
				before := w.Stats()
				require.Equal(t, len(owned)+len(unowned), before.Pending)
				require.Equal(t, 1, before.Running)

				ended := inBackground(func() { assert.NoError(t, e.end(w)) })
				synctest.Wait()
				require.False(t, isClosed(ended))
				s := w.Stats()
				require.Zero(t, s.Pending, "dropped at once, not when the last handler has returned")
				require.Equal(t, before.Removed+uint64(before.Pending), s.Removed, "Removed counts what Close removes")
				for name, tm := range unowned {
					require.False(t, tm.Valid(), "%s: nobody holds it", name)
				}
				l.Unlock()
				close(release)
				<-ended

				s = w.Stats()
				require.Equal(t, len(owned), s.Live)
				require.EqualValues(t, 1, s.Fired)
				countsAddUp(t, w)
				_, ok := w.Next()
				require.False(t, ok)
				require.Equal(t, 1, g.Len(), "the owned member stays, the other is recycled")
				require.NoError(t, owned["retained"].Free())
				for name, tm := range owned {
					require.True(t, tm.Valid(), name)
					require.False(t, tm.Pending(), name)
					require.NoError(t, tm.Free(), name)
					require.False(t, tm.Valid(), name)
					require.ErrorIs(t, tm.Free(), timerwheel.ErrStale, name)
				}
				require.Zero(t, w.Stats().Live)
				time.Sleep(time.Hour)
				require.EqualValues(t, 1, w.Stats().Fired)
			})
		})
	}
}

// Contract 9: at Close "pending timers are dropped with the wheel's references (owners
// still Free theirs)".
func TestCloseDropsTheWheelsReferencesOnly(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	owned, idle := w.Alloc(func(timerwheel.Timer) {}), w.Alloc(func(timerwheel.Timer) {})
	require.NoError(t, owned.Register(time.Hour))
	ownerless := w.AfterFunc(time.Hour, func() {})
	require.NoError(t, w.Close())

	require.False(t, ownerless.Valid())
	require.ErrorIs(t, ownerless.Free(), timerwheel.ErrStale)
	for _, tm := range []timerwheel.Timer{owned, idle} {
		require.True(t, tm.Valid())
		require.False(t, tm.Pending())
		require.NoError(t, tm.Retain())
		require.NoError(t, tm.Free())
		require.NoError(t, tm.Free())
		require.False(t, tm.Valid())
	}
	require.Zero(t, w.Stats().Live)
}

// Contract 9: "handlers in flight are waited for, every goroutine of the wheel is joined".
func TestCloseWaitsForEveryHandlerInFlight(t *testing.T) {
	for _, e := range enders {
		t.Run(e.name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				goroutines := runtime.NumGoroutine()
				w := openWheel(t, timerwheel.Options{})
				var returned atomic.Int32
				const handlers = 5
				var release [handlers]chan struct{}
				for i := range release {
					release[i] = make(chan struct{})
					w.AfterFunc(0, func() {
						<-release[i]
						returned.Add(1)
					})
				}
				time.Sleep(100 * time.Millisecond)
				require.Len(t, w.Running(), handlers)
				ended := inBackground(func() {
					assert.NoError(t, e.end(w))
					assert.EqualValues(t, handlers, returned.Load())
					assert.Zero(t, w.Stats().Workers, "joined by the return, not soon after it")
					assert.Zero(t, w.Stats().Running)
				})
				for i := range release {
					synctest.Wait()
					require.False(t, isClosed(ended), "%d handlers are still in flight", handlers-i)
					close(release[i])
				}
				<-ended
				synctest.Wait()
				noMoreGoroutinesThan(t, goroutines)
			})
		})
	}
}

// Contract 9 and 11: handlers that end by Goexit or panic are joined as the others are.
func TestCloseJoinsHandlersThatMisbehave(t *testing.T) {
	for name, end := range map[string]func(){"panic": func() { panic("on purpose") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{OnPanic: func(timerwheel.HandlerPanic) {}})
				release := openedAtTheEnd(t)
				for range 3 {
					w.AfterFunc(0, func() {
						<-release
						end()
					})
				}
				time.Sleep(10 * time.Millisecond)
				require.Equal(t, 3, w.Stats().Running)
				ended := inBackground(func() { assert.NoError(t, w.Close()) })
				synctest.Wait()
				require.False(t, isClosed(ended))
				close(release)
				<-ended
				require.Zero(t, w.Stats().Workers)
			})
		})
	}
}

// Contract 9: Close waits for handlers in flight only: what is due and in line behind them
// is dropped, not run.
func TestCloseDoesNotRunWhatIsInLine(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{MaxWorkers: 1})
		release := openedAtTheEnd(t)
		w.AfterFunc(0, func() { <-release })
		time.Sleep(10 * time.Millisecond)
		for range 100 {
			w.AfterFunc(0, func() { t.Error("a handler began after Close") })
		}
		time.Sleep(10 * time.Millisecond)
		require.Equal(t, 100, w.Stats().Pending)
		ended := inBackground(func() { assert.NoError(t, w.Close()) })
		synctest.Wait()
		require.Zero(t, w.Stats().Pending)
		close(release)
		<-ended
		require.EqualValues(t, 1, w.Stats().Fired)
		require.EqualValues(t, 100, w.Stats().Removed)
	})
}

// Contract 9: "no Register succeeds any more", not even in a handler that Close waits for;
// and Every's next instant is dropped too.
func TestAHandlerInFlightCannotArmWhileCloseWaits(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		release := openedAtTheEnd(t)
		var runs atomic.Int32
		handler := func(tm timerwheel.Timer) {
			runs.Add(1)
			<-release
			assert.ErrorIs(t, tm.Register(0), timerwheel.ErrClosed)
			assert.False(t, tm.Reset(0))
			assert.False(t, w.AfterFunc(0, func() {}).Valid())
		}
		once, series := w.Alloc(handler), w.Every(time.Millisecond, handler)
		require.NoError(t, once.Register(0))
		time.Sleep(10 * time.Millisecond)
		require.EqualValues(t, 2, runs.Load())
		require.True(t, series.Pending(), "during a run the next instant is pending")
		ended := inBackground(func() { assert.NoError(t, w.Close()) })
		synctest.Wait()
		require.False(t, series.Pending())
		close(release)
		<-ended
		require.False(t, series.Valid())
		time.Sleep(time.Second)
		require.EqualValues(t, 2, runs.Load())
		countsAddUp(t, w)
	})
}

// Contract 9: "Twice is fine."
func TestClosingTwiceIsFine(t *testing.T) {
	for _, first := range enders {
		for _, second := range enders {
			t.Run(first.name+"/"+second.name, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{})
				w.AfterFunc(time.Hour, func() {})
				require.NoError(t, first.end(w))
				require.NoError(t, second.end(w))
				require.NoError(t, first.end(w))
				require.EqualValues(t, 1, w.Stats().Removed)
			})
		}
	}
}

// Contract 9: each of several concurrent Closes keeps Close's promises: none returns before
// the handlers in flight have.
func TestConcurrentClosesAllWait(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		release := openedAtTheEnd(t)
		w.AfterFunc(0, func() { <-release })
		time.Sleep(10 * time.Millisecond)
		var ended []<-chan struct{}
		for range 3 {
			for _, e := range enders {
				ended = append(ended, inBackground(func() {
					assert.NoError(t, e.end(w))
					assert.Zero(t, w.Stats().Workers)
				}))
			}
		}
		synctest.Wait()
		for _, c := range ended {
			require.False(t, isClosed(c))
		}
		close(release)
		synctest.Wait()
		for _, c := range ended {
			require.True(t, isClosed(c))
		}
	})
}

// Contract 9: "From a handler, or from any other function that the wheel calls, it marks
// the wheel closed, does not wait, and returns ErrDeadlock."
func TestCloseFromAFunctionThatTheWheelCalls(t *testing.T) {
	type hooks struct {
		panicked func(timerwheel.HandlerPanic)
		stalled  func(timerwheel.Stall)
	}
	// Each case arranges that the wheel calls the function call, once.
	cases := []struct {
		name    string
		arrange func(t *testing.T, w *timerwheel.Wheel, h *hooks, call func())
	}{
		{"a handler", func(t *testing.T, w *timerwheel.Wheel, _ *hooks, call func()) {
			require.NoError(t, w.Alloc(func(timerwheel.Timer) { call() }).Register(0))
		}},
		{"AfterFunc's function", func(_ *testing.T, w *timerwheel.Wheel, _ *hooks, call func()) {
			w.AfterFunc(0, call)
		}},
		{"Every's handler", func(_ *testing.T, w *timerwheel.Wheel, _ *hooks, call func()) {
			w.Every(time.Millisecond, func(timerwheel.Timer) { call() })
		}},
		{"a member's handler", func(_ *testing.T, w *timerwheel.Wheel, _ *hooks, call func()) {
			w.NewGroup().AfterFunc(0, call)
		}},
		{"a lock-bound handler", func(t *testing.T, w *timerwheel.Wheel, _ *hooks, call func()) {
			require.NoError(t, w.AllocLocked(newDurableLock(), func(timerwheel.Timer) { call() }).Register(0))
		}},
		{"a deferred function of a handler that panics", func(_ *testing.T, w *timerwheel.Wheel, h *hooks, call func()) {
			h.panicked = func(timerwheel.HandlerPanic) {}
			w.AfterFunc(0, func() {
				defer call()
				panic("on purpose")
			})
		}},
		{"OnPanic", func(_ *testing.T, w *timerwheel.Wheel, h *hooks, call func()) {
			h.panicked = func(timerwheel.HandlerPanic) { call() }
			w.AfterFunc(0, func() { panic("on purpose") })
		}},
		{"OnStall", func(_ *testing.T, w *timerwheel.Wheel, h *hooks, call func()) {
			h.stalled = func(timerwheel.Stall) { call() }
			w.AfterFunc(0, func() { time.Sleep(5 * time.Second) })
		}},
		{"done of a deletion that waited", func(t *testing.T, w *timerwheel.Wheel, _ *hooks, call func()) {
			tm := w.AfterFunc(0, func() { time.Sleep(500 * time.Millisecond) })
			time.Sleep(10 * time.Millisecond)
			found := tm.DelAsync(call)
			require.Equal(t, timerwheel.Found{Running: true}, found)
		}},
		{"done of an idle timer", func(t *testing.T, w *timerwheel.Wheel, _ *hooks, call func()) {
			w.Alloc(func(timerwheel.Timer) {}).DelAsync(call)
		}},
		{"the user's Lock", func(t *testing.T, w *timerwheel.Wheel, _ *hooks, call func()) {
			l := &hookedLock{durableLock: newDurableLock(), onLock: call}
			// The Close drops the firing that the worker holds the lock for.
			require.NoError(t, w.AllocLocked(l, func(timerwheel.Timer) { t.Error("ran although dropped") }).Register(0))
		}},
		{"the user's Unlock", func(t *testing.T, w *timerwheel.Wheel, _ *hooks, call func()) {
			l := &hookedLock{durableLock: newDurableLock(), onUnlock: call}
			require.NoError(t, w.AllocLocked(l, func(timerwheel.Timer) {}).Register(0))
		}},
	}
	for _, e := range enders {
		for _, c := range cases {
			t.Run(e.name+"/"+c.name, func(t *testing.T) {
				guarded(t, func(t *testing.T) {
					h := &hooks{
						panicked: func(p timerwheel.HandlerPanic) { t.Errorf("unexpected panic %v", p.Value) },
						stalled:  func(timerwheel.Stall) { t.Error("unexpected stall") },
					}
					w := openWheel(t, timerwheel.Options{
						OnPanic: func(p timerwheel.HandlerPanic) { h.panicked(p) },
						OnStall: func(s timerwheel.Stall) { h.stalled(s) },
					})
					bystander := w.Alloc(func(timerwheel.Timer) { t.Error("a dropped timer fired") })
					require.NoError(t, bystander.Register(time.Minute))
					var calls atomic.Int32
					c.arrange(t, w, h, func() {
						calls.Add(1)
						before := time.Now()
						assert.ErrorIs(t, e.end(w), timerwheel.ErrDeadlock)
						assert.ErrorIs(t, e.end(w), timerwheel.ErrDeadlock, "it still cannot wait for itself")
						assert.Zero(t, time.Since(before), "it does not wait")
						assert.ErrorIs(t, bystander.Register(0), timerwheel.ErrClosed)
					})
					time.Sleep(10 * time.Second)
					require.EqualValues(t, 1, calls.Load())
					require.Zero(t, w.Stats().Workers, "the wheel ends by itself when its last function returns")
					require.False(t, bystander.Pending())
					require.NoError(t, e.end(w), "and from outside, closing it again is fine")
					require.NoError(t, bystander.Free())
					countsAddUp(t, w)
				})
			})
		}
	}
}

// Contract 9: Close "from a handler … does not wait", also where others wait for that
// handler, handlers that are links of a chain among them: the chain ends as it would have,
// and with it the wheel.
func TestCloseInAHandlerThatOthersWaitFor(t *testing.T) {
	for _, e := range enders {
		bubble(t, e.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			const n = 10
			var puppets [n]*puppet
			var timers [n]timerwheel.Timer
			g := w.NewGroup()
			for i := range n {
				puppets[i] = newPuppet(t)
				timers[i] = g.Alloc(puppets[i].handle)
				startRun(t, timers[i])
			}
			var calls [n - 1]*deletion
			for i := range n - 1 {
				calls[i] = puppets[i].call(timers[i+1].DelSync)
				require.True(t, calls[i].waits())
			}
			whole := deleting(g.ShutdownSync)
			closed := deleting(func() (timerwheel.Found, error) { return foundNone, e.end(w) })
			require.True(t, whole.waits())
			require.True(t, closed.waits())
			puppets[n-1].tell(func() {
				before := time.Now()
				assert.ErrorIs(t, e.end(w), timerwheel.ErrDeadlock)
				_, err := timers[0].DelSync()
				assert.ErrorIs(t, err, timerwheel.ErrDeadlock, "a closed wheel sees circles, too")
				assert.Zero(t, time.Since(before))
			})
			for i := n - 1; i > 0; i-- {
				require.True(t, calls[i-1].waits())
				puppets[i].let()
				calls[i-1].requires(t, foundRunning, nil)
			}
			require.True(t, closed.waits())
			puppets[0].let()
			whole.requires(t, foundRunning, nil)
			closed.requires(t, foundNone, nil)
		})
	}
}

// Contract 9 with 4: a deletion that waits and a Close that waits for the same handler do
// not hinder each other, and a circle that Close would close is none: "does not wait".
func TestDeletionsAndCloseWaitForOneHandler(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		release := openedAtTheEnd(t)
		closer := w.Alloc(func(timerwheel.Timer) {
			<-release
			assert.ErrorIs(t, w.Close(), timerwheel.ErrDeadlock)
		})
		deleter := w.Alloc(func(timerwheel.Timer) {
			found, err := closer.DelSync()
			assert.NoError(t, err)
			assert.Equal(t, timerwheel.Found{Running: true}, found)
		})
		require.NoError(t, closer.Register(0))
		time.Sleep(10 * time.Millisecond)
		require.NoError(t, deleter.Register(0))
		time.Sleep(10 * time.Millisecond)
		deleted := inBackground(func() { _, err := deleter.DelSync(); assert.NoError(t, err) })
		ended := inBackground(func() { assert.NoError(t, w.Close()) })
		synctest.Wait()
		require.False(t, isClosed(deleted) || isClosed(ended))
		close(release)
		<-deleted
		<-ended
		found, err := closer.DelSync()
		require.NoError(t, err)
		require.Zero(t, found)
	})
}

// Contract 9: a Close in a handler must not wait for itself, and neither must a Close
// outside forget to wait because somebody else closed first.
func TestCloseOutsideWaitsAlthoughAHandlerClosedFirst(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		first, second := openedAtTheEnd(t), openedAtTheEnd(t)
		w.AfterFunc(0, func() {
			<-first
			assert.ErrorIs(t, w.Close(), timerwheel.ErrDeadlock, "while another Close waits for this handler")
			<-second
		})
		w.AfterFunc(0, func() {
			assert.ErrorIs(t, w.Close(), timerwheel.ErrDeadlock)
			<-second
		})
		time.Sleep(10 * time.Millisecond)
		ended := inBackground(func() { assert.NoError(t, w.Close()) })
		close(first)
		synctest.Wait()
		require.False(t, isClosed(ended))
		require.Equal(t, 2, w.Stats().Running)
		close(second)
		<-ended
	})
}

// Contract 9 says "from a handler"; Contract 4: "a goroutine that the handler started is
// not the handler". So that one's Close waits.
func TestCloseFromAGoroutineThatAHandlerStartedWaits(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		release := openedAtTheEnd(t)
		ends := make(chan (<-chan struct{}), 1)
		w.AfterFunc(0, func() {
			ends <- inBackground(func() { assert.NoError(t, w.Close()) })
			<-release
		})
		ended := <-ends
		synctest.Wait()
		require.False(t, isClosed(ended))
		close(release)
		<-ended
	})
}

// Contract 9 is about one wheel: for another wheel, a handler of this one is any goroutine,
// and its Close waits.
func TestCloseOfAnotherWheelInAHandlerWaits(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w, other := openWheel(t, timerwheel.Options{}), openWheel(t, timerwheel.Options{})
		release := openedAtTheEnd(t)
		other.AfterFunc(0, func() { <-release })
		time.Sleep(10 * time.Millisecond)
		closed := make(chan struct{})
		w.AfterFunc(0, func() {
			assert.NoError(t, other.Close())
			close(closed)
		})
		time.Sleep(10 * time.Millisecond)
		require.False(t, isClosed(closed))
		close(release)
		<-closed
		fired := make(chan struct{})
		w.AfterFunc(0, func() { close(fired) })
		<-fired
	})
}

// Contract 9: "Shutdown(ctx) bounds the wait."
func TestShutdownOfAWheelIsBoundedByItsContext(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		release := openedAtTheEnd(t)
		w.AfterFunc(0, func() { <-release })
		pending := w.Alloc(func(timerwheel.Timer) { t.Error("a dropped timer fired") })
		require.NoError(t, pending.Register(time.Hour))
		time.Sleep(10 * time.Millisecond)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		require.ErrorIs(t, w.CloseContext(ctx), context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
		require.False(t, pending.Pending(), "closed all the same")
		require.ErrorIs(t, pending.Register(0), timerwheel.ErrClosed)
		require.Equal(t, 1, w.Stats().Running)
		require.ErrorIs(t, w.CloseContext(ctx), context.DeadlineExceeded, "the handler is still in flight")

		canceled, stop := context.WithCancel(t.Context())
		ended := inBackground(func() { assert.ErrorIs(t, w.CloseContext(canceled), context.Canceled) })
		synctest.Wait()
		require.False(t, isClosed(ended))
		stop()
		<-ended

		long, cancelLong := context.WithTimeout(t.Context(), time.Hour)
		defer cancelLong()
		ended = inBackground(func() { assert.NoError(t, w.CloseContext(long)) })
		synctest.Wait()
		require.False(t, isClosed(ended), "a Shutdown that gave up leaves the next one its wait")
		close(release)
		<-ended
		require.NoError(t, w.Close())
		require.Zero(t, w.Stats().Workers)
	})
}

// Contract 12: "Close waits for the dones of deletions that were waiting." For each kind of
// handler whose end calls done.
func TestCloseWaitsForTheDonesOfWaitingDeletions(t *testing.T) {
	for _, e := range enders {
		t.Run(e.name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{})
				endHandler, endDone := openedAtTheEnd(t), openedAtTheEnd(t)
				tm := w.AfterFunc(0, func() { <-endHandler })
				time.Sleep(10 * time.Millisecond)
				var begun, returned atomic.Int32
				for range 3 {
					found := tm.DelAsync(func() {
						begun.Add(1)
						<-endDone
						returned.Add(1)
					})
					require.Equal(t, timerwheel.Found{Running: true}, found)
				}
				ended := inBackground(func() {
					assert.NoError(t, e.end(w))
					assert.EqualValues(t, 3, returned.Load())
				})
				synctest.Wait()
				require.False(t, isClosed(ended))
				require.Zero(t, begun.Load(), "the handler is still in flight")
				close(endHandler)
				synctest.Wait()
				require.False(t, isClosed(ended), "a done is still in flight")
				require.NotZero(t, begun.Load())
				close(endDone)
				<-ended
			})
		})
	}
}

// Contract 12: "Close waits for the dones of deletions that were waiting".
func TestCloseWaitsForDones(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		p := newPuppet(t)
		tm := w.Alloc(p.handle)
		startRun(t, tm)
		gate := make(chan struct{})
		var done atomic.Int32
		tm.DelAsync(func() {
			<-gate
			done.Add(1)
		})
		c := deleting(func() (timerwheel.Found, error) { return timerwheel.Found{}, w.Close() })
		require.True(t, c.waits())
		p.let()
		require.True(t, c.waits(), "the done has not returned")
		close(gate)
		c.requires(t, foundNone, nil)
		require.EqualValues(t, 1, done.Load())
	})
}

// Contract 9: "every goroutine of the wheel is joined": those too that call OnPanic,
// OnStall and the done of an idle timer (Contract 4: "done runs on a goroutine of the
// wheel").
func TestCloseJoinsEveryFunctionThatTheWheelCalls(t *testing.T) {
	cases := map[string]func(t *testing.T, o *timerwheel.Options, block func()) func(*timerwheel.Wheel){
		"OnPanic": func(_ *testing.T, o *timerwheel.Options, block func()) func(*timerwheel.Wheel) {
			o.OnPanic = func(timerwheel.HandlerPanic) { block() }
			return func(w *timerwheel.Wheel) { w.AfterFunc(0, func() { panic("on purpose") }) }
		},
		"OnStall": func(_ *testing.T, o *timerwheel.Options, block func()) func(*timerwheel.Wheel) {
			o.OnStall = func(timerwheel.Stall) { block() }
			return func(w *timerwheel.Wheel) { w.AfterFunc(0, func() { time.Sleep(5 * time.Second) }) }
		},
		"done": func(t *testing.T, _ *timerwheel.Options, block func()) func(*timerwheel.Wheel) {
			return func(w *timerwheel.Wheel) {
				w.Alloc(func(timerwheel.Timer) {}).DelAsync(block)
			}
		},
	}
	for name, arrange := range cases {
		t.Run(name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				goroutines := runtime.NumGoroutine()
				release, entered := openedAtTheEnd(t), make(chan struct{})
				var o timerwheel.Options
				start := arrange(t, &o, func() {
					close(entered)
					<-release
				})
				w := openWheel(t, o)
				start(w)
				<-entered
				time.Sleep(10 * time.Second)
				ended := inBackground(func() { assert.NoError(t, w.Close()) })
				synctest.Wait()
				require.False(t, isClosed(ended))
				close(release)
				<-ended
				require.Zero(t, w.Stats().Workers)
				synctest.Wait()
				noMoreGoroutinesThan(t, goroutines)
			})
		})
	}
}

// Contract 6 with 9: a worker that waits for a user's lock is a goroutine of the wheel, and
// is joined; its timer is pending, and dropped.
func TestCloseJoinsAWorkerThatWaitsForALock(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w, l := openWheel(t, timerwheel.Options{}), newDurableLock()
		tm := w.AllocLocked(l, func(timerwheel.Timer) { t.Error("ran although dropped") })
		l.Lock()
		require.NoError(t, tm.Register(0))
		time.Sleep(10 * time.Millisecond)
		require.True(t, tm.Pending())
		ended := inBackground(func() { assert.NoError(t, w.Close()) })
		synctest.Wait()
		require.False(t, tm.Pending())
		require.False(t, isClosed(ended))
		l.Unlock()
		<-ended
		require.True(t, l.isFree())
		require.EqualValues(t, 1, w.Stats().Removed)
		require.Zero(t, w.Stats().Fired)
	})
}

// Contract 9 with 6: Close drops the firing of a timer whose worker waits for its lock, and joins
// that worker.
func TestLockedTimerIsDroppedByClose(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		l := newLockProbe(t)
		runs := 0
		tm := w.AllocLocked(l, func(timerwheel.Timer) { runs++ })
		l.take()
		require.NoError(t, tm.Register(0))
		settle()
		c := deleting(func() (timerwheel.Found, error) { return foundNone, w.Close() })
		require.True(t, c.waits(), "a goroutine of the wheel is still at the lock")
		l.drop()
		c.requires(t, foundNone, nil)
		require.False(t, tm.Pending())
		require.Zero(t, runs)
		require.False(t, l.taken())
		stats := w.Stats()
		require.EqualValues(t, 1, stats.Removed)
		require.Zero(t, stats.Workers)
	})
}

// Contract 9: "On a closed wheel Alloc is valid and its Register says ErrClosed; AfterFunc
// and Every return a Timer that is not Valid." Contract 12: those count in Refused.
func TestAClosedWheelMakesTimersThatCannotFire(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		before := w.NewGroup()
		require.NoError(t, w.Close())
		never := func(timerwheel.Timer) { t.Error("fired on a closed wheel") }
		for name, tm := range map[string]timerwheel.Timer{
			"Alloc": w.Alloc(never), "AllocLocked": w.AllocLocked(newDurableLock(), never),
			"Group.Alloc": before.Alloc(never), "Group.AllocLocked": w.NewGroup().AllocLocked(newDurableLock(), never),
		} {
			require.True(t, tm.Valid(), name)
			require.ErrorIs(t, tm.Register(0), timerwheel.ErrClosed, name)
			require.NoError(t, tm.Free(), name)
			require.False(t, tm.Valid(), name)
		}
		refused := w.Stats().Refused
		makers := map[string]func() timerwheel.Timer{
			"AfterFunc":       func() timerwheel.Timer { return w.AfterFunc(0, func() { never(timerwheel.Timer{}) }) },
			"Every":           func() timerwheel.Timer { return w.Every(time.Second, never) },
			"Group.AfterFunc": func() timerwheel.Timer { return before.AfterFunc(0, func() { never(timerwheel.Timer{}) }) },
			"Group.Every":     func() timerwheel.Timer { return w.NewGroup().Every(time.Second, never) },
		}
		for name, f := range makers {
			tm := f()
			refused++
			require.False(t, tm.Valid(), name)
			require.False(t, tm.Pending(), name)
			require.False(t, tm.Stop(), name)
			require.ErrorIs(t, tm.Free(), timerwheel.ErrStale, name)
			require.Equal(t, refused, w.Stats().Refused, name)
		}
		require.Zero(t, w.Stats().Live)
		require.Zero(t, before.Len())
		time.Sleep(time.Hour)
	})
}

// Contract 9 for groups: on a closed wheel a group's Alloc is valid and its Register says
// ErrClosed; its AfterFunc and Every return a Timer that is not Valid.
func TestGroupOnAClosedWheel(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		g := w.NewGroup()
		old := g.Alloc(delIgnore)
		require.NoError(t, old.Register(time.Hour))
		require.NoError(t, w.Close())
		for _, tm := range []timerwheel.Timer{old, g.Alloc(delIgnore), w.NewGroup().Alloc(delIgnore)} {
			require.True(t, tm.Valid())
			requireRefused(t, w, tm, timerwheel.ErrClosed)
		}
		before := w.Stats().Refused
		require.False(t, g.AfterFunc(0, func() {}).Valid())
		require.False(t, g.Every(time.Second, delIgnore).Valid())
		require.Equal(t, before+2, w.Stats().Refused)
		require.Equal(t, 2, g.Len())
	})
}

// Contract 9: the timers of a closed wheel can be named, asked, deleted, retained and
// freed: no verb panics, hangs, or finds anything.
func TestEveryVerbIsHarmlessOnAClosedWheel(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		handler := func(timerwheel.Timer) { t.Error("fired on a closed wheel") }
		g := w.NewGroup()
		timers := map[string]timerwheel.Timer{
			"was idle": w.Alloc(handler), "was pending": w.Alloc(handler), "of a group": g.Alloc(handler),
			"lock-bound": w.AllocLocked(newDurableLock(), handler),
			"stale":      w.AfterFunc(time.Minute, func() { handler(timerwheel.Timer{}) }), "zero": {},
		}
		require.NoError(t, timers["was pending"].Register(time.Minute))
		require.NoError(t, timers["of a group"].Register(time.Minute))
		require.NoError(t, timers["lock-bound"].Register(time.Minute))
		require.NoError(t, w.Close())
		timers["made later"] = w.Alloc(handler)

		dead, cancel := context.WithCancel(t.Context())
		cancel()
		for name, tm := range timers {
			valid := name != "stale" && name != "zero"
			var dones atomic.Int32
			deletions := map[string]func() (timerwheel.Found, error){
				"Del":                  func() (timerwheel.Found, error) { return tm.Del(), nil },
				"DelSync":              tm.DelSync,
				"DelSyncContext":       func() (timerwheel.Found, error) { return tm.DelSyncContext(t.Context()) },
				"DelSyncContext, dead": func() (timerwheel.Found, error) { return tm.DelSyncContext(dead) },
				"DelAsync":             func() (timerwheel.Found, error) { return tm.DelAsync(func() { dones.Add(1) }), nil },
			}
			for verb, del := range deletions {
				found, err := del()
				require.NoError(t, err, "%s of %s", verb, name)
				require.Zero(t, found, "%s of %s", verb, name)
			}
			if name != "zero" { // the zero Timer has no wheel to run its done
				synctest.Wait()
				require.EqualValues(t, 1, dones.Load(), "DelAsync of %s: done runs once", name)
			}
			require.False(t, tm.Stop(), name)
			require.False(t, tm.Reset(time.Second), name)
			require.False(t, tm.Pending(), name)
			require.False(t, tm.Running(), name)
			_, ok := tm.When()
			require.False(t, ok, name)
			require.NotEmpty(t, tm.String(), name)
			require.Equal(t, valid, tm.Valid(), name)
			if !valid {
				require.ErrorIs(t, tm.Retain(), timerwheel.ErrStale, name)
				require.ErrorIs(t, tm.Free(), timerwheel.ErrStale, name)
				continue
			}
			found, err := tm.ShutdownSync()
			require.NoError(t, err, name)
			require.Zero(t, found, name)
			require.ErrorIs(t, tm.Register(0), timerwheel.ErrShutdown, name)
			require.NoError(t, tm.Retain(), name)
			require.NoError(t, tm.Free(), name)
			require.True(t, tm.Valid(), name)
			require.NoError(t, tm.Free(), name)
			require.False(t, tm.Valid(), name)
		}
		for _, del := range []func() (timerwheel.Found, error){g.DelSync, func() (timerwheel.Found, error) { return g.DelSyncContext(dead) }, g.ShutdownSync} {
			found, err := del()
			require.NoError(t, err)
			require.Zero(t, found)
		}
		require.Zero(t, g.Len())
		require.Empty(t, w.Running())
		require.True(t, w.Now().Equal(time.Now()), "a closed wheel still tells the time")
		_, ok := w.Next()
		require.False(t, ok)
		s := w.Stats()
		require.Zero(t, s.Live)
		require.Zero(t, s.Workers)
		countsAddUp(t, w)
	})
}

// Contract 9: Close: "every goroutine of the wheel is joined".
func TestTenThousandWheelsMadeAndClosed(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	wheels := 10_000
	if testing.Short() {
		wheels = 1_000
	}
	var fired atomic.Int64
	for i := range wheels {
		w, err := timerwheel.New(timerwheel.Options{})
		require.NoError(t, err)
		before := fired.Load()
		pending := w.AfterFunc(time.Hour, func() {})
		for range i % 4 {
			w.AfterFunc(0, func() { fired.Add(1) })
		}
		idle := w.Alloc(func(timerwheel.Timer) {})
		if i%8 == 0 {
			runtime.Gosched() // let some be caught in the act
		}
		require.NoError(t, w.Close())
		stats := w.Stats()
		require.EqualValues(t, stats.Fired, fired.Load()-before, "a handler is not over when Close has returned")
		require.Zero(t, stats.Workers)
		require.Zero(t, stats.Pending)
		require.False(t, pending.Valid())
		require.NoError(t, idle.Free())
	}
}

// draining is a history after which nothing of a wheel is due, running or pending. It works
// in real time and in a bubble.
type draining struct {
	name string
	run  func(t *testing.T, w *timerwheel.Wheel)
}

// drainings is a list of ways to get there: by firing, by each deletion, by misbehaviour,
// by the end.
var drainings = []draining{
	{"never used", func(*testing.T, *timerwheel.Wheel) {}},
	{"allocated, never armed, never freed", func(_ *testing.T, w *timerwheel.Wheel) { w.Alloc(func(timerwheel.Timer) {}) }},
	{"AfterFunc fired", func(_ *testing.T, w *timerwheel.Wheel) {
		fired := make(chan struct{})
		w.AfterFunc(time.Millisecond, func() { close(fired) })
		<-fired
	}},
	{"a storm fired", func(_ *testing.T, w *timerwheel.Wheel) {
		var fired sync.WaitGroup
		for i := range 1000 {
			fired.Add(1)
			w.AfterFunc(time.Duration(i%3)*time.Millisecond, fired.Done)
		}
		fired.Wait()
	}},
	{"armed again by its handler", func(t *testing.T, w *timerwheel.Wheel) {
		fired, n := make(chan struct{}), 0
		tm := w.Alloc(func(tm timerwheel.Timer) {
			if n++; n < 5 {
				assert.NoError(t, tm.Register(time.Millisecond))
				return
			}
			close(fired)
		})
		require.NoError(t, tm.Register(time.Millisecond))
		<-fired
		require.NoError(t, tm.Free())
	}},
	{"Stop of AfterFunc", func(t *testing.T, w *timerwheel.Wheel) { require.True(t, w.AfterFunc(time.Hour, func() {}).Stop()) }},
	{"Del", func(t *testing.T, w *timerwheel.Wheel) { drainByDeletion(t, w, time.Hour, delNoError) }},
	{"DelSync", func(t *testing.T, w *timerwheel.Wheel) { drainByDeletion(t, w, time.Hour, timerwheel.Timer.DelSync) }},
	{"Shutdown of the timer", func(t *testing.T, w *timerwheel.Wheel) {
		drainByDeletion(t, w, time.Hour, timerwheel.Timer.ShutdownSync)
	}},
	{"Del of a timer for never", func(t *testing.T, w *timerwheel.Wheel) { drainByDeletion(t, w, math.MaxInt64, delNoError) }},
	{"DelAsync", func(t *testing.T, w *timerwheel.Wheel) {
		done := make(chan struct{})
		drainByDeletion(t, w, time.Hour, func(tm timerwheel.Timer) (timerwheel.Found, error) { return tm.DelAsync(func() { close(done) }), nil })
		<-done
	}},
	{"Free, then Del", func(t *testing.T, w *timerwheel.Wheel) {
		drainByDeletion(t, w, time.Hour, func(tm timerwheel.Timer) (timerwheel.Found, error) {
			assert.NoError(t, tm.Free())
			return tm.Del(), nil
		})
	}},
	{"moved earlier, later, deleted", func(t *testing.T, w *timerwheel.Wheel) {
		drainByDeletion(t, w, 24*time.Hour, func(tm timerwheel.Timer) (timerwheel.Found, error) {
			assert.NoError(t, tm.Register(time.Minute))
			assert.NoError(t, tm.Reduce(time.Second))
			assert.NoError(t, tm.Register(time.Hour))
			return tm.Del(), nil
		})
	}},
	{"moved earlier, fired", func(t *testing.T, w *timerwheel.Wheel) {
		fired := make(chan struct{})
		tm := w.Alloc(func(timerwheel.Timer) { close(fired) })
		require.NoError(t, tm.Register(time.Hour))
		require.NoError(t, tm.Register(time.Millisecond))
		<-fired
	}},
	{"deleted at every distance", func(t *testing.T, w *timerwheel.Wheel) {
		for d := time.Duration(1); d < math.MaxInt64/3; d *= 3 {
			tm := w.AfterFunc(time.Minute+d, func() {})
			found := tm.Del()
			require.True(t, found.Pending)
		}
	}},
	{"a series, DelSync", func(t *testing.T, w *timerwheel.Wheel) {
		ticks := make(chan struct{})
		series := w.Every(time.Millisecond, func(timerwheel.Timer) {
			select {
			case ticks <- struct{}{}:
			default: // nobody counts any more
			}
		})
		for range 3 {
			<-ticks
		}
		_, err := series.DelSync()
		require.NoError(t, err)
	}},
	{"a series, deleted by its handler", func(t *testing.T, w *timerwheel.Wheel) {
		end := make(chan struct{})
		w.Every(time.Millisecond, func(tm timerwheel.Timer) {
			found := tm.Del()
			assert.Equal(t, timerwheel.Found{Pending: true, Running: true}, found)
			close(end)
		})
		<-end
	}},
	{"a group", func(t *testing.T, w *timerwheel.Wheel) {
		g := w.NewGroup()
		for range 10 {
			g.AfterFunc(time.Hour, func() {})
			require.NoError(t, g.Alloc(func(timerwheel.Timer) {}).Register(time.Minute))
		}
		_, err := g.DelSync()
		require.NoError(t, err)
	}},
	{"lock-bound, fired", func(t *testing.T, w *timerwheel.Wheel) {
		fired := make(chan struct{})
		require.NoError(t, w.AllocLocked(newDurableLock(), func(timerwheel.Timer) { close(fired) }).Register(0))
		<-fired
	}},
	{"lock-bound, deleted while a worker waits for the lock", func(t *testing.T, w *timerwheel.Wheel) {
		waits := make(chan struct{})
		l := &hookedLock{durableLock: newDurableLock(), onLock: func() { close(waits) }}
		l.durableLock.Lock()
		defer l.durableLock.Unlock()
		tm := w.AllocLocked(l, func(timerwheel.Timer) { t.Error("ran although deleted") })
		require.NoError(t, tm.Register(0))
		<-waits
		found, err := tm.DelSync()
		require.NoError(t, err)
		require.Equal(t, timerwheel.Found{Pending: true}, found)
	}},
	{"panic", func(_ *testing.T, w *timerwheel.Wheel) {
		running := make(chan struct{})
		w.AfterFunc(0, func() {
			close(running)
			panic("on purpose")
		})
		<-running
	}},
	{"Goexit", func(_ *testing.T, w *timerwheel.Wheel) {
		running := make(chan struct{})
		w.AfterFunc(0, func() {
			close(running)
			runtime.Goexit()
		})
		<-running
	}},
	{"deletions that waited", func(t *testing.T, w *timerwheel.Wheel) {
		running, release, done := make(chan struct{}), openedAtTheEnd(t), make(chan struct{})
		tm := w.Alloc(func(timerwheel.Timer) {
			close(running)
			<-release
		})
		require.NoError(t, tm.Register(0))
		<-running
		dead, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := tm.DelSyncContext(dead)
		require.ErrorIs(t, err, context.Canceled)
		tm.DelAsync(func() { close(done) })
		deleted := inBackground(func() { _, err := tm.DelSync(); assert.NoError(t, err) })
		close(release)
		<-deleted
		<-done
	}},
	{"a stall", func(_ *testing.T, w *timerwheel.Wheel) {
		end := make(chan struct{})
		w.AfterFunc(0, func() {
			<-time.After(3 * drainStallAfter)
			close(end)
		})
		<-end
	}},
	{"Close", func(t *testing.T, w *timerwheel.Wheel) {
		w.AfterFunc(time.Hour, func() {})
		require.NoError(t, w.Close())
	}},
	{"Close in a handler", func(t *testing.T, w *timerwheel.Wheel) {
		end := make(chan struct{})
		w.AfterFunc(time.Hour, func() {})
		w.AfterFunc(0, func() {
			assert.ErrorIs(t, w.Close(), timerwheel.ErrDeadlock)
			close(end)
		})
		<-end
	}},
}

// drainStallAfter is short, so that the history "a stall" is quick in real time too.
const drainStallAfter = 5 * time.Millisecond

// drainingOptions are a plain wheel's, and those of one that watches everything. Two
// histories need OnPanic.
func drainingOptions(d draining) map[string]timerwheel.Options {
	watched := timerwheel.Options{
		OnPanic: func(timerwheel.HandlerPanic) {}, OnStall: func(timerwheel.Stall) {}, StallAfter: drainStallAfter, Debug: true,
	}
	if d.name == "panic" {
		return map[string]timerwheel.Options{"watched": watched}
	}
	return map[string]timerwheel.Options{"plain": {}, "watched": watched}
}

// Contract 9: "A wheel with nothing due and nothing running has no goroutine, at once,
// without lingering; with nothing pending, no wake-up either".
func TestADrainedWheelHasNoGoroutineAndNoWakeUp(t *testing.T) {
	for _, d := range drainings {
		for kind, o := range drainingOptions(d) {
			t.Run(d.name+"/"+kind, func(t *testing.T) {
				guarded(t, func(t *testing.T) {
					goroutines := runtime.NumGoroutine()
					w, err := timerwheel.New(o)
					require.NoError(t, err)
					d.run(t, w)
					synctest.Wait()
					require.Zero(t, w.Stats().Pending)
					require.Zero(t, w.Stats().Running)
					require.Zero(t, w.Stats().Workers)
					noMoreGoroutinesThan(t, goroutines)
					if n, ok := wakeUps(1000 * time.Hour); ok {
						require.Zero(t, n, "wake-ups of a drained wheel")
					}
					countsAddUp(t, w)
				})
			})
		}
	}
}

// drainByDeletion arms a timer for d and deletes it.
func drainByDeletion(t *testing.T, w *timerwheel.Wheel, d time.Duration, del func(timerwheel.Timer) (timerwheel.Found, error)) {
	t.Helper()
	tm := w.Alloc(func(timerwheel.Timer) { t.Error("a deleted timer fired") })
	require.NoError(t, tm.Register(d))
	found, err := del(tm)
	require.NoError(t, err)
	require.Equal(t, timerwheel.Found{Pending: true}, found)
}

// Contract 9: "A wheel with nothing due and nothing running has no goroutine, at once,
// without lingering". This bubble has no Close in it, and could not end if a goroutine of
// the wheel were left, a parked one included.
func TestUnclosedWheelHasNoGoroutine(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w, err := timerwheel.New(timerwheel.Options{})
		require.NoError(t, err)
		var runs atomic.Int32
		series := w.Every(time.Second, func(timerwheel.Timer) { runs.Add(1) })
		for range 50 {
			w.AfterFunc(time.Second, func() { time.Sleep(time.Millisecond); runs.Add(1) })
		}
		elapse(10*time.Second + time.Second/2)
		require.EqualValues(t, 60, runs.Load())
		require.Zero(t, w.Stats().Workers, "while only the future pends")
		require.True(t, series.Stop())
	})
}

// Contract 9: "a drained wheel that was never closed leaks nothing and is collected". In
// real time, with the workers seen to end there too.
func TestADrainedWheelIsCollected(t *testing.T) {
	defer crowdOfTimers()()
	for _, d := range drainings {
		for kind, o := range drainingOptions(d) {
			ok := t.Run(d.name+"/"+kind, func(t *testing.T) {
				ignored := goleak.IgnoreCurrent()
				collected(t, drainedAndForgotten(t, d, o))
				goleak.VerifyNone(t, ignored)
			})
			if !ok {
				return // each failure takes long
			}
		}
	}
}

// drainedAndForgotten keeps no wheel, and no timer, in a frame that outlives it.
//
//go:noinline
func drainedAndForgotten(t *testing.T, d draining, o timerwheel.Options) weak.Pointer[timerwheel.Wheel] {
	w, err := timerwheel.New(o)
	require.NoError(t, err)
	d.run(t, w)
	spinUntil(t, func() bool { return w.Stats().Workers == 0 }, "in real time, too, no worker lingers")
	return weak.Make(w)
}

// crowdOfTimers fills the runtime's timer heaps, and returns a function that empties them.
// The runtime forgets a stopped timer, with all that hangs on it, only when it comes across
// it: soon in an idle program, late in one that has many timers of its own.
func crowdOfTimers() (disperse func()) {
	var crowd [8][500]*time.Timer
	var makers sync.WaitGroup
	for i := range crowd {
		makers.Go(func() { // on whichever processor, for each has its own heap
			for k := range crowd[i] {
				crowd[i][k] = time.AfterFunc(time.Hour, func() {})
				runtime.Gosched()
			}
		})
	}
	makers.Wait()
	return func() {
		for i := range crowd {
			for _, tm := range crowd[i] {
				tm.Stop()
			}
		}
	}
}

// collected waits until the garbage collector has taken what p points to.
func collected[T any](t *testing.T, p weak.Pointer[T]) {
	t.Helper()
	spinUntil(t, func() bool {
		runtime.GC()
		return p.Value() == nil
	}, "something still holds it")
}

// spinUntil waits for a condition, for long, but without a timer: timers that come and go
// make the runtime tidy its heaps.
func spinUntil(t *testing.T, condition func() bool, otherwise string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); runtime.Gosched() {
		require.True(t, time.Now().Before(deadline), otherwise)
	}
}

// Contract 9: "a drained wheel that was never closed leaks nothing and is collected."
func TestDrainedWheelIsCollected(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	fires := func(t *testing.T, w *timerwheel.Wheel, n uint64) {
		eventually(t, "it has fired", func() bool { s := w.Stats(); return s.Fired >= n && s.Running == 0 })
	}
	for name, use := range map[string]func(t *testing.T, w *timerwheel.Wheel){
		"never used": func(*testing.T, *timerwheel.Wheel) {},
		"fired": func(t *testing.T, w *timerwheel.Wheel) {
			for range 100 {
				w.AfterFunc(time.Millisecond, func() {})
			}
			fires(t, w, 100)
		},
		"stopped": func(t *testing.T, w *timerwheel.Wheel) {
			for range 100 {
				assert.True(t, w.AfterFunc(time.Hour, func() {}).Stop())
			}
		},
		"series deleted": func(t *testing.T, w *timerwheel.Wheel) {
			tm := w.Every(time.Millisecond, func(timerwheel.Timer) {})
			fires(t, w, 3)
			_, err := tm.DelSync()
			assert.NoError(t, err)
		},
		"with idle timers that nobody freed": func(t *testing.T, w *timerwheel.Wheel) {
			for range 100 {
				assert.NoError(t, w.Alloc(func(timerwheel.Timer) { runtime.KeepAlive(w) }).Register(0))
			}
			fires(t, w, 100)
		},
		"with a deletion that waited": func(t *testing.T, w *timerwheel.Wheel) {
			begun := make(chan struct{})
			tm := w.Alloc(func(timerwheel.Timer) { close(begun); runtime.Gosched() })
			assert.NoError(t, tm.Register(0))
			<-begun
			_, err := tm.DelSync()
			assert.NoError(t, err)
		},
		"with a group": func(t *testing.T, w *timerwheel.Wheel) {
			g := w.NewGroup()
			g.AfterFunc(time.Hour, func() {})
			_, err := g.DelSync()
			assert.NoError(t, err)
		},
		"watched for stalls": func(t *testing.T, w *timerwheel.Wheel) {
			w.AfterFunc(0, func() { time.Sleep(5 * time.Millisecond) })
			fires(t, w, 1)
		},
		"from within": func(t *testing.T, w *timerwheel.Wheel) { // only the wheel's own timer ever held it
			w.AfterFunc(5*time.Millisecond, func() { runtime.KeepAlive(w) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := timerwheel.Options{}
			if name == "watched for stalls" {
				o.OnStall, o.StallAfter = func(timerwheel.Stall) {}, time.Millisecond
			}
			forgotten := func() weak.Pointer[timerwheel.Wheel] { // nothing of this frame is left on the stack below
				w, err := timerwheel.New(o)
				require.NoError(t, err)
				use(t, w)
				return weak.Make(w)
			}()
			eventually(t, "the wheel is collected", func() bool {
				runtime.GC()
				return forgotten.Value() == nil
			})
		})
	}
}

// Contract 9 and 10: a manual wheel is memory and nothing else: forgotten, it is collected.
func TestADrainedManualWheelIsCollected(t *testing.T) {
	forget := func() weak.Pointer[timerwheel.Wheel] {
		w, err := timerwheel.New(timerwheel.Options{Manual: true, Start: manualStart})
		require.NoError(t, err)
		w.AfterFunc(time.Second, func() {})
		w.AfterFunc(time.Hour, func() {}).Stop()
		advanceTo(t, w, manualStart.Add(time.Minute), 1)
		w.AfterFunc(0, func() { panic("on purpose") })
		require.Panics(t, func() { _, _ = w.Advance(w.Now()) })
		return weak.Make(w)
	}
	collected(t, forget())
}

// Contract 9 says "drained": a wheel that nobody holds, but in which something pends, must
// still fire it.
func TestAForgottenWheelFiresWhatPends(t *testing.T) {
	fired := make(chan struct{})
	func() {
		w, err := timerwheel.New(timerwheel.Options{})
		require.NoError(t, err)
		w.AfterFunc(50*time.Millisecond, func() { close(fired) })
	}()
	for deadline := time.Now().Add(10 * time.Second); !isClosed(fired); {
		require.True(t, time.Now().Before(deadline), "collected with a timer pending")
		runtime.GC()
	}
}

// Contract 9: no goroutine while things only pend, however many and however far; Contract
// 11: "one runtime timer, no ticking".
func TestAWheelWhoseTimersOnlyPendHasNoGoroutineAndDoesNotTick(t *testing.T) {
	for _, tick := range []time.Duration{time.Microsecond, time.Millisecond, time.Hour} {
		t.Run(tick.String(), func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				goroutines := runtime.NumGoroutine()
				w := openWheel(t, timerwheel.Options{Tick: tick})
				for i := range 1000 {
					w.AfterFunc(time.Duration(100+i)*time.Hour, func() {})
				}
				w.AfterFunc(math.MaxInt64, func() {})
				w.Every(200*time.Hour, func(timerwheel.Timer) {})
				synctest.Wait()
				require.Zero(t, w.Stats().Workers)
				noMoreGoroutinesThan(t, goroutines)
				if n, ok := wakeUps(99 * time.Hour); ok {
					// A wake-up that only sorts timers into finer levels is no tick, but
					// there are few levels.
					require.LessOrEqual(t, n, uint64(20), "wake-ups in 99 h, the first deadline being 100 h away")
				}
				require.Zero(t, w.Stats().Workers)
				require.Equal(t, 1002, w.Stats().Pending)
			})
		})
	}
}

// Contract 9 and 11: to watch costs nothing while there is nothing to watch: "no ticking",
// and "with nothing pending, no wake-up".
func TestWatchingForStallsWakesNoIdleWheel(t *testing.T) {
	histories := map[string]func(w *timerwheel.Wheel){
		"new":                          func(*timerwheel.Wheel) {},
		"after a short handler":        func(w *timerwheel.Wheel) { w.AfterFunc(0, func() { time.Sleep(time.Millisecond) }) },
		"after a stall":                func(w *timerwheel.Wheel) { w.AfterFunc(0, func() { time.Sleep(5 * time.Second) }) },
		"after a stalled one, deleted": func(w *timerwheel.Wheel) { _, _ = runningForAWhile(w).DelSync() },
	}
	for name, history := range histories {
		for _, pending := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/something pends: %v", name, pending), func(t *testing.T) {
				guarded(t, func(t *testing.T) {
					w := openWheel(t, timerwheel.Options{OnStall: func(timerwheel.Stall) {}})
					if pending {
						w.AfterFunc(1000*time.Hour, func() {})
					}
					history(w)
					for w.Stats().Running > 0 || w.Stats().Fired == 0 && name != "new" {
						time.Sleep(100 * time.Millisecond)
					}
					synctest.Wait()
					require.Zero(t, w.Stats().Workers)
					n, ok := wakeUps(900 * time.Hour)
					if !ok {
						t.Skip("this Go does not count goroutines")
					}
					if pending {
						require.LessOrEqual(t, n, uint64(20), "there are few levels")
					} else {
						require.Zero(t, n)
					}
				})
			})
		}
	}
}

func runningForAWhile(w *timerwheel.Wheel) timerwheel.Timer {
	tm := w.AfterFunc(0, func() { time.Sleep(5 * time.Second) })
	time.Sleep(100 * time.Millisecond)
	return tm
}

// Contract 11: "one runtime timer": what is due at one instant costs one wake-up, however
// many timers that is, not one each.
func TestOneWakeUpServesAllThatIsDue(t *testing.T) {
	for _, tick := range []time.Duration{time.Millisecond, time.Second} {
		t.Run(tick.String(), func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{Tick: tick})
				const timers = 5000
				for range timers {
					w.AfterFunc(time.Hour, func() {})
				}
				n, ok := wakeUps(2 * time.Hour)
				require.EqualValues(t, timers, w.Stats().Fired)
				if !ok {
					t.Skip("this Go does not count goroutines")
				}
				require.Positive(t, n)
				require.LessOrEqual(t, n, uint64(100), "some for the levels on the way, and for workers beside the first")
			})
		})
	}
}
