// Package circle has handlers that wait for each other. // want package:"functions"
package circle

import (
	"context"
	"errors"
	"time"

	"github.com/seed76848005/timerwheel"
)

type three struct{ a, b, c timerwheel.Timer }

func newThree(w *timerwheel.Wheel) *three {
	t := &three{}
	t.a = w.Alloc(func(timerwheel.Timer) {
		t.b.DelSync() // want `handlers wait for each other in a circle: DelSync \(circle.go:17\) for the handler at circle.go:19; DelSync \(circle.go:31\) for the handler at circle.go:22; DelSync \(circle.go:23\) for the handler at circle.go:16. One of the calls returns ErrDeadlock. Use Del, Shutdown or DelAsync, or check for the error`
	})
	t.b = w.Alloc(func(timerwheel.Timer) {
		t.stopC()
	})
	t.c = w.Alloc(func(timerwheel.Timer) {
		t.a.DelSync()
	})
	t.a.Register(time.Second)
	t.b.Register(time.Second)
	t.c.Register(time.Second)
	return t
}

func (t *three) stopC() { t.c.DelSync() }

// A chain is not a circle.
type chain struct{ a, b, c timerwheel.Timer }

func newChain(w *timerwheel.Wheel) *chain {
	t := &chain{}
	t.a = w.Alloc(func(timerwheel.Timer) { t.b.DelSync() })
	t.b = w.Alloc(func(timerwheel.Timer) { t.c.DelSync() })
	t.c = w.Alloc(func(timerwheel.Timer) { t.a.Del() })
	return t
}

// A wait to shut a timer down closes a circle. A Shutdown does not wait.
type pair struct{ a, b timerwheel.Timer }

func newPair(w *timerwheel.Wheel) *pair {
	p := &pair{}
	p.a = w.Alloc(func(timerwheel.Timer) {
		p.b.ShutdownSync() // want `handlers wait for each other in a circle: ShutdownSync \(circle.go:\d+\) for .*; ShutdownSyncContext \(circle.go:\d+\) for`
	})
	p.b = w.Alloc(func(timerwheel.Timer) { p.a.ShutdownSyncContext(context.Background()) })
	return p
}

type quitters struct{ a, b timerwheel.Timer }

func newQuitters(w *timerwheel.Wheel) *quitters {
	q := &quitters{}
	q.a = w.Alloc(func(timerwheel.Timer) { q.b.Shutdown() })
	q.b = w.Alloc(func(timerwheel.Timer) { q.a.ShutdownSync() })
	return q
}

// The code checks for the error.
type careful struct{ a, b timerwheel.Timer }

func newCareful(w *timerwheel.Wheel) *careful {
	t := &careful{}
	t.a = w.Alloc(func(timerwheel.Timer) {
		if _, err := t.b.DelSync(); errors.Is(err, timerwheel.ErrDeadlock) {
			t.b.Del()
		}
	})
	t.b = w.Alloc(func(timerwheel.Timer) { t.a.DelSync() })
	return t
}

func twoWheels() {
	one, _ := timerwheel.New(timerwheel.Options{})
	two, _ := timerwheel.New(timerwheel.Options{})
	var a, b timerwheel.Timer
	a = one.Alloc(func(timerwheel.Timer) {
		b.DelSync() // want `The timers are of two wheels, which do not see the circle: the handlers wait for ever`
	})
	b = two.Alloc(func(timerwheel.Timer) { a.DelSync() })
}

// A group belongs to a wheel. It is not a second wheel.
func ofGroup() {
	w, _ := timerwheel.New(timerwheel.Options{})
	g := w.NewGroup()
	var a, b timerwheel.Timer
	a = w.Alloc(func(timerwheel.Timer) {
		b.DelSync() // want `One of the calls returns ErrDeadlock. Use Del, Shutdown or DelAsync, or check for the error`
	})
	b = g.Alloc(func(timerwheel.Timer) { a.DelSync() })
}

func (p *pair) free() {
	p.a.Free()
	p.b.Free()
}

func (q *quitters) free() {
	q.a.Free()
	q.b.Free()
}
