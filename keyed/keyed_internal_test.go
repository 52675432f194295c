package keyed

import (
	"context"
	"maps"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed76848005/timerwheel"
)

// A firing that has begun, and is overtaken by a call before it has the lock, does nothing: it
// does not call the function, and removes neither the timer that was set since nor its key.
func TestAFiringThatIsOvertakenDoesNothing(t *testing.T) {
	const key = 1
	for name, overtake := range map[string]func(t *testing.T, timers *Timers[int], sh *shard[int]){
		"by a Set": func(t *testing.T, timers *Timers[int], sh *shard[int]) {
			_, err := timers.set(sh, key, time.Hour)
			require.NoError(t, err)
		},
		"by a Move": func(t *testing.T, _ *Timers[int], sh *shard[int]) { require.NotNil(t, sh.move(key, time.Hour)) },
		"by a Delete": func(t *testing.T, _ *Timers[int], sh *shard[int]) {
			e := sh.entries[key]
			e.timer.Del()
			require.Equal(t, timerwheel.Found{Pending: true}, sh.deleted(e))
		},
		"by a Delete and a Set": func(t *testing.T, timers *Timers[int], sh *shard[int]) {
			e := sh.entries[key]
			e.timer.Del()
			sh.deleted(e)
			_, err := timers.set(sh, key, time.Hour)
			require.NoError(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			w, err := timerwheel.New(timerwheel.Options{Manual: true, Start: start})
			require.NoError(t, err)
			fired := 0
			timers := New(w, func(int) { fired++ })
			require.NoError(t, timers.Set(key, 0))

			sh := timers.shardOf(key)
			sh.mu.Lock()
			advanced := make(chan struct{})
			go func() {
				defer close(advanced)
				_, err := w.Advance(start)
				assert.NoError(t, err)
			}()
			for !sh.entries[key].timer.Running() {
				runtime.Gosched()
			}
			overtake(t, timers, sh)
			sh.mu.Unlock()
			<-advanced
			require.Zero(t, fired)
			deadlines := maps.Collect(timers.All())
			if name == "by a Delete" {
				require.Empty(t, deadlines)
				require.Empty(t, sh.entries)
				return
			}
			require.Equal(t, 1, timers.Len())
			require.True(t, deadlines[key].Equal(start.Add(time.Hour)), "%v", deadlines)

			_, err = w.Advance(start.Add(2 * time.Hour))
			require.NoError(t, err)
			require.Equal(t, 1, fired)
			require.Empty(t, sh.entries)
		})
	}
}

// From the moment at which DeleteSync has deleted what was pending, and not only from its wait on, a
// Set is refused: otherwise the wait would remove the firing of a Set that has succeeded.
func TestNoSetSucceedsBetweenTheDeletionAndItsWait(t *testing.T) {
	w, err := timerwheel.New(timerwheel.Options{})
	require.NoError(t, err)
	begun, end := make(chan bool), make(chan bool)
	timers := New(w, func(int) { begun <- true; <-end })
	require.NoError(t, timers.Set(1, 0))
	<-begun
	timer, found, err := timers.beginDeleteSync(1)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, timerwheel.Found{Running: true}, found)
	require.ErrorIs(t, timers.Set(1, time.Hour), timerwheel.ErrDeleting)
	end <- true
	_, err = timer.DelSync()
	require.NoError(t, err)
	require.NoError(t, timers.Set(1, time.Hour))
	require.Equal(t, 1, timers.Len())
	require.NoError(t, w.Close())
}
