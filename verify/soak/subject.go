package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel"
)

// A subject is a timer under watch: it counts its Registers and its runs, and so
// knows what a deletion that has waited may be held to, whoever else registers
// the timer meanwhile.
type subject struct {
	h *house
	t timerwheel.Timer

	began, ended atomic.Int64 // runs of the handler
	inFlight     atomic.Bool

	calls, returns atomic.Int64 // of Register and its sisters
	quiet          atomic.Int64 // calls plus one, when a deletion found that none was under way; 0: none has
	down           atomic.Bool  // Shutdown has returned
	downSync       atomic.Bool  // and with a nil error
}

// begin and end are called around every handler.
func (s *subject) begin() {
	if !noOverlap.holds(s.inFlight.CompareAndSwap(false, true)) {
		noOverlap.fail("%v on %s: run %d begins before the last has ended", s.t, s.h, s.began.Load())
	}
	if q := s.quiet.Load(); q != 0 && s.calls.Load() == q-1 {
		staysQuiet.fail("%v on %s was deleted, and nobody has called Register since", s.t, s.h)
	}
	if s.downSync.Load() {
		forEver.fail("%v on %s fires after its Shutdown", s.t, s.h)
	}
	s.h.begin()
	s.began.Add(1)
}

func (s *subject) end() {
	s.ended.Add(1)
	s.inFlight.Store(false)
	s.h.end()
}

// register calls Register, or one of its sisters.
func (s *subject) register(d *desk, v verb, f func() error) error {
	down := s.down.Load()
	s.calls.Add(1)
	d.on(v)
	err := f()
	d.off()
	s.returns.Add(1)
	if err == nil {
		if down {
			forEver.fail("%v on %s was registered after its Shutdown", s.t, s.h)
		}
		return nil
	}
	fits := errors.Is(err, timerwheel.ErrStale) && !s.t.Valid() ||
		errors.Is(err, timerwheel.ErrShutdown) && (down || s.down.Load() || s.h.inShutdown.Load() > 0) ||
		errors.Is(err, timerwheel.ErrDeleting) ||
		errors.Is(err, timerwheel.ErrClosed) && s.h.isClosing()
	if !refusals.holds(fits) {
		refusals.fail("Register of %v on %s: %v", s.t, s.h, err)
	}
	return err
}

// A state is what was known of a subject before it was deleted.
type state struct {
	returns, calls, began int64
}

// state reads returns before calls: if they are equal, no call was under way
// when returns was read, and none has begun until calls was.
func (s *subject) state() (b state) {
	b.returns = s.returns.Load()
	b.began = s.began.Load()
	b.calls = s.calls.Load()
	return b
}

// deleted is what holds after a deletion that has waited.
func (s *subject) deleted(b state) {
	if !runEnded.holds(s.ended.Load() >= b.began) {
		runEnded.fail("%v on %s: run %d had begun before the call, and goes on after it", s.t, s.h, b.began)
	}
	if b.returns == b.calls {
		staysQuiet.holds(true)
		s.quiet.Store(b.calls + 1)
	}
}

// delSync calls DelSync, or one of its sisters.
func (s *subject) delSync(d *desk, v verb, f func() (timerwheel.Found, error)) (timerwheel.Found, error) {
	before := s.state()
	d.on(v)
	found, err := f()
	d.off()
	if err == nil {
		s.deleted(before)
	}
	return found, err
}

// delSyncContext bounds the wait with a context that ends soon.
func (s *subject) delSyncContext(d *desk) {
	ctx, cancel := shortly()
	defer cancel()
	found, err := s.delSync(d, vDelSyncContext, func() (timerwheel.Found, error) { return s.t.DelSyncContext(ctx) })
	fits := err == nil || errors.Is(err, timerwheel.ErrDeadlock) || errors.Is(err, ctx.Err()) && ctx.Err() != nil && found.Running
	if err != nil && !contextEnds.holds(fits) {
		contextEnds.fail("%v on %s: %v, %+v; the context says %v", s.t, s.h, err, found, ctx.Err())
	}
}

// shortly is a context that ends within a millisecond.
func shortly() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), rand.N(time.Millisecond))
}

func (s *subject) shutDown(d *desk) {
	s.h.inShutdown.Add(1)
	_, err := s.delSync(d, vShutdown, s.t.ShutdownSync)
	s.down.Store(true)
	s.h.inShutdown.Add(-1)
	if err == nil {
		s.downSync.Store(true)
	}
	forEver.holds(true)
	_ = s.register(d, vRegister, func() error { return s.t.Register(0) })
}

// delAsync is a deletion whose done is held to the same as a return of DelSync.
func (s *subject) delAsync(d *desk) {
	before := s.state()
	s.h.asyncs.Add(1)
	var ran atomic.Int32
	d.on(vDelAsync)
	s.t.DelAsync(func() {
		if !asyncOnce.holds(ran.Add(1) == 1) {
			asyncOnce.fail("%v on %s: done runs again", s.t, s.h)
		}
		s.deleted(before)
		s.h.asyncs.Add(-1)
	})
	d.off()
}

func (s *subject) free(d *desk) {
	d.on(vFree)
	_ = s.t.Free()
	d.off()
	s.h.attic.keep(s.t)
}
