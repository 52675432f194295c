package timerwheel_test

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	says     string // a regular expression; empty: what the others say
	function string
}{
	// The standard: what the test checks of the crashes below must hold of this one, which has
	// no wheel in it.
	"time.AfterFunc": {arrange: func(*timerwheel.Wheel) { time.AfterFunc(0, crashingFunction) }, function: "crashingFunction"},

	"Alloc":       {arrange: func(w *timerwheel.Wheel) { armed(w.Alloc(crashingHandler), 0) }, function: "crashingHandler"},
	"AfterFunc":   {arrange: func(w *timerwheel.Wheel) { w.AfterFunc(time.Millisecond, crashingFunction) }, function: "crashingFunction"},
	"Every":       {arrange: func(w *timerwheel.Wheel) { w.Every(time.Millisecond, crashingHandler) }, function: "crashingHandler"},
	"AllocLocked": {arrange: func(w *timerwheel.Wheel) { armed(w.AllocLocked(new(sync.Mutex), crashingHandler), 0) }, function: "crashingHandler"},
	"a member":    {arrange: func(w *timerwheel.Wheel) { w.NewGroup().AfterFunc(0, crashingFunction) }, function: "crashingFunction"},
	"an error":    {arrange: func(w *timerwheel.Wheel) { w.AfterFunc(0, crashingWithAnError) }, function: "crashingWithAnError"},
	"the runtime": {arrange: func(w *timerwheel.Wheel) { w.AfterFunc(0, crashingInTheRuntime) }, says: `runtime error: slice bounds out of range .*`, function: "crashingInTheRuntime"},
	"panic(nil)":  {arrange: func(w *timerwheel.Wheel) { w.AfterFunc(0, crashingWithNil) }, says: `panic called with nil argument( \(use .*\))?`, function: "crashingWithNil"},
	"everything watched": {
		o:       timerwheel.Options{MaxWorkers: 1, Debug: true, OnStall: func(timerwheel.Stall) {}},
		arrange: func(w *timerwheel.Wheel) { w.AfterFunc(0, crashingFunction) }, function: "crashingFunction",
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
		}, function: "crashingFunction",
	},

	// OnPanic gets the panics of handlers only. Nothing recovers the panic of another function
	// that the user gives to the wheel.
	"done, in spite of OnPanic": {
		o:        timerwheel.Options{OnPanic: func(timerwheel.HandlerPanic) {}},
		arrange:  func(w *timerwheel.Wheel) { w.Alloc(func(timerwheel.Timer) {}).DelAsync(crashingFunction) },
		function: "crashingFunction",
	},
	"the user's lock, in spite of OnPanic": {
		o:        timerwheel.Options{OnPanic: func(timerwheel.HandlerPanic) {}},
		arrange:  func(w *timerwheel.Wheel) { armed(w.AllocLocked(crashingLock{}, func(timerwheel.Timer) {}), 0) },
		function: "crashingLock.Lock",
	},
}

// Promise 11.1. Each way to crash is tried in a child.
func TestAPanicWithoutOnPanicCrashesTheProgram(t *testing.T) {
	if name := os.Getenv(crashVariable); name != "" {
		c := crashes[name]
		w, err := timerwheel.New(c.o)
		if err != nil {
			os.Exit(3)
		}
		c.arrange(w)
		time.Sleep(20 * time.Second) // the crash comes before that
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
			require.Regexp(t, `(?m)^panic: `+cmp.Or(c.says, "crash on purpose")+`$`, out)
			// The trace of the goroutine that crashed ends at the first empty line.
			_, trace, _ := strings.Cut(out, "[running]:\n")
			trace, _, _ = strings.Cut(trace, "\n\n")
			require.Contains(t, trace, "timerwheel_test."+c.function+"(")
			require.Contains(t, trace, "worker_test.go:")
		})
	}
}

// endWaiters has deletions wait for a run of a timer of some kind, and a DelAsync. After the run,
// released checks what they have found.
func endWaiters(t *testing.T, kind string, tm timerwheel.Timer) (waiters []*deletion, released func()) {
	t.Helper()
	for _, verb := range timerVerbs.named("DelSync", "DelSyncContext") {
		c := deleting(verb.on(tm))
		require.True(t, c.waits())
		waiters = append(waiters, c)
	}
	done := make(chan struct{})
	tm.DelAsync(func() { close(done) })
	return waiters, func() {
		t.Helper()
		waiters[0].requires(t, timerwheel.Found{Running: true, Pending: kind == "Every"}, nil)
		waiters[1].requires(t, foundRunning, nil)
		require.True(t, isClosed(done))
		if tm.Valid() {
			require.NoError(t, tm.Register(time.Millisecond), "the refusal ends with the run")
		}
	}
}

// Promises 4.12, 11.2 and 11.4. OnPanic may itself wait for those that waited for the run, and its
// deletion of the timer is not one in the timer's handler.
func TestWaitersAreReleasedBeforeOnPanic(t *testing.T) {
	for _, kind := range timerKinds {
		for name, value := range map[string]any{"panic": "on purpose", "panic(nil)": nil} {
			var onPanic func(timerwheel.HandlerPanic)
			o := timerwheel.Options{MaxWorkers: 1, OnPanic: func(p timerwheel.HandlerPanic) { onPanic(p) }}
			bubble(t, kind.name+"/"+name, o, func(t *testing.T, w *timerwheel.Wheel) {
				p, l := newPuppet(t), newDurableLock()
				reported, resume := make(chan struct{}), openedAtTheEnd(t)
				var bad timerwheel.Timer
				var waiters []*deletion
				onPanic = func(p timerwheel.HandlerPanic) {
					for _, c := range waiters {
						select {
						case <-c.done:
						case <-resume: // the test has failed
							return
						}
					}
					assert.Equal(t, bad, p.Timer)
					assert.True(t, p.Value == value || value == nil && errors.As(p.Value.(error), new(*runtime.PanicNilError)))
					assert.False(t, bad.Running())
					assert.Empty(t, w.Running())
					assert.Zero(t, w.Stats().Running)
					found, err := bad.DelSync()
					assert.True(t, err == nil && found == foundNone, "the run is over, and OnPanic is not the handler")
					close(reported)
					<-resume
				}
				bad = kind.arm(w, l, time.Millisecond, p.handle)
				settle()
				var released func()
				waiters, released = endWaiters(t, kind.name, bad)
				require.Equal(t, 3, w.Running()[0].Waiters)
				p.do <- func() { panic(value) }
				synctest.Wait()
				require.True(t, isClosed(reported), "OnPanic waits for a waiter")
				require.True(t, l.isFree())
				p.let()
				close(resume)
				synctest.Wait()
				released()
				again := bad.Valid()
				settle()
				require.Equal(t, again, p.ended.Load() == 2, "the only worker goes on")
			})
		}
	}
}

// A sitedTimer is a timer and the lines of this file in which it was made and last armed.
type sitedTimer struct {
	w                     *timerwheel.Wheel
	f                     func(timerwheel.Timer) // the handler that it is to have
	tm                    timerwheel.Timer
	allocated, registered string
}

func (s *sitedTimer) madeHere(tm timerwheel.Timer) { s.tm, s.allocated = tm, callersSite() }
func (s *sitedTimer) armedHere(any)                { s.registered = callersSite() }
func (s *sitedTimer) bothHere(tm timerwheel.Timer) {
	s.tm, s.allocated = tm, callersSite()
	s.registered = s.allocated
}

func (s *sitedTimer) alloc()       { s.madeHere(s.w.Alloc(s.f)) }
func (s *sitedTimer) allocLocked() { s.madeHere(s.w.AllocLocked(newDurableLock(), s.f)) }
func (s *sitedTimer) groupAlloc()  { s.madeHere(s.w.NewGroup().Alloc(s.f)) }
func (s *sitedTimer) groupAllocLocked() {
	s.madeHere(s.w.NewGroup().AllocLocked(newDurableLock(), s.f))
}
func (s *sitedTimer) register() { s.armedHere(s.tm.Register(0)) }

// callersSite is where its caller was called, as file:line, without the directory.
func callersSite() string {
	_, file, line, _ := runtime.Caller(2)
	return fmt.Sprintf("%s:%d", filepath.Base(file), line)
}

// An origin is a way to make a timer, and then to arm it for now.
type origin struct {
	name       string
	make, then func(*sitedTimer)
}

func (o origin) arm(s *sitedTimer) {
	o.make(s)
	o.then(s)
}

var origins = []origin{
	{"Alloc, Register", (*sitedTimer).alloc, (*sitedTimer).register},
	{"AllocLocked, RegisterAt", (*sitedTimer).allocLocked, func(s *sitedTimer) { s.armedHere(s.tm.RegisterAt(time.Now())) }},
	{"Reduce", (*sitedTimer).alloc, func(s *sitedTimer) { s.armedHere(s.tm.Reduce(0)) }},
	{"Reset", (*sitedTimer).alloc, func(s *sitedTimer) { s.armedHere(s.tm.Reset(0)) }},
	{"moved", (*sitedTimer).alloc, func(s *sitedTimer) {
		armed(s.tm, time.Hour)
		s.armedHere(s.tm.Register(0))
	}},
	{"Register in its handler", func(s *sitedTimer) {
		s.madeHere(s.w.Alloc(func(tm timerwheel.Timer) {
			if s.registered != "" {
				s.f(tm)
				return
			}
			s.armedHere(tm.Register(0))
		}))
	}, func(s *sitedTimer) { armed(s.tm, 0) }},
	{"AfterFunc", func(s *sitedTimer) { s.bothHere(s.w.AfterFunc(0, func() { s.f(timerwheel.Timer{}) })) }, noMore},
	{"AfterFuncArg", func(s *sitedTimer) { s.bothHere(s.w.AfterFuncArg(0, func(any) { s.f(timerwheel.Timer{}) }, nil)) }, noMore},
	{"Every", func(s *sitedTimer) { s.bothHere(s.w.Every(time.Millisecond, s.f)) }, noMore},
	{"Group.Alloc", (*sitedTimer).groupAlloc, (*sitedTimer).register},
	{"Group.AllocLocked", (*sitedTimer).groupAllocLocked, (*sitedTimer).register},
	{"Group.AfterFunc", func(s *sitedTimer) { s.bothHere(s.w.NewGroup().AfterFunc(0, func() { s.f(timerwheel.Timer{}) })) }, noMore},
	{"Group.Every", func(s *sitedTimer) { s.bothHere(s.w.NewGroup().Every(time.Millisecond, s.f)) }, noMore},
}

func noMore(*sitedTimer) {} // making it has armed it

// requireSites checks what Debug reports of a timer.
func (s *sitedTimer) requireSites(t *testing.T, allocated, registered string) {
	t.Helper()
	requireSite(t, s.allocated, allocated)
	requireSite(t, s.registered, registered)
}

// Promises 2.10 and 2.30.
func TestHandlerPanicSaysWhatHappenedAndWhere(t *testing.T) {
	for _, origin := range origins {
		for _, debug := range []bool{true, false} {
			var p timerwheel.HandlerPanic
			onPanic := func(panicked timerwheel.HandlerPanic) {
				panicked.Timer.Del() // ends the series
				p = panicked
			}
			bubble(t, fmt.Sprintf("%s/debug %v", origin.name, debug), timerwheel.Options{Debug: debug, OnPanic: onPanic}, func(t *testing.T, w *timerwheel.Wheel) {
				s := &sitedTimer{w: w, f: panickingHandler}
				origin.arm(s)
				settle()
				require.Equal(t, s.tm, p.Timer)
				require.Same(t, errCrash, p.Value)
				require.Contains(t, string(p.Stack), "timerwheel_test.panickingHandler(")
				require.Contains(t, string(p.Stack), "worker_test.go:")
				if debug {
					s.requireSites(t, p.AllocatedAt, p.RegisteredAt)
				} else {
					require.Empty(t, p.AllocatedAt)
					require.Empty(t, p.RegisteredAt)
				}
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
	require.True(t, strings.HasSuffix(got, "/"+want), "%q is not the call site %q", got, want)
}

// Promises 2.7 and 2.30. A handler that recovers its own panic has not panicked.
func TestOnPanicIsGivenEveryValue(t *testing.T) {
	secondPanic := func() {
		defer func() { panic("the second") }()
		panic("the first")
	}
	recovered := func() {
		defer func() { _ = recover() }()
		panic("on purpose")
	}
	for name, c := range map[string]struct {
		handler func()
		check   func(t *testing.T, v any) // nil: it has not panicked
	}{
		"a string":       {crashingFunction, func(t *testing.T, v any) { require.Equal(t, "crash on purpose", v) }},
		"an error":       {crashingWithAnError, func(t *testing.T, v any) { require.Same(t, errCrash, v) }},
		"the runtime's":  {crashingInTheRuntime, func(t *testing.T, v any) { require.ErrorAs(t, v.(error), new(runtime.Error)) }},
		"nil":            {crashingWithNil, func(t *testing.T, v any) { require.ErrorAs(t, v.(error), new(*runtime.PanicNilError)) }},
		"a second panic": {secondPanic, func(t *testing.T, v any) { require.Equal(t, "the second", v) }},
		"recovered":      {recovered, nil},
	} {
		values := make(chan any, 2)
		bubble(t, name, timerwheel.Options{OnPanic: func(p timerwheel.HandlerPanic) { values <- p.Value }}, func(t *testing.T, w *timerwheel.Wheel) {
			w.AfterFunc(0, c.handler)
			elapse(time.Second)
			require.EqualValues(t, 1, w.Stats().Fired)
			if c.check != nil {
				require.NotEmpty(t, values)
				c.check(t, <-values)
			}
			require.Empty(t, values, "one panic, one call")
		})
	}
}

// Promises 7.9 and 11.6: what a handler armed before it misbehaved stays armed, and a series goes
// on at its own instants. A wheel with OnPanic, and one without, end a run by Goexit in different ways.
func TestWhatIsArmedSurvivesAHandlerThatMisbehaves(t *testing.T) {
	for how, misbehave := range misbehaviours {
		for _, onPanic := range []bool{true, false} {
			if !onPanic && how != "Goexit" {
				continue // the program would crash
			}
			o, panics := timerwheel.Options{MaxWorkers: 1}, 0
			if onPanic {
				o.OnPanic = func(p timerwheel.HandlerPanic) {
					panics++
					assert.Equal(t, "on purpose", p.Value)
					assert.True(t, p.Timer.Valid())
				}
			}
			bubble(t, fmt.Sprintf("%s/OnPanic %v", how, onPanic), o, func(t *testing.T, w *timerwheel.Wheel) {
				runs := 0
				again := w.Alloc(func(tm timerwheel.Timer) {
					if runs++; runs < 3 {
						armed(tm, 0)
					}
					misbehave()
				})
				armed(again, 0)
				elapse(time.Second)
				require.Equal(t, 3, runs)

				var at []time.Duration
				start := time.Now()
				series := w.Every(10*time.Millisecond, func(timerwheel.Timer) {
					at = append(at, time.Since(start))
					misbehave()
				})
				elapse(55 * time.Millisecond)
				require.Equal(t, []time.Duration{10e6, 20e6, 30e6, 40e6, 50e6}, at)
				switch how {
				case "panic":
					require.Equal(t, 8, panics)
				case "Goexit":
					require.Zero(t, panics, "a Goexit is no panic")
				}
				require.False(t, series.Running())
				deleting(series.DelSync).requires(t, foundPending, nil)
				require.NoError(t, again.Free())
				require.Zero(t, w.Stats().Live)
			})
		}
	}
}

// misbehaviours are the ways not to return. The last two are a panic and a Goexit at once: the
// wheel may take them for either, but must know which goroutines it has.
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

// Promises 11.4 and 11.5. A wheel with OnPanic, and one without, end such a run in different ways.
func TestGoexitClearsTheSlotReleasesTheWaitersAndReplacesTheWorker(t *testing.T) {
	for _, kind := range timerKinds {
		for _, workers := range []int{1, 4} {
			for name, onPanic := range map[string]func(timerwheel.HandlerPanic){
				"without OnPanic": nil,
				"with OnPanic":    func(p timerwheel.HandlerPanic) { panic("a Goexit is no panic") },
			} {
				bubble(t, fmt.Sprintf("%s/%d/%s", kind.name, workers, name), timerwheel.Options{MaxWorkers: workers, OnPanic: onPanic}, func(t *testing.T, w *timerwheel.Wheel) {
					p, l := newPuppet(t), newDurableLock()
					bad := kind.arm(w, l, time.Millisecond, p.handle)
					elapse(time.Millisecond)
					var rest atomic.Int32
					for range 20 {
						w.AfterFunc(0, func() { rest.Add(1) })
					}
					_, released := endWaiters(t, kind.name, bad)
					p.do <- runtime.Goexit
					released()
					p.let()
					require.False(t, bad.Running())
					require.True(t, l.isFree())
					elapse(5 * time.Millisecond)
					require.Empty(t, w.Running())
					require.EqualValues(t, 20, rest.Load(), "the worker has been replaced")
					require.Zero(t, w.Stats().Workers)
				})
			}
		}
	}
}

// Promises 11.3 and 11.5: after many handlers that misbehave at one instant, and may have blocked all
// workers before, the next timers run in time. OnPanic is called on the worker that ran the handler.
func TestManyHandlersThatMisbehaveAtOnce(t *testing.T) {
	for how, misbehave := range misbehaviours {
		for _, c := range []struct {
			workers int
			blocked bool
		}{{1, false}, {2, false}, {1, true}, {2, true}} {
			var on sync.Map // the goroutines whose handler panics
			var begun, panics atomic.Int32
			onPanic := func(timerwheel.HandlerPanic) {
				panics.Add(1)
				_, ok := on.LoadAndDelete(goroutineName())
				assert.True(t, ok, "on the worker that ran the handler, once")
			}
			bubble(t, fmt.Sprintf("%s/%d/blocked %v", how, c.workers, c.blocked), timerwheel.Options{MaxWorkers: c.workers, OnPanic: onPanic},
				func(t *testing.T, w *timerwheel.Wheel) {
					goroutines := runtime.NumGoroutine()
					release := openedAtTheEnd(t)
					misbehaves := func() {
						on.Store(goroutineName(), true)
						misbehave()
					}
					if c.blocked {
						for range c.workers {
							w.AfterFunc(0, func() {
								<-release
								misbehaves()
							})
						}
						settle()
					}
					const timers = 200
					due := time.Now().Add(time.Millisecond)
					for i := range timers {
						w.AfterFunc(time.Millisecond, func() {
							begun.Add(1)
							assert.LessOrEqual(t, time.Since(due), 2*time.Millisecond, "a worker was free, and none came in time")
							if i%10 != 9 {
								misbehaves()
							}
						})
					}
					if c.blocked {
						elapse(time.Hour)
						require.Zero(t, begun.Load())
						due = time.Now()
						close(release)
					}
					elapse(time.Second)
					require.EqualValues(t, timers, begun.Load())
					if how == "panic" {
						require.EqualValues(t, w.Stats().Fired-timers/10, panics.Load())
					}
					s := w.Stats()
					require.Zero(t, s.Workers)
					require.Zero(t, s.Running)
					require.Zero(t, s.Live)
					noMoreGoroutinesThan(t, goroutines)
				})
		}
	}
}

// Promise 3.15: a timer that registers itself for "at once", again and again, comes behind those of
// its shard that were due before, in whichever tick, near or far, and whether they were moved there
// or made.
func TestWhatIsDueAgainAndAgainComesBehindWhatWasDueBefore(t *testing.T) {
	for name, again := range map[string]func(w *timerwheel.Wheel, g *timerwheel.Group, tm timerwheel.Timer, f func(timerwheel.Timer)){
		"Register": func(_ *timerwheel.Wheel, _ *timerwheel.Group, tm timerwheel.Timer, _ func(timerwheel.Timer)) {
			armed(tm, 0)
		},
		"RegisterAt": func(w *timerwheel.Wheel, _ *timerwheel.Group, tm timerwheel.Timer, _ func(timerwheel.Timer)) {
			_ = tm.RegisterAt(w.Now())
		},
		"AfterFunc": func(_ *timerwheel.Wheel, g *timerwheel.Group, tm timerwheel.Timer, f func(timerwheel.Timer)) {
			g.AfterFunc(0, func() { f(tm) })
		},
	} {
		bubble(t, name, timerwheel.Options{MaxWorkers: 1, Tick: time.Second}, func(t *testing.T, w *timerwheel.Wheel) {
			const again0, victims = 200, 2000
			g, gate := w.NewGroup(), make(chan struct{})
			g.AfterFunc(0, func() { <-gate })
			synctest.Wait()

			before := 0 // handlers of those that were due before
			runs := 0   // of the others
			victim := func() {
				before++
				require.LessOrEqual(t, runs, again0, "%d of %d have run", before, victims)
			}
			for k := range victims / 4 {
				g.AfterFunc(time.Duration(k%3)*time.Second+time.Nanosecond, victim)
				g.AfterFunc(5000*time.Second, victim)
				armed(g.Alloc(func(timerwheel.Timer) { victim() }), time.Second).Reset(4000 * time.Second)
			}
			time.Sleep(5002 * time.Second)
			var f func(timerwheel.Timer)
			f = func(tm timerwheel.Timer) {
				runs++
				if before < victims && runs < 100*again0 {
					again(w, g, tm, f)
				}
			}
			for range again0 {
				armed(g.Alloc(f), 0)
			}
			for range victims / 4 {
				g.AfterFunc(0, victim)
			}
			close(gate)
			synctest.Wait()
			require.Equal(t, victims, before)
		})
	}
}

// Promise 11.26: a panic of a function of package sync that the user gave as a handler is the user's.
func TestAPanicInAHelpersFunctionIsTheUsers(t *testing.T) {
	panics := make(chan any, 1)
	w := openWheel(t, timerwheel.Options{OnPanic: func(p timerwheel.HandlerPanic) { panics <- p.Value }})
	var wg sync.WaitGroup
	w.AfterFunc(0, wg.Done)
	require.Equal(t, "sync: negative WaitGroup counter", receive(t, panics))
	once := sync.OnceFunc(func() { panic("on purpose") })
	for range 2 {
		w.AfterFunc(0, once)
		require.Equal(t, "on purpose", receive(t, panics))
	}
}

// Promise 11.26: nor is a panic that passes through a verb, or through Advance, in whose caller a
// deferred function closes the wheel.
func TestADeferredCloseBesideAPanicOfTheUsers(t *testing.T) {
	for name, call := range map[string]func(*timerwheel.Wheel){
		"of OnNext": func(w *timerwheel.Wheel) { w.AfterFunc(time.Hour, func() {}) },
		"of a lock": func(w *timerwheel.Wheel) {
			w.AllocLocked((*sync.Mutex)(nil), delIgnore)
			tm := w.AllocLocked(panickingLock{}, delIgnore)
			_ = tm.Register(0)
			_, _ = w.Advance(w.Now())
		},
		"of a handler": func(w *timerwheel.Wheel) {
			_ = w.Alloc(func(timerwheel.Timer) { panic("on purpose") }).Register(0)
			_, _ = w.Advance(w.Now())
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := timerwheel.Options{Manual: true}
			if name == "of OnNext" {
				o.OnNext = func(time.Time) { panic("on purpose") }
			}
			w, err := timerwheel.New(o)
			require.NoError(t, err)
			require.PanicsWithValue(t, "on purpose", func() {
				defer func() { assert.NoError(t, w.Close()) }()
				call(w)
			})
			require.ErrorIs(t, w.Alloc(delIgnore).Register(0), timerwheel.ErrClosed)
		})
	}
}

// A panickingLock is a lock whose Lock panics.
type panickingLock struct{}

func (panickingLock) Lock()   { panic("on purpose") }
func (panickingLock) Unlock() {}

// Promise 3.19: timers that are moved, stopped and started while the wheel moves their bucket down ahead of
// its time are neither early nor lost. Each has one goroutine that does so; half of them only fire, and
// register themselves anew.
func TestMovesBesideABigBucketThatIsMovedDown(t *testing.T) {
	const n, far = 4000, 110 * time.Millisecond // 5,500 ticks: the lowest level has 4,096
	w := openWheel(t, timerwheel.Options{Tick: 20 * time.Microsecond})
	g := w.NewGroup()
	var (
		timers    [n]timerwheel.Timer
		deadlines [n]atomic.Int64 // not after the true one, since start
		last      [n]atomic.Int32 // firings that registered nothing
		early     atomic.Int32
		ahead     atomic.Bool
		ending    atomic.Bool
	)
	start := time.Now()
	arm := func(k int) {
		deadlines[k].Store(int64(time.Since(start) + far))
		assert.NoError(t, timers[k].Register(far))
	}
	for k := range timers {
		timers[k] = g.Alloc(func(timerwheel.Timer) {
			if int64(time.Since(start)) < deadlines[k].Load() {
				early.Add(1)
			}
			if ending.Load() {
				last[k].Add(1)
				return
			}
			arm(k)
		})
		arm(k)
	}
	g.Every(100*time.Microsecond, func(timerwheel.Timer) {}) // so that a worker comes
	stormUntil(t, stormTime(), 2, ahead.Load, func(i int) {
		if aheadOfTime(g) > 0 {
			ahead.Store(true)
		}
		for k := i; k < n; k += 4 {
			due := int64(time.Since(start) + far)
			switch {
			case k/4%4 == 0:
				if timers[k].Del().Pending {
					arm(k)
				}
			case timers[k].Move(far):
				deadlines[k].Store(due)
			}
		}
	})
	require.True(t, ahead.Load(), "nothing was moved ahead of its time")
	ending.Store(true)
	eventually(t, "all have fired", func() bool { return w.Stats().Pending == 1 && w.Stats().Running == 0 })
	require.Zero(t, early.Load(), "early")
	for k := range last {
		require.Equal(t, int32(1), last[k].Load(), "timer %d", k)
	}
}
