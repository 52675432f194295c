package main

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
)

// This file is the actor of the lock-bound timers.

// locker has timers that are bound to a lock, and looks at them while it holds
// that.
func locker(h *house, d *desk) {
	b := &bound{}
	for i := range b.all {
		s := &subject{h: h}
		d.on(vAllocLocked)
		s.t = h.w.AllocLocked(&b.lock, func(timerwheel.Timer) { b.fire(s) })
		d.off()
		b.all[i] = s
	}
	for range 40 {
		s := b.all[rand.IntN(len(b.all))]
		_ = s.register(d, vRegister, func() error { return s.t.Register(soon()) })
		b.look(s, d)
		time.Sleep(rand.N(100 * time.Microsecond))
	}
	for _, s := range b.all {
		s.shutDown(d)
		s.free(d)
	}
}

// bound is a lock with the timers that are bound to it.
type bound struct {
	lock   sync.Mutex
	all    [4]*subject
	within int // handlers that run; lock guards it
}

func (b *bound) fire(s *subject) {
	s.begin()
	defer s.end()
	b.within++
	defer func() { b.within-- }()
	if !underLock.holds(b.within == 1) {
		underLock.fail("%v on %s: %d handlers under one lock", s.t, s.h, b.within)
	}
	misbehave(s.h)
}

// look holds the lock: nothing runs, Del is synchronous, and DelSync waits for
// nobody.
func (b *bound) look(s *subject, d *desk) {
	b.lock.Lock()
	defer b.lock.Unlock()
	if running := s.t.Running() || s.inFlight.Load() || b.within != 0; !underLock.holds(!running) {
		underLock.fail("%v on %s runs, and its lock was free", s.t, s.h)
	}
	v, del := vDel, func() (timerwheel.Found, error) { return s.t.Del(), nil }
	switch rand.IntN(4) {
	case 0:
		v, del = vDelSync, s.t.DelSync
	case 1, 2:
		return
	}
	before := s.state()
	d.on(v)
	found, err := del()
	d.off()
	if !underLock.holds(err == nil && !found.Running) {
		underLock.fail("%v on %s: %+v, %v", s.t, s.h, found, err)
	}
	s.deleted(before)
}
