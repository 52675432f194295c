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

// A recorder records the operations of one goroutine, without a lock: recording must
// not order what is recorded. The recorder of a handler passes from run to run, and to
// the goroutine that deletes the timer in the end. That is safe because the wheel
// promises it; the race detector reports it if it is not.
type recorder struct {
	client int
	start  time.Time
	ops    []porcupine.Operation
	waits  int            // calls that may wait
	asyncs []*asyncDelete // those of DelAsync
}

// An asyncDelete is what the done of a DelAsync records.
type asyncDelete struct {
	in  input
	out output
	ran time.Duration
}

const maxWaits = 10 // of one recorder: their numbers are unique in the history

func (r *recorder) now() time.Duration { return time.Since(r.start) }

// record makes one call, and records it as an operation on each of the timers.
func (r *recorder) record(timers []int, in input, f func(input) output) output {
	if waits(in.op) {
		in.wait = r.client*maxWaits + r.waits
		r.waits++
	}
	in.at = r.now()
	out := f(in)
	returned := r.now()
	for _, in.timer = range timers {
		r.add(in, in.at, out, returned)
		if in.op != "DelAsync" {
			r.addEndOfWait(in, out, returned)
		}
	}
	return out
}

// addEndOfWait records the end of a call's wait, if it has waited. That of a group's
// deletion ends the refusal of all members, so it is recorded however it ends.
func (r *recorder) addEndOfWait(in input, out output, by time.Duration) {
	d := deletions[in.op]
	switch {
	case d.waits && d.ofGroup && out.running,
		d.waits && !d.ofGroup && out.running && out.err == "",
		closes(in.op) && out.err == "":
		end := input{timer: in.timer, op: endOfWait, wait: in.wait, members: in.members}
		r.add(end, in.at, output{err: out.err}, by)
	}
}

// history returns what was recorded, when all is over. The end of a run is some time
// after its handler's last statement.
func (r *recorder) history(over time.Duration) []porcupine.Operation {
	for _, d := range r.asyncs {
		r.addEndOfWait(d.in, d.out, d.ran)
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

// deleted makes an output of what a deletion that waits returns.
func deleted(found timerwheel.Found, err error) output {
	return output{pending: found.Pending, running: found.Running, err: nameOf(err)}
}

// found makes an output of what a deletion that does not wait returns.
func found(f timerwheel.Found) output { return deleted(f, nil) }

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
	case "Register", "Reset", "Reduce", "RegisterAt", "RegisterIdle", "AfterFunc":
		fmt.Fprintf(&b, "(%v)", in.d)
	}
	_, deletes := deletions[in.op]
	switch {
	case in.op == "Stop" || in.op == "Reset" || in.op == "Pending" || in.op == "Running" || in.op == "Valid" || in.op == "Touch":
		fmt.Fprintf(&b, " -> %t", out.yes)
	case deletes:
		fmt.Fprintf(&b, " -> found %s", describeFound(out))
	}
	if in.members > 1 {
		fmt.Fprintf(&b, " among %d members", in.members)
	}
	if waits(in.op) && out.running || closes(in.op) || in.op == endOfWait {
		fmt.Fprintf(&b, " [wait %d]", in.wait)
	}
	if out.err != "" {
		fmt.Fprintf(&b, " %s", out.err)
	}
	return b.String()
}

func describeFound(out output) string {
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

// show shows a history, timer by timer, in the order in which the operations began.
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
