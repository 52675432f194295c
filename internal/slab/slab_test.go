package slab

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A slab gives items out once, and takes them back.
func TestSlab(t *testing.T) {
	var s Slab[int, [16]int]
	const n = 100
	in := make(map[uint32]bool)
	for range n {
		if s.Free() == 0 {
			s.Grow(NewChunk[int, [16]int]())
		}
		i := s.Alloc()
		require.False(t, in[i])
		in[i] = true
	}
	require.Equal(t, n, s.Live())
	require.NoError(t, s.Check())
	for i := range in {
		if s.Release(i) && s.Spare(i) {
			s.Drop(i, true)
			require.Nil(t, s.Chunk(i/s.size()))
		}
	}
	require.Zero(t, s.Live())
	require.NoError(t, s.Check())
	require.Equal(t, 1, s.Held())
	for range n {
		if s.Free() == 0 {
			s.Grow(NewChunk[int, [16]int]())
		}
		i := s.Alloc()
		require.Less(t, i, uint32(n+16), "holes are filled first")
	}
}

// Storage that was given back is taken again, as it is; otherwise it is made.
func TestSparesAreTakenAgain(t *testing.T) {
	made := 0
	s := NewSpares(func() *int { made++; return new(int) })
	v := s.Take()
	require.Equal(t, 1, made)
	again := false
	for range 1000 { // a pool may forget what it is given
		s.Give(v)
		last := v
		v = s.Take()
		again = again || v == last
	}
	require.True(t, again)
}
