package model

import (
	"fmt"

	"github.com/seed76848005/timerwheel/vet/internal/api"
	"github.com/seed76848005/timerwheel/vet/internal/location"
)

// A Fact holds what importing packages learn about a package: what its exported functions
// do, and which handlers its fields and variables hold. It is one fact for the
// package, not one for each object, because a package may store its timers in the
// fields of another package's types. The keys of locations are the same in all
// packages.
//
// The sets of functions and handlers hold indices of the lists Locks, Signals, Waits and
// Stores.
type Fact struct {
	Locks     []lockFact
	Signals   []signalFact
	Waits     []waitFact
	Stores    []string
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
	Far   bool
}

type lockFact struct {
	Location locationFact
	Mode     int
	At       string
}

type waitFact struct {
	Op       int
	Targets  []locationFact
	Key      locationFact
	Handlers []int // indices of the handlers of timers that no location stores
	At, Via  string
	Released []locationFact
	Bounded  bool
	Expected bool
}

type signalFact struct {
	Location locationFact
	At       string
}

type callFact struct {
	Func locationFact
	Args []locationFact
	Held []lockFact
}

type functionFact struct {
	Name                          string
	Locks, Signals, Waits, Stores Set
	Acquires                      []lockFact
	Releases, Unlocks             []locationFact
	Calls                         []callFact
}

type handlerFact struct {
	Name, At, Made string
	Op             int
	Keys           []string // of the locations that store the handle of its timer
	Locks, Signals Set
	Bound          locationFact
	Owner          string
	OfGroup        bool
}

func factOf(l location.Location) locationFact { return locationFact{l.Param, l.Path, l.Key, l.Far} }

func (f locationFact) location() location.Location {
	return location.Location{Param: f.Param, Path: f.Path, Key: f.Key, Far: f.Far}
}

func locationFacts(ls []location.Location) (fs []locationFact) {
	for _, l := range ls {
		fs = append(fs, factOf(l))
	}
	return fs
}

func locationsIn(fs []locationFact) (ls []location.Location) {
	for _, f := range fs {
		ls = append(ls, f.location())
	}
	return ls
}

func (f lockFact) lock() Lock {
	return Lock{Location: f.Location.location(), Mode: Mode(f.Mode), At: Position{Text: f.At}}
}

func locksIn(fs []lockFact) (ls []Lock) {
	for _, f := range fs {
		ls = append(ls, f.lock())
	}
	return ls
}

func (f signalFact) signal() Signal { return Signal{f.Location.location(), Position{Text: f.At}} }

func (f waitFact) wait(sites []*Site) Wait {
	w := Wait{
		Op: api.Op(f.Op), At: Position{Text: f.At}, Via: f.Via, Released: locationsIn(f.Released),
		Bounded: f.Bounded, Expected: f.Expected, Key: f.Key.location(),
	}
	for _, t := range f.Targets {
		w.Targets = append(w.Targets, Origin{Location: t.location()})
	}
	for _, i := range f.Handlers {
		w.Targets = append(w.Targets, Origin{Site: sites[i]})
	}
	return w
}
