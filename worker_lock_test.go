package timerwheel_test

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Section 6 of the contract: timers bound to a lock. In the bubbles the lock is a lockProbe: a
// sync.Mutex is not durable there, and a probe also watches who comes for it, and what the wheel
// says at that moment. The last tests have real locks and no bubble.

// Contract 6: "The worker takes l before the handler and releases it after it".
func TestLockedHandlerRunsUnderItsLock(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		l := newLockProbe(t)
		var runs, bare int
		tm := w.AllocLocked(l, func(timerwheel.Timer) {
			runs++
			if !l.taken() {
				bare++
			}
		})
		for i := range 3 {
			require.NoError(t, tm.Register(time.Second))
			require.False(t, l.taken(), "taken while the timer only pends")
			time.Sleep(time.Second)
			settle()
			require.Equal(t, i+1, runs)
			require.False(t, l.taken(), "not released")
			require.EqualValues(t, i+1, l.locks.Load())
		}
		require.Zero(t, bare)
	})
}

// Contract 6: "While it waits for l the timer is pending, not running".
func TestLockedTimerIsPendingWhileItsWorkerWaitsForTheLock(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		l, p := newLockProbe(t), newPuppet(t)
		tm := w.AllocLocked(l, p.handle)
		l.take()
		require.NoError(t, tm.Register(0))
		time.Sleep(time.Hour)
		synctest.Wait()
		require.EqualValues(t, 1, l.queued.Load(), "the worker is at the lock")
		require.True(t, tm.Pending())
		_, ok := tm.When()
		require.True(t, ok)
		require.False(t, tm.Running())
		require.Empty(t, w.Running())
		stats := w.Stats()
		require.Equal(t, 1, stats.Pending)
		require.Zero(t, stats.Running)
		require.Zero(t, stats.Fired)

		l.drop()
		settle()
		require.True(t, tm.Running())
		require.False(t, tm.Pending())
		stats = w.Stats()
		require.Equal(t, 1, stats.Running)
		require.EqualValues(t, 1, stats.Fired)
		require.GreaterOrEqual(t, stats.MaxLate, time.Hour-time.Millisecond, "the time at the lock is lateness too")
	})
}

// Contract 6: a "Del made while holding l is already synchronous: after it returns the handler is
// not running and will not begin; and DelSync while holding l never waits for a handler that waits
// for l". So all deletions are one here, at every stage of a timer's life.
func TestLockedDeletionWhileHoldingTheLockIsSynchronous(t *testing.T) {
	stages := []struct {
		name  string
		reach func(*testing.T, timerwheel.Timer, *lockProbe) // ends holding the lock
		want  timerwheel.Found
	}{
		{"idle", func(_ *testing.T, _ timerwheel.Timer, l *lockProbe) { l.take() }, foundNone},
		{"pending", func(t *testing.T, tm timerwheel.Timer, l *lockProbe) {
			l.take()
			require.NoError(t, tm.Register(time.Minute))
		}, foundPending},
		{"the worker waits for the lock", func(t *testing.T, tm timerwheel.Timer, l *lockProbe) {
			l.take()
			require.NoError(t, tm.Register(0))
			settle()
			require.EqualValues(t, 1, l.queued.Load())
		}, foundPending},
		{"moved while the worker waits for the lock", func(t *testing.T, tm timerwheel.Timer, l *lockProbe) {
			l.take()
			require.NoError(t, tm.Register(0))
			settle()
			require.NoError(t, tm.Register(time.Minute))
		}, foundPending},
		{"freed while the worker waits for the lock", func(t *testing.T, tm timerwheel.Timer, l *lockProbe) {
			l.take()
			require.NoError(t, tm.Register(0))
			settle()
			require.NoError(t, tm.Free())
		}, foundPending},
	}
	for _, stage := range stages {
		for _, verb := range delVerbs {
			bubble(t, stage.name+"/"+verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				l := newLockProbe(t)
				var runs atomic.Int32
				tm := w.AllocLocked(l, func(timerwheel.Timer) { runs.Add(1) })
				stage.reach(t, tm, l)

				start := time.Now()
				found, err := verb.call(tm)
				require.NoError(t, err)
				require.Equal(t, stage.want, found)
				require.Equal(t, start, time.Now(), "it waited")
				require.False(t, tm.Pending())
				require.False(t, tm.Running())
				require.Zero(t, w.Stats().SyncWaits)

				l.drop()
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				require.Zero(t, runs.Load(), "it began after the deletion")
				require.False(t, l.taken(), "the worker kept the lock")
				require.Zero(t, w.Stats().Fired)
			})
		}
	}
}

// Contract 6: "If it was deleted ... meanwhile, the handler does not run (then)", also when the
// deleter does not hold the lock; nor does a deletion wait then, for nothing runs.
func TestLockedTimerDeletedWhileItsWorkerWaitsDoesNotRun(t *testing.T) {
	for _, verb := range delVerbs {
		bubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			l := newLockProbe(t)
			var runs atomic.Int32
			tm := w.AllocLocked(l, func(timerwheel.Timer) { runs.Add(1) })
			l.take()
			require.NoError(t, tm.Register(0))
			settle()
			deleting(func() (timerwheel.Found, error) { return verb.call(tm) }).requires(t, foundPending, nil)
			l.drop()
			settle()
			require.Zero(t, runs.Load())
			require.False(t, l.taken())
			if verb.name != delByShutdown.name {
				require.NoError(t, tm.Register(0), "the timer is as good as new")
				settle()
				require.EqualValues(t, 1, runs.Load())
			}
		})
	}
}

// Contract 6: "If it was ... moved meanwhile, the handler does not run (then)": it runs once, at
// its new time, and never before that.
func TestLockedTimerMovedWhileItsWorkerWaitsRunsAtItsNewTime(t *testing.T) {
	moves := []struct {
		name string
		move func(timerwheel.Timer) error
		due  time.Duration // after the first Register
	}{
		{"Register", func(tm timerwheel.Timer) error { return tm.Register(time.Hour) }, time.Hour},
		{"Reset", func(tm timerwheel.Timer) error {
			if !tm.Reset(time.Hour) {
				return errors.New("no firing was found")
			}
			return nil
		}, time.Hour},
		{"RegisterAt", func(tm timerwheel.Timer) error { return tm.RegisterAt(time.Now().Add(time.Hour)) }, time.Hour},
		{"deleted and registered", func(tm timerwheel.Timer) error {
			if _, err := tm.DelSync(); err != nil {
				return err
			}
			return tm.Register(time.Hour)
		}, time.Hour},
		{"Reduce to later changes nothing", func(tm timerwheel.Timer) error { return tm.Reduce(time.Hour) }, 0},
		{"moved away and back", func(tm timerwheel.Timer) error {
			if err := tm.Register(time.Hour); err != nil {
				return err
			}
			return tm.Register(0)
		}, 0},
		{"moved, and due again at the lock", func(tm timerwheel.Timer) error {
			if err := tm.Register(time.Second); err != nil {
				return err
			}
			time.Sleep(time.Minute)
			return nil
		}, time.Second},
	}
	for _, move := range moves {
		for _, held := range []time.Duration{0, 2 * time.Hour} { // the lock is released before, or long after, the new time
			bubble(t, fmt.Sprintf("%s/held %v", move.name, held), timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				l := newLockProbe(t)
				var ran []time.Time
				tm := w.AllocLocked(l, func(timerwheel.Timer) { ran = append(ran, time.Now()) })
				l.take()
				require.NoError(t, tm.Register(0))
				settle()
				moved := time.Now()
				require.NoError(t, move.move(tm))
				require.True(t, tm.Pending())
				time.Sleep(held)
				synctest.Wait()
				require.Empty(t, ran)
				dropped := time.Now()
				l.drop()
				time.Sleep(4 * time.Hour)
				synctest.Wait()

				require.Len(t, ran, 1)
				due := moved.Add(move.due)
				if move.due == 0 || due.Before(dropped) {
					due = dropped
				}
				require.False(t, ran[0].Before(due), "%v early", due.Sub(ran[0]))
				require.Less(t, ran[0].Sub(due), 10*time.Millisecond)
				require.LessOrEqual(t, l.mostQueued.Load(), int32(1))
				require.EqualValues(t, 1, w.Stats().Fired)
				require.EqualValues(t, 0, w.Stats().Running)
			})
		}
	}
}

// Contract 6: "At most one worker waits for one timer's lock", however often the timer falls due,
// is moved, deleted and registered meanwhile.
func TestLockedTimerHasOneWorkerWaitingAtMost(t *testing.T) {
	bubble(t, "", timerwheel.Options{MaxWorkers: 16}, func(t *testing.T, w *timerwheel.Wheel) {
		l := newLockProbe(t)
		runs := 0
		tm := w.AllocLocked(l, func(timerwheel.Timer) { runs++ })
		l.take()
		for i := range 50 {
			require.NoError(t, tm.Register(time.Duration(i%4)*time.Millisecond))
			settle()
			require.EqualValues(t, 1, l.queued.Load())
			if i%3 == 0 {
				_, err := tm.DelSync()
				require.NoError(t, err)
			}
		}
		require.True(t, tm.Pending())
		require.LessOrEqual(t, w.Stats().Workers, 2, "workers that wait for the lock, or for those")

		other := make(chan struct{}) // the others are not held up by the one at the lock
		w.AfterFunc(0, func() { close(other) })
		<-other
		l.drop()
		settle()
		require.EqualValues(t, 1, l.mostQueued.Load())
		require.Equal(t, 1, runs)
	})
}

// Contract 6: "At the end the running slot is cleared before l is released, so who holds l never
// sees the handler in flight", and "A panic or Goexit in the handler releases l too". The probe
// looks from inside Unlock, the last moment that is still under the lock; and from inside Lock,
// where the timer must still be pending.
func TestLockedRunIsOverBeforeItsLockIsReleased(t *testing.T) {
	onPanic := func(timerwheel.HandlerPanic) {}
	ends := []struct {
		name    string
		end     func()
		onPanic func(timerwheel.HandlerPanic)
	}{
		{"return", nil, nil},
		{"panic", func() { panic("the handler's") }, onPanic},
		{"Goexit", runtime.Goexit, nil},
		{"Goexit, with OnPanic", runtime.Goexit, onPanic},
	}
	type sight struct {
		pending, running  bool
		handlers, counted int
	}
	for _, end := range ends {
		bubble(t, end.name, timerwheel.Options{OnPanic: end.onPanic}, func(t *testing.T, w *timerwheel.Wheel) {
			l, p := newLockProbe(t), newPuppet(t)
			var tm timerwheel.Timer
			look := func() sight { return sight{tm.Pending(), tm.Running(), len(w.Running()), w.Stats().Running} }
			var atLock, atUnlock []sight
			l.onLock = func() { atLock = append(atLock, look()) }
			l.onUnlock = func() { atUnlock = append(atUnlock, look()) }
			tm = w.AllocLocked(l, p.handle)
			startRun(t, tm)
			require.Equal(t, []sight{{pending: true}}, atLock)
			require.Empty(t, atUnlock)
			c := deleting(tm.DelSync) // from one who does not hold the lock
			require.True(t, c.waits())

			p.do <- end.end
			c.requires(t, foundRunning, nil)
			require.Equal(t, []sight{{}}, atUnlock)
			require.False(t, l.taken())

			startRun(t, tm) // the lock and the timer are as good as new
			p.let()
			settle()
			require.False(t, l.taken())
			require.Len(t, atUnlock, 2)
		})
	}
}

// Contract 6 with 5: the timer is recycled while its worker waits for its lock, and new tenants
// move in: neither does the worker run them, whatever lock they are bound to, nor do they wait for
// it.
func TestLockedTimerRecycledWhileItsWorkerWaits(t *testing.T) {
	for _, verb := range delVerbs {
		bubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			l, l2 := newLockProbe(t), newLockProbe(t)
			var old, due, later atomic.Int32
			tm := w.AllocLocked(l, func(timerwheel.Timer) { old.Add(1) })
			l.take()
			require.NoError(t, tm.Register(0))
			settle()
			require.EqualValues(t, 1, l.queued.Load())
			found, err := verb.call(tm)
			require.NoError(t, err)
			require.Equal(t, foundPending, found)
			require.NoError(t, tm.Free())
			require.False(t, tm.Valid(), "a worker at the lock holds no running reference")

			const n = 32 // of each kind, so that one of them lives in the old slot
			var tenants []timerwheel.Timer
			for range n {
				tm := w.AllocLocked(l2, func(timerwheel.Timer) { due.Add(1) })
				require.NoError(t, tm.Register(0))
				tenants = append(tenants, tm)
				require.NoError(t, w.AllocLocked(l, func(timerwheel.Timer) { later.Add(1) }).Register(time.Hour))
				require.NoError(t, w.AllocLocked(l2, func(timerwheel.Timer) { later.Add(1) }).Register(time.Hour))
			}
			settle()
			require.EqualValues(t, n, due.Load(), "the new tenants wait for the old lock")
			l2.take()
			for _, tm := range tenants {
				require.NoError(t, tm.Register(0)) // they, too, are at their lock when the old worker gets his
			}
			settle()
			l.drop()
			settle()
			require.Zero(t, old.Load())
			require.Zero(t, later.Load(), "a new tenant was run by the old worker")
			require.EqualValues(t, n, due.Load(), "a new tenant was run by the old worker, without its lock")
			require.Equal(t, 3*n, w.Stats().Pending)
			l2.drop()
			settle()
			require.EqualValues(t, 2*n, due.Load())
			require.Equal(t, 2*n, w.Stats().Pending)
			time.Sleep(time.Hour)
			settle()
			require.EqualValues(t, 2*n, later.Load())
			require.False(t, l.taken())
			require.False(t, l2.taken())
		})
	}
}

// Contract 5 and 6: a timer that is freed while its worker waits is still pending: it fires, and is
// recycled after its handler.
func TestLockedTimerFreedWhileItsWorkerWaitsStillFires(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		l := newLockProbe(t)
		runs := 0
		tm := w.AllocLocked(l, func(timerwheel.Timer) { runs++ })
		l.take()
		require.NoError(t, tm.Register(0))
		settle()
		require.NoError(t, tm.Free())
		require.True(t, tm.Valid())
		l.drop()
		settle()
		require.Equal(t, 1, runs)
		require.False(t, tm.Valid())
		require.Zero(t, w.Stats().Live)
	})
}

// Contract 6: one lock may serve many timers: it excludes their handlers from each other, and a
// handler, who holds it, may delete the others synchronously.
func TestLockedTimersThatShareALock(t *testing.T) {
	for _, verb := range delVerbs {
		bubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			l, p := newLockProbe(t), newPuppet(t)
			first := w.AllocLocked(l, p.handle)
			startRun(t, first)
			var others []timerwheel.Timer
			var in, most, runs int // guarded by l
			for range 10 {
				tm := w.AllocLocked(l, func(timerwheel.Timer) {
					in++
					most = max(most, in)
					runs++
					time.Sleep(time.Second)
					in--
				})
				require.NoError(t, tm.Register(0))
				others = append(others, tm)
			}
			settle()
			require.Equal(t, 10, w.Stats().Pending)
			for _, tm := range others[:5] {
				p.call(func() (timerwheel.Found, error) { return verb.call(tm) }).requires(t, foundPending, nil)
			}
			p.let()
			time.Sleep(time.Minute)
			synctest.Wait()
			require.Equal(t, 5, runs)
			require.Equal(t, 1, most)
		})
	}
}

// Contract 6 in groups: a member may be bound to a lock, and the group's deletion while holding it
// waits for nobody who wants it.
func TestLockedTimerInAGroup(t *testing.T) {
	deletions := map[string]func(*timerwheel.Group) (timerwheel.Found, error){
		"DelSync":        (*timerwheel.Group).DelSync,
		"Shutdown":       (*timerwheel.Group).ShutdownSync,
		"DelSyncContext": func(g *timerwheel.Group) (timerwheel.Found, error) { return g.DelSyncContext(endedContext) },
	}
	for name, del := range deletions {
		bubble(t, name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			l, g := newLockProbe(t), w.NewGroup()
			var in, runs int
			for range 5 {
				tm := g.AllocLocked(l, func(timerwheel.Timer) {
					runs++
					if l.taken() {
						in++
					}
				})
				require.NoError(t, tm.Register(0))
			}
			settle()
			require.Equal(t, 5, runs)
			require.Equal(t, 5, in)
			require.Equal(t, 5, g.Len())

			l.take()
			for range 5 {
				require.NoError(t, g.AllocLocked(l, func(timerwheel.Timer) { runs++ }).Register(0))
			}
			settle()
			found, err := del(g)
			require.NoError(t, err)
			require.Equal(t, foundPending, found)
			l.drop()
			settle()
			require.Equal(t, 5, runs)
			require.False(t, l.taken())
			require.Zero(t, w.Stats().SyncWaits)
		})
	}
}

// Contract 6: l is any sync.Locker. With an RWMutex's RLocker the handlers share the lock with
// readers, and a writer excludes them.
func TestLockedTimerWithARLocker(t *testing.T) {
	w, err := timerwheel.New(timerwheel.Options{})
	require.NoError(t, err)
	defer w.Close()
	var rw sync.RWMutex
	begun, leave := make(chan bool, 2), make(chan struct{})
	handler := func(timerwheel.Timer) {
		wrote := rw.TryLock()
		if wrote {
			rw.Unlock()
		}
		begun <- wrote
		<-leave
	}
	a, b := w.AllocLocked(rw.RLocker(), handler), w.AllocLocked(rw.RLocker(), handler)
	require.NoError(t, a.Register(0))
	require.NoError(t, b.Register(0))
	require.False(t, <-begun, "the handler does not hold the lock")
	require.False(t, <-begun, "readers do not exclude each other")
	close(leave)
	rw.Lock()
	require.False(t, a.Running(), "who holds l never sees the handler in flight")
	require.False(t, b.Running())
	require.NoError(t, a.Register(0))
	found, err := a.DelSync()
	require.NoError(t, err)
	require.Equal(t, foundPending, found)
	rw.Unlock()
	_, err = b.DelSync()
	require.NoError(t, err)
	require.Empty(t, begun)
}

// Contract 6, with a real mutex and nothing but that mutex: in and dead are plain variables, and
// -race sees any access that is not under the lock. The handler sleeps inside so that the holders
// meet it at the lock.
func TestLockedDelRacesWithTheHandler(t *testing.T) {
	w, err := timerwheel.New(timerwheel.Options{OnPanic: func(timerwheel.HandlerPanic) {}})
	require.NoError(t, err)
	defer w.Close()
	const timers, holders = 4, 2
	var wg sync.WaitGroup
	var wrong, runs atomic.Int64
	for range timers {
		var mu sync.Mutex
		in, dead, n := false, true, 0
		tm := w.AllocLocked(&mu, func(timerwheel.Timer) {
			if in || dead {
				wrong.Add(1)
			}
			in = true
			runs.Add(1)
			runtime.Gosched()
			in = false
			if n++; n%7 == 0 {
				runtime.Goexit()
			} else if n%5 == 0 {
				panic("the handler's")
			}
		})
		for h := range holders {
			verbs := []delVerb{delByDel, delBySync, delByAsync}
			wg.Go(func() {
				for i := range raceRounds(400) {
					mu.Lock()
					if in || tm.Running() {
						wrong.Add(1)
					}
					dead = false
					if tm.Register(time.Duration(i%3)*500*time.Microsecond) != nil {
						wrong.Add(1)
					}
					mu.Unlock()
					if i%4 == 0 {
						time.Sleep(time.Duration(h+1) * time.Millisecond)
					} else {
						runtime.Gosched()
					}
					mu.Lock()
					found, err := verbs[i%len(verbs)].call(tm)
					dead = true
					if err != nil || found.Running || in || tm.Running() {
						wrong.Add(1)
					}
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	require.Zero(t, wrong.Load())
	require.NotZero(t, runs.Load())
}

// Contract 6: "While it waits for l the timer is pending": if the wait ends by a panic or a
// Goexit in the user's Lock, it stays that: it can be deleted, and fires when Lock returns
// at last. On a Manual wheel such a panic passes through Advance as a handler's does.
func TestALockThatDoesNotReturnLeavesItsTimerPending(t *testing.T) {
	t.Run("Goexit", func(t *testing.T) {
		guarded(t, func(t *testing.T) {
			w := openWheel(t, timerwheel.Options{MaxWorkers: 1})
			tries := 0
			l := &hookedLock{durableLock: newDurableLock(), onLock: func() {
				if tries++; tries < 3 {
					runtime.Goexit()
				}
			}}
			runs := 0
			tm := armed(w.AllocLocked(l, func(timerwheel.Timer) { runs++ }), time.Second)
			time.Sleep(2 * time.Second)
			synctest.Wait()
			require.Equal(t, 3, tries)
			require.Equal(t, 1, runs)
			require.False(t, tm.Pending())
			require.True(t, l.isFree())
			require.Zero(t, w.Stats().Workers)
			countsAddUp(t, w)
		})
	})
	for _, then := range []string{"fires", "deleted before", "deleted in Lock", "recycled in Lock"} {
		t.Run("panic in Advance, "+then, func(t *testing.T) {
			w := openManual(t, time.Millisecond)
			var tm timerwheel.Timer
			fails, runs := true, 0
			l := &hookedLock{durableLock: newDurableLock(), onLock: func() {
				if !fails {
					return
				}
				fails = false
				if then == "deleted in Lock" || then == "recycled in Lock" {
					assert.True(t, tm.Stop())
				}
				if then == "recycled in Lock" {
					assert.NoError(t, tm.Free())
				}
				panic("on purpose")
			}}
			tm = armed(w.AllocLocked(l, func(timerwheel.Timer) { runs++ }), 0)
			require.PanicsWithValue(t, "on purpose", func() { _, _ = w.Advance(manualStart) })
			require.Equal(t, then == "fires" || then == "deleted before", tm.Pending())
			require.False(t, tm.Running())
			if then == "deleted before" {
				found, err := tm.DelSync()
				require.NoError(t, err)
				require.Equal(t, foundPending, found)
			}
			want := 0
			if then == "fires" {
				want = 1
			}
			advanceTo(t, w, manualStart, want)
			require.Equal(t, want, runs)
			require.True(t, l.isFree())
			if then != "recycled in Lock" {
				require.NoError(t, tm.Register(0), "as good as new")
				advanceTo(t, w, manualStart, 1)
			}
			countsAddUp(t, w)
		})
	}
}

// Contract 10: "in order of deadline tick", and "what was due and had not begun fires at
// the next Advance": a timer whose Lock has ended the goroutine is still before what was
// registered meanwhile.
func TestALockThatDoesNotReturnKeepsItsTimersTurn(t *testing.T) {
	for exits := 1; exits <= 3; exits++ {
		w, err := timerwheel.New(timerwheel.Options{Manual: true})
		require.NoError(t, err)
		var order []int
		arm := func(n int) {
			require.NoError(t, w.Alloc(func(timerwheel.Timer) { order = append(order, n) }).Register(0))
		}
		l := &exitingLock{exits: exits, meanwhile: arm}
		first := w.AllocLocked(l, func(timerwheel.Timer) { order = append(order, 0) })
		require.NoError(t, first.Register(time.Millisecond))

		for range exits {
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_, _ = w.Advance(w.Now().Add(time.Second))
				t.Error("the lock has not ended the goroutine")
			}()
			<-ended
		}
		_, err = w.Advance(w.Now().Add(time.Second))
		require.NoError(t, err)
		require.Equal(t, []int{0, 1, 2, 3}[:exits+1], order)
		require.NoError(t, w.Close())
	}
}

// An exitingLock is a lock whose Lock first ends the goroutine a few times.
type exitingLock struct {
	exits, calls int
	meanwhile    func(call int)
}

func (l *exitingLock) Lock() {
	if l.calls++; l.calls <= l.exits {
		l.meanwhile(l.calls)
		runtime.Goexit()
	}
}

func (l *exitingLock) Unlock() {}
