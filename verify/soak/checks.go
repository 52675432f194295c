package main

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
)

// This file lists what the soak checks. Each check counts how often it was exercised;
// one that never was fails the run, because it shows nothing.

type check struct {
	name      string
	exercised atomic.Int64
}

var checks []*check

func newCheck(name string) *check {
	c := &check{name: name}
	checks = append(checks, c)
	return c
}

var (
	conservation    = newCheck("Registered == Fired + Removed + Pending, in every Stats")
	runsCounted     = newCheck("the runs of RunTime + Running == Fired, in every Stats")
	neverEarly      = newCheck("no handler begins before its deadline")
	putsOff         = newCheck("no handler of an idle timeout begins before its time after a Touch that was true")
	touchEnds       = newCheck("after the begin of that handler, and after a deletion, no Touch is true")
	neverLost       = newCheck("what is registered and not deleted fires")
	firesOnce       = newCheck("a firing that Stop removed never happens, any other happens once")
	notTooMany      = newCheck("there are never more handlers at once than MaxWorkers")
	noOverlap       = newCheck("a timer's handler never runs twice at once")
	runEnded        = newCheck("after a deletion that has waited, or found no handler in flight, earlier runs are over")
	notPending      = newCheck("after a deletion the timer is not pending until Register is called")
	staysQuiet      = newCheck("after that, no handler begins until Register is called")
	doesNotWait     = newCheck("Del and Shutdown, of a timer and of a group, return while the handler runs")
	refusesNothing  = newCheck("after Del and Group.Del Register succeeds while the handler runs")
	staysRefused    = newCheck("while a deletion waits every Register is refused, and then none")
	sees            = newCheck("after a deletion has waited its caller sees what the handler wrote")
	forEver         = newCheck("after Shutdown the timer is never pending, and no Register succeeds")
	shutQuiet       = newCheck("after Shutdown no handler begins")
	membersQuiet    = newCheck("after a deletion of a group that has waited no member runs or is pending")
	membersFreed    = newCheck("a group whose members are deleted and freed has none")
	newRefused      = newCheck("while a group's deletion waits, and after Group.Shutdown, no new member is registered")
	underLock       = newCheck("while the lock of a lock-bound timer is held elsewhere its handler does not run")
	ownDeadlock     = newCheck("a deletion that waits, in the timer's own handler, is ErrDeadlock")
	circleEnds      = newCheck("in a circle of deletions one gets ErrDeadlock, the others nil")
	contextEnds     = newCheck("a deletion returns its context's error only if that has ended")
	asyncOnce       = newCheck("the done of a DelAsync is called once, when the run is over")
	isStale         = newCheck("a stale handle is refused by every verb")
	tenantSafe      = newCheck("only its owner removes the firing of a record's next tenant")
	armingEndsOnce  = newCheck("each arming of a timer of stdtime ends in a value or a call, or in a Stop that says so")
	silentAfterStop = newCheck("after Stop no value is received")
	contextOfWheel  = newCheck("a context of timerctx ends, by its time, its cancel, or a Manual wheel's Close")
	refusals        = newCheck("a Register is refused with an error that the timer's state explains")
	panicsReported  = newCheck("OnPanic is called once for each panic")
	advanceInUse    = newCheck("Advance in a handler is ErrDeadlock")
	closeInUse      = newCheck("Close and CloseContext in a handler are ErrDeadlock, and close the wheel")
	closeBounded    = newCheck("CloseContext returns its context's error only if that has ended, and closes the wheel")
	closedQuiet     = newCheck("after Close nothing runs, is pending, or has a goroutine")
	allCounted      = newCheck("Stats.Fired is the number of handlers that have begun, and of firings of stdtime and timerctx")
	allRecycled     = newCheck("when all timers are freed none lives")
	bytesFlat       = newCheck("Stats.Bytes of a drained wheel does not grow from phase to phase")
	heapFlat        = newCheck("the heap does not grow from phase to phase")
	goroutines      = newCheck("at the end there are as many goroutines as at the start")
)

// holds counts an exercise of the check, and returns its outcome.
func (c *check) holds(ok bool) bool {
	c.exercised.Add(1)
	return ok
}

var violation sync.Mutex // held for ever by the first one

// fail ends the run: what comes after a violation shows nothing.
func (c *check) fail(format string, args ...any) {
	violation.Lock()
	fmt.Printf("\nVIOLATION: %s\n  %s\n\n", c.name, fmt.Sprintf(format, args...))
	printTable()
	fmt.Println(summary(1))
	os.Exit(1)
}
