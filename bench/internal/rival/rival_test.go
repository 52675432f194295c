package rival

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const tick = time.Millisecond

// Each rival really does the work that it is measured at; otherwise the comparison would
// be void. The test runs in a bubble, where no firing is late.
func TestRivalsDoTheWork(t *testing.T) {
	for _, kind := range Kinds() {
		t.Run(kind.Name, func(t *testing.T) {
			for name, test := range map[string]func(*testing.T, Rival){
				"a one-shot fires once":          firesOnce,
				"a one-shot is stopped":          isStopped,
				"many one-shots are stopped":     areStopped,
				"a timer is moved, and not lost": isMoved,
				"a timer is moved to a time":     isMovedTo,
				"a timer is stopped":             doesNotFire,
				"a timer is armed and stopped":   isArmedAndStopped,
				"a series continues":             continues,
			} {
				t.Run(name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						r, err := kind.New(tick)
						require.NoError(t, err)
						defer synctest.Wait() // for the goroutines that Close ended
						defer r.Close()
						test(t, r)
					})
				})
			}
		})
	}
}

// counter returns a handler, and a function that returns how often it was called.
func counter() (f func(), calls func() int) {
	var n atomic.Int64
	return func() { n.Add(1) }, func() int { synctest.Wait(); return int(n.Load()) }
}

var order = []uint32{3, 0, 4, 1, 2}

func firesOnce(t *testing.T, r Rival) {
	f, calls := counter()
	for range 100 {
		r.AfterFunc(50*tick, f)
	}
	time.Sleep(48 * tick) // go-zero fires up to a tick early
	require.Zero(t, calls())
	time.Sleep(4 * tick)
	require.Equal(t, 100, calls())
	time.Sleep(time.Second)
	require.Equal(t, 100, calls())
}

func isStopped(t *testing.T, r Rival) {
	f, calls := counter()
	require.Equal(t, 100, r.StartStop(100, 20*tick, f))
	time.Sleep(time.Second)
	require.Zero(t, calls())
}

// These timers do nothing, so the test cannot see that none fires. It checks instead how
// many were stopped before they fired.
func areStopped(t *testing.T, r Rival) {
	r.StartAll(100, 20*tick)
	require.Equal(t, 100, r.StopAll())
	r.StartAll(10, 20*tick)
	require.Equal(t, 10, r.StopAll())
}

func isMoved(t *testing.T, r Rival) {
	f, calls := counter()
	r.Make(5, f)
	require.Equal(t, 105*tick, r.Rearm(order, 100*tick, tick))
	r.Rearm(order, 20*tick, 0) // earlier
	time.Sleep(10 * tick)
	r.Rearm(order, 50*tick, 0) // later
	time.Sleep(48 * tick)
	require.Zero(t, calls())
	time.Sleep(4 * tick)
	require.Equal(t, 5, calls())
	r.Rearm(order, 20*tick, 10*tick)
	time.Sleep(35 * tick)
	require.Equal(t, 7, calls(), "at 20 and 30 ticks")
	time.Sleep(time.Second)
	require.Equal(t, 10, calls())
}

func isMovedTo(t *testing.T, r Rival) {
	at, can := r.(AtRearmer)
	if !can {
		t.Skip("it accepts durations only")
	}
	f, calls := counter()
	r.Make(5, f)
	first := time.Now().Add(20 * tick)
	require.Equal(t, first.Add(50*tick), at.RearmAt(order, first, 10*tick))
	time.Sleep(35 * tick)
	require.Equal(t, 2, calls(), "at 20 and 30 ticks")
	time.Sleep(time.Second)
	require.Equal(t, 5, calls())
}

func doesNotFire(t *testing.T, r Rival) {
	f, calls := counter()
	r.Make(5, f)
	r.Rearm(order, 20*tick, 0)
	require.Equal(t, 4, r.Stop(order[:4]))
	time.Sleep(time.Second)
	require.Equal(t, 1, calls())
}

func isArmedAndStopped(t *testing.T, r Rival) {
	f, calls := counter()
	r.Make(1, f)
	r.ArmStop(10, 20*tick)
	time.Sleep(time.Second)
	require.Zero(t, calls())
}

func continues(t *testing.T, r Rival) {
	f, calls := counter()
	r.Every(10*tick, f)
	time.Sleep(105 * tick)
	require.InDelta(t, 10, calls(), 2) // a series that re-arms itself drifts
}

// StopSync returns after the handler. This test does not run in a bubble, because the
// time of a bubble stands still while a goroutine waits for a mutex, as the hand-rolled
// wrapper does.
func TestStopSyncWaits(t *testing.T) {
	for _, kind := range Kinds() {
		t.Run(kind.Name, func(t *testing.T) {
			r, err := kind.New(tick)
			require.NoError(t, err)
			defer r.Close()
			s, can := r.(SyncStopper)
			if !can {
				t.Skip("its stop does not wait")
			}
			begun := make(chan struct{})
			var ended atomic.Bool
			r.Make(2, func() {
				close(begun)
				time.Sleep(10 * tick)
				ended.Store(true)
			})
			r.Rearm([]uint32{0}, tick, 0)
			r.Rearm([]uint32{1}, time.Hour, 0)
			<-begun
			require.Equal(t, 1, s.StopSync([]uint32{1}), "the timer is pending")
			require.Zero(t, s.StopSync([]uint32{0}), "the timer runs and is not pending")
			require.True(t, ended.Load(), "StopSync returned before the handler")
			require.Zero(t, s.StopSync([]uint32{0, 1}), "both timers are idle")
		})
	}
}
