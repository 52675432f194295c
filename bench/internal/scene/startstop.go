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

// startStops returns the scenes that start timers and stop them before they fire, as
// happens to most timeouts, while others are pending.
func startStops() (scenes []Scene) {
	for _, others := range []string{"none", "10k", "1M"} {
		scenes = append(scenes, Scene{Name: "start+stop, " + others + " pending", Procs: 2, Works: startStopWorks[others], Run: func(m *Measurement, r rival.Rival) {
			populate(r, counts[others])
			name := "start+stop, " + others + " pending"
			m.loop(name+", serial", startStop(r))
			m.parallel(name+", 2 procs", startStop(r))
			if others == "1M" {
				m.allocations(r)
				m.armStop(r)
			}
		}})
	}
	for _, procs := range []int{1, 4, 8} {
		name := fmt.Sprintf("start+stop, 1M pending, %d procs", procs)
		scenes = append(scenes, Scene{Name: name, Procs: procs, Cost: Expensive, Run: func(m *Measurement, r rival.Rival) {
			populate(r, million)
			m.parallel(name, startStop(r))
		}})
	}
	return append(scenes, Scene{Name: "start only", Run: startOnly})
}

// startStopWorks holds the works that have a target, by the number of other timers.
var startStopWorks = map[string][]string{
	"none": {figure.StartStopNone, figure.StartStopNoneParallel},
	"1M":   {figure.StartStop, figure.StartStopParallel, figure.StartStopAllocs, figure.ArmStop},
}

var counts = map[string]int{"none": 0, "10k": 10_000, "1M": million}

func startStop(r rival.Rival) func(int) {
	return func(n int) { r.StartStop(n, time.Minute, nothing) }
}

// populate starts n timers, on all processors, that are not due for an hour.
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

func (m *Measurement) allocations(r rival.Rival) {
	m.report(figure.StartStopAllocs, figure.Count, testing.AllocsPerRun(1000, func() { r.StartStop(1, time.Minute, nothing) }))
}

func (m *Measurement) armStop(r rival.Rival) {
	timers, can := r.(rival.Reuser)
	if !can {
		return
	}
	r.Make(1, nothing)
	m.loop(figure.ArmStop, func(n int) { timers.ArmStop(n, time.Minute) })
}

// startOnly starts a million timers on an empty rival, so its growth is measured too.
func startOnly(m *Measurement, r rival.Rival) {
	began := time.Now()
	for range million {
		r.AfterFunc(time.Hour, nothing)
	}
	m.report("start only, from nothing to 1M", figure.Nanoseconds, float64(time.Since(began))/million)
}
