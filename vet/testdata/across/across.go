// Package across uses the timers and locks of another package. // want package:"functions"
package across

import (
	"planted/across/conns"
	"time"

	"github.com/seed76848005/timerwheel"
)

func wrong(c *conns.Conn) {
	c.Mu.Lock()
	c.Idle.DelSync()   // want `DelSync of Conn.Idle waits for the handler at conns/conns.go:20, which locks Conn.Mu \(conns/conns.go:20\), while Conn.Mu is held \(across.go:12\)`
	c.Close()          // want `DelSync of Conn.Idle \(conns/conns.go:25, by Close\) waits`
	conns.Stop(c.Idle) // want `DelSync of Conn.Idle \(conns/conns.go:27, by Stop\) waits`
	c.Wheel.Close()    // want `Wheel.Close waits for the handler at conns/conns.go:20, .* It waits in the same way for the handler at conns/conns.go:21`
	c.Bound.DelSync()
	c.Mu.Unlock()
	c.Locked(func() { c.Idle.DelSync() }) // want `DelSync of Conn.Idle`
}

func right(c *conns.Conn) {
	c.Mu.Lock()
	c.Idle.Del()
	c.Mu.Unlock()
	c.Close()
	conns.Stop(c.Idle)
	c.Wheel.Close()
}

func ofPackage() {
	conns.Lock.Lock()
	conns.Finish() // want `DelSync of once \(conns/conns.go:44, by Finish\) waits for the handler at conns/conns.go:41, which locks Lock`
	conns.Lock.Unlock()
	conns.Finish()
}

// A timer of this package in a field of another package's type.
func replaces(w *timerwheel.Wheel, c *conns.Conn) {
	c.Idle = w.Alloc(func(timerwheel.Timer) {
		c.Close() // want `DelSync of Conn.Idle \(conns/conns.go:25, by Close\) in the timer's own handler`
	})
	c.Idle.Register(time.Second)
}
