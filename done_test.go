package timerwheel_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Promise 12.15: a Close in a done that need not wait is ErrDeadlock on the done's wheel, however deep
// it is, and on no other wheel, though a done of that one is in flight as well.
func TestACloseInADoneKnowsTheDonesWheel(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, other *timerwheel.Wheel) {
		idle := func(w *timerwheel.Wheel) timerwheel.Timer { return w.Alloc(delIgnore) }
		gate := openedAtTheEnd(t)
		idle(other).DelAsync(func() { <-gate })
		for range 40 { // numbers with all kinds of bits
			for _, depth := range []int{0, 1, 100, 1000} {
				w := openWheel(t, timerwheel.Options{})
				idle(w).DelAsync(func() {
					atDepth(depth, func() {
						assert.ErrorIs(t, w.Close(), timerwheel.ErrDeadlock)
						assert.ErrorIs(t, other.CloseContext(endedContext), endedContext.Err(), "it waits for the done of its own")
					})
				})
				settle()
				require.NoError(t, w.Close())
			}
		}
		close(gate)
	})
}

// The same where the dones of several wheels are on one stack.
func TestACloseInNestedDonesKnowsTheirWheels(t *testing.T) {
	var wheels []*timerwheel.Wheel
	for range 5 {
		wheels = append(wheels, openManual(t, time.Millisecond))
	}
	called := 0
	var nest func(rest []*timerwheel.Wheel)
	nest = func(rest []*timerwheel.Wheel) {
		if len(rest) > 0 {
			rest[0].Alloc(delIgnore).DelAsync(func() { nest(rest[1:]) })
			return
		}
		for _, w := range wheels {
			called++
			_, err := w.Advance(w.Now())
			require.ErrorIs(t, err, timerwheel.ErrDeadlock)
			require.ErrorIs(t, w.Close(), timerwheel.ErrDeadlock)
		}
		require.NoError(t, openManual(t, time.Millisecond).Close())
	}
	nest(wheels)
	require.Equal(t, len(wheels), called)
	for _, w := range wheels {
		require.NoError(t, w.Close())
	}
}

// atDepth calls f below so many frames.
func atDepth(depth int, f func()) {
	if depth > 0 {
		atDepth(depth-1, f)
		return
	}
	f()
}

// Promise 12.15: a done that ends by Goexit has ended.
func TestADoneThatExitsHoldsUpNoClose(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		w.Alloc(delIgnore).DelAsync(runtime.Goexit)
		closed := inBackground(func() { assert.NoError(t, w.Close()) })
		settle()
		require.True(t, isClosed(closed))
	})
}

// Promise 12.15: a DelAsync of what does not run costs a goroutine for its done, and not more: it does
// not even make the goroutine known to the wheel (BenchmarkDelAsyncIdle).
func TestDelAsyncOfAnIdleTimerCostsAGoroutine(t *testing.T) {
	for _, manual := range []bool{false, true} {
		t.Run(fmt.Sprintf("Manual=%t", manual), func(t *testing.T) {
			w := openWheel(t, timerwheel.Options{Manual: manual})
			tm := w.Alloc(delIgnore)
			over := make(chan struct{}, 1)
			done := func() { over <- struct{}{} }
			most := 1.0 // the go statement's closure
			if manual {
				most = 0
			}
			require.LessOrEqual(t, testing.AllocsPerRun(1000, func() {
				tm.DelAsync(done)
				<-over
			}), most)
		})
	}
}
