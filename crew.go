package timerwheel

import (
	"context"
	"runtime"
)

// The crew is the set of goroutines that run functions for the wheel at this
// moment: handlers, OnPanic, OnStall, the done of a DelAsync, a lock-bound
// timer's lock. Close waits until it is empty, which is why none of them may
// wait for Close; and a deletion that must wait asks here whether it was called
// by a handler.
//
// A goroutine is told by its number. Go has no interface for that but the first
// line of a stack trace, which costs about a microsecond: a worker pays that
// once in its life, a deletion only when it must wait.
//
// Wheel.mu guards all of it.

// goid returns the number of the calling goroutine.
func goid() uint64 {
	var buf [64]byte
	return goidOf(buf[:runtime.Stack(buf[:], false)])
}

// goidOf returns the number of the goroutine whose stack this is.
func goidOf[T string | []byte](stack T) (id uint64) {
	for k := len("goroutine "); k < len(stack) && '0' <= stack[k] && stack[k] <= '9'; k++ {
		id = id*10 + uint64(stack[k]-'0')
	}
	return id
}

// member returns the worker that the calling goroutine is, nil if it is none of
// this wheel's, and its number.
func (w *Wheel) member() (*worker, uint64) {
	id := goid()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.members[id], id
}

// send starts a goroutine of the wheel. Only one of them may call it: as Close
// waits for the caller, it waits for that one as well.
func (w *Wheel) spawn(f func(*worker)) {
	w.mu.Lock()
	w.starting++
	w.mu.Unlock()
	w.startMember(f)
}

// sendUnlessClosed is send for everybody else. A wheel that is closed may have
// no goroutine already, and gets none: it reports false.
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

// launch starts a goroutine that is coming.
func (w *Wheel) startMember(f func(*worker)) {
	go func() {
		begins("a call by the wheel")
		wk := &worker{w: w, goid: goid()}
		w.mu.Lock()
		w.starting--
		w.members[wk.goid] = wk
		w.mu.Unlock()
		defer w.leave(wk)
		f(wk)
	}()
}

// invite runs f in the calling goroutine, as a member of the crew unless the
// wheel is closed.
func (w *Wheel) runAsMember(f func()) {
	wk, id := w.member()
	if wk == nil {
		wk = &worker{w: w, goid: id}
		if w.join(wk) {
			defer w.leave(wk)
		}
	}
	f()
}

// enter makes wk a member of the crew, unless the wheel is closed.
func (w *Wheel) join(wk *worker) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.members[wk.goid] = wk
	}
	return !w.closed
}

// goOut ends a goroutine's membership, however it ends.
func (w *Wheel) leave(wk *worker) {
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

// tellDeserted tells those who wait for it that no goroutine is the wheel's
// any more, if that is so. Holds mu.
func (w *Wheel) noteDeserted() {
	if w.gone != nil && w.deserted() {
		close(w.gone)
		w.gone = nil
	}
}

// deserted reports whether no goroutine is the wheel's. Holds mu.
func (w *Wheel) deserted() bool {
	return len(w.members) == 0 && w.starting == 0 && w.alarm.rings == 0
}

// join waits until no goroutine is the wheel's, or until ctx ends.
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

// await waits for done, or until ctx ends. If both are so, it is done.
func await(ctx context.Context, done <-chan struct{}) error {
	until("the end of a wait", func() bool { return ready(done) || ready(ctx.Done()) })
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	if ready(done) {
		return nil
	}
	return ctx.Err()
}

// ready reports whether a channel that is for closing has been closed.
func ready(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}
