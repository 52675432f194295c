package stdtime_test

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
)

// These tests use real time and real goroutines, for the race detector and for races that do
// not occur in a bubble. They check nothing about lateness.

// rounds is how often a test tries: n times, or a tenth of that with -short, and on wheels with Debug,
// on which all tests run a second time.
func rounds(n int) int {
	if testing.Short() || debug {
		return n / 10
	}
	return n
}

// Stop and Reset race with the firing: if they report false, the value can be received; if
// they report true, it never comes.
func TestTheResultSaysWhetherThereIsAValue(t *testing.T) {
	for name, disarm := range map[string]func(timer) bool{
		"Stop":  timer.Stop,
		"Reset": func(tm timer) bool { return tm.Reset(time.Hour) },
	} {
		for kind, newTimer := range makers {
			t.Run(kind+"/"+name, func(t *testing.T) {
				onBoth(t, func(t *testing.T, c timeAPI) {
					var all sync.WaitGroup
					for range 50 {
						all.Go(func() {
							for range rounds(100) {
								a, fromA := newTimer(c, time.Millisecond)
								b, fromB := newTimer(c, time.Millisecond)
								select {
								case <-fromA:
								case <-fromB:
									a, fromA, b, fromB = b, fromB, a, fromA
								}
								if !disarm(b) {
									await(t, fromB, "not disarmed, so it has fired")
								} else {
									select {
									case <-fromB:
										t.Error("disarmed, and fired")
									default:
									}
								}
								a.Stop()
								b.Stop()
							}
						})
					}
					all.Wait()
				})
			})
		}
	}
}

// Until the value is received, a Stop or Reset removes the firing, whether it is to come, in
// progress or done: it reports true, and there is nothing to receive.
func TestAnUnreceivedFiringIsNeverLost(t *testing.T) {
	onBoth(t, func(t *testing.T, c timeAPI) {
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				tm, ch := c.NewTimer(0)
				for range rounds(2000) {
					spin(rand.IntN(3000))
					if rand.IntN(2) == 0 {
						if !tm.Stop() {
							t.Error("Stop reports no firing")
						}
					} else if !tm.Reset(time.Hour) {
						t.Error("Reset reports no firing")
					}
					for range 3 {
						spin(rand.IntN(300))
						select {
						case <-ch:
							t.Error("stale")
						default:
						}
					}
					tm.Reset(0)
				}
			})
		}
		all.Wait()
	})
}

// The same with a Manual wheel, whose Advance can begin at the same moment as the Stop, so that
// the Stop can come at every step of the firing. How often it does depends on chance, and so
// on how long the test runs.
func TestStopDuringAFiring(t *testing.T) {
	c, w := openClock(t, timerwheel.Options{Manual: true})
	tm, tk := c.NewTimer(0), c.NewTicker(time.Second)
	defer tk.Stop()
	var round, advanced atomic.Int64 // rounds begun, and those whose Advance has returned
	var over atomic.Bool
	var host sync.WaitGroup
	host.Go(func() {
		for !over.Load() {
			if k := round.Load(); k == advanced.Load() {
				runtime.Gosched()
			} else if _, err := w.Advance(w.Now().Add(2 * time.Second)); err != nil {
				t.Error(err)
				return
			} else {
				advanced.Store(k)
			}
		}
	})
	defer host.Wait()
	defer over.Store(true)
	for end := time.Now().Add(time.Duration(rounds(1000)) * time.Millisecond); time.Now().Before(end) && !t.Failed(); {
		tm.Reset(0)
		tk.Reset(time.Second)
		k := round.Add(1)
		if rand.IntN(20) > 0 {
			spin(rand.IntN(1000))
		} else {
			for w.Stats().Running == 0 && advanced.Load() < k {
				runtime.Gosched() // until a handler has begun
			}
		}
		if rand.IntN(2) == 0 {
			if !tm.Stop() {
				t.Error("Stop reports no firing")
			}
		} else if !tm.Reset(time.Hour) {
			t.Error("Reset reports no firing")
		}
		tk.Stop()
		for done := false; !done; {
			done = advanced.Load() == k || t.Failed()
			select {
			case <-tm.C:
				t.Error("stale, from a timer")
			case <-tk.C:
				t.Error("stale, from a ticker")
			default:
				runtime.Gosched()
			}
		}
	}
}

// spin passes a little time, about a nanosecond for each iteration.
func spin(iterations int) {
	for range iterations {
		spinLoad.Load()
	}
}

var spinLoad atomic.Int64

// One goroutine arms and another receives: each arming ends in exactly one way. Either its
// value is received, or a Stop or Reset reports that it was still to come. With package time a
// Stop and a Reset after it may both report the same firing, while it is about to send.
func TestEachArmingEndsOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, c timeAPI) {
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				tm, ch := c.NewTimer(time.Hour)
				armed, undone, received := 1, 0, 0
				done := make(chan struct{})
				over := make(chan struct{})
				go func() {
					defer close(over)
					for {
						select {
						case <-ch:
							received++
						case <-done:
							return
						}
					}
				}()
				count := func(was bool) {
					if was {
						undone++
					}
				}
				for range rounds(500) {
					switch rand.IntN(4) {
					case 0:
						count(tm.Stop())
					default:
						count(tm.Reset(rand.N(3 * time.Millisecond)))
						armed++
					}
					if rand.IntN(2) == 0 {
						time.Sleep(rand.N(2 * time.Millisecond))
					}
				}
				count(tm.Stop())
				close(done)
				<-over
				if ended := undone + received; ended < armed || ended > armed && !c.reportsTwice {
					t.Errorf("armed %d times, %d undone, %d received", armed, undone, received)
				}
			})
		}
		all.Wait()
	})
}

// The same holds for functions.
func TestEachArmingOfAFunctionEndsOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, c timeAPI) {
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				var called atomic.Int64
				tm := c.AfterFunc(time.Hour, func() { called.Add(1) })
				armed, undone := int64(1), int64(0)
				for range rounds(500) {
					var was bool
					if rand.IntN(4) == 0 {
						was = tm.Stop()
					} else {
						was = tm.Reset(rand.N(3 * time.Millisecond))
						armed++
					}
					if was {
						undone++
					}
					if rand.IntN(2) == 0 {
						time.Sleep(rand.N(2 * time.Millisecond))
					}
				}
				if tm.Stop() {
					undone++
				}
				for end := time.Now().Add(time.Minute); armed != undone+called.Load(); runtime.Gosched() {
					if time.Now().After(end) {
						t.Errorf("armed %d times, %d undone, %d called", armed, undone, called.Load())
						return
					}
				}
			})
		}
		all.Wait()
	})
}

// After Stop or Reset has returned nothing from before is received, however close the firing was.
func TestNothingStaleIsReceived(t *testing.T) {
	onBoth(t, func(t *testing.T, c timeAPI) {
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				tm, ch := c.NewTimer(0)
				tk, ticks := c.NewTicker(time.Millisecond)
				defer tk.Stop()
				for range rounds(200) {
					tm.Reset(rand.N(2 * time.Millisecond))
					time.Sleep(rand.N(2 * time.Millisecond))
					if rand.IntN(2) == 0 {
						tm.Stop()
						tk.Stop()
					} else {
						tm.Reset(time.Hour)
						tk.Reset(time.Hour)
					}
					for range 1 + rand.IntN(100) {
						select {
						case <-ch:
							t.Error("stale, from a timer")
						case <-ticks:
							t.Error("stale, from a ticker")
						default:
						}
						runtime.Gosched()
					}
					const d = 2 * time.Millisecond
					start := time.Now()
					tk.Reset(d)
					select {
					case at := <-ticks:
						if at.Sub(start) < d {
							t.Errorf("a tick %v after a Reset to %v", at.Sub(start), d)
						}
					case <-time.After(time.Minute):
						t.Error("no tick in a minute")
					}
				}
			})
		}
		all.Wait()
	})
}

// Several goroutines call all methods at once, on the same few timers. Afterwards the timers
// still work.
func TestAllMethodsConcurrently(t *testing.T) {
	onBoth(t, func(t *testing.T, c timeAPI) {
		tm, sent := c.NewTimer(time.Microsecond)
		tk, ticks := c.NewTicker(time.Microsecond)
		calls := make(chan struct{}, 1)
		fn := c.AfterFunc(time.Microsecond, func() {
			select {
			case calls <- struct{}{}:
			default:
			}
		})
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range rounds(2000) {
					d := 1 + rand.N(2*time.Millisecond)
					switch rand.IntN(9) {
					case 0:
						tm.Stop()
					case 1:
						tm.Reset(d)
					case 2:
						tk.Stop()
					case 3:
						tk.Reset(d)
					case 4:
						fn.Stop()
					case 5:
						fn.Reset(d)
					case 6:
						select {
						case <-sent:
						case <-ticks:
						case <-c.After(d):
						}
					case 7:
						select {
						case <-sent:
						case <-ticks:
						default:
						}
					case 8:
						c.Sleep(d / 16)
					}
				}
			})
		}
		all.Wait()
		tm.Reset(time.Millisecond)
		await(t, sent, "it still works")
		tk.Reset(time.Millisecond)
		await(t, ticks, "it still works")
		await(t, ticks, "it still works, a second time")
		tk.Stop()
		fn.Stop()
		for len(calls) > 0 {
			<-calls
		}
		fn.Reset(time.Millisecond)
		await(t, calls, "it still works")
	})
}

// Many goroutines wait on one ticker: each gets its ticks, and no tick is received twice. Ticks
// of a wheel's Ticker are known by their times: it fires at most once in a tick of the wheel.
func TestManyReceiversOfOneTicker(t *testing.T) {
	onBoth(t, func(t *testing.T, c timeAPI) {
		tk, ticks := c.NewTicker(100 * time.Microsecond)
		defer tk.Stop()
		var seen sync.Map
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				for range rounds(50) {
					at := await(t, ticks, "the next tick")
					if _, twice := seen.LoadOrStore(at, true); twice && !c.repeatsTimes {
						t.Errorf("%v was received twice", at)
					}
				}
			})
		}
		all.Wait()
	})
}

// A function is called even while goroutines that wake each other keep all processors busy.
func TestAFunctionIsNotStarved(t *testing.T) {
	onBoth(t, func(t *testing.T, c timeAPI) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		var stop atomic.Bool
		var both sync.WaitGroup
		ping := make(chan bool, 1)
		both.Go(func() {
			defer close(ping)
			for !stop.Load() {
				ping <- true
			}
		})
		both.Go(func() {
			for range ping {
			}
		})
		c.AfterFunc(time.Microsecond, func() { stop.Store(true) })
		both.Wait()
	})
}

// Constant garbage collections do not disturb ticks.
func TestTicksWhileTheCollectorRuns(t *testing.T) {
	onBoth(t, func(t *testing.T, c timeAPI) {
		var stop atomic.Bool
		var collector sync.WaitGroup
		collector.Go(func() {
			for !stop.Load() {
				runtime.GC()
				c.Sleep(time.Nanosecond)
			}
		})
		defer collector.Wait()
		defer stop.Store(true)
		tk, ticks := c.NewTicker(1)
		for range 100 {
			await(t, ticks, "the next tick")
		}
		tk.Stop()
	})
}

// When all timers have fired or been stopped, the wheel holds none of them, and its counters
// agree.
func TestTheWheelKeepsNoTimer(t *testing.T) {
	c, w := openClock(t, timerwheel.Options{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range rounds(1000) {
				tm := c.AfterFunc(rand.N(time.Millisecond), func() {})
				tm.Reset(rand.N(time.Millisecond))
				tk := c.NewTicker(1 + rand.N(time.Millisecond))
				tk.Reset(1 + rand.N(time.Millisecond))
				tk.Stop()
				c.Sleep(rand.N(time.Microsecond))
			}
		})
	}
	all.Wait()
	require.Eventually(t, func() bool { return w.Stats().Live == 0 }, time.Minute, time.Millisecond)
	s := w.Stats()
	require.Equal(t, s.Registered, s.Fired+s.Removed+uint64(s.Pending))
}

// Nothing is early: a Reset that reports true has prevented the old firing, also one that the
// wheel has taken already, so f is called when the new duration has passed.
func TestAFiringInFlightIsNotTakenForTheOneThatResetArms(t *testing.T) {
	const n, d = 200, 100 * time.Millisecond
	c, _ := openClock(t, timerwheel.Options{})
	inTime := 0
	for range rounds(10) {
		start := time.Now()
		var called [n]atomic.Int64 // the first call, after start
		all := make([]func(time.Duration) bool, n)
		for k := range n {
			all[k] = c.AfterFunc(5*time.Millisecond, func() { called[k].CompareAndSwap(0, int64(time.Since(start))) }).Reset
		}
		time.Sleep(time.Until(start.Add(5 * time.Millisecond)))
		var reset [n]time.Duration
		for k, to := range all {
			if at := time.Since(start); to(d) {
				reset[k] = at
				inTime++
			}
		}
		for k, at := range reset {
			require.Eventually(t, func() bool { return called[k].Load() > 0 }, time.Minute, time.Millisecond)
			if at > 0 {
				require.GreaterOrEqual(t, time.Duration(called[k].Load()), at+d)
			}
		}
	}
	t.Logf("%d of them were reset in time", inTime)
}
