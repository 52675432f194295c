package timerwheel

import (
	"fmt"
	"slices"
)

// This file makes an ErrDeadlock name, with Debug, the handlers of the circle that it prevents,
// and the lines at which they wait. sync_del.go finds out that there is a circle.

// A circle is an ErrDeadlock of handlers that would wait for each other: each for the next,
// and the last one for the first, which is the caller's.
type circle struct{ hops []hop }

// A hop is a handler of a circle.
type hop struct {
	handler uintptr // its code
	at      callers // where it waits, or would wait
}

func (c *circle) Unwrap() error { return ErrDeadlock }

// maxCircle bounds the handlers of a circle that are named.
const maxCircle = 16

func (c *circle) Error() string {
	var l logLine
	fmt.Fprintf(&l, "%v: handler %s", ErrDeadlock, codeName(c.hops[0].handler))
	if len(c.hops) == 1 {
		l.clause(", at ", c.hops[0].at.String())
		return l.String()
	}
	waits, last := " would wait for ", len(c.hops)-1
	for k, h := range c.hops {
		if k == maxCircle-1 && k < last {
			fmt.Fprintf(&l, ", and so on through %d more", len(c.hops)-maxCircle)
		}
		if k < maxCircle-1 || k == last {
			l.WriteString(waits + codeName(c.hops[(k+1)%len(c.hops)].handler))
			l.clause(" at ", h.at.String())
		}
		waits = ", which waits for "
	}
	return l.String()
}

// deadlock returns the ErrDeadlock of a deletion that must not wait for a run, and tells OnMisuse.
func (x *wait) deadlock(w *Wheel) error {
	if x.circle == nil {
		return ErrDeadlock
	}
	return w.reportMisuse(x.circle)
}

// circleTo returns, with Debug, the circle that a wait x for wk would close: there is one. Holds
// Wheel.mu. Each of these workers except that of x waits, so what it runs does not change.
func (wk *worker) circleTo(x *wait) *circle {
	seen := make(map[*worker]bool)
	var path func(*worker) []hop // backwards, to the handler of x
	path = func(r *worker) []hop {
		if r == x.from {
			return []hop{{r.code, x.at}}
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
				return append(c, hop{r.code, r.waiting.at})
			}
		}
		return nil
	}
	hops := path(wk)
	slices.Reverse(hops[1:])
	return &circle{hops}
}
