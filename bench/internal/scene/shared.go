package scene

import (
	"fmt"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// shareds returns the scenes in which goroutines use timers that one goroutine has made, as an accept
// loop does for the connections of a server: each moves, or stops and arms, other timers than the
// rest, by one, two and four goroutines.
func shareds() (scenes []Scene) {
	const timers = 100_000
	works := []struct {
		name string
		do   func(r rival.Rival, order []uint32)
	}{
		{"re-arm later", func(r rival.Rival, order []uint32) { r.Rearm(order, time.Hour, 0) }},
		{"stop+arm", func(r rival.Rival, order []uint32) {
			r.Stop(order)
			r.Rearm(order, time.Hour, 0)
		}},
	}
	targets := map[int][]string{2: {figure.MoveShared, figure.StopShared}}
	for _, procs := range []int{2, 4} {
		scenes = append(scenes, Scene{Name: fmt.Sprintf("shared timers, %d procs", procs), Procs: procs, Works: targets[procs], Run: reusing(func(m *Measurement, r rival.Rival) {
			r.Make(timers, nothing)
			order := shuffled(timers)
			r.Rearm(order, time.Hour, 0)
			r.Rearm(order, time.Hour, 0)
			for _, work := range works {
				name := work.name + ", 100k timers that one goroutine made, "
				if procs == 2 {
					next := cycle(order)
					m.loop(name+"serial", func(int) { work.do(r, next()) })
				}
				m.parallelWith(fmt.Sprintf("%s%d procs", name, procs), func(k int) func(int) {
					next := cycle(order[k*timers/procs : (k+1)*timers/procs])
					return func(int) { work.do(r, next()) }
				})
			}
		})})
	}
	return scenes
}
