// Package histories records what real goroutines do to a wheel, at once and on the
// real clock, and checks it for linearizability: whether there is an order of the
// calls, each at one instant between its begin and its return, in which a simple
// sequential timer would have answered the same. The checker is porcupine. The
// package consists of tests.
//
//	timer_test.go      the specification: the sequential timer, its states and steps
//	recorder_test.go   operations: which goroutine called what, when, and what it returned
//	program_test.go    programs of random clients and handlers, each of which makes a history
//	calls_test.go      the calls that they draw from
//	histories_test.go  runs many programs, and checks each history
//	checker_test.go    checks the checker
//	pairs_test.go      histories written by hand: wrong ones that must be rejected, right ones that must not
//
// Each timer is checked by itself: a timer is a partition. The runs of its handler
// are operations, too: one for the begin and one for the end. The begin is between
// the allocation of the timer and the handler's first statement, the end after its
// last.
//
// A deletion that waits is two operations, because it makes two promises: the first
// removes the firing and begins the refusal of Registers; the second, the end of the
// wait, comes later in the same call and finds the timer neither pending nor running.
// A deletion of a group is an operation on each of its members, and so is a Close on
// each timer of the wheel. A deletion that does not wait is one operation, which may return
// while the handler runs. That it does return is not for an order of operations to show:
// in package soak there are handlers that end only after it has returned.
//
// So an order is refuted by what clients and handlers have seen, never by when the
// wheel should have done something: package machine checks that a timer begins in
// time.
//
// # Running it
//
//	go test ./histories                      # 40,000 histories, about 20 s
//	go test -race ./histories -histories.n 20000
//	go test ./histories -timeout 0 -histories.for 2h
//
// A history that no order explains is printed, and porcupine draws it as a page for a
// browser.
package histories
