package timerwheel

import (
	"cmp"
	"maps"
	"math"
	"math/bits"
	"slices"
	"time"

	"github.com/seed76848005/timerwheel/internal/levels"
)

// This file shows a wheel while it runs, for package debug. A shard is locked for a moment
// at a time, for one word of its levels or for a few of its runs. Timers are counted bucket by
// bucket and not walked, except where several hundred of a shard are due: then all of the shard's
// are walked, a batch at a time (countDue). So a look delays no timer, however many are pending.

// An Inspection is what a wheel looks like: see [Wheel.Inspect].
type Inspection struct {
	Options Options   // as New took them, with the defaults in place of zeros
	Start   time.Time // when the wheel was made, by the clock as it is set now; tick 0 begins then
	Now     time.Time // the wheel's time at the end of the look: not earlier than any other time in it that has passed
	Next    time.Time // what [Wheel.Next] returns; the zero Time if nothing pends
	Closed  bool

	Levels   [9]LevelInfo // of all shards together
	Due      int          // timers in line for a worker, or for a look: taken out of their buckets, or in buckets that lie before their level's Start
	Held     int          // timers that are due, but still run, or wait for the lock that they are bound to
	Deferred int          // timers due at once that an Advance in progress leaves to the next
	DueSince time.Time    // the earliest deadline of the timers that are due and wait for nothing but a worker; the zero Time if none does

	Runs  []RunInfo // handlers in flight, the oldest first: at most 256; Stats.Running is their number
	Stats Stats     // as [Wheel.Stats]

	Misuses []MisuseInfo // with Options.Debug, the last 16 of what OnMisuse is called for, the latest first
}

// A LevelInfo is one of the levels of a wheel: 64 buckets, each of which spans 64 times as
// many ticks as one of the level below. (The lowest level of the wheel has 4,096 buckets. It
// is shown as two levels: the current 64 ticks one by one, and the rest in buckets of 64. What it
// takes from the level above ahead of time is shown there.)
//
// The wheel examines bucket k at the tick Start + k*Span; on the second level, at each tick of
// the bucket at which something is due. Its timers fire in the Span ticks from then on, or
// later: a timer that was pushed back stays in its bucket until the wheel examines that. So does one that
// was deleted and may soon be registered again: it is in Timers, but not pending.
type LevelInfo struct {
	Start  int64   // where its first bucket begins, ticks since the wheel's start
	Span   int64   // of a bucket, ticks
	Timers [64]int // the number of timers in each bucket
}

// A RunInfo is a handler in flight, and the deletions that wait for it.
type RunInfo struct {
	RunningHandler
	Goroutine    uint64     // in which it runs, as stack traces number it
	Handler      string     // the handler's function, file:line; of a method bound to its receiver the name alone
	AllocatedAt  string     // of the timer, file:line, with Options.Debug
	RegisteredAt string     // likewise, of the last Register
	Waits        []WaitInfo // deletions that wait for its end, the oldest first: at most 16 of the Waiters; if there are more, DelAsyncs are omitted first
	Waiting      *WaitInfo  // the deletion that waits in this handler, if one does
	WaitsFor     []uint64   // the goroutines of the handlers that this deletion waits for: at most 16
}

// A WaitInfo is a deletion that waits for handlers to end.
type WaitInfo struct {
	Goroutine uint64    // which waits, as stack traces number it; 0 for a DelAsync, which has none
	Since     time.Time // since when
	At        string    // the function, file:line that called the deletion
	Async     bool      // it is a DelAsync
	Group     bool      // it is of a whole Group
}

// A MisuseInfo is an error for which [Options.OnMisuse] is called, if that is set: it says what
// timer it is about, and where that was allocated and used.
type MisuseInfo struct {
	At          time.Time
	Err         error
	Timers      int    // that it is about: of ErrLeaked those of one place, of ErrDeadlock 0
	AllocatedAt string // of these timers, file:line; empty if that is not remembered
}

const (
	maxRunInfos  = 256
	maxWaitInfos = 16
)

// Inspect returns what the wheel holds, what runs and which deletion waits for which
// handler. It is not a consistent snapshot: it visits one shard after another, and holds the
// lock of one at a time, for a few microseconds, however many timers pend and deletions wait.
// A handler that runs from the beginning of the walk to its end is in it; so is a deletion's
// wait, up to the bounds that the fields name.
//
// For display only; do not base decisions on it.
func (w *Wheel) Inspect() Inspection {
	w.made()
	w.mu.Lock()
	in := Inspection{Options: w.options(), Closed: w.closed, Misuses: w.misuseInfos()}
	w.mu.Unlock()
	for k := range in.Misuses {
		in.Misuses[k].describe()
	}
	in.Start = w.timeAt(0)
	in.Due = w.countLevels(in.Levels[:3], 0, (*shard).countLow)
	for n := 3; n < len(in.Levels); n++ {
		in.Due += w.countLevels(in.Levels[n:n+1], n, (*shard).countLevel)
	}
	for _, sh := range w.shards {
		sh.countLists(&in)
	}
	if first := w.addStats(&in.Stats); first != never {
		in.DueSince = w.timeAt(first)
	}
	in.Runs = w.runs()
	in.Next, _ = w.Next()
	in.Now = w.Now() // last: a look at a wheel under load may take long, and Next, seen from an old Now, would seem far away
	return in
}

// options returns the options that the wheel was made with.
func (w *Wheel) options() Options {
	o := Options{
		Tick:        w.tick,
		MaxWorkers:  w.maxWorkers,
		Manual:      w.manual,
		OnPanic:     w.onPanic,
		StallAfter:  w.stallAfter,
		OnStall:     w.onStall,
		StallStacks: w.stallStacks,
		Debug:       w.debug,
		DebugEvery:  int(w.debugEvery),
		OnMisuse:    w.misuse.onMisuse,
		OnNext:      w.onNext,
	}
	if w.manual {
		o.Start = w.base
	}
	return o
}

// countLevels counts the timers of all shards on some levels, from the nth on, as they are
// now. It returns the number of timers that are late: in buckets that were to be emptied
// before the level begins.
//
// Every shard has its own time, which may lag but is not ahead of the wheel's. If one is
// ahead of the time that was read before, that was too long ago: then countLevels counts
// again, at most three times.
func (w *Wheel) countLevels(infos []LevelInfo, n int, count func(*shard, []LevelInfo) (late int, ahead bool)) (late int) {
	for tries := 3; ; tries-- {
		now := w.elapsed() / int64(w.tick)
		for k := range infos {
			below := (n + k) * levels.DigitBits
			infos[k] = LevelInfo{Start: now >> (below + levels.DigitBits) << (below + levels.DigitBits), Span: 1 << below}
		}
		late = 0
		ahead := false
		for _, sh := range w.shards {
			some, isAhead := count(sh, infos)
			late += some
			ahead = ahead || isAhead
		}
		if !ahead || tries == 1 {
			return late
		}
	}
}

// countLow adds the shard's timers on its two lowest levels. The lowest is shown as two; what has been
// moved down to it ahead of time is shown where it came from.
func (sh *shard) countLow(to []LevelInfo) (late int, ahead bool) {
	for word := range uint(levels.LowWords) {
		some, isAhead := sh.countWord(word, to)
		late += some
		ahead = ahead || isAhead
	}
	some, isAhead := sh.countLevel(to[2:])
	return late + some, ahead || isAhead
}

// countWord adds the timers of 64 buckets of the lowest level: each on its own if these are the 64 of now,
// and otherwise all together.
func (sh *shard) countWord(word uint, to []LevelInfo) (late int, ahead bool) {
	sh.lock()
	defer sh.end()
	for _, l := range sh.busyLevels() {
		for tick, timers := range l.Buckets(0, word) {
			if tick < to[0].Start {
				late += timers
				continue
			}
			k := 0
			for k < 2 && tick >= to[k].Start+to[k].Span*levels.Digits {
				k++
			}
			to[k].Timers[tick/to[k].Span%levels.Digits] += timers
			ahead = ahead || tick >= to[k].Start+to[k].Span*levels.Digits
		}
	}
	return late, ahead
}

// busyLevels returns the levels in which something may be pending, and not only parked.
func (sh *shard) busyLevels() []*levels.Levels {
	if sh.anchor().Wheel == nil {
		return nil
	}
	return sh.allLevels()
}

// countLevel adds the shard's timers on a higher level.
func (sh *shard) countLevel(to []LevelInfo) (late int, ahead bool) {
	sh.lock()
	defer sh.end()
	info := &to[0]
	level := uint(bits.TrailingZeros64(uint64(info.Span)))/levels.DigitBits - 1
	for _, l := range sh.busyLevels() {
		for start, timers := range l.Buckets(level, 0) {
			if start < info.Start {
				late += timers
			} else {
				info.Timers[start/info.Span%levels.Digits] += timers
			}
		}
		ahead = ahead || l.Begin(level) > info.Start
	}
	return late, ahead
}

// countLists adds the shard's timers that are in no bucket.
func (sh *shard) countLists(in *Inspection) {
	sh.lock()
	defer sh.end()
	for _, l := range sh.busyLevels() {
		in.Due += l.Count(levels.Due)
		in.Held += l.Count(levels.Held)
		in.Deferred += l.Count(levels.Deferred)
	}
}

// A runSnapshot is a run as the walk has seen it. It is translated when no lock is held, and
// nothing is allocated while one is.
type runSnapshot struct {
	timer    Timer
	since    int64
	goid     uint64
	handler  uintptr
	from     origin
	waiters  int
	waits    [maxWaitInfos]*wait // some of the waiters; what is read of them never changes
	waiting  *wait
	waitsFor [maxWaitInfos]uint64
}

// runs returns the handlers in flight, the oldest first. Of what one goroutine has been seen
// to run, the last counts.
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

// snapshots adds some of the shard's runs, from the kth downwards, to some, and returns the
// k to go on with.
func (sh *shard) snapshots(some []runSnapshot, k int) (_ []runSnapshot, next int) {
	sh.lock()
	defer sh.end()
	sh.w.mu.Lock()
	defer sh.w.mu.Unlock()
	next = sh.scanRuns(k, func(r *runningSlot) int {
		some = append(some, runSnapshot{})
		return 1 + sh.snapshot(r, &some[len(some)-1])
	})
	return some, next
}

// snapshot records what there is to know of a run, and returns the number of waits that it
// has recorded. Holds both locks.
func (sh *shard) snapshot(r *runningSlot, s *runSnapshot) (waits int) {
	rec := sh.records.At(r.i)
	s.timer, s.since, s.goid = sh.timer(r.i, rec), r.since, r.wk.goid
	s.handler, s.from = sh.handlerOf(r.i, rec), sh.origin(r.i, rec)
	s.waiters = r.wk.ending.waiters()
	if e := r.wk.ending; e != nil {
		waits = e.syncs.first(s.waits[:])
		waits += e.asyncs.first(s.waits[waits:])
	}
	if x := r.wk.waiting; x != nil && x.runs(s.waitsFor[:]) > 0 {
		s.waiting = x // otherwise its handler is about to go on
	}
	return waits
}

// runs copies the numbers of the goroutines whose runs x waits for, as many as there is room
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

// first copies the first deletions of a queue, as many as there is room for, and returns how
// many these are.
func (q *queue) first(waits []*wait) (n int) {
	for at := q.Front(); at != nil && n < len(waits); at = at.Next() {
		waits[n] = at.Value.(*wait)
		n++
	}
	return n
}

// info translates a snapshot.
func (s *runSnapshot) info(w *Wheel) RunInfo {
	r := RunInfo{
		RunningHandler: RunningHandler{Timer: s.timer, Since: w.timeAt(s.since), Waiters: s.waiters},
		Goroutine:      s.goid,
		Handler:        functionName(s.handler, ""),
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

// info describes a wait.
func (x *wait) info(w *Wheel) WaitInfo {
	return WaitInfo{Goroutine: x.goid, Since: w.timeAt(x.since), At: x.at.place(), Async: x.done != nil, Group: x.group != nil}
}
