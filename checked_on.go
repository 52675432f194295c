//go:build invariants

package timerwheel

import (
	"fmt"
	"sync/atomic"
)

// checked says whether every critical section is checked when it ends.
const checked = true

var sections atomic.Uint64 // critical sections so far

// poison makes a recycled slot unlike any in use.
func poison(s *slot) {
	s.when, s.place, s.owners = -0x6b6b6b6b, 0x6b6b6b6b, 0x6b6b6b6b
}

// check verifies a whole shard, as every critical section must leave it. One
// with many timers is checked now and then: it is the small ones that tests
// drive into corners.
func (sh *shard) check() {
	const small, rarely = 200, 1000
	if n := sections.Add(1); sh.slots.live > small && n%rarely != 0 {
		return
	}
	c := &sh.counters
	assert(c.registered == c.fired+c.removed+uint64(c.pending), "conservation: %+v", *c)
	pendings := sh.checkLists()
	assert(len(pendings) == c.pending, "%d timers are in lists, %d are pending", len(pendings), c.pending)
	runs := sh.checkRuns()
	live := 0
	for n, chunk := range sh.slots.chunks {
		if chunk == nil {
			continue
		}
		free := make(map[uint16]bool)
		for _, pos := range chunk.free {
			free[pos] = true
		}
		for pos := range chunk.items {
			i := uint32(n)<<chunkBits | uint32(pos)
			s := &chunk.items[pos]
			switch {
			case free[uint16(pos)]:
				assert(s.flags == 0 && *sh.body(i) == nil, "free slot %d: %+v", i, *s)
			case s.gen == 0:
				assert(s.flags == 0 && *sh.body(i) == nil, "retired slot %d: %+v", i, *s)
			default:
				live++
				sh.checkTimer(i, s, pendings[i], runs[i])
			}
		}
	}
	assert(live == sh.slots.live, "%d timers live, %d are counted", live, sh.slots.live)
}

func (sh *shard) checkTimer(i uint32, s *slot, inList, inRun bool) {
	assert(*sh.body(i) != nil, "timer %d has no body: %+v", i, *s)
	assert(s.owners > 0 || s.flags&(pending|running) != 0, "nobody holds timer %d: %+v", i, *s)
	assert(inList == (s.flags&pending != 0), "timer %d is in a list: %v; %+v", i, inList, *s)
	assert(inRun == (s.flags&running != 0), "timer %d is in a running slot: %v; %+v", i, inRun, *s)
	assert(s.flags&deleting == 0 || inRun, "timer %d is marked, and does not run: %+v", i, *s)
	assert(s.flags&shutdown == 0 || !inList, "timer %d is pending after its shutdown: %+v", i, *s)
	_, isBody := (*sh.body(i)).(*body)
	assert(isBody == (s.flags&bound != 0), "timer %d: wrong kind of body: %+v", i, *s)
	if inList && sh.levels.list(s) == listHeld {
		assert(s.flags&(running|locking) != 0, "nobody looks after held timer %d: %+v", i, *s)
	}
}

// checkLists returns the timers that are in lists.
func (sh *shard) checkLists() map[uint32]bool {
	l := &sh.levels
	all := make(map[uint32]bool)
	for list, tail := range l.tails {
		for first := true; tail != 0; first = false {
			b := l.blocks.at(tail - 1)
			assert(int(b.list) == list, "block of list %d in list %d", b.list, list)
			assert(b.n > 0 && (first || b.n == blockLen), "block of list %d has %d entries", list, b.n)
			for k, i := range b.entries[:b.n] {
				assert(!all[i], "timer %d is in two places", i)
				all[i] = true
				s := l.timers.at(i)
				assert(s.place == (tail-1)<<blockBits|uint32(k), "timer %d is not where it thinks: %+v", i, *s)
				l.checkPlace(uint16(list), i, s)
			}
			tail = b.prev
		}
		if list < listDue {
			bit := l.slots[list/digits]>>(list%digits)&1 != 0
			assert(bit == (l.tails[list] != 0), "level %d slot %d: occupied is %v", list/digits, list%digits, bit)
		}
	}
	for level, word := range l.slots {
		bit := l.occupied>>level&1 != 0
		assert(bit == (word != 0), "level %d: occupied is %v", level, bit)
	}
	return all
}

// checkPlace verifies that a timer's slot is looked at in time, and lies where
// slots are looked at at all.
func (l *levels) checkPlace(list uint16, i uint32, s *slot) {
	if list >= listDue {
		return
	}
	level, digit := uint(list)/digits, int64(list)%digits
	own := l.cur >> (level * digitBits) & (digits - 1)
	assert(digit > own || digit == own && (level == 0 || l.spill == int(level)),
		"timer %d: level %d slot %d is behind %d", i, level, digit, l.cur)
	above := (level + 1) * digitBits
	start := l.cur>>above<<above | digit<<(level*digitBits)
	assert(start <= max(l.cur, l.tickOf(s)), "timer %d: its slot starts at %d, it is due at %d", i, start, l.tickOf(s))
}

// checkRuns returns the timers that are in running slots.
func (sh *shard) checkRuns() map[uint32]bool {
	all := make(map[uint32]bool)
	for k, r := range sh.running {
		assert(r.place == k, "running slot %d thinks it is %d", k, r.place)
		assert(!all[r.i], "timer %d runs twice", r.i)
		all[r.i] = true
		for _, x := range r.waits {
			assert(len(x.on) > 0, "a wait that is over is still in a running slot")
		}
	}
	return all
}

func assert(ok bool, format string, args ...any) {
	if !ok {
		panic("timerwheel: invariant broken: " + fmt.Sprintf(format, args...))
	}
}
