package timerwheel

import (
	"runtime"
	"strings"
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

	Handler      string // the handler's function, file:line
	HandlerStack string // the stack of the handler's goroutine, as it is now
	WaiterStack  string // that of the deletion's, or of one that waits, if any does

	AllocatedAt  string // file:line, with Options.Debug
	RegisteredAt string // likewise, of the last Register
	Waiters      int    // the deletions that wait for the handler
}

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

	w, handler, waiter, since := sh.w, r.goid, uint64(0), r.since
	if x != nil {
		waiter, since = x.goid, x.since
	} else {
		for first := range r.waits {
			waiter = first.goid
			break
		}
	}
	stall.Since, stall.For = w.timeAt(since), time.Duration(now-since)
	return func(*worker) {
		stall.Handler = functionName(f)
		stall.AllocatedAt, stall.RegisteredAt = from.allocated.String(), from.registered.String()
		stall.HandlerStack, stall.WaiterStack = dump()[handler], dump()[waiter]
		w.onStall(stall)
	}
}

// stacks returns the stacks of all goroutines, by their numbers.
func stacks() map[uint64]string {
	buf := make([]byte, 1<<16)
	n := runtime.Stack(buf, true)
	for n == len(buf) && n < 1<<26 {
		buf = make([]byte, 2*len(buf))
		n = runtime.Stack(buf, true)
	}
	all := make(map[uint64]string)
	for stack := range strings.SplitSeq(string(buf[:n]), "\n\n") {
		all[goidOf(stack)] = stack
	}
	return all
}
