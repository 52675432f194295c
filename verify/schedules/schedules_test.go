//go:build schedules

package schedules

import (
	"flag"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"
)

var (
	preemptions = flag.Int("preemptions", 2, "the most pre-emptions of a schedule")
	part        = flag.String("part", "1/1", "explore the `k/n`th part of the scenarios so: every nth, from the kth on; the others with one pre-emption less")
)

// Every scenario, in every order of its steps. There is one processor; a wheel that is to have two
// shards is made while there are two.
func TestSchedules(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	all := slices.Concat(deletions, references, circles, ends, clocks, ownFirings, idleTimeouts, moves, parked, twoShards)
	var k, n int
	if _, err := fmt.Sscanf(*part, "%d/%d", &k, &n); err != nil || k < 1 || k > n {
		t.Fatalf("-part %s is not k/n", *part)
	}
	total := 0
	for at, s := range all {
		most := *preemptions
		if at%n != k-1 {
			most--
		}
		t.Run(s.name, func(t *testing.T) {
			begin := time.Now()
			runs, unseen := s.explore(t, most)
			total += runs
			if most == *preemptions && unseen != nil {
				t.Errorf("in none of %d schedules: %q", runs, unseen)
			}
			t.Logf("%d schedules, %v", runs, time.Since(begin).Round(time.Millisecond))
		})
	}
	t.Logf("schedules: %d scenarios, %d schedules with up to %d pre-emptions, part %s", len(all), total, *preemptions, *part)
}
