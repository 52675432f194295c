package main

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel"
)

// A tracked timer counts its Registers and its runs. So it knows what must hold after a
// deletion, whichever goroutines register the timer at the same time.
type tracked struct {
	inst *instance
	t    timerwheel.Timer

	began, ended atomic.Int64 // runs of the handler
	inFlight     atomic.Bool

	calls, returns atomic.Int64 // of Register and its variants
	quiet          atomic.Int64 // calls plus one, when a deletion found that none was under way; 0: none has

	shutdownCalled   atomic.Bool
	shutDownReturned atomic.Bool
	shutDownQuiet    atomic.Bool  // and no handler was in flight
	lateRuns         atomic.Int64 // handlers that began after that return
}

// begin and end are called around every handler.
func (s *tracked) begin() {
	if !noOverlap.holds(s.inFlight.CompareAndSwap(false, true)) {
		noOverlap.fail("%v on %s: run %d begins before the last has ended", s.t, s.inst, s.began.Load())
	}
	if q := s.quiet.Load(); q != 0 && s.calls.Load() == q-1 {
		staysQuiet.fail("%v on %s was deleted, and Register has not been called since", s.t, s.inst)
	}
	if s.shutDownQuiet.Load() {
		shutQuiet.fail("%v on %s", s.t, s.inst)
	}
	if s.shutDownReturned.Load() && !shutQuiet.holds(s.lateRuns.Add(1) == 1) {
		shutQuiet.fail("%v on %s: at most one had begun", s.t, s.inst)
	}
	s.inst.begin()
	s.began.Add(1)
}

func (s *tracked) end() {
	s.ended.Add(1)
	s.inFlight.Store(false)
	s.inst.end()
}

// register calls Register, or one of its variants.
func (s *tracked) register(rec *opRecorder, v verb, f func() error) (err error) {
	shutDown := s.shutDownReturned.Load()
	s.calls.Add(1)
	rec.do(v, func() { err = f() })
	s.returns.Add(1)
	switch {
	case err == nil && shutDown:
		forEver.fail("%v on %s was registered after its Shutdown", s.t, s.inst)
	case err != nil && !refusals.holds(s.explains(err, shutDown)):
		refusals.fail("Register of %v on %s: %v", s.t, s.inst, err)
	}
	return err
}

// reset calls Reset, and reports whether the timer had been pending.
func (s *tracked) reset(rec *opRecorder, d time.Duration) (was bool) {
	shutDown := s.shutDownReturned.Load()
	s.calls.Add(1)
	rec.do(vReset, func() { was = s.t.Reset(d) })
	s.returns.Add(1)
	if was && shutDown {
		forEver.fail("%v on %s was reset after its Shutdown", s.t, s.inst)
	}
	return was
}

// explains reports whether a Register may have been refused with an error; shutDown says
// that the timer had been shut down before.
func (s *tracked) explains(err error, shutDown bool) bool {
	switch {
	case errors.Is(err, timerwheel.ErrStale):
		return !s.t.Valid()
	case errors.Is(err, timerwheel.ErrShutdown):
		return s.shutdownCalled.Load()
	case errors.Is(err, timerwheel.ErrDeleting):
		return !shutDown
	case errors.Is(err, timerwheel.ErrClosed):
		return !shutDown && s.inst.isClosing()
	}
	return false
}

// A state is what was known of a tracked timer before it was deleted.
type state struct {
	returns, calls, began int64
}

// state reads returns before calls: if they are equal, no call was under way when returns
// was read, and none has begun until calls was.
func (s *tracked) state() (b state) {
	b.returns = s.returns.Load()
	b.began = s.began.Load()
	b.calls = s.calls.Load()
	return b
}

func (s *tracked) free(rec *opRecorder) {
	rec.do(vFree, func() { _ = s.t.Free() })
	s.inst.stale.add(s.t)
}
