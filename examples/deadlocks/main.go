// Deadlocks has three deadlocks in it, each in a file of its own, as programs come
// by them; the wheel names each while the program runs: go run ./examples/deadlocks
//
// In session.go a lock is held over a deletion that waits for who wants the lock:
// nobody but the program can see that, so OnStall reports it when it has lasted.
// In poller.go a handler waits for itself, in pipeline.go three handlers wait for
// each other: these waits do not begin, their calls return ErrDeadlock.
//
// The program prints what it is told, checks that these are the three, and exits
// with status 1 if one was not named. With -hold the lock's deadlock stands for a
// while, or until an interrupt, and the circle as far as it was closed, so that
// -http can show who waits for whom:
// go run ./examples/deadlocks -hold 1m -http localhost:8080
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/debug"
)

func main() {
	after := flag.Duration("after", 200*time.Millisecond, "how long a handler, or a wait, lasts before it is reported")
	hold := flag.Duration("hold", 0, "how long the deadlocks stand before the program ends")
	address := flag.String("http", "", "where the wheel's page is served meanwhile, host:port")
	flag.Parse()

	if err := run(*after, *hold, *address); err != nil {
		fmt.Fprintln(os.Stderr, "deadlocks:", err)
		os.Exit(1)
	}
}

func run(after, hold time.Duration, address string) error {
	if after <= 0 || hold < 0 {
		return errors.New("-after must be positive, and -hold not negative")
	}
	stalls := make(chan timerwheel.Stall, 2)
	wheel, err := timerwheel.New(timerwheel.Options{
		Debug:      true,
		StallAfter: after,
		OnStall: func(s timerwheel.Stall) {
			select {
			case stalls <- s:
			default: // the lock's two have come: with -hold, what stalls now is the circle
			}
		},
	})
	if err != nil {
		return err
	}
	if address != "" {
		stop, err := serve(wheel, address)
		if err != nil {
			return err
		}
		defer stop()
	}

	var d diagnoses
	poller := newPoller(wheel)
	d.self = <-poller.ended

	session := newSession(wheel, 250*time.Millisecond)
	go session.close()
	for range 2 {
		select {
		case s := <-stalls:
			d.lock = append(d.lock, s)
		case <-time.After(after + time.Minute):
			return errors.New("a deadlock has stood for a minute, and nobody was told")
		}
	}

	looked := make(chan struct{})
	pipeline := newPipeline(wheel, looked)
	d.circle = append(d.circle, <-pipeline.ended)
	look(hold)
	close(looked)
	for range 2 {
		d.circle = append(d.circle, <-pipeline.ended)
	}

	// What hangs hangs: the wheel is closed, but it does not end.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	d.end = wheel.CloseContext(ctx)
	return d.report()
}

// serve serves the wheel's page, and prints where that is.
func serve(wheel *timerwheel.Wheel, address string) (stop func() error, err error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	fmt.Printf("page:   http://%v/\n", listener.Addr())
	server := &http.Server{Handler: debug.Handler(wheel)}
	go server.Serve(listener)
	return server.Close, nil
}

// look waits until the deadlocks have been looked at.
func look(hold time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), hold)
	defer cancel()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	<-ctx.Done()
}

// diagnoses are what the wheel has said.
type diagnoses struct {
	self   error
	circle []error
	lock   []timerwheel.Stall
	end    error
}

func (d *diagnoses) report() error {
	fmt.Println("self:  ", d.self)
	closers := 0
	for _, err := range d.circle {
		if err != nil {
			fmt.Println("circle:", err)
		}
		if errors.Is(err, timerwheel.ErrDeadlock) {
			closers++
		}
	}
	told := map[timerwheel.StallKind]string{}
	for _, s := range d.lock {
		fmt.Println("lock:  ", s)
		told[s.Kind] = s.String()
	}
	fmt.Println()

	failed := 0
	that := func(ok bool, what string) {
		result := "ok    "
		if !ok {
			result = "FAILED"
			failed++
		}
		fmt.Printf("  %s  %s\n", result, what)
	}
	that(errors.Is(d.self, timerwheel.ErrDeadlock), "the handler that would have waited for itself was told so")
	that(closers == 1, "of the three that would have waited for each other one was told so, and the others went on")
	that(names(told[timerwheel.StalledHandler], "(*session).expire", "session.go:"), "the handler that hangs was named, and where")
	that(names(told[timerwheel.StalledDeletion], "(*session).expire", "(*session).close", "session.go:"), "and so was the deletion that waits for it, and where")
	that(errors.Is(d.end, context.DeadlineExceeded), "the wheel does not end while a deadlock stands, and says so")
	if failed > 0 {
		return fmt.Errorf("%d checks failed", failed)
	}
	return nil
}

func names(text string, all ...string) bool {
	for _, part := range all {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}
