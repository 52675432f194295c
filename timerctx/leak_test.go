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

// This file tests that nothing is left of what has ended: on the wheel, in a
// parent that lives on, or as a goroutine.

const few, many = 10_000, 100_000

// leavesNothing runs f n times and checks that the wheel holds no timer then, and
// the heap less than it would if anything remembered each of them.
func leavesNothing(t *testing.T, n int, w *timerwheel.Wheel, f func()) {
	t.Helper()
	n = rounds(n)
	for range 1000 { // what grows once, grows now
		f()
	}
	before, goroutines := heap(), runtime.NumGoroutine()
	for range n {
		f()
	}
	require.Zero(t, w.Stats().Live)
	noMoreGoroutinesThan(t, goroutines)
	const each = 32 // bytes: whatever could be left is larger
	require.Less(t, heap(), before+each*uint64(n), "bytes of heap")
}

func heap() uint64 {
	runtime.GC()
	runtime.GC() // what had a finalizer, and what pools held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Contexts come and go below a parent that stays.
func TestCancelLeavesNothing(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	std, cancelStd := context.WithCancel(context.Background())
	defer cancelStd()
	another := openWheel(t, timerwheel.Options{}) // for what stays
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
		t.Run(name+", two generations", func(t *testing.T) {
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

// A list of children loses each of them wherever it stands: the newest, the
// oldest, one in between.
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
		ended(t, context.Canceled, context.Canceled, children[n])
	}
	lives(t, parent, children[1], children[2])
	require.Equal(t, 3, w.Stats().Live)
	cancelParent()
	require.Zero(t, w.Stats().Live, "the parent has lost a child")
	ended(t, context.Canceled, context.Canceled, children...)
	cancels[1]()
}

// The timeouts come, and so does their parent's end, and nobody calls cancel.
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
