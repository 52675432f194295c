package vet

import (
	"go/token"
	"go/types"
	"slices"

	"golang.org/x/tools/go/ssa"
)

// This file finds the timers of a package: where they are made, with which
// handlers, and where the handles are kept.

// A site is a call that makes a timer, or gives time.AfterFunc a function.
type site struct {
	call     ssa.CallInstruction
	op       op
	handlers []function
	lock     place // of AllocLocked
	owner    place // the wheel or the group that it is a timer of
	ofGroup  bool
	holders  []place // where the handle is kept
}

func (s *site) pos() token.Pos { return s.call.Pos() }

// value returns the handle, or nil if nobody takes it.
func (s *site) value() ssa.Value {
	v, _ := s.call.(*ssa.Call)
	if v == nil {
		return nil // defer and go drop it
	}
	if s.op != ctxAfterFunc {
		return v
	}
	for _, in := range *v.Referrers() {
		if x, ok := in.(*ssa.Extract); ok && x.Index == 0 {
			return x
		}
	}
	return nil
}

// A function is a function value: the function, and what it has captured.
type function struct {
	fn    *ssa.Function
	frame frame
	shift int // parameters that are bound: the receiver of a method value
}

// findSites finds the calls that make timers.
func (m *model) findSites() {
	for _, fn := range m.funcs {
		calls(fn, func(call ssa.CallInstruction) {
			c := call.Common()
			o := opOf(c)
			if !o.makes() || c.IsInvoke() {
				return
			}
			s := &site{call: call, op: o}
			if o.ofWheel() && o != ctxAfterFunc {
				s.owner = placeOf(c.Args[0])
				s.ofGroup = isType(c.Args[0].Type(), "Group")
			}
			if o == allocLocked {
				s.lock = placeOf(c.Args[1])
			}
			m.sites = append(m.sites, s)
			m.siteOf[call] = s
		})
	}
	for _, s := range m.sites {
		c := s.call.Common()
		s.handlers = m.functions(handlerArg(s.op, c), 0)
		for _, f := range s.handlers {
			if s.op == afterFuncArg {
				f.frame[f.shift+1] = placeOf(c.Args[3])
			}
			if own := f.ownTimer(s); own.root != nil {
				f.frame[f.shift+1] = own
			}
		}
	}
}

// calls calls visit with each call in a function, also put off or in a new
// goroutine.
func calls(fn *ssa.Function, visit func(ssa.CallInstruction)) {
	for _, b := range fn.Blocks {
		for _, in := range b.Instrs {
			if call, ok := in.(ssa.CallInstruction); ok {
				visit(call)
			}
		}
	}
}

// functions returns the functions that a value may be, as far as that shows: it
// is one, or was set once, or is a parameter or a result of the package's own
// functions.
func (m *model) functions(v ssa.Value, depth int) (fs []function) {
	if depth > 6 {
		return nil
	}
	switch v := v.(type) {
	case *ssa.Function:
		return []function{{fn: original(v), frame: frame{}}}
	case *ssa.MakeClosure:
		return []function{closure(v)}
	case *ssa.ChangeType:
		return m.functions(v.X, depth+1)
	case *ssa.Phi:
		for _, e := range v.Edges {
			fs = append(fs, m.functions(e, depth+1)...)
		}
	case *ssa.UnOp:
		if cell := cellOf(v.X); v.Op == token.MUL && cell != nil {
			if stored := onlyStore(cell); stored != nil {
				return m.functions(stored, depth+1)
			}
		}
	case *ssa.FreeVar:
		if b := binding(v); b != nil {
			return m.functions(b, depth+1)
		}
	case *ssa.Parameter:
		i := indexOf(v.Parent().Params, v)
		for _, call := range m.callers[v.Parent()] {
			fs = append(fs, m.functions(call.Common().Args[i], depth+2)...)
		}
	case *ssa.Call:
		return m.returnedFunctions(v, depth)
	}
	return fs
}

// closure returns the function that a closure is; of a method value, the method
// with its receiver bound.
func closure(c *ssa.MakeClosure) function {
	fn := c.Fn.(*ssa.Function)
	if method, ok := fn.Object().(*types.Func); ok && fn.Synthetic != "" {
		if of := fn.Prog.FuncValue(method); of != nil && len(original(of).Blocks) > 0 {
			return function{original(of), frame{1: placeOf(c.Bindings[0])}, 1}
		}
	}
	return function{fn: fn, frame: frameOf(c, nil)}
}

// cellOf returns the variable that an address is of, also in a closure.
func cellOf(v ssa.Value) *ssa.Alloc {
	for range 10 {
		f, ok := v.(*ssa.FreeVar)
		if !ok {
			break
		}
		v = binding(f)
	}
	cell, _ := v.(*ssa.Alloc)
	return cell
}

// returnedFunctions returns the functions that a call of the package's own
// function returns.
func (m *model) returnedFunctions(call *ssa.Call, depth int) (fs []function) {
	callee := m.callee(call.Common())
	if callee == nil {
		return nil
	}
	inner := frameOf(call.Call.Value, call.Call.Args)
	for _, r := range returns(callee) {
		if len(r.Results) != 1 {
			continue
		}
		for _, f := range m.functions(r.Results[0], depth+1) {
			translated := frame{}
			for i, p := range f.frame {
				translated[i] = inner.out(p.in(callee))
			}
			fs = append(fs, function{f.fn, translated, f.shift})
		}
	}
	return fs
}

func returns(fn *ssa.Function) (rs []*ssa.Return) {
	for _, b := range fn.Blocks {
		if r, ok := b.Instrs[len(b.Instrs)-1].(*ssa.Return); ok {
			rs = append(rs, r)
		}
	}
	return rs
}

// callee returns the package's own function that a call is known to call, or nil.
func (m *model) callee(c *ssa.CallCommon) *ssa.Function {
	fn := c.StaticCallee()
	if fn == nil {
		return nil
	}
	if fn = original(fn); len(fn.Blocks) == 0 {
		return nil
	}
	return fn
}

// An origin is where a handle comes from: a site of this package, or a place.
type origin struct {
	site  *site
	place place
}

// origins returns where the handle v comes from.
func (m *model) origins(v ssa.Value) (all []origin) { return m.originsIn(v, frame{}, 0) }

func (m *model) originsIn(v ssa.Value, fr frame, depth int) (all []origin) {
	if depth > 6 {
		return nil
	}
	switch v := v.(type) {
	case *ssa.Phi:
		for _, e := range v.Edges {
			all = append(all, m.originsIn(e, fr, depth+1)...)
		}
		return all
	case *ssa.ChangeType:
		return m.originsIn(v.X, fr, depth+1)
	}
	p := placeOf(v)
	if s := m.siteAt(p); s != nil {
		return []origin{{site: s, place: p}}
	}
	if p.path == "" && p.root != nil {
		if made := m.returnedHandles(p.root, depth); made != nil {
			return made
		}
	}
	return []origin{{place: fr.out(p)}}
}

// siteAt returns the site whose handle a place is.
func (m *model) siteAt(p place) *site {
	if p.path != "" {
		return nil
	}
	v := p.root
	if x, ok := v.(*ssa.Extract); ok && x.Index == 0 {
		v = x.Tuple
	}
	if c, ok := v.(*ssa.Call); ok {
		return m.siteOf[c]
	}
	return nil
}

// returnedHandles returns where the handles come from that a call of the
// package's own function returns.
func (m *model) returnedHandles(v ssa.Value, depth int) (all []origin) {
	i := 0
	if x, ok := v.(*ssa.Extract); ok {
		v, i = x.Tuple, x.Index
	}
	call, ok := v.(*ssa.Call)
	if !ok {
		return nil
	}
	callee := m.callee(call.Common())
	if callee == nil {
		return nil
	}
	inner := frameOf(call.Call.Value, call.Call.Args)
	for _, r := range returns(callee) {
		for _, o := range m.originsIn(r.Results[i], frame{}, depth+1) {
			all = append(all, origin{o.site, inner.out(o.place.in(callee))})
		}
	}
	return all
}

// findHolders finds where handles are kept, and which wheels and groups are the
// same.
func (m *model) findHolders() {
	for _, fn := range m.funcs {
		for _, b := range fn.Blocks {
			for _, in := range b.Instrs {
				switch in := in.(type) {
				case *ssa.Store:
					m.keep(placeOf(in.Addr), in.Val)
				case *ssa.MapUpdate:
					m.keep(element(in.Map, placeOf(in.Map)), in.Value)
				}
			}
		}
	}
	m.spread()
}

// keep notes that a value is kept at a place.
func (m *model) keep(at place, v ssa.Value) {
	switch {
	case isType(v.Type(), "Timer"):
		for _, o := range m.origins(v) {
			if o.site == nil {
				m.copy(o.place.key, at.key)
				continue
			}
			o.site.holders = append(o.site.holders, at)
			m.held[at.key] = appendNew(m.held[at.key], o.site)
		}
	case isType(v.Type(), "Group"), isType(v.Type(), "Wheel"):
		m.unite(placeOf(v), at)
	default:
		if from := appended(v); from.key != "" {
			m.copy(from.key+"[]", at.key+"[]")
		}
	}
}

// appended returns the place of what a call of append adds.
func appended(v ssa.Value) place {
	call, ok := v.(*ssa.Call)
	if !ok {
		return place{}
	}
	if b, ok := call.Call.Value.(*ssa.Builtin); !ok || b.Name() != "append" {
		return place{}
	}
	return placeOf(call.Call.Args[1])
}

func (m *model) copy(from, to string) {
	if from != "" && to != "" && from != to {
		m.copies[from] = appendNew(m.copies[from], to)
	}
}

// spread carries the sites along the copies.
func (m *model) spread() {
	for changed := true; changed; {
		changed = false
		for from, tos := range m.copies {
			for _, to := range tos {
				for _, s := range m.held[from] {
					if !slices.Contains(m.held[to], s) {
						m.held[to] = append(m.held[to], s)
						changed = true
					}
				}
			}
		}
	}
}

func appendNew[T comparable](all []T, one T) []T {
	if slices.Contains(all, one) {
		return all
	}
	return append(all, one)
}

// unite notes that two wheels or groups are the same.
func (m *model) unite(p, q place) {
	a, b := m.class(p), m.class(q)
	if a != b && a != "" && b != "" {
		m.classes[a] = b
	}
}

// class names the wheel or group at a place: those that are known to be the same
// have one name.
func (m *model) class(p place) string {
	k := p.key
	if k == "" {
		k = p.id()
	}
	for m.classes[k] != "" {
		k = m.classes[k]
	}
	return k
}
