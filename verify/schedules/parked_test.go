//go:build schedules

package schedules

import (
	"errors"
	"reflect"
	"time"

	"github.com/seed76848005/timerwheel"
)

// Timers that are stopped in their places, and started there again, without the lock (rule 12). In every
// state in which no lock is held, the counters agree, and the invariants hold.
var parked = []scenario{
	{name: "a stop against the begin", ticks: 1, sees: []string{"stopped", "too late"}, setUp: stopAgainstBegin},
	{name: "a stop against the last Free", ticks: 1, sees: []string{"stopped", "replaced"}, setUp: stopAgainstFree},
	{name: "a stop against the next tenant", ticks: 1, sees: []string{"stopped", "too late", "replaced"}, setUp: stopAgainstTenant},
	{name: "a stop against an earlier Register", ticks: 1, sees: []string{"stopped", "ran"}, setUp: stopAgainstEarlier},
	{name: "a stop against a later Register", ticks: 1, sees: []string{"stopped", "ran"}, setUp: stopAgainstLater},
	{name: "a stop against DelSync", sees: []string{"stopped", "too late"}, setUp: stopAgainstDelSync},
	{name: "a stop against Shutdown", sees: []string{"stopped", "too late"}, setUp: stopAgainstShutdown},
	{name: "a stop against Close", sees: []string{"stopped", "too late"}, setUp: stopAgainstClose},
	{name: "a stop against calls that look", ticks: 1, sees: []string{"stopped", "looked"}, setUp: stopAgainstWhen},
	{name: "two stops at once", sees: []string{"stopped", "too late"}, setUp: twoStops},
	{name: "a start against the bucket's end", ticks: 1, sees: []string{"started"}, setUp: startAgainstBucket},
	{name: "a start against the next tenant", ticks: 1, sees: []string{"started", "stale", "replaced"}, setUp: startAgainstTenant},
	{name: "a start against Shutdown", sees: []string{"started", "refused for ever"}, setUp: startAgainstShutdown},
	{name: "a start against a group's deletion", sees: []string{"started", "refused"}, setUp: startAgainstGroup},
	{name: "a start against a group's shutdown", sees: []string{"started", "refused for ever"}, setUp: startAgainstGroupShutdown},
	{name: "a start against Close", sees: []string{"started", "closed"}, setUp: startAgainstClose},
	{name: "two starts at once", ticks: 1, sees: []string{"started"}, setUp: twoStarts},
	{name: "a start that is taken back", sees: []string{"started", "refused for ever"}, setUp: startTakenBack},
	{name: "two stops drain a shard", setUp: stopsDrain},
	{name: "a start while two stops drain a shard", ticks: 1, setUp: startWhileStopsDrain},
	{name: "a start on a drained shard, with the alarm off", ticks: 1, setUp: startWithTheAlarmOff},
	{name: "a start on a drained shard", ticks: 1, setUp: startOnDrained},
	{name: "a stop while the ballast is dropped", setUp: stopWhileBallastIsDropped},
	{name: "a start while the ballast is dropped", ticks: 1, setUp: startWhileBallastIsDropped},
	{name: "a start while others are swept", ticks: 1, sees: []string{"started"}, setUp: startAgainstSweep},
}

// A parkedProbe is the probe of a timer that can be stopped in its place.
type parkedProbe struct {
	*movedProbe
	counts *parkedCounts
}

// parkedCounts count over all timers of a run.
type parkedCounts struct {
	before  timerwheel.Stats
	removed int            // deletions that found a firing
	probes  []*parkedProbe // all
	closed  bool           // what was pending counts as removed
}

// parkedWorld watches a run, from now on.
func (x *world) parkedWorld() *parkedCounts {
	c := &parkedCounts{}
	x.watch = func() {
		if len(x.owners) == 0 {
			s := x.w.Stats()
			x.check(s.Registered == s.Fired+s.Removed+uint64(s.Pending), "conservation: %+v", s)
		}
	}
	return c
}

// begins is the end of the preparations.
func (c *parkedCounts) begins(x *world) {
	c.before = x.w.Stats()
	x.atEnd(func() {
		s := x.w.Stats()
		fired, pending := 0, 0
		for _, p := range c.probes {
			fired += p.begun
			if p.t.Pending() {
				pending++
			}
		}
		x.check(s.Fired == uint64(fired), "%d have fired: %+v", fired, s)
		if !c.closed {
			x.check(s.Removed-c.before.Removed == uint64(c.removed), "%d were removed: %+v, and before %+v", c.removed, s, c.before)
			x.check(s.Pending >= pending && (s.Pending == 0) == !x.anchored(), "the shard is not known as drained, or not as occupied: %+v", s)
		}
	})
}

// anchored reports whether a shard of the wheel keeps it.
func (x *world) anchored() bool {
	anchors := reflect.ValueOf(x.w).Elem().FieldByName("alarm").Elem().FieldByName("anchors")
	for no := range anchors.Len() {
		if !anchors.Index(no).Field(0).IsNil() {
			return true
		}
	}
	return false
}

// stoppable makes a timer with one owner that is pending, and can be stopped without the lock.
func (c *parkedCounts) stoppable(x *world, d time.Duration) *parkedProbe {
	return c.stoppableOf(x, d, x.w.Alloc)
}

func (c *parkedCounts) stoppableOf(x *world, d time.Duration, alloc allocate) *parkedProbe {
	p := c.idle(x, alloc)
	p.openFor(d)
	return p
}

// idle makes a timer with one owner that has not been armed.
func (c *parkedCounts) idle(x *world, alloc allocate) *parkedProbe {
	p := &parkedProbe{counts: c}
	var handler func(timerwheel.Timer)
	p.movedProbe, handler = x.movedProbe()
	p.t = alloc(handler)
	c.probes = append(c.probes, p)
	return p
}

// stopped makes a timer with one owner that is parked.
func (c *parkedCounts) stopped(x *world, d time.Duration) *parkedProbe {
	p := c.stoppable(x, d)
	x.check(p.t.Stop(), "Stop")
	return p
}

// company makes timers that can be stopped, one in each lane: so the others need no lock.
func (c *parkedCounts) company(x *world) {
	for range 8 {
		c.stoppable(x, time.Hour)
	}
}

// stop stops the timer. If it takes effect, the handler has not begun, and will not.
func (p *parkedProbe) stop() bool {
	found := p.t.Del()
	if !found.Pending {
		p.saw("too late")
		return false
	}
	p.saw("stopped")
	p.counts.removed++
	return true
}

// start registers the timer.
func (p *parkedProbe) start(d time.Duration) error {
	to := p.w.Now().Add(d)
	err := p.register(d)
	switch {
	case err == nil:
		p.saw("started")
		if to.After(p.due) {
			p.due = to
		}
	case errors.Is(err, timerwheel.ErrShutdown):
		p.saw("refused for ever")
	case errors.Is(err, timerwheel.ErrClosed):
		p.saw("closed")
	}
	return err
}

// ranTimes checks at the end how often the timer has run, and that it was in time.
func (p *parkedProbe) ranTimes(x *world, ticks int, n func() int) {
	x.atEnd(func() {
		x.check(p.begun == n(), "it ran %d times, not %d", p.begun, n())
		x.check(p.begun == 0 || !p.at.After(p.due.Add(time.Duration(2+ticks)*tick)), "it began at %v, and was due at %v", p.at, p.due)
	})
}

func once() int  { return 1 }
func never() int { return 0 }

// as returns 1 if the condition holds when that is asked.
func as(is func() bool) func() int {
	return func() int {
		if is() {
			return 1
		}
		return 0
	}
}

// The time of the timer has come.
func stopAgainstBegin(x *world) {
	c := x.parkedWorld()
	p := c.stoppable(x, tick)
	c.company(x)
	x.sleep()
	c.begins(x)
	stopped := false
	x.actor("the stopper", func() {
		if found := p.delSync(); found.Pending {
			x.saw("stopped")
			x.check(p.begun == 0, "it was stopped, and had begun")
			stopped = true
			c.removed++
		} else {
			x.saw("too late")
		}
	})
	p.ranTimes(x, 1, as(func() bool { return !stopped }))
}

// In either order, the deletion takes the firing, and the record gets a tenant.
func stopAgainstFree(x *world) {
	c := x.parkedWorld()
	p := c.stoppable(x, time.Hour)
	c.company(x)
	tenant := &parkedProbe{counts: c}
	var handler func(timerwheel.Timer)
	tenant.movedProbe, handler = x.movedProbe()
	c.begins(x)
	x.actor("the owner", func() {
		x.check(p.t.Free() == nil, "Free")
		tenant.t = x.w.Alloc(handler)
		c.probes = append(c.probes, tenant)
		tenant.openFor(2 * tick)
		if replaced(p.t, tenant.t) {
			x.saw("replaced")
		}
	})
	x.actor("the stopper", func() { x.check(p.stop(), "the deletion finds nothing") })
	p.ranTimes(x, 1, never)
	tenant.ranTimes(x, 1, once)
	x.atEnd(func() { x.check(!p.t.Valid() && tenant.t.Valid(), "it still lives, or the tenant does not") })
}

// The timer is deleted and freed, which recycles it, and its record gets a tenant, which can be stopped, too.
func stopAgainstTenant(x *world) {
	c := x.parkedWorld()
	p := c.stoppable(x, time.Hour)
	c.company(x)
	tenant := &parkedProbe{counts: c}
	var handler func(timerwheel.Timer)
	tenant.movedProbe, handler = x.movedProbe()
	c.begins(x)
	freed := false
	x.actor("the owner", func() {
		p.stop()
		x.check(p.t.Free() == nil, "Free")
		freed = true
		tenant.t = x.w.Alloc(handler)
		c.probes = append(c.probes, tenant)
		tenant.openFor(2 * tick)
		if replaced(p.t, tenant.t) {
			x.saw("replaced")
		}
	})
	x.actor("the stopper", func() {
		after := freed
		x.check(!p.stop() || !after, "a stale handle has stopped a timer")
	})
	p.ranTimes(x, 1, never)
	tenant.ranTimes(x, 1, once)
}

func stopAgainstEarlier(x *world) { stopAgainstRegister(x, 3*tick, tick) }
func stopAgainstLater(x *world)   { stopAgainstRegister(x, 2*tick, 3*tick) }

// The timer runs if the Register comes last.
func stopAgainstRegister(x *world, from, to time.Duration) {
	c := x.parkedWorld()
	p := c.stoppable(x, from)
	c.company(x)
	c.begins(x)
	p.due = x.w.Now().Add(min(from, to))
	var stopped, armed, mustRun, mustNot bool
	x.actor("the stopper", func() {
		before := armed
		found := p.stop()
		stopped = true
		mustNot = before && found
	})
	x.actor("the registerer", func() {
		before := stopped
		x.check(p.t.Register(to) == nil, "Register")
		armed = true
		mustRun = before
	})
	x.atEnd(func() {
		x.check(!mustRun || p.begun == 1, "it was registered after its deletion, and ran %d times", p.begun)
		x.check(!mustNot || p.begun == 0, "it was deleted after its Register, and ran %d times", p.begun)
		x.check(p.begun <= 2 && !p.t.Pending(), "it ran %d times, or is pending", p.begun)
		if p.begun > 0 {
			x.saw("ran")
		}
	})
}

// One of the two finds the firing.
func stopAgainst(x *world, other func(p *parkedProbe) timerwheel.Found) {
	c := x.parkedWorld()
	p := c.stoppable(x, time.Hour)
	c.company(x)
	c.begins(x)
	x.actor("the stopper", func() { p.stop() })
	x.actor("the other", func() {
		if other(p).Pending {
			c.removed++
		}
		x.check(!p.t.Pending(), "it is pending after its deletion")
	})
	x.atEnd(func() { x.check(c.removed == 1, "%d deletions have found it", c.removed) })
}

func stopAgainstDelSync(x *world) {
	stopAgainst(x, func(p *parkedProbe) timerwheel.Found { return p.delSync() })
}

func stopAgainstShutdown(x *world) {
	stopAgainst(x, func(p *parkedProbe) timerwheel.Found {
		found := p.t.Shutdown()
		x.check(errors.Is(p.t.Register(time.Hour), timerwheel.ErrShutdown), "Register after Shutdown")
		return found
	})
}

// Who asks for the deadline learns of it, or that there is none.
func stopAgainstWhen(x *world) {
	c := x.parkedWorld()
	p := c.stoppable(x, 2*tick)
	c.company(x)
	c.begins(x)
	stopped := false
	x.actor("the stopper", func() { stopped = p.stop() })
	x.actor("the observer", func() {
		when, ok := p.t.When()
		x.check(!ok || when.Equal(p.due), "it is due at %v, and was registered for %v", when, p.due)
		if ok {
			x.saw("looked")
		}
		for t, when := range x.w.Timers() {
			x.check(t != p.t || when.Equal(p.due), "it is due at %v, and was registered for %v", when, p.due)
		}
	})
	p.ranTimes(x, 1, as(func() bool { return !stopped }))
}

func twoStops(x *world) { stopAgainst(x, func(p *parkedProbe) timerwheel.Found { return p.t.Del() }) }

// A deletion, or Close, takes each firing.
func stopAgainstClose(x *world) {
	c := x.parkedWorld()
	p := c.stoppable(x, time.Hour)
	c.stopped(x, time.Hour)
	c.begins(x)
	c.closed = true
	x.closes(p.probe)
	x.actor("the stopper", func() { p.stop() })
	x.atEnd(func() {
		s := x.w.Stats()
		x.check(s.Removed == c.before.Removed+1 && s.Registered == c.before.Registered, "%+v, and before %+v", s, c.before)
	})
}

// The bucket of a parked timer is emptied when that is registered for later.
func startAgainstBucket(x *world) {
	c := x.parkedWorld()
	p := c.stopped(x, tick)
	c.company(x)
	x.sleep()
	c.begins(x)
	x.actor("the starter", func() { x.check(p.start(3*tick) == nil, "Register") })
	x.actor("the observer", func() { p.t.When(); p.t.Pending() })
	p.ranTimes(x, 1, once)
}

// The Free of the last owner recycles a parked timer, or comes after a Register. The record's tenant can be
// stopped and started, too.
func startAgainstTenant(x *world) {
	c := x.parkedWorld()
	p := c.stopped(x, 2*tick)
	c.company(x)
	tenant := &parkedProbe{counts: c}
	var handler func(timerwheel.Timer)
	tenant.movedProbe, handler = x.movedProbe()
	c.begins(x)
	x.actor("the owner", func() {
		x.check(p.t.Free() == nil, "Free")
		tenant.t = x.w.Alloc(handler)
		c.probes = append(c.probes, tenant)
		tenant.openFor(2 * tick)
		x.check(tenant.stop(), "Stop of the tenant")
		if replaced(p.t, tenant.t) {
			x.saw("replaced")
		}
	})
	started := false
	x.actor("the starter", func() {
		err := p.start(3 * tick)
		started = err == nil
		x.check(started || errors.Is(err, timerwheel.ErrStale), "Register: %v", err)
	})
	p.ranTimes(x, 1, as(func() bool { return started }))
	tenant.ranTimes(x, 1, never)
}

// What is shut down does not run, and is not started again.
func startAgainstShutdown(x *world) {
	c := x.parkedWorld()
	p := c.stopped(x, tick)
	c.company(x)
	c.begins(x)
	down := false
	x.actor("the deleter", func() {
		if p.t.Shutdown().Pending {
			c.removed++
		}
		down = true
		x.check(!p.t.Pending(), "it is pending after its shutdown")
	})
	x.actor("the starter", func() {
		after := down
		err := p.start(2 * tick)
		x.check(err == nil && !after || errors.Is(err, timerwheel.ErrShutdown), "Register: %v", err)
	})
	p.ranTimes(x, 0, never)
}

// Another member runs, so that the deletion waits: all that time the parked member is refused.
func startAgainstGroup(x *world) { startAgainstMembers(x, (*timerwheel.Group).DelSync) }
func startAgainstGroupShutdown(x *world) {
	startAgainstMembers(x, (*timerwheel.Group).ShutdownSync)
}

func startAgainstMembers(x *world, del func(*timerwheel.Group) (timerwheel.Found, error)) {
	c := x.parkedWorld()
	g := x.w.NewGroup()
	p := c.stoppableOf(x, time.Hour, g.Alloc)
	x.check(p.t.Stop(), "Stop")
	c.company(x)
	runs := &parkedProbe{counts: c}
	var handler func(timerwheel.Timer)
	runs.movedProbe, handler = x.movedProbe()
	runs.t = g.Alloc(handler)
	c.probes = append(c.probes, runs)
	runs.register(0)
	x.until("the handler's begin", runs.runs)
	c.begins(x)
	deleted := false
	deleter := x.actor("the deleter", func() {
		found, err := del(g)
		x.check(err == nil, "the group's deletion: %v", err)
		if found.Pending {
			c.removed++
		}
		deleted = true
	})
	x.actor("the starter", func() {
		waited := deleter.waits()
		err := p.start(2 * time.Hour)
		x.check(!(waited && runs.runs() && err == nil), "it was registered while the group's deletion waited")
		x.check(err == nil || deleted || errors.Is(err, timerwheel.ErrDeleting) || errors.Is(err, timerwheel.ErrShutdown), "Register: %v", err)
	})
}

func startAgainstClose(x *world) {
	c := x.parkedWorld()
	p := c.stopped(x, time.Hour)
	c.company(x)
	c.closesAgainstStart(x, p)
}

// closesAgainstStart closes the wheel while another actor starts a timer that is parked.
func (c *parkedCounts) closesAgainstStart(x *world, p *parkedProbe) {
	c.begins(x)
	c.closed = true
	closed := x.closes(p.probe)
	started := uint64(0)
	x.actor("the starter", func() {
		late := *closed
		if p.start(time.Hour) == nil {
			started = 1
			x.check(!late, "registered after Close")
		}
	})
	x.atEnd(func() {
		s := x.w.Stats()
		x.check(s.Registered == c.before.Registered+started, "%d were started: %+v, and before %+v", started, s, c.before)
	})
}

// Of two Registers one starts the timer, and the other moves it.
func twoStarts(x *world) {
	c := x.parkedWorld()
	p := c.stopped(x, 2*tick)
	c.company(x)
	c.begins(x)
	p.due = x.w.Now().Add(2 * tick)
	for _, d := range []time.Duration{2 * tick, 3 * tick} {
		x.actor("a starter", func() {
			x.check(p.t.Register(d) == nil, "Register")
			x.saw("started")
		})
	}
	p.ranTimes(x, 2, once)
	x.atEnd(func() {
		s := x.w.Stats()
		x.check(s.Registered == c.before.Registered+1, "it became pending once: %+v, and before %+v", s, c.before)
	})
}

// A start has counted when the lane is emptied, as its last word has been parked before, and is taken back
// then, as the timer is shut down.
func startTakenBack(x *world) {
	c := x.parkedWorld()
	var lane [3]*parkedProbe // one lane has eight timers between two of its
	for k := range lane {
		for range 7 {
			x.w.Alloc(func(timerwheel.Timer) {})
		}
		lane[k] = c.stopped(x, time.Hour)
	}
	x.check(lane[0].t.Register(time.Hour) == nil, "Register")
	c.begins(x)
	x.actor("the stopper", func() {
		lane[0].stop()
		if lane[2].t.Shutdown().Pending {
			c.removed++
		}
	})
	x.actor("the registerer", func() { x.check(lane[1].start(time.Hour) == nil, "Register") })
	started := uint64(1)
	x.actor("the starter", func() {
		if lane[2].start(time.Hour) == nil {
			started++
		}
	})
	x.atEnd(func() {
		s := x.w.Stats()
		x.check(s.Registered == c.before.Registered+started, "%d were started: %+v, and before %+v", started, s, c.before)
	})
}

// Two timers of two lanes are all that is pending.
func stopsDrain(x *world) {
	c := x.parkedWorld()
	one, other := c.stoppable(x, 3*tick), c.stoppable(x, 3*tick)
	c.begins(x)
	x.actor("one stopper", func() { x.check(one.stop(), "Stop") })
	x.actor("the other stopper", func() { x.check(other.stop(), "Stop") })
	actors := len(x.actors)
	x.atEnd(func() {
		x.check(!x.anchored(), "nothing is pending, and the wheel is kept")
		x.check(len(x.actors) <= actors+1, "more than one wake-up was left over")
	})
}

// A third timer, of the lane of one of them, is registered then.
func startWhileStopsDrain(x *world) {
	c := x.parkedWorld()
	one, other := c.stoppable(x, time.Hour), c.stoppable(x, time.Hour)
	for range 6 {
		x.w.Alloc(func(timerwheel.Timer) {})
	}
	p := c.stopped(x, 2*tick)
	c.begins(x)
	x.actor("one stopper", func() { x.check(one.stop(), "Stop") })
	x.actor("the other stopper", func() { x.check(other.stop(), "Stop") })
	x.actor("the starter", func() { x.check(p.start(2*tick) == nil, "Register") })
	p.ranTimes(x, 1, once)
}

// Nothing is pending, and the alarm is off, or set for a later time than that of the parked timer's bucket.
func startOnDrained(x *world) {
	c := x.parkedWorld()
	p := c.stopped(x, tick)
	q := c.stopped(x, 3*tick)
	c.begins(x)
	x.actor("a starter", func() { x.check(p.start(2*tick) == nil, "Register") })
	x.actor("the other starter", func() { x.check(q.start(3*tick) == nil, "Register") })
	p.ranTimes(x, 1, once)
	q.ranTimes(x, 1, once)
}

// When the timer is started, the wheel has seen that nothing pends: it must be woken for the timer's bucket, in
// which the timer stays, though the deadline is later.
func startWithTheAlarmOff(x *world) {
	c := x.parkedWorld()
	p, before := c.stopped(x, 3*tick), c.stoppable(x, tick)
	x.until("the alarm is off", func() bool {
		return before.ended == 1 && len(x.owners) == 0 && x.w.Stats().Workers == 0
	})
	c.begins(x)
	x.actor("the starter", func() { x.check(p.start(3*tick) == nil, "Register") })
	x.actor("the observer", func() { p.t.Pending() })
	p.ranTimes(x, 1, once)
}

// ballast makes as many other timers as it takes for the lanes' ballast, and deletes all of them but one.
func (c *parkedCounts) ballast(x *world) (last timerwheel.Timer) {
	var others []timerwheel.Timer
	for range 64 {
		tm := x.w.Alloc(func(timerwheel.Timer) {})
		x.check(tm.Register(time.Hour) == nil, "Register")
		others = append(others, tm)
	}
	tm := c.stopped(x, time.Hour)
	x.check(tm.t.Register(time.Hour) == nil && tm.t.Stop(), "a Register and a Stop")
	for _, tm := range others[1:] {
		x.check(tm.Stop(), "Stop")
	}
	return others[0]
}

func stopWhileBallastIsDropped(x *world) {
	c := x.parkedWorld()
	one, other := c.stoppable(x, time.Hour), c.stoppable(x, time.Hour)
	last := c.ballast(x)
	c.begins(x)
	x.actor("one stopper", func() { x.check(one.stop(), "Stop") })
	x.actor("the other stopper", func() { x.check(other.stop(), "Stop") })
	x.actor("the deleter", func() {
		x.check(last.Stop(), "Stop")
		c.removed++
	})
	x.atEnd(func() { x.check(!x.anchored(), "nothing is pending, and the wheel is kept") })
}

// The last timer that is in no lane is moved into one, or deleted.
func startWhileBallastIsDropped(x *world) {
	c := x.parkedWorld()
	p := c.stopped(x, 2*tick)
	last := c.ballast(x)
	c.begins(x)
	x.actor("the starter", func() { x.check(p.start(2*tick) == nil, "Register") })
	x.actor("the mover", func() {
		x.check(last.Register(2*time.Hour) == nil, "Register")
		x.check(last.Stop(), "Stop")
		c.removed++
	})
	p.ranTimes(x, 1, once)
}

// Parked timers' bucket is emptied, and the worker takes off others that are parked.
func startAgainstSweep(x *world) {
	c := x.parkedWorld()
	c.stoppable(x, time.Hour)
	p := c.stopped(x, 3*tick)
	for range 3 {
		c.stopped(x, tick)
	}
	x.sleep()
	c.begins(x)
	x.actor("the starter", func() { x.check(p.start(3*tick) == nil, "Register") })
	p.ranTimes(x, 1, once)
}
