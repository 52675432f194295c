package histories

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

// This file checks the checker: it must reject what breaks a promise, and accept what
// does not.

// at makes an operation that is called and returns at the given times.
func at(call, ret int, in input, out output) porcupine.Operation {
	in.at = time.Duration(call)
	return porcupine.Operation{Input: in, Call: int64(call), Output: out, Return: int64(ret)}
}

// over is the time by which a history of this file is over.
const over = 1000

var (
	alloc     = at(0, 0, input{op: "Alloc"}, output{})
	afterFunc = at(0, 0, input{op: "AfterFunc"}, output{})
)

// begin is the begin of a run whose first statement is at the given time.
func begin(t int) porcupine.Operation {
	return at(0, t, input{op: "begin"}, output{at: time.Duration(t)})
}

// end is the end of a run whose last statement is at the given time.
func end(t int) porcupine.Operation { return at(t, over, input{op: "end"}, output{}) }

func register(call, ret int, err string) porcupine.Operation {
	return at(call, ret, input{op: "Register"}, output{err: err})
}

func registerFor(call, ret int, d time.Duration) porcupine.Operation {
	return at(call, ret, input{op: "Register", d: d}, output{})
}

// registerIdle and touch are of an idle timeout.
func registerIdle(call, ret int, d time.Duration) porcupine.Operation {
	return at(call, ret, input{op: "RegisterIdle", d: d}, output{})
}

func touch(call, ret int, is bool) porcupine.Operation { return ask(call, ret, "Touch", is) }

func del(call, ret int, out output) porcupine.Operation { return at(call, ret, input{op: "Del"}, out) }

func shutdown(call, ret int, out output) porcupine.Operation {
	return at(call, ret, input{op: "Shutdown"}, out)
}

func ask(call, ret int, op string, yes bool) porcupine.Operation {
	return at(call, ret, input{op: op}, output{yes: yes})
}

func ownership(call, ret int, op, err string) porcupine.Operation {
	return at(call, ret, input{op: op}, output{err: err})
}

// waited is a deletion that found a handler in flight, and waited until it was over: two
// operations.
func waited(call, ret int, op string) []porcupine.Operation {
	return []porcupine.Operation{
		at(call, ret, input{op: op, wait: call}, foundRunning),
		at(call, ret, input{op: endOfWait, wait: call}, output{}),
	}
}

// groupWaited is a deletion of a group of two, in a history of one of them. It found a
// handler in flight, of this member or of the other, and its wait ended as out says.
func groupWaited(call, ret int, op string, out output) []porcupine.Operation {
	return []porcupine.Operation{
		at(call, ret, input{op: op, members: 2, wait: call, inHandler: out.err == "ErrDeadlock"}, out),
		at(call, ret, input{op: endOfWait, members: 2, wait: call}, output{err: out.err}),
	}
}

// groupWaitedUntil is groupWaited where the other member's run ends at the given time.
func groupWaitedUntil(end, call, ret int) []porcupine.Operation {
	ops := groupWaited(call, ret, "Group.DelSync", foundRunning)
	ops[1].Call = int64(end)
	return ops
}

// group is a deletion of a group that does not wait, in a history of one of its members.
func group(call, ret int, op string, members int, out output) porcupine.Operation {
	return at(call, ret, input{op: op, members: members}, out)
}

// closed is a Close that has waited.
func closed(call, ret int) []porcupine.Operation {
	return []porcupine.Operation{
		at(call, ret, input{op: "CloseContext", wait: call}, output{}),
		at(call, ret, input{op: endOfWait, wait: call}, output{}),
	}
}

func closeFailed(call, ret int, err string, inHandler bool) porcupine.Operation {
	return at(call, ret, input{op: "CloseContext", inHandler: inHandler}, output{err: err})
}

var (
	foundPending = output{pending: true}
	foundRunning = output{running: true}
	foundBoth    = output{pending: true, running: true}
	foundNothing = output{}
	gaveUp       = output{running: true, err: "DeadlineExceeded"}
	deadlock     = output{running: true, err: "ErrDeadlock"}
)

// history joins operations, and slices of them.
func history(parts ...any) (h []porcupine.Operation) {
	for _, p := range parts {
		switch p := p.(type) {
		case porcupine.Operation:
			h = append(h, p)
		case []porcupine.Operation:
			h = append(h, p...)
		}
	}
	return h
}

// A pair is two histories that differ in what one promise is about.
type pair struct {
	promise      string
	right, wrong []porcupine.Operation
}

var fired = []porcupine.Operation{alloc, register(1, 2, ""), begin(10)} // and runs

func delSync(call, ret int) []porcupine.Operation { return waited(call, ret, "DelSync") }

func TestCheckerTellsRightFromWrong(t *testing.T) {
	for _, p := range slices.Concat(deletionPairs, shutdownPairs, groupPairs, closePairs, timerPairs) {
		t.Run(p.promise, func(t *testing.T) {
			require.Equal(t, porcupine.Ok, check(p.right), "rejected, though it is right:\n%s", show(p.right))
			require.Equal(t, porcupine.Illegal, check(p.wrong), "accepted, though it is wrong:\n%s", show(p.wrong))
		})
	}
}

// Of real histories in which one answer is changed, most are rejected. Not all: the
// changed answer may be possible, too.
func TestCheckerNoticesOneWrongAnswer(t *testing.T) {
	w := newWheel()
	defer func() { require.NoError(t, w.Close()) }()
	const histories = 300
	rejected, rng := 0, rand.New(rand.NewPCG(1, 2))
	for n := range histories {
		history := play(w, uint64(n))
		falsifyOne(history, rng)
		if check(history) == porcupine.Illegal {
			rejected++
		}
	}
	t.Logf("checker: of %d histories with one wrong answer %d were rejected", histories, rejected)
	require.Greater(t, rejected, histories*3/4)
}

// falsifyOne changes one answer.
func falsifyOne(history []porcupine.Operation, rng *rand.Rand) {
	for {
		op := &history[rng.IntN(len(history))]
		out := op.Output.(output)
		if wrong := falsified(out, op.Input.(input)); wrong != out {
			op.Output = wrong
			return
		}
	}
}

// falsified is another answer than the one that was given, if the call gives any. That
// of a group's deletion is changed only so that it denies what it found.
func falsified(out output, in input) output {
	switch in.op {
	case "Pending", "Running", "Valid", "Stop", "Reset", "Touch":
		out.yes = !out.yes
	case "Del", "Shutdown", "DelSync", "DelAsync", "ShutdownSync":
		out.pending = !out.pending
	case "Group.Del", "Group.Shutdown":
		out.pending = false
	case "Register", "RegisterAt", "RegisterIdle", "Reduce", "Retain", "Free":
		if out.err == "" {
			out.err = "ErrStale"
		} else {
			out.err = ""
		}
	}
	return out
}

// The drawing of a history is written.
func TestHistoryIsDrawn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.html")
	require.NoError(t, visualize(history(alloc, register(1, 2, ""), begin(10), end(11)), path))
	require.FileExists(t, path)
}
