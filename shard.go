package timerwheel

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// A shard owns a part of the wheel's timers: their storage, the levels that
// they stand in, the running slots of those that run, and the counters. One
// mutex guards all of it. A timer stays in its shard for life.
//
// Every method of shard, levels, slab and Group that does not lock says or
// means: the caller holds mu.
type shard struct {
	w  *Wheel
	no uint32

	mu        mutex
	records   records
	bodies    table[*values]     // beside the chunks of slots
	args      table[*values]     // likewise, of chunks in which a function has ever had an argument
	argChunks int                // how many of these there are
	floors    table[uint32]      // by chunk: a generation that is above all that were in handles
	running   pages[runningSlot] // worker.go
	slow      int64              // time spent in handlers that were not quick, ns
	closed    bool               // no Register any more; what is pending is in no list, and is being dropped
	counters  counters

	lastUser    *localShard // of the processor that was the last to take a timer from here
	userChanges int         // how often that was another than before

	busy      atomic.Bool // something pends; read without the lock
	advancing bool        // an Advance of a Manual wheel is under way: what becomes due now is deferred

	past history // with Debug

	levels levels // the last, as it is large
}

type counters struct {
	pending                    int
	registered, fired, removed uint64
	refused, syncWaits         uint64
	maxLate, sumLate           int64 // ns
	maxRun, sumRun             int64 // ns
	lateness                   [len(Stats{}.Lateness)]uint64
	runTime                    [len(Stats{}.RunTime)]uint64
	misuses                    uint64
}

// never is the deadline of a timer that is too far away for the clock. The
// wheel's time never comes to it: see Wheel.elapsed.
const never = math.MaxInt64

func newShard(w *Wheel, no uint32) *shard {
	sh := &shard{w: w, no: no}
	sh.levels = newLevels(int64(w.tick), &sh.records)
	return sh
}

func (sh *shard) lock() { sh.mu.Lock() }

func (sh *shard) unlock() {
	if checkInvariants {
		defer sh.mu.Unlock() // whatever it finds
		sh.check()
		return
	}
	sh.mu.Unlock()
}

// after returns the deadline d from now; never, if there is no such time.
func after(now int64, d time.Duration) int64 {
	if d <= 0 {
		return now
	}
	if int64(d) > never-now {
		return never
	}
	return now + int64(d)
}

// arm makes a timer pending with the deadline when, or moves it there, and sees
// to it that the wheel is awake in time.
//
// A pending timer that is registered for later stays where it is: when its old
// slot is emptied it is put where it belongs then. That makes the commonest
// call of all, pushing a timeout back, one store.
func (sh *shard) arm(i uint32, s *record, when, now int64) {
	if when > now && s.stays(when) {
		s.when, s.flags = when, s.flags&^(prompt|onGrid)
		return
	}
	sh.move(i, s, when, now)
}

// move is arm for a timer that must be put into another list.
func (sh *shard) move(i uint32, s *record, when, now int64) {
	if s.flags&pending != 0 {
		sh.levels.remove(i, s)
	} else {
		sh.link(s)
	}
	s.when = when
	s.flags &^= prompt | onGrid
	if when <= now {
		s.flags |= prompt
	}
	sh.w.wakeBy(sh.place(i, s, now))
}

// link makes a timer pending. The wheel's reference comes with that.
func (sh *shard) link(s *record) {
	s.flags |= pending
	sh.counters.registered++
	if sh.counters.pending++; sh.counters.pending == 1 {
		sh.busy.Store(true)
	}
}

// stays reports whether a timer that is registered for when can stay where it
// is: in a slot that is emptied before that.
func (s *record) stays(when int64) bool { return s.flags&inBucket != 0 && when >= s.when }

// place puts a pending timer that is in no list where its deadline belongs, and
// returns the time by which the wheel must be awake for it.
func (sh *shard) place(i uint32, s *record, now int64) (wake int64) {
	if sh.advancing && s.when <= sh.w.elapsed() {
		sh.levels.push(listDeferred, i, s)
		return never
	}
	sh.levels.catchUp(now)
	return sh.nanos(sh.levels.insert(i, s))
}

// disarm removes a timer's firing, if there is one.
func (sh *shard) disarm(i uint32, s *record) (found bool) {
	if s.flags&pending == 0 {
		return false
	}
	if s.flags&hasBody != 0 && sh.w.debug {
		sh.recordRemoval(i, s)
	}
	sh.unlink(i, s)
	sh.counters.removed++
	return true
}

// unlink takes a pending timer off the wheel. Its reference goes with that.
func (sh *shard) unlink(i uint32, s *record) {
	if !sh.closed {
		sh.levels.remove(i, s)
	}
	s.flags &^= pending | inBucket | prompt | onGrid
	if sh.counters.pending--; sh.counters.pending == 0 {
		sh.busy.Store(false)
	}
}

// refusal says why a Register of this timer must be refused, if it must.
func (sh *shard) refusal(i uint32, s *record) error {
	if s == nil {
		return ErrStale
	}
	g := sh.groupOf(i, s)
	switch {
	case s.flags&shutdown != 0 || g.shutDown():
		return ErrShutdown
	case s.flags&deleting != 0 || g.beingDeleted():
		return ErrDeleting
	case sh.closed:
		return ErrClosed
	}
	return nil
}

// refuse says whether a Register must be refused, and counts it. One look at the
// flags is nearly always enough.
func (sh *shard) refuse(i uint32, s *record) error {
	if s != nil && s.flags&(shutdown|deleting|hasBody) == 0 && !sh.closed {
		return nil
	}
	return sh.refuseSlow(i, s)
}

// examine is refuse for whom the flags alone do not clear.
func (sh *shard) refuseSlow(i uint32, s *record) error {
	err := sh.refusal(i, s)
	if err != nil {
		sh.counters.refused++
		err = sh.explain(err, i, s)
	}
	return err
}

// needsClock reports whether a Register for when must know the time: because
// the wheel would have to be woken earlier for it than it will be.
func (sh *shard) needsClock(s *record, when int64) bool {
	look := when
	if !s.stays(when) {
		_, start := sh.levels.find(when / sh.levels.tick)
		look = min(look, sh.nanos(start))
	}
	return look < sh.w.alarm.at.Load()
}

// nanos returns the time at which a tick begins.
func (sh *shard) nanos(tick int64) int64 {
	high, ns := bits.Mul64(uint64(tick), uint64(sh.levels.tick))
	if high != 0 || ns > never {
		return never
	}
	return int64(ns)
}

// soonest returns a time that is not after the next firing; never, if nothing
// is in line. A timer that is held does not count: its runner sees to it.
func (sh *shard) nextWake() int64 {
	if sh.levels.tails[listDue] != 0 {
		return 0
	}
	start, _, ok := sh.levels.next()
	if !ok {
		return never
	}
	return sh.nanos(start)
}

// batch is the number of timers that one critical section moves: it bounds how
// long a Register may have to wait for a shard in which a million are due.
const batch = 64

// pop returns the next timer that is due. It holds on to the lock for one
// batch at most; more says that a further call may find one where this did not.
func (sh *shard) pop(now int64) (i uint32, ok, more bool) {
	if sh.closed {
		return 0, false, false
	}
	if sh.levels.tails[listDue] == 0 {
		more = sh.levels.expire(now/sh.levels.tick, batch)
		if sh.levels.tails[listDue] == 0 {
			return 0, false, more
		}
		sh.prefetch()
	}
	return sh.levels.last(listDue), true, true
}

// fetch looks at the functions of the timers that have just become due, and at
// their chunks, before they are called and recycled one by one: they lie
// scattered, and so the processor fetches many of them at once. Without it a firing
// would cost half as much again ("CPU a firing" of bench/).
func (sh *shard) prefetch() {
	for tail := sh.levels.tails[listDue]; tail != 0; {
		b := sh.levels.blocks.at(tail - 1)
		for _, i := range b.entries[:b.n] {
			if *sh.body(i) == nil || sh.records.chunks.rows[i>>chunkBits].empty() {
				panic("timerwheel: a due timer that does not live")
			}
		}
		tail = b.prev
	}
}
