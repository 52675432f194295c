package checks

import (
	"fmt"
	"go/token"
	"slices"
	"strings"

	"github.com/seed76848005/timerwheel/vet/internal/api"
	"github.com/seed76848005/timerwheel/vet/internal/location"
	"github.com/seed76848005/timerwheel/vet/internal/model"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ssa"
)

// This file finds waits for a handler while a lock is held that the handler wants, and
// handlers that lock the lock with which the wheel calls them.

// A finding is a deadlock at a position. Several handlers that one call waits for are one
// finding: the first one is reported, and the others are named.
type finding struct {
	category, message string
	pos               token.Pos
	related           []analysis.RelatedInformation
	handlers          []*model.Handler // the others are behind the first
}

// checkLocks follows every function, and each handler of a lock-bound timer with
// its lock held.
func (c *checker) checkLocks() {
	f := &lockChecker{checker: c, found: map[token.Pos]*finding{}}
	for _, fn := range c.Funcs {
		if fn.Synthetic == "" && c.HasWaits(fn) {
			c.Follow(fn, nil, f.visitorOf(fn))
		}
	}
	for _, h := range c.Handlers {
		if held := h.HeldAtCall(); held != nil && h.Func != nil {
			v := f.visitorOf(h.Func)
			v.Lock = func(l model.Lock, held []model.Lock, in ssa.Instruction) { f.checkRelock(h, l, held, in) }
			c.FollowHandler(h.Site, h.Func, held, v)
		}
	}
	for _, x := range f.inOrder {
		c.report(x.category, x.pos, x.message+alsoFor(x.handlers[1:]), x.related...)
	}
}

// A lockChecker collects findings.
type lockChecker struct {
	*checker
	found   map[token.Pos]*finding
	inOrder []*finding
}

func (c *lockChecker) visitorOf(fn *ssa.Function) model.Visitor {
	return model.Visitor{Wait: func(w model.Wait, held []model.Lock, in ssa.Instruction) {
		switch {
		case len(held) == 0 || w.Bounded:
		case w.Op.WaitsForWheel() && c.CalledOnlyByHandlers(fn): // in a handler it does not wait
		case w.Op.Waits():
			c.checkDeletion(fn, w, held, in)
		default:
			c.checkOtherWait(w, held, in)
		}
	}}
}

// add adds a finding, or one more handler to the finding at its position.
func (c *lockChecker) add(h *model.Handler, x finding) {
	first := c.found[x.pos]
	switch {
	case first == nil:
		x.handlers = []*model.Handler{h}
		c.found[x.pos] = &x
		c.inOrder = append(c.inOrder, &x)
	case !slices.Contains(first.handlers, h):
		first.handlers = append(first.handlers, h)
	}
}

// maxNamed bounds the handlers that one message names.
const maxNamed = 3

// alsoFor names the other handlers that a call waits for in the same way.
func alsoFor(others []*model.Handler) string {
	if len(others) == 0 {
		return ""
	}
	var names []string
	for _, h := range others[:min(len(others), maxNamed)] {
		names = append(names, h.String())
	}
	s := ". It waits in the same way for " + strings.Join(names, ", ")
	if n := len(others) - maxNamed; n > 0 {
		s += fmt.Sprintf(" and %d more", n)
	}
	return s
}

// checkDeletion compares the locks that are held during a deletion with those that
// the handlers want.
func (c *lockChecker) checkDeletion(fn *ssa.Function, w model.Wait, held []model.Lock, in ssa.Instruction) {
	for _, t := range w.Targets {
		for _, h := range c.WaitedFor(w.Op, t) {
			if isForOwnRun(fn, h, w) { // it does not wait for itself; checkSelfWaits reports that
				continue
			}
			for _, x := range held {
				for _, wanted := range c.locksWanted(h, w.Op, x) {
					if x.Mode.Excludes(wanted.Mode) && !ofAnotherObject(t, h, x, wanted) {
						c.addDeletion(w, h, x, wanted, in)
					}
				}
			}
		}
	}
}

// isForOwnRun reports whether a deletion in a handler would wait for the run that it is made in. A
// deletion of another key waits for another run.
func isForOwnRun(fn *ssa.Function, h *model.Handler, w model.Wait) bool {
	return h.Func == fn && (w.Op != api.KeyedDeleteSync || location.MustAlias(w.Key, h.OwnKey))
}

// locksWanted returns the locks without which a handler does not end, and that may be a
// lock that is held. The end of a wheel needs also those that its lock-bound timers wait
// for.
func (c *lockChecker) locksWanted(h *model.Handler, o api.Op, held model.Lock) []model.Lock {
	wanted := c.Aliases(h.Locks, held.Location)
	if h.Op.Locked() && o.WaitsForWheel() && location.MayAlias(h.Bound, held.Location) {
		return append([]model.Lock{boundLock(h)}, wanted...)
	}
	return wanted
}

// boundLock returns the lock that the wheel takes before it calls the handler of a
// lock-bound timer.
func boundLock(h *model.Handler) model.Lock {
	return model.Lock{Location: h.Bound, Mode: model.Writing, At: h.Made}
}

// ofAnotherObject reports whether a lock that is held and the one that a handler wants are
// the same field, but obviously of two objects: the target shows of which object the timer is,
// and where its handle is stored shows of which object the handler's lock is.
func ofAnotherObject(t model.Origin, h *model.Handler, x, wanted model.Lock) bool {
	if t.Site != nil {
		return false
	}
	if location.OfDifferentObjects(x.Location, t.Location) {
		return true
	}
	for _, at := range h.Site.StoredAt {
		there, ok := location.Rebase(wanted.Location, at, t.Location)
		if !location.OfDifferentObjects(wanted.Location, at) && !(ok && location.OfSiblings(x.Location, there)) {
			return false
		}
	}
	return len(h.Site.StoredAt) > 0
}

func (c *lockChecker) addDeletion(w model.Wait, h *model.Handler, x, wanted model.Lock, in ssa.Instruction) {
	lock := lockName(x.Location, wanted.Location)
	wants := fmt.Sprintf("which locks %s (%s)", lock, wanted.At.Text)
	cure := fmt.Sprintf("Unlock %s first", lock)
	switch {
	case h.Op.Locked() && wanted.At == h.Made:
		wants = fmt.Sprintf("which the wheel calls with %s locked (%v, %s)", lock, h.Op, h.Made.Text)
	case !h.Op.Locked() && !w.Op.WaitsForWheel() && w.Op != api.KeyedDeleteSync:
		cure += fmt.Sprintf(", or make the timer with AllocLocked and use %s", w.Op.WithoutWait())
	}
	c.add(h, finding{
		category: "lock", pos: positionOf(w, in),
		message: fmt.Sprintf("%s waits for %s, %s, while %s is held (%s): both wait for ever. %s",
			describe(w), h, wants, lock, x.At.Text, cure),
		related: []analysis.RelatedInformation{
			relate(x.At, lock+" is locked here, and still held"),
			relate(h.Made, "the timer is made here"),
			relate(wanted.At, "its handler wants "+lock+" here"),
		},
	})
}

// checkRelock reports a lock that a handler of a lock-bound timer locks while it holds it
// already, because the wheel has locked it for the handler.
func (c *lockChecker) checkRelock(h *model.Handler, l model.Lock, held []model.Lock, in ssa.Instruction) {
	isHeld := slices.ContainsFunc(held, func(x model.Lock) bool { return x.ByWheel })
	if !isHeld || !location.MustAlias(h.ToMaker(l.Location), h.Bound) {
		return
	}
	lock := lockName(l.Location, h.Bound)
	where := ""
	if here := c.Position(in.Pos()); l.At != here {
		where = fmt.Sprintf(" (%s)", l.At.Text)
	}
	c.add(h, finding{
		category: "lock", pos: in.Pos(),
		message: fmt.Sprintf("%s locks %s%s, with which the wheel calls it (%v, %s): it waits for itself for ever. Leave the Lock out, or call ReleaseLock first",
			h, lock, where, h.Op, h.Made.Text),
		related: []analysis.RelatedInformation{relate(h.Made, "the timer is made here"), relate(l.At, lock+" is locked here")},
	})
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
func (c *lockChecker) checkOtherWait(w model.Wait, held []model.Lock, in ssa.Instruction) {
	for _, t := range w.Targets {
		if !w.At.Pos.IsValid() || w.Op == api.Receive && c.SignalledElsewhere(t.Location) {
			continue // it need not wait for the handler
		}
		signals := c.SignalsOf(t.Location)
		for _, h := range c.Handlers {
			for _, n := range signals {
				if s := c.Signal(n); h.Signals.Has(n) && s.At.Pos.IsValid() {
					c.checkSignal(w, t.Location, held, h, s, in)
				}
			}
		}
	}
}

func (c *lockChecker) checkSignal(w model.Wait, on location.Location, held []model.Lock, h *model.Handler, s model.Signal, in ssa.Instruction) {
	for _, x := range held {
		if w.Op == api.CondWait && !c.staysLocked(on, x) {
			continue
		}
		wanted := c.TakenBefore(h, s, x)
		if wanted == nil {
			continue
		}
		lock := lockName(x.Location, wanted.Location)
		c.add(h, finding{
			category: "wait", pos: positionOf(w, in),
			message: fmt.Sprintf("%s waits for %s, which locks %s (%s) before it signals (%s), while %s is held (%s): both wait for ever. Unlock %s first",
				describe(w), h, lock, wanted.At.Text, s.At.Text, lock, x.At.Text, lock),
			related: []analysis.RelatedInformation{
				relate(x.At, lock+" is locked here, and still held"),
				relate(h.Made, "the timer is made here"),
				relate(wanted.At, "its function wants "+lock+" here"),
				relate(s.At, "and signals here"),
			},
		})
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
