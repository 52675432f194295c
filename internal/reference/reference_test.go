package reference

import (
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
)

func newManual(o timerwheel.Options) *Wheel {
	o.Manual, o.Tick = true, time.Millisecond
	return New(o)
}

// A Register is refused for the first reason that applies: stale, shut down, being deleted, closed.
func TestRefusalsInTheirOrder(t *testing.T) {
	w := newManual(timerwheel.Options{})
	tm := w.Alloc(nil, NoLock)
	refused := func() error { _, err := w.Register(tm, 0); return err }
	require.NoError(t, refused())
	w.Advance(0, nil)
	w.Begin(tm)
	w.Close(Never, tm.Run)
	require.ErrorIs(t, refused(), timerwheel.ErrClosed)
	w.DelAsync(tm)
	require.ErrorIs(t, refused(), timerwheel.ErrDeleting)
	w.Shutdown(tm)
	require.ErrorIs(t, refused(), timerwheel.ErrShutdown)
	w.End(tm, Return)
	require.ErrorIs(t, refused(), timerwheel.ErrShutdown)
	require.NoError(t, w.Free(tm))
	require.ErrorIs(t, refused(), timerwheel.ErrStale)
	require.EqualValues(t, 5, w.Stats().Refused)
	require.Equal(t, []int{1}, w.Dones)
}

// A series skips the instants of which the tick has ended, and stays on its grid to the end of the
// clock.
func TestASeriesStaysOnItsGrid(t *testing.T) {
	w := newManual(timerwheel.Options{})
	tm := w.Start(nil, 10*time.Millisecond, 10*time.Millisecond)
	for _, step := range []struct{ now, next time.Duration }{
		{10 * time.Millisecond, 20 * time.Millisecond},
		{45 * time.Millisecond, 50 * time.Millisecond},
		{60 * time.Millisecond, 70 * time.Millisecond}, // the tick of 60 ms has not ended, but it is this firing
		{Never - 1, Never},
	} {
		answer := w.Advance(step.now-w.Now, nil)
		require.Empty(t, w.MayBegin(tm))
		w.Begin(tm)
		w.End(tm, Return)
		require.Nil(t, w.Rest(w.Now, 0))
		require.Equal(t, &Answer{Ready: true, Outcome: Outcome{Fired: 1}}, answer)
		require.Equal(t, step.next, tm.Deadline)
	}
}

// The deletion that would close a circle is ErrDeadlock. The others wait, until their runs end.
func TestTheLastDeletionOfACircleIsErrDeadlock(t *testing.T) {
	w := New(timerwheel.Options{Tick: time.Millisecond, MaxWorkers: 3})
	var tms []*Timer
	for range 3 {
		tm := w.Start(nil, 0, 0)
		require.Empty(t, w.MayBegin(tm))
		w.Begin(tm)
		tms = append(tms, tm)
	}
	first := w.DelSync(tms[1], Never, tms[0].Run)
	second := w.DelSync(tms[2], Never, tms[1].Run)
	third := w.DelSync(tms[0], Never, tms[2].Run)
	require.ErrorIs(t, third.Outcome.Err, timerwheel.ErrDeadlock)
	require.True(t, third.Ready)
	require.False(t, first.Ready || second.Ready)
	w.End(tms[2], Return)
	require.True(t, second.Ready)
	w.End(tms[1], Return)
	require.True(t, first.Ready)
	require.EqualValues(t, 2, w.Stats().SyncWaits)
}
