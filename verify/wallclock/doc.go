// Package wallclock sets the wall clock while wheels, timers and contexts live, and looks at
// what becomes of them.
//
// A test must not set the clock of the machine. But where Go runs in JavaScript (GOOS=js), the
// wall clock is that of Date, which the program can replace, and the monotonic clock is that of
// performance, which it leaves alone. So the tests proper are in clock_js_test.go, and
// TestUnderNode runs them under node. Nothing in the library knows that it is tested like this.
package wallclock
