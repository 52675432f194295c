package timerwheel_test

import (
	"context"
	"fmt"
	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Section 8 of docs/promises.md, and the clauses on groups of section 12, in bubbles, with puppets for
// handlers.

// ---- what a group deletion does ----

// Promise 8: a group deletion removes all firings, of members of every kind and in any number (here
// more than one critical section looks at), and those of no other timer.
func TestGroupDeletionRemovesAllFirings(t *testing.T) {
	for _, verb := range groupVerbs {
		bubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			const n = 60
			g, other := w.NewGroup(), w.NewGroup()
			l := newLockProbe(t)
			for range 6 * n { // strangers, whose records the members get
				require.NoError(t, w.Alloc(delIgnore).Free())
			}
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

			finds(t, foundPending)(verb.call(g))
			require.Equal(t, 2*n, w.Stats().Pending)
			require.EqualValues(t, 5*n, w.Stats().Removed)
			require.Equal(t, 3*n, g.Len(), "those without owners are recycled")
			finds(t, foundNone)(verb.call(g))

			elapse(24 * time.Hour)
			require.Zero(t, ours.Load())
			require.EqualValues(t, 2*n, theirs.Load())
			require.Zero(t, w.Stats().SyncWaits)
		})
	}
}

// Promise 2: "Found: or-ed over the members".
func TestGroupFoundIsOredOverTheMembers(t *testing.T) {
	for members := range 8 {
		pending, running, both := members&1 != 0, members&2 != 0, members&4 != 0
		for _, verb := range groupVerbs.waiting() {
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

				c := deleting(verb.on(g))
				require.Equal(t, running || both, c.waits())
				p.let()
				c.requires(t, timerwheel.Found{Pending: pending || both, Running: running || both}, nil)
			})
		}
	}
}

// Promise 8: "all handlers in flight waited for", and only members'; promise 11: however they end.
// Promise 12: "A group deletion that waits counts once in SyncWaits".
func TestGroupDeletionWaitsForAllHandlers(t *testing.T) {
	ends := []func(){func() {}, func() { panic("the handler's") }, runtime.Goexit, func() {}}
	o := timerwheel.Options{OnPanic: func(timerwheel.HandlerPanic) {}}
	for _, verb := range groupVerbs.waiting() {
		for _, reverse := range []bool{false, true} {
			bubble(t, fmt.Sprintf("%s,reverse=%t", verb.name, reverse), o, func(t *testing.T, w *timerwheel.Wheel) {
				g, unowned := w.NewGroup(), newPuppet(t)
				_, owned := newRun(t, g)
				g.AfterFunc(0, func() { unowned.handle(timerwheel.Timer{}) })
				tm, freed := newRun(t, g)
				require.NoError(t, tm.Free())
				tm, again := newRun(t, g)
				require.NoError(t, tm.Register(0))
				startRun(t, w.Alloc(newPuppet(t).handle)) // not of the group
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
					p.do <- func() {
						wrote[i] = i + 1
						ends[i]()
					}
					p.let()
				}
				c.requires(t, foundBoth, nil)
				require.Equal(t, [4]int{1, 2, 3, 4}, read)
				require.Equal(t, 1, w.Stats().Running, "the one that is not of the group")
				require.EqualValues(t, 1, w.Stats().SyncWaits)
				settle()
				require.EqualValues(t, 1, again.begun.Load())
				require.Equal(t, 2, g.Len())
			})
		}
	}
}

// Promise 2: Group.Del removes the firings of all members, does not wait for those that run, and
// causes no refusal. In a member's own handler it is not ErrDeadlock.
func TestGroupDelRemovesAllFirings(t *testing.T) {
	for _, here := range []bool{false, true} {
		bubble(t, fmt.Sprintf("here=%t", here), timerwheel.Options{MaxWorkers: 2}, func(t *testing.T, w *timerwheel.Wheel) {
			g := w.NewGroup()
			running, p := newRun(t, g)
			again, q := newRun(t, g)
			var runs atomic.Int32
			count := func(timerwheel.Timer) { runs.Add(1) }
			pending, inLine, series := g.Alloc(count), g.Alloc(count), g.Every(time.Minute, count)
			other := armed(w.Alloc(delIgnore), 2*time.Hour)
			del := func() (timerwheel.Found, error) { return g.Del(), nil }
			arm := func() {
				require.NoError(t, again.Register(0))
				require.NoError(t, pending.Register(time.Hour))
				require.NoError(t, inLine.Register(0))
				settle()
			}
			for range 2 { // the first Del leaves no trace
				arm()
				deletingHere(p, here, del).requires(t, foundBoth, nil)
				require.Equal(t, 1, w.Stats().Pending, "the one that is not of the group")
				require.Equal(t, []int{0, 0}, waitersOf(w, running, again))
			}
			require.False(t, series.Valid())
			require.True(t, other.Pending())
			deletingHere(p, here, del).requires(t, foundRunning, nil)
			require.Zero(t, p.ended.Load()+q.ended.Load(), "it waited")
			require.Zero(t, w.Stats().SyncWaits)

			p.let()
			q.let()
			elapse(time.Hour)
			require.Zero(t, runs.Load())
			require.EqualValues(t, 2, p.begun.Load()+q.begun.Load())
			arm()
			require.True(t, g.AfterFunc(time.Second, func() { runs.Add(1) }).Valid())
			elapse(time.Hour)
			require.EqualValues(t, 3, runs.Load(), "refused after a deletion that does not wait")
			require.EqualValues(t, 2, q.begun.Load())
		})
	}
}

// ---- refusals ----

// Promise 8: "While it waits no Register of any member succeeds"; promise 12: "a member made while it
// waits is refused as the others are". No other timer is refused, and no member after it.
func TestGroupMembersAreRefusedWhileADeletionWaits(t *testing.T) {
	for _, verb := range groupVerbs.waiting() {
		want := timerwheel.ErrDeleting
		if verb.shuts {
			want = timerwheel.ErrShutdown // which comes before
		}
		bubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			g, p, q := w.NewGroup(), newPuppet(t), newPuppet(t)
			running, also, idle, pending := g.Alloc(p.handle), g.Alloc(q.handle), g.Alloc(delIgnore), g.Alloc(delIgnore)
			stranger, other := w.Alloc(delIgnore), w.NewGroup().Alloc(delIgnore)
			startRun(t, running)
			startRun(t, also)
			require.NoError(t, pending.Register(time.Hour))
			c := deleting(verb.on(g))
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
				require.Equal(t, before.Live, after.Live, "a refused timer lives")
				require.Zero(t, after.Pending)
			}
			refuses()
			requireRefusedInHandler(t, w, p, want, running, also)
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
			elapse(time.Hour)
			require.Zero(t, runs.Load())
		})
	}
}

// Promise 4 and 8: the end of one call's ctx ends no other call, of the group or of its member. The
// refusals of deletions that overlap end each with its own wait.
func TestAGroupDeletionThatGivesUpLeavesTheRefusalToTheOthers(t *testing.T) {
	for _, verb := range memberContextVerbs {
		for _, after := range []time.Duration{0, time.Minute} {
			bubble(t, fmt.Sprint(verb.name, "/", after), timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				g := w.NewGroup()
				a, p := newRun(t, g)
				b, q := newRun(t, g)
				refusals := map[timerwheel.Timer]error{a: verb.err, b: timerwheel.ErrDeleting, g.Alloc(delIgnore): timerwheel.ErrDeleting}
				waiters := []int{4, 2}
				if strings.HasPrefix(verb.name, "Group.") {
					waiters = []int{4, 3}
					for tm := range refusals {
						refusals[tm] = verb.err
					}
				}
				first, second, one := deleting(g.DelSync), deleting(g.DelSync), deleting(a.DelSync)
				require.True(t, first.waits())
				ctx, cancel := context.WithTimeout(context.Background(), after)
				defer cancel()
				gives := deleting(verb.on(member{a, g}, ctx))
				if after > 0 {
					require.True(t, gives.waits())
					require.Equal(t, waiters, waitersOf(w, a, b))
					elapse(after)
				}
				gives.requires(t, foundRunning, context.DeadlineExceeded)
				require.True(t, first.waits())
				require.Equal(t, []int{3, 2}, waitersOf(w, a, b))

				p.let()
				one.requires(t, foundRunning, nil)
				for tm, want := range refusals {
					requireRefused(t, w, tm, want)
				}
				require.True(t, first.waits())
				require.True(t, second.waits())
				q.let()
				first.requires(t, foundRunning, nil)
				second.requires(t, foundRunning, nil)
				for tm, want := range refusals {
					if want == timerwheel.ErrShutdown {
						requireRefused(t, w, tm, want)
					} else {
						require.NoError(t, tm.Register(time.Hour), "the refusal outlived the deletions")
					}
				}
			})
		}
	}
}

// ---- in a member's handler, and in circles ----

// Promise 8: "In a member's own handler: all firings removed, the other handlers waited for,
// ErrDeadlock"; promise 12: whatever its ctx, ended or ending during the wait for the others.
func TestGroupDeletionInAMembersHandlerIsErrDeadlock(t *testing.T) {
	for _, verb := range groupVerbs.waiting() {
		bubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			g := w.NewGroup()
			tm, p := newRun(t, g)
			require.NoError(t, tm.Register(0))
			_, q := newRun(t, g)
			pending := armed(g.Alloc(delIgnore), time.Hour)

			c := p.call(verb.on(g))
			time.Sleep(time.Minute)
			require.True(t, c.waits(), "the other handler was not waited for")
			require.Zero(t, w.Stats().Pending, "the firings were not removed")
			want := timerwheel.ErrDeleting
			if verb.shuts {
				want = timerwheel.ErrShutdown
			}
			requireRefused(t, w, pending, want)
			q.let()
			c.requires(t, foundBoth, timerwheel.ErrDeadlock)

			p.let()
			elapse(2 * time.Hour)
			require.EqualValues(t, 1, p.begun.Load())
			if verb.shuts {
				requireRefused(t, w, pending, want)
			} else {
				require.NoError(t, pending.Register(time.Hour))
			}
		})
	}
	for _, verb := range groupContextVerbs {
		for _, after := range []time.Duration{0, time.Minute} {
			bubble(t, fmt.Sprint("ctx ends after ", after, "/", verb.name), timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				g := w.NewGroup()
				_, p := newRun(t, g)
				_, q := newRun(t, g)
				ctx, cancel := context.WithTimeout(context.Background(), after)
				defer cancel()
				c := p.call(verb.on(g, ctx))
				require.Equal(t, after > 0, c.waits())
				elapse(after)
				c.requires(t, foundRunning, timerwheel.ErrDeadlock)
				require.Zero(t, q.ended.Load())
			})
		}
	}
}

// Promise 8: two members' handlers that both delete their group would wait for each other: the
// second deletion leaves out the first's handler, both wait for the third, and both are ErrDeadlock.
func TestGroupDeletionInTwoMembersHandlers(t *testing.T) {
	for _, verb := range groupVerbs.waiting() {
		bubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			g := w.NewGroup()
			_, a := newRun(t, g)
			_, b := newRun(t, g)
			_, c := newRun(t, g)
			first := a.call(verb.on(g))
			require.True(t, first.waits())
			second := b.call(verb.on(g))
			require.True(t, second.waits(), "the third handler was not waited for")
			c.let()
			second.requires(t, foundRunning, timerwheel.ErrDeadlock)
			require.True(t, first.waits(), "the second handler was not waited for")
			b.let()
			first.requires(t, foundRunning, timerwheel.ErrDeadlock)
		})
	}
}

// Promise 4 and 8: a group of which more members run than one critical section looks at is
// waited for, and given up, like any other.
func TestGroupDeletionOfManyRuns(t *testing.T) {
	const many = 200
	bubble(t, "", timerwheel.Options{MaxWorkers: 2 * many}, func(t *testing.T, w *timerwheel.Wheel) {
		g, other, end := w.NewGroup(), w.NewGroup(), make(chan struct{})
		var members, strangers []timerwheel.Timer
		for range many {
			members = append(members, g.AfterFunc(0, func() { <-end }))
			strangers = append(strangers, other.AfterFunc(0, func() { <-end }))
		}
		elapse(time.Second) // a worker for each
		require.Equal(t, 2*many, w.Stats().Running)
		requireWaiters := func(each int) {
			require.Equal(t, slices.Repeat([]int{each}, many), waitersOf(w, members...))
			require.Equal(t, make([]int, many), waitersOf(w, strangers...))
		}

		waits := deleting(g.DelSync)
		require.True(t, waits.waits())
		ctx, cancel := context.WithCancel(context.Background())
		gives := deleting(func() (timerwheel.Found, error) { return g.DelSyncContext(ctx) })
		require.True(t, gives.waits())
		requireWaiters(2)
		cancel()
		gives.requires(t, foundRunning, context.Canceled)
		requireWaiters(1) // the deletion that gave up does not wait
		for _, tm := range members {
			requireRefused(t, w, tm, timerwheel.ErrDeleting)
		}
		close(end)
		waits.requires(t, foundRunning, nil)
		require.True(t, g.AfterFunc(time.Hour, func() {}).Valid(), "the refusal outlived the deletions")
	})
}

// ---- Shutdown ----

// Promise 8: "After Group.Shutdown, new members are born shut down, and AfterFunc and Every return
// a Timer that is not Valid"; promise 4: even if it returned an error.
func TestGroupShutdownIsForEver(t *testing.T) {
	for _, verb := range groupVerbs.shutting() {
		for _, inHandler := range []bool{false, true} {
			for _, closed := range []bool{false, true} { // ErrShutdown comes before ErrClosed
				name := fmt.Sprintf("%s/in a member's handler=%t,closed=%t", verb.name, inHandler, closed)
				bubble(t, name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
					groupShutdownIsForEver(t, w, verb, inHandler, closed)
				})
			}
		}
	}
}

func groupShutdownIsForEver(t *testing.T, w *timerwheel.Wheel, verb deletionVerb[*timerwheel.Group], inHandler, closed bool) {
	g, p := w.NewGroup(), newPuppet(t)
	running, idle, pending := g.Alloc(p.handle), g.Alloc(delIgnore), armed(g.Alloc(delIgnore), time.Hour)
	stranger := w.Alloc(delIgnore)
	if inHandler {
		var err error
		if verb.syncs {
			err = timerwheel.ErrDeadlock
		}
		startRun(t, running)
		p.call(verb.on(g)).requires(t, foundBoth, err)
	} else {
		deleting(verb.on(g)).requires(t, foundPending, nil)
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
		require.Equal(t, before.Refused+refusals*5+2, after.Refused)
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
	finds(t, foundNone)(verb.call(g))
	require.NoError(t, idle.Free())
	require.Equal(t, 2, g.Len())
}

// ---- Free ----

// Promise 8.14: Free drops one owner's reference of each member that has an owner, and neither
// stops nor waits. After ShutdownSync it recycles what has one owner.
func TestGroupFreeDropsOneReferenceOfEachOwner(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		var fired atomic.Int32
		g, p := w.NewGroup(), newPuppet(t)
		count := func(timerwheel.Timer) { fired.Add(1) }
		idle, twice, runs := g.Alloc(count), g.Alloc(count), g.Alloc(p.handle)
		pends, series := armed(g.Alloc(count), time.Second), g.Every(time.Minute, count)
		unowned, other := g.AfterFunc(time.Second, func() { fired.Add(1) }), w.Alloc(count)
		require.NoError(t, twice.Retain())
		startRun(t, runs)

		g.Free()
		require.False(t, idle.Valid())
		for _, tm := range []timerwheel.Timer{twice, runs, pends, series, unowned, other} {
			require.True(t, tm.Valid())
		}
		require.True(t, pends.Pending() && series.Pending() && unowned.Pending(), "it stops nothing")
		elapse(2 * time.Second)
		require.EqualValues(t, 2, fired.Load())
		require.False(t, pends.Valid(), "recycled after its handler")
		require.ErrorIs(t, runs.Free(), timerwheel.ErrFreed, "it has no owner any more")

		g.Free()
		require.False(t, twice.Valid())
		require.Equal(t, 2, g.Len(), "one runs, and the series")
		p.let()
		settle()
		finds(t, foundPending)(g.ShutdownSync())
		require.Zero(t, g.Len())
		g.Free()
		require.True(t, other.Valid())
	})
	bubble(t, "a tear-down of a thousand", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		g := w.NewGroup()
		for range 1000 {
			armed(g.Alloc(delIgnore), time.Hour)
		}
		finds(t, foundPending)(g.ShutdownSync())
		g.Free()
		require.Zero(t, g.Len())
		require.Zero(t, w.Stats().Live)
	})
}

// Promise 8.14: of a Free that races with the owners' own Frees each reference is freed once.
func TestGroupFreeRacesWithTheOwners(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	for range raceRounds(200) {
		g := w.NewGroup()
		members := make([]timerwheel.Timer, 100)
		for i := range members {
			members[i] = g.Alloc(delIgnore)
		}
		var freed atomic.Int64
		var all sync.WaitGroup
		all.Go(g.Free)
		all.Go(func() {
			for _, tm := range members {
				if tm.Free() == nil {
					freed.Add(1)
				}
			}
		})
		all.Wait()
		require.Zero(t, g.Len())
		require.LessOrEqual(t, freed.Load(), int64(len(members)))
	}
	require.Zero(t, w.Stats().Live)
}

// Promise 8.14 and 8.17: of members that have two owners Free drops one reference each, also if the
// members before and behind them go in that time.
func TestGroupFreeDropsOneReferenceWhileOthersGo(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	for range raceRounds(10) {
		g := w.NewGroup()
		var gone, kept []timerwheel.Timer
		for range scaled(5000) {
			gone, kept = append(gone, g.Alloc(delIgnore)), append(kept, g.Alloc(delIgnore))
			if err := kept[len(kept)-1].Retain(); err != nil {
				require.NoError(t, err)
			}
		}
		var all sync.WaitGroup
		all.Go(g.Free)
		all.Go(func() {
			for _, tm := range gone {
				_ = tm.Free()
			}
		})
		all.Wait()
		require.Equal(t, len(kept), g.Len())
		for _, tm := range kept {
			if err := tm.Free(); err != nil {
				require.NoError(t, err, "two references were dropped")
			}
		}
		require.Zero(t, g.Len())
	}
}

// ---- membership ----

// Promise 8: "A recycled timer is no member any more"; until then it is one, with or without owners.
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
