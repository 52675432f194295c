package vet

import (
	"go/ast"
	"go/token"
	"go/types"
)

// This file finds what was needed with the channel of a time.Timer, and is wrong
// with a Timer of a wheel.

// checkHabits looks at the loops and conditions around calls of Stop.
func (m *model) checkHabits() {
	for _, f := range m.pass.Files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ForStmt:
				if m.isNotStopped(n.Cond) && !m.arms(n.Body) {
					m.report("habit", n.Pos(), "this loop may not end: Stop is false for ever once the timer is not pending. DelSync waits for the handler")
				}
			case *ast.IfStmt:
				if recv := m.drain(n.Body); recv != nil && m.notStopped(n.Cond) {
					m.report("habit", recv.Pos(), "Stop was false, and this waits for a channel: nothing is to be drained here, and it waits for ever if the timer had been stopped before. DelSync waits for the handler")
				}
			}
			return true
		})
	}
}

// notStopped reports whether a condition is !t.Stop(), maybe with others.
func (m *model) notStopped(cond ast.Expr) bool {
	if e, ok := ast.Unparen(cond).(*ast.BinaryExpr); ok {
		return e.Op == token.LAND && (m.notStopped(e.X) || m.notStopped(e.Y))
	}
	return m.isNotStopped(cond)
}

func (m *model) isNotStopped(cond ast.Expr) bool {
	e, ok := ast.Unparen(cond).(*ast.UnaryExpr)
	return ok && e.Op == token.NOT && m.opOfCall(e.X) == stop
}

// opOfCall says what an expression calls.
func (m *model) opOfCall(e ast.Expr) op {
	call, ok := ast.Unparen(e).(*ast.CallExpr)
	if !ok {
		return other
	}
	sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if !ok {
		return other
	}
	f, ok := m.pass.TypesInfo.Uses[sel.Sel].(*types.Func)
	if !ok {
		return other
	}
	return ops[f.FullName()]
}

// arms reports whether statements arm a timer, so that a later Stop may be true.
func (m *model) arms(body *ast.BlockStmt) (found bool) {
	ast.Inspect(body, func(n ast.Node) bool {
		if e, ok := n.(ast.Expr); ok {
			o := m.opOfCall(e)
			found = found || o.registers() || o.makes()
		}
		switch n := n.(type) {
		case *ast.BranchStmt:
			found = found || n.Tok != token.CONTINUE
		case *ast.ReturnStmt:
			found = true // the loop has another end
		}
		return !found
	})
	return found
}

// drain returns the receive that a block consists of, or begins with.
func (m *model) drain(body *ast.BlockStmt) ast.Node {
	for _, s := range body.List {
		switch s := s.(type) {
		case *ast.ExprStmt:
			if isReceive(s.X) {
				return s
			}
		case *ast.SelectStmt:
			if comm := m.drains(s); comm != nil {
				return comm
			}
		}
	}
	return nil
}

// drains returns the receive of a select that is there to empty a timer's
// channel.
func (m *model) drains(s *ast.SelectStmt) ast.Node {
	for _, c := range s.Body.List {
		if e, ok := c.(*ast.CommClause).Comm.(*ast.ExprStmt); ok && isReceive(e.X) && len(s.Body.List) == 2 && hasDefault(s) {
			return e
		}
	}
	return nil
}

func hasDefault(s *ast.SelectStmt) bool {
	for _, c := range s.Body.List {
		if c.(*ast.CommClause).Comm == nil {
			return true
		}
	}
	return false
}

func isReceive(e ast.Expr) bool {
	u, ok := ast.Unparen(e).(*ast.UnaryExpr)
	return ok && u.Op == token.ARROW
}
