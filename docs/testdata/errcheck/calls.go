// Package calls ignores every error that a method of the library returns.
package calls

import (
	"context"
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/keyed"
)

func calls(ctx context.Context, w *timerwheel.Wheel, g *timerwheel.Group, t timerwheel.Timer, k *keyed.Timers[string]) {
	timerwheel.New(timerwheel.Options{})

	defer w.Close()
	w.CloseContext(ctx)
	w.Advance(time.Now())
	w.AdvanceThrough(time.Now())

	t.Register(time.Second)
	t.RegisterAt(time.Now())
	t.RegisterWithin(time.Second, time.Second)
	t.RegisterIdle(time.Second)
	t.Reduce(time.Second)
	t.DelSync()
	t.DelSyncContext(ctx)
	t.ShutdownSync()
	t.ShutdownSyncContext(ctx)
	t.Retain()
	t.Free()
	w.AllocLocked(new(sync.Mutex), func(t timerwheel.Timer) { t.ReleaseLock() })

	g.DelSync()
	g.DelSyncContext(ctx)
	g.ShutdownSync()
	g.ShutdownSyncContext(ctx)

	k.Set("", time.Second)
	k.DeleteSync("")
}

// None of these is reported.
func noError(w *timerwheel.Wheel, g *timerwheel.Group, t timerwheel.Timer, k *keyed.Timers[string]) {
	_ = t.Register(time.Second)
	_, _ = t.DelSync()
	t.Del()
	t.DelAsync(func() {})
	t.Shutdown()
	t.Stop()
	t.Reset(time.Second)
	t.Move(time.Second)
	t.Touch()
	g.Del()
	g.Shutdown()
	g.Free()
	k.Delete("")
	k.Move("", time.Second)
	w.AfterFunc(time.Second, func() {})
}
