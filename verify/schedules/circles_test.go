//go:build schedules

package schedules

import (
	"context"
	"errors"
	"slices"

	"github.com/seed76848005/timerwheel"
)

// Handlers that delete each other's timers. No call hangs, and only the call that would
// close a circle is refused.
var circles = []scenario{
	{name: "mutual DelSync", setUp: mutual},
	{name: "mutual DelSync, seen by a third", setUp: mutualAndThird},
	{name: "a circle of three", setUp: circleOfThree},
	{name: "a circle that is given up", sees: []string{"gave up", "circle", "waited"}, setUp: circleGivenUp},
	{name: "a circle through a group", setUp: circleThroughGroup},
}

// circle makes timers. The handler of each deletes the next one when all of them run.
func (x *world) circle(names ...string) (probes []*probe, refused *int) {
	return x.circleOf(slices.Repeat([]allocate{x.w.Alloc}, len(names)), names...)
}

// An allocate is the Alloc of a wheel, or of a group.
type allocate func(f func(timerwheel.Timer)) timerwheel.Timer

func (x *world) circleOf(allocs []allocate, names ...string) (probes []*probe, refused *int) {
	refused = new(int)
	for k, name := range names {
		p, handler := x.probe(name, func(*probe) {
			x.Until("the others", func() bool { return begun(probes...)() })
			next := probes[(k+1)%len(probes)]
			if _, err := next.deletion(next.t.DelSync); errors.Is(err, timerwheel.ErrDeadlock) {
				*refused++
			} else {
				x.check(err == nil, "DelSync: %v", err)
			}
		})
		p.t = allocs[k](handler)
		probes = append(probes, p)
	}
	for _, p := range probes {
		p.register(0)
	}
	return probes, refused
}

// mustEnd checks at the end that timers have run once, and that these runs have ended.
func (x *world) mustEnd(probes ...*probe) {
	x.atEnd(func() {
		x.check(!slices.ContainsFunc(probes, func(p *probe) bool { return p.ended != 1 }), "a deadlock, or a lost wake-up")
	})
}

func mutual(x *world) {
	probes, refused := x.circle("one", "the other")
	x.until("that all run", begun(probes...))
	x.mustEnd(probes...)
	x.atEnd(func() { x.check(*refused == 1, "%d calls were refused", *refused) })
}

// A goroutine that is no handler deletes one of them as well. It takes no part in the
// circle.
func mutualAndThird(x *world) {
	probes, refused := x.circle("one", "the other")
	x.until("that all run", begun(probes...))
	x.actor("the third", func() { probes[0].delSync() })
	x.mustEnd(probes...)
	x.atEnd(func() { x.check(*refused == 1, "%d calls were refused", *refused) })
}

func circleOfThree(x *world) {
	probes, refused := x.circle("one", "another", "a third")
	x.until("that all run", begun(probes...))
	x.mustEnd(probes...)
	x.atEnd(func() { x.check(*refused == 1, "%d calls were refused", *refused) })
}

// One of two handlers gives up its wait. After that the wait is not part of a circle.
func circleGivenUp(x *world) {
	ctx, cancel := context.WithCancel(context.Background())
	var one, other *probe
	gaveUp, refused := false, 0
	one = x.timer("one", func(*probe) {
		x.Until("the other", func() bool { return other.begun > 0 })
		_, err := other.delSyncContext(ctx)
		if errors.Is(err, context.Canceled) {
			x.saw("gave up")
			gaveUp = true
		} else if err != nil {
			refused++
		}
	})
	other = x.timer("the other", func(*probe) {
		x.Until("the one", begun(one))
		before := gaveUp
		found, err := one.deletion(one.t.DelSync)
		if errors.Is(err, timerwheel.ErrDeadlock) {
			x.saw("circle")
			refused++
			x.check(!before, "a circle through a wait that was given up")
		} else if found.Running {
			x.saw("waited")
		}
	})
	one.register(0)
	other.register(0)
	x.until("that both run", begun(one, other))
	x.mustEnd(one, other)
	x.actor("the canceller", cancel)
	x.atEnd(func() { x.check(refused <= 1, "both were refused") })
}

// The handler of one member deletes the group, and the other's handler deletes the first
// member. The first gets ErrDeadlock because of its own handler, but waits for the other
// handler, unless that waits for it.
func circleThroughGroup(x *world) {
	g := x.w.NewGroup()
	var one, other *probe
	refused := false
	one, handler := x.probe("one member", func(*probe) {
		x.Until("the other", func() bool { return other.begun > 0 })
		_, err := one.deletion(g.DelSync)
		x.check(errors.Is(err, timerwheel.ErrDeadlock), "Group.DelSync in a member's handler: %v", err)
		x.check(!refused || other.ended == 1, "it has not waited for the other")
	})
	one.t = g.Alloc(handler)
	other, handler = x.probe("the other member", func(*probe) {
		x.Until("the one", begun(one))
		_, err := one.deletion(one.t.DelSync)
		refused = err != nil
	})
	other.t = g.Alloc(handler)
	one.register(0)
	other.register(0)
	x.until("that both run", begun(one, other))
	x.mustEnd(one, other)
}
