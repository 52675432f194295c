package timerwheel_test

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A sleepingHost is a Manual wheel with an OnNext that remembers what it was told.
type sleepingHost struct {
	*timerwheel.Wheel
	told []time.Time
}

func openHost(t *testing.T, o timerwheel.Options) *sleepingHost {
	h := new(sleepingHost)
	o.Manual, o.Start = true, manualStart
	o.OnNext = func(when time.Time) { h.told = append(h.told, when) }
	h.Wheel = openWheel(t, o)
	return h
}

// requireTold checks what OnNext was called with since the last look: times since manualStart.
// They may be a little early, as Next is, if they are more than four seconds ahead.
func (h *sleepingHost) requireTold(t *testing.T, want ...time.Duration) {
	t.Helper()
	require.Len(t, h.told, len(want), "%v", h.told)
	for i, when := range h.told {
		early := want[i] - when.Sub(manualStart)
		require.GreaterOrEqual(t, early, time.Duration(0))
		require.LessOrEqual(t, early, want[i]/10)
		require.True(t, early == 0 || want[i] > 4*time.Second, "%v early", early)
	}
	h.told = nil
}

// onNextVerbs are the ways to make a timer pending for d. Those that move a timer are used on
// a pending one, too.
var onNextVerbs = []struct {
	name string
	make func(w *timerwheel.Wheel, d time.Duration) (move func(time.Duration))
}{
	{"Register", func(w *timerwheel.Wheel, d time.Duration) func(time.Duration) {
		tm := armed(w.Alloc(delIgnore), d)
		return func(d time.Duration) { armed(tm, d) }
	}},
	{"RegisterAt", func(w *timerwheel.Wheel, d time.Duration) func(time.Duration) {
		tm := w.Alloc(delIgnore)
		at := func(d time.Duration) { _ = tm.RegisterAt(w.Now().Add(d)) }
		at(d)
		return at
	}},
	{"Reduce", func(w *timerwheel.Wheel, d time.Duration) func(time.Duration) {
		tm := w.Alloc(delIgnore)
		reduce := func(d time.Duration) { _ = tm.Reduce(d) }
		reduce(d)
		return reduce
	}},
	{"Reset", func(w *timerwheel.Wheel, d time.Duration) func(time.Duration) {
		tm := w.Alloc(delIgnore)
		reset := func(d time.Duration) { tm.Reset(d) }
		reset(d)
		return reset
	}},
	{"RegisterWithin, and Move", func(w *timerwheel.Wheel, d time.Duration) func(time.Duration) {
		tm := w.Alloc(delIgnore)
		_ = tm.RegisterWithin(d, 0)
		return func(d time.Duration) { tm.Move(d) }
	}},
	{"AfterFuncLocked", func(w *timerwheel.Wheel, d time.Duration) func(time.Duration) {
		tm := w.AfterFuncLocked(new(sync.Mutex), d, func() {})
		return func(d time.Duration) { tm.Move(d) }
	}},
	{"AllocLocked", func(w *timerwheel.Wheel, d time.Duration) func(time.Duration) {
		tm := armed(w.AllocLocked(new(sync.Mutex), delIgnore), d)
		return func(d time.Duration) { armed(tm, d) }
	}},
	{"AfterFunc", func(w *timerwheel.Wheel, d time.Duration) func(time.Duration) {
		tm := w.AfterFunc(d, func() {})
		return func(d time.Duration) { armed(tm, d) }
	}},
	{"AfterFuncArg", func(w *timerwheel.Wheel, d time.Duration) func(time.Duration) {
		tm := w.AfterFuncArg(d, func(any) {}, 1)
		return func(d time.Duration) { armed(tm, d) }
	}},
	{"Group.AfterFunc", func(w *timerwheel.Wheel, d time.Duration) func(time.Duration) {
		tm := w.NewGroup().AfterFunc(d, func() {})
		return func(d time.Duration) { armed(tm, d) }
	}},
	{"Every", func(w *timerwheel.Wheel, d time.Duration) func(time.Duration) {
		if d <= 0 {
			d = 1 // not at once, but within the tick
		}
		tm := w.Every(d, delIgnore)
		return func(d time.Duration) { armed(tm, d) }
	}},
}

// Promise 10.22: the host is told, once, of what makes Next earlier, whichever verb does.
func TestOnNextTellsWhatMakesNextEarlier(t *testing.T) {
	for _, v := range onNextVerbs {
		for _, debug := range []bool{false, true} {
			t.Run(v.name, func(t *testing.T) {
				h := openHost(t, timerwheel.Options{Debug: debug})
				v.make(h.Wheel, 3*time.Second)
				h.requireTold(t, 3*time.Second)
				move := v.make(h.Wheel, 2*time.Second)
				h.requireTold(t) // it has not asked
				next, ok := h.Next()
				require.True(t, ok)
				require.Equal(t, manualStart.Add(2*time.Second), next)
				v.make(h.Wheel, 2*time.Second)
				v.make(h.Wheel, time.Hour)
				h.requireTold(t) // no earlier
				move(time.Second)
				h.requireTold(t, time.Second) // a move
				h.Next()
				move(time.Millisecond * 1500)
				h.requireTold(t) // a move to a later time
				h.Next()
				move(0)
				h.requireTold(t, 0)
				h.Next()
				v.make(h.Wheel, 0)
				h.requireTold(t) // Next is now already
			})
		}
	}
}

// Promise 10.22: the host wakes for each look at an idle timer.
func TestOnNextTellsOfAnIdleTimersLook(t *testing.T) {
	h := openHost(t, timerwheel.Options{})
	tm := h.Alloc(delIgnore)
	require.NoError(t, tm.RegisterIdle(16*time.Second))
	h.requireTold(t, 2*time.Second)
	next, ok := h.Next()
	require.True(t, ok)
	require.Equal(t, manualStart.Add(2*time.Second), next)
	require.NoError(t, tm.RegisterIdle(8*time.Second))
	h.requireTold(t, time.Second)
	advanceTo(t, h.Wheel, next, 0)
	next, ok = h.Next()
	require.True(t, ok && next.After(h.Now()))
	h.requireTold(t)
}

// Promise 10.22: an Advance counts as if the host had asked Next at its end, one that does nothing
// too.
func TestAnAdvanceCountsAsAQuestion(t *testing.T) {
	h := openHost(t, timerwheel.Options{})
	h.AfterFunc(time.Hour, func() {})
	h.requireTold(t, time.Hour)
	for n, to := range []time.Duration{0, 0, -time.Second, time.Second, time.Second} {
		advanceTo(t, h.Wheel, manualStart.Add(to), 0)
		due := time.Minute - time.Duration(n)*time.Second
		tm := h.AfterFunc(due, func() {})
		h.requireTold(t, due+max(0, h.Now().Sub(manualStart)))
		require.True(t, tm.Stop())
	}
	advanceTo(t, h.Wheel, manualStart.Add(2*time.Second), 0)
	h.AfterFunc(2*time.Hour, func() {})
	h.requireTold(t) // after the Advance's end the next firing was in an hour
	advanceTo(t, h.Wheel, manualStart.Add(3*time.Hour), 2)
	h.AfterFunc(time.Hour, func() {})
	h.requireTold(t, 4*time.Hour) // at its end nothing was pending
}

// Promise 10.23: OnNext is not called for what any goroutine registers while an Advance is under way. Next
// knows it, and what comes after the end is compared with it.
func TestOnNextIsSilentDuringAnAdvance(t *testing.T) {
	h := openHost(t, timerwheel.Options{})
	tm := h.Alloc(delIgnore)
	h.AfterFunc(time.Second, func() {
		h.AfterFunc(time.Minute, func() {})
		h.Next()
		h.AfterFunc(2*time.Second, func() {})
		h.Next()
		<-inBackground(func() { h.AfterFunc(time.Second, func() {}) })
		armed(tm, 0)
	})
	h.requireTold(t, time.Second)
	advanceTo(t, h.Wheel, manualStart.Add(time.Second), 1)
	h.requireTold(t)
	next, ok := h.Next()
	require.True(t, ok)
	require.Equal(t, h.Now(), next)
	h.AfterFunc(0, func() {})
	h.requireTold(t)
	advanceTo(t, h.Wheel, h.Now(), 2)
	h.AfterFunc(2*time.Second, func() {})
	h.requireTold(t)
	h.AfterFunc(time.Second/2, func() {})
	h.requireTold(t, 1500*time.Millisecond)
}

// Promise 10.23: an Advance that a handler leaves by a panic ends as others do.
func TestAHostWhoseHandlerPanicsIsToldAgain(t *testing.T) {
	h := openHost(t, timerwheel.Options{})
	h.AfterFunc(0, func() { panic("on purpose") })
	h.AfterFunc(time.Hour, func() {})
	h.requireTold(t, 0)
	require.Panics(t, func() { _, _ = h.Advance(h.Now()) })
	h.AfterFunc(time.Minute, func() {})
	h.requireTold(t, time.Minute)
}

// Promise 10.24: OnNext is called in the goroutine that registered, before the call returns, and
// holds no lock of the wheel: it may call anything, Advance and Close too.
func TestOnNextMayCallAnything(t *testing.T) {
	for _, v := range onNextVerbs {
		for _, debug := range []bool{false, true} {
			t.Run(v.name, func(t *testing.T) {
				within(t, func() {
					var w *timerwheel.Wheel
					calls, in := 0, ""
					w = openWheel(t, timerwheel.Options{Manual: true, Start: manualStart, Debug: debug, OnNext: func(when time.Time) {
						calls++
						in = goroutineName()
						next, ok := w.Next()
						assert.True(t, ok && next.Equal(when), "%v, and not %v", next, when)
						w.Inspect()
						w.Stats()
						if calls == 1 {
							w.AfterFunc(0, func() {}) // it has asked: another call, in this one
							fired, err := w.Advance(next)
							assert.NoError(t, err)
							assert.Equal(t, 2, fired)
							return
						}
						if calls > 2 {
							assert.NoError(t, w.Close())
						}
					}})
					v.make(w, time.Second)
					require.Equal(t, 2, calls)
					require.Equal(t, goroutineName(), in)
					v.make(w, time.Second/2)
					require.Equal(t, 3, calls)
					require.ErrorIs(t, w.Alloc(delIgnore).Register(0), timerwheel.ErrClosed)
				})
			})
		}
	}
}

// Promise 10.25: whatever comes between, a host that waits until Next, or until it is told, never
// waits past the next firing. Here the host asks while others register: if it has not been told
// since it asked, then it knows.
func TestAHostNeverSleepsPastTheNextFiring(t *testing.T) {
	const registrars = 3
	wake := make(chan struct{}, 1)
	w := openWheel(t, timerwheel.Options{Manual: true, Start: manualStart, OnNext: func(time.Time) {
		select {
		case wake <- struct{}{}:
		default:
		}
	}})
	timers := make([]timerwheel.Timer, registrars)
	for i := range timers {
		timers[i] = w.Alloc(delIgnore)
	}
	var rounds, over atomic.Int64
	var ended sync.WaitGroup
	defer ended.Wait()
	defer over.Store(1)
	var inRound [registrars]atomic.Int64 // the last round that each has done
	for i := range registrars {
		ended.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(i)))
			for over.Load() == 0 {
				round := rounds.Load()
				if inRound[i].Load() == round {
					runtime.Gosched()
					continue
				}
				timers[i].Del()
				for d := 1 + rng.IntN(50); d > 0; d -= 1 + rng.IntN(20) { // earlier and earlier
					_ = timers[i].Register(time.Duration(d) * time.Second)
					runtime.Gosched()
				}
				inRound[i].Store(round)
			}
		})
	}
	until := time.Now().Add(raceTime())
	// A thousand rounds, however slow: a mistake here shows within some hundreds.
	for round := int64(1); round <= int64(raceRounds(20_000)) && (round <= 1000 || time.Now().Before(until)); round++ {
		rounds.Store(round)
		var knows time.Time
		var any bool
		for range 1 + round%8 { // the host's loop
			select {
			case <-wake:
			default:
			}
			if round%5 == 0 {
				_, err := w.Advance(w.Now().Add(time.Millisecond))
				require.NoError(t, err)
			}
			knows, any = w.Next()
			runtime.Gosched()
		}
		for i := range inRound {
			for inRound[i].Load() != round {
				runtime.Gosched()
			}
		}
		if told := len(wake) > 0; told {
			continue
		}
		next, ok := w.Next()
		require.True(t, ok)
		require.True(t, any && !next.Before(knows), "round %d: the host sleeps until %v, %v, and Next is %v", round, knows, any, next)
	}
}

// Promise 10.25: a host that sleeps fires everything in time.
func TestASleepingHostFiresInTime(t *testing.T) {
	const tick = time.Millisecond
	guarded(t, func(t *testing.T) {
		wake := make(chan struct{}, 1)
		w := openWheel(t, timerwheel.Options{Tick: tick, Manual: true, OnNext: func(time.Time) {
			select {
			case wake <- struct{}{}:
			default:
			}
		}})
		stop := make(chan struct{})
		host := inBackground(func() {
			sleep := time.NewTimer(0)
			for {
				when, ok := w.Next()
				if sleep.Stop(); ok {
					sleep.Reset(time.Until(when))
				}
				select {
				case <-sleep.C:
				case <-wake:
				case <-stop:
					return
				}
				_, err := w.Advance(time.Now())
				assert.NoError(t, err)
			}
		})
		elapse(time.Minute) // the host sleeps, and nothing pends

		var mu sync.Mutex
		var late []time.Duration
		var registrars sync.WaitGroup
		const n = 20
		for i := range 3 {
			registrars.Go(func() {
				rng := rand.New(rand.NewPCG(2, uint64(i)))
				for range n {
					d := time.Duration(rng.Int64N(int64(10 * time.Second)))
					now := time.Now()
					// The wheel's time is that of the last Advance: a timer counts from there.
					tm := w.Alloc(func(tm timerwheel.Timer) {
						mu.Lock()
						defer mu.Unlock()
						late = append(late, time.Since(now.Add(d)))
						_ = tm.Free()
					})
					assert.NoError(t, tm.RegisterAt(now.Add(d)))
					time.Sleep(time.Duration(rng.Int64N(int64(5 * time.Second))))
				}
			})
		}
		registrars.Wait()
		elapse(time.Minute)
		close(stop)
		<-host
		require.Len(t, late, 3*n)
		require.GreaterOrEqual(t, slices.Min(late), time.Duration(0), "early")
		require.LessOrEqual(t, slices.Max(late), tick, "the host slept too long")
	})
}
