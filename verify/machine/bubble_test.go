package machine

import (
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// A failure is what a program that fails panics with.
type failure string

// bubble runs f in a bubble of testing/synctest, for rapid. A program ends
// early by a panic, and rapid shrinks it if that comes to the goroutine in which
// rapid called it, which is outside of the bubble. And it tells failures by
// where they come from: so those of the program, and what rapid itself throws
// when a draw is not possible, go on from different places.
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

// inBubble returns what f has panicked with. If it has, it is not surprising
// that goroutines are left behind.
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

// guard is in real time. A wait that is not durable, on a mutex that nobody
// unlocks, makes a bubble hang instead of fail; the guard shows all stacks then.
func guard() *time.Timer {
	return time.AfterFunc(time.Minute, func() {
		debug.SetTraceback("all")
		panic("the bubble neither moves nor rests: something in it waits, but not durably")
	})
}
