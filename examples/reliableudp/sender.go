package main

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel"
)

const (
	firstTimeout = 5 * time.Millisecond
	lastTimeout  = 40 * time.Millisecond
)

// A sender sends messages to one peer, a window of them at a time.
type sender struct {
	link  *link
	peer  netip.AddrPort
	tries int
	idle  chan *message // messages that are not in flight; its capacity is the window

	mu       sync.Mutex
	inflight map[uint64]*message

	listening sync.WaitGroup

	transmissions atomic.Uint64
	acknowledged  atomic.Uint64
	gaveUp        atomic.Uint64
	early         atomic.Uint64 // retransmissions before their deadline
	collisions    atomic.Uint64 // acknowledgements that found the handler running
	failed        atomic.Uint64 // calls that returned an unexpected error
}

// A message reuses its timer. No lock guards the fields: while the message is in flight
// they belong to the handler, and otherwise to the goroutine that has the message. DelSync
// is the transfer back.
type message struct {
	sender   *sender
	timer    timerwheel.Timer
	seq      uint64
	datagram []byte
	tries    int
	due      time.Time // of the next transmission
}

func newSender(wheel *timerwheel.Wheel, l *link, peer netip.AddrPort, cfg config) *sender {
	s := &sender{
		link:     l,
		peer:     peer,
		tries:    cfg.tries,
		idle:     make(chan *message, cfg.window),
		inflight: make(map[uint64]*message),
	}
	for range cfg.window {
		m := &message{sender: s, datagram: make([]byte, 0, maxDatagram)}
		m.timer = wheel.Alloc(m.transmit)
		s.idle <- m
	}
	s.listening.Go(func() { l.receive(s.acknowledge) })
	return s
}

// sendAll sends n messages and returns when each was acknowledged or given up. The sender
// cannot be used again.
func (s *sender) sendAll(n int) {
	for seq := range uint64(n) {
		s.send(<-s.idle, seq)
	}
	for range cap(s.idle) {
		s.retire(<-s.idle)
	}
}

// retire frees a message's timer. The handler of a message that was given up may not have
// returned yet, so retire waits for it.
func (s *sender) retire(m *message) {
	if _, err := m.timer.DelSync(); err != nil {
		s.failed.Add(1)
	}
	m.timer.Free()
}

// wait waits until the sender has stopped listening. Close its link first.
func (s *sender) wait() { s.listening.Wait() }

// send puts m in flight. The timer does the first transmission, too, so that only the
// handler ever reads the buffer.
func (s *sender) send(m *message, seq uint64) {
	m.seq, m.tries, m.due = seq, 0, time.Now()
	m.datagram = encode(m.datagram, seq, payload(seq))

	s.mu.Lock()
	s.inflight[seq] = m
	s.mu.Unlock()
	if m.timer.Register(0) != nil { // not expected
		s.failed.Add(1)
		s.giveUp(m)
	}
}

// transmit is the handler: no acknowledgement has come so far.
func (m *message) transmit(t timerwheel.Timer) {
	s := m.sender
	if time.Now().Before(m.due) {
		s.early.Add(1)
	}
	if m.tries >= s.tries {
		s.giveUp(m)
		return
	}
	s.transmissions.Add(1)
	s.link.send(m.datagram, s.peer)

	// If the acknowledgement has arrived already, its DelSync waits for this handler,
	// and the timer refuses Register. That is correct.
	d := backoff(m.tries)
	m.tries++
	m.due = time.Now().Add(d)
	t.Register(d)
}

// backoff returns how long to wait for an acknowledgement after a number of
// retransmissions: twice as long each time, up to lastTimeout.
func backoff(retransmissions int) time.Duration {
	return min(firstTimeout<<min(retransmissions, 10), lastTimeout)
}

// acknowledge handles a datagram from the peer, the acknowledgement of a message.
func (s *sender) acknowledge(datagram []byte, _ netip.AddrPort) {
	seq, _, ok := decode(datagram)
	if !ok {
		return
	}
	m := s.take(seq)
	if m == nil {
		return // the acknowledgement of an earlier transmission
	}
	// From here on only the handler arms the timer. After DelSync the handler does not
	// run, so the timer stays idle and the message is ours.
	found, err := m.timer.DelSync()
	if err != nil {
		s.failed.Add(1)
	}
	if found.Running {
		s.collisions.Add(1)
	}
	s.acknowledged.Add(1)
	s.release(m)
}

// giveUp ends a message without an acknowledgement. The handler calls it. If the message
// is no longer in flight, the acknowledgement has arrived after all, and its DelSync waits
// for the end of the handler.
func (s *sender) giveUp(m *message) {
	if s.take(m.seq) != nil {
		s.gaveUp.Add(1)
		s.release(m)
	}
}

// take removes a message from those in flight. It returns the message to one caller only,
// and nil to the others.
func (s *sender) take(seq uint64) *message {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.inflight[seq]
	delete(s.inflight, seq)
	return m
}

// release makes m available for the next message. It clears the buffer, so that the
// receiver detects a transmission that should not happen.
func (s *sender) release(m *message) {
	clear(m.datagram)
	s.idle <- m
}

// payload returns the text of a message, which both sides know.
func payload(seq uint64) string { return fmt.Sprintf("this is message %d", seq) }
