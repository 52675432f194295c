package timerwheel

import (
	"errors"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel/internal/levels"
	"github.com/stretchr/testify/require"
)

// Nobody keeps a shard to himself while he moves very many timers: the others
// get their turn, and see him in the middle.
func TestNobodyKeepsAShardForLong(t *testing.T) {
	const n = 100_000
	type stage struct {
		w     *Wheel
		sh    *shard
		begin func()
		amid  func() bool // with the shard's lock
	}
	hours := func(o Options) (*Wheel, *Group) {
		w := newTestWheel(t, o)
		g := w.NewGroup()
		for range n {
			g.AfterFunc(time.Hour, func() {})
		}
		return w, g
	}
	for name, set := range map[string]func() stage{
		"a cascade": func() stage {
			w, g := hours(Options{Manual: true})
			return stage{w, g.sh, func() { _, _ = w.Advance(w.Now().Add(time.Hour - time.Second)) }, func() bool { return g.sh.levels.Cascading() }}
		},
		"what an Advance has deferred": func() stage {
			w := newTestWheel(t, Options{Manual: true})
			w.AfterFunc(0, func() {
				for range n {
					w.AfterFunc(0, func() {})
				}
			})
			sh := w.shards[0]
			return stage{w, sh, func() { _, _ = w.Advance(w.Now()) }, func() bool { return !sh.advancing && !sh.levels.Empty(levels.Deferred) }}
		},
		"Close": func() stage {
			w, g := hours(Options{})
			return stage{w, g.sh, func() { _ = w.Close() }, func() bool { return g.sh.closed && g.sh.counters.pending > 0 }}
		},
		"a group's deletion": func() stage {
			w, g := hours(Options{})
			last := g.Alloc(func(Timer) {})
			require.NoError(t, last.Register(time.Hour))
			return stage{w, g.sh, func() { _, _ = g.DelSync() }, func() bool {
				i, s := g.sh.lookup(last)
				if s.Flags&pending != 0 || g.sh.counters.pending == 0 {
					return false
				}
				if err := g.sh.refusal(i, s); !errors.Is(err, ErrDeleting) {
					t.Errorf("a member can be registered while its group is being deleted: %v", err)
				}
				return true
			}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			for range 20 { // on a busy machine nobody else may be there
				if s := set(); seenAmid(s.w, s.sh, s.begin, s.amid) {
					return
				}
			}
			require.Fail(t, "nobody else has had a turn")
		})
	}
}

// seenAmid reports whether another goroutine that wants the shard gets it while
// what begin does is amid.
func seenAmid(w *Wheel, sh *shard, begin func(), amid func() bool) (seen bool) {
	defer w.Close()
	var over atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		defer over.Store(true)
		begin()
	})
	for !over.Load() {
		sh.lock()
		seen = amid() || seen
		sh.unlock()
		runtime.Gosched()
	}
	wg.Wait()
	return seen
}

// A critical section moves a batch of timers at most.
func TestAPopMovesABatchAtMost(t *testing.T) {
	sh := newTestShard(t)
	for range 10 * batch {
		sh.w.AfterFunc(time.Second, func() {})
	}
	sh.lock()
	defer sh.unlock()
	for more := true; more && sh.levels.Empty(levels.Due); {
		_, _, more = sh.pop(int64(time.Second))
	}
	n := sh.levels.Count(levels.Due)
	require.NotZero(t, n)
	require.LessOrEqual(t, n, batch)
}

// A tick beyond the reach of the clock begins never, not in the past.
func TestATickBeyondTheClockBeginsNever(t *testing.T) {
	sh := newTestShard(t)
	last := int64(never) / sh.levels.Tick()
	require.Equal(t, last*sh.levels.Tick(), sh.nanos(last))
	require.EqualValues(t, int64(never), sh.nanos(last+1))
}

// Contract 2: RegisterAt "reads no clock, unless the wheel must be woken
// earlier". Who reads it sees that a deadline has passed, and makes it the time
// of the call: so the deadline shows whether somebody did.
func TestRegisterAtReadsNoClock(t *testing.T) {
	w, err := New(Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, w.Close()) }()
	past := w.base
	time.Sleep(time.Millisecond) // so that it has passed, by any clock
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

// RegisterAt must know the time where the wheel would have to be woken earlier:
// what counts is when the timer's slot is looked at, not its deadline.
func TestNeedsClock(t *testing.T) {
	w := newTestWheel(t, Options{Tick: time.Millisecond})
	tm := w.Alloc(func(Timer) {})
	sh := tm.shard()
	_, s := sh.lookup(tm)
	ms := int64(time.Millisecond)
	defer w.alarm.at.Store(never)
	w.alarm.at.Store(5000 * ms)
	require.True(t, sh.needsClock(s, 4999*ms))
	require.True(t, sh.needsClock(s, 8191*ms), "its slot is looked at at 4096 ms")
	require.False(t, sh.needsClock(s, 8192*ms))
	w.alarm.at.Store(4000 * ms)
	require.True(t, sh.needsClock(s, 3999*ms))
	require.False(t, sh.needsClock(s, 4001*ms), "its slot is looked at at its tick")
}

// No deadline is before the wheel was made, though RegisterAt may have had no
// reason to read the clock: how late the timer is, and the next instants of a
// series, are what a clock can say.
func TestNoDeadlineIsBeforeTheWheel(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := newTestWheel(t, Options{})
		time.Sleep(time.Hour)
		runs := 0
		series := w.Every(20*time.Minute, func(Timer) { runs++ })
		w.alarm.at.Store(math.MinInt64) // as if the wheel were late for an earlier wake-up
		require.NoError(t, series.RegisterAt(time.Time{}))
		w.alarm.at.Store(never)
		w.AfterFunc(0, func() {})
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, 1, runs)
		when, ok := series.When()
		require.True(t, ok)
		require.Equal(t, w.base.Add(80*time.Minute), when, "the first instant after now of those from its beginning")
		s := w.Stats()
		require.Equal(t, time.Hour, s.MaxLate)
		require.Equal(t, time.Hour, s.SumLate)
		require.NoError(t, w.Close())
	})
}

// To push a timeout back is one store: the timer stays where it is.
func TestATimeoutThatIsPushedBackStaysWhereItIs(t *testing.T) {
	w := newTestWheel(t, Options{Manual: true})
	tm := w.Alloc(func(Timer) {})
	require.NoError(t, tm.Register(time.Minute))
	sh := tm.shard()
	_, s := sh.lookup(tm)
	list := sh.levels.ListOf(s)
	require.NoError(t, tm.Register(10*time.Hour))
	require.Equal(t, list, sh.levels.ListOf(s))
	when, _ := tm.When()
	require.Equal(t, w.Now().Add(10*time.Hour), when)
}
