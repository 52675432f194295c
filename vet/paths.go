package vet

import (
	"fmt"
	"go/token"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// A fork is what is known at one point of one path through a function. It is
// cloned where the path forks; two with the same key need only one to go on.
type fork[S any] interface {
	clone() S
	key() string
}

// maxSteps bounds the blocks that walk visits in one function. What is beyond it
// is not looked at.
const maxSteps = 4000

// A trail is a path that has arrived at a block.
type trail[S fork[S]] struct {
	block  *ssa.BasicBlock
	known  S
	defers []*ssa.Defer // not yet run
	truths []truth      // conditions that were tested on the way
}

// A truth is a condition, and how it came out.
type truth struct {
	cond string
	is   bool
}

// walk follows every path through a function, each loop until nothing new is
// known. It calls visit with each instruction on the way; with a Defer where the
// deferred call is made, not where it is put off. Where a path forks on a
// condition, it calls branch. A condition that is tested twice comes out the same
// twice, unless it lies in a loop.
func walk[S fork[S]](fn *ssa.Function, start S, visit func(S, ssa.Instruction), branch func(S, ssa.Value, bool)) {
	if len(fn.Blocks) == 0 {
		return
	}
	tested := testedTwice(fn)
	seen := map[string]bool{}
	todo := []trail[S]{{block: fn.Blocks[0], known: start}}
	for steps := 0; len(todo) > 0 && steps < maxSteps; steps++ {
		t := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if k := t.key(); seen[k] {
			continue
		} else {
			seen[k] = true
		}
		t.through(visit)
		for i := len(t.block.Succs) - 1; i >= 0; i-- {
			if next, ok := t.to(i, tested, branch); ok {
				todo = append(todo, next)
			}
		}
	}
}

func (t *trail[S]) key() string {
	var b strings.Builder
	b.WriteString(strconv.Itoa(t.block.Index))
	b.WriteByte(' ')
	b.WriteString(t.known.key())
	for _, d := range t.defers {
		fmt.Fprintf(&b, " %p", d)
	}
	if len(t.truths) > 0 {
		fmt.Fprint(&b, t.truths)
	}
	return b.String()
}

// through visits the instructions of the trail's block.
func (t *trail[S]) through(visit func(S, ssa.Instruction)) {
	for _, in := range t.block.Instrs {
		switch in := in.(type) {
		case *ssa.Defer:
			if !slices.Contains(t.defers, in) { // in a loop, once
				t.defers = append(slices.Clip(t.defers), in)
			}
		case *ssa.RunDefers:
			for _, d := range slices.Backward(t.defers) {
				visit(t.known, d)
			}
			t.defers = nil
		default:
			visit(t.known, in)
		}
	}
}

// to returns the trail that leads on to the block's i-th successor, unless it
// contradicts itself.
func (t *trail[S]) to(i int, tested map[string]bool, branch func(S, ssa.Value, bool)) (trail[S], bool) {
	next := trail[S]{t.block.Succs[i], t.known.clone(), t.defers, t.truths}
	if test, ok := t.block.Instrs[len(t.block.Instrs)-1].(*ssa.If); ok {
		cond, is := test.Cond, i == 0
		for {
			not, ok := cond.(*ssa.UnOp)
			if !ok || not.Op != token.NOT {
				break
			}
			cond, is = not.X, !is
		}
		name := condition(cond)
		if slices.Contains(t.truths, truth{name, !is}) {
			return next, false
		}
		branch(next.known, cond, is)
		if tested[name] && !slices.Contains(t.truths, truth{name, is}) {
			next.truths = append(slices.Clip(t.truths), truth{name, is})
		}
	}
	if next.block.Dominates(t.block) { // round a loop
		next.truths = nil
	}
	return next, true
}

// condition names a condition, so that the same one tested twice has one name.
func condition(v ssa.Value) string {
	if b, ok := v.(*ssa.BinOp); ok {
		return b.X.Name() + b.Op.String() + b.Y.Name()
	}
	return v.Name()
}

// testedTwice returns the conditions of a function that are worth remembering.
func testedTwice(fn *ssa.Function) map[string]bool {
	count, twice := map[string]int{}, map[string]bool{}
	for _, b := range fn.Blocks {
		test, ok := b.Instrs[len(b.Instrs)-1].(*ssa.If)
		if !ok {
			continue
		}
		cond := test.Cond
		for {
			not, ok := cond.(*ssa.UnOp)
			if !ok || not.Op != token.NOT {
				break
			}
			cond = not.X
		}
		name := condition(cond)
		if count[name]++; count[name] > 1 {
			twice[name] = true
		}
	}
	return twice
}
