// Package timerwheel is an embeddable hierarchical timing wheel whose deletion
// is safe.
//
// # Why
//
// The documentation of [time.Timer.Stop] says that "Stop does not wait for f to
// complete before returning". So whoever tears down what a timer's function
// uses, a connection, a buffer, a session, has to find out whether the function
// runs at that moment, and to keep it from arming the timer again; with flags,
// generations and mutexes that are easily wrong. This package's [Timer.DelSync]
// waits: when it has returned, the handler does not run, and all that it did has
// been done. [Timer.Shutdown] forbids that it ever runs again.
//
// A [Wheel] owns its timers, and a [Timer] is only a handle: a value with a
// generation, which goes stale when its timer is recycled and then never
// reaches the timer that uses the storage next. So it does not matter who
// deletes, frees or registers what from where: the handler itself, another
// handler, two goroutines at once.
//
// A timer is a few dozen bytes in an array, not an object of its own. Until it
// is due the wheel looks at it a handful of times, however long that is, and has
// no goroutine in between.
//
// # When not to use it
//
// With a few timers, or a few hundred, package time is simpler and good. A
// wheel's timers live in memory and end with the process: it is no scheduler of
// jobs. And it is as exact as its tick ([Options].Tick, 1 ms if nothing is
// said): never early, but up to two ticks late, and the scheduler's delay, while
// a worker is free.
//
// # The tour
//
//	w, err := timerwheel.New(timerwheel.Options{})  // one wheel for the program
//	defer w.Close()
//
//	w.AfterFunc(time.Second, func() { ... })        // fire and forget
//
//	t := w.Alloc(func(timerwheel.Timer) { c.close() })  // a timer to keep
//	t.Register(time.Minute)                         // arm it
//	t.Register(time.Minute)                         // push it back, on each read, say
//	t.Shutdown()                                    // now the handler does not run, nor ever will
//	t.Free()                                        // nobody needs it any more
//
// [Wheel.Every] makes periodic timers, [Wheel.NewGroup] sets of timers that are
// torn down together, and [Wheel.AllocLocked] timers whose handler runs under a
// lock of yours, which makes even [Timer.Del] safe under that lock. A Manual
// wheel ([Options]) has no goroutine and no clock, and is driven by an event
// loop, a simulation or a test with [Wheel.Advance].
//
// # Which deletion
//
// [Timer.Del] and [Timer.Stop] do not wait: for when it does not matter that
// the handler may be in flight, or under the lock of a lock-bound timer.
// [Timer.DelSync] waits: before anything that the handler uses goes away.
// [Timer.DelSyncContext] waits, but not for ever. [Timer.DelAsync] calls you
// back instead: for event loops. [Timer.Shutdown] is DelSync for a timer that
// somebody else might register again.
//
// # Locking rules
//
// No lock of the wheel is held while a function of yours runs, and every method
// may be called in every function that the wheel calls. Those that wait,
// DelSync and its sisters, [Wheel.Close] and [Wheel.Advance], return ErrDeadlock
// where they would wait for their caller. One rule is left to you: do not call
// them while you hold a lock that a handler wants, unless the timer is
// lock-bound to it; DelSync's documentation draws why, and what else cannot be
// seen from here.
//
// # Memory model
//
// What happens before a Register happens before the start of the handler that
// it leads to. The end of each run of a timer happens before the start of its
// next. The end of a run happens before the return of every deletion that
// waited for it, or that found it over, and before the call of a DelAsync's
// done.
//
// # Bubbles
//
// A wheel works in a bubble of testing/synctest, on its clock: nothing is
// global, waits are durable, and only the one timer that is due next is known
// to the runtime. Make the wheel in the bubble that uses it.
package timerwheel
