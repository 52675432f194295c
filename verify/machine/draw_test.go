package machine

import (
	"maps"
	"slices"
	"time"

	"github.com/seed76848005/timerwheel/internal/reference"
	"pgregory.net/rapid"
)

// This file draws the parts of a program.

func drawTick(t *rapid.T) time.Duration {
	return rapid.SampledFrom([]time.Duration{time.Millisecond, 200 * time.Microsecond, 10 * time.Millisecond}).Draw(t, "tick")
}

func (x *machine) drawCall(t *rapid.T, verbs ...string) call {
	c := x.drawVerb(t, verbs)
	c.timer = x.drawTimer(t)
	return c
}

// drawTimer draws a timer: one that runs, one that lives, or any other.
func (x *machine) drawTimer(t *rapid.T) int {
	var alive, running []int
	for _, timer := range x.model.Timers {
		if !timer.Gone {
			alive = append(alive, timer.ID)
		}
		if timer.Run != nil {
			running = append(running, timer.ID)
		}
	}
	which := rapid.IntRange(0, 7).Draw(t, "which")
	switch {
	case which < 3 && len(running) > 0:
		return rapid.SampledFrom(running).Draw(t, "running timer")
	case which < 7 && len(alive) > 0:
		return rapid.SampledFrom(alive).Draw(t, "timer")
	}
	return rapid.IntRange(0, len(x.model.Timers)-1).Draw(t, "any timer")
}

func drawDelay(t *rapid.T) time.Duration {
	return rapid.OneOf(
		rapid.Just(time.Duration(0)),
		rapid.Map(rapid.IntRange(0, 300), func(n int) time.Duration { return time.Duration(n) * grain }),
		rapid.Map(rapid.IntRange(0, 100), func(n int) time.Duration { return time.Duration(n) * time.Millisecond }),
		rapid.SampledFrom([]time.Duration{-time.Hour, time.Hour, 1000 * time.Hour, reference.Never}),
	).Draw(t, "d")
}

// drawLimit draws when a context ends. With a Manual wheel it has ended already: contexts follow
// the bubble's time, not the wheel's.
func (x *machine) drawLimit(t *rapid.T) time.Duration {
	if x.model.Manual {
		return reference.Ended
	}
	return rapid.OneOf(
		rapid.Just(reference.Ended),
		rapid.Map(rapid.IntRange(1, 500), func(n int) time.Duration { return time.Duration(n) * grain }),
	).Draw(t, "limit")
}

func (x *machine) drawMaking(t *rapid.T, c *call) {
	c.group = rapid.IntRange(-1, len(x.model.Groups)-1).Draw(t, "group")
	switch c.verb {
	case "AllocLocked":
		c.lock = rapid.IntRange(0, locks-1).Draw(t, "lock")
	case "AfterFunc", "AfterFuncArg":
		c.d = drawDelay(t)
	case "Every":
		c.period = rapid.Map(rapid.IntRange(1, 3000), func(n int) time.Duration { return time.Duration(n) * grain }).Draw(t, "period")
	}
}

func (x *machine) drawScript(t *rapid.T) (s script) {
	for range rapid.IntRange(0, 3).Draw(t, "beats") {
		s.beats = append(s.beats, x.drawBeat(t))
	}
	s.end = rapid.SampledFrom([]string{reference.Return, reference.Return, reference.Return, reference.Panic, reference.Goexit}).Draw(t, "end")
	return s
}

// drawBeat draws a beat. A call of the handler's own timer needs no sleep before it; a call that
// may meet other handlers does.
func (x *machine) drawBeat(t *rapid.T) (b beat) {
	verbs := []string{"Register", "RegisterAt", "RegisterIdle", "Touch", "Reduce", "Move", "Reset", "Del", "Stop", "DelSync", "DelSyncContext", "DelAsync", "Shutdown", "ShutdownSync", "ShutdownSyncContext", "ReleaseLock", "Retain", "Free"}
	if rapid.Bool().Draw(t, "own") {
		b.sleep = drawSleep(t, 0)
		b.call = x.drawVerb(t, verbs)
		return b
	}
	b.sleep = drawSleep(t, 1)
	b.to = rapid.IntRange(-2, 2).Draw(t, "to")
	verbs = append(verbs, "", "", "", "", "DelSync", "DelSync", "DelSync", "Alloc", "AfterFunc", "AfterFuncArg", "Every")
	if len(x.model.Groups) > 0 {
		verbs = append(verbs, slices.Sorted(maps.Keys(groupVerbs))...)
	}
	if rapid.IntRange(0, 15).Draw(t, "close") == 15 {
		verbs = []string{"Close", "Advance"}
	}
	b.call = x.drawVerb(t, verbs)
	return b
}

func drawSleep(t *rapid.T, least int) time.Duration {
	return time.Duration(rapid.IntRange(least, 500).Draw(t, "sleep")) * grain
}

// drawVerb draws a call without its timer.
func (x *machine) drawVerb(t *rapid.T, verbs []string) call {
	c := call{verb: rapid.SampledFrom(verbs).Draw(t, "verb"), lock: reference.NoLock}
	switch {
	case makes[c.verb]:
		x.drawMaking(t, &c)
		c.script.end = reference.Return
	case groupVerbs[c.verb]:
		c.group = rapid.IntRange(0, len(x.model.Groups)-1).Draw(t, "group")
	}
	if limits[c.verb] {
		c.d = x.drawLimit(t)
	} else if timed[c.verb] {
		c.d = drawDelay(t)
	}
	return c
}
