package checks

import (
	"fmt"
	"go/token"
	"slices"
	"strings"

	"github.com/seed76848005/timerwheel/vet/internal/api"
	"github.com/seed76848005/timerwheel/vet/internal/location"
	"github.com/seed76848005/timerwheel/vet/internal/model"
	"golang.org/x/tools/go/ssa"
)

// This file finds timers from Alloc that the code can no longer arm, or no longer free: their
// handles are dropped, or the timers are shut down and never freed.

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
	return !usesOwnTimer(s)
}

// usesOwnTimer reports whether a handler uses the Timer that the wheel passes to it, as far
// as is known: it may free that.
func usesOwnTimer(s *model.Site) bool {
	for _, f := range s.Handlers {
		if len(f.Func.Params) <= f.BoundParams || len(*f.Func.Params[f.BoundParams].Referrers()) > 0 {
			return true
		}
	}
	return len(s.Handlers) == 0
}

// checkUnfreed reports timers from Alloc that are shut down and never freed. It looks at
// handles that nothing but calls of their methods uses: in one variable, or in a field that
// other packages cannot reach. Timers of a group are the group's to free, and a wheel that is
// closed needs no Free: with the Close in the same function, or in the package for a field.
// It ignores tests.
func (c *checker) checkUnfreed() {
	loads := c.loadsByKey()
	packageCloses := slices.ContainsFunc(c.Funcs, closesWheel)
	for _, s := range c.Sites {
		v := s.Handle()
		if v == nil || !s.Op.Owned() || s.OfGroup || c.inTest(s.Pos()) || closesWheel(s.Call.Parent()) || usesOwnTimer(s) {
			continue
		}
		u := &handleUses{loads: loads, seen: map[string]bool{}}
		if u.followAll(v); u.escapes || u.freed || u.shutDown == nil || len(u.seen) > 0 && packageCloses {
			continue
		}
		at := c.Position(u.shutDown.Pos())
		c.report("dropped", u.shutDown.Pos(), fmt.Sprintf(
			"%s is shut down and never freed: its storage stays in use. Call Free after %s", handleName(api.Receiver(u.shutDown.Common())), api.OpOf(u.shutDown.Common())),
			relate(c.Position(s.Pos()), "the timer is made here"), relate(at, "it is shut down here"))
	}
}

// loadsByKey returns the values of type Timer that are loaded from fields, by the key of the
// field. A field whose address is used otherwise has a nil value among them.
func (c *checker) loadsByKey() map[string][]ssa.Value {
	all := map[string][]ssa.Value{}
	for _, fn := range c.Funcs {
		for _, b := range fn.Blocks {
			for _, in := range b.Instrs {
				switch v := in.(type) {
				case *ssa.FieldAddr:
					if key := location.Of(v).Key; api.IsType(v.Type(), "Timer") {
						all[key] = append(all[key], loadsOf(v)...)
					}
				case *ssa.Field:
					if key := location.Of(v).Key; api.IsType(v.Type(), "Timer") {
						all[key] = append(all[key], v)
					}
				}
			}
		}
	}
	return all
}

// loadsOf returns what is loaded from an address, and nil for each use of it that is not a
// load or a store.
func loadsOf(addr ssa.Value) (vs []ssa.Value) {
	for _, in := range *addr.Referrers() {
		switch in := in.(type) {
		case *ssa.UnOp:
			vs = append(vs, in)
		case *ssa.Store:
			if in.Val == addr {
				vs = append(vs, nil)
			}
		case *ssa.DebugRef:
		default:
			vs = append(vs, nil)
		}
	}
	return vs
}

// handleUses holds what the code does with a handle.
type handleUses struct {
	loads    map[string][]ssa.Value
	seen     map[string]bool // the keys of the fields that hold it
	shutDown ssa.CallInstruction
	freed    bool
	escapes  bool // other code may free it
}

func (u *handleUses) followAll(vs ...ssa.Value) {
	for _, v := range vs {
		if v == nil {
			u.escapes = true
			return
		}
		for _, in := range *v.Referrers() {
			u.follow(in)
		}
	}
}

func (u *handleUses) follow(in ssa.Instruction) {
	switch in := in.(type) {
	case ssa.CallInstruction:
		u.call(in)
	case *ssa.Store:
		u.store(in)
	case *ssa.DebugRef:
	default:
		u.escapes = true
	}
}

func (u *handleUses) call(in ssa.CallInstruction) {
	switch o := api.OpOf(in.Common()); {
	case o == api.Free || o == api.Retain:
		u.freed = true
	case o.ShutsDown():
		u.shutDown = in
	case !api.IsMethodOfTimer(in.Common()):
		u.escapes = true
	}
}

// store follows a handle into a variable, or into a field that only this package sees.
func (u *handleUses) store(in *ssa.Store) {
	if variable := location.Variable(in.Addr); variable != nil && location.OnlyStored(variable) != nil {
		u.followAll(location.Loads(variable)...)
		return
	}
	_, ok := in.Addr.(*ssa.FieldAddr)
	key := location.Of(in.Addr).Key
	if !ok || token.IsExported(key[strings.LastIndexByte(key, '.')+1:]) {
		u.escapes = true
		return
	}
	if !u.seen[key] {
		u.seen[key] = true
		u.followAll(u.loads[key]...)
	}
}

func closesWheel(fn *ssa.Function) (closes bool) {
	model.Calls(fn, func(call ssa.CallInstruction) {
		o := api.OpOf(call.Common())
		closes = closes || o == api.WheelClose || o == api.WheelCloseContext
	})
	return closes
}
