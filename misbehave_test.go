package timerwheel_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// crashVariable names, in the environment of a child process, the way in which it is to crash.
const crashVariable = "TIMERWHEEL_TEST_CRASH"

var errCrash = errors.New("crash on purpose")

func crashingHandler(timerwheel.Timer) { panic("crash on purpose") }
func crashingFunction()                { panic("crash on purpose") }
func crashingWithAnError()             { panic(errCrash) }
func crashingInTheRuntime()            { os.Args = os.Args[len(os.Args)+1:] }
func crashingWithNil()                 { panic(nil) }

// crashingLock is a user's Locker that fails.
type crashingLock struct{}

func (crashingLock) Lock()   { panic("crash on purpose") }
func (crashingLock) Unlock() {}

// crashes are the ways to crash a program that uses a wheel. The trace must show the
// function that panicked.
var crashes = map[string]struct {
	o        timerwheel.Options
	arrange  func(w *timerwheel.Wheel)
	says     string // a regular expression
	function string
}{
	// The standard: whatever is asked of the wheel's crashes below must hold of this one,
	// which has no wheel in it.
	"time.AfterFunc": {arrange: func(*timerwheel.Wheel) { time.AfterFunc(0, crashingFunction) }, says: "crash on purpose", function: "crashingFunction"},

	"Alloc":       {arrange: func(w *timerwheel.Wheel) { armed(w.Alloc(crashingHandler), 0) }, says: "crash on purpose", function: "crashingHandler"},
	"AfterFunc":   {arrange: func(w *timerwheel.Wheel) { w.AfterFunc(time.Millisecond, crashingFunction) }, says: "crash on purpose", function: "crashingFunction"},
	"Every":       {arrange: func(w *timerwheel.Wheel) { w.Every(time.Millisecond, crashingHandler) }, says: "crash on purpose", function: "crashingHandler"},
	"AllocLocked": {arrange: func(w *timerwheel.Wheel) { armed(w.AllocLocked(new(sync.Mutex), crashingHandler), 0) }, says: "crash on purpose", function: "crashingHandler"},
	"a member":    {arrange: func(w *timerwheel.Wheel) { w.NewGroup().AfterFunc(0, crashingFunction) }, says: "crash on purpose", function: "crashingFunction"},
	"an error":    {arrange: func(w *timerwheel.Wheel) { w.AfterFunc(0, crashingWithAnError) }, says: "crash on purpose", function: "crashingWithAnError"},
	"the runtime": {arrange: func(w *timerwheel.Wheel) { w.AfterFunc(0, crashingInTheRuntime) }, says: `runtime error: slice bounds out of range .*`, function: "crashingInTheRuntime"},
	"panic(nil)":  {arrange: func(w *timerwheel.Wheel) { w.AfterFunc(0, crashingWithNil) }, says: `panic called with nil argument( \(use .*\))?`, function: "crashingWithNil"},
	"everything watched": {
		o:       timerwheel.Options{MaxWorkers: 1, Debug: true, OnStall: func(timerwheel.Stall) {}},
		arrange: func(w *timerwheel.Wheel) { w.AfterFunc(0, crashingFunction) }, says: "crash on purpose", function: "crashingFunction",
	},
	"while others wait": {
		arrange: func(w *timerwheel.Wheel) {
			begun := make(chan struct{})
			tm := w.AfterFunc(0, func() {
				close(begun)
				time.Sleep(50 * time.Millisecond)
				crashingFunction()
			})
			<-begun
			tm.DelAsync(func() {})
			go func() { _, _ = tm.DelSync() }()
			go func() { _ = w.Close() }()
		}, says: "crash on purpose", function: "crashingFunction",
	},

	// OnPanic is told of handlers. What else the user gives the wheel to call is no
	// handler, and its panic is nobody's to swallow.
	"done, in spite of OnPanic": {
		o:       timerwheel.Options{OnPanic: func(timerwheel.HandlerPanic) {}},
		arrange: func(w *timerwheel.Wheel) { w.Alloc(func(timerwheel.Timer) {}).DelAsync(crashingFunction) },
		says:    "crash on purpose", function: "crashingFunction",
	},
	"the user's lock, in spite of OnPanic": {
		o:       timerwheel.Options{OnPanic: func(timerwheel.HandlerPanic) {}},
		arrange: func(w *timerwheel.Wheel) { armed(w.AllocLocked(crashingLock{}, func(timerwheel.Timer) {}), 0) },
		says:    "crash on purpose", function: "crashingLock.Lock",
	},
}

// Contract 11: "Panic: without OnPanic the program crashes as with time.AfterFunc, the
// trace showing the handler." Each way to crash is tried in a child.
func TestAPanicWithoutOnPanicCrashesTheProgram(t *testing.T) {
	if name := os.Getenv(crashVariable); name != "" {
		c := crashes[name]
		w, err := timerwheel.New(c.o)
		if err != nil {
			os.Exit(3)
		}
		c.arrange(w)
		time.Sleep(20 * time.Second) // the crash comes meanwhile
		os.Exit(4)
	}
	program, err := os.Executable()
	require.NoError(t, err)
	for name, c := range crashes {
		t.Run(name, func(t *testing.T) {
			child := exec.Command(program, "-test.run=^TestAPanicWithoutOnPanicCrashesTheProgram$")
			child.Env = append(os.Environ(), crashVariable+"="+name, "GOTRACEBACK=single")
			output, err := child.CombinedOutput()
			out := string(output)
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit, "%s", out)
			require.Equal(t, 2, exit.ExitCode(), "the status of a panic:\n%s", out)

			// Not recovered on the way, which the runtime would say in this line.
			require.Regexp(t, `(?m)^panic: `+c.says+`$`, out)
			// The trace of the goroutine that crashed ends at the first empty line.
			_, trace, _ := strings.Cut(out, "[running]:\n")
			trace, _, _ = strings.Cut(trace, "\n\n")
			require.Contains(t, trace, "timerwheel_test."+c.function+"(")
			require.Contains(t, trace, "misbehave_test.go:")
		})
	}
}

// Contract 11: "With it: the running slot is cleared and waiters released first, then
// OnPanic is called on the worker, which goes on."
func TestWaitersAreReleasedBeforeOnPanicIsCalled(t *testing.T) {
	for _, kind := range timerKinds {
		t.Run(kind.name, func(t *testing.T) {
			guardedBubble(t, func(t *testing.T) {
				var w *timerwheel.Wheel
				var bad timerwheel.Timer
				begun, release := make(chan struct{}), openedAtTheEnd(t)
				reported, resume := make(chan struct{}), openedAtTheEnd(t)
				w = openWheel(t, timerwheel.Options{MaxWorkers: 1, OnPanic: func(p timerwheel.HandlerPanic) {
					assert.Equal(t, bad, p.Timer)
					assert.Equal(t, "on purpose", p.Value)
					assert.False(t, bad.Running())
					assert.Empty(t, w.Running())
					assert.Zero(t, w.Stats().Running)
					found, err := bad.DelSync()
					assert.NoError(t, err, "the run is over, and OnPanic is not the handler")
					assert.Zero(t, found)
					close(reported)
					<-resume
				}})
				l := newDurableLock()
				handed := make(chan timerwheel.Timer, 1)
				handed <- kind.arm(w, l, time.Millisecond, func(timerwheel.Timer) {
					close(begun)
					<-release
					panic("on purpose")
				})
				bad = <-handed
				<-begun
				var waiters []<-chan struct{}
				for _, del := range []func() (timerwheel.Found, error){bad.DelSync, func() (timerwheel.Found, error) { return bad.DelSyncContext(t.Context()) }} {
					waiters = append(waiters, inBackground(func() {
						found, err := del()
						assert.NoError(t, err)
						assert.True(t, found.Running)
					}))
					synctest.Wait()
				}
				done := make(chan struct{})
				bad.DelAsync(func() { close(done) })
				require.Equal(t, 3, w.Running()[0].Waiters)
				close(release)
				<-reported
				synctest.Wait()
				for _, c := range waiters {
					require.True(t, isClosed(c), "a waiter waits although OnPanic has been called")
				}
				require.True(t, l.isFree())
				if bad.Valid() {
					require.NoError(t, bad.Register(time.Hour), "the refusal ends with the run")
				}
				close(resume)
				<-done

				// The one worker goes on.
				fired := make(chan struct{})
				w.AfterFunc(0, func() { close(fired) })
				<-fired
			})
		})
	}
}

// Contract 11: OnPanic is called "on the worker, which goes on": with one worker, many
// panics at one instant, and something behind them.
func TestTheWorkerGoesOnAfterOnPanic(t *testing.T) {
	for _, workers := range []int{1, 4} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			guardedBubble(t, func(t *testing.T) {
				var mu sync.Mutex
				on := map[int]string{} // the goroutine of each handler
				calls := 0
				w := openWheel(t, timerwheel.Options{MaxWorkers: workers, OnPanic: func(p timerwheel.HandlerPanic) {
					mu.Lock()
					defer mu.Unlock()
					assert.Equal(t, on[p.Value.(int)], goroutineName(), "on the worker that ran the handler")
					delete(on, p.Value.(int))
					calls++
				}})
				for i := range 100 {
					w.AfterFunc(time.Millisecond, func() {
						mu.Lock()
						on[i] = goroutineName()
						mu.Unlock()
						panic(i)
					})
				}
				ran := w.Alloc(func(timerwheel.Timer) {})
				require.NoError(t, ran.Register(2*time.Millisecond))
				time.Sleep(10 * time.Millisecond)
				synctest.Wait()
				require.Equal(t, 100, calls)
				require.Empty(t, on)
				s := w.Stats()
				require.EqualValues(t, 101, s.Fired)
				require.Zero(t, s.Running)
				require.Zero(t, s.Workers)
				require.Equal(t, 1, s.Live)
				countsAddUp(t, w)
			})
		})
	}
}

// Contract 2: HandlerPanic names the timer and carries the value and the stack of the
// handler; "the last two with Debug: file:line".
func TestHandlerPanicSaysWhatHappenedAndWhere(t *testing.T) {
	type site = string
	f := panickingHandler
	// Each case makes and arms a timer, and tells in which lines.
	cases := map[string]func(w *timerwheel.Wheel) (tm timerwheel.Timer, allocated, registered site){
		"Alloc, Register": func(w *timerwheel.Wheel) (timerwheel.Timer, site, site) {
			tm, a := w.Alloc(f), siteHere()
			_, r := tm.Register(0), siteHere()
			return tm, a, r
		},
		"AllocLocked, RegisterAt": func(w *timerwheel.Wheel) (timerwheel.Timer, site, site) {
			tm, a := w.AllocLocked(newDurableLock(), f), siteHere()
			_, r := tm.RegisterAt(time.Now()), siteHere()
			return tm, a, r
		},
		"Reduce": func(w *timerwheel.Wheel) (timerwheel.Timer, site, site) {
			tm, a := w.Alloc(f), siteHere()
			_, r := tm.Reduce(0), siteHere()
			return tm, a, r
		},
		"Reset": func(w *timerwheel.Wheel) (timerwheel.Timer, site, site) {
			tm, a := w.Alloc(f), siteHere()
			_, r := tm.Reset(0), siteHere()
			return tm, a, r
		},
		"moved": func(w *timerwheel.Wheel) (timerwheel.Timer, site, site) {
			tm, a := armed(w.Alloc(f), time.Hour), ""
			_, r := tm.Register(0), siteHere()
			return tm, a, r
		},
		"AfterFunc": func(w *timerwheel.Wheel) (timerwheel.Timer, site, site) {
			tm, a := w.AfterFunc(time.Millisecond, func() { f(timerwheel.Timer{}) }), siteHere()
			return tm, a, a
		},
		"Every": func(w *timerwheel.Wheel) (timerwheel.Timer, site, site) {
			tm, a := w.Every(time.Millisecond, f), siteHere()
			return tm, a, a
		},
		"Group.Alloc": func(w *timerwheel.Wheel) (timerwheel.Timer, site, site) {
			tm, a := w.NewGroup().Alloc(f), siteHere()
			_, r := tm.Register(0), siteHere()
			return tm, a, r
		},
		"Group.AllocLocked": func(w *timerwheel.Wheel) (timerwheel.Timer, site, site) {
			tm, a := w.NewGroup().AllocLocked(newDurableLock(), f), siteHere()
			_, r := tm.Register(0), siteHere()
			return tm, a, r
		},
		"Group.AfterFunc": func(w *timerwheel.Wheel) (timerwheel.Timer, site, site) {
			tm, a := w.NewGroup().AfterFunc(time.Millisecond, func() { f(timerwheel.Timer{}) }), siteHere()
			return tm, a, a
		},
		"Group.Every": func(w *timerwheel.Wheel) (timerwheel.Timer, site, site) {
			tm, a := w.NewGroup().Every(time.Millisecond, f), siteHere()
			return tm, a, a
		},
	}
	for name, arrange := range cases {
		for _, debug := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/debug %v", name, debug), func(t *testing.T) {
				guardedBubble(t, func(t *testing.T) {
					reports := make(chan timerwheel.HandlerPanic, 1)
					w := openWheel(t, timerwheel.Options{Debug: debug, OnPanic: func(p timerwheel.HandlerPanic) {
						p.Timer.Del() // ends the series
						reports <- p
					}})
					tm, allocated, registered := arrange(w)
					p := <-reports
					require.Equal(t, tm, p.Timer)
					require.Same(t, errCrash, p.Value)
					require.Contains(t, string(p.Stack), "timerwheel_test.panickingHandler(")
					require.Contains(t, string(p.Stack), "misbehave_test.go:")
					if !debug {
						require.Empty(t, p.AllocatedAt)
						require.Empty(t, p.RegisteredAt)
						return
					}
					if allocated == "" { // in a helper of the test
						require.Regexp(t, `_test\.go:\d+$`, p.AllocatedAt)
					} else {
						requireSite(t, allocated, p.AllocatedAt)
					}
					requireSite(t, registered, p.RegisteredAt)
				})
			})
		}
	}
}

// The same, when it was the handler itself that armed the timer for the run that panics.
func TestHandlerPanicNamesTheHandlersOwnRegister(t *testing.T) {
	guardedBubble(t, func(t *testing.T) {
		reports := make(chan timerwheel.HandlerPanic, 1)
		w := openWheel(t, timerwheel.Options{Debug: true, OnPanic: func(p timerwheel.HandlerPanic) { reports <- p }})
		again := ""
		tm := w.Alloc(func(tm timerwheel.Timer) {
			if again == "" {
				_, again = tm.Register(0), siteHere()
				return
			}
			panickingHandler(tm)
		})
		require.NoError(t, tm.Register(0))
		p := <-reports
		requireSite(t, again, p.RegisteredAt)
	})
}

// Contract 11: any value that a handler panics with is OnPanic's, nil included.
func TestOnPanicIsGivenEveryValue(t *testing.T) {
	var fault runtime.Error
	var none *runtime.PanicNilError
	cases := map[string]struct {
		handler func()
		check   func(t *testing.T, v any)
	}{
		"a string": {crashingFunction, func(t *testing.T, v any) { require.Equal(t, "crash on purpose", v) }},
		"an error": {crashingWithAnError, func(t *testing.T, v any) { require.Same(t, errCrash, v) }},
		"the runtime's": {crashingInTheRuntime, func(t *testing.T, v any) {
			err, _ := v.(error)
			require.ErrorAs(t, err, &fault)
		}},
		"nil": {crashingWithNil, func(t *testing.T, v any) {
			err, _ := v.(error)
			require.ErrorAs(t, err, &none)
		}},
		"a second panic": {func() {
			defer func() { panic("the second") }()
			panic("the first")
		}, func(t *testing.T, v any) { require.Equal(t, "the second", v) }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			guardedBubble(t, func(t *testing.T) {
				values := make(chan any, 2)
				w := openWheel(t, timerwheel.Options{OnPanic: func(p timerwheel.HandlerPanic) { values <- p.Value }})
				w.AfterFunc(0, c.handler)
				c.check(t, <-values)
				synctest.Wait()
				require.Empty(t, values, "one panic, one call")
				require.EqualValues(t, 1, w.Stats().Fired)
			})
		})
	}
}

// Contract 11: a handler that recovers its own panic has not panicked.
func TestAPanicThatTheHandlerRecoversIsItsOwn(t *testing.T) {
	guardedBubble(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{OnPanic: func(p timerwheel.HandlerPanic) { t.Errorf("called for %v", p.Value) }})
		w.AfterFunc(0, func() {
			defer func() { assert.Equal(t, "on purpose", recover()) }()
			panic("on purpose")
		})
		time.Sleep(time.Second)
		require.EqualValues(t, 1, w.Stats().Fired)
	})
}

// Contract 11 with 3 and 7: what a handler armed before it misbehaved stays armed, and a
// series survives both a panic and a Goexit.
func TestWhatIsArmedSurvivesAHandlerThatMisbehaves(t *testing.T) {
	for how, misbehave := range misbehaviours {
		t.Run(how, func(t *testing.T) {
			guardedBubble(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{MaxWorkers: 1, OnPanic: func(timerwheel.HandlerPanic) {}})
				start := time.Now()
				var runs int
				again := w.Alloc(func(tm timerwheel.Timer) {
					if runs++; runs < 3 {
						assert.NoError(t, tm.Register(0))
						misbehave()
					}
				})
				require.NoError(t, again.Register(0))
				time.Sleep(time.Second)
				synctest.Wait()
				require.Equal(t, 3, runs)

				var at []time.Duration
				start = start.Add(time.Second)
				series := w.Every(10*time.Millisecond, func(timerwheel.Timer) {
					at = append(at, time.Since(start).Truncate(10*time.Millisecond))
					misbehave()
				})
				time.Sleep(55 * time.Millisecond)
				found, err := series.DelSync()
				require.NoError(t, err)
				require.Equal(t, timerwheel.Found{Pending: true}, found)
				require.Equal(t, []time.Duration{10e6, 20e6, 30e6, 40e6, 50e6}, at)
				countsAddUp(t, w)
			})
		})
	}
}

// misbehaviours are the ways not to return. The last two are both at once: whichever of the
// two the wheel takes them for, it must not be misled about which goroutines it has.
var misbehaviours = map[string]func(){
	"panic":  func() { panic("on purpose") },
	"Goexit": runtime.Goexit,
	"Goexit in a panic": func() {
		defer runtime.Goexit()
		panic("on purpose")
	},
	"panic in a Goexit": func() {
		defer func() { panic("on purpose") }()
		runtime.Goexit()
	},
}

// Contract 11: "runtime.Goexit (t.FailNow in a handler): slot cleared, waiters released,
// worker replaced." With OnPanic and without: a wheel that recovers panics and one that
// does not come by different ways to the end of such a run.
func TestGoexitClearsTheSlotReleasesTheWaitersAndReplacesTheWorker(t *testing.T) {
	for _, kind := range timerKinds {
		for _, workers := range []int{1, 4} {
			for name, onPanic := range map[string]func(timerwheel.HandlerPanic){
				"without OnPanic": nil,
				"with OnPanic":    func(p timerwheel.HandlerPanic) { panic("a Goexit is no panic") },
			} {
				t.Run(fmt.Sprintf("%s/%d/%s", kind.name, workers, name), func(t *testing.T) {
					guardedBubble(t, func(t *testing.T) {
						w, l := openWheel(t, timerwheel.Options{MaxWorkers: workers, OnPanic: onPanic}), newDurableLock()
						begun, release := make(chan struct{}), openedAtTheEnd(t)
						bad := kind.arm(w, l, time.Millisecond, func(timerwheel.Timer) {
							close(begun)
							<-release
							runtime.Goexit()
						})
						<-begun
						var rest atomic.Int32
						for range 20 {
							w.AfterFunc(0, func() { rest.Add(1) })
						}
						deleted := inBackground(func() {
							found, err := bad.DelSync()
							assert.NoError(t, err)
							assert.True(t, found.Running)
						})
						bounded := inBackground(func() {
							_, err := bad.DelSyncContext(t.Context())
							assert.NoError(t, err)
						})
						done := make(chan struct{})
						synctest.Wait()
						bad.DelAsync(func() { close(done) })
						close(release)
						<-deleted
						<-bounded
						<-done
						require.False(t, bad.Running())
						require.True(t, l.isFree())
						time.Sleep(5 * time.Millisecond)
						require.Empty(t, w.Running())
						require.EqualValues(t, 20, rest.Load(), "the worker has been replaced")
						require.Zero(t, w.Stats().Workers)
						if bad.Valid() {
							require.NoError(t, bad.Register(time.Hour), "the refusal ends with the run")
						}
						countsAddUp(t, w)
						require.NoError(t, w.Close())
					})
				})
			}
		}
	}
}

// Contract 11: "worker replaced", as often as it takes, at one instant, with one worker;
// and what stands behind runs in time.
func TestManyHandlersThatMisbehaveAtOnce(t *testing.T) {
	for how, misbehave := range misbehaviours {
		for _, workers := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s/%d", how, workers), func(t *testing.T) {
				guardedBubble(t, func(t *testing.T) {
					goroutines := runtime.NumGoroutine()
					w := openWheel(t, timerwheel.Options{MaxWorkers: workers, OnPanic: func(timerwheel.HandlerPanic) {}})
					const timers = 200
					var begun, late atomic.Int32
					due := time.Now().Add(time.Millisecond)
					for i := range timers {
						w.AfterFunc(time.Millisecond, func() {
							begun.Add(1)
							if time.Since(due) > 2*time.Millisecond {
								late.Add(1)
							}
							if i%10 != 9 {
								misbehave()
							}
						})
					}
					time.Sleep(time.Second)
					require.EqualValues(t, timers, begun.Load())
					require.Zero(t, late.Load(), "no handler blocked, so none has an excuse")
					s := w.Stats()
					require.Zero(t, s.Workers)
					require.Zero(t, s.Live)
					noMoreGoroutinesThan(t, goroutines)
					require.NoError(t, w.Close())
				})
			})
		}
	}
}

// Contract 11: when a handler that held the only worker ends by Goexit, or by a panic, what
// waited for the worker runs.
func TestTheLastWorkerIsReplaced(t *testing.T) {
	for how, misbehave := range misbehaviours {
		t.Run(how, func(t *testing.T) {
			guardedBubble(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{MaxWorkers: 1, OnPanic: func(timerwheel.HandlerPanic) {}})
				release := openedAtTheEnd(t)
				w.AfterFunc(0, func() {
					<-release
					misbehave()
				})
				time.Sleep(10 * time.Millisecond)
				var ran atomic.Int32
				for i := range 5 {
					w.AfterFunc(time.Duration(i)*time.Millisecond, func() { ran.Add(1) })
				}
				time.Sleep(time.Hour)
				require.Zero(t, ran.Load())
				close(release)
				time.Sleep(2 * time.Millisecond)
				require.EqualValues(t, 5, ran.Load())
			})
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
				guardedBubble(t, func(t *testing.T) {
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

// Contract 11, the same where the blocked handlers wait for what other timers do: a chain
// of timers, each armed and awaited by the one before.
func TestAHandlerMayWaitForAnotherTimer(t *testing.T) {
	for _, d := range []time.Duration{0, time.Millisecond, time.Minute} {
		t.Run(d.String(), func(t *testing.T) {
			guardedBubble(t, func(t *testing.T) {
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
				guardedBubble(t, func(t *testing.T) {
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
			guardedBubble(t, func(t *testing.T) {
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
				guardedBubble(t, func(t *testing.T) {
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

// Contract 2: "MaxWorkers: most handlers running at once; 0 means a documented default",
// 256: and, while there is need, that many do run.
func TestAsManyHandlersRunAsThereAreWorkers(t *testing.T) {
	for workers, want := range map[int]int{0: 256, 1: 1, 2: 2, 17: 17, 1000: 1000} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			guardedBubble(t, func(t *testing.T) {
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

// Contract 11: "Works inside a testing/synctest bubble with the fake clock": timers of all
// distances are exact to two ticks there.
func TestTimersAreOnTimeInABubble(t *testing.T) {
	for _, tick := range []time.Duration{time.Microsecond, time.Millisecond, time.Second} {
		t.Run(tick.String(), func(t *testing.T) {
			guardedBubble(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{Tick: tick})
				var ran sync.WaitGroup
				for d := time.Duration(1); d < 200*24*time.Hour; d = d*2 + 1 {
					ran.Add(1)
					begin := time.Now()
					w.AfterFunc(d, func() {
						late := time.Since(begin) - d
						assert.True(t, 0 <= late && late <= 2*tick, "%v: late by %v", d, late)
						ran.Done()
					})
				}
				ran.Wait()
			})
		})
	}
}

// Contract 11: "waits durably blocking": in a bubble, whoever waits for a handler lets the
// clock run that the handler waits for.
func TestEveryWaitIsDurablyBlocking(t *testing.T) {
	waits := map[string]func(w *timerwheel.Wheel, g *timerwheel.Group, tm timerwheel.Timer) error{
		"DelSync": func(_ *timerwheel.Wheel, _ *timerwheel.Group, tm timerwheel.Timer) error {
			_, err := tm.DelSync()
			return err
		},
		"Shutdown": func(_ *timerwheel.Wheel, _ *timerwheel.Group, tm timerwheel.Timer) error {
			_, err := tm.ShutdownSync()
			return err
		},
		"DelSyncContext": func(_ *timerwheel.Wheel, _ *timerwheel.Group, tm timerwheel.Timer) error {
			_, err := tm.DelSyncContext(context.Background())
			return err
		},
		"Group.DelSync": func(_ *timerwheel.Wheel, g *timerwheel.Group, _ timerwheel.Timer) error {
			_, err := g.DelSync()
			return err
		},
		"Group.Shutdown": func(_ *timerwheel.Wheel, g *timerwheel.Group, _ timerwheel.Timer) error {
			_, err := g.ShutdownSync()
			return err
		},
		"Group.DelSyncContext": func(_ *timerwheel.Wheel, g *timerwheel.Group, _ timerwheel.Timer) error {
			_, err := g.DelSyncContext(context.Background())
			return err
		},
		"Close": func(w *timerwheel.Wheel, _ *timerwheel.Group, _ timerwheel.Timer) error { return w.Close() },
		"Wheel.Shutdown": func(w *timerwheel.Wheel, _ *timerwheel.Group, _ timerwheel.Timer) error {
			return w.CloseContext(context.Background())
		},
	}
	for name, wait := range waits {
		t.Run(name, func(t *testing.T) {
			guardedBubble(t, func(t *testing.T) {
				w := openWheel(t, timerwheel.Options{})
				g := w.NewGroup()
				begin := time.Now()
				tm := g.AfterFunc(0, func() { time.Sleep(24 * time.Hour) })
				time.Sleep(10 * time.Millisecond)
				require.True(t, tm.Running())
				require.NoError(t, wait(w, g, tm))
				late := time.Since(begin) - 24*time.Hour
				require.True(t, 0 <= late && late < time.Second, "%v", late)
			})
		})
	}
}

// Contract 11: "nothing global": what one bubble's wheel leaves behind must not reach
// another's, nor that of a wheel outside, at work all the while.
func TestWheelsInAndOutOfBubblesShareNothing(t *testing.T) {
	outside := openWheel(t, timerwheel.Options{})
	var runs atomic.Int32
	series := outside.Every(time.Millisecond, func(timerwheel.Timer) { runs.Add(1) })
	for range 3 {
		guardedBubble(t, func(t *testing.T) {
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

// panickingHandler is a function whose name is looked for in stacks.
//
//go:noinline
func panickingHandler(timerwheel.Timer) { panic(errCrash) }

// requireSite checks a file:line of Debug.
func requireSite(t *testing.T, want, got string) {
	t.Helper()
	require.NotEmpty(t, want)
	require.True(t, strings.HasSuffix(got, want), "%q is not the place %q", got, want)
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
