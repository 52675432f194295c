package timerwheel_test

import (
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
)

// Promise 2.65: Due is exact, to the tick, where all workers are blocked, however many timers are due, on
// whatever level they stand, and wherever they were moved.
func TestDueIsExactWhenAllWorkersAreBlocked(t *testing.T) {
	for _, n := range []int{5, 300, 5000} {
		bubble(t, "", timerwheel.Options{MaxWorkers: 1}, func(t *testing.T, w *timerwheel.Wheel) {
			random := rand.New(rand.NewPCG(uint64(n), 7))
			anyTime := func() time.Duration { // mostly in the first level, and up to an hour
				return time.Duration(1+random.Int64N(int64(time.Hour)>>random.IntN(20))).Truncate(time.Millisecond/2) + 1
			}
			start := time.Now()
			saturate(t, w)
			deadlines := map[timerwheel.Timer]time.Time{}
			for range n {
				tm := w.Alloc(delIgnore)
				d := anyTime()
				armed(tm, d)
				deadlines[tm] = time.Now().Add(d)
			}
			for step := time.Duration(0); step < time.Hour; step += step/3 + time.Millisecond {
				time.Sleep(step / 3)
				for tm, deadline := range deadlines { // some are pushed back, or deleted, due or not
					switch random.IntN(50) {
					case 0:
						d := time.Until(deadline) + anyTime()
						if random.IntN(2) == 0 {
							d = anyTime()
						}
						armed(tm, d)
						deadlines[tm] = time.Now().Add(max(0, d))
					case 1:
						require.True(t, tm.Stop())
						delete(deadlines, tm)
					}
				}
				due, past := 0, 0 // what was registered for at once is due before its tick has ended
				for _, deadline := range deadlines {
					if deadline.Sub(start) <= time.Since(start).Truncate(time.Millisecond) {
						due++
					}
					if !deadline.After(time.Now()) {
						past++
					}
				}
				s := w.Stats()
				require.GreaterOrEqual(t, s.Due, due, "after %v", time.Since(start))
				require.LessOrEqual(t, s.Due, past, "after %v", time.Since(start))
				require.Equal(t, len(deadlines), s.Pending)
				requireLaw(t, s)
			}
			require.Positive(t, w.Stats().Due)
		})
	}
}

// Promise 2.65. Stats allocates for each word of 64 buckets that it looks at. Here the words whose time has come
// are empty, and the occupied ones are in the future, so it looks at none.
func TestStatsAllocatesLittle(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		for k := range 40 {
			w.AfterFunc(1500*time.Millisecond+time.Duration(k)*64*time.Millisecond, func() {})
		}
		time.Sleep(1400 * time.Millisecond)
		require.Less(t, testing.AllocsPerRun(100, func() { w.Stats() }), 30*float64(runtime.GOMAXPROCS(0)))
	})
}

// Promise 2.65: what is due again while it runs, and what waits for its lock, is due and has not begun.
func TestDueCountsWhatIsHeldBack(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		tm, p := newRun(t, w)
		armed(tm, time.Second)
		require.Zero(t, w.Stats().Due)
		elapse(time.Second)
		require.Equal(t, 1, w.Stats().Due)
		l := newLockProbe(t)
		l.take()
		armed(w.AllocLocked(l, delIgnore), 0)
		settle()
		require.Equal(t, 2, w.Stats().Due)
		l.drop()
		p.let()
		settle()
		require.Zero(t, w.Stats().Due)
		require.NoError(t, w.Close())
		require.Zero(t, w.Stats().Due)
	})
}

// Promise 2.65: on a Manual wheel too, in its time.
func TestDueOfAManualWheel(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Manual: true, Start: time.Unix(0, 0), MaxWorkers: 7})
	seen := -1
	for range 3 {
		w.AfterFunc(time.Second, func() {
			if seen < 0 {
				w.AfterFunc(0, func() {})
				seen = w.Stats().Due
			}
		})
	}
	w.AfterFunc(time.Hour, func() {})
	require.Zero(t, w.Stats().Due)
	fired, err := w.Advance(time.Unix(1, 0))
	require.NoError(t, err)
	require.Equal(t, 3, fired)
	require.Equal(t, 3, seen, "two are in line, and one is left to the next Advance")
	require.Equal(t, 1, w.Stats().Due)
	require.Equal(t, 7, w.Stats().MaxWorkers)
}
