package machine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed76848005/timerwheel"
)

// This file is the API: each call of it, how it is made and what the model
// expects of it, side by side.

// A call is one call of the API.
type call struct {
	verb   string
	timer  int           // the number of the timer: that it is made of, or that it makes
	group  int           // the number of the group; -1: none
	lock   int           // of a lock-bound timer; else -1
	d      time.Duration // to register it for, or to wait for it
	period time.Duration
	script script // what the handler of the new timer does
}

func (c call) String() string {
	switch {
	case makes[c.verb] && c.group >= 0:
		return fmt.Sprintf("timer %d = group %d.%s(%v)", c.timer, c.group, c.verb, c.makesWith())
	case makes[c.verb]:
		return fmt.Sprintf("timer %d = %s(%v)", c.timer, c.verb, c.makesWith())
	case groupVerbs[c.verb]:
		return fmt.Sprintf("group %d.%s(%s)", c.group, c.verb, c.times())
	case wheelVerbs[c.verb]:
		return fmt.Sprintf("%s(%s)", c.verb, c.times())
	}
	return fmt.Sprintf("timer %d.%s(%s)", c.timer, c.verb, c.times())
}

func (c call) times() string {
	switch {
	case limits[c.verb] && c.d == dead:
		return "dead context"
	case limits[c.verb] || timed[c.verb] || c.verb == "Advance":
		return c.d.String()
	}
	return ""
}

func (c call) makesWith() string {
	switch c.verb {
	case "AllocLocked":
		return fmt.Sprintf("lock %d, %v", c.lock, c.script)
	case "AfterFunc", "AfterFuncArg":
		return fmt.Sprintf("%v, %v", c.d, c.script)
	case "Every":
		return fmt.Sprintf("%v, %v", c.period, c.script)
	}
	return c.script.String()
}

type set = map[string]bool

var (
	makes      = set{"Alloc": true, "AllocLocked": true, "AfterFunc": true, "AfterFuncArg": true, "Every": true}
	timed      = set{"Register": true, "RegisterAt": true, "Reduce": true, "Reset": true}
	limits     = set{"DelSyncContext": true, "Group.DelSyncContext": true, "CloseContext": true}
	deletes    = set{"DelSync": true, "DelSyncContext": true, "ShutdownSync": true} // and wait
	groupVerbs = set{"Group.DelSync": true, "Group.DelSyncContext": true, "Group.ShutdownSync": true}
	wheelVerbs = set{"Close": true, "CloseContext": true, "Advance": true, "NewGroup": true}
)

// A verb is what can be called.
type verb struct {
	do     func(*world, call) outcome
	expect func(m *model, c call, from *run) *answer
}

// verbs are all of them. Handlers make calls, and calls make handlers: hence the
// init.
var verbs map[string]verb

func init() {
	verbs = map[string]verb{
		"Alloc": {
			func(w *world, c call) outcome { return w.keep(c, w.maker(c).Alloc(w.handler(c))) },
			func(m *model, c call, _ *run) *answer { m.newTimer(c).owners = 1; return returns(outcome{}) },
		},
		"AllocLocked": {
			func(w *world, c call) outcome {
				return w.keep(c, w.maker(c).AllocLocked(w.locks[c.lock], w.handler(c)))
			},
			func(m *model, c call, _ *run) *answer { m.newTimer(c).owners = 1; return returns(outcome{}) },
		},
		"AfterFunc": {
			func(w *world, c call) outcome {
				f, kept := w.handler(c), make(chan struct{})
				defer close(kept)
				return w.keep(c, w.maker(c).AfterFunc(c.d, func() { <-kept; f(w.timer(c.timer)) }))
			},
			func(m *model, c call, _ *run) *answer { m.start(m.newTimer(c), c.d); return returns(outcome{}) },
		},
		"AfterFuncArg": {
			func(w *world, c call) outcome {
				f, kept := w.handler(c), make(chan struct{})
				defer close(kept)
				return w.keep(c, w.maker(c).AfterFuncArg(c.d, func(arg any) { <-kept; f(w.timer(arg.(int))) }, c.timer))
			},
			func(m *model, c call, _ *run) *answer { m.start(m.newTimer(c), c.d); return returns(outcome{}) },
		},
		"Every": {
			func(w *world, c call) outcome { return w.keep(c, w.maker(c).Every(c.period, w.handler(c))) },
			func(m *model, c call, _ *run) *answer { m.start(m.newTimer(c), c.period); return returns(outcome{}) },
		},

		"Register": {
			func(w *world, c call) outcome { return outcome{err: w.timer(c.timer).Register(c.d)} },
			func(m *model, c call, _ *run) *answer {
				_, err := m.register(m.timers[c.timer], c.d, false)
				return returns(outcome{err: err})
			},
		},
		"RegisterAt": {
			func(w *world, c call) outcome {
				return outcome{err: w.timer(c.timer).RegisterAt(w.wheel.Now().Add(c.d))}
			},
			func(m *model, c call, _ *run) *answer {
				return returns(outcome{err: m.registerAt(m.timers[c.timer], c.d)})
			},
		},
		"Reduce": {
			func(w *world, c call) outcome { return outcome{err: w.timer(c.timer).Reduce(c.d)} },
			func(m *model, c call, _ *run) *answer {
				_, err := m.register(m.timers[c.timer], c.d, true)
				return returns(outcome{err: err})
			},
		},
		"Reset": {
			func(w *world, c call) outcome { return outcome{was: w.timer(c.timer).Reset(c.d)} },
			func(m *model, c call, _ *run) *answer {
				was, _ := m.register(m.timers[c.timer], c.d, false)
				return returns(outcome{was: was})
			},
		},

		"Del": {
			func(w *world, c call) outcome { return found(w.timer(c.timer).Del(), nil) },
			func(m *model, c call, _ *run) *answer { return returns(outcome{found: m.delete(m.timers[c.timer])}) },
		},
		"Stop": {
			func(w *world, c call) outcome { return outcome{was: w.timer(c.timer).Stop()} },
			func(m *model, c call, _ *run) *answer {
				return returns(outcome{was: m.delete(m.timers[c.timer]).Pending})
			},
		},
		"DelSync": {
			func(w *world, c call) outcome { return found(w.timer(c.timer).DelSync()) },
			func(m *model, c call, from *run) *answer { return m.delSync(m.timers[c.timer], never, from) },
		},
		"DelSyncContext": {
			func(w *world, c call) outcome {
				ctx, cancel := limited(c.d)
				defer cancel()
				return found(w.timer(c.timer).DelSyncContext(ctx))
			},
			func(m *model, c call, from *run) *answer { return m.delSync(m.timers[c.timer], m.limit(c.d), from) },
		},
		"DelAsync": {
			func(w *world, c call) outcome { return found(w.timer(c.timer).DelAsync(w.newDone()), nil) },
			func(m *model, c call, _ *run) *answer {
				m.dones = append(m.dones, 0)
				return m.delAsync(m.timers[c.timer], len(m.dones)-1)
			},
		},
		"ShutdownSync": {
			func(w *world, c call) outcome { return found(w.timer(c.timer).ShutdownSync()) },
			func(m *model, c call, from *run) *answer {
				m.timers[c.timer].shutdown = true
				return m.delSync(m.timers[c.timer], never, from)
			},
		},

		"Retain": {
			func(w *world, c call) outcome { return outcome{err: w.timer(c.timer).Retain()} },
			func(m *model, c call, _ *run) *answer { return returns(outcome{err: m.retain(m.timers[c.timer])}) },
		},
		"Free": {
			func(w *world, c call) outcome { return outcome{err: w.timer(c.timer).Free()} },
			func(m *model, c call, _ *run) *answer { return returns(outcome{err: m.free(m.timers[c.timer])}) },
		},

		"NewGroup": {
			func(w *world, _ call) outcome { w.newGroup(); return outcome{} },
			func(m *model, _ call, _ *run) *answer {
				m.groups = append(m.groups, new(group))
				return returns(outcome{})
			},
		},
		"Group.DelSync": {
			func(w *world, c call) outcome { return found(w.group(c.group).DelSync()) },
			func(m *model, c call, from *run) *answer { return m.delGroup(m.groups[c.group], never, from) },
		},
		"Group.DelSyncContext": {
			func(w *world, c call) outcome {
				ctx, cancel := limited(c.d)
				defer cancel()
				return found(w.group(c.group).DelSyncContext(ctx))
			},
			func(m *model, c call, from *run) *answer { return m.delGroup(m.groups[c.group], m.limit(c.d), from) },
		},
		"Group.ShutdownSync": {
			func(w *world, c call) outcome { return found(w.group(c.group).ShutdownSync()) },
			func(m *model, c call, from *run) *answer {
				m.groups[c.group].down = true
				return m.delGroup(m.groups[c.group], never, from)
			},
		},

		"Close": {
			func(w *world, _ call) outcome { return outcome{err: w.wheel.Close()} },
			func(m *model, _ call, from *run) *answer { return m.close(never, from) },
		},
		"CloseContext": {
			func(w *world, c call) outcome {
				ctx, cancel := limited(c.d)
				defer cancel()
				return outcome{err: w.wheel.CloseContext(ctx)}
			},
			func(m *model, c call, from *run) *answer { return m.close(m.limit(c.d), from) },
		},
		"Advance": {
			func(w *world, c call) outcome {
				fired, err := w.wheel.Advance(w.wheel.Now().Add(c.d))
				return outcome{fired: fired, err: err}
			},
			func(m *model, c call, from *run) *answer { return m.advanceTo(c.d, from) },
		},
	}
}

func found(f timerwheel.Found, err error) outcome { return outcome{found: f, err: err} }

// limited makes a context that ends after d, or has ended already.
func limited(d time.Duration) (context.Context, context.CancelFunc) {
	if d == dead {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		return ctx, cancel
	}
	return context.WithTimeout(context.Background(), d)
}

// limit is when such a context ends.
func (m *model) limit(d time.Duration) time.Duration {
	if d == dead {
		return dead
	}
	return m.now + d
}

// same reports whether a call has returned what was expected.
func (o outcome) same(want outcome) bool {
	return o.found == want.found && o.was == want.was && o.fired == want.fired &&
		errors.Is(o.err, want.err) && (want.err != nil || o.err == nil)
}

func (o outcome) String() string {
	return fmt.Sprintf("{pending %t, running %t, was %t, fired %d, %v}", o.found.Pending, o.found.Running, o.was, o.fired, o.err)
}
