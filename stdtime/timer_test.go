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

// What is sent is the time of the firing, not that of the receive.
func TestATimerSendsTheTimeOfItsFiring(t *testing.T) {
	inBubbles(t, func(t *testing.T, c face) {
		for _, d := range []time.Duration{-time.Hour, 0, 1, tick, 10*tick + 1, time.Second, time.Hour, 1000 * time.Hour} {
			start := time.Now()
			_, ch := c.NewTimer(d)
			after := c.After(d)
			rest(max(d, 0) + time.Minute)
			c.requireAt(t, start.Add(max(d, 0)), requireValue(t, ch, "after a minute"))
			c.requireAt(t, start.Add(max(d, 0)), requireValue(t, after, "after a minute"))
			rest(time.Hour)
			requireSilent(t, ch, "a timer fires once")
		}
	})
}

// A receive that waits gets the value when the timer fires.
func TestAReceiverThatWaitsIsWoken(t *testing.T) {
	inBubbles(t, func(t *testing.T, c face) {
		start := time.Now()
		c.requireAt(t, start.Add(time.Second), <-c.After(time.Second))
		c.requireAt(t, start.Add(time.Second), time.Now())
	})
}

// Of several that wait on one channel, one gets the value.
func TestOneOfSeveralReceiversIsWoken(t *testing.T) {
	inBubbles(t, func(t *testing.T, c face) {
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
		rest(time.Minute)
		require.EqualValues(t, 1, got.Load())
		require.False(t, tm.Stop(), "it has fired")
		require.False(t, tm.Reset(time.Second))
		require.True(t, tm.Stop())
		rest(time.Minute)
		require.EqualValues(t, 1, got.Load(), "stopped while they wait")
		close(stop)
	})
}

// The whole table of Stop and Reset: what they report, and what comes of it, in each state
// of the timer.
func TestStopAndReset(t *testing.T) {
	const d = time.Second
	states := []struct {
		name  string
		reach func(t *testing.T, tm timer, ch <-chan time.Time)
		// Whether the firing is still to come; that of NewTimer's is, until it is received.
		pending map[string]bool
	}{
		{"pending", func(*testing.T, timer, <-chan time.Time) {}, map[string]bool{"NewTimer": true, "AfterFunc": true}},
		{"fired", func(_ *testing.T, _ timer, ch <-chan time.Time) { rest(2 * d) }, map[string]bool{"NewTimer": true, "AfterFunc": false}},
		{"fired and received", func(t *testing.T, _ timer, ch <-chan time.Time) { rest(2 * d); requireValue(t, ch, "fired") }, nil},
		{"stopped", func(t *testing.T, tm timer, _ <-chan time.Time) { require.True(t, tm.Stop()) }, nil},
		{"stopped twice", func(t *testing.T, tm timer, _ <-chan time.Time) {
			require.True(t, tm.Stop())
			require.False(t, tm.Stop())
		}, nil},
		{"reset", func(t *testing.T, tm timer, _ <-chan time.Time) { require.True(t, tm.Reset(d)) }, map[string]bool{"NewTimer": true, "AfterFunc": true}},
		{"reset, fired and received", func(t *testing.T, tm timer, ch <-chan time.Time) {
			require.True(t, tm.Reset(d/2))
			rest(d)
			requireValue(t, ch, "fired")
		}, nil},
	}
	for name, newTimer := range makers {
		for _, s := range states {
			t.Run(name+"/"+s.name+"/Stop", func(t *testing.T) {
				inBubbles(t, func(t *testing.T, c face) {
					tm, ch := newTimer(c, d)
					s.reach(t, tm, ch)
					require.Equal(t, s.pending[name], tm.Stop())
					if name == "AfterFunc" && s.name == "fired" {
						requireValue(t, ch, "not the timer's to take back")
					}
					requireSilent(t, ch, "stopped")
					require.False(t, tm.Stop(), "twice")
					rest(time.Hour)
					requireSilent(t, ch, "stopped long ago")

					require.False(t, tm.Reset(d), "stopped, and armed again")
					rest(d - tick)
					requireSilent(t, ch, "early")
					rest(3 * tick)
					requireValue(t, ch, "armed again")
				})
			})
			t.Run(name+"/"+s.name+"/Reset", func(t *testing.T) {
				inBubbles(t, func(t *testing.T, c face) {
					tm, ch := newTimer(c, d)
					s.reach(t, tm, ch)
					start := time.Now()
					require.Equal(t, s.pending[name], tm.Reset(3*d))
					if name == "AfterFunc" && s.name == "fired" {
						requireValue(t, ch, "not the timer's to take back")
					}
					requireSilent(t, ch, "armed anew: nothing stale")
					rest(3*d - tick)
					requireSilent(t, ch, "early: the old firing?")
					rest(3 * tick)
					c.requireAt(t, start.Add(3*d), requireValue(t, ch, "armed anew"))
					rest(time.Hour)
					requireSilent(t, ch, "twice")
					require.False(t, tm.Stop())
				})
			})
		}
	}
}

// Moved to the past or to now, from anywhere, again and again, it fires, and at once.
func TestResetToThePastFiresAtOnce(t *testing.T) {
	past := time.Until(time.Unix(0, 0))
	for name, newTimer := range makers {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, c face) {
				for range 200 {
					tm, ch := newTimer(c, time.Hour)
					for range 10 {
						if !tm.Stop() {
							await(t, ch, "fired, by its Stop")
						}
						tm.Reset(past)
					}
					start := time.Now()
					await(t, ch, "in the past")
					require.Less(t, time.Since(start), 10*time.Second)
				}
			})
		})
	}
}

// Many timers, each through its life, in no order: none is lost when the others move.
func TestTimersDoNotDisturbEachOther(t *testing.T) {
	for name, newTimer := range makers {
		t.Run(name, func(t *testing.T) {
			inBubbles(t, func(t *testing.T, c face) {
				var all sync.WaitGroup
				for k := range 100 {
					all.Go(func() {
						time.Sleep(time.Duration(k*37%100) * 10 * time.Millisecond)
						tm, ch := newTimer(c, 0)
						<-ch
						for _, away := range []time.Duration{time.Minute, 3 * time.Minute, 2 * time.Minute} {
							if tm.Reset(away) {
								t.Errorf("%v: still to come after it was received or stopped", away)
							}
							time.Sleep(time.Second)
							if !tm.Stop() {
								t.Errorf("%v: gone", away)
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
	slots := []int{5, 3, 6, 6, 6, 1, 1, 2, 7, 9, 4, 8, 0}
	for name, newTimer := range makers {
		t.Run(name, func(t *testing.T) {
			inBubbles(t, func(t *testing.T, c face) {
				start := time.Now()
				type arrival struct {
					slot int
					at   time.Time
				}
				arrivals := make(chan arrival, len(slots))
				for _, slot := range slots {
					_, ch := newTimer(c, time.Duration(slot)*time.Second)
					go func() { arrivals <- arrival{slot, <-ch} }()
				}
				last := 0
				for range slots {
					a := <-arrivals
					require.GreaterOrEqual(t, a.slot, last)
					last = a.slot
					c.requireAt(t, start.Add(time.Duration(a.slot)*time.Second), a.at)
				}
			})
		})
	}
}

// f may make the next timer, and go on for longer than that takes.
func TestAFunctionMayMakeTheNextTimer(t *testing.T) {
	inBubbles(t, func(t *testing.T, c face) {
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
		require.Less(t, time.Since(start), time.Second, "none waits for the one that made it")
		rest(time.Minute)
	})
}

// f may stop and reset its own timer.
func TestAFunctionMayResetItsOwnTimer(t *testing.T) {
	inBubbles(t, func(t *testing.T, c face) {
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
		rest(time.Minute)
		require.Empty(t, calls)
	})
}

// Stop does not wait for f, nor does Reset; the calls of f may overlap.
func TestResetWhileTheFunctionRuns(t *testing.T) {
	inBubbles(t, func(t *testing.T, c face) {
		var running atomic.Int32
		finish := make(chan struct{})
		tm := c.AfterFunc(time.Second, func() {
			running.Add(1)
			<-finish
			running.Add(-1)
		})
		rest(time.Minute)
		require.False(t, tm.Stop())
		require.EqualValues(t, 1, running.Load(), "Stop has not waited")
		for n := range int32(3) {
			require.False(t, tm.Reset(time.Second))
			rest(time.Minute)
			require.Equal(t, n+2, running.Load())
		}
		require.False(t, tm.Reset(time.Hour))
		require.True(t, tm.Reset(time.Hour))
		require.True(t, tm.Stop())
		close(finish)
		rest(2 * time.Hour)
		require.Zero(t, running.Load())
	})
}

// Functions that block hold up neither each other nor channels.
func TestFunctionsThatBlockHoldUpNobody(t *testing.T) {
	inBubbles(t, func(t *testing.T, c face) {
		finish := make(chan struct{})
		var blocked atomic.Int32
		for range 100 {
			c.AfterFunc(time.Second, func() { blocked.Add(1); <-finish })
		}
		_, ch := c.NewTimer(time.Second)
		rest(time.Second + 5*tick)
		require.EqualValues(t, 100, blocked.Load())
		requireValue(t, ch, "due with them")
		close(finish)
	})
}

// A d too large for the clock is never, and harms no other timer; one too small is now.
func TestDurationsBeyondTheClock(t *testing.T) {
	inBubbles(t, func(t *testing.T, c face) {
		asleep := make(chan struct{})
		tm, never := c.NewTimer(math.MaxInt64)
		f := c.AfterFunc(math.MaxInt64, func() { t.Error("never has come") })
		rest(time.Hour)
		requireSilent(t, never, "never")
		require.True(t, tm.Reset(math.MaxInt64))
		require.True(t, f.Reset(math.MaxInt64))
		go func() { c.Sleep(math.MinInt64); close(asleep) }()
		synctest.Wait()
		<-asleep
		c.requireAt(t, time.Now(), <-c.After(math.MinInt64))
		rest(1000 * time.Hour)
		require.True(t, tm.Stop())
		require.True(t, f.Stop())
	})
}

// Sleep lasts d; not at all, if d is not positive.
func TestSleep(t *testing.T) {
	inBubbles(t, func(t *testing.T, c face) {
		for _, d := range []time.Duration{-1, 0, 1, tick, time.Second, time.Hour} {
			start := time.Now()
			c.Sleep(d)
			c.requireAt(t, start.Add(max(d, 0)), time.Now())
		}
	})
	onBoth(t, func(t *testing.T, c face) {
		const d = 20 * time.Millisecond
		start := time.Now()
		c.Sleep(d)
		require.GreaterOrEqual(t, time.Since(start), d)
	})
}

// Misuse panics as it does with package time.
func TestTimersThatNobodyMade(t *testing.T) {
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

// The one difference that a program can see in a channel.
func TestTheChannelHasABuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := openClock(t, timerwheel.Options{})
		tm, tk := c.NewTimer(time.Second), c.NewTicker(time.Second)
		require.Zero(t, len(tm.C)+len(tk.C))
		rest(time.Minute)
		for _, ch := range []<-chan time.Time{tm.C, tk.C} {
			require.Equal(t, 1, cap(ch))
			require.Len(t, ch, 1)
		}
		tm.Stop()
		tk.Stop()
		require.Zero(t, len(tm.C)+len(tk.C))
	})
}
