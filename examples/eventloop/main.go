// Eventloop drives a Manual wheel from a single goroutine that waits for both input and
// time: go run ./examples/eventloop
//
// A Manual wheel has no goroutine and no clock. The loop asks it when to wake up (Next),
// sleeps until then or until there is input, and passes it the time (Advance), which runs
// the handlers. So the handlers and the rest of the loop never run at the same time, and
// need no locks and no atomics.
//
// The loop is that of a small build tool. Editors save files in bursts. The loop builds a
// file when it has been quiet for a while: each save moves the file's timer. A periodic
// timer beats beside that.
//
// The program prints the events, checks itself, and exits with status 1 if a check fails.
// Start reading at loop.go.
package main

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
)

func main() {
	duration := flag.Duration("for", time.Second, "how long the editors work")
	quiet := flag.Duration("quiet", 30*time.Millisecond, "build a file when it has been quiet for this long")
	beat := flag.Duration("beat", 200*time.Millisecond, "period of the heartbeat")
	flag.Parse()

	if err := run(*duration, *quiet, *beat); err != nil {
		fmt.Fprintln(os.Stderr, "eventloop:", err)
		os.Exit(1)
	}
}

func run(duration, quiet, beat time.Duration) error {
	if quiet <= 0 || beat <= 0 {
		return errors.New("-quiet and -beat must be positive")
	}
	wheel, err := timerwheel.New(timerwheel.Options{Manual: true})
	if err != nil {
		return err
	}
	defer wheel.Close()

	saves := make(chan string)
	go edit(saves, duration, quiet)

	l := newLoop(wheel, quiet, beat)
	if err := l.run(saves); err != nil {
		return err
	}
	return check(l, wheel)
}

// edit runs three editors, each with a file of its own. It closes saves at the end.
func edit(saves chan<- string, duration, quiet time.Duration) {
	end := time.Now().Add(duration)
	var editors sync.WaitGroup
	for _, file := range []string{"parse.c", "main.c", "util.c"} {
		editors.Go(func() {
			for time.Now().Before(end) {
				for range 1 + rand.N(8) { // a burst
					saves <- file
					time.Sleep(rand.N(quiet))
				}
				time.Sleep(quiet + rand.N(5*quiet))
			}
		})
	}
	editors.Wait()
	close(saves)
}

func check(l *loop, wheel *timerwheel.Wheel) error {
	s := wheel.Stats()
	_, pending := wheel.Next()
	fmt.Printf("\n%d saves, %d builds, %d beats; the loop woke up %d times\n\n", l.saves, l.builds, l.beats, l.wakeups)

	failed := 0
	expect := func(ok bool, what string) {
		result := "ok    "
		if !ok {
			result = "FAILED"
			failed++
		}
		fmt.Printf("  %s  %s\n", result, what)
	}
	expect(l.built == l.saves, "every save was built, once")
	expect(l.early == 0, "no build and no beat was early")
	expect(l.outside == 0, "every handler ran on the loop, inside Advance")
	expect(l.fired == l.builds+l.beats && uint64(l.fired) == s.Fired, "Advance, the handlers and the wheel agree on the number of firings")
	expect(l.wakeups <= 10+5*(l.saves+l.fired), "the loop slept while there was nothing to do")
	expect(!pending && s.Live == 0 && s.Registered == s.Fired+s.Removed, "no timer is left, and Registered = Fired + Removed")
	if failed > 0 {
		return fmt.Errorf("%d checks failed", failed)
	}
	return nil
}
