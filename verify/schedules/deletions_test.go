//go:build schedules

package schedules

import (
	"context"
	"errors"
	"runtime"
	"sync"

	"github.com/seed76848005/timerwheel"
)

// Deletions, against workers and against Registers.
var deletions = []scenario{
	{name: "three CPUs", sees: []string{"refused", "waited", "re-added"}, setUp: threeCPUs},
	{name: "a handler that re-adds itself", sees: []string{"refused", "waited"}, setUp: readdsItself},
	{name: "two deleters", sees: []string{"waited"}, setUp: twoDeleters},
	{name: "Del of a due timer", ticks: 1, sees: []string{"removed", "running", "over"}, setUp: delOfDue},
	{name: "DelSync of a due timer", ticks: 1, sees: []string{"removed", "waited", "over"}, setUp: delSyncOfDue},
	{name: "DelAsync", sees: []string{"refused", "done at once", "done later"}, setUp: delAsync},
	{name: "Shutdown", sees: []string{"removed", "running", "over", "refused for ever"}, setUp: shutdown},
	{name: "ShutdownSync", sees: []string{"waited", "refused for ever"}, setUp: shutdownSync},
	{name: "a handler that panics", options: recovering, sees: []string{"waited", "refused"}, setUp: panics},
	{name: "a handler that exits", sees: []string{"waited", "refused"}, setUp: exits},
	{name: "a deletion that gives up", sees: []string{"gave up", "waited", "refused"}, setUp: givesUp},
	{name: "one run at a time", ticks: 1, sees: []string{"fell due while it ran"}, setUp: oneRunAtATime},
	{name: "a group", sees: []string{"refused", "waited"}, setUp: group},
	{name: "a group is shut down", sees: []string{"running", "refused for ever"}, setUp: groupShutdown},
	{name: "a series", ticks: 1, sees: []string{"waited"}, setUp: series},
	{name: "a lock-bound timer", sees: []string{"removed", "over"}, setUp: lockBound},
	{name: "a lock-bound timer is moved", ticks: 1, sees: []string{"moved"}, setUp: lockBoundMoved},
	{name: "two timers of one lock", sees: []string{"removed", "over"}, setUp: twoOfOneLock},
	{name: "a lock that its handler releases", sees: []string{"removed", "in its rest", "over", "beside the rest"}, setUp: releasedLock},
	{name: "a line whose worker exits", sees: []string{"removed", "over"}, setUp: lineWithoutAWorker},
}

// The mail's race: a handler runs, a second processor deletes its timer and waits, and a
// third registers the timer again during the wait.
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

// The same, where the handler itself registers the timer again.
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

// The Found of Del says whether the handler runs.
func delOfDue(x *world) {
	p := x.timer("the timer", nil)
	p.register(0)
	x.actor("the deleter", func() {
		found := p.t.Del()
		p.foundTellsWhatBecomes(found)
	})
	x.actor("the observer", func() {
		begun := p.begun
		x.check(!p.t.Pending() || begun == 0, "pending after it has begun")
	})
}

func delSyncOfDue(x *world) {
	p := x.timer("the timer", nil)
	p.register(0)
	x.actor("the deleter", func() { p.foundTellsWhatBecomes(p.delSync()) })
}

// foundTellsWhatBecomes checks what a deletion has found, of a timer that was registered
// once.
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

// The done of a DelAsync is called once, when the timer does not run. Until then Registers
// of the timer are refused.
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

// Shutdown does not wait. When it has returned no Register of the timer succeeds, and no
// run begins. If it found neither a firing nor a run, the timer has run for the last time.
func shutdown(x *world) {
	p := x.timer("the timer", nil)
	p.register(0)
	x.until("the handler's begin", p.runs)
	down := false
	x.actor("the deleter", func() {
		found := p.t.Shutdown()
		down = true
		p.isShutDown(found)
	})
	x.actor("the re-adder", func() {
		late := down
		err := p.register(0)
		x.check(err != nil || !late, "registered after Shutdown")
		if errors.Is(err, timerwheel.ErrShutdown) {
			x.saw("refused for ever")
		}
	})
}

// isShutDown checks what must hold when a Shutdown has returned, with what it found. A run
// that it found may have begun for the wheel, but not for the probe.
func (p *probe) isShutDown(found timerwheel.Found) {
	begun := p.begun
	if found.Running && !p.runs() {
		begun++
	}
	switch {
	case found.Running:
		p.saw("running")
	case found.Pending:
		p.saw("removed")
	default:
		p.saw("over")
	}
	p.check(found.Running || !p.runs(), "%s runs, and Shutdown found no run", p.name)
	p.aside(func() {
		p.check(!p.t.Pending(), "%s is pending after Shutdown", p.name)
		p.check(found.Running || !p.t.Running(), "%s runs after Shutdown, which found no run", p.name)
	})
	p.check(errors.Is(p.register(0), timerwheel.ErrShutdown), "%s can be registered after Shutdown", p.name)
	p.atEnd(func() { p.check(p.begun <= begun, "%s began after Shutdown", p.name) })
}

// No Register of the timer succeeds after ShutdownSync, nor while it waits.
func shutdownSync(x *world) {
	p := x.timer("the timer", func(p *probe) {
		if p.begun < 3 && errors.Is(p.register(0), timerwheel.ErrShutdown) {
			x.saw("refused for ever")
		}
	})
	p.register(0)
	x.until("the handler's begin", p.runs)
	x.actor("the deleter", func() {
		_, err := p.deletion(p.t.ShutdownSync)
		x.check(err == nil, "ShutdownSync: %v", err)
		x.check(!p.runs() && errors.Is(p.register(0), timerwheel.ErrShutdown), "it goes on")
	})
}

var recovering = timerwheel.Options{OnPanic: func(timerwheel.HandlerPanic) {}}

func panics(x *world) { endsBadly(x, func() { panic("as it should") }) }

func exits(x *world) { endsBadly(x, runtime.Goexit) }

// A run ends, however its handler does.
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

// A deletion that gives up leaves only the refusal behind, and that ends with the run.
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
	x.actor("the canceller", func() {
		cancel()
		x.At("after the cancellation")
		p.register(0)
	})
	x.atEnd(func() { x.check(p.register(0) == nil, "it is refused after its run") })
}

// Two workers, and a timer that falls due again while it runs. The probe checks that its
// runs do not overlap.
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

// While a group is being deleted, no Register of a member succeeds, whether that member
// runs or not.
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
		x.check(err != nil || !(waits && deleter.waits() && one.runs()), "a member was registered during the deletion")
		early = err == nil && one.runs()
	})
	x.atEnd(func() { x.check(other.register(0) == nil, "it is refused after the deletion") })
}

// Group.Shutdown does not wait. When it has returned no Register of a member succeeds, and
// no run of a member begins.
func groupShutdown(x *world) {
	g := x.w.NewGroup()
	other, handler := x.probe("the other member", nil)
	other.t = g.Alloc(handler)
	one, handler := x.probe("one member", nil)
	one.t = g.Alloc(handler)
	one.register(0)
	x.until("the handler's begin", one.runs)
	down := false
	x.actor("the deleter", func() {
		found := g.Shutdown()
		down = true
		one.isShutDown(found)
		other.isShutDown(found)
		x.check(!g.AfterFunc(0, func() {}).Valid(), "a member is made after Shutdown")
	})
	x.actor("the re-adder", func() {
		late := down
		err := other.register(0)
		x.check(err != nil || !late, "registered after Shutdown")
		if errors.Is(err, timerwheel.ErrShutdown) {
			x.saw("refused for ever")
		}
	})
}

// A series ends with its deletion, at whatever point of its handler that comes.
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

// For the holder of its lock, a lock-bound timer's handler has either not begun or is over.
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

// A timer that is moved while a worker waits for its lock runs at its new time, and at no
// other.
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

// A countedLock is a lock that knows how many workers wait for it.
type countedLock struct {
	mutex
	*world
	waiting int
}

// Lock is called by workers. Others lock the mutex.
func (l *countedLock) Lock() {
	l.waiting++
	l.check(l.waiting == 1, "two workers wait for one lock")
	l.mutex.Lock()
	l.waiting--
}

// oneLock makes two timers of one lock. A worker comes for the lock, and may have it, and another
// comes for the second timer, whose handler calls second with the probe of the first.
func oneLock(x *world, first, second func(*probe)) (l *countedLock, a, b *probe) {
	return oneLockOf(x, x.w, x.w, first, second)
}

// Wheels and groups allocate lock-bound timers.
type lockedAllocator interface {
	AllocLocked(l sync.Locker, f func(timerwheel.Timer)) timerwheel.Timer
}

func oneLockOf(x *world, ofFirst, ofSecond lockedAllocator, first, second func(*probe)) (l *countedLock, a, b *probe) {
	l = &countedLock{mutex: mutex{director: x.director}, world: x}
	a, handler := x.probe("the first", first)
	a.t = ofFirst.AllocLocked(l, handler)
	b, handler = x.probe("the second", func(*probe) { second(a) })
	b.t = ofSecond.AllocLocked(l, handler)
	a.register(0)
	x.until("a worker comes for the lock", func() bool { return l.waiting == 1 })
	b.register(0)
	x.sleep()
	return l, a, b
}

// alone checks that the first does not run.
func (x *world) alone(first *probe) { x.check(!first.runs(), "both run at once") }

// One worker waits for the lock of two timers, and runs both, or the one that is not deleted. The
// second may come when the worker is about to leave.
func twoOfOneLock(x *world) {
	l, a, b := oneLock(x, nil, x.alone)
	x.actor("the owner of the lock", func() {
		l.mutex.Lock()
		found := a.t.Del()
		x.check(!found.Running && !a.runs(), "Del: %+v", found)
		if found.Pending {
			x.saw("removed")
		} else {
			x.saw("over")
		}
		l.mutex.Unlock()
		x.atEnd(func() {
			x.check((a.ended == 1) != found.Pending && b.ended == 1, "one of them is stranded, or runs though it was deleted")
		})
	})
}

// A handler releases its lock: the holder of the lock may find its rest, and the second timer runs
// beside that, or after it.
func releasedLock(x *world) {
	releases := false
	l, a, b := oneLock(x, func(a *probe) {
		releases = true
		x.check(a.t.ReleaseLock() == nil, "ReleaseLock is refused")
		x.check(errors.Is(a.t.ReleaseLock(), timerwheel.ErrNotLocked), "ReleaseLock succeeds twice")
	}, func(a *probe) {
		if a.runs() {
			x.check(releases, "both run at once")
			x.saw("beside the rest")
		}
	})
	x.actor("the owner of the lock", func() {
		l.mutex.Lock()
		found := a.t.Del()
		switch {
		case found.Pending:
			x.saw("removed")
		case found.Running:
			x.check(a.begun == 1, "it runs while its lock is held")
			x.saw("in its rest")
		default:
			x.saw("over")
		}
		x.check(!b.runs(), "the second runs while its lock is held")
		l.mutex.Unlock()
		x.atEnd(func() {
			x.check((a.ended == 1) != found.Pending && b.ended == 1, "one of them is stranded, or runs though it was deleted")
		})
	})
}

// A worker whose handler calls Goexit leaves its line to another, unless all the others of the line
// are deleted by then.
func lineWithoutAWorker(x *world) {
	_, a, b := oneLock(x, func(*probe) { runtime.Goexit() }, x.alone)
	x.until("the first runs", a.runs)
	x.actor("the deleter", func() {
		found := b.t.Del()
		if found.Pending {
			x.saw("removed")
		} else {
			x.saw("over")
		}
		x.atEnd(func() {
			x.check(a.ended == 1 && (b.ended == 1) != found.Pending, "the line is stranded, or the second runs though it was deleted")
		})
	})
}
