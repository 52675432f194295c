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
// them, whether the caller looks at them or not.
//
// A handle is stale for ever, and its number is never handed out again: so what is
// remembered of a timer under its handle is not mistaken for the next tenant's.

// A misuseQueue is the errors that wait for OnMisuse. Wheel.mu guards it.
type misuseQueue struct {
	onMisuse      func(error)
	errs          []error
	reporting     bool // a goroutine is calling onMisuse
	leaksReported bool // with Debug, at the wheel's end
}

// maxMisuseReports bounds the errors that wait for OnMisuse. A user who gets that many at
// once learns nothing from one more.
const maxMisuseReports = 64

// A misuseReport is an error that says where the timer that it is about comes from.
type misuseReport struct {
	err    error // what it wraps
	timer  Timer
	from   *origin // nil: not remembered any more
	misuse bool    // false: a call was refused, which can happen in a correct program
	at     callers // of a misuse by a call: where that was
	others int     // of a timer that was never freed: how many more from the same place
}

func (r *misuseReport) Unwrap() error { return r.err }

func (r *misuseReport) Error() string {
	var l logLine
	fmt.Fprintf(&l, "%v: %v", r.err, r.timer)
	if r.from == nil {
		l.WriteString(", recycled too long ago to say more")
	} else {
		r.describe(&l)
	}
	if r.others > 0 {
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
	case !r.misuse || r.err == ErrLeaked:
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
	if t.w.debug {
		err = &misuseReport{err: err, timer: t, from: sh.past.recall(t.id), misuse: true, at: here()}
	}
	sh.unlock()
	return t.w.reportMisuse(err)
}

// reportMisuse makes OnMisuse get an error, and returns the error. Holds no lock.
func (w *Wheel) reportMisuse(err error) error {
	if w.misuse.onMisuse == nil || !w.queueMisuse(err) {
		return err
	}
	switch {
	case w.manual:
		w.runAsMember(w.callOnMisuse)
	case !w.spawnUnlessClosed(func(*worker) { w.callOnMisuse() }):
		go w.callOnMisuse()
	}
	return err
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
	leaks := make(map[callers]*misuseReport)
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
	if w.misuse.onMisuse != nil && len(errs) > 0 && w.queueMisuse(errs...) {
		w.callOnMisuse() // here, as the program may be over when Close returns
	}
}

// findLeaks looks at chunk n of the timers. It reports whether there may be more chunks.
func (sh *shard) findLeaks(n uint32, leaks map[callers]*misuseReport) bool {
	sh.lock()
	defer sh.unlock()
	if int(n) >= sh.records.Chunks() {
		return false
	}
	c := sh.records.Chunk(n)
	if c == nil {
		return true
	}
	for k := range c.Items {
		i, s := n<<levels.ChunkBits|uint32(k), &c.Items[k]
		if s.Flags&hasBody == 0 {
			continue // it is free; a record in use has an owner, as nothing else holds a reference any more
		}
		sh.counters.misuses++
		from := sh.origin(i, s)
		if leak := leaks[from.allocated]; leak != nil {
			leak.others++
			continue
		}
		leaks[from.allocated] = &misuseReport{err: ErrLeaked, timer: sh.timer(i, s), from: &from, misuse: true}
	}
	return true
}
