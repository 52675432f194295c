package timerwheel_test

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Promise 2.4. While there is need, that many do run; the default is 256.
func TestMaxWorkersIsTheMostHandlersRunningAtOnce(t *testing.T) {
	for _, c := range []struct{ option, most int }{{1, 1}, {2, 2}, {17, 17}, {300, 300}, {0, 256}} {
		bubble(t, fmt.Sprint(c.option), timerwheel.Options{MaxWorkers: c.option}, func(t *testing.T, w *timerwheel.Wheel) {
			p := newPuppet(t)
			for range c.most + 100 {
				w.AfterFunc(time.Millisecond, func() { p.handle(timerwheel.Timer{}) })
			}
			for _, d := range []time.Duration{3 * time.Millisecond, time.Hour} { // a free worker is at most two ticks away
				elapse(d)
				require.EqualValues(t, c.most, p.begun.Load())
				stats := w.Stats()
				require.Equal(t, c.most, stats.Running)
				require.Equal(t, 100, stats.Pending, "the others wait")
				require.Len(t, w.Running(), c.most)
			}
			p.let()
			elapse(time.Second)
			require.EqualValues(t, c.most+100, w.Stats().Fired)
			require.Zero(t, w.Stats().Live)
		})
	}
}

// Promise 2.4 on real goroutines: MaxWorkers is never exceeded, whatever way the handlers
// end, whatever races with them.
func TestMaxWorkersIsNeverExceeded(t *testing.T) {
	for _, workers := range []int{1, 2, 3} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			w := openWheel(t, timerwheel.Options{MaxWorkers: workers, OnPanic: func(timerwheel.HandlerPanic) {}})
			var flying, most atomic.Int32
			var left, callers sync.WaitGroup
			timers := raceRounds(1000)
			var l sync.Mutex
			for c := range 3 {
				left.Add(timers)
				callers.Go(func() {
					for i := range timers {
						handler := func(timerwheel.Timer) {
							defer left.Done()
							n := flying.Add(1)
							defer flying.Add(-1)
							for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
							}
							runtime.Gosched()
							switch i % 16 {
							case 0:
								runtime.Goexit()
							case 1:
								panic("on purpose")
							}
						}
						d := time.Duration(i%20) * time.Millisecond
						if c == 0 && i%3 == 0 {
							armed(w.AllocLocked(&l, handler), d)
						} else {
							w.AfterFunc(d, func() { handler(timerwheel.Timer{}) })
						}
						assert.LessOrEqual(t, len(w.Running()), workers)
					}
				})
			}
			within(t, callers.Wait)
			within(t, left.Wait)
			require.LessOrEqual(t, int(most.Load()), workers)
		})
	}
}

// blocker is a timer of a test about blocking: its handler begins after its delay and lasts
// for a while.
type blocker struct{ delay, lasts time.Duration }

// Promises 3.3 and 11.7. In a bubble the scheduler's delay is zero.
func TestHandlersThatBlockDelayNoOtherTimer(t *testing.T) {
	const tick, long = time.Millisecond, time.Hour
	quick := func(n int, delay time.Duration) []blocker { return repeat(n, blocker{delay, 0}) }
	cases := []struct {
		name    string
		workers int
		timers  []blocker
	}{
		{"one in front", 2, append([]blocker{{tick, long}}, quick(200, tick)...)},
		{"one behind", 2, append(quick(200, tick), blocker{tick, long})},
		{"all but one at one instant, 4", 4, append(repeat(3, blocker{tick, long}), quick(50, tick)...)},
		{"all but one at one instant, 16", 16, append(repeat(15, blocker{10 * tick, long}), quick(50, 10*tick)...)},
		{"all but one at one instant, 64", 64, append(repeat(63, blocker{tick, long}), quick(200, tick)...)},
		{"all but one of the default at one instant", 0, append(repeat(255, blocker{tick, long}), quick(100, tick)...)},
		{"as many as there are workers", 32, repeat(32, blocker{tick, long})},
		{"due at once", 16, append(repeat(15, blocker{0, long}), quick(50, 0)...)},
		{"mixed at one instant", 16, interleave(repeat(15, blocker{5 * tick, long}), quick(300, 5*tick))},
		{"one each tick", 32, interleave(staircase(31, tick, long), staircase(200, tick/4, 0))},
		{"one every tenth of a tick", 32, interleave(staircase(31, tick/10, long), staircase(200, tick/10, 0))},
		{"in waves", 8, interleave(append(append(repeat(7, blocker{0, 9 * tick}), repeat(7, blocker{20 * tick, 9 * tick})...),
			repeat(7, blocker{40 * tick, 9 * tick})...), staircase(300, tick/5, 0))},
		{"handlers longer than a tick", 64, staircase(300, tick, 20*tick)},
		{"as many as there are workers, each for a tenth of a tick", 64, repeat(64, blocker{tick, tick / 10})},
		{"as many as there are workers, each for nearly half a tick", 64, repeat(64, blocker{tick, tick * 45 / 100})},
		{"as many as there are workers, each for nearly a tick", 64, repeat(64, blocker{tick, tick * 95 / 100})},
		{"parts of a tick, then for long", 64, append(repeat(30, blocker{tick, tick * 3 / 10}), repeat(30, blocker{tick, long})...)},
		{"for long, then parts of a tick", 64, append(repeat(30, blocker{tick, long}), repeat(30, blocker{tick, tick * 3 / 10})...)},
		{"far apart", 3, []blocker{{0, 3 * long}, {long, long}, {2*long + tick, tick}, {2*long + tick, 0}, {2*long + 2*tick, 0}}},
		{"a storm without a blocker", 2, quick(2000, tick)},
		{"a storm behind blockers", 8, append(repeat(7, blocker{tick, long}), quick(2000, 2*tick)...)},
	}
	for _, c := range cases {
		for _, tick := range []time.Duration{tick, 100 * time.Microsecond} {
			bubble(t, fmt.Sprintf("%s/tick %v", c.name, tick), timerwheel.Options{MaxWorkers: c.workers, Tick: tick}, func(t *testing.T, w *timerwheel.Wheel) {
				begin := time.Now()
				began := make([]time.Duration, len(c.timers))
				for i, b := range c.timers {
					began[i] = -1
					w.AfterFunc(b.delay, func() {
						began[i] = time.Since(begin)
						time.Sleep(b.lasts)
					})
				}
				elapse(6 * long)
				for i, b := range c.timers {
					if began[i] < b.delay || began[i] > b.delay+2*tick {
						t.Errorf("timer %d of %d, due in %v, began at %v", i, len(c.timers), b.delay, began[i])
					}
				}
				require.LessOrEqual(t, w.Stats().MaxLate, 2*tick)
			})
		}
	}
}

func repeat(n int, b blocker) []blocker {
	bs := make([]blocker, n)
	for i := range bs {
		bs[i] = b
	}
	return bs
}

// staircase is n blockers, one every interval.
func staircase(n int, interval, lasts time.Duration) []blocker {
	bs := make([]blocker, n)
	for i := range bs {
		bs[i] = blocker{time.Duration(i) * interval, lasts}
	}
	return bs
}

// interleave deals the blockers of a out among those of b.
func interleave(a, b []blocker) []blocker {
	var all []blocker
	for i := range max(len(a), len(b)) {
		if i < len(a) {
			all = append(all, a[i])
		}
		if i < len(b) {
			all = append(all, b[i])
		}
	}
	return all
}

// Promise 11.7, where the blocked handlers wait for what other timers do: a chain of timers, each
// armed and awaited by the one before.
func TestAHandlerMayWaitForAnotherTimer(t *testing.T) {
	for _, d := range []time.Duration{0, time.Millisecond, time.Minute} {
		const depth = 20
		bubble(t, d.String(), timerwheel.Options{MaxWorkers: depth}, func(t *testing.T, w *timerwheel.Wheel) {
			var link func(n int)
			link = func(n int) {
				if n == depth {
					return
				}
				ran, armed := make(chan struct{}), time.Now()
				w.AfterFunc(d, func() {
					late := time.Since(armed) - d
					assert.True(t, 0 <= late && late <= 2*time.Millisecond, "link %d is late by %v", n, late)
					link(n + 1)
					close(ran)
				})
				<-ran
			}
			link(0)
			require.EqualValues(t, depth, w.Stats().Fired)
		})
	}
}

// Promises 3.3 and 11.7. A worker that waits for a user's lock, or is in an OnPanic that blocks, is
// not free, but the others are.
func TestWorkersBlockedOutsideHandlersDelayNoOtherTimer(t *testing.T) {
	ways := map[string]func(t *testing.T, w *timerwheel.Wheel, l durableLock){
		"in a user's Lock": func(t *testing.T, w *timerwheel.Wheel, l durableLock) {
			require.NoError(t, w.AllocLocked(l, func(timerwheel.Timer) {}).Register(time.Millisecond))
		},
		"in OnPanic": func(_ *testing.T, w *timerwheel.Wheel, _ durableLock) {
			w.AfterFunc(time.Millisecond, func() { panic("on purpose") })
		},
	}
	for way, block := range ways {
		for _, workers := range []int{2, 4, 16, 64} {
			t.Run(fmt.Sprintf("%s/all but one of %d", way, workers), func(t *testing.T) {
				guarded(t, func(t *testing.T) {
					resume := openedAtTheEnd(t)
					w, l := openWheel(t, timerwheel.Options{MaxWorkers: workers, OnPanic: func(timerwheel.HandlerPanic) { <-resume }}), newDurableLock()
					l.Lock()
					for range workers - 1 {
						block(t, w, l)
					}
					begin := time.Now()
					var ran, late atomic.Int32
					for range 100 {
						w.AfterFunc(time.Millisecond, func() {
							ran.Add(1)
							if time.Since(begin) > 3*time.Millisecond {
								late.Add(1)
							}
						})
					}
					elapse(time.Second)
					s := w.Stats()
					l.Unlock()
					close(resume)
					require.EqualValues(t, 100, ran.Load())
					require.Zero(t, s.Running)
					require.Zero(t, late.Load(), "one was more than two ticks late, with a worker free")
					elapse(time.Second)
					require.EqualValues(t, 100+workers-1, w.Stats().Fired)
				})
			})
		}
	}
}

// Promises 1.6 and 11.8. TestDeletionOfATimerInLineWhileAllWorkersAreBlocked has the deletions.
func TestWhenAllWorkersAreBlockedDueTimersWait(t *testing.T) {
	for _, workers := range []int{1, 3} {
		bubble(t, fmt.Sprint(workers), timerwheel.Options{MaxWorkers: workers}, func(t *testing.T, w *timerwheel.Wheel) {
			p := newPuppet(t)
			for range workers {
				startRun(t, w.Alloc(p.handle))
			}
			var flying, most, ran atomic.Int32
			due := time.Now().Add(time.Millisecond)
			handler := func(timerwheel.Timer) {
				most.Store(max(most.Load(), flying.Add(1)))
				ran.Add(1)
				time.Sleep(time.Microsecond) // so that others could begin, if they were allowed to
				flying.Add(-1)
			}
			var timers []timerwheel.Timer
			for range 20 {
				timers = append(timers, armed(w.Alloc(handler), time.Millisecond))
			}
			timers = append(timers, armed(w.NewGroup().Alloc(handler), time.Millisecond))
			elapse(time.Hour)

			s := w.Stats()
			require.Equal(t, workers, s.Running)
			require.Equal(t, len(timers), s.Pending)
			require.EqualValues(t, workers, s.Fired)
			for _, tm := range timers {
				require.True(t, tm.Pending())
				require.False(t, tm.Running())
				when, ok := tm.When()
				require.True(t, ok)
				require.False(t, when.Before(due))
				require.Less(t, when.Sub(due), time.Millisecond)
			}
			next, ok := w.Next()
			require.True(t, ok)
			require.False(t, next.After(time.Now()), "the next firing is overdue")

			require.True(t, timers[0].Stop())
			require.True(t, timers[1].Reset(time.Hour), "moved: no longer in line")
			require.NoError(t, timers[2].Free(), "freed: it fires all the same")
			require.NoError(t, timers[3].Reduce(time.Minute), "later, so it changes nothing")
			require.Equal(t, 20, w.Stats().Pending)

			p.let()
			elapse(2 * time.Millisecond)
			require.EqualValues(t, 19, ran.Load(), "all but the deleted one and the one that was moved")
			require.LessOrEqual(t, int(most.Load()), workers)
			require.GreaterOrEqual(t, w.Stats().MaxLate, time.Hour-2*time.Millisecond)
			require.False(t, timers[2].Valid())
			elapse(time.Hour)
			require.EqualValues(t, 20, ran.Load())
			require.Zero(t, w.Stats().Workers)
		})
	}
}

// Promises 3.10 and 4.2 for timers that are due and in line to run: the old deadline never fires,
// though it has come.
func TestTimerInLineToRunCanBeMoved(t *testing.T) {
	const tick = time.Millisecond
	bubble(t, "", timerwheel.Options{Tick: tick, MaxWorkers: 1}, func(t *testing.T, w *timerwheel.Wheel) {
		p := newPuppet(t)
		type inLine struct {
			tm  timerwheel.Timer
			log firingLog
			due time.Time // anew; zero: not any more
		}
		timers := make([]inLine, 200)
		for i := range timers {
			x := &timers[i]
			x.tm = armed(w.Alloc(func(tm timerwheel.Timer) {
				x.log.run(tm)
				p.handle(tm)
			}), 5*tick)
		}
		elapse(time.Second)
		require.EqualValues(t, 1, p.begun.Load(), "one runs, and all the others are in line behind it")
		now := time.Now()
		for i := range timers {
			x := &timers[i]
			switch {
			case x.tm.Running():
				x.due = now.Add(30 * time.Minute)
				require.NoError(t, x.tm.Register(0))
				elapse(time.Second) // in line behind itself
				require.NoError(t, x.tm.RegisterAt(x.due))
				x.log = firingLog{}
			case i%5 == 0:
				require.True(t, x.tm.Stop())
			case i%5 == 1:
				x.due = now.Add(time.Minute)
				require.NoError(t, x.tm.RegisterAt(x.due))
			case i%5 == 2:
				x.due = time.Now().Add(time.Hour)
				require.True(t, x.tm.Reset(time.Hour))
			case i%5 == 3: // out of the line and back into it
				require.NoError(t, x.tm.Register(time.Hour))
				require.NoError(t, x.tm.Reduce(0))
				x.due = time.Now()
			default:
				require.NoError(t, x.tm.Reduce(time.Hour), "later than due: nothing to reduce")
				x.due = time.Now()
			}
		}
		elapse(time.Second)
		p.let()
		released := time.Now()
		elapse(3 * time.Hour)
		for i := range timers {
			x := &timers[i]
			if x.due.IsZero() {
				require.Zero(t, x.log.len())
				continue
			}
			require.Len(t, x.log.times(), 1, "timer %d", i)
			if x.due.Before(released) {
				x.due = released
			}
			requireFiring(t, x.due, x.log.times()[0], tick)
		}
	})
}
