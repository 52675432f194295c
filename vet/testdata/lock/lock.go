// Package lock deletes timers while it holds locks. // want package:"functions"
package lock

import (
	"context"
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
)

type conn struct {
	mu    sync.Mutex
	wheel *timerwheel.Wheel
	idle  timerwheel.Timer
	group *timerwheel.Group
}

func newConn(w *timerwheel.Wheel) *conn {
	c := &conn{wheel: w, group: w.NewGroup()}
	c.idle = w.Alloc(func(timerwheel.Timer) {
		c.mu.Lock()
		defer c.mu.Unlock()
	})
	c.group.Every(time.Second, c.tick)
	return c
}

func (c *conn) tick(timerwheel.Timer) { c.count() }

func (c *conn) count() {
	c.mu.Lock()
	c.mu.Unlock()
}

func (c *conn) wrong() {
	c.mu.Lock()
	c.idle.DelSync() // want `DelSync of conn.idle waits for the handler at lock.go:21, which locks conn.mu \(lock.go:22\), while conn.mu is held \(lock.go:37\): both wait for ever. Unlock conn.mu first, or make the timer with AllocLocked and use Del`
	c.mu.Unlock()
}

func (c *conn) right() {
	c.mu.Lock()
	c.mu.Unlock()
	c.idle.DelSync()
}

func (c *conn) wrongDeferred() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle.ShutdownSync() // want `ShutdownSync of conn.idle waits for the handler at lock.go:21, .* Unlock conn.mu first, or make the timer with AllocLocked and use Shutdown`
}

func (c *conn) rightDeferred() {
	defer c.idle.ShutdownSync()
	c.mu.Lock()
	defer c.mu.Unlock()
}

func (c *conn) wrongOrderOfDefers() {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.idle.ShutdownSync() // want `ShutdownSync of conn.idle waits`
}

func (c *conn) rightOnEveryPath(early bool) {
	c.mu.Lock()
	if early {
		c.mu.Unlock()
		c.idle.DelSync()
		return
	}
	c.mu.Unlock()
	c.idle.DelSync()
}

func (c *conn) wrongOnOnePath(early bool) {
	c.mu.Lock()
	if early {
		c.mu.Unlock()
	}
	c.idle.DelSync() // want `DelSync of conn.idle waits`
	if !early {
		c.mu.Unlock()
	}
}

func (c *conn) rightByCondition(locked bool) {
	if locked {
		c.mu.Lock()
	}
	if !locked {
		c.idle.DelSync()
	}
	if locked {
		c.mu.Unlock()
	}
}

func (c *conn) contexts(unknown context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle.DelSyncContext(context.Background()) // want `DelSyncContext of conn.idle waits`
	c.idle.DelSyncContext(context.TODO())       // want `DelSyncContext of conn.idle waits`
	cancelled, cancel := context.WithCancel(context.Background())
	defer cancel()
	c.idle.DelSyncContext(cancelled)       // want `DelSyncContext of conn.idle waits`
	c.idle.ShutdownSyncContext(cancelled)  // want `ShutdownSyncContext of conn.idle waits .* use Shutdown`
	c.group.DelSyncContext(cancelled)      // want `Group.DelSyncContext waits for the handler conn.tick`
	c.group.ShutdownSyncContext(cancelled) // want `Group.ShutdownSyncContext waits for the handler conn.tick`
	c.wheel.CloseContext(cancelled)        // want `Wheel.CloseContext waits for the handler at lock.go:21, .* It waits in the same way for the handler conn.tick \(lock.go:29\)`
	bounded, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c.idle.DelSyncContext(bounded)
	c.idle.ShutdownSyncContext(bounded)
	c.group.DelSyncContext(bounded)
	c.group.ShutdownSyncContext(bounded)
	c.wheel.CloseContext(bounded)
	child, cancel := context.WithCancel(bounded)
	defer cancel()
	c.idle.DelSyncContext(child)
	c.idle.DelSyncContext(unknown)
}

func (c *conn) others() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle.Del()
	c.idle.Stop()
	c.idle.Shutdown()
	c.idle.DelAsync(func() {})
	go c.idle.DelSync()
	c.group.Del()
	c.group.Shutdown()
	c.group.DelSync()      // want `Group.DelSync waits for the handler conn.tick \(lock.go:29\), which locks conn.mu \(lock.go:32\)`
	c.group.ShutdownSync() // want `Group.ShutdownSync waits for the handler conn.tick`
	c.wheel.Close()        // want `Wheel.Close waits for the handler at lock.go:21, .* It waits in the same way for the handler conn.tick`
}

func (c *conn) stop() { c.idle.DelSync() }

func (c *conn) wrongByCall() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stop() // want `DelSync of conn.idle \(lock.go:140, by stop\) waits`
}

// stopLocked unlocks the lock while it waits.
func (c *conn) stopLocked() {
	c.mu.Unlock()
	c.idle.DelSync()
	c.mu.Lock()
}

func (c *conn) rightByCall() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopLocked()
}

func (c *conn) lock()   { c.mu.Lock() }
func (c *conn) unlock() { c.mu.Unlock() }

func (c *conn) wrongByHelpers() {
	c.lock()
	c.idle.DelSync() // want `DelSync of conn.idle waits`
	c.unlock()
}

func (c *conn) rightByHelpers() {
	c.lock()
	c.unlock()
	c.idle.DelSync()
}

func (c *conn) locked(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

func (c *conn) wrongInClosure() {
	c.locked(func() { c.idle.DelSync() }) // want `DelSync of conn.idle \(lock.go:\d+, by the function that is passed\) waits`
}

func (c *conn) rightInClosure() {
	c.locked(func() { c.idle.Del() })
	func() { c.idle.DelSync() }()
}

func (c *conn) tries() {
	if c.mu.TryLock() {
		c.idle.DelSync() // want `DelSync of conn.idle waits`
		c.mu.Unlock()
	} else {
		c.idle.DelSync()
	}
	if !c.mu.TryLock() {
		return
	}
	defer c.mu.Unlock()
	c.idle.DelSync() // want `DelSync of conn.idle waits`
}

// A handler that only tries to lock does not wait.
type trier struct {
	mu   sync.Mutex
	idle timerwheel.Timer
}

func (t *trier) start(w *timerwheel.Wheel) {
	t.idle = w.Alloc(func(timerwheel.Timer) {
		if t.mu.TryLock() {
			t.mu.Unlock()
		}
	})
}

func (t *trier) right() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.idle.DelSync()
}

// Readers.
type table struct {
	mu            sync.RWMutex
	reads, writes timerwheel.Timer
}

func (t *table) start(w *timerwheel.Wheel) {
	t.reads = w.Alloc(func(timerwheel.Timer) { t.mu.RLock(); t.mu.RUnlock() })
	t.writes = w.Alloc(func(timerwheel.Timer) { t.mu.Lock(); t.mu.Unlock() })
}

func (t *table) stop() {
	t.mu.RLock()
	t.reads.DelSync()
	t.writes.DelSync() // want `DelSync of table.writes waits`
	t.mu.RUnlock()
	t.mu.Lock()
	t.reads.DelSync()  // want `DelSync of table.reads waits`
	t.writes.DelSync() // want `DelSync of table.writes waits`
	t.mu.Unlock()
}

// Lock-bound.
type cache struct {
	mu      sync.Mutex
	stats   sync.Mutex
	wheel   *timerwheel.Wheel
	entries map[string]timerwheel.Timer
	plain   map[string]timerwheel.Timer
}

func (c *cache) set(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries[key] = c.wheel.AllocLocked(&c.mu, func(timerwheel.Timer) {
		delete(c.entries, key)
		c.stats.Lock()
		c.stats.Unlock()
	})
	c.plain[key] = c.wheel.Alloc(func(timerwheel.Timer) { c.remove(key) })
}

func (c *cache) remove(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, key)
}

func (c *cache) drop(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries[key].DelSync() // lock-bound to mu: it never waits for a handler that waits for mu
	c.stats.Lock()
	c.entries[key].DelSync() // want `DelSync of cache.entries\[\] waits for the handler at lock.go:259, which locks cache.stats \(lock.go:261\), while cache.stats is held \(lock.go:277\): both wait for ever. Unlock cache.stats first`
	c.stats.Unlock()
	for _, t := range c.plain {
		t.DelSync() // want `DelSync of cache.plain\[\] waits`
	}
	if t, ok := c.plain[key]; ok {
		t.DelSync() // want `DelSync of cache.plain\[\] waits`
	}
}

func (c *cache) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wheel.Close() // want `Wheel.Close waits for the handler at lock.go:259, which the wheel calls with cache.mu locked \(AllocLocked, lock.go:259\), .* It waits in the same way for the handler at lock.go:264`
}

// In a lock-bound handler the lock is held.
type pair struct {
	mu    sync.Mutex
	bound timerwheel.Timer
	other timerwheel.Timer
}

func (p *pair) start(w *timerwheel.Wheel) {
	p.other = w.Alloc(func(timerwheel.Timer) { p.mu.Lock(); p.mu.Unlock() })
	p.bound = w.AllocLocked(&p.mu, func(timerwheel.Timer) {
		p.other.DelSync() // want `DelSync of pair.other waits`
	})
	p.bound = w.AllocLocked(&p.mu, p.expire)
}

func (p *pair) expire(timerwheel.Timer) {
	p.other.DelSync() // want `DelSync of pair.other waits`
}

// A handler that has released the lock does not hold it any more; it may lock it again.
func (p *pair) startReleasing(w *timerwheel.Wheel) {
	p.bound = w.AllocLocked(&p.mu, func(t timerwheel.Timer) {
		t.ReleaseLock()
		p.other.DelSync()
		p.mu.Lock()
		p.other.DelSync() // want `DelSync of pair.other waits`
		p.mu.Unlock()
		p.other.DelSync()
	})
	p.bound = w.AllocLocked(&p.mu, p.expireAtLast)
	p.bound = w.AllocLocked(&p.mu, func(t timerwheel.Timer) {
		if release(t); t.Valid() {
			p.stopOther()
		}
	})
	p.bound = w.AfterFuncLocked(&p.mu, time.Second, func() {
		p.bound.ReleaseLock()
		p.other.DelSync()
	})
}

func (p *pair) expireAtLast(t timerwheel.Timer) {
	p.other.DelSync() // want `DelSync of pair.other waits`
	if release(t) == nil {
		p.other.DelSync()
	}
}

func (p *pair) stopOther() { p.other.DelSync() }

func release(t timerwheel.Timer) error { return t.ReleaseLock() }

// Who waits while holding the lock waits for the rest of the handler.
type releasing struct {
	mu          sync.Mutex
	once, again timerwheel.Timer
}

func (r *releasing) start(w *timerwheel.Wheel) {
	r.once = w.AllocLocked(&r.mu, func(t timerwheel.Timer) { t.ReleaseLock() })
	r.again = w.AllocLocked(&r.mu, func(t timerwheel.Timer) {
		t.ReleaseLock()
		r.mu.Lock()
		r.mu.Unlock()
	})
}

func (r *releasing) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.once.DelSync()
	r.again.DelSync() // want `DelSync of releasing.again waits for the handler at lock.go:\d+, which locks releasing.mu`
}

// Embedded, passed, local and global.
type embedded struct {
	sync.Mutex
	timerwheel.Timer
}

func (e *embedded) both(w *timerwheel.Wheel) {
	e.Timer = w.Alloc(func(timerwheel.Timer) { e.Lock(); e.Unlock() })
	e.Lock()
	e.DelSync() // want `DelSync of embedded.Timer waits for the handler at lock.go:\d+, which locks embedded.Mutex`
	e.Unlock()
	e.DelSync()
}

func passed(w *timerwheel.Wheel, mu *sync.Mutex) {
	t := w.Alloc(func(timerwheel.Timer) { lockIt(mu) })
	mu.Lock()
	t.DelSync() // want `DelSync waits for the handler at lock.go:\d+, which locks mu`
	mu.Unlock()
	t.DelSync()
}

func lockIt(mu sync.Locker) {
	mu.Lock()
	mu.Unlock()
}

func local(w *timerwheel.Wheel) {
	var mu, other sync.Mutex
	t := w.AfterFunc(time.Second, func() { mu.Lock(); mu.Unlock() })
	other.Lock()
	t.DelSync()
	mu.Lock()
	stopIt(t) // want `DelSync \(lock.go:\d+, by stopIt\) waits for the handler at lock.go:\d+, which locks mu`
	mu.Unlock()
	other.Unlock()
}

func stopIt(t timerwheel.Timer) { t.DelSync() }

var (
	global sync.Mutex
	beat   timerwheel.Timer
)

func start(w *timerwheel.Wheel) {
	beat = w.AfterFuncArg(time.Second, func(arg any) { lockIt(arg.(*sync.Mutex)) }, &global)
}

func finish() {
	global.Lock()
	defer global.Unlock()
	beat.DelSync() // want `DelSync of beat waits for the handler at lock.go:\d+, which locks global`
}

// The wheel takes the lock of AfterFuncLocked, as of AllocLocked. A deletion that holds it does not
// wait; a Close does.
type bound struct {
	mu    sync.Mutex
	wheel *timerwheel.Wheel
	timer timerwheel.Timer
}

func (b *bound) arm() {
	b.timer = b.wheel.AfterFuncLocked(&b.mu, time.Second, func() {})
}

func (b *bound) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.timer.DelSync()
	b.wheel.Close() // want `Close waits for the handler at lock.go:\d+, which the wheel calls with bound.mu locked \(AfterFuncLocked, lock.go:\d+\)`
}

// A goroutine that the handler starts is not the handler.
type spawner struct {
	mu sync.Mutex
	t  timerwheel.Timer
}

func (s *spawner) start(w *timerwheel.Wheel) {
	s.t = w.Alloc(func(timerwheel.Timer) {
		go func() { s.mu.Lock(); s.mu.Unlock() }()
	})
}

func (s *spawner) right() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.t.DelSync()
}

// Two objects of one type.
type node struct {
	mu   sync.Mutex
	next *node
	t    timerwheel.Timer
}

func (n *node) start(w *timerwheel.Wheel) {
	n.t = w.Alloc(func(timerwheel.Timer) { n.mu.Lock(); n.mu.Unlock() })
}

func (n *node) cut(m *node) {
	n.mu.Lock()
	defer n.mu.Unlock()
	m.t.DelSync()
	n.next.t.DelSync()
	n.t.DelSync() // want `DelSync of node.t waits`
}

// Two wheels.
func wheels() {
	a, _ := timerwheel.New(timerwheel.Options{})
	b, _ := timerwheel.New(timerwheel.Options{})
	var mu sync.Mutex
	a.AfterFunc(time.Second, func() { mu.Lock(); mu.Unlock() })
	mu.Lock()
	b.Close()
	a.Close() // want `Wheel.Close waits`
	mu.Unlock()
}

// A handler that is a parameter, a result, a variable.
type widget struct {
	mu           sync.Mutex
	wheel        *timerwheel.Wheel
	one, two, it timerwheel.Timer
}

func (x *widget) make(f func(timerwheel.Timer)) timerwheel.Timer { return x.wheel.Alloc(f) }

func (x *widget) handler() func(timerwheel.Timer) {
	return func(timerwheel.Timer) { x.mu.Lock(); x.mu.Unlock() }
}

func (x *widget) start() {
	x.one = x.make(func(timerwheel.Timer) { x.mu.Lock(); x.mu.Unlock() })
	x.two = x.wheel.Alloc(x.handler())
	f := func(timerwheel.Timer) { x.mu.Lock(); x.mu.Unlock() }
	x.it = x.wheel.Alloc(f)
}

func (x *widget) stop() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.one.DelSync() // want `DelSync of widget.one waits`
	x.two.DelSync() // want `DelSync of widget.two waits`
	x.it.DelSync()  // want `DelSync of widget.it waits`
}

// A call through an interface is not followed: the handler may lock an entry.
type expirer interface{ expire() }

type entry struct {
	mu sync.Mutex
	t  timerwheel.Timer
}

func (e *entry) expire() { e.mu.Lock(); e.mu.Unlock() }

func (e *entry) start(w *timerwheel.Wheel, x expirer) {
	e.t = w.Alloc(func(timerwheel.Timer) { x.expire() })
}

func (e *entry) stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.t.DelSync()
}

// Slices.
type pool struct {
	mu     sync.Mutex
	timers []timerwheel.Timer
}

func (p *pool) add(w *timerwheel.Wheel) {
	p.timers = append(p.timers, w.Alloc(func(timerwheel.Timer) { p.mu.Lock(); p.mu.Unlock() }))
}

func (p *pool) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.timers {
		t.DelSync() // want `DelSync of pool.timers\[\] waits`
	}
}

// A reason silences it.
func (p *pool) known() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.timers {
		//timerwheelvet:ignore they never fire
		t.DelSync()
	}
	for _, t := range p.timers {
		//timerwheelvet:ignore
		t.DelSync() // want `DelSync of pool.timers\[\] waits`
	}
}

type bag[T any] struct {
	mu sync.Mutex
	t  timerwheel.Timer
	v  T
}

func (b *bag[T]) start(w *timerwheel.Wheel) {
	b.t = w.Alloc(b.fire)
}

func (b *bag[T]) fire(timerwheel.Timer) { b.mu.Lock(); b.mu.Unlock() }

func (b *bag[T]) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.t.DelSync() // want `DelSync of bag.t waits`
}

// Advance runs handlers in the goroutine of its caller.
type loop struct {
	mu    sync.Mutex
	wheel *timerwheel.Wheel
}

func (l *loop) start() {
	l.wheel, _ = timerwheel.New(timerwheel.Options{Manual: true})
	l.wheel.AfterFunc(time.Second, func() { l.mu.Lock(); l.mu.Unlock() })
}

func (l *loop) step() {
	l.mu.Lock()
	l.wheel.Advance(time.Now()) // want `Wheel.Advance waits for the handler at lock.go:\d+, which locks loop.mu`
	l.mu.Unlock()
	l.wheel.Advance(time.Now())
}
