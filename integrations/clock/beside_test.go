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

// grain is what an account is exact to. What happens in a program happens at a
// multiple of it or shortly after, and the ticks of a wheel add up to less.
const grain = 50 * time.Millisecond

// Every program gives the same account on the real clock, on a wheel's, and on
// that of a Manual wheel which somebody drives.
func TestBesideTheRealClock(t *testing.T) {
	for name, run := range programs {
		t.Run(name, func(t *testing.T) {
			var account []line
			synctest.Test(t, func(t *testing.T) { account = accountOf(run, clockwork.NewRealClock(), nil) })
			require.NotEmpty(t, account)
			synctest.Test(t, func(t *testing.T) {
				w := newWheel(t, timerwheel.Options{})
				require.Equal(t, account, accountOf(run, clock.On(w), nil))
				require.NotZero(t, w.Stats().Fired)
			})
			synctest.Test(t, func(t *testing.T) {
				w := newWheel(t, timerwheel.Options{Manual: true})
				start := time.Now()
				require.Equal(t, account, accountOf(run, clock.On(w), w))
				require.Zero(t, time.Since(start), "time has passed by another clock")
			})
		})
	}
}

// A line of an account: what was said, and when.
type line struct {
	at   time.Duration
	what string
}

// accountOf runs a program, and returns what it says. If the clock is a Manual
// wheel's, drive is that wheel: it is advanced to what is due next whenever the
// program can do nothing but wait.
func accountOf(run program, c clockwork.Clock, drive *timerwheel.Wheel) []line {
	start := c.Now()
	var mu sync.Mutex
	var account []line
	say := func(format string, a ...any) {
		mu.Lock()
		defer mu.Unlock()
		account = append(account, line{c.Since(start).Truncate(grain), fmt.Sprintf(format, a...)})
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		run(c, say)
	}()
	if drive != nil {
		driveUntil(over, drive)
	}
	<-over
	synctest.Wait()
	slices.SortStableFunc(account, func(a, b line) int { // what happens at one time has no order
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.what, b.what))
	})
	return account
}

// driveUntil is how a test drives a Manual wheel in a bubble.
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
			panic("the program waits, and nothing pends on its clock")
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
