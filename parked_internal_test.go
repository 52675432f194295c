package timerwheel

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/seed76848005/timerwheel/internal/levels"
	"github.com/stretchr/testify/require"
)

// parkable returns a timer whose next deletion parks it, pending for d.
func parkable(t *testing.T, tm Timer, d time.Duration) Timer {
	t.Helper()
	require.NoError(t, tm.Register(d))
	require.True(t, tm.Stop())
	require.NoError(t, tm.Register(d))
	require.NoError(t, tm.Register(d))
	return tm
}

// isParked reports whether the timer is stopped in its place.
func isParked(tm Timer) bool {
	x := tm.word()
	return x != nil && x.Load()&kindMask == parkedKind && x.Load() != closedWord
}

// Promise 13.13: a start that needs the lock, as no other word is open, leaves the timer in its place as well.
func TestAStartWithTheLockLeavesTheTimerInItsPlace(t *testing.T) {
	guarded(t, func(t *testing.T) {
		tm := parkable(t, newTestWheel(t, Options{}).Alloc(func(Timer) {}), time.Hour+2)
		for _, d := range []time.Duration{time.Hour + 2, time.Hour + 2, time.Hour + 3} {
			require.True(t, tm.Stop())
			require.True(t, isParked(tm))
			require.NoError(t, tm.Register(d))
			require.NotZero(t, tm.word().Load(), "it was put into another bucket")
		}
	})
}

// Promise 13.13: from its second deletion on, a timer is stopped, and started for the same time or a
// later one, without its shard's lock.
func TestStopsAndStartsTakeNoLock(t *testing.T) {
	for name, stop := range map[string]func(Timer) Found{
		"Del":     Timer.Del,
		"Stop":    func(t Timer) Found { return Found{Pending: t.Stop()} },
		"DelSync": func(tm Timer) Found { found, err := tm.DelSync(); require.NoError(t, err); return found },
		"DelSyncContext": func(tm Timer) Found {
			found, err := tm.DelSyncContext(t.Context())
			require.NoError(t, err)
			return found
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTestWheel(t, Options{Debug: true, DebugEvery: 1 << 30}) // its timers are not remembered
			w.Alloc(func(Timer) {})                                         // the first is
			g := w.NewGroup()
			for range 2 * len(lanes{}) { // no lane is empty
				parkable(t, g.Alloc(func(Timer) {}), time.Hour)
			}
			timers := []Timer{
				parkable(t, g.Alloc(func(Timer) {}), time.Hour),
				parkable(t, g.AllocArg(func(Timer, any) {}, "arg"), time.Hour),
				parkable(t, g.AllocLocked(new(stagedLock), func(Timer) {}), time.Hour),
			}
			defer hold(t, &g.sh.mu)()
			within(t, func() {
				for d := time.Hour; d < 20*time.Hour; d += time.Hour {
					for _, tm := range timers {
						require.Equal(t, Found{Pending: true}, stop(tm))
						require.False(t, tm.Reset(d), "it was pending")
						require.True(t, tm.Reset(d), "it was not pending")
						require.Equal(t, Found{Pending: true}, stop(tm))
						require.NoError(t, tm.RegisterAt(time.Now().Add(d+time.Minute)))
					}
				}
			})
		})
	}
}

// Promise 13.13: one timer that comes and goes beside many others takes no lock either.
func TestOneTimerBesideManyTakesNoLock(t *testing.T) {
	w := newTestWheel(t, Options{})
	g := w.NewGroup()
	for range batch {
		g.AfterFunc(time.Hour, func() {})
	}
	tm := parkable(t, g.Alloc(func(Timer) {}), time.Hour)
	require.True(t, tm.Stop())
	require.NoError(t, tm.Register(time.Hour))
	release := hold(t, &g.sh.mu)
	within(t, func() {
		for range 10 {
			require.True(t, tm.Stop())
			require.NoError(t, tm.Register(time.Hour))
		}
	})
	release()
	g.Del()
	require.False(t, g.sh.ballast, "there are no others")
	require.Zero(t, w.Stats().Pending)
	require.Nil(t, g.sh.anchor().Wheel)
}

// Promise 13.14: a timer without an owner is not parked, nor is one that runs, or one of those that have
// no open word. The first deletion of a timer takes it off the wheel as well.
func TestWhatIsNotParked(t *testing.T) {
	stops := func(t *testing.T, tm Timer) {
		t.Helper()
		require.True(t, tm.Stop())
		require.False(t, isParked(tm))
	}
	w := newTestWheel(t, Options{})
	first := w.Alloc(func(Timer) {})
	require.NoError(t, first.Register(time.Hour))
	stops(t, first)

	oneShot := w.AfterFunc(time.Hour, func() {})
	require.True(t, oneShot.Reset(2*time.Hour))
	stops(t, oneShot)
	require.False(t, oneShot.Valid(), "its storage is kept")

	every := w.Every(time.Hour, func(Timer) {})
	require.NoError(t, every.Retain())
	stops(t, parkable(t, every, time.Hour))
	stops(t, parkable(t, newTestWheel(t, Options{Debug: true}).Alloc(func(Timer) {}), time.Hour))
	stops(t, parkable(t, newTestWheel(t, Options{Manual: true}).Alloc(func(Timer) {}), time.Hour))

	far := w.Alloc(func(Timer) {})
	stops(t, parkable(t, far, maxReach*w.tick+time.Hour))
}

// Promise 13.14: a deletion of a timer that is registered while it runs finds the run.
func TestATimerThatRunsIsNotParked(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := newTestWheel(t, Options{})
		gate, open := newGate(t)
		tm := w.Alloc(func(Timer) { <-gate })
		parkable(t, tm, time.Hour)
		require.NoError(t, tm.Register(0))
		time.Sleep(10 * time.Millisecond)
		for range 3 {
			for range 3 {
				require.NoError(t, tm.Register(time.Hour))
			}
			require.Equal(t, Found{Pending: true, Running: true}, tm.Del())
		}
		require.False(t, isParked(tm))
		open()
		synctest.Wait()
	})
}

// Promise 13.15: the Free of the last owner recycles a parked timer at once. Before that another owner
// may register it.
func TestTheLastFreeOfAParkedTimerRecyclesIt(t *testing.T) {
	w := newTestWheel(t, Options{})
	tm := parkable(t, w.Alloc(func(Timer) {}), time.Hour)
	require.NoError(t, tm.Retain())
	require.True(t, tm.Stop())
	require.True(t, isParked(tm))
	require.NoError(t, tm.Free())
	require.NoError(t, tm.Register(2*time.Hour))
	require.True(t, tm.Stop())
	require.NoError(t, tm.Free())
	require.False(t, tm.Valid())
	require.False(t, tm.Stop())
	require.ErrorIs(t, tm.Register(time.Hour), ErrStale)
	s := w.Stats()
	require.Zero(t, s.Live+s.Pending)
	require.EqualValues(t, 3, s.Removed)
	require.EqualValues(t, 3, s.Registered)

	other := parkable(t, w.Alloc(func(Timer) { t.Error("fired") }), time.Hour)
	require.NoError(t, other.Free()) // it is pending, and has no owner
	require.True(t, other.Stop())
	require.False(t, other.Valid(), "its storage is kept")
}

// Promises 9.13 and 9.14: timers that are parked, at however many times, do not keep the wheel awake, nor
// alive; and the next Register has the wheel look at them in time.
func TestParkedTimersDoNotKeepTheWheel(t *testing.T) {
	park := func(t *testing.T, w *Wheel) (timers []Timer) {
		for k := range 100 {
			timers = append(timers, parkable(t, w.Alloc(func(Timer) {}), time.Duration(1+k)*time.Minute))
		}
		for _, tm := range timers {
			require.True(t, tm.Stop())
			require.True(t, isParked(tm))
		}
		return timers
	}
	guarded(t, func(t *testing.T) {
		w := newTestWheel(t, Options{})
		var fired time.Duration
		start := time.Now()
		late := parkable(t, w.Alloc(func(Timer) { fired = time.Since(start) }), 200*time.Minute)
		require.True(t, late.Stop())
		timers := park(t, w)
		for _, sh := range w.shards {
			require.Nil(t, sh.anchor().Wheel)
			require.EqualValues(t, int64(never), sh.nextWake(), "a wake-up for what is parked")
		}
		w.rearm(0)
		require.True(t, w.alarmIsOff())

		w.AfterFunc(time.Hour, func() {})
		require.NoError(t, timers[0].Register(time.Minute+time.Second))
		require.True(t, timers[0].Stop())
		require.NoError(t, late.Register(200*time.Minute))
		time.Sleep(201 * time.Minute)
		synctest.Wait()
		require.Equal(t, 200*time.Minute, fired)
	})
	p := func() weak.Pointer[Wheel] {
		w, err := New(Options{})
		require.NoError(t, err)
		park(t, w)
		return weak.Make(w)
	}()
	for k := 0; p.Value() != nil; k++ {
		require.Less(t, k, 500, "a wheel on which nothing pends is not collected")
		runtime.GC()
		runtime.Gosched()
	}
}

// Promise 3.3: a timer that is started where nothing else pends fires in time, though its bucket comes
// before all that the alarm is set for.
func TestAStartOnADrainedShardIsLookedAt(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := newTestWheel(t, Options{})
		g := w.NewGroup()
		var fired []time.Duration
		start := time.Now()
		f := func(Timer) { fired = append(fired, time.Since(start)) }
		near, far := parkable(t, g.Alloc(f), time.Second), parkable(t, g.Alloc(f), time.Hour)
		require.True(t, near.Stop() && far.Stop())
		w.rearm(0)
		require.True(t, w.alarmIsOff())
		require.NoError(t, far.Register(time.Hour))
		require.LessOrEqual(t, w.alarm.at.Load(), w.elapsed()+int64(time.Second), "the bucket of the near one is not looked at")
		require.NoError(t, near.Register(2*time.Second))
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		require.Equal(t, []time.Duration{2 * time.Second, time.Hour}, fired)
	})
}

// Promise 13.16: parked timers whose times come are taken off the wheel together, if few others pend.
func TestParkedTimersAreSwept(t *testing.T) {
	guarded(t, func(t *testing.T) {
		const many = 4096
		w := newTestWheel(t, Options{})
		g := w.NewGroup()
		g.AfterFunc(100*time.Hour, func() {})
		var timers []Timer
		for k := range many {
			timers = append(timers, parkable(t, g.Alloc(func(Timer) {}), time.Hour+time.Duration(k)*time.Minute))
		}
		for _, tm := range timers {
			require.True(t, tm.Stop())
		}
		parked := func() int {
			g.sh.lock()
			defer g.sh.unlock()
			return g.sh.parked()
		}
		require.Equal(t, many, parked())
		time.Sleep(time.Hour + 10*time.Minute)
		require.LessOrEqual(t, parked(), 1, "as many as are pending")
		for _, tm := range timers {
			require.Equal(t, Found{}, tm.Del())
			require.NoError(t, tm.Free())
		}
		require.Equal(t, 1, w.Stats().Pending)
	})
}

// Promise 2.41: a lane whose count of starts is nearly full hands it to the shard's counters.
func TestAFullLaneIsEmptied(t *testing.T) {
	w := newTestWheel(t, Options{})
	g := w.NewGroup()
	tm, other := g.Alloc(func(Timer) {}), Timer{}
	for range len(lanes{}) {
		other = parkable(t, g.Alloc(func(Timer) {}), time.Hour)
	}
	parkable(t, tm, time.Hour)
	_ = other
	before := w.Stats()
	lane := g.sh.lanes.of(tm.index())
	lane.Add(laneIsFull - 1<<openBits)
	g.sh.lock()
	g.sh.counters.registered -= (laneIsFull - 1<<openBits) >> openBits
	g.sh.counters.entered -= (laneIsFull - 1<<openBits) >> openBits
	g.sh.unlock()
	require.Equal(t, before, w.Stats())
	for range 3 {
		require.True(t, tm.Stop())
		require.False(t, tm.Reset(time.Hour))
		s := w.Stats()
		require.Equal(t, s.Registered, s.Fired+s.Removed+uint64(s.Pending))
	}
	require.Equal(t, before.Registered+3, w.Stats().Registered)
	require.Equal(t, before.Removed+3, w.Stats().Removed)
	require.Less(t, lane.Load(), uint64(4<<openBits), "the starts are not handed over")
}

// Promise 2.41: a start that has counted, was overtaken, and is not made takes back what it has counted,
// though the lane has been emptied in between.
func TestAStartThatIsNotMadeDoesNotCount(t *testing.T) {
	w := newTestWheel(t, Options{})
	g := w.NewGroup()
	var same []Timer // in one lane
	for range 3 * len(lanes{}) {
		if tm := g.Alloc(func(Timer) {}); tm.index()%uint32(len(lanes{})) == 0 {
			same = append(same, tm)
		}
	}
	a, b, c := same[0], same[1], same[2]
	for _, tm := range same {
		require.True(t, parkable(t, tm, time.Hour).Stop())
	}
	require.NoError(t, a.Register(2*time.Hour))
	before := w.Stats()
	release := hold(t, &g.sh.mu)
	over := make(chan struct{})
	go func() {
		defer close(over)
		a.Stop()
	}()
	blockedIn(t, 1, "lock") // the lane has no open word, and a has yet to look
	i, s := g.sh.lookup(b)
	g.sh.arm(i, s, w.elapsed()+int64(2*time.Hour), w.elapsed())
	lane := g.sh.lanes.of(c.index())
	require.True(t, lane.enter())
	release()
	receive(t, over)
	c.leave(c.wordChunk(), oneStart) // its swap has failed
	after := w.Stats()
	require.Equal(t, before.Registered+1, after.Registered)
	require.Equal(t, before.Removed+1, after.Removed)
	require.Equal(t, before.Pending, after.Pending)
	require.Less(t, lane.Load(), uint64(laneIsFull))
}

// Promise 9.14: ballast does not keep a wheel on which nothing pends.
func TestBallastDoesNotKeepTheWheel(t *testing.T) {
	w := newTestWheel(t, Options{})
	g := w.NewGroup()
	tm := g.Alloc(func(Timer) {})
	require.True(t, parkable(t, tm, time.Hour).Stop())
	var others []Timer
	for range batch {
		others = append(others, g.Alloc(func(Timer) {}))
		require.NoError(t, others[len(others)-1].Register(time.Hour))
	}
	require.NoError(t, tm.Register(2*time.Hour))
	require.True(t, g.sh.ballast)
	for _, other := range others[1:] {
		other.Del()
	}
	require.NoError(t, others[0].Register(2*time.Hour)) // from now on it is in a lane, too
	require.False(t, g.sh.ballast)
	require.True(t, others[0].Stop())
	require.True(t, tm.Stop())
	require.Nil(t, g.sh.anchor().Wheel)
	_, ok := w.Next()
	require.False(t, ok)
}

// Promise 2.48: what is parked on a shard where nothing pends is not in line, nor in a bucket.
func TestInspectPassesOverWhatIsParked(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := newTestWheel(t, Options{})
		timers := make([]Timer, 100)
		for k := range timers {
			timers[k] = parkable(t, w.Alloc(func(Timer) {}), time.Duration(1+k)*10*time.Millisecond)
		}
		for _, tm := range timers {
			require.True(t, tm.Stop())
			require.True(t, isParked(tm))
		}
		for range 2 { // before any bucket is emptied, and after
			in := w.Inspect()
			require.Zero(t, in.Due+in.Held)
			for _, level := range in.Levels {
				require.Equal(t, [64]int{}, level.Timers)
			}
			time.Sleep(300 * time.Millisecond)
			synctest.Wait()
		}
	})
}

// Promise 3.2: the Free of the last owner does not make a timer due that stands in the list Due only to be
// looked at.
func TestWhatIsLookedAtIsNotDue(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := newTestWheel(t, Options{})
		g := w.NewGroup()
		var fired time.Duration
		start := time.Now()
		tm := parkable(t, g.Alloc(func(Timer) { fired = time.Since(start) }), time.Second)
		require.NoError(t, tm.Register(time.Hour)) // without the lock: it stands in the bucket of the second
		time.Sleep(500 * time.Millisecond)
		g.sh.lock()
		i, s := g.sh.lookup(tm)
		g.sh.levels.Remove(i, s)
		g.sh.levels.Push(levels.Due, i, s)
		g.sh.unlock()
		require.NoError(t, tm.Free())
		w.rearm(0)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		require.GreaterOrEqual(t, fired, time.Hour)
	})
}
