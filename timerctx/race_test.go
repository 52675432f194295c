package timerctx_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/timerctx"
	"github.com/stretchr/testify/require"
)

// concurrently runs all of fs at once, started in random order, and waits until all have
// returned.
func concurrently(fs ...func()) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	rand.Shuffle(len(fs), func(i, j int) { fs[i], fs[j] = fs[j], fs[i] })
	for _, f := range fs {
		wg.Go(func() { <-start; f() })
	}
	close(start)
	wg.Wait()
}

// The timer, cancel, the parent's cancel, and the making and cancelling of children happen
// concurrently: the context ends once, in one of the ways, and every context that was derived
// from it in that time ends in the same way.
func TestConcurrentEnds(t *testing.T) {
	for _, kind := range []string{"below package context's", "below ours"} {
		t.Run(kind, func(t *testing.T) {
			w := openWheel(t, timerwheel.Options{Manual: true})
			ways := map[string]int{}
			for range rounds(3000) {
				parent, endParent := context.WithCancelCause(context.Background())
				above := context.Context(parent)
				if kind == "below ours" {
					var cancel context.CancelFunc
					above, cancel = timerctx.WithTimeout(parent, w, time.Hour)
					defer cancel()
				}
				ctx, cancel := timerctx.WithTimeoutCause(above, w, time.Second, errSlow)
				stdChild := make(chan context.Context, 1) // ends as ctx does
				ownChild := make(chan context.Context, 1) // ends as ctx does, or by its own timer
				concurrently(
					cancel, cancel,
					func() { endParent(errGone) },
					func() { _, _ = w.Advance(w.Now().Add(2 * time.Second)) },
					func() {
						child, cancel := context.WithTimeout(context.WithValue(ctx, name("k"), "v"), time.Hour)
						t.Cleanup(cancel)
						stdChild <- child
					},
					func() {
						child, cancel := timerctx.WithDeadline(ctx, w, w.Now())
						cancel()
						<-child.Done()
					},
					func() {
						child, cancel := timerctx.WithTimeoutCause(ctx, w, time.Second, errSlow)
						t.Cleanup(cancel)
						ownChild <- child
					},
					func() {
						<-ctx.Done()
						if ctx.Err() == nil {
							t.Error("done, and no Err")
						}
					},
					func() {
						for ctx.Err() == nil {
							runtime.Gosched()
						}
						if !isClosed(ctx.Done()) {
							t.Error("Err, and not done")
						}
					},
				)
				err, cause := ctx.Err(), context.Cause(ctx)
				switch {
				case err == context.Canceled && cause == context.Canceled:
					ways["cancel"]++
				case err == context.Canceled && cause == errGone:
					ways["parent"]++
				case err == context.DeadlineExceeded && cause == errSlow:
					ways["timer"]++
				default:
					t.Fatalf("ended with %v because of %v", err, cause)
				}
				child := <-stdChild
				<-child.Done()
				if child.Err() != err || context.Cause(child) != cause {
					t.Fatalf("%v because of %v, but its child of package context %v because of %v", err, cause, child.Err(), context.Cause(child))
				}
				child = <-ownChild
				<-child.Done()
				if own := child.Err() == context.DeadlineExceeded && context.Cause(child) == errSlow; !own &&
					(child.Err() != err || context.Cause(child) != cause) {
					t.Fatalf("%v because of %v, but its child of this package %v because of %v", err, cause, child.Err(), context.Cause(child))
				}
			}
			t.Log(ways)
			require.Len(t, ways, 3, "rounds that ended in each way")
		})
	}
}

// A child that is made while the timer fires ends with the timer's error and cause, whether the
// child or the firing comes first.
func TestAChildMadeDuringTheTimeout(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Manual: true})
	for range rounds(5000) {
		ctx, cancel := timerctx.WithTimeoutCause(context.Background(), w, time.Second, errSlow)
		defer cancel()
		var child, value context.Context
		concurrently(
			func() { _, _ = w.Advance(w.Now().Add(2 * time.Second)) },
			func() {
				var cancel context.CancelFunc
				child, cancel = context.WithCancel(ctx)
				t.Cleanup(cancel)
			},
			func() {
				var cancel context.CancelFunc
				value, cancel = timerctx.WithDeadline(context.WithValue(ctx, name("k"), "v"), w, w.Now().Add(time.Hour))
				t.Cleanup(cancel)
			},
		)
		// There is nothing to wait for: the handler and the constructors have returned.
		requireEnded(t, context.DeadlineExceeded, errSlow, ctx, child, value)
	}
	require.Equal(t, 0, w.Stats().Pending)
}

// A child that is made while its parent ends has no timer afterwards and is not in the parent's
// list, even if nothing queries or cancels it.
func TestAChildMadeDuringTheParentsEnd(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	for range rounds(5000) {
		parent, cancel := timerctx.WithTimeout(context.Background(), w, time.Hour)
		concurrently(cancel, func() {
			_, cancelChild := timerctx.WithTimeout(parent, w, time.Minute)
			t.Cleanup(cancelChild)
		})
		require.Zero(t, w.Stats().Live)
	}
}

// A parent that ended before the timer fired or cancel was called has ended the context, even if
// the goroutine that ends the context has not begun.
func TestTheParentEndedFirst(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Manual: true})
	for name, next := range map[string]func(cancel func()){
		"cancel": func(cancel func()) { cancel() },
		"timer":  func(func()) { _, _ = w.Advance(w.Now().Add(time.Hour)) },
	} {
		t.Run(name, func(t *testing.T) {
			for range rounds(1000) {
				parent, endParent := context.WithCancelCause(context.Background())
				ctx, cancel := timerctx.WithTimeoutCause(parent, w, time.Minute, errSlow)
				child, cancelChild := context.WithCancel(ctx)
				defer cancelChild()
				endParent(errGone)
				next(cancel)
				cause := context.Cause(child) // before a method of ctx checks the parent
				require.Equal(t, errGone, cause)
				requireEnded(t, context.Canceled, errGone, ctx, child)
				cancel()
			}
		})
	}
}

// cancel is called concurrently: when any of the calls has returned, everything has ended.
func TestEachCancelReturnsWhenAllHasEnded(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	for range rounds(300) {
		ctx, cancel := timerctx.WithTimeout(context.Background(), w, time.Hour)
		var last context.Context
		for range 100 {
			child, cancel := timerctx.WithTimeout(ctx, w, time.Minute)
			defer cancel()
			last, cancel = context.WithCancel(child)
			defer cancel()
		}
		check := func() {
			cancel()
			if last.Err() == nil {
				t.Error("cancel has returned, and a grandchild has not ended")
			}
		}
		concurrently(check, check, check)
	}
}

// cancel is called where it could block itself: in functions that its own end calls, in handlers
// of the only worker, by its child's end.
func TestCancelFromEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{MaxWorkers: 1})
		m := maker{w}
		var called atomic.Int32

		ctx, cancel := m.timeout(context.Background(), time.Second, nil)
		context.AfterFunc(ctx, func() { cancel(); called.Add(1) })
		time.Sleep(time.Second + late)
		synctest.Wait()
		requireEnded(t, context.DeadlineExceeded, context.DeadlineExceeded, ctx)

		ctx, cancel = m.timeout(context.Background(), time.Hour, nil)
		child, cancelChild := m.timeout(ctx, time.Minute, nil)
		defer cancelChild()
		context.AfterFunc(child, func() { cancel(); called.Add(1) })
		w.AfterFunc(time.Second, func() { cancelChild(); called.Add(1) })
		time.Sleep(time.Second + late)
		synctest.Wait()
		requireEnded(t, context.Canceled, context.Canceled, ctx, child)

		ctx, cancel = m.timeout(context.Background(), time.Second, nil)
		w.AfterFunc(time.Second, func() { cancel(); called.Add(1) }) // in line with the timer
		time.Sleep(time.Second + late)
		synctest.Wait()
		require.Error(t, ctx.Err())

		require.EqualValues(t, 4, called.Load())
		require.Zero(t, w.Stats().Live)
	})
}

// In a chain of contexts of all kinds, one is cancelled or times out: those above it stay alive,
// and it and those below have ended in the same way.
func TestDeepChains(t *testing.T) {
	for seed := range uint64(rounds(200)) {
		withBoth(t, func(t *testing.T, m maker) {
			r := rand.New(rand.NewPCG(seed, 0))
			std := maker{}
			chosen, length := r.IntN(30), 30
			timesOut := r.IntN(2) == 0
			at := time.Now().Add(time.Hour)
			cause := errGone
			var chain []context.Context
			var end func()
			ctx := context.Background()
			for depth := range length {
				cancel := func() {}
				kind := r.IntN(5)
				if depth == chosen {
					kind = 3 + r.IntN(2)
				}
				switch maker := []maker{std, m}[kind%2]; {
				case kind == 0:
					ctx, cancel = context.WithCancel(ctx)
				case kind <= 2:
					ctx = context.WithValue(ctx, name("depth"), depth)
				case depth == chosen && timesOut:
					ctx, cancel = maker.timeout(ctx, time.Minute, cause)
					end = func() { time.Sleep(time.Minute + late) }
				default:
					ctx, cancel = maker.deadline(ctx, at, errSlow)
				}
				if depth == chosen && !timesOut {
					end = cancel
				}
				t.Cleanup(cancel)
				chain = append(chain, ctx)
			}
			end()
			synctest.Wait()
			requireAlive(t, chain[:chosen]...)
			if timesOut {
				requireEnded(t, context.DeadlineExceeded, cause, chain[chosen:]...)
			} else {
				requireEnded(t, context.Canceled, context.Canceled, chain[chosen:]...)
			}
		})
	}
}
