package vet

import (
	"go/token"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// A handler is a function that a timer calls, and what it does. One of another
// package is known by its locks, signals and waits alone.
type handler struct {
	name    string // "Conn.expire"; empty of a literal
	at      point  // where it is
	made    point  // where its timer is made
	op      op
	locks   []lockEvent
	waits   []waitEvent
	signals []signalEvent
	bound   place // AllocLocked's lock
	owner   string
	ofGroup bool
	known   bool // it is known which wheel owner is
	site    *site
	fn      *ssa.Function
}

// String names a handler for people.
func (h *handler) String() string {
	if h.name == "" {
		return "the handler at " + h.at.text
	}
	return "the handler " + h.name + " (" + h.at.text + ")"
}

// findHandlers puts together what the handlers of this package do.
func (m *model) findHandlers() {
	for _, s := range m.sites {
		for _, f := range s.handlers {
			h := m.handlerOf(s, f)
			m.handlers = append(m.handlers, h)
			m.bySite[s] = append(m.bySite[s], h)
		}
	}
}

func (m *model) handlerOf(s *site, f function) *handler {
	h := &handler{
		op: s.op, site: s, fn: f.fn, bound: s.lock, ofGroup: s.ofGroup,
		at: m.point(f.fn.Pos()), made: m.point(s.pos()),
		owner: m.class(s.owner), known: m.isKnown(s.owner),
	}
	if obj := f.fn.Object(); obj != nil && f.fn.Parent() == nil {
		h.name = functionName(f.fn)
		h.at = m.point(obj.Pos())
	}
	sum := m.summaryFor(f.fn)
	if sum == nil {
		return h
	}
	for _, e := range sum.locks {
		e.place = f.frame.out(e.place)
		h.locks = append(h.locks, e)
	}
	for _, e := range sum.waits {
		targets := make([]origin, len(e.targets))
		for i, o := range e.targets {
			targets[i] = origin{o.site, f.frame.out(o.place)}
		}
		e.targets = targets
		h.waits = append(h.waits, e)
	}
	for _, e := range sum.signals {
		e.place, e.after = f.frame.out(e.place), translate(f.frame, e.after)
		h.signals = append(h.signals, e)
	}
	return h
}

// functionName is a function's name for people: Conn.expire.
func functionName(fn *ssa.Function) string {
	name := strings.TrimSuffix(fn.Name(), "$bound")
	if obj := fn.Object(); obj != nil {
		name = obj.Name()
	}
	if sig := fn.Signature.Recv(); sig != nil {
		if n := named(sig.Type()); n != nil {
			return n.Obj().Name() + "." + name
		}
	}
	if len(fn.FreeVars) == 1 {
		if n := named(fn.FreeVars[0].Type()); n != nil {
			return n.Obj().Name() + "." + name
		}
	}
	return name
}

// isKnown reports whether it is known which wheel is at a place: one whose
// making, or the variable that it is in, is seen here.
func (m *model) isKnown(p place) bool {
	switch p.root.(type) {
	case *ssa.Call, *ssa.Extract, *ssa.Alloc, *ssa.Global:
		return p.path == ""
	}
	return false
}

// waitedFor returns the handlers that a deletion may wait for.
func (m *model) waitedFor(e waitEvent) (hs []*handler) {
	for _, t := range e.targets {
		switch {
		case e.op.ofTimer() && t.site != nil:
			hs = append(hs, m.bySite[t.site]...)
		case e.op.ofTimer():
			for _, s := range m.held[t.place.key] {
				hs = append(hs, m.bySite[s]...)
			}
			hs = append(hs, m.byKey[t.place.key]...)
		default:
			for _, h := range m.handlers {
				if e.op.ofGroup() && m.inGroup(h, t.place) || e.op.closes() && m.onWheel(h, t.place) {
					hs = append(hs, h)
				}
			}
		}
	}
	return hs
}

// inGroup reports whether a handler is of a group: by its place.
func (m *model) inGroup(h *handler, group place) bool {
	return h.ofGroup && h.op.ofWheel() && m.class(group) == h.owner
}

// onWheel reports whether a handler may be of a wheel. A program mostly has one:
// only where it is seen that they are two they are.
func (m *model) onWheel(h *handler, wheel place) bool {
	if !h.op.ofWheel() {
		return false
	}
	return h.ofGroup || m.class(wheel) == h.owner || !h.known || !m.isKnown(wheel)
}

// calledUnder returns what is held when a handler is called.
func (h *handler) calledUnder() []hold {
	if h.op != allocLocked {
		return nil
	}
	p := h.bound
	if p.key != "" { // its way begins in another function
		p = place{key: p.key}
	}
	return []hold{{p, writing, h.made}}
}

// where is where to report what happens at an instruction: in a bound method,
// where it happens in the end.
func where(in ssa.Instruction, e waitEvent) token.Pos {
	if in.Pos().IsValid() && in.Parent().Synthetic == "" {
		return in.Pos()
	}
	return e.at.pos
}
