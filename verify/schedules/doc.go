// Package schedules runs the real code of the wheel, not a model of it, in every order of
// its steps.
//
// A step is what a goroutine does from one of these points to the next: before a mutex of
// the wheel is locked, after one is unlocked, before and after a handler, before and after the
// parts of a Touch and of a look, where a goroutine would wait, and where the alarm rings. With the build tag schedules the wheel stops at
// each of them and asks which goroutine makes the next step (package internal/hook). The
// director (director.go) lets one goroutine go on at a time. The explorer (explore.go)
// makes it try, run after run, each order in which no more than a given number of
// goroutines are interrupted while they could go on: pre-emptions. A goroutine that waits
// for a mutex or an event is not chosen before it can go on. So no goroutine ever waits,
// and a state in which none can go on is a deadlock, found at once.
//
// A run is a bubble of testing/synctest. The bubble has its own clock, which moves when the
// director decides so. That is a step, too, and a pre-emption where a goroutine could go
// on; a scenario says how many of them there may be. The director knows that a step is over
// when all goroutines of the bubble are blocked. When none can go on, the time passes by
// itself. A run goes on until nothing is left to be done, except for the brief scenarios,
// which have too many orders.
//
// There is one processor, except while the wheel is made: a wheel has a shard for each of the
// processors that there are then. In a wheel of two shards, only the groups' timers are in the same
// shards in each run.
//
// Every goroutine that the wheel starts for itself is directed. A goroutine that it starts
// only to call a function of the user that nothing waits for, the done of a DelAsync on a
// closed wheel, is not: it is a part of the step that starts it.
//
// The scenarios and what must hold in them are in the tests. To run them:
//
//	go test -tags "schedules invariants" ./schedules
//	go test -tags "schedules invariants" ./schedules -preemptions 3
//
// Without the tag schedules there is one test here: that the hooks are not in ordinary
// builds.
package schedules
