package timerwheel

import (
	"math/bits"
	"unsafe" // Sizeof
)

// A slab hands out places for values of one type, by number, from chunks. It
// has two properties that a linked free list lacks: a chunk in which nothing lives is
// given back to the Go runtime, and a chunk of a type without pointers is
// never looked into by the garbage collector.
//
// Numbers are dense: chunk and position in the chunk. A chunk that was given
// back leaves a hole, which is filled before new numbers are made.
//
// A slab has no lock; its owner's lock guards it.
type slab[T any, A chunkful[T]] struct {
	chunks table[*chunk[T, A]] // by number; nil where a chunk was given back
	open   []uint32            // the chunks that have a free place; the last one is used first
	holes  []uint32            // the numbers of the chunks that were given back
	live   int                 // places handed out
	free   int                 // places to hand out
	held   int                 // chunks that are there
}

// A chunkful is as many values as a chunk has: a power of two. It is a type, not
// a number, so that a place is found by two loads and without a division or a
// look at a length: every call that is given a handle waits for that.
type chunkful[T any] interface {
	[1 << chunkBits]T | [1 << blockShift]T
}

type chunk[T any, A chunkful[T]] struct {
	vacant uint16                      // free positions
	lost   uint16                      // places that were retired
	open   uint32                      // where the chunk stands in slab.open; meaningless while nothing is vacant
	free   [1 << chunkBits / 64]uint64 // bit n: position n is free
	items  A
}

// empty reports whether nothing lives in the chunk.
func (c *chunk[T, A]) empty() bool { return int(c.vacant)+int(c.lost) == len(c.items) }

// size returns the number of places in a chunk.
func (s *slab[T, A]) size() uint32 {
	var a A
	return uint32(len(a))
}

// at returns the place with number i, which must be in use.
//
// In a storm each place is a cache miss. That the chunk exists is asked here,
// because otherwise the processor would look for it in the chunk's first line:
// another miss, and a tenth of the cost of a firing ("CPU a firing" of bench/).
func (s *slab[T, A]) at(i uint32) *T {
	c := s.chunks.rows[i/s.size()]
	if c == nil {
		panic("timerwheel: a place in no chunk")
	}
	return &c.items[i%s.size()]
}

// chunk returns the chunk with number n, nil if it does not exist.
func (s *slab[T, A]) chunk(n uint32) *chunk[T, A] {
	if int(n) < len(s.chunks.rows) {
		return s.chunks.rows[n]
	}
	return nil
}

// alloc hands out a place, the lowest of its chunk, of the free ones that there
// must be. Its value is what the last user left there, or zero.
func (s *slab[T, A]) alloc() (i uint32) {
	n := s.open[len(s.open)-1]
	c := s.chunks.rows[n]
	word := 0
	for c.free[word] == 0 {
		word++
	}
	pos := uint32(word*64 + bits.TrailingZeros64(c.free[word]))
	c.free[word] &= c.free[word] - 1
	if c.vacant--; c.vacant == 0 {
		s.open = s.open[:len(s.open)-1]
	}
	s.live++
	s.free--
	return n*s.size() + pos
}

// release takes a place back. emptied says that nothing lives in its chunk any
// more; the caller may then drop the chunk.
func (s *slab[T, A]) release(i uint32) (emptied bool) {
	n, pos := i/s.size(), i%s.size()
	c := s.chunks.rows[n]
	if c.vacant == 0 {
		c.open = uint32(len(s.open))
		s.open = append(s.open, n)
	}
	c.vacant++
	c.free[pos/64] |= 1 << (pos % 64)
	s.live--
	s.free++
	return c.empty()
}

// retire takes a place out of use for ever: nobody gets it again. emptied is
// as for release.
func (s *slab[T, A]) retire(i uint32) (emptied bool) {
	c := s.chunks.rows[i/s.size()]
	c.lost++
	s.live--
	return c.empty()
}

// spare reports whether the slab has a chunkful of free places outside the chunk
// of number i. Who drops an empty chunk only then makes one anew only after as
// many timers have come, whatever comes and goes in turns.
func (s *slab[T, A]) spare(i uint32) bool {
	return s.free-int(s.chunks.rows[i/s.size()].vacant) >= int(s.size())
}

// drop gives the empty chunk of number i back to the runtime. Its number is
// used again only if reuse says so.
func (s *slab[T, A]) drop(i uint32, reuse bool) {
	n := i / s.size()
	if c := s.chunks.rows[n]; c.vacant > 0 {
		s.free -= int(c.vacant)
		s.close(c)
	}
	s.chunks.set(n, nil)
	s.held--
	if reuse {
		s.holes = append(s.holes, n)
		s.chunks.shrank(s.rows())
	}
}

// rows returns the rows of the table that are no holes.
func (s *slab[T, A]) rows() int { return len(s.chunks.rows) - len(s.holes) }

// close takes c out of the list of chunks with a free place.
func (s *slab[T, A]) close(c *chunk[T, A]) {
	last := s.open[len(s.open)-1]
	s.open[c.open] = last
	s.chunks.rows[last].open = c.open
	s.open = s.open[:len(s.open)-1]
}

// newChunk makes a chunk of free places. Whoever makes it need not hold the owner's
// lock.
func newChunk[T any, A chunkful[T]]() *chunk[T, A] {
	c := new(chunk[T, A])
	c.vacant = uint16(len(c.items))
	for pos := range len(c.items) {
		c.free[pos/64] |= 1 << (pos % 64)
	}
	return c
}

// grow adds a new chunk, in a hole if there is one, and returns its number.
func (s *slab[T, A]) grow(c *chunk[T, A]) (n uint32) {
	c.open = uint32(len(s.open))
	if k := len(s.holes); k > 0 {
		n = s.holes[k-1]
		s.holes = s.holes[:k-1]
		s.chunks.set(n, c)
	} else {
		n = uint32(len(s.chunks.rows))
		s.chunks.push(c)
	}
	s.chunks.grew(s.rows())
	s.open = append(s.open, n)
	s.free += len(c.items)
	s.held++
	return n
}

// bytes returns the storage that the slab holds.
func (s *slab[T, A]) bytes() int64 {
	return int64(s.held)*int64(unsafe.Sizeof(chunk[T, A]{})) +
		s.chunks.bytes() + int64(cap(s.open)+cap(s.holes))*4
}
