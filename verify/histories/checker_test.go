package histories

import (
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
)

// This file checks the checker: it must reject what breaks a promise, and accept
// what does not.

// o makes an operation that is called and returns at the given times.
func o(call, ret int, in input, out output) porcupine.Operation {
	in.at = time.Duration(call)
	return porcupine.Operation{Input: in, Call: int64(call), Output: out, Return: int64(ret)}
}

// end is the time by which a history of this file is over.
const end = 1000

var (
	alloc     = o(0, 0, input{op: "Alloc"}, output{})
	afterFunc = o(0, 0, input{op: "AfterFunc"}, output{})
)

// begin is the begin of a run whose first statement is at the given time.
func begin(at int) porcupine.Operation {
	return o(0, at, input{op: "begin"}, output{at: time.Duration(at)})
}

// ends is the end of a run whose last statement is at the given time.
func ends(at int) porcupine.Operation { return o(at, end, input{op: "end"}, output{}) }

func register(call, ret int, err string) porcupine.Operation {
	return o(call, ret, input{op: "Register"}, output{err: err})
}

func registerFor(call, ret int, d time.Duration) porcupine.Operation {
	return o(call, ret, input{op: "Register", d: d}, output{})
}

func del(call, ret int, out output) porcupine.Operation { return o(call, ret, input{op: "Del"}, out) }

func ask(call, ret int, op string, yes bool) porcupine.Operation {
	return o(call, ret, input{op: op}, output{yes: yes})
}

func own(call, ret int, op, err string) porcupine.Operation {
	return o(call, ret, input{op: op}, output{err: err})
}

// waited is a deletion that found a handler in flight, and waited until it was
// over: two operations.
func waited(call, ret int, op string) []porcupine.Operation {
	return []porcupine.Operation{
		o(call, ret, input{op: op, deletion: call}, output{running: true}),
		o(call, ret, input{op: "quiescence", deletion: call}, output{}),
	}
}

var (
	foundPending = output{pending: true}
	foundRunning = output{running: true}
	foundNothing = output{}
	gaveUp       = output{running: true, err: "DeadlineExceeded"}
	deadlock     = output{running: true, err: "ErrDeadlock"}
)

// history puts operations, and pairs of them, together.
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

func TestCheckerTellsGoodFromBad(t *testing.T) {
	delSync := func(call, ret int) []porcupine.Operation { return waited(call, ret, "DelSync") }
	fired := []porcupine.Operation{alloc, register(1, 2, ""), begin(10)} // and runs
	for _, pair := range []struct {
		promise   string
		good, bad []porcupine.Operation
	}{
		{
			"DelSync returns after the handler has ended",
			history(fired, delSync(20, 50), ends(40)),
			history(fired, delSync(20, 30), ends(40)),
		}, {
			"each of two DelSyncs does",
			history(fired, delSync(20, 50), delSync(21, 51), ends(40)),
			history(fired, delSync(20, 50), delSync(21, 31), ends(40)),
		}, {
			"ShutdownSync does",
			history(fired, waited(20, 50, "ShutdownSync"), ends(40)),
			history(fired, waited(20, 30, "ShutdownSync"), ends(40)),
		}, {
			"done is called after the handler has ended",
			history(fired, waited(20, 50, "DelAsync"), ends(40)),
			history(fired, waited(20, 30, "DelAsync"), ends(40)),
		}, {
			"no Register succeeds while a deletion waits",
			history(fired, delSync(20, 100), register(30, 35, "ErrDeleting"), register(50, 55, "ErrDeleting"), ends(60), register(110, 115, "")),
			history(fired, delSync(20, 100), register(30, 35, "ErrDeleting"), register(50, 55, ""), ends(60)),
		}, {
			"nor after one has given up, as long as the run lasts",
			history(fired, o(20, 30, input{op: "DelSyncContext"}, gaveUp), register(40, 45, "ErrDeleting"), ends(60)),
			history(fired, o(20, 30, input{op: "DelSyncContext"}, gaveUp), register(40, 45, ""), ends(60)),
		}, {
			"the refusal ends with the run",
			history(fired, delSync(20, 50), ends(40), register(60, 61, "")),
			history(fired, delSync(20, 50), ends(40), register(60, 61, "ErrDeleting")),
		}, {
			"there is no refusal without a deletion that waits",
			history(fired, register(20, 21, ""), ends(40), begin(45), ends(46)),
			history(fired, register(20, 21, "ErrDeleting"), ends(40)),
		}, {
			"after DelSync the timer is not pending, unless somebody registers it",
			history(fired, delSync(20, 50), ends(40), register(45, 55, ""), ask(60, 61, "Pending", true)),
			history(fired, delSync(20, 50), ends(40), ask(60, 61, "Pending", true)),
		}, {
			"nor after Del",
			history(alloc, register(1, 2, ""), del(3, 4, foundPending), ask(5, 6, "Pending", false)),
			history(alloc, register(1, 2, ""), del(3, 4, foundPending), ask(5, 6, "Pending", true)),
		}, {
			"what Del has removed does not fire",
			history(alloc, register(1, 2, ""), del(3, 4, foundRunning), begin(10), ends(11)),
			history(alloc, register(1, 2, ""), del(3, 4, foundPending), begin(10), ends(11)),
		}, {
			"a deletion finds the firing",
			history(alloc, registerFor(1, 2, time.Hour), del(3, 4, foundPending)),
			history(alloc, registerFor(1, 2, time.Hour), del(3, 4, foundNothing)),
		}, {
			"a deletion finds the handler in flight",
			history(fired, del(20, 30, foundRunning), ends(40)),
			history(fired, del(20, 30, foundNothing), ends(40)),
		}, {
			"a handler never runs twice at once",
			history(fired, register(12, 13, ""), ends(30), begin(31), ends(40)),
			history(fired, register(12, 13, ""), begin(20), ends(30), ends(40)),
		}, {
			"one Register fires once",
			history(fired, ends(11), register(12, 13, ""), begin(20), ends(21)),
			history(fired, ends(11), begin(20), ends(21)),
		}, {
			"a handler never begins early",
			history(alloc, registerFor(1, 2, 100), begin(101), ends(102)),
			history(alloc, registerFor(1, 2, 100), begin(100), ends(102)),
		}, {
			"the old deadline of a timer that was moved never fires",
			history(alloc, register(1, 2, ""), registerFor(3, 4, 100), begin(103), ends(104)),
			history(alloc, register(1, 2, ""), registerFor(3, 4, 100), begin(50), ends(51), ask(60, 61, "Pending", false)),
		}, {
			"Reduce moves, or does not",
			history(alloc, registerFor(1, 2, 100), o(3, 4, input{op: "Reduce", d: 10}, output{}), begin(13), ends(14)),
			history(alloc, registerFor(1, 2, 100), o(3, 4, input{op: "Reduce", d: 10}, output{}), begin(12), ends(14)),
		}, {
			"no Register succeeds after Shutdown",
			history(alloc, o(1, 2, input{op: "ShutdownSync"}, foundNothing), register(3, 4, "ErrShutdown")),
			history(alloc, o(1, 2, input{op: "ShutdownSync"}, foundNothing), register(3, 4, "")),
		}, {
			"ErrShutdown comes before ErrDeleting",
			history(fired, waited(20, 50, "ShutdownSync"), register(25, 26, "ErrShutdown"), ends(40)),
			history(fired, waited(20, 50, "ShutdownSync"), register(25, 26, "ErrDeleting"), ends(40)),
		}, {
			"a stale handle registers nothing",
			history(alloc, own(1, 2, "Free", ""), register(3, 4, "ErrStale")),
			history(alloc, own(1, 2, "Free", ""), register(3, 4, "")),
		}, {
			"a timer is recycled with its last reference",
			history(alloc, own(1, 2, "Retain", ""), own(3, 4, "Free", ""), own(5, 6, "Free", ""), ask(7, 8, "Valid", false)),
			history(alloc, own(1, 2, "Retain", ""), own(3, 4, "Free", ""), ask(7, 8, "Valid", false)),
		}, {
			"not while its handler runs",
			history(afterFunc, begin(10), ask(20, 30, "Valid", true), ends(40), ask(50, 51, "Running", false), ask(60, 61, "Valid", false)),
			history(afterFunc, begin(10), ask(20, 30, "Valid", false), ends(40)),
		}, {
			"one reference is freed once",
			history(afterFunc, begin(10), own(20, 30, "Free", "ErrFreed"), ends(40)),
			history(afterFunc, begin(10), own(20, 30, "Free", ""), ends(40)),
		}, {
			"only handlers get ErrDeadlock",
			history(fired, o(20, 30, input{op: "DelSync", inHandler: true}, deadlock), register(31, 32, ""), ends(40), begin(41), ends(42)),
			history(fired, o(20, 30, input{op: "DelSync"}, deadlock), ends(40)),
		},
	} {
		t.Run(pair.promise, func(t *testing.T) {
			require.Equal(t, porcupine.Ok, check(pair.good), "rejected, though it is good:\n%s", show(pair.good))
			require.Equal(t, porcupine.Illegal, check(pair.bad), "accepted, though it is bad:\n%s", show(pair.bad))
		})
	}
}

// Of real histories in which one answer is changed, most are rejected. Not all:
// an answer may be changed into one that was possible, too.
func TestCheckerNoticesOneWrongAnswer(t *testing.T) {
	w, err := timerwheel.New(options)
	require.NoError(t, err)
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

// falsified is another answer than the one that was given, if the call gives
// any.
func falsified(out output, in input) output {
	switch in.op {
	case "Pending", "Running", "Valid", "Stop", "Reset":
		out.yes = !out.yes
	case "Del", "DelSync", "DelAsync", "ShutdownSync":
		out.pending = !out.pending
	case "Register", "RegisterAt", "Reduce", "Retain", "Free":
		if out.err == "" {
			out.err = "ErrStale"
		} else {
			out.err = ""
		}
	}
	return out
}

// The drawing is written.
func TestHistoryIsDrawn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.html")
	require.NoError(t, visualize(history(alloc, register(1, 2, ""), begin(10), ends(11)), path))
	require.FileExists(t, path)
}
