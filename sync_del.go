package timerwheel

import (
	"container/list"
	"context"
	"slices"

	"github.com/seed76848005/timerwheel/internal/levels"
)

// Deletion that waits.
//
// # Ground rules
//
// The promises of DelSync rest on these rules. Each says what would break without it
// ("Closed by it"); the tests that show it are in docs/promises.md.
//
// Locks. There are two kinds, and one order: a shard's mutex before Wheel.mu, never the
// other way round; no goroutine holds the mutexes of two shards. Neither is held while a
// function of the user runs (a handler, OnPanic, OnStall, done, a timer's lock), nor an own
// firing's Fire or HandOver, nor during a wait for anything but a mutex of ours. The locks of
// stdtime and timerctx come before both.
//
// Rule 1: identity. Every call that is given a handle looks its generation up under the
// shard's lock, and does its work in the same critical section; or it changes a word that has
// the generation, by a compare-and-swap (rules 11 and 12). Nothing that was learned
// about a timer outlives the critical section: code that lets go of the lock keeps the
// handle, not the record, and looks again. Closed by it: the handle that reaches the
// record's next tenant.
//
// Rule 2: publish at once. The critical section that takes a due timer off the wheel puts
// it into the worker's running slot (begin). There is no moment at which a timer is
// neither pending nor running, and about to run. Closed by it: the delete that finds
// nothing, and returns just before the handler starts.
//
// The firings of the library's own packages (own.go) are the exception: they have no run.
// The critical section that takes one off the wheel also drops the wheel's reference, which
// recycles the record unless its timer has an owner (takeOwn). Rule 1 holds for their handles,
// and the goroutine that fires keeps the *own.Firing, not the handle. From then on a deletion,
// DelSync too, finds nothing and does not wait, although Fire may still run, or has yet to be
// called. The same holds for HandOver while the wheel is being closed. So stdtime and timerctx
// give their users no such handle, and what they promise (no value after Stop; a context ends
// once) rests on a lock of the owner's: Fire and HandOver look under it whether the arming
// still counts, and Stop and Reset decide that under it.
//
// Rule 3: the run holds a reference. While a timer runs it is not recycled, no matter
// which goroutine frees it (flag running, release). So a running slot's timer is the one
// that was put there, and a handler's own handle is always valid. Closed by it: the
// tenant that is taken for the timer that ran before it.
//
// Rule 4: one run at a time. A timer that falls due while it runs is held back: pending, in
// a list that no worker takes timers from (holdBack). The worker that ends the run puts it
// back. Closed by it: the handler that runs on two processors, of which a deletion sees one.
//
// Rule 5: mark before wait. A deletion that finds its timer running removes the firing,
// marks the run (flag deleting) and joins the run's waiters, in one critical section
// (enlist). A marked timer refuses to be registered. Closed by it: the third processor,
// which re-adds the timer while the second waits for the first; and the handler that
// re-adds itself.
//
// Rule 6: wait for the run, not for the timer. A waiting deletion watches a channel that
// the end of the run closes (ending). It holds no reference, and does not look at the
// timer again; what it saw before is enough for its answer. Each run that is waited for has an
// ending of its own, which its first waiter makes; none serves two runs. Closed by it: the
// wait that reads freed storage, or waits for its next tenant, or for the worker's next run.
//
// Rule 7: the end is one critical section. The running slot is cleared, the mark removed,
// the waits ended and the timer put back or recycled (finish), all before any other
// goroutine can see a part of it. Only after that is a timer's own lock released, and are
// the waiters woken (notify). The same holds however a handler ends: by returning, by a
// panic, by Goexit (rescue), and whether the worker serves a line (rule 10) or not. Closed by
// it: the waiter that is woken to find the handler still in flight; the refusal that outlives
// its run; and the owner of a timer's lock that finds its handler running.
//
// A handler that has released its timer's lock itself (ReleaseLock) is the exception: from
// then on its run is that of a timer without a lock, and the holder of the lock may find it. The
// worker forgets the lock before it is released (worker.locked), so it is released once, however
// the handler ends.
//
// Rule 8: no wait in a circle. A call that is about to wait follows, under Wheel.mu, the
// waits of the handlers that it would wait for (reaches), and adds its own in the same
// critical section. If one of those handlers waits for the caller's, the call does not
// wait: ErrDeadlock. The edges of a wait go with the runs and with the wait, never later:
// finish marks the run's ending as done, and abandon records that the handler waits no
// more, under the same two locks. So of several deletions that close a circle the last one
// sees it, and only that one. A DelAsync blocks no goroutine, so no circle passes through it.
//
// Rule 9: a deletion never waits for what has not begun. A timer that is due, held back, or
// in the line of its lock is pending, and is taken off the wheel, and out of the line, where
// it stands. Closed by it: the deletion that waits for a handler that waits for the worker,
// or the lock, that the deleter holds.
//
// Rule 10: one line a lock. A due timer that is bound to a lock is held back (rule 4) in the
// line of that lock (lines.go, flag locking). One worker serves a line: it waits for the
// lock, looks up the timer that is first by then (rule 1), and takes it out of the line and
// into its running slot in one critical section (rule 2). Whatever else takes a timer off the
// wheel, or moves it, takes it out of its line in the same critical section. A worker that
// stops serving finds the line empty, and removes it, in one critical section of Wheel.mu;
// otherwise it leaves the line to another worker (abandonLine). So does a worker whose handler
// releases the lock, before it is released. Closed by it: the second worker
// that waits for a lock; the timer that stands in a line that no worker comes to, or only after
// a handler that has no part in the lock any more; and the line that grows with timers that were
// deleted.
//
// Rule 11: a word for calls that take no lock. A Touch, and a move to a later time, look up no record. They
// change the timer's word (word.go) by a compare-and-swap that carries the generation, and only while
// the word is open: while the timer is pending, and stands where it is looked at in time. The critical
// section that ends that (the begin of a run, a deletion, a Register under the lock that moves it, Close)
// closes the word, and what was written by then came before it. So a record is recycled, and its chunk given
// back, with closed words. The word says in which tick the timer is due. The exact deadline lies beside it, and
// is written first: it counts only if it lies in that tick, as it may be that of a call whose swap fails. What
// refuses a Register needs no look at the word: it comes with a deletion, which has closed it. (While a
// group's deletion, or Close, walks through its timers, a move that comes before the timer's turn is a
// Register before the deletion.) A word is opened last, when the timer stands in its bucket.
//
// A timer that is due is looked at before it begins: its word is closed, and if it was moved, it
// does not begin (isUp). Until then it stands in the list Due with its word open: a call that only asks for
// its deadline leaves that open. The word of an idle timer stays open during a look, and during a RegisterIdle:
// a Touch that finds it closed must mean that the timeout is over. So a run of an idle timer begins
// by the compare-and-swap from "not touched" to "closed" (claim). A look removes the mark first, and
// reads the clock then; and no deadline goes by a clock that was read before another look's was (armIdle).
//
// Closed by it: the move, or the Touch, that reaches the record's next tenant; the one that succeeds while
// the handler begins, or after a deletion; the Touch that returns false although the timer is pending as
// an idle timeout; and the deadline that is less than a period after the Touch.
//
// Rule 12: stopped in its place. A Del, Stop or DelSync of an owned timer whose word is open takes no lock
// either: it changes the word to parked (parked.go). (Where the word is closed, a deletion that is not the
// timer's first parks it under the lock. The other deletions take it off the wheel.) The timer is no longer pending, but its record stands in its
// bucket as if it were, until a goroutine with the lock looks: that goes by the word (isPending), or
// closes it, and then takes the timer off the wheel (shut), before it does anything else. A Register
// for the same tick or a later one opens the word again, and the timer stands where it is looked at in
// time. Only a word that was opened while the timer had an owner and did not run can be parked: so such
// a deletion has found no run, and drops no record. The begin of a run closes the word, and the Free
// of the last owner makes it one that cannot be parked (disown). Closed by it: the firing that begins after its deletion; the
// one-shot whose storage outlives its Stop; the deletion that does not see the run.
//
// How many words are open is counted in lanes, without the lock. A Register adds one to the timer's lane
// before it opens the word, but takes the lock where the lane counts none. A deletion takes one away after
// it has parked the word, and where that was the lane's last, it takes the lock and looks whether anything else is pending. So with the
// lock a shard in which nothing pends is known as such: its anchor is gone, and no wake-up looks at it.
// And where a Register finds a number above zero, the alarm is set for all buckets that are not empty.
// (While many timers that are in no lane pend, the shard is not drained whatever the lanes count: so each
// counts one too many then, and none becomes empty: setBallast.)
// Closed by it: the wheel that is woken, or not collected, because of what was parked; and the Register
// without the lock on a shard that no wake-up looks at.
//
// # How long that takes
//
// Each of these critical sections does the same work whether one deletion waits for a run
// or ten thousand, and whether one run is in flight or ten thousand, with two exceptions:
// findRun, and the looks for handlers that block, read that many running slots in a row.
// Work that has to do something for each of many (a group's deletion,
// abandon, reportStalls, Running) lets go of the locks after a few of them. Only reaches
// and circleTo follow chains of waits to their ends, and Inspect the runs that one group's
// deletion waits for.
//
// # What a deletion cannot see
//
// Rule 8 sees the handlers of one wheel. Waits that lead through two wheels, through a
// goroutine that a handler started and waits for, or through a lock of the user's are
// invisible to it. DelSync's documentation draws them.

// A wait is a deletion that waits for runs to end.
type wait struct {
	edges  []edge  // the runs, those that have ended included; written under both locks, read under one, or by the waiting goroutine, which alone writes it
	done   func()  // of a DelAsync
	group  *Group  // of a group's deletion
	from   *worker // the worker in whose handler the deletion was called, if it was
	circle *circle // with Debug, the circle that the wait would have closed
	goid   uint64  // the goroutine that waits
	at     callers // where it called the deletion
	since  int64   // since when, ns since the wheel's base

	reported bool // as stalled; the shard's lock guards it
	gaveUp   bool // it waits no more, though its runs may go on; likewise
}

// An edge is one deletion's wait for one run.
type edge struct {
	*ending
	elem *list.Element // in the run's queue
}

// An ending is the end of a run, as its waiters see it. The first waiter makes it. They
// share it, so that a run ends in the same time whether one deletion waits for it or ten
// thousand. wk and over never change; the shard's lock guards the rest until the run has
// ended, and from then on it is the worker's alone (notify).
type ending struct {
	wk     *worker       // whose run it is
	over   chan struct{} // closed after the run has ended
	done   bool          // the run has ended; written under both locks, read under one
	syncs  queue         // the deletions that wait for it
	asyncs queue         // the DelAsyncs that do
	group  *Group        // whose deletion waits for it, if one does
	groups int           // the number of that group's deletions that do
}

// A queue is the deletions that wait for one run, in their order.
type queue struct {
	list.List
	unreported *list.Element // the first that has not been reported as stalled; nor have those after it, on account of this run
}

// delete removes the firing of a timer, in the caller's critical section, and returns what
// it found. s is nil if the timer is stale or was recycled.
func (sh *shard) delete(t Timer, mark levels.Flags) (i uint32, s *record, found Found) {
	i, s = sh.lookup(t)
	if s == nil {
		return i, nil, found
	}
	found.Running = s.Flags&running != 0
	if mark == 0 && sh.mayPark(i, s) {
		sh.park(i, s)
		found.Pending = true
		return i, s, found
	}
	found.Pending = sh.disarm(i, s)
	s.Flags |= mark | reused
	if sh.release(i, s) {
		s = nil
	}
	return i, s, found
}

// del is Del, and with the mark shutdown Shutdown.
func (t Timer) del(mark levels.Flags) Found {
	if t.w == nil {
		return Found{}
	}
	t.wheel().checkDeletion()
	if mark == 0 && t.stop() {
		return Found{Pending: true}
	}
	sh := t.shard()
	defer guard()
	sh.lock()
	_, _, found := sh.delete(t, mark)
	sh.unlock()
	return found
}

// delSync is DelSync, and with the mark shutdown ShutdownSync. Finding out which goroutine
// calls takes too long for the common case, in which the timer does not run, and for a
// critical section. So delSync looks first, and only if the timer runs it finds out, and
// begins anew.
func (t Timer) delSync(ctx context.Context, mark levels.Flags) (Found, error) {
	if t.w == nil {
		return Found{}, nil
	}
	t.wheel().checkDeletion()
	if mark == 0 && t.stop() {
		return Found{Pending: true}, nil
	}
	sh := t.shard()
	defer guard()
	sh.lock()
	if _, s := sh.lookup(t); s == nil || s.Flags&running == 0 {
		_, _, found := sh.delete(t, mark)
		sh.unlock()
		return found, nil
	}
	sh.unlock()

	t.wheel().checkBubble()
	checkContext(ctx)
	x := t.wheel().newWait()
	sh.lock()
	i, s, found := sh.delete(t, mark)
	deadlock := false
	if found.Running {
		deadlock = !sh.enlist(x, sh.findRun(i))
		if !deadlock {
			s.Flags |= deleting
		}
	}
	sh.unlock()
	switch {
	case deadlock:
		return found, x.deadlock(t.wheel())
	case !found.Running:
		return found, nil
	}
	return found, sh.await(ctx, x)
}

// newWait prepares a wait of the calling goroutine.
func (w *Wheel) newWait() *wait {
	from, id := w.member()
	return &wait{from: from, goid: id, at: here()}
}

// enlist makes x wait for a run, unless that waits for x in turn: it reports whether x
// waits now. Holds the shard's lock.
func (sh *shard) enlist(x *wait, r *worker) bool {
	w := sh.w
	first := len(x.edges) == 0
	if first {
		x.since = w.elapsed()
	}
	w.mu.Lock()
	if x.from != nil && r.reaches(x.from, nil) {
		if w.debug {
			x.circle = r.circleTo(x)
		}
		w.mu.Unlock()
		return false
	}
	sh.addEdge(x, r)
	w.mu.Unlock()
	if first {
		sh.counters.syncWaits++
	}
	w.watch(x.since) // each time: since the last one a group's deletion may have let go of the lock
	return true
}

// addEdge adds the edge from x to a run. Holds both locks.
func (sh *shard) addEdge(x *wait, r *worker) {
	e := r.ending
	if e == nil {
		e = &ending{wk: r, over: make(chan struct{})}
		r.ending = e
	}
	x.edges = append(x.edges, edge{e, e.queue(x).push(x)})
	if x.from != nil {
		x.from.waiting = x
	}
	if x.group != nil {
		e.group = x.group
		if e.groups++; e.groups == 1 {
			x.group.deleting++
		}
	}
	sh.rewatch(r)
}

// queue returns the queue in which x stands, or will stand.
func (e *ending) queue(x *wait) *queue {
	if x.done != nil {
		return &e.asyncs
	}
	return &e.syncs
}

func (q *queue) push(x *wait) *list.Element {
	at := q.PushBack(x)
	if q.unreported == nil {
		q.unreported = at
	}
	return at
}

func (q *queue) remove(at *list.Element) {
	if q.unreported == at {
		q.unreported = at.Next()
	}
	q.Remove(at)
}

// unreported returns since when the deletion waits that is the next to be reported as
// stalled; never, if there is none. e may be nil.
func (e *ending) unreported() int64 {
	since := int64(never)
	if e == nil {
		return since
	}
	for _, q := range []*queue{&e.syncs, &e.asyncs} {
		if q.unreported != nil {
			since = min(since, q.unreported.Value.(*wait).since)
		}
	}
	return since
}

// waiters returns the number of deletions that wait for the end of a run. e may be nil.
func (e *ending) waiters() int {
	if e == nil {
		return 0
	}
	return e.syncs.Len() + e.asyncs.Len()
}

// reaches reports whether the worker's handler waits, by any chain, for the end of
// target's, or is that. Holds Wheel.mu.
func (wk *worker) reaches(target *worker, seen map[*worker]bool) bool {
	if wk == target {
		return true
	}
	if wk.waiting == nil || seen[wk] {
		return false
	}
	if seen == nil {
		seen = make(map[*worker]bool)
	}
	seen[wk] = true
	return slices.ContainsFunc(wk.waiting.edges, func(e edge) bool { return !e.done && e.wk.reaches(target, seen) })
}

// await waits until the runs that x waits for have ended, or ctx ends. It touches no
// timer.
func (sh *shard) await(ctx context.Context, x *wait) error {
	for _, e := range x.edges {
		if err := await(ctx, e.over); err != nil {
			if sh.abandon(x) {
				return err
			}
			return nil // they have ended by now
		}
	}
	x.detach(sh.w)
	return nil
}

// detach records that the handler in which a deletion was called waits no more: it takes
// no part in circles.
func (x *wait) detach(w *Wheel) {
	if x.from != nil {
		w.mu.Lock()
		x.from.waiting = nil
		w.mu.Unlock()
	}
}

// abandon gives up a wait, and reports whether there was still something to wait for. The
// runs stay marked until they end. It lets go of the lock after every batch.
func (sh *shard) abandon(x *wait) (waited bool) {
	sh.lock()
	defer sh.end()
	x.detach(sh.w)
	x.gaveUp = true
	for n, e := range x.edges {
		if n%batch == batch-1 {
			sh.unlock()
			sh.lock()
		}
		if !e.done {
			sh.forget(x, e)
			waited = true
		}
	}
	return waited
}

// forget takes a deletion that gives up from the queue of a run.
func (sh *shard) forget(x *wait, e edge) {
	e.queue(x).remove(e.elem)
	if x.group != nil {
		if e.groups--; e.groups == 0 {
			x.group.deleting--
		}
	}
	sh.rewatch(e.wk)
}

// endWaits ends the waits for a run. notify wakes the waiters, when no lock is held any
// more. Holds the shard's lock.
func (wk *worker) endWaits() {
	e := wk.ending
	wk.w.mu.Lock()
	e.done = true
	wk.w.mu.Unlock()
	if e.groups > 0 {
		e.group.deleting--
	}
	wk.ending, wk.ended = nil, e
}

// delAsync is DelAsync for a timer of this wheel.
func (t Timer) delAsync(done func()) Found {
	t.wheel().checkBubble()
	sh := t.shard()
	defer guard()
	sh.lock()
	i, s, found := sh.delete(t, 0)
	if !found.Running {
		sh.unlock()
		t.wheel().callDone(done)
		return found
	}
	x := &wait{done: done, at: here()}
	sh.enlist(x, sh.findRun(i))
	s.Flags |= deleting
	sh.unlock()
	return found
}

// callDone calls the done of a DelAsync whose wait is over.
func (x *wait) callDone(wk *worker) {
	if wk.w.manual {
		wk.callUser(x.done) // in the Advance that has run the handler
		return
	}
	wk.w.spawn(func(wk *worker) { wk.callUser(x.done) })
}
