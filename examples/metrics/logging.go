package main

import (
	"log/slog"

	"github.com/seed76848005/timerwheel"
)

// logTo makes a wheel log stalls and panics. A wheel logs nothing by itself: without
// OnStall it does not look for stalls, and without OnPanic a panic crashes the program as
// any other does. Both hooks may block.
func logTo(log *slog.Logger, o *timerwheel.Options) {
	o.OnStall = func(s timerwheel.Stall) {
		log.Warn("timer stalls", "handler", s.Handler, "for", s.For, "kind", s.Kind.String(), "waiters", s.Waiters, "stack", s.HandlerStack)
	}
	o.OnPanic = func(p timerwheel.HandlerPanic) {
		log.Error("timer panics", "timer", p.Timer.String(), "value", p.Value, "stack", string(p.Stack))
	}
}
