package timerwheel_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed76848005/timerwheel"
)

// Section 4 of the contract, row by row, in bubbles: time is exact there, and a call that hangs
// fails at once, with the stacks.
//
// The handlers are puppets (see the end of the file): a puppet's run lasts until the test ends it,
// and does on the worker's goroutine what the test tells it to. So each row is staged exactly: who
// runs, who waits, who asks.

var (
	delNone    = timerwheel.Found{}
	delPending = timerwheel.Found{Pending: true}
	delRunning = timerwheel.Found{Running: true}
	delBoth    = timerwheel.Found{Pending: true, Running: true}
)

// delDead is a context that ended before every test. It is made ready here, because a channel made
// in one bubble is of no use in another.
var delDead = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

type delVerb struct {
	name string
	call func(timerwheel.Timer) (timerwheel.Found, error)
}

var (
	delByDel     = delVerb{"Del", delNoError}
	delBySync    = delVerb{"DelSync", timerwheel.Timer.DelSync}
	delByContext = delVerb{"DelSyncContext", func(tm timerwheel.Timer) (timerwheel.Found, error) {
		return tm.DelSyncContext(context.Background())
	}}
	delByDead = delVerb{"DelSyncContext, ended", func(tm timerwheel.Timer) (timerwheel.Found, error) {
		return tm.DelSyncContext(delDead)
	}}
	delByShutdown = delVerb{"ShutdownSync", timerwheel.Timer.ShutdownSync}
	delByAsync    = delVerb{"DelAsync", func(tm timerwheel.Timer) (timerwheel.Found, error) {
		return tm.DelAsync(func() {}), nil
	}}
	delByStop = delVerb{"Stop", func(tm timerwheel.Timer) (timerwheel.Found, error) {
		return timerwheel.Found{Pending: tm.Stop()}, nil // all that Stop has to say
	}}
	delVerbs        = []delVerb{delByDel, delBySync, delByContext, delByDead, delByShutdown, delByAsync, delByStop}
	delWaitingVerbs = []delVerb{delBySync, delByContext, delByShutdown} // those that wait for a run, without a bound
)

// ---- idle, stale, zero ----

// Contract 4, table: "any deletion | idle or stale timer, zero Timer | Found{}, nil: what is gone
// is gone; deleting twice is no error; a dead ctx does not matter".
func TestDeletionOfWhatIsGoneFindsNothing(t *testing.T) {
	states := []struct {
		name  string
		reach func(*testing.T, *timerwheel.Wheel) timerwheel.Timer
	}{
		{"zero Timer", func(*testing.T, *timerwheel.Wheel) timerwheel.Timer { return timerwheel.Timer{} }},
		{"never registered", func(_ *testing.T, w *timerwheel.Wheel) timerwheel.Timer { return w.Alloc(delIgnore) }},
		{"fired", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			tm := w.Alloc(delIgnore)
			require.NoError(t, tm.Register(0))
			delSettle()
			require.EqualValues(t, 1, w.Stats().Fired)
			return tm
		}},
		{"deleted", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			tm := w.Alloc(delIgnore)
			require.NoError(t, tm.Register(time.Hour))
			require.True(t, tm.Stop())
			return tm
		}},
		{"dropped by Close", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			tm := w.Alloc(delIgnore)
			require.NoError(t, tm.Register(time.Hour))
			require.NoError(t, w.Close())
			return tm
		}},
		{"stale, freed", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			tm := w.Alloc(delIgnore)
			require.NoError(t, tm.Free())
			return tm
		}},
		{"stale, fired", func(_ *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			tm := w.AfterFunc(0, func() {})
			delSettle()
			return tm
		}},
		{"stale, with a new tenant", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			tm := w.Alloc(delIgnore)
			require.NoError(t, tm.Free())
			for range 64 { // whichever of them lives in the old slot
				require.NoError(t, w.Alloc(delIgnore).Register(time.Hour))
			}
			return tm
		}},
	}
	for _, state := range states {
		for _, verb := range delVerbs {
			delBubble(t, state.name+"/"+verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				tm := state.reach(t, w)
				before := w.Stats()
				for range 2 {
					found, err := verb.call(tm)
					require.NoError(t, err)
					require.Equal(t, delNone, found)
				}
				after := w.Stats()
				require.Equal(t, before.Pending, after.Pending, "another timer was deleted")
				require.Equal(t, before.Removed, after.Removed)
				require.Zero(t, after.SyncWaits)
			})
		}
	}
}

// ---- pending ----

// Contract 4, table: "any deletion | pending | Found{Pending: true}, nil", whatever kind of timer
// it is. The firing that it removed never begins.
func TestDeletionOfAPendingTimerRemovesTheFiring(t *testing.T) {
	kinds := []struct {
		name string
		arm  func(*testing.T, *timerwheel.Wheel, func()) timerwheel.Timer
	}{
		{"Alloc", func(t *testing.T, w *timerwheel.Wheel, f func()) timerwheel.Timer {
			tm := w.Alloc(func(timerwheel.Timer) { f() })
			require.NoError(t, tm.Register(time.Minute))
			return tm
		}},
		{"freed while pending", func(t *testing.T, w *timerwheel.Wheel, f func()) timerwheel.Timer {
			tm := w.Alloc(func(timerwheel.Timer) { f() })
			require.NoError(t, tm.Register(time.Minute))
			require.NoError(t, tm.Free())
			return tm
		}},
		{"moved", func(t *testing.T, w *timerwheel.Wheel, f func()) timerwheel.Timer {
			tm := w.Alloc(func(timerwheel.Timer) { f() })
			require.NoError(t, tm.Register(time.Second))
			require.NoError(t, tm.Register(time.Minute))
			return tm
		}},
		{"AllocLocked", func(t *testing.T, w *timerwheel.Wheel, f func()) timerwheel.Timer {
			tm := w.AllocLocked(newLockProbe(t), func(timerwheel.Timer) { f() })
			require.NoError(t, tm.Register(time.Minute))
			return tm
		}},
		{"AfterFunc", func(_ *testing.T, w *timerwheel.Wheel, f func()) timerwheel.Timer { return w.AfterFunc(time.Minute, f) }},
		{"Every", func(_ *testing.T, w *timerwheel.Wheel, f func()) timerwheel.Timer {
			return w.Every(time.Minute, func(timerwheel.Timer) { f() })
		}},
		{"never due", func(t *testing.T, w *timerwheel.Wheel, f func()) timerwheel.Timer {
			tm := w.Alloc(func(timerwheel.Timer) { f() })
			require.NoError(t, tm.Register(1<<63-1))
			return tm
		}},
	}
	for _, kind := range kinds {
		for _, verb := range delVerbs {
			delBubble(t, kind.name+"/"+verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				var runs atomic.Int32
				tm := kind.arm(t, w, func() { runs.Add(1) })
				require.True(t, tm.Pending())

				found, err := verb.call(tm)
				require.NoError(t, err)
				require.Equal(t, delPending, found)
				require.False(t, tm.Pending())
				_, ok := tm.When()
				require.False(t, ok, "a deadline without a firing")
				_, ok = w.Next()
				require.False(t, ok, "the wheel still waits for the firing")

				found, err = verb.call(tm)
				require.NoError(t, err)
				require.Equal(t, delNone, found, "the second deletion")

				time.Sleep(time.Hour)
				synctest.Wait()
				require.Zero(t, runs.Load())
				stats := w.Stats()
				require.EqualValues(t, 1, stats.Removed)
				require.Zero(t, stats.Fired)
				require.Zero(t, stats.SyncWaits)
			})
		}
	}
}

// Contract 4: Del "works on a timer that is due and in line to run"; contract 11: "When all are
// blocked, due timers wait, still deletable".
func TestDeletionOfATimerInLineWhileAllWorkersAreBlocked(t *testing.T) {
	for _, verb := range delVerbs {
		delBubble(t, verb.name, timerwheel.Options{MaxWorkers: 2}, func(t *testing.T, w *timerwheel.Wheel) {
			p := newDelPuppet(t)
			delStart(t, w.Alloc(p.handle))
			delStart(t, w.Alloc(p.handle))

			var deleted, kept atomic.Int32
			var inLine []timerwheel.Timer
			for range 100 {
				tm := w.Alloc(func(timerwheel.Timer) { deleted.Add(1) })
				require.NoError(t, tm.Register(0))
				require.NoError(t, w.Alloc(func(timerwheel.Timer) { kept.Add(1) }).Register(0))
				inLine = append(inLine, tm)
			}
			delSettle()
			require.Equal(t, 200, w.Stats().Pending, "due but not begun is still pending")

			for _, tm := range inLine {
				found, err := verb.call(tm)
				require.NoError(t, err)
				require.Equal(t, delPending, found)
			}
			require.Equal(t, 100, w.Stats().Pending)
			p.let()
			delSettle()
			require.Zero(t, deleted.Load())
			require.EqualValues(t, 100, kept.Load(), "the neighbours in line were lost")
			require.Zero(t, w.Stats().SyncWaits, "nobody waits for a timer that is only in line")
		})
	}
}

// Contract 4, table: "DelSync of B | A's handler, B due in line behind A | removed; never waits for
// itself". With one worker, B could only run when A's handler has returned: a deletion that waited
// for B would wait for itself.
func TestDeletionOfATimerInLineBehindTheCallersHandler(t *testing.T) {
	for _, verb := range delVerbs {
		delBubble(t, verb.name, timerwheel.Options{MaxWorkers: 1}, func(t *testing.T, w *timerwheel.Wheel) {
			p := newDelPuppet(t)
			delStart(t, w.Alloc(p.handle))
			var runs atomic.Int32
			b := w.Alloc(func(timerwheel.Timer) { runs.Add(1) })
			require.NoError(t, b.Register(0))
			delSettle()
			require.True(t, b.Pending())

			p.call(func() (timerwheel.Found, error) { return verb.call(b) }).requires(t, delPending, nil)
			p.let()
			delSettle()
			require.Zero(t, runs.Load())
		})
	}
}

// ---- running: Del ----

// Contract 4, table: "Del | running (elsewhere, or here) | Found{Running: true}, and Pending if it
// was registered again; nil. Not waited for". A Del does not wait, so it refuses nobody either: a
// Register after it holds.
func TestDelOfARunningTimerDoesNotWait(t *testing.T) {
	for _, verb := range []delVerb{delByDel, delByStop} {
		for _, here := range []bool{false, true} {
			for _, again := range delAgains {
				name := fmt.Sprintf("%s/here=%t/%s", verb.name, here, again.name)
				delBubble(t, name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
					p := newDelPuppet(t)
					tm := w.Alloc(p.handle)
					delStart(t, tm)
					again.register(t, tm)

					want := again.found
					want.Running = verb.name == "Del" // Stop has no way to say so
					del := func() (timerwheel.Found, error) { return verb.call(tm) }
					if here {
						p.call(del).requires(t, want, nil)
					} else {
						delGo(del).requires(t, want, nil)
					}
					require.Zero(t, p.ended.Load(), "it waited")
					require.True(t, tm.Running())
					require.False(t, tm.Pending())

					p.end()
					time.Sleep(2 * time.Hour)
					synctest.Wait()
					require.EqualValues(t, 1, p.begun.Load(), "the firing that Del removed")
					require.Zero(t, w.Stats().SyncWaits)

					delStart(t, tm)
					_, err := verb.call(tm)
					require.NoError(t, err)
					require.NoError(t, tm.Register(0), "refused after a deletion that does not wait")
					p.end()
					delSettle()
					require.EqualValues(t, 3, p.begun.Load())
				})
			}
		}
	}
}

// ---- running elsewhere: the waiting deletions ----

// Contract 4, table: "DelSync | running elsewhere | the same Found, nil, after the handler has
// returned", and promises 1 and 2: at its return the timer is neither pending nor running. A firing
// registered meanwhile is removed when the wait begins, not when it ends.
func TestDelSyncWaitsForTheHandler(t *testing.T) {
	for _, verb := range delWaitingVerbs {
		for _, again := range delAgains {
			delBubble(t, verb.name+"/"+again.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				p := newDelPuppet(t)
				tm := w.Alloc(p.handle)
				delStart(t, tm)
				again.register(t, tm)

				var ended int32
				c := delGo(func() (timerwheel.Found, error) {
					found, err := verb.call(tm)
					ended = p.ended.Load()
					return found, err
				})
				time.Sleep(time.Hour)
				require.True(t, c.waits(), "it returned while the handler ran")
				require.True(t, tm.Running())
				require.False(t, tm.Pending(), "the firing was not removed")
				require.EqualValues(t, 1, w.Stats().SyncWaits)
				running := w.Running()
				require.Len(t, running, 1)
				require.Equal(t, 1, running[0].Waiters)

				p.end()
				want := again.found
				want.Running = true
				c.requires(t, want, nil)
				require.EqualValues(t, 1, ended, "it returned before the handler")
				require.False(t, tm.Running())
				require.False(t, tm.Pending())
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				require.EqualValues(t, 1, p.begun.Load(), "it ran after its deletion")
			})
		}
	}
}

// The same for the kinds of timer that own no reference: their storage goes with the run that the
// deletion waits for.
func TestDelSyncWaitsForTheHandlerOfATimerWithoutOwners(t *testing.T) {
	kinds := []struct {
		name string
		arm  func(*testing.T, *timerwheel.Wheel, *delPuppet) timerwheel.Timer
		want timerwheel.Found
	}{
		{"AfterFunc", func(_ *testing.T, w *timerwheel.Wheel, p *delPuppet) timerwheel.Timer {
			return w.AfterFunc(0, func() { p.handle(timerwheel.Timer{}) })
		}, delRunning},
		{"Every", func(_ *testing.T, w *timerwheel.Wheel, p *delPuppet) timerwheel.Timer {
			return w.Every(time.Millisecond, p.handle)
		}, delBoth},
		{"freed in its run", func(t *testing.T, w *timerwheel.Wheel, p *delPuppet) timerwheel.Timer {
			tm := w.Alloc(p.handle)
			delStart(t, tm)
			p.tell(func() { _ = tm.Free() })
			return tm
		}, delRunning},
	}
	for _, kind := range kinds {
		for _, verb := range delWaitingVerbs {
			delBubble(t, kind.name+"/"+verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				p := newDelPuppet(t)
				tm := kind.arm(t, w, p)
				delSettle()
				require.True(t, tm.Running())

				c := delGo(func() (timerwheel.Found, error) { return verb.call(tm) })
				require.True(t, c.waits())
				p.end()
				c.requires(t, kind.want, nil)
				time.Sleep(time.Hour)
				synctest.Wait()
				require.EqualValues(t, 1, p.begun.Load())
				require.False(t, tm.Valid(), "nobody refers to it any more")
				require.Zero(t, w.Stats().Live)
			})
		}
	}
}

// Contract 4, promise 3: "everything that the handler did happens before the return". The two plain
// variables are the test: under -race, a return that is not ordered after the handler is a report.
func TestDelSyncReturnsAfterWhatTheHandlerDid(t *testing.T) {
	for _, verb := range delWaitingVerbs {
		delBubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			p := newDelPuppet(t)
			wrote := 0
			tm := w.Alloc(func(timerwheel.Timer) {
				for range p.do {
				}
				wrote = 42
			})
			delStart(t, tm)
			var read [8]int
			var calls []*delCall
			for i := range read {
				calls = append(calls, delGo(func() (timerwheel.Found, error) {
					found, err := verb.call(tm)
					read[i] = wrote
					return found, err
				}))
			}
			require.True(t, calls[0].waits())
			p.let()
			for i, c := range calls {
				c.requires(t, delRunning, nil)
				require.Equal(t, 42, read[i])
			}
		})
	}
}

// Contract 4, table: "many DelSyncs | one running timer | all return after the handler".
func TestManyDelSyncsOfOneRun(t *testing.T) {
	delBubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		p := newDelPuppet(t)
		tm := w.Alloc(p.handle)
		delStart(t, tm)
		require.NoError(t, tm.Register(0))
		delSettle()

		const n = 30
		var calls []*delCall
		var early atomic.Int32
		for i := range n {
			verb := delWaitingVerbs[i%len(delWaitingVerbs)]
			calls = append(calls, delGo(func() (timerwheel.Found, error) {
				found, err := verb.call(tm)
				if p.ended.Load() == 0 {
					early.Add(1)
				}
				return found, err
			}))
			require.True(t, calls[i].waits())
		}
		running := w.Running()
		require.Len(t, running, 1)
		require.Equal(t, tm, running[0].Timer)
		require.Equal(t, n, running[0].Waiters)
		require.EqualValues(t, n, w.Stats().SyncWaits)

		p.let()
		for i, c := range calls {
			want := delRunning
			want.Pending = i == 0 // there was one firing, and the first of them removed it
			c.requires(t, want, nil)
		}
		require.Zero(t, early.Load())
		delSettle()
		require.EqualValues(t, 1, p.begun.Load())
	})
}

// Contract 4: the deletions of a run that is still in flight when the wheel is closed wait for it
// as any other does.
func TestDelSyncOnAClosedWheelWaitsForTheHandler(t *testing.T) {
	for _, verb := range delWaitingVerbs {
		delBubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			p := newDelPuppet(t)
			tm := w.Alloc(p.handle)
			delStart(t, tm)
			require.ErrorIs(t, w.CloseContext(delDead), context.Canceled)
			c := delGo(func() (timerwheel.Found, error) { return verb.call(tm) })
			require.True(t, c.waits())
			p.let()
			c.requires(t, delRunning, nil)
		})
	}
}

// ---- refusals ----

// Contract 4: "While it waits, no Register of that timer succeeds, whoever calls", and "the wait is
// bounded by the one handler run in flight. The refusal belongs to that run and ends with it".
func TestRegisterIsRefusedWhileADeletionWaits(t *testing.T) {
	for _, verb := range []delVerb{delBySync, delByContext, delByAsync} {
		delBubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			p := newDelPuppet(t)
			tm := w.Alloc(p.handle)
			other := w.Alloc(delIgnore)
			delStart(t, tm)
			require.NoError(t, tm.Register(time.Hour), "nothing waits yet")

			c := delGo(func() (timerwheel.Found, error) { return verb.call(tm) })
			synctest.Wait()
			before := w.Stats()
			delRequireRefused(t, w, tm, timerwheel.ErrDeleting) // a third goroutine
			var errs []error
			p.tell(func() { errs = delRegisterAll(w, tm) }) // the handler
			for _, err := range errs {
				require.ErrorIs(t, err, timerwheel.ErrDeleting)
			}
			after := w.Stats()
			require.Equal(t, before.Refused+8, after.Refused)
			after.Refused = before.Refused
			require.Equal(t, before, after, "a refused Register changes nothing but the count")
			require.NoError(t, other.Register(time.Hour), "another timer was refused")

			p.end()
			c.requires(t, delBoth, nil)
			synctest.Wait()
			require.NoError(t, tm.Register(0), "the refusal outlived the run")
			delSettle()
			require.EqualValues(t, 2, p.begun.Load())
			p.end()
		})
	}
}

// Contract 4: "to forbid that too, Shutdown", for the others "by the time DelSync has returned,
// somebody may have registered the timer anew": the moment the run has ended, a Register holds,
// however late the waiter gets to run.
func TestRegisterHoldsOnceTheRunHasEnded(t *testing.T) {
	delBubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		p := newDelPuppet(t)
		tm := w.Alloc(p.handle)
		delStart(t, tm)
		var calls []*delCall
		for range 10 {
			calls = append(calls, delGo(tm.DelSync))
		}
		require.True(t, calls[0].waits())
		var registered error
		tm.DelAsync(func() { registered = tm.Register(0) })

		p.end()
		delSettle()
		require.NoError(t, registered)
		require.EqualValues(t, 2, p.begun.Load())
		require.True(t, tm.Running())
		for _, c := range calls {
			c.requires(t, delRunning, nil) // of the first run; they do not wait for the second
		}
	})
}

// Contract 3: a Register is refused "by, in this order: ErrStale, ErrShutdown, ErrDeleting,
// ErrClosed". All reasons that can hold together, held together.
func TestRegisterRefusalsInOrder(t *testing.T) {
	for reasons := range 8 {
		shut, deleting, closed := reasons&4 != 0, reasons&2 != 0, reasons&1 != 0
		var want error
		switch {
		case shut:
			want = timerwheel.ErrShutdown
		case deleting:
			want = timerwheel.ErrDeleting
		case closed:
			want = timerwheel.ErrClosed
		}
		name := fmt.Sprintf("shut down=%t,deleting=%t,closed=%t", shut, deleting, closed)
		delBubble(t, name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			p := newDelPuppet(t)
			tm := w.Alloc(p.handle)
			var waiting []*delCall
			if deleting {
				delStart(t, tm)
				waiting = append(waiting, delGo(tm.DelSync))
				require.True(t, waiting[0].waits())
			}
			if shut {
				waiting = append(waiting, delGo(tm.ShutdownSync))
				synctest.Wait()
			}
			if closed {
				waiting = append(waiting, delGo(func() (timerwheel.Found, error) { return timerwheel.Found{}, w.Close() }))
				synctest.Wait()
			}
			if want != nil {
				before := w.Stats().Refused
				delRequireRefused(t, w, tm, want)
				require.Equal(t, before+4, w.Stats().Refused)
			} else {
				require.NoError(t, tm.Register(time.Hour))
				require.True(t, tm.Stop())
			}
			p.let()
			for _, c := range waiting {
				_, err := c.result()
				require.NoError(t, err)
			}
			require.NoError(t, tm.Free())
			delRequireRefused(t, w, tm, timerwheel.ErrStale) // before everything else
			delRequireRefused(t, w, timerwheel.Timer{}, timerwheel.ErrStale)
		})
	}
}

// ---- Shutdown ----

// Contract 4, promise 4: "no Register of this timer succeeds ever after (ErrShutdown), even if this
// Shutdown returned an error", and it "gives DelSync's promises".
func TestTimerShutdownRefusesForEver(t *testing.T) {
	type shut func(*testing.T, *timerwheel.Wheel, timerwheel.Timer, *delPuppet) *delCall
	ways := []struct {
		name string
		shut shut
		want timerwheel.Found
		err  error
	}{
		{"idle", func(_ *testing.T, _ *timerwheel.Wheel, tm timerwheel.Timer, _ *delPuppet) *delCall {
			return delGo(tm.ShutdownSync)
		}, delNone, nil},
		{"pending", func(t *testing.T, _ *timerwheel.Wheel, tm timerwheel.Timer, _ *delPuppet) *delCall {
			require.NoError(t, tm.Register(time.Hour))
			return delGo(tm.ShutdownSync)
		}, delPending, nil},
		{"running elsewhere", func(t *testing.T, _ *timerwheel.Wheel, tm timerwheel.Timer, _ *delPuppet) *delCall {
			delStart(t, tm)
			return delGo(tm.ShutdownSync)
		}, delRunning, nil},
		{"its own handler", func(t *testing.T, _ *timerwheel.Wheel, tm timerwheel.Timer, p *delPuppet) *delCall {
			delStart(t, tm)
			require.NoError(t, tm.Register(0))
			return p.call(tm.ShutdownSync)
		}, delBoth, timerwheel.ErrDeadlock},
		{"a circle", func(t *testing.T, w *timerwheel.Wheel, tm timerwheel.Timer, p *delPuppet) *delCall {
			q := newDelPuppet(t)
			b := w.Alloc(q.handle)
			delStart(t, tm)
			delStart(t, b)
			first := p.call(b.DelSync)
			require.True(t, first.waits())
			c := q.call(tm.ShutdownSync)
			require.False(t, c.waits())
			q.let()
			first.requires(t, delRunning, nil)
			return c
		}, delRunning, timerwheel.ErrDeadlock},
	}
	for _, way := range ways {
		delBubble(t, way.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			p := newDelPuppet(t)
			tm := w.Alloc(p.handle)
			require.NoError(t, tm.Retain())
			c := way.shut(t, w, tm, p)
			synctest.Wait()
			delRequireRefused(t, w, tm, timerwheel.ErrShutdown)
			if tm.Running() {
				var errs []error
				p.tell(func() { errs = delRegisterAll(w, tm) })
				for _, err := range errs {
					require.ErrorIs(t, err, timerwheel.ErrShutdown)
				}
			}
			p.let()
			c.requires(t, way.want, way.err)
			delSettle()
			begun := p.begun.Load()

			delRequireRefused(t, w, tm, timerwheel.ErrShutdown)
			require.NoError(t, tm.Free())
			delRequireRefused(t, w, tm, timerwheel.ErrShutdown) // Retain's reference still holds it
			found, err := tm.ShutdownSync()
			require.NoError(t, err)
			require.Equal(t, delNone, found, "a second Shutdown")
			time.Sleep(2 * time.Hour)
			synctest.Wait()
			require.Equal(t, begun, p.begun.Load())

			require.NoError(t, tm.Free())
			for range 64 { // "shut down" was the tenant's state, not the slot's
				require.NoError(t, w.Alloc(delIgnore).Register(time.Hour))
			}
			_, err = tm.ShutdownSync()
			require.NoError(t, err)
			require.Equal(t, 64, w.Stats().Pending)
		})
	}
}

// Contract 4, promise 4, where CVE-2025-68214 went wrong: the handler registers its timer and is
// shut down meanwhile. Shut down is a state of its own, not a nil handler: the firing is gone, and
// nothing runs without a handler.
func TestTimerShutdownWhileTheHandlerHasReAdded(t *testing.T) {
	delBubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		p := newDelPuppet(t)
		tm := w.Alloc(p.handle)
		delStart(t, tm)
		var first, second error
		p.tell(func() { first = tm.Register(0) })
		c := delGo(tm.ShutdownSync)
		require.True(t, c.waits())
		p.tell(func() { second = tm.Register(0) })
		require.NoError(t, first)
		require.ErrorIs(t, second, timerwheel.ErrShutdown)
		p.let()
		c.requires(t, delBoth, nil)
		time.Sleep(time.Hour)
		synctest.Wait()
		require.EqualValues(t, 1, p.begun.Load())
		require.Zero(t, w.Stats().Pending)
	})
}

// Contract 4: DelSync, unlike Shutdown, forbids nothing after its return; and a Shutdown shuts down
// one timer only.
func TestOnlyShutdownForbidsLaterRegisters(t *testing.T) {
	for _, verb := range delVerbs {
		delBubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			tm, other := w.Alloc(delIgnore), w.Alloc(delIgnore)
			_, err := verb.call(tm)
			require.NoError(t, err)
			if err = tm.Register(time.Hour); verb.name == delByShutdown.name {
				require.ErrorIs(t, err, timerwheel.ErrShutdown)
			} else {
				require.NoError(t, err)
			}
			require.NoError(t, other.Register(time.Hour))
		})
	}
}

// ---- its own handler ----

// Contract 4, table: "DelSync | its own handler | the firing removed, Running: true, ErrDeadlock at
// once, never a hang; through any copy of the handle". And contract 12: "DelSyncContext with an
// ended ctx in the timer's own handler ... is ErrDeadlock".
func TestDelSyncInItsOwnHandlerIsErrDeadlock(t *testing.T) {
	copies := []struct {
		name string
		of   func(*timerwheel.Wheel, timerwheel.Timer, timerwheel.Timer) timerwheel.Timer
	}{
		{"argument", func(_ *timerwheel.Wheel, arg, _ timerwheel.Timer) timerwheel.Timer { return arg }},
		{"closure", func(_ *timerwheel.Wheel, _, own timerwheel.Timer) timerwheel.Timer { return own }},
		{"map key", func(_ *timerwheel.Wheel, _, own timerwheel.Timer) timerwheel.Timer {
			for key := range map[timerwheel.Timer]bool{own: true} {
				return key
			}
			return timerwheel.Timer{}
		}},
		{"retained", func(_ *timerwheel.Wheel, _, own timerwheel.Timer) timerwheel.Timer {
			other := own
			_ = other.Retain()
			_ = own.Free()
			return other
		}},
		{"freed", func(_ *timerwheel.Wheel, _, own timerwheel.Timer) timerwheel.Timer {
			_ = own.Free()
			return own
		}},
		{"Running", func(w *timerwheel.Wheel, _, _ timerwheel.Timer) timerwheel.Timer { return w.Running()[0].Timer }},
	}
	for _, verb := range append([]delVerb{delByDead}, delWaitingVerbs...) {
		for _, copied := range copies {
			for _, again := range delAgains {
				delBubble(t, verb.name+"/"+copied.name+"/"+again.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
					p := newDelPuppet(t)
					var argument timerwheel.Timer
					tm := w.Alloc(func(tm timerwheel.Timer) {
						argument = tm
						p.handle(tm)
					})
					delStart(t, tm)
					again.register(t, tm)

					want := again.found
					want.Running = true
					var took time.Duration
					p.call(func() (timerwheel.Found, error) {
						start := time.Now()
						defer func() { took = time.Since(start) }()
						return verb.call(copied.of(w, argument, tm))
					}).requires(t, want, timerwheel.ErrDeadlock)
					require.Zero(t, took, "at once")
					require.False(t, tm.Pending())
					p.let()
					time.Sleep(2 * time.Hour)
					synctest.Wait()
					require.EqualValues(t, 1, p.begun.Load(), "the firing was not removed")
					require.Zero(t, w.Stats().SyncWaits, "it waited for itself")
				})
			}
		}
	}
}

// The same in the handlers that get no handle or a special one: AfterFunc's, Every's (whose next
// instant is pending during a run, contract 7), and a lock-bound timer's.
func TestDelSyncInItsOwnHandlerOfEveryKind(t *testing.T) {
	kinds := []struct {
		name string
		arm  func(*testing.T, *timerwheel.Wheel, *delPuppet) timerwheel.Timer
		want timerwheel.Found
	}{
		{"AfterFunc", func(_ *testing.T, w *timerwheel.Wheel, p *delPuppet) timerwheel.Timer {
			return w.AfterFunc(0, func() { p.handle(timerwheel.Timer{}) })
		}, delRunning},
		{"Every", func(_ *testing.T, w *timerwheel.Wheel, p *delPuppet) timerwheel.Timer {
			return w.Every(time.Millisecond, p.handle)
		}, delBoth},
		{"AllocLocked", func(t *testing.T, w *timerwheel.Wheel, p *delPuppet) timerwheel.Timer {
			tm := w.AllocLocked(newLockProbe(t), p.handle)
			delStart(t, tm)
			return tm
		}, delRunning},
	}
	for _, kind := range kinds {
		for _, verb := range append([]delVerb{delByDead}, delWaitingVerbs...) {
			delBubble(t, kind.name+"/"+verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				p := newDelPuppet(t)
				tm := kind.arm(t, w, p)
				delSettle()
				require.True(t, tm.Running())
				p.call(func() (timerwheel.Found, error) { return verb.call(tm) }).requires(t, kind.want, timerwheel.ErrDeadlock)
				p.let()
				time.Sleep(time.Hour)
				synctest.Wait()
				require.EqualValues(t, 1, p.begun.Load())
			})
		}
	}
}

// Contract 4: "a goroutine that the handler started is not the handler: its DelSync waits".
func TestAGoroutineOfTheHandlerIsNotTheHandler(t *testing.T) {
	for _, verb := range delWaitingVerbs {
		delBubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			p := newDelPuppet(t)
			tm := w.Alloc(p.handle)
			delStart(t, tm)
			var c *delCall
			p.tell(func() { c = delGo(func() (timerwheel.Found, error) { return verb.call(tm) }) })
			require.True(t, c.waits())
			p.let()
			c.requires(t, delRunning, nil)
		})
	}
}

// ---- circles ----

// Contract 4, table: "DelSync of B | A's handler, where B's handler waits for A's end, by any chain
// of this wheel's handlers | ErrDeadlock to the call that would close the circle, at once, ctx or
// not; the others go on". Circles of 2, 3 and 5, every verb in every place, in both directions of
// arrival.
func TestTheCallThatWouldCloseACircleIsErrDeadlock(t *testing.T) {
	// A member of the circle is a timer in a group of its own, so that the group's deletions can
	// stand in the chain too.
	type member struct {
		p  *delPuppet
		tm timerwheel.Timer
		g  *timerwheel.Group
	}
	type link struct {
		name string
		call func(member) (timerwheel.Found, error)
	}
	links := []link{
		{"DelSync", func(m member) (timerwheel.Found, error) { return m.tm.DelSync() }},
		{"Group.DelSync", func(m member) (timerwheel.Found, error) { return m.g.DelSync() }},
		{"DelSyncContext", func(m member) (timerwheel.Found, error) { return m.tm.DelSyncContext(context.Background()) }},
		{"Shutdown", func(m member) (timerwheel.Found, error) { return m.tm.ShutdownSync() }},
		{"Group.DelSyncContext", func(m member) (timerwheel.Found, error) { return m.g.DelSyncContext(context.Background()) }},
		{"Group.Shutdown", func(m member) (timerwheel.Found, error) { return m.g.ShutdownSync() }},
	}
	closers := append(slices.Clone(links),
		link{"DelSyncContext, ended", func(m member) (timerwheel.Found, error) { return m.tm.DelSyncContext(delDead) }})
	for _, n := range []int{2, 3, 5} {
		for first := range links {
			for _, closer := range closers {
				for _, step := range slices.Compact([]int{1, n - 1}) {
					name := fmt.Sprintf("%d/step %d/from %s/closed by %s", n, step, links[first].name, closer.name)
					delBubble(t, name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
						members := make([]member, n)
						for i := range members {
							g, p := w.NewGroup(), newDelPuppet(t)
							members[i] = member{p, g.Alloc(p.handle), g}
							delStart(t, members[i].tm)
						}
						next := func(i int) member { return members[(i+1)%n] }

						calls := make([]*delCall, n)
						last := 0
						for k := range n {
							i, by := k*step%n, links[(first+k)%len(links)]
							if k == n-1 {
								last, by = i, closer
							}
							calls[i] = members[i].p.call(func() (timerwheel.Found, error) { return by.call(next(i)) })
							require.Equal(t, k < n-1, calls[i].waits(), "call %d of %d, %s", k+1, n, by.name)
						}
						calls[last].requires(t, delRunning, timerwheel.ErrDeadlock)

						// The others go on: each returns when the handler that it waits for has
						// returned, and not before.
						for k := range n - 1 {
							i := (last - k - 1 + n) % n
							require.True(t, calls[i].waits(), "nobody but the closer gets ErrDeadlock")
							next(i).p.let()
							calls[i].requires(t, delRunning, nil)
						}
					})
				}
			}
		}
	}
}

// Contract 4, table: "by any chain of this wheel's handlers": however long, and though it
// leads through groups, of which the run that leads on is the last of three, and through
// Shutdowns.
func TestACircleOfAnyLengthIsSeen(t *testing.T) {
	for _, n := range []int{10, 100} {
		for _, closer := range append([]delVerb{delByDead}, delWaitingVerbs...) {
			delBubble(t, fmt.Sprintf("%d/%s", n, closer.name), timerwheel.Options{MaxWorkers: 3 * n}, func(t *testing.T, w *timerwheel.Wheel) {
				puppets, timers := make([]*delPuppet, n), make([]timerwheel.Timer, n)
				groups, besides := make([]*timerwheel.Group, n), make([]*delPuppet, 0, n)
				for i := range n {
					groups[i] = w.NewGroup()
					for range 2 { // members that run, and wait for nobody
						p := newDelPuppet(t)
						besides = append(besides, p)
						delStart(t, groups[i].Alloc(p.handle))
					}
					puppets[i] = newDelPuppet(t)
					timers[i] = groups[i].Alloc(puppets[i].handle)
					delStart(t, timers[i])
				}
				links := []func(i int) func() (timerwheel.Found, error){
					func(i int) func() (timerwheel.Found, error) { return groups[i].DelSync },
					func(i int) func() (timerwheel.Found, error) { return timers[i].ShutdownSync },
					func(i int) func() (timerwheel.Found, error) { return timers[i].DelSync },
					func(i int) func() (timerwheel.Found, error) { return groups[i].ShutdownSync },
				}
				calls := make([]*delCall, n)
				for i := range n - 1 { // each waits for the next
					calls[i] = puppets[i].call(links[i%len(links)](i + 1))
				}
				delSettle()
				puppets[n-1].call(func() (timerwheel.Found, error) { return closer.call(timers[0]) }).requires(t, delRunning, timerwheel.ErrDeadlock)
				whole := puppets[n-1].call(groups[0].ShutdownSync) // waits for the two that it can wait for
				require.True(t, whole.waits())
				for i := range n - 1 {
					require.True(t, calls[i].waits(), "nobody but the closer gets ErrDeadlock")
				}
				for _, p := range besides {
					p.let()
				}
				whole.requires(t, delRunning, timerwheel.ErrDeadlock)
				for i := n - 1; i > 0; i-- {
					puppets[i].let()
					calls[i-1].requires(t, delRunning, nil)
				}
				puppets[0].let()
			})
		}
	}
}

// Options.Debug: ErrDeadlock names the circle, in its order, from the caller on; of a long
// one the first 16. The circle leads through one of two runs that a group waits for.
func TestErrDeadlockNamesTheCircle(t *testing.T) {
	const here = "github.com/seed76848005/timerwheel_test."
	for n, want := range map[int]string{
		1: here + "nameableA.run",
		2: here + "nameableA.run would wait for " + here + "nameableB.run, which waits for " + here + "nameableA.run",
		3: here + "nameableA.run would wait for " + here + "nameableB.run, which waits for " + here + "nameableC.run, which waits for " + here + "nameableA.run",
		100: here + "nameableA.run would wait for " + here + "nameableB.run" + strings.Repeat(", which waits for "+here+"nameableC.run", 14) +
			", and so on through 84 more, which waits for " + here + "nameableA.run",
	} {
		for _, debug := range []bool{true, false} {
			delBubble(t, fmt.Sprintf("%d/Debug %v", n, debug), timerwheel.Options{Debug: debug}, func(t *testing.T, w *timerwheel.Wheel) {
				puppets, timers := make([]*delPuppet, n), make([]timerwheel.Timer, n)
				one, two, beside := w.NewGroup(), w.NewGroup(), newDelPuppet(t)
				if n > 2 {
					delStart(t, two.Alloc(beside.handle)) // this run leads nowhere
				}
				for i := range n {
					p := newDelPuppet(t)
					puppets[i] = p
					switch i {
					case 0:
						timers[i] = w.Alloc(nameableA{p}.run)
					case 1:
						timers[i] = one.Alloc(nameableB{p}.run)
					case 2:
						timers[i] = two.Alloc(nameableC{p}.run)
					default:
						timers[i] = w.Alloc(nameableC{p}.run)
					}
					delStart(t, timers[i])
				}
				for i := 1; i < n; i++ { // each waits for the next, the last one for the first
					wait := timers[(i+1)%n].DelSync
					if i == 1 && n > 2 {
						wait = two.DelSync
					}
					require.True(t, puppets[i].call(wait).waits())
				}
				closers := []func() (timerwheel.Found, error){timers[1%n].DelSync, timers[1%n].ShutdownSync}
				if n > 1 {
					closers = append(closers, one.DelSync, one.ShutdownSync)
				}
				for _, closer := range closers {
					c := puppets[0].call(closer)
					c.requires(t, delRunning, timerwheel.ErrDeadlock)
					if debug {
						require.EqualError(t, c.err, "timerwheel: would wait for itself: handler "+want)
					} else {
						require.Equal(t, timerwheel.ErrDeadlock, c.err)
					}
				}
			})
		}
	}
}

type (
	nameableA struct{ *delPuppet }
	nameableB struct{ *delPuppet }
	nameableC struct{ *delPuppet }
)

func (n nameableA) run(tm timerwheel.Timer) { n.handle(tm) }
func (n nameableB) run(tm timerwheel.Timer) { n.handle(tm) }
func (n nameableC) run(tm timerwheel.Timer) { n.handle(tm) }

// The converse: a chain that does not come back is no circle, and all of it waits.
func TestAChainOfDeletionsIsNoCircle(t *testing.T) {
	delBubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		const n = 5
		var ps [n]*delPuppet
		var tms [n]timerwheel.Timer
		for i := range n {
			ps[i] = newDelPuppet(t)
			tms[i] = w.Alloc(ps[i].handle)
			delStart(t, tms[i])
		}
		var calls [n - 1]*delCall
		for i := range n - 1 {
			calls[i] = ps[i].call(tms[i+1].DelSync)
			require.True(t, calls[i].waits())
		}
		outside := delGo(tms[0].DelSync)
		require.True(t, outside.waits())
		for i := n - 2; i >= 0; i-- {
			require.True(t, calls[i].waits())
			ps[i+1].let()
			calls[i].requires(t, delRunning, nil)
		}
		ps[0].let()
		outside.requires(t, delRunning, nil)
	})
}

// Contract 4: what waits for nobody any more is no link of a circle, whether its ctx ended or the
// run that it waited for did.
func TestAWaitThatIsOverIsNoLinkOfACircle(t *testing.T) {
	ends := []struct {
		name string
		wait func(*testing.T, *delPuppet, *delPuppet, timerwheel.Timer) // a's handler waits for b, and its wait ends, both running
	}{
		{"ctx", func(t *testing.T, a, _ *delPuppet, b timerwheel.Timer) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			c := a.call(func() (timerwheel.Found, error) { return b.DelSyncContext(ctx) })
			require.True(t, c.waits())
			time.Sleep(time.Second)
			c.requires(t, delRunning, context.DeadlineExceeded)
		}},
		{"the run", func(t *testing.T, a, pb *delPuppet, b timerwheel.Timer) {
			c := a.call(b.DelSync)
			require.True(t, c.waits())
			pb.end()
			c.requires(t, delRunning, nil)
			delStart(t, b)
		}},
	}
	for _, end := range ends {
		delBubble(t, end.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			pa, pb := newDelPuppet(t), newDelPuppet(t)
			a, b := w.Alloc(pa.handle), w.Alloc(pb.handle)
			delStart(t, a)
			delStart(t, b)
			end.wait(t, pa, pb, b)

			c := pb.call(a.DelSync)
			require.True(t, c.waits(), "a waits for nobody")
			pa.call(b.DelSync).requires(t, delRunning, timerwheel.ErrDeadlock) // and now it would
			pa.let()
			c.requires(t, delRunning, nil)
		})
	}
}

// Contract 4, promise 3: a wait for several runs is no wait for those that have ended,
// nor for what their workers run next.
func TestAnEdgeGoesWithItsRun(t *testing.T) {
	delBubble(t, "", timerwheel.Options{MaxWorkers: 3}, func(t *testing.T, w *timerwheel.Wheel) {
		pa, pb, pc, pd := newDelPuppet(t), newDelPuppet(t), newDelPuppet(t), newDelPuppet(t)
		g := w.NewGroup()
		a, b, c, d := w.Alloc(pa.handle), g.Alloc(pb.handle), g.Alloc(pc.handle), w.Alloc(pd.handle)
		for _, tm := range []timerwheel.Timer{a, b, c} {
			delStart(t, tm)
		}
		whole := pa.call(g.DelSync)
		require.True(t, whole.waits())
		require.NoError(t, d.Register(0)) // for which there is no worker
		pb.end()
		synctest.Wait()
		require.True(t, d.Running(), "b's worker does not run it")
		back := pd.call(a.DelSync)
		require.True(t, back.waits(), "a waits for c alone")
		pc.let()
		whole.requires(t, delRunning, nil)
		pa.let()
		back.requires(t, delRunning, nil)
		pd.let()
	})
}

// Contract 4: who waits for a run does so though the same worker has just ended another
// that was waited for.
func TestEachRunHasAnEndingOfItsOwn(t *testing.T) {
	delBubble(t, "", timerwheel.Options{MaxWorkers: 1}, func(t *testing.T, w *timerwheel.Wheel) {
		pa, pb := newDelPuppet(t), newDelPuppet(t)
		a, b := w.Alloc(pa.handle), w.Alloc(pb.handle)
		delStart(t, a)
		require.NoError(t, b.Register(0)) // for which there is no worker
		first := delGo(a.DelSync)
		require.True(t, first.waits())
		pa.end()
		first.requires(t, delRunning, nil)
		require.True(t, b.Running())
		second := delGo(b.DelSync)
		require.True(t, second.waits())
		pb.let()
		second.requires(t, delRunning, nil)
		pa.let()
	})
}

// Contract 4, table: Del and DelAsync never wait, so they close no circle.
func TestDeletionsThatDoNotWaitCloseNoCircle(t *testing.T) {
	delBubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		pa, pb := newDelPuppet(t), newDelPuppet(t)
		a, b := w.Alloc(pa.handle), w.Alloc(pb.handle)
		delStart(t, a)
		delStart(t, b)
		c := pa.call(b.DelSync)
		require.True(t, c.waits())

		var done atomic.Int32
		pb.call(func() (timerwheel.Found, error) { return a.Del(), nil }).requires(t, delRunning, nil)
		pb.call(func() (timerwheel.Found, error) { return a.DelAsync(func() { done.Add(1) }), nil }).requires(t, delRunning, nil)
		require.True(t, c.waits())
		pb.let()
		c.requires(t, delRunning, nil)
		require.Zero(t, done.Load())
		pa.let()
		delSettle()
		require.EqualValues(t, 1, done.Load())
	})
}

// Contract 4: "Circles through two wheels, through a goroutine that the handler started, or through
// the user's own lock ... cannot be seen from here": the calls wait, and "DelSyncContext bounds
// them".
func TestACircleThatCannotBeSeenIsBoundedByAContext(t *testing.T) {
	circles := []struct {
		name string
		// wait has b's handler wait, in a way that its wheel cannot see, for the end of a's.
		wait func(t *testing.T, a timerwheel.Timer, pb *delPuppet)
		far  bool // b lives on another wheel
	}{
		{"two wheels", func(_ *testing.T, a timerwheel.Timer, pb *delPuppet) { pb.call(a.DelSync) }, true},
		{"a goroutine that the handler started", func(_ *testing.T, a timerwheel.Timer, pb *delPuppet) {
			pb.do <- func() { <-delGo(a.DelSync).done }
		}, false},
		{"the user's lock", func(t *testing.T, a timerwheel.Timer, pb *delPuppet) {
			l := newLockProbe(t)
			l.take()
			go func() { // as if a's handler held it to its end
				_, _ = a.DelSync()
				l.drop()
			}()
			pb.do <- func() {
				l.take()
				l.drop()
			}
		}, false},
	}
	for _, circle := range circles {
		delBubble(t, circle.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			home := w
			if circle.far {
				var err error
				home, err = timerwheel.New(timerwheel.Options{})
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, home.Close()) })
			}
			pa, pb := newDelPuppet(t), newDelPuppet(t)
			a, b := w.Alloc(pa.handle), home.Alloc(pb.handle)
			delStart(t, a)
			delStart(t, b)
			circle.wait(t, a, pb)
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			c := pa.call(func() (timerwheel.Found, error) { return b.DelSyncContext(ctx) })
			require.True(t, c.waits())
			time.Sleep(time.Minute)
			c.requires(t, delRunning, context.DeadlineExceeded)
			pa.let()
			pb.let()
			delSettle()
			require.False(t, a.Running())
			require.False(t, b.Running())
		})
	}
}

// ---- DelSyncContext ----

// Contract 4, table: "DelSyncContext | ctx ends first | the firing stays removed, Running: true,
// ctx's error". The refusal belongs to the run: it goes on until the run has ended, and ends with
// it.
func TestDelSyncContextGivesUpWhenItsContextEnds(t *testing.T) {
	ends := []struct {
		name string
		ctx  func() (context.Context, context.CancelFunc)
		err  error
	}{
		{"deadline", func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), time.Minute)
		}, context.DeadlineExceeded},
		{"cancelled", func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(time.Minute, cancel)
			return ctx, cancel
		}, context.Canceled},
		{"ended before the call", func() (context.Context, context.CancelFunc) { return delDead, func() {} }, context.Canceled},
	}
	for _, end := range ends {
		for _, again := range delAgains {
			delBubble(t, end.name+"/"+again.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				p := newDelPuppet(t)
				tm := w.Alloc(p.handle)
				delStart(t, tm)
				again.register(t, tm)
				want := again.found
				want.Running = true

				ctx, cancel := end.ctx()
				defer cancel()
				c := delGo(func() (timerwheel.Found, error) { return tm.DelSyncContext(ctx) })
				if ctx != delDead {
					time.Sleep(time.Minute - time.Nanosecond)
					require.True(t, c.waits())
					time.Sleep(time.Nanosecond)
				}
				c.requires(t, want, end.err)
				require.True(t, tm.Running())
				require.False(t, tm.Pending(), "the firing came back")
				require.Zero(t, w.Running()[0].Waiters)
				delRequireRefused(t, w, tm, timerwheel.ErrDeleting)

				p.end()
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				require.EqualValues(t, 1, p.begun.Load())
				require.NoError(t, tm.Register(0), "the refusal outlived the run")
			})
		}
	}
}

// Contract 4: an end of one call's ctx ends no other call.
func TestDelSyncContextGivesUpAlone(t *testing.T) {
	delBubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		p := newDelPuppet(t)
		tm := w.Alloc(p.handle)
		delStart(t, tm)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		stays := []*delCall{
			delGo(tm.DelSync),
			delGo(func() (timerwheel.Found, error) { return tm.DelSyncContext(context.WithoutCancel(ctx)) }),
		}
		gives := delGo(func() (timerwheel.Found, error) { return tm.DelSyncContext(ctx) })
		require.True(t, gives.waits())
		cancel()
		gives.requires(t, delRunning, context.Canceled)
		for _, c := range stays {
			require.True(t, c.waits())
		}
		require.Equal(t, 2, w.Running()[0].Waiters)
		p.let()
		for _, c := range stays {
			c.requires(t, delRunning, nil)
		}
	})
}

// Contract 4, table: "if both are ready, nil". The context is the way to make both ready: the run
// ends, and then the context, before the call can have looked at either.
func TestDelSyncContextPrefersTheEndOfTheRun(t *testing.T) {
	for i := range 20 { // a select over both would be right every other time
		delBubble(t, fmt.Sprint(i), timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			p := newDelPuppet(t)
			tm := w.Alloc(p.handle)
			delStart(t, tm)
			ctx := newDelContext(func() {
				p.let()
				time.Sleep(time.Second)
			})
			_, err := tm.DelSyncContext(ctx)
			require.NoError(t, err)
			require.Error(t, ctx.Err(), "the test did not make both ready")
		})
	}
}

// ---- DelAsync ----

// Contract 4, table: "DelAsync | running (elsewhere, or here) | returns at once; Registers are
// refused until the handler has returned; then done". Contract 12: one that waits counts in
// SyncWaits and in Waiters.
func TestDelAsyncOfARunningTimer(t *testing.T) {
	for _, here := range []bool{false, true} {
		for _, again := range delAgains {
			delBubble(t, fmt.Sprintf("here=%t/%s", here, again.name), timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				p := newDelPuppet(t)
				tm := w.Alloc(p.handle)
				delStart(t, tm)
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
				if here {
					p.call(del).requires(t, want, nil)
				} else {
					delGo(del).requires(t, want, nil)
				}
				require.False(t, tm.Pending())
				require.Equal(t, 1, w.Running()[0].Waiters)
				require.EqualValues(t, 1, w.Stats().SyncWaits)
				delRequireRefused(t, w, tm, timerwheel.ErrDeleting)
				time.Sleep(time.Minute)
				synctest.Wait()
				require.Zero(t, done.Load(), "done before the handler has returned")

				p.end()
				delSettle()
				require.EqualValues(t, 1, done.Load())
				require.Zero(t, early.Load())
				require.NoError(t, tm.Register(time.Minute), "the refusal outlived the run")
				p.let()
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				require.EqualValues(t, 2, p.begun.Load())
				require.EqualValues(t, 1, done.Load(), "done runs once")
			})
		}
	}
}

// Contract 4, promise 3, for done: what the handler did is seen there. Under -race the plain
// variable is the test.
func TestDelAsyncDoneSeesWhatTheHandlerDid(t *testing.T) {
	delBubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		p := newDelPuppet(t)
		wrote, read := 0, make([]int, 8)
		tm := w.Alloc(func(timerwheel.Timer) {
			for range p.do {
			}
			wrote = 42
		})
		delStart(t, tm)
		for i := range read {
			tm.DelAsync(func() { read[i] = wrote })
		}
		p.let()
		delSettle()
		for _, r := range read {
			require.Equal(t, 42, r, "each DelAsync has its done")
		}
	})
}

// Contract 4: "done runs on a goroutine of the wheel, also for a timer that is idle or stale, never
// in the caller", once each.
func TestDelAsyncOfATimerThatDoesNotRun(t *testing.T) {
	states := []struct {
		name  string
		reach func(*testing.T, *timerwheel.Wheel) timerwheel.Timer
		want  timerwheel.Found
	}{
		{"idle", func(_ *testing.T, w *timerwheel.Wheel) timerwheel.Timer { return w.Alloc(delIgnore) }, delNone},
		{"pending", func(_ *testing.T, w *timerwheel.Wheel) timerwheel.Timer { return w.AfterFunc(time.Hour, func() {}) }, delPending},
		{"stale", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			tm := w.Alloc(delIgnore)
			require.NoError(t, tm.Free())
			return tm
		}, delNone},
		{"zero Timer", func(*testing.T, *timerwheel.Wheel) timerwheel.Timer { return timerwheel.Timer{} }, delNone},
		{"closed wheel", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			tm := w.Alloc(delIgnore)
			require.NoError(t, w.Close())
			return tm
		}, delNone},
	}
	for _, state := range states {
		delBubble(t, state.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			tm := state.reach(t, w)
			var done, inCaller atomic.Int32
			caller := delGoroutine()
			found := tm.DelAsync(func() {
				done.Add(1)
				if delGoroutine() == caller {
					inCaller.Add(1)
				}
			})
			require.Equal(t, state.want, found)
			time.Sleep(time.Hour)
			synctest.Wait()
			require.EqualValues(t, 1, done.Load())
			require.Zero(t, inCaller.Load())
			require.Zero(t, w.Stats().SyncWaits)
		})
	}
}

// Contract 4: done runs "never in the caller and never under a lock": neither the wheel's, so that
// it may call everything, nor the caller's own, nor, while its worker holds it, the lock that the
// timer is bound to.
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
		delBubble(t, fmt.Sprintf("running=%t", running), timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			p, mine, bound := newDelPuppet(t), newLockProbe(t), newLockProbe(t)
			tm := w.AllocLocked(bound, p.handle)
			if running {
				delStart(t, tm)
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
			if running {
				p.call(del).requires(t, delRunning, nil) // in its own handler, whose worker holds the lock
			} else {
				delGo(del).requires(t, delNone, nil)
			}
			p.let()
			delSettle()
			require.EqualValues(t, 1, done.Load())
		})
	}
}

// Contract 4: the handler is over when done runs: a DelSync made there is no deletion in the
// timer's own handler, and waits for a new run.
func TestDelAsyncDoneIsNotTheHandler(t *testing.T) {
	delBubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		p := newDelPuppet(t)
		tm := w.Alloc(p.handle)
		delStart(t, tm)
		c := &delCall{done: make(chan struct{})}
		tm.DelAsync(func() {
			if c.err = tm.Register(0); c.err == nil {
				time.Sleep(10 * time.Millisecond)
				c.run(tm.DelSync)
			}
		})
		p.end()
		delSettle()
		delSettle()
		require.EqualValues(t, 2, p.begun.Load())
		require.True(t, c.waits())
		p.end()
		c.requires(t, delRunning, nil)
	})
}

// Contract 4: "A nil done panics", contract 12: "before any effect".
func TestDelAsyncOfNilPanicsBeforeAnyEffect(t *testing.T) {
	delBubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		p := newDelPuppet(t)
		tm := w.Alloc(p.handle)
		delStart(t, tm)
		require.NoError(t, tm.Register(time.Hour))
		before := w.Stats()
		require.Panics(t, func() { tm.DelAsync(nil) })
		require.Equal(t, before, w.Stats())
		require.True(t, tm.Pending())
		require.Zero(t, w.Running()[0].Waiters)
		require.NoError(t, tm.Register(time.Minute), "it refuses Registers")

		stale := w.Alloc(delIgnore)
		require.NoError(t, stale.Free())
		require.Panics(t, func() { stale.DelAsync(nil) })
		require.Panics(t, func() { timerwheel.Timer{}.DelAsync(nil) })
	})
}

// Contract 12: "Close waits for the dones of deletions that were waiting".
func TestCloseWaitsForDones(t *testing.T) {
	delBubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		p := newDelPuppet(t)
		tm := w.Alloc(p.handle)
		delStart(t, tm)
		gate := make(chan struct{})
		var done atomic.Int32
		tm.DelAsync(func() {
			<-gate
			done.Add(1)
		})
		c := delGo(func() (timerwheel.Found, error) { return timerwheel.Found{}, w.Close() })
		require.True(t, c.waits())
		p.let()
		require.True(t, c.waits(), "the done has not returned")
		close(gate)
		c.requires(t, delNone, nil)
		require.EqualValues(t, 1, done.Load())
	})
}

// Contract 9: "every goroutine of the wheel is joined". A done that need not wait
// is called by a goroutine of the wheel, unless that is closed: a DelAsync that
// Close overtakes must not start one after Close has looked.
func TestNoDoneOfTheWheelsIsSentAfterClose(t *testing.T) {
	rounds := 6000
	if testing.Short() {
		rounds = 2000
	}
	for range rounds {
		w, err := timerwheel.New(timerwheel.Options{})
		require.NoError(t, err)
		idle := w.Alloc(func(timerwheel.Timer) {})
		var all sync.WaitGroup
		all.Add(1)
		deleted := make(chan struct{})
		go func() {
			defer close(deleted)
			idle.DelAsync(all.Done)
		}()
		require.NoError(t, w.Close())
		for waiting := true; waiting; {
			require.Zero(t, w.Stats().Workers, "a goroutine of the wheel after Close")
			select {
			case <-deleted:
				waiting = false
			default:
			}
		}
		all.Wait()
	}
}

// ---- runs that end badly ----

// Contract 11: a panic (with OnPanic) and a Goexit in the handler clear the running slot and
// release the waiters: DelSync returns as after any other end.
func TestWaitsEndWithARunThatEndsBadly(t *testing.T) {
	onPanic := func(timerwheel.HandlerPanic) {}
	ends := []struct {
		name    string
		end     func()
		onPanic func(timerwheel.HandlerPanic)
	}{
		{"panic", func() { panic("the handler's") }, onPanic},
		{"panic(nil)", func() { panic(nil) }, onPanic},
		{"Goexit", runtime.Goexit, nil},
		{"Goexit, with OnPanic", runtime.Goexit, onPanic},
	}
	for _, end := range ends {
		delBubble(t, end.name, timerwheel.Options{OnPanic: end.onPanic}, func(t *testing.T, w *timerwheel.Wheel) {
			p := newDelPuppet(t)
			tm := w.Alloc(p.handle)
			delStart(t, tm)
			var calls []*delCall
			for _, verb := range []delVerb{delBySync, delByContext} {
				calls = append(calls, delGo(func() (timerwheel.Found, error) { return verb.call(tm) }))
			}
			var done atomic.Int32
			tm.DelAsync(func() { done.Add(1) })
			for _, c := range calls {
				require.True(t, c.waits())
			}
			p.do <- end.end
			for _, c := range calls {
				c.requires(t, delRunning, nil)
			}
			require.EqualValues(t, 1, done.Load())
			require.False(t, tm.Running())
			require.Empty(t, w.Running())
			require.NoError(t, tm.Register(0), "the refusal outlived the run")
			delSettle()
			require.EqualValues(t, 2, p.begun.Load(), "the worker that ended badly was not replaced")
		})
	}
}

// Contract 11: "the running slot is cleared and waiters released first, then OnPanic is called":
// OnPanic may itself wait for those that waited, and a deletion of the timer there is not one in
// its handler.
func TestWaitersAreReleasedBeforeOnPanic(t *testing.T) {
	var waited chan struct{}
	var tm timerwheel.Timer
	var inOnPanic *delCall
	onPanic := func(timerwheel.HandlerPanic) {
		<-waited
		inOnPanic.run(tm.DelSync)
	}
	delBubble(t, "", timerwheel.Options{OnPanic: onPanic}, func(t *testing.T, w *timerwheel.Wheel) {
		waited = make(chan struct{})
		inOnPanic = &delCall{done: make(chan struct{})}
		p := newDelPuppet(t)
		tm = w.Alloc(p.handle)
		delStart(t, tm)
		c := delGo(func() (timerwheel.Found, error) {
			defer close(waited)
			return tm.DelSync()
		})
		require.True(t, c.waits())
		p.do <- func() { panic("the handler's") }
		c.requires(t, delRunning, nil)
		inOnPanic.requires(t, delNone, nil)
	})
}

// ---- storage ----

// Contract 4: "The wait never reads or writes the timer's storage ... So the handler, or anyone,
// may free the timer meanwhile, the storage may be recycled and registered by a new tenant, and the
// wait neither touches it nor waits for the new tenant". The tenants move in at the end of the run,
// before the waiters get to run, and half of them run on.
func TestDelSyncNeitherWaitsForNorTouchesTheNextTenant(t *testing.T) {
	delBubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		const tenants = 32
		for range 20 {
			p, next := newDelPuppet(t), newDelPuppet(t)
			tm := w.Alloc(p.handle)
			delStart(t, tm)
			require.NoError(t, tm.Free())

			var calls []*delCall
			for i := range 12 {
				verb := delWaitingVerbs[i%len(delWaitingVerbs)]
				calls = append(calls, delGo(func() (timerwheel.Found, error) { return verb.call(tm) }))
			}
			require.True(t, calls[0].waits())
			var living []timerwheel.Timer
			var errs []error
			tm.DelAsync(func() {
				for i := range tenants {
					tenant := w.Alloc(next.handle)
					errs = append(errs, tenant.Register(time.Duration(i%2)*time.Hour))
					living = append(living, tenant)
				}
			})

			p.let()
			delSettle()
			for _, c := range calls {
				c.requires(t, delRunning, nil)
			}
			for _, err := range errs {
				require.NoError(t, err, "the refusal fell upon a new tenant")
			}
			require.False(t, tm.Valid())
			require.Equal(t, tenants/2, w.Stats().Running)
			require.Equal(t, tenants/2, w.Stats().Pending)
			for _, verb := range delVerbs {
				found, err := verb.call(tm)
				require.NoError(t, err)
				require.Equal(t, delNone, found, "a stale handle reached the new tenant")
			}
			require.Equal(t, tenants/2, w.Stats().Pending)

			next.let()
			for i, tenant := range living {
				found, err := tenant.DelSync()
				require.NoError(t, err)
				require.Equal(t, i%2 == 1, found.Pending)
				require.NoError(t, tenant.Free())
			}
			delSettle()
			require.Zero(t, w.Stats().Live)
		}
	})
}

// ---- Manual wheels ----

// Contract 10: "Same promises for deletion, also from other goroutines": the goroutine in Advance
// is the worker while it runs the handler, and no longer.
func TestDelSyncOnAManualWheel(t *testing.T) {
	delBubble(t, "", timerwheel.Options{Manual: true}, func(t *testing.T, w *timerwheel.Wheel) {
		p := newDelPuppet(t)
		tm := w.Alloc(p.handle)
		advance := func() (timerwheel.Found, error) {
			if err := tm.Register(0); err != nil {
				return delNone, err
			}
			_, err := w.Advance(w.Now())
			return delNone, err
		}
		p.let()
		_, err := advance() // this goroutine has been a worker now, and is none any more
		require.NoError(t, err)

		p = newDelPuppet(t)
		tm = w.Alloc(p.handle)
		advancing := delGo(advance)
		synctest.Wait()
		require.True(t, tm.Running())
		elsewhere := delGo(tm.DelSync)
		require.True(t, elsewhere.waits())
		p.call(tm.DelSync).requires(t, delRunning, timerwheel.ErrDeadlock)
		time.AfterFunc(time.Hour, p.let)
		found, err := tm.DelSync()
		require.NoError(t, err)
		require.Equal(t, delRunning, found)
		require.EqualValues(t, 1, p.ended.Load())
		elsewhere.requires(t, delRunning, nil)
		advancing.requires(t, delNone, nil)
	})
}

// Contract 4: on a Manual wheel done runs "in the caller before DelAsync returns, or in the Advance
// that ran the handler".
func TestDelAsyncDoneOnAManualWheel(t *testing.T) {
	delBubble(t, "", timerwheel.Options{Manual: true}, func(t *testing.T, w *timerwheel.Wheel) {
		p := newDelPuppet(t)
		tm := w.Alloc(p.handle)
		stale := w.Alloc(delIgnore)
		require.NoError(t, stale.Free())
		for _, idle := range []timerwheel.Timer{tm, stale, w.AfterFunc(time.Hour, func() {})} {
			var in []string
			idle.DelAsync(func() { in = append(in, delGoroutine()) })
			require.Equal(t, []string{delGoroutine()}, in)
		}

		var advancer string
		var in []string
		done := func() {
			in = append(in, delGoroutine())
			if p.ended.Load() == 0 {
				in = append(in, "too early")
			}
		}
		require.NoError(t, tm.Register(0))
		advancing := delGo(func() (timerwheel.Found, error) {
			advancer = delGoroutine()
			_, err := w.Advance(w.Now())
			if len(in) != 2 {
				in = append(in, "too late")
			}
			return delNone, err
		})
		synctest.Wait()
		found := tm.DelAsync(done) // elsewhere
		require.Equal(t, delRunning, found)
		p.call(func() (timerwheel.Found, error) { return tm.DelAsync(done), nil }).requires(t, delRunning, nil) // here
		p.let()
		advancing.requires(t, delNone, nil)
		require.Equal(t, []string{advancer, advancer}, in)
	})
}

// Contract 4: a Register is refused "while it waits". A deletion that was told ErrDeadlock
// does not wait, and so leaves no refusal: neither the one in the timer's own handler nor
// the one that would have closed a circle. And in the circle, too, the firing is removed.
func TestADeletionThatIsRefusedToWaitRefusesNobody(t *testing.T) {
	for _, verb := range []delVerb{delBySync, delByContext, delByDead} {
		delBubble(t, "its own handler/"+verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			p := newDelPuppet(t)
			tm := w.Alloc(p.handle)
			delStart(t, tm)
			p.call(func() (timerwheel.Found, error) { return verb.call(tm) }).requires(t, delRunning, timerwheel.ErrDeadlock)
			require.NoError(t, tm.Register(0))
			p.end()
			delSettle()
			require.EqualValues(t, 2, p.begun.Load())
		})
		delBubble(t, "a circle/"+verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			pa, pb := newDelPuppet(t), newDelPuppet(t)
			a, b := w.Alloc(pa.handle), w.Alloc(pb.handle)
			delStart(t, a)
			delStart(t, b)
			require.NoError(t, b.Register(time.Hour))
			first := pb.call(a.DelSync)
			require.True(t, first.waits())
			pa.call(func() (timerwheel.Found, error) { return verb.call(b) }).requires(t, delBoth, timerwheel.ErrDeadlock)
			require.False(t, b.Pending(), "the firing was not removed")
			require.Equal(t, []int{1, 0}, groupWaiters(w, a, b))
			require.NoError(t, b.Register(time.Hour), "nobody waits for b")
			require.ErrorIs(t, a.Register(time.Hour), timerwheel.ErrDeleting, "but b's handler waits for a")
			pa.let()
			first.requires(t, delRunning, nil)
		})
	}
}

// Contract 1: "A waiting deletion holds no reference": at the end of the run that it waits
// for the timer is recycled, before the waiter gets to run. The last moment of a run that
// is its worker's own is the Unlock of a lock-bound timer.
func TestAWaitingDeletionHoldsNoReference(t *testing.T) {
	for _, verb := range append([]delVerb{delByAsync}, delWaitingVerbs...) {
		delBubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			l, p := newLockProbe(t), newDelPuppet(t)
			tm := w.AllocLocked(l, p.handle)
			var valid, live atomic.Int32
			l.onUnlock = func() {
				if tm.Valid() {
					valid.Add(1)
				}
				live.Store(int32(w.Stats().Live))
			}
			delStart(t, tm)
			var calls []*delCall
			for range 50 {
				calls = append(calls, delGo(func() (timerwheel.Found, error) { return verb.call(tm) }))
			}
			synctest.Wait()
			require.NoError(t, tm.Free(), "the only reference, but for the worker's")
			require.ErrorIs(t, tm.Free(), timerwheel.ErrFreed)
			p.let()
			for _, c := range calls {
				c.requires(t, delRunning, nil)
			}
			require.Zero(t, valid.Load(), "somebody still held the timer when its run was over")
			require.Zero(t, live.Load())
		})
	}
}

// ---- tools ----

// delAgains are the ways in which a timer may have been registered again while it runs, as the
// deletion finds them.
var delAgains = []struct {
	name     string
	found    timerwheel.Found
	register func(*testing.T, timerwheel.Timer)
}{
	{"not registered again", delNone, func(*testing.T, timerwheel.Timer) {}},
	{"registered again", delPending, func(t *testing.T, tm timerwheel.Timer) { require.NoError(t, tm.Register(90*time.Minute)) }},
	{"due again", delPending, func(t *testing.T, tm timerwheel.Timer) {
		require.NoError(t, tm.Register(0))
		delSettle()
		require.True(t, tm.Pending(), "due but not begun is still pending")
	}},
}

// delBubble runs f, as a subtest if it has a name, in a bubble with a wheel of its own, which is
// closed at the end, after the puppets were let go.
func delBubble(t *testing.T, name string, o timerwheel.Options, f func(*testing.T, *timerwheel.Wheel)) {
	t.Helper()
	bubble := func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, err := timerwheel.New(o)
			require.NoError(t, err)
			t.Cleanup(func() {
				require.NoError(t, w.Close())
				stats := w.Stats()
				require.Zero(t, stats.Running)
				require.Equal(t, stats.Registered, stats.Fired+stats.Removed+uint64(stats.Pending))
			})
			f(t, w)
		})
	}
	if name == "" {
		bubble(t)
	} else {
		t.Run(name, bubble)
	}
}

// delSettle lets everything that is due begin and everything that can go on go on.
func delSettle() {
	time.Sleep(10 * time.Millisecond)
	synctest.Wait()
}

// delStart makes a timer run; its handler must be a puppet's.
func delStart(t *testing.T, tm timerwheel.Timer) {
	t.Helper()
	require.NoError(t, tm.Register(0))
	delSettle()
	require.True(t, tm.Running())
}

func delIgnore(timerwheel.Timer) {}

// A delPuppet is a handler whose run does what it is sent, on the worker's goroutine, until the
// test ends it.
type delPuppet struct {
	begun, ended atomic.Int32
	do           chan func()
	let          func() // ends this run and lets all later ones return at once
}

func newDelPuppet(t *testing.T) *delPuppet {
	p := &delPuppet{do: make(chan func())}
	p.let = sync.OnceFunc(func() { close(p.do) })
	t.Cleanup(p.let)
	return p
}

func (p *delPuppet) handle(timerwheel.Timer) {
	p.begun.Add(1)
	defer p.ended.Add(1)
	for f := range p.do {
		if f == nil {
			return
		}
		f()
	}
}

// end ends one run.
func (p *delPuppet) end() { p.do <- nil }

// tell has the handler do something that does not wait.
func (p *delPuppet) tell(f func()) {
	done := make(chan struct{})
	p.do <- func() {
		defer close(done)
		f()
	}
	<-done
}

// call has the handler make a deletion, which may wait.
func (p *delPuppet) call(del func() (timerwheel.Found, error)) *delCall {
	c := &delCall{done: make(chan struct{})}
	p.do <- func() { c.run(del) }
	return c
}

// A delCall is a deletion under way.
type delCall struct {
	done  chan struct{}
	found timerwheel.Found
	err   error
}

// delGo makes a deletion on a goroutine of its own.
func delGo(del func() (timerwheel.Found, error)) *delCall {
	c := &delCall{done: make(chan struct{})}
	go c.run(del)
	return c
}

func (c *delCall) run(del func() (timerwheel.Found, error)) {
	defer close(c.done)
	c.found, c.err = del()
}

func (c *delCall) result() (timerwheel.Found, error) {
	<-c.done
	return c.found, c.err
}

// waits reports, once the bubble has settled, whether the deletion has not returned.
func (c *delCall) waits() bool {
	synctest.Wait()
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

// requires checks that the deletion has returned, or returns without any further passing of time,
// and what.
func (c *delCall) requires(t *testing.T, want timerwheel.Found, err error) {
	t.Helper()
	require.False(t, c.waits(), "the deletion has not returned")
	if err == nil {
		require.NoError(t, c.err)
	} else {
		require.ErrorIs(t, c.err, err)
	}
	require.Equal(t, want, c.found)
}

// delRegisterAll tries each verb that registers. Reset has no error to give: what it did is the
// last entry, nil if it armed the timer.
func delRegisterAll(w *timerwheel.Wheel, tm timerwheel.Timer) []error {
	errs := []error{tm.Register(time.Hour), tm.RegisterAt(w.Now().Add(time.Hour)), tm.Reduce(time.Hour)}
	if !tm.Reset(time.Hour) && !tm.Pending() {
		return append(errs, errs[0])
	}
	return append(errs, nil)
}

func delRequireRefused(t *testing.T, w *timerwheel.Wheel, tm timerwheel.Timer, want error) {
	t.Helper()
	for i, err := range delRegisterAll(w, tm) {
		require.ErrorIs(t, err, want, "verb %d", i)
	}
	require.False(t, tm.Pending())
}

// delGoroutine names the calling goroutine.
func delGoroutine() string {
	buf := make([]byte, 64)
	return string(bytes.Fields(buf[:runtime.Stack(buf, false)])[1])
}

// A delContext ends when it is first asked for its channel, after a hook.
type delContext struct {
	context.Context
	once   sync.Once
	cancel context.CancelFunc
	hook   func()
}

func newDelContext(hook func()) *delContext {
	ctx, cancel := context.WithCancel(context.Background())
	return &delContext{Context: ctx, cancel: cancel, hook: hook}
}

func (c *delContext) Done() <-chan struct{} {
	c.once.Do(func() {
		c.hook()
		c.cancel()
	})
	return c.Context.Done()
}
