package vet

import (
	"fmt"
	"go/token"
	"maps"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// This file finds uses of a handle after its last reference is gone: after its
// owner's Free; of one from AfterFunc, which nobody owns, after it has fired or
// was deleted. And it finds timers from Alloc that nobody keeps.

// handles is what is known of handles at one point of a path. A handle is named
// by where it came from: the value, or the place that it was loaded from.
type handles struct {
	loaded map[ssa.Value]string // the handle that a load has got
	stored map[string]string    // the handle that a place was set to, by the place
	owners map[string]int       // more than one, by Retain
	ends   map[string]end
}

// An end is what has taken a handle's last reference.
type end struct {
	what string // "freed", "stopped", "fired"
	at   point
	own  bool // it was owned; else it is AfterFunc's
	root bool // it is kept in a field or variable that others may set
}

func (h *handles) clone() *handles {
	return &handles{maps.Clone(h.loaded), maps.Clone(h.stored), maps.Clone(h.owners), maps.Clone(h.ends)}
}

func (h *handles) key() string {
	var parts []string
	for v, name := range h.loaded {
		if _, ended := h.ends[name]; ended {
			parts = append(parts, v.Name()+"="+name)
		}
	}
	for p, name := range h.stored {
		parts = append(parts, p+":="+name)
	}
	for name, n := range h.owners {
		parts = append(parts, fmt.Sprint(name, "*", n))
	}
	for name, e := range h.ends {
		parts = append(parts, fmt.Sprint(name, "!", e.at.pos))
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

// nameOf names the handle that a value is.
func (h *handles) nameOf(v ssa.Value) string {
	if name, ok := h.loaded[v]; ok {
		return name
	}
	id := placeOf(v).id()
	if name, ok := h.stored[id]; ok {
		return name
	}
	return id
}

// unknown names a handle of which nothing is known.
const unknown = "?"

// forget forgets the handles, and the places, whose names are chosen: what still
// keeps one of them keeps one that is unknown.
func (h *handles) forget(chosen func(name string) bool) {
	maps.DeleteFunc(h.stored, func(p, _ string) bool { return chosen(p) })
	maps.DeleteFunc(h.owners, func(name string, _ int) bool { return chosen(name) })
	maps.DeleteFunc(h.ends, func(name string, _ end) bool { return chosen(name) })
	for p, name := range h.stored {
		if chosen(name) {
			h.stored[p] = unknown
		}
	}
	for v, name := range h.loaded {
		if chosen(name) {
			h.loaded[v] = unknown
		}
	}
}

// checkHandles follows the functions in which a handle may end.
func (m *model) checkHandles() {
	retained := m.retained()
	for _, fn := range m.funcs {
		ends := false
		calls(fn, func(c ssa.CallInstruction) {
			o := opOf(c.Common())
			ends = ends || o == free || o.deletes() || o.ofWheel()
		})
		if !ends {
			continue
		}
		c := &handleCheck{m: m, fn: fn, retained: retained}
		start := &handles{map[ssa.Value]string{}, map[string]string{}, map[string]int{}, map[string]end{}}
		walk(fn, start, c.visit, func(*handles, ssa.Value, bool) {})
	}
}

// A retaining is a Retain: of which handle, and in which function.
type retaining struct {
	fn *ssa.Function
	id string
}

// retained returns where handles of each key are retained.
func (m *model) retained() map[string][]retaining {
	all := map[string][]retaining{}
	for _, fn := range m.funcs {
		calls(fn, func(c ssa.CallInstruction) {
			if opOf(c.Common()) == retain {
				for _, k := range m.keysOf(receiver(c.Common())) {
					all[k] = append(all[k], retaining{fn, placeOf(receiver(c.Common())).id()})
				}
			}
		})
	}
	return all
}

// keysOf returns the keys that a handle is known by.
func (m *model) keysOf(v ssa.Value) (keys []string) {
	if k := placeOf(v).key; k != "" {
		keys = append(keys, k)
	}
	for _, o := range m.origins(v) {
		if o.place.key != "" {
			keys = append(keys, o.place.key)
		}
		if o.site != nil {
			for _, h := range o.site.holders {
				keys = append(keys, h.key)
			}
		}
	}
	return keys
}

type handleCheck struct {
	m        *model
	fn       *ssa.Function
	retained map[string][]retaining
}

func (c *handleCheck) visit(h *handles, in ssa.Instruction) {
	if v, ok := in.(ssa.Value); ok { // a new value, perhaps once more
		prefix := valueID(v) + "/"
		h.forget(func(name string) bool { return strings.HasPrefix(name, prefix) })
		delete(h.loaded, v)
	}
	switch in := in.(type) {
	case *ssa.UnOp:
		if in.Op == token.MUL && isType(in.Type(), "Timer") {
			h.loaded[in] = h.nameOf(in)
		}
		if in.Op == token.ARROW {
			c.signalled(h, in, placeOf(in.X))
		}
	case *ssa.Store:
		c.store(h, in)
	case ssa.CallInstruction:
		c.call(h, in, in.Common())
	}
}

func (c *handleCheck) store(h *handles, in *ssa.Store) {
	p := placeOf(in.Addr)
	if isType(in.Val.Type(), "Timer") {
		h.stored[p.id()] = h.nameOf(in.Val)
		return
	}
	id := p.id()
	prefix := strings.TrimSuffix(id, "/"+p.key)
	h.forget(func(name string) bool { return strings.HasPrefix(name, prefix+".") })
}

func (c *handleCheck) call(h *handles, in ssa.CallInstruction, call *ssa.CallCommon) {
	o := opOf(call)
	switch {
	case o == free || o == retain || o.registers() || o.deletes():
		c.use(h, in, o, call.Args[0])
	case o == wgWait:
		c.signalled(h, in, placeOf(call.Args[0]))
	case o == other:
		c.enter(h, call)
	}
}

// enter forgets what a called function may have set.
func (c *handleCheck) enter(h *handles, call *ssa.CallCommon) {
	if s, _ := c.m.summaryAt(call); s != nil {
		for _, k := range s.stores {
			h.forget(func(name string) bool { return strings.HasSuffix(name, "/"+k) })
		}
		return
	}
	if call.StaticCallee() == nil { // anything may happen to what is not a value of ours
		if _, ok := call.Value.(*ssa.Builtin); !ok {
			h.forget(func(name string) bool { return h.ends[name].root })
		}
	}
}

func (c *handleCheck) use(h *handles, in ssa.CallInstruction, o op, v ssa.Value) {
	name := h.nameOf(v)
	if name == unknown {
		return
	}
	if e, ended := h.ends[name]; ended {
		if !o.deletes() && !c.excused(in, o, v, e) {
			c.report(in, o, v, e)
		}
		return
	}
	switch {
	case o == retain:
		h.owners[name]++
	case o == free && h.owners[name] > 0:
		if h.owners[name]--; h.owners[name] == 0 {
			delete(h.owners, name)
		}
	case c.mayHaveOwners(h, name, v):
	case o == free:
		h.ends[name] = end{"freed", c.m.point(in.Pos()), true, shared(v)}
	case o.deletes() && c.fromAfterFunc(v) != nil:
		h.ends[name] = end{fmt.Sprintf("deleted (%s)", o), c.m.point(in.Pos()), false, shared(v)}
	}
}

// mayHaveOwners reports whether a handle may have owners that this function does
// not see.
func (c *handleCheck) mayHaveOwners(h *handles, name string, v ssa.Value) bool {
	if h.owners[name] > 0 {
		return true
	}
	for _, k := range c.m.keysOf(v) {
		for _, r := range c.retained[k] {
			if r.fn != c.fn || r.id != placeOf(v).id() {
				return true
			}
		}
	}
	return false
}

// shared reports whether a handle was loaded from where others may set it.
func shared(v ssa.Value) bool {
	p := placeOf(v)
	if p.path != "" {
		return true
	}
	switch p.root.(type) {
	case *ssa.Alloc, *ssa.Global, *ssa.FreeVar:
		return true
	}
	return false
}

// fromAfterFunc returns the sites of a handle that comes from nowhere but
// AfterFunc and its sisters.
func (c *handleCheck) fromAfterFunc(v ssa.Value) (sites []*site) {
	for _, o := range c.m.origins(v) {
		found := c.m.held[o.place.key]
		if o.site != nil {
			found = []*site{o.site}
		}
		if len(found) == 0 || len(c.m.byKey[o.place.key]) > 0 {
			return nil
		}
		sites = append(sites, found...)
	}
	for _, s := range sites {
		if !s.op.ofWheel() || s.op.owned() {
			return nil
		}
	}
	return sites
}

// signalled notes the timers from AfterFunc that have fired, because what was
// waited for is what their handlers signal.
func (c *handleCheck) signalled(h *handles, in ssa.Instruction, p place) {
	for _, s := range c.m.sites {
		v := s.value()
		if v == nil || v.Parent() != c.fn || !s.op.ofWheel() || s.op.owned() || s.op == every {
			continue
		}
		for _, handler := range c.m.bySite[s] {
			for _, e := range handler.signals {
				if same(e.place, p) {
					h.ends[h.nameOf(v)] = end{"fired", c.m.point(in.Pos()), false, false}
				}
			}
		}
	}
}

// excused reports whether a use of what has ended is right nevertheless: the
// code looks at what it answers; or it is in the handler, where the own handle is
// valid. A Free too many is wrong there, too.
func (c *handleCheck) excused(in ssa.CallInstruction, o op, v ssa.Value, e end) bool {
	result, ok := in.(ssa.Value)
	if ok && c.m.looksFor(result, "ErrStale", "ErrFreed") {
		return true
	}
	if ok && !e.own && o == reset && len(*result.Referrers()) > 0 {
		return true
	}
	return !(e.own && o == free) && c.ownHandle(v)
}

// ownHandle reports whether a handle is that of the handler at hand.
func (c *handleCheck) ownHandle(v ssa.Value) bool {
	for _, s := range c.m.sites {
		for _, f := range s.handlers {
			if f.fn != c.fn {
				continue
			}
			p := f.frame.out(placeOf(v).of(c.fn))
			if identical(p, f.ownTimer(s)) || c.m.keptAt(s, p) {
				return true
			}
		}
	}
	return false
}

func (c *handleCheck) report(in ssa.CallInstruction, o op, v ssa.Value, e end) {
	name := handleName(v)
	switch {
	case !e.own:
		c.m.report("free", in.Pos(), fmt.Sprintf(
			"%s of %s, a Timer from AfterFunc that has been %s (%s): it is gone for good, and nothing is armed. Make what is used again with Alloc",
			o, name, e.what, e.at.text), relate(e.at, "it ends here"))
	case o == free:
		c.m.report("free", in.Pos(), fmt.Sprintf(
			"%s is freed twice (first %s): the second Free drops a reference of somebody else, or returns ErrStale", name, e.at.text),
			relate(e.at, "it is freed here"))
	default:
		c.m.report("free", in.Pos(), fmt.Sprintf(
			"%s of %s after its Free (%s): nobody owns it, so it may be gone already. Free it last", o, name, e.at.text),
			relate(e.at, "it is freed here"))
	}
}

func handleName(v ssa.Value) string {
	if s := placeOf(v).String(); s != "" {
		return s
	}
	return "the timer"
}

// checkDropped reports timers from Alloc that nobody can arm, or nobody free. In
// a test they go with its wheel.
func (m *model) checkDropped() {
	for _, s := range m.sites {
		if !s.op.owned() || isNil(handlerArg(s.op, s.call.Common())) || m.inTest(s.pos()) {
			continue
		}
		uses := 0
		if v := s.value(); v != nil {
			uses = len(*v.Referrers())
		}
		switch {
		case uses == 0:
			m.report("dropped", s.pos(), fmt.Sprintf("the Timer that %s returns is dropped: nobody can arm it, nor free it", s.op))
		case m.onlyArmed(s):
			m.report("dropped", s.pos(), fmt.Sprintf(
				"the Timer that %s returns is armed and dropped: nobody can free it. Make it with AfterFunc", s.op))
		}
	}
}

// onlyArmed reports whether nothing is done with a handle but to arm it, there
// and then, also by its handler.
func (m *model) onlyArmed(s *site) bool {
	for _, in := range *s.value().Referrers() {
		c, ok := in.(*ssa.Call)
		if !ok || !opOf(c.Common()).registers() || len(*s.value().Referrers()) > 1 || c.Block() != s.call.Block() {
			return false
		}
	}
	for _, f := range s.handlers {
		if len(f.fn.Params) <= f.shift || len(*f.fn.Params[f.shift].Referrers()) > 0 {
			return false
		}
	}
	return len(s.handlers) > 0
}
