package timerwheel

import (
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// Pages hold what was pushed and not popped, in its order, at any length; and keep
// nothing of what was popped.
func TestPagesAreAList(t *testing.T) {
	var p pages[*int]
	var want []*int
	for _, peak := range []int{1, pageLen, pageLen + 1, 100 * pageLen, 3} {
		for len(want) < peak {
			v := new(int)
			p.push(v)
			want = append(want, v)
		}
		for k := range want {
			require.Same(t, want[k], *p.at(uint32(k)))
		}
		for rest := rand.N(2 * pageLen); len(want) > rest; {
			last := len(want) - 1
			require.Same(t, want[last], *p.at(uint32(last)))
			p.pop()
			want = want[:last]
		}
		require.Equal(t, len(want), p.n)
		for k := p.n; k < p.room; k++ {
			require.Nil(t, *p.at(uint32(k)))
		}
		require.LessOrEqual(t, len(p.dir), len(want)/pageLen+2, "empty pages")
	}
}

// bytes returns the storage that the pages take.
func (p *pages[T]) bytes() int64 {
	var v T
	return int64(p.room)*int64(unsafe.Sizeof(v)) + int64(cap(p.dir))*int64(unsafe.Sizeof(p.dir))
}

// To push to pages and to pop from them never moves what they hold.
func TestPagesDoNotMove(t *testing.T) {
	var p pages[int]
	for range pageLen {
		p.push(0)
	}
	for k := range 1000 * pageLen { // the first page is full
		at := p.at(uint32(rand.N(p.n)))
		*at = k
		n := p.n
		p.push(0)
		require.Equal(t, 1, p.n-n)
		require.Equal(t, k, *at)
		require.LessOrEqual(t, cap(p.dir[len(p.dir)-1]), pageLen)
	}
	first := p.at(0)
	for p.n > 1 {
		p.pop()
		require.Same(t, first, p.at(0))
	}
	require.Less(t, p.bytes(), int64(4*pageLen*8), "a peak is over")
}

// What comes and goes where a page begins makes no page anew each time.
func TestPagesKeepOneForTheNext(t *testing.T) {
	var p pages[int]
	for range 3 * pageLen {
		p.push(0)
	}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		p.push(0)
		p.pop()
		p.pop()
		p.push(0)
	}))
}

// A table is a slice; but nothing that is done to it copies more than a few rows, and what
// is set is not lost when the successor takes over. The successor goes when a peak is
// over, and comes back in time.
func TestTableIsNeverCopiedAtOnce(t *testing.T) {
	var table table[int]
	var want, holes []int
	use := func(v int) {
		rows, next, copied := cap(table.rows), table.next, len(table.next)
		if last := len(holes) - 1; last >= 0 {
			table.set(uint32(holes[last]), v)
			want[holes[last]] = v
			holes = holes[:last]
		} else {
			table.push(v)
			want = append(want, v)
		}
		if rows != cap(table.rows) && rows > 0 {
			require.Equal(t, rows, copied, "the successor has all rows")
			require.Same(t, &next[0], &table.rows[0], "it is long enough")
			copied = 0
		}
		used := len(want) - len(holes)
		table.setNext(make([]int, cap(table.rows)), used) // too short
		if rows := table.nextCap(used); rows == 0 {
			next := table.next
			table.setNext(make([]int, 2*cap(table.rows)), used) // too late, or not needed
			require.Equal(t, len(next), len(table.next))
			require.Equal(t, cap(next), cap(table.next))
		} else if rand.N(2) == 0 { // who makes a successor in time, and who does not
			table.setNext(make([]int, rows), used)
			require.Equal(t, rows, cap(table.next))
		}
		table.grew(len(want) - len(holes))
		require.LessOrEqual(t, len(table.next)-copied, 8, "rows copied by one call")
	}
	for _, peak := range []int{13, 16, 17, 100, 1000, 1023, 1024, 1025, 10_000, 12_280, 12_300, 16_384, 20_000} {
		for len(want)-len(holes) < peak {
			use(rand.Int())
		}
		require.True(t, slices.Equal(want, table.rows))
		for _, k := range rand.Perm(len(want))[:rand.N(len(want))] {
			table.set(uint32(k), 0)
			want[k] = 0
			holes = append(holes, k)
			table.shrank(len(want) - len(holes))
		}
		require.True(t, table.next == nil || 4*(len(want)-len(holes)) >= 3*cap(table.rows), "a peak is over")
		require.True(t, slices.Equal(want, table.rows))
	}
	require.Positive(t, table.bytes())
}
