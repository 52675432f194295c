package stdtime

import (
	"sync"
	"time"
	"weak"

	"github.com/seed76848005/timerwheel"
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

// A tickSender is the part of a Ticker that the wheel holds. It has only a weak
// reference to the channel.
//
// Each period that it is given is a periodic timer of its own on the wheel. A tick of a
// timer that was replaced while the tick was in flight finds under mu that its timer is
// not the current one, and sends nothing.
type tickSender struct {
	w  *timerwheel.Wheel
	to weak.Pointer[channel]

	mu      sync.Mutex
	current timerwheel.Timer // zero if stopped
}

func newTicker(clock Clock, d time.Duration) *Ticker {
	c := make(chan time.Time, 1)
	s := &tickSender{w: clock.w, to: weakRef(c)}
	clock.onUnreachable(c, s)
	s.setPeriod(c, d)
	return &Ticker{C: c, c: c, sender: s}
}

// setPeriod replaces the current timer by one with the period d, or by none if d is 0. As
// in funcTimer.reset, the new timer is armed before the old one is deleted.
func (s *tickSender) setPeriod(c chan time.Time, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.current
	s.current = timerwheel.Timer{}
	if d > 0 {
		s.current = s.w.Every(d, s.tick)
	}
	old.Stop()
	takeBack(c)
}

// tick is the handler of the timers.
func (s *tickSender) tick(t timerwheel.Timer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t != s.current {
		return
	}
	c := strongRef(s.to)
	if c == nil {
		t.Stop()
		return
	}
	trySend(c, s.w.Now())
}

func (s *tickSender) deleteTimer() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current.Stop()
}

// releaseTimer does nothing: the next tick finds that the channel is gone.
func (s *tickSender) releaseTimer() {}
