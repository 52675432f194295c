package timerwheel

import (
	"container/list"
	"fmt"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
)

// This file runs the timers that are bound to a lock of the user's (AllocLocked).
//
// A line is the due timers of one lock, in the order in which a worker came upon them. They
// may be of several shards. There is a line for a lock from the time at which the first of its
// timers is due to the time at which the last of them has run, and one worker serves it: it
// takes the lock, runs the first timer of the line, releases the lock, and so on. A worker that
// comes upon a further timer of the lock puts it into the line and goes on with others. So a
// lock that is held for an hour holds up one worker, however many timers are bound to it.
//
// A timer in a line is pending. It stands in its shard's list of those that are held back, with
// the flag locking, and it can leave the line at any time, at no cost: by a deletion, a move to
// another time, or the end of the wheel. So the worker keeps no timer while it waits for the
// lock. It asks which one is first when it has the lock (takeFirst). A line may be empty by
// then; its worker waits for the lock all the same, and serves those that come in that time.
//
// The worker of a line may have to go: its handler has called Goexit, or has panicked and OnPanic
// is called, which may block; or the handler has released the lock (ReleaseLock), and goes on
// without it. And as it goes on from a shard after a while, so it does from a line:
// others may be due, and there may be no worker for them. It leaves the line to others
// (abandonLine): a line without a worker is due, like a timer, and the next worker that looks for
// work, or has a timer for the line, serves it. Only a line in which a timer stands may be without a
// worker. As workers make the lines, there are few of them.
//
// Rule 10 of sync_del.go is about lines.

// lines are the lines of a wheel. Wheel.mu guards them; unserved is read without it.
type lines struct {
	of       map[sync.Locker]*line
	waiting  list.List    // the lines that no worker serves
	unserved atomic.Int32 // their number
	spare    *line        // one that was removed, for the next one that is made; or nil
}

// A line is the due timers of one lock. Wheel.mu guards it.
type line struct {
	lock  sync.Locker
	wk    *worker       // that serves it; nil if none
	since int64         // since when wk waits for the lock, or the line for a worker, ns since the wheel's base; never: neither
	elem  *list.Element // in lines.waiting; nil if a worker serves the line
	n     int           // the timers that stand in it
	ends  place         // makes a ring of the places: after it the first, before it the last
}

// A place is where a timer stands in a line. Both locks guard line: it is written under
// both, and may be read under one. Wheel.mu guards the rest while line is not nil.
type place struct {
	timer      Timer
	line       *line // nil while the timer stands in none
	prev, next *place
}

// A binding is what a lock-bound timer has beside its body.
type binding struct {
	lock  sync.Locker
	place *place // made when the timer first stands in a line; the shard's lock guards it
}

// A boundBody is the body and the binding of a lock-bound timer, in one allocation.
type boundBody struct {
	body
	binding binding
}

// newBoundBody makes the body of a timer that is bound to a lock.
func newBoundBody(l sync.Locker, f any) *body {
	b := &boundBody{body{f: f}, binding{lock: l}}
	b.bound = &b.binding
	return &b.body
}

// checkLock panics if l cannot be the lock of a timer: if it is nil, or cannot find its line.
// Whether a struct can be compared may depend on what the interfaces in it hold.
func checkLock(caller string, l sync.Locker) {
	if l == nil {
		reject("timerwheel: " + caller + " with a nil lock")
	}
	v := reflect.ValueOf(l)
	if !v.Comparable() {
		reject(fmt.Sprintf("timerwheel: %s with a lock of type %T, which cannot be compared", caller, l))
	}
	if !v.Equal(v) {
		reject(fmt.Sprintf("timerwheel: %s with a lock of type %T that is not equal to itself", caller, l))
	}
}

// bindingOf returns the binding of a lock-bound timer; nil, if it is not lock-bound.
func (sh *shard) bindingOf(i uint32, s *record) *binding {
	if b := sh.bodyOf(i, s); b != nil {
		return b.bound
	}
	return nil
}

// lineUp puts a due timer into the line of its lock, and serves that line if no other worker
// does. It returns what time it is then. Holds the shard's lock, but may let go of it in
// between: as there may be a million such timers, after each batch at least.
func (wk *worker) lineUp(sh *shard, i uint32, s *record, b *binding, now int64) (then int64) {
	if wk.standInLine(sh, i, s, b, now) {
		wk.unlockAndRearm(sh, now)
		wk.serve()
		sh.lock()
		return wk.w.elapsed()
	}
	if wk.linedUp++; wk.linedUp%batch == 0 {
		return wk.giveWay(sh)
	}
	return now
}

// standInLine puts a due timer into the line of its lock. It reports whether wk is to serve
// that line now. Holds the shard's lock.
func (wk *worker) standInLine(sh *shard, i uint32, s *record, b *binding, now int64) (serves bool) {
	if b.place == nil {
		b.place = new(place)
	}
	b.place.timer = sh.timer(i, s)
	s.Flags |= locking
	sh.holdBack(i, s)

	w := wk.w
	w.mu.Lock()
	defer w.unlockLines()
	ln := w.lines.of[b.lock]
	if ln == nil {
		ln = w.lines.add(b.lock)
	}
	ln.push(b.place)
	if ln.wk != nil {
		return false
	}
	wk.adopt(ln, now)
	return true
}

// add makes the line of a lock that has none. Holds mu.
func (all *lines) add(l sync.Locker) *line {
	ln := all.spare
	if all.spare = nil; ln == nil {
		ln = new(line)
		ln.ends.prev, ln.ends.next = &ln.ends, &ln.ends
	}
	if all.of == nil {
		all.of = make(map[sync.Locker]*line)
	}
	ln.lock = l
	all.of[l] = ln
	return ln
}

// remove removes a line in which no timer stands. Holds mu.
func (all *lines) remove(ln *line) {
	delete(all.of, ln.lock)
	ln.lock, ln.wk = nil, nil
	all.spare = ln
}

// adopt makes wk the worker of a line that has none. Holds mu.
func (wk *worker) adopt(ln *line, now int64) {
	wk.line = ln
	ln.wk, ln.since = wk, now
	if ln.elem != nil {
		wk.w.served(ln)
	}
}

// served takes a line off the list of those that no worker serves. Holds mu.
func (w *Wheel) served(ln *line) {
	w.lines.waiting.Remove(ln.elem)
	w.lines.unserved.Add(-1)
	ln.elem = nil
	if w.lines.waiting.Len() == 0 && !w.closed {
		w.lookAgain()
	}
}

// unlockLines ends a critical section of Wheel.mu in which lines may have changed.
func (w *Wheel) unlockLines() {
	if checkInvariants {
		defer w.mu.Unlock() // whatever it finds
		w.checkLines()
		return
	}
	w.mu.Unlock()
}

func (ln *line) empty() bool { return ln.ends.next == &ln.ends }

func (ln *line) push(p *place) {
	p.line, p.prev, p.next = ln, ln.ends.prev, &ln.ends
	p.prev.next, p.next.prev = p, p
	ln.n++
}

func (p *place) leave() {
	p.prev.next, p.next.prev = p.next, p.prev
	p.line.n--
	p.line, p.prev, p.next = nil, nil, nil
}

// leaveLine takes a timer out of its line, if it stands in one. Holds the shard's lock.
func (sh *shard) leaveLine(i uint32, s *record) {
	if s.Flags&locking != 0 {
		sh.leaveLineSlow(i, s)
	}
}

func (sh *shard) leaveLineSlow(i uint32, s *record) {
	s.Flags &^= locking
	p := sh.bindingOf(i, s).place
	w := sh.w
	w.mu.Lock()
	defer w.unlockLines()
	ln := p.line
	p.leave()
	if ln.wk == nil && ln.empty() { // no worker needs to come for it any more
		w.served(ln)
		w.lines.remove(ln)
	}
}

// serveUnserved serves a line that no worker serves, and reports whether there was one.
func (wk *worker) serveUnserved() bool {
	w := wk.w
	if w.lines.unserved.Load() == 0 {
		return false
	}
	now := w.elapsed()
	w.mu.Lock()
	first := w.lines.waiting.Front()
	if first != nil {
		wk.adopt(first.Value.(*line), now)
	}
	w.unlockLines()
	if first == nil {
		return false
	}
	wk.scan(now)
	wk.serve()
	return true
}

// serve runs the timers of wk's line, one at least, until none stands in it, or until wk leaves it
// to another worker. Holds no lock.
func (wk *worker) serve() {
	defer wk.abandonLine() // where it does not return
	leave := wk.line.since + wk.w.hireDelay
	for wk.line != nil {
		wk.serveFirst()
		wk.goOn(leave)
	}
}

// serveFirst runs the timer that is the first of wk's line when wk has the lock. Until then it is
// pending, and anything may happen to it.
func (wk *worker) serveFirst() {
	defer wk.rescue()
	l := wk.line.lock
	if !wk.watchLock() {
		return // a timer that comes later would wait for a worker that is not watched
	}
	wk.userCall(l.Lock)
	wk.unwatchLock()
	wk.locked = l
	if sh, i, s := wk.takeFirst(); s != nil {
		wk.run(sh, i, s, wk.w.elapsed())
		sh.unlock()
	}
	wk.notify()
}

// takeFirst takes the first timer out of wk's line, and returns it with its shard locked; nil, if
// none stands there, or if that one was touched, or leaves the line while the shard is being
// locked, perhaps to come back to its end. Then the worker begins anew, and releases the user's lock
// in between: if it looked again with that lock, others could keep it looking.
func (wk *worker) takeFirst() (sh *shard, i uint32, s *record) {
	t := wk.first()
	if t == (Timer{}) {
		return nil, 0, nil
	}
	sh = t.shard()
	sh.lock()
	if i, s = sh.lookup(t); s != nil && wk.take(sh, i, s) && sh.claim(i, s, wk.w.elapsed()) {
		return sh, i, s
	}
	sh.unlock()
	return nil, 0, nil
}

// first returns the first timer of wk's line; the zero Timer, if none stands there. It records
// that wk does not wait for the lock any more.
func (wk *worker) first() Timer {
	w := wk.w
	w.mu.Lock()
	defer w.unlockLines()
	wk.line.since = never
	return wk.line.ends.next.timer
}

// take takes a timer out of wk's line, if it is the first there, and reports whether it is to
// run. A timer of a closed shard is being dropped. Holds the shard's lock.
func (wk *worker) take(sh *shard, i uint32, s *record) bool {
	w, p := wk.w, sh.bindingOf(i, s).place
	w.mu.Lock()
	defer w.unlockLines()
	if wk.line.ends.next != p {
		return false
	}
	p.leave()
	s.Flags &^= locking
	return !sh.closed
}

// goOn prepares wk for the next timer of its line. If none stands there, it removes the line,
// in the same critical section; if it is time to leave, it leaves the line to others. Now and then
// it yields the processor, for the reason that giveWay gives.
func (wk *worker) goOn(leave int64) {
	if wk.line == nil {
		return // another worker's
	}
	w, now := wk.w, wk.w.elapsed()
	if now >= wk.yieldAfter {
		runtime.Gosched()
		now = w.elapsed()
		wk.yieldAfter = now + int64(timeSlice)
	}
	w.mu.Lock()
	defer w.unlockLines()
	wk.line.since = now
	if wk.line.empty() || now >= leave && !w.manual {
		wk.leaveToOthers()
	}
}

// releaseLock is ReleaseLock for a timer of a wheel. The worker forgets the lock and leaves its
// line first: so another serves that, and the lock is not released again, whatever Unlock does.
func (t Timer) releaseLock() error {
	defer guard()
	wk, _ := t.wheel().member()
	if err := t.mayRelease(wk); err != nil {
		return err
	}
	l := wk.locked
	wk.locked = nil
	wk.abandonLine()
	wk.callNested(l.Unlock)
	return nil
}

// mayRelease returns ErrNotLocked unless wk, whose goroutine calls, is in the handler of the timer
// and holds the lock for it. wk is nil in a goroutine that is not the wheel's.
func (t Timer) mayRelease(wk *worker) error {
	sh := t.shard()
	holds := wk != nil && wk.locked != nil && wk.calling == sh && !wk.inOther()
	sh.lock()
	defer sh.end()
	i, s := sh.lookup(t)
	if holds && s != nil && wk.slot(sh).i == i {
		return nil
	}
	return sh.explain(ErrNotLocked, i, s)
}

// inOther reports whether the handler's goroutine, which calls, is in another function that the wheel
// calls. On a Manual wheel, in the midst of the handler, that may be OnMisuse, or the done of a DelAsync
// that need not wait.
func (wk *worker) inOther() bool {
	w := wk.w
	if wk.inUser || !w.manual {
		return wk.inUser
	}
	w.mu.Lock()
	dones := w.dones
	w.mu.Unlock()
	return dones > 0 && w.inDone()
}

// abandonLine leaves wk's line, if it serves one, to another worker, and makes sure that one
// comes.
func (wk *worker) abandonLine() {
	if wk.line == nil {
		return
	}
	wk.unwatchLock() // if Lock has not returned
	wk.w.mu.Lock()
	defer wk.w.unlockLines()
	wk.leaveToOthers()
}

// leaveToOthers is abandonLine for a worker that serves a line. Holds mu.
func (wk *worker) leaveToOthers() {
	w, ln := wk.w, wk.line
	wk.line = nil
	if ln.empty() {
		w.lines.remove(ln)
		return
	}
	ln.wk, ln.since = nil, w.elapsed()
	ln.elem = w.lines.waiting.PushBack(ln)
	w.lines.unserved.Add(1)
	if w.mayHire() {
		w.setAlarm(ln.since)
	} else {
		w.watchSaturation(ln.since)
	}
}
