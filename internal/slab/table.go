package slab

import "unsafe" // Sizeof

// A Table is a slice that is never copied at once. When seven eighths of its rows are
// used a successor is made, longer by a quarter. Each further row that comes into use
// copies a few rows to the successor, so that it has all of them when it is needed. A
// row is found as in any slice. Pages would cost one load more, which is a twentieth of
// the time of the cheapest calls (BenchmarkRearmLater, wheel-at), and small objects
// that hold on to spans of the heap when a peak is over.
//
// The owner says when a row comes into use (Grew) and when it is not used any more
// (Shrank). Unused rows are used again before new ones are added.
type Table[T any] struct {
	rows []T
	next []T // the rows that the successor has; nil: there is no successor
}

// Touched makes a slice and writes all of it: the system provides memory when it is
// first used.
func Touched[T any](n int) []T {
	s := make([]T, n)
	clear(s)
	return s
}

// Len returns the number of rows, used or not.
func (t *Table[T]) Len() int { return len(t.rows) }

// Row returns row k.
func (t *Table[T]) Row(k uint32) T { return t.rows[k] }

// Set writes row k.
func (t *Table[T]) Set(k uint32, v T) {
	t.rows[k] = v
	if int(k) < len(t.next) {
		t.next[k] = v
	}
}

// Push adds a row.
func (t *Table[T]) Push(v T) {
	const first = 16
	switch {
	case t.rows == nil:
		t.rows = make([]T, 0, first)
	case len(t.rows) == cap(t.rows):
		t.rows, t.next = t.next, nil
	}
	t.rows = append(t.rows, v)
}

// NextCap returns the capacity that the successor must have when so many rows are
// used; 0 if no successor is needed, or there is one.
func (t *Table[T]) NextCap(used int) int {
	if t.next != nil || 8*used <= 7*cap(t.rows) {
		return 0
	}
	return cap(t.rows) + cap(t.rows)/4
}

// SetNext gives the table a successor that was made without the owner's lock, unless
// it is too short or not needed any more.
func (t *Table[T]) SetNext(next []T, used int) {
	if rows := t.NextCap(used); rows > 0 && cap(next) >= rows {
		t.next = next[:0]
	}
}

// Grew must be called whenever a row has come into use; used is the number of rows in
// use.
func (t *Table[T]) Grew(used int) {
	if 8*used <= 7*cap(t.rows) {
		return
	}
	if rows := t.NextCap(used); rows > 0 {
		t.next = make([]T, 0, rows)
	}
	const step = 8 // for each row of the last eighth: when that is full all are copied
	have := len(t.next)
	t.next = append(t.next, t.rows[have:min(have+step, len(t.rows))]...)
}

// Shrank must be called whenever a row is not used any more: after a peak the table
// needs no successor.
func (t *Table[T]) Shrank(used int) {
	if 4*used < 3*cap(t.rows) {
		t.next = nil
	}
}

// Bytes returns the storage that the table takes.
func (t *Table[T]) Bytes() int64 {
	var v T
	return int64(cap(t.rows)+cap(t.next)) * int64(unsafe.Sizeof(v))
}
