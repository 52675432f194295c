package scene

import (
	"math/rand/v2"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// rearms: pending timers that are moved, which is what a timeout of a busy
// connection spends its life with. One that is alone, one among a million, and a
// million in random order.
func rearms() []Scene {
	return []Scene{
		{Name: "re-arm, one timer", Works: []string{figure.LaterHot, figure.LaterAtHot}, Run: func(s *Stage, r rival.Rival) {
			r.Make(1, nothing)
			s.rearm(r, ", one timer", make([]uint32, unit))
		}},
		{Name: "re-arm, one timer, 1M others", Run: func(s *Stage, r rival.Rival) {
			populate(r, million)
			r.Make(1, nothing)
			s.rearm(r, ", one timer, 1M others", make([]uint32, unit))
		}},
		{Name: "re-arm, 1M timers, scattered", Works: []string{figure.LaterScattered}, Run: func(s *Stage, r rival.Rival) {
			r.Make(million, nothing)
			s.rearm(r, ", 1M timers, scattered", shuffled(million))
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

// rearm measures moves to later (time goes on meanwhile), the same for one who
// knows the time, and moves to earlier.
func (s *Stage) rearm(r rival.Rival, which string, order []uint32) {
	const far = 1000 * time.Hour
	r.Rearm(order, far, 0)
	windows := around(order)
	s.loop("re-arm later"+which, func(int) { r.Rearm(windows(), far, 0) })

	later := "re-arm later by RegisterAt" + which
	if at, can := r.(rival.AtRearmer); can {
		when := time.Now().Add(far)
		s.loop(later, func(int) { when = at.RearmAt(windows(), when, 1) })
	} else {
		s.loop(later, func(int) { r.Rearm(windows(), far, 0) }) // what it has instead
	}

	d := far
	s.loop("re-arm earlier"+which, func(int) { d = r.Rearm(windows(), d, -time.Microsecond) })
	if d < time.Hour {
		s.failf("%v is not far away any more", d)
	}
}

// around returns a function that returns a unit of order after the other.
func around(order []uint32) func() []uint32 {
	k := 0
	return func() []uint32 {
		if k+unit > len(order) {
			k = 0
		}
		k += unit
		return order[k-unit : k]
	}
}
