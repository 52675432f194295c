package scene

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// stalls returns the scenes in which a handler stalls, beside parked goroutines. To take their stacks
// would stop the program.
func stalls() []Scene {
	return []Scene{
		{Name: "a stall, 1k goroutines", Cost: Expensive, Run: stallBeside(1000, "longest gap of a series of 2 ms, one stall, 1k goroutines")},
		{Name: "a stall, 20k goroutines", Cost: Expensive, Run: stallBeside(20_000, "longest gap of a series of 2 ms, one stall, 20k goroutines")},
		{Name: "a stall, 100k goroutines", Cost: Expensive, Works: []string{figure.StallGap}, Run: stallBeside(100_000, figure.NoStallGap)},
	}
}

const (
	stallAfter  = 100 * time.Millisecond
	stallPeriod = 2 * time.Millisecond
	stallTries  = 5
)

// stallBeside measures the longest gap between two firings of a series while one handler stalls,
// beside n parked goroutines: without OnStall, and with it. It does so several times in turns, and
// reports of each the least. A report that stops the program makes a gap each time; the load of
// the machine makes one now and then.
func stallBeside(n int, work string) func(*Measurement, rival.Rival) {
	return func(m *Measurement, r rival.Rival) {
		reporter, ok := r.(rival.StallReporter)
		if !ok {
			return
		}
		defer park(n)()
		var unset, set figure.Samples
		for range stallTries {
			var reported atomic.Int32
			unset = append(unset, m.gapBesideStall(reporter, nil))
			set = append(set, m.gapBesideStall(reporter, func() { reported.Add(1) }))
			if reported.Load() == 0 {
				m.failf("the stall was not reported beside %d goroutines", n)
			}
		}
		m.report(work, figure.Nanoseconds, unset.Quantile(0))
		m.report(work+figure.OnStallSet, figure.Nanoseconds, set.Quantile(0))
	}
}

// gapBesideStall returns the longest gap of a series while one handler stalls.
func (m *Measurement) gapBesideStall(reporter rival.StallReporter, report func()) float64 {
	r, err := reporter.Reporting(stallAfter, report)
	if err != nil {
		m.failf("a wheel with OnStall: %w", err)
		return 0
	}
	defer r.Close()
	release := make(chan struct{})
	defer close(release)
	r.AfterFunc(0, func() { <-release })
	return float64(longestGap(r))
}

// longestGap returns the longest time between two firings of a series, in several stallAfter.
func longestGap(r rival.Rival) time.Duration {
	const firings = int(4 * stallAfter / stallPeriod)
	times, over := make([]time.Time, 0, firings), make(chan struct{})
	r.Every(stallPeriod, func() {
		if len(times) < firings {
			if times = append(times, time.Now()); len(times) == firings {
				close(over)
			}
		}
	})
	<-over
	longest := time.Duration(0)
	for k := range times[1:] {
		longest = max(longest, times[k+1].Sub(times[k]))
	}
	return longest
}

// park parks n goroutines, a few calls deep, until the function that it returns is called.
func park(n int) (release func()) {
	parked, end := new(sync.WaitGroup), make(chan struct{})
	for range n {
		parked.Add(1)
		go wait(6, parked, end)
	}
	parked.Wait()
	return func() { close(end) }
}

// wait is a goroutine that waits at the end of some calls.
func wait(depth int, parked *sync.WaitGroup, end <-chan struct{}) int {
	if depth > 0 {
		return wait(depth-1, parked, end) + 1
	}
	parked.Done()
	<-end
	return 0
}
