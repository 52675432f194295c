package timerwheel

import (
	"math/bits"
	"sync/atomic"
	"time"
	"unsafe" // Sizeof

	"github.com/seed76848005/timerwheel/internal/hook"
	"github.com/seed76848005/timerwheel/internal/levels"
)

// This file is what can be done to a timer without its shard's lock: to move it to a later time,
// to stop it and to start it again (parked.go), and to say that an idle one was touched (idle.go).
//
// Beside its record a timer may have a word. While the word is open it holds the generation and the
// deadline, which may be later than the record's. A goroutine that has the handle may change an open
// word, by a compare-and-swap. The timer stands in a bucket that is emptied at its deadline, or before,
// and has the flag levels.Open. When that bucket is emptied the timer goes to the list Due, due or
// not, and the worker that takes it from there looks at its word (isUp).
//
// Words are opened and closed under the shard's lock; rule 11 of sync_del.go says when. A timer that
// is moved to a later time under the lock stays in its bucket, and its word is opened (arm): so the
// second move, and all that follow until the wheel looks at the timer, need no lock. Not opened are
// the words of timers that must tell of each move: on a Manual wheel, where they take their place in
// the order of their tick, with Debug, of periodic ones, and of the library's own firings.
//
// Words lie in chunks of their own, beside the chunks of records, and are found without a lock: by a
// directory of pages of chunks. A chunk is made when the first word in it is opened. One that is given
// back is garbage: it is not used again, as somebody may be looking at it.

// The layout of a word. Every other word is closedWord: no generation is 0.
//
//	generation: 32 │ kind: 2 │ deadline: 30                in ticks, modulo 2^30
//	generation: 32 │ idle: 2 │ touched: 1 │ advances: 29   of an idle timer
const (
	closedWord = 0
	genShift   = 32

	kindMask   = 3 << 30
	openKind   = 0 << 30 // it can be moved
	ownedKind  = 1 << 30 // and parked
	parkedKind = 2 << 30
	idleKind   = 3 << 30

	ticksMask = 1<<30 - 1
	maxReach  = 1 << 28 // ticks: a quarter of what the word tells apart
)

// A wordDirectory finds the chunks of a shard.
type wordDirectory [wordPageLen]atomic.Pointer[wordPage]

type wordPage [wordPageLen]atomic.Pointer[wordChunk]

const (
	wordPageBits = (indexBits - chunkBits) / 2
	wordPageLen  = 1 << wordPageBits
)

// A wordChunk has the words of a chunk of records.
type wordChunk struct {
	words   [chunkLen]openTimer
	periods *[chunkLen]int64 // of idle timers, ns, not negative; the shard's lock guards it
	lanes   *lanes           // of the shard: parked.go
}

// An openTimer is a timer's word, and the exact deadline, whose tick the word has. A move writes both.
type openTimer struct {
	atomic.Uint64
	exact atomic.Int64 // ns; counts only if it lies in the word's tick
}

// index returns the number of the timer's record.
func (t Timer) index() uint32 { return uint32(t.id) >> shardBits }

// findWords returns the chunk of words n of a shard; nil, if there is none. It needs no lock.
func (w *Wheel) findWords(shard uint64, n uint32) *wordChunk {
	if dir := w.words[shard].Load(); dir != nil {
		if page := dir[n>>wordPageBits].Load(); page != nil {
			return page[n%wordPageLen].Load()
		}
	}
	return nil
}

// wordChunk returns the chunk in which the timer's word is; nil, if there is none. It needs no lock.
func (t Timer) wordChunk() *wordChunk {
	return t.wheel().findWords(t.id&(maxShards-1), t.index()/chunkLen)
}

// word returns the timer's word; nil, if there is none. It needs no lock.
func (t Timer) word() *openTimer {
	if c := t.wordChunk(); c != nil {
		return c.word(t)
	}
	return nil
}

func (c *wordChunk) word(t Timer) *openTimer { return &c.words[t.index()%chunkLen] }

// words returns chunk n of the shard's words, and makes it if there is none.
func (sh *shard) words(n uint32) *wordChunk {
	if c := sh.w.findWords(uint64(sh.no), n); c != nil {
		return c
	}
	return sh.makeWords(n)
}

func (sh *shard) makeWords(n uint32) *wordChunk {
	dir := &sh.w.words[sh.no]
	if dir.Load() == nil {
		dir.Store(new(wordDirectory))
		sh.wordBytes += int64(unsafe.Sizeof(wordDirectory{}))
	}
	page := &dir.Load()[n>>wordPageBits]
	if page.Load() == nil {
		page.Store(new(wordPage))
		sh.wordBytes += int64(unsafe.Sizeof(wordPage{}))
	}
	if sh.lanes == nil {
		sh.lanes = new(lanes)
		sh.wordBytes += int64(unsafe.Sizeof(lanes{}))
	}
	c := &wordChunk{lanes: sh.lanes}
	page.Load()[n%wordPageLen].Store(c)
	sh.wordBytes += c.bytes()
	return c
}

func (c *wordChunk) bytes() int64 {
	n := unsafe.Sizeof(*c)
	if c.periods != nil {
		n += unsafe.Sizeof(*c.periods)
	}
	return int64(n)
}

// dropWords drops the words of chunk n, which is given back.
func (sh *shard) dropWords(n uint32) {
	if c := sh.w.findWords(uint64(sh.no), n); c != nil {
		sh.w.words[sh.no].Load()[n>>wordPageBits].Load()[n%wordPageLen].Store(nil)
		sh.wordBytes -= c.bytes()
	}
}

// openedWord returns the word of a timer whose word is open.
func (sh *shard) openedWord(i uint32) *openTimer {
	return &sh.w.findWords(uint64(sh.no), i/chunkLen).words[i%chunkLen]
}

// armInPlace moves a timer whose word is open to a later time, or starts one that is parked, without the
// lock. It reports whether it was pending, and whether it has done so: where it has not, the lock is needed.
func (t Timer) armInPlace(when int64) (was, ok bool) {
	c := t.wordChunk()
	if c == nil {
		return false, false
	}
	if t.moveLater(c.word(t), when) {
		return true, true
	}
	return false, t.start(c, when)
}

// moveLater moves a timer whose word is open to a later time, without the lock, and reports whether
// it did. Where it does not, the lock is needed. It reads no clock. A deadline in the same tick as before
// is written as well: what happened before the move must happen before the handler's start.
func (t Timer) moveLater(x *openTimer, when int64) bool {
	w := t.wheel()
	to := w.ticksUp(when)
	moved := wordOf(uint32(t.id>>genShift), openKind, to)
	hook.At("before the load of a move")
	for {
		word := x.Load()
		last := w.reach.Load() // after the word: what that says is not beyond it
		if (word^moved)&^(ownedKind|ticksMask) != 0 || to > last || deadlineIn(word, last) > to {
			return false
		}
		hook.At("between the load and the swap of a move")
		x.exact.Store(when)
		if x.CompareAndSwap(word, moved|word&ownedKind) {
			return true
		}
	}
}

// ticksUp returns a time, in ns, in ticks, rounded up, as the levels round deadlines. It multiplies by
// the tick's reciprocal: that is at most one too small, and takes less time than a division.
func (w *Wheel) ticksUp(at int64) int64 {
	if at <= 0 {
		return 0
	}
	x := uint64(at - 1)
	n, _ := bits.Mul64(x, w.perTick)
	if x-n*uint64(w.tick) >= uint64(w.tick) {
		n++
	}
	return int64(n) + 1
}

// wordOf returns the word of a timer with a deadline, in ticks.
func wordOf(gen uint32, kind uint64, deadline int64) uint64 {
	return uint64(gen)<<genShift | kind | uint64(deadline)&ticksMask
}

// deadlineIn returns the deadline that a word says, in ticks: of those that it can mean, the one that is
// not after last, the reach, but nearest to it: what was written was not after it. If the wheel finds a
// timer so late that the word can mean another time, it takes it for a later one, and so fires none early.
func deadlineIn(word uint64, last int64) int64 { return last - (last-int64(word))&ticksMask }

// note makes words reach further, from a clock that was just read, if a quarter of the reach is used
// up. The reach is the last deadline that words can have, in ticks; it never goes back.
func (w *Wheel) note(now int64) {
	if now < w.noteAt.Load() {
		return
	}
	tick := int64(w.tick)
	reach := min(now/tick+maxReach, never/tick)
	for old := w.reach.Load(); reach > old && !w.reach.CompareAndSwap(old, reach); old = w.reach.Load() {
	}
	next := int64(never)
	if reach < never/tick {
		next = (reach - maxReach/4*3) * tick
	}
	w.noteAt.Store(next)
}

// open opens the word of a pending timer that stays in its bucket, if it may have one.
func (sh *shard) open(i uint32, s *record) {
	if !sh.mayOpen(i, s) {
		return
	}
	kind := uint64(openKind)
	if s.Owners > 0 && s.Flags&running == 0 {
		kind = ownedKind
		sh.enterLane(i)
	}
	sh.openAs(kind, i, s)
}

// mayOpen reports whether a timer may have a word that is not an idle one.
func (sh *shard) mayOpen(i uint32, s *record) bool {
	if s.Flags&isOwn != 0 || sh.w.ticksUp(s.When) > sh.w.reach.Load() {
		return false
	}
	b := sh.bodyOf(i, s)
	return b == nil || b.origin == nil && b.period == 0
}

func (sh *shard) openAs(kind uint64, i uint32, s *record) {
	s.Flags |= levels.Open
	x := &sh.words(i / chunkLen).words[i%chunkLen]
	x.exact.Store(s.When)
	x.Store(wordOf(s.Gen, kind, sh.w.ticksUp(s.When)))
}

// closeWord closes a timer's word, if it is open. The deadline is then what the word said, but that of
// an idle timer is not put off. A timer that was parked is not pending then: it stands in its bucket,
// or in no list.
func (sh *shard) closeWord(i uint32, s *record) {
	if s.Flags&levels.Open == 0 {
		return
	}
	s.Flags &^= levels.Open
	x := sh.openedWord(i)
	word := x.Swap(closedWord)
	if word&kindMask != idleKind {
		s.When = sh.w.says(x, word)
	}
	switch word & kindMask {
	case ownedKind:
		sh.leaveLane(i)
	case parkedKind:
		sh.unpark(i, s)
	}
}

// shut closes a timer's word, if it is open, and takes it off the wheel if it was parked.
func (sh *shard) shut(i uint32, s *record) {
	sh.closeWord(i, s)
	sh.takeOff(i, s)
}

// takeOff takes a timer that has just been unparked out of its bucket.
func (sh *shard) takeOff(i uint32, s *record) {
	if s.Flags&(pending|levels.InBucket) == levels.InBucket {
		sh.levels.Remove(i, s)
	}
}

// says returns the deadline that a word says, in ns. What lies beside the word may be of another call that
// moves the timer at once, or whose swap has failed, with a stale handle for instance. Then the deadline is
// that call's, if that lies in the same tick, or the end of the tick, if it does not. (Ticks are compared
// as words tell them apart: a call that is held up between its load and its swap for longer than words reach
// could be taken for one of now, if it meets the same of 2^30 ticks.)
func (w *Wheel) says(x *openTimer, word uint64) int64 {
	if exact := x.exact.Load(); (uint64(w.ticksUp(exact))^word)&ticksMask == 0 {
		return exact
	}
	return deadlineIn(word, w.reach.Load()) * int64(w.tick)
}

// look learns what has become of the deadline of a timer whose word is open. The word of an idle timer
// stays open. A mark may be older than the last RegisterIdle: it makes no deadline earlier.
func (sh *shard) look(i uint32, s *record) {
	x := sh.openedWord(i)
	if x.Load()&kindMask != idleKind {
		sh.shut(i, s)
		return
	}
	word := x.Swap(idleWord(s.Gen))
	period := sh.words(i / chunkLen).periods[i%chunkLen]
	if word&touched == 0 || period == 0 {
		return
	}
	hook.At("between the mark of a look and its clock")
	s.When = max(s.When, after(sh.touchedBy(word), time.Duration(period)))
}

// deadline returns the deadline of a pending timer, as if the wheel looked at it now; never, if it is
// parked. It closes no word: a timer may stand in the list Due only because its word is open, and must be
// looked at there (isUp).
func (sh *shard) deadline(i uint32, s *record) int64 {
	at, _ := sh.pendingDeadline(i, s)
	return at
}

// pendingDeadline returns the deadline of a timer; never, and false, if it is not pending.
func (sh *shard) pendingDeadline(i uint32, s *record) (at int64, ok bool) {
	switch {
	case s.Flags&pending == 0:
		return never, false
	case s.Flags&levels.Open == 0:
		return s.When, true
	}
	hook.At("before the load of a deadline")
	x := sh.openedWord(i)
	switch word := x.Load(); word & kindMask {
	case idleKind:
		sh.look(i, s)
		return s.When, true
	case parkedKind:
		return never, false
	default:
		return sh.w.says(x, word), true
	}
}

// closePending closes a timer's word, for armClosed, and reports whether the timer is pending.
func (sh *shard) closePending(i uint32, s *record) bool {
	sh.shut(i, s)
	return s.Flags&pending != 0
}

// isPending reports whether a timer is pending. One that is parked is not, though its record says so.
func (sh *shard) isPending(i uint32, s *record) bool {
	return s.Flags&pending != 0 && (s.Flags&levels.Open == 0 || sh.openedWord(i).Load()&kindMask != parkedKind)
}

// dueAt reports whether a timer in a list is pending, and due at a tick.
func (sh *shard) dueAt(i uint32, s *record, tick int64) bool {
	deadline := sh.deadline(i, s)
	return sh.levels.DueAt(s, tick) && (deadline == s.When || sh.w.ticksUp(deadline) <= tick)
}

// insertOpen puts an idle timer where it is looked at next.
func (sh *shard) insertOpen(i uint32, s *record, now int64) (tick int64) {
	period := sh.words(i / chunkLen).periods[i%chunkLen]
	return sh.levels.InsertAt(i, s, sh.levels.LookTick(s, after(now, time.Duration(period/looksAPeriod))))
}

// isUp reports whether a timer in the list Due, or in that of those held back, is due. One whose word
// is open may have come there only to be looked at, or may have been put off since: then it moves to
// where it belongs. One that is parked leaves the wheel.
func (sh *shard) isUp(i uint32, s *record, now int64) bool {
	if s.Flags&levels.Open == 0 {
		return true
	}
	sh.look(i, s)
	if s.Flags&pending == 0 {
		sh.sweeps = true
		return false
	}
	if sh.levels.DueNow(s) {
		return true
	}
	sh.levels.Remove(i, s)
	sh.checkWitness(i)
	sh.w.wakeBy(sh.place(i, s, now))
	return false
}

// claim is isUp for a timer that is to begin: from then on its word is closed. If a Touch has come after
// the look, it looks again.
func (sh *shard) claim(i uint32, s *record, now int64) bool {
	for s.Flags&levels.Open != 0 {
		if !sh.isUp(i, s, now) {
			return false
		}
		hook.At("between a look and the begin")
		if s.Flags&levels.Open != 0 && sh.openedWord(i).CompareAndSwap(idleWord(s.Gen), closedWord) {
			s.Flags &^= levels.Open
		}
	}
	return true
}
