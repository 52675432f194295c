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
	C <-chan time.Time // on which the ticks are sent
	c chan time.Time   // keeps it alive whatever becomes of C
	s *series
}

// Stop ends the ticks: a receive that begins after Stop has returned blocks. It
// does not close the channel. Of a Ticker that was not made by NewTicker it does
// nothing.
func (t *Ticker) Stop() {
	if t.s == nil {
		return
	}
	t.s.renew(t.c, 0)
}

// Reset begins anew with the period d: the next tick comes when d has passed,
// and a receive that begins after Reset has returned gets none from before. It
// restarts a Ticker that was stopped.
//
// Reset panics if d is not positive, or the Ticker was not made by NewTicker.
func (t *Ticker) Reset(d time.Duration) {
	if d <= 0 {
		panic("stdtime: non-positive interval for Ticker.Reset")
	}
	if t.s == nil {
		panic("stdtime: Reset called on uninitialized Ticker")
	}
	t.s.renew(t.c, d)
}

// A series is the part of a Ticker that the wheel holds. It knows the channel
// only weakly.
//
// Each period that it is given is a periodic timer of its own on the wheel. A
// tick of one that has been replaced, which was in flight then, finds under mu
// that it is not the present one, and sends nothing.
type series struct {
	w  *timerwheel.Wheel
	to weak.Pointer[channel]

	mu      sync.Mutex
	present timerwheel.Timer // zero, if stopped
}

func newTicker(clock Clock, d time.Duration) *Ticker {
	c := make(chan time.Time, 1)
	s := &series{w: clock.w, to: weakly(c)}
	clock.whenLost(c, s)
	s.renew(c, d)
	return &Ticker{C: c, c: c, s: s}
}

// renew replaces the present timer by one with the period d; by none, if d is 0.
// As with a call, the new one comes first.
func (s *series) renew(c chan time.Time, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.present
	s.present = timerwheel.Timer{}
	if d > 0 {
		s.present = s.w.Every(d, s.tick)
	}
	last.Stop()
	takeBack(c)
}

// tick is the handler of the timers.
func (s *series) tick(t timerwheel.Timer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t != s.present {
		return
	}
	c := strongly(s.to)
	if c == nil {
		t.Stop()
		return
	}
	offer(c, s.w.Now())
}

func (s *series) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.present.Stop()
}

// release leaves it to the next tick to find that the channel is gone.
func (s *series) release() {}
