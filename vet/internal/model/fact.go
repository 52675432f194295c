package model

import (
	"fmt"
	"go/types"
	"slices"
	"sort"

	"github.com/seed76848005/timerwheel/vet/internal/api"
	"github.com/seed76848005/timerwheel/vet/internal/location"
	"golang.org/x/tools/go/ssa"
)

// A Fact holds what importing packages learn about a package: what its functions
// do, and which handlers its fields and variables hold. It is one fact for the
// package, not one for each object, because a package may store its timers in the
// fields of another package's types. The keys of locations are the same in all
// packages.
type Fact struct {
	Functions []functionFact
	Handlers  []handlerFact
}

// AFact marks Fact as a fact.
func (*Fact) AFact() {}

// String summarises the fact.
func (f *Fact) String() string {
	return fmt.Sprintf("%d functions, %d handlers", len(f.Functions), len(f.Handlers))
}

type locationFact struct {
	Param int
	Path  string
	Key   string
}

type lockFact struct {
	Location locationFact
	Mode     int
	At       string
}

type waitFact struct {
	Op       int
	Targets  []locationFact
	Handlers []int // indices of the handlers of timers that no location stores
	At, Via  string
	Released []locationFact
	Bounded  bool
	Expected bool
}

type signalFact struct {
	Location locationFact
	After    []lockFact
	At       string
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
	Releases []locationFact
	Calls    []callFact
	Stores   []string
}

type handlerFact struct {
	Name, At, Made string
	Op             int
	Keys           []string // of the locations that store the handle of its timer
	Locks          []lockFact
	Signals        []signalFact
	Bound          locationFact
	Owner          string
	OfGroup        bool
}

// exportFact exports the fact of this package. The package of the wheel has none,
// because package api says what its functions mean.
func (m *Model) exportFact() {
	if location.PackagePath(m.Pass.Pkg) == api.WheelPath {
		return
	}
	f := &Fact{}
	for _, fn := range m.Funcs {
		if _, ok := fn.Object().(*types.Func); ok && fn.Parent() == nil && fn.Synthetic == "" {
			if s := m.summaries[fn]; s.size() > 0 {
				f.Functions = append(f.Functions, m.functionFact(fn, s))
			}
		}
	}
	for _, s := range m.Sites {
		for _, h := range m.bySite[s] {
			f.Handlers = append(f.Handlers, m.handlerFact(h))
		}
	}
	if len(f.Functions)+len(f.Handlers) > 0 {
		m.Pass.ExportPackageFact(f)
	}
}

func (m *Model) functionFact(fn *ssa.Function, s *Summary) functionFact {
	f := functionFact{
		Name:     fullName(fn),
		Locks:    m.lockFacts(s.Locks),
		Acquires: m.lockFacts(s.Acquires),
		Releases: locationFacts(s.Releases),
		Stores:   s.Stores,
		Signals:  m.signalFacts(s.Signals),
	}
	for _, w := range s.Waits {
		wf := waitFact{
			Op: int(w.Op), At: m.textElsewhere(w.At), Via: w.Via, Released: locationFacts(w.Released),
			Bounded: w.Bounded, Expected: w.Expected,
		}
		for _, t := range w.Targets {
			if t.Site == nil {
				wf.Targets = append(wf.Targets, factOf(t.Location))
				continue
			}
			for _, h := range m.bySite[t.Site] {
				wf.Handlers = append(wf.Handlers, m.indexOf(h))
			}
		}
		f.Waits = append(f.Waits, wf)
	}
	for _, c := range s.Calls {
		f.Calls = append(f.Calls, callFact{c.Param, m.lockFacts(c.Held)})
	}
	return f
}

// indexOf returns the index of a handler in the fact of this package.
func (m *Model) indexOf(h *Handler) (i int) {
	for _, s := range m.Sites {
		for _, x := range m.bySite[s] {
			if x == h {
				return i
			}
			i++
		}
	}
	panic("vet: a handler without a site")
}

func (m *Model) handlerFact(h *Handler) handlerFact {
	f := handlerFact{
		Name: h.name, At: m.textElsewhere(h.At), Made: m.textElsewhere(h.Made), Op: int(h.Op),
		Locks: m.lockFacts(h.Locks), Signals: m.signalFacts(h.Signals),
		Bound: factOf(h.Bound), OfGroup: h.ofGroup,
	}
	if h.Site.Owner.Key != "" { // without a key the name has no meaning in other packages
		f.Owner = h.owner
	}
	for key, sites := range m.stored {
		if slices.Contains(sites, h.Site) {
			f.Keys = append(f.Keys, key)
		}
	}
	sort.Strings(f.Keys)
	return f
}

func factOf(l location.Location) locationFact { return locationFact{l.Param, l.Path, l.Key} }

func locationFacts(ls []location.Location) (fs []locationFact) {
	for _, l := range ls {
		fs = append(fs, factOf(l))
	}
	return fs
}

func (m *Model) lockFacts(ls []Lock) (fs []lockFact) {
	for _, l := range ls {
		fs = append(fs, lockFact{factOf(l.Location), int(l.Mode), m.textElsewhere(l.At)})
	}
	return fs
}

func (m *Model) signalFacts(es []Signal) (fs []signalFact) {
	for _, e := range es {
		fs = append(fs, signalFact{factOf(e.Location), m.lockFacts(e.After), m.textElsewhere(e.At)})
	}
	return fs
}

// importFacts reads the facts of the packages that this one imports.
func (m *Model) importFacts() {
	facts := m.Pass.AllPackageFacts()
	sort.Slice(facts, func(i, j int) bool { return facts[i].Package.Path() < facts[j].Package.Path() })
	for _, pf := range facts {
		if f, ok := pf.Fact.(*Fact); ok && pf.Package != m.Pass.Pkg {
			m.importFact(f)
		}
	}
}

func (m *Model) importFact(f *Fact) {
	var sites []*Site
	for _, hf := range f.Handlers {
		h := hf.handler()
		s := &Site{Op: h.Op} // in place of the one in the other package
		h.Site = s
		sites = append(sites, s)
		m.Handlers = append(m.Handlers, h)
		m.bySite[s] = []*Handler{h}
		for _, k := range hf.Keys {
			m.importedByKey[k] = append(m.importedByKey[k], h)
		}
	}
	for _, ff := range f.Functions {
		m.imported[ff.Name] = ff.summary(sites)
	}
}

func (f handlerFact) handler() *Handler {
	return &Handler{
		name: f.Name, At: Position{Text: f.At}, Made: Position{Text: f.Made}, Op: api.Op(f.Op),
		Bound: f.Bound.location(), owner: f.Owner, ofGroup: f.OfGroup,
		Locks: locksOf(f.Locks), Signals: signalsOf(f.Signals),
	}
}

func (f functionFact) summary(sites []*Site) *Summary {
	s := &Summary{
		Locks: locksOf(f.Locks), Signals: signalsOf(f.Signals),
		Acquires: locksOf(f.Acquires), Releases: locationsOf(f.Releases), Stores: f.Stores,
	}
	for _, wf := range f.Waits {
		w := Wait{
			Op: api.Op(wf.Op), At: Position{Text: wf.At}, Via: wf.Via, Released: locationsOf(wf.Released),
			Bounded: wf.Bounded, Expected: wf.Expected,
		}
		for _, t := range wf.Targets {
			w.Targets = append(w.Targets, Origin{Location: t.location()})
		}
		for _, i := range wf.Handlers {
			w.Targets = append(w.Targets, Origin{Site: sites[i]})
		}
		s.Waits = append(s.Waits, w)
	}
	for _, c := range f.Calls {
		s.Calls = append(s.Calls, ParamCall{c.Param, locksOf(c.Held)})
	}
	return s
}

func (f locationFact) location() location.Location {
	return location.Location{Param: f.Param, Path: f.Path, Key: f.Key}
}

func locationsOf(fs []locationFact) (ls []location.Location) {
	for _, f := range fs {
		ls = append(ls, f.location())
	}
	return ls
}

func locksOf(fs []lockFact) (ls []Lock) {
	for _, f := range fs {
		ls = append(ls, Lock{f.Location.location(), Mode(f.Mode), Position{Text: f.At}})
	}
	return ls
}

func signalsOf(fs []signalFact) (es []Signal) {
	for _, f := range fs {
		es = append(es, Signal{f.Location.location(), locksOf(f.After), Position{Text: f.At}})
	}
	return es
}
