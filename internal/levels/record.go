package levels

import "github.com/seed76848005/timerwheel/internal/slab"

// A Record is the storage of one timer: the part of it that is looked at all the time.
// It has no pointers: the garbage collector skips it, and writing it needs no barrier.
//
// The levels read When and the flags Prompt, InBucket and Open, and keep position. Gen,
// Owners and the other flags are the caller's.
type Record struct {
	When     int64  // of a pending timer: deadline, ns since the wheel's base; with the flag Open it may be later
	Gen      uint32 // the generation of the handles to it
	position uint32 // in its list: block and entry; of a timer that is in one
	Owners   uint32 // references held by owners
	Flags    Flags
}

// Flags are the states of a record.
type Flags uint16

// The flags that the levels know. The caller's begin with FirstFree.
const (
	Prompt   Flags = 1 << iota // due at its deadline, not at the tick that follows
	InBucket                   // in a bucket, not in a list beside the levels
	Open                       // its deadline may have been put off: when its bucket is emptied, the caller looks
	FirstFree
)

// ChunkBits is the binary logarithm of the records in a chunk.
const ChunkBits = 8

// A Chunk is storage for 256 records.
type Chunk = slab.Chunk[Record, [1 << ChunkBits]Record]

// Records is the storage of a shard's timers, by number.
type Records = slab.Slab[Record, [1 << ChunkBits]Record]

// NewChunk makes a chunk of free records.
func NewChunk() *Chunk { return slab.NewChunk[Record, [1 << ChunkBits]Record]() }

// Poison makes a recycled record unlike any in use.
func (r *Record) Poison() {
	const poison = 0x6b6b6b6b
	r.When, r.position, r.Owners = -poison, poison, poison
}
