//go:build schedules

package schedules

import (
	"flag"
	"runtime"
	"slices"
	"testing"
	"time"
)

var preemptions = flag.Int("preemptions", 2, "the most pre-emptions of a schedule")

// Every scenario, in every order of its steps. There is one processor, so that a wheel has
// one shard.
func TestSchedules(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	all := slices.Concat(deletions, references, circles, ends, clocks, ownFirings, idleTimeouts, moves, parked)
	total := 0
	for _, s := range all {
		t.Run(s.name, func(t *testing.T) {
			begin := time.Now()
			runs := s.explore(t, *preemptions)
			total += runs
			t.Logf("%d schedules, %v", runs, time.Since(begin).Round(time.Millisecond))
		})
	}
	t.Logf("schedules: %d scenarios, %d schedules with up to %d pre-emptions", len(all), total, *preemptions)
}
