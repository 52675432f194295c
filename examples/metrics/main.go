// Metrics publishes a wheel's Stats with expvar, and logs its stalls and panics with slog:
// go run ./examples/metrics
//
// It needs only the standard library. (Module prom is for Prometheus.) The program serves
// /debug/vars on loopback and scrapes itself while timers fire and are deleted. Then one
// handler stalls and another panics, and both must be in the log. The hooks for slog are in
// logging.go.
//
// The program prints its findings, checks itself, and exits with status 1 if a check
// fails.
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
	"github.com/seed76848005/timerwheel/examples/internal/progress"
)

const about = `Metrics publishes a wheel's Stats with expvar, and logs its stalls and panics with slog. It scrapes
itself, and checks what it finds there and in the log.`

func main() {
	duration := flag.Duration("for", time.Second, "how long timers fire and are deleted")
	users := flag.Int("users", 4, "goroutines that use timers at the same time")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), about, "\n\n")
		flag.PrintDefaults()
	}
	flag.Parse()

	if err := run(*users, *duration); err != nil {
		fmt.Fprintln(os.Stderr, "metrics:", err)
		os.Exit(1)
	}
}

// Both are short, so that the program is short, too. They are far apart, so that a busy
// machine does not hide the stall.
const (
	stallAfter = 50 * time.Millisecond
	tooLong    = time.Second
)

func run(users int, duration time.Duration) error {
	if users < 1 || duration <= 0 {
		return errors.New("-users and -for must be positive")
	}
	var log bytes.Buffer // one JSON object a line
	options := timerwheel.Options{StallAfter: stallAfter}
	logTo(slog.New(slog.NewJSONHandler(&log, nil)), &options)
	wheel, err := timerwheel.New(options)
	if err != nil {
		return err
	}
	defer wheel.Close()

	// A program needs to do no more for expvar. Most programs serve
	// http.DefaultServeMux, which has /debug/vars already.
	expvar.Publish("timerwheel", expvar.Func(func() any { return wheel.Stats() }))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.DefaultServeMux}
	go server.Serve(listener)
	defer server.Close()
	url := fmt.Sprintf("http://%v/debug/vars", listener.Addr())
	fmt.Printf("metrics: %d goroutines use timers for %v, while %s is scraped; then a handler stalls for %v\n", users, duration, url, tooLong)
	stop := progress.Start(func() string {
		s := wheel.Stats()
		return fmt.Sprintf("%d timers fired, %d were removed, %d handlers run", s.Fired, s.Removed, s.Running)
	})

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
	stop()
	if err := wheel.Close(); err != nil { // also waits for the hooks, so the log can be read now
		return err
	}
	if err := found.scrape(url, wheel); err != nil { // a closed wheel keeps its counters
		return err
	}
	lines, err := read(&log)
	if err != nil {
		return err
	}
	return report(&found, lines, wheel.Stats())
}

// useTimersUntil arms timers. Some of them fire, some are moved, and some are deleted
// before they fire.
func useTimersUntil(end time.Time, wheel *timerwheel.Wheel) {
	for time.Now().Before(end) {
		wheel.AfterFunc(rand.N(5*time.Millisecond), func() {})
		t := wheel.Alloc(func(timerwheel.Timer) {})
		_ = t.Register(rand.N(time.Millisecond))
		time.Sleep(rand.N(time.Millisecond))
		_ = t.Register(rand.N(time.Millisecond))
		_, _ = t.DelSync()
		_ = t.Free()
		_ = t.Register(0) //timerwheelvet:ignore refused, so that the wheel counts a refusal
	}
}

// misbehave runs a handler that stalls and one that panics, and returns after both.
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
