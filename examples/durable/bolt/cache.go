package main

import (
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
)

// A cache holds values that may be lost, and are not worth a transaction each. A clean shutdown saves
// them, with what is left of their lives ([timerwheel.Wheel.Timers]); after a crash the cache is empty.
type cache struct {
	wheel   *timerwheel.Wheel
	mu      sync.Mutex
	entries map[timerwheel.Timer]cacheEntry
}

// A cacheEntry is a value, and the end of its life.
type cacheEntry struct {
	Key, Value string
	Until      time.Time
}

func newCache(w *timerwheel.Wheel) *cache {
	return &cache{wheel: w, entries: map[timerwheel.Timer]cacheEntry{}}
}

// put adds an entry. Its life ends at e.Until by the wall clock as it is set now.
func (c *cache) put(e cacheEntry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.wheel.AllocLocked(&c.mu, func(t timerwheel.Timer) {
		delete(c.entries, t)
		_ = t.Free()
	})
	c.entries[t] = e
	_ = t.RegisterAt(e.Until) // refused by a closed wheel only
}

// snapshot returns the entries that live. Timers says which timers are pending and until when; the map
// says what each of them means. It does not yield the timers of package keyed, and the service's other
// timer is not in the map.
func (c *cache) snapshot() (entries []cacheEntry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for t, until := range c.wheel.Timers() {
		if e, ok := c.entries[t]; ok {
			e.Until = until
			entries = append(entries, e)
		}
	}
	return entries
}

// restore puts saved entries back. Those whose life has ended go at once.
func (c *cache) restore(entries []cacheEntry) {
	for _, e := range entries {
		c.put(e)
	}
}
