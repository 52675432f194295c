package checks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed76848005/timerwheel/vet/internal/api"
	"github.com/seed76848005/timerwheel/vet/internal/location"
	"github.com/seed76848005/timerwheel/vet/internal/model"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ssa"
)

// This file finds handlers that wait for themselves, and handlers that wait for
// each other in a circle. The library answers both with ErrDeadlock. Code that
// checks for that error is not reported.

// checkSelfWaits reports the waits of handlers for their own end.
func (c *checker) checkSelfWaits() {
	for _, s := range c.Sites {
		if !s.Op.OfWheel() {
			continue
		}
		for _, f := range s.Handlers {
			c.FollowHandler(s, f.Func, nil, model.Visitor{Wait: func(w model.Wait, _ []model.Lock, in ssa.Instruction) {
				if w.Op.Waits() && !w.Expected && c.waitsForItself(s, f, w) {
					c.reportSelfWait(s, w, in)
				}
			}})
		}
	}
}

// waitsForItself reports whether a wait in a handler is for that handler: for its
// timer, its group or its wheel.
func (c *checker) waitsForItself(s *model.Site, f model.FuncValue, w model.Wait) bool {
	for _, t := range w.Targets {
		l := s.ToMaker(f, t.Location.FromParam(f.Func))
		switch {
		case w.Op == api.KeyedDeleteSync:
			if (t.Site == s || s.IsStoredAt(l)) && location.MustAlias(w.Key, f.OwnKey(s)) {
				return true
			}
		case w.Op.WaitsForTimer():
			if t.Site == s || location.MustAlias(l, f.OwnTimer(s)) || s.IsStoredAt(l) {
				return true
			}
		case w.Op.WaitsForGroup():
			if s.OfGroup && c.isSameOwner(s.Owner, l) {
				return true
			}
		case !s.OfGroup && s.Op != api.CtxAfterFunc && c.isSameOwner(s.Owner, l):
			return true
		}
	}
	return false
}

// isSameOwner reports whether two wheels or groups are the same. Two elements of
// one container are not, nor are the fields of two objects.
func (c *checker) isSameOwner(l, other location.Location) bool {
	if location.MustAlias(l, other) {
		return true
	}
	name := c.OwnerName(l)
	return name == c.OwnerName(other) && !strings.Contains(name, "[]") && !location.OfDifferentObjects(l, other)
}

func (c *checker) reportSelfWait(s *model.Site, w model.Wait, in ssa.Instruction) {
	handler, cure := "the timer's own handler", fmt.Sprintf("Use %s, which does not wait", w.Op.WithoutWait())
	switch {
	case w.Op == api.KeyedDeleteSync:
		handler = "the handler of that key"
	case w.Op.WaitsForGroup():
		handler, cure = "the handler of a member", "Check for ErrDeadlock, or delete the group outside its handlers"
	case w.Op.WaitsForWheel():
		handler, cure = "a handler of the wheel", "Check for ErrDeadlock, or call it outside the wheel's handlers"
	}
	c.report("self", positionOf(w, in),
		fmt.Sprintf("%s in %s cannot wait for that handler: it returns ErrDeadlock. %s", describe(w), handler, cure),
		relate(c.Position(s.Pos()), "the timer is made here"),
		relate(w.At, "it would wait here"))
}

// An edge is a handler that waits for another.
type edge struct {
	from, to *model.Site
	wait     model.Wait
}

// checkCircles reports handlers that wait for each other.
func (c *checker) checkCircles() {
	edges := map[*model.Site][]edge{}
	for _, s := range c.Sites {
		edges[s] = c.edgesFrom(s)
	}
	covered := map[*model.Site]bool{}
	for _, s := range c.Sites {
		if covered[s] {
			continue
		}
		if circle := shortestCircle(edges, s); len(circle) > 1 {
			for _, e := range circle {
				covered[e.from] = true
			}
			c.reportCircle(circle)
		}
	}
}

// edgesFrom returns which other timers' handlers a timer's handler waits for.
func (c *checker) edgesFrom(s *model.Site) (all []edge) {
	for _, h := range c.HandlersOf(s) {
		for _, w := range h.Waits {
			if !w.Op.WaitsForTimer() || w.Expected || isForOwnTimer(s, w) {
				continue
			}
			for _, t := range w.Targets {
				for _, other := range c.WaitedFor(w.Op, t) {
					if other.Site != s && other.Func != nil {
						all = append(all, edge{s, other.Site, w})
					}
				}
			}
		}
	}
	return all
}

// isForOwnTimer reports whether a handler's wait is for its own timer, whatever
// else the same field of other objects may store.
func isForOwnTimer(s *model.Site, w model.Wait) bool {
	return slices.ContainsFunc(w.Targets, func(t model.Origin) bool { return t.Site == s || s.IsStoredAt(t.Location) })
}

// shortestCircle returns the shortest circle through a timer, or nil.
func shortestCircle(edges map[*model.Site][]edge, start *model.Site) []edge {
	type path struct {
		end   *model.Site
		edges []edge
	}
	seen := map[*model.Site]bool{start: true}
	for todo := []path{{end: start}}; len(todo) > 0; todo = todo[1:] {
		for _, e := range edges[todo[0].end] {
			extended := append(slices.Clip(todo[0].edges), e)
			if e.to == start {
				return extended
			}
			if !seen[e.to] {
				seen[e.to] = true
				todo = append(todo, path{e.to, extended})
			}
		}
	}
	return nil
}

func (c *checker) reportCircle(circle []edge) {
	var steps []string
	var related []analysis.RelatedInformation
	for _, e := range circle {
		to := c.HandlersOf(e.to)[0]
		steps = append(steps, fmt.Sprintf("%s (%s) for %s", e.wait.Op, e.wait.At.Text, to))
		related = append(related, relate(e.wait.At, fmt.Sprintf("%s waits here for %s", c.HandlersOf(e.from)[0], to)))
	}
	outcome := "One of the calls returns ErrDeadlock"
	if c.leadsAcrossWheels(circle) {
		outcome = "The timers are of two wheels, which do not see the circle: the handlers wait for ever"
	}
	pos := circle[0].wait.At.Pos
	if !pos.IsValid() {
		pos = circle[0].from.Pos()
	}
	c.report("circle", pos,
		fmt.Sprintf("handlers wait for each other in a circle: %s. %s. Use Del, Shutdown or DelAsync, or check for the error",
			strings.Join(steps, "; "), outcome),
		related...)
}

// leadsAcrossWheels reports whether a circle is known to lead through two wheels.
func (c *checker) leadsAcrossWheels(circle []edge) bool {
	return slices.ContainsFunc(circle, func(e edge) bool {
		from, to := e.from.Owner, e.to.Owner
		return !e.from.OfGroup && !e.to.OfGroup && c.IsKnownOwner(from) && c.IsKnownOwner(to) && c.OwnerName(from) != c.OwnerName(to)
	})
}
