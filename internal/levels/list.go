package levels

import (
	"iter"
	"math/bits"

	"github.com/seed76848005/timerwheel/internal/slab"
)

// spareBlocks are chunks of blocks.
var spareBlocks = slab.NewSpares(slab.NewChunk[block, [1 << blockShift]block])

// Push puts timer i, which is in no list, at the end of a list.
func (l *Levels) Push(list List, i uint32, r *Record) {
	tail := l.tails[list]
	var b *block
	if tail != 0 {
		b = l.blocks.At(tail - 1)
	}
	if b == nil || b.n == blockLen {
		tail, b = l.append(list, b)
	}
	b.entries[b.n] = i
	r.position = (tail-1)<<blockBits | uint32(b.n)
	b.n++
}

// append puts an empty block after the last block of a list; last is nil if it has none.
func (l *Levels) append(list List, last *block) (tail uint32, b *block) {
	if l.table == &noTable {
		l.table = new(table)
	}
	if l.blocks.Free() == 0 {
		l.blocks.Grow(spareBlocks.Take())
	}
	tail = l.blocks.Alloc() + 1
	b = l.blocks.At(tail - 1)
	b.prev, b.next, b.list, b.n = 0, tail, list, 0
	if last != nil {
		b.prev, b.next, last.next = l.tails[list], last.next, tail
		l.blocks.At(b.next-1).prev++
	}
	l.tails[list] = tail
	return tail, b
}

// pushReversed puts timers, which are in no list, into an empty list, the first one at the end.
func (l *Levels) pushReversed(list List, timers []uint32) {
	var b *block
	for len(timers) > 0 {
		var t uint32
		t, b = l.append(list, b)
		for ; b.n < blockLen && len(timers) > 0; b.n++ {
			last := len(timers) - 1
			b.entries[b.n] = timers[last]
			l.records.At(timers[last]).position = (t-1)<<blockBits | uint32(b.n)
			timers = timers[:last]
		}
	}
}

// Remove takes timer i out of its list; the list's last timer takes its position.
func (l *Levels) Remove(i uint32, r *Record) {
	r.Flags &^= InBucket
	list := l.ListOf(r)
	t := l.tails[list] - 1
	tail := l.blocks.At(t)
	tail.n--
	if last := tail.entries[tail.n]; last != i {
		l.blocks.At(r.position >> blockBits).entries[r.position&(1<<blockBits-1)] = last
		l.records.At(last).position = r.position
	}
	if tail.n == 0 {
		l.dropLast(list, t, tail)
	}
}

// dropLast takes the last block, t, in which nothing is left, off a list.
func (l *Levels) dropLast(list List, t uint32, tail *block) {
	if tail.next == t+1 {
		l.tails[list] = 0
	} else {
		l.blocks.At(tail.next-1).prev--
		l.blocks.At(tail.prev - 1).next = tail.next
		l.tails[list] = tail.prev
	}
	l.trim(list, t)
}

// takeFirst takes the first block off a list that is not empty, copies its timers, which are
// then in no list, and returns their number.
func (l *Levels) takeFirst(list List, timers []uint32) (n int) {
	tail := l.blocks.At(l.tails[list] - 1)
	t := tail.next - 1
	first := l.blocks.At(t)
	if first == tail {
		l.tails[list] = 0
	} else {
		l.blocks.At(first.next - 1).prev = first.prev - 1
		tail.next = first.next
	}
	n = copy(timers, first.entries[:first.n])
	l.trim(list, t)
	return n
}

// trim gives back block t, which has been taken off a list.
func (l *Levels) trim(list List, t uint32) {
	if l.blocks.Release(t) && l.blocks.Spare(t) {
		spareBlocks.Give(l.blocks.Drop(t, true))
	}
	if l.tails[list] == 0 && list < Due {
		l.vacate(list)
	}
}

// ListOf returns the list that a pending timer is in.
func (l *Levels) ListOf(r *Record) List { return l.blocks.At(r.position >> blockBits).list }

// Empty reports whether a list is empty.
func (l *Levels) Empty(list List) bool { return l.tails[list] == 0 }

// Last returns the last timer of a list that is not empty.
func (l *Levels) Last(list List) uint32 {
	b := l.blocks.At(l.tails[list] - 1)
	return b.entries[b.n-1]
}

// Count returns the number of timers in a list, without looking at them.
func (l *Levels) Count(list List) int {
	if l.tails[list] == 0 {
		return 0
	}
	last := l.blocks.At(l.tails[list] - 1)
	return int(l.blocks.At(last.next-1).prev)*blockLen + int(last.n)
}

// All yields the timers of a list, a block at a time, the first block first.
func (l *Levels) All(list List) iter.Seq[[]uint32] {
	return func(yield func([]uint32) bool) {
		tail := l.tails[list]
		for t := tail; t != 0; {
			if t = l.blocks.At(t - 1).next; !yield(l.blocks.At(t-1).timers()) || t == tail {
				return
			}
		}
	}
}

// Reached yields the timers of the buckets that begin at tick limit or before, a block at a time.
// Not all of them need be due: see DueAt.
func (l *Levels) Reached(limit int64) iter.Seq[[]uint32] {
	return func(yield func([]uint32) bool) {
		for level, word := range l.words(limit) {
			for start := range l.Buckets(level, word) {
				if start > limit {
					break // so do all that follow in this word
				}
				for block := range l.All(bucketList(level, start)) {
					if !yield(block) {
						return
					}
				}
			}
		}
	}
}

// words yields the words of the levels, as Buckets numbers them, that have an occupied bucket and, at level 0,
// begin at tick limit or before. Most words are empty: looking into each would dominate the cost of a count.
func (l *Levels) words(limit int64) iter.Seq2[uint, uint] {
	return func(yield func(uint, uint) bool) {
		for word := range uint(LowWords) {
			start := l.startOfWord(word)
			if start > limit {
				break
			}
			if l.occupiedTicks[start>>DigitBits%LowWords] != 0 && !yield(0, word) {
				return
			}
		}
		for level := uint(1); level < NumLevels; level++ {
			if l.occupiedBuckets[level] != 0 && !yield(level, 0) {
				return
			}
		}
	}
}

func (b *block) timers() []uint32 { return b.entries[:b.n] }

// Buckets yields the occupied buckets of a level in one of its words, which is 64 buckets
// (level 0 has 128 words, the first of them that in which the ticks of cur begin; the others have
// one): the tick at which a bucket begins, and the number of timers in it.
func (l *Levels) Buckets(level, word uint) iter.Seq2[int64, int] {
	occupied, first := l.occupiedBuckets[level], l.Begin(level)
	if level == 0 {
		first = l.startOfWord(word)
		occupied = l.occupiedTicks[first>>DigitBits%LowWords]
	}
	return func(yield func(int64, int) bool) {
		for left := occupied; left != 0; left &= left - 1 {
			start := first | int64(bits.TrailingZeros64(left))<<shift(level)
			if !yield(start, l.Count(bucketList(level, start))) {
				return
			}
		}
	}
}

// startOfWord returns the tick at which a word of level 0 begins.
func (l *Levels) startOfWord(word uint) int64 { return l.Begin(0) + int64(word)<<DigitBits }
