package timerctx_test

import (
	"context"
	"flag"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/timerctx"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(twice{m}) }

// debug says that the wheels of openWheel have Options.Debug.
var debug bool

// twice runs the tests two times: on wheels without Debug, and on wheels with it.
type twice struct{ m *testing.M }

func (t twice) Run() int {
	code := t.m.Run()
	if measures := flag.Lookup("test.bench").Value.String() != ""; code != 0 || measures {
		return code
	}
	debug = true
	return t.m.Run()
}

// late is an upper bound on the lateness of a timeout that nothing delays.
const late = 3 * time.Millisecond

// openWheel makes a wheel that is closed at the end of the test. It checks that the package
// misuses no timer.
func openWheel(t testing.TB, o timerwheel.Options) *timerwheel.Wheel {
	t.Helper()
	if debug {
		o.Debug, o.OnMisuse = true, func(err error) { t.Errorf("misuse: %v", err) }
	}
	w, err := timerwheel.New(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.Zero(t, w.Stats().Misuses) })
	t.Cleanup(func() { w.Close() })
	return w
}

// A maker makes contexts that time out: those of package context, or those of this package. What
// a test expects of this package's, it expects of package context's, too.
type maker struct {
	w *timerwheel.Wheel // nil means package context
}

// timeout calls WithTimeoutCause, or WithTimeout if there is no cause.
func (m maker) timeout(parent context.Context, d time.Duration, cause error) (context.Context, context.CancelFunc) {
	switch {
	case m.w == nil && cause == nil:
		return context.WithTimeout(parent, d)
	case m.w == nil:
		return context.WithTimeoutCause(parent, d, cause)
	case cause == nil:
		return timerctx.WithTimeout(parent, m.w, d)
	default:
		return timerctx.WithTimeoutCause(parent, m.w, d, cause)
	}
}

// deadline calls WithDeadlineCause, or WithDeadline if there is no cause.
func (m maker) deadline(parent context.Context, at time.Time, cause error) (context.Context, context.CancelFunc) {
	switch {
	case m.w == nil && cause == nil:
		return context.WithDeadline(parent, at)
	case m.w == nil:
		return context.WithDeadlineCause(parent, at, cause)
	case cause == nil:
		return timerctx.WithDeadline(parent, m.w, at)
	default:
		return timerctx.WithDeadlineCause(parent, m.w, at, cause)
	}
}

// withBoth runs f in a bubble with package context, and in another with this package. At the end
// it checks that no timer is left on the wheel.
func withBoth(t *testing.T, f func(t *testing.T, m maker)) {
	t.Run("context", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { f(t, maker{}) })
	})
	t.Run("timerctx", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := openWheel(t, timerwheel.Options{})
			t.Cleanup(func() {
				synctest.Wait()
				require.Zero(t, w.Stats().Live, "timers are left")
			})
			f(t, maker{w})
		})
	})
}

// requireAlive checks that none of the contexts has ended.
func requireAlive(t *testing.T, ctxs ...context.Context) {
	t.Helper()
	for _, ctx := range ctxs {
		require.NoError(t, ctx.Err(), "%v", ctx)
		require.NoError(t, context.Cause(ctx), "%v", ctx)
		require.False(t, isClosed(ctx.Done()), "%v is done", ctx)
	}
}

// requireEnded checks that all of the contexts have ended with err and cause.
func requireEnded(t *testing.T, err, cause error, ctxs ...context.Context) {
	t.Helper()
	for _, ctx := range ctxs {
		require.True(t, isClosed(ctx.Done()), "%v is not done", ctx)
		require.Equal(t, err, ctx.Err(), "%v", ctx)
		require.Equal(t, cause, context.Cause(ctx), "%v", ctx)
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// noMoreGoroutinesThan checks that the program has at most n goroutines. One that
// has just ended may still be counted for a moment; on a busy machine for many time slices.
func noMoreGoroutinesThan(t *testing.T, n int) {
	t.Helper()
	for range 5_000_000 {
		if runtime.NumGoroutine() <= n {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("%d goroutines, %d expected", runtime.NumGoroutine(), n)
}

// rounds is how often a test tries: n times, or a tenth of that with -short, and on wheels with Debug,
// on which all tests run a second time.
func rounds(n int) int {
	if testing.Short() || debug {
		return n / 10
	}
	return n
}
