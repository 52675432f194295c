package timerwheel_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// labelsOf returns the labels of the goroutines in which a function is, as a goroutine
// profile shows them: one text for each kind of goroutine.
func labelsOf(function string) (labels []string) {
	var profile bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&profile, 1)
	for record := range strings.SplitSeq(profile.String(), "\n\n") {
		if strings.Contains(record, function+"+0x") {
			_, rest, found := strings.Cut(record, "# labels: ")
			line, _, _ := strings.Cut(rest, "\n")
			if !found {
				line = ""
			}
			labels = append(labels, line)
		}
	}
	return labels
}

const thisPackage = "github.com/seed76848005/timerwheel_test."

// labelledHandler returns the labels that it runs under.
//
//go:noinline
func labelledHandler() []string { return labelsOf(thisPackage + "labelledHandler") }

// A labelled handler sends its labels, then ends.
type labelled struct {
	labels chan []string
	end    func()
}

func (c labelled) sendLabels(timerwheel.Timer) {
	c.labels <- labelledHandler()
	c.end()
}

// Promise 2.56: with Debug a goroutine has the label "timer", with the name of the function, while it
// runs a handler. Without Debug it keeps its own, and on a Manual wheel the host's.
func TestProfilesShowWhichTimerAGoroutineServes(t *testing.T) {
	for name, end := range map[string]func(){"returns": func() {}, "panics": func() { panic("on purpose") }, "exits": runtime.Goexit} {
		for _, debug := range []bool{false, true} {
			for _, manual := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/Debug %v/Manual %v", name, debug, manual), func(t *testing.T) {
					after := make(chan []string, 1)
					w := openWheel(t, timerwheel.Options{Debug: debug, Manual: manual, OnPanic: func(timerwheel.HandlerPanic) {
						after <- labelledHandler()
					}})
					handler := labelled{make(chan []string, 1), end}
					tm := armed(w.Alloc(handler.sendLabels), 0)
					host := ""
					if manual {
						host = `{"host":"loop"}`
						<-inBackground(func() {
							pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels("host", "loop")))
							defer func() {
								if name != "panics" { // then OnPanic has looked
									after <- labelledHandler()
								}
							}()
							_, err := w.Advance(w.Now())
							assert.NoError(t, err)
						})
					}
					want := host
					if debug && !manual {
						want = `{"timer":"` + thisPackage + `labelled.sendLabels"}`
					}
					got := receive(t, handler.labels)
					require.Len(t, got, 1)
					if manual || debug {
						require.Equal(t, want, got[0])
					} else {
						require.NotContains(t, got[0], "timer") // the runtime may have given it another goroutine's
					}
					if manual {
						require.Equal(t, []string{host}, receive(t, after))
					} else if name == "panics" {
						require.NotContains(t, receive(t, after)[0], "timer")
					}
					require.NoError(t, tm.Free())
				})
			}
		}
	}
}

// Promise 2.56: one after the other, each handler has its own label, whatever the wheel calls in one
// goroutine; goroutines that it starts inherit it.
func TestEachHandlerHasItsOwnLabel(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Debug: true, MaxWorkers: 1})
	labels := make(chan [2]string, 4)
	note := func(handler string) { labels <- [2]string{handler, strings.Join(labelledHandler(), " and ")} }
	w.AfterFunc(time.Millisecond, func() { note("func2") })
	w.AfterFuncArg(2*time.Millisecond, func(any) { note("func3") }, w)
	armed(w.AllocLocked(new(sync.Mutex), func(timerwheel.Timer) { <-inBackground(func() { note("func4") }) }), 3*time.Millisecond)
	armed(w.Alloc(func(timerwheel.Timer) { note("func5") }), 4*time.Millisecond)
	var noted []string
	for range 4 { // in no order: timers of several shards, on a wheel that is late
		got := receive(t, labels)
		noted = append(noted, got[0])
		require.Equal(t, fmt.Sprintf(`{"timer":"%sTestEachHandlerHasItsOwnLabel.%s"}`, thisPackage, got[0]), got[1])
	}
	require.ElementsMatch(t, []string{"func2", "func3", "func4", "func5"}, noted)
}

// Promise 11.23: the labels that a handler sets, and those that the wheel's goroutines inherit, do not
// reach the next handler, nor another function that the wheel calls.
func TestLabelsOfAHandlerDoNotReachTheNext(t *testing.T) {
	label := func(name string) {
		pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels(name, "yes")))
	}
	seen := make(map[string][]string)
	var mu sync.Mutex
	note := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		seen[what] = append(seen[what], labelledHandler()...)
	}
	for _, debug := range []bool{false, true} {
		for name, end := range map[string]func(){"returns": func() {}, "panics": func() { panic("on purpose") }, "exits": runtime.Goexit} {
			clear(seen)
			o := timerwheel.Options{
				MaxWorkers: 1,
				Debug:      debug,
				OnPanic:    func(timerwheel.HandlerPanic) { note("OnPanic") },
				OnStall:    func(timerwheel.Stall) { note("OnStall") },
			}
			bubble(t, fmt.Sprintf("%s/debug=%t", name, debug), o, func(t *testing.T, w *timerwheel.Wheel) {
				g := w.NewGroup() // one shard, so one worker may run all of them
				idle := w.Alloc(delIgnore)
				handler := func() {
					note("handler")
					label("handler")
					time.Sleep(2 * time.Second) // it stalls
					idle.DelAsync(func() { note("done") })
					end()
				}
				w.AfterFunc(time.Millisecond, func() {})
				settle()
				label("caller") // in a bubble the alarm that rings at once inherits these
				last := g.AfterFunc(0, handler)
				for range 9 {
					last = g.AfterFunc(time.Millisecond, handler)
				}
				idle.DelAsync(func() { note("done") })
				timerwheel.Timer{}.DelAsync(func() { note("done") })
				elapse(time.Second / 2)
				for _, r := range w.Running() {
					r.Timer.DelAsync(func() { note("done that waited") })
				}
				elapse(time.Minute)
				require.False(t, last.Valid())
			})
			require.Len(t, seen["handler"], 10)
			require.Len(t, seen["done"], 12)
			require.Len(t, seen["done that waited"], 1)
			require.Len(t, seen["OnStall"], 12, "and Saturated")
			require.Equal(t, name == "panics", len(seen["OnPanic"]) == 10)
			for what, labels := range seen {
				for _, l := range labels {
					if debug && what == "handler" {
						require.Regexp(t, `^{"timer":"[^"]*"}$`, l)
						continue
					}
					require.Empty(t, l, what)
				}
			}
		}
	}
}

// Promise 2.58: without Debug labels are free. No handler is labelled, and none allocates for it, while a
// trace is taken or not.
func TestLabelsAndRegionsCostNothingWithoutDebug(t *testing.T) {
	for _, tracing := range []bool{false, true} {
		if tracing {
			require.NoError(t, trace.Start(new(bytes.Buffer)))
			defer trace.Stop()
		}
		w := openManual(t, time.Millisecond)
		fired := 0
		tm := w.Alloc(func(timerwheel.Timer) { fired++ })
		other := w.Alloc(func(timerwheel.Timer) { fired++ })
		firing := func(timers ...timerwheel.Timer) float64 {
			return testing.AllocsPerRun(1000, func() {
				for _, tm := range timers {
					_ = tm.Register(0)
				}
				_, _ = w.Advance(w.Now())
			})
		}
		require.Equal(t, firing(tm), firing(tm, other), "allocations of an Advance")
		require.Equal(t, 1001+2002, fired)
		require.NoError(t, tm.Free())
		require.NoError(t, other.Free())
	}
}
