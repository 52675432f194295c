package timerwheelotel_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/seed76848005/timerwheel"
	timerwheelotel "github.com/seed76848005/timerwheel/otel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// ---- The value of each instrument ----

// withStalledWheel calls look with a wheel in trouble, that of the README of package prom: it
// has one worker. The first of two handlers delayed the second by 29 s, and a deletion waits
// for the second. Another timer is due, and waits for the worker. The wheel is in a bubble,
// so all times are exact.
func withStalledWheel(t *testing.T, look func(t *testing.T, w *timerwheel.Wheel)) {
	synctest.Test(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{MaxWorkers: 1})
		w.AfterFunc(time.Second, func() { time.Sleep(30 * time.Second) })
		slow := w.Alloc(func(timerwheel.Timer) { time.Sleep(20 * time.Second) })
		require.NoError(t, slow.Register(2*time.Second))
		w.AfterFunc(35*time.Second, func() {}) // waits for the worker
		for range 3 {
			w.AfterFunc(time.Hour, func() {})
		}
		deleted := w.AfterFunc(time.Hour, func() {})
		require.True(t, deleted.Stop())
		require.ErrorIs(t, deleted.Register(time.Hour), timerwheel.ErrStale)

		time.Sleep(41 * time.Second) // the first handler ran from 1 s to 31 s, the second has run since then
		go func() { _, _ = slow.DelSync() }()
		synctest.Wait()
		require.ErrorIs(t, slow.Register(time.Hour), timerwheel.ErrDeleting)
		look(t, w)
	})
}

// instrumentOf maps the metrics of package prom to instruments.
var instrumentOf = map[string]string{
	"timerwheel_timers_live":                 "timerwheel.timer.count",
	"timerwheel_timers_pending":              "timerwheel.timer.pending",
	"timerwheel_due":                         "timerwheel.timer.due",
	"timerwheel_timers_registered_total":     "timerwheel.timer.scheduled",
	"timerwheel_timers_fired_total":          "timerwheel.timer.expired",
	"timerwheel_timers_removed_total":        "timerwheel.timer.stopped",
	"timerwheel_registrations_refused_total": "timerwheel.timer.refusals",
	"timerwheel_misuses_total":               "timerwheel.timer.misuses",
	"timerwheel_sync_waits_total":            "timerwheel.deletion.waits",
	"timerwheel_deletions_waiting":           "timerwheel.deletion.waiting",
	"timerwheel_handlers_running":            "timerwheel.handler.running",
	"timerwheel_handler_oldest_seconds":      "timerwheel.handler.oldest",
	"timerwheel_handler_longest_seconds":     "timerwheel.handler.duration.max",
	"timerwheel_handler_seconds_sum":         "timerwheel.handler.duration.sum",
	"timerwheel_handler_seconds_count":       `timerwheel.handler.duration.bucket{le="+Inf"}`,
	"timerwheel_handler_seconds_bucket":      "timerwheel.handler.duration.bucket",
	"timerwheel_lateness_max_seconds":        "timerwheel.timer.lateness.max",
	"timerwheel_lateness_seconds_sum":        "timerwheel.timer.lateness.sum",
	"timerwheel_lateness_seconds_count":      `timerwheel.timer.lateness.bucket{le="+Inf"}`,
	"timerwheel_lateness_seconds_bucket":     "timerwheel.timer.lateness.bucket",
	"timerwheel_workers":                     "timerwheel.worker.count",
	"timerwheel_max_workers":                 "timerwheel.worker.limit",
	"timerwheel_storage_bytes":               "timerwheel.memory.used",
}

// Each line of a scrape of package prom is an instrument with the same value, and there are
// no others.
func TestTheFiguresAreThoseOfPackageProm(t *testing.T) {
	want := make(map[string]float64)
	scrape, err := os.ReadFile("../prom/testdata/scrape.txt")
	require.NoError(t, err)
	line := regexp.MustCompile(`(?m)^(\w+){wheel="sessions"(?:,(le="[^"]+"))?} (\S+)$`)
	for _, m := range line.FindAllStringSubmatch(string(scrape), -1) {
		name := instrumentOf[m[1]]
		require.NotEmpty(t, name, "no instrument for %s", m[1])
		if m[2] != "" {
			name += "{" + m[2] + "}"
		}
		want[name], err = strconv.ParseFloat(m[3], 64)
		require.NoError(t, err)
	}
	require.Len(t, want, 69, "71 series; the two counts are also the buckets without a bound")

	provider, reader := newProvider(t)
	withStalledWheel(t, func(t *testing.T, w *timerwheel.Wheel) {
		register(t, provider, w, "sessions")
		got, _ := collect(t, reader)
		require.Len(t, got, 1)
		require.EqualValues(t, w.Stats().Bytes, got["sessions"]["timerwheel.memory.used"])
		want["timerwheel.memory.used"] = float64(w.Stats().Bytes) // it depends on the number of processors
		require.Equal(t, want, got["sessions"])
	})
}

// The instruments are of the kind, and have the unit, that the README's table says.
func TestREADMEListsTheInstruments(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	row := regexp.MustCompile("(?m)^\\| `(timerwheel[.a-z]+)` \\| ([a-z-]+) \\| `([^`]+)` \\|")
	type instrument struct{ kind, unit string }
	shown := make(map[string]instrument)
	for _, m := range row.FindAllStringSubmatch(string(readme), -1) {
		shown[m[1]] = instrument{m[2], m[3]}
	}

	provider, reader := newProvider(t)
	register(t, provider, openWheel(t, timerwheel.Options{}), "w")
	_, instruments := collect(t, reader)
	exist := make(map[string]instrument)
	for name, m := range instruments {
		require.NotEmpty(t, m.Description, name)
		exist[name] = instrument{kindOf(m.Data), m.Unit}
	}
	require.Equal(t, exist, shown)
}

func kindOf(data metricdata.Aggregation) string {
	monotonic := false
	switch d := data.(type) {
	case metricdata.Gauge[float64]:
		return "gauge"
	case metricdata.Sum[int64]:
		monotonic = d.IsMonotonic
	case metricdata.Sum[float64]:
		monotonic = d.IsMonotonic
	}
	if monotonic {
		return "counter"
	}
	return "up-down"
}

// ---- Prometheus, by way of OpenTelemetry ----

// newExporter returns a provider, and the registry to which OpenTelemetry's exporter brings
// what the provider has.
func newExporter(t *testing.T) (*sdk.MeterProvider, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	e, err := exporter.New(exporter.WithRegisterer(registry), exporter.WithoutScopeInfo(), exporter.WithoutTargetInfo())
	require.NoError(t, err)
	provider := sdk.NewMeterProvider(sdk.WithReader(e))
	t.Cleanup(func() { require.NoError(t, provider.Shutdown(context.Background())) })
	return provider, registry
}

// storage matches the line of the storage, which depends on the machine: a wheel has as
// many shards as there are processors.
var storage = regexp.MustCompile(`(?m)^timerwheel_memory_used_bytes.* [1-9][0-9]*$`)

func TestPrometheusExporter(t *testing.T) {
	want, err := os.ReadFile("testdata/scrape.txt")
	require.NoError(t, err)
	withStalledWheel(t, func(t *testing.T, w *timerwheel.Wheel) {
		provider, registry := newExporter(t)
		register(t, provider, w, "sessions")
		families, err := registry.Gather()
		require.NoError(t, err)
		var got bytes.Buffer
		for _, f := range families {
			_, err := expfmt.MetricFamilyToText(&got, f)
			require.NoError(t, err)
		}
		require.Regexp(t, storage, got.String())
		lines := func(text []byte) []string {
			return strings.Split(storage.ReplaceAllString(string(text), "timerwheel_memory_used_bytes"), "\n")
		}
		require.Equal(t, lines(want), lines(got.Bytes()))
	})
}

// ---- Registering ----

func TestNamesDistinguishWheels(t *testing.T) {
	provider, reader := newProvider(t)
	registrations := make(map[string]metric.Registration)
	pending := map[string]float64{"one": 1, "two": 2, "three": 3}
	for name, n := range pending {
		w := openWheel(t, timerwheel.Options{})
		for range int(n) {
			w.AfterFunc(time.Hour, func() {})
		}
		registrations[name] = register(t, provider, w, name)
	}
	check := func() {
		t.Helper()
		got, _ := collect(t, reader)
		require.Len(t, got, len(pending))
		for name, n := range pending {
			require.Equal(t, n, got[name]["timerwheel.timer.pending"], name)
			require.Len(t, got[name], 69, name)
		}
	}
	check()
	require.NoError(t, registrations["two"].Unregister())
	delete(pending, "two")
	check()
	require.NoError(t, registrations["two"].Unregister(), "a further Unregister does nothing")
	check()
	register(t, provider, openWheel(t, timerwheel.Options{}), "two")
	pending["two"] = 0
	check()
}

// OpenTelemetry adds up figures that have the same attributes.
func TestWheelsOfTheSameNameAddUp(t *testing.T) {
	provider, reader := newProvider(t)
	for range 2 {
		w := openWheel(t, timerwheel.Options{MaxWorkers: 3})
		w.AfterFunc(time.Hour, func() {})
		register(t, provider, w, "w")
	}
	got, _ := collect(t, reader)
	require.EqualValues(t, 2, got["w"]["timerwheel.timer.pending"])
	require.EqualValues(t, 6, got["w"]["timerwheel.worker.limit"])
}

// A view may drop the buckets, as the README says: the rest is reported.
func TestViewDropsTheBuckets(t *testing.T) {
	reader := sdk.NewManualReader()
	provider := sdk.NewMeterProvider(sdk.WithReader(reader),
		sdk.WithView(sdk.NewView(sdk.Instrument{Name: "timerwheel.*.bucket"}, sdk.Stream{Aggregation: sdk.AggregationDrop{}})))
	register(t, provider, openWheel(t, timerwheel.Options{}), "w")
	got, _ := collect(t, reader)
	require.Len(t, got["w"], 69-2*25)
}

// The SDK's limit of attribute sets is beyond the 79 wheels that the README names.
func TestManyWheels(t *testing.T) {
	provider, reader := newProvider(t)
	w := openWheel(t, timerwheel.Options{})
	for k := range 79 {
		register(t, provider, w, strconv.Itoa(k))
	}
	got, _ := collect(t, reader)
	require.Len(t, got, 79)
	register(t, provider, w, "one more")
	got, _ = collect(t, reader)
	require.Contains(t, got, "", "the limit was reached, so the README may name more wheels")
}

func TestUnregisteredWheelCanBeCollected(t *testing.T) {
	provider, reader := newProvider(t)
	collected := make(chan struct{})
	registration := func() metric.Registration {
		w, err := timerwheel.New(timerwheel.Options{})
		require.NoError(t, err)
		r := register(t, provider, w, "w")
		got, _ := collect(t, reader)
		require.Len(t, got, 1)
		require.NoError(t, w.Close())
		runtime.AddCleanup(w, func(struct{}) { close(collected) }, struct{}{})
		return r
	}()
	gone := func() bool {
		runtime.GC()
		select {
		case <-collected:
			return true
		default:
			return false
		}
	}
	for range 3 {
		require.False(t, gone(), "the wheel is registered")
	}
	require.NoError(t, registration.Unregister())
	got, _ := collect(t, reader)
	require.Empty(t, got)
	require.Eventually(t, gone, time.Minute, time.Millisecond)
	runtime.KeepAlive(registration) // a program that keeps the registration does not keep the wheel
}

func TestNilArguments(t *testing.T) {
	provider, _ := newProvider(t)
	_, err := timerwheelotel.Register(provider, nil, "w")
	require.Error(t, err)
	_, err = timerwheelotel.Register(nil, openWheel(t, timerwheel.Options{}), "w")
	require.Error(t, err)
}

// A provider that does nothing, OpenTelemetry's default, is no error.
func TestNoopProvider(t *testing.T) {
	r := register(t, noop.NewMeterProvider(), openWheel(t, timerwheel.Options{}), "w")
	require.NoError(t, r.Unregister())
}

// A failingMeter cannot make one instrument, or takes no callback.
type failingMeter struct {
	noop.Meter
	instrument string
	fails      error
}

func (m failingMeter) Int64ObservableCounter(name string, _ ...metric.Int64ObservableCounterOption) (metric.Int64ObservableCounter, error) {
	if name == m.instrument {
		return nil, m.fails
	}
	return m.Meter.Int64ObservableCounter(name)
}

func (m failingMeter) Float64ObservableGauge(name string, _ ...metric.Float64ObservableGaugeOption) (metric.Float64ObservableGauge, error) {
	if name == m.instrument {
		return nil, m.fails
	}
	return m.Meter.Float64ObservableGauge(name)
}

func (m failingMeter) RegisterCallback(metric.Callback, ...metric.Observable) (metric.Registration, error) {
	return nil, m.fails
}

type failingProvider struct {
	noop.MeterProvider
	meter failingMeter
}

func (p failingProvider) Meter(string, ...metric.MeterOption) metric.Meter { return p.meter }

func TestErrorsOfTheProviderAreReturned(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	for _, instrument := range []string{"timerwheel.timer.expired", "timerwheel.handler.oldest", "timerwheel.timer.lateness.bucket", ""} {
		fails := errors.New("cannot make " + instrument)
		r, err := timerwheelotel.Register(failingProvider{meter: failingMeter{instrument: instrument, fails: fails}}, w, "w")
		require.ErrorIs(t, err, fails)
		require.Nil(t, r)
	}
}

// ---- Closed wheels and handlers ----

func TestClosedWheelKeepsItsFigures(t *testing.T) {
	provider, reader := newProvider(t)
	synctest.Test(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		register(t, provider, w, "w")
		w.AfterFunc(time.Second, func() {})
		w.AfterFunc(time.Hour, func() {})
		time.Sleep(time.Minute)
		require.NoError(t, w.Close())
		require.False(t, w.AfterFunc(0, func() {}).Valid())

		for range 2 {
			got, _ := collect(t, reader)
			require.EqualValues(t, 2, got["w"]["timerwheel.timer.scheduled"])
			require.EqualValues(t, 1, got["w"]["timerwheel.timer.expired"])
			require.EqualValues(t, 1, got["w"]["timerwheel.timer.stopped"])
			require.EqualValues(t, 1, got["w"]["timerwheel.timer.refusals"])
			require.Zero(t, got["w"]["timerwheel.timer.pending"])
			require.EqualValues(t, 1, got["w"][`timerwheel.timer.lateness.bucket{le="+Inf"}`])
		}
	})
}

// A handler may collect from the wheel that runs it, and unregister it. On a Manual wheel the
// age of a handler is in the wheel's time.
func TestHandlerMayCollectAndUnregister(t *testing.T) {
	provider, reader := newProvider(t)
	start := time.Date(2000, 5, 21, 0, 0, 0, 0, time.UTC)
	w := openWheel(t, timerwheel.Options{Manual: true, Start: start})
	r := register(t, provider, w, "w")
	ran := false
	w.AfterFunc(time.Second, func() {
		ran = true
		got, _ := collect(t, reader)
		assert.EqualValues(t, 1, got["w"]["timerwheel.handler.running"])
		assert.Zero(t, got["w"]["timerwheel.handler.oldest"])
		assert.EqualValues(t, 59, got["w"]["timerwheel.timer.lateness.max"])
		assert.NoError(t, r.Unregister())
		got, _ = collect(t, reader)
		assert.Empty(t, got)
	})
	_, err := w.Advance(start.Add(time.Minute))
	require.NoError(t, err)
	require.True(t, ran)
}

// ---- Concurrent use ----

// Each collection adds up while the wheel is busy, others collect, too, and wheels come and go.
func TestCollectionsUnderLoadAddUp(t *testing.T) {
	provider, reader := newProvider(t)
	exported, registry := newExporter(t)
	w := openWheel(t, timerwheel.Options{})
	register(t, provider, w, "busy")
	register(t, exported, w, "busy")

	var stop atomic.Bool
	var load sync.WaitGroup
	defer load.Wait()
	defer stop.Store(true)
	for range 2 {
		load.Go(func() { churnUntil(&stop, w) })
	}
	load.Go(func() {
		for !stop.Load() {
			r, err := timerwheelotel.Register(provider, w, "guest")
			assert.NoError(t, err)
			var twice sync.WaitGroup
			for range 2 {
				twice.Go(func() { assert.NoError(t, r.Unregister()) })
			}
			twice.Wait()
		}
	})
	load.Go(func() {
		for !stop.Load() {
			_, err := registry.Gather()
			assert.NoError(t, err)
		}
	})

	moved := false
	for range 50 {
		before := w.Stats()
		got, _ := collect(t, reader)
		after := w.Stats()
		require.NoError(t, addsUp(got["busy"], before, after))
		moved = moved || after.Fired > before.Fired && after.Removed > before.Removed
	}
	require.True(t, moved, "nothing happened during any collection")
}

// churnUntil calls timer verbs, so that two readings at different instants differ.
func churnUntil(stop *atomic.Bool, w *timerwheel.Wheel) {
	for !stop.Load() {
		for range 100 {
			w.AfterFunc(rand.N(2*time.Millisecond), func() {}).Stop()
			w.AfterFunc(0, func() {})
		}
		runtime.Gosched()
	}
}

// addsUp returns an error if a law does not hold in a collection that was made between two
// Stats, or if a value is not between theirs.
func addsUp(got map[string]float64, before, after timerwheel.Stats) error {
	v := func(name string) float64 { return got["timerwheel."+name] }
	expired, ended := v("timer.expired"), v("timer.expired")-v("handler.running")
	if sum := expired + v("timer.stopped") + v("timer.pending"); v("timer.scheduled") != sum {
		return fmt.Errorf("scheduled %v != expired + stopped + pending, %v", v("timer.scheduled"), sum)
	}
	if n := v(`timer.lateness.bucket{le="+Inf"}`); n != expired {
		return fmt.Errorf("the lateness of %v handlers, and %v have expired", n, expired)
	}
	if n := v(`handler.duration.bucket{le="+Inf"}`); n != ended {
		return fmt.Errorf("the duration of %v handlers, and %v have ended", n, ended)
	}
	for name, limits := range map[string][2]float64{
		"timer.expired":        {float64(before.Fired), float64(after.Fired)},
		"timer.stopped":        {float64(before.Removed), float64(after.Removed)},
		"timer.lateness.sum":   {before.SumLate.Seconds(), after.SumLate.Seconds()},
		"handler.duration.sum": {before.SumRun.Seconds(), after.SumRun.Seconds()},
	} {
		if v(name) < limits[0] || v(name) > limits[1] {
			return fmt.Errorf("%s: %v, not between %v and %v", name, v(name), limits[0], limits[1])
		}
	}
	return nil
}
