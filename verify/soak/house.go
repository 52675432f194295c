package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel"
)

// A house is a wheel and the goroutines that live on it. They move in, make a
// noise, and move out; then the wheel must be empty. Most houses are closed
// while all are at home, in one of several ways, and another is built; one, the
// veteran, stands from the beginning to the end.
type house struct {
	name  string
	kind  kind
	w     *timerwheel.Wheel
	most  int // handlers at once
	attic attic
	pool  [24]atomic.Pointer[subject] // the timers that all share

	actors  sync.WaitGroup
	leaving chan struct{} // closed when the actors shall go
	closing chan struct{} // closed before anybody closes the wheel
	once    sync.Once     // for that
	closed  atomic.Bool   // Close has returned nil

	began      atomic.Uint64 // handlers
	inFlight   atomic.Int64
	panics     atomic.Int64 // on purpose, less those that OnPanic was told
	asyncs     atomic.Int64 // DelAsyncs, less the dones that have run
	inShutdown atomic.Int32 // Shutdowns of single timers under way
}

type kind string

const (
	busy    kind = "busy wheel"
	quiet   kind = "quiet wheel"
	manual  kind = "manual wheel"
	veteran kind = "veteran"
)

func (h *house) String() string { return h.name }

var wheels atomic.Int64

// build makes a house with a wheel of some kind.
func build(k kind) *house {
	h := &house{name: fmt.Sprintf("%s %d", k, wheels.Add(1)), kind: k, closing: make(chan struct{})}
	o := timerwheel.Options{
		Tick:    []time.Duration{100 * time.Microsecond, time.Millisecond, 3 * time.Millisecond}[rand.IntN(3)],
		Manual:  k == manual,
		OnPanic: h.onPanic,
		Debug:   rand.IntN(8) == 0,
	}
	h.most = 1
	if k != manual {
		h.most = []int{8, 32, 256}[rand.IntN(3)]
		o.MaxWorkers = h.most
	}
	if k == busy || k == veteran { // who looks for stalls also finds what is lost
		o.OnStall, o.StallAfter = onStall, 50*time.Millisecond
	}
	w, err := timerwheel.New(o)
	if err != nil {
		panic(err)
	}
	h.w = w
	return h
}

// now is the time by which deadlines are judged.
func (h *house) now() time.Time {
	if h.kind == manual {
		return h.w.Now()
	}
	return time.Now()
}

// begin and end are called around every handler of the house.
func (h *house) begin() {
	handlers.Add(1)
	h.began.Add(1)
	h.inFlight.Add(1)
	if h.closed.Load() {
		closedQuiet.fail("%s: a handler begins after Close has returned", h)
	}
}

func (h *house) end() { h.inFlight.Add(-1) }

func (h *house) onPanic(p timerwheel.HandlerPanic) {
	if p.Value != onPurpose {
		panicsTold.fail("%s: %v panics with %v\n%s", h, p.Timer, p.Value, p.Stack)
	}
	panicsTold.holds(true)
	h.panics.Add(-1)
}

var stalls atomic.Int64

func onStall(timerwheel.Stall) { stalls.Add(1) }

// moveIn starts the actors.
func (h *house) moveIn() {
	h.leaving = make(chan struct{})
	for _, a := range h.residents() {
		h.actors.Go(func() {
			d := newDesk(a.name + " on " + h.name)
			defer d.leave()
			for isOpen(h.leaving) {
				for range a.pace {
					a.act(h, d)
				}
				time.Sleep(rand.N(100 * time.Microsecond)) // the handlers, too, must have their turns
			}
		})
	}
}

// isOpen reports whether a channel has not been closed.
func isOpen(c chan struct{}) bool {
	select {
	case <-c:
		return false
	default:
		return true
	}
}

func (h *house) isClosing() bool { return !isOpen(h.closing) }

// moveOut ends the actors, and frees what they shared.
func (h *house) moveOut(d *desk) {
	close(h.leaving)
	d.on(vAwait)
	h.actors.Wait()
	d.off()
	for i := range h.pool {
		if s := h.pool[i].Swap(nil); s != nil {
			s.shutDown(d)
			s.free(d)
		}
	}
}

// drained waits until the wheel has nothing any more: what was freed while it
// was pending fires first.
func (h *house) drained(d *desk) timerwheel.Stats {
	d.on(vAwait)
	defer d.off()
	for {
		if s := h.w.Stats(); s.Live == 0 && s.Workers == 0 && h.asyncs.Load() == 0 {
			allRecycled.holds(true)
			return s
		}
		time.Sleep(time.Millisecond)
	}
}

// close closes the wheel, while the actors are at work, in one way or another.
func (h *house) close(d *desk) {
	h.once.Do(func() { close(h.closing) })
	switch rand.IntN(3) {
	case 0:
		h.closeInHandler()
	case 1:
		ctx, cancel := context.WithTimeout(context.Background(), rand.N(time.Millisecond))
		d.on(vWheelShutdown)
		_ = h.w.CloseContext(ctx)
		d.off()
		cancel()
	}
	time.Sleep(rand.N(20 * time.Millisecond)) // the actors meet ErrClosed
	d.on(vClose)
	err := h.w.Close()
	d.off()
	h.closed.Store(true)
	if n := h.inFlight.Load(); !closedQuiet.holds(err == nil && n == 0) {
		closedQuiet.fail("%s: Close returns %v with %d handlers in flight", h, err, n)
	}
}

// closeInHandler closes the wheel where that cannot wait.
func (h *house) closeInHandler() {
	over := make(chan struct{})
	t := h.w.AfterFunc(0, func() {
		defer close(over)
		h.begin()
		defer h.end()
		count(vClose)
		err := h.w.Close()
		if refused := h.w.AfterFunc(0, func() {}); !closeInUse.holds(errors.Is(err, timerwheel.ErrDeadlock) && !refused.Valid()) {
			closeInUse.fail("%s: %v; a timer made afterwards is valid: %v", h, err, refused.Valid())
		}
	})
	if t == (timerwheel.Timer{}) {
		return
	}
	select {
	case <-over:
	case <-time.After(time.Second): // it was not its turn: a Manual wheel's driver sleeps, or workers are short
	}
}

// inspect judges a house that is closed and empty.
func (h *house) inspect() {
	s := h.w.Stats()
	if !closedQuiet.holds(s.Pending == 0 && s.Running == 0 && s.Workers == 0) {
		closedQuiet.fail("%s: %+v", h, s)
	}
	if !allCounted.holds(s.Fired == h.began.Load()) {
		allCounted.fail("%s: %d handlers have begun; %+v", h, h.began.Load(), s)
	}
	if n := h.panics.Load(); !panicsTold.holds(n == 0) {
		panicsTold.fail("%s: of %d panics OnPanic was not told", h, n)
	}
	if !conservation.holds(s.Registered == s.Fired+s.Removed) {
		conservation.fail("%s: %+v", h, s)
	}
}

// live is the whole life of a house that is closed while all are at home.
func live(k kind, until time.Time, d *desk) {
	h := build(k)
	h.moveIn()
	life := time.Until(until)
	if k != quiet { // which must be long enough alive to find something lost
		life = min(life, rand.N(3*time.Second))
	}
	time.Sleep(life)
	h.close(d)
	h.moveOut(d)
	h.drained(d)
	h.inspect()
}
