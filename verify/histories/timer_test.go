package histories

import (
	"fmt"
	"time"

	"github.com/anishathalye/porcupine"
)

// This file is the timer that is obviously right, for one goroutine at a time.

// A state is all there is to know of a timer.
type state struct {
	born      bool
	gone      bool // recycled
	owners    int
	pending   bool
	notBefore time.Duration // of a pending timer: the earliest begin of its handler
	running   bool
	marked    bool // a deletion waits for the run in flight
	down      bool // shut down
	waiting   deletions
}

// deletions are those that have marked a timer, and have not come to rest: a bit
// for each, so that states can be compared.
type deletions [2]uint64

func (d deletions) with(n int) deletions {
	d[n/64] |= 1 << (n % 64)
	return d
}

func (d deletions) without(n int) deletions {
	d[n/64] &^= 1 << (n % 64)
	return d
}

// An input is what is called, and an output is what comes of it.
type input struct {
	timer     int
	op        string
	at        time.Duration // when the call began
	d         time.Duration // to register it for
	deletion  int           // the number of a deletion that waits
	inHandler bool
}

type output struct {
	pending, running bool // what a deletion found
	yes              bool // the answer of Pending, Running, Valid, Stop, Reset
	err              string
	at               time.Duration // of a begin: when the handler's first statement ran
}

// model is the timer for porcupine. It is not deterministic: whether a Reduce
// has moved a pending timer, only the wheel can say.
var model = porcupine.NondeterministicModel{
	Partition: byTimer,
	Init:      func() []any { return []any{state{}} },
	Step: func(s, in, out any) (next []any) {
		for _, s := range s.(state).step(in.(input), out.(output)) {
			next = append(next, s)
		}
		return next
	},
	DescribeOperation: func(in, out any) string { return describe(in.(input), out.(output)) },
	DescribeState:     func(s any) string { return fmt.Sprintf("%+v", s) },
}

func byTimer(history []porcupine.Operation) (parts [][]porcupine.Operation) {
	for _, op := range history {
		timer := op.Input.(input).timer
		for timer >= len(parts) {
			parts = append(parts, nil)
		}
		parts[timer] = append(parts[timer], op)
	}
	return parts
}

// step returns the states that an operation with this outcome may lead to: none,
// if it cannot have this outcome.
func (s state) step(in input, out output) []state {
	if s.born == (in.op == "Alloc" || in.op == "AfterFunc") {
		return nil
	}
	switch in.op {
	case "Alloc":
		return states(state{born: true, owners: 1})
	case "AfterFunc":
		return states(state{born: true}.armed(in))
	case "Register", "RegisterAt", "Reset", "Reduce":
		return s.register(in, out)
	case "Del", "Stop":
		return s.del(in, out)
	case "DelSync", "DelSyncContext", "DelAsync", "ShutdownSync":
		return s.mark(in, out)
	case "quiescence":
		return s.rest(in)
	case "begin":
		return s.begin(out)
	case "end":
		return s.end()
	case "Retain", "Free":
		return s.own(in, out)
	}
	return s.ask(in, out)
}

func states(s ...state) []state { return s }

// only returns s, if ok.
func only(ok bool, s state) []state {
	if !ok {
		return nil
	}
	return []state{s}
}

// settled is s, recycled if nobody holds the timer any more.
func (s state) settled() state {
	if s.owners == 0 && !s.pending && !s.running {
		return state{born: true, gone: true, waiting: s.waiting}
	}
	return s
}

func (s state) armed(in input) state {
	s.pending, s.notBefore = true, in.at+in.d
	return s
}

// refusal is the error of a Register.
func (s state) refusal() string {
	switch {
	case s.gone:
		return "ErrStale"
	case s.down:
		return "ErrShutdown"
	case s.marked:
		return "ErrDeleting"
	}
	return ""
}

func (s state) register(in input, out output) []state {
	refused := s.refusal()
	switch {
	case in.op == "Reset" && out.yes != (refused == "" && s.pending):
		return nil
	case in.op != "Reset" && out.err != refused:
		return nil
	case refused != "":
		return states(s)
	case in.op == "Reduce" && s.pending:
		return states(s, s.armed(in))
	}
	return states(s.armed(in))
}

func (s state) del(in input, out output) []state {
	if in.op == "Stop" {
		out.pending, out.running = out.yes, s.running
	}
	ok := out.pending == s.pending && out.running == s.running
	s.pending = false
	return only(ok, s.settled())
}

// mark is the first half of a deletion that waits: it removes the firing, and
// marks the run.
func (s state) mark(in input, out output) []state {
	ok := out.pending == s.pending && out.running == s.running
	s.pending = false
	if in.op == "ShutdownSync" {
		s.down = !s.gone
	}
	switch out.err {
	case "":
		s.marked = s.running
		if s.running {
			s.waiting = s.waiting.with(in.deletion)
		}
	case "ErrDeadlock":
		ok = ok && s.running && in.inHandler
	case "DeadlineExceeded":
		ok = ok && s.running
		s.marked = true
	}
	return only(ok, s.settled())
}

// rest is the second half.
func (s state) rest(in input) []state {
	ok := s.waiting.with(in.deletion) == s.waiting && !s.pending && !s.running
	s.waiting = s.waiting.without(in.deletion)
	return only(ok, s)
}

func (s state) begin(out output) []state {
	ok := s.pending && !s.running && out.at >= s.notBefore
	s.pending, s.running = false, true
	return only(ok, s)
}

func (s state) end() []state {
	ok := s.running
	s.running, s.marked = false, false
	return only(ok, s.settled())
}

func (s state) own(in input, out output) []state {
	want := ""
	switch {
	case s.gone:
		want = "ErrStale"
	case in.op == "Retain":
		s.owners++
	case s.owners == 0:
		want = "ErrFreed"
	default:
		s.owners--
	}
	return only(out.err == want, s.settled())
}

// ask is Pending, Running or Valid.
func (s state) ask(in input, out output) []state {
	answer := map[string]bool{"Pending": s.pending, "Running": s.running, "Valid": !s.gone}[in.op]
	return only(out.yes == answer, s)
}
