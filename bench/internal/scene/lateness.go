package scene

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// latenesses: how much later than they should handlers start, and whether any
// starts earlier.
func latenesses() []Scene {
	return []Scene{
		{Name: "lateness, tick 1 ms", Tick: time.Millisecond, Cost: Dear, Works: []string{figure.Late, figure.Early}, Run: func(s *Stage, r rival.Rival) {
			s.lateness(r, "lateness, tick 1 ms", figure.Late, "lateness p50, tick 1 ms, 1M due over 2 s", figure.Early)
		}},
		{Name: "lateness, tick 100 µs", Tick: 100 * time.Microsecond, Cost: Dear, Works: []string{figure.EarlyFine}, Run: func(s *Stage, r rival.Rival) {
			s.lateness(r, "lateness, tick 100 µs", "lateness p99, tick 100 µs, 1M due over 2 s", "lateness p50, tick 100 µs, 1M due over 2 s", figure.EarlyFine)
		}},
	}
}

// lateness lets a million fire over two seconds. Each has a handler of its own,
// which knows when it is due: d after the time that was read just before the
// call.
func (s *Stage) lateness(r rival.Rival, curve, p99, p50, early string) {
	const width = 2 * time.Second
	lead := lead(r)
	late := make(figure.Samples, million)
	var fired atomic.Int64
	done := make(chan struct{})
	began := time.Now()
	for k := range late {
		now := time.Since(began)
		d := max(lead-now, 0) + rand.N(width)
		due := now + d
		r.AfterFunc(d, func() {
			late[k] = float64(time.Since(began) - due)
			if fired.Add(1) == million {
				close(done)
			}
		})
	}
	if took := time.Since(began); took > lead {
		s.failf("it took %v to arm them: the first were due before that", took)
	}
	<-done
	n := 0
	for _, x := range late {
		if x < 0 {
			n++
		}
	}
	s.report(p50, figure.Nanoseconds, late.Median())
	s.report(p99, figure.Nanoseconds, late.Quantile(0.99))
	s.report(early, figure.Count, float64(n))
	s.curve(curve, late, 0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1)
}
