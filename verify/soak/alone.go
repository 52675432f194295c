package main

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel"
)

// This file is the actors whose timers nobody else knows: they know exactly what
// must happen to them, and when.

// loner arms a timer that is its own, and waits for the firing: it must come,
// and not early. Then it deletes it, and what the handler wrote must be there.
func loner(h *house, d *desk) {
	l := &lonely{subject: subject{h: h}, fired: make(chan struct{}, 1)}
	d.on(vAlloc)
	l.t = h.w.Alloc(func(timerwheel.Timer) { l.fire() })
	d.off()
	for n := 0; n < 20 && isOpen(h.leaving) && l.round(d); n++ {
		time.Sleep(rand.N(time.Millisecond)) // by then a wheel with nothing else to do is asleep
	}
	l.shutDown(d)
	l.free(d)
}

// lost is when a firing is given up that is due.
const lost = 5 * time.Second

// A lonely timer is known to one goroutine, so what its handler writes needs no
// lock.
type lonely struct {
	subject
	runs  int
	due   time.Time
	fired chan struct{}
}

func (l *lonely) fire() {
	l.begin()
	defer l.end()
	if now := l.h.now(); !neverEarly.holds(!now.Before(l.due)) {
		neverEarly.fail("%v on %s: %v early", l.t, l.h, l.due.Sub(now))
	}
	l.runs++
	l.fired <- struct{}{}
	misbehave(l.h)
}

// round is one firing; it reports whether there may be another.
func (l *lonely) round(d *desk) bool {
	dur := rand.N(4 * time.Millisecond)
	l.due = l.h.now().Add(dur)
	if l.register(d, vRegister, func() error { return l.t.Register(dur) }) != nil {
		return false
	}
	d.on(vAwait)
	select {
	case <-l.fired:
		neverLost.holds(true)
	case <-l.h.closing:
	case <-time.After(lost):
		neverLost.fail("%v on %s: due for %v", l.t, l.h, lost)
	}
	d.off()
	if _, err := l.delSync(d, vDelSync, l.t.DelSync); err != nil || !sees.holds(int64(l.runs) == l.began.Load()) {
		sees.fail("%v on %s: %d runs are seen, %d have begun; %v", l.t, l.h, l.runs, l.began.Load(), err)
	}
	return !l.h.isClosing()
}

// mover arms a timer that is its own, and pushes it back: once that has been
// said to have worked, the old deadline must not fire.
func mover(h *house, d *desk) {
	var due atomic.Int64
	start := h.now()
	s := &subject{h: h}
	d.on(vAlloc)
	s.t = h.w.Alloc(func(timerwheel.Timer) {
		s.begin()
		defer s.end()
		if now := h.now().Sub(start); !neverEarly.holds(int64(now) >= due.Load()) {
			neverEarly.fail("%v on %s: moved, but fires %v early", s.t, h, time.Duration(due.Load())-now)
		}
	})
	d.off()
	dur := rand.N(3 * time.Millisecond)
	due.Store(int64(h.now().Sub(start) + dur))
	moved := s.register(d, vRegister, func() error { return s.t.Register(dur) }) == nil
	for n := 0; moved && n < 50; n++ {
		dur = rand.N(3 * time.Millisecond)
		at := int64(h.now().Sub(start) + dur)
		if at < due.Load() {
			due.Store(at) // it may fire there as soon as Reset has begun
		}
		_ = s.register(d, vReset, func() error { moved = s.t.Reset(dur); return nil })
		if moved {
			due.Store(at)
		}
		spin(rand.N(100 * time.Microsecond))
	}
	s.shutDown(d)
	s.free(d)
}

// stopper makes timers that nobody else knows, and stops some in time.
func stopper(h *house, d *desk) {
	var runs [32]atomic.Int32
	var timers [len(runs)]timerwheel.Timer
	var removed [len(runs)]bool
	for i := range runs {
		dur := rand.N(2 * time.Millisecond)
		due := h.now().Add(dur)
		d.on(vAfterFunc)
		timers[i] = h.w.AfterFunc(dur, func() {
			h.begin()
			defer h.end()
			if now := h.now(); !neverEarly.holds(!now.Before(due)) {
				neverEarly.fail("a firing on %s: %v early", h, due.Sub(now))
			}
			runs[i].Add(1)
		})
		d.off()
	}
	time.Sleep(rand.N(2 * time.Millisecond))
	for i, t := range timers {
		d.on(vStop)
		removed[i] = t.Stop()
		_, err := t.DelSync()
		d.off()
		n := runs[i].Load()
		fits := n == 0 && removed[i] || n == 1 && !removed[i] || n == 0 && h.isClosing()
		if !firesOnce.holds(err == nil && fits) {
			firesOnce.fail("%v on %s: Stop says %v, and it has run %d times; %v", t, h, removed[i], n, err)
		}
		h.attic.keep(t)
	}
}

// tenant has timers that are an hour away: nobody can remove their firings but
// itself, however many stale handles there are to their slots.
func tenant(h *house, d *desk) {
	var timers [16]timerwheel.Timer
	for i := range timers {
		d.on(vAfterFunc)
		timers[i] = h.w.AfterFunc(time.Hour, func() { tenantSafe.fail("%s: a tenant fires an hour early", h) })
		d.off()
	}
	time.Sleep(rand.N(300 * time.Microsecond))
	for _, t := range timers {
		d.on(vStop)
		stopped := t.Stop()
		d.off()
		if !tenantSafe.holds(stopped || h.isClosing()) {
			tenantSafe.fail("%s: somebody else has removed the firing of %v", h, t)
		}
		h.attic.keep(t)
	}
}

// series makes a periodic timer: its run number n must not come before the n-th
// instant.
func series(h *house, d *desk) {
	period := 1 + rand.N(2*time.Millisecond)
	s := &subject{h: h}
	var runs time.Duration
	start := h.now()
	d.on(vEvery)
	t := h.w.Every(period, func(t timerwheel.Timer) {
		s.begin()
		defer s.end()
		runs++
		if now := h.now().Sub(start); !neverEarly.holds(now >= runs*period) {
			neverEarly.fail("%v on %s: run %d of a period of %v after %v", t, h, runs, period, now)
		}
		misbehave(h)
	})
	d.off()
	time.Sleep(rand.N(10 * time.Millisecond))
	s.t = t
	if _, err := s.delSync(d, vDelSync, t.DelSync); err != nil || !sees.holds(int64(runs) == s.began.Load()) {
		sees.fail("%v on %s: %d runs are seen, %d have begun; %v", t, h, runs, s.began.Load(), err)
	}
	h.attic.keep(t)
}
