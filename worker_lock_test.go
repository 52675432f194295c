package timerwheel_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Section 6 of the promises: timers bound to a lock. In the bubbles the lock is a lockProbe: a
// sync.Mutex is not durable there, and a probe watches the workers that come for it.

// Promise 6.9: AfterFuncLocked calls its function with the lock held, once; while the lock is held
// a Del is synchronous; the timer recycles itself.
func TestAfterFuncLockedHoldsTheLockAndRecyclesItself(t *testing.T) {
	for _, of := range []string{"wheel", "group"} {
		bubble(t, of, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			var by maker = w
			if of == "group" {
				by = w.NewGroup()
			}
			l, runs := newLockProbe(t), 0
			arm := func() timerwheel.Timer {
				return by.AfterFuncLocked(l, time.Second, func() {
					runs++
					assert.True(t, l.taken())
				})
			}
			fires := arm()
			elapse(2 * time.Second)
			require.Equal(t, 1, runs)
			require.False(t, l.taken())
			require.False(t, fires.Valid())

			deleted := arm()
			l.take()
			elapse(2 * time.Second)
			require.True(t, deleted.Pending(), "its worker waits for the lock")
			require.Equal(t, foundPending, deleted.Del())
			l.drop()
			elapse(time.Minute)
			require.Equal(t, 1, runs)
			require.False(t, deleted.Valid())
			require.Zero(t, w.Stats().Live)

			require.NoError(t, w.Close())
			require.False(t, arm().Valid(), "on a closed wheel")
			require.EqualValues(t, 1, w.Stats().Refused)
		})
	}
}

// Promises 4.32, 6.3, 6.5, 6.6 and 8.11: while the lock is held no deletion waits, and the handler does
// not begin after it. While a worker waits for the lock this holds of a deletion without the lock, too.
func TestLockedDeletionWhileHoldingTheLockIsSynchronous(t *testing.T) {
	atLock := func(t *testing.T, tm timerwheel.Timer) {
		armed(tm, 0)
		settle()
	}
	for _, stage := range []struct {
		name  string
		reach func(*testing.T, timerwheel.Timer) // holding the lock
		want  timerwheel.Found
		other bool // the deleter does not hold the lock
	}{
		{"idle", func(*testing.T, timerwheel.Timer) {}, foundNone, false},
		{"pending", func(_ *testing.T, tm timerwheel.Timer) { armed(tm, time.Minute) }, foundPending, false},
		{"the worker waits for the lock", atLock, foundPending, false},
		{"the worker and the deleter wait for the lock", atLock, foundPending, true},
		{"moved while the worker waits for the lock", func(t *testing.T, tm timerwheel.Timer) {
			atLock(t, tm)
			armed(tm, time.Minute)
		}, foundPending, false},
		{"freed while the worker waits for the lock", func(t *testing.T, tm timerwheel.Timer) {
			atLock(t, tm)
			require.NoError(t, tm.Free())
		}, foundPending, false},
	} {
		for _, verb := range memberVerbs {
			bubble(t, stage.name+"/"+verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				l := newLockProbe(t)
				g, runs := w.NewGroup(), 0
				tm := g.AllocLocked(l, func(timerwheel.Timer) {
					runs++
					assert.True(t, l.taken())
				})
				l.take()
				stage.reach(t, tm)
				require.Equal(t, strings.Contains(stage.name, "worker"), l.queued.Load() == 1)

				start := time.Now()
				if stage.other {
					deleting(verb.on(member{tm, g})).requires(t, stage.want, nil)
				} else {
					finds(t, stage.want)(verb.call(member{tm, g}))
				}
				require.Equal(t, start, time.Now(), "it waited")
				require.False(t, tm.Pending())
				require.False(t, tm.Running())
				require.Zero(t, w.Stats().SyncWaits)

				l.drop()
				elapse(2 * time.Minute)
				require.Zero(t, runs, "it began after the deletion")
				require.False(t, l.taken(), "the worker kept the lock")
				require.Zero(t, w.Stats().Fired)
				switch {
				case !tm.Valid():
				case verb.shuts:
					require.ErrorIs(t, tm.Register(0), timerwheel.ErrShutdown)
				default:
					armed(tm, 0)
					settle()
					require.Equal(t, 1, runs)
				}
			})
		}
	}
}

// Promises 6.2, 6.3 and 6.8: it pends at the lock, and runs once, at its new time. The time at the
// lock is lateness, too.
func TestLockedTimerMovedWhileItsWorkerWaitsRunsAtItsNewTime(t *testing.T) {
	for _, move := range []struct {
		name string
		move func(*testing.T, timerwheel.Timer)
		due  time.Duration // after the move
	}{
		{"not moved", func(*testing.T, timerwheel.Timer) {}, 0},
		{"Register", func(_ *testing.T, tm timerwheel.Timer) { armed(tm, time.Hour) }, time.Hour},
		{"Reset", func(t *testing.T, tm timerwheel.Timer) { require.True(t, tm.Reset(time.Hour)) }, time.Hour},
		{"RegisterAt", func(t *testing.T, tm timerwheel.Timer) { require.NoError(t, tm.RegisterAt(time.Now().Add(time.Hour))) }, time.Hour},
		{"RegisterIdle", func(t *testing.T, tm timerwheel.Timer) { require.NoError(t, tm.RegisterIdle(time.Hour)) }, time.Hour},
		{"deleted and registered", func(t *testing.T, tm timerwheel.Timer) {
			deleting(tm.DelSync).requires(t, foundPending, nil)
			armed(tm, time.Hour)
		}, time.Hour},
		{"Reduce to later changes nothing", func(t *testing.T, tm timerwheel.Timer) { require.NoError(t, tm.Reduce(time.Hour)) }, 0},
		{"moved away and back", func(_ *testing.T, tm timerwheel.Timer) { armed(armed(tm, time.Hour), 0) }, 0},
		{"moved, and due again at the lock", func(_ *testing.T, tm timerwheel.Timer) {
			armed(tm, time.Second)
			elapse(time.Minute)
		}, time.Second},
		{"freed", func(t *testing.T, tm timerwheel.Timer) { require.NoError(t, tm.Free()) }, 0},
	} {
		for _, held := range []time.Duration{0, 2 * time.Hour} { // the lock is released before, or long after, the new time
			bubble(t, fmt.Sprintf("%s/held %v", move.name, held), timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
				l := newLockProbe(t)
				var ran []time.Time
				tm := w.AllocLocked(l, func(timerwheel.Timer) { ran = append(ran, time.Now()) })
				l.take()
				require.NoError(t, tm.Register(0))
				settle()
				moved := time.Now()
				move.move(t, tm)
				elapse(held)
				require.EqualValues(t, 1, l.queued.Load(), "the worker is at the lock")
				_, ok := tm.When()
				require.True(t, ok && tm.Pending())
				require.False(t, tm.Running())
				require.Empty(t, w.Running())
				s := w.Stats()
				require.Equal(t, 1, s.Pending)
				require.Zero(t, s.Running)
				require.Zero(t, s.Fired)
				require.Empty(t, ran)
				dropped := time.Now()
				l.drop()
				elapse(4 * time.Hour)

				require.Len(t, ran, 1)
				due := moved.Add(move.due)
				if move.due == 0 || due.Before(dropped) {
					due = dropped
				}
				require.False(t, ran[0].Before(due), "%v early", due.Sub(ran[0]))
				require.Less(t, ran[0].Sub(due), 10*time.Millisecond)
				require.LessOrEqual(t, l.mostQueued.Load(), int32(1))
				s = w.Stats()
				require.EqualValues(t, 1, s.Fired)
				require.Zero(t, s.Running)
				if move.name == "not moved" {
					require.GreaterOrEqual(t, s.MaxLate, held)
				}
				require.Equal(t, move.name != "freed", tm.Valid())
				require.Equal(t, tm.Valid(), s.Live == 1)
			})
		}
	}
}

// Promise 6.10: at most one, however often the timer falls due, is moved, deleted and registered.
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
				deleting(tm.DelSync).requires(t, foundPending, nil)
			}
		}
		require.True(t, tm.Pending())
		require.LessOrEqual(t, w.Stats().Workers, 2, "workers that wait for the lock, or for those")

		other := make(chan struct{}) // the worker at the lock delays no other timer
		w.AfterFunc(0, func() { close(other) })
		<-other
		l.drop()
		settle()
		require.EqualValues(t, 1, l.mostQueued.Load())
		require.Equal(t, 1, runs)
	})
}

// Promises 6.1, 6.4 and 6.7. The probe looks from inside Unlock, the last moment that is still under the
// lock, and from inside Lock, where the timer must still be pending.
func TestLockedRunIsOverBeforeItsLockIsReleased(t *testing.T) {
	onPanic := func(timerwheel.HandlerPanic) {}
	type sight struct {
		pending, running  bool
		handlers, counted int
	}
	for _, end := range []struct {
		name    string
		end     func()
		onPanic func(timerwheel.HandlerPanic)
	}{
		{"return", nil, nil},
		{"panic", func() { panic("the handler's") }, onPanic},
		{"Goexit", runtime.Goexit, nil},
		{"Goexit, with OnPanic", runtime.Goexit, onPanic},
	} {
		bubble(t, end.name, timerwheel.Options{OnPanic: end.onPanic}, func(t *testing.T, w *timerwheel.Wheel) {
			l, p := newLockProbe(t), newPuppet(t)
			var tm timerwheel.Timer
			look := func() sight { return sight{tm.Pending(), tm.Running(), len(w.Running()), w.Stats().Running} }
			var atLock, atUnlock []sight
			l.onLock = func() { atLock = append(atLock, look()) }
			l.onUnlock = func() { atUnlock = append(atUnlock, look()) }
			tm = w.AllocLocked(l, p.handle)
			armed(tm, time.Second)
			settle()
			require.False(t, l.taken(), "taken while the timer only pends")
			elapse(time.Second)
			require.Equal(t, sight{running: true, handlers: 1, counted: 1}, look())
			require.True(t, l.taken(), "the handler runs without its lock")
			require.Equal(t, []sight{{pending: true}}, atLock)
			require.Empty(t, atUnlock)
			c := deleting(tm.DelSync) // by a goroutine that does not hold the lock
			require.True(t, c.waits())

			p.do <- end.end
			c.requires(t, foundRunning, nil)
			require.Equal(t, []sight{{}}, atUnlock)
			require.False(t, l.taken())

			startRun(t, tm) // the lock and the timer can still be used
			p.let()
			settle()
			require.False(t, l.taken())
			require.EqualValues(t, 2, l.locks.Load())
			require.Len(t, atUnlock, 2)
		})
	}
}

// Promise 6.3: the timer is recycled while its worker waits for its lock, and other timers get its
// record. The worker does not run them, whatever lock they are bound to, and they do not wait for it.
func TestLockedTimerRecycledWhileItsWorkerWaits(t *testing.T) {
	for _, verb := range timerVerbs {
		bubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			l, l2 := newLockProbe(t), newLockProbe(t)
			var old, due, later atomic.Int32
			tm := w.AllocLocked(l, func(timerwheel.Timer) { old.Add(1) })
			l.take()
			require.NoError(t, tm.Register(0))
			settle()
			require.EqualValues(t, 1, l.queued.Load())
			finds(t, foundPending)(verb.call(tm))
			require.NoError(t, tm.Free())
			require.False(t, tm.Valid(), "a worker at the lock holds no running reference")

			const n = 32 // of each kind, so that one of them gets the old record
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
				require.NoError(t, tm.Register(0)) // they, too, are at their lock when the old worker gets its lock
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
			elapse(time.Hour)
			settle()
			require.EqualValues(t, 2*n, later.Load())
			require.False(t, l.taken())
			require.False(t, l2.taken())
		})
	}
}

// Promise 6.1: one lock may serve many timers. It excludes their handlers from each other, and a
// handler, which holds it, may delete the others synchronously.
func TestLockedTimersThatShareALock(t *testing.T) {
	for _, verb := range timerVerbs {
		bubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			l, p := newLockProbe(t), newPuppet(t)
			startRun(t, w.AllocLocked(l, p.handle))
			var others []timerwheel.Timer
			var in, runs int // guarded by l
			for range 10 {
				others = append(others, armed(w.AllocLocked(l, func(timerwheel.Timer) {
					assert.Zero(t, in)
					in++
					runs++
					time.Sleep(time.Second)
					in--
				}), 0))
			}
			settle()
			require.Equal(t, 10, w.Stats().Pending)
			for _, tm := range others[:5] {
				p.call(verb.on(tm)).requires(t, foundPending, nil)
			}
			p.let()
			elapse(time.Minute)
			require.Equal(t, 5, runs)
		})
	}
}

// Promises 6.1 and 6.10: the lock is any sync.Locker. With an RWMutex's RLocker the handlers share the
// lock with readers, and a writer excludes them. All RLockers of one RWMutex are one lock.
func TestLockedTimerWithARLocker(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		var rw sync.RWMutex
		p := newPuppet(t)
		rw.RLock()
		a, b := armed(w.AllocLocked(rw.RLocker(), p.handle), 0), armed(w.AllocLocked(rw.RLocker(), p.handle), 0)
		settle()
		require.EqualValues(t, 1, p.begun.Load(), "beside a reader, and one after the other")
		rw.RUnlock()
		require.False(t, rw.TryLock(), "the handler does not hold the lock")
		require.True(t, a.Running() && b.Pending() || b.Running() && a.Pending())
		p.end()
		settle()
		require.EqualValues(t, 2, p.begun.Load())
		require.False(t, rw.TryLock(), "the second handler does not hold the lock")
		p.end()
		settle()
		require.True(t, rw.TryLock())
		require.False(t, a.Running() || b.Running(), "the holder of the lock sees no handler in flight")
		rw.Unlock()
	})
}

// Promises 6.5 and 6.7 with a real mutex only: in and dead are plain variables, and -race sees an
// access that is not under the lock. The handler yields, so that the holders meet it at the lock.
func TestLockedDelRacesWithTheHandler(t *testing.T) {
	w := openWheel(t, timerwheel.Options{OnPanic: func(timerwheel.HandlerPanic) {}})
	const timers, holders = 4, 2
	var wg sync.WaitGroup
	var wrong faults
	var runs atomic.Int64
	verbs := timerVerbs.named("Del", "DelSync", "DelAsync")
	for range timers {
		var mu sync.Mutex
		in, dead, n := false, true, 0
		tm := w.AllocLocked(&mu, func(timerwheel.Timer) {
			wrong.expect(!in && !dead, "the handler")
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
			wg.Go(func() {
				for i := range raceRounds(200) {
					mu.Lock()
					wrong.expect(!in && !tm.Running(), "the holder of the lock")
					dead = false
					wrong.expect(tm.Register(time.Duration(i%3)*500*time.Microsecond) == nil, "Register")
					mu.Unlock()
					if i%4 == 0 {
						time.Sleep(time.Duration(h+1) * time.Millisecond)
					} else {
						runtime.Gosched()
					}
					mu.Lock()
					found, err := verbs[i%3].call(tm)
					dead = true
					wrong.expect(err == nil && !found.Running && !in && !tm.Running(), "the deletion")
					mu.Unlock()
				}
			})
		}
	}
	within(t, wg.Wait)
	wrong.requireNone(t)
	require.NotZero(t, runs.Load())
}

// Promise 6.2: where the user's Lock panics or ends the goroutine the timer stays pending, and fires
// when Lock returns at last. On a Manual wheel the panic passes through Advance as a handler's does.
func TestALockThatDoesNotReturnLeavesItsTimerPending(t *testing.T) {
	bubble(t, "Goexit", timerwheel.Options{MaxWorkers: 1}, func(t *testing.T, w *timerwheel.Wheel) {
		l := newLockProbe(t)
		tries, runs := 0, 0
		l.onLock = func() {
			if tries++; tries < 3 {
				runtime.Goexit()
			}
		}
		tm := armed(w.AllocLocked(l, func(timerwheel.Timer) { runs++ }), time.Second)
		elapse(2 * time.Second)
		require.Equal(t, 3, tries)
		require.Equal(t, 1, runs)
		require.False(t, tm.Pending())
		require.False(t, l.taken())
		require.Zero(t, w.Stats().Workers)
	})
	for _, then := range []string{"fires", "deleted before", "deleted in Lock", "recycled in Lock"} {
		t.Run("panic in Advance, "+then, func(t *testing.T) {
			w, l := openManual(t, time.Millisecond), newLockProbe(t)
			var tm timerwheel.Timer
			fails, runs := true, 0
			l.onLock = func() {
				if !fails {
					return
				}
				fails = false
				if strings.HasSuffix(then, "in Lock") {
					assert.True(t, tm.Stop())
				}
				if then == "recycled in Lock" {
					assert.NoError(t, tm.Free())
				}
				panic("on purpose")
			}
			tm = armed(w.AllocLocked(l, func(timerwheel.Timer) { runs++ }), 0)
			require.PanicsWithValue(t, "on purpose", func() { _, _ = w.Advance(manualStart) })
			require.Equal(t, !strings.HasSuffix(then, "in Lock"), tm.Pending())
			require.False(t, tm.Running())
			if then == "deleted before" {
				finds(t, foundPending)(tm.DelSync())
			}
			want := 0
			if then == "fires" {
				want = 1
			}
			advanceTo(t, w, manualStart, want)
			require.Equal(t, want, runs)
			require.False(t, l.taken())
			if then != "recycled in Lock" {
				require.NoError(t, tm.Register(0), "it can still be used")
				advanceTo(t, w, manualStart, 1)
			}
		})
	}
}

// Promise 6.3, where a Lock does not return: a timer that was moved in that time fires at its new time.
func TestALockThatDoesNotReturnLeavesAMovedTimerWhereItIs(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		l := newLockProbe(t)
		start, fired := time.Now(), time.Duration(0)
		tm := w.AllocLocked(l, func(timerwheel.Timer) { fired = time.Since(start) })
		l.onLock = func() {
			l.onLock = nil
			armed(tm, time.Hour)
			runtime.Goexit()
		}
		armed(tm, 0)
		elapse(time.Minute)
		require.True(t, tm.Pending())
		elapse(time.Hour)
		require.GreaterOrEqual(t, fired, time.Hour)
	})
}

// Promise 6.8: a worker that has run a lock-bound timer leaves it alone from then on. It goes on to
// another timer, whose handler exits while another worker waits for the first one's lock.
func TestAWorkerThatHadALockDoesNotAbandonItLater(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		l, g := newLockProbe(t), w.NewGroup() // in one shard, so that one worker runs both
		exit := openedAtTheEnd(t)
		var workers []string
		tm := armed(g.AllocLocked(l, func(timerwheel.Timer) { workers = append(workers, goroutineName()) }), time.Millisecond)
		g.AfterFunc(time.Millisecond, func() {
			workers = append(workers, goroutineName())
			<-exit
			runtime.Goexit()
		})
		settle()
		require.Len(t, workers, 2)
		require.Equal(t, workers[0], workers[1], "the test tests nothing")
		l.take()
		armed(tm, 0)
		settle()
		require.EqualValues(t, 1, l.queued.Load())
		close(exit)
		settle()
		require.EqualValues(t, 1, l.mostQueued.Load(), "workers that wait for one timer's lock")
		l.drop()
		settle()
		require.Len(t, workers, 3)
	})
}

// Promise 10.3: a timer whose Lock has ended the goroutine is still before what was registered since.
func TestALockThatDoesNotReturnKeepsTheOrder(t *testing.T) {
	for exits := 1; exits <= 3; exits++ {
		w, l := openManual(t, 0), newLockProbe(t)
		var order []int
		logs := func(n int) func(timerwheel.Timer) { return func(timerwheel.Timer) { order = append(order, n) } }
		calls := 0
		l.onLock = func() {
			if calls++; calls <= exits {
				armed(w.Alloc(logs(calls)), 0)
				runtime.Goexit()
			}
		}
		armed(w.AllocLocked(l, logs(0)), time.Millisecond)
		for range exits {
			within(t, func() {
				_, _ = w.Advance(w.Now().Add(time.Second))
				t.Error("the lock has not ended the goroutine")
			})
		}
		advanceTo(t, w, w.Now().Add(time.Second), exits+1)
		require.Equal(t, []int{0, 1, 2, 3}[:exits+1], order)
	}
}
