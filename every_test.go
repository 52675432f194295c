package timerwheel_test

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Promise 7.1: the thousandth firing has drifted no further than the first, whatever the period is
// in ticks.
func TestEveryFiresAtStartPlusMultiplesOfThePeriod(t *testing.T) {
	const tick, firings = time.Millisecond, 1000
	for _, period := range []time.Duration{
		tick, tick + 1, 2500 * time.Microsecond, 10*tick - 1, 63 * tick, 64 * tick, 65 * tick, time.Second / 3, time.Second, 25 * time.Hour,
	} {
		bubble(t, period.String(), timerwheel.Options{Tick: tick}, func(t *testing.T, w *timerwheel.Wheel) {
			elapse(time.Second/7 + 1)
			var log firingLog
			start := time.Now()
			tm := w.Every(period, log.run)
			requireDeadline(t, tm, start.Add(period), tick)
			elapse(period - 1)
			require.Zero(t, log.len(), "the first firing is one period away")

			elapse((firings-1)*period + 2*tick + 1)
			require.True(t, tm.Stop())
			at := log.times()
			require.GreaterOrEqual(t, len(at), firings)
			for i := range firings {
				requireFiring(t, start.Add(time.Duration(i+1)*period), at[i], tick)
			}
			require.LessOrEqual(t, len(at), firings+int(2*tick/period)+1)
		})
	}
}

// Promises 2.36 and 7.2: the handler is given the Timer that Every returned, and a long series
// takes no more storage than its start. Registered counts each of its instants.
func TestEveryIsOneTimer(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		var self atomic.Value
		tm := w.Every(time.Second, func(tm timerwheel.Timer) { assert.Equal(t, self.Load(), tm) })
		self.Store(tm)
		elapse(1500 * time.Millisecond)
		bytes := w.Stats().Bytes
		elapse(time.Hour)
		stats := w.Stats()
		require.Equal(t, 1, stats.Live)
		require.Equal(t, 1, stats.Pending)
		require.LessOrEqual(t, stats.Bytes, bytes)
		// Section 2, Stats: "Registered: idle-to-pending transitions (Every's own included)".
		require.EqualValues(t, 3601, stats.Fired)
		require.EqualValues(t, 3602, stats.Registered)
	})
}

// Promises 7.3 and 7.4: a series never overlaps itself. Instants that its handler missed, or that busy
// workers missed, are skipped, not bunched, and the grid stays where it was.
func TestEverySkipsWhatItsHandlerMissed(t *testing.T) {
	const tick, period = time.Millisecond, 100 * time.Millisecond
	for _, c := range []struct {
		name    string
		period  time.Duration
		workers int
		lasts   func(run int) time.Duration // the handler
		busy    time.Duration               // another handler, from half a period on
		starts  []time.Duration
	}{
		{"shorter than the period", period, 0, always(period / 2), 0, inMs(100, 200, 300, 400, 500, 600)},
		{"a period and a half", period, 0, always(period * 3 / 2), 0, inMs(100, 300, 500, 700, 900, 1100)},
		{"two periods and a half", period, 0, always(period * 5 / 2), 0, inMs(100, 400, 700, 1000, 1300, 1600)},
		{"ten periods and a bit", period, 0, always(period*10 + period/10), 0, inMs(100, 1200, 2300, 3400, 4500, 5600)},
		{"not in the tick of an instant", 10500 * time.Microsecond, 0, always(20700 * time.Microsecond), 0, // that instant is not due yet
			[]time.Duration{10500 * time.Microsecond, 31500 * time.Microsecond, 52500 * time.Microsecond, 73500 * time.Microsecond}},
		{"one worker", 10 * time.Millisecond, 1, always(25 * time.Millisecond), 0, inMs(10, 40, 70, 100)},
		{"one worker, busy with another handler", period, 1, always(0), 5 * period, inMs(550, 600, 700)},
		{"another worker is busy", period, 2, always(0), 5 * period, inMs(100, 200, 300, 400, 500, 600)},
		{"one slow run", period, 0, func(run int) time.Duration {
			if run == 2 {
				return 3*period + period/3 // over the instants 3, 4 and 5
			}
			return 0
		}, 0, inMs(100, 200, 600, 700, 800)},
	} {
		bubble(t, c.name, timerwheel.Options{Tick: tick, MaxWorkers: c.workers}, func(t *testing.T, w *timerwheel.Wheel) {
			var log firingLog
			var inside atomic.Int32
			start := time.Now()
			tm := w.Every(c.period, func(tm timerwheel.Timer) {
				assert.EqualValues(t, 1, inside.Add(1), "overlaps itself")
				log.run(tm)
				time.Sleep(c.lasts(log.len()))
				inside.Add(-1)
			})
			if c.busy > 0 {
				w.AfterFunc(c.period/2, func() { time.Sleep(c.busy) })
			}
			elapse(c.starts[len(c.starts)-1] + 3*tick)
			requireFirings(t, start, tick, log.times(), c.starts...)
			_, err := tm.DelSync()
			require.NoError(t, err)
			require.Equal(t, w.Stats().Fired, uint64(log.len())+map[bool]uint64{true: 1}[c.busy > 0])
		})
	}
}

func always(d time.Duration) func(int) time.Duration { return func(int) time.Duration { return d } }

// Promise 7.10: a period of a tick or less fires once a tick. An instant that passes while the wheel is
// late in its tick, or its handler runs, is not due yet, so it was not missed.
func TestEveryTickIsOneFiring(t *testing.T) {
	const ticks = 20
	for _, tick := range []time.Duration{time.Millisecond, time.Hour} {
		for _, period := range []time.Duration{1, tick / 1000, tick / 3, tick * 9 / 10, tick - 1, tick} {
			for _, phase := range []time.Duration{0, tick / 20, tick / 2, tick * 19 / 20} {
				for _, late := range []time.Duration{0, tick / 10, tick * 9 / 10} {
					about := fmt.Sprintf("tick %v, period %v, begun at %v, late by %v", tick, period, phase, late)
					first := 1 + int((phase+period-1)/tick) // the tick at the end of which it is due

					w := openManual(t, tick)
					advanceTo(t, w, manualStart.Add(phase), 0)
					series := w.Every(period, delIgnore)
					for k := first; k < ticks; k++ {
						fired, err := w.Advance(manualStart.Add(time.Duration(k)*tick + late))
						require.NoError(t, err)
						require.Equal(t, 1, fired, "%s, tick %d", about, k)
					}
					advanceTo(t, w, manualStart.Add(100*manualYear), 1) // over all that it missed
					require.True(t, series.Stop(), about)

					bubble(t, "", timerwheel.Options{Tick: tick}, func(t *testing.T, w *timerwheel.Wheel) {
						var log firingLog
						start := time.Now()
						time.Sleep(phase)
						tm := w.Every(period, func(tm timerwheel.Timer) {
							log.run(tm)
							time.Sleep(late)
						})
						time.Sleep(ticks*tick - phase - 1)
						_, err := tm.DelSync()
						require.NoError(t, err)
						at := log.times()
						require.Len(t, at, ticks-first, about)
						require.GreaterOrEqual(t, at[0].Sub(start), phase+period, "never early: %s", about)
						for i, at := range at {
							require.EqualValues(t, first+i, at.Sub(start)/tick, "%s, firing %d", about, i)
						}
					})
				}
			}
		}
	}
}

// Promises 7.5 and 7.6: during a run the next instant is pending. Deletions end the series, whichever
// and wherever, and so does Close. Having no owner, the timer is recycled.
func TestDeletionEndsTheSeries(t *testing.T) {
	const tick, period = time.Millisecond, 100 * time.Millisecond
	inItsHandler := map[string]func(){
		"in its handler":             func() {},
		"in its handler, and panics": func() { panic("after its deletion") },
		"in its handler, and exits":  runtime.Goexit,
	}
	for _, v := range memberVerbs {
		both := foundBoth
		if v.name == "Stop" {
			both = foundPending // all that Stop has to say
		}
		bubble(t, v.name+" between two runs", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			g := w.NewGroup()
			var log firingLog
			tm := g.Every(period, log.run)
			elapse(5*period + period/2)
			finds(t, foundPending)(v.call(member{tm, g}))
			requireStale(t, tm)
			elapse(time.Hour)
			require.Equal(t, 5, log.len())
		})
		bubble(t, v.name+" during a run", timerwheel.Options{Tick: tick}, func(t *testing.T, w *timerwheel.Wheel) {
			g := w.NewGroup()
			var log firingLog
			start := time.Now()
			tm := g.Every(period, func(tm timerwheel.Timer) {
				log.run(tm)
				time.Sleep(9 * period)
			})
			elapse(period + 2*tick)
			require.True(t, tm.Running())
			requireDeadline(t, tm, start.Add(2*period), tick)
			require.Equal(t, 1, w.Stats().Pending)
			elapse(5 * period)
			require.True(t, tm.Pending(), "also when it has missed some")
			start = time.Now()
			found, err := v.call(member{tm, g})
			require.ErrorIs(t, err, map[bool]error{true: context.Canceled}[v.ended])
			require.Equal(t, both, found)
			require.Equal(t, v.syncs && !v.ended, time.Since(start) > 0, "waits for the run, or does not")
			require.False(t, tm.Pending())
			elapse(time.Hour)
			require.Equal(t, 1, log.len())
			require.False(t, tm.Valid())
			require.Zero(t, w.Stats().Live)
		})
		for where, misbehave := range inItsHandler {
			options := timerwheel.Options{OnPanic: func(timerwheel.HandlerPanic) {}}
			bubble(t, v.name+" "+where, options, func(t *testing.T, w *timerwheel.Wheel) {
				g := w.NewGroup()
				var runs atomic.Int32
				tm := g.Every(period, func(tm timerwheel.Timer) {
					if runs.Add(1) < 3 {
						return
					}
					found, err := v.call(member{tm, g})
					assert.Equal(t, both, found)
					assert.ErrorIs(t, err, map[bool]error{true: timerwheel.ErrDeadlock}[v.syncs])
					assert.True(t, tm.Valid())
					assert.False(t, tm.Pending())
					misbehave()
				})
				elapse(time.Hour)
				require.EqualValues(t, 3, runs.Load())
				require.False(t, tm.Valid())
				require.Zero(t, w.Stats().Live)
			})
		}
	}
	bubble(t, "Close", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		var between, during firingLog
		series := []timerwheel.Timer{w.Every(period, between.run), w.Every(period, func(tm timerwheel.Timer) {
			during.run(tm)
			time.Sleep(period / 2)
		})}
		elapse(period + period/4)
		require.True(t, series[1].Running())
		require.NoError(t, w.Close())
		require.False(t, series[1].Running())
		refused := w.Stats().Refused
		series = append(series, w.Every(period, between.run), w.AfterFunc(period, func() { t.Error("fired on a closed wheel") }))
		require.Equal(t, refused+2, w.Stats().Refused)
		elapse(time.Hour)
		require.Equal(t, 1, between.len())
		require.Equal(t, 1, during.len())
		for _, tm := range series {
			require.False(t, tm.Valid())
		}
		require.Zero(t, w.Stats().Live)
	})
}

// Promise 7.7: a Register after it, of a timer that still lives, begins a new series.
func TestASeriesBeginsAnewAfterItsDeletion(t *testing.T) {
	const tick, period = time.Millisecond, 100 * time.Millisecond
	for _, inHandler := range []bool{false, true} {
		bubble(t, map[bool]string{false: "elsewhere", true: "in its handler"}[inHandler], timerwheel.Options{Tick: tick}, func(t *testing.T, w *timerwheel.Wheel) {
			var log firingLog
			var anew time.Time
			again := func(tm timerwheel.Timer) {
				assert.True(t, tm.Stop())
				assert.NoError(t, tm.Register(3*period/2))
				anew = time.Now().Add(3 * period / 2)
			}
			tm := w.Every(period, func(tm timerwheel.Timer) {
				if log.run(tm); inHandler && log.len() == 1 {
					again(tm)
				}
			})
			require.NoError(t, tm.Retain())
			elapse(period + period/3)
			if !inHandler {
				again(tm)
			}
			elapse(4 * period)
			at := log.times()
			require.Len(t, at, 4)
			for i, at := range at[1:] {
				requireFiring(t, anew.Add(time.Duration(i)*period), at, 2*tick) // its own two, and those of the run that armed it
			}
			require.True(t, tm.Stop())
			require.NoError(t, tm.Free())
		})
	}
}

// Promise 7.8: Register moves the next firing, which becomes the new origin.
func TestRegisterGivesASeriesANewOrigin(t *testing.T) {
	const tick, period = time.Millisecond, 100 * time.Millisecond
	for _, c := range []struct {
		name    string
		at, d   time.Duration   // when it is moved, by how much
		expects []time.Duration // firings in less than ten periods
	}{
		{"earlier", 250 * time.Millisecond, 30 * time.Millisecond, inMs(100, 200, 280, 380, 480, 580, 680, 780, 880, 980)},
		{"later", 250 * time.Millisecond, 370 * time.Millisecond, inMs(100, 200, 620, 720, 820, 920)},
		{"before the first", 10 * time.Millisecond, 500 * time.Millisecond, inMs(510, 610, 710, 810, 910)},
		{"now", 250 * time.Millisecond, 0, inMs(100, 200, 250, 350, 450, 550, 650, 750, 850, 950)},
		{"past", 250 * time.Millisecond, math.MinInt64, inMs(100, 200, 250, 350, 450, 550, 650, 750, 850, 950)},
		{"never", 250 * time.Millisecond, math.MaxInt64, inMs(100, 200)},
	} {
		for _, verb := range append(armVerbs[:3:3], verbReset) {
			if verb.name == "RegisterAt" && c.d == math.MinInt64 {
				continue // now+d is another thing there
			}
			expects := c.expects
			if verb.name == "Reduce" && c.d > period {
				expects = inMs(100, 200, 300, 400, 500, 600, 700, 800, 900) // it moves nothing
			}
			bubble(t, c.name+" by "+verb.name, timerwheel.Options{Tick: tick}, func(t *testing.T, w *timerwheel.Wheel) {
				var log firingLog
				start := time.Now()
				tm := w.Every(period, log.run)
				elapse(c.at)
				require.NoError(t, verb.arm(tm, c.d))
				elapse(time.Until(start.Add(10*period - 5*tick)))
				requireFirings(t, start, tick, log.times(), expects...)
				require.True(t, tm.Stop())
			})
		}
	}
}

// inMs are so many milliseconds each.
func inMs(n ...time.Duration) []time.Duration {
	for i := range n {
		n[i] *= time.Millisecond
	}
	return n
}

// verbReset is Reset as one of the armVerbs, for timers that pend.
var verbReset = struct {
	name string
	arm  func(timerwheel.Timer, time.Duration) error
}{"Reset", func(tm timerwheel.Timer, d time.Duration) error { tm.Reset(d); return nil }}

// Promises 7.8 and 12.12: the same in its handler. Moved to now, the series runs once more after
// the run.
func TestRegisterInItsHandlerGivesASeriesANewOrigin(t *testing.T) {
	const ms, tick, period = time.Millisecond, time.Millisecond, 100 * time.Millisecond
	for _, c := range []struct {
		name     string
		d, lasts time.Duration   // registered in the first run, which then lasts
		expects  []time.Duration // the firings; a firing lies on or after the one of before by the wheel's grain
	}{
		{"soon", 30 * ms, 5 * ms, inMs(100, 130, 230, 330)},
		{"later", 250 * ms, 5 * ms, inMs(100, 350, 450, 550)},
		{"now", 0, 5 * ms, inMs(100, 105, 200, 300)},
		{"soon, within the run", 30 * ms, 60 * ms, inMs(100, 160, 230, 330)},
		{"later, within the run", 250 * ms, 300 * ms, inMs(100, 400, 450, 550)},
	} {
		bubble(t, c.name, timerwheel.Options{Tick: tick}, func(t *testing.T, w *timerwheel.Wheel) {
			var log firingLog
			start := time.Now()
			tm := w.Every(period, func(tm timerwheel.Timer) {
				log.run(tm)
				if log.len() == 1 {
					assert.NoError(t, tm.Register(c.d))
					time.Sleep(c.lasts)
				}
			})
			elapse(c.expects[len(c.expects)-1] + period/2)
			require.True(t, tm.Stop())
			at := log.times()
			require.Len(t, at, len(c.expects))
			for i, due := range c.expects {
				late := at[i].Sub(start.Add(due))
				require.GreaterOrEqual(t, late, time.Duration(0), "firing %d", i)
				require.LessOrEqual(t, late, 5*tick, "firing %d: the first run's two ticks, and its own", i)
			}
		})
	}
}

// Promise 3.5: what is too large for the clock is "never", in the arithmetic of periods too.
func TestEveryWithAPeriodBeyondTheClock(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		elapse(time.Hour)
		var never, once, thrice firingLog
		series := []timerwheel.Timer{
			w.Every(math.MaxInt64, never.run),
			w.Every(150*manualYear, once.run), // the second instant is beyond the clock of the bubble, which began in 2000
			w.Every(80*manualYear, thrice.run),
		}
		elapse(250 * manualYear)
		require.Zero(t, never.len())
		require.Equal(t, 1, once.len())
		require.Equal(t, 3, thrice.len())
		for _, tm := range series {
			require.True(t, tm.Pending())
			require.True(t, tm.Stop())
		}
	})
}

// Promise 5.3: Retain gives a series an owner, and the timer outlives the series.
func TestRetainedSeriesOutlivesItsDeletion(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		var log firingLog
		tm := w.Every(time.Second, log.run)
		require.NoError(t, tm.Retain())
		elapse(1500 * time.Millisecond)
		require.NoError(t, tm.Free(), "the owner goes, the series stays")
		elapse(time.Second)
		require.Equal(t, 2, log.len())
		require.NoError(t, tm.Retain())
		finds(t, foundPending)(tm.DelSync())
		elapse(time.Hour)
		require.Equal(t, 2, log.len())
		require.True(t, tm.Valid())
		require.NoError(t, tm.Free())
		require.False(t, tm.Valid())
	})
}

// Promises 7.1, 7.4, 7.8 and 12.12 on a Manual wheel: a series fires at start + k*period, a step
// over many instants fires one and skips the others, and a move is the new origin.
func TestEveryOnAManualWheel(t *testing.T) {
	const us, ms, s = time.Microsecond, time.Millisecond, time.Second
	var each []advanceStep
	for now := ms; now <= 50*ms; now += ms {
		each = append(each, advanceStep{now, map[bool]int{true: 1}[now%(10*ms) == 0], now/(10*ms)*10*ms + 10*ms})
	}
	for _, c := range []struct {
		name   string
		period time.Duration
		steps  []advanceStep
		move   time.Duration // by Register after those
		then   []advanceStep
	}{
		{"each instant", 10 * ms, each, 10 * ms, nil},
		{"a move", 10 * ms, []advanceStep{{155 * ms, 1, 160 * ms}, {160*ms - 1, 0, 160 * ms}, {160 * ms, 1, 170 * ms}},
			3 * ms, []advanceStep{{163*ms - 1, 0, 163 * ms}, {168 * ms, 1, 173 * ms}}},
		{"large steps", 100 * ms, []advanceStep{
			{99 * ms, 0, 100 * ms}, {101 * ms, 1, 200 * ms}, {201 * ms, 1, 300 * ms},
			{1050 * ms, 1, 1100 * ms}, // over eight instants
			{1050 * ms, 0, 1100 * ms}, {1099 * ms, 0, 1100 * ms}, {1101 * ms, 1, 1200 * ms},
			{100_000*s + 50*ms, 1, 100_000*s + 100*ms}, {100_000*s + 99*ms, 0, 100_000*s + 100*ms},
			{100_000*s + 101*ms, 1, 100_000*s + 200*ms},
		}, ms, nil},
		{"several periods, to the nanosecond", ms, []advanceStep{{3 * ms, 1, 4 * ms}, {3 * ms, 0, 4 * ms}}, ms, nil},
		// At once that time, and at the ends of its ticks ever after: never early.
		{"a move to now", 1500 * us, nil, 0, []advanceStep{{0, 1, 1500 * us}, {ms, 0, 1500 * us}, {1500 * us, 0, 1500 * us}, {2 * ms, 1, 3 * ms}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := openManual(t, ms)
			origin := manualStart
			series := w.Every(c.period, func(tm timerwheel.Timer) {
				when, ok := tm.When()
				assert.True(t, ok, "during a run the next instant is pending")
				assert.True(t, when.After(w.Now()), "missed instants are skipped")
				assert.Zero(t, when.Sub(origin)%c.period, "an instant is origin + k*period, not origin + %v", when.Sub(origin))
			})
			advanceSteps(t, w, series, c.steps...)
			require.NoError(t, series.Register(c.move))
			origin = w.Now().Add(c.move)
			advanceSteps(t, w, series, c.then...)
			require.NoError(t, series.Retain())
			finds(t, foundPending)(series.DelSync())
			require.NoError(t, series.Free())
			require.False(t, series.Valid())
			advanceTo(t, w, w.Now().Add(time.Hour), 0)
		})
	}
	t.Run("a move to now by its handler", func(t *testing.T) { // is left to the next Advance
		w := openManual(t, ms)
		runs := 0
		series := w.Every(s, func(tm timerwheel.Timer) {
			if runs++; runs == 1 {
				assert.NoError(t, tm.Register(0))
			}
		})
		advanceSteps(t, w, series, advanceStep{s, 1, s}, advanceStep{s, 1, 2 * s}, advanceStep{s, 0, 2 * s})
	})
}
