package main

import (
	"net/netip"
	"sync"
)

// A receiver acknowledges every message, each time that it comes, and delivers
// it once. One goroutine does it all; wait before you read the fields.
type receiver struct {
	link      *link
	receiving sync.WaitGroup

	seen       map[uint64]bool
	delivered  []string // what the application gets
	ack        []byte
	acks       int
	duplicates int
	corrupt    int
}

func newReceiver(l *link) *receiver {
	r := &receiver{link: l, seen: make(map[uint64]bool)}
	r.receiving.Go(func() { l.receive(r.handle) })
	return r
}

// wait returns when the receiver has stopped; its link must be closed.
func (r *receiver) wait() { r.receiving.Wait() }

func (r *receiver) handle(datagram []byte, from netip.AddrPort) {
	seq, payload, ok := decode(datagram)
	if !ok {
		r.corrupt++
		return
	}
	// A duplicate is acknowledged as well: that it came means that the sender
	// had not heard of the first one.
	r.ack = encode(r.ack, seq, "")
	r.acks++
	r.link.send(r.ack, from)

	if r.seen[seq] {
		r.duplicates++
		return
	}
	r.seen[seq] = true
	r.delivered = append(r.delivered, payload)
}

// exactlyOnce reports whether the application got the messages from 0 to n-1,
// each of them once, in whatever order.
func (r *receiver) exactlyOnce(n int) bool {
	copies := make(map[string]int)
	for _, text := range r.delivered {
		copies[text]++
	}
	for seq := range uint64(n) {
		if copies[payload(seq)] != 1 {
			return false
		}
	}
	return len(r.delivered) == n
}
