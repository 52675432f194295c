// Package own is how the library's own packages, stdtime, timerctx and keyed, arm firings. Most
// of these never block: the send on the channel of a timer, a tick, the end of a Sleep or of a
// context. Some call a function of the user's.
//
// The wheel knows a firing by the type of AfterFuncArg's argument. It fires those that never
// block outside of Options.MaxWorkers, so that they happen in time though all workers wait for
// them; a worker fires the others, as it runs a handler. When the wheel closes, it hands over
// what is pending, so that nothing waits for ever.
package own

import (
	"sync/atomic"
	"time"
)

// A Firing is the part of a timer that the wheel knows: the argument of
// timerwheel.Wheel.AfterFuncArg, with Fire as the function.
type Firing struct {
	Owner Owner
	User  any  // the user's function, which Owner.Fire calls and which may block: then a worker calls Fire; nil if there is none
	Kept  bool // the Timer that AfterFuncArg returns has an owner, as one from Alloc

	Untold atomic.Bool // the wheel has left it to Armed to tell the host
}

// Armed must be called after each arming of the firing, when the caller holds no lock: if the
// firing is earlier than the host of a Manual wheel knows, it tells the host
// (Options.OnNext), which may call anything.
func (x *Firing) Armed(wheel any) {
	if x.Untold.Load() && x.Untold.Swap(false) {
		TellHost(wheel)
	}
}

// What package timerwheel has for these packages beside its public API. It sets them when it
// is initialized, and nothing else does. wheel is a *timerwheel.Wheel.
var (
	// Base returns the wheel's time 0. Two calls return the same value (==).
	Base func(wheel any) time.Time

	// TellHost calls Options.OnNext of a Manual wheel that has one.
	TellHost func(wheel any)
)

// An Owner is what has a firing pending.
type Owner interface {
	// Fire is called when the firing is due, in a goroutine of the wheel that holds no
	// lock. It must not block, unless there is a User: while it does, it delays others
	// (by half a tick). If the owner has armed the firing again in between, two calls may
	// overlap, and one may be of the earlier arming, and come before the other is due.
	Fire()

	// HandOver is called, instead of Fire, when the wheel is closed while the firing is
	// pending. left is the time until it is due; as with Fire, it may be that of an earlier
	// arming. On a Manual wheel, whose time stands still from then on, hasTime is false.
	// The caller holds no lock.
	HandOver(left time.Duration, hasTime bool)
}

// Fire is the function for AfterFuncArg: it calls the Fire of a *Firing's owner.
func Fire(firing any) { firing.(*Firing).Owner.Fire() }
