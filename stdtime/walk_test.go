package stdtime_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
)

// One random walk over all that can be done to a timer, a function's timer and a ticker is
// taken with package time and with a wheel, and written down: the two accounts are equal.
// Deadlines lie on multiples of grid, ticks a quarter off, and the walk looks halfway
// between, so that a wheel's two ticks do not show.
func TestTheSameWalkOnBoth(t *testing.T) {
	for seed := range uint64(200) {
		var accounts [2]string
		synctest.Test(t, func(t *testing.T) { accounts[0] = walk(seed, timesFace) })
		synctest.Test(t, func(t *testing.T) {
			c, _ := openClock(t, timerwheel.Options{Tick: tick})
			accounts[1] = walk(seed, faceOf(c))
		})
		require.Equal(t, accounts[0], accounts[1], "seed %d", seed)
		require.Contains(t, accounts[0], "receive true", "seed %d: a walk that sees nothing", seed)
		require.Contains(t, accounts[0], "called", "seed %d: a walk that sees nothing", seed)
	}
}

func walk(seed uint64, c face) string {
	const grid = 100 * time.Millisecond
	rnd := rand.New(rand.NewPCG(seed, seed))
	start := time.Now()
	var account strings.Builder
	write := func(format string, a ...any) {
		fmt.Fprintf(&account, "%4d ", time.Since(start)/grid)
		fmt.Fprintf(&account, format+"\n", a...)
	}
	d := func() time.Duration { // to a point of the grid, from where the walk is
		return time.Duration(1+rnd.IntN(5))*grid - time.Since(start)%grid
	}
	period := func() time.Duration { return time.Duration(1+rnd.IntN(3)) * grid }
	receive := func(name string, ch <-chan time.Time) {
		select {
		case at := <-ch:
			write("%s: receive true, of %d", name, at.Sub(start)/grid)
		default:
			write("%s: receive false", name)
		}
	}

	time.Sleep(grid / 4)
	tk, ticks := c.NewTicker(period())
	time.Sleep(grid / 4)
	tm, sent := c.NewTimer(d())
	calls := make(chan time.Time, 100)
	fn := c.AfterFunc(d(), func() {
		calls <- time.Now()
		time.Sleep(3*grid - grid/4) // so that calls overlap, and end where nobody looks
	})
	for range 200 {
		time.Sleep(time.Duration(rnd.IntN(3)) * grid)
		synctest.Wait()
		switch rnd.IntN(10) {
		case 0:
			write("timer: Stop %v", tm.Stop())
		case 1, 2:
			write("timer: Reset %v", tm.Reset(d()))
		case 3:
			receive("timer", sent)
		case 4:
			write("func: Stop %v", fn.Stop())
		case 5, 6:
			write("func: Reset %v", fn.Reset(d()))
		case 7:
			tk.Stop()
			write("ticker: Stop")
		case 8:
			time.Sleep(grid / 4)
			tk.Reset(period())
			write("ticker: Reset")
			time.Sleep(grid - grid/4)
		case 9:
			receive("ticker", ticks)
		}
		synctest.Wait()
		for len(calls) > 0 {
			write("func: called at %d", (<-calls).Sub(start)/grid)
		}
	}
	tm.Stop()
	fn.Stop()
	tk.Stop()
	time.Sleep(time.Minute)
	return account.String()
}
