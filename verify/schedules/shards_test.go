//go:build schedules

package schedules

import (
	"errors"
	"math"
	"reflect"
	"time"

	"github.com/seed76848005/timerwheel"
)

// A wheel of two shards. A worker, and Close, look at one after the other, and never hold both locks: so a
// shard may change after the look at it, and before.
var twoShards = []scenario{
	{name: "a Register in the shard that the wheel has looked at", shards: 2, sees: []string{"while it looks"}, setUp: lookedAtFirst(registerWhileItLooks)},
	{name: "a Register in the shard that the wheel looks at last", shards: 2, sees: []string{"while it looks"}, setUp: lookedAtLast(registerWhileItLooks)},
	{name: "a Register in one shard while the other is passed over", shards: 2, sees: []string{"while it looks"}, setUp: registerWhileOtherIsPassedOver},
	{name: "a start in the shard that the wheel has looked at", shards: 2, brief: true, sees: []string{"started", "while it looks"}, setUp: lookedAtFirst(startWhileItLooks)},
	{name: "a start in the shard that the wheel looks at last", shards: 2, brief: true, sees: []string{"started", "while it looks"}, setUp: lookedAtLast(startWhileItLooks)},
	{name: "Registers in two shards", shards: 2, ticks: 1, setUp: registersInTwoShards},
	{name: "two workers leave, one in each shard", shards: 2, brief: true, sees: []string{"while it looks"}, setUp: twoWorkersLeave},
	{name: "a stop drains a shard while the other is due", shards: 2, brief: true, sees: []string{"stopped"}, setUp: stopWhileOtherIsDue},
	{name: "a move while the wheel wakes for the other shard", shards: 2, sees: []string{"moved"}, setUp: moveWhileOtherWakes},
	{name: "one worker, and two shards", shards: 2, ticks: 1, brief: true, options: timerwheel.Options{MaxWorkers: 1}, setUp: otherBecomesDue},
	{name: "two workers, and two shards", shards: 2, ticks: 1, brief: true, options: timerwheel.Options{MaxWorkers: 2}, setUp: otherBecomesDue},
	{name: "handlers of two shards wait for each other's begin", shards: 2, options: timerwheel.Options{MaxWorkers: 2}, setUp: handlersMeet},
	{name: "mutual DelSync in two shards", shards: 2, setUp: mutualInTwoShards},
	{name: "mutual DelSync of two groups", shards: 2, setUp: mutualOfGroups},
	{name: "Close against a Register in the second shard", shards: 2, sees: []string{"registered", "closed"}, setUp: closeAgainstRegisterInSecond},
	{name: "Close against a start in the second shard", shards: 2, sees: []string{"started", "closed"}, setUp: closeAgainstStartInSecond},
	{name: "Close against a move in the second shard", shards: 2, sees: []string{"moved", "too late", "ran", "dropped"}, setUp: closeAgainstMoveInSecond},
	{name: "a line of timers of two shards", shards: 2, setUp: lineOfTwoShards},
	{name: "a line whose first goes to its end, and whose next is in the other shard", shards: 2, brief: true, options: timerwheel.Options{MaxWorkers: 2}, sees: []string{"moved", "too late"}, setUp: firstGoesToTheEnd},
}

// inTwoShards makes a group in each shard: first in the one that is looked at first.
func (x *world) inTwoShards() (first, second *timerwheel.Group) {
	second, first = x.w.NewGroup(), x.w.NewGroup()
	x.check(shardOf(first) == 0 && shardOf(second) == 1, "the groups are in the shards %d and %d", shardOf(first), shardOf(second))
	return first, second
}

func shardOf(g *timerwheel.Group) uint64 {
	return reflect.ValueOf(g).Elem().FieldByName("sh").Elem().FieldByName("no").Uint()
}

// looks reports whether the wheel has a goroutine, and the alarm is off: that one has yet to set it.
func (x *world) looks() bool {
	w := reflect.ValueOf(x.w).Elem()
	at := w.FieldByName("alarm").Elem().FieldByName("at").FieldByName("v")
	return w.FieldByName("members").Len() > 0 && at.Int() == math.MaxInt64
}

func (x *world) sawIfItLooks() {
	if x.looks() {
		x.saw("while it looks")
	}
}

// member makes a timer of a group, with one owner.
func (x *world) member(g *timerwheel.Group, name string, script func(*probe)) *probe {
	p, handler := x.probe(name, script)
	p.t = g.Alloc(handler)
	return p
}

// running makes a timer of a group, and its handler begins.
func (x *world) running(g *timerwheel.Group) *probe {
	p := x.member(g, "the timer that runs", nil)
	p.register(0)
	x.until("the handler's begin", p.runs)
	return p
}

// mustRunIn checks at the end that a timer that is registered for d from now has run once, and in time,
// though the clock may have moved by some ticks while a goroutine could go on.
func (p *probe) mustRunIn(d time.Duration, ticks int) {
	due := p.w.Now().Add(d)
	p.atEnd(func() {
		p.check(p.ended == 1, "%s ran %d times", p.name, p.ended)
		p.check(!p.at.After(due.Add(time.Duration(2+ticks)*tick)), "%s began at %v, and was due at %v", p.name, p.at, due)
	})
}

// lookedAtFirst sets up a scenario of a busy shard and another one. The wheel looks at the other one first.
func lookedAtFirst(scenario func(x *world, busy, other *timerwheel.Group)) func(*world) {
	return func(x *world) {
		first, second := x.inTwoShards()
		scenario(x, second, first)
	}
}

// lookedAtLast is lookedAtFirst, but the wheel looks at the other one last.
func lookedAtLast(scenario func(x *world, busy, other *timerwheel.Group)) func(*world) {
	return func(x *world) {
		first, second := x.inTwoShards()
		scenario(x, first, second)
	}
}

// The wheel falls asleep when the handler of one shard has ended: there is something in both, for a time that
// would be too late for the timer that is registered in the other.
func registerWhileItLooks(x *world, busy, other *timerwheel.Group) {
	x.running(busy)
	for _, g := range []*timerwheel.Group{busy, other} {
		far := x.member(g, "a far timer", nil)
		far.register(4 * tick)
		x.mustEnd(far)
	}
	registersNear(x, other)
}

func registersNear(x *world, g *timerwheel.Group) {
	near := x.member(g, "the near timer", nil)
	x.actor("the registerer", func() {
		x.sawIfItLooks()
		near.register(tick)
	})
	near.mustRunIn(tick, 0)
}

// Nothing pends in the shard of the handler any more, and so wake-ups shall not look at it when this one has;
// but they shall look at the other one.
func registerWhileOtherIsPassedOver(x *world) {
	first, second := x.inTwoShards()
	last := x.member(first, "the last timer", nil)
	last.register(time.Hour)
	x.running(first)
	x.check(last.t.Stop(), "Stop")
	registersNear(x, second)
}

// inOneLane makes two timers of one lane: one that pends, and one that is parked.
func (c *parkedCounts) inOneLane(x *world, g *timerwheel.Group, d time.Duration) (pends, parked *parkedProbe) {
	pends = c.stoppableOf(x, time.Hour, g.Alloc)
	for range 7 {
		g.Alloc(func(timerwheel.Timer) {})
	}
	parked = c.stoppableOf(x, d, g.Alloc)
	x.check(parked.t.Stop(), "Stop")
	return pends, parked
}

// The last timer of the shard is stopped when the wheel falls asleep, and the parked one is started: without
// the lock, or as the first one in a shard that wake-ups pass over.
func startWhileItLooks(x *world, busy, other *timerwheel.Group) {
	c := new(parkedCounts) // without the watch, which takes most of the time
	pends, p := c.inOneLane(x, other, 2*tick)
	runs := c.idle(x, busy.Alloc)
	runs.register(0)
	x.until("the handler's begin", runs.runs)
	c.begins(x)
	x.actor("the stopper", func() { x.check(pends.stop(), "Stop") })
	x.actor("the starter", func() {
		x.sawIfItLooks()
		x.check(p.start(2*tick) == nil, "Register")
	})
	p.ranTimes(x, 0, once)
}

// Two actors register, each in a shard of its own. Wake-ups look at neither before.
func registersInTwoShards(x *world) {
	first, second := x.inTwoShards()
	near, far := x.member(first, "the near timer", nil), x.member(second, "the far timer", nil)
	x.actor("the far registerer", func() { far.register(2 * tick) })
	x.actor("the near registerer", func() { near.register(tick) })
	near.mustRunIn(tick, 1)
	far.mustRunIn(2*tick, 1)
}

// Both workers look at both shards, and either may set the alarm last.
func twoWorkersLeave(x *world) {
	first, second := x.inTwoShards()
	x.running(first)
	x.running(second)
	registersNear(x, second)
}

// The last timer of one shard is stopped when those of the other are due, and another one comes.
func stopWhileOtherIsDue(x *world) {
	first, second := x.inTwoShards()
	c := new(parkedCounts) // without the watch, which takes most of the time
	last := c.stoppableOf(x, 4*tick, first.Alloc)
	due := c.stoppableOf(x, tick, second.Alloc)
	comes := c.idle(x, first.Alloc)
	x.sleep()
	c.begins(x)
	x.actor("the stopper", func() { x.check(last.stop(), "Stop") })
	x.actor("the registerer", func() { comes.register(tick) })
	comes.mustRunIn(tick, 0)
	due.ranTimes(x, 0, once)
	last.ranTimes(x, 0, never)
}

// The bucket from which the timer is moved is the next one after that of the other shard.
func moveWhileOtherWakes(x *world) {
	first, second := x.inTwoShards()
	p, handler := x.movedProbe()
	p.t = first.Alloc(handler)
	p.openFor(2 * tick)
	wakes := x.member(second, "the timer for which it wakes", nil)
	wakes.register(tick)
	x.sleep()
	p.mover(3 * tick)
	p.mustRunOnce(0)
	wakes.mustRunIn(0, 0)
}

// A worker drains one shard, and the other becomes due.
func otherBecomesDue(x *world) {
	first, second := x.inTwoShards()
	x.running(first)
	here, there := x.member(first, "the timer in its shard", nil), x.member(second, "the timer in the other shard", nil)
	x.actor("the registerer", func() {
		here.register(0)
		there.register(tick)
	})
	here.mustRunIn(0, 1)
	there.mustRunIn(tick, 1)
}

// Each handler ends only after the other has begun: before a worker runs the first, it must bring another
// worker to the other shard.
func handlersMeet(x *world) {
	first, second := x.inTwoShards()
	var one, other *probe
	one = x.member(first, "one", func(*probe) { x.Until("the other", begun(other)) })
	other = x.member(second, "the other", func(*probe) { x.Until("the one", begun(one)) })
	x.actor("a registerer", func() { one.register(0) })
	x.actor("the other registerer", func() { other.register(0) })
	x.mustEnd(one, other)
}

// The locks of the shards keep no deletion from looking for a circle while another is about to wait.
func mutualInTwoShards(x *world) {
	first, second := x.inTwoShards()
	probes, refused := x.circleOf([]allocate{first.Alloc, second.Alloc}, "one", "the other")
	x.until("that both run", begun(probes...))
	x.mustEnd(probes...)
	x.atEnd(func() { x.check(*refused == 1, "%d calls were refused", *refused) })
}

// Each handler deletes the group of the other.
func mutualOfGroups(x *world) {
	first, second := x.inTwoShards()
	var one, other *probe
	refused := 0
	deletes := func(g *timerwheel.Group, p **probe) func(*probe) {
		return func(*probe) {
			x.Until("that both run", func() bool { return begun(one, other)() })
			_, err := (*p).deletion(g.DelSync)
			if errors.Is(err, timerwheel.ErrDeadlock) {
				refused++
			} else {
				x.check(err == nil, "Group.DelSync: %v", err)
			}
		}
	}
	one = x.member(first, "one", deletes(second, &other))
	other = x.member(second, "the other", deletes(first, &one))
	one.register(0)
	other.register(0)
	x.until("that both run", begun(one, other))
	x.mustEnd(one, other)
	x.atEnd(func() { x.check(refused == 1, "%d calls were refused", refused) })
}

// Close closes the first shard, and then the second.
func closeAgainstRegisterInSecond(x *world) {
	first, second := x.inTwoShards()
	x.member(first, "a timer of the first shard", nil).register(time.Hour)
	p := x.member(second, "the timer", nil)
	closed := x.closes(p)
	x.actor("the registerer", func() {
		late := *closed
		if err := p.register(0); err == nil {
			x.saw("registered")
			x.check(!late, "registered after Close")
		} else {
			x.saw("closed")
			x.check(errors.Is(err, timerwheel.ErrClosed), "Register: %v", err)
		}
	})
}

func closeAgainstStartInSecond(x *world) {
	first, second := x.inTwoShards()
	c := x.parkedWorld()
	c.stoppableOf(x, time.Hour, first.Alloc)
	_, p := c.inOneLane(x, second, time.Hour)
	c.closesAgainstStart(x, p)
}

func closeAgainstMoveInSecond(x *world) {
	first, second := x.inTwoShards()
	x.member(first, "a timer of the first shard", nil).register(time.Hour)
	p, handler := x.movedProbe()
	p.t = second.Alloc(handler)
	p.openFor(tick)
	p.closesAgainstMove()
}

// A worker comes for a lock, and may leave its line, when another comes upon a timer of the other shard for
// that line.
func lineOfTwoShards(x *world) {
	first, second := x.inTwoShards()
	_, a, b := oneLockOf(x, first, second, nil, func(a *probe) {
		x.check(a.ended == 1, "the second runs before the first, or beside it")
	})
	x.mustEnd(a, b)
}

// Two timers stand in line behind the one that runs. The first of them is registered anew, perhaps when the
// worker has seen that it is the first, and has yet to lock its shard: then it stands behind the other.
func firstGoesToTheEnd(x *world) {
	first, second := x.inTwoShards()
	standInLine, moved := false, false
	var last *probe
	l, a, next := oneLockOf(x, first, second, func(*probe) {
		x.Until("the others stand in line", func() bool { return standInLine })
	}, func(*probe) {
		x.check(!moved || last.ended == 1, "it has left the line, and runs before the one that has not")
	})
	last, handler := x.probe("the last", func(*probe) { x.check(!next.runs(), "both run at once") })
	last.t = first.AllocLocked(l, handler)
	x.settle()
	last.register(0)
	x.settle()
	standInLine = true
	x.actor("the registerer", func() {
		if moved = next.t.Reset(0); moved {
			x.saw("moved")
		} else {
			x.saw("too late")
		}
	})
	x.mustEnd(a, last)
	x.atEnd(func() {
		x.check((next.begun == 1) == moved, "it was moved: %v, and it ran %d times", moved, next.begun)
	})
}
