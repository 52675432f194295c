// Package promises checks what bench/RIVALS.md says of this library and of others. Each row of
// its table is a test here. A cell is what the test expects of that library.
package promises

import (
	"math"
	"runtime"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// each runs a test for each library.
func each(t *testing.T, test func(*testing.T, library)) {
	for _, l := range libraries() {
		t.Run(l.name, func(t *testing.T) { test(t, l) })
	}
}

// eachInBubble runs it in a bubble, where time is exact and waiting takes none.
func eachInBubble(t *testing.T, test func(*testing.T, library)) {
	each(t, func(t *testing.T, l library) {
		synctest.Test(t, func(t *testing.T) { test(t, l) })
	})
}

// TestEarly arms timers at times and for durations that are not whole ticks, and looks at
// how long before its deadline each handler starts.
func TestEarly(t *testing.T) {
	eachInBubble(t, func(t *testing.T, l library) {
		after := l.open(t)
		var fired atomic.Int64
		var earliest atomic.Int64 // a duration
		const n = 2000
		for k := range n {
			time.Sleep(137 * time.Microsecond)
			deadline := time.Now().Add(20*time.Millisecond + time.Duration(k)*71*time.Microsecond)
			after(time.Until(deadline), func() {
				fired.Add(1)
				early := int64(time.Until(deadline))
				for was := earliest.Load(); early > was && !earliest.CompareAndSwap(was, early); was = earliest.Load() {
				}
			})
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		require.EqualValues(t, n, fired.Load())
		got := time.Duration(earliest.Load())
		t.Logf("earliest: %v", got)
		require.LessOrEqual(t, got, l.early)
		require.GreaterOrEqual(t, got, l.early/2, "it is better than the table says")
	})
}

// TestWhatStopSays stops a timer in each of its states.
func TestWhatStopSays(t *testing.T) {
	eachInBubble(t, func(t *testing.T, l library) {
		after := l.open(t)
		began, blocked, release := block(t)
		handler := after(50*tick, blocked)
		<-began
		require.Equal(t, l.running, handler.stop(), "running")
		release()
		synctest.Wait()
		require.Equal(t, l.returned, handler.stop(), "returned")

		pending := after(time.Hour, func() {})
		require.Equal(t, l.pending, pending.stop(), "pending")
		require.Equal(t, l.stopped, pending.stop(), "stopped before")
	})
}

// block returns a function that blocks until release is called or the test ends, and a channel
// that says that it has begun.
func block(t *testing.T) (began <-chan struct{}, blocked, release func()) {
	in, out := make(chan struct{}), make(chan struct{})
	release = sync.OnceFunc(func() { close(out) })
	t.Cleanup(release) // before a wheel that was opened earlier waits for its handlers
	return in, func() { close(in); <-out }, release
}

// TestStopThatWaits stops a timer whose handler is blocked until the stop has returned or, if
// it is to wait, for a moment.
func TestStopThatWaits(t *testing.T) {
	each(t, func(t *testing.T, l library) {
		after := l.open(t)
		began, blocked, release := block(t)
		var over atomic.Bool
		handler := after(10*tick, func() {
			blocked()
			over.Store(true)
		})
		<-began
		stop := handler.stop
		if l.waits == waits {
			stop = handler.stopSync
		}
		returned := make(chan bool)
		go func() {
			stop()
			returned <- over.Load()
		}()
		if l.waits == waits {
			stays(t, returned)
			release()
			require.True(t, <-returned, "the stop has returned before the handler")
			return
		}
		require.False(t, <-returned)
		require.Equal(t, none, handler.stopSync())
		release()
	})
}

// stays fails if a channel has a value although nothing that could send one may happen. That
// it waits for a moment only makes the test weaker on a slow machine: it cannot fail by that.
func stays[T any](t *testing.T, c chan T) {
	select {
	case v := <-c:
		require.Fail(t, "it did not wait", "%v", v)
	case <-time.After(50 * time.Millisecond):
	}
}

// TestStopInTheHandler calls the stop that waits in the timer's own handler. One that hangs
// does so for ever: its goroutine is left behind.
func TestStopInTheHandler(t *testing.T) {
	each(t, func(t *testing.T, l library) {
		self, says := make(chan timer, 1), make(chan string)
		self <- l.open(t)(10*tick, func() { says <- (<-self).stopSync() })
		if l.ownHandler == hangs {
			stays(t, says)
			return
		}
		require.Equal(t, l.ownHandler, <-says)
	})
}

// TestWakeUpsWhenIdle counts how often goroutines wake in a minute of a bubble's time, with
// one timer an hour away. The runtime counts each eighth wake-up of a goroutine. It counts also
// those of its own goroutines, of which a minute that takes no time has few.
func TestWakeUpsWhenIdle(t *testing.T) {
	const seconds = 60
	each(t, func(t *testing.T, l library) {
		least := math.Inf(1)
		for range 3 {
			synctest.Test(t, func(t *testing.T) {
				sleeper := l.open(t)(time.Hour, func() {})
				defer sleeper.stop()
				synctest.Wait()
				before := wakeUps()
				time.Sleep(seconds * time.Second)
				least = min(least, wakeUps()-before)
			})
		}
		t.Logf("%.0f a second", least/seconds)
		if l.ticks == 0 {
			require.Less(t, least, 2.0*seconds)
			return
		}
		require.GreaterOrEqual(t, least, float64(l.ticks*seconds)*0.9)
	})
}

// wakeUps returns how often the goroutines of this process began to run after a wait.
func wakeUps() float64 {
	s := []metrics.Sample{{Name: "/sched/latencies:seconds"}}
	metrics.Read(s)
	var n uint64
	for _, count := range s[0].Value.Float64Histogram().Counts {
		n += count
	}
	return 8 * float64(n)
}

// TestMemory measures the heap that timers take, with the handles to stop them, and how much
// of it is left when they were stopped. The handler of all is the same, and takes nothing.
// Package time collects stopped timers in its own good time, but not in a bubble. Where a stop
// leaves the memory to a later tick, the test runs in a bubble, where that tick does not come.
func TestMemory(t *testing.T) {
	const n = 100_000
	each(t, func(t *testing.T, l library) {
		test := func(t *testing.T) {
			before := heap()
			perTimer := func() float64 { return (heap() - before) / n }
			stop := l.hold(t, n)
			pending := perTimer()
			stop()
			kept := perTimer()
			for began := time.Now(); kept > 30 && l.releases == atOnce && time.Since(began) < 10*time.Second; {
				time.Sleep(time.Millisecond)
				kept = perTimer()
			}
			runtime.KeepAlive(stop)
			t.Logf("%.1f bytes, %.1f after the stop", pending, kept)
			require.InEpsilon(t, l.bytes, pending, 0.15)
			require.Equal(t, l.releases == atOnce, kept <= 30, "%.1f bytes are left", kept)
		}
		if l.releases == later {
			synctest.Test(t, test)
			return
		}
		test(t)
	})
}

// heap returns the size of the live heap.
func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
