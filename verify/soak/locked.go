package main

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
)

// This file is the actor of the lock-bound timers.

// lockUser has timers that are bound to a lock, and looks at them while it holds the
// lock.
func lockUser(inst *instance, rec *opRecorder) {
	b := &boundTimers{rests: make(map[*tracked]bool)}
	for i := range b.all {
		s := &tracked{inst: inst}
		rec.do(vAllocLocked, func() {
			s.t = inst.w.AllocLocked(&b.lock, func(t timerwheel.Timer) { b.fire(s, t) })
		})
		b.all[i] = s
	}
	for range 40 {
		s := b.all[rand.IntN(len(b.all))]
		_ = s.register(rec, vRegister, func() error { return s.t.Register(soon()) })
		b.look(s, rec, []deletion[timerwheel.Timer]{del, delSync})
		time.Sleep(rand.N(100 * time.Microsecond))
	}
	for _, s := range b.all {
		b.look(s, rec, []deletion[timerwheel.Timer]{shutdown, shutdownSync})
		s.shutDown(rec)
		s.free(rec)
	}
}

// boundTimers is a lock with the timers that are bound to it.
type boundTimers struct {
	lock   sync.Mutex
	all    [4]*tracked
	within int               // handlers that run with the lock; lock guards it
	rests  map[*tracked]bool // the last run has released the lock; likewise
}

func (b *boundTimers) fire(s *tracked, t timerwheel.Timer) {
	s.begin()
	defer s.end()
	b.within++
	if !underLock.holds(b.within == 1) {
		underLock.fail("%v on %s: %d handlers under one lock", s.t, s.inst, b.within)
	}
	if b.rests[s] = rand.IntN(4) == 0; b.rests[s] {
		b.within--
		s.releases(t)
	} else {
		defer func() { b.within-- }()
	}
	misbehave(s.inst)
}

// releases releases the lock of a timer, in its handler. A second time is refused.
func (s *tracked) releases(t timerwheel.Timer) {
	for _, want := range []error{nil, timerwheel.ErrNotLocked} {
		(*opRecorder)(nil).do(vReleaseLock, func() {
			if err := t.ReleaseLock(); !underLock.holds(errors.Is(err, want)) {
				underLock.fail("%v on %s: ReleaseLock: %v", s.t, s.inst, err)
			}
		})
	}
}

// look holds the lock: nothing runs but what has released it. Of what has not, a deletion without a
// wait is synchronous, and one that waits has nothing to wait for. Half of the time it deletes nothing.
func (b *boundTimers) look(s *tracked, rec *opRecorder, ways []deletion[timerwheel.Timer]) {
	b.lock.Lock()
	defer b.lock.Unlock()
	if running := s.t.Running() || s.inFlight.Load(); !underLock.holds(b.within == 0 && (!running || b.rests[s])) {
		underLock.fail("%v on %s runs, and its lock was free", s.t, s.inst)
	}
	if rand.IntN(2) == 0 {
		return
	}
	d := oneOf(ways...)
	if found, err := s.delete(rec, d); !underLock.holds(err == nil && (!found.Running || b.rests[s])) {
		underLock.fail("%v on %s: %s: %+v, %v", s.t, s.inst, verbNames[d.verb], found, err)
	}
}
