package timerctx

import (
	"context"
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
)

// AfterFunc calls f once, in a goroutine of the wheel w, when d has passed, unless
// ctx ends before: then f is not called, and the timer is deleted. Nor does ctx
// keep anything of a timer that has fired or was stopped.
//
// stop deletes the timer and makes ctx forget it. It reports whether it kept f
// from being called; like [timerwheel.Timer.Stop] it does not wait for f. It may
// be called by any goroutine, f's own too, and again.
//
// t is the timer: to push it back while it is pending (Reset), to wait for f
// (DelSync, after stop), or to ask after it. Who deletes it other than by stop
// should call stop nevertheless, or ctx remembers it until it ends.
//
// If ctx has ended already, or the wheel is closed, f is not called, and t is
// not Valid. AfterFunc panics if ctx or f is nil.
func AfterFunc(ctx context.Context, w *timerwheel.Wheel, d time.Duration, f func()) (t timerwheel.Timer, stop func() bool) {
	if ctx == nil {
		panic("timerctx: nil context")
	}
	if f == nil {
		panic("timerctx: AfterFunc with a nil function")
	}
	b := &bound{ctx: ctx, f: f}
	if ctx.Err() == nil {
		b.begin(w, d)
	}
	return b.timer, b.stop
}

// A bound is a timer that goes when its context ends.
type bound struct {
	ctx context.Context
	f   func()

	mu     sync.Mutex // held while it begins
	timer  timerwheel.Timer
	forget func() bool // ends ctx's memory of it; nil if it has none
}

func (b *bound) begin(w *timerwheel.Wheel, d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.timer = w.AfterFunc(d, b.fire)
	if b.timer.Valid() && b.ctx.Done() != nil { // it cannot be over: fire needs mu
		b.forget = context.AfterFunc(b.ctx, func() { b.stop() })
	}
}

// fire is the timer's handler. ctx may have ended, and not have told yet.
func (b *bound) fire() {
	b.leave()
	if b.ctx.Err() == nil {
		b.f()
	}
}

func (b *bound) stop() bool {
	b.leave()
	return b.timer.Stop()
}

// leave makes ctx forget the timer. When it returns the timer has begun.
func (b *bound) leave() {
	b.mu.Lock()
	forget := b.forget
	b.mu.Unlock()
	if forget != nil {
		forget()
	}
}
