package timerwheel_test

import (
	"fmt"
	"math"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
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
		for where, of := range map[string]maker{"wheel": w, "group": g} {
			for want, call := range map[string]func(){
				"Alloc with a nil handler":           func() { of.Alloc(nil) },
				"AllocArg with a nil handler":        func() { of.AllocArg(nil, 1) },
				"AllocLocked with a nil handler":     func() { of.AllocLocked(new(sync.Mutex), nil) },
				"AllocLocked with a nil lock":        func() { of.AllocLocked(nil, delIgnore) },
				"AllocLocked with a nil":             func() { of.AllocLocked(nil, nil) },
				"AfterFunc with a nil handler":       func() { of.AfterFunc(time.Hour, nil) },
				"AfterFuncArg with a nil handler":    func() { of.AfterFuncArg(0, nil, 1) },
				"AfterFuncLocked with a nil handler": func() { of.AfterFuncLocked(new(sync.Mutex), 0, nil) },
				"AfterFuncLocked with a nil lock":    func() { of.AfterFuncLocked(nil, 0, func() {}) },
				"Every with a nil handler":           func() { of.Every(time.Hour, nil) },
			} {
				require.Contains(t, panicText(call), "timerwheel: "+want, where)
			}
			for _, period := range []time.Duration{0, -1, -time.Hour, math.MinInt64} {
				require.Contains(t, panicText(func() { of.Every(period, delIgnore) }), period.String(), "Every names the value, %s", where)
			}
		}
		stats := w.Stats()
		stats.Bytes, stats.MaxWorkers = 0, 0
		require.Zero(t, stats, "nothing was allocated, armed or refused")
		require.Zero(t, g.Len())
		require.NotPanics(t, func() { require.True(t, w.AfterFunc(time.Hour, func() {}).Stop()) }, "no lock was left behind")
	}
}

// A maker makes timers: a wheel or a group.
type maker interface {
	Alloc(f func(timerwheel.Timer)) timerwheel.Timer
	AllocArg(f func(timerwheel.Timer, any), arg any) timerwheel.Timer
	AllocLocked(l sync.Locker, f func(timerwheel.Timer)) timerwheel.Timer
	AfterFunc(d time.Duration, f func()) timerwheel.Timer
	AfterFuncArg(d time.Duration, f func(any), arg any) timerwheel.Timer
	AfterFuncLocked(l sync.Locker, d time.Duration, f func()) timerwheel.Timer
	Every(period time.Duration, f func(timerwheel.Timer)) timerwheel.Timer
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

// Promises 2.13, 2.28 and 5.5: a timer of AfterFunc recycles itself after its last firing or its deletion,
// and then no verb arms it.
func TestAfterFuncRecyclesItself(t *testing.T) {
	type once struct {
		member
		again atomic.Int32 // its handler registers it so many times
		runs  atomic.Int32
	}
	test := func(name string, runs int32, end func(*testing.T, *once)) {
		bubble(t, name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			o := &once{member: member{group: w.NewGroup()}}
			o.Timer = o.group.AfterFunc(time.Second, func() {
				o.runs.Add(1)
				assert.True(t, o.Valid())
				if o.again.Add(-1) >= 0 {
					assert.NoError(t, o.Register(time.Second))
				}
			})
			require.True(t, o.Valid() && o.Pending())
			require.Equal(t, 1, w.Stats().Live)
			require.True(t, o.Reset(time.Minute), "while it pends, it moves")
			elapse(30 * time.Second)
			end(t, o)
			requireStale(t, o.Timer)
			require.Zero(t, w.Stats().Live)
			elapse(time.Hour)
			require.Equal(t, runs, o.runs.Load())
		})
	}
	test("firing", 1, func(*testing.T, *once) { elapse(time.Hour) })
	test("armed again by its handler", 3, func(_ *testing.T, o *once) {
		o.again.Store(2)
		elapse(time.Hour)
	})
	for _, del := range memberVerbs {
		test(del.name, 0, func(t *testing.T, o *once) { finds(t, foundPending)(del.call(o.member)) })
	}
}

// Promises 2.42 and 2.44: AfterFuncArg calls f with its argument, once, when d has passed; nil
// is an argument as well. The record's next tenant does not see it.
func TestAfterFuncArgCallsTheFunctionWithItsArgument(t *testing.T) {
	test := func(t *testing.T, w *timerwheel.Wheel, of maker) {
		arm := of.AfterFuncArg
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
	}
	for name, debug := range map[string]bool{"": false, "Debug": true} {
		o := timerwheel.Options{Debug: debug}
		bubble(t, "wheel"+name, o, func(t *testing.T, w *timerwheel.Wheel) { test(t, w, w) })
		bubble(t, "group"+name, o, func(t *testing.T, w *timerwheel.Wheel) { test(t, w, w.NewGroup()) })
	}
}

// Promise 2.60: the function that AllocArg is given gets the timer's own handle and its argument
// at each firing; nil is an argument as well. The record's next tenant does not see it.
func TestAllocArgCallsTheFunctionWithItsTimerAndArgument(t *testing.T) {
	test := func(t *testing.T, w *timerwheel.Wheel, of maker) {
		type call struct {
			timer timerwheel.Timer
			arg   any
		}
		var calls []call
		record := func(tm timerwheel.Timer, arg any) {
			calls = append(calls, call{tm, arg})
			assert.NoError(t, tm.Retain(), "it lives")
			assert.NoError(t, tm.Free())
		}
		one, none := of.AllocArg(record, "one"), of.AllocArg(record, nil)
		require.False(t, one.Pending())
		for _, tm := range []timerwheel.Timer{one, none, one} {
			require.NoError(t, tm.Register(time.Second))
			elapse(2 * time.Second)
		}
		require.Equal(t, []call{{one, "one"}, {none, nil}, {one, "one"}}, calls)
		require.NoError(t, one.Free())
		require.NoError(t, none.Free())
		require.Zero(t, w.Stats().Live)

		calls = nil
		next := of.AllocArg(record, nil)
		require.NoError(t, next.Register(time.Second))
		elapse(2 * time.Second)
		require.Equal(t, []call{{next, nil}}, calls)
		require.NoError(t, next.Free())
	}
	for name, debug := range map[string]bool{"": false, "Debug": true} {
		o := timerwheel.Options{Debug: debug}
		bubble(t, "wheel"+name, o, func(t *testing.T, w *timerwheel.Wheel) { test(t, w, w) })
		bubble(t, "group"+name, o, func(t *testing.T, w *timerwheel.Wheel) { test(t, w, w.NewGroup()) })
	}
}

// Promises 2.43, 2.49 and 8.16: the calls that are made all the time allocate nothing, however many
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
		members := w.NewGroup()
		closure := func() { w.AfterFunc(time.Minute, func() { closeConn(conn) }).Stop() }
		for name, call := range map[string]func(){
			"AfterFunc, Stop":           func() { w.AfterFunc(time.Minute, f).Stop() },
			"AfterFuncArg, Stop":        func() { w.AfterFuncArg(time.Minute, closeConn, conn).Stop() },
			"Alloc, Free":               func() { _ = w.Alloc(g).Free() },
			"AllocArg, Free":            func() { _ = w.AllocArg(closeConnOf, conn).Free() },
			"Group: AfterFunc, Stop":    func() { members.AfterFunc(time.Minute, f).Stop() },
			"Group: AfterFuncArg, Stop": func() { members.AfterFuncArg(time.Minute, closeConn, conn).Stop() },
			"Group: AfterFuncArg, Del":  func() { members.AfterFuncArg(time.Minute, closeConn, conn); members.Del() },
			"Group: Alloc, Free":        func() { _ = members.Alloc(g).Free() },
			"Group: AllocArg, Free":     func() { _ = members.AllocArg(closeConnOf, conn).Free() },
			"RegisterWithin":            func() { _ = pends.RegisterWithin(time.Hour, time.Minute) },
			"Move":                      func() { d -= time.Second; pends.Move(d) },
			"Register, later":           func() { _ = pends.Register(time.Hour) },
			"Register, earlier":         func() { d -= time.Second; _ = pends.Register(d) },
			"Register, Del":             func() { _ = idle.Register(time.Minute); idle.Del() },
			"Register, DelSync":         func() { _ = idle.Register(time.Minute); _, _ = idle.DelSync() },
			"RegisterAt":                func() { when = when.Add(1); _ = pends.RegisterAt(when) },
			"Reduce":                    func() { d -= time.Second; _ = pends.Reduce(d) },
			"Reset, Stop":               func() { idle.Reset(time.Minute); idle.Stop() },
			"Del, idle":                 func() { idle.Del() },
			"DelSync, idle":             func() { _, _ = idle.DelSync() },
			"Retain, Free":              func() { _ = idle.Retain(); _ = idle.Free() },
			"Pending, Running":          func() { _, _ = pends.Pending(), pends.Running() },
			"When, Valid, Now":          func() { pends.When(); pends.Valid(); w.Now() },
			"a closure":                 closure,
			"RegisterIdle, Touch":       func() { _ = pends.RegisterIdle(time.Hour); pends.Touch() },
		} {
			n := testing.AllocsPerRun(1000, call)
			require.Equal(t, name == "a closure", n > 0, "%s, beside %d others: %v allocations", name, others, n)
		}
	}
}

//go:noinline
func closeConnOf(_ timerwheel.Timer, conn any) { closeConn(conn) }

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
			_, p := newRun(t, w)
			return w.AfterFunc(0, func() {}), p.let
		}},
		{"due, behind its own run", func(t *testing.T, w *timerwheel.Wheel) (timerwheel.Timer, func()) {
			tm, p := newRun(t, w)
			return armed(tm, 0), p.let
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
			for i := range 30 {
				tm := w.AfterFunc(time.Duration(i%5)*time.Millisecond, func() {
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
			time.Sleep(time.Minute)
			require.EqualValues(t, 30, w.Stats().Fired)
			w.AfterFunc(time.Hour, func() {})
			w.Every(time.Minute, func(timerwheel.Timer) {})
		})
	}
	_, err := series.DelSync()
	require.NoError(t, err)
	fire(t, outside, 0, func() {})
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
			// costs lowers the best times for each of n timers to be armed and deleted, and to be armed and closed.
			costs := func(best *[2]time.Duration, n int) {
				w := openWheel(t, timerwheel.Options{})
				timers := make([]timerwheel.Timer, n)
				measure := func(i int, end func()) {
					begin := time.Now()
					for i := range timers {
						timers[i] = w.AfterFunc(deadline(i), func() { t.Error("fired") })
					}
					stats := w.Stats()
					require.Equal(t, n, stats.Pending)
					require.Equal(t, n, stats.Live)
					end()
					best[i] = min(best[i], time.Since(begin)/time.Duration(n))
					require.Zero(t, w.Stats().Live)
				}
				measure(0, func() {
					for _, tm := range timers {
						if !tm.Stop() {
							require.Fail(t, "was not pending")
						}
					}
				})
				measure(1, func() { require.NoError(t, w.Close()) })
				require.EqualValues(t, 2*n, w.Stats().Removed)
			}
			few, many := [2]time.Duration{time.Hour, time.Hour}, [2]time.Duration{time.Hour, time.Hour}
			// The least of several, because other programs take time too. What takes longer than
			// a time slice they delay each time: ten of them make it ten times as long. To look at
			// each other timer, with a hundredth of the crowd as the measure, is a hundred times.
			for range 20 {
				costs(&few, scaled(300_000)/100)
				costs(&many, scaled(300_000))
				if many[0] <= 40*few[0] && many[1] <= 40*few[1] {
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
	spinner := inBackground(func() {
		for !stop.Load() { // the runtime has to preempt this
		}
	})
	defer func() {
		stop.Store(true)
		receive(t, spinner)
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
		begun, ended := make(chan struct{}), false
		tm := armed(w.Alloc(func(timerwheel.Timer) {
			close(begun)
			runtime.Gosched()
			ended = true
		}), 0)
		receive(t, begun)
		within(t, func() {
			_, err := tm.DelSync()
			assert.NoError(t, err)
		})
		require.True(t, ended)
		require.NoError(t, tm.Free())
	}
}

// Promise 2.69: every method of the zero Wheel, the zero Group, and of nil pointers to them, panics
// with a text that says what to call.
func TestTheZeroWheelAndGroupSayWhatToCall(t *testing.T) {
	for _, c := range []struct {
		receiver any
		text     string
	}{
		{new(timerwheel.Wheel), "timerwheel: the zero Wheel is not usable: call New"},
		{(*timerwheel.Wheel)(nil), "timerwheel: the zero Wheel is not usable: call New"},
		{new(timerwheel.Group), "timerwheel: the zero Group is not usable: call Wheel.NewGroup"},
		{(*timerwheel.Group)(nil), "timerwheel: the zero Group is not usable: call Wheel.NewGroup"},
	} {
		receiver := reflect.ValueOf(c.receiver)
		require.Greater(t, receiver.NumMethod(), 10)
		for m := range receiver.NumMethod() {
			method := receiver.Method(m)
			args := make([]reflect.Value, method.Type().NumIn())
			for k := range args {
				args[k] = reflect.Zero(method.Type().In(k))
			}
			require.PanicsWithValue(t, c.text, func() { method.Call(args) }, "%s of %T", receiver.Type().Method(m).Name, c.receiver)
		}
	}
}

// Promise 2.70: Default is one wheel for the whole program, made at its first use; it is as one with
// the zero Options, and no caller can close it.
func TestDefaultIsSharedAndCannotBeClosed(t *testing.T) {
	w := timerwheel.Default()
	var again sync.WaitGroup
	for range 10 {
		again.Go(func() { assert.Same(t, w, timerwheel.Default()) })
	}
	again.Wait()
	require.ErrorIs(t, w.Close(), timerwheel.ErrShared)
	require.ErrorIs(t, w.CloseContext(endedContext), timerwheel.ErrShared)

	inHandler := make(chan error)
	w.AfterFunc(0, func() { inHandler <- w.Close() })
	require.ErrorIs(t, receive(t, inHandler), timerwheel.ErrShared)
	fired := make(chan struct{})
	w.AfterFunc(time.Millisecond, func() { close(fired) })
	receive(t, fired)

	o := w.Inspect().Options
	require.Equal(t, openWheel(t, timerwheel.Options{}).Inspect().Options, o)
	require.Zero(t, w.Stats().Pending)
}

// Promise 2.70: in a bubble Default panics, whether the wheel has been made or not, with a text that
// says what to do. Its Close is ErrShared there, too.
func TestDefaultPanicsInABubble(t *testing.T) {
	w := timerwheel.Default()
	synctest.Test(t, func(t *testing.T) {
		require.Contains(t, panicText(func() { timerwheel.Default() }), "make a wheel in the bubble")
		require.ErrorIs(t, w.Close(), timerwheel.ErrShared)
	})
	require.Same(t, w, timerwheel.Default())
}

// Promise 13.10: an empty wheel takes a kilobyte for each processor, and one of few processors 16.
func TestAnEmptyWheelIsSmall(t *testing.T) {
	for procs, most := range map[int]uint64{2: 16 << 10, 64: 64 << 10} {
		before := runtime.GOMAXPROCS(procs)
		least := uint64(math.MaxUint64)
		for range 10 { // others may allocate at the same time
			var one, other runtime.MemStats
			runtime.ReadMemStats(&one)
			w, err := timerwheel.New(timerwheel.Options{})
			runtime.ReadMemStats(&other)
			require.NoError(t, err)
			require.NoError(t, w.Close())
			least = min(least, other.TotalAlloc-one.TotalAlloc)
		}
		runtime.GOMAXPROCS(before)
		t.Logf("GOMAXPROCS %d: %d bytes", procs, least)
		assert.LessOrEqual(t, least, most, "GOMAXPROCS %d", procs)
	}
}
