package model

import (
	"iter"
	"math/bits"
)

// A Set is a set of small numbers, one bit each: numbers of locks, signals, waits or
// keys in a table of a Model.
type Set []uint64

// Has reports whether n is in the set.
func (s Set) Has(n int) bool { return n>>6 < len(s) && s[n>>6]&(1<<(n&63)) != 0 }

// All yields the numbers in the set, in their order.
func (s Set) All() iter.Seq[int] { return s.in(s) }

// in yields the numbers that are in both sets.
func (s Set) in(t Set) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range min(len(s), len(t)) {
			for word := s[i] & t[i]; word != 0; word &= word - 1 {
				if !yield(i<<6 + bits.TrailingZeros64(word)) {
					return
				}
			}
		}
	}
}

func (s Set) len() (n int) {
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

func (s *Set) add(n int) {
	s.grow(n>>6 + 1)
	(*s)[n>>6] |= 1 << (n & 63)
}

// addAll adds the numbers of t that are not in without. It reports whether the set grew.
func (s *Set) addAll(t, without Set) (grew bool) {
	for i, word := range t {
		if i < len(without) {
			word &^= without[i]
		}
		if word == 0 {
			continue
		}
		s.grow(i + 1)
		grew = grew || word&^(*s)[i] != 0
		(*s)[i] |= word
	}
	return grew
}

func (s *Set) grow(words int) {
	if words > len(*s) {
		*s = append(*s, make(Set, words-len(*s))...)
	}
}

// A table numbers values, so that sets of them are sets of bits. Values with the same key
// have one number.
type table[K comparable, V any] struct {
	values  []V
	numbers map[K]int
	// relative holds the values that have another meaning in the callers of a function: they
	// are translated at each call. The others are the same everywhere.
	relative Set
}

func newTable[K comparable, V any]() *table[K, V] {
	return &table[K, V]{numbers: map[K]int{}}
}

// number returns the number of a value, and whether it is new.
func (t *table[K, V]) number(k K, v V, relative bool) (n int, isNew bool) {
	if n, ok := t.numbers[k]; ok {
		return n, false
	}
	n = len(t.values)
	t.numbers[k] = n
	t.values = append(t.values, v)
	if relative {
		t.relative.add(n)
	}
	return n, true
}

// translate adds to a set the values of another one. It calls toCaller with each that is
// relative; toCaller returns the number that this value has in the caller.
func (t *table[K, V]) translate(to *Set, from Set, toCaller func(V) int) {
	to.addAll(from, t.relative)
	for n := range from.in(t.relative) {
		to.add(toCaller(t.values[n]))
	}
}
