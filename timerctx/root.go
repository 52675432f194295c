package timerctx

import (
	"context"
	"time"
)

// A root is a timeout as its trunk sees it: the trunk's parent. timeout.go says
// what both are for.
type root timeout

var open, closed = make(chan struct{}), make(chan struct{})

func init() { close(closed) }

// grow makes the trunk.
func (c *timeout) grow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.grown.Load() {
		return
	}
	trunk, cancel := context.WithCancel((*root)(c))
	_ = cancel // wake ends the trunk: cancel could say nothing but Canceled
	c.trunk = trunk
	c.grown.Store(true)
}

// AfterFunc is called by grow, unless the timeout has ended: that is what f is
// for. It is not stopped: the trunk ends by it alone.
func (r *root) AfterFunc(f func()) (stop func() bool) {
	r.wake = f
	return func() bool { return false }
}

// Done only says whether the timeout has ended: nobody waits for it, as there is
// AfterFunc.
func (r *root) Done() <-chan struct{} {
	if r.ended.Load() == nil {
		return open
	}
	return closed
}

func (r *root) Err() error {
	if e := r.ended.Load(); e != nil {
		return e.err
	}
	return nil
}

// Value gives package context the cause, once there is one; it knows the key,
// nobody else does.
func (r *root) Value(key any) any {
	if e := r.ended.Load(); e != nil {
		if own := e.because.Value(key); own != nil {
			return own
		}
	}
	return r.parent.Value(key)
}

func (r *root) Deadline() (time.Time, bool) { return r.deadline, true }
