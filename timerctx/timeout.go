package timerctx

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel"
)

// This file is the context itself.
//
// # The trunk and the root
//
// Package context lets nobody else end its contexts with DeadlineExceeded, nor
// set the cause of a context of one's own: Cause, and the constructors of
// children, look for package context's own cancelable context inside of what
// they are given, and take it only for one and the same if the Done channels
// are. So a timeout has one inside: its trunk, made by context.WithCancel. Its
// Done is the timeout's, and children hang on it as they would on any other;
// that is why they need no goroutine, and end in order, at once, and with the
// trunk's error and cause.
//
// So that the trunk can be ended with any error and any cause, it has a parent of
// our making: the root. The root has an AfterFunc method, and where a parent has
// one, package context starts no goroutine to watch it, but registers there what
// it would do at the parent's end: to end the child with what the parent's Err
// and its Cause say then. That function is wake. When the timeout ends, the
// root's Err says how, and wake is called. Cause asks the root, by Value, for
// package context's own context inside; the root answers with one that has been
// cancelled for just that cause, and which nobody else knows (ending.because).
//
// The trunk is made when somebody asks for Done: before that nothing can hang
// on it.
//
// # The parent
//
// The trunk is not below the parent: then it could end with the parent's error, or
// with Canceled, and with nothing else.
// So a timeout is told of its parent's end by the parent, if that is a timeout,
// as part of it; or else by context.AfterFunc, on a goroutine that runs only
// then. Because that comes a moment late, whatever asks or ends a timeout looks
// at the parent first (look): a parent that ended first, ended it.
//
// # Locks
//
// A timeout ends what is below it while it holds mu, as package context does, so
// that each of two cancels at once returns only when all has ended. So locks are
// taken from parents to children, and a wheel's come last. No function of a user
// runs under them; a parent of the user's own making is asked under its
// children's mu for a Value.

// A timeout is a context that ends by a wheel's timer.
type timeout struct {
	parent   context.Context
	wheel    *timerwheel.Wheel
	deadline time.Time
	cause    error // of the end by the timer; nil if it has none of its own

	ended atomic.Pointer[ending] // set once, with mu
	grown atomic.Bool            // there is a trunk; set once, with mu

	mu    sync.Mutex
	trunk context.Context // who has seen grown may read it
	wake  func()          // ends the trunk as the root says
	timer timerwheel.Timer
	stop  func() bool // of the context.AfterFunc with the parent

	// children.go
	above      *timeout // the parent, if it has adopted this one
	first      *timeout // of the children that are adopted
	prev, next *timeout // the place among the parent's; its mu guards them
}

// An ending is how a context has ended.
type ending struct {
	err     error
	because context.Context // context.Cause of it is the cause
}

var (
	canceled = newEnding(context.Canceled, context.Canceled)
	exceeded = newEnding(context.DeadlineExceeded, context.DeadlineExceeded)
)

func newEnding(err, cause error) *ending {
	because, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	return &ending{err, because}
}

// Beginning.

// follow makes c end when its parent does. Nobody else knows c yet.
func (c *timeout) follow() {
	if c.look(); c.ended.Load() != nil {
		return
	}
	if p := enclosing(c.parent); p != nil {
		p.adopt(c)
		c.look()
		return
	}
	if c.parent.Done() == nil {
		return
	}
	stop := context.AfterFunc(c.parent, c.look)
	c.mu.Lock()
	c.stop = stop
	c.mu.Unlock()
}

// arm sets the timer. It reports false if the wheel refuses it.
func (c *timeout) arm(left time.Duration) bool {
	if left <= 0 {
		c.fire()
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended.Load() != nil {
		return true
	}
	c.timer = c.wheel.AfterFunc(left, c.fire)
	return c.timer.Valid() // it cannot be over: fire needs mu
}

// Ending.

// look ends c if its parent has ended.
func (c *timeout) look() {
	if c.ended.Load() != nil {
		return
	}
	if err := c.parent.Err(); err != nil {
		c.end(newEnding(err, context.Cause(c.parent)))
	}
}

// cancel is c's CancelFunc.
func (c *timeout) cancel() {
	c.look()
	c.end(canceled)
}

// fire is the timer's handler.
func (c *timeout) fire() {
	c.look()
	e := exceeded
	if c.cause != nil {
		e = newEnding(context.DeadlineExceeded, c.cause)
	}
	c.end(e)
}

// end ends c, if nothing has, and what is below it, and leaves the parent.
func (c *timeout) end(e *ending) {
	stop, ok := c.finish(e)
	if !ok {
		return
	}
	if c.above != nil {
		c.above.disown(c)
	}
	if stop != nil {
		stop()
	}
}

// finish is end, without leaving the parent. It reports false if c had ended.
func (c *timeout) finish(e *ending) (stop func() bool, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended.Load() != nil {
		return nil, false
	}
	c.ended.Store(e)
	if c.wake != nil {
		c.wake()
	}
	c.finishChildren(e)
	c.timer.Stop()
	return c.stop, true
}

// What the world sees.

// self is the key under which a timeout finds itself.
type self struct{}

func (c *timeout) Deadline() (time.Time, bool) { return c.deadline, true }

func (c *timeout) Done() <-chan struct{} {
	c.look()
	if !c.grown.Load() {
		c.grow()
	}
	return c.trunk.Done()
}

// Err returns an error only after Done has been closed, whoever ends c just now.
func (c *timeout) Err() error {
	c.look()
	e := c.ended.Load()
	if e == nil {
		return nil
	}
	if c.grown.Load() {
		<-c.trunk.Done()
	}
	return e.err
}

func (c *timeout) Value(key any) any {
	if key == (self{}) {
		return c
	}
	if c.grown.Load() {
		return c.trunk.Value(key) // itself, if package context asks for its own; else it asks the root
	}
	return (*root)(c).Value(key)
}

// String describes c as package context describes its own.
func (c *timeout) String() string {
	parent := fmt.Sprintf("%T", c.parent)
	if s, ok := c.parent.(fmt.Stringer); ok {
		parent = s.String()
	}
	return fmt.Sprintf("%s.WithDeadline(%v [%v])", parent, c.deadline, c.deadline.Sub(c.wheel.Now()))
}
