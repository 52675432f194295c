package location

import (
	"go/token"
	"slices"

	"golang.org/x/tools/go/ssa"
)

// Variable returns the variable that an address belongs to, also if a closure has
// captured it.
func Variable(addr ssa.Value) *ssa.Alloc {
	for range 10 {
		f, ok := addr.(*ssa.FreeVar)
		if !ok {
			break
		}
		addr = Captured(f)
	}
	variable, _ := addr.(*ssa.Alloc)
	return variable
}

// OnlyStored returns the value that a variable is set to, if it is set once and as
// a whole.
func OnlyStored(variable *ssa.Alloc) (v ssa.Value) {
	for _, addr := range addressesOf(variable) {
		refs := addr.Referrers()
		if refs == nil {
			return nil
		}
		for _, in := range *refs {
			switch in := in.(type) {
			case *ssa.Store:
				if in.Addr != addr || v != nil {
					return nil
				}
				v = in.Val
			case *ssa.UnOp, *ssa.MakeClosure, *ssa.DebugRef:
			default:
				return nil // a part of it may be changed, or code elsewhere may change it
			}
		}
	}
	return v
}

// Loads returns the values that are read from a variable.
func Loads(variable *ssa.Alloc) (vs []ssa.Value) {
	for _, addr := range addressesOf(variable) {
		if addr.Referrers() == nil {
			continue
		}
		for _, in := range *addr.Referrers() {
			if load, ok := in.(*ssa.UnOp); ok && load.Op == token.MUL {
				vs = append(vs, load)
			}
		}
	}
	return vs
}

// addressesOf returns the values that are the address of a variable: its own, and
// those of the closures that have captured it.
func addressesOf(variable ssa.Value) []ssa.Value {
	all := []ssa.Value{variable}
	refs := variable.Referrers()
	if refs == nil {
		return all
	}
	for _, in := range *refs {
		c, ok := in.(*ssa.MakeClosure)
		if !ok {
			continue
		}
		for i, b := range c.Bindings {
			if b == variable {
				all = append(all, addressesOf(c.Fn.(*ssa.Function).FreeVars[i])...)
			}
		}
	}
	return all
}

// Captured returns what a captured variable is in the function around the
// closure. It returns nil if the closure is made in several places.
func Captured(v *ssa.FreeVar) (value ssa.Value) {
	fn := v.Parent()
	if fn.Synthetic != "" || fn.Parent() == nil {
		return nil
	}
	i := slices.Index(fn.FreeVars, v)
	for _, in := range *fn.Referrers() {
		if c, ok := in.(*ssa.MakeClosure); ok {
			if value != nil {
				return nil
			}
			value = c.Bindings[i]
		}
	}
	return value
}

// isVariable reports whether storage is a variable of the source. Storage that new
// or a literal makes is not.
func isVariable(v *ssa.Alloc) bool {
	switch v.Comment {
	case "", "new", "complit", "slicelit", "makeslice", "varargs":
		return false
	}
	return true
}
