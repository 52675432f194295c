package timerwheel

import (
	"fmt"
	"math"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// The tests must not set the machine's clock. (Those of verify/wallclock set one, where Go runs
// in JavaScript.) Here the base of a wheel gets the reading that the wall clock would have had
// at New, had it been set since.

// setBy returns a time whose wall clock is off by step, a number of seconds, and whose monotonic
// reading is the same.
func setBy(t testing.TB, at time.Time, step time.Duration) time.Time {
	t.Helper()
	const nanosecondBits = 30 // below the seconds, in the first word of a time with a monotonic reading
	was := at
	*(*uint64)(unsafe.Pointer(&at)) += uint64(step/time.Second) << nanosecondBits
	require.Equal(t, step, at.Round(0).Sub(was.Round(0)), "the layout of a time.Time has changed")
	require.Zero(t, at.Sub(was), "the layout of a time.Time has changed")
	return at
}

// newSetWheel makes a wheel after whose New the wall clock has been set by step.
func newSetWheel(t testing.TB, o Options, step time.Duration) *Wheel {
	t.Helper()
	w := newTestWheel(t, o)
	w.base = setBy(t, w.base, -step)
	return w
}

// requireShown checks that the wall clock shows want at got, and not a time that is off by the
// step: a loaded machine may take its time.
func requireShown(t testing.TB, want, got time.Time, step time.Duration) {
	t.Helper()
	require.True(t, hasMonotonic(got), "no monotonic reading")
	off := got.Round(0).Sub(want.Round(0))
	require.Less(t, off.Abs(), step.Abs()/2, "%v, and not %v", got, want)
}

var clockSteps = []time.Duration{time.Hour, -time.Hour, 20 * 365 * 24 * time.Hour, -20 * 365 * 24 * time.Hour}

func forEachStep(t *testing.T, f func(t *testing.T, step time.Duration)) {
	for _, step := range clockSteps {
		t.Run(fmt.Sprint(step), func(t *testing.T) { f(t, step) })
	}
}

// Promise 3.16: a time without a monotonic reading is compared with the wall clock as it is at the
// call, and one with such a reading goes by that.
func TestADeadlineGoesByTheClockAsItIsAtTheCall(t *testing.T) {
	forEachStep(t, func(t *testing.T, step time.Duration) {
		w := newSetWheel(t, Options{}, step)
		fired := make(chan time.Time, 1)
		tm := w.Alloc(func(Timer) { fired <- time.Now() })
		require.NoError(t, tm.RegisterAt(time.Now().Round(0).Add(20*time.Minute)))
		when, ok := tm.When()
		require.True(t, ok)
		requireShown(t, time.Now().Add(20*time.Minute), when, step)

		const soon = 20 * time.Millisecond
		before := time.Now()
		at := time.Now().Round(0).Add(soon)
		require.NoError(t, tm.RegisterAt(at))
		got := receive(t, fired)
		// By both readings, as the machine's clock may be set in between.
		early := got.Round(0).Before(at) && got.Sub(before) < soon
		require.False(t, early, "early: %v, and not %v", got, at)

		at = time.Now().Add(20 * time.Minute)
		require.NoError(t, tm.RegisterAt(setBy(t, at, 3*step)), "its wall clock does not count")
		when, ok = tm.When()
		require.True(t, ok)
		require.Zero(t, when.Sub(at))
	})
}

// Promise 3.16: a time that the clock does not reach is never, and one in the past is now.
func TestFarDeadlinesWhateverTheClockWasSetTo(t *testing.T) {
	forEachStep(t, func(t *testing.T, step time.Duration) {
		w := newSetWheel(t, Options{MaxWorkers: 1}, step)
		end := make(chan struct{})
		defer close(end)
		begun := make(chan struct{})
		w.AfterFunc(0, func() { close(begun); <-end }) // nothing else fires
		receive(t, begun)
		tm := w.Alloc(func(Timer) {})
		for _, year := range []int{1, 1677, 1884, 1970} {
			before := w.elapsed()
			require.NoError(t, tm.RegisterAt(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)), year)
			_, s := tm.shard().lookup(tm)
			require.GreaterOrEqual(t, s.When, before, "%d: its deadline is the time of the call", year)
			require.LessOrEqual(t, s.When, w.elapsed(), year)
		}
		for _, year := range []int{2100, 2158, 2300, 9999, 1 << 20} {
			require.NoError(t, tm.RegisterAt(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)), year)
			when, ok := tm.When()
			require.True(t, ok)
			require.Greater(t, when.Year(), min(year, 2300)-2, year)
			if year > 2400 {
				_, s := tm.shard().lookup(tm)
				require.EqualValues(t, int64(never), s.When, year)
			}
		}
	})
}

// Promise 3.17: what the wheel says follows the clock, and has a monotonic reading.
func TestWhatTheWheelSaysFollowsTheClock(t *testing.T) {
	forEachStep(t, func(t *testing.T, step time.Duration) {
		stalls := make(chan Stall, 2)
		w := newSetWheel(t, Options{StallAfter: time.Millisecond, OnStall: func(s Stall) { stalls <- s }}, step)
		begun, end := make(chan struct{}), make(chan struct{})
		letGo := sync.OnceFunc(func() { close(end) })
		defer letGo()
		running := w.AfterFunc(0, func() { close(begun); <-end })
		receive(t, begun)
		pending := w.AfterFunc(20*time.Minute, func() {})

		requireShown(t, time.Now(), w.Now(), step)
		when, ok := pending.When()
		require.True(t, ok)
		requireShown(t, time.Now().Add(20*time.Minute), when, step)
		again, _ := pending.When()
		require.True(t, when.Equal(again), "two answers are one time")
		require.True(t, pending.Stop())

		next, ok := w.Next()
		require.False(t, ok, next)
		w.AfterFunc(time.Minute, func() {})
		next, ok = w.Next()
		require.True(t, ok)
		requireShown(t, time.Now(), next, step)

		in := w.Inspect()
		for what, at := range map[string]time.Time{"Start": in.Start, "Now": in.Now, "Next": in.Next, "Since": in.Runs[0].Since, "Running": w.Running()[0].Since} {
			require.True(t, hasMonotonic(at), what)
			requireShown(t, time.Now(), at, step)
		}
		require.Zero(t, in.Start.Sub(w.base), "tick 0 begins then")

		deleted := make(chan struct{})
		go func() { defer close(deleted); _, _ = running.DelSync() }()
		for range 2 { // the run, and the wait
			requireShown(t, time.Now(), receive(t, stalls).Since, step)
		}
		requireShown(t, time.Now(), w.Inspect().Runs[0].Waits[0].Since, step)
		letGo()
		receive(t, deleted)
	})
}

// Promise 3.18: a Manual wheel's time is its host's, and no clock is read.
func TestAManualWheelReadsNoClock(t *testing.T) {
	forEachStep(t, func(t *testing.T, step time.Duration) {
		w := newSetWheel(t, Options{Manual: true}, step)
		tm := w.Alloc(func(Timer) {})
		at := w.base.Add(time.Minute)
		require.NoError(t, tm.RegisterAt(at.Round(0)))
		when, ok := tm.When()
		require.True(t, ok)
		require.Equal(t, at, when)
		next, ok := w.Next()
		require.True(t, ok)
		require.False(t, next.After(at))
		require.Equal(t, w.base, w.Inspect().Start)
	})
}

// A time far from now is translated without an overflow.
func TestTimeAtTheEndsOfTime(t *testing.T) {
	w := newTestWheel(t, Options{})
	for _, at := range []int64{0, 1, math.MaxInt64 - 1, math.MaxInt64} {
		got := w.timeAt(at)
		require.InDelta(t, float64(at), float64(got.Round(0).Sub(w.base.Round(0))), float64(time.Minute), at)
	}

}
