package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
)

// A server accepts connections, and holds those that are not torn down yet.
type server struct {
	wheel    *timerwheel.Wheel
	idle     time.Duration
	start    time.Time
	listener net.Listener
	tally    tally

	accepting, serving sync.WaitGroup

	mu    sync.Mutex
	conns map[*conn]struct{}
}

// listen starts a server on a free port of the loopback interface.
func listen(wheel *timerwheel.Wheel, idle time.Duration) (*server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{wheel: wheel, idle: idle, start: time.Now(), listener: listener, conns: make(map[*conn]struct{})}
	s.accepting.Go(s.accept)
	return s, nil
}

func (s *server) addr() string { return s.listener.Addr().String() }

// clock returns the time since the start, by the monotonic clock.
func (s *server) clock() time.Duration { return time.Since(s.start) }

// accept serves connections until the listener is closed. Other errors (no descriptor
// left, the client already gone) are temporary.
func (s *server) accept() {
	for {
		nc, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(time.Millisecond)
			continue
		}
		c := newConn(s, nc)
		s.add(c)
		s.serving.Go(c.serve)
	}
}

// closeAtRandom closes connections until ctx ends, as a server short of memory might. It
// prefers those whose idle timer is just firing, because there the deletion and the
// handler collide.
func (s *server) closeAtRandom(ctx context.Context) {
	round := time.NewTicker(time.Millisecond)
	defer round.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-round.C:
		}
		for _, c := range s.pick(2 * time.Millisecond) {
			s.close(c)
		}
	}
}

// pick returns some of the connections that became due within the window before now, and
// rarely others.
func (s *server) pick(window time.Duration) (picked []*conn) {
	now := s.clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		odds := 10_000
		if ago := now - time.Duration(c.due.Load()); 0 <= ago && ago < window {
			odds = 2
		}
		if rand.N(odds) == 0 {
			picked = append(picked, c)
		}
	}
	return picked
}

// close tears c down while its reader may be about to arm the timer again. After DelSync
// the reader still could. ShutdownSync prevents that.
func (s *server) close(c *conn) {
	c.tearDown(byServer, c.idle.ShutdownSync)
}

// shutdown stops accepting, closes all open connections at the same time, and returns
// when they are gone.
func (s *server) shutdown() {
	s.listener.Close()
	s.accepting.Wait()
	for _, c := range s.open() {
		s.serving.Go(func() { s.close(c) })
	}
	s.serving.Wait()
}

func (s *server) open() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		all = append(all, c)
	}
	return all
}

func (s *server) add(c *conn) {
	s.mu.Lock()
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	s.tally.opened.Add(1)
}

// remove removes a connection and counts its end. found and err are the results of the
// deletion that by made.
func (s *server) remove(c *conn, by cause, found timerwheel.Found, err error) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()

	s.tally.closed.Add(1)
	s.tally.ends[c.ended.Load()].Add(1)
	if found.Running {
		s.tally.inFlight[by].Add(1)
	}
	if err != nil {
		s.tally.failed.Add(1)
	}
}
