// Package levels is the hierarchical timing wheel as a pure structure: it knows no
// lock, no clock and no goroutine. Time is a number of ticks since the wheel was made,
// and the caller says what time it is. A shard's lock guards it.
//
// # Geometry
//
// Eight levels. The lowest has 4,096 buckets, one for each tick; the others have 64. The
// digits of a deadline, written to the base 64, say where it goes: the last two select
// the bucket on the lowest level, one digit each selects it on the others. (The lowest has
// another 4,096 for the ticks that follow: see Ahead of time.)
//
//	level  bucket spans (ticks)  level spans (ticks)  level spans, tick of 1 ms
//	    0                     1                4,096                        4 s
//	    1                 4,096              262,144                      4 min
//	    2               262,144                 16 M                      4.7 h
//	    3                  16 M                1.1 G                     12.4 d
//	    4                 1.1 G                 69 G                      2.2 y
//	    5                  69 G                4.4 T                      139 y
//	    6                 4.4 T                281 T                    8,925 y
//	    7                 281 T                 2^54                  571,000 y
//
// 64, because the occupied buckets of a level are then the bits of one word, and the
// next one is one instruction away. The lowest level has two digits, 64 words and one
// that says which of them to look at: with one digit each timer of more than 64 ticks
// would have to be moved once more before it fires, and each move is a read that is in
// no cache ("CPU a firing" of bench/). Eight, because the longest duration that a
// time.Duration can hold, in the shortest tick that Options allow (1 µs), is less than
// 2^54 ticks: no deadline needs a list of its own for what is too far away.
//
// A deadline stands in the level of the highest digit in which it differs from cur, in
// the bucket of that digit. Two facts follow, on which everything below rests (for what is
// moved ahead of its time see below):
//
//   - The digits of cur above a level are those of every deadline in it, and the
//     occupied buckets of a level lie after cur's own digit (at it or after it, on level
//     0). No level ever wraps around.
//   - Every deadline in a level comes before every deadline in a higher one. The next
//     thing to do is therefore in the lowest occupied level, in its lowest occupied
//     bucket.
//
// cur moves only to the start of the next occupied bucket, or to a time before it, so an
// hour in which nothing is due costs nothing.
//
// # Ahead of time
//
// To empty a bucket of level 1 that holds 100,000 timers takes ten milliseconds and more. If the
// wheel did that when the bucket's time comes, the timers that are due first would wait for it.
// So the wheel may move timers out of the bucket before, a few at a time (MoveAhead). For them
// level 0 has a second half: the 4,096 ticks that follow those of cur. The bit above a tick's last
// two digits says in which half it is, and the halves change roles when cur passes on to the other.
//
// A timer that is registered for one of these ticks goes to the bucket of level 1, so it is moved
// after those that came before it. If anything is left in that bucket when cur reaches its start,
// it is emptied before level 0 is looked at. Idle timers go to the second half at once.
//
// # Lists
//
// A bucket's timers are an array in blocks, not a linked list. Emptying a bucket of a
// million timers reads their numbers in a row, and the processor fetches many of the
// timers at once. With a linked list it would have to wait for each timer before it
// knows the next.
//
// Lists are first in, first out: timers are put at the end, and a bucket is emptied from its
// front, block by block. So the timers of a tick become due in the order in which they were
// registered for it, from any level: a bucket is emptied before cur
// passes its start, so a timer that is registered later finds the earlier ones in its own list
// or in one that has been emptied into it. Remove is the exception: it moves the last timer of
// the list into the gap.
package levels

import (
	"math/bits"

	"github.com/seed76848005/timerwheel/internal/slab"
)

// The geometry.
const (
	DigitBits = 6
	Digits    = 1 << DigitBits // buckets of a level
	LowBits   = 2 * DigitBits
	Lowest    = 1 << LowBits // ticks of level 0
	LowWords  = 2 * Digits   // of 64 buckets each, on level 0: the ticks of cur, and those that follow
	NumLevels = 8

	lowLists = LowWords * Digits // buckets of level 0
)

// A List is a list of timers: a bucket, level by level, or one of three for pending
// timers that are in no bucket.
type List uint16

// The lists beside the buckets.
const (
	Due      List = lowLists + (NumLevels-1)*Digits + iota // due, taken out of their bucket, not begun
	Held                                                   // due, but the timer's last run, or a wait for its lock, is not over
	Deferred                                               // due at once, registered during an Advance: for the next one
	numLists
)

// Levels is one shard's wheel. Every pending timer of the shard, and every one that was stopped in its place, is in exactly one of its lists,
// and its record's position says where. Close is the exception: it drops the lists before the
// timers.
type Levels struct {
	tick            int64             // length of a tick, ns
	cur             int64             // everything that was due before this tick has left the levels
	cascading       int               // the level whose bucket at cur is being emptied into lower ones; 0 if none is
	occupiedLevels  uint16            // bit n: level n has an occupied bucket
	occupiedWords   [2]uint64         // of the halves of level 0: bit n: word n of occupiedTicks there has an occupied one
	occupiedBuckets [NumLevels]uint64 // of the levels from 1 on: bit n: bucket n is occupied
	blocks          slab.Slab[block, [1 << blockShift]block]
	records         *Records
	*table
}

// A table is the large part of Levels. It is made when the first timer is put into a list: most
// shards of a wheel with few timers, and all of one with none, need none.
type table struct {
	occupiedTicks [LowWords]uint64 // bit k of word n: bucket 64*n+k of level 0 is occupied
	tails         [numLists]uint32 // last block of a list, plus one; 0: the list is empty
}

// noTable is the table of Levels in which nothing has ever stood. Nothing is written to it.
var noTable table

const (
	blockBits  = 5
	blockLen   = 29
	blockShift = 4 // log2 of the blocks in a chunk
)

// A block is a part of a list, in two cache lines. Only a list's last block is not full.
type block struct {
	prev    uint32 // the block before this one, plus one; of the first block: how many come after it
	next    uint32 // the block after this one, plus one; of the last block: the first
	list    List
	n       uint16
	entries [blockLen]uint32 // numbers of timers
}

// New returns empty levels with ticks of that length, in ns, for timers of records.
func New(tick int64, records *Records) Levels {
	return Levels{tick: tick, records: records, table: &noTable}
}

// shift returns the number of bits of a tick that are below a level's digits. It is less
// than 64, which the mask tells the compiler.
func shift(level uint) uint { return uint(shifts[level%NumLevels]) % 64 }

var shifts = [NumLevels]uint8{0, 12, 18, 24, 30, 36, 42, 48}

// above returns the number of bits of a tick that a level's buckets tell apart.
func above(level uint) uint { return (level + 2) * DigitBits }

// bucketList returns the list of the bucket on a level that begins at tick start.
func bucketList(level uint, start int64) List {
	if level == 0 {
		return List(start & (lowLists - 1))
	}
	return List(level+LowWords-1)*Digits + List(start>>shift(level)&(Digits-1))
}

// levelOf returns the level of a bucket.
func levelOf(list List) uint {
	if list < lowLists {
		return 0
	}
	return uint(list/Digits) - (LowWords - 1)
}

// Tick returns the length of a tick, in ns.
func (l *Levels) Tick() int64 { return l.tick }

// BeginOfTick returns when the tick began in which now lies, in ns: what has its deadline
// then, or before, is due.
func (l *Levels) BeginOfTick(now int64) int64 { return now - now%l.tick }

// tickOf returns the tick at which r is due: the first that does not begin before its
// deadline. A timer that was due when it was registered need not wait for a tick to
// begin.
func (l *Levels) tickOf(r *Record) int64 {
	tick := r.When / l.tick
	if r.Flags&Prompt == 0 && tick*l.tick != r.When {
		tick++
	}
	return tick
}

// DueAt reports whether a pending timer is due at a tick.
func (l *Levels) DueAt(r *Record, tick int64) bool { return l.tickOf(r) <= tick }

// DueNow reports whether a pending timer is due at the current tick, which is that of the list Due.
func (l *Levels) DueNow(r *Record) bool { return l.DueAt(r, l.cur) }

// LookTick returns the tick at which a timer with the flag Open is looked at: that of a time, in ns, or
// of its deadline if that is earlier. It is not the current tick, unless the timer is due.
func (l *Levels) LookTick(r *Record, at int64) int64 {
	return min(l.tickOf(r), max(l.cur+1, at/l.tick))
}

// Insert puts timer i, which is in no list, into the bucket of its deadline, or, if that
// has passed, into the bucket that is emptied next. It returns the tick at which that
// bucket must be looked at.
//
// While a bucket is being emptied into lower levels, a timer that belongs on one of those goes
// to its end: timers of the same tick that were there before may still be in it.
func (l *Levels) Insert(i uint32, r *Record) int64 {
	level, start := l.find(l.tickOf(r))
	at := level
	if level < uint(l.cascading) {
		at = uint(l.cascading)
	}
	l.insertAt(i, r, at, bucketList(at, start))
	return start
}

func (l *Levels) insertAt(i uint32, r *Record, level uint, list List) {
	r.Flags |= InBucket
	l.Push(list, i, r)
	l.occupy(level, list)
}

// InsertAt puts timer i with the flag Open, which is in no list, where it is looked at at a tick,
// or before it: it goes to the list Due when its bucket is emptied, on any level. It returns the
// tick at which that is. While a bucket is being emptied into lower levels it does not go to the
// end of that, as with Insert: it may just have come from there, and would come again. For the same
// reason it goes to the second half of level 0, and not to the bucket of level 1 that may be emptied
// ahead of its time.
func (l *Levels) InsertAt(i uint32, r *Record, tick int64) int64 {
	level, start := l.findAhead(tick)
	l.insertAt(i, r, level, bucketList(level, start))
	return start
}

// find returns the level for a tick, and the first tick of its bucket there.
func (l *Levels) find(tick int64) (level uint, start int64) {
	tick = max(tick, l.cur)
	level = uint(bits.Len64(uint64(tick^l.cur)|(Lowest-1))-1)/DigitBits - 1
	return level, tick >> shift(level) << shift(level)
}

// findAhead is find for timers that may stand in the second half of level 0. A tick is not there if a
// bucket of a level above 1 comes before it.
func (l *Levels) findAhead(tick int64) (level uint, start int64) {
	if tick>>LowBits == l.cur>>LowBits+1 && tick>>above(1) == l.cur>>above(1) {
		return 0, tick
	}
	return l.find(tick)
}

// Coarsest returns, of the times from..to at which a tick begins, in ns, the one whose tick has
// the roundest binary number: callers with slack that is similar choose the same one. It
// returns from, if no tick begins in between.
func (l *Levels) Coarsest(from, to int64) int64 {
	before, last := (from-1)/l.tick, to/l.tick
	if before == last {
		return from
	}
	differ := bits.Len64(uint64(before^last)) - 1 // the highest bit that only last has
	return last >> differ << differ * l.tick
}

// LooksAt returns the tick at which the bucket of a deadline, in ns, would be looked at.
func (l *Levels) LooksAt(when int64) (tick int64) {
	_, tick = l.find(when / l.tick)
	return tick
}

// CanStay reports whether a timer that is registered for when, in ns, can stay where it
// is: in a bucket that is emptied before that; then the timer moves to the bucket of its new
// deadline.
func (r *Record) CanStay(when int64) bool { return r.Flags&InBucket != 0 && when >= r.When }

// CatchUp moves cur to now, in ns, as far as nothing due stands in between. Without it a
// timer registered after a quiet hour would be placed as seen from before that hour, and
// cascade at once. While a timer stands in the list Due, cur stays the tick of that list: a timer that
// is only looked at there must not overtake the others of that tick. To see that no tick has passed
// takes no division: each Register asks that (BenchmarkRegisterDel).
func (l *Levels) CatchUp(now int64) {
	if now-l.cur*l.tick >= l.tick {
		l.skip(now / l.tick)
	}
}

func (l *Levels) skip(now int64) {
	if l.tails[Due] != 0 {
		return
	}
	if start, _, ok := l.next(); !ok || start > now {
		l.cur = now
	}
}

// Next returns the earliest tick at which a bucket must be looked at; ok is false if all
// are empty. No deadline in the buckets is before it.
func (l *Levels) Next() (tick int64, ok bool) {
	tick, _, ok = l.next()
	return tick, ok
}

// next is Next, and returns the bucket's level as well.
func (l *Levels) next() (start int64, level uint, ok bool) {
	if l.cascading != 0 {
		return l.cur, uint(l.cascading), true
	}
	if l.occupiedLevels == 0 {
		return 0, 0, false
	}
	level = uint(bits.TrailingZeros16(l.occupiedLevels))
	if level == 0 {
		start, level = l.nextLow()
		return start, level, true
	}
	digit := int64(bits.TrailingZeros64(l.occupiedBuckets[level]))
	return l.Begin(level) | digit<<shift(level), level, true
}

// nextLow is next if level 0 has an occupied bucket.
func (l *Levels) nextLow() (start int64, level uint) {
	part := l.cur >> LowBits
	if l.occupiedWords[part%2] == 0 {
		part++
		if l.occupiedBuckets[1]>>(part%Digits)&1 != 0 {
			return part << LowBits, 1
		}
	}
	word := int64(bits.TrailingZeros64(l.occupiedWords[part%2]))
	tick := int64(bits.TrailingZeros64(l.occupiedTicks[part%2*Digits+word]))
	return part<<LowBits | word<<DigitBits | tick, 0
}

// Cascading reports whether a bucket is being emptied into lower levels.
func (l *Levels) Cascading() bool { return l.cascading != 0 }

// Begin returns the tick at which a level begins: its first bucket.
func (l *Levels) Begin(level uint) int64 { return l.cur >> above(level) << above(level) }

// occupy records that a bucket is not empty.
func (l *Levels) occupy(level uint, list List) {
	digit := list % Digits
	l.occupiedLevels |= 1 << level
	if level == 0 {
		l.occupiedTicks[list/Digits] |= 1 << digit
		l.occupiedWords[list/Lowest] |= 1 << (list / Digits % Digits)
		return
	}
	l.occupiedBuckets[level] |= 1 << digit
}

// vacate records that a bucket is empty.
func (l *Levels) vacate(list List) {
	level, digit := levelOf(list), list%Digits
	if level == 0 {
		l.vacateTick(list)
		return
	}
	l.occupiedBuckets[level] &^= 1 << digit
	if l.occupiedBuckets[level] == 0 {
		l.occupiedLevels &^= 1 << level
	}
	if l.cascading != 0 && list == bucketList(uint(l.cascading), l.cur) {
		l.cascading = 0
	}
}

// vacateTick is vacate for a bucket of level 0.
func (l *Levels) vacateTick(list List) {
	word := list / Digits
	if l.occupiedTicks[word] &^= 1 << (list % Digits); l.occupiedTicks[word] != 0 {
		return
	}
	l.occupiedWords[list/Lowest] &^= 1 << (word % Digits)
	if l.occupiedWords == [2]uint64{} {
		l.occupiedLevels &^= 1
	}
}

// Bytes returns the storage that the lists take, without the Levels themselves and their table.
func (l *Levels) Bytes() int64 { return l.blocks.Bytes() }
