package machine

import (
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"pgregory.net/rapid"
)

// A Manual wheel does what the reference says. Its time is its own: Advance sets it, and runs
// handlers in the order of their ticks. The bubble's time passes only while a handler, and with
// it Advance, sleeps; then other goroutines make calls.
func TestManualWheelFollowsTheModel(t *testing.T) {
	seen := tally{}
	rapid.Check(t, func(rt *rapid.T) {
		bubble(t, rt, func() {
			x := newManual(rt, seen)
			defer x.abandon()
			rt.Repeat(rapid.StateMachineActions(x))
			x.finish()
		})
	})
	seen.log(t, "manual machine")
	seen.require(t, "waits", "Advances", "unwound", "panics", "Goexits", "locks released",
		"ErrStale", "ErrFreed", "ErrDeleting", "ErrShutdown", "ErrClosed", "ErrDeadlock", "ErrNotLocked", "Canceled")
}

// manual is the machine with a Manual wheel.
type manual struct{ *machine }

func newManual(t *rapid.T, seen tally) *manual {
	o := timerwheel.Options{Manual: true, Start: time.Now(), Tick: drawTick(t), Debug: rapid.Bool().Draw(t, "debug"), DebugEvery: rapid.IntRange(0, 3).Draw(t, "debugEvery")}
	if rapid.Bool().Draw(t, "OnPanic") {
		o.OnPanic = func(timerwheel.HandlerPanic) {}
	}
	x := &manual{newMachineWith(t, o, seen)}
	x.machine.pause = x.wake
	return x
}

// Pass advances the wheel, sometimes to its own time or an earlier one. While an Advance is under
// way, Pass lets a handler go on instead.
func (x *manual) Pass(t *rapid.T) {
	d := rapid.OneOf(
		rapid.Map(rapid.IntRange(-1, 500), func(n int) time.Duration { return time.Duration(n) * grain }),
		rapid.Map(rapid.IntRange(0, 100), func(n int) time.Duration { return time.Duration(n) * time.Millisecond }),
	).Draw(t, "time")
	x.advance(d)
}

// ToNext advances the wheel to Next, which fires something or raises Next.
func (x *manual) ToNext(*rapid.T) {
	const far = 100 * 365 * 24 * time.Hour
	next, ok := x.real.wheel.Next()
	if !ok || next.Sub(x.real.start) > far || x.model.Advancing() {
		return
	}
	fired := x.model.Counted.Fired
	x.advance(next.Sub(x.real.start) - x.model.Now)
	if again, ok := x.real.wheel.Next(); x.model.Busy() == 0 && x.model.Counted.Fired == fired && ok && !again.After(next) && !x.model.Closed {
		x.failf("Next", "an Advance to Next has neither fired anything nor raised Next")
	}
}

func (x *manual) advance(d time.Duration) {
	if x.model.Advancing() {
		x.wake()
		return
	}
	x.seen["Advances"]++
	go x.real.call(call{verb: "Advance", d: d}, 0)
	x.rest()
}

// wake lets a handler that sleeps go on.
func (x *manual) wake() {
	if len(x.model.Runs()) > 0 {
		<-x.real.stir
		x.rest()
	}
}
