package timerwheel_test

import (
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
	"weak"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
)

// arms are the ways to call a function with an argument once.
var arms = map[string]struct {
	options timerwheel.Options
	arm     func(w *timerwheel.Wheel, d time.Duration, f func(any), arg any) timerwheel.Timer
}{
	"wheel": {timerwheel.Options{}, (*timerwheel.Wheel).AfterFuncArg},
	"Debug": {timerwheel.Options{Debug: true}, (*timerwheel.Wheel).AfterFuncArg},
	"group": {timerwheel.Options{}, func(w *timerwheel.Wheel, d time.Duration, f func(any), arg any) timerwheel.Timer {
		return w.NewGroup().AfterFuncArg(d, f, arg)
	}},
}

// forEachArm runs a test for each way, in a bubble.
func forEachArm(t *testing.T, test func(t *testing.T, w *timerwheel.Wheel, arm func(time.Duration, func(any), any) timerwheel.Timer)) {
	for name, way := range arms {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, err := timerwheel.New(way.options)
				require.NoError(t, err)
				defer func() { require.NoError(t, w.Close()) }()
				test(t, w, func(d time.Duration, f func(any), arg any) timerwheel.Timer { return way.arm(w, d, f, arg) })
			})
		})
	}
}

// AfterFuncArg calls f with its argument, once, when d has passed; nil is an
// argument as well.
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
		deleted := arm(time.Second, record, "never")
		require.True(t, deleted.Stop())
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, []call{{"one", time.Second}, {nil, 2 * time.Second}}, calls)
		require.Zero(t, w.Stats().Live)
	})
}

// The next tenant of a slot does not see the argument of the one before.
func TestAfterFuncArgLeavesNoArgumentToTheNextTenant(t *testing.T) {
	forEachArm(t, func(t *testing.T, w *timerwheel.Wheel, arm func(time.Duration, func(any), any) timerwheel.Timer) {
		got := make(map[any]int)
		count := func(arg any) { got[arg]++ }
		for round := range 3 {
			arm(time.Second, count, round).Stop()
			w.AfterFunc(time.Second, func() { got["plain"]++ })
			arm(time.Second, count, nil)
			arm(time.Second, count, -1-round)
			time.Sleep(2 * time.Second)
			synctest.Wait()
		}
		require.Equal(t, map[any]int{"plain": 3, nil: 3, -1: 1, -2: 1, -3: 1}, got)
	})
}

// The argument goes with the timer: after the firing, a deletion, or Close, the
// wheel does not keep it.
func TestAfterFuncArgForgetsTheArgumentWithTheTimer(t *testing.T) {
	type big [1 << 10]byte
	for name, way := range arms {
		for end, finish := range map[string]func(w *timerwheel.Wheel, tm timerwheel.Timer){
			"fired":   func(_ *timerwheel.Wheel, tm timerwheel.Timer) { awaitStale(t, tm) },
			"deleted": func(_ *timerwheel.Wheel, tm timerwheel.Timer) { tm.Stop() },
			"closed":  func(w *timerwheel.Wheel, _ timerwheel.Timer) { w.Close() },
		} {
			t.Run(name+", "+end, func(t *testing.T) {
				w, err := timerwheel.New(way.options)
				require.NoError(t, err)
				defer w.Close()
				d := time.Hour
				if end == "fired" {
					d = 0
				}
				arg := new(big)
				forgotten := weak.Make(arg)
				tm := way.arm(w, d, func(any) {}, arg)
				arg = nil
				finish(w, tm)
				require.Eventually(t, func() bool {
					runtime.GC()
					return forgotten.Value() == nil
				}, 10*time.Second, time.Millisecond)
				runtime.KeepAlive(w)
			})
		}
	}
}

func awaitStale(t *testing.T, tm timerwheel.Timer) {
	require.Eventually(t, func() bool { return !tm.Valid() }, 10*time.Second, time.Millisecond)
}

// With a pointer it allocates nothing, where a closure would.
func TestAfterFuncArgAllocatesNothing(t *testing.T) {
	w, err := timerwheel.New(timerwheel.Options{})
	require.NoError(t, err)
	defer w.Close()
	w.AfterFunc(time.Hour, func() {}) // so that the chunk is not given back each time
	conn := new(struct{ open bool })
	w.AfterFuncArg(time.Minute, closeConn, conn).Stop()
	require.Zero(t, testing.AllocsPerRun(1000, func() { w.AfterFuncArg(time.Minute, closeConn, conn).Stop() }))
	require.NotZero(t, testing.AllocsPerRun(1000, func() { w.AfterFunc(time.Minute, func() { closeConn(conn) }).Stop() }))
}

//go:noinline
func closeConn(conn any) { conn.(*struct{ open bool }).open = false }

// A nil function panics, in the caller; on a closed wheel the Timer is not
// Valid.
func TestAfterFuncArgOfNilAndOnAClosedWheel(t *testing.T) {
	forEachArm(t, func(t *testing.T, w *timerwheel.Wheel, arm func(time.Duration, func(any), any) timerwheel.Timer) {
		require.PanicsWithValue(t, "timerwheel: AfterFuncArg with a nil handler", func() { arm(0, nil, 1) })
		require.NoError(t, w.Close())
		require.False(t, arm(0, func(any) { t.Error("called") }, 1).Valid())
	})
}

// A stall names the function that takes the argument.
func TestAfterFuncArgIsNamedByAStall(t *testing.T) {
	for _, debug := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
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

// The storage of arguments counts in Stats.Bytes, and goes back with its chunk.
func TestAfterFuncArgStorageGoesBack(t *testing.T) {
	w, err := timerwheel.New(timerwheel.Options{})
	require.NoError(t, err)
	defer w.Close()
	const n = 10_000
	peak := func(arm func()) int64 {
		for range n {
			arm()
		}
		return w.Stats().Bytes
	}
	var all []timerwheel.Timer
	plain := peak(func() { all = append(all, w.AfterFunc(time.Hour, func() {})) })
	for _, tm := range all {
		tm.Stop()
	}
	all = all[:0]
	with := peak(func() { all = append(all, w.AfterFuncArg(time.Hour, func(any) {}, n)) })
	const word = int64(unsafe.Sizeof(uintptr(0)))
	require.GreaterOrEqual(t, with, plain+2*word*n, "two words for an argument")
	for _, tm := range all {
		tm.Stop()
	}
	require.Less(t, w.Stats().Bytes, with/4)
}
