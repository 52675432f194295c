package timerwheel

import (
	"cmp"
	"maps"
	"slices"

	"github.com/seed76848005/timerwheel/internal/levels"
)

// A Site is a place of the program at which timers were allocated, and how many of these there are:
// see [Wheel.Sites].
type Site struct {
	AllocatedAt string // file:line
	Handler     string // the handler's function, file:line; of a method bound to its receiver the name alone
	Live        int    // timers that were not recycled
	Pending     int    // of these, those that are pending
}

// A birth is what timers of one Site have in common.
type birth struct {
	at      callers
	handler uintptr
}

// A count is how many timers of one birth there are.
type count struct{ live, pending int }

// Sites returns, with Options.Debug, where the timers that live were allocated: for each place and
// handler how many, those with the most first. Where one of so many timers is remembered
// (Options.DebugEvery) the numbers are estimates, what was found times DebugEvery, and of places
// with few timers there may be none. Without Debug it returns nil. What stdtime and timerctx have
// pending by themselves is left out.
//
// It looks at every timer, 256 at a time, and holds no lock in between. A million take 90 ms.
// Timers that are made or recycled during the call may be counted or not.
func (w *Wheel) Sites() []Site {
	if !w.made().debug {
		return nil
	}
	counts := make(map[birth]count)
	for _, sh := range w.shards {
		for n := uint32(0); sh.countSites(n, counts); n++ {
		}
	}
	sites := make(map[[2]string]Site)
	for born, c := range counts {
		key := [2]string{born.at.String(), functionName(born.handler, "")}
		s := sites[key]
		s.AllocatedAt, s.Handler = key[0], key[1]
		s.Live += c.live * int(w.debugEvery)
		s.Pending += c.pending * int(w.debugEvery)
		sites[key] = s
	}
	return slices.SortedFunc(maps.Values(sites), func(x, y Site) int {
		return cmp.Or(cmp.Compare(y.Live, x.Live), cmp.Compare(x.AllocatedAt, y.AllocatedAt), cmp.Compare(x.Handler, y.Handler))
	})
}

// countSites adds chunk n of the timers. It reports whether there may be more chunks.
func (sh *shard) countSites(n uint32, to map[birth]count) bool {
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
		s := &c.Items[k]
		i := n<<levels.ChunkBits | uint32(k)
		o := sh.originOf(i, s)
		if x := sh.firingOf(i, s); o == nil || x != nil && x.User == nil {
			continue
		}
		born := birth{o.allocated, o.handler}
		sum := to[born]
		sum.live++
		if sh.isPending(i, s) {
			sum.pending++
		}
		to[born] = sum
	}
	return true
}
