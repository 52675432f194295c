package timerwheelotel

import (
	"strconv"
	"time"

	"github.com/seed76848005/timerwheel"
	"go.opentelemetry.io/otel/metric"
)

// A reading holds the values that one collection reads from a wheel.
type reading struct {
	timerwheel.Stats
	oldest  time.Duration // how long the oldest handler in flight has been running
	waiting int           // deletions that wait
}

func read(w *timerwheel.Wheel) reading {
	r := reading{Stats: w.Stats()}
	for _, h := range w.Running() {
		r.oldest = max(r.oldest, w.Now().Sub(h.Since))
		r.waiting += h.Waiters
	}
	return r
}

// A kind says which instrument an entry of a table is. What can be added up over several
// wheels is a counter, or an up-down counter. A gauge cannot be added up.
type kind int

const (
	counter kind = iota
	upDown
	gauge
)

// counts lists the instruments that count things.
var counts = []struct {
	name, unit, help string
	kind             kind
	value            func(*reading) int64
}{
	{"timerwheel.timer.scheduled", "{timer}", "Times that a timer became pending; a move of a pending timer does not count.", counter,
		func(r *reading) int64 { return int64(r.Registered) }},
	{"timerwheel.timer.expired", "{timer}", "Timers that expired: handlers begun.", counter,
		func(r *reading) int64 { return int64(r.Fired) }},
	{"timerwheel.timer.stopped", "{timer}", "Timers that a deletion or Close stopped before they expired.", counter,
		func(r *reading) int64 { return int64(r.Removed) }},
	{"timerwheel.timer.pending", "{timer}", "Timers that are pending.", upDown,
		func(r *reading) int64 { return int64(r.Pending) }},
	{"timerwheel.timer.due", "{timer}", "Timers that are due and have not begun.", upDown,
		func(r *reading) int64 { return int64(r.Due) }},
	{"timerwheel.timer.count", "{timer}", "Timers that have not been recycled.", upDown,
		func(r *reading) int64 { return int64(r.Live) }},
	{"timerwheel.timer.refusals", "{refusal}", "Registrations refused, for whatever reason.", counter,
		func(r *reading) int64 { return int64(r.Refused) }},
	{"timerwheel.timer.misuses", "{misuse}", "Uses of timers after their end; with Debug, also timers that were never freed.", counter,
		func(r *reading) int64 { return int64(r.Misuses) }},
	{"timerwheel.deletion.waits", "{wait}", "Deletions that had to wait for a handler.", counter,
		func(r *reading) int64 { return int64(r.SyncWaits) }},
	{"timerwheel.deletion.waiting", "{deletion}", "Deletions that wait for a handler.", upDown,
		func(r *reading) int64 { return int64(r.waiting) }},
	{"timerwheel.handler.running", "{handler}", "Handlers in flight.", upDown,
		func(r *reading) int64 { return int64(r.Running) }},
	{"timerwheel.worker.count", "{goroutine}", "Goroutines of the wheel.", upDown,
		func(r *reading) int64 { return int64(r.Workers) }},
	{"timerwheel.worker.limit", "{goroutine}", "Options.MaxWorkers: the most handlers that run at once.", upDown,
		func(r *reading) int64 { return int64(r.MaxWorkers) }},
	{"timerwheel.memory.used", "By", "Storage held for timers.", upDown,
		func(r *reading) int64 { return r.Bytes }},
}

// times lists the instruments that measure time. Their unit is the second.
var times = []struct {
	name, help string
	kind       kind
	value      func(*reading) time.Duration
}{
	{"timerwheel.timer.lateness.sum", "How long after their deadlines handlers began, in total.", counter,
		func(r *reading) time.Duration { return r.SumLate }},
	{"timerwheel.timer.lateness.max", "The worst start of a handler after its deadline.", gauge,
		func(r *reading) time.Duration { return r.MaxLate }},
	{"timerwheel.handler.duration.sum", "How long the handlers that have ended ran, in total.", counter,
		func(r *reading) time.Duration { return r.SumRun }},
	{"timerwheel.handler.duration.max", "The longest run of a handler that has ended.", gauge,
		func(r *reading) time.Duration { return r.MaxRun }},
	{"timerwheel.handler.oldest", "How long the oldest handler in flight has been running, 0 if there is none.", gauge,
		func(r *reading) time.Duration { return r.oldest }},
}

// histograms lists the histograms. OpenTelemetry has no observable histogram, so each is a
// counter with the attribute le, as Prometheus stores it: the bucket counts all values of at
// most le seconds.
var histograms = []struct {
	name, help string
	value      func(*reading) []uint64
}{
	{"timerwheel.timer.lateness.bucket", "Handlers that began at most le seconds after their deadlines.",
		func(r *reading) []uint64 { return r.Lateness[:] }},
	{"timerwheel.handler.duration.bucket", "Handlers that have ended, and ran for at most le seconds.",
		func(r *reading) []uint64 { return r.RunTime[:] }},
}

// bounds returns the values of le. Bucket k of Stats counts what is less than 2^k µs, and le
// means at most. The wheel measures whole nanoseconds, so the bounds are exactly 2^k µs - 1 ns.
// The last bucket of Stats has no bound.
func bounds() []string {
	var s timerwheel.Stats
	all := make([]string, len(s.Lateness))
	for k := range all {
		bound := time.Microsecond<<k - time.Nanosecond
		all[k] = strconv.FormatFloat(bound.Seconds(), 'g', -1, 64)
	}
	all[len(all)-1] = "+Inf"
	return all
}

// makeInstruments makes the instruments of all tables, and returns them.
func (o *observer) makeInstruments(meter metric.Meter) (all []metric.Observable, err error) {
	for _, c := range counts {
		i, err := integers(meter, c.kind, c.name, c.unit, c.help)
		if err != nil {
			return nil, err
		}
		o.counts, all = append(o.counts, i), append(all, i)
	}
	for _, t := range times {
		i, err := seconds(meter, t.kind, t.name, t.help)
		if err != nil {
			return nil, err
		}
		o.times, all = append(o.times, i), append(all, i)
	}
	for _, h := range histograms {
		i, err := integers(meter, counter, h.name, "{handler}", h.help)
		if err != nil {
			return nil, err
		}
		o.buckets, all = append(o.buckets, i), append(all, i)
	}
	return all, nil
}

func integers(meter metric.Meter, k kind, name, unit, help string) (metric.Int64Observable, error) {
	u, h := metric.WithUnit(unit), metric.WithDescription(help)
	if k == counter {
		return meter.Int64ObservableCounter(name, u, h)
	}
	return meter.Int64ObservableUpDownCounter(name, u, h)
}

func seconds(meter metric.Meter, k kind, name, help string) (metric.Float64Observable, error) {
	u, h := metric.WithUnit("s"), metric.WithDescription(help)
	if k == counter {
		return meter.Float64ObservableCounter(name, u, h)
	}
	return meter.Float64ObservableGauge(name, u, h)
}
