// Package cancel loses the cancel functions of contexts.
package cancel

import (
	"context"
	"errors"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/timerctx"
)

func dropped(ctx context.Context, w *timerwheel.Wheel) {
	a, _ := timerctx.WithTimeout(ctx, w, time.Second)              // want `the cancel function that timerctx.WithTimeout returns is not used: the context and its timer stay until the timeout. Call it, best by defer`
	b, _ := timerctx.WithDeadline(ctx, w, time.Now())              // want `timerctx.WithDeadline returns is not used:`
	c, _ := timerctx.WithTimeoutCause(ctx, w, time.Second, nil)    // want `timerctx.WithTimeoutCause returns is not used:`
	var d, _ = timerctx.WithDeadlineCause(ctx, w, time.Now(), nil) // want `timerctx.WithDeadlineCause returns is not used:`
	use(a, b, c, d)
}

func use(...context.Context) {}

func onOnePath(ctx context.Context, w *timerwheel.Wheel, early bool) error {
	ctx, cancel := timerctx.WithTimeout(ctx, w, time.Second) // want `timerctx.WithTimeout returns is not used on every path`
	if early {
		return errors.New("early")
	}
	defer cancel()
	return ctx.Err()
}

func right(ctx context.Context, w *timerwheel.Wheel) error {
	ctx, cancel := timerctx.WithTimeout(ctx, w, time.Second)
	defer cancel()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return nil
}

func rightInAClosure(ctx context.Context, w *timerwheel.Wheel) {
	ctx, cancel := timerctx.WithTimeout(ctx, w, time.Second)
	go func() {
		defer cancel()
		<-ctx.Done()
	}()
}

type holder struct{ cancel context.CancelFunc }

func rightKept(ctx context.Context, w *timerwheel.Wheel, h *holder) context.Context {
	ctx, h.cancel = timerctx.WithTimeout(ctx, w, time.Second)
	return ctx
}

func rightReturned(ctx context.Context, w *timerwheel.Wheel) (context.Context, context.CancelFunc) {
	return timerctx.WithTimeout(ctx, w, time.Second)
}

func rightOnPurpose(ctx context.Context, w *timerwheel.Wheel) context.Context {
	ctx, cancel := timerctx.WithTimeout(ctx, w, time.Second)
	_ = cancel
	return ctx
}

func rightBeforePanic(ctx context.Context, w *timerwheel.Wheel, bad bool) {
	_, cancel := timerctx.WithTimeout(ctx, w, time.Second)
	if bad {
		panic("bad")
	}
	cancel()
}

func rightInALoop(ctx context.Context, w *timerwheel.Wheel, n int) {
	for range n {
		_, cancel := timerctx.WithTimeout(ctx, w, time.Second)
		cancel()
	}
}
