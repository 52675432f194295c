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
	idle  chan *message // those not in flight; its capacity is the window

	mu       sync.Mutex
	inflight map[uint64]*message

	listening sync.WaitGroup

	transmissions atomic.Uint64
	gaveUp        atomic.Uint64
	early         atomic.Uint64 // retransmissions before their time
	collisions    atomic.Uint64 // acknowledgements that found the handler running
	failed        atomic.Uint64 // calls that returned an error, and should not
}

// A message has one timer for all its uses. Nothing guards the fields: while
// the message is in flight they are the handler's, otherwise they belong to
// whoever holds the message. DelSync is the handing back.
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

// sendAll sends n messages and returns when each of them has been acknowledged
// or given up. The sender is then used up.
func (s *sender) sendAll(n int) {
	for seq := range uint64(n) {
		s.send(<-s.idle, seq)
	}
	for range cap(s.idle) {
		s.retire(<-s.idle)
	}
}

// retire returns a message's timer to the wheel. A message that was given up
// comes here straight from its handler, which may not have returned yet.
func (s *sender) retire(m *message) {
	if _, err := m.timer.DelSync(); err != nil {
		s.failed.Add(1)
	}
	m.timer.Free()
}

// wait returns when the sender listens no more; its link must be closed.
func (s *sender) wait() { s.listening.Wait() }

// send puts m in flight. The first transmission, too, is left to the timer:
// then the handler is the only one that ever reads the buffer.
func (s *sender) send(m *message, seq uint64) {
	m.seq, m.tries, m.due = seq, 0, time.Now()
	m.datagram = encode(m.datagram, seq, payload(seq))

	s.mu.Lock()
	s.inflight[seq] = m
	s.mu.Unlock()
	if m.timer.Register(0) != nil { // no reason is known
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

	// Should the acknowledgement be here already, its DelSync is waiting for
	// this handler, and Register is refused. Nothing better could happen.
	d := backoff(m.tries)
	m.tries++
	m.due = time.Now().Add(d)
	t.Register(d)
}

// backoff is how long to wait for an acknowledgement after so many
// retransmissions: twice as long each time, within reason.
func backoff(retransmissions int) time.Duration {
	return min(firstTimeout<<min(retransmissions, 10), lastTimeout)
}

// acknowledge handles a datagram from the peer: a message has arrived.
func (s *sender) acknowledge(datagram []byte, _ netip.AddrPort) {
	seq, _, ok := decode(datagram)
	if !ok {
		return
	}
	m := s.take(seq)
	if m == nil {
		return // of an earlier transmission
	}
	// Only the handler arms the timer now. After DelSync it is not running, so
	// nobody will: the message is ours.
	found, err := m.timer.DelSync()
	if err != nil {
		s.failed.Add(1)
	}
	if found.Running {
		s.collisions.Add(1)
	}
	s.release(m)
}

// giveUp ends a message that nobody acknowledges. The handler calls it, so if
// the message is no longer in flight, the acknowledgement has come after all,
// and its DelSync waits for the handler's end.
func (s *sender) giveUp(m *message) {
	if s.take(m.seq) != nil {
		s.gaveUp.Add(1)
		s.release(m)
	}
}

// take takes a message out of flight, for the one caller that gets it.
func (s *sender) take(seq uint64) *message {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.inflight[seq]
	delete(s.inflight, seq)
	return m
}

// release makes m available for the next message. Its buffer is wiped, so that
// a transmission that should not be cannot go unnoticed.
func (s *sender) release(m *message) {
	clear(m.datagram)
	s.idle <- m
}

// payload is the text of a message, for both sides to know.
func payload(seq uint64) string { return fmt.Sprintf("this is message %d", seq) }
