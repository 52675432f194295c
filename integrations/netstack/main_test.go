package netstack_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// TestMain fails the package if a test leaves a goroutine behind. It ignores none:
// netstack's goroutines, the processors of TCP, end with Stack.Destroy, and a wheel has no
// goroutine when nothing is due.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// openWheel makes a wheel and closes it at the end of the test.
func openWheel(t testing.TB, o timerwheel.Options) *timerwheel.Wheel {
	t.Helper()
	w, err := timerwheel.New(o)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := w.CloseContext(ctx); err != nil && !t.Failed() {
			t.Errorf("the wheel does not close: %v", err)
		}
	})
	return w
}

// advance advances a Manual wheel to a time, firing by firing, so that each handler sees
// the time at which it is due.
func advance(t testing.TB, w *timerwheel.Wheel, to time.Time) {
	t.Helper()
	for {
		next, ok := w.Next()
		if !ok || next.After(to) {
			next = to
		}
		fired, err := w.Advance(next)
		require.NoError(t, err)
		if fired == 0 && next.Equal(to) {
			return
		}
	}
}

// eventually waits for a condition that other goroutines or the garbage collector cause.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !cond(); runtime.Gosched() {
		if time.Now().After(end) {
			require.Fail(t, "not within 30 s: "+what)
		}
	}
}
