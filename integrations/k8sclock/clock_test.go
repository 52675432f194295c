package k8sclock_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"k8s.io/utils/clock"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/integrations/k8sclock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A harness is a clock, and the way to let its time pass.
type harness struct {
	clock.WithTickerAndDelayedExecution
	pass func(d time.Duration) // returns when everything until then has happened
}

// onEachClock runs a test on k8s's real clock, on a wheel, and on a Manual wheel, in a bubble each.
func onEachClock(t *testing.T, test func(t *testing.T, h harness)) {
	sleep := func(d time.Duration) {
		time.Sleep(d)
		synctest.Wait()
	}
	t.Run("real", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { test(t, harness{clock.RealClock{}, sleep}) })
	})
	t.Run("wheel", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWheel(t, timerwheel.Options{})
			test(t, harness{k8sclock.New(w), sleep})
			require.NotZero(t, w.Stats().Registered, "the clock uses the wheel")
		})
	})
	t.Run("Manual", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWheel(t, timerwheel.Options{Manual: true})
			start := time.Now()
			test(t, harness{k8sclock.New(w), func(d time.Duration) {
				advance(t, w, d)
				synctest.Wait()
			}})
			require.Zero(t, time.Since(start), "the test waited for another clock")
		})
	})
}

// More than the ticks that a firing may be late, and less than any step of a test.
const late = 5 * time.Millisecond

// Stop and Reset of a Timer with a channel report whether the firing was still to come, and
// nothing that was sent before is received after them.
func TestTimer(t *testing.T) {
	onEachClock(t, func(t *testing.T, h harness) {
		start := h.Now()
		timer := h.NewTimer(time.Second)
		h.pass(time.Second - late)
		require.Empty(t, timer.C(), "early")
		h.pass(2 * late)
		require.WithinRange(t, <-timer.C(), start.Add(time.Second), start.Add(time.Second+late))
		require.False(t, timer.Stop(), "received")
		require.False(t, timer.Reset(time.Second), "not armed")
		require.True(t, timer.Reset(2*time.Second), "pending")
		h.pass(time.Second + late)
		require.Empty(t, timer.C(), "the earlier arming")
		h.pass(time.Second + late)
		require.True(t, timer.Reset(time.Second), "fired, and not received")
		requireSilent(t, timer.C())
		h.pass(time.Second + late)
		require.True(t, timer.Stop(), "fired, and not received")
		requireSilent(t, timer.C())
		require.False(t, timer.Stop(), "stopped")
		require.False(t, timer.Reset(0))
		h.pass(late)
		<-timer.C()
	})
}

// Stop and Reset of a Timer with a function report whether the call was still to come. The
// function is called in a goroutine that may use the clock.
func TestAfterFunc(t *testing.T) {
	onEachClock(t, func(t *testing.T, h harness) {
		start, calls := h.Now(), make(chan time.Time, 10)
		timer := h.AfterFunc(time.Second, func() { calls <- h.Now() })
		require.Nil(t, timer.C())
		h.pass(time.Second - late)
		require.Empty(t, calls, "early")
		require.True(t, timer.Reset(time.Second))
		h.pass(time.Second + late)
		require.WithinRange(t, <-calls, start.Add(2*time.Second-late), start.Add(2*time.Second+late))
		require.False(t, timer.Stop(), "called")
		require.False(t, timer.Reset(time.Second), "called")
		h.pass(time.Second - late)
		require.True(t, timer.Stop())
		require.False(t, timer.Stop(), "stopped")
		h.pass(time.Minute)
		require.Empty(t, calls)
		h.AfterFunc(-time.Second, func() { calls <- h.Now() })
		h.pass(late)
		require.Len(t, calls, 1)
	})
}

// A Ticker drops ticks for a slow receiver, keeps to its period, and is silent after Stop.
func TestTicker(t *testing.T) {
	onEachClock(t, func(t *testing.T, h harness) {
		start := h.Now()
		ticker := h.NewTicker(time.Second)
		for k := range 3 {
			h.pass(time.Second)
			h.pass(late)
			at := start.Add(time.Duration(k+1) * time.Second)
			require.WithinRange(t, <-ticker.C(), at, at.Add(late*time.Duration(k+1)))
		}
		h.pass(10 * time.Second)
		<-ticker.C()
		requireSilent(t, ticker.C())
		h.pass(time.Second)
		ticker.Stop()
		h.pass(time.Minute)
		requireSilent(t, ticker.C())
		require.Panics(t, func() { h.NewTicker(0) })
	})
}

func TestChannels(t *testing.T) {
	onEachClock(t, func(t *testing.T, h harness) {
		start := h.Now()
		require.Nil(t, h.Tick(0))
		require.Nil(t, h.Tick(-time.Second))
		after, tick, slept := h.After(time.Second), h.Tick(time.Second), make(chan time.Time, 1)
		go func() {
			h.Sleep(time.Second)
			slept <- h.Now()
		}()
		h.Sleep(0)
		h.Sleep(-time.Second)
		synctest.Wait()
		h.pass(time.Second + late)
		for name, ch := range map[string]<-chan time.Time{"After": after, "Tick": tick, "Sleep": slept} {
			select {
			case at := <-ch:
				require.WithinRange(t, at, start.Add(time.Second), start.Add(time.Second+late), name)
			default:
				require.Fail(t, "nothing to receive", name)
			}
		}
		require.Equal(t, time.Second+late, h.Since(start))
		requireSilent(t, after)
		h.pass(time.Second)
		<-tick
	})
}

// Closing the wheel ends nothing: what is pending goes on with package time.
func TestClosedWheel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWheel(t, timerwheel.Options{})
		c, called := k8sclock.New(w), make(chan string, 2)
		before, timer := c.AfterFunc(time.Second, func() { called <- "before" }), c.NewTimer(time.Second)
		require.NoError(t, w.Close())
		require.Equal(t, "before", <-called)
		<-timer.C()
		require.False(t, before.Reset(time.Hour))
		require.True(t, before.Stop())
		c.AfterFunc(time.Second, func() { called <- "after" })
		require.Equal(t, "after", <-called)
		ticker := c.NewTicker(time.Second)
		<-ticker.C()
		<-ticker.C()
		ticker.Stop()
	})
}

func TestNewPanicsWithoutAWheel(t *testing.T) {
	require.Panics(t, func() { k8sclock.New(nil) })
}

// requireSilent fails if something can be received.
func requireSilent(t testing.TB, ch <-chan time.Time) {
	t.Helper()
	select {
	case at := <-ch:
		require.Fail(t, "received", "%v", at)
	default:
	}
}

func newWheel(t testing.TB, o timerwheel.Options) *timerwheel.Wheel {
	w, err := timerwheel.New(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	return w
}

func advance(t testing.TB, w *timerwheel.Wheel, d time.Duration) {
	t.Helper()
	_, err := w.Advance(w.Now().Add(d))
	require.NoError(t, err)
}
