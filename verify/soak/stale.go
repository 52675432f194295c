package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"

	"github.com/seed76848005/timerwheel"
)

// staleHandles are handles of timers that are gone, or soon will be. They are kept as long
// as the instance. A new one replaces any of the old ones, so some are very old.
type staleHandles struct {
	sync.Mutex
	handles [256]timerwheel.Timer
}

func (h *staleHandles) add(t timerwheel.Timer) {
	h.Lock()
	defer h.Unlock()
	h.handles[rand.IntN(len(h.handles))] = t
}

func (h *staleHandles) any() timerwheel.Timer {
	h.Lock()
	defer h.Unlock()
	return h.handles[rand.IntN(len(h.handles))]
}

// staleUser tries every verb on a stale handle.
func staleUser(inst *instance, rec *opRecorder) {
	t := inst.stale.any()
	var valid bool
	rec.do(vAsk, func() { valid = t.Valid() })
	if valid {
		return // it still is pending, or runs
	}
	for v, f := range map[verb]func() error{
		vRegister:   func() error { return t.Register(0) },
		vRegisterAt: func() error { return t.RegisterAt(inst.now()) },
		vReduce:     func() error { return t.Reduce(0) },
		vRetain:     t.Retain,
		vFree:       t.Free,
	} {
		var err error
		rec.do(v, func() { err = f() })
		if !isStale.holds(errors.Is(err, timerwheel.ErrStale)) {
			isStale.fail("%s: %s of the stale %v: %v", inst, verbNames[v], t, err)
		}
	}
	inst.deleteStale(t, rec)
	var came bool
	rec.do(vReset, func() { came = t.Reset(0) || t.Stop() || t.Pending() || t.Running() || t.Valid() })
	if !isStale.holds(!came) {
		isStale.fail("%s: the stale %v came back", inst, t)
	}
}

// deleteStale finds nothing, though the context has ended.
func (inst *instance) deleteStale(t timerwheel.Timer, rec *opRecorder) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, d := range []deletion[timerwheel.Timer]{del, delSync, delSyncContext, shutdown, shutdownSync, shutdownSyncContext} {
		var found timerwheel.Found
		var err error
		rec.do(d.verb, func() { found, err = d.call(t, ctx) })
		if !isStale.holds(found == timerwheel.Found{} && err == nil) {
			isStale.fail("%s: %s of the stale %v: %+v, %v", inst, verbNames[d.verb], t, found, err)
		}
	}
}
