package scene

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// startStops: timers that are started and stopped before they fire, as most
// timeouts are, while others pend.
func startStops() (scenes []Scene) {
	for _, others := range []string{"none", "10k", "1M"} {
		scenes = append(scenes, Scene{Name: "start+stop, " + others + " pending", Procs: 2, Works: startStopWorks[others], Run: func(s *Stage, r rival.Rival) {
			populate(r, counts[others])
			name := "start+stop, " + others + " pending"
			s.loop(name+", serial", startStop(r))
			s.parallel(name+", 2 procs", startStop(r))
			if others == "1M" {
				s.allocations(r)
				s.armStop(r)
			}
		}})
	}
	for _, procs := range []int{1, 4, 8} {
		name := fmt.Sprintf("start+stop, 1M pending, %d procs", procs)
		scenes = append(scenes, Scene{Name: name, Procs: procs, Cost: Dear, Run: func(s *Stage, r rival.Rival) {
			populate(r, million)
			s.parallel(name, startStop(r))
		}})
	}
	return append(scenes, Scene{Name: "start only", Run: startOnly})
}

var startStopWorks = map[string][]string{
	"1M": {figure.StartStop, figure.StartStopParallel, figure.StartStopAllocs, figure.ArmStop},
}

var counts = map[string]int{"none": 0, "10k": 10_000, "1M": million}

func startStop(r rival.Rival) func(int) {
	return func(n int) { r.StartStop(n, time.Minute, nothing) }
}

// populate starts n timers, on all processors, that are not due before an hour.
func populate(r rival.Rival, n int) {
	procs := runtime.GOMAXPROCS(0)
	var all sync.WaitGroup
	for range procs {
		all.Go(func() {
			for range n / procs {
				r.AfterFunc(time.Hour+rand.N(time.Hour), nothing)
			}
		})
	}
	all.Wait()
}

func (s *Stage) allocations(r rival.Rival) {
	s.report(figure.StartStopAllocs, figure.Count, testing.AllocsPerRun(1000, func() { r.StartStop(1, time.Minute, nothing) }))
}

func (s *Stage) armStop(r rival.Rival) {
	r.Make(1, nothing)
	s.loop(figure.ArmStop, func(n int) { r.ArmStop(n, time.Minute) })
}

// startOnly starts a million, from nothing: growth is a part of it.
func startOnly(s *Stage, r rival.Rival) {
	began := time.Now()
	for range million {
		r.AfterFunc(time.Hour, nothing)
	}
	s.report("start only, from nothing to 1M", figure.Nanoseconds, float64(time.Since(began))/million)
}
