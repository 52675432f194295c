package main

import (
	"time"

	"github.com/seed76848005/timerwheel"
)

// A poller polls for news until there is some.
//
// Its deadlock: the handler itself stops the poller, and stop waits for the
// handler. DelSync detects that: it removes the firing and returns ErrDeadlock
// instead of waiting. (Cure: Del, DelAsync, or not registering again.)
type poller struct {
	timer timerwheel.Timer
	polls int
	ended chan error
}

const pollEvery = 10 * time.Millisecond

func newPoller(w *timerwheel.Wheel) *poller {
	p := &poller{ended: make(chan error, 1)}
	p.timer = w.Alloc(p.poll)
	_ = p.timer.Register(pollEvery)
	return p
}

// poll is the handler.
func (p *poller) poll(timerwheel.Timer) {
	_ = p.timer.Register(pollEvery)
	if p.polls++; p.polls == 3 { // there is news
		p.ended <- p.stop()
	}
}

func (p *poller) stop() error {
	_, err := p.timer.DelSync()
	return err
}
