package checks

import (
	"fmt"
	"go/token"
	"slices"
	"strings"

	"github.com/seed76848005/timerwheel/vet/internal/api"
	"github.com/seed76848005/timerwheel/vet/internal/location"
	"github.com/seed76848005/timerwheel/vet/internal/model"
	"github.com/seed76848005/timerwheel/vet/internal/paths"
	"golang.org/x/tools/go/ssa"
)

// This file finds uses of a handle after the last reference of its timer is gone:
// after its owner's Free; of a timer from AfterFunc, which has no owner, after it
// has fired or was deleted.

// checkHandles follows the functions in which a timer may end. Those that a function calls
// come before it, as far as possible.
func (c *checker) checkHandles() {
	retains := c.findRetains()
	frees := map[*ssa.Function][]location.Location{}
	for _, fn := range c.Funcs {
		ends := false
		model.Calls(fn, func(call ssa.CallInstruction) {
			o := api.OpOf(call.Common())
			callee, _ := c.Called(call.Common())
			ends = ends || o == api.Free || o.Deletes() || o.Registers() || o.OfWheel() || len(frees[callee]) > 0
		})
		if ends {
			f := &handleFollower{c: c, fn: fn, retains: retains, frees: frees}
			paths.Walk(fn, newHandleState(), f.visit, func(*handleState, ssa.Value, bool) {})
		}
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
	frees   map[*ssa.Function][]location.Location // what a function has freed on each path, by its parameters
	returns int
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
	case *ssa.Return:
		f.returns++
		f.recordFrees(h)
	}
}

// recordFrees records what the function has freed where a path returns: only what it frees
// on every path. What it then sets anew, its callers forget.
func (f *handleFollower) recordFrees(h *handleState) {
	var freed []location.Location
	for _, e := range h.ends {
		if l := e.handle.FromParam(f.fn); e.owned && l.Param > 0 {
			freed = append(freed, l)
		}
	}
	if f.returns > 1 {
		freed = slices.DeleteFunc(freed, func(l location.Location) bool { return !slices.Contains(f.frees[f.fn], l) })
	}
	f.frees[f.fn] = freed
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
	case o == api.Free || o == api.Retain || o == api.Touch || o.Registers() || o.Deletes():
		f.use(h, in, o, call.Args[0])
	case o == api.WaitGroupWait:
		f.recordFired(h, in, location.Of(call.Args[0]))
	case o == api.Other:
		f.callOther(h, in, call)
	}
}

// callOther frees the handles that a called function frees, and forgets those that it may
// have set.
func (f *handleFollower) callOther(h *handleState, in ssa.CallInstruction, call *ssa.CallCommon) {
	callee, fr := f.c.Called(call)
	if _, isGo := in.(*ssa.Go); !isGo {
		for _, l := range f.frees[callee] {
			f.freeInCallee(h, in, callee, fr.ToCaller(l), l)
		}
	}
	if s, _ := f.c.SummaryAt(call); s != nil {
		h.forget(func(name string) bool { return f.c.Sets(s, location.KeyOf(name)) })
		return
	}
	if call.StaticCallee() == nil { // it may set anything that is not a local value
		if _, ok := call.Value.(*ssa.Builtin); !ok {
			h.forget(func(name string) bool { return h.ends[name].shared })
		}
	}
}

// freeInCallee does what the Free of a called function does to a handle at a location. In
// the called function the location begins at a parameter.
func (f *handleFollower) freeInCallee(h *handleState, in ssa.CallInstruction, callee *ssa.Function, at, inCallee location.Location) {
	name, keys := h.nameAt(at), []string{at.Key}
	if args := in.Common().Args; inCallee.Path == "" && !in.Common().IsInvoke() && inCallee.Param <= len(args) {
		name, keys = h.nameOf(args[inCallee.Param-1]), f.c.KeysOf(args[inCallee.Param-1])
	}
	e, ended := h.ends[name]
	switch {
	case name == unknown:
	case ended && e.owned && !e.byCallee: // two calls may be two of Close, of which the second may fail
		f.c.reportTwice(in, handleNameAt(at), e, ", by "+callee.Name())
	case ended:
	case h.owners[name] > 0:
		h.dropOwner(name)
	case !f.isRetained(keys, at.ID()):
		h.ends[name] = end{what: "was freed", at: f.c.Position(in.Pos()), owned: true, byCallee: true, shared: true, handle: at}
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
	at := location.Of(v)
	switch {
	case o == api.Retain:
		h.owners[name]++
	case o == api.Free && h.owners[name] > 0:
		h.dropOwner(name)
	case h.owners[name] > 0 || f.isRetained(f.c.KeysOf(v), at.ID()):
	case o == api.Free:
		h.ends[name] = end{what: "was freed", at: f.c.Position(in.Pos()), owned: true, shared: isShared(v), handle: at}
	case o.Deletes() && f.isFromAfterFunc(v):
		what := fmt.Sprintf("was deleted by %s", o)
		if o.ShutsDown() {
			what = fmt.Sprintf("was shut down by %s", o)
		}
		h.ends[name] = end{what: what, at: f.c.Position(in.Pos()), shared: isShared(v), handle: at}
	case o.Registers() && f.mayBeGone(in, o, v):
		f.c.reportMayBeGone(in, o, v)
	}
}

// isRetained reports whether a timer may have owners that this function does not show: one
// that another function retains, or this one under another name.
func (f *handleFollower) isRetained(keys []string, id string) bool {
	for _, k := range keys {
		for _, r := range f.retains[k] {
			if r.fn != f.fn || r.id != id {
				return true
			}
		}
	}
	return false
}

// mayBeGone reports whether a call means to arm a timer from AfterFunc that is kept in a
// field or a package variable, but asks not whether there was anything to arm: the timer may
// have fired since. In its own handler it has not ended. Where the function makes the timer
// as well, it may know.
func (f *handleFollower) mayBeGone(in ssa.CallInstruction, o api.Op, v ssa.Value) bool {
	if o == api.Move || isUsed(in) || f.c.CalledOnlyByHandlers(f.fn) || f.isOwnHandle(v) || !f.isFromAfterFunc(v) {
		return false
	}
	at := location.Of(v)
	_, isGlobal := at.Root.(*ssa.Global)
	if at.Path == "" && !isGlobal || f.c.SetsKey(f.fn, at.Key) {
		return false
	}
	return !slices.ContainsFunc(f.c.StoredHandles(at.Key), func(s *model.Site) bool { return s.Op == api.Every })
}

// isUsed reports whether the code uses the result of a call.
func isUsed(in ssa.CallInstruction) bool {
	v, ok := in.(*ssa.Call)
	return ok && len(*v.Referrers()) > 0
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
// AfterFuncArg, AfterFuncLocked, Every and timerctx.AfterFunc.
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
			for n := range handler.Signals.All() {
				if location.MayAlias(f.c.Signal(n).Location, waitedFor) {
					h.ends[h.nameOf(v)] = end{what: "has fired", at: f.c.Position(in.Pos()), handle: location.Of(v)}
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
	reports := o == api.Move || o == api.Touch || o == api.Reset && !e.owned // whether the timer was there
	if ok && reports && isTested(result) {
		return true
	}
	return !(e.owned && o == api.Free) && f.isOwnHandle(v)
}

// isTested reports whether the code does more with the result of a call than return it.
func isTested(result ssa.Value) bool {
	return slices.ContainsFunc(*result.Referrers(), func(in ssa.Instruction) bool {
		_, isReturn := in.(*ssa.Return)
		return !isReturn
	})
}

// isOwnHandle reports whether a handle is that of the timer whose handler this
// function is.
func (f *handleFollower) isOwnHandle(v ssa.Value) bool {
	for _, s := range f.c.Sites {
		for _, handler := range s.Handlers {
			if handler.Func != f.fn {
				continue
			}
			l := s.ToMaker(handler, location.Of(v).FromParam(f.fn))
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
		c.reportTwice(in, name, e, "")
	default:
		c.report("free", in.Pos(), fmt.Sprintf(
			"%s of %s after its Free (%s): the timer has no owner, so it may be recycled already. Free it last", o, name, e.at.Text),
			relate(e.at, "it is freed here"))
	}
}

// reportTwice reports a second Free, of a called function if by names one.
func (c *checker) reportTwice(in ssa.CallInstruction, name string, e end, by string) {
	c.report("free", in.Pos(), fmt.Sprintf(
		"%s is freed twice (first at %s%s): the second Free drops the reference of another owner, or returns ErrStale", name, e.at.Text, by),
		relate(e.at, "it is freed here"))
}

func (c *checker) reportMayBeGone(in ssa.CallInstruction, o api.Op, v ssa.Value) {
	made := c.Position(c.StoredHandles(location.Of(v).Key)[0].Pos())
	c.report("free", in.Pos(), fmt.Sprintf(
		"%s of %s, a Timer from AfterFunc (%s): it arms nothing once the timer has fired or was stopped, and the result is not looked at. Use Move to postpone only what is pending, or make the timer with Alloc",
		o, handleName(v), made.Text), relate(made, "the timer is made here"))
}

func handleName(v ssa.Value) string { return handleNameAt(location.Of(v)) }

func handleNameAt(l location.Location) string {
	if s := l.String(); s != "" {
		return s
	}
	return "the timer"
}
