package timerwheel

import (
	"time"
	"unsafe" // Sizeof
)

// Stats says what a wheel holds and what it has done. Each shard's part is one consistent
// snapshot, so under any races Registered == Fired + Removed + Pending.
type Stats struct {
	Live    int // timers that have not been recycled
	Pending int // timers that are pending
	Running int // handlers in flight
	Workers int // goroutines of the wheel

	Registered uint64 // times that a timer became pending, Every's own included; moving a pending timer is not counted
	Fired      uint64 // handlers begun
	Removed    uint64 // firings removed by a deletion or by Close

	Refused   uint64 // Registers refused, for whatever reason; AfterFunc and Every that returned an invalid Timer
	SyncWaits uint64 // deletions that had to wait, counted when the wait begins
	Misuses   uint64 // Registers, Retains and Frees of a stale timer, and extra Frees; with Debug also timers that had an owner at the wheel's end

	MaxLate time.Duration // the worst start of a handler after its deadline
	SumLate time.Duration // of all handlers begun; divided by Fired it is the mean
	MaxRun  time.Duration // the longest run of a handler that has ended
	SumRun  time.Duration // of all runs that have ended; divided by Fired - Running it is the mean

	// Lateness counts the handlers begun by their lateness: Lateness[0] those that were
	// less than a microsecond late, Lateness[k] those that were from 2^(k-1) to 2^k
	// microseconds late, and the last one all later ones as well.
	Lateness [25]uint64

	// RunTime counts the runs that have ended by their length, in the same buckets: with
	// those that are running they are as many as have fired.
	RunTime [25]uint64

	Bytes int64 // storage held for timers, without the tables of running handlers and of groups' members
}

// Stats returns what the wheel holds and what it has done. It looks at one shard after the
// other, and takes each one's lock for a moment: call it to observe, not on a hot path. A
// handler that ends on one shard and a firing that begins on another in that time may both be
// in it.
func (w *Wheel) Stats() Stats {
	var s Stats
	for _, sh := range w.shards {
		sh.lock()
		s.add(sh)
		sh.unlock()
	}
	s.Workers = w.goroutines()
	return s
}

// add adds what a shard holds and has done.
func (s *Stats) add(sh *shard) {
	c := &sh.counters
	s.Live += sh.records.Live()
	s.Pending += c.pending
	s.Running += sh.running.Len()
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

// bytes returns the storage that the shard holds for timers.
func (sh *shard) bytes() int64 {
	return sh.records.Bytes() + sh.levels.Bytes() +
		int64(sh.records.Held())*int64(unsafe.Sizeof(values{})) +
		int64(sh.argChunks)*int64(unsafe.Sizeof(values{})) +
		sh.bodies.Bytes() + sh.args.Bytes() + sh.floors.Bytes()
}
