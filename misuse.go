package timerwheel

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// This file is what becomes of misuse: of calls that come after their timer's
// end, and of timers that nobody has freed when the wheel comes to its own. The
// calls return the errors that they promise, and are counted. With Options.Debug
// the errors tell, as the kernel's debugobjects does, what the timer was and
// where it ended, and Options.OnMisuse gets them, whether their caller looks at
// them or not.
//
// A handle is stale for ever, and its number is never given out again: so what is
// remembered of a timer under its handle is not mistaken for the next tenant's.

// A complaint is an error that says where the timer comes from that it is about.
type misuseReport struct {
	err    error // what it wraps
	timer  Timer
	from   *origin // nil: that was forgotten
	misuse bool    // else a call was refused, as may happen
	at     callers // of a misuse by a call: where that was
	others int     // of a timer that was never freed: how many more from the same place
}

func (c *misuseReport) Unwrap() error { return c.err }

func (c *misuseReport) Error() string {
	var l logLine
	fmt.Fprintf(&l, "%v: %v", c.err, c.timer)
	if c.from == nil {
		l.WriteString(", recycled too long ago to say more")
	} else {
		c.describe(&l)
	}
	if c.others > 0 {
		fmt.Fprintf(&l, "; and %d more from there", c.others)
	}
	l.clause("; used at ", c.at.String())
	return l.String()
}

// tell says what the timer was, and how it ended if it has.
func (c *misuseReport) describe(l *logLine) {
	fmt.Fprintf(l, " of %s", codeName(c.from.handler))
	l.clause(", allocated at ", c.from.allocated.String())
	l.clause(", registered at ", c.from.registered.String())
	switch {
	case !c.misuse || c.err == ErrLeaked:
	case c.from.freed != callers{}:
		l.clause(", freed at ", c.from.freed.String())
	case c.err == ErrFreed:
		l.WriteString(", never owned")
	case c.from.removed != callers{}:
		l.clause(", never owned, and recycled when it was deleted at ", c.from.removed.String())
	default:
		l.WriteString(", never owned, and recycled after it had fired")
	}
}

// explain adds to an error, with Debug, where the timer came from that it is
// about. Holds the shard's lock.
func (sh *shard) explain(err error, i uint32, s *record) error {
	if !sh.w.debug || s == nil {
		return err
	}
	from := sh.origin(i, s)
	return &misuseReport{err: err, timer: sh.timer(i, s), from: &from}
}

// overfreed is the error of a Free of a timer that lives and has no owner. Holds
// the shard's lock.
func (sh *shard) overfreed(i uint32, s *record) error {
	sh.counters.misuses++
	err := sh.explain(ErrFreed, i, s)
	if c, ok := err.(*misuseReport); ok {
		c.misuse, c.at = true, here()
	}
	return err
}

// misused returns what a call returns that was refused with err: if that is
// because the handle is stale, the call was a misuse.
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

// maxComplaints is how many errors wait for OnMisuse at most. Who is told of so
// many at once does not miss the next.
const maxMisuseReports = 64

// complain tells OnMisuse of an error, and returns it. Holds no lock.
func (w *Wheel) reportMisuse(err error) error {
	if w.onMisuse == nil || !w.queueMisuse(err) {
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

// file puts errors in line for OnMisuse, as far as there is room, and reports
// whether the caller has to see to it that somebody tells them: nobody does yet.
func (w *Wheel) queueMisuse(errs ...error) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	room := max(0, maxMisuseReports-len(w.misuseReports))
	w.misuseReports = append(w.misuseReports, errs[:min(room, len(errs))]...)
	idle := !w.reportingMisuse
	w.reportingMisuse = true
	return idle
}

// tellComplaints calls OnMisuse for one error after the other, until there is
// none. If a call does not return, the next complaint finds somebody to go on.
func (w *Wheel) callOnMisuse() {
	next := func() (err error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.reportingMisuse = len(w.misuseReports) > 0; w.reportingMisuse {
			err, w.misuseReports = w.misuseReports[0], w.misuseReports[1:]
		}
		return err
	}
	returned := false
	defer func() {
		if !returned {
			w.mu.Lock()
			w.reportingMisuse = false
			w.mu.Unlock()
		}
	}()
	for err := next(); err != nil; err = next() {
		w.onMisuse(err)
	}
	returned = true
}

// seekLeaks looks, at the end of a wheel with Debug, for timers that have an
// owner, and tells OnMisuse of each place where such were allocated, the worst
// first.
func (w *Wheel) reportLeaks() {
	w.mu.Lock()
	sought := w.leaksReported
	w.leaksReported = true
	w.mu.Unlock()
	if sought {
		return
	}
	leaks := make(map[callers]*misuseReport)
	for _, sh := range w.shards {
		for chunk := range uint32(maxSlots >> chunkBits) {
			if !sh.seekLeaks(chunk, leaks) {
				break
			}
		}
	}
	worst := slices.SortedFunc(maps.Values(leaks), func(x, y *misuseReport) int {
		return cmp.Or(cmp.Compare(y.others, x.others), cmp.Compare(x.timer.id, y.timer.id))
	})
	errs := make([]error, len(worst))
	for k, c := range worst {
		errs[k] = c
	}
	if w.onMisuse != nil && len(errs) > 0 && w.queueMisuse(errs...) {
		w.callOnMisuse() // here, as the program may be over when Close returns
	}
}

// seekLeaks looks at one chunk of timers. It reports whether there may be more.
func (sh *shard) seekLeaks(chunk uint32, leaks map[callers]*misuseReport) bool {
	sh.lock()
	defer sh.unlock()
	if int(chunk) >= len(sh.records.chunks.rows) {
		return false
	}
	c := sh.records.chunks.rows[chunk]
	if c == nil {
		return true
	}
	for k := range c.items {
		i, s := chunk<<chunkBits|uint32(k), &c.items[k]
		if s.flags&hasBody == 0 {
			continue // it is free; what is not has an owner, as nobody else is left
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

// A history is what is remembered, with Debug, of timers that are gone: of a
// shard's last ones. The shard's lock guards it.
type history struct {
	ids     []uint64 // of those that are remembered; a ring
	oldest  int      // in ids
	origins map[uint64]*origin
}

// historyLen is how many timers that are gone a wheel remembers; its shards have
// equal shares. With some 300 bytes each that is somewhat more than a megabyte.
const historyLen = 4096

// bury remembers a timer that is recycled. Its handles are not stale yet.
func (sh *shard) remember(i uint32, s *record) {
	sh.past.add(sh.id(i, s), sh.bodyOf(i, s).origin, historyLen/len(sh.w.shards))
}

func (h *history) add(id uint64, from *origin, most int) {
	if h.origins == nil {
		h.origins = make(map[uint64]*origin)
	}
	h.origins[id] = from
	if len(h.ids) < most {
		h.ids = append(h.ids, id)
		return
	}
	delete(h.origins, h.ids[h.oldest])
	h.ids[h.oldest] = id
	h.oldest = (h.oldest + 1) % most
}

// recall returns what is known of a timer that is gone; nil, if that is nothing.
func (h *history) recall(id uint64) *origin { return h.origins[id] }
