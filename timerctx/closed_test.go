package timerctx_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/timerctx"
	"github.com/stretchr/testify/require"
)

// On a closed wheel the functions return a context of package context, which times out.
func TestOnAClosedWheel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := maker{openWheel(t, timerwheel.Options{})}
		require.NoError(t, m.w.Close())
		parent, endParent := context.WithCancelCause(context.Background())
		at := time.Now().Add(time.Minute)

		ctx, cancel := m.deadline(parent, at, errSlow)
		defer cancel()
		got, ok := ctx.Deadline()
		require.True(t, ok)
		require.True(t, got.Equal(at))
		requireAlive(t, ctx)
		time.Sleep(time.Minute)
		synctest.Wait()
		requireEnded(t, context.DeadlineExceeded, errSlow, ctx)

		ctx, cancel = m.timeout(parent, time.Minute, errSlow)
		cancel()
		requireEnded(t, context.Canceled, context.Canceled, ctx)

		ctx, cancel = m.timeout(parent, time.Minute, errSlow)
		defer cancel()
		endParent(errGone)
		requireEnded(t, context.Canceled, errGone, ctx)

		ctx, cancel = m.timeout(parent, time.Minute, errSlow)
		defer cancel()
		requireEnded(t, context.Canceled, errGone, ctx)
	})
}

// When a closed wheel refuses the timer, what was already set up for it is undone: nothing is
// left in the parent.
func TestAClosedWheelLeavesNothing(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	parent, cancelParent := timerctx.WithTimeout(context.Background(), w, 24*time.Hour)
	defer cancelParent()
	require.NoError(t, w.Close())
	leavesNothing(t, few, w, func() {
		_, cancel := timerctx.WithTimeout(parent, w, time.Hour)
		cancel()
		_, stop := timerctx.AfterFunc(parent, w, time.Hour, func() {})
		_ = stop
	})
}

// Close drops the pending timeouts: their contexts stay alive, and end in the other ways.
func TestCloseWhileTimeoutsPend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := maker{openWheel(t, timerwheel.Options{})}
		parent, endParent := context.WithCancelCause(context.Background())
		first, cancelFirst := m.timeout(parent, time.Minute, nil)
		second, cancelSecond := m.timeout(parent, time.Minute, nil)
		defer cancelSecond()
		require.NoError(t, m.w.Close())
		time.Sleep(time.Hour)
		requireAlive(t, first, second)
		cancelFirst()
		requireEnded(t, context.Canceled, context.Canceled, first)
		endParent(errGone)
		requireEnded(t, context.Canceled, errGone, second)
		require.Zero(t, m.w.Stats().Live)
	})
}

// On a Manual wheel the time is the wheel's.
func TestOnAManualWheel(t *testing.T) {
	start := time.Date(2000, 5, 21, 0, 0, 0, 0, time.UTC)
	w := openWheel(t, timerwheel.Options{Manual: true, Start: start})
	m := maker{w}
	ctx, cancel := m.timeout(context.Background(), time.Hour, nil)
	defer cancel()
	at, ok := ctx.Deadline()
	require.True(t, ok)
	require.Equal(t, start.Add(time.Hour), at)
	child, cancelChild := m.deadline(ctx, start.Add(time.Minute), errSlow)
	defer cancelChild()
	require.Contains(t, child.(interface{ String() string }).String(), " [1m0s])")

	fired, err := w.Advance(start.Add(time.Minute))
	require.NoError(t, err)
	require.Equal(t, 1, fired)
	requireEnded(t, context.DeadlineExceeded, errSlow, child)
	requireAlive(t, ctx)
	fired, err = w.Advance(start.Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, 1, fired)
	requireEnded(t, context.DeadlineExceeded, context.DeadlineExceeded, ctx)

	ctx, cancel = m.deadline(context.Background(), start.Add(time.Minute), nil)
	defer cancel()
	requireEnded(t, context.DeadlineExceeded, context.DeadlineExceeded, ctx)
}
