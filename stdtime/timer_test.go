package stdtime_test

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/stdtime"
	"github.com/stretchr/testify/require"
)

// The value sent is the time of the firing, not of the receive.
func TestATimerSendsTheTimeOfItsFiring(t *testing.T) {
	onBothInBubbles(t, func(t *testing.T, c timeAPI) {
		for _, d := range []time.Duration{-time.Hour, 0, 1, tick, 10*tick + 1, time.Second, time.Hour, 1000 * time.Hour} {
			start := time.Now()
			_, ch := c.NewTimer(d)
			after := c.After(d)
			sleepAndWait(max(d, 0) + time.Minute)
			c.requireAt(t, start.Add(max(d, 0)), requireValue(t, ch, "after a minute"))
			c.requireAt(t, start.Add(max(d, 0)), requireValue(t, after, "after a minute"))
			sleepAndWait(time.Hour)
			requireNoValue(t, ch, "a timer fires once")
		}
	})
}

// A receive that waits gets the value when the timer fires.
func TestAWaitingReceiverIsWoken(t *testing.T) {
	onBothInBubbles(t, func(t *testing.T, c timeAPI) {
		start := time.Now()
		c.requireAt(t, start.Add(time.Second), <-c.After(time.Second))
		c.requireAt(t, start.Add(time.Second), time.Now())
	})
}

// If several goroutines wait on one channel, one of them gets the value.
func TestOneOfSeveralReceiversIsWoken(t *testing.T) {
	onBothInBubbles(t, func(t *testing.T, c timeAPI) {
		tm, ch := c.NewTimer(time.Hour)
		stop := make(chan struct{})
		var got atomic.Int32
		for range 3 {
			go func() {
				select {
				case <-ch:
					got.Add(1)
				case <-stop:
				}
			}()
		}
		synctest.Wait()
		require.True(t, tm.Reset(time.Second), "moved while they wait")
		sleepAndWait(time.Minute)
		require.EqualValues(t, 1, got.Load())
		require.False(t, tm.Stop(), "it has fired")
		require.False(t, tm.Reset(time.Second))
		require.True(t, tm.Stop())
		sleepAndWait(time.Minute)
		require.EqualValues(t, 1, got.Load(), "stopped while they wait")
		close(stop)
	})
}

// What Stop and Reset report, and what follows, in each state of the timer.
func TestStopAndReset(t *testing.T) {
	const d = time.Second
	states := []struct {
		name  string
		reach func(t *testing.T, tm timer, ch <-chan time.Time)
		// Whether the firing is still to come. With NewTimer it is, until it is received.
		pending map[string]bool
	}{
		{"pending", func(*testing.T, timer, <-chan time.Time) {}, map[string]bool{"NewTimer": true, "AfterFunc": true}},
		{"fired", func(_ *testing.T, _ timer, ch <-chan time.Time) { sleepAndWait(2 * d) }, map[string]bool{"NewTimer": true, "AfterFunc": false}},
		{"fired and received", func(t *testing.T, _ timer, ch <-chan time.Time) { sleepAndWait(2 * d); requireValue(t, ch, "fired") }, nil},
		{"stopped", func(t *testing.T, tm timer, _ <-chan time.Time) { require.True(t, tm.Stop()) }, nil},
		{"stopped twice", func(t *testing.T, tm timer, _ <-chan time.Time) {
			require.True(t, tm.Stop())
			require.False(t, tm.Stop())
		}, nil},
		{"reset", func(t *testing.T, tm timer, _ <-chan time.Time) { require.True(t, tm.Reset(d)) }, map[string]bool{"NewTimer": true, "AfterFunc": true}},
		{"reset, fired and received", func(t *testing.T, tm timer, ch <-chan time.Time) {
			require.True(t, tm.Reset(d/2))
			sleepAndWait(d)
			requireValue(t, ch, "fired")
		}, nil},
	}
	for name, newTimer := range makers {
		for _, s := range states {
			t.Run(name+"/"+s.name+"/Stop", func(t *testing.T) {
				onBothInBubbles(t, func(t *testing.T, c timeAPI) {
					tm, ch := newTimer(c, d)
					s.reach(t, tm, ch)
					require.Equal(t, s.pending[name], tm.Stop())
					if name == "AfterFunc" && s.name == "fired" {
						requireValue(t, ch, "the function sent it: Stop and Reset do not take it back")
					}
					requireNoValue(t, ch, "stopped")
					require.False(t, tm.Stop(), "twice")
					sleepAndWait(time.Hour)
					requireNoValue(t, ch, "stopped long ago")

					require.False(t, tm.Reset(d), "stopped, and armed again")
					sleepAndWait(d - tick)
					requireNoValue(t, ch, "early")
					sleepAndWait(3 * tick)
					requireValue(t, ch, "armed again")
				})
			})
			t.Run(name+"/"+s.name+"/Reset", func(t *testing.T) {
				onBothInBubbles(t, func(t *testing.T, c timeAPI) {
					tm, ch := newTimer(c, d)
					s.reach(t, tm, ch)
					start := time.Now()
					require.Equal(t, s.pending[name], tm.Reset(3*d))
					if name == "AfterFunc" && s.name == "fired" {
						requireValue(t, ch, "the function sent it: Stop and Reset do not take it back")
					}
					requireNoValue(t, ch, "armed anew: nothing stale")
					sleepAndWait(3*d - tick)
					requireNoValue(t, ch, "early: the old firing?")
					sleepAndWait(3 * tick)
					c.requireAt(t, start.Add(3*d), requireValue(t, ch, "armed anew"))
					sleepAndWait(time.Hour)
					requireNoValue(t, ch, "twice")
					require.False(t, tm.Stop())
				})
			})
		}
	}
}

// A timer that is moved to the past fires at once, from any state, however often it is moved.
func TestResetToThePastFiresAtOnce(t *testing.T) {
	past := time.Until(time.Unix(0, 0))
	for name, newTimer := range makers {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, c timeAPI) {
				for range 200 {
					tm, ch := newTimer(c, time.Hour)
					for range 10 {
						if !tm.Stop() {
							await(t, ch, "Stop reports that it has fired")
						}
						tm.Reset(past)
					}
					await(t, ch, "in the past")
				}
			})
		})
	}
}

// Many timers are made, moved and stopped in no order: none is lost when the others move.
func TestTimersDoNotDisturbEachOther(t *testing.T) {
	for name, newTimer := range makers {
		t.Run(name, func(t *testing.T) {
			onBothInBubbles(t, func(t *testing.T, c timeAPI) {
				var all sync.WaitGroup
				for k := range 100 {
					all.Go(func() {
						time.Sleep(time.Duration(k*37%100) * 10 * time.Millisecond)
						tm, ch := newTimer(c, 0)
						<-ch
						for _, d := range []time.Duration{time.Minute, 3 * time.Minute, 2 * time.Minute} {
							if tm.Reset(d) {
								t.Errorf("%v: still to come after it was received or stopped", d)
							}
							time.Sleep(time.Second)
							if !tm.Stop() {
								t.Errorf("%v: lost", d)
							}
						}
						start := time.Now()
						tm.Reset(0)
						<-ch
						if late := time.Since(start); late > c.late {
							t.Errorf("late by %v", late)
						}
					})
				}
				all.Wait()
			})
		})
	}
}

// The earlier deadline comes first.
func TestTimersFireInOrder(t *testing.T) {
	seconds := []int{5, 3, 6, 6, 6, 1, 1, 2, 7, 9, 4, 8, 0}
	for name, newTimer := range makers {
		t.Run(name, func(t *testing.T) {
			onBothInBubbles(t, func(t *testing.T, c timeAPI) {
				start := time.Now()
				type arrival struct {
					second int
					at     time.Time
				}
				arrivals := make(chan arrival, len(seconds))
				for _, second := range seconds {
					_, ch := newTimer(c, time.Duration(second)*time.Second)
					go func() { arrivals <- arrival{second, <-ch} }()
				}
				last := 0
				for range seconds {
					a := <-arrivals
					require.GreaterOrEqual(t, a.second, last)
					last = a.second
					c.requireAt(t, start.Add(time.Duration(a.second)*time.Second), a.at)
				}
			})
		})
	}
}

// f may make the next timer, and may still run when that timer fires.
func TestAFunctionMayMakeTheNextTimer(t *testing.T) {
	onBothInBubbles(t, func(t *testing.T, c timeAPI) {
		start := time.Now()
		calls, done := 0, make(chan struct{})
		var f func()
		f = func() {
			if calls++; calls == 10 {
				close(done)
				return
			}
			c.AfterFunc(0, f)
			time.Sleep(time.Second)
		}
		c.AfterFunc(0, f)
		<-done
		require.Less(t, time.Since(start), time.Second, "no call waits for the call that made its timer")
		sleepAndWait(time.Minute)
	})
}

// f may stop and reset its own timer.
func TestAFunctionMayResetItsOwnTimer(t *testing.T) {
	onBothInBubbles(t, func(t *testing.T, c timeAPI) {
		var tm timer
		calls := make(chan time.Time, 10)
		ready := make(chan struct{})
		tm = c.AfterFunc(time.Second, func() {
			<-ready
			calls <- time.Now()
			if tm.Stop() || tm.Reset(time.Second) {
				t.Error("its firing is over when it runs")
			}
		})
		close(ready)
		start := time.Now()
		for n := range 5 {
			at := <-calls
			require.GreaterOrEqual(t, at.Sub(start), time.Duration(n+1)*time.Second)
			require.LessOrEqual(t, at.Sub(start), time.Duration(n+1)*(time.Second+c.late))
		}
		synctest.Wait()
		require.True(t, tm.Stop())
		sleepAndWait(time.Minute)
		require.Empty(t, calls)
	})
}

// Neither Stop nor Reset waits for f, so calls of f may overlap.
func TestResetWhileTheFunctionRuns(t *testing.T) {
	onBothInBubbles(t, func(t *testing.T, c timeAPI) {
		var running atomic.Int32
		finish := make(chan struct{})
		tm := c.AfterFunc(time.Second, func() {
			running.Add(1)
			<-finish
			running.Add(-1)
		})
		sleepAndWait(time.Minute)
		require.False(t, tm.Stop())
		require.EqualValues(t, 1, running.Load(), "Stop has not waited")
		for n := range int32(3) {
			require.False(t, tm.Reset(time.Second))
			sleepAndWait(time.Minute)
			require.Equal(t, n+2, running.Load())
		}
		require.False(t, tm.Reset(time.Hour))
		require.True(t, tm.Reset(time.Hour))
		require.True(t, tm.Stop())
		close(finish)
		sleepAndWait(2 * time.Hour)
		require.Zero(t, running.Load())
	})
}

// Functions that block delay neither each other nor sends on channels.
func TestBlockedFunctionsDelayNothing(t *testing.T) {
	onBothInBubbles(t, func(t *testing.T, c timeAPI) {
		finish := make(chan struct{})
		var blocked atomic.Int32
		for range 100 {
			c.AfterFunc(time.Second, func() { blocked.Add(1); <-finish })
		}
		_, ch := c.NewTimer(time.Second)
		sleepAndWait(time.Second + 5*tick)
		require.EqualValues(t, 100, blocked.Load())
		requireValue(t, ch, "due with them")
		close(finish)
	})
}

// A d too large for the clock means never, and disturbs no other timer. A d too small means
// now.
func TestDurationsBeyondTheClock(t *testing.T) {
	onBothInBubbles(t, func(t *testing.T, c timeAPI) {
		asleep := make(chan struct{})
		tm, never := c.NewTimer(math.MaxInt64)
		f := c.AfterFunc(math.MaxInt64, func() { t.Error("called, though d is too large for the clock") })
		sleepAndWait(time.Hour)
		requireNoValue(t, never, "never")
		require.True(t, tm.Reset(math.MaxInt64))
		require.True(t, f.Reset(math.MaxInt64))
		go func() { c.Sleep(math.MinInt64); close(asleep) }()
		synctest.Wait()
		<-asleep
		c.requireAt(t, time.Now(), <-c.After(math.MinInt64))
		sleepAndWait(1000 * time.Hour)
		require.True(t, tm.Stop())
		require.True(t, f.Stop())
	})
}

// Sleep lasts d. If d is not positive it returns at once.
func TestSleep(t *testing.T) {
	onBothInBubbles(t, func(t *testing.T, c timeAPI) {
		for _, d := range []time.Duration{-1, 0, 1, tick, time.Second, time.Hour} {
			start := time.Now()
			c.Sleep(d)
			c.requireAt(t, start.Add(max(d, 0)), time.Now())
		}
	})
	onBoth(t, func(t *testing.T, c timeAPI) {
		const d = 20 * time.Millisecond
		start := time.Now()
		c.Sleep(d)
		require.GreaterOrEqual(t, time.Since(start), d)
	})
}

// Misuse panics as with package time.
func TestMisuseOfATimer(t *testing.T) {
	require.PanicsWithValue(t, "time: Stop called on uninitialized Timer", func() { new(time.Timer).Stop() })
	require.PanicsWithValue(t, "stdtime: Stop called on uninitialized Timer", func() { new(stdtime.Timer).Stop() })
	require.PanicsWithValue(t, "time: Reset called on uninitialized Timer", func() { new(time.Timer).Reset(1) })
	require.PanicsWithValue(t, "stdtime: Reset called on uninitialized Timer", func() { new(stdtime.Timer).Reset(1) })

	const isNil = "runtime error: invalid memory address or nil pointer dereference"
	require.PanicsWithError(t, isNil, func() { (*time.Timer)(nil).Stop() })
	require.PanicsWithError(t, isNil, func() { (*stdtime.Timer)(nil).Stop() })
	require.PanicsWithError(t, isNil, func() { (*time.Timer)(nil).Reset(1) })
	require.PanicsWithError(t, isNil, func() { (*stdtime.Timer)(nil).Reset(1) })

	c, _ := openClock(t, timerwheel.Options{})
	require.Panics(t, func() { c.AfterFunc(0, nil) })
	require.Panics(t, func() { stdtime.On(nil) })
}

// A Timer from AfterFunc has no channel.
func TestAFunctionsTimerHasNoChannel(t *testing.T) {
	c, _ := openClock(t, timerwheel.Options{})
	tm := c.AfterFunc(time.Hour, func() {})
	require.Nil(t, tm.C)
	require.True(t, tm.Stop())
}

// The capacity is the one difference that a program can see in a channel.
func TestTheChannelHasABuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := openClock(t, timerwheel.Options{})
		tm, tk := c.NewTimer(time.Second), c.NewTicker(time.Second)
		require.Zero(t, len(tm.C)+len(tk.C))
		sleepAndWait(time.Minute)
		for _, ch := range []<-chan time.Time{tm.C, tk.C} {
			require.Equal(t, 1, cap(ch))
			require.Len(t, ch, 1)
		}
		tm.Stop()
		tk.Stop()
		require.Zero(t, len(tm.C)+len(tk.C))
	})
}
