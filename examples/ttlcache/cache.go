package main

import (
	"errors"
	"hash/maphash"
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
)

// ErrClosed is returned by Set and Touch after Close.
var ErrClosed = errors.New("ttlcache: closed")

// A Cache maps keys to values. Each entry lives for the ttl of its last Set or Touch:
// never shorter, and at most a tick or two of the wheel longer. A Cache is safe for use
// by any goroutine.
//
// Every entry has a timer that is bound to the mutex of the entry's shard, which keeps
// the code simple. The handler runs with the mutex held, and does not run once its timer
// was deleted or moved under that mutex. So a handler can never be about to remove an
// entry that was just deleted, touched or given a new value, and the cache needs no flag
// or generation counter to prevent that.
//
// At most one worker of the wheel waits for a mutex, no matter how many entries of the shard
// are due. So a mutex that is held for long delays nothing else on the wheel.
type Cache[K comparable, V any] struct {
	wheel  *timerwheel.Wheel
	seed   maphash.Seed
	shards [16]shard[K, V]
}

type shard[K comparable, V any] struct {
	mu      sync.Mutex // guards all fields below; the Locker of the timers
	entries map[K]*entry[V]
	closed  bool
	stats   Stats
}

type entry[V any] struct {
	value V
	timer timerwheel.Timer
}

// Stats counts entries: Inserted == Expired + Deleted + Len.
type Stats struct{ Inserted, Expired, Deleted uint64 }

// NewCache returns an empty cache whose entries expire on wheel. Other code may use the
// wheel as well. Close the cache before the wheel.
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

// Set sets the value of key, which then lives for ttl.
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
	return e.timer.Register(ttl) // moves a pending timer: its old deadline never fires
}

// Touch lets key live for ttl from now. It reports whether the key is in the cache.
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

// Delete removes key and reports whether it was in the cache.
func (c *Cache[K, V]) Delete(key K) bool {
	s := c.lock(key)
	defer s.mu.Unlock()
	return s.delete(key)
}

// Close removes all entries and refuses new ones. It does not close the wheel.
func (c *Cache[K, V]) Close() {
	for i := range c.shards {
		c.shards[i].close()
	}
}

// Len returns the number of entries.
func (c *Cache[K, V]) Len() (n int) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		n += len(s.entries)
		s.mu.Unlock()
	}
	return n
}

// Stats returns the sum of the counts of all shards.
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

// insert adds an entry without a value. Its timer is not pending yet. The caller holds
// mu.
func (s *shard[K, V]) insert(wheel *timerwheel.Wheel, key K) *entry[V] {
	e := new(entry[V])
	e.timer = wheel.AllocLocked(&s.mu, func(timerwheel.Timer) { s.expire(key) })
	s.entries[key] = e
	s.stats.Inserted++
	return e
}

// expire is the handler of key's timer. The worker holds mu. The timer was neither deleted
// nor moved, so the entry exists and its ttl is over.
func (s *shard[K, V]) expire(key K) {
	s.remove(key)
	s.stats.Expired++
}

// delete removes key if it is in the cache. The caller holds mu.
func (s *shard[K, V]) delete(key K) bool {
	e := s.entries[key]
	if e == nil {
		return false
	}
	// Under mu, Del is enough: the handler is not running, because it would hold mu,
	// and it will not begin. DelSync would have nothing to wait for.
	e.timer.Del()
	s.remove(key)
	s.stats.Deleted++
	return true
}

// remove removes the entry of key and frees its timer. The caller holds mu.
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
