// Reliableudp sends messages over a lossy UDP link and retransmits until they are
// acknowledged: go run ./examples/reliableudp
//
// Each message in flight has a timer. Only the timer's handler transmits the message: at
// once, then again after 5 ms, 10 ms, 20 ms and so on, until the acknowledgement comes or
// the sender gives up. The acknowledgement deletes the timer with DelSync. After that the
// sender reuses the message's buffer for the next message at once. A transmission that
// still ran would send garbage, and the receiver would detect it, because each datagram
// contains a checksum.
//
// A second sender sends to a peer that never answers, and has to give up.
//
// The program checks that every message arrived exactly once and undamaged, and exits
// with status 1 otherwise.
package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/examples/internal/progress"
)

// A config holds the values of the flags.
type config struct {
	messages int
	loss     float64 // of datagrams, in both directions
	window   int     // messages in flight
	tries    int     // transmissions of a message before the sender gives up
}

const about = `Reliableudp sends messages over a lossy UDP link, and retransmits each until it is acknowledged. It
checks that each arrives exactly once and undamaged.`

func main() {
	var cfg config
	flag.IntVar(&cfg.messages, "messages", 5000, "messages to send")
	flag.Float64Var(&cfg.loss, "loss", 0.2, "fraction of the datagrams lost on purpose, in either direction")
	flag.IntVar(&cfg.window, "window", 64, "messages in flight at the same time")
	flag.IntVar(&cfg.tries, "tries", 24, "transmissions of a message before giving up")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), about, "\n\n")
		flag.PrintDefaults()
	}
	flag.Parse()

	if err := run(cfg); err != nil {
		fmt.Fprintln(os.Stderr, "reliableudp:", err)
		os.Exit(1)
	}
}

func run(cfg config) error {
	if cfg.messages < 1 || cfg.window < 1 || cfg.tries < 1 || cfg.loss < 0 || cfg.loss >= 1 {
		return errors.New("-messages, -window and -tries must be positive, and -loss from 0 to below 1")
	}
	links, err := openLinks(4, cfg.loss)
	if err != nil {
		return err
	}
	defer closeAll(links)
	wheel, err := timerwheel.New(timerwheel.Options{})
	if err != nil {
		return err
	}
	defer wheel.Close()

	recv := newReceiver(links[0])
	send := newSender(wheel, links[1], recv.link.addr(), cfg)
	silent := links[2]
	hopeless := newSender(wheel, links[3], silent.addr(), cfg)

	fmt.Printf("reliableudp: %d messages, %d in flight, %.0f%% of all datagrams lost on purpose\n", cfg.messages, cfg.window, 100*cfg.loss)
	stop := progress.Start(func() string {
		return fmt.Sprintf("%d messages acknowledged, after %d transmissions", send.acknowledged.Load(), send.transmissions.Load())
	})
	start := time.Now()
	var sending sync.WaitGroup
	sending.Go(func() { send.sendAll(cfg.messages) })
	sending.Go(func() { hopeless.sendAll(cfg.window) }) // one window: more messages would have to wait
	sending.Wait()
	elapsed := time.Since(start)
	stop()

	closeAll(links)
	recv.wait()
	send.wait()
	hopeless.wait()

	report(elapsed, send, hopeless, recv, wheel.Stats())
	return check(cfg, send, hopeless, recv, wheel.Stats())
}

func openLinks(n int, loss float64) ([]*link, error) {
	var links []*link
	for range n {
		conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			closeAll(links)
			return nil, err
		}
		links = append(links, &link{conn: conn, loss: loss})
	}
	return links, nil
}

func closeAll(links []*link) {
	for _, l := range links {
		l.conn.Close()
	}
}

func report(elapsed time.Duration, send, hopeless *sender, recv *receiver, s timerwheel.Stats) {
	row := func(label string, n any) { fmt.Printf("  %-52s %10v\n", label, n) }
	fmt.Println()
	row("took", elapsed.Round(time.Millisecond))
	row("transmissions", send.transmissions.Load())
	row("  lost on purpose", send.link.lost.Load())
	row("acknowledgements", recv.acks)
	row("  lost on purpose", recv.link.lost.Load())
	row("duplicates that the receiver dropped", recv.duplicates)
	row("acknowledgements that found the handler running", send.collisions.Load())
	row("transmissions to the peer that never answers", hopeless.transmissions.Load())
	row("  messages given up", hopeless.gaveUp.Load())
	row("latest handler", s.MaxLate.Round(time.Microsecond))
	fmt.Println()
}

func check(cfg config, send, hopeless *sender, recv *receiver, s timerwheel.Stats) error {
	failed := 0
	expect := func(ok bool, what string) {
		result := "ok    "
		if !ok {
			result = "FAILED"
			failed++
		}
		fmt.Printf("  %s  %s\n", result, what)
	}
	expect(recv.exactlyOnce(cfg.messages), "every message arrived exactly once")
	expect(recv.corrupt == 0, "no message was damaged: no buffer was transmitted after its DelSync")
	expect(send.gaveUp.Load() == 0, "the sender gave up no message")
	expect(hopeless.gaveUp.Load() == uint64(cfg.window), "all messages to the peer that never answers were given up")
	expect(hopeless.transmissions.Load() == uint64(cfg.window*cfg.tries), "each of them after exactly the allowed number of transmissions")
	expect(send.early.Load()+hopeless.early.Load() == 0, "no retransmission was early")
	expect(send.failed.Load()+hopeless.failed.Load() == 0, "no call failed")
	expect(s.Live == 0 && s.Registered == s.Fired+s.Removed, "no timer is left, and Registered = Fired + Removed")
	if failed > 0 {
		return fmt.Errorf("%d checks failed", failed)
	}
	return nil
}
