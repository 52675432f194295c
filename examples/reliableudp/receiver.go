package main

import (
	"net/netip"
	"sync"
)

// A receiver acknowledges a message each time that it arrives, and delivers it once. One
// goroutine does all of it. Call wait before you read the fields.
type receiver struct {
	link      *link
	receiving sync.WaitGroup

	seen       map[uint64]bool
	delivered  []string // the messages that the application gets
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

// wait waits until the receiver has stopped. Close its link first.
func (r *receiver) wait() { r.receiving.Wait() }

func (r *receiver) handle(datagram []byte, from netip.AddrPort) {
	seq, payload, ok := decode(datagram)
	if !ok {
		r.corrupt++
		return
	}
	// Acknowledge a duplicate as well, because the sender had not received the
	// acknowledgement of the first one.
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

// exactlyOnce reports whether the application got the messages 0 to n-1 once each, in any
// order.
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
