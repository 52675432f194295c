package timerwheel

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A lineStage is two timers of one lock in its line, whose worker is the test.
type lineStage struct {
	w    *Wheel
	wk   *worker
	l    *stagedLock
	a, b Timer
	ran  []Timer // guarded by nothing: the gate of l orders the runs
}

// stageLine makes a wheel for which no other worker can be hired, with two timers in a line.
func stageLine(t *testing.T, o Options) *lineStage {
	o.MaxWorkers = 1
	w := newTestWheel(t, o)
	require.True(t, w.hire())
	x := &lineStage{w: w, wk: &worker{w: w, yieldAfter: never}, l: &stagedLock{gate: make(chan struct{})}}
	close(x.l.gate)
	g := w.NewGroup()
	handler := func(tm Timer) { x.ran = append(x.ran, tm) }
	x.a, x.b = g.AllocLocked(x.l, handler), g.AllocLocked(x.l, handler)
	require.True(t, x.comes(t, x.wk, x.a))
	require.False(t, x.comes(t, x.wk, x.b))
	require.Equal(t, 2, x.length())
	return x
}

// comes registers a timer, and has a worker come upon it. It reports whether the worker is to
// serve the line.
func (x *lineStage) comes(t *testing.T, wk *worker, tm Timer) bool {
	require.NoError(t, tm.Register(0))
	sh := tm.shard()
	sh.lock()
	defer sh.unlock()
	i, s, now, ok := wk.next(sh, x.w.elapsed())
	require.True(t, ok)
	require.Equal(t, tm, sh.timer(i, s))
	return wk.standInLine(sh, i, s, sh.bindingOf(i, s), now)
}

// length counts the timers in the line.
func (x *lineStage) length() (n int) {
	x.w.mu.Lock()
	defer x.w.mu.Unlock()
	ln := x.w.lines.of[x.l]
	if ln == nil {
		return 0
	}
	for p := ln.ends.next; p != &ln.ends; p = p.next {
		n++
	}
	return n
}

// quits ends the worker that the test is.
func (x *lineStage) quits() {
	x.w.mu.Lock()
	x.w.workers--
	x.w.mu.Unlock()
}

// Promise 6.15: timers that are deleted, moved and registered again while the lock is held leave
// nothing behind in the line, and a line leaves nothing behind in the wheel.
func TestALineHoldsNoMoreThanItsTimers(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := newTestWheel(t, Options{})
		x := &lineStage{w: w, l: &stagedLock{gate: make(chan struct{})}}
		var timers []Timer
		for range 3 {
			timers = append(timers, w.NewGroup().AllocLocked(x.l, func(Timer) {}))
		}
		for k := range 300 {
			tm := timers[k%3]
			require.NoError(t, tm.Register(0))
			time.Sleep(3 * time.Millisecond)
			require.LessOrEqual(t, x.length(), 3)
			require.Positive(t, x.length())
			switch k % 4 {
			case 0:
				require.True(t, tm.Stop())
			case 1:
				require.NoError(t, tm.Register(time.Hour))
			case 2:
				require.NoError(t, tm.Free())
				require.Equal(t, Found{Pending: true}, tm.Shutdown())
				timers[k%3] = w.NewGroup().AllocLocked(x.l, func(Timer) {})
			}
		}
		require.EqualValues(t, 1, x.l.calls.Load())
		close(x.l.gate)
		synctest.Wait()
		require.Empty(t, w.lines.of)
		require.Zero(t, w.lines.waiting.Len())
		require.Zero(t, w.lines.unserved.Load())
	})
}

// Promise 6.13: a worker that leaves its line, while no other can be hired, makes sure of one that
// comes later: the next that looks for work, and the alarm when there is room.
func TestALineWithoutAWorkerIsDue(t *testing.T) {
	guarded(t, func(t *testing.T) {
		x := stageLine(t, Options{})
		x.wk.abandonLine()
		x.w.mu.Lock()
		x.w.clearAlarm() // as a worker does that looks at all shards
		x.w.mu.Unlock()
		require.Zero(t, x.w.rearm(0), "it finds nothing due")
		x.quits()
		x.w.rearm(0)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		require.Equal(t, []Timer{x.a, x.b}, x.ran)
	})
	guarded(t, func(t *testing.T) { // there is room already
		x := stageLine(t, Options{})
		x.quits()
		x.wk.abandonLine()
		time.Sleep(time.Millisecond)
		synctest.Wait()
		require.Equal(t, []Timer{x.a, x.b}, x.ran)
	})
	guarded(t, func(t *testing.T) { // a worker comes upon a further timer of the lock
		x := stageLine(t, Options{})
		x.wk.abandonLine()
		other, c := &worker{w: x.w}, (&Group{sh: x.a.shard()}).AllocLocked(x.l, func(tm Timer) { x.ran = append(x.ran, tm) })
		require.True(t, x.comes(t, other, c))
		require.False(t, x.wk.serveUnserved(), "two workers have one line")
		other.serve()
		require.Equal(t, []Timer{x.a, x.b, c}, x.ran)
		require.Empty(t, x.w.lines.of)
		x.quits()
	})
	guarded(t, func(t *testing.T) { // all its timers are deleted before one comes
		x := stageLine(t, Options{})
		x.wk.abandonLine()
		require.True(t, x.a.Stop())
		require.EqualValues(t, 1, x.w.lines.unserved.Load())
		require.True(t, x.b.Stop())
		require.Zero(t, x.w.lines.unserved.Load(), "a worker must come for an empty line")
		require.Empty(t, x.w.lines.of)
		x.quits()
		require.Equal(t, int64(never), x.w.rearm(0))
	})
	guarded(t, func(t *testing.T) { // it has become empty before it is left
		x := stageLine(t, Options{})
		require.True(t, x.a.Stop())
		require.True(t, x.b.Stop())
		require.Zero(t, x.length())
		x.wk.abandonLine()
		require.Zero(t, x.w.lines.unserved.Load())
		require.Empty(t, x.w.lines.of)
		x.quits()
	})
}

// Promise 6.12: while the worker, which has the lock, asks for the first timer of the line and locks
// its shard, that timer is moved, or comes to the end of the line. Then the next is the first.
func TestTheFirstOfALineMayLeaveAtTheLastMoment(t *testing.T) {
	for _, back := range []bool{false, true} {
		x := stageLine(t, Options{})
		sh := x.a.shard()
		release := hold(t, &sh.mu)
		served := make(chan struct{})
		go func() {
			defer close(served)
			x.wk.serve()
			for x.wk.serveUnserved() { // as it has left the line by now
			}
		}()
		blockedIn(t, 1, "takeFirst")
		i, s := sh.lookup(x.a)
		now := x.w.elapsed()
		sh.move(i, s, now, now)
		if back {
			i, s, now, ok := (&worker{w: x.w}).next(sh, x.w.elapsed())
			require.True(t, ok)
			require.False(t, (&worker{w: x.w}).standInLine(sh, i, s, sh.bindingOf(i, s), now))
		}
		release()
		receive(t, served)
		if back {
			require.Equal(t, []Timer{x.b, x.a}, x.ran)
		} else {
			require.Equal(t, []Timer{x.b}, x.ran)
			require.True(t, x.a.Pending())
			require.True(t, x.a.Stop())
		}
		x.quits()
	}
}

// Promise 6.11: a worker that comes upon many timers of locks that others wait for lets go of the
// shard after each batch, and yields the processor.
func TestAWorkerLetsGoOfAShardFullOfLineTimers(t *testing.T) {
	guarded(t, func(t *testing.T) {
		x := stageLine(t, Options{})
		sh, wk := x.a.shard(), &worker{w: x.w}
		for range 3 * batch {
			require.NoError(t, (&Group{sh: sh}).AllocLocked(x.l, func(Timer) {}).Register(0))
		}
		yields := 0
		sh.lock()
		for range 3 * batch {
			wk.yieldAfter = 0 // it yields whenever it can
			i, s, now, ok := wk.next(sh, x.w.elapsed())
			require.True(t, ok)
			wk.lineUp(sh, i, s, sh.bindingOf(i, s), now)
			if wk.yieldAfter != 0 {
				yields++
			}
		}
		sh.unlock()
		require.Equal(t, 3, yields)
		require.Equal(t, 3*batch+2, x.length())
		x.wk.serve()
		x.quits()
	})
}

// Promise 6.11: a worker that serves a line leaves it after a while, after one run at least.
func TestAWorkerLeavesItsLineAfterAWhile(t *testing.T) {
	guarded(t, func(t *testing.T) {
		x := stageLine(t, Options{})
		time.Sleep(time.Second)
		x.wk.serve()
		require.Equal(t, []Timer{x.a}, x.ran)
		require.EqualValues(t, 1, x.w.lines.unserved.Load())
		require.True(t, x.wk.serveUnserved())
		require.Equal(t, []Timer{x.a, x.b}, x.ran)
		x.quits()
	})
}

// Promise 13.7: nor does a worker that serves a long line keep the processor.
func TestTheWorkerOfALineGivesWay(t *testing.T) {
	guarded(t, func(t *testing.T) {
		x := stageLine(t, Options{})
		time.Sleep(time.Second)
		x.wk.yieldAfter = x.w.elapsed()
		x.wk.serve()
		require.Greater(t, x.wk.yieldAfter, x.w.elapsed(), "it has not yielded")
		x.quits()
	})
}

// Promises 6.15 and 6.16: a lock-bound timer that fires again and again allocates no more than another;
// once more, if its handler releases the lock.
func TestAFiringWithALockAllocatesNothing(t *testing.T) {
	var mu sync.Mutex
	w := newTestWheel(t, Options{Manual: true})
	fire := func(tm Timer) func() {
		return func() {
			if err := tm.Register(0); err != nil {
				t.Error(err)
			}
			if n, err := w.Advance(w.Now()); n != 1 || err != nil {
				t.Error(n, err)
			}
		}
	}
	bound, unbound := w.AllocLocked(&mu, func(Timer) {}), w.Alloc(func(Timer) {})
	releases := w.AllocLocked(&mu, func(tm Timer) {
		if err := tm.ReleaseLock(); err != nil {
			t.Error(err)
		}
	})
	require.Zero(t, testing.AllocsPerRun(100, fire(bound))-testing.AllocsPerRun(100, fire(unbound)))
	require.LessOrEqual(t, testing.AllocsPerRun(100, fire(releases))-testing.AllocsPerRun(100, fire(unbound)), 1.0)
}

// Promise 2.63: a wait for a lock is watched, though the first timer of the line leaves just before:
// by the timer that is the first then. If none is, the worker does not wait.
func TestAWaitForALockIsWatched(t *testing.T) {
	for name, leaves := range map[string]int{"the first leaves": 1, "both leave": 2} {
		t.Run(name, func(t *testing.T) {
			x := stageLine(t, Options{OnStall: func(Stall) {}, StallStacks: -1, StallAfter: time.Hour})
			defer x.quits()
			gate, open := newGate(t)
			x.l.gate = gate
			sh := x.a.shard()
			release := hold(t, &sh.mu)
			served := make(chan struct{})
			go func() {
				defer close(served)
				x.wk.serve()
			}()
			blockedIn(t, 1, "watchWaiter")
			for _, tm := range []Timer{x.a, x.b}[:leaves] {
				sh.delete(tm, 0)
			}
			release()
			if leaves == 1 {
				eventually(t, "the worker waits for the lock", func() bool { return x.l.calls.Load() == 1 })
				sh.lock()
				watched, _, ok := x.wk.lockWait()
				n := len(sh.watches)
				sh.unlock()
				require.True(t, ok)
				require.Equal(t, x.b, watched)
				require.Equal(t, 1, n)
			}
			open()
			receive(t, served)
			require.Equal(t, []Timer{x.a, x.b}[leaves:], append([]Timer{}, x.ran...))
			require.EqualValues(t, 2-leaves, x.l.calls.Load())
			require.Empty(t, x.w.lines.of)
			require.Empty(t, sh.watches)
		})
	}
}

// Promise 2.63: a worker that comes to a line that has become empty does not wait for its lock. What
// comes later would stand in a line whose worker waits and is not watched.
func TestAWorkerDoesNotWaitUnwatchedForAnEmptyLine(t *testing.T) {
	x := stageLine(t, Options{OnStall: func(Stall) {}})
	defer x.quits()
	require.True(t, x.a.Stop())
	require.True(t, x.b.Stop())
	x.wk.serve()
	require.Zero(t, x.l.calls.Load())
	require.Empty(t, x.w.lines.of)
}

// Promise 6.19: the handlers of two shards run, each in the first running slot of its shard, with a
// timer of the same number.
func TestReleaseLockOfATimerOfAnotherShardIsRefused(t *testing.T) {
	w := twoShards(t)
	gate, open := newGate(t)
	b := (&Group{sh: w.shards[1]}).AllocLocked(new(sync.Mutex), func(Timer) { <-gate })
	require.NoError(t, b.Register(0))
	eventually(t, "it runs", b.Running)
	errs := make(chan error, 2)
	a := (&Group{sh: w.shards[0]}).AllocLocked(new(sync.Mutex), func(a Timer) {
		errs <- b.ReleaseLock()
		errs <- a.ReleaseLock()
	})
	require.Equal(t, a.id>>shardBits, b.id>>shardBits, "the test tests nothing")
	require.NoError(t, a.Register(0))
	require.ErrorIs(t, receive(t, errs), ErrNotLocked)
	require.NoError(t, receive(t, errs))
	open()
}
