package timerwheel

import (
	"context"
	"errors"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed76848005/timerwheel/internal/gostack"
	"github.com/seed76848005/timerwheel/internal/hook"
	"github.com/seed76848005/timerwheel/internal/levels"
	"github.com/seed76848005/timerwheel/internal/slab"
)

// This file stages what a run of the tests meets once in a million: who comes
// between two critical sections, and who looks at what an operation leaves for
// a moment. The stage is a lock of the wheel that the test holds.

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

// Contract 9: "every goroutine of the wheel is joined", also the one that the
// alarm has just called, and that has not done anything yet.
func TestCloseJoinsTheGoroutineThatTheAlarmHasJustCalled(t *testing.T) {
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			w, err := New(Options{})
			require.NoError(t, err)
			closed := make(chan bool)
			closer := func() {
				time.Sleep(time.Millisecond) // until the alarm rings
				err := w.Close()
				w.mu.Lock()
				defer w.mu.Unlock()
				closed <- err == nil && len(w.members) == 0 && w.starting == 0 && w.alarm.rings == 0
			}
			go closer()
			w.AfterFunc(time.Millisecond, func() {})
			go closer()
			first, second := <-closed, <-closed
			require.True(t, first && second, "Close has returned, and a goroutine is still to come")
		})
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
	untilBlockedIn(t, 1, "member")
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

// Rule 1, where a Lock does not return: who renounces its timer leaves the
// slot's next tenant alone, whose lock another worker waits for.
func TestARenouncedTimersTenantIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWheel(t, Options{})
		defer w.Close()
		g := w.NewGroup()
		bad := &stagedLock{gate: make(chan struct{}), exits: true}
		tm := g.AllocLocked(bad, func(Timer) { t.Error("has run without its lock") })
		require.NoError(t, tm.Register(time.Millisecond))
		require.NoError(t, tm.Free())
		time.Sleep(5 * time.Millisecond)
		require.EqualValues(t, 1, bad.calls.Load())
		require.True(t, tm.Stop())

		runs := 0
		good := &stagedLock{gate: make(chan struct{})}
		tenant := g.AllocLocked(good, func(Timer) { runs++ })
		require.Equal(t, uint32(tm.id), uint32(tenant.id), "the tenant lives elsewhere: the test tests nothing")
		require.NoError(t, tenant.Register(time.Millisecond))
		time.Sleep(5 * time.Millisecond)
		require.EqualValues(t, 1, good.calls.Load())

		close(bad.gate)
		time.Sleep(5 * time.Millisecond)
		require.EqualValues(t, 1, good.calls.Load(), "two workers wait for one timer's lock")
		close(good.gate)
		synctest.Wait()
		require.Equal(t, 1, runs)
	})
}

// Rule 8: a wait that is over leaves no edge behind. Its worker goes on with
// another handler, which may wait for the one that waited.
func TestTheEdgeOfAWaitGoesWithTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
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
	untilBlockedIn(t, 2, "enlist")
	handOn(&w.mu)
	wg.Wait()
	require.True(t, *first != *second, "%v, %v: exactly one may wait", *first, *second)
	for _, sh := range w.shards {
		sh.running = slab.Pages[runningSlot]{}
	}
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
	synctest.Test(t, func(t *testing.T) {
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

// Nobody keeps a shard to himself while he moves very many timers: the others
// get their turn, and see him in the middle.
func TestNobodyKeepsAShardForLong(t *testing.T) {
	const n = 100_000
	type stage struct {
		w     *Wheel
		sh    *shard
		begin func()
		amid  func() bool // with the shard's lock
	}
	hours := func(o Options) (*Wheel, *Group) {
		w := newTestWheel(t, o)
		g := w.NewGroup()
		for range n {
			g.AfterFunc(time.Hour, func() {})
		}
		return w, g
	}
	for name, set := range map[string]func() stage{
		"a cascade": func() stage {
			w, g := hours(Options{Manual: true})
			return stage{w, g.sh, func() { _, _ = w.Advance(w.Now().Add(time.Hour - time.Second)) }, func() bool { return g.sh.levels.Cascading() }}
		},
		"what an Advance has deferred": func() stage {
			w := newTestWheel(t, Options{Manual: true})
			w.AfterFunc(0, func() {
				for range n {
					w.AfterFunc(0, func() {})
				}
			})
			sh := w.shards[0]
			return stage{w, sh, func() { _, _ = w.Advance(w.Now()) }, func() bool { return !sh.advancing && !sh.levels.Empty(levels.Deferred) }}
		},
		"Close": func() stage {
			w, g := hours(Options{})
			return stage{w, g.sh, func() { _ = w.Close() }, func() bool { return g.sh.closed && g.sh.counters.pending > 0 }}
		},
		"a group's deletion": func() stage {
			w, g := hours(Options{})
			last := g.Alloc(func(Timer) {})
			require.NoError(t, last.Register(time.Hour))
			return stage{w, g.sh, func() { _, _ = g.DelSync() }, func() bool {
				i, s := g.sh.lookup(last)
				if s.Flags&pending != 0 || g.sh.counters.pending == 0 {
					return false
				}
				if err := g.sh.refusal(i, s); !errors.Is(err, ErrDeleting) {
					t.Errorf("a member can be registered while its group is being deleted: %v", err)
				}
				return true
			}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			for range 20 { // on a busy machine nobody else may be there
				if s := set(); seenAmid(s.w, s.sh, s.begin, s.amid) {
					return
				}
			}
			require.Fail(t, "nobody else has had a turn")
		})
	}
}

// seenAmid reports whether another goroutine that wants the shard gets it while
// what begin does is amid.
func seenAmid(w *Wheel, sh *shard, begin func(), amid func() bool) (seen bool) {
	defer w.Close()
	var over atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		defer over.Store(true)
		begin()
	})
	for !over.Load() {
		sh.lock()
		seen = amid() || seen
		sh.unlock()
		runtime.Gosched()
	}
	wg.Wait()
	return seen
}

// A critical section moves a batch of timers at most.
func TestAPopMovesABatchAtMost(t *testing.T) {
	sh := newTestShard(t)
	for range 10 * batch {
		sh.w.AfterFunc(time.Second, func() {})
	}
	sh.lock()
	defer sh.unlock()
	for more := true; more && sh.levels.Empty(levels.Due); {
		_, _, more = sh.pop(int64(time.Second))
	}
	n := sh.levels.Count(levels.Due)
	require.NotZero(t, n)
	require.LessOrEqual(t, n, batch)
}

// Deletions of one group at once: each lets the others have their turns, and
// finds fewer members than it left.
func TestDeletionsOfAGroupAtOnce(t *testing.T) {
	w := newTestWheel(t, Options{})
	defer w.Close()
	g := w.NewGroup()
	for range 20 * batch {
		g.AfterFunc(time.Hour, func() {})
	}
	var wg sync.WaitGroup
	g.sh.lock()
	for range 3 {
		wg.Go(func() { _, _ = g.DelSync() })
	}
	untilBlockedIn(t, 3, "delSync")
	handOn(&g.sh.mu)
	wg.Wait()
	require.Zero(t, g.Len())
	require.Zero(t, w.Stats().Pending)
}

// Contract 9: "pending timers are dropped with the wheel's references", also one
// that the end of its run, or of the wait for its lock, would put back on the
// wheel while Close has its turns with the others; it does not run again.
func TestCloseDropsWhatIsPutBackMeanwhile(t *testing.T) {
	for name, c := range map[string]struct {
		waits   string // where its worker waits for the shard
		hold    func(g *Group, runs *atomic.Int32, end chan struct{})
		running int32
	}{
		"registered in its handler": {"drain", func(g *Group, runs *atomic.Int32, end chan struct{}) {
			tm := g.Alloc(func(tm Timer) {
				if runs.Add(1) == 1 {
					_ = tm.Register(0)
					<-end
				}
			})
			require.NoError(t, tm.Register(0))
		}, 1},
		"periodic": {"drain", func(g *Group, runs *atomic.Int32, end chan struct{}) {
			g.Every(time.Millisecond, func(Timer) {
				runs.Add(1)
				<-end
			})
		}, 1},
		"lock-bound": {"acquire", func(g *Group, runs *atomic.Int32, end chan struct{}) {
			tm := g.AllocLocked(&stagedLock{gate: end}, func(Timer) { runs.Add(1) })
			require.NoError(t, tm.Register(0))
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTestWheel(t, Options{MaxWorkers: 2})
			g := w.NewGroup()
			for range 20 * batch { // in the chunks before
				g.AfterFunc(time.Hour, func() {})
			}
			end := make(chan struct{})
			var runs atomic.Int32
			c.hold(g, &runs, end)
			for held := false; !held; runtime.Gosched() {
				g.sh.lock()
				held = !g.sh.levels.Empty(levels.Held)
				g.sh.unlock()
			}
			var wg sync.WaitGroup
			g.sh.lock()
			wg.Go(func() { _ = w.Close() })
			untilBlockedIn(t, 1, "close")
			close(end)
			untilBlockedIn(t, 1, c.waits)
			handOn(&g.sh.mu)
			wg.Wait()
			require.Zero(t, w.Stats().Pending)
			require.Equal(t, c.running, runs.Load(), "it has begun while the wheel was being closed")
		})
	}
}

// Contract 9, on a Manual wheel: what the Advance has deferred is dropped, too.
func TestCloseInAHandlerDropsWhatIsDeferred(t *testing.T) {
	w := newTestWheel(t, Options{Manual: true})
	tm := w.Alloc(func(Timer) { t.Error("has run") })
	w.AfterFunc(0, func() {
		require.NoError(t, tm.Register(0))
		require.ErrorIs(t, w.Close(), ErrDeadlock)
		require.False(t, tm.Pending())
	})
	_, err := w.Advance(w.Now())
	require.NoError(t, err)
	require.Zero(t, w.Stats().Pending)
	require.NoError(t, w.Close())
}

// Contract 9: who stops the alarm tells those who wait for the last goroutine,
// as the alarm may have been what they waited for.
func TestWhoStopsTheAlarmTellsWhoWaitsForTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWheel(t, Options{})
		w.mu.Lock()
		w.setAlarm(int64(time.Hour))
		w.mu.Unlock()
		var joined atomic.Bool
		go func() {
			_ = w.awaitMembers(context.Background())
			joined.Store(true)
		}()
		synctest.Wait()
		require.False(t, joined.Load(), "a callback may come")
		w.rearm(0)
		synctest.Wait()
		require.True(t, joined.Load())
	})
}

// Contract 9: a goroutine of the wheel is one until it has done all that it does:
// it sets the alarm anew before it leaves the crew.
func TestAGoroutineThatRearmsIsStillTheWheels(t *testing.T) {
	w := twoShards(t)
	wk := &worker{w: w, goid: 1, rearms: true}
	w.members[wk.goid] = wk
	w.shards[1].lock()
	var wg sync.WaitGroup
	wg.Go(func() { w.leave(wk) })
	untilBlockedIn(t, 1, "nextWake")
	w.mu.Lock()
	deserted := w.deserted()
	w.mu.Unlock()
	w.shards[1].unlock()
	wg.Wait()
	require.False(t, deserted)
	require.True(t, w.deserted())
}

// No wake-up is lost: a timer that is registered on a shard at which rearm has
// looked already is seen, though that knows of a later one only.
func TestNoWakeUpIsLostToARearmThatWasOvertaken(t *testing.T) {
	for _, other := range []time.Duration{0, 2 * time.Hour} {
		w := twoShards(t)
		if other > 0 {
			(&Group{sh: w.shards[1]}).AfterFunc(other, func() {})
		}
		w.shards[1].lock()
		var wg sync.WaitGroup
		wg.Go(func() { w.rearm(0) })
		untilBlockedIn(t, 1, "nextWake")
		(&Group{sh: w.shards[0]}).AfterFunc(time.Hour, func() {})
		w.shards[1].unlock()
		wg.Wait()
		require.LessOrEqual(t, w.alarm.at.Load(), w.elapsed()+int64(time.Hour), "the alarm does not ring for the timer")
	}
}

// And none is left over: a rearm that has seen a timer that was deleted since
// does not set the alarm for it after all.
func TestNoWakeUpIsLeftByARearmThatWasOvertaken(t *testing.T) {
	w := twoShards(t)
	tm := (&Group{sh: w.shards[0]}).AfterFunc(time.Hour, func() {})
	w.shards[1].lock()
	var wg sync.WaitGroup
	wg.Go(func() { w.rearm(0) })
	untilBlockedIn(t, 1, "nextWake")
	require.True(t, tm.Stop())
	w.shards[1].unlock()
	wg.Wait()
	require.True(t, w.alarmIsOff(), "nothing pends, and the alarm is set")
}

// Of two that need the alarm at the same moment the earlier gets it.
func TestTheEarlierOfTwoAlarmsAtOnceIsSet(t *testing.T) {
	w := twoShards(t)
	var wg sync.WaitGroup
	w.mu.Lock()
	for k, d := range []time.Duration{time.Hour, 2 * time.Hour} {
		wg.Go(func() { (&Group{sh: w.shards[k]}).AfterFunc(d, func() {}) })
		untilBlockedIn(t, k+1, "wakeEarlier")
	}
	w.mu.Unlock()
	wg.Wait()
	require.LessOrEqual(t, w.alarm.at.Load(), w.elapsed()+int64(time.Hour))
}

// Contract 9: a Close waits for the dones of deletions that were waiting; not
// for that of a DelAsync that came after it.
func TestCloseDoesNotWaitForADoneThatCameAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWheel(t, Options{})
		tm := w.Alloc(func(Timer) {})
		require.NoError(t, w.Close())
		end := make(chan struct{})
		tm.DelAsync(func() { <-end })
		synctest.Wait()
		require.NoError(t, w.Close())
		close(end)
	})
}

// One more worker is not wanted where as many as there are processors make progress; it is
// wanted, and hires others, where a handler has run for longer than quickRun.
func TestQuickHandlersWantNoMoreWorkersThanProcessors(t *testing.T) {
	if checkInvariants {
		t.Skip("these workers run nothing")
	}
	synctest.Test(t, func(t *testing.T) { // the time stands still
		w := newTestWheel(t, Options{})
		sh := w.shards[0]
		procs := runtime.GOMAXPROCS(0)
		for k := range procs + 1 {
			wk := &worker{w: w}
			require.Equal(t, k < procs, w.wanted(wk, k))
			require.Equal(t, k < procs, wk.notBefore == 0)
			require.False(t, wk.hiring)
			run(sh, new(worker))
		}
		running := sh.running
		sh.running = slab.Pages[runningSlot]{}
		require.False(t, w.wanted(&worker{w: w}, procs), "they are between two runs")
		sh.running = running
		time.Sleep(quickRun - 1)
		wk := &worker{w: w}
		require.False(t, w.wanted(wk, procs+1) || wk.hiring)
		time.Sleep(1)
		require.True(t, w.wanted(wk, procs+1) && wk.hiring, "a handler is not quick")
	})
}

// Workers that have been interrupted, or have given way, may be kept from the processors for
// seconds by goroutines without number. They are as many as there are processors, but as
// none of them begins a handler another one does, after a while.
func TestStarvedWorkersAreReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWheel(t, Options{})
		procs := runtime.GOMAXPROCS(0)
		for range procs {
			require.True(t, w.hire())
		}
		var late []time.Duration
		for d := range 3 {
			due := time.Now().Add(time.Duration(d) * 2 * starvedAfter)
			w.AfterFunc(time.Until(due), func() { late = append(late, time.Since(due)) })
		}
		time.Sleep(time.Second)
		synctest.Wait()
		require.Len(t, late, 3)
		for _, late := range late {
			require.GreaterOrEqual(t, late, starvedAfter, "one of those workers might have begun it")
			require.LessOrEqual(t, late, starvedAfter+2*w.tick)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		require.Equal(t, procs, w.workers, "the other one stays")
		w.workers = 0
	})
}

// A worker that has nothing left to do goes at once. If it gave way first, it would stand in
// a line for that, and count as one of those who are getting on with it.
func TestAWorkerDoesNotGiveWayToGo(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	w := newTestWheel(t, Options{})
	for range 20 { // in some of them the handler is interrupted, and the worker is not there yet
		seen := make(chan map[uint64]string)
		w.AfterFunc(0, func() {
			go func() { seen <- gostack.All() }() // when the processor is free
			for begin := time.Now(); time.Since(begin) < 2*timeSlice; {
			}
		})
		for _, stack := range <-seen {
			require.NotContains(t, stack, "giveWay")
		}
	}
}

// A worker may give way before it has appointed a successor: while it moves a million timers
// down a level, for one. It may be long until its turn comes again, and other timers
// do not wait for that.
func TestWhoGivesWaySeesToASuccessor(t *testing.T) {
	w := newTestWheel(t, Options{})
	sh := w.AfterFunc(time.Hour, func() {}).shard()
	w.mu.Lock()
	w.clearAlarm() // as who is called by it does
	w.mu.Unlock()
	sh.lock()
	now := (&worker{w: w}).giveWay(sh)
	at := w.alarm.at.Load()
	sh.unlock()
	require.LessOrEqual(t, at, now+w.hireDelay)
}

// run gives a worker a running slot in which there is no timer that lives.
func run(sh *shard, wk *worker) {
	wk.slotIndex = sh.running.Len()
	sh.running.Push(runningSlot{wk: wk, since: sh.w.elapsed(), waiting: never})
}

// A worker that was called because handlers block hires the next one only while a worker may
// be blocked, not merely because timers are due.
func TestWhoIsHiredHiresTheNextOnEvidenceOnly(t *testing.T) {
	for _, c := range []struct {
		name     string
		evidence func(w *Wheel, wk *worker)
		hires    int
	}{
		{"none", func(*Wheel, *worker) {}, 0},
		{"a handler is not quick", func(w *Wheel, _ *worker) { run(w.shards[0], new(worker)); time.Sleep(quickRun) }, 1},
		{"a lock is waited for", func(w *Wheel, _ *worker) { w.userCalls.Add(1) }, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTestWheel(t, Options{MaxWorkers: 2})
				end := make(chan struct{})
				w.alarm.at.Store(math.MinInt64) // nobody comes
				g := w.NewGroup()
				for range 2 {
					g.AfterFunc(0, func() { <-end })
				}
				wk := &worker{w: w, scanPending: true, hiring: true}
				c.evidence(w, wk)
				g.sh.lock()
				_, ok, _ := g.sh.pop(w.elapsed())
				require.True(t, ok)
				wk.unlockAndRearm(g.sh, w.elapsed())
				w.mu.Lock()
				workers := w.workers
				w.mu.Unlock()
				require.Equal(t, c.hires, workers)
				w.userCalls.Store(0)
				w.shards[0].running = slab.Pages[runningSlot]{}
				close(end)
				require.NoError(t, w.Close())
			})
		})
	}
}

// In a storm of quick handlers the program's own goroutines get their turns, on
// one processor, too: not after each time slice of the worker only, which is ten
// milliseconds.
func TestWorkersGiveWay(t *testing.T) {
	if checkInvariants {
		t.Skip("to check every critical section takes a time slice")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const n, slice, attempts = 300_000, 10 * time.Millisecond, 10
	for range attempts { // other programs take slices, too
		w := newTestWheel(t, Options{MaxWorkers: 1})
		for range n {
			w.AfterFunc(100*time.Millisecond, func() {})
		}
		turns, began := 0, time.Time{}
		for fired := uint64(0); fired < n; runtime.Gosched() {
			now := w.Stats().Fired
			if began.IsZero() && now > 0 {
				began = time.Now()
			}
			if now > fired {
				turns++
			}
			fired = now
		}
		took := time.Since(began)
		require.NoError(t, w.Close())
		if turns > 4*int(took/slice+1) {
			return
		}
		t.Logf("%d turns in %v", turns, took)
	}
	t.Error("the worker does not give way")
}

// Two processors do not begin with one shard, whatever workers do meanwhile.
func TestProcessorsDrawDifferentShards(t *testing.T) {
	w := twoShards(t)
	first := w.pickShard()
	w.localShards = new(sync.Pool) // another processor
	w.nextShard.Add(1)             // a worker looks where to begin
	require.NotSame(t, first, w.pickShard())
}

// Two processors that take turns with one shard do not do so for long: one of them
// moves on, and then both stay where they are.
func TestAProcessorMovesOnFromAShardThatIsAnothers(t *testing.T) {
	w := twoShards(t)
	defer w.Close()
	near := [2]*sync.Pool{processor(), processor()} // both have the first shard
	var last [2]*shard
	together := 0
	for range 20 * maxUserChanges {
		for k := range near {
			w.localShards = near[k]
			last[k] = w.AfterFunc(time.Hour, func() {}).shard()
		}
		if last[0] == last[1] {
			together++
		}
	}
	require.Less(t, together, maxUserChanges)
}

// A processor that has its shard to itself stays there.
func TestAProcessorStaysWithItsShard(t *testing.T) {
	w := twoShards(t)
	defer w.Close()
	w.localShards = processor()
	for range 20 * maxUserChanges {
		require.Same(t, w.shards[0], w.AfterFunc(time.Hour, func() {}).shard())
	}
}

// processor returns a pool that knows one processor, which has the first shard, and does
// not forget it, as pools do under the race detector.
func processor() *sync.Pool {
	n := new(localShard)
	return &sync.Pool{New: func() any { return n }}
}

// twoShards makes a wheel with two shards, with none of which anybody works.
func twoShards(t *testing.T) *Wheel {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	w := newTestWheel(t, Options{})
	t.Cleanup(func() { _ = w.Close() })
	require.Len(t, w.shards, 2)
	return w
}

// untilBlockedIn waits until n goroutines wait for a mutex in a function of the
// package.
func untilBlockedIn(t *testing.T, n int, function string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		blocked := 0
		for _, stack := range gostack.All() {
			state, frames, _ := strings.Cut(stack, "\n")
			if strings.Contains(state, "sync.Mutex.Lock") && strings.Contains(frames, ")."+function+"(") {
				blocked++
			}
		}
		if blocked == n {
			return
		}
		require.True(t, time.Now().Before(deadline), "%d goroutines are blocked in %s, not %d", blocked, function, n)
	}
}

// handOn lets go of a mutex for which others have waited for a while, such that
// it goes from hand to hand in their order.
func handOn(mu *hook.Mutex) {
	askFor(mu)
	mu.Unlock()
}

// askFor makes sure that who unlocks a mutex next hands it on to those who wait for it:
// who is woken and finds it taken again asks for fairness.
func askFor(mu *hook.Mutex) {
	time.Sleep(2 * time.Millisecond)
	mu.Unlock()
	mu.Lock()
	time.Sleep(time.Millisecond)
}

// A stagedLock is a lock whose Lock waits for its gate; then it ends the
// goroutine instead of returning, if it exits.
type stagedLock struct {
	gate  chan struct{}
	exits bool
	calls atomic.Int32
}

func (l *stagedLock) Lock() {
	l.calls.Add(1)
	<-l.gate
	if l.exits {
		runtime.Goexit()
	}
}

func (l *stagedLock) Unlock() {}

// A slowUnlock is a lock whose Unlock waits.
type slowUnlock chan struct{}

func (l slowUnlock) Lock()   {}
func (l slowUnlock) Unlock() { <-l }

// Contract 11: a group's deletion lets go of the lock between the runs that it finds. If
// those so far have ended then, and the alarm has been stopped, the next one sets it again:
// else nobody would look when the deletion has stalled.
func TestEachEdgeOfAWaitIsWatched(t *testing.T) {
	w := newTestWheel(t, Options{OnStall: func(Stall) {}})
	sh, x := w.shards[0], new(wait)
	for range 3 {
		w.mu.Lock()
		w.clearAlarm()
		w.mu.Unlock()
		wk := &worker{w: w}
		run(sh, wk)
		sh.running.At(uint32(wk.slotIndex)).reported = true
		require.True(t, sh.enlist(x, wk))
		require.LessOrEqual(t, w.alarm.at.Load(), x.since+int64(w.stallAfter))
	}
	sh.running = slab.Pages[runningSlot]{}
}

// Contract 2: Running walks from shard to shard. A run that begins meanwhile is not listed:
// with those that were seen and have ended by then, there would be more than ever run at
// once.
func TestRunningListsWhatHadBegun(t *testing.T) {
	w := twoShards(t)
	sh := w.shards[1]
	g := &Group{sh: sh}
	begins := func(tm Timer) *worker {
		wk := &worker{w: w, goid: tm.id}
		sh.lock()
		defer sh.unlock()
		i, s := sh.lookup(tm)
		now := w.elapsed()
		sh.arm(i, s, now, now)
		wk.begin(sh, i, s, now)
		return wk
	}
	first, second := g.Alloc(func(Timer) {}), g.Alloc(func(Timer) {})
	one := begins(first)
	w.shards[0].lock()
	var listed []RunningHandler
	var walk sync.WaitGroup
	walk.Go(func() { listed = w.Running() })
	untilBlockedIn(t, 1, "Running")
	another := begins(second)
	w.shards[0].unlock()
	walk.Wait()
	require.Len(t, listed, 1)
	require.Equal(t, first, listed[0].Timer)
	require.Len(t, w.Running(), 2)

	sh.lock()
	defer sh.unlock()
	one.finish(sh, w.elapsed())
	another.finish(sh, w.elapsed())
}

// Inspect reads the time before it looks at the shards. If a shard has moved on since then
// its levels begin elsewhere: Inspect reads the time again, but not for ever.
func TestInspectAsksAgainIfAShardIsAhead(t *testing.T) {
	w := newTestWheel(t, Options{Manual: true})
	sh := w.shards[0]
	for _, d := range []time.Duration{levels.Lowest + 5, levels.Lowest + levels.Digits + 5, 3 * levels.Lowest} {
		w.AfterFunc(d*w.tick, func() {})
	}
	_, err := w.Advance(w.Now().Add((levels.Lowest + 1) * w.tick))
	require.NoError(t, err)
	views := func(now int64) []LevelInfo {
		return []LevelInfo{{Start: now &^ (levels.Digits - 1), Span: 1}, {Start: now &^ (levels.Lowest - 1), Span: levels.Digits}, {Start: now &^ (levels.Lowest*levels.Digits - 1), Span: levels.Lowest}}
	}
	for _, now := range []int64{levels.Lowest + 1, levels.Lowest - 1} {
		to := views(now)
		_, ahead := sh.countTicks(to[:2])
		require.Equal(t, now < levels.Lowest, ahead)
		require.Equal(t, now > levels.Lowest, to[0].Timers[5] == 1)
		require.Equal(t, 1, to[1].Timers[1], "of the 64 ticks after those of now")
	}
	to := views(-1)
	_, ahead := sh.countLevel(to[2:])
	require.True(t, ahead)
	to = views(levels.Lowest + 1)
	_, ahead = sh.countLevel(to[2:])
	require.False(t, ahead)
	require.Equal(t, 1, to[2].Timers[3])

	for _, c := range []struct{ ahead, asked int }{{0, 1}, {1, 2}, {2, 3}, {9, 3}} {
		asked := 0
		late := w.countLevels(make([]LevelInfo, 1), 0, func(*shard, []LevelInfo) (late int, ahead bool) {
			asked++
			return 7, asked <= c.ahead
		})
		require.Equal(t, c.asked, asked)
		require.Equal(t, 7, late, "what was said last")
	}
}

// Contract 8: a group's deletion lets go of the lock in the midst of its members' runs. One
// that ends then is replaced in the row by one that the deletion has seen; that is
// waited for once.
func TestARunThatMovesIsWaitedForOnce(t *testing.T) {
	const many = scanLen + 4
	w := newTestWheel(t, Options{MaxWorkers: many})
	g := w.NewGroup()
	sh := g.sh
	var begun sync.WaitGroup
	ends := make(map[uint32]chan struct{})
	for range many {
		begun.Add(1)
		end := make(chan struct{})
		tm := g.AfterFunc(0, func() { begun.Done(); <-end })
		ends[uint32(tm.id)>>shardBits] = end
	}
	begun.Wait()

	sh.lock()
	first := sh.running.At(0).i
	close(ends[first])
	delete(ends, first)
	untilBlockedIn(t, 1, "relock")
	askFor(&sh.mu)
	x := &wait{group: g}
	g.enlist(x) // in the midst of it that run ends
	sh.unlock()

	waitedFor := make(map[*worker]bool)
	for _, e := range x.edges {
		require.False(t, waitedFor[e.wk], "twice")
		waitedFor[e.wk] = true
	}
	require.Len(t, x.edges, many-1, "the run ended in the midst")
	require.True(t, sh.abandon(x))
	for _, end := range ends {
		close(end)
	}
}

// A critical section takes as long for ten thousand waits as for one: the end of the
// run that they wait for, and each section in which they are reported as stalled.
func TestNoCriticalSectionLooksAtAllWaits(t *testing.T) {
	const many = 10_000
	synctest.Test(t, func(t *testing.T) {
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
		}
		return best
	}
	one, all := took(1), took(10*many)
	require.Less(t, all, 20*max(one, 100*time.Nanosecond), "one wait: %v", one) // a look at each would take 100 µs
}
