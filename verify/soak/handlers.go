package main

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/stdtime"
)

// This file is what handlers do. Most do nothing; the others do all that a handler may
// do, and what it should not.

// handle is the handler of a timer that many actors share.
func (s *tracked) handle(t timerwheel.Timer) {
	s.begin()
	defer s.end()
	switch rand.IntN(48) {
	case 0, 1, 2, 3:
		_ = s.register(nil, vRegister, func() error { return t.Register(soon()) })
	case 4:
		s.deleteItself(oneOf(delSync, delSyncContext))
	case 5:
		s.deleteItself(del)
	case 6:
		s.delAsync(nil)
	case 7, 8:
		s.deleteAnother()
	case 9:
		(*opRecorder)(nil).do(vRetain, func() {
			if t.Retain() == nil {
				_ = t.Free()
			}
		})
	case 10:
		s.advance()
	case 11:
		s.inst.fire(nil)
	case 12:
		s.deleteItself(oneOf(shutdown, shutdownSync, shutdownSyncContext))
	default:
		misbehave(s.inst)
	}
}

// deleteItself deletes the timer whose handler runs. A deletion that waits would wait for
// itself; the others return.
func (s *tracked) deleteItself(d deletion[timerwheel.Timer]) {
	found, err := s.delete(nil, d)
	if !d.waits {
		if !doesNotWait.holds(found.Running) {
			doesNotWait.fail("%v on %s: %s in its handler: %+v", s.t, s.inst, verbNames[d.verb], found)
		}
		return
	}
	if !ownDeadlock.holds(found.Running && errors.Is(err, timerwheel.ErrDeadlock)) {
		ownDeadlock.fail("%v on %s: %s: %+v, %v", s.t, s.inst, verbNames[d.verb], found, err)
	}
}

// deleteAnother waits for a handler that may wait for this one in turn.
func (s *tracked) deleteAnother() {
	other := s.inst.anyShared()
	if other == nil || other == s {
		return
	}
	_, err := other.delete(nil, delSync)
	if err != nil && !circleEnds.holds(errors.Is(err, timerwheel.ErrDeadlock)) {
		circleEnds.fail("DelSync of %v in the handler of %v on %s: %v", other.t, s.t, s.inst, err)
	}
}

// advance would wait for itself, too.
func (s *tracked) advance() {
	if s.inst.kind != manual {
		return
	}
	(*opRecorder)(nil).do(vAdvance, func() {
		if _, err := s.inst.w.Advance(time.Now()); !advanceInUse.holds(errors.Is(err, timerwheel.ErrDeadlock)) {
			advanceInUse.fail("%s: %v", s.inst, err)
		}
	})
}

// misbehave takes time, blocks, panics, or ends its goroutine, now and then.
func misbehave(inst *instance) {
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
		inst.panics.Add(1)
		panic(onPurpose)
	case 9:
		runtime.Goexit()
	case 10:
		if inst.kind != manual { // there it would wait for its own Advance
			inst.arms(1)
			stdtime.On(inst.w).Sleep(soon())
		}
	}
}

const onPurpose = "on purpose"

// spin keeps the processor busy, as a handler that computes does.
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
