package timerwheel_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// ---- Sleep ----

// A wheel that slept for a year: 3*10^10 ticks. It is quick only if no tick costs anything
// (Contract 11: "one runtime timer, no ticking"), and each timer still fires within two
// ticks of its deadline, also one that is armed on the morning after.
func TestWheelThatSleptForAYear(t *testing.T) {
	const tick, day, year = time.Millisecond, 24 * time.Hour, 365 * 24 * time.Hour
	for _, asleep := range []string{"empty", "with timers"} {
		t.Run(asleep, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := wheelFor(t, timerwheel.Options{Tick: tick})
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

// Contract 9: "A wheel with nothing due and nothing running has no goroutine, at once,
// without lingering". This bubble has no Close in it, and could not end if a goroutine of
// the wheel were left, a parked one included.
func TestUnclosedWheelHasNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, err := timerwheel.New(timerwheel.Options{})
		require.NoError(t, err)
		var runs atomic.Int32
		series := w.Every(time.Second, func(timerwheel.Timer) { runs.Add(1) })
		for range 50 {
			w.AfterFunc(time.Second, func() { time.Sleep(time.Millisecond); runs.Add(1) })
		}
		elapse(10*time.Second + time.Second/2)
		require.EqualValues(t, 60, runs.Load())
		require.Zero(t, w.Stats().Workers, "while only the future pends")
		require.True(t, series.Stop())
	})
}

// ---- Few processors, many wheels, many hands ----

// One processor, and a goroutine that never gives it up of its own accord: deletions must
// not spin for a worker that cannot run meanwhile.
func TestOneProcessorAndASpinningGoroutine(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var stop atomic.Bool
	var spinner sync.WaitGroup
	spinner.Go(func() {
		for !stop.Load() { // the runtime has to preempt this
		}
	})
	defer spinner.Wait()
	defer stop.Store(true)

	w := wheelFor(t, timerwheel.Options{})
	var early, fired atomic.Int32
	const timers = 200
	for i := range time.Duration(timers) {
		d, start := i*100*time.Microsecond, time.Now()
		w.AfterFunc(d, func() {
			if time.Since(start) < d {
				early.Add(1)
			}
			fired.Add(1)
		})
	}
	waitUntil(t, "all have fired", func() bool { return fired.Load() == timers })
	require.Zero(t, early.Load())

	for range 5 { // a deletion that waits for a handler that waits for its turn
		begun := make(chan struct{})
		ended := false
		tm := w.Alloc(func(timerwheel.Timer) {
			close(begun)
			runtime.Gosched()
			ended = true
		})
		require.NoError(t, tm.Register(0))
		<-begun
		_, err := tm.DelSync()
		require.NoError(t, err)
		require.True(t, ended)
		require.NoError(t, tm.Free())
	}
}

// Contract 9: Close: "every goroutine of the wheel is joined".
func TestTenThousandWheelsMadeAndClosed(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	wheels := 10_000
	if testing.Short() {
		wheels = 1_000
	}
	var fired atomic.Int64
	for i := range wheels {
		w, err := timerwheel.New(timerwheel.Options{})
		require.NoError(t, err)
		before := fired.Load()
		pending := w.AfterFunc(time.Hour, func() {})
		for range i % 4 {
			w.AfterFunc(0, func() { fired.Add(1) })
		}
		idle := w.Alloc(func(timerwheel.Timer) {})
		if i%8 == 0 {
			runtime.Gosched() // let some be caught in the act
		}
		require.NoError(t, w.Close())
		stats := w.Stats()
		require.EqualValues(t, stats.Fired, fired.Load()-before, "a handler is not over when Close has returned")
		require.Zero(t, stats.Workers)
		require.Zero(t, stats.Pending)
		require.False(t, pending.Valid())
		require.NoError(t, idle.Free())
	}
}

// Contract 2, Stop: "reports whether it removed a firing"; 4, table: "deleting twice is no
// error". Of a hundred that delete one timer exactly one finds it pending; if it was about
// to fire, it fired or was removed, never both and never neither.
func TestHundredGoroutinesDeleteOneTimer(t *testing.T) {
	ctx := context.Background()
	verbs := []func(tm timerwheel.Timer) (timerwheel.Found, error){
		delNoError,
		timerwheel.Timer.DelSync,
		func(tm timerwheel.Timer) (timerwheel.Found, error) { return timerwheel.Found{Pending: tm.Stop()}, nil },
		func(tm timerwheel.Timer) (timerwheel.Found, error) { return tm.DelSyncContext(ctx) },
		timerwheel.Timer.DelSync,
		func(tm timerwheel.Timer) (timerwheel.Found, error) { return tm.DelAsync(func() {}), nil },
		timerwheel.Timer.ShutdownSync,
	}
	rounds := 100
	if testing.Short() {
		rounds = 20
	}
	for _, c := range []struct {
		name string
		d    func(round int) time.Duration
	}{
		{"far from firing", func(int) time.Duration { return time.Hour }},
		{"about to fire", func(round int) time.Duration { return time.Duration(round%10) * 50 * time.Microsecond }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := wheelFor(t, timerwheel.Options{Tick: 50 * time.Microsecond})
			for round := range rounds {
				const deleters = 100
				fired := 0 // unguarded: whoever waited for the handler may read it
				tm := w.Alloc(func(timerwheel.Timer) {
					fired++
					runtime.Gosched()
				})
				var found atomic.Int32
				var start, end sync.WaitGroup
				start.Add(1)
				for i := range deleters {
					end.Go(func() {
						start.Wait()
						f, err := verbs[(round+i)%len(verbs)](tm)
						assert.NoError(t, err)
						if f.Pending {
							found.Add(1)
						}
					})
				}
				require.NoError(t, tm.Register(c.d(round)))
				start.Done()
				end.Wait()
				_, err := tm.DelSync()
				require.NoError(t, err)
				require.EqualValues(t, 1, int(found.Load())+fired, "removed %d times and fired %d times", found.Load(), fired)
				if c.d(round) == time.Hour {
					require.EqualValues(t, 1, found.Load())
				}
				require.NoError(t, tm.Free())
			}
			waitUntil(t, "all are recycled", func() bool { return w.Stats().Live == 0 })
			requireLaw(t, w.Stats())
		})
	}
}

// ---- Forgotten wheels ----

// Contract 9: "a drained wheel that was never closed leaks nothing and is collected."
func TestDrainedWheelIsCollected(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	fires := func(t *testing.T, w *timerwheel.Wheel, n uint64) {
		waitUntil(t, "it has fired", func() bool { s := w.Stats(); return s.Fired >= n && s.Running == 0 })
	}
	for name, use := range map[string]func(t *testing.T, w *timerwheel.Wheel){
		"never used": func(*testing.T, *timerwheel.Wheel) {},
		"fired": func(t *testing.T, w *timerwheel.Wheel) {
			for range 100 {
				w.AfterFunc(time.Millisecond, func() {})
			}
			fires(t, w, 100)
		},
		"stopped": func(t *testing.T, w *timerwheel.Wheel) {
			for range 100 {
				assert.True(t, w.AfterFunc(time.Hour, func() {}).Stop())
			}
		},
		"series deleted": func(t *testing.T, w *timerwheel.Wheel) {
			tm := w.Every(time.Millisecond, func(timerwheel.Timer) {})
			fires(t, w, 3)
			_, err := tm.DelSync()
			assert.NoError(t, err)
		},
		"with idle timers that nobody freed": func(t *testing.T, w *timerwheel.Wheel) {
			for range 100 {
				assert.NoError(t, w.Alloc(func(timerwheel.Timer) { runtime.KeepAlive(w) }).Register(0))
			}
			fires(t, w, 100)
		},
		"with a deletion that waited": func(t *testing.T, w *timerwheel.Wheel) {
			begun := make(chan struct{})
			tm := w.Alloc(func(timerwheel.Timer) { close(begun); runtime.Gosched() })
			assert.NoError(t, tm.Register(0))
			<-begun
			_, err := tm.DelSync()
			assert.NoError(t, err)
		},
		"with a group": func(t *testing.T, w *timerwheel.Wheel) {
			g := w.NewGroup()
			g.AfterFunc(time.Hour, func() {})
			_, err := g.DelSync()
			assert.NoError(t, err)
		},
		"watched for stalls": func(t *testing.T, w *timerwheel.Wheel) {
			w.AfterFunc(0, func() { time.Sleep(5 * time.Millisecond) })
			fires(t, w, 1)
		},
		"from within": func(t *testing.T, w *timerwheel.Wheel) { // only the wheel's own timer ever held it
			w.AfterFunc(5*time.Millisecond, func() { runtime.KeepAlive(w) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := timerwheel.Options{}
			if name == "watched for stalls" {
				o.OnStall, o.StallAfter = func(timerwheel.Stall) {}, time.Millisecond
			}
			forgotten := func() weak.Pointer[timerwheel.Wheel] { // nothing of this frame is left on the stack below
				w, err := timerwheel.New(o)
				require.NoError(t, err)
				use(t, w)
				return weak.Make(w)
			}()
			waitUntil(t, "the wheel is collected", func() bool {
				runtime.GC()
				return forgotten.Value() == nil
			})
		})
	}
}

// ---- A million ----

// A million timers armed and deleted, and a million closed with their wheel: no operation's
// cost may grow with the crowd. The bound is a minute for what takes a second or two.
func TestMillionTimersArmedAndDeleted(t *testing.T) {
	if testing.Short() {
		t.Skip("a million timers")
	}
	million := crowd(1_000_000)
	began := time.Now()
	w := wheelFor(t, timerwheel.Options{})
	timers := make([]timerwheel.Timer, million)
	arm := func(deadline func(i int) time.Duration) {
		for i := range timers {
			timers[i] = w.AfterFunc(deadline(i), func() { t.Error("fired") })
		}
		stats := w.Stats()
		require.Equal(t, million, stats.Pending)
		require.Equal(t, million, stats.Live)
	}
	for name, deadline := range map[string]func(i int) time.Duration{
		"all in one tick": func(int) time.Duration { return 6 * time.Hour },
		"far and wide":    func(i int) time.Duration { return time.Hour + time.Duration(i)*time.Minute },
	} {
		arm(deadline)
		for _, tm := range timers {
			if !tm.Stop() {
				require.Fail(t, "was not pending", name)
			}
		}
		require.Zero(t, w.Stats().Live, name)
	}
	arm(func(i int) time.Duration { return time.Hour + time.Duration(i)*time.Second })
	require.NoError(t, w.Close())
	stats := w.Stats()
	require.Zero(t, stats.Live)
	require.EqualValues(t, 3*million, stats.Removed, fmt.Sprint(stats))
	requireLaw(t, stats)
	require.Less(t, time.Since(began), time.Minute)
}
