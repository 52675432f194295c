package timerwheel

import (
	"cmp"
	"maps"
	"math"
	"math/bits"
	"slices"
	"time"
)

// This file is what the wheel tells about itself to who looks at it while it
// runs: package debug shows it. A shard is locked for a moment at a time, for
// one of its levels or for a few of its runs, and what is many is counted, not
// walked: so a look stops nobody, whatever the wheel holds.

// An Inspection is what a wheel looks like: see [Wheel.Inspect].
type Inspection struct {
	Options Options   // as New took them, the defaults in the places of zeros
	Start   time.Time // when the wheel was made, in its own time; tick 0 begins then
	Now     time.Time // the wheel's time
	Next    time.Time // what [Wheel.Next] says; the zero Time if nothing pends
	Closed  bool

	Levels   [9]LevelInfo // of all shards together
	Due      int          // timers in line for a worker: taken out of their slots, or in slots that lie before their level's Start
	Held     int          // timers that are due, but still run, or wait for the lock that they are bound to
	Deferred int          // timers due at once that an Advance in progress leaves to the next

	Runs  []RunInfo // handlers in flight, the oldest first: at most 256; Stats.Running says how many there are
	Stats Stats     // as [Wheel.Stats], of each shard for itself
}

// A Level is one of the levels of a wheel: 64 slots, of which each spans 64
// times as many ticks as one of the level below. (The lowest level of the wheel has 4,096
// slots. It is shown as two: the 64 ticks of now, and the rest, 64 at a time.)
//
// Slot k is looked at at the tick Start + k*Span, on the second level at each of its
// ticks at which something is due. Its timers fire in the Span ticks from then on, or
// later: one that was pushed back stays in its slot until that is looked at.
type LevelInfo struct {
	Start  int64   // where its first slot begins, ticks since the wheel's start
	Span   int64   // of a slot, ticks
	Timers [64]int // how many are in each slot
}

// A Run is a handler in flight, and what waits for it.
type RunInfo struct {
	RunningHandler
	Goroutine    uint64     // in which it runs, as stack traces number it
	Handler      string     // the handler's function, file:line; of a method bound to its receiver the name alone
	AllocatedAt  string     // of the timer, file:line, with Options.Debug
	RegisteredAt string     // likewise, of the last Register
	Waits        []WaitInfo // deletions that wait for its end, the oldest first: at most 16 of the Waiters; of more, DelAsyncs are left out first
	Waiting      *WaitInfo  // the deletion that waits in this handler, if one does
	WaitsFor     []uint64   // the goroutines of the handlers that this deletion waits for: at most 16
}

// A Wait is a deletion that waits for handlers to end.
type WaitInfo struct {
	Goroutine uint64    // which waits, as stack traces number it; 0 for a DelAsync, where none does
	Since     time.Time // since when
	Async     bool      // it is a DelAsync
	Group     bool      // it is of a whole Group
}

const (
	maxRunInfos  = 256
	maxWaitInfos = 16
)

// Inspect tells what the wheel holds, what runs and who waits for whom. It is no
// consistent snapshot, but a walk: it holds the lock of one shard at a time, for
// a few microseconds, however many timers pend and deletions wait. A handler that
// runs from its beginning to its end is in it; so is a deletion's wait, up to the
// bounds that the fields name.
//
// It is to look at, as package debug does. Do not decide by it.
func (w *Wheel) Inspect() Inspection {
	w.mu.Lock()
	in := Inspection{Options: w.options(), Start: w.base, Closed: w.closed}
	w.mu.Unlock()
	in.Now = w.Now()
	in.Next, _ = w.Next()
	in.Due = w.countLevels(in.Levels[:2], 0, (*shard).countTicks)
	for n := 2; n < len(in.Levels); n++ {
		in.Due += w.countLevels(in.Levels[n:n+1], n, (*shard).countLevel)
	}
	for _, sh := range w.shards {
		sh.countLists(&in)
	}
	in.Stats.Workers = w.goroutines()
	in.Runs = w.runs()
	return in
}

// options returns the options that the wheel was made with.
func (w *Wheel) options() Options {
	o := Options{
		Tick:       w.tick,
		MaxWorkers: w.maxWorkers,
		Manual:     w.manual,
		OnPanic:    w.onPanic,
		StallAfter: w.stallAfter,
		OnStall:    w.onStall,
		Debug:      w.debug,
		OnMisuse:   w.onMisuse,
	}
	if w.manual {
		o.Start = w.base
	}
	return o
}

// tell has all shards tell levels, from the nth on, as they are now. It returns how many
// timers are late on them: in slots that were to be emptied before the level began where
// it does now.
//
// Every shard has its own time, which may lag but is not ahead of the wheel's. If
// one is ahead of the time that was read before, that was too long ago.
func (w *Wheel) countLevels(levels []LevelInfo, n int, shardTells func(*shard, []LevelInfo) (late int, ahead bool)) (late int) {
	for tries := 3; ; tries-- {
		now := w.elapsed() / int64(w.tick)
		for k := range levels {
			below := (n + k) * digitBits
			levels[k] = LevelInfo{Start: now >> (below + digitBits) << (below + digitBits), Span: 1 << below}
		}
		late = 0
		ahead := false
		for _, sh := range w.shards {
			some, isAhead := shardTells(sh, levels)
			late += some
			ahead = ahead || isAhead
		}
		if !ahead || tries == 1 {
			return late
		}
	}
}

// tellTicks adds the shard's timers on its lowest level, which are two to who looks.
func (sh *shard) countTicks(to []LevelInfo) (late int, ahead bool) {
	for word := range digits {
		some, isAhead := sh.countWord(word, &to[0], &to[1])
		late += some
		ahead = ahead || isAhead
	}
	return late, ahead
}

// tellWord adds the timers of 64 slots of the lowest level: each on its own, if these are
// the 64 of now, and else all together.
func (sh *shard) countWord(word int, each, all *LevelInfo) (late int, ahead bool) {
	sh.lock()
	defer sh.unlock()
	l := &sh.levels
	start := l.cur>>lowBits<<lowBits | int64(word)<<digitBits
	for left := l.occupiedTicks[word]; left != 0; left &= left - 1 {
		digit := bits.TrailingZeros64(left)
		timers := l.count(uint16(word*digits + digit))
		switch {
		case start < each.Start:
			late += timers
		case start == each.Start:
			each.Timers[digit] += timers
		default:
			all.Timers[word] += timers
			ahead = start >= all.Start+lowest
		}
	}
	return late, ahead
}

// tellLevel adds the shard's timers on a higher level.
func (sh *shard) countLevel(to []LevelInfo) (late int, ahead bool) {
	sh.lock()
	defer sh.unlock()
	l := &sh.levels
	level := uint(bits.TrailingZeros64(uint64(to[0].Span)))/digitBits - 1
	start := l.cur >> above(level) << above(level)
	for left := l.occupiedBuckets[level]; left != 0; left &= left - 1 {
		digit := bits.TrailingZeros64(left)
		timers := l.count(bucketList(level, int64(digit)<<shift(level)))
		if start < to[0].Start {
			late += timers
		} else {
			to[0].Timers[digit] += timers
		}
	}
	return late, start > to[0].Start
}

// tellLists adds the shard's timers that are on no level, and its counters.
func (sh *shard) countLists(in *Inspection) {
	sh.lock()
	defer sh.unlock()
	in.Due += sh.levels.count(listDue)
	in.Held += sh.levels.count(listHeld)
	in.Deferred += sh.levels.count(listDeferred)
	in.Stats.add(sh)
}

// A sighting is a run as it was seen. What it means is looked up when nobody
// holds a lock, nor is anything allocated while somebody does.
type runSnapshot struct {
	timer    Timer
	since    int64
	goid     uint64
	f        any
	from     origin
	waiters  int
	waits    [maxWaitInfos]*wait // some of the waiters; what is read of them never changes
	waiting  *wait
	waitsFor [maxWaitInfos]uint64
}

// runs returns the handlers in flight, the oldest first. Of what one goroutine
// has been seen to run, the last counts.
func (w *Wheel) runs() []RunInfo {
	seen := make(map[uint64]runSnapshot)
	some := make([]runSnapshot, 0, scanLen)
	for _, sh := range w.shards {
		for k := math.MaxInt; k > 0; {
			some, k = sh.snapshots(some[:0], k)
			for _, s := range some {
				seen[s.goid] = s
			}
		}
	}
	oldest := slices.SortedFunc(maps.Values(seen), func(a, b runSnapshot) int {
		return cmp.Or(cmp.Compare(a.since, b.since), cmp.Compare(a.goid, b.goid))
	})
	oldest = oldest[:min(len(oldest), maxRunInfos)]
	runs := make([]RunInfo, len(oldest))
	for k := range oldest {
		runs[k] = oldest[k].info(w)
	}
	return runs
}

// sight notes some of the shard's runs, from the kth downwards, and returns where to
// go on.
func (sh *shard) snapshots(some []runSnapshot, k int) (_ []runSnapshot, next int) {
	sh.lock()
	defer sh.unlock()
	sh.w.mu.Lock()
	defer sh.w.mu.Unlock()
	next = sh.scanRuns(k, func(r *runningSlot) int {
		some = append(some, runSnapshot{})
		return 1 + sh.snapshot(r, &some[len(some)-1])
	})
	return some, next
}

// see notes what there is to know of a run, and returns how many waits it has
// noted. Holds both locks.
func (sh *shard) snapshot(r *runningSlot, s *runSnapshot) (waits int) {
	slot := sh.records.at(r.i)
	s.timer, s.since, s.goid = sh.timer(r.i, slot), r.since, r.wk.goid
	s.f, s.from = *sh.body(r.i), sh.origin(r.i, slot)
	s.waiters = r.wk.ending.waiters()
	if e := r.wk.ending; e != nil {
		waits = e.syncs.first(s.waits[:])
		waits += e.asyncs.first(s.waits[waits:])
	}
	if x := r.wk.waiting; x != nil && x.runs(s.waitsFor[:]) > 0 {
		s.waiting = x // else its handler is about to go on
	}
	return waits
}

// runs notes the goroutines of the runs that x waits for, as many as there is room
// for, and returns how many these are.
func (x *wait) runs(goids []uint64) (n int) {
	for _, e := range x.edges {
		if !e.done && n < len(goids) {
			goids[n] = e.wk.goid
			n++
		}
	}
	return n
}

// first notes the first deletions of a queue, as many as there is room for, and
// returns how many these are.
func (q *queue) first(waits []*wait) (n int) {
	for at := q.Front(); at != nil && n < len(waits); at = at.Next() {
		waits[n] = at.Value.(*wait)
		n++
	}
	return n
}

// run says what a run is that was seen.
func (s *runSnapshot) info(w *Wheel) RunInfo {
	if b, ok := s.f.(*body); ok {
		s.f = b.f
	}
	r := RunInfo{
		RunningHandler: RunningHandler{Timer: s.timer, Since: w.timeAt(s.since), Waiters: s.waiters},
		Goroutine:      s.goid,
		Handler:        functionName(s.f, ""),
		AllocatedAt:    s.from.allocated.String(),
		RegisteredAt:   s.from.registered.String(),
	}
	for _, x := range s.waits[:min(s.waiters, maxWaitInfos)] {
		r.Waits = append(r.Waits, x.info(w))
	}
	slices.SortFunc(r.Waits, func(a, b WaitInfo) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Goroutine, b.Goroutine))
	})
	if s.waiting != nil {
		waiting := s.waiting.info(w)
		r.Waiting = &waiting
	}
	for _, goid := range s.waitsFor {
		if goid != 0 {
			r.WaitsFor = append(r.WaitsFor, goid)
		}
	}
	return r
}

// describe says what a wait is.
func (x *wait) info(w *Wheel) WaitInfo {
	return WaitInfo{Goroutine: x.goid, Since: w.timeAt(x.since), Async: x.done != nil, Group: x.group != nil}
}
