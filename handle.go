package timerwheel

import (
	"math"
	"unsafe"

	"github.com/seed76848005/timerwheel/internal/levels"
	"github.com/seed76848005/timerwheel/internal/own"
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
//	free      nothing                   its generation is in no handle; its body is nil; flags are 0
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
// under the shard's lock, before it does anything else (lookup). When the last
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
	pending  = levels.FirstFree << iota // the wheel's reference; a timer that is parked has it as well (isPending)
	running                             // a worker's reference
	locking                             // it stands in the line of its lock (lines.go); that holds no reference
	deleting                            // a deletion waits for the run in flight: no Register
	shutdown                            // no Register any more
	onGrid                              // its deadline is an instant of its period, not one that a Register set
	hasBody                             // its body is a *body
	hasArg                              // it has an argument, in args: of a func(any) or func(Timer, any), or an *own.Firing with a function of the user's
	isOwn                               // its body is an *own.Firing, and it stands in shard.own
	isMember                            // it is a member of a group, and has a membership
	reused                              // it was deleted before: its next deletion may park it
)

// A body is what is called when a timer fires: a func(), a func(Timer), a func(any), a
// func(Timer, any), an *own.Firing of the library's own packages, or, for a timer with any of
// the rarer features, a *body. Functions and pointers fit into an interface without an
// allocation.
type body struct {
	f       any      // func(), func(Timer), func(any) or func(Timer, any)
	arg     any      // of the last two
	bound   *binding // of a lock-bound timer, else nil
	period  int64    // of a periodic timer, ns
	*origin          // with Debug, else nil
}

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

// reserve makes sure that there is a free record, if the shard can have one more, and
// reports whether there is. It makes new storage without the lock: the garbage collector
// may require the allocation to help it first, and the system provides each page when it
// is first touched ("growth" of bench/cmd/pauses).
func (sh *shard) reserve() bool {
	if sh.records.Free() > 0 {
		return true
	}
	rows := sh.records.NextCap()
	sh.unlock()
	c := newSpareChunk(rows)
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

// values are the bodies of a chunk's timers, or their arguments. The runtime puts a word
// before an object of that size that has pointers. With one more word none of the values
// lies across the end of a cache line, as every fourth would: that is another miss, and a
// tenth of the cost of a firing ("CPU a firing" of bench/).
type values struct {
	_     [8]byte
	items [chunkLen]any
}

// A spareChunk is storage for more timers: a chunk of records, their bodies, and, if the
// shard's tables are nearly full, the tables' successors.
type spareChunk struct {
	records *levels.Chunk
	bodies  *values

	recordRows        []*levels.Chunk
	bodyRows, argRows []*values
	membershipRows    []*memberships
	floorRows         []uint32
}

// What giveBack gives back, for the next peak. The values are all nil.
var (
	spareRecords = slab.NewSpares(levels.NewChunk)
	spareValues  = slab.NewSpares(func() *values { return new(values) })
)

// newSpareChunk makes a chunk as one that was never used, and tables with that many rows. It
// writes all of it: the system provides memory when it is first used.
func newSpareChunk(rows int) spareChunk {
	c := spareChunk{
		records:        spareRecords.Take(),
		bodies:         spareValues.Take(),
		recordRows:     slab.Touched[*levels.Chunk](rows),
		bodyRows:       slab.Touched[*values](rows),
		argRows:        slab.Touched[*values](rows),
		membershipRows: slab.Touched[*memberships](rows),
		floorRows:      slab.Touched[uint32](rows),
	}
	for k := range c.records.Items {
		c.records.Items[k].Gen, c.bodies.items[k] = firstGen, nil
	}
	return c
}

// install adds a spare chunk to the shard.
func (sh *shard) install(c spareChunk) {
	used := sh.records.Used() + 1
	sh.records.SetNext(c.recordRows)
	sh.bodies.SetNext(c.bodyRows, used)
	sh.args.SetNext(c.argRows, used)
	sh.memberships.SetNext(c.membershipRows, used)
	sh.floors.SetNext(c.floorRows, used)
	sh.initChunk(sh.records.Grow(c.records), c.bodies)
}

// initChunk prepares a new chunk: the bodies beside it, and generations above the floor
// that the chunk before it left, if there was one.
func (sh *shard) initChunk(n uint32, bodies *values) {
	if int(n) == sh.bodies.Len() {
		sh.bodies.Push(bodies)
		sh.args.Push(nil)
		sh.memberships.Push(nil)
		sh.floors.Push(firstGen)
	} else {
		sh.bodies.Set(n, bodies)
		items := &sh.records.Chunk(n).Items
		for i := range items {
			items[i].Gen = sh.floors.Row(n)
		}
	}
	used := sh.records.Used()
	sh.bodies.Grew(used)
	sh.args.Grew(used)
	sh.memberships.Grew(used)
	sh.floors.Grew(used)
}

// newTimer takes a free record, which there must be: see lockFor. The caller makes its
// one reference: an owner's, or the wheel's.
func (sh *shard) newTimer(f, arg any) (i uint32, s *record) {
	i = sh.records.Alloc()
	*sh.body(i) = f
	s = sh.records.At(i)
	s.Owners = 0
	switch f.(type) {
	case *body:
		s.Flags = hasBody
	case *own.Firing:
		s.Flags = isOwn
	default:
		if arg != nil {
			s.Flags = hasArg
			*sh.argOf(i) = arg
		}
	}
	return i, s
}

// body returns the address of a timer's body. It checks that the chunk exists for the
// reason that slab.Slab.At gives.
func (sh *shard) body(i uint32) *any {
	bodies := sh.bodies.Row(i / chunkLen)
	if bodies == nil {
		panic("timerwheel: a timer in no chunk")
	}
	return &bodies.items[i%chunkLen]
}

// argOf returns the address of the argument of a timer's function.
func (sh *shard) argOf(i uint32) *any {
	n := i / chunkLen
	if sh.args.Row(n) == nil {
		sh.args.Set(n, spareValues.Take())
		sh.argChunks++
	}
	return &sh.args.Row(n).items[i%chunkLen]
}

// bodyOf returns a timer's *body; nil if it needs none.
func (sh *shard) bodyOf(i uint32, s *record) *body {
	if s.Flags&hasBody == 0 {
		return nil
	}
	return (*sh.body(i)).(*body)
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
	*sh.body(i) = nil
	if s.Flags&hasArg != 0 {
		*sh.argOf(i) = nil
	}
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
	spareValues.Give(sh.bodies.Row(n))
	sh.bodies.Set(n, nil)
	if args := sh.args.Row(n); args != nil {
		spareValues.Give(args)
		sh.args.Set(n, nil)
		sh.argChunks--
	}
	sh.dropWords(n)
	if members := sh.memberships.Row(n); members != nil {
		spareMemberships.Give(members)
		sh.memberships.Set(n, nil)
		sh.membershipChunks--
	}
	used := sh.records.Used()
	sh.bodies.Shrank(used)
	sh.args.Shrank(used)
	sh.memberships.Shrank(used)
	sh.floors.Shrank(used)
}
