package timerwheel

import (
	"fmt"
	"slices"
)

// This file makes an ErrDeadlock name, with Debug, the handlers of the circle that it
// prevents. sync_del.go finds out that there is a circle.

// A circle is an ErrDeadlock of handlers that would wait for each other: each for the next,
// and the last one for the first, which is the caller's.
type circle struct{ handlers []uintptr } // their code

func (c *circle) Unwrap() error { return ErrDeadlock }

// maxCircle bounds the handlers of a circle that are named.
const maxCircle = 16

func (c *circle) Error() string {
	first := codeName(c.handlers[0])
	text := fmt.Sprintf("%v: handler %s", ErrDeadlock, first)
	waits := " would wait for "
	for k, pc := range c.handlers[1:] {
		if k == maxCircle-1 {
			text += fmt.Sprintf(", and so on through %d more", len(c.handlers)-maxCircle)
			break
		}
		text += waits + codeName(pc)
		waits = ", which waits for "
	}
	if len(c.handlers) > 1 {
		text += waits + first
	}
	return text
}

// deadlock returns the ErrDeadlock of a deletion that must not wait for a run.
func (x *wait) deadlock() error {
	if x.circle == nil {
		return ErrDeadlock
	}
	return x.circle
}

// circleTo returns, with Debug, the handlers of the circle that a wait of from for wk would
// close: there is one. Holds Wheel.mu. Each of these workers except from waits, so what it
// runs does not change.
func (wk *worker) circleTo(from *worker) *circle {
	seen := make(map[*worker]bool)
	var path func(*worker) []uintptr // backwards, to from
	path = func(r *worker) []uintptr {
		if r == from {
			return []uintptr{r.code}
		}
		if r.waiting == nil || seen[r] {
			return nil
		}
		seen[r] = true
		for _, next := range r.waiting.edges {
			if next.done {
				continue
			}
			if c := path(next.wk); c != nil {
				return append(c, r.code)
			}
		}
		return nil
	}
	handlers := path(wk)
	slices.Reverse(handlers[1:])
	return &circle{handlers}
}
