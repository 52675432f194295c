// Package rival puts this library and the implementations that it is compared with
// behind one interface, so that all of them do the same work.
//
// The loops of the fast paths are methods of the rivals. Each loop calls its library
// directly, as a program would, so no call through an interface is measured with it.
// Work that is not about single calls is in package scene, once for all rivals.
package rival

import (
	"runtime"
	"time"
)

// A Rival is an implementation of timers. Several goroutines may call AfterFunc and
// StartStop at once, and Rearm and Stop of different timers. One goroutine at a time calls the other
// methods.
//
// Make makes timers that are armed one or more times. The other methods name them by their numbers.
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

	// Rearm arms the timers with these numbers: the first to d from now, each further one to
	// step more than the one before. It returns the d that a further timer would have had.
	// A Reuser moves those that are pending. Of another Rival none may be pending.
	Rearm(order []uint32, d, step time.Duration) time.Duration

	// Stop stops the timers with these numbers. It returns how many were stopped
	// before they fired.
	Stop(order []uint32) int

	// Every calls f periodically until Close.
	Every(period time.Duration, f func())

	// Another returns another Rival of this kind, with the same tick and without timers.
	Another() (Rival, error)

	// Close releases the rival. No timer of Make and no series of Every fires any more.
	Close()
}

// A Reuser is a Rival whose timers can be moved while they are pending, and used again after
// they have fired or were stopped. Another Rival arms a timer by starting a new one-shot.
type Reuser interface {
	// ArmStop arms timer 0 for d and stops it, n times.
	ArmStop(n int, d time.Duration)
}

// An AtRearmer is a Rival that accepts a time instead of a duration, and then need not
// read the clock.
type AtRearmer interface {
	// RearmAt is Rearm with a time for the first timer. It returns the time that a
	// further timer would have had.
	RearmAt(order []uint32, when time.Time, step time.Duration) time.Time
}

// A Toucher is a Rival that has idle timeouts.
type Toucher interface {
	// RearmIdle arms the timers with these numbers as idle timeouts of d.
	RearmIdle(order []uint32, d time.Duration)

	// Touch puts idle timeouts off. It returns how many were pending.
	Touch(order []uint32) int
}

// A SlackRearmer is a Rival whose timers may be given slack, so that it wakes less often.
type SlackRearmer interface {
	// RearmWithin is Rearm with a slack: each timer fires at its d, or up to slack later.
	RearmWithin(order []uint32, d, step, slack time.Duration) time.Duration
}

// A Connector is a Rival that can end the timers of a connection: one-shots that belong together.
type Connector interface {
	// Connect starts three one-shots for d for each of n connections. Each has a closure of its
	// own, as a handler has that knows its connection. Connect keeps what is needed to stop
	// them: if grouped is true and the rival has groups, that is a group.
	Connect(n int, d time.Duration, grouped bool)

	// Disconnect stops the timers of all connections. It returns the number of connections
	// that had a timer that had not fired.
	Disconnect() int
}

// A SyncStopper is a Rival whose stop can wait for a handler in flight.
type SyncStopper interface {
	// StopSync is Stop, and returns after the handlers in flight have returned.
	StopSync(order []uint32) int
}

// A KeyedTimers is a Rival that finds timers by key: at most one is pending for each key.
// Several goroutines may call its methods at once, for different keys.
type KeyedTimers interface {
	// MakeKeyed says what the timers call. It is called at most once, and first.
	MakeKeyed(f func())

	// SetKeys arms the timers of these keys for d from now, or moves those that are pending.
	SetKeys(keys []uint32, d time.Duration)

	// MoveKeys moves those of the timers that are pending to d from now.
	MoveKeys(keys []uint32, d time.Duration)

	// DeleteKeys deletes the timers of these keys. It returns how many were pending.
	DeleteKeys(keys []uint32) int
}

// A StallReporter is a Rival that can report handlers that run for too long.
type StallReporter interface {
	// Reporting returns another Rival of this kind, which calls f for each handler that has
	// run for that long. If f is nil, it does not look for them.
	Reporting(after time.Duration, f func()) (Rival, error)
}

// A Driver is a Rival whose time can be driven by its host.
type Driver interface {
	// Driven returns another Rival of this kind, and a function that advances the time of that
	// Rival n times by step. The function returns how many timers fired in it.
	Driven() (r Rival, advance func(n int, step time.Duration) (fired int), err error)
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
		{"RussellLuo", newRussellLuo},
		{"antlabs", newAntlabs},
	}
}

// closure returns a handler that does nothing, and knows its connection.
func closure(connection int) func() {
	return func() { runtime.KeepAlive(connection) }
}

// disconnect stops the timers of connections, as Disconnect does.
func disconnect[T interface{ Stop() bool }](handles [][3]T) (stopped int) {
	for _, timers := range handles {
		some := false
		for _, t := range timers {
			some = t.Stop() || some
		}
		if some {
			stopped++
		}
	}
	return stopped
}

// nothing is the handler of timers that do not fire.
func nothing() {}
