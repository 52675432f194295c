package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/scene"
)

var switches = regexp.MustCompile(`(?m)^(?:non)?voluntary_ctxt_switches:\s*(\d+)$`)

// glimpse is how often usageDuring looks at a process.
const glimpse = 50 * time.Millisecond

// usageDuring returns what the threads of a process use from now on until span has passed. Look
// returns what they have used. In each glimpse in which one of them ran usageDuring sees a burst; a
// burst may span two glimpses.
func usageDuring(span time.Duration, look func() (scene.Usage, error)) (used scene.Usage, err error) {
	began := time.Now()
	first, err := look()
	last, in := first, 0.0 // how many glimpses the present burst lasts
	for err == nil && time.Since(began) < span {
		time.Sleep(min(glimpse, span-time.Since(began)))
		before := last
		if last, err = look(); last.WakeUps == before.WakeUps {
			used.Bursts += math.Ceil(in / 2)
			in = 0
		} else {
			in++
		}
	}
	used.Bursts += math.Ceil(in / 2)
	used.WakeUps, used.CPU = last.WakeUps-first.WakeUps, last.CPU-first.CPU
	return used, err
}

// usage returns what the threads of a process have used since it began. It counts context
// switches as wake-ups: the system switches away from a thread only after it woke it.
func usage(pid int) (used scene.Usage, err error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil || len(threads) == 0 {
		return used, fmt.Errorf("/proc lists no threads of process %d", pid)
	}
	for _, thread := range threads {
		status, err := os.ReadFile(filepath.Join(thread, "status"))
		if err != nil {
			return used, err
		}
		for _, m := range switches.FindAllStringSubmatch(string(status), -1) {
			n, _ := strconv.ParseFloat(m[1], 64) // it consists of digits
			used.WakeUps += n
		}
		schedstat, err := os.ReadFile(filepath.Join(thread, "schedstat")) // ns on a processor, ns in its queue, time slices
		if err != nil {
			return used, err
		}
		ns, err := strconv.ParseFloat(strings.Fields(string(schedstat))[0], 64)
		if err != nil {
			return used, err
		}
		used.CPU += ns
	}
	return used, nil
}
