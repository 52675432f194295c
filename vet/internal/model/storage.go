package model

import (
	"slices"

	"github.com/seed76848005/timerwheel/vet/internal/api"
	"github.com/seed76848005/timerwheel/vet/internal/location"
	"golang.org/x/tools/go/ssa"
)

// This file finds where handles and functions are stored, and which wheels and groups are
// the same.

// findStorage looks at each store of a handle, a wheel or a group.
func (m *Model) findStorage() {
	m.eachStore(m.recordStore)
	m.propagateCopies()
}

// eachStore calls visit with each store in the package.
func (m *Model) eachStore(visit func(at location.Location, v ssa.Value)) {
	for _, fn := range m.Funcs {
		for _, b := range fn.Blocks {
			for _, in := range b.Instrs {
				switch in := in.(type) {
				case *ssa.Store:
					visit(location.Of(in.Addr), in.Val)
				case *ssa.MapUpdate:
					visit(location.Element(in.Map, location.Of(in.Map)), in.Value)
				}
			}
		}
	}
}

// findStoredFuncs finds which functions the fields and package variables are set to.
func (m *Model) findStoredFuncs() {
	m.eachStore(func(at location.Location, v ssa.Value) {
		if at.Key != "" && isFunc(v.Type()) {
			m.funcsStored[at.Key] = append(m.funcsStored[at.Key], v)
		}
	})
}

// recordStore records that a value is stored at a location.
func (m *Model) recordStore(at location.Location, v ssa.Value) {
	switch {
	case api.IsType(v.Type(), "Timer"), api.IsKeyed(v.Type()):
		for _, o := range m.Origins(v) {
			if o.Site == nil {
				m.recordCopy(o.Location.Key, at.Key)
				continue
			}
			o.Site.StoredAt = append(o.Site.StoredAt, throughCalls(at, o.Site.via))
			m.stored[at.Key] = appendNew(m.stored[at.Key], o.Site)
		}
	case api.IsType(v.Type(), "Group"), api.IsType(v.Type(), "Wheel"):
		m.unifyOwners(location.Of(v), at)
	default:
		if from := appended(v); from.Key != "" {
			m.recordCopy(from.Key+"[]", at.Key+"[]")
		}
	}
}

// appended returns the location of what a call of append adds.
func appended(v ssa.Value) location.Location {
	call, ok := v.(*ssa.Call)
	if !ok {
		return location.Location{}
	}
	if b, ok := call.Call.Value.(*ssa.Builtin); !ok || b.Name() != "append" {
		return location.Location{}
	}
	return location.Of(call.Call.Args[1])
}

func (m *Model) recordCopy(from, to string) {
	if from != "" && to != "" && from != to {
		m.copies[from] = appendNew(m.copies[from], to)
	}
}

// propagateCopies adds the sites that are stored at one key to the keys to which
// handles are copied from there.
func (m *Model) propagateCopies() {
	for changed := true; changed; {
		changed = false
		for from, tos := range m.copies {
			for _, to := range tos {
				for _, s := range m.stored[from] {
					if !slices.Contains(m.stored[to], s) {
						m.stored[to] = append(m.stored[to], s)
						changed = true
					}
				}
			}
		}
	}
}

func appendNew[T comparable](all []T, one T) []T {
	if slices.Contains(all, one) {
		return all
	}
	return append(all, one)
}

// StoredHandles returns the sites of this package whose handles are stored at
// locations with a key.
func (m *Model) StoredHandles(key string) []*Site { return m.stored[key] }

// StoredElsewhere reports whether another package stores a handle at a location
// with a key.
func (m *Model) StoredElsewhere(key string) bool { return len(m.importedByKey[key]) > 0 }

// KeysOf returns the keys of the locations where a handle is stored.
func (m *Model) KeysOf(handle ssa.Value) (keys []string) {
	if k := location.Of(handle).Key; k != "" {
		keys = append(keys, k)
	}
	for _, o := range m.Origins(handle) {
		if o.Location.Key != "" {
			keys = append(keys, o.Location.Key)
		}
		if o.Site != nil {
			for _, at := range o.Site.StoredAt {
				keys = append(keys, at.Key)
			}
		}
	}
	return keys
}

// unifyOwners records that two wheels or groups are the same.
func (m *Model) unifyOwners(l, other location.Location) {
	a, b := m.OwnerName(l), m.OwnerName(other)
	if a != b && a != "" && b != "" {
		m.owners[a] = b
	}
}

// OwnerName names the wheel or group at a location. Those that are known to be the
// same have one name.
func (m *Model) OwnerName(l location.Location) string {
	k := l.Key
	if k == "" {
		k = l.ID()
	}
	for m.owners[k] != "" {
		k = m.owners[k]
	}
	return k
}

// IsKnownOwner reports whether it is known which wheel is at a location. It is if
// this package shows where the wheel is made, or the variable that it is in.
func (m *Model) IsKnownOwner(l location.Location) bool {
	switch l.Root.(type) {
	case *ssa.Call, *ssa.Extract, *ssa.Alloc, *ssa.Global:
		return l.Path == ""
	}
	return false
}
