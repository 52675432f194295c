package timerwheel

import (
	"context"
	"runtime/pprof"
	"runtime/trace"
)

// This file makes profiles and execution traces show handlers, with Debug: a goroutine
// that runs a handler has the label "timer" with the name of its function, and an
// execution trace has a region of that name.
//
// On a Manual wheel there is no label: the goroutine is the host's, and package pprof does
// not say which labels it has, so they could not be restored after the handler.

// instrumented returns a handler that calls f, and shows that in profiles and traces.
func (w *Wheel) instrumented(f, arg any) func(Timer) {
	pc := code(f)
	return func(t Timer) {
		l := w.labelOf(pc)
		if !w.manual {
			defer pprof.SetGoroutineLabels(context.Background()) // however the handler ends
			pprof.SetGoroutineLabels(l.labels)
		}
		if trace.IsEnabled() {
			defer trace.StartRegion(l.labels, l.name).End()
			trace.Log(l.labels, "timer", t.String())
		}
		call(f, arg, t)
	}
}

// A label is the name of a handler, as profiles show it.
type label struct {
	name   string
	labels context.Context
}

// labelOf returns the label of a handler, by its code. There are no more labels than the
// program has functions.
func (w *Wheel) labelOf(pc uintptr) *label {
	if l, ok := w.labels.Load(pc); ok {
		return l.(*label)
	}
	name := codeName(pc)
	l, _ := w.labels.LoadOrStore(pc, &label{
		name:   name,
		labels: pprof.WithLabels(context.Background(), pprof.Labels("timer", name)),
	})
	return l.(*label)
}
