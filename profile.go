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
// With or without Debug a goroutine of the wheel has no other labels. It begins without those
// that it inherits, from the goroutine that the runtime or a go statement has made it in, and
// a worker drops what a handler has set when the handler ends. Package pprof does not say
// which labels a goroutine has, so they are dropped after each run, whether there are any or
// not: that costs a fifth of a reading of the clock.
//
// On a Manual wheel all labels are left alone: the goroutine is the host's, and its labels
// could not be restored.

// instrumented returns a handler that calls f, and shows that in profiles and traces by the
// name of the function with the code pc.
func (w *Wheel) instrumented(pc uintptr, f, arg any) func(Timer) {
	return func(t Timer) {
		l := w.labelOf(pc)
		if !w.manual {
			pprof.SetGoroutineLabels(l.labels)
		}
		if trace.IsEnabled() {
			defer trace.StartRegion(l.labels, l.name).End()
			trace.Log(l.labels, "timer", t.String())
		}
		call(f, arg, t)
	}
}

// resetLabels drops the labels of the calling goroutine.
func resetLabels() { pprof.SetGoroutineLabels(context.Background()) }

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
