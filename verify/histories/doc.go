// Package histories records what real goroutines do to a wheel, on the real
// clock and at once, and has it checked for linearizability: whether there is an
// order of the calls, each at one instant between its begin and its return, in
// which a timer that is obviously right would have answered the same. The
// checker is porcupine. The package is all tests.
//
//	timer_test.go      the timer that is obviously right: its states and steps
//	recorder_test.go   operations: who called what, when, and what came of it
//	clients_test.go    random clients and handlers
//	histories_test.go  many histories, each recorded and checked
//	checker_test.go    histories made by hand: bad ones that must be rejected, good ones that must not
//
// Each timer is checked by itself: a timer is a partition. Its handler's runs are
// operations, too, one for the begin and one for the end. The begin is between
// the making of the timer and the handler's first statement, the end after its
// last. A deletion that waits is two operations, as it makes two promises: the
// mark removes the firing and begins the refusal of Registers; the quiescence,
// later in the same call, finds the timer neither pending nor running.
//
// So an order is refuted by what clients and handlers have seen, never by when
// the wheel should have done something: that a timer begins in time, the package
// machine checks.
//
// # Running it
//
//	go test ./histories                      # 40,000 histories, about 20 s
//	go test -race ./histories -histories.n 20000
//	go test ./histories -timeout 0 -histories.for 2h
//
// A history that no order explains is printed, and drawn by porcupine as a page
// for a browser.
package histories
