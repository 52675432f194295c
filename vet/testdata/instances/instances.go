// Package instances has many objects of one type, and many handlers that want one lock. // want package:"functions"
package instances

import (
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
)

// A device with peers, each with several timers. Their handlers want the device's lock, and
// the locks of their peer.
type device struct {
	identity sync.RWMutex
	peersMu  sync.Mutex
	wheel    *timerwheel.Wheel
	peers    map[string]*peer
}

type handshake struct {
	mu sync.RWMutex
	n  int
}

type peer struct {
	device    *device
	handshake handshake
	endpoint  sync.Mutex
	timers    struct{ retry, keep, zero timerwheel.Timer }
}

func (p *peer) newTimer(f func(*peer)) timerwheel.Timer {
	return p.device.wheel.Alloc(func(timerwheel.Timer) { f(p) })
}

func (p *peer) start() {
	p.timers.retry = p.newTimer(retry)
	p.timers.keep = p.newTimer(keep)
	p.timers.zero = p.newTimer(zero)
}

func retry(p *peer) { p.initiate() }

func keep(p *peer) { p.initiate() }

func zero(p *peer) {
	p.handshake.mu.Lock()
	p.handshake.mu.Unlock()
	p.initiate()
}

func (p *peer) initiate() {
	p.device.identity.RLock()
	defer p.device.identity.RUnlock()
	p.handshake.mu.Lock()
	defer p.handshake.mu.Unlock()
	p.endpoint.Lock()
	defer p.endpoint.Unlock()
}

func (p *peer) stop() {
	p.timers.retry.DelSync()
	p.timers.keep.DelSync()
	p.timers.zero.DelSync()
}

func (d *device) removeLocked(p *peer) {
	p.stop()
	delete(d.peers, "a")
}

// One deadlock, one report: identity is held, and all three handlers want it. Of each peer
// that is removed the lock is released just before.
func (d *device) setKey() {
	d.identity.Lock()
	defer d.identity.Unlock()
	d.peersMu.Lock()
	defer d.peersMu.Unlock()
	for _, p := range d.peers {
		p.handshake.mu.RLock()
	}
	for _, p := range d.peers {
		if p.handshake.n > 0 {
			p.handshake.mu.RUnlock()
			d.removeLocked(p) // want `DelSync of peer.timers.retry \(instances.go:62, by removeLocked, stop\) waits for the handler at instances.go:33 of the timer made at instances.go:37, which locks device.identity \(instances.go:53\), while device.identity is held \(instances.go:75\).* Unlock device.identity first, .* It waits in the same way for the handler at instances.go:33 of the timer made at instances.go:38, the handler at instances.go:33 of the timer made at instances.go:39$`
			p.handshake.mu.RLock()
		}
	}
	for _, p := range d.peers {
		p.handshake.mu.RUnlock()
	}
}

func (d *device) right() {
	d.peersMu.Lock()
	defer d.peersMu.Unlock()
	for _, p := range d.peers {
		d.removeLocked(p)
	}
}

func (d *device) rightReleased() {
	for _, p := range d.peers {
		p.handshake.mu.Lock()
		p.handshake.mu.Unlock()
		p.stop()
	}
}

// The locks of another peer.
func rightOther(p, q *peer) {
	p.handshake.mu.Lock()
	defer p.handshake.mu.Unlock()
	p.endpoint.Lock()
	defer p.endpoint.Unlock()
	q.stop()
}

func wrongSame(p, q *peer) {
	p.endpoint.Lock()
	defer p.endpoint.Unlock()
	p.stop() // want `DelSync of peer.timers.retry .* while peer.endpoint is held`
}

// A lock is unlocked under another name.
type shards struct {
	all  []shard
	byID map[int]*shard
}

type shard struct {
	mu sync.Mutex
	t  timerwheel.Timer
}

func (s *shard) start(w *timerwheel.Wheel) {
	s.t = w.AfterFunc(time.Second, func() { s.mu.Lock(); s.mu.Unlock() })
}

func (s *shards) get(i int) *shard { return s.byID[i] }

func (s *shards) rightElements(i int) {
	s.all[i].mu.Lock()
	s.all[i].mu.Unlock()
	s.all[i].t.DelSync()
	s.byID[i].mu.Lock()
	s.byID[i].mu.Unlock()
	s.byID[i].t.DelSync()
	s.get(i).mu.Lock()
	s.get(i).mu.Unlock()
	s.get(i).t.DelSync()
	stop(s.get(i))
	x := s.get(i)
	x.mu.Lock()
	if i > 0 {
		x = s.get(i - 1)
	}
	x.mu.Unlock()
	stop(x)
	stop(s.get(0))
}

func stop(s *shard) { s.t.DelSync() }

func (s *shards) wrongElement(i int) {
	x := s.get(i)
	x.mu.Lock()
	x.t.DelSync() // want `DelSync of shard.t waits`
	x.mu.Unlock()
}

// A timer outside of the object whose lock its handler wants.
type item struct {
	in *shard
	t  timerwheel.Timer
}

func (x *item) start(w *timerwheel.Wheel) {
	x.t = w.AfterFunc(time.Second, func() { x.in.mu.Lock(); x.in.mu.Unlock() })
}

func (s *shards) rightItem(i int, x *item) {
	s.all[i].mu.Lock()
	s.all[i].mu.Unlock()
	x.t.DelSync()
}

func (s *shards) wrongItem(i int, x *item) {
	s.all[i].mu.Lock()
	x.t.DelSync() // want `DelSync of item.t waits for .* while shard.mu is held`
	s.all[i].mu.Unlock()
}

// Hand over hand.
type node struct {
	mu   sync.Mutex
	next *node
	t    timerwheel.Timer
}

func (n *node) start(w *timerwheel.Wheel) {
	n.t = w.AfterFunc(time.Second, func() { n.mu.Lock(); n.mu.Unlock() })
}

func (n *node) rightHandOverHand() {
	n.mu.Lock()
	for n.next != nil {
		next := n.next
		next.mu.Lock()
		n.mu.Unlock()
		n = next
	}
	n.mu.Unlock()
	n.t.DelSync()
}

// The handler locks another object of the type that its timer is in.
type child struct {
	mu     sync.Mutex
	parent *child
	t      timerwheel.Timer
}

func (c *child) start(w *timerwheel.Wheel) {
	c.t = w.AfterFunc(time.Second, func() { c.parent.note() })
}

func (c *child) note() { c.mu.Lock(); c.mu.Unlock() }

func (c *child) right() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t.DelSync()
}

// A long way down a list is another object, too.
type list struct {
	mu   sync.Mutex
	next *list
	t    timerwheel.Timer
}

func (l *list) start(w *timerwheel.Wheel) {
	l.t = w.AfterFunc(time.Second, func() { l.next.walk() })
}

func (l *list) walk() {
	l.mu.Lock()
	l.mu.Unlock()
	l.next.walk()
}

func (l *list) stopAll() {
	l.t.DelSync()
	l.next.stopAll()
}

func (l *list) right() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.t.DelSync()
	l.next.stopAll()
}
