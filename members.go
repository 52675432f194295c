package timerwheel

import (
	"context"

	"github.com/seed76848005/timerwheel/internal/gostack"
	"github.com/seed76848005/timerwheel/internal/hook"
)

// The members are the goroutines that run functions for the wheel at this moment:
// handlers, OnPanic, OnStall, the done of a DelAsync that had to wait, a lock-bound timer's
// lock. Close waits until there are none, which is why none of them may wait for Close. A
// deletion that must wait looks here whether it was called by a handler. (The goroutine of a
// done that need not wait is only counted: done.go.)
//
// A goroutine is identified by its number (gostack.ID), which costs about a microsecond
// to find out: a worker pays that once in its life, a deletion only when it must wait.
//
// Wheel.mu guards all of it.

// member returns the calling goroutine's worker, nil if it is none of this wheel's, and
// its number.
func (w *Wheel) member() (*worker, uint64) {
	id := gostack.ID()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.members[id], id
}

// calledByMember reports whether the caller is a function that the wheel calls: whether its
// goroutine is a member, or in a done that need not wait (done.go). It looks no further if
// there are none.
func (w *Wheel) calledByMember() bool {
	w.mu.Lock()
	members, dones := len(w.members) > 0, w.dones > 0 // the caller would be one
	w.mu.Unlock()
	if members {
		if wk, _ := w.member(); wk != nil {
			return true
		}
	}
	return dones && w.inDone()
}

// spawn starts a goroutine of the wheel. Only a member may call it: as Close waits for
// the caller, it waits for the new goroutine as well.
func (w *Wheel) spawn(f func(*worker)) {
	w.mu.Lock()
	w.starting++
	w.mu.Unlock()
	w.startMember(f)
}

// spawnUnlessClosed is spawn for callers that are not members. A wheel that is closed may
// have no goroutine any more, and gets no new one: then it reports false.
func (w *Wheel) spawnUnlessClosed(f func(*worker)) bool {
	w.mu.Lock()
	open := !w.closed
	if open {
		w.starting++
	}
	w.mu.Unlock()
	if open {
		w.startMember(f)
	}
	return open
}

// startMember starts a goroutine that counts as starting, and makes it a member.
func (w *Wheel) startMember(f func(*worker)) {
	go func() {
		hook.Begins("a call by the wheel")
		resetLabels()
		wk := &worker{w: w, goid: gostack.ID()}
		w.mu.Lock()
		w.starting--
		w.members[wk.goid] = wk
		w.mu.Unlock()
		defer w.leave(wk)
		f(wk)
	}()
}

// runAsMember runs f in the calling goroutine, as a member unless the wheel is closed.
func (w *Wheel) runAsMember(f func()) {
	wk, id := w.member()
	if wk != nil {
		wk.callNested(f)
		return
	}
	wk = &worker{w: w, goid: id}
	if w.join(wk) {
		defer w.leave(wk)
	}
	wk.callUser(f)
}

// callNested is callUser in a function of the user's, a handler for instance, that may recover
// f's panic and go on.
func (wk *worker) callNested(f func()) {
	defer func(was bool) { wk.inUser = was }(wk.inUser)
	wk.callUser(f)
}

// join makes wk a member, unless the wheel is closed.
func (w *Wheel) join(wk *worker) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.members[wk.goid] = wk
	}
	return !w.closed
}

// leave ends a goroutine's membership. It is deferred: a Goexit ends it, too. A panic of the
// library's own ends the program.
func (w *Wheel) leave(wk *worker) {
	if !wk.inUser || panickedInLibrary() {
		if v := recover(); v != nil {
			crash(v)
		}
	}
	if wk.hired {
		w.mu.Lock()
		w.workers--
		w.mu.Unlock()
	}
	if wk.rearms {
		w.rearm(wk.notBefore)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.members, wk.goid)
	w.noteDeserted()
}

// noteDeserted wakes the calls that wait for it if the wheel has no goroutine any more.
// Holds mu.
func (w *Wheel) noteDeserted() {
	if w.gone != nil && w.deserted() {
		close(w.gone)
		w.gone = nil
	}
}

// deserted reports whether the wheel has no goroutine. Holds mu.
func (w *Wheel) deserted() bool {
	return len(w.members) == 0 && w.starting == 0 && w.dones == 0 && w.alarm.rings == 0
}

// goroutines returns the number of goroutines of the wheel.
func (w *Wheel) goroutines() int {
	if w.manual {
		return 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.members) + w.starting + w.dones
}

// checkContext makes sure, before a call changes anything, that it can wait with a context: one
// that is nil is rejected, and one whose Done panics does it here.
func checkContext(ctx context.Context) {
	if ctx == nil {
		reject("timerwheel: a wait with a nil context")
	}
	ctx.Done()
}

// awaitMembers waits until the wheel has no goroutine, or until ctx ends.
func (w *Wheel) awaitMembers(ctx context.Context) error {
	w.mu.Lock()
	if w.deserted() {
		w.mu.Unlock()
		return nil
	}
	if w.gone == nil {
		w.gone = make(chan struct{})
	}
	gone := w.gone
	w.mu.Unlock()
	return await(ctx, gone)
}

// await waits for done, or until ctx ends. If both have happened, it returns nil.
func await(ctx context.Context, done <-chan struct{}) error {
	hook.Until("the end of a wait", func() bool { return isClosed(done) || isClosed(ctx.Done()) })
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	if isClosed(done) {
		return nil
	}
	return ctx.Err()
}

// isClosed reports whether a channel that carries no values has been closed.
func isClosed(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}
