//go:build schedules

package schedules

import (
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/internal/own"
)

// The library's own firings need no worker: handlers may wait for them, and Close hands them
// over.
var ownFirings = []scenario{
	{name: "the only worker waits for an own firing", options: timerwheel.Options{MaxWorkers: 1}, sees: []string{"fired"}, setUp: workerWaitsForOwn},
	{name: "no wake-up is lost for own firings", ticks: 1, sees: []string{"fired"}, setUp: noWakeUpLostForOwn},
	{name: "an own firing against its deletion", ticks: 1, sees: []string{"fired", "removed"}, setUp: ownAgainstDeletion},
	{name: "Close against a handler that waits for an own firing", ticks: 1, brief: true, sees: []string{"fired", "handed over"}, setUp: closeAgainstOwn},
}

// An ownFiring is an own firing under observation.
type ownFiring struct {
	own.Firing
	x     *world
	fired int
}

func (x *world) ownFiring() *ownFiring {
	o := &ownFiring{x: x}
	o.Owner = o
	return o
}

func (o *ownFiring) arm(d time.Duration) timerwheel.Timer {
	t := o.x.w.AfterFuncArg(d, own.Fire, &o.Firing)
	if t == (timerwheel.Timer{}) {
		o.HandOver(d, true)
	}
	return t
}

func (o *ownFiring) Fire() {
	o.x.saw("fired")
	o.happens()
}

func (o *ownFiring) HandOver(left time.Duration, _ bool) {
	o.x.saw("handed over")
	time.AfterFunc(left, o.happens)
}

func (o *ownFiring) happens() {
	o.x.check(o.fired == 0, "an own firing happens twice")
	o.fired++
}

// await waits for the firing, in a handler.
func (o *ownFiring) await() { o.x.Until("an own firing", func() bool { return o.fired > 0 }) }

// waitsForOwn makes a timer whose handler waits for an own firing.
func (x *world) waitsForOwn(name string, d time.Duration) *probe {
	o := x.ownFiring()
	return x.timer(name, func(*probe) {
		o.arm(d)
		o.await()
	})
}

// A handler waits for an own firing, another timer is in line, and there is one worker.
func workerWaitsForOwn(x *world) {
	first, second := x.waitsForOwn("the first timer", tick), x.timer("the second timer", nil)
	first.register(0)
	x.until("the handler's begin", first.runs)
	x.actor("the registerer", func() { second.register(0) })
	x.mustEnd(first, second)
}

// Two actors arm for different times: one an own firing, the other a timer.
func noWakeUpLostForOwn(x *world) {
	o, p := x.ownFiring(), x.timer("the timer", nil)
	x.actor("the armer", func() { o.arm(tick) })
	x.actor("the registerer", func() { p.register(2 * tick) })
	x.atEnd(func() { x.check(o.fired == 1 && p.ended == 1, "a wake-up was lost") })
}

// The deletion removes the firing, or it happens.
func ownAgainstDeletion(x *world) {
	o, other := x.ownFiring(), x.ownFiring()
	t := o.arm(tick)
	other.arm(tick)
	removed := false
	x.actor("the deleter", func() {
		if removed = t.Stop(); removed {
			x.saw("removed")
		}
	})
	x.atEnd(func() { x.check(removed == (o.fired == 0) && other.fired == 1, "%v, and %d firings", removed, o.fired) })
}

// Close ends although a handler waits for the wheel, whether it has armed the firing before or
// arms it afterwards.
func closeAgainstOwn(x *world) {
	p := x.waitsForOwn("the timer", tick)
	p.register(0)
	x.until("the handler's begin", p.runs)
	x.closes(p)
	x.mustEnd(p)
}
