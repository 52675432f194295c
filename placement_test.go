package timerwheel

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Two processors do not begin with one shard, whatever workers do meanwhile.
func TestProcessorsDrawDifferentShards(t *testing.T) {
	w := twoShards(t)
	first := w.pickShard()
	w.localShards = new(sync.Pool) // another processor
	w.nextShard.Add(1)             // a worker looks where to begin
	require.NotSame(t, first, w.pickShard())
}

// Two processors that take turns with one shard do not do so for long: one of them
// moves on, and then both stay where they are.
func TestAProcessorMovesOnFromAShardThatIsAnothers(t *testing.T) {
	w := twoShards(t)
	defer w.Close()
	near := [2]*sync.Pool{processor(), processor()} // both have the first shard
	var last [2]*shard
	together := 0
	for range 20 * maxUserChanges {
		for k := range near {
			w.localShards = near[k]
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

// A processor that has its shard to itself stays there.
func TestAProcessorStaysWithItsShard(t *testing.T) {
	w := twoShards(t)
	defer w.Close()
	w.localShards = processor()
	for range 20 * maxUserChanges {
		require.Same(t, w.shards[0], w.AfterFunc(time.Hour, func() {}).shard())
	}
}
