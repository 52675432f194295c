package stdtime

import (
	"sync"
	"time"
	"weak"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/internal/own"
)

// A Ticker is a time.Ticker on a wheel. Make one with [Clock.NewTicker]. Its
// methods may be called by several goroutines at once.
type Ticker struct {
	C      <-chan time.Time // on which the ticks are sent
	c      chan time.Time   // keeps the channel alive, whatever the program does to C
	sender *tickSender
}

// Stop ends the ticks: a receive that begins after Stop has returned blocks. It
// does not close the channel. On a Ticker that was not made by NewTicker it does
// nothing.
func (t *Ticker) Stop() {
	if t.sender == nil {
		return
	}
	t.sender.setPeriod(t.c, 0)
}

// Reset restarts the ticks with the period d: the next tick comes when d has
// passed, and a receive that begins after Reset has returned gets no tick from
// before. It also restarts a Ticker that was stopped.
//
// Reset panics if d is not positive, or the Ticker was not made by NewTicker.
func (t *Ticker) Reset(d time.Duration) {
	if d <= 0 {
		panic("stdtime: non-positive interval for Ticker.Reset")
	}
	if t.sender == nil {
		panic("stdtime: Reset called on uninitialized Ticker")
	}
	t.sender.setPeriod(t.c, d)
}

// A tickSender is the part of a Ticker that the wheel holds. It has only a weak reference to
// the channel.
//
// It arms its timer anew at each tick. A tick that was in flight when the Ticker was stopped
// or reset finds under mu that it has no period, or that it is not due yet, and sends nothing.
type tickSender struct {
	own.Firing
	clock Clock
	to    weak.Pointer[channel]

	mu     sync.Mutex
	period time.Duration    // 0 if stopped
	next   time.Duration    // the next instant of the period
	due    time.Duration    // when the timer is due for it
	t      timerwheel.Timer // zero if stopped, or if the wheel was closed before
	after  afterClose
}

func newTicker(clock Clock, d time.Duration) *Ticker {
	c := make(chan time.Time, 1)
	s := &tickSender{clock: clock, to: weakRef(c)}
	s.Firing = own.Firing{Owner: s, Kept: true}
	clock.onUnreachable(c, s)
	s.setPeriod(c, d)
	return &Ticker{C: c, c: c, sender: s}
}

// setPeriod begins anew with the period d; with none, if d is 0.
func (s *tickSender) setPeriod(c chan time.Time, d time.Duration) {
	defer s.Armed(s.clock.w)
	s.mu.Lock()
	defer s.mu.Unlock()
	if d == 0 {
		s.end()
	} else {
		now := s.clock.elapsed()
		next := later(now, d)
		s.arm(next, now)
		s.period, s.next = d, next
	}
	takeBack(c)
}

// arm arms the timer for the time due. Holds mu.
func (s *tickSender) arm(due, now time.Duration) {
	onWheel := !s.after.active() && s.armOnWheel(due, now)
	s.due = due
	if !onWheel {
		s.armAfterClose(now)
	}
}

// armOnWheel arms the wheel's timer. It reports false if the wheel refuses it, and panics, with
// nothing changed, in a bubble that the wheel was not made in. Holds mu.
func (s *tickSender) armOnWheel(due, now time.Duration) bool {
	if s.t == (timerwheel.Timer{}) {
		s.t = s.clock.w.AfterFuncArg(due-now, own.Fire, &s.Firing)
		return s.t != timerwheel.Timer{}
	}
	return s.t.RegisterAt(s.clock.when(due)) == nil
}

// armAfterClose makes package time tick at the time due. Holds mu.
func (s *tickSender) armAfterClose(now time.Duration) {
	s.after.arm(s.due-now, !s.clock.manual, &s.mu, s.tick)
}

// Fire ticks, unless the Ticker has been stopped or reset since the wheel took the firing.
func (s *tickSender) Fire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.period > 0 && !s.after.active() && s.clock.elapsed() >= s.due {
		s.tick()
	}
}

// HandOver makes package time tick.
func (s *tickSender) HandOver(time.Duration, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.period > 0 && !s.after.active() {
		s.armAfterClose(s.clock.elapsed())
	}
}

// tick sends, and arms the timer for the next instant of the period that was not missed. As
// with [timerwheel.Wheel.Every], an instant is missed when the tick in which it lies has ended,
// and two firings are never in one tick. Holds mu.
func (s *tickSender) tick() {
	c := strongRef(s.to)
	if c == nil {
		s.end()
		return
	}
	at := s.clock.Now()
	trySend(c, at)
	now := at.Sub(s.clock.start)
	begin := now - now%s.clock.tick
	missed := max(0, begin-s.next) / s.period
	s.next = later(s.next+missed*s.period, s.period)
	s.arm(max(s.next, later(begin, s.clock.tick)), now)
}

// end stops the ticks, and gives up the timer. Holds mu.
func (s *tickSender) end() {
	s.t.Stop()
	s.after.stop()
	s.period = 0
	_ = s.t.Free()
	s.t = timerwheel.Timer{}
}

func (s *tickSender) deleteTimer() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end()
}

// releaseTimer does nothing: the next tick finds that the channel is gone.
func (s *tickSender) releaseTimer() {}
