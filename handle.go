package timerwheel

import (
	"math"
	"unsafe"

	"github.com/seed76848005/timerwheel/internal/levels"
	"github.com/seed76848005/timerwheel/internal/slab"
)

// This file is the storage of timers: records, generations, references.
//
// # The life of a record
//
// A timer is a record in its shard's slab. A handle to it is the number of shard and
// record together with the record's generation at that time. The record lives as long
// as a reference to it is held, and nothing else keeps it alive.
//
//	         Alloc                                 begin
//	free ───────────▶ idle ──────────▶ pending ───────────▶ running ⇄ running
//	 ▲                 │    Register      │                    │      and pending
//	 │                 │ last Free        │ deletion, and      │ return, and
//	 │                 │                  │ no owner           │ no owner,
//	 └─────────────────┴──────────────────┴────────────────────┘ not pending
//	              recycle: the generation moves on
//
//	state     holds a reference         its invariant
//	free      nothing                   its generation is in no handle; it has no function; flags are 0
//	idle      the owners                owners > 0; in no list
//	pending   the owners, the wheel     in exactly one list of the levels (of a closed shard: in none); When is its deadline, or its word says a later one
//	parked    the owners                its flags and its list are those of a pending timer, but its word says that it is idle (parked.go)
//	running   the owners, a worker      in exactly one worker's running slot
//	retired   nothing, for ever         its generations are used up; in no handle
//
// There is no single counter of references: owners are counted, the wheel's reference
// is the flag pending and the worker's is the flag running, so they cannot disagree
// with the facts. A waiting deletion holds no reference.
//
// A record's generation moves on when it is recycled, before it can be handed out
// again, so an old handle never matches: every entry point looks the generation up,
// under the shard's lock, before it does anything else (lookup), or swaps a word that has
// it (word.go). When the last
// generation has been used the record is retired, not wrapped.
//
// A chunk of records in which nothing lives is given back (slab.Spares). What remains
// of it is one number, the floor: the chunk that takes its place starts all its records
// at that generation, above all that were ever in a handle.

// A record is the part of a timer that is looked at all the time. The shard's lock
// guards it.
type record = levels.Record

// The flags of a record, after those that the levels know.
const (
	pending    = levels.FirstFree << iota // the wheel's reference; a timer that is parked has it as well (isPending)
	running                               // a worker's reference
	locking                               // it stands in the line of its lock (lines.go); that holds no reference
	deleting                              // a deletion waits for the run in flight: no Register
	shutdown                              // no Register any more
	onGrid                                // its deadline is an instant of its period, not one that a Register set
	takesTimer                            // its function is a func(Timer) or func(Timer, any)
	hasArg                                // its function is a func(any) or func(Timer, any)
	hasBody                               // its function is in a *body
	isOwn                                 // its function is an *own.Firing, and it stands in shard.own
	isMember                              // it is a member of a group, and has a membership
	reused                                // it was deleted before: its next deletion may park it
)

const (
	chunkBits  = levels.ChunkBits
	chunkLen   = 1 << chunkBits // records in a chunk
	maxRecords = 1 << indexBits // of a shard

	shardBits = 6
	indexBits = 32 - shardBits

	firstGen = 1 // so that the zero Timer matches no record
	lastGen  = math.MaxUint32
)

// id makes the number in a handle: generation, record, shard.
func (sh *shard) id(i uint32, s *record) uint64 {
	return uint64(s.Gen)<<32 | uint64(i)<<shardBits | uint64(sh.no)
}

// lookup returns the record that t names; nil if t is stale.
func (sh *shard) lookup(t Timer) (i uint32, s *record) {
	i = uint32(t.id) >> shardBits
	if c := sh.records.Chunk(i / chunkLen); c != nil {
		if s := &c.Items[i%chunkLen]; s.Gen == uint32(t.id>>32) {
			return i, s
		}
	}
	return i, nil
}

// timer returns the handle to a record in use.
func (sh *shard) timer(i uint32, s *record) Timer { return Timer{unsafe.Pointer(sh.w), sh.id(i, s)} }

// reserve makes sure that there is a free record, for a timer with the function f, if the shard
// can have one more, and reports whether there is. It makes new storage without the lock: the
// garbage collector may require the allocation to help it first, and the system provides each page
// when it is first touched ("growth" of bench/cmd/pauses).
func (sh *shard) reserve(f any) bool {
	if sh.records.Free() > 0 {
		return true
	}
	rows := sh.records.NextCap()
	sh.unlock()
	c := newSpareChunk(rows, f)
	sh.lock()
	if sh.records.Free() == 0 && sh.hasRoom() {
		sh.install(c)
	}
	return sh.records.Free() > 0
}

// hasRoom reports whether the shard can hold one more timer.
func (sh *shard) hasRoom() bool {
	return sh.records.Free() > 0 || sh.records.Holes() > 0 || sh.records.Chunks() < maxRecords/chunkLen
}

// A spareChunk is storage for more timers: a chunk of records, its annex, and, if the shard's
// tables are nearly full, the tables' successors.
type spareChunk struct {
	records *levels.Chunk
	annex   *annex

	recordRows []*levels.Chunk
	annexRows  []*annex
	floorRows  []uint32
}

// What giveBack gives back, for the next peak.
var spareRecords = slab.NewSpares(levels.NewChunk)

// newSpareChunk makes a chunk as one that was never used, with room for functions like f, and
// tables with that many rows. It writes all of it: the system provides memory when it is first used.
func newSpareChunk(rows int, f any) spareChunk {
	c := spareChunk{
		records:    spareRecords.Take(),
		annex:      newAnnex(f),
		recordRows: slab.Touched[*levels.Chunk](rows),
		annexRows:  slab.Touched[*annex](rows),
		floorRows:  slab.Touched[uint32](rows),
	}
	for k := range c.records.Items {
		c.records.Items[k].Gen = firstGen
	}
	return c
}

// install adds a spare chunk to the shard.
func (sh *shard) install(c spareChunk) {
	used := sh.records.Used() + 1
	sh.records.SetNext(c.recordRows)
	sh.annexes.SetNext(c.annexRows, used)
	sh.floors.SetNext(c.floorRows, used)
	sh.initChunk(sh.records.Grow(c.records), c.annex)
}

// initChunk prepares a new chunk: the annex beside it, and generations above the floor that the
// chunk before it left, if there was one.
func (sh *shard) initChunk(n uint32, x *annex) {
	if int(n) == sh.annexes.Len() {
		sh.annexes.Push(x)
		sh.floors.Push(firstGen)
	} else {
		sh.annexes.Set(n, x)
		items := &sh.records.Chunk(n).Items
		for i := range items {
			items[i].Gen = sh.floors.Row(n)
		}
	}
	sh.annexBytes += x.bytes()
	used := sh.records.Used()
	sh.annexes.Grew(used)
	sh.floors.Grew(used)
}

// newTimer takes a free record, which there must be: see lockFor. The caller makes its
// one reference: an owner's, or the wheel's. The function is a func(), a func(Timer), a func(any), a
// func(Timer, any), a *body, or an *own.Firing of the library's own packages.
func (sh *shard) newTimer(f, arg any) (i uint32, s *record) {
	i = sh.records.Alloc()
	s = sh.records.At(i)
	s.Owners = 0
	s.Flags = sh.setFunction(i, f, arg)
	return i, s
}

// free drops an owner's reference.
func (sh *shard) free(i uint32, s *record) {
	if s.Flags&hasBody != 0 && sh.w.debug {
		sh.recordFree(i, s)
	}
	if s.Owners--; s.Owners == 0 {
		sh.disown(i, s)
	}
	sh.release(i, s)
}

// release recycles a timer if no reference to it is held any more, and reports whether
// it did.
func (sh *shard) release(i uint32, s *record) bool {
	if s.Owners > 0 || s.Flags&(pending|running) != 0 {
		return false
	}
	sh.recycle(i, s)
	return true
}

// recycle ends a timer: its function is dropped, its handles go stale, and its record is
// free for the next timer.
func (sh *shard) recycle(i uint32, s *record) {
	if s.Flags&isMember != 0 {
		sh.dismiss(i)
	}
	if s.Flags&hasBody != 0 && sh.w.debug {
		sh.remember(i, s)
	}
	sh.dropFunction(i, s)
	s.Flags = 0
	poison(s)
	var emptied bool
	if s.Gen < lastGen {
		s.Gen++
		emptied = sh.records.Release(i)
	} else {
		s.Gen = 0 // in no handle
		emptied = sh.records.Retire(i)
	}
	if emptied && sh.records.Spare(i) {
		sh.giveBack(i)
	}
}

// giveBack gives back the chunk of record i, in which nothing lives. A chunk
// that has a retired record is not replaced by another.
func (sh *shard) giveBack(i uint32) {
	n := i / chunkLen
	c, floor := sh.records.Chunk(n), sh.floors.Row(n)
	for k := range c.Items {
		floor = max(floor, c.Items[k].Gen)
	}
	sh.floors.Set(n, floor)
	sh.records.Drop(i, c.Lost() == 0)
	if c.Lost() == 0 {
		spareRecords.Give(c)
	}
	x := sh.annexes.Row(n)
	sh.annexBytes -= x.bytes()
	x.giveBack()
	sh.annexes.Set(n, nil)
	sh.dropWords(n)
	used := sh.records.Used()
	sh.annexes.Shrank(used)
	sh.floors.Shrank(used)
}
