// Package checks reports misuse of package timerwheel. The checks follow the paths
// through each function with what package model knows, and compare the locks that
// are held with those that the handlers want (deadlock.go, circle.go), and what is
// done to a handle with what is left of its timer (handle.go). dropped.go and lostcancel.go
// look at the uses of what a call returns, habit.go at the syntax alone.
package checks

import (
	"fmt"
	"go/token"
	"strings"

	"github.com/seed76848005/timerwheel/vet/internal/model"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ssa"
)

type checker struct {
	*model.Model
	tests    bool                    // report what is found in test files
	ignored  map[string]map[int]bool // lines, by file
	reported map[string]bool
}

// Run checks a package. It reports nothing in test files if tests is false.
func Run(pass *analysis.Pass, tests bool) {
	if isStandard(pass) {
		return
	}
	c := &checker{
		Model: model.Build(pass), tests: tests,
		ignored: ignoredLines(pass), reported: map[string]bool{},
	}
	c.checkLocks()
	c.checkSelfWaits()
	c.checkCircles()
	c.checkHandles()
	c.checkDropped()
	c.checkUnfreed()
	c.checkLostCancels()
	c.checkHabits()
}

// isStandard reports whether a package is of the standard library. That uses no
// wheel, and its own locks are not for this analysis to judge.
func isStandard(pass *analysis.Pass) bool {
	if pass.Module != nil && pass.Module.Path != "" && pass.Module.Path != "std" {
		return false
	}
	first, _, _ := strings.Cut(pass.Pkg.Path(), "/")
	return !strings.Contains(first, ".") && first != "command-line-arguments"
}

// directive is the beginning of a comment that silences the reports of its line and
// of the next one. A reason must follow: gofmt leaves no space at the end of a
// line.
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

// report reports a message once. The positions that are in this package appear as
// related information as well.
func (c *checker) report(category string, pos token.Pos, message string, related ...analysis.RelatedInformation) {
	p := c.Pass.Fset.Position(pos)
	if !pos.IsValid() || c.inTest(pos) && !c.tests || c.ignored[p.Filename][p.Line] {
		return
	}
	id := fmt.Sprintf("%d %s", pos, message)
	if c.reported[id] {
		return
	}
	c.reported[id] = true
	kept := related[:0]
	for _, r := range related {
		if r.Pos.IsValid() {
			kept = append(kept, r)
		}
	}
	c.Pass.Report(analysis.Diagnostic{Pos: pos, Category: category, Message: message, Related: kept})
}

func (c *checker) inTest(pos token.Pos) bool {
	return strings.HasSuffix(c.Pass.Fset.Position(pos).Filename, "_test.go")
}

func relate(at model.Position, message string) analysis.RelatedInformation {
	return analysis.RelatedInformation{Pos: at.Pos, Message: message}
}

// positionOf returns the position at which to report a wait at an instruction. In a
// bound method, that is the position of the wait itself.
func positionOf(w model.Wait, in ssa.Instruction) token.Pos {
	if in.Pos().IsValid() && in.Parent().Synthetic == "" {
		return in.Pos()
	}
	return w.At.Pos
}
