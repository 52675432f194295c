package timerwheel_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// laterVerbs are the calls that may move a timer to a later time without its shard's lock.
var laterVerbs = []struct {
	name string
	move func(w *timerwheel.Wheel, tm timerwheel.Timer, d time.Duration) bool
}{
	{"Register", func(_ *timerwheel.Wheel, tm timerwheel.Timer, d time.Duration) bool { return tm.Register(d) == nil }},
	{"RegisterAt", func(_ *timerwheel.Wheel, tm timerwheel.Timer, d time.Duration) bool {
		return tm.RegisterAt(time.Now().Add(d)) == nil
	}},
	{"Reset", func(_ *timerwheel.Wheel, tm timerwheel.Timer, d time.Duration) bool { return tm.Reset(d) }},
	{"Move", func(_ *timerwheel.Wheel, tm timerwheel.Timer, d time.Duration) bool { return tm.Move(d) }},
}

// movable are timers that have an open word after their second move to a later time.
var movable = []struct {
	name string
	make func(w *timerwheel.Wheel, f func(timerwheel.Timer)) timerwheel.Timer
}{
	{"Alloc", func(w *timerwheel.Wheel, f func(timerwheel.Timer)) timerwheel.Timer { return w.Alloc(f) }},
	{"AfterFunc", func(w *timerwheel.Wheel, f func(timerwheel.Timer)) timerwheel.Timer {
		return w.AfterFunc(time.Second, func() { f(timerwheel.Timer{}) })
	}},
	{"AllocLocked", func(w *timerwheel.Wheel, f func(timerwheel.Timer)) timerwheel.Timer {
		return w.AllocLocked(newDurableLock(), f)
	}},
	{"Group.Alloc", func(w *timerwheel.Wheel, f func(timerwheel.Timer)) timerwheel.Timer { return w.NewGroup().Alloc(f) }},
}

// Promises 3.2, 3.3 and 3.10: moves to later and earlier times, however many, fire the timer once, at the
// time of the last: never early, and at most two ticks late.
func TestTheLastOfManyMovesCounts(t *testing.T) {
	for _, wheelTick := range []time.Duration{time.Microsecond, tick, 3 * time.Second} {
		for _, kind := range movable {
			bubble(t, fmt.Sprint(kind.name, " ", wheelTick), timerwheel.Options{Tick: wheelTick}, func(t *testing.T, w *timerwheel.Wheel) {
				rng := rand.New(rand.NewPCG(7, uint64(wheelTick)))
				var wg sync.WaitGroup
				for range 40 {
					seed := rng.Uint64()
					wg.Go(func() { moveAndWait(t, w, kind.make, rand.New(rand.NewPCG(3, seed)), wheelTick) })
				}
				wg.Wait()
			})
		}
	}
}

// moveAndWait moves a timer at random times, mostly to later ones, and waits for its handler.
func moveAndWait(t *testing.T, w *timerwheel.Wheel, make func(*timerwheel.Wheel, func(timerwheel.Timer)) timerwheel.Timer, rng *rand.Rand, wheelTick time.Duration) {
	fired := newFirings()
	tm := make(w, fired.fire)
	due := time.Now().Add(10 * wheelTick)
	assert.NoError(t, tm.Register(10*wheelTick))
	for range rng.IntN(30) {
		time.Sleep(time.Duration(rng.Int64N(int64(3 * wheelTick))))
		if !tm.Pending() {
			break
		}
		d := time.Duration(rng.Int64N(int64(20 * wheelTick)))
		if rng.IntN(4) > 0 {
			d += time.Until(due)
		}
		verb := laterVerbs[rng.IntN(len(laterVerbs))]
		if !verb.move(w, tm, d) {
			break // it has just fired, a one-shot
		}
		due = time.Now().Add(max(d, 0))
	}
	at := <-fired.times
	assert.False(t, at.Before(due), "early by %v", due.Sub(at))
	assert.LessOrEqual(t, at.Sub(due), 2*wheelTick)
	_ = tm.Free()
}

// firings passes the times on at which a handler has begun.
type firings struct{ times chan time.Time }

func newFirings() firings { return firings{make(chan time.Time, 100)} }

func (f firings) fire(timerwheel.Timer) { f.times <- time.Now() }

// Promises 4.1 and 3.12: a deletion removes the firing of a timer that was moved without the lock, and
// what refuses a Register refuses such a move.
func TestAMovedTimerIsDeletedAndRefused(t *testing.T) {
	for name, end := range map[string]struct {
		end  func(w *timerwheel.Wheel, tm timerwheel.Timer)
		want error
	}{
		"Shutdown": {func(_ *timerwheel.Wheel, tm timerwheel.Timer) { tm.Shutdown() }, timerwheel.ErrShutdown},
		"Close":    {func(w *timerwheel.Wheel, _ timerwheel.Timer) { _ = w.Close() }, timerwheel.ErrClosed},
		"Free": {func(_ *timerwheel.Wheel, tm timerwheel.Timer) {
			tm.Del()
			_ = tm.Free()
		}, timerwheel.ErrStale},
	} {
		bubble(t, name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			var log firingLog
			tm := w.Alloc(log.run)
			for d := range time.Duration(5) {
				require.NoError(t, tm.Register(time.Second+d*time.Second))
			}
			end.end(w, tm)
			requireRefused(t, w, tm, end.want)
			require.False(t, tm.Move(time.Hour))
			require.False(t, tm.Pending())
			elapse(time.Hour)
			require.Zero(t, log.len())
		})
	}
	bubble(t, "Del, and again", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		var log firingLog
		tm := w.Alloc(log.run)
		for d := range time.Duration(5) {
			require.NoError(t, tm.Register(time.Second+d*time.Second))
		}
		require.Equal(t, foundPending, tm.Del())
		require.Equal(t, foundNone, tm.Del())
		require.False(t, tm.Move(time.Hour))
		start := time.Now()
		require.NoError(t, tm.Register(3*time.Second))
		elapse(time.Hour)
		requireFirings(t, start, tick, log.times(), 3*time.Second)
		requireLaw(t, w.Stats())
	})
}

// Promises 3.2 and 3.10: a timer that was moved without the lock stands in the list of those that are due
// until a worker looks at it. Others that look at it in that time do not make it due.
func TestToLookAtAMovedTimerMakesItNotDue(t *testing.T) {
	for name, look := range map[string]func(w *timerwheel.Wheel, tm timerwheel.Timer){
		"When":    func(_ *timerwheel.Wheel, tm timerwheel.Timer) { tm.When() },
		"Stats":   func(w *timerwheel.Wheel, _ timerwheel.Timer) { w.Stats() },
		"Inspect": func(w *timerwheel.Wheel, _ timerwheel.Timer) { w.Inspect() },
		"Reduce":  func(_ *timerwheel.Wheel, tm timerwheel.Timer) { _ = tm.Reduce(2 * time.Hour) },
		"Timers": func(w *timerwheel.Wheel, _ timerwheel.Timer) {
			for range w.Timers() {
			}
		},
	} {
		for _, late := range []bool{false, true} {
			bubble(t, fmt.Sprintf("%s, moved late %v", name, late), timerwheel.Options{MaxWorkers: 1}, func(t *testing.T, w *timerwheel.Wheel) {
				p, g := newPuppet(t), w.NewGroup() // one shard
				var log firingLog
				first, moved := g.Alloc(p.handle), g.Alloc(log.run)
				for range 2 {
					armed(first, time.Second)
					armed(moved, time.Second)
				}
				if !late {
					armed(moved, time.Hour)
				}
				elapse(time.Second)
				start := time.Now()
				if late {
					armed(moved, time.Hour)
				}
				look(w, moved)
				when, ok := moved.When()
				require.True(t, ok)
				require.Greater(t, when.Sub(start), 59*time.Minute)
				p.end()
				settle()
				require.Zero(t, log.len())
				elapse(time.Hour)
				require.Equal(t, 1, log.len())
			})
		}
	}
}

// Promises 3.4 and 3.6: what is due at once does not wait for the end of the tick, also if it was moved.
func TestAtOnceIsAtOnceForAMovedTimer(t *testing.T) {
	for name, move := range map[string]func(w *timerwheel.Wheel, tm timerwheel.Timer) bool{
		"Register": func(_ *timerwheel.Wheel, tm timerwheel.Timer) bool { return tm.Register(0) == nil },
		"Move":     func(_ *timerwheel.Wheel, tm timerwheel.Timer) bool { return tm.Move(0) },
		"Reset":    func(_ *timerwheel.Wheel, tm timerwheel.Timer) bool { return tm.Reset(-1) },
		"RegisterAt": func(w *timerwheel.Wheel, tm timerwheel.Timer) bool {
			return tm.RegisterAt(w.Now().Add(-time.Second)) == nil
		},
	} {
		bubble(t, name, timerwheel.Options{Tick: time.Hour}, func(t *testing.T, w *timerwheel.Wheel) {
			var log firingLog
			tm := w.Alloc(log.run)
			armed(armed(tm, 30*time.Minute), 30*time.Minute)
			elapse(31 * time.Minute)
			require.Zero(t, log.len())
			require.True(t, move(w, tm))
			elapse(time.Second)
			require.Equal(t, 1, log.len())
		})
	}
}

// Promise 3.7: "Everything before Register happens before the handler's start", also for a move
// without the lock. The race detector watches.
func TestAMoveHappensBeforeTheHandler(t *testing.T) {
	const far = 2 * time.Second // a busy machine takes the processor away for less
	var f faults
	var busy atomic.Bool
	var wg sync.WaitGroup // all wait side by side, and share no lock
	for _, verb := range laterVerbs {
		// With so short a tick the alarm rings long before the deadline, and RegisterAt needs no lock.
		w := openWheel(t, timerwheel.Options{Tick: tick / 10})
		wg.Go(func() {
			before := 0
			fired := make(chan int, 2) // it fires again, if a move comes too late
			tm := w.Alloc(func(timerwheel.Timer) { fired <- before })
			start := time.Now()
			f.expect(tm.Register(far) == nil, verb.name+": it is armed")
			for before < 20 {
				if time.Since(start) > far { // it may have fired
					busy.Store(true)
					return
				}
				before++
				f.expect(verb.move(w, tm, far), verb.name+": it is moved")
			}
			f.expect(<-fired == 20, verb.name+": the handler sees what was before the last move")
		})
	}
	within(t, wg.Wait)
	f.requireNone(t)
	if busy.Load() {
		t.Skip("the machine is too busy")
	}
}

// Promise 2.65: where all workers are blocked, what was moved without the lock is not due.
func TestWhatWasMovedIsNotDue(t *testing.T) {
	bubble(t, "", timerwheel.Options{MaxWorkers: 1}, func(t *testing.T, w *timerwheel.Wheel) {
		p := newPuppet(t)
		startRun(t, w.Alloc(p.handle))
		var timers []timerwheel.Timer
		for range 100 {
			timers = append(timers, armed(armed(w.Alloc(delIgnore), time.Second), 2*time.Second))
		}
		for range 3 {
			for _, tm := range timers {
				require.True(t, tm.Move(5*time.Second))
			}
			elapse(4 * time.Second)
			require.Zero(t, w.Stats().Due)
		}
		elapse(2 * time.Second)
		require.Equal(t, 100, w.Stats().Due)
		p.end()
		synctest.Wait()
		require.Zero(t, w.Stats().Pending)
	})
}

// Promises 3.2 and 4.2 under races: goroutines move timers that fire, are deleted, and are recycled
// for the next tenant all the time. No handler begins before the last move that came before it says,
// none after a DelSync, and no move through a stale handle succeeds.
func TestMovesRace(t *testing.T) {
	const d = 2 * tick
	w := openWheel(t, timerwheel.Options{Tick: 100 * time.Microsecond})
	type tenant struct {
		timer timerwheel.Timer
		last  atomic.Int64 // the latest time at which a move was called
		over  atomic.Bool  // it was deleted for good
	}
	base := time.Now()
	var f faults
	var fired, moved atomic.Int64
	var tenants [8]atomic.Pointer[tenant]
	house := func(k int) {
		x := new(tenant)
		x.timer = w.Alloc(func(tm timerwheel.Timer) {
			f.expect(int64(time.Since(base))-x.last.Load() >= int64(d), "the handler begins d after the last move")
			f.expect(!x.over.Load(), "no handler begins after its deletion")
			fired.Add(1)
		})
		x.last.Store(int64(time.Since(base)))
		f.expect(x.timer.Register(d) == nil, "the new tenant is armed")
		if old := tenants[k].Swap(x); old != nil {
			_, err := old.timer.ShutdownSync()
			old.over.Store(true)
			f.expect(err == nil && old.timer.Free() == nil, "the old tenant goes")
		}
	}
	for k := range tenants {
		house(k)
	}
	var turns [len(tenants)]sync.Mutex // one mover each: so the last of its moves is the last
	rage := func(n int) {
		rng := rand.New(rand.NewPCG(uint64(n), uint64(time.Now().UnixNano())))
		k := rng.IntN(len(tenants))
		if !turns[k].TryLock() {
			return
		}
		defer turns[k].Unlock()
		if rng.IntN(100) == 0 {
			house(k)
			return
		}
		x := tenants[k].Load()
		if (int64(time.Since(base))/int64(4*d)+int64(k))%2 == 0 {
			return // left alone, so that some fire
		}
		for range 50 {
			now := int64(time.Since(base))
			if !x.timer.Move(d) {
				return
			}
			x.last.Store(now)
			moved.Add(1)
		}
		f.expect(!x.over.Load(), "no move succeeds after the deletion")
	}
	stormUntil(t, stormTime(), 4, func() bool { return fired.Load() > 0 && moved.Load() > 0 }, rage)
	f.requireNone(t)
	require.Positive(t, fired.Load())
	require.Positive(t, moved.Load())
}
