package slab

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// A table is a slice; but nothing that is done to it copies more than a few rows, and what
// is set is not lost when the successor takes over. The successor goes when a peak is
// over, and comes back in time.
func TestTableIsNeverCopiedAtOnce(t *testing.T) {
	var table Table[int]
	var want, holes []int
	use := func(v int) {
		rows, next, copied := cap(table.rows), table.next, len(table.next)
		if last := len(holes) - 1; last >= 0 {
			table.Set(uint32(holes[last]), v)
			want[holes[last]] = v
			holes = holes[:last]
		} else {
			table.Push(v)
			want = append(want, v)
		}
		if rows != cap(table.rows) && rows > 0 {
			require.Equal(t, rows, copied, "the successor has all rows")
			require.Same(t, &next[0], &table.rows[0], "it is long enough")
			copied = 0
		}
		used := len(want) - len(holes)
		table.SetNext(make([]int, cap(table.rows)), used) // too short
		if rows := table.NextCap(used); rows == 0 {
			next := table.next
			table.SetNext(make([]int, 2*cap(table.rows)), used) // too late, or not needed
			require.Equal(t, len(next), len(table.next))
			require.Equal(t, cap(next), cap(table.next))
		} else if rand.N(2) == 0 { // some owners make a successor in time, others do not
			table.SetNext(make([]int, rows), used)
			require.Equal(t, rows, cap(table.next))
		}
		table.Grew(len(want) - len(holes))
		require.LessOrEqual(t, len(table.next)-copied, 8, "rows copied by one call")
	}
	for _, peak := range []int{13, 16, 17, 100, 1000, 1023, 1024, 1025, 10_000, 12_280, 12_300, 16_384, 20_000} {
		for len(want)-len(holes) < peak {
			use(rand.Int())
		}
		require.True(t, slices.Equal(want, table.rows))
		for _, k := range rand.Perm(len(want))[:rand.N(len(want))] {
			table.Set(uint32(k), 0)
			want[k] = 0
			holes = append(holes, k)
			table.Shrank(len(want) - len(holes))
		}
		require.True(t, table.next == nil || 4*(len(want)-len(holes)) >= 3*cap(table.rows), "a peak is over")
		require.True(t, slices.Equal(want, table.rows))
	}
	require.Positive(t, table.Bytes())
}
