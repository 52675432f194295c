package model

import (
	"go/token"
	"slices"

	"github.com/seed76848005/timerwheel/vet/internal/api"
	"github.com/seed76848005/timerwheel/vet/internal/location"
	"golang.org/x/tools/go/ssa"
)

// This file computes the summaries of the package's functions, in two parts. What depends
// on the order of steps (waits, locks that stay locked) needs a look at every path. The
// sets of locks, signals and stores need only the calls of a function.

// summarise computes the summaries of all functions.
func (m *Model) summarise() {
	for _, fn := range m.Funcs {
		m.summaries[fn] = &Summary{}
	}
	m.repeat(func(fn *ssa.Function) (changed bool) {
		old := m.summaries[fn]
		s := m.flow(fn, nil)
		m.summaries[fn] = s
		return s.flowSize() != old.flowSize()
	})
	m.repeat(func(fn *ssa.Function) (changed bool) { return m.collect(m.summaries[fn], fn, nil) })
}

// maxRounds bounds how often repeat computes one function. Functions are sorted so that callees come
// first: nearly all are computed once or twice.
const maxRounds = 20

// repeat computes each function, and again those that use a function that has changed.
func (m *Model) repeat(compute func(*ssa.Function) (changed bool)) {
	current := map[*ssa.Function]bool{}
	for range maxRounds {
		changed := false
		for _, fn := range m.Funcs {
			if current[fn] {
				continue
			}
			current[fn] = true
			if compute(fn) {
				changed = true
				for _, user := range m.users[fn] {
					delete(current, user)
				}
			}
		}
		if !changed {
			return
		}
	}
}

// flow returns the part of a summary that depends on the paths through a function. If the
// function is the handler of a site that makes timers for its callers, it calls what that
// site's caller has passed; otherwise site is nil.
func (m *Model) flow(fn *ssa.Function, site *Site) *Summary {
	s := &Summary{}
	if !m.hasFlow(fn) {
		return s
	}
	returns := 0
	m.follow(fn, site, nil, Visitor{
		Wait:      func(w Wait, _ []Lock, _ ssa.Instruction) { s.Waits.add(m.numberOfWait(w.inSummary(fn))) },
		SameWaits: func(waits Set) { s.Waits.addAll(waits, m.waits.relative) },
		Unlock: func(l location.Location) {
			s.Unlocks = appendNew(s.Unlocks, l.InSummary(fn))
		},
		ParamCall: func(c ParamCall) {
			s.addCall(ParamCall{c.Func.InSummary(fn), locationsInSummary(c.Args, fn), locksInSummary(c.Held, fn)})
		},
		Return: func(held []Lock, released []location.Location) {
			returns++
			s.returned(returns == 1, locksInSummary(held, fn), locationsInSummary(released, fn))
		},
	})
	return s
}

// hasFlow reports whether a function, or one that it calls, does anything in an order that
// matters.
func (m *Model) hasFlow(fn *ssa.Function) bool {
	for _, in := range m.stepsOf(fn) {
		call, ok := in.(ssa.CallInstruction)
		if !ok {
			if receives(in) {
				return true
			}
			continue
		}
		if o := api.OpOf(call.Common()); o.Locks() || o.Waits() || o.WaitsForSignal() || o == api.OnceDo {
			return true
		}
		called, params := m.resolve(call.Common(), fn, nil)
		if len(params) > 0 {
			return true
		}
		for _, c := range called {
			if c.summary.flowSize() > 0 {
				return true
			}
		}
	}
	return false
}

// receives reports whether an instruction waits for a channel.
func receives(in ssa.Instruction) bool {
	switch in := in.(type) {
	case *ssa.UnOp:
		return true // no other UnOp is a step
	case *ssa.Select:
		return in.Blocking && len(in.States) == 1 && in.States[0].Send == nil
	}
	return false
}

func (w Wait) inSummary(fn *ssa.Function) Wait {
	return w.in(func(l location.Location) location.Location { return l.InSummary(fn) })
}

func locationsInSummary(ls []location.Location, fn *ssa.Function) []location.Location {
	out := slices.Clone(ls)
	for i, l := range out {
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

// collect adds to a summary the locks, signals and stores of a function, and of those that it
// calls. It reports whether the summary has grown.
func (m *Model) collect(s *Summary, fn *ssa.Function, site *Site) (grew bool) {
	size := s.Locks.len() + s.Signals.len() + s.Stores.len()
	for _, in := range m.stepsOf(fn) {
		m.collectStep(s, fn, site, in)
	}
	return s.Locks.len()+s.Signals.len()+s.Stores.len() > size
}

func (m *Model) collectStep(s *Summary, fn *ssa.Function, site *Site, in ssa.Instruction) {
	switch in := in.(type) {
	case *ssa.Send:
		m.collectSignal(s, fn, in, in.Chan)
	case *ssa.Select:
		for _, x := range in.States {
			if x.Send != nil {
				m.collectSignal(s, fn, in, x.Chan)
			}
		}
	case *ssa.Store:
		if k := location.Of(in.Addr).Key; k != "" {
			s.Stores.add(m.numberOfStore(k))
		}
	case ssa.CallInstruction:
		m.collectCall(s, fn, site, in)
	}
}

func (m *Model) collectSignal(s *Summary, fn *ssa.Function, in ssa.Instruction, of ssa.Value) {
	s.Signals.add(m.numberOfSignal(Signal{location.Of(of).InSummary(fn), m.Position(in.Pos())}))
}

func (m *Model) collectCall(s *Summary, fn *ssa.Function, site *Site, in ssa.CallInstruction) {
	c := in.Common()
	switch o := api.OpOf(c); {
	case o == api.Lock || o == api.RLock:
		x := m.lockOf(o, in)
		x.Location = x.Location.InSummary(fn)
		s.Locks.add(m.numberOfLock(x))
	case o.Signals():
		m.collectSignal(s, fn, in, c.Args[0])
	case o == api.Other || o == api.OnceDo:
		called, _ := m.resolve(c, fn, site)
		for _, x := range called {
			m.absorb(s, x.summary, func(l location.Location) location.Location { return x.frame.ToCaller(l).InSummary(fn) })
		}
	}
}

// lockOf returns the lock that a call locks.
func (m *Model) lockOf(o api.Op, in ssa.CallInstruction) Lock {
	x := Lock{Location: location.Of(api.Receiver(in.Common())), Mode: Writing, At: m.Position(in.Pos())}
	if o == api.RLock || o == api.TryRLock {
		x.Mode = Reading
	}
	return x
}

// absorb adds the locks, signals and stores of a called function to a summary.
func (m *Model) absorb(s, callee *Summary, toCaller func(location.Location) location.Location) {
	m.locks.translate(&s.Locks, callee.Locks, func(l Lock) int {
		l.Location = toCaller(l.Location)
		return m.numberOfLock(l)
	})
	m.signals.translate(&s.Signals, callee.Signals, func(e Signal) int {
		e.Location = toCaller(e.Location)
		return m.numberOfSignal(e)
	})
	s.Stores.addAll(callee.Stores, nil)
}

// stepsOf returns the instructions of a function that a summary may need. Those of a go
// statement are not among them.
func (m *Model) stepsOf(fn *ssa.Function) []ssa.Instruction {
	steps, ok := m.steps[fn]
	if !ok {
		for _, b := range fn.Blocks {
			for _, in := range b.Instrs {
				if isStep(in) {
					steps = append(steps, in)
				}
			}
		}
		m.steps[fn] = steps
	}
	return steps
}

func isStep(in ssa.Instruction) bool {
	switch in := in.(type) {
	case *ssa.Call, *ssa.Defer, *ssa.Send, *ssa.Select:
		return true
	case *ssa.UnOp:
		return in.Op == token.ARROW
	case *ssa.Store:
		return api.IsType(in.Val.Type(), "Timer")
	}
	return false
}
