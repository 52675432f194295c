package timerwheel_test

import (
	"context"
	"errors"
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

// Contract 2: "Start: Manual only: the wheel's first Now; zero means time.Now()".
func TestAManualWheelBeginsAtStart(t *testing.T) {
	guarded(t, func(t *testing.T) {
		for name, start := range map[string]time.Time{
			"UTC":               manualStart,
			"another zone":      time.Date(2024, time.July, 1, 12, 0, 0, 123456789, time.FixedZone("east", 5*3600)),
			"with a clock":      time.Now().Add(time.Hour),
			"long ago":          time.Date(1, time.January, 2, 0, 0, 0, 0, time.UTC),
			"before the epoch":  time.Unix(-1, 999),
			"in the far future": time.Date(9000, time.January, 1, 0, 0, 0, 0, time.UTC),
		} {
			w := openWheel(t, timerwheel.Options{Manual: true, Start: start})
			require.True(t, w.Now().Equal(start), "%s: %v", name, w.Now())
			fired := false
			tm := w.AfterFunc(time.Second, func() { fired = true })
			when, ok := tm.When()
			require.True(t, ok, name)
			require.True(t, when.Equal(start.Add(time.Second)), "%s: %v", name, when)
			advanceTo(t, w, start.Add(time.Second), 1)
			require.True(t, fired, name)
		}
		w := openWheel(t, timerwheel.Options{Manual: true})
		require.True(t, w.Now().Equal(time.Now()), "the zero Start")
	})
}

// Contract 2, Options: "Manual ... Start: the wheel's first Now; zero means time.Now()".
func TestStartIsAManualWheelsFirstNow(t *testing.T) {
	for _, start := range []time.Time{
		time.Date(2031, 7, 9, 1, 2, 3, 4, time.UTC),
		time.Date(1999, 12, 31, 23, 59, 59, 999_999_999, time.FixedZone("west", -5*3600)),
		time.Unix(0, 0),
		time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		w := openWheel(t, timerwheel.Options{Manual: true, Start: start})
		require.True(t, w.Now().Equal(start), "%v, want %v", w.Now(), start)
	}
	guarded(t, func(t *testing.T) {
		elapse(1_234_567_890)
		w := openWheel(t, timerwheel.Options{Manual: true})
		require.True(t, w.Now().Equal(time.Now()))
		start := w.Now()
		elapse(time.Hour)
		require.True(t, w.Now().Equal(start), "only Advance moves it")
	})
}

// Contract 2 and 10: "no goroutine: the host drives time with Advance". Real time moves nothing.
func TestAManualWheelsTimeDoesNotPassByItself(t *testing.T) {
	guarded(t, func(t *testing.T) {
		goroutines := runtime.NumGoroutine()
		w := openManual(t, time.Millisecond)
		w.AfterFunc(0, func() { t.Error("fired without Advance") })
		tm := w.AfterFunc(time.Millisecond, func() { t.Error("fired without Advance") })
		if n, ok := wakeUps(time.Hour); ok {
			require.Zero(t, n)
		}
		require.True(t, w.Now().Equal(manualStart))
		require.True(t, tm.Pending())
		require.Zero(t, w.Stats().Workers)
		noMoreGoroutinesThan(t, goroutines)
	})
}

// Contract 10: "Advance(now) sets the wheel's time to now (earlier than Now: a no-op; the
// same: runs what is due)".
func TestAdvanceSetsTheTimeAndNeverSetsItBack(t *testing.T) {
	w := openManual(t, time.Millisecond)
	fired := 0
	advanceTo(t, w, manualStart.Add(time.Second), 0)
	require.True(t, w.Now().Equal(manualStart.Add(time.Second)))
	w.AfterFunc(0, func() { fired++ })
	for _, earlier := range []time.Time{manualStart, manualStart.Add(time.Second - 1), {}, time.Unix(0, 0)} {
		advanceTo(t, w, earlier, 0)
		require.True(t, w.Now().Equal(manualStart.Add(time.Second)))
		require.Zero(t, fired, "an Advance to an earlier time is a no-op, even with something due")
	}
	advanceTo(t, w, w.Now(), 1)
	require.Equal(t, 1, fired)
	advanceTo(t, w, w.Now(), 0)
	advanceTo(t, w, manualStart.Add(time.Second+1), 0)
	require.True(t, w.Now().Equal(manualStart.Add(time.Second+1)), "the wheel's time is now, not now rounded to a tick")
}

// Contract 3: "d <= 0 is due at once", and Contract 10: "the same: runs what is due",
// wherever in a tick the wheel's time is.
func TestWhatIsDueAtOnceRunsInTheNextAdvanceToTheSameTime(t *testing.T) {
	for _, off := range []time.Duration{0, 1, time.Millisecond / 2, time.Millisecond - 1, time.Millisecond} {
		t.Run(off.String(), func(t *testing.T) {
			w := openManual(t, time.Millisecond)
			advanceTo(t, w, manualStart.Add(time.Hour+off), 0)
			arms := []func(timerwheel.Timer) error{
				func(tm timerwheel.Timer) error { return tm.Register(0) },
				func(tm timerwheel.Timer) error { return tm.Register(-1) },
				func(tm timerwheel.Timer) error { return tm.Register(math.MinInt64) },
				func(tm timerwheel.Timer) error { return tm.Reduce(0) },
				func(tm timerwheel.Timer) error { return tm.RegisterAt(w.Now()) },
				func(tm timerwheel.Timer) error { return tm.RegisterAt(manualStart) },
				func(tm timerwheel.Timer) error { return tm.RegisterAt(time.Time{}) },
			}
			for i, arm := range arms {
				runs := 0
				tm := w.Alloc(func(timerwheel.Timer) { runs++ })
				require.NoError(t, arm(tm))
				when, ok := tm.When()
				require.True(t, ok)
				require.True(t, when.Equal(w.Now()), "arm %d: its deadline is the time of the call, not %v", i, when)
				next, ok := w.Next()
				require.True(t, ok)
				require.False(t, next.After(w.Now()), "arm %d: Next is not later than the next firing", i)
				advanceTo(t, w, w.Now(), 1)
				require.Equal(t, 1, runs)
			}
		})
	}
}

// Contract 3: "d <= 0 is due at once"; 10: "Register counts d from Now", and an Advance to
// the same time "runs what is due": without a tick's delay.
func TestPastIsDueInTheAdvanceToTheSameTime(t *testing.T) {
	start := time.Date(2025, 3, 4, 5, 6, 7, 8, time.UTC)
	w := openWheel(t, timerwheel.Options{Manual: true, Start: start, Tick: time.Hour})
	var runs int
	tm := w.Alloc(func(timerwheel.Timer) { runs++ })
	arms := []func() error{
		func() error { return tm.Register(0) },
		func() error { return tm.Register(math.MinInt64) },
		func() error { return tm.Reduce(-1) },
		func() error { return tm.RegisterAt(w.Now()) },
		func() error { return tm.RegisterAt(time.Time{}) },
	}
	for _, now := range []time.Time{start, start.Add(1), start.Add(time.Hour + 1), start.Add(1000 * time.Hour)} {
		fired, err := w.Advance(now)
		require.NoError(t, err)
		require.Zero(t, fired)
		for i, arm := range arms {
			require.NoError(t, arm())
			requireDeadline(t, tm, now, 0)
			fired, err := w.Advance(now)
			require.NoError(t, err)
			require.Equal(t, 1, fired, "arming %d", i)
		}
	}
	require.Equal(t, 4*len(arms), runs)
}

// Contract 10: "runs what is due by then, in the caller's goroutine". Contract 2: Manual is
// "no goroutine".
func TestAdvanceRunsHandlersInItsCaller(t *testing.T) {
	w := openManual(t, time.Millisecond)
	caller, goroutines := goroutineName(), runtime.NumGoroutine()
	var tm timerwheel.Timer
	tm = w.Alloc(func(own timerwheel.Timer) {
		assert.Equal(t, caller, goroutineName())
		assert.Equal(t, tm, own)
		assert.True(t, own.Running())
		assert.False(t, own.Pending())
		running := w.Running()
		if assert.Len(t, running, 1) {
			assert.Equal(t, tm, running[0].Timer)
		}
		assert.Equal(t, 1, w.Stats().Running)
		assert.Zero(t, w.Stats().Workers)
		noMoreGoroutinesThan(t, goroutines)
	})
	for range 100 {
		require.NoError(t, tm.Register(time.Second))
		advanceTo(t, w, w.Now().Add(time.Second), 1)
	}
	require.Empty(t, w.Running())
	require.EqualValues(t, 100, w.Stats().Fired)
}

// Contract 10: "in order of deadline tick". Two deadlines a tick or more apart lie in
// different ticks, wherever the ticks begin; nothing is asked of the order within one.
func TestAdvanceRunsInOrderOfDeadlineTick(t *testing.T) {
	for _, tick := range []time.Duration{time.Microsecond, time.Millisecond, time.Minute} {
		for seed := range uint64(4) {
			t.Run(fmt.Sprintf("tick %v/seed %d", tick, seed), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, uint64(tick)))
				// Half of the seeds spread the timers over all distances, the others crowd
				// them into a few hundred ticks.
				distance := func() time.Duration { return manualDistance(rng, 61) }
				if seed%2 == 1 {
					distance = func() time.Duration { return time.Duration(rng.Int64N(int64(300 * tick))) }
				}
				w := openManual(t, tick)
				advanceTo(t, w, manualStart.Add(time.Duration(rng.Int64N(int64(time.Hour)))), 0)
				begin := w.Now()
				var latest time.Duration
				ran := 0
				g, l := w.NewGroup(), new(sync.Mutex)
				for i := range 1000 {
					var d time.Duration
					handler := func(timerwheel.Timer) {
						assert.Less(t, latest-d, tick, "the timer due after %v ran after the one due after %v", d, latest)
						latest = max(latest, d)
						ran++
					}
					tm := [...]func(func(timerwheel.Timer)) timerwheel.Timer{
						w.Alloc, g.Alloc, func(f func(timerwheel.Timer)) timerwheel.Timer { return w.AllocLocked(l, f) },
					}[i%3](handler)
					// Moved earlier or later once or twice: a place in the order must not
					// be the place of an old deadline.
					for range 1 + rng.IntN(3) {
						d = distance()
						require.NoError(t, tm.Register(d))
					}
					if i%5 == 0 {
						if d2 := distance(); d2 < d {
							d = d2
						}
						require.NoError(t, tm.Reduce(d))
					}
				}
				advanceTo(t, w, begin.Add(100*manualYear), 1000)
				require.Equal(t, 1000, ran)
			})
		}
	}
}

// manualDistance is a random distance below 2^bits ns, all magnitudes being as likely.
func manualDistance(rng *rand.Rand, bits int) time.Duration {
	return time.Duration(rng.Int64N(1 << (1 + rng.IntN(bits))))
}

// Contract 10: "Handlers see Now() == now", and "Register counts d from Now".
func TestHandlersSeeTheTimeThatAdvanceWasGiven(t *testing.T) {
	w := openManual(t, time.Millisecond)
	now := manualStart.Add(time.Hour + 12345*time.Nanosecond)
	n := 0
	for d := time.Millisecond; d < time.Hour; d *= 3 {
		n++
		tm := w.Alloc(func(tm timerwheel.Timer) {
			assert.True(t, w.Now().Equal(now), "%v", w.Now())
			assert.NoError(t, tm.Register(10*time.Millisecond))
			when, ok := tm.When()
			assert.True(t, ok)
			assert.True(t, when.Equal(now.Add(10*time.Millisecond)), "%v", when)
		})
		require.NoError(t, tm.Register(d))
	}
	advanceTo(t, w, now, n)
	advanceTo(t, w, now.Add(10*time.Millisecond-1), 0)
	now = now.Add(11*time.Millisecond - 1)
	advanceTo(t, w, now, n)
}

// Contract 10: "What is registered while it runs is left to the next Advance, even if due at once".
func TestWhatIsRegisteredDuringAnAdvanceIsLeftToTheNext(t *testing.T) {
	nothing := func(timerwheel.Timer) {}
	register0 := func(tm timerwheel.Timer) func() { return func() { _ = tm.Register(0) } }
	elsewhere := func(f func()) { <-inBackground(f) }
	// Each case is called within an Advance, by some function that the wheel calls, and
	// arms one timer. The timer due comes due in the same Advance, after that function; far
	// does not.
	cases := map[string]func(w *timerwheel.Wheel, own, due, far timerwheel.Timer){
		"its own timer":              func(_ *timerwheel.Wheel, own, _, _ timerwheel.Timer) { register0(own)() },
		"a new timer":                func(w *timerwheel.Wheel, _, _, _ timerwheel.Timer) { register0(w.Alloc(nothing))() },
		"a new AfterFunc":            func(w *timerwheel.Wheel, _, _, _ timerwheel.Timer) { w.AfterFunc(-time.Hour, func() {}) },
		"a far timer moved to now":   func(_ *timerwheel.Wheel, _, _, far timerwheel.Timer) { register0(far)() },
		"a far timer reduced":        func(_ *timerwheel.Wheel, _, _, far timerwheel.Timer) { _ = far.Reduce(0) },
		"a due timer moved":          func(_ *timerwheel.Wheel, _, due, _ timerwheel.Timer) { register0(due)() },
		"a due timer moved by Reset": func(_ *timerwheel.Wheel, _, due, _ timerwheel.Timer) { due.Reset(0) },
		"to the past":                func(_ *timerwheel.Wheel, own, _, _ timerwheel.Timer) { _ = own.RegisterAt(manualStart.Add(1)) },
		"a due timer, to the past":   func(_ *timerwheel.Wheel, _, due, _ timerwheel.Timer) { _ = due.RegisterAt(manualStart) },
		"by another goroutine":       func(_ *timerwheel.Wheel, _, _, far timerwheel.Timer) { elsewhere(register0(far)) },
		"a due one, by another":      func(_ *timerwheel.Wheel, _, due, _ timerwheel.Timer) { elsewhere(register0(due)) },
		"deleted and armed again": func(_ *timerwheel.Wheel, _, due, _ timerwheel.Timer) {
			_, _ = due.DelSync()
			register0(due)()
		},
		"a member": func(w *timerwheel.Wheel, _, _, _ timerwheel.Timer) { w.NewGroup().AfterFunc(0, func() {}) },
		"lock-bound": func(w *timerwheel.Wheel, _, _, _ timerwheel.Timer) {
			register0(w.AllocLocked(new(sync.Mutex), nothing))()
		},
	}
	callers := map[string]func(w *timerwheel.Wheel, arm func(own timerwheel.Timer)) timerwheel.Timer{
		"handler": func(w *timerwheel.Wheel, arm func(timerwheel.Timer)) timerwheel.Timer { return w.Alloc(arm) },
		"lock-bound handler": func(w *timerwheel.Wheel, arm func(timerwheel.Timer)) timerwheel.Timer {
			return w.AllocLocked(new(sync.Mutex), arm)
		},
		"done": func(w *timerwheel.Wheel, arm func(timerwheel.Timer)) timerwheel.Timer {
			return w.Alloc(func(own timerwheel.Timer) { own.DelAsync(func() { arm(own) }) })
		},
	}
	for by, caller := range callers {
		for name, arm := range cases {
			t.Run("by a "+by+"/"+name, func(t *testing.T) {
				w := openManual(t, time.Millisecond)
				now := manualStart.Add(time.Second)
				armed := false
				var due, far timerwheel.Timer
				// The first of its runs arms.
				own := caller(w, func(own timerwheel.Timer) {
					if !armed {
						armed = true
						arm(w, own, due, far)
					}
				})
				due, far = w.Alloc(nothing), w.Alloc(nothing)
				require.NoError(t, own.Register(10*time.Millisecond))
				require.NoError(t, due.Register(20*time.Millisecond))
				require.NoError(t, far.Register(time.Hour))

				first, err := w.Advance(now)
				require.NoError(t, err)
				second, err := w.Advance(now)
				require.NoError(t, err)
				third, err := w.Advance(now)
				require.NoError(t, err)
				// Three firings within a second: own, due, and the one that was armed. The
				// one that was moved is one of them.
				moved := name == "a due timer moved" || name == "a due timer moved by Reset" || name == "a due timer, to the past" ||
					name == "a due one, by another" || name == "deleted and armed again"
				if moved {
					require.Equal(t, []int{1, 1, 0}, []int{first, second, third})
				} else {
					require.Equal(t, []int{2, 1, 0}, []int{first, second, third})
				}
				require.True(t, w.Now().Equal(now))
				countsAddUp(t, w)
			})
		}
	}
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

// Contract 2: Reduce moves "only if that is earlier". One that is due already is not moved
// by Reduce(0), so it still belongs to the running Advance.
func TestAReduceThatMovesNothingDoesNotPostpone(t *testing.T) {
	w := openManual(t, time.Millisecond)
	due := w.Alloc(func(timerwheel.Timer) {})
	require.NoError(t, due.Register(20*time.Millisecond))
	w.AfterFunc(10*time.Millisecond, func() { assert.NoError(t, due.Reduce(0)) })
	advanceTo(t, w, manualStart.Add(time.Second), 2)
}

// Contract 10: "an Advance always ends".
func TestAnAdvanceEndsAlthoughEveryHandlerArmsItselfAgain(t *testing.T) {
	w := openManual(t, time.Millisecond)
	for range 100 {
		tm := w.Alloc(func(tm timerwheel.Timer) {
			assert.NoError(t, tm.Register(0))
			tm.Reset(-time.Hour)
			w.AfterFunc(0, func() {})
		})
		require.NoError(t, tm.Register(0))
	}
	advanceTo(t, w, w.Now(), 100)
	for i := range 10 {
		advanceTo(t, w, w.Now().Add(time.Duration(i%2)*time.Hour), 200)
	}
}

// Contract 10: "Tick-grained: never early, less than a tick late", from any place within a
// tick and for any distance.
func TestAManualTimerIsNeverEarlyAndLessThanATickLate(t *testing.T) {
	for _, tick := range []time.Duration{time.Microsecond, 7 * time.Millisecond, time.Hour} {
		offsets := []time.Duration{0, 1, tick / 3, tick - 1}
		distances := []time.Duration{1, 2, tick / 2, tick - 1, tick, tick + 1, 2*tick - 1, 2 * tick}
		for n, ticks := 0, time.Duration(64); n < 4; n, ticks = n+1, ticks*64 {
			distances = append(distances, (ticks-1)*tick, ticks*tick-1, ticks*tick, ticks*tick+1, (ticks+1)*tick)
		}
		for _, off := range offsets {
			for _, d := range distances {
				for _, arm := range []string{"Register", "RegisterAt", "Reduce", "moved"} {
					w := openManual(t, tick)
					advanceTo(t, w, manualStart.Add(12345*tick+off), 0)
					tm := w.Alloc(func(timerwheel.Timer) {})
					deadline := w.Now().Add(d)
					switch arm {
					case "Register":
						require.NoError(t, tm.Register(d))
					case "RegisterAt":
						require.NoError(t, tm.RegisterAt(deadline))
					case "Reduce":
						require.NoError(t, tm.Register(d+1000*tick))
						require.NoError(t, tm.Reduce(d))
					case "moved":
						require.NoError(t, tm.Register(1))
						require.NoError(t, tm.Register(d))
					}
					what := fmt.Sprintf("tick %v, %v into it, %s(%v)", tick, off, arm, d)
					fired, err := w.Advance(deadline.Add(-1))
					require.NoError(t, err)
					require.Zero(t, fired, "early: %s", what)
					fired, err = w.Advance(deadline.Add(tick - 1))
					require.NoError(t, err)
					require.Equal(t, 1, fired, "a tick late: %s", what)
					require.NoError(t, w.Close())
				}
			}
		}
	}
}

// Contract 2: Next is "not later than the next firing; ok is false when nothing pends".
// Contract 10: "Advance(Next()) fires something or raises Next".
func TestAdvanceToNextMakesProgress(t *testing.T) {
	for _, tick := range []time.Duration{time.Microsecond, time.Millisecond, time.Hour} {
		t.Run(tick.String(), func(t *testing.T) {
			w := openManual(t, tick)
			_, ok := w.Next()
			require.False(t, ok)
			advanceTo(t, w, manualStart.Add(tick/2), 0)
			timers := 0
			begin := w.Now()
			for d := time.Duration(0); d < 100*manualYear; d = d*3 + 2 {
				w.AfterFunc(d, func() { assert.False(t, w.Now().Before(begin.Add(d)), "early") })
				timers++
			}
			fired, steps := 0, 0
			for next, ok := w.Next(); ok; steps++ {
				require.Less(t, steps, 64*timers, "an empty step can only sort timers into a finer level, and levels are few")
				if next.After(w.Now()) {
					advanceTo(t, w, next.Add(-1), 0)
				}
				n, err := w.Advance(next)
				require.NoError(t, err)
				fired += n
				var after time.Time
				after, ok = w.Next()
				require.True(t, n > 0 || ok && after.After(next), "no firing, and Next went from %v to %v", next, after)
				next = after
			}
			require.Equal(t, timers, fired)
		})
	}
}

// Contract 10: "A huge step costs O(timers due + levels), not O(ticks)". A hundred years
// have 3e15 ticks of a microsecond: whoever walks them, or even the 5e13 groups of 64, does
// not return in this test's time.
func TestAHugeStepCostsNoMoreThanItsTimers(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, manualYear, 100 * manualYear} {
		t.Run(step.String(), func(t *testing.T) {
			begun := time.Now()
			w := openManual(t, time.Microsecond)
			advanceTo(t, w, manualStart.Add(step), 0)
			for range 100 {
				advanceTo(t, w, w.Now().Add(step/1000), 0)
			}
			base, due := w.Now(), 0
			for d := time.Duration(1); d > 0 && d < 2*step; d <<= 1 {
				w.AfterFunc(d, func() { assert.False(t, w.Now().Before(base.Add(d)), "early") })
				if d <= step-time.Microsecond {
					due++
				}
			}
			w.AfterFunc(math.MaxInt64, func() { t.Error("never came") })
			pending := w.Stats().Pending
			advanceTo(t, w, base.Add(step), due)
			require.Equal(t, pending-due, w.Stats().Pending)

			// After the step the wheel is as good as new.
			w.AfterFunc(10*time.Microsecond, func() {})
			advanceTo(t, w, base.Add(step+10*time.Microsecond-1), 0)
			advanceTo(t, w, base.Add(step+11*time.Microsecond-1), 1)
			require.Less(t, time.Since(begun), 10*time.Second)
		})
	}
}

// Contract 3: a d "too large for the clock means never, not now". Contract 12: "With only
// never timers pending, Next is ok and far away, and Advance to it need not fire."
func TestOnlyNeverTimersPendOnAManualWheel(t *testing.T) {
	w := openManual(t, time.Millisecond)
	var timers []timerwheel.Timer
	for range 3 {
		timers = append(timers, w.Alloc(func(timerwheel.Timer) {}))
	}
	require.NoError(t, timers[0].Register(math.MaxInt64))
	require.NoError(t, timers[1].RegisterAt(time.Date(20000, time.January, 1, 0, 0, 0, 0, time.UTC)))
	advanceTo(t, w, manualStart.Add(manualYear), 0)
	require.NoError(t, timers[2].Register(math.MaxInt64-1))
	advanceTo(t, w, w.Now().Add(10*manualYear), 0)
	next, ok := w.Next()
	require.True(t, ok)
	require.True(t, next.After(manualStart.Add(100*manualYear)), "far away, not %v", next)
	for i, tm := range timers {
		require.True(t, tm.Pending(), "%d", i)
		when, ok := tm.When()
		require.True(t, ok)
		require.True(t, when.After(manualStart.Add(100*manualYear)), "%d: %v", i, when)
	}
	require.NoError(t, timers[0].Register(time.Second))
	advanceTo(t, w, w.Now().Add(time.Second), 1)
	found := timers[1].Del()
	require.True(t, found.Pending)
	next, ok = w.Next()
	require.True(t, ok)
	_, err := w.Advance(next)
	require.NoError(t, err)
	countsAddUp(t, w)
}

// Contract 10: an Advance to an earlier time does nothing, even where a
// Duration since Start does not reach.
func TestAdvanceBeyondTheReachOfADuration(t *testing.T) {
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	w := openWheel(t, timerwheel.Options{Manual: true, Start: start})
	w.AfterFunc(math.MaxInt64, func() {})
	far := start.AddDate(400, 0, 0)
	_, err := w.Advance(far)
	require.NoError(t, err)
	_, err = w.Advance(start.AddDate(350, 0, 0))
	require.NoError(t, err)
	require.Equal(t, far, w.Now())
	next, ok := w.Next()
	require.True(t, ok)
	require.False(t, next.Before(w.Now()))
}

// Contract 10, at the end of time, where a clock of nanoseconds stands still: an
// Advance "runs what is due by then".
func TestAManualWheelRunsAtTheEndOfTime(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Manual: true})
	end := w.Now().AddDate(300, 0, 0)
	_, err := w.Advance(end)
	require.NoError(t, err)
	runs := 0
	require.NoError(t, w.Alloc(func(timerwheel.Timer) { runs++ }).Register(0))
	_, err = w.Advance(end)
	require.NoError(t, err)
	require.Equal(t, 1, runs)
}

// Contract 10: "Concurrent Advances are serialised": the second waits, durably, and then
// sees what the first has left.
func TestConcurrentAdvancesAreSerialised(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openManual(t, time.Millisecond)
		release, begun := openedAtTheEnd(t), make(chan struct{})
		var order []string
		w.AfterFunc(time.Millisecond, func() {
			close(begun)
			<-release
			order = append(order, "first")
			assert.True(t, w.Now().Equal(manualStart.Add(time.Second)), "the second must not move the first one's time")
		})
		w.AfterFunc(2*time.Millisecond, func() { order = append(order, "second") })
		w.AfterFunc(time.Minute, func() { order = append(order, "third") })
		first := inBackground(func() { advanceTo(t, w, manualStart.Add(time.Second), 2) })
		<-begun
		second := inBackground(func() { advanceTo(t, w, manualStart.Add(time.Hour), 1) })
		same := inBackground(func() {
			_, err := w.Advance(manualStart.Add(time.Second))
			assert.NoError(t, err)
		})
		synctest.Wait()
		require.False(t, isClosed(first) || isClosed(second) || isClosed(same))
		close(release)
		<-first
		<-second
		<-same
		require.Equal(t, []string{"first", "second", "third"}, order)
		require.True(t, w.Now().Equal(manualStart.Add(time.Hour)))
	})
}

// The same on real goroutines: the handlers of all Advances share a plain variable, so the
// race detector sees any two that overlap or are not ordered.
func TestConcurrentAdvancesNeverOverlap(t *testing.T) {
	w := openManual(t, time.Millisecond)
	var fired, refused int
	handler := func(tm timerwheel.Timer) {
		fired++
		if err := tm.Register(time.Millisecond); err != nil {
			refused++
		}
	}
	var timers []timerwheel.Timer
	for range 20 {
		tm := w.Alloc(handler)
		require.NoError(t, tm.Register(0))
		timers = append(timers, tm)
	}
	var sum [4]int
	var hosts, others sync.WaitGroup
	stop := make(chan struct{})
	for i := range sum {
		hosts.Go(func() {
			for n := range 200 {
				fired, err := w.Advance(manualStart.Add(time.Duration(n) * time.Millisecond))
				assert.NoError(t, err)
				sum[i] += fired
			}
		})
	}
	others.Go(func() {
		for i := 0; !isClosed(stop); i++ {
			tm := timers[i%len(timers)]
			_, err := tm.DelSync()
			assert.NoError(t, err)
			assert.NoError(t, tm.Register(0))
		}
	})
	hosts.Wait()
	close(stop)
	others.Wait()
	s := w.Stats()
	require.EqualValues(t, sum[0]+sum[1]+sum[2]+sum[3], s.Fired)
	require.EqualValues(t, fired, s.Fired)
	require.EqualValues(t, refused, s.Refused)
	require.Positive(t, fired)
	countsAddUp(t, w)
}

// Contract 10: "Advance in a handler is ErrDeadlock". Contract 12: "Advance from any
// function that the wheel calls is ErrDeadlock."
func TestAdvanceFromAFunctionThatTheWheelCallsIsErrDeadlock(t *testing.T) {
	cases := map[string]func(t *testing.T, w *timerwheel.Wheel, panicked *func(), call func()){
		"a handler": func(_ *testing.T, w *timerwheel.Wheel, _ *func(), call func()) { w.AfterFunc(0, call) },
		"a lock-bound handler": func(t *testing.T, w *timerwheel.Wheel, _ *func(), call func()) {
			require.NoError(t, w.AllocLocked(new(sync.Mutex), func(timerwheel.Timer) { call() }).Register(0))
		},
		"Every's handler": func(_ *testing.T, w *timerwheel.Wheel, _ *func(), call func()) {
			w.Every(time.Millisecond, func(tm timerwheel.Timer) {
				tm.Del()
				call()
			})
		},
		"the user's Lock": func(t *testing.T, w *timerwheel.Wheel, _ *func(), call func()) {
			require.NoError(t, w.AllocLocked(&hookedLock{durableLock: newDurableLock(), onLock: call}, func(timerwheel.Timer) {}).Register(0))
		},
		"the user's Unlock": func(t *testing.T, w *timerwheel.Wheel, _ *func(), call func()) {
			require.NoError(t, w.AllocLocked(&hookedLock{durableLock: newDurableLock(), onUnlock: call}, func(timerwheel.Timer) {}).Register(0))
		},
		"OnPanic": func(_ *testing.T, w *timerwheel.Wheel, panicked *func(), call func()) {
			*panicked = call
			w.AfterFunc(0, func() { panic("on purpose") })
		},
		"done, of a timer that ran": func(_ *testing.T, w *timerwheel.Wheel, _ *func(), call func()) {
			require.NoError(t, w.Alloc(func(own timerwheel.Timer) { own.DelAsync(call) }).Register(0))
		},
		"done, of an idle timer": func(t *testing.T, w *timerwheel.Wheel, _ *func(), call func()) {
			w.Alloc(func(timerwheel.Timer) {}).DelAsync(call)
		},
	}
	for name, arrange := range cases {
		t.Run(name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				var panicked func()
				w := openWheel(t, timerwheel.Options{Manual: true, Start: manualStart, OnPanic: func(timerwheel.HandlerPanic) { panicked() }})
				var seen []error
				later := w.AfterFunc(time.Hour, func() { t.Error("an Advance that was refused moved the time") })
				arrange(t, w, &panicked, func() {
					fired, err := w.Advance(manualStart.Add(2 * time.Hour))
					assert.Zero(t, fired)
					seen = append(seen, err)
				})
				_, err := w.Advance(manualStart.Add(time.Second))
				require.NoError(t, err)
				require.Len(t, seen, 1)
				require.ErrorIs(t, seen[0], timerwheel.ErrDeadlock)
				require.True(t, w.Now().Equal(manualStart.Add(time.Second)))
				require.True(t, later.Stop())
			})
		})
	}
}

// Contract 4 by analogy with 10: "a goroutine that the handler started is not the handler":
// its Advance waits for its turn. And another wheel's Advance is nobody's business.
func TestAdvanceBesideAHandler(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w, other := openManual(t, time.Millisecond), openManual(t, time.Millisecond)
		w.AfterFunc(2*time.Second, func() {})
		other.AfterFunc(time.Second, func() {})
		started := make(chan (<-chan struct{}), 1)
		w.AfterFunc(0, func() {
			started <- inBackground(func() { advanceTo(t, w, manualStart.Add(time.Hour), 1) })
			synctest.Wait()
			assert.True(t, w.Now().Equal(manualStart.Add(time.Second)))
			advanceTo(t, other, manualStart.Add(time.Second), 1)
		})
		advanceTo(t, w, manualStart.Add(time.Second), 1)
		<-<-started
		require.True(t, w.Now().Equal(manualStart.Add(time.Hour)))
	})
}

// Contract 10: "on a closed wheel ErrClosed; on a wheel that is not Manual ErrNotManual".
func TestAdvanceOfAWheelThatCannot(t *testing.T) {
	w := openManual(t, time.Millisecond)
	w.AfterFunc(0, func() { t.Error("fired on a closed wheel") })
	require.NoError(t, w.Close())
	for range 2 {
		fired, err := w.Advance(manualStart.Add(time.Hour))
		require.ErrorIs(t, err, timerwheel.ErrClosed)
		require.Zero(t, fired)
	}
	ticking := openWheel(t, timerwheel.Options{})
	ticking.AfterFunc(time.Hour, func() { t.Error("advanced by hand") })
	fired, err := ticking.Advance(time.Now().Add(2 * time.Hour))
	require.ErrorIs(t, err, timerwheel.ErrNotManual)
	require.Zero(t, fired)
}

// Contract 10: "Same promises for deletion, also from other goroutines": Contract 4's table
// while an Advance runs a handler.
func TestDeletionsFromElsewhereDuringAnAdvance(t *testing.T) {
	deletions := map[string]struct {
		del   func(timerwheel.Timer) (timerwheel.Found, error)
		waits bool
	}{
		"Del":            {delNoError, false},
		"DelSync":        {timerwheel.Timer.DelSync, true},
		"DelSyncContext": {func(tm timerwheel.Timer) (timerwheel.Found, error) { return tm.DelSyncContext(context.Background()) }, true},
		"Shutdown":       {timerwheel.Timer.ShutdownSync, true},
	}
	for name, c := range deletions {
		t.Run(name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openManual(t, time.Millisecond)
				release, begun := openedAtTheEnd(t), make(chan struct{})
				tm := w.Alloc(func(tm timerwheel.Timer) {
					assert.NoError(t, tm.Register(0))
					close(begun)
					<-release
				})
				inLine := w.Alloc(func(timerwheel.Timer) { t.Error("deleted while in line, and ran") })
				require.NoError(t, tm.Register(time.Millisecond))
				require.NoError(t, inLine.Register(2*time.Millisecond))
				advanced := inBackground(func() { advanceTo(t, w, manualStart.Add(time.Second), 1) })
				<-begun
				found, err := c.del(inLine)
				require.NoError(t, err)
				require.Equal(t, timerwheel.Found{Pending: true}, found)
				deleted := inBackground(func() {
					found, err := c.del(tm)
					assert.NoError(t, err)
					assert.Equal(t, timerwheel.Found{Pending: true, Running: true}, found)
				})
				synctest.Wait()
				require.Equal(t, c.waits, !isClosed(deleted))
				require.False(t, tm.Pending())
				if c.waits {
					require.Error(t, tm.Register(0))
				}
				close(release)
				<-deleted
				<-advanced
				advanceTo(t, w, manualStart.Add(time.Second), 0)
				countsAddUp(t, w)
			})
		})
	}
}

// Contract 10: "Same promises for deletion, also from other goroutines": the goroutine in Advance
// is the worker while it runs the handler, and no longer.
func TestDelSyncOnAManualWheel(t *testing.T) {
	bubble(t, "", timerwheel.Options{Manual: true}, func(t *testing.T, w *timerwheel.Wheel) {
		p := newPuppet(t)
		tm := w.Alloc(p.handle)
		advance := func() (timerwheel.Found, error) {
			if err := tm.Register(0); err != nil {
				return foundNone, err
			}
			_, err := w.Advance(w.Now())
			return foundNone, err
		}
		p.let()
		_, err := advance() // this goroutine has been a worker now, and is none any more
		require.NoError(t, err)

		p = newPuppet(t)
		tm = w.Alloc(p.handle)
		advancing := deleting(advance)
		synctest.Wait()
		require.True(t, tm.Running())
		elsewhere := deleting(tm.DelSync)
		require.True(t, elsewhere.waits())
		p.call(tm.DelSync).requires(t, foundRunning, timerwheel.ErrDeadlock)
		time.AfterFunc(time.Hour, p.let)
		found, err := tm.DelSync()
		require.NoError(t, err)
		require.Equal(t, foundRunning, found)
		require.EqualValues(t, 1, p.ended.Load())
		elsewhere.requires(t, foundRunning, nil)
		advancing.requires(t, foundNone, nil)
	})
}

// Contract 4: "DelSyncContext | ctx ends first | the firing stays removed, Running: true,
// ctx's error", on a manual wheel.
func TestDelSyncContextDuringAnAdvanceGivesUp(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openManual(t, time.Millisecond)
		release, begun := openedAtTheEnd(t), make(chan struct{})
		tm := w.AfterFunc(0, func() {
			close(begun)
			<-release
		})
		advanced := inBackground(func() { advanceTo(t, w, manualStart, 1) })
		<-begun
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		found, err := tm.DelSyncContext(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, timerwheel.Found{Running: true}, found)
		close(release)
		<-advanced
	})
}

// Contract 4: "DelSync | its own handler" and "DelSync of B | A's handler, B due in line
// behind A", in an Advance.
func TestDeletionsByAHandlerOfTheAdvance(t *testing.T) {
	w := openManual(t, time.Millisecond)
	inLine := w.Alloc(func(timerwheel.Timer) { t.Error("deleted while in line, and ran") })
	require.NoError(t, inLine.Register(2*time.Millisecond))
	w.AfterFunc(time.Millisecond, func() {
		found, err := inLine.DelSync()
		assert.NoError(t, err)
		assert.Equal(t, timerwheel.Found{Pending: true}, found)
	})
	own := w.Alloc(func(tm timerwheel.Timer) {
		assert.NoError(t, tm.Register(0))
		found, err := tm.DelSync()
		assert.ErrorIs(t, err, timerwheel.ErrDeadlock)
		assert.Equal(t, timerwheel.Found{Pending: true, Running: true}, found)
	})
	require.NoError(t, own.Register(3*time.Millisecond))
	advanceTo(t, w, manualStart.Add(time.Second), 2)
	advanceTo(t, w, manualStart.Add(time.Second), 0)
	countsAddUp(t, w)
}

// Contract 4: done runs "on a Manual wheel: in the caller before DelAsync returns, or in
// the Advance that ran the handler".
func TestDelAsyncOnAManualWheel(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openManual(t, time.Millisecond)
		// dones calls DelAsync and tells how often, and on which goroutine, done ran.
		type record struct {
			runs int
			on   string
		}
		async := func(tm timerwheel.Timer, want timerwheel.Found, r *record) {
			found := tm.DelAsync(func() {
				assert.False(t, tm.Running())
				r.runs++
				r.on = goroutineName()
			})
			assert.Equal(t, want, found)
		}
		idle, pending, stale := w.Alloc(func(timerwheel.Timer) {}), w.Alloc(func(timerwheel.Timer) {}), w.AfterFunc(time.Second, func() {})
		require.NoError(t, pending.Register(time.Second))
		require.True(t, stale.Stop())
		for _, c := range []struct {
			tm   timerwheel.Timer
			want timerwheel.Found
		}{{idle, timerwheel.Found{}}, {pending, timerwheel.Found{Pending: true}}, {stale, timerwheel.Found{}}} {
			var r record
			async(c.tm, c.want, &r)
			require.Equal(t, record{1, goroutineName()}, r, "in the caller, before DelAsync returned")
		}

		// Of a running timer: by its own handler, and by a goroutine beside it; also of an
		// idle one by a handler.
		release, begun := openedAtTheEnd(t), make(chan struct{})
		var own, beside, other record
		tm := w.Alloc(func(tm timerwheel.Timer) {
			async(tm, timerwheel.Found{Running: true}, &own)
			async(idle, timerwheel.Found{}, &other)
			assert.Equal(t, record{1, goroutineName()}, other)
			close(begun)
			<-release
			assert.ErrorIs(t, tm.Register(0), timerwheel.ErrDeleting)
			assert.Zero(t, own.runs, "not before the handler has returned")
		})
		require.NoError(t, tm.Register(0))
		var host string
		advanced := inBackground(func() {
			host = goroutineName()
			advanceTo(t, w, manualStart, 1)
			assert.Equal(t, record{1, host}, own, "in the Advance, before it returned")
			assert.Equal(t, record{1, host}, beside, "in the Advance, before it returned")
		})
		<-begun
		async(tm, timerwheel.Found{Running: true}, &beside)
		require.Equal(t, 2, w.Running()[0].Waiters)
		close(release)
		<-advanced
		require.NoError(t, tm.Register(0))
		require.EqualValues(t, 2, w.Stats().SyncWaits)
	})
}

// Contract 4: on a Manual wheel done runs "in the caller before DelAsync returns, or in the Advance
// that ran the handler".
func TestDelAsyncDoneOnAManualWheel(t *testing.T) {
	bubble(t, "", timerwheel.Options{Manual: true}, func(t *testing.T, w *timerwheel.Wheel) {
		p := newPuppet(t)
		tm := w.Alloc(p.handle)
		stale := w.Alloc(delIgnore)
		require.NoError(t, stale.Free())
		for _, idle := range []timerwheel.Timer{tm, stale, w.AfterFunc(time.Hour, func() {})} {
			var in []string
			idle.DelAsync(func() { in = append(in, delGoroutine()) })
			require.Equal(t, []string{delGoroutine()}, in)
		}

		var advancer string
		var in []string
		done := func() {
			in = append(in, delGoroutine())
			if p.ended.Load() == 0 {
				in = append(in, "too early")
			}
		}
		require.NoError(t, tm.Register(0))
		advancing := deleting(func() (timerwheel.Found, error) {
			advancer = delGoroutine()
			_, err := w.Advance(w.Now())
			if len(in) != 2 {
				in = append(in, "too late")
			}
			return foundNone, err
		})
		synctest.Wait()
		found := tm.DelAsync(done) // elsewhere
		require.Equal(t, foundRunning, found)
		p.call(func() (timerwheel.Found, error) { return tm.DelAsync(done), nil }).requires(t, foundRunning, nil) // here
		p.let()
		advancing.requires(t, foundNone, nil)
		require.Equal(t, []string{advancer, advancer}, in)
	})
}

// Contract 4: done runs once, whatever the dones of other deletions do.
func TestADoneThatPanicsTakesNoOtherWithIt(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Manual: true})
	ran := 0
	tm := w.Alloc(func(tm timerwheel.Timer) {
		for range 3 {
			tm.DelAsync(func() { ran++; panic("done") })
		}
	})
	require.NoError(t, tm.Register(0))
	require.Panics(t, func() { _, _ = w.Advance(w.Now()) })
	require.Equal(t, 3, ran)
	fired, err := w.Advance(w.Now())
	require.NoError(t, err)
	require.Zero(t, fired)
}

// The same calls give the same run: the dones of deletions that wait for one handler are called in
// the order of the deletions.
func TestDonesAreCalledInTheOrderOfTheirDeletions(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Manual: true})
	const n = 30
	var order, want []int
	w.Alloc(func(tm timerwheel.Timer) {
		for k := range n {
			tm.DelAsync(func() { order = append(order, k) })
			want = append(want, k)
		}
	}).Register(0)
	_, err := w.Advance(w.Now())
	require.NoError(t, err)
	require.Equal(t, want, order)
}

// Contract 10: "A handler's panic without OnPanic passes through Advance and leaves the
// wheel usable"; Contract 11 for Goexit: "slot cleared, waiters released". For each kind of
// timer, with waiters of each kind, and with timers due before and after.
func TestAHandlerThatDoesNotReturnLeavesTheManualWheelUsable(t *testing.T) {
	problem := errors.New("on purpose")
	ends := map[string]struct {
		misbehave func()
		value     any
	}{
		"panic":  {func() { panic(problem) }, problem},
		"Goexit": {runtime.Goexit, nil},
	}
	for how, end := range ends {
		for _, kind := range timerKinds {
			t.Run(how+"/"+kind.name, func(t *testing.T) {
				guarded(t, func(t *testing.T) {
					w, l := openManual(t, time.Millisecond), newDurableLock()
					release, begun := openedAtTheEnd(t), make(chan struct{})
					bad := kind.arm(w, l, 2*time.Millisecond, func(timerwheel.Timer) {
						close(begun)
						<-release
						end.misbehave()
					})
					var rest []int
					w.AfterFunc(time.Millisecond, func() { rest = append(rest, 0) })
					w.AfterFunc(3*time.Millisecond, func() { rest = append(rest, 1) })
					require.NoError(t, w.AllocLocked(l, func(timerwheel.Timer) { rest = append(rest, 2) }).Register(4*time.Millisecond))

					now := manualStart.Add(10 * time.Millisecond)
					var seen any
					dones := 0
					advanced := inBackground(func() {
						defer func() { seen = recover() }()
						_, _ = w.Advance(now)
						t.Error("Advance returned")
					})
					<-begun
					want := timerwheel.Found{Running: true, Pending: kind.name == "Every"}
					deleted := inBackground(func() {
						found, err := bad.DelSync()
						assert.NoError(t, err)
						assert.Equal(t, want, found)
					})
					synctest.Wait()
					bad.DelAsync(func() { dones++ })
					require.False(t, isClosed(deleted))
					close(release)
					<-advanced
					<-deleted

					require.Equal(t, end.value, seen, "the panic's own value")
					require.Equal(t, 1, dones, "in the Advance that ran the handler")
					require.False(t, bad.Running())
					require.Empty(t, w.Running())
					require.Zero(t, w.Stats().Running)
					require.True(t, w.Now().Equal(now))
					require.True(t, l.isFree())
					_, err := w.Advance(now)
					require.NoError(t, err, "the wheel is usable, and no Advance is thought to be running")
					require.Equal(t, []int{0, 1, 2}, rest, "what else was due is run once, in order")
					require.EqualValues(t, 4, w.Stats().Fired)
					w.AfterFunc(time.Millisecond, func() {})
					advanceTo(t, w, now.Add(time.Hour), 1)
					countsAddUp(t, w)
					require.NoError(t, w.Close())
				})
			})
		}
	}
}

// Contract 10 with 3: what the handler did before it panicked stands: a timer that it armed
// again is pending and fires again.
func TestATimerArmedAgainByAHandlerThatPanicsInAdvance(t *testing.T) {
	w := openManual(t, time.Millisecond)
	runs := 0
	tm := w.Alloc(func(tm timerwheel.Timer) {
		assert.NoError(t, tm.Register(0))
		if runs++; runs < 3 {
			panic(runs)
		}
	})
	require.NoError(t, tm.Register(0))
	for i := 1; i < 3; i++ {
		require.PanicsWithValue(t, i, func() { _, _ = w.Advance(w.Now()) })
		require.True(t, tm.Pending())
	}
	advanceTo(t, w, w.Now(), 1)
	require.Equal(t, 3, runs)
}

// Contract 11 in an Advance: with OnPanic "the running slot is cleared and waiters released
// first, then OnPanic is called" where handlers run, in the Advance's caller, "which goes
// on".
func TestOnPanicIsCalledInAdvance(t *testing.T) {
	guarded(t, func(t *testing.T) {
		var seen []any
		var w *timerwheel.Wheel
		var bad timerwheel.Timer
		var host string
		deleted := make(chan (<-chan struct{}), 1)
		w = openWheel(t, timerwheel.Options{Manual: true, Start: manualStart, OnPanic: func(p timerwheel.HandlerPanic) {
			assert.Equal(t, host, goroutineName())
			assert.Equal(t, bad, p.Timer)
			assert.Contains(t, string(p.Stack), "TestOnPanicIsCalledInAdvance")
			assert.Empty(t, w.Running())
			assert.False(t, bad.Running())
			<-<-deleted // hangs unless the waiter has been released before
			seen = append(seen, p.Value)
		}})
		bad = w.Alloc(func(tm timerwheel.Timer) {
			deleted <- inBackground(func() {
				_, err := tm.DelSync()
				assert.NoError(t, err)
			})
			synctest.Wait()
			panic("on purpose")
		})
		require.NoError(t, bad.Register(time.Millisecond))
		ran := false
		w.AfterFunc(2*time.Millisecond, func() { ran = true })
		host = goroutineName()
		advanceTo(t, w, manualStart.Add(time.Second), 2)
		require.True(t, ran)
		require.Equal(t, []any{"on purpose"}, seen)
		require.EqualValues(t, 2, w.Stats().Fired)
	})
}

// Contract 12: "If a handler closes the wheel during Advance, Advance drops the rest and
// returns what it fired, nil."
func TestCloseInAHandlerEndsTheAdvance(t *testing.T) {
	var panicked func()
	closers := map[string]func(t *testing.T, w *timerwheel.Wheel, call func()){
		"handler": func(_ *testing.T, w *timerwheel.Wheel, call func()) { w.AfterFunc(2*time.Millisecond, call) },
		"lock-bound handler": func(t *testing.T, w *timerwheel.Wheel, call func()) {
			require.NoError(t, w.AllocLocked(new(sync.Mutex), func(timerwheel.Timer) { call() }).Register(2*time.Millisecond))
		},
		"OnPanic": func(_ *testing.T, w *timerwheel.Wheel, call func()) {
			panicked = call
			w.AfterFunc(2*time.Millisecond, func() { panic("on purpose") })
		},
		"done": func(t *testing.T, w *timerwheel.Wheel, call func()) {
			require.NoError(t, w.Alloc(func(own timerwheel.Timer) { own.DelAsync(call) }).Register(2*time.Millisecond))
		},
	}
	for by, arrange := range closers {
		t.Run(by, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{Manual: true, Start: manualStart, OnPanic: func(timerwheel.HandlerPanic) { panicked() }})
				w.AfterFunc(time.Millisecond, func() {})
				arrange(t, w, func() { assert.ErrorIs(t, w.Close(), timerwheel.ErrDeadlock) })
				inLine := w.Alloc(func(timerwheel.Timer) { t.Error("ran after Close") })
				require.NoError(t, inLine.Register(3*time.Millisecond))
				later := w.AfterFunc(time.Hour, func() { t.Error("ran after Close") })
				advanceTo(t, w, manualStart.Add(time.Second), 2)
				require.False(t, inLine.Pending())
				require.False(t, later.Valid())
				_, err := w.Advance(manualStart.Add(2 * time.Hour))
				require.ErrorIs(t, err, timerwheel.ErrClosed)
				require.NoError(t, w.Close())
				countsAddUp(t, w)
			})
		})
	}
}

// Contract 9, on a Manual wheel: what the Advance has deferred is dropped, too.
func TestCloseInAHandlerDropsWhatIsDeferred(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Manual: true})
	tm := w.Alloc(func(timerwheel.Timer) { t.Error("has run") })
	w.AfterFunc(0, func() {
		require.NoError(t, tm.Register(0))
		require.ErrorIs(t, w.Close(), timerwheel.ErrDeadlock)
		require.False(t, tm.Pending())
	})
	_, err := w.Advance(w.Now())
	require.NoError(t, err)
	require.Zero(t, w.Stats().Pending)
	require.NoError(t, w.Close())
}

// Contract 9 on a manual wheel: a Close from elsewhere waits for the handler that an Advance runs.
func TestCloseFromElsewhereDuringAnAdvance(t *testing.T) {
	for _, e := range enders {
		t.Run(e.name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openManual(t, time.Millisecond)
				release, begun := openedAtTheEnd(t), make(chan struct{})
				w.AfterFunc(0, func() {
					close(begun)
					<-release
				})
				w.AfterFunc(time.Millisecond, func() { t.Error("ran after Close") })
				advanced := inBackground(func() { _, _ = w.Advance(manualStart.Add(time.Second)) })
				<-begun
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				require.ErrorIs(t, w.CloseContext(ctx), context.DeadlineExceeded)
				ended := inBackground(func() { assert.NoError(t, e.end(w)) })
				synctest.Wait()
				require.False(t, isClosed(ended))
				close(release)
				<-ended
				<-advanced
				require.EqualValues(t, 1, w.Stats().Fired)
			})
		})
	}
}

// Contract 3 on a manual wheel: a `when` to come is the deadline, and "a when in the past
// is due at once; its deadline is the time of the call".
func TestRegisterAtOnAManualWheel(t *testing.T) {
	w := openManual(t, time.Millisecond)
	advanceTo(t, w, manualStart.Add(time.Hour), 0)
	tm := w.Alloc(func(timerwheel.Timer) {})
	for _, c := range []struct{ when, deadline time.Duration }{
		{-manualYear, time.Hour}, {0, time.Hour}, {time.Hour - 1, time.Hour}, {time.Hour, time.Hour},
		{time.Hour + time.Millisecond, time.Hour + time.Millisecond}, {2 * time.Hour, 2 * time.Hour}, {50 * manualYear, 50 * manualYear},
	} {
		require.NoError(t, tm.RegisterAt(manualStart.Add(c.when)))
		when, ok := tm.When()
		require.True(t, ok)
		require.Equal(t, c.deadline, when.Sub(manualStart))
	}
	// The other zone is another name of the same time.
	require.NoError(t, tm.RegisterAt(manualStart.Add(2*time.Hour).In(time.FixedZone("west", -8*3600))))
	advanceTo(t, w, manualStart.Add(2*time.Hour-1), 0)
	advanceTo(t, w, manualStart.Add(2*time.Hour), 1)
}

// Contract 8 in an Advance: "In a member's own handler: all firings removed, …
// ErrDeadlock"; from elsewhere it waits.
func TestGroupsOnAManualWheel(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openManual(t, time.Millisecond)
		g := w.NewGroup()
		for range 5 {
			g.AfterFunc(2*time.Millisecond, func() { t.Error("deleted with its group, and ran") })
		}
		g.AfterFunc(time.Millisecond, func() {
			found, err := g.DelSync()
			assert.ErrorIs(t, err, timerwheel.ErrDeadlock)
			assert.Equal(t, timerwheel.Found{Pending: true, Running: true}, found)
		})
		require.Equal(t, 6, g.Len())
		advanceTo(t, w, manualStart.Add(time.Second), 1)
		require.Zero(t, g.Len())

		release, begun := openedAtTheEnd(t), make(chan struct{})
		g.AfterFunc(0, func() {
			close(begun)
			<-release
		})
		g.AfterFunc(time.Minute, func() { t.Error("deleted with its group, and ran") })
		advanced := inBackground(func() { advanceTo(t, w, manualStart.Add(time.Second), 1) })
		<-begun
		deleted := inBackground(func() {
			found, err := g.ShutdownSync()
			assert.NoError(t, err)
			assert.Equal(t, timerwheel.Found{Pending: true, Running: true}, found)
		})
		synctest.Wait()
		require.False(t, isClosed(deleted))
		close(release)
		<-deleted
		<-advanced
		require.False(t, g.AfterFunc(0, func() {}).Valid())
		advanceTo(t, w, manualStart.Add(time.Hour), 0)
		countsAddUp(t, w)
	})
}

// Contract 10: "Same promises for deletion, also from other goroutines", for groups on a Manual
// wheel.
func TestGroupOnAManualWheel(t *testing.T) {
	bubble(t, "", timerwheel.Options{Manual: true}, func(t *testing.T, w *timerwheel.Wheel) {
		g, p := w.NewGroup(), newPuppet(t)
		var runs atomic.Int32
		require.NoError(t, g.Alloc(p.handle).Register(0))
		require.NoError(t, g.Alloc(func(timerwheel.Timer) { runs.Add(1) }).Register(10*time.Millisecond))
		advancing := deleting(func() (timerwheel.Found, error) {
			_, err := w.Advance(w.Now().Add(time.Second))
			return foundNone, err
		})
		require.True(t, advancing.waits())
		c := deleting(g.DelSync)
		require.True(t, c.waits())
		p.call(g.DelSync).requires(t, foundRunning, timerwheel.ErrDeadlock)
		p.let()
		c.requires(t, foundBoth, nil)
		advancing.requires(t, foundNone, nil)
		require.Zero(t, runs.Load(), "due in the same Advance, and deleted before its turn")
	})
}

// Contract 6 in an Advance: it takes the lock, waits for it, and looks again whether the
// timer is still meant.
func TestLockBoundTimersOnAManualWheel(t *testing.T) {
	for _, c := range []struct {
		name  string
		while func(*testing.T, timerwheel.Timer)
		fires []int // in the Advance that waits, and in the next, a minute later
	}{
		{"left alone", func(*testing.T, timerwheel.Timer) {}, []int{1, 0}},
		{"deleted", func(t *testing.T, tm timerwheel.Timer) {
			found, err := tm.DelSync()
			require.NoError(t, err)
			require.Equal(t, timerwheel.Found{Pending: true}, found)
		}, []int{0, 0}},
		{"moved", func(t *testing.T, tm timerwheel.Timer) { require.NoError(t, tm.Register(10*time.Second)) }, []int{0, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w, l := openManual(t, time.Millisecond), newDurableLock()
				tm := w.AllocLocked(l, func(tm timerwheel.Timer) {
					assert.False(t, l.isFree(), "the handler runs without its lock")
				})
				require.NoError(t, tm.Register(0))
				l.Lock()
				advanced := inBackground(func() { advanceTo(t, w, manualStart.Add(time.Second), c.fires[0]) })
				synctest.Wait()
				require.False(t, isClosed(advanced))
				require.True(t, tm.Pending(), "while the lock is awaited the timer is pending")
				require.False(t, tm.Running())
				c.while(t, tm)
				l.Unlock()
				<-advanced
				advanceTo(t, w, manualStart.Add(time.Minute), c.fires[1])
				countsAddUp(t, w)
			})
		})
	}
}

// Contract 6 on a Manual wheel: Advance is the worker.
func TestLockedTimerOnAManualWheel(t *testing.T) {
	bubble(t, "", timerwheel.Options{Manual: true}, func(t *testing.T, w *timerwheel.Wheel) {
		l := newLockProbe(t)
		runs := 0
		a := w.AllocLocked(l, func(timerwheel.Timer) {
			if l.taken() {
				runs++
			}
		})
		b := w.AllocLocked(l, func(timerwheel.Timer) { runs += 100 })
		require.NoError(t, a.Register(time.Second))
		fired, err := w.Advance(w.Now().Add(2 * time.Second))
		require.NoError(t, err)
		require.Equal(t, 1, fired)
		require.Equal(t, 1, runs)
		require.False(t, l.taken())

		require.NoError(t, b.Register(0))
		l.take()
		c := deleting(func() (timerwheel.Found, error) {
			_, err := w.Advance(w.Now())
			return foundNone, err
		})
		require.True(t, c.waits())
		require.True(t, b.Pending())
		found, err := b.DelSync()
		require.NoError(t, err)
		require.Equal(t, foundPending, found)
		l.drop()
		c.requires(t, foundNone, nil)
		require.Equal(t, 1, runs)
	})
}
