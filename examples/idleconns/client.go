package main

import (
	"context"
	"math/rand/v2"
	"net"
	"os"
	"time"
)

// comeAndGo is the life of a client: connect, talk, and again, until ctx ends.
func comeAndGo(ctx context.Context, addr string, idle time.Duration, tally *tally) {
	var dialer net.Dialer
	for ctx.Err() == nil {
		nc, err := dialer.DialContext(ctx, "tcp", addr)
		if err != nil {
			time.Sleep(time.Millisecond) // the server is full, or gone; ctx tells which
			continue
		}
		if talk(nc, idle) {
			tally.goodbyes.Add(1)
		}
		nc.Close()
	}
}

// talk sends a few lines at random intervals. Then some clients hang up, and
// some say no more and wait for the server to lose its patience. It reports
// whether the server said goodbye.
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

// pause is how long a client thinks before its next line: mostly less than the
// idle limit, sometimes so near to it that the line and the expiry race.
func pause(idle time.Duration) time.Duration {
	const near = 4 * time.Millisecond
	if rand.N(4) == 0 {
		return idle - near/2 + rand.N(near)
	}
	return rand.N(idle)
}

// listenFor waits for d and reports whether the server ended the connection
// meanwhile, and whether it said goodbye before it did.
func listenFor(nc net.Conn, d time.Duration) (ended, goodbye bool) {
	var line [64]byte
	nc.SetReadDeadline(time.Now().Add(d))
	n, err := nc.Read(line[:])
	return n > 0 || !os.IsTimeout(err), n > 0
}
