package timerwheel_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Promise 4, table: "ErrDeadlock to the call that would close the circle, at once, ctx or not; the
// others go on". Every verb in every place, in both directions of arrival, each timer in its own group.
func TestTheCallThatWouldCloseACircleIsErrDeadlock(t *testing.T) {
	links := memberVerbs.waiting()
	circle := func(n, step, first int, closer deletionVerb[member]) {
		name := fmt.Sprintf("%d/step %d/from %s/closed by %s", n, step, links[first].name, closer.name)
		bubble(t, name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			members, puppets := make([]member, n), make([]*puppet, n)
			for i := range members {
				g := w.NewGroup()
				tm, p := newRun(t, g)
				members[i], puppets[i] = member{tm, g}, p
			}
			calls := make([]*deletion, n)
			last := 0
			for k := range n {
				i, by := k*step%n, links[(first+k)%len(links)]
				if k == n-1 {
					last, by = i, closer
				}
				calls[i] = puppets[i].call(by.on(members[(i+1)%n]))
				require.Equal(t, k < n-1, calls[i].waits(), "call %d of %d, %s", k+1, n, by.name)
			}
			calls[last].requires(t, foundRunning, timerwheel.ErrDeadlock)

			// The others go on: each returns when the handler that it waits for has
			// returned, and not before.
			for k := range n - 1 {
				i := (last - k - 1 + n) % n
				require.True(t, calls[i].waits(), "only the closer gets ErrDeadlock")
				puppets[(i+1)%n].let()
				calls[i].requires(t, foundRunning, nil)
			}
		})
	}
	for k, closer := range memberVerbs.syncs() {
		for first := range links {
			circle(2, 1, first, closer)
		}
		for _, n := range []int{3, 5} {
			circle(n, 1, k%len(links), closer)
			circle(n, n-1, (k+1)%len(links), closer)
		}
	}
}

// Promise 4, table: "by any chain of this wheel's handlers", of any length, also through groups, of
// which the last of three runs leads on, and through Shutdowns.
func TestACircleOfAnyLengthIsSeen(t *testing.T) {
	links := memberVerbs.named("DelSync", "ShutdownSync", "Group.DelSync", "Group.ShutdownSync")
	for _, n := range []int{10, 100} {
		for _, closer := range timerVerbs.syncs() {
			bubble(t, fmt.Sprintf("%d/%s", n, closer.name), timerwheel.Options{MaxWorkers: 3 * n}, func(t *testing.T, w *timerwheel.Wheel) {
				members, puppets, besides := make([]member, n), make([]*puppet, n), make([]*puppet, 2*n)
				for i := range n {
					g := w.NewGroup()
					_, besides[2*i] = newRun(t, g) // these run and do not wait
					_, besides[2*i+1] = newRun(t, g)
					members[i].group = g
					members[i].Timer, puppets[i] = newRun(t, g)
				}
				calls := make([]*deletion, n-1)
				for i := range calls { // each waits for the next
					calls[i] = puppets[i].call(links[i%len(links)].on(members[i+1]))
				}
				settle()
				puppets[n-1].call(closer.on(members[0].Timer)).requires(t, foundRunning, timerwheel.ErrDeadlock)
				whole := puppets[n-1].call(members[0].group.ShutdownSync) // waits for the two that it can wait for
				require.True(t, whole.waits())
				for _, c := range calls {
					require.True(t, c.waits(), "only the closer gets ErrDeadlock")
				}
				for _, p := range besides {
					p.let()
				}
				whole.requires(t, foundRunning, timerwheel.ErrDeadlock)
				for i := n - 1; i > 0; i-- {
					puppets[i].let()
					calls[i-1].requires(t, foundRunning, nil)
				}
			})
		}
	}
}

// Options.Debug: ErrDeadlock names the circle, in its order, from the caller on, and the line at which
// each waits; of a long one the first 15 and the last. The circle leads through one of two runs that a
// group waits for.
func TestErrDeadlockNamesTheCircle(t *testing.T) {
	const here = "github.com/seed76848005/timerwheel_test."
	const a, b, c = here + "nameableA.run", here + "nameableB.run", here + "nameableC.run"
	for n, want := range map[int]string{
		1: a + ", at LINE",
		2: a + " would wait for " + b + " at LINE, which waits for " + a + " at LINE",
		3: a + " would wait for " + b + " at LINE, which waits for " + c + " at LINE, which waits for " + a + " at LINE",
		16: a + " would wait for " + b + " at LINE" + strings.Repeat(", which waits for "+c+" at LINE", 14) +
			", which waits for " + a + " at LINE",
		100: a + " would wait for " + b + " at LINE" + strings.Repeat(", which waits for "+c+" at LINE", 14) +
			", and so on through 84 more, which waits for " + a + " at LINE",
	} {
		for _, debug := range []bool{true, false} {
			bubble(t, fmt.Sprintf("%d/Debug %v", n, debug), timerwheel.Options{Debug: debug}, func(t *testing.T, w *timerwheel.Wheel) {
				timers, puppets := make([]timerwheel.Timer, n), make([]*puppet, n)
				one, two := w.NewGroup(), w.NewGroup()
				if n > 2 {
					newRun(t, two) // this run leads nowhere
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
						lines := regexp.MustCompile(`[^/ ]+/helpers_test\.go:\d+`) // where a puppet makes its calls
						require.Equal(t, "timerwheel: would wait for itself: handler "+want, lines.ReplaceAllString(c.err.Error(), "LINE"))
					} else {
						require.Equal(t, timerwheel.ErrDeadlock, c.err)
					}
				}
			})
		}
	}
}

// Options.Debug: each handler of a circle has the line at which that handler waits, the caller's its own.
func TestErrDeadlockNamesTheLines(t *testing.T) {
	bubble(t, "", timerwheel.Options{Debug: true}, func(t *testing.T, w *timerwheel.Wheel) {
		var a, b timerwheel.Timer
		var err error
		var atA, atB string
		a = w.Alloc(func(timerwheel.Timer) {
			assert.NoError(t, b.Register(0)) // not before: two that are due at once may stand in two shards
			time.Sleep(time.Second)
			_, err = b.DelSync()
			atA = siteAbove()
		})
		b = w.Alloc(func(timerwheel.Timer) {
			atB = siteAfter()
			_, err := a.DelSync()
			assert.NoError(t, err)
		})
		require.NoError(t, a.Register(0))
		elapse(time.Minute)
		require.ErrorIs(t, err, timerwheel.ErrDeadlock)
		require.Regexp(t, `func1\.1 would wait for [^ ]+\.func1\.2 at [^/ ]+/`+atA+`, which waits for [^ ]+\.func1\.1 at [^/ ]+/`+atB+`$`, err.Error())
		require.NoError(t, a.Free())
		require.NoError(t, b.Free())
	})
}

type (
	nameableA struct{ *puppet }
	nameableB struct{ *puppet }
	nameableC struct{ *puppet }
)

func (n nameableA) run(tm timerwheel.Timer) { n.handle(tm) }
func (n nameableB) run(tm timerwheel.Timer) { n.handle(tm) }
func (n nameableC) run(tm timerwheel.Timer) { n.handle(tm) }

// The converse: a chain that does not come back is not a circle, and all of it waits. It does not
// come back either through a deletion that does not wait.
func TestAChainOfDeletionsIsNoCircle(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		const n = 5
		var ps [n]*puppet
		var ms [n]member
		for i := range n {
			ms[i].group = w.NewGroup()
			ms[i].Timer, ps[i] = newRun(t, ms[i].group)
		}
		var calls [n - 1]*deletion
		for i := range n - 1 {
			calls[i] = ps[i].call(ms[i+1].DelSync)
			require.True(t, calls[i].waits())
		}
		outside := deleting(ms[0].DelSync)
		require.True(t, outside.waits())

		var done atomic.Int32
		ps[n-1].call(func() (timerwheel.Found, error) {
			return ms[0].DelAsync(func() { done.Add(1) }), nil
		}).requires(t, foundRunning, nil)
		for _, verb := range memberVerbs.those(func(v deletionVerb[member]) bool { return !v.syncs }) {
			want := timerwheel.Found{Running: verb.name != "Stop"} // which does not report a run
			ps[n-1].call(verb.on(ms[0])).requires(t, want, nil)
		}
		for i := n - 2; i >= 0; i-- {
			require.True(t, calls[i].waits())
			ps[i+1].let()
			calls[i].requires(t, foundRunning, nil)
		}
		settle()
		require.Zero(t, done.Load())
		ps[0].let()
		outside.requires(t, foundRunning, nil)
		settle()
		require.EqualValues(t, 1, done.Load())
	})
}

// Promise 4: a handler whose wait is over is not a link of a circle, whether its ctx ended or the run
// that it waited for did; rule 8: not even if that run's worker goes on with a handler that waits for it.
func TestAWaitThatIsOverIsNoLinkOfACircle(t *testing.T) {
	type links struct {
		g      *timerwheel.Group // one shard, so that a worker goes on there
		a, b   timerwheel.Timer
		pa, pb *puppet
	}
	// In each row a's handler waits for b's run, and its wait ends. Then the handler of another
	// timer waits for a.
	ends := []struct {
		name string
		wait func(*testing.T, links) (other timerwheel.Timer, back *deletion)
	}{
		{"ctx", func(t *testing.T, l links) (timerwheel.Timer, *deletion) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			c := l.pa.call(func() (timerwheel.Found, error) { return l.b.DelSyncContext(ctx) })
			require.True(t, c.waits())
			time.Sleep(time.Second)
			c.requires(t, foundRunning, context.DeadlineExceeded)
			return l.b, l.pb.call(l.a.DelSync)
		}},
		{"the run", func(t *testing.T, l links) (timerwheel.Timer, *deletion) {
			c := l.pa.call(l.b.DelSync)
			require.True(t, c.waits())
			l.pb.end()
			c.requires(t, foundRunning, nil)
			startRun(t, l.b)
			return l.b, l.pb.call(l.a.DelSync)
		}},
		{"the run, and its worker goes on", func(t *testing.T, l links) (timerwheel.Timer, *deletion) {
			c := l.pa.call(l.b.DelSync)
			require.True(t, c.waits())
			back := &deletion{done: make(chan struct{})}
			other := armed(l.g.Alloc(func(timerwheel.Timer) { back.run(l.a.DelSync) }), 0)
			settle()
			require.True(t, other.Pending(), "there is a third worker: the test tests nothing")
			l.pb.end()
			c.requires(t, foundRunning, nil)
			return other, back
		}},
	}
	for _, end := range ends {
		bubble(t, end.name, timerwheel.Options{MaxWorkers: 2}, func(t *testing.T, w *timerwheel.Wheel) {
			l := links{g: w.NewGroup()}
			l.a, l.pa = newRun(t, l.g)
			l.b, l.pb = newRun(t, l.g)
			other, back := end.wait(t, l)
			require.True(t, back.waits(), "a does not wait any more: %v", back.err)
			l.pa.call(other.DelSync).requires(t, foundRunning, timerwheel.ErrDeadlock) // and now it would
			l.pa.let()
			back.requires(t, foundRunning, nil)
		})
	}
}

// Promise 4, promise 3: a wait for several runs is not a wait for those that have ended, nor for what
// their workers run next.
func TestAnEdgeGoesWithItsRun(t *testing.T) {
	bubble(t, "", timerwheel.Options{MaxWorkers: 3}, func(t *testing.T, w *timerwheel.Wheel) {
		g := w.NewGroup()
		a, pa := newRun(t, w)
		_, pb := newRun(t, g)
		_, pc := newRun(t, g)
		whole := pa.call(g.DelSync)
		require.True(t, whole.waits())
		pd := newPuppet(t)
		d := armed(w.Alloc(pd.handle), 0) // for which there is no worker
		pb.end()
		synctest.Wait()
		require.True(t, d.Running(), "b's worker does not run it")
		back := pd.call(a.DelSync)
		require.True(t, back.waits(), "a waits for c alone")
		pc.let()
		whole.requires(t, foundRunning, nil)
		pa.let()
		back.requires(t, foundRunning, nil)
	})
}

// Promise 4: "Circles through two wheels, through a goroutine that the handler started, or through
// the user's own lock ... cannot be seen from here": the calls wait, and a context bounds them.
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
		for _, verb := range timerContextVerbs {
			bubble(t, circle.name+"/"+verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				wheelOfB := w
				if circle.far {
					wheelOfB = openWheel(t, timerwheel.Options{})
				}
				a, pa := newRun(t, w)
				b, pb := newRun(t, wheelOfB)
				circle.wait(t, a, pb)
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				c := pa.call(verb.on(b, ctx))
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
}

// Promise 4, table, the circle, with a group's deletion as a link, and as the link that closes it:
// the firings are removed all the same.
func TestGroupDeletionIsALinkOfACircle(t *testing.T) {
	for _, verb := range groupVerbs.waiting() {
		bubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			g := w.NewGroup()
			a, pa := newRun(t, w)
			b, pb := newRun(t, g)
			c, pc := newRun(t, g)
			whole := pa.call(verb.on(g))
			require.True(t, whole.waits())
			for _, closer := range timerVerbs.syncs() {
				pb.call(closer.on(a)).requires(t, foundRunning, timerwheel.ErrDeadlock)
				pc.call(closer.on(a)).requires(t, foundRunning, timerwheel.ErrDeadlock)
			}
			sideways := pb.call(c.DelSync) // c's handler does not wait
			require.True(t, sideways.waits())
			pc.call(b.DelSync).requires(t, foundRunning, timerwheel.ErrDeadlock)
			pc.let()
			sideways.requires(t, foundRunning, nil)
			require.True(t, whole.waits())
			pb.let()
			whole.requires(t, foundRunning, nil)
		})
	}
	for _, closer := range groupVerbs.syncs() {
		bubble(t, "closed by "+closer.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			g := w.NewGroup()
			a, pa := newRun(t, w)
			b, pb := newRun(t, g)
			require.NoError(t, b.Register(time.Hour))
			armed(g.Alloc(delIgnore), time.Hour)
			c := pb.call(a.DelSync)
			require.True(t, c.waits())
			pa.call(closer.on(g)).requires(t, foundBoth, timerwheel.ErrDeadlock)
			require.Zero(t, w.Stats().Pending)
			require.True(t, c.waits())
			pa.let()
			c.requires(t, foundRunning, nil)
		})
	}
}
