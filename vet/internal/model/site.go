package model

import (
	"go/token"

	"github.com/seed76848005/timerwheel/vet/internal/api"
	"github.com/seed76848005/timerwheel/vet/internal/location"
	"golang.org/x/tools/go/ssa"
)

// A Site is a call that makes a timer, or that passes a function to
// time.AfterFunc.
type Site struct {
	Call     ssa.CallInstruction
	Op       api.Op
	Handlers []FuncValue
	Owner    location.Location   // the wheel or the group of the timer
	OfGroup  bool                // Owner is a group
	StoredAt []location.Location // where the handle is stored

	lock location.Location // of AllocLocked
}

// Pos returns the position of the call.
func (s *Site) Pos() token.Pos { return s.Call.Pos() }

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

// findSites finds the calls that make timers, and their handlers.
func (m *Model) findSites() {
	for _, fn := range m.Funcs {
		Calls(fn, func(call ssa.CallInstruction) {
			c := call.Common()
			o := api.OpOf(c)
			if !o.MakesTimer() || c.IsInvoke() {
				return
			}
			s := &Site{Call: call, Op: o}
			if o.OfWheel() && o != api.CtxAfterFunc {
				s.Owner = location.Of(c.Args[0])
				s.OfGroup = api.IsType(c.Args[0].Type(), "Group")
			}
			if o == api.AllocLocked {
				s.lock = location.Of(c.Args[1])
			}
			m.Sites = append(m.Sites, s)
			m.siteOf[call] = s
		})
	}
	for _, s := range m.Sites {
		c := s.Call.Common()
		s.Handlers = m.funcsOf(api.Handler(s.Op, c), 0)
		for _, f := range s.Handlers {
			if s.Op == api.AfterFuncArg {
				f.Frame[f.BoundParams+1] = location.Of(c.Args[3])
			}
			if own := f.OwnTimer(s); own.Root != nil {
				f.Frame[f.BoundParams+1] = own
			}
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
	if s := m.siteAt(l); s != nil {
		return []Origin{{s, l}}
	}
	if l.Path == "" && l.Root != nil {
		if returned := m.returnedHandles(l.Root, depth); returned != nil {
			return returned
		}
	}
	return []Origin{{Location: fr.ToCaller(l)}}
}

// siteAt returns the site whose handle is at a location.
func (m *Model) siteAt(l location.Location) *Site {
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
			all = append(all, Origin{o.Site, inner.ToCaller(o.Location.InSummary(callee))})
		}
	}
	return all
}
