package timerwheel

import (
	"fmt"
	"time"
)

// Options are the parameters of New. The zero Options make a good wheel.
type Options struct {
	// Tick is the granularity of the wheel: a handler starts at the end of the tick in
	// which its deadline lies. Default 1ms; below 1µs or above 1h is an error.
	Tick time.Duration

	// MaxWorkers bounds the handlers that run at once, those that wait for the lock
	// that they are bound to included. Further due timers wait, and can still be
	// deleted. Default 256; negative is an error. The wheel starts workers when they
	// are needed: where handlers take less than 50 µs, one for each processor is
	// enough; where they block or take longer, there may be as many as there are due
	// timers.
	MaxWorkers int

	// Manual makes a wheel without a goroutine and without a clock: the host drives its
	// time with [Wheel.Advance].
	Manual bool

	// Start is a Manual wheel's first Now. Default time.Now(). On a wheel that is not
	// Manual it is an error.
	Start time.Time

	// OnPanic is called with the value that a handler panicked with, on the worker,
	// which then goes on. By then the timer is not running any more, and deletions that
	// waited for it have returned. If OnPanic is nil, a handler's panic crashes the
	// program, with the handler's own trace. OnPanic does not cover the other functions
	// that the wheel calls: OnPanic itself, OnStall, the done of a DelAsync, a timer's
	// lock.
	OnPanic func(HandlerPanic)

	// StallAfter is the time after which OnStall is called for a handler or a waiting
	// deletion. Default 1s; negative is an error.
	StallAfter time.Duration

	// OnStall is called, once a run and once a wait, for a handler that runs, or a
	// deletion that waits, for longer than StallAfter. It has a goroutine of its own and
	// may block or call anything. On a Manual wheel it is an error.
	OnStall func(Stall)

	// Debug makes the wheel remember where each timer was allocated, registered, deleted
	// and freed, for Stall, HandlerPanic and the errors of misuse. Of timers that were
	// recycled it remembers the last 4096, in about a megabyte. The ErrDeadlock of a
	// deletion names the handlers that would wait for each other. Profiles show which
	// timer spends the time: while a goroutine of the wheel runs a handler it has the
	// pprof label "timer" and no other, with the name of the handler's function (on a
	// Manual wheel the goroutine is the host's, and keeps its labels). An execution trace
	// (runtime/trace) has a region of that name, with the Timer logged in it.
	//
	// It costs three allocations of together 430 bytes a timer, half a microsecond to a
	// microsecond for each call that makes, registers, deletes or frees one, and a tenth of
	// a microsecond a run (go test -run '^$' -bench Debug .). Without Debug none of that costs anything.
	Debug bool

	// OnMisuse is called, with Debug, for each misuse, whether its caller looks at the
	// error or not: with ErrStale, wrapped, for a Register (RegisterAt, Reduce, Reset),
	// Retain or Free of a timer that was recycled; with ErrFreed for an extra Free of one
	// that was not; and with ErrLeaked for timers that still have an owner when the first
	// Close or CloseContext returns nil, once for each place at which such timers were
	// allocated. The error says where the timer was allocated, where it was freed or how
	// else it ended, and where it was used after that; it is the one that the call
	// returns. Deleting a timer that was recycled is not a misuse, nor is any use of the zero
	// Timer.
	//
	// OnMisuse is called for one error after the other, on a goroutine of its own. On a
	// Manual wheel it is called in the goroutine of the caller, or of another goroutine
	// whose call was a misuse at the same time, before the call returns. For ErrLeaked it
	// is called in the goroutine of Close or CloseContext, on any wheel, which returns
	// after it, whatever its context. It may block or call anything. While it blocks, 64
	// errors wait for it; further ones are only counted (Stats.Misuses), and so are the
	// places of leaks after the 64 worst. Without Debug it is an error.
	OnMisuse func(error)
}

const (
	defaultTick       = time.Millisecond
	minTick           = time.Microsecond
	maxTick           = time.Hour
	defaultMaxWorkers = 256
	defaultStallAfter = time.Second
)

// check returns an error that names an option that is wrong, and its value.
func (o *Options) check() error {
	switch {
	case o.Tick != 0 && (o.Tick < minTick || o.Tick > maxTick):
		return fmt.Errorf("timerwheel: Options.Tick is %v, not between %v and %v", o.Tick, minTick, maxTick)
	case o.MaxWorkers < 0:
		return fmt.Errorf("timerwheel: Options.MaxWorkers is %d, which is negative", o.MaxWorkers)
	case o.StallAfter < 0:
		return fmt.Errorf("timerwheel: Options.StallAfter is %v, which is negative", o.StallAfter)
	case o.Manual && o.OnStall != nil:
		return fmt.Errorf("timerwheel: Options.OnStall is set (%T) on a Manual wheel, which has no goroutine to call it", o.OnStall)
	case o.OnMisuse != nil && !o.Debug:
		return fmt.Errorf("timerwheel: Options.OnMisuse is set (%T) without Options.Debug, which collects what it reports", o.OnMisuse)
	case !o.Manual && !o.Start.IsZero():
		return fmt.Errorf("timerwheel: Options.Start is %v on a wheel that is not Manual", o.Start)
	}
	return nil
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
