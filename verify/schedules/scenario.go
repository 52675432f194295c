//go:build schedules

package schedules

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/internal/hook"
)

// A scenario is a small program that uses a wheel. Every order of its steps is tried.
type scenario struct {
	name    string
	ticks   int                // how often the time may move between two steps
	brief   bool               // the steps after the last actor's end are made in one order only
	options timerwheel.Options // of the wheel
	shards  int                // of the wheel; 0 means one
	sees    []string           // what must happen in some runs
	setUp   func(*world)       // makes timers and actors
}

// explore tries all schedules of a scenario with up to bound pre-emptions. It returns their number, and
// which of what the scenario should see was in none of them.
func (s *scenario) explore(t *testing.T, bound int) (runs int, unseen []string) {
	p := &plan{bound: bound}
	seen := make(map[string]int)
	for more := true; more; more = p.next() {
		runs++
		s.run(t, p, seen)
	}
	for _, what := range s.sees {
		if seen[what] == 0 {
			unseen = append(unseen, what)
		}
	}
	return runs, unseen
}

// run makes one run of a scenario. If it goes wrong, run repeats it with a trace.
func (s *scenario) run(t *testing.T, p *plan, seen map[string]int) {
	if wrong := s.try(t, p, seen, false); wrong != "" {
		p.again()
		s.try(t, p, seen, true)
		t.Fatalf("%s: %s", s.name, wrong)
	}
}

// try makes one run, and returns what went wrong. If the run is traced, try prints that at
// once: a bubble that is left in a deadlock ends the test program.
func (s *scenario) try(t *testing.T, p *plan, seen map[string]int, traced bool) (wrong string) {
	synctest.Test(t, func(t *testing.T) {
		x := &world{director: newDirector(p.take), seen: seen}
		x.traced = traced
		hook.Scheduled = x
		s.play(x, p)
		hook.Scheduled = nil
		wrong = x.wrong
		if wrong != "" {
			if traced || x.locksAreStuck() {
				fmt.Fprintf(os.Stderr, "%s: %s\n%v", s.name, wrong, p)
			}
			x.release()
		}
	})
	return wrong
}

// play sets the scenario up, makes the steps of the plan, and ends the scenario.
func (s *scenario) play(x *world, p *plan) {
	w, err := s.newWheel()
	x.check(err == nil, "New: %v", err)
	x.w = w

	p.steady = true
	s.setUp(x)
	p.steady, x.ticks, x.last = false, s.ticks, nil
	x.check(x.run(func() bool { return x.acting == 0 || x.wrong != "" }), "a deadlock")
	p.steady, x.ticks = s.brief, 0
	if x.wrong != "" {
		return
	}
	x.settle()
	p.steady = true
	for _, end := range x.ends {
		end()
	}
	x.actor("the end", func() { x.check(x.w.Close() == nil, "Close fails") })
	x.until("the end of Close", func() bool { return x.acting == 0 || x.wrong != "" })
	if x.wrong == "" {
		x.checkStats()
	}
}

// newWheel makes the wheel while there are as many processors as it shall have shards.
func (s *scenario) newWheel() (*timerwheel.Wheel, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(s.shards, 1)))
	return timerwheel.New(s.options)
}

// checkStats checks what must hold for every wheel that has been closed.
func (x *world) checkStats() {
	s := x.w.Stats()
	x.check(s.Registered == s.Fired+s.Removed, "conservation: %+v", s)
	x.check(s.Pending == 0 && s.Running == 0 && s.Workers == 0, "left over: %+v", s)
}
