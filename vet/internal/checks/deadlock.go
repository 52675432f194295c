package checks

import (
	"fmt"

	"github.com/seed76848005/timerwheel/vet/internal/api"
	"github.com/seed76848005/timerwheel/vet/internal/location"
	"github.com/seed76848005/timerwheel/vet/internal/model"
	"golang.org/x/tools/go/ssa"
)

// This file finds waits for a handler while a lock is held that the handler wants.

// checkLocks follows every function, and each handler of a lock-bound timer with
// its lock held.
func (c *checker) checkLocks() {
	for _, fn := range c.Funcs {
		if fn.Synthetic == "" && c.Matters(fn) {
			c.checkPaths(fn, nil)
		}
	}
	for _, h := range c.Handlers {
		if held := h.HeldAtCall(); held != nil && h.Func != nil {
			c.checkPaths(h.Func, held)
		}
	}
}

func (c *checker) checkPaths(fn *ssa.Function, held []model.Lock) {
	c.Follow(fn, held, waitVisitor(func(w model.Wait, held []model.Lock, in ssa.Instruction) {
		switch {
		case len(held) == 0 || w.Bounded:
		case w.Op.WaitsForWheel() && c.CalledOnlyByHandlers(fn): // in a handler it does not wait
		case w.Op.Waits():
			c.checkDeletion(fn, w, held, in)
		default:
			c.checkOtherWait(w, held, in)
		}
	}))
}

// checkDeletion compares the locks that are held during a deletion with those that
// the handlers want.
func (c *checker) checkDeletion(fn *ssa.Function, w model.Wait, held []model.Lock, in ssa.Instruction) {
	for _, h := range c.WaitedFor(w) {
		if h.Func == fn { // it does not wait for itself; checkSelfWaits reports that
			continue
		}
		for _, wanted := range locksWanted(h, w.Op) {
			for _, x := range held {
				if !location.MayAlias(x.Location, wanted.Location) || !x.Mode.Excludes(wanted.Mode) || ofAnotherObject(w, x) {
					continue
				}
				c.reportDeletion(w, h, x, wanted, in)
			}
		}
	}
}

// locksWanted returns the locks without which a handler does not end. The end of a
// wheel needs also those that its lock-bound timers wait for.
func locksWanted(h *model.Handler, o api.Op) []model.Lock {
	if h.Op == api.AllocLocked && o.WaitsForWheel() {
		return append([]model.Lock{boundLock(h)}, h.Locks...)
	}
	return h.Locks
}

// boundLock returns the lock that the wheel takes before it calls the handler of a
// lock-bound timer.
func boundLock(h *model.Handler) model.Lock {
	return model.Lock{Location: h.Bound, Mode: model.Writing, At: h.Made}
}

// ofAnotherObject reports whether a lock and a timer are fields of one type, but
// obviously of two objects.
func ofAnotherObject(w model.Wait, x model.Lock) bool {
	for _, t := range w.Targets {
		if t.Site != nil || !location.OfDifferentObjects(x.Location, t.Location) {
			return false
		}
	}
	return true
}

func (c *checker) reportDeletion(w model.Wait, h *model.Handler, x, wanted model.Lock, in ssa.Instruction) {
	lock := lockName(x.Location, wanted.Location)
	wants := fmt.Sprintf("which locks %s (%s)", lock, wanted.At.Text)
	cure := fmt.Sprintf("Unlock %s first", lock)
	switch {
	case h.Op == api.AllocLocked && wanted.At == h.Made:
		wants = fmt.Sprintf("which the wheel calls with %s locked (AllocLocked, %s)", lock, h.Made.Text)
	case h.Op != api.AllocLocked && !w.Op.WaitsForWheel():
		cure += fmt.Sprintf(", or make the timer with AllocLocked and use %s", w.Op.WithoutWait())
	}
	c.report("lock", positionOf(w, in),
		fmt.Sprintf("%s waits for %s, %s, while %s is held (%s): both wait for ever. %s",
			describe(w), h, wants, lock, x.At.Text, cure),
		relate(x.At, lock+" is locked here, and still held"),
		relate(h.Made, "the timer is made here"),
		relate(wanted.At, "its handler wants "+lock+" here"))
}

// describe names a wait for a diagnostic.
func describe(w model.Wait) string {
	s := w.Op.String()
	if w.Op.WaitsForTimer() || w.Op == api.WaitGroupWait || w.Op == api.CondWait || w.Op == api.Receive {
		if name := w.Targets[0].Location.String(); name != "" {
			preposition := " of "
			if w.Op == api.Receive {
				preposition = " from "
			}
			s += preposition + name
		}
	}
	if w.Via != "" {
		s = fmt.Sprintf("%s (%s, by %s)", s, w.At.Text, w.Via)
	}
	return s
}

// lockName names a lock by what is known of it where it is held, or where it is
// wanted.
func lockName(ls ...location.Location) string {
	for _, l := range ls {
		if s := l.String(); s != "" {
			return s
		}
	}
	return "the lock"
}

// checkOtherWait compares the locks that are held during a hand-written wait with
// those that the function of a timer has taken before it signals. Both must be in
// this package: it is not known what a wait in another package is for.
func (c *checker) checkOtherWait(w model.Wait, held []model.Lock, in ssa.Instruction) {
	for _, t := range w.Targets {
		if w.Op == api.Receive && c.SignalledElsewhere(t.Location) {
			continue // it need not wait for the handler
		}
		for _, h := range c.Handlers {
			for _, s := range h.Signals {
				if location.MayAlias(s.Location, t.Location) && s.At.Pos.IsValid() && w.At.Pos.IsValid() {
					c.checkSignal(w, t.Location, held, h, s, in)
				}
			}
		}
	}
}

func (c *checker) checkSignal(w model.Wait, on location.Location, held []model.Lock, h *model.Handler, s model.Signal, in ssa.Instruction) {
	for _, wanted := range s.After {
		for _, x := range held {
			if !location.MayAlias(x.Location, wanted.Location) || !x.Mode.Excludes(wanted.Mode) {
				continue
			}
			if w.Op == api.CondWait && !c.staysLocked(on, x) {
				continue
			}
			lock := lockName(x.Location, wanted.Location)
			c.report("wait", positionOf(w, in),
				fmt.Sprintf("%s waits for %s, which locks %s (%s) before it signals (%s), while %s is held (%s): both wait for ever. Unlock %s first",
					describe(w), h, lock, wanted.At.Text, s.At.Text, lock, x.At.Text, lock),
				relate(x.At, lock+" is locked here, and still held"),
				relate(h.Made, "the timer is made here"),
				relate(wanted.At, "its function wants "+lock+" here"),
				relate(s.At, "and signals here"))
		}
	}
}

// staysLocked reports whether the Wait of a Cond leaves a lock locked. It unlocks
// only its own.
func (c *checker) staysLocked(cond location.Location, x model.Lock) bool {
	own, ok := c.condLock(cond)
	return ok && !location.MayAlias(own, x.Location)
}

// condLock returns the lock of a Cond, if the package shows it.
func (c *checker) condLock(cond location.Location) (l location.Location, ok bool) {
	if call, isCall := cond.Root.(*ssa.Call); isCall && cond.Path == "" && api.IsNewCond(call.Common()) {
		return location.Of(call.Call.Args[0]), true
	}
	for _, fn := range c.Funcs {
		for _, b := range fn.Blocks {
			for _, in := range b.Instrs {
				s, isStore := in.(*ssa.Store)
				if !isStore {
					continue
				}
				if call, isCall := s.Val.(*ssa.Call); isCall && api.IsNewCond(call.Common()) && location.MayAlias(location.Of(s.Addr), cond) {
					return location.Of(call.Call.Args[0]), true
				}
			}
		}
	}
	return location.Location{}, false
}
