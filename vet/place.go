package vet

import (
	"go/token"
	"go/types"
	"reflect"
	"strconv"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// A place is where a mutex, a timer, a group, a wheel or a channel is kept. It
// has two names:
//
//   - the way to it from a value of one function: c.conn.mu. Two places that
//     begin with the same value and go the same way are the same. A pointer and
//     what it points to are one place.
//   - its key: (type, field), or a variable. It holds across functions and
//     packages, but all objects of one type have it in common.
//
// The way from a parameter is translated at each call into one from the
// argument.
type place struct {
	root  ssa.Value // where the way begins; nil if that is unknown here
	param int       // it begins with parameter param-1, or, if negative, with captured variable -param-1, of the summary's function
	path  string    // ".conn.mu"
	key   string    // "example.com/p.Conn.mu"; empty: none
}

// sub returns the place of a field.
func (p place) sub(field *types.Var, of types.Type) place {
	p.path += "." + field.Name()
	p.key = p.key + "." + field.Name()
	if n := named(of); n != nil {
		p.key = typeName(n) + "." + field.Name()
	}
	return p
}

// named returns the type of a struct, if it has a name.
func named(t types.Type) *types.Named {
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
	return pkgPath(n.Obj().Pkg()) + "." + n.Obj().Name()
}

// pkgPath is the path of a package. A variant that go vet compiles for a test
// has the test's name behind it.
func pkgPath(p *types.Package) string {
	path, _, _ := strings.Cut(p.Path(), " ")
	return path
}

// id names a place within one run of the analysis.
func (p place) id() string {
	root := ""
	if p.root != nil {
		root = valueID(p.root)
	}
	return root + "/" + strconv.Itoa(p.param) + p.path + "/" + p.key
}

// valueID names a value within one run of the analysis.
func valueID(v ssa.Value) string {
	return strconv.FormatUint(uint64(reflect.ValueOf(v).Pointer()), 36)
}

// String names a place for people: Conn.mu.
func (p place) String() string {
	s := p.key
	if i := strings.LastIndexByte(s, '/'); i >= 0 {
		s = s[i+1:]
	}
	if _, rest, ok := strings.Cut(s, "."); ok {
		s = rest
	}
	if v, ok := p.root.(*ssa.Alloc); ok && p.path == "" && isVariable(v) {
		s = v.Comment
	}
	if strings.Contains(s, "#") || s == "" {
		s = ""
		if v, ok := p.root.(*ssa.Parameter); ok {
			s = v.Name() + p.path
		}
	}
	return s
}

// isVariable reports whether storage is a variable of the source, not what new
// or a literal makes.
func isVariable(v *ssa.Alloc) bool {
	switch v.Comment {
	case "", "new", "complit", "slicelit", "makeslice", "varargs":
		return false
	}
	return true
}

// same reports whether two places may be the same: by the way, or by the key.
func same(p, q place) bool {
	if p.root != nil && p.root == q.root && p.path == q.path {
		return true
	}
	return p.key != "" && p.key == q.key
}

// identical reports whether two places are the same by the way to them, or
// because there is only one of them.
func identical(p, q place) bool {
	if p.root != nil && q.root != nil {
		return p.root == q.root && p.path == q.path
	}
	return p.param != 0 && p.param == q.param && p.path == q.path
}

// apart reports whether two fields of one type belong to what are, as far as the
// function at hand shows, two objects.
func apart(p, q place) bool {
	if p.root == nil || q.root == nil {
		return false
	}
	pt, pp := parent(p)
	qt, qp := parent(q)
	return pt != "" && pt == qt && (p.root != q.root || pp != qp)
}

// parent splits a field's place: its type's name, and the way to the object.
func parent(p place) (typ, path string) {
	i, k := strings.LastIndexByte(p.path, '.'), strings.LastIndexByte(p.key, '.')
	if i < 0 || k < 0 {
		return "", ""
	}
	return p.key[:k], p.path[:i]
}

// placeOf returns the place that a value is kept in, is the address of, or was
// loaded from.
func placeOf(v ssa.Value) place { return placeIn(v, 0) }

func placeIn(v ssa.Value, depth int) place {
	if depth > 40 {
		return place{root: v, key: rootKey(v)}
	}
	next := func(v ssa.Value) place { return placeIn(v, depth+1) }
	switch v := v.(type) {
	case *ssa.UnOp:
		if v.Op == token.MUL {
			return loaded(v, next)
		}
	case *ssa.FieldAddr:
		t := v.X.Type().Underlying().(*types.Pointer).Elem()
		return next(v.X).sub(structOf(t).Field(v.Field), t)
	case *ssa.Field:
		return next(v.X).sub(structOf(v.X.Type()).Field(v.Field), v.X.Type())
	case *ssa.IndexAddr:
		return element(v, next(v.X))
	case *ssa.Index:
		return element(v, next(v.X))
	case *ssa.Lookup:
		return element(v, next(v.X))
	case *ssa.Extract:
		return extracted(v, next)
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
		if b := binding(v); b != nil {
			return next(b)
		}
	case *ssa.Call:
		if b, ok := v.Call.Value.(*ssa.Builtin); ok && b.Name() == "append" {
			return next(v.Call.Args[0])
		}
	}
	return place{root: v, key: rootKey(v)}
}

// loaded returns the place of a value that was loaded. A variable that is set
// once is what it was set to.
func loaded(load *ssa.UnOp, next func(ssa.Value) place) place {
	p := next(load.X)
	if cell, ok := p.root.(*ssa.Alloc); ok && p.path == "" && p.param == 0 {
		if v := onlyStore(cell); v != nil {
			return next(v)
		}
	}
	return p
}

// onlyStore returns the value that a variable is set to, if that is done once
// and as a whole.
func onlyStore(cell *ssa.Alloc) (v ssa.Value) {
	for _, addr := range addresses(cell) {
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
				return nil // it is changed piece by piece, or by somebody else
			}
		}
	}
	return v
}

// addresses returns the values that are a variable's address: its own, and
// those of the closures that have captured it.
func addresses(cell ssa.Value) []ssa.Value {
	all := []ssa.Value{cell}
	refs := cell.Referrers()
	if refs == nil {
		return all
	}
	for _, in := range *refs {
		c, ok := in.(*ssa.MakeClosure)
		if !ok {
			continue
		}
		for i, b := range c.Bindings {
			if b == cell {
				all = append(all, addresses(c.Fn.(*ssa.Function).FreeVars[i])...)
			}
		}
	}
	return all
}

func element(v ssa.Value, container place) place {
	p := place{root: v}
	if container.key != "" {
		p.key = container.key + "[]"
	}
	return p
}

// extracted returns the place of one of several results.
func extracted(v *ssa.Extract, next func(ssa.Value) place) place {
	switch t := v.Tuple.(type) {
	case *ssa.Lookup:
		return element(v, next(t.X))
	case *ssa.TypeAssert:
		return next(t.X)
	case *ssa.Next:
		if r, ok := t.Iter.(*ssa.Range); ok {
			return element(v, next(r.X))
		}
	}
	return place{root: v, key: rootKey(v)}
}

// binding returns what a captured variable is in the function around the
// closure; nil if the closure is made in several places.
func binding(v *ssa.FreeVar) (b ssa.Value) {
	fn := v.Parent()
	if fn.Synthetic != "" || fn.Parent() == nil {
		return nil
	}
	i := indexOf(fn.FreeVars, v)
	for _, in := range *fn.Referrers() {
		if c, ok := in.(*ssa.MakeClosure); ok {
			if b != nil {
				return nil
			}
			b = c.Bindings[i]
		}
	}
	return b
}

func indexOf[T comparable](all []T, one T) int {
	for i, x := range all {
		if x == one {
			return i
		}
	}
	return -1
}

// rootKey is the key of a place that is no field.
func rootKey(v ssa.Value) string {
	switch v := v.(type) {
	case *ssa.Global:
		return pkgPath(v.Pkg.Pkg) + "." + v.Name()
	case *ssa.Parameter, *ssa.FreeVar, *ssa.Const, *ssa.Function, *ssa.Builtin:
		return ""
	}
	if f := v.Parent(); f != nil && f.Pkg != nil {
		return pkgPath(f.Pkg.Pkg) + "." + f.Name() + "#" + v.Name()
	}
	return ""
}

func structOf(t types.Type) *types.Struct {
	s, ok := t.Underlying().(*types.Struct)
	if !ok { // a type parameter whose types are structs
		s = coreOf(t)
	}
	return s
}

func coreOf(t types.Type) *types.Struct {
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

// in returns a place of function fn in the words of its summary. What is fn's
// own and no parameter is nothing to its callers: of that the key remains.
func (p place) in(fn *ssa.Function) place {
	p = p.of(fn)
	if p.root != nil && p.root.Parent() == fn && p.key != "" {
		return place{key: p.key}
	}
	return p
}

// of returns a place of function fn as seen from its parameters, if it is one.
func (p place) of(fn *ssa.Function) place {
	if p.root == nil || p.root.Parent() != fn {
		return p
	}
	switch v := p.root.(type) {
	case *ssa.Parameter:
		p.root, p.param = nil, indexOf(fn.Params, v)+1
	case *ssa.FreeVar:
		p.root, p.param = nil, -indexOf(fn.FreeVars, v)-1
	}
	return p
}

// A frame is what the parameters and captured variables of a function are in one
// call of it.
type frame map[int]place

// frameOf returns the frame of a call of function value f with arguments args.
func frameOf(f ssa.Value, args []ssa.Value) frame {
	fr := frame{}
	for i, a := range args {
		fr[i+1] = placeOf(a)
	}
	if c, ok := f.(*ssa.MakeClosure); ok {
		for i, b := range c.Bindings {
			fr[-i-1] = placeOf(b)
		}
	}
	return fr
}

// out returns a place of a summary in the words of the caller.
func (fr frame) out(p place) place {
	if p.param == 0 {
		return p
	}
	arg, ok := fr[p.param]
	if !ok {
		p.param = 0
		return p
	}
	if p.path == "" {
		return arg
	}
	arg.path += p.path
	arg.key = p.key
	return arg
}
