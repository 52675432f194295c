package timerctx_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// The tests in this file run against package context and against this package, and expect the
// same of both.

var (
	errSlow = errors.New("too slow")
	errGone = errors.New("the caller has gone")
)

// A context ends in each possible way: it, and all contexts derived from it, report the same
// error and cause.
func TestEndings(t *testing.T) {
	type subject struct {
		m         maker
		cancel    context.CancelFunc      // ends the context under test
		endParent context.CancelCauseFunc // ends its parent
	}
	const d = time.Minute
	for _, c := range []struct {
		name         string
		cause        error // given to the context
		end          func(s subject)
		err, because error
	}{
		{"timeout", nil, func(subject) { time.Sleep(d + late) }, context.DeadlineExceeded, context.DeadlineExceeded},
		{"timeout with a cause", errSlow, func(subject) { time.Sleep(d + late) }, context.DeadlineExceeded, errSlow},
		{"cancel", nil, func(s subject) { s.cancel() }, context.Canceled, context.Canceled},
		{"cancel, where the timeout has a cause", errSlow, func(s subject) { s.cancel() }, context.Canceled, context.Canceled},
		{"the parent's end", nil, func(s subject) { s.endParent(nil); synctest.Wait() }, context.Canceled, context.Canceled},
		{"the parent's end with a cause", errSlow, func(s subject) { s.endParent(errGone); synctest.Wait() }, context.Canceled, errGone},
		{"the parent's end before cancel", errSlow, func(s subject) { s.endParent(errGone); s.cancel() }, context.Canceled, errGone},
		{"cancel before the parent's end", errSlow, func(s subject) { s.cancel(); s.endParent(errGone) }, context.Canceled, context.Canceled},
		{"cancel before the timeout", errSlow, func(s subject) { s.cancel(); time.Sleep(d + late) }, context.Canceled, context.Canceled},
		{"timeout before cancel", errSlow, func(s subject) { time.Sleep(d + late); s.cancel() }, context.DeadlineExceeded, errSlow},
		{"timeout before the parent's end", errSlow, func(s subject) { time.Sleep(d + late); s.endParent(errGone) }, context.DeadlineExceeded, errSlow},
		{"cancel twice", nil, func(s subject) { s.cancel(); s.cancel() }, context.Canceled, context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			withBoth(t, func(t *testing.T, m maker) {
				parent, endParent := context.WithCancelCause(context.Background())
				defer endParent(nil)
				ctx, cancel := m.timeout(parent, d, c.cause)
				defer cancel()
				before := deriveAll(m, ctx, c.cause)
				defer before.cancel()
				requireAlive(t, before.all...)

				c.end(subject{m, cancel, endParent})
				requireEnded(t, c.err, c.because, before.all...)
				requireAlive(t, before.withoutCancel)
				synctest.Wait()
				require.Equal(t, 1, before.calls, "calls of an AfterFunc's function")

				after := deriveAll(m, ctx, c.cause) // from a context that has ended
				defer after.cancel()
				requireEnded(t, c.err, c.because, after.all...)
				synctest.Wait()
				require.Equal(t, 1, after.calls)
			})
		})
	}
}

// derived holds a context and the contexts that are derived from it, in all possible ways.
type derived struct {
	all           []context.Context // those that end with it, and itself
	withoutCancel context.Context   // does not end with it
	calls         int               // of an AfterFunc's function
	cancels       []func()
}

type name string

// deriveAll derives contexts from ctx. Those that it makes with m end at the same time and for
// the same cause as ctx itself, so it does not matter which timer fires first.
func deriveAll(m maker, ctx context.Context, cause error) *derived {
	d := &derived{all: []context.Context{ctx}, withoutCancel: context.WithoutCancel(ctx)}
	add := func(ctx context.Context, cancel func()) context.Context {
		d.all = append(d.all, ctx)
		d.cancels = append(d.cancels, cancel)
		return ctx
	}
	at, _ := ctx.Deadline()
	value := context.WithValue(ctx, name("k"), "v")
	d.all = append(d.all, value)
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
	stop := context.AfterFunc(ctx, func() { d.calls++ })
	d.cancels = append(d.cancels, func() { stop() })
	return d
}

func (d *derived) cancel() {
	for _, cancel := range d.cancels {
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
		requireEnded(t, context.DeadlineExceeded, errSlow, inner)
		requireAlive(t, outer, longer, same)
		time.Sleep(time.Minute)
		requireEnded(t, context.DeadlineExceeded, errGone, outer, longer, same)
		requireEnded(t, context.DeadlineExceeded, errSlow, inner)
	})
}

// A timeout is never early.
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
				requireEnded(t, context.DeadlineExceeded, want, ctx)
				cancel()
				requireEnded(t, context.DeadlineExceeded, want, ctx)
				got, ok := ctx.Deadline()
				require.True(t, ok)
				require.True(t, got.Equal(at))

				ctx, cancel = m.timeout(context.Background(), d, cause)
				defer cancel()
				requireEnded(t, context.DeadlineExceeded, want, ctx)
			}
		}
	})
}

// If the parent has ended, its error and cause count, even if the deadline has passed too.
func TestAParentThatHasEnded(t *testing.T) {
	withBoth(t, func(t *testing.T, m maker) {
		parent, endParent := context.WithCancelCause(context.Background())
		endParent(errGone)
		for _, d := range []time.Duration{time.Hour, 0} {
			ctx, cancel := m.timeout(parent, d, errSlow)
			requireEnded(t, context.Canceled, errGone, ctx)
			cancel()
			requireEnded(t, context.Canceled, errGone, ctx)
		}
		late, cancel := m.timeout(context.Background(), 0, errSlow)
		defer cancel()
		ctx, cancel := m.timeout(late, time.Hour, nil)
		defer cancel()
		requireEnded(t, context.DeadlineExceeded, errSlow, ctx)
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
			requireAlive(t, ctx)
			cancel()
			requireEnded(t, context.Canceled, context.Canceled, ctx)
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
		ctx.Done() // after this a context of this package has an inner context
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

// When cancel has returned, everything below has ended, at every depth. This test does not wait,
// and calls no method that would check a parent, until it has seen all Done channels.
func TestCancelEndsEverythingBelow(t *testing.T) {
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

// Err and Cause return the reason as soon as Done is closed: those of the parent as soon as the
// child's Done is.
func TestErrIsSetWhenDoneIsClosed(t *testing.T) {
	withBoth(t, func(t *testing.T, m maker) {
		ctx, cancel := m.timeout(context.Background(), time.Second, errSlow)
		defer cancel()
		child, cancelChild := context.WithCancel(ctx)
		defer cancelChild()
		got := make(chan error, 3)
		go func() {
			<-child.Done()
			got <- child.Err()
			got <- context.Cause(child)
			got <- ctx.Err()
		}()
		require.Equal(t, context.DeadlineExceeded, <-got)
		require.Equal(t, errSlow, <-got)
		require.Equal(t, context.DeadlineExceeded, <-got)
	})
}

// A child reports its parent's end at once: in package context because the parent's cancel ends
// the child, in this package because the child checks its parent.
func TestAParentsEndIsSeenAtOnce(t *testing.T) {
	withBoth(t, func(t *testing.T, m maker) {
		make := func() (ctx context.Context, endParent context.CancelCauseFunc) {
			parent, endParent := context.WithCancelCause(context.Background())
			ctx, cancel := m.timeout(parent, time.Hour, nil)
			t.Cleanup(cancel)
			return ctx, endParent
		}
		ctx, endParent := make()
		endParent(errGone)
		require.Equal(t, context.Canceled, ctx.Err())

		ctx, endParent = make()
		endParent(errGone)
		require.Equal(t, errGone, context.Cause(ctx))

		ctx, endParent = make()
		endParent(errGone)
		require.True(t, isClosed(ctx.Done()))

		ctx, endParent = make()
		endParent(errGone)
		child, cancel := context.WithCancel(context.WithValue(ctx, name("k"), "v"))
		defer cancel()
		requireEnded(t, context.Canceled, errGone, child)
	})
}
