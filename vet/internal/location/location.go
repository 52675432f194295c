// Package location names where a program stores its mutexes, timers, groups,
// wheels and channels, so that a lock or a handle that is used in one function is
// recognised in another.
package location

import (
	"go/types"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// A Location is where a mutex, a timer, a group, a wheel or a channel is stored.
// It has two names:
//
//   - its access path from a value of one function: c.conn.mu. Two locations with
//     the same root and the same path are the same. A pointer and what it points
//     to are one location.
//   - its key: the type and the field, or the variable. A key is valid across
//     functions and packages, but all objects of one type share it.
//
// An access path from a parameter is translated at each call into one from the
// argument.
type Location struct {
	Root  ssa.Value // where the access path begins; nil if unknown here
	Param int       // if positive, the path begins at parameter Param-1 of the summary's function; if negative, at its captured variable -Param-1
	Path  string    // ".conn.mu"
	Key   string    // "example.com/p.Conn.mu"; empty if there is none
	Far   bool      // the access path was too long to keep: the object is none that a function has at hand
}

// field returns the location of a field of the object at l. The field's struct
// has type of.
func (l Location) field(f *types.Var, of types.Type) Location {
	l.Path += "." + f.Name()
	l.Key = l.Key + "." + f.Name()
	if n := Named(of); n != nil {
		l.Key = typeName(n) + "." + f.Name()
	}
	return l
}

// ID identifies a location within one run of the analysis.
func (l Location) ID() string {
	root := ""
	if l.Root != nil {
		root = ValueID(l.Root)
	}
	if l.Far {
		root = "far"
	}
	return root + "/" + strconv.Itoa(l.Param) + l.Path + "/" + l.Key
}

// KeyOf returns the key of the location that an ID identifies.
func KeyOf(id string) string {
	parts := strings.SplitN(id, "/", 3)
	if len(parts) < 3 {
		return ""
	}
	return parts[2]
}

// ValueID identifies a value within one run of the analysis.
func ValueID(v ssa.Value) string {
	return strconv.FormatUint(uint64(reflect.ValueOf(v).Pointer()), 36)
}

// String returns the name of a location for a diagnostic: Conn.mu. It is empty if
// the location has no name in the source.
func (l Location) String() string {
	s := l.Key
	if i := strings.LastIndexByte(s, '/'); i >= 0 {
		s = s[i+1:]
	}
	if _, rest, ok := strings.Cut(s, "."); ok {
		s = rest
	}
	if v, ok := l.Root.(*ssa.Alloc); ok && l.Path == "" && isVariable(v) {
		s = v.Comment
	}
	if strings.Contains(s, "#") || s == "" {
		s = ""
		if v, ok := l.Root.(*ssa.Parameter); ok {
			s = v.Name() + l.Path
		}
	}
	return s
}

// MayAlias reports whether two locations may be the same: they have the same
// access path or the same key.
func MayAlias(l, m Location) bool {
	if l.Root != nil && l.Root == m.Root && l.Path == m.Path {
		return true
	}
	return l.Key != "" && l.Key == m.Key
}

// MustAlias reports whether two locations are certainly the same: their access
// paths are equal, and begin at one value or at one parameter. A global variable
// is one value, because there is only one of it.
func MustAlias(l, m Location) bool {
	if l.Root != nil && m.Root != nil {
		return l.Root == m.Root && l.Path == m.Path
	}
	return l.Param != 0 && l.Param == m.Param && l.Path == m.Path
}

// OfDifferentObjects reports whether two locations are fields of one type, but of
// two objects as far as the current function shows.
func OfDifferentObjects(l, m Location) bool {
	if l.Far != m.Far {
		return ownerInKey(l.Key) != "" && ownerInKey(l.Key) == ownerInKey(m.Key)
	}
	if l.Root == nil || m.Root == nil || !inOneFunction(l.Root, m.Root) {
		return false
	}
	lType, lPath := l.parent()
	mType, mPath := m.parent()
	return lType != "" && lType == mType && (l.Root != m.Root || lPath != mPath)
}

// inOneFunction reports whether two values are of one function, or of a function and a
// closure in it. Two values of unrelated functions may be one.
func inOneFunction(v, w ssa.Value) bool {
	return isIn(v.Parent(), w.Parent()) || isIn(w.Parent(), v.Parent())
}

// isIn reports whether a function is another one, or a closure in it. Package variables,
// which have no function, are in every function.
func isIn(fn, outer *ssa.Function) bool {
	for ; fn != nil && fn != outer; fn = fn.Parent() {
	}
	return fn == outer
}

// SurelyDiffer reports whether two locations are fields of two objects that are certainly
// not one: two parameters or variables are taken for two objects, but the results of two
// calls, two elements of one slice, and a variable in two rounds of a loop may be one.
func SurelyDiffer(l, m Location) bool {
	if !OfDifferentObjects(l, m) {
		return false
	}
	if l.Root == m.Root {
		_, ofLoop := l.Root.(*ssa.Phi)
		return !ofLoop
	}
	return isOneObject(l.Root) && isOneObject(m.Root)
}

func isOneObject(root ssa.Value) bool {
	switch root.(type) {
	case *ssa.Parameter, *ssa.Alloc, *ssa.Global:
		return true
	}
	return false
}

// Rebase returns where l is in the object of which t is the same field that from is in the
// object of l: with from = c.idle and t = x.conn.idle, it is x.conn.mu for c.mu. It returns
// false if that is not known.
func Rebase(l, from, t Location) (Location, bool) {
	if l.Root == nil || l.Root != from.Root || t.Root == nil || from.Key != t.Key {
		return Location{}, false
	}
	base, ok := strings.CutSuffix(t.Path, from.Path)
	if !ok {
		return Location{}, false
	}
	return Location{Root: t.Root, Path: base + l.Path, Key: l.Key}, true
}

// OfSiblings reports whether two locations are reached in the same way from two values of
// one type, or in two ways from one value: a.conn.mu and b.conn.mu, a.mu and a.next.mu.
func OfSiblings(l, m Location) bool {
	if l.Root == nil || m.Root == nil || l.Key != m.Key {
		return false
	}
	if l.Root == m.Root {
		return l.Path != m.Path
	}
	return l.Path == m.Path && types.Identical(l.Root.Type(), m.Root.Type())
}

// ownerInKey returns the type that has the field of a key.
func ownerInKey(key string) string { return key[:max(0, strings.LastIndexByte(key, '.'))] }

// parent returns, for the location of a field, the name of the type that has the
// field, and the path to the object.
func (l Location) parent() (typ, path string) {
	i := strings.LastIndexByte(l.Path, '.')
	if i < 0 {
		return "", ""
	}
	return ownerInKey(l.Key), l.Path[:i]
}

// InSummary returns a location of function fn as the summary of fn names it. A
// value of fn that is not a parameter has no meaning for the callers: only its key
// remains.
func (l Location) InSummary(fn *ssa.Function) Location {
	l = l.FromParam(fn)
	if l.Root != nil && l.Root.Parent() == fn && l.Key != "" {
		return Location{Key: l.Key}
	}
	return l
}

// FromParam returns a location of function fn with an access path from a
// parameter or a captured variable, if that is where its path begins. Otherwise
// it returns the location unchanged.
func (l Location) FromParam(fn *ssa.Function) Location {
	if l.Root == nil || l.Root.Parent() != fn {
		return l
	}
	switch v := l.Root.(type) {
	case *ssa.Parameter:
		l.Root, l.Param = nil, slices.Index(fn.Params, v)+1
	case *ssa.FreeVar:
		l.Root, l.Param = nil, -slices.Index(fn.FreeVars, v)-1
	}
	return l
}

// IsRelative reports whether a location has another meaning in the callers of the function
// whose summary names it.
func (l Location) IsRelative() bool {
	if _, ok := l.Root.(*ssa.Global); ok {
		return false
	}
	return l.Param != 0 || l.Root != nil
}

// A Frame holds what the parameters and captured variables of a function are in
// one call of it. Its keys are those of Location.Param.
type Frame map[int]Location

// FrameOf returns the frame of a call of function value f with arguments args.
func FrameOf(f ssa.Value, args []ssa.Value) Frame {
	fr := Frame{}
	for i, a := range args {
		fr[i+1] = Of(a)
	}
	if c, ok := f.(*ssa.MakeClosure); ok {
		for i, b := range c.Bindings {
			fr[-i-1] = Of(b)
		}
	}
	return fr
}

// ToCaller translates a location of a summary into a location of the caller.
func (fr Frame) ToCaller(l Location) Location {
	if l.Param == 0 {
		return l
	}
	arg, ok := fr[l.Param]
	if !ok {
		l.Param = 0
		return l
	}
	if l.Path == "" {
		return arg
	}
	arg.Path += l.Path
	arg.Key = l.Key
	if strings.Count(arg.Path, ".") > maxFields {
		return Location{Key: l.Key, Far: true}
	}
	return arg
}

// maxFields bounds the fields of an access path that was translated at calls. Without a
// bound, functions that call each other would lengthen the paths without end.
const maxFields = 3
