package main

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel"
)

// This file is the actors whose timers no other goroutine knows: they know exactly what
// must happen to them, and when.

// soleUser arms a timer of its own, and waits for the firing: it must come, and not
// early. Then soleUser deletes the timer, and must see what the handler wrote.
func soleUser(inst *instance, rec *opRecorder) {
	s := &soleTimer{tracked: tracked{inst: inst}, fired: make(chan struct{}, 1)}
	rec.do(vAlloc, func() { s.t = inst.w.Alloc(func(timerwheel.Timer) { s.fire() }) })
	for n := 0; n < 20 && isOpen(inst.stopping) && s.round(rec); n++ {
		time.Sleep(rand.N(time.Millisecond)) // lets a wheel with nothing else to do go to sleep
	}
	s.shutDown(rec)
	s.free(rec)
}

// A firing may be late by patience, as on a loaded machine the wheel's goroutines may wait for a processor. It
// is lost if the wheel then has no goroutine for a second, or begins passedOver other handlers first, or
// does neither for a minute.
const (
	patience   = 5 * time.Second
	passedOver = 10_000
	lookEvery  = time.Second / 10
)

// awaitFiring waits for a firing that is due soon, unless the instance is closed before.
func (inst *instance) awaitFiring(t timerwheel.Timer, fired <-chan struct{}) {
	start, asleep := time.Now(), 0
	began := inst.began.Load() // when the patience ended
	for {
		select {
		case <-fired:
			neverLost.holds(true)
			return
		case <-inst.closing:
			return
		case <-time.After(lookEvery):
		}
		waited := time.Since(start)
		switch {
		case waited < patience:
			began = inst.began.Load()
		case inst.w.Stats().Workers == 0:
			asleep++
		default:
			asleep = 0
		}
		others := inst.began.Load() - began
		if time.Duration(asleep)*lookEvery >= time.Second || others >= passedOver || waited > time.Minute {
			neverLost.fail("%v on %s: due for %v, while %d others began; %+v", t, inst, waited, others, inst.w.Stats())
		}
	}
}

// A soleTimer is known to one goroutine, so what its handler writes needs no lock.
type soleTimer struct {
	tracked
	runs  int
	due   time.Time
	fired chan struct{}
}

func (s *soleTimer) fire() {
	s.begin()
	defer s.end()
	if now := s.inst.now(); !neverEarly.holds(!now.Before(s.due)) {
		neverEarly.fail("%v on %s: %v early", s.t, s.inst, s.due.Sub(now))
	}
	s.runs++
	s.fired <- struct{}{}
	misbehave(s.inst)
}

// round is one firing; it reports whether there may be another.
func (s *soleTimer) round(rec *opRecorder) bool {
	d := rand.N(4 * time.Millisecond)
	s.due = s.inst.now().Add(d)
	if s.register(rec, vRegister, func() error { return s.t.Register(d) }) != nil {
		return false
	}
	rec.do(vAwait, func() { s.inst.awaitFiring(s.t, s.fired) })
	if _, err := s.delete(rec, delSync); err != nil || !sees.holds(int64(s.runs) == s.began.Load()) {
		sees.fail("%v on %s: %d runs are seen, %d have begun; %v", s.t, s.inst, s.runs, s.began.Load(), err)
	}
	return !s.inst.isClosing()
}

// mover arms a timer of its own, and moves it to a later time again and again: once the
// move has succeeded, the old deadline must not fire.
func mover(inst *instance, rec *opRecorder) {
	var due atomic.Int64
	start := inst.now()
	s := &tracked{inst: inst}
	rec.do(vAlloc, func() {
		s.t = inst.w.Alloc(func(timerwheel.Timer) {
			s.begin()
			defer s.end()
			if now := inst.now().Sub(start); !neverEarly.holds(int64(now) >= due.Load()) {
				neverEarly.fail("%v on %s: moved, but fires %v early", s.t, inst, time.Duration(due.Load())-now)
			}
		})
	})
	d := rand.N(3 * time.Millisecond)
	due.Store(int64(inst.now().Sub(start) + d))
	moved := s.register(rec, vRegister, func() error { return s.t.Register(d) }) == nil
	for n := 0; moved && n < 50; n++ {
		d = rand.N(3 * time.Millisecond)
		at := int64(inst.now().Sub(start) + d)
		if at < due.Load() {
			due.Store(at) // it may fire there as soon as Reset has begun
		}
		if moved = s.reset(rec, d); moved {
			due.Store(at)
		}
		spin(rand.N(100 * time.Microsecond))
	}
	s.shutDown(rec)
	s.free(rec)
}

// stopper makes timers of its own, and stops some in time.
func stopper(inst *instance, rec *opRecorder) {
	var runs [32]atomic.Int32
	var timers [len(runs)]timerwheel.Timer
	for i := range runs {
		d := rand.N(2 * time.Millisecond)
		due := inst.now().Add(d)
		rec.do(vAfterFunc, func() {
			timers[i] = inst.w.AfterFunc(d, func() {
				inst.begin()
				defer inst.end()
				if now := inst.now(); !neverEarly.holds(!now.Before(due)) {
					neverEarly.fail("a firing on %s: %v early", inst, due.Sub(now))
				}
				runs[i].Add(1)
			})
		})
	}
	time.Sleep(rand.N(2 * time.Millisecond))
	for i, t := range timers {
		var removed bool
		var err error
		rec.do(vStop, func() {
			removed = t.Stop()
			_, err = t.DelSync()
		})
		n := runs[i].Load()
		fits := n == 0 && removed || n == 1 && !removed || n == 0 && inst.isClosing()
		if !firesOnce.holds(err == nil && fits) {
			firesOnce.fail("%v on %s: Stop says %v, and it has run %d times; %v", t, inst, removed, n, err)
		}
		inst.stale.add(t)
	}
}

// nextTenants makes timers that are an hour away: only nextTenants can remove their
// firings, however many stale handles there are to their records.
func nextTenants(inst *instance, rec *opRecorder) {
	var timers [16]timerwheel.Timer
	for i := range timers {
		rec.do(vAfterFunc, func() {
			timers[i] = inst.w.AfterFunc(time.Hour, func() { tenantSafe.fail("%s: a tenant fires an hour early", inst) })
		})
	}
	time.Sleep(rand.N(300 * time.Microsecond))
	for _, t := range timers {
		var stopped bool
		rec.do(vStop, func() { stopped = t.Stop() })
		if !tenantSafe.holds(stopped || inst.isClosing()) {
			tenantSafe.fail("%s: another goroutine has removed the firing of %v", inst, t)
		}
		inst.stale.add(t)
	}
}

// series makes a periodic timer: its nth run must not begin before the nth instant.
func series(inst *instance, rec *opRecorder) {
	period := 1 + rand.N(2*time.Millisecond)
	s := &tracked{inst: inst}
	var runs time.Duration
	start := inst.now()
	rec.do(vEvery, func() {
		s.t = inst.w.Every(period, func(t timerwheel.Timer) {
			s.begin()
			defer s.end()
			runs++
			if now := inst.now().Sub(start); !neverEarly.holds(now >= runs*period) {
				neverEarly.fail("%v on %s: run %d of a period of %v after %v", t, inst, runs, period, now)
			}
			misbehave(inst)
		})
	})
	time.Sleep(rand.N(10 * time.Millisecond))
	if rand.IntN(2) == 0 {
		_, _ = s.delete(rec, oneOf(del, shutdown, shutdownSync, shutdownSyncContext))
	}
	if _, err := s.delete(rec, delSync); err != nil || !sees.holds(int64(runs) == s.began.Load()) {
		sees.fail("%v on %s: %d runs are seen, %d have begun; %v", s.t, inst, runs, s.began.Load(), err)
	}
	inst.stale.add(s.t)
}
