// Package rival puts this library and the implementations that it is compared with
// behind one interface, so that all of them do the same work.
//
// The loops of the fast paths are methods of the rivals. Each loop calls its library
// directly, as a program would, so no call through an interface is measured with it.
// Work that is not about single calls is in package scene, once for all rivals.
package rival

import "time"

// A Rival is an implementation of timers. Several goroutines may call AfterFunc and
// StartStop at once. One goroutine at a time calls the other methods.
//
// Make makes timers that are reused. The other methods name them by their numbers.
type Rival interface {
	// AfterFunc calls f once, after d. It returns no handle, so f cannot be stopped.
	AfterFunc(d time.Duration, f func())

	// StartStop starts a one-shot for d and stops it, n times. It returns how
	// many were stopped before they fired.
	StartStop(n int, d time.Duration, f func()) int

	// StartAll starts n one-shots for d that do nothing, and keeps their handles.
	// StopAll stops them and drops the handles. It returns how many were stopped
	// before they fired.
	StartAll(n int, d time.Duration)
	StopAll() int

	// Make makes n timers that call f and are not pending. It is called at most once.
	Make(n int, f func())

	// Rearm arms or moves the timers with these numbers: the first to d from now, each
	// further one to step more than the one before. It returns the d that a further
	// timer would have had.
	Rearm(order []uint32, d, step time.Duration) time.Duration

	// ArmStop arms timer 0 for d and stops it, n times.
	ArmStop(n int, d time.Duration)

	// Stop stops the timers with these numbers. It returns how many were stopped
	// before they fired.
	Stop(order []uint32) int

	// Every calls f periodically until Close.
	Every(period time.Duration, f func())

	// Close releases the rival. No timer of Make and no series of Every fires any more.
	Close()
}

// An AtRearmer is a Rival that accepts a time instead of a duration, and then need not
// read the clock.
type AtRearmer interface {
	// RearmAt is Rearm with a time for the first timer. It returns the time that a
	// further timer would have had.
	RearmAt(order []uint32, when time.Time, step time.Duration) time.Time
}

// A SyncStopper is a Rival whose stop can wait for a handler in flight.
type SyncStopper interface {
	// StopSync is Stop, and returns after the handlers in flight have returned.
	StopSync(order []uint32) int
}

// A FullCloser is a Rival whose Close ends all its timers. Close of another Rival ends
// only those of Make, because the others have no owner. ClosesAll does nothing: it marks
// the type.
type FullCloser interface{ ClosesAll() }

// A Kind makes Rivals of one implementation.
type Kind struct {
	Name string
	New  func(tick time.Duration) (Rival, error)
}

// The names of the rivals that targets compare.
const (
	Ours = "timerwheel"
	Time = "time"
)

// Kinds returns all kinds: first this library, then package time, which most targets
// refer to, then the others.
func Kinds() []Kind {
	return []Kind{
		{Ours, newWheel},
		{Time, newStd},
		{"hand-rolled", newHandRolled},
		{"go-zero", newGoZero},
	}
}

// nothing is the handler of timers that do not fire.
func nothing() {}
