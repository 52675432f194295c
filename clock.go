package timerwheel

import (
	"math"
	"math/bits"
	"time"
)

// This file is the wheel's time. Inside the wheel a time is a number of nanoseconds since
// the wheel's base, by the monotonic clock.

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

// Now returns the wheel's time: the time at which it was made plus the time elapsed since then
// on the monotonic clock. On a Manual wheel it is the time to which the wheel was advanced.
func (w *Wheel) Now() time.Time {
	if !w.manual {
		return w.timeAt(w.elapsed())
	}
	w.shards[0].lock()
	defer w.shards[0].unlock()
	return w.advanced
}

// elapsed returns the wheel's time in ns since its base. It is always less than never.
func (w *Wheel) elapsed() int64 {
	if w.manual {
		return w.manualNow.Load()
	}
	return min(int64(time.Since(w.base)), never-1)
}

// since returns a time in ns since the wheel's base; never, if it is too far away.
func (w *Wheel) since(t time.Time) int64 { return int64(t.Sub(w.base)) }

// timeAt is the reverse of since.
func (w *Wheel) timeAt(at int64) time.Time { return w.base.Add(time.Duration(at)) }

// nanos returns the time at which a tick begins.
func (sh *shard) nanos(tick int64) int64 {
	high, ns := bits.Mul64(uint64(tick), uint64(sh.levels.Tick()))
	if high != 0 || ns > never {
		return never
	}
	return int64(ns)
}
