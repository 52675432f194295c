//go:build schedules

package schedules

import (
	"fmt"
	"slices"

	"github.com/seed76848005/timerwheel"
)

// A world is what one run of a scenario happens in: a wheel, a few actors, the
// timers under observation, and what was found wrong. Only one of its
// goroutines moves at a time, so that nothing in it needs a lock.
type world struct {
	*director
	w      *timerwheel.Wheel
	acting int            // actors of the scenario that have not ended
	wrong  string         // what was found wrong first
	seen   map[string]int // what happened, over all runs of the scenario
	ends   []func()       // what must hold when all is over
}

func (x *world) check(ok bool, format string, args ...any) {
	if !ok && x.wrong == "" {
		x.wrong = fmt.Sprintf(format, args...)
	}
}

// saw notes that something has happened that the scenario is about.
func (x *world) saw(what string) { x.seen[what]++ }

// atEnd adds a check for when the actors have ended, and all that was due is
// over.
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

// until runs the world up to an event, in one order. It is for what comes
// before the part that matters.
func (x *world) until(event string, is func() bool) {
	x.check(x.run(is), "never: %s", event)
}

// settle goes on until nothing more happens.
func (x *world) settle() {
	x.run(func() bool { return x.wrong != "" })
	x.check(!x.endless, "it has no end")
}

// waits reports whether an actor stands in a deletion that has yet to wait.
func (a *actor) waits() bool { return a.stands && a.ready != nil && !a.ready() }

// begun returns an event: that all of several timers have begun to run.
func begun(probes ...*probe) func() bool {
	return func() bool {
		return !slices.ContainsFunc(probes, func(p *probe) bool { return p.begun == 0 })
	}
}
