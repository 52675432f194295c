package stdtime_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/stdtime"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// openClock makes a wheel that ends with the test, and its Clock. In a bubble, t must be
// the bubble's own.
func openClock(t *testing.T, o timerwheel.Options) (stdtime.Clock, *timerwheel.Wheel) {
	t.Helper()
	w, err := timerwheel.New(o)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := w.CloseContext(ctx); err != nil && !t.Failed() {
			t.Errorf("the wheel does not end: %v", err)
		}
	})
	return stdtime.On(w), w
}

type timer interface {
	Stop() bool
	Reset(time.Duration) bool
}

var (
	_ timer = (*time.Timer)(nil)
	_ timer = (*stdtime.Timer)(nil)
)

type ticker interface {
	Stop()
	Reset(time.Duration)
}

// A face is package time, or what stands for it. A test that is run against both sees where
// they differ.
type face struct {
	AfterFunc func(time.Duration, func()) timer
	NewTimer  func(time.Duration) (timer, <-chan time.Time)
	After     func(time.Duration) <-chan time.Time
	NewTicker func(time.Duration) (ticker, <-chan time.Time)
	Tick      func(time.Duration) <-chan time.Time
	Sleep     func(time.Duration)
	late      time.Duration // how much later than its time a firing may be in a bubble
}

var timesFace = face{
	AfterFunc: func(d time.Duration, f func()) timer { return time.AfterFunc(d, f) },
	NewTimer:  func(d time.Duration) (timer, <-chan time.Time) { t := time.NewTimer(d); return t, t.C },
	After:     time.After,
	NewTicker: func(d time.Duration) (ticker, <-chan time.Time) { t := time.NewTicker(d); return t, t.C },
	Tick:      time.Tick,
	Sleep:     time.Sleep,
}

const tick = time.Millisecond

func faceOf(c stdtime.Clock) face {
	return face{
		AfterFunc: func(d time.Duration, f func()) timer { return c.AfterFunc(d, f) },
		NewTimer:  func(d time.Duration) (timer, <-chan time.Time) { t := c.NewTimer(d); return t, t.C },
		After:     c.After,
		NewTicker: func(d time.Duration) (ticker, <-chan time.Time) { t := c.NewTicker(d); return t, t.C },
		Tick:      c.Tick,
		Sleep:     c.Sleep,
		late:      2 * tick,
	}
}

// onBoth runs a test against package time and against a wheel, in real time.
func onBoth(t *testing.T, f func(t *testing.T, c face)) {
	t.Run("time", func(t *testing.T) { f(t, timesFace) })
	t.Run("stdtime", func(t *testing.T) {
		c, _ := openClock(t, timerwheel.Options{Tick: tick})
		f(t, faceOf(c))
	})
}

// inBubbles runs a test against both, in bubbles.
func inBubbles(t *testing.T, f func(t *testing.T, c face)) {
	t.Run("time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { f(t, timesFace) })
	})
	t.Run("stdtime", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, _ := openClock(t, timerwheel.Options{Tick: tick})
			f(t, faceOf(c))
		})
	})
}

// maker makes a timer that fires after d, and the channel that shows it: one made by
// NewTimer, or one made by AfterFunc that sends on a channel itself, as programs did before
// NewTimer's Stop took back what it had sent.
type maker func(c face, d time.Duration) (timer, <-chan time.Time)

var makers = map[string]maker{
	"NewTimer":  func(c face, d time.Duration) (timer, <-chan time.Time) { return c.NewTimer(d) },
	"AfterFunc": funcTimer,
}

func funcTimer(c face, d time.Duration) (timer, <-chan time.Time) {
	ch := make(chan time.Time, 1)
	return c.AfterFunc(d, func() { ch <- time.Now() }), ch
}

// rest lets time pass in a bubble, and everything that is then due happen.
func rest(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// requireSilent checks that nothing can be received.
func requireSilent(t *testing.T, c <-chan time.Time, why string) {
	t.Helper()
	select {
	case at := <-c:
		t.Fatalf("received %v: %s", at, why)
	default:
	}
}

// requireValue checks that something can be received, and returns it.
func requireValue(t *testing.T, c <-chan time.Time, why string) time.Time {
	t.Helper()
	select {
	case at := <-c:
		return at
	default:
		t.Fatal("nothing to receive: " + why)
		panic("unreachable")
	}
}

// await receives, but not for ever.
func await[T any](t *testing.T, c <-chan T, why string) (v T) {
	t.Helper()
	patience := time.NewTimer(time.Minute)
	defer patience.Stop()
	select {
	case v = <-c:
	case <-patience.C:
		t.Fatal("nothing received in a minute: " + why)
	}
	return v
}

// requireAt checks that a firing was not early, and not later than this face may be.
func (c face) requireAt(t *testing.T, due, at time.Time) {
	t.Helper()
	require.GreaterOrEqual(t, at.Sub(due), time.Duration(0), "early")
	require.LessOrEqual(t, at.Sub(due), c.late, "late")
}
