package vet

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ssa"
)

// This file finds handlers that wait for themselves, and handlers that wait for
// each other in a circle. The library answers both with ErrDeadlock: code that
// looks for that error is not reported.

// checkOwn reports the waits of handlers for their own end.
func (m *model) checkOwn() {
	for _, s := range m.sites {
		if !s.op.ofWheel() {
			continue
		}
		for _, f := range s.handlers {
			m.follow(f.fn, nil, tracer{
				lock:   func(lockEvent) {},
				signal: func(signalEvent) {},
				call:   func(callEvent) {},
				end:    func([]hold, []place) {},
				wait: func(e waitEvent, _ []hold, in ssa.Instruction) {
					if e.op.waits() && m.waitsForItself(s, f, e) && !excused(e) {
						m.reportOwn(s, e, in)
					}
				},
			})
		}
	}
}

// waitsForItself reports whether a wait in a handler is for that handler: for
// its timer, its group or its wheel.
func (m *model) waitsForItself(s *site, f function, e waitEvent) bool {
	for _, t := range e.targets {
		p := f.frame.out(t.place.of(f.fn))
		switch {
		case e.op.ofTimer():
			if t.site == s || identical(p, f.ownTimer(s)) || m.keptAt(s, p) {
				return true
			}
		case e.op.ofGroup():
			if s.ofGroup && m.sameOwner(s.owner, p) {
				return true
			}
		case !s.ofGroup && s.op != ctxAfterFunc && m.sameOwner(s.owner, p):
			return true
		}
	}
	return false
}

// ownTimer returns the place of the Timer that a handler is called with.
func (f function) ownTimer(s *site) place {
	if !s.op.takesTimer() || len(f.fn.Params) <= f.shift {
		return place{}
	}
	return place{root: f.fn.Params[f.shift]}
}

// keptAt reports whether a site's timer is kept at a place, of this object and
// not only of one of its type.
func (m *model) keptAt(s *site, p place) bool {
	if v := s.value(); v != nil && p.root == v && p.path == "" {
		return true
	}
	for _, h := range s.holders {
		if identical(h, p) {
			return true
		}
	}
	return false
}

func (m *model) sameOwner(p, q place) bool {
	return identical(p, q) || m.class(p) == m.class(q) && !strings.Contains(m.class(p), "[]") && !apart(p, q)
}

// excused reports whether a wait for oneself is right nevertheless: the error is
// expected; or it is a Shutdown, which does what it says in the own handler too,
// and the code does not take it for a wait.
func excused(e waitEvent) bool {
	return e.expected || (e.op == shutdown || e.op == groupShutdown) && !e.used
}

func (m *model) reportOwn(s *site, e waitEvent, in ssa.Instruction) {
	whose, cure := "the timer's", "Use Del, which does not wait"
	switch {
	case e.op == shutdown:
		cure = "The timer is shut down nevertheless: look for ErrDeadlock"
	case e.op.ofGroup():
		whose, cure = "a member's", "Look for ErrDeadlock, or leave the tear-down to somebody else"
	case e.op.closes():
		whose, cure = "its wheel's", "Look for ErrDeadlock, or leave it to somebody else"
	}
	m.report("self", where(in, e),
		fmt.Sprintf("%s in %s own handler cannot wait for it: it returns ErrDeadlock. %s", e.what(), whose, cure),
		relate(m.point(s.pos()), "the timer is made here"),
		relate(e.at, "it would wait here"))
}

// An edge is a handler that waits for another.
type edge struct {
	from, to *site
	wait     waitEvent
}

// checkCircles reports handlers that wait for each other.
func (m *model) checkCircles() {
	edges := map[*site][]edge{}
	for _, s := range m.sites {
		edges[s] = m.edgesOf(s)
	}
	covered := map[*site]bool{}
	for _, s := range m.sites {
		if covered[s] {
			continue
		}
		if circle := shortest(edges, s); len(circle) > 1 {
			for _, e := range circle {
				covered[e.from] = true
			}
			m.reportCircle(circle)
		}
	}
}

// edgesOf returns which other timers' handlers a timer's handler waits for.
func (m *model) edgesOf(s *site) (all []edge) {
	for _, h := range m.bySite[s] {
		for _, e := range h.waits {
			if !e.op.ofTimer() || e.expected || m.onItself(s, e) {
				continue
			}
			for _, other := range m.waitedFor(e) {
				if other.site != s && other.fn != nil {
					all = append(all, edge{s, other.site, e})
				}
			}
		}
	}
	return all
}

// onItself reports whether a handler's wait is for its own timer, whatever else
// may be kept in the same field of other objects.
func (m *model) onItself(s *site, e waitEvent) bool {
	return slices.ContainsFunc(e.targets, func(t origin) bool { return t.site == s || m.keptAt(s, t.place) })
}

// shortest returns the shortest circle through a timer.
func shortest(edges map[*site][]edge, start *site) []edge {
	type path struct {
		end   *site
		edges []edge
	}
	seen := map[*site]bool{start: true}
	for todo := []path{{end: start}}; len(todo) > 0; todo = todo[1:] {
		for _, e := range edges[todo[0].end] {
			longer := append(todo[0].edges[:len(todo[0].edges):len(todo[0].edges)], e)
			if e.to == start {
				return longer
			}
			if !seen[e.to] {
				seen[e.to] = true
				todo = append(todo, path{e.to, longer})
			}
		}
	}
	return nil
}

func (m *model) reportCircle(circle []edge) {
	var steps []string
	var related []analysis.RelatedInformation
	for _, e := range circle {
		to := m.bySite[e.to][0]
		steps = append(steps, fmt.Sprintf("%s (%s) for %s", e.wait.op, e.wait.at.text, to))
		related = append(related, relate(e.wait.at, fmt.Sprintf("%s waits here for %s", m.bySite[e.from][0], to)))
	}
	outcome := "One of them gets ErrDeadlock"
	if m.acrossWheels(circle) {
		outcome = "They are of two wheels, which do not see it: they wait for ever"
	}
	pos := circle[0].wait.at.pos
	if !pos.IsValid() {
		pos = circle[0].from.pos()
	}
	m.report("circle", pos,
		fmt.Sprintf("handlers wait for each other in a circle: %s. %s. Use Del, or DelAsync, or look for the error",
			strings.Join(steps, "; "), outcome),
		related...)
}

// acrossWheels reports whether a circle is known to lead through two wheels.
func (m *model) acrossWheels(circle []edge) bool {
	return slices.ContainsFunc(circle, func(e edge) bool {
		from, to := e.from.owner, e.to.owner
		return !e.from.ofGroup && !e.to.ofGroup && m.isKnown(from) && m.isKnown(to) && m.class(from) != m.class(to)
	})
}
