package timerwheel_test

import (
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
			require.Contains(t, trace, "worker_test.go:")
		})
	}
}

// Contract 11: "With it: the running slot is cleared and waiters released first, then
// OnPanic is called on the worker, which goes on."
func TestWaitersAreReleasedBeforeOnPanicIsCalled(t *testing.T) {
	for _, kind := range timerKinds {
		t.Run(kind.name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
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

// Contract 11: "the running slot is cleared and waiters released first, then OnPanic is called":
// OnPanic may itself wait for those that waited, and a deletion of the timer there is not one in
// its handler.
func TestWaitersAreReleasedBeforeOnPanic(t *testing.T) {
	var waited chan struct{}
	var tm timerwheel.Timer
	var inOnPanic *deletion
	onPanic := func(timerwheel.HandlerPanic) {
		<-waited
		inOnPanic.run(tm.DelSync)
	}
	bubble(t, "", timerwheel.Options{OnPanic: onPanic}, func(t *testing.T, w *timerwheel.Wheel) {
		waited = make(chan struct{})
		inOnPanic = &deletion{done: make(chan struct{})}
		p := newPuppet(t)
		tm = w.Alloc(p.handle)
		startRun(t, tm)
		c := deleting(func() (timerwheel.Found, error) {
			defer close(waited)
			return tm.DelSync()
		})
		require.True(t, c.waits())
		p.do <- func() { panic("the handler's") }
		c.requires(t, foundRunning, nil)
		inOnPanic.requires(t, foundNone, nil)
	})
}

// Contract 11: a panic (with OnPanic) and a Goexit in the handler clear the running slot and
// release the waiters: DelSync returns as after any other end.
func TestWaitsEndWithARunThatEndsBadly(t *testing.T) {
	onPanic := func(timerwheel.HandlerPanic) {}
	ends := []struct {
		name    string
		end     func()
		onPanic func(timerwheel.HandlerPanic)
	}{
		{"panic", func() { panic("the handler's") }, onPanic},
		{"panic(nil)", func() { panic(nil) }, onPanic},
		{"Goexit", runtime.Goexit, nil},
		{"Goexit, with OnPanic", runtime.Goexit, onPanic},
	}
	for _, end := range ends {
		bubble(t, end.name, timerwheel.Options{OnPanic: end.onPanic}, func(t *testing.T, w *timerwheel.Wheel) {
			p := newPuppet(t)
			tm := w.Alloc(p.handle)
			startRun(t, tm)
			var calls []*deletion
			for _, verb := range []delVerb{delBySync, delByContext} {
				calls = append(calls, deleting(func() (timerwheel.Found, error) { return verb.call(tm) }))
			}
			var done atomic.Int32
			tm.DelAsync(func() { done.Add(1) })
			for _, c := range calls {
				require.True(t, c.waits())
			}
			p.do <- end.end
			for _, c := range calls {
				c.requires(t, foundRunning, nil)
			}
			require.EqualValues(t, 1, done.Load())
			require.False(t, tm.Running())
			require.Empty(t, w.Running())
			require.NoError(t, tm.Register(0), "the refusal outlived the run")
			settle()
			require.EqualValues(t, 2, p.begun.Load(), "the worker that ended badly was not replaced")
		})
	}
}

// Contract 11: OnPanic is called "on the worker, which goes on": with one worker, many
// panics at one instant, and something behind them.
func TestTheWorkerGoesOnAfterOnPanic(t *testing.T) {
	for _, workers := range []int{1, 4} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			guarded(t, func(t *testing.T) {
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
				guarded(t, func(t *testing.T) {
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
					require.Contains(t, string(p.Stack), "worker_test.go:")
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

// The same, when it was the handler itself that armed the timer for the run that panics.
func TestHandlerPanicNamesTheHandlersOwnRegister(t *testing.T) {
	guarded(t, func(t *testing.T) {
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
			guarded(t, func(t *testing.T) {
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
	guarded(t, func(t *testing.T) {
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
			guarded(t, func(t *testing.T) {
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

// Contract 7: "the series survives a panic (with OnPanic) and a Goexit."
func TestSeriesSurvivesPanicAndGoexit(t *testing.T) {
	const tick, period = time.Millisecond, 100 * time.Millisecond
	for _, c := range []struct {
		name      string
		misbehave func()
		onPanic   bool
	}{
		{"panic", func() { panic("in a series") }, true},
		{"Goexit", runtime.Goexit, false},
		{"Goexit, with OnPanic", runtime.Goexit, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				var panics atomic.Int32
				o := timerwheel.Options{Tick: tick}
				if c.onPanic {
					o.OnPanic = func(p timerwheel.HandlerPanic) {
						panics.Add(1)
						assert.Equal(t, "in a series", p.Value)
						assert.True(t, p.Timer.Valid())
					}
				}
				w := openWheel(t, o)
				var log firingLog
				start := time.Now()
				tm := w.Every(period, func(tm timerwheel.Timer) {
					log.run(tm)
					c.misbehave()
				})
				elapse(5*period + 2*tick)
				at := log.times()
				require.Len(t, at, 5)
				for i := range at {
					requireFiring(t, start.Add(time.Duration(i+1)*period), at[i], tick)
				}
				if c.name == "panic" {
					require.EqualValues(t, 5, panics.Load())
				} else {
					require.Zero(t, panics.Load(), "a Goexit is no panic")
				}
				require.False(t, tm.Running())
				require.True(t, tm.Stop())
				require.Zero(t, w.Stats().Live)
			})
		})
	}
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
					guarded(t, func(t *testing.T) {
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
				guarded(t, func(t *testing.T) {
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
			guarded(t, func(t *testing.T) {
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
