package timerwheel

import "unsafe"

// A slab hands out places for values of one type, by number, from chunks. It
// has two properties that a linked free list lacks: a chunk in which nothing lives is
// given back to the Go runtime, and a chunk of a type without pointers is
// never looked into by the garbage collector.
//
// Numbers are dense: chunk and position in the chunk. A chunk that was given
// back leaves a hole, which is filled before new numbers are made.
//
// A slab has no lock; its owner's lock guards it.
type slab[T any] struct {
	shift  uint        // log2 of the places in a chunk
	chunks []*chunk[T] // by number; nil where a chunk was given back
	open   []uint32    // the chunks that have a free place; the last one is used first
	holes  []uint32    // the numbers of the chunks that were given back
	live   int         // places handed out
	held   int         // chunks that are there
}

type chunk[T any] struct {
	items []T
	free  []uint16 // a stack of the free positions
	lost  int      // places that were retired
	open  int      // where the chunk stands in slab.open; meaningless while free is empty
}

// empty reports whether nothing lives in the chunk.
func (c *chunk[T]) empty() bool { return len(c.free)+c.lost == len(c.items) }

// at returns the place with number i, which must be in use.
func (s *slab[T]) at(i uint32) *T {
	c := s.chunks[i>>s.shift]
	return &c.items[i&(1<<s.shift-1)]
}

// has reports whether the chunk of number i exists.
func (s *slab[T]) has(i uint32) bool {
	n := i >> s.shift
	return int(n) < len(s.chunks) && s.chunks[n] != nil
}

// alloc hands out a place. Its value is what the last user left there, or
// zero. fresh says that the place is the first of a new chunk, whose number is
// i >> shift.
func (s *slab[T]) alloc() (i uint32, fresh bool) {
	if len(s.open) == 0 {
		s.grow()
		fresh = true
	}
	n := s.open[len(s.open)-1]
	c := s.chunks[n]
	pos := c.free[len(c.free)-1]
	c.free = c.free[:len(c.free)-1]
	if len(c.free) == 0 {
		s.open = s.open[:len(s.open)-1]
	}
	s.live++
	return n<<s.shift | uint32(pos), fresh
}

// free takes a place back. emptied says that nothing lives in its chunk any
// more; the caller may then drop the chunk.
func (s *slab[T]) free(i uint32) (emptied bool) {
	n := i >> s.shift
	c := s.chunks[n]
	if len(c.free) == 0 {
		c.open = len(s.open)
		s.open = append(s.open, n)
	}
	c.free = append(c.free, uint16(i&(1<<s.shift-1)))
	s.live--
	return c.empty()
}

// retire takes a place out of use for ever: nobody gets it again. emptied is
// as for free.
func (s *slab[T]) retire(i uint32) (emptied bool) {
	c := s.chunks[i>>s.shift]
	c.lost++
	s.live--
	return c.empty()
}

// spare reports whether the slab has free places outside the chunk of number
// i. Who drops an empty chunk only then does not drop it and make it anew in
// turns when one timer comes and goes.
func (s *slab[T]) spare() bool { return len(s.open) > 1 }

// drop gives the empty chunk of number i back to the runtime. Its number is
// used again only if reuse says so.
func (s *slab[T]) drop(i uint32, reuse bool) {
	n := i >> s.shift
	if c := s.chunks[n]; len(c.free) > 0 {
		s.close(c)
	}
	s.chunks[n] = nil
	s.held--
	if reuse {
		s.holes = append(s.holes, n)
	}
}

// close takes c out of the list of chunks with a free place.
func (s *slab[T]) close(c *chunk[T]) {
	last := s.open[len(s.open)-1]
	s.open[c.open] = last
	s.chunks[last].open = c.open
	s.open = s.open[:len(s.open)-1]
}

// grow makes a chunk, in a hole if there is one.
func (s *slab[T]) grow() {
	size := 1 << s.shift
	c := &chunk[T]{items: make([]T, size), free: make([]uint16, size), open: len(s.open)}
	for i := range c.free {
		c.free[i] = uint16(size - 1 - i) // so that the lowest goes first
	}
	var n uint32
	if k := len(s.holes); k > 0 {
		n = s.holes[k-1]
		s.holes = s.holes[:k-1]
		s.chunks[n] = c
	} else {
		n = uint32(len(s.chunks))
		s.chunks = append(s.chunks, c)
	}
	s.open = append(s.open, n)
	s.held++
}

// bytes returns the storage that the slab holds.
func (s *slab[T]) bytes() int64 {
	var item T
	size := int64(unsafe.Sizeof(chunk[T]{})) + int64(unsafe.Sizeof(item)+2)<<s.shift
	return int64(s.held)*size + int64(cap(s.chunks))*8 + int64(cap(s.open)+cap(s.holes))*4
}
