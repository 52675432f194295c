package scene

import (
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// firings returns the scenes that measure the processor time of firings. Wall time would
// say nothing, because it consists of waiting as long as the firings are in time.
func firings() []Scene {
	return []Scene{
		{Name: figure.Firing, Cost: Expensive, Works: []string{figure.Firing}, Run: func(m *Measurement, r rival.Rival) {
			m.storm(figure.Firing, r, million, func(int) time.Duration { return rand.N(stormWidth) })
		}},
		{Name: figure.FiringInOrder, Cost: Expensive, Works: []string{figure.FiringInOrder}, Run: func(m *Measurement, r rival.Rival) {
			m.storm(figure.FiringInOrder, r, million, func(k int) time.Duration { return time.Duration(k) * stormWidth / million })
		}},
		// antlabs wakes once in 10 ms, and go-zero in each millisecond of the lead as well.
		{Name: oneATick, Cost: Expensive, Skip: []string{"go-zero", "antlabs"}, Run: func(m *Measurement, r rival.Rival) {
			m.storm(oneATick, r, int(stormWidth/time.Millisecond), func(k int) time.Duration { return time.Duration(k) * time.Millisecond })
		}},
		{Name: "periodic", Cost: Expensive, Run: periodic},
	}
}

// oneATick has a wake-up in each tick, as a storm has, and next to nothing else.
const oneATick = "CPU a firing, 2k due over 2 s, one a millisecond"

// lead returns how long before the first of a million timers is due the rival begins to
// arm them: six times as long as it would take at the speed of the first twenty thousand,
// but at least two seconds.
func lead(r rival.Rival) time.Duration {
	const sample = 20_000
	began := time.Now()
	r.StartAll(sample, time.Hour)
	took := time.Since(began)
	r.StopAll()
	return max(6*took*million/sample, 2*time.Second)
}

// stormWidth is the time over which the timers of a storm are due.
const stormWidth = 2 * time.Second

// storm fires n timers. The kth is due that long after the lead, in which all of them are
// armed: at a random time, or in the order in which they are armed, as timeouts of a constant
// duration are.
func (m *Measurement) storm(work string, r rival.Rival, n int, due func(k int) time.Duration) {
	lead := lead(r)
	var fired atomic.Int64
	done := make(chan struct{})
	f := func() {
		if fired.Add(1) == int64(n) {
			close(done)
		}
	}
	began := time.Now()
	for k := range n {
		r.AfterFunc(time.Until(began.Add(lead))+due(k), f)
	}
	if took := time.Since(began); took > lead {
		m.failf("arming took %v: the first timers were due before it ended", took)
	}
	runtime.GC()
	before := cpu()
	<-done
	m.report(work, figure.Nanoseconds, float64(cpu()-before)/float64(n))
}

// periodic measures 10,000 periodic timers of 10 ms for a second and a half.
func periodic(m *Measurement, r rival.Rival) {
	const series, period = 10_000, 10 * time.Millisecond
	var fired atomic.Int64
	for range series {
		r.Every(period, func() { fired.Add(1) })
	}
	time.Sleep(20 * period)
	n, before := fired.Load(), cpu()
	time.Sleep(150 * period)
	used := cpu() - before
	n = fired.Load() - n
	m.report("CPU a firing, 10k periodic timers of 10 ms", figure.Nanoseconds, float64(used)/float64(n))
	m.report("firings of the 1.5M that 10k periodic timers of 10 ms have in 1.5 s", figure.Count, float64(n))
}
