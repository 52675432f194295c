// Package machine drives a wheel with random programs, and compares it, step by
// step, with a model of it that is obviously right. It is all tests.
//
//	machine_test.go          the machine: its actions, from which rapid makes programs
//	draw_test.go             the parts of a program
//	verbs_test.go            every call of the API: how it is made, and what the model expects of it
//	scripts_test.go          what handlers do: sleep, call, panic, leave
//	world_test.go            the real wheel, and the log of all that it was seen to do
//	model_test.go            the model: timers in a slice; registering, references, what can be asked
//	model_deletions_test.go  its deletions, and who waits for whom
//	model_runs_test.go       its handlers, its time, its end
//	compare_test.go          the model is shown the log, and compared
//	manual_test.go           the machine with a Manual wheel, whose handlers run in Advance
//	bubble_test.go           rapid outside, a synctest bubble inside
//	shrink_test.go           a wrong wheel is noticed, and the program shrunk
//
// # How a concurrent wheel can be predicted exactly
//
// A program runs in a bubble of testing/synctest, on its clock, and time passes
// from one event to the next. At each the machine waits until nothing moves any
// more, and compares everything that can be asked of the wheel: every handle,
// every group, Stats, Running, Next.
//
// What is left to chance is the order of what happens at the same instant. So
// the calls of the program are made while nothing moves, and a handler that
// wants to do something to others first sleeps to an instant that is its own:
// the number of nanoseconds above the last ten microseconds is handed out
// once. So do contexts end. What handlers do to their own timer needs no such care, and they do it
// at once.
//
// The model does not say which worker runs what, nor which of two due timers is
// first. That it takes from the log, and says whether it may be so. It does say
// when: a timer begins at the end of the tick of its deadline, exactly, if
// no handler blocks; and within a tick of the moment when a worker and, for a
// lock-bound timer, its lock are free, if some do.
//
// What happens at one instant on several processors this package cannot tell
// apart; for that there are histories and schedules, beside it. What it can tell
// is everything else, to the nanosecond.
//
// # Running it
//
//	go test ./machine                          # 8,000 programs of either kind, about 20 s
//	go test ./machine -rapid.checks 1000000    # more
//	go test -race ./machine -rapid.checks 1000
//
// A program that fails is shrunk and shown, with what the wheel did; rapid says
// how to run it again.
package machine
