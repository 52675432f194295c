// Package bubble tests an hour of timers in a moment: go test ./examples/bubble
package bubble

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
)

const period = 20 * time.Minute

func TestAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, err := timerwheel.New(timerwheel.Options{}) // in the bubble that uses it
		if err != nil {
			t.Fatal(err)
		}
		var ticks []time.Duration
		start := time.Now()
		every := w.Every(period, func(timerwheel.Timer) {
			ticks = append(ticks, time.Since(start).Round(time.Second))
		})
		time.Sleep(time.Hour + time.Second) // the bubble's time: it passes when all goroutines wait
		synctest.Wait()                     // until the handlers that are due have returned
		if n := int(time.Hour / period); len(ticks) != n || ticks[n-1] != time.Duration(n)*period {
			t.Errorf("ticks at %v, want one every %v", ticks, period)
		}
		if found, err := every.ShutdownSync(); err != nil || !found.Pending {
			t.Errorf("the tear-down found %+v, %v", found, err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
}
