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

// A random walk calls all methods of a timer, a function's timer and a ticker, with package
// time and with a wheel, and logs what happens: the two logs are equal. Deadlines lie on
// multiples of grid, ticks a quarter of it later, and the walk looks halfway between, so that
// the two ticks by which a wheel may be late do not show.
func TestRandomWalkIsTheSameOnBoth(t *testing.T) {
	for seed := range uint64(rounds(200)) {
		var logs [2]string
		synctest.Test(t, func(t *testing.T) { logs[0] = walk(seed, packageTime) })
		synctest.Test(t, func(t *testing.T) {
			c, _ := openClock(t, timerwheel.Options{Tick: tick})
			logs[1] = walk(seed, wheelTime(c))
		})
		require.Equal(t, logs[0], logs[1], "seed %d", seed)
		require.Contains(t, logs[0], "receive true", "seed %d: a walk that sees nothing", seed)
		require.Contains(t, logs[0], "called", "seed %d: a walk that sees nothing", seed)
	}
}

func walk(seed uint64, c timeAPI) string {
	const grid = 100 * time.Millisecond
	rnd := rand.New(rand.NewPCG(seed, seed))
	start := time.Now()
	var log strings.Builder
	write := func(format string, a ...any) {
		fmt.Fprintf(&log, "%4d ", time.Since(start)/grid)
		fmt.Fprintf(&log, format+"\n", a...)
	}
	d := func() time.Duration { // from now to a point of the grid
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
		time.Sleep(3*grid - grid/4) // so that calls overlap, and end when the walk does not look
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
	return log.String()
}
