package main

import (
	"time"

	"github.com/seed76848005/timerwheel"
)

// A stdTimer is the timer of the left column.
type stdTimer struct{ t *time.Timer }

func newStdTimer(d *device) timer {
	t := time.AfterFunc(time.Hour, d.poll) // the only way to make a timer that is not armed,
	t.Stop()                               // because time has no Alloc
	return stdTimer{t}
}

func (s stdTimer) arm(d time.Duration) { s.t.Reset(d) }
func (s stdTimer) del()                { s.t.Stop() }
func (s stdTimer) remove() bool        { return s.t.Stop() }
func (s stdTimer) free()               {}

// A wheelTimer is the timer of the right column.
type wheelTimer struct {
	t      timerwheel.Timer
	shared bool
}

func newWheelTimer(wheel *timerwheel.Wheel, d *device) timer {
	return wheelTimer{t: wheel.Alloc(func(timerwheel.Timer) { d.poll() }), shared: d.shared}
}

// arm ignores the error: the timer is supposed to refuse while it is being deleted.
func (w wheelTimer) arm(d time.Duration) { w.t.Register(d) }

// del uses DelSync for a timer that only its handler adds again. While DelSync waits, the
// timer refuses that, and afterwards no handler runs. If a third party adds the timer,
// too, del uses ShutdownSync, which also refuses that afterwards.
func (w wheelTimer) del() {
	if w.shared {
		w.t.ShutdownSync()
	} else {
		w.t.DelSync()
	}
}

func (w wheelTimer) remove() bool { return w.t.Stop() }
func (w wheelTimer) free()        { w.t.Free() }
