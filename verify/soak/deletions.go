package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel"
)

// This file is the ways to delete a timer or a group, and what each must leave behind.

// A deletion is one of the verbs that delete an X, which is a Timer or a Group.
type deletion[X any] struct {
	verb      verb
	shutsDown bool
	waits     bool
	bounded   bool // by the context
	call      func(X, context.Context) (timerwheel.Found, error)
}

var (
	del                 = deletion[timerwheel.Timer]{verb: vDel, call: withoutWait(timerwheel.Timer.Del)}
	delSync             = deletion[timerwheel.Timer]{verb: vDelSync, waits: true, call: withoutContext(timerwheel.Timer.DelSync)}
	delSyncContext      = deletion[timerwheel.Timer]{verb: vDelSyncContext, waits: true, bounded: true, call: timerwheel.Timer.DelSyncContext}
	shutdown            = deletion[timerwheel.Timer]{verb: vShutdown, shutsDown: true, call: withoutWait(timerwheel.Timer.Shutdown)}
	shutdownSync        = deletion[timerwheel.Timer]{verb: vShutdownSync, shutsDown: true, waits: true, call: withoutContext(timerwheel.Timer.ShutdownSync)}
	shutdownSyncContext = deletion[timerwheel.Timer]{verb: vShutdownSyncContext, shutsDown: true, waits: true, bounded: true, call: timerwheel.Timer.ShutdownSyncContext}

	groupDel                 = deletion[*timerwheel.Group]{verb: vGroupDel, call: withoutWait((*timerwheel.Group).Del)}
	groupDelSync             = deletion[*timerwheel.Group]{verb: vGroupDelSync, waits: true, call: withoutContext((*timerwheel.Group).DelSync)}
	groupDelSyncContext      = deletion[*timerwheel.Group]{verb: vGroupDelSyncContext, waits: true, bounded: true, call: (*timerwheel.Group).DelSyncContext}
	groupShutdown            = deletion[*timerwheel.Group]{verb: vGroupShutdown, shutsDown: true, call: withoutWait((*timerwheel.Group).Shutdown)}
	groupShutdownSync        = deletion[*timerwheel.Group]{verb: vGroupShutdownSync, shutsDown: true, waits: true, call: withoutContext((*timerwheel.Group).ShutdownSync)}
	groupShutdownSyncContext = deletion[*timerwheel.Group]{verb: vGroupShutdownSyncContext, shutsDown: true, waits: true, bounded: true, call: (*timerwheel.Group).ShutdownSyncContext}
)

func withoutWait[X any](f func(X) timerwheel.Found) func(X, context.Context) (timerwheel.Found, error) {
	return func(x X, _ context.Context) (timerwheel.Found, error) { return f(x), nil }
}

func withoutContext[X any](f func(X) (timerwheel.Found, error)) func(X, context.Context) (timerwheel.Found, error) {
	return func(x X, _ context.Context) (timerwheel.Found, error) { return f(x) }
}

// oneOf chooses a deletion.
func oneOf[X any](ds ...deletion[X]) deletion[X] { return ds[rand.IntN(len(ds))] }

// shortly is a context that ends within a millisecond.
func shortly() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), rand.N(time.Millisecond))
}

// remove deletes x, which is a timer or the group of several, and checks what holds for
// the timers afterwards.
func remove[X any](rec *opRecorder, d deletion[X], x X, timers ...*tracked) (found timerwheel.Found, err error) {
	before := make([]state, len(timers))
	for i, s := range timers {
		if d.shutsDown {
			s.shutdownCalled.Store(true)
		}
		before[i] = s.state()
	}
	ctx := context.Background()
	if d.bounded {
		var cancel context.CancelFunc
		ctx, cancel = shortly()
		defer cancel()
	}
	rec.do(d.verb, func() { found, err = d.call(x, ctx) })
	if err != nil && !contextEnds.holds(mayReturn(ctx, found, err)) {
		contextEnds.fail("%s of %v: %+v, %v; the context says %v", verbNames[d.verb], x, found, err, ctx.Err())
	}
	quiet := !found.Running || d.waits && err == nil
	for i, s := range timers {
		s.deleted(before[i], quiet)
		if d.shutsDown {
			s.afterShutdown(rec, quiet)
		}
	}
	return found, err
}

// mayReturn reports whether a deletion may return an error, with the context that it has.
func mayReturn(ctx context.Context, found timerwheel.Found, err error) bool {
	return err == nil || errors.Is(err, timerwheel.ErrDeadlock) || found.Running && errors.Is(err, ctx.Err())
}

// delete deletes a timer.
func (s *tracked) delete(rec *opRecorder, d deletion[timerwheel.Timer]) (timerwheel.Found, error) {
	return remove(rec, d, s.t, s)
}

// shutDown shuts the timer down, in one of three ways.
func (s *tracked) shutDown(rec *opRecorder) {
	_, _ = s.delete(rec, oneOf(shutdown, shutdownSync, shutdownSyncContext))
}

// deleted checks what holds after a deletion. It is quiet if there was an instant during
// the call at which the handler did not run.
func (s *tracked) deleted(before state, quiet bool) {
	if quiet && !runEnded.holds(s.ended.Load() >= before.began) {
		runEnded.fail("%v on %s: run %d had begun before the call, and goes on after it", s.t, s.inst, before.began)
	}
	if before.returns != before.calls {
		return // of a Register under way nothing is known
	}
	if quiet {
		staysQuiet.holds(true)
		s.quiet.Store(before.calls + 1)
	}
	pending := s.t.Pending()
	if s.calls.Load() == before.calls && !notPending.holds(!pending) {
		notPending.fail("%v on %s", s.t, s.inst)
	}
}

// afterShutdown checks what holds after a Shutdown. If it was quiet, no handler begins any
// more; else one that had begun may not have reached its first statement.
func (s *tracked) afterShutdown(rec *opRecorder, quiet bool) {
	s.shutDownReturned.Store(true)
	if quiet {
		shutQuiet.holds(true)
		s.shutDownQuiet.Store(true)
	}
	err := s.register(rec, vRegister, func() error { return s.t.Register(0) })
	if pending := s.t.Pending(); !forEver.holds(err != nil && !pending) {
		forEver.fail("%v on %s: Register: %v, pending: %v", s.t, s.inst, err, pending)
	}
}

// delAsync is a deletion whose done is held to the same as a return of DelSync.
func (s *tracked) delAsync(rec *opRecorder) {
	before := s.state()
	s.inst.asyncs.Add(1)
	var calls atomic.Int32
	done := func() {
		if !asyncOnce.holds(calls.Add(1) == 1) {
			asyncOnce.fail("%v on %s: done is called again", s.t, s.inst)
		}
		s.deleted(before, true)
		s.inst.asyncs.Add(-1)
	}
	rec.do(vDelAsync, func() { s.t.DelAsync(done) })
}
