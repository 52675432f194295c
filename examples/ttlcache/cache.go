package main

import (
	"errors"
	"hash/maphash"
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
)

// ErrClosed is what Set and Touch say after Close.
var ErrClosed = errors.New("ttlcache: closed")

// A Cache maps keys to values, each of which lives for the time that it was
// set or last touched for: never shorter, and hardly longer (a tick or two of
// the wheel). It is safe for use by any goroutine.
//
// Every entry has a timer that is bound to the mutex of the entry's shard. This
// is what keeps the code simple: the handler runs with the mutex held, and not
// at all once its timer has been deleted or moved under that mutex. So a handler
// can never be about to remove an entry that has just been deleted, touched or
// given a new value, and there is no flag or generation counter here to tell it.
type Cache[K comparable, V any] struct {
	wheel  *timerwheel.Wheel
	seed   maphash.Seed
	shards [16]shard[K, V]
}

type shard[K comparable, V any] struct {
	mu      sync.Mutex // guards all below; the timers' Locker
	entries map[K]*entry[V]
	closed  bool
	stats   Stats
}

type entry[V any] struct {
	value V
	timer timerwheel.Timer
}

// Stats counts entries: Inserted == Expired + Deleted + those still there.
type Stats struct{ Inserted, Expired, Deleted uint64 }

// NewCache returns an empty cache whose entries expire by the given wheel, which
// others may use as well. Close the cache before the wheel.
func NewCache[K comparable, V any](wheel *timerwheel.Wheel) *Cache[K, V] {
	c := &Cache[K, V]{wheel: wheel, seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].entries = make(map[K]*entry[V])
	}
	return c
}

// Get returns the value of a key that has not expired.
func (c *Cache[K, V]) Get(key K) (value V, ok bool) {
	s := c.lock(key)
	defer s.mu.Unlock()
	if e := s.entries[key]; e != nil {
		return e.value, true
	}
	return value, false
}

// Set gives key a value for the time of ttl, whatever it had before.
func (c *Cache[K, V]) Set(key K, value V, ttl time.Duration) error {
	s := c.lock(key)
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	e := s.entries[key]
	if e == nil {
		e = s.insert(c.wheel, key)
	}
	e.value = value
	return e.timer.Register(ttl) // moves a timer that is pending: its old deadline never fires
}

// Touch lets key live for the time of ttl from now. It reports whether there is
// such a key.
func (c *Cache[K, V]) Touch(key K, ttl time.Duration) (bool, error) {
	s := c.lock(key)
	defer s.mu.Unlock()
	if s.closed {
		return false, ErrClosed
	}
	e := s.entries[key]
	if e == nil {
		return false, nil
	}
	return true, e.timer.Register(ttl)
}

// Delete removes key and reports whether it was there.
func (c *Cache[K, V]) Delete(key K) bool {
	s := c.lock(key)
	defer s.mu.Unlock()
	return s.delete(key)
}

// Close removes all entries, for good. The wheel goes on.
func (c *Cache[K, V]) Close() {
	for i := range c.shards {
		c.shards[i].close()
	}
}

// Len is the number of entries.
func (c *Cache[K, V]) Len() (n int) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		n += len(s.entries)
		s.mu.Unlock()
	}
	return n
}

// Stats adds up the counts of all shards.
func (c *Cache[K, V]) Stats() (sum Stats) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		sum.Inserted += s.stats.Inserted
		sum.Expired += s.stats.Expired
		sum.Deleted += s.stats.Deleted
		s.mu.Unlock()
	}
	return sum
}

// lock returns the shard of key, with its mutex held.
func (c *Cache[K, V]) lock(key K) *shard[K, V] {
	s := &c.shards[maphash.Comparable(c.seed, key)%uint64(len(c.shards))]
	s.mu.Lock()
	return s
}

// insert adds an entry without a value, its timer not yet pending. The caller
// holds mu.
func (s *shard[K, V]) insert(wheel *timerwheel.Wheel, key K) *entry[V] {
	e := new(entry[V])
	e.timer = wheel.AllocLocked(&s.mu, func(timerwheel.Timer) { s.expire(key) })
	s.entries[key] = e
	s.stats.Inserted++
	return e
}

// expire is the handler of key's timer. The worker holds mu, and since the
// timer was neither deleted nor moved, the entry is there and its time is over.
func (s *shard[K, V]) expire(key K) {
	s.remove(key)
	s.stats.Expired++
}

// delete removes key, if it is there. The caller holds mu.
func (s *shard[K, V]) delete(key K) bool {
	e := s.entries[key]
	if e == nil {
		return false
	}
	// Under mu, Del is all it takes: the handler is not running, for it would
	// hold mu, and it will not begin. Waiting by DelSync would find nothing to
	// wait for.
	e.timer.Del()
	s.remove(key)
	s.stats.Deleted++
	return true
}

// remove forgets the entry of key and gives its timer back. The caller holds mu.
func (s *shard[K, V]) remove(key K) {
	s.entries[key].timer.Free()
	delete(s.entries, key)
}

func (s *shard[K, V]) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for key := range s.entries {
		s.delete(key)
	}
}
