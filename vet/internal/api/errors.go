package api

import (
	"slices"

	"github.com/seed76848005/timerwheel/vet/internal/location"
	"golang.org/x/tools/go/ssa"
)

// This file finds what the code does with the error that a call returns.

// ComparesError reports whether the code compares the error of a call with one of
// the named errors of package timerwheel: then the code expects that error.
func ComparesError(call ssa.Value, names ...string) bool {
	for _, in := range usesOf(errorOf(call)) {
		for _, operand := range in.Operands(nil) {
			if name := errorName(*operand); name != "" && slices.Contains(names, name) {
				return true
			}
		}
	}
	return false
}

// errorOf returns the values that are the error of a call.
func errorOf(call ssa.Value) (vs []ssa.Value) {
	refs := call.Referrers()
	if refs == nil {
		return nil
	}
	vs = []ssa.Value{call}
	for _, in := range *refs {
		if x, ok := in.(*ssa.Extract); ok {
			if x.Index == x.Tuple.(*ssa.Call).Call.Signature().Results().Len()-1 {
				return []ssa.Value{x}
			}
			vs = nil
		}
	}
	return vs
}

// usesOf returns the instructions that use values, also through variables and
// conversions.
func usesOf(values []ssa.Value) (uses []ssa.Instruction) {
	seen := map[ssa.Value]bool{}
	for len(values) > 0 {
		v := values[0]
		values = values[1:]
		if seen[v] || v.Referrers() == nil {
			continue
		}
		seen[v] = true
		for _, in := range *v.Referrers() {
			uses = append(uses, in)
			switch in := in.(type) {
			case *ssa.Phi:
				values = append(values, in)
			case *ssa.MakeInterface:
				values = append(values, in)
			case *ssa.ChangeInterface:
				values = append(values, in)
			case *ssa.Store:
				if variable := location.Variable(in.Addr); variable != nil && in.Val == v {
					values = append(values, location.Loads(variable)...)
				}
			}
		}
	}
	return uses
}

// errorName returns the name of the error variable of package timerwheel that a
// value is loaded from.
func errorName(v ssa.Value) string {
	switch x := v.(type) {
	case *ssa.MakeInterface:
		return errorName(x.X)
	case *ssa.ChangeInterface:
		return errorName(x.X)
	case *ssa.UnOp:
		if g, ok := x.X.(*ssa.Global); ok && g.Pkg.Pkg.Path() == WheelPath {
			return g.Name()
		}
	}
	return ""
}
