package scene

import (
	"runtime"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// empties returns the scenes that make wheels and put nothing into them. A wheel may have
// something for each processor, so they do it with several.
func empties() (scenes []Scene) {
	for _, procs := range []int{2, 16, 64} {
		held, made := figure.At(figure.HeldEmpty, procs), figure.At(figure.New, procs)
		s := Scene{Name: figure.At("an empty wheel", procs), Procs: procs, Run: func(m *Measurement, r rival.Rival) { m.empty(held, made, r, 100) }}
		if procs != 16 { // which has no target
			s.Works = []string{held, made}
		}
		scenes = append(scenes, s)
	}
	return scenes
}

// empty makes n wheels. It reports what one takes, and the median time to make one: a garbage
// collection makes some of them take longer.
func (m *Measurement) empty(held, made string, r rival.Rival, n int) {
	if _, full := r.(rival.FullCloser); !full {
		return // it has no wheel
	}
	wheels, times := make([]rival.Rival, n), make(figure.Samples, n)
	before := collected().HeapAlloc
	for k := range wheels {
		began := time.Now()
		wheel, err := r.Another()
		times[k] = float64(time.Since(began))
		if err != nil {
			m.failf("another rival: %w", err)
			return
		}
		wheels[k] = wheel
	}
	m.report(held, figure.Bytes, float64(collected().HeapAlloc-before)/float64(n))
	m.report(made, figure.Nanoseconds, times.Median())
	for _, wheel := range wheels {
		wheel.Close()
	}
	runtime.KeepAlive(r)
}
