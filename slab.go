package timerwheel

import (
	"math/bits"
	"unsafe"
)

// A slab hands out places for values of one type, by number, from chunks. It
// has two properties that a linked free list lacks: a chunk in which nothing lives is
// given back to the Go runtime, and a chunk of a type without pointers is
// never looked into by the garbage collector.
//
// Numbers are dense: chunk and position in the chunk. A chunk that was given
// back leaves a hole, which is filled before new numbers are made.
//
// Every call that is given a handle looks a place up, and in a storm each place
// is a cache miss. So the places stand in slices of their own: to index one
// touches nothing of the chunk but the place itself.
//
// A slab has no lock; its owner's lock guards it.
type slab[T any] struct {
	shift  uint8    // log2 of the places in a chunk
	places [][]T    // by chunk; nil where one was given back
	chunks []*chunk // likewise
	open   []uint32 // the chunks that have a free place; the last one is used first
	holes  []uint32 // the numbers of the chunks that were given back
	live   int      // places handed out
	free   int      // places to hand out
	held   int      // chunks that are there
}

// maxChunkBits is log2 of the places that a chunk can have.
const maxChunkBits = 8

// A chunk says which of its places are free.
type chunk struct {
	vacant uint16                         // how many are
	lost   uint16                         // places that were retired
	open   uint32                         // where the chunk stands in slab.open; meaningless while none is free
	free   [1 << maxChunkBits / 64]uint64 // bit n: place n is free
}

func (s *slab[T]) size() int { return 1 << (s.shift & 31) }

// locate splits a number into chunk and position.
func (s *slab[T]) locate(i uint32) (n, pos uint32) {
	return i >> (s.shift & 31), i & (1<<(s.shift&31) - 1)
}

// at returns the place with number i, which must be in use.
func (s *slab[T]) at(i uint32) *T {
	n, pos := s.locate(i)
	return &s.places[n][pos]
}

// alloc hands out a place, the lowest of its chunk. Its value is what the last
// user left there, or zero. fresh says that the place is the first of a new
// chunk.
func (s *slab[T]) alloc() (i uint32, fresh bool) {
	if len(s.open) == 0 {
		s.grow()
		fresh = true
	}
	n := s.open[len(s.open)-1]
	c := s.chunks[n]
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
	return n<<(s.shift&31) | pos, fresh
}

// release takes a place back. emptied says that nothing lives in its chunk any
// more; the caller may then drop the chunk.
func (s *slab[T]) release(i uint32) (emptied bool) {
	n, pos := s.locate(i)
	c := s.chunks[n]
	if c.vacant == 0 {
		c.open = uint32(len(s.open))
		s.open = append(s.open, n)
	}
	c.vacant++
	c.free[pos/64%uint32(len(c.free))] |= 1 << (pos % 64)
	s.live--
	s.free++
	return s.empty(c)
}

// retire takes a place out of use for ever: nobody gets it again. emptied is
// as for release.
func (s *slab[T]) retire(i uint32) (emptied bool) {
	n, _ := s.locate(i)
	c := s.chunks[n]
	c.lost++
	s.live--
	return s.empty(c)
}

// empty reports whether nothing lives in a chunk.
func (s *slab[T]) empty(c *chunk) bool { return int(c.vacant)+int(c.lost) == s.size() }

// spare reports whether the slab has a chunkful of free places outside the chunk
// of number i. Who drops an empty chunk only then makes one anew only after as
// many timers have come, whatever comes and goes in turns.
func (s *slab[T]) spare(i uint32) bool {
	n, _ := s.locate(i)
	return s.free-int(s.chunks[n].vacant) >= s.size()
}

// drop gives the empty chunk of number i back to the runtime. Its number is
// used again only if reuse says so.
func (s *slab[T]) drop(i uint32, reuse bool) {
	n, _ := s.locate(i)
	if c := s.chunks[n]; c.vacant > 0 {
		s.free -= int(c.vacant)
		s.close(c)
	}
	s.places[n], s.chunks[n] = nil, nil
	s.held--
	if reuse {
		s.holes = append(s.holes, n)
	}
}

// close takes c out of the list of chunks with a free place.
func (s *slab[T]) close(c *chunk) {
	last := s.open[len(s.open)-1]
	s.open[c.open] = last
	s.chunks[last].open = c.open
	s.open = s.open[:len(s.open)-1]
}

// grow makes a chunk, in a hole if there is one.
func (s *slab[T]) grow() {
	size := s.size()
	c := &chunk{vacant: uint16(size), open: uint32(len(s.open))}
	for pos := range size {
		c.free[pos/64] |= 1 << (pos % 64)
	}
	n := uint32(len(s.chunks))
	if k := len(s.holes); k > 0 {
		n = s.holes[k-1]
		s.holes = s.holes[:k-1]
	} else {
		s.places, s.chunks = append(s.places, nil), append(s.chunks, nil)
	}
	s.places[n], s.chunks[n] = make([]T, size), c
	s.open = append(s.open, n)
	s.free += size
	s.held++
}

// bytes returns the storage that the slab holds.
func (s *slab[T]) bytes() int64 {
	var place T
	return int64(s.held)*(int64(unsafe.Sizeof(chunk{}))+int64(unsafe.Sizeof(place))<<s.shift) +
		int64(cap(s.places))*int64(unsafe.Sizeof(s.places)) + int64(cap(s.chunks))*8 +
		int64(cap(s.open)+cap(s.holes))*4
}
