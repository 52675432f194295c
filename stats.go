package timerwheel

import "time"

// Stats says what a wheel holds and what it has done. Each shard's part is one consistent
// snapshot, so under any races Registered == Fired + Removed + Pending. A Register that is under way may
// count as made, and a deletion as not made. (So Registered may for a moment count one Register that is
// refused, or finds that another call has changed its timer at the same instant.)
type Stats struct {
	Live    int // timers that have not been recycled
	Pending int // timers that are pending
	Running int // handlers in flight
	Workers int // goroutines of the wheel

	// Due is the number of pending timers that are due, to the tick, and have not begun:
	// those in line for a worker, those that still run or wait for the lock that they are
	// bound to, and firings of packages stdtime and timerctx. Most of the time they wait for
	// microseconds. If Due stays above 0 while Running is MaxWorkers, all workers are busy.
	Due        int
	MaxWorkers int // Options.MaxWorkers, or its default

	Registered uint64 // times that a timer became pending, Every's own included; moving a pending timer is not counted
	Fired      uint64 // handlers begun
	Removed    uint64 // firings removed by a deletion or by Close

	Refused   uint64 // Registers refused, for any reason; AfterFunc, AfterFuncArg, AfterFuncLocked and Every that returned an invalid Timer
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

	Bytes int64 // storage held for timers, and for the membership of groups, without the table of running handlers
}

// Stats returns what the wheel holds and what it has done. It looks at one shard after the
// other, and takes each one's lock for a moment: call it to observe, not on a hot path. A
// handler that ends on one shard and a firing that begins on another in that time may both be
// in it. Where several hundred timers of a shard are due, Stats counts them by walking all of the
// shard's timers, a few at a time: that takes about ten nanoseconds a timer.
func (w *Wheel) Stats() Stats {
	var s Stats
	w.made().addStats(&s)
	return s
}

// addStats adds what the wheel holds and has done to empty Stats. It returns the earliest deadline of
// the timers in line for a worker, or never.
func (w *Wheel) addStats(s *Stats) (firstDue int64) {
	now := w.elapsed()
	firstDue = never
	for _, sh := range w.shards {
		sh.lock()
		s.add(sh)
		due, ok := sh.fewDue(now, &firstDue)
		sh.unlock()
		if !ok {
			due = sh.countDue(now, 0, &firstDue)
		}
		s.Due += due
	}
	s.Due = min(s.Due, s.Pending) // some may have become pending since the shard was counted
	s.Workers, s.MaxWorkers = w.goroutines(), w.maxWorkers
	return firstDue
}

// add adds what a shard holds and has done, without Due.
func (s *Stats) add(sh *shard) {
	c := &sh.counters
	s.Live += sh.records.Live()
	open, starts, stops := sh.countLanes()
	s.Pending += c.linked - c.inLanes + open
	s.Running += sh.running.Len()
	s.Registered += c.registered + starts
	s.Fired += c.fired
	s.Removed += c.removed + stops
	s.Refused += c.refused
	s.SyncWaits += c.syncWaits
	s.Misuses += c.misuses
	s.MaxLate = max(s.MaxLate, time.Duration(c.maxLate))
	s.SumLate = time.Duration(after(int64(s.SumLate), time.Duration(c.sumLate)))
	s.MaxRun = max(s.MaxRun, time.Duration(c.maxRun))
	s.SumRun = time.Duration(after(int64(s.SumRun), time.Duration(c.sumRun)))
	if c.histograms != nil {
		for k := range c.lateness {
			s.Lateness[k] += c.lateness[k]
			s.RunTime[k] += c.runTime[k]
		}
	}
	s.Bytes += sh.bytes()
}

// bytes returns the storage that the shard holds for timers.
func (sh *shard) bytes() int64 {
	return sh.records.Bytes() + sh.levels.Bytes() +
		sh.annexes.Bytes() + sh.annexBytes + sh.floors.Bytes() + sh.wordBytes + sh.ownBytes() + sh.groupBytes()
}
