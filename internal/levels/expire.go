package levels

// Expire empties buckets that begin at tick limit or before, in their order: timers that
// are due go to the list Due, others to the buckets where they belong now. It stops when
// it has found timers that are due, all of one tick, or when it would handle more timers
// than its budget, which is a block's at least. It reports whether a further call may do
// more.
func (l *Levels) Expire(limit int64, budget int) (more bool) {
	for budget >= blockLen && l.tails[Due] == 0 {
		start, level, ok := l.next()
		if !ok || start > limit {
			return false
		}
		l.cur = start
		if level > 0 {
			l.cascading = int(level)
			budget -= l.Rebucket(bucketList(level, start))
		} else {
			budget -= l.expireBucket(bucketList(0, start), budget)
		}
	}
	return true
}

// maxDue is the most timers that expireBucket makes due: no more than a word has bits.
const maxDue = 2 * blockLen

// expireBucket makes the timers in the first blocks of a bucket of level 0 due, as many
// blocks as the budget, a block's at least, allows, and returns the number of timers.
// Timers that are not due have been registered anew, for later, since they were put there:
// they move to the buckets where they belong. Timers with the flag Open go to Due, due or not: only
// the caller knows their deadlines.
//
// The list Due is in reverse: the last timer of a list is the cheapest to take, and that must
// be the one that was registered first. As Due is filled only when it is empty, all that
// become due later come behind.
//
// It reads what it can of all timers before it moves the first, as Rebucket does. Which of them are not
// due it notes in a word: with a second array a worker's first stack would be too small, and would
// grow at each wake-up ("CPU a firing alone, in a bubble" of bench/ takes half as long again).
func (l *Levels) expireBucket(list List, budget int) (n int) {
	now := l.cur * l.tick
	var due [maxDue]uint32
	for l.tails[list] != 0 && n+blockLen <= min(budget, maxDue) {
		n += l.takeFirst(list, due[n:])
	}
	later := uint64(0)
	for k, i := range due[:n] {
		if r := l.records.At(i); r.When > now && r.Flags&(Prompt|Open) == 0 {
			later |= 1 << k
		} else {
			r.Flags &^= InBucket
		}
	}
	dues := 0
	for k, i := range due[:n] {
		if later>>k&1 != 0 {
			l.Insert(i, l.records.At(i))
			continue
		}
		due[dues] = i
		dues++
	}
	l.pushReversed(Due, due[:dues])
	return n
}

// MoveAhead moves timers of the next bucket of level 1 down to level 0, ahead of their time and in their
// order, if the bucket holds at least that many. It moves no more timers than its budget, which is a
// block's at least. Timers with the flag Open go to the list Due. While something is in that list,
// MoveAhead moves nothing.
//
// If a bucket of a higher level comes first, MoveAhead moves nothing either.
func (l *Levels) MoveAhead(least, budget int) {
	list := bucketList(1, (l.cur>>LowBits+1)<<LowBits) // empty if a bucket of a higher level comes first
	if l.Count(list) < least {
		return
	}
	for ; budget >= blockLen && l.tails[list] != 0 && l.tails[Due] == 0; budget -= blockLen {
		l.rebucket(list, l.findAhead)
	}
}

// Rebucket moves the timers in the first block of a list to the buckets where they belong
// now, in their order, and returns their number. Those of a bucket that have the flag Open go to the
// list Due, which must be empty.
func (l *Levels) Rebucket(list List) (n int) { return l.rebucket(list, l.find) }

// rebucket is Rebucket to the buckets that find says.
//
// It reads all their deadlines before it moves the first. The timers lie scattered, but
// no read waits for another, so the processor fetches many of them at once. One by one, a
// firing would cost a third more ("CPU a firing" of bench/).
func (l *Levels) rebucket(list List, find func(tick int64) (level uint, start int64)) (n int) {
	var timers, open [blockLen]uint32
	var ticks [blockLen]int64
	n = l.takeFirst(list, timers[:])
	others, opens := 0, 0
	for _, i := range timers[:n] {
		r := l.records.At(i)
		if r.Flags&(Open|InBucket) == Open|InBucket {
			r.Flags &^= InBucket
			open[opens] = i
			opens++
			continue
		}
		timers[others], ticks[others] = i, l.tickOf(r)
		others++
	}
	l.pushReversed(Due, open[:opens])
	for k, i := range timers[:others] {
		level, start := find(ticks[k])
		l.insertAt(i, l.records.At(i), level, bucketList(level, start))
	}
	return n
}
