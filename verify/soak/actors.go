package main

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"time"
)

// This file is the actors. Each does one thing again and again; what it checks follows
// from what it alone knows.

type actor struct {
	name string
	pace int // how often it acts without a rest
	act  func(*instance, *opRecorder)
}

func (inst *instance) actorList() []actor {
	if inst.kind == quiet { // where no other actor's wake-up makes up for one that is lost
		return []actor{[]actor{{"soleUser", 1, soleUser}, {"clockUser", 1, clockUser}}[rand.IntN(2)]}
	}
	all := []actor{
		{"sharedUser", 50, sharedUser}, {"sharedUser", 50, sharedUser}, {"sharedUser", 50, sharedUser},
		{"soleUser", 1, soleUser}, {"soleUser", 1, soleUser}, {"gateUser", 1, gateUser}, {"mover", 1, mover}, {"stopper", 1, stopper}, {"nextTenants", 1, nextTenants},
		{"groupUser", 1, groupUser}, {"series", 1, series}, {"lockUser", 1, lockUser}, {"idleUser", 1, idleUser}, {"clockUser", 5, clockUser}, {"staleUser", 5, staleUser}, {"observer", 1, observer},
	}
	if inst.kind == manual {
		return append(all, actor{"driver", 1, driver})
	}
	return append(all, actor{"circle", 1, circle}) // of handlers, which a Manual wheel runs one by one
}

// anyShared chooses one of the timers that all actors share.
func (inst *instance) anyShared() *tracked { return inst.shared[rand.IntN(len(inst.shared))].Load() }

// sharedUser does anything to any of the timers that all actors share.
func sharedUser(inst *instance, rec *opRecorder) {
	i := rand.IntN(len(inst.shared))
	s := inst.shared[i].Load()
	if s == nil || rand.IntN(64) == 0 {
		inst.replace(i, rec)
		return
	}
	d := soon()
	switch rand.IntN(16) {
	case 0, 1, 2:
		_ = s.register(rec, vRegister, func() error { return s.t.Register(d) })
	case 3:
		_ = s.register(rec, vRegisterAt, func() error { return s.t.RegisterAt(inst.now().Add(d)) })
	case 4:
		_ = s.register(rec, vReduce, func() error { return s.t.Reduce(d) })
	case 5:
		s.reset(rec, d)
	case 6:
		rec.do(vStop, func() { s.t.Stop() })
	case 7:
		_, _ = s.delete(rec, del)
	case 8, 9:
		if _, err := s.delete(rec, delSync); err != nil {
			runEnded.fail("%v on %s: DelSync: %v", s.t, inst, err)
		}
	case 10:
		_, _ = s.delete(rec, delSyncContext)
	case 11:
		s.delAsync(rec)
	case 12:
		rec.do(vRetain, func() {
			if err := s.t.Retain(); err == nil {
				runtime.Gosched()
				_ = s.t.Free()
			}
		})
	case 13:
		inst.fire(rec)
	case 14:
		if rand.IntN(8) == 0 {
			s.shutDown(rec)
		}
	default:
		rec.do(vAsk, func() {
			_, _ = s.t.Pending() || s.t.Running() || s.t.Valid(), s.t.String()
			_, _ = s.t.When()
		})
	}
}

// replace puts a new timer among those that all share. The old one is freed, in one of
// the ways in which that is done, right or wrong.
func (inst *instance) replace(i int, rec *opRecorder) {
	s := &tracked{inst: inst}
	if rand.IntN(3) == 0 {
		rec.do(vAllocLocked, func() { s.t = inst.w.AllocLocked(new(sync.Mutex), s.handle) })
	} else {
		rec.do(vAlloc, func() { s.t = inst.w.Alloc(s.handle) })
	}
	old := inst.shared[i].Swap(s)
	if old == nil {
		return
	}
	switch rand.IntN(3) {
	case 0:
		old.shutDown(rec)
	case 1:
		_, _ = old.delete(rec, delSync)
	}
	old.free(rec)
}

// fire makes an AfterFunc, and leaves it alone.
func (inst *instance) fire(rec *opRecorder) {
	rec.do(vAfterFunc, func() {
		inst.stale.add(inst.w.AfterFunc(soon(), func() {
			inst.begin()
			defer inst.end()
		}))
	})
}

// observer looks at the whole wheel. Stats is no snapshot: of its Running, which may count
// more handlers than were in flight at once, only what it says of Fired is checked.
func observer(inst *instance, rec *opRecorder) {
	rec.do(vObserve, func() {
		s, running := inst.w.Stats(), inst.w.Running()
		_, _ = inst.w.Next()
		_ = inst.w.Now()
		if !conservation.holds(s.Registered == s.Fired+s.Removed+uint64(s.Pending)) {
			conservation.fail("%s: %+v", inst, s)
		}
		ended := uint64(0)
		for _, n := range s.RunTime {
			ended += n
		}
		if !runsCounted.holds(ended+uint64(s.Running) == s.Fired) {
			runsCounted.fail("%s: %d runs have ended; %+v", inst, ended, s)
		}
		if !notTooMany.holds(len(running) <= inst.maxWorkers) {
			notTooMany.fail("%s: %d handlers at once, of %d", inst, len(running), inst.maxWorkers)
		}
	})
}

// driver advances a Manual wheel.
func driver(inst *instance, rec *opRecorder) {
	over := make(chan struct{})
	go func() { // a handler may end it
		defer close(over)
		rec.do(vAdvance, func() { _, _ = inst.w.Advance(time.Now()) })
	}()
	<-over
}
