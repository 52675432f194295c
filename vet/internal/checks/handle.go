package checks

import (
	"fmt"
	"go/token"
	"strings"

	"github.com/seed76848005/timerwheel/vet/internal/api"
	"github.com/seed76848005/timerwheel/vet/internal/location"
	"github.com/seed76848005/timerwheel/vet/internal/model"
	"github.com/seed76848005/timerwheel/vet/internal/paths"
	"golang.org/x/tools/go/ssa"
)

// This file finds uses of a handle after the last reference of its timer is gone:
// after its owner's Free; of a timer from AfterFunc, which has no owner, after it
// has fired or was deleted. It also finds timers from Alloc whose handle the code
// drops.

// checkHandles follows the functions in which a timer may end.
func (c *checker) checkHandles() {
	retains := c.findRetains()
	for _, fn := range c.Funcs {
		ends := false
		model.Calls(fn, func(call ssa.CallInstruction) {
			o := api.OpOf(call.Common())
			ends = ends || o == api.Free || o.Deletes() || o.OfWheel()
		})
		if !ends {
			continue
		}
		f := &handleFollower{c: c, fn: fn, retains: retains}
		paths.Walk(fn, newHandleState(), f.visit, func(*handleState, ssa.Value, bool) {})
	}
}

// A retainCall is a call of Retain: in which function, and of which handle.
type retainCall struct {
	fn *ssa.Function
	id string
}

// findRetains returns the calls of Retain, by the keys of the handle.
func (c *checker) findRetains() map[string][]retainCall {
	all := map[string][]retainCall{}
	for _, fn := range c.Funcs {
		model.Calls(fn, func(call ssa.CallInstruction) {
			if api.OpOf(call.Common()) != api.Retain {
				return
			}
			handle := api.Receiver(call.Common())
			for _, k := range c.KeysOf(handle) {
				all[k] = append(all[k], retainCall{fn, location.Of(handle).ID()})
			}
		})
	}
	return all
}

type handleFollower struct {
	c       *checker
	fn      *ssa.Function
	retains map[string][]retainCall
}

func (f *handleFollower) visit(h *handleState, in ssa.Instruction) {
	if v, ok := in.(ssa.Value); ok { // a new value, in a loop perhaps once more
		prefix := location.ValueID(v) + "/"
		h.forget(func(name string) bool { return strings.HasPrefix(name, prefix) })
		delete(h.loaded, v)
	}
	switch in := in.(type) {
	case *ssa.UnOp:
		if in.Op == token.MUL && api.IsType(in.Type(), "Timer") {
			h.loaded[in] = h.nameOf(in)
		}
		if in.Op == token.ARROW {
			f.recordFired(h, in, location.Of(in.X))
		}
	case *ssa.Store:
		f.store(h, in)
	case ssa.CallInstruction:
		f.call(h, in, in.Common())
	}
}

func (f *handleFollower) store(h *handleState, in *ssa.Store) {
	at := location.Of(in.Addr)
	if api.IsType(in.Val.Type(), "Timer") {
		h.stored[at.ID()] = h.nameOf(in.Val)
		return
	}
	prefix := strings.TrimSuffix(at.ID(), "/"+at.Key)
	h.forget(func(name string) bool { return strings.HasPrefix(name, prefix+".") })
}

func (f *handleFollower) call(h *handleState, in ssa.CallInstruction, call *ssa.CallCommon) {
	o := api.OpOf(call)
	switch {
	case o == api.Free || o == api.Retain || o.Registers() || o.Deletes():
		f.use(h, in, o, call.Args[0])
	case o == api.WaitGroupWait:
		f.recordFired(h, in, location.Of(call.Args[0]))
	case o == api.Other:
		f.callOther(h, call)
	}
}

// callOther forgets the handles that a called function may have set.
func (f *handleFollower) callOther(h *handleState, call *ssa.CallCommon) {
	if s, _ := f.c.SummaryAt(call); s != nil {
		for _, k := range s.Stores {
			h.forget(func(name string) bool { return strings.HasSuffix(name, "/"+k) })
		}
		return
	}
	if call.StaticCallee() == nil { // it may set anything that is not a local value
		if _, ok := call.Value.(*ssa.Builtin); !ok {
			h.forget(func(name string) bool { return h.ends[name].shared })
		}
	}
}

func (f *handleFollower) use(h *handleState, in ssa.CallInstruction, o api.Op, v ssa.Value) {
	name := h.nameOf(v)
	if name == unknown {
		return
	}
	if e, ended := h.ends[name]; ended {
		if !o.Deletes() && !f.isIntended(in, o, v, e) {
			f.c.reportUse(in, o, v, e)
		}
		return
	}
	switch {
	case o == api.Retain:
		h.owners[name]++
	case o == api.Free && h.owners[name] > 0:
		if h.owners[name]--; h.owners[name] == 0 {
			delete(h.owners, name)
		}
	case f.mayHaveOwners(h, name, v):
	case o == api.Free:
		h.ends[name] = end{"was freed", f.c.Position(in.Pos()), true, isShared(v)}
	case o.ShutsDown() && f.isFromAfterFunc(v):
		h.ends[name] = end{fmt.Sprintf("was shut down by %s", o), f.c.Position(in.Pos()), false, isShared(v)}
	case o.Deletes() && f.isFromAfterFunc(v):
		h.ends[name] = end{fmt.Sprintf("was deleted by %s", o), f.c.Position(in.Pos()), false, isShared(v)}
	}
}

// mayHaveOwners reports whether a timer may have owners that this function does not
// show.
func (f *handleFollower) mayHaveOwners(h *handleState, name string, v ssa.Value) bool {
	if h.owners[name] > 0 {
		return true
	}
	for _, k := range f.c.KeysOf(v) {
		for _, r := range f.retains[k] {
			if r.fn != f.fn || r.id != location.Of(v).ID() {
				return true
			}
		}
	}
	return false
}

// isShared reports whether a handle was loaded from where others may set it.
func isShared(v ssa.Value) bool {
	l := location.Of(v)
	if l.Path != "" {
		return true
	}
	switch l.Root.(type) {
	case *ssa.Alloc, *ssa.Global, *ssa.FreeVar:
		return true
	}
	return false
}

// isFromAfterFunc reports whether a handle comes from nothing but AfterFunc,
// AfterFuncArg, Every and timerctx.AfterFunc.
func (f *handleFollower) isFromAfterFunc(v ssa.Value) bool {
	found := false
	for _, o := range f.c.Origins(v) {
		sites := f.c.StoredHandles(o.Location.Key)
		if o.Site != nil {
			sites = []*model.Site{o.Site}
		}
		if len(sites) == 0 || f.c.StoredElsewhere(o.Location.Key) {
			return false
		}
		for _, s := range sites {
			if !s.Op.OfWheel() || s.Op.Owned() {
				return false
			}
		}
		found = true
	}
	return found
}

// recordFired records which timers from AfterFunc have fired, because what was
// waited for is what their handlers signal.
func (f *handleFollower) recordFired(h *handleState, in ssa.Instruction, waitedFor location.Location) {
	for _, s := range f.c.Sites {
		v := s.Handle()
		if v == nil || v.Parent() != f.fn || !s.Op.OfWheel() || s.Op.Owned() || s.Op == api.Every {
			continue
		}
		for _, handler := range f.c.HandlersOf(s) {
			for _, e := range handler.Signals {
				if location.MayAlias(e.Location, waitedFor) {
					h.ends[h.nameOf(v)] = end{"has fired", f.c.Position(in.Pos()), false, false}
				}
			}
		}
	}
}

// isIntended reports whether a use of a timer that has ended is right: the code
// checks the result; or it is in the timer's own handler, where the handle is
// valid. A second Free is wrong there, too.
func (f *handleFollower) isIntended(in ssa.CallInstruction, o api.Op, v ssa.Value, e end) bool {
	result, ok := in.(ssa.Value)
	if ok && api.ComparesError(result, "ErrStale", "ErrFreed") {
		return true
	}
	if ok && !e.owned && o == api.Reset && len(*result.Referrers()) > 0 {
		return true
	}
	return !(e.owned && o == api.Free) && f.isOwnHandle(v)
}

// isOwnHandle reports whether a handle is that of the timer whose handler this
// function is.
func (f *handleFollower) isOwnHandle(v ssa.Value) bool {
	for _, s := range f.c.Sites {
		for _, handler := range s.Handlers {
			if handler.Func != f.fn {
				continue
			}
			l := handler.Frame.ToCaller(location.Of(v).FromParam(f.fn))
			if location.MustAlias(l, handler.OwnTimer(s)) || s.IsStoredAt(l) {
				return true
			}
		}
	}
	return false
}

func (c *checker) reportUse(in ssa.CallInstruction, o api.Op, v ssa.Value, e end) {
	name := handleName(v)
	switch {
	case !e.owned:
		c.report("free", in.Pos(), fmt.Sprintf(
			"%s of %s, a Timer from AfterFunc that %s (%s): it has ended for good, and nothing is armed. Make a timer that is used again with Alloc",
			o, name, e.what, e.at.Text), relate(e.at, "it ends here"))
	case o == api.Free:
		c.report("free", in.Pos(), fmt.Sprintf(
			"%s is freed twice (first at %s): the second Free drops the reference of another owner, or returns ErrStale", name, e.at.Text),
			relate(e.at, "it is freed here"))
	default:
		c.report("free", in.Pos(), fmt.Sprintf(
			"%s of %s after its Free (%s): the timer has no owner, so it may be recycled already. Free it last", o, name, e.at.Text),
			relate(e.at, "it is freed here"))
	}
}

func handleName(v ssa.Value) string {
	if s := location.Of(v).String(); s != "" {
		return s
	}
	return "the timer"
}

// checkDropped reports timers from Alloc that the code can no longer arm, or no
// longer free. It ignores tests: there the timers end with the test's wheel.
func (c *checker) checkDropped() {
	for _, s := range c.Sites {
		if !s.Op.Owned() || api.IsNil(api.Handler(s.Op, s.Call.Common())) || c.inTest(s.Pos()) {
			continue
		}
		uses := 0
		if v := s.Handle(); v != nil {
			uses = len(*v.Referrers())
		}
		switch {
		case uses == 0:
			c.report("dropped", s.Pos(), fmt.Sprintf("the Timer that %s returns is dropped: it can be neither armed nor freed", s.Op))
		case isOnlyArmed(s):
			c.report("dropped", s.Pos(), fmt.Sprintf(
				"the Timer that %s returns is armed and then dropped: it cannot be freed. Make it with AfterFunc", s.Op))
		}
	}
}

// isOnlyArmed reports whether the code does nothing with a handle but arm it at
// once, and the handler does nothing with it either.
func isOnlyArmed(s *model.Site) bool {
	for _, in := range *s.Handle().Referrers() {
		call, ok := in.(*ssa.Call)
		if !ok || !api.OpOf(call.Common()).Registers() || len(*s.Handle().Referrers()) > 1 || call.Block() != s.Call.Block() {
			return false
		}
	}
	for _, f := range s.Handlers {
		if len(f.Func.Params) <= f.BoundParams || len(*f.Func.Params[f.BoundParams].Referrers()) > 0 {
			return false
		}
	}
	return len(s.Handlers) > 0
}
