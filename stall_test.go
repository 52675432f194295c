package timerwheel_test

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stallLog gathers the reports of OnStall.
type stallLog struct {
	mu   sync.Mutex
	seen []timerwheel.Stall
}

func (l *stallLog) onStall(s timerwheel.Stall) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = append(l.seen, s)
}

// takes checks how many reports of a kind there have been since the last call, and returns them.
func (l *stallLog) takes(t *testing.T, kind timerwheel.StallKind, n int) (of []timerwheel.Stall) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = slices.DeleteFunc(l.seen, func(s timerwheel.Stall) bool {
		if s.Kind == kind {
			of = append(of, s)
		}
		return s.Kind == kind
	})
	require.Len(t, of, n)
	return of
}

// requires checks how many reports of handlers, and of waits, there have been since the last call, and
// returns them. There must be none of another kind.
func (l *stallLog) requires(t *testing.T, runs, waits int) (ofRuns, ofWaits []timerwheel.Stall) {
	t.Helper()
	ofRuns, ofWaits = l.takes(t, timerwheel.StalledHandler, runs), l.takes(t, timerwheel.StalledDeletion, waits)
	l.mu.Lock()
	defer l.mu.Unlock()
	require.Empty(t, l.seen)
	return ofRuns, ofWaits
}

// requireStall checks a report of a stallingHandler that the calling test has made: of its run, or of
// a wait for it.
func requireStall(t *testing.T, s timerwheel.Stall, tm timerwheel.Timer, since time.Time, limit time.Duration, waiters int) {
	t.Helper()
	test, _, _ := strings.Cut(t.Name(), "/")
	require.Equal(t, tm, s.Timer)
	require.True(t, s.Since.Equal(since), "since %v, reported %v", since, s.Since)
	require.GreaterOrEqual(t, s.For, limit)
	require.LessOrEqual(t, s.For, 2*limit)
	require.Equal(t, waiters, s.Waiters)
	require.Contains(t, s.Handler, "timerwheel_test."+test+".")
	require.Regexp(t, `stall_test\.go:\d+`, s.Handler)
	require.Contains(t, s.HandlerStack, "timerwheel_test.stallingHandler(", "where the handler is now")
	require.Contains(t, s.HandlerStack, "timerwheel_test."+test+".")
	require.NotContains(t, s.HandlerStack, "timerwheel_test.stallingWaiter(", "one goroutine's stack, not all")
	require.Empty(t, s.AllocatedAt, "only with Debug")
	require.Empty(t, s.RegisteredAt, "only with Debug")
}

// Promises 2.8, 2.9, 2.31 and 11.9: also on a closed wheel, where the handler keeps Close waiting.
func TestOnStallReportsAHandler(t *testing.T) {
	for _, c := range []struct {
		after, limit time.Duration
		closed       bool
	}{
		{0, time.Second, false}, {time.Second, time.Second, false}, {time.Second, time.Second, true},
		{50 * time.Millisecond, 50 * time.Millisecond, false}, {time.Hour, time.Hour, false},
	} {
		var log stallLog
		bubble(t, fmt.Sprintf("%v/closed %v", c.after, c.closed), timerwheel.Options{OnStall: log.onStall, StallAfter: c.after}, func(t *testing.T, w *timerwheel.Wheel) {
			var since time.Time
			release := openedAtTheEnd(t)
			tm := armed(w.Alloc(func(timerwheel.Timer) {
				since = time.Now()
				stallingHandler(release)
			}), 10*time.Millisecond)
			elapse(10 * time.Millisecond)
			var closed <-chan struct{}
			if c.closed {
				closed = inBackground(func() { assert.NoError(t, w.Close()) })
			}
			elapse(c.limit - time.Microsecond)
			require.False(t, closed != nil && isClosed(closed))
			log.requires(t, 0, 0) // not before StallAfter has passed
			elapse(c.limit + 10*time.Millisecond)
			runs, _ := log.requires(t, 1, 0)
			requireStall(t, runs[0], tm, since, c.limit, 0)
			elapse(100 * c.limit)
			log.requires(t, 0, 0) // once a run, however long it is
			close(release)
			elapse(100 * c.limit)
			log.requires(t, 0, 0)
		})
	}
}

// stallingHandler is the innermost function of a handler that stalls. Its name is looked
// for in stacks.
//
//go:noinline
func stallingHandler(release <-chan struct{}) { <-release }

// Promises 2.8 and 11.10: once for each of the runs that are long enough, and never for shorter runs and
// waits, however many there are, and however long it goes on.
func TestOnStallIsCalledOnceForEveryLongRun(t *testing.T) {
	var log stallLog
	bubble(t, "", timerwheel.Options{OnStall: log.onStall}, func(t *testing.T, w *timerwheel.Wheel) {
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
		// Two others stall as well, one of a series in each of its runs.
		w.AfterFunc(time.Second, func() { time.Sleep(3 * time.Second) })
		series := w.Every(10*time.Second, func(timerwheel.Timer) { time.Sleep(2 * time.Second) })
		short := w.NewGroup()
		for range 20 {
			short.Every(10*time.Millisecond, func(timerwheel.Timer) { time.Sleep(7 * time.Millisecond) })
		}
		for i := range 100 {
			tm := w.AfterFunc(time.Duration(i)*100*time.Millisecond, func() { time.Sleep(990 * time.Millisecond) })
			w.AfterFunc(time.Duration(i)*100*time.Millisecond+5*time.Millisecond, func() { _, _ = tm.DelSync() })
		}
		time.Sleep(20 * time.Second)
		short.Del()
		time.Sleep(35 * time.Second)
		require.True(t, series.Stop())
		elapse(time.Hour)
		require.Equal(t, len(lasts), n)
		runs, _ := log.requires(t, 9, 0)
		reports := map[timerwheel.Timer]int{}
		for _, s := range runs {
			reports[s.Timer]++
		}
		require.Equal(t, 3, reports[tm])
		require.Equal(t, 5, reports[series])
	})
}

// stallingWaits are the deletions of a member that wait, and DelAsync, for which no goroutine waits.
var stallingWaits = append(memberVerbs.waiting(), deletionVerb[member]{name: "DelAsync", call: func(m member) (timerwheel.Found, error) {
	done := make(chan struct{})
	defer func() { <-done }()
	return m.DelAsync(func() { close(done) }), nil
}})

// stallingWaiter calls f. Its name is looked for in stacks.
//
//go:noinline
func stallingWaiter(f func() (timerwheel.Found, error)) (timerwheel.Found, error) { return f() }

// Promises 2.8, 2.31 and 12.6.
func TestOnStallReportsAWaitingDeletion(t *testing.T) {
	for _, verb := range stallingWaits {
		var log stallLog
		bubble(t, verb.name, timerwheel.Options{OnStall: log.onStall}, func(t *testing.T, w *timerwheel.Wheel) {
			g := w.NewGroup()
			release := openedAtTheEnd(t)
			tm := armed(g.Alloc(func(timerwheel.Timer) { stallingHandler(release) }), 0)
			elapse(30 * time.Second)
			log.requires(t, 1, 0)

			since := time.Now()
			waiter := deleting(func() (timerwheel.Found, error) { return stallingWaiter(verb.on(member{tm, g})) })
			elapse(time.Second - time.Microsecond)
			log.requires(t, 0, 0) // the wait is younger than StallAfter, though the run is not
			elapse(time.Second + 10*time.Millisecond)
			_, waits := log.requires(t, 0, 1)
			requireStall(t, waits[0], tm, since, time.Second, 1)
			if stack := waits[0].WaiterStack; verb.syncs {
				require.Contains(t, stack, "timerwheel_test.stallingWaiter(")
				require.NotContains(t, stack, "timerwheel_test.stallingHandler(", "one goroutine's stack, not all")
			} else {
				require.Empty(t, stack, "no goroutine waits for done")
			}
			elapse(time.Hour)
			log.requires(t, 0, 0) // once a wait
			close(release)
			waiter.requires(t, foundRunning, nil)
		})
	}
}

// Promises 11.10 and 12.6: each of several waits for one run, and again each wait for the next run.
func TestOnStallReportsEveryWaitOnce(t *testing.T) {
	var log stallLog
	bubble(t, "", timerwheel.Options{OnStall: log.onStall}, func(t *testing.T, w *timerwheel.Wheel) {
		g := w.NewGroup()
		tm := g.Alloc(func(timerwheel.Timer) { time.Sleep(10 * time.Second) })
		for range 2 {
			startRun(t, tm)
			var waiters []*deletion
			for _, verb := range stallingWaits {
				if !verb.shuts { // there shall be a second run
					waiters = append(waiters, deleting(verb.on(member{tm, g})))
				}
			}
			elapse(5 * time.Second)
			_, waits := log.requires(t, 1, len(waiters))
			for _, s := range waits {
				require.Equal(t, len(waiters), s.Waiters)
				require.Equal(t, tm, s.Timer)
			}
			elapse(5 * time.Second)
			for _, c := range waiters {
				c.requires(t, foundRunning, nil)
			}
			log.requires(t, 0, 0)
		}
	})
}

// Promises 2.8 and 11.10: a wait for several runs that stall one after the other is reported once. A
// handler that begins shortly before another has stalled delays no report.
func TestOnStallReportsAWaitForSeveralRunsOnce(t *testing.T) {
	var log stallLog
	bubble(t, "", timerwheel.Options{OnStall: log.onStall, StallStacks: -1}, func(t *testing.T, w *timerwheel.Wheel) {
		g := w.NewGroup()
		for k := range 3 {
			g.AfterFunc(time.Duration(k)*300*time.Millisecond, func() { time.Sleep(10 * time.Second) })
		}
		w.AfterFunc(990*time.Millisecond, func() { time.Sleep(10 * time.Second) })
		time.Sleep(700 * time.Millisecond)
		for range 2 {
			go func() { _, _ = g.DelSync() }()
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(8 * time.Second)
		runs, waits := log.requires(t, 4, 2)
		for _, s := range append(runs, waits...) {
			require.Equal(t, time.Second, s.For)
		}
	})
}

// Promise 2.31: the report of a run counts its waits, though none has stalled. The oldest wait comes
// first, up to 32; a DelAsync has no stack. WaiterStack is of the wait that is reported, or the oldest.
func TestAStallHasTheStackOfEachWaiter(t *testing.T) {
	var log stallLog
	bubble(t, "", timerwheel.Options{OnStall: log.onStall}, func(t *testing.T, w *timerwheel.Wheel) {
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
		runs, waits := log.requires(t, 1, 80)
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

// Promise 2.8: a wait that was given up in time has not lasted; one that lasted longer and then
// gave up has.
func TestOnStallAndAWaitThatIsGivenUp(t *testing.T) {
	var log stallLog
	bubble(t, "", timerwheel.Options{OnStall: log.onStall}, func(t *testing.T, w *timerwheel.Wheel) {
		p := newPuppet(t)
		tm := w.Alloc(p.handle)
		startRun(t, tm)
		elapse(time.Minute)
		log.requires(t, 1, 0)
		for _, c := range []struct {
			timeout time.Duration
			reports int
		}{{900 * time.Millisecond, 0}, {1900 * time.Millisecond, 1}} {
			ctx, cancel := context.WithTimeout(t.Context(), c.timeout)
			_, err := tm.DelSyncContext(ctx)
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded)
			elapse(time.Minute)
			log.requires(t, 0, c.reports)
		}
	})
}

// Promises 2.10 and 2.31, of a run and of a wait.
func TestAStallSaysWhereTheTimerCameFrom(t *testing.T) {
	var log stallLog
	bubble(t, "", timerwheel.Options{OnStall: log.onStall, Debug: true}, func(t *testing.T, w *timerwheel.Wheel) {
		release := openedAtTheEnd(t)
		want := map[timerwheel.Timer]*sitedTimer{}
		for _, origin := range origins {
			s := &sitedTimer{w: w, f: func(timerwheel.Timer) { <-release }}
			origin.arm(s)
			want[s.tm] = s
		}
		elapse(100 * time.Millisecond)
		require.Len(t, w.Running(), len(origins))
		for tm := range want {
			deleting(tm.DelSync)
		}
		elapse(10 * time.Second)
		runs, waits := log.requires(t, len(want), len(want))
		for _, s := range append(runs, waits...) {
			want[s.Timer].requireSites(t, s.AllocatedAt, s.RegisteredAt)
		}
	})
}

// Promises 2.31 and 2.42: the handler's function, for each way to give one.
func TestAStallNamesTheHandler(t *testing.T) {
	named := func(name string, debug bool, want string, arm func(w *timerwheel.Wheel) timerwheel.Timer) {
		var log stallLog
		bubble(t, name, timerwheel.Options{Debug: debug, OnStall: log.onStall}, func(t *testing.T, w *timerwheel.Wheel) {
			tm := arm(w)
			elapse(5 * time.Second)
			runs, _ := log.requires(t, 1, 0)
			require.Equal(t, tm, runs[0].Timer)
			require.Contains(t, runs[0].Handler, want)
			require.Regexp(t, `_test\.go:\d+`, runs[0].Handler)
			require.Contains(t, runs[0].HandlerStack, "timerwheel_test.namedHandler(")
		})
	}
	for _, kind := range timerKinds {
		want := "timerwheel_test.namedHandler"
		if kind.name == "AfterFunc" {
			want = "timerwheel_test.init" // the function literal in timerKinds
		}
		named(kind.name, false, want, func(w *timerwheel.Wheel) timerwheel.Timer {
			return kind.arm(w, newDurableLock(), time.Second, namedHandler)
		})
	}
	for _, debug := range []bool{false, true} {
		named(fmt.Sprintf("AfterFuncArg/debug %v", debug), debug, "timerwheel_test.handlerOfAny", func(w *timerwheel.Wheel) timerwheel.Timer {
			return w.AfterFuncArg(0, handlerOfAny, 7)
		})
	}
}

func handlerOfAny(any) { namedHandler(timerwheel.Timer{}) }

// Promise 11.9: no worker is needed to report.
func TestOnStallReportsWhenAllWorkersAreBlocked(t *testing.T) {
	for _, workers := range []int{1, 2, 7} {
		var log stallLog
		bubble(t, fmt.Sprint(workers), timerwheel.Options{MaxWorkers: workers, OnStall: log.onStall}, func(t *testing.T, w *timerwheel.Wheel) {
			p := newPuppet(t)
			var tm timerwheel.Timer
			for range workers {
				tm = w.Alloc(p.handle)
				startRun(t, tm)
			}
			for range 10 {
				w.AfterFunc(0, func() {})
			}
			elapse(2 * time.Second)
			log.takes(t, timerwheel.Saturated, 1)
			log.requires(t, workers, 0)
			deleted := deleting(tm.DelSync)
			elapse(2 * time.Second)
			log.requires(t, 0, 1)
			require.Equal(t, workers, w.Stats().Running)
			require.Equal(t, 10, w.Stats().Pending)
			p.let()
			deleted.requires(t, foundRunning, nil)
		})
	}
}

// Promise 4.31, with both sides of the wait.
func TestOnStallReportsCirclesThatCannotBeSeen(t *testing.T) {
	for _, c := range []struct{ name, hangs string }{ // in the stack of the handler
		{"two wheels", "DelSyncContext"},
		{"a goroutine that the handler started", "chan receive"},
		{"the user's lock", "durableLock.Lock"},
	} {
		var log stallLog
		o := timerwheel.Options{OnStall: log.onStall}
		bubble(t, c.name, o, func(t *testing.T, w *timerwheel.Wheel) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // or the test would not end
			defer cancel()
			del := func(tm timerwheel.Timer) func() (timerwheel.Found, error) {
				return func() (timerwheel.Found, error) { return tm.DelSyncContext(ctx) }
			}
			a, pa := newRun(t, w)
			stalled := []timerwheel.Timer{a}
			var waiters []*deletion
			switch c.name {
			case "two wheels":
				b, pb := newRun(t, openWheel(t, o))
				stalled = append(stalled, b)
				waiters = append(waiters, pa.call(del(b)), pb.call(del(a)))
			case "a goroutine that the handler started":
				pa.do <- func() {
					waiters = append(waiters, deleting(del(a)))
					<-waiters[0].done
				}
			case "the user's lock":
				mu := newDurableLock()
				mu.Lock()
				pa.do <- mu.Lock
				waiters = append(waiters, deleting(del(a)))
				go func() {
					<-waiters[0].done
					mu.Unlock()
				}()
			}
			elapse(30 * time.Second)
			runs, waits := log.requires(t, len(stalled), len(stalled))
			for _, s := range append(runs, waits...) {
				require.Contains(t, stalled, s.Timer)
				require.Equal(t, 1, s.Waiters)
				require.Contains(t, s.HandlerStack, "timerwheel_test.(*puppet).handle")
				require.Contains(t, s.HandlerStack, c.hangs)
				require.Contains(t, s.WaiterStack, "TestOnStallReportsCirclesThatCannotBeSeen")
				require.Contains(t, s.WaiterStack, "DelSyncContext")
			}
			elapse(time.Minute)
			for _, c := range waiters {
				c.requires(t, foundRunning, context.DeadlineExceeded)
			}
		})
	}
}

// Promise 11.11: an OnStall that never returns hinders neither the timers nor the next report.
func TestOnStallMayBlock(t *testing.T) {
	guarded(t, func(t *testing.T) {
		resume := openedAtTheEnd(t)
		var calls, ran atomic.Int32
		var goroutines sync.Map
		isNew := func() {
			_, known := goroutines.LoadOrStore(goroutineName(), true)
			assert.False(t, known, "each on a goroutine of its own")
		}
		w := openWheel(t, timerwheel.Options{MaxWorkers: 5, OnStall: func(timerwheel.Stall) {
			isNew()
			calls.Add(1)
			<-resume
		}})
		for i := range 4 {
			w.AfterFunc(time.Duration(i)*500*time.Millisecond, func() {
				isNew()
				time.Sleep(time.Minute)
			})
		}
		begin := time.Now()
		for i := range 1000 {
			due := time.Duration(i) * 10 * time.Millisecond
			w.AfterFunc(due, func() {
				ran.Add(1)
				assert.LessOrEqual(t, time.Since(begin)-due, 2*time.Millisecond)
			})
		}
		time.Sleep(30 * time.Second)
		require.EqualValues(t, 4, calls.Load())
		require.EqualValues(t, 1000, ran.Load())
		close(resume)
	})
}

// Promises 11.12 and 11.14.
func TestOnStallMayCallAnything(t *testing.T) {
	calls := map[string]func(t *testing.T, w *timerwheel.Wheel, m member){
		"Close": func(t *testing.T, w *timerwheel.Wheel, m member) {
			assert.ErrorIs(t, w.Close(), timerwheel.ErrDeadlock)
			assert.ErrorIs(t, m.Register(0), timerwheel.ErrClosed)
		},
		"CloseContext": func(t *testing.T, w *timerwheel.Wheel, _ member) {
			assert.ErrorIs(t, w.CloseContext(context.Background()), timerwheel.ErrDeadlock)
		},
		"Register": func(t *testing.T, _ *timerwheel.Wheel, m member) {
			assert.NoError(t, m.Register(0))
		},
		"DelAsync and Register": func(t *testing.T, _ *timerwheel.Wheel, m member) {
			assert.Equal(t, foundRunning, m.DelAsync(func() { assert.False(t, m.Running()) }))
			assert.ErrorIs(t, m.Register(0), timerwheel.ErrDeleting)
		},
		"DelSyncContext, in vain": func(t *testing.T, _ *timerwheel.Wheel, m member) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
			defer cancel()
			found, err := m.DelSyncContext(ctx)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, foundRunning, found)
		},
		"Free": func(t *testing.T, _ *timerwheel.Wheel, m member) {
			assert.NoError(t, m.Free())
			assert.True(t, m.Valid(), "a worker holds it")
		},
		"new timers": func(t *testing.T, w *timerwheel.Wheel, _ member) {
			fired := make(chan struct{})
			w.AfterFunc(time.Millisecond, func() { close(fired) })
			<-fired
		},
		"questions": func(t *testing.T, w *timerwheel.Wheel, m member) {
			if running := w.Running(); assert.Len(t, running, 1) {
				assert.Equal(t, m.Timer, running[0].Timer)
			}
			assert.Equal(t, 1, w.Stats().Running)
			assert.True(t, m.Running())
		},
		"Goexit": func(*testing.T, *timerwheel.Wheel, member) { runtime.Goexit() },
	}
	for _, verb := range memberVerbs {
		calls[verb.name] = func(t *testing.T, _ *timerwheel.Wheel, m member) {
			found, err := verb.call(m)
			if verb.ended {
				assert.ErrorIs(t, err, context.Canceled)
			} else {
				assert.NoError(t, err, "OnStall is not the handler: it waits for it")
			}
			assert.Equal(t, verb.name != "Stop", found == foundRunning, "only Stop does not report a run")
			assert.Equal(t, !verb.syncs || verb.ended, m.Running())
		}
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				var w *timerwheel.Wheel
				var m member
				var called atomic.Int32
				w = openWheel(t, timerwheel.Options{OnStall: func(s timerwheel.Stall) {
					if s.Kind == timerwheel.StalledHandler { // the deletions wait long enough for reports of their own
						called.Add(1)
						assert.Equal(t, m.Timer, s.Timer)
						call(t, w, m)
					}
				}})
				m.group = w.NewGroup()
				m.Timer = m.group.Alloc(func(timerwheel.Timer) { time.Sleep(10 * time.Second) })
				armed(m.Timer, 0)
				elapse(5 * time.Second)
				require.EqualValues(t, 1, called.Load())
				_, err := m.DelSync()
				require.NoError(t, err)
			})
		})
	}
}

// Promise 11.17: the alarm rings for what is due, and not once more for what might have stalled.
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
		for _, workers := range []int{0, 1} { // of one, that runs, all are busy
			watched := ringing(t, timerwheel.Options{OnStall: func(s timerwheel.Stall) { t.Errorf("reported: %v", s) }, StallAfter: after, MaxWorkers: workers})
			require.LessOrEqual(t, watched, plain+20, "StallAfter %v, %d workers", after, workers)
		}
	}
}

// Promise 11.10 on real goroutines, for the race detector: reports, which read other goroutines'
// runs and waits, while runs and waits end.
func TestOnStallAmongRealGoroutines(t *testing.T) {
	var runs, waits atomic.Int32
	w := openWheel(t, timerwheel.Options{MaxWorkers: 4, Debug: true, StallAfter: time.Millisecond, OnStall: func(s timerwheel.Stall) {
		switch s.Kind {
		case timerwheel.StalledHandler:
			runs.Add(1)
		case timerwheel.StalledDeletion:
			waits.Add(1)
		}
		assert.GreaterOrEqual(t, s.For, time.Millisecond)
		assert.NotEmpty(t, s.Handler)
		assert.NotEmpty(t, s.AllocatedAt)
		s.Timer.Pending()
	}})
	verbs := memberVerbs.named("DelSync", "Group.DelSync", "DelAsync")
	var rounds [4]int
	var members [4]member
	for i := range members {
		g := w.NewGroup()
		members[i] = member{g.Alloc(func(timerwheel.Timer) { <-time.After(time.Duration(i) * time.Millisecond) }), g}
	}
	reported := func() bool { return runs.Load() > 0 && waits.Load() > 0 }
	stormUntil(t, raceTime()/2, len(members), reported, func(i int) {
		_ = members[i].Register(0)
		<-time.After(500 * time.Microsecond)
		if n := rounds[i] % 4; n < len(verbs) {
			_, err := verbs[n].call(members[i])
			assert.NoError(t, err)
		}
		rounds[i]++
	})
	require.NoError(t, w.Close())
	require.Positive(t, runs.Load())
	require.Positive(t, waits.Load())
	require.LessOrEqual(t, uint64(runs.Load()), w.Stats().Fired)
	require.LessOrEqual(t, uint64(waits.Load()), w.Stats().SyncWaits)
}

// Promise 2.9: a StallAfter that means never is not mistaken for long ago.
func TestStallAfterNever(t *testing.T) {
	bubble(t, "", timerwheel.Options{OnStall: func(timerwheel.Stall) { t.Error("stalled") }, StallAfter: math.MaxInt64}, func(t *testing.T, w *timerwheel.Wheel) {
		p := newPuppet(t)
		startRun(t, w.Alloc(p.handle))
		fired := make(chan struct{})
		w.AfterFunc(time.Millisecond, func() { close(fired) })
		<-fired // or the bubble is deadlocked
	})
}
