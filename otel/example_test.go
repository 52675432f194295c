package timerwheelotel_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/seed76848005/timerwheel"
	timerwheelotel "github.com/seed76848005/timerwheel/otel"
	"go.opentelemetry.io/otel"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// A program that has set up OpenTelemetry registers its wheel with the provider.
func Example() {
	w, err := timerwheel.New(timerwheel.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer w.Close()

	registration, err := timerwheelotel.Register(otel.GetMeterProvider(), w, "sessions")
	if err != nil {
		log.Fatal(err)
	}
	defer registration.Unregister()
}

// A test collects the metrics of a wheel that it drives itself.
func ExampleRegister() {
	midnight := time.Date(2000, 5, 21, 0, 0, 0, 0, time.UTC)
	w, err := timerwheel.New(timerwheel.Options{Manual: true, Start: midnight})
	if err != nil {
		log.Fatal(err)
	}
	defer w.Close()
	reader := sdk.NewManualReader()
	registration, err := timerwheelotel.Register(sdk.NewMeterProvider(sdk.WithReader(reader)), w, "sessions")
	if err != nil {
		log.Fatal(err)
	}
	defer registration.Unregister()

	w.AfterFunc(time.Minute, func() {})
	w.AfterFunc(time.Hour, func() {})
	w.AfterFunc(time.Hour, func() {}).Stop()
	if _, err := w.Advance(midnight.Add(2 * time.Minute)); err != nil {
		log.Fatal(err)
	}

	var data metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &data); err != nil {
		log.Fatal(err)
	}
	for _, m := range data.ScopeMetrics[0].Metrics[:4] {
		sum := m.Data.(metricdata.Sum[int64])
		fmt.Println(m.Name, sum.DataPoints[0].Value, m.Unit)
	}
	// Output:
	// timerwheel.timer.scheduled 3 {timer}
	// timerwheel.timer.expired 1 {timer}
	// timerwheel.timer.stopped 1 {timer}
	// timerwheel.timer.pending 1 {timer}
}
