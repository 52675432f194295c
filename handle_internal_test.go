package timerwheel

import (
	"runtime"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

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

// None of a chunk's values lies across the end of a cache line.
func TestValuesAreAligned(t *testing.T) {
	for range 100 {
		v := &newSpareChunk(0).bodies.items[0]
		require.Zero(t, uintptr(unsafe.Pointer(v))%unsafe.Sizeof(*v))
	}
}

// Contract 5: "Storage that a peak needed goes back to the runtime". What the
// heap has in use after half a million timers is what it had before, but for a
// tenth and for what stays: the tables of the chunks, less than a quarter of a byte a
// timer, and some free chunks.
func TestHeapOfAPeakComesBack(t *testing.T) {
	if checkInvariants {
		t.Skip("to check every critical section costs more than any of them")
	}
	const n = 500_000
	const stays = n/4 + 256<<10
	w, err := New(Options{})
	require.NoError(t, err)
	defer w.Close()
	before := heapInUse()
	timers := make([]Timer, n)
	for k := range timers {
		timers[k] = w.AfterFunc(time.Hour, func() {})
	}
	require.Greater(t, heapInUse(), before+n*32)
	for _, tm := range timers {
		require.True(t, tm.Stop())
	}
	timers = nil
	require.LessOrEqual(t, heapInUse(), before+before/10+stays)
}

// heapInUse returns the bytes in spans of the heap that are in use, when nothing
// is left to be collected.
func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what finalizers and pools have let go of
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}
