package timerwheel_test

import (
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
		begun := make(map[timerwheel.Timer]time.Time, n)
		var puppets []*puppet
		var timers []timerwheel.Timer
		for i := range n {
			p := newPuppet(t)
			var log firingLog
			tm := w.Alloc(func(tm timerwheel.Timer) {
				log.run(tm)
				p.handle(tm)
			})
			require.NoError(t, tm.Register(time.Duration(i)*3*time.Second/10))
			elapse(time.Minute)
			require.Len(t, log.times(), 1)
			begun[tm] = log.times()[0]
			timers, puppets = append(timers, tm), append(puppets, p)
			for range i {
				go func() { _, _ = tm.DelSync() }()
			}
			elapse(time.Minute)
		}
		require.NoError(t, timers[0].Register(time.Hour), "pending, too, and still one handler")

		for left := n; left > 0; left-- {
			running := w.Running()
			require.Len(t, running, left)
			seen := make(map[timerwheel.Timer]bool)
			for _, r := range running {
				require.False(t, seen[r.Timer], "listed twice")
				seen[r.Timer] = true
				require.Contains(t, begun, r.Timer)
				require.Zero(t, begun[r.Timer].Sub(r.Since), "since its start, not since its deadline")
				for i, tm := range timers {
					if tm == r.Timer {
						require.Equal(t, i, r.Waiters)
					}
				}
			}
			require.True(t, seen[timers[left-1]])
			puppets[left-1].let()
			elapse(0)
		}
		require.Empty(t, w.Running())
	})
}
