package main

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
)

// This file is the actor of the groups.

// connection makes a group, uses it, and tears it down.
func connection(h *house, d *desk) {
	d.on(vNewGroup)
	g := h.w.NewGroup()
	d.off()
	lock := new(sync.Mutex)
	var members []*subject
	join := func(v verb, own bool, f func(s *subject) timerwheel.Timer) {
		s := &subject{h: h}
		d.on(v)
		s.t = f(s)
		d.off()
		if members = append(members, s); own {
			_ = s.register(d, vRegister, func() error { return s.t.Register(soon()) })
		}
	}
	for range 4 {
		join(vAlloc, true, func(s *subject) timerwheel.Timer { return g.Alloc(s.member) })
		join(vAllocLocked, true, func(s *subject) timerwheel.Timer { return g.AllocLocked(lock, s.member) })
		join(vAfterFunc, false, func(s *subject) timerwheel.Timer { return g.AfterFunc(soon(), func() { s.member(timerwheel.Timer{}) }) })
		join(vEvery, false, func(s *subject) timerwheel.Timer { return g.Every(300*time.Microsecond, s.member) })
	}
	time.Sleep(rand.N(2 * time.Millisecond))
	h.tearDown(g, members, d)
	for _, s := range members {
		d.on(vFree)
		_ = s.t.Free()
		d.off()
		h.attic.keep(s.t)
	}
	if n := g.Len(); !membersQuiet.holds(n == 0) {
		membersQuiet.fail("%s: a group that is deleted and freed has %d members", h, n)
	}
}

// member is the handler of a timer in a group.
func (s *subject) member(timerwheel.Timer) {
	s.begin()
	defer s.end()
	misbehave(s.h)
}

// tearDown deletes a group, of which nobody else knows, and looks at every
// member.
func (h *house) tearDown(g *timerwheel.Group, members []*subject, d *desk) {
	before := make([]state, len(members))
	for i, s := range members {
		before[i] = s.state()
	}
	v, f := vGroupDelSync, g.DelSync
	switch rand.IntN(3) {
	case 0:
		v, f = vGroupShutdown, g.ShutdownSync
		h.inShutdown.Add(1)
		defer h.inShutdown.Add(-1)
	case 1:
		h.giveUp(g, d)
	}
	d.on(v)
	_, err := f()
	d.off()
	for i, s := range members {
		s.deleted(before[i])
		running := s.ended.Load() != s.began.Load() || s.inFlight.Load()
		if !membersQuiet.holds(err == nil && !running && !s.t.Pending() && !s.t.Running()) {
			membersQuiet.fail("%v on %s: pending %v, running %v; %v", s.t, h, s.t.Pending(), running, err)
		}
	}
}

// giveUp deletes a group with little patience.
func (h *house) giveUp(g *timerwheel.Group, d *desk) {
	ctx, cancel := shortly()
	defer cancel()
	d.on(vGroupDelSyncContext)
	_, err := g.DelSyncContext(ctx)
	d.off()
	if !contextEnds.holds(err == nil || errors.Is(err, ctx.Err())) {
		contextEnds.fail("a group on %s: %v; the context says %v", h, err, ctx.Err())
	}
}
