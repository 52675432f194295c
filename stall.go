package timerwheel

import (
	"fmt"
	"sync"
	"time"

	"github.com/seed76848005/timerwheel/internal/gostack"
)

// A Stall is a handler that runs, or a deletion that waits for one, for longer than
// Options.StallAfter.
type Stall struct {
	Timer Timer         // the timer whose handler runs
	Since time.Time     // since when the handler runs, or the deletion waits
	For   time.Duration // how long it had lasted when the wheel checked
	Kind  StallKind     // what has stalled

	Handler      string // the handler's function, file:line; of a method value, where in the method it is now
	HandlerStack string // the stack of the handler's goroutine, as it is now
	WaiterStack  string // that of the deletion's goroutine, or of the one that has waited longest, if any waits

	// WaiterStacks are the stacks of all deletions that wait for the handler, the one that
	// has waited longest first; without DelAsyncs, which have no goroutine, and without
	// those after the first 32.
	WaiterStacks []string

	AllocatedAt  string // file:line, with Options.Debug
	RegisteredAt string // likewise, of the last Register
	Waiters      int    // the deletions that wait for the handler
}

// A StallKind says what has stalled.
type StallKind int

// The kinds of stalls.
const (
	StalledHandler  StallKind = iota // a handler that runs
	StalledDeletion                  // a deletion that waits for a handler
)

// String returns the kind in a few words.
func (k StallKind) String() string {
	switch k {
	case StalledHandler:
		return "stalled handler"
	case StalledDeletion:
		return "stalled deletion"
	}
	return fmt.Sprintf("StallKind(%d)", int(k))
}

// maxWaiterStacks bounds Stall.WaiterStacks. A deadlock shows in the first few.
const maxWaiterStacks = 32

// Stalls are looked for when the alarm rings. It is set for the time at which something
// that goes on now will have stalled (watch), so a wheel on which nothing runs is not woken
// for it.

// reportStalls calls OnStall for what has stalled since it last looked.
func (w *Wheel) reportStalls() {
	now := w.elapsed()
	dump := sync.OnceValue(gostack.All) // one for all: it stops the world
	for _, sh := range w.shards {
		for more := true; more; {
			var reports []func(*worker)
			reports, more = sh.reports(now, dump)
			for _, report := range reports {
				w.spawn(report)
			}
		}
	}
}

// reports prepares the calls of OnStall for some of what has stalled. It reports whether
// there may be more.
func (sh *shard) reports(now int64, dump func() map[uint64]string) (reports []func(*worker), more bool) {
	sh.lock()
	defer sh.unlock()
	latest := now - int64(sh.w.stallAfter) // what has begun by then
	seen := 0
	for k := range sh.running.Len() {
		r := sh.running.At(uint32(k))
		if (r.reported || r.since > latest) && r.waiting > latest {
			continue
		}
		waiters := r.wk.ending.goroutines()
		if !r.reported && r.since <= latest {
			r.reported = true
			reports = append(reports, sh.report(r, nil, waiters, now, dump))
		}
		for seen++; r.waiting <= latest && seen < scanLen; seen++ {
			x := r.wk.ending.nextUnreported()
			r.waiting = r.wk.ending.unreported()
			if !x.reported { // for another run of its group
				x.reported = true
				reports = append(reports, sh.report(r, x, waiters, now, dump))
			}
		}
		if seen >= scanLen {
			return reports, true
		}
	}
	return reports, false
}

// nextUnreported takes the deletion that is the next to be reported.
func (e *ending) nextUnreported() *wait {
	q := &e.syncs
	if e.asyncs.unreported != nil && e.asyncs.unreported.Value.(*wait).since == e.unreported() {
		q = &e.asyncs
	}
	x := q.unreported.Value.(*wait)
	q.unreported = q.unreported.Next()
	return x
}

// report prepares the call of OnStall for a run, or for a deletion x that waits for it.
// waiters are the goroutines that have waited for the run longest.
func (sh *shard) report(r *runningSlot, x *wait, waiters []uint64, now int64, dump func() map[uint64]string) func(*worker) {
	s := sh.records.At(r.i)
	f := sh.handlerOf(r.i, s)
	stall := Stall{Timer: sh.timer(r.i, s), Kind: StalledHandler, Waiters: r.wk.ending.waiters()}
	from := sh.origin(r.i, s)

	w, handler, since := sh.w, r.wk.goid, r.since
	waiter := uint64(0)
	if x != nil {
		stall.Kind = StalledDeletion
		waiter, since = x.goid, x.since
	} else if len(waiters) > 0 {
		waiter = waiters[0]
	}
	stall.Since, stall.For = w.timeAt(since), time.Duration(now-since)
	return func(*worker) {
		stall.AllocatedAt, stall.RegisteredAt = from.allocated.String(), from.registered.String()
		stall.HandlerStack, stall.WaiterStack = dump()[handler], dump()[waiter]
		stall.Handler = functionName(f, stall.HandlerStack)
		for _, id := range waiters {
			if stack, ok := dump()[id]; ok {
				stall.WaiterStacks = append(stall.WaiterStacks, stack)
			}
		}
		w.onStall(stall)
	}
}

// goroutines returns the numbers of the goroutines that wait for the end of a run, the
// longest wait first, up to a bound. A DelAsync has none. e may be nil.
func (e *ending) goroutines() (ids []uint64) {
	if e == nil {
		return nil
	}
	for at := e.syncs.Front(); at != nil && len(ids) < maxWaiterStacks; at = at.Next() {
		ids = append(ids, at.Value.(*wait).goid)
	}
	return ids
}
