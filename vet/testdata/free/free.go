// Package free uses handles whose timers have ended. // want package:"functions"
package free

import (
	"context"
	"errors"
	"time"

	"github.com/seed76848005/timerwheel"
)

func straight(w *timerwheel.Wheel, f func(timerwheel.Timer)) {
	t := w.Alloc(f)
	t.Register(time.Second)
	t.Free()
	t.Register(time.Second) // want `Register of the timer after its Free \(free.go:15\): the timer has no owner, so it may be recycled already. Free it last`
	t.Reset(time.Second)    // want `Reset of the timer after its Free`
	t.Retain()              // want `Retain of the timer after its Free`
	t.Free()                // want `the timer is freed twice \(first at free.go:15\): the second Free drops the reference of another owner, or returns ErrStale`
	t.Del()
	t.DelSync()
}

func paths(w *timerwheel.Wheel, f func(timerwheel.Timer), early bool) {
	t := w.Alloc(f)
	if early {
		t.Free()
		return
	}
	t.Register(time.Second)
	t.Free()
}

func onOnePath(w *timerwheel.Wheel, f func(timerwheel.Timer), early bool) {
	t := w.Alloc(f)
	if early {
		t.Free()
	}
	t.Register(time.Second) // want `Register of the timer after its Free`
}

func deferred(w *timerwheel.Wheel, f func(timerwheel.Timer)) {
	t := w.Alloc(f)
	defer t.Free()
	t.Register(time.Second)
}

func deferredTwice(w *timerwheel.Wheel, f func(timerwheel.Timer)) {
	t := w.Alloc(f)
	defer t.Free() // want `the timer is freed twice`
	t.Register(time.Second)
	t.Free()
}

func twoOwners(w *timerwheel.Wheel, f func(timerwheel.Timer)) {
	t := w.Alloc(f)
	t.Retain()
	t.Free()
	t.Register(time.Second)
	t.Free()
	t.Free() // want `freed twice`
}

type conn struct {
	idle   timerwheel.Timer
	shared timerwheel.Timer
	wheel  *timerwheel.Wheel
}

func (c *conn) field() {
	c.idle.Free()
	c.idle.Register(time.Second) // want `Register of conn.idle after its Free`
}

func (c *conn) replaced() {
	c.idle.Free()
	c.idle = c.wheel.Alloc(func(timerwheel.Timer) {})
	c.idle.Register(time.Second)
	c.renew()
	c.idle.Register(time.Second)
	c.idle.Free()
	c.renew()
	c.idle.Register(time.Second)
}

func (c *conn) renew() { c.idle = c.wheel.Alloc(func(timerwheel.Timer) {}) }

func (c *conn) swapped() {
	old := c.idle
	c.idle = c.wheel.Alloc(func(timerwheel.Timer) {})
	old.Free()
	c.idle.Free()
}

func (c *conn) copied() {
	t := c.wheel.Alloc(func(timerwheel.Timer) {})
	c.idle = t
	t.Free()
	c.idle.Free() // want `conn.idle is freed twice`
}

func (c *conn) own() { c.shared.Retain() }

func (c *conn) drop() {
	c.shared.Free()
	c.shared.Register(time.Second) // it may have another owner
}

func loop(ts []timerwheel.Timer, m map[int]timerwheel.Timer, cs []*conn) {
	for _, t := range ts {
		t.Free()
	}
	for i := range ts {
		ts[i].Free()
	}
	for _, t := range m {
		t.Free()
	}
	for _, c := range cs {
		c.idle.Free()
	}
}

func loopWrong(t timerwheel.Timer) {
	for range 2 {
		t.Free() // want `t is freed twice`
	}
}

func loopRight(w *timerwheel.Wheel, f func(timerwheel.Timer)) {
	for range 2 {
		t := w.Alloc(f)
		t.Register(time.Second)
		t.Free()
	}
}

type list struct {
	next  *list
	timer timerwheel.Timer
}

func (l *list) free() {
	for e := l; e != nil; e = e.next {
		e.timer.Free()
	}
}

// In the timer's own handler the handle is valid, even after a Free.
func handler(w *timerwheel.Wheel) timerwheel.Timer {
	return w.Alloc(func(t timerwheel.Timer) {
		t.Free()
		t.Register(time.Second)
		t.Free() // want `t is freed twice`
	})
}

// The code checks the result.
func asked(t timerwheel.Timer) {
	t.Free()
	if err := t.Free(); errors.Is(err, timerwheel.ErrStale) {
		return
	}
}

func afterFunc(w *timerwheel.Wheel, f func()) {
	t := w.AfterFunc(time.Second, f)
	t.Reset(time.Minute) // postponed while pending
	t.Stop()
	t.Reset(time.Second)    // want `Reset of the timer, a Timer from AfterFunc that was deleted by Stop \(free.go:\d+\): it has ended for good, and nothing is armed. Make a timer that is used again with Alloc`
	t.Register(time.Second) // want `Register of the timer, a Timer from AfterFunc`
	if !t.Reset(time.Second) {
		t = w.AfterFunc(time.Second, f)
	}
	t.Reset(time.Second)
}

// A Shutdown waits for no handler, but the timer refuses to be armed from then on.
func shutDown(w *timerwheel.Wheel, f func()) {
	t := w.AfterFunc(time.Second, f)
	t.Shutdown()
	t.Register(time.Second) // want `Register of the timer, a Timer from AfterFunc that was shut down by Shutdown \(free.go:\d+\): it has ended for good, and nothing is armed`
	t.Reset(time.Second)    // want `Reset of the timer, a Timer from AfterFunc that was shut down by Shutdown`
	t.Shutdown()
	t.DelSync()
}

func shutDownSync(w *timerwheel.Wheel, f func()) {
	t := w.AfterFunc(time.Second, f)
	t.ShutdownSync()
	t.Register(time.Second) // want `Register of the timer, a Timer from AfterFunc that was shut down by ShutdownSync`
	u := w.AfterFunc(time.Second, f)
	u.ShutdownSyncContext(context.Background())
	u.Register(time.Second) // want `Register of the timer, a Timer from AfterFunc that was shut down by ShutdownSyncContext`
}

func allocated(w *timerwheel.Wheel, f func(timerwheel.Timer)) {
	t := w.Alloc(f)
	t.Stop()
	t.Reset(time.Second)
	t.DelSync()
	t.Register(time.Second)
}

func afterFuncAgain(w *timerwheel.Wheel, f func(), again bool) {
	t := w.AfterFunc(time.Second, f)
	if again {
		t.Stop()
		t = w.AfterFunc(time.Second, f)
	}
	t.Reset(time.Second)
}

func fired(w *timerwheel.Wheel) {
	c := make(chan struct{})
	t := w.AfterFunc(time.Second, func() { c <- struct{}{} })
	for {
		<-c
		t.Reset(time.Second) // want `Reset of the timer, a Timer from AfterFunc that has fired \(free.go:\d+\)`
	}
}

func firedAllocated(w *timerwheel.Wheel) {
	c := make(chan struct{})
	t := w.Alloc(func(timerwheel.Timer) { c <- struct{}{} })
	for {
		t.Reset(time.Second)
		<-c
	}
}

type ticker struct{ t timerwheel.Timer }

func (k *ticker) start(w *timerwheel.Wheel) {
	k.t = w.Every(time.Second, func(t timerwheel.Timer) {
		t.Stop()
		t.Reset(time.Minute) // it exists while its handler runs
	})
}

func (k *ticker) restart() {
	k.t.DelSync()
	k.t.Register(time.Second) // want `Register of ticker.t, a Timer from AfterFunc that was deleted by DelSync`
}

// Each is freed when the next one exists.
func relay(w *timerwheel.Wheel, n int) {
	last := w.Alloc(func(timerwheel.Timer) {})
	defer func() { last.Free() }()
	for range n {
		next := w.Alloc(func(timerwheel.Timer) {})
		last.Free()
		next.Register(time.Second)
		last = next
	}
}

// Retained under another name.
func renamed(w *timerwheel.Wheel) {
	t := w.Alloc(func(timerwheel.Timer) {})
	t.Free()
	for _, other := range []timerwheel.Timer{t, w.AfterFunc(time.Second, func() {})} {
		other.Retain()
	}
	t.Register(time.Second)
}
