package timerctx

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/internal/own"
)

// This file is the context itself.
//
// # The inner context and its parent
//
// Only package context can end its contexts with DeadlineExceeded, and no other package
// can set the cause of a context type of its own. For Cause, and the constructors of
// children, look inside the context that they are given for a cancelable context of
// package context, and take the two for one and the same only if their Done channels are.
//
// So a timeout has such a context inside: its inner context, made by context.WithCancel.
// The timeout's Done is the inner context's, and children attach to the inner context as
// they would to any other of package context. That is why they need no goroutine, and end
// in order, at once, and with the inner context's error and cause.
//
// So that the inner context can be ended with any error and any cause, its parent is of our
// making: the innerParent. It has an AfterFunc method. Where a parent has one, package
// context starts no goroutine to watch it. It registers there what it would do at the
// parent's end: to end the child with what the parent's Err and its Cause say then. That
// function is endInner. When the timeout ends, the innerParent's Err says how, and
// endInner is called. Cause asks the innerParent, by Value, for package context's own
// context inside it. The innerParent answers with one that has been cancelled for just
// that cause, and is used for nothing else (ending.causeCtx).
//
// The inner context is made when Done is first called: before that nothing can attach to
// it.
//
// # The parent
//
// The inner context is not below the timeout's parent: then it could end with the parent's
// error, or with Canceled, and with nothing else. So something must end a timeout when its
// parent ends. If the parent is a timeout, the parent does, as part of its own end.
// Otherwise context.AfterFunc does, on a goroutine that runs only then. Because that comes
// a moment late, everything that queries or ends a timeout checks the parent first
// (checkParent): a parent that ended first, ended it.
//
// # Locks
//
// A timeout ends what is below it while it holds mu, as package context does, so that
// each of two concurrent cancels returns only when everything has ended. So locks are
// locked from parents to children, and a wheel's last. No function of a user runs under
// them, with one exception: a parent of the user's own making is asked for a Value under
// its children's mu.

// A timeout is a context that ends by a wheel's timer.
type timeout struct {
	own.Firing
	parent   context.Context
	wheel    *timerwheel.Wheel
	deadline time.Time
	cause    error // of the end by the timer; nil if it has none of its own

	ended    atomic.Pointer[ending] // set once, under mu
	hasInner atomic.Bool            // inner is set; set once, under mu

	mu       sync.Mutex
	inner    context.Context // readable without mu once hasInner is true
	endInner func()          // ends inner with what the innerParent says
	timer    timerwheel.Timer
	late     *time.Timer // package time's, after the wheel was closed
	stop     func() bool // of the context.AfterFunc with the parent

	// children.go
	listedBy   *timeout // the parent, if this is in its list
	first      *timeout // of the children in the list
	prev, next *timeout // the neighbors in the parent's list; the parent's mu guards them
}

// An ending says how a context has ended.
type ending struct {
	err      error
	causeCtx context.Context // context.Cause of it is the cause
}

var (
	canceled = newEnding(context.Canceled, context.Canceled)
	exceeded = newEnding(context.DeadlineExceeded, context.DeadlineExceeded)

	closedManual = newEnding(context.Canceled, timerwheel.ErrClosed)
)

func newEnding(err, cause error) *ending {
	causeCtx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	return &ending{err, causeCtx}
}

// Beginning.

// watchParent makes c end when its parent does. No other goroutine has a reference to c
// yet.
func (c *timeout) watchParent() {
	if c.checkParent(); c.ended.Load() != nil {
		return
	}
	if p := enclosing(c.parent); p != nil {
		p.addChild(c)
		c.checkParent()
		return
	}
	if c.parent.Done() == nil {
		return
	}
	stop := context.AfterFunc(c.parent, c.checkParent)
	c.mu.Lock()
	c.stop = stop
	c.mu.Unlock()
}

// arm sets the timer. It reports false if the wheel refuses it.
func (c *timeout) arm(left time.Duration) bool {
	if left <= 0 {
		c.Fire()
		return true
	}
	defer c.Armed(c.wheel)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended.Load() != nil {
		return true
	}
	c.Owner = c
	c.timer = c.wheel.AfterFuncArg(left, own.Fire, &c.Firing)
	return c.timer != timerwheel.Timer{}
}

// HandOver makes package time end c, unless it has ended. The time of a closed Manual wheel
// stands still: there c ends at once, with ErrClosed as its cause.
func (c *timeout) HandOver(left time.Duration, hasTime bool) {
	if !hasTime {
		c.endWithoutTime()
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended.Load() == nil {
		c.late = time.AfterFunc(left, c.Fire)
	}
}

// Ending.

// checkParent ends c if its parent has ended.
func (c *timeout) checkParent() {
	if c.ended.Load() != nil {
		return
	}
	if err := c.parent.Err(); err != nil {
		c.end(newEnding(err, context.Cause(c.parent)))
	}
}

// cancel is c's CancelFunc.
func (c *timeout) cancel() {
	c.checkParent()
	c.end(canceled)
}

// endWithoutTime ends c because the Manual wheel is closed whose time would have ended it.
func (c *timeout) endWithoutTime() {
	c.checkParent()
	c.end(closedManual)
}

// Fire ends c because its time has come.
func (c *timeout) Fire() {
	c.checkParent()
	e := exceeded
	if c.cause != nil {
		e = newEnding(context.DeadlineExceeded, c.cause)
	}
	c.end(e)
}

// end ends c and everything below it, and removes c from its parent, unless c has ended
// already.
func (c *timeout) end(e *ending) {
	stop, ok := c.endTree(e)
	if !ok {
		return
	}
	if c.listedBy != nil {
		c.listedBy.removeChild(c)
	}
	if stop != nil {
		stop()
	}
}

// endTree ends c and everything below it. It does not remove c from its parent: stop is
// what end must call for that. It reports false if c had ended already.
func (c *timeout) endTree(e *ending) (stop func() bool, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended.Load() != nil {
		return nil, false
	}
	c.ended.Store(e)
	if c.endInner != nil {
		c.endInner()
	}
	c.endChildren(e)
	c.timer.Stop()
	if c.late != nil {
		c.late.Stop()
	}
	return c.stop, true
}

// The methods of context.Context.

// selfKey is the key for which Value returns the timeout itself.
type selfKey struct{}

func (c *timeout) Deadline() (time.Time, bool) { return c.deadline, true }

// Done returns a closed channel if c has ended, even while another goroutine ends c: the caller
// may have ended the parent, and the other goroutine is the one that watches it.
func (c *timeout) Done() <-chan struct{} {
	c.checkParent()
	if !c.hasInner.Load() {
		c.makeInner()
	}
	done := c.inner.Done()
	if c.ended.Load() != nil {
		<-done
	}
	return done
}

// Err returns an error only after Done has been closed, even while another goroutine ends
// c.
func (c *timeout) Err() error {
	c.checkParent()
	e := c.ended.Load()
	if e == nil {
		return nil
	}
	if c.hasInner.Load() {
		<-c.inner.Done()
	}
	return e.err
}

func (c *timeout) Value(key any) any {
	if key == (selfKey{}) {
		return c
	}
	if c.hasInner.Load() {
		return c.inner.Value(key) // itself, if package context asks for its own; otherwise it asks the innerParent
	}
	return (*innerParent)(c).Value(key)
}

// String describes c as package context describes its own contexts.
func (c *timeout) String() string {
	parent := fmt.Sprintf("%T", c.parent)
	if s, ok := c.parent.(fmt.Stringer); ok {
		parent = s.String()
	}
	return fmt.Sprintf("%s.WithDeadline(%v [%v])", parent, c.deadline, c.deadline.Sub(c.wheel.Now()))
}
