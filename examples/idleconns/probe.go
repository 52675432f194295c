package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
)

// A probe measures how late one-shots begin beside the connections: again and again it makes
// one with the wheel and one with package time, for the same time.
type probe struct {
	wheel, std lateness
	count      uint64 // of each
}

// run returns when ctx has ended and all one-shots have returned.
func (p *probe) run(ctx context.Context, srv *server) {
	const pause = 2 * time.Millisecond // so few that they are no load
	var pending sync.WaitGroup
	var ours []timerwheel.Timer
	for ; ctx.Err() == nil; p.count++ {
		d := rand.N(srv.idle)
		due := srv.clock() + d
		begins := func(l *lateness) func() {
			pending.Add(1)
			return func() {
				l.add(due, srv.clock())
				pending.Done()
			}
		}
		ours = append(ours, srv.wheel.AfterFunc(d, begins(&p.wheel)))
		time.AfterFunc(d, begins(&p.std))
		time.Sleep(pause)
	}
	pending.Wait()
	for _, t := range ours {
		t.DelSync() // a handler that is Done may not have returned yet
	}
}
