// Idleconns shows a TCP server that closes idle connections: go run ./examples/idleconns
//
// The server listens on loopback, and two thousand real clients connect to it. Each
// connection has an idle timer that every read touches. A connection ends in one of three
// ways, which race all the time: the client hangs up, the idle timer expires, or the
// server closes the connection for other reasons, preferably when the timer is about to
// expire.
//
// In each case the connection gives up its memory once its timer was deleted, and the
// handler uses that memory without any lock. That is safe only if no handler runs after
// its deletion has returned. The program proves that: it prints what happened, checks that
// all counts add up, and exits with status 1 if anything is wrong.
//
// The files in reading order: conn.go is the part to learn from (arm, expire, tear down),
// server.go and client.go are the two sides around it, cost.go compares what the timeout costs a
// read with what other ways cost, probe.go how late one-shots of the wheel and of package time
// begin beside the connections, report.go prints and checks.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/examples/internal/progress"
)

const about = `Idleconns is a TCP server that closes idle connections, with thousands of clients that race
with its timers. It checks that no handler runs after the deletion of its timer.`

// A config holds the values of the flags.
type config struct {
	conns    int           // clients, each with one connection at a time
	duration time.Duration // how long clients connect
	idle     time.Duration // a connection that was quiet for this long is closed
	tick     time.Duration // granularity of the wheel
	workers  int           // handlers that run at once; 0 means the wheel's default
}

func main() {
	cfg, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		err = run(cfg)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "idleconns:", err)
		os.Exit(1)
	}
}

func parse(args []string) (config, error) {
	var cfg config
	flags := flag.NewFlagSet("idleconns", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), about, "\n\n")
		flags.PrintDefaults()
	}
	flags.IntVar(&cfg.conns, "conns", 2000, "connections open at the same time (each takes two file descriptors here)")
	flags.DurationVar(&cfg.duration, "for", 5*time.Second, "how long clients connect")
	flags.DurationVar(&cfg.idle, "idle", 250*time.Millisecond, "close a connection after this time without a read")
	flags.DurationVar(&cfg.tick, "tick", time.Millisecond, "granularity of the timer wheel")
	flags.IntVar(&cfg.workers, "workers", 0, "MaxWorkers, the most handlers that run at once; 0 means the default; with 1 all workers are often busy")
	if err := flags.Parse(args); err != nil {
		return cfg, err
	}
	if cfg.conns < 1 || cfg.duration <= 0 || cfg.idle < 10*time.Millisecond {
		return cfg, errors.New("-conns must be at least 1, -for positive and -idle at least 10ms")
	}
	return cfg, nil
}

// run starts the server, lets the clients race, tears everything down and reports.
func run(cfg config) error {
	cfg.conns = withinDescriptors(cfg.conns)
	fmt.Printf("idleconns: %d clients at a time for %v; idle limit %v, tick %v\n", cfg.conns, cfg.duration, cfg.idle, cfg.tick)
	goroutines := runtime.NumGoroutine()

	var saturated atomic.Uint64
	wheel, err := openWheel(cfg, &saturated)
	if err != nil {
		return err
	}
	srv, err := listen(wheel, cfg.idle)
	if err != nil {
		return err
	}
	costs, err := compare(wheel, srv.addr(), cfg.conns)
	if err != nil {
		return err
	}
	var peak peak
	sampler := wheel.Every(10*time.Millisecond, func(timerwheel.Timer) { peak.sample(wheel.Stats()) })

	var probe probe
	race(cfg, srv, &probe)

	if _, err := sampler.DelSync(); err != nil { // from here on only this goroutine uses peak
		return err
	}
	drained := wheel.Stats()
	if err := wheel.Close(); err != nil {
		return err
	}
	report := report{
		tally:      &srv.tally,
		costs:      costs,
		probe:      &probe,
		peak:       peak,
		saturated:  saturated.Load(),
		drained:    drained,
		workers:    wheel.Stats().Workers,
		goroutines: leftover(goroutines),
	}
	report.print(os.Stdout)
	return report.check(os.Stdout)
}

// stallAfter is how long timers that are due must have waited before it counts that all
// workers are busy.
const stallAfter = 100 * time.Millisecond

// openWheel makes the wheel, which counts how often all its workers are busy.
func openWheel(cfg config, saturated *atomic.Uint64) (*timerwheel.Wheel, error) {
	return timerwheel.New(timerwheel.Options{
		Tick:       cfg.tick,
		MaxWorkers: cfg.workers,
		StallAfter: stallAfter,
		OnStall: func(s timerwheel.Stall) {
			if s.Kind == timerwheel.Saturated {
				saturated.Add(1)
			}
		},
	})
}

// race returns when the time is over and all clients, all connections, the one-shots of the probe and
// the server have ended.
func race(cfg config, srv *server, p *probe) {
	ctx, cancel := context.WithTimeout(context.Background(), cfg.duration)
	defer cancel()
	defer progress.Start(srv.tally.String)()

	var clients sync.WaitGroup
	clients.Go(func() { p.run(ctx, srv) })
	for range cfg.conns {
		clients.Go(func() { runClient(ctx, srv.addr(), cfg.idle, &srv.tally) })
	}
	srv.closeAtRandom(ctx)
	srv.shutdown()
	clients.Wait()
}

// withinDescriptors lowers n to what the limit on open files allows, and prints that.
// Client and server are in the same process, and each side of a connection takes a
// descriptor.
func withinDescriptors(n int) int {
	const reserve = 64 // standard streams, the listener, the poller, sockets about to close
	limit, ok := descriptorLimit()
	if !ok || uint64(2*n+reserve) <= limit {
		return n
	}
	lowered := max(1, (int(limit)-reserve)/2)
	fmt.Printf("idleconns: this process may open %d files only: lowered -conns from %d to %d\n", limit, n, lowered)
	return lowered
}

// leftover returns the number of goroutines beyond those of the start. It waits for
// goroutines that are about to end, because they are no leak.
func leftover(before int) int {
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if runtime.NumGoroutine() <= before {
			return 0
		}
	}
	return runtime.NumGoroutine() - before
}
