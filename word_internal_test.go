package timerwheel

import (
	"math"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Promise 14.12: a goroutine that still has a chunk of words that was given back reaches no timer
// through it: its words are closed, and the chunk that takes its place is another.
func TestAChunkOfWordsIsNotReused(t *testing.T) {
	sh := newTestShard(t)
	w := sh.w
	alloc := func(n int) (timers []Timer) {
		for range n {
			tm := w.Alloc(func(Timer) {})
			require.NoError(t, tm.RegisterIdle(time.Hour))
			timers = append(timers, tm)
		}
		return timers
	}
	timers := alloc(4 * chunkLen)
	last := timers[len(timers)-1]
	old := last.word()
	require.NotZero(t, old.Load())
	for _, tm := range timers {
		tm.Del()
		require.NoError(t, tm.Free())
	}
	require.Nil(t, sh.records.Chunk(last.index()/chunkLen), "the chunk was not given back")
	require.Nil(t, last.word())
	require.False(t, last.Touch())

	for _, tm := range alloc(4 * chunkLen) {
		require.True(t, tm.Touch())
		require.NotSame(t, old, tm.word())
	}
	require.Zero(t, old.Load())
	require.False(t, last.Touch())
}

// Promise 13.11: a word tells deadlines apart that are as far away as words reach, and takes what is
// further for a later one.
func TestWordsTellDeadlinesApart(t *testing.T) {
	const last = int64(5 * (ticksMask + 1) / 2)
	for _, back := range []int64{0, 1, maxReach, ticksMask} {
		require.EqualValues(t, last-back, deadlineIn(wordOf(math.MaxUint32, openKind, last-back), last))
	}
	require.EqualValues(t, last, deadlineIn(wordOf(1, openKind, last-ticksMask-1), last), "later, not earlier")
}

// Promise 13.12: from its second move to a later time on, a timer is moved without its shard's lock.
func TestMovesToLaterTakeNoLock(t *testing.T) {
	for name, move := range map[string]func(Timer, time.Duration) bool{
		"Register":   func(t Timer, d time.Duration) bool { return t.Register(d) == nil },
		"RegisterAt": func(t Timer, d time.Duration) bool { return t.RegisterAt(time.Now().Add(d)) == nil },
		"Reset":      func(t Timer, d time.Duration) bool { return t.Reset(d) },
		"Move":       func(t Timer, d time.Duration) bool { return t.Move(d) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newTestWheel(t, Options{Debug: true, DebugEvery: math.MaxInt32}) // its timers are not remembered
			var timers []Timer
			w.Alloc(func(Timer) {}) // the first is
			for _, tm := range []Timer{w.Alloc(func(Timer) {}), w.AfterFunc(time.Hour, func() {}), w.NewGroup().AllocLocked(new(stagedLock), func(Timer) {})} {
				require.NoError(t, tm.Register(time.Hour))
				require.NoError(t, tm.Register(2*time.Hour))
				timers = append(timers, tm)
			}
			for _, sh := range w.shards {
				defer hold(t, &sh.mu)()
			}
			within(t, func() {
				for d := 2 * time.Hour; d < 20*time.Hour; d += time.Hour {
					for _, tm := range timers {
						require.True(t, move(tm, d))
					}
				}
			})
		})
	}
}

// Promise 13.12: timers that tell of each move have no open word; nor has what is too far away for it.
func TestWhatHasNoOpenWord(t *testing.T) {
	closed := func(t *testing.T, tm Timer, d time.Duration) {
		t.Helper()
		for range 3 {
			require.NoError(t, tm.Register(d))
		}
		word := tm.word()
		require.True(t, word == nil || word.Load() == closedWord)
	}
	w := newTestWheel(t, Options{})
	closed(t, w.Every(time.Hour, func(Timer) {}), time.Hour)
	closed(t, w.Alloc(func(Timer) {}), math.MaxInt64)
	closed(t, w.Alloc(func(Timer) {}), maxReach*w.tick)
	closed(t, newTestWheel(t, Options{Debug: true}).Alloc(func(Timer) {}), time.Hour)
	closed(t, newTestWheel(t, Options{Manual: true}).Alloc(func(Timer) {}), time.Hour)
}

// Promise 13.11: words reach as far from now as they say, however long the wheel lives.
func TestWordsReachFromNow(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := newTestWheel(t, Options{Tick: time.Microsecond}) // its words reach for minutes
		far := maxReach / 2 * w.tick
		var fired atomic.Int32
		tm := w.Alloc(func(Timer) { fired.Add(1) })
		for range 40 {
			require.NoError(t, tm.Register(far))
			require.NoError(t, tm.Register(far))
			require.NotEqual(t, uint64(closedWord), tm.word().Load())
			time.Sleep(far - time.Millisecond)
			require.NoError(t, tm.Register(far))
		}
		require.Zero(t, fired.Load())
		time.Sleep(far + time.Millisecond)
		require.EqualValues(t, 1, fired.Load())
	})
}

// Promise 13.11: the multiplication by the tick's reciprocal rounds as a division does.
func TestTicksUpRoundsAsADivision(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 8))
	for _, tick := range []time.Duration{time.Microsecond, 3 * time.Microsecond, time.Millisecond, 1<<20 + 1, 7777777, time.Second, time.Hour} {
		w := newTestWheel(t, Options{Tick: tick})
		check := func(at int64) {
			want := int64(0)
			if at > 0 {
				want = (at-1)/int64(tick) + 1
			}
			require.Equal(t, want, w.ticksUp(at), "tick %v, at %d", tick, at)
		}
		for _, near := range []int64{0, int64(tick), 1000 * int64(tick), never / int64(tick) * int64(tick)} {
			for d := int64(-3); d <= 3; d++ {
				check(near + d)
			}
		}
		for range 1000 {
			check(rng.Int64() >> rng.IntN(63))
			check(rng.Int64N(never/int64(tick)) * int64(tick))
		}
		check(never)
		check(math.MinInt64)
	}
}

// Promise 13.11: the very deadline beside a word may be that of a move that failed, or of another at the
// same time. It counts only in the word's tick.
func TestTheDeadlineBesideAWordIsCheckedAgainstIt(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := newTestWheel(t, Options{})
		tm := w.Alloc(func(Timer) {})
		for range 3 {
			require.NoError(t, tm.Register(time.Hour+1))
		}
		when := func() time.Duration {
			at, _ := tm.When()
			return time.Until(at)
		}
		require.Equal(t, time.Hour+1, when())
		for _, other := range []time.Duration{0, time.Second, time.Hour, time.Hour + time.Millisecond + 1} {
			tm.word().exact.Store(w.elapsed() + int64(other))
			require.Equal(t, time.Hour+time.Millisecond, when(), "the end of the word's tick, not %v", other)
		}
	})
}

// Promises 2.20 and 3.3: what lies beside a word may be the time of a call that failed, and be over. A Reduce
// that meets it does not take it for a deadline that is over: the timer stays in its bucket.
func TestReduceTakesNoTimeThatIsOver(t *testing.T) {
	const tick = time.Second
	guarded(t, func(t *testing.T) {
		w := newTestWheel(t, Options{Tick: tick})
		var fired atomic.Int64
		begin := time.Now()
		tm := w.Alloc(func(Timer) { fired.Store(int64(time.Since(begin))) })
		for range 3 {
			require.NoError(t, tm.Register(900*time.Millisecond))
		}
		time.Sleep(tick / 2)
		sh := tm.shard()
		sh.lock()
		i, s := sh.lookup(tm)
		tm.word().exact.Store(int64(tick / 5))
		sh.closeWord(i, s)
		sh.reduceClosed(i, s, int64(800*time.Millisecond), w.elapsed())
		sh.unlockArmed(i, s)
		synctest.Wait()
		require.Zero(t, fired.Load(), "it is early")
		time.Sleep(tick)
		synctest.Wait()
		require.EqualValues(t, tick, fired.Load())
	})
}

// Promise 13.11: a timer that the wheel could not look at for longer than words reach is due when it can.
func TestAMovedTimerSurvivesALongBlock(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := newTestWheel(t, Options{Tick: time.Microsecond, MaxWorkers: 1})
		gate, open := newGate(t)
		w.AfterFunc(0, func() { <-gate })
		time.Sleep(time.Millisecond)
		var fired atomic.Int32
		tm := w.Alloc(func(Timer) { fired.Add(1) })
		for range 3 {
			require.NoError(t, tm.Register(time.Second))
		}
		time.Sleep(ticksMask * time.Microsecond)
		w.AfterFunc(time.Hour, func() {}) // words reach from now
		open()
		time.Sleep(time.Millisecond)
		require.EqualValues(t, 1, fired.Load())
	})
}
