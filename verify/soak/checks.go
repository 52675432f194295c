package main

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
)

// This file is the list of what the soak checks. Each check counts how often it
// was put to the test; one that never was fails the run, because it shows
// nothing.

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
	conservation = newCheck("Registered == Fired + Removed + Pending, in every snapshot")
	neverEarly   = newCheck("no handler begins before its deadline")
	neverLost    = newCheck("what was registered, and not deleted, fires")
	firesOnce    = newCheck("a firing that Stop removed never comes, any other comes once")
	notTooMany   = newCheck("never more handlers at once than MaxWorkers")
	noOverlap    = newCheck("a timer's handler never runs twice at once")
	runEnded     = newCheck("when a deletion has waited, the run that it found is over")
	staysRefused = newCheck("while a deletion waits every Register is ErrDeleting, and then no more")
	staysQuiet   = newCheck("after that, no handler until somebody calls Register")
	sees         = newCheck("who has waited sees what the handler has written")
	forEver      = newCheck("after Shutdown no Register succeeds, and no handler begins")
	membersQuiet = newCheck("after Group.DelSync no member runs or pends, and none is lost")
	underLock    = newCheck("who holds the lock of a lock-bound timer never sees it run")
	ownDeadlock  = newCheck("DelSync in the timer's own handler is ErrDeadlock")
	circleEnds   = newCheck("in a circle of deletions one gets ErrDeadlock, the others nil")
	contextEnds  = newCheck("DelSyncContext says that its context has ended, and only then")
	asyncOnce    = newCheck("the done of a DelAsync runs once, when the run is over")
	isStale      = newCheck("a stale handle is refused by every verb")
	tenantSafe   = newCheck("nobody but its owner reaches the next tenant of a slot")
	refusals     = newCheck("a Register is refused with an error that fits")
	panicsTold   = newCheck("OnPanic is called once for each panic")
	advanceInUse = newCheck("Advance in a handler is ErrDeadlock")
	closeInUse   = newCheck("Close in a handler is ErrDeadlock, and closes")
	closedQuiet  = newCheck("after Close nothing runs, pends, or has a goroutine")
	allCounted   = newCheck("as many handlers have begun as Stats says")
	allRecycled  = newCheck("when all is freed nothing lives")
	bytesFlat    = newCheck("Stats.Bytes of a drained wheel does not grow by the quarter")
	heapFlat     = newCheck("the heap does not grow by the quarter")
	goroutines   = newCheck("at the end there are as many goroutines as at the beginning")
)

// holds counts an exercise of the check, and hands on its outcome.
func (c *check) holds(ok bool) bool {
	c.exercised.Add(1)
	return ok
}

var violation sync.Mutex // held for ever by the first one

// fail ends the run: what comes after a violation is of no interest.
func (c *check) fail(format string, args ...any) {
	violation.Lock()
	fmt.Printf("\nVIOLATION: %s\n  %s\n\n", c.name, fmt.Sprintf(format, args...))
	printTable()
	fmt.Println(summary(1))
	os.Exit(1)
}
