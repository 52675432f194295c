package timerctx

import (
	"context"
	"time"
)

// An innerParent is a timeout as its inner context sees it: as the parent of the inner
// context. timeout.go says what both are for.
type innerParent timeout

var open, closed = make(chan struct{}), make(chan struct{})

func init() { close(closed) }

// makeInner makes the inner context, unless there is one.
func (c *timeout) makeInner() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hasInner.Load() {
		return
	}
	inner, cancel := context.WithCancel((*innerParent)(c))
	_ = cancel // endInner ends the inner context: cancel could only end it with Canceled
	c.inner = inner
	c.hasInner.Store(true)
}

// AfterFunc keeps f, which ends the inner context, as endInner. Package context calls
// AfterFunc in makeInner, unless the timeout has ended. The returned stop does nothing: the
// inner context ends only by f.
func (p *innerParent) AfterFunc(f func()) (stop func() bool) {
	p.endInner = f
	return func() bool { return false }
}

// Done returns a channel that only shows whether the timeout has ended. Nothing waits for
// it, because there is AfterFunc.
func (p *innerParent) Done() <-chan struct{} {
	if p.ended.Load() == nil {
		return open
	}
	return closed
}

func (p *innerParent) Err() error {
	if e := p.ended.Load(); e != nil {
		return e.err
	}
	return nil
}

// Value gives package context the cause, once there is one. Package context asks for it by
// a key that no other package has.
func (p *innerParent) Value(key any) any {
	if e := p.ended.Load(); e != nil {
		if own := e.causeCtx.Value(key); own != nil {
			return own
		}
	}
	return p.parent.Value(key)
}

func (p *innerParent) Deadline() (time.Time, bool) { return p.deadline, true }
