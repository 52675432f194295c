package timerwheel

import (
	"iter"

	"github.com/seed76848005/timerwheel/internal/levels"
)

// This file counts the timers that are due and have not begun. Where nothing takes them out of
// their buckets, because all workers are blocked, they must be looked at one by one: a timer that
// was pushed back may stand in a bucket whose time has come.

// maxLook bounds the timers that fewDue looks at.
const maxLook = 8 * batch

// fewDue returns the number of the shard's timers that are due and have not begun, if that takes
// no more than a moment. It lowers first to the earliest deadline of those in line for a worker.
func (sh *shard) fewDue(now int64, first *int64) (n int, ok bool) {
	tick, looked := now/sh.levels.Tick(), 0
	for _, l := range sh.allLevels() {
		n += l.Count(levels.Held)
		for _, blocks := range []iter.Seq[[]uint32]{l.All(levels.Due), l.All(levels.Deferred), l.Reached(tick)} {
			for block := range blocks {
				if looked += len(block); looked > maxLook {
					return 0, false
				}
				for _, i := range block {
					if sh.dueAt(i, sh.records.At(i), tick) {
						sh.noteDue(i, first)
						n++
					}
				}
			}
		}
	}
	return n, true
}

// countDue returns the number of the shard's timers that are due and have not begun, without those
// that have one of some flags, and lowers first as fewDue does. It walks all of the shard's timers, as
// they lie in memory, and lets go of the lock after every batch.
func (sh *shard) countDue(now int64, without levels.Flags, first *int64) (n int) {
	sh.lock()
	defer sh.end()
	tick := now / sh.levels.Tick()
	for i := uint32(0); i < uint32(sh.records.Chunks())*chunkLen && !sh.closed; i++ {
		if sh.records.Chunk(i/chunkLen) == nil {
			i |= chunkLen - 1 // the last one of it
		} else if s := sh.records.At(i); s.Flags&pending != 0 && s.Flags&without == 0 && sh.dueAt(i, s, tick) {
			sh.noteDue(i, first)
			n++
		}
		if (i+1)%batch == 0 {
			sh.unlock()
			sh.lock()
		}
	}
	return n
}

// noteDue lowers first to the deadline of a timer that is due, if that waits for nothing but a worker.
func (sh *shard) noteDue(i uint32, first *int64) {
	if s := sh.records.At(i); s.Flags&(isOwn|running|locking) == 0 {
		*first = min(*first, sh.deadline(i, s))
	}
}
