// Package calls has handlers whose calls are indirect: of what is passed or stored, or through // want package:"functions"
// an interface.
package calls

import (
	"io"
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
)

// A helper makes a timer that calls what is passed to the helper. The function of each call
// is that of its own timer only.
type peer struct {
	mu          sync.Mutex
	keys        sync.Mutex
	wheel       *timerwheel.Wheel
	retry, keep timerwheel.Timer
	zero        timerwheel.Timer
	nested      timerwheel.Timer
	plain       timerwheel.Timer
	group       map[string]timerwheel.Timer
}

func (p *peer) newTimer(f func(*peer)) timerwheel.Timer {
	return p.wheel.Alloc(func(timerwheel.Timer) { f(p) })
}

func (p *peer) newRetry(f func(*peer)) timerwheel.Timer { return p.newTimer(f) }

func (p *peer) start() {
	p.retry = p.newTimer(expiredRetry)
	p.keep = p.newTimer((*peer).expiredKeep)
	p.zero = p.newTimer(func(q *peer) { q.keys.Lock(); q.keys.Unlock() })
	p.nested = p.newRetry(expiredRetry)
	p.plain = p.newRetry(func(*peer) {})
	p.group["a"] = p.newTimer(expiredRetry)
}

func expiredRetry(p *peer) {
	p.mu.Lock()
	defer p.mu.Unlock()
}

func (p *peer) expiredKeep() {}

func (p *peer) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retry.DelSync() // want `DelSync of peer.retry waits for the handler at calls.go:27 of the timer made at calls.go:\d+, which locks peer.mu \(calls.go:42\), while peer.mu is held`
	p.keep.DelSync()
	p.zero.DelSync()
	p.nested.DelSync() // want `DelSync of peer.nested waits`
	p.plain.DelSync()
	p.group["a"].DelSync() // want `DelSync of peer.group\[\] waits`
}

func (p *peer) stopKeys() {
	p.keys.Lock()
	p.zero.DelSync() // want `DelSync of peer.zero waits for the handler at calls.go:27 of the timer made at calls.go:\d+, which locks peer.keys`
	p.retry.DelSync()
	p.keys.Unlock()
	p.zero.DelSync()
}

// The function that is passed waits for its own timer, and two wait for each other.
type own struct {
	wheel *timerwheel.Wheel
	t     timerwheel.Timer
	a, b  timerwheel.Timer
}

func (o *own) make(f func()) timerwheel.Timer {
	return o.wheel.AfterFunc(time.Second, func() { f() })
}

func (o *own) start() {
	o.t = o.make(func() { o.t.Del() })
	o.a = o.make(o.endA)
	o.b = o.make(o.endB)
}

func (o *own) endA() { o.b.DelSync() } // want `handlers wait for each other in a circle`
func (o *own) endB() { o.a.DelSync() }

type alone struct {
	wheel *timerwheel.Wheel
	t     timerwheel.Timer
}

func (a *alone) make(f func()) timerwheel.Timer {
	return a.wheel.AfterFunc(time.Second, func() {
		f() // want `DelSync of alone.t \(calls.go:\d+, by .*\) in the timer's own handler cannot wait`
	})
}

func (a *alone) start() {
	a.t = a.make(func() { a.t.DelSync() })
}

// A helper that stores the handle itself, and one that takes the handler as it is.
type stored struct {
	mu    sync.Mutex
	wheel *timerwheel.Wheel
	t, u  timerwheel.Timer
}

func (s *stored) arm(f func()) {
	s.t = s.wheel.AfterFunc(time.Second, func() { f() })
}

func (s *stored) bare(f func(timerwheel.Timer)) timerwheel.Timer { return s.wheel.Alloc(f) }

func (s *stored) start() {
	s.arm(s.expire)
	s.u = s.bare(func(timerwheel.Timer) {})
	_ = s.bare(func(timerwheel.Timer) { s.expire() })
}

func (s *stored) expire() { s.mu.Lock(); s.mu.Unlock() }

func (s *stored) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.t.DelSync() // want `DelSync of stored.t waits`
	s.u.DelSync()
}

// A function that passes what it is passed.
func (s *stored) each(f func(*stored)) { s.with(f) }

func (s *stored) with(f func(*stored)) { s.mu.Lock(); defer s.mu.Unlock(); f(s) }

func (s *stored) stopEach() {
	s.each(func(x *stored) { x.t.DelSync() }) // want `DelSync of stored.t \(calls.go:\d+, by the function that is passed\) waits`
	s.each(func(x *stored) { x.t.Del() })
}

// An interface of the package that one type implements.
type expirer interface{ lapse() }

type entry struct {
	mu sync.Mutex
	t  timerwheel.Timer
	u  timerwheel.Timer
	x  expirer
}

func (e *entry) start(w *timerwheel.Wheel) {
	e.t = w.Alloc(func(timerwheel.Timer) { e.x.lapse() })
	x := e.x
	e.u = w.AfterFunc(time.Second, x.lapse)
}

type table struct {
	mu      sync.Mutex
	entries map[string]*entry
}

func (t *table) lapse() { t.mu.Lock(); t.mu.Unlock() }

func (t *table) drop(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entries[name].t.DelSync() // want `DelSync of entry.t waits for the handler at calls.go:\d+, which locks table.mu`
	t.entries[name].u.DelSync() // want `DelSync of entry.u waits for the handler table.lapse`
}

func (e *entry) right() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.t.DelSync()
}

// Two types implement it: it is not known which method is called.
type shape interface{ draw() }

type canvas struct{ mu sync.Mutex }

type block struct{}

func (c *canvas) draw() { c.mu.Lock(); c.mu.Unlock() }
func (block) draw()     {}

type scene struct {
	of shape
	t  timerwheel.Timer
}

func (s *scene) start(w *timerwheel.Wheel) {
	s.t = w.Alloc(func(timerwheel.Timer) { s.of.draw() })
}

func (c *canvas) drop(s *scene) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.t.DelSync()
}

// An interface of another package: other types of other packages implement it.
type file struct{ mu sync.Mutex }

func (f *file) Close() error { f.mu.Lock(); f.mu.Unlock(); return nil }

type closing struct {
	of io.Closer
	t  timerwheel.Timer
}

func (c *closing) start(w *timerwheel.Wheel) {
	c.t = w.Alloc(func(timerwheel.Timer) { c.of.Close() })
}

func (f *file) drop(c *closing) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c.t.DelSync()
}

// A function that is kept in a field.
type hooked struct {
	mu       sync.Mutex
	wheel    *timerwheel.Wheel
	onExpire func()
	onAny    func()
	onTimer  func(timerwheel.Timer)
	t, u, v  timerwheel.Timer
}

func newHooked(w *timerwheel.Wheel) *hooked {
	h := &hooked{wheel: w}
	h.onExpire = h.expire
	h.onTimer = func(timerwheel.Timer) { h.expire() }
	h.t = w.Alloc(func(timerwheel.Timer) { h.onExpire() })
	h.u = w.Alloc(func(timerwheel.Timer) { h.onAny() })
	h.v = w.Alloc(h.onTimer)
	return h
}

func (h *hooked) set(first bool) {
	h.onAny = func() {}
	if first {
		h.onAny = h.expire
	}
}

func (h *hooked) expire() { h.mu.Lock(); h.mu.Unlock() }

func (h *hooked) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.t.DelSync() // want `DelSync of hooked.t waits`
	h.u.DelSync() // it is not known which of the two the handler calls
	h.v.DelSync() // want `DelSync of hooked.v waits`
}

var onGlobal = lockGlobal

var (
	globalMu sync.Mutex
	global   timerwheel.Timer
)

func lockGlobal() { globalMu.Lock(); globalMu.Unlock() }

func startGlobal(w *timerwheel.Wheel) {
	global = w.Alloc(func(timerwheel.Timer) { onGlobal() })
}

func stopGlobal() {
	globalMu.Lock()
	global.DelSync() // want `DelSync of global waits`
	globalMu.Unlock()
}
