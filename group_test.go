package timerwheel_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
)

// Section 8 of the contract, and the lines on groups of section 12. In bubbles, with puppets for
// handlers (see helpers_old_test.go).

type groupVerb struct {
	name string
	call func(*timerwheel.Group) (timerwheel.Found, error)
}

var (
	groupByDelSync = groupVerb{"DelSync", (*timerwheel.Group).DelSync}
	groupByContext = groupVerb{"DelSyncContext", func(g *timerwheel.Group) (timerwheel.Found, error) {
		return g.DelSyncContext(context.Background())
	}}
	groupByShutdown = groupVerb{"Shutdown", (*timerwheel.Group).ShutdownSync}
	groupByDead     = groupVerb{"DelSyncContext, ended", func(g *timerwheel.Group) (timerwheel.Found, error) {
		return g.DelSyncContext(endedContext)
	}}

	groupWaitingVerbs = []groupVerb{groupByDelSync, groupByContext, groupByShutdown}
	groupVerbs        = append([]groupVerb{groupByDead}, groupWaitingVerbs...)
)

// ---- what a group deletion does ----

// Contract 4 and 8: what is gone is gone, in a group too: an empty one, one of idle members, one
// whose members are all recycled or whose wheel is closed.
func TestGroupDeletionOfWhatIsGoneFindsNothing(t *testing.T) {
	states := []struct {
		name  string
		reach func(*testing.T, *timerwheel.Wheel, *timerwheel.Group)
	}{
		{"empty", func(*testing.T, *timerwheel.Wheel, *timerwheel.Group) {}},
		{"idle", func(_ *testing.T, _ *timerwheel.Wheel, g *timerwheel.Group) {
			g.Alloc(delIgnore)
			g.Alloc(delIgnore)
		}},
		{"recycled", func(t *testing.T, _ *timerwheel.Wheel, g *timerwheel.Group) {
			g.AfterFunc(0, func() {})
			require.NoError(t, g.Alloc(delIgnore).Free())
			settle()
		}},
		{"closed", func(t *testing.T, w *timerwheel.Wheel, g *timerwheel.Group) {
			require.NoError(t, g.Alloc(delIgnore).Register(time.Hour))
			g.AfterFunc(time.Hour, func() {})
			require.NoError(t, w.Close())
		}},
	}
	for _, state := range states {
		for _, verb := range groupVerbs {
			bubble(t, state.name+"/"+verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				g := w.NewGroup()
				state.reach(t, w, g)
				for range 2 {
					found, err := verb.call(g)
					require.NoError(t, err)
					require.Equal(t, foundNone, found)
				}
				require.Zero(t, w.Stats().SyncWaits)
			})
		}
	}
}

// Contract 8: "The teardown of one connection's or one peer's timers in one call: all firings
// removed", of members of every kind and in any number, and of nobody else.
func TestGroupDeletionRemovesAllFirings(t *testing.T) {
	for _, verb := range groupVerbs {
		bubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			const n = 500
			g, other := w.NewGroup(), w.NewGroup()
			l := newLockProbe(t)
			var ours, theirs atomic.Int32
			run := func(timerwheel.Timer) { ours.Add(1) }
			for i := range n {
				d := time.Duration(i) * time.Second
				require.NoError(t, g.Alloc(run).Register(d+time.Millisecond))
				require.NoError(t, g.AllocLocked(l, run).Register(d+time.Millisecond))
				require.True(t, g.AfterFunc(d+time.Millisecond, func() { ours.Add(1) }).Valid())
				require.True(t, g.Every(d+time.Second, run).Valid())
				freed := g.Alloc(run)
				require.NoError(t, freed.Register(d+time.Millisecond))
				require.NoError(t, freed.Free())
				g.Alloc(run) // idle

				w.AfterFunc(d+time.Millisecond, func() { theirs.Add(1) })
				other.AfterFunc(d+time.Millisecond, func() { theirs.Add(1) })
			}
			require.Equal(t, 6*n, g.Len())

			found, err := verb.call(g)
			require.NoError(t, err)
			require.Equal(t, foundPending, found)
			require.Equal(t, 2*n, w.Stats().Pending)
			require.EqualValues(t, 5*n, w.Stats().Removed)
			require.Equal(t, 3*n, g.Len(), "those without owners are recycled")
			found, err = verb.call(g)
			require.NoError(t, err)
			require.Equal(t, foundNone, found)

			time.Sleep(24 * time.Hour)
			synctest.Wait()
			require.Zero(t, ours.Load())
			require.EqualValues(t, 2*n, theirs.Load())
			require.Zero(t, w.Stats().SyncWaits)
		})
	}
}

// Contract 2: "Found: or-ed over the members".
func TestGroupFoundIsOredOverTheMembers(t *testing.T) {
	for members := range 8 {
		pending, running, both := members&1 != 0, members&2 != 0, members&4 != 0
		for _, verb := range groupWaitingVerbs {
			name := fmt.Sprintf("one pending=%t,one running=%t,one both=%t/%s", pending, running, both, verb.name)
			bubble(t, name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				g, p := w.NewGroup(), newPuppet(t)
				g.Alloc(delIgnore) // one idle
				if pending {
					require.NoError(t, g.Alloc(delIgnore).Register(time.Hour))
				}
				if running {
					startRun(t, g.Alloc(p.handle))
				}
				if both {
					tm := g.Alloc(p.handle)
					startRun(t, tm)
					require.NoError(t, tm.Register(time.Hour))
				}
				startRun(t, w.Alloc(p.handle)) // not of the group
				require.NoError(t, w.Alloc(delIgnore).Register(time.Hour))

				c := deleting(func() (timerwheel.Found, error) { return verb.call(g) })
				require.Equal(t, running || both, c.waits())
				p.let()
				c.requires(t, timerwheel.Found{Pending: pending || both, Running: running || both}, nil)
			})
		}
	}
}

// Contract 8: "all handlers in flight waited for", those of members without owners too, and only
// members'. Contract 12: "A group deletion that waits counts once in SyncWaits".
func TestGroupDeletionWaitsForAllHandlers(t *testing.T) {
	for k := range 2 * len(groupWaitingVerbs) {
		verb, reverse := groupWaitingVerbs[k/2], k%2 == 1
		bubble(t, fmt.Sprintf("%s,reverse=%t", verb.name, reverse), timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			g := w.NewGroup()
			owned, unowned, freed, again, stranger := newPuppet(t), newPuppet(t), newPuppet(t), newPuppet(t), newPuppet(t)
			startRun(t, g.Alloc(owned.handle))
			g.AfterFunc(0, func() { unowned.handle(timerwheel.Timer{}) })
			tm := g.Alloc(freed.handle)
			startRun(t, tm)
			require.NoError(t, tm.Free())
			tm = g.Alloc(again.handle)
			startRun(t, tm)
			require.NoError(t, tm.Register(0))
			startRun(t, w.Alloc(stranger.handle))
			settle()
			require.Equal(t, 5, w.Stats().Running)

			var wrote, read [4]int // plain: promise 3, for -race to see
			c := deleting(func() (timerwheel.Found, error) {
				found, err := verb.call(g)
				read = wrote
				return found, err
			})
			members := []*puppet{owned, unowned, freed, again}
			if reverse {
				slices.Reverse(members)
			}
			for i, p := range members {
				time.Sleep(time.Minute)
				require.True(t, c.waits(), "%d members have returned", i)
				p.do <- func() { wrote[i] = i + 1 }
				p.let()
			}
			c.requires(t, foundBoth, nil)
			require.Equal(t, [4]int{1, 2, 3, 4}, read)
			require.Equal(t, 1, w.Stats().Running, "the stranger's")
			require.EqualValues(t, 1, w.Stats().SyncWaits)
			settle()
			require.EqualValues(t, 1, again.begun.Load())
			require.Equal(t, 2, g.Len())
		})
	}
}

// Contract 8 with 4: members that are due and in line behind blocked workers are removed, not
// waited for.
func TestGroupDeletionOfMembersInLine(t *testing.T) {
	for _, verb := range groupVerbs {
		bubble(t, verb.name, timerwheel.Options{MaxWorkers: 1}, func(t *testing.T, w *timerwheel.Wheel) {
			g, p := w.NewGroup(), newPuppet(t)
			startRun(t, w.Alloc(p.handle))
			var ours, theirs atomic.Int32
			for range 50 {
				g.AfterFunc(0, func() { ours.Add(1) })
				w.AfterFunc(0, func() { theirs.Add(1) })
			}
			settle()
			p.call(func() (timerwheel.Found, error) { return verb.call(g) }).requires(t, foundPending, nil)
			p.let()
			settle()
			require.Zero(t, ours.Load())
			require.EqualValues(t, 50, theirs.Load())
		})
	}
}

// Contract 7 and 8: a group deletion ends a member's series, between its runs and in one.
func TestGroupDeletionEndsASeries(t *testing.T) {
	for _, verb := range groupWaitingVerbs {
		bubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			g, p := w.NewGroup(), newPuppet(t)
			var runs atomic.Int32
			between := g.Every(time.Hour, func(timerwheel.Timer) { runs.Add(1) })
			inRun := g.Every(time.Millisecond, p.handle)
			time.Sleep(150 * time.Minute)
			require.True(t, inRun.Running())
			require.True(t, inRun.Pending(), "during a run the next instant is pending")
			c := deleting(func() (timerwheel.Found, error) { return verb.call(g) })
			require.True(t, c.waits())
			p.let()
			c.requires(t, foundBoth, nil)
			time.Sleep(24 * time.Hour)
			synctest.Wait()
			require.EqualValues(t, 2, runs.Load())
			require.EqualValues(t, 1, p.begun.Load())
			require.False(t, between.Valid())
			require.False(t, inRun.Valid())
			require.Zero(t, g.Len())
		})
	}
}

// Contract 11: a member's run that ends by a panic or a Goexit ends the wait as any other.
func TestGroupDeletionEndsWithRunsThatEndBadly(t *testing.T) {
	for _, verb := range groupWaitingVerbs {
		o := timerwheel.Options{OnPanic: func(timerwheel.HandlerPanic) {}}
		bubble(t, verb.name, o, func(t *testing.T, w *timerwheel.Wheel) {
			g, p, q := w.NewGroup(), newPuppet(t), newPuppet(t)
			startRun(t, g.Alloc(p.handle))
			startRun(t, g.Alloc(q.handle))
			c := deleting(func() (timerwheel.Found, error) { return verb.call(g) })
			require.True(t, c.waits())
			p.do <- func() { panic("the handler's") }
			require.True(t, c.waits())
			q.do <- runtime.Goexit
			c.requires(t, foundRunning, nil)
		})
	}
}

// ---- refusals ----

// Contract 8: "While it waits no Register of any member succeeds", contract 12: "a member made
// while it waits is refused as the others are", and "An AfterFunc or Every that returns an invalid
// Timer counts in Refused". Nobody else is refused, and nobody after it.
func TestGroupMembersAreRefusedWhileADeletionWaits(t *testing.T) {
	for _, verb := range groupWaitingVerbs {
		want := timerwheel.ErrDeleting
		if verb.name == groupByShutdown.name {
			want = timerwheel.ErrShutdown // which comes before
		}
		bubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			g, p, q := w.NewGroup(), newPuppet(t), newPuppet(t)
			running, also, idle, pending := g.Alloc(p.handle), g.Alloc(q.handle), g.Alloc(delIgnore), g.Alloc(delIgnore)
			stranger, other := w.Alloc(delIgnore), w.NewGroup().Alloc(delIgnore)
			startRun(t, running)
			startRun(t, also)
			require.NoError(t, pending.Register(time.Hour))
			c := deleting(func() (timerwheel.Found, error) { return verb.call(g) })
			require.True(t, c.waits())

			var made timerwheel.Timer
			var runs atomic.Int32
			refuses := func() {
				made = g.Alloc(delIgnore)
				require.True(t, made.Valid())
				for _, tm := range []timerwheel.Timer{running, also, idle, pending, made, g.AllocLocked(newLockProbe(t), delIgnore)} {
					requireRefused(t, w, tm, want)
				}
				before := w.Stats()
				require.False(t, g.AfterFunc(0, func() { runs.Add(1) }).Valid())
				require.False(t, g.Every(time.Millisecond, func(timerwheel.Timer) { runs.Add(1) }).Valid())
				after := w.Stats()
				require.Equal(t, before.Refused+2, after.Refused)
				require.Equal(t, before.Live, after.Live, "what was not born lives")
				require.Zero(t, after.Pending)
			}
			refuses()
			var errs []error
			p.tell(func() { errs = append(delRegisterAll(w, running), delRegisterAll(w, also)...) })
			for _, err := range errs {
				require.ErrorIs(t, err, want)
			}
			require.NoError(t, stranger.Register(time.Hour))
			require.NoError(t, other.Register(time.Hour))
			require.True(t, stranger.Stop())
			require.True(t, other.Stop())

			q.let()
			require.True(t, c.waits())
			refuses() // to the end of the whole deletion, the members whose handlers have returned too
			p.let()
			c.requires(t, foundBoth, nil)
			for _, tm := range []timerwheel.Timer{running, also, idle, pending, made} {
				if want == timerwheel.ErrShutdown {
					requireRefused(t, w, tm, want)
				} else {
					require.NoError(t, tm.Register(time.Minute), "the refusal outlived the deletion")
				}
			}
			require.Equal(t, want == timerwheel.ErrDeleting, g.AfterFunc(time.Minute, func() {}).Valid())
			time.Sleep(time.Hour)
			synctest.Wait()
			require.Zero(t, runs.Load())
		})
	}
}

// Contract 8: the refusals of deletions that overlap, the group's and its members', end each with
// its own wait.
func TestGroupDeletionsMayOverlap(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		g, p, q := w.NewGroup(), newPuppet(t), newPuppet(t)
		a, b := g.Alloc(p.handle), g.Alloc(q.handle)
		startRun(t, a)
		startRun(t, b)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		first, second, one := deleting(g.DelSync), deleting(g.DelSync), deleting(a.DelSync)
		gives := deleting(func() (timerwheel.Found, error) { return g.DelSyncContext(ctx) })
		require.True(t, gives.waits())
		require.Equal(t, []int{4, 3}, groupWaiters(w, a, b))
		cancel()
		gives.requires(t, foundRunning, context.Canceled)
		require.True(t, first.waits())
		require.Equal(t, []int{3, 2}, groupWaiters(w, a, b))

		p.let()
		one.requires(t, foundRunning, nil)
		requireRefused(t, w, a, timerwheel.ErrDeleting)
		requireRefused(t, w, b, timerwheel.ErrDeleting)
		require.True(t, first.waits())
		require.True(t, second.waits())
		q.let()
		first.requires(t, foundRunning, nil)
		second.requires(t, foundRunning, nil)
		require.NoError(t, a.Register(time.Hour))
		require.NoError(t, b.Register(time.Hour))
	})
}

// groupWaiters are the Waiters of the runs of the timers, in their order.
func groupWaiters(w *timerwheel.Wheel, of ...timerwheel.Timer) []int {
	waiters := make([]int, len(of))
	for _, running := range w.Running() {
		for i, tm := range of {
			if running.Timer == tm {
				waiters[i] = running.Waiters
			}
		}
	}
	return waiters
}

// Contract 4 and 8: of two deletions of a group one gives up. The other goes on
// waiting, and so does the refusal of all members.
func TestAGroupDeletionThatGivesUpLeavesTheRefusalToTheOthers(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		g, p := w.NewGroup(), newPuppet(t)
		running, idle := g.Alloc(p.handle), g.Alloc(delIgnore)
		startRun(t, running)
		waits := deleting(g.DelSync)
		require.True(t, waits.waits())
		deleting(func() (timerwheel.Found, error) { return g.DelSyncContext(endedContext) }).requires(t, foundRunning, context.Canceled)
		require.True(t, waits.waits())
		require.Equal(t, 1, w.Running()[0].Waiters)
		requireRefused(t, w, idle, timerwheel.ErrDeleting)
		p.let()
		waits.requires(t, foundRunning, nil)
		require.NoError(t, idle.Register(time.Hour), "the refusal outlived the deletions")
	})
}

// ---- in a member's handler, and in circles ----

// Contract 8: "In a member's own handler: all firings removed, the other handlers waited for,
// ErrDeadlock".
func TestGroupDeletionInAMembersHandlerIsErrDeadlock(t *testing.T) {
	members := []struct {
		name string
		arm  func(*testing.T, *timerwheel.Group, *puppet)
	}{
		{"Alloc", func(t *testing.T, g *timerwheel.Group, p *puppet) {
			tm := g.Alloc(p.handle)
			startRun(t, tm)
			require.NoError(t, tm.Register(0))
		}},
		{"AfterFunc", func(_ *testing.T, g *timerwheel.Group, p *puppet) {
			g.AfterFunc(0, func() { p.handle(timerwheel.Timer{}) })
		}},
		{"Every", func(_ *testing.T, g *timerwheel.Group, p *puppet) { g.Every(time.Millisecond, p.handle) }},
	}
	for _, member := range members {
		for _, verb := range groupWaitingVerbs {
			bubble(t, member.name+"/"+verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				g, p, q := w.NewGroup(), newPuppet(t), newPuppet(t)
				member.arm(t, g, p)
				settle()
				startRun(t, g.Alloc(q.handle))
				pending := g.Alloc(delIgnore)
				require.NoError(t, pending.Register(time.Hour))

				c := p.call(func() (timerwheel.Found, error) { return verb.call(g) })
				time.Sleep(time.Minute)
				require.True(t, c.waits(), "the other handler was not waited for")
				require.Zero(t, w.Stats().Pending, "the firings were not removed")
				want := timerwheel.ErrDeleting
				if verb.name == groupByShutdown.name {
					want = timerwheel.ErrShutdown
				}
				requireRefused(t, w, pending, want)
				q.let()
				c.requires(t, foundBoth, timerwheel.ErrDeadlock)

				p.let()
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				require.EqualValues(t, 1, p.begun.Load())
				if want == timerwheel.ErrShutdown {
					requireRefused(t, w, pending, want)
				} else {
					require.NoError(t, pending.Register(time.Hour))
				}
			})
		}
	}
}

// The same where there is no other handler: then it is at once.
func TestGroupDeletionInItsOnlyHandlerIsAtOnce(t *testing.T) {
	for _, verb := range groupVerbs {
		bubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			g, p := w.NewGroup(), newPuppet(t)
			startRun(t, g.Alloc(p.handle))
			start := time.Now()
			p.call(func() (timerwheel.Found, error) { return verb.call(g) }).requires(t, foundRunning, timerwheel.ErrDeadlock)
			require.Equal(t, start, time.Now())
			require.Zero(t, w.Stats().SyncWaits)
		})
	}
}

// Contract 12: "so is a group deletion in a member's handler, whatever its ctx": ended, or ending
// while it waits for the others.
func TestGroupDeletionInAMembersHandlerIsErrDeadlockWhateverItsContext(t *testing.T) {
	for _, ended := range []bool{true, false} {
		bubble(t, fmt.Sprintf("ended=%t", ended), timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			g, p, q := w.NewGroup(), newPuppet(t), newPuppet(t)
			startRun(t, g.Alloc(p.handle))
			startRun(t, g.Alloc(q.handle))
			ctx, cancel := endedContext, func() {}
			if !ended {
				ctx, cancel = context.WithTimeout(context.Background(), time.Minute)
			}
			defer cancel()
			c := p.call(func() (timerwheel.Found, error) { return g.DelSyncContext(ctx) })
			if !ended {
				require.True(t, c.waits())
				time.Sleep(time.Minute)
			}
			c.requires(t, foundRunning, timerwheel.ErrDeadlock)
			require.Zero(t, q.ended.Load())
		})
	}
}

// Contract 4 for groups: a goroutine that a member's handler started is not the handler: the
// deletion waits for that handler too.
func TestGroupDeletionByAGoroutineOfAMembersHandler(t *testing.T) {
	for _, verb := range groupWaitingVerbs {
		bubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			g, p := w.NewGroup(), newPuppet(t)
			startRun(t, g.Alloc(p.handle))
			var c *deletion
			p.tell(func() { c = deleting(func() (timerwheel.Found, error) { return verb.call(g) }) })
			require.True(t, c.waits())
			p.let()
			c.requires(t, foundRunning, nil)
		})
	}
}

// Contract 8: two members' handlers that both delete their group would wait for each other: the
// second leaves out the first, both wait for the third, and both are told.
func TestGroupDeletionInTwoMembersHandlers(t *testing.T) {
	for _, verb := range groupWaitingVerbs {
		bubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			g := w.NewGroup()
			del := func() (timerwheel.Found, error) { return verb.call(g) }
			a, b, c := newPuppet(t), newPuppet(t), newPuppet(t)
			for _, p := range []*puppet{a, b, c} {
				startRun(t, g.Alloc(p.handle))
			}
			first := a.call(del)
			require.True(t, first.waits())
			second := b.call(del)
			require.True(t, second.waits(), "the third handler was not waited for")
			c.let()
			second.requires(t, foundRunning, timerwheel.ErrDeadlock)
			require.True(t, first.waits(), "the second handler was not waited for")
			b.let()
			first.requires(t, foundRunning, timerwheel.ErrDeadlock)
		})
	}
}

// ---- DelSyncContext ----

// Contract 8 with 4: if the ctx ends first, the firings stay removed, and the ctx's error says that
// a handler may still run.
func TestGroupDelSyncContextGivesUpWhenItsContextEnds(t *testing.T) {
	for _, ended := range []bool{true, false} {
		bubble(t, fmt.Sprintf("ended=%t", ended), timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			g, p, q := w.NewGroup(), newPuppet(t), newPuppet(t)
			a, b, idle := g.Alloc(p.handle), g.Alloc(q.handle), g.Alloc(delIgnore)
			startRun(t, a)
			startRun(t, b)
			require.NoError(t, b.Register(time.Hour))
			ctx, cancel, want := endedContext, func() {}, context.Canceled
			if !ended {
				ctx, cancel = context.WithTimeout(context.Background(), time.Minute)
				want = context.DeadlineExceeded
			}
			defer cancel()
			c := deleting(func() (timerwheel.Found, error) { return g.DelSyncContext(ctx) })
			if !ended {
				require.True(t, c.waits())
				time.Sleep(time.Second)
				q.end() // one of two is not enough
				require.True(t, c.waits())
				time.Sleep(time.Minute)
			}
			c.requires(t, foundBoth, want)
			require.True(t, a.Running())
			require.Zero(t, w.Stats().Pending)
			require.Equal(t, 0, w.Running()[0].Waiters)
			requireRefused(t, w, a, timerwheel.ErrDeleting) // the refusal belongs to the run in flight

			p.let()
			q.let()
			time.Sleep(2 * time.Hour)
			synctest.Wait()
			require.EqualValues(t, 1, p.begun.Load())
			require.EqualValues(t, 1, q.begun.Load())
			for _, tm := range []timerwheel.Timer{a, b, idle} {
				require.NoError(t, tm.Register(time.Hour), "the refusal outlived the runs")
			}
		})
	}
}

// Contract 4, table: "if both are ready, nil", for groups. See
// TestDelSyncContextPrefersTheEndOfTheRun.
func TestGroupDelSyncContextPrefersTheEndOfTheRuns(t *testing.T) {
	for i := range 20 {
		bubble(t, fmt.Sprint(i), timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			g, p := w.NewGroup(), newPuppet(t)
			for range 3 {
				startRun(t, g.Alloc(p.handle))
			}
			ctx := newDelContext(func() {
				p.let()
				time.Sleep(time.Second)
			})
			_, err := g.DelSyncContext(ctx)
			require.NoError(t, err)
			require.Error(t, ctx.Err(), "the test did not make both ready")
		})
	}
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

// Contract 4 and 8: a group of which more members run than one critical section looks at is
// waited for, and given up, like any other.
func TestGroupDeletionOfManyRuns(t *testing.T) {
	const many = 200
	bubble(t, "", timerwheel.Options{MaxWorkers: 2 * many}, func(t *testing.T, w *timerwheel.Wheel) {
		g, strangers, end := w.NewGroup(), w.NewGroup(), make(chan struct{})
		var members []timerwheel.Timer
		for range many {
			members = append(members, g.AfterFunc(0, func() { <-end }))
			strangers.AfterFunc(0, func() { <-end })
		}
		time.Sleep(time.Second) // a worker for each
		synctest.Wait()
		require.Equal(t, 2*many, w.Stats().Running)
		waiters := func() (of map[timerwheel.Timer]int) {
			of = make(map[timerwheel.Timer]int)
			for _, r := range w.Running() {
				require.NotContains(t, of, r.Timer)
				of[r.Timer] = r.Waiters
			}
			require.Len(t, of, 2*many)
			return of
		}

		waits := deleting(g.DelSync)
		require.True(t, waits.waits())
		ctx, cancel := context.WithCancel(context.Background())
		gives := deleting(func() (timerwheel.Found, error) { return g.DelSyncContext(ctx) })
		require.True(t, gives.waits())
		isMember := make(map[timerwheel.Timer]int)
		for _, tm := range members {
			isMember[tm] = 1
		}
		for tm, n := range waiters() {
			require.Equal(t, 2*isMember[tm], n)
		}
		cancel()
		gives.requires(t, foundRunning, context.Canceled)
		for tm, n := range waiters() {
			require.Equal(t, isMember[tm], n, "who gave up still waits")
		}
		for _, tm := range members {
			requireRefused(t, w, tm, timerwheel.ErrDeleting)
		}
		close(end)
		waits.requires(t, foundRunning, nil)
		require.True(t, g.AfterFunc(time.Hour, func() {}).Valid(), "the refusal outlived the deletions")
	})
}

// ---- Shutdown ----

// Contract 8: "After Group.Shutdown, new members are born shut down, and AfterFunc and Every return
// a Timer that is not Valid"; contract 4, promise 4: even if that Shutdown returned an error.
func TestGroupShutdownIsForEver(t *testing.T) {
	for _, inHandler := range []bool{false, true} {
		for _, closed := range []bool{false, true} { // ErrShutdown comes before ErrClosed
			name := fmt.Sprintf("in a member's handler=%t,closed=%t", inHandler, closed)
			bubble(t, name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				g, p := w.NewGroup(), newPuppet(t)
				running, idle, pending := g.Alloc(p.handle), g.Alloc(delIgnore), g.Alloc(delIgnore)
				stranger := w.Alloc(delIgnore)
				require.NoError(t, pending.Register(time.Hour))
				if inHandler {
					startRun(t, running)
					p.call(g.ShutdownSync).requires(t, foundBoth, timerwheel.ErrDeadlock)
				} else {
					deleting(g.ShutdownSync).requires(t, foundPending, nil)
				}
				for range 2 { // during the run, if there is one, and after it
					var runs atomic.Int32
					before := w.Stats()
					old := []timerwheel.Timer{running, idle, pending}
					born := []timerwheel.Timer{g.Alloc(p.handle), g.AllocLocked(newLockProbe(t), p.handle)}
					for _, tm := range append(old, born...) {
						require.True(t, tm.Valid())
						requireRefused(t, w, tm, timerwheel.ErrShutdown)
					}
					require.False(t, g.AfterFunc(0, func() { runs.Add(1) }).Valid())
					require.False(t, g.Every(time.Millisecond, func(timerwheel.Timer) { runs.Add(1) }).Valid())
					settle()
					require.Zero(t, runs.Load())
					after := w.Stats()
					require.Equal(t, before.Refused+4*5+2, after.Refused)
					require.Equal(t, before.Live+2, after.Live)
					for _, tm := range born {
						require.NoError(t, tm.Free())
					}

					if !closed {
						require.NoError(t, stranger.Register(time.Hour))
						require.True(t, stranger.Stop())
						require.True(t, w.NewGroup().AfterFunc(time.Hour, func() {}).Stop())
					}
					p.let()
					settle()
					if closed {
						require.NoError(t, w.Close())
					}
				}
				found, err := g.ShutdownSync()
				require.NoError(t, err)
				require.Equal(t, foundNone, found)
				require.NoError(t, idle.Free())
				require.Equal(t, 2, g.Len())
			})
		}
	}
}

// ---- membership ----

// Contract 8: "A recycled timer is no member any more"; until then it is one, whoever owns it.
func TestGroupLenCountsTheTimersThatLive(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		g, p := w.NewGroup(), newPuppet(t)
		require.Zero(t, g.Len())
		owned := g.Alloc(p.handle)
		pending := g.AfterFunc(time.Minute, func() {})
		series := g.Every(time.Hour, delIgnore)
		w.Alloc(delIgnore)
		w.NewGroup().Alloc(delIgnore)
		require.Equal(t, 3, g.Len())
		require.NoError(t, owned.Retain())
		require.NoError(t, owned.Free())
		require.Equal(t, 3, g.Len())

		time.Sleep(time.Minute)
		settle()
		require.False(t, pending.Valid())
		require.Equal(t, 2, g.Len(), "fired and recycled")
		require.True(t, series.Stop())
		require.Equal(t, 1, g.Len(), "deleted and recycled")
		startRun(t, owned)
		require.NoError(t, owned.Free())
		require.Equal(t, 1, g.Len(), "freed, but it runs")
		p.let()
		settle()
		require.Zero(t, g.Len())
		require.NoError(t, g.Alloc(delIgnore).Free())
		require.Zero(t, g.Len())
	})
}

// Contract 8 with 1: the slot of a recycled member may get a tenant that is a stranger, or of
// another group: it is no member by its slot.
func TestGroupDeletionLeavesTheNextTenantsAlone(t *testing.T) {
	for _, verb := range groupVerbs {
		bubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			const n = 100
			g, other := w.NewGroup(), w.NewGroup()
			for i := range n {
				tm := g.Alloc(delIgnore)
				if i%2 == 0 {
					require.NoError(t, tm.Register(time.Hour))
				}
				tm.Del()
				require.NoError(t, tm.Free())
			}
			for range n {
				require.NoError(t, w.Alloc(delIgnore).Register(time.Hour))
				require.NoError(t, other.Alloc(delIgnore).Register(time.Hour))
			}
			require.Zero(t, g.Len())
			found, err := verb.call(g)
			require.NoError(t, err)
			require.Equal(t, foundNone, found)
			require.Equal(t, 2*n, w.Stats().Pending)
			require.Equal(t, n, other.Len())

			// And in the other direction: slots that strangers left are full members.
			found, err = other.DelSync()
			require.NoError(t, err)
			require.Equal(t, foundPending, found)
			require.Equal(t, n, w.Stats().Pending)
		})
	}
}

// Contract 4 and 8: the storage of a member is recycled at the end of the run that the group
// deletion waits for, and has new tenants, who run on: it neither waits for them nor touches them.
func TestGroupDeletionDoesNotWaitForTheNextTenants(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		for range 10 {
			g, p, next := w.NewGroup(), newPuppet(t), newPuppet(t)
			var last timerwheel.Timer
			for range 8 {
				last = g.AfterFunc(0, func() { p.handle(timerwheel.Timer{}) })
			}
			settle()
			require.Equal(t, 8, w.Stats().Running)
			c := deleting(g.DelSync)
			require.True(t, c.waits())
			var errs []error
			var tenants []timerwheel.Timer
			last.DelAsync(func() {
				for i := range 32 {
					tm := w.Alloc(next.handle)
					errs = append(errs, tm.Register(time.Duration(i%2)*time.Hour))
					tenants = append(tenants, tm)
				}
			})
			p.let()
			settle()
			c.requires(t, foundRunning, nil)
			for _, err := range errs {
				require.NoError(t, err)
			}
			require.Equal(t, 16, w.Stats().Pending)
			require.Equal(t, 16, w.Stats().Running)
			next.let()
			for _, tm := range tenants {
				_, err := tm.DelSync()
				require.NoError(t, err)
				require.NoError(t, tm.Free())
			}
		}
	})
}

// Contract 2 and 8: a member is an ordinary timer; its own deletions concern nobody else in the
// group.
func TestGroupMembersAreDeletedSingly(t *testing.T) {
	for _, verb := range delVerbs {
		bubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			g := w.NewGroup()
			a, b := g.Alloc(delIgnore), g.Alloc(delIgnore)
			require.NoError(t, a.Register(time.Hour))
			require.NoError(t, b.Register(time.Hour))
			found, err := verb.call(a)
			require.NoError(t, err)
			require.Equal(t, foundPending, found)
			require.True(t, b.Pending())
			require.NoError(t, b.Register(time.Minute))
			require.True(t, g.AfterFunc(time.Hour, func() {}).Valid())
			require.Equal(t, 3, g.Len())
		})
	}
}
