package prom_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
)

// These tests scrape as Prometheus does: over HTTP, in each of the formats that it negotiates.

// ---- A scrape ----

// A scrape holds the metrics of one wheel that an HTTP request returned.
type scrape struct {
	values     map[string]float64 // of counters and gauges, by sample name
	histograms map[string]*dto.Histogram
	kinds      map[string]dto.MetricType
}

const (
	lateness = "timerwheel_lateness_seconds"
	runTime  = "timerwheel_handler_seconds"
)

// A format is a format that Prometheus may request.
type format struct {
	name, accept, answer string
	read                 func(body []byte) (*scrape, error)
}

var formats = []format{
	{"text", string(expfmt.FmtText), "text/plain; version=0.0.4", readText},
	{"OpenMetrics", string(expfmt.FmtOpenMetrics_1_0_0), "application/openmetrics-text; version=1.0.0", readOpenMetrics},
	{"protobuf", string(expfmt.FmtProtoDelim), "application/vnd.google.protobuf", readProtobuf},
}

// serve serves a registry's metrics on the loopback interface.
func serve(t *testing.T, reg *prometheus.Registry) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(promhttp.HandlerFor(reg, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	t.Cleanup(server.Close)
	return server
}

// get scrapes once.
func (f *format) get(server *httptest.Server) (*scrape, error) {
	request, err := http.NewRequest(http.MethodGet, server.URL, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", f.accept)
	response, err := server.Client().Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if got := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || !strings.HasPrefix(got, f.answer) {
		return nil, fmt.Errorf("%s, %s:\n%s", response.Status, got, body)
	}
	return f.read(body)
}

func readText(body []byte) (*scrape, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	s := newScrape()
	for _, f := range families {
		if err := s.add(f); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// counters finds the counters of an OpenMetrics text.
var counters = regexp.MustCompile(`(?m)^# TYPE (\w+) counter$`)

// readOpenMetrics reads the OpenMetrics format. It differs from text in two points: it ends
// with a mark, and the name of a counter's family lacks the _total of its sample.
func readOpenMetrics(body []byte) (*scrape, error) {
	text, ended := strings.CutSuffix(string(body), "# EOF\n")
	if !ended {
		return nil, errors.New("the end mark is missing")
	}
	for _, match := range counters.FindAllStringSubmatch(text, -1) {
		family := match[1]
		if strings.HasSuffix(family, "_total") {
			return nil, fmt.Errorf("a counter's family has the name %q", family)
		}
		for _, about := range []string{"# HELP ", "# TYPE "} {
			text = strings.Replace(text, about+family+" ", about+family+"_total ", 1)
		}
	}
	return readText([]byte(text))
}

func readProtobuf(body []byte) (*scrape, error) {
	decoder := expfmt.NewDecoder(bytes.NewReader(body), expfmt.FmtProtoDelim)
	s := newScrape()
	for {
		var f dto.MetricFamily
		switch err := decoder.Decode(&f); {
		case errors.Is(err, io.EOF):
			return s, nil
		case err != nil:
			return nil, err
		}
		if err := s.add(&f); err != nil {
			return nil, err
		}
	}
}

func newScrape() *scrape {
	return &scrape{
		values:     make(map[string]float64),
		histograms: make(map[string]*dto.Histogram),
		kinds:      make(map[string]dto.MetricType),
	}
}

// add adds a family, which must have the metric of one wheel.
func (s *scrape) add(f *dto.MetricFamily) error {
	if len(f.GetMetric()) != 1 || f.GetHelp() == "" {
		return fmt.Errorf("not exactly one metric, or no help: %v", f)
	}
	m := f.GetMetric()[0]
	switch s.kinds[f.GetName()] = f.GetType(); f.GetType() {
	case dto.MetricType_COUNTER:
		s.values[f.GetName()] = m.GetCounter().GetValue()
	case dto.MetricType_GAUGE:
		s.values[f.GetName()] = m.GetGauge().GetValue()
	case dto.MetricType_HISTOGRAM:
		s.histograms[f.GetName()] = m.GetHistogram()
	default:
		return fmt.Errorf("neither counter nor gauge nor histogram: %v", f)
	}
	return nil
}

// cumulative returns, for each bucket, the sum of it and the buckets before it.
func cumulative(buckets []uint64) (counts []uint64) {
	sum := uint64(0)
	for _, n := range buckets {
		sum += n
		counts = append(counts, sum)
	}
	return counts
}

// counts returns the counts of a histogram's buckets, including the last one, without bound.
func (s *scrape) counts(histogram string) (counts []uint64) {
	h := s.histograms[histogram]
	for _, b := range h.GetBucket() {
		if !math.IsInf(b.GetUpperBound(), 1) { // only text contains the last bucket
			counts = append(counts, b.GetCumulativeCount())
		}
	}
	return append(counts, h.GetSampleCount())
}

// ---- The tests ----

func TestScrapeMatchesStats(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	server := serve(t, register(t, w, "w"))

	// Some of every event, also misuse, and a handler in flight with a deletion that waits.
	for range 100 {
		w.AfterFunc(0, func() {})
		w.AfterFunc(time.Hour, func() {})
		w.AfterFunc(time.Hour, func() {}).Stop()
	}
	freed := w.Alloc(func(timerwheel.Timer) {})
	require.NoError(t, freed.Free())
	require.ErrorIs(t, freed.Free(), timerwheel.ErrStale)
	require.ErrorIs(t, freed.Retain(), timerwheel.ErrStale)
	end := make(chan struct{})
	blocked := w.Alloc(func(timerwheel.Timer) { <-end })
	require.NoError(t, blocked.Register(0))
	require.Eventually(t, func() bool { return w.Stats().Fired == 101 && blocked.Running() }, time.Minute, time.Millisecond)
	deleted := make(chan struct{})
	go func() { defer close(deleted); _, _ = blocked.DelSync() }()
	t.Cleanup(func() { close(end); <-deleted })
	require.Eventually(t, func() bool {
		running := w.Running()
		return len(running) == 1 && running[0].Waiters == 1 && w.Stats().Workers == 1
	}, time.Minute, time.Millisecond)
	require.ErrorIs(t, blocked.Register(0), timerwheel.ErrDeleting)

	for _, f := range formats {
		t.Run(f.name, func(t *testing.T) {
			before, since := w.Stats(), w.Running()[0].Since
			youngest := w.Now().Sub(since)
			got, err := f.get(server)
			require.NoError(t, err)
			eldest := w.Now().Sub(since)
			require.Equal(t, before, w.Stats(), "the wheel changed during the scrape")

			oldest := got.values["timerwheel_handler_oldest_seconds"]
			require.GreaterOrEqual(t, oldest, youngest.Seconds())
			require.LessOrEqual(t, oldest, eldest.Seconds())
			delete(got.values, "timerwheel_handler_oldest_seconds")
			require.Equal(t, map[string]float64{
				"timerwheel_timers_live":                 float64(before.Live),
				"timerwheel_timers_pending":              100,
				"timerwheel_due":                         0,
				"timerwheel_max_workers":                 256,
				"timerwheel_timers_registered_total":     301,
				"timerwheel_timers_fired_total":          101,
				"timerwheel_timers_removed_total":        100,
				"timerwheel_registrations_refused_total": 1,
				"timerwheel_sync_waits_total":            1,
				"timerwheel_misuses_total":               2,
				"timerwheel_deletions_waiting":           1,
				"timerwheel_handlers_running":            1,
				"timerwheel_workers":                     1,
				"timerwheel_handler_longest_seconds":     before.MaxRun.Seconds(),
				"timerwheel_lateness_max_seconds":        before.MaxLate.Seconds(),
				"timerwheel_storage_bytes":               float64(before.Bytes),
			}, got.values)
			require.Equal(t, cumulative(before.Lateness[:]), got.counts(lateness))
			require.EqualValues(t, 101, got.histograms[lateness].GetSampleCount())
			require.Equal(t, before.SumLate.Seconds(), got.histograms[lateness].GetSampleSum())
			require.Equal(t, cumulative(before.RunTime[:]), got.counts(runTime))
			require.EqualValues(t, 100, got.histograms[runTime].GetSampleCount(), "one handler still runs")
			require.Equal(t, before.SumRun.Seconds(), got.histograms[runTime].GetSampleSum())
			require.Len(t, got.histograms, 2)
			for name, kind := range got.kinds {
				want := dto.MetricType_GAUGE
				switch {
				case strings.HasSuffix(name, "_total"):
					want = dto.MetricType_COUNTER
				case name == lateness || name == runTime:
					want = dto.MetricType_HISTOGRAM
				}
				require.Equal(t, want, kind, name)
			}
		})
	}
}

// Each scrape adds up while the wheel is busy: it counts no event twice, omits none, and is taken
// during the request.
func TestScrapesUnderLoadAddUp(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	server := serve(t, register(t, w, "w"))
	var stop atomic.Bool
	var load sync.WaitGroup
	defer load.Wait()
	defer stop.Store(true)
	for range 2 {
		load.Go(func() {
			for !stop.Load() {
				churn(w)
			}
		})
	}

	var scrapers sync.WaitGroup
	for _, f := range formats {
		scrapers.Go(func() {
			moved := 0
			for range 50 {
				before := w.Stats()
				got, err := f.get(server)
				after := w.Stats()
				if err == nil {
					err = got.addsUp(before, after)
				}
				if err != nil {
					t.Errorf("%s: %v", f.name, err)
					return
				}
				if after.Fired > before.Fired && after.Removed > before.Removed && after.Refused > before.Refused {
					moved++
				}
			}
			if moved == 0 {
				t.Errorf("%s: nothing happened during any scrape", f.name)
			}
		})
	}
	scrapers.Wait()
}

// churn calls a mixture of timer verbs without a pause, so that two readings at different
// instants differ.
func churn(w *timerwheel.Wheel) {
	t := w.Alloc(func(t timerwheel.Timer) { _ = t.Register(rand.N(time.Millisecond)) })
	_ = t.Register(0)
	for range 100 {
		w.AfterFunc(rand.N(2*time.Millisecond), func() {}).Stop()
		w.AfterFunc(0, func() {})
		_ = t.Register(rand.N(time.Millisecond))
	}
	_, _ = t.DelSync()
	_, _ = t.ShutdownSync()
	_ = t.Register(0) // refused
	_ = t.Free()
}

// addsUp returns an error if the law does not hold in a scrape that was made between two
// Stats, or if a value is not between theirs.
func (s *scrape) addsUp(before, after timerwheel.Stats) error {
	v := func(name string) uint64 { return uint64(s.values["timerwheel_"+name]) }
	registered, fired, removed := v("timers_registered_total"), v("timers_fired_total"), v("timers_removed_total")
	if registered != fired+removed+v("timers_pending") {
		return fmt.Errorf("registered %d != fired %d + removed %d + pending %d", registered, fired, removed, v("timers_pending"))
	}
	for _, c := range []struct {
		histogram           string
		count               uint64
		before, after       [25]uint64
		sumBefore, sumAfter time.Duration
	}{
		{lateness, fired, before.Lateness, after.Lateness, before.SumLate, after.SumLate},
		{runTime, fired - v("handlers_running"), before.RunTime, after.RunTime, before.SumRun, after.SumRun},
	} {
		h := s.histograms[c.histogram]
		if h.GetSampleCount() != c.count {
			return fmt.Errorf("%s counts %d instead of %d", c.histogram, h.GetSampleCount(), c.count)
		}
		if sum := h.GetSampleSum(); sum < c.sumBefore.Seconds() || sum > c.sumAfter.Seconds() {
			return fmt.Errorf("the sum of %s is %v, not between %v and %v", c.histogram, sum, c.sumBefore, c.sumAfter)
		}
		counts, low, high := s.counts(c.histogram), cumulative(c.before[:]), cumulative(c.after[:])
		if len(counts) != len(low) {
			return fmt.Errorf("%s has %d buckets", c.histogram, len(counts))
		}
		for k, n := range counts {
			if n < low[k] || n > high[k] || k > 0 && n < counts[k-1] {
				return fmt.Errorf("bucket %d of %s is %d, not between %d and %d: %v", k, c.histogram, n, low[k], high[k], counts)
			}
		}
	}
	for _, c := range []struct {
		name               string
		before, got, after float64
	}{
		{"registered", float64(before.Registered), float64(registered), float64(after.Registered)},
		{"fired", float64(before.Fired), float64(fired), float64(after.Fired)},
		{"removed", float64(before.Removed), float64(removed), float64(after.Removed)},
		{"refused", float64(before.Refused), float64(v("registrations_refused_total")), float64(after.Refused)},
		{"waits", float64(before.SyncWaits), float64(v("sync_waits_total")), float64(after.SyncWaits)},
		{"latest", before.MaxLate.Seconds(), s.values["timerwheel_lateness_max_seconds"], after.MaxLate.Seconds()},
		{"longest", before.MaxRun.Seconds(), s.values["timerwheel_handler_longest_seconds"], after.MaxRun.Seconds()},
	} {
		if c.got < c.before || c.got > c.after {
			return fmt.Errorf("%s: %v, not between %v and %v", c.name, c.got, c.before, c.after)
		}
	}
	return nil
}
