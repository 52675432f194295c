package main

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel"
)

// A cause is what ended a connection. Several may try; the first one counts.
type cause uint32

const (
	open cause = iota // nothing has ended it yet
	byClient
	byIdle
	byServer
	causes
)

// A conn is the server's side of a connection. Three parties meet here: the
// reader (serve) pushes the timer back, the wheel's worker (expire) runs the
// handler, and whoever ends the connection deletes the timer (tearDown).
type conn struct {
	srv   *server
	net   net.Conn
	idle  timerwheel.Timer
	due   atomic.Int64  // the deadline to measure the handler against; see arm
	ended atomic.Uint32 // a cause
	once  sync.Once     // tearDown

	// What the handler works with. No lock and no atomic guards it: up to the
	// deletion of the timer it belongs to the handler, after it to tearDown.
	// Built with -race, the race detector watches that promise too.
	session session
}

// A session stands for the memory that a driver frees once it has deleted its
// timer: used by a handler after that, it is somebody else's.
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
	// serve alone arms the timer, and by then it has stopped doing so. Nobody
	// is left to register it anew, so DelSync is all it takes.
	defer c.tearDown(byClient, c.idle.DelSync)

	buf := make([]byte, 256)
	for c.arm() {
		if _, err := c.net.Read(buf); err != nil {
			return
		}
		c.srv.tally.reads.Add(1)
	}
}

// arm gives the connection another idle period from now. It reports false when
// the timer refuses, because somebody is deleting or has deleted it: then the
// connection is as good as closed.
func (c *conn) arm() bool {
	due := c.srv.clock() + c.srv.idle
	if err := c.idle.Register(c.srv.idle); err != nil {
		c.srv.tally.refused.Add(1)
		return false
	}
	c.srv.tally.armed.Add(1)

	// Tell the handler what to measure itself against, after Register and only
	// if no run of an earlier firing is in flight: that one would take the new
	// deadline for its own and call itself early.
	if c.idle.Running() {
		due = 0
	}
	c.due.Store(int64(due))
	return true
}

// expire is the handler: nothing has been read for the idle period. It runs on
// a worker of the wheel, concurrently with all the rest, so it is quick: a
// write that cannot block for long, and a close.
func (c *conn) expire(t timerwheel.Timer) {
	began := c.srv.clock()
	tally := &c.srv.tally
	tally.handlers.Add(1)
	c.mustOwnSession()
	tally.lateness.record(time.Duration(c.due.Load()), began)

	switch {
	case t.Pending(): // a read at the last moment has armed it again: not idle after all
		tally.gaveWay.Add(1)
	case !c.end(byIdle): // somebody else ended the connection first
		tally.tooLate.Add(1)
	default:
		c.sayGoodbye()
		c.net.Close()
	}
	c.mustOwnSession()
}

// sayGoodbye uses the session's memory. The client hangs up as soon as it reads
// the line, which makes for tear-downs that find the handler still at work.
func (c *conn) sayGoodbye() {
	s := &c.session
	s.goodbye = fmt.Appendf(s.goodbye[:0], "idle for %v, goodbye\n", c.srv.idle)
	c.net.SetWriteDeadline(time.Now().Add(time.Millisecond))
	c.net.Write(s.goodbye) // the peer may be gone: nothing to be done about that
}

// mustOwnSession counts a violation if the session has been taken from the
// handler, which means that a deletion returned while the handler was running
// or before it began.
func (c *conn) mustOwnSession() {
	if c.session.poisoned {
		c.srv.tally.violations.Add(1)
	}
}

// end claims the connection's end and reports whether the caller was the first.
func (c *conn) end(by cause) bool {
	return c.ended.CompareAndSwap(uint32(open), uint32(by))
}

// tearDown ends the connection and deletes its timer by del, which is one of
// the deletions that wait. When it has returned the connection is gone, also if
// another goroutine did the work. The handler itself must not come here: it
// would wait for its own end (the library would say ErrDeadlock), so it closes
// the socket and leaves the rest to serve.
func (c *conn) tearDown(by cause, del func() (timerwheel.Found, error)) {
	c.once.Do(func() {
		c.end(by)
		found, err := del()
		c.session = session{poisoned: true} // no handler runs, none will: the memory is ours
		if err == nil {
			err = c.idle.Free()
		}
		if c.idle.Valid() { // nobody owns it, and it must not be pending: the deletion let a Register through
			c.srv.tally.violations.Add(1)
		}
		c.net.Close()
		c.srv.forget(c, by, found, err)
	})
}
