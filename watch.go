package timerwheel

import (
	"container/heap"
	"math"
	"time"
)

// This file knows what may stall, and when the wheel must look for it. Nothing here is kept
// without an OnStall.
//
// # What may stall
//
// Each shard orders the workers that run one of its timers, or wait for the lock of one, by the
// time at which something of theirs began that has not been reported: the run, the wait for the
// lock, or a deletion's wait for the run (watches). So to know when the next look is due takes one
// read, and a look touches what has stalled and nothing else, however much goes on.
//
// # Looks
//
// The alarm rings for a look, even if no worker may be hired. A look reports what began at least
// StallAfter ago, and what an earlier look could have seen, at least a quarter of StallAfter ago.
// So there are two looks at everything that is reported: the first a quarter before it has lasted
// for StallAfter, the second then. If the whole process stood still in between (SIGSTOP, a
// laptop's lid), the first look comes late, and what it finds has a quarter of StallAfter to end.
// A look that comes late by more than that does not report: it counts as a first look. That
// happens once in a row only, because on an overloaded machine every look may be late.
//
// A wheel on which nothing runs and nothing is in line is not woken for looks.

// quarter is how long after one look another may report what both have found.
func (w *Wheel) quarter() int64 { return int64(w.stallAfter / 4) }

// stalls is what a wheel knows of its looks. Wheel.mu guards it.
type stalls struct {
	planned   int64     // when the next look is due; never, while a goroutine looks
	looking   bool      // a goroutine looks, or takes stacks
	first     int64     // a look, at least a quarter before last
	last      int64     // the last look that is a quarter after the one before
	late      bool      // the last look came too late to report anything
	saturated bool      // Saturated has been reported, and is not over
	lost      bool      // the timer that showed this is not in line any more: look at once
	queue     []*report // stalls that wait for the next dump
	nextDump  int64     // not before it the stacks are taken again
}

func newStalls() stalls {
	return stalls{planned: never, first: math.MinInt64, last: math.MinInt64 / 2, nextDump: math.MinInt64}
}

// look records that a look takes place now. It returns the latest begin of what this look
// reports.
func (s *stalls) look(now, quarter int64, after time.Duration) (latest int64) {
	late := now-s.planned > quarter && !s.late
	switch s.late = late; {
	case late:
		s.first, s.last = math.MinInt64, now
	case now-s.last >= quarter:
		s.first, s.last = s.last, now
	}
	s.planned = never
	return min(now-int64(after), s.first)
}

// next returns when the next look at something that began at since is due.
func (s *stalls) next(since, quarter int64, stallAfter time.Duration) int64 {
	reported := after(since, stallAfter)
	switch {
	case reported == never || since <= s.first:
		return reported
	case since <= s.last:
		return max(reported, s.last+quarter)
	}
	return reported - quarter
}

// watch makes sure, with OnStall, that the wheel is awake when it must look at a run or a wait
// that began at since, even if no further worker may be hired. Holds the shard's lock, under
// which it began: so the goroutine that ends it, and rearms the alarm, comes after.
func (w *Wheel) watch(since int64) {
	if w.lookForStalls == nil {
		return
	}
	if at := after(since, w.stallAfter-time.Duration(w.quarter())); at < w.alarm.at.Load() {
		w.mu.Lock()
		w.lookAt(at)
		w.mu.Unlock()
	}
}

// lookAt makes sure that the wheel looks for stalls at a time. Holds mu.
func (w *Wheel) lookAt(at int64) {
	at = max(at, w.elapsed()) // a look is late only if it comes after the time that it was planned for
	w.stalls.planned = min(w.stalls.planned, at)
	w.setAlarm(at)
}

// watchSaturation makes sure, with OnStall, that the wheel looks whether a timer that will be due at a
// time, or later, waits for a worker in vain. Holds mu.
func (w *Wheel) watchSaturation(due int64) {
	if s := &w.stalls; w.lookForStalls != nil && !w.closed && !s.saturated {
		w.lookAt(s.next(due, w.quarter(), w.stallAfter))
	}
}

// plan returns when the wheel must look for stalls next, which is what it remembers. began is the
// earliest begin of what goes on, and due a time that is not after the deadline of the first timer
// in line. Holds mu.
func (w *Wheel) plan(began, due int64) int64 {
	s := &w.stalls
	s.planned = never
	if s.looking {
		return never // this goroutine sets the alarm when it leaves
	}
	s.planned = s.next(began, w.quarter(), w.stallAfter)
	if began <= s.last { // what began after that look must be looked at, too
		s.planned = min(s.planned, after(s.last, w.stallAfter-time.Duration(w.quarter())))
	}
	switch {
	case s.lost:
		s.planned = w.elapsed()
	case !s.saturated && !w.closed && w.workers >= w.maxWorkers:
		_, left := w.lines.waitForWorkers()
		due = min(due, left)
		s.planned = min(s.planned, s.next(due, w.quarter(), w.stallAfter))
	}
	if len(s.queue) > 0 {
		at := s.nextDump
		if w.closed && w.workers == 0 { // they are over, and Close waits
			at = w.elapsed()
		}
		s.planned = min(s.planned, at)
	}
	s.planned = max(s.planned, w.elapsed())
	return s.planned
}

// ---- What may stall ----

// A watched is what may stall of a worker. The lock of the shard in which that began guards it.
type watched struct {
	place  int     // in shard.watches
	key    int64   // since when something goes on that has not been reported; never, if all has
	since  int64   // since when the worker runs its timer, or waits for its lock; never, if that has been reported
	lock   Timer   // for whose lock it waits; the zero Timer, if it runs one
	code   uintptr // of the handler of that
	flight *flight // for those that have reported it
}

// A flight is a run, or a wait for a lock, as its reports see it.
type flight struct {
	over bool // the shard's lock guards it
}

// watchRun has the shard watch a run that begins.
func (sh *shard) watchRun(wk *worker, since int64) {
	if sh.w.lookForStalls != nil {
		wk.watched = watched{key: since, since: since}
		heap.Push(&sh.watches, wk)
	}
}

// watchLock has a shard watch wk, which is going to wait for the lock of its line: that of the
// timer that is the first there. It reports false if no timer is: then there is nothing yet to wait
// for. Holds no lock.
func (wk *worker) watchLock() bool {
	w := wk.w
	if w.lookForStalls == nil {
		return true
	}
	for {
		w.mu.Lock()
		t, since := wk.line.ends.next.timer, wk.line.since
		w.mu.Unlock()
		if t == (Timer{}) {
			return false
		}
		if t.shard().watchWaiter(wk, t, since) {
			return true
		}
	}
}

// watchWaiter has a shard watch a worker that is going to wait for the lock of one of its timers. It
// reports false if the timer has left the line.
func (sh *shard) watchWaiter(wk *worker, t Timer, since int64) bool {
	sh.lock()
	defer sh.end()
	i, s := sh.lookup(t)
	if s == nil || s.Flags&locking == 0 {
		return false
	}
	wk.lockWatcher = sh
	wk.watched = watched{key: since, since: since, lock: t, code: sh.handlerOf(i, s)}
	heap.Push(&sh.watches, wk)
	sh.w.watch(since)
	return true
}

// unwatchLock ends what watchLock has begun. Holds no lock.
func (wk *worker) unwatchLock() {
	if sh := wk.lockWatcher; sh != nil {
		wk.lockWatcher = nil
		sh.lock()
		defer sh.end()
		sh.unwatch(wk)
	}
}

// unwatch ends what watchRun or watchLock has begun.
func (sh *shard) unwatch(wk *worker) {
	if sh.w.lookForStalls == nil {
		return
	}
	heap.Remove(&sh.watches, wk.watched.place)
	if wk.watched.flight != nil {
		wk.watched.flight.over = true
	}
	wk.watched = watched{}
}

// rewatch has the shard watch the deletion that is now the next to be reported of those that
// wait for a run.
func (sh *shard) rewatch(wk *worker) {
	if sh.w.lookForStalls == nil {
		return
	}
	key := min(wk.watched.since, wk.ending.unreported())
	if key != wk.watched.key {
		wk.watched.key = key
		heap.Fix(&sh.watches, wk.watched.place)
	}
}

// lockWait returns for which timer's lock a watched worker waits, and since when. ok is false if
// it waits for none.
func (wk *worker) lockWait() (t Timer, since int64, ok bool) {
	return wk.watched.lock, wk.watched.since, wk.watched.lock != Timer{}
}

// watches are the workers that a shard watches, as a heap: first the one to look at first.
type watches []*worker

// began returns the earliest begin of what goes on and has not been reported; never, if there is
// nothing.
func (ws watches) began() int64 {
	if len(ws) == 0 {
		return never
	}
	return ws[0].watched.key
}

func (ws watches) Len() int           { return len(ws) }
func (ws watches) Less(a, b int) bool { return ws[a].watched.key < ws[b].watched.key }

func (ws watches) Swap(a, b int) {
	ws[a], ws[b] = ws[b], ws[a]
	ws[a].watched.place, ws[b].watched.place = a, b
}

func (ws *watches) Push(wk any) {
	wk.(*worker).watched.place = len(*ws)
	*ws = append(*ws, wk.(*worker))
}

func (ws *watches) Pop() any {
	last := len(*ws) - 1
	wk := (*ws)[last]
	(*ws)[last] = nil
	*ws = (*ws)[:last]
	if c := cap(*ws); c > 64 && last < c/4 { // a peak is over
		*ws = append(make(watches, 0, c/2), *ws...)
	}
	return wk
}
