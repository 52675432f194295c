package model

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed76848005/timerwheel/vet/internal/api"
	"github.com/seed76848005/timerwheel/vet/internal/location"
	"golang.org/x/tools/go/ssa"
)

// A Summary holds what a call of a function does that matters to its caller: what
// the function does itself, and what the functions do that it calls. Its locations
// begin at the parameters of the function; Frame.ToCaller translates them.
//
// The sets hold numbers in the tables of the Model. In a large package whose functions
// call each other, each function reaches all locks: lists of them would be most of the
// memory.
type Summary struct {
	Locks   Set // that it takes, and waits for if it must
	Waits   Set // for handlers, or for what handlers may signal
	Signals Set // that others may wait for
	Stores  Set // keys of the locations of handles that it sets

	Acquires []Lock              // held when it returns
	Releases []location.Location // locks of its caller that are unlocked when it returns
	Unlocks  []location.Location // locks of its caller that it unlocks, and may lock again
	Calls    []ParamCall         // of functions that are passed to it
}

// A Mode is how a lock is held: to write, or to read with others.
type Mode int

const (
	Writing Mode = iota
	Reading
)

// Excludes reports whether a lock that is held in mode m keeps out a goroutine that
// wants it. Two readers wait for each other only with a writer between them; that
// is not reported.
func (m Mode) Excludes(wanted Mode) bool { return m == Writing || wanted == Writing }

// A Lock is a lock that is taken, or held.
type Lock struct {
	Location location.Location
	Mode     Mode
	At       Position // where it is taken
	ByWheel  bool     // the wheel has taken it, for the handler
}

// theWheels stands for the lock that the wheel has taken for the handler, where it is not known
// which handler that is.
var theWheels = location.Location{Key: "(the wheel's)"}

// A Wait is a wait for handlers, or for what handlers may signal.
type Wait struct {
	Op       api.Op
	Targets  []Origin          // what is waited for
	Key      location.Location // of a DeleteSync: which of the keys
	At       Position
	Via      string              // the called functions that lead to it
	Released []location.Location // the caller's locks that are unlocked before
	Bounded  bool                // it ends by itself
	Expected bool                // the code compares the error with ErrDeadlock
}

// A Signal ends a wait: Done, Signal, Broadcast, close, or a send.
type Signal struct {
	Location location.Location
	At       Position
}

// A ParamCall is a call of a function that is passed to a function, or to the function
// around a closure.
type ParamCall struct {
	Func location.Location // the parameter
	Args []location.Location
	Held []Lock
}

// numberOfLock returns the number of a lock.
func (m *Model) numberOfLock(l Lock) int {
	n, isNew := m.locks.number(l, l, l.Location.IsRelative())
	if isNew {
		m.locksByKey[l.Location.Key] = append(m.locksByKey[l.Location.Key], n)
	}
	return n
}

// Lock returns a lock by its number.
func (m *Model) Lock(n int) Lock { return m.locks.values[n] }

// Aliases returns the locks of a set that may be the one at a location.
func (m *Model) Aliases(of Set, at location.Location) (all []Lock) {
	for _, n := range withKey(m.locksByKey, at.Key) {
		if l := m.locks.values[n]; of.Has(n) && location.MayAlias(l.Location, at) {
			all = append(all, l)
		}
	}
	return all
}

// withKey returns the numbers of the locations that have a key, and of those that have none:
// these have an access path.
func withKey(byKey map[string][]int, key string) []int {
	if key == "" || len(byKey[""]) == 0 {
		return byKey[key]
	}
	return slices.Concat(byKey[key], byKey[""])
}

func (m *Model) numberOfSignal(e Signal) int {
	n, isNew := m.signals.number(e, e, e.Location.IsRelative())
	if isNew {
		m.signalsAt[e.At] = append(m.signalsAt[e.At], n)
		m.signalsByKey[e.Location.Key] = append(m.signalsByKey[e.Location.Key], n)
	}
	return n
}

// Signal returns a signal by its number.
func (m *Model) Signal(n int) Signal { return m.signals.values[n] }

// SignalsOf returns the numbers of the signals of what may be at a location.
func (m *Model) SignalsOf(at location.Location) (all []int) {
	for _, n := range withKey(m.signalsByKey, at.Key) {
		if location.MayAlias(m.signals.values[n].Location, at) {
			all = append(all, n)
		}
	}
	return all
}

// Wait returns a wait by its number.
func (m *Model) Wait(n int) Wait { return m.waits.values[n] }

func (m *Model) numberOfWait(w Wait) int {
	var key strings.Builder
	fmt.Fprint(&key, w.Op, " ", w.At, " ", w.Key.ID(), " ", w.Bounded, w.Expected, " ", w.Via)
	relative := w.Key.IsRelative() || strings.Count(w.Via, ",")+1 < maxVia
	for _, t := range w.Targets {
		fmt.Fprintf(&key, " %p %s", t.Site, t.Location.ID())
		relative = relative || t.Location.IsRelative()
	}
	for _, r := range w.Released {
		key.WriteString(" -" + r.ID())
		relative = relative || r.IsRelative()
	}
	n, _ := m.waits.number(key.String(), w, relative)
	return n
}

func (m *Model) numberOfStore(key string) int {
	n, _ := m.stores.number(key, key, false)
	return n
}

// Sets reports whether a function sets a location of a handle, by the key of the
// location.
func (m *Model) Sets(s *Summary, key string) bool {
	n, ok := m.stores.numbers[key]
	return ok && s.Stores.Has(n)
}

// SetsKey reports whether a function of this package sets a location of a handle, by the
// key of the location.
func (m *Model) SetsKey(fn *ssa.Function, key string) bool { return m.Sets(m.summaries[fn], key) }

// maxCalls bounds the calls of functions that are passed to a function.
const maxCalls = 100

func (s *Summary) addCall(c ParamCall) {
	same := func(x ParamCall) bool {
		return x.Func == c.Func && slices.Equal(x.Args, c.Args) && slices.Equal(x.Held, c.Held)
	}
	if len(s.Calls) < maxCalls && !slices.ContainsFunc(s.Calls, same) {
		s.Calls = append(s.Calls, c)
	}
}

// returned adds what is held, and what is unlocked, where one path returns. Only what is
// held on every path is acquired.
func (s *Summary) returned(isFirst bool, held []Lock, released []location.Location) {
	if isFirst {
		s.Acquires = held
	} else {
		s.Acquires = slices.DeleteFunc(s.Acquires, func(l Lock) bool { return !contains(held, l.Location) })
	}
	for _, l := range released {
		s.Releases = appendNew(s.Releases, l)
	}
}

// flowSize measures the part of a summary that depends on the paths through the function.
func (s *Summary) flowSize() int {
	return s.Waits.len() + len(s.Acquires) + len(s.Releases) + len(s.Unlocks) + len(s.Calls)
}

// isEmpty reports whether a call of the function does nothing that matters.
func (s *Summary) isEmpty() bool {
	return s.flowSize()+s.Locks.len()+s.Signals.len()+s.Stores.len() == 0
}

func contains(locks []Lock, l location.Location) bool {
	return slices.ContainsFunc(locks, func(x Lock) bool { return x.Location == l })
}
