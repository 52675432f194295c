//go:build invariants

package timerwheel

import (
	"fmt"
	"math/bits"
	"sync/atomic"
)

// checked says whether every critical section is checked when it ends.
const checkInvariants = true

// poison makes a recycled slot unlike any in use.
func poison(s *record) {
	s.when, s.place, s.owners = -0x6b6b6b6b, 0x6b6b6b6b, 0x6b6b6b6b
}

var sections atomic.Uint64 // critical sections so far

// check verifies a whole shard, as every critical section must leave it. One
// with many timers is checked now and then: it is the small ones that tests
// drive into corners.
func (sh *shard) check() {
	const small, rarely = 64, 256
	if n := sections.Add(1); sh.records.live > small && n%rarely != 0 {
		return
	}
	if c := sh.counters; c.registered != c.fired+c.removed+uint64(c.pending) {
		broken("conservation: %+v", c)
	}
	firings := uint64(0)
	for _, n := range sh.counters.lateness {
		firings += n
	}
	if firings != sh.counters.fired {
		broken("%d firings were late or not, and %d were", firings, sh.counters.fired)
	}
	ended := uint64(0)
	for _, n := range sh.counters.runTime {
		ended += n
	}
	if ended+uint64(sh.running.n) != sh.counters.fired {
		broken("%d runs have ended, %d have not, and %d have begun", ended, sh.running.n, sh.counters.fired)
	}
	if n := sh.checkLists(); n != sh.counters.pending && !(sh.closed && n == 0) {
		broken("%d timers are in lists, %d are pending", n, sh.counters.pending)
	}
	sh.checkRuns()
	var live, pendings, runs int
	for n, chunk := range sh.records.chunks.rows {
		if n < len(sh.records.chunks.next) && sh.records.chunks.next[n] != chunk {
			broken("the table's successor has another chunk %d", n)
		}
		if chunk == nil {
			continue
		}
		free, vacant := 0, 0
		for _, word := range chunk.free {
			vacant += bits.OnesCount64(word)
		}
		for pos := range chunk.items {
			i := uint32(n)<<chunkBits | uint32(pos)
			s := sh.records.at(i)
			if *sh.body(i) == nil {
				free++
				if s.flags != 0 {
					broken("timer %d has no body: %+v", i, *s)
				}
				continue
			}
			live++
			if chunk.free[pos/64]>>(pos%64)&1 != 0 {
				broken("timer %d lives in a free place", i)
			}
			sh.checkTimer(i, s)
			if s.flags&pending != 0 {
				pendings++
			}
			if s.flags&running != 0 {
				runs++
			}
		}
		if vacant != int(chunk.vacant) || free != vacant+int(chunk.lost) {
			broken("chunk %d: %d free slots, %d of %d free places and %d lost ones", n, free, vacant, chunk.vacant, chunk.lost)
		}
	}
	if live != sh.records.live || pendings != sh.counters.pending || runs != sh.running.n {
		broken("%d timers live, %d pending, %d running; counted are %d, %d, %d",
			live, pendings, runs, sh.records.live, sh.counters.pending, sh.running.n)
	}
}

func (sh *shard) checkTimer(i uint32, s *record) {
	inRun := s.flags&running != 0
	inList := s.flags&pending != 0
	_, isBody := (*sh.body(i)).(*body)
	g := sh.groupOf(i, s)
	switch {
	case s.owners == 0 && !inList && !inRun:
		broken("nobody holds timer %d: %+v", i, *s)
	case s.flags&deleting != 0 && !inRun:
		broken("timer %d is marked, and does not run: %+v", i, *s)
	case inList && (s.flags&shutdown != 0 || g.shutDown() && !g.beingDeleted()):
		broken("timer %d is pending after its shutdown: %+v", i, *s)
	case isBody != (s.flags&hasBody != 0):
		broken("timer %d has the wrong kind of body: %+v", i, *s)
	case sh.closed:
	case inList && sh.levels.blocks.at(s.place >> blockBits).entries[s.place&(1<<blockBits-1)] != i:
		broken("timer %d is not where it thinks: %+v", i, *s)
	case inList && (s.flags&inBucket != 0) != (sh.levels.list(s) < listDue):
		broken("timer %d is in list %d: %+v", i, sh.levels.list(s), *s)
	case inList && sh.levels.list(s) == listHeld && s.flags&(running|locking) == 0:
		broken("nobody looks after held timer %d: %+v", i, *s)
	}
}

// checkLists verifies the lists, and returns how many timers are in them.
func (sh *shard) checkLists() (n int) {
	l := &sh.levels
	for list := 0; list < numLists; list++ {
		if list%digits == 0 && list < lowest && l.occupiedTicks[list/digits] == 0 && [digits]uint32(l.tails[list:]) == [digits]uint32{} {
			list += digits - 1 // 64 slots that are empty, and believed to be
			continue
		}
		before, tail := n, l.tails[list]
		for first := true; tail != 0; first = false {
			b := l.blocks.at(tail - 1)
			if int(b.list) != list || b.n == 0 || !first && b.n != blockLen {
				broken("list %d has a block of list %d with %d entries", list, b.list, b.n)
			}
			n += int(b.n)
			for _, i := range b.entries[:b.n] {
				if s := l.records.at(i); s.flags&pending == 0 {
					broken("timer %d is in list %d, and not pending: %+v", i, list, *s)
				} else if list < listDue {
					l.checkPlace(uint16(list), i, s)
				}
			}
			tail = b.prev
		}
		if l.count(uint16(list)) != n-before {
			broken("list %d has %d timers, and counts %d", list, n-before, l.count(uint16(list)))
		}
		if list < listDue && l.isOccupied(uint16(list)) != (l.tails[list] != 0) {
			broken("list %d: occupied is wrong", list)
		}
	}
	for n, word := range l.occupiedTicks {
		if l.occupiedBuckets[0]>>n&1 != 0 != (word != 0) {
			broken("ticks %d: occupied is wrong", n)
		}
	}
	for level, word := range l.occupiedBuckets {
		if l.occupiedLevels>>level&1 != 0 != (word != 0) {
			broken("level %d: occupied is wrong", level)
		}
	}
	return n
}

// isOccupied reports what the levels believe of a slot.
func (l *levels) isOccupied(list uint16) bool {
	if list < lowest {
		return l.occupiedTicks[list/digits]>>(list%digits)&1 != 0
	}
	return l.occupiedBuckets[levelOf(list)]>>(list%digits)&1 != 0
}

// checkPlace verifies that a timer's slot is looked at in time, and lies where
// slots are looked at at all.
func (l *levels) checkPlace(list uint16, i uint32, s *record) {
	level, digit := levelOf(list), list%digits
	if level == 0 {
		digit = list
	}
	start := l.cur>>above(level)<<above(level) | int64(digit)<<shift(level)
	if own := l.cur >> shift(level) << shift(level); start < own || start == own && level > 0 && l.cascading != int(level) {
		broken("timer %d: level %d slot %d is behind %d", i, level, digit, l.cur)
	}
	if start > max(l.cur, l.tickOf(s)) {
		broken("timer %d: its slot starts at %d, it is due at %d", i, start, l.tickOf(s))
	}
}

func (sh *shard) checkRuns() {
	for k := range sh.running.n {
		r := sh.running.at(uint32(k))
		s, e := sh.records.at(r.i), r.wk.ending
		if r.wk.slotIndex != k || s.flags&running == 0 {
			broken("running slot %d thinks it is %d; timer %d: %+v", k, r.wk.slotIndex, r.i, *s)
		}
		if e.waiters() > 0 && s.flags&deleting == 0 {
			broken("timer %d is waited for, and not marked", r.i)
		}
		if e == nil {
			continue
		}
		if e.done || e.wk != r.wk {
			broken("running slot %d has the end of another run", k)
		}
		if r.waiting != e.unreported() {
			broken("running slot %d: a wait is to be reported from %d on, not %d", k, e.unreported(), r.waiting)
		}
		if g := e.group; e.groups > 0 && (g != sh.groupOf(r.i, s) || g.deleting == 0) {
			broken("running slot %d: a group that is deleted does not know", k)
		}
	}
}

func broken(format string, args ...any) {
	panic("timerwheel: invariant broken: " + fmt.Sprintf(format, args...))
}
