package timerwheel

import "github.com/seed76848005/timerwheel/internal/levels"

// This file is the line of the timers that are due and wait for a worker. Those that are held back
// are not in it: they wait for their run to end, or for their lock; or for a worker that serves the
// line of their lock (lines.go), which is looked for beside this one. The workers take from its
// begin (pop). With OnStall the wheel must know whether there is a line, for Saturated, and when
// there is none any more. Nothing is counted for that: one timer in line is remembered, the
// witness. Only when it leaves the line the wheel looks whether any is left, and chooses another.

// firstDue returns a time that is not after the tick at which the first timer in line is due, or
// the one that will be the first; never, if none is pending.
func (sh *shard) firstDue() int64 {
	if sh.levels.Empty(levels.Due) {
		return sh.nextWake()
	}
	first := sh.records.At(sh.levels.Last(levels.Due))
	if !sh.levels.DueNow(first) {
		return 0 // an idle one, to be looked at: it stands before others
	}
	return first.When
}

// maxDepth bounds how deep in the line the witness is, in blocks of the list.
const maxDepth = 16

// nextInLine returns the first timer in line for a worker. Holds the shard's lock for one batch at
// most; more reports that a further call may find one where this one did not.
func (sh *shard) nextInLine(now int64) (i uint32, s *record, more bool) {
	for n := 0; n < batch; n++ {
		i, ok, more := sh.pop(now)
		if !ok {
			return 0, nil, more
		}
		if s := sh.records.At(i); s.Flags&(running|locking) == 0 {
			return i, s, false
		}
		sh.holdBack(i, sh.records.At(i)) // as a worker would
	}
	return 0, nil, true
}

// setWitness remembers a timer that is in line, of which i is the first. It is not among the first, if
// there are many, so that not each one that a worker takes is the witness. Those that are only to be
// looked at are in no line.
func (sh *shard) setWitness(i uint32) {
	sh.witness = i + 1
	depth := 0
	for block := range sh.levels.All(levels.Due) {
		if r := sh.records.At(block[0]); r.Flags&levels.Open == 0 && sh.levels.DueNow(r) {
			sh.witness = block[0] + 1
		}
		if depth++; depth == maxDepth {
			return
		}
	}
}

// checkWitness is called for each timer that is taken out of its list.
func (sh *shard) checkWitness(i uint32) {
	if sh.witness == i+1 {
		sh.lookAgain()
	}
}

// lookAgain has the wheel look at once whether any timer is in line.
func (sh *shard) lookAgain() {
	sh.witness = 0
	sh.w.mu.Lock()
	sh.w.lookAgain()
	sh.w.mu.Unlock()
}

// lookAgain is that for a line of timers of a lock that waits for a worker no more. Holds mu.
func (w *Wheel) lookAgain() {
	if s := &w.stalls; s.looking {
		s.lost = true // before the goroutine that looks knows whether Saturated is reported
	} else if s.saturated {
		s.lost = true
		if now := w.elapsed(); !w.isForeign(now) {
			w.lookAt(now)
		}
	}
}

// waitForWorkers returns how many timers stand in lines that no worker serves, and since when the first of
// these lines waits for one; never, if there is none. Holds mu.
func (all *lines) waitForWorkers() (timers int, since int64) {
	since = never
	for at := all.waiting.Front(); at != nil; at = at.Next() {
		ln := at.Value.(*line)
		timers += ln.n
		since = min(since, ln.since)
	}
	return timers, since
}

// firstUnserved returns a report of the first timer of a line that no worker serves, and since when
// that line waits for one; nil and never, if there is none.
func (w *Wheel) firstUnserved(now int64) (first *report, since int64) {
	for first == nil {
		w.mu.Lock()
		at := w.lines.waiting.Front()
		if at == nil {
			w.mu.Unlock()
			return nil, never
		}
		ln := at.Value.(*line)
		t := ln.ends.next.timer
		since = ln.since
		w.mu.Unlock()
		first = t.shard().unservedReport(t, now)
	}
	return first, since
}

// unservedReport makes a report of a timer, unless it has left the line, or a worker serves that.
func (sh *shard) unservedReport(t Timer, now int64) *report {
	sh.lock()
	defer sh.end()
	i, s := sh.lookup(t)
	if s == nil || s.Flags&locking == 0 {
		return nil
	}
	sh.w.mu.Lock()
	served := sh.bindingOf(i, s).place.line.wk != nil
	sh.w.mu.Unlock()
	if served {
		return nil
	}
	return sh.newReport(Saturated, i, s, s.When, now)
}
