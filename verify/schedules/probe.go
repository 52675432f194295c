//go:build schedules

package schedules

import (
	"context"
	"errors"
	"time"

	"github.com/seed76848005/timerwheel"
)

// A probe is a timer under observation. It counts the runs, and its verbs check what they
// promise.
type probe struct {
	*world
	name         string
	t            timerwheel.Timer
	begun, ended int       // runs
	at           time.Time // when the last run began
	arming       int       // Registers in progress
	armed        int       // Registers that succeeded
	deleters     []*actor  // in a call of a deletion that waits
	marked       int       // the number of the run that a deletion has marked for certain
}

// timer makes a timer with one owner.
func (x *world) timer(name string, script func(p *probe)) *probe {
	p, handler := x.probe(name, script)
	p.t = x.w.Alloc(handler)
	return p
}

// probe returns a probe for a timer that the caller makes, and the handler for it.
func (x *world) probe(name string, script func(p *probe)) (*probe, func(timerwheel.Timer)) {
	p := &probe{world: x, name: name}
	return p, func(timerwheel.Timer) {
		x.check(!p.runs(), "%s runs twice at once", name)
		p.begun++
		p.at = x.w.Now()
		defer func() { p.ended++ }()
		x.At("in the handler")
		if script != nil {
			script(p)
		}
	}
}

func (p *probe) runs() bool { return p.begun > p.ended }

// refuses reports whether the timer must refuse to be registered, because it runs and a
// deletion has waited for that run.
func (p *probe) refuses() bool {
	for _, a := range p.deleters {
		if a.waits() {
			p.marked = p.begun
		}
	}
	return p.runs() && p.marked == p.begun
}

// register registers the timer.
func (p *probe) register(d time.Duration) error {
	run, refuses := p.begun, p.refuses()
	p.arming++
	err := p.t.Register(d)
	p.arming--
	switch {
	case err == nil:
		p.armed++
		p.check(!(refuses && p.refuses() && p.begun == run), "%s was registered while a deletion waited", p.name)
	case errors.Is(err, timerwheel.ErrDeleting):
		p.saw("refused")
	case errors.Is(err, timerwheel.ErrStale):
		p.saw("stale")
	}
	return err
}

// delSync deletes the timer, which must succeed.
func (p *probe) delSync() timerwheel.Found {
	found, err := p.deletion(p.t.DelSync)
	p.check(err == nil, "DelSync of %s: %v", p.name, err)
	return found
}

func (p *probe) delSyncContext(ctx context.Context) (timerwheel.Found, error) {
	return p.deletion(func() (timerwheel.Found, error) { return p.t.DelSyncContext(ctx) })
}

// deletion makes a call that deletes the timer and waits. It checks the promise that there
// was an instant at which the timer was neither running nor pending: it is neither now,
// unless it has been registered since.
func (p *probe) deletion(call func() (timerwheel.Found, error)) (timerwheel.Found, error) {
	run, armed, caller := p.begun, p.armed, p.last
	p.deleters = append(p.deleters, caller)
	found, err := call()
	p.forget(caller)
	switch {
	case err != nil && found.Running && p.begun == run:
		if !errors.Is(err, timerwheel.ErrDeadlock) {
			p.marked = run
		}
		return found, err
	case err != nil:
		return found, err
	case found.Running:
		p.saw("waited")
	}
	p.check(p.ended >= run, "%s runs after its deletion", p.name)
	untouched := func() bool { return p.armed == armed && p.arming == 0 }
	p.check(!untouched() || !p.runs(), "%s runs again after its deletion", p.name)
	p.aside(func() {
		p.check(!untouched() || !p.t.Pending(), "%s is pending after its deletion", p.name)
		p.check(!untouched() || !p.t.Running(), "%s is running after its deletion", p.name)
	})
	return found, nil
}

// forget removes a deleter whose call has returned.
func (p *probe) forget(deleter *actor) {
	for k, a := range p.deleters {
		if a == deleter {
			p.deleters = append(p.deleters[:k:k], p.deleters[k+1:]...)
			return
		}
	}
}
