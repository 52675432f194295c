package timerctx_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/timerctx"
	"github.com/stretchr/testify/require"
)

// inBubble runs f in a bubble with a wheel, and checks that no timer is left on it at the end.
func inBubble(t *testing.T, f func(t *testing.T, w *timerwheel.Wheel)) {
	synctest.Test(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		t.Cleanup(func() {
			synctest.Wait()
			require.Zero(t, w.Stats().Live, "timers are left")
		})
		f(t, w)
	})
}

func TestAfterFuncFires(t *testing.T) {
	for name, ctx := range map[string]func(t *testing.T, w *timerwheel.Wheel) context.Context{
		"Background": func(*testing.T, *timerwheel.Wheel) context.Context { return context.Background() },
		"WithCancel": func(t *testing.T, _ *timerwheel.Wheel) context.Context {
			ctx, cancel := context.WithCancel(context.Background())
			t.Cleanup(cancel)
			return ctx
		},
		"ours": func(t *testing.T, w *timerwheel.Wheel) context.Context {
			return hourLong(t, maker{w}, context.Background())
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *timerwheel.Wheel) {
				var calls []time.Duration
				start := time.Now()
				tm, stop := timerctx.AfterFunc(ctx(t, w), w, time.Minute, func() { calls = append(calls, time.Since(start)) })
				require.True(t, tm.Pending())
				time.Sleep(time.Hour / 2)
				synctest.Wait()
				require.Len(t, calls, 1)
				require.GreaterOrEqual(t, calls[0], time.Minute)
				require.Less(t, calls[0], time.Minute+late)
				require.False(t, tm.Valid())
				require.False(t, stop())
			})
		})
	}
}

// The timer is deleted when its context ends, however it ends, and f is not called.
func TestAfterFuncEndsWithItsContext(t *testing.T) {
	for name, m := range map[string]func(w *timerwheel.Wheel) maker{
		"context":  func(*timerwheel.Wheel) maker { return maker{} },
		"timerctx": func(w *timerwheel.Wheel) maker { return maker{w} },
	} {
		for way, end := range map[string]func(cancel, cancelParent func()){
			"cancel":  func(cancel, _ func()) { cancel() },
			"parent":  func(_, cancelParent func()) { cancelParent() },
			"timeout": func(_, _ func()) { time.Sleep(time.Minute + late) },
		} {
			t.Run(name+", "+way, func(t *testing.T) {
				inBubble(t, func(t *testing.T, w *timerwheel.Wheel) {
					parent, cancelParent := m(w).timeout(context.Background(), time.Hour, nil)
					ctx, cancel := m(w).timeout(parent, time.Minute, nil)
					before := w.Stats().Live
					tm, stop := timerctx.AfterFunc(ctx, w, 2*time.Minute, func() { t.Error("called") })
					require.Equal(t, before+1, w.Stats().Live)
					end(cancel, cancelParent)
					synctest.Wait()
					require.False(t, tm.Valid(), "the timer is still there after its context has ended")
					require.False(t, stop())
					time.Sleep(time.Hour)
					cancel()
					cancelParent()
				})
			})
		}
	}
}

func TestAfterFuncStop(t *testing.T) {
	inBubble(t, func(t *testing.T, w *timerwheel.Wheel) {
		custom := newCustom(context.Background()).(*customContext)
		tm, stop := timerctx.AfterFunc(custom, w, time.Minute, func() { t.Error("called") })
		require.Equal(t, 1, custom.registered())
		require.True(t, stop())
		require.False(t, tm.Valid())
		require.Zero(t, custom.registered())
		require.False(t, stop())
		time.Sleep(time.Hour)

		// When it has fired, ctx keeps no reference to it, even while f still runs.
		began, finish := make(chan struct{}), make(chan struct{})
		_, stop = timerctx.AfterFunc(custom, w, time.Minute, func() { close(began); <-finish })
		<-began
		require.Zero(t, custom.registered())
		require.False(t, stop(), "f has begun")
		close(finish)

		// stop may be called in f.
		own := make(chan func() bool)
		_, stop = timerctx.AfterFunc(custom, w, time.Minute, func() { own <- nil; require.False(t, (<-own)()) })
		<-own
		own <- stop
		synctest.Wait()
	})
}

// The Timer postpones the call, and waits for it.
func TestAfterFuncsTimer(t *testing.T) {
	inBubble(t, func(t *testing.T, w *timerwheel.Wheel) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		over := false
		tm, stop := timerctx.AfterFunc(ctx, w, time.Minute, func() { time.Sleep(time.Second); over = true })
		for range 10 {
			time.Sleep(time.Minute / 2)
			require.True(t, tm.Reset(time.Minute))
		}
		time.Sleep(time.Minute + late)
		require.False(t, stop())
		found, err := tm.DelSync()
		require.NoError(t, err)
		require.Equal(t, timerwheel.Found{Running: true}, found)
		require.True(t, over)

		tm, _ = timerctx.AfterFunc(ctx, w, time.Minute, func() { t.Error("called") })
		require.True(t, tm.Reset(time.Hour))
		cancel()
		synctest.Wait()
		require.False(t, tm.Valid(), "a postponed timer is deleted as well")
	})
}

func TestAfterFuncRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, w *timerwheel.Wheel) {
		f := func() { t.Error("called") }
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		tm, stop := timerctx.AfterFunc(ctx, w, 0, f)
		require.False(t, tm.Valid())
		require.False(t, stop())

		require.NoError(t, w.Close())
		custom := newCustom(context.Background()).(*customContext)
		tm, stop = timerctx.AfterFunc(custom, w, time.Minute, f)
		require.False(t, tm.Valid())
		require.False(t, stop())
		require.Zero(t, custom.registered())
		time.Sleep(time.Hour)

		var none context.Context
		require.PanicsWithValue(t, "timerctx: nil context", func() { timerctx.AfterFunc(none, w, 0, f) })
		require.PanicsWithValue(t, "timerctx: AfterFunc with a nil function", func() {
			timerctx.AfterFunc(context.Background(), w, 0, nil)
		})
	})
}

// f does not begin after ctx has ended, even if the timer is due and has not been deleted
// yet.
func TestAfterFuncDoesNotBeginAfterTheEnd(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Manual: true})
	for range rounds(1000) {
		ctx, cancel := context.WithCancel(context.Background())
		timerctx.AfterFunc(ctx, w, time.Minute, func() { t.Error("called") })
		cancel()
		_, _ = w.Advance(w.Now().Add(time.Hour))
	}
}

// The firing, the end of the context and two stops happen concurrently: f is called at most
// once, and not at all if a stop reports that it prevented the call.
func TestAfterFuncConcurrentEnds(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Manual: true})
	for range rounds(3000) {
		ctx, cancel := context.WithCancel(context.Background())
		var calls atomic.Int32
		var stopped [2]bool
		concurrently(func() {
			_, stop := timerctx.AfterFunc(ctx, w, time.Minute, func() { calls.Add(1) })
			concurrently(
				func() { stopped[0] = stop() },
				func() { stopped[1] = stop() },
				func() { _, _ = w.Advance(w.Now().Add(time.Hour)) },
			)
		}, cancel)
		n := calls.Load()
		if n > 1 || n == 1 && (stopped[0] || stopped[1]) || stopped[0] && stopped[1] {
			t.Fatalf("%d calls, stopped: %v", n, stopped)
		}
	}
	require.Zero(t, w.Stats().Live)
}

// Neither the wheel nor the context keeps anything of a timer that has fired or was stopped.
func TestAfterFuncLeavesNothing(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Manual: true})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for name, f := range map[string]func(){
		"stopped": func() {
			_, stop := timerctx.AfterFunc(ctx, w, time.Minute, func() {})
			stop()
		},
		"fired": func() {
			timerctx.AfterFunc(ctx, w, time.Minute, func() {})
			_, _ = w.Advance(w.Now().Add(time.Hour))
		},
	} {
		t.Run(name, func(t *testing.T) { leavesNothing(t, few, w, f) })
	}
}
