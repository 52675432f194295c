package netstack_test

import (
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/integrations/netstack"
	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// An endpoint is a part of the ring endpoint, timer, function, endpoint, as every timed
// object of a network stack is.
type endpoint struct {
	timer tcpip.Timer
	fired int
	_     [1 << 10]byte // so large that the allocator gives it a block of its own
}

func newEndpoint(c tcpip.Clock, d time.Duration) *endpoint {
	e := new(endpoint)
	e.timer = c.AfterFunc(d, func() { e.fired++ })
	return e
}

// A forgotten endpoint is collected as soon as its timer is not pending, for whatever
// reason, while the wheel and the clock are alive. Until then the wheel keeps it, because
// it must call its function.
func TestRingIsGarbage(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(w *timerwheel.Wheel, e *endpoint)
	}{
		{"stopped", func(w *timerwheel.Wheel, e *endpoint) { e.timer.Stop() }},
		{"expired", func(w *timerwheel.Wheel, e *endpoint) { advance(t, w, w.Now().Add(time.Hour)) }},
		{"reset, and expired", func(w *timerwheel.Wheel, e *endpoint) {
			e.timer.Reset(2 * time.Hour)
			advance(t, w, w.Now().Add(3*time.Hour))
		}},
		{"stopped, reset, stopped", func(w *timerwheel.Wheel, e *endpoint) {
			e.timer.Stop()
			e.timer.Reset(time.Minute)
			e.timer.Stop()
		}},
		{"expired, reset, stopped", func(w *timerwheel.Wheel, e *endpoint) {
			advance(t, w, w.Now().Add(time.Hour))
			e.timer.Reset(time.Hour)
			e.timer.Stop()
		}},
		{"closed", func(w *timerwheel.Wheel, e *endpoint) { w.Close() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := openWheel(t, timerwheel.Options{Manual: true})
			clock := netstack.NewClock(w)
			e := newEndpoint(clock, time.Minute)
			ring := weak.Make(e)
			c.end(w, e)
			runtime.KeepAlive(e)
			require.Zero(t, w.Stats().Live, "an unarmed timer has no storage in the wheel")
			eventually(t, "the ring is collected", func() bool { runtime.GC(); return ring.Value() == nil })
			runtime.KeepAlive(clock)
			runtime.KeepAlive(w)
		})
	}
}

// An endpoint to which only the wheel refers still fires.
func TestPendingRingIsKept(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Manual: true})
	ring := weak.Make(newEndpoint(netstack.NewClock(w), time.Minute))
	for range 3 {
		runtime.GC()
	}
	require.NotNil(t, ring.Value())
	advance(t, w, w.Now().Add(time.Hour))
	require.EqualValues(t, 1, w.Stats().Fired)
	eventually(t, "the ring is collected", func() bool { runtime.GC(); return ring.Value() == nil })
	runtime.KeepAlive(w)
}

// A stack whose filter tables were ever changed has a timer that periodically reaps old
// connections. Destroy does not stop it, so it stays on the wheel and keeps the tables
// alive until the wheel is closed.
func TestCloseDropsTimersThatDestroyLeaves(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Manual: true})
	s := stack.New(stack.Options{Clock: netstack.NewClock(w)})
	tables := s.IPTables()
	tables.ForceReplaceTable(stack.NATID, tables.GetTable(stack.NATID, false), false)
	forgotten := weak.Make(tables)
	tables = nil
	s.Destroy()
	s = nil
	advance(t, w, w.Now().Add(time.Minute))
	require.Equal(t, 1, w.Stats().Live)
	require.NotNil(t, forgotten.Value())
	require.NoError(t, w.Close())
	require.Zero(t, w.Stats().Live)
	eventually(t, "the tables are collected", func() bool { runtime.GC(); return forgotten.Value() == nil })
	runtime.KeepAlive(w)
}
