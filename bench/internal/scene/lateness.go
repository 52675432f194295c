package scene

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// latenesses returns the scenes that measure how late handlers start, and count those
// that start early.
func latenesses() []Scene {
	return []Scene{ // what is skipped cannot have such a tick
		{Name: "lateness, tick 1 ms", Tick: time.Millisecond, Cost: Expensive, Works: []string{figure.Late, figure.Early}, Skip: []string{"antlabs"}, Run: func(m *Measurement, r rival.Rival) {
			m.lateness(r, "lateness, tick 1 ms", figure.Late, "lateness p50, tick 1 ms, 1M due over 2 s", figure.Early)
		}},
		{Name: "lateness, tick 100 µs", Tick: 100 * time.Microsecond, Cost: Expensive, Works: []string{figure.LateFine, figure.EarlyFine}, Skip: []string{"RussellLuo", "antlabs"}, Run: func(m *Measurement, r rival.Rival) {
			m.lateness(r, "lateness, tick 100 µs", figure.LateFine, "lateness p50, tick 100 µs, 1M due over 2 s", figure.EarlyFine)
		}},
	}
}

// lateness fires a million timers over two seconds. Each has a closure of its own that
// holds its deadline: d after the time that was read just before the call.
func (m *Measurement) lateness(r rival.Rival, curve, p99, p50, early string) {
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
		m.failf("arming took %v: the first timers were due before it ended", took)
	}
	<-done
	earlyFirings := 0
	for _, x := range late {
		if x < 0 {
			earlyFirings++
		}
	}
	m.report(p50, figure.Nanoseconds, late.Median())
	m.report(p99, figure.Nanoseconds, late.Quantile(0.99))
	m.report(early, figure.Count, float64(earlyFirings))
	m.curve(curve, late, 0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1)
}
