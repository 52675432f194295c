package timerwheel

import "errors"

// The errors of this package. A returned error may wrap one of them and add where
// the timer came from (Options.Debug): match with errors.Is.
var (
	// ErrStale is returned when the handle's timer has been recycled, or the
	// handle is the zero Timer.
	ErrStale = errors.New("timerwheel: stale timer")

	// ErrFreed is returned by an extra Free: no owner is left, only the wheel or a
	// worker still holds a reference to the timer.
	ErrFreed = errors.New("timerwheel: timer has no owner to free it")

	// ErrLeaked is passed to Options.OnMisuse for timers that still have an owner
	// when the first Close or CloseContext returns nil.
	ErrLeaked = errors.New("timerwheel: timer was never freed")

	// ErrDeleting is returned when a deletion of this timer waits for its handler,
	// or has given up that wait: no Register succeeds until the handler has
	// returned.
	ErrDeleting = errors.New("timerwheel: timer is being deleted")

	// ErrShutdown is returned when the timer was shut down for good.
	ErrShutdown = errors.New("timerwheel: timer is shut down")

	// ErrClosed is returned when the wheel is closed.
	ErrClosed = errors.New("timerwheel: wheel is closed")

	// ErrShared is returned by Close and CloseContext of the wheel that Default returns:
	// other parts of the program use it.
	ErrShared = errors.New("timerwheel: wheel is shared by the program")

	// ErrDeadlock is returned by a call that would wait for its own caller,
	// directly or through a circle of handlers that wait for each other.
	ErrDeadlock = errors.New("timerwheel: would wait for itself")

	// ErrNotLocked is returned by ReleaseLock anywhere but in a handler of the timer for which
	// the wheel holds the timer's lock.
	ErrNotLocked = errors.New("timerwheel: not in a handler that holds the timer's lock")

	// ErrNotManual is returned by Advance on a wheel whose time passes by itself.
	ErrNotManual = errors.New("timerwheel: wheel is not manual")

	// ErrEndless is returned by AdvanceThrough when handlers arm timers for "at once"
	// again and again, so that the wheel's time stands still.
	ErrEndless = errors.New("timerwheel: timers are armed for at once without end")
)
