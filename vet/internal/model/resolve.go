package model

import (
	"maps"

	"github.com/seed76848005/timerwheel/vet/internal/api"
	"github.com/seed76848005/timerwheel/vet/internal/location"
	"golang.org/x/tools/go/ssa"
)

// This file finds which functions a call calls: the called one, and those that it is
// passed and calls.

// A call is a function that a call calls.
type call struct {
	fn      *ssa.Function
	summary *Summary
	frame   location.Frame
	held    []Lock // by the function between, if there is one
	name    string
}

// resolve returns the functions that a call in fn calls, as far as they are known, and the
// calls of what was passed to fn. In the handler of a site, what was passed to the maker
// of the timer is known.
func (m *Model) resolve(c *ssa.CallCommon, fn *ssa.Function, site *Site) (called []call, params []ParamCall) {
	if api.OpOf(c) == api.OnceDo {
		return m.resolveValue(c.Args[1], nil, nil, fn, site)
	}
	if !c.IsInvoke() && passedIn(c.Value) != nil {
		return m.resolveValue(c.Value, locationsOf(c.Args), nil, fn, site)
	}
	f := m.calledFunc(c)
	if f.Func == nil {
		return nil, nil
	}
	s := m.summaryOf(f.Func)
	if s == nil {
		return nil, nil
	}
	called = []call{{generic(f.Func), s, f.Frame, nil, calleeName(c)}}
	for _, e := range s.Calls {
		v := valueOf(e.Func, c)
		if v == nil {
			continue
		}
		more, moreParams := m.resolveValue(v, inFrame(f.Frame, e.Args), toCaller(f.Frame, e.Held), fn, site)
		called, params = append(called, more...), append(params, moreParams...)
	}
	return called, params
}

// resolveValue returns the functions that a value may be which is called with arguments,
// while locks are held.
func (m *Model) resolveValue(v ssa.Value, args []location.Location, held []Lock, fn *ssa.Function, site *Site) (called []call, params []ParamCall) {
	fs := m.passedFuncs(v)
	if p := passedIn(v); p != nil {
		fs = m.passedBy(p, site)
		if fs == nil {
			return nil, []ParamCall{{location.Location{Root: p}.FromParam(fn), args, held}}
		}
	}
	for _, g := range fs {
		if s := m.summaryOf(g.Func); s != nil {
			fr := maps.Clone(g.Frame)
			for i, a := range args {
				fr[g.BoundParams+i+1] = a
			}
			called = append(called, call{g.Func, s, fr, held, "the function that is passed"})
		}
	}
	return called, params
}

// passedBy returns the functions that a parameter of the maker of a timer may be, for a
// site of that maker.
func (m *Model) passedBy(p *ssa.Parameter, site *Site) []FuncValue {
	if site == nil || len(site.via) == 0 {
		return nil
	}
	return m.funcsVia(p, site.via, 0)
}

// passedIn returns the parameter that a function value is: one of the function, or of a
// function around it.
func passedIn(v ssa.Value) *ssa.Parameter {
	l := location.Of(v)
	p, _ := l.Root.(*ssa.Parameter)
	if p == nil || l.Path != "" || !isFunc(p.Type()) {
		return nil
	}
	return p
}

// valueOf returns the value that a parameter of a called function has in a call.
func valueOf(param location.Location, c *ssa.CallCommon) ssa.Value {
	switch i := param.Param; {
	case i > 0 && i <= len(c.Args) && !c.IsInvoke():
		return c.Args[i-1]
	case i < 0:
		if closure, ok := c.Value.(*ssa.MakeClosure); ok {
			return closure.Bindings[-i-1]
		}
	case param.Root != nil:
		return param.Root
	}
	return nil
}

func locationsOf(vs []ssa.Value) (ls []location.Location) {
	for _, v := range vs {
		ls = append(ls, location.Of(v))
	}
	return ls
}

func inFrame(fr location.Frame, ls []location.Location) (out []location.Location) {
	for _, l := range ls {
		out = append(out, fr.ToCaller(l))
	}
	return out
}
