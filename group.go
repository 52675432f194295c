package timerwheel

import (
	"context"
	"sync"
	"time"

	"github.com/seed76848005/timerwheel/internal/slab"
)

// A Group is a set of timers that are torn down together, in one call that is O(members):
// those of one connection, or one peer. Its timers are made by its own Alloc, AllocLocked,
// AfterFunc, AfterFuncArg and Every, and are members as long as they live. They share a shard
// of the wheel, and so its lock. Make a group for timers that belong together, not to hold
// many unrelated timers.
//
// Make one with [Wheel.NewGroup]; the zero Group is not usable. Its methods may be called by
// several goroutines at once.
type Group struct {
	sh *shard

	// The shard's lock guards the rest.
	members  slab.Pages[uint32]
	deleting int  // its deletions that have not found all runs yet, and the runs that they wait for: no Register
	down     bool // shut down: no Register ever
}

// NewGroup makes a group without members. It needs no closing: a group without members is
// garbage when the program holds no reference to it.
func (w *Wheel) NewGroup() *Group { return &Group{sh: w.pickShard()} }

// Alloc makes a timer as [Wheel.Alloc] does; it is a member of the group. If the group has
// been shut down, so has the timer.
func (g *Group) Alloc(f func(Timer)) Timer { return g.sh.w.alloc(g, f) }

// AllocLocked makes a timer as [Wheel.AllocLocked] does; it is a member of the group. If the
// group has been shut down, so has the timer.
func (g *Group) AllocLocked(l sync.Locker, f func(Timer)) Timer {
	return g.sh.w.allocLocked(g, l, f)
}

// AfterFunc makes a timer as [Wheel.AfterFunc] does; it is a member of the group. If the
// group has been shut down, or is being deleted, AfterFunc returns a Timer that is not Valid,
// and f is not called.
func (g *Group) AfterFunc(d time.Duration, f func()) Timer { return g.sh.w.afterFunc(g, d, f) }

// AfterFuncArg makes a timer as [Wheel.AfterFuncArg] does; it is a member of the group, as
// with [Group.AfterFunc]. Unlike [Wheel.AfterFuncArg] it allocates, as all methods of a Group
// that make timers do.
func (g *Group) AfterFuncArg(d time.Duration, f func(arg any), arg any) Timer {
	return g.sh.w.afterFuncArg(g, d, f, arg)
}

// Every makes a timer as [Wheel.Every] does; it is a member of the group. If the group has
// been shut down, or is being deleted, Every returns a Timer that is not Valid.
func (g *Group) Every(period time.Duration, f func(Timer)) Timer {
	return g.sh.w.every(g, period, f)
}

// Len returns the number of members: the timers that the group made and that have not been
// recycled.
func (g *Group) Len() int {
	g.sh.lock()
	defer g.sh.unlock()
	return g.members.Len()
}

// Del removes the firings of all members. It does not wait for handlers in flight, and
// refuses no Register: a member that is registered while Del runs may be pending
// afterwards. Found, or-ed over the members, says what there was.
func (g *Group) Del() Found {
	g.sh.lock()
	found := g.deleteAll()
	g.sh.unlockDeleted(found)
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
	sh := g.sh
	sh.lock()
	g.down = true
	g.deleting++ // until no member is pending any more
	found := g.deleteAll()
	g.deleting--
	sh.unlockDeleted(found)
	return found
}

// ShutdownSync removes the firings of all members and waits for their handlers in flight, as
// DelSync does, and refuses every later Register of a member (ErrShutdown), even if it
// returns an error. Members that are made afterwards are born shut down.
func (g *Group) ShutdownSync() (Found, error) { return g.delSync(context.Background(), true) }

// ShutdownSyncContext is ShutdownSync with a bound on the wait: it treats ctx as
// DelSyncContext does. The group is shut down, whatever it returns.
func (g *Group) ShutdownSyncContext(ctx context.Context) (Found, error) { return g.delSync(ctx, true) }

// delSync first closes the group to Registers, so that it can let go of the lock: what it
// has deleted stays so. Then only the runs in flight are left.
func (g *Group) delSync(ctx context.Context, down bool) (Found, error) {
	sh := g.sh
	sh.lock()
	g.deleting++
	g.down = g.down || down
	found := g.deleteAll()
	if !found.Running {
		g.deleting--
		sh.unlockDeleted(found)
		return found, nil
	}
	sh.unlockDeleted(found)

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
		err = x.deadlock()
	}
	return found, err
}

// deleteAll removes the firings of all members, last to first: a member that is recycled by
// that is replaced by the last one, which has been looked at already. It lets go of the lock
// after every batch.
func (g *Group) deleteAll() (found Found) {
	sh := g.sh
	for k, n := g.members.Len(), 1; k > 0; n++ {
		k--
		i := *g.members.At(uint32(k))
		s := sh.records.At(i)
		found.Running = found.Running || s.Flags&running != 0
		found.Pending = sh.disarm(i, s) || found.Pending
		sh.release(i, s)
		if n%batch == 0 {
			sh.unlock()
			sh.lock()
			k = min(k, g.members.Len())
		}
	}
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

// groupOf returns the group that a timer is a member of; nil if there is none.
func (sh *shard) groupOf(i uint32, s *record) *Group {
	if b := sh.bodyOf(i, s); b != nil {
		return b.group
	}
	return nil
}

// shutDown reports whether members must never be registered. g may be nil.
func (g *Group) shutDown() bool { return g != nil && g.down }

// beingDeleted reports whether members must not be registered now. g may be nil.
func (g *Group) beingDeleted() bool { return g != nil && g.deleting > 0 }

// admit makes a new timer a member.
func (g *Group) admit(i uint32, b *body) {
	b.memberIndex = g.members.Len()
	g.members.Push(i)
}

// dismiss ends the membership of a timer that is recycled.
func (g *Group) dismiss(b *body) {
	last := *g.members.At(uint32(g.members.Len() - 1))
	*g.members.At(uint32(b.memberIndex)) = last
	(*g.sh.body(last)).(*body).memberIndex = b.memberIndex
	g.members.Pop()
}
