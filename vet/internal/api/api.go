// Package api knows what the functions of timerwheel, and those of the standard
// library that the analysis needs, mean to the analysis.
package api

// WheelPath is the path of the package whose use is analysed.
const WheelPath = "github.com/seed76848005/timerwheel"

// KeyedPath is the path of the package whose timers are found by key.
const KeyedPath = WheelPath + "/keyed"

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
	ReleaseLock // of the lock that the wheel holds for the handler

	// Calls that make a timer. MakesTimer, OfWheel and Owned depend on the order.
	Alloc
	AllocArg
	AllocLocked
	AfterFunc
	AfterFuncArg
	AfterFuncLocked
	Every
	KeyedNew      // makes the timers of all keys, which have one handler
	CtxAfterFunc  // of timerctx
	TimeAfterFunc // of time, stdtime and context: not a timer of a wheel

	// Deletions that wait. Waits and its kin depend on the order.
	DelSync
	DelSyncContext
	ShutdownSync
	ShutdownSyncContext
	KeyedDeleteSync
	GroupDelSync
	GroupDelSyncContext
	GroupShutdownSync
	GroupShutdownSyncContext
	WheelClose
	WheelCloseContext
	Advance
	AdvanceThrough

	// Other calls on a timer. Registers depends on the order.
	Del
	Stop
	Shutdown
	Register
	RegisterAt
	RegisterWithin
	RegisterIdle
	Move
	Reduce
	Reset
	Touch
	Retain
	Free
	KeyedDelete

	// Waits and signals of other kinds.
	WaitGroupWait
	WaitGroupDone
	CondWait
	CondSignal
	Receive
	CloseChan

	OnceDo
	CtxWithCancel // makes a context of package timerctx and its cancel function
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

	WheelPath + "/timerctx.WithTimeout":       CtxWithCancel,
	WheelPath + "/timerctx.WithTimeoutCause":  CtxWithCancel,
	WheelPath + "/timerctx.WithDeadline":      CtxWithCancel,
	WheelPath + "/timerctx.WithDeadlineCause": CtxWithCancel,

	"(*" + WheelPath + ".Wheel).Alloc":           Alloc,
	"(*" + WheelPath + ".Wheel).AllocArg":        AllocArg,
	"(*" + WheelPath + ".Wheel).AllocLocked":     AllocLocked,
	"(*" + WheelPath + ".Wheel).AfterFuncLocked": AfterFuncLocked,
	"(*" + WheelPath + ".Wheel).AfterFunc":       AfterFunc,
	"(*" + WheelPath + ".Wheel).AfterFuncArg":    AfterFuncArg,
	"(*" + WheelPath + ".Wheel).Every":           Every,
	"(*" + WheelPath + ".Group).Alloc":           Alloc,
	"(*" + WheelPath + ".Group).AllocArg":        AllocArg,
	"(*" + WheelPath + ".Group).AllocLocked":     AllocLocked,
	"(*" + WheelPath + ".Group).AfterFuncLocked": AfterFuncLocked,
	"(*" + WheelPath + ".Group).AfterFunc":       AfterFunc,
	"(*" + WheelPath + ".Group).AfterFuncArg":    AfterFuncArg,
	"(*" + WheelPath + ".Group).Every":           Every,

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
	"(*" + WheelPath + ".Wheel).AdvanceThrough":      AdvanceThrough,

	"(" + WheelPath + ".Timer).Del":            Del,
	"(" + WheelPath + ".Timer).Stop":           Stop,
	"(" + WheelPath + ".Timer).Shutdown":       Shutdown,
	"(" + WheelPath + ".Timer).Register":       Register,
	"(" + WheelPath + ".Timer).RegisterAt":     RegisterAt,
	"(" + WheelPath + ".Timer).RegisterWithin": RegisterWithin,
	"(" + WheelPath + ".Timer).RegisterIdle":   RegisterIdle,
	"(" + WheelPath + ".Timer).Move":           Move,
	"(" + WheelPath + ".Timer).Touch":          Touch,
	"(" + WheelPath + ".Timer).Reduce":         Reduce,
	"(" + WheelPath + ".Timer).Reset":          Reset,
	"(" + WheelPath + ".Timer).ReleaseLock":    ReleaseLock,
	"(" + WheelPath + ".Timer).Retain":         Retain,
	"(" + WheelPath + ".Timer).Free":           Free,

	KeyedPath + ".New":                          KeyedNew,
	"(*" + KeyedPath + ".Timers[K]).DeleteSync": KeyedDeleteSync,
	"(*" + KeyedPath + ".Timers[K]).Delete":     KeyedDelete,
}

// names holds what diagnostics call an Op.
var names = map[Op]string{
	Alloc: "Alloc", AllocArg: "AllocArg", AllocLocked: "AllocLocked",
	AfterFunc: "AfterFunc", AfterFuncArg: "AfterFuncArg", AfterFuncLocked: "AfterFuncLocked", Every: "Every", KeyedNew: "keyed.New", CtxAfterFunc: "timerctx.AfterFunc", TimeAfterFunc: "AfterFunc",
	DelSync: "DelSync", DelSyncContext: "DelSyncContext",
	ShutdownSync: "ShutdownSync", ShutdownSyncContext: "ShutdownSyncContext",
	KeyedDeleteSync: "DeleteSync", KeyedDelete: "Delete",
	GroupDelSync: "Group.DelSync", GroupDelSyncContext: "Group.DelSyncContext",
	GroupShutdownSync: "Group.ShutdownSync", GroupShutdownSyncContext: "Group.ShutdownSyncContext",
	WheelClose: "Wheel.Close", WheelCloseContext: "Wheel.CloseContext", Advance: "Wheel.Advance", AdvanceThrough: "Wheel.AdvanceThrough",
	Del: "Del", Stop: "Stop", Shutdown: "Shutdown", Register: "Register", RegisterAt: "RegisterAt",
	RegisterWithin: "RegisterWithin", RegisterIdle: "RegisterIdle", Move: "Move", Touch: "Touch", Reduce: "Reduce", Reset: "Reset", Retain: "Retain", Free: "Free",
	WaitGroupWait: "WaitGroup.Wait", CondWait: "Cond.Wait", Receive: "a receive",
}

func (o Op) String() string { return names[o] }

// Locks reports whether o locks or unlocks a lock.
func (o Op) Locks() bool { return Lock <= o && o <= ReleaseLock }

// WaitsForSignal reports whether o waits for a WaitGroup or a Cond.
func (o Op) WaitsForSignal() bool { return o == WaitGroupWait || o == CondWait }

// Signals reports whether o ends a wait for a WaitGroup, a Cond or a channel.
func (o Op) Signals() bool { return o == WaitGroupDone || o == CondSignal || o == CloseChan }

// MakesTimer reports whether o makes a timer, or gives time, stdtime or context a
// function to call.
func (o Op) MakesTimer() bool { return Alloc <= o && o <= TimeAfterFunc }

// OfWheel reports whether o makes a timer of a wheel.
func (o Op) OfWheel() bool { return Alloc <= o && o <= CtxAfterFunc }

// Owned reports whether the timer that o makes has an owner.
func (o Op) Owned() bool { return Alloc <= o && o <= AllocLocked }

// Locked reports whether the timer that o makes is lock-bound.
func (o Op) Locked() bool { return o == AllocLocked || o == AfterFuncLocked }

// TakesTimer reports whether the handler that is passed to o takes a Timer.
func (o Op) TakesTimer() bool { return o.Owned() || o == Every }

// TakesArg reports whether the last argument of o is passed to the handler.
func (o Op) TakesArg() bool { return o == AllocArg || o == AfterFuncArg }

// Waits reports whether o waits for handlers.
func (o Op) Waits() bool { return DelSync <= o && o <= AdvanceThrough }

// WaitsForTimer reports whether o waits for the handler of one timer, or of one key.
func (o Op) WaitsForTimer() bool { return DelSync <= o && o <= KeyedDeleteSync }

// WaitsForGroup reports whether o waits for the handlers of a group.
func (o Op) WaitsForGroup() bool { return GroupDelSync <= o && o <= GroupShutdownSyncContext }

// WaitsForWheel reports whether o waits for the handlers of a wheel.
func (o Op) WaitsForWheel() bool { return WheelClose <= o && o <= AdvanceThrough }

// Deletes reports whether o deletes the timer of a handle.
func (o Op) Deletes() bool {
	return DelSync <= o && o <= ShutdownSyncContext || o == Del || o == Stop || o == Shutdown
}

// ShutsDown reports whether o deletes one timer that then refuses every Register.
func (o Op) ShutsDown() bool { return o == Shutdown || o == ShutdownSync || o == ShutdownSyncContext }

// WithoutWait returns the deletion that does what o does, but does not wait for the
// handler.
func (o Op) WithoutWait() Op {
	switch {
	case o.ShutsDown():
		return Shutdown
	case o == KeyedDeleteSync:
		return KeyedDelete
	}
	return Del
}

// Registers reports whether o arms a timer.
func (o Op) Registers() bool { return Register <= o && o <= Reset }
