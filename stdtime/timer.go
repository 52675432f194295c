package stdtime

import (
	"sync"
	"time"
	"weak"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/internal/own"
)

// A Timer is a time.Timer on a wheel. Make one with [Clock.NewTimer] or
// [Clock.AfterFunc]. Its methods may be called by several goroutines at once.
type Timer struct {
	C    <-chan time.Time // on which the time is sent; nil in a Timer from AfterFunc
	impl timerImpl
}

// A timerImpl implements a Timer: it is a *funcTimer or a *chanTimer. The Timer is a
// part of it, so that both are one allocation.
type timerImpl interface {
	stop() bool
	reset(d time.Duration) bool
}

// Stop prevents the Timer from firing. It reports whether it did: false means that
// the Timer had fired or been stopped before.
//
// A Timer from NewTimer has fired when its value has been received. Until then Stop
// returns true, unless the Timer was stopped before, and takes back a value that
// was sent: a receive that begins after Stop has returned blocks.
//
// A Timer from AfterFunc has fired when f has begun. Stop does not wait for f.
//
// Stop panics if the Timer was not made by NewTimer or AfterFunc.
func (t *Timer) Stop() bool {
	if t.impl == nil {
		panic("stdtime: Stop called on uninitialized Timer")
	}
	return t.impl.stop()
}

// Reset makes the Timer fire when d has passed, instead of when it would have fired
// before. It reports whether that earlier firing was still to come, as Stop does.
//
// With a Timer from NewTimer, a receive that begins after Reset has returned gets
// no value that was sent before.
//
// With a Timer from AfterFunc, f is called again even if it has been called before
// or still runs. Reset does not wait for f, so two calls of f may overlap.
//
// Reset panics if the Timer was not made by NewTimer or AfterFunc.
func (t *Timer) Reset(d time.Duration) bool {
	if t.impl == nil {
		panic("stdtime: Reset called on uninitialized Timer")
	}
	return t.impl.reset(d)
}

// A funcTimer is a Timer from AfterFunc. Each arming is a timer of its own on the wheel,
// without an owner: it fires whether or not the program still has a reference to the
// funcTimer, is recycled after that, and does not wait for a call of f that still runs.
type funcTimer struct {
	Timer
	own.Firing
	clock Clock

	mu    sync.Mutex
	armed bool             // a call of User is to come
	due   time.Duration    // when: a firing that comes before is that of an earlier arming
	next  timerwheel.Timer // its timer on the wheel, or the last one
	after afterClose
}

func newFuncTimer(clock Clock, d time.Duration, f func()) *Timer {
	if f == nil {
		panic("stdtime: AfterFunc with a nil function")
	}
	t := &funcTimer{clock: clock}
	t.impl, t.Firing = t, own.Firing{Owner: t, User: f}
	t.reset(d)
	return &t.Timer
}

// Fire calls f, on a worker, unless the timer has been stopped or reset since the wheel took
// the firing.
func (t *funcTimer) Fire() {
	t.mu.Lock()
	begins := t.armed && !t.after.active() && t.clock.elapsed() >= t.due
	t.armed = t.armed && !begins
	t.mu.Unlock()
	if begins {
		t.User.(func())()
	}
}

// HandOver makes package time call f.
func (t *funcTimer) HandOver(time.Duration, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.armed && !t.after.active() {
		t.armAfterClose(t.clock.elapsed())
	}
}

// armAfterClose makes package time call f at the time due. Holds mu.
func (t *funcTimer) armAfterClose(now time.Duration) {
	t.after.arm(t.due-now, !t.clock.manual, &t.mu, t.callAfterClose)
}

// callAfterClose is called with mu locked, when package time's timer has fired.
func (t *funcTimer) callAfterClose() {
	t.armed = false
	go t.User.(func())()
}

func (t *funcTimer) stop() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next.Stop()
	t.after.stop()
	armed := t.armed
	t.armed = false
	return armed
}

// reset arms the new firing before it deletes the old one, so that the wheel is not idle in
// between: that would cost two changes of its alarm.
func (t *funcTimer) reset(d time.Duration) bool {
	defer t.Armed(t.clock.w)
	t.mu.Lock()
	defer t.mu.Unlock()
	armed, old, now := t.armed, t.next, t.clock.elapsed()
	if !t.after.active() {
		t.next = t.clock.w.AfterFuncArg(d, own.Fire, &t.Firing)
	}
	t.armed, t.due = true, later(now, d)
	if t.after.active() || t.next == (timerwheel.Timer{}) {
		t.armAfterClose(now)
	}
	old.Stop()
	return armed
}

// A chanTimer is a Timer from NewTimer. It is the part that the program holds.
type chanTimer struct {
	Timer
	c      chan time.Time // keeps the channel alive, whatever the program does to Timer.C
	sender *sender
}

// A sender is the part of a chanTimer that the wheel holds. It has only a weak reference to
// the channel.
//
// The rules in this package's documentation need no more than its lock: for a goroutine that
// holds mu, either armed says that the firing is still to come, and clearing it prevents the
// send, or the value has been sent, and can be taken back.
type sender struct {
	own.Firing
	clock Clock
	to    weak.Pointer[channel]

	mu    sync.Mutex
	armed bool             // a send is to come
	due   time.Duration    // when: a firing that comes before is that of an earlier arming
	t     timerwheel.Timer // zero if the wheel was closed before
	after afterClose
}

func newChanTimer(clock Clock, d time.Duration) *Timer {
	c := make(chan time.Time, 1)
	s := &sender{clock: clock, to: weakRef(c)}
	s.Firing = own.Firing{Owner: s, Kept: true}
	clock.onUnreachable(c, s)

	defer s.Armed(clock.w)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := clock.elapsed()
	s.armed, s.due = true, later(now, d)
	s.t = clock.w.AfterFuncArg(d, own.Fire, &s.Firing)
	if s.t == (timerwheel.Timer{}) {
		s.armAfterClose(now)
	}
	t := &chanTimer{c: c, sender: s}
	t.C, t.impl = c, t
	return &t.Timer
}

// Fire sends, unless the timer has been stopped or reset since the wheel took the firing.
func (s *sender) Fire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.armed && !s.after.active() && s.clock.elapsed() >= s.due {
		s.send()
	}
}

// HandOver makes package time send.
func (s *sender) HandOver(time.Duration, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.armed && !s.after.active() {
		s.armAfterClose(s.clock.elapsed())
	}
}

// armAfterClose makes package time send at the time due. Holds mu.
func (s *sender) armAfterClose(now time.Duration) {
	s.after.arm(s.due-now, !s.clock.manual, &s.mu, s.send)
}

// send is called with mu locked.
func (s *sender) send() {
	s.armed = false
	trySend(strongRef(s.to), s.clock.Now())
}

func (t *chanTimer) stop() bool {
	t.sender.mu.Lock()
	defer t.sender.mu.Unlock()
	unsent := t.sender.stop()
	return takeBack(t.c) || unsent
}

// stop prevents the send, and reports whether one was to come.
func (s *sender) stop() (armed bool) {
	s.t.Stop()
	s.after.stop()
	armed, s.armed = s.armed, false
	return armed
}

func (t *chanTimer) reset(d time.Duration) bool {
	s := t.sender
	defer s.Armed(s.clock.w)
	s.mu.Lock()
	defer s.mu.Unlock()
	unsent, now := s.armed, s.clock.elapsed()
	due := later(now, d)
	onWheel := !s.after.active() && s.t.RegisterAt(s.clock.when(due)) == nil
	s.armed, s.due = true, due
	if !onWheel {
		s.armAfterClose(now)
	}
	return takeBack(t.c) || unsent
}

func (s *sender) deleteTimer() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop()
	_ = s.t.Free()
}

// releaseTimer leaves the timer to the wheel, which recycles it when it has fired.
func (s *sender) releaseTimer() { _ = s.t.Free() }
