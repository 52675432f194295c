package model

import (
	"slices"

	"github.com/seed76848005/timerwheel/vet/internal/api"
	"github.com/seed76848005/timerwheel/vet/internal/location"
)

// A Summary holds what a call of a function does that matters to its caller: what
// the function does itself, and what the functions do that it calls. Its locations
// begin at the parameters of the function; Frame.ToCaller translates them.
type Summary struct {
	Locks    []Lock              // that it takes, and waits for if it must
	Waits    []Wait              // for handlers, or for what handlers may signal
	Signals  []Signal            // that others may wait for
	Acquires []Lock              // held when it returns
	Releases []location.Location // locks of its caller that it unlocks
	Calls    []ParamCall         // of functions that are passed to it
	Stores   []string            // keys of the locations of handles that it sets
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
}

// A Wait is a wait for handlers, or for what handlers may signal.
type Wait struct {
	Op       api.Op
	Targets  []Origin // what is waited for
	At       Position
	Via      string              // the called functions that lead to it
	Released []location.Location // the caller's locks that are unlocked before
	Bounded  bool                // it ends by itself
	Expected bool                // the code compares the error with ErrDeadlock
}

// A Signal ends a wait: Done, Signal, Broadcast, close, or a send.
type Signal struct {
	Location location.Location
	After    []Lock // the locks that were taken before, whether still held or not
	At       Position
}

// A ParamCall is a call of a function that is passed to a function.
type ParamCall struct {
	Param int // as in Location
	Held  []Lock
}

// size measures a summary. A summary only grows, so equal sizes mean that it is
// unchanged.
func (s *Summary) size() int {
	n := len(s.Locks) + len(s.Waits) + len(s.Signals) + len(s.Acquires) + len(s.Releases) + len(s.Calls) + len(s.Stores)
	for _, e := range s.Signals {
		n += len(e.After)
	}
	return n
}

// maxEvents bounds the events of one kind in a summary.
const maxEvents = 100

func (s *Summary) addLock(l Lock) {
	for _, x := range s.Locks {
		if x.Mode == l.Mode && x.Location == l.Location {
			return
		}
	}
	if len(s.Locks) < maxEvents {
		s.Locks = append(s.Locks, l)
	}
}

func (s *Summary) addWait(w Wait) {
	for _, x := range s.Waits {
		if x.Op == w.Op && x.At == w.At && slices.Equal(x.Targets, w.Targets) && slices.Equal(x.Released, w.Released) {
			return
		}
	}
	if len(s.Waits) < maxEvents {
		s.Waits = append(s.Waits, w)
	}
}

func (s *Summary) addSignal(e Signal) {
	for i, x := range s.Signals {
		if x.Location == e.Location && x.At == e.At {
			s.Signals[i].After = union(x.After, e.After)
			return
		}
	}
	if len(s.Signals) < maxEvents {
		s.Signals = append(s.Signals, e)
	}
}

func (s *Summary) addCall(c ParamCall) {
	for _, x := range s.Calls {
		if x.Param == c.Param && slices.Equal(x.Held, c.Held) {
			return
		}
	}
	if len(s.Calls) < maxEvents {
		s.Calls = append(s.Calls, c)
	}
}

// union returns the locks of both, each once.
func union(a, b []Lock) []Lock {
	a = slices.Clip(a)
	for _, l := range b {
		if !contains(a, l.Location) && len(a) < maxEvents {
			a = append(a, l)
		}
	}
	return a
}

func contains(locks []Lock, l location.Location) bool {
	return slices.ContainsFunc(locks, func(x Lock) bool { return x.Location == l })
}
