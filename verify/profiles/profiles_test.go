//go:build unix

package profiles

import (
	"bytes"
	"io"
	"runtime"
	"runtime/pprof"
	rt "runtime/trace"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
	"golang.org/x/exp/trace"
)

const here = "github.com/seed76848005/timerwheel/verify/profiles."

// The handlers, each with a name of its own.

func returns(timerwheel.Timer) {}
func panics(timerwheel.Timer)  { panic("on purpose") }
func exits(timerwheel.Timer)   { runtime.Goexit() }

// burn is a handler that uses processor time. It goes by that, not by a clock: on a busy machine
// the process may get next to none in a second, and a profile no sample.
func burn(timerwheel.Timer) {
	for end := used() + 300*time.Millisecond; used() < end; {
		spun = spin()
	}
}

// used returns the processor time that this process has used. Windows has no Getrusage.
func used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

var spun int

//go:noinline
func spin() (n int) {
	for k := range 1000 {
		n += k * k
	}
	return n
}

// drive lets a wheel run until something has happened.
func drive(t *testing.T, w *timerwheel.Wheel, manual bool, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !happened(); {
		require.True(t, time.Now().Before(end))
		if manual {
			done := make(chan struct{})
			go func() { // a handler may end this goroutine
				defer close(done)
				_, _ = w.Advance(w.Now())
			}()
			<-done
		} else {
			time.Sleep(time.Millisecond)
		}
	}
}

// runHandlers runs each handler a few times. It returns the timers by the names of their
// handlers.
func runHandlers(t *testing.T, o timerwheel.Options, times uint64) map[string]string {
	o.OnPanic = func(timerwheel.HandlerPanic) {}
	w, err := timerwheel.New(o)
	require.NoError(t, err)
	timers := map[string]string{}
	fired := uint64(0)
	for name, handler := range map[string]func(timerwheel.Timer){"returns": returns, "panics": panics, "exits": exits} {
		tm := w.Alloc(handler)
		timers[here+name] = tm.String()
		for range times {
			require.NoError(t, tm.Register(0))
			fired++
			drive(t, w, o.Manual, func() bool { return w.Stats().Fired == fired && !tm.Running() })
		}
		require.NoError(t, tm.Free())
	}
	require.NoError(t, w.Close())
	return timers
}

// A region is a handler's run in a trace.
type region struct {
	name      string
	goroutine trace.GoID
	begun     trace.Time
	timer     string // as logged in the region
	ended     bool
}

// regions reads the regions of handlers in a trace. They must not overlap on a goroutine.
func regions(t *testing.T, r io.Reader) (all []*region) {
	reader, err := trace.NewReader(r)
	require.NoError(t, err)
	open := map[trace.GoID]*region{}
	for {
		e, err := reader.ReadEvent()
		if err == io.EOF {
			return all
		}
		require.NoError(t, err)
		switch g := e.Goroutine(); e.Kind() {
		case trace.EventRegionBegin:
			require.Nil(t, open[g])
			open[g] = &region{name: e.Region().Type, goroutine: g, begun: e.Time()}
			all = append(all, open[g])
		case trace.EventLog:
			require.NotNil(t, open[g])
			require.Equal(t, "timer", e.Log().Category)
			open[g].timer = e.Log().Message
		case trace.EventRegionEnd:
			require.NotNil(t, open[g])
			require.Equal(t, open[g].name, e.Region().Type)
			open[g].ended = true
			delete(open, g)
		}
	}
}

// With Debug, an execution trace has a region for each run of a handler, on the run's
// goroutine. It has the name of the handler's function, the timer is logged in it, and it
// ends with the run, even if the handler panics or exits. Without Debug there is no region.
func TestATraceHasARegionForEachRun(t *testing.T) {
	const times = 3
	for _, debug := range []bool{true, false} {
		for _, manual := range []bool{false, true} {
			t.Run(map[bool]string{true: "Debug", false: "plain"}[debug]+map[bool]string{true: ", Manual"}[manual], func(t *testing.T) {
				var buf bytes.Buffer
				require.NoError(t, rt.Start(&buf))
				stop := sync.OnceFunc(rt.Stop)
				defer stop()
				timers := runHandlers(t, timerwheel.Options{Debug: debug, Manual: manual}, times)
				stop()
				got := regions(t, &buf)
				if !debug {
					require.Empty(t, got)
					return
				}
				require.Len(t, got, times*len(timers))
				runs := map[string]int{}
				for _, r := range got {
					require.Contains(t, timers, r.name)
					require.Equal(t, timers[r.name], r.timer)
					require.True(t, r.ended, "the region of %s", r.name)
					runs[r.name]++
				}
				for name := range timers {
					require.Equal(t, times, runs[name], name)
				}
			})
		}
	}
}

// With Debug, the samples of a CPU profile that were taken in a handler have the label
// "timer" with the handler's name, which go tool pprof -tags and -tagfocus use. Other
// samples do not have it; without Debug, or on a Manual wheel, none has it.
func TestACPUProfileShowsWhichTimerSpentTheTime(t *testing.T) {
	for _, debug := range []bool{true, false} {
		for _, manual := range []bool{false, true} {
			t.Run(map[bool]string{true: "Debug", false: "plain"}[debug]+map[bool]string{true: ", Manual"}[manual], func(t *testing.T) {
				w, err := timerwheel.New(timerwheel.Options{Debug: debug, Manual: manual})
				require.NoError(t, err)
				tm := w.Alloc(burn)
				var buf bytes.Buffer
				require.NoError(t, pprof.StartCPUProfile(&buf))
				stop := sync.OnceFunc(pprof.StopCPUProfile)
				defer stop()
				require.NoError(t, tm.Register(0))
				drive(t, w, manual, func() bool { return w.Stats().Fired == 1 && !tm.Running() })
				burn(tm) // outside a handler
				stop()
				require.NoError(t, tm.Free())
				require.NoError(t, w.Close())

				p, err := profile.Parse(&buf)
				require.NoError(t, err)
				inHandler, outside := 0, 0
				for _, sample := range p.Sample {
					if !has(sample, here+"burn") {
						continue
					}
					if debug && !manual && has(sample, "github.com/seed76848005/timerwheel.(*worker).drain") {
						require.Equal(t, []string{here + "burn"}, sample.Label["timer"])
						inHandler++
					} else {
						require.NotContains(t, sample.Label, "timer")
						outside++
					}
				}
				require.NotZero(t, outside)
				require.Equal(t, debug && !manual, inHandler > 0)
			})
		}
	}
}

// has reports whether a function is in the stack of a sample.
func has(s *profile.Sample, function string) bool {
	for _, l := range s.Location {
		for _, line := range l.Line {
			if name := line.Function.Name; name == function {
				return true
			}
		}
	}
	return false
}
