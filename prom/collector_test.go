package prom_test

import (
	"bytes"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"
	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/prom"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ---- The value of each metric ----

// scrapeStalledWheel returns what Prometheus gets from a wheel with one worker. The first
// of two handlers delayed the second by 29 s, and a deletion waits for the second. Another
// timer is due, and waits for the worker. The wheel is in a bubble, so all times are exact.
func scrapeStalledWheel(t *testing.T) (text string) {
	synctest.Test(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{MaxWorkers: 1})
		reg := register(t, w, "sessions")

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

		families, err := reg.Gather()
		require.NoError(t, err)
		var b bytes.Buffer
		for _, f := range families {
			_, err := expfmt.MetricFamilyToText(&b, f)
			require.NoError(t, err)
		}
		text = b.String()
	})
	return text
}

// storage matches the line of the storage, which depends on the machine: a wheel has as
// many shards as there are processors.
var storage = regexp.MustCompile(`(?m)^timerwheel_storage_bytes.* [1-9][0-9]*$`)

func TestMetrics(t *testing.T) {
	want, err := os.ReadFile("testdata/scrape.txt")
	require.NoError(t, err)
	got := scrapeStalledWheel(t)
	require.Regexp(t, storage, got)
	lines := func(text string) []string {
		return strings.Split(storage.ReplaceAllString(text, "timerwheel_storage_bytes"), "\n")
	}
	require.Equal(t, lines(string(want)), lines(got))
}

// A bucket counts exactly the handlers that began late by at most its bound, also where the
// lateness is a nanosecond from the next bucket.
func TestBucketsAreExactAtTheirBounds(t *testing.T) {
	start := time.Unix(0, 0)
	w := openWheel(t, timerwheel.Options{Manual: true, Start: start, Tick: time.Microsecond})
	var latenesses []time.Duration
	for k := range 26 {
		edge := time.Microsecond << k
		latenesses = append(latenesses, edge-1, edge, edge+1)
	}
	latenesses = append(latenesses, 0, 1, time.Hour)
	now, sum := start, 0.0
	for _, late := range latenesses {
		now = now.Truncate(time.Microsecond).Add(time.Millisecond) // the end of a tick, the earliest time at which the timer can fire
		require.NoError(t, w.Alloc(func(timerwheel.Timer) {}).RegisterAt(now))
		now = now.Add(late)
		fired, err := w.Advance(now)
		require.NoError(t, err)
		require.Equal(t, 1, fired)
		sum += late.Seconds()
	}

	h := metric(t, gather(t, register(t, w, "w")), "timerwheel_lateness_seconds").GetHistogram()
	require.EqualValues(t, len(latenesses), h.GetSampleCount())
	require.InDelta(t, sum, h.GetSampleSum(), 1e-6)
	require.Len(t, h.GetBucket(), len(w.Stats().Lateness)-1, "the last bucket is implied by the count")
	for k, b := range h.GetBucket() {
		bound := b.GetUpperBound()
		want := 0
		for _, late := range latenesses {
			if late.Seconds() <= bound {
				want++
			}
		}
		assert.EqualValues(t, want, b.GetCumulativeCount(), "at most %v s", bound)
		assert.Equal(t, math.Round(math.Exp2(float64(k))*1000-1), math.Round(bound*1e9), "bound %d, in ns", k)
	}
}

func TestMetricNamesFollowConventions(t *testing.T) {
	problems, err := testutil.GatherAndLint(register(t, openWheel(t, timerwheel.Options{}), "w"))
	require.NoError(t, err)
	require.Empty(t, problems)
}

// ---- Registering ----

func TestNamesDistinguishWheels(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	pending := map[string]int{"one": 1, "two": 2, "three": 3}
	for name, n := range pending {
		w := openWheel(t, timerwheel.Options{})
		for range n {
			w.AfterFunc(time.Hour, func() {})
		}
		require.NoError(t, reg.Register(prom.NewCollector(w, name)))
	}
	check := func() {
		t.Helper()
		for name, family := range gather(t, reg) {
			got := make(map[string]int)
			for _, m := range family.GetMetric() {
				require.Len(t, m.GetLabel(), 1, name)
				require.Equal(t, "wheel", m.GetLabel()[0].GetName(), name)
				got[m.GetLabel()[0].GetValue()] = int(m.GetGauge().GetValue())
			}
			require.Len(t, got, len(pending), name)
			if name == "timerwheel_timers_pending" {
				require.Equal(t, pending, got)
			}
		}
	}
	check()

	other := prom.NewCollector(openWheel(t, timerwheel.Options{}), "one")
	require.ErrorAs(t, reg.Register(other), new(prometheus.AlreadyRegisteredError))
	check()

	require.True(t, reg.Unregister(other), "Unregister identifies a Collector by its name")
	delete(pending, "one")
	check()
	require.NoError(t, reg.Register(other))
	pending["one"] = 0
	check()
}

func TestUnregister(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	c := prom.NewCollector(openWheel(t, timerwheel.Options{}), "w")
	require.NoError(t, reg.Register(c))
	require.NotEmpty(t, gather(t, reg))
	require.True(t, reg.Unregister(c))
	require.Empty(t, gather(t, reg))
}

func TestFurtherLabelsAndPrefix(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	wrapped := prometheus.WrapRegistererWithPrefix("app_", prometheus.WrapRegistererWith(prometheus.Labels{"zone": "a"}, reg))
	require.NoError(t, wrapped.Register(prom.NewCollector(openWheel(t, timerwheel.Options{}), "w")))
	require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP app_timerwheel_timers_live Timers that have not been recycled.
# TYPE app_timerwheel_timers_live gauge
app_timerwheel_timers_live{wheel="w",zone="a"} 0
`), "app_timerwheel_timers_live"))
}

func TestBadArgumentsFailBeforeTheFirstScrape(t *testing.T) {
	require.PanicsWithValue(t, "prom: NewCollector with a nil Wheel", func() { prom.NewCollector(nil, "w") })
	err := prometheus.NewRegistry().Register(prom.NewCollector(openWheel(t, timerwheel.Options{}), "\xff"))
	require.ErrorContains(t, err, "UTF-8")
}

// ---- Closed wheels and handlers ----

func TestClosedWheelKeepsItsCounters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		reg := register(t, w, "w")
		w.AfterFunc(time.Second, func() {})
		w.AfterFunc(time.Hour, func() {})
		time.Sleep(time.Minute)
		require.NoError(t, w.Close())
		require.False(t, w.AfterFunc(0, func() {}).Valid())

		got := gather(t, reg)
		counter := func(name string) float64 { return metric(t, got, name).GetCounter().GetValue() }
		require.EqualValues(t, 2, counter("timerwheel_timers_registered_total"))
		require.EqualValues(t, 1, counter("timerwheel_timers_fired_total"))
		require.EqualValues(t, 1, counter("timerwheel_timers_removed_total"))
		require.EqualValues(t, 1, counter("timerwheel_registrations_refused_total"))
		require.Zero(t, metric(t, got, "timerwheel_timers_pending").GetGauge().GetValue())
		require.EqualValues(t, 1, metric(t, got, "timerwheel_lateness_seconds").GetHistogram().GetSampleCount())
	})
}

// A handler may scrape the wheel that runs it. On a Manual wheel the age of a handler is in
// the wheel's time.
func TestHandlerMayCollect(t *testing.T) {
	start := time.Date(2000, 5, 21, 0, 0, 0, 0, time.UTC)
	w := openWheel(t, timerwheel.Options{Manual: true, Start: start})
	reg := register(t, w, "w")
	ran := false
	w.AfterFunc(time.Second, func() {
		ran = true
		got := gather(t, reg)
		gauge := func(name string) float64 { return metric(t, got, name).GetGauge().GetValue() }
		assert.EqualValues(t, 1, gauge("timerwheel_handlers_running"))
		assert.Zero(t, gauge("timerwheel_handler_oldest_seconds"))
		assert.EqualValues(t, 59, gauge("timerwheel_lateness_max_seconds"))
	})
	_, err := w.Advance(start.Add(time.Minute))
	require.NoError(t, err)
	require.True(t, ran)
}

// ---- The README ----

// The lines of a scrape in the README are those of scrapeStalledWheel, and the README names
// exactly the metrics that exist.
func TestREADMEMatchesTheScrape(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	scrape, err := os.ReadFile("testdata/scrape.txt")
	require.NoError(t, err)

	shown := 0
	for line := range strings.Lines(string(readme)) {
		if strings.HasPrefix(line, "timerwheel_") && strings.Contains(line, `{wheel="sessions"`) {
			require.Contains(t, string(scrape), "\n"+line)
			shown++
		}
	}
	require.Greater(t, shown, 10)
	for _, name := range regexp.MustCompile(`timerwheel_\w+`).FindAllString(string(readme), -1) {
		require.Contains(t, string(scrape), "\n"+name+"{", "the README's %s", name)
	}
	for _, name := range regexp.MustCompile(`(?m)^# TYPE (\w+)`).FindAllStringSubmatch(string(scrape), -1) {
		require.Contains(t, string(readme), name[1], "the README does not show it")
	}
}
