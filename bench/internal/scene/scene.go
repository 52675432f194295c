// Package scene holds the work at which rivals are measured. A scene is the work of one
// process, from the first timer to the last. It may take several figures.
//
// Each scene of each rival runs in each round in a process of its own, so no heap, timer
// or goroutine of one is left in the next.
package scene

import (
	"fmt"
	"slices"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// A Scene is a set of works that one process measures.
type Scene struct {
	Name  string
	Procs int           // GOMAXPROCS; 0 means the command's
	Tick  time.Duration // of rivals that have one; 0 means 1 ms
	Cost  Cost
	Works []string // those with a target
	Skip  []string // the rivals that would take minutes, or do something else under its name

	InBubble bool // in a synctest bubble, the rival too

	Run func(*Measurement, rival.Rival)
}

// Measures reports whether the scene measures a work that has a target.
func (s Scene) Measures(work string) bool { return slices.Contains(s.Works, work) }

// A Cost classifies scenes by their duration, and so by how often they run.
type Cost int

const (
	Cheap     Cost = iota // less than a second: runs in every round
	Expensive             // some seconds: runs in every other round
	Once                  // its figures do not vary, or it takes very long: runs in the first round
	Long                  // as Once, but not in a short run
)

func (c Cost) runsIn(round int, short bool) bool {
	switch c {
	case Cheap:
		return true
	case Expensive:
		return round%2 == 0
	case Once:
		return round == 0
	}
	return round == 0 && !short
}

// RunsIn reports whether the scene runs in a round. A short run has only the scenes that
// measure a target.
func (s Scene) RunsIn(round int, short bool) bool {
	return s.Cost.runsIn(round, short) && (len(s.Works) > 0 || !short)
}

// All returns all scenes, in the order of the table.
func All() []Scene {
	return slices.Concat(startStops(), rearms(), shareds(), keys(), firings(), wakeUps(), slacks(), deletions(), drives(), memory(), empties(),
		tails(), latenesses(), stalls(), sections(), idles(), closes())
}

// reusing returns a scene's work that only rivals do whose timers can be moved and used again.
func reusing(run func(*Measurement, rival.Rival)) func(*Measurement, rival.Rival) {
	return func(m *Measurement, r rival.Rival) {
		if _, can := r.(rival.Reuser); can {
			run(m, r)
		}
	}
}

// Find returns the scene with a name.
func Find(name string) (Scene, error) {
	for _, s := range All() {
		if s.Name == name {
			return s, nil
		}
	}
	return Scene{}, fmt.Errorf("there is no scene %q", name)
}
