package scene

import (
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// closes returns the scene that ends a million pending timers. Where Close of the rival
// does not end them, it stops each of them.
func closes() []Scene {
	return []Scene{
		{Name: figure.Close, Works: []string{figure.Close}, Run: func(m *Measurement, r rival.Rival) {
			r.StartAll(million, time.Hour)
			began := time.Now()
			if _, full := r.(rival.FullCloser); full {
				r.Close()
			} else {
				r.StopAll()
			}
			m.report(figure.Close, figure.Nanoseconds, float64(time.Since(began)))
		}},
	}
}
