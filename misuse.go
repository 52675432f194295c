package timerwheel

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/seed76848005/timerwheel/internal/levels"
)

// This file reports misuse: calls that come after their timer's end, and timers that were
// never freed when the wheel comes to its own end. The calls return the errors that they
// promise, and are counted. With Options.Debug the errors say, as the kernel's
// debugobjects does, what the timer was and where it ended, and Options.OnMisuse gets
// them, whether the caller looks at them or not. It gets each ErrDeadlock of a
// deletion, too (circle.go).
//
// A handle is stale for ever, and its number is never handed out again: so what is
// remembered of a timer under its handle is not mistaken for the next tenant's.

// A misuseQueue is the errors that wait for OnMisuse. Wheel.mu guards it.
type misuseQueue struct {
	onMisuse      func(error)
	errs          []error
	reporting     bool                   // a goroutine is calling onMisuse
	leaksReported bool                   // with Debug, at the wheel's end
	last          [maxMisuseInfos]misuse // with Debug, for Inspect; a ring
	told          int                    // how many there were
}

// A misuse is what Inspect says of one.
type misuse struct {
	at  int64 // ns since the wheel's base
	err error
}

// maxMisuseReports bounds the errors that wait for OnMisuse. A user who gets that many at
// once learns nothing from one more.
const maxMisuseReports = 64

const maxMisuseInfos = 16

// A misuseReport is an error that says where the timer that it is about comes from.
type misuseReport struct {
	err    error // what it wraps
	timer  Timer
	from   *origin // nil: not remembered any more
	misuse bool    // false: a call was refused, which can happen in a correct program
	every  uint64  // Options.DebugEvery
	at     callers // of a misuse by a call: where that was
	others int     // of a timer that was never freed: how many more from the same place
}

func (r *misuseReport) Unwrap() error { return r.err }

func (r *misuseReport) Error() string {
	var l logLine
	fmt.Fprintf(&l, "%v: %v", r.err, r.timer)
	switch {
	case r.from != nil:
		r.describe(&l)
	case r.every > 1:
		fmt.Fprintf(&l, ", recycled too long ago to say more, or not the one of %d that is remembered", r.every)
	default:
		l.WriteString(", recycled too long ago to say more")
	}
	switch {
	case r.others == 0:
	case r.from.allocated == callers{}:
		fmt.Fprintf(&l, "; and %d more of that handler whose place is not remembered", r.others)
	default:
		fmt.Fprintf(&l, "; and %d more from there", r.others)
	}
	l.clause("; used at ", r.at.String())
	return l.String()
}

// describe says what the timer was, and how it ended if it has.
func (r *misuseReport) describe(l *logLine) {
	fmt.Fprintf(l, " of %s", codeName(r.from.handler))
	l.clause(", allocated at ", r.from.allocated.String())
	l.clause(", registered at ", r.from.registered.String())
	switch {
	case !r.misuse || r.err == ErrLeaked || r.from.allocated == callers{}:
	case r.from.freed != callers{}:
		l.clause(", freed at ", r.from.freed.String())
	case r.err == ErrFreed:
		l.WriteString(", never owned")
	case r.from.removed != callers{}:
		l.clause(", never owned, and recycled when it was deleted at ", r.from.removed.String())
	default:
		l.WriteString(", never owned, and recycled after it had fired")
	}
}

// explain adds to an error, with Debug, where its timer came from. Holds the shard's lock.
func (sh *shard) explain(err error, i uint32, s *record) error {
	if !sh.w.debug || s == nil {
		return err
	}
	from := sh.origin(i, s)
	return &misuseReport{err: err, timer: sh.timer(i, s), from: &from}
}

// overfreed returns the error of a Free of a timer that lives and has no owner. Holds the
// shard's lock.
func (sh *shard) overfreed(i uint32, s *record) error {
	sh.counters.misuses++
	err := sh.explain(ErrFreed, i, s)
	if r, ok := err.(*misuseReport); ok {
		r.misuse, r.at = true, here()
	}
	return err
}

// misused returns what a call that was refused with err returns. If the handle is stale,
// the call was a misuse.
func (t Timer) misused(err error) error {
	if err != ErrStale {
		return err
	}
	sh := t.shard()
	sh.lock()
	sh.counters.misuses++
	if t.wheel().debug {
		err = &misuseReport{err: err, timer: t, from: sh.past.recall(t.id), misuse: true, every: t.wheel().debugEvery, at: here()}
	}
	sh.unlock()
	return t.wheel().reportMisuse(err)
}

// reportMisuse makes OnMisuse get an error, and returns the error. Holds no lock.
func (w *Wheel) reportMisuse(err error) error {
	w.recordMisuses(err)
	if w.misuse.onMisuse == nil || !w.queueMisuse(err) {
		return err
	}
	switch {
	case !w.isHome(): // a Free or Retain, which every goroutine may call
		go w.callOnMisuse()
	case w.manual:
		w.runAsMember(w.callOnMisuse)
	case !w.spawnUnlessClosed(func(wk *worker) { wk.callUser(w.callOnMisuse) }):
		goUnlabelled(w.callOnMisuse)
	}
	return err
}

// recordMisuses keeps errors, with Debug, for Inspect.
func (w *Wheel) recordMisuses(errs ...error) {
	if !w.debug {
		return
	}
	at := w.elapsed()
	w.mu.Lock()
	defer w.mu.Unlock()
	q := &w.misuse
	for _, err := range errs {
		q.last[q.told%maxMisuseInfos] = misuse{at, err}
		q.told++
	}
}

// misuseInfos returns what recordMisuses has kept, the latest first. Holds Wheel.mu.
func (w *Wheel) misuseInfos() []MisuseInfo {
	q := &w.misuse
	infos := make([]MisuseInfo, min(q.told, maxMisuseInfos))
	for k := range infos {
		m := q.last[(q.told-1-k)%maxMisuseInfos]
		infos[k] = MisuseInfo{At: w.timeAt(m.at), Err: m.err}
	}
	return infos
}

// describe adds what is known of the timers. That takes microseconds: it needs no lock.
func (info *MisuseInfo) describe() {
	r, ok := info.Err.(*misuseReport)
	if !ok {
		return
	}
	info.Timers = 1 + r.others
	if r.from != nil {
		info.AllocatedAt = r.from.allocated.String()
	}
}

// queueMisuse queues errors for OnMisuse, as far as there is room. It reports whether the
// caller must call callOnMisuse, because no goroutine is doing so.
func (w *Wheel) queueMisuse(errs ...error) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	q := &w.misuse
	room := max(0, maxMisuseReports-len(q.errs))
	q.errs = append(q.errs, errs[:min(room, len(errs))]...)
	idle := !q.reporting
	q.reporting = true
	return idle
}

// callOnMisuse calls OnMisuse for one error after the other, until none is queued. If a
// call does not return, the next misuse finds that no goroutine is calling, and goes on.
func (w *Wheel) callOnMisuse() {
	q := &w.misuse
	next := func() (err error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if q.reporting = len(q.errs) > 0; q.reporting {
			err, q.errs = q.errs[0], q.errs[1:]
		}
		return err
	}
	returned := false
	defer func() {
		if !returned {
			w.mu.Lock()
			q.reporting = false
			w.mu.Unlock()
		}
	}()
	for err := next(); err != nil; err = next() {
		q.onMisuse(err)
	}
	returned = true
}

// reportLeaks looks, at the end of a wheel with Debug, for timers that have an owner, and
// calls OnMisuse for each place where such timers were allocated, the worst place first.
func (w *Wheel) reportLeaks() {
	w.mu.Lock()
	reported := w.misuse.leaksReported
	w.misuse.leaksReported = true
	w.mu.Unlock()
	if reported {
		return
	}
	leaks := make(map[birth]*misuseReport)
	for _, sh := range w.shards {
		for n := uint32(0); sh.findLeaks(n, leaks); n++ {
		}
	}
	worst := slices.SortedFunc(maps.Values(leaks), func(x, y *misuseReport) int {
		return cmp.Or(cmp.Compare(y.others, x.others), cmp.Compare(x.timer.id, y.timer.id))
	})
	errs := make([]error, len(worst))
	for k, r := range worst {
		errs[k] = r
	}
	w.recordMisuses(errs...)
	if w.misuse.onMisuse != nil && len(errs) > 0 && w.queueMisuse(errs...) {
		w.callOnMisuse() // here, as the program may be over when Close returns
	}
}

// findLeaks looks at chunk n of the timers. It reports whether there may be more chunks.
func (sh *shard) findLeaks(n uint32, leaks map[birth]*misuseReport) bool {
	sh.lock()
	defer sh.end()
	if int(n) >= sh.records.Chunks() {
		return false
	}
	c := sh.records.Chunk(n)
	if c == nil {
		return true
	}
	for k := range c.Items {
		i, s := n<<levels.ChunkBits|uint32(k), &c.Items[k]
		if sh.function(i, s) == nil || sh.firingOf(i, s) != nil {
			continue // it is free, or stdtime's; another one has an owner, as nothing else holds a reference any more
		}
		sh.counters.misuses++
		from := sh.origin(i, s)
		born := birth{at: from.allocated}
		if born.at == (callers{}) { // not remembered
			born.handler = from.handler
		}
		if leak := leaks[born]; leak != nil {
			leak.others++
			continue
		}
		leaks[born] = &misuseReport{err: ErrLeaked, timer: sh.timer(i, s), from: &from, misuse: true}
	}
	return true
}
