package scene

import (
	"runtime"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// memory: what pending timers hold, what they cost a garbage collection, and
// what is left of them.
func memory() []Scene {
	return []Scene{
		{Name: "memory, 1M pending", Works: []string{figure.Held, figure.GC}, Run: func(s *Stage, r rival.Rival) { s.held(r, million, figure.Held, figure.GC) }},
		{Name: "memory, 10M pending", Cost: Long, Skip: "go-zero", Run: func(s *Stage, r rival.Rival) {
			s.held(r, 10*million, "memory a pending timer, 10M pending", "forced GC, 10M pending")
		}},
		{Name: "memory that comes back", Cost: Dear, Works: []string{figure.HeapEnd}, Run: returns},
	}
}

func (s *Stage) held(r rival.Rival, n int, bytes, gc string) {
	before := heap().HeapAlloc
	populate(r, n)
	s.report(bytes, figure.Bytes, float64(heap().HeapAlloc-before)/float64(n))
	var times figure.Samples
	for range 5 {
		began := time.Now()
		runtime.GC()
		times = append(times, float64(time.Since(began)))
	}
	s.report(gc, figure.Nanoseconds, times.Median())
	runtime.KeepAlive(r)
}

// heap returns what the heap holds when nothing is left to be collected: a
// second collection finds what finalizers and pools have let go of.
func heap() runtime.MemStats {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m
}

// returns starts five million, stops them all, and looks what is still held.
func returns(s *Stage, r rival.Rival) {
	s.report(figure.HeapStart, figure.Bytes, float64(heap().HeapInuse))
	r.StartAll(5*million, time.Hour)
	s.report("heap with 5M timers and their handles", figure.Bytes, float64(heap().HeapInuse))
	r.StopAll()
	s.report(figure.HeapEnd, figure.Bytes, float64(heap().HeapInuse))
	runtime.KeepAlive(r)
}
