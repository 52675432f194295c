package main

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel"
)

// A cause is what ended a connection. If there are several, the first one counts.
type cause uint32

const (
	open cause = iota // the connection has not ended
	byClient
	byIdle
	byServer
	causes
)

// A conn is the server's side of a connection. Three goroutines use it: the reader (serve)
// touches the timer, the wheel's worker runs the handler (expire), and the goroutine that
// ends the connection deletes the timer (tearDown).
type conn struct {
	srv   *server
	net   net.Conn
	idle  timerwheel.Timer
	due   atomic.Int64  // when the connection has been idle long enough, as far as the reader knows
	ended atomic.Uint32 // a cause
	once  sync.Once     // tearDown

	// The memory that the handler uses. No lock and no atomic guards it: until the
	// deletion of the timer it belongs to the handler, afterwards to tearDown. In a
	// build with -race the race detector checks that promise, too.
	session session
}

// A session stands for the memory that a driver frees after it has deleted its timer. A
// handler that used it then would use memory that belongs to other code.
type session struct {
	goodbye  []byte
	poisoned bool
}

func newConn(srv *server, nc net.Conn) *conn {
	c := &conn{srv: srv, net: nc, session: session{goodbye: make([]byte, 0, 64)}}
	c.idle = srv.wheel.Alloc(c.expire)
	return c
}

// serve reads until the connection ends.
func (c *conn) serve() {
	// Only serve arms the timer, and it has stopped doing so by then. No other code
	// registers it again, so DelSync is enough.
	defer c.tearDown(byClient, c.idle.DelSync)

	due := c.srv.clock() + c.srv.idle
	if err := c.idle.RegisterIdle(c.srv.idle); err != nil {
		c.srv.tally.refused.Add(1) // the server closes the connection already
		return
	}
	c.srv.tally.armed.Add(1)
	c.due.Store(int64(due))

	for buf := make([]byte, 256); c.touch(); {
		if _, err := c.net.Read(buf); err != nil {
			return
		}
		c.srv.tally.reads.Add(1)
	}
}

// touch gives the connection another idle period from now. It returns false if the timer has
// fired, or the server has deleted it, although there was something to read at the last moment:
// then the connection is about to close.
func (c *conn) touch() bool {
	due := c.srv.clock() + c.srv.idle
	if !c.idle.Touch() {
		c.srv.tally.lost.Add(1)
		return false
	}
	c.srv.tally.touched.Add(1)
	c.due.Store(int64(due))
	return true
}

// expire is the handler: the server has read nothing for the idle period. It runs on a
// worker of the wheel, concurrently with all other code, so it is short: a write that
// cannot block for long, and a close.
func (c *conn) expire(timerwheel.Timer) {
	began := c.srv.clock()
	tally := &c.srv.tally
	tally.handlers.Add(1)
	c.mustOwnSession()
	tally.lateness.add(time.Duration(c.due.Load()), began)

	if c.end(byIdle) {
		c.sayGoodbye()
		c.net.Close()
	} else { // another cause ended the connection first
		tally.tooLate.Add(1)
	}
	c.mustOwnSession()
}

// sayGoodbye uses the session's memory. The client hangs up as soon as it reads the line,
// which causes tear-downs that find the handler running.
func (c *conn) sayGoodbye() {
	s := &c.session
	s.goodbye = fmt.Appendf(s.goodbye[:0], "idle for %v, goodbye\n", c.srv.idle)
	c.net.SetWriteDeadline(time.Now().Add(time.Millisecond))
	c.net.Write(s.goodbye) // ignore an error: the peer may be gone
}

// mustOwnSession counts a violation if the session no longer belongs to the handler. That
// means that a deletion returned while the handler was running or before it began.
func (c *conn) mustOwnSession() {
	if c.session.poisoned {
		c.srv.tally.violations.Add(1)
	}
}

// end sets the cause of the connection's end, and reports whether there was none before.
func (c *conn) end(by cause) bool {
	return c.ended.CompareAndSwap(uint32(open), uint32(by))
}

// tearDown ends the connection and deletes its timer with del, one of the deletions that
// wait. When it has returned the connection is gone, also if another goroutine did the
// work. The handler must not call it: it would wait for its own end (the deletion would
// return ErrDeadlock). Instead the handler closes the socket and leaves the rest to serve.
func (c *conn) tearDown(by cause, del func() (timerwheel.Found, error)) {
	c.once.Do(func() {
		c.end(by)
		found, err := del()
		c.session = session{poisoned: true} // no handler runs or will run: the memory is ours
		if err == nil {
			err = c.idle.Free()
		}
		if c.idle.Valid() { // it has no owner, so it is pending: the deletion let a Register through
			c.srv.tally.violations.Add(1)
		}
		c.net.Close()
		c.srv.remove(c, by, found, err)
	})
}
