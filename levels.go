package timerwheel

import (
	"math/bits"
	"slices"
)

// This file is the hierarchical timing wheel as a pure structure: it knows no
// lock, no clock and no goroutine. Time is a number of ticks since the wheel
// was made, and it is told what time it is. A shard's lock guards it.
//
// # Geometry
//
// Eight levels. The lowest has 4,096 slots, one for each tick, the others have 64. The
// digits of a deadline, written to the base 64, say where it goes: the last two on
// the lowest level, one on each of the others.
//
//	level  slot spans (ticks)  level spans (ticks)  level spans, tick of 1 ms
//	    0                   1                4,096                        4 s
//	    1               4,096              262,144                      4 min
//	    2             262,144                 16 M                      4.7 h
//	    3                16 M                1.1 G                     12.4 d
//	    4               1.1 G                 69 G                      2.2 y
//	    5                69 G                4.4 T                      139 y
//	    6               4.4 T                281 T                    8,925 y
//	    7               281 T               2^54                    571,000 y
//
// 64, because the occupied slots of a level are then the bits of one word, and
// the next one is one instruction away. The lowest level has two digits, 64 words and
// one that says which of them to look at, as with one digit each timer of more than
// 64 ticks would have to be moved once more before it fires, and each move is a read
// that is in no cache ("CPU a firing" of bench/). Eight, because the longest duration
// that a time.Duration can hold, in the shortest tick that Options allow (1
// µs), is less than 2^54 ticks: no deadline needs a list of its own for what
// is too far away.
//
// A deadline stands in the level of the highest digit in which it differs from
// cur, in the slot of that digit. From this follow the two facts that
// everything below rests on:
//
//   - The digits of cur above a level are those of every deadline in it, and
//     the occupied slots of a level lie after cur's own digit (at it or after it, on
//     level 0). No level ever wraps around.
//   - Every deadline in a level comes before every deadline in a higher one.
//     The next thing to do is therefore in the lowest occupied level, in its
//     lowest occupied slot.
//
// cur moves only to the start of the next occupied slot, or to a time before
// it, so an hour in which nothing is due costs nothing.
//
// # Lists
//
// A slot's timers are an array in blocks, not a linked list: whoever empties a
// slot of a million timers reads their numbers in a row, and the processor
// fetches many of the timers at once. A linked list waits for each before it
// knows the next.

const (
	digitBits = 6
	digits    = 1 << digitBits // slots of a level
	lowBits   = 2 * digitBits
	lowest    = 1 << lowBits // slots of level 0
	numLevels = 8
)

// The lists: one for each slot, level by level, and three for pending timers
// that are in no slot.
const (
	listDue      = lowest + (numLevels-1)*digits + iota // due, taken out of their slot, not begun
	listHeld                                            // due, but their last run, or a wait for their lock, is not over
	listDeferred                                        // due at once, registered during an Advance: for the next one
	numLists
)

// levels is one shard's wheel. Every pending timer of the shard is in exactly
// one of its lists, and that is what its slot's place says; Close drops the lists
// before the timers.
type levels struct {
	tick            int64             // length of a tick, ns
	cur             int64             // all that was due before this tick has left the levels
	cascading       int               // the level whose slot at cur is being emptied into lower ones; 0 if none is
	occupiedLevels  uint16            // bit n: level n has an occupied slot
	occupiedBuckets [numLevels]uint64 // bit n of a level: its slot n is occupied; of level 0: ticks[n] has an occupied one
	occupiedTicks   [digits]uint64    // bit k of word n: slot 64*n+k of level 0 is occupied
	blocks          slab[block, [1 << blockShift]block]
	records         *records
	tails           [numLists]uint32 // last block of a list, plus one; 0: the list is empty
}

// shift returns the number of bits of a tick that are below a level's digits. It is less
// than 64, which the mask tells the compiler.
func shift(level uint) uint { return uint(shifts[level%numLevels]) % 64 }

var shifts = [numLevels]uint8{0, 12, 18, 24, 30, 36, 42, 48}

// above returns the number of bits of a tick that a level's slots tell apart.
func above(level uint) uint { return (level + 2) * digitBits }

// slotList returns the list of a slot: the one on a level that begins at a tick.
func bucketList(level uint, start int64) uint16 {
	if level == 0 {
		return uint16(start & (lowest - 1))
	}
	return uint16(level+lowest/digits-1)*digits + uint16(start>>shift(level)&(digits-1))
}

// levelOf returns the level of a slot's list.
func levelOf(list uint16) uint {
	if list < lowest {
		return 0
	}
	return uint(list/digits) - (lowest/digits - 1)
}

const (
	blockBits  = 5
	blockLen   = 29
	blockShift = 4 // log2 of the blocks in a chunk
)

// A block is a part of a list, in two cache lines. Only a list's last block is
// not full.
type block struct {
	prev    uint32 // the block before this one, plus one; 0: it is the first
	list    uint16
	n       uint16
	full    uint32           // the blocks before it
	entries [blockLen]uint32 // numbers of timers
}

func newLevels(tick int64, timers *records) levels { return levels{tick: tick, records: timers} }

// tickOf returns the tick at which s is due: the first that does not begin
// before its deadline. One that was due when it was registered need not wait
// for a tick to begin.
func (l *levels) tickOf(s *record) int64 {
	tick := s.when / l.tick
	if s.flags&prompt == 0 && tick*l.tick != s.when {
		tick++
	}
	return tick
}

// beginOfTick returns when the tick began in which a time lies, in ns: what has its
// deadline then, or before, is due.
func (l *levels) beginOfTick(now int64) int64 { return now - now%l.tick }

// insert puts a timer into the slot of its deadline, or, if that has passed,
// into the one that is emptied next. It returns the tick at which that slot
// must be looked at.
func (l *levels) insert(i uint32, s *record) int64 { return l.insertAt(i, s, l.tickOf(s)) }

func (l *levels) insertAt(i uint32, s *record, tick int64) int64 {
	s.flags |= inBucket
	level, start := l.find(tick)
	list := bucketList(level, start)
	l.push(list, i, s)
	l.occupy(level, list)
	return start
}

// find returns the level for a tick, and the first tick of its slot there.
func (l *levels) find(tick int64) (level uint, start int64) {
	tick = max(tick, l.cur)
	level = uint(bits.Len64(uint64(tick^l.cur)|(lowest-1))-1)/digitBits - 1
	return level, tick >> shift(level) << shift(level)
}

// catchUp moves cur to now, in ns, as far as nothing due stands in between.
// Without it a timer registered after a quiet hour would be placed as seen from
// before that hour, and cascade at once. To see that no tick has passed takes no
// division: that is asked at each Register (BenchmarkRegisterDel).
func (l *levels) catchUp(now int64) {
	if now-l.cur*l.tick >= l.tick {
		l.skip(now / l.tick)
	}
}

func (l *levels) skip(now int64) {
	if start, _, ok := l.next(); !ok || start > now {
		l.cur = now
	}
}

// next returns the earliest tick at which a slot must be looked at, and its
// level. No deadline in the levels is before it.
func (l *levels) next() (start int64, level uint, ok bool) {
	if l.cascading != 0 {
		return l.cur, uint(l.cascading), true
	}
	if l.occupiedLevels == 0 {
		return 0, 0, false
	}
	level = uint(bits.TrailingZeros16(l.occupiedLevels))
	digit := int64(bits.TrailingZeros64(l.occupiedBuckets[level]))
	if level == 0 {
		digit = digit<<digitBits | int64(bits.TrailingZeros64(l.occupiedTicks[digit]))
	}
	return l.cur>>above(level)<<above(level) | digit<<shift(level), level, true
}

// expire empties slots that begin at limit or before, in their order: timers
// that are due go to the due list, others to the slots where they belong now.
// It stops when it has found timers that are due, all of one tick, or when it would
// handle more timers than its budget, which is a block's at least; it reports whether
// a further call may do more.
func (l *levels) expire(limit int64, budget int) (more bool) {
	for budget > 0 && l.tails[listDue] == 0 {
		start, level, ok := l.next()
		if !ok || start > limit {
			return false
		}
		l.cur = start
		list := bucketList(level, start)
		switch {
		case level > 0:
			l.cascading = int(level)
			budget = l.cascade(list, budget)
		case budget < blockLen:
			return true
		default:
			budget -= l.expireBucket(list, budget)
		}
	}
	return true
}

// ripen makes the timers in the last blocks of a slot of level 0 due, as many blocks as
// the budget, a block's at least, allows, and returns how many timers these were. The
// blocks stay as they are, and become the due list.
func (l *levels) expireBucket(list uint16, budget int) (n int) {
	var first *block
	l.tails[listDue] = l.tails[list]
	for t := l.tails[list]; t != 0 && n+blockLen <= budget; t = first.prev {
		first = l.blocks.at(t - 1)
		first.list = listDue
		n += int(first.n)
	}
	l.tails[list], first.prev = first.prev, 0
	if l.tails[list] == 0 {
		l.vacate(list)
	}
	for t, before := l.tails[listDue], first.full; t != 0; {
		b := l.blocks.at(t - 1)
		b.full -= before
		next := b.prev
		l.filterDue(t-1, b)
		t = next
	}
	return n
}

// sift looks at all timers of a block of the due list, t. Those that are not due have been
// registered anew, for later, since they were put there, and move on. The others are
// turned round: the last one of a list is the next to fire, and that shall be the first
// that was registered, if they all fit into one block.
//
// It reads what it can of all before it moves the first, as spreadTail does.
func (l *levels) filterDue(t uint32, b *block) {
	now := l.cur * l.tick
	var later [blockLen]uint32
	n := 0
	for _, i := range b.entries[:b.n] {
		s := l.records.at(i)
		if s.when > now && s.flags&prompt == 0 {
			later[n] = i
			n++
		} else {
			s.flags &^= inBucket
		}
	}
	slices.Reverse(b.entries[:b.n])
	for k, i := range b.entries[:b.n] {
		l.records.at(i).place = t<<blockBits | uint32(k)
	}
	for _, i := range later[:n] {
		s := l.records.at(i)
		l.remove(i, s)
		l.insert(i, s)
	}
}

// spread empties one slot, as far as the budget goes, and returns what is left
// of that.
func (l *levels) cascade(list uint16, budget int) int {
	for budget > 0 && l.tails[list] != 0 {
		budget -= l.cascadeTail(list, budget)
	}
	return budget
}

// spreadTail moves the last timers of a slot, as many as its last block has, but
// no more than limit, to where they belong now, and returns how many these were.
//
// It reads all their deadlines before it moves the first. The timers lie
// scattered, but no read waits for another, so the processor fetches many of them
// at once. One by one, a firing would cost a third more ("CPU a firing" of bench/).
func (l *levels) cascadeTail(list uint16, limit int) int {
	t := l.tails[list] - 1
	tail := l.blocks.at(t)
	n := min(limit, int(tail.n))
	var moving [blockLen]uint32
	copy(moving[:n], tail.entries[int(tail.n)-n:])
	var ticks [blockLen]int64
	for k, i := range moving[:n] {
		ticks[k] = l.tickOf(l.records.at(i))
	}
	tail.n -= uint16(n)
	l.trim(list, t, tail)
	for k, i := range moving[:n] {
		l.insertAt(i, l.records.at(i), ticks[k])
	}
	return n
}

// push puts a timer at the end of a list.
func (l *levels) push(list uint16, i uint32, s *record) {
	tail := l.tails[list]
	var b *block
	if tail != 0 {
		b = l.blocks.at(tail - 1)
	}
	if b == nil || b.n == blockLen {
		full := uint32(0)
		if b != nil {
			full = b.full + 1
		}
		if l.blocks.free == 0 {
			l.blocks.grow(newChunk[block, [1 << blockShift]block]())
		}
		n := l.blocks.alloc()
		b = l.blocks.at(n)
		b.prev, b.list, b.n, b.full = tail, list, 0, full
		tail = n + 1
		l.tails[list] = tail
	}
	b.entries[b.n] = i
	s.place = (tail-1)<<blockBits | uint32(b.n)
	b.n++
}

// count returns how many timers are in a list, without looking at them.
func (l *levels) count(list uint16) int {
	if l.tails[list] == 0 {
		return 0
	}
	b := l.blocks.at(l.tails[list] - 1)
	return int(b.full)*blockLen + int(b.n)
}

// last returns the last timer of a list that is not empty.
func (l *levels) last(list uint16) uint32 {
	b := l.blocks.at(l.tails[list] - 1)
	return b.entries[b.n-1]
}

// list returns the list that a pending timer is in.
func (l *levels) list(s *record) uint16 { return l.blocks.at(s.place >> blockBits).list }

// remove takes a timer out of its list; the list's last one takes its place.
func (l *levels) remove(i uint32, s *record) {
	s.flags &^= inBucket
	list := l.list(s)
	t := l.tails[list] - 1
	tail := l.blocks.at(t)
	tail.n--
	if last := tail.entries[tail.n]; last != i {
		l.blocks.at(s.place >> blockBits).entries[s.place&(1<<blockBits-1)] = last
		l.records.at(last).place = s.place
	}
	l.trim(list, t, tail)
}

// trim takes the last block, t, off a list if nothing is left in it.
func (l *levels) trim(list uint16, t uint32, tail *block) {
	if tail.n > 0 {
		return
	}
	l.tails[list] = tail.prev
	if l.blocks.release(t) && l.blocks.spare(t) {
		l.blocks.drop(t, true)
	}
	if l.tails[list] == 0 && list < listDue {
		l.vacate(list)
	}
}

// occupy notes that a slot is not empty.
func (l *levels) occupy(level uint, list uint16) {
	digit := list % digits
	if level == 0 {
		l.occupiedTicks[list/digits] |= 1 << digit
		digit = list / digits
	}
	l.occupiedBuckets[level] |= 1 << digit
	l.occupiedLevels |= 1 << level
}

// vacate notes that a slot is empty.
func (l *levels) vacate(list uint16) {
	level, digit := levelOf(list), list%digits
	if level == 0 {
		l.occupiedTicks[list/digits] &^= 1 << digit
		if l.occupiedTicks[list/digits] != 0 {
			return
		}
		digit = list / digits
	}
	l.occupiedBuckets[level] &^= 1 << digit
	if l.occupiedBuckets[level] == 0 {
		l.occupiedLevels &^= 1 << level
	}
	if l.cascading != 0 && list == bucketList(uint(l.cascading), l.cur) {
		l.cascading = 0
	}
}
