package main

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel"
)

// This file is the actor with an idle timeout of its own, which several goroutines touch.

// An idleTimer is pending as an idle timeout until it is over.
type idleTimer struct {
	tracked
	d       time.Duration
	start   time.Time
	touched atomic.Int64 // when the latest Touch was called that was true, since the start
	over    atomic.Bool  // its handler has begun, or it was deleted
	fired   chan struct{}
}

// idleUser touches a timer of its own, from two goroutines, as fast as it can. Then it deletes it, or
// leaves it alone: the handler must begin, and not before its time after the last Touch.
func idleUser(inst *instance, rec *opRecorder) {
	s := &idleTimer{tracked: tracked{inst: inst}, d: 1 + rand.N(3*time.Millisecond), start: inst.now(), fired: make(chan struct{})}
	rec.do(vAlloc, func() { s.t = inst.w.Alloc(func(timerwheel.Timer) { s.fire() }) })
	if s.register(rec, vRegisterIdle, func() error { return s.t.RegisterIdle(s.d) }) == nil {
		until := time.Now().Add(rand.N(5 * time.Millisecond))
		var other sync.WaitGroup
		other.Go(func() { s.touchUntil(nil, until) })
		s.touchUntil(rec, until)
		other.Wait()
		if rand.IntN(2) == 0 {
			s.awaitFiring(rec)
		}
	}
	s.shutDown(rec)
	s.over.Store(true)
	s.touch()
	s.free(rec)
	s.touch()
}

func (s *idleTimer) fire() {
	s.begin()
	defer s.end()
	since := s.inst.now().Sub(s.start) - time.Duration(s.touched.Load())
	if !putsOff.holds(since >= s.d) {
		putsOff.fail("%v on %s: it begins %v after a Touch, not %v", s.t, s.inst, since, s.d)
	}
	s.over.Store(true)
	close(s.fired)
}

// touchUntil touches the timer, now and then after a pause in which it may fire.
func (s *idleTimer) touchUntil(rec *opRecorder, until time.Time) {
	for time.Now().Before(until) {
		rec.do(vTouch, func() {
			for range 100 {
				s.touch()
			}
		})
		if rand.IntN(50) == 0 {
			time.Sleep(s.d)
		}
	}
}

func (s *idleTimer) touch() {
	over, now := s.over.Load(), int64(s.inst.now().Sub(s.start))
	if !s.t.Touch() {
		return
	}
	if !touchEnds.holds(!over) {
		touchEnds.fail("%v on %s is touched", s.t, s.inst)
	}
	for last := s.touched.Load(); now > last && !s.touched.CompareAndSwap(last, now); last = s.touched.Load() {
	}
}

func (s *idleTimer) awaitFiring(rec *opRecorder) {
	rec.do(vAwait, func() { s.inst.awaitFiring(s.t, s.fired) })
}
