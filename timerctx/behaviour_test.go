package timerctx_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// This file says what both package context's contexts and ours do.

var (
	errSlow = errors.New("too slow")
	errGone = errors.New("the caller has gone")
)

// Every way in which a context ends, as it and all that is derived from it tell
// it.
func TestEndings(t *testing.T) {
	type world struct {
		m       maker
		cancel  context.CancelFunc      // of the context under test
		abandon context.CancelCauseFunc // of its parent
	}
	const d = time.Minute
	for _, c := range []struct {
		name       string
		cause      error // given to the context
		end        func(w world)
		err, ended error
	}{
		{"timeout", nil, func(world) { time.Sleep(d + late) }, context.DeadlineExceeded, context.DeadlineExceeded},
		{"timeout with a cause", errSlow, func(world) { time.Sleep(d + late) }, context.DeadlineExceeded, errSlow},
		{"cancel", nil, func(w world) { w.cancel() }, context.Canceled, context.Canceled},
		{"cancel, where the timeout has a cause", errSlow, func(w world) { w.cancel() }, context.Canceled, context.Canceled},
		{"the parent's end", nil, func(w world) { w.abandon(nil); synctest.Wait() }, context.Canceled, context.Canceled},
		{"the parent's end with a cause", errSlow, func(w world) { w.abandon(errGone); synctest.Wait() }, context.Canceled, errGone},
		{"the parent's end before cancel", errSlow, func(w world) { w.abandon(errGone); w.cancel() }, context.Canceled, errGone},
		{"cancel before the parent's end", errSlow, func(w world) { w.cancel(); w.abandon(errGone) }, context.Canceled, context.Canceled},
		{"cancel before the timeout", errSlow, func(w world) { w.cancel(); time.Sleep(d + late) }, context.Canceled, context.Canceled},
		{"timeout before cancel", errSlow, func(w world) { time.Sleep(d + late); w.cancel() }, context.DeadlineExceeded, errSlow},
		{"timeout before the parent's end", errSlow, func(w world) { time.Sleep(d + late); w.abandon(errGone) }, context.DeadlineExceeded, errSlow},
		{"cancel twice", nil, func(w world) { w.cancel(); w.cancel() }, context.Canceled, context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			withBoth(t, func(t *testing.T, m maker) {
				parent, abandon := context.WithCancelCause(context.Background())
				defer abandon(nil)
				ctx, cancel := m.timeout(parent, d, c.cause)
				defer cancel()
				f := newFamily(m, ctx, c.cause)
				defer f.cancel()
				lives(t, f.all...)

				c.end(world{m, cancel, abandon})
				ended(t, c.err, c.ended, f.all...)
				lives(t, f.without)
				synctest.Wait()
				require.Equal(t, 1, f.calls, "calls of an AfterFunc's function")

				g := newFamily(m, ctx, c.cause) // derived from what has ended
				defer g.cancel()
				ended(t, c.err, c.ended, g.all...)
				synctest.Wait()
				require.Equal(t, 1, g.calls)
			})
		})
	}
}

// A family is a context and what is derived from it in all the ways there are.
type family struct {
	all     []context.Context
	without context.Context // the one that lives on
	calls   int             // of an AfterFunc's function
	cancels []func()
}

type name string

// newFamily derives from ctx. What it makes with m ends at the same time and for
// the same cause as ctx itself, so it does not matter which timer is first.
func newFamily(m maker, ctx context.Context, cause error) *family {
	f := &family{all: []context.Context{ctx}, without: context.WithoutCancel(ctx)}
	add := func(ctx context.Context, cancel func()) context.Context {
		f.all = append(f.all, ctx)
		f.cancels = append(f.cancels, cancel)
		return ctx
	}
	at, _ := ctx.Deadline()
	value := context.WithValue(ctx, name("k"), "v")
	f.all = append(f.all, value)
	child := add(context.WithCancel(ctx))
	add(context.WithCancel(child))
	add(context.WithCancel(value))
	add(context.WithTimeout(ctx, time.Hour))
	add(context.WithTimeoutCause(ctx, time.Hour, errors.New("not this one")))
	add(m.timeout(ctx, time.Hour, errors.New("nor this one")))
	add(m.deadline(ctx, at, cause))
	own := add(m.deadline(value, at, cause))
	add(context.WithCancel(context.WithValue(own, name("l"), "w")))
	add(m.deadline(own, at, cause))
	add(m.deadline(child, at, cause))
	caused, cancel := context.WithCancelCause(ctx)
	add(caused, func() { cancel(errors.New("nor that")) })
	stop := context.AfterFunc(ctx, func() { f.calls++ })
	f.cancels = append(f.cancels, func() { stop() })
	return f
}

func (f *family) cancel() {
	for _, cancel := range f.cancels {
		cancel()
	}
}

func TestTheEarlierDeadlineCounts(t *testing.T) {
	withBoth(t, func(t *testing.T, m maker) {
		start := time.Now()
		outer, cancelOuter := m.timeout(context.Background(), time.Minute, errGone)
		defer cancelOuter()
		inner, cancelInner := m.timeout(outer, time.Second, errSlow)
		defer cancelInner()
		longer, cancelLonger := m.timeout(outer, time.Hour, errSlow)
		defer cancelLonger()
		same, cancelSame := m.deadline(outer, start.Add(time.Minute), errGone)
		defer cancelSame()

		for ctx, d := range map[context.Context]time.Duration{
			outer: time.Minute, inner: time.Second, longer: time.Minute, same: time.Minute,
			context.WithValue(inner, name("k"), "v"): time.Second,
		} {
			at, ok := ctx.Deadline()
			require.True(t, ok)
			require.Equal(t, d, at.Sub(start), "%v", ctx)
		}
		time.Sleep(time.Second + late)
		ended(t, context.DeadlineExceeded, errSlow, inner)
		lives(t, outer, longer, same)
		time.Sleep(time.Minute)
		ended(t, context.DeadlineExceeded, errGone, outer, longer, same)
		ended(t, context.DeadlineExceeded, errSlow, inner)
	})
}

// "Never early."
func TestTheTimeoutIsNotEarly(t *testing.T) {
	withBoth(t, func(t *testing.T, m maker) {
		start := time.Now()
		for _, d := range []time.Duration{1, time.Microsecond, time.Millisecond - 1, time.Second, 100*time.Hour + 1} {
			ctx, cancel := m.deadline(context.Background(), time.Now().Add(d), nil)
			defer cancel()
			begin := time.Now()
			<-ctx.Done()
			took := time.Since(begin)
			require.GreaterOrEqual(t, took, d)
			require.Less(t, took, d+late)
		}
		require.Greater(t, time.Since(start), 100*time.Hour)
	})
}

func TestADeadlineThatHasPassed(t *testing.T) {
	withBoth(t, func(t *testing.T, m maker) {
		for _, cause := range []error{nil, errSlow} {
			want := cause
			if cause == nil {
				want = context.DeadlineExceeded
			}
			for _, d := range []time.Duration{0, -1, -time.Hour} {
				at := time.Now().Add(d)
				ctx, cancel := m.deadline(context.Background(), at, cause)
				ended(t, context.DeadlineExceeded, want, ctx)
				cancel()
				ended(t, context.DeadlineExceeded, want, ctx)
				got, ok := ctx.Deadline()
				require.True(t, ok)
				require.True(t, got.Equal(at))

				ctx, cancel = m.timeout(context.Background(), d, cause)
				defer cancel()
				ended(t, context.DeadlineExceeded, want, ctx)
			}
		}
	})
}

// The parent's end goes before the deadline, even before one that has passed.
func TestAParentThatHasEnded(t *testing.T) {
	withBoth(t, func(t *testing.T, m maker) {
		parent, abandon := context.WithCancelCause(context.Background())
		abandon(errGone)
		for _, d := range []time.Duration{time.Hour, 0} {
			ctx, cancel := m.timeout(parent, d, errSlow)
			ended(t, context.Canceled, errGone, ctx)
			cancel()
			ended(t, context.Canceled, errGone, ctx)
		}
		late, cancel := m.timeout(context.Background(), 0, errSlow)
		defer cancel()
		ctx, cancel := m.timeout(late, time.Hour, nil)
		defer cancel()
		ended(t, context.DeadlineExceeded, errSlow, ctx)
	})
}

func TestADeadlineThatNeverComes(t *testing.T) {
	withBoth(t, func(t *testing.T, m maker) {
		for _, d := range []time.Duration{1<<63 - 1, 1 << 62} {
			ctx, cancel := m.timeout(context.Background(), d, nil)
			at, ok := ctx.Deadline()
			require.True(t, ok)
			require.True(t, at.After(time.Now().AddDate(100, 0, 0)), "%v", at)
			time.Sleep(1000 * time.Hour)
			lives(t, ctx)
			cancel()
			ended(t, context.Canceled, context.Canceled, ctx)
		}
	})
}

func TestValuesPassThrough(t *testing.T) {
	withBoth(t, func(t *testing.T, m maker) {
		check := func(ctx context.Context) {
			t.Helper()
			require.Equal(t, "v", ctx.Value(name("k")))
			require.Nil(t, ctx.Value(name("unknown")))
			require.Nil(t, ctx.Value(nil))
		}
		ctx, cancel := m.timeout(context.WithValue(context.Background(), name("k"), "v"), time.Hour, nil)
		check(ctx)
		ctx.Done() // after which ours is made differently
		check(ctx)
		grandchild, cancelGrandchild := m.timeout(ctx, time.Minute, nil)
		defer cancelGrandchild()
		check(grandchild)
		check(context.WithoutCancel(grandchild))
		cancel()
		check(ctx)
		check(grandchild)
	})
}

func TestNilParentPanics(t *testing.T) {
	withBoth(t, func(t *testing.T, m maker) {
		var parent context.Context
		require.Panics(t, func() { m.timeout(parent, time.Hour, nil) })
		require.Panics(t, func() { m.timeout(parent, time.Hour, errSlow) })
		require.Panics(t, func() { m.deadline(parent, time.Now(), nil) })
		require.Panics(t, func() { m.deadline(parent, time.Now(), errSlow) })
	})
}

func TestString(t *testing.T) {
	withBoth(t, func(t *testing.T, m maker) {
		at := time.Now().Add(time.Hour)
		ctx, cancel := m.deadline(context.Background(), at, nil)
		defer cancel()
		want := "context.Background.WithDeadline(" + at.String() + " [1h0m0s])"
		require.Equal(t, want, ctx.(interface{ String() string }).String())

		value := context.WithValue(ctx, name("k"), "v")
		child, cancelChild := m.deadline(value, at, nil)
		defer cancelChild()
		require.Contains(t, child.(interface{ String() string }).String(), want+".WithValue(")

		ctx, cancel = m.deadline(unnamed{context.Background()}, at, nil)
		defer cancel()
		require.Equal(t, "timerctx_test.unnamed.WithDeadline("+at.String()+" [1h0m0s])", ctx.(interface{ String() string }).String())
	})
}

// unnamed is a context without a String.
type unnamed struct{ context.Context }

// When cancel has returned, everything below has ended, generation after
// generation: nothing in this test waits, or looks before all has been seen.
func TestTheEndIsOneStep(t *testing.T) {
	withBoth(t, func(t *testing.T, m maker) {
		ctx, cancel := m.timeout(context.Background(), time.Hour, nil)
		dones := []<-chan struct{}{ctx.Done()}
		below := ctx
		for range 5 {
			next, cancelNext := m.timeout(context.WithValue(below, name("k"), "v"), time.Minute, nil)
			defer cancelNext()
			child, cancelChild := context.WithCancel(next)
			defer cancelChild()
			grandchild, cancelGrandchild := context.WithTimeout(context.WithValue(child, name("k"), "w"), time.Second)
			defer cancelGrandchild()
			dones = append(dones, next.Done(), child.Done(), grandchild.Done())
			below = next
		}
		cancel()
		open := 0
		for _, done := range dones {
			if !isClosed(done) {
				open++
			}
		}
		require.Zero(t, open, "contexts were not done when cancel had returned")
	})
}

// Err and Cause say why as soon as Done is closed, the parent's when the child's
// is.
func TestErrIsThereWhenDoneIs(t *testing.T) {
	withBoth(t, func(t *testing.T, m maker) {
		ctx, cancel := m.timeout(context.Background(), time.Second, errSlow)
		defer cancel()
		child, cancelChild := context.WithCancel(ctx)
		defer cancelChild()
		told := make(chan error, 3)
		go func() {
			<-child.Done()
			told <- child.Err()
			told <- context.Cause(child)
			told <- ctx.Err()
		}()
		require.Equal(t, context.DeadlineExceeded, <-told)
		require.Equal(t, errSlow, <-told)
		require.Equal(t, context.DeadlineExceeded, <-told)
	})
}

// What package context has at once because it is told, ours has because it
// looks.
func TestAParentsEndIsSeenAtOnce(t *testing.T) {
	withBoth(t, func(t *testing.T, m maker) {
		make := func() (ctx context.Context, abandon context.CancelCauseFunc) {
			parent, abandon := context.WithCancelCause(context.Background())
			ctx, cancel := m.timeout(parent, time.Hour, nil)
			t.Cleanup(cancel)
			return ctx, abandon
		}
		ctx, abandon := make()
		abandon(errGone)
		require.Equal(t, context.Canceled, ctx.Err())

		ctx, abandon = make()
		abandon(errGone)
		require.Equal(t, errGone, context.Cause(ctx))

		ctx, abandon = make()
		abandon(errGone)
		require.True(t, isClosed(ctx.Done()))

		ctx, abandon = make()
		abandon(errGone)
		child, cancel := context.WithCancel(context.WithValue(ctx, name("k"), "v"))
		defer cancel()
		ended(t, context.Canceled, errGone, child)
	})
}
