package timerwheel_test

import (
	"iter"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Section 6 of the promises: a handler that releases the lock of its timer.

func lockAndUnlock(l sync.Locker) {
	l.Lock()
	defer l.Unlock()
}

// newReleased makes a timer of a group, bound to l, whose handler runs and has released the lock.
func newReleased(t *testing.T, g *timerwheel.Group, l sync.Locker) (timerwheel.Timer, *puppet) {
	t.Helper()
	p := newPuppet(t)
	tm := g.AllocLocked(l, p.handle)
	startRun(t, tm)
	p.tell(func() { assert.NoError(t, tm.ReleaseLock()) })
	return tm, p
}

// Promises 6.16 and 6.19: the lock is free at once, and the wheel does not release it again, however
// the handler ends: a goroutine that has taken it since keeps it. The handler may lock it again by itself. The
// next run of the timer has the lock again.
func TestReleaseLockReleasesTheLockOnce(t *testing.T) {
	onPanic := timerwheel.Options{OnPanic: func(timerwheel.HandlerPanic) {}}
	for _, end := range []struct {
		name string
		end  func()
		o    timerwheel.Options
	}{
		{"return", nil, timerwheel.Options{}},
		{"panic", func() { panic("the handler's") }, onPanic},
		{"Goexit", runtime.Goexit, timerwheel.Options{}},
		{"Goexit, with OnPanic", runtime.Goexit, onPanic},
	} {
		bubble(t, end.name, end.o, func(t *testing.T, w *timerwheel.Wheel) {
			l, p, unlocks := newLockProbe(t), newPuppet(t), 0
			l.onUnlock = func() { unlocks++ }
			tm := w.AllocLocked(l, p.handle)
			for run := 1; run <= 3; run++ {
				startRun(t, tm)
				require.True(t, l.taken())
				p.tell(func() {
					assert.NoError(t, tm.ReleaseLock())
					assert.False(t, l.taken())
					assert.ErrorIs(t, tm.ReleaseLock(), timerwheel.ErrNotLocked)
					assert.False(t, l.taken())
					l.Lock()
					assert.ErrorIs(t, tm.ReleaseLock(), timerwheel.ErrNotLocked)
					assert.True(t, l.taken())
					l.Unlock()
				})
				l.take()
				require.True(t, tm.Running())
				p.do <- end.end
				settle()
				require.False(t, tm.Running())
				require.True(t, l.taken(), "the wheel has released a lock that is another's")
				require.Equal(t, 2*run, unlocks)
				l.drop()
				requireLaw(t, w.Stats())
				require.Zero(t, w.Stats().Workers)
			}
		})
	}
}

// Promise 6.16: whatever makes the lock-bound timer, and whatever becomes of it in its handler.
func TestReleaseLockOfEachLockBoundTimer(t *testing.T) {
	for name, change := range map[string]func(*testing.T, timerwheel.Timer){
		"nothing":    func(*testing.T, timerwheel.Timer) {},
		"freed":      func(_ *testing.T, tm timerwheel.Timer) { _ = tm.Free() },
		"registered": func(_ *testing.T, tm timerwheel.Timer) { _ = tm.Register(time.Hour) },
		"shut down":  func(_ *testing.T, tm timerwheel.Timer) { tm.Shutdown() },
		"deleted": func(t *testing.T, tm timerwheel.Timer) {
			_, err := tm.DelSync()
			assert.ErrorIs(t, err, timerwheel.ErrDeadlock)
		},
	} {
		for _, of := range []string{"wheel", "group"} {
			for _, debug := range []bool{false, true} {
				bubble(t, name+"/"+of, timerwheel.Options{Debug: debug}, func(t *testing.T, w *timerwheel.Wheel) {
					var by maker = w
					if of == "group" {
						by = w.NewGroup()
					}
					l, released := newLockProbe(t), 0
					release := func(tm timerwheel.Timer) {
						assert.True(t, l.taken())
						change(t, tm)
						assert.NoError(t, tm.ReleaseLock())
						assert.False(t, l.taken())
						released++
					}
					armed(by.AllocLocked(l, release), 0)
					settle()
					var tm timerwheel.Timer
					l.take()
					tm = by.AfterFuncLocked(l, 0, func() { release(tm) })
					l.drop()
					settle()
					require.Equal(t, 2, released)
					require.False(t, l.taken())
				})
			}
		}
	}
}

// Promise 6.17: who holds the lock finds the handler in flight. A deletion that does not wait does not
// wait; one that waits, waits for the rest of the handler, while Registers are refused; done is called
// after it.
func TestAfterReleaseLockADeletionUnderTheLockFindsTheRun(t *testing.T) {
	for _, verb := range memberVerbs {
		if verb.ended {
			continue
		}
		bubble(t, verb.name, timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
			l, g := newLockProbe(t), w.NewGroup()
			tm, p := newReleased(t, g, l)
			l.take()
			require.True(t, tm.Running())
			require.Len(t, w.Running(), 1)
			p.tell(func() { assert.NoError(t, tm.Register(time.Hour)) })

			c := deleting(verb.on(member{tm, g}))
			want := foundBoth
			if verb.name == "Stop" {
				want = foundPending
			}
			require.Equal(t, verb.syncs, c.waits())
			require.False(t, tm.Pending())
			if verb.syncs {
				refused := timerwheel.ErrDeleting
				if verb.shuts {
					refused = timerwheel.ErrShutdown
				}
				requireRefused(t, w, tm, refused)
				requireRefusedInHandler(t, w, p, refused, tm)
				p.end()
			}
			c.requires(t, want, nil)
			require.True(t, l.taken(), "by the test, all the time")
			l.drop()
		})
	}
	bubble(t, "DelAsync's done", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		l := newLockProbe(t)
		tm, p := newReleased(t, w.NewGroup(), l)
		l.take()
		var after bool
		require.Equal(t, foundRunning, tm.DelAsync(func() { after = p.ended.Load() == 1 }))
		settle()
		require.False(t, after)
		p.end()
		settle()
		require.True(t, after)
		l.drop()
	})
}

// Promise 6.17: a DelSync while holding the lock hangs if the rest of the handler wants the lock again;
// DelSyncContext bounds that.
func TestAfterReleaseLockTheHandlerMayWantTheLockAgain(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		l := newLockProbe(t)
		tm, p := newReleased(t, w.NewGroup(), l)
		l.take()
		p.do <- func() { lockAndUnlock(l) }
		c := deleting(tm.DelSync)
		elapse(time.Hour)
		require.True(t, c.waits())
		l.drop()
		p.end()
		c.requires(t, foundRunning, nil)
	})
}

// Promise 6.18: the other timers of the lock do not wait for the rest of the handler: they run beside
// it, with the lock, one after the other, in their order, also those that come later. That is so again
// where several have released it.
func TestAfterReleaseLockTheLineGoesOn(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		x := newLineUp(t, w, 6)
		gate := openedAtTheEnd(t)
		in := 0
		x.each = func(n int) {
			assert.True(t, x.l.taken())
			assert.Zero(t, in)
			in++
			time.Sleep(time.Second)
			in--
			if n%2 == 0 {
				assert.NoError(t, x.timers[n].ReleaseLock())
				<-gate
			}
		}
		dropped := time.Now()
		x.l.drop()
		elapse(time.Minute)
		require.Equal(t, upTo(6), x.ran)
		require.Equal(t, 3, w.Stats().Running)
		require.EqualValues(t, 1, x.l.mostQueued.Load())
		require.False(t, x.l.taken())
		require.Less(t, w.Stats().MaxLate, time.Since(dropped)-50*time.Second, "they waited for the rest of a handler")

		armed(x.timers[1], 0)
		settle()
		require.True(t, x.timers[1].Running(), "one that comes later")
		elapse(time.Minute)
		close(gate)
		settle()
		x.requireDone(t, w, []int{0, 1, 2, 3, 4, 5, 1})
	})
}

// Promise 6.18: so it is however the handler ends, and while OnPanic blocks.
func TestAfterReleaseLockTheLineSurvivesWhatDoesNotReturn(t *testing.T) {
	const n = 6
	for name, end := range map[string]func(){"panic": func() { panic("the handler's") }, "Goexit": runtime.Goexit} {
		for _, workers := range []int{0, 2} {
			o := timerwheel.Options{MaxWorkers: workers, OnPanic: func(timerwheel.HandlerPanic) { time.Sleep(time.Second) }}
			bubble(t, name, o, func(t *testing.T, w *timerwheel.Wheel) {
				x := newLineUp(t, w, n)
				x.each = func(k int) {
					assert.NoError(t, x.timers[k].ReleaseLock())
					end()
				}
				x.l.drop()
				elapse(time.Minute)
				x.requireDone(t, w, upTo(n))
				require.EqualValues(t, n, x.l.locks.Load())
			})
		}
	}
}

// Promise 6.18: with no worker for them, the others are pending until there is one.
func TestAfterReleaseLockTheLineWaitsForAWorker(t *testing.T) {
	bubble(t, "", timerwheel.Options{MaxWorkers: 2}, func(t *testing.T, w *timerwheel.Wheel) {
		x := newLineUp(t, w, 4)
		gate, other := openedAtTheEnd(t), openedAtTheEnd(t)
		w.AfterFunc(0, func() { <-other })
		settle()
		x.each = func(n int) {
			if n == 0 {
				assert.NoError(t, x.timers[0].ReleaseLock())
				<-gate
			}
		}
		x.l.drop()
		elapse(time.Minute)
		require.Equal(t, []int{0}, x.ran)
		require.Equal(t, 3, w.Stats().Pending)
		require.Equal(t, foundPending, x.timers[2].Del())
		close(other)
		settle()
		require.Equal(t, []int{0, 1, 3}, x.ran, "beside the first")
		require.True(t, x.timers[0].Running())
		close(gate)
		settle()
		x.requireDone(t, w, []int{0, 1, 3})
	})
}

// Promise 6.18: the timer itself does not run beside the rest of its own handler, and has the lock when
// it runs again.
func TestAfterReleaseLockTheTimerDoesNotOverlapItself(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		l, in, runs := newLockProbe(t), 0, 0
		armed(w.AllocLocked(l, func(tm timerwheel.Timer) {
			assert.Zero(t, in)
			assert.True(t, l.taken())
			in++
			if runs++; runs < 5 {
				assert.NoError(t, tm.Register(0))
			}
			assert.NoError(t, tm.ReleaseLock())
			time.Sleep(time.Second)
			in--
		}), 0)
		elapse(time.Minute)
		require.Equal(t, 5, runs)
		require.False(t, l.taken())
	})
}

// Promise 6.19: ErrNotLocked, and nothing is changed, in every other function that the wheel calls,
// in another wheel's handler, and in a goroutine that is not the wheel's: the timer runs with its lock, and
// keeps it.
func TestReleaseLockElsewhereIsRefused(t *testing.T) {
	for _, where := range callbacks {
		h := new(callbackHooks)
		bubble(t, where.name, h.options(), func(t *testing.T, w *timerwheel.Wheel) {
			l, p := newLockProbe(t), newPuppet(t)
			h.stalled = func(timerwheel.Stall) {}
			tm := w.AllocLocked(l, p.handle)
			startRun(t, tm)
			other, err := timerwheel.New(timerwheel.Options{})
			require.NoError(t, err)
			defer other.Close()
			var calls atomic.Int32
			where.arrange(t, w, h, sync.OnceFunc(func() {
				calls.Add(1)
				assert.ErrorIs(t, tm.ReleaseLock(), timerwheel.ErrNotLocked)
				if where.name == "the user's Lock" {
					_ = w.Close() // so that its handler does not run
				}
			}))
			other.AfterFuncLocked(newDurableLock(), 0, func() {
				calls.Add(1)
				assert.ErrorIs(t, tm.ReleaseLock(), timerwheel.ErrNotLocked)
			})
			elapse(10 * time.Second)
			require.EqualValues(t, 2, calls.Load())
			require.ErrorIs(t, tm.ReleaseLock(), timerwheel.ErrNotLocked)
			require.True(t, l.taken())
			require.True(t, tm.Running())
		})
	}
}

// Promise 6.19: in a handler only for its own timer, and there not in a goroutine or a coroutine. With
// Debug the error says which timer it was.
func TestReleaseLockOfAnotherTimerIsRefused(t *testing.T) {
	for _, debug := range []bool{false, true} {
		bubble(t, "", timerwheel.Options{Debug: debug}, func(t *testing.T, w *timerwheel.Wheel) {
			l, p, g := newLockProbe(t), newPuppet(t), w.NewGroup() // all of one shard
			stale := g.Alloc(func(timerwheel.Timer) {})
			require.NoError(t, stale.Free())
			tm := g.AllocLocked(l, p.handle)
			startRun(t, tm)
			released, _ := newReleased(t, g, newLockProbe(t))
			others := map[string]timerwheel.Timer{
				"zero":            {},
				"stale":           stale,
				"idle":            g.AllocLocked(l, func(timerwheel.Timer) {}),
				"unbound":         g.Alloc(func(timerwheel.Timer) {}),
				"of another lock": g.AllocLocked(newLockProbe(t), func(timerwheel.Timer) {}),
				"released":        released,
			}
			refuses := func(tm timerwheel.Timer, what string) {
				err := tm.ReleaseLock()
				if assert.ErrorIs(t, err, timerwheel.ErrNotLocked, what) {
					assert.Equal(t, debug && tm.Valid(), err.Error() != timerwheel.ErrNotLocked.Error(), what)
				}
			}
			p.tell(func() {
				for what, other := range others {
					refuses(other, what)
				}
				<-inBackground(func() { refuses(tm, "in a goroutine of the handler") })
				next, stop := iter.Pull(func(yield func(int) bool) { refuses(tm, "in a coroutine of the handler") })
				next()
				stop()
				assert.True(t, l.taken())
				assert.NoError(t, tm.ReleaseLock(), "after all that")
				assert.False(t, l.taken())
			})
		})
	}
}

// Promise 6.20: where Unlock panics, or ends the goroutine, so does ReleaseLock, and the lock counts as
// released. A handler that recovers the panic goes on; the line has gone on already.
func TestReleaseLockWhoseUnlockDoesNotReturn(t *testing.T) {
	var panics atomic.Int32
	o := timerwheel.Options{OnPanic: func(timerwheel.HandlerPanic) { panics.Add(1) }}
	for _, how := range []struct {
		name     string
		onUnlock func()
		recovers bool
		panics   int32
	}{
		{"recovered", func() { panic("Unlock's") }, true, 0},
		{"panic", func() { panic("Unlock's") }, false, 1},
		{"Goexit", runtime.Goexit, false, 0},
	} {
		bubble(t, how.name, o, func(t *testing.T, w *timerwheel.Wheel) {
			panics.Store(0)
			x := newLineUp(t, w, 3)
			unlocks := 0
			x.l.onUnlock = func() {
				if unlocks++; unlocks == 1 {
					<-x.l.sem
					how.onUnlock()
				}
			}
			gate := openedAtTheEnd(t)
			x.each = func(n int) {
				if n > 0 {
					assert.NoError(t, x.timers[n].ReleaseLock())
					return
				}
				if how.recovers {
					assert.Equal(t, "Unlock's", panicOf(func() { _ = x.timers[0].ReleaseLock() }))
					assert.ErrorIs(t, x.timers[0].ReleaseLock(), timerwheel.ErrNotLocked)
					<-gate
					return
				}
				_ = x.timers[0].ReleaseLock()
				t.Error("ReleaseLock has returned")
			}
			x.l.drop()
			elapse(time.Minute)
			require.Equal(t, upTo(3), x.ran)
			require.Equal(t, how.recovers, x.timers[0].Running())
			close(gate)
			settle()
			require.Equal(t, 3, unlocks)
			require.Equal(t, how.panics, panics.Load())
			x.requireDone(t, w, upTo(3))
		})
	}
}

// Promise 6.21: Close, which waits for the handler, changes nothing for it; the others of the line have
// been dropped.
func TestReleaseLockWhileTheWheelIsClosed(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		x := newLineUp(t, w, 3)
		gate, rest := openedAtTheEnd(t), openedAtTheEnd(t)
		x.each = func(n int) {
			<-gate
			assert.NoError(t, x.timers[n].ReleaseLock())
			assert.ErrorIs(t, x.timers[n].ReleaseLock(), timerwheel.ErrNotLocked)
			<-rest
		}
		x.l.drop()
		settle()
		closed := inBackground(func() { assert.NoError(t, w.Close()) })
		settle()
		close(gate)
		settle()
		require.False(t, x.l.taken())
		require.False(t, isClosed(closed), "it waits for the rest")
		close(rest)
		settle()
		require.True(t, isClosed(closed))
		x.requireDone(t, w, []int{0})
	})
}

// Promises 6.17 and 4.22: two timers of one lock run side by side after ReleaseLock, and may close a
// circle.
func TestAfterReleaseLockTimersOfOneLockMayCloseACircle(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		l, g := newLockProbe(t), w.NewGroup()
		a, pa := newReleased(t, g, l)
		b, pb := newReleased(t, g, l)
		first := pa.call(b.DelSync)
		require.True(t, first.waits())
		pb.call(a.DelSync).requires(t, foundRunning, timerwheel.ErrDeadlock)
		pb.end()
		first.requires(t, foundRunning, nil)
	})
}

// Promises 6.18 and 2.63: OnStall reports the rest of the handler, and the wait of the worker that has come
// for the line.
func TestAfterReleaseLockStallsAreReported(t *testing.T) {
	var mu sync.Mutex
	var stalls []timerwheel.Stall
	o := timerwheel.Options{StallAfter: time.Second, OnStall: func(s timerwheel.Stall) {
		mu.Lock()
		defer mu.Unlock()
		stalls = append(stalls, s)
	}}
	bubble(t, "", o, func(t *testing.T, w *timerwheel.Wheel) {
		x := newLineUp(t, w, 2)
		gate, lock := openedAtTheEnd(t), openedAtTheEnd(t)
		x.each = func(n int) {
			if n == 0 {
				x.l.onLock = func() { <-lock }
				assert.NoError(t, x.timers[0].ReleaseLock())
				<-gate
			}
		}
		x.l.drop()
		elapse(time.Minute)
		mu.Lock()
		kinds := map[timerwheel.StallKind]timerwheel.Timer{}
		for _, s := range stalls {
			kinds[s.Kind] = s.Timer
		}
		mu.Unlock()
		require.Equal(t, map[timerwheel.StallKind]timerwheel.Timer{
			timerwheel.StalledHandler: x.timers[0], timerwheel.StalledLock: x.timers[1],
		}, kinds)
		close(lock)
		close(gate)
		settle()
		x.requireDone(t, w, upTo(2))
	})
}

// Promises 6.18 and 11.21: timers of a lock that wait for a worker, because all are busy, saturate the
// wheel as others do: once until a worker serves them, or they are deleted.
func TestAfterReleaseLockTheLineMaySaturateTheWheel(t *testing.T) {
	for name, ends := range map[string]func(p *puppet, x *lineUp){
		"served": func(p *puppet, _ *lineUp) { p.end() },
		"deleted": func(_ *puppet, x *lineUp) {
			for _, tm := range x.timers[1:] {
				tm.Del()
			}
		},
	} {
		var log stallLog
		bubble(t, name, timerwheel.Options{MaxWorkers: 2, OnStall: log.onStall}, func(t *testing.T, w *timerwheel.Wheel) {
			x := newLineUp(t, w, 4)
			due, _ := x.timers[1].When()
			_, p := newRun(t, w) // the second worker
			gate := openedAtTheEnd(t)
			x.each = func(n int) {
				if n == 0 {
					time.Sleep(500 * time.Millisecond) // so that nothing else stalls when the others do
					assert.NoError(t, x.timers[0].ReleaseLock())
					<-gate
				}
			}
			elapse(10 * time.Second)
			log.takes(t, timerwheel.StalledLock, 1)
			log.takes(t, timerwheel.StalledHandler, 1)
			log.requires(t, 0, 0)
			dropped := time.Now()
			x.l.drop()
			elapse(1500*time.Millisecond - time.Millisecond)
			log.requires(t, 1, 0)
			elapse(time.Minute)
			s := log.takes(t, timerwheel.Saturated, 1)[0]
			require.Equal(t, x.timers[1], s.Timer)
			require.True(t, s.Since.Equal(due), "its deadline")
			require.Equal(t, 3, s.Due)
			require.WithinDuration(t, dropped.Add(1500*time.Millisecond), due.Add(s.For), 2*time.Millisecond)

			ends(p, x)
			settle()
			log.requires(t, 0, 0)
			if name == "served" {
				require.Equal(t, upTo(4), x.ran)
				newRun(t, w)
			}
			waits := armed(w.Alloc(delIgnore), 0)
			elapse(2 * time.Second)
			require.Equal(t, waits, log.takes(t, timerwheel.Saturated, 1)[0].Timer, "once more")
			close(gate)
		})
	}
}

// Promise 6.22: on a Manual wheel the others of the lock run after the rest of the handler, in their
// order. Neither OnMisuse nor the done of a DelAsync, though called in the handler's goroutine, is the
// handler; nor is OnNext.
func TestReleaseLockOnAManualWheel(t *testing.T) {
	var onMisuse func()
	var first timerwheel.Timer
	told := 0
	w := openWheel(t, timerwheel.Options{
		Manual: true, Start: manualStart, Debug: true, OnMisuse: func(error) { onMisuse() },
		OnNext: func(time.Time) {
			told++
			assert.ErrorIs(t, first.ReleaseLock(), timerwheel.ErrNotLocked)
		},
	})
	l := newLockProbe(t)
	stale, idle := w.Alloc(func(timerwheel.Timer) {}), w.Alloc(func(timerwheel.Timer) {})
	require.NoError(t, stale.Free())
	var order []int
	first = w.AllocLocked(l, delIgnore)
	require.True(t, armed(first, time.Hour).Stop())
	require.Equal(t, 1, told)
	for n := range 6 {
		armed(w.AllocLocked(l, func(tm timerwheel.Timer) {
			order = append(order, n)
			calls := 0
			refused := func() {
				calls++
				assert.ErrorIs(t, tm.ReleaseLock(), timerwheel.ErrNotLocked)
				assert.True(t, l.taken())
			}
			onMisuse = func() { refused(); panic("OnMisuse's") }
			assert.Equal(t, "OnMisuse's", panicOf(func() { _ = stale.Register(0) }))
			idle.DelAsync(refused)
			if n == 4 {
				assert.ErrorIs(t, w.Close(), timerwheel.ErrDeadlock)
				idle.DelAsync(refused)
			}
			assert.NotZero(t, calls)
			if !assert.NoError(t, tm.ReleaseLock()) {
				return // it would wait for the lock for ever
			}
			assert.ErrorIs(t, tm.ReleaseLock(), timerwheel.ErrNotLocked)
			assert.False(t, l.taken())
			_, err := w.Advance(w.Now().Add(time.Hour))
			assert.ErrorIs(t, err, timerwheel.ErrDeadlock)
			if n == 2 {
				panic("the handler's")
			}
			lockAndUnlock(l) // the others do not run
			tm.DelAsync(func() { assert.ErrorIs(t, tm.ReleaseLock(), timerwheel.ErrNotLocked) })
		}), time.Millisecond)
	}
	onMisuse = func() {}
	now := manualStart.Add(time.Second)
	require.PanicsWithValue(t, "the handler's", func() { _, _ = w.Advance(now) })
	advanceTo(t, w, now, 2)
	onMisuse = func() {}
	require.Equal(t, upTo(5), order)
	require.False(t, l.taken())
}

// Promise 6.16 with RLockers: they are one lock, and a reader's share is released.
func TestReleaseLockOfARLocker(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		var rw sync.RWMutex
		gate, runs := openedAtTheEnd(t), 0
		for range 3 {
			armed(w.AllocLocked(rw.RLocker(), func(tm timerwheel.Timer) {
				runs++
				last := runs == 3 // before it, the worker that comes for the next may have the lock by then
				assert.False(t, rw.TryLock())
				assert.NoError(t, tm.ReleaseLock())
				if last && assert.True(t, rw.TryLock()) {
					rw.Unlock()
				}
				<-gate
			}), 0)
		}
		settle()
		require.Equal(t, 3, runs)
		close(gate)
		settle()
		require.True(t, rw.TryLock())
		rw.Unlock()
	})
}

// Promises 6.16 to 6.18 under load, with a real mutex for all timers. in and released are plain: -race
// sees an access without the lock. A deletion under the lock finds running only what has released it.
func TestReleaseLockUnderRaces(t *testing.T) {
	w := openWheel(t, timerwheel.Options{MaxWorkers: 4, OnPanic: func(timerwheel.HandlerPanic) {}})
	const timers = 16
	var mu sync.Mutex
	var wrong faults
	in, runs := false, 0
	released := make([]int, timers) // runs that have released the lock, and may go on
	var rests atomic.Int64
	var all []timerwheel.Timer
	for k := range timers {
		all = append(all, w.NewGroup().AllocLocked(&mu, func(tm timerwheel.Timer) {
			wrong.expect(!in, "the handler")
			in = true
			runs++
			n := runs
			runtime.Gosched()
			in = false
			if n%3 == 0 {
				return
			}
			if n%4 == 0 {
				_ = tm.Register(0) // perhaps refused
			}
			released[k]++
			wrong.expect(tm.ReleaseLock() == nil, "ReleaseLock")
			rests.Add(1)
			wrong.expect(tm.ReleaseLock() != nil, "ReleaseLock again")
			runtime.Gosched()
			switch {
			case n%5 == 0:
				mu.Lock()
				runs++
				mu.Unlock()
			case n%7 == 0:
				runtime.Goexit()
			case n%11 == 0:
				panic("the handler's")
			}
		}))
	}
	var turn atomic.Int64
	rage := func(int) {
		i := int(turn.Add(1))
		tm := all[i%timers]
		mu.Lock()
		wrong.expect(!in, "the holder of the lock")
		before := released[i%timers]
		if tm.Running() {
			wrong.expect(before > 0, "a run that has not released the lock")
		}
		_ = tm.Register(time.Duration(i%3) * time.Millisecond)
		if i%2 == 0 {
			found := tm.Del()
			wrong.expect(!found.Running || before > 0, "a deletion under the lock")
			wrong.expect(released[i%timers] == before, "a run has begun")
		}
		mu.Unlock()
		if i%5 == 0 {
			_, err := tm.DelSync()
			wrong.expect(err == nil, "DelSync")
		}
	}
	stormUntil(t, stormTime(), 3, func() bool { return rests.Load() > 0 }, rage)
	for _, tm := range all {
		_, err := tm.ShutdownSync()
		require.NoError(t, err)
		require.NoError(t, tm.Free())
	}
	wrong.requireNone(t)
	require.NotZero(t, rests.Load())
	// A worker that waited for the lock takes it though its line is empty by now.
	eventually(t, "no worker is left", func() bool { return w.Stats().Workers == 0 })
	require.True(t, mu.TryLock(), "the lock was not released")
	mu.Unlock()
	require.Zero(t, w.Stats().Live)
}
