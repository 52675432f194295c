// Package prom exports the Stats of a timing wheel as Prometheus metrics.
//
//	reg.MustRegister(prom.NewCollector(w, "sessions"))
//
// It is a module of its own, so programs without Prometheus do not get its
// dependencies.
package prom

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/seed76848005/timerwheel"
)

// NewCollector returns a Collector of the wheel's metrics. They have the constant
// label wheel="name", so a program with several wheels registers one Collector for
// each. Register returns an error if a Collector with the same name is registered
// already, or if the name is not UTF-8. To add labels or a prefix, use
// prometheus.WrapRegistererWith or prometheus.WrapRegistererWithPrefix.
//
// Each Collect calls [timerwheel.Wheel.Stats] once, so in each scrape
//
//	timerwheel_timers_registered_total ==
//		timerwheel_timers_fired_total + timerwheel_timers_removed_total + timerwheel_timers_pending
//
// The count of timerwheel_lateness_seconds is timerwheel_timers_fired_total. The count
// of timerwheel_handler_seconds is timerwheel_timers_fired_total less
// timerwheel_handlers_running. Only timerwheel_handler_oldest_seconds and
// timerwheel_deletions_waiting come from [timerwheel.Wheel.Running], a moment later.
//
// The Collector is safe for use by several goroutines at once, by handlers too. It also
// works on a closed wheel, whose counters keep their values. A registered Collector
// keeps its wheel from being garbage collected.
//
// NewCollector panics if the wheel is nil.
func NewCollector(w *timerwheel.Wheel, name string) prometheus.Collector {
	if w == nil {
		panic("prom: NewCollector with a nil Wheel")
	}
	c := &collector{wheel: w, descs: make([]*prometheus.Desc, len(metrics))}
	desc := func(metric, help string) *prometheus.Desc {
		return prometheus.NewDesc("timerwheel_"+metric, help, nil, prometheus.Labels{"wheel": name})
	}
	for k, m := range metrics {
		c.descs[k] = desc(m.name, m.help)
	}
	c.lateness = desc("lateness_seconds", "How long after their deadlines handlers began.")
	c.runTime = desc("handler_seconds", "How long the handlers that have ended ran.")
	return c
}

type collector struct {
	wheel    *timerwheel.Wheel
	descs    []*prometheus.Desc // of metrics, in the same order
	lateness *prometheus.Desc
	runTime  *prometheus.Desc
}

// A reading holds the values that one Collect reads from the wheel.
type reading struct {
	timerwheel.Stats
	oldest  time.Duration // how long the oldest handler in flight has been running
	waiting int           // deletions that wait
}

// metrics lists all metrics of a wheel except the histograms.
var metrics = []struct {
	name, help string
	kind       prometheus.ValueType
	value      func(*reading) float64
}{
	{"timers_live", "Timers that have not been recycled.", prometheus.GaugeValue,
		func(r *reading) float64 { return float64(r.Live) }},
	{"timers_pending", "Timers that are pending.", prometheus.GaugeValue,
		func(r *reading) float64 { return float64(r.Pending) }},
	{"due", "Timers that are due and have not begun.", prometheus.GaugeValue,
		func(r *reading) float64 { return float64(r.Due) }},
	{"timers_registered_total", "Times that a timer became pending; a move of a pending timer does not count.", prometheus.CounterValue,
		func(r *reading) float64 { return float64(r.Registered) }},
	{"timers_fired_total", "Handlers begun.", prometheus.CounterValue,
		func(r *reading) float64 { return float64(r.Fired) }},
	{"timers_removed_total", "Firings removed by a deletion or by Close.", prometheus.CounterValue,
		func(r *reading) float64 { return float64(r.Removed) }},
	{"registrations_refused_total", "Registrations refused, for whatever reason.", prometheus.CounterValue,
		func(r *reading) float64 { return float64(r.Refused) }},
	{"sync_waits_total", "Deletions that had to wait for a handler.", prometheus.CounterValue,
		func(r *reading) float64 { return float64(r.SyncWaits) }},
	{"misuses_total", "Uses of timers after their end; with Debug, also timers that were never freed.", prometheus.CounterValue,
		func(r *reading) float64 { return float64(r.Misuses) }},
	{"deletions_waiting", "Deletions that wait for a handler.", prometheus.GaugeValue,
		func(r *reading) float64 { return float64(r.waiting) }},
	{"handlers_running", "Handlers in flight.", prometheus.GaugeValue,
		func(r *reading) float64 { return float64(r.Running) }},
	{"handler_oldest_seconds", "How long the oldest handler in flight has been running, 0 if there is none.", prometheus.GaugeValue,
		func(r *reading) float64 { return r.oldest.Seconds() }},
	{"handler_longest_seconds", "The longest run of a handler that has ended.", prometheus.GaugeValue,
		func(r *reading) float64 { return r.MaxRun.Seconds() }},
	{"lateness_max_seconds", "The worst start of a handler after its deadline.", prometheus.GaugeValue,
		func(r *reading) float64 { return r.MaxLate.Seconds() }},
	{"workers", "Goroutines of the wheel.", prometheus.GaugeValue,
		func(r *reading) float64 { return float64(r.Workers) }},
	{"max_workers", "Options.MaxWorkers: the most handlers that run at once.", prometheus.GaugeValue,
		func(r *reading) float64 { return float64(r.MaxWorkers) }},
	{"storage_bytes", "Storage held for timers.", prometheus.GaugeValue,
		func(r *reading) float64 { return float64(r.Bytes) }},
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		ch <- d
	}
	ch <- c.lateness
	ch <- c.runTime
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	r := c.read()
	for k, m := range metrics {
		ch <- prometheus.MustNewConstMetric(c.descs[k], m.kind, m.value(&r))
	}
	ch <- prometheus.MustNewConstHistogram(c.lateness, r.Fired, r.SumLate.Seconds(), cumulative(r.Lateness[:]))
	ended := r.Fired - uint64(r.Running)
	ch <- prometheus.MustNewConstHistogram(c.runTime, ended, r.SumRun.Seconds(), cumulative(r.RunTime[:]))
}

func (c *collector) read() reading {
	r := reading{Stats: c.wheel.Stats()}
	for _, h := range c.wheel.Running() {
		r.oldest = max(r.oldest, c.wheel.Now().Sub(h.Since))
		r.waiting += h.Waiters
	}
	return r
}

// cumulative converts the buckets of a histogram of Stats to those of a Prometheus
// histogram. Bucket k of Stats counts the values that are less than 2^k µs and not in
// an earlier bucket. A bucket of Prometheus counts all values of at most its bound, in
// seconds. The wheel measures whole nanoseconds, so the bounds are exactly
// 2^k µs - 1 ns. The last bucket of Stats has no bound; Prometheus derives it from the
// count.
func cumulative(counts []uint64) map[float64]uint64 {
	buckets := make(map[float64]uint64, len(counts)-1)
	sum := uint64(0)
	for k, n := range counts[:len(counts)-1] {
		sum += n
		bound := time.Microsecond<<k - time.Nanosecond
		buckets[bound.Seconds()] = sum
	}
	return buckets
}
