package levels

import "fmt"

// Check returns an error if the lists are wrong. pending reports whether a timer must be
// in a list. It returns the number of timers in all lists. It is for tests, and costs time
// in proportion to the timers.
func (l *Levels) Check(pending func(i uint32, r *Record) bool) (n int, err error) {
	for list := List(0); list < numLists; list++ {
		if list%Digits == 0 && list < lowLists && l.occupiedTicks[list/Digits] == 0 && [Digits]uint32(l.tails[list:]) == [Digits]uint32{} {
			list += Digits - 1 // 64 buckets that are empty, and known to be
			continue
		}
		in, err := l.checkList(list, pending)
		if err != nil {
			return n, err
		}
		n += in
	}
	for k, word := range l.occupiedTicks {
		if l.occupiedWords[k/Digits]>>(k%Digits)&1 != 0 != (word != 0) {
			return n, fmt.Errorf("ticks %d: occupied is wrong", k)
		}
	}
	if l.occupiedLevels&1 != 0 != (l.occupiedWords != [2]uint64{}) {
		return n, fmt.Errorf("level 0: occupied is wrong")
	}
	for level, word := range l.occupiedBuckets[1:] {
		level++
		if l.occupiedLevels>>level&1 != 0 != (word != 0) {
			return n, fmt.Errorf("level %d: occupied is wrong", level)
		}
	}
	return n, l.blocks.Check()
}

// checkList verifies one list, and returns the number of timers in it.
func (l *Levels) checkList(list List, pending func(uint32, *Record) bool) (n int, err error) {
	tail := l.tails[list]
	for t, before := tail, uint32(0); t != 0; {
		before, t = t, l.blocks.At(t-1).next
		b := l.blocks.At(t - 1)
		if b.list != list || b.n == 0 || t != tail && b.n != blockLen {
			return n, fmt.Errorf("list %d has a block of list %d with %d entries", list, b.list, b.n)
		}
		if n > 0 && b.prev != before {
			return n, fmt.Errorf("list %d: the block before %d is %d, not %d", list, t, before, b.prev)
		}
		n += int(b.n)
		for k, i := range b.entries[:b.n] {
			r := l.records.At(i)
			if !pending(i, r) {
				return n, fmt.Errorf("timer %d is in list %d, and not pending: %+v", i, list, *r)
			}
			if r.position != (t-1)<<blockBits|uint32(k) || r.Flags&InBucket != 0 != (list < Due) {
				return n, fmt.Errorf("timer %d does not know that it is in list %d: %+v", i, list, *r)
			}
			if list < Due {
				if err := l.checkBucket(list, i, r); err != nil {
					return n, err
				}
			}
		}
		if t == tail {
			break
		}
	}
	if l.Count(list) != n {
		return n, fmt.Errorf("list %d has %d timers, and counts %d", list, n, l.Count(list))
	}
	if list < Due && l.isOccupied(list) != (l.tails[list] != 0) {
		return n, fmt.Errorf("list %d: occupied is wrong", list)
	}
	return n, nil
}

// isOccupied reports what the levels believe of a bucket.
func (l *Levels) isOccupied(list List) bool {
	if list < lowLists {
		return l.occupiedTicks[list/Digits]>>(list%Digits)&1 != 0
	}
	return l.occupiedBuckets[levelOf(list)]>>(list%Digits)&1 != 0
}

// checkBucket verifies that a timer's bucket is looked at in time, and lies where buckets
// are looked at at all.
func (l *Levels) checkBucket(list List, i uint32, r *Record) error {
	level, digit := levelOf(list), list%Digits
	start := l.Begin(level) | int64(digit)<<shift(level)
	if level == 0 {
		start = l.startOfWord(uint(list/Digits)^uint(l.cur>>LowBits%2*Digits)) + int64(digit)
		if start>>LowBits != l.cur>>LowBits && start>>above(1) != l.cur>>above(1) {
			return fmt.Errorf("timer %d: its tick is %d, and a higher level's bucket comes first: now is %d", i, start, l.cur)
		}
	}
	if own := l.cur >> shift(level) << shift(level); start < own || start == own && level > 0 && l.cascading != int(level) {
		return fmt.Errorf("timer %d: level %d bucket %d is behind %d", i, level, digit, l.cur)
	}
	if start > max(l.cur, l.tickOf(r)) {
		return fmt.Errorf("timer %d: its bucket starts at %d, it is due at %d", i, start, l.tickOf(r))
	}
	return nil
}
