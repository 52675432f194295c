package checks

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed76848005/timerwheel/vet/internal/location"
	"github.com/seed76848005/timerwheel/vet/internal/model"
	"golang.org/x/tools/go/ssa"
)

// A handleState is what is known of handles at one point of a path. A handle is
// named by where it comes from: the value, or the location that it was loaded
// from.
type handleState struct {
	loaded map[ssa.Value]string // the handle that a load has got
	stored map[string]string    // the handle that a location was set to, by the location
	owners map[string]int       // how many owners Retain has added
	ends   map[string]end
}

// An end is what has taken the last reference of a handle's timer.
type end struct {
	what     string // "was freed", "was deleted by Stop", "has fired"
	at       model.Position
	owned    bool // the timer had an owner; otherwise it is from AfterFunc
	byCallee bool // a called function has freed it
	shared   bool // the handle is stored in a field or variable that others may set
	handle   location.Location
}

func newHandleState() *handleState {
	return &handleState{map[ssa.Value]string{}, map[string]string{}, map[string]int{}, map[string]end{}}
}

// Clone returns a copy for another path.
func (h *handleState) Clone() *handleState {
	return &handleState{maps.Clone(h.loaded), maps.Clone(h.stored), maps.Clone(h.owners), maps.Clone(h.ends)}
}

// Key identifies what is known.
func (h *handleState) Key() string {
	var parts []string
	for v, name := range h.loaded {
		if _, ended := h.ends[name]; ended {
			parts = append(parts, v.Name()+"="+name)
		}
	}
	for at, name := range h.stored {
		parts = append(parts, at+":="+name)
	}
	for name, n := range h.owners {
		parts = append(parts, fmt.Sprint(name, "*", n))
	}
	for name, e := range h.ends {
		parts = append(parts, fmt.Sprint(name, "!", e.at.Pos))
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

// Absorb adds nothing: states with one key are the same.
func (h *handleState) Absorb(*handleState) bool { return false }

// nameOf names the handle that a value is.
func (h *handleState) nameOf(v ssa.Value) string {
	if name, ok := h.loaded[v]; ok {
		return name
	}
	return h.nameAt(location.Of(v))
}

// nameAt names the handle that is stored at a location.
func (h *handleState) nameAt(l location.Location) string {
	if name, ok := h.stored[l.ID()]; ok {
		return name
	}
	return l.ID()
}

// dropOwner forgets one owner that Retain has added.
func (h *handleState) dropOwner(name string) {
	if h.owners[name]--; h.owners[name] == 0 {
		delete(h.owners, name)
	}
}

// unknown names a handle of which nothing is known.
const unknown = "?"

// forget forgets the handles, and the locations, whose names are chosen. A value or
// a location that still holds one of these handles then holds an unknown one.
func (h *handleState) forget(chosen func(name string) bool) {
	maps.DeleteFunc(h.stored, func(at, _ string) bool { return chosen(at) })
	maps.DeleteFunc(h.owners, func(name string, _ int) bool { return chosen(name) })
	maps.DeleteFunc(h.ends, func(name string, _ end) bool { return chosen(name) })
	for at, name := range h.stored {
		if chosen(name) {
			h.stored[at] = unknown
		}
	}
	for v, name := range h.loaded {
		if chosen(name) {
			h.loaded[v] = unknown
		}
	}
}
