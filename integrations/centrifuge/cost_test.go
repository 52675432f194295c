package centrifugewheel_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/centrifugal/centrifuge"
	"github.com/stretchr/testify/require"

	"github.com/seed76848005/timerwheel"
	centrifugewheel "github.com/seed76848005/timerwheel/integrations/centrifuge"
)

// A connection re-arms its timer as centrifuge's client does: it stops the pending
// operation and arms the next.
type connection interface{ rearm(d time.Duration) }

// withTimer does what the client does by default.
type withTimer struct{ timer *time.Timer }

func (c *withTimer) rearm(d time.Duration) {
	if c.timer == nil {
		c.timer = time.AfterFunc(d, c.onTimer)
		return
	}
	c.timer.Stop()
	c.timer.Reset(d)
}

func (c *withTimer) onTimer() {}

// withScheduler does what the client does with a TimerScheduler.
type withScheduler struct {
	s centrifuge.TimerScheduler
	c centrifuge.TimerCanceler
}

func (c *withScheduler) rearm(d time.Duration) {
	if c.c != nil {
		c.c.Cancel()
	}
	c.c = c.s.ScheduleTimer(d, c.onTimer)
}

func (c *withScheduler) onTimer() {}

// Scheduling and cancelling allocates only the canceler.
func TestAllocations(t *testing.T) {
	s := centrifugewheel.On(newWheel(t, timerwheel.Options{}))
	callback := func() {}
	require.LessOrEqual(t, testing.AllocsPerRun(10000, func() { s.ScheduleTimer(time.Hour, callback).Cancel() }), 1.0)
}

// BenchmarkRearm measures the timer operations of a ping, beside 100,000 connections
// with a timer each, and the memory of those timers.
func BenchmarkRearm(b *testing.B) {
	const n = 100_000
	for _, kind := range []string{"default", "wheel"} {
		b.Run(kind, func(b *testing.B) {
			s := centrifugewheel.On(newWheel(b, timerwheel.Options{}))
			all := make([]connection, n)
			for k := range all {
				all[k] = &withTimer{}
				if kind == "wheel" {
					all[k] = &withScheduler{s: s}
				}
			}
			before := inUse()
			for k, c := range all {
				c.rearm(25*time.Second + time.Duration(k)*time.Microsecond)
			}
			held := float64(inUse()-before) / n
			b.ReportAllocs()
			for k := 0; b.Loop(); k++ {
				all[k%n].rearm(25*time.Second + time.Duration(k%n)*time.Microsecond)
			}
			b.ReportMetric(held, "B/connection")
			runtime.KeepAlive(all)
		})
	}
}

// inUse returns the bytes in use on the heap.
func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
