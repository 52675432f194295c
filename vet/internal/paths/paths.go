// Package paths follows the control-flow paths through a function.
package paths

import (
	"fmt"
	"go/token"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// A State holds what is known at one point of one path through a function. Walk
// clones it where the path forks. Of several paths that arrive at one block with
// the same key, Walk continues the first. It lets that one's state absorb those of the
// others, and continues once more if that has added anything.
type State[S any] interface {
	Clone() S
	Key() string
	Absorb(S) (grew bool)
}

// maxSteps bounds the blocks that Walk visits in one function. Walk ignores the
// rest of the function.
const maxSteps = 4000

// Walk follows every path through a function, and each loop until nothing new is
// known. It calls visit with each instruction on the path; with a Defer where the
// deferred call runs, not where the defer statement stands. Where a path forks on
// a condition, it calls branch. A condition that is tested twice has the same
// outcome both times, unless it lies in a loop.
func Walk[S State[S]](fn *ssa.Function, start S, visit func(S, ssa.Instruction), branch func(S, ssa.Value, bool)) {
	if len(fn.Blocks) == 0 {
		return
	}
	tested := testedTwice(fn)
	seen := map[string]S{}
	todo := []path[S]{{block: fn.Blocks[0], state: start}}
	for steps := 0; len(todo) > 0 && steps < maxSteps; steps++ {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		k := p.key()
		if first, ok := seen[k]; !ok {
			seen[k] = p.state.Clone()
		} else if first.Absorb(p.state) {
			p.state = first.Clone()
		} else {
			continue
		}
		p.visitBlock(visit)
		for i := len(p.block.Succs) - 1; i >= 0; i-- {
			if next, ok := p.next(i, tested, branch); ok {
				todo = append(todo, next)
			}
		}
	}
}

// A path has arrived at a block.
type path[S State[S]] struct {
	block    *ssa.BasicBlock
	state    S
	defers   []*ssa.Defer // not yet run
	outcomes []outcome    // of the conditions that were tested on the path
}

// An outcome is a condition and its value.
type outcome struct {
	condition string
	value     bool
}

func (p *path[S]) key() string {
	var b strings.Builder
	b.WriteString(strconv.Itoa(p.block.Index))
	b.WriteByte(' ')
	b.WriteString(p.state.Key())
	for _, d := range p.defers {
		fmt.Fprintf(&b, " %p", d)
	}
	if len(p.outcomes) > 0 {
		fmt.Fprint(&b, p.outcomes)
	}
	return b.String()
}

// visitBlock visits the instructions of the path's block.
func (p *path[S]) visitBlock(visit func(S, ssa.Instruction)) {
	for _, in := range p.block.Instrs {
		switch in := in.(type) {
		case *ssa.Defer:
			if !slices.Contains(p.defers, in) { // in a loop, once
				p.defers = append(slices.Clip(p.defers), in)
			}
		case *ssa.RunDefers:
			for _, d := range slices.Backward(p.defers) {
				visit(p.state, d)
			}
			p.defers = nil
		default:
			visit(p.state, in)
		}
	}
}

// next returns the path that continues with the i-th successor of the block. It
// returns false if that path contradicts a condition tested before.
func (p *path[S]) next(i int, tested map[string]bool, branch func(S, ssa.Value, bool)) (path[S], bool) {
	next := path[S]{p.block.Succs[i], p.state.Clone(), p.defers, p.outcomes}
	if test, ok := p.block.Instrs[len(p.block.Instrs)-1].(*ssa.If); ok {
		cond, negated := withoutNot(test.Cond)
		value := (i == 0) != negated
		name := nameOf(cond)
		if slices.Contains(p.outcomes, outcome{name, !value}) {
			return next, false
		}
		branch(next.state, cond, value)
		if tested[name] && !slices.Contains(p.outcomes, outcome{name, value}) {
			next.outcomes = append(slices.Clip(p.outcomes), outcome{name, value})
		}
	}
	if next.block.Dominates(p.block) { // back to the head of a loop
		next.outcomes = nil
	}
	return next, true
}

// withoutNot strips the negations of a condition, and reports whether their
// number is odd.
func withoutNot(cond ssa.Value) (stripped ssa.Value, negated bool) {
	for {
		not, ok := cond.(*ssa.UnOp)
		if !ok || not.Op != token.NOT {
			return cond, negated
		}
		cond, negated = not.X, !negated
	}
}

// nameOf names a condition. One condition that is tested twice has one name.
func nameOf(cond ssa.Value) string {
	if b, ok := cond.(*ssa.BinOp); ok {
		return b.X.Name() + b.Op.String() + b.Y.Name()
	}
	return cond.Name()
}

// testedTwice returns the conditions that a function tests more than once. Only
// their outcomes are worth remembering.
func testedTwice(fn *ssa.Function) map[string]bool {
	count, twice := map[string]int{}, map[string]bool{}
	for _, b := range fn.Blocks {
		test, ok := b.Instrs[len(b.Instrs)-1].(*ssa.If)
		if !ok {
			continue
		}
		cond, _ := withoutNot(test.Cond)
		name := nameOf(cond)
		if count[name]++; count[name] > 1 {
			twice[name] = true
		}
	}
	return twice
}
