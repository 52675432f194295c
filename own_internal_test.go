package timerwheel

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel/internal/own"
	"github.com/stretchr/testify/require"
)

// An ownTicks is an own firing that arms itself again at each tick.
type ownTicks struct {
	own.Firing
	w     *Wheel
	fired int
}

func (o *ownTicks) arm() { o.w.AfterFuncArg(o.w.tick, own.Fire, &o.Firing) }

func (o *ownTicks) Fire()                        { o.fired++; o.arm() }
func (o *ownTicks) HandOver(time.Duration, bool) {}

// Own firings go on while workers starve. They are no evidence that handlers begin.
func TestOwnFiringsDoNotHideThatWorkersStarve(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := newTestWheel(t, Options{})
		LeaveUnwatched(w)
		procs := runtime.GOMAXPROCS(0)
		for range procs {
			require.True(t, w.hire()) // workers that get no processor
		}
		ticks := &ownTicks{w: w}
		ticks.Owner = ticks
		ticks.arm()
		begun := false
		w.AfterFunc(w.tick, func() { begun = true })
		time.Sleep(starvedAfter + 2*w.tick)
		synctest.Wait()
		require.GreaterOrEqual(t, ticks.fired, int(starvedAfter/w.tick))
		require.True(t, begun)
		w.mu.Lock()
		defer w.mu.Unlock()
		require.Equal(t, procs, w.workers)
		w.workers = 0
	})
}

// A greedyFiring arms itself again for "at once", up to n times.
type greedyFiring struct {
	own.Firing
	timer    Timer
	fired, n int
}

func (o *greedyFiring) Fire() {
	if o.fired++; o.fired < o.n {
		_ = o.timer.Register(0)
	}
}

func (o *greedyFiring) HandOver(time.Duration, bool) {}

// A firingFunc is an own firing that calls a function.
type firingFunc struct {
	own.Firing
	fire func()
}

func (o *firingFunc) Fire()                        { o.fire() }
func (o *firingFunc) HandOver(time.Duration, bool) {}

// armOn arms an own firing on one shard.
func armOn(t *testing.T, sh *shard, x *own.Firing, d time.Duration) Timer {
	sh.w.hasOwn.Store(true)
	now := sh.w.elapsed()
	sh.lock()
	defer sh.unlock()
	require.True(t, sh.reserve(x))
	i, s := sh.newTimer(x, nil)
	s.Owners = 1
	sh.arm(i, s, after(now, d), now)
	return sh.timer(i, s)
}

// No shard waits for another to become empty: own firings of one shard that are armed for "at once"
// again and again leave the others their turn.
func TestOwnFiringsOfOneShardDoNotKeepAnotherWaiting(t *testing.T) {
	guarded(t, func(t *testing.T) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
		for no := range 2 { // the wheel begins with either
			w := newTestWheel(t, Options{Tick: time.Hour})
			require.Len(t, w.shards, 2)
			greedy := &greedyFiring{n: 100 * batch}
			greedy.Owner = greedy
			greedy.timer = armOn(t, w.shards[no], &greedy.Firing, time.Minute)
			firedBefore := -1
			other := &firingFunc{fire: func() { firedBefore = greedy.fired }}
			other.Owner = other
			armOn(t, w.shards[1-no], &other.Firing, time.Minute)
			time.Sleep(2 * time.Hour)
			synctest.Wait()
			require.Equal(t, greedy.n, greedy.fired)
			require.GreaterOrEqual(t, firedBefore, 0)
			require.LessOrEqual(t, firedBefore, batch)
		}
	})
}
