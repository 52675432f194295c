package vet

import (
	"fmt"
	"go/token"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ssa"
)

// directive is the beginning of a comment that silences the reports of its line
// and the next. A reason must follow: gofmt leaves no space at the end of a line.
const directive = "//timerwheelvet:ignore "

// ignoredLines returns the lines on which nothing is reported, by file.
func ignoredLines(pass *analysis.Pass) map[string]map[int]bool {
	all := map[string]map[int]bool{}
	for _, f := range pass.Files {
		for _, g := range f.Comments {
			for _, c := range g.List {
				if !strings.HasPrefix(c.Text, directive) {
					continue
				}
				p := pass.Fset.Position(c.Pos())
				if all[p.Filename] == nil {
					all[p.Filename] = map[int]bool{}
				}
				all[p.Filename][p.Line], all[p.Filename][p.Line+1] = true, true
			}
		}
	}
	return all
}

// report reports something once. The points that are in this package are related
// information as well.
func (m *model) report(category string, pos token.Pos, message string, related ...analysis.RelatedInformation) {
	p := m.pass.Fset.Position(pos)
	if !pos.IsValid() || m.inTest(pos) && !tests || m.ignored[p.Filename][p.Line] {
		return
	}
	id := fmt.Sprintf("%d %s", pos, message)
	if m.reported[id] {
		return
	}
	m.reported[id] = true
	kept := related[:0]
	for _, r := range related {
		if r.Pos.IsValid() {
			kept = append(kept, r)
		}
	}
	m.pass.Report(analysis.Diagnostic{Pos: pos, Category: category, Message: message, Related: kept})
}

// tests is false if nothing is to be reported in test files.
var tests bool

func init() {
	Analyzer.Flags.BoolVar(&tests, "tests", true, "report what is found in test files, too")
}

func (m *model) inTest(pos token.Pos) bool {
	return strings.HasSuffix(m.pass.Fset.Position(pos).Filename, "_test.go")
}

func relate(at point, message string) analysis.RelatedInformation {
	return analysis.RelatedInformation{Pos: at.pos, Message: message}
}

// looksFor reports whether the code compares the error of a call with one of
// the errors of package timerwheel: what follows is then intended.
func (m *model) looksFor(call ssa.Value, sentinels ...string) bool {
	for _, in := range usesOf(errorOf(call)) {
		for _, op := range in.Operands(nil) {
			if name := sentinel(*op); name != "" {
				for _, s := range sentinels {
					if s == name {
						return true
					}
				}
			}
		}
	}
	return false
}

// usesError reports whether the code does anything with the error of a call.
func usesError(call ssa.Value) bool {
	for _, in := range usesOf(errorOf(call)) {
		if _, ok := in.(*ssa.Store); !ok {
			return true
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

// usesOf returns the instructions that use values, through variables, and
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
				if cell := cellOf(in.Addr); cell != nil && in.Val == v {
					values = append(values, loadsOf(cell)...)
				}
			}
		}
	}
	return uses
}

// loadsOf returns what is read from a variable.
func loadsOf(cell *ssa.Alloc) (vs []ssa.Value) {
	for _, addr := range addresses(cell) {
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

// sentinel returns the name of the error of package timerwheel that a value is.
func sentinel(v ssa.Value) string {
	switch x := v.(type) {
	case *ssa.MakeInterface:
		return sentinel(x.X)
	case *ssa.ChangeInterface:
		return sentinel(x.X)
	case *ssa.UnOp:
		if g, ok := x.X.(*ssa.Global); ok && g.Pkg.Pkg.Path() == wheelPath {
			return g.Name()
		}
	}
	return ""
}
