package timerwheel

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Promise 1.9.
func TestExhaustedRecordIsRetired(t *testing.T) {
	sh := newTestShard(t)
	last := sh.w.Alloc(func(Timer) {})
	i, s := sh.lookup(last)
	s.Gen = lastGen - 1 // as after four thousand million timers
	last = sh.timer(i, s)
	require.NoError(t, last.Free())

	last = sh.w.Alloc(func(Timer) {})
	k, _ := sh.lookup(last)
	require.Equal(t, i, k, "the last generation is used")
	require.NoError(t, last.Free())

	for range 2 * chunkLen {
		other := sh.w.Alloc(func(Timer) {})
		k, _ := sh.lookup(other)
		require.NotEqual(t, i, k, "the retired record is used again")
	}
	require.False(t, last.Valid())
	require.ErrorIs(t, last.Free(), ErrStale)
}

// Promises 1.9 and 5.9: a chunk that takes the number of one that was given back starts its generations
// above each that its records had, however unevenly they were used. A chunk's annex goes back with it.
func TestGenerationsDoNotRestart(t *testing.T) {
	sh := newTestShard(t)
	rng := rand.New(rand.NewPCG(3, 5))
	seen := make(map[Timer]bool)
	var living []Timer
	alloc := func() {
		h := sh.w.Alloc(func(Timer) {})
		if seen[h] {
			require.Fail(t, "a handle comes again", "%v", h)
		}
		seen[h] = true
		living = append(living, h)
	}
	free := func(i int) {
		if err := living[i].Free(); err != nil {
			require.NoError(t, err)
		}
		living[i] = living[len(living)-1]
		living = living[:len(living)-1]
	}
	for range 8 {
		for range 4 * chunkLen {
			alloc()
		}
		require.Equal(t, 4, sh.records.Held())
		for range 4 * chunkLen { // a few records are used again and again
			free(rng.IntN(10))
			alloc()
		}
		require.Equal(t, 4, sh.records.Held())
		for len(living) > 0 {
			free(rng.IntN(len(living)))
		}
		require.Equal(t, 1, sh.records.Held(), "chunks without timers are held")
		for n := range uint32(sh.records.Chunks()) {
			require.Equal(t, sh.records.Chunk(n) == nil, sh.annexes.Row(n) == nil, "chunk %d", n)
		}
	}
	for h := range seen {
		if h.Valid() {
			require.Fail(t, "a stale handle is valid", "%v", h)
		}
	}
}

// A chunk is not freed and made again by one timer that comes and goes; it is freed when the records
// of a whole chunk are free elsewhere.
func TestAnEmptyChunkIsKeptForTheNext(t *testing.T) {
	sh := newTestShard(t)
	all := allocAll(sh, 2*chunkLen+1)
	last := len(all) - 1
	i, _ := sh.lookup(all[last])
	chunk := sh.records.Chunk(i / chunkLen)
	for range 3 {
		require.NoError(t, all[last].Free())
		require.Same(t, chunk, sh.records.Chunk(i/chunkLen))
		all[last] = sh.w.Alloc(func(Timer) {})
	}
	require.Equal(t, 3, sh.records.Held())
	for _, tm := range all[1:] {
		require.NoError(t, tm.Free())
	}
	require.Equal(t, 2, sh.records.Held(), "the chunk of the one that lives, and one more")
}

// allocAll allocates n timers.
func allocAll(sh *shard, n int) (all []Timer) {
	for range n {
		all = append(all, sh.w.Alloc(func(Timer) {}))
	}
	return all
}

// Promises 1.9 and 13.6: a chunk that has a retired record is given back as any other, and its number
// never used again: the floor of its other records would lead to the generations of the retired one.
func TestAChunkWithARetiredRecordIsNotReplaced(t *testing.T) {
	for name, c := range map[string]struct{ chunks, retired int }{
		"one record of it": {4, 1}, "all of it": {4, chunkLen}, "all of the only one": {1, chunkLen},
	} {
		t.Run(name, func(t *testing.T) {
			sh := newTestShard(t)
			all := allocAll(sh, c.chunks*chunkLen)
			first, _ := sh.lookup(all[0])
			number := first / chunkLen
			for k := range c.retired {
				i, s := sh.lookup(all[k])
				require.Equal(t, number, i/chunkLen)
				s.Gen = lastGen
				all[k] = sh.timer(i, s)
			}
			for _, tm := range slices.Backward(all) { // the last empty chunk is the one with the retired record
				require.NoError(t, tm.Free())
			}
			if c.chunks > 1 { // the only empty chunk is kept, whatever is in it
				require.True(t, sh.records.Chunk(number) == nil, "the chunk is held")
			}
			again := allocAll(sh, 2*c.chunks*chunkLen)
			for _, tm := range again {
				k, _ := sh.lookup(tm)
				require.NotEqual(t, number, k/chunkLen, "a number of the chunk with the retired record")
			}
			require.Equal(t, len(again), sh.records.Live())
			for _, tm := range all {
				require.False(t, tm.Valid())
			}
		})
	}
}

// Promise 13.6: storage is made without the lock. Of two goroutines that find none and make some at once,
// one adds its own.
func TestStorageThatIsMadeTwiceIsAddedOnce(t *testing.T) {
	sh := newTestShard(t)
	var wg sync.WaitGroup
	release := hold(t, &sh.mu)
	wg.Go(func() { sh.w.Alloc(func(Timer) {}) })
	blockedIn(t, 1, "lockLocal")
	askFor(&sh.mu)
	ok := sh.reserve(func(Timer) {}) // lets the other look before it adds anything
	release()
	within(t, wg.Wait)
	require.True(t, ok)
	require.Equal(t, 1, sh.records.Held())
}

// Promise 13.6: a shard whose last numbers are used up while a goroutine makes storage for it gets no further chunk:
// there is no handle to a timer in that.
func TestNoStorageIsAddedBeyondTheLastNumber(t *testing.T) {
	const last = maxRecords/chunkLen - 1
	sh := newTestShard(t)
	spare := newSpareChunk(0, func(Timer) {})
	grow := func() (number uint32) {
		if rows := sh.records.NextCap(); rows > 0 {
			next := newSpareChunk(rows, func(Timer) {})
			next.records, next.annex = spare.records, spare.annex
			sh.install(next)
		} else {
			sh.install(spare)
		}
		return uint32(sh.records.Chunks() - 1)
	}
	dropAnnex := func(number uint32) {
		sh.annexBytes -= sh.annexes.Row(number).bytes()
		sh.annexes.Set(number, nil)
	}
	release := hold(t, &sh.mu)
	for range last { // as if all of their records had been retired: one chunk serves for all
		number := grow()
		sh.records.Drop(number*chunkLen, false)
		dropAnnex(number)
	}
	over := inTurn(t, sh, func() {
		if grow() != last {
			t.Error("the chunk is not the last")
		}
		for range chunkLen {
			sh.records.Alloc()
		}
	})
	ok := sh.reserve(func(Timer) {})
	release()
	receive(t, over)
	require.False(t, ok, "there is a free record")
	require.Equal(t, last+1, sh.records.Chunks())
	require.Zero(t, sh.records.Free())

	for i := range uint32(chunkLen) {
		sh.records.Release(last*chunkLen + i)
	}
	sh.records.Drop(last*chunkLen, true)
	dropAnnex(last)
	timers := allocAll(sh, chunkLen) // the numbers of a chunk that was given back are there again
	require.Equal(t, last+1, sh.records.Chunks())
	require.Panics(t, func() { allocAll(sh, 1) })
	for _, tm := range timers {
		require.NoError(t, tm.Free())
	}
}

// inTurn has f called with the shard's lock the next time that the caller, who holds it, lets go of it.
func inTurn(t *testing.T, sh *shard, f func()) (over <-chan struct{}) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		sh.lock()
		defer sh.mu.Unlock() // unchecked
		f()
	}()
	blockedIn(t, 1, "lock")
	askFor(&sh.mu)
	return done
}
