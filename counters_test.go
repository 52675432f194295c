package timerwheel

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Promise 2.45: the lateness of several shards saturates as that of one does.
func TestSumLateOfAllShardsSaturates(t *testing.T) {
	w := twoShards(t)
	for _, sh := range w.shards {
		sh.lock()
		sh.counters.sumLate = never - 1
		sh.unlock()
	}
	require.EqualValues(t, int64(never), w.Stats().SumLate)
}
