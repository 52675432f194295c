package stdtime_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/stdtime"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The host of a Manual wheel is told of each arming of this package (Options.OnNext), by the
// goroutine that armed, while this package holds no lock: the host may use the very timer, and
// advance the wheel until it has fired.
func TestTheHostIsToldUnderNoLock(t *testing.T) {
	for name, arm := range map[string]func(c stdtime.Clock, use *func()){
		"NewTimer": func(c stdtime.Clock, use *func()) { c.NewTimer(time.Second) },
		"After":    func(c stdtime.Clock, use *func()) { c.After(time.Second) },
		"Timer.Reset": func(c stdtime.Clock, use *func()) {
			tm := c.NewTimer(time.Hour)
			*use = func() { tm.Stop(); tm.Reset(2 * time.Second) }
			tm.Reset(time.Second)
		},
		"AfterFunc": func(c stdtime.Clock, use *func()) { c.AfterFunc(time.Second, nothing) },
		"Reset of AfterFunc": func(c stdtime.Clock, use *func()) {
			tm := c.AfterFunc(time.Hour, nothing)
			*use = func() { tm.Stop(); tm.Reset(2 * time.Second) }
			tm.Reset(time.Second)
		},
		"NewTicker": func(c stdtime.Clock, use *func()) { c.NewTicker(time.Second) },
		"Ticker.Reset": func(c stdtime.Clock, use *func()) {
			tk := c.NewTicker(time.Hour)
			*use = func() { tk.Stop(); tk.Reset(2 * time.Second) }
			tk.Reset(time.Second)
		},
		"Sleep": func(c stdtime.Clock, use *func()) { c.Sleep(time.Second) },
	} {
		for _, debug := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				var w *timerwheel.Wheel
				var told atomic.Int32
				use := nothing
				w, err := timerwheel.New(timerwheel.Options{Manual: true, Start: midnight, Debug: debug, OnNext: func(when time.Time) {
					next, ok := w.Next()
					assert.True(t, ok && next.Equal(when), "%v, and not %v", next, when)
					if when.Sub(midnight) > time.Minute { // an arming before the one that counts
						return
					}
					told.Add(1)
					use()
					fired, err := w.Advance(midnight.Add(2 * time.Second))
					assert.NoError(t, err)
					assert.Positive(t, fired)
				}})
				require.NoError(t, err)
				defer w.Close()
				done := make(chan struct{})
				go func() {
					defer close(done)
					arm(stdtime.On(w), &use)
				}()
				select {
				case <-done:
				case <-time.After(time.Minute):
					t.Fatal("a lock is held: it does not return")
				}
				require.EqualValues(t, 1, told.Load())
			})
		}
	}
}

// A tick that is armed in Advance is not told: Advance counts as a question.
func TestTheHostIsNotToldOfTicks(t *testing.T) {
	told := 0
	w, err := timerwheel.New(timerwheel.Options{Manual: true, Start: midnight, OnNext: func(time.Time) { told++ }})
	require.NoError(t, err)
	defer w.Close()
	c := stdtime.On(w)
	tk := c.NewTicker(time.Second)
	require.Equal(t, 1, told)
	for n := range 3 {
		_, err := w.Advance(midnight.Add(time.Duration(n+1) * time.Second))
		require.NoError(t, err)
		<-tk.C
	}
	require.Equal(t, 1, told)
	c.After(time.Millisecond)
	require.Equal(t, 2, told)
}

// Two Clocks of one wheel are equal.
func TestClocksAreComparable(t *testing.T) {
	w, err := timerwheel.New(timerwheel.Options{})
	require.NoError(t, err)
	defer w.Close()
	first := stdtime.On(w)
	for range 100 {
		require.True(t, first == stdtime.On(w))
	}
}
