package timerwheel

import (
	"sync/atomic"

	"github.com/seed76848005/timerwheel/internal/hook"
	"github.com/seed76848005/timerwheel/internal/levels"
)

// This file stops a timer in its place, and starts it there again, without the shard's lock. That
// is what a server does all the time: it arms a timeout, deletes it when the answer comes, and arms it
// for the next request. Rule 12 of sync_del.go says why it is safe.
//
// A timer that is parked still stands in its bucket, but is not pending. It leaves the wheel when its
// bucket is emptied, when it is registered for an earlier time, and when its last owner frees it. The
// first deletion of a timer takes it off the wheel, as it may be the only one; the later ones park it.
// A timer without an owner is never parked: its storage and its function go with its deletion.
//
// Parked timers take no storage but their entries in the lists. But a bucket in which only they stand
// costs a wake-up, so a worker that comes across one takes the others off as well, if more are parked
// than pending (sweep).

// lanes count the timers of a shard whose words are open and can be parked, and how often such words
// were opened without the lock. Timers that are used by different processors are mostly counted in
// different lanes, each of which has a cache line.
type lanes [8]lane

// A lane counts in one word, so that what it says is consistent. The starts may be less than none: a start
// that fails is taken back, perhaps after the shard's counters have taken it over.
type lane struct {
	atomic.Uint64 // starts: 37, signed │ open: 27
	_             [56]byte
}

// starts returns how many starts a lane's word counts.
func starts(n uint64) uint64 { return uint64(int64(n) >> openBits) }

const (
	openBits = indexBits + 1
	openMask = 1<<openBits - 1
	oneStart = 1<<openBits + 1 // it is open, too

	laneIsFull = 1 << 62 // a quarter of what the lane can count; then the shard's counters take the starts over
)

// of returns the lane of a timer.
func (l *lanes) of(i uint32) *lane { return &l[i%uint32(len(l))] }

// countLanes returns how many words are open, and how often they were opened and parked without the lock.
// A call in flight may count a word that is not open any more, or not yet: but none that is closed, as after
// Close all are.
func (sh *shard) countLanes() (open int, started, stopped uint64) {
	if sh.lanes == nil {
		return 0, 0, 0
	}
	for k := range sh.lanes {
		n := sh.lanes[k].Load()
		open += int(n & openMask)
		started += starts(n)
	}
	if sh.ballast {
		open -= len(sh.lanes)
	}
	open = min(open, sh.counters.inLanes)
	return open, started, sh.counters.entered + started - uint64(open)
}

// setBallast adds one to each lane, while many timers that are in no lane are pending: then it does not
// matter which word is the last open one in a lane, and no lock is needed there ("arm+stop of a reused
// timer" of bench/).
func (sh *shard) setBallast() {
	if sh.ballast || sh.counters.linked-sh.counters.inLanes < batch {
		return
	}
	sh.ballast = true
	for k := range sh.lanes {
		sh.lanes[k].Add(1)
	}
}

func (sh *shard) dropBallast() {
	sh.ballast = false
	for k := range sh.lanes {
		sh.lanes[k].Add(^uint64(0))
	}
}

// pending returns how many of the shard's timers are pending. A deletion without the lock that has not
// returned may still count as not made, and a Register as made.
func (sh *shard) pending() int {
	open, _, _ := sh.countLanes()
	return sh.counters.linked - sh.counters.inLanes + open
}

// checkDrained drops the anchor, if nothing is pending any more.
func (sh *shard) checkDrained() {
	if sh.counters.linked > sh.counters.inLanes {
		return
	}
	if sh.ballast {
		sh.dropBallast()
	}
	if sh.pending() == 0 {
		sh.anchor().Wheel = nil
	}
}

// stop parks the timer without the lock, and reports whether it did. It was pending then, and did not
// run. Where it does not, the lock is needed.
func (t Timer) stop() bool {
	c := t.wordChunk()
	if c == nil {
		return false
	}
	x := c.word(t)
	hook.At("before the load of a stop")
	for {
		word := x.Load()
		if uint32(word>>genShift) != uint32(t.id>>genShift) || word&kindMask != ownedKind {
			return false
		}
		hook.At("between the load and the swap of a stop")
		if x.CompareAndSwap(word, word&^kindMask|parkedKind) {
			hook.At("between the swap of a stop and its count")
			t.leave(c, 1)
			return true
		}
	}
}

// start arms the timer, which must be parked, for the time for which it was armed before or a later
// one, without the lock, and reports whether it did.
func (t Timer) start(c *wordChunk, when int64) bool {
	x := c.word(t)
	w := t.wheel()
	to := w.ticksUp(when)
	hook.At("before the load of a start")
	word := x.Load()
	last := w.reach.Load() // after the word: what that says is not beyond it
	if uint32(word>>genShift) != uint32(t.id>>genShift) || word&kindMask != parkedKind ||
		to > last || deadlineIn(word, last) > to || !c.lanes.of(t.index()).enter() {
		return false
	}
	hook.At("between the count of a start and its swap")
	x.exact.Store(when)
	if x.CompareAndSwap(word, wordOf(uint32(t.id>>genShift), ownedKind, to)) {
		return true
	}
	t.leave(c, oneStart)
	return false
}

// disown makes a timer, whose last owner frees it, one that cannot be stopped without the lock. If it is
// parked, it leaves the wheel. Otherwise its word stays open: it may stand in the list Due only because
// of that (isUp).
func (sh *shard) disown(i uint32, s *record) {
	for s.Flags&levels.Open != 0 {
		x := sh.openedWord(i)
		word := x.Load()
		switch word & kindMask {
		case ownedKind:
			if x.CompareAndSwap(word, word&^kindMask|openKind) {
				sh.leaveLane(i)
				return
			}
		case parkedKind:
			if x.CompareAndSwap(word, closedWord) {
				s.Flags &^= levels.Open
				sh.unpark(i, s)
			}
		default:
			return
		}
	}
	sh.takeOff(i, s)
}

// enter counts a word that is about to be opened without the lock, unless none is open.
func (l *lane) enter() bool {
	for {
		n := l.Load()
		if n&openMask == 0 {
			return false
		}
		if l.CompareAndSwap(n, n+oneStart) {
			return true
		}
	}
}

// leave takes a word that is not open, or was not opened after all, from its lane's count. If it was
// the last one there, it looks with the lock whether any timer is pending.
func (t Timer) leave(c *wordChunk, count uint64) {
	l := c.lanes.of(t.index())
	if n := l.Add(-count); n&openMask != 0 && n < laneIsFull {
		return
	}
	defer guard()
	sh := t.shard()
	sh.lock()
	sh.empty(l)
	sh.checkDrained()
	sh.setBallast()
	sh.unlock()
}

// empty takes a lane's starts over to the shard's counters.
func (sh *shard) empty(l *lane) {
	n := starts(l.Load())
	l.Add(-(n << openBits))
	sh.counters.registered += n
	sh.counters.entered += n
}

// enterLane counts a word that is opened with the lock. It may be that of the last timer that was in no
// lane.
func (sh *shard) enterLane(i uint32) {
	sh.counters.inLanes++
	sh.counters.entered++
	sh.words(i / chunkLen).lanes.of(i).Add(1)
	sh.checkDrained()
}

// leaveLane counts a word that was closed while it was open.
func (sh *shard) leaveLane(i uint32) {
	sh.counters.inLanes--
	sh.counters.entered--
	sh.lanes.of(i).Add(^uint64(0))
}

// mayPark reports whether a deletion leaves a pending timer, whose word is closed, in its bucket.
func (sh *shard) mayPark(i uint32, s *record) bool {
	const all = pending | levels.InBucket | reused
	return s.Flags&(all|levels.Prompt|levels.Open|running) == all && s.Owners > 0 &&
		!sh.w.manual && !sh.closed && sh.mayOpen(i, s)
}

// park stops a timer in its place, with the lock.
func (sh *shard) park(i uint32, s *record) {
	sh.openAs(parkedKind, i, s)
	sh.counters.removed++
	sh.counters.inLanes++
	sh.checkDrained()
}

// unpark ends the parking of a timer whose word has just been closed. It is not pending, but still
// stands in its bucket; if it stands in another list, or in none, it is taken off the wheel.
func (sh *shard) unpark(i uint32, s *record) {
	s.Flags &^= pending
	sh.counters.linked--
	sh.counters.inLanes--
	if sh.closed {
		s.Flags &^= levels.InBucket
	} else if s.Flags&levels.InBucket == 0 {
		sh.levels.Remove(i, s)
	}
}

// sweep takes parked timers off the wheel, while more are parked than pending, and as long as it finds
// some in each batch. When the worker is to leave the shard, or something is due, it leaves the rest to the
// next visit.
func (wk *worker) sweep(sh *shard) {
	for sh.parked() > sh.pending() && sh.sweepSome() {
		if now := wk.giveWay(sh); now >= wk.leaveAfter || sh.nextWake() <= now {
			return
		}
	}
	sh.sweeps = false
}

// sweepSome takes those of a batch of records off the wheel that are parked, and reports whether it has
// found any.
func (sh *shard) sweepSome() (found bool) {
	for range batch {
		if sh.swept >= uint32(sh.records.Chunks())*chunkLen {
			sh.swept = 0
		}
		if sh.closed || sh.records.Chunk(sh.swept/chunkLen) == nil {
			sh.swept |= chunkLen - 1 // the last one of it
		} else if s := sh.records.At(sh.swept); s.Flags&pending != 0 && !sh.isPending(sh.swept, s) {
			sh.shut(sh.swept, s)
			found = true
		}
		sh.swept++
	}
	return found
}

// parked returns how many of the shard's timers are parked.
func (sh *shard) parked() int {
	open, _, _ := sh.countLanes()
	return sh.counters.inLanes - open
}
