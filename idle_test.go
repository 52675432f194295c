package timerwheel_test

import (
	"fmt"
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

const tick = time.Millisecond // of the zero Options

// latest is the latest begin of the handler of an idle timer that was last touched at a time.
func latest(touched time.Time, d time.Duration) time.Time {
	return touched.Add(d + max(d/8, tick) + 2*tick)
}

// Promise 14: an idle timeout fires when d has passed since its RegisterIdle, if it is not touched:
// never earlier, and as late as any timer.
func TestAnIdleTimerThatNobodyTouchesFiresAtItsTime(t *testing.T) {
	for _, d := range []time.Duration{0, -time.Hour, 1, tick / 2, tick, 7 * tick, 8 * tick, 9*tick + 1, time.Second, time.Minute + 1, 90 * time.Hour} {
		bubble(t, d.String(), timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			var log firingLog
			tm := w.Alloc(log.run)
			defer func() { _ = tm.Free() }()
			start := time.Now()
			require.NoError(t, tm.RegisterIdle(d))
			if d > 0 { // else it may have begun
				when, ok := tm.When()
				require.True(t, ok)
				require.Equal(t, d, when.Sub(start))
			}
			elapse(max(d, 0) + 2*tick)
			requireFirings(t, start, tick, log.times(), max(d, 0))
			require.False(t, tm.Touch(), "it has fired")
			elapse(2*max(d, 0) + time.Second)
			require.Equal(t, 1, log.len())
		})
	}
}

// Promise 14: a Touch that returns true puts the begin of the handler off until d has passed since
// it was called; and the handler begins d/8 and two ticks after d at the latest, whatever the
// pattern of the touches.
func TestTouchPutsTheHandlerOff(t *testing.T) {
	for _, d := range []time.Duration{1, tick, 5 * tick, 8 * tick, 50 * tick, time.Second, time.Minute, 30 * time.Hour} {
		bubble(t, d.String(), timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			rng := rand.New(rand.NewPCG(1, uint64(d)))
			var wg sync.WaitGroup
			for range 30 {
				at := time.Duration(rng.Int64N(int64(d) + int64(tick)))
				touches := make([]time.Duration, rng.IntN(20))
				for k := range touches {
					touches[k] = time.Duration(rng.Int64N(int64(d)))
				}
				asks := rng.IntN(2) == 0
				wg.Go(func() { touchAndWait(t, w, d, at, touches, asks) })
			}
			wg.Wait()
		})
	}
}

// touchAndWait arms an idle timer at a time, touches it after each of some pauses, and waits for its
// handler. If it asks, it asks When after each Touch, which is a look.
func touchAndWait(t *testing.T, w *timerwheel.Wheel, d, at time.Duration, touches []time.Duration, asks bool) {
	time.Sleep(at)
	fired := make(chan time.Time, 1)
	tm := w.Alloc(func(timerwheel.Timer) { fired <- time.Now() })
	defer func() { _ = tm.Free() }()
	last := time.Now()
	assert.NoError(t, tm.RegisterIdle(d))
	for _, pause := range touches {
		time.Sleep(pause)
		now := time.Now()
		if !tm.Touch() {
			break
		}
		last = now
		if asks {
			when, ok := tm.When()
			assert.True(t, ok)
			assert.False(t, when.Before(now.Add(d)), "When is before d after a Touch that it has seen")
		}
	}
	began := <-fired
	assert.GreaterOrEqual(t, began.Sub(last), d, "early")
	assert.LessOrEqual(t, began.Sub(last), latest(last, d).Sub(last), "late")
	assert.False(t, tm.Touch())
}

// Promise 14.2: an idle timeout whose last owner has freed it, and that pends, can still be touched.
func TestTouchAfterTheLastFree(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		var fired time.Duration
		start := time.Now()
		tm := w.Alloc(func(timerwheel.Timer) { fired = time.Since(start) })
		require.NoError(t, tm.RegisterIdle(8*time.Second))
		require.NoError(t, tm.Free())
		time.Sleep(4 * time.Second)
		require.True(t, tm.Touch())
		time.Sleep(20 * time.Second)
		synctest.Wait()
		require.GreaterOrEqual(t, fired, 12*time.Second)
	})
}

// Promise 14: Touch is false where the timer is not pending as an idle timeout, and changes nothing.
func TestTouchIsFalseWithoutAnIdleTimeout(t *testing.T) {
	type wheel = timerwheel.Wheel
	type timer = timerwheel.Timer
	for name, end := range map[string]func(t *testing.T, w *wheel, tm timer){
		"Register":          func(_ *testing.T, _ *wheel, tm timer) { _ = tm.Register(time.Hour) },
		"RegisterAt":        func(_ *testing.T, w *wheel, tm timer) { _ = tm.RegisterAt(w.Now().Add(time.Hour)) },
		"Register, earlier": func(_ *testing.T, _ *wheel, tm timer) { _ = tm.Register(time.Second) },
		"RegisterWithin":    func(_ *testing.T, _ *wheel, tm timer) { _ = tm.RegisterWithin(time.Hour, time.Minute) },
		"Reset":             func(_ *testing.T, _ *wheel, tm timer) { tm.Reset(time.Hour) },
		"Move":              func(_ *testing.T, _ *wheel, tm timer) { tm.Move(time.Hour) },
		"Move, earlier":     func(_ *testing.T, _ *wheel, tm timer) { tm.Move(time.Second) },
		"Reduce":            func(_ *testing.T, _ *wheel, tm timer) { _ = tm.Reduce(time.Second) },
		"Del":               func(_ *testing.T, _ *wheel, tm timer) { tm.Del() },
		"DelSync":           func(_ *testing.T, _ *wheel, tm timer) { _, _ = tm.DelSync() },
		"DelAsync":          func(_ *testing.T, _ *wheel, tm timer) { tm.DelAsync(func() {}) },
		"Shutdown":          func(_ *testing.T, _ *wheel, tm timer) { tm.Shutdown() },
		"Del, Free":         func(_ *testing.T, _ *wheel, tm timer) { tm.Del(); _ = tm.Free() },
		"its handler":       func(*testing.T, *wheel, timer) { elapse(2 * time.Minute) },
		"Close":             func(_ *testing.T, w *wheel, _ timer) { _ = w.Close() },
	} {
		bubble(t, name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			tm := w.Alloc(delIgnore)
			require.False(t, tm.Touch(), "idle")
			require.NoError(t, tm.RegisterIdle(time.Minute))
			require.True(t, tm.Touch())
			end(t, w, tm)
			before, beforeOK := tm.When()
			require.False(t, tm.Touch())
			after, afterOK := tm.When()
			require.Equal(t, beforeOK, afterOK)
			require.Equal(t, before, after)
			if afterOK {
				elapse(time.Until(after) + 2*tick)
				require.False(t, tm.Pending(), "it did not fire at the time of %s", name)
			}
		})
	}
	require.False(t, timerwheel.Timer{}.Touch())
	require.ErrorIs(t, timerwheel.Timer{}.RegisterIdle(0), timerwheel.ErrStale)
}

// Promise 14: a Touch that was true is forgotten by a later deletion, a later Register, and a Reduce
// that moves the timer; a Reduce that does not move it, and a RegisterIdle, leave it an idle one.
// What a Reduce is compared with includes the touches.
func TestAnIdleTimerStaysOneUntilItIsMoved(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		var log firingLog
		tm := w.Alloc(log.run)
		start := time.Now()
		require.NoError(t, tm.RegisterIdle(time.Minute))
		require.NoError(t, tm.Reduce(2*time.Minute))
		require.True(t, tm.Touch())
		elapse(30 * time.Second)
		require.True(t, tm.Touch())
		require.NoError(t, tm.Reduce(time.Minute), "as late as the Touch has made it: nothing moves")
		require.True(t, tm.Touch())
		require.NoError(t, tm.Reduce(50*time.Second), "later than without the Touch, earlier than with it")
		require.False(t, tm.Touch())
		elapse(51 * time.Second)
		requireFirings(t, start, tick, log.times(), 80*time.Second)

		start = time.Now()
		require.NoError(t, tm.RegisterIdle(time.Hour))
		require.True(t, tm.Touch())
		require.NoError(t, tm.RegisterIdle(time.Second))
		require.True(t, tm.Touch())
		require.True(t, tm.Move(time.Second), "earlier than the Touch says, and that counts")
		elapse(2 * time.Second)
		requireFirings(t, start, tick, log.times()[1:], time.Second)
		require.NoError(t, tm.Free())
	})
}

// Promise 14: a timer that is due, but in line for a worker, for its lock, or for the end of its
// last run, is pending: a Touch is true, and when its turn comes it waits for d after that Touch.
func TestAnIdleTimerInLineIsPutOff(t *testing.T) {
	const d = time.Second
	lines := map[string]func(t *testing.T, w *timerwheel.Wheel, run func(timerwheel.Timer)) (tm timerwheel.Timer, begin func()){
		"for a worker": func(t *testing.T, w *timerwheel.Wheel, run func(timerwheel.Timer)) (timerwheel.Timer, func()) {
			p := newPuppet(t)
			startRun(t, w.Alloc(p.handle))
			return w.Alloc(run), p.end
		},
		"for a lock": func(_ *testing.T, w *timerwheel.Wheel, run func(timerwheel.Timer)) (timerwheel.Timer, func()) {
			l := newDurableLock()
			l.Lock()
			return w.AllocLocked(l, run), l.Unlock
		},
		"for its last run": func(t *testing.T, w *timerwheel.Wheel, run func(timerwheel.Timer)) (timerwheel.Timer, func()) {
			first := make(chan struct{})
			runs := 0
			tm := w.Alloc(func(tm timerwheel.Timer) {
				if runs++; runs == 1 {
					<-first
					return
				}
				run(tm)
			})
			startRun(t, tm)
			return tm, func() { close(first) }
		},
	}
	for name, line := range lines {
		for _, touch := range []bool{false, true} {
			bubble(t, fmt.Sprintf("%s, touched %v", name, touch), timerwheel.Options{MaxWorkers: 1}, func(t *testing.T, w *timerwheel.Wheel) {
				var log firingLog
				tm, begin := line(t, w, log.run)
				require.NoError(t, tm.RegisterIdle(d))
				elapse(10 * d)
				require.True(t, tm.Pending())
				start := time.Now()
				if touch {
					require.True(t, tm.Touch())
				}
				begin()
				synctest.Wait()
				if touch {
					require.Zero(t, log.len(), "its turn has come, and it was touched just now")
					require.True(t, tm.Pending())
					elapse(latest(start, d).Sub(start))
					require.Equal(t, 1, log.len())
					require.GreaterOrEqual(t, log.times()[0].Sub(start), d)
				} else {
					require.Equal(t, 1, log.len())
				}
				require.False(t, tm.Touch())
			})
		}
	}
}

// Promise 14: with d <= 0 Touch is true while the timer is pending, and puts nothing off.
func TestAnIdleTimeoutOfNothingIsNotPutOff(t *testing.T) {
	bubble(t, "", timerwheel.Options{MaxWorkers: 1}, func(t *testing.T, w *timerwheel.Wheel) {
		p := newPuppet(t)
		startRun(t, w.Alloc(p.handle))
		var log firingLog
		tm := w.Alloc(log.run)
		start := time.Now()
		require.NoError(t, tm.RegisterIdle(-1))
		elapse(time.Second + tick/2)
		require.True(t, tm.Touch())
		when, _ := tm.When()
		require.Equal(t, start, when)
		p.end()
		synctest.Wait()
		require.Equal(t, 1, log.len())
		require.False(t, tm.Touch())
	})
}

// Promise 14: on a Manual wheel time is the wheel's. One Advance may pass many looks at once, and the
// whole period: a Touch before it counts from when it was made, one by a handler from now.
func TestIdleTimersGoByTheTimeOfAManualWheel(t *testing.T) {
	const d = time.Minute
	at := func(after time.Duration) time.Time { return manualStart.Add(after) }
	open := func(t *testing.T) (*timerwheel.Wheel, timerwheel.Timer) {
		w := openManual(t, tick)
		tm := w.Alloc(delIgnore)
		require.NoError(t, tm.RegisterIdle(d))
		return w, tm
	}
	t.Run("not touched", func(t *testing.T) {
		w, tm := open(t)
		advanceTo(t, w, at(d-1), 0)
		require.True(t, tm.Pending())
		advanceTo(t, w, at(d), 1)
	})
	t.Run("touched, then in one step", func(t *testing.T) {
		w, tm := open(t)
		advanceTo(t, w, at(30*time.Second), 0)
		require.True(t, tm.Touch())
		when, _ := tm.When()
		require.Equal(t, at(90*time.Second), when)
		require.True(t, tm.Touch())
		advanceTo(t, w, at(90*time.Second-1), 0)
		advanceTo(t, w, at(time.Hour), 1)
	})
	t.Run("touched, then past the deadline in one step", func(t *testing.T) {
		w, tm := open(t)
		advanceTo(t, w, at(30*time.Second), 0)
		require.True(t, tm.Touch())
		advanceTo(t, w, at(98*time.Second), 1)
	})
	t.Run("touched, then step by step", func(t *testing.T) {
		w, tm := open(t)
		advanceTo(t, w, at(30*time.Second), 0)
		require.True(t, tm.Touch())
		fired := 0
		for now := at(30 * time.Second); fired == 0; {
			now = now.Add(500 * time.Millisecond)
			n, err := w.Advance(now)
			require.NoError(t, err)
			if fired = n; fired == 1 {
				require.False(t, now.Before(at(30*time.Second+d)))
				require.False(t, now.After(latest(at(30*time.Second), d).Add(500*time.Millisecond)))
			}
		}
	})
	t.Run("touched by a handler that comes before", func(t *testing.T) {
		w, tm := open(t)
		w.AfterFunc(59*time.Second, func() { assert.True(t, tm.Touch()) })
		advanceTo(t, w, at(time.Hour), 1) // the other one
		when, ok := tm.When()
		require.True(t, ok)
		require.Equal(t, at(time.Hour+d), when)
		advanceTo(t, w, at(time.Hour+d), 1)
	})
	t.Run("touched before, and by a handler that comes before the first look", func(t *testing.T) {
		w, tm := open(t)
		require.True(t, tm.Touch())
		w.AfterFunc(time.Second, func() { assert.True(t, tm.Touch()) })
		advanceTo(t, w, at(time.Hour), 1) // the other one
		advanceTo(t, w, at(time.Hour+d), 1)
	})
	t.Run("touched before, and registered by a handler that comes before the first look", func(t *testing.T) {
		w, tm := open(t)
		require.True(t, tm.Touch())
		w.AfterFunc(time.Second, func() { assert.NoError(t, tm.RegisterIdle(time.Second)) })
		advanceTo(t, w, at(time.Hour), 1) // the other one
		when, _ := tm.When()
		require.Equal(t, at(time.Hour+time.Second), when)
		advanceTo(t, w, at(time.Hour+time.Second), 1)
	})
	t.Run("registered by a handler for at once", func(t *testing.T) {
		w, tm := open(t)
		tm.Del()
		const n = 100
		var order []int
		w.AfterFunc(time.Second, func() {
			for k := range n {
				other := w.Alloc(func(timerwheel.Timer) { order = append(order, k) })
				if k%2 == 0 {
					armed(other, 0)
				} else {
					assert.NoError(t, other.RegisterIdle(0))
				}
			}
		})
		advanceTo(t, w, at(time.Second), 1)
		advanceTo(t, w, at(time.Second), n)
		require.IsIncreasing(t, order)
	})
	t.Run("in the order of the deadlines", func(t *testing.T) {
		w, tm := open(t)
		var order []time.Duration
		for _, at := range []time.Duration{time.Second, 20 * time.Second, 59 * time.Second, 61 * time.Second} {
			w.AfterFunc(at, func() { order = append(order, at) })
		}
		other := w.Alloc(func(timerwheel.Timer) { order = append(order, d) })
		require.NoError(t, other.RegisterIdle(d))
		tm.Del()
		advanceTo(t, w, at(time.Hour), 5)
		require.Equal(t, []time.Duration{time.Second, 20 * time.Second, 59 * time.Second, d, 61 * time.Second}, order)
	})
	t.Run("in the order of the deadlines, though a handler of the tick of a look registers a timer", func(t *testing.T) {
		w, tm := open(t)
		tm.Del()
		var order []string
		w.AfterFunc(6*tick, func() {
			order = append(order, "before the looks")
			w.AfterFunc(time.Hour, func() {})
		})
		for _, x := range []struct {
			name string
			d    time.Duration
		}{{"54", 54 * tick}, {"50", 50 * tick}} { // looked at after 6 ticks
			require.NoError(t, w.Alloc(func(timerwheel.Timer) { order = append(order, x.name) }).RegisterIdle(x.d))
		}
		w.AfterFunc(6*tick, func() { order = append(order, "behind the looks") })
		advanceTo(t, w, at(time.Hour), 4)
		require.Equal(t, []string{"before the looks", "behind the looks", "50", "54"}, order)
	})
}

// Promise 14: what Timers yields includes the touches, as When does.
func TestTimersYieldsTheDeadlinesThatTouchesHaveMade(t *testing.T) {
	w := openManual(t, tick)
	tm := w.Alloc(delIgnore)
	require.NoError(t, tm.RegisterIdle(time.Minute))
	advanceTo(t, w, manualStart.Add(5*time.Second), 0)
	require.True(t, tm.Touch())
	for yielded, when := range w.Timers() {
		require.Equal(t, tm, yielded)
		require.Equal(t, manualStart.Add(65*time.Second), when)
	}
}

// Promise 14: a busy connection costs some eight looks a period, and an idle one as many, whatever
// else the wheel has to do: here each look is an Advance to Next that fires nothing.
func TestALookCostsAnEighthOfAPeriod(t *testing.T) {
	for _, d := range []time.Duration{80 * tick, time.Second, time.Minute, time.Hour} {
		w := openManual(t, tick)
		tm := w.Alloc(delIgnore)
		require.NoError(t, tm.RegisterIdle(d))
		looks := 0
		for {
			next, ok := w.Next()
			require.True(t, ok)
			if next.After(manualStart.Add(5 * d)) {
				break
			}
			advanceTo(t, w, next, 0)
			require.True(t, tm.Touch())
			looks++
		}
		assert.GreaterOrEqual(t, looks, 5*8-1, "%v", d)
		assert.LessOrEqual(t, looks, 5*8*2+8, "%v: each look may take the levels two steps", d)
	}
}

// Promise 14: an idle timeout of a periodic timer is a move of its next firing.
func TestRegisterIdleMovesTheNextFiringOfASeries(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		var log firingLog
		tm := w.Every(10*time.Second, log.run)
		start := time.Now()
		require.NoError(t, tm.RegisterIdle(time.Minute))
		elapse(59 * time.Second)
		require.Zero(t, log.len())
		elapse(12 * time.Second)
		requireFirings(t, start, tick, log.times(), time.Minute, 70*time.Second)
		require.False(t, tm.Touch())
		tm.Del()
	})
}

// Promise 14: all deletions, groups and refusals are as with Register.
func TestIdleTimersAreRefusedAndDeletedAsOthers(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		g := w.NewGroup()
		one, other := g.Alloc(delIgnore), g.Alloc(delIgnore)
		require.NoError(t, one.RegisterIdle(time.Minute))
		require.NoError(t, other.RegisterIdle(time.Hour))
		elapse(50 * time.Second)
		require.True(t, one.Touch())
		found, err := g.DelSync()
		require.NoError(t, err)
		require.Equal(t, timerwheel.Found{Pending: true}, found)
		require.False(t, one.Touch() || other.Touch())
		g.Shutdown()
		require.ErrorIs(t, one.RegisterIdle(time.Minute), timerwheel.ErrShutdown)

		p := newPuppet(t)
		tm := w.Alloc(p.handle)
		startRun(t, tm)
		require.NoError(t, tm.RegisterIdle(time.Minute))
		del := deleting(tm.DelSync)
		require.True(t, del.waits())
		require.ErrorIs(t, tm.RegisterIdle(time.Minute), timerwheel.ErrDeleting)
		require.False(t, tm.Touch())
		p.end()
		del.requires(t, timerwheel.Found{Pending: true, Running: true}, nil)
		require.NoError(t, tm.Free())
		require.ErrorIs(t, tm.RegisterIdle(time.Minute), timerwheel.ErrStale)

		tm = w.Alloc(delIgnore)
		require.NoError(t, w.Close())
		require.ErrorIs(t, tm.RegisterIdle(time.Minute), timerwheel.ErrClosed)
		requireLaw(t, w.Stats())
	})
}

// Promise 14: an idle timer that the wheel looks at, or that was touched, is not due: where all
// workers are blocked, Stats.Due counts the others.
func TestALookIsNotDue(t *testing.T) {
	bubble(t, "", timerwheel.Options{MaxWorkers: 1}, func(t *testing.T, w *timerwheel.Wheel) {
		p := newPuppet(t)
		startRun(t, w.Alloc(p.handle))
		for range 300 {
			require.NoError(t, w.Alloc(delIgnore).RegisterIdle(8*time.Second))
		}
		w.AfterFunc(time.Second, func() {})
		elapse(7 * time.Second)
		require.Equal(t, 1, w.Stats().Due)
		elapse(2 * time.Second)
		require.Equal(t, 301, w.Stats().Due)
		p.end()
	})
}

// Promise 14: nor is it in line for a worker, whether it stands before those that are, or behind them:
// Saturated is reported in time, and is over when these have gone.
func TestALookIsNotInLine(t *testing.T) {
	for name, behind := range map[string]bool{"before the others": false, "behind them": true} {
		var log stallLog
		bubble(t, name, timerwheel.Options{MaxWorkers: 1, OnStall: log.onStall}, func(t *testing.T, w *timerwheel.Wheel) {
			p, g := newPuppet(t), w.NewGroup() // whose members stand in one line
			armed(g.Alloc(p.handle), time.Second)
			due := g.Alloc(delIgnore)
			if behind {
				armed(due, time.Second)
			}
			looked := g.Alloc(delIgnore)
			require.NoError(t, looked.RegisterIdle(8*time.Second))
			if !behind {
				armed(due, time.Second)
			}
			elapse(2*time.Second + 10*tick)
			require.Equal(t, due, log.takes(t, timerwheel.Saturated, 1)[0].Timer)
			require.Equal(t, 1, w.Stats().Due)
			due.Del()
			require.Zero(t, w.Stats().Due)
			elapse(2 * time.Second)
			armed(due, 0)
			elapse(2 * time.Second)
			require.Equal(t, due, log.takes(t, timerwheel.Saturated, 1)[0].Timer)
			require.True(t, looked.Pending())
		})
	}
}

// Promise 14: a timer that is put off when its turn comes is in line no more: Saturated is over.
func TestSaturatedIsOverWhenTheLastInLineIsPutOff(t *testing.T) {
	var log stallLog
	bubble(t, "", timerwheel.Options{MaxWorkers: 1, OnStall: log.onStall}, func(t *testing.T, w *timerwheel.Wheel) {
		p := saturate(t, w)
		tm := w.Alloc(delIgnore)
		require.NoError(t, tm.RegisterIdle(time.Second))
		elapse(10 * time.Second)
		require.Equal(t, tm, log.takes(t, timerwheel.Saturated, 1)[0].Timer)
		require.True(t, tm.Touch())
		p.end()
		settle()
		startRun(t, w.Alloc(p.handle)) // before any look for another reason
		armed(w.Alloc(delIgnore), 0)
		elapse(10 * time.Second)
		log.takes(t, timerwheel.Saturated, 1)
	})
}

// Promise 14: nor does the wheel take the lock of a timer that it looks at.
func TestALookTakesNoLock(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		l := newLockProbe(t)
		tm := w.AllocLocked(l, delIgnore)
		require.NoError(t, tm.RegisterIdle(8*time.Second))
		elapse(7 * time.Second)
		require.Zero(t, l.locks.Load())
		tm.Touch()
		elapse(8*time.Second - tick)
		require.Zero(t, l.locks.Load())
		elapse(2 * time.Second)
		require.False(t, tm.Pending())
	})
}

// Promise 14: Touch allocates nothing, nor does RegisterIdle, amortised; and the storage of what was
// idle goes back.
func TestIdleTimersAllocateNothing(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	tm := w.Alloc(delIgnore)
	require.NoError(t, tm.RegisterIdle(time.Hour))
	require.Zero(t, testing.AllocsPerRun(1000, func() { tm.Touch() }))
	require.Zero(t, testing.AllocsPerRun(1000, func() { _ = tm.RegisterIdle(time.Hour) }))
	small := w.Stats().Bytes
	timers := make([]timerwheel.Timer, 10_000)
	g := w.NewGroup() // all in one shard: each shard keeps some storage
	for k := range timers {
		timers[k] = g.Alloc(delIgnore)
		require.NoError(t, timers[k].RegisterIdle(time.Hour))
	}
	large := w.Stats().Bytes
	for _, tm := range timers {
		tm.Del()
		require.NoError(t, tm.Free())
	}
	require.Less(t, 10*(w.Stats().Bytes-small), large-small)
}

// Promise 14: "If Touch returns true, the handler does not begin before d has passed since that call
// began", and a stale handle touches no timer, under races: goroutines touch timers that fire, are
// deleted, and are recycled for the next tenant all the time.
func TestTouchRaces(t *testing.T) {
	const d = 2 * tick
	w := openWheel(t, timerwheel.Options{})
	type tenant struct {
		timer timerwheel.Timer
		last  atomic.Int64 // of the touches that were true, the latest time at which one was called
		over  atomic.Bool  // its handler has begun, or it was deleted
	}
	base := time.Now()
	var f faults
	var fired, touched atomic.Int64
	var tenants [8]atomic.Pointer[tenant]
	house := func(k int) {
		x := new(tenant)
		x.timer = w.Alloc(func(tm timerwheel.Timer) {
			began := int64(time.Since(base))
			f.expect(began-x.last.Load() >= int64(d), "the handler begins d after the last Touch that was true")
			x.over.Store(true)
			fired.Add(1)
		})
		x.last.Store(int64(time.Since(base)))
		f.expect(x.timer.RegisterIdle(d) == nil, "the new tenant is armed")
		if old := tenants[k].Swap(x); old != nil {
			old.timer.Del()
			_, err := old.timer.ShutdownSync()
			f.expect(err == nil && old.timer.Free() == nil, "the old tenant goes")
			old.over.Store(true)
		}
	}
	for k := range tenants {
		house(k)
	}
	rage := func(n int) {
		rng := rand.New(rand.NewPCG(uint64(n), uint64(time.Now().UnixNano())))
		k := rng.IntN(len(tenants))
		x := tenants[k].Load()
		switch rng.IntN(200) {
		case 0:
			runtime.Gosched()
		case 1:
			house(k)
		default:
			over, now := x.over.Load(), int64(time.Since(base))
			leftAlone := (now/int64(4*d)+int64(k))%2 == 0 // so that some fire
			if leftAlone || !x.timer.Touch() {
				return
			}
			f.expect(!over, "no Touch is true of a timer that is over")
			touched.Add(1)
			for last := x.last.Load(); now > last && !x.last.CompareAndSwap(last, now); last = x.last.Load() {
			}
		}
	}
	stormUntil(t, stormTime(), 4, func() bool { return fired.Load() > 0 && touched.Load() > 0 }, rage)
	f.requireNone(t)
	require.Positive(t, fired.Load())
	require.Positive(t, touched.Load())
}
