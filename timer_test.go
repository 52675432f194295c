package timerwheel_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ---- What a Timer is ----

// Promise 2.25: a Timer is comparable, at most 16 bytes, usable as a map key.
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
	require.NotContains(t, names, w.Alloc(func(timerwheel.Timer) {}), "a new tenant of the record has a new handle")
}

// Promise 2.67: a Timer in a struct that a test compares or prints shows as its numbers. Reflection
// finds no way from it to the wheel, which would be long, and, while workers run, a race.
func TestATimerShowsAsItsNumbers(t *testing.T) {
	type session struct {
		id    int
		timer timerwheel.Timer
	}
	w := openWheel(t, timerwheel.Options{})
	for range 10_000 {
		w.AfterFunc(time.Hour, func() {})
	}
	for range 4 {
		armed(w.Alloc(func(tm timerwheel.Timer) { _ = tm.Register(0) }), 0)
	}
	eventually(t, "the workers run", func() bool { return w.Stats().Fired > 100 })

	var timers []timerwheel.Timer
	for range 2 {
		timers = append(timers, w.Alloc(func(timerwheel.Timer) {}))
	}
	other := openWheel(t, timerwheel.Options{})
	for range 10 { // some have the same number as one of w's
		timers = append(timers, other.Alloc(func(timerwheel.Timer) {}))
	}
	for k, a := range timers {
		for l, b := range timers {
			require.Equal(t, k == l, a == b)
			require.Equal(t, k == l, reflect.DeepEqual(session{1, a}, session{1, b}))
			require.Equal(t, k == l, reflect.DeepEqual(&session{1, a}, &session{1, b}))
		}
	}

	var report textOfAFailure
	a, b := session{1, timers[0]}, session{2, timers[1]}
	assert.Equal(&report, a, b)
	assert.Equal(&report, &a, &b)
	assert.ElementsMatch(&report, []session{a}, []session{b})
	assert.Contains(&report, map[timerwheel.Timer]session{a.timer: a}, b.timer)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		fmt.Fprintf(&report, verb+"\n", a)
		fmt.Fprintf(&report, verb+"\n", &b)
		fmt.Fprintf(&report, verb+"\n", a.timer)
	}
	asJSON, err := json.Marshal(map[string]any{"a": a, "timer": b.timer})
	require.NoError(t, err)
	report.Write(asJSON)
	require.Contains(t, report.String(), "id: (uint64)", "testify shows the Timer's parts")
	require.Contains(t, report.String(), timers[0].String())
	require.Less(t, report.Len(), 10_000, "it has walked the wheel:\n%.2000s", report.String())
}

// textOfAFailure gathers what testify says of a comparison that fails.
type textOfAFailure struct{ strings.Builder }

func (f *textOfAFailure) Errorf(format string, args ...any) { fmt.Fprintf(f, format, args...) }

// Promises 1.3, 3.12 and 4.13: every verb treats the zero Timer as stale.
func TestZeroTimerNamesNoTimer(t *testing.T) {
	var zero timerwheel.Timer
	requireStale(t, zero)
	g := openWheel(t, timerwheel.Options{}).NewGroup()
	for _, del := range memberVerbs {
		finds(t, foundNone)(del.call(member{zero, g}))
	}
}

// Promises 1.7, 2.23 and 2.24: When is the deadline of what pends, also beside a run; a String is never empty.
func TestTimerCanBePendingAndRunning(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		p := newPuppet(t)
		tm := w.Alloc(p.handle)
		requires := func(pending, running bool, due time.Time) {
			t.Helper()
			require.NotEmpty(t, tm.String())
			require.Equal(t, [2]bool{pending, running}, [2]bool{tm.Pending(), tm.Running()})
			if pending {
				requireDeadline(t, tm, due, time.Millisecond)
				return
			}
			_, ok := tm.When()
			require.False(t, ok)
		}
		var due time.Time
		register := func(d time.Duration) {
			require.NoError(t, tm.Register(d))
			due = time.Now().Add(d)
		}

		requires(false, false, due)
		register(time.Minute)
		requires(true, false, due)
		elapse(30 * time.Second)
		requires(true, false, due)
		require.True(t, tm.Stop())
		requires(false, false, due)
		register(0) // pending or running now: both, one after the other, without any time between them
		elapse(time.Second)
		requires(false, true, due)
		register(time.Hour)
		requires(true, true, due)
		register(0)
		elapse(time.Second)
		requires(true, true, due) // due, and waiting for its own run to end
		register(time.Hour)
		p.let()
		elapse(time.Second)
		requires(true, false, due)
		elapse(2 * time.Hour)
		requires(false, false, due)
		require.NotEqual(t, tm.String(), w.Alloc(delIgnore).String(), "two timers that live read differently")
		require.NoError(t, tm.Free())
		require.NotEmpty(t, tm.String(), "stale")
		require.NotEmpty(t, timerwheel.Timer{}.String(), "zero")
	})
}

// ---- Registering: where, when ----

// Promise 3.1: a handler inside the caller could never hand over its token.
func TestHandlerNeverStartsInsideTheCaller(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		token := make(chan struct{})
		tm := w.Alloc(func(timerwheel.Timer) { token <- struct{}{} })
		for _, d := range []time.Duration{0, -time.Hour, time.Nanosecond} {
			for _, verb := range armVerbs {
				require.NoError(t, verb.arm(tm, d), verb.name)
				<-token
			}
			w.AfterFunc(d, func() { token <- struct{}{} })
			<-token
		}
	})
}

// waysToFire are ways to a firing d from now. fired gets the time that it took.
var waysToFire = []func(t *testing.T, w *timerwheel.Wheel, d time.Duration, fired func(took time.Duration)){
	func(_ *testing.T, w *timerwheel.Wheel, d time.Duration, fired func(time.Duration)) {
		start := time.Now()
		w.AfterFunc(d, func() { fired(time.Since(start)) })
	},
	func(t *testing.T, w *timerwheel.Wheel, d time.Duration, fired func(time.Duration)) { // from a time of the caller's
		start := time.Now()
		tm := w.Alloc(func(timerwheel.Timer) { fired(time.Since(start)) })
		assert.NoError(t, tm.RegisterAt(start.Add(d)))
		assert.NoError(t, tm.Free())
	},
	func(t *testing.T, w *timerwheel.Wheel, d time.Duration, fired func(time.Duration)) { // moved, from another level
		var start time.Time
		tm := armed(w.Alloc(func(timerwheel.Timer) { fired(time.Since(start)) }), time.Hour)
		start = time.Now()
		assert.NoError(t, tm.Register(d))
		assert.NoError(t, tm.Free())
	},
	func(t *testing.T, w *timerwheel.Wheel, d time.Duration, fired func(time.Duration)) { // armed by its own handler
		var start time.Time
		tm := w.Alloc(func(tm timerwheel.Timer) {
			if !start.IsZero() {
				fired(time.Since(start))
				return
			}
			start = time.Now()
			assert.NoError(t, tm.Register(d))
		})
		assert.NoError(t, tm.Reduce(0))
		assert.NoError(t, tm.Free())
	},
}

// Promises 3.2, 3.3, 11.13, with exact bounds, for a bubble's scheduler has no delay. The spans, and the
// wheel's ages, lie around powers of 64 ticks, where a hierarchical wheel goes wrong.
func TestFiresNeverEarlyAndAtMostTwoTicksLate(t *testing.T) {
	for _, tick := range []time.Duration{
		time.Microsecond, 100 * time.Microsecond, time.Millisecond, 7 * time.Millisecond, time.Second, time.Hour,
	} {
		bubble(t, tick.String(), timerwheel.Options{Tick: tick}, func(t *testing.T, w *timerwheel.Wheel) {
			var armed int
			var fired atomic.Int64
			longest := time.Duration(0)
			for _, age := range []time.Duration{
				0, 1, tick / 2, tick - tick/2 - 2, 61 * tick, tick, tick + 1, 64 * tick, 4095 * tick, 3*tick - 1,
			} {
				elapse(age)
				for _, d := range edgeSpans(tick) {
					longest = max(longest, d)
					for _, way := range waysToFire {
						armed++
						way(t, w, d, func(took time.Duration) {
							fired.Add(1)
							due := max(d, 0)
							if took < due || took > due+2*tick {
								t.Errorf("armed for %v with the wheel at age %v: fired after %v", d, age, took)
							}
						})
					}
				}
			}
			elapse(longest + 4*tick)
			require.EqualValues(t, armed, fired.Load(), "each fires once")
			require.Zero(t, w.Stats().Live)
		})
	}
}

// edgeSpans are durations on both sides of each power of 64 ticks (up to 30 years), what lies
// around zero and one tick, and all ones in binary up to 200 days.
func edgeSpans(tick time.Duration) []time.Duration {
	const most = 30 * 365 * 24 * time.Hour
	spans := []time.Duration{-tick, 0, 1, tick / 2}
	for power := time.Duration(1); power <= most/tick/64; power *= 64 {
		for _, ticks := range []time.Duration{power - 1, power, power + 1, 2*power - 1, 2 * power, 63 * power} {
			spans = append(spans, ticks*tick-1, ticks*tick, ticks*tick+1)
		}
	}
	for d := time.Duration(1); d < 200*24*time.Hour; d = d*2 + 1 {
		spans = append(spans, d)
	}
	return spans
}

// Promise 3.2: never early, by the real clock and in a crowd.
func TestNeverEarlyByTheRealClock(t *testing.T) {
	timers, span := 6_000, 100*time.Millisecond
	if testing.Short() {
		timers, span = 2_000, 50*time.Millisecond // a crowd for its density, which stays
	}
	for _, tick := range []time.Duration{50 * time.Microsecond, time.Millisecond, 10 * time.Millisecond} {
		t.Run(tick.String(), func(t *testing.T) {
			w := openWheel(t, timerwheel.Options{Tick: tick})
			var fired, early atomic.Int64
			var armers sync.WaitGroup
			for g := range len(waysToFire) {
				armers.Go(func() {
					rng := rand.New(rand.NewPCG(uint64(tick), uint64(g)))
					for i := range timers / len(waysToFire) {
						d := time.Duration(rng.Int64N(int64(span)))
						waysToFire[(g+i)%len(waysToFire)](t, w, d, func(took time.Duration) {
							if took < d {
								early.Add(1)
							}
							fired.Add(1)
						})
					}
				})
			}
			within(t, armers.Wait)
			eventually(t, "every timer fires", func() bool { return fired.Load() == int64(timers) })
			require.Zero(t, early.Load(), "timers that fired early")
		})
	}
}

// Promises 3.4 and 3.6: d <= 0, and a time in the past, are due at once, as of the call: what waits for
// a worker is not late for an old clock of the caller's, nor in line before those that have really waited.
func TestPastIsDueAtOnce(t *testing.T) {
	const tick = time.Millisecond
	armings := make(map[string]func(timerwheel.Timer) error)
	for _, d := range []time.Duration{0, -1, -time.Hour, math.MinInt64 + 1, math.MinInt64} {
		armings[fmt.Sprint("Register ", int64(d))] = func(tm timerwheel.Timer) error { return tm.Register(d) }
		armings[fmt.Sprint("Reduce ", int64(d))] = func(tm timerwheel.Timer) error { return tm.Reduce(d) }
		armings[fmt.Sprint("Reset ", int64(d))] = func(tm timerwheel.Timer) error { tm.Reset(d); return nil }
	}
	for name, when := range map[string]func() time.Time{
		"now":         time.Now,
		"just gone":   func() time.Time { return time.Now().Add(-1) },
		"a minute":    func() time.Time { return time.Now().Add(-time.Minute) },
		"no monotone": func() time.Time { return time.Now().Add(-time.Hour).Round(0) },
		"1970":        func() time.Time { return time.Unix(0, 0) },
		"year 1":      func() time.Time { return time.Time{} },
		"year -10^10": func() time.Time { return time.Unix(-1<<58, 0) },
	} {
		armings["RegisterAt "+name] = func(tm timerwheel.Timer) error { return tm.RegisterAt(when()) }
	}

	for _, from := range []string{"idle", "pending"} {
		bubble(t, from, timerwheel.Options{Tick: tick}, func(t *testing.T, w *timerwheel.Wheel) {
			elapse(100*time.Hour + tick/3)
			for name, arm := range armings {
				var log firingLog
				tm := w.Alloc(log.run)
				if from == "pending" {
					require.NoError(t, tm.Register(time.Hour))
				}
				require.NoError(t, arm(tm), name)
				elapse(2 * tick)
				require.Equal(t, 1, log.len(), name)
				require.False(t, tm.Pending(), name)
				elapse(2 * time.Hour)
				require.Equal(t, 1, log.len(), name)
			}
		})
	}
	bubble(t, "the only worker is busy", timerwheel.Options{Tick: tick, MaxWorkers: 1}, func(t *testing.T, w *timerwheel.Wheel) {
		_, busy := newRun(t, w)
		elapse(time.Hour)
		for name, arm := range armings {
			tm := w.Alloc(delIgnore)
			require.NoError(t, arm(tm), name)
			require.True(t, tm.Pending(), name)
			requireDeadline(t, tm, time.Now(), tick)
		}
		busy.let()
		elapse(time.Second)
		require.LessOrEqual(t, w.Stats().MaxLate, 2*tick, "all were armed just now")
	})
	bubble(t, "AfterFunc", timerwheel.Options{Tick: tick}, func(t *testing.T, w *timerwheel.Wheel) {
		for _, d := range []time.Duration{0, -1, math.MinInt64} {
			var fired atomic.Int32
			w.AfterFunc(d, func() { fired.Add(1) })
			elapse(2 * tick)
			require.EqualValues(t, 1, fired.Load(), "%d", int64(d))
		}
	})
}

// Promise 3.5: what is too large for the clock means "never", not "now".
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
		bubble(t, tick.String(), timerwheel.Options{Tick: tick}, func(t *testing.T, w *timerwheel.Wheel) {
			elapse(time.Hour + tick/3) // so that now+d overflows where d alone does not
			fired := make([]firingLog, len(armings)*2+1)
			var timers []timerwheel.Timer
			for name, arm := range armings {
				idle, near := w.Alloc(fired[len(timers)].run), w.Alloc(fired[len(timers)+1].run)
				require.NoError(t, arm(idle), name)
				require.NoError(t, near.Register(year))
				if name == "Reduce MaxInt64" { // which leaves a nearer deadline alone
					require.True(t, near.Stop())
				}
				require.NoError(t, arm(near), name)
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
	}
}

// Promises 3.3 and 11.17: a year is 3*10^10 ticks, so this is quick only if no tick costs
// anything. Each timer still fires within two ticks, also one that is armed on the morning after.
func TestWheelThatSleptForAYear(t *testing.T) {
	const tick, day, year = time.Millisecond, 24 * time.Hour, 365 * 24 * time.Hour
	for _, asleep := range []string{"empty", "with timers"} {
		bubble(t, asleep, timerwheel.Options{Tick: tick}, func(t *testing.T, w *timerwheel.Wheel) {
			start := time.Now()
			type firing struct {
				due time.Duration // since start
				firingLog
			}
			var all []*firing
			arm := func(spans ...time.Duration) {
				for _, d := range spans {
					f := &firing{due: time.Since(start) + d}
					armed(w.Alloc(f.run), d)
					all = append(all, f)
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
			for _, f := range all {
				requireFirings(t, start, tick, f.times(), f.due)
			}
			if asleep == "with timers" {
				require.GreaterOrEqual(t, days.len(), 2*365)
				for i, at := range days.times() {
					requireFiring(t, start.Add(time.Duration(i+1)*day), at, tick)
				}
			}
		})
	}
}

// ---- Registering: moving ----

// Promises 2.17 and 3.10: Register moves a pending timer atomically.
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
		"later, over its old bucket": {{0, ms(10)}, {0, ms(100)}, {ms(20), ms(40)}},
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
			bubble(t, name+" by "+verb.name, timerwheel.Options{Tick: tick}, func(t *testing.T, w *timerwheel.Wheel) {
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
				requireFirings(t, start, tick, log.times(), last.at+last.d)
				require.EqualValues(t, 1, w.Stats().Registered, "a move is no new registration")
			})
		}
	}
}

// Promises 3.11 and 2.20: the last of several concurrent Registers wins. Of each goroutine the
// last call is good, so the last of all is. Of concurrent Reduces the earliest wins.
func TestLastOfConcurrentRegistersWins(t *testing.T) {
	const tick, armers = time.Millisecond, 8
	for _, c := range []struct {
		name string
		arm  func(tm timerwheel.Timer, g, i time.Duration) error // the i-th of 40 calls of goroutine g
		wins func(d time.Duration) bool
	}{
		{"Register", func(tm timerwheel.Timer, g, i time.Duration) error {
			if i == 39 {
				return tm.Register((1 + g) * time.Minute)
			}
			return tm.Register((1 + g + i) * time.Millisecond)
		}, func(d time.Duration) bool { return d > 0 }},
		{"Reduce", func(tm timerwheel.Timer, g, i time.Duration) error {
			return tm.Reduce(time.Minute + (g*40+i)*time.Second)
		}, func(d time.Duration) bool { return d == time.Minute }},
	} {
		bubble(t, c.name, timerwheel.Options{Tick: tick}, func(t *testing.T, w *timerwheel.Wheel) {
			for range 20 {
				var log firingLog
				tm := w.Alloc(log.run)
				start := time.Now()
				var group sync.WaitGroup
				for g := range time.Duration(armers) {
					group.Go(func() {
						for i := range time.Duration(40) {
							assert.NoError(t, c.arm(tm, g, i))
						}
					})
				}
				group.Go(func() { // promise 2.26: questions are safe beside all that
					for range 40 {
						_, _ = tm.When()
						assert.True(t, tm.Valid() && !tm.Running())
						assert.NotEmpty(t, tm.String())
						runtime.Gosched()
					}
				})
				group.Wait()
				when, ok := tm.When()
				require.True(t, ok)
				winner := when.Sub(start).Truncate(time.Minute)
				require.True(t, c.wins(winner), "an earlier Register of some goroutine outlived its later one, or a Reduce moved later: %v", winner)
				requireDeadline(t, tm, start.Add(winner), tick)
				elapse(time.Hour)
				requireFirings(t, start, tick, log.times(), winner)
			}
		})
	}
}

// Promise 2.20: Reduce arms, or moves only if that is earlier.
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
		// A timer that was moved later may lie in its old bucket for a while: what counts is
		// its deadline.
		{"moved later, between", []time.Duration{10 * time.Millisecond, time.Second}, 500 * time.Millisecond, 500 * time.Millisecond},
		{"moved later, before both", []time.Duration{10 * time.Millisecond, time.Second}, 5 * time.Millisecond, 5 * time.Millisecond},
		{"moved later, after both", []time.Duration{10 * time.Millisecond, time.Second}, time.Minute, time.Second},
	} {
		bubble(t, c.name, timerwheel.Options{Tick: tick}, func(t *testing.T, w *timerwheel.Wheel) {
			var log firingLog
			tm := w.Alloc(log.run)
			start := time.Now()
			for _, d := range c.before {
				require.NoError(t, tm.Register(d))
			}
			require.NoError(t, tm.Reduce(c.reduce))
			requireDeadline(t, tm, start.Add(c.expects), tick)
			elapse(2 * time.Hour)
			requireFirings(t, start, tick, log.times(), c.expects)
			stats := w.Stats()
			require.EqualValues(t, 1, stats.Registered)
			require.Zero(t, stats.Refused, "a Reduce that changes nothing is not refused")
		})
	}
}

// Promise 2.59: Move moves what is pending, earlier or later, and arms nothing else, whatever the
// reason why it is not pending. What it does not move is counted nowhere.
func TestMoveMovesOnlyWhatIsPending(t *testing.T) {
	const tick = time.Millisecond
	for _, c := range []struct {
		name   string
		before []time.Duration // Registers
		move   time.Duration
	}{
		{"later", []time.Duration{10 * time.Millisecond}, time.Second},
		{"earlier", []time.Duration{time.Second}, 10 * time.Millisecond},
		{"to now", []time.Duration{time.Second}, -1},
		{"from never", []time.Duration{math.MaxInt64}, time.Hour},
		{"moved later, between", []time.Duration{10 * time.Millisecond, time.Second}, 500 * time.Millisecond},
	} {
		bubble(t, c.name, timerwheel.Options{Tick: tick}, func(t *testing.T, w *timerwheel.Wheel) {
			var log firingLog
			tm := w.Alloc(log.run)
			start := time.Now()
			for _, d := range c.before {
				require.NoError(t, tm.Register(d))
			}
			require.True(t, tm.Move(c.move))
			requireDeadline(t, tm, start.Add(max(c.move, 0)), tick)
			elapse(2 * time.Hour)
			requireFirings(t, start, tick, log.times(), max(c.move, 0))
			require.EqualValues(t, 1, w.Stats().Registered)
		})
	}

	for name, prepare := range map[string]func(*testing.T, *timerwheel.Wheel) timerwheel.Timer{
		"zero": func(*testing.T, *timerwheel.Wheel) timerwheel.Timer { return timerwheel.Timer{} },
		"idle": func(_ *testing.T, w *timerwheel.Wheel) timerwheel.Timer { return w.Alloc(delIgnore) },
		"deleted": func(_ *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			tm := armed(w.Alloc(delIgnore), time.Hour)
			tm.Del()
			return tm
		},
		"stale": func(_ *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			tm := w.AfterFunc(time.Hour, func() {})
			tm.Del()
			return tm
		},
		"running": func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer { tm, _ := newRun(t, w); return tm },
		"shut down": func(_ *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			tm := armed(w.Alloc(delIgnore), time.Hour)
			tm.Shutdown()
			return tm
		},
		"of a closed wheel": func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			tm := armed(w.Alloc(delIgnore), time.Hour)
			require.NoError(t, w.Close())
			return tm
		},
	} {
		bubble(t, name, timerwheel.Options{Tick: tick}, func(t *testing.T, w *timerwheel.Wheel) {
			tm := prepare(t, w)
			before := w.Stats()
			require.False(t, tm.Move(time.Millisecond))
			require.False(t, tm.Pending())
			require.Equal(t, before.Registered, w.Stats().Registered)
			require.Equal(t, before.Refused, w.Stats().Refused)
		})
	}
}

// Promise 2.59: a Move that races with a deletion never arms what the deletion has removed.
func TestMoveRacesWithADeletion(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	for range raceRounds(2_000) {
		tm := armed(w.Alloc(delIgnore), time.Hour)
		var group sync.WaitGroup
		for range 2 {
			group.Go(func() { tm.Move(time.Minute) })
		}
		group.Go(func() { tm.Del() })
		group.Wait()
		require.False(t, tm.Pending())
		require.NoError(t, tm.Free())
	}
}

// Promise 2.62: a timer with slack begins from d to d+slack after the call (and two ticks), and with
// none at d. Others with slack begin at the same time.
func TestRegisterWithinTakesATimeWithinItsSlack(t *testing.T) {
	for _, tick := range []time.Duration{time.Microsecond, time.Millisecond, 7 * time.Millisecond} {
		bubble(t, tick.String(), timerwheel.Options{Tick: tick}, func(t *testing.T, w *timerwheel.Wheel) {
			rng := rand.New(rand.NewPCG(1, uint64(tick)))
			for range 300 {
				d, slack := time.Duration(rng.Int64N(int64(5000*tick)))-tick, time.Duration(rng.Int64N(int64(2000*tick)))-tick
				from := time.Now().Add(max(d, 0))
				var log firingLog
				tm := w.Alloc(log.run)
				require.NoError(t, tm.RegisterWithin(d, slack))
				when, ok := tm.When()
				require.True(t, ok)
				require.False(t, when.Before(from), "%v with slack %v: %v", d, slack, when.Sub(from))
				require.False(t, when.After(from.Add(max(slack, 0))), "%v with slack %v: %v", d, slack, when.Sub(from))
				elapse(max(d, 0) + max(slack, 0) + 2*tick)
				require.Equal(t, 1, log.len())
				requireFiring(t, when, log.times()[0], tick)
				require.NoError(t, tm.Free())
			}
		})
	}
	bubble(t, "a thousand", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		instants := make(map[time.Time]bool)
		for i := range time.Duration(1000) {
			tm := w.Alloc(delIgnore)
			require.NoError(t, tm.RegisterWithin(time.Second+i*time.Millisecond, 300*time.Millisecond))
			when, _ := tm.When()
			instants[when] = true
		}
		require.LessOrEqual(t, len(instants), 6, "256 ms apart")
	})
	bubble(t, "beyond the clock", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		for _, c := range [][2]time.Duration{{math.MaxInt64, math.MaxInt64}, {time.Hour, math.MaxInt64}, {math.MaxInt64, 1}, {math.MinInt64, math.MinInt64}} {
			tm := w.Alloc(delIgnore)
			from := time.Now()
			require.NoError(t, tm.RegisterWithin(c[0], c[1]))
			when, pending := tm.When()
			if !pending {
				require.Negative(t, c[0], "%v: only what is due at once may have begun", c)
				continue
			}
			require.False(t, when.Before(from.Add(max(0, min(c[0], 100*365*24*time.Hour)))), "%v", c)
		}
	})
}

// Promises 2.18 and 2.19: what counts is the instant, not its zone or its monotonic reading. RegisterAt
// reads no clock, but wakes the wheel for what is earlier than all it has, however long it has slept.
func TestRegisterAtFiresAtTheInstant(t *testing.T) {
	const tick = time.Millisecond
	for name, shape := range map[string]func(time.Time) time.Time{
		"as is":        func(at time.Time) time.Time { return at },
		"no monotonic": func(at time.Time) time.Time { return at.Round(0) },
		"other zone":   func(at time.Time) time.Time { return at.In(time.FixedZone("east", 9*3600)) },
	} {
		for _, far := range []time.Duration{0, 1000 * time.Hour} { // the only other timer
			bubble(t, fmt.Sprint(name, ", other ", far), timerwheel.Options{Tick: tick}, func(t *testing.T, w *timerwheel.Wheel) {
				w.AfterFunc(far, func() {})
				for _, idle := range []time.Duration{0, time.Minute + tick/3, time.Hour} {
					elapse(idle)
					for _, d := range []time.Duration{1, tick, 63*tick + 1, 64 * tick, time.Second, 26 * time.Hour} {
						var log firingLog
						tm, start := w.Alloc(log.run), time.Now()
						require.NoError(t, tm.RegisterAt(shape(start.Add(d))))
						requireDeadline(t, tm, start.Add(d), tick)
						elapse(d + 2*tick)
						requireFirings(t, start, tick, log.times(), d)
					}
				}
			})
		}
	}
}

// ---- Registering: runs of one timer ----

// Promise 3.9: due again while it runs, a timer runs once more after it.
func TestDueAgainWhileRunningRunsOnceMoreAfterIt(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		tm, p := newRun(t, w)
		for again := range int32(3) {
			for range 5 { // five times due, one run
				require.NoError(t, tm.Register(time.Millisecond))
				elapse(time.Second)
				require.EqualValues(t, again+1, p.begun.Load())
				require.EqualValues(t, again, p.ended.Load())
				require.True(t, tm.Pending())
				require.True(t, tm.Running())
			}
			p.end()
			elapse(time.Second)
			require.EqualValues(t, again+2, p.begun.Load())
		}
		require.False(t, tm.Pending())
		p.end()
		elapse(time.Hour)
		require.EqualValues(t, 4, p.begun.Load())
		require.False(t, tm.Running())
	})
}

// Promises 3.7 and 3.8: nothing here is guarded, so the race detector reports what is not in
// order.
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

// Promises 3.12, 9.1, 2.32: a Register is refused by the first that applies of ErrStale,
// ErrShutdown, ErrDeleting, ErrClosed. It changes nothing but the count.
func TestRegisterIsRefusedInThisOrder(t *testing.T) {
	var (
		stale, shut      = timerwheel.ErrStale, timerwheel.ErrShutdown
		beingDel, closed = timerwheel.ErrDeleting, timerwheel.ErrClosed
	)
	for _, c := range []struct {
		steps       string // what leads there, word by word
		want, after error  // the refusal, and that when the handler and all calls have returned
	}{
		{"idle", nil, nil},
		{"free", stale, stale},
		{"free tenant", stale, stale},
		{"fire", stale, stale},
		{"shut free", stale, stale},
		{"close free", stale, stale},
		{"arm close", stale, stale}, // recycled by Close
		{"shut", shut, shut},
		{"shutdown", shut, shut},
		{"shut delsync", shut, shut},
		{"shut close", shut, shut},
		{"run shutdown", shut, shut},
		{"run shutdown free", shut, stale},
		{"run shutwait", shut, shut},
		{"run delsync shutwait", shut, shut},
		{"run shutwait closing", shut, shut},
		{"run delsync shutwait closing", shut, shut},
		{"run shutwait delsync closing", shut, shut},
		{"run delsync", beingDel, nil},
		{"run delctx", beingDel, nil},
		{"run async", beingDel, nil},
		{"run free delsync", beingDel, stale},
		{"run delsync closing", beingDel, closed}, // a deletion's refusal ends with its run, the wheel's stays
		{"run async closing", beingDel, closed},
		{"close", closed, closed},
		{"closectx", closed, closed},
		{"pend close", closed, closed},
		{"pend closectx", closed, closed},
		{"close alloc", closed, closed},
		{"closectx alloc", closed, closed},
		{"run closing", closed, closed},
	} {
		bubble(t, c.steps, timerwheel.Options{MaxWorkers: 1}, func(t *testing.T, w *timerwheel.Wheel) {
			r := refusal{w: w, puppet: newPuppet(t)}
			r.tm = w.Alloc(r.puppet.handle)
			for _, step := range strings.Fields(c.steps) {
				r.take(t, step)
			}
			elapse(time.Second)
			r.requires(t, c.want)
			r.puppet.let()
			for _, call := range r.waiting {
				_, err := call.result()
				require.NoError(t, err)
			}
			settle()
			r.requires(t, c.after)
			if c.after != stale {
				require.NoError(t, r.tm.Free())
			}
			r.requires(t, stale) // before everything else
			elapse(time.Hour)
			require.EqualValues(t, strings.Count(c.steps, "run"), r.puppet.begun.Load(), "a refused Register ran a handler")
		})
	}
}

// A refusal is a timer on its way to where its Registers are refused.
type refusal struct {
	w       *timerwheel.Wheel
	tm      timerwheel.Timer
	puppet  *puppet // its handler
	waiting []*deletion
}

func (r *refusal) take(t *testing.T, step string) {
	begin := func(call func() (timerwheel.Found, error)) {
		d := deleting(call)
		require.True(t, d.waits() || !strings.Contains(t.Name(), "run"), step)
		r.waiting = append(r.waiting, d)
	}
	switch step {
	case "idle":
	case "run":
		startRun(t, r.tm)
	case "pend":
		require.NoError(t, r.tm.Register(time.Minute))
	case "arm":
		r.tm = r.w.AfterFunc(time.Hour, func() { t.Error("a handler ran on a closed wheel") })
	case "fire":
		r.tm = r.w.AfterFunc(time.Millisecond, func() {})
		elapse(time.Second)
	case "free":
		require.NoError(t, r.tm.Free())
	case "tenant":
		r.w.Alloc(delIgnore)
	case "alloc":
		r.tm = r.w.Alloc(r.puppet.handle)
	case "shut":
		_, err := r.tm.ShutdownSync()
		require.NoError(t, err)
	case "shutdown":
		r.tm.Shutdown()
	case "async":
		r.tm.DelAsync(func() {})
	case "delsync":
		begin(r.tm.DelSync)
	case "delctx":
		begin(func() (timerwheel.Found, error) { return r.tm.DelSyncContext(t.Context()) })
	case "shutwait":
		begin(r.tm.ShutdownSync)
	case "closing":
		begin(func() (timerwheel.Found, error) { return timerwheel.Found{}, r.w.Close() })
	case "close":
		require.NoError(t, r.w.Close())
	case "closectx":
		require.NoError(t, r.w.CloseContext(context.Background()))
	default:
		t.Fatalf("no such step: %s", step)
	}
}

// requires tries all ways to arm the timer. All are refused for the one reason; without a reason
// all hold.
func (r *refusal) requires(t *testing.T, want error) {
	t.Helper()
	settle()         // goroutines of the wheel that are about to end are counted
	if want == nil { // with a worker to spare, what is due at once may fire before the Stop
		_, busy := newRun(t, r.w)
		defer func() {
			busy.let()
			settle()
		}()
	}
	before := r.w.Stats()
	try := func(name string, err error) {
		if want == nil {
			require.NoError(t, err, name)
			require.True(t, r.tm.Stop(), name)
			return
		}
		for _, sentinel := range []error{
			timerwheel.ErrStale, timerwheel.ErrFreed, timerwheel.ErrDeleting, timerwheel.ErrShutdown,
			timerwheel.ErrClosed, timerwheel.ErrDeadlock, timerwheel.ErrNotManual, timerwheel.ErrNotLocked,
		} {
			require.Equal(t, sentinel == want, errors.Is(err, sentinel), "%s: %v, want %v", name, err, want)
		}
		require.False(t, r.tm.Reset(time.Second))
		before.Refused += 2
		if want == timerwheel.ErrStale {
			before.Misuses += 2
		}
		require.Equal(t, before, r.w.Stats(), "nothing changes but the counts")
		_, ok := r.tm.When()
		require.False(t, ok || r.tm.Pending(), name)
	}
	for _, d := range []time.Duration{0, time.Hour, -time.Hour, math.MaxInt64} {
		for _, verb := range armVerbs {
			try(fmt.Sprintf("%s(%v)", verb.name, d), verb.arm(r.tm, d))
		}
	}
	try("RegisterAt(year 1)", r.tm.RegisterAt(time.Time{}))
}

// Promises 3.14 and 11.14: a handler registers, deletes and frees its own timer, and any other.
func TestHandlerMayDoAnythingToAnyTimer(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
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
				assert.Equal(t, foundPending, found)
				assert.NoError(t, other[2].Register(2*time.Second))
				assert.NoError(t, other[3].Free())
			case 2: // takes its own registration back
				assert.NoError(t, tm.Register(time.Minute))
				assert.Equal(t, foundBoth, tm.Del())
				assert.Equal(t, foundRunning, tm.Del())
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

// Promises 2.21, 2.22, 2.27: Stop and Reset are Del and Register in the shape of time.Timer.
func TestStopAndResetReportWhatWasPending(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		p := newPuppet(t)
		tm := w.Alloc(p.handle)

		require.False(t, tm.Stop(), "idle")
		require.False(t, tm.Reset(time.Second), "idle")
		require.True(t, tm.Reset(time.Minute), "pending")
		require.True(t, tm.Stop(), "pending")
		require.False(t, tm.Stop(), "stopped")
		elapse(time.Hour)
		require.Zero(t, p.begun.Load())

		require.False(t, tm.Reset(time.Second))
		elapse(time.Minute)
		require.EqualValues(t, 1, p.begun.Load())
		require.False(t, tm.Stop(), "running: there is no firing to remove")
		require.False(t, tm.Reset(time.Second), "running")
		require.True(t, tm.Reset(time.Minute), "running and pending")
		require.True(t, tm.Stop(), "running and pending")
		require.False(t, tm.Reset(time.Second), "running")
		elapse(time.Minute)
		require.True(t, tm.Stop(), "due again, behind its own run")
		p.let()
		elapse(time.Hour)
		require.EqualValues(t, 1, p.begun.Load())
		require.False(t, tm.Stop(), "fired")
		require.False(t, tm.Reset(time.Second), "fired")
		elapse(time.Minute)
		require.EqualValues(t, 2, p.begun.Load())
	})
}

// Promise 2.27: a Timer stands where code wants this interface.
var _ interface {
	Stop() bool
	Reset(time.Duration) bool
} = timerwheel.Timer{}
