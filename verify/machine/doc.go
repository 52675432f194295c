// Package machine drives a wheel with random programs, and compares it, step by step, with
// the reference of internal/reference, which is obviously right. It consists of tests.
//
//	machine_test.go  the machine: its actions, from which rapid makes programs
//	draw_test.go     the parts of a program
//	verbs_test.go    every call of the API: how it is made, and what the reference expects of it
//	scripts_test.go  what handlers do: sleep, call, panic, leave
//	world_test.go    the real wheel, and the log of what happened to it
//	compare_test.go  the reference is shown the log, and compared
//	manual_test.go   the machine with a Manual wheel, whose handlers run in Advance
//	bubble_test.go   rapid outside, a synctest bubble inside
//	shrink_test.go   a wrong wheel is found, and the program shrunk
//
// FuzzAPI of the root package uses the same reference, for a Manual wheel and one goroutine: it
// goes to the ends of the clock, and into every function that the wheel calls. The machine has
// what FuzzAPI cannot have: workers, waits, circles of them, contexts, stalls and shared locks.
//
// # How the behaviour of a concurrent wheel can be predicted exactly
//
// A program runs in a bubble of testing/synctest, on its clock, and time passes from one event to
// the next. At each event the machine waits until nothing moves any more. Then it compares the
// answers to all questions: of every handle, every group, Stats, Running, Next.
//
// Only the order of events at the same instant is left to chance. Therefore the program makes its
// calls while nothing moves, and a handler that does something to other timers first sleeps until
// an instant of its own: no two events are the same number of nanoseconds above a multiple of ten
// microseconds. Contexts end at such instants, too. A call of the handler's own timer needs no
// such care, and is made at once.
//
// The reference does not say which worker runs which timer, nor which of two due timers is first.
// It takes that from the log, and says whether it is allowed. It does say when: a timer begins at
// the end of the tick of its deadline, exactly, if no handler blocks; and within a tick of
// the moment when a worker and, for a lock-bound timer, its lock are free, if handlers do.
//
// This package cannot tell apart what happens at one instant on several processors. For that there
// are histories and schedules, beside it. Everything else it can tell, to the nanosecond.
//
// # Running it
//
//	go test ./machine                          # 8,000 programs of either kind, about 20 s
//	go test ./machine -rapid.checks 1000000    # more
//	go test -race ./machine -rapid.checks 1000
//
// A program that fails is shrunk and shown, with what the wheel did; rapid says how to run it
// again.
package machine
