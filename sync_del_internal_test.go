package timerwheel

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel/internal/slab"
	"github.com/stretchr/testify/require"
)

// Promise 4: DelSync returns when the timer is "not pending" and its handler "not running" at one
// instant. Deletion and worker wait for the shard's lock so long that it is handed on in their order:
// each comes between any two critical sections of the other.
func TestNoHandlerBeginsInTheMidstOfADeletion(t *testing.T) {
	const long = 2 * time.Millisecond // for a mutex: after one it is fair
	for name, del := range map[string]func(g *Group, tm Timer) (Found, error){
		"DelSync":      func(_ *Group, tm Timer) (Found, error) { return tm.DelSync() },
		"ShutdownSync": func(_ *Group, tm Timer) (Found, error) { return tm.ShutdownSync() },
		"DelAsync": func(_ *Group, tm Timer) (found Found, err error) {
			done := make(chan struct{})
			found = tm.DelAsync(func() { close(done) })
			<-done
			return found, nil
		},
		"Group.DelSync":      func(g *Group, _ Timer) (Found, error) { return g.DelSync() },
		"Group.ShutdownSync": func(g *Group, _ Timer) (Found, error) { return g.ShutdownSync() },
	} {
		for _, deletionFirst := range []bool{true, false} {
			t.Run(map[bool]string{true: name + " before the worker", false: name + " after the worker"}[deletionFirst], func(t *testing.T) {
				w := newTestWheel(t, Options{})
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
					over := make(chan Found, 1)
					deletes := func() {
						found, err := del(g, tm)
						deleted.Store(true)
						if n := inFlight.Load(); err != nil || n != 0 {
							t.Errorf("%v, %v: the deletion has returned, and %d handlers are in flight", found, err, n)
						}
						over <- found
					}
					require.NoError(t, tm.Register(long))
					release := hold(t, &g.sh.mu)
					if deletionFirst {
						go deletes()
					}
					time.Sleep(2 * long) // the worker comes
					if !deletionFirst {
						go deletes()
						time.Sleep(long)
					}
					askFor(&g.sh.mu)
					release()
					found := receive(t, over)
					time.Sleep(long)
					require.Zero(t, late.Load(), "a handler has begun after its deletion: %+v", found)
					require.Equal(t, runs.Load() == 0, found.Pending, "removed or fired, and not both")
				}
			})
		}
	}
}

// Rule 1: DelSync looks its handle up again after it has asked which goroutine calls. In that time
// the handler ends, and the record gets its next tenant, whose firing the deletion must not remove.
func TestADeletionLooksUpItsHandleAgain(t *testing.T) {
	w := newTestWheel(t, Options{Manual: true})
	started := make(chan struct{})
	gate, open := newGate(t)
	tm := w.AfterFunc(0, func() {
		close(started)
		<-gate
	})
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = w.Advance(w.Now()) })
	receive(t, started)

	release := hold(t, &w.mu)
	wg.Go(func() { _, _ = tm.DelSync() })
	blockedIn(t, 1, "member")
	open()
	eventually(t, "the run has ended", func() bool { return !tm.Valid() })
	tenant := w.Alloc(func(Timer) {})
	require.NoError(t, tenant.Register(time.Hour))
	require.Equal(t, uint32(tm.id), uint32(tenant.id), "the tenant lives elsewhere: the test tests nothing")
	release()

	within(t, wg.Wait)
	require.True(t, tenant.Pending(), "the deletion has reached the record's next tenant")
}

// Rule 8: to look for a circle and to add one's own edge is one critical section. Of two handlers
// that begin to wait for each other at the same moment one sees the other.
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
	for _, sh := range w.shards { // before the wheel is closed
		t.Cleanup(func() { sh.running = slab.Pages[runningSlot]{} })
	}
	release := hold(t, &w.mu)
	first, second := enlists(w.shards[0], a, b), enlists(w.shards[1], b, a)
	blockedIn(t, 2, "enlist")
	askFor(&w.mu)
	release()
	within(t, wg.Wait)
	require.True(t, *first != *second, "%v, %v: exactly one may wait", *first, *second)
}

// Rule 8: a look for a circle costs the handlers that wait, not the ways through them. Here each of
// 40 pairs waits for both of the next: 2^40 ways.
func TestALookForACircleCostsTheWaitingHandlers(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := newTestWheel(t, Options{})
		const pairs = 40
		var groups [pairs]*Group
		var opens [pairs]func()
		for k := range pairs {
			gate, open := newGate(t)
			groups[k], opens[k] = w.NewGroup(), open
			for range 2 {
				groups[k].AfterFunc(0, func() {
					<-gate
					if k+1 < pairs {
						_, _ = groups[k+1].DelSync()
					}
				})
			}
		}
		time.Sleep(50 * time.Millisecond)
		require.Equal(t, 2*pairs, w.Stats().Running)
		for _, open := range opens[:pairs-1] {
			open()
			synctest.Wait()
		}
		var err error
		w.AfterFunc(0, func() { _, err = groups[0].DelSync() })
		time.Sleep(5 * time.Millisecond)
		require.Equal(t, 2*pairs+1, w.Stats().Running)
		opens[pairs-1]()
		synctest.Wait()
		require.NoError(t, err)
		require.Zero(t, w.Stats().Running)
	})
}

// Promise 4, table: "DelSyncContext | ctx ends first | ...; if both are ready, nil". So it is for
// CloseContext, and where the run has ended, but its waiters have not been woken: the Unlock takes long.
func TestAnEndedRunWinsOverALaterContext(t *testing.T) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	over := make(chan struct{})
	require.ErrorIs(t, await(ended, over), context.Canceled)
	close(over)
	for range 100 {
		require.NoError(t, await(ended, over))
	}
	guarded(t, func(t *testing.T) {
		w := newTestWheel(t, Options{})
		end, endRun := newGate(t)
		unlock, openUnlock := newGate(t)
		tm := w.AllocLocked(slowUnlock(unlock), func(Timer) { <-end })
		require.NoError(t, tm.Register(0))
		time.Sleep(5 * time.Millisecond)
		ctx, cancel := context.WithCancel(t.Context())
		var err error
		over := make(chan struct{})
		go func() {
			defer close(over)
			_, err = tm.DelSyncContext(ctx)
		}()
		synctest.Wait()
		endRun()
		synctest.Wait()
		require.False(t, tm.Running())
		cancel()
		<-over // though openUnlock has not been called
		require.NoError(t, err)
		openUnlock()
	})
}

// A slowUnlock is a lock whose Unlock waits.
type slowUnlock chan struct{}

func (l slowUnlock) Lock()   {}
func (l slowUnlock) Unlock() { <-l }

// A critical section takes as long for a thousand waits as for one: each report of stalls looks at a
// few, and the end of the run that they wait for looks at what they share.
func TestNoCriticalSectionLooksAtAllWaits(t *testing.T) {
	const many = 1000
	guarded(t, func(t *testing.T) {
		var reported atomic.Int64
		w := newTestWheel(t, Options{OnStall: func(Stall) { reported.Add(1) }})
		gate, open := newGate(t)
		tm := w.Alloc(func(Timer) { <-gate })
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
			var reports []*report
			reports, more = sh.stalled(later-int64(w.stallAfter), later)
			require.LessOrEqual(t, len(reports), scanLen)
			stalls += len(reports)
		}
		require.Equal(t, many+1, stalls)
		require.GreaterOrEqual(t, sections, many/scanLen)
		open()
		synctest.Wait()
		require.Zero(t, reported.Load())
	})

	w := newTestWheel(t, Options{})
	sh, wk := w.shards[0], &worker{w: w}
	run(sh, wk)
	t.Cleanup(func() { sh.running = slab.Pages[runningSlot]{} })
	waits := make([]wait, many)
	for k := range waits {
		sh.enlist(&waits[k], wk)
	}
	shared := wk.ending
	require.Equal(t, many, shared.waiters())
	wk.endWaits()
	require.Same(t, shared, wk.ended)
	for k := range waits {
		require.Same(t, shared, waits[k].edges[0].ending)
		require.True(t, waits[k].edges[0].done)
	}
	require.Equal(t, many, shared.waiters(), "the section that ends the run has emptied the queues")
}
