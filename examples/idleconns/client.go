package main

import (
	"context"
	"math/rand/v2"
	"net"
	"os"
	"time"
)

// runClient connects and talks, again and again, until ctx ends.
func runClient(ctx context.Context, addr string, idle time.Duration, tally *tally) {
	var dialer net.Dialer
	for ctx.Err() == nil {
		nc, err := dialer.DialContext(ctx, "tcp", addr)
		if err != nil {
			time.Sleep(time.Millisecond) // the server is full or gone; in the second case ctx has ended
			continue
		}
		if talk(nc, idle) {
			tally.goodbyes.Add(1)
		}
		nc.Close()
	}
}

// talk sends a few lines at random intervals. Then some clients hang up, and others stay
// silent until the server closes the connection. It reports whether the server said
// goodbye.
func talk(nc net.Conn, idle time.Duration) (goodbye bool) {
	for range rand.N(6) {
		if _, err := nc.Write([]byte("still here\n")); err != nil {
			return false
		}
		if ended, goodbye := listenFor(nc, pause(idle)); ended {
			return goodbye
		}
	}
	if hangUp := rand.N(3) == 0; hangUp {
		return false
	}
	_, goodbye = listenFor(nc, 100*idle)
	return goodbye
}

// pause returns the time before a client's next line: mostly less than the idle limit,
// sometimes so close to it that the line and the expiry race.
func pause(idle time.Duration) time.Duration {
	const spread = 4 * time.Millisecond
	if rand.N(4) == 0 {
		return idle - spread/2 + rand.N(spread)
	}
	return rand.N(idle)
}

// listenFor reads for at most d. It reports whether the server ended the connection, and
// whether it said goodbye before that.
func listenFor(nc net.Conn, d time.Duration) (ended, goodbye bool) {
	var line [64]byte
	nc.SetReadDeadline(time.Now().Add(d))
	n, err := nc.Read(line[:])
	return n > 0 || !os.IsTimeout(err), n > 0
}
