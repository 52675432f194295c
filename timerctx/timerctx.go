// Package timerctx makes contexts that time out on a wheel.
//
// [WithTimeout], [WithDeadline], [WithTimeoutCause] and [WithDeadlineCause] are
// those of package context, with the wheel that keeps the time as one more
// argument:
//
//	ctx, cancel := timerctx.WithTimeout(r.Context(), w, 5*time.Second)
//	defer cancel()
//
// What they return is a context like package context's own: Err and
// [context.Cause], Deadline, Value and String say what they say there, and
// contexts that package context derives from it, at whatever distance, end when
// it ends, with its error and its cause. No goroutine stands behind it, nor
// behind those: only below a parent that is neither package context's, nor of
// this package, nor has an AfterFunc method, is there one, as with package
// context. Cancelling frees the wheel's timer and the parent's memory of the
// context at once.
//
// [AfterFunc] is the other way round: a timer that goes when its context ends.
//
// # What differs
//
//   - The time is the wheel's: a timeout is never early, but up to two ticks
//     late. On a Manual wheel it comes with [timerwheel.Wheel.Advance], and
//     Deadline is a time of that wheel's, which may have nothing to do with
//     time.Now.
//   - When a parent is cancelled that is not of this package, the Err, Done and
//     Cause of its child of this package tell so at once; a Done channel that
//     was got from the child before, and what package context has derived from
//     the child, follow on a goroutine, a moment later. Below a parent of this
//     package, and when a timeout comes, or the child's own cancel is called,
//     nothing is later: when cancel has returned, everything below has ended.
//   - Closing the wheel drops the timeouts that pend on it: their contexts still
//     end with their parents, and by cancel, but not by themselves. Close a wheel
//     after the work that it times. On a wheel that is closed already, the
//     functions return what package context's return: the end of a program is
//     where timeouts are needed most.
//
// # Cost
//
// To make and cancel one below context.Background or a context of this package
// takes 3 allocations, where package context's takes 4; if somebody asks for its
// Done, 8 instead of 5. Below a context of package context's that can be
// cancelled it takes 3 more: a request's, below r.Context() and with its Done
// asked for, 11 instead of 5. So it pays where many time out, or many are pending,
// or one is made in another; with few of them package context is the better
// choice. To see both on your machine:
//
//	go test -run '^$' -bench Make -benchmem github.com/seed76848005/timerwheel/timerctx
package timerctx

import (
	"context"
	"time"

	"github.com/seed76848005/timerwheel"
)

// WithTimeout returns a child of parent that ends with
// [context.DeadlineExceeded] when d has passed on the wheel w; before that, when
// parent ends, or when cancel is called. Call cancel as soon as the work is
// done: it deletes the timer, and parent forgets the child.
//
// cancel may be called by any goroutine, in handlers of the wheel too, and
// again. WithTimeout panics if parent is nil.
func WithTimeout(parent context.Context, w *timerwheel.Wheel, d time.Duration) (ctx context.Context, cancel context.CancelFunc) {
	return WithTimeoutCause(parent, w, d, nil)
}

// WithTimeoutCause is [WithTimeout], with what [context.Cause] returns when the
// timeout has come; nil means context.DeadlineExceeded. It is not the cause when
// cancel is called: that is context.Canceled.
func WithTimeoutCause(parent context.Context, w *timerwheel.Wheel, d time.Duration, cause error) (ctx context.Context, cancel context.CancelFunc) {
	return with(parent, w, w.Now().Add(d), d, cause)
}

// WithDeadline is [WithTimeout] with the time at which the context ends. If
// parent has an earlier deadline, this is context.WithCancel(parent). If the
// deadline has passed, the context has ended when WithDeadline returns.
//
// A deadline without a monotonic reading is compared with the wall clock as it
// was when the wheel was made.
func WithDeadline(parent context.Context, w *timerwheel.Wheel, deadline time.Time) (ctx context.Context, cancel context.CancelFunc) {
	return WithDeadlineCause(parent, w, deadline, nil)
}

// WithDeadlineCause is to [WithDeadline] what [WithTimeoutCause] is to
// [WithTimeout].
func WithDeadlineCause(parent context.Context, w *timerwheel.Wheel, deadline time.Time, cause error) (ctx context.Context, cancel context.CancelFunc) {
	return with(parent, w, deadline, deadline.Sub(w.Now()), cause)
}

// with is all of them; left is how far away the deadline is.
func with(parent context.Context, w *timerwheel.Wheel, deadline time.Time, left time.Duration, cause error) (context.Context, context.CancelFunc) {
	if parent == nil {
		panic("timerctx: nil parent")
	}
	if earlier, ok := parent.Deadline(); ok && earlier.Before(deadline) {
		return context.WithCancel(parent)
	}
	c := &timeout{parent: parent, wheel: w, deadline: deadline, cause: cause}
	c.follow()
	if !c.arm(left) {
		c.cancel()
		return context.WithDeadlineCause(parent, deadline, cause)
	}
	return c, c.cancel
}
