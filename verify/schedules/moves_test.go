//go:build schedules

package schedules

import (
	"time"

	"github.com/seed76848005/timerwheel"
)

// Moves to a later time, which take no lock, against whatever begins, ends or moves the timer.
var moves = []scenario{
	{name: "a move against the begin", ticks: 1, sees: []string{"moved", "too late"}, setUp: moveAgainstBegin},
	{name: "two moves at once", ticks: 1, sees: []string{"moved"}, setUp: moveAgainstMove},
	{name: "a move against one to an earlier time", ticks: 1, sees: []string{"moved"}, setUp: moveAgainstEarlier},
	{name: "a move against a deletion", ticks: 1, sees: []string{"moved", "too late"}, setUp: moveAgainstDeletion},
	{name: "a move against a group's deletion", sees: []string{"moved", "too late"}, setUp: moveAgainstGroup},
	{name: "a move against the next tenant", ticks: 1, sees: []string{"moved", "too late", "replaced"}, setUp: moveAgainstTenant},
	{name: "a move against a chunk that is given back", sees: []string{"moved", "too late"}, setUp: moveAgainstGiveBack},
	{name: "a move against Touch", ticks: 1, sees: []string{"moved", "touched"}, setUp: moveAgainstTouch},
	{name: "a move against Close", sees: []string{"moved", "too late", "ran", "dropped"}, setUp: moveAgainstClose},
	{name: "a move in line for a lock", ticks: 1, sees: []string{"moved", "too late"}, setUp: moveInLine},
}

// A movedProbe is the probe of a timer whose word is open.
type movedProbe struct {
	*probe
	due time.Time // the latest deadline of the moves that have returned true
}

// movable makes a timer with one owner, and opens its word: it is due after d.
func (x *world) movable(d time.Duration) *movedProbe {
	p, handler := x.movedProbe()
	p.t = x.w.Alloc(handler)
	p.openFor(d)
	return p
}

func (x *world) movedProbe() (*movedProbe, func(timerwheel.Timer)) {
	p := new(movedProbe)
	var handler func(timerwheel.Timer)
	p.probe, handler = x.probe("the timer", func(*probe) {
		x.check(!p.at.Before(p.due), "it began at %v, and was moved to %v", p.at, p.due)
	})
	return p, handler
}

func (p *movedProbe) openFor(d time.Duration) {
	p.due = p.w.Now().Add(d)
	for range 2 {
		p.check(p.t.Register(d) == nil, "Register")
	}
}

// move moves the timer, if it is pending. If that takes effect, it returns in the same step.
func (p *movedProbe) move(d time.Duration) bool {
	to, begun := p.w.Now().Add(d), p.begun
	if !p.t.Move(d) {
		p.saw("too late")
		return false
	}
	p.saw("moved")
	p.check(p.begun == begun, "a move is true, and the handler has begun before it returned")
	if to.After(p.due) {
		p.due = to
	}
	return true
}

func (p *movedProbe) mover(d time.Duration) { p.actor("the mover", func() { p.move(d) }) }

// mustRunOnce checks at the end that the timer has run once, in time, though the clock may have moved by
// some ticks while a goroutine could go on.
func (p *movedProbe) mustRunOnce(ticks int) {
	p.atEnd(func() {
		p.check(p.begun == 1, "it ran %d times", p.begun)
		p.check(!p.at.After(p.due.Add(time.Duration(2+ticks)*tick)), "it began at %v, and was moved to %v", p.at, p.due)
	})
}

// The time of the timer has come.
func moveAgainstBegin(x *world) {
	p := x.movable(tick)
	x.sleep()
	p.mover(3 * tick)
	p.mustRunOnce(1)
}

// Of two moves at once, one comes last; the timer runs once, at the time of the one or of the other.
func moveAgainstMove(x *world) {
	p := x.movable(2 * tick)
	for _, d := range []time.Duration{3 * tick, 4 * tick} {
		x.actor("a mover", func() {
			if p.t.Move(d) {
				x.saw("moved")
			}
		})
	}
	x.atEnd(func() { x.check(p.begun == 1, "it ran %d times", p.begun) })
}

// A move to an earlier time takes the lock: it counts if it comes last.
func moveAgainstEarlier(x *world) {
	p := x.movable(3 * tick)
	p.due = x.w.Now().Add(tick)
	x.actor("the mover", func() {
		if p.t.Move(4 * tick) {
			x.saw("moved")
		}
	})
	x.actor("the registerer", func() { x.check(p.t.Register(tick) == nil, "Register") })
	x.atEnd(func() { x.check(p.begun >= 1 && p.begun <= 2, "it ran %d times", p.begun) })
}

// After a deletion no move is true, and the timer does not run.
func moveAgainstDeletion(x *world) {
	p := x.movable(tick)
	x.sleep()
	deleted := false
	x.actor("the deleter", func() {
		p.delSync()
		deleted = true
		x.check(!p.t.Pending() && !p.t.Running(), "it is pending, or runs, after its deletion")
	})
	x.actor("the mover", func() {
		after := deleted
		moved := p.move(3 * tick)
		x.check(!after || !moved, "a move is true after the deletion")
	})
}

// A group's deletion walks through its members.
func moveAgainstGroup(x *world) {
	g := x.w.NewGroup()
	p, handler := x.movedProbe()
	p.t = g.Alloc(handler)
	p.openFor(time.Hour)
	deleted := false
	x.actor("the deleter", func() {
		_, err := g.ShutdownSync()
		x.check(err == nil, "ShutdownSync: %v", err)
		deleted = true
	})
	x.actor("the mover", func() {
		after := deleted
		moved := p.move(2 * time.Hour)
		x.check(!after || !moved, "a move is true after the deletion")
	})
	x.atEnd(func() { x.check(p.begun == 0 && !p.t.Pending(), "it ran, or is pending") })
}

// The timer is deleted and freed, and its record gets a tenant, whose word is open, too.
func moveAgainstTenant(x *world) {
	p := x.movable(time.Hour)
	tenant, handler := x.movedProbe()
	freed := false
	x.actor("the owner", func() {
		p.t.Del()
		x.check(p.t.Free() == nil, "Free")
		freed = true
		tenant.t = x.w.Alloc(handler)
		tenant.openFor(2 * tick)
		if replaced(p.t, tenant.t) {
			x.saw("replaced")
		}
	})
	x.actor("the mover", func() {
		after := freed
		moved := p.move(2 * time.Hour)
		x.check(!after || !moved, "a move through a stale handle is true")
	})
	tenant.mustRunOnce(1)
}

// A RegisterIdle makes the timer an idle one: then it is moved under the lock only.
func moveAgainstTouch(x *world) {
	p := x.movable(3 * tick)
	x.actor("the registerer", func() {
		x.check(p.t.RegisterIdle(3*tick) == nil, "RegisterIdle")
		if p.t.Touch() {
			x.saw("touched")
		}
	})
	x.actor("the mover", func() {
		if p.t.Move(4 * tick) {
			x.saw("moved")
		}
	})
	x.atEnd(func() { x.check(p.begun == 1, "it ran %d times", p.begun) })
}

func moveAgainstClose(x *world) {
	x.movable(tick).closesAgainstMove()
}

// closesAgainstMove closes the wheel when the timer is due, while another actor moves it.
func (p *movedProbe) closesAgainstMove() {
	p.sleep()
	p.sleep()
	p.mover(3 * tick)
	p.closes(p.probe)
	p.atEnd(func() { p.ranOrDropped(p.probe) })
}

// The worker waits for the lock of the timer when that is moved.
func moveInLine(x *world) {
	l := &mutex{director: x.director}
	p, handler := x.movedProbe()
	p.t = x.w.AllocLocked(l, handler)
	p.openFor(tick)
	x.sleep()
	x.actor("the owner of the lock", func() {
		l.Lock()
		x.check(!p.t.Running(), "it runs under a lock that another holds")
		l.Unlock()
	})
	p.mover(4 * tick)
	p.mustRunOnce(1)
}

// The timer, and all that are with it in its chunk, go while it is moved, and others take their places. None of
// those is moved.
func moveAgainstGiveBack(x *world) {
	const chunk = 256 // records
	make := func(n int) (made []timerwheel.Timer) {
		for range n {
			tm := x.w.Alloc(func(timerwheel.Timer) {})
			for range 2 {
				x.check(tm.Register(time.Hour) == nil, "Register")
			}
			made = append(made, tm)
		}
		return made
	}
	old := make(2 * chunk)
	p := x.movable(time.Hour)
	gone := false
	var tenants []timerwheel.Timer
	x.actor("the owner", func() {
		x.aside(func() {
			for _, tm := range append(old, p.t) {
				tm.Del()
				x.check(tm.Free() == nil, "Free")
			}
			gone = true
			tenants = make(4 * chunk)
		})
	})
	x.actor("the mover", func() {
		before := gone
		x.check(!p.move(2*time.Hour) || !before, "a stale handle has moved a timer")
	})
	x.atEnd(func() {
		x.check(p.begun == 0, "it ran")
		for _, tm := range tenants {
			at, pending := tm.When()
			x.check(pending && at.Sub(x.w.Now()) <= time.Hour, "another's timer was moved to %v", at)
		}
	})
}
