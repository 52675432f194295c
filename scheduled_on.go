//go:build schedules

package timerwheel

// A Scheduler decides which goroutine makes the next step: its methods return
// when the calling goroutine shall go on. It exists with the build tag schedules
// only.
type Scheduler interface {
	Begins(place string)                   // the caller is a new goroutine of the wheel
	Lock(mutex any)                        // the caller is about to lock it, and must not have to wait then
	Unlocked(mutex any)                    // the caller has unlocked it
	At(place string)                       // the caller is there
	Until(event string, ready func() bool) // the caller is about to wait until ready
}

// Scheduled is the Scheduler of all wheels, if there is one. Set it while there
// is no wheel.
var Scheduled Scheduler

func begins(place string) {
	if Scheduled != nil {
		Scheduled.Begins(place)
	}
}

func at(place string) {
	if Scheduled != nil {
		Scheduled.At(place)
	}
}

func until(event string, ready func() bool) {
	if Scheduled != nil {
		Scheduled.Until(event, ready)
	}
}
