package timerwheel

import (
	"math"
	"math/bits"
	"time"
)

// This file is the wheel's time. Inside the wheel a time is a number of nanoseconds since
// the wheel's base, by the monotonic clock.
//
// The wall clock may be set while the wheel lives. So its reading in the base says nothing
// about a later moment. A time that comes in without a monotonic reading, and every time
// that goes out, is translated by both clocks as they are at that moment (since, timeAt).
//
// The time of a Manual wheel is its host's, and that of a bubble of testing/synctest cannot
// be set: there base is the only reading, and no wall clock is read (settable).

// never is the deadline of a timer that is too far away for the clock. The wheel's time is
// always less.
const never = math.MaxInt64

// after returns the deadline d from now; never, if there is no such time.
func after(now int64, d time.Duration) int64 {
	if d <= 0 {
		return now
	}
	if int64(d) > never-now {
		return never
	}
	return now + int64(d)
}

// Now returns the wheel's time. It is that of time.Now, with a monotonic reading: if the wall
// clock is set, Now follows it, and no timer is early or late because of it. On a Manual wheel
// it is the time to which the wheel was advanced, as the host gave it.
func (w *Wheel) Now() time.Time {
	if !w.made().manual {
		return time.Now()
	}
	w.shards[0].lock()
	defer w.shards[0].end()
	return w.advanced
}

// elapsed returns the wheel's time in ns since its base. It is always less than never.
func (w *Wheel) elapsed() int64 {
	if w.manual {
		return w.manualNow.Load()
	}
	return min(int64(time.Since(w.base)), never-1)
}

// since returns a time in ns since the wheel's base; never, if it is too far away. If that
// takes a look at the clock, since returns what time it is, too, and otherwise 0: the base,
// before which it is not. A time that has passed by the wall clock is now.
func (w *Wheel) since(t time.Time) (at, now int64) {
	if !w.settable || hasMonotonic(t) {
		return int64(t.Sub(w.base)), 0
	}
	clock := time.Now()
	now = min(int64(clock.Sub(w.base)), never-1)
	return after(now, t.Sub(clock)), now
}

// timeAt is the reverse of since: what the clock shows, as it is set now, at a time of the
// wheel's. With a monotonic reading, as far as package time has one.
func (w *Wheel) timeAt(at int64) time.Time {
	if !w.settable {
		return w.base.Add(time.Duration(at))
	}
	now := time.Now()
	return now.Add(time.Duration(at) - now.Sub(w.base))
}

// notBeforeNow is timeAt of at, or Now, if that is later.
func (w *Wheel) notBeforeNow(at int64) time.Time {
	when := w.timeAt(max(at, w.elapsed()))
	if now := w.Now(); when.Before(now) { // centuries after Start, where a Duration does not reach, too
		return now
	}
	return when
}

// hasMonotonic reports whether a time has a monotonic reading: Round removes it.
func hasMonotonic(t time.Time) bool { return t != t.Round(0) }

// nanos returns the time at which a tick begins.
func (sh *shard) nanos(tick int64) int64 {
	high, ns := bits.Mul64(uint64(tick), uint64(sh.levels.Tick()))
	if high != 0 || ns > never {
		return never
	}
	return int64(ns)
}
