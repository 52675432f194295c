package timerwheel

import (
	"iter"
	"time"
)

// This file shows what is pending.

// Timers returns an iterator over the pending timers and their deadlines, in no order: for a
// tear-down that must say what it drops, and for a snapshot. Deadlines, and the program's own
// map from Timer to meaning, are what a program needs to arm them again after a restart
// ([Timer.RegisterAt]).
//
// A timer that is pending from the begin of the iteration to its end is yielded, once. One that
// becomes pending or ceases to be in that time may be yielded or not. A timer that is moved in
// that time, or an Every that fires, is yielded with the deadline that it had when it was seen.
// When the loop's body runs, the timer may have fired or been deleted.
//
// The iteration holds no lock while the loop's body runs. So the body may call anything, also
// on the timer that it was given. It costs a look at each timer that lives, whether it is pending
// or not, some 64 in one critical section.
//
// Timers does not yield what packages stdtime, timerctx and keyed have pending: their users have
// no Timer for it, and wait for it. What a keyed.Timers has pending, its own All yields.
func (w *Wheel) Timers() iter.Seq2[Timer, time.Time] {
	w.made()
	return func(yield func(Timer, time.Time) bool) {
		some := make([]pendingTimer, 0, batch)
		for _, sh := range w.shards {
			for next, more := uint32(0), true; more; {
				some, next, more = sh.pendingFrom(next, some[:0])
				for _, p := range some {
					if !yield(p.timer, w.timeAt(p.when)) {
						return
					}
				}
			}
		}
	}
}

// A pendingTimer is what Timers yields.
type pendingTimer struct {
	timer Timer
	when  int64
}

// pendingFrom appends to some the pending timers among the next records, from i on. It returns
// the record to go on with, and whether there may be more. A timer stays in its record, so none
// is seen twice.
func (sh *shard) pendingFrom(i uint32, some []pendingTimer) (seen []pendingTimer, next uint32, more bool) {
	sh.lock()
	defer sh.end()
	for range batch {
		n := i / chunkLen
		if sh.closed || int(n) >= sh.records.Chunks() {
			return some, i, false
		}
		if sh.records.Chunk(n) == nil {
			i = (n + 1) * chunkLen
			continue
		}
		s := sh.records.At(i)
		if when, ok := sh.pendingDeadline(i, s); ok && sh.firingOf(i, s) == nil {
			some = append(some, pendingTimer{sh.timer(i, s), when})
		}
		i++
	}
	return some, i, true
}
