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
// timer beats beside that. And a linter, a goroutine of its own, registers timers on the
// wheel itself: if one is earlier than the time until which the loop sleeps, the wheel wakes
// the loop (Options.OnNext).
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

const about = `Eventloop is a build tool whose only goroutine waits for both input and time, with a Manual wheel. It
prints each event, and checks that every save is built, once, and nothing early.`

func main() {
	duration := flag.Duration("for", time.Second, "how long the editors work")
	quiet := flag.Duration("quiet", 30*time.Millisecond, "build a file when it has been quiet for this long")
	beat := flag.Duration("beat", 200*time.Millisecond, "period of the heartbeat")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), about, "\n\n")
		flag.PrintDefaults()
	}
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
	earlier := make(chan struct{}, 1)
	wheel, err := timerwheel.New(timerwheel.Options{Manual: true, OnNext: func(time.Time) {
		select {
		case earlier <- struct{}{}:
		default: // the loop will wake up anyway
		}
	}})
	if err != nil {
		return err
	}
	defer wheel.Close()

	l := newLoop(wheel, quiet, beat)
	saves, asked := make(chan string), 0
	go func() {
		defer close(saves)
		var linter sync.WaitGroup
		linter.Go(func() { asked = l.lint(duration) })
		edit(saves, duration, quiet)
		linter.Wait()
	}()
	if err := l.run(saves, earlier); err != nil {
		return err
	}
	return check(l, wheel, asked)
}

// edit runs three editors, each with a file of its own.
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
}

func check(l *loop, wheel *timerwheel.Wheel, asked int) error {
	s := wheel.Stats()
	_, pending := wheel.Next()
	fmt.Printf("\n%d saves, %d builds, %d lints, %d beats; the loop woke up %d times\n\n", l.saves, l.builds, l.lints, l.beats, l.wakeups)

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
	expect(l.lints == asked, "every lint ran, once")
	expect(l.early == 0, "no build, no lint and no beat was early")
	expect(l.outside == 0, "every handler ran on the loop, inside Advance")
	expect(l.fired == l.builds+l.lints+l.beats && uint64(l.fired) == s.Fired, "Advance, the handlers and the wheel agree on the number of firings")
	expect(l.wakeups <= 10+5*(l.saves+l.fired), "the loop slept while there was nothing to do")
	expect(!pending && s.Live == 0 && s.Registered == s.Fired+s.Removed, "no timer is left, and Registered = Fired + Removed")
	if failed > 0 {
		return fmt.Errorf("%d checks failed", failed)
	}
	return nil
}
