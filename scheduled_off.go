//go:build !schedules

package timerwheel

// This file and its twin, scheduled_on.go, are where a scheduler takes hold of
// the wheel that wants to decide about every step of it, together with
// mutex_scheduled.go: see verify/schedules. In ordinary builds nothing of it is
// left.

// begins is called by a new goroutine of the wheel.
func begins(string) {}

// at is called where a step ends that no mutex ends.
func at(string) {}

// until is called before a wait for anything but a mutex. ready says when that
// wait would be none.
func until(string, func() bool) {}
