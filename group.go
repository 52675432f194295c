package timerwheel

import (
	"context"
	"sync"
	"time"
)

// A Group is a set of timers that are torn down together, in one call that is O(members): those
// of one connection, or one peer. Its timers are made by its own Alloc, AllocArg, AllocLocked,
// AfterFunc, AfterFuncArg, AfterFuncLocked and Every, and are members as long as they live. They
// share a shard of the wheel, and so its lock. Make a group for timers that belong together, not
// to hold many unrelated timers.
//
// A group takes 33 bytes, and a member 12 bytes more than another timer ("a connection's three
// timers" of bench/). A method of a Group that makes a timer allocates where that of the Wheel
// does, and for the memberships of 256 timers at once: so Alloc, AllocArg, AfterFunc and
// AfterFuncArg allocate nothing, amortised (BenchmarkGroup).
//
// Make one with [Wheel.NewGroup]; the methods of the zero Group, and of a nil *Group, panic.
// They may be called by several goroutines at once.
type Group struct {
	sh *shard

	// The shard's lock guards the rest.
	first    link   // of the list of members: membership.go
	members  uint32 // their number
	deleting int32  // its deletions that have not found all runs yet, and the runs that they wait for: no Register
	down     bool   // shut down: no Register ever
}

// NewGroup makes a group without members. It needs no closing: a group without members is
// garbage when the program holds no reference to it. Each new group gets the next shard, in
// turns, in whichever goroutine it is made: so the groups of one accept loop do not share one lock.
func (w *Wheel) NewGroup() *Group { return &Group{sh: w.made().drawShard()} }

// shard returns the group's shard, if NewGroup has made the group. Each method of a Group calls
// it first.
func (g *Group) shard() *shard {
	if g == nil || g.sh == nil {
		reject("timerwheel: the zero Group is not usable: call Wheel.NewGroup")
	}
	return g.sh
}

// wheel returns the group's wheel, as shard does the shard.
func (g *Group) wheel() *Wheel { return g.shard().w }

// Alloc makes a timer as [Wheel.Alloc] does; it is a member of the group. If the group has
// been shut down, so has the timer.
func (g *Group) Alloc(f func(Timer)) Timer { return g.wheel().alloc(g, f) }

// AllocArg makes a timer as [Wheel.AllocArg] does; it is a member of the group. If the group
// has been shut down, so has the timer.
func (g *Group) AllocArg(f func(t Timer, arg any), arg any) Timer {
	return g.wheel().allocArg(g, f, arg)
}

// AllocLocked makes a timer as [Wheel.AllocLocked] does; it is a member of the group. If the
// group has been shut down, so has the timer.
func (g *Group) AllocLocked(l sync.Locker, f func(Timer)) Timer {
	return g.wheel().allocLocked(g, l, f)
}

// AfterFunc makes a timer as [Wheel.AfterFunc] does; it is a member of the group. If the
// group has been shut down, or is being deleted, AfterFunc returns a Timer that is not Valid,
// and f is not called.
func (g *Group) AfterFunc(d time.Duration, f func()) Timer { return g.wheel().afterFunc(g, d, f) }

// AfterFuncArg makes a timer as [Wheel.AfterFuncArg] does; it is a member of the group, as
// with [Group.AfterFunc].
func (g *Group) AfterFuncArg(d time.Duration, f func(arg any), arg any) Timer {
	return g.wheel().afterFuncArg(g, d, f, arg)
}

// AfterFuncLocked makes a timer as [Wheel.AfterFuncLocked] does; it is a member of the group,
// as with [Group.AfterFunc].
func (g *Group) AfterFuncLocked(l sync.Locker, d time.Duration, f func()) Timer {
	return g.wheel().afterFuncLocked(g, l, d, f)
}

// Every makes a timer as [Wheel.Every] does; it is a member of the group. If the group has
// been shut down, or is being deleted, Every returns a Timer that is not Valid.
func (g *Group) Every(period time.Duration, f func(Timer)) Timer {
	return g.wheel().every(g, period, f)
}

// Len returns the number of members: the timers that the group made and that have not been
// recycled.
func (g *Group) Len() int {
	sh := g.shard()
	sh.lock()
	defer sh.end()
	return int(g.members)
}

// Del removes the firings of all members. It does not wait for handlers in flight, and
// refuses no Register: a member that is registered while Del runs may be pending
// afterwards. Found, or-ed over the members, says what there was.
func (g *Group) Del() Found {
	sh := g.shard()
	sh.w.checkDeletion()
	defer guard()
	sh.lock()
	found := g.deleteAll()
	sh.unlock()
	return found
}

// DelSync deletes all members as [Timer.DelSync] does one: it removes all firings and waits
// for all handlers in flight. Until that is done no Register of any member succeeds
// (ErrDeleting), including members made in that time. Found is or-ed over the members.
//
// In a member's own handler, and where it would close a circle of waits, it removes all
// firings, waits for the handlers that it can wait for, and returns ErrDeadlock.
func (g *Group) DelSync() (Found, error) { return g.delSync(context.Background(), false) }

// DelSyncContext is DelSync with a bound on the wait: when ctx ends before the handlers have
// returned, it returns the context's error. The firings stay removed. Registers of members
// that still run are refused until their runs have ended; those of the others are not. Where
// DelSync would return ErrDeadlock, so does DelSyncContext, whatever its ctx. That error does
// not say whether it waited for the other handlers.
func (g *Group) DelSyncContext(ctx context.Context) (Found, error) { return g.delSync(ctx, false) }

// Shutdown removes the firings of all members and refuses every later Register of a member
// (ErrShutdown); members that are made afterwards are born shut down. It does not wait for
// handlers in flight: Found, or-ed over the members, says whether there were any. To wait for
// them, use ShutdownSync.
func (g *Group) Shutdown() Found {
	sh := g.shard()
	sh.w.checkDeletion()
	defer guard()
	sh.lock()
	g.down = true
	g.deleting++ // until no member is pending any more
	found := g.deleteAll()
	g.deleting--
	sh.unlock()
	return found
}

// ShutdownSync removes the firings of all members and waits for their handlers in flight, as
// DelSync does, and refuses every later Register of a member (ErrShutdown), even if it
// returns an error. Members that are made afterwards are born shut down.
func (g *Group) ShutdownSync() (Found, error) { return g.delSync(context.Background(), true) }

// ShutdownSyncContext is ShutdownSync with a bound on the wait: it treats ctx as
// DelSyncContext does. The group is shut down, whatever it returns.
func (g *Group) ShutdownSyncContext(ctx context.Context) (Found, error) { return g.delSync(ctx, true) }

// Free drops one owner's reference of each member that has an owner, as [Timer.Free] does. It
// neither stops nor waits. After [Group.ShutdownSync] it recycles the members that have one
// owner each, so that the tear-down of a connection or a peer is
//
//	g.ShutdownSync()
//	g.Free()
//
// A member that is made while Free runs may keep its reference. One that another goroutine frees in
// that time loses two references, one to each. Free is O(members), and lets go of the lock after some 64.
func (g *Group) Free() {
	sh := g.shard()
	sh.lock()
	defer sh.end()
	g.eachMember(func(i uint32, s *record) {
		if s.Owners > 0 {
			sh.free(i, s)
		}
	})
}

// delSync first closes the group to Registers, so that it can let go of the lock: what it
// has deleted stays so. Then only the runs in flight are left.
func (g *Group) delSync(ctx context.Context, down bool) (Found, error) {
	sh := g.shard()
	sh.w.checkBubble()
	checkContext(ctx)
	defer guard()
	sh.lock()
	g.deleting++
	g.down = g.down || down
	found := g.deleteAll()
	if !found.Running {
		g.deleting--
		sh.unlock()
		return found, nil
	}
	sh.unlock()

	x := sh.w.newWait()
	x.group = g
	sh.lock()
	deadlock := g.enlist(x)
	g.deleting--
	sh.unlock()

	var err error
	if len(x.edges) > 0 {
		err = sh.await(ctx, x)
	}
	if deadlock {
		err = x.deadlock(sh.w)
	}
	return found, err
}

// deleteAll removes the firings of all members.
func (g *Group) deleteAll() (found Found) {
	g.eachMember(func(i uint32, s *record) {
		found.Running = found.Running || s.Flags&running != 0
		found.Pending = g.sh.disarm(i, s) || found.Pending
		g.sh.release(i, s)
	})
	return found
}

// enlist makes x wait for the members' runs in flight, except for those that wait for x in
// turn: it reports whether there are any of these. It lets go of the lock after every few
// runs; no run of a member begins in that time.
func (g *Group) enlist(x *wait) (deadlock bool) {
	sh := g.sh
	seen := make(map[*worker]bool)
	for k := sh.running.Len(); k > 0; {
		k = sh.scanRuns(k, func(r *runningSlot) int {
			s := sh.records.At(r.i)
			switch {
			case sh.groupOf(r.i, s) != g || seen[r.wk]:
			case sh.enlist(x, r.wk):
				s.Flags |= deleting
			default:
				deadlock = true
			}
			seen[r.wk] = true
			return 1
		})
		if k > 0 {
			sh.unlock()
			sh.lock()
		}
	}
	return deadlock
}

// shutDown reports whether members must never be registered. g may be nil.
func (g *Group) shutDown() bool { return g != nil && g.down }

// beingDeleted reports whether members must not be registered now. g may be nil.
func (g *Group) beingDeleted() bool { return g != nil && g.deleting > 0 }
