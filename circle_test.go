package timerwheel_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
)

// Contract 4, table: "DelSync of B | A's handler, where B's handler waits for A's end, by any chain
// of this wheel's handlers | ErrDeadlock to the call that would close the circle, at once, ctx or
// not; the others go on". Circles of 2, 3 and 5, every verb in every place, in both directions of
// arrival.
func TestTheCallThatWouldCloseACircleIsErrDeadlock(t *testing.T) {
	// A member of the circle is a timer in a group of its own, so that the group's deletions can
	// stand in the chain too.
	type member struct {
		p  *puppet
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
		link{"DelSyncContext, ended", func(m member) (timerwheel.Found, error) { return m.tm.DelSyncContext(endedContext) }})
	for _, n := range []int{2, 3, 5} {
		for first := range links {
			for _, closer := range closers {
				for _, step := range slices.Compact([]int{1, n - 1}) {
					name := fmt.Sprintf("%d/step %d/from %s/closed by %s", n, step, links[first].name, closer.name)
					bubble(t, name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
						members := make([]member, n)
						for i := range members {
							g, p := w.NewGroup(), newPuppet(t)
							members[i] = member{p, g.Alloc(p.handle), g}
							startRun(t, members[i].tm)
						}
						next := func(i int) member { return members[(i+1)%n] }

						calls := make([]*deletion, n)
						last := 0
						for k := range n {
							i, by := k*step%n, links[(first+k)%len(links)]
							if k == n-1 {
								last, by = i, closer
							}
							calls[i] = members[i].p.call(func() (timerwheel.Found, error) { return by.call(next(i)) })
							require.Equal(t, k < n-1, calls[i].waits(), "call %d of %d, %s", k+1, n, by.name)
						}
						calls[last].requires(t, foundRunning, timerwheel.ErrDeadlock)

						// The others go on: each returns when the handler that it waits for has
						// returned, and not before.
						for k := range n - 1 {
							i := (last - k - 1 + n) % n
							require.True(t, calls[i].waits(), "nobody but the closer gets ErrDeadlock")
							next(i).p.let()
							calls[i].requires(t, foundRunning, nil)
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
			bubble(t, fmt.Sprintf("%d/%s", n, closer.name), timerwheel.Options{MaxWorkers: 3 * n}, func(t *testing.T, w *timerwheel.Wheel) {
				puppets, timers := make([]*puppet, n), make([]timerwheel.Timer, n)
				groups, besides := make([]*timerwheel.Group, n), make([]*puppet, 0, n)
				for i := range n {
					groups[i] = w.NewGroup()
					for range 2 { // members that run, and wait for nobody
						p := newPuppet(t)
						besides = append(besides, p)
						startRun(t, groups[i].Alloc(p.handle))
					}
					puppets[i] = newPuppet(t)
					timers[i] = groups[i].Alloc(puppets[i].handle)
					startRun(t, timers[i])
				}
				links := []func(i int) func() (timerwheel.Found, error){
					func(i int) func() (timerwheel.Found, error) { return groups[i].DelSync },
					func(i int) func() (timerwheel.Found, error) { return timers[i].ShutdownSync },
					func(i int) func() (timerwheel.Found, error) { return timers[i].DelSync },
					func(i int) func() (timerwheel.Found, error) { return groups[i].ShutdownSync },
				}
				calls := make([]*deletion, n)
				for i := range n - 1 { // each waits for the next
					calls[i] = puppets[i].call(links[i%len(links)](i + 1))
				}
				settle()
				puppets[n-1].call(func() (timerwheel.Found, error) { return closer.call(timers[0]) }).requires(t, foundRunning, timerwheel.ErrDeadlock)
				whole := puppets[n-1].call(groups[0].ShutdownSync) // waits for the two that it can wait for
				require.True(t, whole.waits())
				for i := range n - 1 {
					require.True(t, calls[i].waits(), "nobody but the closer gets ErrDeadlock")
				}
				for _, p := range besides {
					p.let()
				}
				whole.requires(t, foundRunning, timerwheel.ErrDeadlock)
				for i := n - 1; i > 0; i-- {
					puppets[i].let()
					calls[i-1].requires(t, foundRunning, nil)
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
			bubble(t, fmt.Sprintf("%d/Debug %v", n, debug), timerwheel.Options{Debug: debug}, func(t *testing.T, w *timerwheel.Wheel) {
				puppets, timers := make([]*puppet, n), make([]timerwheel.Timer, n)
				one, two, beside := w.NewGroup(), w.NewGroup(), newPuppet(t)
				if n > 2 {
					startRun(t, two.Alloc(beside.handle)) // this run leads nowhere
				}
				for i := range n {
					p := newPuppet(t)
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
					startRun(t, timers[i])
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
					c.requires(t, foundRunning, timerwheel.ErrDeadlock)
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
	nameableA struct{ *puppet }
	nameableB struct{ *puppet }
	nameableC struct{ *puppet }
)

func (n nameableA) run(tm timerwheel.Timer) { n.handle(tm) }
func (n nameableB) run(tm timerwheel.Timer) { n.handle(tm) }
func (n nameableC) run(tm timerwheel.Timer) { n.handle(tm) }

// The converse: a chain that does not come back is no circle, and all of it waits.
func TestAChainOfDeletionsIsNoCircle(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		const n = 5
		var ps [n]*puppet
		var tms [n]timerwheel.Timer
		for i := range n {
			ps[i] = newPuppet(t)
			tms[i] = w.Alloc(ps[i].handle)
			startRun(t, tms[i])
		}
		var calls [n - 1]*deletion
		for i := range n - 1 {
			calls[i] = ps[i].call(tms[i+1].DelSync)
			require.True(t, calls[i].waits())
		}
		outside := deleting(tms[0].DelSync)
		require.True(t, outside.waits())
		for i := n - 2; i >= 0; i-- {
			require.True(t, calls[i].waits())
			ps[i+1].let()
			calls[i].requires(t, foundRunning, nil)
		}
		ps[0].let()
		outside.requires(t, foundRunning, nil)
	})
}

// Contract 4: what waits for nobody any more is no link of a circle, whether its ctx ended or the
// run that it waited for did.
func TestAWaitThatIsOverIsNoLinkOfACircle(t *testing.T) {
	ends := []struct {
		name string
		wait func(*testing.T, *puppet, *puppet, timerwheel.Timer) // a's handler waits for b, and its wait ends, both running
	}{
		{"ctx", func(t *testing.T, a, _ *puppet, b timerwheel.Timer) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			c := a.call(func() (timerwheel.Found, error) { return b.DelSyncContext(ctx) })
			require.True(t, c.waits())
			time.Sleep(time.Second)
			c.requires(t, foundRunning, context.DeadlineExceeded)
		}},
		{"the run", func(t *testing.T, a, pb *puppet, b timerwheel.Timer) {
			c := a.call(b.DelSync)
			require.True(t, c.waits())
			pb.end()
			c.requires(t, foundRunning, nil)
			startRun(t, b)
		}},
	}
	for _, end := range ends {
		bubble(t, end.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			pa, pb := newPuppet(t), newPuppet(t)
			a, b := w.Alloc(pa.handle), w.Alloc(pb.handle)
			startRun(t, a)
			startRun(t, b)
			end.wait(t, pa, pb, b)

			c := pb.call(a.DelSync)
			require.True(t, c.waits(), "a waits for nobody")
			pa.call(b.DelSync).requires(t, foundRunning, timerwheel.ErrDeadlock) // and now it would
			pa.let()
			c.requires(t, foundRunning, nil)
		})
	}
}

// Contract 4, promise 3: a wait for several runs is no wait for those that have ended,
// nor for what their workers run next.
func TestAnEdgeGoesWithItsRun(t *testing.T) {
	bubble(t, "", timerwheel.Options{MaxWorkers: 3}, func(t *testing.T, w *timerwheel.Wheel) {
		pa, pb, pc, pd := newPuppet(t), newPuppet(t), newPuppet(t), newPuppet(t)
		g := w.NewGroup()
		a, b, c, d := w.Alloc(pa.handle), g.Alloc(pb.handle), g.Alloc(pc.handle), w.Alloc(pd.handle)
		for _, tm := range []timerwheel.Timer{a, b, c} {
			startRun(t, tm)
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
		whole.requires(t, foundRunning, nil)
		pa.let()
		back.requires(t, foundRunning, nil)
		pd.let()
	})
}

// Contract 4, table: Del and DelAsync never wait, so they close no circle.
func TestDeletionsThatDoNotWaitCloseNoCircle(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		pa, pb := newPuppet(t), newPuppet(t)
		a, b := w.Alloc(pa.handle), w.Alloc(pb.handle)
		startRun(t, a)
		startRun(t, b)
		c := pa.call(b.DelSync)
		require.True(t, c.waits())

		var done atomic.Int32
		pb.call(func() (timerwheel.Found, error) { return a.Del(), nil }).requires(t, foundRunning, nil)
		pb.call(func() (timerwheel.Found, error) { return a.DelAsync(func() { done.Add(1) }), nil }).requires(t, foundRunning, nil)
		require.True(t, c.waits())
		pb.let()
		c.requires(t, foundRunning, nil)
		require.Zero(t, done.Load())
		pa.let()
		settle()
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
		wait func(t *testing.T, a timerwheel.Timer, pb *puppet)
		far  bool // b lives on another wheel
	}{
		{"two wheels", func(_ *testing.T, a timerwheel.Timer, pb *puppet) { pb.call(a.DelSync) }, true},
		{"a goroutine that the handler started", func(_ *testing.T, a timerwheel.Timer, pb *puppet) {
			pb.do <- func() { <-deleting(a.DelSync).done }
		}, false},
		{"the user's lock", func(t *testing.T, a timerwheel.Timer, pb *puppet) {
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
		bubble(t, circle.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			home := w
			if circle.far {
				var err error
				home, err = timerwheel.New(timerwheel.Options{})
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, home.Close()) })
			}
			pa, pb := newPuppet(t), newPuppet(t)
			a, b := w.Alloc(pa.handle), home.Alloc(pb.handle)
			startRun(t, a)
			startRun(t, b)
			circle.wait(t, a, pb)
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			c := pa.call(func() (timerwheel.Found, error) { return b.DelSyncContext(ctx) })
			require.True(t, c.waits())
			time.Sleep(time.Minute)
			c.requires(t, foundRunning, context.DeadlineExceeded)
			pa.let()
			pb.let()
			settle()
			require.False(t, a.Running())
			require.False(t, b.Running())
		})
	}
}

// Contract 4, table, the circle, with a wait for several: each member that would wait for the
// waiter closes a circle, "the others go on".
func TestGroupDeletionIsALinkOfACircle(t *testing.T) {
	for _, verb := range groupWaitingVerbs {
		bubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			g := w.NewGroup()
			pa, pb, pc := newPuppet(t), newPuppet(t), newPuppet(t)
			a, b, c := w.Alloc(pa.handle), g.Alloc(pb.handle), g.Alloc(pc.handle)
			for _, tm := range []timerwheel.Timer{a, b, c} {
				startRun(t, tm)
			}
			whole := pa.call(func() (timerwheel.Found, error) { return verb.call(g) })
			require.True(t, whole.waits())
			for _, closer := range append([]delVerb{delByDead}, delWaitingVerbs...) {
				pb.call(func() (timerwheel.Found, error) { return closer.call(a) }).requires(t, foundRunning, timerwheel.ErrDeadlock)
				pc.call(func() (timerwheel.Found, error) { return closer.call(a) }).requires(t, foundRunning, timerwheel.ErrDeadlock)
			}
			sideways := pb.call(c.DelSync) // c's handler waits for nobody
			require.True(t, sideways.waits())
			pc.call(b.DelSync).requires(t, foundRunning, timerwheel.ErrDeadlock)
			pc.let()
			sideways.requires(t, foundRunning, nil)
			require.True(t, whole.waits())
			pb.let()
			whole.requires(t, foundRunning, nil)
		})
	}
}

// And as the link that closes it: B, a member, waits for A, and A deletes the group. The firings
// are removed all the same.
func TestGroupDeletionThatWouldCloseACircle(t *testing.T) {
	for _, verb := range groupVerbs {
		bubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			g := w.NewGroup()
			pa, pb := newPuppet(t), newPuppet(t)
			a, b := w.Alloc(pa.handle), g.Alloc(pb.handle)
			startRun(t, a)
			startRun(t, b)
			require.NoError(t, b.Register(time.Hour))
			require.NoError(t, g.Alloc(delIgnore).Register(time.Hour))
			c := pb.call(a.DelSync)
			require.True(t, c.waits())
			pa.call(func() (timerwheel.Found, error) { return verb.call(g) }).requires(t, foundBoth, timerwheel.ErrDeadlock)
			require.Zero(t, w.Stats().Pending)
			require.True(t, c.waits())
			pa.let()
			c.requires(t, foundRunning, nil)
		})
	}
}
