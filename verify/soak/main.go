// Soak puts wheels under load for a given time: all verbs, from many goroutines, on
// several wheels at once, with handlers that block, panic, and end their goroutines,
// under pressure from the garbage collector. It checks all the time what the wheels
// promise.
//
//	go run ./soak -for 10m
//	go run -race ./soak -for 10m
//
// The exit status is 1 after a violation, or if something was never checked; 2, with the
// stacks of all goroutines, if an operation hangs.
//
// The files: instance.go is a wheel with the actors that use it, close.go its end. What
// the actors do is in actors.go, own_timers.go, waits.go, locked.go, groups.go, idle.go,
// clocks.go and stale.go; what their handlers do, in handlers.go. tracked.go is what is known of
// one timer, deletions.go the ways to delete it. checks.go lists the checks; phases.go
// compares the phases of the run; pressure.go disturbs it; op_recorder.go counts the
// operations and watches that they return; report.go prints.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
)

var started = time.Now()

func main() {
	length := flag.Duration("for", time.Minute, "how long")
	limit := flag.Duration("stuck", 30*time.Second, "how long an operation may take")
	flag.Parse()

	before := runtime.NumGoroutine()
	stop := make(chan struct{})
	var helpers sync.WaitGroup
	helpers.Go(func() { watch(*limit, stop) })
	helpers.Go(func() { progress(stop) })
	helpers.Go(func() { disturb(stop) })

	soak(*length)

	close(stop)
	helpers.Wait()
	awaitGoroutines(before)
	printTable()
	name := neverExercised()
	if name != "" {
		fmt.Printf("never exercised: %s\n", name)
	}
	fmt.Println(summary(0))
	if name != "" {
		os.Exit(1)
	}
}

// soak runs the phases. The long-lived wheel stands through all of them.
func soak(length time.Duration) {
	rec := newOpRecorder("the main goroutine")
	defer rec.remove()
	old := newInstance(longLived)
	for n := range phases {
		until := started.Add(length * time.Duration(n+1) / phases)
		old.startActors()
		var others sync.WaitGroup
		for _, k := range []kind{busy, busy, quiet, manual} {
			others.Go(func() { runInstances(k, until) })
		}
		others.Wait()
		time.Sleep(time.Until(until))
		old.stopActors(rec)
		endPhase(n, old.awaitDrained(rec).Bytes)
	}
	old.startActors()
	old.close(rec)
	old.stopActors(rec)
	old.awaitDrained(rec)
	old.inspect()
}

// runInstances runs one instance of a kind after another.
func runInstances(k kind, until time.Time) {
	rec := newOpRecorder(fmt.Sprintf("the goroutine that runs each %s", k))
	defer rec.remove()
	for time.Now().Before(until) {
		runInstance(k, until, rec)
	}
}
