// Package self has handlers that wait for themselves. // want package:"functions"
package self

import (
	"context"
	"errors"
	"log"
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
)

type conn struct {
	wheel *timerwheel.Wheel
	group *timerwheel.Group
	idle  timerwheel.Timer
	other timerwheel.Timer
	peers []*conn
}

func (c *conn) param() {
	c.idle = c.wheel.Alloc(func(t timerwheel.Timer) {
		t.DelSync()      // want `DelSync of t in the timer's own handler cannot wait for that handler: it returns ErrDeadlock. Use Del, which does not wait`
		t.ShutdownSync() // want `ShutdownSync of t in the timer's own handler cannot wait for that handler: it returns ErrDeadlock. Use Shutdown, which does not wait`
		t.Del()
		t.Stop()
		t.Shutdown()
		t.DelAsync(func() {})
		go t.DelSync()
	})
}

func (c *conn) field() {
	c.idle = c.wheel.Alloc(func(timerwheel.Timer) {
		c.idle.DelSync() // want `DelSync of conn.idle in the timer's own handler`
		c.other.DelSync()
		for _, p := range c.peers {
			p.idle.DelSync()
		}
	})
}

func (c *conn) method() {
	c.idle = c.wheel.Alloc(c.expire)
}

func (c *conn) expire(t timerwheel.Timer) {
	c.stop()                                    // want `DelSync of conn.idle \(self.go:\d+, by stop\) in the timer's own handler`
	stopIt(t)                                   // want `DelSync of t \(self.go:\d+, by stopIt\) in the timer's own handler`
	c.idle.DelSyncContext(context.Background()) // want `DelSyncContext of conn.idle in the timer's own handler`
	ctx, cancel := context.WithTimeout(nil, 1)  // DelSyncContext does not wait for the context either
	defer cancel()
	c.idle.DelSyncContext(ctx)      // want `DelSyncContext of conn.idle in the timer's own handler`
	c.idle.ShutdownSyncContext(ctx) // want `ShutdownSyncContext of conn.idle in the timer's own handler .* Use Shutdown`
}

func (c *conn) stop()           { c.idle.DelSync() }
func stopIt(t timerwheel.Timer) { t.DelSync() }

func (c *conn) groups() {
	c.group.AfterFunc(time.Second, func() {
		c.group.DelSync() // want `Group.DelSync in the handler of a member cannot wait for that handler: it returns ErrDeadlock. Check for ErrDeadlock, or delete the group outside its handlers`
	})
	c.wheel.AfterFunc(time.Second, func() { c.group.DelSync() })
	c.group.AfterFunc(time.Second, func() { c.peers[0].group.DelSync() })
	c.group.AfterFunc(time.Second, func() {
		c.group.ShutdownSync() // want `Group.ShutdownSync in the handler of a member cannot wait for that handler`
	})
	c.group.AfterFunc(time.Second, func() {
		c.group.ShutdownSyncContext(context.TODO()) // want `Group.ShutdownSyncContext in the handler of a member`
	})
	c.group.AfterFunc(time.Second, func() { c.group.Del() })
	c.group.AfterFunc(time.Second, func() { c.group.Shutdown() })
}

func (c *conn) wheels() {
	c.wheel.AfterFunc(time.Second, func() {
		c.wheel.Close() // want `Wheel.Close in a handler of the wheel cannot wait for that handler: it returns ErrDeadlock. Check for ErrDeadlock, or call it outside the wheel's handlers`
	})
	c.wheel.AfterFunc(time.Second, func() {
		c.wheel.CloseContext(context.TODO()) // want `Wheel.CloseContext in a handler of the wheel`
	})
	c.wheel.AfterFunc(time.Second, func() {
		go c.wheel.Close()
	})
	other, _ := timerwheel.New(timerwheel.Options{})
	c.wheel.AfterFunc(time.Second, func() { other.Close() })
}

func local(w *timerwheel.Wheel) {
	var t timerwheel.Timer
	t = w.AfterFunc(time.Second, func() {
		t.DelSync() // want `DelSync in the timer's own handler`
	})
	w.AfterFunc(time.Second, func() { t.DelSync() })
}

type request struct{ timer timerwheel.Timer }

func (r *request) start(w *timerwheel.Wheel) {
	r.timer = w.AfterFuncArg(time.Second, func(arg any) {
		arg.(*request).timer.DelSync() // want `DelSync of request.timer in the timer's own handler`
	}, r)
}

func (r *request) alloc(w *timerwheel.Wheel) {
	r.timer = w.AllocArg(func(t timerwheel.Timer, arg any) {
		t.DelSync()                    // want `DelSync of t in the timer's own handler`
		arg.(*request).timer.DelSync() // want `DelSync of request.timer in the timer's own handler`
	}, r)
}

// The code expects the error.
func (c *conn) expected() {
	c.idle = c.wheel.Alloc(func(t timerwheel.Timer) {
		if _, err := t.DelSync(); errors.Is(err, timerwheel.ErrDeadlock) {
			return
		}
		_, err := t.DelSync()
		if err != timerwheel.ErrDeadlock {
			log.Print(err)
		}
	})
	c.idle = c.wheel.Alloc(func(t timerwheel.Timer) {
		if err := c.tearDown(); !errors.Is(err, timerwheel.ErrDeadlock) {
			log.Print(err)
		}
	})
	c.wheel.AfterFunc(time.Second, func() {
		err := c.wheel.Close()
		switch err {
		case timerwheel.ErrDeadlock:
		}
	})
}

// The code looks at the error, but only the second handler looks for ErrDeadlock.
func (c *conn) failure() {
	c.idle = c.wheel.Alloc(func(t timerwheel.Timer) {
		_, err := t.ShutdownSync() // want `ShutdownSync of t in the timer's own handler`
		if err != nil {
			log.Print(err)
		}
	})
	c.idle = c.wheel.Alloc(func(t timerwheel.Timer) {
		if _, err := t.ShutdownSync(); errors.Is(err, timerwheel.ErrDeadlock) {
			return
		}
	})
}

func (c *conn) advances() {
	c.wheel.AfterFunc(time.Second, func() {
		c.wheel.Advance(time.Now()) // want `Wheel.Advance in a handler of the wheel cannot wait for that handler`
	})
}

// A Close in a handler does not wait, so it waits for no lock either: only the
// Close in the handler is reported.
type closer struct {
	mu    sync.Mutex
	wheel *timerwheel.Wheel
}

func (c *closer) start() {
	c.wheel.AfterFunc(time.Second, func() { c.mu.Lock(); c.mu.Unlock() })
	c.wheel.AfterFunc(time.Second, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.wheel.Close() // want `^Wheel.Close in a handler of the wheel`
	})
}

// The handler waits for itself, not for a lock.
func (c *conn) underLock() {
	var mu sync.Mutex
	c.idle = c.wheel.Alloc(func(t timerwheel.Timer) {
		mu.Lock()
		defer mu.Unlock()
		c.idle.DelSync() // want `^DelSync of conn.idle in the timer's own handler`
	})
}

// Two elements of a slice are two groups.
type rings struct{ groups []*timerwheel.Group }

func (r *rings) start() {
	for k := range r.groups {
		r.groups[k].AfterFunc(0, func() { r.groups[k+1].DelSync() })
	}
}

func (c *conn) tearDown() error {
	_, err := c.idle.DelSync()
	return err
}
