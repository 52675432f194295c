package model

import (
	"go/token"
	"go/types"
	"maps"
	"slices"

	"github.com/seed76848005/timerwheel/vet/internal/location"
	"golang.org/x/tools/go/ssa"
)

// This file finds which functions a value may be, and what a call calls.

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

// maxDepth bounds the steps from a value back to the function or the handle that
// it is.
const maxDepth = 6

// funcsOf returns the functions that a value may be, as far as they are known. It
// knows a function, a variable that is set once, and a parameter or a result of
// the package's own functions.
func (m *Model) funcsOf(v ssa.Value, depth int) (fs []FuncValue) {
	if depth > maxDepth {
		return nil
	}
	switch v := v.(type) {
	case *ssa.Function:
		return []FuncValue{{Func: generic(v), Frame: location.Frame{}}}
	case *ssa.MakeClosure:
		return []FuncValue{closure(v)}
	case *ssa.ChangeType:
		return m.funcsOf(v.X, depth+1)
	case *ssa.Phi:
		for _, e := range v.Edges {
			fs = append(fs, m.funcsOf(e, depth+1)...)
		}
	case *ssa.UnOp:
		if variable := location.Variable(v.X); v.Op == token.MUL && variable != nil {
			if stored := location.OnlyStored(variable); stored != nil {
				return m.funcsOf(stored, depth+1)
			}
		}
	case *ssa.FreeVar:
		if c := location.Captured(v); c != nil {
			return m.funcsOf(c, depth+1)
		}
	case *ssa.Parameter:
		i := slices.Index(v.Parent().Params, v)
		for _, call := range m.callers[v.Parent()] {
			fs = append(fs, m.funcsOf(call.Common().Args[i], depth+2)...)
		}
	case *ssa.Call:
		return m.returnedFuncs(v, depth)
	}
	return fs
}

// closure returns the function of a closure. For a method value, that is the
// method, with its receiver bound.
func closure(c *ssa.MakeClosure) FuncValue {
	fn := c.Fn.(*ssa.Function)
	if method, ok := fn.Object().(*types.Func); ok && fn.Synthetic != "" {
		if f := fn.Prog.FuncValue(method); f != nil && len(generic(f).Blocks) > 0 {
			return FuncValue{generic(f), location.Frame{1: location.Of(c.Bindings[0])}, 1}
		}
	}
	return FuncValue{Func: fn, Frame: location.FrameOf(c, nil)}
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
		for _, f := range m.funcsOf(r.Results[0], depth+1) {
			fr := location.Frame{}
			for i, l := range f.Frame {
				fr[i] = inner.ToCaller(l.InSummary(callee))
			}
			fs = append(fs, FuncValue{f.Func, fr, f.BoundParams})
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

// SummaryAt returns the summary of the function that a call calls, and the frame of
// that call. It returns nil if that function is not known.
func (m *Model) SummaryAt(c *ssa.CallCommon) (*Summary, location.Frame) {
	if c.IsInvoke() {
		return nil, nil
	}
	f, ok := m.calledFuncs[c]
	if !ok {
		f = m.calledFunc(c)
		m.calledFuncs[c] = f
	}
	if f.Func == nil {
		return nil, nil
	}
	return m.summaryOf(f.Func), f.Frame
}

// calledFunc returns the function that a call calls, in the frame of that call. It
// returns none if that function is not known.
func (m *Model) calledFunc(c *ssa.CallCommon) FuncValue {
	if fn := c.StaticCallee(); fn != nil {
		return FuncValue{Func: fn, Frame: location.FrameOf(c.Value, c.Args)}
	}
	fs := m.funcsOf(c.Value, 4)
	if len(fs) != 1 || fs[0].BoundParams > 0 {
		return FuncValue{}
	}
	fr := location.FrameOf(nil, c.Args)
	maps.Copy(fr, fs[0].Frame)
	return FuncValue{Func: fs[0].Func, Frame: fr}
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

// summaryOf returns the summary of a function of this package or another.
func (m *Model) summaryOf(fn *ssa.Function) *Summary {
	fn = generic(fn)
	if s := m.summaries[fn]; s != nil {
		return s
	}
	if fn.Object() != nil && len(fn.Blocks) == 0 {
		return m.imported[fullName(fn)]
	}
	return nil
}
