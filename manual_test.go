package timerwheel_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// manualBubble is bubble with a wheel as openManual makes it.
func manualBubble(t *testing.T, name string, f func(*testing.T, *timerwheel.Wheel)) {
	t.Helper()
	bubble(t, name, timerwheel.Options{Manual: true, Start: manualStart}, f)
}

// Start is the wheel's first Now; zero means time.Now().
func TestAManualWheelBeginsAtStart(t *testing.T) {
	guarded(t, func(t *testing.T) {
		elapse(1_234_567_890)
		for name, start := range map[string]time.Time{
			"UTC":               manualStart,
			"another zone":      time.Date(1999, time.December, 31, 23, 59, 59, 999_999_999, time.FixedZone("west", -5*3600)),
			"with a clock":      time.Now().Add(time.Hour),
			"long ago":          time.Date(1, time.January, 2, 0, 0, 0, 0, time.UTC),
			"before the epoch":  time.Unix(-1, 999),
			"the epoch":         time.Unix(0, 0),
			"in the far future": time.Date(9000, time.January, 1, 0, 0, 0, 0, time.UTC),
			"zero":              {},
		} {
			w := openWheel(t, timerwheel.Options{Manual: true, Start: start})
			if start.IsZero() {
				start = time.Now()
			}
			require.True(t, w.Now().Equal(start), "%s: %v", name, w.Now())
			fired := false
			tm := w.AfterFunc(time.Second, func() { fired = true })
			when, ok := tm.When()
			require.True(t, ok && when.Equal(start.Add(time.Second)), "%s: %v", name, when)
			advanceTo(t, w, start.Add(time.Second), 1)
			require.True(t, fired, name)
		}
	})
}

// A Manual wheel has no goroutine, and real time moves nothing.
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

// An Advance to an earlier time is a no-op; to the same time it runs what is due. So it is beyond the
// reach of a Duration since Start, where a clock of nanoseconds stands still.
func TestAdvanceSetsTheTimeAndNeverSetsItBack(t *testing.T) {
	for _, years := range []int{0, 400} {
		t.Run(fmt.Sprint(years, " years"), func(t *testing.T) {
			w, now, fired := openManual(t, time.Millisecond), manualStart.AddDate(years, 0, 0).Add(time.Second), 0
			w.AfterFunc(math.MaxInt64, func() { t.Error("never came") })
			advanceTo(t, w, now, 0)
			require.True(t, w.Now().Equal(now))
			armed(w.Alloc(func(timerwheel.Timer) { fired++ }), 0)
			for _, earlier := range []time.Time{manualStart, manualStart.AddDate(years*7/8, 0, 0), now.Add(-1), {}, time.Unix(0, 0)} {
				advanceTo(t, w, earlier, 0)
				require.True(t, w.Now().Equal(now))
				require.Zero(t, fired, "an Advance to an earlier time is a no-op, even with something due")
			}
			advanceTo(t, w, now, 1)
			require.Equal(t, 1, fired)
			advanceTo(t, w, now, 0)
			advanceTo(t, w, now.Add(1), 0)
			require.True(t, w.Now().Equal(now.Add(1)), "the wheel's time is now, not now rounded to a tick")
			next, ok := w.Next()
			require.True(t, ok && !next.Before(w.Now()), "%v", next)
		})
	}
}

// What is due at once runs in an Advance to the same time, without a tick's delay, wherever in a
// tick the wheel's time is.
func TestWhatIsDueAtOnceRunsInTheNextAdvanceToTheSameTime(t *testing.T) {
	for _, tick := range []time.Duration{time.Millisecond, time.Hour} {
		for _, off := range []time.Duration{0, 1, tick / 2, tick - 1, tick, 1000*tick + 1} {
			t.Run(fmt.Sprintf("tick %v/%v", tick, off), func(t *testing.T) {
				w, runs := openManual(t, tick), 0
				handler := func(timerwheel.Timer) { runs++ }
				again := w.Alloc(handler)
				advanceTo(t, w, manualStart.Add(time.Hour+off), 0)
				arms := []func(timerwheel.Timer) error{
					func(tm timerwheel.Timer) error { return tm.Register(0) },
					func(tm timerwheel.Timer) error { return tm.Register(-1) },
					func(tm timerwheel.Timer) error { return tm.Register(math.MinInt64) },
					func(tm timerwheel.Timer) error { return tm.Reduce(0) },
					func(tm timerwheel.Timer) error { return tm.Reduce(-1) },
					func(tm timerwheel.Timer) error { return tm.RegisterAt(w.Now()) },
					func(tm timerwheel.Timer) error { return tm.RegisterAt(manualStart) },
					func(tm timerwheel.Timer) error { return tm.RegisterAt(w.Now().Add(-1)) },
					func(tm timerwheel.Timer) error { return tm.RegisterAt(time.Time{}) },
				}
				for i, arm := range arms {
					for _, tm := range []timerwheel.Timer{w.Alloc(handler), again} {
						require.NoError(t, arm(tm))
						when, ok := tm.When()
						require.True(t, ok && when.Equal(w.Now()), "arm %d: its deadline is the time of the call, not %v", i, when)
						next, ok := w.Next()
						require.True(t, ok && !next.After(w.Now()), "arm %d: Next is not later than the next firing", i)
						advanceTo(t, w, w.Now(), 1)
					}
				}
				require.Equal(t, 2*len(arms), runs)
			})
		}
	}
}

// Advance runs handlers on its caller's goroutine, and starts none. In a handler Now is the time that
// Advance was given, and Register counts from it.
func TestAdvanceRunsHandlersInItsCaller(t *testing.T) {
	const tick, again = time.Millisecond, 10 * time.Millisecond
	w, now := openManual(t, tick), manualStart.Add(time.Hour+12345*time.Nanosecond)
	caller, goroutines, n := goroutineName(), runtime.NumGoroutine(), 0
	for d := tick; d < time.Hour; d *= 3 {
		n++
		var tm timerwheel.Timer
		tm = armed(w.Alloc(func(own timerwheel.Timer) {
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
			assert.True(t, w.Now().Equal(now), "%v", w.Now())
			assert.NoError(t, own.Register(again))
			when, ok := own.When()
			assert.True(t, ok && when.Equal(now.Add(again)), "%v", when)
		}), d)
	}
	advanceTo(t, w, now, n)
	advanceTo(t, w, now.Add(again-1), 0)
	now = now.Add(again + tick - 1)
	advanceTo(t, w, now, n)
	require.Empty(t, w.Running())
	require.EqualValues(t, 2*n, w.Stats().Fired)
}

// Advance runs handlers in the order of their deadline ticks. Two deadlines a tick or more apart
// lie in different ticks, wherever the ticks begin.
func TestAdvanceRunsInOrderOfDeadlineTick(t *testing.T) {
	for _, tick := range []time.Duration{time.Microsecond, time.Millisecond, time.Minute} {
		for seed := range uint64(4) {
			t.Run(fmt.Sprintf("tick %v/seed %d", tick, seed), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, uint64(tick)))
				// Half of the seeds spread the timers over all distances, the others crowd
				// them into a few hundred ticks.
				distance := func() time.Duration { return time.Duration(rng.Int64N(1 << (1 + rng.IntN(61)))) }
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
					// Moved earlier or later once or twice: the order must not be that of
					// an old deadline.
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

// An orderOf collects the numbers of handlers in the order in which they begin.
type orderOf struct{ begun []int }

func (o *orderOf) handler(n int) func() { return func() { o.begun = append(o.begun, n) } }

// numbers returns 0 to n-1.
func numbers(n int) []int {
	all := make([]int, n)
	for k := range all {
		all[k] = k
	}
	return all
}

// Promise 10.21: however many timers a tick has, however far away it was and whichever way they were
// made, and whether they were registered all at once or a few from nearer and nearer.
func TestTimersOfATickBeginInTheOrderOfTheirRegistration(t *testing.T) {
	const tick = time.Millisecond
	for _, n := range []int{1, 2, 30, 10_000} {
		for _, d := range []time.Duration{tick, 63 * tick, 5 * time.Second, 20 * time.Minute, 200 * time.Hour} {
			for _, steps := range []time.Duration{1, 7} {
				w, order := openManual(t, tick), orderOf{}
				end, g, mu := w.Now().Add(d), w.NewGroup(), new(sync.Mutex)
				for k := range n {
					if part := n/int(steps) + 1; k%part == part-1 {
						left := end.Sub(w.Now()) / steps
						advanceTo(t, w, w.Now().Add(left-left%tick), 0)
					}
					within := end.Sub(w.Now()) - time.Duration(k*7919)%tick
					f := order.handler(k)
					switch k % 5 {
					case 0:
						w.AfterFunc(within, f)
					case 1:
						armed(w.Alloc(func(timerwheel.Timer) { f() }), within)
					case 2:
						g.AfterFunc(within, f)
					case 3:
						armed(w.AllocLocked(mu, func(timerwheel.Timer) { f() }), within)
					case 4:
						require.NoError(t, w.Alloc(func(timerwheel.Timer) { f() }).RegisterAt(w.Now().Add(within)))
					}
				}
				advanceTo(t, w, end.Add(time.Hour), n)
				require.Equal(t, numbers(n), order.begun, "%v away, in %d steps", d, steps)
			}
		}
	}
}

// Promise 10.21: those that are due at once, those that an Advance leaves to the next, and those
// that remain when a handler ends the Advance.
func TestTimersThatAreDueAtOnceBeginInTheOrderOfTheirRegistration(t *testing.T) {
	for _, n := range []int{2, 30, 10_000} {
		w, order := openManual(t, 0), orderOf{}
		for k := range n {
			w.AfterFunc(-time.Duration(k%3), order.handler(k))
		}
		advanceTo(t, w, w.Now(), n)
		require.Equal(t, numbers(n), order.begun)

		order.begun = nil
		w.AfterFunc(0, func() {
			for k := range n {
				w.AfterFunc(0, order.handler(k))
			}
		})
		advanceTo(t, w, w.Now(), 1)
		w.AfterFunc(0, order.handler(n))
		advanceTo(t, w, w.Now(), n+1)
		require.Equal(t, numbers(n+1), order.begun)

		order.begun = nil
		for k := range n {
			f := order.handler(k)
			w.AfterFunc(0, func() {
				f()
				if k == n/2 {
					w.AfterFunc(0, order.handler(n))
					runtime.Goexit()
				}
			})
		}
		within(t, func() { _, _ = w.Advance(w.Now()) })
		w.AfterFunc(0, order.handler(n+1))
		advanceTo(t, w, w.Now(), n+1-n/2)
		require.Equal(t, numbers(n+2), order.begun)
	}
}

// Promise 10.21: an instant of a series that is not due before the end of the tick is not deferred.
func TestASeriesKeepsItsPlaceInATick(t *testing.T) {
	w, order := openManual(t, time.Millisecond), orderOf{}
	w.Every(200*time.Microsecond, func(timerwheel.Timer) { order.handler(0)() })
	w.AfterFunc(time.Millisecond, func() { w.AfterFunc(100*time.Microsecond, order.handler(1)) })
	advanceTo(t, w, manualStart.Add(1500*time.Microsecond), 2)
	w.AfterFunc(100*time.Microsecond, order.handler(2))
	advanceTo(t, w, manualStart.Add(2*time.Millisecond), 3)
	require.Equal(t, []int{0, 0, 1, 2}, order.begun)
}

// Promise 10.21: a move makes the timer the last that was registered for its tick, wherever it was
// before, and changes the place of one other at most.
func TestAMovedTimerTakesItsPlaceAtTheEndOfItsTick(t *testing.T) {
	const tick, n = time.Millisecond, 100
	for _, from := range []time.Duration{tick, 99 * tick, 100*tick - 1, 100 * tick, 101 * tick, time.Hour} {
		for _, how := range []func(timerwheel.Timer) error{
			func(tm timerwheel.Timer) error { return tm.Register(100 * tick) },
			func(tm timerwheel.Timer) error { return tm.RegisterAt(manualStart.Add(100 * tick)) },
		} {
			w, order := openManual(t, tick), orderOf{}
			moved := armed(w.Alloc(func(timerwheel.Timer) { order.handler(n)() }), from)
			for k := range n {
				w.AfterFunc(100*tick, order.handler(k))
			}
			require.NoError(t, how(moved))
			for k := range n {
				w.AfterFunc(100*tick, order.handler(n+1+k))
			}
			advanceTo(t, w, manualStart.Add(100*tick), 2*n+1)
			if from <= 99*tick || from > 100*tick {
				require.Equal(t, numbers(2*n+1), order.begun, "no other timer of the tick was touched")
				continue
			}
			// The last one that was registered before the move has taken its place.
			want := append([]int{n - 1}, append(numbers(n-1), numbers(2*n + 1)[n:]...)...)
			require.Equal(t, want, order.begun)
		}
	}
}

// What is registered while an Advance runs is left to the next one, even if it is due at once; Next
// knows it. The timer due comes due in the same Advance, after the call of arm; the timer far does not.
func TestWhatIsRegisteredDuringAnAdvanceIsLeftToTheNext(t *testing.T) {
	type timers struct{ own, due, far timerwheel.Timer }
	elsewhere := func(tm timerwheel.Timer) { <-inBackground(func() { armed(tm, 0) }) }
	cases := []struct {
		name  string
		fires [2]int // in this Advance and in the next
		arm   func(w *timerwheel.Wheel, tms timers)
	}{
		{"its own timer", [2]int{2, 1}, func(_ *timerwheel.Wheel, tms timers) { armed(tms.own, 0) }},
		{"its own timer, to the past", [2]int{2, 1}, func(_ *timerwheel.Wheel, tms timers) { _ = tms.own.RegisterAt(manualStart.Add(1)) }},
		{"a new timer", [2]int{2, 1}, func(w *timerwheel.Wheel, _ timers) { armed(w.Alloc(ignoreTimer), 0) }},
		{"a new AfterFunc", [2]int{2, 1}, func(w *timerwheel.Wheel, _ timers) { w.AfterFunc(-time.Hour, func() {}) }},
		{"a new member", [2]int{2, 1}, func(w *timerwheel.Wheel, _ timers) { w.NewGroup().AfterFunc(0, func() {}) }},
		{"a new lock-bound timer", [2]int{2, 1}, func(w *timerwheel.Wheel, _ timers) { armed(w.AllocLocked(new(sync.Mutex), ignoreTimer), 0) }},
		{"a far timer moved to now", [2]int{2, 1}, func(_ *timerwheel.Wheel, tms timers) { armed(tms.far, 0) }},
		{"a far timer reduced", [2]int{2, 1}, func(_ *timerwheel.Wheel, tms timers) { _ = tms.far.Reduce(0) }},
		{"a far timer, by another goroutine", [2]int{2, 1}, func(_ *timerwheel.Wheel, tms timers) { elsewhere(tms.far) }},
		{"a due timer moved", [2]int{1, 1}, func(_ *timerwheel.Wheel, tms timers) { armed(tms.due, 0) }},
		{"a due timer moved by Reset", [2]int{1, 1}, func(_ *timerwheel.Wheel, tms timers) { tms.due.Reset(0) }},
		{"a due timer moved to the past", [2]int{1, 1}, func(_ *timerwheel.Wheel, tms timers) { _ = tms.due.RegisterAt(manualStart) }},
		{"a due timer, by another goroutine", [2]int{1, 1}, func(_ *timerwheel.Wheel, tms timers) { elsewhere(tms.due) }},
		{"a due timer deleted and armed again", [2]int{1, 1}, func(_ *timerwheel.Wheel, tms timers) {
			_, _ = tms.due.DelSync()
			armed(tms.due, 0)
		}},
		{"a due timer reduced, which does not move it", [2]int{2, 0}, func(_ *timerwheel.Wheel, tms timers) { _ = tms.due.Reduce(0) }},
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
		for _, c := range cases {
			t.Run("by a "+by+"/"+c.name, func(t *testing.T) {
				w, done, now := openManual(t, time.Millisecond), false, manualStart.Add(time.Second)
				ask := func() {
					next, ok := w.Next()
					assert.True(t, ok && !next.After(now), "%v", next)
					assert.True(t, next.Equal(now) || c.fires != [2]int{1, 1}, "no other firing is due: %v", next)
				}
				tms := timers{due: w.Alloc(ignoreTimer), far: w.Alloc(ignoreTimer)}
				tms.own = caller(w, func(timerwheel.Timer) {
					if !done { // the first of its runs arms
						done = true
						c.arm(w, tms)
						ask()
						<-inBackground(ask)
					}
				})
				armed(tms.own, 10*time.Millisecond)
				armed(tms.due, 20*time.Millisecond)
				armed(tms.far, time.Hour)
				advanceTo(t, w, now, c.fires[0])
				advanceTo(t, w, now, c.fires[1])
				advanceTo(t, w, now, 0)
				require.True(t, w.Now().Equal(now))
			})
		}
	}
}

// An Advance always ends.
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

// A Manual timer is never early, and less than a tick late, from any instant within a tick and for
// any distance: the distances surround the edges of the levels. Its deadline is exact.
func TestAManualTimerIsNeverEarlyAndLessThanATickLate(t *testing.T) {
	for _, tick := range []time.Duration{time.Microsecond, 7 * time.Millisecond, time.Hour} {
		offsets := []time.Duration{0, 1, tick / 3, tick - 1}
		distances := []time.Duration{1, 2, tick / 2, tick - 1, tick, tick + 1, 2*tick - 1, 2 * tick, 100 * manualYear}
		for ticks := time.Duration(64); ticks <= 1<<24 && ticks < 100*manualYear/tick; ticks *= 64 {
			distances = append(distances, (ticks-1)*tick, ticks*tick-1, ticks*tick, ticks*tick+1, (ticks+1)*tick)
		}
		for _, off := range offsets {
			for _, d := range distances {
				for _, arm := range []string{"Register", "RegisterAt", "RegisterAt in another zone", "Reduce", "moved"} {
					w := openManual(t, tick)
					advanceTo(t, w, manualStart.Add(12345*tick+off), 0)
					tm := w.Alloc(func(timerwheel.Timer) {})
					deadline := w.Now().Add(d)
					switch arm {
					case "Register":
						require.NoError(t, tm.Register(d))
					case "RegisterAt":
						require.NoError(t, tm.RegisterAt(deadline))
					case "RegisterAt in another zone":
						require.NoError(t, tm.RegisterAt(deadline.In(time.FixedZone("west", -8*3600))))
					case "Reduce":
						require.NoError(t, tm.Register(d+1000*tick))
						require.NoError(t, tm.Reduce(d))
					case "moved":
						require.NoError(t, tm.Register(1))
						require.NoError(t, tm.Register(d))
					}
					what := fmt.Sprintf("tick %v, %v into it, %s(%v)", tick, off, arm, d)
					when, ok := tm.When()
					require.True(t, ok && when.Equal(deadline), "%s: When is %v", what, when)
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

// Next is not later than the next firing; ok is false when nothing pends. An Advance to Next fires
// something or raises Next.
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

// A huge step costs O(timers due + levels), not O(ticks): an Advance that walks the 3e15 ticks of a
// hundred years, or even their 5e13 groups of 64, meets the test's time-out.
func TestAHugeStepCostsNoMoreThanItsTimers(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, manualYear, 100 * manualYear} {
		t.Run(step.String(), func(t *testing.T) {
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

			// After the step the wheel goes on as before.
			w.AfterFunc(10*time.Microsecond, func() {})
			advanceTo(t, w, base.Add(step+10*time.Microsecond-1), 0)
			advanceTo(t, w, base.Add(step+11*time.Microsecond-1), 1)
		})
	}
}

// A deadline beyond the clock's range means never. With only such timers pending, Next is ok and far
// away, and an Advance to it need not fire.
func TestOnlyNeverTimersPendOnAManualWheel(t *testing.T) {
	w := openManual(t, time.Millisecond)
	timers := []timerwheel.Timer{w.Alloc(ignoreTimer), w.Alloc(ignoreTimer), w.Alloc(ignoreTimer)}
	require.NoError(t, timers[0].Register(math.MaxInt64))
	require.NoError(t, timers[1].RegisterAt(time.Date(20000, time.January, 1, 0, 0, 0, 0, time.UTC)))
	advanceTo(t, w, manualStart.Add(manualYear), 0)
	require.NoError(t, timers[2].Register(math.MaxInt64-1))
	advanceTo(t, w, w.Now().Add(10*manualYear), 0)
	next, ok := w.Next()
	require.True(t, ok && next.After(manualStart.Add(100*manualYear)), "far away, not %v", next)
	for i, tm := range timers {
		when, ok := tm.When()
		require.True(t, ok && when.After(manualStart.Add(100*manualYear)), "%d: %v", i, when)
	}
	require.NoError(t, timers[0].Register(time.Second))
	advanceTo(t, w, w.Now().Add(time.Second), 1)
	require.Equal(t, foundPending, timers[1].Del())
	next, ok = w.Next()
	require.True(t, ok)
	_, err := w.Advance(next)
	require.NoError(t, err)
}

// Promise 10.19: AdvanceThrough goes from firing to firing: each handler sees its own tick as Now, and
// what it registers for a time up to the end fires in the same call.
func TestAdvanceThroughGoesFromFiringToFiring(t *testing.T) {
	const tick = time.Millisecond
	w := openManual(t, tick)
	var log []time.Duration
	record := func() { log = append(log, w.Now().Sub(manualStart)) }
	w.AfterFunc(0, record) // due at the begin
	w.AfterFunc(10*tick, func() {
		record()
		w.AfterFunc(0, record)
		w.AfterFunc(5*tick, record)
		w.AfterFunc(20*tick, record) // after the end
	})
	w.AfterFunc(10*tick+1, record)
	series := w.Every(7*tick, func(timerwheel.Timer) { record() })
	fired, err := w.AdvanceThrough(manualStart.Add(25*tick + tick/2))
	require.NoError(t, err)
	require.Equal(t, []time.Duration{0, 7 * tick, 10 * tick, 10 * tick, 11 * tick, 14 * tick, 15 * tick, 21 * tick}, log)
	require.Equal(t, len(log), fired)
	require.True(t, w.Now().Equal(manualStart.Add(25*tick+tick/2)))
	require.Equal(t, 2, w.Stats().Pending)

	log = nil
	series.Stop()
	for _, to := range []time.Duration{0, 25 * tick, 25*tick + tick/2} { // the past, and now
		fired, err = w.AdvanceThrough(manualStart.Add(to))
		require.NoError(t, err)
		require.Zero(t, fired)
	}
	require.True(t, w.Now().Equal(manualStart.Add(25*tick+tick/2)))
	fired, err = w.AdvanceThrough(manualStart.Add(100 * manualYear))
	require.NoError(t, err)
	require.Equal(t, 1, fired)
	require.Equal(t, []time.Duration{30 * tick}, log)
}

// Promise 10.19: it fires what Advances to each tick would fire, in that order, at those times.
func TestAdvanceThroughIsAnAdvanceToEachTick(t *testing.T) {
	const tick = time.Millisecond
	run := func(seed uint64, through bool) (log []string) {
		rng := rand.New(rand.NewPCG(seed, 1))
		w := openManual(t, tick)
		for i := range 30 {
			left := rng.IntN(4)
			armed(w.Alloc(func(own timerwheel.Timer) {
				log = append(log, fmt.Sprint(i, w.Now().Sub(manualStart)))
				if left--; left >= 0 {
					armed(own, time.Duration(1+i*7%50)*tick)
				}
			}), time.Duration(rng.Int64N(int64(300*tick))))
		}
		if through {
			_, err := w.AdvanceThrough(manualStart.Add(time.Second))
			require.NoError(t, err)
			return log
		}
		for at := time.Duration(0); at <= time.Second; at += tick {
			_, err := w.Advance(manualStart.Add(at))
			require.NoError(t, err)
		}
		return log
	}
	for seed := range uint64(20) {
		require.ElementsMatch(t, run(seed, false), run(seed, true))
	}
}

// Promise 10.20: handlers that arm themselves for "at once" without end do not keep AdvanceThrough:
// ErrEndless, Now stays there, the rest stays pending. Many firings at once that do end are no error.
func TestAdvanceThroughEndsAlthoughHandlersDoNot(t *testing.T) {
	const tick, most = time.Millisecond, 100_000
	w := openManual(t, tick)
	again := armed(w.Alloc(func(own timerwheel.Timer) { _ = own.Register(0) }), 5*tick)
	later := w.AfterFunc(6*tick, func() {})
	fired, err := w.AdvanceThrough(manualStart.Add(time.Hour))
	require.ErrorIs(t, err, timerwheel.ErrEndless)
	require.Equal(t, most+1, fired)
	require.True(t, w.Now().Equal(manualStart.Add(5*tick)), "%v", w.Now())
	require.True(t, again.Pending() && later.Pending())

	again.Del()
	fired, err = w.AdvanceThrough(manualStart.Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, 1, fired)

	left := 0 // of the run of firings at one instant; they are many, but at two instants
	chain := w.Alloc(func(own timerwheel.Timer) {
		switch left++; left {
		case most / 2:
			_ = own.Register(tick)
		case most + most/2:
		default:
			_ = own.Register(0)
		}
	})
	armed(chain, tick)
	fired, err = w.AdvanceThrough(w.Now().Add(time.Second))
	require.NoError(t, err)
	require.Equal(t, most+most/2, fired)
}

// Promise 10.19: the errors of AdvanceThrough are those of Advance; a handler that closes the wheel ends it.
func TestAdvanceThroughOfAWheelThatCannot(t *testing.T) {
	_, err := openWheel(t, timerwheel.Options{}).AdvanceThrough(time.Now())
	require.ErrorIs(t, err, timerwheel.ErrNotManual)

	w := openManual(t, time.Millisecond)
	w.AfterFunc(time.Second, func() {
		_, err := w.AdvanceThrough(w.Now().Add(time.Hour))
		assert.ErrorIs(t, err, timerwheel.ErrDeadlock)
	})
	w.AfterFunc(time.Minute, func() { assert.ErrorIs(t, w.Close(), timerwheel.ErrDeadlock) })
	w.AfterFunc(time.Hour, func() { assert.Fail(t, "after Close") })
	fired, err := w.AdvanceThrough(manualStart.Add(manualYear))
	require.NoError(t, err)
	require.Equal(t, 2, fired)
	_, err = w.AdvanceThrough(manualStart.Add(2 * manualYear))
	require.ErrorIs(t, err, timerwheel.ErrClosed)
}

// Concurrent Advances are serialised, durably: the others see what the first has left. So is one of
// a goroutine that a handler started. An Advance of another wheel does not wait.
func TestConcurrentAdvancesAreSerialised(t *testing.T) {
	manualBubble(t, "", func(t *testing.T, w *timerwheel.Wheel) {
		release, begun := openedAtTheEnd(t), make(chan struct{})
		other := openManual(t, time.Millisecond)
		other.AfterFunc(time.Second, func() {})
		var order []string
		var ofHandler <-chan struct{}
		w.AfterFunc(time.Millisecond, func() {
			ofHandler = inBackground(func() { advanceTo(t, w, manualStart.Add(time.Second), 0) })
			advanceTo(t, other, manualStart.Add(time.Second), 1)
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
		synctest.Wait()
		require.False(t, isClosed(first) || isClosed(second) || isClosed(ofHandler))
		close(release)
		<-first
		<-second
		<-ofHandler
		require.Equal(t, []string{"first", "second", "third"}, order)
		require.True(t, w.Now().Equal(manualStart.Add(time.Hour)))
	})
}

// The same on real goroutines: the handlers of all Advances share a plain variable, so the race
// detector sees any two that overlap or are not ordered.
func TestConcurrentAdvancesNeverOverlap(t *testing.T) {
	w := openManual(t, time.Millisecond)
	var fired, refused int
	var timers []timerwheel.Timer
	for range 20 {
		timers = append(timers, armed(w.Alloc(func(tm timerwheel.Timer) {
			fired++
			if err := tm.Register(time.Millisecond); err != nil {
				refused++
			}
		}), 0))
	}
	advanceTo(t, w, w.Now(), len(timers))
	sum := [4]int{len(timers)}
	storm(t, stormTime()/2, len(sum)+1, func(i int) {
		if i == len(sum) {
			tm := timers[rand.IntN(len(timers))]
			_, err := tm.DelSync()
			assert.NoError(t, err)
			assert.NoError(t, tm.Register(0))
			return
		}
		fired, err := w.Advance(w.Now().Add(time.Millisecond))
		assert.NoError(t, err)
		sum[i] += fired
	})
	s := w.Stats()
	require.EqualValues(t, sum[0]+sum[1]+sum[2]+sum[3], s.Fired)
	require.EqualValues(t, fired, s.Fired)
	require.EqualValues(t, refused, s.Refused)
}

// In every function that the wheel calls, Advance is ErrDeadlock, and Close ends the Advance under
// way: that drops the rest, with what it has deferred, and returns what it fired.
func TestAdvanceFromAFunctionThatTheWheelCallsIsErrDeadlock(t *testing.T) {
	test := func(name string, arrange func(t *testing.T, w *timerwheel.Wheel, h *callbackHooks, call func())) {
		var hooks callbackHooks
		o := timerwheel.Options{Manual: true, Start: manualStart, OnPanic: func(p timerwheel.HandlerPanic) { hooks.panicked(p) }}
		bubble(t, name, o, func(t *testing.T, w *timerwheel.Wheel) {
			calls, now := 0, manualStart
			refused := func() {
				calls++
				fired, err := w.Advance(manualStart.Add(2 * time.Hour))
				assert.Zero(t, fired)
				assert.ErrorIs(t, err, timerwheel.ErrDeadlock)
				assert.True(t, w.Now().Equal(now), "an Advance that was refused moved the time to %v", w.Now())
			}
			w.Alloc(ignoreTimer).DelAsync(refused) // outside of an Advance, too
			never := func(timerwheel.Timer) { t.Error("ran after Close") }
			inLine, later, deferred := armed(w.Alloc(never), 3*time.Millisecond), w.Every(time.Hour, never), w.Alloc(never)
			w.AfterFunc(0, func() {})
			arrange(t, w, &hooks, func() {
				refused()
				armed(deferred, 0)
				assert.ErrorIs(t, w.Close(), timerwheel.ErrDeadlock)
				assert.False(t, deferred.Pending() || inLine.Pending() || later.Valid())
			})
			now = now.Add(time.Second)
			fired, err := w.Advance(now)
			require.NoError(t, err)
			require.EqualValues(t, w.Stats().Fired, fired)
			require.Equal(t, 2, calls)
			require.Zero(t, w.Stats().Pending)
			_, err = w.Advance(manualStart.Add(2 * time.Hour))
			require.ErrorIs(t, err, timerwheel.ErrClosed)
			require.NoError(t, w.Close())
		})
	}
	for _, c := range callbacks {
		if c.name != "OnStall" && !strings.HasPrefix(c.name, "done") { // a Manual wheel has none, or not in its Advance
			test(c.name, c.arrange)
		}
	}
	test("done", func(_ *testing.T, w *timerwheel.Wheel, _ *callbackHooks, call func()) {
		armed(w.Alloc(func(own timerwheel.Timer) { own.DelAsync(call) }), 0)
	})
	test("done of an idle timer", func(_ *testing.T, w *timerwheel.Wheel, _ *callbackHooks, call func()) {
		w.AfterFunc(0, func() { w.Alloc(ignoreTimer).DelAsync(call) })
	})
}

// Advance is ErrClosed on a closed wheel, and ErrNotManual on a wheel that is not Manual.
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

// All deletions promise the same while an Advance runs a handler, and they wait for it durably. The
// goroutine that deletes was a worker while it was in Advance, and is none any more: it may wait.
func TestDeletionsFromElsewhereDuringAnAdvance(t *testing.T) {
	const aSecond, untilTheEnd = time.Second, time.Hour
	inASecond := func(call func(timerwheel.Timer, context.Context) (timerwheel.Found, error)) func(timerwheel.Timer) (timerwheel.Found, error) {
		return func(tm timerwheel.Timer) (timerwheel.Found, error) {
			ctx, cancel := context.WithTimeout(context.Background(), aSecond)
			defer cancel()
			return call(tm, ctx)
		}
	}
	for _, c := range []struct {
		name    string
		del     func(timerwheel.Timer) (timerwheel.Found, error)
		waits   time.Duration
		refused error // a Register that comes before the handler has returned
		err     error
	}{
		{"Del", delNoError, 0, nil, nil},
		{"Shutdown", func(tm timerwheel.Timer) (timerwheel.Found, error) { return tm.Shutdown(), nil }, 0, timerwheel.ErrShutdown, nil},
		{"DelAsync", func(tm timerwheel.Timer) (timerwheel.Found, error) { return tm.DelAsync(func() {}), nil }, 0, timerwheel.ErrDeleting, nil},
		{"DelSync", timerwheel.Timer.DelSync, untilTheEnd, timerwheel.ErrDeleting, nil},
		{"DelSyncContext", inASecond(timerwheel.Timer.DelSyncContext), aSecond, timerwheel.ErrDeleting, context.DeadlineExceeded},
		{"ShutdownSync", timerwheel.Timer.ShutdownSync, untilTheEnd, timerwheel.ErrShutdown, nil},
		{"ShutdownSyncContext", inASecond(timerwheel.Timer.ShutdownSyncContext), aSecond, timerwheel.ErrShutdown, context.DeadlineExceeded},
	} {
		manualBubble(t, c.name, func(t *testing.T, w *timerwheel.Wheel) {
			w.AfterFunc(0, func() {})
			advanceTo(t, w, manualStart, 1) // this goroutine has been a worker
			p := newPuppet(t)
			tm := w.Alloc(func(tm timerwheel.Timer) {
				if p.begun.Load() == 0 { // a run too many fails below
					assert.NoError(t, tm.Register(0))
					p.handle(tm)
				}
			})
			inLine := armed(w.Alloc(func(timerwheel.Timer) { t.Error("deleted while in line, and ran") }), 2*time.Millisecond)
			armed(tm, time.Millisecond)
			advanced := inBackground(func() { advanceTo(t, w, manualStart.Add(time.Second), 1) })
			synctest.Wait()
			finds(t, foundPending)(c.del(inLine))

			looked := make(chan struct{})
			time.AfterFunc(aSecond/2, func() {
				defer close(looked)
				assert.False(t, tm.Pending())
				if c.refused != nil {
					assert.ErrorIs(t, tm.Register(0), c.refused)
				}
			})
			time.AfterFunc(untilTheEnd, p.let)
			began := time.Now()
			found, err := c.del(tm)
			require.ErrorIs(t, err, c.err)
			require.Equal(t, foundBoth, found)
			require.Equal(t, c.waits, time.Since(began))
			<-looked
			<-advanced
			advanceTo(t, w, manualStart.Add(time.Second), 0)
		})
	}
}

// In an Advance, too, a deletion in the timer's own handler is ErrDeadlock, also while another
// deletion waits, and a deletion of a timer in line behind the handler does not wait.
func TestDeletionsByAHandlerOfTheAdvance(t *testing.T) {
	manualBubble(t, "", func(t *testing.T, w *timerwheel.Wheel) {
		inLine := armed(w.Alloc(func(timerwheel.Timer) { t.Error("deleted while in line, and ran") }), 2*time.Millisecond)
		w.AfterFunc(time.Millisecond, func() { finds(t, foundPending)(inLine.DelSync()) })
		var elsewhere *deletion
		armed(w.Alloc(func(tm timerwheel.Timer) {
			assert.NoError(t, tm.Register(0))
			found, err := tm.DelSync()
			assert.ErrorIs(t, err, timerwheel.ErrDeadlock)
			assert.Equal(t, foundBoth, found)
			elsewhere = deleting(tm.DelSync)
			assert.True(t, elsewhere.waits())
			found, err = tm.DelSync()
			assert.ErrorIs(t, err, timerwheel.ErrDeadlock)
			assert.Equal(t, foundRunning, found)
		}), 3*time.Millisecond)
		advanceTo(t, w, manualStart.Add(time.Second), 2)
		elsewhere.requires(t, foundRunning, nil)
		advanceTo(t, w, manualStart.Add(time.Second), 0)
	})
}

// On a Manual wheel done runs in the caller before DelAsync returns, or in the Advance that ran the
// handler.
func TestDelAsyncOnAManualWheel(t *testing.T) {
	manualBubble(t, "", func(t *testing.T, w *timerwheel.Wheel) {
		type calls struct {
			n  int
			on string
		}
		async := func(tm timerwheel.Timer, want timerwheel.Found, c *calls) {
			assert.Equal(t, want, tm.DelAsync(func() {
				assert.False(t, tm.Running())
				c.n++
				c.on = goroutineName()
			}))
		}
		idle, freed := w.Alloc(ignoreTimer), w.Alloc(ignoreTimer)
		require.NoError(t, freed.Free())
		for _, tm := range []timerwheel.Timer{idle, freed, armed(w.Alloc(ignoreTimer), time.Second), w.AfterFunc(time.Second, func() {})} {
			var c calls
			async(tm, timerwheel.Found{Pending: tm.Pending()}, &c)
			require.Equal(t, calls{1, goroutineName()}, c, "in the caller, before DelAsync returned")
		}

		// Of a running timer: by its own handler, and by a goroutine beside it; also of an
		// idle one by a handler.
		p := newPuppet(t)
		var own, beside, other calls
		tm := armed(w.Alloc(func(tm timerwheel.Timer) {
			async(tm, foundRunning, &own)
			async(idle, foundNone, &other)
			assert.Equal(t, calls{1, goroutineName()}, other)
			p.handle(tm)
			assert.ErrorIs(t, tm.Register(0), timerwheel.ErrDeleting)
			assert.Zero(t, own.n, "not before the handler has returned")
		}), 0)
		advanced := inBackground(func() {
			advanceTo(t, w, manualStart, 1)
			assert.Equal(t, calls{1, goroutineName()}, own, "in the Advance, before it returned")
			assert.Equal(t, calls{1, goroutineName()}, beside, "in the Advance, before it returned")
		})
		synctest.Wait()
		async(tm, foundRunning, &beside)
		require.Equal(t, 2, w.Running()[0].Waiters)
		p.let()
		<-advanced
		require.NoError(t, tm.Register(0))
		require.EqualValues(t, 2, w.Stats().SyncWaits)
	})
}

// The dones of deletions that wait for one handler are called in the order of the deletions, and each
// once, even if another panics.
func TestDonesAreCalledInTheOrderOfTheirDeletions(t *testing.T) {
	for _, panics := range []bool{false, true} {
		w := openManual(t, time.Millisecond)
		var order, want []int
		armed(w.Alloc(func(tm timerwheel.Timer) {
			for k := range 30 {
				tm.DelAsync(func() {
					if order = append(order, k); panics {
						panic("done")
					}
				})
				want = append(want, k)
			}
		}), 0)
		if panics {
			require.Panics(t, func() { _, _ = w.Advance(w.Now()) })
		} else {
			advanceTo(t, w, w.Now(), 1)
		}
		require.Equal(t, want, order)
		advanceTo(t, w, w.Now(), 0)
	}
}

// OnPanic is called in the Advance, which goes on; another bad end passes through Advance. Either way
// the running slot is cleared and the waiters are released first, and the wheel is usable.
func TestAHandlerThatDoesNotReturnLeavesTheManualWheelUsable(t *testing.T) {
	problem := errors.New("on purpose")
	for _, end := range []struct {
		name      string
		onPanic   bool
		misbehave func()
		value     any // that comes out of Advance
	}{
		{"panic", false, func() { panic(problem) }, problem},
		{"Goexit", false, runtime.Goexit, nil},
		{"panic, with OnPanic", true, func() { panic(problem) }, nil},
		{"Goexit, with OnPanic", true, runtime.Goexit, nil},
	} {
		for _, kind := range timerKinds {
			var onPanic func(timerwheel.HandlerPanic)
			o := timerwheel.Options{Manual: true, Start: manualStart}
			if end.onPanic {
				o.OnPanic = func(p timerwheel.HandlerPanic) { onPanic(p) }
			}
			bubble(t, end.name+"/"+kind.name, o, func(t *testing.T, w *timerwheel.Wheel) {
				l, p := newDurableLock(), newPuppet(t)
				bad := kind.arm(w, l, 2*time.Millisecond, func(tm timerwheel.Timer) {
					p.handle(tm)
					end.misbehave()
				})
				var rest []int
				w.AfterFunc(time.Millisecond, func() { rest = append(rest, 0) })
				w.AfterFunc(3*time.Millisecond, func() { rest = append(rest, 1) })
				armed(w.AllocLocked(l, func(timerwheel.Timer) { rest = append(rest, 2) }), 4*time.Millisecond)

				now := manualStart.Add(10 * time.Millisecond)
				goesOn := end.onPanic && end.name != "Goexit, with OnPanic"
				var seen, told any
				var host string
				returned, dones := false, 0
				advanced := inBackground(func() {
					defer func() { seen = recover() }()
					host = goroutineName()
					_, err := w.Advance(now)
					assert.NoError(t, err)
					returned = true
				})
				synctest.Wait()
				deleted := deleting(bad.DelSync)
				require.True(t, deleted.waits())
				bad.DelAsync(func() { dones++ })
				onPanic = func(p timerwheel.HandlerPanic) {
					assert.Equal(t, host, goroutineName())
					assert.Equal(t, bad, p.Timer)
					assert.Contains(t, string(p.Stack), "TestAHandlerThatDoesNotReturn")
					assert.False(t, bad.Running())
					assert.Empty(t, w.Running())
					<-deleted.done // hangs unless the waiter has been released before
					told = p.Value
				}
				p.let()
				<-advanced

				deleted.requires(t, timerwheel.Found{Running: true, Pending: kind.name == "Every"}, nil)
				require.Equal(t, goesOn, returned)
				require.Equal(t, end.value, seen, "the panic's own value")
				require.Equal(t, goesOn, told == problem)
				require.Equal(t, 1, dones, "in the Advance that ran the handler")
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
			})
		}
	}
}

// What the handler did before it panicked stands: a timer that it armed again is pending and fires
// again.
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

// A Close from elsewhere waits for the handler that an Advance runs.
func TestCloseFromElsewhereDuringAnAdvance(t *testing.T) {
	for _, e := range enders {
		manualBubble(t, e.name, func(t *testing.T, w *timerwheel.Wheel) {
			p := newPuppet(t)
			armed(w.Alloc(p.handle), 0)
			w.AfterFunc(time.Millisecond, func() { t.Error("ran after Close") })
			advanced := inBackground(func() { advanceTo(t, w, manualStart.Add(time.Second), 1) })
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			require.ErrorIs(t, w.CloseContext(ctx), context.DeadlineExceeded)
			ended := inBackground(func() { assert.NoError(t, e.end(w)) })
			synctest.Wait()
			require.False(t, isClosed(ended))
			p.let()
			<-ended
			<-advanced
		})
	}
}

// A group's deletion in an Advance: in a member's own handler it is ErrDeadlock; from elsewhere it
// waits, if it is one that waits, and stops members that are due in the same Advance.
func TestGroupsOnAManualWheel(t *testing.T) {
	for _, v := range groupVerbs {
		manualBubble(t, v.name, func(t *testing.T, w *timerwheel.Wheel) {
			g, p := w.NewGroup(), newPuppet(t)
			never := func() { t.Error("deleted with its group, and ran") }
			for range 5 {
				g.AfterFunc(2*time.Millisecond, never)
			}
			g.AfterFunc(time.Millisecond, func() {
				found, err := g.DelSync()
				assert.ErrorIs(t, err, timerwheel.ErrDeadlock)
				assert.Equal(t, foundBoth, found)
			})
			require.Equal(t, 6, g.Len())
			advanceTo(t, w, manualStart.Add(time.Second), 1)
			require.Zero(t, g.Len())

			armed(g.Alloc(p.handle), 0)
			g.AfterFunc(10*time.Millisecond, never)
			g.AfterFunc(time.Minute, never)
			advanced := inBackground(func() { advanceTo(t, w, manualStart.Add(2*time.Second), 1) })
			synctest.Wait()
			deleted := deleting(v.on(g))
			require.Equal(t, v.syncs && !v.ended, deleted.waits())
			p.call(g.DelSync).requires(t, foundRunning, timerwheel.ErrDeadlock)
			p.let()
			deleted.requires(t, foundBoth, map[bool]error{true: context.Canceled}[v.ended])
			<-advanced
			require.Equal(t, !v.shuts, g.AfterFunc(0, func() {}).Valid())
			g.Del()
			advanceTo(t, w, manualStart.Add(time.Hour), 0)
		})
	}
}

// An Advance takes the lock of a lock-bound timer, waits for it, and then looks again whether the
// timer is still due.
func TestLockBoundTimersOnAManualWheel(t *testing.T) {
	for _, c := range []struct {
		name  string
		while func(*testing.T, timerwheel.Timer)
		fires []int // in the Advance that waits, and in the next, a minute later
	}{
		{"left alone", func(*testing.T, timerwheel.Timer) {}, []int{1, 0}},
		{"deleted", func(t *testing.T, tm timerwheel.Timer) { finds(t, foundPending)(tm.DelSync()) }, []int{0, 0}},
		{"moved", func(t *testing.T, tm timerwheel.Timer) { armed(tm, 10*time.Second) }, []int{0, 1}},
	} {
		manualBubble(t, c.name, func(t *testing.T, w *timerwheel.Wheel) {
			l := newDurableLock()
			tm := armed(w.AllocLocked(l, func(tm timerwheel.Timer) {
				assert.False(t, l.isFree(), "the handler runs without its lock")
			}), 0)
			l.Lock()
			advanced := inBackground(func() { advanceTo(t, w, manualStart.Add(time.Second), c.fires[0]) })
			synctest.Wait()
			require.False(t, isClosed(advanced))
			require.True(t, tm.Pending(), "while the lock is awaited the timer is pending")
			require.False(t, tm.Running())
			c.while(t, tm)
			l.Unlock()
			<-advanced
			require.True(t, l.isFree())
			advanceTo(t, w, manualStart.Add(time.Minute), c.fires[1])
			require.True(t, l.isFree())
		})
	}
}
