package timerwheel

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// begins has a worker begin a run of a timer, which need not be armed.
func begins(tm Timer) *worker {
	sh := tm.shard()
	wk := &worker{w: sh.w, goid: tm.id}
	sh.lock()
	defer sh.unlock()
	i, s := sh.lookup(tm)
	now := sh.w.elapsed()
	sh.arm(i, s, now, now)
	wk.begin(sh, i, s, now)
	return wk
}

// ends ends the runs of some workers.
func ends(sh *shard, workers ...*worker) {
	sh.lock()
	defer sh.unlock()
	for _, wk := range workers {
		wk.finish(sh, sh.w.elapsed())
	}
}

// Promise 2.16: Running does not list a run that has begun since its call: with those of other shards
// that it has listed, and that have ended by then, there would be more than ever run at once.
func TestRunningListsWhatHadBegun(t *testing.T) {
	w := twoShards(t)
	g := &Group{sh: w.shards[1]}
	first, second := g.Alloc(func(Timer) {}), g.Alloc(func(Timer) {})
	one := begins(first)
	release := hold(t, &w.shards[0].mu)
	listed := make(chan []RunningHandler, 1)
	go func() { listed <- w.Running() }()
	blockedIn(t, 1, "Running")
	another := begins(second)
	release()
	running := receive(t, listed)
	require.Len(t, running, 1)
	require.Equal(t, first, running[0].Timer)
	require.Len(t, w.Running(), 2)
	ends(g.sh, one, another)
}

// Promise 2.46: a run begins when its handler is called. It does not last longer, nor does its
// handler look blocked, because its worker waited before that.
func TestARunDoesNotBeginBeforeItsWorkerIsFree(t *testing.T) {
	for name, c := range map[string]struct {
		alloc func(g *Group, unlock chan struct{}, f func(Timer)) Timer
		wait  func(t *testing.T, sh *shard, end, unlock func()) (free int64)
	}{
		"for the shard": {
			func(g *Group, _ chan struct{}, f func(Timer)) Timer { return g.Alloc(f) },
			func(t *testing.T, sh *shard, end, _ func()) int64 {
				release := hold(t, &sh.mu)
				end()
				blockedIn(t, 1, "relock")
				free := sh.w.elapsed()
				release()
				return free
			},
		},
		"in an Unlock": {
			func(g *Group, unlock chan struct{}, f func(Timer)) Timer { return g.AllocLocked(slowUnlock(unlock), f) },
			func(t *testing.T, sh *shard, end, unlock func()) int64 {
				end()
				eventually(t, "the run is over", func() bool { return sh.w.Stats().Running == 0 })
				free := sh.w.elapsed()
				unlock()
				return free
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTestWheel(t, Options{MaxWorkers: 1})
			w.hireDelay = int64(patience) // so that the worker stays with the shard
			g := w.NewGroup()
			gate, end := newGate(t)
			unlockGate, unlock := newGate(t)
			started, since := make(chan struct{}), make(chan int64, 1)
			tm := c.alloc(g, unlockGate, func(Timer) { close(started); <-gate })
			require.NoError(t, tm.Register(0))
			receive(t, started)
			g.AfterFunc(0, func() {
				g.sh.lock()
				defer g.sh.unlock()
				since <- g.sh.running.At(0).since
			})
			free := c.wait(t, g.sh, end, unlock)
			require.GreaterOrEqual(t, receive(t, since), free)
		})
	}
}

// Promise 2.45: nor does it begin before its deadline. Its worker may have looked at the clock
// before the timer was registered, due at once.
func TestARunDoesNotBeginBeforeItsDeadline(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := newTestWheel(t, Options{})
		time.Sleep(time.Second)
		tm := w.Alloc(func(Timer) {})
		sh, wk := tm.shard(), &worker{w: w}
		sh.lock()
		i, s := sh.lookup(tm)
		now := w.elapsed()
		sh.arm(i, s, now, now)
		wk.begin(sh, i, s, now-1)
		since, lateness := wk.slot(sh).since, sh.counters.lateness
		wk.finish(sh, now)
		sh.unlock()
		require.Equal(t, now, since)
		require.EqualValues(t, 1, lateness[0])
		require.Zero(t, w.Stats().SumRun)
	})
}
