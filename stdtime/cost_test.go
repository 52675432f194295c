package stdtime_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/stdtime"
	"github.com/stretchr/testify/require"
)

// These benchmarks compare the cost of this package with package time and with the wheel's
// Alloc. Compare only within one run. The package's documentation has the commands.

func nothing() {}

// benchClock makes a wheel on which a timer is pending, as on any wheel in use: the first
// timer to become pending, and the last to cease to be, cost an alarm.
func benchClock(b *testing.B) (stdtime.Clock, *timerwheel.Wheel) {
	w, err := timerwheel.New(timerwheel.Options{})
	require.NoError(b, err)
	w.AfterFunc(24*time.Hour, nothing)
	b.Cleanup(func() { w.Close() })
	return stdtime.On(w), w
}

// A timer is made, and stopped before it fires, as most timeouts are.
func BenchmarkMakeAndStop(b *testing.B) {
	c, w := benchClock(b)
	for _, x := range []struct {
		name string
		f    func()
	}{
		{"func/time", func() { time.AfterFunc(time.Hour, nothing).Stop() }},
		{"func/stdtime", func() { c.AfterFunc(time.Hour, nothing).Stop() }},
		{"func/Alloc", func() {
			t := w.Alloc(func(timerwheel.Timer) {})
			_ = t.Register(time.Hour)
			t.Stop()
			_ = t.Free()
		}},
		{"chan/time", func() { time.NewTimer(time.Hour).Stop() }},
		{"chan/stdtime", func() { c.NewTimer(time.Hour).Stop() }},
		{"ticker/time", func() { time.NewTicker(time.Hour).Stop() }},
		{"ticker/stdtime", func() { c.NewTicker(time.Hour).Stop() }},
	} {
		b.Run(x.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				x.f()
			}
		})
	}
}

// A timer is pushed back again and again, as an idle timeout is.
func BenchmarkReset(b *testing.B) {
	c, w := benchClock(b)
	alloc := w.Alloc(func(timerwheel.Timer) {})
	_ = alloc.Register(time.Hour)
	for _, x := range []struct {
		name string
		t    timer
	}{
		{"func/time", time.AfterFunc(time.Hour, nothing)},
		{"func/stdtime", c.AfterFunc(time.Hour, nothing)},
		{"func/Alloc", alloc},
		{"chan/time", time.NewTimer(time.Hour)},
		{"chan/stdtime", c.NewTimer(time.Hour)},
	} {
		b.Run(x.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				x.t.Reset(time.Hour)
			}
		})
		x.t.Stop()
	}
}

// The bytes and objects that a pending timer holds in all: the program's and the wheel's, but
// not what the runtime keeps elsewhere for the timers of package time and for the cleanups.
func BenchmarkMemory(b *testing.B) {
	const n = 100_000
	for _, x := range []struct {
		name string
		make func(c stdtime.Clock, w *timerwheel.Wheel) any
	}{
		{"func/time", func(stdtime.Clock, *timerwheel.Wheel) any { return time.AfterFunc(time.Hour, nothing) }},
		{"func/stdtime", func(c stdtime.Clock, _ *timerwheel.Wheel) any { return c.AfterFunc(time.Hour, nothing) }},
		{"func/Alloc", func(_ stdtime.Clock, w *timerwheel.Wheel) any {
			t := w.Alloc(func(timerwheel.Timer) {})
			_ = t.Register(time.Hour)
			return nil // a handle is a value
		}},
		{"chan/time", func(stdtime.Clock, *timerwheel.Wheel) any { return time.NewTimer(time.Hour) }},
		{"chan/stdtime", func(c stdtime.Clock, _ *timerwheel.Wheel) any { return c.NewTimer(time.Hour) }},
		{"ticker/time", func(stdtime.Clock, *timerwheel.Wheel) any { return time.NewTicker(time.Hour) }},
		{"ticker/stdtime", func(c stdtime.Clock, _ *timerwheel.Wheel) any { return c.NewTicker(time.Hour) }},
	} {
		b.Run(x.name, func(b *testing.B) {
			for b.Loop() {
				c, w := benchClock(b)
				all := make([]any, n)
				var before, after runtime.MemStats
				for range 3 { // also frees what cleanups release
					runtime.GC()
				}
				runtime.ReadMemStats(&before)
				for k := range all {
					all[k] = x.make(c, w)
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/timer")
				b.ReportMetric(float64(after.HeapObjects-before.HeapObjects)/n, "objects/timer")
				for _, t := range all {
					switch t := t.(type) {
					case timer:
						t.Stop()
					case ticker:
						t.Stop()
					}
				}
			}
		})
	}
}
