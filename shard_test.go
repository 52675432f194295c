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
	"unsafe"

	"github.com/seed76848005/timerwheel/internal/levels"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Promise 13.3: a goroutine that moves very many timers shares the shard: others can lock
// it in between, and see the work half done.
func TestLongWorkSharesItsShard(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2)) // with one, the other goroutine comes too late
	n := 0
	type stage struct {
		sh     *shard
		begin  func()
		midway func() bool // with the shard's lock
	}
	hours := func(o Options) *Group {
		g := newTestWheel(t, o).NewGroup()
		for range n {
			g.AfterFunc(time.Hour, func() {})
		}
		return g
	}
	for name, set := range map[string]func() stage{
		"a cascade": func() stage {
			sh := hours(Options{Manual: true}).sh
			return stage{sh, func() { _, _ = sh.w.Advance(sh.w.Now().Add(time.Hour - time.Second)) }, func() bool { return sh.levels.Cascading() }}
		},
		"what an Advance has deferred": func() stage {
			sh := newTestShard(t)
			sh.w.AfterFunc(0, func() {
				for range n {
					sh.w.AfterFunc(0, func() {})
				}
			})
			return stage{sh, func() { _, _ = sh.w.Advance(sh.w.Now()) }, func() bool {
				_, some := sh.levels.Next() // and the others have gone to their bucket
				return some && !sh.levels.Empty(levels.Deferred)
			}}
		},
		"Close": func() stage {
			sh := hours(Options{}).sh
			return stage{sh, func() { _ = sh.w.Close() }, func() bool { return sh.closed && sh.counters.linked > 0 }}
		},
		"a group's deletion": func() stage {
			g := hours(Options{})
			last := g.Alloc(func(Timer) {})
			require.NoError(t, last.Register(time.Hour))
			return stage{g.sh, func() { _, _ = g.DelSync() }, func() bool {
				i, s := g.sh.lookup(last)
				if s.Flags&pending != 0 || g.sh.counters.linked == 0 {
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
			n = 10_000
			for end := time.Now().Add(patience); time.Now().Before(end); { // on a busy machine no other goroutine may get a processor
				if s := set(); seenMidway(t, s.sh, s.begin, s.midway) {
					return
				}
				n = min(2*n, 100_000)
			}
			require.Fail(t, "no other goroutine has locked the shard")
		})
	}
}

// seenMidway reports whether another goroutine that wants the shard gets it while begin is midway.
func seenMidway(t *testing.T, sh *shard, begin func(), midway func() bool) (seen bool) {
	var over atomic.Bool
	go func() {
		defer over.Store(true)
		begin()
	}()
	for deadline := time.Now().Add(patience); !over.Load(); runtime.Gosched() {
		sh.lock()
		seen = midway() || seen
		sh.unlock()
		require.True(t, time.Now().Before(deadline), "it does not end")
	}
	return seen
}

// Promise 10.21: what another goroutine registers in the midst of an Advance comes behind what was
// registered before.
func TestWhatIsRegisteredInTheMidstOfAnAdvanceKeepsTheOrder(t *testing.T) {
	const n = 3 * batch
	for name, c := range map[string]struct {
		d     time.Duration
		midst func(t *testing.T, sh *shard, other func())
	}{
		"that ends": {0, func(t *testing.T, sh *shard, other func()) {
			release := hold(t, &sh.mu)
			var wg sync.WaitGroup
			wg.Go(sh.endAdvance)
			blockedIn(t, 1, "lock")
			wg.Go(other)
			blockedIn(t, 2, "lock")
			askFor(&sh.mu)
			release()
			within(t, wg.Wait)
		}},
		"whose bucket is half emptied": {5 * time.Second, func(t *testing.T, sh *shard, other func()) {
			sh.lock()
			_, _, _ = sh.pop(int64(4500 * time.Millisecond))
			require.True(t, sh.levels.Cascading())
			sh.unlock()
			other()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			sh := newTestShard(t)
			w := sh.w
			var order, want []int
			other := w.Alloc(func(Timer) { order = append(order, n) })
			sh.advancing = c.d == 0
			for k := range n {
				w.AfterFunc(c.d, func() { order = append(order, k) })
				want = append(want, k)
			}
			want = append(want, n)
			c.midst(t, sh, func() { assert.NoError(t, other.Register(c.d)) })
			_, err := w.Advance(w.base.Add(time.Hour))
			require.NoError(t, err)
			require.Equal(t, want, order)
		})
	}
}

// Promise 13.3: a critical section moves a batch of timers at most.
func TestAPopMovesABatchAtMost(t *testing.T) {
	sh := newTestShard(t)
	for range 10 * batch {
		sh.w.AfterFunc(time.Second, func() {})
	}
	release := hold(t, &sh.mu)
	for more := true; more && sh.levels.Empty(levels.Due); {
		_, _, more = sh.pop(int64(time.Second))
	}
	n := sh.levels.Count(levels.Due)
	release()
	require.NotZero(t, n)
	require.LessOrEqual(t, n, batch)
}

// Promise 13.5: after a quiet time, too, the alarm rings at the timer's tick, and not before.
func TestATimerAfterAQuietTimeHasOneWakeUp(t *testing.T) {
	for name, beside := range map[string]time.Duration{"alone": 0, "beside a later one": 100 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := newTestWheel(t, Options{})
				g := w.NewGroup()
				if beside > 0 {
					g.AfterFunc(beside, func() {})
				}
				time.Sleep(1000 * levels.Lowest * w.tick)
				g.AfterFunc(4*time.Second, func() {}) // as seen from now, it is on the lowest level
				require.Equal(t, w.elapsed()+int64(4*time.Second), w.alarm.at.Load())
			})
		})
	}
}

// Promise 3.5: it begins never, not in the past.
func TestATickBeyondTheClockBeginsNever(t *testing.T) {
	sh := newTestShard(t)
	last := int64(never) / sh.levels.Tick()
	require.Equal(t, last*sh.levels.Tick(), sh.nanos(last))
	require.EqualValues(t, int64(never), sh.nanos(last+1))
}

// Promise 2.19. If RegisterAt reads the clock it sees that a deadline has passed, and makes it the
// time of the call. So the deadline shows whether it did.
func TestRegisterAtReadsNoClock(t *testing.T) {
	w := newTestWheel(t, Options{})
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

// Promise 2.19: RegisterAt must know the time where the wheel would have to be woken earlier. The
// time that counts is when the timer's bucket is looked at, not its deadline.
func TestNeedsClock(t *testing.T) {
	w := newTestWheel(t, Options{Tick: time.Millisecond})
	tm := w.Alloc(func(Timer) {})
	sh := tm.shard()
	_, s := sh.lookup(tm)
	ms := int64(time.Millisecond)
	defer w.alarm.at.Store(never)
	w.alarm.at.Store(5000 * ms)
	require.True(t, sh.needsClock(s, 4999*ms))
	require.True(t, sh.needsClock(s, 8191*ms), "its bucket is looked at at 4096 ms")
	require.False(t, sh.needsClock(s, 8192*ms))
	w.alarm.at.Store(4000 * ms)
	require.True(t, sh.needsClock(s, 3999*ms))
	require.False(t, sh.needsClock(s, 4001*ms), "its bucket is looked at at its tick")

	w.alarm.at.Store(never)
	parked := (&Group{sh: sh}).Alloc(func(Timer) {})
	require.True(t, parkable(t, parked, time.Hour).Stop())
	w.alarm.at.Store(w.elapsed() + int64(2*time.Hour)) // after that hour, however long the test has taken
	require.True(t, sh.needsClock(s, never), "what is parked must be looked at")
}

// Promise 3.6, also where RegisterAt had no reason to read the clock: a clock can express how late
// the timer is, and the next instants of a series.
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
	})
}

// Promise 5.10: to push a timeout back is one store. The timer stays in its list.
func TestATimeoutThatIsPushedBackStaysWhereItIs(t *testing.T) {
	tm := newTestWheel(t, Options{}).Alloc(func(Timer) {})
	sh := tm.shard()
	sh.lock()
	defer sh.unlock()
	i, s := sh.lookup(tm)
	when := sh.w.elapsed() + int64(time.Minute)
	sh.arm(i, s, when, 0)
	list := sh.levels.ListOf(s)
	sh.arm(i, s, when+int64(10*time.Hour), 0)
	require.Equal(t, list, sh.levels.ListOf(s))
	require.Equal(t, when+int64(10*time.Hour), s.When)
}

// Shards lie one behind the other: what one writes all the time shares no cache line with what the next
// one does.
func TestTheEndOfAShardIsHardlyEverWritten(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) < 8 {
		t.Skip("for the shards of 64 bits")
	}
	var sh shard
	const line = 64
	tail := unsafe.Sizeof(sh) - unsafe.Offsetof(sh.own)
	require.GreaterOrEqual(t, tail+unsafe.Offsetof(sh.mu), uintptr(line))
}
