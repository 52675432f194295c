// Package relock has handlers of lock-bound timers that lock their lock again. // want package:"handlers"
package relock

import (
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
)

type cache struct {
	mu      sync.Mutex
	stats   sync.Mutex
	table   sync.RWMutex
	wheel   *timerwheel.Wheel
	next    *cache
	t       timerwheel.Timer
	entries map[string]int
}

func (c *cache) start() {
	c.t = c.wheel.AllocLocked(&c.mu, func(timerwheel.Timer) {
		c.mu.Lock() // want `the handler at relock.go:22 locks cache.mu, with which the wheel calls it \(AllocLocked, relock.go:22\): it waits for itself for ever. Leave the Lock out, or call ReleaseLock first`
		defer c.mu.Unlock()
	})
	c.t = c.wheel.AllocLocked(&c.mu, c.expire)
	c.t = c.wheel.AllocLocked(&c.mu, func(timerwheel.Timer) {
		c.remove("a") // want `the handler at relock.go:27 locks cache.mu \(relock.go:\d+\), with which the wheel calls it`
	})
	c.t = c.wheel.AfterFuncLocked(&c.mu, time.Second, func() {
		c.with(func() {}) // want `locks cache.mu`
	})
	c.t = c.wheel.AfterFuncLocked(&c.table, time.Second, func() {
		c.table.RLock() // want `locks cache.table`
		c.table.RUnlock()
	})
	c.t = c.wheel.NewGroup().AllocLocked(&c.mu, func(timerwheel.Timer) {
		c.removeAll() // want `locks cache.mu`
	})
}

func (c *cache) expire(timerwheel.Timer) {
	if len(c.entries) > 0 {
		c.mu.Lock() // want `the handler cache.expire \(relock.go:\d+\) locks cache.mu`
		c.mu.Unlock()
	}
}

func (c *cache) remove(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, name)
}

func (c *cache) removeAll() {
	for name := range c.entries {
		c.remove(name)
	}
}

func (c *cache) with(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

var (
	global sync.Mutex
	beat   timerwheel.Timer
)

func startGlobal(w *timerwheel.Wheel) {
	beat = w.AfterFuncLocked(&global, time.Second, func() {
		lockGlobal() // want `locks global`
	})
}

func lockGlobal() { global.Lock(); global.Unlock() }

func passed(w *timerwheel.Wheel, mu *sync.Mutex) timerwheel.Timer {
	return w.AfterFuncLocked(mu, time.Second, func() {
		mu.Lock() // want `locks mu, with which`
		mu.Unlock()
	})
}

// A handler that has released the lock, or that unlocks it.
func (c *cache) right() {
	c.t = c.wheel.AllocLocked(&c.mu, func(t timerwheel.Timer) {
		c.removeLocked("a")
		t.ReleaseLock()
		c.remove("a")
	})
	c.t = c.wheel.AllocLocked(&c.mu, func(timerwheel.Timer) {
		c.mu.Unlock()
		c.mu.Lock()
	})
	c.t = c.wheel.AllocLocked(&c.mu, func(timerwheel.Timer) { c.callOut() })
	c.t = c.wheel.AllocLocked(&c.mu, func(t timerwheel.Timer) { c.release(t) })
	c.t = c.wheel.AllocLocked(&c.mu, func(timerwheel.Timer) {
		c.stats.Lock()
		c.stats.Unlock()
		if c.mu.TryLock() {
			c.mu.Unlock()
		}
		go c.remove("a")
	})
	c.t = c.wheel.Alloc(func(timerwheel.Timer) { c.remove("a") })
	c.t = c.wheel.AllocLocked(&c.mu, func(timerwheel.Timer) { c.next.remove("a") })
}

func (c *cache) removeLocked(name string) { delete(c.entries, name) }

// callOut is called with mu held, and releases it in between.
func (c *cache) callOut() {
	c.mu.Unlock()
	c.mu.Lock()
}

func (c *cache) release(t timerwheel.Timer) {
	t.ReleaseLock()
	c.remove("a")
}

// Of another object.
func rightOther(w *timerwheel.Wheel, c, d *cache, all map[string]*cache) {
	c.t = w.AllocLocked(&c.mu, func(timerwheel.Timer) {
		d.remove("a")
		all["b"].remove("a")
	})
}
