package timerwheel

import "errors"

// The errors of this package. A returned error may wrap one of them with where
// the timer came from (Options.Debug): match with errors.Is.
var (
	// ErrStale is returned when the handle's timer has been recycled, or the
	// handle is the zero Timer.
	ErrStale = errors.New("timerwheel: stale timer")

	// ErrFreed is returned by a Free too many: no owner is left, only the wheel
	// or a worker still holds the timer.
	ErrFreed = errors.New("timerwheel: timer has no owner to free it")

	// ErrLeaked is what Options.OnMisuse gets of a timer that still had an owner
	// when the wheel had come to its end.
	ErrLeaked = errors.New("timerwheel: timer was never freed")

	// ErrDeleting is returned when a deletion of this timer waits for its
	// handler: no Register succeeds until the handler has returned.
	ErrDeleting = errors.New("timerwheel: timer is being deleted")

	// ErrShutdown is returned when the timer was shut down for good.
	ErrShutdown = errors.New("timerwheel: timer is shut down")

	// ErrClosed is returned when the wheel is closed.
	ErrClosed = errors.New("timerwheel: wheel is closed")

	// ErrDeadlock is returned when the call would wait for itself.
	ErrDeadlock = errors.New("timerwheel: would wait for itself")

	// ErrNotManual is returned when the wheel has its own time.
	ErrNotManual = errors.New("timerwheel: wheel is not manual")
)
