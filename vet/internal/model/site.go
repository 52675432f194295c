package model

import (
	"go/token"
	"slices"

	"github.com/seed76848005/timerwheel/vet/internal/api"
	"github.com/seed76848005/timerwheel/vet/internal/location"
	"golang.org/x/tools/go/ssa"
)

// A Site is a call that makes a timer, or that passes a function to
// time.AfterFunc. The timers of package keyed are one: their handle is what keyed.New
// returns.
//
// A function that makes a timer of a function which is passed to it is a maker. Each call of
// a maker is a site of its own: its timers have another handler. The locations of such a
// site are those of the caller.
type Site struct {
	Call     ssa.CallInstruction
	Op       api.Op
	Handlers []FuncValue
	Owner    location.Location   // the wheel or the group of the timer
	OfGroup  bool                // Owner is a group
	StoredAt []location.Location // where the handle is stored

	lock location.Location     // of a lock-bound timer
	via  []ssa.CallInstruction // the call of the maker, the call of that function, and so on
}

// Pos returns the position of the call.
func (s *Site) Pos() token.Pos { return s.Call.Pos() }

// madeAt returns the position of the call, or that of the maker.
func (s *Site) madeAt() token.Pos {
	if n := len(s.via); n > 0 {
		return s.via[n-1].Pos()
	}
	return s.Pos()
}

// Handle returns the handle that the call returns, or nil if the code drops it.
func (s *Site) Handle() ssa.Value {
	v, _ := s.Call.(*ssa.Call)
	if v == nil {
		return nil // defer and go drop it
	}
	if s.Op != api.CtxAfterFunc {
		return v
	}
	for _, in := range *v.Referrers() {
		if x, ok := in.(*ssa.Extract); ok && x.Index == 0 {
			return x
		}
	}
	return nil
}

// IsStoredAt reports whether the handle of the site is stored at a location: that
// of this object, not only that of an object of the same type.
func (s *Site) IsStoredAt(l location.Location) bool {
	if v := s.Handle(); v != nil && l.Root == v && l.Path == "" {
		return true
	}
	for _, at := range s.StoredAt {
		if location.MustAlias(at, l) {
			return true
		}
	}
	return false
}

// ToMaker translates a location of a handler of the site into one of the function that makes
// the timer, or that calls the maker.
func (s *Site) ToMaker(f FuncValue, l location.Location) location.Location {
	return throughCalls(f.Frame.ToCaller(l), s.via)
}

// findSites finds the calls that make timers, and their handlers.
func (m *Model) findSites() {
	for _, fn := range m.Funcs {
		Calls(fn, func(call ssa.CallInstruction) {
			c := call.Common()
			if o := api.OpOf(c); o.MakesTimer() && !c.IsInvoke() && !api.ArmsOwnFiring(o, c) {
				for _, via := range m.callsOfMaker(fn, 0) {
					s := m.newSite(call, o, via)
					m.Sites = append(m.Sites, s)
					m.siteOf[call] = append(m.siteOf[call], s)
				}
			}
		})
	}
	for _, s := range m.Sites {
		m.findHandlersOf(s)
	}
}

// maxMakers bounds how many makers may call each other.
const maxMakers = 3

// callsOfMaker returns by which calls a function is called that makes timers of what is
// passed to it. Of any other function it returns one empty list: no call matters.
func (m *Model) callsOfMaker(fn *ssa.Function, depth int) (all [][]ssa.CallInstruction) {
	takesFunc := slices.ContainsFunc(fn.Params, func(p *ssa.Parameter) bool { return isFunc(p.Type()) })
	if !takesFunc || len(m.callers[fn]) == 0 || depth == maxMakers {
		return [][]ssa.CallInstruction{nil}
	}
	for _, call := range m.callers[fn] {
		for _, outer := range m.callsOfMaker(call.Parent(), depth+1) {
			all = append(all, append([]ssa.CallInstruction{call}, outer...))
		}
	}
	return all
}

func (m *Model) newSite(call ssa.CallInstruction, o api.Op, via []ssa.CallInstruction) *Site {
	c := call.Common()
	s := &Site{Call: call, Op: o, via: via}
	if o.OfWheel() && o != api.CtxAfterFunc {
		s.Owner = throughCalls(location.Of(c.Args[0]), via)
		s.OfGroup = api.IsType(c.Args[0].Type(), "Group")
	}
	if o.Locked() {
		s.lock = throughCalls(location.Of(c.Args[1]), via)
	}
	return s
}

func (m *Model) findHandlersOf(s *Site) {
	c := s.Call.Common()
	s.Handlers = m.funcsVia(api.Handler(s.Op, c), s.via, 0)
	for _, f := range s.Handlers {
		param := f.BoundParams + 1
		if own := f.OwnTimer(s); own.Root != nil {
			f.Frame[param] = own
			param++
		}
		if s.Op.TakesArg() {
			f.Frame[param] = location.Of(c.Args[len(c.Args)-1])
		}
	}
}

// An Origin is where a handle comes from: a site of this package, or a location.
type Origin struct {
	Site     *Site
	Location location.Location
}

// Origins returns where the handle v comes from.
func (m *Model) Origins(v ssa.Value) (all []Origin) { return m.originsIn(v, location.Frame{}, 0) }

func (m *Model) originsIn(v ssa.Value, fr location.Frame, depth int) (all []Origin) {
	if depth > maxDepth {
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
	l := location.Of(v)
	if sites := m.sitesAt(l); len(sites) > 0 {
		for _, s := range sites {
			all = append(all, Origin{s, l})
		}
		return all
	}
	if l.Path == "" && l.Root != nil {
		if returned := m.returnedHandles(l.Root, depth); returned != nil {
			return returned
		}
	}
	return []Origin{{Location: fr.ToCaller(l)}}
}

// sitesAt returns the sites whose handle is at a location.
func (m *Model) sitesAt(l location.Location) []*Site {
	if l.Path != "" {
		return nil
	}
	v := l.Root
	if x, ok := v.(*ssa.Extract); ok && x.Index == 0 {
		v = x.Tuple
	}
	if c, ok := v.(*ssa.Call); ok {
		return m.siteOf[c]
	}
	return nil
}

// returnedHandles returns where the handles come from that a call of the package's
// own function returns.
func (m *Model) returnedHandles(v ssa.Value, depth int) (all []Origin) {
	i := 0
	if x, ok := v.(*ssa.Extract); ok {
		v, i = x.Tuple, x.Index
	}
	call, ok := v.(*ssa.Call)
	if !ok {
		return nil
	}
	callee := ownCallee(call.Common())
	if callee == nil {
		return nil
	}
	inner := location.FrameOf(call.Call.Value, call.Call.Args)
	for _, r := range returnsOf(callee) {
		for _, o := range m.originsIn(r.Results[i], location.Frame{}, depth+1) {
			if o.Site != nil && len(o.Site.via) > 0 && !slices.Contains(o.Site.via, ssa.CallInstruction(call)) {
				continue // of another call of that maker
			}
			all = append(all, Origin{o.Site, inner.ToCaller(o.Location.InSummary(callee))})
		}
	}
	return all
}
