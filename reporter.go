package timerwheel

import (
	"runtime"
	"slices"
	"time"
)

// This file calls OnStall.
//
// When the alarm rings and a look is due, a goroutine of the wheel is started for it, so that what
// is due does not wait: it looks, takes the stacks, and starts a goroutine for each call of
// OnStall. There is one such goroutine at a time.
//
// The stacks cost the most. The runtime stops the whole program while it writes them, 4 to 15 µs
// for each goroutine that there is. So one dump serves all that have stalled by then; between two
// there is at least StallAfter, and what stalls in between waits for the next one in a queue;
// and a program with many goroutines gets reports without stacks, at once.

// maxWaiterStacks bounds Stall.WaiterStacks. A deadlock shows in the first few.
const maxWaiterStacks = 32

// startLook starts the goroutine that looks for stalls, if a look is due.
func (w *Wheel) startLook() {
	now := w.elapsed()
	w.mu.Lock()
	s := &w.stalls
	if s.looking || s.planned > now {
		w.mu.Unlock()
		return
	}
	s.looking = true
	latest := s.look(now, w.quarter(), w.stallAfter)
	w.mu.Unlock()
	w.spawn(func(wk *worker) {
		wk.rearms = true // for the next look
		w.reportStalls(latest, now)
	})
}

// reportStalls calls OnStall for what began at latest or before, and has not been reported.
func (w *Wheel) reportStalls(latest, now int64) {
	var found []*report
	for _, sh := range w.shards {
		for more := true; more; {
			var some []*report
			some, more = sh.stalled(latest, now)
			found = append(found, some...)
		}
	}
	if r := w.saturation(latest, now); r != nil {
		w.callOnStall(r)
	}
	w.report(found, now)
	w.mu.Lock()
	w.stalls.looking = false
	w.mu.Unlock()
}

// report calls OnStall for what was found, and for what waits for stacks, unless it must wait for
// the next dump.
func (w *Wheel) report(found []*report, now int64) {
	dumps := w.stallStacks >= 0 && runtime.NumGoroutine() <= w.stallStacks
	w.mu.Lock()
	s := &w.stalls
	s.queue = append(s.queue, found...)
	all := s.queue
	early := now < s.nextDump
	if early && dumps && !(w.closed && w.workers == 0) {
		all = nil
	} else {
		s.queue = nil
	}
	w.mu.Unlock()
	if dumps && !early && anyGoesOn(all) {
		w.takeStacks(all)
	}
	for n, r := range all {
		w.callOnStall(r)
		if n%batch == batch-1 {
			runtime.Gosched() // in a program with one processor the others wait for it
		}
	}
}

// anyGoesOn reports whether any of what has stalled is not over.
func anyGoesOn(all []*report) bool {
	for _, r := range all {
		r.sh.lock()
		goesOn := !r.flight.over || r.waits()
		r.sh.unlock()
		if goesOn {
			return true
		}
	}
	return false
}

// takeStacks adds the stacks to reports.
func (w *Wheel) takeStacks(all []*report) {
	taken := w.elapsed()
	dump := w.dumper.Dump()
	w.mu.Lock()
	w.stalls.nextDump = after(taken, w.stallAfter)
	w.mu.Unlock()

	stacks := make(map[uint64]string) // of the goroutines of which they are wanted
	wanted := make([]wantedStacks, len(all))
	for k, r := range all {
		wanted[k] = r.wanted(taken)
		wanted[k].each(func(id uint64) { stacks[id] = "" })
	}
	for id, stack := range dump.All() {
		if _, ok := stacks[id]; ok {
			stacks[id] = string(stack)
		}
	}
	for k, r := range all {
		r.HandlerStack, r.WaiterStack = stacks[wanted[k].handler], stacks[wanted[k].waiter]
		for _, id := range wanted[k].waiters {
			if stack := stacks[id]; stack != "" {
				r.WaiterStacks = append(r.WaiterStacks, stack)
			}
		}
	}
}

// wantedStacks are the goroutines whose stacks a Stall has. 0 is none.
type wantedStacks struct {
	handler, waiter uint64
	waiters         []uint64
}

func (ws *wantedStacks) each(f func(id uint64)) {
	f(ws.handler)
	f(ws.waiter)
	for _, id := range ws.waiters {
		f(id)
	}
}

// wanted returns the goroutines whose stacks belong to a report, after these were taken. What goes on
// now and had begun by then went on while they were taken; of a goroutine that has ended its run or
// its wait since the report was made, the stack may show anything.
func (r *report) wanted(taken int64) (ws wantedStacks) {
	r.sh.lock()
	defer r.sh.end()
	if r.waits() {
		ws.waiter, r.For = r.wait.goid, time.Duration(taken-r.since)
	}
	if r.flight.over {
		return ws
	}
	ws.handler = r.wk.goid
	if r.Kind == StalledLock {
		r.For = time.Duration(taken - r.since)
		return ws
	}
	ws.waiters, r.Waiters = r.wk.ending.goroutines(taken), r.wk.ending.waiters()
	if r.Kind == StalledHandler {
		r.For = time.Duration(taken - r.since)
		if len(ws.waiters) > 0 {
			ws.waiter = ws.waiters[0]
		}
	}
	return ws
}

// waits reports whether the deletion that has stalled, if it is one, goes on: for the run on account
// of which it was reported, or for one of a few others. Holds the shard's lock.
func (r *report) waits() bool {
	x := r.wait
	if x == nil || x.gaveUp {
		return false
	}
	few := x.edges[max(0, len(x.edges)-scanLen):]
	return !r.flight.over || slices.ContainsFunc(few, func(e edge) bool { return !e.done })
}

// goroutines returns the numbers of the goroutines that have waited for the end of a run since a
// time, the longest wait first, up to a bound. A DelAsync has none. e may be nil.
func (e *ending) goroutines(since int64) (ids []uint64) {
	if e == nil {
		return nil
	}
	for at := e.syncs.Front(); at != nil && len(ids) < maxWaiterStacks && at.Value.(*wait).since <= since; at = at.Next() {
		ids = append(ids, at.Value.(*wait).goid)
	}
	return ids
}

// callOnStall calls OnStall on a goroutine of its own.
func (w *Wheel) callOnStall(r *report) {
	w.spawn(func(wk *worker) {
		r.Since = w.timeAt(r.since)
		r.AllocatedAt, r.RegisteredAt = r.from.allocated.String(), r.from.registered.String()
		r.Handler = functionName(r.code, r.HandlerStack)
		wk.callUser(func() { w.onStall(r.Stall) })
	})
}
