package netstack_test

import (
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/integrations/netstack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"
)

// A testClock is a clock and a way to advance its time. All of them run in bubbles, so
// nothing in this table depends on the machine.
type testClock struct {
	tcpip.Clock
	pass func(d time.Duration) // advances the time by d, and returns after the functions that are due by then
}

// late is how late a timer of the wheel may be. The table checks immediately before a
// deadline, and late after it.
const late = 2 * time.Millisecond

// testClocks are the clocks that a network stack must not be able to distinguish: netstack's
// own two, and ours on the two kinds of wheel.
var testClocks = []struct {
	name string
	make func(t *testing.T) testClock
}{
	{"netstack's StdClock", func(t *testing.T) testClock {
		return testClock{tcpip.NewStdClock(), sleep}
	}},
	{"wheel", func(t *testing.T) testClock {
		return testClock{netstack.NewClock(openWheel(t, timerwheel.Options{})), sleep}
	}},
	{"netstack's faketime", func(t *testing.T) testClock {
		c := faketime.NewManualClock()
		return testClock{c, c.Advance}
	}},
	{"Manual wheel", func(t *testing.T) testClock {
		w := openWheel(t, timerwheel.Options{Manual: true})
		return testClock{netstack.NewClock(w), func(d time.Duration) { advance(t, w, w.Now().Add(d)) }}
	}},
}

// sleep advances the time of the bubble by d.
func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// TestClockSemantics checks for every clock what the documentation of tcpip.Clock and
// tcpip.Timer promises, and what netstack relies on beyond that.
func TestClockSemantics(t *testing.T) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, w testClock)
	}{
		{"AfterFunc fires once, when d has passed and not before", func(t *testing.T, w testClock) {
			var fired atomic.Int32
			w.AfterFunc(time.Second, func() { fired.Add(1) })
			w.pass(time.Second - 1)
			require.EqualValues(t, 0, fired.Load())
			w.pass(1 + late)
			require.EqualValues(t, 1, fired.Load())
			w.pass(time.Hour)
			require.EqualValues(t, 1, fired.Load())
		}},
		{"AfterFunc of 0 or less fires at once, but not in the caller", func(t *testing.T, w testClock) {
			var fired int
			lock := make(chan struct{}, 1) // not a mutex, so that a deadlock ends the bubble
			lock <- struct{}{}             // netstack arms timers with d = 0 while it holds the lock that their function wants
			for _, d := range []time.Duration{0, -1, math.MinInt64} {
				w.AfterFunc(d, func() { lock <- struct{}{}; fired++; <-lock })
			}
			<-lock
			w.pass(late)
			require.Equal(t, 3, fired)
		}},
		{"Stop of a pending timer is true, and the timer does not fire", func(t *testing.T, w testClock) {
			var fired atomic.Int32
			tm := w.AfterFunc(time.Second, func() { fired.Add(1) })
			w.pass(time.Second / 2)
			require.True(t, tm.Stop())
			w.pass(time.Hour)
			require.EqualValues(t, 0, fired.Load())
		}},
		{"Stop of a stopped or expired timer is false", func(t *testing.T, w testClock) {
			stopped, expired := w.AfterFunc(time.Second, func() {}), w.AfterFunc(time.Second, func() {})
			require.True(t, stopped.Stop())
			require.False(t, stopped.Stop())
			w.pass(time.Second + late)
			require.False(t, stopped.Stop())
			require.False(t, expired.Stop())
		}},
		{"Reset of an expired timer arms it again, each time", func(t *testing.T, w testClock) {
			var fired atomic.Int32
			tm := w.AfterFunc(time.Second, func() { fired.Add(1) })
			for n := range int32(5) {
				w.pass(time.Second + late)
				require.Equal(t, n+1, fired.Load())
				tm.Reset(time.Second)
				w.pass(time.Second - 1)
				require.Equal(t, n+1, fired.Load())
			}
		}},
		{"Reset of a stopped timer arms it again, and Stop is true again", func(t *testing.T, w testClock) {
			var fired atomic.Int32
			tm := w.AfterFunc(time.Second, func() { fired.Add(1) })
			for range 3 {
				require.True(t, tm.Stop())
				tm.Reset(time.Second)
			}
			w.pass(time.Second + late)
			require.EqualValues(t, 1, fired.Load())
			require.False(t, tm.Stop())
		}},
		{"Reset of a pending timer moves it", func(t *testing.T, w testClock) {
			var fired atomic.Int32
			tm := w.AfterFunc(time.Second, func() { fired.Add(1) })
			tm.Reset(time.Minute)
			w.pass(time.Minute - 1)
			require.EqualValues(t, 0, fired.Load())
			tm.Reset(time.Second)
			w.pass(time.Second + late)
			require.EqualValues(t, 1, fired.Load())
			w.pass(time.Hour)
			require.EqualValues(t, 1, fired.Load())
		}},
		{"Reset in the timer's own function makes it periodic", func(t *testing.T, w testClock) { // as neighbour probes and the reaper of connections do
			var fired int
			var mu sync.Mutex // as in netstack, timers are made and used under a lock
			var tm tcpip.Timer
			mu.Lock()
			tm = w.AfterFunc(time.Second, func() { mu.Lock(); defer mu.Unlock(); fired++; tm.Reset(time.Second) })
			mu.Unlock()
			for range 10 {
				w.pass(time.Second + late)
			}
			require.Equal(t, 10, fired)
			require.True(t, tm.Stop())
			w.pass(time.Hour)
			require.Equal(t, 10, fired)
		}},
		{"Stop in the timer's own function is false, and true after a Reset", func(t *testing.T, w testClock) {
			var fired int
			var before, after bool
			var mu sync.Mutex
			var tm tcpip.Timer
			mu.Lock()
			tm = w.AfterFunc(time.Second, func() {
				mu.Lock()
				defer mu.Unlock()
				fired++
				before = tm.Stop()
				tm.Reset(time.Second)
				after = tm.Stop()
			})
			mu.Unlock()
			w.pass(time.Hour)
			require.Equal(t, 1, fired)
			require.False(t, before)
			require.True(t, after)
		}},
		{"Stop does not wait for a function in flight", func(t *testing.T, w testClock) {
			begun, end, passed := make(chan struct{}), make(chan struct{}), make(chan struct{})
			tm := w.AfterFunc(time.Second, func() { close(begun); <-end })
			go func() { w.pass(time.Second + late); close(passed) }()
			<-begun
			require.False(t, tm.Stop())
			close(end)
			<-passed
		}},
		{"Reset while the function is in flight calls it once more", func(t *testing.T, w testClock) {
			var fired atomic.Int32
			begun, end, passed := make(chan struct{}, 2), make(chan struct{}), make(chan struct{})
			tm := w.AfterFunc(time.Second, func() { fired.Add(1); begun <- struct{}{}; <-end })
			go func() { w.pass(time.Second + late); close(passed) }()
			<-begun
			tm.Reset(time.Second)
			close(end)
			<-passed
			w.pass(time.Second + late)
			require.EqualValues(t, 2, fired.Load())
			w.pass(time.Hour)
			require.EqualValues(t, 2, fired.Load())
		}},
		{"too large a d means never", func(t *testing.T, w testClock) {
			var fired atomic.Int32
			f := func() { fired.Add(1) }
			never := []tcpip.Timer{w.AfterFunc(math.MaxInt64, f), w.AfterFunc(time.Hour, f)}
			never[1].Reset(math.MaxInt64)
			w.pass(24 * time.Hour)
			require.EqualValues(t, 0, fired.Load())
			for _, tm := range never {
				require.True(t, tm.Stop())
			}
		}},
		{"timers fire in the order of their deadlines", func(t *testing.T, w testClock) {
			var mu sync.Mutex
			var order []int
			for _, n := range rand.New(rand.NewPCG(1, 2)).Perm(50) {
				w.AfterFunc(time.Duration(n)*10*time.Millisecond, func() { mu.Lock(); defer mu.Unlock(); order = append(order, n) })
			}
			w.pass(time.Second)
			require.Len(t, order, 50)
			require.IsIncreasing(t, order)
		}},
		{"Now and NowMonotonic advance with the time", func(t *testing.T, w testClock) {
			now, mono := w.Now(), w.NowMonotonic()
			require.GreaterOrEqual(t, mono.Sub(tcpip.MonotonicTime{}), time.Duration(0))
			for _, d := range []time.Duration{1, time.Millisecond / 3, time.Second, 100 * time.Hour} {
				w.pass(d)
				now, mono = now.Add(d), mono.Add(d)
				require.True(t, now.Equal(w.Now()), "%v, not %v", w.Now(), now)
				require.Equal(t, mono, w.NowMonotonic())
			}
		}},
		{"the function sees a NowMonotonic that is not before its deadline", func(t *testing.T, w testClock) { // or TCP takes it for a spurious wake-up
			rng := rand.New(rand.NewPCG(3, 4))
			var early, fired atomic.Int32
			for range 200 {
				d := time.Duration(rng.Int64N(int64(time.Second)))
				deadline := w.NowMonotonic().Add(d)
				w.AfterFunc(d, func() {
					fired.Add(1)
					if w.NowMonotonic().Before(deadline) {
						early.Add(1)
					}
				})
				w.pass(time.Duration(rng.Int64N(int64(time.Millisecond))))
			}
			w.pass(2 * time.Second)
			require.EqualValues(t, 200, fired.Load())
			require.EqualValues(t, 0, early.Load())
		}},
	} {
		for _, wd := range testClocks {
			t.Run(c.name+"/"+wd.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { c.test(t, wd.make(t)) })
			})
		}
	}
}

// A function that blocks does not prevent a second call by its timer, if that is Reset
// before the function returns. Only clocks with goroutines can do that.
func TestFunctionOverlapsItself(t *testing.T) {
	for _, wd := range testClocks[:2] {
		t.Run(wd.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := wd.make(t)
				var begun atomic.Int32
				end := make(chan struct{})
				tm := w.AfterFunc(0, func() { begun.Add(1); <-end })
				for n := range int32(3) {
					w.pass(time.Second + late)
					assert.Equal(t, n+1, begun.Load())
					tm.Reset(time.Second)
				}
				assert.True(t, tm.Stop())
				close(end)
				w.pass(time.Hour)
				assert.EqualValues(t, 3, begun.Load())
			})
		})
	}
}

// The timers of a stack that outlives its Manual wheel are never called, as its time stands still,
// and the stack does not crash.
func TestClosedWheel(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Manual: true})
	clock := netstack.NewClock(w)
	old := clock.AfterFunc(0, func() { t.Error("a timer that Close dropped fired") })
	require.NoError(t, w.Close())
	assert.True(t, old.Stop())
	assert.False(t, old.Stop())
	old.Reset(0)
	young := clock.AfterFunc(0, func() { t.Error("a timer of a closed wheel fired") })
	young.Reset(0)
	assert.True(t, young.Stop())
	assert.Zero(t, w.Stats().Live)
}

// Clocks share a wheel, and each monotonic reading begins at 0.
func TestClocksShareAWheel(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Manual: true, Start: time.Date(2000, 5, 21, 0, 0, 0, 0, time.UTC)})
	first := netstack.NewClock(w)
	advance(t, w, w.Now().Add(time.Hour))
	second := netstack.NewClock(w)
	assert.Equal(t, time.Hour, first.NowMonotonic().Sub(second.NowMonotonic()))
	assert.Equal(t, tcpip.MonotonicTime{}, second.NowMonotonic())
	assert.Equal(t, time.Date(2000, 5, 21, 1, 0, 0, 0, time.UTC), second.Now())
}

// Goroutines and the timers' own functions Stop and Reset the same few timers. In every
// order each Reset is one arming, each arming ends in one call of the function at most, and
// nothing is left. A firing that a Stop or a Reset has overtaken calls nothing.
func TestStopAgainstReset(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Tick: 50 * time.Microsecond})
	clock := netstack.NewClock(w)
	var armed, called, stopped atomic.Uint64
	var timers [4]tcpip.Timer
	var wg sync.WaitGroup
	for i := range timers {
		made := make(chan struct{})
		armed.Add(1)
		timers[i] = clock.AfterFunc(0, func() {
			<-made
			if called.Add(1)%3 == 0 {
				armed.Add(1)
				timers[i].Reset(0)
			}
		})
		close(made)
	}
	for g := range uint64(4) {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(g, 5))
			for range 5000 {
				tm := timers[rng.IntN(len(timers))]
				if rng.IntN(2) == 0 {
					armed.Add(1)
					tm.Reset(time.Duration(rng.IntN(100)) * time.Microsecond)
				} else if tm.Stop() {
					stopped.Add(1)
				}
			}
		})
	}
	wg.Wait()
	eventually(t, "no timer is pending or runs", func() bool { return w.Stats().Live == 0 })
	s := w.Stats()
	assert.Equal(t, armed.Load(), s.Registered)
	assert.Equal(t, s.Registered, s.Fired+s.Removed)
	assert.LessOrEqual(t, called.Load(), s.Fired)
	assert.LessOrEqual(t, called.Load()+stopped.Load(), armed.Load()) // a Reset ended the others
	assert.Positive(t, called.Load())
	assert.Positive(t, stopped.Load())
}
