// Package api knows what the functions of timerwheel, and those of the standard
// library that the analysis needs, mean to the analysis.
package api

// WheelPath is the path of the package whose use is analysed.
const WheelPath = "github.com/seed76848005/timerwheel"

// An Op is what a call does.
type Op int

const (
	Other Op = iota // nothing that matters to the analysis

	// Locks.
	Lock
	RLock
	Unlock
	RUnlock
	TryLock
	TryRLock

	// Calls that make a timer. MakesTimer and OfWheel depend on the order.
	Alloc
	AllocLocked
	AfterFunc
	AfterFuncArg
	Every
	CtxAfterFunc  // of timerctx
	TimeAfterFunc // of time, stdtime and context: not a timer of a wheel

	// Deletions that wait. Waits and its kin depend on the order.
	DelSync
	DelSyncContext
	ShutdownSync
	ShutdownSyncContext
	GroupDelSync
	GroupDelSyncContext
	GroupShutdownSync
	GroupShutdownSyncContext
	WheelClose
	WheelCloseContext
	Advance

	// Other calls on a timer. Registers depends on the order.
	Del
	Stop
	Shutdown
	Register
	RegisterAt
	Reduce
	Reset
	Retain
	Free

	// Waits and signals of other kinds.
	WaitGroupWait
	WaitGroupDone
	CondWait
	CondSignal
	Receive
	CloseChan

	OnceDo
)

// ops holds the functions that mean something to the analysis, by their full
// names.
var ops = map[string]Op{
	"(*sync.Mutex).Lock":       Lock,
	"(*sync.RWMutex).Lock":     Lock,
	"(sync.Locker).Lock":       Lock,
	"(*sync.RWMutex).RLock":    RLock,
	"(*sync.Mutex).Unlock":     Unlock,
	"(*sync.RWMutex).Unlock":   Unlock,
	"(sync.Locker).Unlock":     Unlock,
	"(*sync.RWMutex).RUnlock":  RUnlock,
	"(*sync.Mutex).TryLock":    TryLock,
	"(*sync.RWMutex).TryLock":  TryLock,
	"(*sync.RWMutex).TryRLock": TryRLock,

	"(*sync.WaitGroup).Wait": WaitGroupWait,
	"(*sync.WaitGroup).Done": WaitGroupDone,
	"(*sync.Cond).Wait":      CondWait,
	"(*sync.Cond).Signal":    CondSignal,
	"(*sync.Cond).Broadcast": CondSignal,
	"(*sync.Once).Do":        OnceDo,

	"time.AfterFunc":    TimeAfterFunc,
	"context.AfterFunc": TimeAfterFunc,
	"(" + WheelPath + "/stdtime.Clock).AfterFunc": TimeAfterFunc,
	WheelPath + "/timerctx.AfterFunc":             CtxAfterFunc,

	"(*" + WheelPath + ".Wheel).Alloc":        Alloc,
	"(*" + WheelPath + ".Wheel).AllocLocked":  AllocLocked,
	"(*" + WheelPath + ".Wheel).AfterFunc":    AfterFunc,
	"(*" + WheelPath + ".Wheel).AfterFuncArg": AfterFuncArg,
	"(*" + WheelPath + ".Wheel).Every":        Every,
	"(*" + WheelPath + ".Group).Alloc":        Alloc,
	"(*" + WheelPath + ".Group).AllocLocked":  AllocLocked,
	"(*" + WheelPath + ".Group).AfterFunc":    AfterFunc,
	"(*" + WheelPath + ".Group).AfterFuncArg": AfterFuncArg,
	"(*" + WheelPath + ".Group).Every":        Every,

	"(" + WheelPath + ".Timer).DelSync":              DelSync,
	"(" + WheelPath + ".Timer).DelSyncContext":       DelSyncContext,
	"(" + WheelPath + ".Timer).ShutdownSync":         ShutdownSync,
	"(" + WheelPath + ".Timer).ShutdownSyncContext":  ShutdownSyncContext,
	"(*" + WheelPath + ".Group).DelSync":             GroupDelSync,
	"(*" + WheelPath + ".Group).DelSyncContext":      GroupDelSyncContext,
	"(*" + WheelPath + ".Group).ShutdownSync":        GroupShutdownSync,
	"(*" + WheelPath + ".Group).ShutdownSyncContext": GroupShutdownSyncContext,
	"(*" + WheelPath + ".Wheel).Close":               WheelClose,
	"(*" + WheelPath + ".Wheel).CloseContext":        WheelCloseContext,
	"(*" + WheelPath + ".Wheel).Advance":             Advance,

	"(" + WheelPath + ".Timer).Del":        Del,
	"(" + WheelPath + ".Timer).Stop":       Stop,
	"(" + WheelPath + ".Timer).Shutdown":   Shutdown,
	"(" + WheelPath + ".Timer).Register":   Register,
	"(" + WheelPath + ".Timer).RegisterAt": RegisterAt,
	"(" + WheelPath + ".Timer).Reduce":     Reduce,
	"(" + WheelPath + ".Timer).Reset":      Reset,
	"(" + WheelPath + ".Timer).Retain":     Retain,
	"(" + WheelPath + ".Timer).Free":       Free,
}

// names holds what diagnostics call an Op.
var names = map[Op]string{
	Alloc: "Alloc", AllocLocked: "AllocLocked", AfterFunc: "AfterFunc", AfterFuncArg: "AfterFuncArg",
	Every: "Every", CtxAfterFunc: "timerctx.AfterFunc", TimeAfterFunc: "AfterFunc",
	DelSync: "DelSync", DelSyncContext: "DelSyncContext",
	ShutdownSync: "ShutdownSync", ShutdownSyncContext: "ShutdownSyncContext",
	GroupDelSync: "Group.DelSync", GroupDelSyncContext: "Group.DelSyncContext",
	GroupShutdownSync: "Group.ShutdownSync", GroupShutdownSyncContext: "Group.ShutdownSyncContext",
	WheelClose: "Wheel.Close", WheelCloseContext: "Wheel.CloseContext", Advance: "Wheel.Advance",
	Del: "Del", Stop: "Stop", Shutdown: "Shutdown", Register: "Register", RegisterAt: "RegisterAt", Reduce: "Reduce",
	Reset: "Reset", Retain: "Retain", Free: "Free",
	WaitGroupWait: "WaitGroup.Wait", CondWait: "Cond.Wait", Receive: "a receive",
}

func (o Op) String() string { return names[o] }

// MakesTimer reports whether o makes a timer, or gives time, stdtime or context a
// function to call.
func (o Op) MakesTimer() bool { return Alloc <= o && o <= TimeAfterFunc }

// OfWheel reports whether o makes a timer of a wheel.
func (o Op) OfWheel() bool { return Alloc <= o && o <= CtxAfterFunc }

// Owned reports whether the timer that o makes has an owner.
func (o Op) Owned() bool { return o == Alloc || o == AllocLocked }

// TakesTimer reports whether the handler that is passed to o takes a Timer.
func (o Op) TakesTimer() bool { return o == Alloc || o == AllocLocked || o == Every }

// Waits reports whether o waits for handlers.
func (o Op) Waits() bool { return DelSync <= o && o <= Advance }

// WaitsForTimer reports whether o waits for the handler of one timer.
func (o Op) WaitsForTimer() bool { return DelSync <= o && o <= ShutdownSyncContext }

// WaitsForGroup reports whether o waits for the handlers of a group.
func (o Op) WaitsForGroup() bool { return GroupDelSync <= o && o <= GroupShutdownSyncContext }

// WaitsForWheel reports whether o waits for the handlers of a wheel.
func (o Op) WaitsForWheel() bool { return WheelClose <= o && o <= Advance }

// Deletes reports whether o deletes one timer.
func (o Op) Deletes() bool { return o.WaitsForTimer() || o == Del || o == Stop || o == Shutdown }

// ShutsDown reports whether o deletes one timer that then refuses every Register.
func (o Op) ShutsDown() bool { return o == Shutdown || o == ShutdownSync || o == ShutdownSyncContext }

// WithoutWait returns the deletion that does what o does, but does not wait for the
// handler.
func (o Op) WithoutWait() Op {
	if o.ShutsDown() {
		return Shutdown
	}
	return Del
}

// Registers reports whether o arms a timer.
func (o Op) Registers() bool { return Register <= o && o <= Reset }
