package model

import (
	"slices"

	"github.com/seed76848005/timerwheel/vet/internal/api"
	"github.com/seed76848005/timerwheel/vet/internal/location"
	"github.com/seed76848005/timerwheel/vet/internal/paths"
	"golang.org/x/tools/go/ssa"
)

// This file finds out which locks a function may have taken before it signals. Few packages
// have a wait under a lock for what handlers signal, so it is found only when it is asked
// for.

// A takenState holds the locks that were taken on the paths to one point.
type takenState struct{ locks Set }

func (t *takenState) Clone() *takenState {
	var locks Set
	locks.addAll(t.locks, nil)
	return &takenState{locks}
}

func (t *takenState) Key() string { return "" }

// Absorb adds the locks of another path to the same point.
func (t *takenState) Absorb(other *takenState) (grew bool) {
	return t.locks.addAll(other.locks, nil)
}

// takenBefore returns the locks that fn may have taken before each of its steps.
func (m *Model) takenBefore(fn *ssa.Function) map[ssa.Instruction]Set {
	before, ok := m.taken[fn]
	if ok {
		return before
	}
	before = map[ssa.Instruction]Set{}
	m.taken[fn] = before
	paths.Walk(fn, &takenState{}, func(t *takenState, in ssa.Instruction) {
		if !isStep(in) {
			return
		}
		all := before[in]
		all.addAll(t.locks, nil)
		before[in] = all
		if call, ok := in.(ssa.CallInstruction); ok {
			one := &Summary{}
			m.collectCall(one, fn, nil, call)
			t.locks.addAll(one.Locks, nil)
		}
	}, func(*takenState, ssa.Value, bool) {})
	return before
}

// A question asks which functions take a lock before they send a signal, if that lock may be
// one that is held.
type question struct {
	signal Position
	held   location.Location
	mode   Mode
}

// TakenBefore returns the lock which keeps a handler from a signal while a lock is held: one
// that it takes before, and that may be the held one. It returns nil if there is none.
func (m *Model) TakenBefore(h *Handler, e Signal, held Lock) *Lock {
	if len(m.Aliases(h.Locks, held.Location)) == 0 { // as in nearly all programs
		return nil
	}
	q := question{e.At, held.Location, held.Mode}
	found, ok := m.answers[q]
	if !ok {
		found = m.answer(q)
		m.answers[q] = found
	}
	if l := found[h.Func]; l != nil {
		return l
	}
	for _, fn := range m.signallers(q, h.Func, h.Site) {
		if found[fn] != nil {
			return found[fn]
		}
	}
	return nil
}

// answer returns the lock for each function that takes one, itself or in a function that it
// calls.
func (m *Model) answer(q question) map[*ssa.Function]*Lock {
	found := map[*ssa.Function]*Lock{}
	var todo []*ssa.Function
	for _, fn := range m.Funcs {
		if l := m.takes(q, fn); l != nil {
			found[fn] = l
			todo = append(todo, fn)
		}
	}
	for ; len(todo) > 0; todo = todo[1:] {
		for _, user := range m.users[todo[0]] {
			if found[user] == nil && slices.Contains(m.signallers(q, user, nil), todo[0]) {
				found[user] = found[todo[0]]
				todo = append(todo, user)
			}
		}
	}
	return found
}

// takes returns the lock that fn takes before one of its own steps that leads to the signal.
func (m *Model) takes(q question, fn *ssa.Function) *Lock {
	if !m.sends(m.summaries[fn], q.signal) {
		return nil
	}
	before := m.takenBefore(fn)
	for _, in := range m.stepsOf(fn) {
		step := &Summary{}
		m.collectStep(step, fn, nil, in)
		if !m.sends(step, q.signal) {
			continue
		}
		for _, x := range m.Aliases(before[in], q.held) {
			if x.Mode.Excludes(q.mode) {
				return &x
			}
		}
	}
	return nil
}

// signallers returns the functions that fn calls and that lead to the signal. Site is the one
// whose handler fn is, or nil.
func (m *Model) signallers(q question, fn *ssa.Function, site *Site) (fns []*ssa.Function) {
	for _, in := range m.stepsOf(fn) {
		c, ok := in.(ssa.CallInstruction)
		if !ok {
			continue
		}
		if o := api.OpOf(c.Common()); o != api.Other && o != api.OnceDo {
			continue
		}
		called, _ := m.resolve(c.Common(), fn, site)
		for _, x := range called {
			if m.sends(x.summary, q.signal) {
				fns = append(fns, x.fn)
			}
		}
	}
	return fns
}

// sends reports whether a function sends the signal at a position.
func (m *Model) sends(s *Summary, at Position) bool {
	return slices.ContainsFunc(m.signalsAt[at], s.Signals.Has)
}
