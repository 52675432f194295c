package timerwheel

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// This file tests promises about costs, as far as a cost can be told from
// the noise of a machine.

// Contract 2: RegisterAt "reads no clock, unless the wheel must be woken
// earlier". Who reads it sees that a deadline has passed, and makes it the time
// of the call: so the deadline shows whether somebody did.
func TestRegisterAtReadsNoClock(t *testing.T) {
	w, err := New(Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, w.Close()) }()
	past := w.base.Add(-time.Hour)
	tm := w.Alloc(func(Timer) {})

	w.alarm.at.Store(math.MinInt64) // as if the wheel were about to be woken for something earlier still
	require.NoError(t, tm.RegisterAt(past))
	when, ok := tm.When()
	require.True(t, ok)
	require.True(t, when.Equal(past), "the clock was read, though the wheel is awake in time")
	require.True(t, tm.Stop())

	w.alarm.at.Store(never)
	before := w.Now()
	require.NoError(t, tm.RegisterAt(past))
	if when, ok := tm.When(); ok { // it may have fired by now
		require.False(t, when.Before(before), "the clock was not read, though the wheel had to be woken")
	}
}

// Contract 8: a group is torn down "in O(members)": a member costs the same in a
// group eight times as large, torn down in one call or leaving one by one; and a
// small group costs the same beside eight times as many strangers.
func TestGroupDeletionCostsItsMembers(t *testing.T) {
	if checked {
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
			const few, many, attempts = 4_000, 32_000, 20
			w, err := New(Options{Manual: true}) // of one shard
			require.NoError(t, err)
			small, large := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
			for range attempts { // the best of them all is what the work itself takes
				small, large = min(small, work(w, few)), min(large, work(w, many))
				if large < 3*small {
					return
				}
			}
			t.Errorf("a deletion costs %v among %d, %v among %d", small, few, large, many)
		})
	}
}
