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

// Contract 7: "Every fires at start + k*period": the thousandth firing has drifted no
// further than the first, whatever the period is in ticks.
func TestEveryFiresAtStartPlusMultiplesOfThePeriod(t *testing.T) {
	const tick, firings = time.Millisecond, 1000
	for _, period := range []time.Duration{
		tick, tick + 1, 2500 * time.Microsecond, 10*tick - 1, 63 * tick, 64 * tick, 65 * tick, time.Second / 3, time.Second, 25 * time.Hour,
	} {
		t.Run(period.String(), func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{Tick: tick})
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
		})
	}
}

// Contract 7: Every fires "on one timer": its handler is given the Timer that Every
// returned, and a long series takes no more storage than its start.
func TestEveryIsOneTimer(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		var runs, strangers atomic.Int32
		var self atomic.Value
		tm := w.Every(time.Second, func(tm timerwheel.Timer) {
			runs.Add(1)
			if tm != self.Load().(timerwheel.Timer) {
				strangers.Add(1)
			}
		})
		self.Store(tm)
		elapse(1500 * time.Millisecond)
		bytes := w.Stats().Bytes
		elapse(time.Hour)
		require.EqualValues(t, 3601, runs.Load())
		require.Zero(t, strangers.Load())
		stats := w.Stats()
		require.Equal(t, 1, stats.Live)
		require.Equal(t, 1, stats.Pending)
		require.LessOrEqual(t, stats.Bytes, bytes)
		// Section 2, Stats: "Registered: idle-to-pending transitions (Every's own included)".
		require.EqualValues(t, 3601, stats.Fired)
		require.EqualValues(t, 3602, stats.Registered)
	})
}

// Contract 7: "never overlapping itself; instants missed while the handler ran are skipped,
// not bunched."
func TestEverySkipsWhatItsHandlerMissed(t *testing.T) {
	const tick, period = time.Millisecond, 100 * time.Millisecond
	for _, c := range []struct {
		name   string
		lasts  time.Duration   // the handler
		starts []time.Duration // the instants, in periods
	}{
		{"shorter than the period", period / 2, []time.Duration{1, 2, 3, 4, 5, 6}},
		{"a period and a half", period * 3 / 2, []time.Duration{1, 3, 5, 7, 9, 11}},
		{"two periods and a half", period * 5 / 2, []time.Duration{1, 4, 7, 10, 13, 16}},
		{"ten periods and a bit", period*10 + period/10, []time.Duration{1, 12, 23, 34, 45, 56}},
	} {
		t.Run(c.name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{Tick: tick})
				var log firingLog
				var inside atomic.Int32
				start := time.Now()
				tm := w.Every(period, func(tm timerwheel.Timer) {
					assert.EqualValues(t, 1, inside.Add(1), "overlaps itself")
					log.run(tm)
					time.Sleep(c.lasts)
					inside.Add(-1)
				})
				elapse(period*c.starts[len(c.starts)-1] + 3*tick)
				at := log.times()
				require.Len(t, at, len(c.starts))
				for i, k := range c.starts {
					requireFiring(t, start.Add(k*period), at[i], tick)
				}
				_, err := tm.DelSync()
				require.NoError(t, err)
			})
		})
	}
}

// Contract 7: one late handler costs the series only the instants it missed; the grid stays
// where it was.
func TestEveryReturnsToItsGridAfterOneSlowRun(t *testing.T) {
	const tick, period = time.Millisecond, 100 * time.Millisecond
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{Tick: tick})
		var log firingLog
		start := time.Now()
		tm := w.Every(period, func(tm timerwheel.Timer) {
			log.run(tm)
			if log.len() == 2 {
				time.Sleep(3*period + period/3) // over the instants 3, 4 and 5
			}
		})
		elapse(8*period + 3*tick)
		require.True(t, tm.Stop())
		at := log.times()
		instants := []time.Duration{1, 2, 6, 7, 8}
		require.Len(t, at, len(instants))
		for i, k := range instants {
			requireFiring(t, start.Add(k*period), at[i], tick)
		}
	})
}

// Contract 7: "instants missed ... are skipped, not bunched": also those that were missed
// because every worker was busy with others.
func TestEverySkipsWhatBusyWorkersMissed(t *testing.T) {
	const tick, period = time.Millisecond, 100 * time.Millisecond
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{Tick: tick, MaxWorkers: 1})
		h := parkHandler(t)
		var log firingLog
		start := time.Now()
		tm := w.Every(period, log.run)
		elapse(period / 2)
		w.AfterFunc(0, h.run)
		elapse(5 * period)
		require.Zero(t, log.len())
		require.True(t, tm.Pending())
		h.release()
		released := time.Now()
		elapse(2*period + tick)
		require.True(t, tm.Stop())
		at := log.times()
		require.Len(t, at, 3)
		requireFiring(t, released, at[0], tick)
		requireFiring(t, start.Add(6*period), at[1], tick)
		requireFiring(t, start.Add(7*period), at[2], tick)
	})
}

// Contract 7: "A period below the tick fires once a tick", and so does one of a tick:
// wherever in a tick the series began, however late in its tick the wheel comes, and
// however much of a tick the handler takes. An instant that has passed meanwhile is not
// due yet, so it was not missed.
func TestEveryTickIsOneFiring(t *testing.T) {
	const tick, ticks = time.Millisecond, 20
	for _, period := range []time.Duration{tick / 3, tick * 9 / 10, tick} {
		for _, phase := range []time.Duration{0, tick / 20, tick / 2, tick * 19 / 20} {
			for _, late := range []time.Duration{0, tick / 10, tick * 9 / 10} {
				about := fmt.Sprintf("period %v, begun at %v, late by %v", period, phase, late)
				first := 1 + int((phase+period-1)/tick) // the tick at the end of which it is due

				w := openWheel(t, timerwheel.Options{Manual: true, Tick: tick})
				start := w.Now()
				_, err := w.Advance(start.Add(phase))
				require.NoError(t, err)
				w.Every(period, func(timerwheel.Timer) {})
				for k := first; k < ticks; k++ {
					fired, err := w.Advance(start.Add(time.Duration(k)*tick + late))
					require.NoError(t, err)
					require.Equal(t, 1, fired, "%s, tick %d", about, k)
				}

				guarded(t, func(t *testing.T) {
					w := openWheel(t, timerwheel.Options{Tick: tick})
					runs := 0
					time.Sleep(phase)
					tm := w.Every(period, func(timerwheel.Timer) {
						runs++
						time.Sleep(late)
					})
					time.Sleep(ticks*tick - phase - 1)
					_, err := tm.DelSync()
					require.NoError(t, err)
					require.Equal(t, ticks-first, runs, about)
				})
			}
		}
	}
}

// Contract 7: "A period below the tick fires once a tick."
func TestPeriodBelowTheTickFiresOnceATick(t *testing.T) {
	for _, tick := range []time.Duration{time.Millisecond, time.Second, time.Hour} {
		for _, period := range []time.Duration{1, tick / 1000, tick / 3, tick - 1} {
			t.Run(tick.String()+" "+period.String(), func(t *testing.T) {
				guarded(t, func(t *testing.T) {
					w := openWheel(t, timerwheel.Options{Tick: tick})
					var log firingLog
					start := time.Now()
					tm := w.Every(period, log.run)
					elapse(100 * tick)
					require.True(t, tm.Stop())
					at := log.times()
					require.GreaterOrEqual(t, len(at), 98)
					require.LessOrEqual(t, len(at), 101)
					require.GreaterOrEqual(t, at[0].Sub(start), period, "never early")
					for i := 1; i < len(at); i++ {
						gap := at[i].Sub(at[i-1])
						require.Positive(t, gap, "twice at one instant")
						require.LessOrEqual(t, gap, 2*tick)
					}
				})
			})
		}
	}
}

// Contract 7: "A period below the tick fires once a tick", and an Advance over a hundred
// years of them fires one.
func TestEveryBelowTheTickOnAManualWheel(t *testing.T) {
	w := openManual(t, time.Millisecond)
	series := w.Every(time.Nanosecond, func(timerwheel.Timer) {})
	for n := 1; n <= 20; n++ {
		advanceTo(t, w, manualStart.Add(time.Duration(n)*time.Millisecond), 1)
	}
	advanceTo(t, w, manualStart.Add(100*manualYear), 1)
	require.True(t, series.Pending())
	require.True(t, series.Stop())
}

// The same by force: real goroutines, a handler slower than its period, an unguarded
// counter for the race detector.
func TestEveryNeverOverlapsItself(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Tick: 20 * time.Microsecond})
	var inside, overlaps atomic.Int32
	runs := uint64(0)
	tm := w.Every(20*time.Microsecond, func(timerwheel.Timer) {
		if inside.Add(1) != 1 {
			overlaps.Add(1)
		}
		runs++
		if runs%2 == 0 {
			time.Sleep(50 * time.Microsecond)
		}
		inside.Add(-1)
	})
	eventually(t, "it has fired 300 times", func() bool { return w.Stats().Fired >= 300 })
	_, err := tm.DelSync()
	require.NoError(t, err)
	require.Zero(t, overlaps.Load())
	require.Equal(t, w.Stats().Fired, runs)
	require.False(t, tm.Valid())
}

// Contract 7: "During a run the next instant is pending (a deletion in the handler reports both)."
func TestEveryHasItsNextInstantPendingDuringARun(t *testing.T) {
	const tick, period = time.Millisecond, 100 * time.Millisecond
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{Tick: tick})
		h := parkHandler(t)
		start := time.Now()
		tm := w.Every(period, func(timerwheel.Timer) { h.run() })
		elapse(period + 2*tick)
		require.EqualValues(t, 1, h.started.Load())
		require.True(t, tm.Running())
		require.True(t, tm.Pending())
		requireDeadline(t, tm, start.Add(2*period), tick)
		stats := w.Stats()
		require.Equal(t, 1, stats.Pending)
		require.Equal(t, 1, stats.Running)
		elapse(5 * period)
		require.True(t, tm.Pending(), "also when it has missed some")
		found := tm.Del()
		require.Equal(t, timerwheel.Found{Pending: true, Running: true}, found)
		require.False(t, tm.Pending())
		h.release()
		elapse(time.Hour)
		require.EqualValues(t, 1, h.started.Load())
		require.False(t, tm.Valid())
	})
}

// Contract 7: "Deletions end the series", whichever and wherever; having no owner, the
// timer is recycled.
func TestDeletionEndsTheSeries(t *testing.T) {
	const period = 100 * time.Millisecond
	both, pending := timerwheel.Found{Pending: true, Running: true}, timerwheel.Found{Pending: true}
	for name, del := range map[string]func(timerwheel.Timer) (timerwheel.Found, error){
		"Del":     delNoError,
		"DelSync": timerwheel.Timer.DelSync,
		"DelSyncContext": func(tm timerwheel.Timer) (timerwheel.Found, error) {
			return tm.DelSyncContext(context.Background())
		},
		"DelAsync": func(tm timerwheel.Timer) (timerwheel.Found, error) { return tm.DelAsync(func() {}), nil },
		"Shutdown": timerwheel.Timer.ShutdownSync,
	} {
		waits := name != "Del" && name != "DelAsync"
		t.Run(name+" between two runs", func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{})
				var log firingLog
				tm := w.Every(period, log.run)
				elapse(5*period + period/2)
				found, err := del(tm)
				require.NoError(t, err)
				require.Equal(t, pending, found)
				require.False(t, tm.Valid())
				elapse(time.Hour)
				require.Equal(t, 5, log.len())
			})
		})
		t.Run(name+" during a run", func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{})
				var runs atomic.Int32
				tm := w.Every(period, func(timerwheel.Timer) {
					runs.Add(1)
					time.Sleep(period / 2)
				})
				elapse(period + period/4)
				start := time.Now()
				found, err := del(tm)
				require.NoError(t, err)
				require.Equal(t, both, found)
				require.Equal(t, waits, time.Since(start) > 0, "waits for the run, or does not")
				elapse(time.Hour)
				require.EqualValues(t, 1, runs.Load())
				require.False(t, tm.Valid())
				require.Zero(t, w.Stats().Live)
			})
		})
		t.Run(name+" in its handler", func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{})
				var runs atomic.Int32
				tm := w.Every(period, func(tm timerwheel.Timer) {
					if runs.Add(1) < 3 {
						return
					}
					found, err := del(tm)
					assert.Equal(t, both, found)
					if waits {
						assert.ErrorIs(t, err, timerwheel.ErrDeadlock)
					} else {
						assert.NoError(t, err)
					}
					assert.True(t, tm.Valid())
					assert.False(t, tm.Pending())
				})
				elapse(time.Hour)
				require.EqualValues(t, 3, runs.Load())
				require.False(t, tm.Valid())
				require.Zero(t, w.Stats().Live)
			})
		})
	}
	t.Run("Stop", func(t *testing.T) {
		guarded(t, func(t *testing.T) {
			w := openWheel(t, timerwheel.Options{})
			var log firingLog
			tm := w.Every(period, log.run)
			elapse(period + period/2)
			require.True(t, tm.Stop())
			require.False(t, tm.Stop())
			require.False(t, tm.Reset(0))
			elapse(time.Hour)
			require.Equal(t, 1, log.len())
		})
	})
}

// Contract 7: a deletion in a handler that then misbehaves ends the series as any other does.
func TestDeletedSeriesDoesNotSurviveAPanic(t *testing.T) {
	for name, misbehave := range map[string]func(){"panic": func() { panic("after its deletion") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{OnPanic: func(timerwheel.HandlerPanic) {}})
				var runs atomic.Int32
				tm := w.Every(time.Second, func(tm timerwheel.Timer) {
					runs.Add(1)
					tm.Del()
					misbehave()
				})
				elapse(time.Hour)
				require.EqualValues(t, 1, runs.Load())
				require.False(t, tm.Valid())
				require.Zero(t, w.Stats().Live)
			})
		})
	}
}

// Contract 9: "On a closed wheel ... AfterFunc and Every return a Timer that is not Valid";
// 12: it "counts in Refused". Close ends a series.
func TestCloseEndsTheSeries(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		var runs atomic.Int32
		between := w.Every(time.Second, func(timerwheel.Timer) { runs.Add(1) })
		during := w.Every(time.Second, func(timerwheel.Timer) {
			runs.Add(1)
			time.Sleep(time.Second / 2)
		})
		elapse(1250 * time.Millisecond)
		require.NoError(t, w.Close())
		require.False(t, during.Running())
		elapse(time.Hour)
		require.EqualValues(t, 2, runs.Load())
		require.False(t, between.Valid())
		require.False(t, during.Valid())

		refused := w.Stats().Refused
		late := w.Every(time.Second, func(timerwheel.Timer) { runs.Add(1) })
		require.False(t, late.Valid())
		require.Equal(t, refused+1, w.Stats().Refused)
		elapse(time.Hour)
		require.EqualValues(t, 2, runs.Load())
		stats := w.Stats()
		require.Zero(t, stats.Live)
		requireLaw(t, stats)
	})
}

// Contract 7: "Deletions end the series"; what Every says besides: "a Register after it, of
// a timer that still lives, begins a new one".
func TestASeriesBeginsAnewAfterItsDeletion(t *testing.T) {
	const tick, period = time.Millisecond, 100 * time.Millisecond
	for _, inHandler := range []bool{false, true} {
		t.Run(map[bool]string{false: "elsewhere", true: "in its handler"}[inHandler], func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{Tick: tick})
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
		})
	}
}

// Contract 7: "Register moves the next firing, which becomes the new origin".
func TestRegisterGivesASeriesANewOrigin(t *testing.T) {
	const tick, period = time.Millisecond, 100 * time.Millisecond
	for _, c := range []struct {
		name    string
		at, d   time.Duration   // when it is moved, by how much
		expects []time.Duration // firings until a second has passed, in milliseconds
	}{
		{"earlier", 250 * time.Millisecond, 30 * time.Millisecond, []time.Duration{100, 200, 280, 380, 480, 580, 680, 780, 880, 980}},
		{"later", 250 * time.Millisecond, 370 * time.Millisecond, []time.Duration{100, 200, 620, 720, 820, 920}},
		{"before the first", 10 * time.Millisecond, 500 * time.Millisecond, []time.Duration{510, 610, 710, 810, 910}},
		{"now", 250 * time.Millisecond, 0, []time.Duration{100, 200, 250, 350, 450, 550, 650, 750, 850, 950}},
		{"past", 250 * time.Millisecond, math.MinInt64, []time.Duration{100, 200, 250, 350, 450, 550, 650, 750, 850, 950}},
		{"never", 250 * time.Millisecond, math.MaxInt64, []time.Duration{100, 200}},
	} {
		for _, verb := range append(armVerbs[:2:2], verbReset) {
			if verb.name == "RegisterAt" && c.d == math.MinInt64 {
				continue // now+d is another thing there
			}
			t.Run(c.name+" by "+verb.name, func(t *testing.T) {
				guarded(t, func(t *testing.T) {
					w := openWheel(t, timerwheel.Options{Tick: tick})
					var log firingLog
					start := time.Now()
					tm := w.Every(period, log.run)
					elapse(c.at)
					require.NoError(t, verb.arm(tm, c.d))
					elapse(time.Until(start.Add(time.Second)))
					at := log.times()
					require.Len(t, at, len(c.expects))
					for i, ms := range c.expects {
						requireFiring(t, start.Add(ms*time.Millisecond), at[i], tick)
					}
					require.True(t, tm.Stop())
				})
			})
		}
	}
	t.Run("Reduce that moves nothing", func(t *testing.T) {
		guarded(t, func(t *testing.T) {
			w := openWheel(t, timerwheel.Options{Tick: tick})
			var log firingLog
			start := time.Now()
			tm := w.Every(period, log.run)
			elapse(period / 2)
			require.NoError(t, tm.Reduce(period))
			elapse(period)
			require.True(t, tm.Stop())
			require.Len(t, log.times(), 1)
			requireFiring(t, start.Add(period), log.times()[0], tick)
		})
	})
}

// verbReset is Reset as one of the armVerbs, for timers that pend.
var verbReset = struct {
	name string
	arm  func(timerwheel.Timer, time.Duration) error
}{"Reset", func(tm timerwheel.Timer, d time.Duration) error { tm.Reset(d); return nil }}

// Contract 7 and 12: the same in its handler; "A periodic timer moved to "now" by its own
// handler runs once more after it."
func TestRegisterInItsHandlerGivesASeriesANewOrigin(t *testing.T) {
	const tick, period = time.Millisecond, 100 * time.Millisecond
	ms := func(n time.Duration) time.Duration { return n * time.Millisecond }
	for _, c := range []struct {
		name     string
		d, lasts time.Duration   // registered in the first run, which then lasts
		expects  []time.Duration // the firings, in milliseconds; a firing lies on or after the one of before by the wheel's grain
	}{
		{"soon", ms(30), ms(5), []time.Duration{100, 130, 230, 330}},
		{"later", ms(250), ms(5), []time.Duration{100, 350, 450, 550}},
		{"now", 0, ms(5), []time.Duration{100, 105, 200, 300}},
		{"soon, within the run", ms(30), ms(60), []time.Duration{100, 160, 230, 330}},
	} {
		t.Run(c.name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{Tick: tick})
				var log firingLog
				start := time.Now()
				tm := w.Every(period, func(tm timerwheel.Timer) {
					log.run(tm)
					if log.len() == 1 {
						assert.NoError(t, tm.Register(c.d))
						time.Sleep(c.lasts)
					}
				})
				last := c.expects[len(c.expects)-1]
				elapse(ms(last + 50))
				require.True(t, tm.Stop())
				at := log.times()
				require.Len(t, at, len(c.expects))
				for i, due := range c.expects {
					late := at[i].Sub(start.Add(ms(due)))
					require.GreaterOrEqual(t, late, time.Duration(0), "firing %d", i)
					require.LessOrEqual(t, late, 5*tick, "firing %d: the first run's two ticks, and its own", i)
				}
			})
		})
	}
}

// Contract 3: what is too large for the clock is "never", in the arithmetic of periods too.
func TestEveryWithAPeriodBeyondTheClock(t *testing.T) {
	const year = 365 * 24 * time.Hour
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		elapse(time.Hour)
		var never, once, thrice firingLog
		series := []timerwheel.Timer{
			w.Every(math.MaxInt64, never.run),
			w.Every(150*year, once.run), // the second instant is beyond the clock of the bubble, which began in 2000
			w.Every(80*year, thrice.run),
		}
		elapse(250 * year)
		require.Zero(t, never.len())
		require.Equal(t, 1, once.len())
		require.Equal(t, 3, thrice.len())
		for _, tm := range series {
			require.True(t, tm.Pending())
			require.True(t, tm.Stop())
		}
	})
}

// Contract 5: "A handle from AfterFunc or Every owns no reference": Retain gives it one,
// and the timer outlives its series.
func TestRetainedSeriesOutlivesItsDeletion(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		var log firingLog
		tm := w.Every(time.Second, log.run)
		require.NoError(t, tm.Retain())
		elapse(1500 * time.Millisecond)
		require.NoError(t, tm.Free(), "the owner goes, the series stays")
		elapse(time.Second)
		require.Equal(t, 2, log.len())
		require.NoError(t, tm.Retain())
		_, err := tm.DelSync()
		require.NoError(t, err)
		elapse(time.Hour)
		require.Equal(t, 2, log.len())
		require.True(t, tm.Valid())
		require.NoError(t, tm.Free())
		require.False(t, tm.Valid())
	})
}

// Contract 7 in an Advance: fires at start + k*period, "instants missed … are skipped, not
// bunched".
func TestEveryOnAManualWheel(t *testing.T) {
	w := openManual(t, time.Millisecond)
	const period = 10 * time.Millisecond
	origin := manualStart
	var at []time.Duration
	series := w.Every(period, func(tm timerwheel.Timer) {
		at = append(at, w.Now().Sub(manualStart))
		when, ok := tm.When()
		assert.True(t, ok, "during a run the next instant is pending")
		assert.True(t, when.After(w.Now()), "missed instants are skipped")
		assert.Zero(t, when.Sub(origin)%period, "an instant is origin + k*period, not origin + %v", when.Sub(origin))
	})
	for now := time.Millisecond; now <= 5*period; now += time.Millisecond {
		_, err := w.Advance(manualStart.Add(now))
		require.NoError(t, err)
	}
	require.Equal(t, []time.Duration{period, 2 * period, 3 * period, 4 * period, 5 * period}, at)
	advanceTo(t, w, manualStart.Add(15*period+period/2), 1)
	when, ok := series.When()
	require.True(t, ok)
	require.Equal(t, 16*period, when.Sub(manualStart))
	advanceTo(t, w, manualStart.Add(16*period-1), 0)
	advanceTo(t, w, manualStart.Add(16*period), 1)

	// A Register moves the series' origin.
	require.NoError(t, series.Register(3*time.Millisecond))
	origin = w.Now().Add(3 * time.Millisecond)
	advanceTo(t, w, origin.Add(-1), 0)
	require.NoError(t, series.Retain())
	advanceTo(t, w, origin.Add(period/2), 1)
	when, ok = series.When()
	require.True(t, ok)
	require.True(t, when.Equal(origin.Add(period)))
	found, err := series.DelSync()
	require.NoError(t, err)
	require.Equal(t, timerwheel.Found{Pending: true}, found)
	require.NoError(t, series.Free())
	require.False(t, series.Valid())
	advanceTo(t, w, manualStart.Add(time.Hour), 0)
	countsAddUp(t, w)
}

// Contract 7 on a Manual wheel: a step over many instants fires one and skips the others;
// "What is registered while it runs is left to the next Advance".
func TestEveryOnAManualWheelDoesNotBunch(t *testing.T) {
	const tick, period = time.Millisecond, 100 * time.Millisecond
	start := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	w := openWheel(t, timerwheel.Options{Tick: tick, Manual: true, Start: start})
	runs := 0
	tm := w.Every(period, func(timerwheel.Timer) { runs++ })
	for _, step := range []struct {
		to    time.Duration
		fires int
	}{
		{period - tick, 0},
		{period + tick, 1},
		{2*period + tick, 1},
		{10*period + period/2, 1}, // over eight instants
		{10*period + period/2, 0},
		{11*period - tick, 0},
		{11*period + tick, 1},
		{1_000_000*period + period/2, 1},
		{1_000_001*period - tick, 0},
		{1_000_001*period + tick, 1},
	} {
		before := runs
		fired, err := w.Advance(start.Add(step.to))
		require.NoError(t, err)
		require.Equal(t, step.fires, fired, "at %v", step.to)
		require.Equal(t, step.fires, runs-before, "at %v", step.to)
	}
	require.True(t, tm.Stop())
}

// Contract 12: "A periodic timer moved to now by its own handler runs once more after it":
// on a manual wheel, in the next Advance.
func TestAManualSeriesMovedToNowByItsHandler(t *testing.T) {
	w := openManual(t, time.Millisecond)
	runs := 0
	series := w.Every(time.Second, func(tm timerwheel.Timer) {
		if runs++; runs == 1 {
			assert.NoError(t, tm.Register(0))
		}
	})
	now := manualStart.Add(time.Second)
	advanceTo(t, w, now, 1)
	advanceTo(t, w, now, 1)
	advanceTo(t, w, now, 0)
	when, ok := series.When()
	require.True(t, ok)
	require.True(t, when.Equal(now.Add(time.Second)), "the move is the new origin: %v", when)
}

// Contract 3: "never before d has passed": a series that was moved to now is due
// at once that time, and at the ends of its ticks ever after.
func TestASeriesThatWasMovedToNowIsNotEarlyAfterwards(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Manual: true, Tick: time.Millisecond})
	runs := 0
	tm := w.Every(1500*time.Microsecond, func(timerwheel.Timer) { runs++ })
	require.NoError(t, tm.Register(0))
	start := w.Now()
	for _, c := range []struct {
		at   time.Duration
		runs int
	}{{0, 1}, {time.Millisecond, 1}, {1500 * time.Microsecond, 1}, {2 * time.Millisecond, 2}} {
		_, err := w.Advance(start.Add(c.at))
		require.NoError(t, err)
		require.Equal(t, c.runs, runs, "at %v", c.at)
	}
}

// Contract 7: missed instants are "skipped, not bunched", also where a step of a
// Manual wheel is several periods, to the nanosecond.
func TestAnInstantThatIsNowIsTakenOnce(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Manual: true, Tick: time.Millisecond})
	start := w.Now()
	next := func(tm timerwheel.Timer) {
		when, ok := tm.When()
		require.True(t, ok)
		require.Equal(t, start.Add(4*time.Millisecond), when)
	}
	runs := 0
	tm := w.Every(time.Millisecond, func(tm timerwheel.Timer) {
		runs++
		next(tm)
	})
	for range 2 {
		_, err := w.Advance(start.Add(3 * time.Millisecond))
		require.NoError(t, err)
		require.Equal(t, 1, runs)
		next(tm)
	}
}
