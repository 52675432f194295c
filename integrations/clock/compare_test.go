package clock_test

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/integrations/clock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// grain is the precision of events. The events of a program happen at a multiple of it
// or shortly after, and the ticks of a wheel add up to less.
const grain = 50 * time.Millisecond

// Every program has the same events on the real clock, on a wheel, and on a Manual wheel
// that the test drives.
func TestProgramsMatchTheRealClock(t *testing.T) {
	for name, run := range programs {
		t.Run(name, func(t *testing.T) {
			var events []event
			synctest.Test(t, func(t *testing.T) { events = eventsOf(run, clockwork.NewRealClock(), nil) })
			require.NotEmpty(t, events)
			synctest.Test(t, func(t *testing.T) {
				w := newWheel(t, timerwheel.Options{})
				require.Equal(t, events, eventsOf(run, clock.On(w), nil))
				require.NotZero(t, w.Stats().Fired)
			})
			synctest.Test(t, func(t *testing.T) {
				w := newWheel(t, timerwheel.Options{Manual: true})
				start := time.Now()
				require.Equal(t, events, eventsOf(run, clock.On(w), w))
				require.Zero(t, time.Since(start), "the program waits for another clock")
			})
		})
	}
}

// An event is a line that a program logged, and when.
type event struct {
	at   time.Duration
	what string
}

// eventsOf runs a program and returns its events. For the clock of a Manual wheel, drive
// is that wheel: eventsOf advances it to the next firing whenever the program only waits.
func eventsOf(run program, c clockwork.Clock, drive *timerwheel.Wheel) []event {
	start := c.Now()
	var mu sync.Mutex
	var events []event
	logf := func(format string, a ...any) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, event{c.Since(start).Truncate(grain), fmt.Sprintf(format, a...)})
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		run(c, logf)
	}()
	if drive != nil {
		driveUntil(over, drive)
	}
	<-over
	synctest.Wait()
	slices.SortStableFunc(events, func(a, b event) int { // events at the same time have no order
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.what, b.what))
	})
	return events
}

// driveUntil advances a Manual wheel in a bubble until over is closed.
func driveUntil(over <-chan struct{}, w *timerwheel.Wheel) {
	for {
		synctest.Wait()
		select {
		case <-over:
			return
		default:
		}
		next, ok := w.Next()
		if !ok {
			panic("the program waits, and no timer of its clock is pending")
		}
		_, err := w.Advance(next)
		check(err)
	}
}

func newWheel(t testing.TB, o timerwheel.Options) *timerwheel.Wheel {
	w, err := timerwheel.New(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	return w
}
