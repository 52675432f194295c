package timerwheel

import "unsafe"

// Lists that grow in a critical section, and may be long. A slice that is full is
// copied as a whole, into memory that has never been touched: with some millions of
// timers, or ten thousand handlers in flight, everybody else would wait for that for
// a hundred microseconds ("growth" and "10k blocked handlers" of
// bench/cmd/pauses).

// Pages are a list that is never copied: what is added lies in pages of its own, and
// only the list of these, which is short, grows as a slice does.
type pages[T any] struct {
	dir [][]T // full, but for the last one, and an empty one behind that
	n   int
}

const (
	pageBits = 6
	pageLen  = 1 << pageBits
)

func (p *pages[T]) at(k uint32) *T { return &p.dir[k>>pageBits][k%pageLen] }

// push adds v at the end. The first page grows as a slice does, as many lists are
// short.
func (p *pages[T]) push(v T) {
	k := p.n >> pageBits
	if k == len(p.dir) {
		var page []T
		if k > 0 {
			page = make([]T, 0, pageLen)
		}
		p.dir = append(p.dir, page)
	}
	p.dir[k] = append(p.dir[k], v)
	p.n++
}

// pop takes the last one away. It keeps one empty page, for who comes next.
func (p *pages[T]) pop() (v T) {
	p.n--
	k := p.n >> pageBits
	page, last := p.dir[k], p.n%pageLen
	v, page[last] = page[last], v
	p.dir[k] = page[:last]
	if spare := k + 2; spare < len(p.dir) {
		p.dir[spare] = nil
		p.dir = p.dir[:spare]
		if c := cap(p.dir); c > pageLen/2 && spare < c/4 { // a peak is over
			p.dir = append(make([][]T, 0, c/2), p.dir...)
		}
	}
	return v
}

// bytes returns the storage that the pages take. Of all but the first two that is
// known without a look.
func (p *pages[T]) bytes() int64 {
	var v T
	rows := max(0, len(p.dir)-2) * pageLen
	for _, page := range p.dir[:min(2, len(p.dir))] {
		rows += cap(page)
	}
	return int64(rows)*int64(unsafe.Sizeof(v)) + int64(cap(p.dir))*int64(unsafe.Sizeof(p.dir))
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

// fuller must be called whenever a row has come into use; used is how many are.
func (t *table[T]) fuller(used int) {
	if 8*used <= 7*cap(t.rows) {
		return
	}
	if t.next == nil {
		t.next = make([]T, 0, cap(t.rows)+cap(t.rows)/4)
	}
	const step = 9 // with 8 for each of the last eighth all are copied when that is full; one more as eighths are rounded
	have := len(t.next)
	t.next = append(t.next, t.rows[have:min(have+step, len(t.rows))]...)
}

// emptier must be called whenever a row is used no more: when a peak is over, it needs no
// successor.
func (t *table[T]) emptier(used int) {
	if 4*used < 3*cap(t.rows) {
		t.next = nil
	}
}

// bytes returns the storage that the table takes.
func (t *table[T]) bytes() int64 {
	var v T
	return int64(cap(t.rows)+cap(t.next)) * int64(unsafe.Sizeof(v))
}
