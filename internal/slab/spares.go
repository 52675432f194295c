package slab

import "sync"

// Spares are storage that was given back, and that the next peak takes again if it comes before
// the garbage collector has let go of it. In a program whose timers come in bursts, each burst
// would leave all its storage as garbage otherwise. Storage that is not taken again goes back to
// the runtime by the second collection.
//
// Spares have a lock of their own, inside of sync.Pool, and may be used under the owner's lock
// or without it. They are not part of any wheel, so several wheels share them.
type Spares[T any] struct {
	pool sync.Pool
	make func() *T
}

// NewSpares makes Spares that make storage with f if there is none.
func NewSpares[T any](f func() *T) *Spares[T] { return &Spares[T]{make: f} }

// Take returns storage that was given back, as it was then, or new storage.
func (s *Spares[T]) Take() *T {
	if v, ok := s.pool.Get().(*T); ok {
		return v
	}
	return s.make()
}

// Give gives back storage that is as good as new. The caller must not use it afterwards.
func (s *Spares[T]) Give(v *T) { s.pool.Put(v) }
