package scene

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// sections returns the scene that measures the critical sections of this library. Only a
// build with the tag pauses can: the scene runs cmd/pauses.
func sections() []Scene {
	return []Scene{
		{Name: "critical sections", Cost: Once, Procs: 2, Works: []string{figure.Section}, Run: func(m *Measurement, r rival.Rival) {
			timers := 200_000
			if m.Short {
				timers = 20_000
			}
			if _, ours := r.(rival.Driver); ours {
				m.longestSection(timers, alikeSections)
			}
		}},
	}
}

// alikeSections matches the works of cmd/pauses whose rounds are alike, as in the Makefile.
const alikeSections = "growth|shrinking|arming|deletion|cascade|Advance|Close|group|looking"

// longestSection runs the works of cmd/pauses whose names match a regexp, with n timers.
func (m *Measurement) longestSection(n int, only string) {
	pauses := exec.Command("go", "run", "-tags", "pauses", "github.com/seed76848005/timerwheel/bench/cmd/pauses",
		"-longest", "-rounds", "4", "-n", fmt.Sprint(n), "-only", only)
	pauses.Stderr = os.Stderr
	out, err := pauses.Output()
	if err != nil {
		m.failf("cmd/pauses: %w", err)
		return
	}
	longest, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil {
		m.failf("cmd/pauses wrote %q: %w", out, err)
		return
	}
	if longest <= 0 {
		m.failf("cmd/pauses measured no critical section")
		return
	}
	m.report(figure.Section, figure.Nanoseconds, longest)
}
