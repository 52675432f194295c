package timerwheel_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// everywhere sums up all that pends.
func everywhere(in timerwheel.Inspection) int {
	n := in.Due + in.Held + in.Deferred
	for _, l := range in.Levels {
		for _, timers := range l.Timers {
			n += timers
		}
	}
	return n
}

// Promise 2.48: a timer stands on the level of the highest digit, to the base 64, in which its
// tick differs from the wheel's, in the bucket of that digit.
func TestInspectSeesWhereTimersStand(t *testing.T) {
	start := time.Unix(0, 0)
	w := openWheel(t, timerwheel.Options{Manual: true, Start: start})
	type bucket struct{ level, digit int }
	want := make(map[bucket][]timerwheel.Timer)
	put := func(tick int64, n int) {
		at, digit := bucket{}, tick
		for ; digit >= 64; digit /= 64 {
			at.level++
		}
		at.digit = int(digit)
		for range n {
			want[at] = append(want[at], w.AfterFunc(time.Duration(tick)*time.Millisecond, func() {}))
		}
	}
	check := func(now int64) {
		t.Helper()
		in := w.Inspect()
		span := int64(1)
		for level, l := range in.Levels {
			require.Equal(t, span, l.Span, "level %d", level)
			require.Equal(t, now/(64*span)*(64*span), l.Start, "level %d", level)
			for digit, n := range l.Timers {
				require.Equal(t, len(want[bucket{level, digit}]), n, "level %d, bucket %d", level, digit)
			}
			span *= 64
		}
		require.Equal(t, in.Stats.Pending, everywhere(in))
		require.Equal(t, w.Stats(), in.Stats)
	}

	check(0)
	for n, tick := range []int64{1, 63, 64, 65, 127, 128, 4095, 4096, 1 << 20, 1 << 30, 1 << 43} {
		put(tick, []int{1, 28, 29, 30, 57, 58, 59, 1000}[n%8]) // lists are in blocks: at their edges counting might go wrong
		check(0)
	}
	for at, timers := range want {
		rand.Shuffle(len(timers), func(i, j int) { timers[i], timers[j] = timers[j], timers[i] })
		for k, tm := range timers {
			require.True(t, tm.Stop())
			want[at] = timers[k+1:]
			if len(want[at])%29 < 2 {
				check(0)
			}
		}
	}

	// Later, a level begins elsewhere, and what is far away comes nearer.
	put(1<<20, 3)
	advanceTo(t, w, start.Add((1<<20-10)*time.Millisecond), 0)
	in := w.Inspect()
	require.EqualValues(t, 1<<20, in.Levels[3].Span*4+in.Levels[3].Start, "it is still on level 3")
	require.Equal(t, 3, in.Levels[3].Timers[4])
	for level := range in.Levels {
		require.LessOrEqual(t, in.Levels[level].Start, int64(1<<20-10))
	}
	advanceTo(t, w, start.Add((1<<20+10)*time.Millisecond), 3)
	clear(want)
	check(1<<20 + 10)
}

// Promise 2.48: timers that are due are on no level. They are in line for a worker, held back by
// their own run or by their lock, or left to the next Advance.
func TestInspectSeesWhatIsOnNoLevel(t *testing.T) {
	bubble(t, "", timerwheel.Options{MaxWorkers: 3}, func(t *testing.T, w *timerwheel.Wheel) {
		end, lock := openedAtTheEnd(t), newDurableLock()
		lock.Lock()
		again := armed(w.Alloc(func(timerwheel.Timer) { <-end }), 0)
		synctest.Wait()
		require.NoError(t, again.Register(0)) // held by its own run
		require.NoError(t, w.AllocLocked(lock, func(timerwheel.Timer) {}).Register(0))
		elapse(time.Second)
		require.Equal(t, 2, w.Inspect().Held)
		w.AfterFunc(0, func() { <-end }) // the last worker
		time.Sleep(time.Second)
		for range 40 {
			w.AfterFunc(0, func() {})
		}
		time.Sleep(time.Second)
		in := w.Inspect()
		require.Equal(t, 2, in.Stats.Running)
		require.Equal(t, 2, in.Held)
		require.Equal(t, 40, in.Due, "in buckets that no worker empties, because all are busy")
		require.Equal(t, 42, everywhere(in))
		require.Zero(t, in.Deferred)
		close(end)
		lock.Unlock()
		time.Sleep(time.Second)
		require.Zero(t, everywhere(w.Inspect()))
	})

	w := openManual(t, time.Millisecond)
	var within timerwheel.Inspection
	for range 3 {
		w.AfterFunc(time.Second, func() {
			w.AfterFunc(0, func() {})
			within = w.Inspect()
		})
	}
	advanceTo(t, w, manualStart.Add(time.Minute), 3)
	require.Equal(t, 3, within.Deferred)
	require.Equal(t, 3, everywhere(within))
	require.Zero(t, w.Inspect().Deferred)
	advanceTo(t, w, w.Now(), 3)

	var due []int // of three in one tick, those that have not begun
	for range 3 {
		w.AfterFunc(time.Second, func() { due = append(due, w.Inspect().Due) })
	}
	advanceTo(t, w, manualStart.Add(2*time.Minute), 3)
	require.Equal(t, []int{2, 1, 0}, due)
}

// Promise 2.48: a goroutine waits for a's handler, which waits for b's. Beside that chain there
// are a DelAsync and the deletion of a group.
func TestInspectSeesWhoWaitsForWhom(t *testing.T) {
	bubble(t, "", timerwheel.Options{Debug: true}, func(t *testing.T, w *timerwheel.Wheel) {
		require.Empty(t, w.Inspect().Runs)
		end := openedAtTheEnd(t)
		g := w.NewGroup()
		b := g.Alloc(func(timerwheel.Timer) { <-end })
		allocated := siteAfter()
		a := w.Alloc(func(timerwheel.Timer) { _, _ = b.DelSync() })
		registered := siteAfter()
		require.NoError(t, a.Register(2*time.Second))
		require.NoError(t, b.Register(time.Second))
		begun := w.Now()
		time.Sleep(3 * time.Second)

		var outside string
		waited := inBackground(func() {
			outside = goroutineName()
			_, _ = a.DelSync()
		})
		time.Sleep(time.Second)
		b.DelAsync(func() {})
		time.Sleep(time.Second)
		grouped := inBackground(func() { _, _ = g.DelSync() })
		synctest.Wait()

		in := w.Inspect()
		require.Len(t, in.Runs, 2)
		ofB, ofA := in.Runs[0], in.Runs[1]
		require.Equal(t, b, ofB.Timer)
		require.Equal(t, begun.Add(time.Second), ofB.Since)
		require.Contains(t, ofB.Handler, "TestInspectSeesWhoWaitsForWhom.func")
		require.Contains(t, ofB.Handler, "inspect_test.go:")
		require.Equal(t, 3, ofB.Waiters)
		require.Nil(t, ofB.Waiting)

		at := func(what string, x timerwheel.WaitInfo) {
			function, line, _ := strings.Cut(x.At, " ")
			require.Contains(t, function, "TestInspectSeesWhoWaitsForWhom.func", what)
			require.Regexp(t, `^inspect_test\.go:\d+$`, filepath.Base(line), what)
		}
		at("in a handler", *ofA.Waiting)
		at("a goroutine", ofA.Waits[0])
		at("a DelAsync", ofB.Waits[1])
		at("of a group", ofB.Waits[2])
		require.Contains(t, ofA.Waiting.At, allocated, "one line allocates a, and deletes b in its handler")

		fromA := timerwheel.WaitInfo{Goroutine: ofA.Goroutine, Since: begun.Add(2 * time.Second), At: ofA.Waiting.At}
		require.Equal(t, a, ofA.Timer)
		require.Equal(t, &fromA, ofA.Waiting)
		require.Equal(t, []uint64{ofB.Goroutine}, ofA.WaitsFor)
		require.Empty(t, ofB.WaitsFor)
		require.Equal(t, 1, ofA.Waiters)
		require.Equal(t, begun.Add(3*time.Second), ofA.Waits[0].Since)
		require.Equal(t, allocated, filepath.Base(ofA.AllocatedAt))
		require.Equal(t, registered, filepath.Base(ofA.RegisteredAt))

		require.Equal(t, fromA, ofB.Waits[0])
		require.Equal(t, timerwheel.WaitInfo{Since: begun.Add(4 * time.Second), At: ofB.Waits[1].At, Async: true}, ofB.Waits[1])
		require.True(t, ofB.Waits[2].Group)
		require.NotZero(t, ofB.Waits[2].Goroutine)
		require.NotContains(t, []uint64{ofA.Goroutine, ofB.Goroutine}, ofB.Waits[2].Goroutine)

		close(end)
		<-waited
		<-grouped
		require.Equal(t, fmt.Sprintf("goroutine %d", ofA.Waits[0].Goroutine), outside)
		require.Empty(t, w.Inspect().Runs)
	})
}

// Promise 2.48: of very many the oldest are listed, and the others are counted.
func TestInspectSeesTheOldestOfManyRunsAndWaits(t *testing.T) {
	const runs, waits = 300, 1000
	bubble(t, "", timerwheel.Options{MaxWorkers: runs}, func(t *testing.T, w *timerwheel.Wheel) {
		end := openedAtTheEnd(t)
		oldest := armed(w.Alloc(func(timerwheel.Timer) { <-end }), 0)
		for k := range runs - 1 {
			w.AfterFunc(time.Duration(k+1)*10*time.Millisecond, func() { <-end })
		}
		time.Sleep(time.Minute)
		var waiters sync.WaitGroup
		for range waits {
			waiters.Go(func() { _, _ = oldest.DelSync() })
		}
		synctest.Wait()

		in := w.Inspect()
		require.Equal(t, runs, in.Stats.Running)
		require.Len(t, in.Runs, 256)
		require.Equal(t, oldest, in.Runs[0].Timer)
		require.Equal(t, waits, in.Runs[0].Waiters)
		require.Len(t, in.Runs[0].Waits, 16)
		for k, r := range in.Runs[1:] {
			require.Equal(t, 10*time.Millisecond, r.Since.Sub(in.Runs[k].Since).Round(10*time.Millisecond), "run %d", k)
		}
		close(end)
		waiters.Wait()
	})
}

// Promise 2.48: every timer is counted once, however many share a bucket or are spread over the
// levels. That none is walked for it, TestCountWalksNoList shows.
func TestInspectCountsManyTimers(t *testing.T) {
	const n = 20_000
	for name, d := range map[string]func(k int) time.Duration{
		"one bucket": func(int) time.Duration { return 24 * time.Hour },
		"spread":     func(k int) time.Duration { return time.Hour + time.Second<<(k%33) + time.Duration(k)*time.Second },
	} {
		t.Run(name, func(t *testing.T) {
			w := openWheel(t, timerwheel.Options{})
			for k := range n {
				w.AfterFunc(d(k), func() {})
			}
			require.Equal(t, n, everywhere(w.Inspect()))
		})
	}
}

// Promise 2.48: while all moves, every look is sound: what stays is in it, and the counts add up.
func TestInspectUnderRaces(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Tick: time.Microsecond * 100, Debug: true})
	end := openedAtTheEnd(t)
	parked := armed(w.Alloc(func(timerwheel.Timer) { <-end }), 0)
	eventually(t, "it runs", parked.Running)
	waited := inBackground(func() { _, _ = parked.DelSync() })
	eventually(t, "its deletion waits", func() bool { return w.Running()[0].Waiters == 1 })

	storm(t, stormTime(), 4, func(i int) {
		if i > 0 {
			tm := w.Alloc(func(timerwheel.Timer) { time.Sleep(rand.N(100 * time.Microsecond)) })
			_ = tm.Register(rand.N(time.Millisecond))
			if rand.IntN(2) == 0 {
				time.Sleep(rand.N(time.Millisecond))
			}
			ctx, cancel := context.WithTimeout(t.Context(), rand.N(200*time.Microsecond))
			_, _ = tm.DelSyncContext(ctx)
			cancel()
			_ = tm.Free()
			return
		}
		in := w.Inspect()
		assert.Empty(t, lawBroken(in.Stats), "%+v", in.Stats)
		assert.Equal(t, parked, in.Runs[0].Timer)
		assert.Len(t, in.Runs[0].Waits, 1)
		goroutines := map[uint64]bool{}
		for _, r := range in.Runs {
			assert.False(t, goroutines[r.Goroutine], "a goroutine runs one handler")
			goroutines[r.Goroutine] = true
			assert.Contains(t, r.Handler, "TestInspectUnderRaces")
		}
	})
	close(end)
	receive(t, waited)
}

// Promise 2.48.
func TestInspectOfOptionsNextAndTheEnd(t *testing.T) {
	bubble(t, "", timerwheel.Options{MaxWorkers: 7, OnPanic: func(timerwheel.HandlerPanic) {}, Debug: true, OnMisuse: func(error) {}}, func(t *testing.T, w *timerwheel.Wheel) {
		made := w.Now()
		time.Sleep(time.Hour)
		in := w.Inspect()
		require.Equal(t, made, in.Start)
		require.Equal(t, made.Add(time.Hour), in.Now)
		require.True(t, in.Next.IsZero())
		require.False(t, in.Closed)
		require.NotNil(t, in.Options.OnPanic)
		require.NotNil(t, in.Options.OnMisuse)
		in.Options.OnPanic, in.Options.OnMisuse = nil, nil
		require.Equal(t, timerwheel.Options{Tick: time.Millisecond, MaxWorkers: 7, StallAfter: time.Second, StallStacks: 1000, Debug: true, DebugEvery: 1}, in.Options)

		require.Zero(t, in.Stats.Misuses)
		require.ErrorIs(t, w.AfterFunc(time.Minute, func() {}).Free(), timerwheel.ErrFreed)
		synctest.Wait()
		in = w.Inspect()
		require.EqualValues(t, 1, in.Stats.Misuses)
		require.Len(t, in.Misuses, 1)
		require.ErrorIs(t, in.Misuses[0].Err, timerwheel.ErrFreed)
		require.Equal(t, 1, in.Misuses[0].Timers)
		require.Contains(t, in.Misuses[0].AllocatedAt, "inspect_test.go:")
		require.Equal(t, in.Now, in.Misuses[0].At)

		w.AfterFunc(time.Second, func() {})
		next, ok := w.Next()
		require.True(t, ok)
		require.Equal(t, next, w.Inspect().Next)
		require.NoError(t, w.Close())
		in = w.Inspect()
		require.True(t, in.Closed)
		require.True(t, in.Next.IsZero())
		require.Zero(t, everywhere(in))
	})

	start := time.Unix(1, 2)
	manual := openWheel(t, timerwheel.Options{Manual: true, Start: start, Tick: time.Second, StallAfter: time.Hour, Debug: true})
	require.Equal(t, timerwheel.Options{
		Manual: true, Start: start, Tick: time.Second, StallAfter: time.Hour, StallStacks: 1000, Debug: true, DebugEvery: 1, MaxWorkers: 256,
	}, manual.Inspect().Options)
}

// Promise 2.48: DueSince is the deadline of the timer that has waited longest for a worker, whether few
// or many are due; one that waits for its own run does not count.
func TestInspectSaysSinceWhenTimersAreDue(t *testing.T) {
	for _, n := range []int{0, 1, 5000} {
		bubble(t, "", timerwheel.Options{MaxWorkers: 1}, func(t *testing.T, w *timerwheel.Wheel) {
			end := make(chan struct{})
			blocking := w.Alloc(func(timerwheel.Timer) { <-end })
			armed(blocking, 0)
			synctest.Wait()
			start := time.Now()
			armed(blocking, time.Millisecond)
			armed(w.Alloc(delIgnore), time.Minute)
			for k := range n {
				armed(w.Alloc(delIgnore), time.Second+time.Duration(k)*time.Microsecond)
			}
			require.Zero(t, w.Inspect().DueSince, "nothing is due yet")
			time.Sleep(30 * time.Second)
			in := w.Inspect()
			require.Equal(t, 1+n, in.Stats.Due)
			if n == 0 {
				require.Zero(t, in.DueSince)
			} else {
				require.Equal(t, start.Add(time.Second), in.DueSince)
			}
			close(end)
		})
	}
}
