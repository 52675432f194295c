package timerwheel_test

import (
	"slices"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
)

// Promise 2.16.
func TestRunningListsTheHandlersInFlight(t *testing.T) {
	// With so long a tick, a start is far from its deadline.
	bubble(t, "", timerwheel.Options{Tick: time.Second}, func(t *testing.T, w *timerwheel.Wheel) {
		require.Empty(t, w.Running())
		const n = 4
		begun := make([]time.Time, n)
		var puppets []*puppet
		var timers []timerwheel.Timer
		for i := range n {
			p := newPuppet(t)
			tm := w.Alloc(func(tm timerwheel.Timer) {
				begun[i] = time.Now()
				p.handle(tm)
			})
			require.NoError(t, tm.Register(time.Duration(i)*3*time.Second/10))
			elapse(time.Minute)
			timers, puppets = append(timers, tm), append(puppets, p)
			for range i {
				deleting(tm.DelSync)
			}
			elapse(time.Minute)
		}
		require.NoError(t, timers[0].Register(time.Hour), "pending, too, and still one handler")

		for left := n; left > 0; left-- {
			running := w.Running()
			require.Len(t, running, left)
			for i, tm := range timers[:left] {
				at := slices.IndexFunc(running, func(r timerwheel.RunningHandler) bool { return r.Timer == tm })
				require.GreaterOrEqual(t, at, 0, "not listed")
				require.Zero(t, begun[i].Sub(running[at].Since), "since its start, not since its deadline")
				require.Equal(t, i, running[at].Waiters)
			}
			puppets[left-1].let()
			elapse(0)
		}
		require.Empty(t, w.Running())
	})
}
