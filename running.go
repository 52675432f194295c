package timerwheel

import (
	"maps"
	"math"
	"slices"
	"time"
)

// This file holds the handlers in flight.
//
// A worker publishes the timer that it runs in its running slot, in the critical section
// that takes the timer off the wheel (begin). It clears the slot in the one that ends
// everything that belongs to the run: the refusal of Registers, the waits of deletions,
// the last reference to a timer without owners (finish). sync_del.go says what a deletion
// may do with the slot.

// A runningSlot says what a worker runs. Those of a shard lie in a row, so that a walk
// over ten thousand of them takes microseconds.
type runningSlot struct {
	wk    *worker
	since int64  // since when it runs, ns since the wheel's base
	i     uint32 // the timer that runs
}

// publish puts a timer that begins to run into a running slot of the worker.
func (wk *worker) publish(sh *shard, i uint32, since int64) {
	wk.slotIndex = sh.running.Len()
	sh.running.Push(runningSlot{wk: wk, since: since, i: i})
	sh.watchRun(wk, since)
}

// unpublish clears the worker's running slot: the last slot of the row takes its position.
func (wk *worker) unpublish(sh *shard) {
	slot := wk.slot(sh)
	if last := sh.running.At(uint32(sh.running.Len() - 1)); last != slot {
		*slot = *last
		last.wk.slotIndex = wk.slotIndex
	}
	sh.running.Pop()
	sh.unwatch(wk)
}

// slot returns the worker's running slot, which must be in use.
func (wk *worker) slot(sh *shard) *runningSlot { return sh.running.At(uint32(wk.slotIndex)) }

// findRun returns the worker that runs a timer, which must be running.
func (sh *shard) findRun(i uint32) *worker {
	k := uint32(0)
	for sh.running.At(k).i != i {
		k++
	}
	return sh.running.At(k).wk
}

// scanLen bounds, roughly, the runs and waits examined in one critical section.
const scanLen = 16

// scanRuns looks at some of the shard's runs, from the kth downwards, and returns the k
// to go on with; look returns how much it has looked at. When a run ends, the last run
// takes its position: a run that moves may be seen twice, but is not missed.
func (sh *shard) scanRuns(k int, look func(*runningSlot) int) (next int) {
	k = min(k, sh.running.Len())
	for seen := 0; k > 0 && seen < scanLen; {
		k--
		seen += look(sh.running.At(uint32(k)))
	}
	return k
}

// A RunningHandler is a handler in flight.
type RunningHandler struct {
	Timer   Timer
	Since   time.Time
	Waiters int // deletions that wait for its end
}

// Running returns the handlers in flight, one entry for each, in no order. It is not a
// snapshot: it visits one shard after another, and holds no shard's lock for long. A handler
// that runs all the time is in it, one that ends in that time may be, and one that begins in
// that time, by the clock, is not. So it lists no more handlers than have run at once, and
// there are never more than Options.MaxWorkers.
func (w *Wheel) Running() []RunningHandler {
	type run struct {
		goid  uint64
		since int64
		RunningHandler
	}
	began := w.made().elapsed()
	some := make([]run, 0, scanLen) // before the lock is taken
	seen := make(map[uint64]RunningHandler)
	for _, sh := range w.shards {
		for k := math.MaxInt; k > 0; {
			some = some[:0]
			sh.lock()
			k = sh.scanRuns(k, func(r *runningSlot) int {
				if r.since <= began {
					h := RunningHandler{Timer: sh.timer(r.i, sh.records.At(r.i)), Waiters: r.wk.ending.waiters()}
					some = append(some, run{r.wk.goid, r.since, h})
				}
				return 1
			})
			sh.unlock()
			for _, r := range some {
				r.Since = w.timeAt(r.since)
				seen[r.goid] = r.RunningHandler // of what one goroutine runs, the last entry counts
			}
		}
	}
	return slices.Collect(maps.Values(seen))
}
