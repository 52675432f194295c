package timerwheel_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Section 4 of the contract, row by row, in bubbles: time is exact there, and a call that hangs
// fails at once, with the stacks.
//
// The handlers are puppets (see helpers_old_test.go): a puppet's run lasts until the test ends it,
// and does on the worker's goroutine what the test tells it to. So each row is staged exactly: who
// runs, who waits, who asks.

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
			settle()
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
			settle()
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
			bubble(t, state.name+"/"+verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				tm := state.reach(t, w)
				before := w.Stats()
				for range 2 {
					found, err := verb.call(tm)
					require.NoError(t, err)
					require.Equal(t, foundNone, found)
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
			bubble(t, kind.name+"/"+verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				var runs atomic.Int32
				tm := kind.arm(t, w, func() { runs.Add(1) })
				require.True(t, tm.Pending())

				found, err := verb.call(tm)
				require.NoError(t, err)
				require.Equal(t, foundPending, found)
				require.False(t, tm.Pending())
				_, ok := tm.When()
				require.False(t, ok, "a deadline without a firing")
				_, ok = w.Next()
				require.False(t, ok, "the wheel still waits for the firing")

				found, err = verb.call(tm)
				require.NoError(t, err)
				require.Equal(t, foundNone, found, "the second deletion")

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
		bubble(t, verb.name, timerwheel.Options{MaxWorkers: 2}, func(t *testing.T, w *timerwheel.Wheel) {
			p := newPuppet(t)
			startRun(t, w.Alloc(p.handle))
			startRun(t, w.Alloc(p.handle))

			var deleted, kept atomic.Int32
			var inLine []timerwheel.Timer
			for range 100 {
				tm := w.Alloc(func(timerwheel.Timer) { deleted.Add(1) })
				require.NoError(t, tm.Register(0))
				require.NoError(t, w.Alloc(func(timerwheel.Timer) { kept.Add(1) }).Register(0))
				inLine = append(inLine, tm)
			}
			settle()
			require.Equal(t, 200, w.Stats().Pending, "due but not begun is still pending")

			for _, tm := range inLine {
				found, err := verb.call(tm)
				require.NoError(t, err)
				require.Equal(t, foundPending, found)
			}
			require.Equal(t, 100, w.Stats().Pending)
			p.let()
			settle()
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
		bubble(t, verb.name, timerwheel.Options{MaxWorkers: 1}, func(t *testing.T, w *timerwheel.Wheel) {
			p := newPuppet(t)
			startRun(t, w.Alloc(p.handle))
			var runs atomic.Int32
			b := w.Alloc(func(timerwheel.Timer) { runs.Add(1) })
			require.NoError(t, b.Register(0))
			settle()
			require.True(t, b.Pending())

			p.call(func() (timerwheel.Found, error) { return verb.call(b) }).requires(t, foundPending, nil)
			p.let()
			settle()
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
				bubble(t, name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
					p := newPuppet(t)
					tm := w.Alloc(p.handle)
					startRun(t, tm)
					again.register(t, tm)

					want := again.found
					want.Running = verb.name == "Del" // Stop has no way to say so
					del := func() (timerwheel.Found, error) { return verb.call(tm) }
					if here {
						p.call(del).requires(t, want, nil)
					} else {
						deleting(del).requires(t, want, nil)
					}
					require.Zero(t, p.ended.Load(), "it waited")
					require.True(t, tm.Running())
					require.False(t, tm.Pending())

					p.end()
					time.Sleep(2 * time.Hour)
					synctest.Wait()
					require.EqualValues(t, 1, p.begun.Load(), "the firing that Del removed")
					require.Zero(t, w.Stats().SyncWaits)

					startRun(t, tm)
					_, err := verb.call(tm)
					require.NoError(t, err)
					require.NoError(t, tm.Register(0), "refused after a deletion that does not wait")
					p.end()
					settle()
					require.EqualValues(t, 3, p.begun.Load())
				})
			}
		}
	}
}

// delAgains are the ways in which a timer may have been registered again while it runs, as the
// deletion finds them.
var delAgains = []struct {
	name     string
	found    timerwheel.Found
	register func(*testing.T, timerwheel.Timer)
}{
	{"not registered again", foundNone, func(*testing.T, timerwheel.Timer) {}},
	{"registered again", foundPending, func(t *testing.T, tm timerwheel.Timer) { require.NoError(t, tm.Register(90*time.Minute)) }},
	{"due again", foundPending, func(t *testing.T, tm timerwheel.Timer) {
		require.NoError(t, tm.Register(0))
		settle()
		require.True(t, tm.Pending(), "due but not begun is still pending")
	}},
}

// ---- running elsewhere: the waiting deletions ----

// Contract 4, table: "DelSync | running elsewhere | the same Found, nil, after the handler has
// returned", and promises 1 and 2: at its return the timer is neither pending nor running. A firing
// registered meanwhile is removed when the wait begins, not when it ends.
func TestDelSyncWaitsForTheHandler(t *testing.T) {
	for _, verb := range delWaitingVerbs {
		for _, again := range delAgains {
			bubble(t, verb.name+"/"+again.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				p := newPuppet(t)
				tm := w.Alloc(p.handle)
				startRun(t, tm)
				again.register(t, tm)

				var ended int32
				c := deleting(func() (timerwheel.Found, error) {
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
		arm  func(*testing.T, *timerwheel.Wheel, *puppet) timerwheel.Timer
		want timerwheel.Found
	}{
		{"AfterFunc", func(_ *testing.T, w *timerwheel.Wheel, p *puppet) timerwheel.Timer {
			return w.AfterFunc(0, func() { p.handle(timerwheel.Timer{}) })
		}, foundRunning},
		{"Every", func(_ *testing.T, w *timerwheel.Wheel, p *puppet) timerwheel.Timer {
			return w.Every(time.Millisecond, p.handle)
		}, foundBoth},
		{"freed in its run", func(t *testing.T, w *timerwheel.Wheel, p *puppet) timerwheel.Timer {
			tm := w.Alloc(p.handle)
			startRun(t, tm)
			p.tell(func() { _ = tm.Free() })
			return tm
		}, foundRunning},
	}
	for _, kind := range kinds {
		for _, verb := range delWaitingVerbs {
			bubble(t, kind.name+"/"+verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				p := newPuppet(t)
				tm := kind.arm(t, w, p)
				settle()
				require.True(t, tm.Running())

				c := deleting(func() (timerwheel.Found, error) { return verb.call(tm) })
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
		bubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			p := newPuppet(t)
			wrote := 0
			tm := w.Alloc(func(timerwheel.Timer) {
				for range p.do {
				}
				wrote = 42
			})
			startRun(t, tm)
			var read [8]int
			var calls []*deletion
			for i := range read {
				calls = append(calls, deleting(func() (timerwheel.Found, error) {
					found, err := verb.call(tm)
					read[i] = wrote
					return found, err
				}))
			}
			require.True(t, calls[0].waits())
			p.let()
			for i, c := range calls {
				c.requires(t, foundRunning, nil)
				require.Equal(t, 42, read[i])
			}
		})
	}
}

// Contract 4, table: "many DelSyncs | one running timer | all return after the handler".
func TestManyDelSyncsOfOneRun(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		p := newPuppet(t)
		tm := w.Alloc(p.handle)
		startRun(t, tm)
		require.NoError(t, tm.Register(0))
		settle()

		const n = 30
		var calls []*deletion
		var early atomic.Int32
		for i := range n {
			verb := delWaitingVerbs[i%len(delWaitingVerbs)]
			calls = append(calls, deleting(func() (timerwheel.Found, error) {
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
			want := foundRunning
			want.Pending = i == 0 // there was one firing, and the first of them removed it
			c.requires(t, want, nil)
		}
		require.Zero(t, early.Load())
		settle()
		require.EqualValues(t, 1, p.begun.Load())
	})
}

// Contract 4: the deletions of a run that is still in flight when the wheel is closed wait for it
// as any other does.
func TestDelSyncOnAClosedWheelWaitsForTheHandler(t *testing.T) {
	for _, verb := range delWaitingVerbs {
		bubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			p := newPuppet(t)
			tm := w.Alloc(p.handle)
			startRun(t, tm)
			require.ErrorIs(t, w.CloseContext(endedContext), context.Canceled)
			c := deleting(func() (timerwheel.Found, error) { return verb.call(tm) })
			require.True(t, c.waits())
			p.let()
			c.requires(t, foundRunning, nil)
		})
	}
}

// Contract 4: who waits for a run does so though the same worker has just ended another
// that was waited for.
func TestEachRunHasAnEndingOfItsOwn(t *testing.T) {
	bubble(t, "", timerwheel.Options{MaxWorkers: 1}, func(t *testing.T, w *timerwheel.Wheel) {
		pa, pb := newPuppet(t), newPuppet(t)
		a, b := w.Alloc(pa.handle), w.Alloc(pb.handle)
		startRun(t, a)
		require.NoError(t, b.Register(0)) // for which there is no worker
		first := deleting(a.DelSync)
		require.True(t, first.waits())
		pa.end()
		first.requires(t, foundRunning, nil)
		require.True(t, b.Running())
		second := deleting(b.DelSync)
		require.True(t, second.waits())
		pb.let()
		second.requires(t, foundRunning, nil)
		pa.let()
	})
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
				bubble(t, verb.name+"/"+copied.name+"/"+again.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
					p := newPuppet(t)
					var argument timerwheel.Timer
					tm := w.Alloc(func(tm timerwheel.Timer) {
						argument = tm
						p.handle(tm)
					})
					startRun(t, tm)
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
		arm  func(*testing.T, *timerwheel.Wheel, *puppet) timerwheel.Timer
		want timerwheel.Found
	}{
		{"AfterFunc", func(_ *testing.T, w *timerwheel.Wheel, p *puppet) timerwheel.Timer {
			return w.AfterFunc(0, func() { p.handle(timerwheel.Timer{}) })
		}, foundRunning},
		{"Every", func(_ *testing.T, w *timerwheel.Wheel, p *puppet) timerwheel.Timer {
			return w.Every(time.Millisecond, p.handle)
		}, foundBoth},
		{"AllocLocked", func(t *testing.T, w *timerwheel.Wheel, p *puppet) timerwheel.Timer {
			tm := w.AllocLocked(newLockProbe(t), p.handle)
			startRun(t, tm)
			return tm
		}, foundRunning},
	}
	for _, kind := range kinds {
		for _, verb := range append([]delVerb{delByDead}, delWaitingVerbs...) {
			bubble(t, kind.name+"/"+verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				p := newPuppet(t)
				tm := kind.arm(t, w, p)
				settle()
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
		bubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			p := newPuppet(t)
			tm := w.Alloc(p.handle)
			startRun(t, tm)
			var c *deletion
			p.tell(func() { c = deleting(func() (timerwheel.Found, error) { return verb.call(tm) }) })
			require.True(t, c.waits())
			p.let()
			c.requires(t, foundRunning, nil)
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
		{"ended before the call", func() (context.Context, context.CancelFunc) { return endedContext, func() {} }, context.Canceled},
	}
	for _, end := range ends {
		for _, again := range delAgains {
			bubble(t, end.name+"/"+again.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				p := newPuppet(t)
				tm := w.Alloc(p.handle)
				startRun(t, tm)
				again.register(t, tm)
				want := again.found
				want.Running = true

				ctx, cancel := end.ctx()
				defer cancel()
				c := deleting(func() (timerwheel.Found, error) { return tm.DelSyncContext(ctx) })
				if ctx != endedContext {
					time.Sleep(time.Minute - time.Nanosecond)
					require.True(t, c.waits())
					time.Sleep(time.Nanosecond)
				}
				c.requires(t, want, end.err)
				require.True(t, tm.Running())
				require.False(t, tm.Pending(), "the firing came back")
				require.Zero(t, w.Running()[0].Waiters)
				requireRefused(t, w, tm, timerwheel.ErrDeleting)

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
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		p := newPuppet(t)
		tm := w.Alloc(p.handle)
		startRun(t, tm)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		stays := []*deletion{
			deleting(tm.DelSync),
			deleting(func() (timerwheel.Found, error) { return tm.DelSyncContext(context.WithoutCancel(ctx)) }),
		}
		gives := deleting(func() (timerwheel.Found, error) { return tm.DelSyncContext(ctx) })
		require.True(t, gives.waits())
		cancel()
		gives.requires(t, foundRunning, context.Canceled)
		for _, c := range stays {
			require.True(t, c.waits())
		}
		require.Equal(t, 2, w.Running()[0].Waiters)
		p.let()
		for _, c := range stays {
			c.requires(t, foundRunning, nil)
		}
	})
}

// Contract 4, table: "if both are ready, nil". The context is the way to make both ready: the run
// ends, and then the context, before the call can have looked at either.
func TestDelSyncContextPrefersTheEndOfTheRun(t *testing.T) {
	for i := range 20 { // a select over both would be right every other time
		bubble(t, fmt.Sprint(i), timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			p := newPuppet(t)
			tm := w.Alloc(p.handle)
			startRun(t, tm)
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

// ---- refusals ----

// Contract 4: "While it waits, no Register of that timer succeeds, whoever calls", and "the wait is
// bounded by the one handler run in flight. The refusal belongs to that run and ends with it".
func TestRegisterIsRefusedWhileADeletionWaits(t *testing.T) {
	for _, verb := range []delVerb{delBySync, delByContext, delByAsync} {
		bubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			p := newPuppet(t)
			tm := w.Alloc(p.handle)
			other := w.Alloc(delIgnore)
			startRun(t, tm)
			require.NoError(t, tm.Register(time.Hour), "nothing waits yet")

			c := deleting(func() (timerwheel.Found, error) { return verb.call(tm) })
			synctest.Wait()
			before := w.Stats()
			requireRefused(t, w, tm, timerwheel.ErrDeleting) // a third goroutine
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
			c.requires(t, foundBoth, nil)
			synctest.Wait()
			require.NoError(t, tm.Register(0), "the refusal outlived the run")
			settle()
			require.EqualValues(t, 2, p.begun.Load())
			p.end()
		})
	}
}

// Contract 4: "The refusal belongs to that run and ends with it."
func TestRefusalOfADeletionEndsWithItsRun(t *testing.T) {
	for name, del := range map[string]func(timerwheel.Timer) (timerwheel.Found, error){
		"DelSync":  timerwheel.Timer.DelSync,
		"DelAsync": func(tm timerwheel.Timer) (timerwheel.Found, error) { return tm.DelAsync(func() {}), nil },
	} {
		t.Run(name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{})
				h := parkHandler(t)
				tm := w.Alloc(func(timerwheel.Timer) { h.run() })
				require.NoError(t, tm.Register(0))
				elapse(time.Second)
				go func() { _, _ = del(tm) }()
				elapse(time.Hour)
				require.ErrorIs(t, tm.Register(0), timerwheel.ErrDeleting)
				h.release()
				elapse(0)
				for _, verb := range armVerbs {
					require.NoError(t, verb.arm(tm, time.Second))
					elapse(time.Minute)
				}
				require.EqualValues(t, 1+len(armVerbs), h.started.Load())
			})
		})
	}
}

// Contract 4: "to forbid that too, Shutdown", for the others "by the time DelSync has returned,
// somebody may have registered the timer anew": the moment the run has ended, a Register holds,
// however late the waiter gets to run.
func TestRegisterHoldsOnceTheRunHasEnded(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		p := newPuppet(t)
		tm := w.Alloc(p.handle)
		startRun(t, tm)
		var calls []*deletion
		for range 10 {
			calls = append(calls, deleting(tm.DelSync))
		}
		require.True(t, calls[0].waits())
		var registered error
		tm.DelAsync(func() { registered = tm.Register(0) })

		p.end()
		settle()
		require.NoError(t, registered)
		require.EqualValues(t, 2, p.begun.Load())
		require.True(t, tm.Running())
		for _, c := range calls {
			c.requires(t, foundRunning, nil) // of the first run; they do not wait for the second
		}
	})
}

// Contract 4: a Register is refused "while it waits". A deletion that was told ErrDeadlock
// does not wait, and so leaves no refusal: neither the one in the timer's own handler nor
// the one that would have closed a circle. And in the circle, too, the firing is removed.
func TestADeletionThatIsRefusedToWaitRefusesNobody(t *testing.T) {
	for _, verb := range []delVerb{delBySync, delByContext, delByDead} {
		bubble(t, "its own handler/"+verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			p := newPuppet(t)
			tm := w.Alloc(p.handle)
			startRun(t, tm)
			p.call(func() (timerwheel.Found, error) { return verb.call(tm) }).requires(t, foundRunning, timerwheel.ErrDeadlock)
			require.NoError(t, tm.Register(0))
			p.end()
			settle()
			require.EqualValues(t, 2, p.begun.Load())
		})
		bubble(t, "a circle/"+verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			pa, pb := newPuppet(t), newPuppet(t)
			a, b := w.Alloc(pa.handle), w.Alloc(pb.handle)
			startRun(t, a)
			startRun(t, b)
			require.NoError(t, b.Register(time.Hour))
			first := pb.call(a.DelSync)
			require.True(t, first.waits())
			pa.call(func() (timerwheel.Found, error) { return verb.call(b) }).requires(t, foundBoth, timerwheel.ErrDeadlock)
			require.False(t, b.Pending(), "the firing was not removed")
			require.Equal(t, []int{1, 0}, groupWaiters(w, a, b))
			require.NoError(t, b.Register(time.Hour), "nobody waits for b")
			require.ErrorIs(t, a.Register(time.Hour), timerwheel.ErrDeleting, "but b's handler waits for a")
			pa.let()
			first.requires(t, foundRunning, nil)
		})
	}
}

// ---- Shutdown ----

// Contract 4, promise 4: "no Register of this timer succeeds ever after (ErrShutdown), even if this
// Shutdown returned an error", and it "gives DelSync's promises".
func TestTimerShutdownRefusesForEver(t *testing.T) {
	type shut func(*testing.T, *timerwheel.Wheel, timerwheel.Timer, *puppet) *deletion
	ways := []struct {
		name string
		shut shut
		want timerwheel.Found
		err  error
	}{
		{"idle", func(_ *testing.T, _ *timerwheel.Wheel, tm timerwheel.Timer, _ *puppet) *deletion {
			return deleting(tm.ShutdownSync)
		}, foundNone, nil},
		{"pending", func(t *testing.T, _ *timerwheel.Wheel, tm timerwheel.Timer, _ *puppet) *deletion {
			require.NoError(t, tm.Register(time.Hour))
			return deleting(tm.ShutdownSync)
		}, foundPending, nil},
		{"running elsewhere", func(t *testing.T, _ *timerwheel.Wheel, tm timerwheel.Timer, _ *puppet) *deletion {
			startRun(t, tm)
			return deleting(tm.ShutdownSync)
		}, foundRunning, nil},
		{"its own handler", func(t *testing.T, _ *timerwheel.Wheel, tm timerwheel.Timer, p *puppet) *deletion {
			startRun(t, tm)
			require.NoError(t, tm.Register(0))
			return p.call(tm.ShutdownSync)
		}, foundBoth, timerwheel.ErrDeadlock},
		{"a circle", func(t *testing.T, w *timerwheel.Wheel, tm timerwheel.Timer, p *puppet) *deletion {
			q := newPuppet(t)
			b := w.Alloc(q.handle)
			startRun(t, tm)
			startRun(t, b)
			first := p.call(b.DelSync)
			require.True(t, first.waits())
			c := q.call(tm.ShutdownSync)
			require.False(t, c.waits())
			q.let()
			first.requires(t, foundRunning, nil)
			return c
		}, foundRunning, timerwheel.ErrDeadlock},
	}
	for _, way := range ways {
		bubble(t, way.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			p := newPuppet(t)
			tm := w.Alloc(p.handle)
			require.NoError(t, tm.Retain())
			c := way.shut(t, w, tm, p)
			synctest.Wait()
			requireRefused(t, w, tm, timerwheel.ErrShutdown)
			if tm.Running() {
				var errs []error
				p.tell(func() { errs = delRegisterAll(w, tm) })
				for _, err := range errs {
					require.ErrorIs(t, err, timerwheel.ErrShutdown)
				}
			}
			p.let()
			c.requires(t, way.want, way.err)
			settle()
			begun := p.begun.Load()

			requireRefused(t, w, tm, timerwheel.ErrShutdown)
			require.NoError(t, tm.Free())
			requireRefused(t, w, tm, timerwheel.ErrShutdown) // Retain's reference still holds it
			found, err := tm.ShutdownSync()
			require.NoError(t, err)
			require.Equal(t, foundNone, found, "a second Shutdown")
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
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		p := newPuppet(t)
		tm := w.Alloc(p.handle)
		startRun(t, tm)
		var first, second error
		p.tell(func() { first = tm.Register(0) })
		c := deleting(tm.ShutdownSync)
		require.True(t, c.waits())
		p.tell(func() { second = tm.Register(0) })
		require.NoError(t, first)
		require.ErrorIs(t, second, timerwheel.ErrShutdown)
		p.let()
		c.requires(t, foundBoth, nil)
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
		bubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
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

// ---- storage ----

// Contract 4: "The wait never reads or writes the timer's storage ... So the handler, or anyone,
// may free the timer meanwhile, the storage may be recycled and registered by a new tenant, and the
// wait neither touches it nor waits for the new tenant". The tenants move in at the end of the run,
// before the waiters get to run, and half of them run on.
func TestDelSyncNeitherWaitsForNorTouchesTheNextTenant(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		const tenants = 32
		for range 20 {
			p, next := newPuppet(t), newPuppet(t)
			tm := w.Alloc(p.handle)
			startRun(t, tm)
			require.NoError(t, tm.Free())

			var calls []*deletion
			for i := range 12 {
				verb := delWaitingVerbs[i%len(delWaitingVerbs)]
				calls = append(calls, deleting(func() (timerwheel.Found, error) { return verb.call(tm) }))
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
			settle()
			for _, c := range calls {
				c.requires(t, foundRunning, nil)
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
				require.Equal(t, foundNone, found, "a stale handle reached the new tenant")
			}
			require.Equal(t, tenants/2, w.Stats().Pending)

			next.let()
			for i, tenant := range living {
				found, err := tenant.DelSync()
				require.NoError(t, err)
				require.Equal(t, i%2 == 1, found.Pending)
				require.NoError(t, tenant.Free())
			}
			settle()
			require.Zero(t, w.Stats().Live)
		}
	})
}

// Contract 1: "A waiting deletion holds no reference": at the end of the run that it waits
// for the timer is recycled, before the waiter gets to run. The last moment of a run that
// is its worker's own is the Unlock of a lock-bound timer.
func TestAWaitingDeletionHoldsNoReference(t *testing.T) {
	for _, verb := range append([]delVerb{delByAsync}, delWaitingVerbs...) {
		bubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			l, p := newLockProbe(t), newPuppet(t)
			tm := w.AllocLocked(l, p.handle)
			var valid, live atomic.Int32
			l.onUnlock = func() {
				if tm.Valid() {
					valid.Add(1)
				}
				live.Store(int32(w.Stats().Live))
			}
			startRun(t, tm)
			var calls []*deletion
			for range 50 {
				calls = append(calls, deleting(func() (timerwheel.Found, error) { return verb.call(tm) }))
			}
			synctest.Wait()
			require.NoError(t, tm.Free(), "the only reference, but for the worker's")
			require.ErrorIs(t, tm.Free(), timerwheel.ErrFreed)
			p.let()
			for _, c := range calls {
				c.requires(t, foundRunning, nil)
			}
			require.Zero(t, valid.Load(), "somebody still held the timer when its run was over")
			require.Zero(t, live.Load())
		})
	}
}

// Contract 11: "waits durably blocking": in a bubble, whoever waits for a handler lets the
// clock run that the handler waits for.
func TestEveryWaitIsDurablyBlocking(t *testing.T) {
	waits := map[string]func(w *timerwheel.Wheel, g *timerwheel.Group, tm timerwheel.Timer) error{
		"DelSync": func(_ *timerwheel.Wheel, _ *timerwheel.Group, tm timerwheel.Timer) error {
			_, err := tm.DelSync()
			return err
		},
		"Shutdown": func(_ *timerwheel.Wheel, _ *timerwheel.Group, tm timerwheel.Timer) error {
			_, err := tm.ShutdownSync()
			return err
		},
		"DelSyncContext": func(_ *timerwheel.Wheel, _ *timerwheel.Group, tm timerwheel.Timer) error {
			_, err := tm.DelSyncContext(context.Background())
			return err
		},
		"Group.DelSync": func(_ *timerwheel.Wheel, g *timerwheel.Group, _ timerwheel.Timer) error {
			_, err := g.DelSync()
			return err
		},
		"Group.Shutdown": func(_ *timerwheel.Wheel, g *timerwheel.Group, _ timerwheel.Timer) error {
			_, err := g.ShutdownSync()
			return err
		},
		"Group.DelSyncContext": func(_ *timerwheel.Wheel, g *timerwheel.Group, _ timerwheel.Timer) error {
			_, err := g.DelSyncContext(context.Background())
			return err
		},
		"Close": func(w *timerwheel.Wheel, _ *timerwheel.Group, _ timerwheel.Timer) error { return w.Close() },
		"Wheel.Shutdown": func(w *timerwheel.Wheel, _ *timerwheel.Group, _ timerwheel.Timer) error {
			return w.CloseContext(context.Background())
		},
	}
	for name, wait := range waits {
		t.Run(name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{})
				g := w.NewGroup()
				begin := time.Now()
				tm := g.AfterFunc(0, func() { time.Sleep(24 * time.Hour) })
				time.Sleep(10 * time.Millisecond)
				require.True(t, tm.Running())
				require.NoError(t, wait(w, g, tm))
				late := time.Since(begin) - 24*time.Hour
				require.True(t, 0 <= late && late < time.Second, "%v", late)
			})
		})
	}
}

// Contract 2, Stop: "reports whether it removed a firing"; 4, table: "deleting twice is no
// error". Of a hundred that delete one timer exactly one finds it pending; if it was about
// to fire, it fired or was removed, never both and never neither.
func TestHundredGoroutinesDeleteOneTimer(t *testing.T) {
	ctx := context.Background()
	verbs := []func(tm timerwheel.Timer) (timerwheel.Found, error){
		delNoError,
		timerwheel.Timer.DelSync,
		func(tm timerwheel.Timer) (timerwheel.Found, error) { return timerwheel.Found{Pending: tm.Stop()}, nil },
		func(tm timerwheel.Timer) (timerwheel.Found, error) { return tm.DelSyncContext(ctx) },
		timerwheel.Timer.DelSync,
		func(tm timerwheel.Timer) (timerwheel.Found, error) { return tm.DelAsync(func() {}), nil },
		timerwheel.Timer.ShutdownSync,
	}
	rounds := 100
	if testing.Short() {
		rounds = 20
	}
	for _, c := range []struct {
		name string
		d    func(round int) time.Duration
	}{
		{"far from firing", func(int) time.Duration { return time.Hour }},
		{"about to fire", func(round int) time.Duration { return time.Duration(round%10) * 50 * time.Microsecond }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := openWheel(t, timerwheel.Options{Tick: 50 * time.Microsecond})
			for round := range rounds {
				const deleters = 100
				fired := 0 // unguarded: whoever waited for the handler may read it
				tm := w.Alloc(func(timerwheel.Timer) {
					fired++
					runtime.Gosched()
				})
				var found atomic.Int32
				var start, end sync.WaitGroup
				start.Add(1)
				for i := range deleters {
					end.Go(func() {
						start.Wait()
						f, err := verbs[(round+i)%len(verbs)](tm)
						assert.NoError(t, err)
						if f.Pending {
							found.Add(1)
						}
					})
				}
				require.NoError(t, tm.Register(c.d(round)))
				start.Done()
				end.Wait()
				_, err := tm.DelSync()
				require.NoError(t, err)
				require.EqualValues(t, 1, int(found.Load())+fired, "removed %d times and fired %d times", found.Load(), fired)
				if c.d(round) == time.Hour {
					require.EqualValues(t, 1, found.Load())
				}
				require.NoError(t, tm.Free())
			}
			eventually(t, "all are recycled", func() bool { return w.Stats().Live == 0 })
			requireLaw(t, w.Stats())
		})
	}
}
