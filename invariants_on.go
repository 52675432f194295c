//go:build invariants

package timerwheel

import (
	"fmt"
	"sync/atomic"

	"github.com/seed76848005/timerwheel/internal/levels"
)

// checkInvariants says whether every critical section is checked when it ends.
const checkInvariants = true

// poison makes a recycled record unlike any in use.
func poison(s *record) { s.Poison() }

var sections atomic.Uint64 // critical sections so far

// check verifies a whole shard, as every critical section must leave it. A shard with many
// timers is checked now and then: it is the small ones that tests drive into corners.
func (sh *shard) check() {
	const small, rarely = 64, 256
	if n := sections.Add(1); sh.records.Live() > small && n%rarely != 0 {
		return
	}
	sh.checkCounters()
	pendingInList := func(_ uint32, s *record) bool { return s.Flags&pending != 0 }
	switch n, err := sh.levels.Check(pendingInList); {
	case err != nil:
		broken("%v", err)
	case n != sh.counters.pending && !(sh.closed && n == 0):
		broken("%d timers are in lists, %d are pending", n, sh.counters.pending)
	}
	sh.checkRuns()
	sh.checkRecords()
}

func (sh *shard) checkCounters() {
	c := &sh.counters
	if c.registered != c.fired+c.removed+uint64(c.pending) {
		broken("conservation: %+v", *c)
	}
	if n := c.lateness.total(); n != c.fired {
		broken("the lateness of %d firings is counted, and there were %d", n, c.fired)
	}
	if ended := c.runTime.total(); ended+uint64(sh.running.Len()) != c.fired {
		broken("%d runs have ended, %d have not, and %d have begun", ended, sh.running.Len(), c.fired)
	}
}

func (h *histogram) total() (n uint64) {
	for _, k := range h {
		n += k
	}
	return n
}

func (sh *shard) checkRecords() {
	if err := sh.records.Check(); err != nil {
		broken("%v", err)
	}
	var live, pendings, runs int
	for n := range uint32(sh.records.Chunks()) {
		c := sh.records.Chunk(n)
		if c == nil {
			continue
		}
		for pos := range c.Items {
			i, s := n<<levels.ChunkBits|uint32(pos), &c.Items[pos]
			if *sh.body(i) == nil {
				if s.Flags != 0 {
					broken("timer %d has no body: %+v", i, *s)
				}
				continue
			}
			if c.Free(pos) {
				broken("timer %d lives in a free record", i)
			}
			live++
			sh.checkTimer(i, s)
			if s.Flags&pending != 0 {
				pendings++
			}
			if s.Flags&running != 0 {
				runs++
			}
		}
	}
	if live != sh.records.Live() || pendings != sh.counters.pending || runs != sh.running.Len() {
		broken("%d timers live, %d pending, %d running; counted are %d, %d, %d",
			live, pendings, runs, sh.records.Live(), sh.counters.pending, sh.running.Len())
	}
}

func (sh *shard) checkTimer(i uint32, s *record) {
	inRun := s.Flags&running != 0
	inList := s.Flags&pending != 0
	_, isBody := (*sh.body(i)).(*body)
	g := sh.groupOf(i, s)
	switch {
	case s.Owners == 0 && !inList && !inRun:
		broken("timer %d lives without a reference: %+v", i, *s)
	case s.Flags&deleting != 0 && !inRun:
		broken("timer %d is marked, and does not run: %+v", i, *s)
	case inList && (s.Flags&shutdown != 0 || g.shutDown() && !g.beingDeleted()):
		broken("timer %d is pending after its shutdown: %+v", i, *s)
	case isBody != (s.Flags&hasBody != 0):
		broken("timer %d has the wrong kind of body: %+v", i, *s)
	case !sh.closed && inList && sh.levels.ListOf(s) == levels.Held && s.Flags&(running|locking) == 0:
		broken("timer %d is held back, and nothing will put it back: %+v", i, *s)
	}
}

func (sh *shard) checkRuns() {
	for k := range sh.running.Len() {
		r := sh.running.At(uint32(k))
		s, e := sh.records.At(r.i), r.wk.ending
		if r.wk.slotIndex != k || s.Flags&running == 0 {
			broken("running slot %d has the index %d; timer %d: %+v", k, r.wk.slotIndex, r.i, *s)
		}
		if e.waiters() > 0 && s.Flags&deleting == 0 {
			broken("timer %d is waited for, and not marked", r.i)
		}
		if e == nil {
			continue
		}
		if e.done || e.wk != r.wk {
			broken("running slot %d has the end of another run", k)
		}
		if r.waiting != e.unreported() {
			broken("running slot %d: a wait is to be reported from %d on, not %d", k, e.unreported(), r.waiting)
		}
		if g := e.group; e.groups > 0 && (g != sh.groupOf(r.i, s) || g.deleting == 0) {
			broken("running slot %d: a group that is deleted does not know", k)
		}
	}
}

func broken(format string, args ...any) {
	panic("timerwheel: invariant broken: " + fmt.Sprintf(format, args...))
}
