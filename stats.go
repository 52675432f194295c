package timerwheel

import (
	"maps"
	"math"
	"math/bits"
	"slices"
	"time"
	"unsafe" // Sizeof
)

// Stats says what a wheel holds and what it has done. It is one consistent
// snapshot: under any races, Registered == Fired + Removed + Pending.
type Stats struct {
	Live    int // timers that have not been recycled
	Pending int // timers that are pending
	Running int // handlers in flight
	Workers int // goroutines of the wheel

	Registered uint64 // times that a timer became pending, Every's own included; to move one that pends is not counted
	Fired      uint64 // handlers begun
	Removed    uint64 // firings removed by a deletion or by Close

	Refused   uint64 // Registers refused, for whatever reason; AfterFunc and Every that returned an invalid Timer
	SyncWaits uint64 // deletions that had to wait, counted when the wait begins
	Misuses   uint64 // Registers, Retains and Frees of a stale timer, and Frees too many; with Debug also timers that had an owner at the wheel's end

	MaxLate time.Duration // the worst start of a handler after its deadline
	SumLate time.Duration // of all handlers begun; divided by Fired it is the mean
	MaxRun  time.Duration // the longest run of a handler that has ended
	SumRun  time.Duration // of all runs that have ended; divided by Fired - Running it is the mean

	// Lateness counts the handlers begun by how late that was: Lateness[0] those
	// that were less than a microsecond late, Lateness[k] those that were from
	// 2^(k-1) to 2^k microseconds late, and the last one all later ones as well.
	Lateness [25]uint64

	// RunTime counts the runs that have ended by how long they took, in the same
	// buckets: with those that are running they are as many as have fired.
	RunTime [25]uint64

	Bytes int64 // storage held for timers, without the rows of running handlers and of groups' members
}

// Stats returns what the wheel holds and what it has done. It takes the locks of
// all shards at once, for a moment: call it to observe, not on a hot path.
func (w *Wheel) Stats() Stats {
	for _, sh := range w.shards {
		sh.lock()
	}
	var s Stats
	for _, sh := range w.shards {
		s.add(sh)
	}
	s.Workers = w.goroutines()
	for _, sh := range w.shards {
		sh.unlock()
	}
	return s
}

// add adds what a shard holds and has done.
func (s *Stats) add(sh *shard) {
	c := &sh.counters
	s.Live += sh.records.live
	s.Pending += c.pending
	s.Running += sh.running.n
	s.Registered += c.registered
	s.Fired += c.fired
	s.Removed += c.removed
	s.Refused += c.refused
	s.SyncWaits += c.syncWaits
	s.Misuses += c.misuses
	s.MaxLate = max(s.MaxLate, time.Duration(c.maxLate))
	s.SumLate = time.Duration(after(int64(s.SumLate), time.Duration(c.sumLate)))
	s.MaxRun = max(s.MaxRun, time.Duration(c.maxRun))
	s.SumRun = time.Duration(after(int64(s.SumRun), time.Duration(c.sumRun)))
	for k, n := range c.lateness {
		s.Lateness[k] += n
	}
	for k, n := range c.runTime {
		s.RunTime[k] += n
	}
	s.Bytes += sh.bytes()
}

// goroutines counts those of the wheel.
func (w *Wheel) goroutines() int {
	if w.manual {
		return 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.members) + w.starting
}

// late counts a firing by its lateness, in ns.
func (c *counters) late(ns int64) {
	c.maxLate = max(c.maxLate, ns)
	c.sumLate = after(c.sumLate, time.Duration(ns)) // saturates
	c.lateness[bucket(ns)]++
}

// took counts a run that has ended by how long it was, in ns.
func (c *counters) took(ns int64) {
	c.maxRun = max(c.maxRun, ns)
	c.sumRun = after(c.sumRun, time.Duration(ns))
	c.runTime[bucket(ns)]++
}

// bucket returns the bucket of a histogram that a time in ns belongs to.
func bucket(ns int64) int {
	return min(bits.Len64(uint64(ns)/1000), len(Stats{}.Lateness)-1)
}

// bytes returns the storage that the shard holds for timers.
func (sh *shard) bytes() int64 {
	return sh.records.bytes() + sh.levels.blocks.bytes() +
		int64(sh.records.held)*int64(unsafe.Sizeof(values{})) +
		int64(sh.argChunks)*int64(unsafe.Sizeof(values{})) +
		sh.bodies.bytes() + sh.args.bytes() + sh.floors.bytes()
}

// A RunningHandler is a handler in flight.
type RunningHandler struct {
	Timer   Timer
	Since   time.Time
	Waiters int // deletions that wait for its end
}

// Running returns the handlers in flight, one entry for each, in no order. It is no
// snapshot, but a walk, in which no shard's lock is held for long: what runs all the
// time is in it, what ends meanwhile may be, and what begins meanwhile, by the clock, is
// not. So it lists no more than have run at once, and there are never more than
// Options.MaxWorkers.
func (w *Wheel) Running() []RunningHandler {
	type run struct {
		goid uint64
		RunningHandler
	}
	began := w.elapsed()
	some := make([]run, 0, scanLen) // before the lock is taken
	seen := make(map[uint64]RunningHandler)
	for _, sh := range w.shards {
		for k := math.MaxInt; k > 0; {
			some = some[:0]
			sh.lock()
			k = sh.scanRuns(k, func(r *runningSlot) int {
				if r.since <= began {
					h := RunningHandler{sh.timer(r.i, sh.records.at(r.i)), w.timeAt(r.since), r.wk.ending.waiters()}
					some = append(some, run{r.wk.goid, h})
				}
				return 1
			})
			sh.unlock()
			for _, r := range some {
				seen[r.goid] = r.RunningHandler // of what one goroutine runs the last counts
			}
		}
	}
	return slices.Collect(maps.Values(seen))
}
