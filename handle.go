package timerwheel

import (
	"math"
	"sync"
)

// This file is the storage of timers: slots, generations, references.
//
// # The life of a slot
//
// A timer is a slot in its shard's slab, and a handle to it is the number of
// shard and slot together with the slot's generation at that time. The slot
// lives as long as somebody holds a reference; nobody else counts.
//
//	         Alloc                                 begin
//	free ───────────▶ idle ──────────▶ pending ───────────▶ running ⇄ running
//	 ▲                 │    Register      │                    │      and pending
//	 │                 │ last Free        │ deletion, and      │ return, and
//	 │                 │                  │ nobody owns it     │ nobody owns it,
//	 └─────────────────┴──────────────────┴────────────────────┘ not pending
//	              recycle: the generation moves on
//
//	state     holds                                its invariant
//	free      nothing                              its generation is in no handle; its body is nil; flags are 0
//	idle      the owners                           owners > 0; in no list
//	pending   the owners, the wheel                in exactly one list, at place (of a closed shard: in none); when is its deadline
//	running   the owners, a worker                 in exactly one worker's running slot
//	retired   nothing, for ever                    its generation is exhausted, in no handle
//
// "Holds" is not one counter: owners are counted, the wheel's reference is the
// flag pending and the worker's is the flag running, so they cannot disagree
// with the facts. A waiting deletion holds nothing.
//
// A slot's generation moves on when it is recycled, before anybody can be given
// it again, so an old handle never matches: every entry point looks the
// generation up, under the shard's lock, before it does anything else (lookup).
// When the last generation has been used the slot is retired, not wrapped.
//
// A chunk of slots in which nothing lives is given back to the runtime. What
// remains of it is one number, the floor: the chunk that takes its place starts
// all its slots at that generation, above all that were ever in a handle.

// A slot is the part of a timer that is looked at all the time. It has no
// pointers: the garbage collector skips it, and writing it needs no barrier.
// The shard's lock guards it.
type record struct {
	when   int64  // deadline, ns since the wheel's base; of a pending timer
	gen    uint32 // the generation of the handles to it
	place  uint32 // where it stands in its list: block and entry; of a pending timer
	owners uint32 // references held by owners
	flags  flags
}

// slots are the timers of a shard.
type records = slab[record, [1 << chunkBits]record]

type flags uint16

const (
	pending  flags = 1 << iota // the wheel's reference
	running                    // a worker's reference
	locking                    // a worker waits for its lock; it holds no reference
	deleting                   // a deletion waits for the run in flight: no Register
	shutdown                   // no Register any more
	prompt                     // due at its deadline, not at the tick that follows
	onGrid                     // its deadline is an instant of its period, not one that a Register set
	hasBody                    // its body is a *body
	hasArg                     // its body is a func(any), and its argument is in args
	inBucket                   // it is in a slot of the levels, not in a list beside them
)

// A body is what is called when a timer fires: a func(), a func(Timer), a
// func(any), or, for a timer with any of the rarer features, a *body. Functions
// and pointers fit into an interface without an allocation.
type body struct {
	f           any         // func(), func(Timer) or func(any)
	arg         any         // of a func(any)
	lock        sync.Locker // of a lock-bound timer
	period      int64       // of a periodic timer, ns
	group       *Group
	memberIndex int // its place in group.members
	*origin         // with Debug, else nil
}

const (
	chunkBits = 8 // log2 of the slots in a chunk
	maxSlots  = 1 << indexBits

	shardBits = 6
	indexBits = 32 - shardBits

	firstGen = 1 // so that the zero Timer matches no slot
	lastGen  = math.MaxUint32
)

// id makes the number in a handle: generation, slot, shard.
func (sh *shard) id(i uint32, s *record) uint64 {
	return uint64(s.gen)<<32 | uint64(i)<<shardBits | uint64(sh.no)
}

// lookup returns the slot that t names, or nil if t is stale.
func (sh *shard) lookup(t Timer) (i uint32, s *record) {
	i = uint32(t.id) >> shardBits
	if c := sh.records.chunk(i >> chunkBits); c != nil {
		if s := &c.items[i%(1<<chunkBits)]; s.gen == uint32(t.id>>32) {
			return i, s
		}
	}
	return i, nil
}

// timer returns the handle to a slot in use.
func (sh *shard) timer(i uint32, s *record) Timer { return Timer{sh.w, sh.id(i, s)} }

// stock makes sure that there is a free slot, if there may be, and reports
// whether there is. It makes the storage for more without the lock: the garbage
// collector may ask the maker to help it first, and the system has to be asked for
// each page that is touched for the first time ("growth" of bench/cmd/pauses).
func (sh *shard) reserve() bool {
	if sh.records.free > 0 {
		return true
	}
	rows := sh.records.chunks.nextCap(sh.records.rows() + 1)
	sh.unlock()
	p := newSpareChunk(rows)
	sh.lock()
	if sh.records.free == 0 && sh.room() {
		sh.install(p)
	}
	return sh.records.free > 0
}

// values are the bodies of a chunk's timers, or their arguments. The runtime puts a word
// before an object of that size that has pointers. With one more none of the values
// lies across the end of a cache line, as every fourth would: that is another miss, and a
// tenth of the cost of a firing ("CPU a firing" of bench/).
type values struct {
	_     [8]byte
	items [1 << chunkBits]any
}

// A stockpile is storage for more timers: a chunk, the bodies beside it, and, if the
// shard's tables are soon full, their successors.
type spareChunk struct {
	chunk  *chunk[record, [1 << chunkBits]record]
	bodies *values

	chunkRows         []*chunk[record, [1 << chunkBits]record]
	bodyRows, argRows []*values
	floorRows         []uint32
}

// newStockpile makes a chunk that was never used, and tables with so many rows. It touches
// all of it: the system gives memory when it is first used.
func newSpareChunk(rows int) spareChunk {
	p := spareChunk{
		chunk:     newChunk[record, [1 << chunkBits]record](),
		bodies:    new(values),
		chunkRows: touched[*chunk[record, [1 << chunkBits]record]](rows),
		bodyRows:  touched[*values](rows),
		argRows:   touched[*values](rows),
		floorRows: touched[uint32](rows),
	}
	for k := range p.chunk.items {
		p.chunk.items[k].gen, p.bodies.items[k] = firstGen, nil
	}
	return p
}

// take makes a stockpile the shard's.
func (sh *shard) install(p spareChunk) {
	used := sh.records.rows() + 1
	sh.records.chunks.setNext(p.chunkRows, used)
	sh.bodies.setNext(p.bodyRows, used)
	sh.args.setNext(p.argRows, used)
	sh.floors.setNext(p.floorRows, used)
	sh.initChunk(sh.records.grow(p.chunk), p.bodies)
}

// newTimer takes a free slot, which there must be: see lockFor. Its one reference
// is the caller's to make: an owner, or the wheel's.
func (sh *shard) newTimer(f, arg any) (i uint32, s *record) {
	i = sh.records.alloc()
	*sh.body(i) = f
	s = sh.records.at(i)
	s.owners = 0
	switch f := f.(type) {
	case *body:
		s.flags = hasBody
		if f.group != nil {
			f.group.admit(i, f)
		}
	case func(any):
		s.flags = hasArg
		*sh.argOf(i) = arg
	}
	return i, s
}

// furnish prepares a new chunk: the bodies beside it, and generations above
// the floor that its predecessor left, if it had one.
func (sh *shard) initChunk(chunk uint32, bodies *values) {
	if int(chunk) == len(sh.bodies.rows) {
		sh.bodies.push(bodies)
		sh.args.push(nil)
		sh.floors.push(firstGen)
	} else {
		sh.bodies.set(chunk, bodies)
		items := &sh.records.chunks.rows[chunk].items
		for i := range items {
			items[i].gen = sh.floors.rows[chunk]
		}
	}
	used := sh.records.rows()
	sh.bodies.grew(used)
	sh.args.grew(used)
	sh.floors.grew(used)
}

// body returns the place of a timer's body. It asks for the same reason as
// slab.at does.
func (sh *shard) body(i uint32) *any {
	bodies := sh.bodies.rows[i>>chunkBits]
	if bodies == nil {
		panic("timerwheel: a timer in no chunk")
	}
	return &bodies.items[i%(1<<chunkBits)]
}

// argOf returns the place of the argument of a timer's function.
func (sh *shard) argOf(i uint32) *any {
	chunk := i >> chunkBits
	if sh.args.rows[chunk] == nil {
		sh.args.set(chunk, new(values))
		sh.argChunks++
	}
	return &sh.args.rows[chunk].items[i%(1<<chunkBits)]
}

// bodyOf returns a timer's *body; nil if it has no need of one.
func (sh *shard) bodyOf(i uint32, s *record) *body {
	if s.flags&hasBody == 0 {
		return nil
	}
	return (*sh.body(i)).(*body)
}

// release recycles a timer if nobody holds a reference to it any more, and
// reports whether that was so.
func (sh *shard) release(i uint32, s *record) bool {
	if s.owners > 0 || s.flags&(pending|running) != 0 {
		return false
	}
	sh.recycle(i, s)
	return true
}

// recycle ends a timer: its function is dropped, its handles go stale, and its
// slot is free for the next one.
func (sh *shard) recycle(i uint32, s *record) {
	if g := sh.groupOf(i, s); g != nil {
		g.dismiss(sh.bodyOf(i, s))
	}
	if s.flags&hasBody != 0 && sh.w.debug {
		sh.remember(i, s)
	}
	*sh.body(i) = nil
	if s.flags&hasArg != 0 {
		*sh.argOf(i) = nil
	}
	s.flags = 0
	poison(s)
	var emptied bool
	if s.gen < lastGen {
		s.gen++
		emptied = sh.records.release(i)
	} else {
		s.gen = 0 // in no handle
		emptied = sh.records.retire(i)
	}
	if emptied && sh.records.spare(i) {
		sh.giveBack(i)
	}
}

// giveBack returns the chunk of slot i to the runtime, in which nothing lives.
// A chunk that has a retired slot is not replaced by another.
func (sh *shard) giveBack(i uint32) {
	chunk := i >> chunkBits
	c, floor := sh.records.chunks.rows[chunk], sh.floors.rows[chunk]
	for k := range c.items {
		floor = max(floor, c.items[k].gen)
	}
	sh.floors.set(chunk, floor)
	sh.records.drop(i, c.lost == 0)
	sh.bodies.set(chunk, nil)
	if sh.args.rows[chunk] != nil {
		sh.args.set(chunk, nil)
		sh.argChunks--
	}
	used := sh.records.rows()
	sh.bodies.shrank(used)
	sh.args.shrank(used)
	sh.floors.shrank(used)
}

// room reports whether the shard can hold one more timer.
func (sh *shard) room() bool {
	return sh.records.free > 0 || len(sh.records.holes) > 0 || len(sh.records.chunks.rows) < maxSlots>>chunkBits
}
