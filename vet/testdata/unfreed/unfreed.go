// Package unfreed shuts timers down that it keeps in fields. // want package:"handlers"
package unfreed

import "github.com/seed76848005/timerwheel"

type conn struct {
	idle, probe, lent timerwheel.Timer
	Open              timerwheel.Timer
}

func newConn(w *timerwheel.Wheel) *conn {
	c := &conn{}
	c.idle = w.Alloc(func(timerwheel.Timer) {})
	c.probe = w.Alloc(func(timerwheel.Timer) {})
	c.lent = w.Alloc(func(timerwheel.Timer) {})
	c.Open = w.Alloc(func(timerwheel.Timer) {})
	return c
}

func (c *conn) close() {
	c.idle.ShutdownSync() // want `conn.idle is shut down and never freed`
	c.probe.ShutdownSync()
	c.lent.ShutdownSync()
	c.Open.ShutdownSync()
	release(c.lent)
}

func release(t timerwheel.Timer) { t.Free() }

func (c *conn) free() { c.probe.Free() }
