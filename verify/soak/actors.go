package main

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"time"
)

// This file is who lives in a house. Each actor does one thing again and again;
// what it checks follows from what it alone knows.

type actor struct {
	name string
	pace int // how often it acts without a rest
	act  func(*house, *desk)
}

func (h *house) residents() []actor {
	if h.kind == quiet { // where nobody else's wake-up makes up for one that is lost
		return []actor{{"loner", 1, loner}}
	}
	all := []actor{
		{"sharer", 50, sharer}, {"sharer", 50, sharer}, {"sharer", 50, sharer},
		{"loner", 1, loner}, {"loner", 1, loner}, {"gatekeeper", 1, gatekeeper}, {"mover", 1, mover}, {"stopper", 1, stopper}, {"tenant", 1, tenant},
		{"connection", 1, connection}, {"series", 1, series}, {"locker", 1, locker}, {"stranger", 5, stranger}, {"observer", 1, observer},
	}
	if h.kind == manual {
		return append(all, actor{"driver", 1, driver})
	}
	return append(all, actor{"circle", 1, circle}) // of handlers, which a Manual wheel runs one by one
}

// any chooses a timer that all share.
func (h *house) any() *subject { return h.pool[rand.IntN(len(h.pool))].Load() }

// sharer does anything to any of the timers that all share.
func sharer(h *house, d *desk) {
	i := rand.IntN(len(h.pool))
	s := h.pool[i].Load()
	if s == nil || rand.IntN(64) == 0 {
		h.replace(i, d)
		return
	}
	dur := soon()
	switch rand.IntN(16) {
	case 0, 1, 2:
		_ = s.register(d, vRegister, func() error { return s.t.Register(dur) })
	case 3:
		_ = s.register(d, vRegisterAt, func() error { return s.t.RegisterAt(h.now().Add(dur)) })
	case 4:
		_ = s.register(d, vReduce, func() error { return s.t.Reduce(dur) })
	case 5:
		s.calls.Add(1)
		d.on(vReset)
		s.t.Reset(dur)
		d.off()
		s.returns.Add(1)
	case 6:
		d.on(vStop)
		s.t.Stop()
		d.off()
	case 7:
		d.on(vDel)
		s.t.Del()
		d.off()
	case 8, 9:
		if _, err := s.delSync(d, vDelSync, s.t.DelSync); err != nil {
			runEnded.fail("%v on %s: DelSync: %v", s.t, h, err)
		}
	case 10:
		s.delSyncContext(d)
	case 11:
		s.delAsync(d)
	case 12:
		d.on(vRetain)
		if err := s.t.Retain(); err == nil {
			runtime.Gosched()
			_ = s.t.Free()
		}
		d.off()
	case 13:
		h.fire(d)
	case 14:
		if rand.IntN(8) == 0 {
			s.shutDown(d)
		}
	default:
		d.on(vAsk)
		_, _ = s.t.Pending() || s.t.Running() || s.t.Valid(), s.t.String()
		_, _ = s.t.When()
		d.off()
	}
}

// replace puts a new timer into the pool. The old one is freed, in one of the
// ways in which that is done, good or bad.
func (h *house) replace(i int, d *desk) {
	s := &subject{h: h}
	if rand.IntN(3) == 0 {
		d.on(vAllocLocked)
		s.t = h.w.AllocLocked(new(sync.Mutex), s.handle)
	} else {
		d.on(vAlloc)
		s.t = h.w.Alloc(s.handle)
	}
	d.off()
	old := h.pool[i].Swap(s)
	if old == nil {
		return
	}
	switch rand.IntN(3) {
	case 0:
		old.shutDown(d)
	case 1:
		_, _ = old.delSync(d, vDelSync, old.t.DelSync)
	}
	old.free(d)
}

// fire is an AfterFunc that nobody looks after.
func (h *house) fire(d *desk) {
	d.on(vAfterFunc)
	h.attic.keep(h.w.AfterFunc(soon(), func() {
		h.begin()
		defer h.end()
	}))
	d.off()
}

// observer looks at the whole wheel.
func observer(h *house, d *desk) {
	d.on(vObserve)
	s, running := h.w.Stats(), h.w.Running()
	_, _ = h.w.Next()
	_ = h.w.Now()
	d.off()
	if !conservation.holds(s.Registered == s.Fired+s.Removed+uint64(s.Pending)) {
		conservation.fail("%s: %+v", h, s)
	}
	if n := max(s.Running, len(running)); !notTooMany.holds(n <= h.most) {
		notTooMany.fail("%s: %d handlers at once, of %d", h, n, h.most)
	}
}

// driver advances a Manual wheel.
func driver(h *house, d *desk) {
	over := make(chan struct{})
	go func() { // a handler may end it
		defer close(over)
		d.on(vAdvance)
		defer d.off()
		_, _ = h.w.Advance(time.Now())
	}()
	<-over
}
