//go:build !schedules

// Package hook holds the places at which tests take control of a wheel. The
// schedule explorer (verify/schedules, build tag schedules) decides which goroutine
// makes the next step; the pause meter (bench/cmd/pauses, build tag pauses) measures
// critical sections. In ordinary builds nothing of it is left.
package hook

// Decides reports whether a Scheduler decides every step, so that to yield does nothing.
func Decides() bool { return false }

// Begins is called by a new goroutine of the wheel.
func Begins(string) {}

// At is called where a step ends that no mutex ends.
func At(string) {}

// Until is called before a wait for anything but a mutex. ready reports whether
// that wait would end at once.
func Until(string, func() bool) {}
