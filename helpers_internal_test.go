package timerwheel

import (
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel/internal/gostack"
	"github.com/seed76848005/timerwheel/internal/hook"
	"github.com/stretchr/testify/require"
)

// The white-box tests stage what a run of the other tests meets once in a million: a goroutine
// comes between two critical sections, or looks at what an operation leaves for a moment. The
// stage is a lock of the wheel that the test holds.

func newTestWheel(t *testing.T, o Options) *Wheel {
	w, err := New(o)
	require.NoError(t, err)
	return w
}

func newTestShard(t *testing.T) *shard {
	w, err := New(Options{Manual: true})
	require.NoError(t, err)
	return w.shards[0]
}

// run gives a worker a running slot in which there is no timer that lives.
func run(sh *shard, wk *worker) {
	wk.slotIndex = sh.running.Len()
	sh.running.Push(runningSlot{wk: wk, since: sh.w.elapsed(), waiting: never})
}

// twoShards makes a wheel with two shards, with none of which anybody works.
func twoShards(t *testing.T) *Wheel {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	w := newTestWheel(t, Options{})
	t.Cleanup(func() { _ = w.Close() })
	require.Len(t, w.shards, 2)
	return w
}

// untilBlockedIn waits until n goroutines wait for a mutex in a function of the
// package.
func untilBlockedIn(t *testing.T, n int, function string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		blocked := 0
		for _, stack := range gostack.All() {
			state, frames, _ := strings.Cut(stack, "\n")
			if strings.Contains(state, "sync.Mutex.Lock") && strings.Contains(frames, ")."+function+"(") {
				blocked++
			}
		}
		if blocked == n {
			return
		}
		require.True(t, time.Now().Before(deadline), "%d goroutines are blocked in %s, not %d", blocked, function, n)
	}
}

// handOn lets go of a mutex for which others have waited for a while, such that
// it goes from hand to hand in their order.
func handOn(mu *hook.Mutex) {
	askFor(mu)
	mu.Unlock()
}

// askFor makes sure that who unlocks a mutex next hands it on to those who wait for it:
// who is woken and finds it taken again asks for fairness.
func askFor(mu *hook.Mutex) {
	time.Sleep(2 * time.Millisecond)
	mu.Unlock()
	mu.Lock()
	time.Sleep(time.Millisecond)
}

// A stagedLock is a lock whose Lock waits for its gate; then it ends the
// goroutine instead of returning, if it exits.
type stagedLock struct {
	gate  chan struct{}
	exits bool
	calls atomic.Int32
}

func (l *stagedLock) Lock() {
	l.calls.Add(1)
	<-l.gate
	if l.exits {
		runtime.Goexit()
	}
}

func (l *stagedLock) Unlock() {}
