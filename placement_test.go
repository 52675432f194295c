package timerwheel

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Promise 13.7: two processors do not begin with one shard, whatever workers do.
func TestProcessorsDrawDifferentShards(t *testing.T) {
	w := twoShards(t)
	shard := func() *shard { return w.AfterFunc(time.Hour, func() {}).shard() }
	first := shard()
	w.localShards = new(sync.Pool) // another processor
	w.nextShard.Add(1)             // a worker looks where to begin
	w.NewGroup()
	require.NotSame(t, first, shard())
}

// Promise 13.7: a processor that has its shard to itself stays there. Of two that use one shard in turn
// one moves on before long, and then both stay where they are.
func TestAProcessorLeavesAContendedShard(t *testing.T) {
	w := twoShards(t)
	local := [2]*sync.Pool{processor(), processor()} // both have the first shard
	w.localShards = local[0]
	for range 20 * maxUserChanges {
		require.Same(t, w.shards[0], w.AfterFunc(time.Hour, func() {}).shard())
	}
	var last [2]*shard
	together := 0
	for range 20 * maxUserChanges {
		for k := range local {
			w.localShards = local[k]
			last[k] = w.AfterFunc(time.Hour, func() {}).shard()
		}
		if last[0] == last[1] {
			together++
		}
	}
	require.Less(t, together, maxUserChanges)
}

// processor returns a pool that knows one processor, which has the first shard, and does
// not forget it, as pools do under the race detector.
func processor() *sync.Pool {
	n := new(localShard)
	return &sync.Pool{New: func() any { return n }}
}
