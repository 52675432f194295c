package timerwheel

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel/internal/levels"
	"github.com/stretchr/testify/require"
)

// Contract 9: "every goroutine of the wheel is joined", also the one that the
// alarm has just called, and that has not done anything yet.
func TestCloseJoinsTheGoroutineThatTheAlarmHasJustCalled(t *testing.T) {
	for range 100 {
		guarded(t, func(t *testing.T) {
			w, err := New(Options{})
			require.NoError(t, err)
			closed := make(chan bool)
			closer := func() {
				time.Sleep(time.Millisecond) // until the alarm rings
				err := w.Close()
				w.mu.Lock()
				defer w.mu.Unlock()
				closed <- err == nil && len(w.members) == 0 && w.starting == 0 && w.alarm.rings == 0
			}
			go closer()
			w.AfterFunc(time.Millisecond, func() {})
			go closer()
			first, second := <-closed, <-closed
			require.True(t, first && second, "Close has returned, and a goroutine is still to come")
		})
	}
}

// Contract 9: "pending timers are dropped with the wheel's references", also one
// that the end of its run, or of the wait for its lock, would put back on the
// wheel while Close has its turns with the others; it does not run again.
func TestCloseDropsWhatIsPutBackMeanwhile(t *testing.T) {
	for name, c := range map[string]struct {
		waits   string // where its worker waits for the shard
		hold    func(g *Group, runs *atomic.Int32, end chan struct{})
		running int32
	}{
		"registered in its handler": {"drain", func(g *Group, runs *atomic.Int32, end chan struct{}) {
			tm := g.Alloc(func(tm Timer) {
				if runs.Add(1) == 1 {
					_ = tm.Register(0)
					<-end
				}
			})
			require.NoError(t, tm.Register(0))
		}, 1},
		"periodic": {"drain", func(g *Group, runs *atomic.Int32, end chan struct{}) {
			g.Every(time.Millisecond, func(Timer) {
				runs.Add(1)
				<-end
			})
		}, 1},
		"lock-bound": {"acquire", func(g *Group, runs *atomic.Int32, end chan struct{}) {
			tm := g.AllocLocked(&stagedLock{gate: end}, func(Timer) { runs.Add(1) })
			require.NoError(t, tm.Register(0))
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTestWheel(t, Options{MaxWorkers: 2})
			g := w.NewGroup()
			for range 20 * batch { // in the chunks before
				g.AfterFunc(time.Hour, func() {})
			}
			end := make(chan struct{})
			var runs atomic.Int32
			c.hold(g, &runs, end)
			for held := false; !held; runtime.Gosched() {
				g.sh.lock()
				held = !g.sh.levels.Empty(levels.Held)
				g.sh.unlock()
			}
			var wg sync.WaitGroup
			g.sh.lock()
			wg.Go(func() { _ = w.Close() })
			blockedIn(t, 1, "close")
			close(end)
			blockedIn(t, 1, c.waits)
			handOn(&g.sh.mu)
			wg.Wait()
			require.Zero(t, w.Stats().Pending)
			require.Equal(t, c.running, runs.Load(), "it has begun while the wheel was being closed")
		})
	}
}

// Contract 9: who stops the alarm tells those who wait for the last goroutine,
// as the alarm may have been what they waited for.
func TestWhoStopsTheAlarmTellsWhoWaitsForTheEnd(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := newTestWheel(t, Options{})
		w.mu.Lock()
		w.setAlarm(int64(time.Hour))
		w.mu.Unlock()
		var joined atomic.Bool
		go func() {
			_ = w.awaitMembers(context.Background())
			joined.Store(true)
		}()
		synctest.Wait()
		require.False(t, joined.Load(), "a callback may come")
		w.rearm(0)
		synctest.Wait()
		require.True(t, joined.Load())
	})
}

// Contract 9: a goroutine of the wheel is one until it has done all that it does:
// it sets the alarm anew before it leaves the crew.
func TestAGoroutineThatRearmsIsStillTheWheels(t *testing.T) {
	w := twoShards(t)
	wk := &worker{w: w, goid: 1, rearms: true}
	w.members[wk.goid] = wk
	w.shards[1].lock()
	var wg sync.WaitGroup
	wg.Go(func() { w.leave(wk) })
	blockedIn(t, 1, "nextWake")
	w.mu.Lock()
	deserted := w.deserted()
	w.mu.Unlock()
	w.shards[1].unlock()
	wg.Wait()
	require.False(t, deserted)
	require.True(t, w.deserted())
}

// Contract 9: a Close waits for the dones of deletions that were waiting; not
// for that of a DelAsync that came after it.
func TestCloseDoesNotWaitForADoneThatCameAfterIt(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := newTestWheel(t, Options{})
		tm := w.Alloc(func(Timer) {})
		require.NoError(t, w.Close())
		end := make(chan struct{})
		tm.DelAsync(func() { <-end })
		synctest.Wait()
		require.NoError(t, w.Close())
		close(end)
	})
}
