package scene

import (
	"math"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// keys returns the scene that finds timers by key, among a million keys in random order, as
// happens to the sessions of a server.
func keys() []Scene {
	return []Scene{
		{Name: "keyed, 1M keys", Procs: 2, Works: []string{figure.KeyedAllocs}, Run: func(m *Measurement, r rival.Rival) {
			if k, can := r.(rival.KeyedTimers); can {
				m.keyed(k, million)
			}
		}},
	}
}

// keyed sets and moves n keys that are pending, and deletes and sets them again. So as many are
// pending afterwards as before.
func (m *Measurement) keyed(r rival.KeyedTimers, n int) {
	order := shuffled(n)
	r.MakeKeyed(nothing)
	r.SetKeys(order, time.Hour)
	next := cycle(order)
	for _, work := range []struct {
		name string
		do   func(keys []uint32)
	}{
		{"Set of a pending key", func(keys []uint32) { r.SetKeys(keys, time.Hour) }},
		{"Move", func(keys []uint32) { r.MoveKeys(keys, time.Hour) }},
		{"Delete and Set", func(keys []uint32) { r.DeleteKeys(keys); r.SetKeys(keys, time.Hour) }},
	} {
		name := "keyed: " + work.name
		m.loop(name+", 1M keys, serial", func(int) { work.do(next()) })
		m.parallel(name+", 1M keys, 2 procs", func(int) { work.do(next()) })
		m.report(name+", allocations", figure.Count, math.Floor(testing.AllocsPerRun(10, func() { work.do(next()) })/unit))
	}
	if deleted := r.DeleteKeys(order); deleted != n {
		m.failf("%d of %d keys were pending", deleted, n)
	}
}
