package prom_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/prom"
)

// BenchmarkGather measures what a scrape costs the program, without writing the text. The
// cost does not depend on the number of timers.
func BenchmarkGather(b *testing.B) {
	for _, timers := range []int{0, 1_000_000} {
		b.Run(fmt.Sprintf("timers=%d", timers), func(b *testing.B) {
			w, err := timerwheel.New(timerwheel.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer w.Close()
			for range timers {
				w.AfterFunc(time.Hour, func() {})
			}
			reg := prometheus.NewRegistry()
			reg.MustRegister(prom.NewCollector(w, "w"))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := reg.Gather(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	// The part of it in which the wheel holds its locks.
	b.Run("Stats", func(b *testing.B) {
		w, err := timerwheel.New(timerwheel.Options{})
		if err != nil {
			b.Fatal(err)
		}
		defer w.Close()
		for b.Loop() {
			_ = w.Stats()
		}
	})
}
