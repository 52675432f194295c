package histories

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/seed76848005/timerwheel"
)

// This file is what clients and handlers call.

// Of these lists, each entry is as likely as the others. Shutdowns are few, because a
// timer that is shut down does little more.
var (
	clientCalls = slices.Concat(
		slices.Repeat([]string{
			"Register", "Register", "Register", "RegisterAt", "Reset", "Reduce", "RegisterIdle", "RegisterIdle", "Touch", "Touch",
			"Del", "Stop", "DelSync", "DelSync", "DelSync", "DelSyncContext", "DelAsync",
			"Retain", "Free", "Pending", "Running",
		}, 3),
		[]string{"Shutdown", "Shutdown", "ShutdownSync", "ShutdownSyncContext"})
	groupCalls = slices.Concat(
		slices.Repeat([]string{"Group.Del", "Group.DelSync", "Group.DelSyncContext"}, 4),
		[]string{"Group.Shutdown", "Group.ShutdownSync", "Group.ShutdownSyncContext"})
	closeCalls = slices.Repeat([]string{"Close", "CloseContext"}, 3)

	handlerActs = slices.Concat(
		slices.Repeat([]string{
			"nothing", "nothing", "pause", "pause", "pause", "panic", "Goexit",
			"Register", "Register", "Reduce", "RegisterIdle", "Touch", "Del", "DelSync", "DelAsync", "Free", "Retain",
			"DelSync of any", "DelSync of any",
		}, 3),
		[]string{"Shutdown", "Shutdown of any"})
	groupActs = slices.Concat(
		slices.Repeat([]string{"Group.Del", "Group.DelSync"}, 4),
		[]string{"Group.Shutdown", "Group.ShutdownSync"})
	closeActs = slices.Repeat([]string{"Close", "CloseContext"}, 3)
)

// call makes one call of a timer, or of what the timer belongs to, and records it. A
// Close concerns all timers, those that are made after it too.
func (p *program) call(r *recorder, t *timer, op string, rng *rand.Rand) output {
	in := input{timer: t.id, op: op, d: delay(rng), inHandler: r.client > maxClients}
	timers := []int{t.id}
	switch {
	case closes(op):
		timers = allTimers()
	case deletions[op].ofGroup:
		timers, in.members = p.members, len(p.members)
	}
	return r.record(timers, in, func(in input) output { return p.do(r, t.handle, in) })
}

func allTimers() (ids []int) {
	for id := range maxTimers {
		ids = append(ids, id)
	}
	return ids
}

func (p *program) do(r *recorder, t timerwheel.Timer, in input) output {
	switch d := deletions[in.op]; {
	case closes(in.op):
		return p.close(in.op)
	case d.ofGroup:
		return deleteGroup(p.group, in.op)
	case d.waits:
		return p.deleteAndWait(r, t, in)
	}
	switch in.op {
	case "Register":
		return failed(t.Register(in.d))
	case "RegisterAt":
		return failed(t.RegisterAt(time.Now().Add(in.d)))
	case "RegisterIdle":
		return failed(t.RegisterIdle(in.d))
	case "Touch":
		return answered(t.Touch())
	case "Reset":
		return answered(t.Reset(in.d))
	case "Reduce":
		return failed(t.Reduce(in.d))
	case "Del":
		return found(t.Del())
	case "Stop":
		return answered(t.Stop())
	case "Shutdown":
		return found(t.Shutdown())
	case "Retain":
		return failed(t.Retain())
	case "Free":
		return failed(t.Free())
	case "Pending":
		return answered(t.Pending())
	case "Running":
		return answered(t.Running())
	}
	return answered(t.Valid())
}

func (p *program) close(op string) output {
	if op == "Close" {
		return failed(p.wheel.Close())
	}
	ctx, cancel := shortly()
	defer cancel()
	return failed(p.wheel.CloseContext(ctx))
}

func deleteGroup(g *timerwheel.Group, op string) output {
	switch op {
	case "Group.Del":
		return found(g.Del())
	case "Group.Shutdown":
		return found(g.Shutdown())
	case "Group.DelSync":
		return deleted(g.DelSync())
	case "Group.DelSyncContext":
		return bounded(g.DelSyncContext)
	case "Group.ShutdownSync":
		return deleted(g.ShutdownSync())
	}
	return bounded(g.ShutdownSyncContext)
}

func (p *program) deleteAndWait(r *recorder, t timerwheel.Timer, in input) output {
	switch in.op {
	case "DelSync":
		return deleted(t.DelSync())
	case "DelSyncContext":
		return bounded(t.DelSyncContext)
	case "ShutdownSync":
		return deleted(t.ShutdownSync())
	case "ShutdownSyncContext":
		return bounded(t.ShutdownSyncContext)
	}
	return p.delAsync(r, t, in)
}

// bounded calls a deletion with a context that ends soon.
func bounded(f func(context.Context) (timerwheel.Found, error)) output {
	ctx, cancel := shortly()
	defer cancel()
	return deleted(f(ctx))
}

// shortly returns a context that ends before many a run does.
func shortly() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 20*time.Microsecond)
}

// delAsync records when the done of a DelAsync runs.
func (p *program) delAsync(r *recorder, t timerwheel.Timer, in input) output {
	d := &asyncDelete{in: in}
	r.asyncs = append(r.asyncs, d)
	p.dones.Add(1)
	d.out = found(t.DelAsync(func() {
		d.ran = time.Since(p.start)
		p.dones.Done()
	}))
	return d.out
}
