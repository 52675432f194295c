package scene

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// rearms returns the scenes that move pending timers, as happens to the timeout of a busy
// connection all the time: one timer alone, one among a million, and a million in random
// order.
func rearms() []Scene {
	return []Scene{
		{Name: "re-arm, one timer", Works: []string{figure.LaterHot, figure.LaterAtHot, figure.TouchHot}, Run: func(m *Measurement, r rival.Rival) {
			r.Make(1, nothing)
			m.rearm(r, ", one timer", make([]uint32, unit))
		}},
		{Name: "re-arm, one timer, 1M others", Run: func(m *Measurement, r rival.Rival) {
			populate(r, million)
			r.Make(1, nothing)
			m.rearm(r, ", one timer, 1M others", make([]uint32, unit))
		}},
		{Name: "re-arm, 1M timers, scattered", Works: []string{figure.LaterScattered}, Run: func(m *Measurement, r rival.Rival) {
			r.Make(million, nothing)
			m.rearm(r, ", 1M timers, scattered", shuffled(million))
		}},
	}
}

func shuffled(n int) []uint32 {
	order := make([]uint32, n)
	for k := range order {
		order[k] = uint32(k)
	}
	rand.Shuffle(n, func(i, j int) { order[i], order[j] = order[j], order[i] })
	return order
}

// rearm measures moves to a later time (d stays the same while time passes), the same by
// a caller that knows the time, the same of idle timeouts, and moves to an earlier time.
func (m *Measurement) rearm(r rival.Rival, which string, order []uint32) {
	const far = 100 * time.Hour // a word reaches further: word.go
	r.Rearm(order, far, 0)
	next := cycle(order)
	m.loop("re-arm later"+which, func(int) { r.Rearm(next(), far, 0) })

	later := "re-arm later by RegisterAt" + which
	if at, can := r.(rival.AtRearmer); can {
		when := time.Now().Add(far)
		m.loop(later, func(int) { when = at.RearmAt(next(), when, 1) })
	} else {
		m.loop(later, func(int) { r.Rearm(next(), far, 0) }) // a rival without RearmAt
	}

	touch := "put an idle timeout off" + which
	if idle, can := r.(rival.Toucher); can {
		idle.RearmIdle(order, far)
		m.loop(touch, func(int) { idle.Touch(next()) })
	} else {
		m.loop(touch, func(int) { r.Rearm(next(), far, 0) }) // a rival without idle timeouts
	}

	d := far
	m.loop("re-arm earlier"+which, func(int) { d = r.Rearm(next(), d, -time.Microsecond) })
	if d < time.Hour {
		m.failf("the moves to earlier times came down to %v", d)
	}
}

// cycle returns a function that returns unit after unit of order, and starts again after
// the last. Several goroutines may call it at once.
func cycle(order []uint32) func() []uint32 {
	var units atomic.Int64
	all := int64(len(order) / unit)
	return func() []uint32 {
		k := (units.Add(1) - 1) % all * unit
		return order[k : k+unit]
	}
}
