package checks

import (
	"fmt"
	"go/ast"
	"go/token"

	"github.com/seed76848005/timerwheel/vet/internal/api"
	"github.com/seed76848005/timerwheel/vet/internal/model"
	"golang.org/x/tools/go/ssa"
)

// This file finds contexts of package timerctx whose cancel function is not used. The
// lostcancel check of go vet knows those of package context only.

// checkLostCancels reports the calls whose cancel function is dropped, or from which the
// function may return without a use of it.
func (c *checker) checkLostCancels() {
	dropped := c.droppedSeconds()
	for _, fn := range c.Funcs {
		model.Calls(fn, func(in ssa.CallInstruction) {
			call, ok := in.(*ssa.Call)
			if !ok || api.OpOf(call.Common()) != api.CtxWithCancel {
				return
			}
			when := ""
			if !dropped[call.Pos()] {
				if !mayLose(call) {
					return
				}
				when = " on every path"
			}
			c.report("cancel", call.Pos(), fmt.Sprintf(
				"the cancel function that timerctx.%s returns is not used%s: the context and its timer stay until the timeout. Call it, best by defer",
				api.Called(call.Common()).Name(), when))
		})
	}
}

// droppedSeconds returns the calls whose second result is assigned to the blank identifier,
// by the position of the parenthesis.
func (c *checker) droppedSeconds() map[token.Pos]bool {
	all := map[token.Pos]bool{}
	record := func(left, right []ast.Expr) {
		if len(left) != 2 || len(right) != 1 {
			return
		}
		name, isIdent := left[1].(*ast.Ident)
		call, isCall := ast.Unparen(right[0]).(*ast.CallExpr)
		if isIdent && isCall && name.Name == "_" {
			all[call.Lparen] = true
		}
	}
	for _, f := range c.Pass.Files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				record(n.Lhs, n.Rhs)
			case *ast.ValueSpec:
				var names []ast.Expr
				for _, name := range n.Names {
					names = append(names, name)
				}
				record(names, n.Values)
			}
			return true
		})
	}
	return all
}

// mayLose reports whether the function may return without a use of the cancel function that
// a call returned. A use is also what silences the compiler: _ = cancel.
func mayLose(call *ssa.Call) bool {
	for _, in := range *call.Referrers() {
		if x, ok := in.(*ssa.Extract); ok && x.Index == 1 {
			return len(*x.Referrers()) > 0 && returnsWithout(call, x)
		}
	}
	return false
}

// returnsWithout reports whether a path leads from a call to a return, without a use of the
// cancel function that the call returned.
func returnsWithout(call *ssa.Call, cancel *ssa.Extract) bool {
	uses := map[*ssa.BasicBlock]bool{}
	for _, in := range *cancel.Referrers() {
		uses[in.Block()] = true
	}
	seen := map[*ssa.BasicBlock]bool{}
	for todo := []*ssa.BasicBlock{call.Block()}; len(todo) > 0; todo = todo[1:] {
		b := todo[0]
		if uses[b] || seen[b] {
			continue
		}
		seen[b] = true
		if _, ok := b.Instrs[len(b.Instrs)-1].(*ssa.Return); ok {
			return true
		}
		todo = append(todo, b.Succs...)
	}
	return false
}
