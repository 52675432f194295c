package timerwheel_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Contract 2: "A nil f panics here"; "A nil l panics here"; 7: "period <= 0 panics, as
// time.NewTicker does". A panic leaves nothing behind.
func TestNilAndNonsenseArgumentsPanicAtTheCall(t *testing.T) {
	f := func(timerwheel.Timer) {}
	w := openWheel(t, timerwheel.Options{})
	g := w.NewGroup()
	for name, call := range map[string]func(){
		"Alloc, nil f":             func() { w.Alloc(nil) },
		"AllocLocked, nil f":       func() { w.AllocLocked(new(sync.Mutex), nil) },
		"AllocLocked, nil l":       func() { w.AllocLocked(nil, f) },
		"AllocLocked, nil both":    func() { w.AllocLocked(nil, nil) },
		"AfterFunc, nil f":         func() { w.AfterFunc(time.Hour, nil) },
		"Every, nil f":             func() { w.Every(time.Hour, nil) },
		"Group.Alloc, nil f":       func() { g.Alloc(nil) },
		"Group.AllocLocked, nil f": func() { g.AllocLocked(new(sync.Mutex), nil) },
		"Group.AllocLocked, nil l": func() { g.AllocLocked(nil, f) },
		"Group.AfterFunc, nil f":   func() { g.AfterFunc(time.Hour, nil) },
		"Group.Every, nil f":       func() { g.Every(time.Hour, nil) },
	} {
		require.Panics(t, call, name)
	}
	for _, period := range []time.Duration{0, -1, -time.Hour, math.MinInt64} {
		for name, call := range map[string]func(){
			"Every":       func() { w.Every(period, f) },
			"Group.Every": func() { g.Every(period, f) },
		} {
			text := panicText(call)
			require.Contains(t, text, period.String(), "%s(%v) names the value", name, period)
		}
	}
	stats := w.Stats()
	stats.Bytes = 0
	require.Zero(t, stats, "nothing was allocated, armed or refused")
	require.Zero(t, g.Len())
	require.NotPanics(t, func() { require.True(t, w.AfterFunc(time.Hour, func() {}).Stop()) }, "no lock was left behind")
}

// panicText is what call panics with, as the crash would print it; empty if it does not panic.
func panicText(call func()) (text string) {
	defer func() {
		if v := recover(); v != nil {
			text = fmt.Sprint(v)
		}
	}()
	call()
	return ""
}

// Contract 2: "Alloc, AllocLocked, AfterFunc, Every: as on Wheel", misuse included.
func TestGroupMisusePanicsAsOnTheWheel(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		g := w.NewGroup()
		require.Panics(t, func() { g.Alloc(nil) })
		require.Panics(t, func() { g.AfterFunc(time.Second, nil) })
		require.Panics(t, func() { g.Every(time.Second, nil) })
		require.Panics(t, func() { g.Every(0, delIgnore) })
		require.Panics(t, func() { g.Every(-time.Second, delIgnore) })
		require.Zero(t, g.Len())
		require.Zero(t, w.Stats().Live)
	})
}

// Contract 2: "A nil l panics here", as does a nil f, on the wheel and in a group.
func TestAllocLockedOfNilPanics(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		g := w.NewGroup()
		require.Panics(t, func() { w.AllocLocked(nil, delIgnore) })
		require.Panics(t, func() { w.AllocLocked(newLockProbe(t), nil) })
		require.Panics(t, func() { g.AllocLocked(nil, delIgnore) })
		require.Panics(t, func() { g.AllocLocked(newLockProbe(t), nil) })
		require.Zero(t, w.Stats().Live)
		require.Zero(t, g.Len())
	})
}

// Contract 2: "AfterFunc = Alloc + Register + Free: recycles itself after its firing or its
// deletion".
func TestAfterFuncRecyclesItself(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, tm timerwheel.Timer){
		"firing": func(*testing.T, timerwheel.Timer) { elapse(time.Hour) },
		"Stop":   func(t *testing.T, tm timerwheel.Timer) { require.True(t, tm.Stop()) },
		"Del": func(t *testing.T, tm timerwheel.Timer) {
			found := tm.Del()
			require.Equal(t, timerwheel.Found{Pending: true}, found)
		},
		"DelSync": func(t *testing.T, tm timerwheel.Timer) {
			found, err := tm.DelSync()
			require.NoError(t, err)
			require.Equal(t, timerwheel.Found{Pending: true}, found)
		},
		"DelAsync": func(t *testing.T, tm timerwheel.Timer) {
			found := tm.DelAsync(func() {})
			require.Equal(t, timerwheel.Found{Pending: true}, found)
		},
		"Shutdown": func(t *testing.T, tm timerwheel.Timer) {
			found, err := tm.ShutdownSync()
			require.NoError(t, err)
			require.Equal(t, timerwheel.Found{Pending: true}, found)
		},
	} {
		t.Run(name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{})
				var runs atomic.Int32
				tm := w.AfterFunc(time.Minute, func() { runs.Add(1) })
				require.True(t, tm.Valid())
				require.True(t, tm.Pending())
				require.Equal(t, 1, w.Stats().Live)
				end(t, tm)
				require.False(t, tm.Valid())
				require.Zero(t, w.Stats().Live)
				elapse(time.Hour)
				if name == "firing" {
					require.EqualValues(t, 1, runs.Load())
				} else {
					require.Zero(t, runs.Load())
				}
			})
		})
	}
}

// Contract 2: "One from AfterFunc does not: it is recycled when it fires or is stopped, and
// Reset then arms nothing".
func TestResetOfASpentAfterFuncArmsNothing(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		var runs atomic.Int32
		fires := func() { runs.Add(1) }
		fired, stopped, moved := w.AfterFunc(time.Second, fires), w.AfterFunc(time.Second, fires), w.AfterFunc(time.Second, fires)
		require.True(t, stopped.Stop())
		require.True(t, moved.Reset(time.Minute), "while it pends, it moves")
		elapse(30 * time.Second)
		require.EqualValues(t, 1, runs.Load())
		for _, spent := range []timerwheel.Timer{fired, stopped} {
			require.False(t, spent.Reset(time.Second))
			require.False(t, spent.Stop())
			require.ErrorIs(t, spent.Register(time.Second), timerwheel.ErrStale)
		}
		require.Equal(t, 1, w.Stats().Pending)
		elapse(time.Hour)
		require.EqualValues(t, 2, runs.Load())
	})
}

// Contract 2, AfterFunc: while it runs it has not been recycled, so its handler, which
// knows it by the caller's word only, may arm it again.
func TestAfterFuncMayBeRegisteredWhileItRuns(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		self := make(chan timerwheel.Timer, 1)
		var runs atomic.Int32
		tm := w.AfterFunc(time.Second, func() {
			tm := <-self
			assert.True(t, tm.Valid())
			if runs.Add(1) < 3 {
				assert.NoError(t, tm.Register(time.Second))
				self <- tm
			}
		})
		self <- tm
		elapse(time.Hour)
		require.EqualValues(t, 3, runs.Load())
		require.False(t, tm.Valid())
		require.Zero(t, w.Stats().Live)
	})
}

// forEachArm runs a test for each way, in a bubble.
func forEachArm(t *testing.T, test func(t *testing.T, w *timerwheel.Wheel, arm func(time.Duration, func(any), any) timerwheel.Timer)) {
	for name, way := range arms {
		t.Run(name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w, err := timerwheel.New(way.options)
				require.NoError(t, err)
				defer func() { require.NoError(t, w.Close()) }()
				test(t, w, func(d time.Duration, f func(any), arg any) timerwheel.Timer { return way.arm(w, d, f, arg) })
			})
		})
	}
}

// AfterFuncArg calls f with its argument, once, when d has passed; nil is an
// argument as well.
func TestAfterFuncArgCallsTheFunctionWithItsArgument(t *testing.T) {
	forEachArm(t, func(t *testing.T, w *timerwheel.Wheel, arm func(time.Duration, func(any), any) timerwheel.Timer) {
		begin := time.Now()
		type call struct {
			arg any
			at  time.Duration
		}
		var calls []call
		record := func(arg any) { calls = append(calls, call{arg, time.Since(begin)}) }
		arm(time.Second, record, "one")
		arm(2*time.Second, record, nil)
		deleted := arm(time.Second, record, "never")
		require.True(t, deleted.Stop())
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, []call{{"one", time.Second}, {nil, 2 * time.Second}}, calls)
		require.Zero(t, w.Stats().Live)
	})
}

// The next tenant of a slot does not see the argument of the one before.
func TestAfterFuncArgLeavesNoArgumentToTheNextTenant(t *testing.T) {
	forEachArm(t, func(t *testing.T, w *timerwheel.Wheel, arm func(time.Duration, func(any), any) timerwheel.Timer) {
		got := make(map[any]int)
		count := func(arg any) { got[arg]++ }
		for round := range 3 {
			arm(time.Second, count, round).Stop()
			w.AfterFunc(time.Second, func() { got["plain"]++ })
			arm(time.Second, count, nil)
			arm(time.Second, count, -1-round)
			time.Sleep(2 * time.Second)
			synctest.Wait()
		}
		require.Equal(t, map[any]int{"plain": 3, nil: 3, -1: 1, -2: 1, -3: 1}, got)
	})
}

// With a pointer it allocates nothing, where a closure would.
func TestAfterFuncArgAllocatesNothing(t *testing.T) {
	w, err := timerwheel.New(timerwheel.Options{})
	require.NoError(t, err)
	defer w.Close()
	w.AfterFunc(time.Hour, func() {}) // so that the chunk is not given back each time
	conn := new(struct{ open bool })
	w.AfterFuncArg(time.Minute, closeConn, conn).Stop()
	require.Zero(t, testing.AllocsPerRun(1000, func() { w.AfterFuncArg(time.Minute, closeConn, conn).Stop() }))
	require.NotZero(t, testing.AllocsPerRun(1000, func() { w.AfterFunc(time.Minute, func() { closeConn(conn) }).Stop() }))
}

//go:noinline
func closeConn(conn any) { conn.(*struct{ open bool }).open = false }

// A nil function panics, in the caller; on a closed wheel the Timer is not
// Valid.
func TestAfterFuncArgOfNilAndOnAClosedWheel(t *testing.T) {
	forEachArm(t, func(t *testing.T, w *timerwheel.Wheel, arm func(time.Duration, func(any), any) timerwheel.Timer) {
		require.PanicsWithValue(t, "timerwheel: AfterFuncArg with a nil handler", func() { arm(0, nil, 1) })
		require.NoError(t, w.Close())
		require.False(t, arm(0, func(any) { t.Error("called") }, 1).Valid())
	})
}

// The calls that are made all the time allocate nothing, however many timers there
// are.
func TestFastPathsAllocateNothing(t *testing.T) {
	for _, others := range []int{1, 10_000} {
		w, err := timerwheel.New(timerwheel.Options{})
		require.NoError(t, err)
		defer w.Close()
		for range others {
			w.AfterFunc(time.Hour, func() {}) // and so no chunk is given back
		}
		f, g, arg := func() {}, func(timerwheel.Timer) {}, new(int)
		idle, pends, when := w.Alloc(g), w.Alloc(g), time.Now().Add(time.Hour)
		d := 2 * time.Hour
		for name, call := range map[string]func(){
			"AfterFunc, Stop":    func() { w.AfterFunc(time.Minute, f).Stop() },
			"AfterFuncArg, Stop": func() { w.AfterFuncArg(time.Minute, func(any) {}, arg).Stop() },
			"Alloc, Free":        func() { _ = w.Alloc(g).Free() },
			"Register, later":    func() { _ = pends.Register(time.Hour) },
			"Register, earlier":  func() { d -= time.Second; _ = pends.Register(d) },
			"Register, Del":      func() { _ = idle.Register(time.Minute); idle.Del() },
			"Register, DelSync":  func() { _ = idle.Register(time.Minute); _, _ = idle.DelSync() },
			"RegisterAt":         func() { when = when.Add(1); _ = pends.RegisterAt(when) },
			"Reduce":             func() { d -= time.Second; _ = pends.Reduce(d) },
			"Reset, Stop":        func() { idle.Reset(time.Minute); idle.Stop() },
			"Del, idle":          func() { idle.Del() },
			"DelSync, idle":      func() { _, _ = idle.DelSync() },
			"Retain, Free":       func() { _ = idle.Retain(); _ = idle.Free() },
			"Pending, Running":   func() { _, _ = pends.Pending(), pends.Running() },
			"When, Valid, Now":   func() { pends.When(); pends.Valid(); w.Now() },
		} {
			if n := testing.AllocsPerRun(1000, call); n != 0 {
				t.Errorf("%s, beside %d others: %v allocations", name, others, n)
			}
		}
	}
}

// Contract 1: a Timer names its wheel, too: the first timers of two wheels are not each other.
func TestHandleOfAnotherWheelIsAnotherTimer(t *testing.T) {
	a, b := openWheel(t, timerwheel.Options{}), openWheel(t, timerwheel.Options{})
	const n = 200
	ofA, ofB := make([]timerwheel.Timer, n), make([]timerwheel.Timer, n)
	for i := range n {
		ofA[i], ofB[i] = a.Alloc(func(timerwheel.Timer) {}), b.Alloc(func(timerwheel.Timer) {})
		require.NotEqual(t, ofA[i], ofB[i])
		require.NoError(t, ofA[i].Register(time.Hour))
		require.NoError(t, ofB[i].Register(time.Hour))
	}
	for _, tm := range ofA {
		require.True(t, tm.Stop())
		require.NoError(t, tm.Free())
	}
	require.Zero(t, a.Stats().Live)
	require.Equal(t, n, b.Stats().Pending)
	for _, tm := range ofA {
		requireStale(t, tm)
	}
	require.NoError(t, a.Close())
	for _, tm := range ofB {
		require.NoError(t, tm.Register(time.Minute), "closing a closes no b")
		require.True(t, tm.Stop())
		require.NoError(t, tm.Free())
	}
}

// Contract 2: "Now: the wheel's time": real time for a wheel that is not Manual, whatever
// it sleeps over.
func TestNowIsRealTime(t *testing.T) {
	const tick = 10 * time.Millisecond
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{Tick: tick})
		for _, d := range []time.Duration{0, 1, tick, time.Second, 1000 * time.Hour} {
			elapse(d)
			require.InDelta(t, 0, time.Until(w.Now()), float64(tick))
		}
		inHandler := make(chan time.Duration, 1)
		w.AfterFunc(time.Hour, func() { inHandler <- time.Until(w.Now()) })
		require.InDelta(t, 0, <-inHandler, float64(tick))
	})
	w := openWheel(t, timerwheel.Options{Tick: tick})
	last := w.Now()
	for range 1000 {
		before := time.Now()
		now := w.Now()
		require.GreaterOrEqual(t, now.Sub(before), -tick)
		require.LessOrEqual(t, time.Until(now), tick)
		require.GreaterOrEqual(t, now.Sub(last), time.Duration(0), "time goes back")
		last = now
	}
}

// Contract 2: "Next: not later than the next firing; ok is false when nothing pends". It is
// asked at random moments of a random life.
func TestNextIsNotLaterThanTheNextFiring(t *testing.T) {
	const tick = time.Millisecond
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{Tick: tick})
				rng := rand.New(rand.NewPCG(seed, 9))
				var promised atomic.Int64 // what Next said last, in nanoseconds since start
				var tooLate atomic.Int64
				start := time.Now()
				handler := func(timerwheel.Timer) {
					if since := int64(time.Since(start)); since < promised.Load() {
						tooLate.Store(promised.Load() - since)
					}
				}
				timers := make([]timerwheel.Timer, 12)
				for i := range timers {
					timers[i] = w.Alloc(handler)
				}
				for range 1500 {
					tm := timers[rng.IntN(len(timers))]
					d := time.Duration(rng.Int64N(int64(tick) << rng.IntN(20)))
					switch rng.IntN(4) {
					case 0, 1:
						require.NoError(t, tm.Register(d))
					case 2:
						require.NoError(t, tm.Reduce(d))
					case 3:
						tm.Stop()
					}
					pending, first := 0, time.Time{}
					for _, tm := range timers {
						if when, ok := tm.When(); ok {
							if pending++; pending == 1 || when.Before(first) {
								first = when
							}
						}
					}
					next, ok := w.Next()
					require.Equal(t, pending > 0, ok)
					if ok {
						promised.Store(int64(next.Sub(start)))
						require.LessOrEqual(t, next.Sub(first), 2*tick, "the wheel would sleep over its first deadline")
					} else {
						promised.Store(0)
					}
					// Up to that firing and not beyond: the next promise is for the next one.
					elapse(min(time.Duration(rng.Int64N(int64(d)+1)), max(0, time.Until(first)-1)))
					if rng.IntN(8) == 0 && pending > 0 {
						elapse(max(0, time.Until(first)) + 2*tick)
					}
				}
				require.Zero(t, tooLate.Load(), "a firing came that long before Next")
			})
		})
	}
}

// Contract 2: Next's "ok is false when nothing pends", and true for whatever pends,
// wherever the wheel keeps it.
func TestNextKnowsEveryPendingTimer(t *testing.T) {
	for _, c := range []struct {
		name string
		arm  func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer // leaves one pending timer
	}{
		{"in the future", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			return w.AfterFunc(time.Hour, func() {})
		}},
		{"never", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			return w.AfterFunc(math.MaxInt64, func() {})
		}},
		{"due, in line for a worker", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			h := parkHandler(t)
			w.AfterFunc(0, h.run)
			elapse(time.Second)
			tm := w.AfterFunc(0, func() {})
			elapse(time.Second)
			return tm
		}},
		{"due, behind its own run", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			h := parkHandler(t)
			tm := w.Alloc(func(timerwheel.Timer) { h.run() })
			require.NoError(t, tm.Register(0))
			elapse(time.Second)
			require.NoError(t, tm.Register(0))
			elapse(time.Second)
			return tm
		}},
		{"due, waiting for its lock", func(t *testing.T, w *timerwheel.Wheel) timerwheel.Timer {
			l := &bubbleLock{held: make(chan struct{}, 1)}
			l.Lock()
			t.Cleanup(l.Unlock)
			tm := w.AllocLocked(l, func(timerwheel.Timer) {})
			require.NoError(t, tm.Register(0))
			elapse(time.Second)
			return tm
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{MaxWorkers: 1})
				_, ok := w.Next()
				require.False(t, ok)
				tm := c.arm(t, w)
				require.True(t, tm.Pending())
				require.Equal(t, 1, w.Stats().Pending)
				next, ok := w.Next()
				require.True(t, ok)
				when, ok := tm.When()
				require.True(t, ok)
				switch { // what is due could begin any moment
				case when.Before(time.Now()):
					require.LessOrEqual(t, time.Until(next), time.Duration(0))
				default:
					require.LessOrEqual(t, next.Sub(when), 2*time.Millisecond)
					require.Positive(t, time.Until(next))
				}
				if c.name == "never" { // Contract 12: "Next is ok and far away"
					require.Greater(t, time.Until(next), 365*24*time.Hour)
				}
				require.True(t, tm.Stop())
				_, ok = w.Next()
				require.False(t, ok)
			})
		})
	}
}

// A bubbleLock is a lock whose waiters a bubble sees as durably blocked, which those of a
// sync.Mutex are not.
type bubbleLock struct{ held chan struct{} }

func (l *bubbleLock) Lock()   { l.held <- struct{}{} }
func (l *bubbleLock) Unlock() { <-l.held }

// Contract 2: Next is "not later than the next firing; ok is false when nothing pends". A
// timer that is due and cannot begin yet is in no slot of the wheel, but it pends, and may
// fire at any moment.
func TestNextKnowsOfTimersThatAreDueAndCannotBegin(t *testing.T) {
	cases := map[string]func(w *timerwheel.Wheel, l durableLock, release chan struct{}){
		"due again while it runs": func(w *timerwheel.Wheel, _ durableLock, release chan struct{}) {
			armed(w.Alloc(func(tm timerwheel.Timer) {
				if !isClosed(release) {
					armed(tm, 0)
					<-release
				}
			}), 0)
		},
		"its lock is taken": func(w *timerwheel.Wheel, l durableLock, _ chan struct{}) {
			armed(w.AllocLocked(l, func(timerwheel.Timer) {}), 0)
		},
		"all workers blocked": func(w *timerwheel.Wheel, _ durableLock, release chan struct{}) {
			w.AfterFunc(0, func() { <-release })
			w.AfterFunc(0, func() { <-release })
		},
	}
	for name, arrange := range cases {
		for _, farther := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/another far away: %v", name, farther), func(t *testing.T) {
				guarded(t, func(t *testing.T) {
					w, l, release := openWheel(t, timerwheel.Options{MaxWorkers: 1}), newDurableLock(), openedAtTheEnd(t)
					l.Lock()
					if farther {
						w.AfterFunc(1000*time.Hour, func() {})
					}
					arrange(w, l, release)
					time.Sleep(time.Minute)
					next, ok := w.Next()
					l.Unlock()
					require.True(t, ok)
					require.False(t, next.After(time.Now()), "not %v later", time.Until(next))
					close(release)
					time.Sleep(time.Minute)
					next, ok = w.Next()
					require.Equal(t, farther, ok, "%v", next)
				})
			})
		}
	}
}

// Contract 11: "nothing global": what one bubble's wheel leaves behind must not reach
// another's, nor that of a wheel outside, at work all the while.
func TestWheelsInAndOutOfBubblesShareNothing(t *testing.T) {
	outside := openWheel(t, timerwheel.Options{})
	var runs atomic.Int32
	series := outside.Every(time.Millisecond, func(timerwheel.Timer) { runs.Add(1) })
	for range 3 {
		guarded(t, func(t *testing.T) {
			// Not closed: Contract 9 leaves no goroutine in the bubble for it, and what
			// pends dies with the bubble.
			w, err := timerwheel.New(timerwheel.Options{OnPanic: func(timerwheel.HandlerPanic) {}, OnStall: func(timerwheel.Stall) {}})
			require.NoError(t, err)
			var ran sync.WaitGroup
			for i := range 30 {
				ran.Add(1)
				tm := w.AfterFunc(time.Duration(i%5)*time.Millisecond, func() {
					ran.Done()
					time.Sleep(2 * time.Second)
					panic("on purpose")
				})
				if i%2 == 0 {
					go func() {
						time.Sleep(time.Second)
						_, _ = tm.DelSync()
					}()
				}
			}
			ran.Wait()
			time.Sleep(time.Minute)
			w.AfterFunc(time.Hour, func() {})
			w.Every(time.Minute, func(timerwheel.Timer) {})
		})
	}
	_, err := series.DelSync()
	require.NoError(t, err)
	fired := make(chan struct{})
	outside.AfterFunc(0, func() { close(fired) })
	<-fired
}

// A million timers armed and deleted, and a million closed with their wheel: no operation's
// cost may grow with the crowd. The bound is a minute for what takes a second or two.
func TestMillionTimersArmedAndDeleted(t *testing.T) {
	if testing.Short() {
		t.Skip("a million timers")
	}
	million := scaled(1_000_000)
	began := time.Now()
	w := openWheel(t, timerwheel.Options{})
	timers := make([]timerwheel.Timer, million)
	arm := func(deadline func(i int) time.Duration) {
		for i := range timers {
			timers[i] = w.AfterFunc(deadline(i), func() { t.Error("fired") })
		}
		stats := w.Stats()
		require.Equal(t, million, stats.Pending)
		require.Equal(t, million, stats.Live)
	}
	for name, deadline := range map[string]func(i int) time.Duration{
		"all in one tick": func(int) time.Duration { return 6 * time.Hour },
		"far and wide":    func(i int) time.Duration { return time.Hour + time.Duration(i)*time.Minute },
	} {
		arm(deadline)
		for _, tm := range timers {
			if !tm.Stop() {
				require.Fail(t, "was not pending", name)
			}
		}
		require.Zero(t, w.Stats().Live, name)
	}
	arm(func(i int) time.Duration { return time.Hour + time.Duration(i)*time.Second })
	require.NoError(t, w.Close())
	stats := w.Stats()
	require.Zero(t, stats.Live)
	require.EqualValues(t, 3*million, stats.Removed, fmt.Sprint(stats))
	requireLaw(t, stats)
	require.Less(t, time.Since(began), time.Minute)
}

// One processor, and a goroutine that never gives it up of its own accord: deletions must
// not spin for a worker that cannot run meanwhile.
func TestOneProcessorAndASpinningGoroutine(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var stop atomic.Bool
	var spinner sync.WaitGroup
	spinner.Go(func() {
		for !stop.Load() { // the runtime has to preempt this
		}
	})
	defer spinner.Wait()
	defer stop.Store(true)

	w := openWheel(t, timerwheel.Options{})
	var early, fired atomic.Int32
	const timers = 200
	for i := range time.Duration(timers) {
		d, start := i*100*time.Microsecond, time.Now()
		w.AfterFunc(d, func() {
			if time.Since(start) < d {
				early.Add(1)
			}
			fired.Add(1)
		})
	}
	eventually(t, "all have fired", func() bool { return fired.Load() == timers })
	require.Zero(t, early.Load())

	for range 5 { // a deletion that waits for a handler that waits for its turn
		begun := make(chan struct{})
		ended := false
		tm := w.Alloc(func(timerwheel.Timer) {
			close(begun)
			runtime.Gosched()
			ended = true
		})
		require.NoError(t, tm.Register(0))
		<-begun
		_, err := tm.DelSync()
		require.NoError(t, err)
		require.True(t, ended)
		require.NoError(t, tm.Free())
	}
}
