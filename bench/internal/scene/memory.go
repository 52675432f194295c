package scene

import (
	"runtime"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// memory returns the scenes that measure the memory of pending timers, what a garbage
// collection costs with them, and the memory that remains after they were deleted.
func memory() []Scene {
	return []Scene{
		{Name: "memory, 1M pending", Works: []string{figure.Held, figure.GC}, Run: func(m *Measurement, r rival.Rival) { m.held(r, million, figure.Held, figure.GC) }},
		// Garbage collections follow the lists of RussellLuo and antlabs from timer to timer. With so many,
		// each takes seconds.
		{Name: "memory, 10M pending", Cost: Long, Skip: []string{"go-zero", "RussellLuo", "antlabs"}, Run: func(m *Measurement, r rival.Rival) {
			m.held(r, 10*million, "memory a pending timer, 10M pending", "forced GC, 10M pending")
		}},
		{Name: "memory of connections, in groups", Works: []string{figure.HeldGroup}, Run: func(m *Measurement, r rival.Rival) { m.connected(r, figure.HeldGroup, true) }},
		{Name: "memory of connections, by handles", Run: func(m *Measurement, r rival.Rival) {
			m.connected(r, "memory of a connection's three timers, by handles", false)
		}},
		{Name: "memory that comes back", Cost: Expensive, Works: []string{figure.HeapEnd}, Run: givenBack},
	}
}

func (m *Measurement) held(r rival.Rival, n int, bytes, gc string) {
	before := collected().HeapAlloc
	populate(r, n)
	m.report(bytes, figure.Bytes, float64(collected().HeapAlloc-before)/float64(n))
	var times figure.Samples
	for range 5 {
		began := time.Now()
		runtime.GC()
		times = append(times, float64(time.Since(began)))
	}
	m.report(gc, figure.Nanoseconds, times.Median())
	runtime.KeepAlive(r)
}

// connected measures what the three timers of a connection take: with their closures, and the
// handles or the group that stop them.
func (m *Measurement) connected(r rival.Rival, work string, grouped bool) {
	const connections = 100_000
	if c, can := r.(rival.Connector); can {
		before := collected().HeapAlloc
		c.Connect(connections, time.Hour, grouped)
		m.report(work, figure.Bytes, float64(collected().HeapAlloc-before)/connections)
		runtime.KeepAlive(r)
	}
}

// collected returns the memory statistics after two garbage collections. The second
// collects what finalizers and pools released after the first.
func collected() runtime.MemStats {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m
}

// givenBack starts five million timers, stops them all, and measures the heap that
// remains.
func givenBack(m *Measurement, r rival.Rival) {
	m.report(figure.HeapStart, figure.Bytes, float64(collected().HeapInuse))
	r.StartAll(5*million, time.Hour)
	m.report("heap with 5M timers and their handles", figure.Bytes, float64(collected().HeapInuse))
	r.StopAll()
	m.report(figure.HeapEnd, figure.Bytes, float64(collected().HeapInuse))
	runtime.KeepAlive(r)
}
