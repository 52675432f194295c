package timerwheel_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ---- What a Timer is ----

// Contract 2: "Timer is comparable, at most 16 bytes, usable as a map key".
func TestTimerIsASmallComparableMapKey(t *testing.T) {
	require.True(t, reflect.TypeFor[timerwheel.Timer]().Comparable())
	require.LessOrEqual(t, unsafe.Sizeof(timerwheel.Timer{}), uintptr(16))

	w := openWheel(t, timerwheel.Options{})
	a, b := w.Alloc(func(timerwheel.Timer) {}), w.Alloc(func(timerwheel.Timer) {})
	names := map[timerwheel.Timer]string{a: "a", b: "b"}
	again := a
	require.Len(t, names, 2, "two timers have two handles")
	require.Equal(t, "a", names[again], "a copy names the same timer")
	require.NotContains(t, names, timerwheel.Timer{})

	require.NoError(t, a.Register(time.Hour))
	require.Equal(t, "a", names[a], "a handle does not change with its timer's state")
	require.NoError(t, a.Free())
	a.Del()
	require.NotContains(t, names, w.Alloc(func(timerwheel.Timer) {}), "a new tenant of the slot has a new handle")
}

// Contract 1: "The zero Timer names no timer"; 3: "ErrStale (recycled, or the zero Timer)";
// 4, table: "any deletion | idle or stale timer, zero Timer | Found{}, nil".
func TestZeroTimerNamesNoTimer(t *testing.T) {
	var zero timerwheel.Timer
	dead, cancel := context.WithCancel(t.Context())
	cancel()

	require.False(t, zero.Valid())
	require.False(t, zero.Pending())
	require.False(t, zero.Running())
	require.False(t, zero.Stop())
	require.False(t, zero.Reset(time.Hour))
	_, ok := zero.When()
	require.False(t, ok)

	require.ErrorIs(t, zero.Register(0), timerwheel.ErrStale)
	require.ErrorIs(t, zero.RegisterAt(time.Now()), timerwheel.ErrStale)
	require.ErrorIs(t, zero.Reduce(0), timerwheel.ErrStale)
	require.ErrorIs(t, zero.Retain(), timerwheel.ErrStale)
	require.ErrorIs(t, zero.Free(), timerwheel.ErrStale)

	for name, del := range map[string]func() (timerwheel.Found, error){
		"Del":            func() (timerwheel.Found, error) { return zero.Del(), nil },
		"DelSync":        zero.DelSync,
		"DelSyncContext": func() (timerwheel.Found, error) { return zero.DelSyncContext(dead) },
		"DelAsync":       func() (timerwheel.Found, error) { return zero.DelAsync(func() {}), nil },
		"Shutdown":       zero.ShutdownSync,
	} {
		found, err := del()
		require.NoError(t, err, name)
		require.Zero(t, found, name)
	}
}

// Contract 2: String is there for every Timer, whatever has become of what it names.
func TestTimerStringIsNeverEmpty(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		require.NotEmpty(t, timerwheel.Timer{}.String(), "zero")

		inHandler := make(chan string, 1)
		tm := w.Alloc(func(tm timerwheel.Timer) { inHandler <- tm.String() })
		require.NotEmpty(t, tm.String(), "idle")
		require.NoError(t, tm.Register(time.Second))
		require.NotEmpty(t, tm.String(), "pending")
		require.NotEmpty(t, <-inHandler, "running")

		other := w.Alloc(func(timerwheel.Timer) {})
		require.NotEqual(t, tm.String(), other.String(), "two timers that live read differently")
		require.NoError(t, tm.Free())
		require.NotEmpty(t, tm.String(), "stale")
		require.NoError(t, w.Close())
		require.NotEmpty(t, other.String(), "of a closed wheel")
	})
}

// Contract 2: a Timer is "safe for use by any goroutine".
func TestTimerIsSafeForUseByAnyGoroutine(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	tm := w.Alloc(func(tm timerwheel.Timer) { _ = tm.Reduce(time.Millisecond) })
	verbs := []func(){
		func() { _ = tm.Register(50 * time.Microsecond) },
		func() { _ = tm.RegisterAt(time.Now().Add(time.Millisecond)) },
		func() { _ = tm.Reduce(time.Microsecond) },
		func() { _ = tm.Reset(time.Second) },
		func() { _ = tm.Stop() },
		func() { tm.Del() },
		func() { _, _ = tm.DelSync() },
		func() {
			if assert.NoError(t, tm.Retain()) {
				assert.NoError(t, tm.Free())
			}
		},
		func() { _, _ = tm.When() },
		func() { _, _ = tm.Pending(), tm.Running() },
		func() { assert.True(t, tm.Valid()) },
		func() { assert.NotEmpty(t, tm.String()) },
	}
	var users sync.WaitGroup
	for _, verb := range verbs {
		users.Go(func() {
			for range 500 {
				verb()
			}
		})
	}
	users.Wait()
	_, err := tm.ShutdownSync()
	require.NoError(t, err)
	require.NoError(t, tm.Free(), "the owner's own reference is still there")
	require.False(t, tm.Valid())
	require.Zero(t, w.Stats().Live)
}

// Contract 1: "running: its handler has begun and not returned. A timer can be both."
func TestTimerCanBePendingAndRunning(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		h := parkHandler(t)
		tm := w.Alloc(func(timerwheel.Timer) { h.run() })
		state := func() [2]bool { return [2]bool{tm.Pending(), tm.Running()} }

		require.Equal(t, [2]bool{false, false}, state())
		require.NoError(t, tm.Register(time.Millisecond))
		require.Equal(t, [2]bool{true, false}, state())
		elapse(time.Second)
		require.Equal(t, [2]bool{false, true}, state())
		require.NoError(t, tm.Register(time.Minute))
		require.Equal(t, [2]bool{true, true}, state())
		h.release()
		elapse(time.Second)
		require.Equal(t, [2]bool{true, false}, state())
		elapse(time.Hour)
		require.Equal(t, [2]bool{false, false}, state())
	})
}

// ---- Registering: where, when ----

// Contract 3: "The handler starts on a worker, never inside the caller". A handler inside
// the caller could never hand over its token.
func TestHandlerNeverStartsInsideTheCaller(t *testing.T) {
	for _, verb := range armVerbs {
		t.Run(verb.name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{})
				token := make(chan struct{})
				tm := w.Alloc(func(timerwheel.Timer) { token <- struct{}{} })
				for _, d := range []time.Duration{0, -time.Hour, time.Nanosecond} {
					require.NoError(t, verb.arm(tm, d))
					<-token
				}
			})
		})
	}
	t.Run("AfterFunc", func(t *testing.T) {
		guarded(t, func(t *testing.T) {
			w := openWheel(t, timerwheel.Options{})
			token := make(chan struct{})
			w.AfterFunc(0, func() { token <- struct{}{} })
			<-token
		})
	})
}

// Contract 3: "never before d has passed since the call began ... and, while a worker is
// free, at most two ticks plus the scheduler's delay after it". In a bubble the scheduler's
// delay is nothing, so the bounds are exact. The spans stand on, before and after each
// power of 64 ticks, and the wheel's age when they are armed goes over such edges too: that
// is where a hierarchical wheel goes wrong.
func TestFiresNeverEarlyAndAtMostTwoTicksLate(t *testing.T) {
	for _, tick := range []time.Duration{
		time.Microsecond, 100 * time.Microsecond, time.Millisecond, 7 * time.Millisecond, time.Second, time.Hour,
	} {
		t.Run(tick.String(), func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{Tick: tick})
				ways := []func(d time.Duration, f func()){
					func(d time.Duration, f func()) { w.AfterFunc(d, f) },
					func(d time.Duration, f func()) {
						tm := w.Alloc(func(timerwheel.Timer) { f() })
						assert.NoError(t, tm.RegisterAt(time.Now().Add(d)))
						assert.NoError(t, tm.Free())
					},
				}
				var armed int
				var fired atomic.Int64
				longest := time.Duration(0)
				for _, age := range []time.Duration{
					0, 1, tick / 2, tick - tick/2 - 2, 61 * tick, tick, tick + 1, 64 * tick, 4095 * tick, 3*tick - 1,
				} {
					elapse(age)
					for _, d := range edgeSpans(tick) {
						longest = max(longest, d)
						for _, way := range ways {
							armed++
							start := time.Now()
							way(d, func() {
								fired.Add(1)
								took, due := time.Since(start), max(d, 0)
								if took < due || took > due+2*tick {
									t.Errorf("armed for %v with the wheel at age %v: fired after %v", d, age, took)
								}
							})
						}
					}
				}
				elapse(longest + 2*tick)
				require.EqualValues(t, armed, fired.Load(), "each fires once")
				require.Zero(t, w.Stats().Live)
			})
		})
	}
}

// edgeSpans are durations on both sides of each power of 64 ticks (up to 30 years), and
// what lies around zero and one tick.
func edgeSpans(tick time.Duration) []time.Duration {
	const most = 30 * 365 * 24 * time.Hour
	spans := []time.Duration{-tick, 0, 1, tick / 2}
	for power := time.Duration(1); power <= most/tick/64; power *= 64 {
		for _, ticks := range []time.Duration{power - 1, power, power + 1, 2*power - 1, 2 * power, 63 * power} {
			spans = append(spans, ticks*tick-1, ticks*tick, ticks*tick+1)
		}
	}
	return spans
}

// Contract 11: "Works inside a testing/synctest bubble with the fake clock": timers of all
// distances are exact to two ticks there.
func TestTimersAreOnTimeInABubble(t *testing.T) {
	for _, tick := range []time.Duration{time.Microsecond, time.Millisecond, time.Second} {
		t.Run(tick.String(), func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{Tick: tick})
				var ran sync.WaitGroup
				for d := time.Duration(1); d < 200*24*time.Hour; d = d*2 + 1 {
					ran.Add(1)
					begin := time.Now()
					w.AfterFunc(d, func() {
						late := time.Since(begin) - d
						assert.True(t, 0 <= late && late <= 2*tick, "%v: late by %v", d, late)
						ran.Done()
					})
				}
				ran.Wait()
			})
		})
	}
}

// Contract 3: "never before d has passed since the call began (monotonic clock)": the
// strict half of the promise, with the real clock, in a crowd.
func TestNeverEarlyByTheRealClock(t *testing.T) {
	timers, span := 12_000, 200*time.Millisecond
	if testing.Short() {
		timers, span = 2_000, 50*time.Millisecond // a crowd for its density, which stays
	}
	for _, tick := range []time.Duration{50 * time.Microsecond, time.Millisecond, 10 * time.Millisecond} {
		t.Run(tick.String(), func(t *testing.T) {
			w := openWheel(t, timerwheel.Options{Tick: tick})
			var fired, early atomic.Int64
			check := func(start time.Time, d time.Duration) {
				if time.Since(start) < d {
					early.Add(1)
				}
				fired.Add(1)
			}
			ways := []func(d time.Duration){
				func(d time.Duration) {
					start := time.Now()
					w.AfterFunc(d, func() { check(start, d) })
				},
				func(d time.Duration) { // through RegisterAt, from a time of the caller's
					start := time.Now()
					tm := w.Alloc(func(timerwheel.Timer) { check(start, d) })
					assert.NoError(t, tm.RegisterAt(start.Add(d)))
				},
				func(d time.Duration) { // moved earlier, from another level
					start := new(time.Time)
					tm := w.Alloc(func(timerwheel.Timer) { check(*start, d) })
					assert.NoError(t, tm.Register(time.Hour))
					*start = time.Now()
					assert.NoError(t, tm.Register(d))
				},
				func(d time.Duration) { // armed by its own handler
					var first bool
					start := time.Now()
					tm := w.Alloc(func(tm timerwheel.Timer) {
						if first = !first; !first {
							check(start, d)
							return
						}
						start = time.Now()
						assert.NoError(t, tm.Register(d))
					})
					assert.NoError(t, tm.Reduce(0))
				},
			}
			var armers sync.WaitGroup
			for g := range len(ways) {
				armers.Go(func() {
					rng := rand.New(rand.NewPCG(uint64(tick), uint64(g)))
					for i := range timers / len(ways) {
						ways[(g+i)%len(ways)](time.Duration(rng.Int64N(int64(span))))
					}
				})
			}
			armers.Wait()
			eventually(t, "every timer fires", func() bool { return fired.Load() == int64(timers) })
			require.Zero(t, early.Load(), "timers that fired early")
		})
	}
}

// Contract 3: "d <= 0 is due at once"; "A when in the past is due at once".
func TestPastIsDueAtOnce(t *testing.T) {
	const tick = time.Millisecond
	type arming struct {
		name string
		arm  func(timerwheel.Timer) error
	}
	var armings []arming
	for _, d := range []time.Duration{0, -1, -time.Hour, math.MinInt64 + 1, math.MinInt64} {
		armings = append(armings,
			arming{fmt.Sprint("Register ", int64(d)), func(tm timerwheel.Timer) error { return tm.Register(d) }},
			arming{fmt.Sprint("Reduce ", int64(d)), func(tm timerwheel.Timer) error { return tm.Reduce(d) }},
			arming{fmt.Sprint("Reset ", int64(d)), func(tm timerwheel.Timer) error { tm.Reset(d); return nil }},
		)
	}
	for name, when := range map[string]func() time.Time{
		"now":         time.Now,
		"just gone":   func() time.Time { return time.Now().Add(-1) },
		"no monotone": func() time.Time { return time.Now().Add(-time.Hour).Round(0) },
		"1970":        func() time.Time { return time.Unix(0, 0) },
		"year 1":      func() time.Time { return time.Time{} },
		"year -10^10": func() time.Time { return time.Unix(-1<<58, 0) },
	} {
		armings = append(armings, arming{"RegisterAt " + name, func(tm timerwheel.Timer) error { return tm.RegisterAt(when()) }})
	}

	for _, from := range []string{"idle", "pending"} {
		t.Run(from, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{Tick: tick})
				elapse(100*time.Hour + tick/3)
				for _, a := range armings {
					var log firingLog
					tm := w.Alloc(log.run)
					if from == "pending" {
						require.NoError(t, tm.Register(time.Hour))
					}
					require.NoError(t, a.arm(tm), a.name)
					elapse(2 * tick)
					require.Equal(t, 1, log.len(), a.name)
					require.False(t, tm.Pending(), a.name)
					elapse(2 * time.Hour)
					require.Equal(t, 1, log.len(), a.name)
				}
			})
		})
	}
	t.Run("AfterFunc", func(t *testing.T) {
		guarded(t, func(t *testing.T) {
			w := openWheel(t, timerwheel.Options{Tick: tick})
			for _, d := range []time.Duration{0, -1, math.MinInt64} {
				var fired atomic.Int32
				w.AfterFunc(d, func() { fired.Add(1) })
				elapse(2 * tick)
				require.EqualValues(t, 1, fired.Load(), "%d", int64(d))
			}
		})
	})
}

// Contract 3: "A when in the past is due at once; its deadline is the time of the call."
// Late work is not made later by a caller's old clock, and nobody gets in line before those
// that really waited since 1970.
func TestDeadlineOfThePastIsTheTimeOfTheCall(t *testing.T) {
	const tick = time.Millisecond
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{Tick: tick, MaxWorkers: 1})
		busy := parkHandler(t)
		w.AfterFunc(0, busy.run)
		elapse(time.Hour)
		require.EqualValues(t, 1, busy.started.Load(), "the only worker is busy, so what is armed stays pending")

		for name, arm := range map[string]func(timerwheel.Timer) error{
			"RegisterAt": func(tm timerwheel.Timer) error { return tm.RegisterAt(time.Now().Add(-time.Minute)) },
			"year 1":     func(tm timerwheel.Timer) error { return tm.RegisterAt(time.Time{}) },
			"Register":   func(tm timerwheel.Timer) error { return tm.Register(math.MinInt64) },
			"Reduce":     func(tm timerwheel.Timer) error { return tm.Reduce(-time.Minute) },
		} {
			tm := w.Alloc(func(timerwheel.Timer) {})
			require.NoError(t, arm(tm), name)
			requireDeadline(t, tm, time.Now(), tick)
		}
		busy.release()
		elapse(time.Second)
		require.LessOrEqual(t, w.Stats().MaxLate, 2*tick, "nothing was late: all were armed just now")
	})
}

// Contract 3: "A d (or d+now, or when) too large for the clock means "never", not "now"."
func TestTooFarForTheClockMeansNever(t *testing.T) {
	const year = 365 * 24 * time.Hour
	armings := map[string]func(timerwheel.Timer) error{
		"Register MaxInt64":   func(tm timerwheel.Timer) error { return tm.Register(math.MaxInt64) },
		"Register MaxInt64-1": func(tm timerwheel.Timer) error { return tm.Register(math.MaxInt64 - 1) },
		"Register 291 years":  func(tm timerwheel.Timer) error { return tm.Register(291 * year) },
		"Reduce MaxInt64":     func(tm timerwheel.Timer) error { return tm.Reduce(math.MaxInt64) },
		"Reset MaxInt64":      func(tm timerwheel.Timer) error { tm.Reset(math.MaxInt64); return nil },
		"RegisterAt year 9999": func(tm timerwheel.Timer) error {
			return tm.RegisterAt(time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC))
		},
		"RegisterAt year 10^10":   func(tm timerwheel.Timer) error { return tm.RegisterAt(time.Unix(1<<58, 0)) },
		"RegisterAt now+MaxInt64": func(tm timerwheel.Timer) error { return tm.RegisterAt(time.Now().Add(math.MaxInt64)) },
	}
	for _, tick := range []time.Duration{time.Microsecond, time.Millisecond, time.Hour} {
		t.Run(tick.String(), func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{Tick: tick})
				elapse(time.Hour + tick/3) // so that now+d overflows where d alone does not
				fired := make([]firingLog, len(armings)*2+1)
				var timers []timerwheel.Timer
				for name, arm := range armings {
					idle, near := w.Alloc(fired[len(timers)].run), w.Alloc(fired[len(timers)+1].run)
					require.NoError(t, arm(idle), name)
					require.NoError(t, near.Register(year))
					if name != "Reduce MaxInt64" { // which leaves the nearer deadline alone
						require.NoError(t, arm(near), name)
					} else {
						require.True(t, near.Stop())
						require.NoError(t, arm(near), name)
					}
					timers = append(timers, idle, near)
				}
				after := w.AfterFunc(math.MaxInt64, func() { fired[len(fired)-1].run(timerwheel.Timer{}) })
				timers = append(timers, after)

				elapse(200 * year)
				for i, tm := range timers {
					require.Zero(t, fired[i].len())
					when, ok := tm.When()
					require.True(t, ok)
					require.True(t, when.After(time.Now()), "deadline %v", when)
				}
				_, ok := w.Next()
				require.True(t, ok)

				require.NoError(t, timers[0].Register(tick), "never can be moved to soon")
				elapse(3 * tick)
				require.Equal(t, 1, fired[0].len())
				for _, tm := range timers[1:] {
					require.True(t, tm.Stop())
				}
				require.Zero(t, w.Stats().Pending)
			})
		})
	}
}

// A wheel that slept for a year: 3*10^10 ticks. It is quick only if no tick costs anything
// (Contract 11: "one runtime timer, no ticking"), and each timer still fires within two
// ticks of its deadline, also one that is armed on the morning after.
func TestWheelThatSleptForAYear(t *testing.T) {
	const tick, day, year = time.Millisecond, 24 * time.Hour, 365 * 24 * time.Hour
	for _, asleep := range []string{"empty", "with timers"} {
		t.Run(asleep, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{Tick: tick})
				start := time.Now()
				type armed struct {
					due time.Time
					log *firingLog
				}
				var all []armed
				arm := func(spans ...time.Duration) {
					for _, d := range spans {
						a := armed{time.Now().Add(d), new(firingLog)}
						require.NoError(t, w.Alloc(a.log.run).Register(d))
						all = append(all, a)
					}
				}
				var days firingLog
				if asleep == "with timers" {
					arm(1, tick, time.Hour, day, year-1, year, year+1, year+day, 2*year)
					w.Every(day, days.run)
				}
				elapse(year)
				arm(0, 1, tick, 63*tick, 64*tick, 65*tick, time.Hour, day, year)
				elapse(year + 2*tick)
				for _, a := range all {
					require.Len(t, a.log.times(), 1)
					requireFiring(t, a.due, a.log.times()[0], tick)
				}
				if asleep == "with timers" {
					require.GreaterOrEqual(t, days.len(), 2*365)
					for i, at := range days.times() {
						requireFiring(t, start.Add(time.Duration(i+1)*day), at, tick)
					}
				}
			})
		})
	}
}

// ---- Registering: moving ----

// Contract 3: "Register moves a pending timer atomically: the old deadline never fires."
func TestOldDeadlineNeverFires(t *testing.T) {
	const tick = time.Millisecond
	type move struct{ at, d time.Duration } // at: since the first Register
	ms := func(n time.Duration) time.Duration { return n * time.Millisecond }
	for name, moves := range map[string][]move{
		"later":                      {{0, ms(10)}, {0, ms(30)}},
		"earlier":                    {{0, ms(30)}, {0, ms(10)}},
		"by a nanosecond":            {{0, ms(10)}, {0, ms(10) + 1}},
		"later on its way":           {{0, ms(10)}, {ms(5), ms(30)}},
		"earlier on its way":         {{0, ms(30)}, {ms(5), ms(10)}},
		"later, then between":        {{0, ms(10)}, {0, ms(100)}, {0, ms(50)}},
		"later, then before":         {{0, ms(10)}, {0, ms(100)}, {0, ms(5)}},
		"later, over its old place":  {{0, ms(10)}, {0, ms(100)}, {ms(20), ms(40)}},
		"later, back, later":         {{0, ms(10)}, {0, ms(90)}, {ms(5), ms(5)}, {ms(9), ms(60)}},
		"at the last instant":        {{0, ms(10)}, {ms(10) - 1, ms(20)}},
		"pushed ahead, as a timeout": {{0, ms(10)}, {ms(8), ms(10)}, {ms(16), ms(10)}, {ms(24), ms(10)}, {ms(32), ms(10)}},
		"to now":                     {{0, ms(30)}, {ms(5), 0}},
		"to another level and back":  {{0, ms(3)}, {ms(1), ms(5000)}, {ms(70), ms(300_000)}, {ms(4200), ms(64)}},
		"never, then soon":           {{0, math.MaxInt64}, {ms(5), ms(5)}},
		"hour, then each level":      {{0, time.Hour}, {ms(1), ms(4097)}, {ms(2), ms(65)}, {ms(3), ms(2)}},
	} {
		for _, verb := range armVerbs {
			if verb.name == "Reduce" {
				continue
			}
			t.Run(name+" by "+verb.name, func(t *testing.T) {
				guarded(t, func(t *testing.T) {
					w := openWheel(t, timerwheel.Options{Tick: tick})
					elapse(tick / 3)
					var log firingLog
					tm := w.Alloc(log.run)
					start := time.Now()
					for _, m := range moves {
						elapse(m.at - time.Since(start))
						require.NoError(t, verb.arm(tm, m.d))
						requireDeadline(t, tm, time.Now().Add(m.d), tick)
					}
					last := moves[len(moves)-1]
					due := start.Add(last.at + last.d)
					elapse(time.Until(due) - 1)
					if last.d > 0 {
						require.Zero(t, log.len())
					}
					elapse(2 * time.Hour)
					require.Len(t, log.times(), 1)
					requireFiring(t, due, log.times()[0], tick)
					require.EqualValues(t, 1, w.Stats().Registered, "a move is no new registration")
				})
			})
		}
	}
}

// Contract 3, all of "when", against a model: a random walk of arming, moving, reducing and
// deleting.
func TestRandomMovesFireOnlyTheLastDeadline(t *testing.T) {
	const tick = time.Millisecond
	type model struct {
		tm    timerwheel.Timer
		log   firingLog
		armed bool
		due   time.Time
		runs  int
	}
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{Tick: tick})
				rng := rand.New(rand.NewPCG(seed, 76848005))
				timers := make([]model, 60)
				for i := range timers {
					timers[i].tm = w.Alloc(timers[i].log.run)
				}
				span := func() time.Duration { // as many short ones as long ones
					return time.Duration(rng.Int64N(int64(time.Microsecond) << rng.IntN(24)))
				}
				for range 3000 {
					elapse(span() / 16)
					m := &timers[rng.IntN(len(timers))]
					now, was := time.Now(), m.tm.Pending()
					switch {
					case m.armed && now.Before(m.due):
						require.True(t, was, "fired early")
					case !m.armed || now.After(m.due.Add(2*tick)):
						require.False(t, was, "late, or never armed")
					}
					if m.armed && !was {
						m.armed, m.runs = false, m.runs+1
					}
					require.Equal(t, m.runs, m.log.len())

					d := span()
					switch rng.IntN(5) {
					case 0:
						require.NoError(t, m.tm.Register(d))
						m.armed, m.due = true, now.Add(d)
					case 1:
						require.NoError(t, m.tm.RegisterAt(now.Add(d)))
						m.armed, m.due = true, now.Add(d)
					case 2:
						require.Equal(t, was, m.tm.Reset(d))
						m.armed, m.due = true, now.Add(d)
					case 3:
						require.NoError(t, m.tm.Reduce(d))
						if !m.armed || now.Add(d).Before(m.due) {
							m.armed, m.due = true, now.Add(d)
						}
					case 4:
						found := m.tm.Del()
						require.Equal(t, timerwheel.Found{Pending: was}, found)
						m.armed = false
					}
				}
				elapse(time.Minute)
				for i := range timers {
					if timers[i].armed {
						timers[i].runs++
					}
					require.Equal(t, timers[i].runs, timers[i].log.len())
				}
			})
		})
	}
}

// Contract 3: "The last of several concurrent Registers wins." Of each goroutine the last
// call is good, so the last of all is.
func TestLastOfConcurrentRegistersWins(t *testing.T) {
	const tick, armers = time.Millisecond, 8
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{Tick: tick})
		for range 20 {
			var log firingLog
			tm := w.Alloc(log.run)
			start := time.Now()
			var group sync.WaitGroup
			for g := range time.Duration(armers) {
				group.Go(func() {
					for i := range time.Duration(40) {
						assert.NoError(t, tm.Register((1+g+i)*time.Millisecond))
					}
					assert.NoError(t, tm.Register((1+g)*time.Minute))
				})
			}
			group.Wait()
			when, ok := tm.When()
			require.True(t, ok)
			winner := when.Sub(start).Truncate(time.Minute)
			require.Positive(t, winner, "an earlier Register of some goroutine outlived its later one")
			requireDeadline(t, tm, start.Add(winner), tick)
			elapse(time.Hour)
			require.Len(t, log.times(), 1)
			requireFiring(t, start.Add(winner), log.times()[0], tick)
		}
	})
}

// Contract 2: "Reduce: arm, or move only if that is earlier".
func TestReduceArmsOrMovesOnlyEarlier(t *testing.T) {
	const tick = time.Millisecond
	for _, c := range []struct {
		name            string
		before          []time.Duration // Registers
		reduce, expects time.Duration
	}{
		{"idle", nil, 50 * time.Millisecond, 50 * time.Millisecond},
		{"idle, at once", nil, -1, 0},
		{"earlier", []time.Duration{time.Second}, 50 * time.Millisecond, 50 * time.Millisecond},
		{"later", []time.Duration{50 * time.Millisecond}, time.Second, 50 * time.Millisecond},
		{"equal", []time.Duration{50 * time.Millisecond}, 50 * time.Millisecond, 50 * time.Millisecond},
		{"never", []time.Duration{50 * time.Millisecond}, math.MaxInt64, 50 * time.Millisecond},
		{"from never", []time.Duration{math.MaxInt64}, time.Hour, time.Hour},
		// A timer that was moved later may lie in its old place for a while: what counts is
		// its deadline.
		{"moved later, between", []time.Duration{10 * time.Millisecond, time.Second}, 500 * time.Millisecond, 500 * time.Millisecond},
		{"moved later, before both", []time.Duration{10 * time.Millisecond, time.Second}, 5 * time.Millisecond, 5 * time.Millisecond},
		{"moved later, after both", []time.Duration{10 * time.Millisecond, time.Second}, time.Minute, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{Tick: tick})
				var log firingLog
				tm := w.Alloc(log.run)
				start := time.Now()
				for _, d := range c.before {
					require.NoError(t, tm.Register(d))
				}
				require.NoError(t, tm.Reduce(c.reduce))
				requireDeadline(t, tm, start.Add(c.expects), tick)
				elapse(2 * time.Hour)
				require.Len(t, log.times(), 1)
				requireFiring(t, start.Add(c.expects), log.times()[0], tick)
				stats := w.Stats()
				require.EqualValues(t, 1, stats.Registered)
				require.Zero(t, stats.Refused, "a Reduce that changes nothing is not refused")
			})
		})
	}
}

// Contract 2, Reduce: of several concurrent Reduces, in whatever order, the earliest stands.
func TestConcurrentReducesLeaveTheEarliest(t *testing.T) {
	const tick = time.Millisecond
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{Tick: tick})
		for range 20 {
			var log firingLog
			tm := w.Alloc(log.run)
			start := time.Now()
			var group sync.WaitGroup
			for g := range time.Duration(8) {
				group.Go(func() {
					for i := range time.Duration(20) {
						assert.NoError(t, tm.Reduce(time.Minute+(g*20+i)*time.Second))
					}
				})
			}
			group.Wait()
			requireDeadline(t, tm, start.Add(time.Minute), tick)
			elapse(time.Hour)
			require.Equal(t, 1, log.len())
		}
	})
}

// Contract 2: "RegisterAt: the same for a caller that knows the time". Not the caller's
// clock reading, zone or monotonic reading matters, but the instant.
func TestRegisterAtFiresAtTheInstant(t *testing.T) {
	const tick = time.Millisecond
	for name, shape := range map[string]func(time.Time) time.Time{
		"as is":        func(at time.Time) time.Time { return at },
		"no monotonic": func(at time.Time) time.Time { return at.Round(0) },
		"other zone":   func(at time.Time) time.Time { return at.In(time.FixedZone("east", 9*3600)) },
	} {
		t.Run(name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{Tick: tick})
				elapse(time.Minute + tick/3)
				for _, d := range []time.Duration{1, tick, 63*tick + 1, 64 * tick, time.Second, 26 * time.Hour} {
					var log firingLog
					tm := w.Alloc(log.run)
					due := time.Now().Add(d)
					require.NoError(t, tm.RegisterAt(shape(due)))
					requireDeadline(t, tm, due, tick)
					elapse(d + 2*tick)
					require.Len(t, log.times(), 1, "%v", d)
					requireFiring(t, due, log.times()[0], tick)
				}
			})
		})
	}
}

// Contract 2, RegisterAt: "reads no clock, unless the wheel must be woken earlier": a
// sleeping wheel is woken for what is earlier than all it has.
func TestRegisterAtWakesASleepingWheel(t *testing.T) {
	const tick = time.Millisecond
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{Tick: tick})
		w.AfterFunc(1000*time.Hour, func() {})
		for _, idle := range []time.Duration{0, time.Second, time.Hour} {
			elapse(idle)
			var log firingLog
			tm := w.Alloc(log.run)
			due := time.Now().Add(5 * time.Millisecond)
			require.NoError(t, tm.RegisterAt(due))
			elapse(time.Second)
			require.Len(t, log.times(), 1)
			requireFiring(t, due, log.times()[0], tick)
		}
	})
}

// Contract 2: "When: the deadline of a pending timer".
func TestWhenIsTheDeadlineOfAPendingTimer(t *testing.T) {
	const tick = time.Millisecond
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{Tick: tick})
		h := parkHandler(t)
		tm := w.Alloc(func(timerwheel.Timer) { h.run() })
		none := func() {
			t.Helper()
			_, ok := tm.When()
			require.False(t, ok)
		}
		none()
		require.NoError(t, tm.Register(time.Minute))
		requireDeadline(t, tm, time.Now().Add(time.Minute), tick)
		due := time.Now().Add(time.Minute)
		elapse(30 * time.Second)
		requireDeadline(t, tm, due, tick)
		require.True(t, tm.Stop())
		none()
		require.NoError(t, tm.Register(0))
		elapse(time.Second)
		require.True(t, tm.Running())
		none()
		require.NoError(t, tm.Register(time.Hour))
		requireDeadline(t, tm, time.Now().Add(time.Hour), tick)
		require.NoError(t, tm.Register(0))
		due = time.Now()
		elapse(time.Second)
		requireDeadline(t, tm, due, tick) // due, and waiting for its own run to end
		h.release()
		elapse(time.Second)
		none()
	})
}

// ---- Registering: runs of one timer ----

// Contract 3: "A timer's handler never runs twice at once: due again while running, it runs
// once more after it returns."
func TestDueAgainWhileRunningRunsOnceMoreAfterIt(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		var runs, inside atomic.Int32
		step := make(chan struct{})
		t.Cleanup(func() { close(step) })
		tm := w.Alloc(func(timerwheel.Timer) {
			assert.EqualValues(t, 1, inside.Add(1), "two runs at once")
			runs.Add(1)
			<-step
			inside.Add(-1)
		})
		require.NoError(t, tm.Register(0))
		elapse(time.Second)
		for again := range int32(3) {
			require.EqualValues(t, again+1, runs.Load())
			for range 5 { // five times due, one run
				require.NoError(t, tm.Register(time.Millisecond))
				elapse(time.Second)
				require.EqualValues(t, again+1, runs.Load())
				require.True(t, tm.Pending())
				require.True(t, tm.Running())
			}
			step <- struct{}{}
			elapse(time.Second)
		}
		require.EqualValues(t, 4, runs.Load())
		require.False(t, tm.Pending())
		step <- struct{}{}
		elapse(time.Hour)
		require.EqualValues(t, 4, runs.Load())
		require.False(t, tm.Running())
	})
}

// The same with goroutines that arm without end. The unguarded counter is for the race
// detector: "each run of a timer before its next".
func TestHandlerNeverOverlapsItself(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Tick: 20 * time.Microsecond})
	var inside, overlaps atomic.Int32
	runs := uint64(0)
	tm := w.Alloc(func(tm timerwheel.Timer) {
		if inside.Add(1) != 1 {
			overlaps.Add(1)
		}
		runs++
		for range runs % 4 {
			time.Sleep(10 * time.Microsecond) // let it fall due meanwhile
		}
		if runs%3 == 0 {
			_ = tm.Register(0) // refused by the Shutdown at the end
		}
		inside.Add(-1)
	})
	until := time.Now().Add(raceTime())
	var armers sync.WaitGroup
	for g := range uint64(4) {
		armers.Go(func() {
			rng := rand.New(rand.NewPCG(g, 1))
			for time.Now().Before(until) {
				assert.NoError(t, tm.Register(time.Duration(rng.Int64N(int64(60*time.Microsecond)))))
				if g == 0 {
					time.Sleep(30 * time.Microsecond) // or the four would push the deadline ahead for ever
					_ = tm.Reduce(0)
				}
			}
		})
	}
	armers.Wait()
	_, err := tm.ShutdownSync()
	require.NoError(t, err)
	require.Zero(t, overlaps.Load())
	require.Positive(t, runs)
	require.Equal(t, w.Stats().Fired, runs)
}

// Contract 3: "Everything before Register happens before the handler's start, and each run
// of a timer before its next." Nothing here is guarded: what is not so ordered is a report
// of the race detector.
func TestRegisterHappensBeforeTheHandler(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Tick: 10 * time.Microsecond})
	for _, verb := range armVerbs {
		done := make(chan int)
		var before, runs int
		tm := w.Alloc(func(tm timerwheel.Timer) {
			before++
			if runs++; runs < 200 {
				assert.NoError(t, verb.arm(tm, time.Duration(runs%3)*time.Microsecond))
				return
			}
			done <- before
		})
		before = 1000
		require.NoError(t, verb.arm(tm, 0))
		require.Equal(t, 1200, <-done, verb.name)
	}
}

// ---- Registering: refusals ----

// Contract 3: "It is refused, with nothing changed but the count, by, in this order:
// ErrStale (recycled, or the zero Timer), ErrShutdown, ErrDeleting (a deletion of this
// timer waits), ErrClosed."
func TestRegisterIsRefusedInThisOrder(t *testing.T) {
	idle := func(w *timerwheel.Wheel) timerwheel.Timer { return w.Alloc(func(timerwheel.Timer) {}) }
	running := func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
		h := parkHandler(t)
		tm := w.Alloc(func(timerwheel.Timer) { h.run() })
		require.NoError(t, tm.Register(0))
		elapse(time.Second)
		require.True(t, tm.Running())
		return tm
	}
	shutdown := func(t *testing.T, tm timerwheel.Timer) timerwheel.Timer {
		_, err := tm.ShutdownSync()
		require.NoError(t, err)
		return tm
	}
	free := func(t *testing.T, tm timerwheel.Timer) timerwheel.Timer {
		require.NoError(t, tm.Free())
		return tm
	}
	inBackground := func(wait func()) {
		go wait()
		synctest.Wait()
	}
	for _, c := range []struct {
		name string
		make func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer
		want error
	}{
		{"recycled", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			return free(t, idle(w))
		}, timerwheel.ErrStale},
		{"recycled, with a new tenant", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			tm := free(t, idle(w))
			idle(w)
			return tm
		}, timerwheel.ErrStale},
		{"recycled after it fired", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			tm := w.AfterFunc(time.Millisecond, func() {})
			elapse(time.Second)
			return tm
		}, timerwheel.ErrStale},
		{"recycled and shut down", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			return free(t, shutdown(t, idle(w)))
		}, timerwheel.ErrStale},
		{"recycled and closed", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			tm := idle(w)
			require.NoError(t, w.Close())
			return free(t, tm)
		}, timerwheel.ErrStale},
		{"recycled by Close", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			tm := w.AfterFunc(time.Hour, func() {})
			require.NoError(t, w.Close())
			return tm
		}, timerwheel.ErrStale},
		{"shut down", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			return shutdown(t, idle(w))
		}, timerwheel.ErrShutdown},
		{"shut down and deleted", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			tm := shutdown(t, idle(w))
			_, err := tm.DelSync()
			require.NoError(t, err)
			return tm
		}, timerwheel.ErrShutdown},
		{"shut down and closed", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			tm := shutdown(t, idle(w))
			require.NoError(t, w.Close())
			return tm
		}, timerwheel.ErrShutdown},
		{"shut down while a Shutdown waits", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			tm := running(t, w)
			inBackground(func() { _, _ = tm.ShutdownSync() })
			return tm
		}, timerwheel.ErrShutdown},
		{"shut down while a Shutdown waits on a closed wheel", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			tm := running(t, w)
			inBackground(func() { _, _ = tm.ShutdownSync() })
			inBackground(func() { _ = w.Close() })
			return tm
		}, timerwheel.ErrShutdown},
		{"a DelSync waits", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			tm := running(t, w)
			inBackground(func() { _, _ = tm.DelSync() })
			return tm
		}, timerwheel.ErrDeleting},
		{"a DelSyncContext waits", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			tm := running(t, w)
			inBackground(func() { _, _ = tm.DelSyncContext(context.Background()) })
			return tm
		}, timerwheel.ErrDeleting},
		{"a DelAsync waits", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			tm := running(t, w)
			tm.DelAsync(func() {})
			return tm
		}, timerwheel.ErrDeleting},
		{"a DelSync waits for a timer without owners", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			tm := free(t, running(t, w))
			inBackground(func() { _, _ = tm.DelSync() })
			return tm
		}, timerwheel.ErrDeleting},
		{"a DelSync waits on a closed wheel", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			tm := running(t, w)
			inBackground(func() { _, _ = tm.DelSync() })
			inBackground(func() { _ = w.Close() })
			return tm
		}, timerwheel.ErrDeleting},
		{"closed", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			tm := idle(w)
			require.NoError(t, w.Close())
			return tm
		}, timerwheel.ErrClosed},
		{"closed, then allocated", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			require.NoError(t, w.Close())
			return idle(w)
		}, timerwheel.ErrClosed},
		{"closed while it runs", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			tm := running(t, w)
			inBackground(func() { _ = w.Close() })
			return tm
		}, timerwheel.ErrClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{})
				tm := c.make(t, w)
				elapse(time.Second)
				before := w.Stats()
				for _, d := range []time.Duration{0, time.Hour} {
					for _, verb := range armVerbs {
						err := verb.arm(tm, d)
						for _, sentinel := range []error{
							timerwheel.ErrStale, timerwheel.ErrFreed, timerwheel.ErrDeleting, timerwheel.ErrShutdown,
							timerwheel.ErrClosed, timerwheel.ErrDeadlock, timerwheel.ErrNotManual,
						} {
							require.Equal(t, sentinel == c.want, errors.Is(err, sentinel), "%s(%v): %v, want %v", verb.name, d, err, c.want)
						}
						require.False(t, tm.Reset(d))
						before.Refused += 2
						if c.want == timerwheel.ErrStale {
							before.Misuses += 2
						}
						require.Equal(t, before, w.Stats(), "nothing changes but the counts")
						require.False(t, tm.Pending())
						_, ok := tm.When()
						require.False(t, ok)
					}
				}
			})
		})
	}
}

// Contract 3: a Register is refused "by, in this order: ErrStale, ErrShutdown, ErrDeleting,
// ErrClosed". All reasons that can hold together, held together.
func TestRegisterRefusalsInOrder(t *testing.T) {
	for reasons := range 8 {
		shut, deleted, closed := reasons&4 != 0, reasons&2 != 0, reasons&1 != 0
		var want error
		switch {
		case shut:
			want = timerwheel.ErrShutdown
		case deleted:
			want = timerwheel.ErrDeleting
		case closed:
			want = timerwheel.ErrClosed
		}
		name := fmt.Sprintf("shut down=%t,deleting=%t,closed=%t", shut, deleted, closed)
		bubble(t, name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			p := newPuppet(t)
			tm := w.Alloc(p.handle)
			var waiting []*deletion
			if deleted {
				startRun(t, tm)
				waiting = append(waiting, deleting(tm.DelSync))
				require.True(t, waiting[0].waits())
			}
			if shut {
				waiting = append(waiting, deleting(tm.ShutdownSync))
				synctest.Wait()
			}
			if closed {
				waiting = append(waiting, deleting(func() (timerwheel.Found, error) { return timerwheel.Found{}, w.Close() }))
				synctest.Wait()
			}
			if want != nil {
				before := w.Stats().Refused
				requireRefused(t, w, tm, want)
				require.Equal(t, before+4, w.Stats().Refused)
			} else {
				require.NoError(t, tm.Register(time.Hour))
				require.True(t, tm.Stop())
			}
			p.let()
			for _, c := range waiting {
				_, err := c.result()
				require.NoError(t, err)
			}
			require.NoError(t, tm.Free())
			requireRefused(t, w, tm, timerwheel.ErrStale) // before everything else
			requireRefused(t, w, timerwheel.Timer{}, timerwheel.ErrStale)
		})
	}
}

// Contract 3: "It is refused … by, in this order: ErrStale, ErrShutdown, ErrDeleting,
// ErrClosed": closing hides none of the others.
func TestRefusalsOnAClosedWheelKeepTheirOrder(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		release := openedAtTheEnd(t)
		stale, shut := w.Alloc(func(timerwheel.Timer) {}), w.Alloc(func(timerwheel.Timer) {})
		deleting, running := w.Alloc(func(timerwheel.Timer) { <-release }), w.Alloc(func(timerwheel.Timer) { <-release })
		require.NoError(t, stale.Free())
		_, err := shut.ShutdownSync()
		require.NoError(t, err)
		require.NoError(t, deleting.Register(0))
		require.NoError(t, running.Register(0))
		time.Sleep(10 * time.Millisecond)
		deleted := inBackground(func() { _, err := deleting.DelSync(); assert.NoError(t, err) })
		synctest.Wait()
		closed := inBackground(func() { assert.NoError(t, w.Close()) })
		synctest.Wait()

		require.ErrorIs(t, stale.Register(0), timerwheel.ErrStale)
		require.ErrorIs(t, timerwheel.Timer{}.Register(0), timerwheel.ErrStale)
		require.ErrorIs(t, shut.Register(0), timerwheel.ErrShutdown)
		require.ErrorIs(t, deleting.Register(0), timerwheel.ErrDeleting)
		require.ErrorIs(t, running.Register(0), timerwheel.ErrClosed)

		close(release)
		<-closed
		<-deleted
		require.ErrorIs(t, deleting.Register(0), timerwheel.ErrClosed, "the refusal of a deletion ends with its run, the wheel's stays")
	})
}

// Contract 9: "no Register succeeds any more (ErrClosed)". Contract 2: Refused counts
// "Registers refused, for whatever reason".
func TestNoRegisterSucceedsOnAClosedWheel(t *testing.T) {
	arms := map[string]func(timerwheel.Timer) error{
		"Register":             func(tm timerwheel.Timer) error { return tm.Register(time.Second) },
		"Register at once":     func(tm timerwheel.Timer) error { return tm.Register(0) },
		"Register in the past": func(tm timerwheel.Timer) error { return tm.Register(-time.Hour) },
		"Register for never":   func(tm timerwheel.Timer) error { return tm.Register(math.MaxInt64) },
		"RegisterAt":           func(tm timerwheel.Timer) error { return tm.RegisterAt(time.Now().Add(time.Second)) },
		"RegisterAt the past":  func(tm timerwheel.Timer) error { return tm.RegisterAt(time.Time{}) },
		"Reduce":               func(tm timerwheel.Timer) error { return tm.Reduce(time.Second) },
		"Reset": func(tm timerwheel.Timer) error {
			if tm.Reset(time.Second) {
				return nil
			}
			return timerwheel.ErrClosed
		},
	}
	for _, e := range enders {
		for name, arm := range arms {
			t.Run(e.name+"/"+name, func(t *testing.T) {
				guarded(t, func(t *testing.T) {
					w := openWheel(t, timerwheel.Options{})
					handler := func(timerwheel.Timer) { t.Error("a handler ran on a closed wheel") }
					idle, pending := w.Alloc(handler), w.Alloc(handler)
					require.NoError(t, pending.Register(time.Minute))
					require.NoError(t, e.end(w))
					later := w.Alloc(handler)
					for i, tm := range []timerwheel.Timer{idle, pending, later} {
						require.ErrorIs(t, arm(tm), timerwheel.ErrClosed)
						require.False(t, tm.Pending())
						require.EqualValues(t, i+1, w.Stats().Refused)
					}
					time.Sleep(time.Hour)
					countsAddUp(t, w)
				})
			})
		}
	}
}

// Contract 3: "A handler may register, delete or free its own timer, and any other."
func TestHandlerMayDoAnythingToAnyTimer(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		var others [4]firingLog
		var other [4]timerwheel.Timer
		for i := range other {
			other[i] = w.Alloc(others[i].run)
		}
		require.NoError(t, other[1].Register(time.Hour))
		require.NoError(t, other[2].Register(time.Hour))

		var runs atomic.Int32
		self := w.Alloc(func(tm timerwheel.Timer) {
			switch runs.Add(1) {
			case 1: // registers itself, and everything else to the others
				assert.NoError(t, tm.Register(time.Minute))
				assert.NoError(t, other[0].Register(time.Second))
				found, err := other[1].DelSync()
				assert.NoError(t, err)
				assert.Equal(t, timerwheel.Found{Pending: true}, found)
				assert.NoError(t, other[2].Register(2*time.Second))
				assert.NoError(t, other[3].Free())
			case 2: // takes its own registration back
				assert.NoError(t, tm.Register(time.Minute))
				found := tm.Del()
				assert.Equal(t, timerwheel.Found{Pending: true, Running: true}, found)
				found = tm.Del()
				assert.Equal(t, timerwheel.Found{Running: true}, found)
			case 3: // frees itself and is registered all the same
				assert.NoError(t, tm.Free())
				assert.NoError(t, tm.Register(time.Minute))
			}
		})
		require.NoError(t, self.Register(0))
		elapse(30 * time.Second)
		require.EqualValues(t, 1, runs.Load())
		require.Equal(t, []int{1, 0, 1}, []int{others[0].len(), others[1].len(), others[2].len()})
		require.False(t, other[3].Valid())
		elapse(time.Hour)
		require.EqualValues(t, 2, runs.Load())
		require.NoError(t, self.Register(0))
		elapse(30 * time.Second)
		require.EqualValues(t, 3, runs.Load())
		require.True(t, self.Valid())
		elapse(time.Hour)
		require.EqualValues(t, 4, runs.Load())
		require.False(t, self.Valid())
		require.Zero(t, others[1].len())
	})
}

// ---- time.Timer's shape ----

// Contract 2: "Stop: Del in time.Timer's shape: reports whether it removed a firing";
// "Reset: Register in time.Timer's shape: reports whether it had been pending".
func TestStopAndResetReportWhatWasPending(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		h := parkHandler(t)
		var runs atomic.Int32
		tm := w.Alloc(func(timerwheel.Timer) { runs.Add(1); h.run() })

		require.False(t, tm.Stop(), "idle")
		require.False(t, tm.Reset(time.Second), "idle")
		require.True(t, tm.Reset(time.Minute), "pending")
		require.True(t, tm.Stop(), "pending")
		require.False(t, tm.Stop(), "stopped")
		elapse(time.Hour)
		require.Zero(t, runs.Load())

		require.False(t, tm.Reset(time.Second))
		elapse(time.Minute)
		require.EqualValues(t, 1, runs.Load())
		require.False(t, tm.Stop(), "running: there is no firing to remove")
		require.False(t, tm.Reset(time.Second), "running")
		require.True(t, tm.Reset(time.Minute), "running and pending")
		require.True(t, tm.Stop(), "running and pending")
		require.False(t, tm.Reset(time.Second), "running")
		elapse(time.Minute)
		require.True(t, tm.Stop(), "due again, behind its own run")
		h.release()
		elapse(time.Hour)
		require.EqualValues(t, 1, runs.Load())
		require.False(t, tm.Stop(), "fired")
		require.False(t, tm.Reset(time.Second), "fired")
		elapse(time.Minute)
		require.EqualValues(t, 2, runs.Load())
	})
}

// Contract 2: "A Timer from Alloc stands where code wants interface{ Stop() bool;
// Reset(time.Duration) bool }".
var _ interface {
	Stop() bool
	Reset(time.Duration) bool
} = timerwheel.Timer{}
