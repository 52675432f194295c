package prom_test

import (
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"
	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/prom"
)

// A server serves the metrics of its wheel.
func Example() {
	w, err := timerwheel.New(timerwheel.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer w.Close()

	prometheus.MustRegister(prom.NewCollector(w, "sessions"))
	http.Handle("/metrics", promhttp.Handler())
}

// A test reads the metrics of a wheel that it drives itself.
func ExampleNewCollector() {
	midnight := time.Date(2000, 5, 21, 0, 0, 0, 0, time.UTC)
	w, err := timerwheel.New(timerwheel.Options{Manual: true, Start: midnight})
	if err != nil {
		log.Fatal(err)
	}
	defer w.Close()

	w.AfterFunc(time.Minute, func() {})
	w.AfterFunc(time.Hour, func() {})
	w.AfterFunc(time.Hour, func() {}).Stop()
	if _, err := w.Advance(midnight.Add(2 * time.Minute)); err != nil {
		log.Fatal(err)
	}

	reg := prometheus.NewRegistry()
	reg.MustRegister(prom.NewCollector(w, "sessions"))
	text, err := testutil.GatherAndFormat(reg, expfmt.TypeTextPlain,
		"timerwheel_timers_registered_total", "timerwheel_timers_fired_total",
		"timerwheel_timers_removed_total", "timerwheel_timers_pending")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(string(text))
	// Output:
	// # HELP timerwheel_timers_fired_total Handlers begun.
	// # TYPE timerwheel_timers_fired_total counter
	// timerwheel_timers_fired_total{wheel="sessions"} 1
	// # HELP timerwheel_timers_pending Timers that are pending.
	// # TYPE timerwheel_timers_pending gauge
	// timerwheel_timers_pending{wheel="sessions"} 1
	// # HELP timerwheel_timers_registered_total Times that a timer became pending; a move of a pending timer does not count.
	// # TYPE timerwheel_timers_registered_total counter
	// timerwheel_timers_registered_total{wheel="sessions"} 3
	// # HELP timerwheel_timers_removed_total Firings removed by a deletion or by Close.
	// # TYPE timerwheel_timers_removed_total counter
	// timerwheel_timers_removed_total{wheel="sessions"} 1
}
