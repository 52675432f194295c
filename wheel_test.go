package timerwheel_test

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Promises 2.12, 2.42, 7.11: a nil f, a nil l and a period <= 0 panic in the caller, on the
// wheel and in a group. A panic leaves nothing behind.
func TestNilAndNonsenseArgumentsPanicAtTheCall(t *testing.T) {
	for _, debug := range []bool{false, true} {
		w := openWheel(t, timerwheel.Options{Debug: debug})
		g := w.NewGroup()
		for name, call := range map[string]func(){
			"Alloc with a nil handler":               func() { w.Alloc(nil) },
			"AllocLocked with a nil handler":         func() { w.AllocLocked(new(sync.Mutex), nil) },
			"AllocLocked with a nil lock":            func() { w.AllocLocked(nil, delIgnore) },
			"AllocLocked with a nil":                 func() { w.AllocLocked(nil, nil) },
			"AfterFunc with a nil handler":           func() { w.AfterFunc(time.Hour, nil) },
			"AfterFuncArg with a nil handler":        func() { w.AfterFuncArg(0, nil, 1) },
			"Every with a nil handler":               func() { w.Every(time.Hour, nil) },
			"Alloc with a nil handler, group":        func() { g.Alloc(nil) },
			"AllocLocked with a nil handler, group":  func() { g.AllocLocked(new(sync.Mutex), nil) },
			"AllocLocked with a nil lock, group":     func() { g.AllocLocked(nil, delIgnore) },
			"AfterFunc with a nil handler, group":    func() { g.AfterFunc(time.Hour, nil) },
			"AfterFuncArg with a nil handler, group": func() { g.AfterFuncArg(0, nil, 1) },
			"Every with a nil handler, group":        func() { g.Every(time.Hour, nil) },
		} {
			want, _, _ := strings.Cut(name, ",")
			require.Contains(t, panicText(call), "timerwheel: "+want, name)
		}
		for _, period := range []time.Duration{0, -1, -time.Hour, math.MinInt64} {
			require.Contains(t, panicText(func() { w.Every(period, delIgnore) }), period.String(), "Every names the value")
			require.Contains(t, panicText(func() { g.Every(period, delIgnore) }), period.String(), "Group.Every names the value")
		}
		stats := w.Stats()
		stats.Bytes = 0
		require.Zero(t, stats, "nothing was allocated, armed or refused")
		require.Zero(t, g.Len())
		require.NotPanics(t, func() { require.True(t, w.AfterFunc(time.Hour, func() {}).Stop()) }, "no lock was left behind")
	}
}

// panicText is what call panics with, as the crash would print it; empty if it does not panic.
func panicText(call func()) (text string) {
	defer func() {
		if v := recover(); v != nil {
			text = fmt.Sprint(v)
		}
	}()
	call()
	return ""
}

// Promise 2.13: a timer of AfterFunc recycles itself after its firing or its deletion.
func TestAfterFuncRecyclesItself(t *testing.T) {
	arm := func(t *testing.T, w *timerwheel.Wheel) (g *timerwheel.Group, tm timerwheel.Timer, runs *atomic.Int32) {
		g, runs = w.NewGroup(), new(atomic.Int32)
		tm = g.AfterFunc(time.Minute, func() { runs.Add(1) })
		require.True(t, tm.Valid() && tm.Pending())
		require.Equal(t, 1, w.Stats().Live)
		return g, tm, runs
	}
	recycled := func(t *testing.T, w *timerwheel.Wheel, tm timerwheel.Timer, runs *atomic.Int32, want int32) {
		require.False(t, tm.Valid())
		require.Zero(t, w.Stats().Live)
		elapse(time.Hour)
		require.Equal(t, want, runs.Load())
	}
	bubble(t, "firing", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		_, tm, runs := arm(t, w)
		elapse(time.Hour)
		recycled(t, w, tm, runs, 1)
	})
	for _, del := range deletionCalls {
		bubble(t, del.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			g, tm, runs := arm(t, w)
			found, err := del.call(g, tm)
			require.NoError(t, err)
			require.Equal(t, foundPending, found)
			recycled(t, w, tm, runs, 0)
		})
	}
}

// Promise 2.28: a timer of AfterFunc that has fired or was deleted is not armed by Reset.
func TestResetOfASpentAfterFuncArmsNothing(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		var runs atomic.Int32
		fires := func() { runs.Add(1) }
		moved := w.AfterFunc(time.Second, fires)
		spent := []timerwheel.Timer{w.AfterFunc(time.Second, fires)}
		for _, del := range deletionCalls {
			g := w.NewGroup()
			tm := g.AfterFunc(time.Second, fires)
			_, err := del.call(g, tm)
			require.NoError(t, err)
			spent = append(spent, tm)
		}
		require.True(t, moved.Reset(time.Minute), "while it pends, it moves")
		elapse(30 * time.Second)
		require.EqualValues(t, 1, runs.Load())
		for _, tm := range spent {
			requireStale(t, tm)
		}
		require.Equal(t, 1, w.Stats().Pending)
		elapse(time.Hour)
		require.EqualValues(t, 2, runs.Load())
	})
}

// Promise 2.13: while it runs it has not been recycled, so its handler may arm it again.
func TestAfterFuncMayBeRegisteredWhileItRuns(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		self := make(chan timerwheel.Timer, 1)
		var runs atomic.Int32
		tm := w.AfterFunc(time.Second, func() {
			tm := <-self
			assert.True(t, tm.Valid())
			if runs.Add(1) < 3 {
				assert.NoError(t, tm.Register(time.Second))
				self <- tm
			}
		})
		self <- tm
		elapse(time.Hour)
		require.EqualValues(t, 3, runs.Load())
		require.False(t, tm.Valid())
		require.Zero(t, w.Stats().Live)
	})
}

// forEachArm runs a test for each way to call a function with an argument, in a bubble.
func forEachArm(t *testing.T, test func(t *testing.T, w *timerwheel.Wheel, arm func(time.Duration, func(any), any) timerwheel.Timer)) {
	for name, way := range arms {
		bubble(t, name, way.options, func(t *testing.T, w *timerwheel.Wheel) {
			test(t, w, func(d time.Duration, f func(any), arg any) timerwheel.Timer { return way.arm(w, d, f, arg) })
		})
	}
}

// Promises 2.42 and 2.44: AfterFuncArg calls f with its argument, once, when d has passed; nil
// is an argument as well. The record's next tenant does not see it.
func TestAfterFuncArgCallsTheFunctionWithItsArgument(t *testing.T) {
	forEachArm(t, func(t *testing.T, w *timerwheel.Wheel, arm func(time.Duration, func(any), any) timerwheel.Timer) {
		begin := time.Now()
		type call struct {
			arg any
			at  time.Duration
		}
		var calls []call
		record := func(arg any) { calls = append(calls, call{arg, time.Since(begin)}) }
		arm(time.Second, record, "one")
		arm(2*time.Second, record, nil)
		require.True(t, arm(time.Second, record, "never").Stop())
		elapse(time.Minute)
		require.Equal(t, []call{{"one", time.Second}, {nil, 2 * time.Second}}, calls)
		require.Zero(t, w.Stats().Live)

		got := make(map[any]int)
		count := func(arg any) { got[arg]++ }
		for round := range 3 {
			arm(time.Second, count, round).Stop()
			w.AfterFunc(time.Second, func() { got["plain"]++ })
			arm(time.Second, count, nil)
			arm(time.Second, count, -1-round)
			elapse(2 * time.Second)
		}
		require.Equal(t, map[any]int{"plain": 3, nil: 3, -1: 1, -2: 1, -3: 1}, got)
	})
}

// Promises 2.43 and 2.49: the calls that are made all the time allocate nothing, however many
// timers there are. With a pointer AfterFuncArg allocates nothing, where a closure would.
func TestFastPathsAllocateNothing(t *testing.T) {
	for _, others := range []int{1, 2_000} {
		w := openWheel(t, timerwheel.Options{})
		for range others {
			w.AfterFunc(time.Hour, func() {}) // and so no chunk is given back
		}
		f, g, conn := func() {}, func(timerwheel.Timer) {}, new(struct{ open bool })
		idle, pends, when := w.Alloc(g), w.Alloc(g), time.Now().Add(time.Hour)
		d := 2 * time.Hour
		closure := func() { w.AfterFunc(time.Minute, func() { closeConn(conn) }).Stop() }
		for name, call := range map[string]func(){
			"AfterFunc, Stop":    func() { w.AfterFunc(time.Minute, f).Stop() },
			"AfterFuncArg, Stop": func() { w.AfterFuncArg(time.Minute, closeConn, conn).Stop() },
			"Alloc, Free":        func() { _ = w.Alloc(g).Free() },
			"Register, later":    func() { _ = pends.Register(time.Hour) },
			"Register, earlier":  func() { d -= time.Second; _ = pends.Register(d) },
			"Register, Del":      func() { _ = idle.Register(time.Minute); idle.Del() },
			"Register, DelSync":  func() { _ = idle.Register(time.Minute); _, _ = idle.DelSync() },
			"RegisterAt":         func() { when = when.Add(1); _ = pends.RegisterAt(when) },
			"Reduce":             func() { d -= time.Second; _ = pends.Reduce(d) },
			"Reset, Stop":        func() { idle.Reset(time.Minute); idle.Stop() },
			"Del, idle":          func() { idle.Del() },
			"DelSync, idle":      func() { _, _ = idle.DelSync() },
			"Retain, Free":       func() { _ = idle.Retain(); _ = idle.Free() },
			"Pending, Running":   func() { _, _ = pends.Pending(), pends.Running() },
			"When, Valid, Now":   func() { pends.When(); pends.Valid(); w.Now() },
			"a closure":          closure,
		} {
			n := testing.AllocsPerRun(1000, call)
			require.Equal(t, name == "a closure", n > 0, "%s, beside %d others: %v allocations", name, others, n)
		}
	}
}

//go:noinline
func closeConn(conn any) { conn.(*struct{ open bool }).open = false }

// Promise 1.1: a Timer names its wheel, too: the first timers of two wheels differ.
func TestHandleOfAnotherWheelIsAnotherTimer(t *testing.T) {
	a, b := openWheel(t, timerwheel.Options{}), openWheel(t, timerwheel.Options{})
	const n = 200
	ofA, ofB := make([]timerwheel.Timer, n), make([]timerwheel.Timer, n)
	for i := range n {
		ofA[i], ofB[i] = a.Alloc(func(timerwheel.Timer) {}), b.Alloc(func(timerwheel.Timer) {})
		require.NotEqual(t, ofA[i], ofB[i])
		require.NoError(t, ofA[i].Register(time.Hour))
		require.NoError(t, ofB[i].Register(time.Hour))
	}
	for _, tm := range ofA {
		require.True(t, tm.Stop())
		require.NoError(t, tm.Free())
	}
	require.Zero(t, a.Stats().Live)
	require.Equal(t, n, b.Stats().Pending)
	for _, tm := range ofA {
		requireStale(t, tm)
	}
	require.NoError(t, a.Close())
	for _, tm := range ofB {
		require.NoError(t, tm.Register(time.Minute), "closing a closes no b")
		require.True(t, tm.Stop())
		require.NoError(t, tm.Free())
	}
}

// Promise 2.14: Now is real time for a wheel that is not Manual, whatever it sleeps over.
func TestNowIsRealTime(t *testing.T) {
	const tick = 10 * time.Millisecond
	bubble(t, "", timerwheel.Options{Tick: tick}, func(t *testing.T, w *timerwheel.Wheel) {
		for _, d := range []time.Duration{0, 1, tick, time.Second, 1000 * time.Hour} {
			elapse(d)
			require.InDelta(t, 0, time.Until(w.Now()), float64(tick))
		}
		inHandler := make(chan time.Duration, 1)
		w.AfterFunc(time.Hour, func() { inHandler <- time.Until(w.Now()) })
		require.InDelta(t, 0, <-inHandler, float64(tick))
	})
	w := openWheel(t, timerwheel.Options{Tick: tick})
	last := w.Now()
	for range 1000 {
		before := time.Now()
		now := w.Now()
		require.GreaterOrEqual(t, now.Sub(before), -tick)
		require.LessOrEqual(t, time.Until(now), tick)
		require.GreaterOrEqual(t, now.Sub(last), time.Duration(0), "time goes back")
		last = now
	}
}

// Promises 2.15 and 12.13: Next is ok while anything pends, wherever the wheel keeps it, and
// beside another timer that is far away.
func TestNextKnowsEveryPendingTimer(t *testing.T) {
	for _, c := range []struct {
		name string
		arm  func(t *testing.T, w *timerwheel.Wheel) (tm timerwheel.Timer, fire func()) // fire: nil if it never does
	}{
		{"in the future", func(t *testing.T, w *timerwheel.Wheel) (timerwheel.Timer, func()) {
			return w.AfterFunc(time.Hour, func() {}), func() { elapse(time.Hour) }
		}},
		{"never", func(t *testing.T, w *timerwheel.Wheel) (timerwheel.Timer, func()) {
			return w.AfterFunc(math.MaxInt64, func() {}), nil
		}},
		{"due, in line for a worker", func(t *testing.T, w *timerwheel.Wheel) (timerwheel.Timer, func()) {
			h := parkHandler(t)
			w.AfterFunc(0, h.run)
			elapse(time.Second)
			return w.AfterFunc(0, func() {}), h.release
		}},
		{"due, behind its own run", func(t *testing.T, w *timerwheel.Wheel) (timerwheel.Timer, func()) {
			h := parkHandler(t)
			tm := w.Alloc(func(timerwheel.Timer) { h.run() })
			require.NoError(t, tm.Register(0))
			elapse(time.Second)
			require.NoError(t, tm.Register(0))
			return tm, h.release
		}},
		{"due, waiting for its lock", func(t *testing.T, w *timerwheel.Wheel) (timerwheel.Timer, func()) {
			l := newLockProbe(t)
			l.take()
			return armed(w.AllocLocked(l, delIgnore), 0), l.drop
		}},
	} {
		for _, farther := range []bool{false, true} {
			for _, end := range []string{"stopped", "fired"} {
				name := fmt.Sprintf("%s, %s, another far away: %v", c.name, end, farther)
				bubble(t, name, timerwheel.Options{MaxWorkers: 1}, func(t *testing.T, w *timerwheel.Wheel) {
					_, ok := w.Next()
					require.False(t, ok)
					tm, fire := c.arm(t, w)
					pending := 1
					if farther {
						w.AfterFunc(200*365*24*time.Hour, func() {})
						pending++
					}
					elapse(time.Second)
					require.True(t, tm.Pending())
					require.Equal(t, pending, w.Stats().Pending)
					next, ok := w.Next()
					require.True(t, ok)
					when, ok := tm.When()
					require.True(t, ok)
					if when.Before(time.Now()) { // what is due could begin any moment
						require.LessOrEqual(t, time.Until(next), time.Duration(0))
					} else {
						require.LessOrEqual(t, next.Sub(when), 2*time.Millisecond)
						require.Positive(t, time.Until(next))
					}
					if c.name == "never" { // promise 12.13: far away
						require.Greater(t, time.Until(next), 100*365*24*time.Hour)
					}
					if end == "stopped" || fire == nil {
						require.True(t, tm.Stop())
					} else {
						fire()
						elapse(time.Minute)
						require.False(t, tm.Pending())
					}
					next, ok = w.Next()
					require.Equal(t, farther, ok, "%v", next)
				})
			}
		}
	}
}

// Promise 11.13: what one bubble's wheel leaves behind must not reach another's, nor that of a
// wheel outside that works at the same time.
func TestWheelsInAndOutOfBubblesShareNothing(t *testing.T) {
	outside := openWheel(t, timerwheel.Options{})
	var runs atomic.Int32
	series := outside.Every(time.Millisecond, func(timerwheel.Timer) { runs.Add(1) })
	for range 3 {
		guarded(t, func(t *testing.T) {
			// Not closed: promise 9.12 leaves no goroutine in the bubble for it, and what
			// pends dies with the bubble.
			w, err := timerwheel.New(timerwheel.Options{OnPanic: func(timerwheel.HandlerPanic) {}, OnStall: func(timerwheel.Stall) {}})
			require.NoError(t, err)
			var ran sync.WaitGroup
			for i := range 30 {
				ran.Add(1)
				tm := w.AfterFunc(time.Duration(i%5)*time.Millisecond, func() {
					ran.Done()
					time.Sleep(2 * time.Second)
					panic("on purpose")
				})
				if i%2 == 0 {
					go func() {
						time.Sleep(time.Second)
						_, _ = tm.DelSync()
					}()
				}
			}
			ran.Wait()
			time.Sleep(time.Minute)
			w.AfterFunc(time.Hour, func() {})
			w.Every(time.Minute, func(timerwheel.Timer) {})
		})
	}
	_, err := series.DelSync()
	require.NoError(t, err)
	fired := make(chan struct{})
	outside.AfterFunc(0, func() { close(fired) })
	receive(t, fired)
}

// Promise 5.10: timers in any number are armed, deleted, and closed with their wheel, and no
// operation's cost grows with the crowd.
func TestMillionTimersArmedAndDeleted(t *testing.T) {
	if testing.Short() {
		t.Skip("hundreds of thousands of timers")
	}
	for name, deadline := range map[string]func(i int) time.Duration{
		"all in one tick": func(int) time.Duration { return 6 * time.Hour },
		"far and wide":    func(i int) time.Duration { return time.Hour + time.Duration(i)*time.Minute },
	} {
		t.Run(name, func(t *testing.T) {
			// costs returns the time for each of n timers to be armed and deleted, and to be armed and closed.
			costs := func(n int) (stopped, closed time.Duration) {
				w := openWheel(t, timerwheel.Options{})
				timers := make([]timerwheel.Timer, n)
				begin := time.Now()
				arm := func() {
					for i := range timers {
						timers[i] = w.AfterFunc(deadline(i), func() { t.Error("fired") })
					}
					stats := w.Stats()
					require.Equal(t, n, stats.Pending)
					require.Equal(t, n, stats.Live)
				}
				arm()
				for _, tm := range timers {
					if !tm.Stop() {
						require.Fail(t, "was not pending")
					}
				}
				stopped = time.Since(begin) / time.Duration(n)
				require.Zero(t, w.Stats().Live)
				begin = time.Now()
				arm()
				require.NoError(t, w.Close())
				closed = time.Since(begin) / time.Duration(n)
				stats := w.Stats()
				require.Zero(t, stats.Live)
				require.EqualValues(t, 2*n, stats.Removed, "%+v", stats)
				return stopped, closed
			}
			few, many := [2]time.Duration{time.Hour, time.Hour}, [2]time.Duration{time.Hour, time.Hour}
			least := func(best *[2]time.Duration, n int) {
				stopped, closed := costs(n)
				best[0], best[1] = min(best[0], stopped), min(best[1], closed)
			}
			// The least of several, because other programs take time too. To look at each
			// other timer, with a hundredth of the crowd as the measure, is a hundred times.
			for range 20 {
				least(&few, scaled(300_000)/100)
				least(&many, scaled(300_000))
				if many[0] <= 8*few[0] && many[1] <= 8*few[1] {
					return
				}
			}
			t.Errorf("a timer costs %v to stop and %v to close among many, %v and %v among few", many[0], many[1], few[0], few[1])
		})
	}
}

// Promise 3.2 with one processor and a goroutine that never yields: deletions must not spin for a
// worker that cannot run.
func TestOneProcessorAndASpinningGoroutine(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var stop atomic.Bool
	var spinner sync.WaitGroup
	spinner.Go(func() {
		for !stop.Load() { // the runtime has to preempt this
		}
	})
	defer func() {
		stop.Store(true)
		within(t, spinner.Wait)
	}()

	w := openWheel(t, timerwheel.Options{})
	var early, fired atomic.Int32
	const timers = 50
	for i := range time.Duration(timers) {
		d, start := i*100*time.Microsecond, time.Now()
		w.AfterFunc(d, func() {
			if time.Since(start) < d {
				early.Add(1)
			}
			fired.Add(1)
		})
	}
	eventually(t, "all have fired", func() bool { return fired.Load() == timers })
	require.Zero(t, early.Load())

	for range 5 { // a deletion that waits for a handler that waits for the processor
		begun := make(chan struct{})
		ended := false
		tm := w.Alloc(func(timerwheel.Timer) {
			close(begun)
			runtime.Gosched()
			ended = true
		})
		require.NoError(t, tm.Register(0))
		receive(t, begun)
		within(t, func() {
			_, err := tm.DelSync()
			assert.NoError(t, err)
		})
		require.True(t, ended)
		require.NoError(t, tm.Free())
	}
}
