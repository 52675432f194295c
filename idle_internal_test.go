package timerwheel

import (
	"testing"
	"time"

	"github.com/seed76848005/timerwheel/internal/levels"
	"github.com/stretchr/testify/require"
)

// Promise 14: Touch takes no lock.
func TestTouchTakesNoLock(t *testing.T) {
	sh := newTestShard(t)
	w := sh.w
	tm := w.Alloc(func(Timer) {})
	require.NoError(t, tm.RegisterIdle(time.Hour))
	for _, sh := range w.shards {
		defer hold(t, &sh.mu)()
	}
	defer hold(t, &w.mu)()
	within(t, func() {
		require.True(t, tm.Touch())
		require.True(t, tm.Touch())
	})
}

// Promise 14: of a Touch and a RegisterIdle at the same time the later counts: also where the
// RegisterIdle has read its clock before the Touch, and comes after the look that has removed its mark.
func TestRegisterIdleForgetsNoTouchThatALookHasSeen(t *testing.T) {
	sh := newTestShard(t)
	w := sh.w
	tm := w.Alloc(func(Timer) {})
	require.NoError(t, tm.RegisterIdle(time.Hour))
	before := w.elapsed()
	_, err := w.Advance(w.Now().Add(time.Minute))
	require.NoError(t, err)
	require.True(t, tm.Touch())
	when, _ := tm.When() // looks
	require.Equal(t, w.Now().Add(time.Hour), when)

	rearm := func(d time.Duration) time.Duration {
		sh.lock()
		defer sh.unlock()
		i, s := sh.lookup(tm)
		sh.armIdle(i, s, d, before)
		return time.Duration(s.When)
	}
	now := time.Duration(w.elapsed())
	require.Equal(t, now+time.Second, rearm(time.Second))
	require.Equal(t, time.Duration(before), rearm(0), "at once, touched or not")
}

// Promise 14: the number of the Advances, of which a Touch has 31 bits, may wrap around.
func TestTheNumberOfAnAdvanceWrapsAround(t *testing.T) {
	sh := newTestShard(t)
	w := sh.w
	w.advances.Store(advanceMax - 1)
	tm := w.Alloc(func(Timer) {})
	require.NoError(t, tm.RegisterIdle(time.Hour))
	for range 3 {
		_, err := w.Advance(w.Now().Add(time.Minute))
		require.NoError(t, err)
		require.True(t, tm.Touch())
		when, _ := tm.When()
		require.Equal(t, w.Now().Add(time.Hour), when)
		require.True(t, tm.Touch())
	}
	require.EqualValues(t, 1, w.advances.Load())
}

// Promise 14: the first in line for a worker may stand behind a timer that is only to be looked at.
func TestTheFirstInLineMayStandBehindALook(t *testing.T) {
	sh := newTestShard(t)
	w := sh.w
	require.NoError(t, w.Alloc(func(Timer) {}).RegisterIdle(8*time.Second))
	w.AfterFunc(time.Second, func() {})
	sh.lock()
	defer sh.unlock()
	for sh.levels.Empty(levels.Due) {
		sh.levels.Expire(int64(time.Second)/sh.levels.Tick(), batch)
	}
	require.Equal(t, 2, sh.levels.Count(levels.Due))
	require.LessOrEqual(t, sh.firstDue(), int64(time.Second))
}
