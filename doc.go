// Package timerwheel calls functions at given times, on an embeddable
// hierarchical timing wheel whose deletion is safe.
//
// # Why
//
// The documentation of [time.Timer.Stop] says that "Stop does not wait for f to
// complete before returning". So code that tears down what a timer's function
// uses (a connection, a buffer, a session) must find out whether the function is
// running at that moment, and must prevent it from arming the timer again. With
// flags, generations and mutexes that is easy to get wrong.
//
// This package's [Timer.DelSync] waits: when it has returned nil, the handler is
// not running, and everything that it did has been done. [Timer.ShutdownSync]
// also prevents the handler from ever running again.
//
// A [Wheel] owns its timers. A [Timer] is only a handle: a value with a
// generation, which goes stale when its timer is recycled. A stale handle never
// reaches the timer that uses the storage next. So any code may delete, free or
// register a timer at any time: its own handler, another handler, or two
// goroutines at once.
//
// A timer is a few dozen bytes in an array, not an object of its own. Until it
// is due the wheel looks at it a handful of times, however long that is, and has
// no goroutine in between.
//
// # When not to use it
//
// With a few timers, or a few hundred, package time is simpler, and good. A
// wheel's timers live in memory and end with the process: it does not replace a
// job scheduler. And a wheel is as exact as its tick ([Options].Tick, default
// 1 ms): a handler never starts early. While a worker is free it starts at most
// two ticks late, plus the scheduler's delay.
//
// # The tour
//
//	w, err := timerwheel.New(timerwheel.Options{}) // one wheel for the program
//	if err != nil { ... }
//	defer w.Close()
//
//	w.AfterFunc(time.Second, func() { ... }) // runs once; there is nothing to free
//
//	t := w.Alloc(func(timerwheel.Timer) { c.close() }) // a timer to keep
//	err = t.Register(time.Minute) // arm it
//	err = t.Register(time.Hour)   // move it
//	_, err = t.ShutdownSync()     // now the handler is not running, and never runs again
//	err = t.Free()                // the program does not need it any more
//
// An idle timeout ([Timer.RegisterIdle]) fires when its timer has not been touched for a while. Call
// [Timer.Touch], which takes a few nanoseconds, for each read or packet.
//
// [Wheel.Every] makes periodic timers. [Wheel.NewGroup] makes sets of timers that
// are torn down together. [Wheel.AllocLocked] makes timers whose handler runs
// under a lock of yours; under that lock even [Timer.Del], which never waits, is
// safe. A Manual wheel ([Options]) has no goroutine and no clock: an event loop, a
// simulation or a test drives it with [Wheel.Advance].
//
// # Which deletion
//
//   - [Timer.Del] and [Timer.Stop] do not wait. Use them where a handler in flight
//     does not matter, or under the lock of a lock-bound timer.
//   - [Timer.DelSync] waits for a handler in flight. Use it before anything that
//     the handler uses goes away.
//   - [Timer.DelSyncContext] waits, but not longer than its context allows.
//   - [Timer.DelAsync] does not wait, and calls a function when the handler does not
//     run. Use it in event loops.
//   - [Timer.Shutdown] is Del, [Timer.ShutdownSync] is DelSync, and
//     [Timer.ShutdownSyncContext] is DelSyncContext, for a timer that other code
//     might register again: they refuse every later Register.
//
// # Locking rules
//
// The wheel holds no lock of its own while a function of yours runs, and every
// method may be called in every function that the wheel calls. The methods that
// wait (DelSync and the other deletions that wait, [Wheel.Close],
// [Wheel.CloseContext] and [Wheel.Advance]) return ErrDeadlock where they would
// wait for their caller.
//
// One rule is left to you: do not call a method that waits while you hold a lock
// that a handler wants. The one exception is a deletion of a timer that is
// lock-bound to that lock. The documentation of DelSync draws why, and shows the
// other circles that the wheel cannot see.
//
// # Memory model
//
// What happens before a Register happens before the start of the handler run that
// the Register leads to. The end of each run of a timer happens before the start of
// its next run. The end of a run happens before the return of every deletion that
// waited for the run or found it over, and before the call of a DelAsync's done.
//
// # Bubbles
//
// A wheel works in a bubble of testing/synctest, on the bubble's clock: nothing is
// global, waits are durable, and the runtime knows only one timer of a wheel, that
// of its next wake-up. Make the wheel in the bubble that uses it.
//
// Used in another bubble, or outside of its own, a wheel panics and says so, in each call that
// arms, waits, advances, closes or makes a timer; calls that only look do not. (A time.Timer is
// less friendly: the runtime ends the program when a bubble's is stopped or reset outside, and
// one from outside that is reset in a bubble does not fire for decades.) In a bubble these
// calls take microseconds.
package timerwheel
