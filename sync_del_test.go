package timerwheel_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Section 4 of docs/promises.md, row by row, in bubbles. The handlers are puppets, so that each row is
// staged exactly: which timer runs, which call waits, which goroutine calls.

// ---- idle, stale, zero ----

// Promise 4, table, first row, with each way to get there, also of a group's members: deleting twice
// is no error, and an ended ctx does not matter.
func TestDeletionOfWhatIsGoneFindsNothing(t *testing.T) {
	for name, reach := range goneTimers {
		for _, verb := range memberVerbs {
			bubble(t, name+"/"+verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				g := w.NewGroup()
				gone := member{reach(t, w, g), g}
				before := w.Stats()
				for range 2 {
					finds(t, foundNone)(verb.call(gone))
				}
				after := w.Stats()
				require.Equal(t, before.Pending, after.Pending, "another timer was deleted")
				require.Equal(t, before.Removed, after.Removed)
				require.Zero(t, after.SyncWaits)
			})
		}
	}
}

// goneTimers make a member of a group that is neither pending nor running.
var goneTimers = map[string]func(*testing.T, *timerwheel.Wheel, *timerwheel.Group) timerwheel.Timer{
	"zero Timer": func(*testing.T, *timerwheel.Wheel, *timerwheel.Group) timerwheel.Timer { return timerwheel.Timer{} },
	"never registered": func(_ *testing.T, _ *timerwheel.Wheel, g *timerwheel.Group) timerwheel.Timer {
		return g.Alloc(delIgnore)
	},
	"fired": func(t *testing.T, w *timerwheel.Wheel, g *timerwheel.Group) timerwheel.Timer {
		tm := armed(g.Alloc(delIgnore), 0)
		settle()
		require.EqualValues(t, 1, w.Stats().Fired)
		return tm
	},
	"deleted": func(t *testing.T, w *timerwheel.Wheel, g *timerwheel.Group) timerwheel.Timer {
		tm := armed(g.Alloc(delIgnore), time.Hour)
		require.True(t, tm.Stop())
		return tm
	},
	"dropped by Close": func(t *testing.T, w *timerwheel.Wheel, g *timerwheel.Group) timerwheel.Timer {
		tm := armed(g.Alloc(delIgnore), time.Hour)
		require.NoError(t, w.Close())
		return tm
	},
	"stale, freed": func(t *testing.T, w *timerwheel.Wheel, g *timerwheel.Group) timerwheel.Timer {
		tm := g.Alloc(delIgnore)
		require.NoError(t, tm.Free())
		return tm
	},
	"stale, fired": func(_ *testing.T, w *timerwheel.Wheel, g *timerwheel.Group) timerwheel.Timer {
		tm := g.AfterFunc(0, func() {})
		settle()
		return tm
	},
	"stale, with a new tenant": func(t *testing.T, w *timerwheel.Wheel, g *timerwheel.Group) timerwheel.Timer {
		tm, other := g.Alloc(delIgnore), w.NewGroup()
		require.NoError(t, tm.Free())
		for range 64 { // one of them lives in the old record
			armed(w.Alloc(delIgnore), time.Hour)
			armed(other.Alloc(delIgnore), time.Hour)
		}
		return tm
	},
}

// ---- pending ----

// Promise 4, table, second row, for each kind of timer. The firing that was removed never begins.
func TestDeletionOfAPendingTimerRemovesTheFiring(t *testing.T) {
	kinds := map[string]func(*testing.T, *timerwheel.Wheel, func(timerwheel.Timer)) timerwheel.Timer{
		"freed while pending": func(t *testing.T, w *timerwheel.Wheel, f func(timerwheel.Timer)) timerwheel.Timer {
			tm := armed(w.Alloc(f), time.Minute)
			require.NoError(t, tm.Free())
			return tm
		},
		"moved": func(_ *testing.T, w *timerwheel.Wheel, f func(timerwheel.Timer)) timerwheel.Timer {
			return armed(armed(w.Alloc(f), time.Second), time.Minute)
		},
		"never due": func(_ *testing.T, w *timerwheel.Wheel, f func(timerwheel.Timer)) timerwheel.Timer {
			return armed(w.Alloc(f), 1<<63-1)
		},
	}
	for _, kind := range timerKinds {
		kinds[kind.name] = func(t *testing.T, w *timerwheel.Wheel, f func(timerwheel.Timer)) timerwheel.Timer {
			return kind.arm(w, newLockProbe(t), time.Minute, f)
		}
	}
	for name, arm := range kinds {
		for _, verb := range timerVerbs {
			bubble(t, name+"/"+verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				var runs atomic.Int32
				tm := arm(t, w, func(timerwheel.Timer) { runs.Add(1) })
				require.True(t, tm.Pending())

				finds(t, foundPending)(verb.call(tm))
				require.False(t, tm.Pending())
				_, ok := tm.When()
				require.False(t, ok, "a deadline without a firing")
				_, ok = w.Next()
				require.False(t, ok, "the wheel still waits for the firing")
				finds(t, foundNone)(verb.call(tm)) // the second deletion

				elapse(time.Hour)
				require.Zero(t, runs.Load())
				stats := w.Stats()
				require.EqualValues(t, 1, stats.Removed)
				require.Zero(t, stats.Fired)
				require.Zero(t, stats.SyncWaits)
			})
		}
	}
}

// Promise 4: Del "works on a timer that is due and in line to run"; promise 11. A single worker is the
// caller's: there a deletion that waited for a timer in line would wait for itself.
func TestDeletionOfATimerInLineWhileAllWorkersAreBlocked(t *testing.T) {
	for _, workers := range []int{1, 2, 3} {
		for _, verb := range memberVerbs {
			bubble(t, fmt.Sprint(workers, "/", verb.name), timerwheel.Options{MaxWorkers: workers}, func(t *testing.T, w *timerwheel.Wheel) {
				p := newPuppet(t)
				for range workers {
					startRun(t, w.Alloc(p.handle))
				}
				var deleted, kept atomic.Int32
				var inLine []member
				for range 100 {
					g := w.NewGroup()
					inLine = append(inLine, member{armed(g.Alloc(func(timerwheel.Timer) { deleted.Add(1) }), 0), g})
					armed(w.Alloc(func(timerwheel.Timer) { kept.Add(1) }), 0)
				}
				settle()
				require.Equal(t, 200, w.Stats().Pending, "due but not begun is still pending")

				for _, m := range inLine {
					deletingHere(p, workers == 1, verb.on(m)).requires(t, foundPending, nil)
				}
				require.Equal(t, 100, w.Stats().Pending)
				p.let()
				settle()
				require.Zero(t, deleted.Load())
				require.EqualValues(t, 100, kept.Load(), "the neighbours in line were lost")
				require.Zero(t, w.Stats().SyncWaits, "a deletion waits for a timer that is only in line")
			})
		}
	}
}

// ---- running: Del and Shutdown ----

// Promise 4, table: Del of a running timer, and Shutdown, which is Del and promise 4.37; promise 8: the
// group's. Del causes no refusal. A ShutdownSync after a Shutdown still waits for the run.
func TestDelOfARunningTimerDoesNotWait(t *testing.T) {
	for _, verb := range memberVerbs.named("Del", "Stop", "Shutdown", "Group.Del", "Group.Shutdown") {
		for _, here := range []bool{false, true} {
			for _, again := range delAgains {
				name := fmt.Sprintf("%s/here=%t/%s", verb.name, here, again.name)
				bubble(t, name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
					g := w.NewGroup()
					tm, p := newRun(t, g)
					again.register(t, tm)
					del := verb.on(member{tm, g})

					want := timerwheel.Found{Pending: again.found.Pending, Running: verb.name != "Stop"} // which does not report a run
					deletingHere(p, here, del).requires(t, want, nil)
					require.Zero(t, p.ended.Load(), "it waited")
					require.True(t, tm.Running())
					require.False(t, tm.Pending())
					require.Equal(t, []int{0}, waitersOf(w, tm))
					require.Zero(t, w.Stats().SyncWaits)

					if !verb.shuts {
						p.end()
						elapse(2 * time.Hour)
						require.EqualValues(t, 1, p.begun.Load(), "the firing that Del removed")
						startRun(t, tm)
						_, err := del()
						require.NoError(t, err)
						require.NoError(t, tm.Register(0), "refused after a deletion that does not wait")
						p.end()
						settle()
						require.EqualValues(t, 3, p.begun.Load())
						return
					}
					requireRefused(t, w, tm, timerwheel.ErrShutdown)
					requireRefusedInHandler(t, w, p, timerwheel.ErrShutdown, tm)
					finds(t, foundRunning)(del()) // a second Shutdown
					one, whole := deleting(tm.ShutdownSync), deleting(g.ShutdownSync)
					require.True(t, one.waits() && whole.waits())
					p.let()
					one.requires(t, foundRunning, nil)
					whole.requires(t, foundRunning, nil)
					elapse(2 * time.Hour)
					require.EqualValues(t, 1, p.begun.Load(), "the firing that Shutdown removed")
					requireRefused(t, w, tm, timerwheel.ErrShutdown)
					finds(t, foundNone)(del())
				})
			}
		}
	}
	bubble(t, "Shutdown of a timer without owners", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		p := newPuppet(t)
		series := w.Every(time.Millisecond, p.handle)
		settle()
		require.Equal(t, foundBoth, series.Shutdown())
		requireRefused(t, w, series, timerwheel.ErrShutdown) // while it lives
		p.let()
		settle()
		requireRefused(t, w, series, timerwheel.ErrStale)
		require.EqualValues(t, 1, p.begun.Load())

		idle := w.AfterFunc(time.Hour, func() {})
		require.Equal(t, foundPending, idle.Shutdown())
		requireRefused(t, w, idle, timerwheel.ErrStale)
		require.Zero(t, w.Stats().Live)
	})
}

// deletingHere makes a deletion, in the puppet's handler or elsewhere.
func deletingHere(p *puppet, here bool, del func() (timerwheel.Found, error)) *deletion {
	if here {
		return p.call(del)
	}
	return deleting(del)
}

// delAgains are the states in which a deletion may find a running timer: not registered again, or
// registered again during its run.
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

// Promise 4, table: DelSync of a timer that runs elsewhere, and promises 1 and 2, also if the handler
// made the goroutine that calls.
func TestDelSyncWaitsForTheHandler(t *testing.T) {
	type row struct {
		name  string
		begin func(*testing.T, *timerwheel.Group, *puppet) timerwheel.Timer
		found timerwheel.Found
		owned bool
	}
	rows := []row{
		{"AfterFunc", func(_ *testing.T, g *timerwheel.Group, p *puppet) timerwheel.Timer {
			return g.AfterFunc(0, func() { p.handle(timerwheel.Timer{}) })
		}, foundRunning, false},
		{"Every", func(_ *testing.T, g *timerwheel.Group, p *puppet) timerwheel.Timer {
			return g.Every(time.Millisecond, p.handle)
		}, foundBoth, false},
		{"freed in its run", func(t *testing.T, g *timerwheel.Group, p *puppet) timerwheel.Timer {
			tm := g.Alloc(p.handle)
			startRun(t, tm)
			p.tell(func() { _ = tm.Free() })
			return tm
		}, foundRunning, false},
	}
	for _, again := range delAgains {
		rows = append(rows, row{again.name, func(t *testing.T, g *timerwheel.Group, p *puppet) timerwheel.Timer {
			tm := g.Alloc(p.handle)
			startRun(t, tm)
			again.register(t, tm)
			return tm
		}, timerwheel.Found{Pending: again.found.Pending, Running: true}, true})
	}
	waits := func(row row, verb deletionVerb[member], inHandler bool) {
		name := fmt.Sprintf("%s/%s/in the handler=%t", row.name, verb.name, inHandler)
		bubble(t, name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			g, p := w.NewGroup(), newPuppet(t)
			tm := row.begin(t, g, p)
			settle()
			require.True(t, tm.Running())

			var ended int32
			var c *deletion
			begins := func() {
				c = deleting(func() (timerwheel.Found, error) {
					found, err := verb.call(member{tm, g})
					ended = p.ended.Load()
					return found, err
				})
			}
			if inHandler {
				p.tell(begins)
			} else {
				begins()
			}
			time.Sleep(time.Hour)
			require.True(t, c.waits(), "it returned while the handler ran")
			require.True(t, tm.Running())
			require.False(t, tm.Pending(), "the firing was not removed")
			require.EqualValues(t, 1, w.Stats().SyncWaits)
			require.Equal(t, []int{1}, waitersOf(w, tm))

			p.end()
			c.requires(t, row.found, nil)
			require.EqualValues(t, 1, ended, "it returned before the handler")
			require.False(t, tm.Running())
			require.False(t, tm.Pending())
			require.Equal(t, row.owned, tm.Valid(), "it is recycled unless it has owners")
			elapse(2 * time.Hour)
			require.EqualValues(t, 1, p.begun.Load(), "it ran after its deletion")
			require.Equal(t, row.owned, w.Stats().Live == 1)
		})
	}
	for _, verb := range memberVerbs.waiting() {
		for _, row := range rows {
			waits(row, verb, false)
			waits(row, verb, true)
		}
	}
}

// Promise 4, promise 3, and table: "many DelSyncs | one running timer | all return after the handler".
// The variables are plain: under -race, a return or a done that is not ordered after the handler is a report.
func TestDelSyncReturnsAfterWhatTheHandlerDid(t *testing.T) {
	ways := []deletionVerbs[timerwheel.Timer]{timerVerbs.waiting()}
	for _, verb := range timerVerbs.waiting() {
		ways = append(ways, deletionVerbs[timerwheel.Timer]{verb})
	}
	for _, verbs := range ways {
		bubble(t, fmt.Sprint(len(verbs), " from ", verbs[0].name), timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			const n = 32
			p := newPuppet(t)
			runs, wrote := 0, 0
			tm := w.Alloc(func(timerwheel.Timer) {
				for range p.do {
				}
				runs++
				wrote = 42
			})
			startRun(t, tm)
			require.NoError(t, tm.Register(0))
			settle()
			var read, readByDone [n]int
			var calls [n]*deletion
			for i := range n {
				calls[i] = deleting(func() (timerwheel.Found, error) {
					found, err := verbs[i%len(verbs)].call(tm)
					read[i] = wrote
					return found, err
				})
				require.True(t, calls[i].waits())
				tm.DelAsync(func() { readByDone[i] = wrote })
			}
			require.Equal(t, []int{2 * n}, waitersOf(w, tm))
			require.EqualValues(t, 2*n, w.Stats().SyncWaits)

			p.let()
			for i, c := range calls { // there was one firing, and the first of them removed it
				c.requires(t, timerwheel.Found{Pending: i == 0, Running: true}, nil)
			}
			settle()
			require.Equal(t, 1, runs)
			for i := range n {
				require.Equal(t, 42, read[i])
				require.Equal(t, 42, readByDone[i], "each DelAsync has its done")
			}
		})
	}
}

// Promise 4: the deletions of a run that is still in flight when the wheel is closed wait for it
// as any others do.
func TestDelSyncOnAClosedWheelWaitsForTheHandler(t *testing.T) {
	for _, verb := range timerVerbs.waiting() {
		bubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			tm, p := newRun(t, w)
			require.ErrorIs(t, w.CloseContext(endedContext), context.Canceled)
			c := deleting(verb.on(tm))
			require.True(t, c.waits())
			p.let()
			c.requires(t, foundRunning, nil)
		})
	}
}

// Promise 4: a deletion waits for a run although the same worker has just ended another run that
// was waited for.
func TestEachRunHasAnEndingOfItsOwn(t *testing.T) {
	bubble(t, "", timerwheel.Options{MaxWorkers: 1}, func(t *testing.T, w *timerwheel.Wheel) {
		a, pa := newRun(t, w)
		pb := newPuppet(t)
		b := armed(w.Alloc(pb.handle), 0) // for which there is no worker
		first := deleting(a.DelSync)
		require.True(t, first.waits())
		pa.end()
		first.requires(t, foundRunning, nil)
		require.True(t, b.Running())
		second := deleting(b.DelSync)
		require.True(t, second.waits())
		pb.let()
		second.requires(t, foundRunning, nil)
	})
}

// ---- its own handler ----

// Promise 4, table: DelSync in its own handler of every kind, through any copy of the handle; promise
// 8: or through the group; promise 12: with an ended ctx too.
func TestDelSyncInItsOwnHandlerIsErrDeadlock(t *testing.T) {
	type row struct {
		name  string
		begin func(*testing.T, *timerwheel.Group, *puppet) timerwheel.Timer
		own   func(w *timerwheel.Wheel, argument, tm timerwheel.Timer) timerwheel.Timer
		found timerwheel.Found
	}
	var argument timerwheel.Timer
	closure := func(_ *timerwheel.Wheel, _, own timerwheel.Timer) timerwheel.Timer { return own }
	rows := []row{
		{"AfterFunc", func(_ *testing.T, g *timerwheel.Group, p *puppet) timerwheel.Timer {
			return g.AfterFunc(0, func() { p.handle(timerwheel.Timer{}) })
		}, closure, foundRunning},
		{"Every", func(_ *testing.T, g *timerwheel.Group, p *puppet) timerwheel.Timer {
			return g.Every(time.Millisecond, p.handle)
		}, closure, foundBoth},
		{"AllocLocked", func(t *testing.T, g *timerwheel.Group, p *puppet) timerwheel.Timer {
			return armed(g.AllocLocked(newLockProbe(t), p.handle), 0)
		}, closure, foundRunning},
	}
	for name, own := range map[string]func(*timerwheel.Wheel, timerwheel.Timer, timerwheel.Timer) timerwheel.Timer{
		"argument": func(_ *timerwheel.Wheel, argument, _ timerwheel.Timer) timerwheel.Timer { return argument },
		"closure":  closure,
		"map key": func(_ *timerwheel.Wheel, _, own timerwheel.Timer) timerwheel.Timer {
			for key := range map[timerwheel.Timer]bool{own: true} {
				return key
			}
			return timerwheel.Timer{}
		},
		"retained": func(_ *timerwheel.Wheel, _, own timerwheel.Timer) timerwheel.Timer {
			other := own
			_ = other.Retain()
			_ = own.Free()
			return other
		},
		"freed": func(_ *timerwheel.Wheel, _, own timerwheel.Timer) timerwheel.Timer {
			_ = own.Free()
			return own
		},
		"Running": func(w *timerwheel.Wheel, _, _ timerwheel.Timer) timerwheel.Timer { return w.Running()[0].Timer },
	} {
		for _, again := range delAgains {
			rows = append(rows, row{name + "/" + again.name, func(t *testing.T, g *timerwheel.Group, p *puppet) timerwheel.Timer {
				tm := g.Alloc(func(tm timerwheel.Timer) {
					argument = tm
					p.handle(tm)
				})
				startRun(t, tm)
				again.register(t, tm)
				return tm
			}, own, timerwheel.Found{Pending: again.found.Pending, Running: true}})
		}
	}
	for _, row := range rows {
		for _, verb := range memberVerbs.syncs() {
			bubble(t, row.name+"/"+verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				g, p := w.NewGroup(), newPuppet(t)
				tm := row.begin(t, g, p)
				settle()
				require.True(t, tm.Running())
				var took time.Duration
				p.call(func() (timerwheel.Found, error) {
					start := time.Now()
					defer func() { took = time.Since(start) }()
					return verb.call(member{row.own(w, argument, tm), g})
				}).requires(t, row.found, timerwheel.ErrDeadlock)
				require.Zero(t, took, "at once")
				require.False(t, tm.Pending())
				p.let()
				elapse(2 * time.Hour)
				require.EqualValues(t, 1, p.begun.Load(), "the firing was not removed")
				require.Zero(t, w.Stats().SyncWaits, "it waited for itself")
			})
		}
	}
}

// ---- DelSyncContext ----

// Promise 4, table, and 8: the ctx ends first. The firings stay removed. The refusal belongs to the
// run: it ends with it, unless the timer is shut down.
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
	for _, verb := range memberContextVerbs {
		for _, end := range ends {
			for _, again := range delAgains {
				bubble(t, verb.name+"/"+end.name+"/"+again.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
					g := w.NewGroup()
					tm, p := newRun(t, g)
					other, q := newRun(t, g)
					again.register(t, tm)
					deleted := []timerwheel.Timer{tm}
					if strings.HasPrefix(verb.name, "Group.") {
						deleted = append(deleted, other, g.Alloc(delIgnore))
					}

					ctx, cancel := end.ctx()
					defer cancel()
					c := deleting(verb.on(member{tm, g}, ctx))
					if ctx != endedContext {
						time.Sleep(time.Minute - time.Nanosecond)
						q.end() // one of two is not enough
						require.True(t, c.waits())
						time.Sleep(time.Nanosecond)
					}
					c.requires(t, timerwheel.Found{Pending: again.found.Pending, Running: true}, end.err)
					require.True(t, tm.Running())
					require.False(t, tm.Pending(), "the firing came back")
					require.Equal(t, []int{0, 0}, waitersOf(w, tm, other))
					requireRefused(t, w, tm, verb.err)

					p.end()
					q.let()
					elapse(2 * time.Hour)
					require.EqualValues(t, 1, p.begun.Load())
					require.EqualValues(t, 1, q.begun.Load())
					for _, tm := range deleted {
						if verb.err == timerwheel.ErrShutdown {
							requireRefused(t, w, tm, verb.err)
						} else {
							require.NoError(t, tm.Register(0), "the refusal outlived the run")
						}
					}
				})
			}
		}
	}
}

// Promise 4, table: "if both are ready, nil", for groups too. The context is the way to make both
// ready: the runs end, and then the context, before the call can have looked at either.
func TestDelSyncContextPrefersTheEndOfTheRun(t *testing.T) {
	for _, verb := range memberContextVerbs {
		for i := range 20 { // a select over both would be right every other time
			bubble(t, fmt.Sprint(verb.name, "/", i), timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				g, p := w.NewGroup(), newPuppet(t)
				var tm timerwheel.Timer
				for range 3 {
					tm = g.Alloc(p.handle)
					startRun(t, tm)
				}
				inner, cancel := context.WithCancel(context.Background())
				ctx := &delContext{inner, sync.OnceFunc(func() {
					p.let()
					time.Sleep(time.Second)
					cancel()
				})}
				_, err := verb.call(member{tm, g}, ctx)
				require.NoError(t, err)
				require.Error(t, ctx.Err(), "the test did not make both ready")
			})
		}
	}
}

// A delContext ends when it is first asked for its channel, after a hook.
type delContext struct {
	context.Context
	done func()
}

func (c *delContext) Done() <-chan struct{} {
	c.done()
	return c.Context.Done()
}

// ---- refusals ----

// Promise 4: "While it waits, no Register of that timer succeeds, whoever calls", and "the wait is
// bounded by the one handler run in flight. The refusal belongs to that run and ends with it".
func TestRegisterIsRefusedWhileADeletionWaits(t *testing.T) {
	for _, verb := range timerVerbs.named("DelSync", "DelSyncContext", "DelAsync") {
		bubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			tm, p := newRun(t, w)
			other := w.Alloc(delIgnore)
			require.NoError(t, tm.Register(time.Hour), "no deletion waits yet")

			c := deleting(verb.on(tm))
			elapse(time.Hour)
			before := w.Stats()
			requireRefused(t, w, tm, timerwheel.ErrDeleting) // a third goroutine
			requireRefusedInHandler(t, w, p, timerwheel.ErrDeleting, tm)
			after := w.Stats()
			require.Equal(t, before.Refused+2*refusals, after.Refused)
			after.Refused = before.Refused
			require.Equal(t, before, after, "a refused Register changes nothing but the count")
			require.NoError(t, other.Register(time.Hour), "another timer was refused")

			p.let()
			c.requires(t, foundBoth, nil)
			synctest.Wait()
			for _, verb := range armVerbs {
				require.NoError(t, verb.arm(tm, time.Second), "the refusal outlived the run")
				elapse(time.Minute)
			}
			require.EqualValues(t, 1+len(armVerbs), p.begun.Load())
		})
	}
}

// Promise 4: the moment the run has ended, a Register succeeds, even if the waiters have not been
// scheduled yet. When done runs the handler is over: a DelSync there waits for the new run.
func TestRegisterHoldsOnceTheRunHasEnded(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		tm, p := newRun(t, w)
		var calls []*deletion
		for range 10 {
			calls = append(calls, deleting(tm.DelSync))
		}
		require.True(t, calls[0].waits())
		var registered error
		inDone := &deletion{done: make(chan struct{})}
		tm.DelAsync(func() {
			registered = tm.Register(0)
			time.Sleep(10 * time.Millisecond)
			inDone.run(tm.DelSync)
		})

		p.end()
		settle()
		require.NoError(t, registered)
		require.EqualValues(t, 2, p.begun.Load())
		require.True(t, tm.Running())
		for _, c := range calls {
			c.requires(t, foundRunning, nil) // of the first run; they do not wait for the second
		}
		settle()
		require.True(t, inDone.waits())
		p.end()
		inDone.requires(t, foundRunning, nil)
	})
}

// Promise 4: a Register is refused "while it waits". A deletion that returns ErrDeadlock does not
// wait, and so leaves no refusal; but it removes the firing, in a circle too.
func TestADeletionWithErrDeadlockLeavesNoRefusal(t *testing.T) {
	for _, verb := range timerVerbs.named("DelSync", "DelSyncContext", "DelSyncContext, ended") {
		bubble(t, "its own handler/"+verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			tm, p := newRun(t, w)
			p.call(verb.on(tm)).requires(t, foundRunning, timerwheel.ErrDeadlock)
			require.NoError(t, tm.Register(0))
			p.end()
			settle()
			require.EqualValues(t, 2, p.begun.Load())
		})
		bubble(t, "a circle/"+verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			a, pa := newRun(t, w)
			b, pb := newRun(t, w)
			require.NoError(t, b.Register(time.Hour))
			first := pb.call(a.DelSync)
			require.True(t, first.waits())
			pa.call(verb.on(b)).requires(t, foundBoth, timerwheel.ErrDeadlock)
			require.False(t, b.Pending(), "the firing was not removed")
			require.Equal(t, []int{1, 0}, waitersOf(w, a, b))
			require.NoError(t, b.Register(time.Hour), "no deletion waits for b")
			require.ErrorIs(t, a.Register(time.Hour), timerwheel.ErrDeleting, "but b's handler waits for a")
			pa.let()
			first.requires(t, foundRunning, nil)
		})
	}
}

// ---- Shutdown ----

// Promise 4, promise 4: "no Register of this timer succeeds ever after (ErrShutdown), even if the
// call returned an error", for each call that shuts down.
func TestTimerShutdownRefusesForEver(t *testing.T) {
	type call = func() (timerwheel.Found, error)
	ways := []struct {
		name  string
		shut  func(t *testing.T, w *timerwheel.Wheel, tm timerwheel.Timer, p *puppet, shutdown call) *deletion
		found timerwheel.Found
		err   error // of those that ask for the end of the run
	}{
		{"idle", func(_ *testing.T, _ *timerwheel.Wheel, _ timerwheel.Timer, _ *puppet, shutdown call) *deletion {
			return deleting(shutdown)
		}, foundNone, nil},
		{"pending", func(t *testing.T, _ *timerwheel.Wheel, tm timerwheel.Timer, _ *puppet, shutdown call) *deletion {
			require.NoError(t, tm.Register(time.Hour))
			return deleting(shutdown)
		}, foundPending, nil},
		{"running elsewhere", func(t *testing.T, _ *timerwheel.Wheel, tm timerwheel.Timer, _ *puppet, shutdown call) *deletion {
			startRun(t, tm)
			return deleting(shutdown)
		}, foundRunning, nil},
		{"its own handler", func(t *testing.T, _ *timerwheel.Wheel, tm timerwheel.Timer, p *puppet, shutdown call) *deletion {
			startRun(t, tm)
			require.NoError(t, tm.Register(0))
			return p.call(shutdown)
		}, foundBoth, timerwheel.ErrDeadlock},
		{"a circle", func(t *testing.T, w *timerwheel.Wheel, tm timerwheel.Timer, p *puppet, shutdown call) *deletion {
			startRun(t, tm)
			b, q := newRun(t, w)
			first := p.call(b.DelSync)
			require.True(t, first.waits())
			c := q.call(shutdown)
			require.False(t, c.waits())
			q.let()
			first.requires(t, foundRunning, nil)
			return c
		}, foundRunning, timerwheel.ErrDeadlock},
	}
	for _, way := range ways {
		for _, verb := range timerVerbs.shutting() {
			bubble(t, way.name+"/"+verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				p := newPuppet(t)
				tm := w.Alloc(p.handle)
				require.NoError(t, tm.Retain())
				c := way.shut(t, w, tm, p, verb.on(tm))
				wantErr := way.err
				switch {
				case !verb.syncs:
					wantErr = nil
				case verb.ended && way.name == "running elsewhere":
					wantErr = context.Canceled
				}
				synctest.Wait()
				requireRefused(t, w, tm, timerwheel.ErrShutdown)
				if tm.Running() {
					requireRefusedInHandler(t, w, p, timerwheel.ErrShutdown, tm)
				}
				p.let()
				c.requires(t, way.found, wantErr)
				settle()
				begun := p.begun.Load()

				requireRefused(t, w, tm, timerwheel.ErrShutdown)
				require.NoError(t, tm.Free())
				requireRefused(t, w, tm, timerwheel.ErrShutdown) // Retain's reference still holds it
				finds(t, foundNone)(verb.call(tm))               // a second one
				elapse(2 * time.Hour)
				require.Equal(t, begun, p.begun.Load())

				require.NoError(t, tm.Free())
				for range 64 { // "shut down" was the tenant's state, not the record's
					require.NoError(t, w.Alloc(delIgnore).Register(time.Hour))
				}
				finds(t, foundNone)(verb.call(tm))
				require.Equal(t, 64, w.Stats().Pending)
			})
		}
	}
}

// Promise 4, promise 4, where CVE-2025-68214 went wrong: the handler registers its timer, which is
// shut down in its run. Shut down is a state of its own, not a nil handler.
func TestTimerShutdownWhileTheHandlerHasReAdded(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		tm, p := newRun(t, w)
		var first, second error
		p.tell(func() { first = tm.Register(0) })
		c := deleting(tm.ShutdownSync)
		require.True(t, c.waits())
		p.tell(func() { second = tm.Register(0) })
		require.NoError(t, first)
		require.ErrorIs(t, second, timerwheel.ErrShutdown)
		p.let()
		c.requires(t, foundBoth, nil)
		elapse(time.Hour)
		require.EqualValues(t, 1, p.begun.Load())
		require.Zero(t, w.Stats().Pending)
	})
}

// Promise 4: DelSync, unlike ShutdownSync, forbids nothing after its return. Promise 2 and 8: the
// deletions of a timer, also of a member, concern no other.
func TestOnlyShutdownForbidsLaterRegisters(t *testing.T) {
	for _, verb := range timerVerbs {
		bubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			g := w.NewGroup()
			tm, other := armed(g.Alloc(delIgnore), time.Hour), armed(g.Alloc(delIgnore), time.Hour)
			finds(t, foundPending)(verb.call(tm))
			if err := tm.Register(time.Hour); verb.shuts {
				require.ErrorIs(t, err, timerwheel.ErrShutdown)
			} else {
				require.NoError(t, err)
			}
			require.True(t, other.Pending())
			require.NoError(t, other.Register(time.Minute))
			require.True(t, g.AfterFunc(time.Hour, func() {}).Valid())
			require.Equal(t, 3, g.Len())
		})
	}
}

// ---- storage ----

// Promise 4: "The wait never reads or writes the timer's storage", rule 6, and promise 8. The next
// tenants move in at the end of the run, before the waiters are scheduled.
func TestDelSyncNeitherWaitsForNorTouchesTheNextTenant(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		const tenants = 32
		waiting := memberVerbs.waiting()
		for range 20 {
			g, next := w.NewGroup(), newPuppet(t)
			tm, p := newRun(t, g)
			require.NoError(t, tm.Free())
			for range 7 {
				g.AfterFunc(0, func() { p.handle(timerwheel.Timer{}) })
			}
			settle()

			var calls []*deletion
			for i := range 2 * len(waiting) {
				calls = append(calls, deleting(waiting[i%len(waiting)].on(member{tm, g})))
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
				require.NoError(t, err, "a new tenant was refused")
			}
			require.False(t, tm.Valid())
			require.Equal(t, tenants/2, w.Stats().Running)
			require.Equal(t, tenants/2, w.Stats().Pending)
			for _, verb := range memberVerbs {
				finds(t, foundNone)(verb.call(member{tm, g})) // stale: it must not reach the new tenant
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

// Promise 1: "A waiting deletion holds no reference": the timer is recycled at the end of the run
// that it waits for. The last moment of a run that is its worker's own is the Unlock of its lock.
func TestAWaitingDeletionHoldsNoReference(t *testing.T) {
	for _, verb := range append(timerVerbs.named("DelAsync"), timerVerbs.waiting()...) {
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
				calls = append(calls, deleting(verb.on(tm)))
			}
			synctest.Wait()
			require.NoError(t, tm.Free(), "the only reference, but for the worker's")
			require.ErrorIs(t, tm.Free(), timerwheel.ErrFreed)
			p.let()
			for _, c := range calls {
				c.requires(t, foundRunning, nil)
			}
			require.Zero(t, valid.Load(), "the timer was still referred to when its run was over")
			require.Zero(t, live.Load())
		})
	}
}

// Promise 11: "waits durably blocking": in a bubble, a call that waits for a handler lets the clock
// run that the handler waits for.
func TestEveryWaitIsDurablyBlocking(t *testing.T) {
	waits := func(name string, wait func(w *timerwheel.Wheel, m member) error) {
		bubble(t, name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			g := w.NewGroup()
			begin := time.Now()
			tm := g.AfterFunc(0, func() { time.Sleep(24 * time.Hour) })
			settle()
			require.True(t, tm.Running())
			require.NoError(t, wait(w, member{tm, g}))
			late := time.Since(begin) - 24*time.Hour
			require.True(t, 0 <= late && late < time.Second, "%v", late)
		})
	}
	for _, verb := range memberVerbs.waiting() {
		waits(verb.name, func(_ *timerwheel.Wheel, m member) error {
			_, err := verb.call(m)
			return err
		})
	}
	waits("Close", func(w *timerwheel.Wheel, _ member) error { return w.Close() })
	waits("CloseContext", func(w *timerwheel.Wheel, _ member) error { return w.CloseContext(context.Background()) })
}

// Promise 2, Stop, and 4, table: of a hundred goroutines that delete one timer exactly one finds it
// pending; if it was about to fire, it fired or was removed, never both and never neither.
func TestHundredGoroutinesDeleteOneTimer(t *testing.T) {
	verbs := timerVerbs.those(func(v deletionVerb[timerwheel.Timer]) bool { return !v.ended })
	for name, after := range map[string]func(round int) time.Duration{
		"far from firing": func(int) time.Duration { return time.Hour },
		"about to fire":   func(round int) time.Duration { return time.Duration(round%10) * 50 * time.Microsecond },
	} {
		t.Run(name, func(t *testing.T) {
			w := openWheel(t, timerwheel.Options{Tick: 50 * time.Microsecond})
			for round := range raceRounds(100) {
				const deleters = 100
				fired := 0 // unguarded: a call that waited for the handler may read it
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
						f, err := verbs[(round+i)%len(verbs)].call(tm)
						assert.NoError(t, err)
						if f.Pending {
							found.Add(1)
						}
					})
				}
				require.NoError(t, tm.Register(after(round)))
				start.Done()
				within(t, end.Wait)
				_, err := tm.DelSync()
				require.NoError(t, err)
				require.EqualValues(t, 1, int(found.Load())+fired, "removed %d times and fired %d times", found.Load(), fired)
				if after(round) == time.Hour {
					require.EqualValues(t, 1, found.Load())
				}
				require.NoError(t, tm.Free())
			}
			eventually(t, "all are recycled", func() bool { return w.Stats().Live == 0 })
			requireLaw(t, w.Stats())
		})
	}
}

// Promise 12.16: a nil context is rejected before anything is changed, where the call would wait.
func TestANilContextIsRejected(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		var none context.Context
		tm, p := newRun(t, w)
		require.Contains(t, panicText(func() { _, _ = tm.DelSyncContext(none) }), "nil context")
		require.Contains(t, panicText(func() { _ = w.CloseContext(none) }), "nil context")
		require.NoError(t, tm.Register(time.Hour), "nothing is being deleted, and nothing is closed")
		p.let()
		settle()
		require.Equal(t, foundPending, tm.Del())
	})
}
