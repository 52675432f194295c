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

	// MaxWorkers bounds the handlers that run at once, together with the workers that wait
	// for a timer's lock: one for each lock. Further due timers wait, and can still be
	// deleted. Default 256; negative is an error. The wheel starts workers when they
	// are needed: where handlers take less than 50 µs, one for each processor is
	// enough; where they block or take longer, there may be as many as there are due
	// timers.
	//
	// The sends, ticks and ends of sleeps and contexts of packages stdtime and timerctx need
	// no worker: handlers may wait for them, even MaxWorkers at once.
	MaxWorkers int

	// Manual makes a wheel without a goroutine and without a clock: the host drives its
	// time with [Wheel.Advance].
	Manual bool

	// Start is a Manual wheel's first Now. Default time.Now(). On a wheel that is not
	// Manual it is an error.
	Start time.Time

	// OnNext is for the host of a Manual wheel that sleeps until [Wheel.Next] while other
	// goroutines use the wheel. It is called when a timer becomes pending, or is moved, so
	// that Next is earlier than the host knows: than it was when Next was last asked, or at
	// the end of the last Advance. (Before the first of both, the host knows that nothing
	// pends.) It is called once, and then not again before the host has asked Next, or has
	// advanced the wheel. when is what Next is now.
	//
	// The host must wake up and ask Next; it must not sleep until when, as it does not hear
	// of a still earlier timer before it has asked. What is registered while an Advance is
	// under way is not told: ask Next after each Advance.
	//
	// OnNext is called in the goroutine that registered, before the call returns, while
	// neither the wheel nor stdtime, timerctx or keyed holds a lock. It may call anything;
	// if the timer was registered outside of the functions that the wheel calls, also
	// Advance and Close. Several goroutines may call it at once. Typically it sends to a channel with
	// room for one value, on which the host waits, and drops the value if there is no room.
	// On a wheel that is not Manual it is an error.
	OnNext func(when time.Time)

	// OnPanic is called with the value that a handler panicked with, on the worker,
	// which then goes on. By then the timer is not running any more, and deletions that
	// waited for it have returned. If OnPanic is nil, a handler's panic crashes the
	// program, with the handler's own trace. OnPanic does not cover the other functions
	// that the wheel calls: OnPanic itself, OnStall, the done of a DelAsync, a timer's
	// lock.
	OnPanic func(HandlerPanic)

	// StallAfter is the time after which OnStall is called. Default 1s; negative is an
	// error.
	StallAfter time.Duration

	// OnStall is called for what has lasted for longer than StallAfter, once: for each run
	// of a handler, each wait of a deletion, and each wait of a worker for the lock that a
	// timer is bound to; and if all MaxWorkers are busy and a timer that is due has waited
	// for a worker that long, once until no due timer waits for a worker ([Saturated]).
	// Each call has a goroutine of its own and may block or call anything. On a Manual wheel
	// OnStall is an error.
	//
	// The wheel looks at each stall twice before it reports it, a quarter of StallAfter
	// apart. So a handler that seems to run for long because the whole process stood still
	// has that time to end. A call comes when the stall has lasted for StallAfter, or up to
	// StallAfter later if it waits for stacks (StallStacks).
	OnStall func(Stall)

	// StallStacks is the largest number of goroutines of the program for which a Stall has
	// stacks. To take them stops the whole program for 4 to 15 µs for each goroutine that
	// there is, so it is done at most once each StallAfter, for all that has stalled by then
	// and not been reported. With more goroutines a Stall comes at once and has no stacks; it
	// still names the handler and, with Debug, the lines. [runtime.NumGoroutine] counts them:
	// while a collection frees the stacks of goroutines that have ended, it counts those too.
	// Default 1000; -1 means no stacks; less is an error. Without OnStall it is ignored.
	StallStacks int

	// Debug makes the wheel remember where each timer was allocated, registered, deleted
	// and freed, for Stall, HandlerPanic and the errors of misuse. Of timers that were
	// recycled it remembers the last 4096, in about a megabyte. The ErrDeadlock of a
	// deletion names the handlers that would wait for each other, and where. Profiles show which
	// timer spends the time: while a goroutine of the wheel runs a handler it has the
	// pprof label "timer" and no other, with the name of the handler's function (on a
	// Manual wheel the goroutine is the host's, and keeps its labels). An execution trace
	// (runtime/trace) has a region of that name, with the Timer logged in it.
	//
	// It costs three allocations of together 430 bytes a timer, half a microsecond to a
	// microsecond for each call that makes, registers, deletes or frees one, and a tenth of
	// a microsecond a run (go test -run '^$' -bench Debug .). Without Debug none of that costs anything.
	Debug bool

	// DebugEvery makes Debug remember one timer of so many only, so that it can stay on in
	// production: a timer that is not remembered costs next to nothing more than without
	// Debug. Which one of each DebugEvery it is changes, as programs make their timers in
	// patterns. Of the others reports name the handler, but no line, and profiles do not show
	// them. [Wheel.Sites] multiplies what it has found by DebugEvery. Default 1, each timer;
	// negative is an error. Without Debug it is ignored.
	DebugEvery int

	// OnMisuse is called, with Debug, for each misuse, whether its caller looks at the
	// error or not: with ErrStale, wrapped, for a Register (RegisterWithin, RegisterAt,
	// Reduce, Reset), Retain or Free of a timer that was recycled; with ErrFreed for an
	// extra Free of one that was not; and with ErrLeaked for timers that still have an
	// owner when the first Close or CloseContext returns nil, once for each place at which
	// such timers were allocated. The error says where the timer was allocated, where it was freed or how
	// else it ended, and where it was used after that; it is the one that the call
	// returns. It is also called for each ErrDeadlock of a deletion, which is a misuse
	// only if the caller does not expect it, and is not counted as one: that error names the
	// handlers that would wait for each other, and the line at which each waits. Deleting a timer that was recycled is not a misuse, nor is any use of the zero
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

	// defaultStallStacks is such that a dump takes about four milliseconds.
	defaultStallStacks = 1000
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
	case o.OnStall != nil && o.StallStacks < -1:
		return fmt.Errorf("timerwheel: Options.StallStacks is %d, which is less than -1", o.StallStacks)
	case o.Manual && o.OnStall != nil:
		return fmt.Errorf("timerwheel: Options.OnStall is set (%T) on a Manual wheel, which has no goroutine to call it", o.OnStall)
	case !o.Manual && o.OnNext != nil:
		return fmt.Errorf("timerwheel: Options.OnNext is set (%T) on a wheel that is not Manual, which needs no host to wake up", o.OnNext)
	case o.DebugEvery < 0:
		return fmt.Errorf("timerwheel: Options.DebugEvery is %d, which is negative", o.DebugEvery)
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
