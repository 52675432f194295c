// Jetstream shares deadlines between processes: cd examples/durable && go run ./jetstream
//
// NATS JetStream keeps the deadlines, holds each back until shortly before it is due, and gives it to one
// of several workers; the worker's wheel fires it in time, and keeps its claim until then. The engine's
// part is in engine.go, a worker's in worker.go. docs/beyond.md says what is promised.
//
// The program runs a server of NATS and the workers, kills workers (SIGKILL) that hold claims, and checks
// that each deadline has fired. With -nats it uses a server that runs already, of version 2.12 or later:
// it makes two streams there, and removes them. It exits with status 1 if a check fails.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nuid"
	"github.com/seed76848005/timerwheel/examples/durable/internal/report"
	"github.com/seed76848005/timerwheel/examples/internal/progress"
)

const about = `Jetstream shares deadlines between processes with NATS JetStream. It kills workers that hold deadlines, and
checks that each deadline has fired.`

func main() { os.Exit(command(os.Args[1:])) }

// defaults hold each claim for longer than ackWait, so it must be kept; and they leave the time to give
// it to another worker before the deadline.
var defaults = plan{lead: 4 * time.Second, ackWait: 3 * time.Second}

// command runs the program with arguments, and returns its status.
func command(args []string) int {
	flags := flag.NewFlagSet("jetstream", flag.ContinueOnError)
	url := flags.String("nats", "", "URL of a server with JetStream; a server in this process, if empty")
	workers := flags.Int("workers", 3, "processes that fire deadlines")
	number := flags.Int("deadlines", 500, "deadlines, at least: more are scheduled until the last kill")
	kills := flags.Int("kills", 2, "workers that are killed, at least: more are, if none of them held a deadline")
	var p plan
	flags.DurationVar(&p.lead, "lead", defaults.lead, "how long before its deadline a worker gets a message")
	flags.DurationVar(&p.ackWait, "ackwait", defaults.ackWait, "how long a claim lasts that is not kept")
	working := flags.String("work", "", "be a worker, with this name")
	stream := flags.String("stream", "", "of a worker: the streams' common name")
	journal := flags.String("journal", "", "of a worker: the file in which it says what it does")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), about, "\n\n")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	var err error
	switch {
	case p.lead <= 0 || p.ackWait <= 0:
		err = errors.New("-lead and -ackwait must be positive")
	case *working != "":
		err = child(*working, *url, *stream, *journal, p)
	default:
		err = run(*url, *workers, *number, *kills, p)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "jetstream:", err)
		return 1
	}
	return 0
}

// child is a worker, until standard input ends.
func child(name, url, stream, file string, p plan) error {
	e, err := connect(url, stream)
	if err != nil {
		return err
	}
	defer e.close()
	j, err := openJournal(file)
	if err != nil {
		return err
	}
	w := &worker{name: name, engine: e, plan: p, journal: j}
	hook(w)
	return w.work(os.Stdin)
}

// hook is for tests.
var hook = func(*worker) {}

func run(url string, workers, number, kills int, p plan) error {
	if workers < 1 || number < 1 || kills < 0 {
		return errors.New("-workers and -deadlines must be positive, -kills must not be negative")
	}
	dir, err := os.MkdirTemp("", "jetstream")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if url == "" {
		s, err := startServer(filepath.Join(dir, "store"), server.RANDOM_PORT)
		if err != nil {
			return err
		}
		defer stopServer(s)
		url = s.ClientURL()
	}
	c, err := newCrowd(url, dir, p)
	if err != nil {
		return err
	}
	defer c.end()
	fmt.Printf("jetstream: %d workers fire deadlines, at %s; at least %d of them are killed\n", workers, url, kills)
	for range workers {
		if _, err := c.add(); err != nil {
			return err
		}
	}
	stop := progress.Start(func() string { return fmt.Sprintf("%d deadlines were scheduled", c.count.Load()) })
	kills, err = c.killWhileScheduling(number, kills)
	var v *verdict
	if err == nil {
		v, err = c.judge()
	}
	stop()
	if err != nil {
		return err
	}
	return v.report(kills)
}

// newCrowd makes the streams.
func newCrowd(url, dir string, p plan) (*crowd, error) {
	e, err := connect(url, "durable-"+nuid.Next())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), beginWithin)
	defer cancel()
	if err := e.create(ctx, p); err != nil {
		e.close()
		return nil, err
	}
	return &crowd{engine: e, url: url, dir: dir, plan: p, scheduled: map[string]time.Time{}}, nil
}

// report prints what has happened, and checks it.
func (v *verdict) report(kills int) error {
	shares := []string{}
	for _, name := range slices.Sorted(maps.Keys(v.workers)) {
		shares = append(shares, fmt.Sprintf("%s %d", name, v.workers[name]))
	}
	fmt.Printf("      %d deadlines fired: %s\n", v.fired, strings.Join(shares, ", "))
	fmt.Printf("      %d workers were killed; they held %d claims, of which %d had fired and were not acknowledged\n", kills, v.claimed, v.unacked)
	fmt.Printf("      workers fired %d times: %d again, each with the ID of the first time; %d claims of live workers lapsed\n\n", v.attempts, v.doubled, v.lapsed)
	for _, line := range v.examples {
		fmt.Println("     ", line)
	}
	var r report.Report
	r.Expect(v.lost == 0, "no deadline was lost")
	r.Expect(v.strange == 0, "none fired that was not scheduled")
	r.Expect(v.early == 0, "none fired early, by the wall clock")
	r.Expect(v.twice == 0, "the engine has each once")
	r.Expect(v.sameClaim == 0, "no worker fired twice by one claim")
	r.Expect(v.doubled <= v.unacked+v.lapsed, "a worker fired again only what a killed one had not acknowledged, or a live one had lost")
	r.Expect(v.lapsed == 0 || v.late > 0, "no claim of a live worker lapsed, unless the machine held it up")
	r.Expect(kills == 0 || v.claimed > 0, "killed workers held claims")
	return r.Err()
}
