package model

import (
	"slices"
	"strings"

	"github.com/seed76848005/timerwheel/vet/internal/api"
	"github.com/seed76848005/timerwheel/vet/internal/location"
	"golang.org/x/tools/go/ssa"
)

// This file follows a path through the calls of functions that have a summary.

// callOther does what the called functions do.
func (f *follower) callOther(l *lockState, in ssa.CallInstruction, c *ssa.CallCommon) {
	called, params := f.m.resolve(c, f.fn, f.site)
	if f.visitor.ParamCall != nil {
		for _, p := range params {
			p.Held = l.with(p.Held).held
			f.visitor.ParamCall(p)
		}
	}
	for _, x := range called {
		if len(x.held) == 0 {
			f.apply(l, in, x)
		} else {
			f.apply(l.with(x.held), in, x)
		}
	}
}

// with returns a copy of the state, with more locks held.
func (l *lockState) with(held []Lock) *lockState {
	more := l.Clone()
	for _, x := range held {
		more.lock(x)
	}
	return more
}

// apply does what a summary says, in the frame of the call.
func (f *follower) apply(l *lockState, in ssa.CallInstruction, c call) {
	s := c.summary
	if f.visitor.Lock != nil {
		f.visitLocks(l, in, c)
	}
	if f.visitor.Wait != nil {
		f.visitWaits(l, in, c)
	}
	for _, u := range s.Unlocks {
		if at := c.frame.ToCaller(u); !contains(l.held, at) && f.visitor.Unlock != nil {
			f.visitor.Unlock(at)
		}
	}
	for _, r := range s.Releases {
		f.unlock(l, c.frame.ToCaller(r))
	}
	for _, x := range toCaller(c.frame, s.Acquires) {
		l.lock(x)
	}
}

// visitLocks visits the locks that a called function takes. It leaves out those that the
// function unlocks as well: it may have unlocked them before.
func (f *follower) visitLocks(l *lockState, in ssa.CallInstruction, c call) {
	for _, h := range l.held {
		if slices.ContainsFunc(c.summary.Unlocks, func(u location.Location) bool {
			return u == theWheels || location.MayAlias(c.frame.ToCaller(u), h.Location)
		}) {
			return
		}
	}
	for n := range c.summary.Locks.All() {
		x := f.m.Lock(n)
		x.Location = c.frame.ToCaller(x.Location)
		f.visitor.Lock(x, l.held, in)
	}
}

func (f *follower) visitWaits(l *lockState, in ssa.CallInstruction, c call) {
	waits := c.summary.Waits.All()
	if f.visitor.SameWaits != nil && len(l.released) == 0 {
		f.visitor.SameWaits(c.summary.Waits)
		waits = c.summary.Waits.in(f.m.waits.relative)
	}
	for n := range waits {
		f.applyWait(l, in, f.m.waits.values[n], c)
	}
}

// maxVia bounds the functions that Wait.Via names: the last ones before the wait.
const maxVia = 4

func (f *follower) applyWait(l *lockState, in ssa.CallInstruction, w Wait, c call) {
	inside := l
	if len(w.Released) > 0 {
		inside = l.Clone()
		for _, r := range w.Released {
			inside.unlock(c.frame.ToCaller(r))
		}
	}
	w.Targets, w.Key = f.m.targetsIn(c.frame, w), c.frame.ToCaller(w.Key)
	w.Released = inside.released
	if result, ok := in.(ssa.Value); ok && !w.Expected && w.Op.Waits() { // the callee may return its error
		w.Expected = api.ComparesError(result, "ErrDeadlock")
	}
	if w.At.Text == "" { // a method expression has no source
		w.At = f.m.Position(in.Pos())
	}
	if strings.Count(w.Via, ",")+1 < maxVia {
		w.Via = strings.TrimSuffix(c.name+", "+w.Via, ", ")
	}
	f.visitor.Wait(w, inside.held, in)
}

// targetsIn returns what a wait of a called function waits for, in the frame of the call.
func (m *Model) targetsIn(fr location.Frame, w Wait) (targets []Origin) {
	for _, o := range w.Targets {
		at := fr.ToCaller(o.Location)
		if o.Site == nil && w.Op.WaitsForTimer() {
			if sites := m.sitesAt(at); len(sites) > 0 {
				for _, s := range sites {
					targets = append(targets, Origin{s, at})
				}
				continue
			}
		}
		targets = append(targets, Origin{o.Site, at})
	}
	return targets
}

// toCaller translates the locks of a summary into locks of the caller.
func toCaller(fr location.Frame, locks []Lock) []Lock {
	out := slices.Clone(locks)
	for i := range out {
		out[i].Location = fr.ToCaller(out[i].Location)
	}
	return out
}

// calleeName names the called function for a diagnostic.
func calleeName(c *ssa.CallCommon) string {
	if f := api.Called(c); f != nil {
		return f.Name()
	}
	return "a function"
}
