package histories

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/seed76848005/timerwheel"
)

// A recorder records the operations of one goroutine, without a lock: to record
// must not bring an order into what is recorded. That of a handler is passed on
// from run to run, and to whoever has deleted the timer in the end, which is
// safe because the wheel promises that it is; the race detector knows if it is
// not.
type recorder struct {
	client    int
	start     time.Time
	ops       []porcupine.Operation
	deletions int     // that may wait
	dones     []*done // of the DelAsyncs among them
}

// A done is what the function of a DelAsync notes.
type done struct {
	in  input
	out output
	ran time.Duration
}

const maxDeletions = 10 // of one recorder: their numbers are the history's

func (r *recorder) now() time.Duration { return time.Since(r.start) }

// record records one call.
func (r *recorder) record(in input, f func(input) output) output {
	if waits(in.op) {
		in.deletion = r.client*maxDeletions + r.deletions
		r.deletions++
	}
	in.at = r.now()
	out := f(in)
	returned := r.now()
	r.add(in, in.at, out, returned)
	if in.op != "DelAsync" {
		r.rest(in, out, returned)
	}
	return out
}

// rest records that a deletion has come to rest, if it had to wait for that.
func (r *recorder) rest(in input, out output, by time.Duration) {
	if waits(in.op) && out.running && out.err == "" {
		r.add(input{timer: in.timer, op: "quiescence", deletion: in.deletion}, in.at, output{}, by)
	}
}

// history is what has been recorded, when all is over. The end of a run is some
// time after its handler's last statement.
func (r *recorder) history(over time.Duration) []porcupine.Operation {
	for _, d := range r.dones {
		r.rest(d.in, d.out, d.ran)
	}
	for k, op := range r.ops {
		if op.Input.(input).op == "end" {
			r.ops[k].Return = int64(over)
		}
	}
	return r.ops
}

func (r *recorder) add(in input, call time.Duration, out output, ret time.Duration) {
	r.ops = append(r.ops, porcupine.Operation{ClientId: r.client, Input: in, Call: int64(call), Output: out, Return: int64(ret)})
}

// waits reports whether a call is a deletion that waits.
func waits(op string) bool {
	return op == "DelSync" || op == "DelSyncContext" || op == "DelAsync" || op == "ShutdownSync"
}

// deleted makes an output of what a deletion returns.
func deleted(found timerwheel.Found, err error) output {
	return output{pending: found.Pending, running: found.Running, err: nameOf(err)}
}

func failed(err error) output { return output{err: nameOf(err)} }

func answered(yes bool) output { return output{yes: yes} }

// nameOf names an error.
func nameOf(err error) string {
	if err == nil {
		return ""
	}
	for name, e := range map[string]error{
		"ErrStale":         timerwheel.ErrStale,
		"ErrFreed":         timerwheel.ErrFreed,
		"ErrDeleting":      timerwheel.ErrDeleting,
		"ErrShutdown":      timerwheel.ErrShutdown,
		"ErrClosed":        timerwheel.ErrClosed,
		"ErrDeadlock":      timerwheel.ErrDeadlock,
		"DeadlineExceeded": context.DeadlineExceeded,
	} {
		if errors.Is(err, e) {
			return name
		}
	}
	return err.Error()
}

// describe shows an operation in one line.
func describe(in input, out output) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s", in.op)
	switch in.op {
	case "Register", "Reset", "Reduce", "RegisterAt", "AfterFunc":
		fmt.Fprintf(&b, "(%v)", in.d)
	}
	switch {
	case waits(in.op) || in.op == "Del":
		fmt.Fprintf(&b, " -> found %s", foundOf(out))
	case in.op == "Stop" || in.op == "Reset" || in.op == "Pending" || in.op == "Running" || in.op == "Valid":
		fmt.Fprintf(&b, " -> %t", out.yes)
	}
	if waits(in.op) && out.running || in.op == "quiescence" {
		fmt.Fprintf(&b, " [deletion %d]", in.deletion)
	}
	if out.err != "" {
		fmt.Fprintf(&b, " %s", out.err)
	}
	return b.String()
}

func foundOf(out output) string {
	switch {
	case out.pending && out.running:
		return "both"
	case out.pending:
		return "pending"
	case out.running:
		return "running"
	}
	return "nothing"
}

// show shows a history, timer by timer, in the order in which the operations
// began.
func show(history []porcupine.Operation) string {
	var b strings.Builder
	for timer, ops := range byTimer(history) {
		fmt.Fprintf(&b, "timer %d\n", timer)
		slices.SortStableFunc(ops, func(x, y porcupine.Operation) int { return cmp.Compare(x.Call, y.Call) })
		for _, op := range ops {
			fmt.Fprintf(&b, "  %9v - %9v  client %2d  %s\n", time.Duration(op.Call), time.Duration(op.Return), op.ClientId, describe(op.Input.(input), op.Output.(output)))
		}
	}
	return b.String()
}
