package timerwheel_test

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
)

// stoppedInPlace stops a timer so often that it stays in its place.
func stoppedInPlace(t *testing.T, tm timerwheel.Timer, d time.Duration) timerwheel.Timer {
	t.Helper()
	for range 3 {
		require.NoError(t, tm.Register(d))
		require.NoError(t, tm.Register(d))
		require.True(t, tm.Stop())
	}
	return tm
}

// Promise 13.14: a timer that was stopped in its place is not pending for any call that asks.
func TestATimerStoppedInItsPlaceIsNotPending(t *testing.T) {
	for _, kind := range movable {
		if kind.name == "AfterFunc" {
			continue
		}
		bubble(t, kind.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			fired := 0
			tm := stoppedInPlace(t, kind.make(w, func(timerwheel.Timer) { fired++ }), time.Second)
			before := w.Stats()
			require.Zero(t, before.Pending)
			require.False(t, tm.Pending())
			require.True(t, tm.Valid())
			_, ok := tm.When()
			require.False(t, ok)
			for range w.Timers() {
				t.Error("Timers yields it")
			}
			require.Equal(t, timerwheel.Found{}, tm.Del())
			require.False(t, tm.Move(time.Hour))
			require.False(t, tm.Touch())
			found, err := tm.DelSync()
			require.NoError(t, err)
			require.Equal(t, timerwheel.Found{}, found)
			require.Equal(t, timerwheel.Found{}, tm.DelAsync(func() {}))
			time.Sleep(2 * time.Second)
			synctest.Wait()
			require.Zero(t, fired)
			require.Zero(t, w.Stats().Due)
			require.Equal(t, before.Registered, w.Stats().Registered)
			require.Equal(t, before.Removed, w.Stats().Removed)
		})
	}
}

// Promises 3.2 and 3.3: what was stopped in its place, and is registered again by any verb, for an
// earlier time, the same or a later one, fires at that time.
func TestWhatWasStoppedInItsPlaceFiresAtItsTime(t *testing.T) {
	arms := map[string]func(tm timerwheel.Timer, d time.Duration) error{
		"Register":     timerwheel.Timer.Register,
		"RegisterIdle": timerwheel.Timer.RegisterIdle,
		"Reduce":       timerwheel.Timer.Reduce,
		"RegisterAt": func(tm timerwheel.Timer, d time.Duration) error {
			return tm.RegisterAt(time.Now().Add(d))
		},
		"Reset": func(tm timerwheel.Timer, d time.Duration) error {
			if tm.Reset(d) {
				return timerwheel.ErrStale // it was pending
			}
			return nil
		},
	}
	for name, arm := range arms {
		for _, d := range []time.Duration{0, time.Millisecond, time.Second, time.Minute - time.Second, time.Minute, time.Hour} {
			bubble(t, name+" "+d.String(), timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				var fired []time.Duration
				start := time.Now()
				tm := stoppedInPlace(t, w.Alloc(func(timerwheel.Timer) { fired = append(fired, time.Since(start)) }), time.Minute)
				time.Sleep(time.Second)
				start = time.Now()
				require.NoError(t, arm(tm, d))
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				require.Len(t, fired, 1)
				require.GreaterOrEqual(t, fired[0], d)
				require.LessOrEqual(t, fired[0], d+2*tick)
			})
		}
	}
}

// Promises 6.1, 7.9 and 9.3: after a Shutdown, a Close, and a deletion and shutdown of its group, a timer
// that was stopped in its place cannot be started.
func TestWhatWasStoppedInItsPlaceIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		end func(w *timerwheel.Wheel, g *timerwheel.Group, tm timerwheel.Timer)
		err error
	}{
		"Shutdown":       {func(_ *timerwheel.Wheel, _ *timerwheel.Group, tm timerwheel.Timer) { tm.Shutdown() }, timerwheel.ErrShutdown},
		"Group.Shutdown": {func(_ *timerwheel.Wheel, g *timerwheel.Group, _ timerwheel.Timer) { g.Shutdown() }, timerwheel.ErrShutdown},
		"Close":          {func(w *timerwheel.Wheel, _ *timerwheel.Group, _ timerwheel.Timer) { _ = w.Close() }, timerwheel.ErrClosed},
	} {
		bubble(t, name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			g := w.NewGroup()
			stoppedInPlace(t, g.Alloc(func(timerwheel.Timer) {}), time.Minute)
			tm := stoppedInPlace(t, g.Alloc(func(timerwheel.Timer) { t.Error("fired") }), time.Minute)
			c.end(w, g, tm)
			require.ErrorIs(t, tm.Register(time.Hour), c.err)
			require.NoError(t, tm.Free())
			require.False(t, tm.Valid())
			requireLaw(t, w.Stats())
		})
	}
}

// Promises 8.1 and 13.14: goroutines stop, start, move and free timers of one population, while workers
// run them. No handler begins that was deleted, and when all is over each was counted once.
func TestStopsAndStartsRace(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Tick: 100 * time.Microsecond})
	g := w.NewGroup() // all in one shard
	const timers, users = 100, 4
	var began, registered, removed atomic.Int64
	all := make([]timerwheel.Timer, timers)
	for k := range all {
		all[k] = g.Alloc(func(timerwheel.Timer) { began.Add(1) })
	}
	var wg sync.WaitGroup
	over := make(chan struct{})
	for user := range users {
		rng := rand.New(rand.NewPCG(11, uint64(user)))
		wg.Go(func() {
			for range forcedSteps(t) {
				tm := all[rng.IntN(timers)]
				switch rng.IntN(6) {
				case 0, 1:
					if tm.Stop() {
						removed.Add(1)
					}
				case 2:
					if found, _ := tm.DelSync(); found.Pending {
						removed.Add(1)
					}
				case 3:
					tm.Move(time.Duration(rng.IntN(3)) * time.Millisecond)
				default:
					if !tm.Reset(time.Duration(rng.IntN(40)) * 100 * time.Microsecond) {
						registered.Add(1)
					}
				}
			}
		})
	}
	observed := make(chan struct{})
	go func() {
		defer close(observed)
		for !isClosed(over) {
			requireLaw(t, w.Stats())
			time.Sleep(time.Millisecond)
		}
	}()
	wg.Wait()
	close(over)
	receive(t, observed)
	for _, tm := range all {
		found, err := tm.ShutdownSync()
		require.NoError(t, err)
		if found.Pending {
			removed.Add(1)
		}
		require.NoError(t, tm.Free())
	}
	s := w.Stats()
	requireLaw(t, s)
	require.Zero(t, s.Live+s.Pending)
	require.EqualValues(t, registered.Load(), s.Registered+s.Refused, "Reset says of a refused one that it was not pending")
	require.EqualValues(t, removed.Load(), s.Removed)
	require.EqualValues(t, began.Load(), s.Fired)
}

// forcedSteps is how many steps each goroutine of a race takes.
func forcedSteps(t *testing.T) int {
	if testing.Short() {
		return 2_000
	}
	return 20_000
}

// Promise 5.1: after a deletion that stops a timer in its place has returned, the handler does not begin.
func TestAHandlerDoesNotBeginAfterAStopInPlace(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Tick: 50 * time.Microsecond})
	g := w.NewGroup()
	for range 16 {
		stoppedInPlace(t, g.Alloc(func(timerwheel.Timer) {}), time.Hour)
	}
	var owned atomic.Bool
	tm := g.Alloc(func(timerwheel.Timer) {
		if !owned.Load() {
			t.Error("the handler began after the deletion")
		}
	})
	stoppedInPlace(t, tm, time.Hour)
	stopped := 0
	stormUntil(t, 100*time.Millisecond, 1, func() bool { return stopped >= 200 }, func(int) {
		owned.Store(true)
		_ = tm.Register(100 * time.Microsecond)
		_ = tm.Register(100 * time.Microsecond)
		if found, err := tm.DelSync(); err == nil && found.Pending && !found.Running {
			owned.Store(false)
			stopped++
		}
	})
}

// Promise 3.4: a Register of a timer that was stopped in its place happens before its handler's start.
func TestAStartHappensBeforeTheHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, err := timerwheel.New(timerwheel.Options{})
		require.NoError(t, err)
		defer w.Close()
		g := w.NewGroup()
		for range 16 {
			require.NoError(t, stoppedInPlace(t, g.Alloc(func(timerwheel.Timer) {}), time.Hour).Register(time.Hour))
		}
		data, seen := 0, 0
		tm := stoppedInPlace(t, g.Alloc(func(timerwheel.Timer) { seen = data }), time.Second)
		data = 1
		require.NoError(t, tm.Register(2*time.Second))
		time.Sleep(3 * time.Second)
		found, err := tm.DelSync()
		require.NoError(t, err)
		require.Equal(t, timerwheel.Found{}, found)
		require.Equal(t, 1, seen)
	})
}

// Promise 2.23: When says the deadline of a timer that is stopped and started all the time, or that it is
// not pending.
func TestWhenOfATimerThatIsStoppedAndStarted(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	for range 400 {
		w.Alloc(func(timerwheel.Timer) {}).Register(time.Hour)
	}
	tm := stoppedInPlace(t, w.Alloc(func(timerwheel.Timer) {}), time.Hour)
	var pending, idle atomic.Int64
	stormUntil(t, 100*time.Millisecond, 2, func() bool { return pending.Load() > 100 && idle.Load() > 100 }, func(k int) {
		if k == 0 {
			_ = tm.Register(time.Hour)
			tm.Stop()
			return
		}
		at, ok := tm.When()
		if !ok {
			idle.Add(1)
			return
		}
		pending.Add(1)
		if time.Until(at) > 2*time.Hour {
			t.Errorf("it is pending for %v", time.Until(at))
		}
	})
}

// Promise 2.20: Reduce never makes a deadline later, whatever another goroutine does at the same time.
func TestReduceRacesWithAStart(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	for range 400 {
		w.Alloc(func(timerwheel.Timer) {}).Register(10 * time.Hour)
	}
	tm := w.Alloc(func(timerwheel.Timer) {})
	for range forcedSteps(t) / 20 {
		stoppedInPlace(t, tm, time.Hour)
		var both sync.WaitGroup
		both.Go(func() { _ = tm.Register(2 * time.Hour) })
		both.Go(func() { _ = tm.Reduce(8 * time.Hour) })
		both.Wait()
		at, ok := tm.When()
		require.True(t, ok)
		require.Less(t, time.Until(at), 3*time.Hour)
	}
}

// Promises 2.20 and 3.3: a Reduce beside a start without the lock, both for the same time, leaves the timer
// with that deadline, and its handler does not begin before it: the record may have an older deadline in the
// same tick.
func TestReduceBesideAStartIsNotEarly(t *testing.T) {
	const d, tick = 400 * time.Millisecond, time.Second
	bubble(t, "", timerwheel.Options{Tick: tick}, func(t *testing.T, w *timerwheel.Wheel) {
		for range 400 { // in each lane a word is open
			armed(w.Alloc(func(timerwheel.Timer) {}), 1000*time.Hour)
		}
		begin := time.Now()
		var due time.Time
		tm := w.Alloc(func(timerwheel.Timer) {
			if now := time.Now(); now.Before(due) {
				t.Errorf("%v early", due.Sub(now))
			}
		})
		for range scaled(10_000) {
			stoppedInPlace(t, tm, time.Until(begin.Add(time.Since(begin).Truncate(tick)+time.Minute+2)))
			time.Sleep(time.Minute + tick/2 - time.Since(begin)%tick)
			due = time.Now().Add(d)
			var both sync.WaitGroup
			both.Go(func() { _ = tm.Register(d) })
			both.Go(func() { _ = tm.Reduce(d) })
			both.Wait()
			at, _ := tm.When()
			require.Equal(t, d, time.Until(at))
			elapse(3 * tick)
			if t.Failed() {
				return
			}
		}
	})
}

// Promises 2.20 and 3.3: a Reduce of a timer that was started without the lock goes by the deadline of the
// start, not by the one that the record has, though both lie in the same tick.
func TestReduceAfterAStartIsNotEarly(t *testing.T) {
	const tick = time.Second
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // one shard, wherever the test runs
	bubble(t, "", timerwheel.Options{Tick: tick}, func(t *testing.T, w *timerwheel.Wheel) {
		for range 400 { // in each lane a word is open, so the start takes no lock
			armed(w.Alloc(func(timerwheel.Timer) {}), 1000*time.Hour)
		}
		begin := time.Now()
		var fired time.Duration
		tm := w.Alloc(func(timerwheel.Timer) { fired = time.Since(begin) })
		stoppedInPlace(t, tm, time.Minute+2)
		time.Sleep(time.Minute + tick/2)
		require.NoError(t, tm.Register(400*time.Millisecond))
		require.NoError(t, tm.Reduce(300*time.Millisecond))
		at, _ := tm.When()
		require.Equal(t, 300*time.Millisecond, time.Until(at))
		elapse(3 * tick)
		require.Equal(t, time.Minute+tick, fired)
	})
}

// Promise 13.15: a timer that was deleted before, and whose last owner frees it while it is pending, has no
// owner any more: its next deletion recycles it, with its function.
func TestTheDeletionOfATimerWithoutAnOwnerRecyclesIt(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	tm := w.Alloc(func(timerwheel.Timer) { t.Error("fired") })
	require.True(t, armed(tm, time.Hour).Stop())
	require.NoError(t, armed(tm, time.Hour).Free())
	require.True(t, tm.Stop())
	require.False(t, tm.Valid(), "its storage is kept")
	require.Zero(t, w.Stats().Live)
}

// Promise 13.16: where all workers are blocked, timers that were stopped in their places are not due when
// their times come.
func TestParkedTimersAreNotDue(t *testing.T) {
	bubble(t, "", timerwheel.Options{MaxWorkers: 1}, func(t *testing.T, w *timerwheel.Wheel) {
		saturate(t, w)
		armed(w.Alloc(delIgnore), time.Hour)
		for range 100 {
			stoppedInPlace(t, w.Alloc(delIgnore), time.Second)
		}
		stopped := stoppedInPlace(t, w.Alloc(delIgnore), time.Second)
		time.Sleep(2 * time.Second)
		require.Zero(t, w.Stats().Due)
		armed(stopped, time.Second)
		time.Sleep(2 * time.Second)
		require.Equal(t, 1, w.Stats().Due)
	})
}
