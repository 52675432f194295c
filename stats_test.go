package timerwheel_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
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

// ---- One field after the other ----

// Contract 2, Stats: "Live, Pending, Running": what each event in the life of a timer does
// to them, and to "Registered, Fired, Removed".
func TestStatsFollowTheLifeOfATimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wheelFor(t, timerwheel.Options{})
		h := parkHandler(t)
		var tm timerwheel.Timer
		for _, step := range []struct {
			name string
			do   func()
			want timerwheel.Stats // but for Workers, Bytes, and what handlers took
		}{
			{"new", func() {}, timerwheel.Stats{}},
			{"Alloc", func() { tm = w.Alloc(func(timerwheel.Timer) { h.run() }) },
				timerwheel.Stats{Live: 1}},
			{"Retain", func() { require.NoError(t, tm.Retain()) },
				timerwheel.Stats{Live: 1}},
			{"Register", func() { require.NoError(t, tm.Register(time.Hour)) },
				timerwheel.Stats{Live: 1, Pending: 1, Registered: 1}},
			{"Register that moves", func() { require.NoError(t, tm.Register(time.Minute)) },
				timerwheel.Stats{Live: 1, Pending: 1, Registered: 1}},
			{"Del", func() { tm.Stop() },
				timerwheel.Stats{Live: 1, Registered: 1, Removed: 1}},
			{"Del of an idle timer", func() { tm.Stop() },
				timerwheel.Stats{Live: 1, Registered: 1, Removed: 1}},
			{"Register anew", func() { tm.Reset(time.Minute) },
				timerwheel.Stats{Live: 1, Pending: 1, Registered: 2, Removed: 1}},
			{"Free", func() { require.NoError(t, tm.Free()) },
				timerwheel.Stats{Live: 1, Pending: 1, Registered: 2, Removed: 1}},
			{"handler begins", func() { elapse(time.Hour) },
				timerwheel.Stats{Live: 1, Running: 1, Registered: 2, Fired: 1, Removed: 1}},
			{"Register during the run", func() { require.NoError(t, tm.Register(time.Minute)) },
				timerwheel.Stats{Live: 1, Running: 1, Pending: 1, Registered: 3, Fired: 1, Removed: 1}},
			{"due during the run", func() { elapse(time.Hour) },
				timerwheel.Stats{Live: 1, Running: 1, Pending: 1, Registered: 3, Fired: 1, Removed: 1}},
			{"Del during the run", func() { tm.Stop() },
				timerwheel.Stats{Live: 1, Running: 1, Registered: 3, Fired: 1, Removed: 2}},
			{"Free of the last owner during the run", func() { require.NoError(t, tm.Free()) },
				timerwheel.Stats{Live: 1, Running: 1, Registered: 3, Fired: 1, Removed: 2}},
			{"handler returns", func() { h.release(); elapse(0) },
				timerwheel.Stats{Registered: 3, Fired: 1, Removed: 2}},
			{"Register of what is gone", func() { _ = tm.Register(0) },
				timerwheel.Stats{Registered: 3, Fired: 1, Removed: 2, Refused: 1, Misuses: 1}},
			{"AfterFunc", func() { w.AfterFunc(time.Hour, func() {}) },
				timerwheel.Stats{Live: 1, Pending: 1, Registered: 4, Fired: 1, Removed: 2, Refused: 1, Misuses: 1}},
			{"Every", func() { w.Every(time.Hour, func(timerwheel.Timer) {}) },
				timerwheel.Stats{Live: 2, Pending: 2, Registered: 5, Fired: 1, Removed: 2, Refused: 1, Misuses: 1}},
			{"both fired", func() { elapse(time.Hour + time.Minute) },
				timerwheel.Stats{Live: 1, Pending: 1, Registered: 6, Fired: 3, Removed: 2, Refused: 1, Misuses: 1}},
			{"Close", func() { require.NoError(t, w.Close()) },
				timerwheel.Stats{Registered: 6, Fired: 3, Removed: 3, Refused: 1, Misuses: 1}},
		} {
			step.do()
			got := w.Stats()
			requireLaw(t, got)
			got.Workers, got.MaxLate, got.SumLate, got.MaxRun, got.SumRun, got.Bytes = 0, 0, 0, 0, 0, 0
			got.Lateness, got.RunTime = [len(got.Lateness)]uint64{}, [len(got.RunTime)]uint64{}
			require.Equal(t, step.want, got, step.name)
		}
	})
}

// Contract 2, Stats: "Workers: goroutines of the wheel"; 9: "A wheel with nothing due and
// nothing running has no goroutine, at once, without lingering".
func TestStatsWorkersAreThereOnlyForWhatIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wheelFor(t, timerwheel.Options{MaxWorkers: 8})
		require.Zero(t, w.Stats().Workers)
		w.AfterFunc(24*time.Hour, func() {})
		elapse(time.Second)
		require.Zero(t, w.Stats().Workers, "nothing is due")

		var parked []*parkedHandler
		for n := range 5 {
			h := parkHandler(t)
			parked = append(parked, h)
			w.AfterFunc(time.Millisecond, h.run)
			elapse(time.Second)
			stats := w.Stats()
			require.Equal(t, n+1, stats.Running)
			require.GreaterOrEqual(t, stats.Workers, n+1, "each handler in flight has a goroutine")
		}
		for _, h := range parked {
			h.release()
		}
		synctest.Wait() // no time passes
		require.Zero(t, w.Stats().Workers)
		require.Zero(t, w.Stats().Running)

		// Contract 4: "done runs on a goroutine of the wheel".
		done := parkHandler(t)
		w.Alloc(func(timerwheel.Timer) {}).DelAsync(done.run)
		synctest.Wait()
		require.EqualValues(t, 1, done.started.Load())
		require.Equal(t, 1, w.Stats().Workers)
		done.release()
		synctest.Wait()
		require.Zero(t, w.Stats().Workers)
		require.NoError(t, w.Close())
		require.Zero(t, w.Stats().Workers)
	})
}

// Contract 2, Stats: "Refused: Registers refused, for whatever reason"; 12: "An AfterFunc
// or Every that returns an invalid Timer counts in Refused."
func TestStatsRefusedCountsEveryReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wheelFor(t, timerwheel.Options{})
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
		counts("stale", 4, func() { requireStale(t, stale) })

		shut := idle()
		_, err := shut.ShutdownSync()
		require.NoError(t, err)
		counts("shut down", 4, func() { refuseAll(t, shut, timerwheel.ErrShutdown) })

		h := parkHandler(t)
		deleting := w.Alloc(func(timerwheel.Timer) { h.run() })
		require.NoError(t, deleting.Register(0))
		elapse(time.Second)
		go func() { _, _ = deleting.DelSync() }()
		synctest.Wait()
		counts("deleting", 4, func() { refuseAll(t, deleting, timerwheel.ErrDeleting) })
		h.release()
		elapse(time.Second)

		group := w.NewGroup()
		_, err = group.ShutdownSync()
		require.NoError(t, err)
		counts("born shut down", 4, func() { refuseAll(t, group.Alloc(func(timerwheel.Timer) {}), timerwheel.ErrShutdown) })
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
		counts("closed", 4, func() { refuseAll(t, idle(), timerwheel.ErrClosed) })
		counts("AfterFunc of a closed wheel", 1, func() { require.False(t, w.AfterFunc(0, func() {}).Valid()) })
		counts("Every of a closed wheel", 1, func() { require.False(t, w.Every(1, func(timerwheel.Timer) {}).Valid()) })
	})
}

// Contract 2, Stats: "SyncWaits: deletions that had to wait, counted when the wait begins";
// 12: "A group deletion that waits counts once"; "A DelAsync that waits counts in SyncWaits
// and in Waiters".
func TestStatsSyncWaitsCountsWaitsThatBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wheelFor(t, timerwheel.Options{})
		h := parkHandler(t)
		group := w.NewGroup()
		var members []timerwheel.Timer
		for range 3 {
			members = append(members, group.Alloc(func(timerwheel.Timer) { h.run() }))
		}
		tm := members[0]

		del := func(tm timerwheel.Timer) {
			_, err := tm.DelSync()
			assert.NoError(t, err)
		}
		del(tm) // idle
		require.NoError(t, tm.Register(time.Hour))
		del(tm) // pending
		tm.DelAsync(func() {})
		del(timerwheel.Timer{})
		elapse(0)
		require.Zero(t, w.Stats().SyncWaits, "nobody waited")

		for _, tm := range members {
			require.NoError(t, tm.Register(0))
		}
		elapse(time.Second)
		require.EqualValues(t, 3, h.started.Load())
		tm.Del()
		require.Zero(t, w.Stats().SyncWaits, "Del does not wait")

		waits := func(want uint64) {
			t.Helper()
			synctest.Wait()
			require.Equal(t, want, w.Stats().SyncWaits)
		}
		go del(tm)
		waits(1)
		go del(tm)
		waits(2)
		tm.DelAsync(func() {})
		waits(3)
		go func() { _, _ = tm.ShutdownSync() }()
		waits(4)
		for _, r := range w.Running() {
			if r.Timer == tm {
				require.Equal(t, 4, r.Waiters)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := tm.DelSyncContext(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		waits(5)
		go func() { _, _ = group.DelSync() }() // for three handlers
		waits(6)
		h.release()
		waits(6)
		del(members[1])
		waits(6)
	})
}

// Contract 4, table: ErrDeadlock comes "at once": such a deletion has not waited.
func TestStatsSyncWaitsDoesNotCountADeadlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wheelFor(t, timerwheel.Options{})
		tm := w.Alloc(func(tm timerwheel.Timer) {
			_, err := tm.DelSync()
			assert.ErrorIs(t, err, timerwheel.ErrDeadlock)
		})
		require.NoError(t, tm.Register(0))
		elapse(time.Second)
		require.Zero(t, w.Stats().SyncWaits)
		require.EqualValues(t, 1, w.Stats().Fired)
	})
}

// Contract 2, Stats: "MaxLate: worst start after its deadline".
func TestStatsMaxLateIsTheWorstStartAfterItsDeadline(t *testing.T) {
	const tick = time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		w := wheelFor(t, timerwheel.Options{Tick: tick, MaxWorkers: 1})
		require.Zero(t, w.Stats().MaxLate)
		w.AfterFunc(10*time.Millisecond, func() {})
		elapse(time.Second)
		require.LessOrEqual(t, w.Stats().MaxLate, 2*tick)

		late := func(by time.Duration) { // a timer due while the only worker is kept busy that much longer
			h := parkHandler(t)
			w.AfterFunc(0, h.run)
			elapse(10 * tick)
			w.AfterFunc(10*time.Millisecond, func() {})
			elapse(10*time.Millisecond + by)
			h.release()
			elapse(time.Second)
		}
		worst := time.Duration(0)
		for _, by := range []time.Duration{300 * time.Millisecond, 40 * time.Millisecond, 2 * time.Second, time.Second} {
			late(by)
			worst = max(worst, by)
			require.InDelta(t, worst, w.Stats().MaxLate, float64(2*tick))
		}
	})
}

// Lateness counts every firing where its lateness belongs, and SumLate adds
// them up. A Manual wheel is as late as its host makes it.
func TestStatsLatenessCountsEveryFiring(t *testing.T) {
	w, err := timerwheel.New(timerwheel.Options{Manual: true})
	require.NoError(t, err)
	defer w.Close()
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
		fired, err := w.Advance(deadline.Add(c.late))
		require.NoError(t, err)
		require.Equal(t, 1, fired)
		want.Lateness[c.bucket]++
		want.SumLate += c.late
		want.MaxLate = max(want.MaxLate, c.late)
		got := w.Stats()
		require.Equal(t, want.Lateness, got.Lateness, "%v late", c.late)
		require.Equal(t, want.SumLate, got.SumLate)
		require.Equal(t, want.MaxLate, got.MaxLate)
	}
}

// SumLate stops at what a Duration can hold.
func TestStatsSumLateSaturates(t *testing.T) {
	w, err := timerwheel.New(timerwheel.Options{Manual: true})
	require.NoError(t, err)
	defer w.Close()
	long := w.Now()
	for range 4 {
		w.AfterFunc(0, func() {})
	}
	_, err = w.Advance(long.Add(150 * 365 * 24 * time.Hour))
	require.NoError(t, err)
	require.EqualValues(t, int64(math.MaxInt64), w.Stats().SumLate)
}

// MaxRun is the longest run that has ended, however it has ended.
func TestStatsMaxRunIsTheLongestRunThatHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wheelFor(t, timerwheel.Options{OnPanic: func(timerwheel.HandlerPanic) {}})
		for _, c := range []struct {
			run  func()
			want time.Duration
		}{
			{func() {}, 0},
			{func() { time.Sleep(time.Second) }, time.Second},
			{func() { time.Sleep(time.Millisecond) }, time.Second},
			{func() { time.Sleep(time.Minute); panic("at last") }, time.Minute},
			{func() { time.Sleep(time.Hour); runtime.Goexit() }, time.Hour},
		} {
			before := w.Stats().MaxRun
			w.AfterFunc(0, c.run)
			elapse(100 * time.Microsecond)
			require.Equal(t, before, w.Stats().MaxRun, "a run that has not ended counts")
			elapse(2 * time.Hour)
			require.Equal(t, c.want, w.Stats().MaxRun)
		}
	})
}

// RunTime counts every run that has ended, however it has ended, and SumRun adds
// them up.
func TestStatsRunTimeCountsEveryRunThatHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wheelFor(t, timerwheel.Options{OnPanic: func(timerwheel.HandlerPanic) {}})
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
		} {
			w.AfterFunc(0, func() {
				time.Sleep(c.run)
				c.end()
			})
			if c.run > 0 {
				elapse(c.run / 2)
				require.Equal(t, want.RunTime, w.Stats().RunTime, "a run that has not ended counts")
			}
			elapse(48 * time.Hour)
			want.RunTime[c.bucket]++
			want.SumRun += c.run
			got := w.Stats()
			require.Equal(t, want.RunTime, got.RunTime, "%v", c.run)
			require.Equal(t, want.SumRun, got.SumRun)
		}
	})
}

// Contract 3: "due again while running" is due then: what its own run delays is late like
// any other.
func TestStatsMaxLateCountsATimerThatWaitedForItself(t *testing.T) {
	const tick = time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		w := wheelFor(t, timerwheel.Options{Tick: tick})
		h := parkHandler(t)
		tm := w.Alloc(func(timerwheel.Timer) { h.run() })
		require.NoError(t, tm.Register(0))
		elapse(time.Second)
		require.NoError(t, tm.Register(time.Second))
		elapse(4 * time.Second)
		h.release()
		elapse(time.Second)
		require.EqualValues(t, 2, h.started.Load())
		require.InDelta(t, 3*time.Second, w.Stats().MaxLate, float64(2*tick))
	})
}

// Contract 2, Stats: "Bytes: storage held for timers": it follows the timers, up and down.
func TestStatsBytesFollowTheTimers(t *testing.T) {
	w := wheelFor(t, timerwheel.Options{})
	var timers []timerwheel.Timer
	last := int64(-1)
	for _, n := range []int{1, 10_000, 50_000} {
		for len(timers) < n {
			timers = append(timers, w.AfterFunc(time.Hour, func() {}))
		}
		bytes := w.Stats().Bytes
		require.Greater(t, bytes, last)
		require.GreaterOrEqual(t, bytes, int64(n*8))
		last = bytes
	}
	for _, tm := range timers {
		tm.Stop()
	}
	waitUntil(t, "the storage is given back", func() bool { return w.Stats().Bytes < last/10 })
}

// ---- The law ----

// Contract 2, Stats: "always, under any races: Registered == Fired + Removed + Pending",
// and "one consistent snapshot". Everything that changes the counters goes on at once, a
// Close in the middle of it included, while others take snapshots.
func TestStatsLawHoldsUnderRaces(t *testing.T) {
	for name, closeEarly := range map[string]bool{"open": false, "closing": true} {
		t.Run(name, func(t *testing.T) {
			rounds := 1
			if closeEarly {
				rounds = 8
			}
			for round := range rounds {
				lawUnderRaces(t, uint64(round), raceTime()/time.Duration(rounds), closeEarly)
			}
		})
	}
}

func lawUnderRaces(t *testing.T, seed uint64, duration time.Duration, closeEarly bool) {
	w := wheelFor(t, timerwheel.Options{Tick: 50 * time.Microsecond, MaxWorkers: 4, OnPanic: func(timerwheel.HandlerPanic) {}})
	until := time.Now().Add(duration)
	var locks [2]sync.Mutex
	shared := []timerwheel.Timer{ // what all fight for
		w.Alloc(func(timerwheel.Timer) {}),
		w.Alloc(func(tm timerwheel.Timer) { _ = tm.Register(0) }),
		w.Alloc(func(tm timerwheel.Timer) { _, _ = tm.DelSync() }),
		w.Alloc(func(tm timerwheel.Timer) { time.Sleep(20 * time.Microsecond) }),
		w.Alloc(func(tm timerwheel.Timer) { panic("as handlers do") }),
		w.AllocLocked(&locks[0], func(timerwheel.Timer) {}),
		w.AllocLocked(&locks[1], func(tm timerwheel.Timer) { _ = tm.Register(30 * time.Microsecond) }),
	}
	group := w.NewGroup()
	var fighters, watchers sync.WaitGroup
	for g := range uint64(4) {
		fighters.Go(func() {
			rng := rand.New(rand.NewPCG(seed, g))
			for time.Now().Before(until) {
				tm, d := shared[rng.IntN(len(shared))], time.Duration(rng.Int64N(int64(200*time.Microsecond)))
				switch rng.IntN(13) {
				case 0, 1, 2:
					_ = tm.Register(d)
				case 3:
					_ = tm.Reduce(d)
				case 4:
					tm.Del()
				case 5:
					_, _ = tm.DelSync()
				case 6:
					tm.DelAsync(func() {})
				case 7:
					_ = w.AfterFunc(d, func() {})
				case 8:
					defer w.Every(d+1, func(timerwheel.Timer) {}).Stop()
				case 9:
					series := group.Every(d+1, func(timerwheel.Timer) {})
					_ = group.AfterFunc(d, func() {})
					if _, err := group.DelSync(); err == nil && series.Valid() {
						series.Del() // another's group deletion came in between
					}
				case 10:
					lock := &locks[rng.IntN(len(locks))]
					lock.Lock()
					tm.Del()
					lock.Unlock()
				case 11:
					own := w.Alloc(func(timerwheel.Timer) {})
					_ = own.Register(d)
					if d%2 == 0 {
						_, _ = own.ShutdownSync()
					}
					_ = own.Free()
				case 12:
					_ = w.Alloc(func(timerwheel.Timer) {}).Free()
				}
			}
		})
	}
	var stop atomic.Bool
	for range 2 {
		watchers.Go(func() {
			var before timerwheel.Stats
			for !stop.Load() {
				now := w.Stats()
				if msg := lawBroken(now) + wentBack(before, now); msg != "" {
					t.Errorf("%s\nbefore: %+v\nnow:    %+v", msg, before, now)
					return
				}
				before = now
			}
		})
	}
	if closeEarly {
		time.Sleep(duration / 2) // somewhere in the middle; where exactly does not matter
		require.NoError(t, w.Close())
		closed := w.Stats()
		requireLaw(t, closed)
		require.Zero(t, closed.Pending, "Close drops what pends")
		require.Zero(t, closed.Running)
	}
	fighters.Wait()
	for _, tm := range shared {
		_, err := tm.ShutdownSync()
		require.NoError(t, err)
		require.NoError(t, tm.Free())
	}
	waitUntil(t, "all that pends has fired", func() bool { return w.Stats().Live == 0 })
	stop.Store(true)
	watchers.Wait()
	stats := w.Stats()
	requireLaw(t, stats)
	require.Zero(t, stats.Pending+stats.Running)
	if !closeEarly { // which may come before anything is due
		require.Positive(t, stats.Fired)
		require.Positive(t, stats.Removed)
	}
}

// ---- Running, Next, Now ----

// Contract 2: "Running: one per handler in flight", with its timer, its start and its waiters.
func TestRunningListsTheHandlersInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// With so long a tick, a start is far from its deadline.
		w := wheelFor(t, timerwheel.Options{Tick: time.Second})
		require.Empty(t, w.Running())
		const n = 4
		begun := make(map[timerwheel.Timer]time.Time, n)
		var parked []*parkedHandler
		var timers []timerwheel.Timer
		for i := range n {
			h := parkHandler(t)
			var log firingLog
			tm := w.Alloc(func(tm timerwheel.Timer) {
				log.run(tm)
				h.run()
			})
			require.NoError(t, tm.Register(time.Duration(i)*3*time.Second/10))
			elapse(time.Minute)
			require.Len(t, log.times(), 1)
			begun[tm] = log.times()[0]
			timers, parked = append(timers, tm), append(parked, h)
			for range i {
				go func() { _, _ = tm.DelSync() }()
			}
			elapse(time.Minute)
		}
		require.NoError(t, timers[0].Register(time.Hour), "pending, too, and still one handler")

		for left := n; left > 0; left-- {
			running := w.Running()
			require.Len(t, running, left)
			seen := make(map[timerwheel.Timer]bool)
			for _, r := range running {
				require.False(t, seen[r.Timer], "listed twice")
				seen[r.Timer] = true
				require.Contains(t, begun, r.Timer)
				require.Zero(t, begun[r.Timer].Sub(r.Since), "since its start, not since its deadline")
				for i, tm := range timers {
					if tm == r.Timer {
						require.Equal(t, i, r.Waiters)
					}
				}
			}
			require.True(t, seen[timers[left-1]])
			parked[left-1].release()
			elapse(0)
		}
		require.Empty(t, w.Running())
	})
}

// Contract 2: "Next: not later than the next firing; ok is false when nothing pends". It is
// asked at random moments of a random life.
func TestNextIsNotLaterThanTheNextFiring(t *testing.T) {
	const tick = time.Millisecond
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := wheelFor(t, timerwheel.Options{Tick: tick})
				rng := rand.New(rand.NewPCG(seed, 9))
				var promised atomic.Int64 // what Next said last, in nanoseconds since start
				var tooLate atomic.Int64
				start := time.Now()
				handler := func(timerwheel.Timer) {
					if since := int64(time.Since(start)); since < promised.Load() {
						tooLate.Store(promised.Load() - since)
					}
				}
				timers := make([]timerwheel.Timer, 12)
				for i := range timers {
					timers[i] = w.Alloc(handler)
				}
				for range 1500 {
					tm := timers[rng.IntN(len(timers))]
					d := time.Duration(rng.Int64N(int64(tick) << rng.IntN(20)))
					switch rng.IntN(4) {
					case 0, 1:
						require.NoError(t, tm.Register(d))
					case 2:
						require.NoError(t, tm.Reduce(d))
					case 3:
						tm.Stop()
					}
					pending, first := 0, time.Time{}
					for _, tm := range timers {
						if when, ok := tm.When(); ok {
							if pending++; pending == 1 || when.Before(first) {
								first = when
							}
						}
					}
					next, ok := w.Next()
					require.Equal(t, pending > 0, ok)
					if ok {
						promised.Store(int64(next.Sub(start)))
						require.LessOrEqual(t, next.Sub(first), 2*tick, "the wheel would sleep over its first deadline")
					} else {
						promised.Store(0)
					}
					// Up to that firing and not beyond: the next promise is for the next one.
					elapse(min(time.Duration(rng.Int64N(int64(d)+1)), max(0, time.Until(first)-1)))
					if rng.IntN(8) == 0 && pending > 0 {
						elapse(max(0, time.Until(first)) + 2*tick)
					}
				}
				require.Zero(t, tooLate.Load(), "a firing came that long before Next")
			})
		})
	}
}

// Contract 2: Next's "ok is false when nothing pends", and true for whatever pends,
// wherever the wheel keeps it.
func TestNextKnowsEveryPendingTimer(t *testing.T) {
	for _, c := range []struct {
		name string
		arm  func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer // leaves one pending timer
	}{
		{"in the future", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			return w.AfterFunc(time.Hour, func() {})
		}},
		{"never", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			return w.AfterFunc(math.MaxInt64, func() {})
		}},
		{"due, in line for a worker", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			h := parkHandler(t)
			w.AfterFunc(0, h.run)
			elapse(time.Second)
			tm := w.AfterFunc(0, func() {})
			elapse(time.Second)
			return tm
		}},
		{"due, behind its own run", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			h := parkHandler(t)
			tm := w.Alloc(func(timerwheel.Timer) { h.run() })
			require.NoError(t, tm.Register(0))
			elapse(time.Second)
			require.NoError(t, tm.Register(0))
			elapse(time.Second)
			return tm
		}},
		{"due, waiting for its lock", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			l := &bubbleLock{held: make(chan struct{}, 1)}
			l.Lock()
			t.Cleanup(l.Unlock)
			tm := w.AllocLocked(l, func(timerwheel.Timer) {})
			require.NoError(t, tm.Register(0))
			elapse(time.Second)
			return tm
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := wheelFor(t, timerwheel.Options{MaxWorkers: 1})
				_, ok := w.Next()
				require.False(t, ok)
				tm := c.arm(t, w)
				require.True(t, tm.Pending())
				require.Equal(t, 1, w.Stats().Pending)
				next, ok := w.Next()
				require.True(t, ok)
				when, ok := tm.When()
				require.True(t, ok)
				switch { // what is due could begin any moment
				case when.Before(time.Now()):
					require.LessOrEqual(t, time.Until(next), time.Duration(0))
				default:
					require.LessOrEqual(t, next.Sub(when), 2*time.Millisecond)
					require.Positive(t, time.Until(next))
				}
				if c.name == "never" { // Contract 12: "Next is ok and far away"
					require.Greater(t, time.Until(next), 365*24*time.Hour)
				}
				require.True(t, tm.Stop())
				_, ok = w.Next()
				require.False(t, ok)
			})
		})
	}
}

// Contract 2: "Now: the wheel's time": real time for a wheel that is not Manual, whatever
// it sleeps over.
func TestNowIsRealTime(t *testing.T) {
	const tick = 10 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		w := wheelFor(t, timerwheel.Options{Tick: tick})
		for _, d := range []time.Duration{0, 1, tick, time.Second, 1000 * time.Hour} {
			elapse(d)
			require.InDelta(t, 0, time.Until(w.Now()), float64(tick))
		}
		inHandler := make(chan time.Duration, 1)
		w.AfterFunc(time.Hour, func() { inHandler <- time.Until(w.Now()) })
		require.InDelta(t, 0, <-inHandler, float64(tick))
	})
	w := wheelFor(t, timerwheel.Options{Tick: tick})
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

// ---- Helpers ----

// requireLaw checks one snapshot.
func requireLaw(t testing.TB, s timerwheel.Stats) {
	t.Helper()
	require.Empty(t, lawBroken(s), "%+v", s)
}

// lawBroken says what cannot be in one consistent snapshot.
func lawBroken(s timerwheel.Stats) string {
	switch {
	case s.Pending < 0 || s.Running < 0 || s.Live < 0 || s.Workers < 0 || s.Bytes < 0:
		return "less than nothing"
	case s.Registered != s.Fired+s.Removed+uint64(s.Pending):
		return fmt.Sprintf("Registered != Fired + Removed + Pending: %d", int64(s.Registered)-int64(s.Fired+s.Removed)-int64(s.Pending))
	case s.Live < s.Pending || s.Live < s.Running:
		return "a timer that pends or runs does not live"
	case uint64(s.Running) > s.Fired:
		return "more handlers run than have begun"
	case s.Workers < s.Running:
		return "handlers without goroutines"
	}
	return ""
}

// wentBack says which of the counters that only grow has not, from one snapshot to a later one.
func wentBack(before, now timerwheel.Stats) string {
	if now.Registered < before.Registered || now.Fired < before.Fired || now.Removed < before.Removed ||
		now.Refused < before.Refused || now.SyncWaits < before.SyncWaits || now.MaxLate < before.MaxLate {
		return "a counter went back"
	}
	return ""
}

// refuseAll tries the four ways to arm a timer.
func refuseAll(t *testing.T, tm timerwheel.Timer, want error) {
	t.Helper()
	for _, verb := range armVerbs {
		require.ErrorIs(t, verb.arm(tm, time.Hour), want, verb.name)
	}
	require.False(t, tm.Reset(time.Hour))
}

// A bubbleLock is a lock whose waiters a bubble sees as durably blocked, which those of a
// sync.Mutex are not.
type bubbleLock struct{ held chan struct{} }

func (l *bubbleLock) Lock()   { l.held <- struct{}{} }
func (l *bubbleLock) Unlock() { <-l.held }

// Contract 2: Stats is "one consistent snapshot", of all the storage that the wheel has,
// not one for each part of it. Two timers take turns, the next one made before the last is
// freed, each in a part of its own, far from the other's: so at all times one or two live.
func TestStatsIsOneSnapshot(t *testing.T) {
	const parts = 16 // as many as processors
	procs := runtime.GOMAXPROCS(parts)
	w := wheelFor(t, timerwheel.Options{})
	runtime.GOMAXPROCS(procs)
	var groups []*timerwheel.Group // the first and the last
	for k := range parts - 1 {
		g := w.NewGroup()
		if k == 0 || k == parts-2 {
			groups = append(groups, g)
		}
		for range 2 { // the wheel forgets where this processor's last timer went, and goes on to the next part
			runtime.GC()
		}
	}
	until := time.Now().Add(raceTime() / 2)
	last := groups[0].Alloc(func(timerwheel.Timer) {})
	var turns sync.WaitGroup
	var stop atomic.Bool
	turns.Go(func() {
		for i := 1; !stop.Load(); i++ {
			next := groups[i%2].Alloc(func(timerwheel.Timer) {})
			assert.NoError(t, last.Free())
			last = next
		}
	})
	least, most, looks := 1, 1, 0
	for ; time.Now().Before(until); looks++ {
		live := w.Stats().Live
		least, most = min(least, live), max(most, live)
	}
	stop.Store(true)
	turns.Wait()
	require.Equal(t, 1, least, "in %d looks", looks)
	require.LessOrEqual(t, most, 2, "in %d looks", looks)
	require.NoError(t, last.Free())
}

// Contract 2: Next is "not later than the next firing", also for what an Advance has left
// to the next one, which may be due at once (Contract 10): asked while that Advance runs,
// by a handler and by somebody else.
func TestNextKnowsWhatAnAdvanceLeavesToTheNext(t *testing.T) {
	w := openManual(t, time.Millisecond)
	now := manualStart.Add(time.Minute)
	for _, armsIt := range []func(){
		func() { w.AfterFunc(0, func() {}) },
		func() { assert.NoError(t, w.Alloc(func(timerwheel.Timer) {}).RegisterAt(manualStart)) },
	} {
		asked := 0
		w.AfterFunc(0, func() {
			ask := func() {
				asked++
				next, ok := w.Next()
				assert.True(t, ok)
				assert.True(t, next.Equal(now), "%v", next)
			}
			armsIt()
			ask()
			<-inBackground(ask)
		})
		advanceTo(t, w, now, 1)
		require.Equal(t, 2, asked)
		advanceTo(t, w, now, 1)
		_, ok := w.Next()
		require.False(t, ok)
	}
}

// Contract 11: "one runtime timer": what is due at one instant costs one wake-up, however
// many timers that is, not one each.
func TestOneWakeUpServesAllThatIsDue(t *testing.T) {
	for _, tick := range []time.Duration{time.Millisecond, time.Second} {
		t.Run(tick.String(), func(t *testing.T) {
			guardedBubble(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{Tick: tick})
				const timers = 5000
				for range timers {
					w.AfterFunc(time.Hour, func() {})
				}
				n, ok := wakeUps(2 * time.Hour)
				require.EqualValues(t, timers, w.Stats().Fired)
				if !ok {
					t.Skip("this Go does not count goroutines")
				}
				require.Positive(t, n)
				require.LessOrEqual(t, n, uint64(100), "some for the levels on the way, and for workers beside the first")
			})
		})
	}
}
