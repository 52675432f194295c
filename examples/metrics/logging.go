package main

import (
	"log/slog"

	"github.com/seed76848005/timerwheel"
)

// logTo makes a wheel log what goes wrong in it. A wheel says nothing by itself:
// what is not hooked is not looked for (OnStall), or crashes the program as any
// panic does (OnPanic). Both hooks may block.
func logTo(log *slog.Logger, o *timerwheel.Options) {
	o.OnStall = func(s timerwheel.Stall) {
		log.Warn("timer stalls", "handler", s.Handler, "for", s.For, "kind", s.Kind.String(), "waiters", s.Waiters, "stack", s.HandlerStack)
	}
	o.OnPanic = func(p timerwheel.HandlerPanic) {
		log.Error("timer panics", "timer", p.Timer.String(), "value", p.Value, "stack", string(p.Stack))
	}
}
