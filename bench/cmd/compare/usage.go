package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/seed76848005/timerwheel/bench/internal/scene"
)

var switches = regexp.MustCompile(`(?m)^(?:non)?voluntary_ctxt_switches:\s*(\d+)$`)

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
