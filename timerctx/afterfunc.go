package timerctx

import (
	"context"
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
)

// AfterFunc calls f once, in a goroutine of the wheel w, when d has passed, unless
// ctx ends before that: then f is not called, and the timer is deleted. When the
// timer has fired or was stopped, ctx keeps no reference to it.
//
// stop deletes the timer and removes it from ctx. It reports whether it prevented
// the call of f; like [timerwheel.Timer.Stop] it does not wait for f. It may be
// called by any goroutine, also in f, and more than once.
//
// t is the timer. Use it to postpone the call while it is pending (Reset), to wait
// for f (DelSync, after stop), or to ask about the timer. Code that deletes the
// timer by a method of t should call stop as well: otherwise ctx keeps a reference
// to it until ctx ends.
//
// f needs one of the wheel's workers. Closing the wheel drops the timer, as it does
// those of [timerwheel.Wheel.AfterFunc]: f is not called any more, and ctx keeps a
// reference until it ends or stop is called. If ctx has ended already, or the wheel
// is closed, f is not called, and t is not Valid. AfterFunc panics if ctx or f is nil.
func AfterFunc(ctx context.Context, w *timerwheel.Wheel, d time.Duration, f func()) (t timerwheel.Timer, stop func() bool) {
	if ctx == nil {
		panic("timerctx: nil context")
	}
	if f == nil {
		panic("timerctx: AfterFunc with a nil function")
	}
	b := &boundTimer{ctx: ctx, f: f}
	if ctx.Err() == nil {
		b.start(w, d)
	}
	return b.timer, b.stop
}

// A boundTimer is a timer that is deleted when its context ends.
type boundTimer struct {
	ctx context.Context
	f   func()

	mu     sync.Mutex
	timer  timerwheel.Timer
	begun  bool        // fire has, perhaps before timer was set
	detach func() bool // removes it from ctx; nil if it is not registered there
}

// start does not hold mu while it arms the timer: on a Manual wheel that may call
// Options.OnNext, which may Advance and so call fire.
func (b *boundTimer) start(w *timerwheel.Wheel, d time.Duration) {
	timer := w.AfterFunc(d, b.fire)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.timer = timer
	if !b.begun && timer.Valid() && b.ctx.Done() != nil {
		b.detach = context.AfterFunc(b.ctx, func() { b.stop() })
	}
}

// fire is the timer's handler. ctx may have ended without having called stop yet.
func (b *boundTimer) fire() {
	b.mu.Lock()
	b.begun = true
	b.mu.Unlock()
	b.leaveContext()
	if b.ctx.Err() == nil {
		b.f()
	}
}

func (b *boundTimer) stop() bool {
	b.leaveContext()
	return b.timer.Stop()
}

// leaveContext removes the timer from ctx.
func (b *boundTimer) leaveContext() {
	b.mu.Lock()
	detach := b.detach
	b.mu.Unlock()
	if detach != nil {
		detach()
	}
}
