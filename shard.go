package timerwheel

import (
	"github.com/seed76848005/timerwheel/internal/hook"
	"github.com/seed76848005/timerwheel/internal/levels"
	"github.com/seed76848005/timerwheel/internal/slab"
)

// A shard owns a part of the wheel's timers: their storage, the levels that they stand
// in, the running slots of those that run, and the counters. One mutex guards all of it.
// A timer stays in its shard for life.
//
// Every method of shard and Group that does not lock requires that the caller holds mu.
//
// The shards of a wheel are one array, so one shard's end and the next one's begin share a cache line.
// What is written all the time is in neither.
type shard struct {
	w  *Wheel
	no uint32

	mu         hook.Mutex
	records    levels.Records
	annexes    slab.Table[*annex]      // beside the chunks of records: annex.go
	annexBytes int64                   // the storage of what is in annexes
	wordBytes  int64                   // the storage of words: word.go
	lanes      *lanes                  // nil while there is no word: parked.go
	ballast    bool                    // each lane counts one too many
	swept      uint32                  // the record with which sweep goes on
	sweeps     bool                    // a parked timer's bucket was emptied since sweep looked
	running    slab.Pages[runningSlot] // running.go
	watches    watches                 // with OnStall: watch.go
	closed     bool                    // no Register any more; what is pending is in no list, and is being dropped
	advancing  bool                    // an Advance of a Manual wheel is under way: what becomes due now is deferred
	counters   counters

	lastUser    *localShard // of the processor that was the last to take a timer from here: placement.go
	userChanges int         // how often that was another than before
	witness     uint32      // the number, plus one, of a timer that shows that Saturated is not over; 0: none

	levels levels.Levels
	own    *levels.Levels     // of the firings of the library's own packages; nil while there was none: own.go
	floors slab.Table[uint32] // by chunk: a generation that is above all that were in handles
	groups *groupTable        // nil while no group has had a member: membership.go
	past   *history           // with Debug, else nil
}

// newShards makes the shards of a wheel.
func newShards(w *Wheel, n int) (shards []*shard) {
	all := make([]shard, n)
	for no := range all {
		sh := &all[no]
		sh.w, sh.no = w, uint32(no)
		sh.levels = levels.New(int64(w.tick), &sh.records)
		if w.debug {
			sh.past = &history{origins: make(map[uint64]*origin)}
		}
		shards = append(shards, sh)
	}
	return shards
}

func (sh *shard) lock() { sh.mu.Lock() }

func (sh *shard) unlock() {
	if checkInvariants {
		sh.check()
	}
	sh.mu.Unlock()
}

// arm makes a timer pending with the deadline when, or moves it there, and makes sure
// that the wheel is awake in time.
//
// A pending timer that is registered for later stays in its bucket: when that is emptied
// the timer is put into the bucket of its new deadline. So the commonest call of all, pushing a
// timeout back, needs no lock from the second time on: its word is open. On a Manual wheel it moves
// at once, as the timers of a tick begin in the order in which they were registered for it.
//
// The same goes for a timer that was parked.
func (sh *shard) arm(i uint32, s *record, when, now int64) (was bool) {
	sh.closeWord(i, s)
	return sh.armClosed(i, s, when, now)
}

// reduce is arm, unless that made the deadline of a pending timer later.
func (sh *shard) reduce(i uint32, s *record, when, now int64) (was bool) {
	if deadline, ok := sh.pendingDeadline(i, s); ok && deadline <= when {
		return true
	}
	sh.closeWord(i, s)
	return sh.reduceClosed(i, s, when, now)
}

// reduceClosed is reduce for a timer whose word has just been closed. It may have been started since reduce
// asked. If the time beside its word is that of another call (says), it may be over, though the tick is
// not: then the timer is due at the end of the tick, as it was.
func (sh *shard) reduceClosed(i uint32, s *record, when, now int64) (was bool) {
	if s.Flags&pending != 0 {
		when = min(when, max(s.When, now+1))
	}
	return sh.armClosed(i, s, when, now)
}

// armClosed is arm for a timer whose word has just been closed.
func (sh *shard) armClosed(i uint32, s *record, when, now int64) (was bool) {
	sh.w.note(now)
	was = s.Flags&pending != 0
	if when > now && s.CanStay(when) && !sh.w.manual {
		s.When, s.Flags = when, s.Flags&^(levels.Prompt|onGrid)
		if !was {
			sh.w.wakeBy(sh.link(s))
			sh.setBallast()
		}
		sh.open(i, s)
		return was
	}
	sh.takeOff(i, s)
	sh.move(i, s, when, now)
	return was
}

// move is arm for a timer that must be put into another list: as an idle one, if its word is open.
func (sh *shard) move(i uint32, s *record, when, now int64) {
	wake := int64(never)
	if s.Flags&pending != 0 {
		sh.leaveLine(i, s)
		sh.levelsOf(s).Remove(i, s)
		sh.checkWitness(i)
	} else {
		wake = sh.link(s)
	}
	s.When = when
	s.Flags &^= levels.Prompt | onGrid
	if when <= now {
		s.Flags |= levels.Prompt
	}
	wake = min(wake, sh.insert(i, s, now))
	if s.Flags&isOwn != 0 {
		sh.w.wakeAnyway(wake)
		return
	}
	sh.w.wakeBy(wake)
}

// link makes a timer pending: it takes the wheel's reference. It returns the time by which the wheel
// must be awake for what was parked before: as nothing pended, the alarm was not set for that.
func (sh *shard) link(s *record) (wake int64) {
	s.Flags |= pending
	sh.counters.registered++
	sh.counters.linked++
	if sh.anchor().Wheel == nil {
		return sh.occupy()
	}
	return never
}

func (sh *shard) anchor() *anchor { return &sh.w.alarm.anchors[sh.no] }

// occupy records that the shard has something pending: wake-ups look at it, and the alarm keeps
// the wheel. It returns the time of the next of them.
func (sh *shard) occupy() (wake int64) {
	sh.anchor().Wheel = sh.w
	if bit := uint64(1) << sh.no; sh.w.occupied.Load()&bit == 0 { // nearly always it is there
		sh.w.occupied.Or(bit)
	}
	return sh.nextWake()
}

// vacate has wake-ups pass the shard over, if it has nothing for them. A deletion leaves that to the
// next wake-up: so processors that use different shards do not write the same word all the time.
func (sh *shard) vacate() {
	if sh.anchor().Wheel == nil && len(sh.watches) == 0 {
		sh.w.occupied.And(^(uint64(1) << sh.no))
	}
}

// insert puts a pending timer that is in no list where its deadline belongs, and returns
// the time by which the wheel must be awake for it.
func (sh *shard) insert(i uint32, s *record, now int64) (wake int64) {
	if sh.advancing && sh.levels.DueAt(s, sh.w.elapsed()/sh.levels.Tick()) {
		sh.levels.Push(levels.Deferred, i, s)
		return never
	}
	return sh.place(i, s, now)
}

// place is insert for what an Advance that is under way may fire.
func (sh *shard) place(i uint32, s *record, now int64) (wake int64) {
	l := sh.levelsOf(s)
	l.CatchUp(now)
	if s.Flags&levels.Open != 0 {
		return sh.nanos(sh.insertOpen(i, s, now))
	}
	return sh.nanos(l.Insert(i, s))
}

// disarm removes a timer's firing, if there is one, and reports whether there was.
func (sh *shard) disarm(i uint32, s *record) (found bool) {
	sh.shut(i, s)
	if s.Flags&pending == 0 {
		return false
	}
	if s.Flags&hasBody != 0 && sh.w.debug {
		sh.recordRemoval(i, s)
	}
	sh.unlink(i, s)
	sh.counters.removed++
	return true
}

// unlink takes a pending timer, whose word is closed, off the wheel, and drops the wheel's reference.
func (sh *shard) unlink(i uint32, s *record) {
	sh.leaveLine(i, s)
	if !sh.closed {
		sh.levelsOf(s).Remove(i, s)
		sh.checkWitness(i)
	}
	s.Flags &^= pending | levels.InBucket | levels.Prompt | onGrid
	sh.counters.linked--
	sh.checkDrained()
}

// refuse returns the error of a Register that must be refused, and counts it; nil if the
// Register may go on. One look at the flags is nearly always enough.
func (sh *shard) refuse(i uint32, s *record) error {
	if s != nil && s.Flags&(shutdown|deleting|isMember) == 0 && !sh.closed {
		return nil
	}
	return sh.refuseSlow(i, s)
}

// refuseSlow is the slow path of refuse.
func (sh *shard) refuseSlow(i uint32, s *record) error {
	err := sh.refusal(i, s)
	if err != nil {
		sh.counters.refused++
		err = sh.explain(err, i, s)
	}
	return err
}

// refusal returns the error of a Register that must be refused.
func (sh *shard) refusal(i uint32, s *record) error {
	if s == nil {
		return ErrStale
	}
	g := sh.groupOf(i, s)
	switch {
	case s.Flags&shutdown != 0 || g.shutDown():
		return ErrShutdown
	case s.Flags&deleting != 0 || g.beingDeleted():
		return ErrDeleting
	case sh.closed:
		return ErrClosed
	}
	return nil
}

// needsClock reports whether a Register for when must know the time: because the wheel
// would have to be woken earlier for it, or for what is parked, than the alarm is set.
func (sh *shard) needsClock(s *record, when int64) bool {
	look := when
	if sh.anchor().Wheel == nil {
		look = min(look, sh.nextBucket(&sh.levels))
	}
	if !s.CanStay(when) {
		look = min(look, sh.nanos(sh.levelsOf(s).LooksAt(when)))
	}
	return look < sh.w.alarm.at.Load()
}

// nextWake returns a time that is not after the next firing; never, if no timer is
// waiting for a time or a worker. A timer that is held back does not count: the worker
// that ends its run puts it back, or the one that serves its line runs it. One that is parked counts
// only if another is pending.
func (sh *shard) nextWake() int64 { return sh.nextIn(&sh.levels) }

// nextIn returns a time that is not after the next firing in the levels.
func (sh *shard) nextIn(l *levels.Levels) int64 {
	if sh.anchor().Wheel == nil {
		return never
	}
	return sh.nextBucket(l)
}

// nextBucket is nextIn, also if nothing but parked timers is there.
func (sh *shard) nextBucket(l *levels.Levels) int64 {
	if !l.Empty(levels.Due) {
		return 0
	}
	tick, ok := l.Next()
	if !ok {
		return never
	}
	return sh.nanos(tick)
}

// batch is the number of timers that one critical section moves: it bounds how long a
// Register may have to wait for a shard in which a million timers are due.
const batch = 64

// pop returns the next timer that is due. It holds the lock for at most one batch; more
// reports that a further call may find a timer where this one found none.
func (sh *shard) pop(now int64) (i uint32, ok, more bool) {
	if sh.closed {
		return 0, false, false
	}
	if sh.levels.Empty(levels.Due) {
		more = sh.levels.Expire(now/sh.levels.Tick(), batch)
		if sh.levels.Empty(levels.Due) {
			return 0, false, more
		}
		sh.prefetch()
	}
	for range batch {
		if sh.levels.Empty(levels.Due) {
			break
		}
		i = sh.levels.Last(levels.Due)
		if sh.isUp(i, sh.records.At(i), now) {
			return i, true, true
		}
	}
	return 0, false, true
}

// prefetch looks at the functions of the timers that have just become due, and at their
// chunks, before they are called and recycled one by one. They lie scattered, and this way
// the processor fetches many of them at once. Without it a firing would cost half as much
// again ("CPU a firing" of bench/).
func (sh *shard) prefetch() {
	for block := range sh.levels.All(levels.Due) {
		for _, i := range block {
			if sh.function(i, sh.records.At(i)) == nil || sh.records.Chunk(i/chunkLen).Empty() {
				panic("timerwheel: a due timer that does not live")
			}
		}
	}
}

// close drops everything that is pending, and returns what must be handed over. First it
// drops the lists, all at once, and then the timers, chunk after chunk, as they lie in
// memory: taking each out of its list, in the lists' order, costs several times as much
// (BenchmarkClose). While it lets go of the lock no timer becomes pending.
func (sh *shard) close() (orphans []orphan) {
	sh.lock()
	defer sh.end()
	sh.closed = true
	sh.witness = 0
	sh.levels, sh.own = levels.New(sh.levels.Tick(), &sh.records), nil
	for i := uint32(0); sh.counters.linked > 0; i++ {
		if sh.records.Chunk(i/chunkLen) == nil {
			i |= chunkLen - 1 // the last one of it
		} else if s := sh.records.At(i); s.Flags&pending != 0 {
			if x := sh.firingOf(i, s); x != nil {
				orphans = append(orphans, orphan{x, sh.deadline(i, s)})
			}
			sh.disarm(i, s)
			sh.release(i, s)
		}
		if (i+1)%batch == 0 {
			sh.unlock()
			sh.lock()
		}
	}
	return orphans
}
