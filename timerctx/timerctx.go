// Package timerctx makes contexts that time out on a wheel.
//
// [WithTimeout], [WithDeadline], [WithTimeoutCause] and [WithDeadlineCause] are
// the functions of package context with one more argument, the wheel that keeps
// the time:
//
//	ctx, cancel := timerctx.WithTimeout(r.Context(), w, 5*time.Second)
//	defer cancel()
//
// They return a context like package context's own: Err, [context.Cause],
// Deadline, Value and String return what they return there. Contexts that package
// context derives from it, at any depth, end when it ends, with its error and its
// cause. Neither it nor the contexts derived from it need a goroutine, with one
// exception, as with package context: a child of a parent that is neither of
// package context nor of this package, and has no AfterFunc method, needs one.
// Cancelling deletes the wheel's timer and removes the context from its parent, at
// once.
//
// [AfterFunc] does the reverse: it makes a timer that is deleted when its context
// ends.
//
// # What differs
//
//   - The time is the wheel's: a timeout is never early, but up to two ticks
//     late. On a Manual wheel it comes with [timerwheel.Wheel.Advance], and
//     Deadline is in that wheel's time, which may have nothing to do with
//     time.Now.
//   - When a parent that is not of this package is cancelled, the Err, Done and
//     Cause of its child of this package say so at once. Two things follow a moment
//     later, on a goroutine: a Done channel that was obtained from the child before,
//     and the contexts that package context has derived from the child. There is no
//     such delay below a parent of this package, when a timeout comes, or when the
//     child's own cancel is called: when cancel has returned, everything below has
//     ended.
//   - A timeout needs none of the wheel's workers: it comes in time though all
//     workers wait for it.
//   - Closing the wheel ends nothing: pending timeouts go on with package time, at
//     their time. On a wheel that is closed already, the functions return what package
//     context's return, because timeouts are needed most at the end of a program. The
//     time of a closed Manual wheel stands still: there contexts end at once, Canceled,
//     with the cause [timerwheel.ErrClosed].
//
// # Cost
//
// To make and cancel a context below context.Background or below a context of this
// package takes 2 allocations, where package context takes 4. If Done is called, it
// takes 7 instead of 5. Below a context of package context that can be cancelled it
// takes 3 more: a request's timeout, below r.Context() and with Done called, takes
// 10 instead of 5. So this package pays where many contexts time out, many are
// pending, or one is made in another. With few of them package context is the
// better choice. To see both on your machine:
//
//	go test -run '^$' -bench Make -benchmem github.com/seed76848005/timerwheel/timerctx
package timerctx

import (
	"context"
	"time"

	"github.com/seed76848005/timerwheel"
)

// WithTimeout returns a child of parent that ends with
// [context.DeadlineExceeded] when d has passed on the wheel w. It ends earlier if
// parent ends or cancel is called. Call cancel as soon as the work is done: it
// deletes the timer and removes the child from parent.
//
// cancel may be called by any goroutine, also in handlers of the wheel, and more
// than once. WithTimeout panics if parent is nil.
func WithTimeout(parent context.Context, w *timerwheel.Wheel, d time.Duration) (ctx context.Context, cancel context.CancelFunc) {
	return WithTimeoutCause(parent, w, d, nil)
}

// WithTimeoutCause is [WithTimeout] with a cause: [context.Cause] returns cause if
// the context ends by its timeout. If cause is nil, it returns
// context.DeadlineExceeded. If cancel is called first, context.Cause returns
// context.Canceled.
func WithTimeoutCause(parent context.Context, w *timerwheel.Wheel, d time.Duration, cause error) (ctx context.Context, cancel context.CancelFunc) {
	return withDeadline(parent, w, w.Now().Add(d), d, cause)
}

// WithDeadline is [WithTimeout] for a given time: the context ends at deadline. If
// parent has an earlier deadline, WithDeadline is context.WithCancel(parent). If
// the deadline has passed, the context has ended when WithDeadline returns.
//
// A deadline without a monotonic reading is compared with the wall clock as it is
// at the call, and one with such a reading goes by that, as with package context.
// The wall clock may be set later: that neither moves the end nor changes what
// Deadline returns, which is the deadline that was given. A Manual wheel reads no
// clock: there the deadline is compared with its Now.
func WithDeadline(parent context.Context, w *timerwheel.Wheel, deadline time.Time) (ctx context.Context, cancel context.CancelFunc) {
	return WithDeadlineCause(parent, w, deadline, nil)
}

// WithDeadlineCause is [WithDeadline] with a cause, which [context.Cause] returns as
// with [WithTimeoutCause].
func WithDeadlineCause(parent context.Context, w *timerwheel.Wheel, deadline time.Time, cause error) (ctx context.Context, cancel context.CancelFunc) {
	return withDeadline(parent, w, deadline, deadline.Sub(w.Now()), cause)
}

// withDeadline makes the context for all of these functions. left is the time until
// the deadline.
func withDeadline(parent context.Context, w *timerwheel.Wheel, deadline time.Time, left time.Duration, cause error) (context.Context, context.CancelFunc) {
	if parent == nil {
		panic("timerctx: nil parent")
	}
	if earlier, ok := parent.Deadline(); ok && earlier.Before(deadline) {
		return context.WithCancel(parent)
	}
	c := &timeout{parent: parent, wheel: w, deadline: deadline, cause: cause}
	c.watchParent()
	armed := false
	defer func() { // also if arm panics, in a bubble that w was not made in: c must not stay in parent
		if !armed {
			c.cancel()
		}
	}()
	if armed = c.arm(left); armed {
		return c, c.cancel
	}
	if w.Inspect().Options.Manual { // closed: its time stands still
		c.endWithoutTime()
		return c, c.cancel
	}
	return context.WithDeadlineCause(parent, deadline, cause)
}
