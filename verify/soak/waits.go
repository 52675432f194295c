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

// This file is the actors that bring about what deletions are there for: a handler that
// runs while its timer is deleted and registered, and handlers that delete each other.

// A gated timer has a handler that does not end until the gate is opened. It is the only
// member of a group.
type gated struct {
	tracked
	group   *timerwheel.Group
	down    bool          // the group has been shut down
	running chan struct{} // closed when the handler has begun
	gate    chan struct{}
}

// gateUser deletes a timer, with each verb that there is, while its handler runs, and
// tries to register it: the race of three processors, in slow motion.
func gateUser(inst *instance, rec *opRecorder) {
	g := newGated(inst, rec)
	_ = g.register(rec, vRegister, func() error { return g.t.Register(0) })
	running := false
	rec.do(vAwait, func() {
		select {
		case <-g.running:
			running = true
		case <-inst.closing:
		}
	})
	if running && rand.IntN(2) == 0 {
		g.deleteAndReturn(rec)
	}
	if running {
		g.deleteAndWait(rec)
	} else {
		close(g.gate)
	}
	g.shutDown(rec)
	g.free(rec)
}

func newGated(inst *instance, rec *opRecorder) *gated {
	g := &gated{tracked: tracked{inst: inst}, running: make(chan struct{}), gate: make(chan struct{})}
	rec.do(vNewGroup, func() { g.group = inst.w.NewGroup() })
	rec.do(vAlloc, func() {
		g.t = g.group.Alloc(func(timerwheel.Timer) {
			g.begin()
			defer g.end()
			close(g.running)
			<-g.gate
		})
	})
	return g
}

// deleteAndReturn makes a deletion that does not wait: if it did, it would wait for ever,
// because the gate opens only later. It refuses no Register, unless it is a Shutdown.
func (g *gated) deleteAndReturn(rec *opRecorder) {
	armed := g.registerLater(rec) == nil
	v, shutsDown, found := g.deleteOnce(rec)
	fits := found.Running && g.inFlight.Load() && (found.Pending == armed || g.inst.isClosing())
	if !doesNotWait.holds(fits) {
		doesNotWait.fail("%v on %s: %s: %+v, armed: %v, in flight: %v", g.t, g.inst, verbNames[v], found, armed, g.inFlight.Load())
	}
	err := g.registerLater(rec)
	if !shutsDown && !refusesNothing.holds(err == nil || errors.Is(err, timerwheel.ErrClosed)) {
		refusesNothing.fail("%v on %s: after %s: %v", g.t, g.inst, verbNames[v], err)
	}
}

// deleteOnce makes one of the deletions that do not wait. Few are Shutdowns, after which
// Register has little to tell.
func (g *gated) deleteOnce(rec *opRecorder) (verb, bool, timerwheel.Found) {
	if rand.IntN(2) == 0 {
		d := oneOf(del, del, shutdown)
		found, _ := remove(rec, d, g.t, &g.tracked)
		return d.verb, d.shutsDown, found
	}
	d := oneOf(groupDel, groupDel, groupShutdown)
	g.down = d.shutsDown
	found, _ := remove(rec, d, g.group, &g.tracked)
	return d.verb, d.shutsDown, found
}

func (g *gated) registerLater(rec *opRecorder) error {
	return g.register(rec, vRegister, func() error { return g.t.Register(time.Hour) })
}

// deleteAndWait makes a deletion wait for the run, and opens the gate. It checks that
// Registers are refused before that, and succeed again after the run.
func (g *gated) deleteAndWait(rec *opRecorder) {
	over := g.beginWait(rec)
	g.refuseAll(rec)
	close(g.gate)
	rec.do(vAwait, func() { <-over })
	if _, err := g.delete(rec, delSync); err != nil {
		runEnded.fail("%v on %s: DelSync: %v", g.t, g.inst, err)
	}
	err := g.registerLater(rec)
	if !staysRefused.holds(err == nil || errors.Is(err, timerwheel.ErrClosed) || g.shutDownReturned.Load()) {
		staysRefused.fail("%v on %s is still refused after the deletion: %v", g.t, g.inst, err)
	}
}

// beginWait begins one of the deletions that wait, or lets one give up. over is closed when
// it has returned.
func (g *gated) beginWait(rec *opRecorder) (over chan struct{}) {
	over = make(chan struct{})
	switch rand.IntN(5) {
	case 0:
		close(over)
		g.delAsync(rec)
	case 1:
		close(over)
		_, err := g.delete(rec, oneOf(delSyncContext, delSyncContext, shutdownSyncContext))
		g.gaveUp(err)
	case 2:
		close(over)
		_, err := remove(rec, oneOf(groupDelSyncContext, groupDelSyncContext, groupShutdownSyncContext), g.group, &g.tracked)
		g.gaveUp(err)
	case 3:
		d := oneOf(delSync, delSync, shutdownSync)
		g.awaitWaiter(rec, func() { _, _ = g.delete(nil, d); close(over) })
	case 4:
		d := oneOf(groupDelSync, groupDelSync, groupShutdownSync)
		g.down = g.down || d.shutsDown
		g.awaitWaiter(rec, func() { _, _ = remove(nil, d, g.group, &g.tracked); close(over) })
		refuseNewMembers(g.inst, g.group, rec, refusal(g.down))
	}
	return over
}

// gaveUp checks the error of a deletion that cannot have waited until the end of the run.
func (g *gated) gaveUp(err error) {
	if !contextEnds.holds(err != nil) {
		contextEnds.fail("%v on %s: a deletion returns nil while the handler runs", g.t, g.inst)
	}
}

// awaitWaiter makes a deletion in a goroutine, and returns when it waits for the run.
func (g *gated) awaitWaiter(rec *opRecorder, deletion func()) {
	go deletion()
	rec.do(vAwait, func() {
		for !slices.ContainsFunc(g.inst.w.Running(), func(r timerwheel.RunningHandler) bool { return r.Timer == g.t && r.Waiters > 0 }) {
			runtime.Gosched()
		}
	})
}

// refuseAll tries each way to register the timer.
func (g *gated) refuseAll(rec *opRecorder) {
	want := refusal(g.shutdownCalled.Load())
	for v, f := range map[verb]func(time.Duration) error{
		vRegister: g.t.Register, vReduce: g.t.Reduce, vRegisterAt: func(d time.Duration) error { return g.t.RegisterAt(g.inst.now().Add(d)) },
	} {
		err := g.register(rec, v, func() error { return f(time.Hour) })
		if !staysRefused.holds(errors.Is(err, want)) {
			staysRefused.fail("%s of %v on %s: %v, not %v", verbNames[v], g.t, g.inst, err, want)
		}
	}
}

// refusal is the error of a Register while a deletion waits.
func refusal(shutDown bool) error {
	if shutDown {
		return timerwheel.ErrShutdown
	}
	return timerwheel.ErrDeleting
}

// circle makes handlers that delete each other in a circle, once all of them run.
func circle(inst *instance, rec *opRecorder) {
	r := &ring{met: make(chan struct{})}
	for i := range r.all {
		s := &tracked{inst: inst}
		r.all[i] = s
		rec.do(vAlloc, func() { s.t = inst.w.Alloc(func(timerwheel.Timer) { r.fire(i) }) })
	}
	for _, s := range r.all {
		_ = s.register(rec, vRegister, func() error { return s.t.Register(0) })
	}
	rec.do(vAwait, func() {
		for int(r.over.Load()) < len(r.all) && !inst.isClosing() {
			time.Sleep(100 * time.Microsecond)
		}
	})
	for _, s := range r.all {
		s.shutDown(rec)
		s.free(rec)
	}
	if !inst.isClosing() && !circleEnds.holds(r.deadlocks.Load() == 1 && r.others.Load() == 0) {
		circleEnds.fail("%s: %d ErrDeadlocks, %d other errors", inst, r.deadlocks.Load(), r.others.Load())
	}
}

// A ring is timers of which each deletes the next.
type ring struct {
	all               [3]*tracked
	here, over        atomic.Int32 // handlers that have begun, and that have ended
	met               chan struct{}
	deadlocks, others atomic.Int32 // what the deletions returned
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
	case <-s.inst.closing: // another may have been dropped
		return
	}
	switch _, err := next.delete(nil, oneOf(delSync, delSync, shutdownSync)); {
	case errors.Is(err, timerwheel.ErrDeadlock):
		r.deadlocks.Add(1)
	case err != nil:
		r.others.Add(1)
	}
}
