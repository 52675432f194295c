package timerwheel

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Contract 2: Running walks from shard to shard. A run that begins meanwhile is not listed:
// with those that were seen and have ended by then, there would be more than ever run at
// once.
func TestRunningListsWhatHadBegun(t *testing.T) {
	w := twoShards(t)
	sh := w.shards[1]
	g := &Group{sh: sh}
	begins := func(tm Timer) *worker {
		wk := &worker{w: w, goid: tm.id}
		sh.lock()
		defer sh.unlock()
		i, s := sh.lookup(tm)
		now := w.elapsed()
		sh.arm(i, s, now, now)
		wk.begin(sh, i, s, now)
		return wk
	}
	first, second := g.Alloc(func(Timer) {}), g.Alloc(func(Timer) {})
	one := begins(first)
	w.shards[0].lock()
	var listed []RunningHandler
	var walk sync.WaitGroup
	walk.Go(func() { listed = w.Running() })
	blockedIn(t, 1, "Running")
	another := begins(second)
	w.shards[0].unlock()
	walk.Wait()
	require.Len(t, listed, 1)
	require.Equal(t, first, listed[0].Timer)
	require.Len(t, w.Running(), 2)

	sh.lock()
	defer sh.unlock()
	one.finish(sh, w.elapsed())
	another.finish(sh, w.elapsed())
}
