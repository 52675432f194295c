package clock_test

import (
	"time"

	"github.com/go-co-op/gocron/v2"
	"github.com/jonboulle/clockwork"
)

// A program takes a Clock, and logs events.
type program func(c clockwork.Clock, logf func(format string, a ...any))

var programs = map[string]program{
	"debounce":  debounce,
	"heartbeat": heartbeat,
	"retry":     retry,
	"idle":      idle,
	"batch":     batch,
	"scheduler": scheduler,
}

// debounce postpones a call several times, and reuses its timer afterwards.
func debounce(c clockwork.Clock, logf func(string, ...any)) {
	t := c.AfterFunc(300*time.Millisecond, func() { logf("called") })
	logf("a channel: %t", t.Chan() != nil)
	for range 3 {
		c.Sleep(200 * time.Millisecond)
		logf("put off: %t", t.Reset(300*time.Millisecond))
	}
	c.Sleep(400 * time.Millisecond)
	logf("stopped: %t", t.Stop())
	logf("armed again: %t", t.Reset(100*time.Millisecond))
	c.Sleep(200 * time.Millisecond)
	logf("armed again: %t", t.Reset(200*time.Millisecond))
	c.Sleep(100 * time.Millisecond)
	logf("stopped: %t", t.Stop())
	logf("stopped twice: %t", t.Stop())
	c.Sleep(time.Second)
}

// heartbeat receives ticks, falls behind, changes the period, and stops.
func heartbeat(c clockwork.Clock, logf func(string, ...any)) {
	start := c.Now()
	t := c.NewTicker(100 * time.Millisecond)
	beat := func() {
		at := <-t.Chan()
		logf("the beat of %v", at.Sub(start).Truncate(grain))
	}
	beat()
	beat()
	c.Sleep(370 * time.Millisecond)
	beat() // the first of those that it missed
	beat() // the next that is due
	t.Reset(250 * time.Millisecond)
	beat()
	beat()
	c.Sleep(300 * time.Millisecond)
	t.Reset(200 * time.Millisecond) // drops the beat that was not received
	beat()
	c.Sleep(300 * time.Millisecond)
	t.Stop()
	select {
	case <-t.Chan():
		logf("a beat after Stop")
	case <-c.After(time.Second):
		logf("silence")
	}
}

// retry waits longer after each try, until its deadline.
func retry(c clockwork.Clock, logf func(string, ...any)) {
	start := c.Now()
	deadline := start.Add(2 * time.Second)
	for wait := 100 * time.Millisecond; c.Until(deadline) > 0; wait *= 2 {
		logf("try after %v", c.Since(start).Truncate(grain))
		<-c.After(wait)
	}
	<-c.After(0)
	<-c.After(-time.Hour)
	c.Sleep(0)
	c.Sleep(-time.Hour)
	logf("given up")
}

// idle resets a timer without draining its channel, as one may since Go 1.23.
func idle(c clockwork.Clock, logf func(string, ...any)) {
	start := c.Now()
	t := c.NewTimer(150 * time.Millisecond)
	logf("the firing of %v", (<-t.Chan()).Sub(start).Truncate(grain))
	t.Reset(100 * time.Millisecond)
	c.Sleep(200 * time.Millisecond) // it fires, and its value is not received
	logf("reset: %t", t.Reset(300*time.Millisecond))
	logf("the firing of %v", (<-t.Chan()).Sub(start).Truncate(grain))
	logf("reset: %t", t.Reset(100*time.Millisecond))
	c.Sleep(200 * time.Millisecond)
	logf("stopped: %t", t.Stop())
	logf("stopped twice: %t", t.Stop())
	select {
	case <-t.Chan():
		logf("received from a stopped timer")
	case <-c.After(time.Second):
		logf("silence")
	}
	logf("reset: %t", t.Reset(0))
	<-t.Chan()
	logf("and received")
}

// batch collects items, and flushes when it has enough or when the first item has waited
// long enough.
func batch(c clockwork.Clock, logf func(string, ...any)) {
	items := make(chan int)
	go func() {
		defer close(items)
		for k := range 12 {
			c.Sleep(time.Duration(50*k) * time.Millisecond)
			items <- k
		}
	}()
	var held []int
	flush := c.NewTimer(time.Hour)
	flush.Stop()
	for {
		select {
		case k, more := <-items:
			if !more {
				logf("the rest: %v, stopped: %t", held, flush.Stop())
				return
			}
			if held = append(held, k); len(held) == 1 {
				flush.Reset(420 * time.Millisecond)
			}
			if len(held) == 4 {
				logf("full: %v, stopped: %t", held, flush.Stop())
				held = nil
			}
		case <-flush.Chan():
			logf("old: %v", held)
			held = nil
		}
	}
}

// scheduler uses a program that was not written for these tests: a gocron.Scheduler,
// which takes a clockwork.Clock.
func scheduler(c clockwork.Clock, logf func(string, ...any)) {
	s, err := gocron.NewScheduler(gocron.WithClock(c), gocron.WithLocation(time.UTC))
	check(err)
	task := func(name string) gocron.Task { return gocron.NewTask(func() { logf("%s runs", name) }) }
	often, err := s.NewJob(gocron.DurationJob(700*time.Millisecond), task("often"))
	check(err)
	_, err = s.NewJob(gocron.CronJob("*/2 * * * * *", true), task("by cron"))
	check(err)
	_, err = s.NewJob(gocron.OneTimeJob(gocron.OneTimeJobStartDateTime(c.Now().Add(1500*time.Millisecond))), task("once"))
	check(err)
	_, err = s.NewJob(gocron.DurationJob(time.Second), task("limited"), gocron.WithLimitedRuns(3))
	check(err)
	s.Start()
	c.Sleep(5*time.Second + 300*time.Millisecond)
	check(s.RemoveJob(often.ID()))
	logf("often is removed")
	c.Sleep(4 * time.Second)
	check(s.Shutdown())
	logf("shut down")
	c.Sleep(4 * time.Second)
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
