package model

import (
	"go/token"
	"go/types"
	"maps"
	"slices"

	"github.com/seed76848005/timerwheel/vet/internal/api"
	"github.com/seed76848005/timerwheel/vet/internal/location"
	"golang.org/x/tools/go/ssa"
)

// This file finds which functions a value may be.

// A FuncValue is a function value: the function, and what it has captured.
type FuncValue struct {
	Func        *ssa.Function
	Frame       location.Frame
	BoundParams int // how many parameters are bound: 1 for the receiver of a method value
}

// OwnTimer returns the location of the Timer that the wheel passes to a handler.
func (f FuncValue) OwnTimer(s *Site) location.Location {
	if !s.Op.TakesTimer() || len(f.Func.Params) <= f.BoundParams {
		return location.Location{}
	}
	return location.Location{Root: f.Func.Params[f.BoundParams]}
}

// OwnKey returns the location of the key that the handler of keyed timers gets.
func (f FuncValue) OwnKey(s *Site) location.Location {
	if s.Op != api.KeyedNew || len(f.Func.Params) <= f.BoundParams {
		return location.Location{}
	}
	return location.Location{Root: f.Func.Params[f.BoundParams]}
}

// maxDepth bounds the steps from a value back to the function or the handle that
// it is.
const maxDepth = 6

// funcsOf returns the functions that a value may be, as far as they are known.
func (m *Model) funcsOf(v ssa.Value, depth int) []FuncValue { return m.funcsVia(v, nil, depth) }

// funcsVia returns the functions that a value may be. It knows a function, a variable that
// is set once, a field that is always set to one function, and a parameter or a result of
// the package's own functions. The value of a parameter of the function that via[0] calls
// is what that call passes, and so on; of any other, what any caller passes.
func (m *Model) funcsVia(v ssa.Value, via []ssa.CallInstruction, depth int) (fs []FuncValue) {
	if depth > maxDepth {
		return nil
	}
	switch v := v.(type) {
	case *ssa.Function:
		return []FuncValue{{Func: generic(v), Frame: location.Frame{}}}
	case *ssa.MakeClosure:
		return m.closure(v)
	case *ssa.ChangeType:
		return m.funcsVia(v.X, via, depth+1)
	case *ssa.Phi:
		for _, e := range v.Edges {
			fs = append(fs, m.funcsVia(e, via, depth+1)...)
		}
	case *ssa.UnOp:
		if v.Op == token.MUL {
			return m.loadedFuncs(v.X, via, depth)
		}
	case *ssa.FreeVar:
		if c := location.Captured(v); c != nil {
			return m.funcsVia(c, via, depth+1)
		}
	case *ssa.Parameter:
		return m.funcsPassed(v, via, depth)
	case *ssa.Call:
		return m.returnedFuncs(v, depth)
	}
	return fs
}

// loadedFuncs returns the functions that a variable or a field may hold.
func (m *Model) loadedFuncs(addr ssa.Value, via []ssa.CallInstruction, depth int) []FuncValue {
	if variable := location.Variable(addr); variable != nil {
		if stored := location.OnlyStored(variable); stored != nil {
			return m.funcsVia(stored, via, depth+1)
		}
		return nil
	}
	return m.onlyFuncAt(location.Of(addr).Key, depth)
}

// onlyFuncAt returns the function that all objects have in a field, or that a package
// variable has, if the package sets it to no other.
func (m *Model) onlyFuncAt(key string, depth int) (only []FuncValue) {
	for _, v := range m.funcsStored[key] {
		if api.IsNil(v) {
			continue
		}
		fs := m.funcsOf(v, depth+1)
		if len(fs) != 1 || only != nil && only[0].Func != fs[0].Func {
			return nil
		}
		only = fs
	}
	return only
}

// funcsPassed returns the functions that are passed for a parameter.
func (m *Model) funcsPassed(p *ssa.Parameter, via []ssa.CallInstruction, depth int) (fs []FuncValue) {
	i := slices.Index(p.Parent().Params, p)
	if len(via) > 0 && ownCallee(via[0].Common()) == p.Parent() {
		for _, f := range m.funcsVia(via[0].Common().Args[i], via[1:], depth+1) {
			fs = append(fs, f.in(func(l location.Location) location.Location { return throughCalls(l, via[1:]) }))
		}
		return fs
	}
	for _, call := range m.callers[p.Parent()] {
		fs = append(fs, m.funcsOf(call.Common().Args[i], depth+2)...)
	}
	return fs
}

// in translates what a function value has captured.
func (f FuncValue) in(toCaller func(location.Location) location.Location) FuncValue {
	fr := location.Frame{}
	for i, l := range f.Frame {
		fr[i] = toCaller(l)
	}
	return FuncValue{f.Func, fr, f.BoundParams}
}

// throughCalls translates a location of the function that via[0] calls into one of the
// function with the last of these calls.
func throughCalls(l location.Location, via []ssa.CallInstruction) location.Location {
	for _, call := range via {
		c := call.Common()
		l = location.FrameOf(c.Value, c.Args).ToCaller(l.FromParam(ownCallee(c)))
	}
	return l
}

// closure returns the function of a closure. For a method value, that is the
// method, with its receiver bound.
func (m *Model) closure(c *ssa.MakeClosure) []FuncValue {
	fn := c.Fn.(*ssa.Function)
	if method, ok := fn.Object().(*types.Func); ok && fn.Synthetic != "" {
		f := fn.Prog.FuncValue(method)
		if types.IsInterface(c.Bindings[0].Type()) {
			f = m.implementation(c.Bindings[0].Type(), method)
		}
		if f != nil && len(generic(f).Blocks) > 0 {
			return []FuncValue{{generic(f), location.Frame{1: location.Of(c.Bindings[0])}, 1}}
		}
	}
	return []FuncValue{{Func: fn, Frame: location.FrameOf(c, nil)}}
}

// returnedFuncs returns the functions that a call of the package's own function
// returns.
func (m *Model) returnedFuncs(call *ssa.Call, depth int) (fs []FuncValue) {
	callee := ownCallee(call.Common())
	if callee == nil {
		return nil
	}
	inner := location.FrameOf(call.Call.Value, call.Call.Args)
	for _, r := range returnsOf(callee) {
		if len(r.Results) != 1 {
			continue
		}
		for _, f := range m.funcsVia(r.Results[0], []ssa.CallInstruction{call}, depth+1) {
			fs = append(fs, f.in(func(l location.Location) location.Location { return inner.ToCaller(l.InSummary(callee)) }))
		}
	}
	return fs
}

func returnsOf(fn *ssa.Function) (rs []*ssa.Return) {
	for _, b := range fn.Blocks {
		if r, ok := b.Instrs[len(b.Instrs)-1].(*ssa.Return); ok {
			rs = append(rs, r)
		}
	}
	return rs
}

// ownCallee returns the package's own function that a call is known to call, or
// nil.
func ownCallee(c *ssa.CallCommon) *ssa.Function {
	fn := c.StaticCallee()
	if fn == nil {
		return nil
	}
	if fn = generic(fn); len(fn.Blocks) == 0 {
		return nil
	}
	return fn
}

// calledFunc returns the function that a call calls, in the frame of that call. It
// returns none if that function is not known.
func (m *Model) calledFunc(c *ssa.CallCommon) FuncValue {
	f, ok := m.calledFuncs[c]
	if !ok {
		f = m.findCalledFunc(c)
		m.calledFuncs[c] = f
	}
	return f
}

func (m *Model) findCalledFunc(c *ssa.CallCommon) FuncValue {
	if c.IsInvoke() {
		fn := m.implementation(c.Value.Type(), c.Method)
		args := append([]ssa.Value{c.Value}, c.Args...)
		return FuncValue{Func: fn, Frame: location.FrameOf(nil, args)}
	}
	if fn := c.StaticCallee(); fn != nil {
		return FuncValue{Func: fn, Frame: location.FrameOf(c.Value, c.Args)}
	}
	fs := m.funcsOf(c.Value, 0)
	if len(fs) != 1 {
		return FuncValue{}
	}
	fr := maps.Clone(fs[0].Frame)
	for i, a := range c.Args {
		fr[fs[0].BoundParams+i+1] = location.Of(a)
	}
	return FuncValue{Func: fs[0].Func, Frame: fr}
}

// implementation returns the method that a call through an interface of this package
// calls, if one type of the package implements it. Otherwise it returns nil.
func (m *Model) implementation(iface types.Type, method *types.Func) *ssa.Function {
	n, ok := types.Unalias(iface).(*types.Named)
	if !ok || n.Obj().Pkg() != m.Pass.Pkg || isGeneric(n) {
		return nil
	}
	typ, ok := m.implementations[n]
	if !ok {
		typ = m.onlyImplementation(n.Underlying().(*types.Interface))
		m.implementations[n] = typ
	}
	if typ == nil {
		return nil
	}
	selection := types.NewMethodSet(typ).Lookup(m.Pass.Pkg, method.Name())
	fn := m.program.FuncValue(selection.Obj().(*types.Func))
	if len(selection.Index()) > 1 || fn == nil { // of an embedded field, or of another package
		return nil
	}
	return fn
}

// onlyImplementation returns the one type of this package that implements an interface, or
// a pointer to it. It returns nil if there are others, or none.
func (m *Model) onlyImplementation(i *types.Interface) (only types.Type) {
	scope := m.Pass.Pkg.Scope()
	for _, name := range scope.Names() {
		obj, ok := scope.Lookup(name).(*types.TypeName)
		if !ok || obj.IsAlias() || types.IsInterface(obj.Type()) || isGeneric(obj.Type()) {
			continue
		}
		if p := types.NewPointer(obj.Type()); types.Implements(p, i) {
			if only != nil {
				return nil
			}
			only = p
		}
	}
	return only
}

func isGeneric(t types.Type) bool {
	n, ok := t.(*types.Named)
	return ok && n.TypeParams().Len() > 0
}

func isFunc(t types.Type) bool {
	_, ok := t.Underlying().(*types.Signature)
	return ok
}

// passedFuncs returns the functions that an argument of a call may be.
func (m *Model) passedFuncs(v ssa.Value) []FuncValue {
	fs, ok := m.argumentFuncs[v]
	if !ok {
		fs = m.funcsOf(v, 0)
		m.argumentFuncs[v] = fs
	}
	return fs
}

// Called returns the function that a call calls, and the frame of that call. It returns nil
// if that function is not known.
func (m *Model) Called(c *ssa.CallCommon) (*ssa.Function, location.Frame) {
	f := m.calledFunc(c)
	if f.Func == nil {
		return nil, nil
	}
	return generic(f.Func), f.Frame
}

// SummaryAt returns the summary of the function that a call calls, and the frame of that
// call. It returns nil if that function is not known.
func (m *Model) SummaryAt(c *ssa.CallCommon) (*Summary, location.Frame) {
	f := m.calledFunc(c)
	if f.Func == nil {
		return nil, nil
	}
	return m.summaryOf(f.Func), f.Frame
}

// summaryOf returns the summary of a function of this package or another.
func (m *Model) summaryOf(fn *ssa.Function) *Summary {
	fn = generic(fn)
	if s := m.summaries[fn]; s != nil {
		return s
	}
	if fn.Object() != nil && len(fn.Blocks) == 0 {
		return m.importedSummary(fn)
	}
	return nil
}
