package main

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
)

// This file is the actor of the groups.

// A usedGroup is a group with what is known of its members.
type usedGroup struct {
	inst    *instance
	g       *timerwheel.Group
	members []*tracked
}

// groupUser makes a group, uses it, and tears it down.
func groupUser(inst *instance, rec *opRecorder) {
	u := &usedGroup{inst: inst}
	rec.do(vNewGroup, func() { u.g = inst.w.NewGroup() })
	u.fill(rec)
	time.Sleep(rand.N(2 * time.Millisecond))
	if rand.IntN(2) == 0 {
		u.delete(rec, oneOf(groupDel, groupDelSync, groupDelSyncContext))
		for _, s := range u.members {
			_ = s.register(rec, vRegister, func() error { return s.t.Register(soon()) })
		}
		time.Sleep(rand.N(time.Millisecond))
	}
	d := oneOf(groupDelSync, groupShutdown, groupShutdownSync, groupShutdownSyncContext)
	u.delete(rec, d)
	if d.shutsDown {
		refuseNewMembers(inst, u.g, rec, timerwheel.ErrShutdown)
		u.delete(rec, groupDelSync)
	}
	u.free(rec)
}

// fill makes members of all kinds.
func (u *usedGroup) fill(rec *opRecorder) {
	lock := new(sync.Mutex)
	for range 4 {
		a, l, f, e := u.newMember(), u.newMember(), u.newMember(), u.newMember()
		rec.do(vAlloc, func() { a.t = u.g.Alloc(a.owned) })
		rec.do(vAllocLocked, func() { l.t = u.g.AllocLocked(lock, l.owned) })
		rec.do(vAfterFunc, func() { f.t = u.g.AfterFunc(soon(), func() { f.member(timerwheel.Timer{}) }) })
		rec.do(vEvery, func() { e.t = u.g.Every(300*time.Microsecond, e.member) })
		for _, s := range []*tracked{a, l} {
			_ = s.register(rec, vRegister, func() error { return s.t.Register(soon()) })
		}
	}
}

func (u *usedGroup) newMember() *tracked {
	s := &tracked{inst: u.inst}
	u.members = append(u.members, s)
	return s
}

// member is the handler of a timer in a group.
func (s *tracked) member(timerwheel.Timer) {
	s.begin()
	defer s.end()
	misbehave(s.inst)
}

// owned is the handler of a member that has an owner. Some register it again.
func (s *tracked) owned(t timerwheel.Timer) {
	s.begin()
	defer s.end()
	if rand.IntN(2) == 0 {
		_ = s.register(nil, vRegister, func() error { return t.Register(soon()) })
	}
	misbehave(s.inst)
}

// delete deletes the group, which no other goroutine knows. Only handlers register its
// members, so after a deletion that has waited nothing is left.
func (u *usedGroup) delete(rec *opRecorder, d deletion[*timerwheel.Group]) {
	_, err := remove(rec, d, u.g, u.members...)
	if !d.waits || d.bounded && err != nil {
		return
	}
	for _, s := range u.members {
		running := s.ended.Load() != s.began.Load() || s.inFlight.Load() || s.t.Running()
		if !membersQuiet.holds(err == nil && !running && !s.t.Pending()) {
			membersQuiet.fail("%v on %s: %s: pending %v, running %v; %v", s.t, u.inst, verbNames[d.verb], s.t.Pending(), running, err)
		}
	}
}

// refuseNewMembers makes members of a group that is shut down, or whose deletion waits:
// none can be registered, which is refused with the given error.
func refuseNewMembers(inst *instance, g *timerwheel.Group, rec *opRecorder, want error) {
	var t, f, e timerwheel.Timer
	rec.do(vAlloc, func() { t = g.Alloc(func(timerwheel.Timer) {}) })
	rec.do(vAfterFunc, func() { f = g.AfterFunc(time.Hour, func() {}) })
	rec.do(vEvery, func() { e = g.Every(time.Hour, func(timerwheel.Timer) {}) })
	var err error
	rec.do(vRegister, func() { err = t.Register(time.Hour) })
	if !newRefused.holds(errors.Is(err, want) && !t.Pending() && !f.Valid() && !e.Valid()) {
		newRefused.fail("%s: Register: %v, not %v; pending: %v; AfterFunc is valid: %v; Every is valid: %v", inst, err, want, t.Pending(), f.Valid(), e.Valid())
	}
	rec.do(vFree, func() { _ = t.Free() })
}

// free frees the members that have an owner. All have been deleted, so none is left.
func (u *usedGroup) free(rec *opRecorder) {
	for _, s := range u.members {
		s.free(rec)
	}
	if n := u.g.Len(); !membersFreed.holds(n == 0) {
		membersFreed.fail("%s: a group that is deleted and freed has %d members", u.inst, n)
	}
}
