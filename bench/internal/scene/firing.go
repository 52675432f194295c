package scene

import (
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// firings: what it costs to fire, in processor time. Wall time would say
// nothing: a storm that is over in time has been waited for.
func firings() []Scene {
	return []Scene{
		{Name: figure.Firing, Cost: Dear, Works: []string{figure.Firing}, Run: storm},
		{Name: "periodic", Cost: Dear, Run: periodic},
	}
}

// lead is how long before the first is due a rival begins to arm a million: six
// times what that would take it if it took as long as the first twenty thousand.
func lead(r rival.Rival) time.Duration {
	const sample = 20_000
	began := time.Now()
	r.StartAll(sample, time.Hour)
	took := time.Since(began)
	r.StopAll()
	return max(6*took*million/sample, 2*time.Second)
}

// storm fires a million over two seconds, armed in random order before the first
// is due.
func storm(s *Stage, r rival.Rival) {
	const width = 2 * time.Second
	lead := lead(r)
	var fired atomic.Int64
	done := make(chan struct{})
	f := func() {
		if fired.Add(1) == million {
			close(done)
		}
	}
	began := time.Now()
	for range million {
		r.AfterFunc(time.Until(began.Add(lead))+rand.N(width), f)
	}
	if took := time.Since(began); took > lead {
		s.failf("it took %v to arm them: the first were due before that", took)
	}
	runtime.GC()
	before := cpu()
	<-done
	s.report(figure.Firing, figure.Nanoseconds, float64(cpu()-before)/million)
}

// periodic lets 10,000 series of 10 ms go on for a second and a half.
func periodic(s *Stage, r rival.Rival) {
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
	s.report("CPU a firing, 10k periodic timers of 10 ms", figure.Nanoseconds, float64(used)/float64(n))
	s.report("firings of the 1.5M that 10k periodic timers of 10 ms have in 1.5 s", figure.Count, float64(n))
}
