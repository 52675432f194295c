package model

import (
	"go/types"
	"slices"
	"sort"

	"github.com/seed76848005/timerwheel/vet/internal/api"
	"github.com/seed76848005/timerwheel/vet/internal/location"
	"golang.org/x/tools/go/ssa"
)

// An exporter makes the fact of a package. It numbers anew what the fact mentions.
type exporter struct {
	*Model
	fact           Fact
	indexOf        map[*Handler]int
	locks, signals map[int]int // from the numbers of the Model
	waits, stores  map[int]int
}

// exportFact exports the fact of this package. The package of the wheel has none,
// because package api says what its functions mean.
func (m *Model) exportFact() {
	if location.PackagePath(m.Pass.Pkg) == api.WheelPath {
		return
	}
	e := &exporter{
		Model: m, indexOf: map[*Handler]int{},
		locks: map[int]int{}, signals: map[int]int{}, waits: map[int]int{}, stores: map[int]int{},
	}
	for _, s := range m.Sites {
		for _, h := range m.bySite[s] {
			e.indexOf[h] = len(e.fact.Handlers)
			e.fact.Handlers = append(e.fact.Handlers, e.handlerFact(h))
		}
	}
	for _, fn := range m.Funcs {
		if s := m.summaries[fn]; isExported(fn) && !s.isEmpty() {
			e.fact.Functions = append(e.fact.Functions, e.functionFact(fn, s))
		}
	}
	if len(e.fact.Functions)+len(e.fact.Handlers) > 0 {
		m.Pass.ExportPackageFact(&e.fact)
	}
}

// isExported reports whether other packages can call a function by its name.
func isExported(fn *ssa.Function) bool {
	obj, ok := fn.Object().(*types.Func)
	return ok && obj.Exported() && fn.Parent() == nil && fn.Synthetic == ""
}

// renumber returns a set with the numbers that its members have in the fact. It calls add
// with a member that the fact does not have yet; add returns the number.
func renumber(numbers map[int]int, of Set, add func(n int) int) (out Set) {
	for n := range of.All() {
		i, ok := numbers[n]
		if !ok {
			i = add(n)
			numbers[n] = i
		}
		out.add(i)
	}
	return out
}

func (e *exporter) lockSet(s Set) Set {
	return renumber(e.locks, s, func(n int) int {
		e.fact.Locks = append(e.fact.Locks, e.lockFact(e.Lock(n)))
		return len(e.fact.Locks) - 1
	})
}

func (e *exporter) signalSet(s Set) Set {
	return renumber(e.signals, s, func(n int) int {
		x := e.Signal(n)
		e.fact.Signals = append(e.fact.Signals, signalFact{factOf(x.Location), e.textElsewhere(x.At)})
		return len(e.fact.Signals) - 1
	})
}

func (e *exporter) waitSet(s Set) Set {
	return renumber(e.waits, s, func(n int) int {
		e.fact.Waits = append(e.fact.Waits, e.waitFact(e.Wait(n)))
		return len(e.fact.Waits) - 1
	})
}

func (e *exporter) storeSet(s Set) Set {
	return renumber(e.stores, s, func(n int) int {
		e.fact.Stores = append(e.fact.Stores, e.Model.stores.values[n])
		return len(e.fact.Stores) - 1
	})
}

func (e *exporter) functionFact(fn *ssa.Function, s *Summary) functionFact {
	f := functionFact{
		Name:  fullName(fn),
		Locks: e.lockSet(s.Locks), Signals: e.signalSet(s.Signals),
		Waits: e.waitSet(s.Waits), Stores: e.storeSet(s.Stores),
		Acquires: e.lockFacts(s.Acquires),
		Releases: locationFacts(s.Releases), Unlocks: locationFacts(s.Unlocks),
	}
	for _, c := range s.Calls {
		f.Calls = append(f.Calls, callFact{factOf(c.Func), locationFacts(c.Args), e.lockFacts(c.Held)})
	}
	return f
}

func (e *exporter) waitFact(w Wait) waitFact {
	f := waitFact{
		Op: int(w.Op), At: e.textElsewhere(w.At), Via: w.Via, Released: locationFacts(w.Released),
		Bounded: w.Bounded, Expected: w.Expected, Key: factOf(w.Key),
	}
	for _, t := range w.Targets {
		if t.Site == nil {
			f.Targets = append(f.Targets, factOf(t.Location))
			continue
		}
		for _, h := range e.bySite[t.Site] {
			if i, ok := e.indexOf[h]; ok { // a handler of this package
				f.Handlers = append(f.Handlers, i)
			}
		}
	}
	return f
}

func (e *exporter) handlerFact(h *Handler) handlerFact {
	f := handlerFact{
		Name: h.name, At: e.textElsewhere(h.At), Made: e.textElsewhere(h.Made), Op: int(h.Op),
		Locks: e.lockSet(h.Locks), Signals: e.signalSet(h.Signals),
		Bound: factOf(h.Bound), OfGroup: h.ofGroup,
	}
	if h.Site.Owner.Key != "" { // without a key the name has no meaning in other packages
		f.Owner = h.owner
	}
	for key, sites := range e.stored {
		if slices.Contains(sites, h.Site) {
			f.Keys = append(f.Keys, key)
		}
	}
	sort.Strings(f.Keys)
	return f
}

func (m *Model) lockFact(l Lock) lockFact {
	return lockFact{factOf(l.Location), int(l.Mode), m.textElsewhere(l.At)}
}

func (m *Model) lockFacts(ls []Lock) (fs []lockFact) {
	for _, l := range ls {
		fs = append(fs, m.lockFact(l))
	}
	return fs
}
