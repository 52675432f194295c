package timerwheel

import (
	"context"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel/internal/gostack"
	"github.com/seed76848005/timerwheel/internal/hook"
	"github.com/seed76848005/timerwheel/internal/levels"
	"github.com/stretchr/testify/require"
)

// The white-box tests stage what a run of the other tests meets once in a million: a goroutine
// comes between two critical sections, or looks at what an operation leaves for a moment. The
// stage is a lock of the wheel that the test holds.

// patience is longer than anything here takes, on any machine.
const patience = time.Minute

// The tests of package timerwheel_test use these too.
const Patience = patience

var (
	Guarded    = guarded
	Within     = within
	Eventually = eventually
	Stacks     = stacks
)

func Receive[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	return receive(t, c)
}

// newTestWheel makes a wheel that ends with the test. A goroutine that hangs must not keep the test
// from saying why, so the end has a bound. In a bubble, t must be the bubble's own.
func newTestWheel(t testing.TB, o Options) *Wheel {
	t.Helper()
	w, err := New(o)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := w.CloseContext(ctx); err != nil && !t.Failed() {
			t.Errorf("the wheel does not end: %v\n%s", err, stacks())
		}
	})
	return w
}

// newTestShard returns the only shard of a Manual wheel.
func newTestShard(t testing.TB) *shard {
	return newTestWheel(t, Options{Manual: true}).shards[0]
}

// hold locks mu until release is called, or until the test ends. A test that fails on its stage
// then releases mu before its wheel is closed, which newTestWheel has registered before. To hand mu
// on from waiter to waiter in their order, call askFor(mu), then release. Release may be called twice.
func hold(t testing.TB, mu *hook.Mutex) (release func()) {
	mu.Lock()
	release = sync.OnceFunc(mu.Unlock)
	t.Cleanup(release)
	return release
}

// run gives a worker a running slot in which there is no timer that lives.
func run(sh *shard, wk *worker) {
	wk.publish(sh, 0, sh.w.elapsed())
}

// twoShards makes a wheel with two shards, with none of which anybody works.
func twoShards(t *testing.T) *Wheel {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	w := newTestWheel(t, Options{})
	require.Len(t, w.shards, 2)
	return w
}

// blockedIn waits until n goroutines, or more, wait for a mutex in a function of the package. One
// that the alarm has called may be among them.
func blockedIn(t testing.TB, n int, function string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		blocked := 0
		for _, stack := range new(gostack.Dumper).Dump().All() {
			state, frames, _ := strings.Cut(string(stack), "\n")
			if strings.Contains(state, "sync.Mutex.Lock") && strings.Contains(frames, ")."+function+"(") {
				blocked++
			}
		}
		if blocked >= n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines are blocked in %s, not %d:\n%s", blocked, function, n, stacks())
		}
	}
}

// askFor makes the next Unlock of a mutex hand it to the goroutines that wait for it, in their order:
// a waiter that has waited for more than a millisecond, is woken, and finds the mutex taken again asks for
// fairness, and waits again. On a busy machine it may be long until that waiter gets a processor.
func askFor(mu *hook.Mutex) {
	time.Sleep(2 * time.Millisecond)
	mu.Unlock()
	mu.Lock()
	for tryingToLock() {
		time.Sleep(time.Millisecond)
	}
}

// tryingToLock reports whether some goroutine is in the Lock of a mutex, and does not wait there.
func tryingToLock() bool {
	for _, stack := range new(gostack.Dumper).Dump().All() {
		if !gostack.Waits(stack) && strings.Contains(string(stack), "sync.(*Mutex).lockSlow(") {
			return true
		}
	}
	return false
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

// guarded is synctest.Test with a guard in real time. A wait that is not durable, on a mutex for
// example, makes synctest.Wait hang; the guard turns that into a crash with all stacks.
func guarded(t *testing.T, f func(*testing.T)) {
	t.Helper()
	name := t.Name()
	guard := time.AfterFunc(patience, func() {
		debug.SetTraceback("all")
		panic(name + ": the bubble neither moves nor rests: something in it waits, but not durably")
	})
	defer guard.Stop()
	synctest.Test(t, f)
}

// within runs f on a goroutine of its own. If f does not return, the test fails with all stacks.
func within(t testing.TB, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	receive(t, done)
}

// receive returns what c delivers. If nothing comes, the test fails with all stacks.
func receive[T any](t testing.TB, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("it hangs:\n%s", stacks())
	}
	return v
}

// eventually polls until a condition holds, where real goroutines need an unknown, but bounded,
// time. If it does not hold in time, the test fails with all stacks.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s:\n%s", what, stacks())
		}
	}
}

// stacks returns the stacks of all goroutines.
func stacks() []byte {
	buf := make([]byte, 1<<20)
	return buf[:runtime.Stack(buf, true)]
}

// ---- deletions, circles, groups ----

// newGate makes a channel for handlers to wait on. It is closed by open, or when the test ends,
// before the test's wheel is closed. In a bubble, t must be the bubble's own.
func newGate(t testing.TB) (gate chan struct{}, open func()) {
	gate = make(chan struct{})
	open = sync.OnceFunc(func() { close(gate) })
	t.Cleanup(open)
	return gate, open
}

// AheadOfTime returns how many of a group's timers stand in the second half of the lowest level.
func AheadOfTime(g *Group) (n int) {
	g.sh.lock()
	defer g.sh.unlock()
	for word := uint(levels.Digits); word < levels.LowWords; word++ {
		for _, timers := range g.sh.levels.Buckets(0, word) {
			n += timers
		}
	}
	return n
}

// LeaveUnwatched makes a wheel in a bubble hire as one outside does: by the clock, without the watcher.
func LeaveUnwatched(w *Wheel) { w.bubbleWatched.Store(true) }
