package main

import (
	"errors"
	"math/rand/v2"
	"sync"

	"github.com/seed76848005/timerwheel"
)

// An attic keeps handles after their timers have gone, for as long as the house
// stands. New ones take the places of any, so some are very old.
type attic struct {
	sync.Mutex
	handles [256]timerwheel.Timer
}

func (a *attic) keep(t timerwheel.Timer) {
	a.Lock()
	defer a.Unlock()
	a.handles[rand.IntN(len(a.handles))] = t
}

func (a *attic) any() timerwheel.Timer {
	a.Lock()
	defer a.Unlock()
	return a.handles[rand.IntN(len(a.handles))]
}

// stranger tries every verb on stale handles.
func stranger(h *house, d *desk) {
	t := h.attic.any()
	d.on(vAsk)
	valid := t.Valid()
	d.off()
	if valid {
		return // it still pends, or runs
	}
	for v, f := range map[verb]func() error{
		vRegister:   func() error { return t.Register(0) },
		vRegisterAt: func() error { return t.RegisterAt(h.now()) },
		vReduce:     func() error { return t.Reduce(0) },
		vRetain:     t.Retain,
		vFree:       t.Free,
	} {
		d.on(v)
		err := f()
		d.off()
		if !isStale.holds(errors.Is(err, timerwheel.ErrStale)) {
			isStale.fail("%s: %s of the stale %v: %v", h, verbNames[v], t, err)
		}
	}
	for v, f := range map[verb]func() (timerwheel.Found, error){vDel: func() (timerwheel.Found, error) { return t.Del(), nil }, vDelSync: t.DelSync, vShutdown: t.ShutdownSync} {
		d.on(v)
		found, err := f()
		d.off()
		if !isStale.holds(found == timerwheel.Found{} && err == nil) {
			isStale.fail("%s: %s of the stale %v: %+v, %v", h, verbNames[v], t, found, err)
		}
	}
	d.on(vReset)
	moved := t.Reset(0) || t.Stop() || t.Pending() || t.Running() || t.Valid()
	d.off()
	if !isStale.holds(!moved) {
		isStale.fail("%s: the stale %v came back", h, t)
	}
}
