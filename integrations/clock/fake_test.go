package clock_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/integrations/clock"
)

var midnight = time.Date(2000, 5, 21, 0, 0, 0, 0, time.UTC)

// A Manual wheel is a fake clock: timers fire only in Advance.
func TestManualWheelIsAFakeClock(t *testing.T) {
	w := newWheel(t, timerwheel.Options{Manual: true, Start: midnight})
	c := clock.On(w)
	calls := 0
	c.AfterFunc(time.Hour, func() { calls++ })
	timer, ticker, after := c.NewTimer(time.Hour), c.NewTicker(20*time.Minute), c.After(time.Hour)
	all := []<-chan time.Time{timer.Chan(), ticker.Chan(), after}
	require.Equal(t, 4, w.Stats().Pending, "the number that clockwork's BlockUntil waits for")

	advanceTo(t, w, midnight.Add(20*time.Minute-time.Second))
	for _, ch := range all {
		require.Empty(t, ch)
	}
	now := midnight.Add(time.Hour)
	advanceTo(t, w, now)
	for _, ch := range all {
		require.Len(t, ch, 1)
		require.Equal(t, now, <-ch, "the time to which the wheel was advanced")
	}
	require.Empty(t, ticker.Chan(), "two ticks of three are dropped")
	require.Equal(t, 1, calls)
	require.Equal(t, now, c.Now())
	require.Equal(t, time.Hour, c.Since(midnight))
	require.Equal(t, time.Minute, c.Until(now.Add(time.Minute)))
}

// Random walks have the same events on clockwork's FakeClock and on a Manual wheel. They
// avoid the differences that README.md documents: they receive every value before the
// next step.
func TestRandomWalksMatchTheFakeClock(t *testing.T) {
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) {
			fake := clockwork.NewFakeClockAt(midnight)
			events := walk(seed, fake, fake.Advance)
			w := newWheel(t, timerwheel.Options{Manual: true, Start: midnight})
			require.Equal(t, events, walk(seed, clock.On(w), func(d time.Duration) { advanceTo(t, w, w.Now().Add(d)) }), "seed %d", seed)
			require.Contains(t, events, "timer", "seed %d", seed)
			require.Contains(t, events, "ticker", "seed %d", seed)
			require.Contains(t, events, "called", "seed %d", seed)
		})
	}
}

// walk does random operations, given by seed, on a timer, a function's timer and a ticker.
// It returns their results.
func walk(seed uint64, c clockwork.Clock, advance func(time.Duration)) []string {
	rnd := rand.New(rand.NewPCG(seed, 1))
	d := func() time.Duration { return time.Duration(1+rnd.IntN(9)) * time.Second }
	var events []string
	logf := func(format string, a ...any) { events = append(events, fmt.Sprintf(format, a...)) }
	receive := func(name string, ch <-chan time.Time) {
		select {
		case <-ch:
			logf("%s", name)
		default:
		}
	}

	called := make(chan time.Time, 1)
	timer, ticker := c.NewTimer(d()), c.NewTicker(d())
	call := c.AfterFunc(d(), func() { called <- c.Now() })
	for range 200 {
		switch rnd.IntN(8) {
		case 0:
			logf("stop %t", timer.Stop())
		case 1:
			logf("stop the call %t", call.Stop())
		case 2:
			logf("reset %t", timer.Reset(d()))
		case 3:
			logf("reset the call %t", call.Reset(d()))
		case 4:
			ticker.Stop()
			ticker.Reset(d())
		default:
			advance(d() / 2)
			synctest.Wait() // clockwork calls functions in goroutines of their own
			receive("timer", timer.Chan())
			receive("ticker", ticker.Chan())
			receive("called", called)
			logf("%v", c.Since(midnight))
		}
	}
	return events
}

// A Manual wheel differs from clockwork's FakeClock where README.md says so.
func TestDifferencesFromTheFakeClock(t *testing.T) {
	for what, row := range map[string]struct {
		fake, wheel string
		answer      func(c clockwork.Clock, advance func(time.Duration)) string
	}{
		"fired and not received, at Stop": {
			"false, 1 to receive", "true, 0 to receive",
			func(c clockwork.Clock, advance func(time.Duration)) string {
				t := c.NewTimer(time.Second)
				advance(time.Minute)
				return fmt.Sprintf("%t, %d to receive", t.Stop(), len(t.Chan()))
			},
		},
		"fired and not received, at Reset": {
			"false, 1 to receive", "true, 0 to receive",
			func(c clockwork.Clock, advance func(time.Duration)) string {
				t := c.NewTimer(time.Second)
				advance(time.Minute)
				return fmt.Sprintf("%t, %d to receive", t.Reset(time.Second), len(t.Chan()))
			},
		},
		"the value on a channel": {
			"1s", "1m0s",
			func(c clockwork.Clock, advance func(time.Duration)) string {
				after := c.After(time.Second)
				advance(time.Minute)
				return (<-after).Sub(midnight).String()
			},
		},
		"due at once": {
			"1, then 1 to receive", "0, then 1 to receive",
			func(c clockwork.Clock, advance func(time.Duration)) string {
				after := c.After(0)
				before := len(after)
				advance(0)
				return fmt.Sprintf("%d, then %d to receive", before, len(after))
			},
		},
	} {
		fake := clockwork.NewFakeClockAt(midnight)
		require.Equal(t, row.fake, row.answer(fake, fake.Advance), what)
		w := newWheel(t, timerwheel.Options{Manual: true, Start: midnight})
		require.Equal(t, row.wheel, row.answer(clock.On(w), func(d time.Duration) { advanceTo(t, w, w.Now().Add(d)) }), what)
	}
}

func advanceTo(t testing.TB, w *timerwheel.Wheel, when time.Time) {
	t.Helper()
	_, err := w.Advance(when)
	require.NoError(t, err)
}
