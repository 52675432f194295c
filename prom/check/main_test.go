// Package check tests the alerts and the dashboard of package prom with Prometheus' parser
// and engine. It is a module of its own, because Prometheus is large.
package check

import (
	"context"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/teststorage"
	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/prom"
	"github.com/stretchr/testify/require"
)

// scrapeInterval is that of all tests. The alerts are evaluated as often.
const scrapeInterval = 15 * time.Second

var promQL = parser.NewParser(parser.Options{})

// ---- Scrapes of real wheels ----

// A scrape holds what a wheel exported at one time.
type scrape struct {
	at       time.Duration // since the first one
	families []*dto.MetricFamily
}

// record scrapes a wheel for some time, while use runs. The wheel is in a bubble, so an hour takes
// a moment.
func record(t *testing.T, o timerwheel.Options, duration time.Duration, use func(w *timerwheel.Wheel)) []scrape {
	t.Helper()
	var scrapes []scrape
	synctest.Test(t, func(t *testing.T) {
		w, err := timerwheel.New(o)
		require.NoError(t, err)
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(prom.NewCollector(w, "sessions"))
		used := make(chan struct{})
		go func() { defer close(used); use(w) }()
		for at := time.Duration(0); at <= duration; at += scrapeInterval {
			synctest.Wait()
			families, err := registry.Gather()
			require.NoError(t, err)
			scrapes = append(scrapes, scrape{at, families})
			time.Sleep(scrapeInterval)
		}
		<-used
		require.NoError(t, w.CloseContext(context.Background()))
	})
	return scrapes
}

// store returns a storage that holds the scrapes as Prometheus would.
func store(t *testing.T, scrapes []scrape) storage.Storage {
	t.Helper()
	s := teststorage.New(t)
	for _, sc := range scrapes {
		app := s.Appender(t.Context())
		for name, value := range series(sc.families) {
			_, err := app.Append(0, name, sc.at.Milliseconds(), value)
			require.NoError(t, err)
		}
		require.NoError(t, app.Commit())
	}
	return s
}

// series yields the series of a scrape, with the labels that Prometheus adds.
func series(families []*dto.MetricFamily) func(yield func(labels.Labels, float64) bool) {
	return func(yield func(labels.Labels, float64) bool) {
		for _, f := range families {
			for _, m := range f.GetMetric() {
				for suffix, value := range values(m) {
					name, le, _ := strings.Cut(suffix, " ")
					b := labels.NewBuilder(labels.FromStrings("job", "app", "instance", "host:1"))
					b.Set(model.MetricNameLabel, f.GetName()+name).Set("le", le)
					for _, l := range m.GetLabel() {
						b.Set(l.GetName(), l.GetValue())
					}
					if !yield(b.Labels(), value) {
						return
					}
				}
			}
		}
	}
}

// values returns a metric's values by the suffix of their names, that of a bucket with a
// space and its bound.
func values(m *dto.Metric) map[string]float64 {
	switch h := m.GetHistogram(); {
	case h != nil:
		all := map[string]float64{"_sum": h.GetSampleSum(), "_count": float64(h.GetSampleCount())}
		for _, b := range h.GetBucket() {
			all["_bucket "+bound(b.GetUpperBound())] = float64(b.GetCumulativeCount())
		}
		all["_bucket "+bound(math.Inf(1))] = float64(h.GetSampleCount())
		return all
	case m.GetCounter() != nil:
		return map[string]float64{"": m.GetCounter().GetValue()}
	default:
		return map[string]float64{"": m.GetGauge().GetValue()}
	}
}

func bound(le float64) string { return strconv.FormatFloat(le, 'g', -1, 64) }

// ---- Expressions ----

// exported returns the names of all series that the collector exports.
func exported(t *testing.T) []string {
	t.Helper()
	names := make(map[string]bool)
	for _, sc := range record(t, timerwheel.Options{}, 0, func(*timerwheel.Wheel) {}) {
		for l := range series(sc.families) {
			names[l.Get(model.MetricNameLabel)] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// selectors returns the selectors of an expression: which metrics it reads.
func selectors(t *testing.T, expression string) []*parser.VectorSelector {
	t.Helper()
	parsed, err := promQL.ParseExpr(expression)
	require.NoError(t, err, expression)
	var all []*parser.VectorSelector
	parser.Inspect(parsed, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			all = append(all, s)
		}
		return nil
	})
	require.NotEmpty(t, all, expression)
	return all
}

// blocks returns the blocks of a language in a Markdown text.
func blocks(text, language string) []string {
	var all []string
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}
