package timerwheel

import (
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

func newTestShard(t *testing.T) *shard {
	w, err := New(Options{Manual: true})
	require.NoError(t, err)
	return w.shards[0]
}

// Contract 1: a slot whose generations are used up is retired, not wrapped.
func TestExhaustedSlotIsRetired(t *testing.T) {
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
		require.NotEqual(t, i, k, "the retired slot is used again")
	}
	require.False(t, last.Valid())
	require.ErrorIs(t, last.Free(), ErrStale)
}

// Contract 5: a chunk in which no timer lives is given back, and the chunk that
// takes its number does not reach old handles: its generations start above.
func TestGenerationsDoNotRestart(t *testing.T) {
	sh := newTestShard(t)
	alloc := func(n int) (all []Timer) {
		for range n {
			all = append(all, sh.w.Alloc(func(Timer) {}))
		}
		return all
	}
	free := func(all []Timer) {
		for _, t := range all {
			_ = t.Free()
		}
	}
	seen := make(map[Timer]bool)
	for round := range 20 {
		all := alloc(4 * chunkLen)
		for _, h := range all {
			require.False(t, seen[h], "round %d: the handle %v comes again", round, h)
			seen[h] = true
		}
		require.Equal(t, 4, sh.records.Held())
		free(all)
		require.Equal(t, 1, sh.records.Held(), "chunks without timers are held")
	}
	for h := range seen {
		require.False(t, h.Valid())
	}
}

// A chunk with a retired slot is given back as well, and its number not used
// again.
func TestChunkOfRetiredSlots(t *testing.T) {
	sh := newTestShard(t)
	for range chunkLen {
		h := sh.w.Alloc(func(Timer) {})
		_, s := sh.lookup(h)
		s.Gen = lastGen
		h = sh.timer(uint32(h.id)>>shardBits, s)
		defer func() { require.False(t, h.Valid()) }()
	}
	for i := range uint32(chunkLen) {
		require.NoError(t, sh.timer(i, sh.records.At(i)).Free())
	}
	h := sh.w.Alloc(func(Timer) {})
	i, _ := sh.lookup(h)
	require.GreaterOrEqual(t, i, uint32(1*chunkLen), "a number of the retired chunk")
	require.Equal(t, 1, sh.records.Live())
}

// A chunk is not made and dropped in turns by one place that comes and goes; it is
// dropped when a chunkful is free elsewhere.
func TestAnEmptyChunkIsKeptForTheNext(t *testing.T) {
	sh := newTestShard(t)
	var all []Timer
	for range 2*chunkLen + 1 {
		all = append(all, sh.w.Alloc(func(Timer) {}))
	}
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

// A peak of a group's members is not held for ever.
func TestMemberListShrinks(t *testing.T) {
	w := newTestWheel(t, Options{Manual: true})
	g := w.NewGroup()
	for range 100_000 {
		g.AfterFunc(time.Hour, func() {})
	}
	_, err := g.DelSync()
	require.NoError(t, err)
	require.Zero(t, g.Len())
	require.LessOrEqual(t, g.members.Bytes(), int64(1024))
}

// Contract 1 and 5: a chunk that has a retired slot is given back while other
// chunks are in use, and its number never used again: the floor of its other
// slots would lead to the generations of the retired one.
func TestAChunkWithARetiredSlotIsNotReplaced(t *testing.T) {
	sh := newTestShard(t)
	const chunks = 4
	var all []Timer
	for range chunks * chunkLen {
		all = append(all, sh.w.Alloc(func(Timer) {}))
	}
	i, s := sh.lookup(all[0])
	s.Gen = lastGen
	all[0] = sh.timer(i, s)
	for _, tm := range slices.Backward(all) { // the last empty chunk is the one with the retired slot
		require.NoError(t, tm.Free())
	}
	require.True(t, sh.records.Chunk(i/chunkLen) == nil, "the chunk is held")
	for range 2 * chunks * chunkLen {
		k, _ := sh.lookup(sh.w.Alloc(func(Timer) {}))
		require.NotEqual(t, i/chunkLen, k/chunkLen, "a number of the chunk with the retired slot")
	}
}

// Contract 5: a chunk in which no timer lives is given back, with the bodies
// beside it.
func TestTheBodiesOfAChunkAreGivenBackWithIt(t *testing.T) {
	sh := newTestShard(t)
	var all []Timer
	for range 4 * chunkLen {
		all = append(all, sh.w.Alloc(func(Timer) {}))
	}
	for _, tm := range all {
		require.NoError(t, tm.Free())
	}
	for n := range uint32(sh.records.Chunks()) {
		require.Equal(t, sh.records.Chunk(n) == nil, sh.bodies.Row(n) == nil, "chunk %d", n)
	}
}

// A tick beyond the reach of the clock begins never, not in the past.
func TestATickBeyondTheClockBeginsNever(t *testing.T) {
	sh := newTestShard(t)
	last := int64(never) / sh.levels.Tick()
	require.Equal(t, last*sh.levels.Tick(), sh.nanos(last))
	require.EqualValues(t, int64(never), sh.nanos(last+1))
}

// None of a chunk's values lies across the end of a cache line.
func TestValuesAreAligned(t *testing.T) {
	for range 100 {
		v := &newSpareChunk(0).bodies.items[0]
		require.Zero(t, uintptr(unsafe.Pointer(v))%unsafe.Sizeof(*v))
	}
}
