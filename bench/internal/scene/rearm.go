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
		{Name: "re-arm, one timer", Works: []string{figure.LaterAboveClock, figure.LaterAtHot, figure.TouchHot}, Run: reusing(func(m *Measurement, r rival.Rival) {
			r.Make(1, nothing)
			same := make([]uint32, unit)
			m.rearm(r, ", one timer", same)
			r.Rearm(same[:1], far, 0) // it was moved to earlier times
			m.aboveClock(figure.LaterAboveClock, func(int) { r.Rearm(same, far, 0) })
		})},
		{Name: "re-arm, one timer, 1M others", Run: reusing(func(m *Measurement, r rival.Rival) {
			populate(r, million)
			r.Make(1, nothing)
			m.rearm(r, ", one timer, 1M others", make([]uint32, unit))
		})},
		{Name: "re-arm, 1M timers, scattered", Works: []string{figure.LaterScattered}, Run: reusing(func(m *Measurement, r rival.Rival) {
			r.Make(million, nothing)
			m.rearm(r, ", 1M timers, scattered", shuffled(million))
		})},
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

// far is how far away the timers are that are moved. A word reaches further: 2^28 ticks (word.go).
const far = 48 * time.Hour

// rearm measures moves to a later time (d stays the same while time passes), the same by
// a caller that knows the time, the same of idle timeouts, and moves to an earlier time.
//
// Each timer is moved before: from its second move on it is one that is moved all the time (word.go).
func (m *Measurement) rearm(r rival.Rival, which string, order []uint32) {
	r.Rearm(order, far, 0)
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

// aboveClock measures f above as many readings of the clock, in turns with these, so that both
// find the machine alike. Its figure is the median of the turns' differences.
func (m *Measurement) aboveClock(work string, f func(n int)) {
	const turns = 20
	began := time.Now()
	var now time.Duration
	clock := func(n int) {
		for range n {
			now += time.Since(began)
		}
	}
	var clocks, above figure.Samples
	for range turns {
		n, took := repeat(clock, m.span()/turns)
		clocks = append(clocks, float64(took)/float64(n))
		n, took = repeat(f, m.span()/turns)
		above = append(above, float64(took)/float64(n)-clocks[len(clocks)-1])
	}
	if now == 0 {
		m.failf("the clock stood still")
	}
	m.report("one reading of the clock", figure.Nanoseconds, clocks.Median())
	m.report(work, figure.Nanoseconds, above.Median())
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
