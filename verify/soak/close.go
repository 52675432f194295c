package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/seed76848005/timerwheel"
)

// This file is the end of an instance.

func (inst *instance) isClosing() bool { return !isOpen(inst.closing) }

// close closes the wheel while the actors are at work: perhaps first in a handler, or
// with a context that ends soon, and then for good.
func (inst *instance) close(rec *opRecorder) {
	inst.once.Do(func() { close(inst.closing) })
	switch rand.IntN(3) {
	case 0:
		inst.closeInHandler()
	case 1:
		inst.closeShortly(rec)
	}
	time.Sleep(rand.N(20 * time.Millisecond)) // the actors meet ErrClosed
	v, err := inst.closeWheel(rec)
	inst.closed.Store(true)
	if n := inst.inFlight.Load(); !closedQuiet.holds(err == nil && n == 0) {
		closedQuiet.fail("%s: %s returns %v with %d handlers in flight", inst, verbNames[v], err, n)
	}
}

// closeWheel closes the wheel with one of the two verbs.
func (inst *instance) closeWheel(rec *opRecorder) (v verb, err error) {
	if rand.IntN(2) == 0 {
		rec.do(vClose, func() { err = inst.w.Close() })
		return vClose, err
	}
	rec.do(vCloseContext, func() { err = inst.w.CloseContext(context.Background()) })
	return vCloseContext, err
}

// closeShortly closes the wheel while a handler runs that does not end before the call
// returns: it gives up the wait.
func (inst *instance) closeShortly(rec *opRecorder) {
	gate := make(chan struct{})
	defer close(gate)
	running := make(chan struct{})
	began := inst.runSoon(running, func() {
		close(running)
		<-gate
	})
	ctx, cancel := shortly()
	defer cancel()
	var err error
	rec.do(vCloseContext, func() { err = inst.w.CloseContext(ctx) })
	fits := err == nil && !began && inst.inFlight.Load() == 0 || err != nil && errors.Is(err, ctx.Err())
	if !closeBounded.holds(fits && inst.refusesAfterFunc()) {
		closeBounded.fail("%s: %v with %d handlers in flight; the context says %v", inst, err, inst.inFlight.Load(), ctx.Err())
	}
}

// closeInHandler closes the wheel where that cannot wait.
func (inst *instance) closeInHandler() {
	over := make(chan struct{})
	inst.runSoon(over, func() {
		defer close(over)
		v, err := inst.closeWheel(nil)
		if !closeInUse.holds(errors.Is(err, timerwheel.ErrDeadlock) && inst.refusesAfterFunc()) {
			closeInUse.fail("%s: %s: %v; a timer can be made afterwards: %v", inst, verbNames[v], err, !inst.refusesAfterFunc())
		}
	})
}

// runSoon runs f in a handler and waits for a channel that f closes. It reports whether f
// has done so; f may not have begun, if a Manual wheel's driver sleeps or workers are short.
func (inst *instance) runSoon(closed chan struct{}, f func()) bool {
	inst.w.AfterFunc(0, func() {
		inst.begin()
		defer inst.end()
		f()
	})
	select {
	case <-closed:
		return true
	case <-time.After(time.Second):
		return false
	}
}

// refusesAfterFunc reports whether the wheel is closed to new timers.
func (inst *instance) refusesAfterFunc() bool {
	return !inst.w.AfterFunc(time.Hour, func() {}).Valid()
}

// inspect checks an instance that is closed and empty.
func (inst *instance) inspect() {
	s := inst.w.Stats()
	if !closedQuiet.holds(s.Pending == 0 && s.Running == 0 && s.Workers == 0) {
		closedQuiet.fail("%s: %+v", inst, s)
	}
	began, own := inst.began.Load(), uint64(inst.ownArmed.Load())
	if !allCounted.holds(began <= s.Fired && s.Fired <= began+own) {
		allCounted.fail("%s: %d handlers have begun, and %d firings of stdtime and timerctx were armed; %+v", inst, began, own, s)
	}
	if n := inst.panics.Load(); !panicsReported.holds(n == 0) {
		panicsReported.fail("%s: %d panics without a call of OnPanic", inst, n)
	}
	if !conservation.holds(s.Registered == s.Fired+s.Removed) {
		conservation.fail("%s: %+v", inst, s)
	}
}
