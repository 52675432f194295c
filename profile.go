package timerwheel

import (
	"context"
	"runtime/pprof"
	"runtime/trace"
	"unsafe"
)

// This file is what profiles and execution traces show of handlers, with Debug: a
// goroutine that runs one has the label "timer" with the name of its function, and
// an execution trace has a region of that name.

// shown returns a function that does what a handler does, and shows that it does.
func shown(f, arg any, t Timer) func() {
	return func() {
		b := t.w.badgeOf(code(f))
		defer setProfileLabels(profileLabels()) // to what they are now, however the handler ends
		pprof.SetGoroutineLabels(b.labels)
		if trace.IsEnabled() {
			defer trace.StartRegion(b.labels, b.name).End()
			trace.Log(b.labels, "timer", t.String())
		}
		call(f, arg, t)
	}
}

// A badge is by what a handler is known.
type badge struct {
	name   string
	labels context.Context
}

// badgeOf returns the badge of a handler, by its code. There are no more of them
// than the program has functions.
func (w *Wheel) badgeOf(pc uintptr) *badge {
	if b, ok := w.badges.Load(pc); ok {
		return b.(*badge)
	}
	name := codeName(pc)
	b, _ := w.badges.LoadOrStore(pc, &badge{
		name:   name,
		labels: pprof.WithLabels(context.Background(), pprof.Labels("timer", name)),
	})
	return b.(*badge)
}

// What labels a goroutine has package pprof does not say. It must be known where
// the goroutine is not ours: on a Manual wheel it is the host's, whose labels are
// to be there again after the handler. The runtime keeps these two for those who
// need them (go.dev/issue/67401).

//go:linkname profileLabels runtime/pprof.runtime_getProfLabel
func profileLabels() unsafe.Pointer

//go:linkname setProfileLabels runtime/pprof.runtime_setProfLabel
func setProfileLabels(unsafe.Pointer)
