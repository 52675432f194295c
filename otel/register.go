// Package timerwheelotel exports the Stats of a timing wheel as OpenTelemetry metrics.
//
//	registration, err := timerwheelotel.Register(provider, w, "sessions")
//
// It is a module of its own, so programs without OpenTelemetry do not get its
// dependencies. It needs OpenTelemetry's API only, and not its SDK.
package timerwheelotel

import (
	"context"
	"errors"
	"sync"

	"github.com/seed76848005/timerwheel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/embedded"
)

// ScopeName names the meter, and so the instrumentation scope of the metrics.
const ScopeName = "github.com/seed76848005/timerwheel/otel"

// NameKey is the key of the attribute that tells wheels apart.
const NameKey = attribute.Key("timerwheel.name")

// Register adds the wheel's metrics to the provider. They have the attribute
// timerwheel.name, so a program with several wheels calls Register once for each, with
// another name each time: OpenTelemetry adds up figures that have the same attributes. The
// README lists the instruments.
//
// Each collection of a reader calls [timerwheel.Wheel.Stats] once, so in each collection
//
//	timerwheel.timer.scheduled ==
//		timerwheel.timer.expired + timerwheel.timer.stopped + timerwheel.timer.pending
//
// Only timerwheel.handler.oldest and timerwheel.deletion.waiting come from
// [timerwheel.Wheel.Running], a moment later.
//
// Readers may collect from several goroutines at once, and from handlers. A closed wheel
// keeps reporting its last figures. To end the reports, call Unregister: after that nothing
// here keeps the wheel from being garbage collected. Further calls of Unregister do nothing.
//
// Register returns an error if the provider or the wheel is nil, and an error of the
// provider's. It has then registered nothing.
func Register(provider metric.MeterProvider, w *timerwheel.Wheel, name string) (metric.Registration, error) {
	if provider == nil || w == nil {
		return nil, errors.New("timerwheelotel: Register with a nil MeterProvider or a nil Wheel")
	}
	o := newObserver(w, name)
	meter := provider.Meter(ScopeName)
	observables, err := o.makeInstruments(meter)
	if err != nil {
		return nil, err
	}
	inner, err := meter.RegisterCallback(o.observe, observables...)
	if err != nil {
		if inner != nil {
			err = errors.Join(err, inner.Unregister())
		}
		return nil, err
	}
	return &registration{inner: inner}, nil
}

// A registration lets go of the provider's one when it ends: that of the SDK keeps the
// callback, and so the wheel, for as long as somebody keeps the registration.
type registration struct {
	embedded.Registration

	mu    sync.Mutex
	inner metric.Registration // nil after Unregister
}

func (r *registration) Unregister() error {
	r.mu.Lock()
	inner := r.inner
	r.inner = nil
	r.mu.Unlock()
	if inner == nil {
		return nil
	}
	return inner.Unregister()
}

// An observer reports one wheel.
type observer struct {
	wheel *timerwheel.Wheel

	counts  []metric.Int64Observable   // of the table counts, in the same order
	times   []metric.Float64Observable // of the table times, in the same order
	buckets []metric.Int64Observable   // of the table histograms, in the same order

	// The options are made once: a collection uses them again and again.
	named   []metric.ObserveOption
	bounded [][]metric.ObserveOption // one for each bucket
}

func newObserver(w *timerwheel.Wheel, name string) *observer {
	wheel := NameKey.String(name)
	o := &observer{wheel: w, named: options(wheel)}
	for _, bound := range bounds() {
		o.bounded = append(o.bounded, options(wheel, attribute.String("le", bound)))
	}
	return o
}

func options(attributes ...attribute.KeyValue) []metric.ObserveOption {
	return []metric.ObserveOption{metric.WithAttributeSet(attribute.NewSet(attributes...))}
}

func (o *observer) observe(_ context.Context, to metric.Observer) error {
	r := read(o.wheel)
	for k, c := range counts {
		to.ObserveInt64(o.counts[k], c.value(&r), o.named...)
	}
	for k, t := range times {
		to.ObserveFloat64(o.times[k], t.value(&r).Seconds(), o.named...)
	}
	for k, h := range histograms {
		sum := int64(0)
		for i, n := range h.value(&r) {
			sum += int64(n)
			to.ObserveInt64(o.buckets[k], sum, o.bounded[i]...)
		}
	}
	return nil
}
