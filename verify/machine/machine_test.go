package machine

import (
	"flag"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/internal/reference"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

// TestMain sets how much is done if the command line does not say
// (-rapid.checks, -rapid.steps).
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"rapid.checks": "8000", "rapid.steps": "60"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

// The wheel does what the reference says, for random programs of the whole API.
func TestWheelFollowsTheModel(t *testing.T) {
	seen := tally{}
	rapid.Check(t, func(rt *rapid.T) {
		bubble(t, rt, func() {
			x := newMachine(rt, seen)
			defer x.abandon()
			rt.Repeat(rapid.StateMachineActions(x))
			x.finish()
		})
	})
	seen.log(t, "machine")
	seen.require(t, "waits", "circles", "stalls", "panics", "Goexits", "handlers begun late", "locks released", "calls by handlers",
		"ErrStale", "ErrFreed", "ErrDeleting", "ErrShutdown", "ErrClosed", "ErrDeadlock", "ErrNotManual", "ErrNotLocked", "Canceled", "DeadlineExceeded")
}

// A tally counts what programs do, so that the test can require that each thing happens.
type tally map[string]int

func (seen tally) log(t *testing.T, name string) {
	t.Helper()
	t.Logf("%s: %d programs, %d steps, %d calls, %d handlers begun, %d deletions that waited",
		name, seen["programs"], seen["steps"], seen["calls"], seen["begins"], seen["waits"])
}

func (seen tally) require(t *testing.T, kinds ...string) {
	t.Helper()
	t.Logf("seen: %v", seen)
	for _, kind := range kinds {
		require.NotZero(t, seen[kind], "none of these was seen: %s", kind)
	}
}

// A machine is a wheel and its reference, and a program that is being drawn.
type machine struct {
	t     *rapid.T
	real  *world
	model *reference.Wheel
	made  []*made // calls that have not returned
	seen  tally
	pause func() // lets time pass before a call, now and then
}

func newMachine(t *rapid.T, seen tally) *machine {
	o := timerwheel.Options{
		Tick:       drawTick(t),
		MaxWorkers: rapid.SampledFrom([]int{256, 1, 2, 3}).Draw(t, "max workers"),
		Debug:      rapid.Bool().Draw(t, "debug"),
		DebugEvery: rapid.IntRange(0, 3).Draw(t, "debugEvery"),
		OnPanic:    func(timerwheel.HandlerPanic) {},
	}
	if rapid.IntRange(0, 3).Draw(t, "OnStall") == 3 {
		o.OnStall, o.StallAfter = func(timerwheel.Stall) {}, stallAfter
		o.StallStacks = -1 // with stacks some reports would be late
	}
	x := newMachineWith(t, o, seen)
	x.pause = x.passOn
	return x
}

// newMachineWith makes a machine with a wheel with these options. The world's OnPanic and OnStall
// replace those of the options.
func newMachineWith(t *rapid.T, o timerwheel.Options, seen tally) *machine {
	seen["programs"]++
	return &machine{t: t, real: newWorld(o), model: reference.New(o), seen: seen}
}

// ---- The actions ----

// Make makes a timer.
func (x *machine) Make(t *rapid.T) {
	c := call{verb: rapid.SampledFrom(slices.Sorted(maps.Keys(makes))).Draw(t, "verb"), lock: reference.NoLock}
	x.drawMaking(t, &c)
	c.script = x.drawScript(t)
	if c.verb == "AllocLocked" && rapid.Bool().Draw(t, "releases its lock") {
		at := rapid.IntRange(0, len(c.script.beats)).Draw(t, "before")
		c.script.beats = slices.Insert(c.script.beats, at, beat{call: x.drawVerb(t, []string{"ReleaseLock"})})
	}
	x.call(t, c)
}

// Arm registers a timer.
func (x *machine) Arm(t *rapid.T) {
	x.call(t, x.drawCall(t, "Register", "RegisterAt", "RegisterIdle", "RegisterIdle", "Reduce", "Move", "Reset"))
}

// Touch touches a timer.
func (x *machine) Touch(t *rapid.T) { x.call(t, x.drawCall(t, "Touch")) }

// Delete deletes a timer.
func (x *machine) Delete(t *rapid.T) {
	x.call(t, x.drawCall(t, "DelSync", "Del", "Stop", "DelSyncContext", "DelAsync", "Shutdown", "ShutdownSync", "ShutdownSyncContext"))
}

// Own adds an owner to a timer, or removes one; or tries to release its lock outside of its handler.
func (x *machine) Own(t *rapid.T) { x.call(t, x.drawCall(t, "Free", "Retain", "ReleaseLock")) }

// Ring makes timers whose handlers delete each other in a circle.
func (x *machine) Ring(t *rapid.T) {
	n := rapid.IntRange(2, 4).Draw(t, "timers")
	d := drawDelay(t)
	for k := range n {
		b := beat{sleep: drawSleep(t, 1), to: 1, call: x.drawVerb(t, slices.Sorted(maps.Keys(waiting)))}
		if k == n-1 {
			b.to = 1 - n
		}
		c := call{verb: "AfterFunc", group: -1, lock: reference.NoLock, d: d, script: script{beats: []beat{b}, end: reference.Return}}
		go x.real.call(c, 0)
		x.rest()
	}
}

// Share arms timers of one lock. Their handlers release it, and go on for longer than a tick.
func (x *machine) Share(t *rapid.T) {
	c := call{verb: "AllocLocked", group: -1, lock: rapid.IntRange(0, locks-1).Draw(t, "lock")}
	d := drawDelay(t)
	for range rapid.IntRange(2, 3).Draw(t, "timers") {
		rest := time.Duration(rapid.IntRange(1, 50).Draw(t, "rest")) * time.Millisecond
		c.script = script{beats: []beat{{call: x.drawVerb(t, []string{"ReleaseLock"})}, {sleep: rest}}, end: reference.Return}
		x.call(t, c)
		x.call(t, call{verb: "Register", timer: -1, d: d})
	}
}

// Group makes a group, or deletes one.
func (x *machine) Group(t *rapid.T) {
	verbs := []string{"NewGroup"}
	if len(x.model.Groups) > 0 {
		verbs = append(verbs, slices.Sorted(maps.Keys(groupVerbs))...)
	}
	x.call(t, x.drawVerb(t, verbs))
}

// Lock takes or releases a lock of lock-bound timers.
func (x *machine) Lock(t *rapid.T) {
	l := rapid.IntRange(0, locks-1).Draw(t, "lock")
	switch {
	case x.model.Held[l]:
		t.Logf("%v: unlock %d", x.model.Now, l)
		x.model.Held[l] = false
		x.real.locks[l].Unlock()
	case !x.model.LockTaken(l):
		t.Logf("%v: lock %d", x.model.Now, l)
		x.model.Held[l] = true
		x.real.locks[l].Lock()
	}
	x.rest()
}

// Wheel closes the wheel, seldom.
func (x *machine) Wheel(t *rapid.T) {
	switch what := rapid.IntRange(0, 15).Draw(t, "what"); {
	case what == 15:
		verb := rapid.SampledFrom([]string{"Close", "CloseContext"}).Draw(t, "verb")
		x.call(t, call{verb: verb, d: x.drawLimit(t)})
	case what == 14 && !x.model.Advancing(): // a second Advance would wait for the first
		x.call(t, call{verb: "Advance"})
	default:
		x.pause()
	}
}

// Pass lets time pass.
func (x *machine) Pass(t *rapid.T) {
	x.elapse(rapid.OneOf(
		rapid.Map(rapid.IntRange(1, 500), func(n int) time.Duration { return time.Duration(n) * grain }),
		rapid.Map(rapid.IntRange(1, 50), func(n int) time.Duration { return time.Duration(n) * time.Millisecond }),
	).Draw(t, "time"))
}

// passOn lets time pass up to the next event, however far away it is.
func (x *machine) passOn() {
	const far = 100 * 365 * 24 * time.Hour
	if x.model.NextEvent() < far || len(x.model.Runs()) > 0 {
		x.step(far)
	}
}

// Check compares at the beginning of a program. Each action compares after its own events.
func (x *machine) Check(*rapid.T) {
	x.seen["steps"]++
	x.rest()
}

// ---- Acting ----

// call makes a call on a goroutine of its own, as the call may wait.
func (x *machine) call(t *rapid.T, c call) {
	if rapid.IntRange(0, 3).Draw(t, "pause") == 3 {
		x.pause()
	}
	go x.real.call(c, 0)
	x.rest()
}

// elapse lets time pass, from one event to the next.
func (x *machine) elapse(d time.Duration) {
	for until := x.model.Now + d; x.model.Now < until; {
		x.step(until)
	}
}

// step lets time pass up to the next event, or to until.
func (x *machine) step(until time.Duration) {
	timer := time.NewTimer(min(until, x.model.NextEvent()) - x.model.Now)
	select {
	case <-timer.C:
	case <-x.real.stir:
	}
	timer.Stop()
	x.rest()
}

// finish ends a program: every handler ends, every owner frees, and nothing is left.
func (x *machine) finish() {
	for l, held := range x.model.Held {
		if held {
			x.model.Held[l] = false
			x.real.locks[l].Unlock()
		}
	}
	x.rest()
	go x.real.call(call{verb: "Close"}, 0)
	x.rest()
	for range 10_000 {
		if len(x.model.Runs()) == 0 {
			break
		}
		x.pause()
	}
	for _, t := range x.model.Timers {
		for range t.Owners {
			x.real.call(call{verb: "Free", timer: t.ID}, 0)
		}
	}
	x.rest()
	if left := x.real.wheel.Stats(); left.Live+left.Pending+left.Running+left.Workers+len(x.made) > 0 {
		x.failf("the end", "at the end there is left: %+v, %v", left, x.made)
	}
	x.seen["waits"] += int(x.model.Counted.SyncWaits)
	x.seen["stalls"] += len(x.model.Stalls)
}

// abandon lets the bubble of a failed program end. A bubble does not wait for goroutines that
// sleep, as its time stands still once its function has returned.
func (x *machine) abandon() {
	for l, held := range x.model.Held {
		if held {
			x.real.locks[l].Unlock()
		}
	}
	ctx, cancel := limited(reference.Ended)
	defer cancel()
	_ = x.real.wheel.CloseContext(ctx)
	time.Sleep(time.Minute)
}
