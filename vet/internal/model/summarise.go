package model

import (
	"go/token"
	"slices"

	"github.com/seed76848005/timerwheel/vet/internal/api"
	"github.com/seed76848005/timerwheel/vet/internal/location"
	"golang.org/x/tools/go/ssa"
)

// This file computes the summaries of the package's functions.

// summarise computes the summaries of all functions, and repeats that until the
// summaries of functions that call each other agree.
func (m *Model) summarise() {
	for range 8 {
		changed := false
		for _, fn := range m.Funcs {
			old := m.summaries[fn]
			if old != nil && !m.outdated[fn] {
				continue
			}
			m.outdated[fn] = false
			s := m.computeSummary(fn)
			m.summaries[fn] = s
			if old == nil && s.size() == 0 || old != nil && s.size() == old.size() {
				continue
			}
			changed = true
			for _, call := range m.callers[fn] {
				m.outdated[call.Parent()] = true
			}
			for _, user := range m.users[fn] {
				m.outdated[user] = true
			}
		}
		if !changed {
			return
		}
	}
}

// computeSummary computes the summary of one function from those of the functions
// that it calls.
func (m *Model) computeSummary(fn *ssa.Function) *Summary {
	s := &Summary{}
	if !m.Matters(fn) {
		return s
	}
	returns := 0
	m.Follow(fn, nil, Visitor{
		Lock: func(l Lock) { l.Location = l.Location.InSummary(fn); s.addLock(l) },
		Signal: func(e Signal) {
			e.Location, e.After = e.Location.InSummary(fn), locksInSummary(e.After, fn)
			s.addSignal(e)
		},
		Wait: func(w Wait, _ []Lock, _ ssa.Instruction) {
			w.Targets = originsInSummary(w.Targets, fn)
			w.Released = locationsInSummary(w.Released, fn)
			s.addWait(w)
		},
		ParamCall: func(c ParamCall) { c.Held = locksInSummary(c.Held, fn); s.addCall(c) },
		Return: func(held []Lock, released []location.Location) {
			held, released = locksInSummary(held, fn), locationsInSummary(released, fn)
			if returns++; returns == 1 {
				s.Acquires = held
			} else { // held on every path
				s.Acquires = slices.DeleteFunc(s.Acquires, func(l Lock) bool { return !contains(held, l.Location) })
			}
			for _, l := range released {
				s.Releases = appendNew(s.Releases, l)
			}
		},
	})
	s.Stores = m.storesOf(fn)
	return s
}

func locationsInSummary(ls []location.Location, fn *ssa.Function) []location.Location {
	out := make([]location.Location, len(ls))
	for i, l := range ls {
		out[i] = l.InSummary(fn)
	}
	return out
}

func locksInSummary(ls []Lock, fn *ssa.Function) []Lock {
	out := slices.Clone(ls)
	for i := range out {
		out[i].Location = out[i].Location.InSummary(fn)
	}
	return out
}

func originsInSummary(os []Origin, fn *ssa.Function) []Origin {
	out := slices.Clone(os)
	for i := range out {
		out[i].Location = out[i].Location.InSummary(fn)
	}
	return out
}

// storesOf returns the keys of the locations of handles that a function sets.
func (m *Model) storesOf(fn *ssa.Function) (keys []string) {
	for _, b := range fn.Blocks {
		for _, in := range b.Instrs {
			switch in := in.(type) {
			case *ssa.Store:
				if k := location.Of(in.Addr).Key; k != "" && api.IsType(in.Val.Type(), "Timer") {
					keys = appendNew(keys, k)
				}
			case ssa.CallInstruction:
				if s, _ := m.SummaryAt(in.Common()); s != nil {
					for _, k := range s.Stores {
						keys = appendNew(keys, k)
					}
				}
			}
		}
	}
	return keys
}

// Matters reports whether a function does anything that its summary would hold.
func (m *Model) Matters(fn *ssa.Function) bool {
	for _, b := range fn.Blocks {
		for _, in := range b.Instrs {
			switch in := in.(type) {
			case ssa.CallInstruction:
				c := in.Common()
				if api.OpOf(c) != api.Other || isParam(c.Value, fn) {
					return true
				}
				if s, _ := m.SummaryAt(c); s != nil && s.size() > 0 {
					return true
				}
			case *ssa.Store:
				if api.IsType(in.Val.Type(), "Timer") {
					return true
				}
			case *ssa.Send:
				return true
			case *ssa.UnOp:
				if in.Op == token.ARROW {
					return true
				}
			case *ssa.Select:
				return true
			}
		}
	}
	return false
}

// isParam reports whether a function value is passed to fn, or captured by it.
func isParam(v ssa.Value, fn *ssa.Function) bool { return location.Of(v).FromParam(fn).Param != 0 }

// signals reports whether a function does anything that others may wait for.
func (m *Model) signals(fn *ssa.Function) bool {
	for _, b := range fn.Blocks {
		for _, in := range b.Instrs {
			switch in := in.(type) {
			case *ssa.Send, *ssa.Select:
				return true
			case ssa.CallInstruction:
				c := in.Common()
				switch api.OpOf(c) {
				case api.WaitGroupDone, api.CondSignal, api.CloseChan, api.OnceDo:
					return true
				}
				if s, _ := m.SummaryAt(c); s != nil && len(s.Signals)+len(s.Calls) > 0 {
					return true
				}
			}
		}
	}
	return false
}
