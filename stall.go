package timerwheel

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"
)

// A Stall is a handler that runs, or a deletion that waits for one, for longer
// than Options.StallAfter.
type Stall struct {
	Timer   Timer         // the timer whose handler runs
	Since   time.Time     // since when the handler runs, or the deletion waits
	For     time.Duration // how long that was when it was noticed
	Waiting bool          // true: a deletion that waits; false: a handler that runs

	Handler      string // the handler's function, file:line; of a method value, where in the method it is now
	HandlerStack string // the stack of the handler's goroutine, as it is now
	WaiterStack  string // that of the deletion's, or of the one that has waited longest, if any waits

	// WaiterStacks are those of all deletions that wait for the handler, the one
	// that has waited longest first, but for DelAsyncs, which have no goroutine,
	// and for those after the first 32.
	WaiterStacks []string

	AllocatedAt  string // file:line, with Options.Debug
	RegisteredAt string // likewise, of the last Register
	Waiters      int    // the deletions that wait for the handler
}

// maxWaiterStacks bounds Stall.WaiterStacks. A deadlock shows in the first few.
const maxWaiterStacks = 32

// Stalls are looked for when the alarm rings. It is set for the time at which
// something that goes on now would have stalled, so a wheel on which nothing
// runs is not woken for it.

// watch makes sure that somebody looks when what began at since has stalled.
// Holds the shard's lock, under which that began: so who ends it, and rearms
// the alarm, comes after.
func (w *Wheel) watch(since int64) {
	if w.onStall != nil {
		w.watchBy(after(since, w.stallAfter))
	}
}

// nextStall returns the time at which the next handler or wait that goes on now
// will have stalled.
func (sh *shard) nextStall() int64 {
	next := int64(never)
	for _, r := range sh.running {
		if !r.reported {
			next = min(next, r.since)
		}
		for x := range r.waits {
			if !x.reported {
				next = min(next, x.since)
			}
		}
	}
	return after(next, sh.w.stallAfter)
}

// reportStalls calls OnStall for what has stalled since it last looked.
func (w *Wheel) reportStalls() {
	now := w.elapsed()
	dump := sync.OnceValue(stacks) // one for all: it stops the world
	for _, sh := range w.shards {
		sh.lock()
		var reports []func(*worker)
		for _, r := range sh.running {
			if !r.reported && now-r.since >= int64(w.stallAfter) {
				r.reported = true
				reports = append(reports, sh.report(r, nil, now, dump))
			}
			for x := range r.waits {
				if !x.reported && now-x.since >= int64(w.stallAfter) {
					x.reported = true
					reports = append(reports, sh.report(r, x, now, dump))
				}
			}
		}
		sh.unlock()
		for _, report := range reports {
			w.send(report)
		}
	}
}

// report prepares the call of OnStall for a run, or for a deletion x that waits
// for it.
func (sh *shard) report(r *worker, x *wait, now int64, dump func() map[uint64]string) func(*worker) {
	s := sh.slots.at(r.i)
	f := *sh.body(r.i)
	if b, ok := f.(*body); ok {
		f = b.f
	}
	stall := Stall{Timer: sh.timer(r.i, s), Waiting: x != nil, Waiters: len(r.waits)}
	from := sh.origin(r.i, s)

	w, handler, since := sh.w, r.goid, r.since
	waiters := r.waitingGoroutines()
	waiter := uint64(0)
	if x != nil {
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

// waitingGoroutines returns the numbers of those that wait for the end of a run,
// the longest wait first, up to a bound. A DelAsync has none.
func (wk *worker) waitingGoroutines() (ids []uint64) {
	byAge := slices.SortedFunc(maps.Keys(wk.waits), func(x, y *wait) int { return cmp.Compare(x.no, y.no) })
	for _, x := range byAge {
		if x.goid != 0 && len(ids) < maxWaiterStacks {
			ids = append(ids, x.goid)
		}
	}
	return ids
}
