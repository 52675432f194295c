package main

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/seed76848005/timerwheel"
)

// This file is what handlers do. Most do nothing; the others do all that a
// handler may do, and what it should not.

// handle is the handler of a timer that many share.
func (s *subject) handle(t timerwheel.Timer) {
	s.begin()
	defer s.end()
	switch rand.IntN(48) {
	case 0, 1, 2, 3:
		_ = s.register(nil, vRegister, func() error { return t.Register(soon()) })
	case 4:
		s.deleteOneself(t)
	case 5:
		count(vDel)
		t.Del()
	case 6:
		s.delAsync(nil)
	case 7, 8:
		s.deleteAnother()
	case 9:
		count(vRetain)
		if t.Retain() == nil {
			_ = t.Free()
		}
	case 10:
		s.advance()
	case 11:
		s.h.fire(nil)
	case 12:
		s.shutDown(nil) //timerwheelvet:ignore it returns ErrDeadlock, but shuts down all the same
	default:
		misbehave(s.h)
	}
}

// deleteOneself would wait for itself.
func (s *subject) deleteOneself(t timerwheel.Timer) {
	found, err := s.delSync(nil, vDelSync, t.DelSync)
	if !ownDeadlock.holds(found.Running && errors.Is(err, timerwheel.ErrDeadlock)) {
		ownDeadlock.fail("%v on %s: %+v, %v", t, s.h, found, err)
	}
}

// deleteAnother waits for a handler that may wait for this one in turn.
func (s *subject) deleteAnother() {
	other := s.h.any()
	if other == nil || other == s {
		return
	}
	_, err := other.delSync(nil, vDelSync, other.t.DelSync)
	if err != nil && !circleEnds.holds(errors.Is(err, timerwheel.ErrDeadlock)) {
		circleEnds.fail("DelSync of %v in the handler of %v on %s: %v", other.t, s.t, s.h, err)
	}
}

// advance would wait for itself, too.
func (s *subject) advance() {
	if s.h.kind != manual {
		return
	}
	count(vAdvance)
	if _, err := s.h.w.Advance(time.Now()); !advanceInUse.holds(errors.Is(err, timerwheel.ErrDeadlock)) {
		advanceInUse.fail("%s: %v", s.h, err)
	}
}

// misbehave takes time, blocks, panics, or ends its goroutine, now and then.
func misbehave(h *house) {
	switch rand.IntN(64) {
	case 0, 1, 2, 3:
		spin(rand.N(50 * time.Microsecond))
	case 4, 5:
		time.Sleep(rand.N(2 * time.Millisecond))
	case 6:
		if rand.IntN(16) == 0 {
			time.Sleep(60 * time.Millisecond)
		}
	case 7:
		runtime.Gosched()
	case 8:
		h.panics.Add(1)
		panic(onPurpose)
	case 9:
		runtime.Goexit()
	}
}

const onPurpose = "on purpose"

func spin(d time.Duration) {
	for until := time.Now().Add(d); time.Now().Before(until); {
	}
}

// soon is a time within a few ticks; now and then it is past, or further away.
func soon() time.Duration {
	switch rand.IntN(16) {
	case 0:
		return -time.Millisecond
	case 1:
		return 0
	case 2:
		return rand.N(100 * time.Millisecond)
	case 3:
		return 300 * time.Millisecond
	default:
		return rand.N(3 * time.Millisecond)
	}
}
