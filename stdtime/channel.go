package stdtime

import (
	"runtime"
	"time"
	"unsafe"
	"weak"
)

// This file lets the wheel send on a channel that it does not keep alive.
//
// Code that may receive has a reference to the channel: with the Timer or Ticker, or to
// the channel alone, as After and Tick return it. So the channel is what must be watched,
// not the Timer. The language has no weak reference to a channel, and no cleanup for one.
// But a channel is a pointer, as package reflect says (Value.UnsafePointer), and package
// runtime treats all pointers alike. Hence the two kinds of conversion below; there is no
// other use of unsafe.

// A channel is what a chan time.Time points to. Only its address is used.
type channel struct{ _ uintptr }

// weakRef returns a weak reference to c.
func weakRef(c chan time.Time) weak.Pointer[channel] {
	return weak.Make(*(**channel)(unsafe.Pointer(&c)))
}

// strongRef returns the channel, or nil if nothing can receive from it any more.
func strongRef(w weak.Pointer[channel]) chan time.Time {
	p := w.Value()
	return *(*chan time.Time)(unsafe.Pointer(&p))
}

// trySend sends a value if the channel still exists and has room for it.
func trySend(c chan time.Time, now time.Time) {
	select {
	case c <- now:
	default:
	}
}

// takeBack removes the value that was sent and not received. It reports whether there was
// one.
func takeBack(c chan time.Time) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// A sendingEnd is what the wheel holds of a Timer or Ticker with a channel.
type sendingEnd interface {
	deleteTimer()  // ends its timer on the wheel at once
	releaseTimer() // lets its timer end itself, at its next firing at the latest
}

// onUnreachable makes the sending end stop soon after its channel became unreachable. The
// runtime calls cleanups outside all bubbles. There a bubble's runtime timers must not be
// touched, and a deletion may touch them, so in a bubble the timer is only released.
func (c Clock) onUnreachable(ch chan time.Time, end sendingEnd) {
	p := *(**channel)(unsafe.Pointer(&ch))
	if c.bubbled {
		runtime.AddCleanup(p, sendingEnd.releaseTimer, end)
	} else {
		runtime.AddCleanup(p, sendingEnd.deleteTimer, end)
	}
}
