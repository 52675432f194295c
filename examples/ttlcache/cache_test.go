package main

import (
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
)

// What the comment on Cache says: more entries of one shard are due than the wheel has workers, while
// their mutex is held, and another timer fires all the same.
func TestAHeldShardDelaysNothingElse(t *testing.T) {
	w, err := timerwheel.New(timerwheel.Options{MaxWorkers: 4})
	require.NoError(t, err)
	c := NewCache[int, string](w)
	const keys = 1000
	s := c.lock(0)
	s.mu.Unlock()
	for k := range keys { // of all shards
		require.NoError(t, c.Set(k, "", time.Millisecond))
	}
	s.mu.Lock()
	n := len(s.entries)
	for k := range 20 * n { // more of this one
		e := s.insert(w, -k-1)
		require.NoError(t, e.timer.Register(0))
	}
	fired := make(chan struct{})
	w.AfterFunc(20*time.Millisecond, func() { close(fired) })
	select {
	case <-fired:
	case <-time.After(time.Minute):
		t.Error("the held mutex has stopped the wheel")
	}
	s.mu.Unlock()
	for deadline := time.Now().Add(time.Minute); c.Len() > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	require.Zero(t, c.Len())
	c.Close()
	require.NoError(t, w.Close())
}
