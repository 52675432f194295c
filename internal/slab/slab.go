// Package slab is storage that grows in short steps and gives back what a peak needed.
//
// A Slab hands out items, by number, from chunks. A Table is a slice, and Pages a
// list, that grow without copying all their items at once. A slice that is full is
// copied as a whole, into memory that has never been touched: with some millions of
// timers, or ten thousand handlers in flight, every other call would wait a hundred
// microseconds for that ("growth" and "10k blocked handlers" of bench/cmd/pauses).
//
// Nothing here has a lock. The owner's lock guards it.
package slab

import (
	"fmt"
	"math/bits"
	"unsafe" // Sizeof
)

// A Slab hands out storage for values of one type, by number, from chunks. It has two
// properties that a linked free list lacks: a chunk in which nothing lives can be given
// back to the Go runtime, and the garbage collector never looks into a chunk of a type
// without pointers.
//
// Numbers are dense: chunk and position in the chunk. A chunk that was given back
// leaves a hole, which is filled before new numbers are made.
type Slab[T any, A Items[T]] struct {
	chunks Table[*Chunk[T, A]] // by number; nil where a chunk was given back
	open   []uint32            // the chunks that have a free item; the last one is used first
	holes  []uint32            // the numbers of the chunks that were given back
	live   int                 // items handed out
	free   int                 // items to hand out
	held   int                 // chunks that exist
}

// Items are the values of a chunk: as many as a power of two. Items is a type, not a
// number, so that an item is found by two loads, without a division or a look at a
// length: every call that is given a handle waits for that.
type Items[T any] interface {
	[256]T | [16]T
}

// A Chunk is storage for as many values as A has.
type Chunk[T any, A Items[T]] struct {
	vacant uint16    // free positions
	lost   uint16    // items that were retired
	open   uint32    // index of the chunk in Slab.open; meaningless while nothing is vacant
	free   [4]uint64 // bit n: position n is free
	Items  A
}

// Empty reports whether nothing lives in the chunk.
func (c *Chunk[T, A]) Empty() bool { return int(c.vacant)+int(c.lost) == len(c.Items) }

// Free reports whether position pos is free.
func (c *Chunk[T, A]) Free(pos int) bool { return c.free[pos/64]>>(pos%64)&1 != 0 }

// Lost returns the number of items that were retired.
func (c *Chunk[T, A]) Lost() int { return int(c.lost) }

// NewChunk makes a chunk of free items. The caller need not hold the owner's lock.
func NewChunk[T any, A Items[T]]() *Chunk[T, A] {
	c := new(Chunk[T, A])
	c.vacant = uint16(len(c.Items))
	for pos := range len(c.Items) {
		c.free[pos/64] |= 1 << (pos % 64)
	}
	return c
}

// size returns the number of items in a chunk.
func (s *Slab[T, A]) size() uint32 {
	var a A
	return uint32(len(a))
}

// Live returns the number of items handed out.
func (s *Slab[T, A]) Live() int { return s.live }

// Free returns the number of items to hand out.
func (s *Slab[T, A]) Free() int { return s.free }

// Held returns the number of chunks that exist.
func (s *Slab[T, A]) Held() int { return s.held }

// Chunks returns the number of chunks, including those that were given back.
func (s *Slab[T, A]) Chunks() int { return s.chunks.Len() }

// Holes returns the number of chunks that were given back and can be made anew.
func (s *Slab[T, A]) Holes() int { return len(s.holes) }

// Used returns the number of chunks that are not holes.
func (s *Slab[T, A]) Used() int { return s.chunks.Len() - len(s.holes) }

// At returns the item with number i, which must be in use.
//
// In a storm each item is a cache miss. At checks that the chunk exists because
// otherwise the processor would load the chunk's first line to find out: another miss,
// and a tenth of the cost of a firing ("CPU a firing" of bench/).
func (s *Slab[T, A]) At(i uint32) *T {
	c := s.chunks.rows[i/s.size()]
	if c == nil {
		panic("timerwheel: an item in no chunk")
	}
	return &c.Items[i%s.size()]
}

// Chunk returns chunk n; nil if it does not exist.
func (s *Slab[T, A]) Chunk(n uint32) *Chunk[T, A] {
	if int(n) < len(s.chunks.rows) {
		return s.chunks.rows[n]
	}
	return nil
}

// Alloc hands out an item: the lowest free one of its chunk. There must be a free
// item. Its value is what the last user left there, or zero.
func (s *Slab[T, A]) Alloc() (i uint32) {
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

// Release takes an item back. emptied reports that nothing lives in its chunk any
// more; the caller may then drop the chunk.
func (s *Slab[T, A]) Release(i uint32) (emptied bool) {
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
	return c.Empty()
}

// Retire takes an item out of use for ever: it is never handed out again. emptied is
// as for Release.
func (s *Slab[T, A]) Retire(i uint32) (emptied bool) {
	c := s.chunks.rows[i/s.size()]
	c.lost++
	s.live--
	return c.Empty()
}

// Spare reports whether the slab has a chunk's worth of free items outside the chunk
// of number i. Dropping only then avoids freeing and reallocating the same chunk,
// whatever comes and goes.
func (s *Slab[T, A]) Spare(i uint32) bool {
	return s.free-int(s.chunks.rows[i/s.size()].vacant) >= int(s.size())
}

// Drop takes the empty chunk of number i out of use, and returns it. Its number is used again
// only if reuse is true. A chunk that has lost no item is as good as a new one.
func (s *Slab[T, A]) Drop(i uint32, reuse bool) *Chunk[T, A] {
	n := i / s.size()
	c := s.chunks.rows[n]
	if c.vacant > 0 {
		s.free -= int(c.vacant)
		s.close(c)
	}
	s.chunks.Set(n, nil)
	s.held--
	if reuse {
		s.holes = append(s.holes, n)
		s.chunks.Shrank(s.Used())
	}
	return c
}

// close takes c out of the list of chunks with a free item.
func (s *Slab[T, A]) close(c *Chunk[T, A]) {
	last := s.open[len(s.open)-1]
	s.open[c.open] = last
	s.chunks.rows[last].open = c.open
	s.open = s.open[:len(s.open)-1]
}

// Grow adds a new chunk, in a hole if there is one, and returns its number.
func (s *Slab[T, A]) Grow(c *Chunk[T, A]) (n uint32) {
	c.open = uint32(len(s.open))
	if k := len(s.holes); k > 0 {
		n = s.holes[k-1]
		s.holes = s.holes[:k-1]
		s.chunks.Set(n, c)
	} else {
		n = uint32(s.chunks.Len())
		s.chunks.Push(c)
	}
	s.chunks.Grew(s.Used())
	s.open = append(s.open, n)
	s.free += len(c.Items)
	s.held++
	return n
}

// NextCap returns the capacity that the successor of the table of chunks must have
// when one more chunk is used; 0 if no successor is needed, or there is one.
func (s *Slab[T, A]) NextCap() int { return s.chunks.NextCap(s.Used() + 1) }

// SetNext gives the table of chunks a successor that was made without the owner's
// lock.
func (s *Slab[T, A]) SetNext(next []*Chunk[T, A]) { s.chunks.SetNext(next, s.Used()+1) }

// Bytes returns the storage that the slab holds.
func (s *Slab[T, A]) Bytes() int64 {
	return int64(s.held)*int64(unsafe.Sizeof(Chunk[T, A]{})) +
		s.chunks.Bytes() + int64(cap(s.open)+cap(s.holes))*4
}

// Check returns an error if the slab's books are wrong. It is for tests and costs time
// in proportion to the number of chunks.
func (s *Slab[T, A]) Check() error {
	live, held := 0, 0
	for n, c := range s.chunks.rows {
		if n < len(s.chunks.next) && s.chunks.next[n] != c {
			return fmt.Errorf("the table's successor has another chunk %d", n)
		}
		if c == nil {
			continue
		}
		vacant := 0
		for _, word := range c.free {
			vacant += bits.OnesCount64(word)
		}
		if vacant != int(c.vacant) {
			return fmt.Errorf("chunk %d has %d free items, and counts %d", n, vacant, c.vacant)
		}
		live += len(c.Items) - vacant - int(c.lost)
		held++
	}
	if live != s.live || held != s.held {
		return fmt.Errorf("%d items are in use in %d chunks; counted are %d in %d", live, held, s.live, s.held)
	}
	return nil
}
