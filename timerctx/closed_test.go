package timerctx_test

import (
	"context"
	"runtime"
	"sync"
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

// Promise 9.16: the timeouts that are pending when the wheel is closed go on with package time: the
// contexts end at their time, or before, in the other ways.
func TestCloseWhileTimeoutsPend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := maker{openWheel(t, timerwheel.Options{})}
		parent, endParent := context.WithCancelCause(context.Background())
		first, cancelFirst := m.timeout(parent, time.Minute, nil)
		second, cancelSecond := m.timeout(parent, time.Minute, nil)
		third, cancelThird := m.timeout(context.Background(), time.Minute, errSlow)
		defer cancelSecond()
		defer cancelThird()
		require.NoError(t, m.w.Close())
		require.Zero(t, m.w.Stats().Live)
		time.Sleep(time.Minute - 1)
		requireAlive(t, first, second, third)
		cancelFirst()
		requireEnded(t, context.Canceled, context.Canceled, first)
		endParent(errGone)
		requireEnded(t, context.Canceled, errGone, second)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		requireEnded(t, context.DeadlineExceeded, errSlow, third)
	})
}

// Promise 9.16: on a closed Manual wheel contexts are Canceled with the cause ErrClosed.
func TestOnAClosedManualWheel(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Manual: true})
	m := maker{w}
	before, cancel := m.timeout(context.Background(), time.Minute, errSlow)
	defer cancel()
	require.NoError(t, w.Close())
	after, cancel := m.timeout(context.Background(), time.Minute, errSlow)
	defer cancel()
	requireEnded(t, context.Canceled, timerwheel.ErrClosed, before, after)
}

// What ended first counts on a Manual wheel, too: a parent of package context that ends before
// the wheel is closed ends its child, though that is not yet told.
func TestAParentsEndBeforeAManualWheelIsClosedCounts(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // the goroutine that would tell it does not run yet
	for range 10 {
		m := maker{openWheel(t, timerwheel.Options{Manual: true})}
		parent, endParent := context.WithCancelCause(context.Background())
		ctx, cancel := m.timeout(parent, time.Minute, errSlow)
		defer cancel()
		child, cancelChild := context.WithCancel(ctx)
		defer cancelChild()
		endParent(errGone)
		require.NoError(t, m.w.Close())
		requireEnded(t, context.Canceled, errGone, ctx, child)
	}
}

// The contexts below one that ends because its Manual wheel is closed end with it, whichever
// wheel they are of.
func TestAManualWheelsCloseEndsWhatIsBelow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, other := maker{openWheel(t, timerwheel.Options{Manual: true})}, maker{openWheel(t, timerwheel.Options{})}
		parent, cancel := m.timeout(context.Background(), time.Minute, errSlow)
		defer cancel()
		below := deriveAll(m, parent, errSlow)
		defer below.cancel()
		elsewhere, cancelElsewhere := other.timeout(parent, time.Second, errSlow)
		defer cancelElsewhere()
		require.NoError(t, m.w.Close())
		synctest.Wait()
		requireEnded(t, context.Canceled, timerwheel.ErrClosed, append(below.all, elsewhere)...)
		require.Equal(t, 1, below.calls)
		require.Zero(t, other.w.Stats().Pending)
	})
}

// Promises 9.2 and 9.10: timerctx.AfterFunc is dropped by Close, and not Valid on a closed wheel.
func TestCloseDropsAnAfterFunc(t *testing.T) {
	for _, manual := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := openWheel(t, timerwheel.Options{Manual: manual})
			f := func() { t.Error("called") }
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			before, stopBefore := timerctx.AfterFunc(ctx, w, time.Minute, f)
			require.True(t, before.Valid())
			require.NoError(t, w.Close())
			after, stopAfter := timerctx.AfterFunc(ctx, w, time.Minute, f)
			for _, tm := range []timerwheel.Timer{before, after} {
				require.False(t, tm.Valid())
			}
			time.Sleep(time.Hour)
			require.False(t, stopBefore(), "nothing is prevented: it was dropped")
			require.False(t, stopAfter())
		})
	}
}

// Promise 11.18: handlers may wait for contexts of their own wheel, as many as there are workers;
// and Close ends with them.
func TestHandlersMayWaitForContextsOfTheirWheel(t *testing.T) {
	for _, workers := range []int{1, 256} {
		synctest.Test(t, func(t *testing.T) {
			w := openWheel(t, timerwheel.Options{MaxWorkers: workers})
			var waiting sync.WaitGroup
			for range workers {
				waiting.Add(1)
				w.AfterFunc(time.Second, func() {
					defer waiting.Done()
					ctx, cancel := timerctx.WithTimeout(context.Background(), w, 50*time.Millisecond)
					defer cancel()
					<-ctx.Done()
				})
			}
			began := time.Now()
			waiting.Wait()
			require.LessOrEqual(t, time.Since(began), 1055*time.Millisecond)

			w.AfterFunc(0, func() {
				ctx, cancel := timerctx.WithTimeout(context.Background(), w, time.Minute)
				defer cancel()
				<-ctx.Done()
			})
			synctest.Wait()
			require.NoError(t, w.Close())
		})
	}
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
