package levels

import "slices"

// Expire empties buckets that begin at tick limit or before, in their order: timers that
// are due go to the list Due, others to the buckets where they belong now. It stops when
// it has found timers that are due, all of one tick, or when it would handle more timers
// than its budget, which is a block's at least. It reports whether a further call may do
// more.
func (l *Levels) Expire(limit int64, budget int) (more bool) {
	for budget > 0 && l.tails[Due] == 0 {
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

// expireBucket makes the timers in the last blocks of a bucket of level 0 due, as many
// blocks as the budget, a block's at least, allows, and returns the number of timers. The
// blocks stay as they are, and become the list Due.
func (l *Levels) expireBucket(list List, budget int) (n int) {
	var first *block
	l.tails[Due] = l.tails[list]
	for t := l.tails[list]; t != 0 && n+blockLen <= budget; t = first.prev {
		first = l.blocks.At(t - 1)
		first.list = Due
		n += int(first.n)
	}
	l.tails[list], first.prev = first.prev, 0
	if l.tails[list] == 0 {
		l.vacate(list)
	}
	for t, before := l.tails[Due], first.full; t != 0; {
		b := l.blocks.At(t - 1)
		b.full -= before
		next := b.prev
		l.filterDue(t-1, b)
		t = next
	}
	return n
}

// filterDue looks at all timers of a block of the list Due, t. Timers that are not due
// have been registered anew, for later, since they were put there: they move to the
// buckets where they belong. The others are reversed: the last timer of a list is the
// next to fire, and that must be the first that was registered, if they all fit into one
// block.
//
// It reads what it can of all timers before it moves the first, as cascadeTail does.
func (l *Levels) filterDue(t uint32, b *block) {
	now := l.cur * l.tick
	var later [blockLen]uint32
	n := 0
	for _, i := range b.entries[:b.n] {
		r := l.records.At(i)
		if r.When > now && r.Flags&Prompt == 0 {
			later[n] = i
			n++
		} else {
			r.Flags &^= InBucket
		}
	}
	slices.Reverse(b.entries[:b.n])
	for k, i := range b.entries[:b.n] {
		l.records.At(i).position = t<<blockBits | uint32(k)
	}
	for _, i := range later[:n] {
		r := l.records.At(i)
		l.Remove(i, r)
		l.Insert(i, r)
	}
}

// cascade empties one bucket, as far as the budget goes, and returns what is left of the
// budget.
func (l *Levels) cascade(list List, budget int) int {
	for budget > 0 && l.tails[list] != 0 {
		budget -= l.cascadeTail(list, budget)
	}
	return budget
}

// cascadeTail moves the last timers of a bucket, as many as its last block has, but no
// more than limit, to the buckets where they belong now, and returns their number.
//
// It reads all their deadlines before it moves the first. The timers lie scattered, but
// no read waits for another, so the processor fetches many of them at once. One by one, a
// firing would cost a third more ("CPU a firing" of bench/).
func (l *Levels) cascadeTail(list List, limit int) int {
	t := l.tails[list] - 1
	tail := l.blocks.At(t)
	n := min(limit, int(tail.n))
	var moving [blockLen]uint32
	copy(moving[:n], tail.entries[int(tail.n)-n:])
	var ticks [blockLen]int64
	for k, i := range moving[:n] {
		ticks[k] = l.tickOf(l.records.At(i))
	}
	tail.n -= uint16(n)
	l.trim(list, t, tail)
	for k, i := range moving[:n] {
		l.insertAt(i, l.records.At(i), ticks[k])
	}
	return n
}
