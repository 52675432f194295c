package clock_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/integrations/clock"
)

// Many goroutines use one Clock in real time. No firing is early, none is lost, and no
// goroutine is left after Close.
func TestConcurrently(t *testing.T) {
	const goroutines, rounds = 200, 5
	w, err := timerwheel.New(timerwheel.Options{})
	require.NoError(t, err)
	c := clock.On(w)
	var early, called atomic.Int64
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for range rounds {
				for _, wait := range []func(clockwork.Clock, time.Duration){
					func(c clockwork.Clock, d time.Duration) { c.Sleep(d) },
					func(c clockwork.Clock, d time.Duration) { <-c.After(d) },
					func(c clockwork.Clock, d time.Duration) { <-c.NewTimer(d).Chan() },
					func(c clockwork.Clock, d time.Duration) {
						t := c.NewTimer(time.Hour)
						t.Reset(d)
						<-t.Chan()
					},
					func(c clockwork.Clock, d time.Duration) {
						t := c.NewTicker(d)
						defer t.Stop()
						<-t.Chan()
					},
					func(c clockwork.Clock, d time.Duration) {
						over := make(chan struct{})
						c.AfterFunc(d, func() { called.Add(1); close(over) })
						<-over
					},
				} {
					d := 1 + rand.N(20*time.Millisecond)
					start := time.Now()
					wait(c, d)
					if time.Since(start) < d {
						early.Add(1)
					}
				}
			}
		})
	}
	all.Wait()
	require.Zero(t, early.Load())
	require.Equal(t, int64(goroutines*rounds), called.Load())
	require.GreaterOrEqual(t, w.Stats().Fired, uint64(6*goroutines*rounds), "the timers of the wheel fired")
	require.NoError(t, w.Close())
	goleak.VerifyNone(t)
}

// Timers that are made on a closed wheel, or armed again there, go by package time.
func TestClosedWheel(t *testing.T) {
	w, err := timerwheel.New(timerwheel.Options{})
	require.NoError(t, err)
	c := clock.On(w)
	called := make(chan string, 2)
	before := c.AfterFunc(time.Hour, func() { called <- "before" })
	require.True(t, before.Stop())
	require.NoError(t, w.Close())
	require.False(t, before.Reset(0))
	require.Equal(t, "before", <-called)

	c.AfterFunc(0, func() { called <- "after" })
	require.Equal(t, "after", <-called)
	start := time.Now()
	c.Sleep(10 * time.Millisecond)
	require.GreaterOrEqual(t, time.Since(start), 10*time.Millisecond)
	timer, ticker := c.NewTimer(time.Millisecond), c.NewTicker(time.Millisecond)
	<-timer.Chan()
	<-ticker.Chan()
	<-ticker.Chan()
	require.False(t, timer.Stop())
	ticker.Stop()
}
