package vet

import (
	"fmt"
	"go/types"
	"slices"
	"sort"

	"golang.org/x/tools/go/ssa"
)

// A packageFact is what importing packages learn about a package: what its
// functions do, and which handlers its fields and variables hold. It is one fact
// for the package, not one for each object, because a package may keep its timers
// in the fields of another's types. Keys of places are the same in all packages.
type packageFact struct {
	Functions []functionFact
	Handlers  []handlerFact
}

func (*packageFact) AFact() {}

func (f *packageFact) String() string {
	return fmt.Sprintf("%d functions, %d handlers", len(f.Functions), len(f.Handlers))
}

type placeFact struct {
	Param int
	Path  string
	Key   string
}

type lockFact struct {
	Place placeFact
	Mode  int
	At    string
}

type waitFact struct {
	Op       int
	Targets  []placeFact
	Handlers []int // of timers that no place keeps: indices
	At, Via  string
	Released []placeFact
	Bounded  bool
	Expected bool
	Used     bool
}

type signalFact struct {
	Place placeFact
	After []lockFact
	At    string
}

type callFact struct {
	Param int
	Held  []lockFact
}

type functionFact struct {
	Name     string
	Locks    []lockFact
	Waits    []waitFact
	Signals  []signalFact
	Acquires []lockFact
	Releases []placeFact
	Calls    []callFact
	Stores   []string
}

type handlerFact struct {
	Name, At, Made string
	Op             int
	Keys           []string // of the places that keep its timer
	Locks          []lockFact
	Signals        []signalFact
	Bound          placeFact
	Owner          string
	OfGroup        bool
}

// exportFact makes the fact of this package.
func (m *model) exportFact() {
	f := &packageFact{}
	if pkgPath(m.pass.Pkg) != wheelPath { // whose functions have the meaning that api.go says
		for _, fn := range m.funcs {
			if _, ok := fn.Object().(*types.Func); ok && fn.Parent() == nil && fn.Synthetic == "" {
				if s := m.summaries[fn]; s.size() > 0 {
					f.Functions = append(f.Functions, m.functionFact(fn, s))
				}
			}
		}
		for _, s := range m.sites {
			for _, h := range m.bySite[s] {
				f.Handlers = append(f.Handlers, m.handlerFact(h))
			}
		}
	}
	if len(f.Functions)+len(f.Handlers) > 0 {
		m.pass.ExportPackageFact(f)
	}
}

func (m *model) functionFact(fn *ssa.Function, s *summary) functionFact {
	f := functionFact{
		Name:     fullName(fn),
		Locks:    m.lockFacts(s.locks),
		Acquires: m.holdFacts(s.acquires),
		Releases: placeFacts(s.releases),
		Stores:   s.stores,
		Signals:  m.signalFacts(s.signals),
	}
	for _, e := range s.waits {
		w := waitFact{
			Op: int(e.op), At: m.foreign(e.at), Via: e.via, Released: placeFacts(e.released),
			Bounded: e.bounded, Expected: e.expected, Used: e.used,
		}
		for _, t := range e.targets {
			if t.site == nil {
				w.Targets = append(w.Targets, factOf(t.place))
				continue
			}
			for _, h := range m.bySite[t.site] {
				w.Handlers = append(w.Handlers, m.indexOfHandler(h))
			}
		}
		f.Waits = append(f.Waits, w)
	}
	for _, e := range s.calls {
		f.Calls = append(f.Calls, callFact{e.param, m.holdFacts(e.held)})
	}
	return f
}

// indexOfHandler returns the index of a handler in this package's fact.
func (m *model) indexOfHandler(h *handler) (i int) {
	for _, s := range m.sites {
		for _, x := range m.bySite[s] {
			if x == h {
				return i
			}
			i++
		}
	}
	panic("vet: a handler of no site")
}

func (m *model) handlerFact(h *handler) handlerFact {
	f := handlerFact{
		Name: h.name, At: m.foreign(h.at), Made: m.foreign(h.made), Op: int(h.op),
		Locks: m.lockFacts(h.locks), Signals: m.signalFacts(h.signals),
		Bound: factOf(h.bound), OfGroup: h.ofGroup,
	}
	if h.site.owner.key != "" { // else the name means nothing elsewhere
		f.Owner = h.owner
	}
	for key, sites := range m.held {
		if slices.Contains(sites, h.site) {
			f.Keys = append(f.Keys, key)
		}
	}
	sort.Strings(f.Keys)
	return f
}

func factOf(p place) placeFact { return placeFact{p.param, p.path, p.key} }

func placeFacts(ps []place) (fs []placeFact) {
	for _, p := range ps {
		fs = append(fs, factOf(p))
	}
	return fs
}

func (m *model) lockFacts(es []lockEvent) (fs []lockFact) {
	for _, e := range es {
		fs = append(fs, lockFact{factOf(e.place), int(e.mode), m.foreign(e.at)})
	}
	return fs
}

func (m *model) holdFacts(hs []hold) (fs []lockFact) {
	for _, h := range hs {
		fs = append(fs, lockFact{factOf(h.place), int(h.mode), m.foreign(h.at)})
	}
	return fs
}

func (m *model) signalFacts(es []signalEvent) (fs []signalFact) {
	for _, e := range es {
		fs = append(fs, signalFact{factOf(e.place), m.holdFacts(e.after), m.foreign(e.at)})
	}
	return fs
}

// importFacts takes in the facts of the packages that this one imports.
func (m *model) importFacts() {
	facts := m.pass.AllPackageFacts()
	sort.Slice(facts, func(i, j int) bool { return facts[i].Package.Path() < facts[j].Package.Path() })
	for _, pf := range facts {
		if f, ok := pf.Fact.(*packageFact); ok && pf.Package != m.pass.Pkg {
			m.importFact(f)
		}
	}
}

func (m *model) importFact(f *packageFact) {
	var sites []*site
	for _, hf := range f.Handlers {
		h := hf.handler()
		s := &site{op: h.op} // stands for the one in the other package
		h.site = s
		sites = append(sites, s)
		m.handlers = append(m.handlers, h)
		m.bySite[s] = []*handler{h}
		for _, k := range hf.Keys {
			m.byKey[k] = append(m.byKey[k], h)
		}
	}
	for _, ff := range f.Functions {
		m.imported[ff.Name] = ff.summary(sites)
	}
}

func (f handlerFact) handler() *handler {
	h := &handler{
		name: f.Name, at: point{text: f.At}, made: point{text: f.Made}, op: op(f.Op),
		bound: f.Bound.place(), owner: f.Owner, ofGroup: f.OfGroup,
	}
	for _, e := range f.Locks {
		h.locks = append(h.locks, lockEvent(e.hold()))
	}
	for _, e := range f.Signals {
		h.signals = append(h.signals, e.event())
	}
	return h
}

func (f functionFact) summary(sites []*site) *summary {
	s := &summary{acquires: holdsOf(f.Acquires), releases: placesOf(f.Releases), stores: f.Stores}
	for _, e := range f.Locks {
		s.locks = append(s.locks, lockEvent(e.hold()))
	}
	for _, e := range f.Waits {
		w := waitEvent{
			op: op(e.Op), at: point{text: e.At}, via: e.Via, released: placesOf(e.Released),
			bounded: e.Bounded, expected: e.Expected, used: e.Used,
		}
		for _, t := range e.Targets {
			w.targets = append(w.targets, origin{place: t.place()})
		}
		for _, i := range e.Handlers {
			w.targets = append(w.targets, origin{site: sites[i]})
		}
		s.waits = append(s.waits, w)
	}
	for _, e := range f.Signals {
		s.signals = append(s.signals, e.event())
	}
	for _, e := range f.Calls {
		s.calls = append(s.calls, callEvent{e.Param, holdsOf(e.Held)})
	}
	return s
}

func (f placeFact) place() place { return place{param: f.Param, path: f.Path, key: f.Key} }

func (f lockFact) hold() hold { return hold{f.Place.place(), mode(f.Mode), point{text: f.At}} }

func (f signalFact) event() signalEvent {
	return signalEvent{f.Place.place(), holdsOf(f.After), point{text: f.At}}
}

func holdsOf(fs []lockFact) (hs []hold) {
	for _, f := range fs {
		hs = append(hs, f.hold())
	}
	return hs
}

func placesOf(fs []placeFact) (ps []place) {
	for _, f := range fs {
		ps = append(ps, f.place())
	}
	return ps
}
