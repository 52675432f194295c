package timerwheelotel_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	timerwheelotel "github.com/seed76848005/timerwheel/otel"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// BenchmarkCollect measures what a collection costs the program, without exporting it. The
// cost does not depend on the number of timers.
func BenchmarkCollect(b *testing.B) {
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
			reader := sdk.NewManualReader()
			if _, err := timerwheelotel.Register(sdk.NewMeterProvider(sdk.WithReader(reader)), w, "w"); err != nil {
				b.Fatal(err)
			}
			var data metricdata.ResourceMetrics // readers use it again, too
			b.ReportAllocs()
			for b.Loop() {
				if err := reader.Collect(context.Background(), &data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
