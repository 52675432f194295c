// Package schedules runs the real code of the wheel, not a model of it, in every
// order of its steps.
//
// A step is what a goroutine does from one of these places to the next: before
// a mutex of the wheel is locked, after one is unlocked, before and after a
// handler, where a goroutine would wait, and where the alarm rings. With the
// build tag schedules the wheel stops at each of them and asks who shall make
// the next step (scheduled_on.go in the root). The director (director.go) lets
// one goroutine go on at a time, and the explorer (explore.go) makes it try,
// run after run, each order in which no more than a given number of goroutines
// are interrupted while they could go on: pre-emptions. What waits for a mutex
// or an event is not chosen before it can go on, so nothing ever waits, and a
// state in which nobody can is a deadlock, seen at once.
//
// A run is a bubble of testing/synctest: it has its own clock, which moves when
// the director says so (that is a step, too, and a pre-emption where somebody
// could go on; a scenario says how many of them there may be), and the director
// knows that a step is over when everything stands still. When nobody can go on
// the time passes by itself. A run goes on until nothing is left to be done, but
// for the scenarios that are brief because they have so many orders.
//
// Every goroutine that the wheel starts for itself is directed. Those that it
// starts only to call a function of the user that nobody waits for, the done of a
// DelAsync on a closed wheel, are not: they are a part of the step that starts
// them.
//
// The scenarios and what must hold in them are in the tests. To run them:
//
//	go test -tags "schedules invariants" ./schedules
//	go test -tags "schedules invariants" ./schedules -preemptions 3
//
// Without the tag schedules there is one test here: that the hooks are not in
// ordinary builds.
package schedules
