package stdtime_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
)

// Made on a wheel of another bubble, or of none, a timer panics; what there is keeps its time.
func TestABubbleRefusesTimersOfAWheelFromOutside(t *testing.T) {
	c, w := openClock(t, timerwheel.Options{})
	timer, ticker := c.NewTimer(20*time.Millisecond), c.NewTicker(20*time.Millisecond)
	fired := make(chan struct{})
	f := c.AfterFunc(20*time.Millisecond, func() { close(fired) })
	stopped := c.NewTimer(time.Hour)
	stopped.Stop()
	synctest.Test(t, func(t *testing.T) {
		for name, call := range map[string]func(){
			"NewTimer":         func() { c.NewTimer(0) },
			"After":            func() { c.After(time.Hour) },
			"NewTicker":        func() { c.NewTicker(time.Hour) },
			"AfterFunc":        func() { c.AfterFunc(0, func() {}) },
			"Sleep":            func() { c.Sleep(time.Second) },
			"Reset":            func() { timer.Reset(time.Hour) },
			"Reset of a func":  func() { f.Reset(time.Hour) },
			"Reset of stopped": func() { stopped.Reset(200 * 366 * 24 * time.Hour) },
			"Ticker.Reset":     func() { ticker.Reset(time.Hour) },
		} {
			require.Panics(t, call, name)
		}
	})
	<-timer.C
	<-ticker.C
	<-ticker.C
	<-fired
	require.False(t, stopped.Stop())
	ticker.Stop()
	require.NoError(t, w.Close())
}
