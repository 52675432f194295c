package timerwheel

import (
	"testing"
	"time"

	"github.com/seed76848005/timerwheel/internal/levels"
	"github.com/stretchr/testify/require"
)

// Inspect reads the time before it looks at the shards. If a shard has moved on since then
// its levels begin elsewhere: Inspect reads the time again, but not for ever.
func TestInspectAsksAgainIfAShardIsAhead(t *testing.T) {
	w := newTestWheel(t, Options{Manual: true})
	sh := w.shards[0]
	for _, d := range []time.Duration{levels.Lowest + 5, levels.Lowest + levels.Digits + 5, 3 * levels.Lowest} {
		w.AfterFunc(d*w.tick, func() {})
	}
	_, err := w.Advance(w.Now().Add((levels.Lowest + 1) * w.tick))
	require.NoError(t, err)
	views := func(now int64) []LevelInfo {
		return []LevelInfo{{Start: now &^ (levels.Digits - 1), Span: 1}, {Start: now &^ (levels.Lowest - 1), Span: levels.Digits}, {Start: now &^ (levels.Lowest*levels.Digits - 1), Span: levels.Lowest}}
	}
	to := views(levels.Lowest + 1)
	_, ahead := sh.countLow(to)
	require.False(t, ahead)
	require.Equal(t, 1, to[0].Timers[5])
	require.Equal(t, 1, to[1].Timers[1], "of the 64 ticks after those of now")
	require.Equal(t, 1, to[2].Timers[3])
	to = views(levels.Lowest - 1)
	_, ahead = sh.countLow(to)
	require.False(t, ahead)
	require.Equal(t, 2, to[2].Timers[1], "of the 4,096 ticks after those of now")
	_, ahead = sh.countLow(views(-1))
	require.True(t, ahead)
	_, ahead = sh.countWord(0, views(-1))
	require.True(t, ahead)

	for _, c := range []struct{ ahead, asked int }{{0, 1}, {1, 2}, {2, 3}, {9, 3}} {
		asked := 0
		late := w.countLevels(make([]LevelInfo, 1), 0, func(*shard, []LevelInfo) (late int, ahead bool) {
			asked++
			return 7, asked <= c.ahead
		})
		require.Equal(t, c.asked, asked)
		require.Equal(t, 7, late, "what was said last")
	}
}

// Promise 2.48: what has been moved down ahead of its time is shown in the bucket that it came from.
func TestInspectShowsWhatIsAheadOfItsTimeWhereItWas(t *testing.T) {
	w := newTestWheel(t, Options{Manual: true})
	const n = 2 * worthAhead
	for range n {
		w.AfterFunc((levels.Lowest+5)*w.tick, func() {})
	}
	w.AfterFunc(w.tick, func() {})
	fired, err := w.Advance(w.Now().Add(w.tick))
	require.NoError(t, err)
	require.Equal(t, 1, fired)
	left := 0
	for _, timers := range w.shards[0].levels.Buckets(1, 0) {
		left += timers
	}
	require.Less(t, left, n)
	require.Equal(t, n, w.Inspect().Levels[2].Timers[1])
}

// Promise 2.68: an Inspection's Next and Now are read after everything else, and in this order: a Next
// that was read long after its Now would seem to be farther away than it is.
func TestInspectReadsNowLast(t *testing.T) {
	w := twoShards(t)
	tm := w.AfterFunc(time.Hour, func() {})
	other := &w.shards[1-tm.shard().no].mu
	release := hold(t, other)
	seen := make(chan Inspection, 1)
	go func() { seen <- w.Inspect() }()
	blockedIn(t, 1, "countWord") // the levels come first
	releaseMembers := hold(t, &w.mu)
	release()
	blockedIn(t, 1, "goroutines")
	release = hold(t, other)
	releaseMembers()
	blockedIn(t, 1, "snapshots") // the runs come last
	require.NoError(t, tm.Register(time.Minute))
	heldUp := w.timeAt(w.elapsed())
	release()
	in := receive(t, seen)
	when, _ := tm.When()
	require.False(t, in.Next.After(when), "Next is as it was before the look at the runs")
	require.False(t, in.Now.Before(heldUp), "so is Now")
}
