//go:build schedules

package schedules

import (
	"fmt"
	"slices"

	"github.com/seed76848005/timerwheel"
)

// A world is the state of one run of a scenario: a wheel, a few actors, the probes, and
// the first error. Only one of its goroutines moves at a time, so nothing in it needs a
// lock.
type world struct {
	*director
	w      *timerwheel.Wheel
	acting int            // actors of the scenario that have not ended
	wrong  string         // the first error
	seen   map[string]int // how often something happened, over all runs of the scenario
	ends   []func()       // checks for the end of the run
}

func (x *world) check(ok bool, format string, args ...any) {
	if !ok && x.wrong == "" {
		x.wrong = fmt.Sprintf(format, args...)
	}
}

// saw counts an event that the scenario wants to see.
func (x *world) saw(what string) { x.seen[what]++ }

// atEnd adds a check that is made when the actors have ended, and everything that was due
// has run.
func (x *world) atEnd(f func()) { x.ends = append(x.ends, f) }

// actor adds an actor.
func (x *world) actor(name string, f func()) *actor {
	x.acting++
	return x.start(name, func() {
		defer func() {
			if v := recover(); v != nil {
				x.check(false, "%s panics: %v", name, v)
			}
			x.acting--
		}()
		f()
	})
}

// until runs the world up to an event, in one order. It is for the preparations.
func (x *world) until(event string, is func() bool) {
	x.check(x.run(is), "never: %s", event)
}

// settle makes steps until nothing more happens.
func (x *world) settle() {
	x.run(func() bool { return x.wrong != "" })
	x.check(!x.endless, "it has no end")
}

// waits reports whether an actor is in a deletion that must still wait.
func (a *actor) waits() bool { return a.stands && a.ready != nil && !a.ready() }

// begun returns the event that several timers have all begun to run.
func begun(probes ...*probe) func() bool {
	return func() bool {
		return !slices.ContainsFunc(probes, func(p *probe) bool { return p.begun == 0 })
	}
}
