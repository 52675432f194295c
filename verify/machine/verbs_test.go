package machine

import (
	"context"
	"fmt"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/internal/reference"
)

// This file is the API: for each call, how it is made and what the reference
// expects of it, side by side.

// A call is one call of the API.
type call struct {
	verb   string
	timer  int           // the number of the timer that is called, or made
	group  int           // the number of the group; -1: none
	lock   int           // of a lock-bound timer; otherwise reference.NoLock
	d      time.Duration // until the deadline, or until the context ends
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
	case limits[c.verb] && c.d == reference.Ended:
		return "ended context"
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
	timed      = set{"Register": true, "RegisterAt": true, "RegisterIdle": true, "Reduce": true, "Move": true, "Reset": true}
	limits     = set{"DelSyncContext": true, "ShutdownSyncContext": true, "Group.DelSyncContext": true, "Group.ShutdownSyncContext": true, "CloseContext": true}
	waiting    = set{"DelSync": true, "DelSyncContext": true, "ShutdownSync": true, "ShutdownSyncContext": true} // deletions of one timer
	groupVerbs = set{"Group.Del": true, "Group.Shutdown": true, "Group.DelSync": true, "Group.DelSyncContext": true, "Group.ShutdownSync": true, "Group.ShutdownSyncContext": true}
	wheelVerbs = set{"Close": true, "CloseContext": true, "Advance": true, "NewGroup": true}
)

// A verb is one function of the API.
type verb struct {
	do     func(*world, call) reference.Outcome
	expect func(m *reference.Wheel, c call, from *reference.Run) *reference.Answer
}

// verbs are all functions of the API. Handlers make calls, and calls make handlers: hence
// the init.
var verbs map[string]verb

func init() {
	verbs = map[string]verb{
		"Alloc": {
			func(w *world, c call) reference.Outcome { return w.keep(c, w.maker(c).Alloc(w.handler(c))) },
			func(m *reference.Wheel, c call, _ *reference.Run) *reference.Answer {
				m.Alloc(groupOf(m, c), c.lock)
				return reference.Returns(reference.Outcome{})
			},
		},
		"AllocLocked": {
			func(w *world, c call) reference.Outcome {
				return w.keep(c, w.maker(c).AllocLocked(w.locks[c.lock], w.handler(c)))
			},
			func(m *reference.Wheel, c call, _ *reference.Run) *reference.Answer {
				m.Alloc(groupOf(m, c), c.lock)
				return reference.Returns(reference.Outcome{})
			},
		},
		"AfterFunc": {
			func(w *world, c call) reference.Outcome {
				f, kept := w.handler(c), make(chan struct{})
				defer close(kept)
				return w.keep(c, w.maker(c).AfterFunc(c.d, func() { <-kept; f(w.timer(c.timer)) }))
			},
			func(m *reference.Wheel, c call, _ *reference.Run) *reference.Answer {
				m.Start(groupOf(m, c), c.d, 0)
				return reference.Returns(reference.Outcome{})
			},
		},
		"AfterFuncArg": {
			func(w *world, c call) reference.Outcome {
				f, kept := w.handler(c), make(chan struct{})
				defer close(kept)
				return w.keep(c, w.maker(c).AfterFuncArg(c.d, func(arg any) { <-kept; f(w.timer(arg.(int))) }, c.timer))
			},
			func(m *reference.Wheel, c call, _ *reference.Run) *reference.Answer {
				m.Start(groupOf(m, c), c.d, 0)
				return reference.Returns(reference.Outcome{})
			},
		},
		"Every": {
			func(w *world, c call) reference.Outcome { return w.keep(c, w.maker(c).Every(c.period, w.handler(c))) },
			func(m *reference.Wheel, c call, _ *reference.Run) *reference.Answer {
				m.Start(groupOf(m, c), c.period, c.period)
				return reference.Returns(reference.Outcome{})
			},
		},

		"Register": {
			func(w *world, c call) reference.Outcome {
				return reference.Outcome{Err: w.timer(c.timer).Register(c.d)}
			},
			func(m *reference.Wheel, c call, _ *reference.Run) *reference.Answer {
				_, err := m.Register(m.Timers[c.timer], c.d)
				return reference.Returns(reference.Outcome{Err: err})
			},
		},
		"RegisterAt": {
			func(w *world, c call) reference.Outcome {
				return reference.Outcome{Err: w.timer(c.timer).RegisterAt(w.wheel.Now().Add(c.d))}
			},
			func(m *reference.Wheel, c call, _ *reference.Run) *reference.Answer {
				return reference.Returns(reference.Outcome{Err: m.RegisterAt(m.Timers[c.timer], sum(m.Now, c.d))})
			},
		},
		"Reduce": {
			func(w *world, c call) reference.Outcome { return reference.Outcome{Err: w.timer(c.timer).Reduce(c.d)} },
			func(m *reference.Wheel, c call, _ *reference.Run) *reference.Answer {
				return reference.Returns(reference.Outcome{Err: m.Reduce(m.Timers[c.timer], c.d)})
			},
		},
		"Move": {
			func(w *world, c call) reference.Outcome { return reference.Outcome{Was: w.timer(c.timer).Move(c.d)} },
			func(m *reference.Wheel, c call, _ *reference.Run) *reference.Answer {
				return reference.Returns(reference.Outcome{Was: m.Move(m.Timers[c.timer], c.d)})
			},
		},
		"Reset": {
			func(w *world, c call) reference.Outcome { return reference.Outcome{Was: w.timer(c.timer).Reset(c.d)} },
			func(m *reference.Wheel, c call, _ *reference.Run) *reference.Answer {
				was, _ := m.Register(m.Timers[c.timer], c.d)
				return reference.Returns(reference.Outcome{Was: was})
			},
		},
		"RegisterIdle": {
			func(w *world, c call) reference.Outcome {
				return reference.Outcome{Err: w.timer(c.timer).RegisterIdle(c.d)}
			},
			func(m *reference.Wheel, c call, _ *reference.Run) *reference.Answer {
				return reference.Returns(reference.Outcome{Err: m.RegisterIdle(m.Timers[c.timer], c.d)})
			},
		},
		"Touch": {
			func(w *world, c call) reference.Outcome { return reference.Outcome{Was: w.timer(c.timer).Touch()} },
			func(m *reference.Wheel, c call, _ *reference.Run) *reference.Answer {
				return reference.Returns(reference.Outcome{Was: m.Touch(m.Timers[c.timer])})
			},
		},

		"Del": {
			func(w *world, c call) reference.Outcome { return found(w.timer(c.timer).Del(), nil) },
			func(m *reference.Wheel, c call, _ *reference.Run) *reference.Answer {
				return reference.Returns(reference.Outcome{Found: m.Delete(m.Timers[c.timer])})
			},
		},
		"Stop": {
			func(w *world, c call) reference.Outcome { return reference.Outcome{Was: w.timer(c.timer).Stop()} },
			func(m *reference.Wheel, c call, _ *reference.Run) *reference.Answer {
				return reference.Returns(reference.Outcome{Was: m.Delete(m.Timers[c.timer]).Pending})
			},
		},
		"DelSync": {
			func(w *world, c call) reference.Outcome { return found(w.timer(c.timer).DelSync()) },
			func(m *reference.Wheel, c call, from *reference.Run) *reference.Answer {
				return m.DelSync(m.Timers[c.timer], reference.Never, from)
			},
		},
		"DelSyncContext": {
			func(w *world, c call) reference.Outcome {
				ctx, cancel := limited(c.d)
				defer cancel()
				return found(w.timer(c.timer).DelSyncContext(ctx))
			},
			func(m *reference.Wheel, c call, from *reference.Run) *reference.Answer {
				return m.DelSync(m.Timers[c.timer], limit(m, c.d), from)
			},
		},
		"DelAsync": {
			func(w *world, c call) reference.Outcome { return found(w.timer(c.timer).DelAsync(w.newDone()), nil) },
			func(m *reference.Wheel, c call, _ *reference.Run) *reference.Answer {
				return reference.Returns(reference.Outcome{Found: m.DelAsync(m.Timers[c.timer])})
			},
		},
		"ShutdownSync": {
			func(w *world, c call) reference.Outcome { return found(w.timer(c.timer).ShutdownSync()) },
			func(m *reference.Wheel, c call, from *reference.Run) *reference.Answer {
				return m.ShutdownSync(m.Timers[c.timer], reference.Never, from)
			},
		},
		"ShutdownSyncContext": {
			func(w *world, c call) reference.Outcome {
				ctx, cancel := limited(c.d)
				defer cancel()
				return found(w.timer(c.timer).ShutdownSyncContext(ctx))
			},
			func(m *reference.Wheel, c call, from *reference.Run) *reference.Answer {
				return m.ShutdownSync(m.Timers[c.timer], limit(m, c.d), from)
			},
		},
		"Shutdown": {
			func(w *world, c call) reference.Outcome { return found(w.timer(c.timer).Shutdown(), nil) },
			func(m *reference.Wheel, c call, _ *reference.Run) *reference.Answer {
				return reference.Returns(reference.Outcome{Found: m.Shutdown(m.Timers[c.timer])})
			},
		},

		"ReleaseLock": {
			func(w *world, c call) reference.Outcome {
				return reference.Outcome{Err: w.timer(c.timer).ReleaseLock()}
			},
			func(m *reference.Wheel, c call, from *reference.Run) *reference.Answer {
				return reference.Returns(reference.Outcome{Err: m.ReleaseLock(m.Timers[c.timer], from)})
			},
		},
		"Retain": {
			func(w *world, c call) reference.Outcome { return reference.Outcome{Err: w.timer(c.timer).Retain()} },
			func(m *reference.Wheel, c call, _ *reference.Run) *reference.Answer {
				return reference.Returns(reference.Outcome{Err: m.Retain(m.Timers[c.timer])})
			},
		},
		"Free": {
			func(w *world, c call) reference.Outcome { return reference.Outcome{Err: w.timer(c.timer).Free()} },
			func(m *reference.Wheel, c call, _ *reference.Run) *reference.Answer {
				return reference.Returns(reference.Outcome{Err: m.Free(m.Timers[c.timer])})
			},
		},

		"NewGroup": {
			func(w *world, _ call) reference.Outcome { w.newGroup(); return reference.Outcome{} },
			func(m *reference.Wheel, _ call, _ *reference.Run) *reference.Answer {
				m.NewGroup()
				return reference.Returns(reference.Outcome{})
			},
		},
		"Group.Del": {
			func(w *world, c call) reference.Outcome { return found(w.group(c.group).Del(), nil) },
			func(m *reference.Wheel, c call, _ *reference.Run) *reference.Answer {
				return reference.Returns(reference.Outcome{Found: m.DeleteGroup(m.Groups[c.group])})
			},
		},
		"Group.Shutdown": {
			func(w *world, c call) reference.Outcome { return found(w.group(c.group).Shutdown(), nil) },
			func(m *reference.Wheel, c call, _ *reference.Run) *reference.Answer {
				return reference.Returns(reference.Outcome{Found: m.ShutdownGroup(m.Groups[c.group])})
			},
		},
		"Group.DelSync": {
			func(w *world, c call) reference.Outcome { return found(w.group(c.group).DelSync()) },
			func(m *reference.Wheel, c call, from *reference.Run) *reference.Answer {
				return m.DelSyncGroup(m.Groups[c.group], reference.Never, from)
			},
		},
		"Group.DelSyncContext": {
			func(w *world, c call) reference.Outcome {
				ctx, cancel := limited(c.d)
				defer cancel()
				return found(w.group(c.group).DelSyncContext(ctx))
			},
			func(m *reference.Wheel, c call, from *reference.Run) *reference.Answer {
				return m.DelSyncGroup(m.Groups[c.group], limit(m, c.d), from)
			},
		},
		"Group.ShutdownSync": {
			func(w *world, c call) reference.Outcome { return found(w.group(c.group).ShutdownSync()) },
			func(m *reference.Wheel, c call, from *reference.Run) *reference.Answer {
				return m.ShutdownSyncGroup(m.Groups[c.group], reference.Never, from)
			},
		},
		"Group.ShutdownSyncContext": {
			func(w *world, c call) reference.Outcome {
				ctx, cancel := limited(c.d)
				defer cancel()
				return found(w.group(c.group).ShutdownSyncContext(ctx))
			},
			func(m *reference.Wheel, c call, from *reference.Run) *reference.Answer {
				return m.ShutdownSyncGroup(m.Groups[c.group], limit(m, c.d), from)
			},
		},

		"Close": {
			func(w *world, _ call) reference.Outcome { return reference.Outcome{Err: w.wheel.Close()} },
			func(m *reference.Wheel, _ call, from *reference.Run) *reference.Answer {
				return m.Close(reference.Never, from)
			},
		},
		"CloseContext": {
			func(w *world, c call) reference.Outcome {
				ctx, cancel := limited(c.d)
				defer cancel()
				return reference.Outcome{Err: w.wheel.CloseContext(ctx)}
			},
			func(m *reference.Wheel, c call, from *reference.Run) *reference.Answer {
				return m.Close(limit(m, c.d), from)
			},
		},
		"Advance": {
			func(w *world, c call) reference.Outcome {
				fired, err := w.wheel.Advance(w.wheel.Now().Add(c.d))
				return reference.Outcome{Fired: fired, Err: err}
			},
			func(m *reference.Wheel, c call, from *reference.Run) *reference.Answer { return m.Advance(c.d, from) },
		},
	}
}

// groupOf is the group in which a call makes a timer; nil is the wheel.
func groupOf(m *reference.Wheel, c call) *reference.Group {
	if c.group < 0 {
		return nil
	}
	return m.Groups[c.group]
}

// sum is now + d, as far as the clock reaches.
func sum(now, d time.Duration) time.Duration {
	if d > reference.Never-now {
		return reference.Never
	}
	return now + d
}

func found(f timerwheel.Found, err error) reference.Outcome {
	return reference.Outcome{Found: f, Err: err}
}

// limited makes a context that ends after d, or has ended already.
func limited(d time.Duration) (context.Context, context.CancelFunc) {
	if d == reference.Ended {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		return ctx, cancel
	}
	return context.WithTimeout(context.Background(), d)
}

// limit is when such a context ends.
func limit(m *reference.Wheel, d time.Duration) time.Duration {
	if d == reference.Ended {
		return reference.Ended
	}
	return m.Now + d
}
