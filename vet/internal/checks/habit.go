package checks

import (
	"go/ast"
	"go/token"
	"go/types"

	"github.com/seed76848005/timerwheel/vet/internal/api"
)

// This file finds code that the channel of a time.Timer needed, and that is wrong
// with a Timer of a wheel.

// checkHabits looks at the loops and conditions around calls of Stop.
func (c *checker) checkHabits() {
	for _, f := range c.Pass.Files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ForStmt:
				if c.isNotStop(n.Cond) && !c.armsOrLeaves(n.Body) {
					c.report("habit", n.Pos(), "this loop may not end: Stop returns false for ever once the timer is not pending. To wait for the handler, use DelSync")
				}
			case *ast.IfStmt:
				if recv := c.drainingReceive(n.Body); recv != nil && c.requiresNotStop(n.Cond) {
					c.report("habit", recv.Pos(), "this receive follows a Stop that returned false: a Timer has no channel to drain, and the receive waits for ever if the timer had been stopped before. To wait for the handler, use DelSync")
				}
			}
			return true
		})
	}
}

// requiresNotStop reports whether a condition is !t.Stop(), or has it as an
// operand of &&.
func (c *checker) requiresNotStop(cond ast.Expr) bool {
	if e, ok := ast.Unparen(cond).(*ast.BinaryExpr); ok {
		return e.Op == token.LAND && (c.requiresNotStop(e.X) || c.requiresNotStop(e.Y))
	}
	return c.isNotStop(cond)
}

func (c *checker) isNotStop(cond ast.Expr) bool {
	e, ok := ast.Unparen(cond).(*ast.UnaryExpr)
	return ok && e.Op == token.NOT && c.opOf(e.X) == api.Stop
}

// opOf returns what an expression calls.
func (c *checker) opOf(e ast.Expr) api.Op {
	call, ok := ast.Unparen(e).(*ast.CallExpr)
	if !ok {
		return api.Other
	}
	sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if !ok {
		return api.Other
	}
	f, ok := c.Pass.TypesInfo.Uses[sel.Sel].(*types.Func)
	if !ok {
		return api.Other
	}
	return api.OpOfFunc(f)
}

// armsOrLeaves reports whether the body of a loop arms a timer, so that a later
// Stop may return true, or ends the loop in another way.
func (c *checker) armsOrLeaves(body *ast.BlockStmt) (found bool) {
	ast.Inspect(body, func(n ast.Node) bool {
		if e, ok := n.(ast.Expr); ok {
			o := c.opOf(e)
			found = found || o.Registers() || o.MakesTimer()
		}
		switch n := n.(type) {
		case *ast.BranchStmt:
			found = found || n.Tok != token.CONTINUE
		case *ast.ReturnStmt:
			found = true
		}
		return !found
	})
	return found
}

// drainingReceive returns the first statement of a block that receives as a drain
// of a timer's channel does, or nil.
func (c *checker) drainingReceive(body *ast.BlockStmt) ast.Node {
	for _, s := range body.List {
		switch s := s.(type) {
		case *ast.ExprStmt:
			if isReceive(s.X) {
				return s
			}
		case *ast.SelectStmt:
			if recv := receiveWithDefault(s); recv != nil {
				return recv
			}
		}
	}
	return nil
}

// receiveWithDefault returns the receive of a select whose only other case is
// default: it empties a timer's channel.
func receiveWithDefault(s *ast.SelectStmt) ast.Node {
	for _, clause := range s.Body.List {
		if e, ok := clause.(*ast.CommClause).Comm.(*ast.ExprStmt); ok && isReceive(e.X) && len(s.Body.List) == 2 && hasDefault(s) {
			return e
		}
	}
	return nil
}

func hasDefault(s *ast.SelectStmt) bool {
	for _, clause := range s.Body.List {
		if clause.(*ast.CommClause).Comm == nil {
			return true
		}
	}
	return false
}

func isReceive(e ast.Expr) bool {
	u, ok := ast.Unparen(e).(*ast.UnaryExpr)
	return ok && u.Op == token.ARROW
}
