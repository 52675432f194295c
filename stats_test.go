package timerwheel_test

import (
	"context"
	"math"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
)

// Promises 2.11, 2.34 and 2.36: what each event in the life of a timer does to Live, Pending and
// Running, and to Registered, Fired and Removed.
func TestStatsFollowTheLifeOfATimer(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		h := newPuppet(t)
		var tm timerwheel.Timer
		for _, step := range []struct {
			name string
			do   func()
			want timerwheel.Stats // but for Workers, Bytes, and what handlers took
		}{
			{"new", func() {}, timerwheel.Stats{}},
			{"Alloc", func() { tm = w.Alloc(h.handle) }, timerwheel.Stats{Live: 1}},
			{"Retain", func() { require.NoError(t, tm.Retain()) }, timerwheel.Stats{Live: 1}},
			{"Register", func() { require.NoError(t, tm.Register(time.Hour)) }, timerwheel.Stats{Live: 1, Pending: 1, Registered: 1}},
			{"Register that moves", func() { require.NoError(t, tm.Register(time.Minute)) }, timerwheel.Stats{Live: 1, Pending: 1, Registered: 1}},
			{"Del", func() { tm.Stop() }, timerwheel.Stats{Live: 1, Registered: 1, Removed: 1}},
			{"Del of an idle timer", func() { tm.Stop() }, timerwheel.Stats{Live: 1, Registered: 1, Removed: 1}},
			{"Register anew", func() { tm.Reset(time.Minute) }, timerwheel.Stats{Live: 1, Pending: 1, Registered: 2, Removed: 1}},
			{"Free", func() { require.NoError(t, tm.Free()) }, timerwheel.Stats{Live: 1, Pending: 1, Registered: 2, Removed: 1}},
			{"handler begins", func() { elapse(time.Hour) }, timerwheel.Stats{Live: 1, Running: 1, Registered: 2, Fired: 1, Removed: 1}},
			{"Register during the run", func() { require.NoError(t, tm.Register(time.Minute)) },
				timerwheel.Stats{Live: 1, Running: 1, Pending: 1, Registered: 3, Fired: 1, Removed: 1}},
			{"due during the run", func() { elapse(time.Hour) },
				timerwheel.Stats{Live: 1, Running: 1, Pending: 1, Due: 1, Registered: 3, Fired: 1, Removed: 1}},
			{"Del during the run", func() { tm.Stop() }, timerwheel.Stats{Live: 1, Running: 1, Registered: 3, Fired: 1, Removed: 2}},
			{"Free of the last owner during the run", func() { require.NoError(t, tm.Free()) },
				timerwheel.Stats{Live: 1, Running: 1, Registered: 3, Fired: 1, Removed: 2}},
			{"handler returns", func() { h.let(); elapse(0) }, timerwheel.Stats{Registered: 3, Fired: 1, Removed: 2}},
			{"Register of a stale handle", func() { _ = tm.Register(0) },
				timerwheel.Stats{Registered: 3, Fired: 1, Removed: 2, Refused: 1, Misuses: 1}},
			{"AfterFunc", func() { w.AfterFunc(time.Hour, func() {}) },
				timerwheel.Stats{Live: 1, Pending: 1, Registered: 4, Fired: 1, Removed: 2, Refused: 1, Misuses: 1}},
			{"Every", func() { w.Every(time.Hour, func(timerwheel.Timer) {}) },
				timerwheel.Stats{Live: 2, Pending: 2, Registered: 5, Fired: 1, Removed: 2, Refused: 1, Misuses: 1}},
			{"both fired", func() { elapse(time.Hour + time.Minute) },
				timerwheel.Stats{Live: 1, Pending: 1, Registered: 6, Fired: 3, Removed: 2, Refused: 1, Misuses: 1}},
			{"Close", func() { require.NoError(t, w.Close()) }, timerwheel.Stats{Registered: 6, Fired: 3, Removed: 3, Refused: 1, Misuses: 1}},
		} {
			step.do()
			got := w.Stats()
			requireLaw(t, got)
			require.Equal(t, 256, got.MaxWorkers)
			got.Workers, got.MaxWorkers, got.MaxLate, got.SumLate, got.MaxRun, got.SumRun, got.Bytes = 0, 0, 0, 0, 0, 0, 0
			got.Lateness, got.RunTime = [len(got.Lateness)]uint64{}, [len(got.RunTime)]uint64{}
			require.Equal(t, step.want, got, step.name)
		}
	})
}

// Promises 2.35, 4.24 and 9.12.
func TestStatsWorkersAreThereOnlyForWhatIsDue(t *testing.T) {
	bubble(t, "", timerwheel.Options{MaxWorkers: 8}, func(t *testing.T, w *timerwheel.Wheel) {
		require.Zero(t, w.Stats().Workers)
		w.AfterFunc(24*time.Hour, func() {})
		elapse(time.Second)
		require.Zero(t, w.Stats().Workers, "nothing is due")

		h := newPuppet(t)
		for n := range 5 {
			startRun(t, w.Alloc(h.handle))
			stats := w.Stats()
			require.Equal(t, n+1, stats.Running)
			require.GreaterOrEqual(t, stats.Workers, n+1, "each handler in flight has a goroutine")
		}
		h.let()
		synctest.Wait() // no time passes
		require.Zero(t, w.Stats().Workers)
		require.Zero(t, w.Stats().Running)

		// A done runs on a goroutine of the wheel.
		done := newPuppet(t)
		w.Alloc(func(timerwheel.Timer) {}).DelAsync(func() { done.handle(timerwheel.Timer{}) })
		synctest.Wait()
		require.EqualValues(t, 1, done.begun.Load())
		require.Equal(t, 1, w.Stats().Workers)
		done.let()
		synctest.Wait()
		require.Zero(t, w.Stats().Workers)
		require.NoError(t, w.Close())
		require.Zero(t, w.Stats().Workers)
	})
}

// Promises 2.37 and 12.8.
func TestStatsRefusedCountsEveryReason(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		want := uint64(0)
		counts := func(what string, refusals uint64, do func()) {
			t.Helper()
			do()
			want += refusals
			require.Equal(t, want, w.Stats().Refused, what)
		}
		idle := func() timerwheel.Timer { return w.Alloc(func(timerwheel.Timer) {}) }

		stale := idle()
		require.NoError(t, stale.Free())
		counts("stale", refusals, func() { requireStale(t, stale) })

		shut := idle()
		shut.Shutdown()
		counts("shut down", refusals, func() { requireRefused(t, w, shut, timerwheel.ErrShutdown) })

		running, h := newRun(t, w)
		require.True(t, deleting(running.DelSync).waits())
		counts("deleting", refusals, func() { requireRefused(t, w, running, timerwheel.ErrDeleting) })
		h.let()
		elapse(time.Second)

		group := w.NewGroup()
		group.Shutdown()
		counts("born shut down", refusals, func() { requireRefused(t, w, group.Alloc(func(timerwheel.Timer) {}), timerwheel.ErrShutdown) })
		counts("AfterFunc of a group that is shut down", 1, func() { require.False(t, group.AfterFunc(0, func() {}).Valid()) })
		counts("Every of a group that is shut down", 1, func() { require.False(t, group.Every(1, func(timerwheel.Timer) {}).Valid()) })

		pending := idle()
		counts("what is granted", 0, func() {
			require.NoError(t, pending.Register(time.Minute))
			require.NoError(t, pending.Reduce(time.Hour))
			_ = pending.Reset(time.Hour)
			require.True(t, pending.Stop())
			require.False(t, pending.Stop())
		})

		require.NoError(t, w.Close())
		counts("closed", refusals, func() { requireRefused(t, w, idle(), timerwheel.ErrClosed) })
		counts("AfterFunc of a closed wheel", 1, func() { require.False(t, w.AfterFunc(0, func() {}).Valid()) })
		counts("Every of a closed wheel", 1, func() { require.False(t, w.Every(1, func(timerwheel.Timer) {}).Valid()) })
	})
}

// Promises 2.38, 12.3 and 12.5.
func TestStatsSyncWaitsCountsWaitsThatBegan(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		h := newPuppet(t)
		group := w.NewGroup()
		var members []timerwheel.Timer
		for range 3 {
			members = append(members, group.Alloc(h.handle))
		}
		tm := members[0]

		finds(t, foundNone)(tm.DelSync())
		finds(t, foundPending)(armed(tm, time.Hour).DelSync())
		tm.DelAsync(func() {})
		finds(t, foundNone)(timerwheel.Timer{}.DelSync())
		elapse(0)
		require.Zero(t, w.Stats().SyncWaits, "no deletion has waited")

		for _, tm := range members {
			startRun(t, tm)
		}
		tm.Del()
		require.Zero(t, w.Stats().SyncWaits, "Del does not wait")

		waits := func(want uint64) {
			t.Helper()
			synctest.Wait()
			require.Equal(t, want, w.Stats().SyncWaits)
		}
		deleting(tm.DelSync)
		waits(1)
		deleting(tm.DelSync)
		waits(2)
		tm.DelAsync(func() {})
		waits(3)
		deleting(tm.ShutdownSync)
		waits(4)
		require.Equal(t, []int{4}, waitersOf(w, tm))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := tm.DelSyncContext(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		waits(5)
		deleting(group.DelSync) // for three handlers
		waits(6)
		h.let()
		waits(6)
		finds(t, foundNone)(members[1].DelSync())
		waits(6)
	})
}

// Promise 2.39. A timer that is due again while it runs is due then: what its own run delays is
// late like any other.
func TestStatsMaxLateIsTheWorstStartAfterItsDeadline(t *testing.T) {
	const tick = time.Millisecond
	bubble(t, "", timerwheel.Options{Tick: tick, MaxWorkers: 2}, func(t *testing.T, w *timerwheel.Wheel) {
		require.Zero(t, w.Stats().MaxLate)
		w.AfterFunc(10*time.Millisecond, func() {})
		elapse(time.Second)
		require.LessOrEqual(t, w.Stats().MaxLate, 2*tick)

		for _, self := range []bool{false, true} {
			for _, by := range []time.Duration{300 * time.Millisecond, 40 * time.Millisecond, 2 * time.Second, time.Second} {
				if self {
					by *= 4
				}
				p := newPuppet(t)
				tm := w.Alloc(p.handle)
				startRun(t, tm)
				if !self { // all workers are busy
					startRun(t, w.Alloc(p.handle))
					tm = w.Alloc(func(timerwheel.Timer) {})
				}
				before := w.Stats().MaxLate
				armed(tm, 10*time.Millisecond)
				elapse(10*time.Millisecond + by)
				p.let()
				elapse(time.Second)
				require.InDelta(t, max(before, by), w.Stats().MaxLate, float64(2*tick))
			}
		}
	})
}

// Promise 2.45: Lateness counts every firing in its bucket, and SumLate adds them up, and stops at
// what a Duration can hold. A Manual wheel is as late as its host makes it.
func TestStatsLatenessCountsEveryFiring(t *testing.T) {
	w := openManual(t, 0)
	start := w.Now()
	var want timerwheel.Stats
	for _, c := range []struct {
		late   time.Duration
		bucket int
	}{
		{0, 0}, {999 * time.Nanosecond, 0}, {time.Microsecond, 1}, {1999 * time.Nanosecond, 1},
		{2 * time.Microsecond, 2}, {3 * time.Microsecond, 2}, {4 * time.Microsecond, 3},
		{time.Millisecond, 10}, {time.Second, 20}, {8 * time.Second, 23}, {9 * time.Second, 24},
		{time.Hour, 24}, {100 * 365 * 24 * time.Hour, 24}, {time.Second, 20},
	} {
		deadline := start.Add(w.Now().Sub(start).Truncate(time.Second) + time.Second) // the end of a tick
		require.NoError(t, w.Alloc(func(timerwheel.Timer) {}).RegisterAt(deadline))
		advanceTo(t, w, deadline.Add(c.late), 1)
		want.Lateness[c.bucket]++
		want.SumLate += c.late
		want.MaxLate = max(want.MaxLate, c.late)
		got := w.Stats()
		require.Equal(t, want.Lateness, got.Lateness, "%v late", c.late)
		require.Equal(t, want.SumLate, got.SumLate)
		require.Equal(t, want.MaxLate, got.MaxLate)
	}

	for range 3 { // with the hundred years above, more than a Duration can hold
		w.AfterFunc(0, func() {})
	}
	advanceTo(t, w, w.Now().Add(150*365*24*time.Hour), 3)
	require.EqualValues(t, int64(math.MaxInt64), w.Stats().SumLate)
}

// Promises 2.46 and 2.47: however the run has ended.
func TestStatsRunTimeCountsEveryRunThatHasEnded(t *testing.T) {
	bubble(t, "", timerwheel.Options{OnPanic: func(timerwheel.HandlerPanic) {}}, func(t *testing.T, w *timerwheel.Wheel) {
		var want timerwheel.Stats
		for _, c := range []struct {
			run    time.Duration
			bucket int
			end    func()
		}{
			{0, 0, func() {}},
			{time.Microsecond - 1, 0, func() {}},
			{time.Microsecond, 1, func() {}},
			{2*time.Microsecond - 1, 1, runtime.Goexit},
			{2 * time.Microsecond, 2, func() { panic("at last") }},
			{time.Microsecond<<23 - 1, 23, func() {}},
			{time.Microsecond << 23, 24, func() {}},
			{24 * time.Hour, 24, func() {}},
			{time.Microsecond, 1, func() {}}, // MaxRun is the longest, not the last
		} {
			w.AfterFunc(0, func() {
				time.Sleep(c.run)
				c.end()
			})
			if c.run > 0 {
				elapse(c.run / 2)
				require.Equal(t, want.RunTime, w.Stats().RunTime, "a run that has not ended counts")
				require.Equal(t, want.MaxRun, w.Stats().MaxRun, "a run that has not ended counts")
			}
			elapse(48 * time.Hour)
			want.RunTime[c.bucket]++
			want.SumRun += c.run
			want.MaxRun = max(want.MaxRun, c.run)
			got := w.Stats()
			require.Equal(t, want.RunTime, got.RunTime, "%v", c.run)
			require.Equal(t, want.SumRun, got.SumRun)
			require.Equal(t, want.MaxRun, got.MaxRun)
		}
	})
}
