package model

import (
	"strings"

	"github.com/seed76848005/timerwheel/vet/internal/api"
	"github.com/seed76848005/timerwheel/vet/internal/location"
	"golang.org/x/tools/go/ssa"
)

// A Handler is a function that a timer calls, and what that function does. Of a
// handler of another package only its locks and signals are known.
type Handler struct {
	At      Position // where it is
	Made    Position // where its timer is made
	Op      api.Op   // what makes its timer
	Locks   []Lock
	Waits   []Wait
	Signals []Signal
	Bound   location.Location // the lock of AllocLocked
	Site    *Site
	Func    *ssa.Function

	name       string // "Conn.expire"; empty for a function literal
	owner      string // the name of its wheel or group
	ofGroup    bool
	knownOwner bool // it is known which wheel owner is
}

// String names a handler for a diagnostic.
func (h *Handler) String() string {
	if h.name == "" {
		return "the handler at " + h.At.Text
	}
	return "the handler " + h.name + " (" + h.At.Text + ")"
}

// findHandlers describes the handlers of this package.
func (m *Model) findHandlers() {
	for _, s := range m.Sites {
		for _, f := range s.Handlers {
			h := m.describe(s, f)
			m.Handlers = append(m.Handlers, h)
			m.bySite[s] = append(m.bySite[s], h)
		}
	}
}

func (m *Model) describe(s *Site, f FuncValue) *Handler {
	h := &Handler{
		Op: s.Op, Site: s, Func: f.Func, Bound: s.lock, ofGroup: s.OfGroup,
		At: m.Position(f.Func.Pos()), Made: m.Position(s.Pos()),
		owner: m.OwnerName(s.Owner), knownOwner: m.IsKnownOwner(s.Owner),
	}
	if obj := f.Func.Object(); obj != nil && f.Func.Parent() == nil {
		h.name = funcName(f.Func)
		h.At = m.Position(obj.Pos())
	}
	sum := m.summaryOf(f.Func)
	if sum == nil {
		return h
	}
	h.Locks = toCaller(f.Frame, sum.Locks)
	for _, w := range sum.Waits {
		targets := make([]Origin, len(w.Targets))
		for i, o := range w.Targets {
			targets[i] = Origin{o.Site, f.Frame.ToCaller(o.Location)}
		}
		w.Targets = targets
		h.Waits = append(h.Waits, w)
	}
	for _, e := range sum.Signals {
		e.Location, e.After = f.Frame.ToCaller(e.Location), toCaller(f.Frame, e.After)
		h.Signals = append(h.Signals, e)
	}
	return h
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

// HandlersOf returns the handlers of a site.
func (m *Model) HandlersOf(s *Site) []*Handler { return m.bySite[s] }

// WaitedFor returns the handlers that a deletion may wait for.
func (m *Model) WaitedFor(w Wait) (hs []*Handler) {
	for _, t := range w.Targets {
		switch {
		case w.Op.WaitsForTimer() && t.Site != nil:
			hs = append(hs, m.bySite[t.Site]...)
		case w.Op.WaitsForTimer():
			for _, s := range m.stored[t.Location.Key] {
				hs = append(hs, m.bySite[s]...)
			}
			hs = append(hs, m.importedByKey[t.Location.Key]...)
		default:
			for _, h := range m.Handlers {
				if w.Op.WaitsForGroup() && m.inGroup(h, t.Location) || w.Op.WaitsForWheel() && m.onWheel(h, t.Location) {
					hs = append(hs, h)
				}
			}
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
	if h.Op != api.AllocLocked {
		return nil
	}
	l := h.Bound
	if l.Key != "" { // its access path begins in another function
		l = location.Location{Key: l.Key}
	}
	return []Lock{{l, Writing, h.Made}}
}

// CalledOnlyByHandlers reports whether a function is a handler, or only handlers
// call it.
func (m *Model) CalledOnlyByHandlers(fn *ssa.Function) bool { return m.calledOnlyByHandlers(fn, 0) }

func (m *Model) calledOnlyByHandlers(fn *ssa.Function, depth int) bool {
	if depth > 5 {
		return false
	}
	for _, h := range m.Handlers {
		if h.Func == fn {
			return true
		}
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
	for _, fn := range m.Funcs {
		if fn.Synthetic != "" || m.CalledOnlyByHandlers(fn) {
			continue
		}
		for _, e := range m.summaries[fn].Signals {
			if location.MayAlias(e.Location, ch) {
				return true
			}
		}
	}
	return false
}
