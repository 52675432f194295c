package scene

import (
	"runtime"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// rests: what it costs that there are timers, while none of them is due.
func rests() []Scene {
	return []Scene{
		{Name: "idle", Cost: Once, Works: []string{figure.IdleWakeUps}, Run: idle},
		{Name: "drained", Works: []string{figure.Drained}, Run: drained},
	}
}

// idle has one timer pending, an hour away.
func idle(s *Stage, r rival.Rival) {
	r.AfterFunc(time.Hour, nothing)
	rest, err := s.Hold()
	if err != nil {
		s.failf("the idle process: %w", err)
		return
	}
	s.report(figure.IdleWakeUps, figure.Count, rest.WakeUps)
	s.report(figure.IdleCPU, figure.Nanoseconds, rest.CPU)
}

// drained has fired and stopped what it had. What it has more than a goroutine
// for the test is the rival's.
func drained(s *Stage, r rival.Rival) {
	fired := make(chan struct{})
	for range 1000 {
		r.AfterFunc(time.Millisecond, func() { fired <- struct{}{} })
	}
	for range 1000 {
		<-fired
	}
	r.StartStop(1000, time.Minute, nothing)
	time.Sleep(50 * time.Millisecond) // the handlers return
	s.report(figure.Drained, figure.Count, float64(runtime.NumGoroutine()-1))
}
