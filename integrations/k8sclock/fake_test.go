package k8sclock_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/utils/clock"
	fake "k8s.io/utils/clock/testing"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/integrations/k8sclock"
)

var midnight = time.Date(2000, 5, 21, 0, 0, 0, 0, time.UTC)

// A Manual wheel is a fake clock: timers fire only in Advance.
func TestManualWheelIsAFakeClock(t *testing.T) {
	w := newWheel(t, timerwheel.Options{Manual: true, Start: midnight})
	c := k8sclock.New(w)
	calls := 0
	c.AfterFunc(time.Hour, func() { calls++ })
	timer, ticker, after := c.NewTimer(time.Hour), c.NewTicker(20*time.Minute), c.After(time.Hour)
	all := []<-chan time.Time{timer.C(), ticker.C(), after}
	require.Equal(t, 4, w.Stats().Pending, "what FakeClock.Waiters returns")

	advance(t, w, 20*time.Minute-time.Second)
	for _, ch := range all {
		require.Empty(t, ch)
	}
	now := midnight.Add(time.Hour)
	_, err := w.Advance(now)
	require.NoError(t, err)
	for _, ch := range all {
		require.Equal(t, now, <-ch, "the time to which the wheel was advanced")
	}
	require.Empty(t, ticker.C(), "two ticks of three are dropped")
	require.Equal(t, 1, calls)
	require.Equal(t, now, c.Now())
	require.Equal(t, time.Hour, c.Since(midnight))
}

// A Manual wheel differs from FakeClock where README.md says so.
func TestDifferencesFromTheFakeClock(t *testing.T) {
	type program func(c clock.WithTickerAndDelayedExecution, step func(time.Duration)) string
	for what, row := range map[string]struct {
		fake, wheel string
		answer      program
	}{
		"fired and not received, at Stop": {
			"false, 1 to receive", "true, 0 to receive",
			func(c clock.WithTickerAndDelayedExecution, step func(time.Duration)) string {
				t := c.NewTimer(time.Second)
				step(time.Minute)
				return fmt.Sprintf("%t, %d to receive", t.Stop(), len(t.C()))
			},
		},
		"fired and not received, at Reset": {
			"false, 1 to receive", "true, 0 to receive",
			func(c clock.WithTickerAndDelayedExecution, step func(time.Duration)) string {
				t := c.NewTimer(time.Second)
				step(time.Minute)
				return fmt.Sprintf("%t, %d to receive", t.Reset(time.Second), len(t.C()))
			},
		},
		"the channel of AfterFunc": {
			"1 to receive", "0 to receive",
			func(c clock.WithTickerAndDelayedExecution, step func(time.Duration)) string {
				t := c.AfterFunc(time.Second, func() {})
				step(time.Minute)
				return fmt.Sprintf("%d to receive", len(t.C()))
			},
		},
		"a ticker after Stop": {
			"1 to receive", "0 to receive",
			func(c clock.WithTickerAndDelayedExecution, step func(time.Duration)) string {
				t := c.NewTicker(time.Second)
				t.Stop()
				step(time.Minute)
				return fmt.Sprintf("%d to receive", len(t.C()))
			},
		},
	} {
		f := fake.NewFakeClock(midnight)
		require.Equal(t, row.fake, row.answer(f, f.Step), what)
		w := newWheel(t, timerwheel.Options{Manual: true, Start: midnight})
		require.Equal(t, row.wheel, row.answer(k8sclock.New(w), func(d time.Duration) { advance(t, w, d) }), what)
	}
}

// Sleep of a FakeClock moves its time. On a Manual wheel it waits for Advance.
func TestSleepDiffersFromTheFakeClock(t *testing.T) {
	f := fake.NewFakeClock(midnight)
	f.Sleep(time.Hour)
	require.Equal(t, midnight.Add(time.Hour), f.Now())

	synctest.Test(t, func(t *testing.T) {
		w := newWheel(t, timerwheel.Options{Manual: true, Start: midnight})
		c, over := k8sclock.New(w), make(chan struct{})
		go func() {
			defer close(over)
			c.Sleep(time.Hour)
		}()
		synctest.Wait()
		require.Equal(t, midnight, c.Now())
		advance(t, w, time.Hour)
		<-over
	})
}
