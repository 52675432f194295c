package scene

import (
	"runtime"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// idles returns the scenes that measure what a rival does while no timer is due.
func idles() []Scene {
	return []Scene{
		{Name: "idle", Cost: Once, Works: []string{figure.IdleWakeUps}, Run: idle},
		{Name: "drained", Works: []string{figure.Drained}, Run: drained},
	}
}

// idle measures a process with one pending timer, an hour away.
func idle(m *Measurement, r rival.Rival) {
	r.AfterFunc(time.Hour, nothing)
	used, err := m.Idle()
	if err != nil {
		m.failf("the idle process: %w", err)
		return
	}
	m.report(figure.IdleWakeUps, figure.Count, used.WakeUps)
	m.report("CPU in 10 s, one timer an hour away", figure.Nanoseconds, used.CPU)
}

// drained fires and stops all its timers. Every goroutine besides its own then belongs to
// the rival.
func drained(m *Measurement, r rival.Rival) {
	fired := make(chan struct{})
	for range 1000 {
		r.AfterFunc(time.Millisecond, func() { fired <- struct{}{} })
	}
	for range 1000 {
		<-fired
	}
	r.StartStop(1000, time.Minute, nothing)
	time.Sleep(50 * time.Millisecond) // for the handlers to return
	m.report(figure.Drained, figure.Count, float64(runtime.NumGoroutine()-1))
}
