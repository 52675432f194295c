package main

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel/examples/internal/progress"
)

// period is how often a device polls its hardware.
const period = 500 * time.Microsecond

// A timer is what a device needs from either library.
type timer interface {
	arm(d time.Duration) // add the timer, or move it if it is pending
	del()                // delete it as well as the library can
	remove() bool        // remove a firing that is still to come, and report whether there was one
	free()
}

// A device is the driver of the mail. After a few polls it deletes its timer and frees its
// memory. From then on gone is true.
type device struct {
	timer  timer
	score  *score
	shared bool // whether a third party adds the timer, too
	gone   atomic.Bool
	inside atomic.Int32 // handlers in flight
}

// A score counts the events of all devices of a run.
type score struct {
	devices, begun atomic.Uint64

	running    atomic.Uint64 // handlers that still ran after the delete had returned
	late       atomic.Uint64 // handlers that began after the delete had returned
	survived   atomic.Uint64 // timers that were armed after the delete had returned
	overlapped atomic.Uint64 // handlers that began while another run of the same timer was in flight
}

// violations returns how often memory would have been used after it was freed, or worse.
func (s *score) violations() uint64 {
	return s.running.Load() + s.late.Load() + s.survived.Load() + s.overlapped.Load()
}

// race runs device after device, n at a time, for a duration.
func race(with string, n int, duration time.Duration, newTimer func(*device) timer) *score {
	s := new(score)
	defer progress.Start(func() string {
		return fmt.Sprintf("with %s: %d devices torn down, %d violations", with, s.devices.Load(), s.violations())
	})()
	end := time.Now().Add(duration)
	var drivers sync.WaitGroup
	for i := range n {
		drivers.Go(func() {
			for time.Now().Before(end) {
				d := &device{score: s, shared: i%2 == 0}
				d.timer = newTimer(d)
				d.live()
			}
		})
	}
	drivers.Wait()
	time.Sleep(10 * period) // so that handlers that begin late are counted, too
	return s
}

// live runs a device from beginning to end, as CPU1 does.
func (d *device) live() {
	var third sync.WaitGroup
	if d.shared {
		third.Go(d.transmit)
	}
	d.timer.arm(rand.N(period))
	time.Sleep(rand.N(4 * period))

	d.timer.del()
	d.gone.Store(true) // a driver in C frees its memory here

	third.Wait()
	d.audit()
	d.timer.free()
	d.score.devices.Add(1)
}

// poll is the handler, on CPU0: it polls the hardware, and arms the timer again.
func (d *device) poll() {
	d.score.begun.Add(1)
	if d.gone.Load() {
		d.score.late.Add(1)
		return
	}
	if d.inside.Add(1) > 1 {
		d.score.overlapped.Add(1)
	}
	defer d.inside.Add(-1)

	time.Sleep(50 * time.Microsecond) // the duration of a poll
	d.timer.arm(period)
	if d.gone.Load() {
		d.score.running.Add(1)
	}
}

// transmit runs on CPU2: every packet moves the timer. It learns of the delete only when
// the device is gone.
func (d *device) transmit() {
	for !d.gone.Load() {
		d.timer.arm(rand.N(2 * period))
		time.Sleep(rand.N(period))
	}
}

// audit counts a re-add that survived the delete. It first waits for handlers that are
// still in flight, because they may make one.
func (d *device) audit() {
	for d.inside.Load() > 0 {
		time.Sleep(10 * time.Microsecond)
	}
	if d.timer.remove() {
		d.score.survived.Add(1)
	}
}
