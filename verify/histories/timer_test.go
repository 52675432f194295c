package histories

import (
	"fmt"
	"time"

	"github.com/anishathalye/porcupine"
)

// This file is the specification: a timer for one goroutine at a time, simple enough
// to be obviously right.

// A state is all there is to know of a timer.
type state struct {
	allocated  bool
	recycled   bool
	closed     bool // its wheel is closed, perhaps since before the timer was allocated
	owners     int
	pending    bool
	notBefore  time.Duration // of a pending timer: the earliest begin of its handler
	idle       bool          // pending as an idle timeout
	idleFor    time.Duration // of an idle timeout: how long it must not have been touched
	touched    time.Duration // of an idle timeout: the latest begin of a RegisterIdle, or of a Touch that was true
	running    bool
	deleting   bool // Registers are refused until the run in flight ends
	shutDown   bool
	waits      numbers // the deletions and Closes that wait for the run in flight
	groupWaits numbers // the deletions of its group that wait, for whatever members
}

// numbers is a set of the numbers of waits: a bit for each, so that states can be
// compared.
type numbers [2]uint64

func (n numbers) has(k int) bool { return n[k/64]&(1<<(k%64)) != 0 }

func (n numbers) with(k int) numbers {
	n[k/64] |= 1 << (k % 64)
	return n
}

func (n numbers) without(k int) numbers {
	n[k/64] &^= 1 << (k % 64)
	return n
}

// An input is what is called, and an output is what comes of it.
type input struct {
	timer     int
	op        string
	at        time.Duration // when the call began
	d         time.Duration // to register it for
	members   int           // of the group that a deletion deletes; 0 for one of a single timer
	wait      int           // the number of a call that waits
	inHandler bool
}

type output struct {
	pending, running bool // what a deletion found
	yes              bool // the answer of Pending, Running, Valid, Stop, Reset
	err              string
	at               time.Duration // of a begin: when the handler's first statement ran
}

// A deletion says what a call does besides removing the firing.
type deletion struct{ waits, shutsDown, ofGroup bool }

var deletions = map[string]deletion{
	"Del":                       {},
	"Stop":                      {},
	"Shutdown":                  {shutsDown: true},
	"DelSync":                   {waits: true},
	"DelSyncContext":            {waits: true},
	"DelAsync":                  {waits: true},
	"ShutdownSync":              {waits: true, shutsDown: true},
	"ShutdownSyncContext":       {waits: true, shutsDown: true},
	"Group.Del":                 {ofGroup: true},
	"Group.Shutdown":            {ofGroup: true, shutsDown: true},
	"Group.DelSync":             {ofGroup: true, waits: true},
	"Group.DelSyncContext":      {ofGroup: true, waits: true},
	"Group.ShutdownSync":        {ofGroup: true, waits: true, shutsDown: true},
	"Group.ShutdownSyncContext": {ofGroup: true, waits: true, shutsDown: true},
}

// closes reports whether a call closes the wheel, and with it each timer.
func closes(op string) bool { return op == "Close" || op == "CloseContext" }

// waits reports whether a call may wait for a run.
func waits(op string) bool { return deletions[op].waits || closes(op) }

// allocates reports whether a call makes a timer.
func allocates(op string) bool { return op == "Alloc" || op == "AfterFunc" }

// model is the specification in porcupine's form. It is not deterministic: only the
// wheel can say whether a Reduce has moved a pending timer.
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

// step returns the states that an operation with this outcome may lead to: none, if
// it cannot have this outcome.
func (s state) step(in input, out output) []state {
	ofWheel := closes(in.op) || in.op == endOfWait && in.members == 0
	if s.allocated == allocates(in.op) && !ofWheel {
		return nil
	}
	if d, ok := deletions[in.op]; ok {
		return s.delete(d, in, out)
	}
	switch in.op {
	case "Alloc":
		return s.alloc()
	case "AfterFunc":
		return s.afterFunc(in)
	case "Register", "RegisterAt", "RegisterIdle", "Reset", "Reduce":
		return s.register(in, out)
	case "Touch":
		return s.touch(in, out)
	case "Close", "CloseContext":
		return s.close(in, out)
	case endOfWait:
		return s.endWait(in, out)
	case "begin":
		return s.begin(out)
	case "end":
		return s.end()
	case "Retain", "Free":
		return s.ownership(in, out)
	}
	return s.ask(in, out)
}

// endOfWait is the second operation of a call that waits.
const endOfWait = "end of the wait"

func states(s ...state) []state { return s }

// stateIf returns s, if ok.
func stateIf(ok bool, s state) []state {
	if !ok {
		return nil
	}
	return []state{s}
}

// released is s after a reference was dropped: recycled, if that was the last one.
func (s state) released() state {
	if s.allocated && s.owners == 0 && !s.pending && !s.running {
		return state{allocated: true, recycled: true, closed: s.closed, waits: s.waits, groupWaits: s.groupWaits}
	}
	return s
}

// ---- Registering ----

func (s state) alloc() []state {
	s.allocated, s.owners = true, 1
	return states(s)
}

func (s state) afterFunc(in input) []state {
	s.allocated = true
	if !s.closed {
		s = s.armed(in)
	}
	return states(s.released())
}

func (s state) armed(in input) state {
	touched := in.at
	if s.idle {
		touched = max(touched, s.touched)
	}
	s = s.disarmed()
	s.pending, s.notBefore = true, in.at+in.d
	if in.op == "RegisterIdle" {
		s.idle, s.idleFor, s.touched, s.notBefore = true, in.d, touched, touched+in.d
	}
	return s
}

// disarmed is s without its firing.
func (s state) disarmed() state {
	s.pending, s.notBefore, s.idle, s.idleFor, s.touched = false, 0, false, 0, 0
	return s
}

// touch is true of an idle timeout, and of no other.
func (s state) touch(in input, out output) []state {
	is := s.idle
	if is {
		s.touched = max(s.touched, in.at)
		s.notBefore = s.touched + s.idleFor
	}
	return stateIf(out.yes == is, s)
}

// refusal is the error of a Register.
func (s state) refusal() string {
	switch {
	case s.recycled:
		return "ErrStale"
	case s.shutDown:
		return "ErrShutdown"
	case s.deleting || s.groupWaits != numbers{}:
		return "ErrDeleting"
	case s.closed:
		return "ErrClosed"
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

// ---- Deleting ----

// delete is a deletion, up to the begin of its wait if it waits.
func (s state) delete(d deletion, in input, out output) []state {
	if in.op == "Stop" {
		out.pending, out.running = out.yes, s.running
	}
	ok := s.mayFind(in, out)
	s = s.disarmed()
	s.shutDown = (s.shutDown || d.shutsDown) && !s.recycled
	switch {
	case !d.waits:
		ok = ok && out.err == ""
	case d.ofGroup:
		ok = ok && s.beginGroupWait(in, out)
	default:
		ok = ok && s.beginWait(in, out)
	}
	return stateIf(ok, s.released())
}

// mayFind reports whether a deletion may find what it says. What a group's deletion
// finds is or-ed over the members: what it does not find, none of them has.
func (s state) mayFind(in input, out output) bool {
	if in.members > 1 {
		return (out.pending || !s.pending) && (out.running || !s.running)
	}
	return out.pending == s.pending && out.running == s.running
}

// beginWait begins the wait of a deletion, if the timer runs, and reports whether that
// may end with the error. A deletion that gives up leaves its refusal of Registers to
// the run; one that must not wait refuses nothing.
func (s *state) beginWait(in input, out output) bool {
	switch out.err {
	case "":
		if s.running {
			s.deleting = true
			s.waits = s.waits.with(in.wait)
		}
		return true
	case "DeadlineExceeded":
		s.deleting = true
		return s.running
	case "ErrDeadlock":
		return s.running && in.inHandler
	}
	return false
}

// beginGroupWait is beginWait for a member of the group that is deleted: if any of the
// members runs, all of them are refused until the wait ends.
func (s *state) beginGroupWait(in input, out output) bool {
	if !out.running {
		return out.err == ""
	}
	s.groupWaits = s.groupWaits.with(in.wait)
	return out.err == "" || out.err == "DeadlineExceeded" || out.err == "ErrDeadlock" && in.inHandler
}

// close closes the timer's wheel, up to the begin of the wait.
func (s state) close(in input, out output) []state {
	s = s.disarmed()
	s.closed = true
	ok := true
	switch out.err {
	case "":
		s.waits = s.waits.with(in.wait)
	case "DeadlineExceeded":
		ok = in.op == "CloseContext"
	case "ErrDeadlock":
		ok = in.inHandler
	default:
		ok = false
	}
	return stateIf(ok, s.released())
}

// endWait is the end of a wait: what was waited for is over.
func (s state) endWait(in input, out output) []state {
	if in.members > 0 {
		return s.endGroupWait(in, out)
	}
	ok := s.waits.has(in.wait) && !s.pending && !s.running
	s.waits = s.waits.without(in.wait)
	return stateIf(ok, s)
}

// endGroupWait is the end of a wait for a group's members. One that has given up leaves
// the refusal of a member that still runs to its run; after ErrDeadlock those members
// may run that the deletion must not wait for.
func (s state) endGroupWait(in input, out output) []state {
	ok := s.groupWaits.has(in.wait) && !s.pending
	s.groupWaits = s.groupWaits.without(in.wait)
	switch out.err {
	case "":
		ok = ok && !s.running
	case "DeadlineExceeded":
		s.deleting = s.running
	}
	return stateIf(ok, s)
}

// ---- Runs, references, questions ----

func (s state) begin(out output) []state {
	ok := s.pending && !s.running && out.at >= s.notBefore
	s = s.disarmed()
	s.running = true
	return stateIf(ok, s)
}

func (s state) end() []state {
	ok := s.running
	s.running, s.deleting = false, false
	return stateIf(ok, s.released())
}

func (s state) ownership(in input, out output) []state {
	want := ""
	switch {
	case s.recycled:
		want = "ErrStale"
	case in.op == "Retain":
		s.owners++
	case s.owners == 0:
		want = "ErrFreed"
	default:
		s.owners--
	}
	return stateIf(out.err == want, s.released())
}

// ask is Pending, Running or Valid.
func (s state) ask(in input, out output) []state {
	answer := map[string]bool{"Pending": s.pending, "Running": s.running, "Valid": !s.recycled}[in.op]
	return stateIf(out.yes == answer, s)
}
