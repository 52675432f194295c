package timerwheel_test

import (
	"context"
	"fmt"
	"math"
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

// stallLog gathers what OnStall is told.
type stallLog struct {
	mu   sync.Mutex
	seen []timerwheel.Stall
}

func (l *stallLog) onStall(s timerwheel.Stall) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = append(l.seen, s)
}

// take returns the reports so far, those of handlers and those of waits, and forgets them.
func (l *stallLog) take() (runs, waits []timerwheel.Stall) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.seen {
		if s.Kind == timerwheel.StalledDeletion {
			waits = append(waits, s)
		} else {
			runs = append(runs, s)
		}
	}
	l.seen = nil
	return runs, waits
}

// Contract 2: OnStall is told of "a handler … that has lasted longer than StallAfter", with
// what a Stall says of it; "0 means a documented default", 1 s.
func TestOnStallReportsAHandler(t *testing.T) {
	for _, c := range []struct{ after, limit time.Duration }{
		{0, time.Second}, {time.Second, time.Second}, {50 * time.Millisecond, 50 * time.Millisecond}, {time.Hour, time.Hour},
	} {
		t.Run(c.after.String(), func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				var log stallLog
				w := openWheel(t, timerwheel.Options{OnStall: log.onStall, StallAfter: c.after})
				var since time.Time
				release := openedAtTheEnd(t)
				tm := armed(w.Alloc(func(timerwheel.Timer) {
					since = time.Now()
					stallingHandler(release)
				}), 10*time.Millisecond)
				time.Sleep(10*time.Millisecond + c.limit - time.Microsecond)
				runs, waits := log.take()
				require.Empty(t, append(runs, waits...), "not before StallAfter has passed")
				time.Sleep(c.limit + 10*time.Millisecond)
				runs, waits = log.take()
				require.Empty(t, waits)
				require.Len(t, runs, 1)

				s := runs[0]
				synctest.Wait()
				require.Equal(t, tm, s.Timer)
				require.True(t, s.Since.Equal(since), "since %v, reported %v", since, s.Since)
				require.GreaterOrEqual(t, s.For, c.limit)
				require.LessOrEqual(t, s.For, 2*c.limit)
				require.Zero(t, s.Waiters)
				require.Contains(t, s.Handler, "timerwheel_test.TestOnStallReportsAHandler.")
				require.Regexp(t, `stall_test\.go:\d+`, s.Handler)
				require.Contains(t, s.HandlerStack, "timerwheel_test.stallingHandler(", "where the handler is now")
				require.Contains(t, s.HandlerStack, "timerwheel_test.TestOnStallReportsAHandler.")
				require.Empty(t, s.AllocatedAt, "only with Debug")
				require.Empty(t, s.RegisteredAt, "only with Debug")

				// Once a run, however long it is.
				time.Sleep(100 * c.limit)
				runs, waits = log.take()
				require.Empty(t, append(runs, waits...))
				close(release)
				time.Sleep(100 * c.limit)
				runs, waits = log.take()
				require.Empty(t, append(runs, waits...))
			})
		})
	}
}

// stallingHandler is the innermost function of a handler that stalls. Its name is looked
// for in stacks.
//
//go:noinline
func stallingHandler(release <-chan struct{}) { <-release }

// Contract 11: "OnStall is called once a run": once for each, that is, of the runs that are
// long enough.
func TestOnStallIsCalledOnceForEveryLongRun(t *testing.T) {
	guarded(t, func(t *testing.T) {
		var log stallLog
		w := openWheel(t, timerwheel.Options{OnStall: log.onStall})
		lasts := []time.Duration{0, 900 * time.Millisecond, 5 * time.Second, 10 * time.Millisecond, 2 * time.Second, 999 * time.Millisecond, time.Minute}
		n := 0
		tm := w.Alloc(func(tm timerwheel.Timer) {
			d := lasts[n]
			if n++; n < len(lasts) {
				assert.NoError(t, tm.Register(time.Millisecond))
			}
			time.Sleep(d)
		})
		require.NoError(t, tm.Register(0))
		// Two others stall meanwhile, one of a series in each of its runs.
		w.AfterFunc(time.Second, func() { time.Sleep(3 * time.Second) })
		series := w.Every(10*time.Second, func(timerwheel.Timer) { time.Sleep(2 * time.Second) })
		time.Sleep(55 * time.Second)
		require.True(t, series.Stop())
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, len(lasts), n)
		runs, waits := log.take()
		require.Empty(t, waits)
		reports := map[timerwheel.Timer]int{}
		for _, s := range runs {
			reports[s.Timer]++
		}
		require.Equal(t, 3, reports[tm])
		require.Equal(t, 5, reports[series])
		require.Len(t, runs, 9)
	})
}

// Contract 11: a wheel whose handlers are short has nothing to report, however many they
// are and however long it goes on.
func TestShortHandlersAreNotReported(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{OnStall: func(s timerwheel.Stall) { t.Errorf("reported: %+v", s) }})
		for range 20 {
			w.Every(10*time.Millisecond, func(timerwheel.Timer) { time.Sleep(7 * time.Millisecond) })
		}
		for i := range 100 {
			tm := w.AfterFunc(time.Duration(i)*100*time.Millisecond, func() { time.Sleep(990 * time.Millisecond) })
			w.AfterFunc(time.Duration(i)*100*time.Millisecond+5*time.Millisecond, func() { _, _ = tm.DelSync() })
		}
		time.Sleep(20 * time.Second)
	})
}

// stallingWaits are the deletions that wait, each called under a name that can be looked
// for in WaiterStack. DelAsync has no goroutine that waits.
var stallingWaits = map[string]struct {
	wait    func(g *timerwheel.Group, tm timerwheel.Timer) error
	noStack bool
}{
	"DelSync":  {wait: func(_ *timerwheel.Group, tm timerwheel.Timer) error { _, err := tm.DelSync(); return err }},
	"Shutdown": {wait: func(_ *timerwheel.Group, tm timerwheel.Timer) error { _, err := tm.ShutdownSync(); return err }},
	"DelSyncContext": {wait: func(_ *timerwheel.Group, tm timerwheel.Timer) error {
		_, err := tm.DelSyncContext(context.Background())
		return err
	}},
	"Group.DelSync":  {wait: func(g *timerwheel.Group, _ timerwheel.Timer) error { _, err := g.DelSync(); return err }},
	"Group.Shutdown": {wait: func(g *timerwheel.Group, _ timerwheel.Timer) error { _, err := g.ShutdownSync(); return err }},
	"Group.DelSyncContext": {wait: func(g *timerwheel.Group, _ timerwheel.Timer) error {
		_, err := g.DelSyncContext(context.Background())
		return err
	}},
	"DelAsync": {noStack: true, wait: func(_ *timerwheel.Group, tm timerwheel.Timer) error {
		done := make(chan struct{})
		tm.DelAsync(func() { close(done) })
		<-done
		return nil
	}},
}

// stallingWaiter calls f. Its name is looked for in stacks.
//
//go:noinline
func stallingWaiter(f func() error) error { return f() }

// Contract 2: OnStall is told of "a waiting deletion, that has lasted longer than
// StallAfter"; Contract 11: "once a wait"; Contract 12: "A DelAsync that waits counts … in
// Waiters, and OnStall reports it as a wait."
func TestOnStallReportsAWaitingDeletion(t *testing.T) {
	for name, c := range stallingWaits {
		t.Run(name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				var log stallLog
				w := openWheel(t, timerwheel.Options{OnStall: log.onStall})
				g := w.NewGroup()
				release := openedAtTheEnd(t)
				tm := armed(g.Alloc(func(timerwheel.Timer) { stallingHandler(release) }), 0)
				time.Sleep(30 * time.Second)
				runs, waits := log.take()
				require.Len(t, runs, 1)
				require.Empty(t, waits)

				since := time.Now()
				waiter := inBackground(func() { assert.NoError(t, stallingWaiter(func() error { return c.wait(g, tm) })) })
				time.Sleep(time.Second - time.Microsecond)
				runs, waits = log.take()
				require.Empty(t, append(runs, waits...), "the wait is younger than StallAfter, though the run is not")
				time.Sleep(time.Second + 10*time.Millisecond)
				runs, waits = log.take()
				require.Empty(t, runs, "once a run")
				require.Len(t, waits, 1)

				s := waits[0]
				require.Equal(t, tm, s.Timer)
				require.True(t, s.Since.Equal(since), "since %v, reported %v", since, s.Since)
				require.GreaterOrEqual(t, s.For, time.Second)
				require.LessOrEqual(t, s.For, 2*time.Second)
				require.Equal(t, 1, s.Waiters)
				require.Contains(t, s.Handler, "timerwheel_test.TestOnStallReportsAWaitingDeletion.")
				require.Regexp(t, `stall_test\.go:\d+`, s.Handler)
				require.Contains(t, s.HandlerStack, "timerwheel_test.stallingHandler(")
				if c.noStack {
					require.Empty(t, s.WaiterStack, "nobody waits for done")
				} else {
					require.Contains(t, s.WaiterStack, "timerwheel_test.stallingWaiter(")
					require.NotContains(t, s.WaiterStack, "timerwheel_test.stallingHandler(", "one goroutine's stack, not all")
				}
				require.NotContains(t, s.HandlerStack, "timerwheel_test.stallingWaiter(", "one goroutine's stack, not all")

				time.Sleep(time.Hour)
				runs, waits = log.take()
				require.Empty(t, append(runs, waits...), "once a wait")
				close(release)
				<-waiter
			})
		})
	}
}

// Contract 11: "once a wait": each of several waits for one run, and a wait for the next
// run again, that begins later.
func TestOnStallReportsEveryWaitOnce(t *testing.T) {
	guarded(t, func(t *testing.T) {
		var log stallLog
		w := openWheel(t, timerwheel.Options{OnStall: log.onStall})
		g := w.NewGroup()
		tm := g.Alloc(func(timerwheel.Timer) { time.Sleep(10 * time.Second) })
		for range 2 {
			require.NoError(t, tm.Register(0))
			time.Sleep(100 * time.Millisecond)
			var waiters sync.WaitGroup
			n := 0
			for name, c := range stallingWaits {
				if name == "Shutdown" || name == "Group.Shutdown" {
					continue // there shall be a second run
				}
				n++
				waiters.Go(func() { assert.NoError(t, c.wait(g, tm), name) })
			}
			time.Sleep(5 * time.Second)
			runs, waits := log.take()
			require.Len(t, runs, 1)
			require.Len(t, waits, n)
			for _, s := range waits {
				require.Equal(t, n, s.Waiters)
				require.Equal(t, tm, s.Timer)
			}
			waiters.Wait()
			runs, waits = log.take()
			require.Empty(t, append(runs, waits...))
		}
	})
}

// Contract 11: "once a wait", though it is for several runs, and they stall one after the
// other.
func TestOnStallReportsAWaitForSeveralRunsOnce(t *testing.T) {
	guarded(t, func(t *testing.T) {
		var log stallLog
		w := openWheel(t, timerwheel.Options{OnStall: log.onStall})
		g := w.NewGroup()
		for k := range 3 {
			g.AfterFunc(time.Duration(k)*300*time.Millisecond, func() { time.Sleep(10 * time.Second) })
		}
		time.Sleep(700 * time.Millisecond)
		for range 2 {
			go func() { _, _ = g.DelSync() }()
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(8 * time.Second)
		runs, waits := log.take()
		require.Len(t, runs, 3)
		require.Len(t, waits, 2)
		for _, s := range append(runs, waits...) {
			require.Equal(t, time.Second, s.For)
		}
	})
}

// Contract 2: Waiters in the report of a run: how many deletions wait for it by then.
func TestOnStallCountsTheWaitersOfARun(t *testing.T) {
	guarded(t, func(t *testing.T) {
		var log stallLog
		w := openWheel(t, timerwheel.Options{OnStall: log.onStall})
		tm := w.AfterFunc(0, func() { time.Sleep(1500 * time.Millisecond) })
		time.Sleep(900 * time.Millisecond)
		for range 3 {
			go func() { _, _ = tm.DelSync() }()
		}
		time.Sleep(time.Second)
		runs, waits := log.take()
		require.Len(t, runs, 1)
		require.Equal(t, 3, runs[0].Waiters)
		require.Empty(t, waits, "the waits lasted 0.6 s each")
	})
}

// Contract 2: a Stall has "the waiting goroutines' stacks": of each that waits, the oldest
// wait first, up to 32; a DelAsync has none. WaiterStack is that of the wait that is
// reported, or of the oldest.
func TestAStallHasTheStacksOfAllWhoWait(t *testing.T) {
	guarded(t, func(t *testing.T) {
		var log stallLog
		w := openWheel(t, timerwheel.Options{OnStall: log.onStall})
		release := openedAtTheEnd(t)
		g := w.NewGroup()
		tm := armed(g.Alloc(func(timerwheel.Timer) { <-release }), 0)
		time.Sleep(100 * time.Millisecond)
		var names []string // of the goroutines, in the order in which they begin to wait
		for k := range 40 {
			name := make(chan string, 1)
			tm.DelAsync(func() {})
			go func() {
				name <- goroutineName()
				if k%2 == 0 {
					_, _ = tm.DelSync()
				} else {
					_, _ = g.DelSync()
				}
			}()
			names = append(names, <-name)
			time.Sleep(time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		runs, waits := log.take()
		require.Len(t, runs, 1)
		require.Len(t, waits, 80)
		own := 0
		for _, s := range append(runs, waits...) {
			require.Len(t, s.WaiterStacks, 32)
			for k, stack := range s.WaiterStacks {
				require.Equal(t, names[k], strings.SplitN(stack, " [", 2)[0])
				require.Contains(t, stack, ".DelSync(")
				require.NotContains(t, stack, "\n\n", "one goroutine's stack")
			}
			require.Equal(t, 80, s.Waiters)
			if s.Kind == timerwheel.StalledDeletion && s.WaiterStack != "" {
				require.Contains(t, names, strings.SplitN(s.WaiterStack, " [", 2)[0])
				own++
			}
		}
		require.Equal(t, runs[0].WaiterStacks[0], runs[0].WaiterStack)
		require.Equal(t, 40, own)
		close(release)
	})
}

// Contract 2: a wait that was given up in time is none that has lasted; one that lasted
// longer and then gave up is.
func TestOnStallAndAWaitThatIsGivenUp(t *testing.T) {
	guarded(t, func(t *testing.T) {
		var log stallLog
		w := openWheel(t, timerwheel.Options{OnStall: log.onStall})
		release := openedAtTheEnd(t)
		tm := w.AfterFunc(0, func() { <-release })
		for _, c := range []struct {
			timeout time.Duration
			reports int
		}{{900 * time.Millisecond, 0}, {1900 * time.Millisecond, 1}} {
			time.Sleep(time.Minute)
			log.take()
			ctx, cancel := context.WithTimeout(t.Context(), c.timeout)
			_, err := tm.DelSyncContext(ctx)
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded)
			time.Sleep(time.Minute)
			runs, waits := log.take()
			require.Empty(t, runs)
			require.Len(t, waits, c.reports)
		}
		close(release)
	})
}

// Contract 2: with Debug a Stall says where the timer was allocated and registered, as
// file:line, of a run and of a wait.
func TestAStallSaysWhereTheTimerCameFrom(t *testing.T) {
	guarded(t, func(t *testing.T) {
		var log stallLog
		w := openWheel(t, timerwheel.Options{OnStall: log.onStall, Debug: true})
		release := openedAtTheEnd(t)
		handler := func(timerwheel.Timer) { <-release }
		type sites struct{ allocated, registered string }
		want := map[timerwheel.Timer]sites{}

		alloc, a := w.Alloc(handler), siteHere()
		require.NoError(t, alloc.Register(time.Hour))
		err, r := alloc.Register(0), siteHere()
		require.NoError(t, err)
		want[alloc] = sites{a, r}

		locked, a := w.AllocLocked(newDurableLock(), handler), siteHere()
		err, r = locked.RegisterAt(time.Now()), siteHere()
		require.NoError(t, err)
		want[locked] = sites{a, r}

		after, a := w.AfterFunc(0, func() { <-release }), siteHere()
		want[after] = sites{a, a}

		series, a := w.Every(time.Millisecond, handler), siteHere()
		want[series] = sites{a, a}

		g := w.NewGroup()
		member, a := g.Alloc(handler), siteHere()
		_, r = member.Reset(0), siteHere()
		want[member] = sites{a, r}

		joined, a := g.AfterFunc(0, func() { <-release }), siteHere()
		want[joined] = sites{a, a}

		time.Sleep(100 * time.Millisecond)
		require.Len(t, w.Running(), len(want))
		for tm := range want {
			go func() { _, _ = tm.DelSync() }()
		}
		time.Sleep(10 * time.Second)
		runs, waits := log.take()
		require.Len(t, runs, len(want))
		require.Len(t, waits, len(want))
		for _, s := range append(runs, waits...) {
			requireSite(t, want[s.Timer].allocated, s.AllocatedAt)
			requireSite(t, want[s.Timer].registered, s.RegisteredAt)
		}
		close(release)
	})
}

// Contract 2: "Handler: the handler's function, file:line": for each way to give one.
func TestAStallNamesTheHandler(t *testing.T) {
	for _, kind := range timerKinds {
		t.Run(kind.name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				reports := make(chan timerwheel.Stall, 10)
				w := openWheel(t, timerwheel.Options{OnStall: func(s timerwheel.Stall) { reports <- s }})
				tm := kind.arm(w, newDurableLock(), time.Second, namedHandler)
				s := <-reports
				require.Equal(t, tm, s.Timer)
				want := "timerwheel_test.namedHandler"
				if kind.name == "AfterFunc" {
					want = "timerwheel_test.init" // the function literal in timerKinds
				}
				require.Contains(t, s.Handler, want)
				require.Regexp(t, `_test\.go:\d+`, s.Handler)
				require.Contains(t, s.HandlerStack, "timerwheel_test.namedHandler(")
			})
		})
	}
}

// A stall names the function that takes the argument.
func TestAfterFuncArgIsNamedByAStall(t *testing.T) {
	for _, debug := range []bool{false, true} {
		guarded(t, func(t *testing.T) {
			stalls := make(chan timerwheel.Stall, 1)
			w, err := timerwheel.New(timerwheel.Options{Debug: debug, OnStall: func(s timerwheel.Stall) { stalls <- s }})
			require.NoError(t, err)
			w.AfterFuncArg(0, sleepArg, time.Minute)
			s := <-stalls
			require.True(t, strings.Contains(s.Handler, "sleepArg"), s.Handler)
			require.NoError(t, w.Close())
		})
	}
}

func sleepArg(d any) { time.Sleep(d.(time.Duration)) }

// Contract 11: "When all are blocked, due timers wait … and OnStall say[s] so": no worker
// is needed to report.
func TestOnStallReportsWhenAllWorkersAreBlocked(t *testing.T) {
	for _, workers := range []int{1, 2, 7} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				var log stallLog
				w := openWheel(t, timerwheel.Options{MaxWorkers: workers, OnStall: log.onStall})
				release := openedAtTheEnd(t)
				var first timerwheel.Timer
				for range workers {
					first = w.AfterFunc(0, func() { <-release })
				}
				time.Sleep(100 * time.Millisecond)
				for range 10 {
					w.AfterFunc(0, func() {})
				}
				time.Sleep(2 * time.Second)
				runs, waits := log.take()
				require.Len(t, runs, workers)
				require.Empty(t, waits)
				deleted := inBackground(func() { _, err := first.DelSync(); assert.NoError(t, err) })
				time.Sleep(2 * time.Second)
				runs, waits = log.take()
				require.Empty(t, runs)
				require.Len(t, waits, 1)
				require.Equal(t, workers, w.Stats().Running)
				require.Equal(t, 10, w.Stats().Pending)
				close(release)
				<-deleted
			})
		})
	}
}

// Contract 4: what cannot be seen as a circle, "OnStall reports": the deleter holds the
// mutex that the handler wants.
func TestOnStallReportsADeadlockThroughTheUsersLock(t *testing.T) {
	guarded(t, func(t *testing.T) {
		var log stallLog
		w, mu := openWheel(t, timerwheel.Options{OnStall: log.onStall}), newDurableLock()
		tm := w.AfterFunc(10*time.Millisecond, func() {
			mu.Lock()
			defer mu.Unlock()
		})
		mu.Lock()
		time.Sleep(20 * time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := tm.DelSyncContext(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		runs, waits := log.take()
		require.Len(t, runs, 1)
		require.Len(t, waits, 1)
		require.Contains(t, waits[0].HandlerStack, "durableLock.Lock")
		require.Contains(t, waits[0].WaiterStack, "TestOnStallReportsADeadlockThroughTheUsersLock")
		mu.Unlock()
	})
}

// Contract 4: circles "through two wheels, through a goroutine that the handler started, or
// through the user's own lock cannot be seen from here": "OnStall reports them", with both
// sides of the wait. The third has a test beside the others of OnStall.
func TestOnStallReportsCirclesThatCannotBeSeen(t *testing.T) {
	for _, far := range []bool{true, false} {
		name := map[bool]string{true: "two wheels", false: "a goroutine that the handler started"}[far]
		t.Run(name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				var log stallLog
				w := openWheel(t, timerwheel.Options{OnStall: log.onStall})
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // or the test would not end
				defer cancel()
				wait := func(tm timerwheel.Timer) {
					if _, err := tm.DelSyncContext(ctx); err != nil { // the first to give up frees the other
						assert.ErrorIs(t, err, context.DeadlineExceeded)
					}
				}
				var a, b timerwheel.Timer
				stalled := map[timerwheel.Timer]bool{}
				if far {
					other := openWheel(t, timerwheel.Options{OnStall: log.onStall})
					both := make(chan struct{})
					a = w.Alloc(func(timerwheel.Timer) { <-both; wait(b) })
					b = other.Alloc(func(timerwheel.Timer) { <-both; wait(a) })
					armed(a, 0)
					armed(b, 0)
					stalled[a], stalled[b] = true, true
					time.Sleep(10 * time.Millisecond)
					close(both)
				} else {
					a = w.Alloc(func(timerwheel.Timer) { <-inBackground(func() { wait(a) }) })
					armed(a, 0)
					stalled[a] = true
				}
				time.Sleep(30 * time.Second)
				runs, waits := log.take()
				require.Len(t, runs, len(stalled))
				require.Len(t, waits, len(stalled))
				for _, s := range append(runs, waits...) {
					require.True(t, stalled[s.Timer])
					require.Equal(t, 1, s.Waiters)
				}
				for _, s := range waits {
					require.Contains(t, s.HandlerStack, "TestOnStallReportsCirclesThatCannotBeSeen")
					require.Contains(t, s.WaiterStack, "DelSyncContext")
				}
				time.Sleep(time.Minute)
			})
		})
	}
}

// Contract 11: OnStall is called "on a goroutine of its own, and may block": one that never
// returns hinders neither the timers nor the next report.
func TestOnStallMayBlock(t *testing.T) {
	guarded(t, func(t *testing.T) {
		resume := openedAtTheEnd(t)
		var calls atomic.Int32
		var mu sync.Mutex
		on := map[string]bool{}
		w := openWheel(t, timerwheel.Options{MaxWorkers: 5, OnStall: func(timerwheel.Stall) {
			mu.Lock()
			on[goroutineName()] = true
			mu.Unlock()
			calls.Add(1)
			<-resume
		}})
		var ran, late atomic.Int32
		var handlers sync.Map
		for i := range 4 {
			w.AfterFunc(time.Duration(i)*500*time.Millisecond, func() {
				handlers.Store(goroutineName(), true)
				time.Sleep(time.Minute)
			})
		}
		begin := time.Now()
		for i := range 1000 {
			due := time.Duration(i) * 10 * time.Millisecond
			w.AfterFunc(due, func() {
				ran.Add(1)
				if time.Since(begin)-due > 2*time.Millisecond {
					late.Add(1)
				}
			})
		}
		time.Sleep(30 * time.Second)
		require.EqualValues(t, 4, calls.Load())
		require.Len(t, on, 4, "each on a goroutine of its own")
		handlers.Range(func(name, _ any) bool {
			require.NotContains(t, on, name)
			return true
		})
		require.EqualValues(t, 1000, ran.Load())
		require.Zero(t, late.Load())
		close(resume)
	})
}

// Contract 11: OnStall "may … call anything".
func TestOnStallMayCallAnything(t *testing.T) {
	calls := map[string]func(t *testing.T, w *timerwheel.Wheel, s timerwheel.Stall){
		"Close": func(t *testing.T, w *timerwheel.Wheel, s timerwheel.Stall) {
			assert.ErrorIs(t, w.Close(), timerwheel.ErrDeadlock)
			assert.ErrorIs(t, s.Timer.Register(0), timerwheel.ErrClosed)
		},
		"Shutdown": func(t *testing.T, w *timerwheel.Wheel, _ timerwheel.Stall) {
			assert.ErrorIs(t, w.CloseContext(context.Background()), timerwheel.ErrDeadlock)
		},
		"Register": func(t *testing.T, _ *timerwheel.Wheel, s timerwheel.Stall) { assert.NoError(t, s.Timer.Register(0)) },
		"Del": func(t *testing.T, _ *timerwheel.Wheel, s timerwheel.Stall) {
			found := s.Timer.Del()
			assert.Equal(t, timerwheel.Found{Running: true}, found)
		},
		"DelAsync": func(t *testing.T, _ *timerwheel.Wheel, s timerwheel.Stall) {
			found := s.Timer.DelAsync(func() { assert.False(t, s.Timer.Running()) })
			assert.Equal(t, timerwheel.Found{Running: true}, found)
			assert.ErrorIs(t, s.Timer.Register(0), timerwheel.ErrDeleting)
		},
		"DelSync": func(t *testing.T, _ *timerwheel.Wheel, s timerwheel.Stall) {
			found, err := s.Timer.DelSync()
			assert.NoError(t, err, "OnStall is not the handler: it waits for it")
			assert.Equal(t, timerwheel.Found{Running: true}, found)
			assert.False(t, s.Timer.Running())
		},
		"DelSyncContext": func(t *testing.T, _ *timerwheel.Wheel, s timerwheel.Stall) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
			defer cancel()
			found, err := s.Timer.DelSyncContext(ctx)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, timerwheel.Found{Running: true}, found)
		},
		"Free": func(t *testing.T, _ *timerwheel.Wheel, s timerwheel.Stall) {
			assert.NoError(t, s.Timer.Free())
			assert.True(t, s.Timer.Valid(), "a worker holds it")
		},
		"new timers": func(t *testing.T, w *timerwheel.Wheel, _ timerwheel.Stall) {
			fired := make(chan struct{})
			w.AfterFunc(time.Millisecond, func() { close(fired) })
			<-fired
		},
		"questions": func(t *testing.T, w *timerwheel.Wheel, s timerwheel.Stall) {
			if running := w.Running(); assert.Len(t, running, 1) {
				assert.Equal(t, s.Timer, running[0].Timer)
				assert.True(t, s.Since.Equal(running[0].Since))
			}
			assert.Equal(t, 1, w.Stats().Running)
			assert.True(t, s.Timer.Running())
		},
		"Goexit": func(*testing.T, *timerwheel.Wheel, timerwheel.Stall) { runtime.Goexit() },
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				var w *timerwheel.Wheel
				var called atomic.Int32
				w = openWheel(t, timerwheel.Options{OnStall: func(s timerwheel.Stall) {
					if s.Kind == timerwheel.StalledHandler { // DelSync and DelAsync below wait long enough for reports of their own
						called.Add(1)
						call(t, w, s)
					}
				}})
				tm := w.Alloc(func(timerwheel.Timer) { time.Sleep(10 * time.Second) })
				require.NoError(t, tm.Register(0))
				time.Sleep(5 * time.Second)
				require.EqualValues(t, 1, called.Load())
				_, err := tm.DelSync()
				require.NoError(t, err)
				require.NoError(t, w.Close())
				countsAddUp(t, w)
			})
		})
	}
}

// Contract 2 says "a handler", and makes no exception of a closed wheel: the handler that
// keeps a Close waiting is just the one to hear of.
func TestOnStallNamesTheHandlerThatKeepsCloseWaiting(t *testing.T) {
	guarded(t, func(t *testing.T) {
		var log stallLog
		w := openWheel(t, timerwheel.Options{OnStall: log.onStall})
		tm := w.AfterFunc(0, func() { time.Sleep(10 * time.Second) })
		time.Sleep(100 * time.Millisecond)
		require.NoError(t, w.Close())
		runs, waits := log.take()
		require.Len(t, runs, 1)
		require.Equal(t, tm, runs[0].Timer)
		require.Empty(t, waits)
	})
}

// Contract 11: nor does it cost a wake-up where handlers are quick: the alarm rings for
// what is due, and not once more for what might have stalled.
func TestWatchingForStallsWakesNoWheelWhoseHandlersAreQuick(t *testing.T) {
	ringing := func(t *testing.T, o timerwheel.Options) (n uint64) {
		guarded(t, func(t *testing.T) {
			w := openWheel(t, o)
			series := w.Every(10*time.Millisecond, func(timerwheel.Timer) {})
			time.Sleep(time.Second)
			var ok bool
			if n, ok = wakeUps(10 * time.Second); !ok {
				t.Skip("this Go does not count goroutines")
			}
			series.Stop()
		})
		return n
	}
	plain := ringing(t, timerwheel.Options{})
	for _, after := range []time.Duration{time.Millisecond, 15 * time.Millisecond, time.Second} { // between two runs, between the next two, much later
		watched := ringing(t, timerwheel.Options{OnStall: func(s timerwheel.Stall) { t.Errorf("reported: %v", s) }, StallAfter: after})
		require.LessOrEqual(t, watched, plain+20, "StallAfter %v", after)
	}
}

// Contract 11 on real goroutines, for the race detector: reports, which read other
// goroutines' runs and waits, while runs and waits end.
func TestOnStallAmongRealGoroutines(t *testing.T) {
	var runs, waits atomic.Int32
	w := openWheel(t, timerwheel.Options{MaxWorkers: 4, Debug: true, StallAfter: time.Millisecond, OnStall: func(s timerwheel.Stall) {
		if s.Kind == timerwheel.StalledDeletion {
			waits.Add(1)
		} else {
			runs.Add(1)
		}
		assert.GreaterOrEqual(t, s.For, time.Millisecond)
		assert.NotEmpty(t, s.Handler)
		assert.NotEmpty(t, s.AllocatedAt)
		s.Timer.Pending()
	}})
	end := time.Now().Add(closeStorm() / 2)
	var loops sync.WaitGroup
	for i := range 4 {
		loops.Go(func() {
			g := w.NewGroup()
			tm := g.Alloc(func(timerwheel.Timer) { <-time.After(time.Duration(i) * time.Millisecond) })
			for n := 0; time.Now().Before(end); n++ {
				_ = tm.Register(0)
				<-time.After(500 * time.Microsecond)
				switch n % 4 {
				case 0:
					_, err := tm.DelSync()
					assert.NoError(t, err)
				case 1:
					_, err := g.DelSync()
					assert.NoError(t, err)
				case 2:
					tm.DelAsync(func() {})
				}
			}
		})
	}
	loops.Wait()
	require.NoError(t, w.Close())
	require.Positive(t, runs.Load())
	require.Positive(t, waits.Load())
	require.LessOrEqual(t, uint64(runs.Load()), w.Stats().Fired)
	require.LessOrEqual(t, uint64(waits.Load()), w.Stats().SyncWaits)
	countsAddUp(t, w)
}

// A StallAfter that means never is not mistaken for long ago.
func TestStallAfterNever(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{OnStall: func(timerwheel.Stall) { t.Error("stalled") }, StallAfter: math.MaxInt64})
		stop := make(chan struct{})
		w.AfterFunc(time.Millisecond, func() { <-stop })
		time.Sleep(10 * time.Millisecond)
		fired := make(chan struct{})
		w.AfterFunc(time.Millisecond, func() { close(fired) })
		<-fired // or the bubble is deadlocked
		close(stop)
		require.NoError(t, w.Close())
	})
}

// A handler that begins shortly before another has stalled does not put off the
// report of that.
func TestAStallIsReportedInTimeWhateverElseBegins(t *testing.T) {
	guarded(t, func(t *testing.T) {
		reports := make(chan timerwheel.Stall, 2)
		w := openWheel(t, timerwheel.Options{OnStall: func(s timerwheel.Stall) { reports <- s }, StallAfter: time.Hour})
		stop := make(chan struct{})
		w.AfterFunc(0, func() { <-stop })
		w.AfterFunc(59*time.Minute, func() { <-stop })
		require.Equal(t, time.Hour, (<-reports).For)
		require.Equal(t, time.Hour, (<-reports).For)
		close(stop)
		require.NoError(t, w.Close())
	})
}
