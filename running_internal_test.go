package timerwheel

import (
	"testing"

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
