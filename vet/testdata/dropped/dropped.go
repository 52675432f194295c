// Package dropped makes timers and drops their handles. // want package:"handlers"
package dropped

import (
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
)

func dropped(w *timerwheel.Wheel, f func(timerwheel.Timer)) {
	w.Alloc(f)            // want `the Timer that Alloc returns is dropped: it can be neither armed nor freed`
	_ = w.Alloc(f)        // want `the Timer that Alloc returns is dropped`
	w.NewGroup().Alloc(f) // want `the Timer that Alloc returns is dropped`
	var mu sync.Mutex
	w.AllocLocked(&mu, f)                                    // want `the Timer that AllocLocked returns is dropped`
	w.Alloc(func(timerwheel.Timer) {}).Register(time.Second) // want `the Timer that Alloc returns is armed and then dropped: it cannot be freed. Make it with AfterFunc`
}

func kept(w *timerwheel.Wheel, f func(timerwheel.Timer)) timerwheel.Timer {
	w.AfterFunc(time.Second, func() {})
	w.Every(time.Second, f)
	w.Alloc(func(t timerwheel.Timer) { t.Free() }).Register(time.Second)
	w.Alloc(f).Register(time.Second) // f may free it
	t := w.Alloc(f)
	t.Register(time.Second)
	return w.Alloc(f)
}

// Shut down, and never freed.
func shutDown(w *timerwheel.Wheel) {
	t := w.Alloc(func(timerwheel.Timer) {})
	t.Register(time.Second)
	t.ShutdownSync() // want `the timer is shut down and never freed: its storage stays in use. Call Free after ShutdownSync`
}

func shutDownInClosure(w *timerwheel.Wheel) {
	t := w.Alloc(func(timerwheel.Timer) {})
	t.Register(time.Second)
	defer func() {
		t.Shutdown() // want `is shut down and never freed`
	}()
}

func shutDownRight(w *timerwheel.Wheel, f func(timerwheel.Timer)) {
	t := w.Alloc(func(timerwheel.Timer) {})
	defer t.Free()
	t.ShutdownSync()
	u := w.Alloc(func(u timerwheel.Timer) { u.Free() })
	u.ShutdownSync()
	v := w.Alloc(func(timerwheel.Timer) {})
	v.ShutdownSync()
	release(v)
	x := w.Alloc(f) // f may free it
	x.Shutdown()
	y := w.AfterFunc(time.Second, func() {})
	y.ShutdownSync()
	z := w.NewGroup().Alloc(func(timerwheel.Timer) {})
	z.ShutdownSync()
	a := w.Alloc(func(timerwheel.Timer) {})
	defer func() { a.Free() }()
	a.ShutdownSync()
	b := w.Alloc(func(timerwheel.Timer) {})
	b.DelSync() // it is used elsewhere, as far as is known
	all := []timerwheel.Timer{b}
	all[0].ShutdownSync()
}

func release(t timerwheel.Timer) { t.Free() }

func program() {
	w, _ := timerwheel.New(timerwheel.Options{})
	defer w.Close()
	t := w.Alloc(func(timerwheel.Timer) {})
	defer t.ShutdownSync() // the wheel ends, too
}

// An object that owns its wheel.
type owner struct {
	wheel *timerwheel.Wheel
	t     timerwheel.Timer
}

func (o *owner) start() { o.t = o.wheel.Alloc(func(timerwheel.Timer) {}) }

func (o *owner) close() {
	o.t.ShutdownSync()
	o.wheel.Close()
}
