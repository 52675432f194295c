package timerwheel

import (
	"fmt"
	"math/bits"
	"runtime"
	"sync/atomic"
)

// This file chooses the shard of a new timer: the same for the same processor, as far as
// that can be had, so that processors do not wait for each other's locks.

const maxShards = 1 << shardBits

// shardCount returns the number of processors, rounded up to a power of two.
func shardCount() int {
	return min(1<<bits.Len(uint(runtime.GOMAXPROCS(0)-1)), maxShards)
}

// A localShard is what the pool of a wheel remembers for a processor: the shard that it
// takes its timers from. It does not know the wheel, because the runtime may remember a
// pool for longer than the wheel lives.
type localShard struct{ shard atomic.Uint32 }

// local returns what is remembered for this processor. The pool knows processors, and
// costs 8 ns.
func (w *Wheel) local() *localShard {
	n, _ := w.localShards.Get().(*localShard)
	if n == nil {
		n = new(localShard)
		n.shard.Store(w.nextLocal.Add(1) & uint32(len(w.shards)-1))
	}
	w.localShards.Put(n)
	return n
}

// lockLocal locks this processor's shard.
func (w *Wheel) lockLocal() *shard {
	if len(w.shards) == 1 {
		w.shards[0].lock()
		return w.shards[0]
	}
	n := w.local()
	sh := w.shards[n.shard.Load()]
	sh.lock()
	if sh.lastUser != n {
		sh.noteUser(n)
	}
	return sh
}

// drawShard returns the shard of a new group: another one each time. The groups of one accept loop
// are used by many goroutines, so the loop's processor says nothing about who will want the lock.
func (w *Wheel) drawShard() *shard { return w.shards[w.nextGroup.Add(1)&uint32(len(w.shards)-1)] }

// maxUserChanges is how often two processors may take turns with one shard.
const maxUserChanges = 16

// noteUser notes that another processor than before takes timers from this shard. The
// pool forgets what it was given, and then each processor draws anew, so two may have
// come to the same shard. After some turns one of them moves on to the next shard
// ("start+stop, 1M pending, 2 procs" of bench/ takes twice as long in every fourth round
// without that).
func (sh *shard) noteUser(n *localShard) {
	sh.lastUser = n
	if sh.userChanges++; sh.userChanges%maxUserChanges == 0 {
		n.shard.Store((sh.no + 1) & uint32(len(sh.w.shards)-1))
	}
}

// lockFor locks the shard for a new timer of the group, or of none, and makes sure that it has
// storage for it and its function.
func (w *Wheel) lockFor(g *Group, f any) *shard {
	if g != nil {
		g.sh.lock()
		if !g.sh.reserve(f) {
			g.sh.unlock()
			reject(fmt.Sprintf("timerwheel: more than %d timers in the shard of a group", maxRecords))
		}
		return g.sh
	}
	sh := w.lockLocal()
	for range w.shards {
		if sh.reserve(f) {
			return sh
		}
		sh.unlock()
		sh = w.shards[(int(sh.no)+1)&(len(w.shards)-1)]
		sh.lock()
	}
	sh.unlock()
	reject(fmt.Sprintf("timerwheel: more than %d timers", len(w.shards)*maxRecords))
	return nil
}

// nextIn returns the first shard of a set that is not empty, from a number onwards, in a circle.
func (w *Wheel) nextIn(set uint64, from uint32) (no uint32) {
	from &= uint32(len(w.shards) - 1)
	return (from + uint32(bits.TrailingZeros64(bits.RotateLeft64(set, -int(from))))) % maxShards
}
