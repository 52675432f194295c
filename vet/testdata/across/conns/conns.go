// Package conns is used by package across. // want package:"functions"
package conns

import (
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
)

type Conn struct {
	Mu    sync.Mutex
	Idle  timerwheel.Timer
	Bound timerwheel.Timer
	Wheel *timerwheel.Wheel
}

func New(w *timerwheel.Wheel) *Conn {
	c := &Conn{Wheel: w}
	c.Idle = w.Alloc(func(timerwheel.Timer) { c.Mu.Lock(); c.Mu.Unlock() })
	c.Bound = w.AllocLocked(&c.Mu, func(timerwheel.Timer) {})
	return c
}

func (c *Conn) Close() { c.Idle.DelSync() }

func Stop(t timerwheel.Timer) { t.DelSync() }

func (c *Conn) Locked(f func()) {
	c.Mu.Lock()
	defer c.Mu.Unlock()
	f()
}

var (
	Lock sync.Mutex
	once timerwheel.Timer
)

func Start(w *timerwheel.Wheel) {
	once = w.AfterFunc(time.Second, func() { Lock.Lock(); Lock.Unlock() })
}

func Finish() { once.DelSync() }
