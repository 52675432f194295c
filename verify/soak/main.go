// Soak puts wheels under load for as long as it is told: all verbs, from many
// goroutines, on several wheels at once, with handlers that block, panic, and
// end their goroutines, under pressure from the garbage collector. It checks
// all along what the wheels promise.
//
//	go run ./soak -for 10m
//	go run -race ./soak -for 10m
//
// The exit status is 1 after a violation, or if something was never checked; 2,
// with the stacks of all goroutines, if an operation hangs.
//
// The files: house.go is a wheel with those who live on it. What they do is in
// actors.go, alone.go, waits.go, locker.go, connection.go and attic.go; what
// their handlers do, in handlers.go. subject.go is what is known of a timer.
// checks.go is the list of checks; quarters.go compares the run's quarters;
// pressure.go disturbs, desk.go counts and watches, report.go tells.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
)

var begin = time.Now()

func main() {
	length := flag.Duration("for", time.Minute, "how long")
	patience := flag.Duration("stuck", 30*time.Second, "how long an operation may take")
	flag.Parse()

	before := runtime.NumGoroutine()
	stop := make(chan struct{})
	var staff sync.WaitGroup
	staff.Go(func() { watch(*patience, stop) })
	staff.Go(func() { progress(stop) })
	staff.Go(func() { press(stop) })

	soak(*length)

	close(stop)
	staff.Wait()
	awaitGoroutines(before)
	printTable()
	if gap := unproven(); gap != "" {
		fmt.Printf("never put to the test: %s\n", gap)
		fmt.Println(summary(0))
		os.Exit(1)
	}
	fmt.Println(summary(0))
}

// soak runs the four quarters. The veteran stands through all of them.
func soak(length time.Duration) {
	d := newDesk("the landlord")
	defer d.leave()
	old := build(veteran)
	for n := range 4 {
		until := begin.Add(length * time.Duration(n+1) / 4)
		old.moveIn()
		var streets sync.WaitGroup
		for _, k := range []kind{busy, busy, quiet, manual} {
			streets.Go(func() { street(k, until) })
		}
		streets.Wait()
		time.Sleep(time.Until(until))
		old.moveOut(d)
		endQuarter(n, old.drained(d).Bytes)
	}
	old.moveIn()
	old.close(d)
	old.moveOut(d)
	old.drained(d)
	old.inspect()
}

// street builds one house after another.
func street(k kind, until time.Time) {
	d := newDesk(fmt.Sprintf("the landlord of a %s", k))
	defer d.leave()
	for time.Now().Before(until) {
		live(k, until, d)
	}
}
