package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/stdtime"
	"github.com/seed76848005/timerwheel/timerctx"
)

// This file is the actor that uses a wheel through stdtime and timerctx: their firings need no
// worker, and go on when the wheel is closed.

// clockUser waits for a firing, or prevents it.
func clockUser(inst *instance, rec *opRecorder) {
	use := []func(*instance, *opRecorder, stdtime.Clock){sleep, receive, call, ticks, timeout}[rand.IntN(5)]
	rec.do(vClock, func() { use(inst, rec, stdtime.On(inst.w)) })
}

// hasTime reports whether the wheel's time goes on. That of a closed Manual wheel stands still.
func (inst *instance) hasTime() bool { return inst.kind != manual || !inst.isClosing() }

// arms counts firings that may be counted in Stats.Fired, although no handler of the instance
// begins.
func (inst *instance) arms(n int64) { inst.ownArmed.Add(n) }

// sleep must end, and not early.
func sleep(inst *instance, _ *opRecorder, c stdtime.Clock) {
	d := soon()
	inst.arms(1)
	start := inst.now()
	c.Sleep(d)
	if took := inst.now().Sub(start); !neverEarly.holds(took >= d || !inst.hasTime()) {
		neverEarly.fail("Sleep(%v) on %s ends after %v", d, inst, took)
	}
}

// receive gets the value of a timer, or stops the timer in time.
func receive(inst *instance, _ *opRecorder, c stdtime.Clock) {
	d := soon()
	inst.arms(2)
	tm := c.NewTimer(time.Hour)
	start := inst.now()
	tm.Reset(d)
	received := false
	select {
	case <-tm.C:
		received = true
		if took := inst.now().Sub(start); !neverEarly.holds(took >= d) {
			neverEarly.fail("a timer of stdtime on %s: %v, not %v", inst, took, d)
		}
	case <-time.After(rand.N(4 * time.Millisecond)):
	}
	if stopped := tm.Stop(); !armingEndsOnce.holds(stopped != received) {
		armingEndsOnce.fail("a timer of stdtime on %s: received: %v, stopped: %v", inst, received, stopped)
	}
	isSilent(inst, tm.C)
}

// isSilent checks that nothing is received after a Stop.
func isSilent(inst *instance, c <-chan time.Time) {
	select {
	case <-c:
		silentAfterStop.fail("%s: a value after Stop", inst)
	case <-time.After(rand.N(2 * time.Millisecond)):
		silentAfterStop.holds(true)
	}
}

// call has a function called, or stops its timer in time.
func call(inst *instance, rec *opRecorder, c stdtime.Clock) {
	var calls atomic.Int32
	called := make(chan struct{}, 2)
	inst.arms(2)
	tm := c.AfterFunc(time.Hour, func() { calls.Add(1); called <- struct{}{} })
	tm.Reset(soon())
	time.Sleep(rand.N(4 * time.Millisecond))
	stopped := tm.Stop()
	if !stopped {
		rec.do(vAwait, func() { <-called })
	}
	time.Sleep(rand.N(time.Millisecond))
	if n := calls.Load(); !armingEndsOnce.holds(stopped == (n == 0) && n <= 1) {
		armingEndsOnce.fail("an AfterFunc of stdtime on %s: %d calls, stopped: %v", inst, n, stopped)
	}
}

// ticks receives some ticks. The nth comes after n periods at the earliest.
func ticks(inst *instance, _ *opRecorder, c stdtime.Clock) {
	d := 1 + rand.N(2*time.Millisecond)
	inst.arms(1)
	start := inst.now()
	tk := c.NewTicker(d)
	received := time.Duration(0)
	for range 3 {
		inst.arms(1) // that it is armed for, when it has sent this one
		select {
		case <-tk.C:
			received++
			if took := inst.now().Sub(start); !neverEarly.holds(took >= received*d) {
				neverEarly.fail("tick %d of %v on %s after %v", received, d, inst, took)
			}
		case <-time.After(rand.N(4 * time.Millisecond)):
		}
	}
	tk.Stop()
	inst.arms(int64(inst.now().Sub(start) / d)) // those that were dropped
	isSilent(inst, tk.C)
}

// timeout is a context that ends by its time, or is cancelled in time.
func timeout(inst *instance, _ *opRecorder, _ stdtime.Clock) {
	d := soon()
	inst.arms(1)
	start := inst.now()
	ctx, cancel := timerctx.WithTimeout(context.Background(), inst.w, d)
	select {
	case <-ctx.Done():
	case <-time.After(rand.N(4 * time.Millisecond)):
		cancel()
	}
	cancel()
	err, took := ctx.Err(), inst.now().Sub(start)
	if !neverEarly.holds(!errors.Is(err, context.DeadlineExceeded) || took >= d) {
		neverEarly.fail("a context with %v on %s: %v after %v", d, inst, err, took)
	}
	fits := err != nil && (!errors.Is(context.Cause(ctx), timerwheel.ErrClosed) || !inst.hasTime())
	if !contextOfWheel.holds(fits && isClosed(ctx.Done())) {
		contextOfWheel.fail("%s: %v, because of %v", inst, err, context.Cause(ctx))
	}
}
