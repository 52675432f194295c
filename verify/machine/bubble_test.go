package machine

import (
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// A failure is the panic value of a program that fails.
type failure string

// bubble runs f in a bubble of testing/synctest, for rapid. A program that fails panics. Rapid
// shrinks the program only if the panic reaches the goroutine in which rapid called it, and this
// one is outside of the bubble. Rapid tells failures apart by their origin. Therefore the
// failures of the program, and the panics of rapid itself when a draw is not possible, are raised
// at different places.
func bubble(t *testing.T, rt *rapid.T, f func()) {
	switch p := inBubble(t, f).(type) {
	case nil:
	case failure:
		rt.Fatal(string(p))
	case error:
		rt.Fatalf("panic: %v", p)
	default:
		panic(p)
	}
}

// inBubble returns the value that f has panicked with. After a panic, goroutines that are left
// behind are no failure.
func inBubble(t *testing.T, f func()) (p any) {
	defer guard().Stop()
	defer func() {
		if p != nil {
			_ = recover()
		}
	}()
	synctest.Test(t, func(*testing.T) {
		defer func() { p = recover() }()
		f()
	})
	return p
}

// guard is in real time. A wait that is not durable, on a mutex that stays locked, makes a bubble
// hang instead of fail. The guard then crashes with all stacks.
func guard() *time.Timer {
	return time.AfterFunc(time.Minute, func() {
		debug.SetTraceback("all")
		panic("the bubble neither moves nor rests: something in it waits, but not durably")
	})
}
