package timerwheel

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel/internal/own"
	"github.com/stretchr/testify/require"
)

// Promises 5.6 and 2.40: whatever timers there were, where none lives an annex has nothing, and the storage
// that it takes is counted. What a chunk gives back is as good as new.
func TestAnAnnexIsEmptyWhereNothingLives(t *testing.T) {
	for name, o := range map[string]Options{"": {}, "Debug": {Debug: true, DebugEvery: 3}, "Manual": {Manual: true}} {
		t.Run(name, func(t *testing.T) {
			w := newTestWheel(t, o)
			makers := oneOfEachKind(w)
			rng := rand.New(rand.NewPCG(7, 11))
			var live []Timer
			for range 6 {
				for range 3000 {
					live = append(live, makers[rng.IntN(len(makers))]())
				}
				rng.Shuffle(len(live), func(i, j int) { live[i], live[j] = live[j], live[i] })
				keep := rng.IntN(300)
				for _, tm := range live[keep:] {
					dropTimer(t, tm)
				}
				live = live[:keep]
				for _, sh := range w.shards {
					requireEmptyAnnexes(t, sh)
				}
			}
		})
	}
	require.Equal(t, arguments{}, *spareArguments.Take())
	require.Equal(t, memberships{}, *spareMemberships.Take())
}

// oneOfEachKind returns functions that make timers with each kind of function there is.
func oneOfEachKind(w *Wheel) []func() Timer {
	var mu sync.Mutex
	g := w.NewGroup()
	firing := func(user any) *own.Firing {
		x := new(firingFunc)
		x.fire = func() {}
		x.Owner, x.User = x, user
		return &x.Firing
	}
	return []func() Timer{
		func() Timer { return w.Alloc(func(Timer) {}) },
		func() Timer { return w.AllocArg(func(Timer, any) {}, nil) },
		func() Timer { return w.AllocArg(func(Timer, any) {}, &mu) },
		func() Timer { return w.AllocLocked(&mu, func(Timer) {}) },
		func() Timer { return w.AfterFunc(time.Hour, func() {}) },
		func() Timer { return w.AfterFuncArg(time.Hour, func(any) {}, nil) },
		func() Timer { return w.AfterFuncArg(time.Hour, func(any) {}, &mu) },
		func() Timer { return w.Every(time.Hour, func(Timer) {}) },
		func() Timer { return g.AfterFuncArg(time.Hour, func(any) {}, &mu) },
		func() Timer { return w.AfterFuncArg(time.Hour, own.Fire, firing(nil)) },
		func() Timer { return w.AfterFuncArg(time.Hour, own.Fire, firing(func() {})) },
	}
}

// dropTimer deletes a timer, and frees it if it has an owner.
func dropTimer(t *testing.T, tm Timer) {
	tm.Del()
	if tm.Valid() {
		require.NoError(t, tm.Free())
	}
	require.False(t, tm.Valid())
}

func requireEmptyAnnexes(t *testing.T, sh *shard) {
	t.Helper()
	sh.lock()
	defer sh.unlock()
	bytes := int64(0)
	for n := range uint32(sh.records.Chunks()) {
		c, x := sh.records.Chunk(n), sh.annexes.Row(n)
		require.Equal(t, c == nil, x == nil)
		if c == nil {
			continue
		}
		bytes += x.bytes()
		for k, s := range c.Items {
			kind := s.Flags & kinds
			if c.Free(k) {
				kind = isMember // of no function
			}
			require.True(t, kind == 0 || x.funcs == nil || x.funcs[k] == nil)
			require.True(t, kind == takesTimer || x.timerFuncs == nil || x.timerFuncs[k] == nil)
			require.True(t, kind == hasArg || x.argFuncs == nil || x.argFuncs[k] == nil)
			require.True(t, kind == hasArg|takesTimer || x.timerArgFuncs == nil || x.timerArgFuncs[k] == nil)
			require.True(t, kind == hasBody || x.bodies == nil || x.bodies[k] == nil)
			require.True(t, kind == isOwn || x.firings == nil || x.firings[k] == nil)
			require.True(t, kind&hasArg != 0 || x.args == nil || x.args.items[k] == nil)
			require.True(t, s.Flags&isMember != 0 || x.memberships == nil || x.memberships[k] == membership{})
		}
	}
	require.Equal(t, bytes, sh.annexBytes)
}
