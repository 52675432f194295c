package stdtime

import (
	"runtime"
	"time"
	"unsafe"
	"weak"
)

// This file lets the wheel send on a channel that it does not keep alive.
//
// Whoever may receive has the channel: with the Timer or Ticker, or alone, as
// After and Tick return it. So the channel is what must be watched, not the
// Timer. The language has no weak reference to a channel, and no cleanup of
// one; but a channel is a pointer, as package reflect says (Value.UnsafePointer),
// and package runtime treats every pointer alike. Hence the two conversions
// below, and no other use of unsafe.

// A channel is what a chan time.Time points to. Only its address is used.
type channel struct{ _ uintptr }

func weakly(c chan time.Time) weak.Pointer[channel] {
	return weak.Make(*(**channel)(unsafe.Pointer(&c)))
}

// strongly returns the channel; nil, if nobody could receive from it any more.
func strongly(w weak.Pointer[channel]) chan time.Time {
	p := w.Value()
	return *(*chan time.Time)(unsafe.Pointer(&p))
}

// offer sends a value, if there is room for it and the channel still exists.
func offer(c chan time.Time, now time.Time) {
	select {
	case c <- now:
	default:
	}
}

// takeBack removes the value that has been sent and not received, if there is
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
	abandon() // ends its timer on the wheel
	release() // lets it end itself, at its next firing at the latest
}

// whenLost sees to it that an end does not outlive its channel by much. The
// runtime calls cleanups outside all bubbles, where a bubble's runtime timers
// must not be touched, which a deletion may do: there the end is only released.
func (c Clock) whenLost(ch chan time.Time, end sendingEnd) {
	p := *(**channel)(unsafe.Pointer(&ch))
	if c.bubbled {
		runtime.AddCleanup(p, sendingEnd.release, end)
	} else {
		runtime.AddCleanup(p, sendingEnd.abandon, end)
	}
}
