package main

import (
	"time"

	"github.com/seed76848005/timerwheel"
)

// A stdTimer is the left column.
type stdTimer struct{ t *time.Timer }

func newStdTimer(d *device) timer {
	t := time.AfterFunc(time.Hour, d.poll) // the only way to have one that is not armed:
	t.Stop()                               // time has no Alloc
	return stdTimer{t}
}

func (s stdTimer) arm(d time.Duration) { s.t.Reset(d) }
func (s stdTimer) del()                { s.t.Stop() }
func (s stdTimer) remove() bool        { return s.t.Stop() }
func (s stdTimer) free()               {}

// A wheelTimer is the right column.
type wheelTimer struct {
	t      timerwheel.Timer
	shared bool
}

func newWheelTimer(wheel *timerwheel.Wheel, d *device) timer {
	return wheelTimer{t: wheel.Alloc(func(timerwheel.Timer) { d.poll() }), shared: d.shared}
}

// arm need not look at the error: that the timer refuses when it is being
// deleted is the very point.
func (w wheelTimer) arm(d time.Duration) { w.t.Register(d) }

// del deletes a timer that only its handler adds again by DelSync: while it
// waits, that is refused, and afterwards there is no handler. Where somebody
// else adds it, too, Shutdown also forbids that for the time after.
func (w wheelTimer) del() {
	if w.shared {
		w.t.ShutdownSync()
	} else {
		w.t.DelSync()
	}
}

func (w wheelTimer) remove() bool { return w.t.Stop() }
func (w wheelTimer) free()        { w.t.Free() }
