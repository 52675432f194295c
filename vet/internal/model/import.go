package model

import (
	"sort"

	"github.com/seed76848005/timerwheel/vet/internal/api"
	"golang.org/x/tools/go/ssa"
)

// An importer holds the fact of another package, and which number in the Model each entry
// of its lists has.
type importer struct {
	fact                          *Fact
	locks, signals, waits, stores []int
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
	from := &importer{fact: f}
	for _, l := range f.Locks {
		from.locks = append(from.locks, m.numberOfLock(l.lock()))
	}
	for _, e := range f.Signals {
		from.signals = append(from.signals, m.numberOfSignal(e.signal()))
	}
	for _, k := range f.Stores {
		from.stores = append(from.stores, m.numberOfStore(k))
	}
	var sites []*Site
	for _, hf := range f.Handlers {
		h := hf.handler(from)
		sites = append(sites, h.Site)
		m.Handlers = append(m.Handlers, h)
		m.bySite[h.Site] = []*Handler{h}
		for _, k := range hf.Keys {
			m.importedByKey[k] = append(m.importedByKey[k], h)
		}
	}
	for _, w := range f.Waits {
		from.waits = append(from.waits, m.numberOfWait(w.wait(sites)))
	}
	for i := range f.Functions {
		m.importers[f.Functions[i].Name] = importedFunc{from, &f.Functions[i]}
	}
}

// An importedFunc is a function of another package, as its fact describes it.
type importedFunc struct {
	from *importer
	fact *functionFact
}

// importedSummary returns the summary of a function of another package, or nil.
func (m *Model) importedSummary(fn *ssa.Function) *Summary {
	name := fullName(fn)
	s, ok := m.imported[name]
	if f, exists := m.importers[name]; !ok && exists {
		s = f.summary()
		m.imported[name] = s
	}
	return s
}

func numbersOf(s Set, numbers []int) (out Set) {
	for i := range s.All() {
		out.add(numbers[i])
	}
	return out
}

func (f importedFunc) summary() *Summary {
	s := &Summary{
		Locks: numbersOf(f.fact.Locks, f.from.locks), Signals: numbersOf(f.fact.Signals, f.from.signals),
		Waits: numbersOf(f.fact.Waits, f.from.waits), Stores: numbersOf(f.fact.Stores, f.from.stores),
		Acquires: locksIn(f.fact.Acquires),
		Releases: locationsIn(f.fact.Releases), Unlocks: locationsIn(f.fact.Unlocks),
	}
	for _, c := range f.fact.Calls {
		s.Calls = append(s.Calls, ParamCall{c.Func.location(), locationsIn(c.Args), locksIn(c.Held)})
	}
	return s
}

func (f handlerFact) handler(from *importer) *Handler {
	return &Handler{
		name: f.Name, At: Position{Text: f.At}, Made: Position{Text: f.Made}, Op: api.Op(f.Op),
		Bound: f.Bound.location(), owner: f.Owner, ofGroup: f.OfGroup,
		Locks: numbersOf(f.Locks, from.locks), Signals: numbersOf(f.Signals, from.signals),
		Site: &Site{Op: api.Op(f.Op)}, // in place of the one in the other package
	}
}
