//go:build schedules

package schedules

import (
	"context"
	"errors"
	"runtime"

	"github.com/seed76848005/timerwheel"
)

// Deletions against the worker, and against those who register.
var deletions = []scenario{
	{name: "three CPUs", sees: []string{"refused", "waited", "re-added"}, setUp: threeCPUs},
	{name: "a handler that re-adds itself", sees: []string{"refused", "waited"}, setUp: readdsItself},
	{name: "two deleters", sees: []string{"waited"}, setUp: twoDeleters},
	{name: "Del of a due timer", ticks: 1, sees: []string{"removed", "running", "over"}, setUp: delOfDue},
	{name: "DelSync of a due timer", ticks: 1, sees: []string{"removed", "waited", "over"}, setUp: delSyncOfDue},
	{name: "DelAsync", sees: []string{"refused", "done at once", "done later"}, setUp: delAsync},
	{name: "ShutdownSync", sees: []string{"waited", "refused for ever"}, setUp: shutdown},
	{name: "a handler that panics", options: recovering, sees: []string{"waited", "refused"}, setUp: panics},
	{name: "a handler that exits", sees: []string{"waited", "refused"}, setUp: exits},
	{name: "a deletion that gives up", sees: []string{"gave up", "waited", "refused"}, setUp: givesUp},
	{name: "one run at a time", ticks: 1, sees: []string{"fell due while it ran"}, setUp: oneRunAtATime},
	{name: "a group", sees: []string{"refused", "waited"}, setUp: group},
	{name: "a series", ticks: 1, sees: []string{"waited"}, setUp: series},
	{name: "a lock-bound timer", sees: []string{"removed", "over"}, setUp: lockBound},
	{name: "a lock-bound timer is moved", ticks: 1, sees: []string{"moved"}, setUp: lockBoundMoved},
}

// The mail's race: a handler runs, a second processor deletes its timer and
// waits, and a third registers it again meanwhile.
func threeCPUs(x *world) {
	p := x.timer("the timer", nil)
	p.register(0)
	x.until("the handler's begin", p.runs)
	x.actor("the deleter", func() { p.delSync() })
	x.actor("the re-adder", func() {
		if p.register(0) == nil {
			x.saw("re-added")
		}
	})
}

// So does the handler itself.
func readdsItself(x *world) {
	p := x.timer("the timer", func(p *probe) {
		if p.begun == 1 {
			p.register(0)
		}
	})
	p.register(0)
	x.until("the handler's begin", p.runs)
	x.actor("the deleter", func() { p.delSync() })
}

func twoDeleters(x *world) {
	p := x.timer("the timer", nil)
	p.register(0)
	x.until("the handler's begin", p.runs)
	x.actor("one deleter", func() { p.delSync() })
	x.actor("the other", func() { p.delSync() })
}

// What Del has found tells what becomes of the handler.
func delOfDue(x *world) {
	p := x.timer("the timer", nil)
	p.register(0)
	x.actor("the deleter", func() {
		found := p.t.Del()
		p.foundTellsWhatBecomes(found)
	})
	x.actor("one who asks", func() {
		begun := p.begun
		x.check(!p.t.Pending() || begun == 0, "pending after it has begun")
	})
}

func delSyncOfDue(x *world) {
	p := x.timer("the timer", nil)
	p.register(0)
	x.actor("the deleter", func() { p.foundTellsWhatBecomes(p.delSync()) })
}

// foundTellsWhatBecomes checks what the deletion of a timer has found that was
// registered once.
func (p *probe) foundTellsWhatBecomes(found timerwheel.Found) {
	runs := 1
	switch {
	case found.Pending:
		p.saw("removed")
		p.check(!found.Running && p.begun == 0, "removed, and it has begun")
		runs = 0
	case found.Running:
		p.saw("running")
	default:
		p.saw("over")
		p.check(p.ended == 1, "nothing found, and it has not run")
	}
	p.atEnd(func() { p.check(p.begun == runs, "%+v was found, and it ran %d times", found, p.begun) })
}

// The function of a DelAsync is called once, when the timer does not run, and
// until then the timer is refused.
func delAsync(x *world) {
	p := x.timer("the timer", nil)
	p.register(0)
	x.until("the handler's begin", p.runs)
	called := 0
	x.actor("the deleter", func() {
		run := p.begun
		found := p.t.DelAsync(func() {
			called++
			x.check(p.ended >= run, "done is called while the handler runs")
		})
		if !found.Running {
			x.saw("done at once")
			return
		}
		x.saw("done later")
		if p.begun == run {
			p.marked = run
		}
	})
	x.actor("the re-adder", func() { p.register(0) })
	x.atEnd(func() { x.check(called == 1, "done was called %d times", called) })
}

// After a Shutdown nobody registers the timer any more; nor while it waits.
func shutdown(x *world) {
	p := x.timer("the timer", func(p *probe) {
		if p.begun < 3 && errors.Is(p.register(0), timerwheel.ErrShutdown) {
			x.saw("refused for ever")
		}
	})
	p.register(0)
	x.until("the handler's begin", p.runs)
	x.actor("the deleter", func() {
		_, err := p.deletion(p.t.ShutdownSync)
		x.check(err == nil, "Shutdown: %v", err)
		x.check(!p.runs() && errors.Is(p.register(0), timerwheel.ErrShutdown), "it goes on")
	})
}

var recovering = timerwheel.Options{OnPanic: func(timerwheel.HandlerPanic) {}}

func panics(x *world) { endsBadly(x, func() { panic("as it should") }) }

func exits(x *world) { endsBadly(x, runtime.Goexit) }

// However a handler ends, that is its end.
func endsBadly(x *world, end func()) {
	p := x.timer("the timer", func(p *probe) {
		if p.begun == 1 {
			end()
		}
	})
	p.register(0)
	x.until("the handler's begin", p.runs)
	x.actor("the deleter", func() { p.delSync() })
	x.actor("the re-adder", func() { p.register(0) })
	x.atEnd(func() { x.check(!p.runs() && !p.t.Pending(), "its next run never comes") })
}

// A deletion that gives up leaves nothing behind but the refusal, and that goes
// with the run.
func givesUp(x *world) {
	p := x.timer("the timer", nil)
	p.register(0)
	x.until("the handler's begin", p.runs)
	ctx, cancel := context.WithCancel(context.Background())
	x.actor("the deleter", func() {
		found, err := p.delSyncContext(ctx)
		if err != nil {
			x.saw("gave up")
			x.check(errors.Is(err, context.Canceled) && found.Running, "%+v, %v", found, err)
		}
	})
	x.actor("who has no patience", func() {
		cancel()
		x.At("the end of patience")
		p.register(0)
	})
	x.atEnd(func() { x.check(p.register(0) == nil, "it is refused after its run") })
}

// Two workers, and a timer that falls due again while it runs. That its runs
// are one at a time, the probe checks.
func oneRunAtATime(x *world) {
	p := x.timer("the timer", nil)
	p.register(0)
	x.until("the handler's begin", p.runs)
	x.actor("the re-adder", func() {
		p.register(0)
		if p.runs() {
			x.saw("fell due while it ran")
		}
	})
	x.atEnd(func() { x.check(p.ended == 2, "it ran %d times", p.ended) })
}

// While a group is being deleted, no member is registered: neither the one that
// runs nor another.
func group(x *world) {
	g := x.w.NewGroup()
	var one, other *probe
	other, handler := x.probe("the other member", nil)
	other.t = g.Alloc(handler)
	one, handler = x.probe("one member", nil)
	one.t = g.Alloc(handler)
	one.register(0)
	x.until("the handler's begin", one.runs)
	early := false // the other was registered before the run ended
	deleter := x.actor("the deleter", func() {
		armed := one.armed + other.armed
		found, err := one.deletion(g.DelSync)
		x.check(err == nil, "Group.DelSync: %v", err)
		if one.armed+other.armed == armed && one.arming+other.arming == 0 {
			x.check(!one.runs() && !other.runs(), "a member runs after the deletion")
		}
		x.check(!early || found.Pending || other.begun > 0, "a member was registered between two looks")
	})
	x.actor("the re-adder", func() {
		waits := deleter.waits() && one.runs()
		err := other.register(0)
		x.check(err != nil || !(waits && deleter.waits() && one.runs()), "a member was registered meanwhile")
		early = err == nil && one.runs()
	})
	x.atEnd(func() { x.check(other.register(0) == nil, "it is refused after the deletion") })
}

// A series ends with its deletion, whatever its handler is at.
func series(x *world) {
	p, handler := x.probe("the series", nil)
	p.t = x.w.Every(tick, handler)
	x.until("the handler's begin", p.runs)
	x.actor("the deleter", func() {
		p.delSync()
		x.check(!p.t.Valid(), "it still lives")
		begun := p.begun
		x.atEnd(func() { x.check(p.begun == begun, "it goes on") })
	})
}

// To whoever holds its lock, a lock-bound timer's handler is not begun or over.
func lockBound(x *world) {
	l := &mutex{director: x.director}
	p, handler := x.probe("the timer", nil)
	p.t = x.w.AllocLocked(l, handler)
	p.register(0)
	x.sleep()
	x.actor("the owner of the lock", func() {
		l.Lock()
		x.check(!p.runs(), "it runs while its lock is held")
		found := p.t.Del()
		x.check(!found.Running, "Del: %+v", found)
		p.foundTellsWhatBecomes(found)
		l.Unlock()
	})
}

// Who moves a timer while its worker waits for its lock has it run at its new
// time, and at no other.
func lockBoundMoved(x *world) {
	l := &mutex{director: x.director}
	p, handler := x.probe("the timer", nil)
	p.t = x.w.AllocLocked(l, handler)
	p.register(0)
	x.sleep()
	x.actor("the owner of the lock", func() {
		l.Lock()
		now := x.w.Now()
		moved := p.t.Reset(2 * tick)
		if moved {
			x.saw("moved")
			x.check(p.begun == 0, "begun, and moved")
			x.atEnd(func() { x.check(p.begun == 1 && !p.at.Before(now.Add(2*tick)), "it ran at its old time") })
		}
		l.Unlock()
	})
}
