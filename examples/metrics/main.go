// Metrics shows a wheel's Stats to the outside, by expvar, and logs what goes wrong in it,
// by slog: go run ./examples/metrics
//
// Nothing but the standard library is needed. (For Prometheus there is the
// module prom.) The program serves /debug/vars on loopback and scrapes itself
// while timers fire and are deleted; then a handler stalls and another panics,
// and both must be in the log. The hooks for slog are in logging.go.
//
// The program prints what it finds, checks itself, and exits with status 1 if a
// check fails.
package main

import (
	"bytes"
	"errors"
	"expvar"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
)

func main() {
	duration := flag.Duration("for", time.Second, "how long timers fire and are deleted")
	users := flag.Int("users", 4, "goroutines that use timers at the same time")
	flag.Parse()

	if err := run(*users, *duration); err != nil {
		fmt.Fprintln(os.Stderr, "metrics:", err)
		os.Exit(1)
	}
}

// Both are short, so that the program is; but far from each other, so that a
// busy machine does not hide the stall.
const (
	stallAfter = 50 * time.Millisecond
	tooLong    = time.Second
)

func run(users int, duration time.Duration) error {
	if users < 1 || duration <= 0 {
		return errors.New("-users and -for must be positive")
	}
	var log bytes.Buffer // one record of JSON a line
	options := timerwheel.Options{StallAfter: stallAfter}
	logTo(slog.New(slog.NewJSONHandler(&log, nil)), &options)
	wheel, err := timerwheel.New(options)
	if err != nil {
		return err
	}
	defer wheel.Close()

	// All that a program needs to do for expvar; most serve http.DefaultServeMux
	// somewhere, which has /debug/vars already.
	expvar.Publish("timerwheel", expvar.Func(func() any { return wheel.Stats() }))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.DefaultServeMux}
	go server.Serve(listener)
	defer server.Close()
	url := fmt.Sprintf("http://%v/debug/vars", listener.Addr())

	end := time.Now().Add(duration)
	var work sync.WaitGroup
	for range users {
		work.Go(func() { useTimersUntil(end, wheel) })
	}
	var found findings
	for time.Now().Before(end) {
		if err := found.scrape(url, wheel); err != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	work.Wait()

	misbehave(wheel)
	if err := wheel.Close(); err != nil { // waits for the hooks as well: now the log can be read
		return err
	}
	if err := found.scrape(url, wheel); err != nil { // of the closed wheel: what it has done stays
		return err
	}
	records, err := read(&log)
	if err != nil {
		return err
	}
	return report(&found, records, wheel.Stats())
}

// useTimersUntil arms timers, of which some fire, some are pushed back, and some
// are deleted in time.
func useTimersUntil(end time.Time, wheel *timerwheel.Wheel) {
	for time.Now().Before(end) {
		wheel.AfterFunc(rand.N(5*time.Millisecond), func() {})
		t := wheel.Alloc(func(timerwheel.Timer) {})
		_ = t.Register(rand.N(time.Millisecond))
		time.Sleep(rand.N(time.Millisecond))
		_ = t.Register(rand.N(time.Millisecond))
		_, _ = t.DelSync()
		_ = t.Free()
		_ = t.Register(0) //timerwheelvet:ignore it is too late, and refused: that is to be counted
	}
}

// misbehave returns when a handler that stalls and one that panics are over.
func misbehave(wheel *timerwheel.Wheel) {
	for _, handler := range []func(timerwheel.Timer){sleepTooLong, panics} {
		t := wheel.Alloc(handler)
		_ = t.Register(0)
		for t.Pending() {
			time.Sleep(time.Millisecond)
		}
		_, _ = t.ShutdownSync()
		_ = t.Free()
	}
}

func sleepTooLong(timerwheel.Timer) { time.Sleep(tooLong) }

func panics(timerwheel.Timer) { panic("no such session") }
