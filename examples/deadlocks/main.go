// Deadlocks contains three deadlocks of the kind that programs have, each in a file of
// its own. The wheel names each while the program runs: go run ./examples/deadlocks
//
// In session.go the caller of a deletion that waits holds a lock that the handler wants.
// The wheel cannot see the lock, so OnStall reports the wait once it has lasted. In
// poller.go a handler waits for itself, and in pipeline.go three handlers wait for each
// other. These waits do not begin: their calls return ErrDeadlock.
//
// The program prints the reports of the wheel, checks that they name the three, and exits
// with status 1 otherwise. With -hold it lets the lock's deadlock last for that time, or
// until an interrupt, and the circle as far as it was closed, so that -http can show who
// waits for whom:
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
	"github.com/seed76848005/timerwheel/examples/internal/progress"
)

const about = `Deadlocks has three deadlocks, and prints how the wheel names each while the program runs. It checks
that the reports name all three.`

func main() {
	after := flag.Duration("after", 200*time.Millisecond, "how long a handler or a wait lasts before the wheel reports it")
	hold := flag.Duration("hold", 0, "how long the deadlocks last before the program ends")
	address := flag.String("http", "", "serve the wheel's page at this host:port")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), about, "\n\n")
		flag.PrintDefaults()
	}
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
			default: // both reports of the lock were sent; with -hold the circle stalls, too
			}
		},
	})
	if err != nil {
		return err
	}
	if address != "" {
		end, err := serve(wheel, address)
		if err != nil {
			return err
		}
		defer end()
	}

	stop := progress.Start(func() string { return doing(wheel) })

	var d diagnoses
	poller := newPoller(wheel)
	d.self = <-poller.ended

	session := newSession(wheel, time.Second) // ample: it must not expire before close begins
	go session.close()
	for range 2 {
		select {
		case s := <-stalls:
			d.lock = append(d.lock, s)
		case <-time.After(after + time.Minute):
			return errors.New("a deadlock has lasted for a minute, and OnStall has not reported it")
		}
	}

	held := make(chan struct{})
	pipeline := newPipeline(wheel, held)
	d.circle = append(d.circle, <-pipeline.ended)
	waitOrInterrupt(hold)
	close(held)
	for range 2 {
		d.circle = append(d.circle, <-pipeline.ended)
	}

	// The deadlock of the lock stays, so the wheel closes but its Close cannot finish.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	d.end = wheel.CloseContext(ctx)
	stop()
	return d.report()
}

// serve serves the wheel's page and prints its address.
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

// doing says in a line what runs and what waits.
func doing(wheel *timerwheel.Wheel) string {
	running, waiters := wheel.Running(), 0
	for _, r := range running {
		waiters += r.Waiters
	}
	return fmt.Sprintf("%d handlers hang, %d deletions wait for them", len(running), waiters)
}

// waitOrInterrupt returns after a time or at an interrupt.
func waitOrInterrupt(hold time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), hold)
	defer cancel()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	<-ctx.Done()
}

// diagnoses holds what the wheel reported.
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
	stalls := map[timerwheel.StallKind]string{}
	for _, s := range d.lock {
		fmt.Println("lock:  ", s)
		stalls[s.Kind] = s.String()
	}
	fmt.Println()

	failed := 0
	expect := func(ok bool, what string) {
		result := "ok    "
		if !ok {
			result = "FAILED"
			failed++
		}
		fmt.Printf("  %s  %s\n", result, what)
	}
	expect(errors.Is(d.self, timerwheel.ErrDeadlock), "the handler that would have waited for itself got ErrDeadlock")
	expect(closers == 1, "of the three that would have waited for each other one got ErrDeadlock, and the others continued")
	expect(names(stalls[timerwheel.StalledHandler], "(*session).expire", "session.go:"), "OnStall named the handler that hangs, and its line")
	expect(names(stalls[timerwheel.StalledDeletion], "(*session).expire", "(*session).close", "session.go:"), "OnStall named the deletion that waits for it, and its line")
	expect(errors.Is(d.end, context.DeadlineExceeded), "CloseContext reports that the wheel cannot finish while a deadlock lasts")
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
