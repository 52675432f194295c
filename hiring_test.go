package timerwheel_test

import (
	"context"
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

// Contract 2, Options: "MaxWorkers: most handlers running at once; 0 means a documented
// default", which is 256.
func TestMaxWorkersIsTheMostHandlersRunningAtOnce(t *testing.T) {
	for _, c := range []struct{ option, most int }{{1, 1}, {2, 2}, {7, 7}, {300, 300}, {0, 256}} {
		t.Run(fmt.Sprint(c.option), func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{MaxWorkers: c.option})
				h := parkHandler(t)
				for range c.most + 5 {
					w.AfterFunc(time.Millisecond, h.run)
				}
				elapse(time.Minute)
				require.EqualValues(t, c.most, h.started.Load())
				stats := w.Stats()
				require.Equal(t, c.most, stats.Running)
				require.Equal(t, 5, stats.Pending, "the others wait")
				require.Len(t, w.Running(), c.most)
				h.release()
				elapse(time.Second)
				require.EqualValues(t, c.most+5, h.started.Load())
				require.Zero(t, w.Stats().Live)
			})
		})
	}
}

// Contract 2: "MaxWorkers: most handlers running at once; 0 means a documented default",
// 256: and, while there is need, that many do run.
func TestAsManyHandlersRunAsThereAreWorkers(t *testing.T) {
	for workers, want := range map[int]int{0: 256, 1: 1, 2: 2, 17: 17, 1000: 1000} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{MaxWorkers: workers})
				release := openedAtTheEnd(t)
				for range want + 100 {
					w.AfterFunc(time.Millisecond, func() { <-release })
				}
				time.Sleep(3 * time.Millisecond) // a free worker is at most two ticks away
				require.Equal(t, want, w.Stats().Running)
				time.Sleep(time.Hour)
				require.Equal(t, want, w.Stats().Running)
				require.Len(t, w.Running(), want)
				require.Equal(t, 100, w.Stats().Pending)
				close(release)
				time.Sleep(time.Second)
				require.EqualValues(t, want+100, w.Stats().Fired)
			})
		})
	}
}

// Contract 2 on real goroutines: MaxWorkers is never exceeded, whatever way the handlers
// end, whatever races with them.
func TestMaxWorkersIsNeverExceeded(t *testing.T) {
	for _, workers := range []int{1, 2, 3} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			w := openWheel(t, timerwheel.Options{MaxWorkers: workers, OnPanic: func(timerwheel.HandlerPanic) {}})
			var flying, most atomic.Int32
			var left, callers sync.WaitGroup
			timers := 3000
			if testing.Short() {
				timers = 500
			}
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
						if n := len(w.Running()); n > workers {
							t.Errorf("%d running", n)
							return
						}
					}
				})
			}
			callers.Wait()
			left.Wait()
			require.LessOrEqual(t, int(most.Load()), workers)
			countsAddUp(t, w)
		})
	}
}

// blocker is a timer of a test about blocking: its handler begins after its delay and lasts
// for a while.
type blocker struct{ delay, lasts time.Duration }

// Contract 11: "a handler that blocks delays no other timer by more than a tick, as long as
// fewer than MaxWorkers handlers block"; Contract 3: "never before d has passed", and
// "while a worker is free, at most two ticks … after it". In a bubble the scheduler's delay
// is nothing.
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
		{"a storm without a blocker", 2, quick(5000, tick)},
		{"a storm behind blockers", 8, append(repeat(7, blocker{tick, long}), quick(5000, 2*tick)...)},
	}
	for _, c := range cases {
		for _, tick := range []time.Duration{tick, 100 * time.Microsecond} {
			t.Run(fmt.Sprintf("%s/tick %v", c.name, tick), func(t *testing.T) {
				guarded(t, func(t *testing.T) {
					w := openWheel(t, timerwheel.Options{MaxWorkers: c.workers, Tick: tick})
					begin := time.Now()
					began := make([]time.Duration, len(c.timers))
					for i, b := range c.timers {
						began[i] = -1
						w.AfterFunc(b.delay, func() {
							began[i] = time.Since(begin)
							time.Sleep(b.lasts)
						})
					}
					time.Sleep(6 * long)
					require.NoError(t, w.Close())
					for i, b := range c.timers {
						require.GreaterOrEqual(t, began[i], b.delay, "timer %d of %d began early, or never", i, len(c.timers))
						require.LessOrEqual(t, began[i], b.delay+2*tick, "timer %d of %d began late", i, len(c.timers))
					}
					require.LessOrEqual(t, w.Stats().MaxLate, 2*tick)
				})
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

// Contract 11, the same where the blocked handlers wait for what other timers do: a chain
// of timers, each armed and awaited by the one before.
func TestAHandlerMayWaitForAnotherTimer(t *testing.T) {
	for _, d := range []time.Duration{0, time.Millisecond, time.Minute} {
		t.Run(d.String(), func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				const depth = 20
				w := openWheel(t, timerwheel.Options{MaxWorkers: depth})
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
		})
	}
}

// Contract 3: "while a worker is free, at most two ticks plus the scheduler's delay" late.
// A worker is not free, but others are, while it waits for a user's lock, and while it is
// in an OnPanic that blocks.
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
					var ran atomic.Int32
					var latest atomic.Int64
					for range 100 {
						w.AfterFunc(time.Millisecond, func() {
							ran.Add(1)
							d := int64(time.Since(begin))
							for m := latest.Load(); d > m && !latest.CompareAndSwap(m, d); m = latest.Load() {
							}
						})
					}
					time.Sleep(time.Second)
					s := w.Stats()
					l.Unlock()
					close(resume)
					require.EqualValues(t, 100, ran.Load())
					require.Zero(t, s.Running)
					require.LessOrEqual(t, time.Duration(latest.Load()), 3*time.Millisecond, "one was more than two ticks late, with a worker free")
					time.Sleep(time.Second)
					require.EqualValues(t, 100+workers-1, w.Stats().Fired)
				})
			})
		}
	}
}

// Contract 11: "When all are blocked, due timers wait, still deletable, and Stats … say
// so." Contract 1: "Due but not begun is still pending."
func TestWhenAllWorkersAreBlockedDueTimersWait(t *testing.T) {
	for _, workers := range []int{1, 3} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{MaxWorkers: workers})
				release := openedAtTheEnd(t)
				for range workers {
					w.AfterFunc(0, func() { <-release })
				}
				time.Sleep(10 * time.Millisecond)
				require.Len(t, w.Running(), workers)

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
				g := w.NewGroup()
				member := armed(g.Alloc(handler), time.Millisecond)
				time.Sleep(time.Hour)

				s := w.Stats()
				require.Equal(t, workers, s.Running)
				require.Equal(t, len(timers)+1, s.Pending)
				require.EqualValues(t, workers, s.Fired)
				for _, tm := range append(timers, member) {
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

				pending := timerwheel.Found{Pending: true}
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				deletions := []func() (timerwheel.Found, error){
					func() (timerwheel.Found, error) { return timers[0].Del(), nil },
					timers[1].DelSync, timers[2].ShutdownSync, g.DelSync,
					func() (timerwheel.Found, error) { return timers[3].DelSyncContext(ctx) },
					func() (timerwheel.Found, error) { return timers[4].DelAsync(func() {}), nil },
				}
				for i, del := range deletions {
					found, err := del()
					require.NoError(t, err, "deletion %d", i)
					require.Equal(t, pending, found, "deletion %d", i)
				}
				require.True(t, timers[5].Stop())
				require.True(t, timers[6].Reset(time.Hour), "moved: no longer in line")
				require.NoError(t, timers[7].Free(), "freed: it fires all the same")
				require.NoError(t, timers[8].Reduce(time.Minute), "later, so it changes nothing")
				require.Equal(t, 14, w.Stats().Pending)

				close(release)
				time.Sleep(2 * time.Millisecond)
				require.EqualValues(t, 13, ran.Load(), "all but the deleted ones and the one that was moved")
				require.LessOrEqual(t, int(most.Load()), workers)
				require.GreaterOrEqual(t, w.Stats().MaxLate, time.Hour-2*time.Millisecond)
				require.False(t, timers[7].Valid())
				time.Sleep(time.Hour)
				require.EqualValues(t, 14, ran.Load())
				require.Zero(t, w.Stats().Workers)
				countsAddUp(t, w)
			})
		})
	}
}

// Contract 1: "Due but not begun is still pending."
func TestDueButNotBegunIsStillPending(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{MaxWorkers: 1})
		busy := parkHandler(t)
		w.AfterFunc(0, busy.run)
		elapse(time.Second)
		require.EqualValues(t, 1, busy.started.Load())

		var log firingLog
		tm := w.Alloc(log.run)
		require.NoError(t, tm.Register(time.Millisecond))
		elapse(time.Hour)
		require.True(t, tm.Pending())
		require.False(t, tm.Running())
		when, ok := tm.When()
		require.True(t, ok)
		require.True(t, when.Before(time.Now()))
		require.True(t, tm.Stop(), "and can still be removed")
		busy.release()
		elapse(time.Hour)
		require.Zero(t, log.len())
	})
}

// Contract 3: the same for timers that are due and in line to run: "the old deadline never
// fires", though it has come. Contract 4: Del "works on a timer that is due and in line to
// run".
func TestTimerInLineToRunCanBeMoved(t *testing.T) {
	const tick = time.Millisecond
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{Tick: tick, MaxWorkers: 1})
		h := parkHandler(t)
		type inLine struct {
			tm  timerwheel.Timer
			log firingLog
			due time.Time // anew; zero: not any more
		}
		timers := make([]inLine, 200)
		for i := range timers {
			x := &timers[i]
			x.tm = w.Alloc(func(tm timerwheel.Timer) {
				x.log.run(tm)
				h.run()
			})
			require.NoError(t, x.tm.Register(5*tick))
		}
		elapse(time.Second)
		require.EqualValues(t, 1, h.started.Load(), "one runs, and all the others are in line behind it")
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
		h.release()
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
