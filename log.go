package timerwheel

import (
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed76848005/timerwheel/internal/gostack"
)

// This file makes the log lines of a Stall and of a HandlerPanic. The stacks are not in them:
// log them separately if you want them.

// String describes the stall in one line, for a log, without the stacks: what has lasted for
// how long, where the handler is now, what waits for it, and where the timer comes from, as
// far as that is known. Of a path it gives the last two elements.
func (s Stall) String() string {
	var l logLine
	lasted, at := s.For.Round(time.Millisecond), gostack.Innermost(s.HandlerStack)
	if at == s.Handler {
		at = "" // it is said once
	}
	switch s.Kind {
	case StalledDeletion:
		fmt.Fprintf(&l, "timerwheel: a deletion of %v has waited for %v", s.Timer, lasted)
		l.clause(" at ", gostack.Innermost(s.WaiterStack))
		l.clause(", for ", s.Handler)
		l.clause(", which is at ", at)
	case StalledLock:
		fmt.Fprintf(&l, "timerwheel: a worker has waited for the lock of %v for %v", s.Timer, lasted)
		l.clause(" at ", at)
		l.clause(", to run ", s.Handler)
	case Saturated:
		fmt.Fprintf(&l, "timerwheel: all workers are busy, and %d timers are due; %v has waited for %v", s.Due, s.Timer, lasted)
		l.clause(": ", s.Handler)
	default:
		fmt.Fprintf(&l, "timerwheel: the handler of %v has run for %v", s.Timer, lasted)
		l.clause(": ", s.Handler)
		l.clause(", which is at ", at)
	}
	if s.Waiters > 1 || s.Waiters == 1 && s.Kind == StalledHandler {
		fmt.Fprintf(&l, "; deletions that wait for it: %d", s.Waiters)
	}
	if s.Kind == StalledHandler {
		l.clause(", at ", gostack.Innermost(s.WaiterStack))
	}
	l.clause("; allocated at ", s.AllocatedAt)
	l.clause("; registered at ", s.RegisteredAt)
	return l.String()
}

// String describes the panic in one line, for a log, without the stack: where the handler
// panicked, with what, and where the timer comes from, as far as that is known. Of a path it
// gives the last two elements.
func (p HandlerPanic) String() string {
	var l logLine
	fmt.Fprintf(&l, "timerwheel: the handler of %v panicked", p.Timer)
	l.clause(" at ", gostack.Innermost(string(p.Stack)))
	value := fmt.Sprint(p.Value)
	if strings.ContainsAny(value, "\r\n") {
		value = strconv.Quote(value)
	}
	l.WriteString(": " + value)
	l.clause("; allocated at ", p.AllocatedAt)
	l.clause("; registered at ", p.RegisteredAt)
	return l.String()
}

// LogValue returns what package slog logs: everything that is known, without the stacks.
func (s Stall) LogValue() slog.Value {
	return known(
		slog.String("timer", s.Timer.String()),
		slog.String("kind", s.Kind.String()),
		slog.Time("since", s.Since),
		slog.Duration("for", s.For),
		slog.Int("waiters", s.Waiters),
		slog.Int("due", s.Due),
		slog.String("handler", s.Handler),
		slog.String("handlerAt", gostack.Innermost(s.HandlerStack)),
		slog.String("waiterAt", gostack.Innermost(s.WaiterStack)),
		slog.String("allocatedAt", s.AllocatedAt),
		slog.String("registeredAt", s.RegisteredAt))
}

// LogValue returns what package slog logs: everything that is known, without the stack.
func (p HandlerPanic) LogValue() slog.Value {
	return known(
		slog.String("timer", p.Timer.String()),
		slog.String("value", fmt.Sprint(p.Value)),
		slog.String("panickedAt", gostack.Innermost(string(p.Stack))),
		slog.String("allocatedAt", p.AllocatedAt),
		slog.String("registeredAt", p.RegisteredAt))
}

// known makes a group of the attributes that are not empty.
func known(all ...slog.Attr) slog.Value {
	empty := slog.StringValue("")
	return slog.GroupValue(slices.DeleteFunc(all, func(a slog.Attr) bool { return a.Value.Equal(empty) })...)
}
