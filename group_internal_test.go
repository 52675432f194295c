package timerwheel

import (
	"math"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Promise 8: a group is torn down "in O(members)": a member costs the same in a group eight times as
// large, and a small group the same beside eight times as many timers of other groups.
func TestGroupDeletionCostsItsMembers(t *testing.T) {
	if checkInvariants {
		t.Skip("to check every critical section costs more than any of them")
	}
	group := func(w *Wheel, n int) (g *Group, members []Timer) {
		g = w.NewGroup()
		for range n {
			members = append(members, g.AfterFunc(time.Hour, func() {}))
		}
		return g, members
	}
	torn := func(g *Group) {
		if found, err := g.DelSync(); found != (Found{Pending: true}) || err != nil || g.Len() != 0 {
			t.Errorf("%v, %v, %d members", found, err, g.Len())
		}
	}
	for name, work := range map[string]func(w *Wheel, n int) time.Duration{
		"in one call": func(w *Wheel, n int) time.Duration {
			g, _ := group(w, n)
			began := time.Now()
			torn(g)
			return time.Since(began) / time.Duration(n)
		},
		"one by one": func(w *Wheel, n int) time.Duration {
			_, members := group(w, n)
			began := time.Now()
			for _, tm := range members {
				if !tm.Stop() {
					t.Error("was not pending")
				}
			}
			return time.Since(began) / time.Duration(n)
		},
		"beside strangers": func(w *Wheel, n int) time.Duration {
			const groups = 1000
			strangers, _ := group(w, n)
			began := time.Now()
			for range groups {
				g, _ := group(w, 1)
				torn(g)
			}
			took := time.Since(began) / groups
			torn(strangers)
			return took
		},
	} {
		t.Run(name, func(t *testing.T) {
			const few, many, attempts = 100, 800, 100   // short enough for a time slice of a busy machine
			w := newTestWheel(t, Options{Manual: true}) // of one shard
			small, large := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
			for range attempts { // the best of all attempts is what the work itself takes
				small, large = min(small, work(w, few)), min(large, work(w, many))
				if large < 3*small {
					return
				}
			}
			t.Errorf("a deletion costs %v among %d, %v among %d", small, few, large, many)
		})
	}
}

// Deletions of one group at once: each lets the others have the lock after a batch, and then finds
// fewer members than it left.
func TestDeletionsOfAGroupAtOnce(t *testing.T) {
	w := newTestWheel(t, Options{})
	g := w.NewGroup()
	for range 20 * batch {
		g.AfterFunc(time.Hour, func() {})
	}
	var wg sync.WaitGroup
	release := hold(t, &g.sh.mu)
	for range 3 {
		wg.Go(func() { _, _ = g.DelSync() })
	}
	blockedIn(t, 3, "delSync")
	askFor(&g.sh.mu)
	release()
	within(t, wg.Wait)
	require.Zero(t, g.Len())
	require.Zero(t, w.Stats().Pending)
}

// Promise 8: a group's deletion lets go of the lock between its looks at its members' runs. A run that
// ends then is replaced in its running slot by one that the deletion has seen: it waits once for that.
func TestARunThatMovesIsWaitedForOnce(t *testing.T) {
	const many = scanLen + 4
	w := newTestWheel(t, Options{MaxWorkers: many})
	g := w.NewGroup()
	sh := g.sh
	var begun sync.WaitGroup
	ends := make(map[uint32]func())
	for range many {
		begun.Add(1)
		gate, open := newGate(t)
		tm := g.AfterFunc(0, func() { begun.Done(); <-gate })
		ends[uint32(tm.id)>>shardBits] = open
	}
	within(t, begun.Wait)

	release := hold(t, &sh.mu)
	ends[sh.running.At(0).i]()
	blockedIn(t, 1, "relock")
	askFor(&sh.mu)
	x := &wait{group: g}
	g.enlist(x) // between its critical sections that run ends
	release()

	waitedFor := make(map[*worker]bool)
	for _, e := range x.edges {
		require.False(t, waitedFor[e.wk], "twice")
		waitedFor[e.wk] = true
	}
	require.Len(t, x.edges, many-1, "one run ended between the critical sections")
	require.True(t, sh.abandon(x))
}

// The memory of a group's members at their most is not held for ever.
func TestMemberListShrinks(t *testing.T) {
	w := newTestWheel(t, Options{Manual: true})
	g := w.NewGroup()
	for range 5_000 {
		g.AfterFunc(time.Hour, func() {})
	}
	_, err := g.DelSync()
	require.NoError(t, err)
	require.Zero(t, g.Len())
	require.LessOrEqual(t, g.members.Bytes(), int64(1024))
}
