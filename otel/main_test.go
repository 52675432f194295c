package timerwheelotel_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	timerwheelotel "github.com/seed76848005/timerwheel/otel"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/goleak"
)

// TestMain fails the package if any test leaves a goroutine behind.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// openWheel makes a wheel and closes it at the end of the test.
func openWheel(t *testing.T, o timerwheel.Options) *timerwheel.Wheel {
	t.Helper()
	w, err := timerwheel.New(o)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := w.CloseContext(ctx); err != nil && !t.Failed() {
			t.Errorf("the wheel does not close: %v", err)
		}
	})
	return w
}

// newProvider returns a provider, and the reader that collects from it.
func newProvider(t *testing.T) (*sdk.MeterProvider, *sdk.ManualReader) {
	t.Helper()
	reader := sdk.NewManualReader()
	provider := sdk.NewMeterProvider(sdk.WithReader(reader))
	t.Cleanup(func() { require.NoError(t, provider.Shutdown(context.Background())) })
	return provider, reader
}

func register(t *testing.T, provider metric.MeterProvider, w *timerwheel.Wheel, name string) metric.Registration {
	t.Helper()
	r, err := timerwheelotel.Register(provider, w, name)
	require.NoError(t, err)
	return r
}

// A collection holds the values that a reader collected: by wheel, then by instrument. A
// bucket is named as Prometheus names it: timerwheel.timer.lateness.bucket{le="1"}.
type collection map[string]map[string]float64

func (c collection) add(attributes attribute.Set, instrument string, value float64) {
	wheel, _ := attributes.Value(timerwheelotel.NameKey)
	if le, ok := attributes.Value("le"); ok {
		instrument += "{le=" + strconv.Quote(le.AsString()) + "}"
	}
	if c[wheel.AsString()] == nil {
		c[wheel.AsString()] = make(map[string]float64)
	}
	c[wheel.AsString()][instrument] = value
}

// collect returns what the reader gets, and the instruments by their names.
func collect(t *testing.T, reader sdk.Reader) (collection, map[string]metricdata.Metrics) {
	t.Helper()
	var data metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(context.Background(), &data))
	values, instruments := make(collection), make(map[string]metricdata.Metrics)
	for _, scope := range data.ScopeMetrics {
		require.Equal(t, timerwheelotel.ScopeName, scope.Scope.Name)
		for _, m := range scope.Metrics {
			instruments[m.Name] = m
			values.addAll(t, m)
		}
	}
	return values, instruments
}

func (c collection) addAll(t *testing.T, m metricdata.Metrics) {
	t.Helper()
	switch data := m.Data.(type) {
	case metricdata.Sum[int64]:
		for _, p := range data.DataPoints {
			c.add(p.Attributes, m.Name, float64(p.Value))
		}
	case metricdata.Sum[float64]:
		for _, p := range data.DataPoints {
			c.add(p.Attributes, m.Name, p.Value)
		}
	case metricdata.Gauge[float64]:
		for _, p := range data.DataPoints {
			c.add(p.Attributes, m.Name, p.Value)
		}
	default:
		t.Fatalf("%s is a %T", m.Name, data)
	}
}
