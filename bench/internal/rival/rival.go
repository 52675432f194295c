// Package rival puts this library and what it is compared with behind one
// interface, so that all of them do the same work.
//
// The loops of the fast paths are methods of the rivals: each calls its
// library as a program would, directly, and no call through an interface is
// measured with it. Everything that is not about single calls is in package
// scene, once for all.
package rival

import "time"

// A Rival is an implementation of timers. AfterFunc and StartStop may be called
// by several goroutines at once; the other methods by one.
//
// Timers that are used again have numbers: Make makes them.
type Rival interface {
	// AfterFunc calls f once, in d. Nobody stops it.
	AfterFunc(d time.Duration, f func())

	// StartStop starts a one-shot for d and stops it, n times. It returns how
	// many were stopped before they fired.
	StartStop(n int, d time.Duration, f func()) int

	// StartAll starts n one-shots for d that do nothing, and keeps their handles;
	// StopAll stops them, and forgets the handles. It returns how many were
	// stopped.
	StartAll(n int, d time.Duration)
	StopAll() int

	// Make makes n timers that call f, none of them pending. It is called once.
	Make(n int, f func())

	// Rearm arms, or moves, the timers of these numbers: the first to d from now,
	// each further one to step more than the one before. It returns the d that
	// would have been the next.
	Rearm(order []uint32, d, step time.Duration) time.Duration

	// ArmStop arms timer 0 for d and stops it, n times.
	ArmStop(n int, d time.Duration)

	// Stop stops the timers of these numbers. It returns how many were stopped
	// before they fired.
	Stop(order []uint32) int

	// Every calls f again and again, until Close.
	Every(period time.Duration, f func())

	// Close ends it, with all that pends.
	Close()
}

// AtRearmer is a Rival that can be told the time instead of a duration, and then
// need not look at the clock.
type AtRearmer interface {
	RearmAt(order []uint32, when time.Time, step time.Duration) time.Time
}

// A SyncStopper is a Rival whose stop can wait for a handler in flight.
type SyncStopper interface {
	StopSync(order []uint32) int
}

// A Closer is a Rival whose Close ends all its timers: not only those of Make, as
// it is with what has no owner.
type Closer interface{ EndsAll() }

// A Kind makes Rivals of one implementation.
type Kind struct {
	Name string
	New  func(tick time.Duration) (Rival, error)
}

// The names of those that targets are about.
const (
	Ours = "timerwheel"
	Time = "time"
)

// Kinds are all there are: this library, what it is measured against, and then
// the others.
func Kinds() []Kind {
	return []Kind{
		{Ours, newWheel},
		{Time, newStd},
		{"hand-rolled", newHandRolled},
		{"go-zero", newGoZero},
	}
}

// nothing is what timers do that are not to fire.
func nothing() {}
