package timerwheel

import (
	"fmt"
	"time"
)

// A Stall is something that has lasted for longer than Options.StallAfter: a handler that runs, a
// deletion that waits for one, a worker that waits for the lock of a timer, or timers that are due
// while all workers are busy.
type Stall struct {
	Timer Timer         // the timer whose handler runs, or for whose lock a worker waits; of Saturated the first in line
	Since time.Time     // since when the handler runs, or the deletion or the worker waits; of Saturated the timer's deadline
	For   time.Duration // how long it had lasted when the wheel took the stacks or, without stacks, when it looked
	Kind  StallKind     // what has stalled
	Due   int           // of Saturated: the timers that are due and wait for a worker

	Handler      string // the timer's function, file:line; of a method value, where in the method it is now
	HandlerStack string // the stack of the goroutine that runs the handler, or waits for the lock, as it is now
	WaiterStack  string // that of the deletion's goroutine, or of the one that has waited longest, if any waits

	// WaiterStacks are the stacks of all deletions that wait for the handler, the one that
	// has waited longest first; without DelAsyncs, which have no goroutine, and without
	// those after the first 32. All stacks are empty if what has stalled was over when they
	// were taken, or if they were not taken: see Options.StallStacks.
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
	StalledLock                      // a worker that waits for the lock that a timer is bound to
	Saturated                        // all MaxWorkers are busy, and timers are due: further ones fire late, or never
)

// String returns the kind in a few words.
func (k StallKind) String() string {
	switch k {
	case StalledHandler:
		return "stalled handler"
	case StalledDeletion:
		return "stalled deletion"
	case StalledLock:
		return "stalled lock"
	case Saturated:
		return "saturated"
	}
	return fmt.Sprintf("StallKind(%d)", int(k))
}

// A report is a Stall in the making: what must be read in the critical section that finds it, and
// what the stacks are chosen by.
type report struct {
	Stall
	code uintptr // of the handler
	from origin

	// The rest is nothing in a report of Saturated, which has no stacks.
	sh     *shard
	wk     *worker
	flight *flight // the run, or the wait for the lock
	wait   *wait   // the deletion that has stalled, if one has
	since  int64   // ns since the wheel's base
}

// newReport makes a report of a timer. Holds the shard's lock.
func (sh *shard) newReport(kind StallKind, i uint32, s *record, since, now int64) *report {
	return &report{
		Stall: Stall{Timer: sh.timer(i, s), Kind: kind, For: time.Duration(now - since)},
		code:  sh.handlerOf(i, s), from: sh.origin(i, s),
		sh: sh, since: since,
	}
}

// stalled takes some of what began at latest or before, and has not been reported. It reports
// whether there may be more.
func (sh *shard) stalled(latest, now int64) (found []*report, more bool) {
	sh.lock()
	defer sh.end()
	for range scanLen {
		if sh.watches.began() > latest {
			return found, false
		}
		if r := sh.takeStall(sh.watches[0], now); r != nil {
			found = append(found, r)
		}
	}
	return found, true
}

// takeStall reports what has lasted longest of what a worker has to report: its run, its wait for
// a lock, or a deletion's wait for the run. It returns nil for a group's deletion that was
// reported on account of another run.
func (sh *shard) takeStall(wk *worker, now int64) (r *report) {
	switch t, since, atLock := wk.lockWait(); {
	case atLock:
		wk.watched.since = never
		r = sh.lockReport(wk, t, since, now)
	case wk.watched.since == wk.watched.key:
		wk.watched.since = never
		r = sh.runReport(wk, StalledHandler, wk.slot(sh).since, now)
	default:
		x := wk.ending.nextUnreported()
		if !x.reported {
			x.reported = true
			r = sh.runReport(wk, StalledDeletion, x.since, now)
			r.wait = x
		}
	}
	sh.rewatch(wk)
	if r != nil {
		if wk.watched.flight == nil {
			wk.watched.flight = new(flight)
		}
		r.wk, r.flight = wk, wk.watched.flight
	}
	return r
}

// runReport makes a report of the timer that a worker runs.
func (sh *shard) runReport(wk *worker, kind StallKind, since, now int64) *report {
	i := wk.slot(sh).i
	r := sh.newReport(kind, i, sh.records.At(i), since, now)
	r.Waiters = wk.ending.waiters()
	return r
}

// lockReport makes a report of a worker that waits for a timer's lock. By now the timer may be
// recycled: then its handler is known all the same.
func (sh *shard) lockReport(wk *worker, t Timer, since, now int64) *report {
	if i, s := sh.lookup(t); s != nil {
		return sh.newReport(StalledLock, i, s, since, now)
	}
	return &report{
		Stall: Stall{Timer: t, Kind: StalledLock, For: time.Duration(now - since)},
		code:  wk.watched.code, sh: sh, since: since,
	}
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

// saturation returns a report if all MaxWorkers are busy, and the first timer in line has been due,
// or the line of a lock without a worker, since latest or before; nil, if not, or if that has been
// reported and is not over.
func (w *Wheel) saturation(latest, now int64) *report {
	w.mu.Lock()
	s := &w.stalls
	full, reported := !w.closed && w.workers >= w.maxWorkers, s.saturated
	s.lost = false
	w.mu.Unlock()
	if !full && !reported {
		return nil
	}
	first, since := w.firstInLine(now)
	saturated := first != nil && (reported || full && since <= latest)
	w.mu.Lock()
	s.saturated = saturated
	s.lost = s.lost && saturated
	unserved, _ := w.lines.waitForWorkers()
	w.mu.Unlock()
	if !saturated || reported {
		return nil
	}
	first.Due = unserved
	for _, sh := range w.shards {
		earliest := int64(never)
		first.Due += sh.countDue(now, isOwn|running|locking, &earliest)
	}
	first.sh = nil
	return first
}

// firstInLine returns a report of the first timer in line for a worker, and since when one waits; nil
// and never, if there is none. It chooses a witness: a timer that shows, as long as it is in line, that
// there is one.
func (w *Wheel) firstInLine(now int64) (first *report, since int64) {
	since = never
	for _, sh := range w.shards {
		for more := true; more; {
			sh.lock()
			var i uint32
			var s *record
			if i, s, more = sh.nextInLine(now); s != nil {
				if first == nil {
					sh.setWitness(i)
				}
				if first == nil || s.When < first.since {
					first = sh.newReport(Saturated, i, s, s.When, now)
					since = s.When
				}
			}
			sh.unlock()
		}
	}
	r, left := w.firstUnserved(now)
	if r != nil && (first == nil || r.since < first.since) {
		first = r
	}
	return first, min(since, left)
}
