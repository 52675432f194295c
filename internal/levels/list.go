package levels

import (
	"iter"
	"math/bits"

	"github.com/seed76848005/timerwheel/internal/slab"
)

// Push puts timer i, which is in no list, at the end of a list.
func (l *Levels) Push(list List, i uint32, r *Record) {
	tail := l.tails[list]
	var b *block
	if tail != 0 {
		b = l.blocks.At(tail - 1)
	}
	if b == nil || b.n == blockLen {
		full := uint32(0)
		if b != nil {
			full = b.full + 1
		}
		if l.blocks.Free() == 0 {
			l.blocks.Grow(slab.NewChunk[block, [1 << blockShift]block]())
		}
		n := l.blocks.Alloc()
		b = l.blocks.At(n)
		b.prev, b.list, b.n, b.full = tail, list, 0, full
		tail = n + 1
		l.tails[list] = tail
	}
	b.entries[b.n] = i
	r.position = (tail-1)<<blockBits | uint32(b.n)
	b.n++
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
	l.trim(list, t, tail)
}

// trim takes the last block, t, off a list if nothing is left in it.
func (l *Levels) trim(list List, t uint32, tail *block) {
	if tail.n > 0 {
		return
	}
	l.tails[list] = tail.prev
	if l.blocks.Release(t) && l.blocks.Spare(t) {
		l.blocks.Drop(t, true)
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
	b := l.blocks.At(l.tails[list] - 1)
	return int(b.full)*blockLen + int(b.n)
}

// All yields the timers of a list, a block at a time, the last block first.
func (l *Levels) All(list List) iter.Seq[[]uint32] {
	return func(yield func([]uint32) bool) {
		for tail := l.tails[list]; tail != 0; {
			b := l.blocks.At(tail - 1)
			if !yield(b.entries[:b.n]) {
				return
			}
			tail = b.prev
		}
	}
}

// Buckets yields the occupied buckets of a level in one of its words, which is 64 buckets
// (level 0 has 64 words, the others one): the tick at which a bucket begins, and the
// number of timers in it.
func (l *Levels) Buckets(level uint, word int) iter.Seq2[int64, int] {
	occupied, first := l.occupiedBuckets[level], int64(0)
	if level == 0 {
		occupied, first = l.occupiedTicks[word], int64(word)<<DigitBits
	}
	return func(yield func(int64, int) bool) {
		for left := occupied; left != 0; left &= left - 1 {
			start := l.cur>>above(level)<<above(level) | (first|int64(bits.TrailingZeros64(left)))<<shift(level)
			if !yield(start, l.Count(bucketList(level, start))) {
				return
			}
		}
	}
}
