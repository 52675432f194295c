package timerctx_test

import (
	"context"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/timerctx"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The host of a Manual wheel is told of each timeout (Options.OnNext), by the goroutine that made
// it, while this package holds no lock: the host may end the parent, or advance the wheel until
// the timeout has come, before the function returns.
func TestTheHostIsToldUnderNoLock(t *testing.T) {
	start := time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)
	calls := 0
	for name, arm := range map[string]func(parent context.Context, w *timerwheel.Wheel) (ended func() bool){
		"WithTimeout": func(parent context.Context, w *timerwheel.Wheel) func() bool {
			ctx, cancel := timerctx.WithTimeout(parent, w, time.Second)
			return func() bool { defer cancel(); return ctx.Err() != nil && isClosed(ctx.Done()) }
		},
		"WithDeadlineCause": func(parent context.Context, w *timerwheel.Wheel) func() bool {
			ctx, cancel := timerctx.WithDeadlineCause(parent, w, start.Add(time.Second), errSlow)
			return func() bool { defer cancel(); return ctx.Err() != nil && isClosed(ctx.Done()) }
		},
		"AfterFunc": func(parent context.Context, w *timerwheel.Wheel) func() bool {
			calls = 0
			tm, stop := timerctx.AfterFunc(parent, w, time.Second, func() { calls++ })
			return func() bool { return !tm.Valid() && !stop() }
		},
	} {
		for what, host := range map[string]func(t *testing.T, w *timerwheel.Wheel, cancelParent func()){
			"Advance": func(t *testing.T, w *timerwheel.Wheel, _ func()) {
				fired, err := w.Advance(start.Add(time.Minute))
				assert.NoError(t, err)
				assert.Equal(t, 1, fired)
			},
			"end of the parent": func(t *testing.T, w *timerwheel.Wheel, cancelParent func()) { cancelParent() },
			"Close":             func(t *testing.T, w *timerwheel.Wheel, _ func()) { assert.NoError(t, w.Close()) },
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				var w *timerwheel.Wheel
				told := 0
				quiet := openWheel(t, timerwheel.Options{Manual: true, Start: start})
				parent, cancelParent := timerctx.WithTimeout(context.Background(), quiet, time.Hour)
				defer cancelParent()
				w = openWheel(t, timerwheel.Options{Manual: true, Start: start, OnNext: func(time.Time) {
					told++
					host(t, w, cancelParent)
				}})
				ended := make(chan func() bool, 1)
				go func() { ended <- arm(parent, w) }()
				select {
				case over := <-ended:
					require.Eventually(t, over, time.Minute, time.Millisecond)
				case <-time.After(time.Minute):
					t.Fatal("a lock is held: it does not return")
				}
				require.Equal(t, 1, told)
				if name == "AfterFunc" {
					require.Equal(t, what == "Advance", calls == 1)
				}
			})
		}
	}
}

// A parent keeps nothing of a timer that has fired before AfterFunc has returned.
func TestATimerThatFiresBeforeAfterFuncReturnsIsForgotten(t *testing.T) {
	var w *timerwheel.Wheel
	w = openWheel(t, timerwheel.Options{Manual: true, OnNext: func(when time.Time) { _, _ = w.Advance(when) }})
	parent := &countingParent{Context: context.Background(), done: make(chan struct{})}
	called := false
	tm, stop := timerctx.AfterFunc(parent, w, time.Second, func() { called = true })
	require.True(t, called)
	require.False(t, tm.Valid())
	require.False(t, stop())
	require.Zero(t, parent.registered)
}

// A countingParent counts what is registered with its AfterFunc.
type countingParent struct {
	context.Context
	done       chan struct{}
	registered int
}

func (p *countingParent) Done() <-chan struct{} { return p.done }

func (p *countingParent) AfterFunc(func()) (stop func() bool) {
	p.registered++
	return func() bool { p.registered--; return true }
}
