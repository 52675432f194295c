//go:build schedules

// Package hook holds the places at which tests take control of a wheel: here, with
// the build tag schedules, a Scheduler decides every step.
package hook

// A Scheduler decides which goroutine makes the next step: its methods return when
// the calling goroutine may go on. It exists with the build tag schedules only.
type Scheduler interface {
	Begins(place string)                   // the caller is a new goroutine of the wheel
	Lock(mutex any)                        // the caller is about to lock it, and must not have to wait then
	Unlocked(mutex any)                    // the caller has unlocked it
	At(place string)                       // the caller is there
	Until(event string, ready func() bool) // the caller is about to wait until ready
}

// Scheduled is the Scheduler of all wheels; nil if there is none. Set it while there
// is no wheel.
var Scheduled Scheduler

// Decides reports whether a Scheduler decides every step, so that to yield does nothing.
func Decides() bool { return Scheduled != nil }

// Begins is called by a new goroutine of the wheel.
func Begins(place string) {
	if Scheduled != nil {
		Scheduled.Begins(place)
	}
}

// At is called where a step ends that no mutex ends.
func At(place string) {
	if Scheduled != nil {
		Scheduled.At(place)
	}
}

// Until is called before a wait for anything but a mutex. ready reports whether
// that wait would end at once.
func Until(event string, ready func() bool) {
	if Scheduled != nil {
		Scheduled.Until(event, ready)
	}
}
