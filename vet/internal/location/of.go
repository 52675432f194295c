package location

import (
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// maxDepth bounds the instructions through which Of follows a value to its root.
const maxDepth = 40

// Of returns the location that a value is stored in, is the address of, or was
// loaded from.
func Of(v ssa.Value) Location { return of(v, 0) }

func of(v ssa.Value, depth int) Location {
	if depth > maxDepth {
		return Location{Root: v, Key: rootKey(v)}
	}
	next := func(v ssa.Value) Location { return of(v, depth+1) }
	switch v := v.(type) {
	case *ssa.UnOp:
		if v.Op == token.MUL {
			return loadedFrom(v, next)
		}
	case *ssa.FieldAddr:
		t := v.X.Type().Underlying().(*types.Pointer).Elem()
		return next(v.X).field(structOf(t).Field(v.Field), t)
	case *ssa.Field:
		return next(v.X).field(structOf(v.X.Type()).Field(v.Field), v.X.Type())
	case *ssa.IndexAddr:
		return Element(v, next(v.X))
	case *ssa.Index:
		return Element(v, next(v.X))
	case *ssa.Lookup:
		return Element(v, next(v.X))
	case *ssa.Extract:
		return ofResult(v, next)
	case *ssa.Slice:
		return next(v.X)
	case *ssa.ChangeType:
		return next(v.X)
	case *ssa.Convert:
		return next(v.X)
	case *ssa.MakeInterface:
		return next(v.X)
	case *ssa.ChangeInterface:
		return next(v.X)
	case *ssa.TypeAssert:
		return next(v.X)
	case *ssa.FreeVar:
		if c := Captured(v); c != nil {
			return next(c)
		}
	case *ssa.Call:
		if b, ok := v.Call.Value.(*ssa.Builtin); ok && b.Name() == "append" {
			return next(v.Call.Args[0])
		}
	}
	return Location{Root: v, Key: rootKey(v)}
}

// loadedFrom returns the location of a value that was loaded. For a variable that
// is set once, that is the location of the value that it was set to.
func loadedFrom(load *ssa.UnOp, next func(ssa.Value) Location) Location {
	l := next(load.X)
	if variable, ok := l.Root.(*ssa.Alloc); ok && l.Path == "" && l.Param == 0 {
		if v := OnlyStored(variable); v != nil {
			return next(v)
		}
	}
	return l
}

// ofResult returns the location of one of several results.
func ofResult(v *ssa.Extract, next func(ssa.Value) Location) Location {
	switch t := v.Tuple.(type) {
	case *ssa.Lookup:
		return Element(v, next(t.X))
	case *ssa.TypeAssert:
		return next(t.X)
	case *ssa.Next:
		if r, ok := t.Iter.(*ssa.Range); ok {
			return Element(v, next(r.X))
		}
	}
	return Location{Root: v, Key: rootKey(v)}
}

// Element returns the location of v, an element of a slice, an array or a map. All
// elements of a container share one key.
func Element(v ssa.Value, container Location) Location {
	l := Location{Root: v}
	if container.Key != "" {
		l.Key = container.Key + "[]"
	}
	return l
}

// rootKey returns the key of a location that is not a field.
func rootKey(v ssa.Value) string {
	switch v := v.(type) {
	case *ssa.Global:
		return PackagePath(v.Pkg.Pkg) + "." + v.Name()
	case *ssa.Parameter, *ssa.FreeVar, *ssa.Const, *ssa.Function, *ssa.Builtin:
		return ""
	}
	if f := v.Parent(); f != nil && f.Pkg != nil {
		return PackagePath(f.Pkg.Pkg) + "." + f.Name() + "#" + v.Name()
	}
	return ""
}

// Named returns the type of a struct, or of a pointer to one, if it has a name.
func Named(t types.Type) *types.Named {
	if p, ok := t.Underlying().(*types.Pointer); ok {
		t = p.Elem()
	}
	n, _ := types.Unalias(t).(*types.Named)
	if n == nil {
		return nil
	}
	return n.Origin()
}

func typeName(n *types.Named) string {
	if n.Obj().Pkg() == nil {
		return n.Obj().Name()
	}
	return PackagePath(n.Obj().Pkg()) + "." + n.Obj().Name()
}

// PackagePath returns the path of a package. It is without the name of the test
// that go vet appends to the path of a variant compiled for a test.
func PackagePath(p *types.Package) string {
	path, _, _ := strings.Cut(p.Path(), " ")
	return path
}

func structOf(t types.Type) *types.Struct {
	s, ok := t.Underlying().(*types.Struct)
	if !ok { // a type parameter whose types are structs
		s = structOfTypeParam(t)
	}
	return s
}

func structOfTypeParam(t types.Type) *types.Struct {
	i, ok := t.Underlying().(*types.Interface)
	if !ok {
		return nil
	}
	for e := range i.EmbeddedTypes() {
		if u, ok := e.(*types.Union); ok && u.Len() > 0 {
			if s, ok := u.Term(0).Type().Underlying().(*types.Struct); ok {
				return s
			}
		}
	}
	return nil
}
