package wallclock

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"sync"
	"syscall/js"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/debug"
	"github.com/seed76848005/timerwheel/stdtime"
	"github.com/seed76848005/timerwheel/timerctx"
	"github.com/stretchr/testify/require"
)

// setClock sets the wall clock to be so many milliseconds ahead of the machine's.
var setClock = js.Global().Call("eval", `(() => {
	const real = Date.prototype.getTime;
	let ahead = 0;
	Date.prototype.getTime = function() { return real.call(this) + ahead };
	return (ms) => { ahead = ms };
})()`)

// setBy sets the wall clock by step, until the test ends.
func setBy(t *testing.T, step time.Duration) {
	t.Helper()
	before := time.Now()
	setClock.Invoke(step.Milliseconds())
	t.Cleanup(func() { setClock.Invoke(0) })
	after := time.Now()
	near(t, before.Round(0).Add(step), after, step)
	require.Less(t, after.Sub(before).Abs(), time.Minute, "the monotonic clock was set, too")
}

// near checks that the wall clock showed want at got, and not a time that is off by the step. A
// loaded machine may take its time.
func near(t *testing.T, want, got time.Time, step time.Duration) {
	t.Helper()
	off := got.Round(0).Sub(want.Round(0))
	require.Less(t, off.Abs(), step.Abs()/2, "%v, and not %v", got, want)
}

// receive waits for a value, for longer than anything here takes.
func receive[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(20 * time.Second):
		require.Fail(t, "it does not come")
	}
	return v
}

// parsed is a time as programs get it from others: without a monotonic reading.
func parsed(t time.Time) time.Time { return time.UnixMilli(t.UnixMilli()) }

var steps = []time.Duration{time.Hour, -time.Hour, 10 * 365 * 24 * time.Hour, -10 * 365 * 24 * time.Hour}

// A wheel that was made before the clock was set.
func openWheel(t *testing.T, o timerwheel.Options) *timerwheel.Wheel {
	w, err := timerwheel.New(o)
	require.NoError(t, err)
	t.Cleanup(func() { w.Close() })
	return w
}

func TestTheWallClockIsSet(t *testing.T) {
	for _, step := range steps {
		for _, c := range []struct {
			name string
			test func(t *testing.T, step time.Duration)
		}{
			{"what is given to RegisterAt", registerAt},
			{"what was armed before", armedBefore},
			{"what the wheel says", says},
			{"what channels carry", channels},
			{"contexts", contexts},
			{"after Close", afterClose},
			{"package debug", page},
			{"a Manual wheel", manual},
		} {
			t.Run(fmt.Sprint(c.name, " ", step), func(t *testing.T) { c.test(t, step) })
		}
	}
}

// A deadline counts by the wall clock as it is at the call; one with a monotonic reading by that.
func registerAt(t *testing.T, step time.Duration) {
	w := openWheel(t, timerwheel.Options{})
	monotonic := time.Now().Add(100 * time.Millisecond)
	fired := make(chan time.Time, 1)
	tm := w.Alloc(func(timerwheel.Timer) { fired <- time.Now() })
	setBy(t, step)

	at := parsed(time.Now().Add(100 * time.Millisecond))
	require.NoError(t, tm.RegisterAt(at))
	when, ok := tm.When()
	require.True(t, ok)
	near(t, at, when, step)
	got := receive(t, fired)
	require.False(t, got.Round(0).Before(at), "early")
	near(t, at, got, step)

	begin := time.Now()
	require.NoError(t, tm.RegisterAt(parsed(begin.Add(-time.Minute))))
	require.Less(t, receive(t, fired).Sub(begin), time.Minute, "a time that has passed is now")

	require.NoError(t, tm.RegisterAt(monotonic))
	got = receive(t, fired)
	require.GreaterOrEqual(t, got.Sub(monotonic), time.Duration(0), "early")
	require.Less(t, got.Sub(monotonic), time.Minute)

	require.NoError(t, tm.RegisterAt(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)))
	when, ok = tm.When()
	require.True(t, ok)
	require.Greater(t, when.Year(), 2200)
	require.NoError(t, tm.RegisterAt(time.Time{}))
	receive(t, fired)
}

// Setting the clock moves no timer.
func armedBefore(t *testing.T, step time.Duration) {
	w := openWheel(t, timerwheel.Options{})
	begin := time.Now()
	const d, n = 50 * time.Millisecond, 4
	fired := make(chan time.Duration, n+1)
	w.AfterFunc(d, func() { fired <- time.Since(begin) })
	require.NoError(t, w.Alloc(func(timerwheel.Timer) { fired <- time.Since(begin) }).RegisterAt(parsed(begin.Add(d))))
	series := w.Every(d, func(timerwheel.Timer) { fired <- time.Since(begin) })
	setBy(t, step)
	for range n {
		got := receive(t, fired)
		require.GreaterOrEqual(t, got, d-time.Millisecond) // which parsed cuts off
		require.Less(t, got, time.Minute)
	}
	series.Stop()
}

func says(t *testing.T, step time.Duration) {
	stalls := make(chan timerwheel.Stall, 2)
	w := openWheel(t, timerwheel.Options{StallAfter: 20 * time.Millisecond, OnStall: func(s timerwheel.Stall) { stalls <- s }})
	pending := w.AfterFunc(30*time.Minute, func() {})
	begun, end := make(chan struct{}), make(chan struct{})
	letGo := sync.OnceFunc(func() { close(end) })
	t.Cleanup(letGo)
	running := w.AfterFunc(0, func() { close(begun); <-end })
	receive(t, begun)
	setBy(t, step)

	now := time.Now()
	near(t, now, w.Now(), step)
	require.NotEqual(t, w.Now(), w.Now().Round(0), "Now has a monotonic reading")
	half := now.Add(30 * time.Minute)
	when, ok := pending.When()
	require.True(t, ok)
	require.Less(t, when.Round(0).Sub(half.Round(0)).Abs(), 20*time.Minute)
	next, ok := w.Next()
	require.True(t, ok)
	require.False(t, next.Round(0).After(half.Round(0)))
	near(t, now, next.Add(-15*time.Minute), step)
	runs := w.Running()
	require.Len(t, runs, 1)
	near(t, now, runs[0].Since, step)

	in := w.Inspect()
	near(t, now, in.Now, step)
	near(t, now, in.Start, step)
	near(t, now, in.Next.Add(-15*time.Minute), step)
	require.Len(t, in.Runs, 1)
	near(t, now, in.Runs[0].Since, step)

	deleted := make(chan struct{})
	go func() { defer close(deleted); _, _ = running.DelSync() }()
	for range 2 { // the run, and the wait
		near(t, now, receive(t, stalls).Since, step)
	}
	in = w.Inspect()
	require.Len(t, in.Runs[0].Waits, 1)
	near(t, now, in.Runs[0].Waits[0].Since, step)
	letGo()
	receive(t, deleted)
}

func channels(t *testing.T, step time.Duration) {
	c := stdtime.On(openWheel(t, timerwheel.Options{}))
	timer, after, ticker := c.NewTimer(50*time.Millisecond), c.After(50*time.Millisecond), c.NewTicker(50*time.Millisecond)
	called := make(chan time.Time, 1)
	c.AfterFunc(50*time.Millisecond, func() { called <- c.Now() })
	setBy(t, step)
	now := time.Now()
	for _, values := range []<-chan time.Time{timer.C, after, ticker.C, ticker.C, called, c.After(0)} {
		near(t, now, receive(t, values), step)
	}
	ticker.Stop()
	timer.Reset(20 * time.Millisecond)
	near(t, now, receive(t, timer.C), step)
	at := parsed(c.Now().Add(10 * time.Minute))
	require.InDelta(t, 10*time.Minute, c.Until(at), float64(5*time.Minute))
	require.InDelta(t, -10*time.Minute, c.Since(at), float64(5*time.Minute))
	c.Sleep(20 * time.Millisecond)
}

func contexts(t *testing.T, step time.Duration) {
	w := openWheel(t, timerwheel.Options{})
	bg := context.Background()
	slow := errors.New("slow")
	begin := time.Now()
	before, cancel := timerctx.WithTimeout(bg, w, 50*time.Millisecond)
	defer cancel()
	was, _ := before.Deadline()
	given := parsed(begin.Add(time.Hour / 4))
	long, cancelLong := timerctx.WithDeadline(bg, w, given)
	defer cancelLong()
	setBy(t, step)

	receive(t, before.Done())
	require.Less(t, time.Since(begin), time.Minute)
	is, _ := before.Deadline()
	require.Equal(t, was, is, "Deadline stays what it was when the context was made")
	near(t, begin, is, step)
	require.NoError(t, long.Err())
	is, _ = long.Deadline()
	require.Equal(t, given, is)

	at := parsed(time.Now().Add(100 * time.Millisecond))
	ctx, cancelAt := timerctx.WithDeadlineCause(bg, w, at, slow)
	defer cancelAt()
	is, _ = ctx.Deadline()
	require.Equal(t, at, is)
	require.NoError(t, ctx.Err(), "it has ended at once")
	receive(t, ctx.Done())
	require.False(t, time.Now().Round(0).Before(at), "early")
	near(t, at, time.Now(), step)
	require.ErrorIs(t, ctx.Err(), context.DeadlineExceeded)
	require.Equal(t, slow, context.Cause(ctx))

	passed, cancelPassed := timerctx.WithDeadline(bg, w, parsed(time.Now().Add(-time.Second)))
	defer cancelPassed()
	require.ErrorIs(t, passed.Err(), context.DeadlineExceeded)
	timeout, cancelTimeout := timerctx.WithTimeout(bg, w, 20*time.Millisecond)
	defer cancelTimeout()
	is, _ = timeout.Deadline()
	near(t, time.Now(), is, step)
	receive(t, timeout.Done())
}

// Package time goes on with what was pending, at its time.
func afterClose(t *testing.T, step time.Duration) {
	w := openWheel(t, timerwheel.Options{})
	begin := time.Now()
	timer := stdtime.On(w).NewTimer(50 * time.Millisecond)
	ctx, cancel := timerctx.WithDeadline(context.Background(), w, parsed(begin.Add(50*time.Millisecond)))
	defer cancel()
	setBy(t, step)
	at := parsed(time.Now().Add(100 * time.Millisecond))
	later, cancelLater := timerctx.WithDeadline(context.Background(), w, at)
	defer cancelLater()
	require.NoError(t, w.Close())
	near(t, time.Now(), receive(t, timer.C), step)
	receive(t, ctx.Done())
	receive(t, later.Done())
	require.False(t, time.Now().Round(0).Before(at), "early")
	require.Less(t, time.Since(begin), time.Minute)
}

// The report of package debug is of the clock as it is, what it remembers included.
func page(t *testing.T, step time.Duration) {
	h := debug.Handler(openWheel(t, timerwheel.Options{}))
	report := func() (r debug.Report) {
		rw := httptest.NewRecorder()
		h.ServeHTTP(rw, httptest.NewRequest("GET", "/?format=json", nil))
		require.NoError(t, json.Unmarshal(rw.Body.Bytes(), &r))
		return r
	}
	require.Len(t, report().Samples, 1)
	setBy(t, step)
	r := report()
	require.NotEmpty(t, r.Samples)
	for _, at := range []time.Time{r.Now, r.Start, r.Samples[0].At} {
		near(t, time.Now(), at, step)
	}
	again := report()
	require.Less(t, again.Start.Sub(r.Start).Abs(), time.Second, "the page would take it for another wheel")
}

// Its time is the host's: no clock is read.
func manual(t *testing.T, step time.Duration) {
	w := openWheel(t, timerwheel.Options{Manual: true})
	start := w.Now()
	setBy(t, step)
	require.Equal(t, start, w.Now())
	tm := w.Alloc(func(timerwheel.Timer) {})
	at := start.Add(30 * time.Minute)
	require.NoError(t, tm.RegisterAt(at.Round(0)))
	when, ok := tm.When()
	require.True(t, ok)
	require.Equal(t, at, when)
	require.Equal(t, start, w.Inspect().Start)
	now := time.Now()
	_, err := w.Advance(now)
	require.NoError(t, err)
	require.Equal(t, now, w.Now(), "as the host gave it")
	require.True(t, tm.Pending(), "by the monotonic clock no time has passed")
}
