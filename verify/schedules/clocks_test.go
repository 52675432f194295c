//go:build schedules

package schedules

import (
	"errors"
	"time"

	"github.com/seed76848005/timerwheel"
)

// The alarm, and the clock of a host: no wake-up is lost, and at most one is left over.
var clocks = []scenario{
	{name: "no wake-up is lost", ticks: 1, setUp: noWakeUpLost},
	{name: "no wake-up is lost to a deletion", ticks: 1, setUp: noWakeUpLostToADeletion},
	{name: "one wake-up at most is left over", ticks: 1, setUp: oneWakeUpLeft},
	{name: "one wake-up at most is left over by another", ticks: 1, setUp: oneWakeUpLeftByAnother},
	{name: "all workers are at work", ticks: 1, options: timerwheel.Options{MaxWorkers: 1}, setUp: busyWorkers},
	{name: "a worker leaves while others register", setUp: workerLeaves},
	{name: "Advance takes turns", options: manual, sees: []string{"waited", "removed"}, setUp: advanceTakesTurns},
	{name: "a host that sleeps is told", options: manual, sees: []string{"told", "knows"}, setUp: hostIsTold},
	{name: "Close against Advance", options: manual, sees: []string{"closed", "advanced"}, setUp: closeAgainstAdvance},
}

// Two actors register for different times. The wheel must not miss either, no matter which
// actor sets the alarm last.
func noWakeUpLost(x *world) {
	near, far := x.timer("the near timer", nil), x.timer("the far timer", nil)
	x.actor("the far registerer", func() { far.register(2 * tick) })
	x.actor("the near registerer", func() { near.register(tick) })
	x.atEnd(func() { x.check(near.ended == 1 && far.ended == 1, "a wake-up was lost") })
}

// One timer is deleted, and another is registered, for which the first one's wake-up would
// have been early enough.
func noWakeUpLostToADeletion(x *world) {
	before, p := x.timer("the timer before it", nil), x.timer("the timer", nil)
	before.register(tick)
	x.actor("the deleter", func() { before.t.Del() })
	x.actor("the registerer", func() { p.register(2 * tick) })
	x.atEnd(func() { x.check(p.ended == 1, "a wake-up was lost") })
}

// When all timers are deleted, one goroutine of the wheel comes at most, and none after it.
func oneWakeUpLeft(x *world) {
	one, other := x.timer("one timer", nil), x.timer("the other timer", nil)
	disarm := func(p *probe) {
		p.register(3 * tick)
		p.t.Del()
	}
	x.actor("one actor", func() { disarm(one) })
	x.actor("the other actor", func() {
		disarm(other)
		other.t.Del()
	})
	x.oneGoroutineComes()
}

// oneGoroutineComes checks at the end that no more than one goroutine of the wheel has come, and that
// nothing keeps the wheel.
func (x *world) oneGoroutineComes() {
	actors := len(x.actors)
	x.atEnd(func() {
		x.check(len(x.actors) <= actors+1, "more than one wake-up was left over")
		x.check(!x.anchored(), "nothing is pending, and the wheel is kept")
	})
}

// The same, where one actor registers and another deletes. If the deletion comes first, the timer fires.
func oneWakeUpLeftByAnother(x *world) {
	p := x.timer("the timer", nil)
	armed := x.timer("a timer that is late", nil)
	armed.register(4 * tick)
	x.actor("the registerer", func() { p.register(3 * tick) })
	x.actor("the deleter", func() { p.t.Del() })
	x.actor("the other deleter", func() { armed.t.Del() })
	x.oneGoroutineComes()
}

// All workers are at work. When they leave they set the alarm for what is due.
func busyWorkers(x *world) {
	first := x.timer("the first timer", nil)
	first.register(0)
	x.until("the handler's begin", first.runs)
	second := x.timer("the second timer", nil)
	x.actor("the registerer", func() { second.register(0) })
	x.mustEnd(second)
}

// The worker has nothing more to do. When it leaves it sets the alarm.
func workerLeaves(x *world) {
	first := x.timer("the first timer", nil)
	first.register(0)
	x.until("the handler's begin", first.runs)
	near, far := x.timer("the near timer", nil), x.timer("the far timer", nil)
	x.actor("the far registerer", func() { far.register(2 * tick) })
	x.actor("the near registerer", func() { near.register(0) })
	x.atEnd(func() { x.check(near.ended == 1 && far.ended == 1, "a wake-up was lost") })
}

var manual = timerwheel.Options{Manual: true}

// Two hosts advance the wheel, and a timer is deleted.
func advanceTakesTurns(x *world) {
	p := x.timer("the timer", nil)
	p.register(tick)
	advance := func(d time.Duration) func() {
		to := x.w.Now().Add(d)
		return func() {
			_, err := x.w.Advance(to)
			x.check(err == nil, "Advance: %v", err)
		}
	}
	x.actor("one host", advance(tick))
	x.actor("the other host", advance(2*tick))
	x.actor("the deleter", func() {
		if p.delSync().Pending {
			x.saw("removed")
		}
	})
}

// A host asks Next, twice, while others register. If it has not been told since it began to ask
// the second time, it knows the next firing, and may sleep until then.
func hostIsTold(x *world) {
	told := 0
	w, err := timerwheel.New(timerwheel.Options{Manual: true, OnNext: func(time.Time) { told++ }})
	x.check(err == nil && x.w.Close() == nil, "New: %v", err)
	x.w = w
	near, far := x.timer("the near timer", nil), x.timer("the far timer", nil)
	x.actor("the near registerer", func() { near.register(tick) })
	x.actor("the far registerer", func() { far.register(2 * tick) })
	var before int
	var knows time.Time
	var pends bool
	x.actor("the host", func() {
		for range 2 {
			before = told
			knows, pends = w.Next()
		}
	})
	x.atEnd(func() {
		if told > before {
			x.saw("told")
			return
		}
		x.saw("knows")
		next, ok := w.Next()
		x.check(ok && pends && !next.Before(knows), "the host sleeps until %v, %v, and Next is %v", knows, pends, next)
	})
}

func closeAgainstAdvance(x *world) {
	p := x.timer("the timer", nil)
	p.register(tick)
	to := x.w.Now().Add(tick)
	x.closes(p)
	x.actor("the host", func() {
		_, err := x.w.Advance(to)
		if err == nil {
			x.saw("advanced")
		} else {
			x.saw("closed")
			x.check(errors.Is(err, timerwheel.ErrClosed), "Advance: %v", err)
		}
	})
}
