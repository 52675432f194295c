package vet

import (
	"fmt"

	"golang.org/x/tools/go/ssa"
)

// This file finds waits for a handler while a lock is held that the handler
// wants.

// checkLocks follows every function, and each handler of a lock-bound timer with
// its lock held.
func (m *model) checkLocks() {
	for _, fn := range m.funcs {
		if fn.Synthetic == "" && m.matters(fn) {
			m.checkPaths(fn, nil)
		}
	}
	for _, h := range m.handlers {
		if held := h.calledUnder(); held != nil && h.fn != nil {
			m.checkPaths(h.fn, held)
		}
	}
}

func (m *model) checkPaths(fn *ssa.Function, held []hold) {
	m.follow(fn, held, tracer{
		lock:   func(lockEvent) {},
		signal: func(signalEvent) {},
		call:   func(callEvent) {},
		end:    func([]hold, []place) {},
		wait: func(e waitEvent, held []hold, in ssa.Instruction) {
			switch {
			case len(held) == 0 || e.bounded:
			case e.op.closes() && m.isHandlers(fn): // it does not wait
			case e.op.waits():
				m.checkDeletion(fn, e, held, in)
			default:
				m.checkWait(e, held, in)
			}
		},
	})
}

// checkDeletion compares the locks that are held during a deletion with those
// that the handlers want.
func (m *model) checkDeletion(fn *ssa.Function, e waitEvent, held []hold, in ssa.Instruction) {
	for _, h := range m.waitedFor(e) {
		if h.fn == fn { // it does not wait for itself; checkOwn looks at that
			continue
		}
		for _, wanted := range m.wantedBy(h, e.op) {
			for _, x := range held {
				if !same(x.place, wanted.place) || !x.mode.excludes(wanted.mode) || otherObject(e, x) {
					continue
				}
				m.reportDeletion(e, h, x, wanted, in)
			}
		}
	}
}

// wantedBy returns the locks that must be had for a handler to end; for a wheel
// to close, those must be had that lock-bound timers wait for.
func (m *model) wantedBy(h *handler, o op) []lockEvent {
	if h.op == allocLocked && o.closes() {
		return append([]lockEvent{{h.bound, writing, h.made}}, h.locks...)
	}
	return h.locks
}

// otherObject reports whether a lock and a timer are fields of one type, but
// obviously of two objects.
func otherObject(e waitEvent, x hold) bool {
	for _, t := range e.targets {
		if t.site != nil || !apart(x.place, t.place) {
			return false
		}
	}
	return true
}

func (m *model) reportDeletion(e waitEvent, h *handler, x hold, wanted lockEvent, in ssa.Instruction) {
	lock := lockName(x.place, wanted.place)
	wants := fmt.Sprintf("which locks %s (%s)", lock, wanted.at.text)
	cure := fmt.Sprintf("Release %s before, or make the timer with AllocLocked, and Del it", lock)
	switch {
	case h.op == allocLocked && wanted.at == h.made:
		wants = fmt.Sprintf("which the wheel calls with %s locked (AllocLocked, %s)", lock, h.made.text)
		cure = fmt.Sprintf("Release %s before", lock)
	case e.op.closes():
		cure = fmt.Sprintf("Release %s before", lock)
	case h.op == allocLocked:
		cure = fmt.Sprintf("Release %s before", lock)
	}
	m.report("lock", where(in, e),
		fmt.Sprintf("%s waits for %s, %s, while %s is held (%s): both wait for ever. %s",
			e.what(), h, wants, lock, x.at.text, cure),
		relate(x.at, lock+" is taken here, and held"),
		relate(h.made, "the timer is made here"),
		relate(wanted.at, "its handler wants "+lock+" here"))
}

// what names a wait for people.
func (e waitEvent) what() string {
	s := e.op.String()
	if e.op.ofTimer() || e.op == wgWait || e.op == condWait || e.op == receive {
		if name := e.targets[0].place.String(); name != "" {
			prep := " of "
			if e.op == receive {
				prep = " from "
			}
			s += prep + name
		}
	}
	if e.via != "" {
		s = fmt.Sprintf("%s (%s, by %s)", s, e.at.text, e.via)
	}
	return s
}

// lockName names a lock by what is known of it at either end.
func lockName(ps ...place) string {
	for _, p := range ps {
		if s := p.String(); s != "" {
			return s
		}
	}
	return "the lock"
}

// checkWait compares the locks that are held during a wait that somebody wrote
// himself with those that a timer's function has taken before it signals. Both
// must be in this package: of a wait somewhere else nobody knows what it is for.
func (m *model) checkWait(e waitEvent, held []hold, in ssa.Instruction) {
	for _, t := range e.targets {
		if e.op == receive && m.othersSignal(t.place) {
			continue // it need not wait for the handler
		}
		for _, h := range m.handlers {
			for _, s := range h.signals {
				if same(s.place, t.place) && s.at.pos.IsValid() && e.at.pos.IsValid() {
					m.checkSignal(e, t.place, held, h, s, in)
				}
			}
		}
	}
}

func (m *model) checkSignal(e waitEvent, on place, held []hold, h *handler, s signalEvent, in ssa.Instruction) {
	for _, wanted := range s.after {
		for _, x := range held {
			if !same(x.place, wanted.place) || !x.mode.excludes(wanted.mode) || e.op == condWait && !m.keeps(on, x) {
				continue
			}
			lock := lockName(x.place, wanted.place)
			m.report("wait", where(in, e),
				fmt.Sprintf("%s waits for %s, which locks %s (%s) before it signals (%s), while %s is held (%s): both wait for ever. Release %s before",
					e.what(), h, lock, wanted.at.text, s.at.text, lock, x.at.text, lock),
				relate(x.at, lock+" is taken here, and held"),
				relate(h.made, "the timer is made here"),
				relate(wanted.at, "its function wants "+lock+" here"),
				relate(s.at, "and signals here"))
		}
	}
}

// keeps reports whether a Cond's Wait keeps a lock: any but its own.
func (m *model) keeps(cond place, x hold) bool {
	l, ok := m.condLock(cond)
	return ok && !same(l, x.place)
}

// condLock returns the lock of a Cond, if it is seen.
func (m *model) condLock(cond place) (l place, ok bool) {
	if c, isCall := cond.root.(*ssa.Call); isCall && cond.path == "" && isNewCond(c) {
		return placeOf(c.Call.Args[0]), true
	}
	for _, fn := range m.funcs {
		for _, b := range fn.Blocks {
			for _, in := range b.Instrs {
				s, isStore := in.(*ssa.Store)
				if !isStore {
					continue
				}
				if c, isCall := s.Val.(*ssa.Call); isCall && isNewCond(c) && same(placeOf(s.Addr), cond) {
					return placeOf(c.Call.Args[0]), true
				}
			}
		}
	}
	return place{}, false
}

func isNewCond(c *ssa.Call) bool {
	f := calledObject(c.Common())
	return f != nil && f.FullName() == "sync.NewCond"
}

// othersSignal reports whether a channel is sent on, or closed, by functions
// that are no handlers.
func (m *model) othersSignal(ch place) bool {
	for _, fn := range m.funcs {
		if fn.Synthetic != "" || m.isHandlers(fn) {
			continue
		}
		for _, s := range m.summaries[fn].signals {
			if same(s.place, ch) {
				return true
			}
		}
	}
	return false
}

// isHandlers reports whether a function is a handler, or called by nobody else.
func (m *model) isHandlers(fn *ssa.Function) bool { return m.onlyCalledByHandlers(fn, 0) }

func (m *model) onlyCalledByHandlers(fn *ssa.Function, depth int) bool {
	if depth > 5 {
		return false
	}
	for _, h := range m.handlers {
		if h.fn == fn {
			return true
		}
	}
	for _, call := range m.callers[fn] {
		if !m.onlyCalledByHandlers(call.Parent(), depth+1) {
			return false
		}
	}
	return len(m.callers[fn]) > 0
}
