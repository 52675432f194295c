package timerwheel_test

import (
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Section 6 of the promises, where several timers are bound to one lock: the line of that lock.

// A lineUp is timers of one lock that are due while the test holds it. They are members of groups
// of their own, so they are of all shards. Of each, ran says when it ran among the others.
type lineUp struct {
	l      *lockProbe
	timers []timerwheel.Timer
	groups []*timerwheel.Group
	ran    []int       // guarded by l
	each   func(n int) // called by the handler of the nth; may be nil
}

// newLineUp takes the lock, and lets n timers come into its line one after the other.
func newLineUp(t *testing.T, w *timerwheel.Wheel, n int) *lineUp {
	t.Helper()
	x := &lineUp{l: newLockProbe(t)}
	x.l.take()
	for k := range n {
		g := w.NewGroup()
		x.groups = append(x.groups, g)
		x.timers = append(x.timers, armed(g.AllocLocked(x.l, func(timerwheel.Timer) {
			x.ran = append(x.ran, k)
			if x.each != nil {
				x.each(k)
			}
		}), 0))
		settle()
	}
	require.Equal(t, n, w.Stats().Pending)
	require.EqualValues(t, 1, x.l.queued.Load(), "workers that wait for the lock")
	return x
}

// upTo returns the numbers below n without some of them.
func upTo(n int, without ...int) (all []int) {
	for k := range n {
		if !slices.Contains(without, k) {
			all = append(all, k)
		}
	}
	return all
}

// requireDone checks which timers ran, in their order, each with the lock, and that nothing is left.
func (x *lineUp) requireDone(t *testing.T, w *timerwheel.Wheel, ran []int) {
	t.Helper()
	require.Equal(t, ran, x.ran)
	require.LessOrEqual(t, x.l.mostQueued.Load(), int32(1), "workers that waited for the lock")
	require.False(t, x.l.taken(), "a worker kept the lock")
	s := w.Stats()
	require.Zero(t, s.Pending)
	require.Zero(t, s.Running)
	require.Zero(t, s.Workers)
}

// Promises 6.10 and 6.11: while a lock is held, its timers need one worker, and the others are in time.
func TestTimersOfOneHeldLockHoldUpOneWorker(t *testing.T) {
	for name, workers := range map[string]int{"as many workers as there are": 0, "two workers": 2} {
		bubble(t, name, timerwheel.Options{MaxWorkers: workers}, func(t *testing.T, w *timerwheel.Wheel) {
			const n = 300
			l := newLockProbe(t)
			var order []int
			l.take()
			for k := range n {
				armed(w.NewGroup().AllocLocked(l, func(timerwheel.Timer) {
					assert.True(t, l.taken())
					order = append(order, k)
				}), 5*time.Millisecond)
			}
			for _, d := range []time.Duration{0, 5 * time.Millisecond, 6 * time.Millisecond, time.Second, time.Minute} {
				due := time.Now().Add(d)
				var at time.Time
				w.AfterFunc(d, func() { at = time.Now() })
				elapse(d + 10*time.Millisecond)
				require.False(t, at.IsZero(), "a timer without a lock does not fire")
				require.LessOrEqual(t, at.Sub(due), 2*time.Millisecond, "it is late")
			}
			require.EqualValues(t, 1, l.queued.Load())
			require.EqualValues(t, 1, l.mostQueued.Load())
			s := w.Stats()
			require.Equal(t, n, s.Pending)
			require.LessOrEqual(t, s.Workers, 2)
			require.Empty(t, w.Running())

			l.drop()
			settle()
			require.Len(t, order, n)
			slices.Sort(order)
			require.Equal(t, upTo(n), order, "each runs once")
			require.EqualValues(t, 1, l.mostQueued.Load())
			require.False(t, l.taken())
			require.Zero(t, w.Stats().Workers)
		})
	}
}

// Promise 6.11: a long line whose lock has come delays no other timer until it is over, also
// where its worker is the only one that does not block.
func TestALongLineDelaysNoOther(t *testing.T) {
	bubble(t, "", timerwheel.Options{MaxWorkers: 2}, func(t *testing.T, w *timerwheel.Wheel) {
		const n = 100
		x := newLineUp(t, w, n)
		x.each = func(int) { time.Sleep(100 * time.Microsecond) }
		gate := openedAtTheEnd(t)
		w.AfterFunc(0, func() { <-gate })
		settle()
		start := time.Now()
		var late time.Duration
		w.AfterFunc(time.Millisecond, func() { late = time.Since(start) - time.Millisecond })
		x.l.drop()
		elapse(time.Second)
		require.NotZero(t, late)
		require.Less(t, late, 4*time.Millisecond, "the line takes 10 ms")
		close(gate)
		settle()
		x.requireDone(t, w, upTo(n))
	})
}

// Promise 6.12: when the lock comes, they run in the order in which their turn came, also
// where another of the line is at work while a handler runs; and in between the lock is released.
func TestALineRunsInItsOrder(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		x := newLineUp(t, w, 9)
		armed(x.timers[2], 0) // moved: its turn comes anew
		settle()
		armed(x.timers[4], time.Hour) // not in this line any more
		x.each = func(n int) {
			assert.True(t, x.l.taken())
			if n == 3 { // one that comes while the line is served is the last
				armed(x.timers[0], 0)
				time.Sleep(time.Second)
			}
		}
		x.l.drop()
		elapse(time.Minute)
		require.EqualValues(t, 9, x.l.locks.Load(), "the lock is not released between two of them")
		elapse(time.Hour)
		x.requireDone(t, w, []int{0, 1, 3, 5, 6, 7, 8, 2, 0, 4})
	})
}

// Promise 6.15, for each place in the line: a deletion finds it pending, at once, and the
// others run as if it had not been there.
func TestDeletionTakesATimerOutOfTheLine(t *testing.T) {
	const n = 5
	for _, verb := range memberVerbs {
		for _, at := range []int{0, 2, n - 1} {
			bubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				x := newLineUp(t, w, n)
				start := time.Now()
				deleting(verb.on(member{x.timers[at], x.groups[at]})).requires(t, foundPending, nil)
				require.Equal(t, start, time.Now(), "it waited")
				require.Zero(t, w.Stats().SyncWaits)
				x.l.drop()
				elapse(time.Minute)
				x.requireDone(t, w, upTo(n, at))
			})
		}
	}
}

// Promise 6.15: all of a line are deleted, by a group that needs several batches for it, while the
// lock is held. Its worker goes when it has the lock, and another line begins.
func TestALineEmptiesWhileItsLockIsHeld(t *testing.T) {
	for _, verb := range groupVerbs {
		bubble(t, verb.name, timerwheel.Options{MaxWorkers: 2}, func(t *testing.T, w *timerwheel.Wheel) {
			const n = 200
			l, g, ran := newLockProbe(t), w.NewGroup(), 0
			l.take()
			for range n {
				armed(g.AllocLocked(l, func(timerwheel.Timer) { ran++ }), 0)
			}
			settle()
			require.Equal(t, n, w.Stats().Pending)
			deleting(verb.on(g)).requires(t, foundPending, nil)
			require.Zero(t, w.Stats().Pending)
			require.EqualValues(t, 1, l.queued.Load())

			late := armed(w.AllocLocked(l, func(timerwheel.Timer) { ran += n }), 0) // comes into the empty line
			settle()
			require.True(t, late.Pending())
			require.EqualValues(t, 1, l.mostQueued.Load())
			l.drop()
			settle()
			require.Equal(t, n, ran)
			armed(late, 0)
			settle()
			require.Equal(t, 2*n, ran)
			require.EqualValues(t, 3, l.locks.Load()+1, "each run needs the lock once")
			require.False(t, l.taken())
			require.Zero(t, w.Stats().Workers)
		})
	}
}

// Promise 6.13: a handler, or a Lock, that does not return in the middle of a line leaves the rest of
// it to others, whatever OnPanic does in that time.
func TestALineSurvivesWhatDoesNotReturn(t *testing.T) {
	const n, at = 6, 2
	for _, workers := range []int{0, 2} {
		for _, end := range []struct {
			name string
			each func()
		}{{"panic", func() { panic("the handler's") }}, {"Goexit", runtime.Goexit}} {
			for _, all := range []bool{false, true} {
				o := timerwheel.Options{MaxWorkers: workers, OnPanic: func(timerwheel.HandlerPanic) {}}
				bubble(t, end.name, o, func(t *testing.T, w *timerwheel.Wheel) {
					x := newLineUp(t, w, n)
					x.each = func(k int) {
						if all || k == at {
							end.each()
						}
					}
					x.l.drop()
					elapse(time.Minute)
					x.requireDone(t, w, upTo(n))
				})
			}
		}
		var onPanic func(timerwheel.HandlerPanic)
		o := timerwheel.Options{MaxWorkers: workers, OnPanic: func(p timerwheel.HandlerPanic) { onPanic(p) }}
		bubble(t, "OnPanic blocks", o, func(t *testing.T, w *timerwheel.Wheel) {
			gate := openedAtTheEnd(t)
			onPanic = func(timerwheel.HandlerPanic) { <-gate }
			x := newLineUp(t, w, n)
			x.each = func(k int) {
				if k == at {
					panic("the handler's")
				}
			}
			x.l.drop()
			elapse(time.Minute)
			require.Equal(t, upTo(n), x.ran, "the line waits for OnPanic")
			require.False(t, x.l.taken())
			require.Equal(t, 1, w.Stats().Workers)
			close(gate)
			settle()
			require.Zero(t, w.Stats().Workers)
		})
		bubble(t, "Lock", timerwheel.Options{MaxWorkers: workers}, func(t *testing.T, w *timerwheel.Wheel) {
			x := newLineUp(t, w, n)
			tries := 0
			x.l.onLock = func() {
				if tries++; tries%2 == 1 {
					runtime.Goexit()
				}
			}
			x.l.drop()
			elapse(time.Minute)
			x.requireDone(t, w, upTo(n))
			require.Equal(t, 2*n-1, tries+1-n%2, "each Lock that did not return was tried again")
		})
	}
}

// Promise 6.13: Close, while a worker waits for the lock: it waits for that, and no timer of the line
// runs any more.
func TestCloseWaitsForTheWorkerOfALine(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		x := newLineUp(t, w, 20)
		closed := inBackground(func() { assert.NoError(t, w.Close()) })
		settle()
		require.False(t, isClosed(closed), "it does not wait for the worker at the lock")
		s := w.Stats()
		require.EqualValues(t, 20, s.Removed)
		require.Zero(t, s.Pending)
		for _, tm := range x.timers {
			require.NoError(t, tm.Free())
		}
		x.l.drop()
		settle()
		require.True(t, isClosed(closed))
		x.requireDone(t, w, nil)
	})
}

// Promise 10.3: a line does not change the order of the timers of a tick, bound to some lock or to
// none; nor does a handler in the midst of them that panics.
func TestLinesKeepTheOrderOfAManualWheel(t *testing.T) {
	w := openManual(t, 0)
	a, b := newLockProbe(t), newLockProbe(t)
	var order []int
	handler := func(n int) func(timerwheel.Timer) {
		return func(timerwheel.Timer) {
			order = append(order, n)
			if n == 7 {
				panic("on purpose")
			}
		}
	}
	for n := range 20 {
		switch n % 3 {
		case 0:
			armed(w.AllocLocked(a, handler(n)), time.Millisecond)
		case 1:
			armed(w.AllocLocked(b, handler(n)), time.Millisecond)
		default:
			armed(w.Alloc(handler(n)), time.Millisecond)
		}
	}
	now := manualStart.Add(time.Second)
	require.PanicsWithValue(t, "on purpose", func() { _, _ = w.Advance(now) })
	advanceTo(t, w, now, 12)
	require.Equal(t, upTo(20), order)
	require.False(t, a.taken() || b.taken())
}

// Kinds of locks that are no pointers.
type (
	funcLock   func()                   // cannot be compared
	sliceLock  []string                 // cannot be compared
	wrapLock   struct{ inner any }      // that depends on inner
	floatLock  struct{ weight float64 } // NaN is not equal to itself
	embedsLock struct{ sync.Locker }    // that depends on the Locker
	tableLock  struct{ rows [2]any }    // and on each row
	valueLock  struct{ *lockProbe }     // two copies are equal
)

func (funcLock) Lock()    {}
func (funcLock) Unlock()  {}
func (sliceLock) Lock()   {}
func (sliceLock) Unlock() {}
func (wrapLock) Lock()    {}
func (wrapLock) Unlock()  {}
func (floatLock) Lock()   {}
func (floatLock) Unlock() {}
func (tableLock) Lock()   {}
func (tableLock) Unlock() {}

// Promise 6.14: a lock that cannot be told from others is refused where the timer is made.
func TestAllocLockedRefusesALockThatCannotBeCompared(t *testing.T) {
	w := openManual(t, 0)
	f := func(timerwheel.Timer) {}
	for _, c := range []struct {
		l    sync.Locker
		want string
	}{
		{funcLock(func() {}), "timerwheel_test.funcLock, which cannot be compared"},
		{sliceLock{}, "timerwheel_test.sliceLock, which cannot be compared"},
		{wrapLock{[]int{1}}, "timerwheel_test.wrapLock, which cannot be compared"},
		{wrapLock{wrapLock{map[int]int{}}}, "timerwheel_test.wrapLock, which cannot be compared"},
		{embedsLock{funcLock(func() {})}, "timerwheel_test.embedsLock, which cannot be compared"},
		{tableLock{[2]any{1, []int{}}}, "timerwheel_test.tableLock, which cannot be compared"},
		{floatLock{math.NaN()}, "timerwheel_test.floatLock that is not equal to itself"},
	} {
		want := "timerwheel: AllocLocked with a lock of type " + c.want
		require.PanicsWithValue(t, want, func() { w.AllocLocked(c.l, f) })
		require.PanicsWithValue(t, want, func() { w.NewGroup().AllocLocked(c.l, f) })
	}
	var mu sync.Mutex
	for _, l := range []sync.Locker{&mu, wrapLock{}, wrapLock{1}, embedsLock{&mu}, floatLock{1}, tableLock{}, valueLock{newLockProbe(t)}, (*sync.Mutex)(nil)} {
		require.NotPanics(t, func() { w.AllocLocked(l, f) })
	}
	require.Zero(t, w.Stats().Pending)
}

// Promise 6.10: two Lockers are one lock if they are equal, and only then.
func TestLocksAreOneIfTheyAreEqual(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		a, b, ran := newLockProbe(t), newLockProbe(t), 0
		a.take()
		b.take()
		for _, l := range []sync.Locker{a, a, valueLock{a}, valueLock{a}, valueLock{b}, valueLock{b}} {
			armed(w.AllocLocked(l, func(timerwheel.Timer) { ran++ }), 0)
		}
		settle()
		require.EqualValues(t, 2, a.queued.Load(), "a pointer, and a value that has it")
		require.EqualValues(t, 1, b.queued.Load(), "two values with one pointer")
		a.drop()
		settle()
		require.Equal(t, 4, ran)
		b.drop()
		settle()
		require.Equal(t, 6, ran)
		require.Zero(t, w.Stats().Workers)
	})
}

// Promise 6.10 under load, with a real mutex for all timers, which are of all shards. in, runs and
// dead are plain: -race sees an access without the lock.
func TestOneLockOfManyTimersUnderRaces(t *testing.T) {
	w := openWheel(t, timerwheel.Options{MaxWorkers: 4, OnPanic: func(timerwheel.HandlerPanic) {}})
	const timers = 24
	var mu sync.Mutex
	var wrong faults
	in, runs := false, 0
	dead := make([]bool, timers)
	var all []timerwheel.Timer
	var groups []*timerwheel.Group
	for k := range timers {
		g := w.NewGroup()
		groups = append(groups, g)
		all = append(all, g.AllocLocked(&mu, func(tm timerwheel.Timer) {
			wrong.expect(!in && !dead[k], "the handler")
			in = true
			runs++
			n := runs
			runtime.Gosched()
			in = false
			switch {
			case n%23 == 0:
				runtime.Goexit()
			case n%17 == 0:
				panic("the handler's")
			case n%3 == 0:
				_ = tm.Register(0)
			}
		}))
	}
	var free atomic.Int32 // fired beside them
	every := w.Every(time.Millisecond, func(timerwheel.Timer) { free.Add(1) })
	verbs := timerVerbs.named("Del", "DelSync", "DelAsync")
	deleters := make([]sync.Mutex, timers) // timer k is armed and deleted only by the goroutine that holds deleters[k]
	var turn atomic.Int64
	stormUntil(t, stormTime(), 3, func() bool { return free.Load() > 0 && w.Stats().Fired > uint64(free.Load()) }, func(i int) {
		k := int(turn.Add(1)) % timers
		deleters[k].Lock()
		defer deleters[k].Unlock()
		mu.Lock()
		wrong.expect(!in && !all[k].Running(), "the holder of the lock")
		dead[k] = false
		wrong.expect(all[k].Register(time.Duration(k%3)*time.Millisecond) == nil, "Register")
		mu.Unlock()
		switch k % 4 {
		case 0:
			mu.Lock()
			found, err := verbs[k%3].call(all[k])
			wrong.expect(err == nil && !found.Running && !all[k].Running(), "a deletion under the lock")
			dead[k] = true
			mu.Unlock()
		case 1:
			_, err := all[k].DelSync()
			wrong.expect(err == nil, "DelSync without the lock")
		case 2:
			_, err := groups[k].DelSync()
			wrong.expect(err == nil, "Group.DelSync without the lock")
		}
	})
	_, err := every.DelSync()
	require.NoError(t, err)
	for k, tm := range all {
		_, err := tm.ShutdownSync()
		require.NoError(t, err)
		require.NoError(t, tm.Free(), k)
	}
	wrong.requireNone(t)
	mu.Lock()
	require.NotZero(t, runs)
	mu.Unlock()
	require.NotZero(t, free.Load())
	require.Zero(t, w.Stats().Pending)
	require.Zero(t, w.Stats().Live)
}

// Promise 6.13: a worker that takes over a line, and waits for its lock, leaves nothing behind without
// an alarm: own firings and timers are in time, though the owner of the lock waits for them.
func TestAWorkerThatTakesOverALineSetsTheAlarm(t *testing.T) {
	var l durableLock
	o := timerwheel.Options{OnPanic: func(timerwheel.HandlerPanic) { l.Lock(); defer l.Unlock() }}
	bubble(t, "", o, func(t *testing.T, w *timerwheel.Wheel) {
		l = newDurableLock() // in the bubble
		fired := 0
		w.AfterFunc(200*time.Millisecond, func() { fired++ })
		w.AfterFuncLocked(l, 5*time.Millisecond, func() {
			time.Sleep(20 * time.Millisecond)
			panic("on purpose")
		})
		w.AfterFuncLocked(l, 6*time.Millisecond, func() {})
		own := newOwnFiring(nil)
		time.Sleep(15 * time.Millisecond)
		own.arm(w, 100*time.Millisecond)
		l.Lock() // when the first handler has ended
		time.Sleep(time.Second)
		synctest.Wait()
		require.EqualValues(t, 1, own.fired.Load())
		require.Equal(t, 1, fired)
		l.Unlock()
	})
}
