// Package workqueue has tests only: client-go's workqueue with the clock of k8sclock. It is a module
// of its own, so that the adapter does not choose the client-go of those who use it.
package workqueue

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/integrations/k8sclock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// grain is the precision of events. They happen at a multiple of it or shortly after, and the
// ticks of a wheel add up to less.
const grain = 50 * time.Millisecond

// A controller that retries has the same events on the real clock, on a wheel, and on a Manual
// wheel that the test drives.
func TestControllersMatchTheRealClock(t *testing.T) {
	var events []string
	synctest.Test(t, func(t *testing.T) { events = controller(clock.RealClock{}, time.Sleep) })
	require.Equal(t, []string{
		"0s once", "300ms late", "1s flaky fails", "1.2s flaky fails", "1.6s flaky fails", "2.4s flaky",
	}, events)

	synctest.Test(t, func(t *testing.T) {
		w, err := timerwheel.New(timerwheel.Options{})
		require.NoError(t, err)
		require.Equal(t, events, controller(k8sclock.New(w), time.Sleep))
		require.NotZero(t, w.Stats().Fired, "the queue uses the wheel")
		require.NoError(t, w.Close())
	})
	synctest.Test(t, func(t *testing.T) {
		w, err := timerwheel.New(timerwheel.Options{Manual: true})
		require.NoError(t, err)
		start := time.Now()
		require.Equal(t, events, controller(k8sclock.New(w), func(d time.Duration) {
			for end := w.Now().Add(d); w.Now().Before(end); synctest.Wait() {
				next, ok := w.Next()
				if !ok || next.After(end) {
					next = end
				}
				_, err := w.Advance(next)
				require.NoError(t, err)
			}
		}))
		require.Zero(t, time.Since(start), "the queue waits for another clock")
		require.NoError(t, w.Close())
	})
}

// controller handles three keys, one of which fails three times, and returns what happened. The
// function pass lets time pass.
func controller(c clock.WithTicker, pass func(time.Duration)) (events []string) {
	start := c.Now()
	queue := workqueue.NewTypedRateLimitingQueueWithConfig(
		workqueue.NewTypedItemExponentialFailureRateLimiter[string](200*time.Millisecond, time.Minute),
		workqueue.TypedRateLimitingQueueConfig[string]{Clock: c})
	var worker sync.WaitGroup
	worker.Go(func() {
		for {
			key, over := queue.Get()
			if over {
				return
			}
			what := fmt.Sprint(c.Since(start).Truncate(grain), " ", key)
			if key == "flaky" && queue.NumRequeues(key) < 3 {
				what += " fails"
				queue.AddRateLimited(key)
			} else {
				queue.Forget(key)
			}
			events = append(events, what)
			queue.Done(key)
		}
	})
	queue.AddAfter("once", 0)
	queue.AddAfter("flaky", time.Second)
	queue.AddAfter("late", 300*time.Millisecond)
	queue.AddAfter("late", time.Hour) // the earlier one counts
	synctest.Wait()
	pass(11 * time.Second) // past the heartbeat of the queue
	queue.AddAfter("never", time.Second)
	queue.ShutDown()
	pass(2 * time.Second)
	worker.Wait()
	return events
}
