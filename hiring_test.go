package timerwheel_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
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
			var flying atomic.Int32
			var left, callers sync.WaitGroup
			timers := raceRounds(1000)
			var l sync.Mutex
			for c := range 3 {
				left.Add(timers)
				callers.Go(func() {
					for i := range timers {
						handler := func(timerwheel.Timer) {
							defer left.Done()
							assert.LessOrEqual(t, int(flying.Add(1)), workers)
							defer flying.Add(-1)
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
		})
	}
}

// blocker is a timer of a test about blocking: its handler begins after its delay and lasts
// for a while.
type blocker struct{ delay, lasts time.Duration }

// Promise 11.7. In a bubble the scheduler's delay is zero.
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

func repeat(n int, b blocker) []blocker { return slices.Repeat([]blocker{b}, n) }

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

// Promises 3.3 and 11.7. A worker that waits for a user's lock, or is in an Unlock or OnPanic that
// blocks, is not free, but the others are.
func TestWorkersBlockedOutsideHandlersDelayNoOtherTimer(t *testing.T) {
	for way, block := range map[string]func(*timerwheel.Wheel, *lockProbe){
		"in a user's Lock": func(w *timerwheel.Wheel, l *lockProbe) { armed(w.AllocLocked(l, delIgnore), time.Millisecond) },
		"in a user's Unlock": func(w *timerwheel.Wheel, l *lockProbe) {
			unlocks := &hookedLock{durableLock: newDurableLock(), onUnlock: func() { l.Lock(); defer l.Unlock() }}
			armed(w.AllocLocked(unlocks, delIgnore), time.Millisecond)
		},
		"in OnPanic": func(w *timerwheel.Wheel, _ *lockProbe) {
			w.AfterFunc(time.Millisecond, func() { panic("on purpose") })
		},
	} {
		for _, workers := range []int{2, 4, 16, 64} {
			var l *lockProbe
			o := timerwheel.Options{MaxWorkers: workers, OnPanic: func(timerwheel.HandlerPanic) {
				l.Lock()
				defer l.Unlock()
			}}
			bubble(t, fmt.Sprintf("%s/all but one of %d", way, workers), o, func(t *testing.T, w *timerwheel.Wheel) {
				timerwheel.LeaveUnwatched(w)
				l = newLockProbe(t)
				l.take()
				for range workers - 1 {
					block(w, l)
				}
				begin := time.Now()
				var ran atomic.Int32
				for range 100 {
					w.AfterFunc(time.Millisecond, func() {
						ran.Add(1)
						assert.LessOrEqual(t, time.Since(begin), 3*time.Millisecond, "more than two ticks late, with a worker free")
					})
				}
				elapse(time.Second)
				require.EqualValues(t, 100, ran.Load())
				require.Zero(t, w.Stats().Running)
				l.drop()
				elapse(time.Second)
				require.EqualValues(t, 100+workers-1, w.Stats().Fired)
			})
		}
	}
}

// Promises 1.6, 3.10, 4.2 and 11.8: a timer that is due and in line can be moved, and the old deadline
// never fires, though it has come. TestDeletionOfATimerInLineWhileAllWorkersAreBlocked has the deletions.
func TestWhenAllWorkersAreBlockedDueTimersWait(t *testing.T) {
	const tick, never = time.Millisecond, time.Duration(-1)
	moves := []struct {
		name string
		move func(*testing.T, timerwheel.Timer)
		due  time.Duration // after the move
	}{
		{"nothing", func(*testing.T, timerwheel.Timer) {}, 0},
		{"Stop", func(t *testing.T, tm timerwheel.Timer) { require.True(t, tm.Stop()) }, never},
		{"RegisterAt", func(t *testing.T, tm timerwheel.Timer) {
			require.NoError(t, tm.RegisterAt(time.Now().Add(time.Minute)))
		}, time.Minute},
		{"Reset", func(t *testing.T, tm timerwheel.Timer) { require.True(t, tm.Reset(time.Hour)) }, time.Hour},
		{"out of the line and back into it", func(t *testing.T, tm timerwheel.Timer) {
			require.NoError(t, tm.Register(time.Hour))
			require.NoError(t, tm.Reduce(0))
		}, 0},
		{"Reduce to later changes nothing", func(t *testing.T, tm timerwheel.Timer) { require.NoError(t, tm.Reduce(time.Hour)) }, 0},
		{"freed: it fires all the same", func(t *testing.T, tm timerwheel.Timer) { require.NoError(t, tm.Free()) }, 0},
	}
	for _, workers := range []int{1, 3} {
		bubble(t, fmt.Sprint(workers), timerwheel.Options{Tick: tick, MaxWorkers: workers}, func(t *testing.T, w *timerwheel.Wheel) {
			p := newPuppet(t)
			var behindItself firingLog
			running := w.Alloc(func(tm timerwheel.Timer) {
				behindItself.run(tm)
				p.handle(tm)
			})
			startRun(t, running)
			for range workers - 1 {
				startRun(t, w.Alloc(p.handle))
			}
			require.NoError(t, running.Register(0))
			var flying atomic.Int32
			const timers = 210
			logs := make([]firingLog, timers)
			var inLine []timerwheel.Timer
			due := time.Now().Add(tick)
			for i := range timers {
				handler := func(tm timerwheel.Timer) {
					logs[i].run(tm)
					assert.LessOrEqual(t, int(flying.Add(1)), workers)
					time.Sleep(time.Microsecond) // so that others could begin, if they were allowed to
					flying.Add(-1)
				}
				if i%2 == 0 {
					inLine = append(inLine, armed(w.Alloc(handler), tick))
				} else {
					inLine = append(inLine, armed(w.NewGroup().Alloc(handler), tick))
				}
			}
			elapse(time.Hour)

			s := w.Stats()
			require.Equal(t, workers, s.Running)
			require.Equal(t, timers+1, s.Pending)
			require.EqualValues(t, workers, s.Fired)
			for _, tm := range inLine {
				require.True(t, tm.Pending())
				require.False(t, tm.Running())
				when, ok := tm.When()
				require.True(t, ok)
				requireFiring(t, due, when, tick/2)
			}
			next, ok := w.Next()
			require.True(t, ok)
			require.False(t, next.After(time.Now()), "the next firing is overdue")

			moved := time.Now()
			require.NoError(t, running.RegisterAt(moved.Add(30*time.Minute)))
			for i, tm := range inLine {
				moves[i%len(moves)].move(t, tm)
			}
			elapse(time.Second)
			p.let()
			released := time.Now()
			elapse(3 * time.Hour)
			require.Len(t, behindItself.times(), 2)
			requireFiring(t, moved.Add(30*time.Minute), behindItself.times()[1], tick)
			for i, tm := range inLine {
				c := moves[i%len(moves)]
				if c.due == never {
					require.Zero(t, logs[i].len(), c.name)
					continue
				}
				require.Len(t, logs[i].times(), 1, c.name)
				want := moved.Add(max(c.due, released.Sub(moved)))
				requireFiring(t, want, logs[i].times()[0], tick)
				require.Equal(t, !strings.HasPrefix(c.name, "freed"), tm.Valid())
			}
			require.GreaterOrEqual(t, w.Stats().MaxLate, time.Hour-2*tick)
			require.Zero(t, w.Stats().Workers)
		})
	}
}

// Promises 11.7 and 11.27: busy processors make the timers behind handlers that block late, but all
// MaxWorkers get their turn.
func TestHandlersThatBlockGetWorkersBesideBusyProcessors(t *testing.T) {
	const workers = 200
	procs := runtime.GOMAXPROCS(0)
	w := openWheel(t, timerwheel.Options{MaxWorkers: workers})
	var others sync.WaitGroup
	over := make(chan struct{})
	defer others.Wait()
	stop := sync.OnceFunc(func() { close(over) })
	defer stop()
	for range 2 * procs {
		others.Go(func() {
			for done := false; !done; {
				select {
				case <-over:
					done = true
				default:
					runtime.Gosched()
				}
			}
		})
	}
	gate := make(chan struct{})
	var begun, ended sync.WaitGroup
	begun.Add(workers - 1)
	ended.Add(workers - 1)
	for k := range workers - 1 {
		w.AfterFunc(0, func() {
			defer ended.Done()
			time.Sleep(time.Duration(k%3) * 100 * time.Microsecond)
			begun.Done()
			<-gate
		})
	}
	within(t, begun.Wait)
	ran := make(chan struct{})
	w.AfterFunc(0, func() { close(ran) })
	receive(t, ran)
	close(gate)
	within(t, ended.Wait)
}
