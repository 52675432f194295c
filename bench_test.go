package timerwheel_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
)

// The fast paths, beside package time's for the same work. Compare only within
// one run:
//
//	go test -run '^$' -bench . -benchmem
//
// or, with the spread, and two states of the code side by side:
//
//	go test -run '^$' -bench . -benchmem -count 6 > old
//	go test -run '^$' -bench . -benchmem -count 6 > new
//	go tool -modfile=tools/go.mod benchstat old new
//
// With -short a million is ten thousand: enough to see that they run.

// populations are the numbers of other pending timers.
func populations() []int { return []int{0, 1000, million()} }

func million() int {
	if testing.Short() {
		return 10_000
	}
	return 1_000_000
}

// The cost of what most calls need: the time, and a mutex without contention.
func BenchmarkFloor(b *testing.B) {
	start := time.Now()
	b.Run("clock", func(b *testing.B) {
		for b.Loop() {
			_ = time.Since(start)
		}
	})
	var mu sync.Mutex
	b.Run("mutex", func(b *testing.B) {
		for b.Loop() {
			mu.Lock()
			//lint:ignore SA2001 that is all
			mu.Unlock()
		}
	})
}

func benchWheel(b *testing.B, others int) *timerwheel.Wheel {
	w, err := timerwheel.New(timerwheel.Options{})
	require.NoError(b, err)
	for range others {
		w.AfterFunc(time.Hour+rand.N(time.Hour), func() {})
	}
	b.Cleanup(func() { w.Close() })
	return w
}

// beside runs a benchmark of package time, and one of the wheel, each with others pending.
func beside(b *testing.B, suffix string, others int, ofTime func(*testing.B), ofWheel func(*testing.B, *timerwheel.Wheel)) {
	b.Run("time"+suffix, func(b *testing.B) {
		for range others {
			t := time.AfterFunc(time.Hour+rand.N(time.Hour), func() {})
			b.Cleanup(func() { t.Stop() })
		}
		b.ResetTimer()
		ofTime(b)
	})
	b.Run("wheel"+suffix, func(b *testing.B) {
		w := benchWheel(b, others)
		b.ReportAllocs()
		b.ResetTimer()
		ofWheel(b, w)
	})
}

func BenchmarkAfterFuncStop(b *testing.B) {
	startAndStop(b, func(b *testing.B, call func()) {
		for b.Loop() {
			call()
		}
	})
}

func BenchmarkAfterFuncStopParallel(b *testing.B) {
	startAndStop(b, func(b *testing.B, call func()) {
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				call()
			}
		})
	})
}

func startAndStop(b *testing.B, loop func(*testing.B, func())) {
	for _, n := range populations() {
		beside(b, fmt.Sprintf("/others=%d", n), n, func(b *testing.B) {
			loop(b, func() { time.AfterFunc(time.Minute, func() {}).Stop() })
		}, func(b *testing.B, w *timerwheel.Wheel) {
			loop(b, func() { w.AfterFunc(time.Minute, func() {}).Stop() })
		})
	}
}

func BenchmarkRegisterDel(b *testing.B) {
	beside(b, "", million(), func(b *testing.B) {
		t := time.AfterFunc(time.Hour, func() {})
		for b.Loop() {
			t.Reset(time.Minute)
			t.Stop()
		}
	}, func(b *testing.B, w *timerwheel.Wheel) {
		t := w.Alloc(ignoreTimer)
		for b.Loop() {
			_ = t.Register(time.Minute)
			t.Stop()
		}
	})
}

// Moving timeouts to later, the most frequent call of all: of one timer, which stays in the cache, and
// of a million in random order.
func BenchmarkRearmLater(b *testing.B) {
	for _, n := range []int{1, million()} {
		order := rand.Perm(n)
		b.Run(fmt.Sprintf("time/timers=%d", n), func(b *testing.B) {
			timers := make([]*time.Timer, n)
			for k := range timers {
				timers[k] = time.AfterFunc(time.Hour, func() {})
				defer timers[k].Stop()
			}
			for k := 0; b.Loop(); k++ {
				timers[order[k%n]].Reset(time.Hour)
			}
		})
		timers := make([]timerwheel.Timer, n)
		arm := func(b *testing.B) {
			w := benchWheel(b, 0)
			for k := range timers {
				timers[k] = w.Alloc(ignoreTimer)
				_ = timers[k].Register(time.Hour)
			}
		}
		b.Run(fmt.Sprintf("wheel/timers=%d", n), func(b *testing.B) {
			arm(b)
			for k := 0; b.Loop(); k++ {
				_ = timers[order[k%n]].Register(time.Hour)
			}
		})
		b.Run(fmt.Sprintf("wheel-at/timers=%d", n), func(b *testing.B) {
			arm(b)
			when := time.Now().Add(time.Hour)
			for k := 0; b.Loop(); k++ {
				when = when.Add(1)
				_ = timers[order[k%n]].RegisterAt(when)
			}
		})
		b.Run(fmt.Sprintf("wheel-touch/timers=%d", n), func(b *testing.B) {
			w := benchWheel(b, 0)
			for k := range timers {
				timers[k] = w.Alloc(ignoreTimer)
				_ = timers[k].RegisterIdle(time.Hour)
			}
			for k := 0; b.Loop(); k++ {
				timers[order[k%n]].Touch()
			}
		})
	}
}

// A deletion that need not wait costs what Del costs.
func BenchmarkDelSync(b *testing.B) {
	t := benchWheel(b, million()).Alloc(ignoreTimer)
	benchCall(b, "Del/idle", func() { t.Del() })
	benchCall(b, "DelSync/idle", func() { _, _ = t.DelSync() })
	benchCall(b, "Del/pending", func() {
		_ = t.Register(time.Minute)
		t.Del()
	})
	benchCall(b, "DelSync/pending", func() {
		_ = t.Register(time.Minute)
		_, _ = t.DelSync()
	})
}

func benchCall(b *testing.B, name string, call func()) {
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			call()
		}
	})
}

// The life of a connection that has three timers: they are made, armed and deleted together.
func BenchmarkGroup(b *testing.B) {
	three := func(g *timerwheel.Group) {
		for range 3 {
			_ = g.AllocArg(ignoreArg, b).Register(time.Minute)
		}
	}
	for _, others := range populations() {
		w := benchWheel(b, 0)
		for range others / 3 {
			three(w.NewGroup())
		}
		benchCall(b, fmt.Sprintf("others=%d", others), func() {
			g := w.NewGroup()
			three(g)
			_, _ = g.ShutdownSync()
			g.Free()
		})
	}
}

func ignoreArg(timerwheel.Timer, any) {}

// Arming and firing a million timers that are due within a second, in random
// order; one operation is one timer.
func BenchmarkFire(b *testing.B) {
	n := million()
	fire := func(b *testing.B, afterFunc func(time.Duration, func())) {
		for b.Loop() {
			var left atomic.Int64
			left.Store(int64(n))
			done := make(chan struct{})
			for range n {
				afterFunc(rand.N(time.Second), func() {
					if left.Add(-1) == 0 {
						close(done)
					}
				})
			}
			<-done
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/timer")
	}
	beside(b, "", 0, func(b *testing.B) {
		fire(b, func(d time.Duration, f func()) { time.AfterFunc(d, f) })
	}, func(b *testing.B, w *timerwheel.Wheel) {
		fire(b, func(d time.Duration, f func()) { w.AfterFunc(d, f) })
	})
}

// Bytes that a pending timer holds.
func BenchmarkMemory(b *testing.B) {
	n := million()
	measure := func(b *testing.B, fill func() any) {
		for b.Loop() {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			held := fill()
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "B/timer")
			start := time.Now()
			runtime.GC()
			b.ReportMetric(float64(time.Since(start).Microseconds())/1000, "ms/GC")
			runtime.KeepAlive(held)
		}
	}
	b.Run("time", func(b *testing.B) {
		measure(b, func() any {
			timers := make([]*time.Timer, n)
			for k := range timers {
				timers[k] = time.AfterFunc(time.Hour+rand.N(time.Hour), func() {})
			}
			b.Cleanup(func() {
				for _, t := range timers {
					t.Stop()
				}
			})
			return nil
		})
	})
	b.Run("wheel", func(b *testing.B) {
		measure(b, func() any { return benchWheel(b, n) })
	})
}

// Close with a million timers pending.
func BenchmarkClose(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		w := benchWheel(b, million())
		b.StartTimer()
		w.Close()
	}
}

// What Options.Debug costs: each call, and a run of a handler that does nothing, without it, with
// it, and with it for one timer in a hundred (Options.DebugEvery).
func BenchmarkDebug(b *testing.B) {
	for _, c := range []struct {
		name string
		o    timerwheel.Options
	}{
		{"plain", timerwheel.Options{Manual: true}},
		{"Debug", timerwheel.Options{Manual: true, Debug: true}},
		{"Debug of 1 in 100", timerwheel.Options{Manual: true, Debug: true, DebugEvery: 100}},
	} {
		name := c.name
		w, err := timerwheel.New(c.o)
		require.NoError(b, err)
		benchCall(b, "AfterFunc+Stop/"+name, func() { w.AfterFunc(time.Minute, func() {}).Stop() })
		benchCall(b, "Alloc+Free/"+name, func() { _ = w.Alloc(ignoreTimer).Free() })
		tm := w.Alloc(ignoreTimer)
		benchCall(b, "Register/"+name, func() { _ = tm.Register(time.Minute) })
		benchCall(b, "Register+Del/"+name, func() {
			_ = tm.Register(time.Minute)
			tm.Stop()
		})
		_ = tm.Free()
		b.Run("Fire/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for n := 0; n < b.N; { // a thousand in each Advance
				b.StopTimer()
				batch := min(1000, b.N-n)
				for range batch {
					w.AfterFunc(0, func() {})
				}
				b.StartTimer()
				_, _ = w.Advance(w.Now())
				n += batch
			}
		})
		_ = w.Close()
	}
}

// How long a deletion waits for a handler that computes, while 300 such timers saturate the
// processors, and how many workers there are (hiring.go).
func BenchmarkDelSyncOfHandlersThatCompute(b *testing.B) {
	for _, lasts := range []time.Duration{50 * time.Microsecond, 200 * time.Microsecond, time.Millisecond, 5 * time.Millisecond} {
		b.Run(lasts.String(), func(b *testing.B) {
			w := benchWheel(b, 0)
			var over atomic.Bool
			for range 300 {
				w.Alloc(func(tm timerwheel.Timer) {
					for began := time.Now(); time.Since(began) < lasts; {
						runtime.KeepAlive(tm)
					}
					if !over.Load() {
						tm.Register(0)
					}
				}).Register(0)
			}
			time.Sleep(300 * time.Millisecond) // the workers come
			var workers, calls int
			var spent, longest time.Duration
			for b.Loop() {
				time.Sleep(time.Millisecond)
				workers += w.Stats().Workers
				for _, r := range w.Running() {
					began := time.Now()
					r.Timer.DelSync()
					d := time.Since(began)
					r.Timer.Register(0)
					spent, longest, calls = spent+d, max(longest, d), calls+1
					break
				}
			}
			over.Store(true)
			b.ReportMetric(float64(workers)/float64(b.N), "workers")
			b.ReportMetric(float64(spent.Microseconds())/float64(max(calls, 1)), "µs/DelSync")
			b.ReportMetric(float64(longest.Microseconds()), "µs/longest")
		})
	}
}

// How many workers run a batch of due timers (hiring.go): quick handlers, handlers that take
// 100 µs and 2 ms, by blocking or by computing, and quick handlers beside a goroutine that
// starts and stops timers. The time is that of the whole batch; ns/call that of a start and
// stop beside it.
func BenchmarkHiring(b *testing.B) {
	spin := func(d time.Duration) func() {
		return func() {
			for began := time.Now(); time.Since(began) < d; {
			}
		}
	}
	block := func(d time.Duration) func() { return func() { time.Sleep(d) } }
	for _, c := range []struct {
		name    string
		timers  int
		handler func()
	}{
		{"quick", million() / 2, func() {}},
		{"blocks for 100µs", million() / 50, block(100 * time.Microsecond)},
		{"computes for 100µs", million() / 50, spin(100 * time.Microsecond)},
		{"blocks for 2ms", million() / 200, block(2 * time.Millisecond)},
		{"computes for 2ms", million() / 500, spin(2 * time.Millisecond)},
	} {
		b.Run(c.name, func(b *testing.B) {
			w := benchWheel(b, 0)
			calls, spent := 0, time.Duration(0)
			for b.Loop() {
				b.StopTimer()
				var left atomic.Int64
				left.Store(int64(c.timers))
				due := time.Now().Add(time.Second)
				for range c.timers {
					w.AfterFunc(time.Until(due), func() { c.handler(); left.Add(-1) })
				}
				time.Sleep(time.Until(due))
				b.StartTimer()
				for more := true; more; calls++ {
					began := time.Now()
					w.AfterFunc(time.Minute, func() {}).Stop()
					spent += time.Since(began)
					time.Sleep(50 * time.Microsecond)
					more = left.Load() > 0
				}
			}
			b.ReportMetric(float64(spent.Nanoseconds())/float64(calls), "ns/call")
		})
	}
}

// An Advance that finds nothing due, called as an event loop does and below a hundred frames.
func BenchmarkAdvance(b *testing.B) {
	for _, frames := range []int{0, 100} {
		b.Run(fmt.Sprintf("nothing due/frames=%d", frames), func(b *testing.B) {
			w, err := timerwheel.New(timerwheel.Options{Manual: true})
			require.NoError(b, err)
			w.AfterFunc(time.Hour, func() {})
			now := w.Now()
			b.ReportAllocs()
			below(frames, func() {
				for b.Loop() {
					_, _ = w.Advance(now)
				}
			})
		})
	}
}

// below calls f below that many frames.
func below(frames int, f func()) {
	if frames == 0 {
		f()
		return
	}
	below(frames-1, f)
}

// A DelAsync of an idle timer costs a goroutine for its done, and not more: it is beside a Del and
// a go statement.
func BenchmarkDelAsyncIdle(b *testing.B) {
	w := benchWheel(b, 0)
	t := w.Alloc(ignoreTimer)
	over := make(chan struct{})
	done := func() { over <- struct{}{} }
	b.Run("Del and go", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			t.Del()
			go done()
			<-over
		}
	})
	b.Run("DelAsync", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			t.DelAsync(done)
			<-over
		}
	})
}

// What ReleaseLock adds to the run of a lock-bound timer. Beside it: a handler that locks a mutex
// that is free.
func BenchmarkReleaseLock(b *testing.B) {
	var mu, other sync.Mutex
	for _, c := range []struct {
		name   string
		handle func(timerwheel.Timer)
	}{
		{"kept", func(timerwheel.Timer) {}},
		{"a mutex", func(timerwheel.Timer) { lockAndUnlock(&other) }},
		{"released", func(t timerwheel.Timer) { _ = t.ReleaseLock() }},
	} {
		b.Run(c.name, func(b *testing.B) {
			w, err := timerwheel.New(timerwheel.Options{Manual: true})
			require.NoError(b, err)
			t, now := w.AllocLocked(&mu, c.handle), w.Now()
			b.ReportAllocs()
			for b.Loop() {
				_ = t.Register(0)
				_, _ = w.Advance(now)
			}
		})
	}
}
