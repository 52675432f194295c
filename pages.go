package timerwheel

import "unsafe" // Sizeof

// Lists that grow in a critical section, and may be long. A slice that is full is
// copied as a whole, into memory that has never been touched: with some millions of
// timers, or ten thousand handlers in flight, everybody else would wait for that for
// a hundred microseconds ("growth" and "10k blocked handlers" of
// bench/cmd/pauses).

// Pages are a list that is never copied: what is added lies in pages of its own, and
// only the list of these, which is short, grows as a slice does.
type pages[T any] struct {
	dir  [][]T
	n    int // rows that are used
	room int // rows that there are
}

const (
	pageBits = 6
	pageLen  = 1 << pageBits
)

func (p *pages[T]) at(k uint32) *T { return &p.dir[k>>pageBits][k%pageLen] }

// push adds v at the end.
func (p *pages[T]) push(v T) {
	if p.n == p.room {
		p.extend()
	}
	*p.at(uint32(p.n)) = v
	p.n++
}

// extend makes room. The first page grows as a slice does, as many lists are short.
func (p *pages[T]) extend() {
	switch {
	case p.room == 0:
		p.dir, p.room = [][]T{make([]T, 1)}, 1
	case p.room < pageLen:
		p.dir[0] = append(p.dir[0], make([]T, p.room)...)
		p.room *= 2
	default:
		p.dir = append(p.dir, make([]T, pageLen))
		p.room += pageLen
	}
}

// pop takes the last one away.
func (p *pages[T]) pop() {
	p.n--
	var none T
	*p.at(uint32(p.n)) = none
	if p.n%pageLen == 0 {
		p.trim()
	}
}

// trim lets go of empty pages, but for one, for who comes next.
func (p *pages[T]) trim() {
	keep := p.n>>pageBits + 1
	if keep >= len(p.dir) {
		return
	}
	clear(p.dir[keep:])
	p.dir, p.room = p.dir[:keep], keep<<pageBits
	if c := cap(p.dir); c > 8 && keep < c/4 { // a peak is over
		p.dir = append(make([][]T, 0, c/2), p.dir...)
	}
}

// A table is a slice that is never copied at once: when seven eighths of its rows are used
// a successor is made, longer by a quarter, and with each further one that comes into use
// a few are copied to it, so that it has all of them when it is needed. A row is found as
// in any slice; pages cost a load more, which in the cheapest calls is a twentieth of the
// time (BenchmarkRearmLater, wheel-at), and small objects that hold on to spans of the
// heap when a peak is over.
//
// Rows are unused again when their owner says so. They are used again before there are
// new ones.
type table[T any] struct {
	rows []T
	next []T // of the successor, the rows that it has; nil: there is none yet
}

// touched makes a slice, and touches all of it.
func touched[T any](n int) []T {
	s := make([]T, n)
	clear(s)
	return s
}

// set writes a row.
func (t *table[T]) set(k uint32, v T) {
	t.rows[k] = v
	if int(k) < len(t.next) {
		t.next[k] = v
	}
}

// push adds a row.
func (t *table[T]) push(v T) {
	const first = 16
	switch {
	case t.rows == nil:
		t.rows = make([]T, 0, first)
	case len(t.rows) == cap(t.rows):
		t.rows, t.next = t.next, nil
	}
	t.rows = append(t.rows, v)
}

// longer returns how long the successor is to be that must be there when so many rows
// are used; 0: it need not be, or is.
func (t *table[T]) nextCap(used int) int {
	if t.next != nil || 8*used <= 7*cap(t.rows) {
		return 0
	}
	return cap(t.rows) + cap(t.rows)/4
}

// succeed gives the table a successor that was made while nobody waited for it, unless
// that is not needed any more.
func (t *table[T]) setNext(next []T, used int) {
	if rows := t.nextCap(used); rows > 0 && cap(next) >= rows {
		t.next = next[:0]
	}
}

// fuller must be called whenever a row has come into use; used is how many are.
func (t *table[T]) grew(used int) {
	if 8*used <= 7*cap(t.rows) {
		return
	}
	if rows := t.nextCap(used); rows > 0 {
		t.next = make([]T, 0, rows)
	}
	const step = 8 // for each of the last eighth: when that is full all are copied
	have := len(t.next)
	t.next = append(t.next, t.rows[have:min(have+step, len(t.rows))]...)
}

// emptier must be called whenever a row is used no more: when a peak is over, it needs no
// successor.
func (t *table[T]) shrank(used int) {
	if 4*used < 3*cap(t.rows) {
		t.next = nil
	}
}

// bytes returns the storage that the table takes.
func (t *table[T]) bytes() int64 {
	var v T
	return int64(cap(t.rows)+cap(t.next)) * int64(unsafe.Sizeof(v))
}
