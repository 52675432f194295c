package stdtime_test

import (
	"context"
	"flag"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/stdtime"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(twice{m}) }

// debug says that the wheels of openClock have Options.Debug.
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

// openClock makes a wheel that is closed at the end of the test, and returns it and its Clock.
// It checks that the package misuses no timer. In a bubble, t must be the bubble's own.
func openClock(t *testing.T, o timerwheel.Options) (stdtime.Clock, *timerwheel.Wheel) {
	t.Helper()
	if debug {
		o.Debug, o.OnMisuse = true, func(err error) { t.Errorf("misuse: %v", err) }
	}
	w, err := timerwheel.New(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.Zero(t, w.Stats().Misuses) })
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := w.CloseContext(ctx); err != nil && !t.Failed() {
			t.Errorf("the wheel does not close: %v", err)
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

// A timeAPI is package time, or a Clock in its place. A test that runs against both sees where
// they differ.
type timeAPI struct {
	AfterFunc func(time.Duration, func()) timer
	NewTimer  func(time.Duration) (timer, <-chan time.Time)
	After     func(time.Duration) <-chan time.Time
	NewTicker func(time.Duration) (ticker, <-chan time.Time)
	Tick      func(time.Duration) <-chan time.Time
	Sleep     func(time.Duration)
	late      time.Duration // how late a firing may be in a bubble

	// reportsTwice says that two calls of Stop or Reset may both report that they took back one
	// firing of a timer with a channel (golang/go#80760; seen with Go 1.26).
	reportsTwice bool

	// repeatsTimes says that two ticks may have the same time: package time sends the present time
	// less a delay that it measured before, and Go promises no more.
	repeatsTimes bool
}

var packageTime = timeAPI{
	AfterFunc: func(d time.Duration, f func()) timer { return time.AfterFunc(d, f) },
	NewTimer:  func(d time.Duration) (timer, <-chan time.Time) { t := time.NewTimer(d); return t, t.C },
	After:     time.After,
	NewTicker: func(d time.Duration) (ticker, <-chan time.Time) { t := time.NewTicker(d); return t, t.C },
	Tick:      time.Tick,
	Sleep:     time.Sleep,

	reportsTwice: true,
	repeatsTimes: true,
}

const tick = time.Millisecond

func wheelTime(c stdtime.Clock) timeAPI {
	return timeAPI{
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
func onBoth(t *testing.T, f func(t *testing.T, c timeAPI)) {
	t.Run("time", func(t *testing.T) { f(t, packageTime) })
	t.Run("stdtime", func(t *testing.T) {
		c, _ := openClock(t, timerwheel.Options{Tick: tick})
		f(t, wheelTime(c))
	})
}

// onBothInBubbles runs a test against both, each in a bubble.
func onBothInBubbles(t *testing.T, f func(t *testing.T, c timeAPI)) {
	t.Run("time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { f(t, packageTime) })
	})
	t.Run("stdtime", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, _ := openClock(t, timerwheel.Options{Tick: tick})
			f(t, wheelTime(c))
		})
	})
}

// A maker makes a timer that fires after d, and returns it with the channel on which the firing
// is sent. The timer is from NewTimer, or from AfterFunc with a function that sends on a channel
// itself, as programs did before NewTimer's Stop took back what it had sent.
type maker func(c timeAPI, d time.Duration) (timer, <-chan time.Time)

var makers = map[string]maker{
	"NewTimer":  func(c timeAPI, d time.Duration) (timer, <-chan time.Time) { return c.NewTimer(d) },
	"AfterFunc": funcTimer,
}

func funcTimer(c timeAPI, d time.Duration) (timer, <-chan time.Time) {
	ch := make(chan time.Time, 1)
	return c.AfterFunc(d, func() { ch <- time.Now() }), ch
}

// sleepAndWait lets d pass in a bubble, and waits until everything that is then due has happened.
func sleepAndWait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// requireNoValue checks that there is nothing to receive.
func requireNoValue(t *testing.T, c <-chan time.Time, why string) {
	t.Helper()
	select {
	case at := <-c:
		t.Fatalf("received %v: %s", at, why)
	default:
	}
}

// requireValue checks that there is a value to receive, and returns it.
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

// await receives a value. It fails the test if none comes within a minute.
func await[T any](t *testing.T, c <-chan T, why string) (v T) {
	t.Helper()
	timeout := time.NewTimer(time.Minute)
	defer timeout.Stop()
	select {
	case v = <-c:
	case <-timeout.C:
		t.Fatal("nothing received in a minute: " + why)
	}
	return v
}

// requireAt checks that a firing was not early, and not later than c.late.
func (c timeAPI) requireAt(t *testing.T, due, at time.Time) {
	t.Helper()
	require.GreaterOrEqual(t, at.Sub(due), time.Duration(0), "early")
	require.LessOrEqual(t, at.Sub(due), c.late, "late")
}
