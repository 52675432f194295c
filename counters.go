package timerwheel

import (
	"math/bits"
	"time"
)

// counters count what a shard's timers do. The shard's lock guards them.
type counters struct {
	linked                     int    // timers whose record says that they are pending
	inLanes                    int    // of linked: those whose words are open or parked, and counted in lanes
	entered                    uint64 // words opened with the lock, less words closed while open; may be below 0. It makes the stops: countLanes
	registered, fired, removed uint64 // what the lanes count is not in it
	refused, syncWaits         uint64
	ownFired                   uint64 // of fired: own firings, which no worker runs
	misuses                    uint64
	maxLate, sumLate           int64 // ns
	maxRun, sumRun             int64 // ns
	*histograms                      // nil until a handler has begun
}

type histograms struct{ lateness, runTime histogram }

// A histogram counts times by their length: bucket 0 those of less than a microsecond,
// bucket k those from 2^(k-1) to 2^k microseconds, and the last bucket all longer ones
// as well.
type histogram [25]uint64

// add counts a time, in ns.
func (h *histogram) add(ns int64) { h[min(bits.Len64(uint64(ns)/1000), len(h)-1)]++ }

// late counts a firing by its lateness, in ns.
func (c *counters) late(ns int64) {
	if c.histograms == nil { // most shards of a wheel with few timers never run one
		c.histograms = new(histograms)
	}
	c.maxLate = max(c.maxLate, ns)
	c.sumLate = after(c.sumLate, time.Duration(ns)) // saturates
	c.lateness.add(ns)
}

// took counts a run that has ended by its length, in ns.
func (c *counters) took(ns int64) {
	c.maxRun = max(c.maxRun, ns)
	c.sumRun = after(c.sumRun, time.Duration(ns))
	c.runTime.add(ns)
}
