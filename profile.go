package timerwheel

import (
	"context"
	"runtime/pprof"
	"runtime/trace"
)

// This file is what profiles and execution traces show of handlers, with Debug: a
// goroutine that runs one has the label "timer" with the name of its function, and
// an execution trace has a region of that name.
//
// On a Manual wheel there is no label: the goroutine is the host's, and what labels
// it has, to be there again after the handler, package pprof does not tell.

// shown returns a function that does what a handler does, and shows that it does.
func instrumented(f, arg any, t Timer) func() {
	return func() {
		b := t.w.labelOf(code(f))
		if !t.w.manual {
			defer pprof.SetGoroutineLabels(context.Background()) // however the handler ends
			pprof.SetGoroutineLabels(b.labels)
		}
		if trace.IsEnabled() {
			defer trace.StartRegion(b.labels, b.name).End()
			trace.Log(b.labels, "timer", t.String())
		}
		call(f, arg, t)
	}
}

// A badge is by what a handler is known.
type label struct {
	name   string
	labels context.Context
}

// badgeOf returns the badge of a handler, by its code. There are no more of them
// than the program has functions.
func (w *Wheel) labelOf(pc uintptr) *label {
	if b, ok := w.labels.Load(pc); ok {
		return b.(*label)
	}
	name := codeName(pc)
	b, _ := w.labels.LoadOrStore(pc, &label{
		name:   name,
		labels: pprof.WithLabels(context.Background(), pprof.Labels("timer", name)),
	})
	return b.(*label)
}
