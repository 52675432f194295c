package timerwheel_test

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
)

// Promise 2.61: Timers yields each pending timer once, with its deadline, and nothing else.
func TestTimersYieldsEachPendingTimerOnce(t *testing.T) {
	for _, manual := range []bool{false, true} {
		name := map[bool]string{false: "of its own time", true: "Manual"}[manual]
		bubble(t, name, timerwheel.Options{Manual: manual}, func(t *testing.T, w *timerwheel.Wheel) {
			for range w.Timers() {
				require.Fail(t, "nothing pends")
			}
			want := make(map[timerwheel.Timer]time.Time)
			g := w.NewGroup()
			for i := range time.Duration(3_000) { // some chunks of them
				d := time.Hour + i*time.Second
				tm := w.Alloc(delIgnore)
				switch i % 6 {
				case 0:
					tm = w.AfterFunc(d, func() {})
				case 1:
					tm = g.Every(d, delIgnore)
				case 2:
					tm = w.AllocLocked(new(sync.Mutex), delIgnore)
				case 3:
					continue // idle
				case 4:
					armed(tm, time.Minute)
				case 5:
					armed(tm, d).Del()
					continue
				}
				if !tm.Pending() || i%6 == 4 {
					armed(tm, d)
				}
				want[tm] = w.Now().Add(d)
			}
			got := make(map[timerwheel.Timer]time.Time)
			for tm, when := range w.Timers() {
				require.True(t, got[tm].IsZero(), "twice")
				require.True(t, when.Equal(want[tm]), "%v, not %v", when, want[tm])
				got[tm] = when
			}
			require.Len(t, got, len(want))
		})
	}
	bubble(t, "due, and in line", timerwheel.Options{MaxWorkers: 1}, func(t *testing.T, w *timerwheel.Wheel) {
		runs, _ := newRun(t, w)
		waits := w.AfterFunc(time.Second, func() {})
		require.NoError(t, runs.Register(time.Second))
		elapse(time.Minute)
		var got []timerwheel.Timer
		for tm := range w.Timers() {
			got = append(got, tm)
		}
		require.ElementsMatch(t, []timerwheel.Timer{runs, waits}, got)
	})
	bubble(t, "closed", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		w.AfterFunc(time.Hour, func() {})
		require.NoError(t, w.Close())
		for range w.Timers() {
			require.Fail(t, "nothing pends")
		}
	})
}

// Promise 2.61: the loop's body holds no lock of the wheel, may call anything, and may end the
// loop. An iterator can be used again.
func TestTimersBodyMayDoAnything(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		for i := range time.Duration(1_000) {
			w.AfterFunc(time.Hour+i, func() {})
		}
		timers := w.Timers()
		n := 0
		for tm := range timers {
			if n++; n == 500 {
				break
			}
			require.True(t, tm.Move(2*time.Hour))
			requireLaw(t, w.Stats())
		}
		for tm := range timers {
			require.Equal(t, foundPending, tm.Del())
			w.AfterFunc(time.Millisecond, func() {})
			settle()
			for range timers { // one within the other
				break
			}
		}
		require.Zero(t, w.Stats().Pending)
		require.NoError(t, w.Close())
	})
}

// Promise 2.61: beside timers that come, go and move, what is pending all the time is yielded,
// once, and what is yielded had been pending.
func TestTimersBesideChanges(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	stay := make([]timerwheel.Timer, 2_000)
	for i := range stay {
		stay[i] = armed(w.Alloc(delIgnore), time.Hour)
	}
	idle := w.Alloc(delIgnore)
	var done atomic.Bool
	var others sync.WaitGroup
	for g := range 3 {
		others.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(g)))
			for ; !done.Load(); runtime.Gosched() {
				stay[rng.IntN(len(stay))].Move(time.Hour + time.Duration(rng.Int64N(int64(time.Hour))))
				w.AfterFunc(time.Duration(rng.Int64N(int64(time.Millisecond))), func() {})
				w.AfterFunc(time.Hour, func() {}).Del()
			}
		})
	}
	for range raceRounds(100) {
		seen := make(map[timerwheel.Timer]int)
		for tm := range w.Timers() {
			seen[tm]++
		}
		require.NotContains(t, seen, idle)
		for tm, n := range seen {
			if n != 1 {
				require.Equal(t, 1, n, tm)
			}
		}
		require.False(t, slices.ContainsFunc(stay, func(tm timerwheel.Timer) bool { return seen[tm] == 0 }), "one was pending all the time")
	}
	done.Store(true)
	within(t, others.Wait)
}
