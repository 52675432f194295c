package scene

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// slacks returns the scene that shows what slack saves: the same timers fire without it and
// with it.
func slacks() []Scene {
	return []Scene{
		{Name: "slack", Cost: Expensive, Works: []string{figure.SlackWakeUps, figure.SlackCPU}, Run: reusing(func(m *Measurement, r rival.Rival) {
			m.slack(r, million, 2*time.Second)
		})},
	}
}

// slackOf is the slack of each timer. It spans a hundred ticks.
const slackOf = 100 * time.Millisecond

// slack fires n timers that are due over width: first without slack, as every rival can, and
// then with it.
func (m *Measurement) slack(r rival.Rival, n int, width time.Duration) {
	var left atomic.Int64
	over := make(chan struct{}, 1)
	r.Make(n, func() {
		if left.Add(-1) == 0 {
			over <- struct{}{}
		}
	})
	order, step := shuffled(n), width/time.Duration(n)
	began := time.Now()
	r.Rearm(order, time.Hour, step) // so that neither firing is the first to touch the timers
	lead := 3*time.Since(began) + 100*time.Millisecond
	r.Stop(order)

	fire := func(wakeUps, cpu string, arm func()) {
		left.Store(int64(n))
		began := time.Now()
		arm()
		if took := time.Since(began); took > lead {
			m.failf("arming took %v: the first timers were due before it ended", took)
		}
		runtime.GC()
		before := used()
		<-over
		after := used()
		m.report(wakeUps, figure.Count, after.WakeUps-before.WakeUps)
		m.report(cpu, figure.Nanoseconds, (after.CPU-before.CPU)/float64(n))
	}
	fire(figure.NoSlackWakeUps, figure.NoSlackCPU, func() { r.Rearm(order, lead, step) })
	if s, can := r.(rival.SlackRearmer); can {
		fire(figure.SlackWakeUps, figure.SlackCPU, func() { s.RearmWithin(order, lead, step, slackOf) })
	}
}
