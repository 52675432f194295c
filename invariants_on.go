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
	defer crashOnPanic() // what is broken may make the check itself panic, under the lock
	if sh.w.untold {
		broken("a timer was armed, and unlockArmed does not let go of the lock: the host is not told")
	}
	if sh.ballast && sh.counters.linked == sh.counters.inLanes {
		broken("the lanes count one too many, and no other timer is pending")
	}
	const small, rarely = 64, 256
	if n := sections.Add(1); sh.records.Live() > small && n%rarely != 0 {
		return
	}
	sh.checkCounters()
	pendingInList := func(_ uint32, s *record) bool { return s.Flags&pending != 0 }
	n := 0
	for _, l := range sh.allLevels() {
		in, err := l.Check(pendingInList)
		if err != nil {
			broken("%v", err)
		}
		n += in
	}
	if n != sh.counters.linked && !(sh.closed && n == 0) {
		broken("%d timers are in lists, %d are pending", n, sh.counters.linked)
	}
	sh.checkRuns()
	sh.checkWatches()
	sh.checkRecords()
	sh.checkMemberships()
}

// checkMemberships verifies that the list of each group leads through its members, and that a timer
// that is no member has no membership.
func (sh *shard) checkMemberships() {
	counted := make(map[*Group]uint32)
	for n := range uint32(sh.annexes.Len()) {
		x := sh.annexes.Row(n)
		if x == nil || x.memberships == nil {
			continue
		}
		for pos, m := range x.memberships {
			i := n<<levels.ChunkBits | uint32(pos)
			if s := sh.records.At(i); s.Flags&isMember != 0 {
				counted[sh.checkMember(i, s)]++
			} else if m != (membership{}) {
				broken("timer %d is no member, and has a membership: %+v", i, m)
			}
		}
	}
	for g, n := range counted {
		if n != g.members {
			broken("a group has %d members, and counts %d", n, g.members)
		}
	}
	sh.checkGroups(len(counted))
}

// checkMember verifies the links of a member, and returns its group.
func (sh *shard) checkMember(i uint32, s *record) *Group {
	g, m := sh.groupOf(i, s), sh.membership(i)
	to := &g.first
	if m.prev != 0 {
		to = &sh.membership(m.prev.record()).next
	}
	if *to != linkTo(i) || m.next != 0 && sh.membership(m.next.record()).prev != linkTo(i) {
		broken("timer %d has the wrong place among the members: %+v", i, *m)
	}
	return g
}

// checkGroups verifies that the shard knows the groups that have members, and no others.
func (sh *shard) checkGroups(groups int) {
	known := 0
	if sh.groups != nil {
		known = sh.groups.numbers.Live()
		if err := sh.groups.numbers.Check(); err != nil {
			broken("%v", err)
		}
	}
	if known != groups {
		broken("%d groups have members, %d are known", groups, known)
	}
}

// checkWatches verifies that each worker of the shard that runs a timer, or waits for a timer's lock,
// is watched, if any is, and that the first is the one to look at first.
func (sh *shard) checkWatches() {
	runs := 0
	for k, wk := range sh.watches {
		if _, _, atLock := wk.lockWait(); !atLock {
			runs++
		}
		switch x := &wk.watched; {
		case x.place != k:
			broken("watch %d has the place %d", k, x.place)
		case x.key != min(x.since, wk.ending.unreported()):
			broken("watch %d: something is to be reported from %d on, not %d", k, min(x.since, wk.ending.unreported()), x.key)
		case x.key < sh.watches[max(0, k-1)/2].watched.key:
			broken("watch %d is to be looked at before the one above it", k)
		}
	}
	if sh.w.lookForStalls != nil && runs != sh.running.Len() {
		broken("%d runs are watched, of %d", runs, sh.running.Len())
	}
}

func (sh *shard) checkCounters() {
	c := &sh.counters
	if c.registered != c.fired+c.removed+c.entered+uint64(c.linked-c.inLanes) {
		broken("conservation: %+v", *c)
	}
	if c.histograms == nil {
		if c.fired > 0 {
			broken("%d firings were counted without histograms", c.fired)
		}
		return
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
	var live, pendings, runs, inLanes int
	var annexBytes int64
	for n := range uint32(sh.records.Chunks()) {
		c := sh.records.Chunk(n)
		if c == nil {
			continue
		}
		annexBytes += sh.annexes.Row(n).bytes()
		for pos := range c.Items {
			i, s := n<<levels.ChunkBits|uint32(pos), &c.Items[pos]
			if sh.function(i, s) == nil {
				if s.Flags != 0 {
					broken("timer %d has no function: %+v", i, *s)
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
			if sh.isInLane(i, s) {
				inLanes++
			}
		}
	}
	if annexBytes != sh.annexBytes {
		broken("the annexes hold %d bytes, counted are %d", annexBytes, sh.annexBytes)
	}
	if inLanes != sh.counters.inLanes {
		broken("%d timers are in lanes, counted are %d", inLanes, sh.counters.inLanes)
	}
	if n := sh.pending(); sh.anchor().Wheel == nil && n > 0 {
		broken("%d timers are pending, and nothing keeps the wheel", n)
	}
	if live != sh.records.Live() || pendings != sh.counters.linked || runs != sh.running.Len() {
		broken("%d timers live, %d pending, %d running; counted are %d, %d, %d",
			live, pendings, runs, sh.records.Live(), sh.counters.linked, sh.running.Len())
	}
}

// isInLane reports whether a timer's word is open, or parked, and counted in a lane.
func (sh *shard) isInLane(i uint32, s *record) bool {
	if s.Flags&levels.Open == 0 {
		return false
	}
	kind := sh.openedWord(i).Load() & kindMask
	if kind != ownedKind && kind != parkedKind {
		return false
	}
	if s.Owners == 0 || s.Flags&running != 0 {
		broken("timer %d can be stopped without the lock: %+v", i, *s)
	}
	return true
}

func (sh *shard) checkTimer(i uint32, s *record) {
	inRun := s.Flags&running != 0
	inList := s.Flags&pending != 0
	word := uint64(closedWord)
	if c := sh.w.findWords(uint64(sh.no), i/chunkLen); c != nil {
		word = c.words[i%chunkLen].Load()
	}
	g := sh.groupOf(i, s)
	switch {
	case s.Owners == 0 && !inList && !inRun:
		broken("timer %d lives without a reference: %+v", i, *s)
	case s.Flags&levels.Open == 0 && word != closedWord, s.Flags&levels.Open != 0 && (!inList || word>>genShift != uint64(s.Gen)):
		broken("timer %d has the word %x: %+v", i, word, *s)
	case s.Flags&deleting != 0 && !inRun:
		broken("timer %d is marked, and does not run: %+v", i, *s)
	case inList && (s.Flags&shutdown != 0 || g.shutDown() && !g.beingDeleted()):
		broken("timer %d is pending after its shutdown: %+v", i, *s)
	case !sh.closed && inList && sh.levelsOf(s).ListOf(s) == levels.Held && s.Flags&(running|locking) == 0:
		broken("timer %d is held back, and nothing will put it back: %+v", i, *s)
	}
	sh.checkPlace(i, s)
}

// checkPlace verifies that the flag locking says whether a timer stands in a line.
func (sh *shard) checkPlace(i uint32, s *record) {
	var p *place
	b := sh.bindingOf(i, s)
	if b != nil {
		p = b.place
	}
	stands := p != nil && p.line != nil
	switch {
	case stands != (s.Flags&locking != 0):
		broken("timer %d has the wrong place in a line: %+v, %+v", i, *s, p)
	case !stands:
	case s.Flags&(pending|running) != pending || !sh.closed && !sh.isHeld(s):
		broken("timer %d stands in a line, and is not held back: %+v", i, *s)
	case p.timer != sh.timer(i, s) || p.line.lock != b.lock:
		broken("timer %d stands in the line of another: %+v", i, *p)
	}
}

// checkLines verifies that a worker serves each line, or that each is due. Holds mu.
func (w *Wheel) checkLines() {
	unserved := 0
	for l, ln := range w.lines.of {
		switch {
		case ln.lock != l || ln.wk != nil && ln.wk.line != ln:
			broken("the line of a lock is another's")
		case (ln.wk == nil) != (ln.elem != nil):
			broken("a line has a worker and waits for one, or neither")
		case ln.empty() != (ln.n == 0):
			broken("%d timers are counted in a line", ln.n)
		case ln.wk == nil && ln.empty():
			broken("a line without timers waits for a worker")
		case ln.wk == nil:
			unserved++
		}
	}
	if n := w.lines.waiting.Len(); unserved != n || int(w.lines.unserved.Load()) != n {
		broken("%d lines wait for a worker, %d stand in the list, %d are counted", unserved, n, w.lines.unserved.Load())
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
		if g := e.group; e.groups > 0 && (g != sh.groupOf(r.i, s) || g.deleting == 0) {
			broken("running slot %d: a group that is deleted does not know", k)
		}
	}
}

func broken(format string, args ...any) {
	crash("timerwheel: invariant broken: " + fmt.Sprintf(format, args...))
}
