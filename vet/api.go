package vet

import (
	"go/token"
	"go/types"

	"golang.org/x/tools/go/ssa"
)

// The functions that mean something to the analysis, by their full names.

const wheelPath = "github.com/seed76848005/timerwheel"

// An op is what a call does.
type op int

const (
	other op = iota

	// Locks.
	lock
	rlock
	unlock
	runlock
	tryLock
	tryRLock

	// Timers are made. The order matters to makes and recycles.
	alloc
	allocLocked
	afterFunc
	afterFuncArg
	every
	ctxAfterFunc  // of timerctx
	timeAfterFunc // of time, stdtime and context: no timer of a wheel

	// Deletions that wait. The order matters to waits.
	delSync
	delSyncContext
	shutdown
	groupDelSync
	groupDelSyncContext
	groupShutdown
	wheelClose
	wheelShutdown
	advance

	// Other things done to a timer.
	del
	stop
	register
	registerAt
	reduce
	reset
	retain
	free

	// Waits and signals of other kinds.
	wgWait
	wgDone
	condWait
	condSignal
	receive
	closeChan

	onceDo
)

var ops = map[string]op{
	"(*sync.Mutex).Lock":       lock,
	"(*sync.RWMutex).Lock":     lock,
	"(sync.Locker).Lock":       lock,
	"(*sync.RWMutex).RLock":    rlock,
	"(*sync.Mutex).Unlock":     unlock,
	"(*sync.RWMutex).Unlock":   unlock,
	"(sync.Locker).Unlock":     unlock,
	"(*sync.RWMutex).RUnlock":  runlock,
	"(*sync.Mutex).TryLock":    tryLock,
	"(*sync.RWMutex).TryLock":  tryLock,
	"(*sync.RWMutex).TryRLock": tryRLock,

	"(*sync.WaitGroup).Wait": wgWait,
	"(*sync.WaitGroup).Done": wgDone,
	"(*sync.Cond).Wait":      condWait,
	"(*sync.Cond).Signal":    condSignal,
	"(*sync.Cond).Broadcast": condSignal,
	"(*sync.Once).Do":        onceDo,

	"time.AfterFunc":    timeAfterFunc,
	"context.AfterFunc": timeAfterFunc,
	"(" + wheelPath + "/stdtime.Clock).AfterFunc": timeAfterFunc,
	wheelPath + "/timerctx.AfterFunc":             ctxAfterFunc,

	"(*" + wheelPath + ".Wheel).Alloc":        alloc,
	"(*" + wheelPath + ".Wheel).AllocLocked":  allocLocked,
	"(*" + wheelPath + ".Wheel).AfterFunc":    afterFunc,
	"(*" + wheelPath + ".Wheel).AfterFuncArg": afterFuncArg,
	"(*" + wheelPath + ".Wheel).Every":        every,
	"(*" + wheelPath + ".Group).Alloc":        alloc,
	"(*" + wheelPath + ".Group).AllocLocked":  allocLocked,
	"(*" + wheelPath + ".Group).AfterFunc":    afterFunc,
	"(*" + wheelPath + ".Group).AfterFuncArg": afterFuncArg,
	"(*" + wheelPath + ".Group).Every":        every,

	"(" + wheelPath + ".Timer).DelSync":         delSync,
	"(" + wheelPath + ".Timer).DelSyncContext":  delSyncContext,
	"(" + wheelPath + ".Timer).Shutdown":        shutdown,
	"(*" + wheelPath + ".Group).DelSync":        groupDelSync,
	"(*" + wheelPath + ".Group).DelSyncContext": groupDelSyncContext,
	"(*" + wheelPath + ".Group).Shutdown":       groupShutdown,
	"(*" + wheelPath + ".Wheel).Close":          wheelClose,
	"(*" + wheelPath + ".Wheel).Shutdown":       wheelShutdown,
	"(*" + wheelPath + ".Wheel).Advance":        advance,

	"(" + wheelPath + ".Timer).Del":        del,
	"(" + wheelPath + ".Timer).Stop":       stop,
	"(" + wheelPath + ".Timer).Register":   register,
	"(" + wheelPath + ".Timer).RegisterAt": registerAt,
	"(" + wheelPath + ".Timer).Reduce":     reduce,
	"(" + wheelPath + ".Timer).Reset":      reset,
	"(" + wheelPath + ".Timer).Retain":     retain,
	"(" + wheelPath + ".Timer).Free":       free,
}

var names = map[op]string{
	alloc: "Alloc", allocLocked: "AllocLocked", afterFunc: "AfterFunc", afterFuncArg: "AfterFuncArg",
	every: "Every", ctxAfterFunc: "timerctx.AfterFunc", timeAfterFunc: "AfterFunc",
	delSync: "DelSync", delSyncContext: "DelSyncContext", shutdown: "Shutdown",
	groupDelSync: "Group.DelSync", groupDelSyncContext: "Group.DelSyncContext", groupShutdown: "Group.Shutdown",
	wheelClose: "Wheel.Close", wheelShutdown: "Wheel.Shutdown", advance: "Wheel.Advance",
	del: "Del", stop: "Stop", register: "Register", registerAt: "RegisterAt", reduce: "Reduce",
	reset: "Reset", retain: "Retain", free: "Free",
	wgWait: "WaitGroup.Wait", condWait: "Cond.Wait", receive: "a receive",
}

func (o op) String() string { return names[o] }

func (o op) makes() bool     { return alloc <= o && o <= timeAfterFunc } // a function that a timer calls
func (o op) ofWheel() bool   { return alloc <= o && o <= ctxAfterFunc }  // a timer of a wheel
func (o op) owned() bool     { return o == alloc || o == allocLocked }
func (o op) waits() bool     { return delSync <= o && o <= advance }
func (o op) ofTimer() bool   { return delSync <= o && o <= shutdown }
func (o op) ofGroup() bool   { return groupDelSync <= o && o <= groupShutdown }
func (o op) closes() bool    { return wheelClose <= o && o <= advance }
func (o op) deletes() bool   { return o.ofTimer() || o == del || o == stop }
func (o op) registers() bool { return register <= o && o <= reset }

// opOf says what a call does.
func opOf(c *ssa.CallCommon) op {
	if b, ok := c.Value.(*ssa.Builtin); ok {
		if b.Name() == "close" {
			return closeChan
		}
		return other
	}
	f := calledObject(c)
	if f == nil {
		return other
	}
	return ops[f.FullName()]
}

// calledObject returns the function or method that a call names, or nil.
func calledObject(c *ssa.CallCommon) *types.Func {
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

// receiver returns the value whose method is called, or a function's first
// argument.
func receiver(c *ssa.CallCommon) ssa.Value {
	if c.IsInvoke() {
		return c.Value
	}
	if len(c.Args) == 0 {
		return nil
	}
	return c.Args[0]
}

// handlerIndex says which argument is the handler; the receiver counts.
var handlerIndex = map[op]int{alloc: 1, allocLocked: 2, afterFunc: 2, afterFuncArg: 2, every: 2, ctxAfterFunc: 3}

// handlerArg returns the function that a call which makes a timer is given.
func handlerArg(o op, c *ssa.CallCommon) ssa.Value {
	if o == timeAfterFunc {
		return c.Args[len(c.Args)-1]
	}
	return c.Args[handlerIndex[o]]
}

// takesTimer reports whether the handlers that o is given get their Timer.
func (o op) takesTimer() bool { return o == alloc || o == allocLocked || o == every }

// bounded reports whether a wait ends by itself, or whether nobody can tell.
func bounded(o op, c *ssa.CallCommon) bool {
	switch o {
	case delSyncContext, groupDelSyncContext, wheelShutdown:
		return !endless(c.Args[1], 0)
	}
	return false
}

// endless reports whether a context is known to have no deadline.
func endless(ctx ssa.Value, depth int) bool {
	if depth > 10 {
		return false
	}
	switch v := ctx.(type) {
	case *ssa.Extract:
		return endless(v.Tuple, depth+1)
	case *ssa.Phi:
		for _, e := range v.Edges {
			if !endless(e, depth+1) {
				return false
			}
		}
		return true
	case *ssa.UnOp:
		if cell, ok := v.X.(*ssa.Alloc); ok && v.Op == token.MUL {
			if stored := onlyStore(cell); stored != nil {
				return endless(stored, depth+1)
			}
		}
	case *ssa.Call:
		f := calledObject(v.Common())
		if f == nil {
			return false
		}
		switch f.FullName() {
		case "context.Background", "context.TODO":
			return true
		case "context.WithCancel", "context.WithCancelCause", "context.WithValue", "context.WithoutCancel":
			return endless(v.Call.Args[0], depth+1)
		}
	}
	return false
}

// isNil reports whether a value is the constant nil.
func isNil(v ssa.Value) bool {
	c, ok := v.(*ssa.Const)
	return ok && c.Value == nil
}

// isType reports whether t is the type of package timerwheel with that name, or
// a pointer to it.
func isType(t types.Type, name string) bool {
	if p, ok := t.Underlying().(*types.Pointer); ok {
		t = p.Elem()
	}
	n, ok := types.Unalias(t).(*types.Named)
	return ok && n.Obj().Name() == name && n.Obj().Pkg() != nil && n.Obj().Pkg().Path() == wheelPath
}
