package scene

import (
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// ends: what it costs to be done with a million pending timers. Where the rival
// has no end of its own, each is stopped.
func ends() []Scene {
	return []Scene{
		{Name: figure.Close, Works: []string{figure.Close}, Run: func(s *Stage, r rival.Rival) {
			r.StartAll(million, time.Hour)
			began := time.Now()
			if _, is := r.(rival.Closer); is {
				r.Close()
			} else {
				r.StopAll()
			}
			s.report(figure.Close, figure.Nanoseconds, float64(time.Since(began)))
		}},
	}
}
