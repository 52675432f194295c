package main

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel"
)

// This file is the actors that bring about what deletions are there for: one
// that waits while others register, and some that wait for each other.

// gatekeeper deletes a timer whose handler it keeps from ending, and tries to
// register it meanwhile: the race of three processors, at leisure.
func gatekeeper(h *house, d *desk) {
	running, gate := make(chan struct{}), make(chan struct{})
	s := &subject{h: h}
	d.on(vAlloc)
	s.t = h.w.Alloc(func(timerwheel.Timer) {
		s.begin()
		defer s.end()
		close(running)
		<-gate
	})
	d.off()
	_ = s.register(d, vRegister, func() error { return s.t.Register(0) })
	d.on(vAwait)
	select {
	case <-running:
		d.off()
		h.refuseAll(s, gate, d)
	case <-h.closing:
		d.off()
		close(gate)
	}
	s.shutDown(d)
	s.free(d)
}

// refuseAll has a deletion wait for a run, and ends it by closing the gate.
func (h *house) refuseAll(s *subject, gate chan struct{}, d *desk) {
	over := make(chan struct{})
	if rand.IntN(2) == 0 {
		s.delAsync(d)
		close(over)
	} else {
		go func() {
			defer close(over)
			_, _ = s.delSync(nil, vDelSync, s.t.DelSync)
		}()
	}
	d.on(vAwait)
	for !h.waitedFor(s.t) {
		runtime.Gosched()
	}
	d.off()
	for v, f := range map[verb]func(time.Duration) error{
		vRegister: s.t.Register, vReduce: s.t.Reduce, vRegisterAt: func(dur time.Duration) error { return s.t.RegisterAt(h.now().Add(dur)) },
	} {
		err := s.register(d, v, func() error { return f(time.Hour) })
		if !staysRefused.holds(errors.Is(err, timerwheel.ErrDeleting)) {
			staysRefused.fail("%s of %v on %s: %v", verbNames[v], s.t, h, err)
		}
	}
	close(gate)
	d.on(vAwait)
	<-over
	d.off()
	if _, err := s.delSync(d, vDelSync, s.t.DelSync); err != nil {
		runEnded.fail("%v on %s: DelSync: %v", s.t, h, err)
	}
	err := s.register(d, vRegister, func() error { return s.t.Register(time.Hour) })
	if !staysRefused.holds(err == nil || errors.Is(err, timerwheel.ErrClosed)) {
		staysRefused.fail("%v on %s is still refused after the deletion: %v", s.t, h, err)
	}
}

// waitedFor reports whether a deletion waits for the run of a timer.
func (h *house) waitedFor(t timerwheel.Timer) bool {
	return slices.ContainsFunc(h.w.Running(), func(r timerwheel.RunningHandler) bool { return r.Timer == t && r.Waiters > 0 })
}

// circle makes handlers that delete each other in a circle, once all of them
// run.
func circle(h *house, d *desk) {
	r := &ring{met: make(chan struct{})}
	for i := range r.all {
		s := &subject{h: h}
		r.all[i] = s
		d.on(vAlloc)
		s.t = h.w.Alloc(func(timerwheel.Timer) { r.fire(i) })
		d.off()
	}
	for _, s := range r.all {
		_ = s.register(d, vRegister, func() error { return s.t.Register(0) })
	}
	d.on(vAwait)
	for int(r.over.Load()) < len(r.all) && !h.isClosing() {
		time.Sleep(100 * time.Microsecond)
	}
	d.off()
	for _, s := range r.all {
		s.shutDown(d)
		s.free(d)
	}
	if !h.isClosing() && !circleEnds.holds(r.deadlocks.Load() == 1 && r.others.Load() == 0) {
		circleEnds.fail("%s: %d ErrDeadlocks, %d other errors", h, r.deadlocks.Load(), r.others.Load())
	}
}

// A ring is timers of which each deletes the next.
type ring struct {
	all               [3]*subject
	here, over        atomic.Int32 // handlers that have begun, and that have ended
	met               chan struct{}
	deadlocks, others atomic.Int32 // what the deletions said
}

func (r *ring) fire(i int) {
	s, next := r.all[i], r.all[(i+1)%len(r.all)]
	s.begin()
	defer r.over.Add(1)
	defer s.end()
	if int(r.here.Add(1)) == len(r.all) {
		close(r.met)
	}
	select {
	case <-r.met:
	case <-s.h.closing: // another may have been dropped
		return
	}
	switch _, err := next.delSync(nil, vDelSync, next.t.DelSync); {
	case errors.Is(err, timerwheel.ErrDeadlock):
		r.deadlocks.Add(1)
	case err != nil:
		r.others.Add(1)
	}
}
