package model

import (
	"slices"
	"strings"

	"github.com/seed76848005/timerwheel/vet/internal/api"
	"github.com/seed76848005/timerwheel/vet/internal/location"
	"golang.org/x/tools/go/ssa"
)

// This file follows a path through the calls of functions that have a summary.

// callOther does what the called function does.
func (f *follower) callOther(l *lockState, in ssa.CallInstruction, c *ssa.CallCommon) {
	s, fr := f.m.SummaryAt(c)
	if s != nil {
		f.apply(l, in, s, fr, calleeName(c))
		for _, e := range s.Calls {
			if i := e.Param - 1; i >= 0 && i < len(c.Args) {
				f.callArgument(l, in, c.Args[i], toCaller(fr, e.Held))
			}
		}
		return
	}
	if p := location.Of(c.Value).FromParam(f.fn).Param; p != 0 && !c.IsInvoke() {
		f.visitor.ParamCall(ParamCall{p, l.held})
	}
}

// callArgument does what a function value does that is passed to a function, which
// calls it with more locks held.
func (f *follower) callArgument(l *lockState, in ssa.CallInstruction, v ssa.Value, held []Lock) {
	inside := l.Clone()
	for _, x := range held {
		inside.lock(x)
	}
	if p := location.Of(v).FromParam(f.fn).Param; p != 0 {
		f.visitor.ParamCall(ParamCall{p, inside.held})
	}
	for _, g := range f.m.passedFuncs(v) {
		if s := f.m.summaryOf(g.Func); s != nil {
			f.apply(inside.Clone(), in, s, g.Frame, "the function that is passed")
		}
	}
}

// apply does what a summary says, in the frame of the call.
func (f *follower) apply(l *lockState, in ssa.CallInstruction, s *Summary, fr location.Frame, callee string) {
	for _, x := range s.Locks {
		x.Location = fr.ToCaller(x.Location)
		f.visitor.Lock(x)
		l.recordTaken(x)
	}
	for _, w := range s.Waits {
		f.applyWait(l, in, w, fr, callee)
	}
	for _, e := range s.Signals {
		e.Location = fr.ToCaller(e.Location)
		e.After = union(l.taken, toCaller(fr, e.After))
		f.visitor.Signal(e)
	}
	for _, r := range s.Releases {
		l.unlock(fr.ToCaller(r))
	}
	for _, x := range toCaller(fr, s.Acquires) {
		l.lock(x)
	}
}

// maxVia bounds the commas in Wait.Via, so that functions that call each other do
// not lengthen it without end.
const maxVia = 8

func (f *follower) applyWait(l *lockState, in ssa.CallInstruction, w Wait, fr location.Frame, callee string) {
	inside := l.Clone()
	for _, r := range w.Released {
		inside.unlock(fr.ToCaller(r))
	}
	targets := make([]Origin, len(w.Targets))
	for i, o := range w.Targets {
		targets[i] = Origin{o.Site, fr.ToCaller(o.Location)}
		if o.Site == nil && w.Op.WaitsForTimer() {
			targets[i].Site = f.m.siteAt(targets[i].Location)
		}
	}
	w.Targets = targets
	w.Released = inside.released
	if result, ok := in.(ssa.Value); ok && !w.Expected && w.Op.Waits() { // the callee may return its error
		w.Expected = api.ComparesError(result, "ErrDeadlock")
	}
	if strings.Count(w.Via, ",") > maxVia {
		return
	}
	if w.At.Text == "" { // a method expression has no source
		w.At = f.m.Position(in.Pos())
	}
	w.Via = strings.TrimSuffix(callee+", "+w.Via, ", ")
	f.visitor.Wait(w, inside.held, in)
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
