package timerwheel_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"
	"weak"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Promises 1.2, 1.4 and 5.5: a copy of a handle is no reference.
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
		again := tm
		require.NoError(t, again.Free())
		requireStale(t, tm)
		requireStale(t, again)
		require.Zero(t, w.Stats().Live)
	}
}

// Promises 1.10 and 5.1.
func TestFreeNeitherStopsNorWaits(t *testing.T) {
	for _, freed := range []string{"while it pends", "while it runs"} {
		bubble(t, freed, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			p := newPuppet(t)
			tm := armed(w.Alloc(p.handle), time.Minute)
			free := func() {
				start := time.Now()
				require.NoError(t, tm.Retain())
				require.NoError(t, tm.Free())
				require.NoError(t, tm.Free())
				require.Zero(t, time.Since(start))
				require.True(t, tm.Valid())
			}
			if freed == "while it pends" {
				free()
			}
			require.True(t, tm.Pending())
			requireDeadline(t, tm, time.Now().Add(time.Minute), time.Millisecond)
			elapse(time.Hour)
			if freed == "while it runs" {
				free()
			}
			require.True(t, tm.Running())
			require.NoError(t, tm.Register(time.Minute), "it may be armed anew")
			require.True(t, tm.Stop())

			p.let()
			elapse(0)
			require.False(t, tm.Valid())
			require.Zero(t, w.Stats().Live)
		})
	}
}

// Promises 5.2 and 5.3.
func TestAnExtraFreeHasNoOtherEffect(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		bystander := w.Alloc(func(timerwheel.Timer) {})
		p := newPuppet(t)
		owned := armed(w.Alloc(p.handle), time.Minute)
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
		require.EqualValues(t, 1, p.begun.Load(), "it fires all the same")
		require.EqualValues(t, 1, once.Load())
		require.EqualValues(t, 1, ticks.Load())
		tooMany(timerwheel.ErrFreed, owned, every) // a worker holds the one, the wheel the other
		tooMany(timerwheel.ErrStale, fires)
		p.let()
		elapse(time.Minute)
		tooMany(timerwheel.ErrStale, owned, fires)
		require.EqualValues(t, 2, ticks.Load(), "the series goes on")
		require.True(t, every.Stop())
		tooMany(timerwheel.ErrStale, every)

		require.NoError(t, bystander.Free())
		require.Zero(t, w.Stats().Live)
	})
}

// Promise 5.2, from many goroutines: one reference is dropped once.
func TestOneReferenceIsFreedOnce(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	for round := range 300 {
		tm := w.Alloc(func(timerwheel.Timer) {})
		pends := round%2 == 0
		want := timerwheel.ErrStale
		if pends {
			require.NoError(t, tm.Register(time.Hour))
			want = timerwheel.ErrFreed
		}
		var freed atomic.Int32
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				if err := tm.Free(); err == nil {
					freed.Add(1)
				} else {
					assert.ErrorIs(t, err, want)
				}
			})
		}
		within(t, group.Wait)
		require.EqualValues(t, 1, freed.Load())
		require.Equal(t, pends, tm.Valid())
		require.Equal(t, pends, tm.Stop())
		require.False(t, tm.Valid())
	}
	require.Zero(t, w.Stats().Live)
}

// Promise 5.4.
func TestRetainGivesAnOwnerToATimerWithout(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		var fired, ticked, freed firingLog
		p := newPuppet(t)
		owned := armed(w.Alloc(freed.run), time.Minute)
		require.NoError(t, owned.Free())
		running := w.AfterFunc(0, func() { p.handle(timerwheel.Timer{}) })
		settle()

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
		p.let()
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

// Promises 5.4 and 5.5: a goroutine that got a reference has it, and one that did not never will.
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
		within(t, group.Wait)
		require.False(t, tm.Valid())
	}
	require.Zero(t, w.Stats().Live)
}

// Promise 5.8.
func TestOwnHandleIsValidInItsHandler(t *testing.T) {
	free := timerwheel.Timer.Free
	for name, c := range map[string]struct {
		before, inside, during func(timerwheel.Timer) error // before it fires; in its handler; elsewhere, while the handler runs
	}{
		"not freed":           {},
		"by its owner before": {before: free},
		"by itself":           {inside: free},
		"by another":          {during: free},
		"by another, after a deletion": {during: func(tm timerwheel.Timer) error {
			tm.Del()
			return tm.Free()
		}},
		"by another, while a deletion waits": {during: func(tm timerwheel.Timer) error {
			deleting(tm.DelSync).waits()
			return tm.Free()
		}},
	} {
		bubble(t, name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			do := func(f func(timerwheel.Timer) error, tm timerwheel.Timer) {
				if f != nil {
					assert.NoError(t, f(tm))
				}
			}
			p := newPuppet(t)
			handles := make(chan timerwheel.Timer, 1)
			tm := armed(w.Alloc(func(tm timerwheel.Timer) {
				do(c.inside, tm)
				p.handle(tm)
				assert.True(t, tm.Valid())
				assert.True(t, tm.Running())
				assert.NotEmpty(t, tm.String())
				if assert.NoError(t, tm.Retain()) {
					assert.NoError(t, tm.Free())
				}
				handles <- tm
			}), time.Second)
			do(c.before, tm)
			elapse(time.Minute)
			require.EqualValues(t, 1, p.begun.Load())
			do(c.during, tm)
			p.let()
			require.Equal(t, tm, <-handles, "the handler is given the very handle that Alloc returned")
			elapse(0)
			require.Equal(t, name == "not freed", tm.Valid(), "recycled after the handler")
		})
	}
}

// Promises 1.8, 1.9 and 5.7, for handles of any age, not only the last, which differ from the tenant's in
// their last digits. A Manual wheel has one store: all live in one record, one after the other.
func TestStaleHandleNeverReachesTheNextTenant(t *testing.T) {
	const cycles = 1<<16 + 100
	w := openManual(t, time.Millisecond)
	w.AfterFunc(time.Hour, func() {}) // keeps its chunk: what is given back and comes again is another test
	seen := make(map[timerwheel.Timer]bool, cycles)
	old := make([]timerwheel.Timer, cycles)
	for i := range old {
		old[i] = w.Alloc(delIgnore)
		seen[old[i]] = true
		if err := old[i].Free(); err != nil {
			require.NoError(t, err)
		}
	}
	require.Len(t, seen, cycles, "a handle was given out twice")
	require.Less(t, w.Stats().Bytes, int64(cycles*16), "records are reused, or this test shows nothing")

	tenants := make([]timerwheel.Timer, 64)
	for i := range tenants {
		tenants[i] = w.Alloc(func(timerwheel.Timer) {})
		require.False(t, seen[tenants[i]])
		if i%2 == 0 {
			require.NoError(t, tenants[i].Register(time.Hour))
		}
	}
	for i, tm := range old {
		if tm.Valid() || tm.Pending() || tm.Stop() || tm.Free() == nil {
			require.Fail(t, "a stale handle reaches a tenant", "after %d others", cycles-i)
		}
	}
	before := w.Stats()
	for _, stale := range old[cycles-64:] {
		before.Refused += requireStale(t, stale)
		before.Misuses += refusals + 2 // these, Free and Retain
	}
	require.Equal(t, before, w.Stats(), "only the counters of refusals and misuses moved")
	for i, tm := range tenants {
		require.True(t, tm.Valid())
		require.Equal(t, i%2 == 0, tm.Pending())
		require.NoError(t, tm.Register(time.Hour), "neither deleted nor shut down")
		require.NoError(t, tm.Free(), "and its owner's reference is still there")
		require.True(t, tm.Stop())
	}
	require.Equal(t, 1, w.Stats().Live)
}

// captured is what a handler captures: its own allocation, and the lock of a lock-bound
// timer too, as in a connection that guards itself.
type captured struct {
	sync.Mutex
	frees bool // its timer, in the handler
	_     [256]byte
}

func (c *captured) handle(tm timerwheel.Timer) {
	if c.frees {
		_ = tm.Free()
	}
}

func (c *captured) call() { runtime.KeepAlive(c) }

// Promises 2.44 and 5.6. The neighbours keep the storage around the timer alive, and its handle is kept
// too. Each timer has a wheel of its own: another tenant of its record would hide what that holds.
func TestClosureIsCollectableWhenTheLastReferenceGoes(t *testing.T) {
	type made struct {
		w     *timerwheel.Wheel
		g     *timerwheel.Group
		c     *captured
		tm    timerwheel.Timer
		owned bool
	}
	free := func(m made) error {
		if m.owned {
			return m.tm.Free()
		}
		return nil
	}
	makers := map[string]func(made) timerwheel.Timer{ // the owned are idle, the others pending
		"Alloc": func(m made) timerwheel.Timer { return m.w.Alloc(m.c.handle) },
		"AllocArg": func(m made) timerwheel.Timer {
			return m.w.AllocArg(func(tm timerwheel.Timer, c any) { c.(*captured).handle(tm) }, m.c)
		},
		"AllocLocked":        func(m made) timerwheel.Timer { return m.w.AllocLocked(m.c, m.c.handle) },
		"AfterFunc":          func(m made) timerwheel.Timer { return m.w.AfterFunc(time.Hour, m.c.call) },
		"AfterFuncArg":       func(m made) timerwheel.Timer { return m.w.AfterFuncArg(time.Hour, func(any) {}, m.c) },
		"Every":              func(m made) timerwheel.Timer { return m.w.Every(time.Hour, m.c.handle) },
		"Group.Alloc":        func(m made) timerwheel.Timer { return m.g.Alloc(m.c.handle) },
		"Group.AfterFuncArg": func(m made) timerwheel.Timer { return m.g.AfterFuncArg(time.Hour, func(any) {}, m.c) },
	}
	fires := func(m made) {
		eventually(t, "it has fired", func() bool { s := m.w.Stats(); return s.Fired > 0 && s.Running == 0 })
		m.tm.Del() // a series goes on
	}
	ends := map[string]func(made) error{
		"deleted": func(m made) error {
			m.tm.Del() // which finds nothing if it is idle
			return free(m)
		},
		"moved, stopped": func(m made) error {
			m.tm.Reset(time.Hour)
			return errors.Join(wasTrue(m.tm.Reset(2*time.Hour)), wasTrue(m.tm.Stop()), free(m))
		},
		"freed by its last owner": func(m made) error {
			err := errors.Join(m.tm.Retain(), free(m))
			m.tm.Del()
			return errors.Join(err, m.tm.Free())
		},
		"freed, fired": func(m made) error {
			err := errors.Join(m.tm.Register(time.Millisecond), free(m))
			fires(m)
			return err
		},
		"freed in its handler": func(m made) error {
			m.c.frees = m.owned
			err := m.tm.Register(0)
			fires(m)
			return err
		},
		"freed, deleted": func(m made) error {
			err := errors.Join(m.tm.Register(time.Hour), free(m))
			_, e := m.tm.DelSync()
			return errors.Join(err, e)
		},
		"freed, deleted with its group": func(m made) error {
			err := errors.Join(m.tm.Register(time.Hour), free(m))
			_, e := m.g.DelSync()
			m.tm.Del() // if it is no member
			return errors.Join(err, e)
		},
		"shut down": func(m made) error {
			_, err := m.tm.ShutdownSync()
			return errors.Join(err, free(m))
		},
		"closed":        func(m made) error { return errors.Join(m.tm.Register(time.Hour), m.w.Close(), free(m)) },
		"freed, closed": func(m made) error { return errors.Join(m.tm.Register(time.Hour), free(m), m.w.Close()) },
	}
	for name, maker := range makers {
		for _, debug := range []bool{false, true} { // which remembers where timers were, not what
			ok := t.Run(name+map[bool]string{true: "/Debug"}[debug], func(t *testing.T) {
				held := make(map[string]weak.Pointer[captured])
				var timers []timerwheel.Timer
				for how, end := range ends {
					w := openWheel(t, timerwheel.Options{Debug: debug})
					for range 4 {
						w.Alloc(func(timerwheel.Timer) {})
					}
					func() { // nothing of this frame is left on the stack below
						m := made{w: w, g: w.NewGroup(), c: new(captured), owned: strings.Contains(name, "Alloc")}
						m.tm = maker(m)
						assert.NoError(t, end(m), how)
						timers = append(timers, m.tm)
						held[how] = weak.Make(m.c)
					}()
				}
				t.Cleanup(func() {
					for how := range held {
						t.Errorf("%s: what the handler captured is still held", how)
					}
				})
				collectUntil(t, "what the handlers captured is collected", func() bool {
					maps.DeleteFunc(held, func(_ string, p weak.Pointer[captured]) bool { return p.Value() == nil })
					return len(held) == 0
				})
				for _, tm := range timers {
					require.False(t, tm.Valid())
				}
			})
			if !ok {
				return // each failure takes long
			}
		}
	}
}

// wasTrue is the error of a call that reports false.
func wasTrue(ok bool) error {
	if !ok {
		return errors.New("false")
	}
	return nil
}

// Promises 1.9, 2.40, 2.44 and 5.9. What comes back from the runtime afterwards knows its past: the
// handles of the peak stay stale among the timers of the next one.
func TestStorageOfAPeakGoesBack(t *testing.T) {
	peak := scaled(200_000)
	idle := func(timerwheel.Timer) {}
	plain := func(w *timerwheel.Wheel) timerwheel.Timer { return w.AfterFunc(time.Hour, func() {}) }
	stop := func(t *testing.T, _ *timerwheel.Wheel, all []timerwheel.Timer) {
		for _, tm := range all {
			if !tm.Stop() {
				require.Fail(t, "had fired, or was never armed")
			}
		}
	}
	plainBytes := int64(0)
	for _, c := range []struct {
		name string
		arm  func(w *timerwheel.Wheel) timerwheel.Timer
		fall func(t *testing.T, w *timerwheel.Wheel, all []timerwheel.Timer)
	}{
		{"stopped", plain, stop},
		{"AfterFuncArg, stopped", func(w *timerwheel.Wheel) timerwheel.Timer { return w.AfterFuncArg(time.Hour, func(any) {}, peak) }, stop},
		{"members of groups, stopped", func(w *timerwheel.Wheel) timerwheel.Timer { return w.NewGroup().AfterFunc(time.Hour, func() {}) }, stop},
		{"freed idle, in any order", func(w *timerwheel.Wheel) timerwheel.Timer { return w.Alloc(idle) },
			func(t *testing.T, _ *timerwheel.Wheel, all []timerwheel.Timer) {
				rng := rand.New(rand.NewPCG(1, 2))
				for _, i := range rng.Perm(len(all)) {
					if err := all[i].Free(); err != nil {
						require.NoError(t, err)
					}
				}
			}},
		{"fired", plain, func(t *testing.T, w *timerwheel.Wheel, all []timerwheel.Timer) {
			for i, tm := range all {
				if err := tm.Register(time.Duration(i%100) * time.Millisecond); err != nil {
					require.NoError(t, err)
				}
			}
		}},
		{"dropped by Close", plain, func(t *testing.T, w *timerwheel.Wheel, _ []timerwheel.Timer) { require.NoError(t, w.Close()) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			processors := runtime.GOMAXPROCS(1) // one shard: the second peak takes the records of the first
			w := openWheel(t, timerwheel.Options{})
			runtime.GOMAXPROCS(processors)
			survivor := armed(w.Alloc(idle), time.Hour)
			small, last := heapInUse(), int64(0)
			all := make([]timerwheel.Timer, peak)
			for i := range all {
				all[i] = c.arm(w)
				if n := i + 1; n == 1 || n == peak/5 || n == peak {
					bytes := w.Stats().Bytes
					require.Greater(t, bytes, last)
					require.GreaterOrEqual(t, bytes, int64(n*8), "less than a deadline a timer: this counts something else")
					last = bytes
				}
			}
			high, highHeap := w.Stats(), heapInUse()
			require.Equal(t, peak+1, high.Live)
			switch c.name {
			case "stopped":
				plainBytes = high.Bytes
			case "AfterFuncArg, stopped":
				words := 2 * int64(unsafe.Sizeof(uintptr(0)))
				require.GreaterOrEqual(t, high.Bytes, plainBytes+words*int64(peak), "two words for an argument")
			case "members of groups, stopped":
				each := 12 + int64(unsafe.Sizeof(uintptr(0)))
				require.GreaterOrEqual(t, high.Bytes, plainBytes+each*int64(peak), "12 bytes for a membership, and a pointer to a group")
			}

			c.fall(t, w, all)
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
			require.Equal(t, c.name != "dropped by Close", survivor.Pending())

			old := make(map[timerwheel.Timer]bool, peak)
			for _, tm := range all {
				old[tm] = true
			}
			again := make([]timerwheel.Timer, peak)
			for i := range again {
				again[i] = w.Alloc(idle)
				if old[again[i]] {
					require.Fail(t, "generations began anew: a stale handle names another timer")
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
	// What the heap has in use afterwards is what it had before, but for a tenth and for what stays: the
	// tables of the chunks, less than a quarter of a byte a timer, and some free chunks.
	t.Run("half a million, stopped", func(t *testing.T) {
		if costlyBuild() {
			t.Skip("to check every critical section costs more than any of them")
		}
		const n = 500_000
		const stays = n/4 + 256<<10
		spansInUse := func() uint64 {
			runtime.GC()
			runtime.GC() // what finalizers and pools have let go of
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapInuse
		}
		w := openWheel(t, timerwheel.Options{})
		before := spansInUse()
		timers := make([]timerwheel.Timer, n)
		for k := range timers {
			timers[k] = w.AfterFunc(time.Hour, func() {})
		}
		require.Greater(t, spansInUse(), before+n*32)
		for _, tm := range timers {
			if !tm.Stop() {
				require.Fail(t, "had fired, or was never armed")
			}
		}
		timers = nil
		require.LessOrEqual(t, spansInUse(), before+before/10+stays)
	})
}

// Promise 5.11: timers that come in bursts and all fire, or are all stopped, leave no storage as
// garbage: the next burst takes what the last one gave back, unless the garbage collector came between
// (TestStorageOfAPeakGoesBack).
func TestBurstsLeaveNoGarbage(t *testing.T) {
	if costlyBuild() {
		t.Skip("with the race detector a sync.Pool forgets every fourth thing that it is given")
	}
	ends := map[string]func(*timerwheel.Wheel, []timerwheel.Timer){
		"fire": func(w *timerwheel.Wheel, _ []timerwheel.Timer) { _, _ = w.Advance(w.Now().Add(time.Minute)) },
		"are stopped": func(_ *timerwheel.Wheel, timers []timerwheel.Timer) {
			for _, tm := range timers {
				tm.Del()
			}
		},
	}
	f, g := func() {}, func(any) {}
	for name, end := range ends {
		for _, n := range []int{1000, 3000, 30_000} {
			t.Run(fmt.Sprintf("%d %s", n, name), func(t *testing.T) {
				w := openManual(t, time.Millisecond)
				members, timers := w.NewGroup(), make([]timerwheel.Timer, n)
				burst := func() {
					for k := range timers {
						switch d := time.Duration(k%50) * time.Millisecond; k % 3 {
						case 0:
							timers[k] = w.AfterFunc(d, f)
						case 1:
							timers[k] = w.AfterFuncArg(d, g, w)
						default:
							timers[k] = members.AfterFunc(d, f)
						}
					}
					end(w, timers)
				}
				defer debug.SetGCPercent(debug.SetGCPercent(-1)) // no collection: the most garbage that there can be
				burst()
				bursts := max(4, 10_000/n)
				before := allocated()
				for range bursts {
					burst()
				}
				each := float64(allocated()-before) / float64(bursts*n)
				require.Zero(t, w.Stats().Live)
				require.Less(t, each, 8.0, "bytes of garbage for each timer")
			})
		}
	}
}

// allocated returns the number of bytes that the program has allocated.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
