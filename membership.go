package timerwheel

import (
	"slices"

	"github.com/seed76848005/timerwheel/internal/slab"
)

// This file is which timers are members of which group. The members of a group are a list
// that runs through storage beside their chunks. So a member needs no allocation of its own,
// a group needs nothing that grows with its members, and a member that goes moves no other.

// A membership is a member's place in the list of its group. It has no pointers, so the
// garbage collector skips it. That of a timer that is no member is zero.
type membership struct {
	group      uint32 // its number in shard.groups
	next, prev link
}

// A link leads to a timer: it is the number of the record, plus one; 0 leads to none.
type link uint32

func linkTo(i uint32) link { return link(i + 1) }

// record returns the number of the record to which a link leads.
func (l link) record() uint32 { return uint32(l) - 1 }

// memberships are those of a chunk's timers.
type memberships [chunkLen]membership

// A groupTable has the groups of a shard that have members. It keeps those alive, as the
// timers must find them.
type groupTable struct {
	numbers slab.Slab[*Group, [256]*Group]
	walks   map[*Group][]*link // where the walks that have let go of the lock go on
}

// membership returns the address of a member's membership.
func (sh *shard) membership(i uint32) *membership {
	return &sh.annex(i).memberships[i%chunkLen]
}

// groupOf returns the group that a timer is a member of; nil if there is none.
func (sh *shard) groupOf(i uint32, s *record) *Group {
	if s.Flags&isMember == 0 {
		return nil
	}
	return *sh.groups.numbers.At(sh.membership(i).group)
}

// admit makes a new timer a member, the first of the list.
func (g *Group) admit(i uint32, s *record) {
	sh := g.sh
	m := &made(sh, &sh.annex(i).memberships, spareMemberships)[i%chunkLen]
	if g.first == 0 {
		m.group = sh.number(g)
	} else {
		next := sh.membership(g.first.record())
		m.group, m.next, next.prev = next.group, g.first, linkTo(i)
	}
	g.first = linkTo(i)
	g.members++
	s.Flags |= isMember
}

// number gives a group that gets a member its number.
func (sh *shard) number(g *Group) uint32 {
	if sh.groups == nil {
		sh.groups = &groupTable{walks: make(map[*Group][]*link)}
	}
	numbers := &sh.groups.numbers
	if numbers.Free() == 0 {
		numbers.Grow(slab.NewChunk[*Group, [256]*Group]())
	}
	n := numbers.Alloc()
	*numbers.At(n) = g
	return n
}

// dismiss ends the membership of a timer that is recycled. A walk that would go on there
// goes on behind it.
func (sh *shard) dismiss(i uint32) {
	m := sh.membership(i)
	g := *sh.groups.numbers.At(m.group)
	for _, at := range sh.groups.walks[g] {
		if *at == linkTo(i) {
			*at = m.next
		}
	}
	if m.prev == 0 {
		g.first = m.next
	} else {
		sh.membership(m.prev.record()).next = m.next
	}
	if m.next != 0 {
		sh.membership(m.next.record()).prev = m.prev
	}
	if g.members--; g.members == 0 {
		sh.groups.forget(m.group)
	}
	*m = membership{}
}

// groupBytes returns the storage that the shard holds for groups.
func (sh *shard) groupBytes() int64 {
	if sh.groups == nil {
		return 0
	}
	return sh.groups.numbers.Bytes()
}

// forget drops a group that has no member any more.
func (t *groupTable) forget(n uint32) {
	*t.numbers.At(n) = nil
	if t.numbers.Release(n) && t.numbers.Spare(n) {
		t.numbers.Drop(n, true)
	}
}

// eachMember calls f, which may recycle that timer and no other, for each member, last to
// first. It lets go of the lock after every batch: it comes once to each member that is one all
// the time, and to none that is made in that time.
func (g *Group) eachMember(f func(i uint32, s *record)) {
	sh := g.sh
	for n, at := 1, g.first; at != 0; n++ {
		i := at.record()
		at = sh.membership(i).next
		f(i, sh.records.At(i))
		if n%batch == 0 && at != 0 {
			at = g.pause(at)
		}
	}
}

// pause lets go of the lock in the midst of a walk that goes on at a member. It returns where
// the walk goes on: behind that member, if it has gone.
func (g *Group) pause(at link) link {
	sh, walks := g.sh, g.sh.groups.walks
	walks[g] = append(walks[g], &at)
	sh.unlock()
	sh.lock()
	rest := slices.DeleteFunc(walks[g], func(other *link) bool { return other == &at })
	if len(rest) > 0 {
		walks[g] = rest
	} else {
		delete(walks, g)
	}
	return at
}
