package timerwheel_test

import (
	"context"
	"errors"
	"maps"
	"math"
	"runtime"
	"slices"
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

// closing ends a wheel on a goroutine of its own. It must wait; the channel is closed at its return.
func closing(t *testing.T, end func() error) <-chan struct{} {
	t.Helper()
	ended := inBackground(func() { assert.NoError(t, end()) })
	synctest.Wait()
	assert.False(t, isClosed(ended), "it has not waited")
	return ended
}

// requireLastReference frees the one reference to a timer.
func requireLastReference(t *testing.T, tm timerwheel.Timer, name string) {
	t.Helper()
	require.NoError(t, tm.Retain(), name)
	require.NoError(t, tm.Free(), name)
	require.True(t, tm.Valid(), name)
	require.NoError(t, tm.Free(), name)
	require.False(t, tm.Valid(), name)
	require.ErrorIs(t, tm.Free(), timerwheel.ErrStale, name)
}

// Promises 6.3, 9.2 and 9.4. One timer for each way to be pending, and one that is idle.
func TestCloseDropsPendingTimersAndTheWheelsReferences(t *testing.T) {
	for _, e := range enders {
		bubble(t, e.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			never := func(timerwheel.Timer) { t.Error("a dropped timer fired") }
			l, g := newDurableLock(), w.NewGroup()
			l.Lock()
			owned := map[string]timerwheel.Timer{
				"near":                       armed(w.Alloc(never), time.Second),
				"far":                        armed(w.Alloc(never), 24*365*time.Hour),
				"for never":                  armed(w.Alloc(never), math.MaxInt64),
				"moved":                      armed(armed(w.Alloc(never), time.Second), time.Hour),
				"retained":                   armed(w.Alloc(never), time.Minute),
				"of a group":                 armed(g.Alloc(never), time.Minute),
				"due, but its lock is taken": armed(w.AllocLocked(l, never), 0),
			}
			require.NoError(t, owned["retained"].Retain())
			unowned := map[string]timerwheel.Timer{
				"AfterFunc":      w.AfterFunc(time.Second, func() { never(timerwheel.Timer{}) }),
				"Every":          w.Every(time.Second, never),
				"freed, pending": armed(w.Alloc(never), time.Minute),
				"group's":        g.AfterFunc(time.Second, func() { never(timerwheel.Timer{}) }),
			}
			require.NoError(t, unowned["freed, pending"].Free())

			running, p := newRun(t, w)
			owned["running, and due again"] = armed(running, 0)
			before := w.Stats()
			require.Equal(t, len(owned)+len(unowned), before.Pending)
			require.Equal(t, 1, before.Running)
			owned["idle"] = w.Alloc(never)

			ended := closing(t, func() error { return e.end(w) })
			s := w.Stats()
			require.Zero(t, s.Pending, "dropped at once, not when the last handler has returned")
			require.Equal(t, before.Removed+uint64(before.Pending), s.Removed, "Removed counts what Close removes")
			for name, tm := range unowned {
				require.False(t, tm.Valid(), "%s: it has no owner", name)
				require.ErrorIs(t, tm.Free(), timerwheel.ErrStale, name)
			}
			p.let()
			synctest.Wait()
			require.False(t, isClosed(ended), "a goroutine of the wheel is still at the lock")
			l.Unlock()
			<-ended
			require.True(t, l.isFree())

			s = w.Stats()
			require.Equal(t, len(owned), s.Live)
			require.EqualValues(t, 1, s.Fired)
			require.Zero(t, s.Workers)
			requireLaw(t, s)
			_, ok := w.Next()
			require.False(t, ok)
			require.Equal(t, 1, g.Len(), "the owned member stays, the other is recycled")
			require.NoError(t, owned["retained"].Free())
			for name, tm := range owned {
				require.False(t, tm.Pending(), name)
				requireLastReference(t, tm, name)
			}
			require.Zero(t, w.Stats().Live)
			time.Sleep(time.Hour)
			require.EqualValues(t, 1, w.Stats().Fired)
		})
	}
}

// Promise 9.3: it does not matter how the handlers end.
func TestCloseWaitsForEveryHandlerInFlight(t *testing.T) {
	ends := maps.Clone(misbehaviours)
	ends["return"] = func() {}
	for _, e := range enders {
		for how, end := range ends {
			t.Run(e.name+"/"+how, func(t *testing.T) {
				guarded(t, func(t *testing.T) {
					goroutines := runtime.NumGoroutine()
					w := openWheel(t, timerwheel.Options{OnPanic: func(timerwheel.HandlerPanic) {}})
					var returned atomic.Int32
					const handlers = 5
					var release [handlers]chan struct{}
					for i := range release {
						release[i] = openedAtTheEnd(t)
						w.AfterFunc(0, func() {
							<-release[i]
							returned.Add(1)
							end()
						})
					}
					settle()
					require.Len(t, w.Running(), handlers)
					ended := closing(t, func() error {
						err := e.end(w)
						assert.EqualValues(t, handlers, returned.Load())
						assert.Zero(t, w.Stats().Workers, "joined by the return, not soon after it")
						assert.Zero(t, w.Stats().Running)
						return err
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
}

// Promise 9.1. The next instant of a series is dropped, too.
func TestAHandlerInFlightCannotArmWhileCloseWaits(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		once, first := newRun(t, w)
		second := newPuppet(t)
		series := w.Every(time.Millisecond, second.handle)
		settle()
		require.True(t, series.Running())
		require.True(t, series.Pending(), "during a run the next instant is pending")
		ended := closing(t, w.Close)
		require.False(t, series.Pending())
		for _, p := range []*puppet{first, second} {
			requireRefusedInHandler(t, w, p, timerwheel.ErrClosed, once, series)
			p.tell(func() { assert.False(t, w.AfterFunc(0, func() {}).Valid()) })
			p.let()
		}
		<-ended
		require.False(t, series.Valid())
		time.Sleep(time.Second)
		require.EqualValues(t, 1, first.begun.Load())
		require.EqualValues(t, 1, second.begun.Load())
		requireLaw(t, w.Stats())
	})
}

// Promises 9.2, 9.6, 9.7 and 9.8: none of several Closes returns before the handler in flight has, a
// goroutine's that the handler started included; what is in line behind that handler is dropped.
func TestConcurrentClosesAllWait(t *testing.T) {
	for _, first := range []string{"a handler closes first", "from outside only"} {
		bubble(t, first, timerwheel.Options{MaxWorkers: 1}, func(t *testing.T, w *timerwheel.Wheel) {
			_, p := newRun(t, w)
			for range 100 {
				w.AfterFunc(0, func() { t.Error("a handler began after Close") })
			}
			settle()
			require.Equal(t, 100, w.Stats().Pending)
			closeInHandler := func() { assert.ErrorIs(t, w.Close(), timerwheel.ErrDeadlock) }
			if first == "a handler closes first" {
				p.tell(closeInHandler)
			}
			var ended []<-chan struct{}
			for _, e := range enders {
				end := func() error {
					err := e.end(w)
					assert.Zero(t, w.Stats().Workers)
					return err
				}
				ended = append(ended, closing(t, end), closing(t, end))
				p.tell(func() { ended = append(ended, closing(t, end)) })
			}
			p.tell(closeInHandler)
			synctest.Wait()
			for _, c := range ended {
				require.False(t, isClosed(c))
			}
			require.Zero(t, w.Stats().Pending)
			p.let()
			synctest.Wait()
			for _, c := range ended {
				require.True(t, isClosed(c))
			}
			for _, e := range enders {
				require.NoError(t, e.end(w), "to close twice is fine")
			}
			require.EqualValues(t, 1, w.Stats().Fired)
			require.EqualValues(t, 100, w.Stats().Removed)
		})
	}
}

// Promises 9.4 and 9.7: in each function that the wheel calls a Close does not wait, and one outside
// waits for that function.
func TestCloseJoinsEveryFunctionThatTheWheelCalls(t *testing.T) {
	for _, e := range enders {
		for _, c := range callbacks {
			for _, from := range []string{"inside", "outside"} {
				t.Run(e.name+"/"+c.name+"/"+from, func(t *testing.T) {
					guarded(t, func(t *testing.T) { closeBesideCallback(t, e.end, c.arrange, from == "inside") })
				})
			}
		}
	}
}

func closeBesideCallback(t *testing.T, end func(*timerwheel.Wheel) error,
	arrange func(*testing.T, *timerwheel.Wheel, *callbackHooks, func()), inside bool,
) {
	goroutines := runtime.NumGoroutine()
	h := &callbackHooks{
		panicked: func(p timerwheel.HandlerPanic) { t.Errorf("unexpected panic %v", p.Value) },
		stalled:  func(timerwheel.Stall) { assert.False(t, inside, "unexpected stall") },
	}
	w := openWheel(t, h.options())
	bystander := armed(w.Alloc(func(timerwheel.Timer) { t.Error("a dropped timer fired") }), time.Minute)
	release, calls := openedAtTheEnd(t), 0
	arrange(t, w, h, func() {
		calls++
		if !inside {
			<-release
			return
		}
		before := time.Now()
		assert.ErrorIs(t, end(w), timerwheel.ErrDeadlock)
		assert.ErrorIs(t, end(w), timerwheel.ErrDeadlock, "it still cannot wait for itself")
		assert.Zero(t, time.Since(before), "it does not wait")
		assert.ErrorIs(t, bystander.Register(0), timerwheel.ErrClosed)
	})
	elapse(10 * time.Second) // until only this function is left, or the wheel has ended by itself
	require.Equal(t, 1, calls)
	if !inside {
		ended := closing(t, func() error { return end(w) })
		close(release)
		<-ended
	}
	require.Zero(t, w.Stats().Workers)
	require.False(t, bystander.Pending())
	require.NoError(t, end(w), "and from outside, closing it again is fine")
	require.NoError(t, bystander.Free())
	requireLaw(t, w.Stats())
	synctest.Wait()
	noMoreGoroutinesThan(t, goroutines)
}

// Promises 9.3 and 9.7: a Close in a handler does not wait, also where deletions and a Close wait for
// that handler, and where the handlers form a chain: it ends as it would have, and with it the wheel.
func TestCloseInAHandlerThatOthersWaitFor(t *testing.T) {
	for _, e := range enders {
		bubble(t, e.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			const n = 10
			var puppets [n]*puppet
			var timers [n]timerwheel.Timer
			g := w.NewGroup()
			for i := range n {
				timers[i], puppets[i] = newRun(t, g)
			}
			var calls [n - 1]*deletion
			for i := range n - 1 {
				calls[i] = puppets[i].call(timers[i+1].DelSync)
				require.True(t, calls[i].waits())
			}
			first, whole := deleting(timers[0].DelSync), deleting(g.ShutdownSync)
			closed := closing(t, func() error { return e.end(w) })
			require.True(t, first.waits())
			require.True(t, whole.waits())
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
			require.False(t, isClosed(closed))
			puppets[0].let()
			first.requires(t, foundRunning, nil)
			whole.requires(t, foundRunning, nil)
			<-closed
			finds(t, foundNone)(timers[n-1].DelSync())
		})
	}
}

// Promise 9.8: for another wheel, a handler of this one is any goroutine.
func TestCloseOfAnotherWheelInAHandlerWaits(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		other := openWheel(t, timerwheel.Options{})
		_, p := newRun(t, other)
		_, closer := newRun(t, w)
		closed := closer.call(func() (timerwheel.Found, error) { return foundNone, other.Close() })
		require.True(t, closed.waits())
		p.let()
		closed.requires(t, foundNone, nil)
		fire(t, w, 0, func() {})
	})
}

// Promise 9.9.
func TestCloseContextIsBoundedByItsContext(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		_, p := newRun(t, w)
		pending := armed(w.Alloc(func(timerwheel.Timer) { t.Error("a dropped timer fired") }), time.Hour)
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
		given := closing(t, func() error {
			assert.ErrorIs(t, w.CloseContext(canceled), context.Canceled)
			return nil
		})
		stop()
		<-given

		long, cancelLong := context.WithTimeout(t.Context(), time.Hour)
		defer cancelLong()
		ended := closing(t, func() error { return w.CloseContext(long) }) // those that gave up leave it its wait
		p.let()
		<-ended
		require.NoError(t, w.Close())
		require.Zero(t, w.Stats().Workers)
	})
}

// Promise 12.14, for each kind of handler whose end calls done.
func TestCloseWaitsForTheDonesOfWaitingDeletions(t *testing.T) {
	for _, e := range enders {
		for _, kind := range timerKinds {
			bubble(t, e.name+"/"+kind.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				p, endDone := newPuppet(t), openedAtTheEnd(t)
				tm := kind.arm(w, newDurableLock(), time.Millisecond, p.handle)
				settle()
				var begun, returned atomic.Int32
				for range 3 {
					found := tm.DelAsync(func() {
						begun.Add(1)
						<-endDone
						returned.Add(1)
					})
					require.True(t, found.Running)
				}
				ended := closing(t, func() error {
					err := e.end(w)
					assert.EqualValues(t, 3, returned.Load())
					return err
				})
				require.Zero(t, begun.Load(), "the handler is still in flight")
				p.let()
				synctest.Wait()
				require.False(t, isClosed(ended), "a done is still in flight")
				require.NotZero(t, begun.Load())
				close(endDone)
				<-ended
			})
		}
	}
}

// Promises 9.10, 9.11 and 12.8: a closed wheel still makes timers, which cannot fire, and every verb on
// every timer is harmless.
func TestAClosedWheelMakesTimersThatCannotFire(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		never := func(timerwheel.Timer) { t.Error("fired on a closed wheel") }
		plain, withArg := func() { never(timerwheel.Timer{}) }, func(any) { never(timerwheel.Timer{}) }
		g := w.NewGroup()
		timers := map[string]timerwheel.Timer{
			"was idle": w.Alloc(never), "was pending": armed(w.Alloc(never), time.Minute), "of a group": armed(g.Alloc(never), time.Minute),
			"lock-bound": armed(w.AllocLocked(newDurableLock(), never), time.Minute),
			"stale":      w.AfterFunc(time.Minute, plain), "zero": {},
		}
		require.NoError(t, w.Close())
		timers["Alloc"], timers["AllocLocked"] = w.Alloc(never), w.AllocLocked(newDurableLock(), never)
		timers["Group.Alloc"], timers["Group.AllocLocked"] = g.Alloc(never), w.NewGroup().AllocLocked(newDurableLock(), never)
		refused := w.Stats().Refused
		for name, f := range map[string]func() timerwheel.Timer{
			"AfterFunc":          func() timerwheel.Timer { return w.AfterFunc(0, plain) },
			"AfterFuncArg":       func() timerwheel.Timer { return w.AfterFuncArg(0, withArg, 0) },
			"Every":              func() timerwheel.Timer { return w.Every(time.Second, never) },
			"Group.AfterFunc":    func() timerwheel.Timer { return g.AfterFunc(0, plain) },
			"Group.AfterFuncArg": func() timerwheel.Timer { return g.AfterFuncArg(0, withArg, 0) },
			"Group.Every":        func() timerwheel.Timer { return w.NewGroup().Every(time.Second, never) },
		} {
			tm := f()
			refused++
			require.Equal(t, refused, w.Stats().Refused, name)
			require.False(t, tm.Valid(), name)
			require.False(t, tm.Pending(), name)
			require.False(t, tm.Stop(), name)
			require.ErrorIs(t, tm.Free(), timerwheel.ErrStale, name)
		}
		for _, tm := range timers {
			if tm.Valid() {
				requireRefused(t, w, tm, timerwheel.ErrClosed)
			}
		}
		for name, tm := range timers {
			valid := name != "stale" && name != "zero"
			require.Equal(t, valid, tm.Valid(), name)
			var dones atomic.Int32
			tm.DelAsync(func() { dones.Add(1) })
			if name != "zero" { // the zero Timer has no wheel to run its done
				synctest.Wait()
				require.EqualValues(t, 1, dones.Load(), "DelAsync of %s: done runs once", name)
			}
			for _, verb := range memberVerbs {
				found, err := verb.call(member{tm, g})
				require.NoError(t, err, "%s of %s", verb.name, name)
				require.Zero(t, found, "%s of %s", verb.name, name)
			}
			require.False(t, tm.Running(), name)
			_, ok := tm.When()
			require.False(t, ok, name)
			require.NotEmpty(t, tm.String(), name)
			if !valid {
				requireStale(t, tm)
				continue
			}
			requireRefused(t, w, tm, timerwheel.ErrShutdown)
			requireLastReference(t, tm, name)
		}
		require.Zero(t, g.Len())
		require.Empty(t, w.Running())
		require.True(t, w.Now().Equal(time.Now()), "a closed wheel still tells the time")
		_, ok := w.Next()
		require.False(t, ok)
		time.Sleep(time.Hour)
		s := w.Stats()
		require.Zero(t, s.Live)
		require.Zero(t, s.Workers)
		requireLaw(t, s)
	})
}

// Promise 9.4.
func TestTenThousandWheelsMadeAndClosed(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	var fired atomic.Int64
	for i := range scaled(10_000) {
		w, err := timerwheel.New(timerwheel.Options{})
		require.NoError(t, err)
		before := fired.Load()
		pending := w.AfterFunc(time.Hour, func() {})
		for range i % 4 {
			w.AfterFunc(0, func() { fired.Add(1) })
		}
		idle := w.Alloc(func(timerwheel.Timer) {})
		if i%8 == 0 {
			runtime.Gosched() // so that Close meets runs in flight
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
	name    string
	run     func(t *testing.T, w *timerwheel.Wheel)
	options map[string]timerwheel.Options // nil: a plain wheel's, and those of one that watches everything
}

// drainings is a list of ways to get there: by firing, by each deletion, by misbehaviour,
// by the end.
var drainings = append([]draining{
	{name: "never used", run: func(*testing.T, *timerwheel.Wheel) {}},
	{name: "allocated, never armed, never freed", run: func(_ *testing.T, w *timerwheel.Wheel) { w.Alloc(func(timerwheel.Timer) {}) }},
	{name: "AfterFunc fired", run: func(t *testing.T, w *timerwheel.Wheel) { fire(t, w, time.Millisecond, func() {}) }},
	{name: "1000 timers fired", run: func(t *testing.T, w *timerwheel.Wheel) {
		var fired sync.WaitGroup
		for i := range 1000 {
			fired.Add(1)
			w.AfterFunc(time.Duration(i%3)*time.Millisecond, fired.Done)
		}
		within(t, fired.Wait)
	}},
	{name: "idle timers, never freed, fired", run: func(t *testing.T, w *timerwheel.Wheel) {
		for range 100 {
			armed(w.Alloc(func(timerwheel.Timer) { runtime.KeepAlive(w) }), 0)
		}
		eventually(t, "all have fired", func() bool { s := w.Stats(); return s.Fired == 100 && s.Running == 0 })
	}},
	{name: "armed again by its handler", run: func(t *testing.T, w *timerwheel.Wheel) {
		fired, n := make(chan struct{}), 0
		tm := armed(w.Alloc(func(tm timerwheel.Timer) {
			if n++; n < 5 {
				assert.NoError(t, tm.Register(time.Millisecond))
				return
			}
			close(fired)
		}), time.Millisecond)
		receive(t, fired)
		require.NoError(t, tm.Free())
	}},
	{name: "Stop of AfterFunc", run: func(t *testing.T, w *timerwheel.Wheel) { require.True(t, w.AfterFunc(time.Hour, func() {}).Stop()) }},
	{name: "Del of a timer for never", run: func(t *testing.T, w *timerwheel.Wheel) { drainByDeletion(t, w, math.MaxInt64, delNoError) }},
	{name: "Free, then Del", run: func(t *testing.T, w *timerwheel.Wheel) {
		drainByDeletion(t, w, time.Hour, func(tm timerwheel.Timer) (timerwheel.Found, error) { return tm.Del(), tm.Free() })
		drainByDeletion(t, w, time.Hour, func(tm timerwheel.Timer) (timerwheel.Found, error) {
			err := tm.Free()
			return tm.Del(), err
		})
	}},
	{name: "moved earlier, later, deleted", run: func(t *testing.T, w *timerwheel.Wheel) {
		drainByDeletion(t, w, 24*time.Hour, func(tm timerwheel.Timer) (timerwheel.Found, error) {
			err := errors.Join(tm.Register(time.Minute), tm.Reduce(time.Second), tm.Register(time.Hour))
			return tm.Del(), err
		})
	}},
	{name: "moved earlier, fired", run: func(t *testing.T, w *timerwheel.Wheel) {
		fired := make(chan struct{})
		armed(armed(w.Alloc(func(timerwheel.Timer) { close(fired) }), time.Hour), time.Millisecond)
		receive(t, fired)
	}},
	{name: "stopped in their places, of many that were moved", run: func(t *testing.T, w *timerwheel.Wheel) {
		var all []timerwheel.Timer
		g := w.NewGroup() // whose timers are in one shard, on whichever processor this goroutine runs
		for range 200 {
			all = append(all, armed(g.Alloc(func(timerwheel.Timer) { runtime.KeepAlive(w) }), time.Hour))
		}
		tm := g.Alloc(func(timerwheel.Timer) { runtime.KeepAlive(w) })
		for range 3 {
			require.True(t, armed(tm, time.Hour).Stop())
		}
		for _, tm := range all {
			armed(tm, 2*time.Hour)
		}
		for _, tm := range all {
			require.True(t, tm.Stop())
		}
	}},
	{name: "deleted at every distance", run: func(t *testing.T, w *timerwheel.Wheel) {
		for d := time.Duration(1); d < math.MaxInt64/3; d *= 3 {
			drainByDeletion(t, w, time.Minute+d, delNoError)
		}
	}},
	{name: "a series and slow handlers, Stop", run: func(t *testing.T, w *timerwheel.Wheel) {
		var runs atomic.Int32
		series := w.Every(time.Millisecond, func(timerwheel.Timer) { runs.Add(1) })
		for range 50 {
			w.AfterFunc(time.Millisecond, func() { time.Sleep(time.Millisecond); runs.Add(1) })
		}
		eventually(t, "they have run", func() bool { return runs.Load() >= 60 })
		require.True(t, series.Stop())
		eventually(t, "none runs", func() bool { s := w.Stats(); return s.Pending+s.Running == 0 })
	}},
	{name: "a series, DelSync", run: func(t *testing.T, w *timerwheel.Wheel) {
		var runs atomic.Int32
		series := w.Every(time.Millisecond, func(timerwheel.Timer) { runs.Add(1) })
		eventually(t, "three have run", func() bool { return runs.Load() >= 3 })
		_, err := series.DelSync()
		require.NoError(t, err)
	}},
	{name: "a series, deleted by its handler", run: func(t *testing.T, w *timerwheel.Wheel) {
		end := make(chan struct{})
		w.Every(time.Millisecond, func(tm timerwheel.Timer) {
			assert.Equal(t, foundBoth, tm.Del())
			close(end)
		})
		receive(t, end)
	}},
	{name: "a group", run: func(t *testing.T, w *timerwheel.Wheel) {
		g := w.NewGroup()
		for range 10 {
			g.AfterFunc(time.Hour, func() {})
			armed(g.Alloc(func(timerwheel.Timer) {}), time.Minute)
		}
		_, err := g.DelSync()
		require.NoError(t, err)
	}},
	{name: "lock-bound, fired", run: func(t *testing.T, w *timerwheel.Wheel) {
		fired := make(chan struct{})
		armed(w.AllocLocked(newDurableLock(), func(timerwheel.Timer) { close(fired) }), 0)
		receive(t, fired)
	}},
	{name: "lock-bound, deleted while a worker waits for the lock", run: func(t *testing.T, w *timerwheel.Wheel) {
		waits := make(chan struct{})
		l := &hookedLock{durableLock: newDurableLock(), onLock: func() { close(waits) }}
		l.durableLock.Lock()
		defer l.durableLock.Unlock()
		tm := armed(w.AllocLocked(l, func(timerwheel.Timer) { t.Error("ran although deleted") }), 0)
		receive(t, waits)
		finds(t, foundPending)(tm.DelSync())
	}},
	{name: "panic", options: map[string]timerwheel.Options{"watched": watched},
		run: func(t *testing.T, w *timerwheel.Wheel) { fire(t, w, 0, func() { panic("on purpose") }) }},
	{name: "Goexit", run: func(t *testing.T, w *timerwheel.Wheel) { fire(t, w, 0, runtime.Goexit) }},
	{name: "deletions that waited", run: func(t *testing.T, w *timerwheel.Wheel) {
		running, release, done := make(chan struct{}), openedAtTheEnd(t), make(chan struct{})
		tm := armed(w.Alloc(func(timerwheel.Timer) {
			close(running)
			<-release
		}), 0)
		receive(t, running)
		_, err := tm.DelSyncContext(endedContext)
		require.ErrorIs(t, err, context.Canceled)
		tm.DelAsync(func() { close(done) })
		deleted := inBackground(func() { _, err := tm.DelSync(); assert.NoError(t, err) })
		close(release)
		receive(t, deleted)
		receive(t, done)
	}},
	{name: "a stall", run: func(t *testing.T, w *timerwheel.Wheel) { fire(t, w, 0, func() { time.Sleep(3 * watched.StallAfter) }) }},
	{name: "a stall, DelSync", run: func(t *testing.T, w *timerwheel.Wheel) {
		running := make(chan struct{})
		tm := w.AfterFunc(0, func() {
			close(running)
			time.Sleep(3 * watched.StallAfter)
		})
		receive(t, running)
		time.Sleep(2 * watched.StallAfter)
		_, err := tm.DelSync()
		require.NoError(t, err)
	}},
	{name: "Close", run: func(t *testing.T, w *timerwheel.Wheel) {
		w.AfterFunc(time.Hour, func() {})
		require.NoError(t, w.Close())
	}},
	{name: "Close in a handler", run: func(t *testing.T, w *timerwheel.Wheel) {
		w.AfterFunc(time.Hour, func() {})
		fire(t, w, 0, func() { assert.ErrorIs(t, w.Close(), timerwheel.ErrDeadlock) })
	}},
	{name: "Advance", options: map[string]timerwheel.Options{"manual": {Manual: true, Start: manualStart}},
		run: func(t *testing.T, w *timerwheel.Wheel) {
			w.AfterFunc(time.Second, func() {})
			w.AfterFunc(time.Hour, func() {}).Stop()
			advanceTo(t, w, manualStart.Add(time.Minute), 1)
			w.AfterFunc(0, func() { panic("on purpose") })
			require.Panics(t, func() { _, _ = w.Advance(w.Now()) })
		}},
}, drainingsByDeletion()...)

// drainingsByDeletion are those by each deletion of a pending timer.
func drainingsByDeletion() (all []draining) {
	for _, verb := range timerVerbs {
		all = append(all, draining{name: verb.name, run: func(t *testing.T, w *timerwheel.Wheel) { drainByDeletion(t, w, time.Hour, verb.call) }})
	}
	return all
}

// watched are the options of a wheel that watches everything. StallAfter is short, so that a stall
// is quick in real time too.
var watched = timerwheel.Options{
	OnPanic: func(timerwheel.HandlerPanic) {}, OnStall: func(timerwheel.Stall) {}, StallAfter: 5 * time.Millisecond, Debug: true,
}

// each runs f for each kind of wheel that can have the history.
func (d draining) each(t *testing.T, f func(t *testing.T, o timerwheel.Options)) (ok bool) {
	options := d.options
	if options == nil {
		options = map[string]timerwheel.Options{"plain": {}, "watched": watched}
	}
	for kind, o := range options {
		if !t.Run(d.name+"/"+kind, func(t *testing.T) { f(t, o) }) {
			return false
		}
	}
	return true
}

// fire waits until a new timer's handler has done f, d from now.
func fire(t *testing.T, w *timerwheel.Wheel, d time.Duration, f func()) {
	t.Helper()
	fired := make(chan struct{})
	w.AfterFunc(d, func() {
		defer close(fired)
		f()
	})
	receive(t, fired)
}

// Promises 9.12 and 9.13. The bubble has no Close in it, unless the history has: it could not end if
// a goroutine of the wheel were left, a parked one included.
func TestADrainedWheelHasNoGoroutineAndOneWakeUpAtMost(t *testing.T) {
	for _, d := range drainings {
		d.each(t, func(t *testing.T, o timerwheel.Options) {
			guarded(t, func(t *testing.T) {
				goroutines := runtime.NumGoroutine()
				w, err := timerwheel.New(o)
				require.NoError(t, err)
				d.run(t, w)
				synctest.Wait()
				s := w.Stats()
				require.Zero(t, s.Pending)
				require.Zero(t, s.Running)
				require.Zero(t, s.Workers)
				noMoreGoroutinesThan(t, goroutines)
				if n, ok := wakeUps(1000 * time.Hour); ok {
					require.LessOrEqual(t, n, uint64(1), "wake-ups of a drained wheel")
				}
				if n, ok := wakeUps(1000 * time.Hour); ok {
					require.Zero(t, n, "wake-ups of a drained wheel after the one that was left over")
				}
				requireLaw(t, w.Stats())
			})
		})
	}
}

// drainByDeletion arms a timer for d and deletes it.
func drainByDeletion(t *testing.T, w *timerwheel.Wheel, d time.Duration, del func(timerwheel.Timer) (timerwheel.Found, error)) {
	t.Helper()
	finds(t, foundPending)(del(armed(w.Alloc(func(timerwheel.Timer) { t.Error("a deleted timer fired") }), d)))
}

// Promise 9.14. In real time, so that the workers are seen to end there too.
func TestADrainedWheelIsCollected(t *testing.T) {
	manyRuntimeTimers(t)
	only := draining{name: "held by its own timer only", run: func(_ *testing.T, w *timerwheel.Wheel) {
		w.AfterFunc(time.Millisecond, func() { runtime.KeepAlive(w) })
	}}
	for _, d := range append(slices.Clone(drainings), only) {
		ok := d.each(t, func(t *testing.T, o timerwheel.Options) {
			ignored := goleak.IgnoreCurrent()
			p := drainedAndForgotten(t, d, o)
			collectUntil(t, "it is collected", func() bool { return p.Value() == nil })
			goleak.VerifyNone(t, ignored)
		})
		if !ok {
			return // each failure takes long
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
	collectUntil(t, "no worker lingers, in real time either", func() bool { return w.Stats().Workers == 0 })
	return weak.Make(w)
}

// manyRuntimeTimers fills the runtime's timer heaps. The runtime forgets a stopped timer, with all that
// hangs on it, only when it comes across it: late in a program that has many timers of its own.
func manyRuntimeTimers(t *testing.T) {
	var makers sync.WaitGroup
	for range 8 {
		makers.Go(func() { // on whichever processor, for each has its own heap
			for range 500 {
				tm := time.AfterFunc(time.Hour, func() {})
				t.Cleanup(func() { tm.Stop() })
				runtime.Gosched()
			}
		})
	}
	makers.Wait()
}

// collectUntil collects garbage until a condition holds. It uses no timer: timers that come and go
// make the runtime tidy its heaps.
func collectUntil(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for range 500 {
		runtime.GC()
		if holds() {
			return
		}
		runtime.Gosched()
	}
	t.Fatalf("collected garbage in vain until %s", what)
}

// Promise 9.15.
func TestAForgottenWheelFiresWhatPends(t *testing.T) {
	fired := make(chan struct{})
	func() {
		w, err := timerwheel.New(timerwheel.Options{})
		require.NoError(t, err)
		w.AfterFunc(500*time.Millisecond, func() { close(fired) }) // after the first collections
	}()
	eventually(t, "what pends on it fires", func() bool {
		runtime.GC()
		return isClosed(fired)
	})
}

// Promises 9.12, 9.13 and 11.17: "one runtime timer, no ticking", however many timers pend and however
// far they are, and whatever was watched before.
func TestAWheelWhoseTimersOnlyPendHasNoGoroutineAndDoesNotTick(t *testing.T) {
	o := timerwheel.Options{OnStall: func(timerwheel.Stall) {}}
	sleep := func(d time.Duration) func(*testing.T, *timerwheel.Wheel) {
		return func(_ *testing.T, w *timerwheel.Wheel) { w.AfterFunc(0, func() { time.Sleep(d) }) }
	}
	for name, c := range map[string]struct {
		o       timerwheel.Options
		history func(*testing.T, *timerwheel.Wheel)
	}{
		"tick 1µs":                   {o: timerwheel.Options{Tick: time.Microsecond}},
		"tick 1ms":                   {o: timerwheel.Options{Tick: time.Millisecond}},
		"tick 1h":                    {o: timerwheel.Options{Tick: time.Hour}},
		"watched":                    {o: o},
		"watched, after a quick run": {o, sleep(time.Millisecond)},
		"watched, after a stall":     {o, sleep(5 * time.Second)},
		"watched, after a deleted one": {o, func(_ *testing.T, w *timerwheel.Wheel) {
			tm := w.AfterFunc(0, func() { time.Sleep(5 * time.Second) })
			time.Sleep(100 * time.Millisecond)
			_, _ = tm.DelSync()
		}},
		"after a series and slow handlers": {history: func(t *testing.T, w *timerwheel.Wheel) {
			series := w.Every(time.Second, func(timerwheel.Timer) {})
			for range 50 {
				w.AfterFunc(time.Second, func() { time.Sleep(time.Millisecond) })
			}
			time.Sleep(10*time.Second + time.Second/2)
			require.EqualValues(t, 60, w.Stats().Fired)
			require.Zero(t, w.Stats().Workers, "while only the future pends")
			require.True(t, series.Stop())
		}},
	} {
		t.Run(name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				goroutines := runtime.NumGoroutine()
				w := openWheel(t, c.o)
				for i := range 1000 {
					w.AfterFunc(time.Duration(200+i)*time.Hour, func() {})
				}
				w.AfterFunc(math.MaxInt64, func() {})
				w.Every(200*time.Hour, func(timerwheel.Timer) {})
				if c.history != nil {
					c.history(t, w)
				}
				elapse(10 * time.Second)
				require.Zero(t, w.Stats().Workers)
				noMoreGoroutinesThan(t, goroutines)
				if n, ok := wakeUps(199 * time.Hour); ok {
					// A wake-up that only sorts timers into finer levels is no tick, but
					// there are few levels.
					require.LessOrEqual(t, n, uint64(20), "wake-ups in 199 h, the first deadline being 200 h away")
				}
				require.Zero(t, w.Stats().Workers)
				require.Equal(t, 1002, w.Stats().Pending)
			})
		})
	}
}

// Promise 11.16: what is due at one instant costs one wake-up, however many timers that is, not one each.
func TestOneWakeUpServesAllThatIsDue(t *testing.T) {
	for _, tick := range []time.Duration{time.Millisecond, time.Second} {
		bubble(t, tick.String(), timerwheel.Options{Tick: tick}, func(t *testing.T, w *timerwheel.Wheel) {
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
	}
}
