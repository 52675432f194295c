package timerwheel_test

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
	"weak"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Contract 1: "a timer lives while somebody holds it: an owner (Alloc gives one reference,
// Retain adds one, Free drops one)"; "Then its storage is recycled."
func TestTimerLivesUntilItsLastOwnerFrees(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	for owners := range 5 {
		tm := w.Alloc(func(timerwheel.Timer) {})
		require.False(t, tm.Pending(), "Alloc arms nothing")
		for range owners {
			require.NoError(t, tm.Retain())
		}
		for range owners {
			require.NoError(t, tm.Free())
			require.True(t, tm.Valid())
			require.Equal(t, 1, w.Stats().Live)
		}
		require.NoError(t, tm.Free())
		require.False(t, tm.Valid())
		require.Zero(t, w.Stats().Live)
	}
}

// Contract 1: "Copying a handle copies no reference."
func TestCopyOfAHandleIsNoReference(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	tm := w.Alloc(func(timerwheel.Timer) {})
	again := tm
	require.NoError(t, again.Free())
	require.False(t, tm.Valid())
	require.False(t, again.Valid())
	require.ErrorIs(t, tm.Free(), timerwheel.ErrStale)
}

// Contract 5: "Free ... neither stops nor waits: a pending timer still fires, and is
// recycled after its handler."
func TestFreeNeitherStopsNorWaits(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		h := parkHandler(t)
		tm := w.Alloc(func(timerwheel.Timer) { h.run() })
		require.NoError(t, tm.Register(time.Minute))
		require.NoError(t, tm.Retain())
		require.NoError(t, tm.Free())
		require.NoError(t, tm.Free())

		// Contract 1: "A timer without owners that is still pending or running is not stale."
		require.True(t, tm.Valid())
		require.True(t, tm.Pending())
		requireDeadline(t, tm, time.Now().Add(time.Minute), time.Millisecond)
		elapse(time.Hour)
		require.EqualValues(t, 1, h.started.Load())
		require.True(t, tm.Running())
		require.True(t, tm.Valid())
		require.NoError(t, tm.Register(time.Minute), "it may be armed anew")
		require.True(t, tm.Stop())

		h.release()
		elapse(time.Second)
		require.False(t, tm.Valid())
		require.Zero(t, w.Stats().Live)
	})
}

// Contract 5: Free does not wait, while the handler runs, either. (In a bubble a wait for
// the parked handler would be fatal.)
func TestFreeOfARunningTimerReturnsAtOnce(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		h := parkHandler(t)
		tm := w.Alloc(func(timerwheel.Timer) { h.run() })
		require.NoError(t, tm.Register(0))
		elapse(time.Second)
		start := time.Now()
		require.NoError(t, tm.Free())
		require.Zero(t, time.Since(start))
		require.True(t, tm.Running())
		require.True(t, tm.Valid())
		h.release()
		elapse(0)
		require.False(t, tm.Valid())
	})
}

// Contract 5: "A Free too many is ErrStale, or ErrFreed while the wheel or a worker still
// holds the timer, and harms nobody. A handle from AfterFunc or Every owns no reference."
func TestFreeTooManyHarmsNobody(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		bystander := w.Alloc(func(timerwheel.Timer) {})
		h := parkHandler(t)
		owned := w.Alloc(func(timerwheel.Timer) { h.run() })
		require.NoError(t, owned.Register(time.Minute))
		require.NoError(t, owned.Free())
		var once, ticks atomic.Int32
		fires := w.AfterFunc(time.Minute, func() { once.Add(1) })
		every := w.Every(time.Minute, func(timerwheel.Timer) { ticks.Add(1) })

		tooMany := func(want error, timers ...timerwheel.Timer) {
			t.Helper()
			before := w.Stats()
			for range 10 {
				for _, tm := range timers {
					require.ErrorIs(t, tm.Free(), want)
					before.Misuses++
				}
			}
			require.Equal(t, before, w.Stats())
			require.True(t, bystander.Valid())
		}
		tooMany(timerwheel.ErrFreed, owned, fires, every) // the wheel holds them
		elapse(90 * time.Second)
		require.EqualValues(t, 1, h.started.Load(), "it fires all the same")
		require.EqualValues(t, 1, once.Load())
		require.EqualValues(t, 1, ticks.Load())
		tooMany(timerwheel.ErrFreed, owned, every) // a worker holds the one, the wheel the other
		tooMany(timerwheel.ErrStale, fires)
		h.release()
		elapse(time.Minute)
		tooMany(timerwheel.ErrStale, owned, fires)
		require.EqualValues(t, 2, ticks.Load(), "the series goes on")
		require.True(t, every.Stop())
		tooMany(timerwheel.ErrStale, every)

		require.NoError(t, bystander.Free())
		require.Zero(t, w.Stats().Live)
	})
}

// The same from many goroutines: one reference is dropped once.
func TestOneReferenceIsFreedOnce(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	for round := range 300 {
		tm := w.Alloc(func(timerwheel.Timer) {})
		armed := round%2 == 0
		if armed {
			require.NoError(t, tm.Register(time.Hour))
		}
		var freed atomic.Int32
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				switch err := tm.Free(); {
				case err == nil:
					freed.Add(1)
				case armed:
					assert.ErrorIs(t, err, timerwheel.ErrFreed)
				default:
					assert.ErrorIs(t, err, timerwheel.ErrStale)
				}
			})
		}
		group.Wait()
		require.EqualValues(t, 1, freed.Load())
		require.Equal(t, armed, tm.Valid())
		require.Equal(t, armed, tm.Stop())
		require.False(t, tm.Valid())
	}
	require.Zero(t, w.Stats().Live)
}

// Contract 5: "Retain of a timer that lives adds an owner, also when it had none".
func TestRetainGivesAnOwnerToATimerWithout(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		var fired, ticked, freed firingLog
		h := parkHandler(t)
		owned := w.Alloc(freed.run)
		require.NoError(t, owned.Register(time.Minute))
		require.NoError(t, owned.Free())
		running := w.AfterFunc(0, h.run)
		elapse(time.Second)

		timers := []timerwheel.Timer{
			w.AfterFunc(time.Minute, func() { fired.run(timerwheel.Timer{}) }),
			w.Every(time.Minute, ticked.run),
			owned,
			running,
		}
		for _, tm := range timers {
			require.NoError(t, tm.Retain())
		}
		elapse(time.Hour)
		require.True(t, timers[1].Stop())
		h.release()
		elapse(time.Hour)
		for _, tm := range timers {
			require.True(t, tm.Valid(), "held by its new owner, though it fired or was deleted")
			require.False(t, tm.Pending())
		}
		require.Equal(t, 1, fired.len())
		require.NoError(t, timers[0].Register(time.Second), "and it can be used like any other")
		require.NoError(t, owned.Register(time.Second))
		elapse(time.Minute)
		require.Equal(t, 2, fired.len())
		require.Equal(t, 2, freed.len())
		for _, tm := range timers {
			require.NoError(t, tm.Free())
			require.False(t, tm.Valid())
		}
		require.Zero(t, w.Stats().Live)
	})
}

// Contract 5: Retain "of a stale one ... is ErrStale. It never brings a timer back."
func TestRetainNeverBringsATimerBack(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		freed := w.Alloc(func(timerwheel.Timer) {})
		require.NoError(t, freed.Free())
		fired := w.AfterFunc(0, func() {})
		stopped := w.AfterFunc(time.Hour, func() {})
		require.True(t, stopped.Stop())
		elapse(time.Second)
		for _, stale := range []timerwheel.Timer{freed, fired, stopped} {
			require.ErrorIs(t, stale.Retain(), timerwheel.ErrStale)
			require.False(t, stale.Valid())
			require.ErrorIs(t, stale.Free(), timerwheel.ErrStale)
		}
		require.Zero(t, w.Stats().Live)
	})
}

// Retain races with the last Free: who got a reference has it, and who did not never will.
func TestRetainRacesWithTheLastFree(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	for range 500 {
		tm := w.Alloc(func(timerwheel.Timer) {})
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() {
				if err := tm.Retain(); err != nil {
					assert.ErrorIs(t, err, timerwheel.ErrStale)
					assert.False(t, tm.Valid())
					return
				}
				assert.True(t, tm.Valid())
				assert.NoError(t, tm.Register(time.Hour))
				tm.Del()
				assert.NoError(t, tm.Free())
			})
		}
		group.Go(func() { assert.NoError(t, tm.Free()) })
		group.Wait()
		require.False(t, tm.Valid())
	}
	require.Zero(t, w.Stats().Live)
}

// Contract 5: "In the handler, its own handle is always valid, whoever freed it."
func TestOwnHandleIsValidInTheHandlerWhoeverFreedIt(t *testing.T) {
	for name, c := range map[string]struct {
		before, inside, during func(timerwheel.Timer) error // before it fires; in its handler; elsewhere, while the handler runs
	}{
		"nobody":           {},
		"its owner before": {before: timerwheel.Timer.Free},
		"itself":           {inside: timerwheel.Timer.Free},
		"somebody else":    {during: timerwheel.Timer.Free},
		"somebody else, after a deletion": {during: func(tm timerwheel.Timer) error {
			tm.Del()
			return tm.Free()
		}},
		"somebody else, while a deletion waits": {during: func(tm timerwheel.Timer) error {
			go func() { _, _ = tm.DelSync() }()
			synctest.Wait()
			return tm.Free()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				do := func(f func(timerwheel.Timer) error, tm timerwheel.Timer) {
					if f != nil {
						assert.NoError(t, f(tm))
					}
				}
				w := openWheel(t, timerwheel.Options{})
				h := parkHandler(t)
				handles := make(chan timerwheel.Timer, 1)
				tm := w.Alloc(func(tm timerwheel.Timer) {
					do(c.inside, tm)
					h.run()
					assert.True(t, tm.Valid())
					assert.True(t, tm.Running())
					assert.NotEmpty(t, tm.String())
					if assert.NoError(t, tm.Retain()) {
						assert.NoError(t, tm.Free())
					}
					handles <- tm
				})
				require.NoError(t, tm.Register(time.Second))
				do(c.before, tm)
				elapse(time.Minute)
				require.EqualValues(t, 1, h.started.Load())
				do(c.during, tm)
				h.release()
				require.Equal(t, tm, <-handles, "the handler is given the very handle that Alloc returned")
				elapse(0)
				require.Equal(t, name == "nobody", tm.Valid(), "recycled after the handler")
			})
		})
	}
}

// Contract 1: "A stale handle never reaches the slot's next tenant". Slot after slot is
// reused (the storage that is held says so); no handle is ever given out twice, and no verb
// on the old ones does anything to the tenants.
func TestStaleHandleNeverReachesTheNextTenant(t *testing.T) {
	cycles := scaled(200_000)
	w := openWheel(t, timerwheel.Options{})
	w.AfterFunc(time.Hour, func() {}) // keeps its chunk: what is given back and comes again is another test
	seen := make(map[timerwheel.Timer]struct{}, cycles)
	recent := make([]timerwheel.Timer, 64)
	for i := range cycles {
		tm := w.Alloc(func(timerwheel.Timer) {})
		seen[tm] = struct{}{}
		recent[i%len(recent)] = tm
		if err := tm.Free(); err != nil {
			require.NoError(t, err)
		}
	}
	require.Len(t, seen, cycles, "a handle was given out twice")
	require.Less(t, w.Stats().Bytes, int64(cycles*16), "slots are reused, or this test shows nothing")

	tenants := make([]timerwheel.Timer, 64)
	for i := range tenants {
		tenants[i] = w.Alloc(func(timerwheel.Timer) {})
		require.NotContains(t, seen, tenants[i])
		if i%2 == 0 {
			require.NoError(t, tenants[i].Register(time.Hour))
		}
	}
	before := w.Stats()
	for _, stale := range recent {
		before.Refused += requireStale(t, stale)
		before.Misuses += 6 // these, Free and Retain
	}
	require.Equal(t, before, w.Stats(), "nobody noticed but the counters of refusals and misuses")
	for i, tm := range tenants {
		require.True(t, tm.Valid())
		require.Equal(t, i%2 == 0, tm.Pending())
		require.NoError(t, tm.Register(time.Hour), "neither deleted nor shut down")
		require.NoError(t, tm.Free(), "and its owner's reference is still there")
		require.True(t, tm.Stop())
	}
	require.Equal(t, 1, w.Stats().Live)
}

// Contract 1: "A stale handle never reaches the slot's next tenant, for ever": not only the
// last few, which differ from the tenant's in their last digits anyhow, but those of any
// age. A Manual wheel has one store, and gives out first what came back last: all live in
// one slot, one after the other.
func TestHandlesOfAnyAgeAreStale(t *testing.T) {
	const tenants = 1<<16 + 100
	w := openManual(t, time.Millisecond)
	old := make([]timerwheel.Timer, tenants)
	for i := range old {
		old[i] = w.Alloc(delIgnore)
		if err := old[i].Free(); err != nil {
			require.NoError(t, err)
		}
	}
	tenant := armed(w.Alloc(delIgnore), time.Hour)
	for i, tm := range old {
		if tm.Valid() || tm.Pending() || tm.Stop() || tm.Free() == nil {
			require.Fail(t, "a stale handle reaches the tenant", "after %d others", tenants-i)
		}
	}
	require.True(t, tenant.Pending())
	require.Equal(t, 1, w.Stats().Live)
}

// Contract 1 and 5: storage that was given back and comes again goes on above every
// generation that it had, however unevenly its slots had been used.
func TestNoHandleComesTwice(t *testing.T) {
	w := openManual(t, time.Millisecond)
	rng := rand.New(rand.NewPCG(3, 5))
	seen := map[timerwheel.Timer]bool{}
	for range 10 {
		var living []timerwheel.Timer
		alloc := func() {
			tm := w.Alloc(delIgnore)
			require.False(t, seen[tm], "%v comes again", tm)
			seen[tm] = true
			living = append(living, tm)
		}
		free := func(i int) {
			require.NoError(t, living[i].Free())
			living[i] = living[len(living)-1]
			living = living[:len(living)-1]
		}
		for range 1000 {
			alloc()
		}
		high := w.Stats().Bytes
		for range 1000 { // a few slots are used again and again
			free(rng.IntN(10))
			alloc()
		}
		for len(living) > 0 {
			free(rng.IntN(len(living)))
		}
		require.Less(t, w.Stats().Bytes, high, "nothing was given back, so this test shows nothing")
	}
}

// A captive is what a handler captures: its own allocation, and the lock of a lock-bound
// timer too, as in a connection that guards itself.
type captive struct {
	sync.Mutex
	_ [256]byte
}

// Contract 5: "When the last reference goes, the handler function is dropped at once (what
// it captured is collectable)". The neighbours keep the storage around the timer alive, and
// its handle is kept too: neither holds the closure.
func TestClosureIsCollectableWhenTheLastReferenceGoes(t *testing.T) {
	uses := func(c *captive) func(timerwheel.Timer) {
		return func(timerwheel.Timer) { runtime.KeepAlive(c) }
	}
	for name, spend := range map[string]func(t *testing.T, w *timerwheel.Wheel, c *captive) timerwheel.Timer{
		"freed idle": func(t *testing.T, w *timerwheel.Wheel, c *captive) timerwheel.Timer {
			tm := w.Alloc(uses(c))
			assert.NoError(t, tm.Free())
			return tm
		},
		"freed by its last owner": func(t *testing.T, w *timerwheel.Wheel, c *captive) timerwheel.Timer {
			tm := w.Alloc(uses(c))
			assert.NoError(t, tm.Retain())
			assert.NoError(t, tm.Free())
			assert.NoError(t, tm.Free())
			return tm
		},
		"AfterFunc stopped": func(t *testing.T, w *timerwheel.Wheel, c *captive) timerwheel.Timer {
			tm := w.AfterFunc(time.Hour, func() { runtime.KeepAlive(c) })
			assert.True(t, tm.Stop())
			return tm
		},
		"AfterFunc moved and stopped": func(t *testing.T, w *timerwheel.Wheel, c *captive) timerwheel.Timer {
			tm := w.AfterFunc(time.Minute, func() { runtime.KeepAlive(c) })
			assert.True(t, tm.Reset(time.Hour))
			assert.True(t, tm.Reset(2*time.Hour))
			assert.True(t, tm.Stop())
			return tm
		},
		"AfterFunc fired": func(t *testing.T, w *timerwheel.Wheel, c *captive) timerwheel.Timer {
			return w.AfterFunc(0, func() { runtime.KeepAlive(c) })
		},
		"freed, then fired": func(t *testing.T, w *timerwheel.Wheel, c *captive) timerwheel.Timer {
			tm := w.Alloc(uses(c))
			assert.NoError(t, tm.Register(time.Millisecond))
			assert.NoError(t, tm.Free())
			return tm
		},
		"freed, then deleted": func(t *testing.T, w *timerwheel.Wheel, c *captive) timerwheel.Timer {
			tm := w.Alloc(uses(c))
			assert.NoError(t, tm.Register(time.Hour))
			assert.NoError(t, tm.Free())
			_, err := tm.DelSync()
			assert.NoError(t, err)
			return tm
		},
		"freed in its handler": func(t *testing.T, w *timerwheel.Wheel, c *captive) timerwheel.Timer {
			tm := w.Alloc(func(tm timerwheel.Timer) {
				runtime.KeepAlive(c)
				assert.NoError(t, tm.Free())
			})
			assert.NoError(t, tm.Register(0))
			return tm
		},
		"Every deleted": func(t *testing.T, w *timerwheel.Wheel, c *captive) timerwheel.Timer {
			tm := w.Every(time.Millisecond, uses(c))
			eventually(t, "it fires", func() bool { return w.Stats().Fired > 1 })
			_, err := tm.DelSync()
			assert.NoError(t, err)
			return tm
		},
		"lock-bound": func(t *testing.T, w *timerwheel.Wheel, c *captive) timerwheel.Timer {
			tm := w.AllocLocked(c, uses(c))
			assert.NoError(t, tm.Register(0))
			assert.NoError(t, tm.Free())
			return tm
		},
		"lock-bound freed idle": func(t *testing.T, w *timerwheel.Wheel, c *captive) timerwheel.Timer {
			tm := w.AllocLocked(c, uses(c))
			assert.NoError(t, tm.Free())
			return tm
		},
		"of a group": func(t *testing.T, w *timerwheel.Wheel, c *captive) timerwheel.Timer {
			g := w.NewGroup()
			tm := g.Alloc(uses(c))
			assert.NoError(t, tm.Register(time.Hour))
			assert.NoError(t, tm.Free())
			_, err := g.DelSync()
			assert.NoError(t, err)
			return tm
		},
		"shut down": func(t *testing.T, w *timerwheel.Wheel, c *captive) timerwheel.Timer {
			tm := w.Alloc(uses(c))
			_, err := tm.ShutdownSync()
			assert.NoError(t, err)
			assert.NoError(t, tm.Free())
			return tm
		},
		"dropped by Close": func(t *testing.T, w *timerwheel.Wheel, c *captive) timerwheel.Timer {
			tm := w.AfterFunc(time.Hour, func() { runtime.KeepAlive(c) })
			assert.NoError(t, w.Close())
			return tm
		},
		"freed after Close": func(t *testing.T, w *timerwheel.Wheel, c *captive) timerwheel.Timer {
			tm := w.Alloc(uses(c))
			assert.NoError(t, tm.Register(time.Hour))
			assert.NoError(t, w.Close())
			assert.NoError(t, tm.Free())
			return tm
		},
	} {
		for _, debug := range []bool{false, true} { // which remembers where timers were, not what
			t.Run(name+map[bool]string{true: "/Debug"}[debug], func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{Debug: debug})
				neighbours := []timerwheel.Timer{w.Alloc(func(timerwheel.Timer) {})}
				var tm timerwheel.Timer
				prisoner := func() weak.Pointer[captive] { // nothing of this frame is left on the stack below
					c := new(captive)
					tm = spend(t, w, c)
					return weak.Make(c)
				}()
				neighbours = append(neighbours, w.Alloc(func(timerwheel.Timer) {}))
				eventually(t, "what the handler captured is collected", func() bool {
					runtime.GC()
					return prisoner.Value() == nil
				})
				require.False(t, tm.Valid())
				for _, n := range neighbours {
					require.NoError(t, n.Free())
				}
				require.NoError(t, w.Close())
			})
		}
	}
}

// Contract 9 with 5: "When the last reference goes, the handler function is dropped at once
// (what it captured is collectable)", also when Close drops it.
func TestCloseLetsGoOfWhatHandlersCaptured(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	captured := func() weak.Pointer[[64]int] {
		big := new([64]int)
		w.AfterFunc(time.Hour, func() { big[0]++ })
		return weak.Make(big)
	}()
	require.NoError(t, w.Close())
	collected(t, captured)
	runtime.KeepAlive(w)
}

// The argument goes with the timer: after the firing, a deletion, or Close, the
// wheel does not keep it.
func TestAfterFuncArgForgetsTheArgumentWithTheTimer(t *testing.T) {
	type big [1 << 10]byte
	for name, way := range arms {
		for end, finish := range map[string]func(w *timerwheel.Wheel, tm timerwheel.Timer){
			"fired":   func(_ *timerwheel.Wheel, tm timerwheel.Timer) { awaitStale(t, tm) },
			"deleted": func(_ *timerwheel.Wheel, tm timerwheel.Timer) { tm.Stop() },
			"closed":  func(w *timerwheel.Wheel, _ timerwheel.Timer) { w.Close() },
		} {
			t.Run(name+", "+end, func(t *testing.T) {
				w, err := timerwheel.New(way.options)
				require.NoError(t, err)
				defer w.Close()
				d := time.Hour
				if end == "fired" {
					d = 0
				}
				arg := new(big)
				forgotten := weak.Make(arg)
				tm := way.arm(w, d, func(any) {}, arg)
				arg = nil
				finish(w, tm)
				require.Eventually(t, func() bool {
					runtime.GC()
					return forgotten.Value() == nil
				}, 10*time.Second, time.Millisecond)
				runtime.KeepAlive(w)
			})
		}
	}
}

func awaitStale(t *testing.T, tm timerwheel.Timer) {
	require.Eventually(t, func() bool { return !tm.Valid() }, 10*time.Second, time.Millisecond)
}

// Contract 5: "Storage that a peak needed goes back to the runtime: a chunk in which no
// timer lives is given back." And what comes back from the runtime afterwards knows its
// past: the handles of the peak stay stale among the timers of the next one.
func TestStorageOfAPeakGoesBack(t *testing.T) {
	peak := scaled(200_000)
	idle := func(timerwheel.Timer) {}
	for name, rise := range map[string]struct {
		arm  func(w *timerwheel.Wheel) timerwheel.Timer
		fall func(t *testing.T, w *timerwheel.Wheel, all []timerwheel.Timer)
	}{
		"freed idle, in any order": {
			arm: func(w *timerwheel.Wheel) timerwheel.Timer { return w.Alloc(idle) },
			fall: func(t *testing.T, _ *timerwheel.Wheel, all []timerwheel.Timer) {
				rng := rand.New(rand.NewPCG(1, 2))
				for _, i := range rng.Perm(len(all)) {
					if err := all[i].Free(); err != nil {
						require.NoError(t, err)
					}
				}
			},
		},
		"stopped": {
			arm: func(w *timerwheel.Wheel) timerwheel.Timer { return w.AfterFunc(time.Hour, func() {}) },
			fall: func(t *testing.T, _ *timerwheel.Wheel, all []timerwheel.Timer) {
				for _, tm := range all {
					if !tm.Stop() {
						require.Fail(t, "had fired, or was never armed")
					}
				}
			},
		},
		"fired": {
			arm: func(w *timerwheel.Wheel) timerwheel.Timer { return w.AfterFunc(time.Hour, func() {}) },
			fall: func(t *testing.T, w *timerwheel.Wheel, all []timerwheel.Timer) {
				for i, tm := range all {
					if err := tm.Register(time.Duration(i%100) * time.Millisecond); err != nil {
						require.NoError(t, err)
					}
				}
			},
		},
		"dropped by Close": {
			arm:  func(w *timerwheel.Wheel) timerwheel.Timer { return w.AfterFunc(time.Hour, func() {}) },
			fall: func(t *testing.T, w *timerwheel.Wheel, _ []timerwheel.Timer) { require.NoError(t, w.Close()) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := openWheel(t, timerwheel.Options{})
			survivor := w.Alloc(idle)
			require.NoError(t, survivor.Register(time.Hour))
			small := heapInUse()
			all := make([]timerwheel.Timer, peak)
			for i := range all {
				all[i] = rise.arm(w)
			}
			high, highHeap := w.Stats(), heapInUse()
			require.Equal(t, peak+1, high.Live)
			require.GreaterOrEqual(t, high.Bytes, int64(peak*8), "less than a deadline a timer: this counts something else")

			rise.fall(t, w, all)
			eventually(t, "only one timer lives", func() bool { return w.Stats().Live == 1 })
			eventually(t, "the storage has gone back", func() bool { return w.Stats().Bytes < high.Bytes/10 })
			eventually(t, "the runtime has it", func() bool {
				handles := int64(peak * 16)
				return heapInUse()-small-handles < (highHeap-small-handles)/4+1<<18 // and some for what the tests themselves use
			})
			for _, tm := range all {
				if tm.Valid() {
					require.Fail(t, "a handle of the peak came back to life")
				}
			}
			require.True(t, survivor.Valid())
			require.Equal(t, name != "dropped by Close", survivor.Pending())

			old := make(map[timerwheel.Timer]struct{}, peak)
			for _, tm := range all {
				old[tm] = struct{}{}
			}
			again := make([]timerwheel.Timer, peak)
			for i := range again {
				again[i] = w.Alloc(idle)
				if _, twice := old[again[i]]; twice {
					require.Fail(t, "generations began anew: a stale handle is somebody else's now")
				}
			}
			for _, tm := range all {
				if tm.Valid() || tm.Free() == nil || tm.Retain() == nil {
					require.Fail(t, "a handle of the first peak reaches a timer of the second")
				}
			}
			for _, tm := range again {
				if err := tm.Free(); err != nil {
					require.NoError(t, err)
				}
			}
			require.Equal(t, 1, w.Stats().Live)
			runtime.KeepAlive(all)
		})
	}
}

// The storage of arguments counts in Stats.Bytes, and goes back with its chunk.
func TestAfterFuncArgStorageGoesBack(t *testing.T) {
	w, err := timerwheel.New(timerwheel.Options{})
	require.NoError(t, err)
	defer w.Close()
	const n = 10_000
	peak := func(arm func()) int64 {
		for range n {
			arm()
		}
		return w.Stats().Bytes
	}
	var all []timerwheel.Timer
	plain := peak(func() { all = append(all, w.AfterFunc(time.Hour, func() {})) })
	for _, tm := range all {
		tm.Stop()
	}
	all = all[:0]
	with := peak(func() { all = append(all, w.AfterFuncArg(time.Hour, func(any) {}, n)) })
	const word = int64(unsafe.Sizeof(uintptr(0)))
	require.GreaterOrEqual(t, with, plain+2*word*n, "two words for an argument")
	for _, tm := range all {
		tm.Stop()
	}
	require.Less(t, w.Stats().Bytes, with/4)
}

// Contract 2, Stats: "Bytes: storage held for timers": it follows the timers, up and down.
func TestStatsBytesFollowTheTimers(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
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
	eventually(t, "the storage is given back", func() bool { return w.Stats().Bytes < last/10 })
}
