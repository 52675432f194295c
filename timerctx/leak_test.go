package timerctx_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/timerctx"
	"github.com/stretchr/testify/require"
)

// The tests in this file check that contexts and timers that have ended leave nothing behind: on
// the wheel, in a parent that stays alive, or as a goroutine.

const few, many = 5_000, 20_000

// leavesNothing runs f n times. Then it checks that the wheel holds no timer, that there are no
// more goroutines than before, and that the heap is smaller than it would be if something were
// left of each run.
func leavesNothing(t *testing.T, n int, w *timerwheel.Wheel, f func()) {
	t.Helper()
	if debug {
		t.Skip("with Debug the wheel remembers the last timers that were recycled")
	}
	n = rounds(n)
	for range 1000 { // lets everything grow that grows only once
		f()
	}
	before, goroutines := heap(), runtime.NumGoroutine()
	for range n {
		f()
	}
	require.Zero(t, w.Stats().Live)
	noMoreGoroutinesThan(t, goroutines)
	const each = 32 // bytes: anything that could be left is larger
	require.Less(t, heap(), before+each*uint64(n), "bytes of heap")
}

func heap() uint64 {
	runtime.GC()
	runtime.GC() // frees what had a finalizer, and what pools held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Contexts are made and cancelled below a parent that stays alive.
func TestCancelLeavesNothing(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	std, cancelStd := context.WithCancel(context.Background())
	defer cancelStd()
	another := openWheel(t, timerwheel.Options{}) // for the parents that stay
	ours, cancelOurs := timerctx.WithTimeout(std, another, 24*time.Hour)
	defer cancelOurs()
	below, cancelBelow := context.WithCancel(ours)
	defer cancelBelow()

	for name, parent := range map[string]context.Context{
		"Background":         context.Background(),
		"WithCancel":         std,
		"ours":               ours,
		"WithValue of ours":  context.WithValue(ours, name("k"), "v"),
		"WithCancel of ours": below,
	} {
		t.Run(name, func(t *testing.T) {
			leavesNothing(t, many, w, func() {
				_, cancel := timerctx.WithTimeout(parent, w, time.Hour)
				cancel()
			})
			require.NoError(t, parent.Err())
		})
		t.Run(name+", with children", func(t *testing.T) {
			leavesNothing(t, few, w, func() {
				ctx, cancel := timerctx.WithTimeout(parent, w, time.Hour)
				_, cancelChild := context.WithCancel(ctx)
				_, cancelOwn := timerctx.WithTimeout(ctx, w, time.Minute)
				cancelChild()
				cancel()
				cancelOwn()
			})
		})
	}
	t.Run("children of ours that end first", func(t *testing.T) {
		leavesNothing(t, few, w, func() {
			_, cancelChild := context.WithCancel(ours)
			cancelChild()
			_, cancelOwn := timerctx.WithTimeout(context.WithValue(ours, name("k"), "v"), w, time.Minute)
			cancelOwn()
			context.AfterFunc(ours, func() {})()
		})
	})
}

// A child can be removed from its parent's list at any position: the newest, the oldest, one in
// between.
func TestChildrenLeaveInAnyOrder(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	parent, cancelParent := timerctx.WithTimeout(context.Background(), w, time.Hour)
	var children []context.Context
	var cancels []context.CancelFunc
	for range 7 {
		child, cancel := timerctx.WithTimeout(parent, w, time.Minute)
		children, cancels = append(children, child), append(cancels, cancel)
	}
	for _, n := range []int{3, 6, 0, 4, 5} {
		cancels[n]()
		requireEnded(t, context.Canceled, context.Canceled, children[n])
	}
	requireAlive(t, parent, children[1], children[2])
	require.Equal(t, 3, w.Stats().Live)
	cancelParent()
	require.Zero(t, w.Stats().Live, "the parent did not end a child")
	requireEnded(t, context.Canceled, context.Canceled, children...)
	cancels[1]()
}

// Contexts that have timed out leave nothing, even if cancel is never called.
func TestTimeoutsLeaveNothing(t *testing.T) {
	for name, makeParent := range map[string]func(w *timerwheel.Wheel) context.Context{
		"WithCancel": func(*timerwheel.Wheel) context.Context {
			ctx, cancel := context.WithCancel(context.Background())
			t.Cleanup(cancel)
			return ctx
		},
		"ours": func(w *timerwheel.Wheel) context.Context {
			ctx, cancel := timerctx.WithTimeout(context.Background(), w, 24*time.Hour)
			t.Cleanup(cancel)
			return ctx
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := openWheel(t, timerwheel.Options{Manual: true})
			parent := makeParent(openWheel(t, timerwheel.Options{}))
			leavesNothing(t, few, w, func() {
				ctx, cancel := timerctx.WithTimeout(parent, w, time.Millisecond)
				child, cancelChild := context.WithCancel(ctx)
				_, _ = w.Advance(w.Now().Add(late))
				if child.Err() != context.DeadlineExceeded {
					t.Error(child.Err())
				}
				_, _ = cancel, cancelChild
			})
		})
	}
}
