package timerwheel

import (
	"context"
	"reflect"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel/internal/gostack"
	"github.com/seed76848005/timerwheel/internal/levels"
	"github.com/stretchr/testify/require"
)

// Promise 9.4: also the goroutine that the alarm has just called, and that has not done anything yet.
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
			require.True(t, first && second, "Close has returned, and a goroutine has not begun")
		})
	}
}

// Promise 9.2: also a timer that the end of its run, or of the wait for its lock, would put back on
// the wheel while Close drops the others; it does not run again.
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
		"lock-bound": {"takeFirst", func(g *Group, runs *atomic.Int32, end chan struct{}) {
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
			end, endRun := newGate(t)
			var runs atomic.Int32
			c.hold(g, &runs, end)
			eventually(t, "the timer is held", func() bool {
				g.sh.lock()
				defer g.sh.unlock()
				return !g.sh.levels.Empty(levels.Held)
			})
			release := hold(t, &g.sh.mu)
			closed := make(chan error, 1)
			go func() { closed <- w.Close() }()
			blockedIn(t, 1, "close")
			endRun()
			blockedIn(t, 1, c.waits)
			askFor(&g.sh.mu)
			release()
			require.NoError(t, receive(t, closed))
			require.Zero(t, w.Stats().Pending)
			require.Equal(t, c.running, runs.Load(), "it has begun while the wheel was being closed")
		})
	}
}

// Promise 9.4: stopping the alarm wakes the calls that wait for the last goroutine: the alarm may
// have been what they waited for.
func TestStoppingTheAlarmWakesTheJoiner(t *testing.T) {
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

// Promise 9.4: a goroutine is a member until it has done all its work: it sets the alarm anew before
// it stops being one.
func TestARearmingGoroutineIsStillAMember(t *testing.T) {
	w := twoShards(t)
	wk := &worker{w: w, goid: 1, rearms: true}
	w.members[wk.goid] = wk
	deserted := func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.deserted()
	}
	w.occupied.Store(0b11)
	release := hold(t, &w.shards[1].mu)
	left := make(chan bool)
	go func() {
		w.leave(wk)
		close(left)
	}()
	blockedIn(t, 1, "nextWake")
	require.False(t, deserted())
	release()
	receive(t, left)
	require.True(t, deserted())
}

// Promise 12.14: a Close does not wait for the done of a DelAsync that came after it.
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

// Promise 10.26: the number of the caller's goroutine is asked for once, if something is due, and
// otherwise not at all: that reads the caller's stack, which may be deep.
func TestAnAdvanceWithNothingDueDoesNotAskWhoCalls(t *testing.T) {
	for name, advance := range map[string]func(*Wheel, time.Time) (int, error){
		"Advance":        (*Wheel).Advance,
		"AdvanceThrough": (*Wheel).AdvanceThrough,
	} {
		t.Run(name, func(t *testing.T) {
			w := newTestWheel(t, Options{Manual: true})
			advances := func(d time.Duration, due int, asks int64) {
				t.Helper()
				now := w.Now().Add(d)
				asked := allocationsOf(gostack.ID, func() {
					fired, err := advance(w, now)
					require.NoError(t, err)
					require.Equal(t, due, fired)
				})
				require.Equal(t, asks, asked)
			}
			advances(time.Second, 0, 0)
			w.AfterFunc(time.Second, func() {})
			w.AfterFunc(2*time.Second, func() {})
			advances(0, 0, 0)
			advances(time.Millisecond, 0, 0)
			advances(-time.Second, 0, 0)
			advances(time.Minute, 2, 1)
			advances(time.Minute, 0, 0)
		})
	}
}

// allocationsOf returns the number of objects that a function allocates while f runs: the runtime
// remembers the stack of each allocation. It counts in the calling goroutine only.
func allocationsOf(function any, f func()) int64 {
	before, rate := allocations(function), runtime.MemProfileRate
	runtime.MemProfileRate = 1 // each allocation
	callProfiled(f)
	runtime.MemProfileRate = rate
	return allocations(function) - before
}

//go:noinline
func callProfiled(f func()) { f() }

// allocations returns the number of objects that a function has allocated below callProfiled.
func allocations(function any) (n int64) {
	for range 3 { // a profile lacks what was allocated since the last two collections
		runtime.GC()
	}
	var records []runtime.MemProfileRecord
	for k, ok := runtime.MemProfile(nil, true); !ok; {
		records = make([]runtime.MemProfileRecord, 2*k)
		k, ok = runtime.MemProfile(records, true)
		records = records[:min(k, len(records))]
	}
	for _, r := range records {
		var functions []uintptr
		frames := runtime.CallersFrames(r.Stack())
		for more := true; more; {
			var frame runtime.Frame
			frame, more = frames.Next()
			functions = append(functions, frame.Entry)
		}
		if slices.Contains(functions, entry(function)) && slices.Contains(functions, entry(callProfiled)) {
			n += r.AllocObjects
		}
	}
	return n
}

func entry(function any) uintptr { return reflect.ValueOf(function).Pointer() }
