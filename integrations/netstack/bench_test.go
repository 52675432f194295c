package netstack_test

import (
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/integrations/netstack"
	"gvisor.dev/gvisor/pkg/tcpip"
)

// BenchmarkClock compares netstack's calls of its clock, on netstack's own clock and on the
// wheel, from as many goroutines as there are processors, beside 10000 other timers. go
// test -run '^$' -bench Clock -benchtime 0.2s .
func BenchmarkClock(b *testing.B) {
	for _, op := range []struct {
		name string
		run  func(pb *testing.PB, c tcpip.Clock)
	}{
		{"AfterFunc+Stop", func(pb *testing.PB, c tcpip.Clock) { // a Job that is scheduled and cancelled
			for pb.Next() {
				c.AfterFunc(time.Minute, func() {}).Stop()
			}
		}},
		{"Stop+Reset", func(pb *testing.PB, c tcpip.Clock) {
			tm := c.AfterFunc(time.Minute, func() {})
			for pb.Next() {
				tm.Stop()
				tm.Reset(time.Minute)
			}
			tm.Stop()
		}},
		{"Reset", func(pb *testing.PB, c tcpip.Clock) { // of a pending timer
			tm := c.AfterFunc(time.Minute, func() {})
			for pb.Next() {
				tm.Reset(time.Minute)
			}
			tm.Stop()
		}},
		{"NowMonotonic", func(pb *testing.PB, c tcpip.Clock) {
			for pb.Next() {
				c.NowMonotonic()
			}
		}},
	} {
		for _, clock := range []struct {
			name string
			make func() tcpip.Clock
		}{
			{"StdClock", tcpip.NewStdClock},
			{"wheel", func() tcpip.Clock { return netstack.NewClock(openWheel(b, timerwheel.Options{})) }},
		} {
			b.Run(op.name+"/"+clock.name, func(b *testing.B) {
				c := clock.make()
				for range 10000 {
					defer c.AfterFunc(time.Hour, func() {}).Stop()
				}
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) { op.run(pb, c) })
			})
		}
	}
}
