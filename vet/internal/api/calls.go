package api

import (
	"go/token"
	"go/types"
	"strings"
	"sync"

	"github.com/seed76848005/timerwheel/vet/internal/location"
	"golang.org/x/tools/go/ssa"
)

// OpOf returns what a call does.
func OpOf(c *ssa.CallCommon) Op {
	if b, ok := c.Value.(*ssa.Builtin); ok {
		if b.Name() == "close" {
			return CloseChan
		}
		return Other
	}
	f := Called(c)
	if f == nil {
		return Other
	}
	return OpOfFunc(f)
}

// OpOfFunc returns what a call of a function does.
func OpOfFunc(f *types.Func) Op {
	if !hasOp[f.Name()] { // nearly all, and a full name takes long to make
		return Other
	}
	f = f.Origin()
	if o, ok := known.Load(f); ok {
		return o.(Op)
	}
	o := ops[f.FullName()]
	known.Store(f, o)
	return o
}

// known holds the Op of each function whose full name was looked up.
var known sync.Map

// hasOp holds the last part of each name in ops.
var hasOp = func() map[string]bool {
	all := map[string]bool{}
	for name := range ops {
		all[name[strings.LastIndexByte(name, '.')+1:]] = true
	}
	return all
}()

// Called returns the function or method that a call names, or nil.
func Called(c *ssa.CallCommon) *types.Func {
	if c.IsInvoke() {
		return c.Method
	}
	fn := c.StaticCallee()
	if fn == nil {
		return nil
	}
	f, _ := fn.Object().(*types.Func)
	return f
}

// IsNewCond reports whether a call makes a sync.Cond.
func IsNewCond(c *ssa.CallCommon) bool {
	f := Called(c)
	return f != nil && f.FullName() == "sync.NewCond"
}

// IsMethodOfTimer reports whether a call calls a method of Timer.
func IsMethodOfTimer(c *ssa.CallCommon) bool {
	f := Called(c)
	return f != nil && f.Signature().Recv() != nil && IsType(f.Signature().Recv().Type(), "Timer")
}

// Receiver returns the value whose method is called, or the first argument of a
// function.
func Receiver(c *ssa.CallCommon) ssa.Value {
	if c.IsInvoke() {
		return c.Value
	}
	if len(c.Args) == 0 {
		return nil
	}
	return c.Args[0]
}

// handlerIndex holds which argument is the handler. The receiver is argument 0.
var handlerIndex = map[Op]int{
	Alloc: 1, AllocArg: 1, AllocLocked: 2, AfterFunc: 2, AfterFuncArg: 2, AfterFuncLocked: 3, Every: 2, KeyedNew: 1, CtxAfterFunc: 3,
}

// Handler returns the handler that is passed to a call which makes a timer.
func Handler(o Op, c *ssa.CallCommon) ssa.Value {
	if o == TimeAfterFunc {
		return c.Args[len(c.Args)-1]
	}
	return c.Args[handlerIndex[o]]
}

// ArmsOwnFiring reports whether a call is one by which the library's own packages arm what they
// have pending. Their timers have owners, or none, as they say: no rule of AfterFuncArg is about
// them.
func ArmsOwnFiring(o Op, c *ssa.CallCommon) bool {
	if o != AfterFuncArg {
		return false
	}
	f, ok := Handler(o, c).(*ssa.Function)
	return ok && f.Pkg != nil && f.Pkg.Pkg.Path() == WheelPath+"/internal/own"
}

// Bounded reports whether a wait ends by itself, or may do so as far as is known.
func Bounded(o Op, c *ssa.CallCommon) bool {
	switch o {
	case DelSyncContext, ShutdownSyncContext, GroupDelSyncContext, GroupShutdownSyncContext, WheelCloseContext:
		return !hasNoDeadline(c.Args[1], 0)
	}
	return false
}

// hasNoDeadline reports whether a context is known to have no deadline.
func hasNoDeadline(ctx ssa.Value, depth int) bool {
	if depth > 10 {
		return false
	}
	switch v := ctx.(type) {
	case *ssa.Extract:
		return hasNoDeadline(v.Tuple, depth+1)
	case *ssa.Phi:
		for _, e := range v.Edges {
			if !hasNoDeadline(e, depth+1) {
				return false
			}
		}
		return true
	case *ssa.UnOp:
		if variable, ok := v.X.(*ssa.Alloc); ok && v.Op == token.MUL {
			if stored := location.OnlyStored(variable); stored != nil {
				return hasNoDeadline(stored, depth+1)
			}
		}
	case *ssa.Call:
		f := Called(v.Common())
		if f == nil {
			return false
		}
		switch f.FullName() {
		case "context.Background", "context.TODO":
			return true
		case "context.WithCancel", "context.WithCancelCause", "context.WithValue", "context.WithoutCancel":
			return hasNoDeadline(v.Call.Args[0], depth+1)
		}
	}
	return false
}

// IsNil reports whether a value is the constant nil.
func IsNil(v ssa.Value) bool {
	c, ok := v.(*ssa.Const)
	return ok && c.Value == nil
}

// IsType reports whether t is the type of package timerwheel with that name, or a
// pointer to it.
func IsType(t types.Type, name string) bool { return isTypeOf(t, WheelPath, name) }

// IsKeyed reports whether t is the type of the timers of package keyed, or a pointer to it.
func IsKeyed(t types.Type) bool { return isTypeOf(t, KeyedPath, "Timers") }

func isTypeOf(t types.Type, path, name string) bool {
	if p, ok := t.Underlying().(*types.Pointer); ok {
		t = p.Elem()
	}
	n, ok := types.Unalias(t).(*types.Named)
	return ok && n.Obj().Name() == name && n.Obj().Pkg() != nil && n.Obj().Pkg().Path() == path
}
