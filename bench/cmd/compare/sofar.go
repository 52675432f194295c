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

// soFar returns how often the threads of a process have been woken, and what
// processor time they have used, since it began. A thread that is switched away
// from has been woken before.
func soFar(pid int) (rest scene.Rest, err error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil || len(threads) == 0 {
		return rest, fmt.Errorf("no threads of process %d are known here", pid)
	}
	for _, thread := range threads {
		status, err := os.ReadFile(filepath.Join(thread, "status"))
		if err != nil {
			return rest, err
		}
		for _, m := range switches.FindAllStringSubmatch(string(status), -1) {
			n, _ := strconv.ParseFloat(m[1], 64) // digits
			rest.WakeUps += n
		}
		used, err := os.ReadFile(filepath.Join(thread, "schedstat")) // ns on a processor, ns in line for one, turns
		if err != nil {
			return rest, err
		}
		ns, err := strconv.ParseFloat(strings.Fields(string(used))[0], 64)
		if err != nil {
			return rest, err
		}
		rest.CPU += ns
	}
	return rest, nil
}
