package timerwheel

import (
	"context"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel/internal/slab"
	"github.com/stretchr/testify/require"
)

// Contract 4: DelSync returns when the timer is "not pending" and its handler
// "not running" at one instant. The worker that begins the timer comes between
// any two critical sections of the deletion, if it has two, and the deletion
// between those of the worker: both are made to wait for the shard's lock, so
// long that it goes from hand to hand in their order.
func TestNoHandlerBeginsInTheMidstOfADeletion(t *testing.T) {
	type deletion func(g *Group, tm Timer) (Found, error)
	for name, del := range map[string]deletion{
		"DelSync":  func(_ *Group, tm Timer) (Found, error) { return tm.DelSync() },
		"Shutdown": func(_ *Group, tm Timer) (Found, error) { return tm.ShutdownSync() },
		"DelAsync": func(_ *Group, tm Timer) (found Found, err error) {
			done := make(chan struct{})
			found = tm.DelAsync(func() { close(done) })
			<-done
			return found, nil
		},
		"Group.DelSync":  func(g *Group, _ Timer) (Found, error) { return g.DelSync() },
		"Group.Shutdown": func(g *Group, _ Timer) (Found, error) { return g.ShutdownSync() },
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

// Rule 1: DelSync looks its handle up again after it has asked who calls. The
// handler ends meanwhile, and the slot has its next tenant, whose firing is
// none of its business.
func TestADeletionThatAsksWhoCallsLooksAgain(t *testing.T) {
	w := newTestWheel(t, Options{Manual: true})
	started, release := make(chan struct{}), make(chan struct{})
	tm := w.AfterFunc(0, func() {
		close(started)
		<-release
	})
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = w.Advance(w.Now()) })
	<-started

	w.mu.Lock()
	wg.Go(func() { _, _ = tm.DelSync() })
	blockedIn(t, 1, "member")
	close(release)
	for tm.Valid() {
		runtime.Gosched()
	}
	tenant := w.Alloc(func(Timer) {})
	require.NoError(t, tenant.Register(time.Hour))
	require.Equal(t, uint32(tm.id), uint32(tenant.id), "the tenant lives elsewhere: the test tests nothing")
	w.mu.Unlock()

	wg.Wait()
	require.True(t, tenant.Pending(), "the deletion has reached the slot's next tenant")
}

// Rule 8: a wait that is over leaves no edge behind. Its worker goes on with
// another handler, which may wait for the one that waited.
func TestTheEdgeOfAWaitGoesWithTheRun(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := newTestWheel(t, Options{MaxWorkers: 2})
		defer w.Close()
		g := w.NewGroup() // one shard, so that the worker goes on there
		endA, endB := make(chan struct{}), make(chan struct{})
		var a, b, c Timer
		var errA, errC error
		b = g.Alloc(func(Timer) { <-endB })
		a = g.Alloc(func(Timer) {
			_, errA = b.DelSync()
			<-endA
		})
		c = g.Alloc(func(Timer) { _, errC = a.DelSync() })
		for _, tm := range []Timer{b, a, c} {
			require.NoError(t, tm.Register(0))
			time.Sleep(5 * time.Millisecond)
		}
		require.True(t, a.Running() && b.Running() && !c.Running())
		close(endB)
		synctest.Wait()
		require.True(t, a.Running())
		require.True(t, c.Running(), "c does not wait for a: %v", errC)
		close(endA)
		synctest.Wait()
		require.NoError(t, errA)
		require.NoError(t, errC)
	})
}

// Rule 8: to look for a circle and to add one's own edge is one critical
// section. Of two handlers that begin to wait for each other at the same moment
// one sees the other.
func TestTwoWaitsThatBeginTogetherSeeEachOther(t *testing.T) {
	w := twoShards(t)
	a, b := &worker{w: w}, &worker{w: w}
	run(w.shards[1], a)
	run(w.shards[0], b)
	var wg sync.WaitGroup
	enlists := func(sh *shard, from, to *worker) *bool {
		ok := new(bool)
		wg.Go(func() {
			sh.lock()
			defer sh.mu.Unlock() // unchecked: nothing runs in these running slots
			*ok = sh.enlist(&wait{from: from}, to)
		})
		return ok
	}
	w.mu.Lock()
	first, second := enlists(w.shards[0], a, b), enlists(w.shards[1], b, a)
	blockedIn(t, 2, "enlist")
	handOn(&w.mu)
	wg.Wait()
	require.True(t, *first != *second, "%v, %v: exactly one may wait", *first, *second)
	for _, sh := range w.shards {
		sh.running = slab.Pages[runningSlot]{}
	}
}

// Rule 8: to look for a circle costs the handlers that wait, not the ways
// through them. Here each of 40 pairs waits for both of the next: 2^40 ways.
func TestALookForACircleCostsTheWaitingHandlers(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := newTestWheel(t, Options{})
		defer w.Close()
		const pairs = 40
		var groups [pairs]*Group
		var gates [pairs]chan struct{}
		for k := range pairs {
			groups[k], gates[k] = w.NewGroup(), make(chan struct{})
			for range 2 {
				groups[k].AfterFunc(0, func() {
					<-gates[k]
					if k+1 < pairs {
						_, _ = groups[k+1].DelSync()
					}
				})
			}
		}
		time.Sleep(50 * time.Millisecond)
		require.Equal(t, 2*pairs, w.Stats().Running)
		for _, gate := range gates[:pairs-1] {
			close(gate)
			synctest.Wait()
		}
		var err error
		w.AfterFunc(0, func() { _, err = groups[0].DelSync() })
		time.Sleep(5 * time.Millisecond)
		require.Equal(t, 2*pairs+1, w.Stats().Running)
		close(gates[pairs-1])
		synctest.Wait()
		require.NoError(t, err)
		require.Zero(t, w.Stats().Running)
	})
}

// Contract 4, table: "DelSyncContext | ctx ends first | ...; if both are ready,
// nil". So it is for Shutdown of the wheel.
func TestWhatIsOverIsOverThoughTheContextHasEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	over := make(chan struct{})
	require.ErrorIs(t, await(ctx, over), context.Canceled)
	close(over)
	for range 100 {
		require.NoError(t, await(ctx, over))
	}
}

// The same, where the run has ended, and its end is not told yet: the lock that
// the handler was bound to is slow to unlock.
func TestARunThatHasEndedIsOverThoughTheContextEndsBeforeItIsTold(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := newTestWheel(t, Options{})
		defer w.Close()
		end, unlock := make(chan struct{}), make(chan struct{})
		tm := w.AllocLocked(slowUnlock(unlock), func(Timer) { <-end })
		require.NoError(t, tm.Register(0))
		time.Sleep(5 * time.Millisecond)
		ctx, cancel := context.WithCancel(t.Context())
		var err error
		go func() { _, err = tm.DelSyncContext(ctx) }()
		synctest.Wait()
		close(end)
		synctest.Wait()
		require.False(t, tm.Running())
		cancel()
		synctest.Wait()
		require.NoError(t, err)
		close(unlock)
	})
}

// A slowUnlock is a lock whose Unlock waits.
type slowUnlock chan struct{}

func (l slowUnlock) Lock()   {}
func (l slowUnlock) Unlock() { <-l }

// A critical section takes as long for ten thousand waits as for one: the end of the
// run that they wait for, and each section in which they are reported as stalled.
func TestNoCriticalSectionLooksAtAllWaits(t *testing.T) {
	const many = 10_000
	guarded(t, func(t *testing.T) {
		var reported atomic.Int64
		w := newTestWheel(t, Options{OnStall: func(Stall) { reported.Add(1) }})
		end := make(chan struct{})
		tm := w.Alloc(func(Timer) { <-end })
		require.NoError(t, tm.Register(0))
		synctest.Wait()
		sh := tm.shard()
		for k := range many {
			if k%2 == 0 {
				go tm.DelSync()
			} else {
				tm.DelAsync(func() {})
			}
		}
		synctest.Wait()
		require.Equal(t, many, w.Running()[0].Waiters)

		// All have stalled, but the alarm has not rung: it would have been by then.
		later := w.elapsed() + int64(2*w.stallAfter)
		sections, stalls := 0, 0
		for more := true; more; sections++ {
			var reports []func(*worker)
			reports, more = sh.reports(later, nil)
			require.LessOrEqual(t, len(reports), scanLen)
			stalls += len(reports)
		}
		require.Equal(t, many+1, stalls)
		require.GreaterOrEqual(t, sections, many/scanLen)
		close(end)
		synctest.Wait()
		require.Zero(t, reported.Load())
	})

	took := func(waits int) time.Duration { // the best of some ends
		best := time.Duration(math.MaxInt64)
		for range 10 {
			w := newTestWheel(t, Options{})
			sh, wk := w.shards[0], &worker{w: w}
			run(sh, wk)
			for range waits {
				sh.enlist(new(wait), wk)
			}
			began := time.Now()
			wk.endWaits()
			best = min(best, time.Since(began))
			sh.running = slab.Pages[runningSlot]{}
		}
		return best
	}
	one, all := took(1), took(10*many)
	require.Less(t, all, 20*max(one, 100*time.Nanosecond), "one wait: %v", one) // a look at each would take 100 µs
}
