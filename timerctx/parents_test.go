package timerctx_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A parent of each kind ends its child, needs no goroutine for it unless the kind requires one,
// and keeps nothing of a child that has ended before it.
func TestParents(t *testing.T) {
	for _, c := range []struct {
		name       string
		make       func(t *testing.T, m maker, std context.Context) context.Context // below std
		goroutines int
		unrelated  bool // does not end with std
	}{
		{name: "WithCancel", make: func(_ *testing.T, _ maker, std context.Context) context.Context { return std }},
		{name: "WithValue", make: func(_ *testing.T, _ maker, std context.Context) context.Context {
			return context.WithValue(std, name("k"), "v")
		}},
		{name: "wrapped", make: func(_ *testing.T, _ maker, std context.Context) context.Context { return unnamed{std} }},
		{name: "ours", make: func(t *testing.T, m maker, std context.Context) context.Context { return hourLong(t, m, std) }},
		{name: "ours, wrapped", make: func(t *testing.T, m maker, std context.Context) context.Context { return unnamed{hourLong(t, m, std)} }},
		{name: "WithValue of ours", make: func(t *testing.T, m maker, std context.Context) context.Context {
			return context.WithValue(context.WithValue(hourLong(t, m, std), name("k"), "v"), name("l"), "w")
		}},
		{name: "WithCancel of ours", make: func(t *testing.T, m maker, std context.Context) context.Context {
			ctx, cancel := context.WithCancel(hourLong(t, m, std))
			t.Cleanup(cancel)
			return ctx
		}},
		{name: "an AfterFunc method", make: func(_ *testing.T, _ maker, std context.Context) context.Context {
			return newCustom(std)
		}},
		{name: "another Done", make: func(_ *testing.T, _ maker, std context.Context) context.Context {
			return newOtherDone(std, std)
		}, goroutines: 1},
		{name: "another Done than ours", make: func(t *testing.T, m maker, std context.Context) context.Context {
			return newOtherDone(hourLong(t, m, context.Background()), std)
		}, goroutines: 1},
		{name: "Background", make: func(*testing.T, maker, context.Context) context.Context { return context.Background() }, unrelated: true},
		{name: "WithoutCancel of ours", make: func(t *testing.T, m maker, std context.Context) context.Context {
			return context.WithoutCancel(hourLong(t, m, std))
		}, unrelated: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			withBoth(t, func(t *testing.T, m maker) {
				std, endStd := context.WithCancelCause(context.Background())
				defer endStd(nil)
				parent := c.make(t, m, std)
				synctest.Wait()
				before := runtime.NumGoroutine()

				ctx, cancel := m.timeout(parent, time.Minute, nil)
				child, cancelChild := context.WithCancel(ctx)
				defer cancelChild()
				below, cancelBelow := m.timeout(context.WithValue(ctx, name("k"), "v"), time.Second, nil)
				defer cancelBelow()
				second, cancelSecond := m.timeout(parent, time.Minute, nil)
				defer cancelSecond()
				synctest.Wait()
				noMoreGoroutinesThan(t, before+2*c.goroutines)

				cancel()
				requireEnded(t, context.Canceled, context.Canceled, ctx, child, below)
				requireAlive(t, second)
				synctest.Wait()
				noMoreGoroutinesThan(t, before+c.goroutines)
				if custom, ok := parent.(*customContext); ok {
					require.Equal(t, 1, custom.registered(), "functions that are registered with the parent")
				}

				endStd(errGone)
				synctest.Wait()
				if c.unrelated {
					requireAlive(t, second)
					return
				}
				require.Equal(t, context.Canceled, second.Err())
				require.Equal(t, context.Cause(parent), context.Cause(second))
				require.True(t, isClosed(second.Done()))
			})
		})
	}
}

func hourLong(t *testing.T, m maker, parent context.Context) context.Context {
	ctx, cancel := m.timeout(parent, time.Hour, nil)
	t.Cleanup(cancel)
	return ctx
}

// An otherDone is a context of a user's own type with another context inside. The two must not be
// confused: they end at different times.
type otherDone struct {
	context.Context
	done chan struct{}
}

func newOtherDone(inside, ends context.Context) context.Context {
	c := otherDone{inside, make(chan struct{})}
	context.AfterFunc(ends, func() { close(c.done) })
	return c
}

func (c otherDone) Done() <-chan struct{} { return c.done }

func (c otherDone) Err() error {
	if isClosed(c.done) {
		return context.Canceled
	}
	return nil
}

// A customContext is an otherDone that also has an AfterFunc method.
type customContext struct {
	otherDone

	mu    sync.Mutex
	made  int
	funcs map[int]func()
}

func newCustom(ends context.Context) context.Context {
	c := &customContext{
		otherDone: otherDone{ends, make(chan struct{})},
		funcs:     make(map[int]func()),
	}
	context.AfterFunc(ends, func() {
		close(c.done)
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, f := range c.funcs {
			go f()
		}
		clear(c.funcs)
	})
	return c
}

func (c *customContext) AfterFunc(f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made++
	n := c.made
	c.funcs[n] = f
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, ok := c.funcs[n]
		delete(c.funcs, n)
		return ok
	}
}

func (c *customContext) registered() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.funcs)
}
