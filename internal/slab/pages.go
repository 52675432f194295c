package slab

import "unsafe" // Sizeof

// Pages is a list that is never copied. Its items lie in pages of their own, and only
// the list of the pages, which is short, grows as a slice does.
type Pages[T any] struct {
	pages [][]T
	n     int // items
	room  int // items that the pages have room for
}

const (
	pageBits = 6
	pageLen  = 1 << pageBits
)

// Len returns the number of items.
func (p *Pages[T]) Len() int { return p.n }

// At returns item k.
func (p *Pages[T]) At(k uint32) *T { return &p.pages[k>>pageBits][k%pageLen] }

// Push adds v at the end.
func (p *Pages[T]) Push(v T) {
	if p.n == p.room {
		p.extend()
	}
	*p.At(uint32(p.n)) = v
	p.n++
}

// extend makes room. The first page grows as a slice does, because many lists are
// short.
func (p *Pages[T]) extend() {
	switch {
	case p.room == 0:
		p.pages, p.room = [][]T{make([]T, 1)}, 1
	case p.room < pageLen:
		p.pages[0] = append(p.pages[0], make([]T, p.room)...)
		p.room *= 2
	default:
		p.pages = append(p.pages, make([]T, pageLen))
		p.room += pageLen
	}
}

// Pop removes the last item.
func (p *Pages[T]) Pop() {
	p.n--
	var none T
	*p.At(uint32(p.n)) = none
	if p.n%pageLen == 0 {
		p.trim()
	}
}

// trim drops the empty pages, except one for the next Push.
func (p *Pages[T]) trim() {
	keep := p.n>>pageBits + 1
	if keep >= len(p.pages) {
		return
	}
	clear(p.pages[keep:])
	p.pages, p.room = p.pages[:keep], keep<<pageBits
	if c := cap(p.pages); c > 8 && keep < c/4 { // a peak is over
		p.pages = append(make([][]T, 0, c/2), p.pages...)
	}
}

// Bytes returns the storage that the list takes.
func (p *Pages[T]) Bytes() int64 {
	var v T
	return int64(p.room)*int64(unsafe.Sizeof(v)) + int64(cap(p.pages))*int64(unsafe.Sizeof(p.pages))
}
