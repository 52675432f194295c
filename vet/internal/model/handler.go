package model

import (
	"slices"
	"strings"

	"github.com/seed76848005/timerwheel/vet/internal/api"
	"github.com/seed76848005/timerwheel/vet/internal/location"
	"golang.org/x/tools/go/ssa"
)

// A Handler is a function that a timer calls, and what that function does. Of a
// handler of another package only its locks and signals are known.
type Handler struct {
	At      Position // where it is
	Made    Position // where its timer is made, or the maker is called
	Op      api.Op   // what makes its timer
	Locks   Set      // of locks of the Model
	Waits   []Wait
	Signals Set               // of signals of the Model
	Bound   location.Location // the lock of a lock-bound timer
	OwnKey  location.Location // the parameter that holds the key, in Func
	Site    *Site
	Func    *ssa.Function

	value      FuncValue
	name       string // "Conn.expire"; empty for a function literal
	owner      string // the name of its wheel or group
	ofGroup    bool
	knownOwner bool // it is known which wheel owner is
}

// String names a handler for a diagnostic.
func (h *Handler) String() string {
	switch {
	case h.Site != nil && len(h.Site.via) > 0:
		return "the handler at " + h.At.Text + " of the timer made at " + h.Made.Text
	case h.name == "":
		return "the handler at " + h.At.Text
	}
	return "the handler " + h.name + " (" + h.At.Text + ")"
}

// findHandlers describes the handlers of this package.
func (m *Model) findHandlers() {
	for _, s := range m.Sites {
		for _, f := range s.Handlers {
			h := m.describe(s, f)
			m.isHandler[f.Func] = true
			m.Handlers = append(m.Handlers, h)
			m.bySite[s] = append(m.bySite[s], h)
		}
	}
}

func (m *Model) describe(s *Site, f FuncValue) *Handler {
	h := &Handler{
		Op: s.Op, Site: s, Func: f.Func, value: f, Bound: s.lock, OwnKey: f.OwnKey(s), ofGroup: s.OfGroup,
		At: m.Position(f.Func.Pos()), Made: m.Position(s.madeAt()),
		owner: m.OwnerName(s.Owner), knownOwner: m.IsKnownOwner(s.Owner),
	}
	if obj := f.Func.Object(); obj != nil && f.Func.Parent() == nil {
		h.name = funcName(f.Func)
		h.At = m.Position(obj.Pos())
	}
	sum := m.summaryAsHandler(s, f)
	if sum == nil {
		return h
	}
	toMaker := func(l location.Location) location.Location { return s.ToMaker(f, l) }
	does := &Summary{}
	m.absorb(does, sum, toMaker)
	h.Locks, h.Signals = does.Locks, does.Signals
	for n := range sum.Waits.All() {
		h.Waits = append(h.Waits, m.Wait(n).in(toMaker))
	}
	return h
}

// summaryAsHandler returns what a function does as the handler of a site. If it calls what
// is passed to the maker of the timer, that depends on the site.
func (m *Model) summaryAsHandler(s *Site, f FuncValue) *Summary {
	sum := m.summaryOf(f.Func)
	if sum == nil || len(sum.Calls) == 0 || len(s.via) == 0 {
		return sum
	}
	own := m.flow(f.Func, s)
	m.collect(own, f.Func, s)
	return own
}

// in translates the locations of a wait.
func (w Wait) in(toCaller func(location.Location) location.Location) Wait {
	w.Targets, w.Key = slices.Clone(w.Targets), toCaller(w.Key)
	for i, o := range w.Targets {
		w.Targets[i].Location = toCaller(o.Location)
	}
	w.Released = slices.Clone(w.Released)
	for i, l := range w.Released {
		w.Released[i] = toCaller(l)
	}
	return w
}

// ToMaker translates a location of a handler of this package into one of the function that
// makes its timer.
func (h *Handler) ToMaker(l location.Location) location.Location {
	return h.Site.ToMaker(h.value, l.FromParam(h.Func))
}

// funcName names a function for a diagnostic: Conn.expire.
func funcName(fn *ssa.Function) string {
	name := strings.TrimSuffix(fn.Name(), "$bound")
	if obj := fn.Object(); obj != nil {
		name = obj.Name()
	}
	if recv := fn.Signature.Recv(); recv != nil {
		if n := location.Named(recv.Type()); n != nil {
			return n.Obj().Name() + "." + name
		}
	}
	if len(fn.FreeVars) == 1 {
		if n := location.Named(fn.FreeVars[0].Type()); n != nil {
			return n.Obj().Name() + "." + name
		}
	}
	return name
}

// HasWaits reports whether a function, or one that it calls, waits for anything.
func (m *Model) HasWaits(fn *ssa.Function) bool { return m.summaries[fn].Waits.len() > 0 }

// HandlersOf returns the handlers of a site.
func (m *Model) HandlersOf(s *Site) []*Handler { return m.bySite[s] }

// WaitedFor returns the handlers that a deletion of a target may wait for.
func (m *Model) WaitedFor(o api.Op, target Origin) (hs []*Handler) {
	switch {
	case o.WaitsForTimer() && target.Site != nil:
		return m.bySite[target.Site]
	case o.WaitsForTimer():
		for _, s := range m.stored[target.Location.Key] {
			hs = append(hs, m.bySite[s]...)
		}
		return append(hs, m.importedByKey[target.Location.Key]...)
	}
	for _, h := range m.Handlers {
		if o.WaitsForGroup() && m.inGroup(h, target.Location) || o.WaitsForWheel() && m.onWheel(h, target.Location) {
			hs = append(hs, h)
		}
	}
	return hs
}

// inGroup reports whether the timer of a handler is in a group, by the group's
// location.
func (m *Model) inGroup(h *Handler, group location.Location) bool {
	return h.ofGroup && h.Op.OfWheel() && m.OwnerName(group) == h.owner
}

// onWheel reports whether the timer of a handler may be of a wheel. Most programs
// have one wheel, so two wheels are different only if the package shows that they
// are.
func (m *Model) onWheel(h *Handler, wheel location.Location) bool {
	if !h.Op.OfWheel() {
		return false
	}
	return h.ofGroup || m.OwnerName(wheel) == h.owner || !h.knownOwner || !m.IsKnownOwner(wheel)
}

// HeldAtCall returns the locks that are held when the wheel calls a handler.
func (h *Handler) HeldAtCall() []Lock {
	if !h.Op.Locked() {
		return nil
	}
	l := h.Bound
	if l.Key != "" { // its access path begins in another function
		l = location.Location{Key: l.Key}
	}
	return []Lock{{Location: l, Mode: Writing, At: h.Made, ByWheel: true}}
}

// CalledOnlyByHandlers reports whether a function is a handler, or only handlers
// call it.
func (m *Model) CalledOnlyByHandlers(fn *ssa.Function) bool { return m.calledOnlyByHandlers(fn, 0) }

func (m *Model) calledOnlyByHandlers(fn *ssa.Function, depth int) bool {
	if depth > 5 {
		return false
	}
	if m.isHandler[fn] {
		return true
	}
	for _, call := range m.callers[fn] {
		if !m.calledOnlyByHandlers(call.Parent(), depth+1) {
			return false
		}
	}
	return len(m.callers[fn]) > 0
}

// SignalledElsewhere reports whether functions that are not handlers send on a
// channel, or close it.
func (m *Model) SignalledElsewhere(ch location.Location) bool {
	signals := m.SignalsOf(ch)
	return slices.ContainsFunc(m.Funcs, func(fn *ssa.Function) bool {
		return slices.ContainsFunc(signals, m.summaries[fn].Signals.Has) && fn.Synthetic == "" && !m.CalledOnlyByHandlers(fn)
	})
}
